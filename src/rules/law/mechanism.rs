//! The tests of one mechanism, in the order of the law (DESIGN §5): where the exporter is, dates and contract date,
//! participation and papers, modules and roles, transfer impact assessment. The first that fails is the verdict.

use super::{ALL_RECIPIENTS, Dates, Finding, Law, certification, instrument, transfer::Subject, within};
use crate::proto::v1::{
    Certification, DataKind, ExporterArea, Instrument, Mechanism, Period, Regime, Role, Verdict,
    assessment_reason::Code, instrument::Kind, requirement::What, tia::Outcome,
};

/// A transfer to one country, from one area, on one day.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The law.
    pub law: &'a Law,
    /// The transfer.
    pub subject: &'a Subject<'a>,
    /// Where the exporter is.
    pub area: ExporterArea,
    /// ISO 3166-1 alpha-2 code of the country it goes to.
    pub destination: &'a str,
    /// The day.
    pub day: &'a str,
}

/// What one mechanism is worth in a case.
pub fn assess(case: &Case<'_>, mechanism: &Mechanism) -> Finding {
    let Some(instrument) = case.law.instrument(&mechanism.instrument) else {
        let text = format!("{} is not known", mechanism.instrument);
        return Finding::new(Verdict::Indeterminate, Code::InstrumentNotKnown, text, "");
    };
    test(case, mechanism, instrument).unwrap_or_else(|finding| finding)
}

fn test(case: &Case<'_>, mechanism: &Mechanism, instrument: &Instrument) -> Result<Finding, Finding> {
    let cited = instrument::citation(instrument);
    in_scope(case, instrument)?;
    let standing = instrument::standing(instrument, case.regime(), case.area, &mechanism.sign_date, case.day);
    let period = instrument::effect(instrument, standing)?;
    relied_on(case, mechanism)?;
    participation(case, mechanism, instrument)?;
    papers(case, mechanism, instrument)?;
    roles(case, mechanism, instrument)?;
    impact_assessment(case, mechanism, period)?;
    if instrument.kind() == Kind::Derogation {
        let text = "a derogation is for single cases, not for transfers that go on";
        return Err(Finding::new(Verdict::DerogationOnly, Code::Derogation, text, cited));
    }
    Ok(Finding::new(Verdict::Valid, Code::InEffect, format!("in force from {}", period.from_date), cited))
}

impl Case<'_> {
    fn regime(&self) -> Regime {
        self.subject.transfer.regime()
    }
}

fn in_scope(case: &Case<'_>, instrument: &Instrument) -> Result<(), Finding> {
    let outside =
        |code, text: String| Err(Finding::new(Verdict::OutOfScope, code, text, instrument::citation(instrument)));
    if !instrument.is_transfer_mechanism {
        let why = match instrument.not_a_mechanism_reason.as_str() {
            "" => "no transfer can rest on it",
            why => why,
        };
        return outside(Code::NoTransferTool, why.to_owned());
    }
    if instrument.importers.is_empty() {
        return Ok(());
    }
    let stated = case.subject.transfer.importer_scope.as_str();
    let here = |one: &&crate::proto::v1::Importer| match (one.region_code.as_str(), one.area.as_str()) {
        ("", "") => true,
        // A body that is no country: the transfer has to say that the importer is one.
        ("", _) => stated == one.scope,
        // A decision on France reaches Réunion.
        (code, _) => code == case.destination || code == case.law.territories.whole(case.destination, case.day),
    };
    let mut permitted = instrument.importers.iter().filter(here).peekable();
    if permitted.peek().is_none() {
        return outside(Code::DestinationOutside, format!("it does not reach {}", case.destination));
    }
    if stated.is_empty() || permitted.any(|one| one.scope == ALL_RECIPIENTS || one.scope == stated) {
        return Ok(());
    }
    outside(Code::RecipientOutside, format!("it does not reach recipients of the scope {stated}"))
}

fn relied_on(case: &Case<'_>, mechanism: &Mechanism) -> Result<(), Finding> {
    if mechanism.sign_date.as_str() > case.day {
        let text = format!("signed on {}", mechanism.sign_date);
        return Err(Finding::new(Verdict::NotYetInForce, Code::NotYetSigned, text, ""));
    }
    if !within(case.day, "", &mechanism.end_date) {
        let text = format!("not relied on from {}", mechanism.end_date);
        return Err(Finding::new(Verdict::Expired, Code::NoLongerReliedOn, text, ""));
    }
    Ok(())
}

/// A framework covers those who take part in it (and in what it requires), for the data they take part with.
fn participation(case: &Case<'_>, mechanism: &Mechanism, instrument: &Instrument) -> Result<(), Finding> {
    if instrument.kind() == Kind::CertificationFramework {
        takes_part(case, instrument, &mechanism.certification)?;
    }
    for other in instrument.requires.iter().filter(|one| one.what() == What::Certification) {
        let Some(required) = case.law.instrument(&other.instrument) else { continue };
        takes_part(case, required, "")?;
    }
    Ok(())
}

fn takes_part(case: &Case<'_>, framework: &Instrument, named: &str) -> Result<(), Finding> {
    let cited = instrument::citation(framework);
    let candidates: Vec<&Certification> = case
        .subject
        .certifications
        .iter()
        .copied()
        .filter(|one| one.framework == framework.name && (named.is_empty() || one.name == named))
        .collect();
    if candidates.is_empty() {
        let text = format!("no certification of the importer under {} is recorded", framework.name);
        return Err(Finding::new(Verdict::UnsupportedClaim, Code::NoCertification, text, cited));
    }
    let active: Vec<&Certification> =
        candidates.iter().copied().filter(|one| certification::is_active(one, case.day)).collect();
    if active.is_empty() {
        let stands = |one: &&Certification| match certification::status_on(one, case.day) {
            Some(status) => format!("{}: {}", one.name, status.as_str_name().trim_start_matches("STATUS_")),
            None => format!("{}: not yet", one.name),
        };
        let text = candidates.iter().map(stands).collect::<Vec<_>>().join("; ");
        return Err(Finding::new(Verdict::UnsupportedClaim, Code::CertificationNotActive, text, cited));
    }
    match covered(case, &active) {
        Coverage::All => Ok(()),
        Coverage::NotStated => {
            let text = "which kinds of data (HR, NON_HR) are transferred, or certified, is not stated";
            Err(Finding::new(Verdict::Indeterminate, Code::DataNotStated, text, cited))
        }
        Coverage::Other => {
            let text = "the certification covers other kinds of data";
            Err(Finding::new(Verdict::UnsupportedClaim, Code::CertificationOtherData, text, cited))
        }
    }
}

/// How much of a transfer's data certifications cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coverage {
    All,
    NotStated,
    Other,
}

/// What the certifications of one entity cover together: HR data and other data are certified apart (DPF Principles,
/// III.9), often on two entries of the list.
fn covered(case: &Case<'_>, certifications: &[&Certification]) -> Coverage {
    let covers = |kind: DataKind| certifications.iter().any(|one| one.covered_data().any(|covered| covered == kind));
    let silent = certifications.iter().any(|one| one.covered_data.is_empty());
    let mut data = case.subject.transfer.data().peekable();
    let everything = covers(DataKind::Hr) && covers(DataKind::NonHr);
    match (data.peek().is_some(), silent) {
        _ if everything => Coverage::All,
        // Nobody told them apart.
        (false, true) => Coverage::All,
        (false, false) => Coverage::NotStated,
        (true, _) if data.all(covers) => Coverage::All,
        (true, true) => Coverage::NotStated,
        (true, false) => Coverage::Other,
    }
}

fn papers(case: &Case<'_>, mechanism: &Mechanism, instrument: &Instrument) -> Result<(), Finding> {
    let cited = || instrument::citation(instrument);
    for other in instrument.requires.iter().filter(|one| one.what() == What::Papers) {
        let executed = case
            .subject
            .transfer
            .mechanisms
            .iter()
            .any(|one| one.instrument == other.instrument && within(case.day, &one.sign_date, &one.end_date));
        if !executed {
            let text = format!("it needs {} executed too", other.instrument);
            return Err(Finding::new(Verdict::UnsupportedClaim, Code::RequirementMissing, text, cited()));
        }
    }
    if let Some(approval) = &mechanism.approval {
        let refused = |text: String| Err(Finding::new(Verdict::UnsupportedClaim, Code::NotApproved, text, cited()));
        if approval.refused {
            return refused("the authority refused it".to_owned());
        }
        if approval.date.as_str() > case.day {
            return refused(format!("approved on {}", approval.date));
        }
    }
    Ok(())
}

fn roles(case: &Case<'_>, mechanism: &Mechanism, instrument: &Instrument) -> Result<(), Finding> {
    let cited = || instrument::citation(instrument);
    let mismatch = |code, text: String| Err(Finding::new(Verdict::ModuleMismatch, code, text, cited()));
    let module = mechanism.module();
    let (exporter, importer) = if module == crate::proto::v1::Module::Unspecified {
        // Which of several modules was signed is not stated: then there is nothing to check the roles against.
        (instrument.exporter_role(), instrument.importer_role())
    } else {
        match instrument.modules.iter().find(|one| one.module() == module) {
            Some(one) => (one.exporter_role(), one.importer_role()),
            None => return mismatch(Code::NoSuchModule, format!("it has no {}", module.as_str_name())),
        }
    };
    for (who, needed, is) in
        [("exporter", exporter, case.subject.exporter_role), ("importer", importer, case.subject.importer_role)]
    {
        match fits(is, needed) {
            Some(true) => {}
            Some(false) => {
                let short = |role: Role| role.as_str_name().trim_start_matches("ROLE_").to_owned();
                return mismatch(
                    Code::ModuleDoesNotFit,
                    format!("its {who} is a {}, not a {}", short(needed), short(is)),
                );
            }
            None => {
                let text = format!("the role of the {who} is not stated");
                return Err(Finding::new(Verdict::Indeterminate, Code::RoleNotStated, text, cited()));
            }
        }
    }
    Ok(())
}

/// Whether a role is the one a set of clauses is made for; none if that cannot be said.
fn fits(is: Role, needed: Role) -> Option<bool> {
    let is_processor = match is {
        _ if needed == Role::Unspecified => return Some(true),
        Role::Both => return Some(true),
        Role::Processor | Role::SubProcessor => true,
        Role::Controller | Role::JointController | Role::IndependentController => false,
        _ => return None,
    };
    Some(is_processor == matches!(needed, Role::Processor | Role::SubProcessor))
}

fn impact_assessment(case: &Case<'_>, mechanism: &Mechanism, period: &Period) -> Result<(), Finding> {
    let from = period.tia_required_from_date.as_str();
    if from.is_empty() || case.day < from {
        return Ok(());
    }
    let cited = match case.regime() {
        Regime::UkGdpr => "UK GDPR Art. 46; C-311/18",
        Regime::SwissFadp => "FADP Art. 16(2); FDPIC guide of June 2021",
        _ => "GDPR Art. 46(1); C-311/18; SCC 2021/914 clause 14",
    };
    match mechanism.tia.as_ref().filter(|tia| tia.date.as_str() <= case.day) {
        // What an assessment came to counts before what it is called: a negative one is worse than none.
        Some(tia) if tia.outcome() == Outcome::NotAdequate => {
            let text = format!("the assessment of {} says that the protection is not enough", tia.date);
            Err(Finding::new(Verdict::UnsupportedClaim, Code::TiaNegative, text, cited))
        }
        Some(tia) if tia.outcome() != Outcome::Unspecified => Ok(()),
        _ => {
            let text = format!("a transfer impact assessment is required from {from}");
            Err(Finding::new(Verdict::MissingTia, Code::TiaMissing, text, cited))
        }
    }
}

/// Adds the days on which the worth of a mechanism may change.
pub(super) fn dates(law: &Law, subject: &Subject<'_>, mechanism: &Mechanism, dates: &mut Dates) {
    let regime = subject.transfer.regime();
    if let Some(instrument) = law.instrument(&mechanism.instrument) {
        instrument::dates(instrument, regime, dates);
    }
    let approved = mechanism.approval.as_ref().map(|one| &one.date);
    let assessed = mechanism.tia.as_ref().map(|one| &one.date);
    let own = [Some(&mechanism.sign_date), Some(&mechanism.end_date), approved, assessed];
    dates.extend(own.into_iter().flatten().filter(|date| !date.is_empty()).cloned());
}
