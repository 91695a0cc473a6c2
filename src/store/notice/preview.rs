//! What publishing would do, found out in the same way and not written.

use std::collections::HashSet;

use jiff::Timestamp;

use super::publish::{earliest, last_clear, recipient};
use crate::{
    error::{Error, Result},
    proto::v1::{
        Customer, Notice, NoticeRecipient, PreviewNoticeResponse, PreviewedCustomer, Subscription,
        agreement::NoticeMethod, subscription,
    },
    resource::name::{Kind, Name},
    rules::{
        event,
        notice::{
            audience::{Reach, reach},
            effect::{binds, emergency},
            instant,
            recipient::{begin, clears_in_silence},
            stamp,
        },
    },
    store::{
        read::{existing_query, fetch_stored},
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
    /// Those that have a subscription to which the notice is sent.
    subscribed: HashSet<String>,
    /// The changes that the page of the organization shows.
    shown: Vec<String>,
}

impl Ways {
    /// Why a customer cannot be told in the way that was agreed.
    fn obstacle(&self, customer: &Customer, recipient: &NoticeRecipient) -> Option<String> {
        match recipient.method() {
            NoticeMethod::EmailToContacts if customer.contacts.iter().all(|contact| contact.email.is_empty()) => {
                Some("it has no contact with an address".to_owned())
            }
            NoticeMethod::Subscription if !self.subscribed.contains(&customer.name) => {
                Some("it has no subscription that is ACTIVE and takes notices".to_owned())
            }
            NoticeMethod::Publication => {
                let ids = recipient.changes.iter().map(|change| change.change_id.as_str());
                let hidden: Vec<&str> = ids.filter(|id| !self.shown.iter().any(|shown| shown == id)).collect();
                match hidden.len() {
                    0 => None,
                    all if all == recipient.changes.len() => {
                        Some("the page shows nothing of it, because none of what it is about is listed".to_owned())
                    }
                    _ => {
                        let hidden = hidden.join(", ");
                        Some(format!("the page does not show all of it: what {hidden} is about is not listed"))
                    }
                }
            }
            _ => None,
        }
    }
}

impl Writer {
    /// Those of some customers that have a subscription to which the notice is sent.
    async fn subscribed(&self, notice: &Notice, customers: &[Stored<Customer>]) -> Result<HashSet<String>> {
        // Here alone: it gives everything a `max` of its own.
        use sea_orm::sea_query::{Expr, ExprTrait};
        let Some(event) = event::of_notice(None, notice) else { return Ok(HashSet::new()) };
        let organization = Name::parse(&notice.name).and_then(|name| name.organization());
        let organization = organization.map(|name| name.to_string()).unwrap_or_default();
        let names = customers.iter().map(|customer| customer.message.name.as_str());
        let mut query = existing_query(Kind::Subscription);
        query
            .and_where(Expr::col(column("organization_id")).in_subquery(resource::id_of(&organization)))
            .and_where(Expr::col(column("customer")).is_in(names));
        let stored = fetch_stored::<Subscription>(self.tx(), &query).await?;
        let active = stored.into_iter().map(|stored| stored.message);
        let active = active.filter(|one| one.state() == subscription::State::Active && event::wants(one, &event));
        Ok(active.map(|one| one.customer).collect())
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
        let fitted = self.freeze(&organization, &mut notice, at).await?;
        let name = Name::of(Kind::Notice, "name", &notice.name)?;
        let requested = instant(notice.requested_effective_time.as_ref());
        let effective_day = requested.map(day);
        let held_at = requested.max(Some(at)).unwrap_or(at);
        let mut answer = PreviewNoticeResponse { revision: self.revision(), ..PreviewNoticeResponse::default() };
        for (change, fitted) in notice.changes.iter().zip(&fitted) {
            answer.unmet_gates.extend(self.gates_ahead(&organization, change, fitted, &day(held_at)).await?);
        }
        let mut ways = Ways { subscribed: HashSet::new(), shown: self.shown(&notice).await? };
        let mut latest = None;
        let mut cursor = String::new();
        loop {
            let page = self.customers(&organization.name, &cursor, super::publish::CHUNK).await?;
            let Some(last) = page.last() else { break };
            last.name().clone_into(&mut cursor);
            ways.subscribed = self.subscribed(&notice, &page).await?;
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
                        if let Some(obstacle) = ways.obstacle(customer, &one) {
                            seen.reason.push_str("; nobody can be told: ");
                            seen.reason.push_str(&obstacle);
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
