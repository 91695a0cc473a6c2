//! Lists as tables: an item's name, what is said of it, and where that says so, the place.

mod aside;
mod name;

use super::{
    columns::{self, Column, Field},
    find,
    page::{Cell, Item, List, Row, Run, Table},
    places::Places,
    text,
};

pub(super) use aside::begins_with_key;
use aside::{ending_brackets, keyed_sentences, place_apart, place_in_brackets, split_brackets};
pub(super) use name::{address_behind, is_name_like, name_line};

/// What stands between a name and what is said of it, in the order in which they are tried.
const SEPARATORS: [&str; 8] = [" – ", " — ", " - ", ": ", " | ", " → ", " -- ", "\t"];

/// Endings after which a point ends no sentence.
const ABBREVIATIONS: [&str; 22] = [
    "inc", "ltd", "co", "corp", "llc", "pty", "pvt", "s.a", "b.v", "n.v", "a.s", "s.r.o", "s.r.l", "s.p.a", "o.o",
    "gmbh", "plc", "dr", "st", "no", "aka", "u.s",
];

/// A list as a table with the columns name, purpose and location, and one for every key that items use ("Location:
/// Germany"). The columns are given with it: they have no headings that could be read.
pub(super) fn tabulate(list: &List, places: Places) -> (Table, Vec<Column>) {
    let mut rows = Vec::new();
    let mut keys: Vec<String> = Vec::new();
    let separator = common_separator(list);
    let grouped = is_grouped(list, separator);
    for item in &list.items {
        if grouped && !item.children.is_empty() {
            let section = item.content.text().trim_end_matches([':', ' ']).to_owned();
            for child in &item.children {
                let mut row = row(child, separator, places, &mut keys);
                row.section = Some(section.clone());
                rows.push(row);
            }
        } else {
            rows.push(row(item, separator, places, &mut keys));
        }
    }
    rows.retain(|row| !row.is_empty());
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
    for key in &keys {
        let guess = columns::by_words(key).into_iter().next();
        columns.push(match guess {
            Some(guess) if guess.field != Field::Name => {
                Column { heading: key.clone(), field: guess.field, confidence: guess.confidence, reason: guess.reason }
            }
            _ => column(key, Field::Annotation, "no field has this name"),
        });
    }
    let table = Table { line: list.line, count: rows.len(), rows, ..Table::default() };
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

fn row(item: &Item, separator: Option<&str>, places: Places, keys: &mut Vec<String>) -> Row {
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
    if place.is_empty()
        && let Some(words) = place_in_sentence(&purpose.text(), purpose.line, places)
    {
        place = Cell::plain(purpose.line, words);
    }
    for cell in said {
        append(&mut purpose, cell);
    }
    let mut cells = vec![name, purpose, place];
    for (key, value) in own {
        let at = keys.iter().position(|known| columns::same_heading(known, &key)).unwrap_or_else(|| {
            keys.push(key);
            keys.len() - 1
        });
        let column = at + 3;
        if cells.len() <= column {
            cells.resize(column + 1, Cell::default());
        }
        append(&mut cells[column], value);
    }
    Row { line: item.content.line, cells, ..Row::default() }
}

/// Whether words in brackets are a postal address: a number, and a place at the end.
fn is_address(words: &str, places: Places) -> bool {
    let parts: Vec<&str> = words.split(',').map(str::trim).collect();
    parts.len() > 2
        && words.chars().any(|c| c.is_ascii_digit())
        && parts.last().is_some_and(|last| places.read(last, false).is_whole())
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
    if into.text().trim_end().ends_with(':') {
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

/// The separator that splits most items of a list.
fn common_separator(list: &List) -> Option<&'static str> {
    let texts: Vec<String> = list.items.iter().take(200).map(|item| text::collapse(&item.content.raw())).collect();
    let count = |separator: &str| texts.iter().filter(|text| text.contains(separator)).count();
    let best = SEPARATORS.iter().rev().map(|separator| (count(separator), *separator)).max_by_key(|(count, _)| *count);
    best.filter(|(count, _)| *count > 0).map(|(_, separator)| separator)
}

/// Splits an item into its name and what is said of it.
fn split(cell: &Cell, separator: Option<&str>) -> (Cell, Cell) {
    if let Some(end) = lead(cell) {
        let (name, rest) = (before(cell, end), after(cell, end));
        return join_brackets(name, rest, separator);
    }
    let raw = cell.raw();
    let flat = raw.replace('\n', " ");
    let common = separator.and_then(|separator| Some((flat.find(separator)?, separator.len())));
    let any = || SEPARATORS.iter().filter_map(|separator| Some((flat.find(separator)?, separator.len()))).min();
    let found = common.or_else(any).or_else(|| sentence_end(&flat)).or_else(|| comma(&flat));
    match found {
        Some((at, length)) if is_name_like(&flat[..at]) => (before(cell, at), after(cell, at + length)),
        _ => (cell.clone(), Cell::default()),
    }
}

/// Whether a paragraph begins with a name that is bold or a link, with a sign behind it and more: "**Acme** – hosting".
pub(super) fn begins_with_name(cell: &Cell) -> bool {
    let Some(end) = lead(cell) else { return false };
    let (raw, name) = (cell.raw(), before(cell, end).text());
    let rest = raw.get(end..).unwrap_or_default();
    let is_apart = name.ends_with(':') || rest.trim_start().starts_with(['–', '—', '-', ':', '|', '(']);
    is_apart && !rest.trim().is_empty() && is_name_like(&name) && keyed(cell).is_none()
}

/// Where the bold or linked text ends with which an item begins.
fn lead(cell: &Cell) -> Option<usize> {
    let mut end = 0;
    let mut style: Option<(bool, bool)> = None;
    for run in &cell.runs {
        let this = (run.strong, run.link.is_some());
        let blank = run.text.trim().is_empty();
        match style {
            None if blank => {}
            None if this == (false, false) => return None,
            None => style = Some(this),
            // A bold name with a link in it goes on as long as it is bold.
            Some((strong, link)) if blank || (strong && this.0) || (!strong && link && this.1) => {}
            Some(_) => break,
        }
        end += run.text.len();
    }
    style.map(|_| end)
}

/// Puts what stands in brackets behind a name, and before what is said of it, with the name: "AWS (Amazon Web
/// Services) – hosting".
fn join_brackets(name: Cell, rest: Cell, separator: Option<&str>) -> (Cell, Cell) {
    let raw = rest.raw();
    let trimmed = raw.trim_start();
    let skipped = raw.len() - trimmed.len();
    if !trimmed.starts_with('(') {
        return (name, strip_separator(&rest));
    }
    let Some(close) = trimmed.find(')') else { return (name, strip_separator(&rest)) };
    let tail = trimmed[close + 1..].trim_start();
    if tail.trim_matches(['.', ' ']).is_empty() {
        // Brackets alone: whether they hold an alias, a place or a purpose is seen later.
        let mut joined = name;
        joined.runs.extend(before(&rest, skipped + close + 1).runs);
        return (joined, Cell::default());
    }
    let goes_on = tail.starts_with(['-', '–', '—', ':', '|', '.', ',']) && tail.trim_matches(['.', ' ']).len() > 1;
    let end = skipped + close + 1;
    let inside = before(&after(&rest, skipped + 1), close - 1);
    if goes_on && is_said(&inside.text()) {
        // Not another name, but the first of what is said: "Acme (payments): see its terms".
        let mut said = inside;
        append(&mut said, strip_separator(&after(&rest, end)));
        return (name, said);
    }
    if goes_on || separator.is_some_and(|separator| tail.starts_with(separator.trim())) {
        let mut joined = name;
        joined.runs.extend(before(&rest, end).runs);
        return (joined, strip_separator(&after(&rest, end)));
    }
    (name, strip_separator(&rest))
}

/// What is said of a name, without the sign that separates it.
fn strip_separator(cell: &Cell) -> Cell {
    let raw = cell.raw();
    let rest = raw.trim_start_matches(|c: char| {
        c.is_whitespace() || matches!(c, '.' | ':' | ',' | ';' | '-' | '–' | '—' | '|' | '→')
    });
    after(cell, raw.len() - rest.len())
}

/// Whether words in brackets are what is said of a name: a name has capitals, what a company does is written small.
fn is_said(words: &str) -> bool {
    let alias = ["aka", "a.k.a", "formerly", "d/b/a", "dba", "now ", "previously", "part of", "owned by"];
    words.chars().next().is_some_and(char::is_lowercase)
        && !alias.iter().any(|word| words.starts_with(word))
        && !super::find::is_coined(words)
}

/// A sentence's end behind a name: ". " that ends no abbreviation.
fn sentence_end(text: &str) -> Option<(usize, usize)> {
    let is_end = |at: &usize| text[at + 2..].trim_start().starts_with(|c: char| !c.is_lowercase());
    text.match_indices(". ")
        .map(|(at, _)| at)
        .filter(is_end)
        .find(|at| {
            let before = text[..*at].to_lowercase();
            !ABBREVIATIONS.iter().any(|word| {
                before.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with([' ', ',', '(', '.']))
            })
        })
        .map(|at| (at, 2))
}

/// A comma behind a name, unless a legal form follows.
fn comma(text: &str) -> Option<(usize, usize)> {
    let at = text.find(", ")?;
    let next = text[at + 2..].split([' ', ',']).next().unwrap_or_default().trim_end_matches('.').to_lowercase();
    let form =
        ["inc", "llc", "ltd", "limited", "corp", "gmbh", "pbc", "co", "plc", "lp", "llp", "sa", "ag", "bv", "nv"];
    if !form.contains(&next.as_str()) {
        return Some((at, 2));
    }
    let again = at + 2 + text[at + 2..].find(", ")?;
    Some((again, 2))
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
