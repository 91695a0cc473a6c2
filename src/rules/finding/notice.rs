//! What is wrong with notices: one that is held, an objection nobody has resolved, a vendor's change that is to be passed
//! on, a customer that was not told.

use super::{Draft, Subject, fact};
use crate::{
    proto::v1::{
        Notice, NoticeRecipient, Objection,
        agreement::NoticeMethod,
        finding::{Kind, Severity},
        notice::State,
        objection::State as ObjectionState,
        recipient_change::Status,
    },
    rules::{
        law::{Dates, days::day_after},
        notice::instant,
    },
};

/// A notice, with what is known around it.
#[derive(Debug)]
pub struct Announced<'a> {
    /// The notice.
    pub notice: &'a Notice,
    /// The notice that passes it on, if it is a vendor's.
    pub follow_up: Option<&'a Notice>,
    /// The objections to it.
    pub objections: Vec<&'a Objection>,
}

impl Subject for Announced<'_> {
    fn on(&self, day: &str) -> Vec<Draft> {
        let mut found = Vec::new();
        found.extend(self.held(day));
        found.extend(self.open_objections(day));
        found.extend(self.to_pass_on(day));
        found
    }

    fn dates(&self, dates: &mut Dates) {
        let notice = self.notice;
        let times = [&notice.requested_effective_time, &notice.publish_time, &notice.receive_time];
        dates.extend(times.into_iter().filter_map(|time| day_of(time.as_ref())));
        dates.extend(self.objections.iter().filter_map(|one| day_of(one.lodge_time.as_ref())));
        dates.extend(day_after(&notice.pass_on_date));
    }
}

/// The UTC day of an instant, ISO 8601.
fn day_of(time: Option<&prost_types::Timestamp>) -> Option<String> {
    instant(time).map(|instant| instant.strftime("%F").to_string())
}

impl Announced<'_> {
    fn draft(&self, kind: Kind, severity: Severity, essence: impl Into<String>) -> Draft {
        Draft::new(kind, severity, &self.notice.name, essence)
    }

    /// Its time has come, and something stands against it.
    fn held(&self, day: &str) -> Option<Draft> {
        let since = day_of(self.notice.requested_effective_time.as_ref().or(self.notice.publish_time.as_ref()));
        if self.notice.state() != State::Held || since.is_some_and(|since| day < since.as_str()) {
            return None;
        }
        let reasons = &self.notice.hold_reasons;
        let facts = reasons.iter().enumerate();
        let facts = facts.map(|(i, reason)| self.fact(&format!("hold_reasons[{i}]"), reason.clone()));
        let text = format!("\"{}\" is held: {}", self.notice.title, reasons.join("; "));
        Some(self.draft(Kind::NoticeHeld, Severity::Warning, "held").says(text, "GDPR Art. 28(2)").cites(facts))
    }

    fn open_objections(&self, day: &str) -> Vec<Draft> {
        let open = self.objections.iter().filter(|one| {
            one.state() == ObjectionState::Open
                && day_of(one.lodge_time.as_ref()).is_none_or(|since| since.as_str() <= day)
        });
        let drafts = open.map(|one| {
            let changes = one.change_ids.join(", ");
            let late = if one.late { "late: it blocks nothing" } else { "not resolved" };
            let text =
                format!("{} objects to {changes} of \"{}\", {late}: {}", one.customer, self.notice.title, one.grounds);
            let severity = if one.late { Severity::Info } else { Severity::Warning };
            self.draft(Kind::ObjectionOpen, severity, one.name.clone()).says(text, "GDPR Art. 28(2)").cites([fact(
                &one.name,
                "grounds",
                one.grounds.clone(),
                &one.sources,
            )])
        });
        drafts.collect()
    }

    /// What a vendor has announced reaches customers in time only if it is passed on in time.
    fn to_pass_on(&self, day: &str) -> Option<Draft> {
        let notice = self.notice;
        let received = day_of(notice.receive_time.as_ref());
        let told = self.follow_up.is_some_and(|one| one.publish_time.is_some());
        let over = !matches!(notice.state(), State::Published | State::Effective);
        if !notice.inbound
            || notice.follow_up_notice.is_empty()
            || told
            || over
            || received.is_some_and(|first| day < first.as_str())
        {
            return None;
        }
        let by = &notice.pass_on_date;
        let late = !by.is_empty() && day > by.as_str();
        let (severity, essence, when) = match (by.is_empty(), late) {
            (true, _) => (Severity::Warning, "due", "the vendor names no day".to_owned()),
            (false, false) => (Severity::Warning, "due", format!("by {by}, so that everybody is cleared in time")),
            (false, true) => (Severity::Critical, "late", format!("{by} was the last day on which that was in time")),
        };
        let text = format!("\"{}\" of {} is to be told to customers: {when}", notice.title, notice.sender_vendor);
        let facts =
            [self.fact("pass_on_date", by.clone()), self.fact("follow_up_notice", notice.follow_up_notice.clone())];
        Some(self.draft(Kind::PassOnDue, severity, essence).says(text, "GDPR Art. 28(2), 28(4)").cites(facts))
    }

    fn fact(&self, field: &str, text: impl Into<String>) -> super::Evidence {
        fact(&self.notice.name, field, text, &self.notice.sources)
    }
}

/// A recipient, with its notice.
#[derive(Debug)]
pub struct Recipient<'a> {
    /// The notice.
    pub notice: &'a Notice,
    /// Whom it reaches.
    pub recipient: &'a NoticeRecipient,
    /// The ids of the notice's changes that the public page does not show.
    pub hidden: Vec<&'a str>,
}

impl Recipient<'_> {
    /// The changes that wait for the customer.
    fn waiting(&self) -> impl Iterator<Item = &str> {
        let withdrawn = |id: &str| {
            self.notice.changes.iter().any(|change| change.change_id == id && change.withdraw_time.is_some())
        };
        let pending = self.recipient.changes.iter().filter(|change| change.status() == Status::Pending);
        pending.map(|change| change.change_id.as_str()).filter(move |id| !withdrawn(id))
    }

    /// How it was to be told, why it was not, what is to be done, and what it needs next time; none if it was told.
    fn trouble(&self) -> Option<(&'static str, String, &'static str, &'static str)> {
        let recipient = self.recipient;
        let again = "send what failed again (RetryDelivery), or tell it yourself";
        let unsent = || recipient.send_time.is_none().then(|| "nothing has arrived".to_owned());
        match recipient.method() {
            NoticeMethod::EmailToContacts => {
                Some(("by mail to its contacts", unsent()?, again, "a contact with an address"))
            }
            NoticeMethod::Subscription => {
                Some(("by its subscription", unsent()?, again, "a subscription that is ACTIVE"))
            }
            NoticeMethod::Publication | NoticeMethod::Unspecified if recipient.start_time.is_none() => Some((
                "by publishing",
                "its periods run from delivery, which that does not prove".to_owned(),
                "have it acknowledged (AcknowledgeNotice), or tell it yourself",
                "another clock_start or notice_method",
            )),
            // Whoever was told in another way too does not need the page.
            NoticeMethod::Publication if recipient.receipts.is_empty() && recipient.acknowledge_time.is_none() => {
                let hidden: Vec<&str> = self.waiting().filter(|id| self.hidden.contains(id)).collect();
                let why = format!("that does not show {}: what is changed is not listed", hidden.join(", "));
                (!hidden.is_empty()).then_some((
                    "by the page",
                    why,
                    "list it, or tell the customer yourself",
                    "what the notice is about to be listed, or another notice_method",
                ))
            }
            // It is told by somebody who records it, or was by publishing.
            NoticeMethod::Publication | NoticeMethod::Manual | NoticeMethod::Unspecified => None,
        }
    }

    /// The day from which it was to be told; none where nothing waits for that.
    fn to_be_told_since(&self) -> Option<String> {
        let open = matches!(self.notice.state(), State::Published | State::Held | State::Effective);
        let reached = self.recipient.create_time.as_ref().or(self.notice.publish_time.as_ref());
        day_of(reached).filter(|_| open && self.waiting().next().is_some())
    }
}

impl Subject for Recipient<'_> {
    fn on(&self, day: &str) -> Vec<Draft> {
        if self.to_be_told_since().is_none_or(|since| day < since.as_str()) {
            return Vec::new();
        }
        let Some((by, why, again, what)) = self.trouble() else { return Vec::new() };
        let Self { notice, recipient, .. } = self;
        let clock = match recipient.start_time {
            Some(_) => "Its periods run all the same, as its agreement says",
            None => "What waits for it waits until it is told",
        };
        let text = format!(
            "{} was not told of \"{}\": it is told {by}, and {why}. {clock}: {again} and record that (RecordDelivery); \
             for the next notice it needs {what}",
            recipient.customer, notice.title
        );
        let method = recipient.method().as_str_name().trim_start_matches("NOTICE_METHOD_");
        let sent = instant(recipient.send_time.as_ref()).map_or("not told".to_owned(), |time| time.to_string());
        let facts = [fact(&recipient.name, "method", method, &[]), fact(&recipient.name, "send_time", sent, &[])];
        let draft = Draft::new(Kind::NoticeUndelivered, Severity::Critical, &recipient.name, "untold");
        vec![draft.says(text, "GDPR Art. 28(2)").cites(facts)]
    }

    fn dates(&self, dates: &mut Dates) {
        dates.extend(self.to_be_told_since());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<prost_types::Timestamp> {
        crate::rules::notice::stamp(text.parse().expect("an instant"))
    }

    fn kinds(one: &Announced<'_>, day: &str) -> Vec<(Kind, Severity)> {
        one.on(day).into_iter().map(|draft| (draft.kind, draft.severity)).collect()
    }

    fn inbound() -> Notice {
        let mut notice = Notice {
            name: "organizations/a/notices/n".into(),
            inbound: true,
            receive_time: at("2026-03-01T10:00:00Z"),
            pass_on_date: "2026-04-01".into(),
            follow_up_notice: "organizations/a/notices/n-pass-on".into(),
            ..Notice::default()
        };
        notice.set_state(State::Published);
        notice
    }

    #[test]
    fn what_is_to_be_passed_on_is_due_and_then_late_until_it_is_told() {
        let notice = inbound();
        let alone = Announced { notice: &notice, follow_up: None, objections: Vec::new() };
        assert_eq!(kinds(&alone, "2026-02-28"), []);
        assert_eq!(kinds(&alone, "2026-03-01"), [(Kind::PassOnDue, Severity::Warning)]);
        assert_eq!(kinds(&alone, "2026-04-01"), [(Kind::PassOnDue, Severity::Warning)]);
        assert_eq!(kinds(&alone, "2026-04-02"), [(Kind::PassOnDue, Severity::Critical)]);
        let mut dates = Dates::new();
        alone.dates(&mut dates);
        assert_eq!(dates.iter().map(String::as_str).collect::<Vec<_>>(), ["2026-03-01", "2026-04-02"]);
        let draft = Notice::default();
        assert_eq!(kinds(&Announced { follow_up: Some(&draft), ..alone }, "2026-03-02").len(), 1);
        let told = Notice { publish_time: at("2026-03-02T10:00:00Z"), ..Notice::default() };
        let passed_on = Announced { notice: &notice, follow_up: Some(&told), objections: Vec::new() };
        assert_eq!(kinds(&passed_on, "2026-05-01"), []);
    }

    #[test]
    fn who_is_to_be_told_and_was_not_is_found() {
        let mut notice = Notice { publish_time: at("2026-03-20T10:00:00Z"), ..Notice::default() };
        notice.set_state(State::Published);
        let mut change = crate::proto::v1::RecipientChange::default();
        change.set_status(Status::Pending);
        let mut untold = NoticeRecipient { changes: vec![change.clone()], ..NoticeRecipient::default() };
        untold.set_method(NoticeMethod::EmailToContacts);
        let found = |notice: &Notice, recipient: &NoticeRecipient, day: &str| {
            let one = Recipient { notice, recipient, hidden: vec!["hidden"] };
            one.on(day).into_iter().map(|draft| (draft.kind, draft.severity)).collect::<Vec<_>>()
        };
        let undelivered = [(Kind::NoticeUndelivered, Severity::Critical)];
        assert_eq!(found(&notice, &untold, "2026-03-19"), []);
        assert_eq!(found(&notice, &untold, "2026-03-20"), undelivered);
        let later = NoticeRecipient { create_time: at("2026-03-22T00:00:00Z"), ..untold.clone() };
        assert_eq!(found(&notice, &later, "2026-03-21"), []);
        let mut dates = Dates::new();
        Recipient { notice: &notice, recipient: &later, hidden: Vec::new() }.dates(&mut dates);
        assert_eq!(dates.iter().map(String::as_str).collect::<Vec<_>>(), ["2026-03-22"]);
        for (method, count) in [
            (NoticeMethod::Subscription, 1),
            (NoticeMethod::Manual, 0),
            (NoticeMethod::Publication, 1),
            (NoticeMethod::Unspecified, 1),
        ] {
            let mut one = untold.clone();
            one.set_method(method);
            assert_eq!(found(&notice, &one, "2026-03-23").len(), count, "{method:?}");
        }
        // What the page does not show tells nobody who is told by it, until it is told in another way.
        let now = at("2026-03-20T10:00:00Z");
        let mut by_page = NoticeRecipient { send_time: now, start_time: now, ..untold.clone() };
        by_page.set_method(NoticeMethod::Publication);
        "hidden".clone_into(&mut by_page.changes[0].change_id);
        assert_eq!(found(&notice, &by_page, "2026-03-23"), undelivered);
        let receipts = vec![crate::proto::v1::DeliveryReceipt::default()];
        assert_eq!(found(&notice, &NoticeRecipient { receipts, ..by_page.clone() }, "2026-03-23"), []);
        let mut withdrawn = notice.clone();
        withdrawn.changes.push(crate::proto::v1::NoticeChange {
            change_id: "hidden".into(),
            withdraw_time: at("2026-03-21T00:00:00Z"),
            ..Default::default()
        });
        assert_eq!(found(&withdrawn, &by_page, "2026-03-23"), []);
        "shown".clone_into(&mut by_page.changes[0].change_id);
        assert_eq!(found(&notice, &by_page, "2026-03-23"), []);
        let told = NoticeRecipient { send_time: at("2026-03-20T10:00:01Z"), ..untold.clone() };
        assert_eq!(found(&notice, &told, "2026-03-23"), []);
        change.set_status(Status::Authorized);
        let answered = NoticeRecipient { changes: vec![change], ..untold.clone() };
        assert_eq!(found(&notice, &answered, "2026-03-23"), []);
        notice.set_state(State::Withdrawn);
        assert_eq!(found(&notice, &untold, "2026-03-23"), []);
    }

    #[test]
    fn what_is_held_or_objected_to_is_found() {
        let mut notice = Notice {
            requested_effective_time: at("2026-04-01T00:00:00Z"),
            hold_reasons: vec!["c1: no agreement".into()],
            ..Notice::default()
        };
        notice.set_state(State::Held);
        let mut open = Objection { lodge_time: at("2026-03-20T00:00:00Z"), ..Objection::default() };
        open.set_state(ObjectionState::Open);
        let late = Objection { late: true, ..open.clone() };
        let mut closed = open.clone();
        closed.set_state(ObjectionState::Closed);
        let one = Announced { notice: &notice, follow_up: None, objections: vec![&open, &late, &closed] };
        assert_eq!(kinds(&one, "2026-03-19"), []);
        let objections = [(Kind::ObjectionOpen, Severity::Warning), (Kind::ObjectionOpen, Severity::Info)];
        assert_eq!(kinds(&one, "2026-03-20"), objections);
        assert_eq!(kinds(&one, "2026-04-01")[0], (Kind::NoticeHeld, Severity::Warning));
    }
}
