//! What is particular of channels: endpoints that hang while others go on, replay, disabling, rotation, pauses.

use prost_types::FieldMask;
use subprocessor_registry::proto::v1::{
    self, DeleteSubscriptionRequest, Subscription, WebhookTarget,
    subscription::{Channel, State},
};
use tonic::Code;

use super::scene::{Manner, Receiver, Scene, secret, webhook};
use crate::{
    notices::scene::ACME,
    support::{both, refused},
};

both! {
    async fn endpoints_that_hang_slow_nobody(backend: Backend) {
        // More of them than attempts at a time, and each hangs for longer than this test waits.
        let few = [("WEBHOOK__CONCURRENCY", "2"), ("WEBHOOK__TIMEOUT_SECONDS", "60")];
        let mut scene = Scene::with(backend, &few).await;
        let mut slow = Vec::new();
        for id in ["a-slow", "b-slow", "c-failed"] {
            let mut receiver = Receiver::start(Manner::Kind).await;
            scene.agreed(id, &mut receiver, Subscription::default()).await;
            slow.push(receiver);
        }
        slow[2].behave(Manner::Status(500));
        scene.list("first", &[]).await;
        scene.settled("revision > 0", &[("DELIVERED", 2), ("RETRYING", 1)]).await;
        let mut quick = Receiver::start(Manner::Kind).await;
        scene.agreed("quick", &mut quick, Subscription::default()).await;
        for receiver in &mut slow {
            receiver.behave(Manner::Hang);
            receiver.all();
        }
        for at in 0..12 {
            scene.list(&format!("s{at}"), &[]).await;
        }
        let mut told = Vec::new();
        for _ in 0..12 {
            told.push(quick.next().await.event()["data"]["revision"].as_i64().expect("a revision"));
        }
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), 12);
        // Of one that hangs no more are under way than one endpoint may have, of one that failed only one.
        let under_way: Vec<usize> = slow.iter_mut().map(|receiver| receiver.all().len()).collect();
        assert!(under_way[0] <= 4 && under_way[1] <= 4 && under_way[2] <= 1, "{under_way:?}");
    }

    async fn an_endpoint_that_is_gone_ends_its_subscription(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        let subscription = scene.agreed("hook", &mut receiver, Subscription::default()).await;
        receiver.behave(Manner::Status(410));
        scene.list("aws", &[]).await;
        receiver.next().await;
        let disabled = scene.until(&subscription.name, State::Disabled).await;
        assert!(disabled.disable_reason.contains("410"), "{}", disabled.disable_reason);
        assert!(disabled.disable_time.is_some());
        scene.settled("state = DEAD", &[("DEAD", 1)]).await;
        receiver.behave(Manner::Kind);
        scene.list("gcp", &[]).await;
        let test = v1::TestSubscriptionRequest { name: subscription.name.clone(), ..Default::default() };
        let answer = scene.server.notices.test_subscription(test).await;
        refused(answer, Code::FailedPrecondition, "STATE_TRANSITION_REFUSED", &[]);
        let dead = scene.deliveries("state = DEAD").await.remove(0);
        let retry = v1::RetryDeliveryRequest { name: dead.name, ..Default::default() };
        let answer = scene.server.notices.retry_delivery(retry).await;
        refused(answer, Code::FailedPrecondition, "STATE_TRANSITION_REFUSED", &[]);

        // It is asked again, agrees, and gets what it missed when it is replayed.
        let again = v1::VerifySubscriptionRequest { name: subscription.name.clone(), ..Default::default() };
        scene.server.notices.verify_subscription(again).await.expect("asked");
        assert_eq!(receiver.next().await.kind(), "subscription.verification");
        scene.until(&subscription.name, State::Active).await;
        let request = v1::ReplayDeliveriesRequest {
            subscription: subscription.name.clone(),
            from_revision: 1,
            ..Default::default()
        };
        let replayed = scene.server.notices.replay_deliveries(request.clone()).await.expect("replayed").into_inner();
        assert_eq!(replayed.delivery_count, 2);
        let mut names: Vec<String> = Vec::new();
        for _ in 0..2 {
            let event = receiver.next().await.event();
            names.push(event["data"]["changes"][0]["after"]["name"].as_str().expect("a name").to_owned());
        }
        names.sort();
        assert_eq!(names, ["AWS", "GCP"]);
        for (from, to, field) in [(0, 0, "from_revision"), (3, 2, "to_revision")] {
            let bad = v1::ReplayDeliveriesRequest { from_revision: from, to_revision: to, ..request.clone() };
            let answer = scene.server.notices.replay_deliveries(bad).await;
            refused(answer, Code::InvalidArgument, "FIELD_INVALID", &[field]);
        }
        let bad = v1::ReplayDeliveriesRequest { to_revision: 1_000_000, ..request };
        refused(scene.server.notices.replay_deliveries(bad).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
    }

    async fn a_secret_is_rotated_with_an_overlap(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        let wanted = Subscription { channel: webhook(&receiver.uri()), ..Subscription::default() };
        let created = scene.subscribe("hook", wanted).await.expect("subscribed");
        let old = secret(&created);
        receiver.next().await;
        scene.until(&created.name, State::Active).await;
        let request = v1::RotateSubscriptionSecretRequest {
            name: created.name.clone(),
            overlap: "PT1H".into(),
            request_id: "once".into(),
            ..Default::default()
        };
        let rotated = scene.server.notices.rotate_subscription_secret(request.clone()).await.expect("rotated").into_inner();
        let new = secret(&rotated);
        assert!(new.starts_with("whsec_") && new != old);
        // The same request again answers the same, but for the secret.
        let again = scene.server.notices.rotate_subscription_secret(request.clone()).await.expect("again").into_inner();
        assert_eq!((again.revision, secret(&again).as_str()), (rotated.revision, ""));

        scene.list("aws", &[]).await;
        let both = receiver.next().await;
        assert!(both.verifies(&old) && both.verifies(&new));
        scene.place.set_clock("2026-03-23T11:00:00Z");
        scene.list("gcp", &[]).await;
        let one = receiver.next().await;
        assert!(!one.verifies(&old) && one.verifies(&new));

        for overlap in ["P8D", "1 hour", "-PT1H"] {
            let bad = v1::RotateSubscriptionSecretRequest {
                overlap: overlap.into(),
                request_id: String::new(),
                ..request.clone()
            };
            let answer = scene.server.notices.rotate_subscription_secret(bad).await;
            refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["overlap"]);
        }
        let short = v1::RotateSubscriptionSecretRequest {
            secret: "whsec_c2hvcnQ=".into(),
            request_id: String::new(),
            ..request
        };
        let answer = scene.server.notices.rotate_subscription_secret(short).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["secret"]);
    }

    async fn what_is_paused_or_ended_is_told_nothing(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        let subscription = scene.agreed("hook", &mut receiver, Subscription::default()).await;
        let update = |paused| v1::UpdateSubscriptionRequest {
            subscription: Some(Subscription { name: subscription.name.clone(), paused, ..Subscription::default() }),
            update_mask: Some(FieldMask { paths: vec!["paused".into()] }),
            ..Default::default()
        };
        let paused = scene.server.notices.update_subscription(update(true)).await.expect("paused").into_inner();
        assert_eq!(paused.state(), State::Paused);
        scene.list("aws", &[]).await;
        let resumed = scene.server.notices.update_subscription(update(false)).await.expect("resumed").into_inner();
        assert_eq!(resumed.state(), State::Active);
        let told = scene.list("gcp", &[]).await;
        assert_eq!(receiver.next().await.event()["data"]["revision"], told.revision);

        let end = DeleteSubscriptionRequest { name: subscription.name.clone(), ..Default::default() };
        scene.server.notices.delete_subscription(end).await.expect("ended");
        scene.list("azure", &[]).await;
        let back = v1::UndeleteSubscriptionRequest { name: subscription.name.clone(), ..Default::default() };
        let back = scene.server.notices.undelete_subscription(back).await.expect("back").into_inner();
        assert_eq!(back.state(), State::PendingVerification);
        assert_eq!(receiver.next().await.kind(), "subscription.verification");
        scene.until(&subscription.name, State::Active).await;
        assert!(receiver.all().is_empty());
    }

    async fn what_a_subscription_must_not_be_is_refused(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let to = |uri: &str| Subscription { channel: webhook(uri), ..Subscription::default() };
        let good = "https://example.com/hook";
        let with = |channel: WebhookTarget| Subscription { channel: Some(Channel::Webhook(channel)), ..Subscription::default() };
        let cases: [(Subscription, &[&str]); 9] = [
            (Subscription::default(), &["subscription.webhook"]),
            (to(""), &["subscription.webhook.uri"]),
            (to("ftp://example.com"), &["subscription.webhook.uri"]),
            (to("https://169.254.169.254/latest"), &["subscription.webhook.uri"]),
            (to("https://user:pw@example.com/"), &["subscription.webhook.uri"]),
            (with(WebhookTarget { uri: good.into(), secret: "whsec_x".into(), ..Default::default() }), &["subscription.webhook.secret"]),
            (Subscription { event_types: vec!["x".into()], ..to(good) }, &["subscription.event_types[0]"]),
            (
                Subscription { customer: format!("{ACME}/customers/a"), event_types: vec!["delivery.dead".into()], ..to(good) },
                &["subscription.event_types[0]"],
            ),
            (Subscription { products: vec!["nope".into()], ..to(good) }, &["subscription.products[0]"]),
        ];
        for (subscription, fields) in cases {
            let answer = scene.subscribe("bad", subscription.clone()).await;
            refused(answer, Code::InvalidArgument, "FIELD_INVALID", fields);
        }
        let stranger = Subscription { customer: format!("{ACME}/customers/none"), ..to(good) };
        refused(scene.subscribe("bad", stranger).await, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[]);
        // There is no mail server.
        let email = v1::EmailTarget { address: "a@example.com".into() };
        let mail = Subscription { channel: Some(Channel::Email(email)), ..Subscription::default() };
        refused(scene.subscribe("bad", mail).await, Code::FailedPrecondition, "CHANNEL_NOT_CONFIGURED", &[]);

        let subscription = scene.subscribe("hook", to(good)).await.expect("subscribed");
        let moved = v1::UpdateSubscriptionRequest {
            subscription: Some(Subscription { name: subscription.name.clone(), ..to("https://example.org/") }),
            ..Default::default()
        };
        let answer = scene.server.notices.update_subscription(moved).await;
        assert_eq!(answer.expect_err("it cannot move").code(), Code::InvalidArgument);
        let request = v1::GetDeliveryRequest { name: format!("{ACME}/deliveries/none") };
        let answer = scene.server.notices.get_delivery(request).await;
        refused(answer, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        for name in ["", "x", "organizations/acme/deliveries/", "organizations/acme/notices/x"] {
            let request = v1::GetDeliveryRequest { name: name.into() };
            refused(scene.server.notices.get_delivery(request).await, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
        }
    }

    async fn nobody_subscribes_to_an_organization_that_is_gone(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let hook = || Subscription { channel: webhook("http://127.0.0.1/hook"), ..Subscription::default() };
        let known = scene.subscribe("hook", hook()).await.expect("subscribed");
        let delete = DeleteSubscriptionRequest { name: known.name.clone(), ..Default::default() };
        scene.server.notices.delete_subscription(delete).await.expect("deleted");
        let delete = v1::DeleteOrganizationRequest { name: ACME.into(), ..Default::default() };
        scene.server.organizations.delete_organization(delete).await.expect("deleted");
        refused(scene.subscribe("other", hook()).await, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[]);
        let undelete = v1::UndeleteSubscriptionRequest { name: known.name.clone(), ..Default::default() };
        let answer = scene.server.notices.undelete_subscription(undelete.clone()).await;
        refused(answer, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[]);
        // With it they come back.
        let back = v1::UndeleteOrganizationRequest { name: ACME.into(), ..Default::default() };
        scene.server.organizations.undelete_organization(back).await.expect("undeleted");
        scene.server.notices.undelete_subscription(undelete).await.expect("undeleted");
    }
}
