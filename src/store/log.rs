//! The log's own rows: appending a revision, and reading revisions back with what they changed.

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::{
    Store,
    entity::{change, counter, revision, trace},
    filter,
    read::{fetch_all, version_query},
    version::{Row, one_of, timestamp},
};
use crate::{
    call::Call,
    error::{Error, Result},
    proto::v1::{Change, Revision},
    resource::{
        filter::Expr as Filter,
        name::{Kind, Name, Parent},
        page::Position,
    },
    rules::{self, log::Hash},
};

/// Changes on one page of revisions, about 150 bytes each; clients refuse messages over 4 MiB.
const PAGE_CHANGES: usize = 10_000;

/// The counter row.
pub(super) async fn counter(db: &impl ConnectionTrait) -> Result<counter::Model> {
    let row = counter::Entity::find_by_id(1).one(db).await?;
    row.ok_or_else(|| Error::internal("the counter row is missing"))
}

/// Writes a revision and its changes and returns its hash.
pub(super) async fn append(
    tx: &DatabaseTransaction,
    call: &Call,
    counter: &counter::Model,
    changes: &[change::Model],
) -> Result<Hash> {
    let number = counter.revision + 1;
    let header = rules::log::Header {
        number,
        commit_time: counter.commit_time,
        principal: &call.principal,
        method: call.method,
        request_id: &call.request_id,
    };
    let hash = hash(rules::log::FORMAT, &counter.hash, &header, changes);
    let row = revision::ActiveModel {
        number: Set(number),
        commit_time: Set(counter.commit_time),
        principal: Set(call.principal.clone()),
        method: Set(call.method.to_owned()),
        request_id: Set(call.request_id.clone()),
        format: Set(rules::log::FORMAT),
        change_count: Set(i32::try_from(changes.len()).map_err(Error::internal)?),
        hash: Set(hash.to_vec()),
        previous_hash: Set(counter.hash.clone()),
    };
    revision::Entity::insert(row).exec_without_returning(tx).await?;
    if !call.trace.is_empty() {
        let row = trace::ActiveModel { revision: Set(number), traceparent: Set(call.trace.clone()) };
        trace::Entity::insert(row).exec_without_returning(tx).await?;
    }
    for chunk in changes.chunks(100) {
        change::Entity::insert_many(chunk.iter().cloned().map(into_active)).exec_without_returning(tx).await?;
    }
    Ok(hash)
}

fn into_active(row: change::Model) -> change::ActiveModel {
    let change::Model {
        revision,
        ordinal,
        resource_id,
        resource_kind,
        organization_id,
        name,
        kind,
        before_revision,
        before_digest,
        after_digest,
        reason,
    } = row;
    change::ActiveModel {
        revision: Set(revision),
        ordinal: Set(ordinal),
        resource_id: Set(resource_id),
        resource_kind: Set(resource_kind),
        organization_id: Set(organization_id),
        name: Set(name),
        kind: Set(kind),
        before_revision: Set(before_revision),
        before_digest: Set(before_digest),
        after_digest: Set(after_digest),
        reason: Set(reason),
    }
}

/// The hash of a revision from its rows.
pub(super) fn hash(format: i32, previous: &[u8], header: &rules::log::Header<'_>, changes: &[change::Model]) -> Hash {
    let leaves = changes
        .iter()
        .map(|change| {
            rules::log::leaf(&rules::log::Leaf {
                ordinal: change.ordinal,
                name: &change.name,
                kind: change.kind,
                before: change.before_digest.as_deref().unwrap_or_default(),
                after: change.after_digest.as_deref().unwrap_or_default(),
                reason: &change.reason,
            })
        })
        .collect();
    rules::log::revision(format, previous, header, &rules::log::merkle_root(leaves))
}

/// Which changes of revisions are wanted.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only of this organization and what is under it.
    pub organization_id: Option<i64>,
    /// Only of these kinds; none = all.
    pub kinds: Vec<Kind>,
}

impl Store {
    /// The traces in which revisions were made, of those that were made in one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn traces(&self, revisions: &[i64]) -> Result<HashMap<i64, String>> {
        let rows = trace::Entity::find()
            .filter(trace::Column::Revision.is_in(revisions.iter().copied()))
            .all(self.reads())
            .await?;
        Ok(rows.into_iter().map(|row| (row.revision, row.traceparent)).collect())
    }
}

impl Scope {
    /// Whether a change belongs to it.
    fn holds(&self, change: &change::Model) -> bool {
        self.organization_id.is_none_or(|id| change.organization_id == id)
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| *kind as i32 == change.resource_kind))
    }
}

/// A page of the log.
#[derive(Debug, Clone)]
pub struct LogList<'a> {
    /// Only revisions that changed this.
    pub parent: &'a Parent,
    /// What must hold of the revision.
    pub filter: Option<&'a Filter>,
    /// Newest first.
    pub descending: bool,
    /// Where the page before ended.
    pub after: Option<&'a Position>,
    /// Up to this revision.
    pub revision: i64,
    /// How many at most.
    pub size: usize,
}

impl Store {
    /// One revision with its changes and their messages.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if there is none.
    pub async fn revision(&self, number: i64) -> Result<Revision> {
        let row = revision::Entity::find_by_id(number).one(self.reads()).await?;
        let row = row.ok_or_else(|| Error::not_found("revision", &format!("revisions/{number}")))?;
        let changes = self.changes(&[number]).await?;
        let mut revisions = self.with_bodies(vec![(row, changes)]).await?;
        revisions.pop().ok_or_else(|| Error::internal("a revision was read and lost"))
    }

    /// The changes of revisions, in order.
    pub(super) async fn changes(&self, numbers: &[i64]) -> Result<Vec<change::Model>> {
        if numbers.is_empty() {
            // "One of none" is written as 1 = 2, which SQLite tests row by row.
            return Ok(Vec::new());
        }
        Ok(change::Entity::find()
            .filter(change::Column::Revision.is_in(numbers.iter().copied()))
            .order_by_asc(change::Column::Revision)
            .order_by_asc(change::Column::Ordinal)
            .all(self.reads())
            .await?)
    }

    /// Revisions with numbers above `after` and up to `to` that have changes in `scope`, at most `limit`.
    pub(super) async fn revisions_after(
        &self,
        after: i64,
        to: i64,
        scope: &Scope,
        limit: u64,
    ) -> Result<Vec<(revision::Model, Vec<change::Model>)>> {
        let mut query = revision::Entity::find()
            .filter(revision::Column::Number.gt(after))
            .filter(revision::Column::Number.lte(to))
            .order_by_asc(revision::Column::Number)
            .limit(limit);
        if let Some(id) = scope.organization_id {
            // By index, however many revisions of others lie between.
            let numbers: Vec<i64> = change::Entity::find()
                .select_only()
                .column(change::Column::Revision)
                .distinct()
                .filter(change::Column::OrganizationId.eq(id))
                .filter(change::Column::Revision.gt(after))
                .filter(change::Column::Revision.lte(to))
                .order_by_asc(change::Column::Revision)
                .limit(limit)
                .into_tuple()
                .all(self.reads())
                .await?;
            if numbers.is_empty() {
                return Ok(Vec::new());
            }
            query = query.filter(revision::Column::Number.is_in(numbers));
        }
        let rows = query.all(self.reads()).await?;
        let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
        let mut changes: HashMap<i64, Vec<change::Model>> = HashMap::new();
        for change in self.changes(&numbers).await? {
            if scope.holds(&change) {
                changes.entry(change.revision).or_default().push(change);
            }
        }
        Ok(rows
            .into_iter()
            .map(|row| {
                let changes = changes.remove(&row.number).unwrap_or_default();
                (row, changes)
            })
            .collect())
    }

    /// Fills in what revisions changed, before and after: a fixed number of queries, however many revisions.
    pub(super) async fn with_bodies(
        &self,
        revisions: Vec<(revision::Model, Vec<change::Model>)>,
    ) -> Result<Vec<Revision>> {
        let mut bodies: HashMap<(i64, i64), Vec<u8>> = HashMap::new();
        for kind in Kind::ALL {
            let wanted: Vec<(i64, i64)> = revisions
                .iter()
                .flat_map(|(_, changes)| changes)
                .filter(|change| change.resource_kind == kind as i32)
                .flat_map(|change| {
                    let after = change.after_digest.as_ref().map(|_| (change.resource_id, change.revision));
                    let before = change.before_revision.map(|revision| (change.resource_id, revision));
                    after.into_iter().chain(before)
                })
                .collect();
            for row in self.versions(kind, &wanted).await? {
                if let Some(body) = row.body {
                    bodies.insert((row.resource_id, row.from_revision), body);
                }
            }
        }
        Ok(revisions.into_iter().map(|(row, changes)| message(row, changes, Some(&bodies))).collect())
    }

    /// Versions by resource and revision.
    pub(super) async fn versions(&self, kind: Kind, keys: &[(i64, i64)]) -> Result<Vec<Row>> {
        let mut rows = Vec::with_capacity(keys.len());
        // Bound parameters are limited; SQLite's limit is the lower.
        for chunk in keys.chunks(500) {
            let mut query = version_query(kind);
            let backend = self.reads().get_database_backend();
            query.cond_where(one_of(backend, ["resource_id", "from_revision"], chunk));
            rows.extend(fetch_all(self.reads(), &query).await?);
        }
        Ok(rows)
    }

    /// A page of revisions, without the messages.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if the parent does not exist.
    pub async fn list_revisions(&self, list: &LogList<'_>) -> Result<(Vec<Revision>, Option<Position>)> {
        let mut query = revision::Entity::find().filter(revision::Column::Number.lte(list.revision));
        if let Parent::Organization(name) = list.parent {
            let id = self.resource_id(name).await?;
            query = query.filter(
                revision::Column::Number.in_subquery(
                    QuerySelect::query(
                        &mut change::Entity::find()
                            .select_only()
                            .column(change::Column::Revision)
                            .filter(change::Column::OrganizationId.eq(id)),
                    )
                    .to_owned(),
                ),
            );
        }
        if let Some(filter) = list.filter {
            query = query.filter(filter::condition(filter::Rows::Revisions, filter));
        }
        if let Some(after) = list.after {
            query = query.filter(if list.descending {
                revision::Column::Number.lt(after.number)
            } else {
                revision::Column::Number.gt(after.number)
            });
        }
        query = if list.descending {
            query.order_by_desc(revision::Column::Number)
        } else {
            query.order_by_asc(revision::Column::Number)
        };
        let mut rows = query.limit(list.size as u64 + 1).all(self.reads()).await?;
        let mut more = rows.len() > list.size;
        rows.truncate(list.size);
        // A page of large revisions is shorter, so that the answer stays within what clients accept.
        let mut changes = 0;
        let fits = rows
            .iter()
            .take_while(|row| {
                changes += usize::try_from(row.change_count).unwrap_or(0);
                changes <= PAGE_CHANGES
            })
            .count()
            .max(1);
        more |= fits < rows.len();
        rows.truncate(fits);
        let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
        let mut changes: HashMap<i64, Vec<change::Model>> = HashMap::new();
        for change in self.changes(&numbers).await? {
            changes.entry(change.revision).or_default().push(change);
        }
        let next = rows.last().filter(|_| more).map(|row| Position {
            revision: list.revision,
            number: row.number,
            ..Position::default()
        });
        let revisions = rows
            .into_iter()
            .map(|row| {
                let changes = changes.remove(&row.number).unwrap_or_default();
                message(row, changes, None)
            })
            .collect();
        Ok((revisions, next))
    }

    /// The permanent id of a resource, which need not be live.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if there never was one.
    pub async fn resource_id(&self, name: &Name) -> Result<i64> {
        super::resource::find(self.reads(), name.as_str())
            .await?
            .map(|row| row.id)
            .ok_or_else(|| Error::not_found(name.kind().singular(), name.as_str()))
    }
}

/// A revision as the API has it; with what it changed before and after, if there are `bodies`.
pub(super) fn message(
    row: revision::Model,
    changes: Vec<change::Model>,
    bodies: Option<&HashMap<(i64, i64), Vec<u8>>>,
) -> Revision {
    let revision::Model {
        number,
        commit_time,
        principal,
        method,
        request_id,
        format: _,
        change_count: _,
        hash,
        previous_hash,
    } = row;
    Revision {
        name: format!("revisions/{number}"),
        number,
        commit_time: Some(timestamp(commit_time)),
        principal,
        method,
        request_id,
        changes: changes.into_iter().map(|change| change_message(change, bodies)).collect(),
        hash,
        previous_hash,
    }
}

fn change_message(row: change::Model, bodies: Option<&HashMap<(i64, i64), Vec<u8>>>) -> Change {
    let kind = i16::try_from(row.resource_kind).ok().and_then(Kind::from_number);
    let any = |revision: i64| {
        let value = bodies?.get(&(row.resource_id, revision))?.clone();
        Some(prost_types::Any { type_url: format!("type.googleapis.com/{}", kind?.message()), value })
    };
    Change {
        before: row.before_revision.and_then(any),
        after: row.after_digest.as_ref().and_then(|_| any(row.revision)),
        ordinal: row.ordinal,
        resource_name: row.name,
        kind: row.kind,
        before_digest: row.before_digest.unwrap_or_default(),
        after_digest: row.after_digest.unwrap_or_default(),
        reason: row.reason,
    }
}
