//! Notices of vendors to the organization: recorded with their dates, and passed on by a draft that is made of them, with
//! the last day on which that is in time.

use jiff::Timestamp;

use super::{State, adds, name_changes};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{Customer, Notice, NoticeChange, Organization, Subprocessor},
    resource::{
        name::{Kind, Name},
        shape::Violations,
    },
    rules::notice::{
        audience::{Reach, reach},
        clock::Terms,
        instant, stamp,
    },
    store::{notice::publish::CHUNK, standard::Creation, version::day, writer::Writer},
};

impl Writer {
    /// Creates a notice: a draft, or what a vendor has announced, with the draft that passes it on.
    ///
    /// # Errors
    /// RESOURCE_EXISTS, FIELD_INVALID with every field that breaks a rule.
    pub async fn create_notice(&mut self, creation: Creation<Notice>) -> Result<Notice> {
        if !creation.message.inbound {
            return self.create(creation).await;
        }
        let mut notice = creation.message;
        self.refuse_name_in_use(&notice).await?;
        self.verify_inbound(&notice).await?;
        let now = self.now();
        let received = instant(notice.receive_time.as_ref()).unwrap_or(now);
        if received > now {
            return Err(Error::field("notice.receive_time", format!("must not be after now ({now})")));
        }
        name_changes(&mut notice);
        notice.authors = vec![self.call().principal.clone()];
        notice.receive_time = stamp(received);
        notice.publish_time = stamp(received);
        notice.set_state(State::Published);
        notice.due_time = notice.requested_effective_time;
        let organization = self.organization_over(&notice.name).await?;
        if !notice.changes.is_empty() {
            let draft = self.follow_up(&organization, &notice).await?;
            if let Some(effective) = instant(notice.requested_effective_time.as_ref()) {
                notice.pass_on_date = self.pass_on_date(&organization, &draft, effective).await?;
            }
            notice.follow_up_notice.clone_from(&draft.name);
            self.put_unused(None, draft).await?;
        }
        let notice = self.put_unused(None, notice).await?;
        self.note_due(notice.due_time.as_ref());
        Ok(notice)
    }

    /// The changes of an inbound notice are about what the organization engages of the sender, or what that engages.
    pub(super) async fn verify_inbound(&self, notice: &Notice) -> Result<()> {
        let mut wrong = Violations::new();
        let organization = Name::parse(&notice.name).and_then(|name| name.organization());
        for (i, change) in notice.changes.iter().enumerate() {
            let known = match Name::parse(&change.subprocessor) {
                Some(name) => {
                    name.kind() == Kind::Subprocessor
                        && name.organization() == organization
                        && self.existing::<Subprocessor>(&name).await?.is_some()
                }
                None => false,
            };
            if !known {
                let rule = "must be the subprocessor of this organization through which the change reaches it";
                wrong.push((format!("notice.changes[{i}].subprocessor"), rule.to_owned()));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Error::fields(Reason::FieldInvalid, wrong)) }
    }

    /// The draft that passes a vendor's notice on: what it adds, our subprocessor engages.
    async fn follow_up(&self, organization: &Organization, inbound: &Notice) -> Result<Notice> {
        let parent = Name::of(Kind::Organization, "name", &organization.name)?;
        let id = self.free_id(&parent, Kind::Notice, &inbound.name, "pass-on", &[]).await?;
        let mut changes: Vec<NoticeChange> = Vec::new();
        for change in &inbound.changes {
            let mut own = NoticeChange { effective_time: None, withdraw_time: None, ..change.clone() };
            if adds(change.kind()) {
                // Who is engaged by our subprocessor is a subprocessor too (GDPR Art. 28(4)).
                let mut proposed = change.proposed.clone().unwrap_or_default();
                proposed.engaged_by.clone_from(&change.subprocessor);
                let base =
                    format!("{}-{}", change.subprocessor.rsplit('/').next().unwrap_or_default(), change.change_id);
                let id = self.free_id(&parent, Kind::Subprocessor, &base, "new", &changes).await?;
                own.subprocessor = Name::new(Kind::Subprocessor, Some(&parent), &id).to_string();
                own.proposed = Some(proposed);
                own.set_kind(crate::proto::v1::notice_change::Kind::Add);
                own.replaces.clear();
            }
            changes.push(own);
        }
        let mut draft = Notice {
            name: Name::new(Kind::Notice, Some(&parent), &id).to_string(),
            title: inbound.title.clone(),
            body: inbound.body.clone(),
            changes,
            requested_effective_time: inbound.requested_effective_time,
            inbound_notice: inbound.name.clone(),
            sources: inbound.sources.clone(),
            authors: inbound.authors.clone(),
            ..Notice::default()
        };
        draft.set_state(State::Draft);
        Ok(draft)
    }

    /// An id that was never used, nor by one of some changes, from a name and a word.
    async fn free_id(
        &self,
        parent: &Name,
        kind: Kind,
        name: &str,
        word: &str,
        changes: &[NoticeChange],
    ) -> Result<String> {
        let stem = name.rsplit('/').next().unwrap_or_default();
        let stem = stem.get(..stem.len().min(50)).unwrap_or_default().trim_end_matches('-');
        let id = format!("{stem}-{word}");
        let named = Name::new(kind, Some(parent), &id);
        if !changes.iter().any(|one| one.subprocessor == named.as_str()) && !self.is_known(&named).await? {
            return Ok(id);
        }
        Ok(uuid::Uuid::now_v7().simple().to_string())
    }

    /// The last UTC day on which telling everybody whom a draft would reach is in time for an instant.
    async fn pass_on_date(&self, organization: &Organization, draft: &Notice, effective: Timestamp) -> Result<String> {
        let mut changes = draft.changes.clone();
        for (index, change) in changes.iter_mut().enumerate() {
            // What does not fit yet concerns everybody until somebody has mended the draft.
            if let Some(fitted) = self.fit(organization, draft, index, &mut Violations::new()).await? {
                change.products = fitted.products;
            }
        }
        let policy = organization.notice_policy.unwrap_or_default();
        let mut last = Terms::new(None, Some(&policy))?.last_start(effective)?;
        let (today, effective_day) = (day(self.now()), day(effective));
        let mut after = String::new();
        loop {
            let page = self.customers(&organization.name, &after, CHUNK).await?;
            let Some(end) = page.last() else { break };
            end.name().clone_into(&mut after);
            for stored in &page {
                let customer: &Customer = &stored.message;
                if matches!(reach(customer, &changes, &today, Some(&effective_day)), Reach::Reached { .. }) {
                    let terms = Terms::new(customer.agreement.as_ref(), Some(&policy))?;
                    last = last.min(terms.last_start(effective)?);
                }
            }
        }
        Ok(last.to_string())
    }
}
