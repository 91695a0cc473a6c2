//! What the page of a notice says while its changes come about, for some customers before others.

use subprocessor_registry::proto::v1::{
    self, Contact, Emergency, Notice, NoticeChange, Subprocessor, contact, notice_change::Kind,
};

use super::get;
use crate::{
    notices::scene::{ACME, Scene, add, engagement, general, proposal, required},
    support::{Server, both},
};

async fn page(server: &Server, notice: &str) -> String {
    let answer = get(server, &format!("/organizations/acme/notices/{notice}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The entries of the feed, without what XML makes of their tags.
async fn feed(server: &Server) -> String {
    get(server, "/organizations/acme/feed.atom").await.body
}

fn remove(id: &str) -> NoticeChange {
    NoticeChange { kind: Kind::Remove.into(), subprocessor: engagement(id), ..Default::default() }
}

both! {
    async fn a_page_says_for_whom_what_has_taken_effect(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("fast", general(10, 5)).await;
        scene.customer("slow", general(30, 30)).await;
        scene.announce_for("n", vec![add("host")], "2026-04-10T00:00:00Z").await;
        let text = page(&scene.server, "n").await;
        assert!(text.contains("This was announced on 23 March 2026, 10:00 UTC and has not taken effect."), "{text}");

        scene.pass_to("2026-04-10T00:00:00Z");
        let text = page(&scene.server, "n").await;
        let partly = "This has taken effect on 10 April 2026, 00:00 UTC, but not for every customer yet.";
        assert!(text.contains(partly) && text.contains("It does not apply to every customer yet."), "{text}");
        assert!(!text.to_lowercase().contains("slow"), "who that is is nobody's business: {text}");
        assert!(feed(&scene.server).await.contains(partly));

        scene.pass_to("2026-04-24T00:00:00Z");
        let text = page(&scene.server, "n").await;
        assert!(text.contains("This has taken effect on 10 April 2026, 00:00 UTC."), "{text}");
        assert!(!text.contains("every customer yet"), "{text}");
    }

    async fn a_page_of_several_changes_says_what_became_of_each(backend: Backend) {
        let policy = v1::NoticePolicy { notice_days: Some(40), objection_days: Some(20), ..required() };
        let mut scene = Scene::with(backend, policy).await;
        let old = Subprocessor { start_date: "2020-01-02".into(), end_date: "2026-12-24".into(), ..proposal("old") };
        scene.found("old", old).await;
        scene.announce_for("n", vec![remove("old"), add("host"), add("chat")], "").await;
        scene.pass_to("2026-03-24T10:00:00Z");
        let text = page(&scene.server, "n").await;
        assert!(text.contains("A part of it has taken effect.") && !text.contains("has not taken effect"), "{text}");
        // The one is over; until the other there is time.
        let cards: Vec<&str> = text.split("<article").skip(1).collect();
        assert!(cards[0].contains("Took effect") && !cards[0].contains("Not before"), "{}", cards[0]);
        assert!(!cards[0].contains("How to object"), "{}", cards[0]);
        assert!(cards[1].contains("Not before") && cards[1].contains("3 May 2026"), "{}", cards[1]);
        // Days are written as people do everywhere.
        assert!(cards[0].contains("2 January 2020") && !cards[0].contains(">2020-01-02<"), "{}", cards[0]);
        let list = get(&scene.server, "/organizations/acme").await.body;
        assert!(list.contains("Not before") && list.contains("3 May 2026"), "{list}");

        scene.withdraw("n", &["c2"]).await.expect("withdrawn");
        let text = page(&scene.server, "n").await;
        assert!(text.contains("A part of it has taken effect, and a part was withdrawn."), "{text}");
        assert!(text.contains("Withdrawn:</strong> <bdi>thought better of it"), "{text}");
        scene.pass_to("2026-05-04T00:00:00Z");
        let text = page(&scene.server, "n").await;
        assert!(text.contains("What was not withdrawn of this has taken effect on 3 May 2026"), "{text}");
    }

    async fn a_page_says_why_it_cannot_wait_which_company_it_is_and_whom_to_write_to(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let contact = |email: &str, kind: contact::Kind| Contact { email: email.into(), kind: kind.into(), ..Contact::default() };
        let organization = v1::Organization {
            name: ACME.into(),
            contacts: vec![contact("boss@acme.example", contact::Kind::General), contact("dpo@acme.example", contact::Kind::Dpo)],
            ..Default::default()
        };
        let request = v1::UpdateOrganizationRequest {
            organization: Some(organization),
            update_mask: Some(prost_types::FieldMask { paths: vec!["contacts".into()] }),
            ..Default::default()
        };
        scene.server.organizations.update_organization(request).await.expect("updated");
        let vendor = v1::Vendor { display_name: "Intercom".into(), ..Default::default() };
        let request = v1::CreateVendorRequest { vendor_id: "intercom".into(), vendor: Some(vendor), ..Default::default() };
        scene.server.vendors.create_vendor(request).await.expect("created");
        scene.customer("waits", general(30, 30)).await;
        let chat = Subprocessor { vendor: "vendors/intercom".into(), ..proposal("chat") };
        let changes = vec![NoticeChange { proposed: Some(chat), ..add("chat") }];
        let emergency = Some(Emergency { reason: "The old one <is> down.".into(), approver: "cto".into() });
        scene.announce("n", Notice { emergency, changes, ..Notice::default() }).await;
        let text = page(&scene.server, "n").await;
        assert!(text.contains("It could not wait for the usual period:</strong> <bdi>The old one"), "{text}");
        assert!(!text.contains("<is>") && !text.contains("cto"), "{text}");
        assert!(text.contains("Company") && text.contains("Intercom"), "{text}");
        assert!(text.contains("mailto:dpo@acme.example") && !text.contains("boss@"), "{text}");
    }
}
