//! Tables of HTML pages: rows and cells wherever they stand, cells that span columns and rows, rows that are headings
//! of the rows below.

use std::collections::HashMap;

use super::{
    super::{
        dom::Id,
        page::{Block, Cell, Row, Table},
    },
    MAX_DEPTH, Reader, Role, Style,
};

/// Rows that are kept: more than a manifest can hold. Beyond them they are counted.
pub(in super::super) const MAX_ROWS: usize = 10_000;
/// Columns that are kept.
pub(in super::super) const MAX_COLUMNS: usize = 128;
/// Rows or columns that one cell can span, as browsers have it.
const MAX_SPAN: usize = 1_000;

/// A row as it stands.
struct Line {
    id: Id,
    cells: Vec<Id>,
    heading: bool,
}

impl Reader<'_> {
    /// Reads a table.
    pub(super) fn table(&mut self, id: Id, depth: usize) {
        let mut lines = Vec::new();
        let mut table = Table { line: self.dom.line(id), ..Table::default() };
        let mut caption = None;
        self.lines(id, false, depth, &mut lines, &mut table.count, &mut caption);
        table.caption = caption.map(|id| self.cell(id).text()).filter(|text| !text.is_empty());
        let inner: Vec<Id> = lines.iter().flat_map(|line| &line.cells).copied().collect();
        let width = lines.iter().map(|line| line.cells.len()).max().unwrap_or(0);
        let mut end = Vec::new();
        self.fill(&mut table, &lines, &mut end);
        for cell in inner {
            if width == 1 || self.holds_structure(cell) {
                let mut reader = Reader::new(self.dom, self.spans);
                reader.flow(cell, &Style::default(), depth + 1);
                reader.flush();
                table.inner.extend(reader.blocks);
                self.notes.extend(reader.notes);
            }
        }
        self.blocks.push(Block::Table(table));
        self.blocks.extend(end.into_iter().map(Block::Text));
    }

    /// The rows of a table, not those of tables inside it.
    fn lines(
        &self,
        id: Id,
        head: bool,
        depth: usize,
        out: &mut Vec<Line>,
        count: &mut usize,
        caption: &mut Option<Id>,
    ) {
        if depth > MAX_DEPTH {
            return;
        }
        for child in self.dom.children(id) {
            let tag = self.dom.tag(*child);
            if tag == "caption" {
                *caption = caption.or(Some(*child));
            } else if tag == "tr" || self.dom.attribute(*child, "role") == Some("row") {
                *count += 1;
                if out.len() < MAX_ROWS {
                    let mut cells = Vec::new();
                    self.cells(*child, depth + 1, &mut cells);
                    let heading = head || (!cells.is_empty() && cells.iter().all(|cell| self.is_heading(*cell)));
                    out.push(Line { id: *child, cells, heading });
                }
            } else if !matches!(self.role(*child), Role::Table | Role::Skipped) {
                self.lines(*child, head || tag == "thead", depth + 1, out, count, caption);
            }
        }
    }

    fn cells(&self, id: Id, depth: usize, out: &mut Vec<Id>) {
        if depth > MAX_DEPTH {
            return;
        }
        for child in self.dom.children(id) {
            let is_cell = matches!(self.dom.tag(*child), "td" | "th")
                || matches!(
                    self.dom.attribute(*child, "role"),
                    Some("cell" | "gridcell" | "columnheader" | "rowheader")
                );
            if is_cell {
                if out.len() < MAX_COLUMNS {
                    out.push(*child);
                }
            } else if !matches!(self.role(*child), Role::Table | Role::Skipped) {
                self.cells(*child, depth + 1, out);
            }
        }
    }

    fn is_heading(&self, cell: Id) -> bool {
        self.dom.tag(cell) == "th" || self.dom.attribute(cell, "role") == Some("columnheader")
    }

    fn span(&self, cell: Id, attribute: &str) -> Option<usize> {
        let span = self.dom.attribute(cell, attribute).and_then(|span| span.trim().parse::<usize>().ok());
        span.filter(|span| *span > 0).map(|span| span.min(MAX_SPAN))
    }

    /// Turns lines into rows. What stands in a row of its own at the end goes to `end`.
    fn fill(&self, table: &mut Table, lines: &[Line], end: &mut Vec<Cell>) {
        let wide = |line: &Line| line.cells.iter().map(|cell| self.span(*cell, "colspan").unwrap_or(1)).sum::<usize>();
        let width = lines.iter().map(wide).max().unwrap_or(0).min(MAX_COLUMNS);
        // Cells of rows above that reach down: by column, how many rows more.
        let mut reaching: HashMap<usize, (usize, Cell)> = HashMap::new();
        let mut section: Option<Cell> = None;
        let mut fresh = false;
        for line in lines {
            let spanning = match line.cells.as_slice() {
                [only] if width > 1 && self.span(*only, "colspan").is_some_and(|span| span >= width) => Some(*only),
                _ => None,
            };
            if let Some(only) = spanning
                && reaching.is_empty()
            {
                let cell = self.cell(only);
                if fresh {
                    end.extend(section.take());
                }
                if !cell.is_empty() {
                    fresh = true;
                    section = Some(cell);
                }
                continue;
            }
            let row = Row {
                line: self.dom.line(line.id),
                cells: self.row(line, &mut reaching),
                section: section.as_ref().map(Cell::text).filter(|text| self.spans.spend(text.len())),
                heading: line.heading,
            };
            if row.cells.is_empty() {
                continue;
            }
            if row.heading && table.rows.is_empty() {
                merge_header(&mut table.header, row.cells);
                continue;
            }
            fresh = false;
            table.rows.push(row);
        }
        if fresh {
            end.extend(section);
        }
        // Of the lines that were not kept it is not known what they are: they count as rows.
        table.count = table.count.saturating_sub(lines.len()) + table.rows.len();
    }

    fn row(&self, line: &Line, reaching: &mut HashMap<usize, (usize, Cell)>) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Vec::new();
        let mut place = |cells: &mut Vec<Cell>| {
            while let Some((left, cell)) = reaching.get_mut(&cells.len()) {
                let Some(cell) = self.spans.copy(cell) else { return };
                *left -= 1;
                if *left == 0 {
                    reaching.remove(&cells.len());
                }
                cells.push(cell);
            }
        };
        let mut new: Vec<(usize, usize, Cell)> = Vec::new();
        for id in &line.cells {
            place(&mut cells);
            let cell = self.cell(*id);
            let rows = self.span(*id, "rowspan").unwrap_or(1);
            let from = cells.len();
            let width = self.span(*id, "colspan").unwrap_or(1).min(MAX_COLUMNS.saturating_sub(from));
            if rows > 1 {
                let below = |column| Some((from + column, rows - 1, self.spans.copy(&cell)?));
                new.extend((0..width).map_while(below));
            }
            cells.extend((1..width).map_while(|_| self.spans.copy(&cell)));
            cells.extend((width > 0).then_some(cell));
        }
        place(&mut cells);
        reaching.extend(new.into_iter().map(|(column, rows, cell)| (column, (rows, cell))));
        cells
    }
}

/// A heading of several rows is one: what stands in one column is joined.
fn merge_header(header: &mut Vec<Cell>, cells: Vec<Cell>) {
    for (column, cell) in cells.into_iter().enumerate() {
        match header.get_mut(column) {
            Some(above) if above.text() == cell.text() || cell.is_empty() => {}
            Some(above) if above.is_empty() => *above = cell,
            Some(above) => {
                let joined = format!("{} {}", above.text(), cell.text());
                *above = Cell::plain(above.line, joined);
            }
            None => header.push(cell),
        }
    }
}
