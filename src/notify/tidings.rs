//! What an event says, made of the revision in which it happened: as data for webhooks, as words for mails. Of what
//! everybody may be told; what a customer is told beyond that is its own deadlines.

use std::collections::HashMap;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    email::contents::{self, Content},
    letter::{self, Letter},
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{
        Delivery, DeliveryReceipt, Notice, NoticeRecipient, Objection, Organization, RecipientChange, Subprocessor,
        Vendor, delivery_receipt::Kind as Receipt, notice::State,
    },
    resource::name::{Kind, Name},
    rules::{
        event,
        notice::{effect, instant, recipient, stamp},
        paper::Judged,
        publication::{
            Entry, Links, Upcoming,
            build::{Known, contact},
            upcoming::announced,
        },
    },
    store::{
        Store,
        outbox::claim::Claimed,
        publication::Wanted,
        read::AsOf,
        version::{Resource, day},
    },
};

/// Changes of the list that one event shows; the pages have all of them.
const SHOWN: usize = 200;

/// What an event says.
#[derive(Debug, Clone)]
pub struct Telling {
    /// Whose list it is.
    pub organization: Organization,
    /// Where its pages are.
    pub links: Links,
    kind: String,
    revision: i64,
    notice: Option<Notice>,
    /// Whether that has a page.
    has_page: bool,
    changes: Vec<Upcoming>,
    /// The first of them.
    list: Vec<Listed>,
    list_count: usize,
    objection: Option<Objection>,
    /// The delivery that was given up.
    dead: Option<Delivery>,
}

/// A change of the list without a notice.
#[derive(Debug, Clone)]
struct Listed {
    before: Option<Entry>,
    after: Option<Entry>,
}

/// What tells one telling from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    organization: String,
    revision: i64,
    event_type: String,
    notice: String,
    about: String,
    /// For those who have an agreement: it says also what is not on the public list.
    whole: bool,
}

impl Telling {
    /// By what a delivery's telling is known.
    pub fn key(claimed: &Claimed) -> Key {
        Key {
            organization: claimed.name.split("/deliveries/").next().unwrap_or_default().to_owned(),
            revision: claimed.revision,
            event_type: claimed.event_type.clone(),
            notice: claimed.notice.clone(),
            about: claimed.about.clone(),
            whole: !claimed.customer.is_empty(),
        }
    }

    /// Reads what a delivery is to say. `base`: where the pages are.
    ///
    /// # Errors
    /// If the database fails, or what it is about was erased and is no more.
    pub async fn read(store: &Store, base: &str, claimed: &Claimed) -> Result<Self> {
        let Key { organization, whole, .. } = Self::key(claimed);
        let organization = Name::parse(&organization)
            .ok_or_else(|| Error::internal(format!("{} is under no organization", claimed.name)))?;
        let revision = if claimed.revision > 0 { claimed.revision } else { store.head().await? };
        let at = Some(AsOf::Revision(revision));
        let own: Organization = as_told(store, &organization, at).await?;
        let mut telling = Self {
            links: Links::of(base, organization.id()),
            organization: own,
            kind: claimed.event_type.clone(),
            revision: claimed.revision,
            notice: None,
            has_page: false,
            changes: Vec::new(),
            list: Vec::new(),
            list_count: 0,
            objection: None,
            dead: None,
        };
        if claimed.event_type == event::DELIVERY_DEAD {
            telling.dead = gone(store.delivery(&format!("{organization}/deliveries/{}", claimed.about)).await)?;
        }
        if claimed.revision == 0 {
            return Ok(telling);
        }
        let tidings = store.tidings(revision, &organization).await?;
        // Who objects, and why, is for the organization only: one revision can be told to others as something else.
        let is_it = |told: &event::Event| {
            told.kind == claimed.event_type
                && told.notice == claimed.notice
                && (claimed.about.is_empty() || told.objection == claimed.about)
        };
        telling.objection =
            tidings.objections.into_iter().find(|(told, _)| is_it(told)).map(|(_, objection)| objection);
        let (mut before, mut after) = (None, None);
        if !claimed.notice.is_empty() {
            let changed = tidings.notices.into_iter().find(|(_, after)| after.name == claimed.notice);
            (before, after) = match changed {
                Some((before, after)) => (before, Some(after)),
                // It was published before; this is when it reached somebody.
                None => (None, Some(as_told(store, &Name::of(Kind::Notice, "notice", &claimed.notice)?, at).await?)),
            };
        }
        let mut subprocessors: HashMap<String, Subprocessor> = HashMap::new();
        let engagements = tidings.subprocessors;
        if let Some(notice) = &mut after {
            telling.has_page = store.has_page(notice, revision).await?;
            event::keep_what_changed(notice, before.as_ref(), &telling.kind);
            // What took effect is shown as it was before.
            let point = if telling.kind == event::NOTICE_EFFECTIVE { revision - 1 } else { revision };
            let about = notice.changes.iter().flat_map(|one| one.replaces.iter().chain([&one.subprocessor]));
            subprocessors = store.at("name", about.cloned().collect(), point).await?;
            if whole {
                subprocessors.values_mut().for_each(|one| one.listed = true);
                notice.changes.iter_mut().filter_map(|one| one.proposed.as_mut()).for_each(|one| one.listed = true);
            }
        }
        let proposed = after.iter().flat_map(|notice| &notice.changes).filter_map(|one| one.proposed.as_ref());
        let sides = engagements.iter().flat_map(|(before, after)| before.iter().chain(after));
        let vendors = subprocessors.values().chain(proposed).chain(sides).map(|one| one.vendor.clone());
        let vendors: HashMap<String, Vendor> =
            store.at("name", vendors.filter(|name| !name.is_empty()).collect(), revision).await?;
        let law = store.law(revision).await?;
        let transfers = match &after {
            Some(notice) => transfers(store, &organization, notice, revision, &telling.kind).await?,
            None => HashMap::new(),
        };
        let known = Known {
            base,
            organization: &telling.organization,
            subprocessors: &subprocessors,
            vendors: &vendors,
            transfers: &transfers,
            law: &law,
        };
        if let Some(notice) = after {
            telling.changes = notice.changes.iter().filter_map(|one| announced(&known, &notice, one)).collect();
            telling.notice = Some(notice);
        } else if telling.kind == event::LIST_CHANGED {
            let shows = |one: &Option<Subprocessor>| {
                one.as_ref().filter(|one| event::is_shown(one)).map(|one| known.entry(one))
            };
            let changed: Vec<_> = engagements
                .iter()
                .filter(|(before, after)| event::of_subprocessor(before.as_ref(), after.as_ref()).is_some())
                .collect();
            telling.list_count = changed.len();
            let shown = changed.into_iter().take(SHOWN);
            telling.list = shown.map(|(before, after)| Listed { before: shows(before), after: shows(after) }).collect();
        }
        Ok(telling)
    }

    /// Whether nothing is left to tell of a notice, as it is by now: all of that is withdrawn.
    pub fn is_withdrawn(&self, by_now: &Notice) -> bool {
        by_now.state() == State::Withdrawn
            || (!self.changes.is_empty() && self.changes.iter().all(|one| is_withdrawn(&one.change, Some(by_now))))
    }

    /// The data of the CloudEvent. `told`: the customer that it goes to. `by_now`: the notice of which what is withdrawn is
    /// left out.
    pub fn data(&self, told: Option<&NoticeRecipient>, by_now: Option<&Notice>) -> Value {
        let stands = |id: &str| !is_withdrawn(id, by_now);
        let mut data = json!({
            "organization": { "name": self.organization.name, "display_name": self.organization.display_name },
            "links": self.links,
        });
        if self.revision > 0 {
            data["revision"] = json!(self.revision);
        }
        if let Some(notice) = &self.notice {
            data["notice"] = json!({
                "name": notice.name,
                "title": notice.title,
                "text": notice.body,
                "state": notice.state().as_str_name().trim_start_matches("STATE_"),
                "publish_time": said(notice.publish_time.as_ref()),
                "emergency": notice.emergency.is_some(),
            });
            data["changes"] = self.changes.iter().filter(|one| stands(&one.change)).map(|one| json!(one)).collect();
            if !self.has_page {
                let changes = data["changes"].as_array_mut().into_iter().flatten();
                changes.filter_map(Value::as_object_mut).for_each(|one| drop(one.remove("link")));
            }
        }
        if self.kind == event::LIST_CHANGED {
            let changes = self.list.iter().map(|one| {
                let kind = match (&one.before, &one.after) {
                    (None, _) => "ADDED",
                    (_, None) => "REMOVED",
                    _ => "CHANGED",
                };
                json!({ "kind": kind, "before": one.before, "after": one.after })
            });
            data["changes"] = changes.collect();
            data["change_count"] = json!(self.list_count);
        }
        if let Some(objection) = &self.objection {
            data["objection"] = json!({
                "name": objection.name,
                "customer": objection.customer,
                "grounds": objection.grounds,
                "late": objection.late,
                "state": objection.state().as_str_name().trim_start_matches("STATE_"),
                "outcome": objection.outcome().as_str_name().trim_start_matches("OUTCOME_"),
            });
        }
        if let Some(dead) = &self.dead {
            data["delivery"] = json!({
                "name": dead.name,
                "subscription": dead.subscription,
                "customer": dead.customer,
                "event_type": dead.event_type,
            });
        }
        if let Some(told) = told {
            let changes = told.changes.iter().filter(|one| stands(&one.change_id)).map(|one| {
                json!({
                    "change": one.change_id,
                    "status": one.status().as_str_name().trim_start_matches("STATUS_"),
                    "objection_deadline_time": said(one.objection_deadline_time.as_ref()),
                    "clear_time": said(one.clear_time.as_ref()),
                })
            });
            data["recipient"] = json!({ "customer": told.customer, "changes": changes.collect::<Vec<_>>() });
        }
        data
    }

    /// A recipient as it stands when a delivery that counts as telling it does so at `now`: what starts its clock may be
    /// this very one.
    ///
    /// # Errors
    /// If a clock ends beyond the last instant there is.
    pub fn as_told(&self, recipient: &NoticeRecipient, now: Timestamp) -> Result<NoticeRecipient> {
        let mut told = recipient.clone();
        if let Some(notice) = self.notice.as_ref().filter(|_| self.kind == event::NOTICE_PUBLISHED) {
            // What it cannot be told any more changes nothing.
            let mut receipt = DeliveryReceipt { event_time: stamp(now), ..DeliveryReceipt::default() };
            receipt.set_kind(Receipt::Delivered);
            let _ = recipient::record(&mut told, receipt, now, &notice.policy.unwrap_or_default())?;
        }
        Ok(told)
    }

    /// What a mail says at `now`; none for what mails do not tell. `told`: the customer that it goes to. `by_now`: the
    /// notice of which what is withdrawn is left out.
    pub fn content(&self, told: Option<&NoticeRecipient>, by_now: Option<&Notice>, now: Timestamp) -> Option<Content> {
        if self.kind == event::LIST_CHANGED {
            let changes = self.list.iter().map(|one| letter::listed(one.before.as_ref(), one.after.as_ref()));
            let date = now.to_zoned(TimeZone::UTC).strftime("%-d %B %Y").to_string();
            return Some(Content::ListChanged(contents::ListChange { date, changes: changes.collect() }));
        }
        let notice = self.notice.as_ref()?;
        let letter = Letter { kind: &self.kind, notice, told, now };
        let own = |id: &str| told.map(|one| one.changes.iter().find(|change| change.change_id == id));
        let mut changes = Vec::new();
        for one in self.changes.iter().filter(|one| !is_withdrawn(&one.change, by_now)) {
            let standing = own(&one.change);
            // What does not concern the customer is not told to it, nor that what is held back from it applies.
            let is_held = |own| told.is_some_and(|told| self.is_held_back(told, own, now));
            if standing == Some(None) || standing.flatten().is_some_and(is_held) {
                continue;
            }
            changes.push(letter.change(one, standing.flatten()));
        }
        if changes.is_empty() {
            return None;
        }
        let reason = match self.kind.as_str() {
            event::NOTICE_WITHDRAWN => notice.withdraw_reason.clone(),
            _ => notice.emergency.as_ref().map(|one| one.reason.clone()).unwrap_or_default(),
        };
        let page = self.organization.page.clone().unwrap_or_default();
        let id = notice.name.rsplit('/').next().unwrap_or_default();
        let content = contents::Notice {
            title: notice.title.clone(),
            body: notice.body.clone(),
            notice_uri: if self.has_page { self.links.notice(id) } else { String::new() },
            changes,
            reason,
            object_uri: page.contact_uri,
            authorization: letter.authorization().to_owned(),
        };
        match self.kind.as_str() {
            event::NOTICE_PUBLISHED => Some(Content::NoticePublished(content)),
            event::NOTICE_WITHDRAWN => Some(Content::NoticeWithdrawn(content)),
            event::NOTICE_EFFECTIVE => Some(Content::NoticeEffective(content)),
            _ => None,
        }
    }

    /// Whether a change has taken effect, but not for this customer.
    fn is_held_back(&self, told: &NoticeRecipient, own: &RecipientChange, now: Timestamp) -> bool {
        let Some(notice) = self.notice.as_ref().filter(|_| self.kind == event::NOTICE_EFFECTIVE) else { return false };
        let waits = notice.changes.iter().any(|one| one.change_id == own.change_id && one.waits);
        let clear = recipient::clears_at(told, own, effect::emergency(notice));
        waits && effect::binds(notice) && clear.is_none_or(|clear| clear > now)
    }

    /// Whom to write to: as the page says, or else any contact that there is.
    pub fn contact(&self) -> String {
        let own = self.organization.contacts.iter().map(|one| &one.email).find(|email| !email.is_empty());
        let public = contact(&self.organization);
        if public.is_empty() { own.cloned().unwrap_or_default() } else { public }
    }
}

/// Whether a change is withdrawn, of a notice as it is by now.
fn is_withdrawn(id: &str, by_now: Option<&Notice>) -> bool {
    by_now.is_some_and(|notice| {
        notice.changes.iter().any(|change| change.change_id == id && change.withdraw_time.is_some())
    })
}

/// What was there when it happened; where that was erased since, what is there now: it is told all the same.
async fn as_told<R: Resource>(store: &Store, name: &Name, at: Option<AsOf>) -> Result<R> {
    match store.get(name, at).await {
        Err(error) if error.reason() == Reason::ResourceErased => store.get(name, None).await,
        read => read,
    }
}

/// What the transfers rest on that a notice changes, as it was before that took effect.
async fn transfers(
    store: &Store,
    organization: &Name,
    notice: &Notice,
    revision: i64,
    kind: &str,
) -> Result<HashMap<String, Vec<Judged>>> {
    let publish_time = instant(notice.publish_time.as_ref());
    let (Some(time), true) = (publish_time, notice.changes.iter().any(|one| !one.proposed_transfers.is_empty())) else {
        return Ok(HashMap::new());
    };
    let revision = if kind == event::NOTICE_EFFECTIVE { revision - 1 } else { revision };
    let wanted = Wanted { parent: organization.clone(), revision, date: day(time), base: String::new() };
    match store.announcement(&wanted, &Name::of(Kind::Notice, "notice", &notice.name)?).await {
        Ok(material) => Ok(material.transfers),
        // What was erased since is left out: the notice is told all the same.
        Err(error) if error.reason() == Reason::ResourceErased => Ok(HashMap::new()),
        Err(error) => Err(error),
    }
}

/// What there is; none for what is not there any more.
fn gone<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.reason() == Reason::ResourceNotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// An instant as RFC 3339; `null` for none.
fn said(time: Option<&prost_types::Timestamp>) -> Option<String> {
    instant(time).map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_one_organization_is_not_told_of_another() {
        let of = |name: &str| {
            let mut claimed = Claimed::default();
            name.clone_into(&mut claimed.name);
            Telling::key(&claimed)
        };
        assert_eq!(of("organizations/a/deliveries/1"), of("organizations/a/deliveries/2"));
        assert_ne!(of("organizations/a/deliveries/1"), of("organizations/b/deliveries/1"));
    }
}
