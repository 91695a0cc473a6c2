//! Comma-separated values, whatever separates them: the separator is found by trying, and lines above the headings are
//! the page's text.

use super::{
    Refusal, columns,
    html::{MAX_COLUMNS, MAX_ROWS},
    page::{Block, Cell, Page, Row, Run, Table},
    text,
};

/// What can stand between values.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Rows that are looked at to find the separator and the headings.
const SAMPLE: usize = 100;
/// A value of more lines than these may be a quotation mark that nobody closed.
const MAX_LINES: usize = 200;

/// Reads a file.
pub(super) fn read(text: &str) -> Result<Page, Refusal> {
    let (told, above) = told_delimiter(text);
    let delimiter = told.unwrap_or_else(|| sniff(text));
    let (mut rows, more) = rows(text, delimiter)?;
    rows.drain(..above.min(rows.len()));
    let mut page = Page::default();
    let start = start_of_table(&rows);
    for row in rows.drain(..start) {
        let runs = row.cells.into_iter().flat_map(|cell| cell.runs).filter(|run| !run.text.trim().is_empty());
        let mut cell = Cell { line: row.line, ..Cell::default() };
        for run in runs {
            if !cell.runs.is_empty() {
                cell.runs.push(Run { text: " ".to_owned(), ..Run::default() });
            }
            cell.runs.push(run);
        }
        if page.title.is_none() && !cell.text().chars().any(|c| c.is_ascii_digit()) {
            page.title = Some(cell.text());
        }
        page.blocks.push(Block::Text(cell));
    }
    let line = rows.first().map_or(1, |row| row.line);
    let mut notes = Vec::new();
    let (kept, marked): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| !is_footnote(row));
    notes.extend(marked.into_iter().filter_map(|row| row.cells.into_iter().next()).map(Block::Text));
    let count = kept.len() + more;
    page.blocks.push(Block::Table(Table { line, rows: kept, count, ..Table::default() }));
    page.blocks.append(&mut notes);
    Ok(page)
}

/// The separator that the first line names (`sep=;`), and how many lines say so.
fn told_delimiter(text: &str) -> (Option<u8>, usize) {
    let first = text.lines().next().unwrap_or_default().trim_matches('"');
    match first.strip_prefix("sep=").map(str::as_bytes) {
        Some([delimiter]) => (Some(*delimiter), 1),
        _ => (None, 0),
    }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes())
}

/// The separator with which most rows have the same number of values, and several.
fn sniff(text: &str) -> u8 {
    let score = |delimiter: u8| {
        let mut widths: Vec<usize> = Vec::new();
        let mut record = csv::StringRecord::new();
        let mut reader = reader(text, delimiter);
        while widths.len() < SAMPLE && reader.read_record(&mut record).unwrap_or(false) {
            widths.push(record.len());
        }
        let best = widths.iter().filter(|width| **width > 1).map(|width| widths.iter().filter(|w| *w == width).count());
        let agreeing = best.max().unwrap_or(0);
        let width = widths.iter().filter(|width| **width > 1).max().copied().unwrap_or(0);
        (agreeing, width)
    };
    // The first of equals: the comma.
    let scored = DELIMITERS.iter().rev().map(|delimiter| (score(*delimiter), *delimiter));
    scored.max_by_key(|(score, _)| *score).map_or(b',', |(_, delimiter)| delimiter)
}

/// The rows that hold anything, at most as many as are kept, and how many there are beyond them.
fn rows(text: &str, delimiter: u8) -> Result<(Vec<Row>, usize), Refusal> {
    let mut rows = Vec::new();
    let mut more = 0;
    let mut record = csv::StringRecord::new();
    let mut reader = reader(text, delimiter);
    let mut start = 0;
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok((rows, more)),
            Err(error) => return Err(Refusal::new(format!("not readable as CSV: {error}"))),
        }
        let line = record.position().map_or(0, csv::Position::line);
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let raw = text.get(start..end).unwrap_or_default();
        start = end;
        if record.iter().any(|value| value.matches('\n').count() > MAX_LINES) && !is_closed(raw, char::from(delimiter))
        {
            let rule = "a quotation mark opens a value that goes on over hundreds of lines: it is not closed";
            return Err(Refusal::new(format!("line {line}: {rule}")));
        }
        if record.iter().all(|value| value.trim().is_empty()) {
            continue;
        }
        if rows.len() < MAX_ROWS {
            rows.push(Row { line, cells: cells(&record, line), ..Row::default() });
        } else {
            more += 1;
        }
    }
}

/// Whether each quotation mark that opens a value has one that closes it, with nothing of the value behind it.
fn is_closed(record: &str, delimiter: char) -> bool {
    let ends = [delimiter, '\r', '\n'];
    let mut rest = record.trim_start_matches(['\r', '\n']);
    while !rest.is_empty() {
        if let Some(mut inside) = rest.strip_prefix('"') {
            rest = loop {
                let Some((_, behind)) = inside.split_once('"') else { return false };
                match behind.strip_prefix('"') {
                    Some(more) => inside = more,
                    None => break behind,
                }
            };
            if !rest.is_empty() && !rest.starts_with(ends) {
                return false;
            }
        }
        rest = rest.find(ends).and_then(|at| rest.get(at + 1..)).unwrap_or_default();
    }
    true
}

fn cells(record: &csv::StringRecord, line: u32) -> Vec<Cell> {
    let mut cells: Vec<Cell> = record.iter().take(MAX_COLUMNS).map(|value| cell(value, line)).collect();
    while cells.last().is_some_and(Cell::is_empty) {
        cells.pop();
    }
    cells
}

fn cell(value: &str, line: u32) -> Cell {
    let address = text::collapse(value);
    let is_link =
        (address.starts_with("http://") || address.starts_with("https://")) && !address.contains(char::is_whitespace);
    let link = is_link.then_some(address);
    Cell { line, runs: vec![Run { text: value.to_owned(), link, ..Run::default() }], items: Vec::new() }
}

/// The row where the table begins: with headings that are known, else the first that is as wide as most.
fn start_of_table(rows: &[Row]) -> usize {
    let filled = |row: &Row| row.cells.iter().filter(|cell| !cell.is_empty()).count();
    let known = |row: &Row| row.cells.iter().filter(|cell| !columns::by_words(&cell.text()).is_empty()).count();
    let sample = || rows.iter().take(SAMPLE);
    if let Some(start) = sample().position(|row| filled(row) >= 2 && known(row) >= 2) {
        return start;
    }
    let widest = sample().map(filled).max().unwrap_or(0);
    sample().position(|row| filled(row) == widest).unwrap_or(0)
}

/// A row of one value that begins with a footnote's mark.
fn is_footnote(row: &Row) -> bool {
    let marked = |cell: &Cell| text::collapse(&cell.raw()).starts_with(['*', '†', '‡', '¹', '²', '³']);
    matches!(row.cells.as_slice(), [only] if marked(only))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_mark_is_closed_where_its_value_ends() {
        for (record, is) in [
            ("a,b\n", true),
            ("\"a\nb\",\"c\"\"d\"\r\n", true),
            ("\r\n\"a\"", true),
            ("a \"b,c\n", true),
            ("", true),
            ("\"a\nb", false),
            ("a,\"b\n\"\"", false),
            ("a,\"b\nZeta,\"x\"\n", false),
            ("a,\"b\" c\n", false),
        ] {
            assert_eq!(is_closed(record, ','), is, "{record:?}");
        }
    }
}
