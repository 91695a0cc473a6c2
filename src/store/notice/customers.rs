//! What follows for open notices from customers that come and go.

use std::collections::btree_map::{BTreeMap, Entry};

use super::stamp;
use crate::{
    error::Result,
    proto::v1::{Customer, NoticeRecipient, recipient_change::Status},
    resource::name::{Kind, Name},
    rules::notice::{
        audience::{has_ended, share},
        instant, recipient as machine,
    },
    store::{
        recipient::name_of,
        version::{Stored, day},
        writer::Writer,
    },
};

impl Writer {
    /// Does for open notices what follows from customers that were written: who joins is told, who leaves is released.
    pub(in crate::store) async fn follow_customers(&mut self) -> Result<()> {
        let written: Vec<Customer> = std::mem::take(&mut self.customers_written);
        let Some(organization) = written.iter().find_map(|one| Name::parse(&one.name)?.organization()) else {
            return Ok(());
        };
        let now = self.now();
        let open = self.open_notices(organization.as_str()).await?;
        let mut names: Vec<String> = written.iter().map(|customer| customer.name.clone()).collect();
        names.sort();
        let known = self.recipients_of(&names).await?;
        let mut shown = BTreeMap::<String, Vec<String>>::new();
        let mut touched = BTreeMap::<String, i32>::new();
        for customer in &written {
            for notice in &open {
                let name = Name::of(Kind::Notice, "name", notice.name())?;
                if known.iter().any(|one| one.message.name == name_of(&name, &customer.name).as_str()) {
                    continue;
                }
                let shown = match shown.entry(notice.name().to_owned()) {
                    Entry::Vacant(unknown) => unknown.insert(self.shown(&notice.message).await?),
                    Entry::Occupied(known) => known.into_mut(),
                };
                let reached = super::publish::recipient(&notice.message, &name, customer, shown, now)?;
                let Some(mut new) = reached else { continue };
                // Whose turn has not come yet is reached with all the others.
                if !notice.message.audience_complete && customer.name > self.last_reached(notice.name()).await? {
                    continue;
                }
                new.reach_reason = format!("{}; it joined after publication", new.reach_reason);
                let new = self.put(None, new).await?;
                self.note_due(new.due_time.as_ref());
                *touched.entry(notice.name().to_owned()).or_default() += 1;
            }
            let own = known.iter().filter(|one| one.message.customer == customer.name);
            // What is settled for good stays as it is.
            let settled = |one: &NoticeRecipient| one.changes.iter().all(|change| change.status() == Status::Released);
            for recipient in own.filter(|one| !settled(&one.message)) {
                let mut after = recipient.message.clone();
                let notice = open.iter().find(|one| recipient.message.name.starts_with(&format!("{}/", one.name())));
                after.release_time = if customer.delete_time.is_some() || has_ended(customer, &day(now)) {
                    // It may have ended before: it is none from now on, as far as anybody knew.
                    instant(after.release_time.as_ref()).filter(|time| *time <= now).or(Some(now)).and_then(stamp)
                } else {
                    super::publish::end_of(customer)
                };
                let gone = |id: &str| {
                    let changes = notice.map(|one| one.message.changes.as_slice()).unwrap_or_default();
                    changes.iter().any(|change| change.change_id == id && !share(&change.products, &customer.products))
                };
                machine::release(&mut after, gone, now);
                machine::pass(&mut after, now);
                if after != recipient.message {
                    let decides = after.changes != recipient.message.changes;
                    let notice = Name::parse(&after.name).and_then(|name| name.parent());
                    let after = self.put(Some(recipient), after).await?;
                    self.note_due(after.due_time.as_ref());
                    if let Some(notice) = notice.filter(|_| decides) {
                        touched.entry(notice.to_string()).or_default();
                    }
                }
            }
        }
        for (name, joined) in touched {
            let name = Name::of(Kind::Notice, "name", &name)?;
            match open.iter().find(|one| one.name() == name.as_str()) {
                Some(stored) => {
                    let mut notice = stored.message.clone();
                    notice.recipient_count += joined;
                    notice.due_time = stamp(now);
                    self.put_notice(stored, notice).await?;
                }
                None => self.touch(&name, now).await?,
            }
        }
        Ok(())
    }

    /// What customers are of notices.
    async fn recipients_of(&self, customers: &[String]) -> Result<Vec<Stored<NoticeRecipient>>> {
        let mut all = Vec::new();
        for names in customers.chunks(crate::store::resource::BOUND) {
            all.extend(self.live_among::<NoticeRecipient>("customer", names).await?);
        }
        Ok(all)
    }
}
