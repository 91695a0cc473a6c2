//! The worker of a channel: it takes what is due, sets it under way, and writes down what it came to.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    task::{Id, JoinError, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Options, Pace,
    attempt::{Done, Follows, attempt, retry},
};
use crate::{
    call::Call,
    error::{Error, Reason, Result, causes},
    metrics::Metrics,
    notify::{channels::Channels, prepare::prepare},
    proto::v1::{ReplayDeliveriesResponse, Subscription},
    resource::name::{Kind, Name},
    store::{
        Store,
        notice::answers::Proof,
        outbox::{
            Channel,
            claim::{Claimed, Outcome, Settled},
        },
    },
    trace,
};

/// How much longer than an attempt a delivery is kept from others, so that what it came to can be written down.
const GRACE: Duration = Duration::from_secs(60);
/// How long what is under way may take when the server stops.
const LAST: Duration = Duration::from_secs(5);
/// Attempts that are written down together.
const TOGETHER: usize = 64;
/// After this an attempt takes long: others are begun in its place.
const LONG: Duration = Duration::from_secs(1);
/// Endpoints that a worker remembers.
const KNOWN: usize = 10_000;

/// The worker of a channel.
pub(super) struct Sender {
    store: Store,
    channels: Arc<Channels>,
    channel: Channel,
    pace: Pace,
    poll: Duration,
    metrics: Arc<Metrics>,
    /// One for each attempt at a time; what takes long gives it back early, and says so.
    room: Arc<Semaphore>,
    freed: Arc<Notify>,
    /// By subscription, where there is something to know.
    endpoints: HashMap<String, Endpoint>,
}

/// What a worker knows of an endpoint.
#[derive(Debug, Clone, Copy, Default)]
struct Endpoint {
    under_way: usize,
    /// Its last attempt did.
    failed: bool,
}

/// The attempts that are under way, and what they are of: also one that fails by a mistake of ours is settled.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<Done>,
    of: HashMap<Id, Claimed>,
}

impl UnderWay {
    fn spawn(&mut self, claimed: Claimed, attempt: impl Future<Output = Done> + Send + 'static) {
        let id = self.tasks.spawn(attempt).id();
        self.of.insert(id, claimed);
    }

    /// The next that has ended; of one that could not, what it was of. None: there are none.
    async fn next(&mut self) -> Option<Result<Done, Claimed>> {
        loop {
            let ended = self.tasks.join_next_with_id().await?;
            if let Some(known) = self.known(ended) {
                return Some(known);
            }
        }
    }

    /// The same, if one has ended already.
    fn next_ended(&mut self) -> Option<Result<Done, Claimed>> {
        loop {
            let ended = self.tasks.try_join_next_with_id()?;
            if let Some(known) = self.known(ended) {
                return Some(known);
            }
        }
    }

    fn known(&mut self, ended: Result<(Id, Done), JoinError>) -> Option<Result<Done, Claimed>> {
        match ended {
            Ok((id, done)) => {
                self.of.remove(&id);
                Some(Ok(done))
            }
            Err(error) => {
                tracing::error!(%error, "an attempt to deliver did not end");
                self.of.remove(&error.id()).map(Err)
            }
        }
    }
}

impl Sender {
    pub(super) fn new(
        store: &Store,
        channels: &Arc<Channels>,
        channel: Channel,
        pace: &Pace,
        options: &Options,
    ) -> Self {
        Self {
            store: store.clone(),
            channels: Arc::clone(channels),
            channel,
            pace: pace.clone(),
            poll: options.poll,
            metrics: Arc::clone(&options.metrics),
            room: Arc::new(Semaphore::new(pace.concurrency)),
            freed: Arc::new(Notify::new()),
            endpoints: HashMap::new(),
        }
    }

    pub(super) async fn run(mut self, made: &Notify, stopping: &CancellationToken) {
        let mut ticks = interval(self.poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut under_way = UnderWay::default();
        loop {
            let begun = self.begin(&mut under_way).await;
            if let Err(error) = &begun {
                tracing::warn!(%error, cause = %causes(error), "what is due could not be taken; it is tried again");
            }
            // Where all that was asked for was there, there may be more.
            let is_more = begun.is_ok_and(|full| full) && self.room(&under_way) > 0;
            let mut ended = None;
            tokio::select! {
                Some(one) = under_way.next(), if !under_way.of.is_empty() => ended = Some(one),
                _ = ticks.tick() => {}
                () = made.notified() => {}
                () = self.freed.notified() => {}
                () = std::future::ready(()), if is_more => {}
                () = stopping.cancelled() => break,
            }
            self.finish(ended, &mut under_way).await;
        }
        let all = async {
            while let Some(one) = under_way.next().await {
                self.finish(Some(one), &mut under_way).await;
            }
        };
        if timeout(LAST, all).await.is_err() {
            tracing::info!("deliveries were cut short; they are made again when their lease is over");
        }
    }

    /// How many more can be begun.
    fn room(&self, under_way: &UnderWay) -> usize {
        self.room.available_permits().min(self.pace.most.saturating_sub(under_way.of.len()))
    }

    /// Takes what is due and sets it under way; returns whether there was as much as there was room for.
    async fn begin(&mut self, under_way: &mut UnderWay) -> Result<bool> {
        let room = self.room(under_way);
        let left = self.endpoints.iter().map(|(name, known)| {
            let of_it = if known.failed { 1 } else { self.pace.of_each };
            (name.clone(), of_it.saturating_sub(known.under_way))
        });
        let lease = self.pace.timeout + GRACE;
        let claimed = self.store.claim(self.channel, room, self.pace.of_each, left.collect(), lease).await?;
        let full = room > 0 && claimed.len() == room;
        let revisions: BTreeSet<i64> = claimed.iter().map(|one| one.revision).filter(|number| *number > 0).collect();
        let traces = match revisions.len() {
            0 => HashMap::new(),
            _ => self.store.traces(&revisions.into_iter().collect::<Vec<_>>()).await?,
        };
        for (claimed, job) in prepare(&self.store, &self.channels, claimed).await? {
            let span = job.span();
            trace::join(&span, traces.get(&claimed.revision).map_or("", String::as_str));
            self.endpoints.entry(claimed.subscription.clone()).or_default().under_way += 1;
            let (channels, pace, store) = (Arc::clone(&self.channels), self.pace.clone(), self.store.clone());
            let (permit, freed) = (Arc::clone(&self.room).try_acquire_owned().ok(), Arc::clone(&self.freed));
            under_way.spawn(claimed.clone(), async move {
                let mut attempt = Box::pin(attempt(&store, &channels, &pace, claimed, job).instrument(span));
                if let Ok(done) = timeout(LONG, &mut attempt).await {
                    return done;
                }
                drop(permit);
                freed.notify_one();
                attempt.await
            });
        }
        Ok(full)
    }

    /// Writes down what attempts came to, with those that have ended since.
    async fn finish(&mut self, first: Option<Result<Done, Claimed>>, under_way: &mut UnderWay) {
        let mut done: Vec<Done> = first.map(|one| self.done(one)).into_iter().collect();
        while done.len() < TOGETHER
            && let Some(one) = under_way.next_ended()
        {
            done.push(self.done(one));
        }
        if done.is_empty() {
            return;
        }
        for one in &done {
            self.metrics.attempted(self.channel.word(), one.settled.outcome.word(), one.settled.duration);
            if let Some(endpoint) = self.endpoints.get_mut(&one.settled.claimed.subscription) {
                endpoint.under_way -= 1;
                endpoint.failed = matches!(one.settled.outcome, Outcome::Retry { .. });
            }
        }
        // Beyond a bound what is known of idle ones is forgotten, and learned again.
        let keep_idle = self.endpoints.len() <= KNOWN;
        self.endpoints.retain(|_, endpoint| endpoint.under_way > 0 || (endpoint.failed && keep_idle));
        if let Err(error) = self.record(done).await {
            // What was under way is due again when its lease is over.
            tracing::warn!(%error, cause = %causes(&error), "what deliveries came to could not be written down");
        }
    }

    /// An attempt that did not end has failed.
    fn done(&self, ended: Result<Done, Claimed>) -> Done {
        ended.unwrap_or_else(|claimed| {
            let now = self.store.clock().now();
            let outcome = retry(&self.pace, claimed.attempt_count + 1, now, None);
            Done::without(claimed, outcome, now, "the attempt did not end; the server's log has the cause".to_owned())
        })
    }

    /// Writes down what can be: what fails of one delivery keeps no other from being settled.
    async fn record(&self, done: Vec<Done>) -> Result<()> {
        let mut unproven = self.prove(&done).await;
        let mut settled = Vec::with_capacity(done.len());
        for mut one in done {
            let name = &one.settled.claimed.name;
            let unproven = unproven.remove(name);
            let followed = match Name::parse(&one.settled.claimed.subscription) {
                Some(subscription) => self.follow_up(&subscription, &one.follows).await,
                None => Ok(()),
            };
            let failed: Vec<&Error> = unproven.iter().chain(followed.as_ref().err()).collect();
            for error in &failed {
                let cause = causes(error);
                tracing::warn!(%error, cause, delivery = name, "what follows from a delivery could not be written down");
            }
            if failed.into_iter().any(passes) {
                // It is due again when its lease is over.
                continue;
            }
            if unproven.is_some() {
                // What does not count as told has not been told.
                let Settled { claimed, outcome, attempt_time, error, .. } = &mut one.settled;
                *outcome = retry(&self.pace, claimed.attempt_count + 1, *attempt_time, None);
                "it was delivered, but that could not be written down".clone_into(error);
            }
            settled.push(one.settled);
        }
        self.store.settle(settled).await
    }

    /// Writes down what counts as telling somebody, before the deliveries are over: it is never lost, and never counted twice.
    /// Returns why that failed, by delivery.
    async fn prove(&self, done: &[Done]) -> HashMap<String, Error> {
        let proofs: Vec<Proof> = done.iter().filter_map(|one| one.proof.clone()).collect();
        let mut failed = HashMap::new();
        if proofs.is_empty() || self.proven(proofs.clone()).await.is_ok() {
            return failed;
        }
        // One that is refused refuses all that are written with it.
        let mut is_away = false;
        for proof in proofs {
            let delivery = proof.delivery.clone();
            let written = match is_away {
                true => Err(Error::new(Reason::DatabaseUnavailable, "the database was away a moment ago")),
                false => self.proven(vec![proof]).await,
            };
            if let Err(error) = written {
                is_away |= passes(&error);
                failed.insert(delivery, error);
            }
        }
        failed
    }

    async fn proven(&self, proofs: Vec<Proof>) -> Result<()> {
        let call = Call::internal("Outbox/RecordDeliveries");
        let written = self.store.write(call, |writer| {
            Box::pin(async move {
                writer.record_deliveries(&proofs).await?;
                Ok(ReplayDeliveriesResponse::default())
            })
        });
        written.await.map(drop)
    }

    async fn follow_up(&self, name: &Name, follows: &Follows) -> Result<()> {
        let name = name.clone();
        if name.kind() != Kind::Subscription {
            return Ok(());
        }
        match follows {
            Follows::Nothing => Ok(()),
            Follows::Verify => {
                let call = Call::internal("Outbox/VerifySubscription");
                let verified =
                    self.store.write(call, |writer| Box::pin(async move { writer.verify_subscription(&name).await }));
                verified.await.map(drop)
            }
            Follows::Disable(reason) => {
                let (call, reason) = (Call::internal("Outbox/DisableSubscription"), reason.clone());
                let disabled = self.store.write(call, |writer| {
                    Box::pin(async move {
                        writer.disable_subscription(&name, &reason).await?;
                        Ok(Subscription::default())
                    })
                });
                disabled.await.map(drop)
            }
        }
    }
}

/// Whether a failure says nothing of what was to be written, and is over by itself.
fn passes(error: &Error) -> bool {
    matches!(
        error.reason(),
        Reason::DatabaseUnavailable | Reason::CommitOutcomeUnknown | Reason::ServerStopping | Reason::DeadlineExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_attempt_that_does_not_end_is_known_by_what_it_was_of() {
        let mut under_way = UnderWay::default();
        let mut one = Claimed::default();
        "organizations/a/subscriptions/b".clone_into(&mut one.subscription);
        under_way.spawn(one.clone(), async { panic!("a mistake of ours") });
        assert_eq!(under_way.next().await.expect("one").err(), Some(one));
        assert!(under_way.of.is_empty() && under_way.next().await.is_none());
    }
}
