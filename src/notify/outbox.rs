//! The outbox's workers: one follows the log, and one for each channel sends what is due.
//!
//! Every replica has them all; the store sees to it that each revision is followed once and each delivery is under way in one
//! place at a time. A worker holds a bounded number of deliveries, and a smaller one for each endpoint: one alone for an endpoint
//! that failed last. An attempt that takes long makes room for others, so endpoints that hang take none but their own time,
//! also where there are more of them than attempts at a time.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{
    channels::Channels,
    email::Sent,
    prepare::{Job, prepare},
    webhook::{Attempt, Outcome as Answer},
};
use crate::{
    call::Call,
    error::{Result, causes},
    metrics::Metrics,
    proto::v1::{ReplayDeliveriesResponse, Subscription},
    resource::name::{Kind, Name},
    rules::event,
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

/// What a mail server says of an address, and not of the message (RFC 5321 section 4.2.3): there is no such mailbox.
const NO_MAILBOX: [u16; 3] = [550, 551, 553];
/// Unless it says that it is its policy (RFC 3463 section 3.8): that is about us.
const POLICY: &str = "5.7.";

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

/// What became of an attempt, and what follows from it for others.
struct Done {
    settled: Settled,
    /// It counts as telling a recipient.
    proof: Option<Proof>,
    follows: Follows,
}

/// What follows for the subscription.
enum Follows {
    Nothing,
    /// Its other end has agreed.
    Verify,
    /// Its other end is gone, and why.
    Disable(String),
}

/// Runs the workers until `stopping` is cancelled.
pub async fn run(store: Store, channels: Arc<Channels>, options: Options, stopping: CancellationToken) {
    let made = Arc::new(Notify::new());
    let sender = |channel, pace: &Pace| Sender {
        store: store.clone(),
        channels: Arc::clone(&channels),
        channel,
        pace: pace.clone(),
        poll: options.poll,
        metrics: Arc::clone(&options.metrics),
        room: Arc::new(Semaphore::new(pace.concurrency)),
        freed: Arc::new(Notify::new()),
        endpoints: HashMap::new(),
    };
    let (webhooks, mails) = (sender(Channel::Webhook, &options.webhook), sender(Channel::Email, &options.email));
    // Without a mail server mails wait until there is one.
    let mails = async {
        if channels.mail.is_some() {
            mails.run(&made, &stopping).await;
        }
    };
    tokio::join!(follow(&store, options.poll, &made, &stopping), webhooks.run(&made, &stopping), mails);
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

/// The worker of a channel.
struct Sender {
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

impl Sender {
    async fn run(mut self, made: &Notify, stopping: &CancellationToken) {
        let mut ticks = interval(self.poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut under_way: JoinSet<Done> = JoinSet::new();
        loop {
            let begun = self.begin(&mut under_way).await;
            if let Err(error) = &begun {
                tracing::warn!(%error, cause = %causes(error), "what is due could not be taken; it is tried again");
            }
            // Where all that was asked for was there, there may be more.
            let is_more = begun.is_ok_and(|full| full) && self.room(&under_way) > 0;
            let mut done = Vec::new();
            tokio::select! {
                Some(one) = under_way.join_next(), if !under_way.is_empty() => done.extend(one.ok()),
                _ = ticks.tick() => {}
                () = made.notified() => {}
                () = self.freed.notified() => {}
                () = std::future::ready(()), if is_more => {}
                () = stopping.cancelled() => break,
            }
            self.finish(done, &mut under_way).await;
        }
        let all = async {
            while let Some(one) = under_way.join_next().await {
                self.finish(one.ok().into_iter().collect(), &mut JoinSet::new()).await;
            }
        };
        if timeout(LAST, all).await.is_err() {
            tracing::info!("deliveries were cut short; they are made again when their lease is over");
        }
    }

    /// How many more can be begun.
    fn room(&self, under_way: &JoinSet<Done>) -> usize {
        self.room.available_permits().min(self.pace.most.saturating_sub(under_way.len()))
    }

    /// Takes what is due and sets it under way; returns whether there was as much as there was room for.
    async fn begin(&mut self, under_way: &mut JoinSet<Done>) -> Result<bool> {
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
            under_way.spawn(async move {
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
    async fn finish(&mut self, mut done: Vec<Done>, under_way: &mut JoinSet<Done>) {
        while done.len() < TOGETHER
            && let Some(one) = under_way.try_join_next()
        {
            done.extend(one.ok());
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

    async fn record(&self, done: Vec<Done>) -> Result<()> {
        let proofs: Vec<Proof> = done.iter().filter_map(|one| one.proof.clone()).collect();
        if !proofs.is_empty() {
            // Before the delivery is over: what counts as telling somebody is never lost, and never counted twice.
            let call = Call::internal("Outbox/RecordDeliveries");
            self.store
                .write(call, |writer| {
                    Box::pin(async move {
                        writer.record_deliveries(&proofs).await?;
                        Ok(ReplayDeliveriesResponse::default())
                    })
                })
                .await?;
        }
        for one in &done {
            let Some(name) = Name::parse(&one.settled.claimed.subscription) else { continue };
            self.follow_up(&name, &one.follows).await?;
        }
        let mut dead = Vec::new();
        let settled: Vec<Settled> = done.into_iter().map(|one| one.settled).collect();
        let given_up: Vec<Claimed> =
            settled.iter().filter(|one| one.outcome == Outcome::Dead).map(|one| one.claimed.clone()).collect();
        let own = self.store.settle(settled).await?;
        dead.extend(given_up.into_iter().filter(|one| own.contains(&one.name)));
        if !dead.is_empty() {
            self.store.tell_of_dead(&dead).await?;
        }
        Ok(())
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

/// Makes one attempt.
async fn attempt(store: &Store, channels: &Channels, pace: &Pace, claimed: Claimed, job: Job) -> Done {
    let attempt_time = store.clock().now();
    match job {
        Job::Drop(reason) => Done {
            settled: Settled {
                claimed,
                outcome: Outcome::Dropped,
                attempt_time,
                status_code: 0,
                error: reason,
                duration: Duration::ZERO,
            },
            proof: None,
            follows: Follows::Nothing,
        },
        Job::Webhook { uri, keys, body, challenge } => {
            let trace = trace::current();
            let trace = Some(trace.as_str()).filter(|trace| !trace.is_empty());
            let answer = channels.webhooks.post(&uri, claimed.id(), attempt_time, &keys, &body, trace).await;
            if let Some(status) = answer.status {
                Span::current().record("http.response.status_code", status);
            }
            failed_with(&answer.error);
            webhook_done(store, pace, claimed, attempt_time, answer, &challenge)
        }
        Job::Mail(mail) => {
            let begun = std::time::Instant::now();
            let sent = match &channels.mail {
                Some(own) => own.mailer.send(&mail).await,
                None => Sent::Transient { code: None, text: "there is no mail server".to_owned() },
            };
            let address = mail.to.address.to_string();
            match &sent {
                Sent::Accepted { .. } => {}
                Sent::Permanent { text, .. } | Sent::Transient { text, .. } => failed_with(text),
            }
            mail_done(store, pace, claimed, attempt_time, sent, begun.elapsed(), &address)
        }
    }
}

/// Says on the span of an attempt that it failed.
fn failed_with(error: &str) {
    if !error.is_empty() {
        Span::current().record("otel.status_code", "ERROR").record("otel.status_description", error);
    }
}

fn webhook_done(
    store: &Store,
    pace: &Pace,
    claimed: Claimed,
    attempt_time: Timestamp,
    answer: Attempt,
    challenge: &str,
) -> Done {
    let now = store.clock().now();
    let attempts = claimed.attempt_count + 1;
    let (mut proof, mut follows) = (None, Follows::Nothing);
    let status_code = i32::from(answer.status.unwrap_or(0));
    let outcome = match answer.outcome {
        Answer::Accepted => {
            // Its path may hold a password of theirs.
            let origin: Vec<&str> = claimed.endpoint.splitn(4, '/').take(3).collect();
            proof = proof_of(&claimed, now, format!("HTTP {status_code} from {}", origin.join("/")));
            let body = String::from_utf8_lossy(&answer.body_start);
            if !challenge.is_empty() && body.contains(challenge) {
                follows = Follows::Verify;
            }
            Outcome::Delivered
        }
        Answer::Gone => {
            follows = Follows::Disable("the endpoint answered 410: it is gone".to_owned());
            Outcome::Dead
        }
        Answer::Retry { after } => retry(pace, attempts, now, after),
        Answer::Refused => retry(pace, attempts, now, None),
    };
    let settled =
        Settled { claimed, outcome, attempt_time, status_code, error: answer.error, duration: answer.duration };
    Done { settled, proof, follows }
}

fn mail_done(
    store: &Store,
    pace: &Pace,
    claimed: Claimed,
    attempt_time: Timestamp,
    sent: Sent,
    duration: Duration,
    address: &str,
) -> Done {
    let now = store.clock().now();
    let attempts = claimed.attempt_count + 1;
    let (mut proof, mut follows) = (None, Follows::Nothing);
    let (outcome, code, error) = match sent {
        Sent::Accepted { response } => {
            // The log keeps this for good. Whose mailbox it is stands in the delivery, where it can be erased.
            let domain = address.rsplit('@').next().unwrap_or_default();
            proof =
                proof_of(&claimed, now, format!("the mail server took the mail to a contact at {domain}: {response}"));
            (Outcome::Delivered, Some(250), String::new())
        }
        Sent::Permanent { code, text } => {
            let is_gone = code.is_some_and(|code| NO_MAILBOX.contains(&code)) && !text.starts_with(POLICY);
            if claimed.event_type != event::VERIFICATION && is_gone {
                follows = Follows::Disable(format!("mail to it is refused: {text}"));
            }
            (Outcome::Dead, code, text)
        }
        Sent::Transient { code, text } => (retry(pace, attempts, now, None), code, text),
    };
    let status_code = i32::from(code.unwrap_or(0));
    let settled = Settled { claimed, outcome, attempt_time, status_code, error, duration };
    Done { settled, proof, follows }
}

fn retry(pace: &Pace, attempts: i32, now: Timestamp, asked: Option<Duration>) -> Outcome {
    let chance = rand::rng().random();
    pace.next(attempts, now, asked, chance).map_or(Outcome::Dead, |at| Outcome::Retry { at })
}

fn proof_of(claimed: &Claimed, now: Timestamp, evidence: String) -> Option<Proof> {
    (!claimed.recipient.is_empty()).then(|| Proof {
        recipient: claimed.recipient.clone(),
        delivery: claimed.name.clone(),
        event_time: now,
        evidence,
    })
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
