//! What a page is read into, whatever its format: headings, paragraphs, tables and lists in their order, every text as
//! it stands and every one with its line.

use super::text;

/// A page.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Its title: of the document, of its front matter, of the data.
    pub(super) title: Option<String>,
    /// A date that the page's own data gives itself, with its words and line.
    pub(super) dated: Option<(String, u32)>,
    /// What its front matter holds, which mostly is for the generator of the page and not for its readers.
    pub(super) front: Vec<Block>,
    /// What stands on it.
    pub(super) blocks: Vec<Block>,
    /// Data that its scripts hold, each with its line: pages are made of it that show nothing before scripts run.
    pub(super) embedded: Vec<(u32, String)>,
    /// What a reader should know of how it was read.
    pub(super) notes: Vec<(u32, String)>,
}

/// A part of a page.
#[derive(Debug)]
pub(super) enum Block {
    /// A heading; level 7 is a paragraph that looks like one.
    Heading { level: u8, text: String, line: u32 },
    /// A paragraph.
    Text(Cell),
    /// A table.
    Table(Table),
    /// A bullet list, a numbered list, or a list of terms.
    List(List),
    /// A footnote with its mark.
    Footnote { mark: String, text: String, line: u32 },
}

/// A table.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Its first line.
    pub(super) line: u32,
    /// Its own heading.
    pub(super) caption: Option<String>,
    /// Column headings; none if it does not say which row holds them.
    pub(super) header: Vec<Cell>,
    /// Its rows.
    pub(super) rows: Vec<Row>,
    /// How many rows there are: more than are kept, if there are far too many.
    pub(super) count: usize,
    /// What it was made of.
    pub(super) origin: Origin,
    /// What stands inside its cells beside text: tables inside tables, pages laid out by tables.
    pub(super) inner: Vec<Block>,
}

/// What a table was made of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A table of the page.
    #[default]
    Table,
    /// Headings with keyed lines below each.
    Keyed,
    /// Headings with sentences below each.
    Told,
}

/// A row.
#[derive(Debug, Default, Clone)]
pub(super) struct Row {
    /// Its line.
    pub(super) line: u32,
    /// Its cells.
    pub(super) cells: Vec<Cell>,
    /// The heading under which it stands inside its table.
    pub(super) section: Option<String>,
    /// Whether all its cells are headings of columns.
    pub(super) heading: bool,
}

/// A list.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Its first line.
    pub(super) line: u32,
    /// Whether its items are marked with `*`, as a footnote may be by mistake.
    pub(super) starred: bool,
    /// Its items.
    pub(super) items: Vec<Item>,
}

/// An item of a list.
#[derive(Debug, Default, Clone)]
pub(super) struct Item {
    /// What it says itself.
    pub(super) content: Cell,
    /// The items below it.
    pub(super) children: Vec<Item>,
}

/// A text with its links, as a cell, an item or a paragraph holds it.
#[derive(Debug, Default, Clone)]
pub(super) struct Cell {
    /// Its line.
    pub(super) line: u32,
    /// Its parts in order; line breaks are kept in their text.
    pub(super) runs: Vec<Run>,
    /// The items of lists inside it.
    pub(super) items: Vec<String>,
}

/// A piece of text in one style.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// The text, blanks as they stand.
    pub(super) text: String,
    /// Where it links to.
    pub(super) link: Option<String>,
    /// Whether it is bold.
    pub(super) strong: bool,
    /// Whether it is raised, as marks of footnotes are.
    pub(super) raised: bool,
    /// Whether it is struck out.
    pub(super) struck: bool,
}

impl Block {
    /// Its line.
    pub(super) fn line(&self) -> u32 {
        match self {
            Self::Heading { line, .. } | Self::Footnote { line, .. } => *line,
            Self::Text(cell) => cell.line,
            Self::Table(table) => table.line,
            Self::List(list) => list.line,
        }
    }
}

impl Cell {
    /// A cell of plain text.
    pub(super) fn plain(line: u32, text: impl Into<String>) -> Self {
        Self { line, runs: vec![Run { text: text.into(), ..Run::default() }], items: Vec::new() }
    }

    /// The text as it stands, runs of blanks as one.
    pub(super) fn text(&self) -> String {
        text::collapse(&self.raw())
    }

    /// The text with its blanks and line breaks.
    pub(super) fn raw(&self) -> String {
        self.runs.iter().map(|run| run.text.as_str()).collect()
    }

    /// Its lines, each with runs of blanks as one, without empty ones.
    pub(super) fn lines(&self) -> Vec<String> {
        let raw = self.raw();
        raw.split('\n').map(text::collapse).filter(|line| !line.is_empty()).collect()
    }

    /// Its links, each once, in order.
    pub(super) fn links(&self) -> Vec<&str> {
        let mut links: Vec<&str> = Vec::new();
        for link in self.runs.iter().filter_map(|run| run.link.as_deref()) {
            if !links.contains(&link) {
                links.push(link);
            }
        }
        links
    }

    /// Whether there is nothing in it to read.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.iter().all(|run| run.text.trim().is_empty())
    }

    /// Whether all its text is bold.
    pub(super) fn is_strong(&self) -> bool {
        !self.is_empty() && self.runs.iter().all(|run| run.strong || run.text.trim().is_empty())
    }

    /// Whether all its text is struck out.
    pub(super) fn is_struck(&self) -> bool {
        !self.is_empty() && self.runs.iter().all(|run| run.struck || run.text.trim().is_empty())
    }
}

impl Table {
    /// How many columns it has.
    pub(super) fn width(&self) -> usize {
        self.rows.iter().map(|row| row.cells.len()).chain([self.header.len()]).max().unwrap_or(0)
    }
}

impl Row {
    /// The cell of a column, if it holds anything.
    pub(super) fn cell(&self, column: usize) -> Option<&Cell> {
        self.cells.get(column).filter(|cell| !cell.is_empty())
    }

    /// Whether no cell holds anything.
    pub(super) fn is_empty(&self) -> bool {
        self.cells.iter().all(Cell::is_empty)
    }
}
