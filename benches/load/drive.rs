//! A closed loop: each of many asks, waits for the answer, checks it, and asks again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::{
    Result, counters,
    operations::{Operation, Scene, Worker},
};

/// Answers that are still on their way when a run ends are waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long to ask, and how many at once.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Requests in progress on each connection.
    pub streams: usize,
    /// Asked before anything is measured.
    pub warm: Duration,
    pub measure: Duration,
}

/// What a run cost.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    pub server: Duration,
    /// Where the database is another process on this machine.
    pub database: Option<Duration>,
}

impl Spent {
    pub fn since(&self, before: &Self) -> Self {
        let database = self.database.zip(before.database).map(|(now, then)| now.saturating_sub(then));
        Self { server: self.server.saturating_sub(before.server), database }
    }
}

/// Reads the processor time of the server and of its database.
#[derive(Debug)]
pub struct Meter {
    pub server: u32,
    pub postmaster: Option<u32>,
}

impl Meter {
    pub fn read(&self) -> Result<Spent> {
        let database = self.postmaster.and_then(counters::family_time);
        Ok(Spent { server: counters::process_time(self.server)?, database })
    }
}

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    pub requests: u64,
    pub elapsed: Duration,
    /// In microseconds.
    pub latency: Histogram<u64>,
    pub spent: Spent,
}

/// Latencies of 1 µs to a minute, to three digits.
pub fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

const WARM: u8 = 0;
const MEASURE: u8 = 1;
const STOP: u8 = 2;

struct Loop {
    stage: AtomicU8,
    /// Requests that may still be made.
    tickets: AtomicI64,
}

/// Asks until it is told to stop or there are no more tickets; returns the latencies of what it measured.
async fn ask(mut worker: Worker, operation: Operation, shared: Arc<Loop>) -> Result<Histogram<u64>> {
    let mut latency = histogram()?;
    while shared.stage.load(Ordering::Relaxed) != STOP && shared.tickets.fetch_sub(1, Ordering::Relaxed) > 0 {
        let begun = Instant::now();
        worker.ask(operation).await.map_err(|error| format!("{}: {error}", operation.title()))?;
        if shared.stage.load(Ordering::Relaxed) == MEASURE {
            latency.saturating_record(u64::try_from(begun.elapsed().as_micros())?.max(1));
        }
    }
    Ok(latency)
}

fn start(
    scene: &Arc<Scene>,
    operation: Operation,
    channels: &[Channel],
    streams: usize,
    shared: &Arc<Loop>,
) -> JoinSet<Result<Histogram<u64>>> {
    let mut workers = JoinSet::new();
    for (c, channel) in channels.iter().enumerate() {
        for s in 0..streams {
            let number = 1_000 * operation as u64 + (c * streams + s) as u64;
            let worker = Worker::new(Arc::clone(scene), channel.clone(), number);
            workers.spawn(ask(worker, operation, Arc::clone(shared)));
        }
    }
    workers
}

/// Waits while workers work; one that ends has failed.
async fn hold(workers: &mut JoinSet<Result<Histogram<u64>>>, time: Duration) -> Result<()> {
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        Some(ended) = workers.join_next() => Err(ended?.err().unwrap_or_else(|| "a worker stopped".into())),
    }
}

/// Collects what all workers measured; the first failure is everybody's.
async fn gather(mut workers: JoinSet<Result<Histogram<u64>>>) -> Result<Histogram<u64>> {
    let mut all = histogram()?;
    let collected = async {
        while let Some(ended) = workers.join_next().await {
            all.add(ended??)?;
        }
        Result::Ok(())
    };
    tokio::time::timeout(PATIENCE, collected).await.map_err(|_| "an answer did not come")??;
    Ok(all)
}

/// Asks for some time.
pub async fn run(
    scene: &Arc<Scene>,
    operation: Operation,
    channels: &[Channel],
    plan: &Plan,
    meter: &Meter,
) -> Result<Measured> {
    let shared = Arc::new(Loop { stage: AtomicU8::new(WARM), tickets: AtomicI64::new(i64::MAX) });
    let mut workers = start(scene, operation, channels, plan.streams, &shared);
    hold(&mut workers, plan.warm).await?;
    let (before, begun) = (meter.read()?, Instant::now());
    shared.stage.store(MEASURE, Ordering::Relaxed);
    hold(&mut workers, plan.measure).await?;
    shared.stage.store(STOP, Ordering::Relaxed);
    let (elapsed, spent) = (begun.elapsed(), meter.read()?.since(&before));
    let latency = gather(workers).await?;
    Ok(Measured { requests: latency.len(), elapsed, latency, spent })
}

/// Asks so many times, or less if it takes longer than `most`; returns how many it were.
pub async fn repeat(
    scene: &Arc<Scene>,
    operation: Operation,
    channels: &[Channel],
    streams: usize,
    times: u32,
    most: Duration,
) -> Result<u64> {
    let shared = Arc::new(Loop { stage: AtomicU8::new(MEASURE), tickets: AtomicI64::new(times.into()) });
    let workers = start(scene, operation, channels, streams, &shared);
    let clock = Arc::clone(&shared);
    let alarm = tokio::spawn(async move {
        tokio::time::sleep(most).await;
        clock.stage.store(STOP, Ordering::Relaxed);
    });
    let asked = shared.clone();
    let _ = gather(workers).await?;
    alarm.abort();
    let left = asked.tickets.load(Ordering::Relaxed);
    Ok(u64::try_from(i64::from(times) - left.max(0))?)
}
