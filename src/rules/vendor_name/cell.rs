//! Cells that hold several names: "AWS, Azure and GCP".

use super::{
    combine::Verdict,
    index::Index,
    normalize::{Reading, clean, fold},
    pieces::{segments, split_outside},
};

/// How sure each name must be where a word could join two names or be part of one.
const SURE: f64 = 0.9;

/// The vendors that a name may mean, and the part of a cell that the name is, if there are several.
pub(super) type Read = (Option<String>, Vec<Verdict>);

impl Index {
    /// The names of a cell with the vendors they may mean.
    pub(super) fn read_cell(&self, cell: &str) -> Vec<Read> {
        let cell = clean(cell);
        let parts = lines(&cell);
        match parts.as_slice() {
            [] => Vec::new(),
            [one] => self.read_line(one),
            _ if self.is_known(&cell) => self.read_line(&cell),
            _ => {
                let read = parts.into_iter().flat_map(|part| {
                    let read = self.read_line(part);
                    read.into_iter().map(move |(inner, verdicts)| (inner.or_else(|| Some(part.to_owned())), verdicts))
                });
                read.collect()
            }
        }
    }

    /// The names of a line that no sign separates which could not be in a name.
    fn read_line(&self, line: &str) -> Vec<Read> {
        if !self.is_known(line) {
            if let Some(list) = listed(line) {
                let read = self.read_line(list);
                if read.len() > 1 {
                    return read;
                }
            }
            let by_word: Vec<&str> = split_outside(line, |rest| joint(line, rest)).into_iter().map(str::trim).collect();
            let by_comma: Vec<&str> = by_word.iter().flat_map(|part| segments(part)).map(str::trim).collect();
            if by_comma.len() > 1 {
                let read: Vec<(&str, Vec<Verdict>)> =
                    by_comma.iter().filter(|part| !part.is_empty()).map(|part| (*part, self.read(part))).collect();
                let is_list = match by_comma.len() == by_word.len() {
                    true => are_names(&read),
                    false => self.are_apart(&read),
                };
                if is_list {
                    return read.into_iter().map(|(part, verdicts)| (Some(part.to_owned()), verdicts)).collect();
                }
            }
        }
        vec![(None, self.read(line))]
    }

    /// Whether a text is somebody's name as it stands.
    fn is_known(&self, text: &str) -> bool {
        self.exactly(&Reading::of(text)).best() >= 0.95
    }

    /// Whether there are vendors among the parts that have nothing to do with each other: a comma before an owner or a
    /// product does not make a list.
    fn are_apart(&self, read: &[(&str, Vec<Verdict>)]) -> bool {
        let vendors: Vec<u32> = read
            .iter()
            .filter_map(|(_, verdicts)| verdicts.first())
            .filter(|verdict| verdict.found.score >= SURE)
            .map(|verdict| verdict.found.vendor)
            .collect();
        vendors
            .iter()
            .enumerate()
            .any(|(i, a)| vendors.iter().skip(i + 1).any(|b| a != b && !self.owns(*a, *b) && !self.owns(*b, *a)))
    }
}

/// Whether each part is a vendor's name, and no two are the same: "Bird & Bird" is one name.
fn are_names(read: &[(&str, Vec<Verdict>)]) -> bool {
    let sure = |(_, verdicts): &(&str, Vec<Verdict>)| verdicts.first().is_some_and(|v| v.found.score >= SURE);
    let mut texts: Vec<String> = read.iter().map(|(part, _)| Reading::of(part).compact).collect();
    texts.sort_unstable();
    let count = texts.len();
    texts.dedup();
    read.iter().all(sure) && texts.len() == count
}

/// The parts of a cell between signs that are in no name.
fn lines(cell: &str) -> Vec<&str> {
    let signs = ["\n", ";", "|", "•", " / ", " // ", " + "];
    let parts = split_outside(cell, |rest| signs.iter().find(|sign| rest.starts_with(**sign)).map(|sign| sign.len()));
    parts
        .into_iter()
        .map(|part| part.trim().trim_end_matches(',').trim())
        .filter(|part| !fold(part).is_empty())
        .collect()
}

/// What stands in brackets behind words that name nobody: "LLM providers (OpenAI, Anthropic)". Examples are no list.
fn listed(line: &str) -> Option<&str> {
    const EXAMPLES: [&str; 5] = ["eg", "such", "like", "for", "zb"];
    let (kind, rest) = line.split_once('(')?;
    let list = rest.trim_end().strip_suffix(')').filter(|list| !list.contains('('))?;
    let kind = Reading::of(kind);
    let is_example = fold(list).first().is_some_and(|word| EXAMPLES.contains(&word.as_str()));
    (!kind.is_empty() && kind.is_general() && !is_example).then_some(list)
}

/// The length of a word or sign that joins two names, if the rest of a line begins with one; but it can be part of a
/// name as well.
fn joint(line: &str, rest: &str) -> Option<usize> {
    const JOINTS: [&str; 9] = [", and ", " and ", " & ", ", or ", " or ", " und ", " oder ", " et ", " as well as "];
    if let Some(joint) = JOINTS.iter().find(|joint| starts_with_ignoring_case(rest, joint)) {
        let next = rest.get(joint.len()..).and_then(|after| after.split([' ', ',', '.']).next()).unwrap_or_default();
        // GmbH & Co. KG, and its affiliates.
        let goes_on = ["co", "cie", "kg", "company", "sons", "its", "their", "other"];
        return (!goes_on.contains(&next.to_lowercase().as_str())).then_some(joint.len());
    }
    // Not in d/b/a, A/S and addresses of pages.
    let after = rest.strip_prefix('/')?;
    let before = line.get(..line.len() - rest.len())?;
    let letters = |text: &mut dyn Iterator<Item = char>| text.take(2).filter(|c| c.is_alphanumeric()).count();
    let words = letters(&mut before.chars().rev()) == 2 && letters(&mut after.chars()) == 2;
    (words && !line.contains("://")).then_some(1)
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}
