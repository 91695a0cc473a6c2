//! Values as JavaScript writes them, in the code that pages of components have between their text. Only what stands
//! there as data is read: what would have to be computed is its last name, or nothing.

use std::{collections::BTreeMap, ops::Range};

use super::super::data;
use crate::manifest::node::{Member, Node, Scalar, Value};

/// How deep values may nest.
const MAX_DEPTH: usize = 24;
/// How many values one text may hold.
const MAX_NODES: usize = 200_000;

/// Reads values, from one place on.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    pub(super) at: usize,
    /// The line of the place up to which lines were counted.
    line: u32,
    counted: usize,
    nodes: usize,
    /// Where the last text began that does not end, by its quotation mark, and how far that was looked for: what begins
    /// within it does not end either.
    unended: BTreeMap<char, Range<usize>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, counted: 0, nodes: 0, unended: BTreeMap::new() }
    }

    /// The line of the place where it stands. Places come in order.
    pub(super) fn line(&mut self) -> u32 {
        let passed = self.text.as_bytes().get(self.counted..self.at).unwrap_or_default();
        let breaks = passed.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
        self.counted = self.counted.max(self.at);
        self.line
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Goes on behind a text, if it stands here.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let is_here = self.rest().starts_with(text);
        if is_here {
            self.at += text.len();
        }
        is_here
    }

    /// Goes on behind blanks and comments.
    pub(super) fn blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            let end = match () {
                () if trimmed.starts_with("//") => trimmed.find('\n'),
                () if trimmed.starts_with("/*") => trimmed.find("*/").map(|end| end + 2),
                () => return,
            };
            self.at += end.unwrap_or(trimmed.len());
        }
    }

    /// The characters here that fit.
    pub(super) fn word(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn node(&mut self, value: Value) -> Node {
        self.nodes += 1;
        Node { line: self.line(), column: 1, value }
    }

    fn text(&mut self, text: impl Into<String>, plain: bool) -> Node {
        self.node(Value::Scalar(Scalar { text: text.into(), plain }))
    }

    /// The value that stands here, up to the sign that ends it; none if there is none.
    pub(super) fn value(&mut self, depth: usize) -> Option<Node> {
        self.blanks();
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return None;
        }
        match self.peek()? {
            '[' => self.list(depth),
            '{' => self.map(depth),
            '(' => {
                self.at += 1;
                let inner = self.value(depth + 1);
                self.skip();
                self.eat(")").then_some(inner?)
            }
            quote @ ('"' | '\'' | '`') => {
                let mut whole = self.string(quote)?;
                // A long text is written in pieces.
                loop {
                    self.blanks();
                    if !self.eat("+") {
                        break;
                    }
                    self.blanks();
                    let Some(quote @ ('"' | '\'' | '`')) = self.peek() else { break };
                    whole.push_str(&self.string(quote)?);
                }
                Some(self.text(whole, false))
            }
            '<' => {
                let (text, link) = self.markup()?;
                let words = self.text(text, false);
                Some(match link {
                    None => words,
                    Some(link) => {
                        let link = self.text(link, false);
                        self.node(data::linked(words, link))
                    }
                })
            }
            c if c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '.') => Some(self.name()),
            _ => None,
        }
    }

    fn list(&mut self, depth: usize) -> Option<Node> {
        let mut list = self.node(Value::List(Vec::new()));
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.blanks();
            if self.eat("]") {
                list.value = Value::List(items);
                return Some(list);
            }
            if self.eat("...") {
                self.skip();
            } else if !self.rest().starts_with(',') {
                items.push(self.value(depth + 1)?);
                self.skip();
            }
            if !self.eat(",") && !self.rest().starts_with(']') {
                return None;
            }
        }
    }

    fn map(&mut self, depth: usize) -> Option<Node> {
        let mut map = self.node(Value::Map(Vec::new()));
        let mut members: Vec<Member> = Vec::new();
        self.at += 1;
        loop {
            self.blanks();
            if self.eat("}") {
                map.value = Value::Map(members);
                return Some(map);
            }
            if self.eat("...") {
                self.skip();
            } else {
                let line = self.line();
                let key = match self.peek()? {
                    quote @ ('"' | '\'' | '`') => self.string(quote)?,
                    _ => self.word(|c| c.is_alphanumeric() || matches!(c, '_' | '$')).to_owned(),
                };
                self.blanks();
                if key.is_empty() {
                    return None;
                }
                if self.eat(":") {
                    let value = self.value(depth + 1)?;
                    members.push(Member { key, line, column: 1, value });
                }
                // A name alone, or a function, is nothing to read.
                self.skip();
            }
            if !self.eat(",") && !self.rest().starts_with('}') {
                return None;
            }
        }
    }

    /// What stands between quotation marks.
    pub(super) fn string(&mut self, quote: char) -> Option<String> {
        if self.unended.get(&quote).is_some_and(|range| range.contains(&self.at)) {
            return None;
        }
        match self.quoted(quote) {
            Ok((text, length)) => {
                self.at += length;
                Some(text)
            }
            Err(length) => {
                self.unended.insert(quote, self.at..self.at + length);
                None
            }
        }
    }

    /// The text between quotation marks, and how far it is to its end; else how far there is none.
    fn quoted(&self, quote: char) -> Result<(String, usize), usize> {
        let mut out = String::new();
        let rest = self.rest();
        let mut chars = rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                _ if c == quote => return Ok((out, at + c.len_utf8())),
                '\\' => match chars.next().map_or(' ', |(_, next)| next) {
                    'n' | 't' | 'r' | '\n' => out.push(' '),
                    'u' => {
                        let code: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                        out.extend(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32));
                    }
                    other => out.push(other),
                },
                // Only a text in backticks goes on over lines.
                '\n' if quote != '`' => return Err(at),
                _ => out.push(c),
            }
        }
        Err(rest.len())
    }

    /// A number, a truth value, a name; of a call, the text that it is made with.
    fn name(&mut self) -> Node {
        let path = self.word(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | '-' | '?' | '!'));
        let is_number = path.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let last = if is_number { path } else { path.rsplit('.').next().unwrap_or_default() };
        let mut text = if last == "undefined" { "null".to_owned() } else { last.to_owned() };
        let before = self.at;
        if self.eat("(") {
            self.blanks();
            text = match self.peek() {
                Some(quote @ ('"' | '\'' | '`')) => self.string(quote).unwrap_or_default(),
                _ => String::new(),
            };
            self.at = before;
            self.skip();
        }
        self.text(text, true)
    }

    /// The text of an element, and where it links to first.
    fn markup(&mut self) -> Option<(String, Option<String>)> {
        let mut out = String::new();
        let mut link = None;
        let mut depth = 0_usize;
        loop {
            out.push_str(self.word(|c| !matches!(c, '<' | '{')));
            if self.eat("{") {
                self.blanks();
                if let Some(quote @ ('"' | '\'' | '`')) = self.peek() {
                    out.push_str(&self.string(quote)?);
                }
                self.skip();
                if !self.eat("}") {
                    return None;
                }
                continue;
            }
            if self.eat("</") {
                self.word(|c| c != '>');
                depth = depth.checked_sub(1)?;
            } else if self.eat("<") {
                depth += 1;
                let (is_whole, target) = self.tag_ends()?;
                link = link.or(target);
                if is_whole {
                    depth -= 1;
                }
            } else {
                return None;
            }
            if !self.rest().starts_with('>') {
                return None;
            }
            self.at += 1;
            if depth == 0 {
                return Some((out.trim().to_owned(), link));
            }
        }
    }

    /// Goes to the end of a tag; returns whether the element ends with it, and where it links to.
    fn tag_ends(&mut self) -> Option<(bool, Option<String>)> {
        let mut link = None;
        loop {
            let passed = self.word(|c| !matches!(c, '>' | '"' | '\'' | '{'));
            let is_target = passed.trim_end().ends_with("href=") || passed.trim_end().ends_with("to=");
            match self.peek()? {
                '>' => return Some((passed.ends_with('/'), link)),
                '{' => {
                    self.at += 1;
                    self.blanks();
                    if let Some(quote @ ('"' | '\'' | '`')) = self.peek().filter(|_| is_target) {
                        link = link.or(self.string(quote));
                    }
                    self.skip();
                    if !self.eat("}") {
                        return None;
                    }
                }
                quote => {
                    let value = self.string(quote)?;
                    link = link.or(Some(value).filter(|_| is_target));
                }
            }
        }
    }

    /// Goes on to the sign that ends a value, whatever stands before it.
    pub(super) fn skip(&mut self) {
        let mut open: Vec<char> = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                None => return,
                Some(quote @ ('"' | '\'' | '`')) => {
                    if self.string(quote).is_none() {
                        self.at += 1;
                    }
                }
                Some(',' | ']' | '}' | ')') if open.is_empty() => return,
                Some(c) => {
                    match c {
                        '[' => open.push(']'),
                        '{' => open.push('}'),
                        '(' => open.push(')'),
                        ']' | '}' | ')' if open.pop() != Some(c) => return,
                        _ => {}
                    }
                    self.at += c.len_utf8();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        Reader::new(text).value(0).map(|node| node.to_json().to_string())
    }

    #[test]
    fn data_in_code_is_read() {
        for (text, json) in [
            ("['a', \"b\", `c`, 1, -2.5, true, null, undefined,]", r#"["a","b","c",1,-2.5,true,null,null]"#),
            (
                "{ a: 'it\\'s', 'b-c': [{d: 1}], // no\n /* no */ e_1: x.y.Z, ...more, f() { return {} }, g }",
                r#"{"a":"it's","b-c":[{"d":1}],"e_1":"Z"}"#,
            ),
            ("{a: t('Hosting'), b: n => [n, 1], c: 2 as const}", r#"{"a":"Hosting","b":"n","c":2}"#),
            (
                "{a: <a href=\"x>y\">Acme{' '}<b>Inc</b></a>, b: <Icon n={1} />, c: 'one ' +\n 'two'}",
                r#"{"a":{"text":"Acme Inc","href":"x>y"},"b":"","c":"one two"}"#,
            ),
            ("{a: <b><Link to={`/x`} id=\"i\">Acme</Link></b>}", r#"{"a":{"text":"Acme","href":"/x"}}"#),
            ("([1])", "[1]"),
        ] {
            assert_eq!(read(text).as_deref(), Some(json), "{text}");
        }
        for text in ["[", "{a: 'b\n'}", "{a: [1}", "", ")", "<a>", &"[".repeat(100_000), &"{a:".repeat(100_000)] {
            assert_eq!(read(text), None, "{text:.20}");
        }
    }

    #[test]
    fn what_only_looks_like_the_beginning_of_a_text_is_passed() {
        for (text, json) in [
            ("{a: n => it's\n, b: 'c'}", r#"{"a":"n","b":"c"}"#),
            (r"{a: n => \'\'\', b: 1}", r#"{"a":"n","b":1}"#),
            ("{a: n => \"\n\"\n, b: 'c', d: \"e\"}", r#"{"a":"n","b":"c","d":"e"}"#),
        ] {
            assert_eq!(read(text).as_deref(), Some(json), "{text}");
        }
        // What is looked at again from further ahead ends there.
        let mut reader = Reader::new("'a' 'b");
        reader.at = 4;
        assert_eq!(reader.string('\''), None);
        reader.at = 0;
        assert_eq!((reader.string('\'').as_deref(), reader.at), (Some("a"), 3));
    }

    #[test]
    fn values_know_their_lines() {
        let mut reader = Reader::new("\n[\n {a: 1},\n {a: 2}]");
        let Some(Node { value: Value::List(items), line: 2, .. }) = reader.value(0) else { panic!("a list") };
        assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [3, 4]);
    }
}
