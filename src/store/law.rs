//! The law at a revision: its instruments, read once for as long as none of them changes.

use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, Func, Query},
};

use super::{
    Store,
    read::{alive_at, fetch_all, version_query},
    version::{Stored, column, table},
};
use crate::{
    error::Result,
    proto::v1::Instrument,
    resource::name::Kind,
    rules::law::{Law, territory::Territories},
};

/// The territories, and the law that was asked for last.
#[derive(Debug)]
pub(super) struct Laws {
    territories: Territories,
    latest: Mutex<Option<(Key, Arc<Law>)>>,
}

/// What tells one state of the instruments from another: the newest version, and how many have their content (an
/// erasure takes it without making a version).
type Key = (i64, i64);

impl Laws {
    pub(super) fn new(territories: Territories) -> Self {
        Self { territories, latest: Mutex::default() }
    }

    fn of(&self, key: Key) -> Option<Arc<Law>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref().filter(|(of, _)| *of == key).map(|(_, law)| Arc::clone(law))
    }

    fn keep(&self, key: Key, law: &Arc<Law>) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, Arc::clone(law)));
    }
}

impl Store {
    /// The law as it was known at a revision.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn law(&self, revision: i64) -> Result<Arc<Law>> {
        let laws = &self.inner.laws;
        let (key, law) = laws.at(self.reads(), revision).await?;
        laws.keep(key, &law);
        Ok(law)
    }
}

impl Laws {
    /// The law at a revision, as a connection sees it, with what tells it from another.
    async fn at(&self, db: &impl ConnectionTrait, revision: i64) -> Result<(Key, Arc<Law>)> {
        let key = instruments_key(db, revision).await?;
        if let Some(law) = self.of(key) {
            return Ok((key, law));
        }
        let mut query = version_query(Kind::Instrument);
        query.cond_where(alive_at(revision)).and_where(Expr::col(column("deleted")).eq(false));
        let mut instruments = Vec::new();
        for row in fetch_all(db, &query).await? {
            instruments.extend(Stored::<Instrument>::decode(row)?.map(|stored| stored.message));
        }
        Ok((key, Arc::new(Law::new(instruments, self.territories.clone()))))
    }

    /// The law as a transaction sees it. What is not committed is not kept for others: it may never be.
    pub(super) async fn within(&self, db: &impl ConnectionTrait, revision: i64) -> Result<Arc<Law>> {
        Ok(self.at(db, revision).await?.1)
    }
}

async fn instruments_key(db: &impl ConnectionTrait, revision: i64) -> Result<Key> {
    let query = Query::select()
        .expr_as(Func::max(Expr::col(column("from_revision"))), column("newest"))
        .expr_as(Func::count(Expr::col(column("body"))), column("whole"))
        .from(table(Kind::Instrument))
        .and_where(Expr::col(column("from_revision")).lte(revision))
        .to_owned();
    let Some(row) = db.query_one(&query).await? else { return Ok((0, 0)) };
    Ok((row.try_get::<Option<i64>>("", "newest")?.unwrap_or(0), row.try_get("", "whole")?))
}
