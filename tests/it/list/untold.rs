//! What customers were not told of: neither a manifest, nor a deletion, nor a corrected state is a way past the notice.

use subprocessor_registry::proto::v1::{
    self,
    finding::{Kind, Severity},
    gate_record::{Gate, Outcome},
    notice_policy::Enforcement,
    subprocessor::State,
};
use tonic::{Code, Status};

use super::{ACME, engage, name, row};
use crate::support::{
    Server, apply, both, fresh, get_subprocessor, preconditions, refused, retire, update_subprocessor, violations,
};

/// The organization of a manifest whose policy is REQUIRED.
const ORGANIZATION: &str = "organization: {id: acme, display_name: ACME, notice_policy: {enforcement: REQUIRED}}\n";

fn manifest(row: &str) -> String {
    format!("{ORGANIZATION}subprocessors:\n  - {{id: dd, display_name: DD, {row}}}\n")
}

/// Applies a manifest and deletes what it does not have.
async fn prune(server: &mut Server, manifest: &str) {
    let request = v1::ApplyManifestRequest { manifest: manifest.into(), prune: true, ..Default::default() };
    server.registry.apply_manifest(request).await.expect("pruned");
}

async fn organization(server: &mut Server, policy: v1::NoticePolicy) {
    let organization =
        v1::Organization { display_name: "ACME".into(), notice_policy: Some(policy), ..Default::default() };
    let request = v1::CreateOrganizationRequest {
        organization_id: "acme".into(),
        organization: Some(organization),
        ..Default::default()
    };
    server.organizations.create_organization(request).await.expect("created");
}

fn enforced(enforcement: Enforcement) -> v1::NoticePolicy {
    v1::NoticePolicy { enforcement: enforcement.into(), ..Default::default() }
}

fn found(state: State) -> v1::Subprocessor {
    v1::Subprocessor {
        recorded_as_found: true,
        state: state.into(),
        purposes: vec!["logs".into()],
        ..row(state.as_str_name())
    }
}

/// Asserts that a manifest is refused for the gate of the notice, once for each part, and that nothing was written.
async fn held(server: &mut Server, manifest: &str, parts: &[&str]) {
    let revision = server.revision().await;
    let status = refused(apply(server, manifest).await, Code::InvalidArgument, "MANIFEST_INVALID", &[]);
    let named = violations(&status);
    let fits = named.len() == parts.len()
        && named.iter().zip(parts).all(|((path, rule), part)| {
            path == "subprocessors[0]"
                && rule.starts_with("line 3: the gate NOTICE_CLEARED is not met: ")
                && rule.contains(part)
                && rule.ends_with("or say that it corrects an error (`correction` of UpdateSubprocessor)")
        });
    assert!(fits, "{parts:?} in {named:#?}");
    assert_eq!(server.revision().await, revision);
}

/// Asserts that the gate of the notice refuses an update.
#[track_caller]
fn gated(answer: Result<v1::Subprocessor, Status>, part: &str) {
    let status = refused(answer, Code::FailedPrecondition, "GATE_REFUSED", &[]);
    let named = preconditions(&status);
    assert!(!named.is_empty() && named.iter().all(|(kind, _)| kind == "GATE_NOTICE_CLEARED"), "{status:?}");
    assert!(format!("{status:?}").contains(part), "{part} in {status:?}");
}

async fn corrected(server: &mut Server, message: v1::Subprocessor, paths: &[&str]) -> Result<v1::Subprocessor, Status> {
    let request = v1::UpdateSubprocessorRequest {
        subprocessor: Some(v1::Subprocessor { etag: String::new(), ..message }),
        update_mask: Some(prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        correction: Some(v1::Correction {
            reason: "it never ended".into(),
            approver: "dpo".into(),
            true_since_date: "2026-03-01".into(),
        }),
        ..Default::default()
    };
    server.subprocessors.update_subprocessor(request).await.map(tonic::Response::into_inner)
}

/// The gates that were not met when it was written, each with how it was passed.
fn records(one: &v1::Subprocessor) -> Vec<(Gate, Outcome)> {
    one.gate_records.iter().map(|record| (record.gate(), record.outcome())).collect()
}

both! {
    async fn what_is_brought_back_is_as_it_was_or_waits(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let narrow = manifest("recorded_as_found: true, state: ACTIVE, purposes: [logs], locations: [{region_code: DE}]");
        let wide = manifest(
            "recorded_as_found: true, state: ACTIVE, purposes: [logs, advertising], locations: [{region_code: DE}, {region_code: CN}]",
        );
        let widens = [
            "widens PURPOSE: announce it by a notice with a change of kind CHANGE_PURPOSE, ",
            "widens LOCATION: announce it by a notice with a change of kind CHANGE_LOCATION, ",
        ];
        apply(&mut server, &narrow).await.expect("applied");
        held(&mut server, &wide, &widens).await;
        prune(&mut server, ORGANIZATION).await;
        held(&mut server, &wide, &widens).await;
        apply(&mut server, &narrow).await.expect("as it was");
        assert_eq!(get_subprocessor(&mut server, &name("dd")).await.state(), State::Active);
        // Undelete brings it back as it was too.
        let gone = v1::DeleteSubprocessorRequest { name: name("dd"), ..Default::default() };
        server.subprocessors.delete_subprocessor(gone).await.expect("deleted");
        let back = v1::UndeleteSubprocessorRequest { name: name("dd"), ..Default::default() };
        let back = server.subprocessors.undelete_subprocessor(back).await.expect("undeleted").into_inner();
        assert_eq!((back.state(), records(&back)), (State::Active, vec![]));
        // What is over is not brought back into use.
        retire(&mut server, &name("dd"), "").await.expect("retired");
        prune(&mut server, ORGANIZATION).await;
        held(&mut server, &narrow, &["was off the list, and would be on it: engage it anew, under an id that"]).await;
        // Nor what was only proposed, also by way of what is off the list.
        let proposed = manifest("purposes: [logs, advertising]");
        apply(&mut server, &proposed).await.expect("proposed anew");
        prune(&mut server, ORGANIZATION).await;
        held(&mut server, &wide, &["is PROPOSED, and would be in use: announce it by a notice with a change of kind ADD, "]).await;
    }

    async fn a_corrected_state_is_no_way_past_the_notice(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, enforced(Enforcement::Required)).await;
        let made = engage(&mut server, "dd", found(State::Active)).await.expect("created");
        let with = |change: fn(&mut v1::Subprocessor)| {
            let mut message = v1::Subprocessor { name: name("dd"), ..Default::default() };
            change(&mut message);
            message
        };
        // It ends as by Retire, and is on the list until then.
        let over = update_subprocessor(&mut server, with(|s| s.set_state(State::Retired)), &["state"]).await.expect("retired");
        assert_eq!((over.state(), over.end_date.as_str()), (State::Retired, "2026-03-23"));
        let on = |day: &str| v1::ListSubprocessorsRequest { parent: ACME.into(), effective_at: day.into(), ..Default::default() };
        for (day, listed) in [("2026-03-22", 1), ("2026-03-23", 0)] {
            let list = server.subprocessors.list_subprocessors(on(day)).await.expect("listed").into_inner();
            assert_eq!(list.subprocessors.len(), listed, "{day}");
        }
        // Off the list it can be described as anybody likes, but not come back.
        let wide = with(|s| s.purposes = vec!["logs".into(), "advertising".into()]);
        update_subprocessor(&mut server, wide, &["purposes"]).await.expect("updated");
        let again = "was off the list, and would be on it";
        gated(update_subprocessor(&mut server, with(|s| s.set_state(State::Suspended)), &["state"]).await, again);
        gated(update_subprocessor(&mut server, with(|s| s.end_date = "2099-01-01".into()), &["end_date"]).await, again);
        let status = refused(
            update_subprocessor(&mut server, with(|s| s.set_state(State::Active)), &["state"]).await,
            Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.state"],
        );
        assert!(status.message().contains("correct it to SUSPENDED and use Activate, or "), "{status:?}");
        // An error is corrected at once, and found.
        let back = corrected(&mut server, with(|s| s.set_state(State::Suspended)), &["state"]).await.expect("corrected");
        assert_eq!((back.state(), back.end_date.as_str()), (State::Suspended, ""), "the end went with the state");
        let [record] = back.corrections.as_slice() else { panic!("one correction in {back:?}") };
        assert_eq!(record.widened, ["USE"]);
        assert!(record.fields.contains(&"state".to_owned()), "{record:?}");
        let request = v1::ListFindingsRequest { parent: ACME.into(), kinds: vec![Kind::CorrectionWidened.into()], ..Default::default() };
        assert_eq!(server.mechanisms.list_findings(request).await.expect("findings").into_inner().findings.len(), 1);
        // What was only proposed or announced does not get into use either.
        for (id, state) in [("p", State::Proposed), ("a", State::Announced), ("r", State::Rejected)] {
            let one = engage(&mut server, id, found(state)).await.expect("created");
            let mut asked = one.clone();
            asked.set_state(State::Suspended);
            gated(update_subprocessor(&mut server, asked, &["state"]).await, "(`correction` of UpdateSubprocessor)");
            assert_eq!(get_subprocessor(&mut server, &one.name).await, one);
        }
        // What will end is on the list until it does.
        let made = engage(&mut server, "long", v1::Subprocessor { section: "long".into(), ..made }).await.expect("created");
        let ending = retire(&mut server, &made.name, "2026-03-25").await.expect("retired");
        let wide = v1::Subprocessor { purposes: vec!["advertising".into()], ..ending };
        gated(update_subprocessor(&mut server, wide.clone(), &["purposes"]).await, "widens PURPOSE");
        place.set_clock("2026-03-25T00:00:00Z");
        update_subprocessor(&mut server, wide, &["purposes"]).await.expect("it is over");
    }

    async fn a_state_retires_as_retire_does(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, enforced(Enforcement::Advisory)).await;
        let top = engage(&mut server, "top", found(State::Active)).await.expect("created");
        let below = v1::Subprocessor { engaged_by: top.name.clone(), ..found(State::Suspended) };
        let below = engage(&mut server, "below", below).await.expect("created");
        let over = |one: &v1::Subprocessor| v1::Subprocessor { state: State::Retired.into(), ..one.clone() };
        let answer = update_subprocessor(&mut server, over(&top), &["state"]).await;
        refused(answer, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        update_subprocessor(&mut server, over(&below), &["state"]).await.expect("retired");
        update_subprocessor(&mut server, over(&top), &["state"]).await.expect("retired");
        // A manifest that does not say since when it is over says it once.
        let text = "organization: {id: acme, display_name: ACME}\nsubprocessors:\n  \
                    - {id: was, display_name: Was, recorded_as_found: true, state: RETIRED}\n";
        apply(&mut server, text).await.expect("applied");
        let was = get_subprocessor(&mut server, &name("was")).await;
        assert_eq!(was.end_date, "2026-03-23", "what is over is not on the list for ever");
        place.set_clock("2026-04-01T00:00:00Z");
        assert_eq!(apply(&mut server, text).await.expect("applied").plan, []);
        // Where gates only advise, coming back is written down, if there is somebody to tell.
        let promise = v1::NoticePolicy { notice_days: Some(30), ..Default::default() };
        let told = v1::Organization { name: ACME.into(), notice_policy: Some(promise), ..Default::default() };
        for promised in [false, true] {
            if promised {
                let request = v1::UpdateOrganizationRequest { organization: Some(told.clone()), ..Default::default() };
                server.organizations.update_organization(request).await.expect("promised");
            }
            let back = v1::Subprocessor { state: State::Suspended.into(), ..was.clone() };
            let back = update_subprocessor(&mut server, back, &["state"]).await.expect("corrected");
            let expected = if promised { vec![(Gate::NoticeCleared, Outcome::Advisory)] } else { vec![] };
            assert_eq!(records(&back), expected);
            retire(&mut server, &was.name, "").await.expect("retired");
        }
    }

    async fn what_is_found_after_the_register_began_is_found_out(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, enforced(Enforcement::Required)).await;
        let first = engage(&mut server, "first", found(State::Active)).await.expect("created");
        assert_eq!(records(&first), [], "entered on the day on which the register began");
        place.set_clock("2026-04-20T10:00:00Z");
        let since = |day: &str, one: v1::Subprocessor| v1::Subprocessor { start_date: day.into(), ..one };
        let passed = [(Gate::NoticeCleared, Outcome::Found)];
        for (id, one, expected) in [
            ("new", since("2026-04-10", found(State::Active)), &passed[..]),
            ("paused", since("2026-03-24", found(State::Suspended)), &passed),
            ("undated", found(State::Active), &passed),
            ("old", since("2026-03-23", found(State::Active)), &[]),
            ("older", since("2011-02-03", found(State::Active)), &[]),
            ("over", v1::Subprocessor { end_date: "2026-04-20".into(), ..found(State::Retired) }, &[]),
            ("idea", found(State::Proposed), &[]),
        ] {
            let one = v1::Subprocessor { section: id.into(), ..one };
            let made = engage(&mut server, id, one).await.expect("what is in use is written");
            assert_eq!(records(&made), expected, "{id}");
            // An update neither repeats nor loses it.
            let made = v1::Subprocessor { website_uri: "https://example.com".into(), ..made };
            let after = update_subprocessor(&mut server, made, &["website_uri"]).await.expect("updated");
            assert_eq!(records(&after), expected, "{id}");
        }
        let request = v1::ListFindingsRequest { parent: ACME.into(), kinds: vec![Kind::GateNotMet.into()], ..Default::default() };
        let findings = server.mechanisms.list_findings(request).await.expect("findings").into_inner().findings;
        let told: Vec<_> = findings.iter().map(|one| (one.subject.clone(), one.severity())).collect();
        assert_eq!(told, ["new", "paused", "undated"].map(|id| (name(id), Severity::Warning)));
        let text = "entered as found on 2026-04-20 past the gate NOTICE_CLEARED, which is still not met: in use since \
                    2026-04-10, after the register began (2026-03-23), and no notice announced it";
        assert_eq!(findings[0].text, text);
        assert!(findings[2].text.contains("entered on 2026-04-20 without a start_date, after"), "{findings:?}");
    }

    async fn where_nobody_is_to_be_told_nothing_is_found(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, enforced(Enforcement::Advisory)).await;
        place.set_clock("2026-04-20T10:00:00Z");
        let alone = engage(&mut server, "alone", found(State::Active)).await.expect("created");
        assert_eq!(records(&alone), []);
        let customer = v1::Customer { display_name: "C".into(), ..Default::default() };
        let request = v1::CreateCustomerRequest {
            parent: ACME.into(), customer_id: "c".into(), customer: Some(customer), ..Default::default()
        };
        server.organizations.create_customer(request).await.expect("created");
        let heard = engage(&mut server, "heard", found(State::Active)).await.expect("created");
        assert_eq!(records(&heard), [(Gate::NoticeCleared, Outcome::Found)]);
    }
}
