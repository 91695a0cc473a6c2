//! Each event arrives at each subscription: once, whatever number of replicas there is; at least once and always under the
//! same id, however often the server is killed.
//!
//! REGISTRY_DELIVERY_KILLS: how often the server is killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Child, Command, Stdio},
};

use rand::Rng;
use subprocessor_registry::proto::v1::{self, Subscription};

use super::scene::{Got, KEY, Manner, NEARBY, Receiver, Scene, webhook};
use crate::{
    notices::scene as notices,
    support::{Backend, Place, Server, both, trials},
};

/// A server in a process of its own.
struct Killed(Child);

impl Killed {
    fn start(place: &Place) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_subprocessor-registry"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", &place.url]);
        let clock = place.clock_file();
        for (key, value) in NEARBY
            .into_iter()
            .chain([KEY, ("CLOCK__FILE", clock.to_str().expect("a path"))])
            // Few at a time, so that many are left when it is killed.
            .chain([("CATALOG__LOAD", "false"), ("TELEMETRY__LOG_FILTER", "off"), ("WEBHOOK__CONCURRENCY", "4")])
        {
            command.env(format!("SUBPROCESSOR_REGISTRY__{key}"), value);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.expect("the server starts"))
    }

    fn kill(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("waited for");
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Subscriptions that have agreed, `count` of them, at paths of one receiver; one that never did, and one that has ended.
async fn subscribed(scene: &mut Scene, receiver: &mut Receiver, count: usize) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for at in 0..count + 2 {
        let id = format!("s{at}");
        let uri = format!("{}/{id}", receiver.uri());
        receiver.behave(if at == count { Manner::Mute } else { Manner::Kind });
        let wanted = Subscription { channel: webhook(&uri), ..Subscription::default() };
        let name = scene.subscribe(&id, wanted).await.expect("subscribed").name;
        assert_eq!(receiver.next().await.kind(), "subscription.verification");
        if at == count {
            scene.settled(&format!("subscription = \"{name}\""), &[("DELIVERED", 1)]).await;
            continue;
        }
        scene.until(&name, v1::subscription::State::Active).await;
        if at > count {
            let end = v1::DeleteSubscriptionRequest { name, ..Default::default() };
            scene.server.notices.delete_subscription(end).await.expect("ended");
        } else {
            names.insert(name);
        }
    }
    names
}

/// Changes of the list, by their revisions.
async fn changed(scene: &mut Scene, changes: usize) -> BTreeSet<i64> {
    let mut revisions = BTreeSet::new();
    for at in 0..changes {
        revisions.insert(scene.list(&format!("p{at}"), &[]).await.revision);
    }
    revisions
}

/// Which events arrived at which subscription, with the ids under which they did.
fn arrived(all: &[Got]) -> BTreeMap<(String, i64), Vec<String>> {
    let mut arrived: BTreeMap<(String, i64), Vec<String>> = BTreeMap::new();
    for got in all {
        let data = &got.event()["data"];
        let subscription = data["subscription"].as_str().expect("a subscription").to_owned();
        let revision = data["revision"].as_i64().expect("a revision");
        arrived.entry((subscription, revision)).or_default().push(got.header("webhook-id").to_owned());
    }
    arrived
}

fn all_pairs(subscriptions: &BTreeSet<String>, revisions: &BTreeSet<i64>) -> BTreeSet<(String, i64)> {
    subscriptions.iter().flat_map(|one| revisions.iter().map(move |revision| (one.clone(), *revision))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_send_each_event_once() {
    let mut scene = Scene::new(Backend::Postgres).await;
    let mut receiver = Receiver::start(Manner::Kind).await;
    let subscriptions = subscribed(&mut scene, &mut receiver, 6).await;
    let settings: Vec<(&str, &str)> = NEARBY.into_iter().chain([KEY]).collect();
    let mut servers = Vec::new();
    for _ in 0..2 {
        servers.push(Server::start_with(&scene.place, &settings).await);
    }
    let revisions = changed(&mut scene, 20).await;
    scene.settled("revision > 0", &[("DELIVERED", 120)]).await;
    let arrived = arrived(&receiver.all());
    assert_eq!(arrived.keys().cloned().collect::<BTreeSet<_>>(), all_pairs(&subscriptions, &revisions));
    assert!(arrived.values().all(|ids| ids.len() == 1), "{arrived:?}");
}

both! {
    async fn a_server_that_is_killed_while_it_sends_loses_nothing(backend: Backend) {
        let kills = trials("REGISTRY_DELIVERY_KILLS", 3);
        let (count, changes) = if kills > 10 { (20, 50) } else { (10, 20) };
        let mut scene = Scene::new(backend).await;
        let mut receiver = Receiver::start(Manner::Kind).await;
        let subscriptions = subscribed(&mut scene, &mut receiver, count).await;
        // All of it is refused at first, and waits.
        receiver.behave(Manner::Status(503));
        let revisions = changed(&mut scene, changes).await;
        let wanted = all_pairs(&subscriptions, &revisions);
        scene.settled("revision > 0", &[("RETRYING", wanted.len())]).await;
        let notices::Scene { place, server } = scene.0;
        server.stop().await;
        receiver.all();
        receiver.behave(Manner::Mute);
        let (mut now, mut amid, mut all) = (place_time("2026-03-24T10:00:00Z"), 0, Vec::new());
        for _ in 0..kills {
            place.set_clock(&now.to_string());
            let mut server = Killed::start(&place);
            // Any moment of sending: after so many more have arrived.
            let known = arrived(&all).len();
            let more = rand::rng().random_range(0..=Ord::max(wanted.len() / kills / 2, 1));
            while arrived(&all).len() < Ord::min(known + more, wanted.len()) {
                all.push(receiver.next().await);
            }
            server.kill();
            all.extend(receiver.all());
            amid += usize::from(arrived(&all).len() < wanted.len());
            // What was under way is due again when its lease is over.
            now = now.checked_add(jiff::SignedDuration::from_mins(5)).expect("an instant");
        }
        place.set_clock(&now.to_string());
        let settings: Vec<(&str, &str)> = NEARBY.into_iter().chain([KEY]).collect();
        let mut scene = Scene(notices::Scene { server: Server::start_with(&place, &settings).await, place });
        scene.settled("revision > 0", &[("DELIVERED", wanted.len())]).await;
        all.extend(receiver.all());
        let arrived = arrived(&all);
        assert_eq!(arrived.keys().cloned().collect::<BTreeSet<_>>(), wanted);
        for (pair, ids) in &arrived {
            assert!(ids.iter().all(|id| *id == ids[0]), "{pair:?}: {ids:?}");
        }
        let doubled = arrived.values().filter(|ids| ids.len() > 1).count();
        println!("killed {kills} times on {backend:?}, {amid} of them amid {} deliveries; {doubled} came more than once", wanted.len());
    }
}

fn place_time(text: &str) -> jiff::Timestamp {
    text.parse().expect("an instant")
}
