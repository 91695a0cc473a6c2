//! What recipients say, and what follows.

use subprocessor_registry::proto::v1::{
    self, Agreement,
    agreement::{ClockStart, NoticeMethod, UnresolvedObjection},
    delivery_receipt::Kind as Receipt,
    objection::Outcome,
    subprocessor::State as Stage,
};
use tonic::Code;

use super::scene::{Scene, add, at, customer, general, notice, preconditions, read, specific};
use crate::support::{both, refused};

both! {
    async fn an_objection_blocks_until_it_is_resolved_and_a_late_one_does_not(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        for id in ["a", "b", "c"] {
            scene.customer(id, general(30, 5)).await;
        }
        scene.announce_for("n", vec![add("aws")], "2026-05-01T00:00:00Z").await;
        scene.pass_to("2026-03-28T23:59:59Z");
        let objection = scene.object("n", "a", "in-time").await.expect("lodged");
        assert_eq!((objection.late, objection.change_ids.as_slice()), (false, &["c1".to_owned()][..]));
        assert_eq!(scene.status("n", "a").await, "OBJECTED");
        let named = preconditions(scene.authorize("n", "a").await, "NOTICE_REFUSED");
        assert_eq!(named[0].0, customer("a"));
        preconditions(scene.object("n", "a", "again").await, "NOTICE_REFUSED");
        scene.pass_to("2026-03-29T00:00:00Z");
        assert!(scene.object("n", "b", "late").await.expect("lodged").late);
        assert_eq!(scene.status("n", "b").await, "DEEMED_AUTHORIZED");
        // A letter that came in time is in time, whenever it is recorded.
        let letter = scene.object_at("n", "c", "letter", Some(at("2026-03-28T10:00:00Z"))).await.expect("lodged");
        assert_eq!((letter.late, scene.status("n", "c").await.as_str()), (false, "OBJECTED"));
        scene.pass_to("2026-05-01T00:00:00Z");
        assert_eq!(scene.subprocessor("aws").await.held_back, [customer("a"), customer("c")]);
        scene.resolve("n", "in-time", Outcome::AlternativeAccepted).await.expect("resolved");
        assert_eq!(scene.status("n", "a").await, "AUTHORIZED");
        let named = preconditions(scene.resolve("n", "letter", Outcome::ChangeWithdrawn).await, "NOTICE_REFUSED");
        assert_eq!(named[0].0, notice("n"));
        scene.resolve("n", "letter", Outcome::CustomerTerminated).await.expect("resolved");
        assert_eq!(scene.status("n", "c").await, "RELEASED");
        preconditions(scene.resolve("n", "letter", Outcome::NoGrounds).await, "STATE_TRANSITION_REFUSED");
        assert_eq!(scene.subprocessor("aws").await.held_back_count, 0);
    }

    async fn a_right_to_terminate_runs_out(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let agreement = Agreement { unresolved_objection: UnresolvedObjection::TerminationRight.into(), resolution_days: Some(20), ..general(10, 5) };
        scene.customer("a", agreement).await;
        scene.announce_for("n", vec![add("aws")], "2026-04-05T00:00:00Z").await;
        scene.pass_to("2026-03-25T10:00:00Z");
        let objection = scene.object("n", "a", "o").await.expect("lodged");
        assert_eq!(read(objection.termination_right_end_time.as_ref()), "2026-04-15T00:00:00Z");
        scene.pass_to("2026-04-14T23:59:59Z");
        assert_eq!(scene.subprocessor("aws").await.state(), Stage::Announced);
        scene.pass_to("2026-04-15T00:00:00Z");
        assert_eq!(scene.subprocessor("aws").await.state(), Stage::Active);
        assert_eq!(scene.stands("n", "a").await.0, "OBJECTED");
        assert_eq!(scene.list("2026-04-15", "a").await, ["aws"]);
    }

    async fn a_specific_authorization_is_given_by_words_only(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        for id in ["says-yes", "says-no", "silent"] {
            scene.customer(id, specific(30, 30)).await;
        }
        scene.customer("general", general(30, 30)).await;
        scene.announce_for("n", vec![add("aws")], "2026-05-01T00:00:00Z").await;
        scene.pass_to("2026-04-22T23:59:59Z");
        scene.authorize("n", "says-yes").await.expect("authorized");
        scene.deny("n", "says-no").await.expect("denied");
        preconditions(scene.deny("n", "general").await, "NOTICE_REFUSED");
        scene.pass_to("2026-05-01T00:00:00Z");
        for (who, status) in [("says-yes", "AUTHORIZED"), ("says-no", "DENIED"), ("silent", "DEEMED_DENIED"), ("general", "DEEMED_AUTHORIZED")] {
            assert_eq!(scene.status("n", who).await, status, "{who}");
        }
        assert_eq!(scene.subprocessor("aws").await.held_back, [customer("says-no"), customer("silent")]);
        preconditions(scene.deny("n", "says-yes").await, "NOTICE_REFUSED");
        scene.authorize("n", "says-no").await.expect("authorized");
        assert_eq!(scene.list("2026-05-01", "says-no").await, ["aws"]);
        assert_eq!(scene.list("2026-05-01", "silent").await, [""; 0]);
    }

    async fn clocks_start_as_agreed_and_a_bounce_is_no_notice(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let email = |start: ClockStart| Agreement { notice_method: NoticeMethod::EmailToContacts.into(), clock_start: start.into(), ..general(10, 10) };
        scene.customer("sent", email(ClockStart::Sent)).await;
        scene.customer("delivered", email(ClockStart::Delivered)).await;
        scene.customer("published", email(ClockStart::Published)).await;
        let published = scene.announce_for("n", vec![add("aws")], "").await;
        assert_eq!(published.earliest_effective_time, None, "nobody knows when the others are told");
        assert_eq!(scene.stands("n", "published").await.2, "2026-04-03T00:00:00Z");
        for who in ["sent", "delivered"] {
            assert_eq!(scene.stands("n", who).await, ("PENDING".into(), String::new(), String::new()), "{who}");
        }
        scene.pass_to("2026-03-25T09:00:00Z");
        for who in ["sent", "delivered"] {
            scene.record("n", who, Receipt::Sent, None).await.expect("recorded");
        }
        assert_eq!(scene.stands("n", "sent").await.2, "2026-04-05T00:00:00Z");
        assert_eq!(scene.stands("n", "delivered").await.2, "");
        scene.record("n", "sent", Receipt::Bounced, None).await.expect("recorded");
        assert_eq!(scene.stands("n", "sent").await.2, "");
        scene.pass_to("2026-03-27T09:00:00Z");
        refused(scene.record("n", "sent", Receipt::Sent, Some(at("2026-03-27T09:00:01Z"))).await, Code::InvalidArgument, "FIELD_INVALID", &["event_time"]);
        refused(scene.record("n", "sent", Receipt::Sent, Some(at("2026-03-23T09:59:59Z"))).await, Code::InvalidArgument, "FIELD_INVALID", &["event_time"]);
        let told = scene.record("n", "sent", Receipt::Sent, Some(at("2026-03-26T09:00:00Z"))).await.expect("recorded");
        assert_eq!((told.receipts.len(), read(told.send_time.as_ref()).as_str()), (3, "2026-03-26T09:00:00Z"));
        assert_eq!(scene.stands("n", "sent").await.2, "2026-04-06T00:00:00Z");
        let request = v1::AcknowledgeNoticeRequest { name: notice("n"), customer: customer("delivered"), ..Default::default() };
        scene.server.notices.acknowledge_notice(request).await.expect("acknowledged");
        assert_eq!(scene.stands("n", "delivered").await.2, "2026-04-07T00:00:00Z");
        preconditions(scene.record("n", "delivered", Receipt::Bounced, None).await, "NOTICE_REFUSED");
        scene.pass_to("2026-04-06T00:00:00Z");
        preconditions(scene.record("n", "sent", Receipt::Bounced, None).await, "NOTICE_REFUSED");
        assert_eq!(scene.subprocessor("aws").await.held_back, [customer("delivered")]);
    }

    async fn who_joins_is_told_and_for_who_leaves_nothing_waits(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("stays", general(10, 5)).await;
        let leaves = scene.customer("leaves", specific(30, 30)).await;
        scene.announce_for("n", vec![add("aws")], "2026-05-01T00:00:00Z").await;
        scene.pass_to("2026-04-20T00:00:00Z");
        scene.customer("joins", general(30, 30)).await;
        scene.customer("knows", Agreement { accepted_list_date: "2026-05-01".into(), ..general(30, 30) }).await;
        assert_eq!(scene.notice("n").await.recipient_count, 3);
        assert_eq!(scene.stands("n", "joins").await.2, "2026-05-21T00:00:00Z");
        // What was agreed later does not move a clock that runs.
        let stays = v1::Customer { agreement: Some(general(300, 300)), name: customer("stays"), ..Default::default() };
        scene.update_customer(stays, &["agreement"]).await;
        assert_eq!(scene.stands("n", "stays").await.2, "2026-04-03T00:00:00Z");
        scene.update_customer(v1::Customer { end_date: "2026-04-25".into(), ..leaves }, &["end_date"]).await;
        assert_eq!(scene.status("n", "leaves").await, "PENDING");
        scene.pass_to("2026-04-24T23:59:59Z");
        assert_eq!(scene.status("n", "leaves").await, "DEEMED_DENIED");
        scene.pass_to("2026-04-25T00:00:00Z");
        assert_eq!(scene.status("n", "leaves").await, "RELEASED");
        scene.pass_to("2026-05-01T00:00:00Z");
        assert_eq!(scene.subprocessor("aws").await.held_back, [customer("joins")]);
        assert_eq!(scene.list("2026-05-01", "knows").await, ["aws"]);
    }

    async fn without_a_right_to_object_an_objection_is_late_also_before_the_clock_starts(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let agreement = Agreement { notice_method: NoticeMethod::EmailToContacts.into(), ..general(10, 0) };
        scene.customer("a", agreement).await;
        scene.announce_for("n", vec![add("aws")], "").await;
        assert!(scene.object("n", "a", "o").await.expect("lodged").late);
        assert_eq!(scene.status("n", "a").await, "PENDING");
        scene.record("n", "a", Receipt::Sent, None).await.expect("recorded");
        assert_eq!(scene.stands("n", "a").await, ("DEEMED_AUTHORIZED".into(), String::new(), "2026-04-03T00:00:00Z".into()));
    }

    async fn an_objection_does_not_end_in_an_authorization_that_has_to_be_given_by_words(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let agreement = Agreement { unresolved_objection: UnresolvedObjection::TerminationRight.into(), resolution_days: Some(2), ..specific(10, 5) };
        scene.customer("a", agreement).await;
        scene.announce_for("n", vec![add("aws")], "").await;
        let objection = scene.object("n", "a", "o").await.expect("lodged");
        assert_eq!(objection.termination_right_end_time, None);
        scene.pass_to("2026-06-01T00:00:00Z");
        assert_eq!((scene.status("n", "a").await.as_str(), scene.subprocessor("aws").await.state()), ("OBJECTED", Stage::Announced));
        scene.resolve("n", "o", Outcome::ObjectionWithdrawn).await.expect("resolved");
        assert_eq!((scene.status("n", "a").await.as_str(), scene.subprocessor("aws").await.state()), ("DEEMED_DENIED", Stage::Announced));
    }

    async fn what_time_has_decided_does_not_come_back(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let email = |agreement: Agreement| Agreement { notice_method: NoticeMethod::EmailToContacts.into(), ..agreement };
        scene.customer("denies", email(specific(10, 5))).await;
        let right = Agreement { unresolved_objection: UnresolvedObjection::TerminationRight.into(), resolution_days: Some(2), ..general(10, 5) };
        scene.customer("objects", email(right)).await;
        scene.announce_for("n", vec![add("aws")], "2026-04-05T00:00:00Z").await;
        for who in ["denies", "objects"] {
            scene.record("n", who, Receipt::Sent, None).await.expect("recorded");
        }
        scene.object("n", "objects", "o").await.expect("lodged");
        scene.pass_to("2026-04-06T00:00:00Z");
        assert_eq!(scene.list("2026-04-06", "objects").await, ["aws"]);
        for who in ["denies", "objects"] {
            preconditions(scene.record("n", who, Receipt::Bounced, None).await, "NOTICE_REFUSED");
        }
        assert_eq!(scene.subprocessor("aws").await.held_back, [customer("denies")]);
    }

    async fn a_customer_with_two_open_objections_sees_both_closed_when_all_is_withdrawn(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("a", general(30, 5)).await;
        scene.announce_for("n", vec![add("aws")], "").await;
        scene.pass_to("2026-04-01T00:00:00Z");
        // The first is late, and blocks nothing: not the letter either that came in time.
        assert!(scene.object("n", "a", "late").await.expect("lodged").late);
        assert!(!scene.object_at("n", "a", "letter", Some(at("2026-03-25T00:00:00Z"))).await.expect("lodged").late);
        scene.withdraw("n", &[]).await.expect("withdrawn");
        assert_eq!(scene.status("n", "a").await, "RELEASED");
        for id in ["late", "letter"] {
            let request = v1::GetObjectionRequest { name: format!("{}/objections/{id}", notice("n")), as_of: None };
            let objection = scene.server.notices.get_objection(request).await.expect("found").into_inner();
            assert_eq!(objection.outcome(), Outcome::ChangeWithdrawn, "{id}");
        }
    }

    async fn who_was_released_can_still_be_changed_and_is_not_told_again(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let a = scene.customer("a", general(30, 30)).await;
        scene.announce_for("n", vec![add("aws")], "").await;
        scene.object("n", "a", "o").await.expect("lodged");
        scene.resolve("n", "o", Outcome::CustomerTerminated).await.expect("resolved");
        scene.object("n", "a", "again").await.expect_err("nothing waits for it");
        scene.update_customer(v1::Customer { agreement: Some(general(60, 60)), etag: String::new(), ..a }, &["agreement"]).await;
        assert_eq!((scene.status("n", "a").await.as_str(), scene.notice("n").await.recipient_count), ("RELEASED", 1));
    }
}
