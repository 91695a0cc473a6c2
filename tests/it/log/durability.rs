//! That "acknowledged" means "on disk". kill -9 cannot show a missing fsync, so the database is asked.

use std::sync::Arc;

use sea_orm::ConnectionTrait;
use subprocessor_registry::{
    clock::Clock,
    rules::law::territory::Territories,
    store::{Options, Store},
};

use super::{is_postgres, raw};
use crate::support::{Backend, Place, both, fresh};

async fn settings(place: &Place) -> Vec<(String, String)> {
    let store =
        Store::open(&Options::new(&place.url), Arc::new(Clock::System), Territories::default()).await.expect("opened");
    store.durability().await.expect("asked").into_iter().collect()
}

fn value<'a>(settings: &'a [(String, String)], name: &str) -> &'a str {
    settings.iter().find(|(one, _)| one == name).map_or("", |(_, value)| value)
}

both! {
    async fn the_writer_waits_for_the_disk(backend: Backend) {
        let (place, _server) = fresh(backend).await;
        let settings = settings(&place).await;
        if is_postgres(&place) {
            assert_eq!(value(&settings, "synchronous_commit"), "on");
            assert!(["on", "off"].contains(&value(&settings, "fsync")), "it is asked, and warned of: {settings:?}");
        } else {
            // 2 = FULL: in WAL mode the only one that keeps every acknowledged commit through a loss of power.
            assert_eq!(value(&settings, "synchronous"), "2");
            assert_eq!(value(&settings, "journal_mode"), "wal");
            assert_eq!(value(&settings, "foreign_keys"), "1");
            assert_eq!(value(&settings, "secure_delete"), "1");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_that_would_not_wait_is_told_to() {
    let place = Place::new(Backend::Postgres).await;
    let db = raw(&place).await;
    let name = place.url.rsplit_once('/').expect("a URL").1;
    db.execute_unprepared(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await.expect("set");
    assert_eq!(value(&settings(&place).await, "synchronous_commit"), "on");
    // Waiting for more than its own disk is the operator's to ask for.
    db.execute_unprepared(&format!("ALTER DATABASE {name} SET synchronous_commit = remote_apply")).await.expect("set");
    assert_eq!(value(&settings(&place).await, "synchronous_commit"), "remote_apply");
}
