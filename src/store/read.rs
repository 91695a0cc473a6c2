//! The one door for reads: one resource or a page of them, now or at any revision. A read outside the writer needs no
//! transaction: versions are never changed, so everything read at one revision fits together.

mod page;

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Condition, DynIden, Expr, ExprTrait, Func, JoinType, Order as Direction, Query, SelectStatement},
};

use self::page::{fitting, has_equal, is_selective, order, order_column, position};
use super::{
    Store, customer_view,
    entity::{counter, resource as resource_row, revision},
    filter,
    version::{NO_DATE, Resource, Row, Stored, column, day, table, value_table},
};
use crate::{
    error::{Error, Reason, Result},
    resource::{
        filter::{Expr as Filter, Order},
        name::{Kind, Name, Parent},
        page::Position,
    },
};

/// A point in known time that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After this revision.
    Revision(i64),
    /// After the last revision committed at or before this instant.
    Time(Timestamp),
}

/// A point in known time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// The newest revision then.
    pub(super) revision: i64,
    /// The UTC day, ISO 8601; empty for the empty registry.
    pub(super) day: String,
    /// The instant; `None` for the empty registry.
    pub(super) instant: Option<Timestamp>,
}

/// A list to be read.
#[derive(Debug, Clone)]
pub struct List<'a> {
    /// Where to look.
    pub parent: &'a Parent,
    /// What must hold.
    pub filter: Option<&'a Filter>,
    /// For resources with dates of their own: the ISO 8601 day on which they are in effect.
    pub effective_at: Option<&'a str>,
    /// Whether subprocessors are listed too that are not in effect on that day for everybody, but may be for one customer.
    pub held_too: bool,
    /// In which order.
    pub order: Order,
    /// Whether deleted ones are listed too.
    pub show_deleted: bool,
    /// Where the page before ended.
    pub after: Option<&'a Position>,
    /// At which revision.
    pub revision: i64,
    /// How many at most.
    pub size: usize,
}

/// A page of resources.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<R> {
    /// The resources.
    pub items: Vec<R>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Position>,
}

impl Store {
    /// The newest revision.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn head(&self) -> Result<i64> {
        Ok(super::log::counter(self.reads()).await?.revision)
    }

    /// The revision that `as_of` means; absent, the newest.
    ///
    /// # Errors
    /// LOG_NOT_YET_WRITTEN for a revision or a time in the future.
    pub async fn revision_at(&self, as_of: Option<AsOf>) -> Result<i64> {
        let counter = super::log::counter(self.reads()).await?;
        match as_of {
            None => Ok(counter.revision),
            Some(AsOf::Revision(number)) => at_number(number, &counter),
            Some(AsOf::Time(time)) => self.at_time(time, &counter).await,
        }
    }

    /// The revision that `as_of` means, and the UTC day it falls on; absent, the newest, and today.
    ///
    /// # Errors
    /// LOG_NOT_YET_WRITTEN for a revision or a time in the future.
    pub(super) async fn moment(&self, as_of: Option<AsOf>) -> Result<Moment> {
        let revision = self.revision_at(as_of).await?;
        let instant = match as_of {
            None => Some(self.clock().now()),
            Some(AsOf::Time(time)) => Some(time),
            Some(AsOf::Revision(_)) => {
                let row = revision::Entity::find_by_id(revision).one(self.reads()).await?;
                row.and_then(|row| Timestamp::from_microsecond(row.commit_time).ok())
            }
        };
        // Before the first revision there is nothing that a day could be asked of.
        Ok(Moment { revision, day: instant.map(day).unwrap_or_default(), instant })
    }

    async fn at_time(&self, time: Timestamp, counter: &counter::Model) -> Result<i64> {
        // The newest commit can be ahead of this replica's clock; it has happened all the same.
        let now = self.clock().now().max(Timestamp::from_microsecond(counter.commit_time).unwrap_or(Timestamp::MIN));
        if time > now {
            let message = format!("the time {time} is in the future: it is {now} now");
            return Err(Error::new(Reason::LogNotYetWritten, message).with("time", time).with("now", now));
        }
        let found: Option<i64> = revision::Entity::find()
            .select_only()
            .column(revision::Column::Number)
            .filter(revision::Column::CommitTime.lte(time.as_microsecond()))
            .order_by_desc(revision::Column::CommitTime)
            .order_by_desc(revision::Column::Number)
            .limit(1)
            .into_tuple()
            .one(self.reads())
            .await?;
        Ok(found.unwrap_or(0))
    }

    /// One resource, as it is or as it was.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if there is or was none; RESOURCE_ERASED if that version was erased.
    pub async fn get<R: Resource>(&self, name: &Name, as_of: Option<AsOf>) -> Result<R> {
        let mut query = version_query(R::KIND);
        query.and_where(Expr::col(column("name")).eq(name.as_str()));
        let revision = match as_of {
            None => None,
            Some(_) => Some(self.revision_at(as_of).await?),
        };
        match revision {
            None => query.and_where(Expr::col(column("to_revision")).is_null()),
            Some(revision) => query.cond_where(alive_at(revision)),
        };
        let Some(row) = fetch(self.reads(), &query).await? else { return Err(self.absent(name, revision).await?) };
        Stored::<R>::decode(row)?.map(|stored| stored.message).ok_or_else(|| {
            Error::new(Reason::ResourceErased, format!("{name}: the version asked for was erased"))
                .resource(R::KIND.singular(), name.as_str())
        })
    }

    /// One resource that existed at a revision: there was one, and it was not deleted.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND otherwise; RESOURCE_ERASED if that version was erased.
    pub async fn existing<R: Resource>(&self, name: &Name, revision: i64) -> Result<R> {
        let found: R = self.get(name, Some(AsOf::Revision(revision))).await?;
        match found.header().delete_time {
            None => Ok(found),
            Some(_) => Err(Error::not_found(R::KIND.singular(), name.as_str())),
        }
    }

    /// A page of resources.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if the parent does not exist at that revision.
    pub async fn list<R: Resource>(&self, list: &List<'_>) -> Result<Page<R>> {
        let mut query = self.page_query::<R>(list).await?;
        // First which rows, then their content: clients refuse messages over 4 MiB, so a page of large resources is
        // shorter, and what does not fit on it is not read.
        query
            .clear_selects()
            .columns(["resource_id", "from_revision", "name"].map(column))
            // What continues after a row is what the row is ordered by, also where its content was erased since.
            .expr_as(Expr::col(column(&order_column(list.order))), column("position"))
            .expr_as(Func::cust("length").arg(Expr::col(column("body"))), column("bytes"))
            .limit(list.size as u64 + 1);
        let mut rows = self.reads().query_all(&query).await?;
        let mut more = rows.len() > list.size;
        rows.truncate(list.size);
        let fits = fitting(&rows)?;
        more |= fits < rows.len();
        rows.truncate(fits);
        let next = rows.last().filter(|_| more).map(|row| position(row, list)).transpose()?;
        let keys = rows
            .iter()
            .map(|row| Ok((row.try_get("", "resource_id")?, row.try_get("", "from_revision")?)))
            .collect::<Result<Vec<(i64, i64)>>>()?;
        let mut versions: HashMap<(i64, i64), Row> = self
            .versions(R::KIND, &keys)
            .await?
            .into_iter()
            .map(|row| ((row.resource_id, row.from_revision), row))
            .collect();
        let mut items = Vec::with_capacity(keys.len());
        for key in keys {
            // One that was erased between the two is on no page.
            if let Some(stored) = versions.remove(&key).map(Stored::<R>::decode).transpose()?.flatten() {
                items.push(stored.message);
            }
        }
        Ok(Page { items, next })
    }

    /// The statement of a page without its limit. Public to the plan test through [`Store::explain`].
    async fn page_query<R: Resource>(&self, list: &List<'_>) -> Result<SelectStatement> {
        let mut query = version_query(R::KIND);
        match list.parent {
            Parent::Any => {}
            Parent::Organization(name) => {
                let id = self.row_at(name, list.revision).await?;
                query.and_where(Expr::col(column("organization_id")).eq(id));
            }
            Parent::Vendor(name) | Parent::Notice(name) => {
                self.row_at(name, list.revision).await?;
                query.and_where(Expr::col(column("parent")).eq(name.as_str()));
            }
            Parent::Every(kind) => {
                // Names begin with where their resources live.
                let (first, after) = (format!("{}/", kind.collection()), format!("{}0", kind.collection()));
                query.and_where(Expr::col(column("name")).gte(first)).and_where(Expr::col(column("name")).lt(after));
            }
        }
        // What was erased is on no page.
        query.cond_where(alive_at(list.revision)).and_where(Expr::col(column("body")).is_not_null());
        if !list.show_deleted {
            query.and_where(Expr::col(column("deleted")).eq(false));
        }
        if let Some(day) = list.effective_at {
            let in_effect = in_effect(R::KIND, day);
            query.cond_where(match list.held_too {
                true => Condition::any().add(in_effect).add(customer_view::held()),
                false => in_effect,
            });
        }
        if let Some(filter) = list.filter {
            query.cond_where(filter::condition(filter::Rows::Versions(R::KIND), filter));
        }
        let is_sqlite = self.reads().get_database_backend() == DatabaseBackend::Sqlite;
        // What is equal in a column is in the order of names there: nothing needs to be sorted.
        let in_order = |filter: &Filter| list.order.field.path == "name" && has_equal(filter);
        let sort = is_sqlite && list.filter.is_some_and(|filter| is_selective(filter) && !in_order(filter));
        order(&mut query, list, sort);
        Ok(query)
    }

    /// The permanent row of what a list is under.
    pub(super) async fn row_at(&self, name: &Name, revision: i64) -> Result<i64> {
        let query = Query::select()
            .column(column("resource_id"))
            .from(table(name.kind()))
            .and_where(Expr::col(column("name")).eq(name.as_str()))
            .cond_where(alive_at(revision))
            .to_owned();
        match self.reads().query_one(&query).await? {
            Some(row) => Ok(row.try_get("", "resource_id")?),
            None => Err(self.absent(name, Some(revision)).await?),
        }
    }

    /// The refusal of a resource that has no version at a revision (none: now): it never existed, or did not yet.
    async fn absent(&self, name: &Name, revision: Option<i64>) -> Result<Error> {
        let kind = name.kind().singular();
        let Some(revision) = revision else { return Ok(Error::not_found(kind, name.as_str())) };
        let query = Query::select()
            .expr_as(Expr::col(column("from_revision")).min(), column("first"))
            .from(table(name.kind()))
            .and_where(Expr::col(column("name")).eq(name.as_str()))
            .to_owned();
        let row = self.reads().query_one(&query).await?;
        let first: Option<i64> = row.map(|row| row.try_get("", "first")).transpose()?.flatten();
        Ok(match first {
            Some(first) => {
                let message = format!("{name} did not exist yet at revision {revision}; its first is {first}");
                Error::new(Reason::ResourceNotFound, message)
                    .resource(kind, name.as_str())
                    .with("revision", revision)
                    .with("first_revision", first)
            }
            None => Error::not_found(kind, name.as_str()),
        })
    }

    /// How the database would read a page: the lines of its plan. For the test that refuses full scans.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn explain<R: Resource>(&self, list: &List<'_>) -> Result<Vec<String>> {
        let mut query = self.page_query::<R>(list).await?;
        self.plan(query.limit(list.size as u64 + 1)).await
    }

    /// How the database would read a statement.
    pub(super) async fn plan(&self, query: &SelectStatement) -> Result<Vec<String>> {
        let db = self.reads();
        let statement = db.get_database_backend().build(query);
        let is_postgres = db.get_database_backend() == sea_orm::DatabaseBackend::Postgres;
        let prefix = if is_postgres { "EXPLAIN " } else { "EXPLAIN QUERY PLAN " };
        let values = statement.values.clone().unwrap_or(sea_orm::Values(Vec::new()));
        let explain =
            sea_orm::Statement::from_sql_and_values(statement.db_backend, format!("{prefix}{}", statement.sql), values);
        let rows = db.query_all_raw(explain).await?;
        let column = if is_postgres { "QUERY PLAN" } else { "detail" };
        rows.iter().map(|row| row.try_get::<String>("", column).map_err(Error::from)).collect()
    }
}

fn at_number(number: i64, counter: &counter::Model) -> Result<i64> {
    if number < 0 {
        return Err(Error::field("as_of.revision", format!("must not be negative, but is {number}")));
    }
    if number > counter.revision {
        let message = format!("revision {number} is in the future: the newest is {}", counter.revision);
        return Err(Error::new(Reason::LogNotYetWritten, message)
            .with("revision", number)
            .with("newest_revision", counter.revision));
    }
    Ok(number)
}

/// Selects versions of a kind.
pub(super) fn version_query(kind: Kind) -> SelectStatement {
    Query::select().columns(Row::COLUMNS.map(column)).from(table(kind)).to_owned()
}

/// Selects the versions of a kind that exist now: those that are live and not deleted.
pub(super) fn existing_query(kind: Kind) -> SelectStatement {
    let mut query = version_query(kind);
    query.and_where(Expr::col(column("to_revision")).is_null()).and_where(Expr::col(column("deleted")).eq(false));
    query
}

/// The version that was the latest at a revision.
pub(super) fn alive_at(revision: i64) -> Condition {
    Condition::all().add(Expr::col(column("from_revision")).lte(revision)).add(
        Condition::any()
            .add(Expr::col(column("to_revision")).is_null())
            .add(Expr::col(column("to_revision")).gt(revision)),
    )
}

/// In effect on a day, by its own dates: begun and not ended. For a subprocessor that is the list of the day (DESIGN §4),
/// which also wants a state that is or was on it.
pub(super) fn in_effect(kind: Kind, day: &str) -> Condition {
    use crate::proto::v1::subprocessor::State;
    let states = [State::Active, State::Suspended, State::Retired].map(i32::from);
    let listed = (kind == Kind::Subprocessor).then(|| Expr::col(column("state")).is_in(states));
    Condition::all()
        .add_option(listed)
        // An absent date is stored after every day: never for an end, but always for a start.
        .add(
            Condition::any()
                .add(Expr::col(column("start_date")).lte(day))
                .add(Expr::col(column("start_date")).eq(NO_DATE)),
        )
        .add(Expr::col(column("end_date")).gt(day))
}

async fn fetch(db: &impl ConnectionTrait, query: &SelectStatement) -> Result<Option<Row>> {
    let row = db.query_one(query).await?;
    Ok(row.map(|row| Row::from_query_result(&row, "")).transpose()?)
}

pub(super) async fn fetch_all(db: &impl ConnectionTrait, query: &SelectStatement) -> Result<Vec<Row>> {
    let rows = db.query_all(query).await?;
    Ok(rows.iter().map(|row| Row::from_query_result(row, "")).collect::<Result<_, _>>()?)
}

/// The versions that a statement selects, but for those whose content was erased.
pub(super) async fn fetch_stored<R: Resource>(
    db: &impl ConnectionTrait,
    query: &SelectStatement,
) -> Result<Vec<Stored<R>>> {
    let stored = fetch_all(db, query).await?.into_iter().map(Stored::decode).collect::<Result<Vec<_>>>()?;
    Ok(stored.into_iter().flatten().collect())
}

/// Live resources of an organization one of whose `fields` in the table of values has one of `values`, with that value.
pub(super) async fn users_of(
    db: &impl ConnectionTrait,
    kind: Kind,
    organization_id: i64,
    fields: &[&str],
    values: &[&str],
) -> Result<Vec<(String, String)>> {
    let (version, value) = (table(kind), value_table(kind));
    let of = |table: &DynIden, name: &str| Expr::col((table.clone(), column(name)));
    let query = Query::select()
        .column((version.clone(), column("name")))
        .column((value.clone(), column("value")))
        .from(version.clone())
        .join(
            JoinType::InnerJoin,
            value.clone(),
            Condition::all()
                .add(of(&value, "resource_id").equals((version.clone(), column("resource_id"))))
                .add(of(&value, "from_revision").equals((version.clone(), column("from_revision")))),
        )
        .and_where(of(&version, "organization_id").eq(organization_id))
        .and_where(of(&version, "to_revision").is_null())
        .and_where(of(&version, "deleted").eq(false))
        .and_where(of(&value, "field").is_in(fields.iter().copied()))
        .and_where(of(&value, "value").is_in(values.iter().copied()))
        .to_owned();
    let rows = db.query_all(&query).await?;
    rows.iter().map(|row| Ok((row.try_get("", "name")?, row.try_get("", "value")?))).collect()
}

/// The live version of a resource, deleted or not.
pub(super) async fn live<R: Resource>(db: &impl ConnectionTrait, name: &Name) -> Result<Option<Stored<R>>> {
    let mut query = version_query(R::KIND);
    query.and_where(Expr::col(column("name")).eq(name.as_str())).and_where(Expr::col(column("to_revision")).is_null());
    match fetch(db, &query).await? {
        Some(row) => Stored::decode(row),
        None => Ok(None),
    }
}

/// The versions that exist now, by name, of one organization or (0) of all.
pub(super) async fn all_live<R: Resource>(db: &impl ConnectionTrait, organization_id: i64) -> Result<Vec<Stored<R>>> {
    let mut query = existing_query(R::KIND);
    if organization_id != 0 {
        query.and_where(Expr::col(column("organization_id")).eq(organization_id));
    }
    query.order_by(column("name"), Direction::Asc);
    fetch_stored(db, &query).await
}

/// Which of these resources are deleted.
pub(super) async fn deleted_among(db: &impl ConnectionTrait, rows: &[resource_row::Model]) -> Result<HashSet<i64>> {
    let mut gone = HashSet::new();
    for kind in Kind::ALL {
        let ids: Vec<i64> = rows.iter().filter(|row| row.kind == kind as i32).map(|row| row.id).collect();
        for ids in ids.chunks(super::resource::BOUND) {
            let query = Query::select()
                .column(column("resource_id"))
                .from(table(kind))
                .and_where(Expr::col(column("resource_id")).is_in(ids.iter().copied()))
                .and_where(Expr::col(column("to_revision")).is_null())
                .and_where(Expr::col(column("deleted")).eq(true))
                .to_owned();
            for row in db.query_all(&query).await? {
                gone.insert(row.try_get("", "resource_id")?);
            }
        }
    }
    Ok(gone)
}
