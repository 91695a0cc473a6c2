//! Companies under headings of their own, each followed by lines that say one thing ("Purpose: …", "Location: …"): a
//! table in all but its form.

use std::collections::HashMap;

use super::super::{
    columns::{self, Field, Headings},
    html::MAX_ROWS,
    items,
    page::{Block, Cell, Item, List, Row, Run, Table},
};

/// Characters of a label.
const LABEL: usize = 40;

/// A heading with what is said below it.
struct Record {
    level: u8,
    row: Row,
    keys: Vec<(String, Cell)>,
    /// What is said without a key.
    said: Cell,
    /// The blocks it was read from, to be given back where it stands alone.
    blocks: Vec<Block>,
}

/// Makes tables of headings that stand one after another over keyed lines.
pub(super) fn fold(blocks: Vec<Block>) -> Vec<Block> {
    let blocks = labels(blocks);
    let mut out = Vec::with_capacity(blocks.len());
    let mut run: Vec<Record> = Vec::new();
    let mut rest = blocks.into_iter().peekable();
    while let Some(block) = rest.next() {
        let Block::Heading { level, .. } = &block else {
            flush(&mut run, &mut out);
            out.push(block);
            continue;
        };
        let level = *level;
        let mut below = vec![block];
        while let Some(next) = rest.next_if(|next| !matches!(next, Block::Heading { .. } | Block::Table(_))) {
            below.push(next);
        }
        match record(level, below) {
            Ok(record) => {
                if run.first().is_some_and(|first| first.level != level) {
                    flush(&mut run, &mut out);
                }
                run.push(record);
            }
            Err(blocks) => {
                flush(&mut run, &mut out);
                out.extend(blocks);
            }
        }
    }
    flush(&mut run, &mut out);
    paragraphs(out)
}

/// Joins labels that stand in paragraphs of their own ("Purpose", "Location") with what stands below each, where the same
/// label stands several times.
fn labels(blocks: Vec<Block>) -> Vec<Block> {
    let short = |block: &Block| {
        let text = match block {
            Block::Heading { level: 7, text, .. } => text.clone(),
            Block::Text(cell) if cell.runs.len() <= 3 => cell.text(),
            _ => return None,
        };
        let text = text.trim_end_matches([':', ' ']).to_owned();
        (1..=LABEL).contains(&text.chars().count()).then_some(text)
    };
    let mut all: Vec<Option<String>> = blocks.iter().map(short).collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for text in all.iter().flatten() {
        *counts.entry(text.clone()).or_default() += 1;
    }
    counts.retain(|text, count| *count > 1 && is_label(text));
    if counts.is_empty() {
        return blocks;
    }
    for text in &mut all {
        *text = text.take().filter(|text| counts.contains_key(text));
    }
    let mut out = Vec::with_capacity(blocks.len());
    let mut rest = blocks.into_iter().zip(&all).peekable();
    while let Some((block, label)) = rest.next() {
        let is_value = |next: &(Block, &Option<String>)| matches!(next, (Block::Text(_), None));
        match (label, rest.next_if(|next| label.is_some() && is_value(next))) {
            (Some(label), Some((Block::Text(value), _))) => {
                let key = Run { text: label.clone(), strong: true, ..Run::default() };
                let sign = Run { text: ": ".to_owned(), ..Run::default() };
                let runs = [key, sign].into_iter().chain(value.runs).collect();
                out.push(Block::Text(Cell { line: value.line, runs, items: value.items }));
            }
            (_, value) => {
                out.push(block);
                out.extend(value.map(|(value, _)| value));
            }
        }
    }
    out
}

/// Whether a paragraph is a key that columns have, and nothing else.
fn is_label(text: &str) -> bool {
    let fields =
        [Field::Purpose, Field::Location, Field::EntityCountry, Field::DataCategories, Field::Service, Field::Website];
    columns::by_words(text).first().is_some_and(|guess| fields.contains(&guess.field) && guess.confidence >= 0.55)
}

/// Makes lists of paragraphs that stand one after another and each begin with a name that is bold or a link.
fn paragraphs(blocks: Vec<Block>) -> Vec<Block> {
    let mut out = Vec::with_capacity(blocks.len());
    let mut rest = blocks.into_iter().peekable();
    while let Some(block) = rest.next() {
        let mut items = match block {
            Block::Text(cell) if items::begins_with_name(&cell) => vec![cell],
            block => {
                out.push(block);
                continue;
            }
        };
        while let Some(Block::Text(next)) =
            rest.next_if(|next| matches!(next, Block::Text(cell) if items::begins_with_name(cell)))
        {
            items.push(next);
        }
        if items.len() < 2 {
            out.extend(items.into_iter().map(Block::Text));
            continue;
        }
        let line = items.first().map_or(1, |cell| cell.line);
        let items = items.into_iter().map(|content| Item { content, children: Vec::new() }).collect();
        out.push(Block::List(List { line, items, ..List::default() }));
    }
    out
}

/// Reads a heading and what is below it as one company; gives it back if it is none.
fn record(level: u8, blocks: Vec<Block>) -> Result<Record, Vec<Block>> {
    let Some(Block::Heading { text, line, .. }) = blocks.first() else { return Err(blocks) };
    let mut keys: Vec<(String, Cell)> = Vec::new();
    let mut said = Cell::default();
    for block in blocks.iter().skip(1) {
        match block {
            Block::Text(cell) => take(cell, &mut keys, &mut said),
            Block::List(list) => list.items.iter().for_each(|item| take_item(item, &mut keys, &mut said)),
            _ => return Err(blocks),
        }
    }
    let tells =
        [Field::Purpose, Field::Location, Field::EntityCountry, Field::DataCategories, Field::Website, Field::Address];
    let telling = keys.iter().filter(|(key, _)| {
        columns::by_words(key).first().is_some_and(|guess| tells.contains(&guess.field) && guess.confidence > 0.5)
    });
    if telling.count() == 0 || !items::is_name_like(text) {
        return Err(blocks);
    }
    let row = Row { line: *line, cells: vec![Cell::plain(*line, text.as_str())], ..Row::default() };
    Ok(Record { level, row, keys, said, blocks })
}

fn take(cell: &Cell, keys: &mut Vec<(String, Cell)>, said: &mut Cell) {
    for line in items::cell_lines(cell) {
        match items::keyed(&line).or_else(|| items::keyed_in_bold(&line)) {
            Some(pair) => keys.push(pair),
            None => items::append(said, line),
        }
    }
}

fn take_item(item: &Item, keys: &mut Vec<(String, Cell)>, said: &mut Cell) {
    take(&item.content, keys, said);
    item.children.iter().for_each(|child| take_item(child, keys, said));
}

/// Ends a run: several are a table, one alone is what it was.
fn flush(run: &mut Vec<Record>, out: &mut Vec<Block>) {
    if run.len() < 2 {
        out.extend(run.drain(..).flat_map(|record| record.blocks));
        return;
    }
    // What is said without a key is the purpose, where others have a key for that.
    let is_purpose = |key: &str| columns::by_words(key).first().is_some_and(|guess| guess.field == Field::Purpose);
    let purpose = run.iter().flat_map(|record| &record.keys).map(|(key, _)| key).find(|key| is_purpose(key)).cloned();
    if let Some(purpose) = purpose {
        for record in run.iter_mut().filter(|record| !record.keys.iter().any(|(key, _)| is_purpose(key))) {
            let said = std::mem::take(&mut record.said);
            record.keys.push((purpose.clone(), said));
        }
    }
    let described = run.iter().any(|record| !record.said.is_empty());
    let mut header = Headings::new(if described { &["name", ""] } else { &["name"] });
    let mut rows = Vec::new();
    let line = run.first().map_or(1, |record| record.row.line);
    let count = run.len();
    for record in run.drain(..).take(MAX_ROWS) {
        let mut row = record.row;
        if described {
            row.cells.push(record.said);
        }
        for (key, value) in record.keys {
            header.put(&mut row.cells, &key, value);
        }
        rows.push(row);
    }
    out.push(Block::Table(Table { line, header: header.into_header(line), count, rows, ..Table::default() }));
}
