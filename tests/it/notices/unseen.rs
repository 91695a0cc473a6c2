//! What the page does not show: who is told by nothing else is not told of it.

use subprocessor_registry::proto::v1::{
    self, Agreement, Customer, Notice, NoticeRecipient,
    agreement::{ClockStart, NoticeMethod},
    delivery_receipt::Kind as Receipt,
    finding::Kind as Finding,
    notice::State,
};

use super::scene::{ACME, Scene, add, add_unseen, at, customer, general, read, required};
use crate::support::both;

fn by_page(start: ClockStart) -> Agreement {
    Agreement { notice_method: NoticeMethod::Publication.into(), clock_start: start.into(), ..general(10, 10) }
}

/// Whom the registry was to tell and has not told.
async fn untold(scene: &mut Scene) -> Vec<String> {
    let request = v1::ListFindingsRequest {
        parent: ACME.into(),
        kinds: vec![Finding::NoticeUndelivered.into()],
        ..Default::default()
    };
    let found = scene.server.mechanisms.list_findings(request).await.expect("found").into_inner().findings;
    assert!(found.iter().all(|one| one.text.contains("it is told by the page, which does not show")), "{found:?}");
    found.into_iter().map(|one| one.subject.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

/// When a customer was told, when its clock started and when it is clear of the first change.
fn times(recipient: &NoticeRecipient) -> [String; 3] {
    let clear = recipient.changes.first().and_then(|change| change.clear_time.as_ref());
    [read(recipient.send_time.as_ref()), read(recipient.start_time.as_ref()), read(clear)]
}

const NOW: &str = "2026-03-23T10:00:00Z";
const CLEAR: &str = "2026-04-03T00:00:00Z";

both! {
    async fn who_is_told_by_the_page_is_not_told_of_what_it_does_not_show(backend: Backend) {
        let mut scene = Scene::with(backend, v1::NoticePolicy { notice_days: Some(10), ..required() }).await;
        scene.customer("published", by_page(ClockStart::Published)).await;
        scene.customer("sent", by_page(ClockStart::Sent)).await;
        let all = ["published", "sent"];
        scene.announce_for("shown", vec![add("host")], "2026-06-01T00:00:00Z").await;
        scene.announce_for("unseen", vec![add_unseen("hidden")], "2026-06-01T00:00:00Z").await;
        for who in all {
            assert_eq!(times(&scene.recipient("shown", who).await), [NOW, NOW, CLEAR], "{who}");
            assert_eq!(times(&scene.recipient("unseen", who).await), ["", "", ""], "{who}");
        }
        assert_eq!(untold(&mut scene).await, all);
        // Its silence says nothing, and nothing takes effect for it.
        scene.pass_to("2026-06-01T00:00:00Z");
        for who in all {
            assert_eq!(scene.status("shown", who).await, "DEEMED_AUTHORIZED", "{who}");
            assert_eq!(scene.status("unseen", who).await, "PENDING", "{who}");
        }
        assert_eq!((scene.state("shown").await, scene.state("unseen").await), (State::Effective, State::Held));
        // Told by letter, and that is recorded: from then on its clock runs.
        for who in all {
            let letter = at("2026-05-31T09:00:00Z");
            let told = scene.record("unseen", who, Receipt::Sent, Some(letter)).await.expect("recorded");
            assert_eq!(times(&told), ["2026-05-31T09:00:00Z", "2026-05-31T09:00:00Z", "2026-06-11T00:00:00Z"], "{who}");
        }
        assert_eq!(untold(&mut scene).await, [""; 0]);
        scene.pass_to("2026-06-11T00:00:00Z");
        assert_eq!(scene.state("unseen").await, State::Effective);
    }

    async fn who_has_no_page_publishes_elsewhere(backend: Backend) {
        let mut scene = Scene::with(backend, v1::NoticePolicy { notice_days: Some(10), ..required() }).await;
        scene.customer("published", by_page(ClockStart::Published)).await;
        scene.customer("sent", by_page(ClockStart::Sent)).await;
        scene.announce_for("elsewhere", vec![add_unseen("hidden")], "2026-06-01T00:00:00Z").await;
        for who in ["published", "sent"] {
            assert_eq!(times(&scene.recipient("elsewhere", who).await), [NOW, NOW, CLEAR], "{who}");
        }
        assert_eq!(untold(&mut scene).await, [""; 0]);
        // It has one as soon as it says how that looks, or lists somebody; then that is what tells.
        let page = Some(v1::PublicPage { terms: "Part of our agreement.".into(), ..Default::default() });
        let organization = v1::Organization { name: ACME.into(), page, ..Default::default() };
        let request = v1::UpdateOrganizationRequest { organization: Some(organization), ..Default::default() };
        scene.server.organizations.update_organization(request).await.expect("updated");
        scene.announce_for("on-the-page", vec![add_unseen("other")], "2026-06-01T00:00:00Z").await;
        assert_eq!(times(&scene.recipient("on-the-page", "sent").await), ["", "", ""]);
        assert_eq!(untold(&mut scene).await, ["published", "sent"]);
    }

    async fn with_whom_nothing_was_agreed_is_told_by_publishing(backend: Backend) {
        let mut scene = Scene::with(backend, v1::NoticePolicy { notice_days: Some(10), ..required() }).await;
        scene.customer_as("nothing-agreed", Customer::default()).await;
        for (notice, change) in [("shown", add("host")), ("unseen", add_unseen("hidden"))] {
            scene.announce_for(notice, vec![change], "2026-06-01T00:00:00Z").await;
            assert_eq!(times(&scene.recipient(notice, "nothing-agreed").await), [NOW, NOW, CLEAR], "{notice}");
        }
        assert_eq!(untold(&mut scene).await, [""; 0]);
    }

    async fn of_a_notice_that_is_shown_in_part_only_that_part_is_told(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let of = |product: &str| Customer {
            agreement: Some(by_page(ClockStart::Sent)),
            products: vec![product.into()],
            ..Customer::default()
        };
        scene.customer_as("eu", of("eu")).await;
        scene.customer_as("us", of("us")).await;
        scene.customer("both", by_page(ClockStart::Sent)).await;
        let (mut shown, mut hidden) = (add("host"), add_unseen("hidden"));
        for (change, product) in [(&mut shown, "eu"), (&mut hidden, "us")] {
            change.proposed.as_mut().expect("proposed").products = vec![product.into()];
        }
        let notice = Notice { changes: vec![shown, hidden], requested_effective_time: Some(at("2026-06-01T00:00:00Z")), ..Notice::default() };
        scene.announce("n", notice).await;
        // Who comes later is told of what the page shows then.
        scene.customer_as("us-later", of("us")).await;
        scene.customer_as("eu-later", of("eu")).await;
        for (who, told) in [("eu", NOW), ("eu-later", NOW), ("us", ""), ("us-later", ""), ("both", "")] {
            assert_eq!(read(scene.recipient("n", who).await.send_time.as_ref()), told, "{who}");
        }
        assert_eq!(untold(&mut scene).await, ["both", "us", "us-later"]);
        assert_eq!(scene.recipient("n", "eu").await.customer, customer("eu"));
    }
}
