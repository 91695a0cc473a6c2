//! A publication as text that other programs open: CSV for spreadsheets, Markdown for documents.

use super::{
    Entry, Publication, Upcoming,
    rows::{self, ROWS},
};
use crate::{
    error::{Error, Result},
    rules::paper::format::{escaped, guarded},
};

/// The columns of the Markdown, by their headings.
pub const MARKDOWN_COLUMNS: [&str; 6] =
    ["Name", "Legal entity", "Purpose", "Where data is processed", "Transfers rest on", "Since"];

/// The column behind them where something is said in it.
pub const MARKDOWN_STATUS: &str = "Status";

/// The list as CSV (RFC 4180, with a header), one line for each entry. No cell is a formula to a spreadsheet; what stands
/// in one cell is told apart by [`apart`].
///
/// # Errors
/// None that a publication can bring about.
pub fn csv(publication: &Publication) -> Result<String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let header = std::iter::once("id").chain(ROWS.iter().map(|row| row.key));
    writer.write_record(header).map_err(Error::internal)?;
    for entry in &publication.subprocessors {
        let cells = ROWS.iter().map(|row| match (row.of)(entry) {
            several if row.many => together(&several),
            one => one.concat(),
        });
        let line = std::iter::once(entry.id.clone()).chain(cells).map(|cell| guarded(&cell));
        writer.write_record(line).map_err(Error::internal)?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::internal(error.into_error()))?;
    String::from_utf8(bytes).map_err(Error::internal)
}

/// What stands between the values of one cell.
const BETWEEN: &str = "; ";

/// Several values in one cell: with a semicolon between them, or each on a line of its own that ends where that could not
/// be read back.
fn together(values: &[String]) -> String {
    let plain = values.join(BETWEEN);
    if apart(&plain) == values {
        return plain;
    }
    values.iter().map(|value| format!("{}\n", value.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
}

/// The values of one cell: its lines, if the last of them ends; else what semicolons stand between, those inside
/// brackets aside.
pub fn apart(cell: &str) -> Vec<String> {
    if cell.ends_with('\n') {
        return cell.lines().filter(|line| !line.trim().is_empty()).map(ToOwned::to_owned).collect();
    }
    let mut parts: Vec<String> = Vec::new();
    let mut depth = 0_usize;
    for part in cell.split(BETWEEN) {
        match parts.last_mut().filter(|_| depth > 0) {
            Some(last) => {
                last.push_str(BETWEEN);
                last.push_str(part);
            }
            None => parts.push(part.to_owned()),
        }
        depth = (depth + part.matches('(').count()).saturating_sub(part.matches(')').count());
    }
    if depth > 0 {
        // A bracket that nobody closed holds nothing together.
        parts = cell.split(BETWEEN).map(ToOwned::to_owned).collect();
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The list as Markdown: a table, and what is announced.
pub fn markdown(publication: &Publication) -> String {
    let Publication { organization, date, revision, subprocessors, upcoming, .. } = publication;
    let mut lines = vec![
        format!("# Sub-processors of {}", escaped(&organization.name)),
        String::new(),
        format!("The list of {date}, as of revision {revision}."),
        String::new(),
    ];
    if subprocessors.is_empty() {
        lines.push("Nobody is on the list.".to_owned());
    } else {
        let mut columns = MARKDOWN_COLUMNS.to_vec();
        columns.extend(subprocessors.iter().any(|one| one.suspended).then_some(MARKDOWN_STATUS));
        lines.push(format!("| {} |", columns.join(" | ")));
        lines.push(format!("|{}", " --- |".repeat(columns.len())));
        lines.extend(subprocessors.iter().map(|one| line(one, &columns)));
    }
    if !upcoming.is_empty() {
        lines.extend([String::new(), "## Announced changes".to_owned()]);
        for change in upcoming {
            lines.extend(announced(change));
        }
    }
    lines.join("\n") + "\n"
}

fn line(entry: &Entry, columns: &[&str]) -> String {
    let cell = |heading: &&str| {
        let row = ROWS.iter().find(|row| row.heading == *heading);
        let said = row.map(|row| (row.of)(entry)).unwrap_or_default();
        let said: Vec<String> = said.iter().map(|text| escaped(text)).collect();
        if said.is_empty() { "–".to_owned() } else { said.join("<br>") }
    };
    format!("| {} |", columns.iter().map(cell).collect::<Vec<_>>().join(" | "))
}

fn announced(change: &Upcoming) -> Vec<String> {
    let mut lines = vec![String::new(), format!("### {}", escaped(&change.summary)), String::new()];
    lines.push(format!("- **Announced:** {}", change.publish_time));
    let facts = [
        ("Planned", &change.requested_effective_time),
        ("Not before", &change.not_before_time),
        ("For everybody not before", change.for_everybody()),
    ];
    lines.extend(facts.iter().filter(|(_, time)| !time.is_empty()).map(|(word, time)| format!("- **{word}:** {time}")));
    if !change.text.is_empty() {
        lines.extend([String::new(), escaped(&change.text)]);
    }
    if let (Some(before), Some(after)) = (&change.before, &change.after) {
        for one in rows::differences(before, after) {
            let said = |values: &[String]| match values {
                [] => "nothing stated".to_owned(),
                some => escaped(&some.join("; ")),
            };
            lines.push(format!("- **{}:** {} → {}", one.heading, said(&one.before), said(&one.after)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::publication::Publisher;

    fn publication(name: &str) -> Publication {
        let entry =
            Entry { id: "a".into(), name: name.into(), purposes: vec!["x".into(), "y".into()], ..Entry::default() };
        let change = Upcoming {
            summary: format!("{name} changes"),
            publish_time: "2026-01-01T00:00:00Z".into(),
            before: Some(Box::new(Entry::default())),
            after: Some(Box::new(entry.clone())),
            ..Upcoming::default()
        };
        Publication {
            organization: Publisher { name: name.into(), ..Publisher::default() },
            date: "2026-01-01".into(),
            subprocessors: vec![entry],
            upcoming: vec![change],
            ..Publication::default()
        }
    }

    #[test]
    fn a_spreadsheet_finds_no_formula() {
        let text = csv(&publication("=HYPERLINK(\"x\")")).expect("text");
        let (header, row) = text.split_once("\r\n").expect("two lines");
        assert!(header.starts_with("id,name,legal_entity,"), "{header}");
        assert!(row.starts_with("a,\"'=HYPERLINK(\"\"x\"\")\","), "{row}");
        assert!(row.contains("x; y"));
    }

    #[test]
    fn what_stands_in_one_cell_can_be_told_apart() {
        assert_eq!(apart("a; b (c; d); e"), ["a", "b (c; d)", "e"]);
        assert_eq!(apart("a (b; c"), ["a (b", "c"]);
        assert!(apart("").is_empty());
        for (values, cell) in [
            (&[][..], ""),
            (&["a"], "a"),
            (&["a", "b (c; d)", "e"], "a; b (c; d); e"),
            (&["Hosting; backups"], "Hosting; backups\n"),
            (&["a; b", "c"], "a; b\nc\n"),
            (&["a (b; c", "d"], "a (b; c\nd\n"),
            (&["a (b", "c) d"], "a (b\nc) d\n"),
            (&["a", "b;"], "a; b;"),
        ] {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            assert_eq!((together(&values).as_str(), apart(cell)), (cell, values));
        }
    }

    #[test]
    fn what_is_not_in_use_is_said_where_there_is_any() {
        let mut publication = publication("North");
        assert!(!markdown(&publication).contains("Status"));
        publication.subprocessors[0].suspended = true;
        let text = markdown(&publication);
        assert!(text.contains("| Since | Status |\n| --- | --- | --- | --- | --- | --- | --- |\n"), "{text}");
        assert!(text.contains("| – | not in use for now |\n"), "{text}");
    }

    #[test]
    fn a_document_finds_no_markup() {
        let text = markdown(&publication("<b>|x"));
        assert!(text.contains(r"| \<b\>\|x | – | x<br>y | – | – | – |"), "{text}");
        assert!(text.contains(r"### \<b\>\|x changes"), "{text}");
        assert!(text.contains("- **Purpose:** nothing stated → x; y"), "{text}");
        assert!(markdown(&Publication::default()).contains("Nobody is on the list."));
    }
}
