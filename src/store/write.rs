//! The one door for writes. Each process has one writer task on one connection. Calls queue closures; closures that wait
//! together share one commit, each under its own savepoint and with its own revision (group commit). Nothing is
//! answered before the commit is durable.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use prost::Message;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, EntityTrait, Statement,
    TransactionTrait,
    sea_query::{Expr, ExprTrait},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use tracing::{Instrument, Span};

use super::{
    Store, connect,
    connect::Options,
    due::{Due, Noted},
    entity::counter,
    law::Laws,
    log, request,
    writer::Writer,
};
use crate::{
    call::Call,
    clock::Clock,
    error::{Error, Reason, Result},
    metrics::Metrics,
};

/// Writes that may wait; more are made to wait outside.
const QUEUE: usize = 1_024;
/// How long a connection that is thrown away may take to close.
const CLOSING: Duration = Duration::from_secs(5);

/// The writer's queue.
#[derive(Debug)]
pub(super) struct Queue {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

impl Queue {
    /// Starts the writer task. It ends when the queue is dropped.
    pub(super) fn start(connection: Connection, common: Common, max_batch: usize, head: watch::Sender<i64>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        tokio::spawn(run(connection, common, queue, max_batch.max(1), head));
        Self { jobs }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }
}

/// What every write has of its process.
#[derive(Debug, Clone)]
pub(super) struct Common {
    /// What time it is.
    pub(super) clock: Arc<Clock>,
    /// The law that was read last.
    pub(super) laws: Arc<Laws>,
    /// What is due next.
    pub(super) due: Arc<Due>,
    /// When the writer may write.
    pub(super) turn: connect::Turn,
    /// What is measured.
    pub(super) metrics: Arc<Metrics>,
}

/// The writer's one connection.
///
/// One on which a transaction failed is thrown away, whatever the failure was: a transaction that the driver believes to
/// be open, or to have ended, would swallow all that come after it. They would be acknowledged and never be durable.
#[derive(Debug)]
pub(super) struct Connection {
    options: Options,
    must_ask: bool,
    open: Option<DatabaseConnection>,
}

impl Connection {
    /// Connects.
    pub(super) async fn open(options: &Options, must_ask: bool) -> Result<Self> {
        let open = Some(connect::writes(options, must_ask).await?);
        Ok(Self { options: options.clone(), must_ask, open })
    }

    async fn get(&mut self) -> Result<DatabaseConnection> {
        if let Some(open) = &self.open {
            return Ok(open.clone());
        }
        let open = connect::writes(&self.options, self.must_ask).await?;
        self.open = Some(open.clone());
        Ok(open)
    }

    /// Empties SQLite's write-ahead log, which still holds what was erased. PostgreSQL forgets by its own VACUUM.
    async fn forget(&self) {
        let Some(open) = self.open.as_ref().filter(|db| db.get_database_backend() == DatabaseBackend::Sqlite) else {
            return;
        };
        let checkpoint = Statement::from_string(DatabaseBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
        let busy = match open.query_one_raw(checkpoint).await {
            Ok(row) => row.and_then(|row| row.try_get_by_index::<i32>(0).ok()) != Some(0),
            Err(_) => true,
        };
        if busy {
            tracing::warn!(
                "what was erased stays in SQLite's write-ahead log until its next checkpoint: readers hold it"
            );
        }
    }

    async fn throw_away(&mut self) {
        if let Some(open) = self.open.take()
            && timeout(CLOSING, open.close()).await.is_err()
        {
            tracing::warn!("the writer's connection did not close in time");
        }
    }
}

impl Store {
    /// Runs `work` in a transaction of the writer and returns what it returns, after the commit. If it changes anything,
    /// that is one revision; if it fails, nothing of it remains. With `call.validate_only` everything runs and nothing
    /// is kept.
    ///
    /// # Errors
    /// What `work` fails with; REQUEST_ID_REUSED; REVISION_TOO_LARGE; DATABASE_UNAVAILABLE if nothing was written;
    /// COMMIT_OUTCOME_UNKNOWN if the connection broke while committing.
    pub async fn write<T, F>(&self, call: Call, work: F) -> Result<T>
    where
        T: Message + Default + Clone + 'static,
        F: for<'w> FnOnce(&'w mut Writer) -> BoxFuture<'w, Result<T>> + Send + 'static,
    {
        request::check(&call.request_id)?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { call, span: Span::current(), work: Some(work), output: None, reply });
        self.inner.writes.jobs.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Store {
    /// Runs `work`, which writes nothing, as a write would run now: by its code, on the latest state, as one transaction
    /// sees it. No write waits for it, and it waits for none.
    ///
    /// # Errors
    /// What `work` fails with; DATABASE_UNAVAILABLE.
    pub async fn foresee<T, F>(&self, call: Call, work: F) -> Result<T>
    where
        F: for<'w> FnOnce(&'w Writer) -> BoxFuture<'w, Result<T>> + Send,
    {
        let tx = connect::snapshot(self.reads()).await?;
        let counter = log::counter(&tx).await?;
        let now = Ord::max(counter.commit_time, self.clock().now().as_microsecond());
        let now = Timestamp::from_microsecond(now).map_err(Error::internal)?;
        let writer = Writer::new(tx, call, now, counter, Arc::clone(&self.inner.laws));
        let output = work(&writer).await;
        // There is nothing to keep, so nothing is lost if that fails.
        let _ = writer.tx.rollback().await;
        output
    }
}

fn stopped() -> Error {
    Error::new(Reason::ServerStopping, "the server is stopping; try again")
}

/// A queued write, whatever it returns.
trait Job: Send {
    fn call(&self) -> &Call;
    /// Nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
    fn run<'w>(&'w mut self, writer: &'w mut Writer) -> BoxFuture<'w, Result<()>>;
    fn answer(self: Box<Self>, outcome: Result<()>);
}

struct Task<T, F> {
    call: Call,
    /// In which it was queued.
    span: Span,
    work: Option<F>,
    output: Option<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Message + Default + Clone + 'static,
    F: for<'w> FnOnce(&'w mut Writer) -> BoxFuture<'w, Result<T>> + Send,
{
    fn call(&self) -> &Call {
        &self.call
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run<'w>(&'w mut self, writer: &'w mut Writer) -> BoxFuture<'w, Result<()>> {
        let span = self.span.clone();
        async move {
            if let Some(earlier) = request::recall(&writer.tx, &self.call, writer.now).await? {
                self.output = Some(earlier);
                return Ok(());
            }
            let work = self.work.take().ok_or_else(|| Error::internal("a write ran twice"))?;
            let output = work(writer).await?;
            writer.finish().await?;
            if !self.call.validate_only {
                let resource_id = writer.subject();
                request::remember(&writer.tx, &self.call, writer.now, resource_id, &output).await?;
            }
            self.output = Some(output);
            Ok(())
        }
        .instrument(span)
        .boxed()
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { output, reply, .. } = *self;
        let answer = outcome.and_then(|()| output.ok_or_else(|| Error::internal("a write without an answer")));
        // The caller may have gone; the write stands all the same.
        let _ = reply.send(answer);
    }
}

async fn run(
    mut connection: Connection,
    common: Common,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    max_batch: usize,
    head: watch::Sender<i64>,
) {
    while let Some(first) = queue.recv().await {
        let mut jobs = vec![first];
        while jobs.len() < max_batch
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
        jobs.retain(|job| !job.is_abandoned());
        if !jobs.is_empty() {
            let (size, begun) = (jobs.len(), Instant::now());
            batch(&mut connection, &common, jobs, &head).await;
            common.metrics.committed(size, begun.elapsed());
        }
    }
}

/// Runs a batch of jobs in one transaction and answers each.
async fn batch(connection: &mut Connection, common: &Common, mut jobs: Vec<Box<dyn Job>>, head: &watch::Sender<i64>) {
    let _turn = common.turn.take().await;
    let attempted = match connection.get().await {
        Ok(db) => attempt(&db, common, &mut jobs).await,
        Err(error) => Err(error),
    };
    let Done { tx, counter, outcomes, kept, erased, noted } = match attempted {
        Ok(done) => done,
        Err(error) => {
            connection.throw_away().await;
            log_failure(&error, false);
            let nothing = "the database cannot be reached; nothing was written; try again";
            return jobs.into_iter().for_each(|job| {
                job.answer(Err(Error::new(Reason::DatabaseUnavailable, nothing)));
            });
        }
    };
    // Where nothing is to be kept there is nothing to wait for.
    let ended = if kept { tx.commit().await } else { tx.rollback().await };
    if let Err(error) = ended {
        connection.throw_away().await;
        log_failure(&Error::from(error), kept);
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            let may_be_written = kept && outcome.is_ok() && !job.call().validate_only;
            let answer = if may_be_written { Err(outcome_unknown(job.call())) } else { outcome };
            job.answer(answer);
        }
        return;
    }
    if erased {
        connection.forget().await;
    }
    if kept {
        let revision = counter.revision;
        noted.tell(&common.due);
        head.send_if_modified(|newest| std::mem::replace(newest, Ord::max(revision, *newest)) < revision);
    }
    for (job, outcome) in jobs.into_iter().zip(outcomes) {
        job.answer(outcome);
    }
}

/// The commit may have happened or not: only a request id makes it safe to ask again.
fn outcome_unknown(call: &Call) -> Error {
    let message = "the database failed while committing: whether this was written is not known";
    Error::new(Reason::CommitOutcomeUnknown, message).retry_is_safe(!call.request_id.is_empty())
}

fn log_failure(error: &Error, committing: bool) {
    tracing::error!(error = %error, cause = ?std::error::Error::source(error), committing, "a batch of writes failed");
}

/// A batch that has run and is to be committed, if anything of it is kept.
struct Done {
    tx: DatabaseTransaction,
    counter: counter::Model,
    outcomes: Vec<Result<()>>,
    kept: bool,
    erased: bool,
    noted: Noted,
}

async fn attempt(db: &DatabaseConnection, common: &Common, jobs: &mut [Box<dyn Job>]) -> Result<Done> {
    let tx = connect::begin(db).await?;
    let mut counter = lock_counter(&tx).await?;
    // Time passes in the database: it never goes back, whatever the clocks of the replicas say.
    counter.commit_time = Ord::max(counter.commit_time, common.clock.now().as_microsecond());
    let now = Timestamp::from_microsecond(counter.commit_time).map_err(Error::internal)?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    let (mut kept, mut erased, mut noted) = (false, false, Noted::default());
    for job in jobs.iter_mut() {
        let mut writer =
            Writer::new(tx.begin().await?, job.call().clone(), now, counter.clone(), Arc::clone(&common.laws));
        // A defect in one write must not end the writer for all.
        let outcome = AssertUnwindSafe(job.run(&mut writer))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(Error::internal("a write panicked")));
        let Writer { tx: savepoint, counter: after, erased: something_erased, noted: due, .. } = writer;
        if outcome.is_ok() && !job.call().validate_only {
            savepoint.commit().await?;
            counter = after;
            kept = true;
            erased |= something_erased;
            noted.merge(due);
        } else {
            savepoint.rollback().await?;
        }
        outcomes.push(outcome);
    }
    if kept {
        store_counter(&tx, &counter).await?;
    }
    Ok(Done { tx, counter, outcomes, kept, erased, noted })
}

/// The first statement of every writing transaction: no two run at once, on any replica.
async fn lock_counter(tx: &DatabaseTransaction) -> Result<counter::Model> {
    let rows = counter::Entity::update_many()
        .col_expr(counter::Column::Batch, Expr::col(counter::Column::Batch).add(1))
        .exec_with_returning(tx)
        .await?;
    rows.into_iter().next().ok_or_else(|| Error::internal("the counter row is missing"))
}

async fn store_counter(tx: &DatabaseTransaction, counter: &counter::Model) -> Result<()> {
    let counter::Model { id: _, batch: _, revision, commit_time, next_resource_id, hash, catalog_version } =
        counter.clone();
    counter::Entity::update_many()
        .col_expr(counter::Column::Revision, Expr::value(revision))
        .col_expr(counter::Column::CommitTime, Expr::value(commit_time))
        .col_expr(counter::Column::NextResourceId, Expr::value(next_resource_id))
        .col_expr(counter::Column::Hash, Expr::value(hash))
        .col_expr(counter::Column::CatalogVersion, Expr::value(catalog_version))
        .exec(tx)
        .await?;
    Ok(())
}
