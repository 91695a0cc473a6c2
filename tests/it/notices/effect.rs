//! When changes take effect, for whom, and what holds them.

use subprocessor_registry::proto::v1::{
    self, Notice, NoticeChange, notice::State, notice_change::Kind, objection::Outcome, subprocessor::State as Stage,
};
use tonic::Code;

use super::scene::{
    ACME, Scene, add, at, change, customer, engagement, general, notice, preconditions, proposal, read, specific,
    together,
};
use crate::support::{activate, both, refused, update_subprocessor};

both! {
    async fn a_change_takes_effect_for_each_customer_when_it_is_cleared(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("fast", general(10, 5)).await;
        scene.customer("slow", general(30, 30)).await;
        scene.customer("strict", specific(30, 30)).await;
        let published = scene.announce_for("n", vec![add("aws")], "2026-04-10T12:00:00Z").await;
        assert_eq!((published.state(), published.recipient_count), (State::Published, 3));
        assert_eq!(read(published.earliest_effective_time.as_ref()), "2026-04-23T00:00:00Z");
        assert_eq!(scene.subprocessor("aws").await.state(), Stage::Announced);
        assert_eq!(scene.stands("n", "fast").await, ("PENDING".into(), "2026-03-29T00:00:00Z".into(), "2026-04-03T00:00:00Z".into()));

        scene.pass_to("2026-04-10T11:59:59Z");
        assert_eq!((scene.state("n").await, scene.status("n", "fast").await.as_str()), (State::Published, "DEEMED_AUTHORIZED"));
        assert_eq!(scene.list("2026-04-10", "").await, [""; 0]);

        scene.pass_to("2026-04-10T12:00:00Z");
        let after = scene.notice("n").await;
        assert_eq!((after.state(), read(after.effective_time.as_ref()).as_str()), (State::Effective, "2026-04-10T12:00:00Z"));
        let aws = scene.subprocessor("aws").await;
        assert_eq!((aws.state(), aws.start_date.as_str(), aws.held_back_count), (Stage::Active, "2026-04-10", 2));
        assert_eq!(aws.held_back, [customer("slow"), customer("strict")]);
        for (who, on_list) in [("", true), ("fast", true), ("slow", false), ("strict", false)] {
            assert_eq!(!scene.list("2026-04-10", who).await.is_empty(), on_list, "{who}");
        }
        assert_eq!(scene.for_customer("aws", "slow").await.state(), Stage::Announced);

        scene.pass_to("2026-04-23T00:00:00Z");
        assert_eq!(scene.subprocessor("aws").await.held_back, [customer("strict")]);
        assert_eq!(scene.status("n", "strict").await, "DEEMED_DENIED");
        assert_eq!(scene.for_customer("aws", "slow").await.state(), Stage::Active);

        // A later authorization cures what silence denied.
        scene.pass_to("2026-05-01T08:00:00Z");
        scene.authorize("n", "strict").await.expect("authorized");
        let aws = scene.subprocessor("aws").await;
        assert_eq!((aws.held_back.len(), aws.held_changes.len(), aws.held_back_count), (0, 0, 0));
        assert_eq!(scene.list("2026-05-01", "strict").await, ["aws"]);
    }

    async fn together_waits_for_all_and_is_held_while_one_objects(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("a", general(10, 5)).await;
        scene.customer("b", general(10, 5)).await;
        let message = Notice { requested_effective_time: Some(at("2026-04-05T00:00:00Z")), ..together(vec![add("aws")]) };
        scene.announce("n", message).await;
        scene.object("n", "b", "o").await.expect("lodged");
        scene.pass_to("2026-04-06T00:00:00Z");
        let held = scene.notice("n").await;
        assert_eq!(held.state(), State::Held);
        assert_eq!(held.hold_reasons, [format!("c1: {} is not cleared: OBJECTED", customer("b"))]);
        assert_eq!(scene.subprocessor("aws").await.state(), Stage::Announced);
        scene.resolve("n", "o", Outcome::ObjectionWithdrawn).await.expect("resolved");
        let after = scene.notice("n").await;
        assert_eq!((after.state(), after.hold_reasons.len()), (State::Effective, 0));
        let aws = scene.subprocessor("aws").await;
        assert_eq!((aws.state(), aws.start_date.as_str(), aws.held_back_count), (Stage::Active, "2026-04-06", 0));
    }

    async fn what_is_replaced_stays_for_those_held_back(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("fast", general(5, 5)).await;
        scene.customer("slow", general(30, 30)).await;
        scene.found("old", proposal("old")).await;
        let replace = NoticeChange { kind: Kind::Replace.into(), replaces: vec![engagement("old")], ..add("new") };
        scene.announce_for("n", vec![replace], "2026-04-01T00:00:00Z").await;
        scene.pass_to("2026-04-01T09:00:00Z");
        assert_eq!(scene.list("2026-04-01", "").await, ["new"]);
        assert_eq!(scene.list("2026-04-01", "fast").await, ["new"]);
        assert_eq!(scene.list("2026-04-01", "slow").await, ["old"]);
        let old = scene.subprocessor("old").await;
        assert_eq!((old.state(), old.end_date.as_str()), (Stage::Retired, "2026-04-01"));
        let kept = scene.for_customer("old", "slow").await;
        assert_eq!((kept.state(), kept.end_date.as_str()), (Stage::Active, ""));
        let request = v1::DiffSubprocessorsRequest {
            parent: ACME.into(),
            base_effective_at: "2026-03-31".into(),
            target_effective_at: "2026-04-01".into(),
            ..Default::default()
        };
        for (who, added, removed) in [("", 1, 1), ("fast", 1, 1), ("slow", 0, 0)] {
            let customer = if who.is_empty() { String::new() } else { customer(who) };
            let request = v1::DiffSubprocessorsRequest { customer, ..request.clone() };
            let diff = scene.server.subprocessors.diff_subprocessors(request).await.expect("a diff").into_inner();
            // The same vendor for the same purposes: for who has it, it is one engagement under another name.
            let changed = diff.renamed.len();
            assert_eq!((diff.added.len() + changed, diff.removed.len() + changed), (added, removed), "{who}: {diff:?}");
        }
        scene.pass_to("2026-04-23T00:00:00Z");
        assert_eq!(scene.list("2026-04-23", "slow").await, ["new"]);
        assert_eq!(scene.subprocessor("old").await.held_changes.len(), 0);
    }

    async fn what_widens_waits_and_what_does_not_does_not(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("c", general(30, 30)).await;
        let place = |code: &str| v1::Location { region_code: code.into(), ..Default::default() };
        scene.found("aws", v1::Subprocessor { locations: vec![place("DE"), place("US")], ..proposal("aws") }).await;
        let to = |codes: &[&str]| v1::Subprocessor { locations: codes.iter().map(|code| place(code)).collect(), ..Default::default() };
        scene.announce_for("less", vec![change(Kind::ChangeLocation, "aws", to(&["DE"]), &["locations"])], "").await;
        assert_eq!(scene.state("less").await, State::Effective);
        assert_eq!(scene.subprocessor("aws").await.locations.len(), 1);
        let more = scene.announce_for("more", vec![change(Kind::ChangeLocation, "aws", to(&["DE", "IE"]), &["locations"])], "2026-04-01T00:00:00Z").await;
        assert!(more.changes[0].waits);
        scene.pass_to("2026-04-02T00:00:00Z");
        assert_eq!(scene.state("more").await, State::Held);
        scene.pass_to("2026-04-23T00:00:00Z");
        assert_eq!(scene.state("more").await, State::Effective);
        assert_eq!(scene.subprocessor("aws").await.locations.len(), 2);
        let gone = NoticeChange { kind: Kind::Remove.into(), subprocessor: engagement("aws"), ..Default::default() };
        scene.announce_for("gone", vec![gone], "2026-05-01T00:00:00Z").await;
        scene.pass_to("2026-05-02T00:00:00Z");
        let aws = scene.subprocessor("aws").await;
        assert_eq!((aws.state(), aws.end_date.as_str()), (Stage::Retired, "2026-05-01"));
    }

    async fn what_still_applies_to_those_held_back_is_not_erased(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("fast", general(5, 5)).await;
        scene.customer("slow", general(30, 30)).await;
        scene.found("aws", proposal("aws")).await;
        let wider = v1::Subprocessor { purposes: vec!["Hosting".into(), "Analytics".into()], ..Default::default() };
        scene.announce_for("n", vec![change(Kind::ChangePurpose, "aws", wider, &["purposes"])], "2026-04-01T00:00:00Z").await;
        scene.pass_to("2026-04-01T09:00:00Z");
        assert_eq!(scene.subprocessor("aws").await.held_back, [customer("slow")]);
        let erase = |validate_only| v1::ErasePersonalDataRequest { name: engagement("aws"), reason: "asked".into(), validate_only, ..Default::default() };
        for validate_only in [true, false] {
            let named = preconditions(scene.server.log.erase_personal_data(erase(validate_only)).await, "NOTICE_REFUSED");
            assert_eq!((named.len(), named[0].0.as_str()), (1, notice("n").as_str()));
            assert!(named[0].1.contains("c1") && named[0].1.contains(&customer("slow")), "{named:?}");
        }
        assert_eq!(scene.for_customer("aws", "slow").await.purposes, ["Hosting"]);
        // Once it applies to everybody, nothing needs what was before.
        scene.authorize("n", "slow").await.expect("authorized");
        let erased = scene.server.log.erase_personal_data(erase(false)).await.expect("erased").into_inner();
        assert!(erased.versions_erased >= 2 && erased.current_version_kept, "{erased:?}");
        assert_eq!(scene.for_customer("aws", "slow").await.purposes, ["Hosting", "Analytics"]);
    }

    async fn what_must_wait_comes_about_through_a_notice_only(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("c", general(30, 30)).await;
        crate::support::subprocessor(&mut scene.server, ACME, "aws", proposal("aws")).await.expect("created");
        let named = preconditions(activate(&mut scene.server, &engagement("aws")).await, "GATE_REFUSED");
        assert_eq!(named.len(), 1, "{named:?}");
        assert!(named[0].1.starts_with("no published notice announces it"), "{named:?}");
        scene.announce_for("n", vec![NoticeChange { proposed: None, ..add("aws") }], "").await;
        let named = preconditions(activate(&mut scene.server, &engagement("aws")).await, "GATE_REFUSED");
        let waits = "c1: organizations/acme/customers/c is not cleared: PENDING, cleared at 2026-04-23T00:00:00Z if nobody objects";
        assert_eq!(named, [(customer("c"), waits.to_owned())]);
        scene.pass_to("2026-04-23T00:00:00Z");
        assert_eq!(scene.subprocessor("aws").await.state(), Stage::Active);
        assert_eq!(scene.state("n").await, State::Effective);

        let wider = v1::Subprocessor { purposes: vec!["Hosting".into(), "Analytics".into()], ..scene.subprocessor("aws").await };
        let named = preconditions(update_subprocessor(&mut scene.server, wider.clone(), &["purposes"]).await, "GATE_REFUSED");
        assert_eq!((named.len(), named[0].0.as_str()), (1, wider.name.as_str()));
        assert!(named[0].1.starts_with("widens PURPOSE: announce it by a notice with a change of kind CHANGE_PURPOSE"), "{named:?}");
        let request = v1::UpdateSubprocessorRequest {
            subprocessor: Some(v1::Subprocessor { etag: String::new(), ..wider.clone() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["purposes".into()] }),
            correction: Some(v1::Correction { reason: "was always so".into(), approver: "dpo".into(), true_since_date: "2026-04-25".into() }),
            ..Default::default()
        };
        refused(scene.server.subprocessors.update_subprocessor(request.clone()).await, Code::InvalidArgument, "FIELD_INVALID", &["correction.true_since_date"]);
        let correction = Some(v1::Correction { reason: "was always so".into(), approver: "dpo".into(), true_since_date: "2026-04-23".into() });
        let request = v1::UpdateSubprocessorRequest { correction, ..request };
        let corrected = scene.server.subprocessors.update_subprocessor(request).await.expect("corrected").into_inner();
        assert_eq!((corrected.corrections.len(), corrected.corrections[0].widened.as_slice()), (1, &["PURPOSE".to_owned()][..]));
        let named = preconditions(
            update_subprocessor(&mut scene.server, v1::Subprocessor { locations: vec![v1::Location { region_code: "US".into(), ..Default::default() }], ..wider.clone() }, &["locations"]).await,
            "GATE_REFUSED",
        );
        assert!(named[0].1.starts_with("widens LOCATION"), "{named:?}");
        // What narrows or renames waits for nobody.
        update_subprocessor(&mut scene.server, v1::Subprocessor { purposes: vec!["Hosting".into()], display_name: "Amazon".into(), ..wider }, &["purposes", "display_name"]).await.expect("narrowed");
    }

    async fn nothing_is_skipped_and_nothing_happens_twice_when_the_clock_jumps(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("c", general(10, 5)).await;
        scene.announce_for("n", vec![add("aws"), add("other")], "2026-05-01T00:00:00Z").await;
        scene.pass_to("2027-05-01T00:00:00Z");
        let before = scene.revision().await;
        let aws = scene.subprocessor("aws").await;
        assert_eq!((aws.state(), aws.start_date.as_str()), (Stage::Active, "2026-05-01"));
        let effective = scene.notice("n").await;
        assert_eq!(read(effective.effective_time.as_ref()), "2026-05-01T00:00:00Z");
        assert_eq!(scene.list("2026-04-30", "c").await, [""; 0]);
        assert_eq!(scene.list("2026-05-01", "c").await, ["aws", "other"]);
        scene.pass_to("2028-05-01T00:00:00Z");
        assert_eq!(scene.revision().await, before);
        // A silence, an effect: a revision each.
        let revisions = scene.server.log.list_revisions(v1::ListRevisionsRequest { filter: "principal = \"system\"".into(), ..Default::default() }).await.expect("revisions").into_inner();
        assert_eq!(revisions.revisions.len(), 2, "{:?}", revisions.revisions);
        assert_eq!(notice("n"), effective.name);
    }

    async fn an_effective_time_between_two_microseconds_stops_no_clock(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let finer = prost_types::Timestamp { nanos: 123_456_789, ..at("2026-04-01T08:00:00Z") };
        let message = Notice { changes: vec![add("aws")], requested_effective_time: Some(finer), ..Notice::default() };
        let published = scene.announce("fine", message).await;
        // What is finer than the registry's clock is let go.
        assert_eq!(read(published.requested_effective_time.as_ref()), "2026-04-01T08:00:00.123456Z");
        scene.announce_for("next", vec![add("gcp")], "2026-04-01T09:00:00Z").await;
        scene.pass_to("2026-04-02T00:00:00Z");
        let fine = scene.notice("fine").await;
        assert_eq!((fine.state(), read(fine.effective_time.as_ref()).as_str()), (State::Effective, "2026-04-01T08:00:00.123456Z"));
        assert_eq!(scene.state("next").await, State::Effective);
    }
}
