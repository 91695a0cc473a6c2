//! What follows for notices from customers that come, go, and change.

use std::collections::HashMap;

use jiff::Timestamp;
use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, Query},
};

use super::stamp;
use crate::{
    error::Result,
    proto::v1::{Customer, Notice, NoticeRecipient, Objection, objection::State as ObjectionState},
    resource::name::{Kind, Name},
    rules::notice::{
        audience::{Reach, has_ended, reach, share},
        effect::applied,
        instant, recipient as machine,
    },
    store::{
        customer_view::HELD_NOTICES,
        filter::after_prefix,
        recipient::name_of,
        version::{Stored, column, day, table, value_table},
        writer::Writer,
    },
};

impl Writer {
    /// Does for notices what follows from customers that were written: who joins is told, who leaves is released, who
    /// comes back or uses more is waited for. What nothing waits for any more stays as it was answered.
    pub(in crate::store) async fn follow_customers(&mut self) -> Result<()> {
        let written: Vec<Customer> = std::mem::take(&mut self.customers_written);
        let Some(organization) = written.iter().find_map(|one| Name::parse(&one.name)?.organization()) else {
            return Ok(());
        };
        let now = self.now();
        for stored in self.notices_that_wait(organization.as_str()).await? {
            let notice = Name::of(Kind::Notice, "name", stored.name())?;
            let own = |customer: &Customer| name_of(&notice, &customer.name).to_string();
            let names: Vec<String> = written.iter().map(own).collect();
            let known = self.live_among::<NoticeRecipient>("name", &names).await?;
            let mut known: HashMap<String, Stored<NoticeRecipient>> =
                known.into_iter().map(|one| (one.name().to_owned(), one)).collect();
            // Whose turn has not come yet is reached with all the others.
            let last = match stored.message.audience_complete {
                true => None,
                false => Some(self.last_reached(stored.name()).await?),
            };
            let (mut joined, mut decides) = (0, false);
            for customer in &written {
                if let Some(recipient) = known.remove(&own(customer)) {
                    decides |= self.follow_customer(&stored.message, customer, recipient, now).await?;
                } else if last.as_ref().is_none_or(|last| customer.name <= *last) {
                    joined += self.join(&stored.message, &notice, customer, now).await?;
                }
            }
            if joined > 0 || decides {
                let mut notice = stored.message.clone();
                notice.recipient_count += joined;
                notice.due_time = stamp(now);
                self.put_notice(&stored, notice).await?;
            }
        }
        Ok(())
    }

    /// Has an open notice reach a customer that it did not reach before. How many it reaches more.
    async fn join(&mut self, notice: &Notice, name: &Name, customer: &Customer, now: Timestamp) -> Result<i32> {
        if !super::is_open(notice.state()) {
            return Ok(0);
        }
        let Some(mut new) = super::publish::recipient(notice, name, customer, now)? else { return Ok(0) };
        new.reach_reason = format!("{}; it joined after publication", new.reach_reason);
        let new = self.put(None, new).await?;
        self.note_due(new.due_time.as_ref());
        Ok(1)
    }

    /// Does for a recipient what follows from its customer as it is now. Whether anything was decided by that.
    async fn follow_customer(
        &mut self,
        notice: &Notice,
        customer: &Customer,
        recipient: Stored<NoticeRecipient>,
        now: Timestamp,
    ) -> Result<bool> {
        let mut after = recipient.message.clone();
        if customer.delete_time.is_some() || has_ended(customer, &day(now)) {
            // It may have ended before: it is none from now on, as far as anybody knew.
            after.release_time =
                instant(after.release_time.as_ref()).filter(|time| *time <= now).or(Some(now)).and_then(stamp);
        } else {
            after.release_time = super::publish::end_of(customer);
            let effective = instant(notice.requested_effective_time.as_ref()).map(day);
            if super::is_open(notice.state())
                && let Reach::Reached { change_ids, .. } =
                    reach(customer, &notice.changes, &day(now), effective.as_deref())
            {
                let objected = self.open_objections_of(&after).await?;
                let policy = notice.policy.unwrap_or_default();
                machine::widen(&mut after, &change_ids, &objected, &policy, now)?;
            }
        }
        let gone = |id: &str| {
            let own = notice.changes.iter().find(|change| change.change_id == id);
            own.is_some_and(|change| !share(&change.products, &customer.products))
        };
        machine::release(&mut after, gone, now);
        machine::pass(&mut after, now);
        let applied = applied(notice, &after, now);
        machine::leave(&mut after, &applied, now);
        if after == recipient.message {
            return Ok(false);
        }
        let decides = after.changes != recipient.message.changes;
        let after = self.put(Some(&recipient), after).await?;
        self.note_due(after.due_time.as_ref());
        Ok(decides)
    }

    /// The objections of a recipient that are open and may count again.
    async fn open_objections_of(&self, recipient: &NoticeRecipient) -> Result<Vec<String>> {
        let back = recipient.changes.iter().filter(|change| machine::may_come_back(change));
        let names: Vec<String> = back.map(|change| change.objection.clone()).filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.live_among::<Objection>("name", &names).await?;
        let open = found.into_iter().filter(|one| one.message.state() == ObjectionState::Open);
        Ok(open.map(|one| one.message.name).collect())
    }

    /// The notices of an organization that wait for customers: those that are open, and those of which something is held
    /// back from somebody.
    async fn notices_that_wait(&self, organization: &str) -> Result<Vec<Stored<Notice>>> {
        let mut all = self.open_notices(organization).await?;
        let mut held = self.held_notices(organization).await?;
        held.retain(|name| !all.iter().any(|known| known.name() == name));
        if !held.is_empty() {
            all.extend(self.live_among::<Notice>("name", &held).await?);
        }
        Ok(all)
    }

    /// The notices of an organization of which a subprocessor says that something is held back.
    async fn held_notices(&self, organization: &str) -> Result<Vec<String>> {
        let prefix = format!("{organization}/notices/");
        let values = value_table(Kind::Subprocessor);
        let of = |name: &'static str| Expr::col((values.clone(), column(name)));
        let live = Query::select()
            .expr(Expr::value(1))
            .from(table(Kind::Subprocessor))
            .and_where(Expr::col((table(Kind::Subprocessor), column("resource_id"))).eq(of("resource_id")))
            .and_where(Expr::col((table(Kind::Subprocessor), column("from_revision"))).eq(of("from_revision")))
            .and_where(Expr::col((table(Kind::Subprocessor), column("to_revision"))).is_null())
            .to_owned();
        let mut query = Query::select();
        query
            .distinct()
            .column(column("value"))
            .from(values.clone())
            .and_where(Expr::col(column("field")).eq(HELD_NOTICES))
            .and_where(Expr::col(column("value")).gte(prefix.as_str()))
            .and_where(Expr::exists(live));
        if let Some(end) = after_prefix(&prefix) {
            query.and_where(Expr::col(column("value")).lt(end));
        }
        let rows = self.tx().query_all(&query).await?;
        rows.iter().map(|row| Ok(row.try_get("", "value")?)).collect()
    }
}
