//! Webhooks: agreed to, signed, sent until they arrive, given up, sent again.

use subprocessor_registry::proto::v1::{self, Subscription, subscription::State};
use tonic::Code;

use super::scene::{Manner, Receiver, Scene, secret, webhook};
use crate::support::{both, refused};

both! {
    async fn a_webhook_is_asked_first_and_then_told(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let mut receiver = Receiver::start(Manner::Mute).await;
        let wanted = Subscription { channel: webhook(&receiver.uri()), ..Subscription::default() };
        let subscription = scene.subscribe("hook", wanted).await.expect("subscribed");
        let shown = secret(&subscription);
        assert!(shown.starts_with("whsec_"), "{shown}");
        assert_eq!(subscription.state(), State::PendingVerification);
        // The secret is shown once.
        assert_eq!(secret(&scene.subscription(&subscription.name).await), "");

        // Whoever does not agree is told nothing.
        let question = receiver.next().await;
        assert!(question.verifies(&shown));
        scene.list("aws", &[]).await;
        scene.settled("", &[("DELIVERED", 1)]).await;
        assert_eq!(receiver.all().len(), 0);

        // The token of the question agrees as well as its echo.
        let token = question.event()["data"]["challenge"].as_str().expect("a challenge").to_owned();
        let name = subscription.name.clone();
        let wrong = v1::VerifySubscriptionRequest { name: name.clone(), token: "x".into(), ..Default::default() };
        let answer = scene.server.notices.verify_subscription(wrong).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["token"]);
        let right = v1::VerifySubscriptionRequest { name: name.clone(), token, ..Default::default() };
        let verified = scene.server.notices.verify_subscription(right).await.expect("verified").into_inner();
        assert_eq!(verified.state(), State::Active);
        assert!(verified.verify_time.is_some());

        let listed = scene.list("stripe", &[]).await;
        let told = receiver.next().await;
        assert_eq!(told.kind(), "list.changed");
        assert!(told.verifies(&shown));
        assert_eq!(told.header("content-type"), "application/cloudevents+json; charset=utf-8");
        let event = told.event();
        assert_eq!(event["data"]["revision"], listed.revision);
        assert_eq!(event["data"]["changes"][0]["kind"], "ADDED");
        assert_eq!(event["data"]["changes"][0]["after"]["name"], "STRIPE");
        assert_eq!(event["id"], told.header("webhook-id"));
        let delivered = scene.settled("", &[("DELIVERED", 2)]).await;
        let last = delivered.last().expect("a delivery");
        assert_eq!((last.event_type.as_str(), last.revision), ("list.changed", listed.revision));
        assert_eq!(last.event_id, told.header("webhook-id"));
        assert_eq!((last.attempt_count, last.attempts.len(), last.attempts[0].status_code), (1, 1, 204));
    }

    async fn what_fails_is_tried_again_with_its_id_and_then_given_up(backend: Backend) {
        let schedule = ("WEBHOOK__RETRY_SCHEDULE_SECONDS", "5,300");
        let mut scene = Scene::with(backend, &[schedule, ("WEBHOOK__RETRY_JITTER", "0.0")]).await;
        let (mut receiver, mut watcher) = (Receiver::start(Manner::Kind).await, Receiver::start(Manner::Kind).await);
        let own = Subscription { event_types: vec!["delivery.dead".into()], ..Subscription::default() };
        scene.agreed("watcher", &mut watcher, own).await;
        let subscription = scene.agreed("hook", &mut receiver, Subscription::default()).await;
        receiver.behave(Manner::Status(500));
        scene.list("aws", &[]).await;
        let first = receiver.next().await;
        let filter = format!("subscription = \"{}\" AND revision > 0", subscription.name);
        let retrying = scene.settled(&filter, &[("RETRYING", 1)]).await;
        assert_eq!(retrying[0].next_attempt_time.map(|time| time.seconds), Some(1_774_260_005));
        assert_eq!(retrying[0].attempts[0].status_code, 500);

        scene.place.set_clock("2026-03-23T10:00:05Z");
        let second = receiver.next().await;
        assert_eq!(second.header("webhook-id"), first.header("webhook-id"));
        // Receivers compare it with their own clocks, whatever time the server is told to have.
        let sent: Vec<i64> = [&first, &second].iter().map(|one| one.header("webhook-timestamp").parse().expect("seconds")).collect();
        let now = jiff::Timestamp::now().as_second();
        assert!(sent[0] <= sent[1] && sent[1] <= now && sent[0] > now - 60, "{sent:?} at {now}");
        assert!(second.verifies(&secret(&subscription)) && first.verifies(&secret(&subscription)));
        assert_eq!(second.body, first.body);
        scene.tried(&filter, 2).await;
        // An endpoint cannot ask for more attempts than there are.
        receiver.behave(Manner::Busy(3600));
        scene.place.set_clock("2026-03-23T10:05:06Z");
        receiver.next().await;
        let dead = scene.settled(&filter, &[("DEAD", 1)]).await;
        assert_eq!(dead[0].attempt_count, 3);
        let told = watcher.next().await;
        assert_eq!(told.kind(), "delivery.dead");

        receiver.behave(Manner::Mute);
        let retry = v1::RetryDeliveryRequest { name: dead[0].name.clone(), ..Default::default() };
        let queued = scene.server.notices.retry_delivery(retry.clone()).await.expect("queued").into_inner();
        assert_eq!(queued.state(), v1::delivery::State::Queued);
        assert_eq!(receiver.next().await.header("webhook-id"), first.header("webhook-id"));
        scene.settled(&filter, &[("DELIVERED", 1)]).await;
        let again = scene.server.notices.retry_delivery(retry).await;
        refused(again, Code::FailedPrecondition, "STATE_TRANSITION_REFUSED", &[]);
    }
}
