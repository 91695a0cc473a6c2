//! The law of transfers (DESIGN §5): what covers a transfer of personal data on a given day.
//!
//! Everything here is a pure function of dated facts: instruments with their periods, the territories of the regimes,
//! certifications, and what a transfer says of itself. A day is an ISO 8601 full date as text, which the contract
//! guarantees to be ten characters between 1900 and 2199, so that the order of texts is the order of days. An `end` is
//! always the first day without.
//!
//! - [`territory`]: which countries lie inside a regime on a day.
//! - [`instrument`]: whether an instrument has effect for an exporter area, a contract date and a day.
//! - [`certification`]: whether somebody takes part in a framework on a day.
//! - [`mechanism`]: the tests of one mechanism, in the order of the law.
//! - [`transfer`]: the verdict of a transfer, until when it holds, and its intervals over a range.
//! - [`days`], [`answer`]: the days a question is about, and its answers as callers get them.
//! - [`derived`]: the transfers that follow from where subprocessors process.
//! - [`simulation`]: what the end of an instrument does to a transfer.
//! - [`claim`]: what a claim in a document is worth.

pub mod answer;
pub mod certification;
pub mod claim;
pub mod days;
pub mod derived;
pub mod instrument;
pub mod mechanism;
pub mod simulation;
pub mod territory;
pub mod transfer;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::proto::v1::{
    AssessmentReason, Instrument, Regime, Verdict, assessment_reason::Code, instrument::Kind as InstrumentKind,
    period::EndReason,
};
use territory::Territories;

/// Days on which an answer may change.
pub type Dates = BTreeSet<String>;

/// The law as a registry holds it: its instruments and the territories of the regimes.
#[derive(Debug)]
pub struct Law {
    instruments: BTreeMap<String, Instrument>,
    /// Per country, the decisions that cover every recipient there: they need no papers, so nobody has to name them.
    adequate: HashMap<String, Vec<String>>,
    /// The territories of the regimes.
    pub territories: Territories,
}

impl Law {
    /// The law of these instruments and territories.
    pub fn new(instruments: impl IntoIterator<Item = Instrument>, territories: Territories) -> Self {
        let instruments: BTreeMap<_, _> = instruments.into_iter().map(|one| (one.name.clone(), one)).collect();
        let mut adequate: HashMap<String, Vec<String>> = HashMap::new();
        for instrument in instruments.values().filter(|one| is_adequacy(one)) {
            for importer in instrument.importers.iter().filter(|importer| importer.scope == ALL_RECIPIENTS) {
                adequate.entry(importer.region_code.clone()).or_default().push(instrument.name.clone());
            }
        }
        adequate.remove("");
        Self { instruments, adequate, territories }
    }

    /// The instrument of that name.
    pub fn instrument(&self, name: &str) -> Option<&Instrument> {
        self.instruments.get(name)
    }

    /// The law as it is if an instrument has no effect from a day on, under these regimes; under all if there are none.
    pub fn ending(&self, name: &str, day: &str, regimes: &[Regime], reason: EndReason) -> Self {
        let instruments = self
            .instruments
            .values()
            .map(|one| if one.name == name { instrument::ended(one, day, regimes, reason) } else { one.clone() });
        Self::new(instruments, self.territories.clone())
    }

    /// Every instrument, by name.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.instruments.values()
    }

    /// The decisions by which everybody in a country, or in what it is a part of on any day, may receive data; whether in
    /// effect or not.
    pub fn adequacy_of(&self, region_code: &str) -> impl Iterator<Item = &Instrument> {
        let names = self.territories.wholes(region_code).filter_map(|region| self.adequate.get(region)).flatten();
        names.collect::<BTreeSet<_>>().into_iter().filter_map(|name| self.instruments.get(name))
    }
}

/// The scope of instruments that leave no recipient out.
pub const ALL_RECIPIENTS: &str = "ALL_RECIPIENTS";

/// Whether it needs no papers and no participation: a decision on a country, or a statute that stands in for one.
fn is_adequacy(instrument: &Instrument) -> bool {
    instrument.is_transfer_mechanism
        && matches!(instrument.kind(), InstrumentKind::AdequacyDecision | InstrumentKind::StatutoryBridge)
}

/// Whether a verdict lets the transfer go ahead. MISSING_TIA does, and leaves a critical finding.
pub fn covers(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::NotRestricted | Verdict::Valid | Verdict::MissingTia)
}

/// Whether `day` is in `[from, end)`: an absent start is always, an absent end never.
pub(crate) fn within(day: &str, from: &str, end: &str) -> bool {
    from <= day && (end.is_empty() || day < end)
}

/// A verdict with why.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What the law says.
    pub verdict: Verdict,
    /// Why.
    pub reason: AssessmentReason,
}

impl Finding {
    fn new(verdict: Verdict, code: Code, text: impl Into<String>, citation: impl Into<String>) -> Self {
        Self { verdict, reason: reason(code, text, citation) }
    }
}

fn reason(code: Code, text: impl Into<String>, citation: impl Into<String>) -> AssessmentReason {
    AssessmentReason { code: code.into(), text: text.into(), citation: citation.into() }
}
