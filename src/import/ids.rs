//! Ids for what a page names: each given once.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::text;

/// The longest beginning of an id that has room for a number behind it.
const STEM: usize = 58;

/// The id that a name comes to; for one without letters of ours, a kind with a few digits that it always gives.
pub(super) fn of(name: &str, kind: &str) -> String {
    match text::slug(name) {
        slug if slug.is_empty() => {
            let digest = hex::encode(Sha256::digest(name.as_bytes()).get(..4).unwrap_or_default());
            format!("{kind}-{digest}")
        }
        slug => slug,
    }
}

/// The ids that are given.
#[derive(Debug, Default)]
pub(super) struct Ids {
    taken: BTreeSet<String>,
    /// The last number behind each beginning: what was tried is not tried again.
    numbers: HashMap<String, usize>,
}

impl Ids {
    pub(super) fn new(taken: BTreeSet<String>) -> Self {
        Self { taken, numbers: HashMap::new() }
    }

    pub(super) fn is_taken(&self, id: &str) -> bool {
        self.taken.contains(id)
    }

    /// Gives an id, or the next one with a number behind it that nobody has.
    pub(super) fn give(&mut self, wanted: &str) -> String {
        let mut id = wanted.to_owned();
        if self.is_taken(wanted) {
            let end = wanted.char_indices().nth(STEM).map_or(wanted.len(), |(at, _)| at);
            let stem = wanted[..end].trim_end_matches('-');
            let number = self.numbers.entry(stem.to_owned()).or_insert(1);
            while self.taken.contains(&id) {
                *number += 1;
                id = format!("{stem}-{number}");
            }
        }
        self.taken.insert(id.clone());
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_the_id_of_another() {
        let mut ids = Ids::new(BTreeSet::from(["pro".to_owned(), "pro-3".to_owned()]));
        assert_eq!(["pro", "pro", "lite", "pro-2"].map(|id| ids.give(id)), ["pro-2", "pro-4", "lite", "pro-2-2"]);
        let long = "x".repeat(63);
        let given = [long.as_str(); 3].map(|id| ids.give(id));
        assert!(given.iter().all(|id| id.len() <= 63) && given[1] != given[2], "{given:?}");
    }
}
