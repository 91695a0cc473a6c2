//! Tables that only blanks or tabs make, as text copied from a PDF or a terminal has them: they are written as HTML, in
//! the same lines.

use super::super::{find, page::Cell};

/// Columns of such a table.
const MAX_COLUMNS: usize = 12;
/// What stands in a line that a row above has.
const NOTHING: &str = "<!-- -->";

/// A field of a line: where it begins, in characters, and its text.
type Field<'a> = (usize, &'a str);

/// A row: its line, and its cells.
type Row = (usize, Vec<String>);

/// A text with such tables as HTML.
pub(super) fn tables(source: &str) -> String {
    let lines: Vec<&str> = source.split('\n').collect();
    let mut out: Vec<String> = Vec::with_capacity(lines.len());
    let mut in_code = false;
    while let Some(line) = lines.get(out.len()) {
        in_code ^= line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        let rest = lines.get(out.len()..).filter(|_| !in_code).unwrap_or_default();
        match table(rest) {
            Some(table) => out.extend(table),
            None => out.push((*line).to_owned()),
        }
    }
    out.join("\n")
}

/// The table that begins in the first of lines, as so many lines.
fn table(lines: &[&str]) -> Option<Vec<String>> {
    let (first, rest) = lines.split_first()?;
    let header = fields(first);
    let cells: Vec<Cell> = header.iter().map(|(_, text)| Cell::plain(1, *text)).collect();
    let is_other = first.contains(['|', '<', '{']);
    if is_other || !(2..=MAX_COLUMNS).contains(&header.len()) || !find::names_columns(&cells) {
        return None;
    }
    let starts: Vec<usize> = header.iter().map(|(start, _)| *start).collect();
    let is_tabbed = first.contains('\t');
    let mut rows: Vec<Row> = Vec::new();
    let mut end = 1;
    for (at, line) in rest.iter().enumerate() {
        let is_rule = !line.trim().is_empty() && line.chars().all(|c| matches!(c, '-' | '=' | '_' | ' ' | '\t' | '+'));
        if line.trim().is_empty() || is_rule {
            continue;
        }
        let found = if is_tabbed { tabbed(line) } else { fields(line) };
        let column = |field: &Field<'_>| match is_tabbed {
            true => field.0,
            // What begins a little before its heading is still below it.
            false => starts.partition_point(|start| *start <= field.0 + 1).saturating_sub(1),
        };
        let is_apart = found.windows(2).all(|pair| column(&pair[0]) < column(&pair[1]));
        let goes_on = found.first().is_some_and(|field| column(field) > 0);
        // A text of its own, or the next paragraph.
        let is_row = is_apart && found.last().is_some_and(|field| column(field) < starts.len());
        if !is_row || (!goes_on && found.len() < 2) || (goes_on && rows.is_empty()) {
            break;
        }
        if !goes_on {
            rows.push((at + 1, vec![String::new(); starts.len()]));
        }
        for field in &found {
            if let Some(cell) = rows.last_mut().and_then(|(_, cells)| cells.get_mut(column(field))) {
                cell.push_str(if cell.is_empty() { "" } else { " " });
                cell.push_str(field.1);
            }
        }
        end = at + 2;
    }
    (rows.len() > 1).then(|| written(&header, rows, end))
}

fn written(header: &[Field<'_>], rows: Vec<Row>, end: usize) -> Vec<String> {
    let row = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
        let cells: String = cells.map(|text| format!("<{tag}>{}</{tag}>", escaped(text))).collect();
        format!("<tr>{cells}</tr>")
    };
    let mut out = vec![NOTHING.to_owned(); end];
    if let Some(first) = out.first_mut() {
        *first = format!("<table>{}", row("th", &mut header.iter().map(|(_, text)| *text)));
    }
    for (at, cells) in rows {
        if let Some(line) = out.get_mut(at) {
            *line = row("td", &mut cells.iter().map(String::as_str));
        }
    }
    if let Some(last) = out.last_mut() {
        last.push_str("</table>");
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The fields of a line between tabs, by their numbers.
fn tabbed(line: &str) -> Vec<Field<'_>> {
    let fields = line.split('\t').enumerate().map(|(at, text)| (at, text.trim()));
    fields.filter(|(_, text)| !text.is_empty()).collect()
}

/// The fields of a line between tabs, or two blanks and more.
fn fields(line: &str) -> Vec<Field<'_>> {
    if line.contains('\t') {
        return tabbed(line);
    }
    if line.starts_with(['|', '#', '>', '<', '-', '*']) {
        return vec![(0, line)];
    }
    let mut fields = Vec::new();
    let mut at = 0;
    for part in line.split("  ") {
        let text = part.trim();
        if !text.is_empty() {
            let blanks = part.chars().take_while(|c| *c == ' ').count();
            fields.push((at + blanks, text));
        }
        at += part.chars().count() + 2;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_below_a_heading_is_its_column() {
        let text = "Names:\n\nSub-processor   Purpose    Location\n-----  ----\nA & B Ltd       mail       US\n                and chat\n\nC Ltd                      France\n\nThe end.\n";
        let lines = [
            "Names:",
            "",
            "<table><tr><th>Sub-processor</th><th>Purpose</th><th>Location</th></tr>",
            NOTHING,
            "<tr><td>A &amp; B Ltd</td><td>mail and chat</td><td>US</td></tr>",
            NOTHING,
            NOTHING,
            "<tr><td>C Ltd</td><td></td><td>France</td></tr></table>",
            "",
            "The end.",
            "",
        ];
        assert_eq!(tables(text), lines.join("\n"));
        let text = "Vendor\tPurpose\nA Ltd\tmail\nB Ltd\tchat";
        assert!(tables(text).ends_with("<tr><td>B Ltd</td><td>chat</td></tr></table>"), "{}", tables(text));
    }

    #[test]
    fn what_is_no_table_stays_as_it_is() {
        for text in [
            "Some words.  And more of them.\nAnother line.\n",
            "```\nVendor   Purpose\nA   b\nC   d\n```\n",
            "| Vendor  | Purpose |\n|---|---|\n| A  | b |\n",
            "Vendor   Purpose\n\nText that goes on.\n",
            "",
        ] {
            assert_eq!(tables(text), text);
        }
    }
}
