//! Lists that pages of components hold as data: arrays in their code, values handed to a component, and components of
//! which each is one row. They are taken out of the text and become tables where they are used.

use std::collections::BTreeMap;

use super::{
    super::{
        columns::{self, Field, Headings},
        data,
        page::{Block, Cell, Row, Table},
        text,
    },
    literal::Reader,
};
use crate::manifest::node::{Member, Node, Value};

/// How far behind a name its value may begin: a type can stand between them.
const MAX_TYPE: usize = 300;
/// How long the text inside a component may be that is read as a row.
const MAX_BODY: usize = 4_000;
/// Values of a component.
const MAX_VALUES: usize = 64;
/// Lists that are taken out of one text.
const MAX_TAKEN: usize = 100;
/// Components that are looked at: more than a list can have rows.
const MAX_TAGS: usize = 6_000;
/// How far behind a value its use is looked for.
const MAX_USE: usize = 1 << 20;
/// Values whose use is looked for.
const MAX_SOUGHT: usize = 2 * MAX_TAKEN;
/// Headings of such tables are below all others.
const LEVEL: u8 = 6;

/// What says how a component looks, and nothing of a row.
const LOOKS: [&str; 24] = [
    "key",
    "id",
    "icon",
    "color",
    "colour",
    "class",
    "classname",
    "style",
    "size",
    "cols",
    "columns",
    "image",
    "img",
    "src",
    "alt",
    "logo",
    "horizontal",
    "cta",
    "arrow",
    "target",
    "rel",
    "iconname",
    "avatar",
    "variant",
];
/// What components call a name.
const TITLES: [&str; 4] = ["title", "heading", "label", "header"];

/// What was taken out, at the line where it is used.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) line: u32,
    pub(super) blocks: Vec<Block>,
}

/// Takes the lists out of a text; what is left has the same lines.
pub(super) fn take(source: &str) -> (String, Vec<Taken>) {
    let mut scan = Scan {
        reader: Reader::new(source),
        taken: Vec::new(),
        tags: Vec::new(),
        blanked: Vec::new(),
        wasted: 0,
        sought: 0,
    };
    let headings = scan.run(source);
    scan.rows(source, &headings);
    let Scan { mut taken, blanked, .. } = scan;
    taken.sort_by_key(|one| one.line);
    (blank(source, blanked), taken)
}

/// A text with parts of it left out, but for their line breaks.
fn blank(source: &str, mut parts: Vec<(usize, usize)>) -> String {
    parts.sort_unstable();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    for (start, end) in parts {
        if end <= at {
            continue;
        }
        out.push_str(source.get(at..start).unwrap_or_default());
        let part = source.get(start.max(at)..end).unwrap_or_default();
        out.extend(part.chars().filter(|c| *c == '\n'));
        at = end;
    }
    out.push_str(source.get(at..).unwrap_or_default());
    out
}

/// A component, or a template's call for one.
#[derive(Debug)]
struct Tag {
    name: String,
    values: Vec<Member>,
    start: usize,
    end: usize,
    line: u32,
    /// Whether text can stand in it.
    is_open: bool,
}

/// A row that a component is.
#[derive(Debug)]
struct Record {
    line: u32,
    values: Keyed,
    parts: Vec<(usize, usize)>,
}

struct Scan<'a> {
    reader: Reader<'a>,
    taken: Vec<Taken>,
    tags: Vec<Tag>,
    blanked: Vec<(usize, usize)>,
    /// Bytes that were read for what is no component: a text cannot make the reader begin again and again.
    wasted: usize,
    /// Values whose use was looked for.
    sought: usize,
}

impl Scan<'_> {
    /// Reads the text once; returns where its headings are.
    fn run(&mut self, source: &str) -> Vec<usize> {
        let mut headings = Vec::new();
        let mut in_code = false;
        let mut begins_line = true;
        let mut at = 0;
        while let Some(byte) = source.as_bytes().get(at) {
            let rest = source.get(at..).unwrap_or_default();
            let mut next = at + 1;
            if begins_line {
                if rest.starts_with("```") || rest.starts_with("~~~") {
                    in_code = !in_code;
                } else if rest.starts_with('#') {
                    headings.push(at);
                }
            }
            let goes_on = self.wasted <= source.len() && self.taken.len() < MAX_TAKEN;
            if !in_code && goes_on && source.is_char_boundary(at) {
                self.reader.at = at;
                let end = match byte {
                    _ if begins_line && is_constant(rest) => Some(self.constant(source, at)),
                    b'<' if rest[1..].starts_with(|c: char| c.is_ascii_uppercase()) => self.tag(1, &["/>", ">"]),
                    b'{' if rest.starts_with("{{<") || rest.starts_with("{{%") => self.tag(3, &[">}}", "%}}"]),
                    b'{' if rest.starts_with("{%") => self.tag(2, &["%}"]),
                    _ => None,
                };
                if end.is_none() {
                    self.wasted += self.reader.at - at;
                }
                next = end.unwrap_or(next).max(next);
            }
            begins_line = source.as_bytes().get(next - 1) == Some(&b'\n');
            at = next;
        }
        headings
    }

    /// `export const vendors = [ … ]`. Returns where it ends.
    fn constant(&mut self, source: &str, start: usize) -> usize {
        let head = self.reader.rest();
        let head = head.get(..head.len().min(MAX_TYPE)).unwrap_or_else(|| head.lines().next().unwrap_or_default());
        let is_sign = |at: &usize| !head[at + 1..].starts_with(['>', '=']) && !head[..*at].ends_with(['=', '!']);
        let sign = head.match_indices('=').map(|(at, _)| at).find(is_sign);
        let default = head.strip_prefix("export default").map(|rest| head.len() - rest.len());
        let Some(value) = sign.map(|at| at + 1).or(default) else { return start + 1 };
        let declared = head[..value].split(['=', ':']).next().unwrap_or_default();
        let name = declared.split_whitespace().next_back().unwrap_or_default().to_owned();
        self.reader.at = start + value;
        self.reader.blanks();
        self.reader.eat("Object.freeze(");
        let node = self.reader.value(0);
        let end = self.reader.at;
        if let Some(node) = node.filter(holds_rows) {
            self.reader.eat(")");
            self.blanked.push((start, end));
            let members =
                node.as_map().unwrap_or_default().iter().filter(|m| !matches!(m.value.value, Value::Scalar(_)));
            // Each of several lists can be used in another place.
            let parts: Vec<(String, &Node)> = members.map(|m| (format!("{name}.{}", m.key), &m.value)).collect();
            let uses: Vec<Option<u32>> = parts.iter().map(|(path, _)| self.use_of(source, end, path)).collect();
            if uses.iter().any(Option::is_some) {
                for ((_, node), line) in parts.iter().zip(uses) {
                    self.list(node, line.unwrap_or(node.line));
                }
            } else {
                let line = self.use_of(source, end, &name);
                self.list(&node, line.unwrap_or(node.line));
            }
        }
        end
    }

    /// The line in which a value is used first, as far as it is looked for.
    fn use_of(&mut self, source: &str, from: usize, name: &str) -> Option<u32> {
        self.sought += 1;
        if self.sought > MAX_SOUGHT {
            return None;
        }
        use_of(source, from, name)
    }

    fn list(&mut self, node: &Node, line: u32) {
        let mut blocks = Vec::new();
        data::walk(node, LEVEL, &mut blocks);
        self.taken.push(Taken { line, blocks });
    }

    /// A component or a template's call, behind its sign. Returns where it ends.
    fn tag(&mut self, sign: usize, ends: &[&str]) -> Option<usize> {
        let start = self.reader.at;
        let line = self.reader.line();
        self.reader.at += sign;
        let mut name = String::new();
        let mut values: Vec<Member> = Vec::new();
        let end = loop {
            self.reader.blanks();
            if let Some(end) = ends.iter().find(|end| self.reader.eat(end)) {
                break end;
            }
            if self.reader.eat("{") {
                self.reader.skip();
                if !self.reader.eat("}") {
                    return None;
                }
                continue;
            }
            let word = self.reader.word(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.' | '@'));
            if word.is_empty() && !self.reader.eat("/") || values.len() > MAX_VALUES || name.len() > MAX_BODY {
                return None;
            }
            if !self.reader.eat("=") {
                // A flag; or what a template calls.
                if sign > 1 || name.is_empty() {
                    name.push_str(word);
                    name.push(' ');
                }
                continue;
            }
            let in_braces = self.reader.eat("{");
            let value = match self.reader.peek()? {
                '"' | '\'' if !in_braces => {
                    let quote = self.reader.peek()?;
                    // No marks stand for others in markup, and it goes on over lines.
                    let text = self.reader.rest().get(1..)?.split(quote).next()?;
                    let mut node = Reader::new("''").value(0)?;
                    node.line = self.reader.line();
                    if let Value::Scalar(scalar) = &mut node.value {
                        text.replace("&amp;", "&").replace("&quot;", "\"").clone_into(&mut scalar.text);
                    }
                    self.reader.at += text.len() + 2;
                    (self.reader.at <= start + MAX_BODY + text.len()).then_some(node)?
                }
                _ => self.reader.value(0)?,
            };
            if in_braces {
                self.reader.skip();
                if !self.reader.eat("}") {
                    return None;
                }
            }
            values.push(Member { key: word.to_owned(), line, column: 1, value });
        };
        let (end_at, is_open) = (self.reader.at, *end == ">" || sign > 1);
        if self.handed_over(&values, line) {
            self.blanked.push((start, end_at));
        } else if !values.is_empty() && self.tags.len() < MAX_TAGS {
            let name = name.trim().to_owned();
            self.tags.push(Tag { name, values, start, end: end_at, line, is_open });
        }
        Some(end_at)
    }

    /// Takes the lists that a component is given.
    fn handed_over(&mut self, values: &[Member], line: u32) -> bool {
        let before = self.taken.len();
        for member in values.iter().filter(|member| holds_rows(&member.value)) {
            let is_rows = matches!(&member.value.value, Value::List(rows) if rows.iter().all(|row| matches!(row.value, Value::List(_))));
            match is_rows.then(|| header(values, &member.value)).flatten() {
                Some(header) => {
                    let mut blocks = Vec::new();
                    data::walk(&member.value, LEVEL, &mut blocks);
                    for block in &mut blocks {
                        if let Block::Table(table) = block {
                            table.header = header.iter().map(|text| Cell::plain(line, text.as_str())).collect();
                        }
                    }
                    self.taken.push(Taken { line, blocks });
                }
                // What says what the columns are is no list of its own.
                None if is_columns(member) => {}
                None => self.list(&member.value, line),
            }
        }
        self.taken.len() > before
    }

    /// Makes tables of components that are one row each, where several stand under one heading.
    fn rows(&mut self, source: &str, headings: &[usize]) {
        let mut groups: BTreeMap<(usize, String), Vec<Record>> = BTreeMap::new();
        for tag in std::mem::take(&mut self.tags) {
            let above = headings.partition_point(|heading| *heading < tag.start);
            if let Some(record) = record(source, &tag) {
                groups.entry((above, tag.name)).or_default().push(record);
            }
        }
        for records in groups.into_values().filter(|records| records.len() > 1) {
            let line = records.first().map_or(1, |record| record.line);
            self.blanked.extend(records.iter().flat_map(|record| record.parts.iter().copied()));
            self.taken.push(Taken { line, blocks: vec![Block::Table(table(line, records))] });
        }
    }
}

/// Whether a line of code gives a value a name.
fn is_constant(line: &str) -> bool {
    let begins = ["export const ", "export let ", "export var ", "export default ", "const ", "let ", "var "];
    begins.iter().any(|begin| line.starts_with(begin))
}

/// Whether there is a list of records in a value, or of rows.
fn holds_rows(node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.iter().any(|item| matches!(item.value, Value::Map(_) | Value::List(_))),
        Value::Map(members) => members.iter().any(|member| holds_rows(&member.value)),
        Value::Scalar(_) => false,
    }
}

/// The line in which a value is used first.
fn use_of(source: &str, from: usize, name: &str) -> Option<u32> {
    let rest = source.get(from..).filter(|_| !name.is_empty())?;
    let mut end = rest.len().min(MAX_USE);
    while !rest.is_char_boundary(end) {
        end -= 1;
    }
    let rest = &rest[..end];
    let is_apart = |at: usize| {
        let before = rest[..at].chars().next_back();
        let after = rest[at + name.len()..].chars().next();
        matches!(before, Some('{' | '(' | '.')) && after.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    };
    let at = rest.match_indices(name).map(|(at, _)| at).find(|at| is_apart(*at))?;
    u32::try_from(1 + source[..from + at].matches('\n').count()).ok()
}

fn is_columns(member: &Member) -> bool {
    let words = columns::words(&member.key);
    words
        .iter()
        .any(|word| matches!(word.as_str(), "columns" | "headers" | "header" | "head" | "headings" | "cols" | "fields"))
}

/// The headings of rows that a component is given apart from them.
fn header(values: &[Member], rows: &Node) -> Option<Vec<String>> {
    let Value::List(rows) = &rows.value else { return None };
    let width = rows.iter().map(|row| if let Value::List(cells) = &row.value { cells.len() } else { 0 }).max()?;
    let member = values.iter().find(|member| is_columns(member))?;
    let Value::List(columns) = &member.value.value else { return None };
    let text = |node: &Node| match &node.value {
        Value::Map(members) => {
            let named = |name: &str| members.iter().find(|member| member.key.eq_ignore_ascii_case(name));
            let member = ["label", "title", "header", "name", "key"].into_iter().find_map(named);
            member.map(|member| data::cell(&member.value).text()).unwrap_or_default()
        }
        _ => data::cell(node).text(),
    };
    (columns.len() == width).then(|| columns.iter().map(text).collect())
}

/// What a component says as a row, if it is one.
fn record(source: &str, tag: &Tag) -> Option<Record> {
    let mut parts = vec![(tag.start, tag.end)];
    let mut values: Keyed = Vec::new();
    for member in tag.values.iter().filter(|member| !data::is_map(&member.value)) {
        let folded = columns::words(&member.key).concat();
        if LOOKS.contains(&folded.as_str()) {
            continue;
        }
        let key =
            if matches!(folded.as_str(), "href" | "to" | "link") { "website".to_owned() } else { member.key.clone() };
        let mut cell = data::cell(&member.value);
        cell.line = tag.line;
        values.push((key, cell));
    }
    if let Some((said, part)) = body(source, tag) {
        values.extend(said);
        parts.push(part);
    }
    let field = |key: &str| columns::by_words(key).into_iter().next().map(|guess| guess.field);
    let tells =
        [Field::Purpose, Field::Location, Field::EntityCountry, Field::DataCategories, Field::Service, Field::Address];
    let is_title = |key: &str| TITLES.contains(&text::fold(key).as_str());
    let has_name = values.iter().any(|(key, _)| is_title(key) || field(key) == Some(Field::Name));
    let is_told = values.iter().any(|(key, _)| field(key).is_some_and(|field| tells.contains(&field)));
    let is_described = values.iter().any(|(key, cell)| key.is_empty() && !cell.is_empty());
    if !has_name || !(is_told || is_described) {
        return None;
    }
    if is_told && !values.iter().any(|(key, _)| field(key) == Some(Field::Name)) {
        for (key, _) in values.iter_mut().filter(|(key, _)| is_title(key)) {
            "name".clone_into(key);
        }
    }
    Some(Record { line: tag.line, values, parts })
}

/// Cells, each with its key.
type Keyed = Vec<(String, Cell)>;

/// What stands inside a component, if that is text alone: lines that are keyed, and others.
fn body(source: &str, tag: &Tag) -> Option<(Keyed, (usize, usize))> {
    let rest = source.get(tag.end..).filter(|_| tag.is_open)?;
    let mut most = rest.len().min(MAX_BODY);
    while !rest.is_char_boundary(most) {
        most -= 1;
    }
    let end = rest[..most].find(&format!("</{}", tag.name))?;
    let inside = &rest[..end];
    let is_structure = |line: &str| {
        line.starts_with(['|', '#', '<', '>', '`', '{', '+', '-']) || (line.starts_with('*') && !line.starts_with("**"))
    };
    let lines = || inside.lines().map(str::trim).filter(|line| !line.is_empty());
    if lines().any(is_structure) {
        return None;
    }
    let mut said: Keyed = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for line in lines() {
        let plain = line.replace("**", "");
        let known =
            plain.split_once(':').filter(|(key, _)| key.chars().count() <= 40 && !columns::by_words(key).is_empty());
        match known {
            Some((key, value)) => said.push((text::collapse(key), Cell::plain(tag.line, value.trim()))),
            None => others.push(plain),
        }
    }
    if !others.is_empty() {
        said.push((String::new(), Cell::plain(tag.line, others.join(" "))));
    }
    Some((said, (tag.end, tag.end + end)))
}

fn table(line: u32, records: Vec<Record>) -> Table {
    let mut header = Headings::default();
    let mut rows = Vec::new();
    for record in records {
        let mut cells: Vec<Cell> = Vec::new();
        for (key, cell) in record.values {
            header.put(&mut cells, &key, cell);
        }
        rows.push(Row { line: record.line, cells, ..Row::default() });
    }
    Table { line, header: header.into_header(line), count: rows.len(), rows, ..Table::default() }
}
