//! Whether an instrument has effect: a pure function of its periods.

use super::{Dates, Finding, within};
use crate::proto::v1::{ExporterArea, Instrument, Period, Regime, Verdict, assessment_reason::Code, period::EndReason};

/// Where an instrument stands for one regime and exporter area on a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing<'a> {
    /// In effect, also for the contract asked about.
    InEffect(&'a Period),
    /// It has no period there: it never permits anything.
    NoPeriod,
    /// Its first day there is yet to come.
    NotYet(&'a Period),
    /// It was in effect there, and no longer is.
    Ended(&'a Period),
    /// In effect for older contracts only.
    SignedTooLate(&'a Period),
    /// In effect for older contracts only, and the date of this one is not stated.
    ContractDateNeeded(&'a Period),
}

/// Where an instrument stands. `contract_date`: when the contract was signed; empty: not stated.
pub fn standing<'a>(
    instrument: &'a Instrument,
    regime: Regime,
    area: ExporterArea,
    contract_date: &str,
    day: &str,
) -> Standing<'a> {
    let mut ended: Option<&Period> = None;
    let mut to_come: Option<&Period> = None;
    for period in periods(instrument, regime, area) {
        if within(day, &period.from_date, &period.end_date) {
            let closed =
                !period.no_new_contracts_from_date.is_empty() && period.no_new_contracts_from_date.as_str() <= day;
            return match contract_date {
                _ if !closed => Standing::InEffect(period),
                "" => Standing::ContractDateNeeded(period),
                date if date < period.no_new_contracts_from_date.as_str() => Standing::InEffect(period),
                _ => Standing::SignedTooLate(period),
            };
        }
        if day < period.from_date.as_str() {
            to_come = to_come.filter(|one| one.from_date <= period.from_date).or(Some(period));
        } else {
            ended = ended.filter(|one| one.end_date >= period.end_date).or(Some(period));
        }
    }
    match (ended, to_come) {
        (Some(period), _) => Standing::Ended(period),
        (None, Some(period)) => Standing::NotYet(period),
        (None, None) => Standing::NoPeriod,
    }
}

/// Whether an instrument can support a transfer on a day: its dates alone, not whether papers or assessments are there.
/// `contract_date`: when the contract was signed; empty: not stated.
pub fn usable(instrument: &Instrument, regime: Regime, area: ExporterArea, contract_date: &str, day: &str) -> bool {
    instrument.is_transfer_mechanism
        && contract_date <= day
        && matches!(standing(instrument, regime, area, contract_date, day), Standing::InEffect(_))
}

/// What follows from where an instrument stands; the period if it is in effect.
pub(super) fn effect<'a>(instrument: &'a Instrument, standing: Standing<'a>) -> Result<&'a Period, Finding> {
    let cited = || citation(instrument);
    match standing {
        Standing::InEffect(period) => Ok(period),
        Standing::NoPeriod => Err(Finding::new(
            Verdict::OutOfScope,
            Code::NoPeriodForArea,
            "it never had effect for exports from there under this regime",
            cited(),
        )),
        Standing::NotYet(period) => Err(Finding::new(
            Verdict::NotYetInForce,
            Code::BeforeFirstDay,
            format!("in force from {}", period.from_date),
            cited(),
        )),
        Standing::Ended(period) => {
            Err(Finding::new(end_verdict(period), Code::Ended, end_text(period), end_citation(instrument, period)))
        }
        Standing::SignedTooLate(period) => Err(Finding::new(
            Verdict::Expired,
            Code::SignedTooLate,
            format!("no new contracts from {}", period.no_new_contracts_from_date),
            cited(),
        )),
        Standing::ContractDateNeeded(period) => Err(Finding::new(
            Verdict::Indeterminate,
            Code::ContractDateNotStated,
            format!("in effect only for contracts signed before {}", period.no_new_contracts_from_date),
            cited(),
        )),
    }
}

/// An instrument as it is if it has no effect from a day on, under these regimes; under all if there are none. What had
/// ended before stays as it was, and what was to begin later never does.
pub(super) fn ended(instrument: &Instrument, day: &str, regimes: &[Regime], reason: EndReason) -> Instrument {
    let concerned = |one: &Period| regimes.is_empty() || regimes.contains(&one.regime());
    let over = |one: &Period| !one.end_date.is_empty() && one.end_date.as_str() <= day;
    let mut ended = instrument.clone();
    ended.periods.retain(|one| !concerned(one) || over(one) || one.from_date.as_str() < day);
    for period in ended.periods.iter_mut().filter(|one| concerned(one) && !over(one)) {
        day.clone_into(&mut period.end_date);
        period.set_end_reason(reason);
        period.ending_event = None;
    }
    ended
}

/// The periods of an instrument for one regime and area.
pub(super) fn periods(instrument: &Instrument, regime: Regime, area: ExporterArea) -> impl Iterator<Item = &Period> {
    instrument.periods.iter().filter(move |one| one.regime() == regime && one.exporter_areas().any(|a| a == area))
}

/// Adds the days on which its effect may change under a regime.
pub(crate) fn dates(instrument: &Instrument, regime: Regime, dates: &mut Dates) {
    for period in instrument.periods.iter().filter(|one| one.regime() == regime) {
        let all =
            [&period.from_date, &period.no_new_contracts_from_date, &period.end_date, &period.tia_required_from_date];
        dates.extend(all.into_iter().filter(|date| !date.is_empty()).cloned());
    }
}

/// How an instrument is cited.
pub(crate) fn citation(instrument: &Instrument) -> String {
    if instrument.citation.is_empty() { instrument.title.clone() } else { instrument.citation.clone() }
}

fn end_verdict(period: &Period) -> Verdict {
    match period.end_reason() {
        EndReason::CourtInvalidation | EndReason::RegulatorPosition => Verdict::Invalidated,
        _ => Verdict::Expired,
    }
}

fn end_text(period: &Period) -> String {
    let what = match period.end_reason() {
        EndReason::CourtInvalidation => "declared invalid by a court",
        EndReason::RegulatorPosition => "declared insufficient by the authority",
        EndReason::Repealed => "repealed",
        EndReason::Replaced => "replaced",
        EndReason::Expired => "run out",
        EndReason::TransitionEnded => "the transition ended",
        EndReason::Unspecified => "ended",
    };
    format!("without effect from {}: {what}", period.end_date)
}

fn end_citation(instrument: &Instrument, period: &Period) -> String {
    match &period.ending_event {
        Some(event) if !event.case_number.is_empty() => format!("{}: {}", event.case_number, event.title),
        Some(event) if !event.title.is_empty() => event.title.clone(),
        _ => citation(instrument),
    }
}
