//! Markdown, with tables, footnotes, definition lists and front matter, and HTML wherever it stands in it; MDX, whose
//! components and arrays are read where they hold rows, and whose other expressions are left out.
//!
//! It becomes HTML, as Markdown is defined, and is read as such: a cell with a list in it and a table written as HTML
//! between paragraphs are all the same to the reader. The HTML has the lines of the source, so that what is read from
//! it knows its place.

mod aligned;
mod component;
mod literal;
mod template;

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::{
    Refusal, data, html, items,
    page::{Cell, Page},
};

/// Reads a page.
pub(super) fn read(text: &str) -> Result<Page, Refusal> {
    let (front, body) = split_front_matter(text);
    let above = text.len() - body.len();
    let lines = text[..above].matches('\n').count();
    let (body, taken) = component::take(&format!("{}{}", "\n".repeat(lines), template::without_comments(body)));
    let mut page = html::read(&to_html(&aligned::tables(&template::without(&body))))?;
    for list in taken.into_iter().rev() {
        let at = page.blocks.iter().position(|block| block.line() > list.line).unwrap_or(page.blocks.len());
        page.blocks.splice(at..at, list.blocks);
    }
    // What is no data is no reason to refuse the text below it.
    if let Some(front) = front.and_then(|front| data::read(&format!("\n{front}")).ok()) {
        page.title = front.title.or(page.title);
        page.dated = front.dated;
        page.front = front.blocks;
    }
    Ok(page)
}

/// A text with its links and what is bold in it, from Markdown or HTML.
pub(super) fn inline(text: &str) -> Option<Cell> {
    html::cell(&to_html(text)).filter(|cell| !cell.is_empty())
}

/// The data between `---` lines at the top, and what is below it.
fn split_front_matter(text: &str) -> (Option<&str>, &str) {
    let rest = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n"));
    let Some(rest) = rest else { return (None, text) };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            return (Some(&rest[..at]), &rest[at + line.len()..]);
        }
        at += line.len();
    }
    (None, text)
}

fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM
}

/// Markdown as HTML with the same lines.
fn to_html(source: &str) -> String {
    let starts = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut writer = Writer {
        source,
        starts,
        out: String::with_capacity(source.len() * 2),
        line: 0,
        cell: "td",
        end: 0,
        raw: false,
    };
    for (event, range) in Parser::new_ext(source, options()).into_offset_iter() {
        writer.event(event, range);
    }
    writer.out
}

struct Writer<'a> {
    source: &'a str,
    /// Where each line of the source begins.
    starts: Vec<usize>,
    out: String,
    /// Line ends written so far.
    line: usize,
    /// The element of the cells of this row.
    cell: &'static str,
    /// Where the last cell ended.
    end: usize,
    /// Whether text is written as it is.
    raw: bool,
}

impl Writer<'_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => {
                self.reach(range.start);
                self.start(&tag, &range);
            }
            Event::End(tag) => self.end(tag, &range),
            Event::Text(text) if self.raw => self.write(&text),
            Event::Text(text) => {
                self.reach(range.start);
                self.text(&text);
            }
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text),
            Event::Html(html) | Event::InlineHtml(html) => {
                self.reach(range.start);
                self.write(&template::close_components(&html));
            }
            // The mark as it stands: part of the words.
            Event::FootnoteReference(label) => self.text(&format!("[^{label}]")),
            // A line that says one thing ("Location: Germany") was meant to be a line.
            Event::SoftBreak if items::begins_with_key(self.source.get(range.end..).unwrap_or_default()) => {
                self.write("<br>\n");
            }
            Event::SoftBreak => self.write("\n"),
            Event::HardBreak => self.write("<br>"),
            Event::Rule => self.write("<hr>"),
            Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, range: &Range<usize>) {
        match tag {
            Tag::Paragraph => self.write("<p>"),
            Tag::Heading { level, .. } => self.write(&format!("<{level}>")),
            Tag::BlockQuote(_) => self.write("<blockquote>"),
            Tag::CodeBlock(kind) => {
                // HTML that is indented behind an empty line counts as code, which its author did not mean.
                let text = self.source.get(range.clone()).unwrap_or_default().trim_start();
                let is_markup = ["<t", "</t", "<l", "</l", "</u", "</o", "</d"].iter().any(|tag| text.starts_with(tag));
                self.raw = matches!(kind, CodeBlockKind::Indented) && is_markup;
                if !self.raw {
                    self.write("<pre>");
                }
            }
            Tag::List(start) => {
                let tag = if start.is_some() { "ol" } else { "ul" };
                let starred = self.source.get(range.clone()).is_some_and(|text| text.trim_start().starts_with('*'));
                let mark = if starred { format!(" {}", html::STARRED) } else { String::new() };
                self.write(&format!("<{tag}{mark}>"));
            }
            Tag::Item => self.write("<li>"),
            Tag::FootnoteDefinition(label) => {
                let label = label.replace('&', "&amp;").replace('"', "&quot;");
                self.write(&format!("<div {}=\"[^{label}]\">", html::FOOTNOTE));
            }
            Tag::DefinitionList => self.write("<dl>"),
            Tag::DefinitionListTitle => self.write("<dt>"),
            Tag::DefinitionListDefinition => self.write("<dd>"),
            Tag::Table(_) => self.write("<table>"),
            Tag::TableHead => {
                self.cell = "th";
                self.end = range.start;
                self.write("<thead><tr>");
            }
            Tag::TableRow => {
                self.cell = "td";
                self.end = range.start;
                self.write("<tr>");
            }
            Tag::TableCell => self.write(&format!("<{}>", self.cell)),
            Tag::Strong => self.write("<strong>"),
            Tag::Strikethrough => self.write("<del>"),
            Tag::Superscript => self.write("<sup>"),
            Tag::Link { dest_url, .. } => {
                self.write("<a href=\"");
                self.text(dest_url);
                self.write("\">");
            }
            Tag::Image { .. } => self.write("<span>"),
            Tag::Emphasis | Tag::Subscript | Tag::HtmlBlock | Tag::MetadataBlock(_) => {}
        }
    }

    fn end(&mut self, tag: TagEnd, range: &Range<usize>) {
        match tag {
            TagEnd::Paragraph => self.write("</p>"),
            TagEnd::Heading(level) => self.write(&format!("</{level}>")),
            TagEnd::BlockQuote(_) => self.write("</blockquote>"),
            TagEnd::CodeBlock if self.raw => self.raw = false,
            TagEnd::CodeBlock => self.write("</pre>"),
            TagEnd::List(ordered) => self.write(if ordered { "</ol>" } else { "</ul>" }),
            TagEnd::Item => self.write("</li>"),
            TagEnd::FootnoteDefinition => self.write("</div>"),
            TagEnd::DefinitionList => self.write("</dl>"),
            TagEnd::DefinitionListTitle => self.write("</dt>"),
            TagEnd::DefinitionListDefinition => self.write("</dd>"),
            TagEnd::Table => self.write("</table>"),
            TagEnd::TableHead => {
                self.extra_cells(range);
                self.write("</tr></thead>");
            }
            TagEnd::TableRow => {
                self.extra_cells(range);
                self.write("</tr>");
            }
            TagEnd::TableCell => {
                self.end = self.end.max(range.end);
                let cell = self.cell;
                self.write(&format!("</{cell}>"));
            }
            TagEnd::Strong => self.write("</strong>"),
            TagEnd::Strikethrough => self.write("</del>"),
            TagEnd::Superscript => self.write("</sup>"),
            TagEnd::Link => self.write("</a>"),
            TagEnd::Image => self.write("</span>"),
            TagEnd::Emphasis | TagEnd::Subscript | TagEnd::HtmlBlock | TagEnd::MetadataBlock(_) => {}
        }
    }

    /// Cells beyond the table's columns, which Markdown drops: they would be lost.
    fn extra_cells(&mut self, row: &Range<usize>) {
        let rest = self.source.get(self.end..row.end).unwrap_or_default();
        let rest = rest.trim_end().trim_start_matches(|c: char| c == '|' || c.is_whitespace());
        if rest.is_empty() {
            return;
        }
        let rest = rest.strip_suffix('|').unwrap_or(rest).replace("\\|", "\u{1a}");
        for text in rest.split('|') {
            let cell = self.cell;
            self.write(&format!("<{cell}>"));
            self.text(&text.replace('\u{1a}', "|"));
            self.write(&format!("</{cell}>"));
        }
    }

    /// Writes line ends until this is the line of a position of the source.
    fn reach(&mut self, position: usize) {
        let wanted = self.starts.partition_point(|start| *start <= position).saturating_sub(1);
        while self.line < wanted {
            self.write("\n");
        }
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                _ => self.out.push(c),
            }
        }
        self.line += text.matches('\n').count();
    }

    fn write(&mut self, html: &str) {
        self.out.push_str(html);
        self.line += html.matches('\n').count();
    }
}
