//! Where the name ends in an item, and what is said of it begins.

use super::{
    super::{
        page::{Cell, List},
        text,
    },
    after, append, before, is_name_like, keyed,
};

/// What stands between a name and what is said of it, in the order in which they are tried.
const SEPARATORS: [&str; 8] = [" – ", " — ", " - ", ": ", " | ", " → ", " -- ", "\t"];

/// Places of a separator that are looked at.
const SEPARATED: usize = 16;

/// Endings after which a point ends no sentence.
const ABBREVIATIONS: [&str; 22] = [
    "inc", "ltd", "co", "corp", "llc", "pty", "pvt", "s.a", "b.v", "n.v", "a.s", "s.r.o", "s.r.l", "s.p.a", "o.o",
    "gmbh", "plc", "dr", "st", "no", "aka", "u.s",
];

/// The separator that splits most items of a list.
pub(super) fn common_separator(list: &List) -> Option<&'static str> {
    let texts: Vec<String> = list.items.iter().take(200).map(|item| text::collapse(&item.content.raw())).collect();
    let count = |separator: &str| texts.iter().filter(|text| text.contains(separator)).count();
    let best = SEPARATORS.iter().rev().map(|separator| (count(separator), *separator)).max_by_key(|(count, _)| *count);
    best.filter(|(count, _)| *count > 0).map(|(_, separator)| separator)
}

/// Splits an item into its name and what is said of it.
pub(super) fn split(cell: &Cell, separator: Option<&str>) -> (Cell, Cell) {
    if let Some(end) = lead(cell) {
        let (name, rest) = (before(cell, end), after(cell, end));
        return join_brackets(name, rest, separator);
    }
    let raw = cell.raw();
    let flat = raw.replace('\n', " ");
    let common = separator.and_then(|separator| Some((outside(&flat, separator)?, separator.len())));
    let any = || SEPARATORS.iter().filter_map(|separator| Some((outside(&flat, separator)?, separator.len()))).min();
    let found = common.or_else(any).or_else(|| sentence_end(&flat)).or_else(|| comma(&flat));
    match found {
        Some((at, length)) if is_name_like(&flat[..at]) => (before(cell, at), after(cell, at + length)),
        _ => (cell.clone(), Cell::default()),
    }
}

/// Whether a paragraph begins with a name that is bold or a link, with a sign behind it and more: "**Acme** – hosting".
pub(in super::super) fn begins_with_name(cell: &Cell) -> bool {
    let Some(end) = lead(cell) else { return false };
    let (raw, name) = (cell.raw(), before(cell, end).text());
    let rest = raw.get(end..).unwrap_or_default();
    let is_apart = name.ends_with(':') || rest.trim_start().starts_with(['–', '—', '-', ':', '|', '(']);
    is_apart && !rest.trim().is_empty() && is_name_like(&name) && keyed(cell).is_none()
}

/// Whether a paragraph begins with a name and a dash behind it: "Acme (Leeds) — hosting".
pub(in super::super) fn begins_with_plain_name(cell: &Cell) -> bool {
    let flat = cell.raw().replace('\n', " ");
    let dash = [" — ", " – ", " - "].iter().filter_map(|sign| outside(&flat, sign)).min();
    let is_name = |name: &str| name.trim().starts_with(|c: char| !c.is_lowercase()) && is_name_like(name);
    dash.is_some_and(|at| is_name(&flat[..at])) && keyed(cell).is_none()
}

/// Where the bold or linked text ends with which an item begins.
fn lead(cell: &Cell) -> Option<usize> {
    let mut end = 0;
    let mut style: Option<(bool, bool)> = None;
    for run in &cell.runs {
        let this = (run.strong, run.link.is_some());
        let blank = run.text.trim().is_empty();
        match style {
            None if blank => {}
            None if this == (false, false) => return None,
            None => style = Some(this),
            // A bold name with a link in it goes on as long as it is bold.
            Some((strong, link)) if blank || (strong && this.0) || (!strong && link && this.1) => {}
            Some(_) => break,
        }
        end += run.text.len();
    }
    style.map(|_| end)
}

/// Puts what stands in brackets behind a name, and before what is said of it, with the name: "AWS (Amazon Web
/// Services) – hosting".
fn join_brackets(name: Cell, rest: Cell, separator: Option<&str>) -> (Cell, Cell) {
    let raw = rest.raw();
    let trimmed = raw.trim_start();
    let skipped = raw.len() - trimmed.len();
    if !trimmed.starts_with('(') {
        return (name, strip_separator(&rest));
    }
    let Some(close) = trimmed.find(')') else { return (name, strip_separator(&rest)) };
    let tail = trimmed[close + 1..].trim_start();
    if tail.trim_matches(['.', ' ']).is_empty() {
        // Brackets alone: whether they hold an alias, a place or a purpose is seen later.
        let mut joined = name;
        joined.runs.extend(before(&rest, skipped + close + 1).runs);
        return (joined, Cell::default());
    }
    let goes_on = tail.starts_with(['-', '–', '—', ':', '|', '.', ',']) && tail.trim_matches(['.', ' ']).len() > 1;
    let end = skipped + close + 1;
    let inside = before(&after(&rest, skipped + 1), close - 1);
    if goes_on && is_said(&inside.text()) {
        // Not another name, but the first of what is said: "Acme (payments): see its terms".
        let mut said = inside;
        append(&mut said, strip_separator(&after(&rest, end)));
        return (name, said);
    }
    if goes_on || separator.is_some_and(|separator| tail.starts_with(separator.trim())) {
        let mut joined = name;
        joined.runs.extend(before(&rest, end).runs);
        return (joined, strip_separator(&after(&rest, end)));
    }
    (name, strip_separator(&rest))
}

/// What is said of a name, without the sign that separates it.
fn strip_separator(cell: &Cell) -> Cell {
    let raw = cell.raw();
    let rest = raw.trim_start_matches(|c: char| {
        c.is_whitespace() || matches!(c, '.' | ':' | ',' | ';' | '-' | '–' | '—' | '|' | '→')
    });
    after(cell, raw.len() - rest.len())
}

/// Whether words in brackets are what is said of a name: a name has capitals, what a company does is written small.
pub(super) fn is_said(words: &str) -> bool {
    let alias = ["aka", "a.k.a", "formerly", "d/b/a", "dba", "now ", "previously", "part of", "owned by"];
    words.chars().next().is_some_and(char::is_lowercase)
        && !alias.iter().any(|word| words.starts_with(word))
        && !super::super::find::is_coined(words)
}

/// A sentence's end behind a name: ". " that ends no abbreviation.
fn sentence_end(text: &str) -> Option<(usize, usize)> {
    let is_end = |at: &usize| text[at + 2..].trim_start().starts_with(|c: char| !c.is_lowercase());
    text.match_indices(". ")
        .map(|(at, _)| at)
        .filter(is_end)
        .find(|at| {
            !ABBREVIATIONS.iter().any(|word| {
                let rest = at.checked_sub(word.len()).filter(|start| text.is_char_boundary(*start));
                rest.is_some_and(|start| {
                    text[start..*at].eq_ignore_ascii_case(word)
                        && (start == 0 || text[..start].ends_with([' ', ',', '(', '.']))
                })
            })
        })
        .map(|at| (at, 2))
}

/// Where a separator stands that is not inside brackets.
fn outside(text: &str, separator: &str) -> Option<usize> {
    let is_open = |at: &usize| {
        let before = &text[..*at];
        let within = |open: char, close: char| {
            before.matches(open).count() > before.matches(close).count() && text[*at..].contains(close)
        };
        within('(', ')') || within('[', ']')
    };
    text.match_indices(separator).map(|(at, _)| at).take(SEPARATED).find(|at| !is_open(at))
}

/// A comma behind a name, unless a legal form follows.
pub(super) fn comma(text: &str) -> Option<(usize, usize)> {
    let at = outside(text, ", ")?;
    let next = text[at + 2..].split([' ', ',']).next().unwrap_or_default().trim_end_matches('.').to_lowercase();
    let form =
        ["inc", "llc", "ltd", "limited", "corp", "gmbh", "pbc", "co", "plc", "lp", "llp", "sa", "ag", "bv", "nv"];
    if !form.contains(&next.as_str()) {
        return Some((at, 2));
    }
    let again = at + 2 + text[at + 2..].find(", ")?;
    Some((again, 2))
}
