//! Manifests: an organization with all that belongs to it as one YAML or JSON file; and the catalog's files, which are
//! written the same way. Reading reports every error at once, each with its path in the file and its line.
//!
//! Driven by the contract's descriptors: a new field of a message is a new field of manifests, and nothing here
//! changes. The one list is [`Flavour::sections`].

mod apply;
mod export;
mod fields;
pub mod node;
mod read;
mod schema;
mod write;

use std::collections::{BTreeMap, HashSet};

pub use apply::apply;
pub use export::export;
pub use read::{read, read_one};
pub use schema::{ID_PATTERN, schema, schema_text};
pub use write::{Sections, write};

use crate::{
    error::{Error, Reason, clip},
    proto::v1,
    resource::name::Kind,
};

/// The longest text that is read: what a gRPC message holds.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How many resources a file may hold. One call cannot write even a fifth of them; they would all be built first.
pub const MAX_ENTRIES: usize = 5_000;

/// How many errors are reported. Beyond them they are only counted.
const MAX_PROBLEMS: usize = 1_000;

/// What a file is for, which decides what may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// An organization's manifest, written by an operator or exported.
    Operator,
    /// A file of the built-in catalog: `version`, vendors and instruments.
    Catalog,
}

impl Flavour {
    /// The kinds of resource that have a section, in the order in which they are written.
    pub const fn sections(self) -> &'static [Kind] {
        match self {
            Self::Operator => &[
                Kind::Organization,
                Kind::Document,
                Kind::Vendor,
                Kind::Certification,
                Kind::Subprocessor,
                Kind::Transfer,
                Kind::Customer,
            ],
            Self::Catalog => &[Kind::Vendor, Kind::Instrument],
        }
    }
}

/// The key of a section. There is one organization, and a list of everything else.
pub(crate) const fn section_key(kind: Kind) -> &'static str {
    match kind {
        Kind::Organization => kind.singular(),
        _ => kind.collection(),
    }
}

/// What a manifest holds.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    /// The catalog's version; only in its files.
    pub version: Option<String>,
    /// The organization; always there in an operator's manifest.
    pub organization: Option<Entry<v1::Organization>>,
    /// Its documents.
    pub documents: Vec<Entry<v1::Document>>,
    /// Vendors, which are shared by all organizations.
    pub vendors: Vec<Entry<v1::Vendor>>,
    /// Instruments; only in catalog files.
    pub instruments: Vec<Entry<v1::Instrument>>,
    /// The organization's subprocessors.
    pub subprocessors: Vec<Entry<v1::Subprocessor>>,
    /// Certifications of the organization, or of vendors, which are shared.
    pub certifications: Vec<Entry<v1::Certification>>,
    /// The organization's transfers.
    pub transfers: Vec<Entry<v1::Transfer>>,
    /// The organization's customers.
    pub customers: Vec<Entry<v1::Customer>>,
}

/// One resource of a manifest.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// The resource, with its full `name`.
    pub message: T,
    /// Where it stands.
    pub place: Place,
}

/// Where a resource stands in a manifest, so that what a rule says of a field can be said of a line.
#[derive(Debug, Clone)]
pub struct Place {
    path: String,
    line: u32,
    /// The line of every field of the message that the manifest gives, by its path in the message.
    lines: BTreeMap<String, u32>,
}

impl Place {
    /// The manifest's path for a field of the resource, and the line where it stands, or where the nearest thing
    /// around it stands that the manifest has.
    ///
    /// For the fourth subprocessor, `contacts[0].email` is `subprocessors[3].contacts[0].email`, and `name` is
    /// `subprocessors[3].id`.
    pub fn locate(&self, field: &str) -> (String, u32) {
        let field = if field == "name" { "id" } else { field };
        let path = match field {
            "" => self.path.clone(),
            _ => format!("{}.{field}", self.path),
        };
        let mut prefix = field;
        loop {
            if let Some(line) = self.lines.get(prefix) {
                return (path, *line);
            }
            match prefix.rfind(['.', '[']) {
                Some(end) => prefix = &prefix[..end],
                None => return (path, self.line),
            }
        }
    }

    /// What [`Error::fields`] takes, for a rule that a field of the resource breaks: the manifest's path, and the rule
    /// behind its line.
    pub fn violation(&self, field: &str, rule: &str) -> (String, String) {
        let (path, line) = self.locate(field);
        (path, at_line(line, rule))
    }
}

fn at_line(line: u32, rule: &str) -> String {
    format!("line {line}: {rule}")
}

/// What is wrong with a manifest, as far as it was found.
#[derive(Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
    /// Where there is one, also of those that are only counted.
    paths: HashSet<String>,
    total: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the manifest: `subprocessors[3].locations[0]`.
    pub path: String,
    /// On which line, counted from 1.
    pub line: u32,
    /// What is wrong.
    pub rule: String,
}

impl Problems {
    /// Adds one. `rule` is not asked for beyond the number that is reported.
    pub fn add(&mut self, path: &str, line: u32, rule: impl FnOnce() -> String) {
        self.total += 1;
        self.paths.insert(path.to_owned());
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(Problem { path: clip(path).into_owned(), line, rule: rule() });
        }
    }

    /// Whether something was found at a path already.
    pub fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// Whether not all of a section could be read, so that what is not found may stand there.
    fn hides(&self, section: &str) -> bool {
        let hides = |path: &String| match path.strip_prefix(section) {
            Some("") => true,
            Some(rest) => {
                let field = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(_, field)| field);
                matches!(field, Some("" | ".id" | ".parent"))
            }
            // A section that nobody knows may be this one, misspelt.
            None => !path.contains(['.', '[']),
        };
        self.paths.iter().any(hides)
    }

    /// Whether as many were found as are reported.
    pub fn is_full(&self) -> bool {
        self.total >= MAX_PROBLEMS
    }

    /// What was found first, in the order in which it was found.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// The one error that says it all, in the order of lines; none if nothing is wrong.
    pub fn into_error(mut self) -> Option<Error> {
        if self.list.is_empty() {
            return None;
        }
        self.list.sort_by_key(|problem| problem.line);
        let fields = self.list.into_iter().map(|p| (p.path, at_line(p.line, &p.rule))).collect();
        Some(Error::fields(Reason::ManifestInvalid, fields).with("errors", self.total))
    }
}

#[cfg(test)]
mod tests;
