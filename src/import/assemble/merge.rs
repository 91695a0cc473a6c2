//! Rows that say the same, made one.

use std::collections::{HashMap, HashSet};

use super::super::report::{Merged, Report};
use crate::{proto::v1::Subprocessor, resource::text::LONG, rules::engagement};

/// Sources of one row: rows that say the same can be many.
const MAX_SOURCES: usize = 100;

/// Elements that a list of words can have (as the registry takes them).
const MAX_ELEMENTS: usize = 1_000;
/// Entries that annotations can have (as the registry takes them).
pub(super) const MAX_ANNOTATIONS: usize = 64;

/// A row, with what it says already that others can say too.
struct Kept {
    line: u32,
    row: Subprocessor,
    elements: [HashSet<String>; 3],
    annotations: HashSet<(String, String)>,
}

/// Makes one row of those that the registry takes for the same engagement: nothing that either says is lost.
pub(super) fn merge(rows: Vec<(u32, Subprocessor)>, report: &mut Report) -> Vec<(u32, Subprocessor)> {
    let mut kept: Vec<Kept> = Vec::with_capacity(rows.len());
    let mut by_identity: HashMap<engagement::Identity, Vec<usize>> = HashMap::new();
    for (line, row) in rows {
        let Some(identity) = engagement::identity(&row) else {
            kept.push(Kept::of(line, row));
            continue;
        };
        let like = by_identity.entry(identity).or_default();
        let same = like.iter().find(|at| kept.get(**at).is_some_and(|one| engagement::overlap(&one.row, &row)));
        match same.copied().and_then(|at| kept.get_mut(at)) {
            None => {
                like.push(kept.len());
                kept.push(Kept::of(line, row));
            }
            Some(into) => {
                report.merged.push(Merged { line, into_line: into.line, name: row.display_name.clone() });
                if !into.fold(row) {
                    report.note(
                        line,
                        "what it says beside the row it is merged into is too much for one: it is only on the page",
                    );
                }
            }
        }
    }
    kept.into_iter().map(|one| (one.line, one.row)).collect()
}

impl Kept {
    fn of(line: u32, row: Subprocessor) -> Self {
        Self { line, row, elements: Default::default(), annotations: HashSet::new() }
    }

    /// Adds to a row what another says beside it; returns whether all of it had room.
    fn fold(&mut self, row: Subprocessor) -> bool {
        let mut fits = true;
        let into = &mut self.row;
        let room = MAX_SOURCES.saturating_sub(into.sources.len());
        into.sources.extend(row.sources.into_iter().take(room));
        if into.website_uri.is_empty() {
            into.website_uri = row.website_uri;
        }
        let lists = [
            (&mut into.data_categories, row.data_categories),
            (&mut into.special_categories, row.special_categories),
            (&mut into.data_subject_categories, row.data_subject_categories),
        ];
        for ((list, more), said) in lists.into_iter().zip(&mut self.elements) {
            if said.is_empty() {
                said.extend(list.iter().cloned());
            }
            for item in more {
                if said.contains(&item) {
                    continue;
                }
                if list.len() >= MAX_ELEMENTS {
                    fits = false;
                    break;
                }
                said.insert(item.clone());
                list.push(item);
            }
        }
        if self.annotations.is_empty() {
            self.annotations.extend(into.annotations.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        for (key, value) in row.annotations {
            if !self.annotations.insert((key.clone(), value.clone())) {
                continue;
            }
            let count = into.annotations.len();
            match into.annotations.get_mut(&key) {
                None if count < MAX_ANNOTATIONS => drop(into.annotations.insert(key, value)),
                Some(there) if there.len() + value.len() < LONG => {
                    there.push('\n');
                    there.push_str(&value);
                }
                None | Some(_) => fits = false,
            }
        }
        fits
    }
}
