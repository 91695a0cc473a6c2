//! What follows for notices from customers that change: they use more, leave, and come back.

use subprocessor_registry::proto::v1::{
    self, Agreement, Customer, Notice, NoticeChange, agreement::NoticeMethod, delivery_receipt::Kind as Receipt,
};

use super::scene::{Scene, add, at, customer, general, notice, read, specific};
use crate::support::both;

/// A new subprocessor of one product.
fn of(id: &str, product: &str) -> NoticeChange {
    let mut change = add(id);
    change.proposed.as_mut().expect("proposed").products = vec![product.into()];
    change
}

/// A notice of two changes, each of one product.
async fn announce_both(scene: &mut Scene) {
    let changes = vec![of("first", "eu"), of("second", "us")];
    scene
        .announce(
            "n",
            Notice { changes, requested_effective_time: Some(at("2026-06-01T00:00:00Z")), ..Notice::default() },
        )
        .await;
}

/// Where a customer stands on each change, and when it is clear of it.
async fn standing(scene: &mut Scene, who: &str) -> Vec<(String, String, String)> {
    let recipient = scene.recipient("n", who).await;
    let stands = recipient.changes.iter().map(|change| {
        let status = change.status().as_str_name().trim_start_matches("STATUS_").to_owned();
        (change.change_id.clone(), status, read(change.clear_time.as_ref()))
    });
    stands.collect()
}

fn stand(id: &str, status: &str, clear: &str) -> (String, String, String) {
    (id.to_owned(), status.to_owned(), clear.to_owned())
}

async fn uses(scene: &mut Scene, who: &str, products: &[&str]) {
    let products = products.iter().map(|one| (*one).to_owned()).collect();
    scene.update_customer(Customer { name: customer(who), products, ..Customer::default() }, &["products"]).await;
}

async fn ends(scene: &mut Scene, who: &str, date: &str) {
    let message = Customer { name: customer(who), end_date: date.into(), ..Customer::default() };
    scene.update_customer(message, &["end_date"]).await;
}

both! {
    async fn who_gets_a_product_has_periods_of_its_own_for_what_concerns_it(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let in_eu = |agreement| Customer { agreement: Some(agreement), products: vec!["eu".into()], ..Customer::default() };
        scene.customer_as("general", in_eu(general(30, 10))).await;
        scene.customer_as("specific", in_eu(specific(30, 30))).await;
        scene.customer("uses-all", general(30, 10)).await;
        announce_both(&mut scene).await;
        assert_eq!(standing(&mut scene, "general").await, [stand("c1", "PENDING", "2026-04-23T00:00:00Z")]);
        scene.pass_to("2026-05-15T09:00:00Z");
        for who in ["general", "specific"] {
            uses(&mut scene, who, &["eu", "us"]).await;
        }
        let first = stand("c1", "DEEMED_AUTHORIZED", "2026-04-23T00:00:00Z");
        assert_eq!(standing(&mut scene, "general").await, [first.clone(), stand("c2", "PENDING", "2026-06-15T00:00:00Z")]);
        let recipient = scene.recipient("n", "general").await;
        assert_eq!(read(recipient.changes[1].reach_time.as_ref()), "2026-05-15T09:00:00Z");
        assert_eq!(read(recipient.changes[1].objection_deadline_time.as_ref()), "2026-05-26T00:00:00Z");
        // Written again, it stays as it is.
        uses(&mut scene, "general", &["us", "eu"]).await;
        assert_eq!(standing(&mut scene, "general").await.len(), 2);
        scene.pass_to("2026-06-01T00:00:00Z");
        assert_eq!(scene.list("2026-06-01", "general").await, ["first"]);
        assert_eq!(scene.subprocessor("second").await.held_back, [customer("general"), customer("specific")]);
        scene.pass_to("2026-06-15T00:00:00Z");
        assert_eq!(standing(&mut scene, "general").await, [first, stand("c2", "DEEMED_AUTHORIZED", "2026-06-15T00:00:00Z")]);
        assert_eq!(scene.list("2026-06-15", "general").await, ["first", "second"]);
        assert_eq!(scene.subprocessor("second").await.held_back, [customer("specific")]);
    }

    async fn periods_of_what_comes_later_run_from_the_first_telling_after_it(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let by_hand = Agreement { notice_method: NoticeMethod::Manual.into(), ..general(30, 30) };
        let in_eu = Customer { agreement: Some(by_hand), products: vec!["eu".into()], ..Customer::default() };
        scene.customer_as("a", in_eu).await;
        announce_both(&mut scene).await;
        scene.record("n", "a", Receipt::Sent, Some(at("2026-03-23T10:00:00Z"))).await.expect("recorded");
        scene.pass_to("2026-04-01T09:00:00Z");
        uses(&mut scene, "a", &["eu", "us"]).await;
        let first = stand("c1", "PENDING", "2026-04-23T00:00:00Z");
        assert_eq!(standing(&mut scene, "a").await, [first.clone(), stand("c2", "PENDING", "")]);
        // A letter from before says nothing of it.
        scene.record("n", "a", Receipt::Sent, Some(at("2026-03-30T09:00:00Z"))).await.expect("recorded");
        assert_eq!(standing(&mut scene, "a").await, [first.clone(), stand("c2", "PENDING", "")]);
        scene.record("n", "a", Receipt::Sent, Some(at("2026-04-01T09:00:00Z"))).await.expect("recorded");
        assert_eq!(standing(&mut scene, "a").await, [first, stand("c2", "PENDING", "2026-05-02T00:00:00Z")]);
        // A letter that came back is no notice.
        scene.record("n", "a", Receipt::Bounced, None).await.expect("recorded");
        assert_eq!(standing(&mut scene, "a").await[1], stand("c2", "PENDING", ""));
        // Whoever takes note of it has received it.
        let request = v1::AcknowledgeNoticeRequest { name: notice("n"), customer: customer("a"), ..Default::default() };
        scene.server.notices.acknowledge_notice(request).await.expect("acknowledged");
        assert_eq!(standing(&mut scene, "a").await[1], stand("c2", "PENDING", "2026-05-02T00:00:00Z"));
    }

    async fn who_comes_back_is_waited_for_again(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        for who in ["deleted", "ended", "objects", "less", "stays"] {
            scene.customer(who, specific(30, 30)).await;
        }
        scene.announce_for("n", vec![of("aws", "eu")], "2026-06-01T00:00:00Z").await;
        scene.object("n", "objects", "o").await.expect("lodged");
        ends(&mut scene, "ended", "2026-03-23").await;
        ends(&mut scene, "objects", "2026-03-23").await;
        uses(&mut scene, "less", &["us"]).await;
        let request = v1::DeleteCustomerRequest { name: customer("deleted"), ..Default::default() };
        scene.server.organizations.delete_customer(request).await.expect("deleted");
        for who in ["deleted", "ended", "objects", "less"] {
            assert_eq!(scene.status("n", who).await, "RELEASED", "{who}");
        }
        let request = v1::UndeleteCustomerRequest { name: customer("deleted"), ..Default::default() };
        scene.server.organizations.undelete_customer(request).await.expect("undeleted");
        ends(&mut scene, "ended", "").await;
        ends(&mut scene, "objects", "2027-01-01").await;
        uses(&mut scene, "less", &["eu"]).await;
        for who in ["deleted", "ended", "less", "stays"] {
            assert_eq!(scene.status("n", who).await, "PENDING", "{who}");
        }
        assert_eq!(scene.status("n", "objects").await, "OBJECTED");
        scene.pass_to("2026-06-01T00:00:00Z");
        let all = ["deleted", "ended", "less", "objects", "stays"].map(customer);
        assert_eq!(scene.subprocessor("aws").await.state(), v1::subprocessor::State::Announced);
        scene.authorize("n", "stays").await.expect("authorized");
        assert_eq!(scene.subprocessor("aws").await.held_back, all[..4]);
    }

    async fn what_applies_to_who_leaves_keeps_its_answer(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        for who in ["clear", "slow", "ends"] {
            scene.customer(who, general(if who == "slow" { 300 } else { 30 }, 10)).await;
        }
        ends(&mut scene, "ends", "2026-07-01").await;
        scene.announce_for("n", vec![add("aws")], "2026-06-01T00:00:00Z").await;
        scene.announce_for("over", vec![add("gcp")], "2026-06-01T00:00:00Z").await;
        ends(&mut scene, "slow", "2026-07-01").await;
        scene.pass_to("2026-06-02T00:00:00Z");
        assert_eq!(scene.subprocessor("aws").await.held_back, [customer("slow")]);
        let request = v1::DeleteCustomerRequest { name: customer("clear"), ..Default::default() };
        scene.server.organizations.delete_customer(request).await.expect("deleted");
        scene.pass_to("2026-07-01T00:00:00Z");
        for who in ["clear", "ends"] {
            assert_eq!(scene.status("n", who).await, "DEEMED_AUTHORIZED", "{who}");
        }
        assert_eq!(scene.status("n", "slow").await, "RELEASED");
        assert_eq!(scene.subprocessor("aws").await.held_back_count, 0);
        // It is settled for good: nothing is due any more, and nothing is written.
        let revision = scene.revision().await;
        scene.pass_to("2026-12-01T00:00:00Z");
        scene.status("n", "clear").await;
        assert_eq!(scene.revision().await, revision);
    }

    async fn withdrawing_what_is_withdrawn_keeps_its_reason(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("a", general(30, 30)).await;
        announce_both(&mut scene).await;
        let first = scene.withdraw("n", &["c1"]).await.expect("withdrawn");
        let request = v1::WithdrawNoticeRequest {
            name: notice("n"),
            change_ids: vec!["c1".into()],
            reason: "another".into(),
            ..Default::default()
        };
        let again = scene.server.notices.withdraw_notice(request).await.expect("nothing to do").into_inner();
        assert_eq!(again.withdraw_reason, first.withdraw_reason);
    }

    async fn a_preview_names_the_gates_that_are_not_met(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("a", general(30, 30)).await;
        let mut bare = add("bare");
        bare.proposed.as_mut().expect("proposed").dpa = None;
        let changes = vec![add("aws"), bare];
        let on = Some(at("2026-05-01T00:00:00Z"));
        scene.create("n", Notice { changes, requested_effective_time: on, ..Notice::default() }).await.expect("drafted");
        let request = v1::PreviewNoticeRequest { name: notice("n"), ..Default::default() };
        let foreseen = scene.server.notices.preview_notice(request).await.expect("foreseen").into_inner();
        assert!(!foreseen.unmet_gates.is_empty(), "{foreseen:?}");
        assert!(foreseen.unmet_gates.iter().all(|gate| gate.starts_with("c2: ")), "{:?}", foreseen.unmet_gates);
        // They are what it is held for.
        scene.approve("n").await.expect("approved");
        scene.publish("n").await.expect("published");
        scene.pass_to("2026-05-01T00:00:00Z");
        let notice = scene.notice("n").await;
        assert!(foreseen.unmet_gates.iter().all(|gate| notice.hold_reasons.contains(gate)), "{:?} {:?}", foreseen.unmet_gates, notice.hold_reasons);
    }
}
