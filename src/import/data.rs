//! Data files, YAML or JSON: lists of records at any depth, records by name, groups of records; and the front matter of
//! pages, which is the same.

use std::collections::HashSet;

use super::{
    Refusal,
    columns::{self, Field},
    html::{MAX_COLUMNS, MAX_ROWS},
    markdown,
    page::{Block, Cell, Item, List, Page, Row, Run, Table},
    text,
};
use crate::manifest::{
    Problems,
    node::{self, Member, Node, Value},
};

/// The longest file that is read: values cost far more memory than the bytes they are written in.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Records that are looked at to see what kind they are.
const SAMPLE: usize = 50;

/// Reads a file.
pub(super) fn read(text: &str) -> Result<Page, Refusal> {
    let mut problems = Problems::default();
    let root = node::parse_data(text, MAX_BYTES, &mut problems);
    if let Some(problem) = problems.list().first() {
        let more = match problems.list().len() {
            1 => String::new(),
            many => format!(" (and {} more)", many - 1),
        };
        let path = if problem.path.is_empty() { String::new() } else { format!("{}: ", problem.path) };
        return Err(Refusal::new(format!("line {}: {path}{}{more}", problem.line, problem.rule)));
    }
    let mut page = Page::default();
    if let Some(root) = root {
        for member in members(&root) {
            describe(member, &mut page);
        }
        walk(&root, 1, &mut page.blocks);
    }
    Ok(page)
}

/// Takes a title and a date from the top of the file.
fn describe(member: &Member, page: &mut Page) {
    let Some(value) = scalar(&member.value) else { return };
    let words = columns::words(&member.key);
    let has = |word: &str| words.iter().any(|w| w == word);
    if words == ["title"] && !value.is_empty() {
        page.title = Some(text::collapse(&value));
    } else if has("updated") || has("date") || has("effective") || has("reviewed") || has("modified") {
        let better = has("updated") || page.dated.is_none();
        if better && value.chars().any(|c| c.is_ascii_digit()) {
            page.dated = Some((text::collapse(&format!("{}: {value}", member.key)), member.line));
        }
    }
}

/// The members of a mapping, with those that it merges (`<<`) behind its own.
fn members(node: &Node) -> Vec<&Member> {
    let Some(own) = node.as_map() else { return Vec::new() };
    let mut all: Vec<&Member> = own.iter().filter(|member| member.key != "<<").collect();
    if all.len() == own.len() {
        return all;
    }
    let mut seen: HashSet<&str> = all.iter().map(|member| member.key.as_str()).collect();
    for merged in own.iter().filter(|member| member.key == "<<") {
        let sources = match &merged.value.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![&merged.value],
        };
        all.extend(sources.into_iter().filter_map(Node::as_map).flatten().filter(|member| seen.insert(&member.key)));
    }
    all
}

fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar(_) if node.is_null() => Some(String::new()),
        Value::Scalar(scalar) => Some(scalar.text.clone()),
        Value::List(_) | Value::Map(_) => None,
    }
}

fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        Value::Scalar(_) | Value::Map(_) => &[],
    }
}

/// Whether a value has values under keys; a text that is linked has not.
pub(super) fn is_map(node: &Node) -> bool {
    node.as_map().is_some() && link_of(node).is_none()
}

/// A text with the address that it links to, as a value.
pub(super) fn linked(text: Node, address: Node) -> Value {
    let member = |key: &str, value: Node| Member { key: key.to_owned(), line: value.line, column: 1, value };
    Value::Map(vec![member("text", text), member("href", address)])
}

/// The text and the address of a mapping that says no more: `{text: Acme, href: "https://acme.example"}`.
fn link_of(node: &Node) -> Option<(String, String)> {
    let members = node.as_map().filter(|members| members.len() == 2)?;
    let of = |keys: &[&str]| {
        let member = members.iter().find(|member| keys.iter().any(|key| member.key.eq_ignore_ascii_case(key)))?;
        scalar(&member.value)
    };
    let address =
        of(&["href", "url", "link", "to"]).filter(|address| is_address(address) || address.starts_with('/'))?;
    let text = of(&["text", "label", "title", "name", "children"])?;
    Some((if text.trim().is_empty() { address.clone() } else { text }, address))
}

fn is_address(text: &str) -> bool {
    (text.starts_with("http://") || text.starts_with("https://")) && !text.contains(char::is_whitespace)
}

/// Reads the data of a script in a page, which begins in a line; nothing of what is no data.
pub(super) fn embedded(text: &str, line: u32) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut problems = Problems::default();
    let root = node::parse_data(text, MAX_BYTES, &mut problems).filter(|_| problems.list().is_empty());
    if let Some(mut root) = root {
        move_down(&mut root, line.saturating_sub(1));
        walk(&root, 1, &mut blocks);
    }
    blocks
}

fn move_down(node: &mut Node, by: u32) {
    node.line = node.line.saturating_add(by);
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter_mut().for_each(|item| move_down(item, by)),
        Value::Map(members) => members.iter_mut().for_each(|member| {
            member.line = member.line.saturating_add(by);
            move_down(&mut member.value, by);
        }),
    }
}

/// Finds the lists below a value and writes each under the keys that lead to it.
pub(super) fn walk(node: &Node, level: u8, out: &mut Vec<Block>) {
    match &node.value {
        Value::List(list) => self::list(node, list, level, out),
        Value::Map(_) => map(node, level, out),
        Value::Scalar(_) => {}
    }
}

fn list(node: &Node, list: &[Node], level: u8, out: &mut Vec<Block>) {
    if list.iter().take(SAMPLE).any(is_group) && list.iter().all(is_map) {
        for group in list {
            heading(title_of(group), level, out);
            for member in members(group) {
                walk(&member.value, deeper(level), out);
            }
        }
    } else if list.iter().any(is_map) {
        let records: Vec<(Option<&str>, &Node)> = list.iter().map(|record| (None, record)).collect();
        out.push(Block::Table(table(node.line, &records)));
    } else if list.iter().all(|item| matches!(item.value, Value::List(_))) {
        // Rows of cells.
        let rows = list.iter().map(|row| Row {
            line: row.line,
            cells: items(row).iter().map(self::cell).collect(),
            ..Row::default()
        });
        let rows: Vec<Row> = rows.collect();
        out.push(Block::Table(Table { line: node.line, count: rows.len(), rows, ..Table::default() }));
    } else {
        let items = list.iter().map(|item| Item { content: cell(item), children: Vec::new() }).collect();
        out.push(Block::List(List { line: node.line, items, ..List::default() }));
    }
}

fn map(node: &Node, level: u8, out: &mut Vec<Block>) {
    let members = members(node);
    let records: Vec<(Option<&str>, &Node)> =
        members.iter().filter(|m| is_map(&m.value)).map(|m| (Some(m.key.as_str()), &m.value)).collect();
    let keyed =
        records.len() >= 2 && records.len() == members.len() && records.iter().take(SAMPLE).all(|(_, r)| is_record(r));
    if keyed {
        out.push(Block::Table(table(node.line, &records)));
        return;
    }
    let said: Vec<&&Member> =
        members.iter().filter(|m| scalar(&m.value).is_some_and(|text| !text.is_empty())).collect();
    if level > 1 && said.len() >= 2 && said.len() == members.len() {
        // Names with what is said of each.
        let items = said.iter().map(|member| Item { content: pair(member), children: Vec::new() }).collect();
        out.push(Block::List(List { line: node.line, items, ..List::default() }));
    }
    for member in &members {
        if !matches!(member.value.value, Value::Scalar(_)) {
            heading(Some((member.key.clone(), member.line)), level, out);
            walk(&member.value, deeper(level), out);
        }
    }
}

fn pair(member: &Member) -> Cell {
    let name = Run { text: member.key.clone(), strong: true, ..Run::default() };
    let rest = Run { text: format!(": {}", scalar(&member.value).unwrap_or_default()), ..Run::default() };
    Cell { line: member.line, runs: vec![name, rest], items: Vec::new() }
}

fn deeper(level: u8) -> u8 {
    level.saturating_add(1).min(6)
}

fn heading(title: Option<(String, u32)>, level: u8, out: &mut Vec<Block>) {
    if let Some((text, line)) = title.map(|(text, line)| (text::collapse(&text), line)).filter(|(t, _)| !t.is_empty()) {
        out.push(Block::Heading { level, text, line });
    }
}

/// What a key can hold, as the columns of tables are read.
fn field(key: &str) -> Option<Field> {
    columns::by_words(key).into_iter().next().filter(|guess| guess.confidence >= 0.7).map(|guess| guess.field)
}

/// Whether a mapping says what a row of a list says.
fn is_record(node: &Node) -> bool {
    members(node).iter().any(|member| {
        let wanted = [Field::Purpose, Field::Location, Field::EntityCountry, Field::Website, Field::DataCategories];
        !matches!(member.value.value, Value::Map(_)) && field(&member.key).is_some_and(|field| wanted.contains(&field))
    })
}

/// Whether a mapping is a heading with records below it.
fn is_group(node: &Node) -> bool {
    let below = |member: &&Member| {
        let items = items(&member.value);
        !items.is_empty()
            && items.iter().all(is_map)
            && items.iter().any(|item| members(item).iter().any(|m| field(&m.key) == Some(Field::Name)))
    };
    members(node).iter().any(below) && !is_record(node)
}

/// What a group calls itself.
fn title_of(group: &Node) -> Option<(String, u32)> {
    let first = members(group).into_iter().find(|member| {
        let words = columns::words(&member.key);
        words.iter().any(|w| {
            ["title", "name", "heading", "section", "category", "group", "label", "type"].contains(&w.as_str())
        })
    });
    first.and_then(|member| Some((scalar(&member.value)?, member.line)))
}

/// Records as a table: a column for every key that any of them has.
fn table(line: u32, records: &[(Option<&str>, &Node)]) -> Table {
    let mut header: Vec<String> = Vec::new();
    let keyed = records.iter().any(|(key, _)| key.is_some());
    let named = records
        .iter()
        .take(SAMPLE)
        .any(|(_, record)| members(record).iter().any(|m| field(&m.key) == Some(Field::Name)));
    if keyed {
        header.push(if named { "key" } else { "name" }.to_owned());
    }
    let mut rows = Vec::new();
    for (key, record) in records.iter().take(MAX_ROWS) {
        let mut cells = vec![Cell::default(); header.len()];
        if let (Some(key), Some(first)) = (key, cells.first_mut()) {
            *first = Cell::plain(record.line, *key);
        }
        if is_map(record) {
            fill(record, "", &mut header, &mut cells);
        } else {
            let at = usize::from(keyed);
            if header.len() == at {
                header.push("name".to_owned());
            }
            cells.resize(header.len(), Cell::default());
            cells[at] = cell(record);
        }
        rows.push(Row { line: record.line, cells, ..Row::default() });
    }
    let header = header.into_iter().map(|key| Cell::plain(line, key)).collect();
    Table { line, header, count: records.len(), rows, ..Table::default() }
}

/// Puts a record's values under its keys; those of mappings inside it under both keys.
fn fill(record: &Node, prefix: &str, header: &mut Vec<String>, cells: &mut Vec<Cell>) {
    // `@type`, `$ref`, `__typename` and the like are for programs.
    for member in members(record).into_iter().filter(|member| !member.key.starts_with(['@', '$', '_'])) {
        let key = if prefix.is_empty() { member.key.clone() } else { format!("{prefix} {}", member.key) };
        if is_map(&member.value) {
            fill(&member.value, &key, header, cells);
            continue;
        }
        let mut value = cell(&member.value);
        let known = header.iter().position(|known| *known == key);
        if known.is_none() && header.len() + 1 >= MAX_COLUMNS {
            // Far too many keys: those that are too many share a column.
            value.runs.insert(0, Run { text: format!("; {key}: "), ..Run::default() });
        }
        let column = known.unwrap_or_else(|| {
            match header.len() + 1 {
                MAX_COLUMNS => header.push("more".to_owned()),
                count if count < MAX_COLUMNS => header.push(key),
                _ => {}
            }
            header.len() - 1
        });
        if cells.len() <= column {
            cells.resize(column + 1, Cell::default());
        }
        cells[column].runs.append(&mut value.runs);
        cells[column].items.append(&mut value.items);
        cells[column].line = value.line;
    }
}

/// A value as a cell: the values of a list are its items.
pub(super) fn cell(node: &Node) -> Cell {
    let mut values = Vec::new();
    gather(node, &mut values);
    let is_list = matches!(node.value, Value::List(_));
    let items = if is_list { values.iter().map(Cell::text).collect() } else { Vec::new() };
    let mut runs = Vec::new();
    for value in values {
        if !runs.is_empty() {
            runs.push(Run { text: ", ".to_owned(), ..Run::default() });
        }
        runs.extend(value.runs);
    }
    Cell { line: node.line, runs, items }
}

/// The texts of a value; a mapping inside a list is one text.
fn gather(node: &Node, out: &mut Vec<Cell>) {
    if let Some((text, address)) = link_of(node) {
        let run = Run { text, link: Some(address), ..Run::default() };
        out.push(Cell { line: node.line, runs: vec![run], items: Vec::new() });
        return;
    }
    match &node.value {
        Value::Scalar(_) => out.extend(scalar(node).filter(|text| !text.is_empty()).map(|text| words(text, node.line))),
        Value::List(items) => items.iter().for_each(|item| gather(item, out)),
        Value::Map(_) => {
            let mut inside = Vec::new();
            members(node).iter().for_each(|member| gather(&member.value, &mut inside));
            let texts: Vec<String> = inside.iter().map(Cell::raw).collect();
            out.push(Cell::plain(node.line, texts.join(", ")));
        }
    }
}

/// A text as a cell: an address links to itself, and a text that holds links has them.
fn words(text: String, line: u32) -> Cell {
    let address = text::collapse(&text);
    if is_address(&address) {
        return Cell { line, runs: vec![Run { text, link: Some(address), ..Run::default() }], items: Vec::new() };
    }
    let is_markup = text.contains("</") || text.contains("](http");
    let read = is_markup.then(|| markdown::inline(&text)).flatten();
    Cell { line, ..read.unwrap_or_else(|| Cell::plain(line, text)) }
}
