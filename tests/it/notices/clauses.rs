//! Clauses of real contracts as agreements, and what follows of them for a notice that is sent on a Monday morning, in
//! four time zones. Whatever is put into `tests/data/notices` is tried.

use std::collections::BTreeMap;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
};
use serde_json::Value as Json;
use subprocessor_registry::proto::v1::{
    self, Agreement, NoticeRecipient, Source,
    agreement::{Authorization, ClockStart, DayKind, NoticeMethod, UnresolvedObjection},
    delivery_receipt::Kind as Receipt,
    source::Confidence,
};

use super::scene::{ACME, Scene, add, customer, notice, read};
use crate::{histories::record::files, support::both};

/// How many clauses there were when this was written: none gets lost.
const AT_LEAST: usize = 11;

const ZONES: [&str; 4] = ["", "Europe/Berlin", "America/Los_Angeles", "Pacific/Auckland"];

/// When the notice is sent: everywhere it is the 23rd.
const SENT: &str = "2026-03-23T10:00:00Z";

/// When it is received: everywhere it is the 24th.
const RECEIVED: &str = "2026-03-24T09:30:00Z";

/// When a number of days ends that begins with an instant, in the four zones; counted by hand. Berlin is one hour ahead
/// of UTC until 2026-03-29, then two; Los Angeles is seven behind; Auckland is thirteen ahead until 2026-04-05, then
/// twelve.
#[rustfmt::skip]
const ENDS: &[(&str, DayKind, i32, [&str; 4])] = &[
    (SENT, DayKind::Calendar, 5, ["2026-03-29T00:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T07:00:00Z", "2026-03-28T11:00:00Z"]),
    (SENT, DayKind::Calendar, 7, ["2026-03-31T00:00:00Z", "2026-03-30T22:00:00Z", "2026-03-31T07:00:00Z", "2026-03-30T11:00:00Z"]),
    (SENT, DayKind::Calendar, 10, ["2026-04-03T00:00:00Z", "2026-04-02T22:00:00Z", "2026-04-03T07:00:00Z", "2026-04-02T11:00:00Z"]),
    (SENT, DayKind::Calendar, 14, ["2026-04-07T00:00:00Z", "2026-04-06T22:00:00Z", "2026-04-07T07:00:00Z", "2026-04-06T12:00:00Z"]),
    (SENT, DayKind::Calendar, 15, ["2026-04-08T00:00:00Z", "2026-04-07T22:00:00Z", "2026-04-08T07:00:00Z", "2026-04-07T12:00:00Z"]),
    (SENT, DayKind::Calendar, 20, ["2026-04-13T00:00:00Z", "2026-04-12T22:00:00Z", "2026-04-13T07:00:00Z", "2026-04-12T12:00:00Z"]),
    (SENT, DayKind::Calendar, 21, ["2026-04-14T00:00:00Z", "2026-04-13T22:00:00Z", "2026-04-14T07:00:00Z", "2026-04-13T12:00:00Z"]),
    (SENT, DayKind::Calendar, 28, ["2026-04-21T00:00:00Z", "2026-04-20T22:00:00Z", "2026-04-21T07:00:00Z", "2026-04-20T12:00:00Z"]),
    (SENT, DayKind::Calendar, 30, ["2026-04-23T00:00:00Z", "2026-04-22T22:00:00Z", "2026-04-23T07:00:00Z", "2026-04-22T12:00:00Z"]),
    (SENT, DayKind::Calendar, 45, ["2026-05-08T00:00:00Z", "2026-05-07T22:00:00Z", "2026-05-08T07:00:00Z", "2026-05-07T12:00:00Z"]),
    (SENT, DayKind::Calendar, 60, ["2026-05-23T00:00:00Z", "2026-05-22T22:00:00Z", "2026-05-23T07:00:00Z", "2026-05-22T12:00:00Z"]),
    (SENT, DayKind::Calendar, 90, ["2026-06-22T00:00:00Z", "2026-06-21T22:00:00Z", "2026-06-22T07:00:00Z", "2026-06-21T12:00:00Z"]),
    (RECEIVED, DayKind::Calendar, 5, ["2026-03-30T00:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T07:00:00Z", "2026-03-29T11:00:00Z"]),
    (RECEIVED, DayKind::Calendar, 7, ["2026-04-01T00:00:00Z", "2026-03-31T22:00:00Z", "2026-04-01T07:00:00Z", "2026-03-31T11:00:00Z"]),
    (RECEIVED, DayKind::Calendar, 10, ["2026-04-04T00:00:00Z", "2026-04-03T22:00:00Z", "2026-04-04T07:00:00Z", "2026-04-03T11:00:00Z"]),
    (RECEIVED, DayKind::Calendar, 14, ["2026-04-08T00:00:00Z", "2026-04-07T22:00:00Z", "2026-04-08T07:00:00Z", "2026-04-07T12:00:00Z"]),
    (RECEIVED, DayKind::Calendar, 15, ["2026-04-09T00:00:00Z", "2026-04-08T22:00:00Z", "2026-04-09T07:00:00Z", "2026-04-08T12:00:00Z"]),
    (RECEIVED, DayKind::Calendar, 30, ["2026-04-24T00:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T07:00:00Z", "2026-04-23T12:00:00Z"]),
    (RECEIVED, DayKind::Calendar, 60, ["2026-05-24T00:00:00Z", "2026-05-23T22:00:00Z", "2026-05-24T07:00:00Z", "2026-05-23T12:00:00Z"]),
    (SENT, DayKind::Business, 5, ["2026-03-31T00:00:00Z", "2026-03-30T22:00:00Z", "2026-03-31T07:00:00Z", "2026-03-30T11:00:00Z"]),
    (SENT, DayKind::Business, 10, ["2026-04-07T00:00:00Z", "2026-04-06T22:00:00Z", "2026-04-07T07:00:00Z", "2026-04-06T12:00:00Z"]),
    (SENT, DayKind::Business, 14, ["2026-04-11T00:00:00Z", "2026-04-10T22:00:00Z", "2026-04-11T07:00:00Z", "2026-04-10T12:00:00Z"]),
    (SENT, DayKind::Business, 15, ["2026-04-14T00:00:00Z", "2026-04-13T22:00:00Z", "2026-04-14T07:00:00Z", "2026-04-13T12:00:00Z"]),
    (SENT, DayKind::Business, 30, ["2026-05-05T00:00:00Z", "2026-05-04T22:00:00Z", "2026-05-05T07:00:00Z", "2026-05-04T12:00:00Z"]),
    (RECEIVED, DayKind::Business, 5, ["2026-04-01T00:00:00Z", "2026-03-31T22:00:00Z", "2026-04-01T07:00:00Z", "2026-03-31T11:00:00Z"]),
    (RECEIVED, DayKind::Business, 10, ["2026-04-08T00:00:00Z", "2026-04-07T22:00:00Z", "2026-04-08T07:00:00Z", "2026-04-07T12:00:00Z"]),
    (RECEIVED, DayKind::Business, 15, ["2026-04-15T00:00:00Z", "2026-04-14T22:00:00Z", "2026-04-15T07:00:00Z", "2026-04-14T12:00:00Z"]),
    (RECEIVED, DayKind::Business, 30, ["2026-05-06T00:00:00Z", "2026-05-05T22:00:00Z", "2026-05-06T07:00:00Z", "2026-05-05T12:00:00Z"]),
];

/// The promise of the organization in the second notice.
const PROMISE: i32 = 14;

/// What a clause says: of whom it is, what starts the clock, days to object, days of notice, whether silence is said to
/// authorize, and whether there is a right to terminate.
type Known = (&'static str, &'static str, Option<i32>, Option<i32>, bool, bool);

/// The clauses known so far, read by hand.
#[rustfmt::skip]
const KNOWN: &[Known] = &[
    ("Tailscale Inc.", SENT, Some(10), Some(10), true, true),
    ("Reviewable, Inc.", SENT, None, None, false, true),
    ("ZITADEL", RECEIVED, Some(15), Some(15), true, false),
    ("GitHub, Inc.", SENT, None, Some(30), false, false),
    ("LLM Gateway", SENT, Some(30), Some(30), false, true),
    ("supportpages.io", SENT, Some(30), Some(30), false, false),
    ("Rallly", SENT, None, Some(30), false, true),
    ("Paciolus, Inc.", SENT, None, Some(30), false, false),
    ("Phase Two, Inc.", SENT, None, None, false, false),
    ("fortrabbit", SENT, None, Some(0), false, false),
    ("Kinde", SENT, None, Some(0), false, false),
];

/// The entries of a part of all files of notices.
pub(super) fn entries(part: &str) -> Vec<Json> {
    let files = files("notices");
    files.values().flat_map(|file| file[part].as_array().into_iter().flatten().cloned()).collect()
}

/// A text, or another scalar as text; nothing: empty.
pub(super) fn text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

/// A field as words to look into.
fn words(value: &Json) -> String {
    text(value).to_uppercase().replace(['-', ' '], "_")
}

fn has(words: &str, any: &[&str]) -> bool {
    any.iter().any(|word| words.contains(word))
}

/// The number in a field, or the first one in its words: "thirty (30) days".
fn days(value: &Json) -> Option<i32> {
    let text = text(value);
    let number = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    number.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok())
}

/// A clause as an agreement: what it is silent on stays unset.
fn agreement(clause: &Json) -> Agreement {
    let silence = words(&clause["silence"]);
    let authorization =
        [&clause["authorization"], &clause["authorisation"], &clause["affiliates"]].map(words).join(" ");
    let denies = has(&silence, &["DENI", "REJECT", "REFUS", "NOT_", "NO_"]);
    let authorization = match () {
        () if denies || has(&authorization, &["SPECIFIC"]) => Authorization::Specific,
        () if has(&silence, &["AUTHORI", "APPROV", "ACCEPT", "CONSENT"]) => Authorization::General,
        () if has(&authorization, &["GENERAL"]) => Authorization::General,
        () => Authorization::Unspecified,
    };
    // A text in place of a number: that nothing is told is said, that it is told in time is not how many days that is.
    let unsaid = words(&clause["notice_text"]);
    let none = has(&unsaid, &["NONE", "WITHOUT", "NO_NOTICE"]).then_some(0);
    let subscribe = words(&clause["subscribe"]);
    let method = match subscribe.as_str() {
        "" => NoticeMethod::Unspecified,
        words if words.starts_with("NONE") => NoticeMethod::Publication,
        _ => NoticeMethod::Subscription,
    };
    let clock = words(&clause["clock_starts"]);
    let clock = match () {
        () if has(&clock, &["RECEI", "DELIVER", "ARRIV"]) => ClockStart::Delivered,
        () if has(&clock, &["PUBLI", "POST"]) => ClockStart::Published,
        () if has(&clock, &["SEN"]) || subscribe.contains("UPON_SENDING") => ClockStart::Sent,
        () => ClockStart::Unspecified,
    };
    let kinds = ["objection_days_type", "notice_days_type", "objection_days", "notice_days"];
    let kinds = kinds.map(|field| words(&clause[field])).join(" ");
    let kind = match () {
        () if has(&kinds, &["BUSINESS", "WORKING"]) => DayKind::Business,
        () if has(&kinds, &["CALENDAR"]) => DayKind::Calendar,
        () => DayKind::Unspecified,
    };
    let remedy = match has(&words(&clause["remedy"]), &["TERMINAT"]) {
        true => UnresolvedObjection::TerminationRight,
        false => UnresolvedObjection::Unspecified,
    };
    let source = text(&clause["source"]);
    Agreement {
        authorization: authorization.into(),
        notice_days: days(&clause["notice_days"]).or(none),
        objection_days: days(&clause["objection_days"]),
        day_kind: kind.into(),
        clock_start: clock.into(),
        notice_method: method.into(),
        unresolved_objection: remedy.into(),
        exempt: Some(text(&clause["excluded_from_term"])).filter(|text| !text.is_empty()).into_iter().collect(),
        document: if source.starts_with("https://") && !source.contains(' ') { source } else { String::new() },
        ..Agreement::default()
    }
}

/// A customer with a clause; what has no field of its own is kept beside it, and the words stand as sources.
fn message(clause: &Json, zone: &str) -> v1::Customer {
    let quotes = clause["quotes"].as_array().into_iter().flatten().map(text);
    let sources = quotes.map(|quote| Source {
        document: text(&clause["source"]),
        field: "agreement".into(),
        quote,
        confidence: Confidence::Supported.into(),
        ..Source::default()
    });
    const READ: &[&str] = &["notice_days", "objection_days", "quotes", "source", "organisation"];
    let fields = clause.as_object().expect("a clause").iter().filter(|(field, _)| !READ.contains(&field.as_str()));
    v1::Customer {
        external_id: text(&clause["organisation"]),
        sources: sources.collect(),
        annotations: fields.map(|(field, value)| (field.clone(), text(value))).collect(),
        agreement: Some(Agreement { time_zone: zone.into(), ..agreement(clause) }),
        ..v1::Customer::default()
    }
}

/// The end of some days in a zone, as it stands in the table.
fn end(start: &str, kind: DayKind, days: i32, zone: usize) -> String {
    let kind = if kind == DayKind::Business { kind } else { DayKind::Calendar };
    match ENDS.iter().find(|(from, of, number, _)| *from == start && *of == kind && *number == days) {
        _ if days == 0 => start.to_owned(),
        Some((.., ends)) => ends[zone].to_owned(),
        None => counted(start, kind, days, zone),
    }
}

/// The same where the table has no such number of days.
fn counted(start: &str, kind: DayKind, days: i32, zone: usize) -> String {
    let zone = if ZONES[zone].is_empty() { "UTC" } else { ZONES[zone] };
    let start: Timestamp = start.parse().expect("an instant");
    let day = start.in_tz(zone).expect("a zone").date();
    let is_counted =
        |day: &Date| kind != DayKind::Business || !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    let last =
        day.series(1.day()).skip(1).filter(is_counted).nth(usize::try_from(days - 1).expect("days")).expect("a day");
    last.tomorrow().expect("a day").in_tz(zone).expect("a zone").timestamp().to_string()
}

/// Start, objection deadline and clear time, as the table has them.
fn expected(clause: &Json, promise: Option<i32>, zone: usize) -> (String, String, String) {
    let agreement = agreement(clause);
    let start = if agreement.clock_start() == ClockStart::Delivered { RECEIVED } else { SENT };
    let kind = agreement.day_kind();
    // Promised days are calendar days.
    let notice = match agreement.notice_days {
        Some(days) => end(start, kind, days, zone),
        None => end(start, DayKind::Calendar, promise.unwrap_or(0), zone),
    };
    let deadline = match agreement.objection_days.or(agreement.notice_days).or(promise) {
        Some(0) | None => String::new(),
        Some(_) if agreement.objection_days.is_none() => notice.clone(),
        Some(days) => end(start, kind, days, zone),
    };
    let promised = end(start, DayKind::Calendar, promise.unwrap_or(0), zone);
    let clear = [notice, deadline.clone(), promised].into_iter().max().expect("one");
    (start.to_owned(), deadline, clear)
}

fn found(recipient: &NoticeRecipient) -> (String, String, String) {
    let change = recipient.changes.first().expect("a change");
    let read = |time: Option<&prost_types::Timestamp>| read(time);
    (
        read(recipient.start_time.as_ref()),
        read(change.objection_deadline_time.as_ref()),
        read(change.clear_time.as_ref()),
    )
}

/// Tells the customers of a notice what they are not told by publishing it.
async fn tell(scene: &mut Scene, of: &str, who: &BTreeMap<String, (Json, usize)>, received: bool) {
    for (id, (clause, _)) in who {
        let agreement = agreement(clause);
        let by_receipt = agreement.clock_start() == ClockStart::Delivered;
        let by_sending = agreement.clock_start() != ClockStart::Published
            && !matches!(agreement.notice_method(), NoticeMethod::Unspecified | NoticeMethod::Publication);
        if received && by_receipt {
            scene.record(of, id, Receipt::Delivered, None).await.expect("recorded");
        } else if !received && by_sending {
            assert_eq!(scene.recipient(of, id).await.start_time, None, "{id} is not told by publishing");
            scene.record(of, id, Receipt::Sent, None).await.expect("recorded");
        }
    }
}

async fn recipients(scene: &mut Scene, of: &str) -> BTreeMap<String, NoticeRecipient> {
    let request = v1::ListNoticeRecipientsRequest { parent: notice(of), page_size: 1_000, ..Default::default() };
    let answer = scene.server.notices.list_notice_recipients(request).await.expect("recipients").into_inner();
    let id = |one: &NoticeRecipient| one.customer.rsplit('/').next().expect("an id").to_owned();
    answer.recipients.into_iter().map(|one| (id(&one), one)).collect()
}

both! {
    async fn every_clause_is_an_agreement_with_clocks_of_its_own(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.pass_to(SENT);
        let clauses = entries("clauses");
        assert!(clauses.len() >= AT_LEAST, "{} clauses", clauses.len());
        let mut who = BTreeMap::new();
        for (i, clause) in clauses.iter().enumerate() {
            for (z, zone) in ZONES.iter().enumerate() {
                let (id, asked) = (format!("clause-{i:03}-{z}"), message(clause, zone));
                let held = scene.customer_as(&id, asked.clone()).await;
                assert_eq!((held.agreement, held.sources), (asked.agreement, asked.sources), "{clause}");
                who.insert(id, (clause.clone(), z));
            }
        }
        // One notice of an organization that promises nothing, one of an organization that promises to everybody.
        scene.announce_for("silent", vec![add("aws")], "").await;
        let enforcement = v1::notice_policy::Enforcement::Required.into();
        let policy = v1::NoticePolicy { enforcement, notice_days: Some(PROMISE), ..Default::default() };
        let organization = v1::Organization { name: ACME.into(), notice_policy: Some(policy), ..Default::default() };
        let request = v1::UpdateOrganizationRequest { organization: Some(organization), ..Default::default() };
        scene.server.organizations.update_organization(request).await.expect("updated");
        scene.announce_for("promised", vec![add("other")], "").await;
        let both = [("silent", None), ("promised", Some(PROMISE))];
        for (of, _) in both {
            tell(&mut scene, of, &who, false).await;
        }
        scene.pass_to(RECEIVED);
        for (of, promise) in both {
            tell(&mut scene, of, &who, true).await;
            let all = recipients(&mut scene, of).await;
            assert_eq!(all.len(), who.len());
            for (id, (clause, zone)) in &who {
                let what = format!("{of}: {} in \"{}\"", text(&clause["organisation"]), ZONES[*zone]);
                assert_eq!(found(&all[id]), expected(clause, promise, *zone), "{what}");
            }
        }
        // Silence means what the clause says.
        scene.pass_to("2028-01-01T00:00:00Z");
        for (id, one) in recipients(&mut scene, "promised").await {
            let specific = agreement(&who[&id].0).authorization() == Authorization::Specific;
            let status = if specific { "STATUS_DEEMED_DENIED" } else { "STATUS_DEEMED_AUTHORIZED" };
            assert_eq!(one.changes[0].status().as_str_name(), status, "{}", customer(&id));
        }
    }
}

#[test]
fn the_table_is_counted_as_the_rest_is() {
    for (start, kind, days, ends) in ENDS {
        for (zone, end) in ends.iter().enumerate() {
            assert_eq!(
                counted(start, *kind, *days, zone),
                *end,
                "{days} {kind:?} days from {start} in {}",
                ZONES[zone]
            );
        }
    }
}

#[test]
fn the_clauses_say_what_was_read_of_them_by_hand() {
    let clauses = entries("clauses");
    for (organisation, start, objection, days, silence, terminates) in KNOWN {
        let of: Vec<&Json> = clauses.iter().filter(|clause| text(&clause["organisation"]) == *organisation).collect();
        assert!(!of.is_empty(), "{organisation} is lost");
        // Another clause of the same organisation may say something else.
        let [clause] = of[..] else { continue };
        let read = agreement(clause);
        let started = if read.clock_start() == ClockStart::Delivered { RECEIVED } else { SENT };
        assert_eq!((started, read.objection_days, read.notice_days), (*start, *objection, *days), "{organisation}");
        let general = read.authorization() == Authorization::General;
        let right = read.unresolved_objection() == UnresolvedObjection::TerminationRight;
        assert_eq!((general, right), (*silence, *terminates), "{organisation}");
    }
}
