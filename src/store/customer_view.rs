//! The list as it applies to one customer: without the changes that are held back from it.
//!
//! A change that took effect for others only left a layer on the subprocessor: which fields, and the revision at which
//! they were as before. Whether it applies to the customer is decided by where the customer stands on the change, at the
//! instant that is asked for.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};

use super::{
    Store,
    read::{AsOf, Moment, alive_at, fetch_all, fetch_stored, version_query},
    version::{Stored, column},
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{Customer, HeldChange, Notice, NoticeRecipient, Subprocessor},
    resource::{
        mask,
        name::{Kind, Name},
    },
    rules::{
        engagement::is_on_list,
        notice::{effect::emergency, recipient::clears_at},
        reach,
    },
};

impl Store {
    /// One subprocessor as it applies to a customer.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if one of them did not exist then; RESOURCE_ERASED; LOG_NOT_YET_WRITTEN.
    pub async fn subprocessor_for(&self, name: &Name, customer: &Name, as_of: Option<AsOf>) -> Result<Subprocessor> {
        let moment = self.moment(as_of).await?;
        let customer = self.existing(customer, moment.revision).await?;
        let found: Subprocessor = self.get(name, Some(AsOf::Revision(moment.revision))).await?;
        let mut applied = self.applied(&customer, &moment, vec![found]).await?;
        applied.pop().ok_or_else(|| Error::not_found(Kind::Subprocessor.singular(), name.as_str()))
    }

    /// Of a list, what applies to a customer: what has a product in common with it, each without what is held back from
    /// it, and only what is on the list of the day, if there is one.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND for a customer that did not exist then.
    pub async fn list_for(
        &self,
        customer: &Name,
        revision: i64,
        as_of: Option<AsOf>,
        list: Vec<Subprocessor>,
        day: Option<&str>,
    ) -> Result<Vec<Subprocessor>> {
        let (customer, mut applied) = self.view_for(customer, revision, as_of, list).await?;
        applied.retain(|one| {
            reach::overlap(&one.products, &customer.products) && day.is_none_or(|day| is_on_list(one, day))
        });
        Ok(applied)
    }

    /// A customer, and a list as it applies to it, whether it uses what stands on it or not.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND for a customer that did not exist then.
    pub(super) async fn view_for(
        &self,
        customer: &Name,
        revision: i64,
        as_of: Option<AsOf>,
        list: Vec<Subprocessor>,
    ) -> Result<(Customer, Vec<Subprocessor>)> {
        // The revision is that of the list: a page after the first is read from the first one's.
        let moment = Moment { revision, ..self.moment(as_of).await? };
        let customer = self.existing(customer, moment.revision).await?;
        let applied = self.applied(&customer, &moment, list).await?;
        Ok((customer, applied))
    }

    /// Subprocessors as they apply to a customer. What lies under a layer is read at once for all of them.
    pub(super) async fn applied(
        &self,
        customer: &Customer,
        moment: &Moment,
        mut list: Vec<Subprocessor>,
    ) -> Result<Vec<Subprocessor>> {
        let notices: BTreeSet<String> =
            list.iter().flat_map(|one| &one.held_changes).map(|layer| layer.notice.clone()).collect();
        if notices.is_empty() {
            return Ok(list);
        }
        let names: Vec<String> = notices.into_iter().collect();
        let own: Vec<String> = names
            .iter()
            .filter_map(|notice| Name::parse(notice))
            .map(|notice| super::recipient::name_of(&notice, &customer.name).to_string())
            .collect();
        let recipients: HashMap<String, NoticeRecipient> = self.at("name", own, moment.revision).await?;
        let notices: HashMap<String, Notice> = self.at("name", names, moment.revision).await?;
        let at = moment.instant.unwrap_or(Timestamp::MIN);
        let is_held = |layer: &HeldChange| {
            let Some(notice) = notices.get(&layer.notice) else { return false };
            let Some(name) = Name::parse(&layer.notice) else { return false };
            let name = super::recipient::name_of(&name, &customer.name);
            let recipient = recipients.get(name.as_str());
            let change =
                recipient.and_then(|one| one.changes.iter().find(|change| change.change_id == layer.change_id));
            recipient.zip(change).is_some_and(|(recipient, change)| {
                clears_at(recipient, change, emergency(notice)).is_none_or(|clear| clear > at)
            })
        };
        let wanted: Vec<(String, i64)> = list
            .iter()
            .flat_map(|one| {
                one.held_changes.iter().filter(|layer| is_held(layer)).map(|l| (one.name.clone(), l.before_revision))
            })
            .collect();
        let before = self.versions_of(&wanted).await?;
        for one in &mut list {
            // The newest layer first: each was laid upon what the others had made.
            for layer in std::mem::take(&mut one.held_changes).iter().rev().filter(|layer| is_held(layer)) {
                // What was erased all the same must not show as changed to whom the change does not apply.
                let old = before.get(&(one.name.clone(), layer.before_revision)).ok_or_else(|| {
                    let text = format!("{}: what of it applies to {} was erased", one.name, customer.name);
                    Error::new(Reason::ResourceErased, text).resource(Kind::Subprocessor.singular(), &one.name)
                })?;
                let fields = prost_types::FieldMask { paths: layer.fields.clone() };
                let mut as_before = mask::apply(one, old, Some(&fields))?;
                if layer.fields.iter().any(|field| field == "state") {
                    as_before.set_state(old.state());
                }
                *one = as_before;
            }
            // From whom else something is held back is nobody else's business.
            one.held_back.clear();
            one.held_changes.clear();
            one.held_back_count = 0;
        }
        Ok(list)
    }

    /// Versions of subprocessors by name and the revision that made them.
    async fn versions_of(&self, wanted: &[(String, i64)]) -> Result<HashMap<(String, i64), Subprocessor>> {
        const AT_ONCE: usize = 200;
        let mut found = HashMap::new();
        for chunk in wanted.chunks(AT_ONCE) {
            let any = chunk.iter().fold(Condition::any(), |any, (name, revision)| {
                any.add(
                    Condition::all()
                        .add(Expr::col(column("name")).eq(name.as_str()))
                        .add(Expr::col(column("from_revision")).eq(*revision)),
                )
            });
            let mut query = version_query(Kind::Subprocessor);
            query.cond_where(any);
            for row in fetch_all(self.reads(), &query).await? {
                let revision = row.from_revision;
                let stored = Stored::<Subprocessor>::decode(row)?;
                found.extend(stored.map(|stored| ((stored.name().to_owned(), revision), stored.message)));
            }
        }
        Ok(found)
    }

    /// The subprocessors of an organization of which something is held back from somebody, at a revision.
    pub(super) async fn with_held_changes(
        &self,
        organization_id: i64,
        revision: i64,
    ) -> Result<Vec<Stored<Subprocessor>>> {
        let mut query = version_query(Kind::Subprocessor);
        query
            .and_where(Expr::col(column("organization_id")).eq(organization_id))
            .cond_where(alive_at(revision))
            .and_where(Expr::col(column("deleted")).eq(false))
            .cond_where(held());
        fetch_stored(self.reads(), &query).await
    }
}

/// The field of the table of values that says that something is held back.
pub(super) const HELD_NOTICES: &str = "held_notices";

/// Something is held back from somebody.
pub(super) fn held() -> Condition {
    use crate::resource::filter::{Expr as Filter, Field, FieldKind};
    let present = Filter::Present(Field::new(HELD_NOTICES, FieldKind::Texts));
    super::filter::condition(super::filter::Rows::Versions(Kind::Subprocessor), &present)
}
