//! Subscriptions by mail: agreed to first, told what is public, ended by a link, forgotten when it is erased.

use subprocessor_registry::proto::v1::{
    self, Contact, Customer, EmailTarget, Subscription,
    agreement::NoticeMethod,
    subscription::{Channel, State},
};
use tonic::Code;

use super::{
    mail::{letters, mailing, posted},
    scene::Scene,
};
use crate::{
    notices::scene::{ACME, add, add_unseen, change, customer, general, notice},
    sink::{Kept, Sink},
    support::{both, refused},
};

const PAGES: &str = "https://trust.acme.example/organizations/acme/subscriptions";

/// A subscription of an address.
pub fn email(address: &str) -> Subscription {
    let channel = Some(Channel::Email(EmailTarget { address: address.into() }));
    Subscription { channel, ..Subscription::default() }
}

/// The token of the link in a mail that leads to a page of a subscription.
fn token(text: &str, id: &str, page: &str) -> String {
    let link = format!("{PAGES}/{id}/{page}?token=");
    let (_, rest) = text.split_once(&link).unwrap_or_else(|| panic!("no {link} in {text}"));
    rest.chars().take_while(|one| one.is_ascii_alphanumeric() || matches!(one, '-' | '_')).collect()
}

/// Subscribes an address that agrees.
pub async fn agreed(scene: &mut Scene, sink: &mut Sink, id: &str, wanted: Subscription) -> Subscription {
    let subscription = scene.subscribe(id, wanted).await.expect("subscribed");
    let question = sink.kept().await;
    let request = v1::VerifySubscriptionRequest {
        name: subscription.name.clone(),
        token: token(&question.text(), id, "confirm"),
        ..Default::default()
    };
    scene.server.notices.verify_subscription(request).await.expect("verified").into_inner()
}

/// What one who unsubscribes with one click is offered.
fn assert_can_be_ended(letter: &Kept, id: &str) {
    let header = letter.header("List-Unsubscribe");
    let link = header.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).expect("a link");
    assert!(link.starts_with(&format!("{PAGES}/{id}/unsubscribe?token=")), "{link}");
    assert_eq!(letter.header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    assert!(letter.text().contains(link), "{}", letter.text());
}

both! {
    async fn an_address_is_asked_first_and_then_told_what_is_public(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        let subscription = scene.subscribe("jo", email("jo+lists@reader.example")).await.expect("subscribed");
        assert_eq!(subscription.state(), State::PendingVerification);
        let question = sink.kept().await;
        assert_eq!(question.to(), "jo+lists@reader.example");
        assert_eq!((question.header("List-Unsubscribe"), question.header("List-Unsubscribe-Post")), (String::new(), String::new()));
        let text = question.text();
        assert!(text.contains("do nothing"), "{text}");
        let token = token(&text, "jo", "confirm");

        // Before it has agreed it gets nothing.
        scene.list("before", &[]).await;
        let name = subscription.name.clone();
        let test = v1::TestSubscriptionRequest { name: name.clone(), ..Default::default() };
        refused(scene.server.notices.test_subscription(test.clone()).await, Code::FailedPrecondition, "STATE_TRANSITION_REFUSED", &[]);
        let wrong = v1::VerifySubscriptionRequest { name: name.clone(), token: format!("{token}x"), ..Default::default() };
        refused(scene.server.notices.verify_subscription(wrong).await, Code::InvalidArgument, "FIELD_INVALID", &["token"]);
        assert_eq!(scene.subscription(&name).await.state(), State::PendingVerification);
        let right = v1::VerifySubscriptionRequest { name: name.clone(), token, ..Default::default() };
        let verified = scene.server.notices.verify_subscription(right).await.expect("verified").into_inner();
        assert_eq!(verified.state(), State::Active);

        let tested = scene.server.notices.test_subscription(test).await.expect("queued").into_inner();
        let letter = sink.kept().await;
        assert!(letter.subject().starts_with("Test: "), "{}", letter.subject());
        assert_can_be_ended(&letter, "jo");
        assert_eq!(letter.id(), format!("{}@acme.example", tested.event_id));

        scene.list("stripe", &[]).await;
        let letter = sink.kept().await;
        assert_eq!(letter.subject(), "Acme: the list of sub-processors has changed");
        assert!(letter.text().contains("STRIPE") && !letter.text().contains("BEFORE"), "{}", letter.text());
        assert_can_be_ended(&letter, "jo");

        // A notice about what is not on the public list is none of its business.
        scene.announce_for("hidden", vec![add_unseen("hidden")], "").await;
        // Of one about both, only what is.
        let moved = v1::Subprocessor { purposes: vec!["Payments".into()], ..Default::default() };
        let widened = change(v1::notice_change::Kind::ChangePurpose, "stripe", moved, &["purposes"]);
        scene.announce_for("n", vec![add("shown"), add_unseen("secret"), widened], "2026-05-01T00:00:00Z").await;
        let letter = sink.kept().await;
        assert_eq!(letter.subject(), "Acme: n");
        let text = letter.text();
        assert!(text.contains("SHOWN") && text.contains("STRIPE") && !text.contains("SECRET"), "{text}");
        assert!(text.contains("https://trust.acme.example/organizations/acme/notices/n"), "{text}");
        assert_can_be_ended(&letter, "jo");

        // Nor is that what it was not told of is withdrawn.
        scene.withdraw("n", &["c2"]).await.expect("withdrawn");
        scene.withdraw("n", &["c3"]).await.expect("withdrawn");
        let letter = sink.kept().await;
        assert_eq!(letter.subject(), "Acme: withdrawn: n");
        let text = letter.text();
        assert!(text.contains("STRIPE") && !text.contains("SHOWN") && !text.contains("SECRET"), "{text}");
        assert_can_be_ended(&letter, "jo");

        scene.pass_to("2026-05-01T00:00:00Z");
        scene.revision().await;
        let letter = sink.kept().await;
        assert_eq!(letter.subject(), "Acme: now in effect: n");
        assert!(letter.text().contains("SHOWN"), "{}", letter.text());
        assert_can_be_ended(&letter, "jo");
        scene.settled("", &[("DELIVERED", 6)]).await;
    }

    async fn what_is_held_back_from_a_customer_is_not_mailed_to_it_as_in_effect(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        for id in ["cleared", "objects"] {
            scene.customer(id, v1::Agreement { notice_method: NoticeMethod::Subscription.into(), ..general(10, 10) }).await;
            let own = Subscription { customer: customer(id), ..email(&format!("{id}@reader.example")) };
            agreed(&mut scene, &mut sink, id, own).await;
        }
        scene.announce_for("n", vec![add("host")], "2026-05-01T00:00:00Z").await;
        letters(&mut sink, 2).await;
        let about = format!("notice = \"{}\"", notice("n"));
        scene.settled(&about, &[("DELIVERED", 2)]).await;
        scene.object("n", "objects", "o").await.expect("lodged");
        scene.pass_to("2026-05-01T00:00:00Z");
        scene.revision().await;
        let letter = letters(&mut sink, 1).await.remove("cleared@reader.example").expect("a mail");
        assert_eq!(letter.subject(), "Acme: now in effect: n");
        scene.settled(&about, &[("DELIVERED", 3), ("DROPPED", 1)]).await;
    }

    async fn a_mail_that_does_not_count_as_telling_names_no_deadline(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        let days = |method: NoticeMethod| v1::Agreement { notice_method: method.into(), ..general(10, 10) };
        for (id, method) in [("letters", NoticeMethod::Manual), ("mails", NoticeMethod::Subscription)] {
            scene.customer(id, days(method)).await;
            let own = Subscription { customer: customer(id), ..email(&format!("{id}@reader.example")) };
            agreed(&mut scene, &mut sink, id, own).await;
        }
        scene.announce_for("n", vec![add("host")], "2026-05-01T00:00:00Z").await;
        let told = letters(&mut sink, 2).await;
        let until = |who: &str| told[&format!("{who}@reader.example")].text().contains("You can object until: ");
        assert_eq!((until("letters"), until("mails")), (false, true));
        assert!(scene.recipient("n", "letters").await.start_time.is_none());
    }

    async fn what_the_mail_server_says_decides(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        // It is asked while it can be reached, and then moves: the sink knows addresses by what they begin with.
        for (id, address) in [("soft", "code-451-rcpt@reader.example"), ("hard", "code-550-rcpt@reader.example"), ("spam", "code-554-data@reader.example")] {
            let made = scene.subscribe(id, email(address)).await.expect("subscribed");
            let waits = scene.tried(&format!("subscription = \"{}\"", made.name), 1).await;
            let state = if id == "soft" { v1::delivery::State::Retrying } else { v1::delivery::State::Dead };
            assert_eq!(waits.state(), state, "{id}: {waits:?}");
            // A question that fails disables nothing: there is nothing yet.
            assert_eq!(scene.subscription(&made.name).await.state(), State::PendingVerification);
        }
        let customer_of = |address: &str| Customer {
            contacts: vec![Contact { email: address.into(), ..Contact::default() }],
            agreement: Some(v1::Agreement { notice_method: NoticeMethod::EmailToContacts.into(), ..general(30, 30) }),
            ..Customer::default()
        };
        scene.customer_as("gone", customer_of("code-550-rcpt@gone.example")).await;
        scene.customer_as("here", customer_of("dpo@here.example")).await;
        scene.announce_for("n", vec![add("host")], "").await;
        letters(&mut sink, 1).await;
        scene.settled(&format!("notice = \"{}\"", notice("n")), &[("DELIVERED", 1), ("DEAD", 1)]).await;
        assert!(scene.recipient("n", "gone").await.send_time.is_none());
        assert!(scene.recipient("n", "here").await.send_time.is_some());
    }

    async fn an_address_that_is_gone_ends_its_subscription(backend: Backend) {
        let mut sink = Sink::start(&["--moods"]).await;
        let port = sink.port.to_string();
        let mut scene = Scene::required(backend, &mailing(&port)).await;
        let jo = agreed(&mut scene, &mut sink, "jo", email("jo@reader.example")).await;
        assert_eq!(jo.state(), State::Active);

        // What is refused for now is sent again, as the same mail.
        sink.mood("451").await;
        scene.list("one", &[]).await;
        let of_jo = format!("subscription = \"{}\" AND revision > 0", jo.name);
        let waits = scene.tried(&of_jo, 1).await;
        assert_eq!((waits.state(), waits.attempts[0].status_code), (v1::delivery::State::Retrying, 451));
        let next = waits.next_attempt_time.expect("a time").seconds - 1_774_260_000;
        assert!((54..=66).contains(&next), "{next}");
        sink.mood("").await;
        scene.pass_to("2026-03-23T10:01:10Z");
        let letter = sink.kept().await;
        assert_eq!(letter.id(), format!("{}@acme.example", waits.event_id));
        scene.settled(&of_jo, &[("DELIVERED", 1)]).await;

        // That a message, or we, are refused says nothing of the address.
        for (at, mood) in ["554 data", "550 5.1.1 data"].into_iter().enumerate() {
            sink.mood(mood).await;
            scene.list(&format!("two{at}"), &[]).await;
            scene.settled(&of_jo, &[("DELIVERED", 1), ("DEAD", at + 1)]).await;
            assert_eq!(scene.subscription(&jo.name).await.state(), State::Active, "{mood}");
        }
        let ours = ["550 5.7.1", "530 5.7.0 mail", "550 5.1.8 mail"];
        for (at, mood) in ours.into_iter().enumerate() {
            sink.mood(mood).await;
            scene.list(&format!("ours{at}"), &[]).await;
            scene.settled(&of_jo, &[("DELIVERED", 1), ("DEAD", 2), ("RETRYING", at + 1)]).await;
            assert_eq!(scene.subscription(&jo.name).await.state(), State::Active, "{mood}");
        }
        sink.mood("").await;
        scene.pass_to("2026-03-23T10:02:30Z");
        for _ in ours {
            sink.kept().await;
        }
        scene.settled(&of_jo, &[("DELIVERED", 4), ("DEAD", 2)]).await;

        sink.mood("550").await;
        scene.list("three", &[]).await;
        let disabled = scene.until(&jo.name, State::Disabled).await;
        assert!(disabled.disable_reason.contains("550") || disabled.disable_reason.contains("said the sink"), "{}", disabled.disable_reason);
        scene.settled(&of_jo, &[("DELIVERED", 4), ("DEAD", 3)]).await;
        sink.mood("").await;
        scene.list("four", &[]).await;

        // It is asked again, and agrees again; then its mail comes back.
        let ask = v1::VerifySubscriptionRequest { name: jo.name.clone(), ..Default::default() };
        scene.server.notices.verify_subscription(ask).await.expect("asked");
        let question = sink.kept().await;
        let token = token(&question.text(), "jo", "confirm");
        let yes = v1::VerifySubscriptionRequest { name: jo.name.clone(), token, ..Default::default() };
        scene.server.notices.verify_subscription(yes).await.expect("verified");
        scene.list("five", &[]).await;
        assert!(sink.kept().await.text().contains("FIVE"));
        scene.settled(&of_jo, &[("DELIVERED", 5), ("DEAD", 3)]).await;
        let last = scene.deliveries(&of_jo).await.into_iter().rfind(|one| one.state() == v1::delivery::State::Delivered).expect("one");
        let soft = v1::ReportBounceRequest { name: last.name.clone(), diagnostic: "mailbox full".into(), ..Default::default() };
        scene.server.notices.report_bounce(soft.clone()).await.expect("reported");
        assert_eq!(scene.subscription(&jo.name).await.state(), State::Active);
        scene.list("six", &[]).await;
        sink.kept().await;
        scene.settled(&of_jo, &[("DELIVERED", 5), ("DEAD", 3), ("BOUNCED", 1)]).await;
        let last = scene.deliveries(&of_jo).await.pop().expect("one");
        let hard = v1::ReportBounceRequest { name: last.name, permanent: true, ..soft };
        scene.server.notices.report_bounce(hard).await.expect("reported");
        let disabled = scene.subscription(&jo.name).await;
        assert_eq!((disabled.state(), disabled.disable_reason.as_str()), (State::Disabled, "mail to it came back: mailbox full"));
    }

    async fn what_is_erased_leaves_no_address_behind(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        let jo = agreed(&mut scene, &mut sink, "jo", email("jo@person.example")).await;
        let contact = |email: &str| Contact { email: email.into(), ..Contact::default() };
        let jane = Customer {
            contacts: vec![contact("jane@person.example"), contact("code-550-rcpt@person.example"), contact("code-451-rcpt@person.example")],
            agreement: Some(v1::Agreement { notice_method: NoticeMethod::EmailToContacts.into(), ..general(30, 30) }),
            ..Customer::default()
        };
        let jane = scene.customer_as("jane", jane).await;
        scene.list("aws", &[]).await;
        scene.announce_for("n", vec![add_unseen("host")], "2026-06-01T00:00:00Z").await;
        letters(&mut sink, 2).await;
        scene.settled("", &[("DELIVERED", 3), ("DEAD", 1), ("RETRYING", 1)]).await;
        let recipient = scene.recipient("n", "jane").await;
        assert!(recipient.send_time.is_some());
        assert!(!recipient.receipts[0].evidence.contains("jane"), "{}", recipient.receipts[0].evidence);

        // Of one that stays, what it still is stays, and is sent.
        let erase = |name: &str| v1::ErasePersonalDataRequest { name: name.into(), reason: "asked".into(), ..Default::default() };
        let left = Customer { contacts: vec![contact("code-451-rcpt@person.example")], ..jane.clone() };
        scene.update_customer(Customer { etag: String::new(), ..left }, &["contacts"]).await;
        scene.server.log.erase_personal_data(erase(&jane.name)).await.expect("erased");
        let own = scene.deliveries(&format!("customer = \"{}\"", customer("jane"))).await;
        let mut endpoints: Vec<&str> = own.iter().map(|one| one.endpoint.as_str()).collect();
        endpoints.sort_unstable();
        assert_eq!(endpoints, ["", "", "code-451-rcpt@person.example"]);

        // Of one that goes, nothing.
        let end = v1::DeleteSubscriptionRequest { name: jo.name.clone(), ..Default::default() };
        scene.server.notices.delete_subscription(end).await.expect("ended");
        let end = v1::DeleteCustomerRequest { name: jane.name.clone(), ..Default::default() };
        scene.server.organizations.delete_customer(end).await.expect("ended");
        for name in [&jo.name, &jane.name] {
            scene.server.log.erase_personal_data(erase(name)).await.expect("erased");
        }
        for one in scene.deliveries("").await {
            let one = scene.server.notices.get_delivery(v1::GetDeliveryRequest { name: one.name }).await.expect("a delivery").into_inner();
            assert!(!format!("{one:?}").contains("person.example"), "{one:?}");
        }
        // What was to be tried again is not.
        scene.pass_to("2026-03-23T11:00:00Z");
        scene.settled("", &[("DELIVERED", 3), ("DEAD", 1), ("DROPPED", 1)]).await;
        let verified = scene.server.log.verify_change_log(v1::VerifyChangeLogRequest::default()).await.expect("looked at").into_inner();
        assert!(verified.verified, "{verified:?}");
        assert!(jo.name.starts_with(ACME));
    }
}
