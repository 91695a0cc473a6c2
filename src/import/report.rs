//! What an import did, for people and for programs: nothing of a page is left out in silence.

mod human;

use std::collections::HashSet;

use serde::Serialize;

use super::{
    columns::Column,
    find::{PartKind, Skipped},
};

/// What was read, how, and what was made of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The file's name.
    pub file: String,
    /// Its format.
    pub format: &'static str,
    /// Its encoding.
    pub encoding: String,
    /// Its bytes.
    pub bytes: usize,
    /// Their SHA-256.
    pub sha256: String,
    /// The title of the page.
    pub title: Option<String>,
    /// The date that the page gives itself, ISO 8601.
    pub stated_date: Option<String>,
    /// That date as the page words it.
    pub stated_date_text: Option<String>,
    /// The tables and lists that are the list.
    pub parts: Vec<PartReport>,
    /// Those that are not.
    pub skipped: Vec<Skipped>,
    /// Rows and items of the parts.
    pub rows_in: usize,
    /// Subprocessors in the manifest.
    pub rows_out: usize,
    /// Rows that say the same as another one.
    pub merged: Vec<Merged>,
    /// Rows that could not be taken.
    pub refused: Vec<RowNote>,
    /// Cells left out because the caller said so.
    pub ignored_cells: usize,
    /// Where vendors were looked up.
    pub vendors_from: String,
    /// What became of the names.
    pub vendors: Vec<VendorNote>,
    /// Texts that were kept but not, or not wholly, understood.
    pub not_understood: Vec<NotUnderstood>,
    /// What else a reader should know.
    pub notes: Vec<Note>,
    /// What was noted already.
    #[serde(skip)]
    pub(super) noted: HashSet<Note>,
}

/// A table or list that is part of the list.
#[derive(Debug, Clone, Serialize)]
pub struct PartReport {
    /// What it is.
    pub kind: PartKind,
    /// Its line.
    pub line: u32,
    /// The heading above it.
    pub section: Option<String>,
    /// Its rows or items.
    pub rows: usize,
    /// Why it was taken.
    pub reason: String,
    /// The place that the text above states for all of it.
    pub place: Option<String>,
    /// What its columns were taken for.
    pub columns: Vec<Column>,
}

/// Two rows that became one.
#[derive(Debug, Clone, Serialize)]
pub struct Merged {
    /// The line of the row that was merged.
    pub line: u32,
    /// The line of the row that it was merged into.
    pub into_line: u32,
    /// Their name.
    pub name: String,
}

/// Something about a row.
#[derive(Debug, Clone, Serialize)]
pub struct RowNote {
    /// Its line.
    pub line: u32,
    /// Its name, or its beginning.
    pub name: String,
    /// What.
    pub reason: String,
}

/// What became of a name.
#[derive(Debug, Clone, Serialize)]
pub struct VendorNote {
    /// The line of the row.
    pub line: u32,
    /// The name.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The vendor, `vendors/{vendor}`.
    pub vendor: Option<String>,
    /// How sure that is: 0 to 1.
    pub score: Option<f64>,
    /// Why, or what to look at.
    pub reason: String,
    /// Vendors that were found and not taken, with their scores.
    pub candidates: Vec<(String, f64)>,
}

/// What can become of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is a vendor's.
    Resolved,
    /// It is a vendor's, and another's nearly as well.
    Ambiguous,
    /// Nobody has it: a vendor is proposed.
    Proposed,
    /// It names a category, not a company.
    Category,
    /// The list does not say which company it is.
    Unstated,
}

/// A text that was kept but not, or not wholly, understood.
#[derive(Debug, Clone, Serialize)]
pub struct NotUnderstood {
    /// Its line.
    pub line: u32,
    /// The heading of its column.
    pub column: String,
    /// The whole cell.
    pub text: String,
    /// The words that say nothing to this program.
    pub words: Vec<String>,
}

/// Something to know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Note {
    /// The line; 0: of the file as a whole.
    pub line: u32,
    /// What.
    pub text: String,
}

impl Report {
    /// Adds a note.
    pub fn note(&mut self, line: u32, text: impl Into<String>) {
        let note = Note { line, text: text.into() };
        if self.noted.insert(note.clone()) {
            self.notes.push(note);
        }
    }

    /// How many names had an outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.vendors.iter().filter(|vendor| vendor.outcome == outcome).count()
    }
}
