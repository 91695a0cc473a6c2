//! Objections are told to the organization alone, each by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use subprocessor_registry::proto::v1::{self, NoticeChange, Subprocessor, Subscription};

use super::scene::{Got, Manner, Receiver, Scene};
use crate::{
    notices::scene::{add, customer, general, notice, proposal},
    support::both,
};

/// The objections that events tell of, by the ids of the events, with their outcomes.
async fn told(receiver: &mut Receiver, kind: &str, count: usize) -> BTreeMap<String, (String, String)> {
    let mut told = BTreeMap::new();
    for _ in 0..count {
        let got = receiver.next().await;
        assert_eq!(got.kind(), kind);
        let objection = &got.event()["data"]["objection"];
        let text = |field: &str| objection[field].as_str().unwrap_or_default().to_owned();
        told.insert(got.header("webhook-id").to_owned(), (text("name"), text("outcome")));
    }
    told
}

fn about(got: &Got) -> (String, Value) {
    (got.kind(), got.event()["data"]["objection"].clone())
}

both! {
    async fn an_objection_is_told_to_the_organization_alone_and_each_by_itself(backend: Backend) {
        let mut scene = Scene::required(backend, &[]).await;
        for who in ["a", "b", "c"] {
            scene.customer(who, general(30, 30)).await;
        }
        let (mut own, mut public, mut other) =
            (Receiver::start(Manner::Kind).await, Receiver::start(Manner::Kind).await, Receiver::start(Manner::Kind).await);
        let types = ["objection.lodged", "objection.resolved"].map(str::to_owned).to_vec();
        let internal = scene.agreed("own", &mut own, Subscription { event_types: types, ..Subscription::default() }).await;
        scene.agreed("public", &mut public, Subscription::default()).await;
        let of_another = Subscription { customer: customer("c"), ..Subscription::default() };
        scene.agreed("other", &mut other, of_another).await;
        let listed = NoticeChange { proposed: Some(Subprocessor { listed: true, ..proposal("host") }), ..add("host") };
        let replayed_from = scene.announce_for("n", vec![listed], "2026-06-01T00:00:00Z").await.revision;
        let name = |id: &str| format!("{}/objections/{id}", notice("n"));
        scene.object("n", "a", "one").await.expect("lodged");
        scene.object("n", "b", "two").await.expect("lodged");
        let mut all = told(&mut own, "objection.lodged", 2).await;
        let lodged: BTreeSet<String> = all.values().map(|(name, _)| name.clone()).collect();
        assert_eq!(lodged, BTreeSet::from([name("one"), name("two")]));

        // One revision ends both.
        scene.withdraw("n", &[]).await.expect("withdrawn");
        let resolved = told(&mut own, "objection.resolved", 2).await;
        let ended: BTreeSet<(String, String)> = resolved.values().cloned().collect();
        let outcome = || "CHANGE_WITHDRAWN".to_owned();
        assert_eq!(ended, BTreeSet::from([(name("one"), outcome()), (name("two"), outcome())]));
        all.extend(resolved);
        for receiver in [&mut public, &mut other] {
            for kind in ["notice.published", "notice.withdrawn"] {
                assert_eq!(about(&receiver.next().await), (kind.to_owned(), Value::Null));
            }
        }

        // They are sent again under their ids.
        scene.settled("revision > 0", &[("DELIVERED", 8)]).await;
        let request = v1::ReplayDeliveriesRequest {
            subscription: internal.name,
            from_revision: replayed_from,
            ..Default::default()
        };
        let replayed = scene.server.notices.replay_deliveries(request).await.expect("replayed").into_inner();
        assert_eq!(replayed.delivery_count, 4);
        for _ in 0..4 {
            let got = own.next().await;
            let known = all.remove(got.header("webhook-id")).expect("an id that was sent before");
            assert_eq!(got.event()["data"]["objection"]["name"], known.0);
        }
    }
}
