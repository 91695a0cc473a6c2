//! Mails that an agreement asks for: to contacts, counted as telling them, and what it means that they come back.

use std::collections::BTreeMap;

use serde_json::Value;
use subprocessor_registry::proto::v1::{
    self, Agreement, Contact, Customer, Delivery, Notice, NoticeRecipient, ReportBounceRequest, Subscription,
    agreement::{ClockStart, NoticeMethod},
    delivery_receipt::Kind as Receipt,
};
use tonic::Code;

use super::scene::{KEY, Manner, NEARBY, Receiver, Scene};
use crate::{
    notices::scene::{ACME, add, add_unseen, at, customer, general, notice, proposal, read, specific},
    sink::{Kept, Sink},
    support::{Backend, Server, both, refused},
};

/// What lets a server send mails, to a sink.
pub fn mailing(port: &str) -> [(&str, &str); 6] {
    [
        ("EMAIL__SMTP_HOST", "127.0.0.1"),
        ("EMAIL__SMTP_PORT", port),
        ("EMAIL__TLS", "none"),
        ("EMAIL__FROM", "Acme <privacy@acme.example>"),
        ("EMAIL__RETRY_SCHEDULE_SECONDS", "60,300"),
        ("WEB__PUBLIC_URL", "https://trust.acme.example"),
    ]
}

/// An organization whose policy is REQUIRED, with a mail server.
pub async fn posted(backend: Backend) -> (Scene, Sink) {
    let sink = Sink::start(&[]).await;
    let scene = Scene::required(backend, &mailing(&sink.port.to_string())).await;
    (scene, sink)
}

/// The next mails, by whom they went to.
pub async fn letters(sink: &mut Sink, count: usize) -> BTreeMap<String, Kept> {
    let mut letters = BTreeMap::new();
    for _ in 0..count {
        let kept = sink.kept().await;
        let to = kept.to().to_lowercase();
        assert!(letters.insert(to.clone(), kept).is_none(), "two mails to {to}");
    }
    letters
}

fn by_mail(agreement: Agreement) -> Agreement {
    Agreement { notice_method: NoticeMethod::EmailToContacts.into(), ..agreement }
}

/// Counted from the sending, by the days of Berlin.
fn berlin() -> Agreement {
    Agreement { time_zone: "Europe/Berlin".into(), clock_start: ClockStart::Sent.into(), ..by_mail(general(30, 30)) }
}

fn with_contacts(agreement: Agreement, addresses: &[&str]) -> Customer {
    let contact = |email: &&str| Contact { email: (*email).to_owned(), ..Contact::default() };
    Customer { contacts: addresses.iter().map(contact).collect(), agreement: Some(agreement), ..Customer::default() }
}

/// Of each receipt: what it is, whether a delivery proves it, and its words.
fn receipts(recipient: &NoticeRecipient) -> Vec<(Receipt, bool, String)> {
    let of = |one: &v1::DeliveryReceipt| (one.kind(), !one.delivery.is_empty(), one.evidence.clone());
    recipient.receipts.iter().map(of).collect()
}

/// When a recipient was told, and when that arrived.
fn told(recipient: &NoticeRecipient) -> (String, String) {
    (read(recipient.send_time.as_ref()), read(recipient.deliver_time.as_ref()))
}

fn all_three(status: &str, deadline: &str, clear: &str) -> (String, String, String) {
    (status.to_owned(), deadline.to_owned(), clear.to_owned())
}

/// Reports that a mail came back.
fn back(delivery: &Delivery) -> ReportBounceRequest {
    ReportBounceRequest {
        name: delivery.name.clone(),
        diagnostic: "550 5.1.1 no such mailbox".into(),
        ..ReportBounceRequest::default()
    }
}

impl Scene {
    async fn bounce(&mut self, delivery: &Delivery) -> Delivery {
        self.server.notices.report_bounce(back(delivery)).await.expect("reported").into_inner()
    }

    /// The delivery of an event to an address.
    pub async fn delivery_to(&mut self, address: &str, kind: &str) -> Delivery {
        let all = self.deliveries("").await;
        let mut own = all.into_iter().filter(|one| one.endpoint == address && one.event_type == kind);
        own.next_back().unwrap_or_else(|| panic!("no {kind} for {address}"))
    }
}

const NOW: &str = "2026-03-23T10:00:00Z";

both! {
    async fn a_preview_says_who_cannot_be_told_as_agreed(backend: Backend) {
        let (mut scene, _sink) = posted(backend).await;
        scene.found("kept", proposal("kept")).await;
        let told_by = |method: NoticeMethod| Agreement { notice_method: method.into(), ..general(30, 30) };
        scene.customer("hooked", told_by(NoticeMethod::Subscription)).await;
        scene.customer("asks-for-other-news", told_by(NoticeMethod::Subscription)).await;
        scene.customer("asks-for-none", told_by(NoticeMethod::Subscription)).await;
        scene.customer("reads", told_by(NoticeMethod::Publication)).await;
        scene.customer_as("nowhere", with_contacts(berlin(), &[""])).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        let own = |id: &str| Subscription { customer: customer(id), ..Subscription::default() };
        scene.agreed("hook", &mut receiver, own("hooked")).await;
        let other = Subscription { event_types: vec!["list.changed".into()], ..own("asks-for-other-news") };
        scene.agreed("other", &mut receiver, other).await;

        let (hidden, listed) = (add_unseen("hidden"), add("host"));
        let nothing = "the page shows nothing of it, because none of what it is about is listed";
        let in_part = "the page does not show all of it: what c1 is about is not listed";
        for (id, changes, unseen) in [
            ("hidden", vec![hidden.clone()], Some(nothing)),
            ("both", vec![hidden, listed.clone()], Some(in_part)),
            ("shown", vec![listed], None),
        ] {
            let draft = Notice { changes, ..Notice::default() };
            scene.create(id, draft).await.expect("drafted");
            let request = v1::PreviewNoticeRequest { name: notice(id), ..Default::default() };
            let foreseen = scene.server.notices.preview_notice(request).await.expect("foreseen").into_inner().customers;
            let mut obstacles: Vec<(String, &str)> = foreseen
                .iter()
                .filter_map(|one| Some((one.customer.clone(), one.reason.split_once("; nobody can be told: ")?.1)))
                .collect();
            let subscription = "it has no subscription that is ACTIVE and takes notices";
            let mut expected = vec![
                (customer("asks-for-none"), subscription),
                (customer("asks-for-other-news"), subscription),
                (customer("nowhere"), "it has no contact with an address"),
            ];
            expected.extend(unseen.map(|why| (customer("reads"), why)));
            obstacles.sort();
            assert_eq!(obstacles, expected);
        }
    }

    async fn a_preview_knows_of_which_products_a_subscription_is(backend: Backend) {
        let mut scene = Scene::required(backend, &[]).await;
        scene.customer("hooked", Agreement { notice_method: NoticeMethod::Subscription.into(), ..general(30, 30) }).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        let own = Subscription { customer: customer("hooked"), products: vec!["us".into()], ..Subscription::default() };
        scene.agreed("hook", &mut receiver, own).await;
        for (id, products, is_told) in [("of-eu", vec!["eu"], false), ("of-us", vec!["us"], true), ("of-all", vec![], true)] {
            let mut change = add(id);
            change.proposed.as_mut().expect("proposed").products = products.into_iter().map(str::to_owned).collect();
            scene.create(id, Notice { changes: vec![change], ..Notice::default() }).await.expect("drafted");
            let request = v1::PreviewNoticeRequest { name: notice(id), ..Default::default() };
            let foreseen = scene.server.notices.preview_notice(request).await.expect("foreseen").into_inner().customers.remove(0);
            assert_eq!(!foreseen.reason.contains("nobody can be told"), is_told, "{id}: {}", foreseen.reason);
            scene.approve(id).await.expect("approved");
            scene.publish(id).await.expect("published");
            if is_told {
                assert_eq!(receiver.next().await.event()["data"]["notice"]["name"], notice(id));
            }
        }
        scene.settled(&format!("notice = \"{}\"", notice("of-us")), &[("DELIVERED", 1)]).await;
        assert!(scene.recipient("of-eu", "hooked").await.send_time.is_none());
    }

    async fn what_has_no_page_is_told_without_naming_one(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        scene.customer_as("berlin", with_contacts(berlin(), &["dpo@berlin.example"])).await;
        scene.customer("hooked", Agreement { notice_method: NoticeMethod::Subscription.into(), ..general(30, 30) }).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        let own = Subscription { customer: customer("hooked"), ..Subscription::default() };
        scene.agreed("hook", &mut receiver, own).await;
        let page = "https://trust.acme.example/organizations/acme/notices/";
        for (id, change, has_page) in [("seen", add("host"), true), ("unseen", add_unseen("hidden"), false)] {
            scene.announce_for(id, vec![change], "2026-06-01T00:00:00Z").await;
            let letter = letters(&mut sink, 1).await.remove("dpo@berlin.example").expect("a mail");
            for body in [letter.text(), letter.html().replace("&#x2f;", "/")] {
                assert_eq!(body.contains(&format!("{page}{id}")), has_page, "{body}");
                assert!(!body.contains(page) || has_page, "{body}");
            }
            let event = receiver.next().await.event();
            let link = has_page.then(|| format!("{page}{id}"));
            assert_eq!(event["data"]["changes"][0]["link"].as_str(), link.as_deref(), "{event}");
        }
    }

    async fn who_gets_a_product_is_mailed_what_concerns_it_then(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        let of = |id: &str, product: &str| {
            let mut change = add(id);
            change.proposed.as_mut().expect("proposed").products = vec![product.into()];
            change
        };
        let in_eu = Customer { products: vec!["eu".into()], ..with_contacts(berlin(), &["dpo@berlin.example"]) };
        scene.customer_as("berlin", in_eu).await;
        scene.announce_for("n", vec![of("first", "eu"), of("second", "us")], "2026-06-01T00:00:00Z").await;
        let text = letters(&mut sink, 1).await["dpo@berlin.example"].text();
        assert!(text.contains("FIRST") && !text.contains("SECOND"), "{text}");
        scene.settled(&format!("notice = \"{}\"", notice("n")), &[("DELIVERED", 1)]).await;
        scene.pass_to("2026-04-01T10:00:00Z");
        let products = vec!["eu".into(), "us".into()];
        scene.update_customer(Customer { name: customer("berlin"), products, ..Customer::default() }, &["products"]).await;
        let text = letters(&mut sink, 1).await["dpo@berlin.example"].text();
        let (_, second) = text.split_once("SECOND").expect("the new one");
        assert!(second.contains("You can object until: the end of 1 May 2026 (Europe/Berlin)"), "{text}");
        scene.settled(&format!("notice = \"{}\"", notice("n")), &[("DELIVERED", 2)]).await;
        let recipient = scene.recipient("n", "berlin").await;
        let clear: Vec<String> = recipient.changes.iter().map(|change| read(change.clear_time.as_ref())).collect();
        assert_eq!(clear, ["2026-04-22T22:00:00Z", "2026-05-01T22:00:00Z"]);
        // What else is written of it tells it nothing anew.
        scene.update_customer(Customer { name: customer("berlin"), display_name: "Berlin".into(), ..Customer::default() }, &["display_name"]).await;
        scene.settled(&format!("notice = \"{}\"", notice("n")), &[("DELIVERED", 2)]).await;
    }

    async fn a_notice_is_mailed_to_the_contacts_and_starts_their_clocks(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        // A contact that is named twice, and one without an address, get no mail more.
        let two = ["dpo@berlin.example", "legal@berlin.example", "DPO@berlin.example", ""];
        scene.customer_as("berlin", with_contacts(berlin(), &two)).await;
        let arrival = Agreement { clock_start: ClockStart::Delivered.into(), ..by_mail(general(20, 10)) };
        scene.customer_as("arrival", with_contacts(arrival, &["dpo@arrival.example", "it@arrival.example"])).await;
        let strict = by_mail(specific(30, 30));
        scene.customer_as("strict", with_contacts(strict, &["dpo@strict.example", "it@strict.example"])).await;
        scene.customer_as("nowhere", with_contacts(berlin(), &[""])).await;
        let manual = Agreement { notice_method: NoticeMethod::Manual.into(), ..general(30, 30) };
        scene.customer_as("manual", with_contacts(manual, &["dpo@manual.example"])).await;
        let hooked = Agreement { notice_method: NoticeMethod::Subscription.into(), ..general(30, 30) };
        scene.customer("hooked", hooked).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        let own = Subscription { customer: customer("hooked"), ..Subscription::default() };
        scene.agreed("hook", &mut receiver, own).await;

        let draft = Notice { changes: vec![add("host")], requested_effective_time: Some(at("2026-06-01T00:00:00Z")), ..Notice::default() };
        scene.create("n", draft).await.expect("drafted");
        let request = v1::PreviewNoticeRequest { name: notice("n"), ..Default::default() };
        let foreseen = scene.server.notices.preview_notice(request).await.expect("foreseen").into_inner().customers;
        let without: Vec<&str> = foreseen.iter().filter(|one| one.reason.contains("nobody can be told")).map(|one| one.customer.as_str()).collect();
        assert_eq!(without, [customer("nowhere")]);
        scene.approve("n").await.expect("approved");
        scene.publish("n").await.expect("published");
        let first = letters(&mut sink, 6).await;
        let to = ["dpo@arrival.example", "dpo@berlin.example", "dpo@strict.example", "it@arrival.example", "it@strict.example", "legal@berlin.example"];
        assert_eq!(first.keys().map(String::as_str).collect::<Vec<_>>(), to);
        for letter in first.values() {
            assert_eq!(letter.subject(), "Acme: n");
            assert_eq!((letter.header("List-Unsubscribe"), letter.header("List-Unsubscribe-Post")), (String::new(), String::new()));
            assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
            for body in [letter.text(), letter.html().replace("&#x2f;", "/")] {
                assert!(body.contains("HOST") && body.contains("https://trust.acme.example/organizations/acme/notices/n"), "{body}");
            }
            assert!(!letter.text().to_lowercase().contains("unsubscribe"), "{}", letter.text());
        }
        let text = first["legal@berlin.example"].text();
        assert!(text.contains("You can object until: the end of 22 April 2026 (Europe/Berlin)"), "{text}");
        assert!(text.contains("From: 1 June 2026, 02:00 (Europe/Berlin)"), "{text}");
        assert!(text.contains("counts that as consent"), "{text}");
        let text = first["it@arrival.example"].text();
        assert!(text.contains("You can object until: the end of 2 April 2026 (UTC)"), "{text}");
        assert!(first["it@strict.example"].text().contains("counts that as refusal"));

        let about = format!("notice = \"{}\"", notice("n"));
        scene.settled(&about, &[("DELIVERED", 7)]).await;
        let event = receiver.next().await;
        assert_eq!(event.kind(), "notice.published");
        assert_eq!(event.event()["data"]["recipient"]["changes"][0]["clear_time"], "2026-04-23T00:00:00Z");
        for (who, count, deadline, clear) in [
            ("berlin", 2, "2026-04-22T22:00:00Z", "2026-04-22T22:00:00Z"),
            ("arrival", 2, "2026-04-03T00:00:00Z", "2026-04-13T00:00:00Z"),
            ("strict", 2, "2026-04-23T00:00:00Z", "2026-04-23T00:00:00Z"),
            ("hooked", 1, "2026-04-23T00:00:00Z", "2026-04-23T00:00:00Z"),
        ] {
            let recipient = scene.recipient("n", who).await;
            assert_eq!(told(&recipient), (NOW.to_owned(), NOW.to_owned()), "{who}");
            let proofs = receipts(&recipient);
            assert_eq!(proofs.len(), count, "{who}: {proofs:?}");
            let words = if who == "hooked" { "HTTP 200 from http://127.0.0.1" } else { "kept as sink-1" };
            assert!(proofs.iter().all(|(kind, proven, text)| *kind == Receipt::Delivered && *proven && text.contains(words)), "{proofs:?}");
            assert_eq!(scene.stands("n", who).await, all_three("PENDING", deadline, clear), "{who}");
        }
        // Who cannot be told is found, and was foreseen.
        let kinds = vec![v1::finding::Kind::NoticeUndelivered.into()];
        let request = v1::ListFindingsRequest { parent: ACME.into(), kinds, ..Default::default() };
        let found = scene.server.mechanisms.list_findings(request.clone()).await.expect("findings").into_inner().findings;
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((one.subject.as_str(), one.severity(), one.since_date.as_str()), (format!("{}/recipients/nowhere", notice("n")).as_str(), v1::finding::Severity::Critical, "2026-03-23"));
        assert!(one.text.contains("RecordDelivery") && one.text.contains("a contact with an address"), "{}", one.text);
        let by_subject = v1::ListFindingsRequest { subject: one.subject.clone(), kinds: vec![], ..request.clone() };
        let same = scene.server.mechanisms.list_findings(by_subject).await.expect("findings").into_inner().findings;
        assert_eq!(same, found);
        for who in ["nowhere", "manual"] {
            assert_eq!(told(&scene.recipient("n", who).await), (String::new(), String::new()));
            assert_eq!(scene.stands("n", who).await, all_three("PENDING", "", ""));
        }

        // Once somebody has told it, it is found no more.
        scene.record("n", "nowhere", Receipt::Sent, None).await.expect("recorded");
        let found = scene.server.mechanisms.list_findings(request).await.expect("findings").into_inner().findings;
        assert_eq!(found, []);

        // Whoever joins later is told when it is reached.
        scene.pass_to("2026-03-25T10:00:00Z");
        scene.customer_as("late", with_contacts(berlin(), &["dpo@late.example"])).await;
        let text = letters(&mut sink, 1).await["dpo@late.example"].text();
        assert!(text.contains("You can object until: the end of 24 April 2026 (Europe/Berlin)"), "{text}");
        scene.settled(&about, &[("DELIVERED", 8)]).await;
        assert_eq!(told(&scene.recipient("n", "late").await).0, "2026-03-25T10:00:00Z");

        scene.pass_to("2026-04-23T00:00:00Z");
        for (who, status) in [("berlin", "DEEMED_AUTHORIZED"), ("arrival", "DEEMED_AUTHORIZED"), ("strict", "DEEMED_DENIED"), ("hooked", "DEEMED_AUTHORIZED"), ("nowhere", "DEEMED_AUTHORIZED"), ("manual", "PENDING"), ("late", "PENDING")] {
            assert_eq!(scene.status("n", who).await, status, "{who}");
        }

        // That it is withdrawn is told to the same, and proves nothing.
        let before = scene.recipient("n", "berlin").await;
        scene.withdraw("n", &[]).await.expect("withdrawn");
        let last = letters(&mut sink, 7).await;
        for letter in last.values() {
            assert_eq!((letter.subject(), letter.header("List-Unsubscribe")), ("Acme: withdrawn: n".to_owned(), String::new()));
            assert!(letter.text().contains("thought better of it") && letter.text().contains("HOST"), "{}", letter.text());
        }
        assert_eq!(receiver.next().await.kind(), "notice.withdrawn");
        scene.settled(&about, &[("DELIVERED", 16)]).await;
        assert_eq!(receipts(&scene.recipient("n", "berlin").await), receipts(&before));
    }

    async fn what_comes_back_was_no_notice(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        for who in ["two", "noted", "slow"] {
            let addresses = [format!("a@{who}.example"), format!("b@{who}.example")];
            let addresses = addresses.each_ref().map(String::as_str);
            scene.customer_as(who, with_contacts(berlin(), &addresses)).await;
        }
        scene.announce_for("n", vec![add("host")], "2026-06-01T00:00:00Z").await;
        letters(&mut sink, 6).await;
        let about = format!("notice = \"{}\"", notice("n"));
        scene.settled(&about, &[("DELIVERED", 6)]).await;
        let published = "notice.published";
        let clear = "2026-04-22T22:00:00Z";

        // One of two: it is told still.
        scene.pass_to("2026-03-24T10:00:00Z");
        let a = scene.delivery_to("a@two.example", published).await;
        let bounced = scene.bounce(&a).await;
        assert_eq!((bounced.state(), bounced.error.as_str()), (v1::delivery::State::Bounced, "550 5.1.1 no such mailbox"));
        assert_eq!(told(&scene.recipient("n", "two").await), (NOW.to_owned(), NOW.to_owned()));
        assert_eq!(scene.stands("n", "two").await, all_three("PENDING", clear, clear));
        // Both: nobody was told, and no clock runs.
        let b = scene.delivery_to("b@two.example", published).await;
        scene.bounce(&b).await;
        let recipient = scene.recipient("n", "two").await;
        assert_eq!(told(&recipient), (String::new(), String::new()));
        assert_eq!(scene.stands("n", "two").await, all_three("PENDING", "", ""));
        let kinds: Vec<Receipt> = recipient.receipts.iter().map(v1::DeliveryReceipt::kind).collect();
        assert_eq!(kinds, [Receipt::Delivered, Receipt::Delivered, Receipt::Bounced, Receipt::Bounced]);
        // Sent again, it tells anew.
        let again = v1::RetryDeliveryRequest { name: b.name.clone(), ..Default::default() };
        scene.server.notices.retry_delivery(again).await.expect("queued");
        letters(&mut sink, 1).await;
        scene.settled(&about, &[("DELIVERED", 5), ("BOUNCED", 1)]).await;
        let day = "2026-03-24T10:00:00Z".to_owned();
        assert_eq!(told(&scene.recipient("n", "two").await), (day.clone(), day));
        assert_eq!(scene.stands("n", "two").await.2, "2026-04-23T22:00:00Z");
        scene.bounce(&b).await;
        assert_eq!(told(&scene.recipient("n", "two").await), (String::new(), String::new()));

        // Who took note was told, whatever comes back.
        let request = v1::AcknowledgeNoticeRequest { name: notice("n"), customer: customer("noted"), ..Default::default() };
        scene.server.notices.acknowledge_notice(request).await.expect("acknowledged");
        for address in ["a@noted.example", "b@noted.example"] {
            let delivery = scene.delivery_to(address, published).await;
            scene.bounce(&delivery).await;
        }
        let recipient = scene.recipient("n", "noted").await;
        assert_eq!((told(&recipient).0.as_str(), recipient.receipts.len()), (NOW, 4));
        assert_eq!(scene.stands("n", "noted").await, all_three("PENDING", clear, clear));

        // What time has decided stands.
        scene.pass_to("2026-04-23T10:00:00Z");
        for address in ["a@slow.example", "b@slow.example"] {
            let delivery = scene.delivery_to(address, published).await;
            scene.bounce(&delivery).await;
        }
        let recipient = scene.recipient("n", "slow").await;
        assert_eq!((told(&recipient).0.as_str(), recipient.receipts.len()), (NOW, 4));
        assert_eq!(scene.stands("n", "slow").await, all_three("DEEMED_AUTHORIZED", clear, clear));
        assert_eq!(scene.status("n", "two").await, "PENDING");
        assert_eq!(scene.status("n", "noted").await, "DEEMED_AUTHORIZED");
    }

    async fn the_log_does_not_keep_the_address_that_a_mail_server_repeats(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        scene.customer_as("berlin", with_contacts(berlin(), &["dpo@berlin.example"])).await;
        scene.announce_for("n", vec![add("host")], "").await;
        letters(&mut sink, 1).await;
        scene.settled("", &[("DELIVERED", 1)]).await;
        let delivery = scene.delivery_to("dpo@berlin.example", "notice.published").await;
        let report = ReportBounceRequest { diagnostic: "550 5.1.1 <dpo@berlin.example>: no such mailbox".into(), ..back(&delivery) };
        let bounced = scene.server.notices.report_bounce(report).await.expect("reported").into_inner();
        // Operators see what was said for as long as there is a delivery; the log is for good.
        assert_eq!(bounced.error, "550 5.1.1 <dpo@berlin.example>: no such mailbox");
        let recipient = scene.recipient("n", "berlin").await;
        assert_eq!(receipts(&recipient)[1].2, "550 5.1.1 <(address)>: no such mailbox");
    }

    async fn what_cannot_have_come_back_is_refused(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        scene.agreed("hook", &mut receiver, Subscription::default()).await;
        scene.customer_as("berlin", with_contacts(berlin(), &["dpo@berlin.example", "code-450-rcpt@berlin.example"])).await;
        scene.announce_for("n", vec![add_unseen("host")], "").await;
        letters(&mut sink, 1).await;
        let about = format!("notice = \"{}\"", notice("n"));
        scene.settled(&about, &[("DELIVERED", 1), ("RETRYING", 1)]).await;
        let good = scene.delivery_to("dpo@berlin.example", "notice.published").await;
        let mut report = async |request: ReportBounceRequest| scene.server.notices.report_bounce(request).await;
        for (request, code, reason, fields) in [
            (ReportBounceRequest { name: format!("{}x", good.name), ..back(&good) }, Code::NotFound, "RESOURCE_NOT_FOUND", vec![]),
            (ReportBounceRequest { name: "x".into(), ..back(&good) }, Code::InvalidArgument, "FIELD_INVALID", vec!["name"]),
            (ReportBounceRequest { name: "x".into(), diagnostic: " ".into(), ..back(&good) }, Code::InvalidArgument, "FIELD_INVALID", vec!["name", "diagnostic"]),
            (ReportBounceRequest { diagnostic: "a\u{1}".into(), ..back(&good) }, Code::InvalidArgument, "FIELD_INVALID", vec!["diagnostic"]),
            (ReportBounceRequest { event_time: Some(at("2026-03-23T09:59:59Z")), ..back(&good) }, Code::InvalidArgument, "FIELD_INVALID", vec!["event_time"]),
            (ReportBounceRequest { event_time: Some(at("2026-03-23T10:00:01Z")), ..back(&good) }, Code::InvalidArgument, "FIELD_INVALID", vec!["event_time"]),
        ] {
            refused(report(request).await, code, reason, &fields);
        }
        let waits = scene.delivery_to("code-450-rcpt@berlin.example", "notice.published").await;
        let answer = scene.server.notices.report_bounce(back(&waits)).await;
        refused(answer, Code::FailedPrecondition, "STATE_TRANSITION_REFUSED", &[]);
        let hook = scene.deliveries(&format!("subscription = \"{ACME}/subscriptions/hook\"")).await;
        let answer = scene.server.notices.report_bounce(back(hook.first().expect("a question"))).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
        // Tried so often in vain, it is given up; the customer was told by the other.
        scene.pass_to("2026-03-23T10:02:00Z");
        scene.tried(&format!("name = \"{}\"", waits.name), 2).await;
        scene.pass_to("2026-03-23T10:10:00Z");
        let dead = scene.tried(&format!("name = \"{}\"", waits.name), 3).await;
        assert_eq!((dead.state(), dead.attempts[0].status_code), (v1::delivery::State::Dead, 450));
        assert_eq!(scene.recipient("n", "berlin").await.receipts.len(), 1);
    }

    async fn without_a_mail_server_mails_wait_until_there_is_one(backend: Backend) {
        let scene = Scene::required(backend, &[]).await;
        let mut scene = scene;
        scene.customer_as("berlin", with_contacts(berlin(), &["dpo@berlin.example"])).await;
        scene.announce_for("n", vec![add("host")], "2026-06-01T00:00:00Z").await;
        let queued = scene.settled("", &[("QUEUED", 1)]).await;
        scene.pass_to("2026-04-20T10:00:00Z");
        let wait = scene.delivery_to("dpo@berlin.example", "notice.published").await;
        assert_eq!((wait.name.as_str(), wait.attempt_count), (queued[0].name.as_str(), 0));
        assert_eq!(scene.stands("n", "berlin").await, all_three("PENDING", "", ""));
        let crate::notices::scene::Scene { place, server } = scene.0;
        server.stop().await;

        let mut sink = Sink::start(&[]).await;
        let port = sink.port.to_string();
        let settings: Vec<(&str, &str)> = NEARBY.into_iter().chain([KEY]).chain(mailing(&port)).collect();
        let mut scene = Scene(crate::notices::scene::Scene { server: Server::start_with(&place, &settings).await, place });
        let text = letters(&mut sink, 1).await["dpo@berlin.example"].text();
        assert!(text.contains("You can object until: the end of 20 May 2026 (Europe/Berlin)"), "{text}");
        scene.settled("", &[("DELIVERED", 1)]).await;
        assert_eq!(told(&scene.recipient("n", "berlin").await).0, "2026-04-20T10:00:00Z");
    }

    async fn a_mail_server_that_refuses_us_refuses_nobody(backend: Backend) {
        let mut sink = Sink::start(&["--login", "registry", "right"]).await;
        let port = sink.port.to_string();
        let login = [("EMAIL__USER", "registry"), ("EMAIL__PASSWORD", "wrong")];
        let wrong: Vec<(&str, &str)> = mailing(&port).into_iter().chain(login).collect();
        let mut scene = Scene::required(backend, &wrong).await;
        scene.customer_as("berlin", with_contacts(berlin(), &["dpo@berlin.example"])).await;
        scene.announce_for("n", vec![add("host")], "2026-06-01T00:00:00Z").await;
        let waits = scene.settled("", &[("RETRYING", 1)]).await.remove(0);
        assert_eq!(waits.attempts[0].status_code, 535);
        let crate::notices::scene::Scene { place, server } = scene.0;
        server.stop().await;
        place.set_clock("2026-03-23T10:02:00Z");
        let login = [("EMAIL__USER", "registry"), ("EMAIL__PASSWORD", "right")];
        let settings: Vec<(&str, &str)> = NEARBY.into_iter().chain([KEY]).chain(mailing(&port)).chain(login).collect();
        let mut scene = Scene(crate::notices::scene::Scene { server: Server::start_with(&place, &settings).await, place });
        letters(&mut sink, 1).await;
        scene.settled("", &[("DELIVERED", 1)]).await;
    }

    async fn the_evidence_shows_what_was_delivered(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        scene.customer_as("berlin", with_contacts(berlin(), &["dpo@berlin.example"])).await;
        scene.announce_for("n", vec![add("host")], "").await;
        letters(&mut sink, 1).await;
        let delivered = scene.settled("", &[("DELIVERED", 1)]).await.remove(0);
        let mut evidence = Vec::new();
        for format in [v1::render_notice_evidence_request::Format::Json, v1::render_notice_evidence_request::Format::Html] {
            let request = v1::RenderNoticeEvidenceRequest { name: notice("n"), format: format.into(), ..Default::default() };
            evidence.push(scene.server.notices.render_notice_evidence(request).await.expect("rendered").into_inner().content);
        }
        let json: Value = serde_json::from_str(&evidence[0]).expect("JSON");
        let receipt = &json["recipients"][0]["recipient"]["receipts"][0];
        assert_eq!((receipt["kind"].as_str(), receipt["delivery"].as_str()), (Some("DELIVERED"), Some(delivered.name.as_str())));
        assert!(receipt["evidence"].as_str().is_some_and(|text| text.contains("250 2.0.0 kept as sink-1")), "{receipt}");
        assert!(evidence[1].contains("250 2.0.0 kept as sink-1") && evidence[1].contains(&delivered.event_id));
    }
}
