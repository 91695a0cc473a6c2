//! The timeline of each transfer's cover: which mechanism carried it on which days, and where there is a gap.
//!
//! [`rows`] turns what AssessTransfers answers over a range into rows with lanes, [`svg`] draws them. Both are pure, so
//! the command line and the page show the same picture.

mod draw;
mod svg;

use std::collections::{BTreeMap, HashMap};

use crate::{
    proto::v1::{AssessmentReason, MechanismAssessment, Transfer, TransferAssessment, Verdict},
    rules::{
        law::covers,
        paper::words::{country, list, regime},
    },
};
pub use svg::svg;

/// How many transfers are drawn at most.
pub const MOST_ROWS: usize = 100;

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeline {
    /// Whose transfers.
    pub title: String,
    /// First day, ISO 8601.
    pub from_date: String,
    /// Last day, ISO 8601.
    pub to_date: String,
    /// Today, ISO 8601.
    pub today: String,
    /// The revision that was asked.
    pub revision: i64,
    /// The transfers.
    pub rows: Vec<Row>,
    /// How many are not covered today, and of how many that cannot be said.
    pub gaps: (usize, usize),
    /// How many were left out, and whether there are more than were counted.
    pub left_out: (usize, bool),
}

/// One transfer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// From whom to whom.
    pub parties: String,
    /// Under which law, and to where.
    pub detail: String,
    /// The transfer by its name; for one that nobody recorded, from where it is derived.
    pub name: String,
    /// How it stood.
    pub cover: Vec<Bar>,
    /// What each of its mechanisms was worth, in the order of their precedence.
    pub lanes: Vec<Lane>,
}

/// One mechanism of a transfer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lane {
    /// The id of the instrument.
    pub instrument: String,
    /// How it stands beside the others.
    pub rank: Rank,
    /// What it was worth when.
    pub bars: Vec<Bar>,
}

/// How a mechanism stands beside the others of its transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rank {
    /// The transfer rests on it.
    #[default]
    First,
    /// It takes over when another fails.
    Fallback,
    /// The law itself puts it there.
    Implied,
}

/// Days with one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// First day.
    pub from_date: String,
    /// First day after.
    pub end_date: String,
    /// The answer.
    pub verdict: Verdict,
    /// Whether another mechanism carries the transfer on these days, before this one.
    pub waits: bool,
    /// Why, with what it rests on.
    pub why: String,
}

impl Row {
    /// How it stands on a day; none if it does not take place.
    fn on(&self, day: &str) -> Option<Verdict> {
        let bar = self.cover.iter().find(|bar| bar.from_date.as_str() <= day && day < bar.end_date.as_str());
        bar.map(|bar| bar.verdict)
    }

    /// What is to be seen first: a gap today, then a gap at any time.
    fn urgency(&self, today: &str) -> u8 {
        match self.on(today) {
            Some(verdict) if !covers(verdict) => 0,
            _ if self.cover.iter().any(|bar| !covers(bar.verdict)) => 1,
            _ => 2,
        }
    }
}

impl Timeline {
    /// Takes the rows, the most urgent first, and leaves out what would be too many.
    #[must_use]
    pub fn with(mut self, mut rows: Vec<Row>, more: bool) -> Self {
        rows.sort_by_key(|row| row.urgency(&self.today));
        let today = rows.iter().filter_map(|row| row.on(&self.today)).filter(|verdict| !covers(*verdict));
        let (unknown, gaps): (Vec<_>, Vec<_>) = today.partition(|verdict| *verdict == Verdict::Indeterminate);
        self.gaps = (gaps.len(), unknown.len());
        self.left_out = (rows.len().saturating_sub(MOST_ROWS), more);
        rows.truncate(MOST_ROWS);
        self.rows = rows;
        self
    }
}

/// The days that are drawn: what is not asked for begins ten years before today and ends two years after it.
pub fn range(today: &str, from_date: &str, to_date: &str) -> (String, String) {
    let moved = |years: i32| {
        let day = today.parse::<jiff::civil::Date>().ok();
        let day = day.and_then(|day| day.checked_add(jiff::Span::new().years(years)).ok());
        day.map_or_else(|| today.to_owned(), |day| day.to_string())
    };
    let or = |asked: &str, years: i32| if asked.is_empty() { moved(years) } else { asked.to_owned() };
    (or(from_date, -10), or(to_date, 2))
}

/// What is known of transfers and of who takes part in them, by name.
#[derive(Debug, Default)]
pub struct Known {
    /// The recorded transfers.
    pub transfers: HashMap<String, Transfer>,
    /// What people call organizations and subprocessors.
    pub titles: HashMap<String, String>,
}

impl Known {
    fn title(&self, name: &str) -> String {
        let id = || name.rsplit('/').next().unwrap_or(name).to_owned();
        self.titles.get(name).cloned().unwrap_or_else(id)
    }
}

/// The rows of what was answered over a range: one for each transfer, in the order of the answers.
pub fn rows(assessments: &[TransferAssessment], known: &Known, organization: &str) -> Vec<Row> {
    let mut order: Vec<Vec<&TransferAssessment>> = Vec::new();
    let mut places: HashMap<(String, String, i32, i32), usize> = HashMap::new();
    for one in assessments {
        let from = one.derived_from.clone().unwrap_or_default();
        let place = *places
            .entry((one.transfer.clone(), from.subprocessor, from.location_index, one.regime))
            .or_insert(order.len());
        if place == order.len() {
            order.push(Vec::new());
        }
        order[place].push(one);
    }
    order.into_iter().map(|intervals| row(&intervals, known, organization)).collect()
}

fn row(intervals: &[&TransferAssessment], known: &Known, organization: &str) -> Row {
    let mut row = intervals.first().map(|first| begin(first, known, organization)).unwrap_or_default();
    let transfer = intervals.first().and_then(|first| known.transfers.get(&first.transfer));
    for one in intervals {
        let best = one.mechanism_assessments.iter().filter(|mechanism| mechanism.verdict == one.verdict);
        let reasons = one.reasons.iter().chain(best.flat_map(|mechanism| &mechanism.reasons));
        extend(&mut row.cover, one, one.verdict(), false, why(reasons));
    }
    row.lanes = lanes(intervals, transfer);
    row
}

fn begin(one: &TransferAssessment, known: &Known, organization: &str) -> Row {
    let assumed = if one.assumed { " (assumed)" } else { "" };
    let law = regime(one.regime()).trim_start_matches("the ");
    let (parties, to, name) = match (known.transfers.get(&one.transfer), &one.derived_from) {
        (Some(transfer), _) => {
            let to: Vec<String> = transfer.destination_region_codes.iter().map(|code| country(code)).collect();
            let parties = format!("{} → {}", known.title(&transfer.exporter), known.title(&transfer.importer));
            (parties, list(&to), transfer.name.clone())
        }
        (None, Some(from)) => {
            let to = if from.region_code.is_empty() {
                format!("“{}”", from.verbatim)
            } else {
                country(&from.region_code)
            };
            let parties = format!("{} → {}", known.title(organization), known.title(&from.subprocessor));
            (parties, to, format!("derived from {} locations[{}]", from.subprocessor, from.location_index))
        }
        (None, None) => (known.title(&one.transfer), String::new(), one.transfer.clone()),
    };
    let to = if to.is_empty() { "destination not stated".to_owned() } else { format!("to {to}") };
    Row { parties, detail: format!("{law}{assumed}, {to}"), name, ..Row::default() }
}

/// The lanes: one for each instrument that an answer names, those that the law implies last.
fn lanes(intervals: &[&TransferAssessment], transfer: Option<&Transfer>) -> Vec<Lane> {
    let precedence = |instrument: &str| {
        let relied_on = transfer.into_iter().flat_map(|one| &one.mechanisms);
        relied_on.filter(|one| one.instrument == instrument).map(|one| one.precedence).min()
    };
    let first = transfer.into_iter().flat_map(|one| &one.mechanisms).map(|one| one.precedence).min();
    let mut lanes: BTreeMap<(bool, i32, String), Lane> = BTreeMap::new();
    for one in intervals {
        let mut carried = false;
        for mechanism in &one.mechanism_assessments {
            let place = precedence(&mechanism.instrument);
            let rank = match place {
                _ if mechanism.implied => Rank::Implied,
                Some(place) if Some(place) > first => Rank::Fallback,
                _ => Rank::First,
            };
            let key = (mechanism.implied, place.unwrap_or_default(), mechanism.instrument.clone());
            let id = mechanism.instrument.trim_start_matches("instruments/").to_owned();
            let lane = lanes.entry(key).or_insert_with(|| Lane { instrument: id, rank, bars: Vec::new() });
            let carries = covers(mechanism.verdict());
            extend(&mut lane.bars, one, mechanism.verdict(), carries && carried, because(mechanism));
            carried |= carries;
        }
    }
    lanes.into_values().collect()
}

fn because(mechanism: &MechanismAssessment) -> String {
    why(mechanism.reasons.iter())
}

/// Adds an interval; what goes on without a change is one bar.
fn extend(bars: &mut Vec<Bar>, interval: &TransferAssessment, verdict: Verdict, waits: bool, why: String) {
    let goes_on = |last: &&mut Bar| {
        last.end_date == interval.from_date && last.verdict == verdict && last.waits == waits && last.why == why
    };
    match bars.last_mut().filter(goes_on) {
        Some(last) => last.end_date.clone_from(&interval.end_date),
        None => bars.push(Bar {
            from_date: interval.from_date.clone(),
            end_date: interval.end_date.clone(),
            verdict,
            waits,
            why,
        }),
    }
}

fn why<'a>(reasons: impl Iterator<Item = &'a AssessmentReason>) -> String {
    let said = reasons.map(|one| match one.citation.as_str() {
        "" => one.text.clone(),
        citation => format!("{} ({citation})", one.text),
    });
    let mut said: Vec<String> = said.collect();
    said.dedup();
    said.join("; ")
}
