//! Where a row stands on the day it is imported: announced, in use, over.

use super::{
    super::{
        draft::{Draft, MAX_QUOTE, Stage, to_line},
        report::Report,
        text,
    },
    Known,
};
use crate::proto::v1::{Source, Subprocessor, subprocessor::State};

/// The state of a row: what the page says of it, and what its dates say today. A start to come stays an annotation: what
/// is recorded as found has none.
pub(super) fn begin(row: &mut Subprocessor, draft: &Draft, known: &Known, report: &mut Report) {
    let (line, today) = (draft.line, known.today.as_str());
    let told = draft.told.as_ref();
    let days = draft.start.or_else(|| told.and_then(|told| told.from));
    let has_come = days.is_some_and(|days| days.last.to_string().as_str() <= today);
    let is_ahead = row.start_date.as_str() > today || days.is_some_and(|days| days.first.to_string().as_str() > today);
    let state = match told.map(|told| told.stage) {
        Some(Stage::Over) => State::Retired,
        Some(Stage::Paused) => State::Suspended,
        Some(Stage::Coming) if !has_come => State::Announced,
        _ if is_ahead => State::Announced,
        _ => row.state(),
    };
    if state == State::Announced {
        let date = std::mem::take(&mut row.start_date);
        row.sources.retain(|source| source.field != "start_date");
        let since = if date.is_empty() { String::new() } else { format!(" for {date}") };
        report.note(line, format!("\"{}\" is announced{since}, not in use yet", text::clip(&row.display_name, 60)));
    } else if let Some(days) = days.filter(|days| row.start_date.is_empty() && days.is_day() && has_come) {
        row.start_date = days.first.to_string();
    }
    if let Some(told) = told.filter(|_| state != row.state()) {
        row.sources.push(Source {
            document: row.sources.first().map(|source| source.document.clone()).unwrap_or_default(),
            field: "state".to_owned(),
            quote: text::clip(&told.quote, MAX_QUOTE),
            line: to_line(told.line),
            ..Source::default()
        });
    }
    row.set_state(state);
    if !row.end_date.is_empty() && !row.start_date.is_empty() && row.end_date < row.start_date {
        let date = std::mem::take(&mut row.end_date);
        report.note(line, format!("it would end on {date}, before it starts: the date is only an annotation"));
    }
    if !row.end_date.is_empty() && row.end_date.as_str() <= today {
        row.set_state(State::Retired);
    }
}

/// What is over and does not say since when ended before the page was read.
pub(super) fn end(row: &mut Subprocessor, known: &Known, report: &mut Report) {
    if row.state() == State::Retired && row.end_date.is_empty() {
        row.end_date.clone_from(&known.today);
        let name = text::clip(&row.display_name, 60);
        report
            .note(0, format!("\"{name}\" is no longer used, the page does not say since when: until {}", row.end_date));
    }
}
