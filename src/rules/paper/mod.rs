//! Papers: what the law asks for in writing, drawn from what a registry holds.
//!
//! A paper is built in two steps, both pure. A builder ([`annex`], [`record`], [`notice`]) turns what was read
//! ([`Material`]) into a [`Paper`]: sections with paragraphs and records, whatever the format. Then [`format`] writes it
//! down. So all formats say the same, and what is escaped how is decided in one place each.
//!
//! What is not known stays empty here, and is said as "not stated" (in JSON: null). Nothing is taken from elsewhere to
//! fill a gap.

pub mod annex;
pub mod format;
pub mod material;
pub mod notice;
pub mod record;
pub mod words;

pub use material::{Engagement, Judged, Material};

use crate::proto::v1::{Document, claim::Kind as ClaimKind, render_paper_request::Kind};

/// What is said of what is not known.
pub const NOT_STATED: &str = "not stated";

/// A paper, before it is written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Paper {
    /// Which paper.
    pub kind: Kind,
    /// Its heading.
    pub title: String,
    /// The act that asks for it.
    pub basis: String,
    /// The name of the organization, and what people call it.
    pub organization: (String, String),
    /// The one customer it is for, likewise.
    pub customer: Option<(String, String)>,
    /// The day it is made for, ISO 8601.
    pub date: String,
    /// The revision it is made from.
    pub revision: i64,
    /// What it says.
    pub sections: Vec<Section>,
    /// What a reader must know to rely on it.
    pub notes: Vec<String>,
}

/// A part of a paper.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// What programs know it by.
    pub key: &'static str,
    /// Its heading.
    pub heading: String,
    /// What it says in sentences.
    pub paragraphs: Vec<String>,
    /// What it lists.
    pub records: Option<Records>,
}

/// Things of one kind, each with the same columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// What is said of each.
    pub columns: &'static [Column],
    /// How they are laid out for people.
    pub layout: Layout,
    /// One for each, with a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// One thing that is said of each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// What programs know it by. Published: never renamed.
    pub key: &'static str,
    /// What people read. Empty: it is for programs only.
    pub heading: &'static str,
    /// Whether there can be several.
    pub many: bool,
    /// Whether people are only told if there is something: nobody misses it.
    pub if_any: bool,
}

impl Column {
    /// The same, of which people are only told if there is something.
    const fn if_any(self) -> Self {
        Self { if_any: true, ..self }
    }
}

/// How records are laid out for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One after the other, each under its first cell, as the annexes of the clauses have them.
    Entries,
    /// In a table.
    Table,
}

/// What is said: nothing where it is not known, several where there can be several.
pub type Cell = Vec<String>;

/// A column with at most one value.
const fn one(key: &'static str, heading: &'static str) -> Column {
    Column { key, heading, many: false, if_any: false }
}

/// A column with any number of values.
const fn many(key: &'static str, heading: &'static str) -> Column {
    Column { key, heading, many: true, if_any: false }
}

/// A cell with a text, if there is one.
fn cell(text: impl Into<String>) -> Cell {
    let text = text.into();
    if text.is_empty() { Vec::new() } else { vec![text] }
}

impl Paper {
    /// The word for its kind, as files, JSON and CSV have it: `SCC_ANNEX_III`.
    pub fn word(&self) -> &'static str {
        self.kind.as_str_name().trim_start_matches("KIND_")
    }
}

/// What the organization's documents say of what transfers rest on, if they say anything.
fn statements(material: &Material) -> Option<Section> {
    const COLUMNS: &[Column] = &[
        one("statement", "Statement, in the words of the document"),
        one("document", "Document"),
        one("line", "Line").if_any(),
        one("resource", "In the registry"),
    ];
    let rows = quotations(material, ClaimKind::TransferMechanism);
    let text = "What documents claim proves neither participation in a framework nor signed clauses; it is no part of the assessment above.";
    (!rows.is_empty()).then(|| Section {
        key: "statements",
        heading: "What documents say of transfers".to_owned(),
        paragraphs: vec![text.to_owned()],
        records: Some(Records { columns: COLUMNS, layout: Layout::Table, rows }),
    })
}

/// The claims of one kind in the documents of the day: the words, the document, the line.
fn quotations(material: &Material, kind: ClaimKind) -> Vec<Vec<Cell>> {
    let current = material.documents.values().filter(|document| is_current(document, &material.date));
    let claims = current.flat_map(|document| document.claims.iter().map(move |claim| (document, claim)));
    let rows = claims.filter(|(_, claim)| claim.kind() == kind).map(|(document, claim)| {
        let line = if claim.line > 0 { claim.line.to_string() } else { String::new() };
        vec![cell(&claim.quote), cell(titled(document)), cell(line), cell(&document.name)]
    });
    // One sentence can make several claims.
    let mut rows: Vec<_> = rows.collect();
    rows.dedup();
    rows
}

/// A document by its title and its date.
fn titled(document: &Document) -> String {
    match document.stated_date.as_str() {
        "" => format!("{} (undated)", document.title),
        date => format!("{}, {date}", document.title),
    }
}

/// Whether a document applied on a day, as far as its dates say.
fn is_current(document: &Document, day: &str) -> bool {
    let from = if document.effective_date.is_empty() { &document.stated_date } else { &document.effective_date };
    from.as_str() <= day && (document.end_date.is_empty() || day < document.end_date.as_str())
}

/// The paper that is asked for; none for no kind.
pub fn build(material: &Material) -> Option<Paper> {
    Some(match material.kind {
        Kind::SccAnnexIii | Kind::DpaAnnexIv => annex::build(material),
        Kind::ProcessingRecord => record::build(material),
        Kind::PrivacyNoticeRecipients => notice::build(material),
        Kind::Unspecified => return None,
    })
}

/// A paper with nothing in it yet but what every paper states.
fn begin(material: &Material, title: &str, basis: &str) -> Paper {
    let organization = &material.organization;
    let customer = material.customer.as_ref().map(|one| (one.name.clone(), one.display_name.clone()));
    Paper {
        kind: material.kind,
        title: title.to_owned(),
        basis: basis.to_owned(),
        organization: (organization.name.clone(), organization.display_name.clone()),
        customer,
        date: material.date.clone(),
        revision: material.revision,
        sections: Vec::new(),
        notes: notes(material),
    }
}

/// What holds of every paper.
fn notes(material: &Material) -> Vec<String> {
    let Material { organization, customer, date, revision, .. } = material;
    let mut notes = vec![format!(
        "Drawn from the sub-processor registry as of revision {revision}, for {date}. “{NOT_STATED}” means that the \
         registry holds nothing on the point; it does not mean that there is nothing."
    )];
    if let Some(customer) = customer {
        let products = match customer.products.as_slice() {
            [] => "No products are recorded for it, so everything on the list is taken to reach it.".to_owned(),
            products => format!("It uses: {}.", words::products(organization, products).join(", ")),
        };
        notes.push(format!("Limited to what reaches {}. {products}", customer.display_name));
    }
    let somewhere = |one: &&Engagement| !one.subprocessor.locations.is_empty();
    let (all, known) = (material.engagements.len(), material.engagements.iter().filter(somewhere).count());
    if known == 0 && all > 0 {
        notes.push(
            "Where those on the list process is not stated. Transfers that follow from it are not known here."
                .to_owned(),
        );
    } else if known < all {
        notes.push(format!(
            "Where {} of the {all} on the list process is not stated. Transfers that follow from it are not known here.",
            all - known
        ));
    }
    let assumed: Vec<&str> = organization.assumed_regimes().map(words::regime).collect();
    if organization.regimes.is_empty() && assumed.is_empty() {
        notes.push(
            "Under which law the organization exports personal data is not stated. Transfers that nobody recorded are \
             therefore not inferred from where sub-processors process."
                .to_owned(),
        );
    }
    if !assumed.is_empty() {
        let regimes = words::list(&assumed);
        notes.push(format!("That {regimes} applies is assumed; no source in the registry says so."));
    }
    notes
}
