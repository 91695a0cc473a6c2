//! Deliveries as callers see them: read, retried, replayed, come back.

use std::collections::HashMap;

use jiff::Timestamp;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use super::{
    Planned,
    entity::{attempt, delivery},
    organization_of, queue,
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{
        Delivery, DeliveryAttempt, NoticeRecipient, Subscription, delivery::State, subscription::State as Stage,
    },
    resource::{
        filter::{Expr as Filter, Field, FieldKind},
        name::{Kind, Name, Parent, is_id},
        page::Position,
    },
    rules::event,
    store::{
        Store, filter,
        read::{existing_query, fetch_stored},
        standard::refuse_deleted,
        subscription::wrong_state,
        version::{column, timestamp},
        writer::Writer,
    },
};

/// Attempts that one answer shows.
const SHOWN: u64 = 32;
/// Revisions that are replayed at once.
const MOST_REVISIONS: i64 = 10_000;
/// Deliveries that are replayed at once.
const MOST_DELIVERIES: usize = 1_000;

/// The fields to filter deliveries by.
pub const FIELDS: &[Field] = &[
    Field::new("name", FieldKind::Text).ordered(),
    Field::new("subscription", FieldKind::Text),
    Field::new("customer", FieldKind::Text),
    Field::new("notice", FieldKind::Text),
    Field::new("state", FieldKind::Choice("subprocessor.registry.v1.Delivery.State")),
    Field::new("revision", FieldKind::Number),
];

/// A page of deliveries.
#[derive(Debug)]
pub struct List<'a> {
    /// Whose.
    pub parent: &'a Parent,
    /// What must hold.
    pub filter: Option<&'a Filter>,
    /// Newest first.
    pub descending: bool,
    /// Where the page before ended.
    pub after: Option<&'a Position>,
    /// How many at most.
    pub size: usize,
}

/// Checks the name of a delivery.
///
/// # Errors
/// FIELD_INVALID with the form that was expected.
pub fn check_name(field: &str, name: &str) -> Result<()> {
    let form = || {
        let (parent, id) = name.rsplit_once("/deliveries/")?;
        Name::parse(parent).filter(|parent| parent.kind() == Kind::Organization && is_id(id))
    };
    form().map(drop).ok_or_else(|| {
        let rule = format!(
            "must be a name of the form organizations/{{organization}}/deliveries/{{delivery}}, not \"{}\"",
            crate::error::clip(name)
        );
        Error::field(field, rule)
    })
}

impl Store {
    /// One delivery with its last attempts.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if there is none.
    pub async fn delivery(&self, name: &str) -> Result<Delivery> {
        shown(self.reads(), name).await
    }

    /// A page of deliveries, each with its last attempt.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if the parent does not exist.
    pub async fn deliveries(&self, list: &List<'_>) -> Result<(Vec<Delivery>, Option<Position>)> {
        // All of them, in the order of their names by index.
        let all = delivery::Column::Name.gt("");
        let mut query = delivery::Entity::find().filter(all).limit(list.size as u64 + 1);
        if let Parent::Organization(name) = list.parent {
            query = query.filter(delivery::Column::OrganizationId.eq(self.resource_id(name).await?));
        }
        if let Some(filter) = list.filter {
            query = query.filter(filter::condition(filter::Rows::Deliveries, filter));
        }
        if let Some(after) = list.after {
            query = query.filter(match list.descending {
                true => delivery::Column::Name.lt(&after.name),
                false => delivery::Column::Name.gt(&after.name),
            });
        }
        query = match list.descending {
            true => query.order_by_desc(delivery::Column::Name),
            false => query.order_by_asc(delivery::Column::Name),
        };
        let mut rows = query.all(self.reads()).await?;
        let more = rows.len() > list.size;
        rows.truncate(list.size);
        let mut last: HashMap<String, attempt::Model> = HashMap::new();
        for chunk in rows.chunks(200) {
            let tried = chunk.iter().filter(|row| row.attempt_count > 0).fold(Condition::any(), |any, row| {
                any.add(
                    Condition::all()
                        .add(attempt::Column::Delivery.eq(&row.name))
                        .add(attempt::Column::Number.eq(row.attempt_count)),
                )
            });
            if !tried.is_empty() {
                let found = attempt::Entity::find().filter(tried).all(self.reads()).await?;
                last.extend(found.into_iter().map(|row| (row.delivery.clone(), row)));
            }
        }
        let next = rows.last().filter(|_| more).map(|row| Position { name: row.name.clone(), ..Position::default() });
        let deliveries = rows.into_iter().map(|row| {
            let attempts = last.remove(&row.name).into_iter().collect();
            message(row, attempts)
        });
        Ok((deliveries.collect(), next))
    }

    /// The subscriptions of an organization that name a type of event.
    pub(super) async fn listening(&self, organization_id: i64, kind: &str) -> Result<Vec<Subscription>> {
        let field = Field::new("event_types", FieldKind::Texts);
        let has = filter::condition(filter::Rows::Versions(Kind::Subscription), &Filter::Has(field, kind.to_owned()));
        let mut query = existing_query(Kind::Subscription);
        query.and_where(Expr::col(column("organization_id")).eq(organization_id)).cond_where(has);
        let stored = fetch_stored::<Subscription>(self.reads(), &query).await?;
        Ok(stored.into_iter().map(|stored| stored.message).collect())
    }

    /// What is to be replayed of a range of revisions to a subscription.
    ///
    /// # Errors
    /// FIELD_INVALID for a range that is too long; LOG_NOT_YET_WRITTEN for one that is not written yet.
    pub async fn replayable(&self, subscription: &Name, from: i64, to: i64) -> Result<Replay> {
        let head = self.head().await?;
        let to = if to == 0 { head } else { to };
        if to > head {
            let message = format!("revision {to} is in the future: the newest is {head}");
            return Err(Error::new(Reason::LogNotYetWritten, message)
                .with("revision", to)
                .with("newest_revision", head));
        }
        if from < 1 {
            return Err(Error::field("from_revision", format!("must be 1 or more, not {from}")));
        }
        if to < from {
            return Err(Error::field("to_revision", format!("must not be before from_revision ({from})")));
        }
        if to - from >= MOST_REVISIONS {
            let rule = format!("is {} revisions from from_revision; at most {MOST_REVISIONS} at once", to - from + 1);
            return Err(Error::field("to_revision", rule));
        }
        let stored: Subscription = self.get(subscription, None).await?;
        let mut planned = Vec::new();
        let mut at = from - 1;
        while let Some(revision) = self.next_telling(at, to).await? {
            for source in self.sources(revision).await? {
                if !subscription.as_str().starts_with(&format!("{}/", source.organization)) {
                    continue;
                }
                if let Some(event) = source.event_for(&stored) {
                    planned.extend(self.deliveries_to(std::iter::once(&stored), event, revision).await?);
                }
            }
            at = revision;
            if planned.len() >= MOST_DELIVERIES {
                return Ok(Replay { planned, to: revision });
            }
        }
        Ok(Replay { planned, to })
    }
}

/// Deliveries to be made again.
#[derive(Debug)]
pub struct Replay {
    planned: Vec<Planned>,
    /// The last revision that was looked at.
    pub to: i64,
}

impl Writer {
    /// Tries a delivery again, now.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND; STATE_TRANSITION_REFUSED if it is delivered, or if its subscription is not ACTIVE.
    pub async fn retry_delivery(&mut self, name: &str) -> Result<Delivery> {
        let known = shown(self.tx(), name).await?;
        if matches!(known.state(), State::Delivered | State::Queued) {
            let state = known.state().as_str_name().trim_start_matches("STATE_");
            let text = format!("{name} is {state}; only what failed can be tried again");
            return Err(Error::new(Reason::StateTransitionRefused, text.clone())
                .with("state", state)
                .precondition("STATE", name, text));
        }
        if !known.subscription.is_empty() && known.event_type != event::VERIFICATION {
            self.active_subscription(&known.subscription).await?;
        }
        self.requeue(vec![name.to_owned()]).await?;
        shown(self.tx(), name).await
    }

    /// Queues what is to be replayed, and returns how much that is.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, STATE_TRANSITION_REFUSED.
    pub async fn replay(&mut self, subscription: &Name, replay: Replay) -> Result<i32> {
        self.active_subscription(subscription.as_str()).await?;
        let organization = organization_of(subscription.as_str())?;
        let row = crate::store::resource::find(self.tx(), organization.as_str()).await?;
        let organization_id = row.map_or(0, |row| row.organization_id);
        let count = i32::try_from(replay.planned.len()).map_err(Error::internal)?;
        let keys: Vec<String> = replay.planned.iter().map(|one| one.event_key.clone()).collect();
        let now = self.now().as_microsecond();
        // What is there already is sent again under its id; what is not there is made.
        let mut known: Vec<String> = Vec::new();
        for chunk in keys.chunks(super::ROWS) {
            let names = delivery::Entity::find()
                .select_only()
                .column(delivery::Column::Name)
                .filter(delivery::Column::Target.eq(subscription.as_str()))
                .filter(delivery::Column::EventKey.is_in(chunk));
            known.extend(names.into_tuple::<String>().all(self.tx()).await?);
        }
        self.requeue(known).await?;
        queue(self.tx(), organization.as_str(), organization_id, replay.planned, now).await?;
        Ok(count)
    }

    async fn requeue(&self, names: Vec<String>) -> Result<()> {
        let names = super::lock(self.tx(), names).await?;
        for chunk in names.chunks(super::ROWS) {
            delivery::Entity::update_many()
                .col_expr(delivery::Column::State, Expr::value(i32::from(State::Queued)))
                .col_expr(delivery::Column::DueTime, Expr::value(self.now().as_microsecond()))
                .col_expr(delivery::Column::UpdateTime, Expr::value(self.now().as_microsecond()))
                .col_expr(delivery::Column::Claim, Expr::value(""))
                .col_expr(delivery::Column::Error, Expr::value(""))
                .filter(delivery::Column::Name.is_in(chunk))
                .exec(self.tx())
                .await?;
        }
        Ok(())
    }

    async fn active_subscription(&self, name: &str) -> Result<Subscription> {
        let name = Name::of(Kind::Subscription, "subscription", name)?;
        let stored = self.get::<Subscription>(&name).await?;
        refuse_deleted(&stored)?;
        match stored.message.state() {
            Stage::Active => Ok(stored.message),
            _ => Err(wrong_state(&stored.message, "only an ACTIVE one is sent anything")),
        }
    }

    /// Queues a test event, and returns its delivery.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, RESOURCE_DELETED, STATE_TRANSITION_REFUSED.
    pub async fn test_subscription(&mut self, name: &Name) -> Result<Delivery> {
        let subscription = self.active_subscription(name.as_str()).await?;
        let delivery = super::queue_own(self, &subscription, event::TEST).await?;
        shown(self.tx(), &delivery).await
    }

    /// Records that a mail came back.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND; FIELD_INVALID for what is no mail; STATE_TRANSITION_REFUSED for one that was never accepted.
    pub async fn bounce(
        &mut self,
        name: &str,
        diagnostic: &str,
        permanent: bool,
        event_time: Option<Timestamp>,
    ) -> Result<Delivery> {
        let row = delivery::Entity::find_by_id(name).one(self.tx()).await?;
        let row = row.ok_or_else(|| Error::not_found("delivery", name))?;
        if row.channel != super::Channel::Email as i32 {
            return Err(Error::field("name", "is no mail: only a mail comes back"));
        }
        let known = State::try_from(row.state).unwrap_or_default();
        if known != State::Delivered {
            let state = known.as_str_name().trim_start_matches("STATE_");
            let text = format!("{name} is {state}; only what was accepted can come back");
            return Err(Error::new(Reason::StateTransitionRefused, text.clone())
                .with("state", state)
                .precondition("STATE", name, text));
        }
        let now = self.now();
        let at = event_time.unwrap_or(now);
        let number = row.attempt_count;
        let sent = attempt::Entity::find_by_id((name.to_owned(), number)).one(self.tx()).await?;
        let sent = sent.map_or(row.create_time, |attempt| attempt.attempt_time);
        // Mail servers tell whole seconds.
        if at > now || at.as_second() < sent.div_euclid(1_000_000) {
            return Err(Error::field("event_time", format!("must not be before it was sent, nor after now ({now})")));
        }
        delivery::Entity::update_many()
            .col_expr(delivery::Column::State, Expr::value(i32::from(State::Bounced)))
            .col_expr(delivery::Column::Error, Expr::value(diagnostic))
            .col_expr(delivery::Column::UpdateTime, Expr::value(now.as_microsecond()))
            .filter(delivery::Column::Name.eq(name))
            .exec(self.tx())
            .await?;
        if let Some(recipient) = Name::parse(&row.recipient).filter(|name| name.kind() == Kind::Recipient)
            && self.find::<NoticeRecipient>(&recipient).await?.is_some()
        {
            self.came_back(&recipient, name, diagnostic, at).await?;
        }
        if permanent && let Some(subscription) = Name::parse(&row.subscription) {
            self.disable_subscription(&subscription, &format!("mail to it came back: {diagnostic}")).await?;
        }
        shown(self.tx(), name).await
    }
}

async fn shown(db: &impl ConnectionTrait, name: &str) -> Result<Delivery> {
    let row = delivery::Entity::find_by_id(name).one(db).await?;
    let row = row.ok_or_else(|| Error::not_found("delivery", name))?;
    let mut attempts = attempt::Entity::find()
        .filter(attempt::Column::Delivery.eq(name))
        .order_by_desc(attempt::Column::Number)
        .limit(SHOWN)
        .all(db)
        .await?;
    attempts.reverse();
    Ok(message(row, attempts))
}

fn message(row: delivery::Model, attempts: Vec<attempt::Model>) -> Delivery {
    let is_open = matches!(State::try_from(row.state), Ok(State::Queued | State::Retrying));
    let event_id = row.name.rsplit('/').next().unwrap_or_default().to_owned();
    Delivery {
        event_id,
        name: row.name,
        subscription: row.subscription,
        customer: row.customer,
        event_type: row.event_type,
        notice: row.notice,
        revision: row.revision,
        state: row.state,
        endpoint: row.endpoint,
        attempts: attempts.into_iter().map(shown_attempt).collect(),
        attempt_count: row.attempt_count,
        next_attempt_time: is_open.then(|| timestamp(row.due_time)),
        create_time: Some(timestamp(row.create_time)),
        update_time: Some(timestamp(row.update_time)),
        deliver_time: (row.deliver_time > 0).then(|| timestamp(row.deliver_time)),
        error: row.error,
    }
}

fn shown_attempt(row: attempt::Model) -> DeliveryAttempt {
    let attempt::Model { delivery: _, number: _, attempt_time, status_code, error, duration } = row;
    DeliveryAttempt {
        attempt_time: Some(timestamp(attempt_time)),
        status_code,
        error,
        duration: Some(prost_types::Duration {
            seconds: duration / 1_000_000,
            nanos: i32::try_from(duration % 1_000_000 * 1_000).unwrap_or(0),
        }),
    }
}
