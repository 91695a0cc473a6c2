//! The one door for writes. Each process has one writer task on one connection. Calls queue closures; closures that wait
//! together share one commit, each under its own savepoint and with its own revision (group commit). Nothing is
//! answered before the commit is durable.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use prost::Message;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, IntoActiveModel, TransactionTrait,
    sea_query::{Expr, ExprTrait, Query},
};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Store, connect,
    entity::{change, counter, resource as resource_row},
    log, request, resource,
    version::{Reference, Resource, Stored, Version, column, etag, micros, table, timestamp, value_table},
};
use crate::{
    call::Call,
    error::{Error, Reason, Result},
    proto::v1::change::Kind as ChangeKind,
    resource::name::{Kind, Name},
    rules,
};

/// Writes that may wait; more are made to wait outside.
const QUEUE: usize = 1_024;
/// Changes in one revision.
const MAX_CHANGES: usize = 1_000;
/// Bytes of the versions in one revision, before and after together.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The writer's queue.
#[derive(Debug)]
pub(super) struct Queue {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

impl Queue {
    /// Starts the writer task. It ends when the queue is dropped.
    pub(super) fn start(
        db: DatabaseConnection,
        clock: Arc<crate::clock::Clock>,
        max_batch: usize,
        head: watch::Sender<i64>,
    ) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        tokio::spawn(run(db, clock, queue, max_batch.max(1), head));
        Self { jobs }
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
        let job = Box::new(Task { call, work: Some(work), output: None, reply });
        self.inner.writes.jobs.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
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
    db: DatabaseConnection,
    clock: Arc<crate::clock::Clock>,
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
            commit(&db, &clock, jobs, &head).await;
        }
    }
}

/// Runs a batch of jobs in one transaction and answers each.
async fn commit(
    db: &DatabaseConnection,
    clock: &crate::clock::Clock,
    mut jobs: Vec<Box<dyn Job>>,
    head: &watch::Sender<i64>,
) {
    let (outcomes, end) = match attempt(db, clock, &mut jobs).await {
        Ok(done) => done,
        Err(error) => return fail_all(jobs, &error, false),
    };
    let revision = end.counter.revision;
    match end.tx.commit().await {
        Ok(()) => {
            head.send_if_modified(|newest| std::mem::replace(newest, Ord::max(revision, *newest)) < revision);
            for (job, outcome) in jobs.into_iter().zip(outcomes) {
                job.answer(outcome);
            }
        }
        // The commit may have happened or not: only a request id makes it safe to ask again.
        Err(error) => fail_all(jobs, &Error::from(error), true),
    }
}

fn fail_all(jobs: Vec<Box<dyn Job>>, error: &Error, committing: bool) {
    tracing::error!(error = %error, cause = ?std::error::Error::source(error), committing, "a batch of writes failed");
    for job in jobs {
        let safe = !job.call().request_id.is_empty();
        let answer = if committing {
            Error::new(Reason::CommitOutcomeUnknown, "the connection to the database broke while committing")
                .retry_is_safe(safe)
        } else {
            Error::new(Reason::DatabaseUnavailable, "the database cannot be reached; nothing was written; try again")
        };
        job.answer(Err(answer));
    }
}

/// A transaction that is ready to commit.
struct End {
    tx: DatabaseTransaction,
    counter: counter::Model,
}

async fn attempt(
    db: &DatabaseConnection,
    clock: &crate::clock::Clock,
    jobs: &mut [Box<dyn Job>],
) -> Result<(Vec<Result<()>>, End)> {
    let tx = connect::begin(db).await?;
    let mut counter = lock_counter(&tx).await?;
    // Time passes in the database: it never goes back, whatever the clocks of the replicas say.
    counter.commit_time = Ord::max(counter.commit_time, clock.now().as_microsecond());
    let now = Timestamp::from_microsecond(counter.commit_time).map_err(Error::internal)?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs.iter_mut() {
        let mut writer = Writer {
            tx: tx.begin().await?,
            call: job.call().clone(),
            now,
            counter: counter.clone(),
            changes: Vec::new(),
            written: Vec::new(),
            leaving: HashSet::new(),
            bytes: 0,
            revision_made: false,
        };
        // A defect in one write must not end the writer for all.
        let outcome = AssertUnwindSafe(job.run(&mut writer))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(Error::internal("a write panicked")));
        let Writer { tx: savepoint, counter: after, .. } = writer;
        if outcome.is_ok() && !job.call().validate_only {
            savepoint.commit().await?;
            counter = after;
        } else {
            savepoint.rollback().await?;
        }
        outcomes.push(outcome);
    }
    store_counter(&tx, &counter).await?;
    Ok((outcomes, End { tx, counter }))
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

/// What a queued closure gets: reads of the latest state, and writes that record themselves.
#[derive(Debug)]
pub struct Writer {
    tx: DatabaseTransaction,
    call: Call,
    now: Timestamp,
    counter: counter::Model,
    changes: Vec<change::Model>,
    written: Vec<Written>,
    /// Names that this write will delete: they are in nobody's way.
    leaving: HashSet<String>,
    bytes: usize,
    revision_made: bool,
}

/// A version that was written, as far as references go.
#[derive(Debug)]
struct Written {
    resource_id: i64,
    name: String,
    deleted: bool,
    references: Vec<Reference>,
}

impl Written {
    fn of<R: Resource>(resource_id: i64, name: &Name, message: &R, deleted: bool) -> Self {
        // A deleted resource holds nothing back.
        let mut references = if deleted { Vec::new() } else { message.references() };
        if let Some(parent) = name.parent().filter(|_| !deleted) {
            references.push(Reference::to(Kind::Organization, "parent", parent.as_str()));
        }
        Self { resource_id, name: name.to_string(), deleted, references }
    }
}

/// A reference to what is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dangling {
    /// The resource that refers.
    pub from: String,
    /// Its field.
    pub field: String,
    /// What it refers to.
    pub to: String,
    /// FIELD_INVALID for what cannot be a name, else REFERENCE_NOT_FOUND.
    pub reason: Reason,
    /// What is wrong, in words that follow the field.
    pub rule: String,
}

fn refuse_dangling(dangling: Vec<Dangling>) -> Error {
    if dangling.iter().any(|one| one.reason == Reason::FieldInvalid) {
        let fields = dangling.into_iter().filter(|one| one.reason == Reason::FieldInvalid);
        return Error::fields(Reason::FieldInvalid, fields.map(|one| (one.field, one.rule)).collect());
    }
    let first = dangling.first().map(|one| format!("{}: {}", one.field, one.rule)).unwrap_or_default();
    let error = Error::new(Reason::ReferenceNotFound, first);
    dangling
        .into_iter()
        .fold(error, |error, one| error.precondition("REFERENCE", &one.to, format!("{}: {}", one.field, one.rule)))
}

impl Writer {
    /// The instant of this transaction.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whose call this is.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// The newest revision: that of this write, once it has changed something.
    pub fn revision(&self) -> i64 {
        if self.changes.is_empty() || self.revision_made { self.counter.revision } else { self.counter.revision + 1 }
    }

    /// Says what this write will delete before it ends, so that its other changes need not stand back for it.
    pub fn announce_leaving(&mut self, names: impl IntoIterator<Item = String>) {
        self.leaving.extend(names);
    }

    /// Whether this write will delete a resource.
    pub(super) fn is_leaving(&self, name: &str) -> bool {
        self.leaving.contains(name)
    }

    /// The catalog that was loaded last; empty if none was.
    pub fn catalog_version(&self) -> &str {
        &self.counter.catalog_version
    }

    /// Remembers which catalog was loaded.
    pub fn set_catalog_version(&mut self, version: &str) {
        version.clone_into(&mut self.counter.catalog_version);
    }

    /// The transaction, for the files of this module that read in it.
    pub(super) fn tx(&self) -> &DatabaseTransaction {
        &self.tx
    }

    /// The resource that the answer is about; 0 if it is about several.
    fn subject(&self) -> i64 {
        match self.changes.as_slice() {
            [change] => change.resource_id,
            _ => 0,
        }
    }

    /// The live version of a resource, deleted or not.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn find<R: Resource>(&self, name: &Name) -> Result<Option<Stored<R>>> {
        super::read::live(&self.tx, name).await
    }

    /// The live version of a resource that exists.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if there is none.
    pub async fn get<R: Resource>(&self, name: &Name) -> Result<Stored<R>> {
        self.find(name).await?.ok_or_else(|| Error::not_found(R::KIND.singular(), name.as_str()))
    }

    /// The live versions of a kind that are not deleted, of one organization or (0) of all. For rules that must see
    /// them all: the chain, duplicates, manifests.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn all<R: Resource>(&self, organization_id: i64) -> Result<Vec<Stored<R>>> {
        super::read::all_live(&self.tx, organization_id).await
    }

    /// The live versions, not deleted, whose column holds this text. For rules that look at what refers to a resource.
    ///
    /// # Errors
    /// If the database fails.
    pub(super) async fn live_with<R: Resource>(&self, field: &str, value: &str) -> Result<Vec<Stored<R>>> {
        let mut query = super::read::version_query(R::KIND);
        query
            .and_where(Expr::col(column(field)).eq(value))
            .and_where(Expr::col(column("to_revision")).is_null())
            .and_where(Expr::col(column("deleted")).eq(false));
        let rows = super::read::fetch_all(&self.tx, &query).await?;
        let decoded = rows.into_iter().map(Stored::decode).collect::<Result<Vec<_>>>()?;
        Ok(decoded.into_iter().flatten().collect())
    }

    /// Stores a new version of a resource and records the change. `before` is the version it replaces; without one the
    /// resource is new, and `message.name` must not have been used before. Returns the message as stored. A message that
    /// says the same as the one before makes no version.
    ///
    /// # Errors
    /// RESOURCE_EXISTS for a name once used; REFERENCE_NOT_FOUND if it refers to what is not there; RESOURCE_IN_USE if
    /// it is deleted while something refers to it; REVISION_TOO_LARGE.
    pub async fn put<R: Resource>(&mut self, before: Option<&Stored<R>>, message: R) -> Result<R> {
        let name = Name::of(R::KIND, "name", message.header().name)?;
        if let Some(before) = before
            && same(&before.message, &message)
        {
            return Ok(before.message.clone());
        }
        let deleted = message.header().delete_time.is_some();
        let kind = match before {
            None => ChangeKind::Created,
            Some(before) if deleted && !before.is_deleted() => ChangeKind::Deleted,
            Some(before) if !deleted && before.is_deleted() => ChangeKind::Undeleted,
            Some(_) => ChangeKind::Updated,
        };
        let mut message = message;
        let (resource_id, organization_id) = match before {
            Some(before) => (before.resource_id, before.organization_id),
            None => {
                self.refuse_name_in_use(&message).await?;
                *message.header_mut().uid = uuid::Uuid::now_v7().to_string();
                self.register::<R>(&name, message.header().uid).await?
            }
        };
        let message = self.stamp(message, before);
        self.written.push(Written::of(resource_id, &name, &message, deleted));

        let version = self.version(resource_id, organization_id, &message)?;
        self.record(before, kind, &version)?;
        if before.is_some() {
            self.close::<R>(resource_id).await?;
        }
        self.insert(&message, version).await?;
        Ok(message)
    }

    /// Refuses a new resource whose name is or was in use.
    pub(super) async fn refuse_name_in_use<R: Resource>(&self, message: &R) -> Result<()> {
        let name = message.header().name;
        if resource::find(&self.tx, name).await?.is_none() {
            return Ok(());
        }
        let message = format!("{name} exists, or existed and was deleted; an id is never given again");
        Err(Error::new(Reason::ResourceExists, message).resource(R::KIND.singular(), name))
    }

    /// Gives a new resource its permanent row and returns its id and its organization's.
    async fn register<R: Resource>(&mut self, name: &Name, uid: &str) -> Result<(i64, i64)> {
        let id = self.counter.next_resource_id;
        self.counter.next_resource_id += 1;
        let organization_id = match name.parent() {
            Some(parent) => resource::find(&self.tx, parent.as_str())
                .await?
                .map(|row| row.id)
                .ok_or_else(|| Error::not_found(Kind::Organization.singular(), parent.as_str()))?,
            None if R::KIND == Kind::Organization => id,
            None => 0,
        };
        let kind = R::KIND as i32;
        let row = resource_row::Model { id, name: name.to_string(), uid: uid.to_owned(), kind, organization_id };
        resource::insert(&self.tx, row).await?;
        Ok((id, organization_id))
    }

    /// Sets what the server says of a version.
    fn stamp<R: Resource>(&self, mut message: R, before: Option<&Stored<R>>) -> R {
        let revision = self.counter.revision + 1;
        let now = timestamp(self.now.as_microsecond());
        let header = message.header_mut();
        if let Some(before) = before {
            let earlier = before.message.header();
            earlier.uid.clone_into(header.uid);
            *header.create_time = earlier.create_time;
        } else {
            *header.create_time = Some(now);
        }
        *header.update_time = Some(now);
        *header.revision = revision;
        *header.etag = etag(header.uid, revision);
        message
    }

    fn version<R: Resource>(&self, resource_id: i64, organization_id: i64, message: &R) -> Result<Version> {
        let header = message.header();
        let body = message.encode_to_vec();
        let salt: [u8; 32] = rand::random();
        if body.len() > MAX_BYTES {
            return Err(too_large(1, body.len()));
        }
        Ok(Version {
            resource_id,
            from_revision: header.revision,
            organization_id,
            name: header.name.to_owned(),
            deleted: header.delete_time.is_some(),
            create_time: micros(header.create_time.as_ref()),
            update_time: micros(header.update_time.as_ref()),
            digest: rules::log::payload_digest(&salt, &body).to_vec(),
            salt: salt.to_vec(),
            body,
        })
    }

    fn record<R: Resource>(&mut self, before: Option<&Stored<R>>, kind: ChangeKind, version: &Version) -> Result<()> {
        let ordinal = self.changes.len();
        if self.changes.iter().any(|change| change.resource_id == version.resource_id) {
            return Err(Error::internal(format!("{} was written twice in one revision", version.name)));
        }
        self.bytes += version.body.len() + before.map_or(0, |before| before.message.encoded_len());
        if ordinal + 1 > MAX_CHANGES || self.bytes > MAX_BYTES {
            return Err(too_large(ordinal + 1, self.bytes));
        }
        self.changes.push(change::Model {
            revision: version.from_revision,
            ordinal: i32::try_from(ordinal).map_err(Error::internal)?,
            resource_id: version.resource_id,
            resource_kind: R::KIND as i32,
            organization_id: version.organization_id,
            name: version.name.clone(),
            kind: kind.into(),
            before_revision: before.map(|before| before.from_revision),
            before_digest: before.map(|before| before.digest.clone()),
            after_digest: Some(version.digest.clone()),
        });
        Ok(())
    }

    /// Records an erasure: a change without a version of its own.
    pub(super) fn record_erasure(&mut self, row: &resource_row::Model) -> Result<i64> {
        let revision = self.counter.revision + 1;
        self.changes.push(change::Model {
            revision,
            ordinal: i32::try_from(self.changes.len()).map_err(Error::internal)?,
            resource_id: row.id,
            resource_kind: row.kind,
            organization_id: row.organization_id,
            name: row.name.clone(),
            kind: ChangeKind::Erased.into(),
            before_revision: None,
            before_digest: None,
            after_digest: None,
        });
        Ok(revision)
    }

    /// Ends the live version.
    async fn close<R: Resource>(&self, resource_id: i64) -> Result<()> {
        let statement = Query::update()
            .table(table(R::KIND))
            .value(column("to_revision"), self.counter.revision + 1)
            .and_where(Expr::col(column("resource_id")).eq(resource_id))
            .and_where(Expr::col(column("to_revision")).is_null())
            .to_owned();
        self.tx.execute(&statement).await?;
        Ok(())
    }

    async fn insert<R: Resource>(&self, message: &R, version: Version) -> Result<()> {
        let (resource_id, from_revision) = (version.resource_id, version.from_revision);
        // A model's fields come out unchanged; all of them are to be written.
        let row = sea_orm::ActiveModelTrait::reset_all(message.row(version).into_active_model());
        R::Entity::insert(row).exec_without_returning(&self.tx).await?;
        let mut values = message.values();
        values.sort();
        values.dedup();
        if values.is_empty() {
            return Ok(());
        }
        let mut statement = Query::insert();
        statement
            .into_table(value_table(R::KIND))
            .columns(["resource_id", "from_revision", "field", "value"].map(column));
        for (field, value) in values {
            statement
                .values([resource_id.into(), from_revision.into(), field.into(), value.into()])
                .map_err(Error::internal)?;
        }
        self.tx.execute(&statement).await?;
        Ok(())
    }

    /// What the versions written so far refer to and that is not there, or of another kind. Asked when all is written,
    /// so that what one write makes may refer to each other in any order.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn dangling(&self) -> Result<Vec<Dangling>> {
        let references =
            || self.written.iter().flat_map(|written| written.references.iter().map(move |r| (written, r)));
        let mut names: Vec<String> = references().map(|(_, reference)| reference.name.clone()).collect();
        names.sort();
        names.dedup();
        let rows = resource::find_all(&self.tx, names).await?;
        let gone = super::read::deleted_among(&self.tx, &rows).await?;
        let rows: HashMap<&str, &resource_row::Model> = rows.iter().map(|row| (row.name.as_str(), row)).collect();
        let mut dangling = Vec::new();
        for (written, reference) in references() {
            let fits =
                Name::parse(&reference.name).is_some_and(|name| reference.kind.is_none_or(|kind| kind == name.kind()));
            let shown = crate::error::clip(&reference.name);
            let (reason, rule) = match rows.get(reference.name.as_str()) {
                _ if !fits => {
                    let pattern = reference.kind.map_or_else(|| "a resource".to_owned(), Kind::pattern);
                    (Reason::FieldInvalid, format!("must be a name of the form {pattern}, not \"{shown}\""))
                }
                None => (Reason::ReferenceNotFound, format!("{shown} does not exist")),
                Some(row) if gone.contains(&row.id) => (Reason::ReferenceNotFound, format!("{shown} is deleted")),
                Some(_) => continue,
            };
            dangling.push(Dangling {
                from: written.name.clone(),
                field: reference.field.clone(),
                to: reference.name.clone(),
                reason,
                rule,
            });
        }
        Ok(dangling)
    }

    /// Checks all references of what was written, remembers them, and checks that nothing refers to what was deleted.
    async fn settle_references(&mut self) -> Result<()> {
        let dangling = self.dangling().await?;
        if !dangling.is_empty() {
            return Err(refuse_dangling(dangling));
        }
        let written = std::mem::take(&mut self.written);
        let names = written.iter().flat_map(|w| &w.references).map(|reference| reference.name.clone()).collect();
        let ids: HashMap<String, i64> =
            resource::find_all(&self.tx, names).await?.into_iter().map(|row| (row.name, row.id)).collect();
        for one in &written {
            let mut to: Vec<(i64, String)> = one
                .references
                .iter()
                .filter_map(|reference| Some((*ids.get(&reference.name)?, reference.field.clone())))
                .collect();
            to.sort();
            to.dedup();
            resource::set_references(&self.tx, one.resource_id, to).await?;
        }
        for one in written.iter().filter(|one| one.deleted) {
            self.refuse_if_referred_to(one.resource_id, &one.name).await?;
        }
        Ok(())
    }

    async fn refuse_if_referred_to(&self, resource_id: i64, name: &str) -> Result<()> {
        let (total, first) = resource::referrers(&self.tx, resource_id).await?;
        if total == 0 {
            return Ok(());
        }
        let mut error = Error::new(Reason::ResourceInUse, format!("{name} is in use: {total} references to it"))
            .with("references", total);
        for (referrer, field) in first {
            error = error.precondition("REFERENCE", &referrer, format!("{field} of {referrer} refers to {name}"));
        }
        Err(error)
    }

    /// Writes the revision, if anything changed.
    async fn finish(&mut self) -> Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        self.settle_references().await?;
        let hash = log::append(&self.tx, &self.call, &self.counter, &self.changes).await?;
        self.counter.revision += 1;
        self.counter.hash = hash.to_vec();
        self.revision_made = true;
        Ok(())
    }
}

fn too_large(changes: usize, bytes: usize) -> Error {
    let message = format!(
        "one write may make {MAX_CHANGES} changes of {MAX_BYTES} bytes in all; this one makes at least {changes} changes of {bytes} bytes"
    );
    Error::new(Reason::RevisionTooLarge, message)
        .with("changes", changes)
        .with("max_changes", MAX_CHANGES)
        .with("bytes", bytes)
        .with("max_bytes", MAX_BYTES)
}

/// Whether two messages say the same but for what the server sets with every version.
fn same<R: Resource>(before: &R, after: &R) -> bool {
    let mut before = before.clone();
    let mut after = after.clone();
    for message in [&mut before, &mut after] {
        let header = message.header_mut();
        header.uid.clear();
        header.etag.clear();
        *header.revision = 0;
        *header.create_time = None;
        *header.update_time = None;
    }
    before == after
}
