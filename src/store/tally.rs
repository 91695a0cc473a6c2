//! Numbers for those who operate the registry: what is open in the pools, what waits, and how much there is of what.

use sea_orm::{ColumnTrait, DatabaseBackend, DatabaseConnection, EntityTrait, QueryFilter, QuerySelect};

use super::{
    Store, notice,
    outbox::{Channel, entity::delivery},
};
use crate::{
    error::Result,
    proto::v1::{delivery::State, notice::State as Stage},
};

/// A pool of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// What it is for.
    pub name: &'static str,
    /// How many are used.
    pub used: u64,
    /// How many are idle.
    pub idle: u64,
    /// How many there can be.
    pub max: u64,
}

impl Pool {
    fn of(name: &'static str, db: &DatabaseConnection) -> Self {
        let (open, idle, max) = match db.get_database_backend() {
            DatabaseBackend::Postgres => {
                let pool = db.get_postgres_connection_pool();
                (pool.size(), pool.num_idle(), pool.options().get_max_connections())
            }
            _ => {
                let pool = db.get_sqlite_connection_pool();
                (pool.size(), pool.num_idle(), pool.options().get_max_connections())
            }
        };
        let idle = idle as u64;
        Self { name, used: u64::from(open).saturating_sub(idle), idle, max: max.into() }
    }
}

/// How much there is of what, in the whole database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Deliveries that are not over, and those that were given up.
    pub deliveries: Vec<(Channel, State, i64)>,
    /// For how many seconds the delivery that has waited longest has been due.
    pub overdue_seconds: i64,
    /// How many revisions have not been looked through yet for what is to be told.
    pub untold: i64,
    /// Notices by state.
    pub notices: Vec<(Stage, i64)>,
}

impl Store {
    /// The pools of this process. The writer's one connection is none.
    pub fn pools(&self) -> [Pool; 2] {
        [Pool::of("reads", self.reads()), Pool::of("deliveries", &self.inner.operations)]
    }

    /// How many writes wait for this process's writer.
    pub fn waiting_writes(&self) -> usize {
        self.inner.writes.len()
    }

    /// Counts what is counted for operators.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn tally(&self) -> Result<Tally> {
        let states = [State::Queued, State::Retrying, State::Dead];
        let deliveries: Vec<(i32, i32, i64)> = delivery::Entity::find()
            .select_only()
            .column(delivery::Column::Channel)
            .column(delivery::Column::State)
            .column_as(delivery::Column::Name.count(), "count")
            .filter(delivery::Column::State.is_in(states.map(i32::from)))
            .group_by(delivery::Column::Channel)
            .group_by(delivery::Column::State)
            .into_tuple()
            .all(self.reads())
            .await?;
        let mut earliest = i64::MAX;
        for channel in [Channel::Webhook, Channel::Email] {
            let first: Option<Option<i64>> = delivery::Entity::find()
                .select_only()
                .column_as(delivery::Column::DueTime.min(), "due_time")
                .filter(delivery::Column::Channel.eq(channel as i32))
                .into_tuple()
                .one(self.reads())
                .await?;
            earliest = earliest.min(first.flatten().unwrap_or(i64::MAX));
        }
        let notices: Vec<(i32, i64)> = notice::versions::Entity::find()
            .select_only()
            .column(notice::versions::Column::State)
            .column_as(notice::versions::Column::Name.count(), "count")
            .filter(notice::versions::Column::ToRevision.is_null())
            .filter(notice::versions::Column::Deleted.eq(false))
            .group_by(notice::versions::Column::State)
            .into_tuple()
            .all(self.reads())
            .await?;
        let channel = |number| if number == Channel::Email as i32 { Channel::Email } else { Channel::Webhook };
        Ok(Tally {
            deliveries: deliveries
                .into_iter()
                .filter_map(|(number, state, count)| Some((channel(number), State::try_from(state).ok()?, count)))
                .collect(),
            overdue_seconds: self.clock().now().as_microsecond().saturating_sub(earliest).max(0) / 1_000_000,
            untold: (self.head().await? - self.told_up_to().await?).max(0),
            notices: notices
                .into_iter()
                .filter_map(|(state, count)| Some((Stage::try_from(state).ok()?, count)))
                .collect(),
        })
    }
}
