//! The steps of a subprocessor's life: Activate, Suspend, Retire, what was entered as found, gates, duplicates.

use subprocessor_registry::proto::v1::{self, subprocessor::State};
use tonic::{Code, Status};

use super::subject::{How, Subject, Writable, mask};
use crate::support::{Server, both, fresh, organization, preconditions, refused, subprocessor, vendor};

const ACME: &str = "organizations/acme";
const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Activate,
    Suspend,
    Retire,
}

async fn take(server: &mut Server, step: Step, name: &str, etag: &str, dry: bool) -> Result<v1::Subprocessor, Status> {
    let (name, etag) = (name.to_owned(), etag.to_owned());
    let client = &mut server.subprocessors;
    match step {
        Step::Activate => {
            client.activate(v1::ActivateRequest { name, etag, validate_only: dry, ..Default::default() }).await
        }
        Step::Suspend => {
            client.suspend(v1::SuspendRequest { name, etag, validate_only: dry, ..Default::default() }).await
        }
        Step::Retire => client.retire(v1::RetireRequest { name, etag, validate_only: dry, ..Default::default() }).await,
    }
    .map(tonic::Response::into_inner)
}

fn found(label: &str, state: State) -> v1::Subprocessor {
    v1::Subprocessor { display_name: label.into(), recorded_as_found: true, state: state.into(), ..Default::default() }
}

async fn retire(server: &mut Server, name: &str, end_date: &str) -> Result<v1::Subprocessor, Status> {
    let request = v1::RetireRequest { name: name.into(), end_date: end_date.into(), ..Default::default() };
    server.subprocessors.retire(request).await.map(tonic::Response::into_inner)
}

both! {
    async fn every_step_from_every_state(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let states = [State::Proposed, State::Announced, State::Active, State::Suspended, State::Retired, State::Rejected];
        for state in states {
            for step in [Step::Activate, Step::Suspend, Step::Retire] {
                let id = format!("{step:?}-{}", state.as_str_name().trim_start_matches("STATE_")).to_lowercase();
                let made = subprocessor(&mut server, ACME, &id, found(&id, state)).await.expect("created");
                assert_eq!(made.state(), state);
                let to = match (step, state) {
                    (Step::Activate, State::Proposed | State::Announced | State::Suspended) => Some(State::Active),
                    (Step::Suspend, State::Active) => Some(State::Suspended),
                    (Step::Retire, State::Active | State::Suspended) => Some(State::Retired),
                    _ => None,
                };
                for dry in [true, false] {
                    let before = server.revision().await;
                    let answer = take(&mut server, step, &made.name, &made.etag, dry).await;
                    match to {
                        Some(to) => {
                            assert_eq!(answer.expect("stepped").state(), to);
                            assert_eq!(server.revision().await, before + i64::from(!dry));
                        }
                        None => {
                            let status = refused(answer, Code::FailedPrecondition, "STATE_TRANSITION_REFUSED", &[]);
                            assert_eq!(preconditions(&status), [("STATE".to_owned(), made.name.clone())]);
                            assert_eq!(server.revision().await, before);
                        }
                    }
                }
            }
        }
    }

    async fn steps_check_name_etag_and_life(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let made = v1::Subprocessor::make(&mut server, "one", "One").await;
        for step in [Step::Activate, Step::Suspend, Step::Retire] {
            for dry in [true, false] {
                for bad in ["", "vendors/aws", "organizations/acme", "organizations/-/subprocessors/one"] {
                    refused(take(&mut server, step, bad, "", dry).await, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
                }
                let nobody = take(&mut server, step, &v1::Subprocessor::name("none"), "", dry).await;
                refused(nobody, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
                refused(take(&mut server, step, &made.name, "stale", dry).await, Code::Aborted, "ETAG_STALE", &[]);
            }
        }
        v1::Subprocessor::delete(&mut server, &made.name, "", LIVE).await.expect("deleted");
        for step in [Step::Activate, Step::Suspend, Step::Retire] {
            refused(take(&mut server, step, &made.name, "", false).await, Code::FailedPrecondition, "RESOURCE_DELETED", &[]);
        }
    }

    async fn dates_of_steps(backend: Backend) {
        let (_place, mut server) = fresh(backend).await; // 2026-03-23
        organization(&mut server, "acme").await;
        let one = v1::Subprocessor::make(&mut server, "one", "One").await;
        let active = take(&mut server, Step::Activate, &one.name, "", false).await.expect("activated");
        assert_eq!((active.start_date.as_str(), active.end_date.as_str()), ("2026-03-23", ""));
        for bad in ["2026-02-30", "0000-01-01", "9999-12-31", "tomorrow", "2026-3-1", "2026-03-23T00:00:00Z"] {
            refused(retire(&mut server, &one.name, bad).await, Code::InvalidArgument, "FIELD_INVALID", &["end_date"]);
        }
        refused(retire(&mut server, &one.name, "2026-03-22").await, Code::InvalidArgument, "FIELD_INVALID", &["end_date"]);
        let retired = retire(&mut server, &one.name, "2026-04-30").await.expect("retired");
        assert_eq!((retired.start_date.as_str(), retired.end_date.as_str()), ("2026-03-23", "2026-04-30"));
        // A start that was set stays; the end is today, unless there was one.
        for (id, start, end, expected) in [("a", "2020-01-01", "", "2026-03-23"), ("b", "", "2027-01-01", "2027-01-01")] {
            let sent = v1::Subprocessor { display_name: id.into(), start_date: start.into(), end_date: end.into(), ..Default::default() };
            let made = subprocessor(&mut server, ACME, id, sent).await.expect("created");
            let active = take(&mut server, Step::Activate, &made.name, "", false).await.expect("activated");
            assert_eq!(active.start_date, if start.is_empty() { "2026-03-23" } else { start });
            let retired = take(&mut server, Step::Retire, &made.name, "", false).await.expect("retired");
            assert_eq!(retired.end_date, expected);
        }
        // What has ended is not put into use.
        let past = v1::Subprocessor { display_name: "past".into(), end_date: "2026-03-23".into(), ..Default::default() };
        let past = subprocessor(&mut server, ACME, "past", past).await.expect("created");
        let answer = take(&mut server, Step::Activate, &past.name, "", false).await;
        refused(answer, Code::FailedPrecondition, "STATE_TRANSITION_REFUSED", &[]);
        // One that engages others in use is not retired before them.
        let above = subprocessor(&mut server, ACME, "above", found("Above", State::Active)).await.expect("created");
        let below = v1::Subprocessor { engaged_by: above.name.clone(), ..found("Below", State::Suspended) };
        let below = subprocessor(&mut server, ACME, "below", below).await.expect("created");
        let status = refused(retire(&mut server, &above.name, "").await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        assert_eq!(preconditions(&status), [("REFERENCE".to_owned(), below.name.clone())]);
        retire(&mut server, &below.name, "").await.expect("retired");
        retire(&mut server, &above.name, "").await.expect("retired");
    }

    async fn a_state_is_given_only_to_what_was_found(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let plain = |state: State| v1::Subprocessor { recorded_as_found: false, ..found("New", state) };
        for state in [State::Announced, State::Active, State::Suspended, State::Retired, State::Rejected] {
            let answer = subprocessor(&mut server, ACME, "new", plain(state)).await;
            refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.state"]);
        }
        let new = subprocessor(&mut server, ACME, "new", plain(State::Proposed)).await.expect("created");
        let old = subprocessor(&mut server, ACME, "old", found("Old", State::Unspecified)).await.expect("created");
        assert_eq!((new.state(), old.state(), old.start_date.as_str()), (State::Proposed, State::Active, ""));
        let future = v1::Subprocessor { start_date: "2026-03-24".into(), ..found("Later", State::Active) };
        let answer = subprocessor(&mut server, ACME, "later", future.clone()).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.start_date"]);
        let today = v1::Subprocessor { start_date: "2026-03-23".into(), ..future };
        subprocessor(&mut server, ACME, "later", today).await.expect("created");
        // Later, only what was found can be corrected, and not into use.
        for (one, state, allowed) in [
            (&new, State::Active, false),
            (&new, State::Retired, false),
            (&new, State::Proposed, true),
            (&old, State::Retired, true),
            (&old, State::Active, false),
            (&old, State::Retired, true),
        ] {
            let sent = v1::Subprocessor { state: state.into(), ..Default::default() }.with(&one.name, "");
            let answer = v1::Subprocessor::update(&mut server, Some(sent), mask(&["state"]), LIVE).await;
            if allowed {
                assert_eq!(answer.expect("updated").state(), state);
            } else {
                refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.state"]);
            }
        }
    }

    async fn gates_bind_where_the_policy_requires(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        vendor(&mut server, "aws").await;
        vendor(&mut server, "bare").await;
        v1::Vendor::update(&mut server, Some(v1::Vendor::default().with("vendors/bare", "")), mask(&["contacts", "entities"]), LIVE).await.expect("bare");
        let signed = Some(v1::Dpa { status: v1::dpa::Status::Signed.into(), ..Default::default() });
        let rows = [
            ("complete", "vendors/aws", signed.clone(), vec![]),
            ("no-dpa", "vendors/aws", None, vec!["GATE_DPA_IN_FORCE"]),
            ("bare", "vendors/bare", signed, vec!["GATE_ANNEX_III_COMPLETE"]),
            ("both", "vendors/bare", None, vec!["GATE_DPA_IN_FORCE", "GATE_ANNEX_III_COMPLETE"]),
            ("unnamed", "", None, vec!["GATE_ANNEX_III_COMPLETE"]),
        ];
        let policy = |enforcement: v1::notice_policy::Enforcement| v1::Organization {
            notice_policy: Some(v1::NoticePolicy { enforcement: enforcement.into(), ..Default::default() }),
            ..Default::default()
        }.with(ACME, "");
        for enforcement in [v1::notice_policy::Enforcement::Required, v1::notice_policy::Enforcement::Advisory] {
            let required = enforcement == v1::notice_policy::Enforcement::Required;
            v1::Organization::update(&mut server, Some(policy(enforcement)), None, LIVE).await.expect("a policy");
            for (id, vendor, dpa, gates) in &rows {
                let id = format!("{id}-{required}");
                let one = v1::Subprocessor { display_name: id.clone(), vendor: (*vendor).into(), dpa: dpa.clone(), ..Default::default() };
                let one = subprocessor(&mut server, ACME, &id, one).await.expect("created");
                crate::support::announce(&mut server, &one.name).await;
                let answer = take(&mut server, Step::Activate, &one.name, "", false).await;
                if !required || gates.is_empty() {
                    let active = answer.expect("activated");
                    let left: Vec<_> = active.gate_records.iter().map(|r| r.gate().as_str_name().to_owned()).collect();
                    assert_eq!(&left, gates);
                    assert!(active.gate_records.iter().all(|r| r.outcome() == v1::gate_record::Outcome::Advisory));
                    continue;
                }
                let status = refused(answer, Code::FailedPrecondition, "GATE_REFUSED", &[]);
                let expected: Vec<_> = gates.iter().map(|gate| ((*gate).to_owned(), one.name.clone())).collect();
                assert_eq!(preconditions(&status), expected);
                let request = |reason: &str, approver: &str| v1::ActivateRequest {
                    name: one.name.clone(),
                    r#override: Some(v1::Override { reason: reason.into(), approver: approver.into() }),
                    ..Default::default()
                };
                let answer = server.subprocessors.activate(request("", " ")).await;
                refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["override.reason", "override.approver"]);
                let active = server.subprocessors.activate(request("we must", "dpo")).await.expect("passed").into_inner();
                assert!(active.gate_records.iter().all(|r| r.r#override.as_ref().is_some_and(|o| o.approver == "dpo")));
                // The record is never removed, whatever is sent.
                let sent = v1::Subprocessor { display_name: id.clone(), vendor: (*vendor).into(), dpa: active.dpa.clone(), ..Default::default() }.with(&one.name, "");
                let kept = v1::Subprocessor::update(&mut server, Some(sent), mask(&["*"]), LIVE).await.expect("updated");
                assert_eq!(kept.gate_records, active.gate_records);
            }
        }
    }

    async fn the_same_engagement_twice_is_refused(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        organization(&mut server, "other").await;
        vendor(&mut server, "aws").await;
        let one = v1::Subprocessor { display_name: "AWS".into(), vendor: "vendors/aws".into(), end_date: "2026-01-01".into(), ..Default::default() };
        let first = subprocessor(&mut server, ACME, "first", one.clone()).await.expect("created");
        for how in [LIVE, &How::dry()] {
            let again = v1::Subprocessor::create(&mut server, "second", Some(one.clone()), ACME, how).await;
            let status = refused(again, Code::AlreadyExists, "DUPLICATE_ENGAGEMENT", &[]);
            use tonic_types::StatusExt;
            assert_eq!(status.get_error_details().resource_info().expect("the other").resource_name, first.name);
        }
        let later = v1::Subprocessor { start_date: "2026-01-01".into(), end_date: String::new(), ..one.clone() };
        let later = subprocessor(&mut server, ACME, "later", later).await.expect("another time");
        let section = v1::Subprocessor { section: "B".into(), ..one.clone() };
        let section = subprocessor(&mut server, ACME, "section", section).await.expect("another section");
        subprocessor(&mut server, "organizations/other", "first", one.clone()).await.expect("another organization");
        for id in ["unnamed-1", "unnamed-2"] {
            subprocessor(&mut server, ACME, id, v1::Subprocessor { vendor: String::new(), ..one.clone() }).await.expect("no vendor");
        }
        // Nor can one become the other, or come back as it.
        let sent = v1::Subprocessor::default().with(&section.name, "");
        let answer = v1::Subprocessor::update(&mut server, Some(sent), mask(&["section"]), LIVE).await;
        refused(answer, Code::AlreadyExists, "DUPLICATE_ENGAGEMENT", &[]);
        v1::Subprocessor::delete(&mut server, &later.name, "", LIVE).await.expect("deleted");
        let sent = v1::Subprocessor::default().with(&first.name, "");
        v1::Subprocessor::update(&mut server, Some(sent), mask(&["end_date"]), LIVE).await.expect("no end");
        let answer = v1::Subprocessor::undelete(&mut server, &later.name, "", LIVE).await;
        refused(answer, Code::AlreadyExists, "DUPLICATE_ENGAGEMENT", &[]);
    }
}
