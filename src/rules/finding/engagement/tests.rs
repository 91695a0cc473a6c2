use super::*;
use crate::{
    proto::v1::{Address, Contact, DerivedFrom, Dpa, Entity, Override, Regime, Verdict, subprocessor::State},
    rules::law::territory::{Span, Territories},
};

fn law() -> Law {
    let regimes = vec![(Regime::EuGdpr, Span::default())];
    Law::new([], Territories::new(regimes, Vec::new(), Vec::new(), std::collections::HashMap::new()))
}

fn vendor() -> Vendor {
    Vendor {
        entities: vec![Entity {
            legal_name: "Acme, Inc.".into(),
            address: Some(Address { lines: vec!["1 Road".into()], ..Default::default() }),
            ..Default::default()
        }],
        contacts: vec![Contact { email: "dpo@acme.example".into(), ..Default::default() }],
        ..Default::default()
    }
}

/// One of which nothing is missing.
fn whole() -> Subprocessor {
    Subprocessor {
        name: "organizations/a/subprocessors/s".into(),
        vendor: "vendors/v".into(),
        display_name: "Acme".into(),
        role: Role::SubProcessor.into(),
        state: State::Active.into(),
        purposes: vec!["hosting".into()],
        locations: vec![Location { region_code: "DE".into(), ..Default::default() }],
        dpa: Some(Dpa { status: DpaStatus::Signed.into(), ..Default::default() }),
        start_date: "2024-01-01".into(),
        end_date: "2026-01-01".into(),
        ..Default::default()
    }
}

fn with(change: impl FnOnce(&mut Subprocessor)) -> Subprocessor {
    let mut one = whole();
    change(&mut one);
    one
}

fn on(one: &Subprocessor, vendor: Option<&Vendor>, day: &str) -> Vec<Draft> {
    let law = law();
    Engagement {
        law: &law,
        subprocessor: one,
        vendor,
        spoken_for: Vec::new(),
        recorded: Vec::new(),
        derived: Vec::new(),
    }
    .on(day)
}

fn kinds(one: &Subprocessor, day: &str) -> Vec<Kind> {
    on(one, Some(&vendor()), day).iter().map(|draft| draft.kind).collect()
}

#[test]
fn of_a_whole_engagement_nothing_is_found_and_of_one_that_is_over_neither() {
    assert_eq!(kinds(&whole(), "2025-01-01"), []);
    let bare = with(|one| one.dpa = None);
    for (day, found) in [("2023-12-31", false), ("2024-01-01", true), ("2025-12-31", true), ("2026-01-01", false)] {
        assert_eq!(!kinds(&bare, day).is_empty(), found, "{day}");
    }
    for state in [State::Proposed, State::Announced, State::Rejected] {
        assert_eq!(kinds(&with(|one| (one.dpa, one.state) = (None, state.into())), "2025-01-01"), [], "{state:?}");
    }
    let deleted = with(|one| (one.dpa, one.delete_time) = (None, Some(prost_types::Timestamp::default())));
    assert_eq!(kinds(&deleted, "2025-01-01"), []);
}

#[test]
fn an_agreement_falls_due_on_its_day_for_processors() {
    let dpa = |status: DpaStatus, sign_date: &str, expire_date: &str| {
        let (sign_date, expire_date) = (sign_date.to_owned(), expire_date.to_owned());
        with(|one| one.dpa = Some(Dpa { status: status.into(), sign_date, expire_date, ..Default::default() }))
    };
    let runs_out = dpa(DpaStatus::Signed, "2024-06-01", "2025-06-01");
    assert_eq!(on(&runs_out, Some(&vendor()), "2024-05-31")[0].essence, "not yet signed");
    assert_eq!(kinds(&runs_out, "2024-06-01"), []);
    assert_eq!(kinds(&runs_out, "2025-05-31"), []);
    let found = on(&runs_out, Some(&vendor()), "2025-06-01");
    assert_eq!(
        (found[0].kind, found[0].severity, found[0].essence.as_str()),
        (Kind::DpaDue, Severity::Critical, "run out")
    );
    for (status, severity) in [
        (DpaStatus::NotChecked, Severity::Warning),
        (DpaStatus::ActionRequired, Severity::Warning),
        (DpaStatus::Expired, Severity::Critical),
        (DpaStatus::Terminated, Severity::Critical),
    ] {
        assert_eq!(on(&dpa(status, "", ""), Some(&vendor()), "2025-01-01")[0].severity, severity, "{status:?}");
    }
    let source = with(|one| (one.dpa, one.role) = (None, Role::DataSource.into()));
    assert_eq!(kinds(&source, "2025-01-01"), []);
}

#[test]
fn a_review_falls_due_on_its_day() {
    let one = with(|one| one.next_review_date = "2025-03-01".into());
    assert_eq!(kinds(&one, "2025-02-28"), []);
    assert_eq!(kinds(&one, "2025-03-01"), [Kind::ReviewDue]);
}

#[test]
fn what_is_missing_is_named() {
    let bare = Vendor { contacts: Vec::new(), ..vendor() };
    let found = on(&whole(), Some(&bare), "2025-01-01");
    assert_eq!((found[0].kind, found[0].essence.contains("contact")), (Kind::AnnexIiiIncomplete, true));
    let controller = with(|one| one.role = Role::IndependentController.into());
    assert!(on(&controller, Some(&bare), "2025-01-01").is_empty());

    let category = with(|one| (one.vendor, one.dpa) = (String::new(), None));
    let found = on(&category, None, "2025-01-01");
    assert_eq!((found[0].kind, found[0].severity), (Kind::FactMissing, Severity::Warning));
    let either = with(|one| {
        (one.vendor, one.dpa) = (String::new(), None);
        one.alternative_vendors = vec!["vendors/a".into(), "vendors/b".into()];
    });
    assert!(on(&either, None, "2025-01-01").is_empty());
    assert_eq!(kinds(&with(|one| one.purposes.clear()), "2025-01-01"), [Kind::FactMissing]);
    let reason = on(&with(|one| one.incomplete_reason = "not in the text".into()), Some(&vendor()), "2025-01-01");
    assert_eq!((reason[0].kind, reason[0].severity), (Kind::FactMissing, Severity::Info));
    assert!(reason[0].text.contains("not in the text"));

    assert_eq!(kinds(&with(|one| one.locations.clear()), "2025-01-01"), [Kind::LocationNotStated]);
    let chosen = with(|one| {
        (one.role, one.vendor, one.dpa) = (Role::CustomerDirected.into(), String::new(), None);
        one.locations.clear();
    });
    let found = on(&chosen, None, "2025-01-01");
    assert_eq!((found.len(), found[0].kind, found[0].severity), (1, Kind::FactMissing, Severity::Info));
    let seat = |one: &mut Subprocessor| one.locations[0].activity = Activity::Corporate.into();
    assert_eq!(kinds(&with(seat), "2025-01-01"), [Kind::LocationNotStated]);
}

fn record(gate: Gate, outcome: Outcome) -> GateRecord {
    // 2025-02-03T12:00:00Z
    let record_time = Some(prost_types::Timestamp { seconds: 1_738_584_000, nanos: 0 });
    let over = Override { reason: "urgent".into(), approver: "dpo".into() };
    GateRecord { gate: gate.into(), outcome: outcome.into(), detail: "it".into(), record_time, r#override: Some(over) }
}

#[test]
fn an_overridden_gate_stays_and_an_advised_one_until_it_is_met() {
    let passed = with(|one| one.gate_records = vec![record(Gate::DpaInForce, Outcome::Overridden)]);
    assert_eq!(kinds(&passed, "2025-02-02"), []);
    assert_eq!(kinds(&passed, "2025-02-03"), [Kind::GateOverridden]);
    assert_eq!(kinds(&passed, "2030-01-01"), [Kind::GateOverridden]);
    let gone = with(|one| {
        one.gate_records = passed.gate_records.clone();
        one.delete_time = Some(prost_types::Timestamp::default());
    });
    assert_eq!(on(&gone, None, "2030-01-01")[0].severity, Severity::Critical);

    let advised = |dpa: Option<Dpa>| {
        with(|one| {
            one.gate_records = vec![record(Gate::DpaInForce, Outcome::Advisory)];
            one.dpa = dpa;
        })
    };
    assert_eq!(kinds(&advised(None), "2025-02-02"), [Kind::DpaDue]);
    assert_eq!(kinds(&advised(None), "2025-02-03"), [Kind::GateNotMet, Kind::DpaDue]);
    assert_eq!(kinds(&advised(whole().dpa), "2025-02-03"), []);
    let annex = with(|one| one.gate_records = vec![record(Gate::AnnexIiiComplete, Outcome::Advisory)]);
    assert_eq!(kinds(&annex, "2025-03-01"), []);
    assert_eq!(on(&annex, Some(&Vendor { entities: Vec::new(), ..vendor() }), "2025-03-01")[0].kind, Kind::GateNotMet);
}

#[test]
fn a_location_outside_needs_cover_unless_a_transfer_speaks_for_it() {
    let (law, vendor) = (law(), vendor());
    let gate = record(Gate::TransfersCovered, Outcome::Advisory);
    let one = with(|one| (one.gate_records, one.locations[0].region_code) = (vec![gate], "US".into()));
    let flow = Transfer {
        regime: Regime::EuGdpr.into(),
        importer: one.name.clone(),
        exporter_area: crate::proto::v1::ExporterArea::Eu.into(),
        destination_region_codes: vec!["US".into()],
        ..Default::default()
    };
    let spoken = Transfer { start_date: "2025-03-01".into(), ..flow.clone() };
    fn subject(transfer: &Transfer) -> Subject<'_> {
        Subject {
            transfer,
            exporter_role: Role::Processor,
            importer_role: Role::Processor,
            certifications: Vec::new(),
            dpa: None,
            onward_from: None,
        }
    }
    let from = DerivedFrom { region_code: "US".into(), ..Default::default() };
    let engagement = Engagement {
        law: &law,
        subprocessor: &one,
        vendor: Some(&vendor),
        spoken_for: vec![&spoken],
        recorded: vec![subject(&spoken)],
        derived: vec![Flow { from: &from, subject: subject(&flow) }],
    };
    let found = engagement.on("2025-02-28");
    let kinds: Vec<_> = found.iter().map(|draft| (draft.kind, draft.verdict)).collect();
    assert_eq!(kinds, [(Kind::GateNotMet, Verdict::Unspecified), (Kind::TransferNotCovered, Verdict::NoMechanism)]);
    // From then on the recorded transfer is answered by itself, and the gate looks at it.
    let later: Vec<_> = engagement.on("2025-03-01").iter().map(|draft| draft.kind).collect();
    assert_eq!(later, [Kind::GateNotMet]);
}
