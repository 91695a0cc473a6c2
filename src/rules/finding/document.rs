//! What documents claim of instruments, against the law of a day and against what is on record.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Draft, Subject, statement};
use crate::{
    proto::v1::{
        Certification, Claim, Document, Evidence, Instrument, Verdict,
        claim::{Participation, Reliance},
        document::Kind as DocumentKind,
        finding::{Kind, Severity},
        instrument::Kind as InstrumentKind,
    },
    rules::law::{Dates, Law, certification, claim, instrument, within},
};

/// What is on record that claims can rest on, of one organization.
#[derive(Debug, Default)]
pub struct Record {
    /// Certifications, by who takes part: the organization or a vendor.
    pub certifications: HashMap<String, Vec<Certification>>,
    /// The vendors of subprocessors that claims speak of.
    pub vendors: HashMap<String, String>,
    /// Instruments that a transfer rests on.
    pub relied_on: HashSet<String>,
    /// Processors of the list: the first ones, and those that a claim names.
    pub engaged: Vec<statement::Engaged>,
    /// The organization's documents.
    pub documents: Vec<Document>,
}

/// A document, with the law and what is on record.
#[derive(Debug)]
pub struct Text<'a> {
    /// The law.
    pub law: &'a Law,
    /// The document.
    pub document: &'a Document,
    /// The organization.
    pub organization: &'a str,
    /// What is on record.
    pub record: &'a Record,
}

impl Subject for Text<'_> {
    fn on(&self, day: &str) -> Vec<Draft> {
        if !is_published(self.document, day) {
            return Vec::new();
        }
        let mut found = self.claims(day);
        found.extend(statement::denials(self.document, &self.record.engaged, day));
        found.extend(statement::against_others(self.document, &self.record.documents, day));
        found
    }

    fn dates(&self, dates: &mut Dates) {
        for document in std::iter::once(self.document).chain(&self.record.documents) {
            let own = [&document.stated_date, &document.effective_date, &document.end_date];
            dates.extend(own.into_iter().filter(|date| !date.is_empty()).cloned());
        }
        for claim in &self.document.claims {
            if let Some(one) = self.law.instrument(&claim.instrument) {
                instrument::dates(one, claim.regime(), dates);
            }
        }
        self.record.certifications.values().flatten().for_each(|one| certification::dates(one, dates));
        let spans = self.record.engaged.iter().flat_map(|one| [&one.start_date, &one.end_date]);
        dates.extend(spans.filter(|date| !date.is_empty()).cloned());
    }
}

/// Whether a document applies on a day, by its own dates.
pub(super) fn is_published(document: &Document, day: &str) -> bool {
    let from = [&document.effective_date, &document.stated_date].into_iter().find(|date| !date.is_empty());
    document.delete_time.is_none() && within(day, from.map_or("", String::as_str), &document.end_date)
}

/// Claims of a document that say the same thing wrong.
struct Group {
    severity: Severity,
    text: String,
    citation: String,
    evidence: Vec<Evidence>,
}

impl Text<'_> {
    fn claims(&self, day: &str) -> Vec<Draft> {
        let mut groups: BTreeMap<(Kind, Verdict, String), Group> = BTreeMap::new();
        for (i, claim) in self.document.claims.iter().enumerate().filter(|(_, claim)| self.is_claimed(claim)) {
            let Some(worth) = claim::assess(self.law, self.document, claim, day) else { continue };
            let Some((kind, severity)) = self.judge(claim, worth.verdict, day) else { continue };
            let regime = claim.regime().as_str_name().trim_start_matches("REGIME_");
            let reasons = |of: fn(&crate::proto::v1::AssessmentReason) -> &String| {
                worth.reasons.iter().map(of).filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join("; ")
            };
            let key = (kind, worth.verdict, format!("{} {regime} {}", claim.instrument, claim.subject));
            let group = groups.entry(key).or_insert_with(|| Group {
                severity,
                text: format!(
                    "{} is claimed under {regime}: {}",
                    claim.instrument,
                    self.text(claim, &reasons(|one| &one.text))
                ),
                citation: reasons(|one| &one.citation),
                evidence: Vec::new(),
            });
            group.severity = group.severity.max(severity);
            group.evidence.push(statement::quoted(self.document, i));
        }
        let drafts = groups.into_iter().map(|((kind, verdict, essence), group)| {
            let essence = format!("{essence} {}", verdict.as_str_name());
            let draft = Draft::new(kind, group.severity, &self.document.name, essence);
            Draft { verdict, ..draft.says(group.text, group.citation).cites(group.evidence) }
        });
        drafts.collect()
    }

    fn text(&self, claim: &Claim, reasons: &str) -> String {
        let why = match claim.participation() {
            Participation::InProcess => "being in the process of certifying is no participation; ",
            _ => "",
        };
        format!("{why}{reasons}")
    }

    /// Whether it claims something: not that it once did, does not, or only speaks of it.
    fn is_claimed(&self, claim: &Claim) -> bool {
        use Participation::{Lapsed, NotClaimed, Withdrawn};
        let disowned = matches!(claim.reliance(), Reliance::NotReliedOn | Reliance::Superseded);
        let outside = matches!(claim.participation(), Lapsed | Withdrawn | NotClaimed) && self.is_framework(claim);
        !disowned && !outside && claim.affirmed != Some(false)
    }

    fn is_framework(&self, claim: &Claim) -> bool {
        let is = |one: &Instrument| one.kind() == InstrumentKind::CertificationFramework;
        self.law.instrument(&claim.instrument).is_some_and(is)
    }

    fn judge(&self, claim: &Claim, verdict: Verdict, day: &str) -> Option<(Kind, Severity)> {
        let maybe = matches!(claim.reliance(), Reliance::Possible | Reliance::Conditional | Reliance::Fallback);
        match verdict {
            Verdict::Invalidated | Verdict::Expired => {
                let relied_on = claim.reliance() == Reliance::ReliedOn
                    || (claim.participation() == Participation::Certified && !maybe);
                Some((Kind::ClaimOutdated, if relied_on { Severity::Critical } else { Severity::Warning }))
            }
            Verdict::UnsupportedClaim if self.is_on_record(claim, day) => None,
            Verdict::UnsupportedClaim | Verdict::OutOfScope | Verdict::NotYetInForce => {
                Some((Kind::ClaimUnsupported, if maybe { Severity::Info } else { Severity::Warning }))
            }
            Verdict::Indeterminate => Some((Kind::ClaimUnsupported, Severity::Info)),
            _ => None,
        }
    }

    /// Whether the registry holds what the document cannot prove by itself.
    fn is_on_record(&self, claim: &Claim, day: &str) -> bool {
        if !self.is_framework(claim) {
            return self.record.relied_on.contains(&claim.instrument) || self.is_in_a_contract(claim, day);
        }
        let who = match claim.subject.as_str() {
            "" => self.organization,
            other => self.record.vendors.get(other).map_or(other, String::as_str),
        };
        let all = self.record.certifications.get(who).into_iter().flatten();
        all.filter(|one| one.framework == claim.instrument).any(|one| certification::is_active(one, day))
    }

    /// Whether a contract of the organization that is on record has it.
    fn is_in_a_contract(&self, claim: &Claim, day: &str) -> bool {
        let contracts = self.record.documents.iter().filter(|one| {
            matches!(one.kind(), DocumentKind::Dpa | DocumentKind::Scc)
                && one.name != self.document.name
                && is_published(one, day)
        });
        contracts.flat_map(|one| &one.claims).any(|other| other.instrument == claim.instrument)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::{
        ExporterArea, Period, Regime, certification::Status, claim::Kind as ClaimKind, period::EndReason,
    };
    use crate::rules::law::territory::Territories;

    fn law() -> Law {
        let tool = |id: &str, kind: InstrumentKind| Instrument {
            name: format!("instruments/{id}"),
            kind: kind.into(),
            is_transfer_mechanism: true,
            periods: vec![Period {
                regime: Regime::EuGdpr.into(),
                exporter_areas: vec![ExporterArea::Eu.into()],
                from_date: "2016-08-01".into(),
                end_date: "2020-07-16".into(),
                end_reason: EndReason::CourtInvalidation.into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let all = [
            tool("shield", InstrumentKind::CertificationFramework),
            tool("clauses", InstrumentKind::StandardContractualClauses),
        ];
        Law::new(all, Territories::default())
    }

    fn claim(instrument: &str) -> Claim {
        Claim {
            kind: ClaimKind::TransferMechanism.into(),
            quote: "we comply".into(),
            line: 7,
            instrument: format!("instruments/{instrument}"),
            regime: Regime::EuGdpr.into(),
            exporter_areas: vec![ExporterArea::Eu.into()],
            participation: Participation::Certified.into(),
            ..Default::default()
        }
    }

    fn policy(claims: Vec<Claim>) -> Document {
        Document {
            name: "organizations/a/documents/policy".into(),
            kind: DocumentKind::PrivacyPolicy.into(),
            stated_date: "2017-01-01".into(),
            end_date: "2023-01-01".into(),
            claims,
            ..Default::default()
        }
    }

    fn on(document: &Document, record: &Record, day: &str) -> Vec<(Kind, Severity)> {
        let law = law();
        let text = Text { law: &law, document, organization: "organizations/a", record };
        text.on(day).into_iter().map(|draft| (draft.kind, draft.severity)).collect()
    }

    const UNSUPPORTED: (Kind, Severity) = (Kind::ClaimUnsupported, Severity::Warning);

    #[test]
    fn a_claim_is_unsupported_while_the_framework_lasts_and_outdated_after() {
        let (document, none) = (policy(vec![claim("shield")]), Record::default());
        for (day, expected) in [
            ("2016-12-31", vec![]),
            ("2020-07-15", vec![UNSUPPORTED]),
            ("2020-07-16", vec![(Kind::ClaimOutdated, Severity::Critical)]),
            ("2023-01-01", vec![]),
        ] {
            assert_eq!(on(&document, &none, day), expected, "{day}");
        }
        let certified = Certification {
            framework: "instruments/shield".into(),
            status: Status::Active.into(),
            start_date: "2018-01-01".into(),
            ..Default::default()
        };
        let record = |holder: &str| Record {
            certifications: HashMap::from([(holder.to_owned(), vec![certified.clone()])]),
            ..Record::default()
        };
        assert_eq!(on(&document, &record("organizations/a"), "2017-12-31"), [UNSUPPORTED]);
        assert_eq!(on(&document, &record("organizations/a"), "2018-01-01"), []);
        assert_eq!(on(&document, &record("vendors/v"), "2018-01-01"), [UNSUPPORTED]);
        let of_vendor = policy(vec![Claim { subject: "vendors/v".into(), ..claim("shield") }]);
        assert_eq!(on(&of_vendor, &record("vendors/v"), "2018-01-01"), []);
    }

    #[test]
    fn papers_support_a_claim_of_clauses() {
        let document = policy(vec![claim("clauses")]);
        assert_eq!(on(&document, &Record::default(), "2018-01-01"), [UNSUPPORTED]);
        let transfers = Record { relied_on: HashSet::from(["instruments/clauses".to_owned()]), ..Record::default() };
        assert_eq!(on(&document, &transfers, "2018-01-01"), []);
        let contract = Document {
            name: "organizations/a/documents/dpa".into(),
            kind: DocumentKind::Dpa.into(),
            ..document.clone()
        };
        let contracts = Record { documents: vec![contract], ..Record::default() };
        assert_eq!(on(&document, &contracts, "2018-01-01"), []);
    }

    #[test]
    fn what_a_text_disowns_is_no_claim_and_what_it_may_do_is_less() {
        let said = |claim: Claim| on(&policy(vec![claim]), &Record::default(), "2021-01-01");
        let shield = || claim("shield");
        assert_eq!(said(Claim { reliance: Reliance::Superseded.into(), ..shield() }), []);
        assert_eq!(said(Claim { reliance: Reliance::NotReliedOn.into(), ..shield() }), []);
        assert_eq!(said(Claim { participation: Participation::Withdrawn.into(), ..shield() }), []);
        let warning = [(Kind::ClaimOutdated, Severity::Warning)];
        assert_eq!(said(Claim { reliance: Reliance::Possible.into(), ..shield() }), warning);
        assert_eq!(said(Claim { participation: Participation::InProcess.into(), ..shield() }), warning);
        // One finding for one instrument, however often the text says it.
        assert_eq!(on(&policy(vec![shield(), shield()]), &Record::default(), "2021-01-01").len(), 1);
    }
}
