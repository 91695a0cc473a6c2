//! Writing a paper down: Markdown, HTML, CSV, JSON. Each format has one place that makes any text harmless in it.

use askama::Template;
use serde_json::{Map, Value, json};

use super::{Cell, Column, Layout, NOT_STATED, Paper, Records, Section};
use crate::{
    error::{Error, Result},
    proto::v1::render_paper_request::Format,
};

/// A paper that is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its text.
    pub content: String,
    /// Its media type.
    pub media_type: &'static str,
    /// A name for its file.
    pub file_name: String,
}

/// Writes a paper down.
///
/// # Errors
/// None that a paper can bring about.
pub fn write(paper: &Paper, format: Format) -> Result<Written> {
    let (content, media_type, ending) = match format {
        Format::Markdown | Format::Unspecified => (markdown(paper), "text/markdown; charset=utf-8", "md"),
        Format::Html => (html(paper)?, "text/html; charset=utf-8", "html"),
        Format::Csv => (csv(paper)?, "text/csv; charset=utf-8; header=present", "csv"),
        Format::Json => (format!("{:#}\n", json(paper)), "application/json", "json"),
    };
    Ok(Written { content, media_type, file_name: file_name(paper, ending) })
}

/// Names consist of lowercase letters, digits and hyphens already.
fn file_name(paper: &Paper, ending: &str) -> String {
    let id = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let kind = paper.word().to_lowercase().replace('_', "-");
    let customer = paper.customer.as_ref().map(|(name, _)| format!("-{}", id(name))).unwrap_or_default();
    format!("{}-{kind}{customer}-{}.{ending}", id(&paper.organization.0), paper.date)
}

/// What every format states at the top.
fn facts(paper: &Paper) -> Vec<(&'static str, String)> {
    let (name, title) = &paper.organization;
    let mut facts = vec![("Organization", format!("{title} ({name})"))];
    if let Some((name, title)) = &paper.customer {
        facts.push(("Customer", format!("{title} ({name})")));
    }
    facts.push(("Day", paper.date.clone()));
    facts.push(("Revision of the registry", paper.revision.to_string()));
    facts.push(("Required by", paper.basis.clone()));
    facts
}

fn markdown(paper: &Paper) -> String {
    let mut lines = vec![format!("# {}", escaped(&paper.title)), String::new()];
    lines.extend(facts(paper).into_iter().map(|(label, value)| format!("- **{label}:** {}", escaped(&value))));
    for section in &paper.sections {
        lines.extend([String::new(), format!("## {}", escaped(&section.heading))]);
        for paragraph in &section.paragraphs {
            lines.extend([String::new(), escaped(paragraph)]);
        }
        match &section.records {
            Some(records) if records.layout == Layout::Entries => entries(records, &mut lines),
            Some(records) if !records.rows.is_empty() => table(records, &mut lines),
            _ => {}
        }
    }
    lines.extend([String::new(), "## Notes".to_owned(), String::new()]);
    lines.extend(paper.notes.iter().map(|note| format!("- {}", escaped(note))));
    lines.join("\n") + "\n"
}

fn entries(records: &Records, lines: &mut Vec<String>) {
    for (number, row) in records.rows.iter().enumerate() {
        let title = row.first().and_then(|cell| cell.first()).map_or(NOT_STATED, String::as_str);
        lines.extend([String::new(), format!("### {}. {}", number + 1, escaped(title)), String::new()]);
        for (column, cell) in records.columns.iter().zip(row).skip(1) {
            match cell.as_slice() {
                [] if column.if_any => {}
                [] => lines.push(format!("- **{}:** {NOT_STATED}", column.heading)),
                [one] => lines.push(format!("- **{}:** {}", column.heading, escaped(one))),
                several => {
                    lines.push(format!("- **{}:**", column.heading));
                    lines.extend(several.iter().map(|one| format!("  - {}", escaped(one))));
                }
            }
        }
    }
}

fn table(records: &Records, lines: &mut Vec<String>) {
    let headings = headings(records);
    lines.extend([String::new(), format!("| {} |", headings.join(" | "))]);
    lines.push(format!("|{}", " --- |".repeat(headings.len())));
    let said = |(column, cell): (&Column, &Cell)| match cell.as_slice() {
        [] if column.if_any => "–".to_owned(),
        [] => NOT_STATED.to_owned(),
        several => several.iter().map(|one| escaped(one)).collect::<Vec<_>>().join("<br>"),
    };
    for row in &records.rows {
        lines.push(format!("| {} |", shown(records, row).map(said).collect::<Vec<_>>().join(" | ")));
    }
}

/// What people read above the columns of a table.
fn headings(records: &Records) -> Vec<&'static str> {
    records.columns.iter().map(|column| column.heading).filter(|heading| !heading.is_empty()).collect()
}

/// The cells of a row that people read.
fn shown<'a>(records: &Records, row: &'a [Cell]) -> impl Iterator<Item = (&'static Column, &'a Cell)> {
    records.columns.iter().zip(row).filter(|(column, _)| !column.heading.is_empty())
}

/// A text in which Markdown finds no markup, on one line: every character that could begin some is escaped, also those of
/// dialects (`^`, `{`, `$`) and what calls people (`@`).
pub(crate) fn escaped(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::with_capacity(text.len());
    let mut numbered = true;
    for (index, letter) in text.chars().filter(|letter| !letter.is_control()).enumerate() {
        let opens = index == 0 && matches!(letter, '-' | '+' | '=' | ':');
        // `1.` and `1)` open a list at the beginning only.
        let orders = numbered && index > 0 && matches!(letter, '.' | ')');
        numbered &= letter.is_ascii_digit();
        if opens || orders || r"\`*_[]<>#|~&!$^@{}".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// The page; askama escapes every value.
#[derive(Template)]
#[template(path = "paper.html")]
struct Page<'a> {
    paper: &'a Paper,
    facts: Vec<(&'static str, String)>,
}

impl Page<'_> {
    fn is_entries(&self, records: &Records) -> bool {
        records.layout == Layout::Entries
    }

    fn title<'a>(&self, row: &'a [Cell]) -> &'a str {
        row.first().and_then(|cell| cell.first()).map_or(NOT_STATED, String::as_str)
    }

    fn fields<'a>(&self, records: &Records, row: &'a [Cell]) -> Vec<(&'static str, &'a Cell)> {
        let all = records.columns.iter().zip(row).skip(1);
        all.filter(|(column, cell)| !(column.if_any && cell.is_empty()))
            .map(|(column, cell)| (column.heading, cell))
            .collect()
    }

    fn headings(&self, records: &Records) -> Vec<&'static str> {
        headings(records)
    }

    fn cells<'a>(&self, records: &Records, row: &'a [Cell]) -> Vec<(bool, &'a Cell)> {
        shown(records, row).map(|(column, cell)| (column.if_any, cell)).collect()
    }

    /// Whether it speaks of a transfer that nothing covers, or of which that is not known.
    fn is_alarming(&self, text: &str) -> bool {
        text.contains("NOT COVERED") || text.contains("CANNOT BE DETERMINED")
    }
}

fn html(paper: &Paper) -> Result<String> {
    Page { paper, facts: facts(paper) }.render().map_err(Error::internal)
}

/// The columns that every row of CSV repeats.
const REPEATED: [&str; 6] = ["paper", "organization", "customer", "date", "revision", "section"];

fn csv(paper: &Paper) -> Result<String> {
    let mut keys: Vec<&str> = Vec::new();
    for column in
        paper.sections.iter().filter_map(|section| section.records.as_ref()).flat_map(|records| records.columns)
    {
        if !keys.contains(&column.key) {
            keys.push(column.key);
        }
    }
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let header: Vec<&str> = REPEATED.into_iter().chain(keys.iter().copied()).chain(["text"]).collect();
    writer.write_record(&header).map_err(Error::internal)?;
    for row in csv_rows(paper, &keys) {
        writer.write_record(row.iter().map(|cell| guarded(cell))).map_err(Error::internal)?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::internal(error.into_error()))?;
    String::from_utf8(bytes).map_err(Error::internal)
}

fn csv_rows(paper: &Paper, keys: &[&str]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for section in &paper.sections {
        let empty = || vec![String::new(); keys.len()];
        for paragraph in &section.paragraphs {
            rows.push([repeated(paper, section.key), empty(), vec![paragraph.clone()]].concat());
        }
        if let Some(records) = &section.records {
            for row in &records.rows {
                rows.push([repeated(paper, section.key), cells(records, row, keys), vec![String::new()]].concat());
            }
        }
    }
    let notes = paper.notes.iter();
    rows.extend(
        notes.map(|note| [repeated(paper, "notes"), vec![String::new(); keys.len()], vec![note.clone()]].concat()),
    );
    rows
}

fn repeated(paper: &Paper, section: &str) -> Vec<String> {
    let customer = paper.customer.as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
    vec![
        paper.word().to_owned(),
        paper.organization.0.clone(),
        customer,
        paper.date.clone(),
        paper.revision.to_string(),
        section.to_owned(),
    ]
}

fn cells(records: &Records, row: &[Cell], keys: &[&str]) -> Vec<String> {
    let said = |key: &&str| {
        let place = records.columns.iter().position(|column| column.key == *key);
        match place.and_then(|place| row.get(place)) {
            None => String::new(),
            Some(cell) if cell.is_empty() => {
                let column = place.and_then(|place| records.columns.get(place));
                if column.is_some_and(|column| column.if_any) { String::new() } else { NOT_STATED.to_owned() }
            }
            Some(cell) => cell.join("; "),
        }
    };
    keys.iter().map(said).collect()
}

/// What spreadsheets take for the beginning of a formula; and what keeps them from it, which is kept apart from a text's
/// own.
const BEGINNINGS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// A cell that no spreadsheet takes for a formula. [`unguarded`] reads it.
pub(crate) fn guarded(cell: &str) -> String {
    if cell.starts_with(BEGINNINGS) { format!("'{cell}") } else { cell.to_owned() }
}

/// The text that a cell was written from.
pub(crate) fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(BEGINNINGS)).unwrap_or(cell)
}

fn json(paper: &Paper) -> Value {
    json!({
        "paper": paper.word(),
        "title": paper.title,
        "basis": paper.basis,
        "organization": paper.organization.0,
        "customer": paper.customer.as_ref().map(|(name, _)| name),
        "date": paper.date,
        "revision": paper.revision,
        "sections": paper.sections.iter().map(json_section).collect::<Vec<_>>(),
        "notes": paper.notes,
    })
}

fn json_section(section: &Section) -> Value {
    let rows = section.records.iter().flat_map(|records| records.rows.iter().map(|row| json_row(records.columns, row)));
    json!({
        "key": section.key,
        "heading": section.heading,
        "paragraphs": section.paragraphs,
        "rows": rows.collect::<Vec<_>>(),
    })
}

fn json_row(columns: &[Column], row: &[Cell]) -> Value {
    let said = columns.iter().zip(row).map(|(column, cell)| {
        let value = if column.many { json!(cell) } else { json!(cell.first()) };
        (column.key.to_owned(), value)
    });
    Value::Object(said.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_makes_markup() {
        assert_eq!(escaped("<script>|=cmd()"), r"\<script\>\|=cmd()");
        assert_eq!(escaped("- a\n# b `c` *d* _e_ [f](g)"), r"\- a \# b \`c\` \*d\* \_e\_ \[f\](g)");
        assert_eq!(escaped("12. a 3."), r"12\. a 3.");
        assert_eq!(escaped("&amp; ~~x~~ ![a]"), r"\&amp; \~\~x\~\~ \!\[a\]");
        assert_eq!(escaped(" x^2^  {a}\u{7}\n@you "), r"x\^2\^ \{a\} \@you");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "'=1", "'s Hertogenbosch", "''"] {
            assert_eq!(guarded(cell), format!("'{cell}"));
        }
        assert_eq!(guarded("1=1"), "1=1");
        for cell in ["=1", "'=1", "''=1", "'s", "it's", "", "1=1"] {
            assert_eq!(unguarded(&guarded(cell)), cell);
        }
    }
}
