//! `notice status`: where a notice stands.

use clap::Args;
use serde_json::{Value as Json, json};

use crate::{
    cli::{
        Common, Print,
        client::Registry,
        failure::Outcome,
        output::{Format, Out},
        resource::AsOf,
        value,
    },
    proto::v1::{
        self, GetNoticeRequest, ListNoticeRecipientsRequest, ListNoticeRecipientsResponse, Notice, NoticeRecipient,
        RecipientChange, as_of::Point,
    },
    resource::json::to_json,
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
        out.table(&headings.map(ToOwned::to_owned), recipients.iter().flat_map(rows).collect())?;
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

/// A row for the changes on which a recipient stands in the same way; who it is stands in the first.
fn rows(recipient: &NoticeRecipient) -> Vec<Vec<String>> {
    let stands = |change: &RecipientChange| {
        [
            value::short("RecipientChange.Status", change.status),
            value::time(change.decide_time.as_ref()),
            value::time(change.objection_deadline_time.as_ref()),
            value::time(change.clear_time.as_ref()),
        ]
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for same in recipient.changes.chunk_by(|a, b| stands(a) == stands(b) && a.note == b.note) {
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
        let stands = stands(first);
        let note = value::shorten(&first.note);
        rows.push([customer, ids.join(", ")].into_iter().chain(stands).chain([method, sent, arrived, note]).collect());
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::recipient_change::Status as Stands;

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

    #[test]
    fn changes_on_which_a_recipient_stands_alike_share_a_row() {
        let change = |id: &str, status: Stands| RecipientChange {
            change_id: id.into(),
            status: status.into(),
            ..Default::default()
        };
        let recipient = NoticeRecipient {
            customer: "organizations/a/customers/c".into(),
            changes: vec![change("c1", Stands::Pending), change("c2", Stands::Pending), change("c3", Stands::Objected)],
            ..Default::default()
        };
        let rows = rows(&recipient);
        let first: Vec<[&str; 3]> = rows.iter().map(|row| [&*row[0], &*row[1], &*row[2]]).collect();
        assert_eq!(first, [["c", "c1, c2", "PENDING"], ["", "c3", "OBJECTED"]]);
    }
}
