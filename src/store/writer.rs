//! What a queued write works with: the latest state, and versions that record themselves as changes.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{
    due::Noted,
    entity::{change, counter, resource as resource_row},
    law::Laws,
    log,
    notice::gate::Passes,
    references::Written,
    resource,
    version::{Resource, Stored, Version, column, etag, micros, stored_values, table, timestamp, value_table},
};
use crate::{
    call::Call,
    error::{Error, Reason, Result},
    proto::v1::{Customer, change::Kind as ChangeKind},
    resource::name::{Kind, Name},
    rules,
};

/// Changes in one revision.
const MAX_CHANGES: usize = 1_000;
/// Bytes of the versions in one revision, before and after together.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of one version: so that it fits into a revision twice, before and after, and can always be changed and deleted.
const MAX_BODY: usize = 1_000_000;

/// What a queued closure gets: reads of the latest state, and writes that record themselves.
#[derive(Debug)]
pub struct Writer {
    pub(super) tx: DatabaseTransaction,
    call: Call,
    pub(super) now: Timestamp,
    pub(super) counter: counter::Model,
    pub(super) laws: Arc<Laws>,
    changes: Vec<change::Model>,
    pub(super) written: Vec<Written>,
    /// The permanent ids of organizations under which something was made: those of a list are asked for once.
    parents: HashMap<Name, i64>,
    bytes: usize,
    revision_made: bool,
    /// Something was erased: its bytes must leave the files too.
    pub(super) erased: bool,
    /// When something of what was written is due.
    pub(super) noted: Noted,
    /// Customers that were written.
    pub(super) customers_written: Vec<Customer>,
    /// What the caller gave to pass gates with.
    pub(super) passes: Passes,
}

impl Writer {
    /// For one call, in a savepoint of its own.
    pub(super) fn new(
        tx: DatabaseTransaction,
        call: Call,
        now: Timestamp,
        counter: counter::Model,
        laws: Arc<Laws>,
    ) -> Self {
        Self {
            tx,
            call,
            now,
            counter,
            laws,
            changes: Vec::new(),
            written: Vec::new(),
            parents: HashMap::new(),
            bytes: 0,
            revision_made: false,
            erased: false,
            noted: Noted::default(),
            customers_written: Vec::new(),
            passes: Passes::default(),
        }
    }

    /// Remembers that something of what is written is due at an instant.
    pub(super) fn note_due(&mut self, time: Option<&prost_types::Timestamp>) {
        if time.is_some() {
            self.noted.note(micros(time));
        }
    }

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

    /// Whether something was changed so far.
    pub(super) fn has_written(&self) -> bool {
        !self.changes.is_empty()
    }

    /// The resource that the answer is about; 0 if it is about several.
    pub(super) fn subject(&self) -> i64 {
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

    /// The live version of a resource that exists: there is one, and it is not deleted.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn existing<R: Resource>(&self, name: &Name) -> Result<Option<Stored<R>>> {
        Ok(self.find(name).await?.filter(|stored| !stored.is_deleted()))
    }

    /// Whether there is or ever was a resource of this name.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn is_known(&self, name: &Name) -> Result<bool> {
        Ok(resource::find(&self.tx, name.as_str()).await?.is_some())
    }

    /// The live version of a resource, deleted or not.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if there is none.
    pub async fn get<R: Resource>(&self, name: &Name) -> Result<Stored<R>> {
        self.find(name).await?.ok_or_else(|| Error::not_found(R::KIND.singular(), name.as_str()))
    }

    /// The versions of a kind that exist now, of one organization or (0) of all. For rules that must see
    /// them all: the chain, duplicates, manifests.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn all<R: Resource>(&self, organization_id: i64) -> Result<Vec<Stored<R>>> {
        super::read::all_live(&self.tx, organization_id).await
    }

    /// The versions that exist now and whose column holds this text. For rules that look at what refers to a resource.
    ///
    /// # Errors
    /// If the database fails.
    pub(super) async fn live_with<R: Resource>(&self, field: &str, value: &str) -> Result<Vec<Stored<R>>> {
        self.live_among(field, &[value.to_owned()]).await
    }

    /// The same for any of these texts.
    pub(super) async fn live_among<R: Resource>(&self, field: &str, values: &[String]) -> Result<Vec<Stored<R>>> {
        let mut query = super::read::existing_query(R::KIND);
        query.and_where(Expr::col(column(field)).is_in(values));
        super::read::fetch_stored(&self.tx, &query).await
    }

    /// Stores a new version of a resource and records the change. `before` is the version it replaces; without one the
    /// resource is new, and `message.name` must not have been used before. Returns the message as stored. A message that
    /// says the same as the one before makes no version.
    ///
    /// # Errors
    /// RESOURCE_EXISTS for a name once used; REFERENCE_NOT_FOUND if it refers to what is not there; RESOURCE_IN_USE if
    /// it is deleted while something refers to it; REVISION_TOO_LARGE.
    pub async fn put<R: Resource>(&mut self, before: Option<&Stored<R>>, message: R) -> Result<R> {
        if before.is_none() {
            self.refuse_name_in_use(&message).await?;
        }
        self.put_unused(before, message).await
    }

    /// The same where the name of a new resource is known to be unused.
    pub(super) async fn put_unused<R: Resource>(&mut self, before: Option<&Stored<R>>, message: R) -> Result<R> {
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
                *message.header_mut().uid = uuid::Uuid::now_v7().to_string();
                self.register::<R>(&name, message.header().uid).await?
            }
        };
        let message = self.stamp(message, before);
        self.written.push(Written::of(before.is_none(), resource_id, organization_id, &name, &message));

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
        let message = match self.find::<R>(&Name::of(R::KIND, "name", name)?).await? {
            Some(known) if !known.is_deleted() => format!("{name} exists already"),
            Some(_) => format!("{name} was deleted, and its id is never given again: undelete it, or take another id"),
            None => format!("{name} existed, and its id is never given again: take another id"),
        };
        Err(Error::new(Reason::ResourceExists, message).resource(R::KIND.singular(), name))
    }

    /// Gives a new resource its permanent row and returns its id and its organization's.
    async fn register<R: Resource>(&mut self, name: &Name, uid: &str) -> Result<(i64, i64)> {
        let id = self.counter.next_resource_id;
        self.counter.next_resource_id += 1;
        let organization_id = match name.parent() {
            Some(parent) => self.organization_of(parent).await?,
            None if R::KIND == Kind::Organization => id,
            None => 0,
        };
        let kind = R::KIND as i32;
        let row = resource_row::Model { id, name: name.to_string(), uid: uid.to_owned(), kind, organization_id };
        resource::insert(&self.tx, row).await?;
        Ok((id, organization_id))
    }

    async fn organization_of(&mut self, parent: Name) -> Result<i64> {
        if let Some(id) = self.parents.get(&parent) {
            return Ok(*id);
        }
        let row = resource::find(&self.tx, parent.as_str()).await?;
        let row = row.ok_or_else(|| Error::not_found(parent.kind().singular(), parent.as_str()))?;
        self.parents.insert(parent, row.organization_id);
        Ok(row.organization_id)
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
        if body.len() > MAX_BODY {
            let message = format!("{}: one resource may have {MAX_BODY} bytes; it has {}", header.name, body.len());
            return Err(Error::new(Reason::RevisionTooLarge, message)
                .with("bytes", body.len())
                .with("max_resource_bytes", MAX_BODY));
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
            reason: String::new(),
        });
        Ok(())
    }

    /// Records an erasure: a change without a version of its own.
    pub(super) fn record_erasure(&mut self, row: &resource_row::Model, reason: &str) -> Result<i64> {
        let revision = self.counter.revision + 1;
        self.erased = true;
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
            reason: reason.to_owned(),
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
        let values = stored_values(message);
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

    /// Writes the revision, if anything changed.
    pub(super) async fn finish(&mut self) -> Result<()> {
        self.follow_customers().await?;
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
