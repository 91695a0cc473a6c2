//! Notices of vendors to the organization: held with the dates they state, and passed on by a draft.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use subprocessor_registry::proto::v1::{
    self, Agreement, Notice, NoticeChange, Source,
    agreement::DayKind,
    delivery_receipt::Kind as Receipt,
    notice::State,
    notice_change::Kind,
    objection::{Outcome, State as ObjectionState},
    subprocessor::State as Stage,
};
use tonic::{Code, Status};

use super::{
    clauses::{entries, text},
    scene::{ACME, Scene, add, at, by, customer, engagement, general, notice, preconditions, proposal, read, specific},
};
use crate::{
    histories::record::id,
    support::{both, refused, vendor},
};

/// How many notices there were when this was written: none gets lost.
const AT_LEAST: usize = 8;

/// A change as a vendor announces it.
struct Announced {
    kind: Kind,
    name: String,
    purpose: String,
    place: String,
}

/// A date of the form 2026-03-23; anything else is text.
fn is_day(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

/// The day on which a notice came, if it says that; the words it has for its date, if those are not a day, or not the day
/// on which it came.
fn dates(entry: &Json) -> (Option<String>, String) {
    let timeline = entry["timeline"].as_array().into_iter().flatten();
    let received = timeline.into_iter().find(|event| text(&event["event"]) == "NOTICE_RECEIVED");
    let date = received.map_or_else(|| text(&entry["date"]), |event| text(&event["date"]));
    let month = text(&entry["title_month"]);
    match is_day(&date) && entry.get("date_note").is_none() {
        true => (Some(date), month),
        false if month.is_empty() => (None, date),
        false => (None, month),
    }
}

fn announced(entry: &Json) -> Vec<Announced> {
    let one = |word: &str, from: &Json, name: &Json| Announced {
        kind: match word {
            word if word.contains("REMOVED") => Kind::Remove,
            word if word.contains("REPLACED") => Kind::Replace,
            word if word.contains("ADDED") => Kind::Add,
            _ if from.get("location").is_some() => Kind::ChangeLocation,
            _ => Kind::ChangePurpose,
        },
        name: text(name),
        purpose: [&from["purpose"], &from["purpose_in_contract"]].map(text).concat(),
        place: [&from["location"], &from["location_stated"]].map(text).concat(),
    };
    let name = |from: &Json| [&from["name"], &from["entity_name"], &from["subject_vendor"]].map(text).concat();
    let part = |part: &str| entry[part].as_array().into_iter().flatten();
    let mut all: Vec<Announced> = Vec::new();
    all.extend(part("changes").map(|from| one(&text(&from["change"]), from, &Json::from(name(from)))));
    all.extend(part("added").map(|from| one("ADDED", from, &Json::from(name(from)))));
    all.extend(part("removed").map(|from| one("REMOVED", from, &Json::from(name(from)))));
    if !text(&entry["subject_vendor"]).is_empty() {
        all.insert(0, one(&text(&entry["change"]), entry, &entry["subject_vendor"]));
    }
    // One notice can carry several changes, and news that are none.
    let others = part("combined_with").map(text);
    let others = others.filter_map(|words| words.strip_suffix(" (new subprocessor)").map(str::to_owned));
    all.extend(others.map(|name| one("ADDED", &Json::Null, &Json::from(name))));
    all
}

/// The row of what somebody engages whom we engage.
fn row_of(sender: &str, name: &str) -> String {
    id(&format!("{sender} {name}"))
}

/// An entry as the organization holds it.
fn held(entry: &Json) -> Notice {
    let sender = text(&entry["sender"]);
    let changes = announced(entry).into_iter().map(|one| {
        let adds = matches!(one.kind, Kind::Add | Kind::Replace);
        let proposed = v1::Subprocessor {
            display_name: if adds { one.name.clone() } else { String::new() },
            purposes: Some(one.purpose).filter(|text| !text.is_empty()).into_iter().collect(),
            locations: Some(one.place)
                .filter(|text| !text.is_empty())
                .map(|verbatim| v1::Location { verbatim, ..Default::default() })
                .into_iter()
                .collect(),
            ..Default::default()
        };
        NoticeChange {
            kind: one.kind.into(),
            // What joins comes through the sender; what leaves is known as engaged by it.
            subprocessor: engagement(&if adds { id(&sender) } else { row_of(&sender, &one.name) }),
            proposed: (one.kind != Kind::Remove).then_some(proposed),
            ..Default::default()
        }
    });
    let (received, stated) = dates(entry);
    let day = |day: &str| at(&format!("{day}T00:00:00Z"));
    Notice {
        title: format!("{sender}: {}", text(&entry["id"])),
        inbound: true,
        sender_vendor: format!("vendors/{}", id(&sender)),
        changes: changes.collect(),
        requested_effective_time: Some(text(&entry["effective"])).filter(|text| is_day(text)).map(|text| day(&text)),
        receive_time: received.as_deref().map(day),
        stated_date_text: stated,
        sources: vec![Source { document: text(&entry["source"]), quote: text(&entry["quote"]), ..Default::default() }],
        ..Default::default()
    }
}

/// The organization with the sender, and with what it engages, as far as the notices speak of it.
async fn engage(scene: &mut Scene, entries: &[Json]) {
    let mut known = BTreeSet::new();
    for entry in entries {
        let sender = text(&entry["sender"]);
        let own = id(&sender);
        if known.insert(own.clone()) {
            vendor(&mut scene.server, &own).await;
            let message = v1::Subprocessor { vendor: format!("vendors/{own}"), ..proposal(&own) };
            scene.found(&own, message).await;
        }
        for one in announced(entry).into_iter().filter(|one| !matches!(one.kind, Kind::Add | Kind::Replace)) {
            let row = row_of(&sender, &one.name);
            if known.insert(row.clone()) {
                let engaged_by = engagement(&own);
                let message = v1::Subprocessor { display_name: one.name, engaged_by, ..Default::default() };
                scene.found(&row, message).await;
            }
        }
    }
}

/// An inbound notice of `aws` that adds something, to take effect at an instant.
fn coming(effective: &str) -> Notice {
    let proposed = v1::Subprocessor { display_name: "Braintrust".into(), listed: true, ..Default::default() };
    Notice {
        title: "Supabase tells".into(),
        inbound: true,
        sender_vendor: "vendors/aws".into(),
        changes: vec![NoticeChange { subprocessor: engagement("aws"), proposed: Some(proposed), ..add("aws") }],
        requested_effective_time: Some(effective).filter(|text| !text.is_empty()).map(at),
        ..Default::default()
    }
}

/// A scene in which `aws` is engaged.
async fn engaged(backend: crate::support::Backend, policy: v1::NoticePolicy) -> Scene {
    let mut scene = Scene::with(backend, policy).await;
    scene.found("aws", proposal("aws")).await;
    scene
}

fn required() -> v1::NoticePolicy {
    v1::NoticePolicy { enforcement: v1::notice_policy::Enforcement::Required.into(), ..Default::default() }
}

async fn ask(scene: &mut Scene, of: &str, who: &str, question_id: &str, question: &str) -> Result<(), Status> {
    let request = v1::AskNoticeQuestionRequest {
        name: notice(of),
        customer: customer(who),
        question_id: question_id.into(),
        question: question.into(),
        ..Default::default()
    };
    scene.server.notices.ask_notice_question(request).await.map(drop)
}

async fn answer(
    scene: &mut Scene,
    of: &str,
    who: &str,
    question_id: &str,
    mitigation: &str,
) -> Result<v1::NoticeRecipient, Status> {
    let request = v1::AnswerNoticeQuestionRequest {
        name: notice(of),
        customer: customer(who),
        question_id: question_id.into(),
        answer: "none of it is processed in production yet".into(),
        mitigation: mitigation.into(),
        ..Default::default()
    };
    scene.server.notices.answer_notice_question(request).await.map(tonic::Response::into_inner)
}

both! {
    async fn every_notice_is_held_with_the_dates_it_states(backend: Backend) {
        let mut scene = Scene::with(backend, required()).await;
        let entries = entries("notices");
        assert!(entries.len() >= AT_LEAST, "{} notices", entries.len());
        // All of them have come by now.
        let last = entries.iter().filter_map(|entry| dates(entry).0).max().expect("a date");
        let now = format!("{}T10:00:00Z", last.as_str().max("2026-06-15"));
        scene.pass_to(&now);
        engage(&mut scene, &entries).await;
        scene.customer("thirty", general(30, 30)).await;
        let (mut passed_on, mut in_words) = (0, 0);
        for entry in &entries {
            let (id, asked) = (text(&entry["id"]), held(entry));
            scene.create(&id, asked.clone()).await.unwrap_or_else(|status| panic!("{id}: {status:?}"));
            let found = scene.notice(&id).await;
            let received = asked.receive_time.or(Some(at(&now)));
            assert_eq!((found.receive_time, found.publish_time), (received, received), "{id}");
            assert_eq!(found.stated_date_text, asked.stated_date_text, "{id}");
            assert_eq!(found.requested_effective_time, asked.requested_effective_time, "{id}");
            assert_eq!((found.sender_vendor.as_str(), &found.sources), (asked.sender_vendor.as_str(), &asked.sources), "{id}");
            // What was to happen by now has happened, as far as anybody knows.
            let over = asked.requested_effective_time.is_some_and(|time| time.seconds <= at(&now).seconds);
            assert_eq!(found.state(), if over { State::Effective } else { State::Published }, "{id}");
            assert_eq!(found.effective_time, asked.requested_effective_time.filter(|_| over), "{id}");
            assert_eq!(found.pass_on_date.is_empty(), asked.requested_effective_time.is_none() || asked.changes.is_empty(), "{id}");
            assert_eq!(found.follow_up_notice.is_empty(), asked.changes.is_empty(), "{id}");
            in_words += usize::from(!found.stated_date_text.is_empty());
            if asked.changes.is_empty() {
                continue;
            }
            let draft = scene.notice(found.follow_up_notice.rsplit('/').next().expect("an id")).await;
            assert_eq!((draft.state(), draft.inbound, draft.inbound_notice.as_str()), (State::Draft, false, found.name.as_str()));
            assert_eq!((&draft.title, draft.requested_effective_time), (&found.title, found.requested_effective_time));
            assert_eq!(draft.changes.len(), asked.changes.len(), "{id}");
            for (own, theirs) in draft.changes.iter().zip(&asked.changes) {
                if !matches!(theirs.kind(), Kind::Add | Kind::Replace) {
                    assert_eq!((own.kind(), &own.subprocessor), (theirs.kind(), &theirs.subprocessor), "{id}");
                    continue;
                }
                let (proposed, said) = (own.proposed.clone().expect("values"), theirs.proposed.clone().expect("values"));
                assert_eq!(own.kind(), Kind::Add, "{id}");
                assert_eq!(proposed.engaged_by, theirs.subprocessor, "{id}: our subprocessor engages it");
                assert_ne!(own.subprocessor, theirs.subprocessor, "{id}: it is one of its own");
                assert_eq!(proposed, v1::Subprocessor { engaged_by: proposed.engaged_by.clone(), ..said }, "{id}");
                passed_on += 1;
            }
        }
        assert!(passed_on >= 12 && in_words >= 3, "{passed_on} additions are passed on, {in_words} dates are words");
        // What is about to be added is on no list before it was announced and has taken effect.
        let zitadel = scene.notice("zitadel-2022").await;
        assert_eq!((read(zitadel.receive_time.as_ref()).as_str(), zitadel.pass_on_date.as_str()), ("2022-06-01T00:00:00Z", "2022-06-14"));
        assert_eq!(scene.notice("openproject-2022").await.stated_date_text, "2022-03");
        assert_eq!(scene.notice("zitadel-2023").await.stated_date_text, "November 2023");
    }

    async fn what_is_passed_on_has_ids_of_its_own(backend: Backend) {
        let mut scene = Scene::with(backend, required()).await;
        let long = "a".repeat(56);
        scene.found(&long, proposal(&long)).await;
        let coming = coming("2026-06-01T00:00:00Z");
        let through = NoticeChange { subprocessor: engagement(&long), ..coming.changes[0].clone() };
        let other = v1::Subprocessor { display_name: "Langfuse".into(), listed: true, ..Default::default() };
        let changes = vec![through.clone(), NoticeChange { proposed: Some(other), ..through }];
        let made = scene.create("both", Notice { changes, ..coming }).await.expect("created");
        let draft = made.follow_up_notice.rsplit('/').next().expect("an id").to_owned();
        let ids: BTreeSet<String> = scene.notice(&draft).await.changes.into_iter().map(|one| one.subprocessor).collect();
        assert_eq!(ids.len(), 2, "{ids:?}");
        scene.approve(&draft).await.expect("approved");
        scene.publish(&draft).await.expect("published");
    }

    async fn the_last_day_for_passing_on_is_that_of_the_slowest_customer(backend: Backend) {
        let mut scene = engaged(backend, required()).await;
        let zone = |zone: &str| Agreement { time_zone: zone.into(), ..general(30, 30) };
        let business = |holidays: &[&str]| Agreement {
            day_kind: DayKind::Business.into(),
            holidays: holidays.iter().map(|day| (*day).to_owned()).collect(),
            ..general(30, 30)
        };
        let plain = |agreement: Agreement| v1::Customer { agreement: Some(agreement), ..Default::default() };
        // Thirty days that end with Wednesday, 20 May: from 20 April; six weeks of business days: from 8 April.
        let cases: Vec<(&str, Option<v1::Customer>, &str)> = vec![
            ("nobody", None, "2026-05-20"),
            ("silent", Some(v1::Customer::default()), "2026-05-20"),
            ("none", Some(plain(general(0, 0))), "2026-05-20"),
            ("ended", Some(v1::Customer { end_date: "2026-03-23".into(), ..plain(general(90, 90)) }), "2026-05-20"),
            ("exempt", Some(plain(Agreement { exempt: vec!["ADD".into()], ..general(90, 90) })), "2026-05-20"),
            ("knows", Some(plain(Agreement { accepted_list_date: "2026-05-21".into(), ..general(90, 90) })), "2026-05-20"),
            ("five", Some(plain(general(30, 5))), "2026-04-20"),
            ("strict", Some(plain(specific(30, 30))), "2026-04-20"),
            ("auckland", Some(plain(zone("Pacific/Auckland"))), "2026-04-19"),
            ("angeles", Some(plain(zone("America/Los_Angeles"))), "2026-04-19"),
            ("business", Some(plain(business(&[]))), "2026-04-08"),
            ("holidays", Some(plain(business(&["2026-05-01"]))), "2026-04-07"),
            ("objects", Some(plain(general(30, 45))), "2026-04-05"),
            // Too late already: today is 23 March.
            ("sixty", Some(plain(general(60, 0))), "2026-03-21"),
        ];
        for (who, message, date) in cases {
            if let Some(message) = message {
                scene.customer_as(who, message).await;
            }
            let made = scene.create(&format!("n-{who}"), coming("2026-05-21T00:00:00Z")).await.expect("created");
            assert_eq!(made.pass_on_date, date, "{who}");
            let found = scene.notice(&format!("n-{who}")).await;
            assert_eq!((found.pass_on_date.as_str(), found.state()), (date, State::Published), "{who}");
        }
        let open = scene.create("open", coming("")).await.expect("created");
        assert_eq!(open.pass_on_date, "", "nobody knows when it takes effect");
        assert!(!open.follow_up_notice.is_empty());
    }

    async fn passing_on_looks_at_those_whom_it_reaches_and_at_the_promise(backend: Backend) {
        let mut scene = engaged(backend, v1::NoticePolicy { notice_days: Some(10), ..required() }).await;
        let date = async |scene: &mut Scene, id: &str, products: &[&str], effective: &str| {
            let mut message = coming(effective);
            let proposed = message.changes[0].proposed.as_mut().expect("values");
            proposed.products = products.iter().map(|id| (*id).to_owned()).collect();
            scene.create(id, message).await.expect("created").pass_on_date
        };
        assert_eq!(date(&mut scene, "promised", &[], "2026-05-21T00:00:00Z").await, "2026-05-10");
        assert_eq!(date(&mut scene, "a-second-before", &[], "2026-05-20T23:59:59Z").await, "2026-05-09");
        let us = v1::Customer { products: vec!["us".into()], agreement: Some(general(40, 40)), ..Default::default() };
        scene.customer_as("us", us).await;
        assert_eq!(date(&mut scene, "all", &[], "2026-05-21T00:00:00Z").await, "2026-04-10");
        assert_eq!(date(&mut scene, "us", &["us"], "2026-05-21T00:00:00Z").await, "2026-04-10");
        assert_eq!(date(&mut scene, "eu", &["eu"], "2026-05-21T00:00:00Z").await, "2026-05-10");
        // What the draft says when it is published is what was computed.
        let draft = scene.notice("us").await.follow_up_notice;
        let draft = draft.rsplit('/').next().expect("an id").to_owned();
        scene.pass_to("2026-04-10T23:59:59Z");
        scene.approve(&draft).await.expect("approved");
        let published = scene.publish(&draft).await.expect("published");
        assert_eq!(read(published.earliest_effective_time.as_ref()), "2026-05-21T00:00:00Z");
    }

    async fn supabase_adds_braintrust(backend: Backend) {
        let entry = entries("notices").into_iter().find(|entry| text(&entry["id"]) == "supabase-braintrust-2026").expect("it");
        let on = |event: &str| {
            let timeline = entry["timeline"].as_array().expect("a timeline");
            let event = timeline.iter().find(|one| text(&one["event"]) == event).unwrap_or_else(|| panic!("no {event}"));
            text(&event["date"])
        };
        let days = |field: &str| i32::try_from(entry[field].as_i64().expect("days")).expect("days");
        let (notice_days, objection_days) = (days("notice_period_days"), days("objection_window_days"));
        assert_eq!(on("NOTICE_RECEIVED"), "2026-03-23");
        let mut scene = Scene::with(backend, v1::NoticePolicy { notice_days: Some(notice_days), ..required() }).await;
        // A customer in the EU that watches, one that is late, and one elsewhere.
        for (who, product) in [("soleur", "eu"), ("sleeps", "eu"), ("elsewhere", "us")] {
            let agreement = Some(general(notice_days, objection_days));
            scene.customer_as(who, v1::Customer { products: vec![product.into()], agreement, ..Default::default() }).await;
        }
        let tracing = |product: &str| {
            let mut change = add(&format!("braintrust-{product}"));
            change.change_id = product.into();
            let proposed = change.proposed.as_mut().expect("values");
            proposed.products = vec![product.into()];
            proposed.purposes = vec![text(&entry["purpose_in_contract"])];
            change
        };
        scene.announce_for("n", vec![tracing("eu"), tracing("us")], "").await;
        let window = ("PENDING".to_owned(), "2026-03-29T00:00:00Z".to_owned(), "2026-04-23T00:00:00Z".to_owned());
        for who in ["soleur", "sleeps", "elsewhere"] {
            assert_eq!(scene.stands("n", who).await, window, "{who}");
        }

        assert_eq!(on("QUESTIONS_SENT"), on("NOTICE_RECEIVED"));
        for (question_id, question) in [("residency", "Where is it processed?"), ("mechanism", "On which mechanism does the transfer rest?")] {
            ask(&mut scene, "n", "soleur", question_id, question).await.expect("asked");
        }
        refused(ask(&mut scene, "n", "soleur", "residency", "Again?").await, Code::InvalidArgument, "FIELD_INVALID", &["question_id"]);
        assert_eq!(scene.stands("n", "soleur").await, window, "a question stops no clock");

        scene.pass_to(&format!("{}T18:00:00Z", on("OBJECTION_WINDOW_ENDS")));
        let objection = scene.object("n", "soleur", "in-time").await.expect("lodged");
        assert_eq!((objection.late, objection.change_ids), (false, vec!["eu".to_owned()]));
        scene.pass_to(&format!("{}T08:00:00Z", on("FOLLOW_UP_PRESERVING_OBJECTION_RIGHTS")));
        assert_eq!(scene.status("n", "sleeps").await, "DEEMED_AUTHORIZED", "silence is consent after day five");
        assert!(scene.object("n", "sleeps", "late").await.expect("lodged").late);

        scene.pass_to(&format!("{}T12:00:00Z", on("VENDOR_MITIGATION")));
        refused(answer(&mut scene, "n", "soleur", "retention", "").await, Code::InvalidArgument, "FIELD_INVALID", &["question_id"]);
        let mitigation = "tracing is disabled for projects in regions with prefix eu-";
        let told = answer(&mut scene, "n", "soleur", "residency", mitigation).await.expect("answered");
        let times: Vec<String> = told.questions.iter().map(|one| read(one.ask_time.as_ref())).collect();
        assert_eq!(times, ["2026-03-23T10:00:00Z", "2026-03-23T10:00:00Z"]);
        assert_eq!((told.questions[0].mitigation.as_str(), read(told.questions[0].answer_time.as_ref()).as_str()), (mitigation, "2026-04-02T12:00:00Z"));
        assert_eq!((told.questions[1].answer.as_str(), told.questions[1].answer_time), ("", None));
        assert_eq!(scene.status("n", "soleur").await, "OBJECTED", "an answer settles nothing");

        scene.pass_to(&format!("{}T09:00:00Z", on("RESOLVED_FOR_CUSTOMER")));
        scene.withdraw("n", &["eu"]).await.expect("withdrawn");
        let name = format!("{}/objections/in-time", notice("n"));
        let closed = scene.server.notices.get_objection(v1::GetObjectionRequest { name, as_of: None }).await.expect("it").into_inner();
        assert_eq!((closed.state(), closed.outcome()), (ObjectionState::Closed, Outcome::ChangeWithdrawn));
        assert_eq!(read(closed.resolve_time.as_ref()), "2026-04-07T09:00:00Z");
        assert_eq!(scene.status("n", "soleur").await, "RELEASED");
        assert_eq!(scene.subprocessor("braintrust-eu").await.state(), Stage::Proposed);

        scene.pass_to(&format!("{}T23:59:59Z", on("NOTICE_PERIOD_OVER_AND_ENABLED")));
        assert_eq!(scene.list("2026-04-22", "elsewhere").await, [""; 0]);
        scene.pass_to("2026-04-23T00:00:00Z");
        assert_eq!(scene.state("n").await, State::Effective);
        assert_eq!(scene.list("2026-04-23", "").await, ["braintrust-us"]);
        assert_eq!(scene.list("2026-04-23", "elsewhere").await, ["braintrust-us"]);
        assert_eq!(scene.list("2026-04-23", "soleur").await, [""; 0]);
        assert_eq!(scene.list("2026-04-23", "sleeps").await, [""; 0]);
    }

    async fn what_is_no_notice_of_a_vendor_is_refused(backend: Backend) {
        let mut scene = engaged(backend, required()).await;
        scene.customer("c", general(30, 30)).await;
        crate::support::organization(&mut scene.server, "other").await;
        crate::support::subprocessor(&mut scene.server, "organizations/other", "aws", proposal("aws")).await.expect("created");
        let revision = scene.revision().await;
        let effective = "2026-05-21T00:00:00Z";
        let of = |name: &str| {
            let mut message = coming(effective);
            message.changes[0].subprocessor = name.into();
            message
        };
        let cases: Vec<(Notice, &[&str])> = vec![
            (Notice { sender_vendor: String::new(), ..coming(effective) }, &["notice.sender_vendor"]),
            (Notice { receive_time: Some(at("2026-03-23T10:00:01Z")), ..coming(effective) }, &["notice.receive_time"]),
            (of("organizations/other/subprocessors/aws"), &["notice.changes[0].subprocessor"]),
            (of(&engagement("nobody")), &["notice.changes[0].subprocessor"]),
            (of(ACME), &["notice.changes[0].subprocessor"]),
            (Notice { emergency: Some(v1::Emergency { reason: "r".into(), approver: "a".into() }), ..coming(effective) }, &["notice.emergency"]),
            (Notice { inbound: false, changes: vec![add("new")], ..coming(effective) }, &["notice.sender_vendor"]),
            (Notice { inbound: false, changes: vec![add("new")], sender_vendor: String::new(), receive_time: Some(at("2026-03-23T10:00:00Z")), ..coming(effective) }, &["notice.receive_time"]),
        ];
        for (message, fields) in cases {
            refused(scene.create("n", message).await, Code::InvalidArgument, "FIELD_INVALID", fields);
        }
        let nobody = Notice { sender_vendor: "vendors/nobody".into(), ..coming(effective) };
        scene.create("n", nobody).await.expect_err("no such vendor");
        assert_eq!(scene.revision().await, revision);

        scene.create("n", coming(effective)).await.expect("created");
        preconditions(scene.approve("n").await, "STATE_TRANSITION_REFUSED");
        preconditions(scene.publish("n").await, "STATE_TRANSITION_REFUSED");
        let update = v1::UpdateNoticeRequest {
            notice: Some(Notice { name: notice("n"), title: "Another".into(), ..Default::default() }),
            ..Default::default()
        };
        preconditions(scene.server.notices.update_notice(by("author", update)).await, "STATE_TRANSITION_REFUSED");
        let delete = v1::DeleteNoticeRequest { name: notice("n"), ..Default::default() };
        preconditions(scene.server.notices.delete_notice(delete).await, "STATE_TRANSITION_REFUSED");
        // Nobody answers what was sent to the organization itself.
        preconditions(ask(&mut scene, "n", "c", "q", "Why?").await, "NOTICE_REFUSED");
        preconditions(scene.authorize("n", "c").await, "NOTICE_REFUSED");
        preconditions(scene.deny("n", "c").await, "NOTICE_REFUSED");
        preconditions(scene.object("n", "c", "o").await, "NOTICE_REFUSED");
        preconditions(scene.record("n", "c", Receipt::Sent, None).await, "NOTICE_REFUSED");
        let acknowledge = v1::AcknowledgeNoticeRequest { name: notice("n"), customer: customer("c"), ..Default::default() };
        preconditions(scene.server.notices.acknowledge_notice(acknowledge).await, "NOTICE_REFUSED");
    }
}
