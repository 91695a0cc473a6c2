//! `notice status`: where a notice stands.

use std::collections::HashMap;

use clap::Args;
use serde_json::{Value as Json, json};

use crate::{
    cli::{
        Common, Print,
        client::Registry,
        contract,
        failure::Outcome,
        output::{Format, Out},
        resource::AsOf,
        value,
    },
    proto::v1::{
        self, Delivery, GetNoticeRequest, ListDeliveriesRequest, ListDeliveriesResponse, ListNoticeRecipientsRequest,
        ListNoticeRecipientsResponse, Notice, NoticeRecipient, RecipientChange, as_of::Point,
        recipient_change::Status as Stands,
    },
    resource::json::to_json,
    rules::event,
};

/// Recipients asked for at a time.
const PAGE: i32 = 500;

/// Arguments of `notice status`.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// The notice, `organizations/{organization}/notices/{notice}`.
    name: String,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Status {
    /// Prints the notice, its changes and its recipients, all of one revision.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let is_now = self.as_of.is_none();
        let mut request = ListNoticeRecipientsRequest {
            parent: self.name.clone(),
            page_size: PAGE,
            as_of: self.as_of.map(|as_of| as_of.message()),
            ..ListNoticeRecipientsRequest::default()
        };
        let mut recipients = Vec::new();
        let revision = loop {
            let page: ListNoticeRecipientsResponse =
                registry.call("ChangeNotificationService/ListNoticeRecipients", request.clone()).await?;
            recipients.extend(page.recipients);
            if page.next_page_token.is_empty() {
                break page.revision;
            }
            request.page_token = page.next_page_token;
        };
        let as_of = Some(v1::AsOf { point: Some(Point::Revision(revision)) });
        let request = GetNoticeRequest { name: self.name, as_of };
        let notice: Notice = registry.call("ChangeNotificationService/GetNotice", request).await?;
        if self.print.output != Format::Table {
            let recipients: Vec<Json> = recipients.iter().map(|one| to_json(&value::dynamic(one))).collect();
            let notice = to_json(&value::dynamic(&notice));
            let all = json!({"notice": notice, "recipients": recipients, "revision": revision});
            return out.value(self.print.output, &all);
        }
        out.table(&["FIELD", "VALUE"].map(ToOwned::to_owned), facts(&notice))?;
        out.line("")?;
        // What waits, and what it concerns, is decided when it is published.
        changes(out, &notice, notice.publish_time.is_some())?;
        if notice.inbound {
            return Ok(());
        }
        out.line("")?;
        let headings = [
            "CUSTOMER",
            "CHANGES",
            "STATUS",
            "SINCE",
            "OBJECT UNTIL",
            "CLEAR FROM",
            "METHOD",
            "TOLD",
            "ARRIVED",
            "NOTE",
        ];
        // What became of deliveries is known as it is now only.
        let failed = if is_now { failed(&registry, &notice, &recipients).await? } else { HashMap::new() };
        let rows = recipients.iter().flat_map(|one| {
            let failed = failed.get(&one.customer).map_or(&[][..], Vec::as_slice);
            rows(one, &notice, failed)
        });
        out.table(&headings.map(ToOwned::to_owned), rows.collect())?;
        let count = value::count(i64::from(notice.recipient_count), "recipient");
        let more = if notice.publish_time.is_some() && !notice.audience_complete { " so far" } else { "" };
        out.line(format!("{count}{more}, revision {revision}"))
    }
}

/// What is stated of a notice, as far as there is something.
fn facts(notice: &Notice) -> Vec<Vec<String>> {
    let message = value::dynamic(notice);
    const FIELDS: [(&str, &str); 17] = [
        ("notice", "name"),
        ("title", "title"),
        ("state", "state"),
        ("sent by", "sender_vendor"),
        ("received", "receive_time"),
        ("written by", "authors"),
        ("approved by", "approver"),
        ("published", "publish_time"),
        ("emergency", "emergency.reason"),
        ("to take effect", "requested_effective_time"),
        ("public promise kept", "promise_clear_time"),
        ("earliest for everybody", "earliest_effective_time"),
        ("took effect", "effective_time"),
        ("withdrawn", "withdraw_time"),
        ("why", "withdraw_reason"),
        ("pass on by", "pass_on_date"),
        ("passed on by", "follow_up_notice"),
    ];
    let said = FIELDS.iter().map(|(label, path)| vec![(*label).to_owned(), value::at(&message, path)]);
    let held = notice.hold_reasons.iter().map(|reason| vec!["held for".to_owned(), reason.clone()]);
    said.chain(held).filter(|row| row.iter().all(|cell| !cell.is_empty())).collect()
}

/// Prints the changes of a notice; whether they wait for customers, and for which products, where that is decided.
pub(super) fn changes(out: &mut Out, notice: &Notice, decided: bool) -> Outcome {
    let headings = ["CHANGE", "KIND", "SUBPROCESSOR", "WAITS", "PRODUCTS", "TOOK EFFECT", "WITHDRAWN", "HELD BACK"];
    out.table(&headings.map(ToOwned::to_owned), notice.changes.iter().map(|one| change_row(one, decided)).collect())
}

/// A row for one change.
fn change_row(change: &v1::NoticeChange, decided: bool) -> Vec<String> {
    let held_back = if change.held_back_count > 0 { change.held_back_count.to_string() } else { String::new() };
    let [waits, products] = match decided {
        false => Default::default(),
        true => [
            if change.waits { "yes" } else { "no" }.to_owned(),
            if change.products.is_empty() { "all".to_owned() } else { change.products.join(", ") },
        ],
    };
    vec![
        change.change_id.clone(),
        value::short("NoticeChange.Kind", change.kind),
        change.subprocessor.clone(),
        waits,
        products,
        value::time(change.effective_time.as_ref()),
        value::time(change.withdraw_time.as_ref()),
        held_back,
    ]
}

/// Why those were not told of a notice to whom it was sent in vain, by customer.
async fn failed(
    registry: &Registry,
    notice: &Notice,
    recipients: &[NoticeRecipient],
) -> Outcome<HashMap<String, Vec<String>>> {
    let mut failed: HashMap<String, Vec<String>> = HashMap::new();
    if notice.publish_time.is_none() || recipients.iter().all(|one| one.send_time.is_some()) {
        return Ok(failed);
    }
    let name = serde_json::Value::from(notice.name.as_str());
    let mut request = ListDeliveriesRequest {
        parent: contract::organization_of(&notice.name),
        filter: format!("notice = {name} AND (state = DEAD OR state = BOUNCED)"),
        page_size: PAGE,
        ..ListDeliveriesRequest::default()
    };
    loop {
        let page: ListDeliveriesResponse =
            registry.call("ChangeNotificationService/ListDeliveries", request.clone()).await?;
        for one in page.deliveries.iter().filter(|one| one.event_type == event::NOTICE_PUBLISHED) {
            failed.entry(one.customer.clone()).or_default().push(why(one));
        }
        if page.next_page_token.is_empty() {
            return Ok(failed);
        }
        request.page_token = page.next_page_token;
    }
}

/// What became of a delivery that failed.
fn why(delivery: &Delivery) -> String {
    let code = delivery.attempts.last().map_or(0, |last| last.status_code);
    let code = if code > 0 { format!("{code} ") } else { String::new() };
    let error = delivery.error.strip_prefix(&code).unwrap_or(&delivery.error);
    format!("{}: {code}{error}", delivery.endpoint)
}

/// A row for the changes on which a recipient stands in the same way; who it is stands in the first. `failed`: why what
/// was sent to it did not arrive.
fn rows(recipient: &NoticeRecipient, notice: &Notice, failed: &[String]) -> Vec<Vec<String>> {
    let stands = |change: &RecipientChange| {
        let waits = notice.changes.iter().any(|one| one.change_id == change.change_id && one.waits);
        let (deadline, clear) = match (waits, is_blocked(change)) {
            (false, _) => (None, None),
            (true, true) => (change.objection_deadline_time.as_ref(), None),
            (true, false) => (change.objection_deadline_time.as_ref(), change.clear_time.as_ref()),
        };
        [
            value::short("RecipientChange.Status", change.status),
            value::time(change.decide_time.as_ref()),
            value::time(deadline),
            value::time(clear),
            note(recipient, change, waits, failed),
        ]
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for same in recipient.changes.chunk_by(|a, b| stands(a) == stands(b)) {
        let Some(first) = same.first() else { continue };
        let ids: Vec<&str> = same.iter().map(|change| change.change_id.as_str()).collect();
        let told = match rows.is_empty() {
            true => [
                recipient.customer.rsplit('/').next().unwrap_or_default().to_owned(),
                value::short("Agreement.NoticeMethod", recipient.method).replace("UNSPECIFIED", ""),
                value::time(recipient.send_time.as_ref()),
                value::time(recipient.deliver_time.as_ref()),
            ],
            false => Default::default(),
        };
        let [customer, method, sent, arrived] = told;
        let [status, since, deadline, clear, note] = stands(first);
        let ids = ids.join(", ");
        rows.push(vec![customer, ids, status, since, deadline, clear, method, sent, arrived, note]);
    }
    rows
}

/// Whether no time clears a change for a recipient: it said no, or its silence did.
fn is_blocked(change: &RecipientChange) -> bool {
    match change.status() {
        Stands::Objected => change.termination_right_end_time.is_none(),
        Stands::Denied | Stands::DeemedDenied => true,
        _ => false,
    }
}

/// What is to be known of how a recipient stands on a change.
fn note(recipient: &NoticeRecipient, change: &RecipientChange, waits: bool, failed: &[String]) -> String {
    let is_told = recipient.send_time.is_some() || change.status() != Stands::Pending;
    match (change.note.as_str(), waits) {
        ("", _) if !is_told && failed.is_empty() => "not told yet".to_owned(),
        ("", _) if !is_told => value::shorten(&format!("not told: {}", failed.join("; "))),
        ("", false) => "waits for no answer".to_owned(),
        (note, _) => value::shorten(note),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decided_at_publication_is_not_said_before() {
        let change = v1::NoticeChange { change_id: "c1".into(), ..Default::default() };
        let undecided = change_row(&change, false);
        assert_eq!((undecided[3].as_str(), undecided[4].as_str()), ("", ""));
        let decided = change_row(&change, true);
        assert_eq!((decided[3].as_str(), decided[4].as_str()), ("no", "all"));
        let waits = v1::NoticeChange { waits: true, products: vec!["a".into(), "b".into()], ..change };
        let decided = change_row(&waits, true);
        assert_eq!((decided[3].as_str(), decided[4].as_str()), ("yes", "a, b"));
    }

    fn change(id: &str, status: Stands) -> RecipientChange {
        let clear_time = Some(prost_types::Timestamp { seconds: 1_774_260_000, nanos: 0 });
        RecipientChange { change_id: id.into(), status: status.into(), clear_time, ..Default::default() }
    }

    fn recipient(changes: Vec<RecipientChange>) -> NoticeRecipient {
        NoticeRecipient { customer: "organizations/a/customers/c".into(), changes, ..Default::default() }
    }

    fn notice(waiting: &[&str]) -> Notice {
        let waits = |id: &&str| v1::NoticeChange { change_id: (*id).into(), waits: true, ..Default::default() };
        Notice { changes: waiting.iter().map(waits).collect(), ..Default::default() }
    }

    #[test]
    fn changes_on_which_a_recipient_stands_alike_share_a_row() {
        let all = vec![change("c1", Stands::Pending), change("c2", Stands::Pending), change("c3", Stands::Objected)];
        let rows = rows(&recipient(all), &notice(&["c1", "c2", "c3"]), &[]);
        let first: Vec<[&str; 3]> = rows.iter().map(|row| [&*row[0], &*row[1], &*row[2]]).collect();
        assert_eq!(first, [["c", "c1, c2", "PENDING"], ["", "c3", "OBJECTED"]]);
    }

    #[test]
    fn a_row_says_when_a_change_is_clear_and_why_it_is_not() {
        let of = |status: Stands, notice: &Notice, failed: &[String], sent: bool| {
            let mut one = recipient(vec![change("c1", status)]);
            one.send_time = sent.then(Default::default);
            let row = rows(&one, notice, failed).remove(0);
            (!row[5].is_empty(), row[9].clone())
        };
        let (waits, nothing) = (notice(&["c1"]), Vec::new());
        assert_eq!(of(Stands::Pending, &waits, &nothing, true), (true, String::new()));
        assert_eq!(of(Stands::Pending, &waits, &nothing, false), (true, "not told yet".into()));
        let dead = Delivery {
            endpoint: "dpo@c.example".into(),
            error: "5.1.1 no such user".into(),
            attempts: vec![v1::DeliveryAttempt { status_code: 550, ..Default::default() }],
            ..Default::default()
        };
        let failed = vec![why(&dead)];
        let told = "not told: dpo@c.example: 550 5.1.1 no such user".to_owned();
        assert_eq!(of(Stands::Pending, &waits, &failed, false), (true, told));
        let bounced = Delivery { error: "550 5.1.1 no such user".into(), ..dead };
        assert_eq!(why(&bounced), failed[0]);
        for no in [Stands::Objected, Stands::Denied, Stands::DeemedDenied] {
            assert_eq!(of(no, &waits, &nothing, true), (false, String::new()), "{no:?}");
        }
        assert_eq!(of(Stands::DeemedDenied, &notice(&[]), &nothing, true), (false, "waits for no answer".into()));
    }
}
