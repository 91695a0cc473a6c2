//! Instruments of transfers in cells of places: "EU-US DPF", "EU standard contractual clauses", "UK addendum" name the
//! regions whose law they are of, and no place where data is.

use super::super::text;

/// Words for instruments.
const INSTRUMENTS: [&str; 18] = [
    "dpf",
    "scc",
    "sccs",
    "cct",
    "ccts",
    "idta",
    "bcr",
    "bcrs",
    "dpa",
    "avv",
    "addendum",
    "framework",
    "shield",
    "clauses",
    "adequacy",
    "angemessenheitsbeschluss",
    "adequation",
    "extension",
];

/// Parts of longer words for them.
const PARTS: [&str; 4] = ["klausel", "clausul", "contractbepaling", "angemessenheit"];

/// Whose instruments there are.
const ISSUERS: [&str; 10] = ["eu", "ue", "uk", "eea", "ewr", "gdpr", "dsgvo", "swiss", "schweizer", "european"];

/// Words between an issuer and the instrument, and those that say how it is relied on.
const BETWEEN: [&str; 9] =
    ["standard", "contractual", "model", "data", "privacy", "protection", "transfer", "transfers", "international"];
const BEHIND: [&str; 9] = [
    "certified",
    "certification",
    "zertifiziert",
    "gecertificeerd",
    "certifie",
    "certificado",
    "decision",
    "participant",
    "selfcertified",
];

/// The words of a text without instruments.
pub(super) fn without<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let words: Vec<Vec<String>> = tokens.iter().map(|token| text::words(token)).collect();
    let mut drop = vec![false; tokens.len()];
    for at in 0..tokens.len() {
        if !words.get(at).is_some_and(|words| words.iter().any(|word| is_instrument(word))) {
            continue;
        }
        let before = (0..at).rev().take_while(|i| words.get(*i).is_some_and(|words| leads(words)));
        let behind = (at + 1..tokens.len()).take_while(|i| words.get(*i).is_some_and(|words| follows(words)));
        let all: Vec<usize> = before.chain(behind).chain([at]).collect();
        for index in all {
            if let Some(drop) = drop.get_mut(index) {
                *drop = true;
            }
        }
    }
    tokens.iter().zip(drop).filter(|(_, drop)| !drop).map(|(token, _)| *token).collect()
}

fn is_instrument(word: &str) -> bool {
    INSTRUMENTS.contains(&word) || PARTS.iter().any(|part| word.contains(part))
}

/// Whether a token belongs to the instrument behind it: whose it is ("EU", "EU-U.S."), or a word of its name. A country
/// alone is where data is: "USA SCCs".
fn leads(words: &[String]) -> bool {
    let issued = words.first().is_some_and(|first| ISSUERS.contains(&first.as_str()));
    issued || (!words.is_empty() && words.iter().all(|word| BETWEEN.contains(&word.as_str())))
}

/// Whether a token goes on with the instrument before it: "certified", "UE-États-Unis".
fn follows(words: &[String]) -> bool {
    let pair = words.len() > 1 && words.first().is_some_and(|first| ISSUERS.contains(&first.as_str()));
    pair || (!words.is_empty() && words.iter().all(|word| BEHIND.contains(&word.as_str())))
}
