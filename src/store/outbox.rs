//! The outbox: what is to be sent to whom (DESIGN §6, Deliveries).
//!
//! - [`follow`]: the log is followed with a durable cursor, and becomes deliveries, a chunk at a time
//! - [`claim`]: deliveries that are due are taken by one worker, tried, and settled
//! - [`list`]: deliveries are read, retried, replayed
//! - [`tidings`]: what they say is read from the revision in which it happened
//!
//! Nothing of it is in the log: a revision says what happened, and a delivery only that it is to be told. What a delivery
//! says is made of the revision at each attempt, so nothing is stored twice, and what was erased is told no more.
//!
//! Deliveries are unique on receiver and event, so following a revision again, on any replica, makes none twice. A delivery that is
//! under way is due again after its lease: whoever had it may have died. So each arrives at least once, always with
//! the same id.

pub mod claim;
pub(super) mod entity;
mod follow;
pub mod list;
pub mod tidings;

use futures::future::BoxFuture;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DatabaseBackend, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, LockType, OnConflict},
};
use uuid::Uuid;

use self::entity::{attempt, delivery};
use super::{Store, connect, resource, subscription::endpoint, writer::Writer};
use crate::{
    error::{Error, Result},
    proto::v1::{Subscription, delivery::State, subscription::Channel as To},
    resource::name::{Kind, Name},
    rules::event,
};

/// Rows of one statement: SQLite binds 32,766 values at most.
const ROWS: usize = 500;

/// How something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Channel {
    /// By HTTP.
    Webhook = 1,
    /// By SMTP.
    Email = 2,
}

impl Channel {
    /// As operators read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Email => "email",
        }
    }
}

/// A delivery to be made.
#[derive(Debug, Clone, Default)]
pub(super) struct Planned {
    pub(super) subscription: String,
    pub(super) customer: String,
    pub(super) recipient: String,
    pub(super) notice: String,
    pub(super) endpoint: String,
    pub(super) target: String,
    pub(super) event_key: String,
    pub(super) event_type: &'static str,
    pub(super) revision: i64,
    pub(super) is_email: bool,
}

impl Planned {
    /// An event for a subscription.
    pub(super) fn to(subscription: &Subscription) -> Self {
        Self {
            subscription: subscription.name.clone(),
            customer: subscription.customer.clone(),
            endpoint: endpoint(subscription).unwrap_or_default().to_owned(),
            target: subscription.name.clone(),
            is_email: matches!(subscription.channel, Some(To::Email(_))),
            ..Self::default()
        }
    }

    fn row(self, organization: &str, organization_id: i64, now: i64) -> delivery::ActiveModel {
        let channel = if self.is_email { Channel::Email } else { Channel::Webhook };
        delivery::ActiveModel {
            name: Set(format!("{organization}/deliveries/{}", Uuid::now_v7().simple())),
            organization_id: Set(organization_id),
            subscription: Set(self.subscription),
            customer: Set(self.customer),
            recipient: Set(self.recipient),
            notice: Set(self.notice),
            endpoint: Set(self.endpoint),
            target: Set(self.target),
            event_key: Set(self.event_key),
            event_type: Set(self.event_type.to_owned()),
            revision: Set(self.revision),
            channel: Set(channel as i32),
            state: Set(State::Queued.into()),
            attempt_count: Set(0),
            due_time: Set(now),
            claim: Set(String::new()),
            create_time: Set(now),
            update_time: Set(now),
            deliver_time: Set(0),
            error: Set(String::new()),
        }
    }
}

/// Makes deliveries of one organization; those that are made already stay as they are.
async fn queue(
    db: &impl ConnectionTrait,
    organization: &str,
    organization_id: i64,
    planned: Vec<Planned>,
    now: i64,
) -> Result<()> {
    let mut rows = planned.into_iter().map(|one| one.row(organization, organization_id, now)).peekable();
    while rows.peek().is_some() {
        let chunk: Vec<delivery::ActiveModel> = rows.by_ref().take(ROWS).collect();
        let once = OnConflict::columns([delivery::Column::Target, delivery::Column::EventKey]).do_nothing().to_owned();
        delivery::Entity::insert_many(chunk).on_conflict(once).exec_without_returning(db).await?;
    }
    Ok(())
}

/// Queues an event that is about a subscription itself, and returns the name of its delivery.
pub(super) async fn queue_own(writer: &Writer, subscription: &Subscription, kind: &'static str) -> Result<String> {
    let organization = organization_of(&subscription.name)?;
    let organization_id =
        resource::find(writer.tx(), organization.as_str()).await?.map_or(0, |row| row.organization_id);
    if kind == event::VERIFICATION {
        // A question that was not sent yet is not sent twice.
        delivery::Entity::delete_many()
            .filter(delivery::Column::Subscription.eq(&subscription.name))
            .filter(delivery::Column::EventType.eq(kind))
            .filter(delivery::Column::State.eq(i32::from(State::Queued)))
            .exec(writer.tx())
            .await?;
    }
    let event_key = format!("{kind}:{}", Uuid::now_v7().simple());
    let planned = Planned { event_type: kind, event_key, ..Planned::to(subscription) };
    let row = planned.row(organization.as_str(), organization_id, writer.now().as_microsecond());
    let name = row.name.clone().take().unwrap_or_default();
    delivery::Entity::insert(row).exec_without_returning(writer.tx()).await?;
    Ok(name)
}

/// The organization that a name is under, also one of what has no versions.
fn organization_of(name: &str) -> Result<Name> {
    let above = name.match_indices('/').nth(1).and_then(|(end, _)| name.get(..end));
    above
        .and_then(Name::parse)
        .filter(|name| name.kind() == Kind::Organization)
        .ok_or_else(|| Error::internal(format!("{name} is under no organization")))
}

/// Locks deliveries in the order of their names, in which workers settle them too: of two that lock several in orders of
/// their own, each may wait for the other. Returns the names in that order.
async fn lock(db: &impl ConnectionTrait, mut names: Vec<String>) -> Result<Vec<String>> {
    names.sort();
    if db.get_database_backend() == DatabaseBackend::Postgres {
        for chunk in names.chunks(ROWS) {
            let locked = delivery::Entity::find()
                .select_only()
                .column(delivery::Column::Name)
                .filter(delivery::Column::Name.is_in(chunk))
                .order_by_asc(delivery::Column::Name)
                .lock(LockType::Update);
            locked.into_tuple::<String>().all(db).await?;
        }
    }
    Ok(names)
}

/// Forgets where what was erased is: the addresses of a subscription's or a customer's deliveries, but for those that it
/// has still (`kept`), also as mail servers repeat them.
pub(super) async fn forget(db: &impl ConnectionTrait, name: &str, kept: &[String]) -> Result<()> {
    let own = Condition::any().add(delivery::Column::Subscription.eq(name)).add(delivery::Column::Customer.eq(name));
    let gone: Vec<String> = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::Name)
        .filter(own)
        .filter(delivery::Column::Endpoint.is_not_in(kept))
        .into_tuple()
        .all(db)
        .await?;
    let gone = lock(db, gone).await?;
    for chunk in gone.chunks(ROWS) {
        attempt::Entity::update_many()
            .col_expr(attempt::Column::Error, Expr::value(""))
            .filter(attempt::Column::Delivery.is_in(chunk))
            .exec(db)
            .await?;
        delivery::Entity::update_many()
            // By contract it is told apart by a digest of its address.
            .col_expr(delivery::Column::Target, Expr::col(delivery::Column::Name))
            .filter(delivery::Column::Name.is_in(chunk))
            .filter(delivery::Column::Subscription.eq(""))
            .exec(db)
            .await?;
        delivery::Entity::update_many()
            .col_expr(delivery::Column::Endpoint, Expr::value(""))
            .col_expr(delivery::Column::Error, Expr::value(""))
            .filter(delivery::Column::Name.is_in(chunk))
            .exec(db)
            .await?;
    }
    Ok(())
}

impl Store {
    /// Runs `work` in a transaction of what is sent. On SQLite it takes its turn with the writer: two that write at once
    /// would wait for each other by trying.
    pub(super) async fn operate<T, F>(&self, work: F) -> Result<T>
    where
        T: Send,
        F: for<'c> FnOnce(&'c DatabaseTransaction) -> BoxFuture<'c, Result<T>> + Send,
    {
        let _turn = self.inner.turn.take().await;
        let tx = connect::begin(&self.inner.operations).await?;
        match work(&tx).await {
            Ok(output) => {
                tx.commit().await?;
                Ok(output)
            }
            Err(error) => {
                // What it failed with is more telling than that it could not be undone; the database does that itself.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }
}
