//! Headings under which a page says more of the companies that a table further up names.

use std::collections::{HashMap, HashSet};

use super::{
    super::{
        columns::{Column, Field},
        items,
        page::{Cell, Row, Table},
        text,
    },
    Part,
};

/// Puts what headings say of companies into the rows of the part that names at least half of them, and leaves the
/// others; a field that the part has already is kept under its heading. Returns whether there is such a part.
pub(super) fn tell(parts: &mut [Part], table: &mut Table, columns: &[Column]) -> bool {
    let Some(here) = name_column(columns) else { return false };
    let names: Vec<Option<Vec<String>>> = table.rows.iter().map(|row| name(row, here)).collect();
    let found = parts.iter_mut().find_map(|part| {
        let places = places(part)?;
        let mut taken = HashSet::new();
        let mut place = |name: &Option<Vec<String>>| {
            let place = places.get(name.as_ref()?).copied().flatten()?;
            taken.insert(place).then_some(place)
        };
        let places: Vec<Option<usize>> = names.iter().map(&mut place).collect();
        let told = places.iter().flatten().count();
        (told > 0 && told * 2 >= names.len()).then_some((part, places))
    });
    let Some((part, places)) = found else { return false };
    let before: Vec<Field> = part.columns.iter().map(|column| column.field).collect();
    for (index, column) in columns.iter().enumerate().filter(|(index, _)| *index != here) {
        let mut column = column.clone();
        if before.contains(&column.field) || column.heading.is_empty() {
            column.field = Field::Annotation;
            "said under a heading of its own".clone_into(&mut column.reason);
        }
        if column.heading.is_empty() {
            "details".clone_into(&mut column.heading);
        }
        let at = part.columns.len();
        part.columns.push(column);
        for (row, place) in table.rows.iter().zip(&places) {
            let known = place.and_then(|place| part.rows.get_mut(place));
            if let (Some(known), Some(cell)) = (known, row.cell(index)) {
                known.cells.resize(at, Cell::default());
                known.cells.push(cell.clone());
            }
        }
    }
    let mut told = places.iter().map(Option::is_some);
    table.rows.retain(|_| !told.next().unwrap_or(false));
    table.count = table.rows.len();
    true
}

/// The row of each name in a part; none for a name that several rows have.
fn places(part: &Part) -> Option<HashMap<Vec<String>, Option<usize>>> {
    let column = name_column(&part.columns)?;
    let mut places: HashMap<Vec<String>, Option<usize>> = HashMap::new();
    for (at, row) in part.rows.iter().enumerate() {
        if let Some(name) = name(row, column) {
            places.entry(name).and_modify(|place| *place = None).or_insert(Some(at));
        }
    }
    Some(places)
}

fn name_column(columns: &[Column]) -> Option<usize> {
    columns.iter().position(|column| column.field == Field::Name)
}

/// A row's name, to be compared: without what stands in brackets behind it.
fn name(row: &Row, column: usize) -> Option<Vec<String>> {
    let name = items::name_line(row.cell(column)?);
    let bare = name.split(" (").next().unwrap_or_default();
    Some(text::words(bare)).filter(|words| !words.is_empty())
}
