//! What can be mended is tried again, and what is over is written down, whatever else fails.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use subprocessor_registry::{
    clock::Clock,
    error::{Error, Reason},
    proto::v1::{self, Agreement, Contact, Customer, Subscription, agreement::NoticeMethod, delivery::State},
    rules::law::territory::Territories,
    store::{
        self, Store,
        outbox::{
            Channel,
            claim::{Outcome, Settled},
        },
    },
};

use super::{
    mail::{letters, mailing, posted},
    scene::{Got, KEY, Manner, NEARBY, Receiver, Scene, webhook},
};
use crate::{
    notices::{
        self,
        scene::{ACME, add, customer, general, notice},
    },
    sink::Sink,
    support::{Backend, Place, Server, both},
};

const OTHER_KEY: (&str, &str) = ("SECRETS__KEY", "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=");
const SCHEDULE: [(&str, &str); 2] = [("WEBHOOK__RETRY_SCHEDULE_SECONDS", "60,60"), ("WEBHOOK__RETRY_JITTER", "0.0")];

/// A customer that is told by mail.
fn with_contact(address: &str) -> Customer {
    Customer {
        contacts: vec![Contact { email: address.into(), ..Contact::default() }],
        agreement: Some(Agreement { notice_method: NoticeMethod::EmailToContacts.into(), ..general(30, 30) }),
        ..Customer::default()
    }
}

/// Another name for the organization.
async fn renamed(scene: &mut Scene, display_name: &str) {
    let acme = v1::Organization { name: ACME.into(), display_name: display_name.into(), ..Default::default() };
    let update = v1::UpdateOrganizationRequest { organization: Some(acme), ..Default::default() };
    scene.server.organizations.update_organization(update).await.expect("updated");
}

/// Nothing is left of something but what it is now.
async fn erased(scene: &mut Scene, name: &str) {
    let erase = v1::ErasePersonalDataRequest { name: name.into(), reason: "asked".into(), ..Default::default() };
    let erased = scene.server.log.erase_personal_data(erase).await.expect("erased").into_inner();
    assert!(erased.versions_erased > 0 && erased.current_version_kept, "{erased:?}");
}

both! {
    async fn a_key_that_is_not_the_one_it_was_kills_no_webhook(backend: Backend) {
        let mut scene = Scene::with(backend, &SCHEDULE).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        let subscription = scene.agreed("hook", &mut receiver, Subscription::default()).await;
        let mut scene = scene.restarted(&[&[OTHER_KEY][..], &SCHEDULE].concat()).await;
        scene.list("aws", &[]).await;
        let filter = format!("subscription = \"{}\" AND revision > 0", subscription.name);
        let waits = scene.tried(&filter, 1).await;
        assert_eq!(waits.state(), State::Retrying, "{waits:?}");
        assert!(waits.attempts[0].error.contains("secrets.key"), "{waits:?}");
        let mut scene = scene.restarted(&[&[KEY][..], &SCHEDULE].concat()).await;
        scene.place.set_clock("2026-03-23T10:01:01Z");
        assert_eq!(receiver.next().await.kind(), "list.changed");
        scene.settled(&filter, &[("DELIVERED", 1)]).await;
    }

    async fn a_template_that_fails_kills_no_mail_before_its_time_and_then_it_is_told(backend: Backend) {
        let sink = Sink::start(&[]).await;
        let port = sink.port.to_string();
        let templates = tempfile::tempdir().expect("a directory");
        let source = "Subject: x\n\n{{ title }}{% if title == \"broken\" %}{{ nothing }}{% endif %}\n";
        std::fs::write(templates.path().join("notice_published.txt"), source).expect("written");
        let folder = templates.path().display().to_string();
        let settings = [&mailing(&port)[..], &[("EMAIL__TEMPLATES_DIR", folder.as_str())]].concat();
        let mut scene = Scene::required(backend, &settings).await;
        let mut watcher = Receiver::start(Manner::Kind).await;
        let own = Subscription { event_types: vec!["delivery.dead".into()], ..Subscription::default() };
        scene.agreed("watcher", &mut watcher, own).await;
        scene.customer_as("berlin", with_contact("dpo@berlin.example")).await;
        scene.announce_for("broken", vec![add("host")], "2026-06-01T00:00:00Z").await;
        let filter = format!("notice = \"{}\" AND revision > 0", notice("broken"));
        let waits = scene.tried(&filter, 1).await;
        assert_eq!(waits.state(), State::Retrying, "{waits:?}");
        scene.pass_to("2026-03-23T10:01:10Z");
        scene.tried(&filter, 2).await;
        scene.pass_to("2026-03-23T10:07:00Z");
        let dead = scene.tried(&filter, 3).await;
        assert_eq!(dead.state(), State::Dead);
        let told = watcher.next().await;
        assert_eq!(told.kind(), "delivery.dead");
        let data = &told.event()["data"];
        assert_eq!(data["notice"], notice("broken"));
        let which = serde_json::json!({
            "name": dead.name,
            "subscription": "",
            "customer": customer("berlin"),
            "event_type": "notice.published",
        });
        assert_eq!(data["delivery"], which);
    }

    async fn what_is_given_up_is_told_also_where_the_server_is_killed_right_after(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let (mut receiver, mut watcher) = (Receiver::start(Manner::Kind).await, Receiver::start(Manner::Kind).await);
        let own = Subscription { event_types: vec!["delivery.dead".into()], ..Subscription::default() };
        scene.agreed("watcher", &mut watcher, own).await;
        scene.agreed("hook", &mut receiver, Subscription::default()).await;
        receiver.behave(Manner::Status(500));
        scene.list("aws", &[]).await;
        scene.settled("revision > 0", &[("RETRYING", 1)]).await;
        let notices::scene::Scene { place, server } = scene.0;
        server.stop().await;
        // It writes down what became of the last attempt, and nothing else.
        let store = Store::open(&store::Options::new(&place.url), Arc::new(Clock::System), Territories::default()).await.expect("opened");
        let claimed = store.claim(Channel::Webhook, 9, 9, HashMap::new(), Duration::from_secs(75)).await.expect("claimed");
        assert_eq!(claimed.len(), 1);
        let dead = claimed.into_iter().map(|claimed| Settled {
            claimed,
            outcome: Outcome::Dead,
            attempt_time: store.clock().now(),
            status_code: 500,
            error: "answered 500".to_owned(),
            duration: Duration::ZERO,
        });
        store.settle(dead.collect()).await.expect("settled");
        drop(store);
        place.set_clock("2099-01-01T00:00:00Z");
        let settings: Vec<(&str, &str)> = NEARBY.into_iter().chain([KEY]).collect();
        let _server = Server::start_with(&place, &settings).await;
        let told = watcher.next().await;
        assert_eq!((told.kind().as_str(), &told.event()["data"]["delivery"]["event_type"]), ("delivery.dead", &"list.changed".into()));
    }

    async fn what_was_erased_is_told_as_it_is_by_now(backend: Backend) {
        let mut scene = Scene::required(backend, &SCHEDULE).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        let hook = scene.agreed("hook", &mut receiver, Subscription::default()).await;
        receiver.behave(Manner::Status(500));
        scene.announce_for("n", vec![add("host")], "2026-06-01T00:00:00Z").await;
        let filter = format!("subscription = \"{}\" AND revision > 0", hook.name);
        scene.settled(&filter, &[("RETRYING", 1)]).await;
        scene.pass_to("2026-06-01T00:00:00Z");
        scene.settled(&filter, &[("RETRYING", 2)]).await;
        renamed(&mut scene, "Acme Group").await;
        for name in [ACME, &notice("n")] {
            erased(&mut scene, name).await;
        }
        receiver.all();
        receiver.behave(Manner::Kind);
        scene.pass_to("2026-06-01T00:02:00Z");
        scene.settled(&filter, &[("DELIVERED", 2)]).await;
        let told = receiver.all();
        assert_eq!(told.iter().map(Got::kind).collect::<BTreeSet<_>>(), BTreeSet::from(["notice.effective".into(), "notice.published".into()]));
        for event in told.iter().map(Got::event) {
            assert_eq!(event["data"]["organization"]["display_name"], "Acme Group", "{event}");
            assert_eq!((&event["data"]["notice"]["name"], &event["data"]["changes"][0]["change"]), (&notice("n").into(), &"c1".into()), "{event}");
        }
        // Nor does what is replayed get lost.
        scene.list("aws", &[]).await;
        assert_eq!(receiver.next().await.kind(), "list.changed");
        let revision = scene.revision().await;
        renamed(&mut scene, "Acme Holding").await;
        erased(&mut scene, ACME).await;
        let replay = v1::ReplayDeliveriesRequest { subscription: hook.name, from_revision: revision, ..Default::default() };
        scene.server.notices.replay_deliveries(replay).await.expect("replayed");
        assert_eq!(receiver.next().await.event()["data"]["organization"]["display_name"], "Acme Holding");
    }

    async fn an_answer_that_comes_after_the_end_of_its_subscription_is_written_down(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let mut receiver = Receiver::start(Manner::Held).await;
        let wanted = Subscription { channel: webhook(&receiver.uri()), ..Subscription::default() };
        let subscription = scene.subscribe("hook", wanted).await.expect("subscribed");
        assert_eq!(receiver.next().await.kind(), "subscription.verification");
        let end = v1::DeleteSubscriptionRequest { name: subscription.name.clone(), ..Default::default() };
        scene.server.notices.delete_subscription(end).await.expect("ended");
        receiver.release();
        let settled = scene.settled(&format!("subscription = \"{}\"", subscription.name), &[("DELIVERED", 1)]).await;
        assert_eq!(settled[0].attempt_count, 1);
    }

    async fn what_is_sent_together_tells_each_organization_of_itself(backend: Backend) {
        // Both are asked before the first look at what is due.
        let mut scene = Scene::with(backend, &[("SCHEDULE__POLL_INTERVAL_MS", "3000")]).await;
        crate::support::organization(&mut scene.server, "other").await;
        let mut receiver = Receiver::start(Manner::Mute).await;
        let parents = ["organizations/acme", "organizations/other"];
        for parent in parents {
            let request = v1::CreateSubscriptionRequest {
                parent: parent.into(),
                subscription: Some(Subscription { channel: webhook(&receiver.uri()), ..Subscription::default() }),
                ..Default::default()
            };
            scene.server.notices.create_subscription(request).await.expect("subscribed");
        }
        for _ in parents {
            let data = receiver.next().await.event()["data"].clone();
            let whose = data["organization"]["name"].as_str().expect("an organization");
            assert!(data["subscription"].as_str().is_some_and(|name| name.starts_with(&format!("{whose}/"))), "{data}");
        }
    }

    async fn what_is_withdrawn_is_not_mailed_as_published_afterwards(backend: Backend) {
        let mut sink = Sink::start(&["--moods"]).await;
        let port = sink.port.to_string();
        let mut scene = Scene::required(backend, &mailing(&port)).await;
        scene.customer_as("berlin", with_contact("dpo@berlin.example")).await;
        sink.mood("451").await;
        scene.announce_for("n", vec![add("host")], "2026-06-01T00:00:00Z").await;
        let filter = format!("notice = \"{}\"", notice("n"));
        scene.settled(&filter, &[("RETRYING", 1)]).await;
        sink.mood("").await;
        scene.withdraw("n", &[]).await.expect("withdrawn");
        assert_eq!(letters(&mut sink, 1).await["dpo@berlin.example"].subject(), "Acme: withdrawn: n");
        scene.settled(&filter, &[("DELIVERED", 1), ("RETRYING", 1)]).await;
        scene.pass_to("2026-03-23T10:02:00Z");
        let settled = scene.settled(&filter, &[("DELIVERED", 1), ("DROPPED", 1)]).await;
        let dropped = settled.iter().find(|one| one.state() == State::Dropped).expect("one");
        assert!(dropped.error.contains("withdrawn"), "{dropped:?}");
    }

    async fn what_is_withdrawn_in_part_is_told_afterwards_as_it_stands(backend: Backend) {
        let mut sink = Sink::start(&["--moods"]).await;
        let port = sink.port.to_string();
        let mut scene = Scene::required(backend, &mailing(&port)).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        scene.agreed("hook", &mut receiver, Subscription::default()).await;
        scene.customer_as("berlin", with_contact("dpo@berlin.example")).await;
        scene.customer_as("boston", Customer { products: vec!["us".into()], ..with_contact("dpo@boston.example") }).await;
        let (mut stays, mut goes) = (add("stays"), add("goes"));
        for (change, product) in [(&mut stays, "eu"), (&mut goes, "us")] {
            change.proposed.as_mut().expect("proposed").products = vec![product.into()];
        }
        sink.mood("451").await;
        receiver.behave(Manner::Status(500));
        scene.announce_for("n", vec![stays, goes], "2026-06-01T00:00:00Z").await;
        assert_eq!(receiver.next().await.event()["data"]["changes"].as_array().map(Vec::len), Some(2));
        let filter = format!("notice = \"{}\"", notice("n"));
        scene.settled(&filter, &[("RETRYING", 3)]).await;
        sink.mood("").await;
        receiver.behave(Manner::Kind);
        scene.withdraw("n", &["c2"]).await.expect("withdrawn");
        for letter in letters(&mut sink, 2).await.values() {
            assert_eq!(letter.subject(), "Acme: withdrawn: n");
        }
        assert_eq!(receiver.next().await.kind(), "notice.withdrawn");
        scene.settled(&filter, &[("DELIVERED", 3), ("RETRYING", 3)]).await;
        scene.pass_to("2026-03-23T10:02:00Z");
        let letter = letters(&mut sink, 1).await.remove("dpo@berlin.example").expect("a mail");
        assert_eq!(letter.subject(), "Acme: n");
        assert!(letter.text().contains("STAYS") && !letter.text().contains("GOES"), "{}", letter.text());
        let event = receiver.next().await.event();
        let changes = event["data"]["changes"].as_array().expect("changes");
        assert_eq!((changes.len(), &changes[0]["change"]), (1, &"c1".into()), "{event}");
        // Of what concerns the other nothing stands.
        let settled = scene.settled(&filter, &[("DELIVERED", 5), ("DROPPED", 1)]).await;
        let dropped = settled.iter().find(|one| one.state() == State::Dropped).expect("one");
        assert_eq!(dropped.endpoint, "dpo@boston.example");
    }

    async fn who_is_a_customer_no_more_is_not_told_afterwards(backend: Backend) {
        let mut sink = Sink::start(&["--moods"]).await;
        let port = sink.port.to_string();
        let mut scene = Scene::required(backend, &mailing(&port)).await;
        for id in ["stays", "leaves"] {
            scene.customer_as(id, with_contact(&format!("dpo@{id}.example"))).await;
        }
        sink.mood("451").await;
        scene.announce_for("n", vec![add("host")], "2026-06-01T00:00:00Z").await;
        let filter = format!("notice = \"{}\"", notice("n"));
        scene.settled(&filter, &[("RETRYING", 2)]).await;
        sink.mood("").await;
        let end = v1::DeleteCustomerRequest { name: customer("leaves"), ..Default::default() };
        scene.server.organizations.delete_customer(end).await.expect("ended");
        scene.pass_to("2026-03-23T10:02:00Z");
        assert_eq!(letters(&mut sink, 1).await["dpo@stays.example"].subject(), "Acme: n");
        let settled = scene.settled(&filter, &[("DELIVERED", 1), ("DROPPED", 1)]).await;
        let dropped = settled.iter().find(|one| one.state() == State::Dropped).expect("one");
        assert_eq!((dropped.error.as_str(), dropped.attempt_count), ("the customer is deleted", 1));
    }

    async fn what_is_tried_again_and_given_up_again_is_told_again(backend: Backend) {
        let mut scene = Scene::with(backend, &[("WEBHOOK__RETRY_SCHEDULE_SECONDS", "60"), ("WEBHOOK__RETRY_JITTER", "0.0")]).await;
        let (mut receiver, mut watcher) = (Receiver::start(Manner::Kind).await, Receiver::start(Manner::Kind).await);
        let own = Subscription { event_types: vec!["delivery.dead".into()], ..Subscription::default() };
        scene.agreed("watcher", &mut watcher, own).await;
        let hook = scene.agreed("hook", &mut receiver, Subscription::default()).await;
        receiver.behave(Manner::Status(500));
        scene.list("aws", &[]).await;
        let filter = format!("subscription = \"{}\" AND revision > 0", hook.name);
        scene.tried(&filter, 1).await;
        scene.place.set_clock("2026-03-23T10:01:01Z");
        let mut told = Vec::new();
        for attempts in [2, 3] {
            let dead = scene.tried(&filter, attempts).await;
            assert_eq!(dead.state(), State::Dead);
            let news = watcher.next().await;
            assert_eq!((news.kind().as_str(), &news.event()["data"]["delivery"]["name"]), ("delivery.dead", &dead.name.clone().into()));
            told.push(news.header("webhook-id").to_owned());
            let retry = v1::RetryDeliveryRequest { name: dead.name, ..Default::default() };
            scene.server.notices.retry_delivery(retry).await.expect("queued");
        }
        assert_ne!(told[0], told[1]);
    }

    async fn a_long_title_is_cut_in_the_subject_and_whole_in_the_mail(backend: Backend) {
        let (mut scene, mut sink) = posted(backend).await;
        scene.customer_as("berlin", with_contact("dpo@berlin.example")).await;
        let title = "Auftragsverarbeiter für Größeres ".repeat(30).trim().to_owned();
        assert!(title.len() > 1_000, "{}", title.len());
        let long = v1::Notice { title: title.clone(), changes: vec![add("host")], ..v1::Notice::default() };
        scene.announce("n", long).await;
        let letter = letters(&mut sink, 1).await.remove("dpo@berlin.example").expect("a mail");
        let subject = letter.subject();
        assert!(subject.starts_with("Acme: Auftragsverarbeiter für") && subject.ends_with('…'), "{subject}");
        assert!(subject.chars().count() <= 200, "{subject}");
        assert!(letter.text().contains(&title) && letter.html().contains(&title), "{}", letter.text());
        scene.settled("", &[("DELIVERED", 1)]).await;
    }
}

/// Without a key there is nothing to sign with: only PostgreSQL has no folder to keep one in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_webhooks_wait_until_there_is_one() {
    let mut scene = Scene::with(Backend::Postgres, &[]).await;
    let mut receiver = Receiver::start(Manner::Kind).await;
    let subscription = scene.agreed("hook", &mut receiver, Subscription::default()).await;
    let mut scene = scene.restarted(&[]).await;
    scene.list("aws", &[]).await;
    let filter = format!("subscription = \"{}\" AND revision > 0", subscription.name);
    scene.settled(&filter, &[("QUEUED", 1)]).await;
    let mut scene = scene.restarted(&[KEY]).await;
    assert_eq!(receiver.next().await.kind(), "list.changed");
    assert_eq!(scene.settled(&filter, &[("DELIVERED", 1)]).await[0].attempt_count, 1);
}

async fn connected(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("connected")
}

async fn said(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.expect(sql);
}

/// What a statement fails with is worth another try.
async fn passes(db: &DatabaseConnection, sql: &str) {
    let error = Error::from(db.execute_unprepared(sql).await.expect_err(sql));
    assert_eq!(error.reason(), Reason::DatabaseUnavailable, "{sql}: {error:?}");
}

#[tokio::test]
async fn what_passes_by_itself_is_told_from_what_does_not() {
    let place = Place::new(Backend::Sqlite).await;
    let url = format!("{}?mode=rwc", place.url);
    let (one, other) = (connected(&url).await, connected(&url).await);
    said(&other, "PRAGMA busy_timeout = 0").await;
    said(&one, "BEGIN IMMEDIATE").await;
    passes(&other, "BEGIN IMMEDIATE").await;

    let place = Place::new(Backend::Postgres).await;
    let (one, other) = (connected(&place.url).await, connected(&place.url).await);
    said(&one, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    said(&other, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT a FROM t").await;
    said(&one, "UPDATE t SET a = 2").await;
    passes(&other, "UPDATE t SET a = 3").await;
    said(&other, "ROLLBACK").await;
    said(&one, "BEGIN; LOCK TABLE t").await;
    said(&other, "SET lock_timeout = 1").await;
    passes(&other, "UPDATE t SET a = 3").await;
    said(&other, "SET statement_timeout = 1").await;
    passes(&other, "SELECT pg_sleep(10)").await;
    let wrong = Error::from(other.execute_unprepared("SELECT nothing FROM nowhere").await.expect_err("wrong"));
    assert_eq!(wrong.reason(), Reason::Internal);
}
