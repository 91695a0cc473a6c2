//! What is not recorded as it happens but asked for when somebody reads: pools, queues, streams, and what the database
//! holds. Readers come as often as they like: the database is asked every few seconds at most, and for findings, of which
//! there can be many, only when the log has grown or the day has changed, and beside the reader.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Meter},
};
use tokio::time::timeout;

use crate::{
    error::Result,
    metrics::{self, Described, Metrics},
    proto::v1::finding::Severity,
    resource::name::Parent,
    rules::finding::Window,
    store::{Store, findings::Question, tally::Tally},
};

/// How old what was counted may be.
const FRESH: Duration = Duration::from_secs(5);
/// How old findings may be, even if the log has grown.
const FRESH_FINDINGS: Duration = Duration::from_secs(60);
/// How long a reader waits for the database; then it is shown what was counted before.
const PATIENCE: Duration = Duration::from_secs(2);
/// Findings that are read at a time.
const PAGE: usize = 1_000;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Gauges {
    store: Store,
    counted: Arc<Mutex<Counted>>,
    /// Who counts, and when it was done last.
    turn: Arc<tokio::sync::Mutex<Turns>>,
}

#[derive(Debug, Default)]
struct Counted {
    tally: Option<Tally>,
    findings: Option<BTreeMap<&'static str, i64>>,
}

#[derive(Debug, Default)]
struct Turns {
    tally: Option<Instant>,
    /// And of which revision, on which day; of none, if that failed.
    findings: Option<(Instant, (i64, String))>,
}

impl Gauges {
    pub(super) fn new(meter: &Meter, store: Store, own: Arc<Metrics>) -> Self {
        let counted: Arc<Mutex<Counted>> = Arc::default();
        of_process(meter, &store, own);
        of_database(meter, &counted);
        Self { store, counted, turn: Arc::default() }
    }

    /// Counts again what is too old.
    pub(super) async fn refresh(&self) {
        // Whoever comes while somebody counts is shown what was counted before.
        let Ok(mut turn) = Arc::clone(&self.turn).try_lock_owned() else { return };
        if turn.tally.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        match timeout(PATIENCE, self.store.tally()).await {
            Ok(Ok(tally)) => lock(&self.counted).tally = Some(tally),
            Ok(Err(error)) => tracing::debug!(%error, "what is shown as metrics could not be counted"),
            Err(_) => tracing::debug!("the database did not answer in time what is shown as metrics"),
        }
        turn.tally = Some(Instant::now());
        if turn.findings.as_ref().is_some_and(|(at, ..)| at.elapsed() < FRESH_FINDINGS) {
            return;
        }
        let (store, counted) = (self.store.clone(), Arc::clone(&self.counted));
        // The turn goes with it: there is never more than one.
        tokio::spawn(async move {
            let today = store.clock().now().strftime("%Y-%m-%d").to_string();
            let revision = *store.heads().borrow();
            let of = (revision, today);
            let mut known = turn.findings.take().map(|(_, of)| of).unwrap_or_default();
            if known != of {
                match findings(&store, &of.1).await {
                    Ok(findings) => {
                        lock(&counted).findings = Some(findings);
                        known = of;
                    }
                    // What is shown is still of what it was of: it is counted again next time.
                    Err(error) => tracing::debug!(%error, "findings could not be counted"),
                }
            }
            turn.findings = Some((Instant::now(), known));
        });
    }
}

/// A value of the contract without the name of its enum: `SEVERITY_INFO` is `INFO`.
fn word(name: &'static str) -> &'static str {
    name.split_once('_').map_or(name, |(_, word)| word)
}

/// Nothing that can panic runs under the lock.
fn lock(counted: &Mutex<Counted>) -> std::sync::MutexGuard<'_, Counted> {
    counted.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn findings(store: &Store, today: &str) -> Result<BTreeMap<&'static str, i64>> {
    let question = Question {
        parent: Parent::of_organizations("organizations/-")?,
        window: Window { date: today.to_owned(), last: today.to_owned() },
        kinds: Vec::new(),
        severity: Severity::Unspecified,
        subject: String::new(),
        show_acknowledged: false,
        revision: store.head().await?,
    };
    let grave = [Severity::Info, Severity::Warning, Severity::Critical];
    let mut counts: BTreeMap<&'static str, i64> = grave.iter().map(|one| (word(one.as_str_name()), 0)).collect();
    let mut after = None;
    loop {
        let (page, next) = store.findings(&question, after.as_ref(), PAGE).await?;
        for finding in page {
            *counts.entry(word(finding.severity().as_str_name())).or_default() += 1;
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(counts),
        }
    }
}

/// What this process knows by itself.
fn of_process(meter: &Meter, store: &Store, own: Arc<Metrics>) {
    let heads = store.heads();
    gauge(meter, metrics::REVISION, move |tell| tell(*heads.borrow(), &[]));
    let waiting = store.clone();
    gauge(meter, metrics::QUEUE_DEPTH, move |tell| tell(signed(waiting.waiting_writes()), &[]));
    let streams = Arc::clone(own.streams());
    gauge(meter, metrics::WATCH_STREAMS, move |tell| tell(signed(streams.state().0), &[]));
    let (streams, heads) = (Arc::clone(own.streams()), store.heads());
    gauge(meter, metrics::WATCH_LAG, move |tell| {
        let head = *heads.borrow();
        tell(streams.state().1.map_or(0, |slowest| (head - slowest).max(0)), &[]);
    });
    let pools = store.clone();
    gauge(meter, metrics::POOL_COUNT, move |tell| {
        for pool in pools.pools() {
            for (state, count) in [("used", pool.used), ("idle", pool.idle)] {
                let name = KeyValue::new("pool", pool.name);
                tell(signed(count), &[name, KeyValue::new("state", state)]);
            }
        }
    });
    let pools = store.clone();
    gauge(meter, metrics::POOL_MAX, move |tell| {
        for pool in pools.pools() {
            tell(signed(pool.max), &[KeyValue::new("pool", pool.name)]);
        }
    });
    gauge(meter, metrics::BUILD, |tell| tell(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]));
}

/// What was counted last.
fn of_database(meter: &Meter, counted: &Arc<Mutex<Counted>>) {
    let tally = |read: fn(&Tally, Tell<'_>)| {
        let counted = Arc::clone(counted);
        move |tell: Tell<'_>| {
            if let Some(tally) = &lock(&counted).tally {
                read(tally, tell);
            }
        }
    };
    let depth = tally(|tally, tell| {
        for (channel, state, count) in &tally.deliveries {
            let state = word(state.as_str_name()).to_ascii_lowercase();
            tell(*count, &[KeyValue::new("channel", channel.word()), KeyValue::new("state", state)]);
        }
    });
    gauge(meter, metrics::OUTBOX_DEPTH, depth);
    gauge(meter, metrics::OUTBOX_AGE, tally(|tally, tell| tell(tally.overdue_seconds, &[])));
    gauge(meter, metrics::OUTBOX_LAG, tally(|tally, tell| tell(tally.untold, &[])));
    let notices = tally(|tally, tell| {
        for (state, count) in &tally.notices {
            tell(*count, &[KeyValue::new("state", word(state.as_str_name()))]);
        }
    });
    gauge(meter, metrics::NOTICES, notices);
    let counted = Arc::clone(counted);
    gauge(meter, metrics::FINDINGS, move |tell| {
        for (severity, count) in lock(&counted).findings.iter().flatten() {
            tell(*count, &[KeyValue::new("severity", *severity)]);
        }
    });
}

/// By which a gauge tells each of its values with its attributes.
type Tell<'a> = &'a mut dyn FnMut(i64, &[KeyValue]);

/// A gauge that is asked by `read`, which tells each value with its attributes.
fn gauge(meter: &Meter, described: Described, read: impl Fn(&mut dyn FnMut(i64, &[KeyValue])) + Send + Sync + 'static) {
    let builder = meter.i64_observable_gauge(described.name).with_description(described.meaning);
    let builder = if described.unit.is_empty() { builder } else { builder.with_unit(described.unit) };
    let callback =
        move |observer: &dyn AsyncInstrument<i64>| read(&mut |value, attributes| observer.observe(value, attributes));
    // It lives as long as the provider of the meter.
    let _gauge = builder.with_callback(callback).build();
}

fn signed(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
