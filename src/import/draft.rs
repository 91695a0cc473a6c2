//! Rows as subprocessors: each cell to its field, in the words of the page, with the line it stands in.

mod cells;
mod stage;

use std::collections::{BTreeMap, HashSet};

use super::{
    columns::{Column, Field},
    dates::{self, Order, Span},
    find::{self, Part},
    footnotes::{self, Footnotes},
    items,
    page::{Cell, Row},
    places::Places,
    report::{NotUnderstood, Report, RowNote},
    text,
};
use crate::{
    proto::v1::{Source, Subprocessor, subprocessor::State},
    resource::text::{LONG, SHORT, SHORT_BYTES},
};

pub(super) use stage::{Stage, Told, of_heading, of_intro};

/// Entries of `annotations`; the last is for what is too much.
const MAX_ANNOTATIONS: usize = 63;
/// Characters of a key of `annotations`.
const MAX_KEY: usize = 63;
/// Characters of a quotation.
pub(super) const MAX_QUOTE: usize = 200;

/// A row on its way to be a subprocessor.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) line: u32,
    /// All but what a registry has to say: id, vendor.
    pub(super) message: Subprocessor,
    /// The name without marks of footnotes.
    pub(super) bare: String,
    /// The name by the lines of its cell, where it has several: a brand and its company, a name and a remark.
    pub(super) by_lines: Option<String>,
    /// Whether its column holds categories.
    pub(super) is_category: bool,
    /// Its postal address, as it stands.
    pub(super) address: Option<String>,
    /// The country where the company sits.
    pub(super) corporate: Option<String>,
    /// The organization's products, as they stand.
    pub(super) products: Vec<String>,
    /// What the page says of when it is used, beside its dates.
    pub(super) told: Option<Told>,
    /// The days of which one is its first.
    pub(super) start: Option<Span>,
    /// Whether a list that says which companies its rows are does not say it of this one.
    pub(super) is_unstated: bool,
    /// Texts that need more room than any field has.
    too_long: Vec<String>,
}

impl Draft {
    /// A row that was read whole.
    pub(super) fn whole(
        message: Subprocessor,
        bare: String,
        is_unstated: bool,
        address: Option<String>,
        corporate: Option<String>,
    ) -> Self {
        Self {
            line: 0,
            message,
            bare,
            is_category: false,
            by_lines: None,
            address,
            corporate,
            products: Vec::new(),
            told: None,
            start: None,
            is_unstated,
            too_long: Vec::new(),
        }
    }
}

/// What the whole of a column says of each of its cells.
#[derive(Debug, Clone, Copy, Default)]
struct Hint {
    /// Its cells are codes of countries.
    codes: bool,
    /// How its dates are written.
    order: Option<Order>,
}

/// Makes drafts of the rows of parts.
pub(super) struct Drafter<'a> {
    pub(super) places: Places,
    pub(super) footnotes: &'a Footnotes,
    pub(super) report: &'a mut Report,
    /// Marks without a footnote, each said once.
    unexplained: HashSet<String>,
    formulas: usize,
}

impl<'a> Drafter<'a> {
    pub(super) fn new(places: Places, footnotes: &'a Footnotes, report: &'a mut Report) -> Self {
        Self { places, footnotes, report, unexplained: HashSet::new(), formulas: 0 }
    }

    /// The rows of a part.
    pub(super) fn part(&mut self, part: &Part) -> Vec<Draft> {
        let hints: Vec<Hint> = part
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let texts: Vec<String> = part.rows.iter().filter_map(|row| Some(row.cell(index)?.text())).collect();
                let texts = || texts.iter().map(String::as_str);
                let is_date = matches!(column.field, Field::StartDate | Field::EndDate);
                Hint {
                    codes: matches!(column.field, Field::Location | Field::EntityCountry)
                        && self.places.are_codes(texts()),
                    order: is_date.then(|| dates::order(texts())).flatten(),
                }
            })
            .collect();
        let mut drafts = Vec::new();
        let mut above: Option<(String, u32)> = None;
        for row in &part.rows {
            self.report.rows_in += 1;
            let draft = self.row(part, row, &hints, above.as_ref());
            match draft {
                Ok(draft) => {
                    above = Some((draft.message.display_name.clone(), draft.line));
                    drafts.push(draft);
                }
                Err((name, reason)) => self.report.refused.push(RowNote { line: row.line, name, reason }),
            }
        }
        drafts
    }

    fn row(
        &mut self,
        part: &Part,
        row: &Row,
        hints: &[Hint],
        above: Option<&(String, u32)>,
    ) -> Result<Draft, (String, String)> {
        let name = part.columns.iter().position(|column| column.field == Field::Name);
        let name_cell = name.and_then(|index| row.cell(index)).filter(|cell| !cell.text().is_empty());
        let heading = name.and_then(|index| part.columns.get(index)).map(|column| column.heading.as_str());
        let mut draft = self.named(row, name_cell, above)?;
        draft.is_category = heading.is_some_and(|heading| {
            text::words(heading).iter().any(|w| w.starts_with("categor") || w.starts_with("kategori"))
        });
        draft.message.section = row.section.clone().or_else(|| part.section.clone()).unwrap_or_default();
        if is_own_group(&draft.message.section) {
            draft.message.affiliate = Some(true);
        }
        for (index, cell) in row.cells.iter().enumerate() {
            let Some(column) = part.columns.get(index) else { continue };
            if cell.is_empty() {
                continue;
            }
            self.remark(cell, column, index, draft.line);
            let hint = hints.get(index).copied().unwrap_or_default();
            self.cell(&mut draft, cell, column, index, hint);
        }
        let above =
            || row.section.as_deref().and_then(|section| of_heading(section, row.line)).or_else(|| part.told.clone());
        draft.told = draft.told.take().or_else(above);
        if draft.message.locations.iter().all(|place| place.activity() == cells::CORPORATE)
            && let Some(place) = &part.place
        {
            cells::state_place(&mut draft, place);
        }
        let mut section = std::mem::take(&mut draft.message.section);
        self.short(&mut draft, &mut section, "section");
        draft.message.section = section;
        match draft.too_long.first() {
            None => Ok(draft),
            Some(column) => {
                let rule = format!("{column} has more than {LONG} characters, which no field can hold");
                Err((text::clip(&draft.message.display_name, 80), rule))
            }
        }
    }

    /// A draft with its name; a row without one goes on with the row above it.
    fn named(
        &mut self,
        row: &Row,
        cell: Option<&Cell>,
        above: Option<&(String, u32)>,
    ) -> Result<Draft, (String, String)> {
        let line = cell.map_or(row.line, |cell| cell.line.max(1));
        if let Some(text) = cell.map(Cell::text).filter(|text| find::is_missing(text)) {
            return Err((text::clip(&text, 80), "it names nobody".to_owned()));
        }
        let mut message = Subprocessor { recorded_as_found: true, listed: true, ..Subprocessor::default() };
        message.set_state(State::Active);
        let mut told: Option<Told> = None;
        let (whole, bare, marks) = match (cell, above) {
            (Some(cell), _) => {
                let (bare, marks) = footnotes::split_marks(cell);
                let remark = stage::of_name(&bare, line);
                let bare = remark.as_ref().map_or(bare, |(bare, _)| bare.clone());
                told = remark.map(|(_, told)| told);
                if cell.is_struck() {
                    let quote = text::clip(&bare, 60);
                    self.report
                        .note(line, format!("\"{quote}\" is struck out on the page: it is taken as no longer used"));
                    told = Some(Told { stage: Stage::Over, from: None, quote, line });
                }
                (cell.text(), bare, marks)
            }
            (None, Some((name, from))) => {
                let shown = text::clip(name, 60);
                self.report
                    .note(row.line, format!("the row has no name: read as one more of \"{shown}\" in line {from}"));
                (name.clone(), footnotes::split_marks(&Cell::plain(line, name.as_str())).0, Vec::new())
            }
            (None, None) => {
                let shown: Vec<String> = row.cells.iter().filter(|c| !c.is_empty()).map(Cell::text).collect();
                return Err((text::clip(&shown.join(" | "), 80), "it has no name".to_owned()));
            }
        };
        let mut draft = Draft {
            line,
            message,
            bare,
            by_lines: cell.and_then(items::by_lines),
            is_category: false,
            address: None,
            corporate: None,
            products: Vec::new(),
            told,
            start: None,
            is_unstated: false,
            too_long: Vec::new(),
        };
        draft.message.sources.push(Source {
            quote: text::clip(&whole, MAX_QUOTE).trim_end_matches('…').trim_end().to_owned(),
            line: to_line(line),
            ..Source::default()
        });
        let mut shown = whole;
        self.short(&mut draft, &mut shown, "name");
        draft.message.display_name = shown;
        if let Some((name, address)) = cell.and_then(items::address_behind) {
            draft.bare = name;
            draft.address = Some(text::clip(&address, SHORT));
        }
        draft.bare = fitting(&draft.bare);
        for mark in marks {
            self.footnote(&mut draft, &mark, true);
        }
        Ok(draft)
    }

    /// Attaches the footnote of a mark. `of_row`: the mark stands behind the name, so that it is about all of the row.
    fn footnote(&mut self, draft: &mut Draft, mark: &str, of_row: bool) {
        let Some(note) = self.footnotes.find(mark, draft.line) else {
            if self.unexplained.insert(mark.to_owned()) {
                self.report.note(draft.line, format!("the mark {mark} has no footnote on the page"));
            }
            return;
        };
        if of_row && footnotes::is_condition(&note.text) && draft.message.condition.is_empty() {
            draft.message.condition = text::clip(&note.text, LONG);
            draft.message.sources.push(Source {
                field: "condition".to_owned(),
                quote: draft.message.condition.clone(),
                line: to_line(note.line),
                ..Source::default()
            });
        } else {
            let (key, text) = (format!("note {mark}"), note.text.clone());
            self.annotate(draft, &key, &text);
        }
    }

    /// Says what of a cell a reader should know, whatever field it is for.
    fn remark(&mut self, cell: &Cell, column: &Column, index: usize, line: u32) {
        let raw = cell.raw();
        let label = column.label(index);
        if let Some(names) = super::decode::name_refused(&raw) {
            self.report.note(line, format!("{label}: characters that cannot be kept were left out: {names}"));
        }
        let mut chars = raw.trim_start().chars();
        let first = chars.next().unwrap_or(' ');
        let next = chars.next().unwrap_or(' ');
        let is_formula = matches!(first, '=' | '@') && !next.is_whitespace()
            || matches!(first, '+' | '-') && (next.is_alphanumeric() || next == '(');
        if is_formula {
            self.formulas += 1;
            if self.formulas <= 20 {
                let text = text::clip(&cell.text(), 60);
                self.report
                    .note(line, format!("{label}: \"{text}\" is what a spreadsheet would run; it was kept as text"));
            }
        }
    }

    /// Keeps a text under a key; what is there already is not overwritten.
    fn annotate(&mut self, draft: &mut Draft, key: &str, value: &str) {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        if value.chars().count() > LONG {
            draft.too_long.push(format!("\"{}\"", text::clip(key, 40)));
            return;
        }
        let mut short = text::clip(key.trim(), MAX_KEY);
        if short != key.trim() {
            self.report.note(0, format!("the heading \"{}\" is cut to {MAX_KEY} characters", text::clip(key, 120)));
        }
        if short.is_empty() {
            short.push_str("(no heading)");
        }
        insert(&mut draft.message.annotations, &short, value);
    }

    /// Makes a text fit a field of one line: what is cut is kept whole beside it.
    fn short(&mut self, draft: &mut Draft, value: &mut String, what: &str) {
        if value.chars().count() <= SHORT && value.len() <= SHORT_BYTES {
            return;
        }
        let whole = std::mem::take(value);
        *value = format!("{}…", fitting(&whole).trim_end());
        let line = draft.line;
        self.report.note(
            line,
            format!("the {what} has {} characters: it is cut, and kept whole as an annotation", whole.chars().count()),
        );
        self.annotate(draft, what, &whole);
    }

    /// Records words that were not understood.
    fn not_understood(&mut self, line: u32, column: &str, cell: &str, words: Vec<String>) {
        self.report.not_understood.push(NotUnderstood {
            line,
            column: column.to_owned(),
            text: cell.to_owned(),
            words,
        });
    }
}

/// As much of a text as a field of one line holds, with room for a mark behind it.
fn fitting(text: &str) -> String {
    let mut bytes = 0;
    let fits = |c: &char| {
        bytes += c.len_utf8();
        bytes <= SHORT_BYTES - 4
    };
    text.chars().take(SHORT - 1).take_while(fits).collect()
}

/// Puts a value under a key, or under the next that is free.
fn insert(map: &mut BTreeMap<String, String>, key: &str, value: &str) {
    if map.len() >= MAX_ANNOTATIONS {
        let more = map.entry("more".to_owned()).or_default();
        let joined = format!("{more}\n{key}: {value}");
        if joined.chars().count() <= LONG {
            joined.trim_start().clone_into(more);
        }
        return;
    }
    let mut free = key.to_owned();
    let mut number = 2;
    while let Some(there) = map.get(&free) {
        if there == value {
            return;
        }
        free = format!("{} {number}", text::clip(key, MAX_KEY - 4));
        number += 1;
    }
    map.insert(free, value.to_owned());
}

/// A line as sources have it.
pub(super) fn to_line(line: u32) -> i32 {
    i32::try_from(line).unwrap_or(0)
}

/// Whether a heading stands over companies of the organization's own group, and over no others.
fn is_own_group(section: &str) -> bool {
    let words = text::words(section);
    let joined = words.concat();
    let own = [
        "affiliat",
        "subsidiar",
        "groupcompan",
        "groupentit",
        "intragroup",
        "konzern",
        "verbunden",
        "tochter",
        "filiale",
        "corporategroup",
    ];
    own.iter().any(|stem| joined.contains(stem)) && !joined.contains("thirdpart") && !joined.contains("vendor")
}
