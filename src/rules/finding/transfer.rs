//! Transfers that nothing covers, or not firmly, recorded or derived from where a subprocessor processes.

use super::{Draft, Subject as Examined, fact};
use crate::{
    proto::v1::{
        AssessmentReason, DerivedFrom, Evidence, MechanismAssessment, Regime, Source, Verdict,
        finding::{Kind, Severity},
    },
    rules::law::{
        Dates, Law, covers,
        transfer::{Answer, Subject, assess, collect_dates},
        within,
    },
};

/// A recorded transfer.
#[derive(Debug)]
pub struct Recorded<'a> {
    /// The law.
    pub law: &'a Law,
    /// The transfer, with what its answer needs.
    pub subject: Subject<'a>,
}

impl Examined for Recorded<'_> {
    fn on(&self, day: &str) -> Vec<Draft> {
        let transfer = self.subject.transfer;
        if transfer.delete_time.is_some() || !within(day, &transfer.start_date, &transfer.end_date) {
            return Vec::new();
        }
        let source =
            Place { name: &transfer.name, key: "", field: "", text: String::new(), sources: &transfer.sources };
        judge(self.law, &self.subject, day, &source).into_iter().collect()
    }

    fn dates(&self, dates: &mut Dates) {
        let transfer = self.subject.transfer;
        collect_dates(self.law, &self.subject, dates);
        let own = [&transfer.start_date, &transfer.end_date].into_iter().filter(|date| !date.is_empty());
        dates.extend(own.cloned());
    }
}

/// Where a transfer is written down, or what it follows from.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The resource.
    pub(super) name: &'a str,
    /// What tells it from others of the same resource.
    pub(super) key: &'a str,
    /// The field.
    pub(super) field: &'a str,
    /// What the field says.
    pub(super) text: String,
    /// The sources of the resource.
    pub(super) sources: &'a [Source],
}

/// What is wrong with a transfer on a day on which it takes place.
pub(super) fn judge(law: &Law, subject: &Subject<'_>, day: &str, place: &Place<'_>) -> Option<Draft> {
    let answer = assess(law, subject, day);
    let found = if covers(answer.verdict) { weakness(law, subject, &answer)? } else { uncovered(subject, &answer) };
    let Found { kind, severity, essence, text, citation } = found;
    let transfer = subject.transfer;
    let regime = transfer.regime().as_str_name().trim_start_matches("REGIME_");
    let to = match transfer.destination_region_codes.as_slice() {
        [] => "a destination that is not stated".to_owned(),
        codes => codes.join(", "),
    };
    let assumed = if transfer.assumed { " (that the regime applies is assumed)" } else { "" };
    let mut draft = Draft::new(kind, severity, place.name, [place.key, &essence].join(" "))
        .says(format!("{} to {to}, {regime}{assumed}: {text}", transfer.importer), citation)
        .cites([fact(place.name, place.field, place.text.clone(), place.sources)])
        .cites(mechanisms(&answer, place.name));
    draft.verdict = answer.verdict;
    Some(draft)
}

struct Found {
    kind: Kind,
    severity: Severity,
    essence: String,
    text: String,
    citation: String,
}

fn uncovered(subject: &Subject<'_>, answer: &Answer) -> Found {
    let word = short(answer.verdict);
    // What is not known may be covered all the same.
    let severity = match answer.verdict {
        Verdict::Indeterminate => Severity::Warning,
        _ => Severity::Critical,
    };
    let (text, citation) = why(answer);
    let citation = if citation.is_empty() { principle(subject.transfer.regime()).to_owned() } else { citation };
    Found {
        kind: Kind::TransferNotCovered,
        severity,
        essence: word.to_owned(),
        text: format!("{word}: {text}"),
        citation,
    }
}

/// Why a transfer that is covered is not firmly so; the gravest reason only.
fn weakness(law: &Law, subject: &Subject<'_>, answer: &Answer) -> Option<Found> {
    if answer.verdict == Verdict::MissingTia {
        let (text, citation) = why(answer);
        return Some(weak(Severity::Critical, "MISSING_TIA".to_owned(), format!("MISSING_TIA: {text}"), citation));
    }
    let covering: Vec<&MechanismAssessment> = answer.mechanisms.iter().filter(|one| covers(one.verdict())).collect();
    if covering.is_empty() {
        return None;
    }
    if let Some((first, fallback)) = fallback(subject, answer) {
        let text = format!(
            "only a fallback covers it: {}, since {} is {}",
            fallback.instrument,
            first.instrument,
            short(first.verdict())
        );
        let essence = format!("fallback {} {}", fallback.instrument, short(first.verdict()));
        let citation = first.reasons.first().map(|one| one.citation.clone()).unwrap_or_default();
        return Some(weak(Severity::Warning, essence, text, citation));
    }
    challenged(law, &covering)
}

/// The first mechanism, which fails, and the later one that covers; none if nothing has taken over.
fn fallback<'a>(
    subject: &Subject<'_>,
    answer: &'a Answer,
) -> Option<(&'a MechanismAssessment, &'a MechanismAssessment)> {
    let mut precedences: Vec<i32> = subject.transfer.mechanisms.iter().map(|one| one.precedence).collect();
    precedences.sort_unstable();
    if answer.mechanisms.iter().any(|one| one.implied && covers(one.verdict())) {
        return None;
    }
    // Assessments of the transfer's own mechanisms come first, in the order of their precedence.
    let named: Vec<(i32, &MechanismAssessment)> =
        precedences.into_iter().zip(answer.mechanisms.iter().filter(|one| !one.implied)).collect();
    let (lowest, first) = *named.first()?;
    let (precedence, covering) = *named.iter().find(|(_, one)| covers(one.verdict()))?;
    (precedence > lowest).then_some((first, covering))
}

fn challenged(law: &Law, covering: &[&MechanismAssessment]) -> Option<Found> {
    let mut names: Vec<&str> = covering.iter().map(|one| one.instrument.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let instruments: Option<Vec<_>> = names.iter().map(|name| law.instrument(name)).collect();
    let instruments = instruments.filter(|all| all.iter().all(|one| !one.pending_challenges.is_empty()))?;
    let cases = instruments.iter().flat_map(|one| &one.pending_challenges).map(|one| one.case_number.as_str());
    let cases: Vec<&str> = cases.filter(|number| !number.is_empty()).collect();
    let text = format!("it rests on {} alone, against which a case is pending", names.join(", "));
    Some(weak(Severity::Info, format!("challenged {}", names.join(" ")), text, cases.join("; ")))
}

fn weak(severity: Severity, essence: String, text: String, citation: String) -> Found {
    Found { kind: Kind::TransferWeaklyCovered, severity, essence, text, citation }
}

/// What an answer says of its verdict: the transfer's own reasons, else those of the best mechanism.
fn why(answer: &Answer) -> (String, String) {
    let best = answer.mechanisms.iter().find(|one| one.verdict() == answer.verdict);
    let reasons: Vec<&AssessmentReason> =
        answer.reasons.iter().chain(best.into_iter().flat_map(|one| &one.reasons)).collect();
    let of = |text: fn(&AssessmentReason) -> &str| {
        let mut texts: Vec<&str> = reasons.iter().map(|one| text(one)).filter(|text| !text.is_empty()).collect();
        texts.dedup();
        texts.join("; ")
    };
    let named = best.map(|one| format!("{}: ", one.instrument)).unwrap_or_default();
    (format!("{named}{}", of(|one| &one.text)), of(|one| &one.citation))
}

fn mechanisms(answer: &Answer, resource: &str) -> Vec<Evidence> {
    let named = answer.mechanisms.iter().map(|one| {
        let reasons: Vec<&str> = one.reasons.iter().map(|reason| reason.text.as_str()).collect();
        Evidence {
            resource: if one.implied { one.instrument.clone() } else { resource.to_owned() },
            field: if one.implied { String::new() } else { "mechanisms".to_owned() },
            text: format!("{}: {}, {}", one.instrument, short(one.verdict()), reasons.join("; ")),
            ..Evidence::default()
        }
    });
    named.collect()
}

/// The rule that a transfer needs cover at all.
fn principle(regime: Regime) -> &'static str {
    match regime {
        Regime::UkGdpr => "UK GDPR Art. 44",
        Regime::SwissFadp => "FADP Art. 16",
        _ => "GDPR Art. 44",
    }
}

fn short(verdict: Verdict) -> &'static str {
    verdict.as_str_name().trim_start_matches("VERDICT_")
}

/// The transfer that follows from a location of a subprocessor.
#[derive(Debug)]
pub struct Flow<'a> {
    /// The location.
    pub from: &'a DerivedFrom,
    /// The transfer, with what its answer needs.
    pub subject: Subject<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::{
        Challenge, ExporterArea, Importer, Instrument, Mechanism, Period, Role, Tia, Transfer,
        instrument::Kind as Tool, period::EndReason, tia::Outcome,
    };
    use crate::rules::law::territory::{Membership, Span, Territories};

    fn tool(id: &str, from: &str, end: &str) -> Instrument {
        let period = Period {
            regime: Regime::EuGdpr.into(),
            exporter_areas: vec![ExporterArea::Eu.into()],
            from_date: from.into(),
            end_date: end.into(),
            end_reason: EndReason::CourtInvalidation.into(),
            ..Default::default()
        };
        Instrument {
            name: format!("instruments/{id}"),
            kind: Tool::AdHocClauses.into(),
            is_transfer_mechanism: true,
            periods: vec![period],
            importers: vec![Importer::default()],
            ..Default::default()
        }
    }

    fn law() -> Law {
        let span = Span::default();
        let member =
            Membership { region_code: "DE".into(), regime: Regime::EuGdpr, area: ExporterArea::Eu, span: span.clone() };
        let mut wanting = tool("wanting", "2021-01-01", "");
        wanting.periods[0].tia_required_from_date = "2021-01-01".into();
        let mut disputed = tool("disputed", "2020-01-01", "");
        disputed.pending_challenges = vec![Challenge { case_number: "C-1/26".into(), ..Default::default() }];
        let all = [tool("first", "2016-01-01", "2020-07-16"), tool("second", "2010-01-01", ""), wanting, disputed];
        let territories =
            Territories::new(vec![(Regime::EuGdpr, span)], vec![member], Vec::new(), std::collections::HashMap::new());
        Law::new(all, territories)
    }

    fn on(mechanisms: Vec<Mechanism>, day: &str) -> Option<(Kind, Severity, Verdict, String)> {
        let law = law();
        let transfer = Transfer {
            name: "organizations/a/transfers/t".into(),
            regime: Regime::EuGdpr.into(),
            exporter_area: ExporterArea::Eu.into(),
            importer: "organizations/a/subprocessors/s".into(),
            destination_region_codes: vec!["US".into()],
            start_date: "2015-01-01".into(),
            end_date: "2030-01-01".into(),
            mechanisms,
            ..Default::default()
        };
        let subject = Subject {
            transfer: &transfer,
            exporter_role: Role::Controller,
            importer_role: Role::Processor,
            certifications: Vec::new(),
            dpa: None,
            onward_from: None,
        };
        let found = Recorded { law: &law, subject }.on(day);
        found.into_iter().next().map(|draft| (draft.kind, draft.severity, draft.verdict, draft.essence))
    }

    fn by(id: &str, precedence: i32) -> Mechanism {
        Mechanism { instrument: format!("instruments/{id}"), precedence, ..Default::default() }
    }

    #[test]
    fn what_nothing_covers_is_critical_on_the_days_on_which_it_takes_place() {
        let found = |day| on(vec![by("first", 0)], day).map(|(kind, severity, verdict, _)| (kind, severity, verdict));
        assert_eq!(found("2014-12-31"), None);
        assert_eq!(found("2015-12-31"), Some((Kind::TransferNotCovered, Severity::Critical, Verdict::NotYetInForce)));
        assert_eq!(found("2020-07-15"), None);
        assert_eq!(found("2020-07-16"), Some((Kind::TransferNotCovered, Severity::Critical, Verdict::Invalidated)));
        assert_eq!(found("2030-01-01"), None);
        assert_eq!(on(vec![], "2020-01-01").expect("found").2, Verdict::NoMechanism);
        assert_eq!(on(vec![by("unknown", 0)], "2020-01-01").expect("found").1, Severity::Warning);
    }

    #[test]
    fn what_is_covered_by_a_fallback_a_missing_assessment_or_a_disputed_decision_is_weak() {
        let both = || vec![by("second", 1), by("first", 0)];
        assert_eq!(on(both(), "2020-07-15"), None);
        let (kind, severity, verdict, essence) = on(both(), "2020-07-16").expect("a fallback");
        assert_eq!((kind, severity, verdict), (Kind::TransferWeaklyCovered, Severity::Warning, Verdict::Valid));
        assert!(essence.contains("instruments/second"), "{essence}");
        // Side by side nothing is a fallback.
        assert_eq!(on(vec![by("second", 0), by("first", 0)], "2020-07-16"), None);
        let found = on(vec![by("wanting", 0)], "2022-01-01").expect("no assessment");
        assert_eq!((found.1, found.2), (Severity::Critical, Verdict::MissingTia));
        let tia = Some(Tia { date: "2021-01-01".into(), outcome: Outcome::Adequate.into(), ..Default::default() });
        assert_eq!(on(vec![Mechanism { tia, ..by("wanting", 0) }], "2022-01-01"), None);
        assert_eq!(on(vec![by("disputed", 0)], "2022-01-01").expect("disputed").1, Severity::Info);
        assert_eq!(on(vec![by("disputed", 0), by("second", 0)], "2022-01-01"), None);
    }
}
