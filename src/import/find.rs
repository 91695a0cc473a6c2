//! Which tables and lists of a page are its list of subprocessors: by their headings, by what stands above them, by
//! the names in them. What is left out is said, with its line and the reason.

mod context;
mod details;
mod names;
mod records;
mod table;
mod terms;

use serde::Serialize;

use super::{
    columns::{self, Column, Field},
    data, draft, items,
    page::{Block, Cell, List, Origin, Page, Row, Table},
    places::Places,
};
use crate::rules::vendor_name::{Index, MATCH};

use context::Context;
pub(super) use context::{Stated, sentence, speaks};
pub(super) use names::{has_legal_form, is_coined};
pub(super) use table::names_columns;
pub(super) use terms::is_missing;

/// Names that are looked up to judge a table or list.
const SAMPLE: usize = 40;

/// Tables of headings that are looked at for whether they say more of companies further up.
const MAX_TOLD: u8 = 32;

/// Lists of clauses inside each other that are looked into.
const MAX_CLAUSES: u8 = 3;

/// A table or list that is part of the list of subprocessors.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) kind: PartKind,
    pub(super) line: u32,
    /// The heading above it.
    pub(super) section: Option<String>,
    /// The headings of its columns that were read for them, or none.
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    /// How many rows there are, if more than are kept.
    pub(super) count: usize,
    /// Where the sentence or heading above it says that all of it is.
    pub(super) place: Option<Stated>,
    /// What stands above says of when all of it is used.
    pub(super) told: Option<draft::Told>,
    pub(super) reason: String,
}

/// What a part is on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// A table, or the records of a data file.
    Table,
    /// A list.
    List,
}

/// A table or list that is not.
#[derive(Debug, Clone, Serialize)]
pub struct Skipped {
    /// What it is.
    pub kind: PartKind,
    /// Its line.
    pub line: u32,
    /// The heading above it.
    pub section: Option<String>,
    /// How many rows or items it has.
    pub rows: usize,
    /// Why it was left out.
    pub reason: String,
}

/// What was found on a page.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) parts: Vec<Part>,
    pub(super) skipped: Vec<Skipped>,
    /// Lists that were left out and may be footnotes: mark, text, line.
    pub(super) starred: Vec<(String, u32)>,
}

/// What is asked of the search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) told: &'a columns::Told,
    /// Lines whose tables and lists are taken, whatever speaks against them; none: by evidence.
    pub(super) at: &'a [u32],
    pub(super) known: &'a Index,
    pub(super) places: Places,
    /// The file holds data and nothing else.
    pub(super) is_data: bool,
}

/// Finds the list on a page.
pub(super) fn find(page: Page, search: Search<'_>) -> Found {
    // The title of the page says nothing of the lists in its front matter: they have to say it themselves.
    let mut finder = Finder { search, context: Context::new(None), found: Found::default(), told: 0, clauses: 0 };
    finder.blocks(page.front);
    finder.context = Context::new(page.title.as_deref());
    finder.blocks(page.blocks);
    // What a page shows is its list; where it shows none, the data is that it will be made of.
    for (line, text) in page.embedded {
        if finder.found.parts.is_empty() {
            finder.context = Context::new(page.title.as_deref());
            finder.blocks(data::embedded(&text, line));
        }
    }
    finder.found
}

struct Finder<'a> {
    search: Search<'a>,
    context: Context,
    found: Found,
    /// How many tables of headings were compared with what was found before.
    told: u8,
    /// In how many clauses of lists the list stands that is read.
    clauses: u8,
}

impl Finder<'_> {
    fn blocks(&mut self, blocks: Vec<Block>) {
        let blocks = records::fold(blocks, &|name| self.is_sure(name));
        for block in blocks {
            match block {
                Block::Heading { level, text, line } => self.context.heading(level, text, line),
                Block::Text(cell) => self.context.text(cell),
                Block::Table(table) => self.table(table),
                Block::List(list) => self.list(&list),
                Block::Footnote { .. } => {}
            }
        }
    }

    /// Whether the caller asks for what begins at a line; none if it is for the evidence to say.
    fn asked(&self, first: u32, last: u32) -> Option<bool> {
        let at = self.search.at;
        (!at.is_empty()).then(|| at.iter().any(|line| (first..=last.max(first)).contains(line)))
    }

    fn table(&mut self, mut table: Table) {
        table::prepare(&mut table, self.search.places);
        let caption = table.caption.clone();
        let columns = columns::guess(&table, self.search.told, self.search.places);
        let section = caption.clone().or_else(|| self.context.section());
        let last = table.rows.last().map_or(table.line, |row| row.line);
        let judged = match self.asked(table.line, last) {
            Some(true) => Ok("asked for by --at".to_owned()),
            Some(false) => Err("not the one asked for by --at".to_owned()),
            None => self.judge_table(&table, &columns, caption.as_deref()),
        };
        let says_more = judged.is_ok() && table.origin != Origin::Table && self.told < MAX_TOLD;
        self.told += u8::from(says_more);
        if says_more && details::tell(&mut self.found.parts, &mut table, &columns) {
            self.context.used();
            let rows = table.rows.len();
            if rows == 0 {
                return;
            }
            if table.origin == Origin::Told {
                let reason = "its headings say more of companies further up".to_owned();
                self.found.skipped.push(Skipped { kind: PartKind::Table, line: table.line, section, rows, reason });
                return;
            }
        }
        match judged {
            Ok(reason) => {
                let place = self.context.place(self.search.places, section.as_deref());
                let told = self.context.told(caption.as_deref());
                let has_place = columns.iter().any(|column| column.field == Field::Location);
                self.found.parts.push(Part {
                    kind: PartKind::Table,
                    line: table.line,
                    section,
                    columns,
                    count: table.count.max(table.rows.len()),
                    rows: table.rows,
                    place: place.filter(|_| !has_place),
                    told,
                    reason,
                });
                self.context.used();
            }
            Err(reason) => {
                let inner = std::mem::take(&mut table.inner);
                let lays_out = !inner.is_empty();
                if !lays_out || table.rows.len() > 1 {
                    let rows = table.count.max(table.rows.len());
                    self.found.skipped.push(Skipped { kind: PartKind::Table, line: table.line, section, rows, reason });
                }
                self.blocks(inner);
                self.context.passed();
            }
        }
    }

    fn judge_table(&self, table: &Table, columns: &[Column], caption: Option<&str>) -> Result<String, String> {
        if table.rows.is_empty() {
            return Err("it has no rows".to_owned());
        }
        if let Some(reason) = context::against(columns, self.context.nearest(caption), &self.context.intro()) {
            return Err(reason);
        }
        let Some((index, name)) = columns.iter().enumerate().find(|(_, column)| column.field == Field::Name) else {
            return Err("no column holds names".to_owned());
        };
        let said = [
            Field::Purpose,
            Field::Location,
            Field::EntityCountry,
            Field::Website,
            Field::DataCategories,
            Field::Service,
            Field::Address,
            Field::Contact,
            Field::Condition,
            Field::DataSubjects,
        ];
        let others = columns.iter().filter(|column| said.contains(&column.field) && column.confidence >= 0.5).count();
        let names: Vec<Cell> = table.rows.iter().filter_map(|row| row.cell(index)).take(SAMPLE).cloned().collect();
        let named = names.iter().filter(|cell| items::is_name_like(&items::name_line(cell))).count();
        if named * 2 < names.len() {
            return Err("what stands in place of names are sentences".to_owned());
        }
        if let Some(reason) = no_names(&names) {
            return Err(reason);
        }
        let known = self.share(&names);
        let by_name = self.share_of_sure(&names);
        // Where no column says more of them, only names that are known count.
        let backed = if others > 0 { known } else { by_name };
        let spoken = if self.search.is_data { 2 } else { self.context.score(caption) };
        let strong = name.confidence >= 0.9 && !name.heading.is_empty();
        let by_heading = name.confidence > 0.55 && !name.heading.is_empty();
        let taken = (strong && others > 0 && (spoken > 0 || known >= 0.2))
            || (by_heading && others > 0 && spoken > 1)
            || (others > 0 && by_name >= 0.5)
            || (others > 0 && spoken > 1 && known >= 0.25)
            || (spoken > 1 && strong)
            || (spoken > 1 && backed >= 0.4)
            || (spoken > 2 && backed >= 0.2);
        if taken {
            return Ok(self.because(&names, spoken));
        }
        Err(if others == 0 && known < 0.25 {
            "no column says what companies do, where, or with which data".to_owned()
        } else {
            "neither its headings nor the text above speak of subprocessors".to_owned()
        })
    }

    /// Why a table or list was taken: what the page says, and how many of its first names are those of known vendors.
    fn because(&self, names: &[Cell], spoken: u8) -> String {
        let known = names.iter().filter(|cell| self.is_known(&items::name_line(cell))).count();
        let names = match names.len() {
            1 => format!("{known} name of 1 is known"),
            all => format!("{known} names of {all} are known"),
        };
        match spoken {
            0 => names,
            _ => format!("the page speaks of subprocessors, and {names}"),
        }
    }

    /// How many of the names look like those of companies: 0 to 1.
    fn share(&self, names: &[Cell]) -> f64 {
        if names.is_empty() {
            return 0.0;
        }
        let sum: f64 = names.iter().map(|cell| self.weight(cell)).sum();
        sum / names.len() as f64
    }

    /// How many of the names are known, or have the form of a company's: 0 to 1.
    fn share_of_sure(&self, names: &[Cell]) -> f64 {
        let sure = names.iter().filter(|cell| self.is_sure(&items::name_line(cell))).count();
        if names.is_empty() { 0.0 } else { sure as f64 / names.len() as f64 }
    }

    /// Whether a name is known, or has the form of a company's.
    fn is_sure(&self, name: &str) -> bool {
        items::is_name_like(name) && (names::has_legal_form(name) || self.is_known(name))
    }

    /// Whether a name is that of a known vendor.
    fn is_known(&self, name: &str) -> bool {
        items::is_name_like(name)
            && self.search.known.resolve(name, 1).first().is_some_and(|found| found.score >= MATCH)
    }

    /// How much a name looks like that of a company.
    fn weight(&self, cell: &Cell) -> f64 {
        let text = items::name_line(cell);
        if !items::is_name_like(&text) {
            return 0.0;
        }
        let links_out = cell.links().iter().any(|link| link.starts_with("http"));
        if self.is_sure(&text) {
            1.0
        } else if links_out {
            0.8
        } else if names::is_coined(&text) {
            0.5
        } else {
            0.0
        }
    }

    fn list(&mut self, list: &List) {
        let (table, columns) = items::tabulate(list, self.search.places);
        let section = self.context.section();
        let last = table.rows.last().map_or(list.line, |row| row.line);
        let judged = match self.asked(list.line, last) {
            Some(true) => Ok("asked for by --at".to_owned()),
            Some(false) => Err("not the one asked for by --at".to_owned()),
            None => self.judge_list(list, &table, &columns),
        };
        match judged {
            Ok(reason) => {
                let place = self.context.place(self.search.places, section.as_deref());
                let columns = used_columns(columns, &table.rows);
                self.found.parts.push(Part {
                    kind: PartKind::List,
                    line: list.line,
                    section,
                    columns,
                    count: table.count.max(table.rows.len()),
                    rows: table.rows,
                    place,
                    told: self.context.told(None),
                    reason,
                });
                self.context.used();
            }
            Err(reason) => {
                if list.starred {
                    let texts = list.items.iter().map(|item| (item.content.text(), item.content.line));
                    self.found.starred.extend(texts);
                }
                let rows = list.items.len();
                self.found.skipped.push(Skipped { kind: PartKind::List, line: list.line, section, rows, reason });
                self.context.passed();
                self.clauses(list);
            }
        }
    }

    /// The lists inside a list of sentences that each stand below one that speaks of subprocessors, as in the clauses of a
    /// contract.
    fn clauses(&mut self, list: &List) {
        if self.clauses >= MAX_CLAUSES {
            return;
        }
        self.clauses += 1;
        for item in list.items.iter().filter(|item| context::speaks(&item.content.text()) > 2) {
            let Some(first) = item.children.first() else { continue };
            self.context.text(item.content.clone());
            self.list(&List { line: first.content.line, items: item.children.clone(), ..List::default() });
        }
        self.clauses -= 1;
    }

    fn judge_list(&self, list: &List, table: &Table, columns: &[Column]) -> Result<String, String> {
        let names: Vec<Cell> = table.rows.iter().filter_map(|row| row.cell(0)).take(SAMPLE).cloned().collect();
        if names.is_empty() {
            return Err("its items are empty".to_owned());
        }
        if let Some(reason) = context::against(columns, self.context.nearest(None), &self.context.intro()) {
            return Err(reason);
        }
        if names.iter().filter(|cell| context::has_date(&cell.text())).count() * 2 >= names.len() {
            return Err("its items begin with dates".to_owned());
        }
        let elsewhere = |cell: &Cell| {
            let links = cell.links();
            !links.is_empty() && links.iter().all(|link| !link.starts_with("http"))
        };
        if names.iter().filter(|cell| elsewhere(cell)).count() * 2 > names.len() {
            return Err("its items lead to other pages of the site".to_owned());
        }
        if names.iter().filter(|cell| names::is_document(&cell.text())).count() * 2 >= names.len() {
            return Err("its items are documents".to_owned());
        }
        let name_like = names.iter().filter(|cell| items::is_name_like(&cell.text())).count();
        if name_like * 10 < names.len() * 6 {
            return Err("its items are sentences, not names".to_owned());
        }
        if let Some(reason) = no_names(&names) {
            return Err(reason);
        }
        let known = self.share(&names);
        let said = table.rows.iter().filter(|row| row.cells.iter().skip(1).any(|cell| !cell.is_empty())).count();
        let mostly_said = said * 10 >= table.rows.len() * 7;
        let spoken = if self.search.is_data { self.context.score(None).max(1) } else { self.context.score(None) };
        let direct = self.context.direct_score();
        // Without what is said of them, names alone must be known.
        let taken = match (direct, spoken) {
            (3.., _) => known >= 0.25 || (known >= 0.1 && mostly_said && list.items.len() > 1),
            (2, _) | (_, 3..) => known >= if mostly_said { 0.3 } else { 0.5 },
            (_, 2) => known >= if mostly_said { 0.5 } else { 0.75 },
            (1, _) | (_, 1) => known >= 0.8 && mostly_said,
            _ => known >= 0.9 && mostly_said && list.items.len() > 2,
        };
        // A list under a heading beside one whose list was taken needs less.
        let firm = names.iter().filter(|cell| self.weight(cell) >= 0.8).count();
        let beside = self.context.is_beside_taken() && spoken > 1 && mostly_said && firm * 10 >= names.len() * 3;
        if taken || beside {
            Ok(self.because(&names, spoken))
        } else if spoken == 0 {
            Err("nothing above it speaks of subprocessors".to_owned())
        } else {
            Err("its items do not look like names of companies".to_owned())
        }
    }
}

/// Why what stands in the place of names are none.
fn no_names(names: &[Cell]) -> Option<String> {
    let texts: Vec<String> = names.iter().map(items::name_line).collect();
    if !texts.is_empty() && texts.iter().all(|text| terms::is_missing(text)) {
        return Some("its names are still to be filled in".to_owned());
    }
    let terms = texts.iter().filter(|text| terms::is_term(text)).count();
    (terms > 0 && terms * 2 >= texts.len()).then(|| "what stands in place of names are terms of a contract".to_owned())
}

/// The columns of a list that hold anything in any row; those that hold nothing are not there.
fn used_columns(mut columns: Vec<Column>, rows: &[Row]) -> Vec<Column> {
    for (index, column) in columns.iter_mut().enumerate() {
        if column.field != Field::Name && rows.iter().all(|row| row.cell(index).is_none()) {
            column.field = Field::Ignore;
        }
    }
    columns
}
