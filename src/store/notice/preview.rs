//! What publishing would do, found out in the same way and not written.

use std::collections::HashSet;

use jiff::Timestamp;

use super::publish::{earliest, last_clear, recipient};
use crate::{
    error::{Error, Result},
    proto::v1::{
        Customer, Notice, PreviewNoticeResponse, PreviewedCustomer, Subprocessor, Subscription,
        agreement::NoticeMethod, subscription,
    },
    resource::name::{Kind, Name},
    rules::{
        event::NOTICE_PUBLISHED,
        notice::{
            audience::{Reach, reach},
            effect::{binds, emergency},
            instant,
            recipient::{begin, clears_in_silence},
            stamp,
        },
    },
    store::{
        read::{fetch_all, version_query},
        resource,
        version::{Stored, column, day},
        writer::Writer,
    },
};

/// What a preview asks for.
#[derive(Debug)]
pub struct Preview {
    /// The notice: stored, or as it would be.
    pub notice: Notice,
    /// As if it were published then.
    pub publish_time: Option<Timestamp>,
    /// The customer after which the page begins.
    pub after: String,
    /// Customers on a page.
    pub size: usize,
}

/// What it takes to tell customers.
struct Ways {
    /// Those that have a subscription to which notices are sent.
    subscribed: HashSet<String>,
    /// Whether the page of the organization shows any of it.
    is_shown: bool,
}

impl Ways {
    /// Why a customer cannot be told in the way that was agreed.
    fn obstacle(&self, customer: &Customer, method: NoticeMethod) -> Option<&'static str> {
        match method {
            NoticeMethod::EmailToContacts if customer.contacts.iter().all(|contact| contact.email.is_empty()) => {
                Some("it has no contact with an address")
            }
            NoticeMethod::Subscription if !self.subscribed.contains(&customer.name) => {
                Some("it has no subscription that is ACTIVE and takes notices")
            }
            NoticeMethod::Publication | NoticeMethod::Unspecified if !self.is_shown => {
                Some("the page shows nothing of it, because none of what it is about is listed")
            }
            _ => None,
        }
    }
}

impl Writer {
    /// Those of some customers that have a subscription to which notices are sent.
    async fn subscribed(&self, organization: &str, customers: &[Stored<Customer>]) -> Result<HashSet<String>> {
        // Here alone: it gives everything a `max` of its own.
        use sea_orm::sea_query::{Expr, ExprTrait};
        let names = customers.iter().map(|customer| customer.message.name.as_str());
        let mut query = version_query(Kind::Subscription);
        query
            .and_where(Expr::col(column("organization_id")).in_subquery(resource::id_of(organization)))
            .and_where(Expr::col(column("customer")).is_in(names))
            .and_where(Expr::col(column("to_revision")).is_null())
            .and_where(Expr::col(column("deleted")).eq(false));
        let rows = fetch_all(self.tx(), &query).await?;
        let stored = rows.into_iter().map(Stored::<Subscription>::decode).collect::<Result<Vec<_>>>()?;
        let active = stored.into_iter().flatten().map(|stored| stored.message).filter(|one| {
            let takes = one.event_types.is_empty() || one.event_types.iter().any(|kind| kind == NOTICE_PUBLISHED);
            one.state() == subscription::State::Active && takes
        });
        Ok(active.map(|one| one.customer).collect())
    }

    /// Whether anything that a notice is about is listed, or is to be.
    async fn is_shown(&self, notice: &Notice) -> Result<bool> {
        for change in notice.changes.iter().filter(|change| change.withdraw_time.is_none()) {
            if change.proposed.as_ref().is_some_and(|proposed| proposed.listed) {
                return Ok(true);
            }
            for name in change.replaces.iter().chain([&change.subprocessor]).filter(|name| !name.is_empty()) {
                let name = Name::of(Kind::Subprocessor, "subprocessor", name)?;
                if self.find::<Subprocessor>(&name).await?.is_some_and(|stored| stored.message.listed) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Answers a preview. The name of the last customer on the page is the position of the next.
    ///
    /// # Errors
    /// FIELD_INVALID for an instant that has passed; NOTICE_REFUSED if a change does not fit.
    pub async fn preview_notice(&self, asked: Preview) -> Result<PreviewNoticeResponse> {
        let Preview { mut notice, publish_time, after, size } = asked;
        let now = self.now();
        let at = publish_time.unwrap_or(now);
        if at < now {
            return Err(Error::field("publish_time", format!("must not be before now ({now})")));
        }
        let organization = self.organization_over(&notice.name).await?;
        super::name_changes(&mut notice);
        self.freeze(&organization, &mut notice, at).await?;
        let name = Name::of(Kind::Notice, "name", &notice.name)?;
        let requested = instant(notice.requested_effective_time.as_ref());
        let effective_day = requested.map(day);
        let held_at = requested.max(Some(at)).unwrap_or(at);
        let mut answer = PreviewNoticeResponse { revision: self.revision(), ..PreviewNoticeResponse::default() };
        let is_shown = self.is_shown(&notice).await?;
        let mut latest = None;
        let mut cursor = String::new();
        loop {
            let page = self.customers(&organization.name, &cursor, super::publish::CHUNK).await?;
            let Some(last) = page.last() else { break };
            last.name().clone_into(&mut cursor);
            let ways = Ways { subscribed: self.subscribed(&organization.name, &page).await?, is_shown };
            for customer in &page {
                let customer = &customer.message;
                let mut seen = PreviewedCustomer { customer: customer.name.clone(), ..PreviewedCustomer::default() };
                match (
                    recipient(&notice, &name, customer, at)?,
                    reach(customer, &notice.changes, &day(at), effective_day.as_deref()),
                ) {
                    (Some(mut one), Reach::Reached { change_ids, reason }) => {
                        if one.start_time.is_none() {
                            // As if it were told at publication, however that is done.
                            (one.send_time, one.deliver_time) = (stamp(at), stamp(at));
                            one.changes.clear();
                            begin(&mut one, change_ids, &notice.policy.unwrap_or_default(), at)?;
                        }
                        latest = latest.max(last_clear(&notice, &one));
                        let held = |id: &str| {
                            notice.changes.iter().any(|change| change.change_id == id && change.waits) && binds(&notice)
                        };
                        let blocked = one.changes.iter().filter(|change| {
                            held(&change.change_id)
                                && clears_in_silence(&one, change, emergency(&notice))
                                    .is_none_or(|clear| clear > held_at)
                        });
                        seen.held_back_change_ids = blocked.map(|change| change.change_id.clone()).collect();
                        (seen.reached, seen.reason) = (true, reason);
                        if let Some(obstacle) = ways.obstacle(customer, one.method()) {
                            seen.reason.push_str("; nobody can be told: ");
                            seen.reason.push_str(obstacle);
                        }
                        answer.recipient_count += 1;
                        answer.held_back_count += i32::from(!seen.held_back_change_ids.is_empty());
                        seen.recipient = Some(one);
                    }
                    (_, Reach::Not(reason)) => seen.reason = reason,
                    (None, Reach::Reached { .. }) => {}
                }
                if seen.customer > after {
                    if answer.customers.len() < size {
                        answer.customers.push(seen);
                    } else {
                        // There is more: the caller makes a token of the last one shown.
                        answer.next_page_token = "more".to_owned();
                    }
                }
            }
        }
        answer.earliest_effective_time = earliest(&notice, at, latest);
        answer.notice = Some(notice);
        Ok(answer)
    }
}
