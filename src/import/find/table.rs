//! A table before it is judged: which row holds the headings, which rows are headings of the rows below, and tables that
//! say one thing in each row.

use super::super::{
    columns::{self, Field},
    page::{Cell, Row, Table},
    places::Places,
};

/// Rows that one name after another is said in, at most.
const MAX_KEYS: usize = 40;

/// Makes a table ready to be read.
pub(super) fn prepare(table: &mut Table, places: Places) {
    table.rows.retain(|row| !row.is_empty());
    if table.header.iter().all(Cell::is_empty) {
        table.header.clear();
        take_header(table, places);
    } else if is_data(&table.header, places) {
        let cells = std::mem::take(&mut table.header);
        let line = cells.first().map_or(table.line, |cell| cell.line);
        table.rows.insert(0, Row { line, cells, ..Row::default() });
        table.count += 1;
    }
    turn_records(table);
    repeat_header(table);
    sections(table);
}

/// How many cells of a row are headings that are known.
fn known(cells: &[Cell]) -> usize {
    cells.iter().filter(|cell| cell.text().chars().count() <= 60 && !columns::by_words(&cell.text()).is_empty()).count()
}

/// Whether a row says in so many words that names are below it, and something else too.
pub(in super::super) fn names_columns(cells: &[Cell]) -> bool {
    let sure =
        |cell: &Cell| columns::by_words(&cell.text()).into_iter().next().filter(|guess| guess.confidence >= 0.75);
    let fields: Vec<Field> = cells.iter().filter_map(sure).map(|guess| guess.field).collect();
    fields.len() > 1 && fields.contains(&Field::Name)
}

/// Whether a row holds values: a web address or a place is no heading.
fn has_values(cells: &[Cell], places: Places) -> bool {
    cells.iter().any(|cell| {
        let text = cell.text();
        text.starts_with("http://") || text.starts_with("https://") || places.read(&text, false).is_whole()
    })
}

/// Takes the first row for the headings, if it holds some.
fn take_header(table: &mut Table, places: Places) {
    let Some(first) = table.rows.first() else { return };
    let cells = &first.cells;
    let filled = cells.iter().filter(|cell| !cell.is_empty()).count();
    let is_header = first.heading
        || (names_columns(cells) && !has_values(cells, places))
        || (known(cells) * 2 >= filled && known(cells) > 0 && !has_values(cells, places))
        || (cells.iter().all(|cell| cell.is_empty() || cell.is_strong()) && known(cells) > 0);
    if is_header && filled > 0 {
        table.header = table.rows.remove(0).cells;
        table.count = table.count.saturating_sub(1);
    }
}

/// Whether what stands in the place of headings is the first row of values.
fn is_data(header: &[Cell], places: Places) -> bool {
    header.len() > 1 && known(header) == 0 && has_values(header, places)
}

/// Turns a table that says one thing in each row ("Name | Acme", "Purpose | Hosting") into one that has a column for
/// each: of one company, of one after another, or of one in each column.
fn turn_records(table: &mut Table) {
    let header = std::mem::take(&mut table.header);
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    if !header.is_empty() {
        rows.push(header.clone());
    }
    rows.extend(table.rows.iter().take(MAX_KEYS * 50).map(|row| row.cells.clone()));
    let keys: Vec<(String, Option<Field>)> = rows.iter().map(|cells| key(cells.first())).collect();
    let told = |field: Field| keys.iter().any(|(_, known)| *known == Some(field));
    let known = keys.iter().filter(|(_, field)| field.is_some()).count();
    // A known heading in the top row beside the first means that headings are there.
    let across = self::known(header.get(1..).unwrap_or_default()) > 0;
    let down = told(Field::Name) && known >= 3 && known * 10 >= keys.len() * 6 && !across;
    if !down {
        table.header = header;
        return;
    }
    let mut titles: Vec<String> = Vec::new();
    for (title, _) in &keys {
        if !titles.contains(title) && titles.len() < MAX_KEYS {
            titles.push(title.clone());
        }
    }
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut records: Vec<Row> = Vec::new();
    for column in 1..width {
        let mut record: Option<Row> = None;
        for (cells, (title, field)) in rows.iter().zip(&keys) {
            let Some(place) = titles.iter().position(|known| known == title) else { continue };
            let Some(cell) = cells.get(column).filter(|cell| !cell.is_empty()) else { continue };
            if *field == Some(Field::Name) || record.is_none() {
                records.extend(record.take());
                record = Some(Row { line: cell.line, cells: vec![Cell::default(); titles.len()], ..Row::default() });
            }
            if let Some(slot) = record.as_mut().and_then(|record| record.cells.get_mut(place)) {
                *slot = cell.clone();
            }
        }
        records.extend(record);
    }
    table.header = titles.into_iter().map(|title| Cell::plain(table.line, title)).collect();
    table.count = records.len();
    table.rows = records;
}

/// What the first cell of a row is as a heading, and the field it is for.
fn key(cell: Option<&Cell>) -> (String, Option<Field>) {
    let title = cell.map(Cell::text).unwrap_or_default().trim_end_matches([':', ' ']).to_owned();
    let field = columns::by_words(&title).into_iter().next().map(|guess| guess.field);
    (title, field)
}

/// Headings that are repeated among the rows are no rows.
fn repeat_header(table: &mut Table) {
    if table.header.is_empty() {
        return;
    }
    let header: Vec<String> = table.header.iter().map(Cell::text).collect();
    let before = table.rows.len();
    table.rows.retain(|row| row.cells.iter().map(Cell::text).ne(header.iter().cloned()));
    table.count = table.count.saturating_sub(before - table.rows.len());
}

/// A bold text alone in its row is the heading of the rows below, where others are not bold.
fn sections(table: &mut Table) {
    let alone = |row: &Row| {
        let mut filled = row.cells.iter().filter(|cell| !cell.is_empty());
        row.cells.len() > 1
            && row.cells.first().is_some_and(Cell::is_strong)
            && filled.next().is_some()
            && filled.next().is_none()
    };
    let is_alone: Vec<bool> = table.rows.iter().map(alone).collect();
    let count = is_alone.iter().filter(|alone| **alone).count();
    // The last row has nothing below it, and two on end are names.
    let on_end = is_alone.windows(2).any(|pair| pair == [true, true]) || is_alone.last() == Some(&true);
    if count == 0 || on_end || count * 2 > table.rows.len() {
        return;
    }
    let mut section: Option<String> = None;
    let rows = std::mem::take(&mut table.rows);
    for (mut row, alone) in rows.into_iter().zip(is_alone) {
        if alone {
            section = row.cells.first().map(Cell::text);
        } else {
            row.section = section.clone().or(row.section);
            table.rows.push(row);
        }
    }
    table.count = table.count.saturating_sub(count);
}
