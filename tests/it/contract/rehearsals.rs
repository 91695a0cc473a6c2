//! `validate_only` (AIP-163): it fails exactly when the live call would, answers what the live call would, and writes
//! nothing.

use std::fmt::Debug;

use prost::Message;
use subprocessor_registry::proto::v1;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use super::subject::{How, Writable, anonymous, each_labelled, mask};
use crate::support::{Server, both, fresh, organization, subprocessor, vendor};

const ACME: &str = "organizations/acme";
const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };

/// A refusal, as far as it must be the same.
#[derive(Debug, PartialEq)]
struct Refusal {
    code: Code,
    message: String,
    reason: String,
    fields: Vec<String>,
    preconditions: Vec<String>,
}

fn refusal(status: &Status) -> Refusal {
    let details = status.get_error_details();
    Refusal {
        code: status.code(),
        message: status.message().to_owned(),
        reason: details.error_info().map(|info| info.reason.clone()).unwrap_or_default(),
        fields: details.bad_request().iter().flat_map(|b| &b.field_violations).map(|v| v.field.clone()).collect(),
        preconditions: details
            .precondition_failure()
            .iter()
            .flat_map(|p| &p.violations)
            .map(|v| format!("{} {} {}", v.r#type, v.subject, v.description))
            .collect(),
    }
}

/// Compares what a dry run said with what happened. `made` counts what succeeded.
fn compare<T: Debug + PartialEq>(what: &str, dry: Result<T, Status>, live: Result<T, Status>, made: &mut usize) {
    match (dry, live) {
        (Ok(dry), Ok(live)) => {
            assert_eq!(dry, live, "{what}");
            *made += 1;
        }
        (Err(dry), Err(live)) => assert_eq!(refusal(&dry), refusal(&live), "{what}"),
        (dry, live) => panic!("{what}: dry {dry:?}, live {live:?}"),
    }
}

/// Every standard method in every situation: each call first dry, then live.
async fn rehearse<R: Writable>(server: &mut Server) {
    #[derive(Debug)]
    enum Call {
        Create(&'static str, &'static str),
        Update(&'static str, &'static str, &'static [&'static str]),
        Delete(&'static str, &'static str),
        Undelete(&'static str, &'static str),
    }
    use Call::{Create, Delete, Undelete, Update};
    let calls = [
        (Create("r", "One"), true),
        (Create("r", "One"), false),
        (Create("R", "One"), false),
        (Create("r2", ""), false),
        (Create("r2", "x\u{0}y"), false),
        (Create("r2", "  Two\n"), true),
        (Update("r", "New", &[]), true),
        (Update("r", "New", &[]), true),
        (Update("r", "", &["*"]), false),
        (Update("r", "X", &["nothing"]), false),
        (Update("none", "X", &[]), false),
        (Delete("r", "stale"), false),
        (Undelete("r", ""), false),
        (Delete("r", ""), true),
        (Delete("r", ""), false),
        (Update("r", "X", &[]), false),
        (Undelete("r", "stale"), false),
        (Undelete("r", ""), true),
        (Undelete("none", ""), false),
        (Delete("none", ""), false),
    ];
    for (call, expected) in calls {
        let before = server.revision().await;
        let mut answers = Vec::new();
        for how in [&How::dry(), &How::dry(), LIVE] {
            let answer = match &call {
                Create(id, label) => R::create(server, id, Some(R::sample(label)), ACME, how).await,
                Update(id, label, paths) => {
                    let sent = R::sample(label).with(&R::name(id), "");
                    R::update(server, Some(sent), mask(paths).filter(|m| !m.paths.is_empty()), how).await
                }
                Delete(id, etag) => R::delete(server, &R::name(id), etag, how).await,
                Undelete(id, etag) => R::undelete(server, &R::name(id), etag, how).await,
            };
            if how.validate_only {
                assert_eq!(server.revision().await, before, "{call:?} dry");
            }
            answers.push(answer.map(|message| anonymous(&message)));
        }
        let (live, dry) = (answers.pop().expect("live"), answers.pop().expect("dry"));
        let mut made = 0;
        compare(&format!("{} {call:?}", R::COLLECTION), dry, live, &mut made);
        assert_eq!(made == 1, expected, "{} {call:?}", R::COLLECTION);
    }
}

fn answer<T>(answer: Result<Response<T>, Status>) -> Result<T, Status> {
    answer.map(Response::into_inner)
}

both! {
    async fn a_dry_run_says_what_would_happen(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        each_labelled!(rehearse(&mut server));
    }

    async fn steps_manifests_and_erasures_are_rehearsed_too(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        vendor(&mut server, "aws").await;
        let policy = v1::NoticePolicy { enforcement: v1::notice_policy::Enforcement::Required.into(), ..Default::default() };
        let sent = v1::Organization { notice_policy: Some(policy), ..Default::default() }.with(ACME, "");
        v1::Organization::update(&mut server, Some(sent), None, LIVE).await.expect("updated");
        let one = v1::Subprocessor { display_name: "One".into(), vendor: "vendors/aws".into(), ..Default::default() };
        let name = subprocessor(&mut server, ACME, "one", one).await.expect("created").name;
        let over = Some(v1::Override { reason: "must".into(), approver: "dpo".into() });
        let bad = Some(v1::Override::default());
        let mut made = 0;
        for (n, (over, etag)) in [(None, ""), (bad, ""), (over.clone(), "stale"), (over.clone(), ""), (over, "")].into_iter().enumerate() {
            let before = server.revision().await;
            let request = v1::ActivateRequest { name: name.clone(), r#override: over, etag: etag.into(), ..Default::default() };
            let dry = answer(server.subprocessors.activate(v1::ActivateRequest { validate_only: true, ..request.clone() }).await);
            assert_eq!(server.revision().await, before);
            compare(&format!("Activate {n}"), dry, answer(server.subprocessors.activate(request).await), &mut made);
        }
        for n in 0..2 {
            let request = v1::SuspendRequest { name: name.clone(), ..Default::default() };
            let dry = answer(server.subprocessors.suspend(v1::SuspendRequest { validate_only: true, ..request.clone() }).await);
            compare(&format!("Suspend {n}"), dry, answer(server.subprocessors.suspend(request).await), &mut made);
        }
        for end in ["nonsense", "2020-01-01", "", ""] {
            let request = v1::RetireRequest { name: name.clone(), end_date: end.into(), ..Default::default() };
            let dry = answer(server.subprocessors.retire(v1::RetireRequest { validate_only: true, ..request.clone() }).await);
            compare(&format!("Retire {end}"), dry, answer(server.subprocessors.retire(request).await), &mut made);
        }
        assert_eq!(made, 3);
        for (manifest, works) in [
            ("", false),
            ("organization: {id: X}", false),
            ("organization: {id: m, display_name: M}\nsubprocessors: [{id: s, display_name: S, vendor: vendors/none}]", false),
            ("organization: {id: m, display_name: M}\nsubprocessors: [{id: s, display_name: S, vendor: vendors/aws}]", true),
            ("organization: {id: m, display_name: M}\nsubprocessors: [{id: s, display_name: S, vendor: vendors/aws}]", true),
            ("organization: {id: m, display_name: N}", true),
        ] {
            let before = server.revision().await;
            let request = v1::ApplyManifestRequest { manifest: manifest.into(), prune: true, ..Default::default() };
            let dry = answer(server.registry.apply_manifest(v1::ApplyManifestRequest { validate_only: true, ..request.clone() }).await);
            assert_eq!(server.revision().await, before);
            let live = answer(server.registry.apply_manifest(request).await);
            let mut done = 0;
            compare(manifest, dry.map(|r| r.plan), live.map(|r| r.plan), &mut done);
            assert_eq!(done == 1, works, "{manifest}");
        }
        for (name, reason, works) in [(name.as_str(), "", false), ("x", "asked", false), ("vendors/none", "asked", false), (name.as_str(), "asked", true)] {
            let before = server.revision().await;
            let request = v1::ErasePersonalDataRequest { name: name.into(), reason: reason.into(), ..Default::default() };
            let dry = answer(server.log.erase_personal_data(v1::ErasePersonalDataRequest { validate_only: true, ..request.clone() }).await);
            assert_eq!(server.revision().await, before);
            let live = answer(server.log.erase_personal_data(request).await);
            let mut done = 0;
            compare(&format!("erase {name}"), dry, live, &mut done);
            assert_eq!(done == 1, works, "{name} {reason}");
        }
        let check = server.log.verify_change_log(v1::VerifyChangeLogRequest::default()).await.expect("checked").into_inner();
        assert!(check.verified && check.encoded_len() > 0, "{check:?}");
    }
}
