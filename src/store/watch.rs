//! Following the log. A stream is a cursor over the log with a wake-up that carries no data: whatever wakes it, it reads
//! on from where it stood, so nothing is missed and nothing comes twice.

use std::time::Duration;

use sea_orm::{DatabaseBackend, DatabaseConnection};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Store,
    connect::Options,
    log::{self, Scope},
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{Checkpoint, Revision},
    resource::name::Parent,
    rules::log::GENESIS,
};

/// Revisions read at once: each can have 2 MiB.
const CHUNK: u64 = 16;
/// Revisions passed over before a checkpoint says so.
const SKIPPED: i64 = 1_000;

/// Wakes streams when the log grows.
#[derive(Debug)]
pub(super) struct Hub {
    head: watch::Sender<i64>,
    /// Ends the poller with the store.
    _poller: Option<AbortOnDropHandle<()>>,
}

impl Hub {
    /// Starts with the present head. On PostgreSQL other replicas commit too: a poller, one for each process, looks for
    /// their revisions while somebody waits for them; in a server the outbox always does.
    pub(super) async fn start(db: &DatabaseConnection, options: &Options) -> Result<Self> {
        let (head, _) = watch::channel(log::counter(db).await?.revision);
        let poller = (db.get_database_backend() == DatabaseBackend::Postgres)
            .then(|| AbortOnDropHandle::new(tokio::spawn(poll(db.clone(), head.clone(), options.poll_interval))));
        Ok(Self { head, _poller: poller })
    }

    pub(super) fn head(&self) -> watch::Sender<i64> {
        self.head.clone()
    }
}

async fn poll(db: DatabaseConnection, head: watch::Sender<i64>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if head.receiver_count() == 0 {
            continue;
        }
        // A database that does not answer now is asked again; streams notice by their own reads.
        if let Ok(counter) = log::counter(&db).await {
            head.send_if_modified(|newest| std::mem::replace(newest, counter.revision.max(*newest)) < counter.revision);
        }
    }
}

/// Where a stream begins.
#[derive(Debug, Clone)]
pub struct Start {
    /// Whose changes.
    pub parent: Parent,
    /// After this revision; `None` = from now on.
    pub after_revision: Option<i64>,
    /// The hash that revision had; empty = not checked.
    pub after_hash: Vec<u8>,
    /// Only these kinds; none = all.
    pub kinds: Vec<crate::resource::name::Kind>,
}

/// What a stream brings.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A revision with its changes in scope.
    Revision(Box<Revision>),
    /// Everything up to here was sent.
    Checkpoint(Checkpoint),
}

impl Event {
    /// Up to where everything was handed out with it.
    pub fn position(&self) -> i64 {
        match self {
            Self::Revision(revision) => revision.number,
            Self::Checkpoint(checkpoint) => checkpoint.revision,
        }
    }
}

/// A cursor over the log.
#[derive(Debug)]
pub struct Cursor {
    store: Store,
    scope: Scope,
    /// Everything up to here was handed out.
    position: i64,
    /// The last checkpoint; `None` before the first.
    checkpoint: Option<i64>,
    wake: watch::Receiver<i64>,
}

impl Store {
    /// Opens a cursor.
    ///
    /// # Errors
    /// LOG_NOT_YET_WRITTEN for a revision in the future; LOG_HASH_MISMATCH for a wrong hash; RESOURCE_NOT_FOUND for an
    /// organization that never was.
    pub async fn watch(&self, start: Start) -> Result<Cursor> {
        let organization_id = match &start.parent {
            Parent::Any | Parent::Every(_) => None,
            Parent::Organization(name) | Parent::Vendor(name) | Parent::Notice(name) => {
                Some(self.resource_id(name).await?)
            }
        };
        // Subscribed before the head is read: what is committed in between wakes the stream.
        let wake = self.inner.watch.head.subscribe();
        let newest = self.head().await?;
        let position = start.after_revision.unwrap_or(newest);
        if position < 0 {
            return Err(Error::field("after_revision", format!("must not be negative, but is {position}")));
        }
        if position > newest {
            return Err(not_yet("after_revision", position, newest));
        }
        if !start.after_hash.is_empty() {
            if start.after_revision.is_none() {
                return Err(Error::field("after_hash", "needs after_revision, whose hash it is"));
            }
            if self.stored_hash(position).await?.as_deref() != Some(&start.after_hash[..]) {
                let message =
                    format!("revision {position} does not have this hash: it is not the history you have read");
                return Err(Error::new(Reason::LogHashMismatch, message).with("revision", position));
            }
        }
        let scope = Scope { organization_id, kinds: start.kinds };
        Ok(Cursor { store: self.clone(), scope, position, checkpoint: None, wake })
    }
}

/// A revision that was asked for does not exist yet.
pub(super) fn not_yet(field: &str, number: i64, newest: i64) -> Error {
    Error::new(Reason::LogNotYetWritten, format!("{field} is in the future: {number} is after {newest}"))
        .with("revision", number)
        .with("newest_revision", newest)
}

impl Cursor {
    /// Up to where everything was handed out.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The next events; waits until there are some.
    ///
    /// # Errors
    /// If the database fails; the cursor stands where it stood.
    pub async fn next(&mut self) -> Result<Vec<Event>> {
        loop {
            // Seen before reading: a commit after this read wakes the next wait.
            self.wake.mark_unchanged();
            let newest = self.store.head().await?;
            let events = self.read(newest).await?;
            if !events.is_empty() {
                return Ok(events);
            }
            // The sender lives as long as the store, which this cursor holds.
            let _ = self.wake.changed().await;
        }
    }

    async fn read(&mut self, newest: i64) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut skipped_to = self.position;
        while skipped_to < newest && events.is_empty() {
            let found = self.store.revisions_after(skipped_to, newest, &self.scope, CHUNK).await?;
            let full = found.len() as u64 == CHUNK;
            // A full chunk says nothing of what comes after it; a short one has seen everything.
            skipped_to = match found.last() {
                Some((row, _)) if full => row.number,
                _ => newest,
            };
            let matching: Vec<_> = found.into_iter().filter(|(_, changes)| !changes.is_empty()).collect();
            for revision in self.store.with_bodies(matching).await? {
                events.push(Event::Revision(Box::new(revision)));
            }
            if skipped_to - self.position >= SKIPPED {
                break;
            }
        }
        let caught_up = skipped_to == newest;
        let last_sent = match events.last() {
            Some(Event::Revision(revision)) => Some(revision.number),
            _ => None,
        };
        // Said when the stream has caught up, and from time to time while nothing matches.
        let due = self.checkpoint != Some(skipped_to) && (caught_up || last_sent.is_none());
        if due {
            let checkpoint = match events.last() {
                // What was just read need not be read again.
                Some(Event::Revision(last)) if last.number == skipped_to => {
                    Checkpoint { revision: last.number, hash: last.hash.clone(), commit_time: last.commit_time }
                }
                _ => self.checkpoint_at(skipped_to).await?,
            };
            self.checkpoint = Some(skipped_to);
            events.push(Event::Checkpoint(checkpoint));
        }
        // Whoever asks again after a failure gets what was not handed out.
        self.position = skipped_to;
        Ok(events)
    }

    async fn checkpoint_at(&self, number: i64) -> Result<Checkpoint> {
        if number == 0 {
            return Ok(Checkpoint { revision: 0, hash: GENESIS.to_vec(), commit_time: None });
        }
        let revision = self.store.revision_header(number).await?;
        Ok(Checkpoint { revision: number, hash: revision.hash, commit_time: revision.commit_time })
    }
}

impl Store {
    /// A revision without its changes.
    async fn revision_header(&self, number: i64) -> Result<Revision> {
        use sea_orm::EntityTrait;
        let row = super::entity::revision::Entity::find_by_id(number).one(self.reads()).await?;
        let row =
            row.ok_or_else(|| Error::new(Reason::LogCorrupt, format!("revision {number} is missing from the log")))?;
        Ok(Revision {
            number,
            commit_time: Some(super::version::timestamp(row.commit_time)),
            hash: row.hash,
            ..Revision::default()
        })
    }
}
