//! The outbox's workers: one follows the log, and one for each channel sends what is due ([`sender`]), an attempt at a time
//! ([`attempt`]).
//!
//! Every replica has them all; the store sees to it that each revision is followed once and each delivery is under way in one
//! place at a time. A worker holds a bounded number of deliveries, and a smaller one for each endpoint: one alone for an endpoint
//! that failed last. An attempt that takes long makes room for others, so endpoints that hang take none but their own time,
//! also where there are more of them than attempts at a time.

mod attempt;
mod sender;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use self::sender::Sender;
use super::channels::Channels;
use crate::{
    error::causes,
    metrics::Metrics,
    store::{Store, outbox::Channel},
};

/// How deliveries are tried.
#[derive(Debug, Clone)]
pub struct Options {
    /// By HTTP.
    pub webhook: Pace,
    /// By SMTP.
    pub email: Pace,
    /// How often what is due is looked for.
    pub poll: Duration,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

/// How deliveries of one channel are tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// How long to wait after each attempt that failed; after the last the delivery is dead.
    pub schedule: Vec<Duration>,
    /// How far a wait may be from the schedule, as a share of it.
    pub jitter: f64,
    /// How many are under way at a time, without those that take long.
    pub concurrency: usize,
    /// How many with them.
    pub most: usize,
    /// How many of them to one endpoint.
    pub of_each: usize,
    /// How long an attempt may take.
    pub timeout: Duration,
}

impl Pace {
    /// When what failed is tried again, after `attempts` of them; none: it is given up. An endpoint that asks for more time gets
    /// it.
    fn next(&self, attempts: i32, now: Timestamp, asked: Option<Duration>, chance: f64) -> Option<Timestamp> {
        let index = usize::try_from(attempts.max(1) - 1).ok()?;
        let wait = self.schedule.get(index)?;
        let wait = wait.mul_f64(1.0 + self.jitter * (2.0 * chance - 1.0));
        let wait = SignedDuration::try_from(wait.max(asked.unwrap_or_default())).ok()?;
        now.checked_add(wait).ok()
    }
}

/// Runs the workers until `stopping` is cancelled.
pub async fn run(store: Store, channels: Arc<Channels>, options: Options, stopping: CancellationToken) {
    let made = Arc::new(Notify::new());
    let sender = |channel, pace| Sender::new(&store, &channels, channel, pace, &options);
    let (webhooks, mails) = (sender(Channel::Webhook, &options.webhook), sender(Channel::Email, &options.email));
    // Without a key to sign with webhooks wait until there is one, and mails without a mail server.
    let webhooks = async {
        if channels.sealer.is_some() {
            webhooks.run(&made, &stopping).await;
        }
    };
    let mails = async {
        if channels.mail.is_some() {
            mails.run(&made, &stopping).await;
        }
    };
    tokio::join!(follow(&store, options.poll, &made, &stopping), webhooks, mails);
}

/// Follows the log.
async fn follow(store: &Store, poll: Duration, made: &Notify, stopping: &CancellationToken) {
    let mut head = store.heads();
    let mut ticks = interval(poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = head.changed() => if changed.is_err() { return },
            () = stopping.cancelled() => return,
        }
        loop {
            match store.follow().await {
                Ok(true) if !stopping.is_cancelled() => made.notify_waiters(),
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, cause = %causes(&error), "the log could not be followed; it is tried again");
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_the_schedule_with_jitter_and_what_the_endpoint_asks_for() {
        let seconds = |list: &[u64]| list.iter().map(|one| Duration::from_secs(*one)).collect::<Vec<_>>();
        let pace = Pace {
            schedule: seconds(&[5, 300, 1800]),
            jitter: 0.1,
            concurrency: 1,
            most: 1,
            of_each: 1,
            timeout: Duration::from_secs(15),
        };
        let now = Timestamp::UNIX_EPOCH;
        let after = |attempts, asked: Option<u64>, chance| {
            pace.next(attempts, now, asked.map(Duration::from_secs), chance).map(|at| at.as_millisecond())
        };
        assert_eq!(after(1, None, 0.5), Some(5_000));
        assert_eq!(after(1, None, 0.0), Some(4_500));
        assert_eq!(after(2, None, 1.0), Some(330_000));
        assert_eq!(after(3, None, 0.5), Some(1_800_000));
        assert_eq!(after(4, None, 0.5), None);
        assert_eq!(after(1, Some(120), 0.5), Some(120_000));
        assert_eq!(after(2, Some(120), 0.5), Some(300_000));
        // An endpoint cannot ask for one more attempt than there is.
        assert_eq!(after(4, Some(120), 0.5), None);
    }
}
