//! What is refused, by which rule, and that nothing of it remains.

use subprocessor_registry::proto::v1::{
    self, Notice, NoticeChange, notice::State, notice_change::Kind, subprocessor::State as Stage,
};
use tonic::{Code, Response};

use super::scene::{ACME, Scene, add, at, by, change, engagement, general, notice, preconditions, proposal, read};
use crate::support::{both, refused, violations};

fn located(codes: &[&str]) -> v1::Subprocessor {
    let place = |code: &&str| v1::Location { region_code: (*code).into(), ..Default::default() };
    v1::Subprocessor { locations: codes.iter().map(place).collect(), ..Default::default() }
}

fn with(changes: Vec<NoticeChange>) -> Notice {
    Notice { changes, ..Notice::default() }
}

both! {
    async fn a_draft_that_breaks_rules_is_refused_field_by_field(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.found("old", proposal("old")).await;
        let before = scene.revision().await;
        let bad = [
            (with(vec![]), vec!["notice.changes"]),
            (with(vec![NoticeChange { kind: 0, ..add("a") }]), vec!["notice.changes[0].kind"]),
            (with(vec![NoticeChange { kind: 77, ..add("a") }]), vec!["notice.changes[0].kind"]),
            (with(vec![NoticeChange { subprocessor: String::new(), ..add("a") }]), vec!["notice.changes[0].subprocessor"]),
            (with(vec![NoticeChange { subprocessor: "organizations/other/subprocessors/a".into(), ..add("a") }]), vec!["notice.changes[0].subprocessor"]),
            (with(vec![NoticeChange { proposed: None, ..add("a") }]), vec!["notice.changes[0].proposed"]),
            (with(vec![add("old")]), vec!["notice.changes[0].subprocessor"]),
            (with(vec![NoticeChange { kind: Kind::Replace.into(), ..add("a") }]), vec!["notice.changes[0].replaces"]),
            (with(vec![NoticeChange { kind: Kind::Replace.into(), replaces: vec![engagement("none")], ..add("a") }]), vec!["notice.changes[0].replaces[0]"]),
            (with(vec![NoticeChange { replaces: vec![engagement("old")], ..add("a") }]), vec!["notice.changes[0].replaces"]),
            (with(vec![change(Kind::ChangeLocation, "old", located(&["XX"]), &["locations"])]), vec!["notice.changes[0].proposed.locations[0].region_code"]),
            (with(vec![change(Kind::ChangeLocation, "old", located(&["US"]), &["purposes"])]), vec!["notice.changes[0].update_mask"]),
            (with(vec![change(Kind::ChangeLocation, "old", located(&["US"]), &["location"])]), vec!["notice.changes[0].update_mask"]),
            (with(vec![change(Kind::ChangeLocation, "nobody", located(&["US"]), &["locations"])]), vec!["notice.changes[0].subprocessor"]),
            (with(vec![change(Kind::ChangeScope, "old", v1::Subprocessor { products: vec!["none".into()], ..Default::default() }, &["products"])]), vec!["notice.changes[0].proposed.products[0]"]),
            (with(vec![change(Kind::Remove, "old", located(&["US"]), &[])]), vec!["notice.changes[0].proposed"]),
            (with(vec![NoticeChange { proposed: Some(v1::Subprocessor { recorded_as_found: true, state: Stage::Active.into(), ..proposal("a") }), ..add("a") }]), vec!["notice.changes[0].proposed.state", "notice.changes[0].proposed.recorded_as_found"]),
            (with(vec![NoticeChange { change_id: "x".into(), ..add("a") }, NoticeChange { change_id: "x".into(), ..add("b") }]), vec!["notice.changes[1].change_id"]),
            (Notice { sender_vendor: "vendors/aws".into(), ..with(vec![add("a")]) }, vec!["notice.sender_vendor"]),
            (Notice { emergency: Some(v1::Emergency::default()), ..with(vec![add("a")]) }, vec!["notice.emergency.reason", "notice.emergency.approver"]),
            (Notice { inbound: true, ..with(vec![]) }, vec!["notice.sender_vendor"]),
            (Notice { inbound: true, sender_vendor: "vendors/aws".into(), ..with(vec![NoticeChange { kind: Kind::Add.into(), ..Default::default() }]) }, vec!["notice.changes[0].subprocessor"]),
        ];
        for (message, fields) in bad {
            let answer = scene.create("n", message.clone()).await;
            let status = answer.expect_err("a refusal");
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
            let mut named: Vec<String> = violations(&status).into_iter().map(|(field, _)| field).collect();
            named.dedup();
            assert_eq!(named, fields, "{message:?}: {status:?}");
        }
        assert_eq!(scene.revision().await, before);
    }

    async fn nobody_approves_what_he_wrote_and_nothing_is_published_unapproved(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.create("n", with(vec![add("aws")])).await.expect("created");
        preconditions(scene.publish("n").await, "STATE_TRANSITION_REFUSED");
        let approve = |who: &str| by(who, v1::ApproveNoticeRequest { name: notice("n"), ..Default::default() });
        let own = scene.server.notices.approve_notice(approve("author")).await;
        let named = preconditions(own, "NOTICE_REFUSED");
        assert!(named[0].1.starts_with("author wrote it"), "{named:?}");
        let nobody = v1::ApproveNoticeRequest { name: notice("n"), ..Default::default() };
        let named = preconditions(scene.server.notices.approve_notice(nobody).await, "NOTICE_REFUSED");
        assert!(named[0].1.contains("anonymous can be anybody: say who you are"), "{named:?}");
        // Who changes it has written it too, and what was approved is a draft again.
        assert_eq!(scene.approve("n").await.expect("approved").approver, "approver");
        let update = v1::UpdateNoticeRequest {
            notice: Some(Notice { name: notice("n"), title: "other".into(), ..Notice::default() }),
            ..Default::default()
        };
        let changed = scene.server.notices.update_notice(by("approver", update)).await.expect("changed").into_inner();
        assert_eq!((changed.state(), changed.approver.as_str(), changed.authors.len()), (State::Draft, "", 2));
        preconditions(scene.approve("n").await, "NOTICE_REFUSED");
        scene.server.notices.approve_notice(approve("third")).await.expect("approved");
        preconditions(scene.approve("n").await, "STATE_TRANSITION_REFUSED");
        scene.publish("n").await.expect("published");
        preconditions(scene.publish("n").await, "STATE_TRANSITION_REFUSED");
        // Nothing that was published is edited or deleted.
        let update = v1::UpdateNoticeRequest {
            notice: Some(Notice { name: notice("n"), title: "third".into(), ..Notice::default() }),
            ..Default::default()
        };
        preconditions(scene.server.notices.update_notice(update).await, "STATE_TRANSITION_REFUSED");
        let delete = v1::DeleteNoticeRequest { name: notice("n"), ..Default::default() };
        preconditions(scene.server.notices.delete_notice(delete).await, "STATE_TRANSITION_REFUSED");
    }

    async fn one_who_may_approve_himself_may(backend: Backend) {
        use v1::notice_policy::Enforcement;
        let policy = v1::NoticePolicy { enforcement: Enforcement::Required.into(), four_eyes: Some(false), ..Default::default() };
        let mut scene = Scene::with(backend, policy).await;
        scene.create("n", with(vec![add("aws")])).await.expect("created");
        let approve = v1::ApproveNoticeRequest { name: notice("n"), ..Default::default() };
        scene.server.notices.approve_notice(by("author", approve)).await.expect("approved");
    }

    async fn one_open_notice_for_each_subprocessor(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("c", general(30, 30)).await;
        scene.found("old", proposal("old")).await;
        let first = change(Kind::ChangeLocation, "old", located(&["US"]), &["locations"]);
        scene.announce_for("first", vec![NoticeChange { change_id: "place".into(), ..first }, add("aws")], "").await;
        let second = change(Kind::ChangePurpose, "old", v1::Subprocessor { purposes: vec!["Mail".into()], ..Default::default() }, &["purposes"]);
        scene.create("second", with(vec![second])).await.expect("created");
        scene.approve("second").await.expect("approved");
        let named = preconditions(scene.publish("second").await, "NOTICE_REFUSED");
        assert_eq!(named, [(notice("first"), format!("{} is open and has a change of {}; withdraw that change first", notice("first"), engagement("old")))]);
        // A change is withdrawn; the other one stands.
        refused(scene.withdraw("first", &["none"]).await, Code::InvalidArgument, "FIELD_INVALID", &["change_ids[0]"]);
        scene.object("first", "c", "o").await.expect("lodged");
        let partly = scene.withdraw("first", &["place"]).await.expect("withdrawn");
        assert_eq!((partly.state(), partly.changes[0].withdraw_time.is_some(), partly.changes[1].withdraw_time.is_some()), (State::Published, true, false));
        scene.publish("second").await.expect("published");
        let request = v1::GetObjectionRequest { name: format!("{}/objections/o", notice("first")), as_of: None };
        let open = scene.server.notices.get_objection(request.clone()).await.expect("an objection").into_inner();
        assert_eq!(open.state(), v1::objection::State::Open, "it is against the other change too");
        let gone = scene.withdraw("first", &[]).await.expect("withdrawn");
        assert_eq!(gone.state(), State::Withdrawn);
        assert_eq!(scene.subprocessor("aws").await.state(), Stage::Proposed);
        let closed = scene.server.notices.get_objection(request).await.expect("an objection").into_inner();
        assert_eq!((closed.state(), closed.outcome()), (v1::objection::State::Closed, v1::objection::Outcome::ChangeWithdrawn));
        preconditions(scene.withdraw("first", &[]).await, "STATE_TRANSITION_REFUSED");
        preconditions(scene.authorize("first", "c").await, "STATE_TRANSITION_REFUSED");
        scene.pass_to("2026-05-01T00:00:00Z");
        assert_eq!(scene.subprocessor("old").await.purposes, ["Mail"]);
        preconditions(scene.withdraw("second", &[]).await, "STATE_TRANSITION_REFUSED");
    }

    async fn what_is_announced_is_kept_until_it_takes_effect(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("c", general(30, 30)).await;
        let proposed = v1::Subprocessor { products: vec!["eu".into()], ..proposal("aws") };
        scene.announce_for("n", vec![NoticeChange { proposed: Some(proposed), ..add("aws") }], "").await;
        let delete = v1::DeleteSubprocessorRequest { name: engagement("aws"), ..Default::default() };
        let named = preconditions(scene.server.subprocessors.delete_subprocessor(delete).await, "RESOURCE_IN_USE");
        assert_eq!(named[0].0, notice("n"));
        // A product that is announced stays.
        let keep = v1::Product { product_id: "us".into(), display_name: "US".into(), ..Default::default() };
        let organization = v1::Organization { name: ACME.into(), products: vec![keep], ..Default::default() };
        let update = v1::UpdateOrganizationRequest { organization: Some(organization), ..Default::default() };
        let named = preconditions(scene.server.organizations.update_organization(update).await, "RESOURCE_IN_USE");
        assert!(named.iter().any(|(subject, _)| *subject == notice("n")), "{named:?}");
        // What was announced is not made more of meanwhile.
        let wider = v1::Subprocessor { products: vec![], ..scene.subprocessor("aws").await };
        let named = preconditions(crate::support::update_subprocessor(&mut scene.server, wider, &["products"]).await, "GATE_REFUSED");
        assert!(named[0].1.starts_with("widens SCOPE"), "{named:?}");
    }

    async fn a_gate_that_is_not_met_holds_until_it_is(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let proposed = v1::Subprocessor { dpa: None, ..proposal("aws") };
        scene.announce_for("n", vec![NoticeChange { proposed: Some(proposed), ..add("aws") }], "2026-04-01T00:00:00Z").await;
        scene.pass_to("2026-04-01T00:00:00Z");
        let held = scene.notice("n").await;
        assert_eq!((held.state(), held.hold_reasons.len()), (State::Held, 1));
        assert!(held.hold_reasons[0].starts_with("c1: no data processing agreement is in force on 2026-04-01"), "{:?}", held.hold_reasons);
        let request = v1::ListFindingsRequest { parent: ACME.into(), kinds: vec![v1::finding::Kind::NoticeHeld.into()], ..Default::default() };
        let found = scene.server.mechanisms.list_findings(request.clone()).await.expect("findings").into_inner().findings;
        assert_eq!((found.len(), found[0].subject.as_str(), found[0].since_date.as_str()), (1, notice("n").as_str(), "2026-04-01"));
        scene.pass_to("2026-04-03T10:00:00Z");
        let before = scene.revision().await;
        assert_eq!(scene.state("n").await, State::Held);
        let signed = v1::Subprocessor { dpa: proposal("aws").dpa, ..scene.subprocessor("aws").await };
        crate::support::update_subprocessor(&mut scene.server, signed, &["dpa"]).await.expect("signed");
        assert_eq!(scene.state("n").await, State::Effective);
        let aws = scene.subprocessor("aws").await;
        assert_eq!((aws.state(), aws.start_date.as_str()), (Stage::Active, "2026-04-03"));
        assert_eq!(scene.revision().await, before + 2, "the agreement, and the effect");
        assert_eq!(scene.server.mechanisms.list_findings(request).await.expect("findings").into_inner().findings.len(), 0);
    }

    async fn an_emergency_takes_effect_at_once_where_that_is_allowed(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("allows", v1::Agreement { emergency_allowed: true, ..general(30, 30) }).await;
        scene.customer("waits", general(30, 30)).await;
        let emergency = Some(v1::Emergency { reason: "the old one is down".into(), approver: "cto".into() });
        scene.announce("n", Notice { emergency, ..with(vec![add("aws")]) }).await;
        assert_eq!(scene.state("n").await, State::Effective);
        assert_eq!(scene.list("2026-03-23", "allows").await, ["aws"]);
        assert_eq!(scene.list("2026-03-23", "waits").await, [""; 0]);
        assert_eq!(scene.status("n", "allows").await, "PENDING");
        scene.pass_to("2026-04-23T00:00:00Z");
        assert_eq!(scene.list("2026-04-23", "waits").await, ["aws"]);
    }

    async fn the_public_promise_is_kept_also_without_a_customer(backend: Backend) {
        use v1::notice_policy::Enforcement;
        let policy = v1::NoticePolicy { enforcement: Enforcement::Required.into(), notice_days: Some(14), ..Default::default() };
        let mut scene = Scene::with(backend, policy).await;
        scene.announce_for("n", vec![add("aws")], "2026-03-30T00:00:00Z").await;
        scene.pass_to("2026-04-06T23:59:59Z");
        assert_eq!(scene.subprocessor("aws").await.state(), Stage::Announced);
        scene.pass_to("2026-04-07T00:00:00Z");
        assert_eq!((scene.subprocessor("aws").await.state(), scene.state("n").await), (Stage::Active, State::Effective));
    }

    async fn an_advisory_policy_holds_nothing_and_leaves_findings(backend: Backend) {
        use v1::notice_policy::Enforcement;
        let policy = v1::NoticePolicy { enforcement: Enforcement::Advisory.into(), ..Default::default() };
        let mut scene = Scene::with(backend, policy).await;
        scene.customer("c", general(30, 30)).await;
        scene.announce_for("n", vec![add("aws")], "2026-03-30T00:00:00Z").await;
        scene.announce_for("whenever", vec![add("other")], "").await;
        scene.pass_to("2026-03-30T00:00:00Z");
        let aws = scene.subprocessor("aws").await;
        assert_eq!((aws.state(), aws.held_back_count), (Stage::Active, 0));
        let advised = vec![(v1::gate_record::Gate::NoticeCleared, v1::gate_record::Outcome::Advisory)];
        assert_eq!(aws.gate_records.iter().map(|one| (one.gate(), one.outcome())).collect::<Vec<_>>(), advised);
        assert_eq!(scene.subprocessor("other").await.state(), Stage::Announced, "it may wait, for nobody said when it is to be");
        let request = v1::ListFindingsRequest { parent: ACME.into(), kinds: vec![v1::finding::Kind::GateNotMet.into()], ..Default::default() };
        let found = scene.server.mechanisms.list_findings(request).await.expect("findings").into_inner().findings;
        assert_eq!(found.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>(), [engagement("aws")]);
        scene.pass_to("2026-04-23T00:00:00Z");
        assert_eq!(scene.subprocessor("other").await.gate_records.len(), 0);
    }

    async fn a_preview_answers_without_writing(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        for id in ["fast", "slow"] {
            scene.customer(id, if id == "fast" { general(5, 5) } else { general(30, 30) }).await;
        }
        scene.customer_as("gone", v1::Customer { end_date: "2026-03-01".into(), ..Default::default() }).await;
        let before = scene.revision().await;
        let message = Notice { title: "t".into(), requested_effective_time: Some(at("2026-04-01T00:00:00Z")), ..with(vec![add("aws")]) };
        let request = v1::PreviewNoticeRequest { parent: ACME.into(), notice: Some(message), page_size: 2, ..Default::default() };
        let first = scene.server.notices.preview_notice(request.clone()).await.expect("a preview").into_inner();
        assert_eq!((first.recipient_count, first.held_back_count, first.customers.len()), (2, 1, 2));
        assert_eq!(read(first.earliest_effective_time.as_ref()), "2026-04-23T00:00:00Z");
        let rest = v1::PreviewNoticeRequest { page_token: first.next_page_token.clone(), ..request.clone() };
        let rest = scene.server.notices.preview_notice(rest).await.expect("a page").into_inner();
        assert_eq!((rest.customers.len(), rest.next_page_token.as_str()), (1, ""));
        let all: Vec<_> = first.customers.iter().chain(&rest.customers).collect();
        let seen: Vec<_> = all.iter().map(|one| (one.customer.rsplit('/').next().unwrap(), one.reached, one.held_back_change_ids.len())).collect();
        assert_eq!(seen, [("fast", true, 0), ("gone", false, 0), ("slow", true, 1)]);
        assert!(all[1].reason.starts_with("its agreement ended"), "{}", all[1].reason);
        let past = v1::PreviewNoticeRequest { publish_time: Some(at("2026-03-22T00:00:00Z")), ..request.clone() };
        refused(scene.server.notices.preview_notice(past).await, Code::InvalidArgument, "FIELD_INVALID", &["publish_time"]);
        let both = v1::PreviewNoticeRequest { name: notice("n"), ..request };
        refused(scene.server.notices.preview_notice(both).await.map(Response::into_inner), Code::InvalidArgument, "FIELD_INVALID", &["name"]);
        assert_eq!(scene.revision().await, before);
    }

    async fn nothing_is_brought_in_twice_by_one_notice(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.found("old", proposal("old")).await;
        let replace = NoticeChange { kind: Kind::Replace.into(), replaces: vec![engagement("old")], ..add("a") };
        let transfer = |note: &str| v1::ProposedTransfer {
            transfer_id: "t".into(),
            transfer: Some(v1::Transfer {
                regime: v1::Regime::EuGdpr.into(),
                exporter: "customers".into(),
                exporter_area: v1::ExporterArea::Eu.into(),
                exporter_role: v1::Role::Controller.into(),
                importer: engagement("old"),
                importer_role: v1::Role::SubProcessor.into(),
                destination_region_codes: vec!["US".into()],
                importer_scope: note.into(),
                ..Default::default()
            }),
        };
        let moved = |id: &str, note: &str| NoticeChange { proposed_transfers: vec![transfer(note)], ..add(id) };
        for (changes, field) in [
            (vec![add("a"), add("a")], "notice.changes[1].subprocessor"),
            (vec![add("a"), add("b"), replace], "notice.changes[2].subprocessor"),
            (vec![moved("a", "one"), moved("b", "another")], "notice.changes[1].proposed_transfers[0].transfer_id"),
        ] {
            refused(scene.create("n", with(changes)).await, Code::InvalidArgument, "FIELD_INVALID", &[field]);
        }
        // One subprocessor may change in several ways, and a transfer may serve two.
        let place = change(Kind::ChangeLocation, "old", located(&["US"]), &["locations"]);
        let purpose = change(Kind::ChangePurpose, "old", v1::Subprocessor { purposes: vec!["Mail".into()], ..Default::default() }, &["purposes"]);
        scene.announce_for("n", vec![place, purpose, moved("a", "one"), moved("b", "one")], "").await;
    }
}
