//! `grpc.health.v1`: whether the process lives, and whether it can serve.
//!
//! `liveness` is SERVING for as long as the process answers: restarting it mends no database, and while it stops it is
//! not dead. `readiness`, the empty name and every service by its full name are SERVING while the database answers and
//! nobody told the server to stop.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use super::served_services;
use crate::{
    error::{self, Error, Reason, Result},
    store::Store,
};

/// SERVING whatever happens.
pub(super) const LIVENESS: &str = "liveness";
/// SERVING while calls can be answered.
pub(super) const READINESS: &str = "readiness";

/// How often the database is asked while it answers, and while it does not.
const CALM: Duration = Duration::from_secs(5);
const ALERT: Duration = Duration::from_secs(1);
/// How long it may take. A call that waits longer for a connection fails too.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many answers in a row have to fail: one that is slow says nothing.
const ENOUGH: u32 = 2;

/// What the server says of its health. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
    /// Whether the server was told to stop. Locked while the status changes, so that nothing undoes the last change.
    left: Arc<Mutex<bool>>,
}

impl Health {
    /// Everything SERVING.
    pub(super) async fn new() -> Self {
        let health = Self { reporter: HealthReporter::new(), left: Arc::default() };
        health.reporter.set_service_status(LIVENESS, ServingStatus::Serving).await;
        health.report(ServingStatus::Serving).await;
        health
    }

    /// What answers the calls.
    pub(super) fn reporter(&self) -> HealthReporter {
        self.reporter.clone()
    }

    /// NOT_SERVING from here on, but alive.
    pub(super) async fn leave(&self) {
        let mut left = self.left.lock().await;
        *left = true;
        self.report(ServingStatus::NotServing).await;
    }

    /// Says whether calls can be answered, unless the server was told to stop.
    async fn ready(&self, ready: bool) {
        let left = self.left.lock().await;
        if !*left {
            self.report(if ready { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
        }
    }

    async fn report(&self, status: ServingStatus) {
        for service in served_services().chain([READINESS.to_owned(), String::new()]) {
            self.reporter.set_service_status(service, status).await;
        }
    }
}

/// Makes readiness what the database is, until the server stops.
pub async fn follow(health: Health, store: Store, stopping: CancellationToken) {
    let mut pulse = Pulse::default();
    loop {
        let answer = async {
            sleep(pulse.pause()).await;
            let late = |_| Err(Error::new(Reason::DatabaseUnavailable, "it does not answer in time"));
            timeout(PATIENCE, store.ping()).await.unwrap_or_else(late)
        };
        let answer: Result<()> = tokio::select! {
            () = stopping.cancelled() => return,
            answer = answer => answer,
        };
        let Some(ready) = pulse.beat(answer.is_ok()) else { continue };
        match answer {
            Ok(()) => tracing::info!("the database answers again: SERVING"),
            Err(error) => tracing::warn!(%error, cause = error::causes(&error), "the database is away: NOT_SERVING"),
        }
        health.ready(ready).await;
    }
}

/// How many answers of the database failed in a row.
#[derive(Debug, Default)]
struct Pulse(u32);

impl Pulse {
    /// Counts an answer. Whether calls can be answered, if that is news.
    fn beat(&mut self, answered: bool) -> Option<bool> {
        let before = self.0;
        self.0 = if answered { 0 } else { before.saturating_add(1) };
        match self.0 {
            0 => (before >= ENOUGH).then_some(true),
            ENOUGH => Some(false),
            _ => None,
        }
    }

    fn pause(&self) -> Duration {
        if self.0 == 0 { CALM } else { ALERT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_answer_is_no_news_and_each_change_is_said_once() {
        let mut pulse = Pulse::default();
        let heard: Vec<_> = [true, false, true, false, false, false, true, true]
            .map(|answered| (pulse.beat(answered), pulse.pause()))
            .into();
        assert_eq!(
            heard,
            [
                (None, CALM),
                (None, ALERT),
                (None, CALM),
                (None, ALERT),
                (Some(false), ALERT),
                (None, ALERT),
                (Some(true), CALM),
                (None, CALM),
            ]
        );
        // What counts for ever does not come around to the same number again.
        pulse.0 = u32::MAX;
        assert_eq!((pulse.beat(false), pulse.beat(true)), (None, Some(true)));
    }

    #[tokio::test]
    async fn who_was_told_to_stop_does_not_come_back() {
        let health = Health::new().await;
        health.leave().await;
        health.ready(true).await;
        let service = tonic_health::server::HealthService::from_health_reporter(health.reporter());
        for (name, status) in [(LIVENESS, 1), (READINESS, 2), ("", 2)] {
            let request = tonic_health::pb::HealthCheckRequest { service: name.to_owned() };
            let answer = tonic_health::pb::health_server::Health::check(&service, tonic::Request::new(request)).await;
            assert_eq!(answer.expect("known").into_inner().status, status, "{name}");
        }
    }
}
