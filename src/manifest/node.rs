//! YAML or JSON text as a tree in which everything knows its line.
//!
//! A subset of YAML 1.2: one document whose top is a mapping; keys are text, each once; no anchors, aliases or tags,
//! which is what lets a small text stand for a huge tree. JSON is YAML but for one thing, see [`parse`]. The data of
//! others may be more, see [`parse_data`].

use std::{borrow::Cow, collections::HashMap};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Number, Value as Json};

use super::Problems;
use crate::error::clip;

/// How deep lists and mappings may nest.
pub const MAX_DEPTH: usize = 32;

/// How many values a text may hold: each costs far more memory than the byte or two it can be written in.
pub const MAX_NODES: usize = 500_000;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its line, counted from 1. That of a literal block (`|`) is its first line of text.
    pub line: u32,
    /// Its column, counted from 1.
    pub column: u32,
    /// The value.
    pub value: Value,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Neither list nor mapping. What it means depends on what is expected.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the text.
    Map(Vec<Member>),
}

/// One key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The key.
    pub key: String,
    /// The key's line, counted from 1.
    pub line: u32,
    /// The key's column, counted from 1.
    pub column: u32,
    /// The value.
    pub value: Node,
}

/// A value as it is written: `1.10` and `2019-08-27` stay what they are until somebody asks for a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text.
    pub text: String,
    /// Whether it stands without quotes. Only then can it be anything but text.
    pub plain: bool,
}

impl Scalar {
    /// Whether it is YAML's nothing.
    pub fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// The truth value it is.
    pub fn as_bool(&self) -> Option<bool> {
        match self.text.as_str() {
            "true" | "True" | "TRUE" if self.plain => Some(true),
            "false" | "False" | "FALSE" if self.plain => Some(false),
            _ => None,
        }
    }

    /// The number it is (YAML 1.2 core schema, without the infinite ones, which JSON does not know).
    pub fn as_number(&self) -> Option<Number> {
        let text = self.text.strip_prefix('+').filter(|t| !t.starts_with('-')).unwrap_or(&self.text);
        if !self.plain || !is_number(text) {
            return None;
        }
        if let Ok(n) = text.parse::<i64>() {
            return Some(Number::from(n));
        }
        if let Ok(n) = text.parse::<u64>() {
            return Some(Number::from(n));
        }
        text.parse::<f64>().ok().and_then(Number::from_f64)
    }
}

/// `-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?`, or without digits before the point.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

impl Node {
    /// The value as a reader without expectations takes it (YAML 1.2 core schema).
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(members) => Json::Object(members.iter().map(|m| (m.key.clone(), m.value.to_json())).collect()),
            Value::Scalar(scalar) if scalar.is_null() => Json::Null,
            Value::Scalar(scalar) => match (scalar.as_bool(), scalar.as_number()) {
                (Some(b), _) => Json::Bool(b),
                (None, Some(n)) => Json::Number(n),
                (None, None) => Json::String(scalar.text.clone()),
            },
        }
    }

    /// How many values it is, long texts counting as several.
    fn weight(&self) -> usize {
        match &self.value {
            Value::Scalar(scalar) => 1 + scalar.text.len() / 256,
            Value::List(items) => items.iter().fold(1, |sum, item| item.weight().saturating_add(sum)),
            Value::Map(members) => members.iter().fold(1, |sum, member| {
                sum.saturating_add(member.value.weight()).saturating_add(1 + member.key.len() / 256)
            }),
        }
    }

    /// How many lists and mappings stand inside each other.
    fn depth(&self) -> usize {
        match &self.value {
            Value::Scalar(_) => 0,
            Value::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Value::Map(members) => 1 + members.iter().map(|member| member.value.depth()).max().unwrap_or(0),
        }
    }

    /// Whether it is YAML's nothing.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// The mapping it is.
    pub fn as_map(&self) -> Option<&[Member]> {
        match &self.value {
            Value::Map(members) => Some(members),
            Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// What a mapping has under `key`.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.iter().find(|member| member.key == key).map(|member| &member.value)
    }
}

/// Reads `text`, of at most `limit` bytes. What is wrong goes to `problems`; the tree is returned whenever the text
/// could be read to its end, so that what is wrong inside it can be found too.
///
/// JSON works by being YAML, but for characters beyond U+FFFF written as two `\u` escapes, which YAML does not know:
/// in a text that is JSON these are replaced first. That moves columns behind them, never lines.
pub fn parse(text: &str, limit: usize, problems: &mut Problems) -> Option<Node> {
    build(text, limit, false, problems)
}

/// Reads data that others keep: like [`parse`], but the top may be anything, tags are read over, and aliases stand for
/// what they name, as long as the tree they make has no more values than a text may hold.
pub fn parse_data(text: &str, limit: usize, problems: &mut Problems) -> Option<Node> {
    // In JSON a tab stands only between values; YAML is particular about where.
    if text.contains('\t') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return build(&text.replace('\t', " "), limit, true, problems);
    }
    build(text, limit, true, problems)
}

fn build(text: &str, limit: usize, lenient: bool, problems: &mut Problems) -> Option<Node> {
    if text.len() > limit {
        problems.add("", 1, || format!("the text has {} bytes; at most {limit} are read", text.len()));
        return None;
    }
    if let Some(position) = text.find('\0') {
        let line = 1 + text[..position].matches('\n').count();
        problems.add("", number(line), || "a NUL character cannot stand here".to_owned());
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = join_surrogates(text);
    let anchors = lenient.then(HashMap::new);
    let mut builder = Builder { frames: Vec::new(), root: None, nodes: 0, ended: false, anchors, problems };
    for event in Parser::new_from_str(&text) {
        match event {
            Ok((event, span)) => builder.event(event, span)?,
            Err(error) => {
                let (line, info) = (number(error.marker().line()), clip(error.info()).into_owned());
                builder.problem(line, || format!("not valid YAML: {info}"));
                return None;
            }
        }
    }
    builder.finish()
}

/// A line or column as this module counts them.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// `\ud83d\ude00` → the character, if `text` is JSON.
fn join_surrogates(text: &str) -> Cow<'_, str> {
    let is_json = || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if !text.trim_start().starts_with('{') || !text.contains("\\u") || !is_json() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // In JSON a backslash stands only in strings, and always begins an escape.
    while let Some(position) = rest.find('\\') {
        let (before, escape) = rest.split_at(position);
        out.push_str(before);
        let unit = |from: usize| {
            let hex = escape.get(from..from + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(hex, 16).ok()
        };
        let pair = unit(0).zip(unit(6)).and_then(|(high, low)| char::decode_utf16([high, low]).next()?.ok());
        match pair.filter(|c| u32::from(*c) > 0xffff) {
            Some(c) => {
                out.push(c);
                rest = escape.get(12..).unwrap_or_default();
            }
            None => {
                // The backslash and the character it escapes, which may be another backslash.
                let length = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&escape[..length]);
                rest = &escape[length..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Builds the tree from the parser's events, without recursion.
struct Builder<'a> {
    frames: Vec<Frame>,
    root: Option<Node>,
    nodes: usize,
    /// Whether a whole document was read.
    ended: bool,
    /// What aliases stand for, by anchor; none where they are not offered.
    anchors: Option<HashMap<usize, Node>>,
    problems: &'a mut Problems,
}

/// A list or mapping that has begun.
struct Frame {
    line: u32,
    column: u32,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { members: Vec<Member>, lines: HashMap<String, u32>, key: Option<Key> },
}

/// A key that waits for its value.
struct Key {
    text: String,
    line: u32,
    column: u32,
    /// Its value is read and dropped: an error was reported already.
    dropped: bool,
}

impl Builder<'_> {
    /// Takes one event. None: there is no use in reading on.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let (line, column) = (number(span.start.line()), number(span.start.col() + 1));
        match event {
            Event::DocumentStart(_) if self.ended => {
                return self.fatal(line, "there is more than one document; a manifest is one");
            }
            Event::DocumentEnd => self.ended = true,
            Event::Scalar(text, style, anchor, tag) => {
                self.plainly(line, anchor, tag.is_some());
                let scalar = Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                if let Some(anchors) = self.anchors.as_mut().filter(|_| anchor > 0) {
                    anchors.insert(anchor, Node { line, column, value: Value::Scalar(scalar.clone()) });
                }
                self.scalar(line, column, scalar)?;
            }
            Event::Alias(anchor) if self.anchors.is_some() => self.alias(line, column, anchor)?,
            Event::Alias(_) => {
                self.problem(line, || "aliases (*) are not offered: write the value out".to_owned());
                self.scalar(line, column, Scalar { text: String::new(), plain: true })?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.plainly(line, anchor, tag.is_some());
                self.begin(line, column, anchor, Content::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.plainly(line, anchor, tag.is_some());
                self.begin(
                    line,
                    column,
                    anchor,
                    Content::Map { members: Vec::new(), lines: HashMap::new(), key: None },
                )?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
        Some(())
    }

    /// Puts what an alias stands for in its place. Each copy counts, and so does the text in it.
    fn alias(&mut self, line: u32, column: u32, anchor: usize) -> Option<()> {
        let Some(node) = self.anchors.as_ref().and_then(|anchors| anchors.get(&anchor)).cloned() else {
            return self.fatal(line, "an alias (*) stands inside what it names");
        };
        self.nodes = self.nodes.saturating_add(node.weight());
        if self.nodes > MAX_NODES {
            return self.fatal(line, &format!("aliases (*) make this more than {MAX_NODES} values"));
        }
        if self.frames.len() + node.depth() > MAX_DEPTH {
            return self.fatal(line, &format!("with its aliases (*) this nests deeper than {MAX_DEPTH}"));
        }
        match node.value {
            Value::Scalar(scalar) => self.scalar(line, column, scalar),
            value if matches!(self.frames.last(), Some(Frame { content: Content::Map { key: None, .. }, .. })) => {
                drop(value);
                self.fatal(line, "a key must be text, not a list or mapping")
            }
            value => self.place(Node { line, column, value }),
        }
    }

    fn plainly(&mut self, line: u32, anchor: usize, tagged: bool) {
        if self.anchors.is_some() {
            return;
        }
        if anchor > 0 {
            self.problem(line, || "anchors (&) are not offered".to_owned());
        }
        if tagged {
            self.problem(line, || "tags (!) are not offered".to_owned());
        }
    }

    fn scalar(&mut self, line: u32, column: u32, scalar: Scalar) -> Option<()> {
        let Some(Frame { content: Content::Map { lines, key: key @ None, .. }, .. }) = self.frames.last_mut() else {
            return self.place(Node { line, column, value: Value::Scalar(scalar) });
        };
        let text = scalar.text;
        let first = lines.get(&text).copied();
        if first.is_none() {
            lines.insert(text.clone(), line);
        }
        *key = Some(Key { text, line, column, dropped: first.is_some() });
        if let Some(first) = first {
            self.problem(line, || format!("this key stands in line {first} already"));
        }
        Some(())
    }

    fn begin(&mut self, line: u32, column: u32, anchor: usize, content: Content) -> Option<()> {
        if let Some(Frame { content: Content::Map { key: None, .. }, .. }) = self.frames.last() {
            return self.fatal(line, "a key must be text, not a list or mapping");
        }
        if self.frames.len() >= MAX_DEPTH {
            return self.fatal(line, &format!("lists and mappings nest deeper than {MAX_DEPTH}"));
        }
        self.frames.push(Frame { line, column, anchor, content });
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        let Frame { line, column, anchor, content } = self.frames.pop()?;
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map { members, .. } => Value::Map(members),
        };
        let node = Node { line, column, value };
        if let Some(anchors) = self.anchors.as_mut().filter(|_| anchor > 0) {
            anchors.insert(anchor, node.clone());
        }
        self.place(node)
    }

    /// Puts a value where it belongs.
    fn place(&mut self, node: Node) -> Option<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return self.fatal(node.line, &format!("there are more than {MAX_NODES} values"));
        }
        match self.frames.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { members, key, .. }) => {
                let Key { text, line, column, dropped } = key.take()?;
                if !dropped {
                    members.push(Member { key: text, line, column, value: node });
                }
            }
        }
        Some(())
    }

    fn finish(self) -> Option<Node> {
        match self.root {
            Some(root) if root.as_map().is_some() || (self.anchors.is_some() && !root.is_null()) => Some(root),
            Some(root) if !root.is_null() => {
                self.problems.add("", root.line, || "expects a mapping at the top".to_owned());
                None
            }
            _ => {
                self.problems.add("", 1, || "there is nothing in it".to_owned());
                None
            }
        }
    }

    fn problem(&mut self, line: u32, rule: impl FnOnce() -> String) {
        let path = self.path();
        self.problems.add(&path, line, rule);
    }

    fn fatal(&mut self, line: u32, rule: &str) -> Option<()> {
        self.problem(line, || rule.to_owned());
        None
    }

    /// The path of what is being read.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match &frame.content {
                Content::List(items) => path.push_str(&format!("[{}]", items.len())),
                Content::Map { key: Some(key), .. } => {
                    let dot = if path.is_empty() { "" } else { "." };
                    path.push_str(&format!("{dot}{}", clip(&key.text)));
                }
                Content::Map { key: None, .. } => {}
            }
        }
        path
    }
}
