//! Text into the parser, tag by tag.
//!
//! The parser compares each attribute of a tag with all before it, so that one tag of a million would hold it for hours.
//! A tag is therefore measured before it gets it. What is a tag, and what is text of a script or part of a comment,
//! only the parser knows: it is watched.

use std::cell::{Cell, RefCell};

use html5ever::{
    LocalName, TokenizerResult,
    interface::TreeSink,
    tendril::StrTendril,
    tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts},
    tree_builder::{TreeBuilder, TreeBuilderOpts},
};

use super::{super::Refusal, Handle, Sink};

/// Attributes of a tag.
const MAX_ATTRIBUTES: usize = 2_000;
/// Bytes that are parsed before the limits are looked at again.
const PIECE: usize = 16 * 1024;

/// Parses a page.
pub(super) fn parse(text: &str) -> Result<Sink, Refusal> {
    let builder = TreeBuilder::new(Sink::default(), TreeBuilderOpts::default());
    let watch = Watch { builder, texts: Cell::new(0), marks: Cell::new(0), raw: RefCell::new(None) };
    let tokenizer = Tokenizer::new(watch, TokenizerOpts::default());
    let mut feeder = Feeder { text, at: 0, unchecked: 0, tokenizer, input: BufferQueue::default() };
    while feeder.at < text.len() {
        let raw = feeder.watch().raw.borrow().clone();
        match raw {
            None => feeder.markup()?,
            Some(name) => feeder.raw(&name)?,
        }
    }
    feeder.tokenizer.end();
    let sink = feeder.tokenizer.sink.builder.sink.finish();
    sink.check()?;
    Ok(sink)
}

struct Feeder<'a> {
    text: &'a str,
    /// How much of it the parser has.
    at: usize,
    unchecked: usize,
    tokenizer: Tokenizer<Watch>,
    input: BufferQueue,
}

impl<'a> Feeder<'a> {
    fn watch(&self) -> &Watch {
        &self.tokenizer.sink
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Gives the parser the next bytes.
    fn feed(&mut self, length: usize) -> Result<(), Refusal> {
        let end = self.at.saturating_add(length).min(self.text.len());
        while self.at < end {
            let mut to = end.min(self.at + PIECE);
            while !self.text.is_char_boundary(to) {
                to += 1;
            }
            self.input.push_back(StrTendril::from_slice(self.text.get(self.at..to).unwrap_or_default()));
            while let TokenizerResult::Script(_) = self.tokenizer.feed(&self.input) {}
            self.unchecked += to - self.at;
            self.at = to;
            if self.unchecked >= PIECE {
                self.unchecked = 0;
                self.watch().builder.sink.check()?;
            }
        }
        Ok(())
    }

    /// Feeds what comes next where text and tags are: one of them.
    fn markup(&mut self) -> Result<(), Refusal> {
        let rest = self.rest();
        let Some(inside) = rest.strip_prefix('<') else { return self.feed(rest.find('<').unwrap_or(rest.len())) };
        let named = inside.strip_prefix('/').unwrap_or(inside);
        if named.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return self.tag(rest);
        }
        if inside.starts_with("![CDATA[") && self.watch().adjusted_current_node_present_but_not_in_html_namespace() {
            return self.feed(rest.find("]]>").map_or(rest.len(), |end| end + 3));
        }
        if !inside.starts_with(['!', '?', '/']) || inside.starts_with("/>") {
            return self.feed(1);
        }
        // A comment, or what is taken for one: it ends where the parser says so.
        let before = self.watch().marks.get();
        while self.watch().marks.get() == before && self.at < self.text.len() {
            let rest = self.rest();
            self.feed(rest.find('>').map_or(rest.len(), |end| end + 1))?;
        }
        Ok(())
    }

    /// Feeds the text of an element that holds nothing else, and the tag at its end.
    fn raw(&mut self, name: &str) -> Result<(), Refusal> {
        let rest = self.rest();
        let is_end = |at: &usize| {
            let behind = rest.get(at + 2..at + 2 + name.len()).filter(|end| end.eq_ignore_ascii_case(name));
            behind.is_some() && rest[at + 2 + name.len()..].starts_with(['\t', '\n', '\x0c', ' ', '/', '>'])
        };
        let Some(end) = rest.match_indices("</").map(|(at, _)| at).find(is_end) else { return self.feed(rest.len()) };
        self.feed(end)?;
        let before = self.watch().texts.get();
        let tag = self.rest();
        let length = measure(tag).map_err(|()| self.refusal())?;
        let begin = name.len() + 3;
        self.feed(begin)?;
        // In a script inside a comment of a script it is text.
        if self.watch().texts.get() == before { self.feed(length.saturating_sub(begin)) } else { Ok(()) }
    }

    fn tag(&mut self, tag: &str) -> Result<(), Refusal> {
        let length = measure(tag).map_err(|()| self.refusal())?;
        self.feed(length)
    }

    fn refusal(&self) -> Refusal {
        let line = 1 + self.text.get(..self.at).unwrap_or_default().matches('\n').count();
        Refusal::new(format!("line {line}: a tag has more than {MAX_ATTRIBUTES} attributes, or does not end"))
    }
}

/// Where the parser is inside a tag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Name,
    Before,
    Attribute,
    After,
    BeforeValue,
    Value,
    Quoted(u8),
    AfterQuoted,
}

/// The length of the tag with which a text begins, as the parser takes it; an error if it has too many attributes.
fn measure(tag: &str) -> Result<usize, ()> {
    let mut place = Place::Name;
    let mut attributes = 0;
    let name = tag.len() - tag.trim_start_matches(['<', '/']).len();
    for (at, byte) in tag.bytes().enumerate().skip(name) {
        let is_blank = matches!(byte, b'\t' | b'\n' | b'\x0c' | b' ');
        place = match (place, byte) {
            (Place::Quoted(quote), _) if byte == quote => Place::AfterQuoted,
            (Place::Quoted(_), _) => place,
            (_, b'>') => return Ok(at + 1),
            (Place::BeforeValue, b'"' | b'\'') => Place::Quoted(byte),
            (Place::BeforeValue, _) if is_blank => place,
            (Place::BeforeValue, _) => Place::Value,
            (Place::Value, _) if !is_blank => place,
            (Place::Attribute, _) if is_blank => Place::After,
            (Place::After, _) if is_blank => place,
            (Place::Attribute | Place::After, b'=') => Place::BeforeValue,
            (_, b'/') => Place::Before,
            (_, _) if is_blank => Place::Before,
            (Place::Name | Place::Attribute, _) => place,
            (_, _) => {
                attributes += 1;
                if attributes > MAX_ATTRIBUTES {
                    return Err(());
                }
                Place::Attribute
            }
        };
    }
    Ok(tag.len())
}

/// The builder of the tree, and what the parser last said to it.
struct Watch {
    builder: TreeBuilder<Handle, Sink>,
    texts: Cell<usize>,
    /// Tags, comments and the like.
    marks: Cell<usize>,
    /// The element whose text is being read, if it is one that holds no markup.
    raw: RefCell<Option<LocalName>>,
}

impl TokenSink for Watch {
    type Handle = Handle;

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<Handle> {
        let mut begun = None;
        match &token {
            Token::TagToken(tag) => {
                self.marks.set(self.marks.get() + 1);
                begun = (tag.kind == TagKind::StartTag).then(|| tag.name.clone());
                *self.raw.borrow_mut() = None;
            }
            Token::CommentToken(_) | Token::DoctypeToken(_) => self.marks.set(self.marks.get() + 1),
            Token::CharacterTokens(_) | Token::NullCharacterToken => self.texts.set(self.texts.get() + 1),
            Token::EOFToken | Token::ParseError(_) => {}
        }
        let result = self.builder.process_token(token, line);
        if matches!(result, TokenSinkResult::RawData(_) | TokenSinkResult::Plaintext) {
            *self.raw.borrow_mut() = begun;
        }
        result
    }

    fn end(&self) {
        self.builder.end();
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.builder.adjusted_current_node_present_but_not_in_html_namespace()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_ends_where_the_parser_ends_it() {
        for (tag, length) in [
            ("<p>x", 3),
            ("<p a='>' b=\">\">x", 15),
            ("<p a=b'>x", 8),
            ("<p=\"x>\">", 6),
            ("<p a = \">\"/>x", 12),
            ("<p \"a>\">", 6),
            ("</p a=\">\">x", 10),
            ("<p a=>x", 6),
            ("<p a", 4),
        ] {
            assert_eq!(measure(tag), Ok(length), "{tag}");
        }
        let many = |joint: &str| format!("<p {}>", format!("a=''{joint}").repeat(MAX_ATTRIBUTES + 1));
        for joint in [" ", "/", "", "\n"] {
            assert_eq!(measure(&many(joint)), Err(()), "{joint:?}");
        }
        assert!(measure(&format!("<p a='{}'>", "b ".repeat(MAX_ATTRIBUTES * 2))).is_ok());
    }

    #[test]
    fn whatever_hides_a_tag_its_attributes_are_counted() {
        let endless = format!("<p {}", (0..=MAX_ATTRIBUTES).map(|n| format!("a{n} ")).collect::<String>());
        for before in [
            "",
            "<!-->",
            "<!--->",
            "<!-- x --!>",
            "<!-- > -->",
            "<title><!--</title>",
            "<textarea><script></textarea>",
            "<svg><style>",
            "<svg><![CDATA[ <p> ]]>",
            "<svg><!--</svg>--><style>",
            "<svg><p><title><!--</title>",
            "</>",
            "<script><!-- <script> </script> --></script>",
            "<style></style/>",
            "<? x >",
            "<a=\">",
        ] {
            let text = format!("{before}{endless}");
            assert!(parse(&text).is_err_and(|refusal| refusal.message.contains("attributes")), "{before}");
        }
        let attributes = &endless[3..];
        for begin in ["<script ", "<style ", "</p ", "<script></script ", "<title></title ", "<svg><script "] {
            let text = format!("{begin}{attributes}");
            assert!(parse(&text).is_err_and(|refusal| refusal.message.contains("attributes")), "{begin}");
        }
        for (begin, end) in [
            ("<script>", "</script>"),
            ("<!--", "-->"),
            ("<style>", "</style>"),
            ("<title>", "</title>"),
            ("<p a='", "'>"),
            ("<script><!-- <script> </script>", "--></script>"),
            ("<svg><![CDATA[", "]]>"),
            ("<plaintext>", ""),
        ] {
            let text = format!("{begin}{endless}{end}<p>x");
            assert!(parse(&text).is_ok(), "{begin}");
        }
    }
}
