//! Activate, Suspend, Retire: which steps there are, and which dates they set.

use subprocessor_registry::proto::v1::{self, subprocessor::State};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{ACME, engage, name, row};
use crate::support::{
    Server, activate, both, fresh, get_subprocessor, organization, preconditions, refused, retire, suspend,
    update_subprocessor,
};

const STATES: [State; 6] =
    [State::Proposed, State::Announced, State::Active, State::Suspended, State::Retired, State::Rejected];

async fn step(server: &mut Server, step: &str, name: &str) -> Result<v1::Subprocessor, Status> {
    match step {
        "activate" => activate(server, name).await,
        "suspend" => suspend(server, name).await,
        "retire" => retire(server, name, "").await,
        other => panic!("{other} is no step"),
    }
}

fn word(state: State) -> &'static str {
    state.as_str_name().trim_start_matches("STATE_")
}

both! {
    async fn every_step_from_every_state(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let steps = [
            ("activate", State::Active, vec![State::Proposed, State::Announced, State::Suspended]),
            ("suspend", State::Suspended, vec![State::Active]),
            ("retire", State::Retired, vec![State::Active, State::Suspended]),
        ];
        for (verb, to, allowed) in steps {
            for from in STATES {
                let id = format!("{verb}-{}", word(from).to_lowercase());
                let found = v1::Subprocessor { recorded_as_found: true, state: from.into(), ..row(&id) };
                let made = engage(&mut server, &id, found).await.expect("created");
                assert_eq!(made.state(), from);
                let revision = server.revision().await;
                let answer = step(&mut server, verb, &made.name).await;
                if allowed.contains(&from) {
                    let after = answer.expect("allowed");
                    assert_eq!(after.state(), to, "{verb} from {from:?}");
                    assert_eq!(get_subprocessor(&mut server, &made.name).await, after);
                    assert_eq!((after.revision, server.revision().await), (revision + 1, revision + 1));
                } else {
                    let status = refused(answer, Code::FailedPrecondition, "STATE_TRANSITION_REFUSED", &[]);
                    assert_eq!(preconditions(&status), [("STATE".to_owned(), made.name.clone())]);
                    let words: Vec<_> = allowed.iter().map(|state| word(*state)).collect();
                    assert!(status.message().ends_with(&format!("only from {}", words.join(", "))), "{status:?}");
                    assert!(status.message().contains(&format!("is {} and", word(from))), "{status:?}");
                    let details = status.get_error_details();
                    let info = details.error_info().expect("ErrorInfo");
                    assert_eq!(info.metadata.get("state").map(String::as_str), Some(word(from)));
                    assert_eq!(get_subprocessor(&mut server, &made.name).await, made);
                    assert_eq!(server.revision().await, revision);
                }
            }
        }
    }

    async fn a_life_and_its_dates(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let made = engage(&mut server, "mail", row("Mail")).await.expect("created");
        assert_eq!((made.state(), made.start_date.as_str(), made.end_date.as_str()), (State::Proposed, "", ""));
        place.set_clock("2026-03-23T23:59:59.9Z");
        let active = activate(&mut server, &made.name).await.expect("activated");
        assert_eq!((active.state(), active.start_date.as_str(), active.end_date.as_str()), (State::Active, "2026-03-23", ""));
        place.set_clock("2026-03-24T00:00:00Z");
        let suspended = suspend(&mut server, &made.name).await.expect("suspended");
        assert_eq!((suspended.start_date.as_str(), suspended.end_date.as_str()), ("2026-03-23", ""));
        place.set_clock("2026-04-01T00:00:00Z");
        let again = activate(&mut server, &made.name).await.expect("activated");
        assert_eq!((again.state(), again.start_date.as_str()), (State::Active, "2026-03-23"), "it started once");
        place.set_clock("2026-05-01T12:00:00Z");
        let retired = retire(&mut server, &made.name, "").await.expect("retired");
        assert_eq!((retired.state(), retired.end_date.as_str()), (State::Retired, "2026-05-01"));
        assert_eq!(retired.uid, made.uid);
        // The list of a day, by the dates.
        for (day, listed) in [("2026-03-22", 0), ("2026-03-23", 1), ("2026-04-30", 1), ("2026-05-01", 0)] {
            let request = v1::ListSubprocessorsRequest {
                parent: ACME.into(), effective_at: day.into(), ..Default::default()
            };
            let list = server.subprocessors.list_subprocessors(request).await.expect("listed").into_inner();
            assert_eq!(list.subprocessors.len(), listed, "{day}");
        }
    }

    async fn dates_that_are_given_stay(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let planned = v1::Subprocessor { start_date: "2026-06-01".into(), end_date: "2027-06-01".into(), ..row("Planned") };
        let planned = engage(&mut server, "planned", planned).await.expect("created");
        let active = activate(&mut server, &planned.name).await.expect("activated");
        assert_eq!((active.start_date.as_str(), active.end_date.as_str()), ("2026-06-01", "2027-06-01"));
        let retired = retire(&mut server, &planned.name, "").await.expect("retired");
        assert_eq!(retired.end_date, "2027-06-01", "the end it had");
        for (id, end, expected) in [("given", "2026-12-31", "2026-12-31"), ("at-once", "2026-03-23", "2026-03-23")] {
            engage(&mut server, id, row(id)).await.expect("created");
            activate(&mut server, &name(id)).await.expect("activated");
            let retired = retire(&mut server, &name(id), end).await.expect("retired");
            assert_eq!(retired.end_date, expected);
        }
        // One given at the step is stronger than the one it has.
        let long = v1::Subprocessor { end_date: "2030-01-01".into(), ..row("Long") };
        engage(&mut server, "long", long).await.expect("created");
        activate(&mut server, &name("long")).await.expect("activated");
        assert_eq!(retire(&mut server, &name("long"), "2026-04-01").await.expect("retired").end_date, "2026-04-01");
    }

    async fn an_end_before_the_start_is_refused(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        engage(&mut server, "mail", row("Mail")).await.expect("created");
        activate(&mut server, &name("mail")).await.expect("activated");
        let revision = server.revision().await;
        for bad in ["2026-03-22", "0001-01-01"] {
            refused(retire(&mut server, &name("mail"), bad).await, Code::InvalidArgument, "FIELD_INVALID", &["end_date"]);
        }
        for bad in ["tomorrow", "2026-02-30", "2026-4-1", "2026-04-01T00:00:00Z", "0000-01-01"] {
            refused(retire(&mut server, &name("mail"), bad).await, Code::InvalidArgument, "FIELD_INVALID", &["end_date"]);
        }
        let later = v1::Subprocessor { start_date: "2026-06-01".into(), ..row("Later") };
        engage(&mut server, "later", later).await.expect("created");
        activate(&mut server, &name("later")).await.expect("activated");
        let status = refused(retire(&mut server, &name("later"), "").await, Code::InvalidArgument, "FIELD_INVALID", &["end_date"]);
        assert!(status.message().contains("2026-06-01"), "{status:?}");
        // And in the fields themselves.
        let bad = v1::Subprocessor { start_date: "2026-02-01".into(), end_date: "2026-01-31".into(), ..row("Bad") };
        refused(engage(&mut server, "bad", bad).await, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.end_date"]);
        let mail = v1::Subprocessor { name: name("mail"), end_date: "2026-03-22".into(), ..Default::default() };
        let answer = update_subprocessor(&mut server, mail, &["end_date"]).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.end_date"]);
        assert_eq!(server.revision().await, revision + 2);
    }

    async fn what_has_ended_is_not_put_into_use(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let ended = v1::Subprocessor {
            recorded_as_found: true, state: State::Suspended.into(), end_date: "2026-03-23".into(), ..row("Ended")
        };
        let ended = engage(&mut server, "ended", ended).await.expect("created");
        let status = refused(activate(&mut server, &ended.name).await, Code::FailedPrecondition, "STATE_TRANSITION_REFUSED", &[]);
        assert!(status.message().contains("2026-03-23"), "{status:?}");
        let open = v1::Subprocessor { end_date: String::new(), ..ended };
        let open = update_subprocessor(&mut server, open, &["end_date"]).await.expect("updated");
        assert_eq!(activate(&mut server, &open.name).await.expect("activated").state(), State::Active);
    }

    async fn one_that_engages_others_in_use_is_not_retired(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        engage(&mut server, "top", row("Top")).await.expect("created");
        activate(&mut server, &name("top")).await.expect("activated");
        for id in ["used", "paused", "proposed", "over"] {
            let below = v1::Subprocessor { engaged_by: name("top"), ..row(id) };
            engage(&mut server, id, below).await.expect("created");
        }
        for id in ["used", "paused", "over"] {
            activate(&mut server, &name(id)).await.expect("activated");
        }
        suspend(&mut server, &name("paused")).await.expect("suspended");
        retire(&mut server, &name("over"), "").await.expect("retired");
        let status = refused(retire(&mut server, &name("top"), "").await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        let mut named = preconditions(&status);
        named.sort();
        assert_eq!(named, [("REFERENCE".to_owned(), name("paused")), ("REFERENCE".to_owned(), name("used"))]);
        assert_eq!(suspend(&mut server, &name("top")).await.expect("suspended").state(), State::Suspended);
        retire(&mut server, &name("used"), "").await.expect("retired");
        refused(retire(&mut server, &name("top"), "").await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        retire(&mut server, &name("paused"), "").await.expect("retired");
        assert_eq!(retire(&mut server, &name("top"), "").await.expect("retired").state(), State::Retired);
    }

    async fn steps_have_the_usual_rules_of_writes(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let made = engage(&mut server, "mail", row("Mail")).await.expect("created");
        let tried = v1::ActivateRequest { name: made.name.clone(), validate_only: true, ..Default::default() };
        let would = server.subprocessors.activate(tried).await.expect("valid").into_inner();
        assert_eq!((would.state(), would.start_date.as_str()), (State::Active, "2026-03-23"));
        assert_eq!(get_subprocessor(&mut server, &made.name).await, made);
        let request = v1::ActivateRequest {
            name: made.name.clone(), etag: made.etag.clone(), request_id: "once".into(), ..Default::default()
        };
        let first = server.subprocessors.activate(request.clone()).await.expect("activated").into_inner();
        let second = server.subprocessors.activate(request.clone()).await.expect("remembered").into_inner();
        assert_eq!(first, second);
        let other = v1::ActivateRequest { etag: String::new(), ..request.clone() };
        refused(server.subprocessors.activate(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED", &[]);
        let stale = v1::SuspendRequest { name: made.name.clone(), etag: made.etag.clone(), ..Default::default() };
        refused(server.subprocessors.suspend(stale).await, Code::Aborted, "ETAG_STALE", &[]);
        let stale = v1::RetireRequest { name: made.name.clone(), etag: made.etag.clone(), ..Default::default() };
        refused(server.subprocessors.retire(stale).await, Code::Aborted, "ETAG_STALE", &[]);
        for bad in ["", "mail", "vendors/mail", "organizations/acme/subprocessors/-", "organizations/acme/subprocessors/A"] {
            refused(activate(&mut server, bad).await, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
            refused(suspend(&mut server, bad).await, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
            refused(retire(&mut server, bad, "").await, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
        }
        for missing in [name("nobody"), "organizations/nobody/subprocessors/mail".to_owned()] {
            refused(activate(&mut server, &missing).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
            refused(suspend(&mut server, &missing).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
            refused(retire(&mut server, &missing, "").await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        }
        let gone = v1::DeleteSubprocessorRequest { name: made.name.clone(), ..Default::default() };
        server.subprocessors.delete_subprocessor(gone).await.expect("deleted");
        refused(suspend(&mut server, &made.name).await, Code::FailedPrecondition, "RESOURCE_DELETED", &[]);
        let back = v1::UndeleteSubprocessorRequest { name: made.name.clone(), ..Default::default() };
        let back = server.subprocessors.undelete_subprocessor(back).await.expect("undeleted").into_inner();
        assert_eq!((back.state(), back.start_date.as_str()), (State::Active, "2026-03-23"));
    }
}
