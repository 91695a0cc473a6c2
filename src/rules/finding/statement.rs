//! Statements that contradict each other, or the list. They are compared by what was read out of them (kind, subject,
//! items, period), never by their words.

use std::collections::BTreeSet;

use super::{Draft, document::is_published};
use crate::{
    proto::v1::{
        Claim, Document, Evidence, Retention,
        claim::{Kind as ClaimKind, Participation, Reliance},
        finding::{Kind, Severity},
        retention::Kind as RetentionKind,
    },
    rules::law::within,
};

/// A processor on the list, as far as statements are held against it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Engaged {
    /// The subprocessor.
    pub name: String,
    /// As the list writes it.
    pub display_name: String,
    /// The vendor; empty for a category.
    pub vendor: String,
    /// First day, ISO 8601; empty: always.
    pub start_date: String,
    /// First day without, ISO 8601; empty: never.
    pub end_date: String,
}

/// A claim of a document as evidence.
pub(super) fn quoted(document: &Document, index: usize) -> Evidence {
    let claim = document.claims.get(index);
    Evidence {
        resource: document.name.clone(),
        field: format!("claims[{index}]"),
        document: document.name.clone(),
        line: claim.map_or(0, |claim| claim.line),
        quote: claim.map(|claim| claim.quote.clone()).unwrap_or_default(),
        text: claim.map(|claim| claim.value.clone()).unwrap_or_default(),
    }
}

/// Whether a claim needs the list to be answered.
pub fn is_denial(claim: &Claim) -> bool {
    denied(claim).is_some()
}

/// What a claim denies.
enum Denied<'a> {
    /// That anybody else is given the data.
    Everybody,
    /// That this vendor or subprocessor is used.
    One(&'a str),
}

fn denied(claim: &Claim) -> Option<Denied<'_>> {
    // One that is limited to a purpose, such as marketing, says nothing of the others.
    if claim.affirmed != Some(false) || !claim.purpose.is_empty() {
        return None;
    }
    let gives = |item: &String| {
        let word = item.to_lowercase();
        ["share", "disclose", "provide", "transfer"].iter().any(|verb| word.starts_with(verb))
    };
    match claim.kind() {
        ClaimKind::SubprocessorUse if claim.subject.is_empty() => Some(Denied::Everybody),
        ClaimKind::SubprocessorUse => Some(Denied::One(&claim.subject)),
        ClaimKind::SaleOfData if claim.items.iter().any(gives) => Some(Denied::Everybody),
        _ => None,
    }
}

/// Claims that nobody is given the data, or that somebody is not used, against the processors of a day.
pub(super) fn denials(document: &Document, engaged: &[Engaged], day: &str) -> Vec<Draft> {
    let mut found = Vec::new();
    for (i, claim) in document.claims.iter().enumerate() {
        let Some(what) = denied(claim) else { continue };
        let against = |one: &&Engaged| match what {
            Denied::Everybody => true,
            Denied::One(name) => one.name == name || one.vendor == name,
        };
        let mut against: Vec<&Engaged> =
            engaged.iter().filter(|one| within(day, &one.start_date, &one.end_date)).filter(against).collect();
        against.sort_by(|a, b| a.name.cmp(&b.name));
        if against.is_empty() {
            continue;
        }
        let names: Vec<&str> = against.iter().map(|one| one.display_name.as_str()).collect();
        let text = match what {
            Denied::Everybody => {
                format!("the text denies that others are given the data, and the list has {}", names.join(", "))
            }
            Denied::One(name) => format!("the text denies that {name} is used, and the list has {}", names.join(", ")),
        };
        let listed = against.iter().map(|one| Evidence {
            resource: one.name.clone(),
            field: "display_name".to_owned(),
            text: one.display_name.clone(),
            ..Evidence::default()
        });
        let essence = format!("denied {} {}", claim.quote, claim.subject);
        let draft = Draft::new(Kind::Contradiction, Severity::Warning, &document.name, essence)
            .says(text, "GDPR Art. 5(1)(a), 13(1)(e)")
            .cites([quoted(document, i)])
            .cites(listed);
        found.push(draft);
    }
    found
}

/// Statements of a document that contradict others of it, or of a document that comes after it by name: each pair once.
pub(super) fn against_others(document: &Document, others: &[Document], day: &str) -> Vec<Draft> {
    let mut found: Vec<Draft> = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, claim) in document.claims.iter().enumerate().filter(|(_, claim)| is_compared(claim)) {
        let own = document.claims.iter().enumerate().skip(i + 1).map(|(j, other)| (document, j, other));
        let later = others.iter().filter(|other| other.name > document.name && is_published(other, day));
        let later = later.flat_map(|other| other.claims.iter().enumerate().map(move |(j, claim)| (other, j, claim)));
        for (other, j, against) in own.chain(later) {
            let Some((essence, text)) = contradict(claim, against, document.name == other.name) else { continue };
            if !seen.insert(essence.clone()) {
                continue;
            }
            let draft = Draft::new(Kind::Contradiction, Severity::Warning, &document.name, essence);
            let draft = draft.says(text, "GDPR Art. 5(1)(a), 12(1)");
            found.push(draft.cites([quoted(document, i), quoted(other, j)]));
        }
    }
    found
}

/// Whether it says something that another claim can contradict.
fn is_compared(claim: &Claim) -> bool {
    claim.retention.is_some() || !claim.instrument.is_empty()
}

/// In what two claims contradict each other: what tells this contradiction from others, and the words for it.
fn contradict(one: &Claim, two: &Claim, same_document: bool) -> Option<(String, String)> {
    // Parts of a text speak of different processing: they are held against each other only within themselves.
    let parts =
        if same_document { one.part_id == two.part_id } else { one.part_id.is_empty() && two.part_id.is_empty() };
    if !parts || one.subject != two.subject {
        return None;
    }
    retention(one, two).or_else(|| instrument(one, two))
}

/// Two periods for the same data, purpose and trigger.
fn retention(one: &Claim, two: &Claim) -> Option<(String, String)> {
    let (a, b) = (one.retention.as_ref()?, two.retention.as_ref()?);
    let key = |claim: &Claim, of: &Retention| {
        [&of.data, &claim.purpose, &of.trigger, &claim.data_subjects, &claim.value].map(|text| text.to_lowercase())
    };
    if a.data.is_empty() || key(one, a) != key(two, b) {
        return None;
    }
    use RetentionKind::{Fixed, Indefinite, NotStored, RelationshipPlus};
    let excludes = match (a.kind(), b.kind()) {
        (Fixed, Fixed) | (RelationshipPlus, RelationshipPlus) => {
            !a.duration.is_empty() && !b.duration.is_empty() && a.duration != b.duration
        }
        (x, y) => x != y && [Fixed, Indefinite, NotStored].contains(&x) && [Fixed, Indefinite, NotStored].contains(&y),
    };
    excludes.then(|| {
        let (first, second) = (period(a), period(b));
        let essence = format!("retention {:?} {}", key(one, a), sorted([&first, &second]));
        (essence, format!("for how long {} is kept: {first}, and {second}", a.data))
    })
}

fn period(retention: &Retention) -> String {
    let word = retention.kind().as_str_name().trim_start_matches("KIND_");
    if retention.duration.is_empty() { word.to_owned() } else { format!("{word} {}", retention.duration) }
}

/// Two statements on the same instrument under the same regime.
fn instrument(one: &Claim, two: &Claim) -> Option<(String, String)> {
    if one.instrument.is_empty() || one.instrument != two.instrument || one.regime != two.regime {
        return None;
    }
    let apart = |a: &Claim, b: &Claim| a.exporter_areas().all(|area| !b.exporter_areas().any(|other| other == area));
    if !one.exporter_areas.is_empty() && !two.exporter_areas.is_empty() && apart(one, two) {
        return None;
    }
    let taking_part = [one, two].map(|claim| match claim.participation() {
        Participation::Certified => "CERTIFIED",
        Participation::InProcess => "IN_PROCESS",
        Participation::Lapsed => "LAPSED",
        Participation::Withdrawn => "WITHDRAWN",
        // A text that speaks of a framework, and claims nothing there, contradicts nobody.
        _ => "",
    });
    let relying = [one, two].map(|claim| match claim.reliance() {
        Reliance::ReliedOn => "RELIED_ON",
        Reliance::NotReliedOn => "NOT_RELIED_ON",
        _ => "",
    });
    let [a, b] = [taking_part, relying].into_iter().find(|[a, b]| !a.is_empty() && !b.is_empty() && a != b)?;
    let essence = format!("{} {} {}", one.instrument, one.regime().as_str_name(), sorted([a, b]));
    Some((essence, format!("{} is {a} in one place and {b} in another", one.instrument)))
}

fn sorted(mut words: [&str; 2]) -> String {
    words.sort_unstable();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::Regime;

    fn document(id: &str, claims: Vec<Claim>) -> Document {
        Document { name: format!("organizations/a/documents/{id}"), claims, ..Default::default() }
    }

    fn engaged(id: &str, start_date: &str, end_date: &str) -> Engaged {
        Engaged {
            name: format!("organizations/a/subprocessors/{id}"),
            display_name: id.to_uppercase(),
            vendor: format!("vendors/{id}"),
            start_date: start_date.into(),
            end_date: end_date.into(),
        }
    }

    #[test]
    fn a_denial_is_held_against_the_processors_of_the_day() {
        let list = [engaged("aws", "2020-01-01", "2021-01-01"), engaged("stripe", "2020-06-01", "")];
        let never = |items: &[&str]| Claim {
            kind: ClaimKind::SaleOfData.into(),
            quote: "never".into(),
            affirmed: Some(false),
            items: items.iter().map(|item| (*item).to_owned()).collect(),
            ..Default::default()
        };
        let against = |claim: Claim, day: &str| {
            let found = denials(&document("p", vec![claim]), &list, day);
            assert!(found.len() < 2);
            found.iter().flat_map(|one| &one.evidence).skip(1).map(|one| one.text.clone()).collect::<Vec<_>>()
        };
        let all = || never(&["sell", "share", "provide"]);
        assert!(against(all(), "2019-12-31").is_empty());
        assert_eq!(against(all(), "2020-01-01"), ["AWS"]);
        assert_eq!(against(all(), "2020-12-31"), ["AWS", "STRIPE"]);
        assert_eq!(against(all(), "2021-01-01"), ["STRIPE"]);
        for other in [
            never(&["sell", "rent"]),
            Claim { affirmed: Some(true), ..all() },
            Claim { affirmed: None, ..all() },
            Claim { purpose: "marketing".into(), ..all() },
            Claim { kind: ClaimKind::Other.into(), ..all() },
        ] {
            assert!(against(other, "2020-12-31").is_empty());
        }
        let unused =
            |subject: &str| Claim { kind: ClaimKind::SubprocessorUse.into(), subject: subject.into(), ..never(&[]) };
        assert_eq!(against(unused("vendors/aws"), "2020-12-31"), ["AWS"]);
        assert_eq!(against(unused("organizations/a/subprocessors/stripe"), "2020-12-31"), ["STRIPE"]);
        assert!(against(unused("vendors/slack"), "2020-12-31").is_empty());
        assert_eq!(against(unused(""), "2020-12-31"), ["AWS", "STRIPE"]);
    }

    fn kept(kind: RetentionKind, duration: &str, trigger: &str) -> Claim {
        let retention = Retention {
            kind: kind.into(),
            duration: duration.into(),
            trigger: trigger.into(),
            data: "personal information".into(),
            ..Default::default()
        };
        Claim { kind: ClaimKind::Retention.into(), retention: Some(retention), ..Default::default() }
    }

    #[test]
    fn two_periods_for_the_same_data_contradict_each_other() {
        use RetentionKind::{AsNecessary, Fixed, Indefinite, NotStored, RelationshipPlus};
        let differ = |one: Claim, two: Claim| contradict(&one, &two, true).is_some();
        assert!(differ(kept(Fixed, "P30D", "deletion"), kept(Fixed, "P60D", "deletion")));
        assert!(differ(kept(Fixed, "P30D", ""), kept(NotStored, "", "")));
        assert!(differ(kept(Indefinite, "", ""), kept(NotStored, "", "")));
        assert!(differ(kept(RelationshipPlus, "P30D", ""), kept(RelationshipPlus, "P1Y", "")));
        assert!(!differ(kept(Fixed, "P30D", "deletion"), kept(Fixed, "P30D", "deletion")));
        assert!(!differ(kept(Fixed, "P30D", "deletion"), kept(Fixed, "P60D", "termination")));
        assert!(!differ(kept(Fixed, "PT48H", ""), kept(RelationshipPlus, "", "")));
        assert!(!differ(kept(Fixed, "P30D", ""), kept(AsNecessary, "", "")));
        let elsewhere = Claim { part_id: "site".into(), ..kept(Fixed, "P60D", "deletion") };
        assert!(!differ(kept(Fixed, "P30D", "deletion"), elsewhere));
        let other = Claim { purpose: "backup".into(), ..kept(Fixed, "P60D", "deletion") };
        assert!(!differ(kept(Fixed, "P30D", "deletion"), other));
    }

    #[test]
    fn two_documents_contradict_each_other_once_while_both_are_published() {
        use Participation::{Certified, NotClaimed, Withdrawn};
        let says = |participation: Participation| Claim {
            instrument: "instruments/x".into(),
            regime: Regime::EuGdpr.into(),
            participation: participation.into(),
            ..Default::default()
        };
        let one = document("a", vec![says(Certified), says(Certified)]);
        let mut two = document("b", vec![says(Withdrawn)]);
        two.stated_date = "2024-01-01".into();
        let all = [one.clone(), two.clone()];
        assert!(against_others(&one, &all, "2023-12-31").is_empty());
        let found = against_others(&one, &all, "2024-01-01");
        assert_eq!((found.len(), found[0].evidence.len()), (1, 2));
        assert!(against_others(&two, &all, "2024-01-01").is_empty(), "each pair once");
        let silent = [one.clone(), document("b", vec![says(NotClaimed)])];
        assert!(against_others(&one, &silent, "2024-01-01").is_empty());
        let uk = Claim { regime: Regime::UkGdpr.into(), ..says(Withdrawn) };
        assert!(against_others(&one, &[document("b", vec![uk])], "2024-01-01").is_empty());
    }
}
