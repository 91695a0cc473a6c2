//! What the page does not show: publishing tells whom it was agreed to tell, and a finding says that nobody can see it.

use subprocessor_registry::proto::v1::{
    self, Agreement, Customer, Notice, NoticeRecipient,
    agreement::{ClockStart, NoticeMethod},
    delivery_receipt::Kind as Receipt,
    finding::Kind as Finding,
};

use super::scene::{ACME, Scene, add, add_unseen, at, general, proposal, read, required};
use crate::support::both;

fn by_page(start: ClockStart) -> Agreement {
    Agreement { notice_method: NoticeMethod::Publication.into(), clock_start: start.into(), ..general(10, 10) }
}

async fn found(scene: &mut Scene) -> Vec<v1::Finding> {
    let request = v1::ListFindingsRequest {
        parent: ACME.into(),
        kinds: vec![Finding::NoticeUndelivered.into()],
        ..Default::default()
    };
    scene.server.mechanisms.list_findings(request).await.expect("found").into_inner().findings
}

/// Whom the page does not tell, each with the words for what it does not show.
async fn untold(scene: &mut Scene) -> Vec<(String, String)> {
    let found = found(scene).await;
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let why = |text: &str| {
        text.split_once("it is told by the page, and that does not show ")
            .expect("why")
            .1
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    found.into_iter().map(|one| (last(&one.subject), why(&one.text))).collect()
}

fn named(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(who, what)| ((*who).to_owned(), (*what).to_owned())).collect()
}

/// When a customer was told, when its clock started and when it is clear of the first change.
fn times(recipient: &NoticeRecipient) -> [String; 3] {
    let clear = recipient.changes.first().and_then(|change| change.clear_time.as_ref());
    [read(recipient.send_time.as_ref()), read(recipient.start_time.as_ref()), read(clear)]
}

const NOW: &str = "2026-03-23T10:00:00Z";
const CLEAR: &str = "2026-04-03T00:00:00Z";

both! {
    async fn publishing_tells_whenever_the_clock_is_agreed_to_start(backend: Backend) {
        let mut scene = Scene::with(backend, v1::NoticePolicy { notice_days: Some(10), ..required() }).await;
        for (who, start) in [("published", ClockStart::Published), ("sent", ClockStart::Sent)] {
            scene.customer(who, by_page(start)).await;
        }
        scene.customer_as("nothing-agreed", Customer::default()).await;
        for (notice, change) in [("shown", add("host")), ("unseen", add_unseen("hidden"))] {
            scene.announce_for(notice, vec![change], "2026-06-01T00:00:00Z").await;
            for who in ["published", "sent", "nothing-agreed"] {
                assert_eq!(times(&scene.recipient(notice, who).await), [NOW, NOW, CLEAR], "{notice} {who}");
            }
        }
    }

    async fn a_period_that_runs_from_delivery_is_not_started_by_publishing(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("by-page", by_page(ClockStart::Delivered)).await;
        scene.customer("by-nothing", Agreement { clock_start: ClockStart::Delivered.into(), ..general(10, 10) }).await;
        scene.announce_for("n", vec![add("host")], "").await;
        for who in ["by-page", "by-nothing"] {
            assert_eq!(times(&scene.recipient("n", who).await), [NOW, "", ""], "{who}");
        }
        let found = found(&mut scene).await;
        let subjects: Vec<&str> = found.iter().map(|one| one.subject.rsplit('/').next().unwrap_or_default()).collect();
        assert_eq!(subjects, ["by-nothing", "by-page"]);
        assert!(found.iter().all(|one| one.text.contains("its periods run from delivery, which that does not prove")), "{found:?}");
        for who in ["by-page", "by-nothing"] {
            let received = scene.record("n", who, Receipt::Delivered, None).await.expect("recorded");
            assert_eq!(times(&received), [NOW, NOW, CLEAR], "{who}");
        }
        assert_eq!(self::found(&mut scene).await, []);
    }

    async fn who_has_no_page_publishes_elsewhere(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("a", by_page(ClockStart::Sent)).await;
        scene.announce_for("elsewhere", vec![add_unseen("hidden")], "2026-06-01T00:00:00Z").await;
        assert_eq!(untold(&mut scene).await, []);
        // It has one as soon as it says how that looks, or lists somebody.
        let page = Some(v1::PublicPage { terms: "Part of our agreement.".into(), ..Default::default() });
        let organization = v1::Organization { name: ACME.into(), page, ..Default::default() };
        let request = v1::UpdateOrganizationRequest { organization: Some(organization), ..Default::default() };
        scene.server.organizations.update_organization(request).await.expect("updated");
        assert_eq!(untold(&mut scene).await, named(&[("a", "c1")]));
    }

    async fn what_the_page_does_not_show_is_found_until_it_is_seen(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.found("other", proposal("other")).await;
        let of = |product: &str| Customer {
            agreement: Some(by_page(ClockStart::Sent)),
            products: vec![product.into()],
            ..Customer::default()
        };
        scene.customer_as("eu", of("eu")).await;
        scene.customer_as("us", of("us")).await;
        scene.customer("all", by_page(ClockStart::Sent)).await;
        let (mut shown, mut hidden) = (add("host"), add_unseen("hidden"));
        for (change, product) in [(&mut shown, "eu"), (&mut hidden, "us")] {
            change.proposed.as_mut().expect("proposed").products = vec![product.into()];
        }
        let notice = Notice { changes: vec![shown, hidden], requested_effective_time: Some(at("2026-06-01T00:00:00Z")), ..Notice::default() };
        scene.announce("n", notice).await;
        scene.customer_as("us-later", of("us")).await;
        assert_eq!(untold(&mut scene).await, named(&[("all", "c2"), ("us", "c2"), ("us-later", "c2")]));
        // Told by letter, and that is recorded.
        scene.record("n", "us", Receipt::Sent, None).await.expect("recorded");
        assert_eq!(untold(&mut scene).await, named(&[("all", "c2"), ("us-later", "c2")]));
        // Nobody waits for what is withdrawn.
        scene.withdraw("n", &["c2"]).await.expect("withdrawn");
        assert_eq!(untold(&mut scene).await, []);
        // What was seen and is not any more is found too.
        let mut host = scene.subprocessor("host").await;
        host.listed = false;
        crate::support::update_subprocessor(&mut scene.server, host, &["listed"]).await.expect("updated");
        assert_eq!(untold(&mut scene).await, named(&[("all", "c1"), ("eu", "c1")]));
    }
}
