//! Deliveries that are locked together are locked in the order of their names, by all who do: of two that wait for each
//! other neither would ever go on. And what a replay answers, it answers once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use subprocessor_registry::{
    call::Call,
    clock::Clock,
    error::Reason,
    proto::v1::{self, Subscription},
    rules::law::territory::Territories,
    store::{
        self, Store,
        notice::answers::Proof,
        outbox::{
            Channel,
            claim::{Outcome, Settled},
        },
    },
};

use super::scene::{Manner, Receiver, Scene};
use crate::{
    log::{raw, somebody_waits},
    notices::{
        self,
        scene::{add, general, notice},
    },
    support::{Backend, Place, both},
};

/// Two webhooks that are to be tried again, by name.
async fn two_that_failed(scene: &mut Scene, receiver: &mut Receiver) -> (Subscription, [String; 2]) {
    let subscription = scene.agreed("hook", receiver, Subscription::default()).await;
    receiver.behave(Manner::Status(500));
    for id in ["aws", "gcp"] {
        scene.list(id, &[]).await;
    }
    let mut names: Vec<String> =
        scene.settled("revision > 0", &[("RETRYING", 2)]).await.into_iter().map(|one| one.name).collect();
    names.sort();
    (subscription, names.try_into().expect("two"))
}

/// Holds the lock of a delivery.
async fn hold(place: &Place, name: &str) -> DatabaseConnection {
    let holder = raw(place).await;
    holder.execute_unprepared("BEGIN").await.expect("begun");
    let lock = format!("SELECT name FROM delivery WHERE name = '{name}' FOR UPDATE");
    holder.execute_unprepared(&lock).await.expect("locked");
    holder
}

/// While somebody waits for the second of two, it holds the first.
async fn is_held_by_who_waits(place: &Place, first: &str) {
    let other = raw(place).await;
    somebody_waits(&other).await;
    let lock = format!("SELECT name FROM delivery WHERE name = '{first}' FOR UPDATE NOWAIT");
    other.execute_unprepared(&lock).await.expect_err("it is locked already");
}

async fn opened(place: &Place) -> Store {
    let options = store::Options::new(&place.url);
    Store::open(&options, Arc::new(Clock::System), Territories::default()).await.expect("opened")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_locks_in_the_order_of_names() {
    let mut scene = Scene::new(Backend::Postgres).await;
    let mut receiver = Receiver::start(Manner::Kind).await;
    let (subscription, [first, second]) = two_that_failed(&mut scene, &mut receiver).await;
    // So that rows do not lie in the order of their names.
    let other = raw(&scene.place).await;
    other.execute_unprepared(&format!("UPDATE delivery SET error = '' WHERE name = '{first}'")).await.expect("moved");
    let holder = hold(&scene.place, &second).await;
    let replay =
        v1::ReplayDeliveriesRequest { subscription: subscription.name, from_revision: 1, ..Default::default() };
    let mut notices = scene.server.notices.clone();
    let replayed = tokio::spawn(async move { notices.replay_deliveries(replay).await });
    is_held_by_who_waits(&scene.place, &first).await;
    holder.execute_unprepared("ROLLBACK").await.expect("ended");
    assert_eq!(replayed.await.expect("joined").expect("replayed").into_inner().delivery_count, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_attempts_came_to_is_written_in_the_order_of_names() {
    let mut scene = Scene::new(Backend::Postgres).await;
    let mut receiver = Receiver::start(Manner::Kind).await;
    let (_, [first, second]) = two_that_failed(&mut scene, &mut receiver).await;
    let notices::scene::Scene { place, server } = scene.0;
    server.stop().await;
    let store = opened(&place).await;
    let mut claimed =
        store.claim(Channel::Webhook, 9, 9, HashMap::new(), Duration::from_secs(75)).await.expect("claimed");
    claimed.sort_by(|one, other| other.name.cmp(&one.name));
    assert_eq!(claimed.iter().map(|one| &one.name).collect::<Vec<_>>(), [&second, &first]);
    let attempt_time = store.clock().now();
    let settled = claimed.into_iter().map(|claimed| Settled {
        claimed,
        outcome: Outcome::Delivered,
        attempt_time,
        status_code: 200,
        error: String::new(),
        duration: Duration::ZERO,
    });
    let settled: Vec<Settled> = settled.collect();
    let holder = hold(&place, &second).await;
    let settling = tokio::spawn(async move { store.settle(settled).await });
    is_held_by_who_waits(&place, &first).await;
    holder.execute_unprepared("ROLLBACK").await.expect("ended");
    settling.await.expect("joined").expect("settled");
}

both! {
    async fn a_replay_that_is_asked_for_again_gets_the_first_answer(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        let subscription = scene.agreed("hook", &mut receiver, Subscription::default()).await;
        scene.list("aws", &[]).await;
        receiver.next().await;
        let own = format!("subscription = \"{}\" AND revision > 0", subscription.name);
        scene.settled(&own, &[("DELIVERED", 1)]).await;
        let request = v1::ReplayDeliveriesRequest {
            subscription: subscription.name.clone(),
            from_revision: 1,
            request_id: "once".into(),
            ..Default::default()
        };
        let first = scene.server.notices.replay_deliveries(request.clone()).await.expect("replayed").into_inner();
        assert_eq!(first.delivery_count, 1);
        receiver.next().await;
        assert_eq!(scene.tried(&own, 2).await.attempt_count, 2);
        scene.list("gcp", &[]).await;
        receiver.next().await;
        // Also when there is more to replay by now, and when there is nothing left to replay it to.
        let again = scene.server.notices.replay_deliveries(request.clone()).await.expect("answered").into_inner();
        assert_eq!(again, first);
        scene.list("azure", &[]).await;
        receiver.next().await;
        let mut attempts: Vec<i32> =
            scene.settled(&own, &[("DELIVERED", 3)]).await.iter().map(|one| one.attempt_count).collect();
        attempts.sort_unstable();
        assert_eq!(attempts, [1, 1, 2]);
        let end = v1::DeleteSubscriptionRequest { name: subscription.name, ..Default::default() };
        scene.server.notices.delete_subscription(end).await.expect("ended");
        let again = scene.server.notices.replay_deliveries(request).await.expect("answered").into_inner();
        assert_eq!(again, first);
    }

    async fn proofs_that_are_refused_together_change_nothing(backend: Backend) {
        let mut scene = Scene::required(backend, &[]).await;
        for id in ["a", "b"] {
            let letters = v1::Agreement { notice_method: v1::agreement::NoticeMethod::Manual.into(), ..general(30, 30) };
            scene.customer(id, letters).await;
        }
        scene.announce_for("n", vec![add("host")], "2026-06-01T00:00:00Z").await;
        let before = [scene.recipient("n", "a").await, scene.recipient("n", "b").await];
        let revision = scene.revision().await;
        let store = opened(&scene.place).await;
        let proof = |who: &str, evidence: String| Proof {
            recipient: format!("{}/recipients/{who}", notice("n")),
            delivery: format!("organizations/acme/deliveries/{who}"),
            event_time: "2026-03-23T10:00:00Z".parse().expect("an instant"),
            evidence,
        };
        // More than a resource can hold.
        let all = [proof("a", "short".to_owned()), proof("b", "long ".repeat(300_000))];
        let written = store.write(Call::internal("Outbox/RecordDeliveries"), |writer| {
            Box::pin(async move {
                writer.record_deliveries(&all).await?;
                Ok(v1::ReplayDeliveriesResponse::default())
            })
        });
        assert_eq!(written.await.expect_err("too large").reason(), Reason::RevisionTooLarge);
        assert_eq!([scene.recipient("n", "a").await, scene.recipient("n", "b").await], before);
        assert_eq!(scene.revision().await, revision);
    }
}
