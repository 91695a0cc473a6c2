//! Publishing and withdrawing: who is a customer is reached, and everybody's clocks are frozen; what is added is announced.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use prost::Message;
use sea_orm::sea_query::{Expr, ExprTrait, Order};

use super::{
    State, adds,
    fitting::{Fitted, brought_in_twice, no_longer_fits},
    is_open, is_pending, refused, wrong_state,
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{
        Customer, Notice, NoticePolicy, NoticeRecipient, Objection, Organization, Subprocessor,
        objection::{Outcome, State as ObjectionState},
        subprocessor::State as Stage,
    },
    resource::{
        name::{Kind, Name},
        shape::{self, Violations},
    },
    rules::{
        notice::{
            audience::{Reach, reach},
            clock::Terms,
            effect::{Standing, Turn, turn},
            instant,
            recipient::begin,
            stamp,
        },
        publication::upcoming::is_shown,
    },
    store::{
        read::{existing_query, fetch_stored, version_query},
        recipient::name_of,
        resource,
        standard::{match_etag, refuse_deleted},
        version::{Stored, column, day},
        writer::Writer,
    },
};

/// Recipients that are written in one revision.
pub(super) const CHUNK: usize = 500;
/// Bytes of recipients after which no more are written in one revision: half of what one may have.
pub(super) const CHUNK_BYTES: usize = 1024 * 1024;

impl Writer {
    /// Publishes an approved notice.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, RESOURCE_DELETED, ETAG_STALE, STATE_TRANSITION_REFUSED; NOTICE_REFUSED if another open notice
    /// is about the same subprocessor, or if a change does not fit any more.
    pub async fn publish_notice(&mut self, name: &Name, etag: &str) -> Result<Notice> {
        let before = self.get::<Notice>(name).await?;
        refuse_deleted(&before)?;
        match_etag(&before, etag)?;
        if before.message.state() != State::Approved {
            return Err(wrong_state(&before.message, "published", "APPROVED"));
        }
        let mut after = before.message.clone();
        let organization = self.organization_over(name.as_str()).await?;
        self.refuse_other_notices(&after).await?;
        let now = self.now();
        let fitted = self.freeze(&organization, &mut after, now).await?;
        for (change, fitted) in after.changes.iter().zip(fitted) {
            if adds(change.kind()) && is_pending(change) {
                Box::pin(self.announce(fitted)).await?;
            }
        }
        let mut latest = None;
        let mut told = true;
        for customer in self.audience(&mut after, now).await? {
            told &= customer.start_time.is_some();
            latest = Ord::max(latest, last_clear(&after, &customer));
            let recipient = self.put(None, customer).await?;
            self.note_due(recipient.due_time.as_ref());
        }
        if told && after.audience_complete {
            after.earliest_effective_time = earliest(&after, now, latest);
        }
        // Who is still to be written is written next, whatever the notice waits for.
        after.due_time = stamp(if after.audience_complete { first_look(&after, now) } else { now });
        self.put_notice(&before, after).await
    }

    /// Decides what publication decides of a notice, but for whom it reaches.
    pub(super) async fn freeze(
        &self,
        organization: &Organization,
        notice: &mut Notice,
        at: Timestamp,
    ) -> Result<Vec<Fitted>> {
        let mut wrong = Violations::new();
        let mut all = Vec::new();
        for index in 0..notice.changes.len() {
            all.extend(self.fit(organization, notice, index, &mut wrong).await?);
        }
        brought_in_twice(notice, &mut wrong);
        if !wrong.is_empty() {
            return Err(no_longer_fits(&notice.name, wrong));
        }
        for (change, fitted) in notice.changes.iter_mut().zip(&all) {
            change.waits = fitted.waits;
            change.products.clone_from(&fitted.products);
        }
        let policy = organization.notice_policy.unwrap_or_default();
        notice.set_state(State::Published);
        notice.publish_time = stamp(at);
        notice.promise_clear_time = None;
        if notice.changes.iter().any(|change| change.waits) {
            notice.promise_clear_time = stamp(Terms::new(None, Some(&promise(&policy)))?.clock(at)?.clear_time);
        }
        notice.policy = Some(policy);
        Ok(all)
    }

    /// One open notice for each subprocessor.
    async fn refuse_other_notices(&self, notice: &Notice) -> Result<()> {
        let about = |notice: &Notice| {
            let pending = notice.changes.iter().filter(|change| is_pending(change));
            pending
                .flat_map(|change| std::iter::once(&change.subprocessor).chain(&change.replaces).cloned())
                .collect::<std::collections::BTreeSet<String>>()
        };
        let own = about(notice);
        let Some(organization) = Name::parse(&notice.name).and_then(|name| name.organization()) else { return Ok(()) };
        let others = self.open_notices(organization.as_str()).await?;
        let mut conflicts = Vec::new();
        for other in others.iter().filter(|other| other.name() != notice.name) {
            conflicts
                .extend(about(&other.message).intersection(&own).map(|one| (other.name().to_owned(), one.clone())));
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        let text = format!("{}: {} subprocessors have an open notice already", notice.name, conflicts.len());
        Err(conflicts.into_iter().take(10).fold(Error::new(Reason::NoticeRefused, text), |error, (other, one)| {
            let text = format!("{other} is open and has a change of {one}; withdraw that change first");
            error.precondition("NOTICE", &other, text)
        }))
    }

    /// Creates what an ADD proposes, and marks it as announced.
    async fn announce(&mut self, fitted: Fitted) -> Result<()> {
        let Fitted { before, after, .. } = fitted;
        let (mut message, violations) = match &before {
            Some(before) => (before.message.clone(), Violations::new()),
            None => {
                let name = after.name.clone();
                let (message, violations) = shape::examine(&after, "subprocessor")?;
                (Subprocessor { name, ..message }, violations)
            }
        };
        if !violations.is_empty() {
            return Err(no_longer_fits(&message.name, violations));
        }
        message.set_state(Stage::Announced);
        let stored = self.put(before.as_ref(), message).await?;
        stored.refuse_conflicts(self).await
    }

    /// The changes of a notice that publishing it shows, by their ids: those that are on the page. An organization that
    /// has no page publishes elsewhere, and that is not for the registry to know.
    pub(super) async fn shown(&self, notice: &Notice) -> Result<Vec<String>> {
        let (mut shown, mut hidden) = (Vec::new(), Vec::new());
        for change in notice.changes.iter().filter(|change| change.withdraw_time.is_none()) {
            let now = self.engagement(&change.subprocessor).await?.filter(|one| !one.is_deleted());
            let on_page = is_shown(change, now.as_ref().map(|one| &one.message));
            if on_page { &mut shown } else { &mut hidden }.push(change.change_id.clone());
        }
        let is_elsewhere = shown.is_empty() && !hidden.is_empty() && !self.has_public_page(notice).await?;
        Ok(if is_elsewhere { hidden } else { shown })
    }

    /// Whether the organization of a notice has a page: it says how that looks, or something of its list is public.
    async fn has_public_page(&self, notice: &Notice) -> Result<bool> {
        let organization = Name::parse(&notice.name).and_then(|name| name.organization());
        let Some(organization) = organization else { return Ok(false) };
        if self.get::<Organization>(&organization).await?.message.page.is_some() {
            return Ok(true);
        }
        let mut listed = existing_query(Kind::Subprocessor);
        listed
            .and_where(Expr::col(column("organization_id")).in_subquery(resource::id_of(organization.as_str())))
            .and_where(Expr::col(column("listed")))
            .limit(1);
        Ok(!fetch_stored::<Subprocessor>(self.tx(), &listed).await?.is_empty())
    }

    /// The next of those whom a published notice reaches: as many as fit into a revision. Says in the notice how many it
    /// has now, and whether that is all of them.
    pub(super) async fn audience(&self, notice: &mut Notice, at: Timestamp) -> Result<Vec<NoticeRecipient>> {
        let name = Name::of(Kind::Notice, "name", &notice.name)?;
        let organization = name.organization().ok_or_else(|| Error::internal("a notice without an organization"))?;
        let mut after = self.last_reached(&notice.name).await?;
        let (mut reached, mut bytes) = (Vec::new(), 0);
        notice.audience_complete = false;
        while !notice.audience_complete && reached.len() < CHUNK && bytes < CHUNK_BYTES {
            let page = self.customers(organization.as_str(), &after, CHUNK - reached.len()).await?;
            notice.audience_complete = page.len() < CHUNK - reached.len();
            for customer in page {
                if bytes >= CHUNK_BYTES {
                    notice.audience_complete = false;
                    break;
                }
                customer.name().clone_into(&mut after);
                let told = recipient(notice, &name, &customer.message, at)?;
                bytes += told.as_ref().map_or(0, Message::encoded_len);
                reached.extend(told);
            }
        }
        notice.recipient_count += i32::try_from(reached.len()).unwrap_or(i32::MAX);
        Ok(reached)
    }

    /// The customer of the last recipient that was written.
    pub(super) async fn last_reached(&self, notice: &str) -> Result<String> {
        let mut query = version_query(Kind::Recipient);
        query
            .and_where(Expr::col(column("parent")).eq(notice))
            .and_where(Expr::col(column("to_revision")).is_null())
            .order_by(column("name"), Order::Desc)
            .limit(1);
        let last = fetch_stored::<NoticeRecipient>(self.tx(), &query).await?.into_iter().next();
        Ok(last.map(|stored| stored.message.customer).unwrap_or_default())
    }

    /// The customers of an organization after a name, in the order of names.
    pub(super) async fn customers(
        &self,
        organization: &str,
        after: &str,
        size: usize,
    ) -> Result<Vec<Stored<Customer>>> {
        let mut query = existing_query(Kind::Customer);
        query
            .and_where(Expr::col(column("organization_id")).in_subquery(resource::id_of(organization)))
            .and_where(Expr::col(column("name")).gt(after))
            .order_by(column("name"), Order::Asc)
            .limit(size as u64);
        fetch_stored(self.tx(), &query).await
    }

    /// Withdraws a notice, or some of its changes.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, RESOURCE_DELETED, ETAG_STALE, FIELD_INVALID; STATE_TRANSITION_REFUSED if it is over;
    /// NOTICE_REFUSED for a change that has taken effect.
    pub async fn withdraw_notice(&mut self, name: &Name, etag: &str, ids: &[String], reason: String) -> Result<Notice> {
        let before = self.get::<Notice>(name).await?;
        refuse_deleted(&before)?;
        match_etag(&before, etag)?;
        let mut after = before.message.clone();
        if matches!(after.state(), State::Effective | State::Withdrawn) {
            return Err(wrong_state(&after, "withdrawn", "DRAFT, APPROVED, PUBLISHED or HELD"));
        }
        let mut wrong = Violations::new();
        for (i, id) in ids.iter().enumerate() {
            match after.changes.iter().find(|change| change.change_id == *id) {
                None => wrong.push((format!("change_ids[{i}]"), format!("\"{id}\" is not a change of {name}"))),
                Some(change) if change.effective_time.is_some() => {
                    return Err(refused(name.as_str(), format!("{id} has taken effect; it cannot be withdrawn")));
                }
                Some(_) => {}
            }
        }
        if !wrong.is_empty() {
            return Err(Error::fields(Reason::FieldInvalid, wrong));
        }
        let now = self.now();
        let was_open = is_open(after.state());
        let mut withdrawn = Vec::new();
        for change in after.changes.iter_mut().filter(|change| is_pending(change)) {
            if ids.is_empty() || ids.contains(&change.change_id) {
                change.withdraw_time = stamp(now);
                withdrawn.push(change.clone());
            }
        }
        if !withdrawn.is_empty() {
            after.withdraw_reason = reason;
        }
        for change in withdrawn.iter().filter(|change| was_open && adds(change.kind())) {
            if let Some(stored) = self.engagement(&change.subprocessor).await?
                && stored.message.state() == Stage::Announced
            {
                let mut message = stored.message.clone();
                message.set_state(Stage::Proposed);
                self.put(Some(&stored), message).await?;
            }
        }
        let pending = after.changes.iter().any(is_pending);
        let done = after.changes.iter().any(|change| change.effective_time.is_some());
        match (pending, done) {
            (true, _) => {}
            (false, true) => {
                after.set_state(State::Effective);
                let times = after.changes.iter().filter_map(|change| instant(change.effective_time.as_ref()));
                after.effective_time = times.max().and_then(stamp);
                after.hold_reasons.clear();
            }
            (false, false) => {
                after.set_state(State::Withdrawn);
                after.withdraw_time = stamp(now);
                after.hold_reasons.clear();
            }
        }
        if was_open {
            // What is left is looked at again: it may have waited for what is gone.
            after.due_time = if after.state() == State::Withdrawn { None } else { stamp(now) };
            let gone: Vec<&str> = after
                .changes
                .iter()
                .filter(|change| change.withdraw_time.is_some())
                .map(|change| change.change_id.as_str())
                .collect();
            self.close_objections(&after, &gone).await?;
        }
        self.put_notice(&before, after).await
    }

    /// Closes the objections that are open against nothing but what was withdrawn.
    async fn close_objections(&mut self, notice: &Notice, gone: &[&str]) -> Result<()> {
        let now = self.now();
        let open = self.live_with::<Objection>("parent", &notice.name).await?;
        // A customer can have several that are open: each resource is written once in a revision.
        let mut recipients = BTreeMap::<String, (Stored<NoticeRecipient>, NoticeRecipient)>::new();
        for stored in open.into_iter().filter(|one| one.message.state() == ObjectionState::Open) {
            if !stored.message.change_ids.iter().all(|id| gone.contains(&id.as_str())) {
                continue;
            }
            let mut closed = stored.message.clone();
            closed.set_state(ObjectionState::Closed);
            closed.set_outcome(Outcome::ChangeWithdrawn);
            closed.resolution.clone_from(&notice.withdraw_reason);
            closed.resolve_time = stamp(now);
            let name = name_of(&Name::of(Kind::Notice, "name", &notice.name)?, &closed.customer);
            if !recipients.contains_key(name.as_str())
                && let Some(recipient) = self.find::<NoticeRecipient>(&name).await?
            {
                let message = recipient.message.clone();
                recipients.insert(name.to_string(), (recipient, message));
            }
            if let Some((_, after)) = recipients.get_mut(name.as_str()) {
                let policy = notice.policy.unwrap_or_default();
                crate::rules::notice::recipient::resolve(after, &closed, &policy, now, "system")?;
            }
            self.put(Some(&stored), closed).await?;
        }
        for (before, after) in recipients.into_values() {
            self.put(Some(&before), after).await?;
        }
        Ok(())
    }
}

/// When something of a notice can take effect at the earliest, whoever answers what.
fn first_look(notice: &Notice, now: Timestamp) -> Timestamp {
    let nobody = Standing::default();
    let looks = notice.changes.iter().map(|change| match turn(notice, change, &nobody, now) {
        Turn::Later(Some(time)) => time,
        Turn::Later(None) | Turn::Held(_) | Turn::Now => now,
    });
    looks.min().unwrap_or(now)
}

/// What a policy promises to everybody: an objection needs somebody who can object.
fn promise(policy: &NoticePolicy) -> NoticePolicy {
    NoticePolicy { objection_days: Some(0), ..*policy }
}

/// What is written of a customer whom a notice reaches at `at`; `None` if it does not.
pub(super) fn recipient(
    notice: &Notice,
    name: &Name,
    customer: &Customer,
    at: Timestamp,
) -> Result<Option<NoticeRecipient>> {
    let effective = instant(notice.requested_effective_time.as_ref()).map(day);
    let Reach::Reached { change_ids, reason } = reach(customer, &notice.changes, &day(at), effective.as_deref()) else {
        return Ok(None);
    };
    let mut recipient = NoticeRecipient {
        name: name_of(name, &customer.name).to_string(),
        customer: customer.name.clone(),
        reach_reason: reason,
        agreement: customer.agreement.clone(),
        method: customer.agreement.as_ref().map_or(0, |agreement| agreement.notice_method),
        release_time: end_of(customer),
        ..NoticeRecipient::default()
    };
    begin(&mut recipient, change_ids, &notice.policy.unwrap_or_default(), at)?;
    Ok(Some(recipient))
}

/// When a customer stops to be one: at the beginning (UTC) of the first day on which it is none.
pub(super) fn end_of(customer: &Customer) -> Option<prost_types::Timestamp> {
    let date: Date = customer.end_date.parse().ok()?;
    stamp(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// When the last change that waits is clear for a recipient, if it does not object.
pub(super) fn last_clear(notice: &Notice, recipient: &NoticeRecipient) -> Option<Timestamp> {
    let waits = |id: &str| notice.changes.iter().any(|change| change.change_id == id && change.waits);
    let waiting = recipient.changes.iter().filter(|change| waits(&change.change_id));
    waiting.filter_map(|change| instant(change.clear_time.as_ref())).max()
}

/// The first instant at which everything may take effect for everybody, if `latest` is when the last recipient is clear.
pub(super) fn earliest(notice: &Notice, at: Timestamp, latest: Option<Timestamp>) -> Option<prost_types::Timestamp> {
    let promised = instant(notice.promise_clear_time.as_ref());
    [Some(at), promised, latest].into_iter().flatten().max().and_then(stamp)
}
