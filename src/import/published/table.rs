//! The tables that registries publish beside it, as CSV and as Markdown ([`crate::rules::publication::text`]): known by
//! their headings, and read as what they were written from.

use std::collections::HashMap;

use super::super::{
    ids::{self, Ids},
    page::{Block, Cell, Page, Row},
    places::Places,
    text,
};
use crate::{
    proto::v1::{Role, location::Activity},
    rules::{
        paper::{format::unguarded, words as paper},
        publication::{
            Entity, Entry, Mechanism, Named, Place, Publication, Publisher,
            rows::{ROWS, SUSPENDED},
            text::{MARKDOWN_COLUMNS, MARKDOWN_STATUS, apart},
            words,
        },
    },
};

/// Columns of the CSV that were there from the first: new ones come behind them.
const FIRST: usize = 18;

/// Commas that the name of a product can have.
const MAX_COMMAS: usize = 8;
/// Brackets in which it is looked for what happens at a place.
const MAX_BRACKETS: usize = 8;

/// The list of a page whose table is one that a registry wrote, with the line of each of its entries.
pub(super) fn read(page: &Page) -> Option<(Publication, Vec<u32>)> {
    let mut tables = page.blocks.iter().filter_map(|block| match block {
        Block::Table(table) => Some(table),
        _ => None,
    });
    let table = tables.next()?;
    let mut rows = table.rows.as_slice();
    let header = match rows.split_first() {
        Some((first, rest)) if table.header.is_empty() => {
            rows = rest;
            &first.cells
        }
        _ => &table.header,
    };
    let header: Vec<String> = header.iter().map(Cell::text).collect();
    let is_csv = header.first().is_some_and(|id| id == "id")
        && header.len() > FIRST
        && header.iter().skip(1).zip(&ROWS).take(FIRST).all(|(text, row)| text == row.key);
    let status = header.strip_prefix(&MARKDOWN_COLUMNS.map(ToOwned::to_owned));
    let is_markdown =
        status.is_some_and(|more| matches!(more, [] | [_]) && more.iter().all(|one| one == MARKDOWN_STATUS));
    if !is_csv && !is_markdown {
        return None;
    }
    let keys: Vec<&str> = header.iter().map(|text| key(text)).collect();
    let said: Vec<Said<'_>> = rows.iter().map(|row| Said { keys: &keys, row, is_csv }).collect();
    let mut products = Products::default();
    // Where places name several, it is known by these where each of them ends.
    for said in &said {
        products.named(said.texts("products"));
    }
    let mut lists = (Vec::new(), Vec::new());
    let mut engaged = Vec::new();
    for said in &said {
        lists.0.push(entry(said, &mut products));
        lists.1.push(said.row.line);
        engaged.push(said.text("engaged_by"));
    }
    let (mut subprocessors, lines) = lists;
    engage(&mut subprocessors, engaged);
    let title = page.title.as_deref().and_then(|title| title.strip_prefix("Sub-processors of "));
    let organization = Publisher {
        name: title.filter(|_| is_markdown).unwrap_or_default().to_owned(),
        products: products.all,
        ..Publisher::default()
    };
    let dated = page.blocks.iter().find_map(|block| match block {
        Block::Text(cell) if is_markdown => {
            cell.text().strip_prefix("The list of ")?.split(',').next().map(ToOwned::to_owned)
        }
        _ => None,
    });
    Some((
        Publication { organization, subprocessors, date: dated.unwrap_or_default(), ..Publication::default() },
        lines,
    ))
}

/// What a heading is known by to programs.
fn key(heading: &str) -> &str {
    let row = ROWS.iter().find(|row| row.heading == heading || row.key == heading);
    row.map_or(heading, |row| row.key)
}

/// What is said of one entry.
struct Said<'a> {
    keys: &'a [&'a str],
    row: &'a Row,
    is_csv: bool,
}

impl Said<'_> {
    fn cell(&self, key: &str) -> Option<&Cell> {
        self.row.cell(self.keys.iter().position(|known| *known == key)?)
    }

    /// What is one text.
    fn text(&self, key: &str) -> String {
        let Some(cell) = self.cell(key) else { return String::new() };
        let raw = cell.raw();
        match self.is_csv {
            true => unguarded(raw.trim()).lines().map(text::collapse).collect::<Vec<_>>().join("\n"),
            false => Some(cell.text()).filter(|text| text != NOTHING).unwrap_or_default(),
        }
    }

    /// What may be several.
    fn texts(&self, key: &str) -> Vec<String> {
        match (self.is_csv, self.cell(key)) {
            (_, None) => Vec::new(),
            (true, Some(cell)) => {
                let parts = apart(unguarded(&cell.raw())).into_iter();
                parts.map(|part| part.lines().map(text::collapse).collect::<Vec<_>>().join("\n")).collect()
            }
            (false, Some(cell)) => cell.lines().into_iter().filter(|text| text != NOTHING).collect(),
        }
    }
}

/// What stands in a cell of the Markdown where nothing is said.
const NOTHING: &str = "–";

/// The publisher's products, which are only named: each gets an id.
#[derive(Default)]
struct Products {
    all: Vec<Named>,
    ids: Ids,
    by_name: HashMap<String, String>,
}

impl Products {
    fn named(&mut self, names: Vec<String>) -> Vec<Named> {
        names.into_iter().map(|name| Named { id: self.id(&name), name }).collect()
    }

    fn id(&mut self, name: &str) -> String {
        if let Some(id) = self.by_name.get(name) {
            return id.clone();
        }
        let id = self.ids.give(&ids::of(name, "product"));
        self.by_name.insert(name.to_owned(), id.clone());
        self.all.push(Named { id: id.clone(), name: name.to_owned() });
        id
    }

    /// Those that a text names one after another: names that are known are taken whole, whatever commas they have.
    fn listed(&mut self, text: &str) -> Vec<Named> {
        let parts: Vec<&str> = text.split(", ").collect();
        let mut names = Vec::new();
        let mut rest = parts.as_slice();
        while !rest.is_empty() {
            let longest = rest.len().min(MAX_COMMAS + 1);
            let known =
                |count: &usize| rest.get(..*count).is_some_and(|some| self.by_name.contains_key(&some.join(", ")));
            let (name, more) = rest.split_at((1..=longest).rev().find(known).unwrap_or(1));
            names.push(name.join(", "));
            rest = more;
        }
        self.named(names)
    }
}

fn entry(said: &Said<'_>, products: &mut Products) -> Entry {
    let (name, legal_name, country) = (said.text("name"), said.text("legal_entity"), said.text("entity_country"));
    let region_code = paper::code(&country).unwrap_or_default().to_owned();
    let entity = Entity { legal_name, region_code, country, address: said.text("address"), inferred: false };
    let entity = Some(entity).filter(|entity| !entity.legal_name.is_empty());
    Entry {
        id: said.text("id"),
        // Which company it is beside that stands in the list for programs alone.
        vendor: None,
        entity,
        name,
        website_uri: said.text("website"),
        role: role(&said.text("role")),
        affiliate: match said.text("affiliate").as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        },
        section: said.text("section"),
        condition: said.text("condition"),
        purposes: said.texts("purposes"),
        service_description: said.text("service_description"),
        products: products.named(said.texts("products")),
        data_categories: said.texts("data_categories"),
        special_categories: said.texts("special_categories"),
        data_subject_categories: said.texts("data_subject_categories"),
        locations: said.texts("locations").into_iter().map(|words| place(words, products)).collect(),
        mechanisms: said.texts("mechanisms").into_iter().map(mechanism).collect(),
        engaged_by: None,
        suspended: said.text("status") == SUSPENDED,
        start_date: said.text("since"),
        end_date: said.text("until"),
    }
}

fn mechanism(title: String) -> Mechanism {
    Mechanism { title, ..Mechanism::default() }
}

/// The values of an enum, in the order of their numbers.
fn every<E: TryFrom<i32>>() -> impl Iterator<Item = E> {
    (1..=i32::from(u8::MAX)).filter_map(|number| E::try_from(number).ok())
}

/// A role by its words.
fn role(said: &str) -> String {
    let role = every::<Role>().find(|role| !said.is_empty() && paper::role(*role) == said);
    role.map_or_else(|| said.to_owned(), |role| words::short(role.as_str_name(), "ROLE_"))
}

/// A place by its name, with what happens there behind it. What is no place that is known is only words.
fn place(words: String, products: &mut Products) -> Place {
    let known = |name: &str| Some(located(name)).filter(|(code, area)| !code.is_empty() || !area.is_empty());
    let of = |name: &str, (region_code, area)| Place { region_code, area, name: name.to_owned(), ..Place::default() };
    let told = words.strip_suffix(')').and_then(|open| {
        let brackets = open.match_indices(" (").take(MAX_BRACKETS);
        brackets.map(|(at, sign)| (&open[..at], &open[at + sign.len()..])).find_map(|(name, inside)| {
            let (activity, held) = happens(inside)?;
            Some((of(name, known(name)?), activity, held))
        })
    });
    match told {
        Some((place, activity, held)) => {
            let activity = activity.map(|one| words::short(one.as_str_name(), "ACTIVITY_")).unwrap_or_default();
            Place { activity, products: held.map(|held| products.listed(held)).unwrap_or_default(), ..place }
        }
        None => match known(&words) {
            Some(found) => of(&words, found),
            None => Place { name: words.clone(), verbatim: words, ..Place::default() },
        },
    }
}

/// What stands in brackets behind a place: what happens there, and the products for which.
fn happens(inside: &str) -> Option<(Option<Activity>, Option<&str>)> {
    let activity = |text: &str| every::<Activity>().find(|one| !text.is_empty() && words::activity(*one) == text);
    if let Some(held) = inside.strip_prefix("for ") {
        return Some((None, Some(held)));
    }
    match inside.split_once("; for ") {
        Some((first, held)) => Some((Some(activity(first)?), Some(held))),
        None => Some((Some(activity(inside)?), None)),
    }
}

/// The code and the area that a name was written from; nothing for words of its own.
fn located(name: &str) -> (String, String) {
    let code = |name: &str| paper::code(name).map(ToOwned::to_owned);
    let area = |name: &str| {
        let known = ["EU", "EEA", "GLOBAL", "CUSTOMER_SELECTED"].into_iter().find(|area| words::area(area) == name);
        known.or(Some(name).filter(|area| Places::builtin().is_area(area))).map(ToOwned::to_owned)
    };
    if let Some(code) = code(name) {
        return (code, String::new());
    }
    // Some countries have a comma in their names.
    let within = name.match_indices(", ").find_map(|(at, comma)| {
        let rest = &name[at + comma.len()..];
        Some((code(&name[..at])?, area(rest).unwrap_or_else(|| rest.to_owned())))
    });
    within.unwrap_or_else(|| (String::new(), area(name).unwrap_or_default()))
}

/// Who engages whom: those that are named, if nobody else has the name.
fn engage(entries: &mut [Entry], by: Vec<String>) {
    let mut by_name: HashMap<String, Option<Named>> = HashMap::new();
    for entry in entries.iter() {
        let named = Some(Named { id: entry.id.clone(), name: entry.name.clone() });
        by_name.entry(entry.name.clone()).and_modify(|one| *one = None).or_insert(named);
    }
    for (entry, name) in entries.iter_mut().zip(by) {
        entry.engaged_by = by_name.get(&name).cloned().flatten();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{proto::v1::Location, rules::publication::rows};

    #[test]
    fn places_are_read_back() {
        let location =
            |code: &str, area: &str| Location { region_code: code.into(), area: area.into(), ..Location::default() };
        let codes = include_str!("../../rules/paper/countries.txt").lines().filter_map(|line| line.split(' ').next());
        let countries = codes.map(|code| location(code, ""));
        let areas =
            ["EU", "EEA", "GLOBAL", "CUSTOMER_SELECTED", "APAC", "NORTH_AMERICA"].map(|area| location("", area));
        let both = [location("US", "Oregon"), location("DE", "EU"), location("BQ", "Bonaire")];
        for one in countries.chain(areas).chain(both) {
            let (code, area) = located(&words::place(&one));
            assert_eq!((code, area), (one.region_code, one.area));
        }
        assert_eq!(located("our offices"), (String::new(), String::new()));
    }

    #[test]
    fn what_happens_at_a_place_is_read_back() {
        let named = |name: &str| Named { id: ids::of(name, "product"), name: name.to_owned() };
        for (activity, products, name) in [
            ("", vec![], "Germany"),
            ("STORAGE", vec![], "Germany"),
            ("CORPORATE", vec![named("Desk")], "Germany"),
            ("", vec![named("Desk"), named("Cloud")], "European Union"),
            ("ACCESS", vec![named("Cloud, EU"), named("Desk"), named("Cloud, EU, small")], "United States, Oregon"),
            ("STORAGE", vec![named("Desk (old); new")], "Germany"),
            ("", vec![], "our offices (all of them)"),
            ("", vec![], "our offices (storage, mostly)"),
            // What it says is only words.
            ("", vec![], "Our offices (storage)"),
            ("", vec![], "Our offices (for Desk)"),
        ] {
            let (activity, name) = (activity.to_owned(), name.to_owned());
            let place_of = Place { activity: activity.clone(), products, name: name.clone(), ..Place::default() };
            let written = rows::place(&place_of);
            let mut known = Products::default();
            known.named(place_of.products.iter().map(|one| one.name.clone()).collect());
            let read = place(written.clone(), &mut known);
            assert_eq!((&read.activity, &read.name), (&activity, &name), "{written}");
            assert_eq!((rows::place(&read), &read.products), (written, &place_of.products));
            // Words are those of somebody, or there are none.
            let is_known = !read.region_code.is_empty() || !read.area.is_empty();
            assert_eq!(read.verbatim, if is_known { String::new() } else { name });
        }
    }
}
