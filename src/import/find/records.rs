//! Companies under headings of their own, each followed by lines that say one thing ("Purpose: …", "Location: …"): a
//! table in all but its form.

use std::collections::HashMap;

use super::{
    super::{
        columns::{self, Field, Headings},
        html::MAX_ROWS,
        items,
        page::{Block, Cell, Item, List, Origin, Row, Run, Table},
    },
    names::{has_legal_form, is_document},
};

/// Characters of a label.
const LABEL: usize = 40;
/// Things that are said of one company.
const MAX_KEYS: usize = 40;
/// Characters of what is said of one company without keys.
const SAID: usize = 1_500;

/// A heading with what is said below it.
struct Record {
    level: u8,
    row: Row,
    keys: Vec<(String, Cell)>,
    /// What is said without a key.
    said: Cell,
    /// Whether any of it has a key that columns have.
    keyed: bool,
    /// The blocks it was read from, to be given back where it stands alone.
    blocks: Vec<Block>,
}

/// A part of a page: as it is, or headings that stand one after another, each a company.
enum Part {
    Block(Block),
    Run(Vec<Record>),
}

/// Makes tables of headings that stand one after another over keyed lines, or are names that are `known` with what is
/// said of them below.
pub(super) fn fold(blocks: Vec<Block>, known: &dyn Fn(&str) -> bool) -> Vec<Block> {
    let parts = parts(named(labels(blocks)));
    let mut keys: HashMap<String, usize> = HashMap::new();
    let runs = parts.iter().filter_map(|part| match part {
        Part::Run(run) => Some(run),
        Part::Block(_) => None,
    });
    for record in runs.flatten() {
        for key in record.telling() {
            *keys.entry(key).or_default() += 1;
        }
    }
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Block(block) => out.push(block),
            Part::Run(run) if is_list(&run, &keys, known) => out.push(Block::Table(tabulate(run))),
            Part::Run(run) => out.extend(run.into_iter().flat_map(|record| record.blocks)),
        }
    }
    paragraphs(out)
}

impl Record {
    /// Its keys that columns have, each once.
    fn telling(&self) -> Vec<String> {
        let mut keys: Vec<String> =
            self.keys.iter().filter(|(key, _)| tells(key)).map(|(key, _)| key.to_lowercase()).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

/// Whether headings are companies: several over keyed lines, or one whose keys others on the page have; else if most are
/// names that are known.
fn is_list(run: &[Record], keys: &HashMap<String, usize>, known: &dyn Fn(&str) -> bool) -> bool {
    let shares = |record: &Record| record.telling().iter().any(|key| keys.get(key).is_some_and(|count| *count > 1));
    if run.iter().all(|record| record.keyed) {
        return run.len() > 1 || run.iter().any(shares);
    }
    let name = |record: &&Record| record.row.cells.first().is_some_and(|cell| known(&cell.text()));
    run.len() > 1 && run.iter().filter(name).count() * 10 >= run.len() * 6
}

/// Finds the headings that can be companies.
fn parts(blocks: Vec<Block>) -> Vec<Part> {
    let mut out = Vec::with_capacity(blocks.len());
    let mut run: Vec<Record> = Vec::new();
    let flush = |run: &mut Vec<Record>, out: &mut Vec<Part>| {
        if !run.is_empty() {
            out.push(Part::Run(std::mem::take(run)));
        }
    };
    let mut rest = blocks.into_iter().peekable();
    while let Some(block) = rest.next() {
        let Block::Heading { level, .. } = &block else {
            flush(&mut run, &mut out);
            out.push(Part::Block(block));
            continue;
        };
        let level = *level;
        let mut below = vec![block];
        let goes_on = |next: &Block| match next {
            Block::Heading { .. } => false,
            Block::Table(table) => is_keyed(table),
            _ => true,
        };
        while let Some(next) = rest.next_if(goes_on) {
            below.push(next);
        }
        let goes_on = matches!(rest.peek(), Some(Block::Table(_)));
        match record(level, below) {
            Ok(record) if record.keyed || !goes_on => {
                if run.first().is_some_and(|first| first.level != level || first.keyed != record.keyed) {
                    flush(&mut run, &mut out);
                }
                run.push(record);
            }
            Ok(Record { blocks, .. }) | Err(blocks) => {
                flush(&mut run, &mut out);
                out.extend(blocks.into_iter().map(Part::Block));
            }
        }
    }
    flush(&mut run, &mut out);
    out
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

/// Makes lists of paragraphs that stand one after another and each begin with a name: two with names that are bold or
/// links, three of any others.
fn paragraphs(blocks: Vec<Block>) -> Vec<Block> {
    let begins = |cell: &Cell| items::begins_with_name(cell) || items::begins_with_plain_name(cell);
    let mut out = Vec::with_capacity(blocks.len());
    let mut rest = blocks.into_iter().peekable();
    while let Some(block) = rest.next() {
        let mut items = match block {
            Block::Text(cell) if begins(&cell) => vec![cell],
            block => {
                out.push(block);
                continue;
            }
        };
        while let Some(Block::Text(next)) = rest.next_if(|next| matches!(next, Block::Text(cell) if begins(cell))) {
            items.push(next);
        }
        let least = if items.iter().all(items::begins_with_name) { 2 } else { 3 };
        if items.len() < least {
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
            Block::Table(table) => keys.extend(pairs(table)),
            _ => return Err(blocks),
        }
    }
    let keyed = keys.iter().any(|(key, _)| tells(key));
    let told = (2..=6).contains(&level) && keys.is_empty() && is_prose(&blocks);
    if !(keyed || told) || !items::is_name_like(text) {
        return Err(blocks);
    }
    if told {
        said = prose(&blocks, &mut keys);
    }
    let row = Row { line: *line, cells: vec![Cell::plain(*line, without_number(text))], ..Row::default() };
    Ok(Record { level, row, keys, said, keyed, blocks })
}

/// Whether below a heading stand only paragraphs, few and not long, and links to documents.
fn is_prose(blocks: &[Block]) -> bool {
    let texts = || {
        blocks.iter().skip(1).filter_map(|block| match block {
            Block::Text(cell) => Some(cell.text()),
            _ => None,
        })
    };
    let fits = |block: &Block| match block {
        Block::Text(_) => true,
        Block::List(list) => list.items.iter().all(|item| is_document(&item.content.text())),
        _ => false,
    };
    let length: usize = texts().map(|text| text.chars().count()).sum();
    blocks.iter().skip(1).all(fits) && (1..=3).contains(&texts().count()) && length <= SAID
}

/// What such paragraphs say; the documents are kept apart.
fn prose(blocks: &[Block], keys: &mut Vec<(String, Cell)>) -> Cell {
    let (mut said, mut documents) = (Cell::default(), Cell::default());
    for block in blocks.iter().skip(1) {
        match block {
            Block::Text(cell) => items::append(&mut said, cell.clone()),
            Block::List(list) => {
                list.items.iter().for_each(|item| items::append(&mut documents, item.content.clone()));
            }
            _ => {}
        }
    }
    if !documents.is_empty() {
        keys.push(("Documents".to_owned(), documents));
    }
    said
}

/// A heading without the number with which it begins: "2. Acme Inc."
fn without_number(text: &str) -> &str {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - rest.len();
    let name = rest.strip_prefix(['.', ')']).and_then(|rest| rest.strip_prefix(' '));
    name.filter(|_| (1..=3).contains(&digits)).map_or(text, str::trim_start)
}

/// Whether a key is for what a list says of a company.
fn tells(key: &str) -> bool {
    let fields =
        [Field::Purpose, Field::Location, Field::EntityCountry, Field::DataCategories, Field::Website, Field::Address];
    columns::by_words(key).first().is_some_and(|guess| fields.contains(&guess.field) && guess.confidence > 0.5)
}

/// Whether a table says one thing of one company in each row, and its name elsewhere.
fn is_keyed(table: &Table) -> bool {
    let fields = |key: &str| columns::by_words(key).first().map(|guess| guess.field);
    let mut keys = pairs(table).map(|(key, _)| key).peekable();
    keys.peek().is_some()
        && table.width() == 2
        && table.rows.len() <= MAX_KEYS
        && keys.all(|key| fields(&key).is_some_and(|field| field != Field::Name))
}

/// The rows of such a table.
fn pairs(table: &Table) -> impl Iterator<Item = (String, Cell)> {
    let rows = std::iter::once(&table.header).filter(|header| !header.is_empty());
    rows.chain(table.rows.iter().map(|row| &row.cells)).filter_map(|cells| {
        let key = cells.first()?.text().trim_end_matches([':', ' ']).to_owned();
        Some((key, cells.get(1).cloned().unwrap_or_default()))
    })
}

/// Makes headings of the names with which paragraphs begin that say more below them, line by line, where several stand
/// one after another.
fn named(blocks: Vec<Block>) -> Vec<Block> {
    let mut out = Vec::with_capacity(blocks.len());
    let mut rest = blocks.into_iter().peekable();
    while let Some(block) = rest.next() {
        let Some(first) = begins_record(&block) else {
            out.push(block);
            continue;
        };
        let is_one = rest.peek().and_then(begins_record).is_none();
        let mut next = Some((block, first));
        while let Some((block, (name, said))) = next.take() {
            if is_one {
                out.push(block);
            } else {
                out.push(Block::Heading { level: 7, text: name, line: said.line });
                out.push(Block::Text(said));
            }
            let more = rest.peek().and_then(begins_record);
            next = more.and_then(|found| Some((rest.next()?, found)));
        }
    }
    out
}

/// The name in the first line of a paragraph, and the lines below it, if these say one thing each.
fn begins_record(block: &Block) -> Option<(String, Cell)> {
    let Block::Text(cell) = block else { return None };
    let lines = items::cell_lines(cell);
    let (name, said) = lines.split_first().filter(|(_, said)| (1..=MAX_KEYS).contains(&said.len()))?;
    let key = |line: &Cell| items::keyed(line).or_else(|| items::keyed_in_bold(line)).map(|(key, _)| key);
    let text = name.text();
    let is_sentence = text.ends_with('.') && !has_legal_form(&text);
    let is_name = key(name).is_none() && items::is_name_like(&text) && !is_sentence;
    let is_told = said.iter().filter_map(key).any(|key| tells(&key));
    (is_name && is_told).then(|| {
        let joint = || Run { text: "\n".to_owned(), ..Run::default() };
        let runs = said.iter().flat_map(|line| line.runs.iter().cloned().chain([joint()])).collect();
        (text.trim_end_matches([':', ' ']).to_owned(), Cell { line: cell.line, runs, items: Vec::new() })
    })
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

/// The table of a run.
fn tabulate(mut run: Vec<Record>) -> Table {
    let origin = if run.iter().all(|record| record.keyed) { Origin::Keyed } else { Origin::Told };
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
    for record in run.into_iter().take(MAX_ROWS) {
        let mut row = record.row;
        if described {
            row.cells.push(record.said);
        }
        for (key, value) in record.keys {
            header.put(&mut row.cells, &key, value);
        }
        rows.push(row);
    }
    Table { line, header: header.into_header(line), count, rows, origin, ..Table::default() }
}
