//! What a claim in a document is worth (`AssessClaims`): whether the instrument is usable on a day, taking papers and
//! participation as the document claims them, and what the document alone proves.

use super::{
    Finding, Law,
    instrument::{Standing, citation, effect, standing},
    reason,
};
use crate::proto::v1::{
    AssessmentReason, Claim, Document, ExporterArea, Instrument, Regime, Verdict, assessment_reason::Code,
    claim::Participation, document::Kind as DocumentKind, instrument::Kind, requirement::What,
};

/// What a claim is worth on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Worth {
    /// Whether the instrument can be used, if what the document claims is true.
    pub instrument_usable: bool,
    /// What a transfer that rests on this document alone would have.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<AssessmentReason>,
}

/// The worth of a claim of a document on a day. None if it names no instrument, or no regime to answer under.
pub fn assess(law: &Law, document: &Document, claim: &Claim, day: &str) -> Option<Worth> {
    if claim.instrument.is_empty() || claim.regime() == Regime::Unspecified {
        return None;
    }
    let Some(instrument) = law.instrument(&claim.instrument) else {
        let why = reason(Code::InstrumentNotKnown, format!("{} is not known", claim.instrument), "");
        return Some(Worth { instrument_usable: false, verdict: Verdict::Indeterminate, reasons: vec![why] });
    };
    let mut areas: Vec<ExporterArea> = claim.exporter_areas().collect();
    if areas.is_empty() {
        areas = law.territories.areas(claim.regime(), day);
    }
    let worths = areas.into_iter().map(|area| in_area(document, claim, instrument, area, day));
    worths.reduce(|a, b| Worth {
        instrument_usable: a.instrument_usable && b.instrument_usable,
        ..if b.verdict > a.verdict { b } else { a }
    })
}

fn in_area(document: &Document, claim: &Claim, instrument: &Instrument, area: ExporterArea, day: &str) -> Worth {
    if !instrument.is_transfer_mechanism {
        let why = reason(Code::NoTransferTool, instrument.not_a_mechanism_reason.clone(), citation(instrument));
        return Worth { instrument_usable: false, verdict: Verdict::OutOfScope, reasons: vec![why] };
    }
    let standing: Standing<'_> = standing(instrument, claim.regime(), area, contract_date(document, claim), day);
    let period = match effect(instrument, standing) {
        Ok(period) => period,
        Err(Finding { verdict, reason }) => return Worth { instrument_usable: false, verdict, reasons: vec![reason] },
    };
    let instrument_usable = participates(claim, instrument) && required(document, claim, instrument);
    let no_proof =
        |text: &str| (Verdict::UnsupportedClaim, reason(Code::DocumentIsNoProof, text, citation(instrument)));
    let (verdict, why) = match instrument.kind() {
        Kind::AdequacyDecision | Kind::StatutoryBridge => (
            Verdict::Valid,
            reason(Code::InEffect, format!("in force from {}", period.from_date), citation(instrument)),
        ),
        Kind::Derogation => {
            let text = "a derogation is for single cases, not for transfers that go on";
            (Verdict::DerogationOnly, reason(Code::Derogation, text, citation(instrument)))
        }
        Kind::CertificationFramework => no_proof("a statement is no proof of participation"),
        _ if !holds_papers(document) => no_proof("a statement is no proof that the papers were signed"),
        _ if !period.tia_required_from_date.is_empty() && period.tia_required_from_date.as_str() <= day => {
            let text = format!("a transfer impact assessment is required from {}", period.tia_required_from_date);
            (Verdict::MissingTia, reason(Code::TiaMissing, text, citation(instrument)))
        }
        _ => (
            Verdict::Valid,
            reason(Code::InEffect, format!("in force from {}", period.from_date), citation(instrument)),
        ),
    };
    Worth { instrument_usable, verdict, reasons: vec![why] }
}

/// When the contract was made: as claimed, else the document's own date.
fn contract_date<'a>(document: &'a Document, claim: &'a Claim) -> &'a str {
    let dates = [&claim.contract_date, &document.effective_date, &document.stated_date];
    dates.into_iter().find(|date| !date.is_empty()).map_or("", String::as_str)
}

/// Published contract terms that incorporate clauses count as papers; a policy says, and holds none.
fn holds_papers(document: &Document) -> bool {
    matches!(document.kind(), DocumentKind::Dpa | DocumentKind::Scc)
}

fn participates(claim: &Claim, instrument: &Instrument) -> bool {
    instrument.kind() != Kind::CertificationFramework || claim.participation() == Participation::Certified
}

/// Whether what the instrument requires is claimed elsewhere in the document.
fn required(document: &Document, claim: &Claim, instrument: &Instrument) -> bool {
    instrument.requires.iter().all(|requirement| {
        let mut others = document.claims.iter().filter(|other| other.instrument == requirement.instrument);
        match requirement.what() {
            What::Certification => {
                others.any(|other| other.participation() == Participation::Certified && other.subject == claim.subject)
            }
            _ => others.next().is_some(),
        }
    })
}
