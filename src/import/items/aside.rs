//! What an item says beside its name: a place in brackets or behind a dash, a key in the middle of its sentences.

use super::{
    super::{page::Cell, places::Places},
    after, before, is_key, is_said, slice,
};
use crate::import::text;

/// The longest key, with the sign behind it.
const KEY: usize = 42;

/// Brackets that are looked into for a place, and characters that a place in them has at most.
const BRACKETS: usize = 16;
const PLACE: usize = 120;

/// Sentences of a cell that begin with a key, at most.
const SENTENCES: usize = 64;

/// Commas that are tried from the end for a place behind them.
const COMMAS: usize = 3;

/// "Stripe (payments, United States)": what stands in brackets at the end is a place, or what is said of the name; an
/// alias stays with it.
pub(super) fn split_brackets(name: Cell, places: Places) -> (Cell, Cell, Cell) {
    let Some((bare, inside)) = ending_brackets(&name) else { return (name, Cell::default(), Cell::default()) };
    let words = inside.text();
    if places.read(&words, false).is_whole() {
        return (bare, Cell::default(), inside);
    }
    if is_said(&words) {
        return (bare, inside, Cell::default());
    }
    (name, Cell::default(), Cell::default())
}

/// A place in brackets in the middle of what is said, which stays as it is.
pub(super) fn place_in_brackets(cell: &Cell, places: Places) -> Option<Cell> {
    let raw = cell.raw();
    raw.match_indices('(').take(BRACKETS).find_map(|(open, _)| {
        let start = open + 1;
        let length = raw[start..].char_indices().take(PLACE).find(|(_, c)| *c == ')')?.0;
        let is_place = places.read(&text::collapse(&raw[start..start + length]), false).is_whole();
        is_place.then(|| slice(cell, start, start + length))
    })
}

/// What stands before the brackets at the end, and inside them.
pub(super) fn ending_brackets(cell: &Cell) -> Option<(Cell, Cell)> {
    let raw = cell.raw();
    let body = raw.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '.' | ';'));
    let inside = body.strip_suffix(')')?;
    let open = inside.rfind('(')?;
    if raw[..open].trim().is_empty() {
        return None;
    }
    let content = before(&after(cell, open + 1), inside.len() - open - 1);
    let bare = before(cell, open);
    Some((bare, content))
}

/// What is said, and the place that stands before or behind it: "Hosting – Germany", "(Germany) Hosting", "Hosting
/// (Germany)".
pub(super) fn place_apart(cell: &Cell, places: Places) -> Option<(Cell, Cell)> {
    let is_place = |inside: &Cell| places.read(&inside.text(), false).is_whole();
    let at_end = || ending_brackets(cell).filter(|(_, inside)| is_place(inside));
    place_said(cell, places).or_else(at_end).or_else(|| {
        let raw = cell.raw();
        let open = raw.len() - raw.trim_start().strip_prefix('(')?.len();
        let close = open + raw.get(open..)?.find(')')?;
        let inside = before(&after(cell, open), close - open);
        let rest = after(cell, close + 1);
        (is_place(&inside) && !rest.is_empty()).then_some((rest, inside))
    })
}

/// "Hosting – Germany", "mails, Paris, France": the place at the end of what is said, where nothing before it is one.
fn place_said(cell: &Cell, places: Places) -> Option<(Cell, Cell)> {
    let raw = cell.raw();
    let dashes = [" – ", " — ", " - ", " | "].iter().filter_map(|sign| Some((raw.rfind(sign)?, sign.len()))).max();
    let commas = raw.rmatch_indices(", ").take(COMMAS).map(|(at, sign)| (at, sign.len()));
    let is_place = |(at, length): &(usize, usize)| {
        let named = places.read(&text::collapse(&raw[..*at]), false).found.is_empty();
        let tail = &raw[at + length..];
        let is_closed = tail.matches('(').count() == tail.matches(')').count();
        named && is_closed && places.read(&text::collapse(tail), false).is_whole()
    };
    // Of several, the longest: the city before its country.
    let found = dashes.filter(is_place).or_else(|| commas.filter(is_place).last());
    found.map(|(at, length)| (before(cell, at), after(cell, at + length)))
}

/// The sentences of a cell that begin with a key, each for itself: "Hosting. Location: Ireland".
pub(super) fn keyed_sentences(cell: Cell) -> Vec<Cell> {
    let raw = cell.raw();
    let starts = raw.match_indices(". ").map(|(at, _)| at).filter(|at| begins_with_key(&raw[at + 2..]));
    let mut cells = Vec::new();
    let mut from = 0;
    for at in starts.take(SENTENCES) {
        cells.push(slice(&cell, from, at));
        from = at + 2;
    }
    cells.push(after(&cell, from));
    cells
}

/// Whether a text begins with a key that columns have, and a colon.
pub(in super::super) fn begins_with_key(text: &str) -> bool {
    let end = text.char_indices().take(KEY).take_while(|(_, c)| *c != '\n').find(|(_, c)| *c == ':');
    end.is_some_and(|(at, _)| {
        let key = text[..at].trim_matches(|c: char| c.is_whitespace() || c == '*' || c == '_');
        key.starts_with(char::is_uppercase) && is_key(&text::collapse(key))
    })
}
