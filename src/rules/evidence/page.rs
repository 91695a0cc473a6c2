//! Evidence as a page to be read and printed. Nothing outside the page, and no script; the template escapes every text.

use askama::Template;
use prost_reflect::ReflectMessage;
use serde_json::Value as Json;

use super::{Act, Evidence, Party, Standing, Told, time};
use crate::{
    error::{Error, Result},
    proto::v1::{Change, Notice, NoticeChange, NoticePolicy, NoticeRecipient, Objection, Revision},
    resource::{behavior, json::to_json_where},
};

/// What is said under one label: one text, or several.
type Fact = (&'static str, Vec<String>);

#[derive(Template)]
#[template(path = "evidence.html")]
struct Page<'a> {
    title: &'a str,
    facts: Vec<Fact>,
    sections: Vec<Section>,
    notes: &'a [String],
}

struct Section {
    key: &'static str,
    heading: &'static str,
    text: String,
    blocks: Vec<Block>,
    tables: Vec<Table>,
}

/// One thing of several of a kind.
struct Block {
    title: String,
    facts: Vec<Fact>,
    tables: Vec<Table>,
}

struct Table {
    caption: &'static str,
    headings: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

/// The page.
///
/// # Errors
/// None that evidence can bring about.
pub(super) fn write(evidence: &Evidence) -> Result<String> {
    let notice = &*evidence.notice;
    let section = |key, heading, blocks| Section { key, heading, text: String::new(), blocks, tables: Vec::new() };
    let mut sections = vec![
        Section { text: notice.body.clone(), ..section("text", "Text", Vec::new()) },
        section("changes", "Changes", notice.changes.iter().map(|one| change(evidence, one)).collect()),
        section("recipients", "Audience", evidence.recipients.iter().map(recipient).collect()),
        section("objections", "Objections", evidence.objections.iter().map(|one| objection(evidence, one)).collect()),
    ];
    sections.retain(|section| !section.blocks.is_empty() || !section.text.is_empty());
    let mut log = section("revisions", "Revisions", Vec::new());
    log.tables.push(Table {
        caption: "In which all of this was written",
        headings: &["Revision", "Committed", "By", "Method", "What", "Hash", "Hash of the one before"],
        rows: evidence.revisions.iter().map(|one| revision(one, &notice.name)).collect(),
    });
    sections.push(log);
    let page = Page { title: &notice.title, facts: facts(evidence), sections, notes: &evidence.notes };
    page.render().map_err(Error::internal)
}

/// Facts of which there is something to say.
fn known<const N: usize>(facts: [Fact; N]) -> Vec<Fact> {
    let mut facts = Vec::from(facts);
    for (_, values) in &mut facts {
        values.retain(|value| !value.is_empty());
    }
    facts.retain(|(_, values)| !values.is_empty());
    facts
}

fn one(text: impl Into<String>) -> Vec<String> {
    vec![text.into()]
}

fn at(instant: Option<&prost_types::Timestamp>) -> String {
    time(instant).unwrap_or_default()
}

/// An enum value in its short form; that nothing is set is nothing.
fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).replace("UNSPECIFIED", "")
}

fn yes(it_is: bool) -> String {
    if it_is { "yes" } else { "no" }.to_owned()
}

/// Who it is, as people call it, and by name.
fn called(party: &Party) -> String {
    match &party.display_name {
        Some(title) if !title.is_empty() => format!("{title} ({})", party.name),
        _ => party.name.clone(),
    }
}

fn facts(evidence: &Evidence) -> Vec<Fact> {
    let notice = &*evidence.notice;
    let Evidence { drawn_from, .. } = evidence;
    let emergency = notice.emergency.as_ref().map(|one| format!("{} (answered for by {})", one.reason, one.approver));
    let acts = evidence.acts.iter().map(|act| {
        let Act { act, time, principal, revision } = act;
        format!("{act} by {principal} at {}, revision {revision}", time.as_deref().unwrap_or_default())
    });
    let received = [at(notice.receive_time.as_ref()), notice.stated_date_text.clone()];
    let not_reached = evidence.not_reached.iter().map(called).collect();
    let hash = match drawn_from.hash.as_str() {
        "" => drawn_from.revision.to_string(),
        hash => format!("{}, hash {hash}", drawn_from.revision),
    };
    known([
        ("Organization", one(called(&evidence.organization))),
        ("Notice", one(&notice.name)),
        ("Sent by", one(&notice.sender_vendor)),
        ("State", one(word(notice.state().as_str_name(), "STATE_"))),
        ("Deleted", one(at(notice.delete_time.as_ref()))),
        ("Written by", notice.authors.clone()),
        ("Approved by", one(pair(&notice.approver, &at(notice.approve_time.as_ref())))),
        ("Received", received.to_vec()),
        ("Published", one(at(notice.publish_time.as_ref()))),
        ("Withdrawn", one(pair(&at(notice.withdraw_time.as_ref()), &notice.withdraw_reason))),
        ("Emergency", emergency.into_iter().collect()),
        ("To take effect", one(at(notice.requested_effective_time.as_ref()))),
        ("Earliest for everybody", one(at(notice.earliest_effective_time.as_ref()))),
        ("Took effect", one(at(notice.effective_time.as_ref()))),
        ("Held for", notice.hold_reasons.clone()),
        ("To be passed on by", one(&notice.pass_on_date)),
        ("Passed on by", one(&notice.follow_up_notice)),
        ("Passes on", one(&notice.inbound_notice)),
        ("Policy", notice.policy.iter().flat_map(|policy| policy_terms(policy, notice)).collect()),
        ("Public promise kept", one(at(notice.promise_clear_time.as_ref()))),
        ("Recipients", if notice.inbound { Vec::new() } else { one(notice.recipient_count.to_string()) }),
        ("Limited to", evidence.only_customers.clone()),
        ("Not reached", not_reached),
        ("What was done", acts.collect()),
        ("Drawn from revision", one(hash)),
    ])
}

/// Two texts, the second in brackets.
fn pair(first: &str, second: &str) -> String {
    match (first.is_empty(), second.is_empty()) {
        (false, false) => format!("{first} ({second})"),
        (true, _) => second.to_owned(),
        (_, true) => first.to_owned(),
    }
}

/// What held for the notice, with what holds where the organization has said nothing.
fn policy_terms(policy: &NoticePolicy, notice: &Notice) -> Vec<String> {
    let mut terms = terms(&policy.transcode_to_dynamic());
    if terms.is_empty() {
        terms.push("nothing is stated: gates advise, somebody else approves, no days are promised".to_owned());
    }
    if notice.rollout != 0 {
        terms.push(format!("of this notice: rollout {}", word(notice.rollout().as_str_name(), "ROLLOUT_")));
    }
    terms
}

/// What a message states, a line for each field; what only the server says is left out.
fn terms(message: &prost_reflect::DynamicMessage) -> Vec<String> {
    let mut lines = Vec::new();
    let stated = to_json_where(message, &|field| !behavior::of(field).output_only);
    flatten(&stated, String::new(), &mut lines);
    lines
}

fn flatten(value: &Json, label: String, lines: &mut Vec<String>) {
    match value {
        Json::Object(fields) => {
            for (key, value) in fields {
                let key = key.replace('_', " ");
                flatten(value, if label.is_empty() { key } else { format!("{label}, {key}") }, lines);
            }
        }
        Json::Array(items) if items.iter().any(Json::is_object) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, format!("{label} {}", index + 1), lines);
            }
        }
        Json::Array(items) => {
            lines.push(format!("{label}: {}", items.iter().map(plain).collect::<Vec<_>>().join("; ")))
        }
        single => lines.push(format!("{label}: {}", plain(single))),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Bool(value) => yes(*value),
        other => other.to_string(),
    }
}

fn change(evidence: &Evidence, change: &NoticeChange) -> Block {
    let known_as = evidence.subprocessors_at_publication.iter().find(|one| one.name == change.subprocessor);
    let proposed = change.proposed.as_ref();
    let title = proposed.map(|one| &one.display_name).filter(|name| !name.is_empty());
    let title = title.or(known_as.map(|one| &one.display_name)).unwrap_or(&change.subprocessor);
    let kind = word(change.kind().as_str_name(), "KIND_");
    let cleared = change.update_mask.iter().flat_map(|mask| &mask.paths);
    let transfers = change.proposed_transfers.iter().flat_map(|one| terms(&one.transcode_to_dynamic()));
    let Standing { recipients, .. } = &evidence
        .statuses
        .iter()
        .find(|one| one.change_id == change.change_id)
        .cloned()
        .unwrap_or_else(|| Standing { change_id: String::new(), recipients: Default::default() });
    let products = if change.products.is_empty() { one("all") } else { change.products.clone() };
    let decided = evidence.notice.publish_time.is_some() && !evidence.notice.inbound;
    Block {
        title: format!("{}: {kind} {title}", change.change_id),
        facts: known([
            ("Subprocessor", one(&change.subprocessor)),
            ("Replaces", change.replaces.clone()),
            ("Values to come", proposed.map(|one| terms(&one.transcode_to_dynamic())).unwrap_or_default()),
            ("Fields taken over", cleared.cloned().collect()),
            ("Transfers that begin", transfers.collect()),
            ("As it was at publication", known_as.map(|one| terms(&one.transcode_to_dynamic())).unwrap_or_default()),
            ("Waits for customers", if decided { one(yes(change.waits)) } else { Vec::new() }),
            ("Products", if decided { products } else { Vec::new() }),
            ("Took effect", one(at(change.effective_time.as_ref()))),
            ("Withdrawn", one(at(change.withdraw_time.as_ref()))),
            (
                "Held back from",
                if change.held_back_count > 0 { one(format!("{} customers", change.held_back_count)) } else { vec![] },
            ),
            ("Recipients", recipients.iter().map(|(status, count)| format!("{status}: {count}")).collect()),
        ]),
        tables: Vec::new(),
    }
}

fn recipient(told: &Told) -> Block {
    let Told { customer, recipient } = told;
    let agreement = match &recipient.agreement {
        Some(agreement) => terms(&agreement.transcode_to_dynamic()),
        None => one("none: only the public promise applies"),
    };
    let method = word(recipient.method().as_str_name(), "NOTICE_METHOD_");
    let started = at(recipient.start_time.as_ref());
    let mut tables = vec![Table {
        caption: "Where it stands",
        headings: &["Change", "Status", "Since", "By", "Object until", "Clear from", "Objection", "Note"],
        rows: standings(recipient),
    }];
    if !recipient.receipts.is_empty() {
        tables.push(Table {
            caption: "Sent and received",
            headings: &["What", "When", "Recorded", "By", "Evidence", "Delivery"],
            rows: receipts(recipient),
        });
    }
    if !recipient.questions.is_empty() {
        tables.push(Table {
            caption: "Questions",
            headings: &["Id", "Question", "Asked", "Answer", "Answered", "What was done"],
            rows: questions(recipient),
        });
    }
    Block {
        title: called(customer),
        facts: known([
            ("Why it is reached", one(&recipient.reach_reason)),
            ("Method", one(if method.is_empty() { "PUBLICATION (nothing was agreed)".to_owned() } else { method })),
            ("Agreed, as frozen", agreement),
            ("Told", one(at(recipient.send_time.as_ref()))),
            ("Arrived", one(at(recipient.deliver_time.as_ref()))),
            ("Acknowledged", one(at(recipient.acknowledge_time.as_ref()))),
            ("Clock started", one(if started.is_empty() { "it has not".to_owned() } else { started })),
            ("Customer until", one(at(recipient.release_time.as_ref()))),
        ]),
        tables,
    }
}

fn standings(recipient: &NoticeRecipient) -> Vec<Vec<String>> {
    let row = |change: &crate::proto::v1::RecipientChange| {
        vec![
            change.change_id.clone(),
            word(change.status().as_str_name(), "STATUS_"),
            at(change.decide_time.as_ref()),
            change.decided_by.clone(),
            at(change.objection_deadline_time.as_ref()),
            at(change.clear_time.as_ref()),
            change.objection.rsplit('/').next().unwrap_or_default().to_owned(),
            change.note.clone(),
        ]
    };
    recipient.changes.iter().map(row).collect()
}

fn receipts(recipient: &NoticeRecipient) -> Vec<Vec<String>> {
    let row = |receipt: &crate::proto::v1::DeliveryReceipt| {
        vec![
            word(receipt.kind().as_str_name(), "KIND_"),
            at(receipt.event_time.as_ref()),
            at(receipt.record_time.as_ref()),
            receipt.principal.clone(),
            receipt.evidence.clone(),
            receipt.delivery.rsplit('/').next().unwrap_or_default().to_owned(),
        ]
    };
    recipient.receipts.iter().map(row).collect()
}

fn questions(recipient: &NoticeRecipient) -> Vec<Vec<String>> {
    let row = |question: &crate::proto::v1::NoticeQuestion| {
        vec![
            question.question_id.clone(),
            question.question.clone(),
            at(question.ask_time.as_ref()),
            question.answer.clone(),
            at(question.answer_time.as_ref()),
            question.mitigation.clone(),
        ]
    };
    recipient.questions.iter().map(row).collect()
}

fn objection(evidence: &Evidence, objection: &Objection) -> Block {
    let customer = evidence.recipients.iter().map(|one| &one.customer).find(|one| one.name == objection.customer);
    Block {
        title: format!(
            "{}: {}",
            objection.name.rsplit('/').next().unwrap_or_default(),
            customer.map_or_else(|| objection.customer.clone(), called)
        ),
        facts: known([
            ("Against", objection.change_ids.clone()),
            ("Grounds", one(&objection.grounds)),
            ("Lodged", one(at(objection.lodge_time.as_ref()))),
            ("Late", one(yes(objection.late))),
            ("State", one(word(objection.state().as_str_name(), "STATE_"))),
            ("Blocks until, then a right to terminate", one(at(objection.termination_right_end_time.as_ref()))),
            ("Outcome", one(word(objection.outcome().as_str_name(), "OUTCOME_"))),
            ("Resolved", one(at(objection.resolve_time.as_ref()))),
            ("Found or agreed", one(&objection.resolution)),
        ]),
        tables: Vec::new(),
    }
}

fn revision(revision: &Revision, notice: &str) -> Vec<String> {
    let what = |change: &Change| {
        let name = change.resource_name.strip_prefix(notice).unwrap_or(&change.resource_name);
        let name = if name.is_empty() { "the notice" } else { name.trim_start_matches('/') };
        pair(&format!("{} {name}", word(change.kind().as_str_name(), "KIND_")), &change.reason)
    };
    vec![
        revision.number.to_string(),
        at(revision.commit_time.as_ref()),
        revision.principal.clone(),
        revision.method.clone(),
        revision.changes.iter().map(what).collect::<Vec<_>>().join("\n"),
        hex::encode(&revision.hash),
        hex::encode(&revision.previous_hash),
    ]
}
