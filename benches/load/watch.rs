//! Streams of changes.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use hdrhistogram::Histogram;
use rand::{SeedableRng, rngs::StdRng};
use subprocessor_registry::proto::v1::{
    self, change_log_service_client::ChangeLogServiceClient, subprocessor_service_client::SubprocessorServiceClient,
    watch_changes_response::Event,
};
use tokio::task::JoinSet;
use tonic::{Streaming, transport::Channel};

use super::{
    Result,
    drive::{self, Measured, Meter},
    operations::{Scene, check},
};

/// Revisions that are read of a stream that resumes.
pub const REVISIONS: i64 = 100;
/// How long a revision may be on its way.
const PATIENCE: Duration = Duration::from_secs(30);

type Log = ChangeLogServiceClient<Channel>;

async fn open(log: &mut Log, after_revision: Option<i64>) -> Result<Streaming<v1::WatchChangesResponse>> {
    let parent = "organizations/-".to_owned();
    let request = v1::WatchChangesRequest { parent, after_revision, ..Default::default() };
    Ok(log.watch_changes(request).await?.into_inner())
}

/// The next message of a stream that must not end.
async fn next(stream: &mut Streaming<v1::WatchChangesResponse>) -> Result<Event> {
    let message = tokio::time::timeout(PATIENCE, stream.message()).await.map_err(|_| "nothing came on a stream")??;
    message.and_then(|message| message.event).ok_or_else(|| "a stream ended".into())
}

/// Each revision is the next one, and says so by its hash.
#[derive(Default)]
struct Chain(Option<(i64, Vec<u8>)>);

impl Chain {
    fn follow(&mut self, revision: &v1::Revision) -> Result<()> {
        if let Some((number, hash)) = &self.0 {
            let follows = revision.number == number + 1 && revision.previous_hash == *hash;
            check(follows, || format!("revision {} after {number}", revision.number))?;
        }
        let content = revision.changes.iter().all(|change| change.after.is_some());
        check(content && !revision.changes.is_empty(), || format!("revision {} is empty", revision.number))?;
        self.0 = Some((revision.number, revision.hash.clone()));
        Ok(())
    }
}

/// Reads what follows a revision.
pub async fn resume(log: &mut Log, after: i64) -> Result<()> {
    let mut stream = open(log, Some(after)).await?;
    let (mut chain, mut last) = (Chain::default(), after);
    while last < after + REVISIONS {
        if let Event::Revision(revision) = next(&mut stream).await? {
            check(revision.number == last + 1, || format!("revision {} after {last}", revision.number))?;
            chain.follow(&revision)?;
            last = revision.number;
        }
    }
    Ok(())
}

/// Opens a stream on each channel and then creates subprocessors, one after the other. What is measured is the time from
/// the moment a revision is stamped with (its transaction had just begun) to its arrival.
pub async fn live(scene: &Arc<Scene>, channels: &[Channel], plan: &drive::Plan, meter: &Meter) -> Result<Measured> {
    let mut readers = JoinSet::new();
    let (told, until) = tokio::sync::watch::channel(None);
    for channel in channels {
        let mut log = ChangeLogServiceClient::new(channel.clone());
        let mut stream = open(&mut log, None).await?;
        // The first message is a checkpoint: from then on nothing is missed.
        check(matches!(next(&mut stream).await?, Event::Checkpoint(_)), || "no checkpoint first".to_owned())?;
        readers.spawn(read(stream, until.clone()));
    }
    let mut writer = SubprocessorServiceClient::new(channels.first().ok_or("no connection")?.clone());
    let mut random = StdRng::seed_from_u64(scene.history.last.unsigned_abs());
    let mut create = async |for_long: Duration| -> Result<i64> {
        let (begun, mut newest) = (Instant::now(), 0);
        while begun.elapsed() < for_long {
            newest = writer.create_subprocessor(scene.creation(&mut random)).await?.into_inner().revision;
        }
        Ok(newest)
    };
    let warm = create(plan.warm).await?;
    let (before, begun) = (meter.read()?, Instant::now());
    let last = create(plan.measure).await?;
    // The readers read on until they have the last one.
    told.send_replace(Some(last));
    let mut latency = drive::histogram()?;
    while let Some(reader) = readers.join_next().await {
        let (seen, delays) = reader??;
        check(seen == last, || format!("a reader has {seen} of {last}"))?;
        latency.add(delays)?;
    }
    let requests = last.saturating_sub(warm).unsigned_abs();
    Ok(Measured { requests, elapsed: begun.elapsed(), latency, spent: meter.read()?.since(&before) })
}

async fn read(
    mut stream: Streaming<v1::WatchChangesResponse>,
    mut until: tokio::sync::watch::Receiver<Option<i64>>,
) -> Result<(i64, Histogram<u64>)> {
    let (mut chain, mut latency, mut seen) = (Chain::default(), drive::histogram()?, 0);
    loop {
        if until.borrow_and_update().is_some_and(|last| seen >= last) {
            return Ok((seen, latency));
        }
        let event = tokio::select! {
            event = next(&mut stream) => event?,
            _ = until.changed() => continue,
        };
        let Event::Revision(revision) = event else { continue };
        chain.follow(&revision)?;
        seen = revision.number;
        let commit_time = revision.commit_time.and_then(|time| SystemTime::try_from(time).ok()).unwrap_or(UNIX_EPOCH);
        let delay = commit_time.elapsed().unwrap_or_default();
        latency.saturating_record(u64::try_from(delay.as_micros())?.max(1));
    }
}
