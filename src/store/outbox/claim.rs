//! Deliveries that are due: taken by one worker at a time, tried, and settled.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseBackend, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, LockBehavior, LockType},
};
use uuid::Uuid;

use super::{
    Channel, Planned,
    entity::{attempt, delivery},
    queue,
};
use crate::{
    error::{Error, Result},
    proto::v1::{Subscription, delivery::State, subscription::State as Stage},
    resource::name::Name,
    rules::event,
    store::Store,
};

/// Characters of what is kept of an error.
const LONGEST: usize = 1_000;
/// How often receivers that take up all that is due are passed over, before the rest waits for the next look.
const PASSES: usize = 4;

/// A delivery that this process has under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Its name.
    pub name: String,
    /// Empty: by contract.
    pub subscription: String,
    /// Of the customer that is told; empty: of none.
    pub customer: String,
    /// The recipient of the notice for whom it counts as telling; empty: for none.
    pub recipient: String,
    /// The notice; empty: none.
    pub notice: String,
    /// The id of what else it is about: of one objection of several, or of the delivery that was given up; empty: nothing.
    pub about: String,
    /// Where to.
    pub endpoint: String,
    /// What happened: one of [`event`]'s types.
    pub event_type: String,
    /// In which revision; 0: in none.
    pub revision: i64,
    /// How often it was tried before.
    pub attempt_count: i32,
    /// That it failed last.
    pub is_retry: bool,
    /// When it was made, in microseconds since 1970.
    pub create_time: i64,
    claim: String,
}

impl Claimed {
    /// Its id: of the event for this receiver, the same for every attempt.
    pub fn id(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    fn of(row: delivery::Model, claim: &str) -> Self {
        Self {
            about: about(&row.event_type, &row.event_key).to_owned(),
            is_retry: row.state == i32::from(State::Retrying),
            name: row.name,
            subscription: row.subscription,
            customer: row.customer,
            recipient: row.recipient,
            notice: row.notice,
            endpoint: row.endpoint,
            event_type: row.event_type,
            revision: row.revision,
            attempt_count: row.attempt_count,
            create_time: row.create_time,
            claim: claim.to_owned(),
        }
    }
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was accepted.
    Delivered,
    /// It is tried again.
    Retry {
        /// When.
        at: Timestamp,
    },
    /// It is given up.
    Dead,
    /// There was no attempt: it may not be sent any more.
    Dropped,
}

impl Outcome {
    /// As operators read it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry { .. } => "retry",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }
}

/// What is to be said of a delivery that was under way.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Which.
    pub claimed: Claimed,
    /// What it came to.
    pub outcome: Outcome,
    /// When the attempt began.
    pub attempt_time: Timestamp,
    /// The HTTP status or the mail server's code; 0: none.
    pub status_code: i32,
    /// What went wrong.
    pub error: String,
    /// How long it took.
    pub duration: Duration,
}

impl Store {
    /// Takes deliveries of a channel that are due, `most` at most and `of_each` of one receiver, but for those of which
    /// `left` says how many it may still be. Nobody else gets them before the lease is over.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim(
        &self,
        channel: Channel,
        most: usize,
        of_each: usize,
        mut left: HashMap<String, usize>,
        lease: Duration,
    ) -> Result<Vec<Claimed>> {
        let now = self.clock().now();
        if most == 0 || !self.has_due(channel, now).await? {
            return Ok(Vec::new());
        }
        let until = now.checked_add(lease).map_err(Error::internal)?.as_microsecond();
        self.operate(|tx| {
            Box::pin(async move {
                let claim = Uuid::now_v7().simple().to_string();
                let mut taken: Vec<Claimed> = Vec::new();
                for _ in 0..PASSES {
                    let full: Vec<String> = left
                        .iter()
                        .filter(|(target, left)| !target.is_empty() && **left == 0)
                        .map(|(target, _)| target.clone())
                        .collect();
                    let wanted = most - taken.len();
                    let rows = due(tx, channel, now.as_microsecond(), wanted, &full).await?;
                    let all = rows.len();
                    let mut names = Vec::new();
                    for row in rows {
                        let left = left.entry(row.subscription.clone()).or_insert(of_each);
                        // What goes by contract goes through one mail server: there is nobody to spare.
                        if *left > 0 || row.subscription.is_empty() {
                            *left = left.saturating_sub(1);
                            names.push(row.name.clone());
                            taken.push(Claimed::of(row, &claim));
                        }
                    }
                    delivery::Entity::update_many()
                        .col_expr(delivery::Column::DueTime, Expr::value(until))
                        .col_expr(delivery::Column::Claim, Expr::value(&claim))
                        .filter(delivery::Column::Name.is_in(names))
                        .exec(tx)
                        .await?;
                    if all < wanted || taken.len() == most {
                        break;
                    }
                }
                Ok(taken)
            })
        })
        .await
    }

    async fn has_due(&self, channel: Channel, now: Timestamp) -> Result<bool> {
        let found: Option<String> = delivery::Entity::find()
            .select_only()
            .column(delivery::Column::Name)
            .filter(delivery::Column::Channel.eq(channel as i32))
            .filter(delivery::Column::DueTime.lte(now.as_microsecond()))
            .limit(1)
            .into_tuple()
            .one(self.reads())
            .await?;
        Ok(found.is_some())
    }

    /// Writes down what attempts came to, of those that are still this process's own; and queues, for the organization's own
    /// subscriptions, that deliveries were given up.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn settle(&self, mut settled: Vec<Settled>) -> Result<()> {
        // Whoever locks several does so in this order, so that nobody waits for each other.
        settled.sort_by(|one, other| one.claimed.name.cmp(&other.claimed.name));
        let now = self.clock().now().as_microsecond();
        let mut news = HashMap::new();
        for one in settled.iter().filter(|one| one.outcome == Outcome::Dead) {
            if event::PUBLIC.contains(&one.claimed.event_type.as_str()) {
                news.insert(one.claimed.name.clone(), self.news_of(&one.claimed).await?);
            }
        }
        self.operate(|tx| {
            Box::pin(async move {
                for one in settled {
                    if write(tx, &one, now).await?
                        && let Some((organization, id, planned)) = news.remove(&one.claimed.name)
                    {
                        queue(tx, organization.as_str(), id, planned, now).await?;
                    }
                }
                Ok(())
            })
        })
        .await
    }

    /// What tells an organization's own subscriptions that a delivery was given up.
    async fn news_of(&self, dead: &Claimed) -> Result<(Name, i64, Vec<Planned>)> {
        let organization = super::organization_of(&dead.name)?;
        let organization_id = self.resource_id(&organization).await?;
        let kind = event::Event { kind: event::DELIVERY_DEAD, notice: dead.notice.clone(), ..event::Event::default() };
        let subscriptions = self.listening(organization_id, event::DELIVERY_DEAD).await?;
        let own: Vec<Subscription> = subscriptions.into_iter().filter(|it| it.state() == Stage::Active).collect();
        let planned = self.deliveries_to(own.iter(), &kind, self.head().await?).await?;
        // What is tried again and given up again is told again.
        let event_key = format!("{}:{}:{}", kind.kind, dead.id(), dead.attempt_count + 1);
        let planned = planned.into_iter().map(|one| Planned { event_key: event_key.clone(), revision: 0, ..one });
        Ok((organization, organization_id, planned.collect()))
    }
}

/// What else the key of an event names: see [`super::follow::key`], and where it is told that a delivery was given up.
fn about<'a>(event_type: &str, event_key: &'a str) -> &'a str {
    let rest = match event_type {
        event::DELIVERY_DEAD => event_key.split(':').nth(1),
        event::OBJECTION_LODGED | event::OBJECTION_RESOLVED => event_key.splitn(4, ':').nth(3),
        _ => None,
    };
    rest.unwrap_or_default()
}

/// What is due next, kept from others until the transaction ends.
async fn due(
    tx: &DatabaseTransaction,
    channel: Channel,
    now: i64,
    most: usize,
    full: &[String],
) -> Result<Vec<delivery::Model>> {
    let mut query = delivery::Entity::find()
        .filter(delivery::Column::Channel.eq(channel as i32))
        .filter(delivery::Column::DueTime.lte(now))
        .order_by_asc(delivery::Column::DueTime)
        .order_by_asc(delivery::Column::Name)
        .limit(most as u64);
    if !full.is_empty() {
        query = query.filter(delivery::Column::Subscription.is_not_in(full));
    }
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        // SQLite has one transaction that writes at a time.
        query = query.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    Ok(query.all(tx).await?)
}

/// Settles one, and returns whether it was still this process's own.
async fn write(tx: &DatabaseTransaction, settled: &Settled, now: i64) -> Result<bool> {
    let Settled { claimed, outcome, attempt_time, status_code, error, duration } = settled;
    let was_tried = *outcome != Outcome::Dropped;
    let number = claimed.attempt_count + i32::from(was_tried);
    let (state, due_time) = match outcome {
        Outcome::Delivered => (State::Delivered, i64::MAX),
        Outcome::Retry { at } => (State::Retrying, at.as_microsecond()),
        Outcome::Dead => (State::Dead, i64::MAX),
        Outcome::Dropped => (State::Dropped, i64::MAX),
    };
    let error = clip(error);
    let is_given_up = matches!(state, State::Dead | State::Dropped);
    let written = delivery::Entity::update_many()
        .col_expr(delivery::Column::State, Expr::value(i32::from(state)))
        .col_expr(delivery::Column::DueTime, Expr::value(due_time))
        .col_expr(delivery::Column::Claim, Expr::value(""))
        .col_expr(delivery::Column::AttemptCount, Expr::value(number))
        .col_expr(delivery::Column::UpdateTime, Expr::value(now))
        .col_expr(delivery::Column::DeliverTime, Expr::value(if state == State::Delivered { now } else { 0 }))
        .col_expr(delivery::Column::Error, Expr::value(if is_given_up { error.as_str() } else { "" }))
        .filter(delivery::Column::Name.eq(&claimed.name))
        .filter(delivery::Column::Claim.eq(&claimed.claim))
        .exec(tx)
        .await?;
    if written.rows_affected == 0 {
        return Ok(false);
    }
    if was_tried {
        let row = attempt::ActiveModel {
            delivery: Set(claimed.name.clone()),
            number: Set(number),
            attempt_time: Set(attempt_time.as_microsecond()),
            status_code: Set(*status_code),
            error: Set(error),
            duration: Set(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        };
        attempt::Entity::insert(row).exec_without_returning(tx).await?;
    }
    Ok(true)
}

fn clip(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_what_an_event_is_about_and_those_from_before_nothing() {
        for (event_type, key, wanted) in [
            (event::DELIVERY_DEAD, "delivery.dead:abc", "abc"),
            (event::DELIVERY_DEAD, "delivery.dead:abc:9", "abc"),
            (event::OBJECTION_RESOLVED, "7:objection.resolved:n:o-1", "o-1"),
            (event::OBJECTION_LODGED, "7:objection.lodged:n", ""),
            (event::NOTICE_PUBLISHED, "7:notice.published:n", ""),
            (event::VERIFICATION, "subscription.verification:abc", ""),
        ] {
            assert_eq!(about(event_type, key), wanted, "{key}");
        }
    }
}
