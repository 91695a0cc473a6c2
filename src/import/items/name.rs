//! What in a cell is the name.

use super::{
    super::{find, page::Cell},
    comma,
};

/// Whether a text can be a name: short, and no sentence.
pub(in super::super) fn is_name_like(text: &str) -> bool {
    let text = text.trim();
    let words: Vec<&str> = text.split_whitespace().collect();
    let verbs = [
        "is", "are", "was", "will", "be", "been", "we", "you", "your", "our", "may", "must", "shall", "should", "can",
        "has", "have", "that", "which", "this", "these", "any", "all", "when", "where", "how", "if", "not", "it",
        "its", "they", "their", "wir", "sie", "werden", "wird", "ist", "nous", "vous", "sont",
    ];
    (1..=8).contains(&words.len())
        && text.chars().count() <= 80
        && !text.ends_with(['?', '!', ';'])
        && !text.starts_with("http")
        && !words
            .iter()
            .any(|word| verbs.contains(&word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().as_str()))
        && text.chars().any(|c| c.is_uppercase() || c.is_ascii_digit() || c == '.' || !c.is_ascii())
}

/// The name in a cell that holds the address too, behind it or in the lines below, and the address: "Acme GmbH, Hauptstr.
/// 1, 10115 Berlin".
pub(in super::super) fn address_behind(cell: &Cell) -> Option<(String, String)> {
    let lines = cell.lines();
    let (name, rest) = match lines.as_slice() {
        [] => return None,
        [only] => {
            let (at, length) = comma(only)?;
            (only.get(..at)?.to_owned(), only.get(at + length..)?.to_owned())
        }
        [first, rest @ ..] => (first.clone(), rest.join(", ")),
    };
    let name = name.trim_end_matches([',', ';', ':', ' ']).to_owned();
    let is_address = rest.chars().any(|c| c.is_ascii_digit()) && rest.split_whitespace().count() > 1;
    (is_address && is_name_like(&name)).then_some((name, rest))
}

/// The name in a cell of several lines: the brand with the company that the next line names, else its first line.
pub(in super::super) fn by_lines(cell: &Cell) -> Option<String> {
    let lines = cell.lines();
    let [first, second, ..] = lines.as_slice() else { return None };
    if !is_name_like(first) || address_behind(cell).is_some() {
        return None;
    }
    let is_company = find::has_legal_form(second) && !find::has_legal_form(first) && !second.contains(['(', ')']);
    Some(if is_company { format!("{first} ({second})") } else { first.clone() })
}

/// What of a cell is to be judged as a name: without an address, its first line if that is one.
pub(in super::super) fn name_line(cell: &Cell) -> String {
    if let Some((name, _)) = address_behind(cell) {
        return name;
    }
    let first = cell.lines().into_iter().next().filter(|line| is_name_like(line));
    first.unwrap_or_else(|| cell.text())
}
