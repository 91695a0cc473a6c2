//! Notices: what is announced to whom, and what of it has taken effect (DESIGN §6).
//!
//! - here: the resource, drafts, approval
//! - [`fitting`]: whether a change fits what the registry holds, and what it would make of it
//! - [`publish`]: whom it reaches; frozen clocks; withdrawal
//! - [`preview`]: the same without writing
//! - [`passing`]: what is due, and what cannot be applied
//! - [`advance`]: what takes effect, and what holds it
//! - [`answers`]: what recipients say
//! - [`customers`]: what follows from those that come and go
//! - [`inbound`]: notices of vendors to the organization
//! - [`gate`]: what a write to the list itself must wait for

pub(super) mod advance;
pub mod answers;
mod customers;
mod fitting;
pub mod gate;
mod inbound;
pub(super) mod passing;
pub mod preview;
mod publish;

use futures::{FutureExt, future::BoxFuture};
use sea_orm::sea_query::{Expr, ExprTrait};

use super::{
    organization::LOCATION_PRODUCTS,
    read::{existing_query, fetch_stored},
    resource,
    standard::{Managed, match_etag, path, refuse_deleted},
    version::{Reference, Resource, Stored, column, micros, version_methods, version_table},
    writer::Writer,
};
use crate::{
    call::{PRINCIPAL_KEY, Principal},
    error::{Error, Reason, Result},
    proto::v1::{Notice, NoticeChange, Organization, Subprocessor, notice::State, notice_change::Kind as ChangeKind},
    resource::{
        filter::{Field, FieldKind},
        name::{Kind, Name},
        shape::Violations,
    },
    rules::notice::{stamp, widening},
};

/// Changes of one notice.
const MOST_CHANGES: usize = 100;

version_table!(Notice, table "notice", entity versions, {
    title: String = |m| m.title.clone(),
    sender_vendor: String = |m| m.sender_vendor.clone(),
    state: i32 = |m| m.state,
    inbound: bool = |m| m.inbound,
    publish_time: i64 = |m| micros(m.publish_time.as_ref()),
    due_time: i64 = |m| due_micros(m.due_time.as_ref()),
});

/// An instant by which something is looked for: what is never due comes last.
pub(super) fn due_micros(time: Option<&prost_types::Timestamp>) -> i64 {
    time.map_or(i64::MAX, |time| micros(Some(time)))
}

impl Resource for Notice {
    const KIND: Kind = Kind::Notice;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("title", FieldKind::Text).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("publish_time", FieldKind::Time).ordered(),
        Field::new("state", FieldKind::Choice("subprocessor.registry.v1.Notice.State")),
        Field::new("inbound", FieldKind::Flag),
        Field::new("sender_vendor", FieldKind::Text),
        Field::new("subprocessors", FieldKind::Texts),
        Field::new("kinds", FieldKind::Choices("subprocessor.registry.v1.NoticeChange.Kind")),
    ];
    version_methods!(versions);

    fn values(&self) -> Vec<(&'static str, String)> {
        let mut values = Vec::new();
        for change in &self.changes {
            let about = std::iter::once(&change.subprocessor).chain(&change.replaces);
            values.extend(about.filter(|name| !name.is_empty()).map(|name| ("subprocessors", name.clone())));
            values.push(("kinds", kind_word(change.kind()).to_owned()));
            if let Some(proposed) = change.proposed.as_ref().filter(|_| is_open(self.state())) {
                // A product that is announced cannot be dropped before the change takes effect.
                values.extend(proposed.products.iter().map(|id| ("products", id.clone())));
                let of_places = proposed.locations.iter().flat_map(|location| &location.products);
                values.extend(of_places.map(|id| (LOCATION_PRODUCTS, id.clone())));
            }
        }
        values
    }

    /// What is announced must not go before the change takes effect; what is only drafted, or over, holds nothing.
    fn references(&self) -> Vec<Reference> {
        // What is over is evidence, and goes with its organization.
        if matches!(self.state(), State::Effective | State::Withdrawn) {
            return Vec::new();
        }
        let organization = Name::parse(&self.name).and_then(|name| name.organization());
        let parent = organization.map(|name| Reference::to(Kind::Organization, "parent", name.as_str()));
        let sender =
            (!self.sender_vendor.is_empty()).then(|| Reference::to(Kind::Vendor, "sender_vendor", &self.sender_vendor));
        let always = parent.into_iter().chain(sender);
        if !is_open(self.state()) {
            return always.collect();
        }
        let open = self.changes.iter().enumerate().filter(|(_, change)| is_pending(change));
        let about = open.flat_map(|(i, change)| {
            let own = Reference::to(Kind::Subprocessor, format!("changes[{i}].subprocessor"), &change.subprocessor);
            let replaced =
                change.replaces.iter().enumerate().map(move |(j, name)| {
                    Reference::to(Kind::Subprocessor, format!("changes[{i}].replaces[{j}]"), name)
                });
            std::iter::once(own).chain(replaced)
        });
        always.chain(about.filter(|reference| !reference.name.is_empty())).collect()
    }
}

/// Whether customers have been told and not all of it has taken effect.
pub(super) fn is_open(state: State) -> bool {
    matches!(state, State::Published | State::Held)
}

/// Whether a change may still take effect.
pub(super) fn is_pending(change: &NoticeChange) -> bool {
    change.effective_time.is_none() && change.withdraw_time.is_none()
}

/// Whether a change brings a subprocessor onto the list.
pub(super) fn adds(kind: ChangeKind) -> bool {
    matches!(kind, ChangeKind::Add | ChangeKind::Replace)
}

/// The short word of a kind of change.
pub(super) fn kind_word(kind: ChangeKind) -> &'static str {
    kind.as_str_name().trim_start_matches("KIND_")
}

/// The short word of a state.
fn state_word(state: State) -> &'static str {
    state.as_str_name().trim_start_matches("STATE_")
}

/// A refusal of what a notice does not allow.
pub(super) fn refused(name: &str, text: impl Into<String>) -> Error {
    let text = text.into();
    Error::new(Reason::NoticeRefused, format!("{name}: {text}")).precondition("NOTICE", name, text)
}

fn wrong_state(notice: &Notice, step: &str, from: &str) -> Error {
    let state = state_word(notice.state());
    let text = format!("{} is {state} and can be {step} only from {from}", notice.name);
    Error::new(Reason::StateTransitionRefused, text.clone()).with("state", state).precondition(
        "STATE",
        &notice.name,
        text,
    )
}

impl Managed for Notice {
    fn check(&self, prefix: &str, out: &mut Violations) {
        let mut refuse = |field: &str, rule: &str| out.push((path(prefix, field), rule.to_owned()));
        if self.changes.is_empty() && !self.inbound {
            refuse("changes", "is required");
        }
        if self.changes.len() > MOST_CHANGES {
            refuse("changes", "has more than 100 changes");
        }
        match self.inbound {
            true if self.sender_vendor.is_empty() => refuse("sender_vendor", "is required: who sent it"),
            true if self.emergency.is_some() => refuse("emergency", "an inbound notice has none"),
            false if !self.sender_vendor.is_empty() => refuse("sender_vendor", "only an inbound notice has one"),
            false if self.receive_time.is_some() => refuse("receive_time", "only an inbound notice has one"),
            _ => {}
        }
        for (i, change) in self.changes.iter().enumerate() {
            check_change(change, self.inbound, &path(prefix, &format!("changes[{i}]")), out);
        }
    }

    fn admit<'a>(&'a mut self, writer: &'a Writer, before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            if let Some(before) = before {
                if before.message == *self || before.is_deleted() {
                    return Ok(());
                }
                if !matches!(before.message.state(), State::Draft | State::Approved) {
                    return Err(wrong_state(&before.message, "changed", "DRAFT or APPROVED"));
                }
                (self.approver, self.approve_time) = (String::new(), None);
            }
            self.set_state(State::Draft);
            if !self.authors.contains(&writer.call().principal) {
                self.authors.push(writer.call().principal.clone());
            }
            name_changes(self);
            Ok(())
        }
        .boxed()
    }

    fn verify<'a>(&'a self, writer: &'a Writer, _before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            if self.inbound {
                return writer.verify_inbound(self).await;
            }
            let mut wrong = Violations::new();
            let organization = writer.organization_over(&self.name).await?;
            for index in 0..self.changes.len() {
                writer.fit(&organization, self, index, &mut wrong).await?;
            }
            fitting::brought_in_twice(self, &mut wrong);
            if wrong.is_empty() { Ok(()) } else { Err(Error::fields(Reason::FieldInvalid, wrong)) }
        }
        .boxed()
    }

    fn follow<'a>(&'a self, writer: &'a mut Writer) -> BoxFuture<'a, Result<()>> {
        async move {
            if self.delete_time.is_some() && !matches!(self.state(), State::Draft | State::Approved) {
                return Err(wrong_state(self, "deleted", "DRAFT or APPROVED"));
            }
            writer.note_due(self.due_time.as_ref());
            Ok(())
        }
        .boxed()
    }
}

/// Gives changes without an id one.
fn name_changes(notice: &mut Notice) {
    let taken: Vec<String> = notice.changes.iter().map(|change| change.change_id.clone()).collect();
    let mut made = (1..).map(|number| format!("c{number}")).filter(|id| !taken.contains(id));
    for change in &mut notice.changes {
        if change.change_id.is_empty() {
            change.change_id = made.next().unwrap_or_default();
        }
        for transfer in change.proposed_transfers.iter_mut().filter(|transfer| transfer.transfer_id.is_empty()) {
            transfer.transfer_id = uuid::Uuid::now_v7().simple().to_string();
        }
    }
}

fn check_change(change: &NoticeChange, inbound: bool, prefix: &str, out: &mut Violations) {
    let mut refuse = |field: &str, rule: String| out.push((path(prefix, field), rule));
    let kind = change.kind();
    if kind == ChangeKind::Unspecified {
        refuse("kind", "is required".to_owned());
        return;
    }
    let word = kind_word(kind);
    if change.subprocessor.is_empty() && !inbound {
        refuse("subprocessor", "is required".to_owned());
    }
    match kind {
        ChangeKind::Replace if change.replaces.is_empty() && !inbound => {
            refuse("replaces", "is required: which ones leave the list".to_owned());
        }
        ChangeKind::Replace => {}
        _ if !change.replaces.is_empty() => refuse("replaces", format!("a change of kind {word} replaces nothing")),
        _ => {}
    }
    let Some(proposed) = &change.proposed else {
        if !adds(kind) && !matches!(kind, ChangeKind::Remove | ChangeKind::ChangeMechanism) && !inbound {
            refuse("proposed", "is required: the values to come".to_owned());
        }
        return;
    };
    if kind == ChangeKind::Remove {
        refuse("proposed", "a change of kind REMOVE has no values to come".to_owned());
    }
    if proposed.state != 0 {
        refuse("proposed.state", "is decided by the change itself".to_owned());
    }
    if proposed.recorded_as_found {
        refuse("proposed.recorded_as_found", "what is announced was not found".to_owned());
    }
    if adds(kind) && proposed.display_name.is_empty() {
        refuse("proposed.display_name", "is required".to_owned());
    }
    let named = change.update_mask.iter().flat_map(|mask| mask.paths.iter().map(String::as_str));
    let allowed = widening::fields(kind);
    for field in named.filter(|_| !adds(kind)) {
        let top = field.split('.').next().unwrap_or_default();
        if !allowed.contains(&top) {
            let rule = format!("\"{top}\" is not of a change of kind {word}, which has: {}", allowed.join(", "));
            refuse("update_mask", rule);
        }
    }
    if adds(kind) && change.update_mask.is_some() {
        refuse("update_mask", format!("a change of kind {word} takes over everything that is proposed"));
    }
}

impl Writer {
    /// Approves a draft.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, RESOURCE_DELETED, ETAG_STALE, STATE_TRANSITION_REFUSED; NOTICE_REFUSED for an author, where
    /// four eyes are wanted.
    pub async fn approve_notice(&mut self, name: &Name, etag: &str) -> Result<Notice> {
        let before = self.get::<Notice>(name).await?;
        refuse_deleted(&before)?;
        match_etag(&before, etag)?;
        let mut after = before.message.clone();
        if after.state() != State::Draft {
            return Err(wrong_state(&after, "approved", "DRAFT"));
        }
        let organization = self.organization_over(name.as_str()).await?;
        let four_eyes = organization.notice_policy.as_ref().and_then(|policy| policy.four_eyes).unwrap_or(true);
        let principal = self.call().principal.clone();
        if four_eyes && principal == Principal::anonymous().as_str() {
            let text = format!(
                "somebody else than its author has to approve it (notice_policy.four_eyes), and {principal} can be \
                 anybody: say who you are (metadata {PRINCIPAL_KEY}, --principal), which is believed only where the \
                 server listens on a loopback address, or let the organization do without (four_eyes: false)"
            );
            return Err(refused(name.as_str(), text));
        }
        if four_eyes && after.authors.contains(&principal) {
            let text = format!("{principal} wrote it; another one has to approve it (notice_policy.four_eyes)");
            return Err(refused(name.as_str(), text));
        }
        after.set_state(State::Approved);
        after.approver = principal;
        after.approve_time = stamp(self.now());
        self.put(Some(&before), after).await
    }

    /// The organization that a resource lives under.
    pub(super) async fn organization_over(&self, name: &str) -> Result<Organization> {
        let organization = Name::parse(name).and_then(|name| name.organization());
        let organization = organization.ok_or_else(|| Error::internal("a resource without an organization"))?;
        Ok(self.get::<Organization>(&organization).await?.message)
    }

    /// The notices of an organization that are published and not over.
    pub(super) async fn open_notices(&self, organization: &str) -> Result<Vec<Stored<Notice>>> {
        let states = [State::Published, State::Held].map(i32::from);
        let mut query = existing_query(Kind::Notice);
        query
            .and_where(Expr::col(column("organization_id")).in_subquery(resource::id_of(organization)))
            .and_where(Expr::col(column("state")).is_in(states))
            .and_where(Expr::col(column("inbound")).eq(false));
        fetch_stored(self.tx(), &query).await
    }

    /// A subprocessor by the name that a change gives.
    async fn engagement(&self, name: &str) -> Result<Option<Stored<Subprocessor>>> {
        let Some(name) = Name::parse(name).filter(|name| name.kind() == Kind::Subprocessor) else { return Ok(None) };
        self.find::<Subprocessor>(&name).await
    }

    /// Stores a notice that is looked at again at its `due_time`.
    pub(super) async fn put_notice(&mut self, before: &Stored<Notice>, after: Notice) -> Result<Notice> {
        let after = self.put(Some(before), after).await?;
        self.note_due(after.due_time.as_ref());
        Ok(after)
    }
}
