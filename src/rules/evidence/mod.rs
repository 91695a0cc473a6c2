//! Evidence of a notice: what proves afterwards who was told what and when, and what became of it.
//!
//! What was read ([`Material`]) becomes one [`Evidence`]. As JSON it is serialized as it is, with the resources in the
//! registry's own short form; [`page`] lays the same out for people. Nothing is taken from elsewhere, and nothing that
//! was read is judged anew: what a status or a deadline was is what was frozen or recorded.

pub mod page;

use std::{
    collections::{BTreeMap, HashMap},
    ops::Deref,
};

use prost_reflect::ReflectMessage;
use serde::{Serialize, Serializer};

use super::notice::instant;
use crate::{
    error::{Error, Result},
    proto::v1::{
        Customer, Notice, NoticeRecipient, Objection, Organization, Revision, Subprocessor, change::Kind as Happened,
        notice::State, render_notice_evidence_request::Format,
    },
    resource::json::to_json,
};

/// What evidence is made of.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// From what the registry held at this revision, without what it changed; `None` before the first one.
    pub drawn_from: Option<Revision>,
    /// Whose notice it is.
    pub organization: Organization,
    /// The notice.
    pub notice: Notice,
    /// The customers that it is limited to, by name; none: all.
    pub only: Vec<String>,
    /// Those it reaches, by name.
    pub recipients: Vec<NoticeRecipient>,
    /// The customers that are spoken of, as far as there is something known of them.
    pub customers: HashMap<String, Customer>,
    /// Objections, by name.
    pub objections: Vec<Objection>,
    /// The subprocessors that the changes are about, as they were at publication.
    pub published: BTreeMap<String, Subprocessor>,
    /// The revisions in which something of all that was written, in order, each with what it changed of it.
    pub revisions: Vec<Revision>,
}

/// A message that is serialized in the registry's short form.
#[derive(Debug, Clone, PartialEq)]
pub struct Short<M>(pub M);

impl<M: ReflectMessage> Serialize for Short<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        to_json(&self.0.transcode_to_dynamic()).serialize(serializer)
    }
}

impl<M> Deref for Short<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

/// The evidence. Its keys are published with `FORMAT_JSON`: never renamed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// From what it was made.
    pub drawn_from: Drawn,
    /// Whose notice it is.
    pub organization: Party,
    /// The customers that it is limited to; none: all.
    pub only_customers: Vec<String>,
    /// The notice, with its text, changes, times and policy.
    pub notice: Short<Notice>,
    /// What was done with it, by whom, oldest first.
    pub acts: Vec<Act>,
    /// The subprocessors that the changes are about, as they were at publication.
    pub subprocessors_at_publication: Vec<Short<Subprocessor>>,
    /// How many recipients stand where on each change.
    pub statuses: Vec<Standing>,
    /// Those it reaches, by name.
    pub recipients: Vec<Told>,
    /// Customers that were asked for and that it does not reach.
    pub not_reached: Vec<Party>,
    /// Objections, by name.
    pub objections: Vec<Short<Objection>>,
    /// The revisions in which all of it was written, in order.
    pub revisions: Vec<Short<Revision>>,
    /// What a reader must know to rely on it.
    pub notes: Vec<String>,
}

/// From what evidence was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Drawn {
    /// The revision.
    pub revision: i64,
    /// When it was committed.
    pub commit_time: Option<String>,
    /// Its hash, in hexadecimal digits.
    pub hash: String,
}

/// Somebody who is spoken of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Party {
    /// The resource name.
    pub name: String,
    /// What people call it; `None` if nothing is known of it any more.
    pub display_name: Option<String>,
}

/// Something that was done with the notice itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Act {
    /// What: CREATED, CHANGED, APPROVED, PUBLISHED, WITHDRAWN, DELETED, RESTORED.
    pub act: &'static str,
    /// When it was committed.
    pub time: Option<String>,
    /// By whom.
    pub principal: String,
    /// In which revision.
    pub revision: i64,
}

/// How many recipients stand where on one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The change.
    pub change_id: String,
    /// How many by status.
    pub recipients: BTreeMap<&'static str, usize>,
}

/// A customer that the notice reaches.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// Who it is.
    pub customer: Party,
    /// What was agreed with it, its clocks, and what it said.
    pub recipient: Short<NoticeRecipient>,
}

/// Evidence that is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its text.
    pub content: String,
    /// Its media type.
    pub media_type: &'static str,
}

/// An instant as evidence states it.
fn time(time: Option<&prost_types::Timestamp>) -> Option<String> {
    instant(time).map(|time| time.to_string())
}

/// The evidence of what was read.
pub fn build(material: Material) -> Evidence {
    let notes = notes(&material);
    let Material { drawn_from, organization, notice, only, recipients, customers, objections, published, revisions } =
        material;
    let party = |name: &str| Party {
        name: name.to_owned(),
        display_name: customers.get(name).map(|one| one.display_name.clone()),
    };
    let is_reached = |name: &&String| recipients.iter().any(|one| one.customer == **name);
    let not_reached = only.iter().filter(|name| !is_reached(name)).map(|name| party(name)).collect();
    let acts = revisions.iter().filter_map(|revision| act(revision, &notice.name)).collect();
    Evidence {
        drawn_from: drawn_from.map(drawn).unwrap_or_default(),
        organization: Party { name: organization.name, display_name: Some(organization.display_name) },
        acts,
        subprocessors_at_publication: published.into_values().map(Short).collect(),
        statuses: notice.changes.iter().map(|change| standing(&change.change_id, &recipients)).collect(),
        not_reached,
        only_customers: only,
        notice: Short(notice),
        recipients: recipients
            .into_iter()
            .map(|one| Told { customer: party(&one.customer), recipient: Short(one) })
            .collect(),
        objections: objections.into_iter().map(Short).collect(),
        revisions: revisions.into_iter().map(Short).collect(),
        notes,
    }
}

fn drawn(revision: Revision) -> Drawn {
    Drawn {
        revision: revision.number,
        commit_time: time(revision.commit_time.as_ref()),
        hash: hex::encode(revision.hash),
    }
}

/// What somebody did with the notice in a revision; what time did, or an answer brought about, is none.
fn act(revision: &Revision, notice: &str) -> Option<Act> {
    revision.changes.iter().find(|change| change.resource_name == notice)?;
    let act = match revision.method.rsplit('/').next()? {
        "CreateNotice" => "CREATED",
        "UpdateNotice" => "CHANGED",
        "ApproveNotice" => "APPROVED",
        "PublishNotice" => "PUBLISHED",
        "WithdrawNotice" => "WITHDRAWN",
        "DeleteNotice" => "DELETED",
        "UndeleteNotice" => "RESTORED",
        _ => return None,
    };
    let time = time(revision.commit_time.as_ref());
    Some(Act { act, time, principal: revision.principal.clone(), revision: revision.number })
}

fn standing(change_id: &str, recipients: &[NoticeRecipient]) -> Standing {
    let mut count = BTreeMap::new();
    for change in recipients.iter().flat_map(|one| &one.changes).filter(|change| change.change_id == change_id) {
        *count.entry(change.status().as_str_name().trim_start_matches("STATUS_")).or_default() += 1;
    }
    Standing { change_id: change_id.to_owned(), recipients: count }
}

fn notes(material: &Material) -> Vec<String> {
    let Material { notice, only, revisions, .. } = material;
    let number = material.drawn_from.as_ref().map_or(0, |revision| revision.number);
    let mut notes = vec![
        format!("Drawn from the sub-processor registry as of revision {number}. All times are UTC."),
        "The hash of a revision is over what it changed and over the hash of the revision before it. VerifyChangeLog \
         with the number of a revision and its hash says whether the log still holds what is shown here; GetRevision \
         shows each revision whole."
            .to_owned(),
    ];
    if !only.is_empty() {
        let text = "Limited to what concerns the customers that were asked for: of others there is nothing here.";
        notes.push(text.to_owned());
    }
    match notice.state() {
        _ if notice.inbound => notes.push("A vendor's notice to the organization: it has no recipients.".to_owned()),
        State::Draft | State::Approved => notes.push("It has not been published: nobody was told.".to_owned()),
        State::Withdrawn if notice.publish_time.is_none() => {
            notes.push("It was withdrawn before it was published: nobody was told.".to_owned());
        }
        State::Published | State::Held if !notice.audience_complete => {
            notes.push("Its audience is large and still being written: recipients are missing here.".to_owned());
        }
        _ => {}
    }
    let erased = |revision: &&Revision| revision.changes.iter().any(|change| change.kind() == Happened::Erased);
    if revisions.iter().any(|revision| erased(&revision)) {
        let text =
            "Content was erased since (GDPR Art. 17); the hashes stand for it still, and show that it was there.";
        notes.push(text.to_owned());
    }
    notes
}

/// Writes evidence down.
///
/// # Errors
/// FIELD_INVALID for no format.
pub fn write(evidence: &Evidence, format: Format) -> Result<Written> {
    let (content, media_type) = match format {
        Format::Json => (serde_json::to_string_pretty(evidence).map_err(Error::internal)? + "\n", "application/json"),
        Format::Html => (page::write(evidence)?, "text/html; charset=utf-8"),
        Format::Unspecified => return Err(Error::field("format", "is required: JSON or HTML")),
    };
    Ok(Written { content, media_type })
}
