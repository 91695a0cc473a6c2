//! Lists as tables: an item's name, what is said of it, and where that says so, the place.

mod aside;
mod name;
mod split;

use super::{
    columns::{self, Column, Field, Headings},
    find,
    html::MAX_ROWS,
    page::{Cell, Item, List, Row, Run, Table},
    places::Places,
    text,
};

pub(super) use aside::begins_with_key;
use aside::{ending_brackets, keyed_sentences, place_apart, place_in_brackets, split_brackets};
pub(super) use name::{address_behind, by_lines, is_name_like, name_line};
pub(super) use split::{begins_with_name, begins_with_plain_name};
use split::{comma, common_separator, is_said, split};

/// A list as a table with the columns name, purpose and location, and one for every key that items use ("Location:
/// Germany"). The columns are given with it: they have no headings that could be read.
pub(super) fn tabulate(list: &List, places: Places) -> (Table, Vec<Column>) {
    let mut rows = Vec::new();
    let mut keys = Headings::default();
    let separator = common_separator(list);
    let grouped = is_grouped(list, separator);
    let items = list.items.iter().flat_map(|item| match grouped && !item.children.is_empty() {
        true => item.children.iter().map(|child| (Some(item), child)).collect(),
        false => vec![(None, item)],
    });
    let mut count = 0;
    for (group, item) in items {
        count += 1;
        if rows.len() < MAX_ROWS {
            let section = group.map(|group| group.content.text().trim_end_matches([':', ' ']).to_owned());
            rows.push(Row { section, ..row(item, separator, places, &mut keys) });
        }
    }
    let all = rows.len();
    rows.retain(|row| !row.is_empty());
    count -= all - rows.len();
    let column = |heading: &str, field: Field, reason: &str| Column {
        heading: heading.to_owned(),
        field,
        confidence: 0.8,
        reason: reason.to_owned(),
    };
    let mut columns = vec![
        column("", Field::Name, "what an item begins with"),
        column("", Field::Purpose, "what an item says of it"),
        column("", Field::Location, "the place in brackets behind it"),
    ];
    for key in keys.texts() {
        let guess = columns::by_words(key).into_iter().next();
        columns.push(match guess {
            Some(guess) if guess.field != Field::Name => {
                Column { heading: key.clone(), field: guess.field, confidence: guess.confidence, reason: guess.reason }
            }
            _ => column(key, Field::Annotation, "no field has this name"),
        });
    }
    let table = Table { line: list.line, count, rows, ..Table::default() };
    (table, columns)
}

/// Whether the items of a list are headings of lists below them, and not names with what is said of them.
fn is_grouped(list: &List, separator: Option<&str>) -> bool {
    let below = |item: &&Item| !item.children.is_empty();
    let with = list.items.iter().filter(below).count();
    if with * 2 < list.items.len() || with == 0 {
        return false;
    }
    let is_heading = |item: &Item| {
        let bare = item.content.links().is_empty() && split(&item.content, separator).1.is_empty();
        bare && !item
            .children
            .iter()
            .any(|child| keyed_sentences(child.content.clone()).iter().any(|c| keyed(c).is_some()))
    };
    let names = |item: &Item| {
        let own = |child: &&Item| {
            !child.content.links().is_empty()
                || child.content.runs.first().is_some_and(|run| run.strong)
                || !split(&child.content, separator).1.is_empty()
        };
        item.children.iter().filter(own).count() * 2 >= item.children.len()
    };
    list.items.iter().filter(below).all(|item| is_heading(item) && names(item))
}

/// A key and its value, where an item says "Location: Germany" and the key is one that columns have.
pub(super) fn keyed(cell: &Cell) -> Option<(String, Cell)> {
    let raw = cell.raw();
    let (key, _) = raw.split_once(':')?;
    let name = text::collapse(key);
    is_key(&name).then(|| (name, after(cell, key.len() + 1)))
}

/// The same for any key that is bold.
pub(super) fn keyed_in_bold(cell: &Cell) -> Option<(String, Cell)> {
    let first = cell.runs.iter().find(|run| !run.text.trim().is_empty()).filter(|run| run.strong)?;
    let raw = cell.raw();
    let (key, _) = raw.split_once(':')?;
    let name = text::collapse(key);
    let is_bold = text::collapse(&first.text).trim_end_matches(':').trim_end() == name;
    (is_bold && (1..=40).contains(&name.chars().count())).then(|| (name, after(cell, key.len() + 1)))
}

fn is_key(text: &str) -> bool {
    let is_sentence = text.contains(". ");
    !is_sentence && (1..=40).contains(&text.chars().count()) && !columns::by_words(text).is_empty()
}

fn row(item: &Item, separator: Option<&str>, places: Places, keys: &mut Headings) -> Row {
    let mut own: Vec<(String, Cell)> = Vec::new();
    let mut said: Vec<Cell> = Vec::new();
    // Lines of an item can be keyed, as items below it can.
    let mut lines = cell_lines(&item.content);
    let first = if lines.is_empty() { Cell::default() } else { lines.remove(0) };
    let (mut name, mut purpose) = match keyed(&first) {
        // "Name: Acme" is its name.
        Some((key, value)) if columns::by_words(&key).first().is_some_and(|guess| guess.field == Field::Name) => {
            (value, Cell::default())
        }
        _ => split(&first, separator),
    };
    let mut apart: Option<Cell> = None;
    for line in lines.into_iter().chain(below(item)).flat_map(keyed_sentences) {
        match keyed(&line).or_else(|| keyed_in_bold(&line)) {
            Some(pair) => own.push(pair),
            // A line that is a place and nothing else.
            None if apart.is_none() && places.read(&line.text(), false).is_whole() => apart = Some(line),
            None => said.push(line),
        }
    }
    if let Some((bare, inside)) = ending_brackets(&name).filter(|(_, inside)| is_address(&inside.text(), places)) {
        name = bare;
        own.push(("Address".to_owned(), inside));
    }
    if let Some((address, rest)) = address_first(&purpose, places) {
        own.push(("Address".to_owned(), address));
        purpose = rest;
    }
    if let Some((key, value)) = keyed(&purpose) {
        own.insert(0, (key, value));
        purpose = Cell::default();
    }
    let mut place = Cell::default();
    if purpose.is_empty() {
        (name, purpose, place) = split_brackets(name, places);
    } else if let Some(apart) = place_apart(&purpose, places) {
        (purpose, place) = apart;
    } else if let Some(inside) = place_in_brackets(&purpose, places) {
        place = inside;
    }
    if place.is_empty()
        && let Some((bare, inside)) = ending_brackets(&name)
        && places.read(&inside.text(), false).is_whole()
    {
        (name, place) = (bare, inside);
    }
    match apart {
        Some(line) if place.is_empty() => place = line,
        Some(line) => said.insert(0, line),
        None => {}
    }
    finish_name(&mut name);
    finish_sentence(&mut purpose);
    if !is_abbreviated(&place.text()) {
        finish_sentence(&mut place);
    }
    if place.is_empty()
        && let Some(words) = place_in_sentence(&purpose.text(), purpose.line, places)
    {
        place = Cell::plain(purpose.line, words);
    }
    for cell in said {
        append(&mut purpose, cell);
    }
    let mut cells = vec![name, purpose, place];
    let mut others = Vec::new();
    for (key, value) in own {
        keys.put(&mut others, &key, value);
    }
    cells.append(&mut others);
    Row { line: item.content.line, cells, ..Row::default() }
}

/// Whether words in brackets are a postal address: a number, and a place at the end.
fn is_address(words: &str, places: Places) -> bool {
    let parts: Vec<&str> = words.split(',').map(str::trim).collect();
    parts.len() > 2
        && words.chars().any(|c| c.is_ascii_digit())
        && parts.last().is_some_and(|last| places.read(last, false).is_whole())
}

/// The address with which what is said begins, as a sentence of its own, and the rest: "1 Road, Leeds, UK. Hosting".
fn address_first(cell: &Cell, places: Places) -> Option<(Cell, Cell)> {
    let raw = cell.raw();
    let at = raw.find(". ").filter(|at| is_address(&text::collapse(&raw[..*at]), places))?;
    Some((before(cell, at), after(cell, at + 2)))
}

/// The place in "Data is processed in the EU", where it is the last sentence of what is said.
fn place_in_sentence(text: &str, line: u32, places: Places) -> Option<String> {
    text.contains(". ").then(|| find::sentence(places, text, line)).flatten().map(|stated| stated.words)
}

/// What stands below an item, at any depth: each child with what is below it, and what has a key of its own by itself.
fn below(item: &Item) -> Vec<Cell> {
    let mut all = Vec::new();
    for child in &item.children {
        let mut cell = child.content.clone();
        let mut apart = Vec::new();
        child.children.iter().for_each(|inner| gather(inner, &mut cell, &mut apart));
        all.push(cell);
        all.append(&mut apart);
    }
    all
}

fn gather(item: &Item, into: &mut Cell, apart: &mut Vec<Cell>) {
    let content = item.content.clone();
    if keyed(&content).or_else(|| keyed_in_bold(&content)).is_some() {
        let mut own = content;
        item.children.iter().for_each(|inner| gather(inner, &mut own, apart));
        apart.push(own);
        return;
    }
    let last = into.runs.iter().rev().map(|run| run.text.trim_end()).find(|text| !text.is_empty());
    if last.is_some_and(|text| text.ends_with(':')) {
        // The first of what its key announces.
        into.runs.push(Run { text: " ".to_owned(), ..Run::default() });
        into.runs.extend(content.runs);
    } else {
        append(into, content);
    }
    item.children.iter().for_each(|inner| gather(inner, into, apart));
}

/// Adds what else is said: each keeps its own item.
pub(super) fn append(to: &mut Cell, more: Cell) {
    if to.is_empty() {
        *to = Cell { items: std::mem::take(&mut to.items), ..more };
        return;
    }
    if to.items.is_empty() {
        to.items.push(to.text());
    }
    to.items.push(more.text());
    to.runs.push(Run { text: "; ".to_owned(), ..Run::default() });
    to.runs.extend(more.runs);
}

/// The lines of a cell as cells; a bold key begins one too: "**Purpose:** hosting **Location:** Germany".
pub(super) fn cell_lines(cell: &Cell) -> Vec<Cell> {
    let mut lines = vec![Cell { line: cell.line, ..Cell::default() }];
    for (at, run) in cell.runs.iter().enumerate() {
        let next = cell.runs.get(at + 1).map(|next| next.text.trim_start()).unwrap_or_default();
        let key = run.text.trim().trim_end_matches(':');
        let is_key = run.strong
            && (run.text.trim_end().ends_with(':') || next.starts_with(':'))
            && (1..=40).contains(&key.chars().count());
        for (index, part) in run.text.split('\n').enumerate() {
            if index > 0 || is_key {
                lines.push(Cell { line: cell.line, ..Cell::default() });
            }
            if let Some(last) = lines.last_mut() {
                last.runs.push(Run { text: part.to_owned(), ..run.clone() });
            }
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// The sign between a name and what is said of it can stand inside the bold of the name.
fn finish_name(cell: &mut Cell) {
    while let Some(last) = cell.runs.last_mut() {
        let end = last.text.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ':' | '–' | '—' | '-')).len();
        last.text.truncate(end);
        if last.text.ends_with(").") {
            last.text.pop();
        }
        let end = last.text.len();
        if end > 0 {
            return;
        }
        cell.runs.pop();
    }
}

/// Whether a text ends with an abbreviation: "U.S."
fn is_abbreviated(text: &str) -> bool {
    let last = text.split_whitespace().last().unwrap_or_default();
    last.trim_end_matches('.').contains('.')
}

/// The point that ends what is said is the list's, not part of it.
fn finish_sentence(cell: &mut Cell) {
    if let Some(last) = cell.runs.iter_mut().rev().find(|run| !run.text.trim().is_empty()) {
        let trimmed = last.text.trim_end();
        if let Some(body) = trimmed.strip_suffix(['.', ';'])
            && !body.ends_with('.')
        {
            last.text = body.to_owned();
        }
    }
}

/// The part of a cell before a byte of its raw text.
fn before(cell: &Cell, end: usize) -> Cell {
    slice(cell, 0, end)
}

/// The part of a cell from a byte of its raw text on.
fn after(cell: &Cell, start: usize) -> Cell {
    slice(cell, start, usize::MAX)
}

fn slice(cell: &Cell, start: usize, end: usize) -> Cell {
    let mut out = Cell { line: cell.line, ..Cell::default() };
    let mut at = 0;
    for run in &cell.runs {
        let (from, to) = (start.max(at) - at, end.clamp(at, at + run.text.len()) - at);
        if from < to
            && let Some(text) = run.text.get(from..to)
        {
            out.runs.push(Run { text: text.to_owned(), ..run.clone() });
        }
        at += run.text.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(markdown: &[(&str, bool, &str)]) -> Item {
        let run = |(text, strong, link): &(&str, bool, &str)| Run {
            text: (*text).to_owned(),
            strong: *strong,
            link: (!link.is_empty()).then(|| (*link).to_owned()),
            ..Run::default()
        };
        Item { content: Cell { line: 1, runs: markdown.iter().map(run).collect(), items: vec![] }, children: vec![] }
    }

    fn read(items: Vec<Item>) -> Vec<[String; 3]> {
        let list = List { line: 1, items, ..List::default() };
        let (table, _) = tabulate(&list, Places::builtin());
        let text = |row: &Row, i: usize| row.cell(i).map(Cell::text).unwrap_or_default();
        table.rows.iter().map(|row| [text(row, 0), text(row, 1), text(row, 2)]).collect()
    }

    #[test]
    fn an_item_is_a_name_and_what_is_said_of_it() {
        for (runs, name, purpose, place) in [
            (
                vec![("Acme.com", false, "x"), (". Cloud hosting. For all. ", false, "")],
                "Acme.com",
                "Cloud hosting. For all",
                "",
            ),
            (vec![("Acme:", true, ""), (" Hosting", false, "")], "Acme", "Hosting", ""),
            (vec![("Acme", true, ""), (" – Hosting (Germany)", false, "")], "Acme", "Hosting", "Germany"),
            (vec![("Acme", true, "x"), (" (ACM) - hosts, mails.", false, "")], "Acme (ACM)", "hosts, mails", ""),
            (vec![("Acme, Inc. – Hosting", false, "")], "Acme, Inc.", "Hosting", ""),
            (vec![("Acme Inc. Hosting of all.", false, "")], "Acme Inc. Hosting of all.", "", ""),
            (vec![("Acme (hosting)", false, "")], "Acme", "hosting", ""),
            (vec![("Acme (United States)", false, "")], "Acme", "", "United States"),
            (vec![("Acme (Zenith)", false, "")], "Acme (Zenith)", "", ""),
            (vec![("Acme, Inc., payments", false, "")], "Acme, Inc.", "payments", ""),
            (vec![("Acme", false, "")], "Acme", "", ""),
        ] {
            assert_eq!(read(vec![item(&runs)]), [[name, purpose, place]], "{runs:?}");
        }
    }
}
