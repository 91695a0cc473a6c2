//! The verdict of a transfer on a day, until when it holds, and its intervals over a range of days.

use super::{
    Dates, Finding, Law, certification, covers, instrument,
    mechanism::{self, Case},
    reason,
};
use crate::proto::v1::{
    AssessmentReason, Certification, Dpa, ExporterArea, Instrument, Mechanism, MechanismAssessment, Role, Transfer,
    Verdict, assessment_reason::Code, dpa::Status as DpaStatus, instrument::Kind,
};

/// A transfer with what its answer needs of others.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The transfer.
    pub transfer: &'a Transfer,
    /// What the exporter is.
    pub exporter_role: Role,
    /// What the importer is.
    pub importer_role: Role,
    /// The certifications of the importer's entity.
    pub certifications: Vec<&'a Certification>,
    /// The agreement with the importer.
    pub dpa: Option<&'a Dpa>,
    /// The transfer by which an exporter outside the territory has the data.
    pub onward_from: Option<Box<Subject<'a>>>,
}

/// The answer for one day.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, where it is not one mechanism that decides.
    pub reasons: Vec<AssessmentReason>,
    /// What each mechanism is worth, in the order of their precedence; those that the law implies come last.
    pub mechanisms: Vec<MechanismAssessment>,
}

/// The same answer over days.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// First day.
    pub from_date: String,
    /// First day after; none: as far as was asked.
    pub end_date: Option<String>,
    /// The answer on all of them.
    pub answer: Answer,
}

/// What the law says of a transfer on a day.
pub fn assess(law: &Law, subject: &Subject<'_>, day: &str) -> Answer {
    let transfer = subject.transfer;
    let regime = transfer.regime();
    if !law.territories.in_force(regime, day) {
        let why = reason(Code::RegimeNotInForce, "the regime was not in force", "");
        return Answer { verdict: Verdict::NotRestricted, reasons: vec![why], mechanisms: Vec::new() };
    }
    let (areas, upstream) = match exporter(law, subject, day) {
        Exporter::Inside(areas) => (areas, None),
        Exporter::Onward(areas, upstream) => (areas, Some(upstream)),
        Exporter::Unknown(why) => {
            return Answer { verdict: Verdict::Indeterminate, reasons: vec![why], mechanisms: Vec::new() };
        }
    };
    let answers = areas.iter().map(|area| from_area(law, subject, *area, day, upstream.as_ref())).collect();
    let mut answer = of_areas(answers);
    if let Some(upstream) = upstream.filter(|upstream| !covers(upstream.verdict)) {
        let text = format!("{}, by which the exporter has the data, is not covered", transfer.onward_from);
        answer.reasons.push(reason(Code::OnwardFromNotCovered, text, "GDPR Art. 44"));
        answer.verdict = answer.verdict.max(upstream.verdict);
    }
    answer
}

/// The next day after `day` on which the verdict is another; none if it stays as far as the facts go.
pub fn valid_until(law: &Law, subject: &Subject<'_>, day: &str, verdict: Verdict) -> Option<String> {
    let mut dates = Dates::new();
    collect_dates(law, subject, &mut dates);
    dates.into_iter().filter(|date| date.as_str() > day).find(|date| assess(law, subject, date).verdict != verdict)
}

/// The answers of all days of `[from, to]`, as intervals with one answer each.
pub fn intervals(law: &Law, subject: &Subject<'_>, from: &str, to: &str) -> Vec<Interval> {
    let mut dates = Dates::new();
    collect_dates(law, subject, &mut dates);
    let mut intervals: Vec<Interval> =
        vec![Interval { from_date: from.to_owned(), end_date: None, answer: assess(law, subject, from) }];
    for date in dates.into_iter().filter(|date| from < date.as_str() && date.as_str() <= to) {
        let answer = assess(law, subject, &date);
        let Some(last) = intervals.last_mut().filter(|last| last.answer != answer) else { continue };
        last.end_date = Some(date.clone());
        intervals.push(Interval { from_date: date, end_date: None, answer });
    }
    intervals
}

/// Adds every day that some fact behind the answer names: between two of them the answer does not change.
pub fn collect_dates(law: &Law, subject: &Subject<'_>, dates: &mut Dates) {
    let transfer = subject.transfer;
    let regime = transfer.regime();
    let exporter = Some(transfer.exporter_region_code.as_str()).filter(|code| !code.is_empty());
    law.territories.dates(exporter, regime, dates);
    let destinations = transfer.destination_region_codes.iter();
    let destinations: Vec<&str> = destinations.flat_map(|one| law.territories.meant(one, dates)).collect();
    for destination in destinations {
        law.territories.dates(Some(destination), regime, dates);
        law.adequacy_of(destination).for_each(|one| instrument::dates(one, regime, dates));
    }
    for mechanism in &transfer.mechanisms {
        mechanism::dates(law, subject, mechanism, dates);
    }
    subject.certifications.iter().for_each(|one| certification::dates(one, dates));
    let agreed = subject.dpa.into_iter().flat_map(|dpa| [&dpa.sign_date, &dpa.expire_date]);
    dates.extend(agreed.filter(|date| !date.is_empty()).cloned());
    if let Some(upstream) = &subject.onward_from {
        collect_dates(law, upstream, dates);
    }
}

/// Where the exporter is.
enum Exporter {
    /// Inside the territory, in one of these areas.
    Inside(Vec<ExporterArea>),
    /// Outside: the areas from which the data came, and what the law says of how it came.
    Onward(Vec<ExporterArea>, Answer),
    /// It cannot be said.
    Unknown(AssessmentReason),
}

fn exporter(law: &Law, subject: &Subject<'_>, day: &str) -> Exporter {
    let transfer = subject.transfer;
    let regime = transfer.regime();
    if transfer.exporter_area() != ExporterArea::Unspecified {
        return Exporter::Inside(vec![transfer.exporter_area()]);
    }
    if transfer.exporter_region_code.is_empty() && subject.onward_from.is_none() {
        return Exporter::Inside(law.territories.areas(regime, day));
    }
    if let Some(area) = law.territories.area(&transfer.exporter_region_code, regime, day) {
        return Exporter::Inside(vec![area]);
    }
    let Some(upstream) = &subject.onward_from else {
        let text = format!(
            "{} is outside the regime, and how it has the data is not stated (onward_from)",
            transfer.exporter_region_code
        );
        return Exporter::Unknown(reason(Code::OnwardFromNotStated, text, "GDPR Art. 44"));
    };
    // The law that followed the data is that of the area it left.
    let areas = match exporter(law, upstream, day) {
        Exporter::Inside(areas) | Exporter::Onward(areas, _) => areas,
        Exporter::Unknown(_) => law.territories.areas(regime, day),
    };
    Exporter::Onward(areas, assess(law, upstream, day))
}

fn unanswered(code: Code, text: &str) -> Answer {
    Answer { verdict: Verdict::Indeterminate, reasons: vec![reason(code, text, "")], mechanisms: Vec::new() }
}

/// The answer where any of several areas may be meant. What holds in the better and what holds in the worse may lie on
/// both sides of INDETERMINATE; then that is the answer, else the worse counts.
fn of_areas(answers: Vec<Answer>) -> Answer {
    let verdicts = || answers.iter().map(|answer| answer.verdict);
    let (best, worst) = (verdicts().min(), verdicts().max());
    let answer = answers.iter().find(|answer| Some(answer.verdict) == worst).cloned();
    let mut answer =
        answer.unwrap_or_else(|| unanswered(Code::ExporterNotStated, "where the exporter is, is not stated"));
    if best != worst {
        if best <= Some(Verdict::Indeterminate) {
            answer.verdict = answer.verdict.min(Verdict::Indeterminate);
        }
        let text = "where in the territory the exporter is, is not stated, and the answer depends on it";
        answer.reasons.push(reason(Code::ExporterNotStated, text, ""));
    }
    answer
}

/// The answer for an exporter in one area: of several destinations the worst.
fn from_area(law: &Law, subject: &Subject<'_>, area: ExporterArea, day: &str, upstream: Option<&Answer>) -> Answer {
    let destinations = &subject.transfer.destination_region_codes;
    let destinations = destinations.iter().flat_map(|one| law.territories.countries(one, day));
    let answers = destinations.map(|destination| {
        let case = Case { law, subject, area, destination, day };
        to_destination(&case, upstream)
    });
    let worst = answers.reduce(|worst, other| if other.verdict > worst.verdict { other } else { worst });
    worst.unwrap_or_else(|| unanswered(Code::DestinationNotStated, "where it goes is not stated"))
}

/// The answer for one destination: the best of what it can rest on.
fn to_destination(case: &Case<'_>, upstream: Option<&Answer>) -> Answer {
    let regime = case.subject.transfer.regime();
    if case.law.territories.area(case.destination, regime, case.day).is_some() {
        let text = format!("{} lies inside the territory of the regime", case.destination);
        let why = reason(Code::InsideTerritory, text, "");
        return Answer { verdict: Verdict::NotRestricted, reasons: vec![why], mechanisms: Vec::new() };
    }
    let mut ordered: Vec<&Mechanism> = case.subject.transfer.mechanisms.iter().collect();
    ordered.sort_by_key(|one| one.precedence);
    let mut mechanisms: Vec<MechanismAssessment> =
        ordered.into_iter().map(|one| assessment(&one.instrument, mechanism::assess(case, one), false)).collect();
    mechanisms.extend(implied(case, &mechanisms));
    let mut verdict = mechanisms.iter().map(|one| one.verdict()).min().unwrap_or(Verdict::NoMechanism);
    let mut reasons = Vec::new();
    if mechanisms.is_empty() {
        reasons.push(reason(
            Code::NothingCovers,
            format!("nothing covers a transfer to {}", case.destination),
            "GDPR Art. 44",
        ));
    }
    if verdict > Verdict::Valid && upstream.is_some_and(|upstream| by_agreement(case, upstream)) {
        verdict = Verdict::Valid;
        let text = "the exporter is certified, and a data processing agreement with the importer is in force";
        reasons.push(reason(Code::OnwardByAgreement, text, "DPF Principles, III.10; GDPR Art. 28(4)"));
    }
    Answer { verdict, reasons, mechanisms }
}

fn assessment(instrument: &str, finding: Finding, implied: bool) -> MechanismAssessment {
    MechanismAssessment {
        instrument: instrument.to_owned(),
        verdict: finding.verdict.into(),
        reasons: vec![finding.reason],
        implied,
    }
}

/// The decisions in effect that cover everybody at the destination, but for those of which the transfer says so itself.
/// That it names one and does not rely on it any more takes nothing away: a decision needs no papers.
fn implied(case: &Case<'_>, named: &[MechanismAssessment]) -> Vec<MechanismAssessment> {
    let said = |one: &&Instrument| named.iter().any(|m| m.instrument == one.name && m.verdict() == Verdict::Valid);
    let decisions = case.law.adequacy_of(case.destination).filter(|one| !said(one));
    let worth = decisions.map(|one| {
        let stand_in = Mechanism { instrument: one.name.clone(), ..Mechanism::default() };
        (one, mechanism::assess(case, &stand_in))
    });
    worth
        .filter(|(_, finding)| finding.verdict == Verdict::Valid)
        .map(|(one, mut finding)| {
            finding.reason.code = Code::AdequateDestination.into();
            assessment(&one.name, finding, true)
        })
        .collect()
}

/// Whether an agreement carries it: the data came to the exporter under a certification framework, which asks of onward
/// transfers to an agent no more than a contract.
fn by_agreement(case: &Case<'_>, upstream: &Answer) -> bool {
    let framework = |one: &&MechanismAssessment| {
        let instrument = case.law.instrument(&one.instrument);
        covers(one.verdict()) && instrument.is_some_and(|one| one.kind() == Kind::CertificationFramework)
    };
    upstream.mechanisms.iter().any(|one| framework(&one))
        && case.subject.dpa.is_some_and(|dpa| is_agreed(dpa, case.day))
}

/// Whether a data processing agreement is in force on a day (GDPR Art. 28(3)).
pub(crate) fn is_agreed(dpa: &Dpa, day: &str) -> bool {
    matches!(dpa.status(), DpaStatus::Signed | DpaStatus::IncorporatedByReference)
        && super::within(day, &dpa.sign_date, &dpa.expire_date)
}
