//! The rules of one engagement (DESIGN §4): its lifecycle, the gates of putting it into use, and when two engagements
//! are the same.

use std::collections::BTreeSet;

use crate::{
    proto::v1::{
        Organization, Role, Subprocessor, Vendor, gate_record::Gate, notice_policy::Enforcement, subprocessor::State,
    },
    rules::law::transfer::is_agreed,
};

/// A step of the lifecycle that a caller can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Put into use.
    Activate,
    /// Stop for now.
    Suspend,
    /// End.
    Retire,
}

impl Step {
    /// The state it leads to from `state`, or the states it can be taken from.
    ///
    /// # Errors
    /// The states from which the lifecycle has this step.
    pub fn from(self, state: State) -> Result<State, &'static [State]> {
        let (from, to): (&[State], State) = match self {
            Self::Activate => (&[State::Proposed, State::Announced, State::Suspended], State::Active),
            Self::Suspend => (&[State::Active], State::Suspended),
            Self::Retire => (&[State::Active, State::Suspended], State::Retired),
        };
        if from.contains(&state) { Ok(to) } else { Err(from) }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Activate => "activated",
            Self::Suspend => "suspended",
            Self::Retire => "retired",
        }
    }
}

/// A gate that is not met, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// Which gate.
    pub gate: Gate,
    /// What is missing.
    pub detail: String,
    /// Of whom it is missing; empty: of the engagement itself.
    pub subject: String,
}

impl Unmet {
    /// A gate that an engagement does not meet.
    pub fn new(gate: Gate, detail: impl Into<String>) -> Self {
        Self { gate, detail: detail.into(), subject: String::new() }
    }
}

/// The gates of putting `subprocessor` into use on `day` that are not met: a DPA in force for processor roles with a
/// vendor (GDPR Art. 28(4)), every transfer to it covered (Art. 44; `uncovered`: those that are not, in words), and
/// Annex III of the standard contractual clauses (name, address, contact person).
pub fn unmet_gates(
    subprocessor: &Subprocessor,
    vendor: Option<&Vendor>,
    uncovered: &[String],
    day: &str,
) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    if vendor.is_some() && is_processor(subprocessor.role()) && !dpa_in_force(subprocessor, day) {
        let detail = format!(
            "no data processing agreement is in force on {day}: dpa.status must be SIGNED or INCORPORATED_BY_REFERENCE and not past dpa.expire_date"
        );
        unmet.push(Unmet::new(Gate::DpaInForce, detail));
    }
    if !uncovered.is_empty() {
        let detail = format!("not covered on {day}: {}", uncovered.join("; "));
        unmet.push(Unmet::new(Gate::TransfersCovered, detail));
    }
    let missing = annex_iii_gaps(subprocessor, vendor);
    if !missing.is_empty() {
        unmet.push(Unmet::new(Gate::AnnexIiiComplete, format!("not known: {}", missing.join(", "))));
    }
    unmet
}

/// Whether gates refuse, or only leave a record.
pub fn gates_bind(organization: &Organization) -> bool {
    organization.notice_policy.as_ref().is_some_and(|policy| policy.enforcement() == Enforcement::Required)
}

pub(crate) fn is_processor(role: Role) -> bool {
    // A role nobody stated is taken for the usual one: a list of sub-processors lists sub-processors.
    matches!(role, Role::SubProcessor | Role::Processor | Role::Both | Role::NotStated | Role::Unspecified)
}

pub(crate) fn dpa_in_force(subprocessor: &Subprocessor, day: &str) -> bool {
    subprocessor.dpa.as_ref().is_some_and(|dpa| is_agreed(dpa, day))
}

pub(crate) fn annex_iii_gaps(subprocessor: &Subprocessor, vendor: Option<&Vendor>) -> Vec<&'static str> {
    let Some(vendor) = vendor else { return vec!["the vendor"] };
    let entity = if subprocessor.vendor_entity.is_empty() {
        vendor.entities.first()
    } else {
        vendor.entities.iter().find(|entity| entity.entity_id == subprocessor.vendor_entity)
    };
    let address = entity.and_then(|entity| entity.address.as_ref());
    let mut missing = Vec::new();
    if entity.is_none() {
        missing.push("the legal entity's name");
    }
    if address.is_none_or(|address| address.lines.is_empty() && address.verbatim.is_empty()) {
        missing.push("its address");
    }
    let reachable = |contact: &crate::proto::v1::Contact| {
        [&contact.email, &contact.phone, &contact.uri, &contact.verbatim].iter().any(|text| !text.is_empty())
    };
    if !vendor.contacts.iter().any(reachable) {
        missing.push("a contact of the vendor");
    }
    missing
}

/// What makes two engagements the same, their dates aside: vendor entity, display name, section, service, products,
/// purposes, locations and condition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    texts: [String; 7],
    sets: [BTreeSet<String>; 3],
    locations: Vec<String>,
}

/// What makes an engagement the same as another; none of a row without a vendor, which never is.
pub fn identity(subprocessor: &Subprocessor) -> Option<Identity> {
    let s = subprocessor;
    if s.vendor.is_empty() {
        return None;
    }
    let mut locations: Vec<_> = s.locations.iter().map(|l| format!("{l:?}")).collect();
    locations.sort();
    // Every field is named, so that a new one must be decided on here.
    let texts =
        [&s.vendor, &s.vendor_entity, &s.display_name, &s.section, &s.condition, &s.service_description, &s.engaged_by];
    let sets = [&s.vendor_services, &s.products, &s.purposes].map(|texts| texts.iter().cloned().collect());
    Some(Identity { texts: texts.map(Clone::clone), sets, locations })
}

/// Whether two engagements are the same ([`identity`]) at any time.
pub fn is_duplicate(a: &Subprocessor, b: &Subprocessor) -> bool {
    identity(a).is_some_and(|one| identity(b).as_ref() == Some(&one)) && overlap(a, b)
}

/// Whether it is in use, or was: only then can it be on the list of a day.
pub fn was_in_use(subprocessor: &Subprocessor) -> bool {
    matches!(subprocessor.state(), State::Active | State::Suspended | State::Retired)
}

/// Whether it is on the list of an ISO 8601 day (DESIGN §4): in a state that is or was on it, begun and not ended.
pub fn is_on_list(subprocessor: &Subprocessor, day: &str) -> bool {
    // An absent start is always, an absent end never.
    was_in_use(subprocessor)
        && subprocessor.start_date.as_str() <= day
        && (subprocessor.end_date.is_empty() || day < subprocessor.end_date.as_str())
}

/// Whether it is on the list on an ISO 8601 day, or will be when it begins.
pub fn is_current(subprocessor: &Subprocessor, day: &str) -> bool {
    was_in_use(subprocessor) && (subprocessor.end_date.is_empty() || day < subprocessor.end_date.as_str())
}

/// Whether customers know of it on an ISO 8601 day: it is announced to them, or on the list.
pub fn is_known(subprocessor: &Subprocessor, day: &str) -> bool {
    subprocessor.state() == State::Announced || is_current(subprocessor, day)
}

/// Whether there is a time at which two engagements both are.
pub fn overlap(a: &Subprocessor, b: &Subprocessor) -> bool {
    // An absent start is always, an absent end never.
    let before = |end: &str, start: &str| !end.is_empty() && !start.is_empty() && end <= start;
    // What has not begun, and does not say when it will, begins after what is over.
    let to_come = |s: &Subprocessor| s.start_date.is_empty() && matches!(s.state(), State::Proposed | State::Announced);
    let is_over = |s: &Subprocessor| s.state() == State::Retired;
    if (to_come(a) && is_over(b)) || (to_come(b) && is_over(a)) {
        return false;
    }
    !before(&a.end_date, &b.start_date) && !before(&b.end_date, &a.start_date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::{Address, Contact, Dpa, Entity, Location, dpa::Status as DpaStatus};

    #[test]
    fn the_lifecycle_has_these_steps_and_no_others() {
        use State::{Active, Announced, Proposed, Rejected, Retired, Suspended};
        let all = [Proposed, Announced, Active, Suspended, Retired, Rejected];
        let steps = [
            (Step::Activate, vec![(Proposed, Active), (Announced, Active), (Suspended, Active)]),
            (Step::Suspend, vec![(Active, Suspended)]),
            (Step::Retire, vec![(Active, Retired), (Suspended, Retired)]),
        ];
        for (step, allowed) in steps {
            for state in all {
                let expected = allowed.iter().find(|(from, _)| *from == state).map(|(_, to)| *to);
                assert_eq!(step.from(state).ok(), expected, "{step:?} from {state:?}");
            }
        }
    }

    fn complete() -> (Subprocessor, Vendor) {
        let vendor = Vendor {
            entities: vec![Entity {
                entity_id: "acme-inc".into(),
                legal_name: "Acme, Inc.".into(),
                address: Some(Address { lines: vec!["1 Road".into()], ..Default::default() }),
                ..Default::default()
            }],
            contacts: vec![Contact { email: "dpo@acme.example".into(), ..Default::default() }],
            ..Default::default()
        };
        let subprocessor = Subprocessor {
            vendor: "vendors/acme".into(),
            display_name: "Acme".into(),
            role: Role::SubProcessor.into(),
            dpa: Some(Dpa { status: DpaStatus::Signed.into(), expire_date: "2026-03-01".into(), ..Default::default() }),
            ..Default::default()
        };
        (subprocessor, vendor)
    }

    #[test]
    fn gates_name_what_is_missing() {
        let (subprocessor, vendor) = complete();
        assert_eq!(unmet_gates(&subprocessor, Some(&vendor), &[], "2026-02-28"), vec![]);
        let future =
            Some(Dpa { status: DpaStatus::Signed.into(), sign_date: "2026-03-01".into(), ..Default::default() });
        let unsigned = Subprocessor { dpa: future, ..subprocessor.clone() };
        assert_eq!(unmet_gates(&unsigned, Some(&vendor), &[], "2026-02-28").len(), 1);
        assert_eq!(unmet_gates(&unsigned, Some(&vendor), &[], "2026-03-01"), vec![]);
        let expired = unmet_gates(&subprocessor, Some(&vendor), &[], "2026-03-01");
        assert_eq!(expired.iter().map(|u| u.gate).collect::<Vec<_>>(), [Gate::DpaInForce]);
        let referenced = Subprocessor {
            dpa: Some(Dpa { status: DpaStatus::IncorporatedByReference.into(), ..Default::default() }),
            ..subprocessor.clone()
        };
        assert!(unmet_gates(&referenced, Some(&vendor), &[], "2026-03-01").is_empty());
        for status in [DpaStatus::NotChecked, DpaStatus::ActionRequired, DpaStatus::Expired, DpaStatus::Terminated] {
            let dpa = Some(Dpa { status: status.into(), ..Default::default() });
            assert_eq!(
                unmet_gates(&Subprocessor { dpa, ..subprocessor.clone() }, Some(&vendor), &[], "2026-01-01").len(),
                1
            );
        }
        let source = Subprocessor { role: Role::DataSource.into(), dpa: None, ..subprocessor.clone() };
        assert!(unmet_gates(&source, Some(&vendor), &[], "2026-01-01").is_empty(), "no processor, no DPA");
        let unnamed =
            unmet_gates(&Subprocessor { vendor: String::new(), ..subprocessor.clone() }, None, &[], "2026-01-01");
        assert_eq!(unnamed.iter().map(|u| u.gate).collect::<Vec<_>>(), [Gate::AnnexIiiComplete]);
        let bare = Vendor { contacts: vec![], ..vendor };
        assert!(unmet_gates(&subprocessor, Some(&bare), &[], "2026-01-01")[0].detail.contains("contact"));
    }

    #[test]
    fn duplicates_agree_in_everything_and_overlap() {
        let (one, _) = complete();
        assert!(is_duplicate(&one, &one));
        let other = |change: fn(&mut Subprocessor)| {
            let mut copy = one.clone();
            change(&mut copy);
            copy
        };
        for different in [
            other(|s| s.display_name = "B".into()),
            other(|s| s.section = "B".into()),
            other(|s| s.vendor_entity = "b".into()),
            other(|s| s.vendor_services.push("b".into())),
            other(|s| s.products.push("b".into())),
            other(|s| s.purposes.push("b".into())),
            other(|s| s.condition = "b".into()),
            other(|s| s.locations.push(Location { region_code: "US".into(), ..Default::default() })),
        ] {
            assert!(!is_duplicate(&one, &different), "{different:?}");
        }
        let early = other(|s| s.end_date = "2026-01-01".into());
        let late = other(|s| s.start_date = "2026-01-01".into());
        assert!(!is_duplicate(&early, &late) && is_duplicate(&early, &one));
        let unnamed = other(|s| s.vendor.clear());
        assert!(!is_duplicate(&unnamed, &unnamed));
    }
}
