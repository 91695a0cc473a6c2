//! HTML pages. What frames a page (navigation, header, footer, scripts) is not read, but for headings of the header.

mod grid;
mod list;
mod script;
mod span;
mod table;

use span::Spans;
pub(super) use table::{MAX_COLUMNS, MAX_ROWS};

use super::{
    Refusal,
    dom::{Dom, Id, Kind},
    page::{Block, Cell, Page, Run},
    text,
};
use crate::resource::text::SHORT_BYTES;

/// How deep reading goes: deeper than elements nest as they are opened, since repairs can move them.
const MAX_DEPTH: usize = 900;

/// The longest cell that is read, in bytes: longer than any field.
const MAX_CELL: usize = 64 * 1024;

/// A bold paragraph of at most so many characters is a heading.
const SHORT_HEADING: usize = 80;

/// Marks the paragraph of a footnote, its value the footnote's label.
pub(super) const FOOTNOTE: &str = "data-footnote";
/// Marks a list whose items begin with `*`.
pub(super) const STARRED: &str = "data-starred";

/// Reads a page.
pub(super) fn read(text: &str) -> Result<Page, Refusal> {
    let dom = Dom::parse(text)?;
    let mut page = Page::default();
    let title = dom.descendants(Dom::ROOT).find(|id| dom.tag(*id) == "title");
    let spans = Spans::default();
    page.title = title.map(|id| Reader::new(&dom, &spans).cell(id).text()).filter(|title| !title.is_empty());
    let mut reader = Reader::new(&dom, &spans);
    reader.flow(Dom::ROOT, &Style::default(), 0);
    reader.flush();
    spans.within_limits()?;
    page.blocks = reader.blocks;
    page.notes = reader.notes;
    page.embedded = script::data(&dom);
    Ok(page)
}

/// A text of a page as one cell; none if it cannot be read.
pub(super) fn cell(text: &str) -> Option<Cell> {
    let dom = Dom::parse(text).ok()?;
    Some(Reader::new(&dom, &Spans::default()).cell(Dom::ROOT))
}

/// How a text is styled where it stands.
#[derive(Debug, Clone, Default)]
struct Style {
    link: Option<String>,
    strong: bool,
    raised: bool,
    struck: bool,
    /// Inside a page's header: only headings are read.
    header: bool,
}

/// Reads a tree into blocks.
struct Reader<'a> {
    dom: &'a Dom,
    blocks: Vec<Block>,
    /// The paragraph that is being read.
    paragraph: Cell,
    notes: Vec<(u32, String)>,
    /// Of the whole page: tables inside cells have readers of their own.
    spans: &'a Spans,
}

/// What elements are to the flow of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Not shown, or not part of what the page says.
    Skipped,
    Heading(u8),
    Table,
    List,
    Terms,
    Break,
    /// Stands apart from what is before and after it.
    Apart,
    Inline,
}

impl<'a> Reader<'a> {
    fn new(dom: &'a Dom, spans: &'a Spans) -> Self {
        Self { dom, blocks: Vec::new(), paragraph: Cell::default(), notes: Vec::new(), spans }
    }

    fn role(&self, id: Id) -> Role {
        match self.dom.attribute(id, "role") {
            Some("table" | "grid" | "treegrid") => return Role::Table,
            Some("list") if self.dom.children(id).iter().any(|child| self.is_item(*child)) => return Role::List,
            Some("navigation" | "banner" | "contentinfo" | "search" | "menu" | "menubar" | "tablist") => {
                return Role::Skipped;
            }
            // What opens the panel below it names it.
            _ if self.opens_panel(id) => return Role::Heading(7),
            Some("heading") => {
                let level = self.dom.attribute(id, "aria-level").and_then(|level| level.parse().ok());
                return Role::Heading(level.unwrap_or(2).clamp(1, 6));
            }
            _ => {}
        }
        match self.dom.tag(id) {
            "script" | "style" | "noscript" | "template" | "nav" | "footer" | "iframe" | "object" | "select"
            | "textarea" | "button" | "canvas" | "audio" | "video" | "map" | "datalist" | "title" | "dialog" => {
                Role::Skipped
            }
            "h1" => Role::Heading(1),
            "h2" => Role::Heading(2),
            "h3" => Role::Heading(3),
            "h4" => Role::Heading(4),
            "h5" => Role::Heading(5),
            "h6" => Role::Heading(6),
            "summary" | "legend" => Role::Heading(7),
            "table" => Role::Table,
            "ul" | "ol" | "menu" | "dir" => Role::List,
            "dl" => Role::Terms,
            "br" | "hr" => Role::Break,
            "html" | "body" | "main" | "header" | "article" | "section" | "aside" | "div" | "p" | "blockquote"
            | "pre" | "figure" | "figcaption" | "details" | "form" | "fieldset" | "address" | "center" | "li"
            | "dt" | "dd" | "td" | "th" | "tr" | "thead" | "tbody" | "tfoot" | "caption" | "head" | "hgroup"
            | "option" => Role::Apart,
            _ => Role::Inline,
        }
    }

    /// Whether an element is a label set beside a text: "New", "Optional".
    fn is_badge(&self, id: Id) -> bool {
        let class = self.dom.attribute(id, "class").unwrap_or_default().to_ascii_lowercase();
        class.split(|c: char| !c.is_ascii_alphabetic()).any(|word| matches!(word, "badge" | "chip" | "pill"))
    }

    /// Whether a button shows and hides what stands below it, as those of accordions do.
    fn opens_panel(&self, id: Id) -> bool {
        let dom = self.dom;
        let class = || dom.attribute(id, "class").unwrap_or_default().to_ascii_lowercase();
        dom.tag(id) == "button"
            && (dom.attribute(id, "aria-expanded").is_some()
                || ["accordion", "collaps"].iter().any(|word| class().contains(word)))
    }

    /// Reads what is below a node.
    fn flow(&mut self, id: Id, style: &Style, depth: usize) {
        if depth > MAX_DEPTH {
            let line = self.dom.line(id);
            if self.notes.last().is_none_or(|(last, _)| *last != line) {
                self.notes.push((line, "elements nest too deep; what is below them was not read".to_owned()));
            }
            return;
        }
        self.these(self.dom.children(id), style, depth);
    }

    fn these(&mut self, children: &[Id], style: &Style, depth: usize) {
        let mut taken = 0;
        for (at, child) in children.iter().enumerate() {
            if at < taken {
                continue;
            }
            if let Some((table, used)) = children.get(at..).and_then(|rest| self.grid(rest)).filter(|_| !style.header) {
                self.flush();
                self.blocks.push(Block::Table(table));
                taken = at + used;
                continue;
            }
            match self.dom.kind(*child) {
                Kind::Text(text) => self.push(*child, text, style),
                Kind::Element(_) => self.element(*child, style, depth),
                Kind::Other => {}
            }
        }
    }

    fn element(&mut self, id: Id, style: &Style, depth: usize) {
        let role = self.role(id);
        let only_headings = style.header && !matches!(role, Role::Heading(_) | Role::Apart | Role::Inline);
        match role {
            Role::Skipped => {}
            _ if only_headings => {}
            Role::Heading(level) => {
                self.flush();
                self.heading(id, level, style, depth);
            }
            Role::Table => {
                self.flush();
                self.table(id, depth);
            }
            Role::List | Role::Terms => {
                self.flush();
                self.any_list(id, role == Role::Terms, style, depth);
            }
            Role::Break => push_run(&mut self.paragraph, "\n", &Style::default(), 0),
            Role::Apart => {
                self.flush();
                if let Some(mark) = self.dom.attribute(id, FOOTNOTE) {
                    let (mark, text) = (mark.to_owned(), self.cell(id).text());
                    self.blocks.push(Block::Footnote { mark, text, line: self.dom.line(id) });
                    return;
                }
                let header = style.header || self.dom.tag(id) == "header";
                self.flow(id, &Style { header, ..style.clone() }, depth + 1);
                self.flush();
            }
            Role::Inline => {
                let style = self.restyle(id, style);
                self.flow(id, &style, depth + 1);
            }
        }
    }

    /// A heading. What follows one that is not closed stands inside it: only its text up to there is its own.
    fn heading(&mut self, id: Id, level: u8, style: &Style, depth: usize) {
        let stands_apart = |child: &Id| {
            !matches!(self.role(*child), Role::Inline | Role::Break | Role::Skipped | Role::Apart)
                && !self.opens_panel(*child)
        };
        let children = self.dom.children(id);
        let end = children.iter().position(stands_apart).unwrap_or(children.len());
        let mut cell = Cell { line: self.dom.line(id), ..Cell::default() };
        let mut gather =
            Gather { reader: self, cell: &mut cell, bytes: 0, floor: 0, in_item: false, images: Vec::new() };
        gather.these(&children[..end], &Style::default(), 0, true);
        let text = cell.text();
        // Permanent links to headings.
        let text = text.trim_end_matches([' ', '#', '¶', '🔗', '§']).to_owned();
        if !text.is_empty() {
            self.blocks.push(Block::Heading { level, text, line: self.dom.line(id) });
        }
        let rest = children[end..].to_vec();
        self.these(&rest, &Style { header: style.header, ..Style::default() }, depth + 1);
        self.flush();
    }

    /// The style below an inline element.
    fn restyle(&self, id: Id, style: &Style) -> Style {
        let mut style = style.clone();
        match self.dom.tag(id) {
            "a" => {
                let target = self.dom.attribute(id, "href").map(|href| text::collapse(href).replace(' ', "%20"));
                style.link = target.filter(|href| !href.is_empty()).or(style.link);
            }
            "strong" | "b" => style.strong = true,
            "sup" => style.raised = true,
            "del" | "s" | "strike" => style.struck = true,
            _ => {}
        }
        style
    }

    fn push(&mut self, id: Id, text: &str, style: &Style) {
        if style.header {
            return;
        }
        // An address that no field could hold stands at each piece of what it is linked to.
        let long = style.link.as_ref().map(String::len).filter(|length| *length > SHORT_BYTES);
        if long.is_some_and(|length| !self.spans.spend(length)) {
            return;
        }
        let line = self.dom.line(id);
        push_text(&mut self.paragraph, line, text, style, 0);
    }

    /// Ends the paragraph.
    fn flush(&mut self) {
        let cell = std::mem::take(&mut self.paragraph);
        if cell.is_empty() {
            return;
        }
        let line = cell.line;
        let whole = cell.text();
        let heading = cell.is_strong()
            && whole.chars().count() <= SHORT_HEADING
            && !whole.ends_with('.')
            && !whole.chars().any(|c| c.is_ascii_digit());
        if heading {
            let text = whole.trim_end_matches([':', ' ']).to_owned();
            self.blocks.push(Block::Heading { level: 7, text, line });
        } else {
            self.blocks.push(Block::Text(cell));
        }
    }

    /// All the text below a node as one cell: breaks and blocks are line breaks, items of lists are kept apart too.
    fn cell(&self, id: Id) -> Cell {
        let mut cell = Cell { line: self.dom.line(id), ..Cell::default() };
        let mut gather =
            Gather { reader: self, cell: &mut cell, bytes: 0, floor: 0, in_item: false, images: Vec::new() };
        gather.below(id, &Style::default(), 0, true);
        let images = gather.images;
        if cell.is_empty() && !images.is_empty() {
            cell.runs = vec![Run { text: images.join(" "), ..Run::default() }];
        }
        cell
    }

    fn is_item(&self, id: Id) -> bool {
        self.dom.tag(id) == "li" || self.dom.attribute(id, "role") == Some("listitem")
    }

    /// Whether a node holds headings or tables.
    fn holds_structure(&self, id: Id) -> bool {
        self.dom.descendants(id).any(|child| matches!(self.role(child), Role::Table | Role::Heading(1..=6)))
    }
}

/// Adds the text of a node to a cell. Only elements break lines: a line end in the source is a blank.
fn push_text(cell: &mut Cell, line: u32, text: &str, style: &Style, floor: usize) {
    if cell.is_empty() && !text.trim().is_empty() {
        // The line of the first word, not of the blanks before it.
        let leading = text.len() - text.trim_start().len();
        let breaks = text[..leading].matches('\n').count();
        cell.line = line.saturating_add(u32::try_from(breaks).unwrap_or(0));
    }
    push_run(cell, &text.replace(['\n', '\r'], " "), style, floor);
}

/// Adds text to the last run if that is of the same style, and not below `floor`; else as a new one.
fn push_run(cell: &mut Cell, text: &str, style: &Style, floor: usize) {
    let count = cell.runs.len();
    match cell.runs.last_mut() {
        Some(last)
            if count > floor
                && last.link == style.link
                && last.strong == style.strong
                && last.raised == style.raised
                && last.struck == style.struck =>
        {
            last.text.push_str(text);
        }
        _ => cell.runs.push(Run {
            text: text.to_owned(),
            link: style.link.clone(),
            strong: style.strong,
            raised: style.raised,
            struck: style.struck,
        }),
    }
}

/// Gathers the text below a node.
struct Gather<'a, 'b> {
    reader: &'a Reader<'a>,
    cell: &'b mut Cell,
    bytes: usize,
    /// Runs before this one are finished.
    floor: usize,
    in_item: bool,
    images: Vec<String>,
}

impl Gather<'_, '_> {
    /// `lists`: whether lists are read too, or left to be items of their own.
    fn below(&mut self, id: Id, style: &Style, depth: usize, lists: bool) {
        if depth > MAX_DEPTH {
            return;
        }
        self.these(self.reader.dom.children(id), style, depth, lists);
    }

    fn these(&mut self, children: &[Id], style: &Style, depth: usize, lists: bool) {
        for child in children {
            if self.bytes > MAX_CELL {
                return;
            }
            match self.reader.dom.kind(*child) {
                Kind::Text(text) => {
                    self.bytes += text.len() + style.link.as_ref().map_or(0, String::len);
                    push_text(self.cell, self.reader.dom.line(*child), text, style, self.floor);
                }
                Kind::Element(tag) => self.element(*child, tag, style, depth, lists),
                Kind::Other => {}
            }
        }
    }

    fn element(&mut self, id: Id, tag: &str, style: &Style, depth: usize, lists: bool) {
        let plain = Style::default();
        match self.reader.role(id) {
            Role::Skipped => {}
            Role::List | Role::Terms if !lists => {}
            Role::Inline if tag == "img" => {
                let text = self.reader.dom.attribute(id, "alt").map(text::collapse).unwrap_or_default();
                if !text.is_empty() && self.images.len() < 10 {
                    self.images.push(text);
                }
            }
            Role::Inline => {
                if self.reader.is_badge(id) {
                    push_run(self.cell, "\n", &plain, self.floor);
                }
                let style = self.reader.restyle(id, style);
                self.below(id, &style, depth + 1, lists);
            }
            Role::Break => push_run(self.cell, "\n", &plain, self.floor),
            Role::Apart if matches!(tag, "li" | "dd" | "dt") && !self.in_item => {
                let joint = if self.cell.items.is_empty() { "\n" } else { "; " };
                push_run(self.cell, joint, &plain, self.floor);
                self.in_item = true;
                self.floor = self.cell.runs.len();
                self.below(id, style, depth + 1, lists);
                self.in_item = false;
                let item: String = self.cell.runs.iter().skip(self.floor).map(|run| run.text.as_str()).collect();
                self.cell.items.push(text::collapse(&item));
            }
            _ => {
                push_run(self.cell, "\n", &plain, self.floor);
                self.below(id, style, depth + 1, lists);
                push_run(self.cell, "\n", &plain, self.floor);
            }
        }
    }
}
