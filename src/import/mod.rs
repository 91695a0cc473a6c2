//! Published lists of sub-processors as manifests: Markdown, HTML, CSV, YAML and JSON, as companies really write them.
//!
//! Three steps, each a value that can be looked at: bytes become a page (`decode`, then a reader for each format, all
//! into one model, `page`); the page becomes drafts (`find` says which tables and lists are the list, `columns` and
//! `places` read them, `draft` keeps each cell's words); drafts become a manifest (`vendors`, `assemble`), for which a
//! caller brings what the registry knows. Every step reports what it left out or did not understand.
//!
//! Pure: files, network and clock are the caller's. No reader trusts its input: each is bounded in depth, in size and in
//! what a few bytes can be made to stand for.

mod assemble;
mod columns;
mod csv;
mod data;
mod dates;
mod decode;
mod dom;
mod draft;
mod find;
mod footnotes;
mod html;
mod ids;
mod items;
mod markdown;
mod page;
mod places;
mod published;
mod report;
mod text;
mod title;
mod vendors;

use std::{collections::HashSet, fmt};

use sha2::{Digest, Sha256};

use crate::rules::{publication::Publisher, vendor_name::Index};
pub use assemble::{Imported, Known};
pub use columns::{Column, Field};
pub use find::{PartKind, Skipped};
pub use report::{Outcome, Report};
pub use vendors::Matches;

/// The longest file that is read.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The rows that are read at all: what a manifest can hold.
const MAX_ROWS: usize = 5_000;

/// Formats of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Markdown, with front matter, HTML, or components of MDX in it.
    Markdown,
    /// HTML.
    Html,
    /// Values separated by commas, semicolons, tabs or bars.
    Csv,
    /// YAML or JSON.
    Yaml,
}

impl Format {
    /// The format of a file by its name.
    pub fn of_name(name: &str) -> Option<Self> {
        let ending = name.rsplit('.').next()?.to_ascii_lowercase();
        match ending.as_str() {
            "md" | "mdx" | "markdown" | "mkd" | "mdown" | "qmd" | "rmd" => Some(Self::Markdown),
            "html" | "htm" | "xhtml" | "shtml" => Some(Self::Html),
            "csv" | "tsv" | "tab" | "psv" => Some(Self::Csv),
            "yaml" | "yml" | "json" => Some(Self::Yaml),
            _ => None,
        }
    }

    /// The format of a text by what it looks like.
    fn of_text(text: &str) -> Self {
        let start = text.trim_start_matches(['\u{feff}', ' ', '\n', '\t']);
        let lower = start.get(..start.len().min(512)).unwrap_or(start).to_ascii_lowercase();
        let has_table = start.lines().take(2_000).any(|line| {
            let line = line.trim();
            line.contains('-') && line.contains('|') && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
        });
        if ["<!doctype", "<html", "<head", "<body", "<table", "<div", "<main", "<?xml"]
            .iter()
            .any(|s| lower.starts_with(s))
        {
            Self::Html
        } else if has_table
            || start.starts_with("# ")
            || start.contains("\n# ")
            || start.contains("\n## ")
            || start.contains("](http")
        {
            Self::Markdown
        } else if start.starts_with(['{', '['])
            || start.starts_with("- ") && start.contains("\n  ") && start.contains(": ")
        {
            Self::Yaml
        } else if ["\n- ", "\n* ", "- ", "* "]
            .iter()
            .any(|mark| start.starts_with(mark.trim_start()) || start.contains(mark))
        {
            Self::Markdown
        } else if start.lines().next().is_some_and(|line| [',', ';', '\t'].iter().any(|c| line.contains(*c))) {
            Self::Csv
        } else {
            Self::Markdown
        }
    }

    /// Its name in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Markdown => "Markdown",
            Self::Html => "HTML",
            Self::Csv => "CSV",
            Self::Yaml => "YAML or JSON",
        }
    }
}

/// How a file is read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Its name, for the report and its ending.
    pub file: String,
    /// Its format; none: by its name, then by what it looks like.
    pub format: Option<Format>,
    /// Columns that the caller maps, by their headings.
    pub map: Vec<(String, Field)>,
    /// Lines whose tables and lists are taken, whatever speaks against them; none: by evidence.
    pub at: Vec<u32>,
}

/// Why a file is not imported. Nothing was made of it.
#[derive(Debug)]
pub struct Refusal {
    /// In words.
    pub message: String,
    /// What was seen of the file before.
    pub report: Option<Box<Report>>,
    /// Whether the caller asked for what cannot be, rather than the file.
    pub is_usage: bool,
}

impl Refusal {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), report: None, is_usage: false }
    }

    fn with(message: impl Into<String>, report: Report) -> Self {
        Self { message: message.into(), report: Some(Box::new(report)), is_usage: false }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// A list that was read, before its vendors are known.
#[derive(Debug)]
pub struct List {
    drafts: Vec<draft::Draft>,
    report: Report,
    /// Whose list its title or a heading says it is.
    organization: Option<String>,
    /// Whose list it says it is, where it says so as data.
    publisher: Option<Publisher>,
}

/// Reads a file. `known`: vendors whose names tell a list of companies from another one.
///
/// # Errors
/// Why it is no list, or cannot be read.
pub fn read(bytes: &[u8], options: &Options, known: &Index) -> Result<List, Refusal> {
    if bytes.len() > MAX_BYTES {
        return Err(Refusal::new(format!("the file has {} bytes; at most {MAX_BYTES} are read", bytes.len())));
    }
    let decoded = decode::decode(bytes)?;
    let format =
        options.format.or_else(|| Format::of_name(&options.file)).unwrap_or_else(|| Format::of_text(&decoded.text));
    let mut report = Report {
        file: options.file.clone(),
        format: format.word(),
        encoding: decoded.encoding,
        bytes: bytes.len(),
        sha256: hex::encode(Sha256::digest(bytes)),
        ..Report::default()
    };
    for (line, text) in decoded.notes {
        report.note(line, text);
    }
    if format == Format::Yaml
        && let Some(list) = published::read(&decoded.text, &mut report)
    {
        return list.map_err(|refusal| Refusal { report: Some(Box::new(report)), ..refusal });
    }
    let mut page = match format {
        Format::Markdown => markdown::read(&decoded.text),
        Format::Html => html::read(&decoded.text),
        Format::Csv => csv::read(&decoded.text),
        Format::Yaml => data::read(&decoded.text),
    }
    .map_err(|refusal| Refusal { report: Some(Box::new(report.clone())), ..refusal })?;
    for (line, text) in std::mem::take(&mut page.notes) {
        report.note(line, text);
    }
    if let Some(dated) = dates::stated(&page) {
        report.stated_date = dated.date;
        report.stated_date_text = Some(dated.words);
    }
    report.title = page.title.clone().or_else(|| first_heading(&page));
    page.title.clone_from(&report.title);
    let is_told = !options.map.is_empty() || !options.at.is_empty();
    if !is_told && let Some(list) = published::table(&page, &mut report) {
        return list.map_err(|refusal| Refusal { report: Some(Box::new(report)), ..refusal });
    }
    draft(page, options, known, format, report)
}

fn first_heading(page: &page::Page) -> Option<String> {
    page.blocks.iter().find_map(|block| match block {
        page::Block::Heading { text, .. } => Some(text.clone()),
        _ => None,
    })
}

fn draft(
    page: page::Page,
    options: &Options,
    known: &Index,
    format: Format,
    mut report: Report,
) -> Result<List, Refusal> {
    let places = places::Places::builtin();
    let organization = title::organization(&page);
    let mut footnotes = footnotes::Footnotes::of(&page);
    let is_data = matches!(format, Format::Csv | Format::Yaml);
    let search = find::Search { told: &options.map, at: &options.at, known, places, is_data };
    let found = find::find(page, search);
    report.skipped = found.skipped;
    if found.parts.is_empty() {
        let text = nothing_found(&report);
        return Err(Refusal::with(text, report));
    }
    footnotes.add_starred(found.starred);
    for part in &found.parts {
        report.parts.push(report::PartReport {
            kind: part.kind,
            line: part.line,
            section: part.section.clone(),
            rows: part.rows.len(),
            reason: part.reason.clone(),
            place: part.place.as_ref().map(|place| place.words.clone()),
            columns: part.columns.clone(),
        });
    }
    let rows: usize = found.parts.iter().map(|part| part.count).sum();
    if rows > MAX_ROWS {
        let text = format!("the list has {rows} rows; a manifest holds at most {MAX_ROWS} entries");
        return Err(Refusal::with(text, report));
    }
    told_columns_exist(options, &report)?;
    let mut drafter = draft::Drafter::new(places, &footnotes, &mut report);
    let drafts: Vec<draft::Draft> = found.parts.iter().flat_map(|part| drafter.part(part)).collect();
    if drafts.is_empty() {
        return Err(Refusal::with("no list of subprocessors was found: no row could be read", report));
    }
    Ok(List { drafts, report, organization, publisher: None })
}

/// That there is no list, with what there is instead.
fn nothing_found(report: &Report) -> String {
    let mut text = "no list of subprocessors was found".to_owned();
    match report.skipped.len() {
        0 => text.push_str(": there is no table and no list in the file"),
        _ => {
            for skipped in report.skipped.iter().take(10) {
                let what = match skipped.kind {
                    PartKind::Table => "table",
                    PartKind::List => "list",
                };
                text.push_str(&format!("\nline {}: a {what} of {}: {}", skipped.line, skipped.rows, skipped.reason));
            }
            if report.skipped.len() > 10 {
                text.push_str(&format!("\n… and {} more", report.skipped.len() - 10));
            }
            text.push_str("\n--at LINE takes the table or list at a line all the same");
        }
    }
    text
}

/// Refuses a mapping of a column that is nowhere.
fn told_columns_exist(options: &Options, report: &Report) -> Result<(), Refusal> {
    if options.map.is_empty() {
        return Ok(());
    }
    let mut there: Vec<String> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for part in &report.parts {
        let labels = part.columns.iter().enumerate().map(|(index, column)| column.label(index));
        there.extend(labels.filter(|label| seen.insert(label.clone())));
    }
    let missing: Vec<&str> = options
        .map
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !there.iter().any(|label| columns::same_heading(label, name)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!("--map: there is no column \"{}\"; there are: {}", missing.join("\", \""), there.join(", "));
    Err(Refusal { is_usage: true, ..Refusal::with(text, report.clone()) })
}

impl List {
    /// The names to look up, each once.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .drafts
            .iter()
            .flat_map(|draft| std::iter::once(&draft.bare).chain(&draft.by_lines))
            .flat_map(|name| vendors::wanted(name))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// What was read so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Makes the manifest.
    ///
    /// # Errors
    /// If it would be larger than manifests can be, or break a rule of the registry.
    pub fn assemble(self, known: &Known) -> Result<Imported, Refusal> {
        assemble::assemble(self, known)
    }
}
