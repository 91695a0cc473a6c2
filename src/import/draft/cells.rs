//! One cell to its field.

use super::{
    super::{
        columns::{self, Column, Field},
        dates,
        find::Stated,
        page::Cell,
        places::Found,
        text,
    },
    Draft, Drafter, Hint, MAX_QUOTE, footnotes, stage, to_line,
};
use crate::{
    proto::v1::{Location, Role, Source, location::Activity},
    resource::text::{LONG, SHORT, SHORT_BYTES, uri},
};

/// The activity of a company's seat.
pub(super) const CORPORATE: Activity = Activity::Corporate;

/// Below this, a column's text is kept under its heading too: the guess may be wrong.
const SURE: f64 = 0.8;

/// Elements that a list of words may have.
const MAX_ELEMENTS: usize = 200;

impl Drafter<'_> {
    /// Takes a cell in.
    pub(super) fn cell(&mut self, draft: &mut Draft, cell: &Cell, column: &Column, index: usize, hint: Hint) {
        let label = column.label(index);
        let value = cell.text();
        if value.is_empty() {
            return;
        }
        // What a column is for that has no heading, or whose text is turned into something else, is kept as it stands.
        let mut keep = !column.heading.is_empty() && column.confidence < SURE;
        match column.field {
            Field::Ignore => {
                self.report.ignored_cells += 1;
                return;
            }
            Field::Name => {
                self.website(draft, cell, &label, false);
                return;
            }
            Field::Website => {
                self.website(draft, cell, &label, true);
                return;
            }
            Field::Annotation => {
                state(draft, &column.heading, &value);
                keep = true;
            }
            Field::Purpose => {
                let items = if cell.items.len() > 1 && cell.items.len() <= MAX_ELEMENTS {
                    cell.items.clone()
                } else {
                    vec![value.clone()]
                };
                for item in items.into_iter().filter(|item| !item.is_empty()) {
                    self.long(draft, &item, &label);
                    draft.message.purposes.push(item);
                }
            }
            Field::Location | Field::EntityCountry => {
                self.location(draft, cell, column, &label, hint.codes);
                keep = false;
            }
            Field::Section => draft.message.section.clone_from(&value),
            Field::Service => {
                self.long(draft, &value, &label);
                draft.message.service_description.clone_from(&value);
            }
            Field::Condition => {
                self.long(draft, &value, &label);
                draft.message.condition.clone_from(&value);
            }
            Field::DataCategories => {
                draft.message.data_categories.extend(split(cell));
                keep = true;
            }
            Field::SpecialCategories => {
                draft.message.special_categories.extend(split(cell));
                keep = true;
            }
            Field::DataSubjects => {
                draft.message.data_subject_categories.extend(split(cell));
                keep = true;
            }
            Field::Products => {
                draft.products.extend(split(cell));
                keep = true;
            }
            Field::StartDate | Field::EndDate => {
                self.date(draft, column.field, &value, &label, hint);
                keep = true;
            }
            Field::Role => {
                keep = true;
                match role(&value) {
                    Some(role) => draft.message.set_role(role),
                    None => self.not_understood(draft.line, &label, &value, Vec::new()),
                }
            }
            Field::Affiliate => {
                keep = true;
                match yes_or_no(&value) {
                    Some(answer) => draft.message.affiliate = Some(answer),
                    None => self.not_understood(draft.line, &label, &value, Vec::new()),
                }
            }
            Field::Address => {
                let lines = cell.lines().join(", ");
                draft.address = Some(lines);
                keep = true;
            }
            Field::Contact => keep = true,
        }
        if keep {
            self.annotate(draft, &label, &value);
        }
        self.links(draft, cell, &label);
        if !matches!(column.field, Field::Purpose) {
            for mark in footnotes::split_marks(cell).1 {
                self.footnote(draft, &mark, false);
            }
        }
    }

    /// Keeps the links of a cell beside its words.
    fn links(&mut self, draft: &mut Draft, cell: &Cell, label: &str) {
        let value = cell.text();
        let links: Vec<&str> = cell.links().into_iter().filter(|link| !same_address(link, &value)).collect();
        if !links.is_empty() {
            self.annotate(draft, &format!("{} (link)", text::clip(label, 56)), &links.join("\n"));
        }
    }

    /// Takes the web page of the row from a cell. `own`: the column is for nothing else.
    fn website(&mut self, draft: &mut Draft, cell: &Cell, label: &str, own: bool) {
        let value = cell.text();
        let mut links: Vec<String> = cell.links().into_iter().map(ToOwned::to_owned).collect();
        let mut plain = false;
        if own && links.is_empty() {
            plain = true;
            links.extend(address(&value));
        }
        let usable = links.iter().position(|link| uri(link).is_ok());
        let taken = usable.filter(|_| own || draft.message.website_uri.is_empty()).map(|at| links.remove(at));
        if let Some(link) = taken {
            // The column for it says more than the link behind the name.
            let before = std::mem::replace(&mut draft.message.website_uri, link.clone());
            if !before.is_empty() && before != link {
                self.annotate(draft, "name (link)", &before);
            }
            if own && !same_address(&link, &value) && !(plain && value == link) {
                self.annotate(draft, label, &value);
            }
        } else if own {
            self.annotate(draft, label, &value);
        }
        links.retain(|link| *link != draft.message.website_uri);
        if !links.is_empty() {
            self.annotate(draft, &format!("{} (link)", text::clip(label, 56)), &links.join("\n"));
        }
    }

    fn location(&mut self, draft: &mut Draft, cell: &Cell, column: &Column, label: &str, codes: bool) {
        let value = cell.text();
        if value.chars().all(|c| matches!(c, '-' | '–' | '—' | '/' | '.' | ' ')) {
            // A dash where nothing is said.
            self.annotate(draft, label, &value);
            return;
        }
        self.long(draft, &value, label);
        let lines = cell.lines().join("\n");
        let reading = self.places.read(&lines, codes);
        let corporate = column.field == Field::EntityCountry;
        let activity = if corporate { CORPORATE } else { activity(&column.heading) };
        if corporate && let Some(found) = reading.found.iter().find(|found| !found.code.is_empty()) {
            draft.corporate.get_or_insert_with(|| found.code.clone());
        }
        let says_nothing = reading.found.iter().all(|found| found.code.is_empty() && found.area == "UNSPECIFIED");
        if says_nothing || !reading.left.is_empty() {
            self.not_understood(draft.line, label, &value, reading.left.clone());
        }
        add_places(draft, &reading.found, activity, &value);
    }

    /// Takes a date in. A month or a year is its first day for a start, and the day behind it for an end: then it
    /// certainly was over.
    fn date(&mut self, draft: &mut Draft, field: Field, value: &str, label: &str, hint: Hint) {
        let Some(span) = dates::span(value, hint.order) else {
            self.not_understood(draft.line, label, value, Vec::new());
            return;
        };
        let (path, day) = match field {
            Field::StartDate => ("start_date", Some(span.first)),
            _ if span.is_day() => ("end_date", Some(span.first)),
            _ => ("end_date", span.after()),
        };
        let day = day.map(|day| day.to_string()).unwrap_or_default();
        if !span.is_day() {
            let quote = text::clip(value, MAX_QUOTE);
            self.report.note(draft.line, format!("{label}: \"{quote}\" names no day; {path} is {day}"));
            draft.message.sources.push(Source {
                field: path.to_owned(),
                quote,
                line: to_line(draft.line),
                ..Source::default()
            });
        }
        if field == Field::StartDate {
            draft.message.start_date = day;
            draft.start = Some(span);
        } else {
            draft.message.end_date = day;
        }
    }

    /// Notices a text that no field can hold.
    fn long(&mut self, draft: &mut Draft, value: &str, label: &str) {
        if value.chars().count() > LONG {
            draft.too_long.push(format!("\"{}\"", text::clip(label, 40)));
        }
    }
}

/// What a column of states, or of yes and no below a state, says of a row.
fn state(draft: &mut Draft, heading: &str, value: &str) {
    let stage = match yes_or_no(value) {
        Some(answer) => stage::of_answer(heading, answer),
        None => stage::of_value(value).filter(|_| stage::is_status(heading)),
    };
    if let Some(stage) = stage {
        draft.told = Some(stage::Told { stage, from: None, quote: value.to_owned(), line: draft.line });
    }
}

fn add_places(draft: &mut Draft, found: &[Found], activity: Activity, verbatim: &str) {
    let mut add = |code: &str, area: &str| {
        let mut location = Location {
            region_code: code.to_owned(),
            area: area.to_owned(),
            verbatim: verbatim.to_owned(),
            ..Location::default()
        };
        location.set_activity(activity);
        if !draft.message.locations.contains(&location) {
            draft.message.locations.push(location);
        }
    };
    if found.is_empty() {
        add("", "");
    }
    for place in found {
        add(&place.code, &place.area);
    }
}

/// Takes over the place that the text above states.
pub(super) fn state_place(draft: &mut Draft, place: &Stated) {
    add_places(draft, &place.reading.found, Activity::NotStated, &place.words);
    draft.message.sources.push(Source {
        field: "locations".to_owned(),
        quote: text::clip(&place.quote, MAX_QUOTE),
        line: to_line(place.line),
        ..Source::default()
    });
}

/// What happens at the places of a column.
fn activity(heading: &str) -> Activity {
    let words = columns::words(heading);
    let has = |stems: &[&str]| words.iter().any(|word| stems.iter().any(|stem| word.starts_with(stem)));
    if has(&["stor", "host", "server", "resid", "speicher", "heberg", "datacent"]) || (has(&["data"]) && has(&["cent"]))
    {
        Activity::Storage
    } else if has(&["process", "verarbeit", "traitement", "tratamiento", "trattamento", "verwerk", "behandl"]) {
        Activity::Processing
    } else if has(&["access", "zugriff"]) {
        Activity::Access
    } else if has(&["support"]) {
        Activity::Support
    } else {
        Activity::NotStated
    }
}

/// The parts of a list of words: items, lines, or what stands between commas and semicolons outside brackets.
fn split(cell: &Cell) -> Vec<String> {
    let parts: Vec<String> = if cell.items.len() > 1 {
        cell.items.clone()
    } else if cell.lines().len() > 1 {
        cell.lines()
            .iter()
            .map(|line| line.trim_start_matches(['•', '-', '*', '·', '–', ' ']).trim_end_matches([',', ';']).to_owned())
            .collect()
    } else {
        between(&cell.text())
    };
    let fits = |part: &String| part.chars().count() <= SHORT && part.len() <= SHORT_BYTES;
    let mut seen: Vec<String> = Vec::new();
    for part in parts.into_iter().map(|part| text::collapse(&part)).filter(|part| !part.is_empty() && fits(part)) {
        if !seen.contains(&part) && seen.len() < MAX_ELEMENTS {
            seen.push(part);
        }
    }
    seen
}

fn between(value: &str) -> Vec<String> {
    let separators: &[char] = if value.contains(';') { &[';'] } else { &[','] };
    let mut parts = vec![String::new()];
    let mut depth = 0_i32;
    for c in value.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth <= 0 && separators.contains(&c) {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

/// The web address that a text is, with the scheme that a domain alone lacks.
fn address(value: &str) -> Option<String> {
    if uri(value).is_ok() {
        return Some(value.to_owned());
    }
    let host = value.split('/').next().unwrap_or_default();
    let is_domain = host.contains('.')
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        && host.rsplit('.').next().is_some_and(|end| end.len() >= 2 && end.bytes().all(|b| b.is_ascii_alphabetic()));
    let with_scheme = format!("https://{value}");
    (is_domain && uri(&with_scheme).is_ok()).then_some(with_scheme)
}

/// Whether a text is the address that it links to.
fn same_address(link: &str, value: &str) -> bool {
    let bare = |text: &str| {
        let text = text.trim().to_lowercase();
        let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(&text).to_owned();
        let text = text.strip_prefix("mailto:").unwrap_or(&text).to_owned();
        text.trim_end_matches('/').to_owned()
    };
    bare(link) == bare(value)
}

fn role(value: &str) -> Option<Role> {
    let words = text::words(value).concat();
    match words.as_str() {
        "subprocessor" | "unterauftragsverarbeiter" => Some(Role::SubProcessor),
        "processor" | "dataprocessor" | "auftragsverarbeiter" => Some(Role::Processor),
        "controller" | "datacontroller" | "verantwortlicher" => Some(Role::Controller),
        "independentcontroller" => Some(Role::IndependentController),
        "jointcontroller" => Some(Role::JointController),
        "recipient" => Some(Role::Recipient),
        _ => None,
    }
}

fn yes_or_no(value: &str) -> Option<bool> {
    match text::fold(value).as_str() {
        "yes" | "y" | "true" | "ja" | "oui" | "si" | "x" | "✓" | "✔" | "affiliate" | "subsidiary" => Some(true),
        "no" | "n" | "false" | "nein" | "non" | "nee" | "third party" => Some(false),
        _ => None,
    }
}
