//! What the mails of a notice say: what was and what will be, from when on, and until when whom it goes to can answer.

use subprocessor_registry::proto::v1::{
    self, Agreement, Contact, Customer, Emergency, Location, Notice, NoticeChange, Subprocessor, Subscription,
    agreement::NoticeMethod, location::Activity, notice_change::Kind,
};

use super::{
    mail::{mailing, posted},
    mail_subscriptions::{agreed, email},
    scene::Scene,
};
use crate::{
    notices::scene::{ACME, add, at, change, customer, engagement, general, notice, proposal, required, specific},
    sink::{Kept, Sink},
    support::{Backend, both},
};

/// A text in one line, so that where lines end does not matter; of a page what is between its tags.
fn plain(text: &str, is_page: bool) -> String {
    let mut plain = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' if is_page => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                plain.push(' ');
            }
            _ if !in_tag => plain.push(c),
            _ => {}
        }
    }
    plain.replace("&#x2f;", "/").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A mail as text and as a page.
fn both_of(kept: &Kept) -> [String; 2] {
    [plain(&kept.text(), false), plain(&kept.html(), true)]
}

/// What is said of a change: from its heading to the next one's.
fn part<'a>(body: &'a str, heading: &str, headings: &[&str]) -> &'a str {
    let (_, rest) = body.split_once(heading).unwrap_or_else(|| panic!("{heading} is missing from {body}"));
    let end =
        headings.iter().chain(&["How to", "The notice", "Read the notice"]).filter_map(|next| rest.find(next)).min();
    &rest[..end.unwrap_or(rest.len())]
}

/// The mails that have come, in any order.
struct Post {
    sink: Sink,
    kept: Vec<Kept>,
}

impl Post {
    /// The next mail to an address with such a subject.
    async fn letter(&mut self, to: &str, subject: &str) -> Kept {
        loop {
            if let Some(at) = self.kept.iter().position(|one| one.to() == to && one.subject() == subject) {
                return self.kept.remove(at);
            }
            self.kept.push(self.sink.kept().await);
        }
    }
}

async fn scene_with_post(backend: Backend) -> (Scene, Post) {
    let (scene, sink) = posted(backend).await;
    (scene, Post { sink, kept: Vec::new() })
}

fn places(places: &[(&str, Activity)]) -> Subprocessor {
    let place = |(code, activity): &(&str, Activity)| Location {
        region_code: (*code).into(),
        activity: (*activity).into(),
        ..Location::default()
    };
    Subprocessor { locations: places.iter().map(place).collect(), ..Subprocessor::default() }
}

impl Scene {
    async fn by_mail(&mut self, id: &str, agreement: Agreement) {
        let agreement = Agreement { notice_method: NoticeMethod::EmailToContacts.into(), ..agreement };
        let contacts = vec![Contact { email: format!("dpo@{id}.example"), ..Contact::default() }];
        self.customer_as(id, Customer { contacts, agreement: Some(agreement), ..Customer::default() }).await;
    }

    async fn promises(&mut self, notice_days: i32) {
        let policy = v1::NoticePolicy { notice_days: Some(notice_days), ..required() };
        let organization = v1::Organization { name: ACME.into(), notice_policy: Some(policy), ..Default::default() };
        let request = v1::UpdateOrganizationRequest {
            organization: Some(organization),
            update_mask: Some(prost_types::FieldMask { paths: vec!["notice_policy".into()] }),
            ..Default::default()
        };
        self.server.organizations.update_organization(request).await.expect("promised");
    }
}

const OBJECT: &str = "You can object until: the end of 22 April 2026 (UTC)";
const ANSWER: &str = "Please answer by: the end of 22 April 2026 (UTC)";
const AT_ONCE: &str = "From: 23 March 2026, 10:00 (UTC)";

both! {
    async fn a_mail_says_what_was_what_will_be_and_from_when_and_asks_for_no_answer_that_nothing_waits_for(backend: Backend) {
        let (mut scene, mut post) = scene_with_post(backend).await;
        scene.promises(40).await;
        let found = |id: &str| Subprocessor { purposes: vec!["Payments".into()], ..proposal(id) };
        scene.found("stripe", found("stripe")).await;
        scene.found("old", found("old")).await;
        let before = [("IE", Activity::Storage), ("US", Activity::Unspecified)];
        scene.found("cloud", Subprocessor { locations: places(&before).locations, ..found("cloud") }).await;
        let vendor = v1::Vendor { display_name: "Intercom".into(), ..Default::default() };
        let request = v1::CreateVendorRequest { vendor_id: "intercom".into(), vendor: Some(vendor), ..Default::default() };
        scene.server.vendors.create_vendor(request).await.expect("created");
        scene.by_mail("calm", general(30, 30)).await;
        scene.by_mail("strict", specific(30, 30)).await;
        agreed(&mut scene, &mut post.sink, "jo", email("jo@reader.example")).await;

        let chat = Subprocessor {
            vendor: "vendors/intercom".into(),
            products: vec!["eu".into()],
            condition: "if you enable chats".into(),
            special_categories: vec!["Health data".into()],
            ..proposal("chat")
        };
        let changes = vec![
            NoticeChange { kind: Kind::Remove.into(), subprocessor: engagement("stripe"), ..Default::default() },
            change(Kind::ChangeLocation, "cloud", places(&[("IE", Activity::Storage), ("DE", Activity::Storage), ("US", Activity::Unspecified)]), &["locations"]),
            change(Kind::Rename, "old", Subprocessor { display_name: "NEW".into(), ..Default::default() }, &["display_name"]),
            NoticeChange { proposed: Some(chat), ..add("chat") },
        ];
        scene.announce_for("n", changes, "").await;
        let headings = ["No longer a sub-processor", "Change of location", "New name", "New sub-processor"];
        for (who, due) in [("calm", OBJECT), ("strict", ANSWER)] {
            let kept = post.letter(&format!("dpo@{who}.example"), "Acme: n").await;
            for body in both_of(&kept) {
                let of = |heading: &str| part(&body, heading, &headings);
                let gone = of(headings[0]);
                assert!(gone.contains("STRIPE") && gone.contains(AT_ONCE), "{gone}");
                let moved = of(headings[1]);
                let said = "Where data is processed Before: Ireland (storage); United States After: Ireland (storage); Germany (storage); United States";
                assert!(moved.contains("CLOUD") && moved.contains(said), "{moved}");
                assert!(!moved.contains("Where:") && moved.contains("Purpose: Payments"), "{moved}");
                let renamed = of(headings[2]);
                assert!(renamed.contains("Name Before: OLD After: NEW") && renamed.contains(AT_ONCE), "{renamed}");
                for waits_for_nobody in [gone, renamed] {
                    for wrong in ["object until", "answer by", "Not before"] {
                        assert!(!waits_for_nobody.contains(wrong), "{who}: {waits_for_nobody}");
                    }
                }
                let joins = of(headings[3]);
                for said in ["CHAT", "Company: Intercom", "Used for: EU", "When it is used: if you enable chats", "Special categories of data: Health data"] {
                    assert!(joins.contains(said), "{said} is missing from {joins}");
                }
                for waits in [moved, joins] {
                    assert!(waits.contains(due) && waits.contains("Not before: 3 May 2026 (UTC)") && !waits.contains("From:"), "{who}: {waits}");
                }
                let (consent, refusal) = (body.contains("counts that as consent"), body.contains("counts that as refusal"));
                assert_eq!((consent, refusal), (who == "calm", who == "strict"), "{body}");
                assert_eq!(body.contains("asks for your authorization"), who == "strict", "{body}");
            }
        }

        // Who has no agreement is told what holds for everybody.
        for body in both_of(&post.letter("jo@reader.example", "Acme: n").await) {
            assert!(body.contains("Not before: 3 May 2026 (UTC)") && body.contains(AT_ONCE), "{body}");
            assert!(!body.contains("object until") && !body.contains("How to"), "{body}");
        }
        // What waited for nobody has happened, and is said so, with what it was before.
        for body in both_of(&post.letter("jo@reader.example", "Acme: now in effect: n").await) {
            assert!(body.contains("STRIPE") || body.contains("Before: OLD After: NEW"), "{body}");
            assert!(body.contains(AT_ONCE) && !body.contains("object until"), "{body}");
        }

        // What is withdrawn has no time to it.
        scene.withdraw("n", &[]).await.expect("withdrawn");
        let kept = post.letter("dpo@calm.example", "Acme: withdrawn: n").await;
        for body in both_of(&kept) {
            assert!(body.contains("It will not happen") && body.contains("CHAT") && body.contains("CLOUD"), "{body}");
            for wrong in ["From:", "Not before", "object", "answer by"] {
                assert!(!body.contains(wrong), "{wrong}: {body}");
            }
        }
    }

    async fn a_mail_of_what_waits_for_nobody_asks_for_nothing(backend: Backend) {
        let (mut scene, mut post) = scene_with_post(backend).await;
        scene.found("stripe", proposal("stripe")).await;
        scene.by_mail("strict", specific(30, 30)).await;
        let gone = NoticeChange { kind: Kind::Remove.into(), subprocessor: engagement("stripe"), ..Default::default() };
        scene.announce_for("n", vec![gone], "2026-12-14T00:00:00Z").await;
        let kept = post.letter("dpo@strict.example", "Acme: n").await;
        for body in both_of(&kept) {
            assert!(body.contains("From: 14 December 2026 (UTC)"), "{body}");
            for wrong in ["How to", "counts that as", "object", "answer by"] {
                assert!(!body.contains(wrong), "{wrong}: {body}");
            }
        }
    }

    async fn a_day_that_comes_before_a_customer_is_clear_is_not_told_to_it(backend: Backend) {
        let (mut scene, mut post) = scene_with_post(backend).await;
        let by_subscription = Agreement { notice_method: NoticeMethod::Subscription.into(), ..general(10, 5) };
        scene.customer("fast", by_subscription).await;
        let own = Subscription { customer: customer("fast"), ..email("dpo@fast.example") };
        agreed(&mut scene, &mut post.sink, "fast", own).await;
        scene.by_mail("slow", general(30, 0)).await;
        scene.by_mail("silent", Agreement { objection_days: Some(0), ..specific(30, 0) }).await;
        scene.announce_for("n", vec![add("host")], "2026-04-10T00:00:00Z").await;
        for (who, from, answer) in [
            ("fast", "From: 10 April 2026 (UTC)", "You can object until: the end of 28 March 2026 (UTC)"),
            ("slow", "Not before: 23 April 2026 (UTC)", ""),
            // It has no right to object, and its silence is a refusal all the same.
            ("silent", "Not before: 23 April 2026 (UTC)", ANSWER),
        ] {
            let kept = post.letter(&format!("dpo@{who}.example"), "Acme: n").await;
            for body in both_of(&kept) {
                assert!(body.contains(from) && body.contains(answer), "{who}: {body}");
                assert_eq!(body.contains("From:"), who == "fast", "{who}: {body}");
                assert_eq!(body.contains("How to"), !answer.is_empty(), "{who}: {body}");
            }
        }
        // Its clock runs when the sending is recorded, not when the mail is there.
        scene.settled(&format!("notice = \"{}\"", notice("n")), &[("DELIVERED", 3)]).await;
        scene.pass_to("2026-04-10T00:00:00Z");
        scene.revision().await;
        let kept = post.letter("dpo@fast.example", "Acme: now in effect: n").await;
        assert!(both_of(&kept).iter().all(|body| body.contains("From: 10 April 2026 (UTC)")), "{}", kept.text());
    }

    async fn an_emergency_that_applies_at_once_waits_for_no_authorization(backend: Backend) {
        let (mut scene, mut post) = scene_with_post(backend).await;
        scene.by_mail("allows", Agreement { emergency_allowed: true, ..specific(30, 30) }).await;
        scene.by_mail("waits", specific(30, 30)).await;
        let emergency = Some(Emergency { reason: "The old one is down.".into(), approver: "cto".into() });
        scene.announce("n", Notice { emergency, changes: vec![add("host")], ..Notice::default() }).await;
        for (who, said, silence) in [("allows", AT_ONCE, false), ("waits", "Not before: 23 April 2026 (UTC)", true)] {
            let kept = post.letter(&format!("dpo@{who}.example"), "Acme: n").await;
            for body in both_of(&kept) {
                assert!(body.contains(said) && body.contains("The old one is down."), "{who}: {body}");
                assert_eq!(body.contains("counts that as refusal"), silence, "{who}: {body}");
            }
        }
    }

    async fn what_a_transfer_rested_on_is_said_beside_what_it_will_rest_on(backend: Backend) {
        let sink = Sink::start(&[]).await;
        let port = sink.port.to_string();
        let settings = [&mailing(&port)[..], &[("CATALOG__LOAD", "true")]].concat();
        let (mut scene, mut post) = (Scene::with(backend, &settings).await, Post { sink, kept: Vec::new() });
        let located = places(&[("US", Activity::Processing)]).locations;
        scene.found("cloud", Subprocessor { locations: located, ..proposal("cloud") }).await;
        let transfer = |instrument: &str, module: v1::Module| v1::Transfer {
            regime: v1::Regime::EuGdpr.into(),
            exporter: "customers".into(),
            exporter_area: v1::ExporterArea::Eu.into(),
            exporter_role: v1::Role::Processor.into(),
            importer: engagement("cloud"),
            destination_region_codes: vec!["US".into()],
            mechanisms: vec![v1::Mechanism {
                instrument: format!("instruments/{instrument}"),
                module: module.into(),
                sign_date: "2022-01-10".into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let request = v1::CreateTransferRequest {
            parent: ACME.into(),
            transfer_id: "cloud-us".into(),
            transfer: Some(transfer("eu-scc-2021-914", v1::Module::Three)),
            ..Default::default()
        };
        scene.server.mechanisms.create_transfer(request).await.expect("created");
        scene.by_mail("calm", general(30, 30)).await;
        let proposed = v1::ProposedTransfer {
            transfer_id: "cloud-us".into(),
            transfer: Some(transfer("eu-us-dpf", v1::Module::Unspecified)),
        };
        let dpa = v1::Dpa { status: v1::dpa::Status::IncorporatedByReference.into(), ..Default::default() };
        let changed = NoticeChange {
            proposed_transfers: vec![proposed],
            ..change(Kind::ChangeMechanism, "cloud", Subprocessor { dpa: Some(dpa), ..Default::default() }, &["dpa"])
        };
        let draft = Notice { changes: vec![changed], requested_effective_time: Some(at("2026-06-01T00:00:00Z")), ..Notice::default() };
        scene.announce("n", draft).await;
        let kept = post.letter("dpo@calm.example", "ACME: n").await;
        for body in both_of(&kept) {
            let before = "Transfers rest on Before: EU standard contractual clauses (2021/914), module three (United States)";
            let after = "After: EU-US Data Privacy Framework (United States)";
            assert!(body.contains(&format!("{before} {after}")), "{body}");
        }
    }
}
