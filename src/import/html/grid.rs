//! Tables that are none in HTML: boxes one below the other, each with as many boxes in it, the first of them headings.

use super::{
    super::{
        dom::{Id, Kind},
        find::names_columns,
        items,
        page::{Cell, Row, Table},
    },
    Reader, Role,
    table::MAX_ROWS,
};

/// Columns that such a table can have.
const COLUMNS: std::ops::RangeInclusive<usize> = 2..=12;

/// Boxes of a card, and cards that make a table.
const CARD: std::ops::RangeInclusive<usize> = 2..=6;
const CARDS: usize = 3;

/// Nodes below a heading, at most.
const HEADING: usize = 12;

impl Reader<'_> {
    /// Reads what begins with the first of these nodes as a table, and says how many of them it took.
    pub(super) fn grid(&self, nodes: &[Id]) -> Option<(Table, usize)> {
        let (first, below) = nodes.split_first()?;
        if !self.is_box(*first) {
            return None;
        }
        if let Some(found) = self.cards(nodes) {
            return Some(found);
        }
        let head = self.sole(*first);
        let headings = self.boxes(head)?;
        let width = headings.len();
        if !COLUMNS.contains(&width) {
            return None;
        }
        // Headings are short: what is below them need not be read to know that these are none.
        let is_short = |id: &Id| self.dom.descendants(*id).take(HEADING + 1).count() <= HEADING;
        if !headings.iter().all(is_short) || !names_columns(&self.cells_of(head)) {
            return None;
        }
        let mut rows: Vec<Id> = Vec::new();
        let mut used = 0;
        for (at, node) in below.iter().enumerate() {
            if !matches!(self.dom.kind(*node), Kind::Element(_)) {
                continue;
            }
            let Some(more) = self.grid_rows(*node, width) else { break };
            rows.extend(more);
            used = at + 1;
        }
        if rows.is_empty() {
            return None;
        }
        let count = rows.len();
        let row = |id: Id| Row { line: self.dom.line(id), cells: self.cells_of(id), ..Row::default() };
        let rows = rows.into_iter().take(MAX_ROWS).map(row).collect();
        let header = self.cells_of(head);
        Some((Table { line: self.dom.line(*first), header, rows, count, ..Table::default() }, used + 1))
    }

    /// Boxes of one kind that stand one after another, each with as many boxes of one text in it: a table without
    /// headings, of which the first column holds names.
    fn cards(&self, nodes: &[Id]) -> Option<(Table, usize)> {
        let first = nodes.first()?;
        let class = self.dom.attribute(*first, "class").filter(|class| !class.trim().is_empty())?;
        let mut rows: Vec<Id> = Vec::new();
        let mut used = 0;
        let (mut width, mut before) = (0, String::new());
        for (at, node) in nodes.iter().enumerate() {
            if !matches!(self.dom.kind(*node), Kind::Element(_)) {
                continue;
            }
            if !self.is_box(*node) || self.dom.attribute(*node, "class") != Some(class) {
                break;
            }
            let Some(cells) = self.boxes(*node).filter(|cells| cells.iter().all(|cell| self.is_text(*cell))) else {
                break;
            };
            if width == 0 {
                width = cells.len();
            }
            let name = cells.first().map(|cell| self.cell(*cell).text()).unwrap_or_default();
            // What is not taken must not be read again from each of the boxes on.
            if cells.len() != width || !CARD.contains(&width) || !items::is_name_like(&name) || name == before {
                break;
            }
            before = name;
            rows.push(*node);
            used = at + 1;
        }
        if rows.len() < CARDS || names_columns(&self.cells_of(*first)) {
            return None;
        }
        let row = |id: &Id| Row { line: self.dom.line(*id), cells: self.cells_of(*id), ..Row::default() };
        let (count, line) = (rows.len(), self.dom.line(*first));
        let rows = rows.iter().take(MAX_ROWS).map(row).collect();
        Some((Table { line, rows, count, ..Table::default() }, used))
    }

    /// Whether a box holds text and nothing that has a form of its own.
    fn is_text(&self, id: Id) -> bool {
        let below: Vec<Id> = self.dom.descendants(id).take(HEADING + 1).collect();
        below.len() <= HEADING
            && matches!(self.role(id), Role::Apart)
            && below.iter().all(|child| match self.dom.kind(*child) {
                Kind::Element(_) => matches!(self.role(*child), Role::Inline | Role::Break),
                _ => true,
            })
    }

    fn cells_of(&self, row: Id) -> Vec<Cell> {
        self.boxes(row).unwrap_or_default().into_iter().map(|cell| self.cell(cell)).collect()
    }

    /// The rows that a box is, or that stand in it.
    fn grid_rows(&self, id: Id, width: usize) -> Option<Vec<Id>> {
        if !self.is_box(id) {
            return None;
        }
        let inner = self.boxes(id)?;
        if inner.len() == width {
            return Some(vec![id]);
        }
        let is_row = |row: &Id| self.is_box(*row) && self.boxes(*row).is_some_and(|cells| cells.len() == width);
        (!inner.is_empty() && inner.iter().all(is_row)).then_some(inner)
    }

    fn is_box(&self, id: Id) -> bool {
        self.role(id) == Role::Apart && matches!(self.dom.tag(id), "div" | "section" | "article" | "a")
    }

    /// The elements in a box; none if text stands between them.
    fn boxes(&self, id: Id) -> Option<Vec<Id>> {
        let mut out = Vec::new();
        for child in self.dom.children(id) {
            match self.dom.kind(*child) {
                Kind::Text(text) if !text.trim().is_empty() => return None,
                Kind::Element(_) if self.role(*child) != Role::Skipped => out.push(*child),
                _ => {}
            }
        }
        Some(out)
    }

    /// The box inside a box that holds nothing else.
    fn sole(&self, id: Id) -> Id {
        match self.boxes(id).as_deref() {
            Some([only]) if self.is_box(*only) => *only,
            _ => id,
        }
    }
}
