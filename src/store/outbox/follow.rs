//! Following the log: each revision becomes deliveries, a chunk in a transaction, with a cursor that moves with them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::Ordering,
};

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Order},
};
use sha2::{Digest, Sha256};

use super::{Planned, entity::cursor, queue};
use crate::{
    error::{Error, Result},
    proto::v1::{
        Customer, Notice, NoticeRecipient, Objection, Subprocessor, Subscription, agreement::NoticeMethod,
        subscription::State,
    },
    resource::name::{Kind, Name},
    rules::event::{self, Event},
    store::{
        Store,
        entity::change,
        read::{alive_at, fetch_all, version_query},
        recipient::{name_of, notice_of},
        version::{Resource, Stored, column},
    },
};

/// Receivers that are looked at in one transaction.
const CHUNK: usize = 500;
/// Revisions that tell nobody anything and are walked through without a commit.
const QUIET: usize = 256;
/// How far the cursor may stay behind them: what a server that starts walks through again.
const BEHIND: i64 = 1_000;
/// Kinds of which a change may have something to tell.
const TELLING: [Kind; 4] = [Kind::Subprocessor, Kind::Notice, Kind::Recipient, Kind::Objection];

/// Whom a revision tells what. The sources of a revision are always the same, in the same order: the cursor counts them.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) organization_id: i64,
    pub(super) organization: String,
    to: To,
}

#[derive(Debug)]
enum To {
    /// To subscriptions: of anybody, of customers.
    Subscriptions { event: Event, for_anybody: bool, for_customers: bool },
    /// That a notice is published, to those whom it reaches from this revision on.
    Reached { event: Event, recipients: Vec<NoticeRecipient> },
    /// To the contacts of everybody whom a notice reaches by contract.
    Contacts { event: Event },
}

/// A change with what it was before and what it is after; `None` where that is not there, or erased.
pub(super) struct Seen<R> {
    pub(super) before: Option<R>,
    pub(super) after: Option<R>,
}

impl Store {
    /// Makes deliveries of what happened next, and returns whether there may be more to make.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn follow(&self) -> Result<bool> {
        let at = self.outbox_cursor().await?;
        let head = self.head().await?;
        let mut next = at.clone();
        // What tells nobody anything needs no commit: whoever starts anew walks through it again.
        next.revision =
            if at.step == 0 { Ord::max(at.revision, self.inner.quiet.load(Ordering::SeqCst)) } else { at.revision };
        for _ in 0..QUIET {
            if next.step == 0 {
                let Some(revision) = self.next_telling(next.revision, head).await? else {
                    next.revision = Ord::max(head, next.revision);
                    self.inner.quiet.fetch_max(next.revision, Ordering::SeqCst);
                    if next.revision - at.revision >= BEHIND {
                        self.move_cursor(at, next, None).await?;
                    }
                    return Ok(false);
                };
                (next.revision, next.step, next.after) = (revision, 1, String::new());
            }
            let sources = self.sources(next.revision).await?;
            let index = usize::try_from(next.step - 1).map_err(Error::internal)?;
            let mut planned = None;
            if let Some(source) = sources.get(index) {
                let (some, after) = self.expand(source, next.revision, &next.after).await?;
                match after {
                    Some(after) => next.after = after,
                    None => (next.step, next.after) = (next.step + 1, String::new()),
                }
                planned = Some((source.organization.clone(), source.organization_id, some));
            }
            if usize::try_from(next.step).map_err(Error::internal)? > sources.len() {
                (next.step, next.after) = (0, String::new());
            }
            if let Some(planned) = planned.filter(|(_, _, some)| !some.is_empty()) {
                self.move_cursor(at, next, Some(planned)).await?;
                return Ok(true);
            }
            if next.step == 0 {
                self.inner.quiet.fetch_max(next.revision, Ordering::SeqCst);
            }
        }
        if next != at {
            self.move_cursor(at, next, None).await?;
        }
        Ok(true)
    }

    /// Moves the cursor together with the deliveries of what it moves over.
    async fn move_cursor(
        &self,
        at: cursor::Model,
        next: cursor::Model,
        planned: Option<(String, i64, Vec<Planned>)>,
    ) -> Result<()> {
        let now = self.clock().now().as_microsecond();
        self.operate(|tx| {
            Box::pin(async move {
                // Whoever was quicker has made the same deliveries.
                let moved = cursor::Entity::update_many()
                    .col_expr(cursor::Column::Revision, Expr::value(next.revision))
                    .col_expr(cursor::Column::Step, Expr::value(next.step))
                    .col_expr(cursor::Column::After, Expr::value(next.after))
                    .filter(cursor::Column::Id.eq(1))
                    .filter(cursor::Column::Revision.eq(at.revision))
                    .filter(cursor::Column::Step.eq(at.step))
                    .filter(cursor::Column::After.eq(at.after))
                    .exec(tx)
                    .await?;
                if let Some((organization, id, planned)) = planned.filter(|_| moved.rows_affected == 1) {
                    queue(tx, &organization, id, planned, now).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// How far the log has been followed.
    pub(super) async fn outbox_cursor(&self) -> Result<cursor::Model> {
        let row = cursor::Entity::find_by_id(1).one(self.reads()).await?;
        row.ok_or_else(|| Error::internal("the outbox's cursor is missing"))
    }

    /// The next revision that may have something to tell.
    pub(super) async fn next_telling(&self, after: i64, to: i64) -> Result<Option<i64>> {
        let found: Option<i64> = change::Entity::find()
            .select_only()
            .column(change::Column::Revision)
            .filter(change::Column::Revision.gt(after))
            .filter(change::Column::Revision.lte(to))
            .filter(change::Column::ResourceKind.is_in(TELLING.map(|kind| kind as i32)))
            .order_by_asc(change::Column::Revision)
            .order_by_asc(change::Column::Ordinal)
            .limit(1)
            .into_tuple()
            .one(self.reads())
            .await?;
        Ok(found)
    }

    /// What a revision tells, and whom.
    pub(super) async fn sources(&self, revision: i64) -> Result<Vec<Source>> {
        let mut by_organization: BTreeMap<i64, Vec<change::Model>> = BTreeMap::new();
        for change in self.changes(&[revision]).await? {
            if TELLING.iter().any(|kind| *kind as i32 == change.resource_kind) {
                by_organization.entry(change.organization_id).or_default().push(change);
            }
        }
        let mut sources = Vec::new();
        for (organization_id, changes) in by_organization {
            let Some(first) = changes.first() else { continue };
            let organization = super::organization_of(&first.name)?.to_string();
            let told = self.whom_to_tell(organization_id, &changes, revision).await?;
            sources.extend(told.into_iter().map(|to| Source {
                organization_id,
                organization: organization.clone(),
                to,
            }));
        }
        Ok(sources)
    }

    async fn whom_to_tell(&self, organization_id: i64, changes: &[change::Model], revision: i64) -> Result<Vec<To>> {
        let mut told = Vec::new();
        for Seen { before, after } in self.seen::<Notice>(changes).await? {
            let Some(mut after) = after else { continue };
            let Some(event) = event::of_notice(before.as_ref(), &after) else { continue };
            event::keep_what_changed(&mut after, before.as_ref(), event.kind);
            // What reaches a customer is told it when it is reached.
            let for_customers = event.kind != event::NOTICE_PUBLISHED;
            if event.kind == event::NOTICE_WITHDRAWN {
                told.push(To::Contacts { event: event.clone() });
            }
            let for_anybody = self.shows(&after, revision).await?;
            told.push(To::Subscriptions { event, for_anybody, for_customers });
        }
        let is_told = !told.is_empty();
        let mut reached: BTreeMap<String, Vec<NoticeRecipient>> = BTreeMap::new();
        for Seen { before, after } in self.seen::<NoticeRecipient>(changes).await? {
            let known = before.map_or(0, |before| before.changes.len());
            // More may come to concern it later: it is told of that too.
            if let Some(recipient) = after.filter(|after| after.changes.len() > known) {
                reached.entry(notice_of(&recipient.name)).or_default().push(recipient);
            }
        }
        if !reached.is_empty() {
            let notices: HashMap<String, Notice> = self.at("name", reached.keys().cloned().collect(), revision).await?;
            for (name, mut recipients) in reached {
                recipients.sort_by(|one, other| one.name.cmp(&other.name));
                if let Some(event) = notices.get(&name).and_then(|notice| event::of_notice(None, &published(notice))) {
                    told.push(To::Reached { event, recipients });
                }
            }
        }
        // What comes before this is counted by the cursor: it must not depend on who is subscribed by now.
        if !self.has_subscriptions(organization_id).await? {
            return Ok(told);
        }
        for (event, _) in objections(self.seen(changes).await?) {
            told.push(To::Subscriptions { event, for_anybody: true, for_customers: false });
        }
        if !is_told {
            let mut list: Option<Event> = None;
            for Seen { before, after } in self.seen::<Subprocessor>(changes).await? {
                let Some(event) = event::of_subprocessor(before.as_ref(), after.as_ref()) else { continue };
                list = Some(match list {
                    None => event,
                    Some(known) => both(known, event),
                });
            }
            told.extend(list.map(|event| To::Subscriptions { event, for_anybody: true, for_customers: true }));
        }
        Ok(told)
    }

    /// Whether anybody of an organization is subscribed: most changes are of nobody's interest, and need not be read.
    async fn has_subscriptions(&self, organization_id: i64) -> Result<bool> {
        let mut query = version_query(Kind::Subscription);
        query
            .and_where(Expr::col(column("organization_id")).eq(organization_id))
            .and_where(Expr::col(column("state")).eq(i32::from(State::Active)))
            .and_where(Expr::col(column("to_revision")).is_null())
            .limit(1);
        Ok(self.reads().query_one(&query).await?.is_some())
    }

    /// The changes of a kind with their messages.
    pub(super) async fn seen<R: Resource>(&self, changes: &[change::Model]) -> Result<Vec<Seen<R>>> {
        let own: Vec<&change::Model> = changes.iter().filter(|one| one.resource_kind == R::KIND as i32).collect();
        let after = |one: &change::Model| one.after_digest.as_ref().map(|_| (one.resource_id, one.revision));
        let before = |one: &change::Model| one.before_revision.map(|revision| (one.resource_id, revision));
        let keys: Vec<(i64, i64)> = own.iter().flat_map(|one| after(one).into_iter().chain(before(one))).collect();
        let mut known: HashMap<(i64, i64), R> = HashMap::new();
        for row in self.versions(R::KIND, &keys).await? {
            let key = (row.resource_id, row.from_revision);
            known.extend(Stored::<R>::decode(row)?.map(|stored| (key, stored.message)));
        }
        let mut take = |key: Option<(i64, i64)>| key.and_then(|key| known.remove(&key));
        Ok(own.into_iter().map(|one| Seen { before: take(before(one)), after: take(after(one)) }).collect())
    }

    /// The next deliveries of a source, after a name, and the name after which the rest come; none: that was all.
    async fn expand(&self, source: &Source, revision: i64, after: &str) -> Result<(Vec<Planned>, Option<String>)> {
        match &source.to {
            To::Subscriptions { event, .. } => {
                let page = self.subscribed(source.organization_id, after, revision).await?;
                let rest = page.last().filter(|_| page.len() == CHUNK).map(|last| last.name.clone());
                let own = page.iter().filter(|one| source.event_for(one).is_some());
                let mut planned = self.deliveries_to(own, event, revision).await?;
                planned.shrink_to_fit();
                Ok((planned, rest))
            }
            To::Reached { event, recipients } => {
                let some: Vec<&NoticeRecipient> =
                    recipients.iter().filter(|one| one.name.as_str() > after).take(CHUNK).collect();
                let rest = some.last().filter(|_| some.len() == CHUNK).map(|last| last.name.clone());
                let mut planned = self.contacts(&some, event, revision).await?;
                let names = some.iter().map(|one| one.customer.clone()).collect();
                let own: HashMap<String, Subscription> = self.at("customer", names, revision).await?;
                let mut own: Vec<Subscription> = own.into_values().collect();
                own.retain(|one| one.state() == State::Active);
                own.sort_by(|one, other| one.name.cmp(&other.name));
                planned.extend(self.deliveries_to(own.iter(), event, revision).await?);
                Ok((planned, rest))
            }
            To::Contacts { event } => {
                let page = self.recipients_after(&event.notice, after, revision).await?;
                let rest = page.last().filter(|_| page.len() == CHUNK).map(|last| last.name.clone());
                let some: Vec<&NoticeRecipient> = page.iter().collect();
                Ok((self.contacts(&some, event, revision).await?, rest))
            }
        }
    }

    /// The deliveries of an event to those of some subscriptions that want it.
    pub(super) async fn deliveries_to(
        &self,
        subscriptions: impl Iterator<Item = &Subscription> + Send,
        event: &Event,
        revision: i64,
    ) -> Result<Vec<Planned>> {
        let wanted: Vec<&Subscription> = subscriptions.filter(|one| event::wants(one, event)).collect();
        let notice = Name::parse(&event.notice);
        // A customer is told of the notices that reach it.
        let recipient = |one: &Subscription| {
            let notice = notice.as_ref().filter(|_| !one.customer.is_empty())?;
            Some(name_of(notice, &one.customer).to_string())
        };
        let names: Vec<String> = wanted.iter().filter_map(|one| recipient(one)).collect();
        let known: HashMap<String, NoticeRecipient> = self.at("name", names, revision).await?;
        let mut planned = Vec::new();
        for one in wanted {
            let name = recipient(one);
            let reached = name.as_ref().map(|name| known.get(name));
            if reached == Some(None) {
                continue;
            }
            // It counts as telling a customer whose agreement says so.
            let counts = event.kind == event::NOTICE_PUBLISHED
                && reached.flatten().is_some_and(|one| one.method() == NoticeMethod::Subscription);
            planned.push(Planned {
                recipient: name.filter(|_| counts).unwrap_or_default(),
                notice: event.notice.clone(),
                event_key: key(event, revision),
                event_type: event.kind,
                revision,
                ..Planned::to(one)
            });
        }
        Ok(planned)
    }

    /// The deliveries of an event to the contacts of recipients who are told so by contract.
    async fn contacts(&self, recipients: &[&NoticeRecipient], event: &Event, revision: i64) -> Result<Vec<Planned>> {
        let by_contract: Vec<&&NoticeRecipient> =
            recipients.iter().filter(|one| one.method() == NoticeMethod::EmailToContacts).collect();
        let names = by_contract.iter().map(|one| one.customer.clone()).collect();
        let customers: HashMap<String, Customer> = self.at("name", names, revision).await?;
        let mut planned = Vec::new();
        for recipient in by_contract {
            let Some(customer) = customers.get(&recipient.customer) else { continue };
            let mut addresses: Vec<&str> =
                customer.contacts.iter().map(|one| one.email.trim()).filter(|email| !email.is_empty()).collect();
            addresses.sort_unstable();
            addresses.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
            planned.extend(addresses.into_iter().map(|address| Planned {
                customer: customer.name.clone(),
                recipient: if event.kind == event::NOTICE_PUBLISHED { recipient.name.clone() } else { String::new() },
                notice: event.notice.clone(),
                endpoint: address.to_owned(),
                target: format!("{}#{}", customer.name, hex::encode(&Sha256::digest(address.to_lowercase())[..8])),
                event_key: key(event, revision),
                event_type: event.kind,
                revision,
                is_email: true,
                ..Planned::default()
            }));
        }
        Ok(planned)
    }

    /// The subscriptions of an organization that were ACTIVE at a revision, after a name.
    async fn subscribed(&self, organization_id: i64, after: &str, revision: i64) -> Result<Vec<Subscription>> {
        let mut query = version_query(Kind::Subscription);
        query
            .and_where(Expr::col(column("organization_id")).eq(organization_id))
            .and_where(Expr::col(column("state")).eq(i32::from(State::Active)))
            .and_where(Expr::col(column("name")).gt(after))
            .and_where(Expr::col(column("deleted")).eq(false))
            .and_where(Expr::col(column("body")).is_not_null())
            .cond_where(alive_at(revision))
            .order_by(column("name"), Order::Asc)
            .limit(CHUNK as u64);
        decode(fetch_all(self.reads(), &query).await?)
    }

    /// The recipients of a notice at a revision, after a name.
    async fn recipients_after(&self, notice: &str, after: &str, revision: i64) -> Result<Vec<NoticeRecipient>> {
        let mut query = version_query(Kind::Recipient);
        query
            .and_where(Expr::col(column("parent")).eq(notice))
            .and_where(Expr::col(column("name")).gt(after))
            .and_where(Expr::col(column("deleted")).eq(false))
            .and_where(Expr::col(column("body")).is_not_null())
            .cond_where(alive_at(revision))
            .order_by(column("name"), Order::Asc)
            .limit(CHUNK as u64);
        decode(fetch_all(self.reads(), &query).await?)
    }
}

impl Source {
    /// The event, if one subscription may be told of it.
    pub(super) fn event_for(&self, subscription: &Subscription) -> Option<&Event> {
        match &self.to {
            To::Subscriptions { event, for_anybody, for_customers } => {
                let is_for = if subscription.customer.is_empty() { *for_anybody } else { *for_customers };
                Some(event).filter(|_| is_for)
            }
            To::Reached { event, recipients } => {
                Some(event).filter(|_| recipients.iter().any(|one| one.customer == subscription.customer))
            }
            To::Contacts { .. } => None,
        }
    }
}

fn decode<R: Resource>(rows: Vec<crate::store::version::Row>) -> Result<Vec<R>> {
    let stored = rows.into_iter().map(Stored::<R>::decode).collect::<Result<Vec<_>>>()?;
    Ok(stored.into_iter().flatten().map(|stored| stored.message).collect())
}

/// What changes of objections tell, each by itself.
pub(super) fn objections(seen: Vec<Seen<Objection>>) -> impl Iterator<Item = (Event, Objection)> {
    seen.into_iter().filter_map(|Seen { before, after }| {
        let after = after?;
        let event = event::of_objection(before.as_ref(), &after, &notice_of(&after.name))?;
        Some((event, after))
    })
}

/// What there is only one of for a receiver: two notices can reach it in one revision, and several objections end in one.
fn key(event: &Event, revision: i64) -> String {
    let notice = event.notice.rsplit('/').next().unwrap_or_default();
    match event.objection.as_str() {
        "" => format!("{revision}:{}:{notice}", event.kind),
        objection => format!("{revision}:{}:{notice}:{objection}", event.kind),
    }
}

/// The notice as it was published, for those whom it reaches later.
fn published(notice: &Notice) -> Notice {
    Notice { state: crate::proto::v1::notice::State::Published.into(), ..notice.clone() }
}

/// Two changes of the list as one.
fn both(one: Event, other: Event) -> Event {
    let mut products = Vec::new();
    if !one.products.is_empty() && !other.products.is_empty() {
        products = [one.products, other.products].concat();
        products.sort();
        products.dedup();
    }
    Event { products, ..one }
}

impl Store {
    /// The newest revision, and whenever there is a newer one.
    pub fn heads(&self) -> tokio::sync::watch::Receiver<i64> {
        self.inner.watch.head().subscribe()
    }

    /// How far the log has been told of: the last revision of which all deliveries are made.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn told_up_to(&self) -> Result<i64> {
        let at = self.outbox_cursor().await?;
        let quiet = self.inner.quiet.load(Ordering::SeqCst);
        Ok(if at.step == 0 { Ord::max(at.revision, quiet) } else { at.revision - 1 })
    }
}
