//! Known time (`as_of`) and valid time (`effective_at`), apart and together.

use prost_types::Timestamp;
use subprocessor_registry::proto::v1::{self, subprocessor::State};
use tonic::Code;
use tonic_types::StatusExt;

use super::subject::{Ask, How, Subject, Writable, at, at_time, each_labelled, each_writable, labels, mask};
use crate::support::{Place, Server, both, fresh, organization, refused, subprocessor};

const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };
/// 2026-03-24T00:00:00Z
const DAY: i64 = 1_774_310_400;

fn as_of(as_of: Option<v1::AsOf>) -> Ask {
    Ask { as_of, ..Default::default() }
}

async fn known<R: Writable>(server: &mut Server, place: &Place, hour: i64) {
    let clock = |minute: i64| format!("2026-03-24T{hour:02}:{minute:02}:00.000500Z");
    let second = |minute: i64| DAY + hour * 3_600 + minute * 60;
    let before = server.revision().await;
    place.set_clock(&clock(1));
    let one = R::make(server, "known", "One").await;
    assert_eq!(one.head().create_time, Some(Timestamp { seconds: second(1), nanos: 500_000 }));
    place.set_clock(&clock(2));
    R::update(server, Some(R::sample("Two").with(&R::name("known"), "")), None, LIVE).await.expect("updated");
    place.set_clock(&clock(3));
    R::delete(server, &R::name("known"), "", LIVE).await.expect("deleted");
    let (micro, nanos) = (1_000, 500_000);
    let rows = [
        (at(before), "", false),
        (at(before + 1), "One", false),
        (at(before + 2), "Two", false),
        (at(before + 3), "Two", true),
        (at_time(second(1), nanos - micro), "", false),
        (at_time(second(1), nanos), "One", false),
        (at_time(second(1), nanos + 999), "One", false),
        (at_time(second(2), nanos - 1), "One", false),
        (at_time(second(2), nanos), "Two", false),
        (at_time(second(3), nanos - micro), "Two", false),
        (at_time(second(3), nanos), "Two", true),
    ];
    for (point, label, deleted) in rows {
        let got = R::get(server, &R::name("known"), point).await;
        let filter = format!("name = {:?}", R::name("known"));
        let listed = R::list(server, Ask { filter: filter.clone(), ..as_of(point) }).await.expect("listed");
        let all = R::list(server, Ask { filter, show_deleted: true, ..as_of(point) }).await.expect("listed");
        if label.is_empty() {
            refused(got, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
            assert_eq!(all.items, vec![]);
            continue;
        }
        let got = got.expect("there then");
        assert_eq!((got.label().as_str(), got.head().delete_time.is_some()), (label, deleted));
        assert_eq!(labels(&all), [label]);
        assert_eq!(listed.items.is_empty(), deleted);
    }
}

async fn refuses<R: Subject>(server: &mut Server) {
    let now = server.revision().await;
    let too_far = [at(now + 1), at(i64::MAX), at_time(DAY + 86_400 * 365, 0), at_time(253_402_300_799, 999_999_999)];
    for point in too_far {
        for answer in
            [R::get(server, &R::name("x"), point).await.map(drop), R::list(server, as_of(point)).await.map(drop)]
        {
            let status = refused(answer, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
            let metadata = status.get_error_details().error_info().expect("info").metadata.clone();
            match point.and_then(|as_of| as_of.point) {
                Some(v1::as_of::Point::Revision(_)) => assert_eq!(metadata["newest_revision"], now.to_string()),
                _ => assert!(metadata.contains_key("time") && metadata.contains_key("now"), "{metadata:?}"),
            }
        }
    }
    let times = [
        at_time(i64::MAX, 0),
        at_time(i64::MIN, 0),
        at_time(253_402_300_800, 0),
        at_time(-62_135_596_801, 0),
        at_time(0, -1),
        at_time(0, 1_000_000_000),
    ];
    let rows =
        [(at(-1), "as_of.revision"), (at(i64::MIN), "as_of.revision"), (Some(v1::AsOf { point: None }), "as_of")];
    for (point, field) in rows.into_iter().chain(times.map(|time| (time, "as_of.time"))) {
        refused(R::get(server, &R::name("x"), point).await, Code::InvalidArgument, "FIELD_INVALID", &[field]);
        refused(R::list(server, as_of(point)).await, Code::InvalidArgument, "FIELD_INVALID", &[field]);
    }
    // Long ago there was nothing: that is an answer, not an error.
    if !R::HAS_PARENT {
        for point in [at(0), at_time(0, 0), at_time(-62_135_596_800, 0)] {
            let page = R::list(server, as_of(point)).await.expect("nothing");
            assert_eq!((page.items.len(), page.revision), (0, 0));
        }
    }
}

async fn on(server: &mut Server, effective_at: &str, as_of: Option<v1::AsOf>) -> String {
    let request = v1::ListSubprocessorsRequest {
        parent: "organizations/acme".into(),
        effective_at: effective_at.into(),
        as_of,
        ..Default::default()
    };
    let page = server.subprocessors.list_subprocessors(request).await.expect("listed").into_inner();
    page.subprocessors.iter().map(Subject::label).collect::<Vec<_>>().join(" ")
}

fn row(label: &str, state: State, start: &str, end: &str) -> v1::Subprocessor {
    v1::Subprocessor {
        display_name: label.into(),
        recorded_as_found: true,
        state: state.into(),
        start_date: start.into(),
        end_date: end.into(),
        ..Default::default()
    }
}

both! {
    async fn what_the_registry_said_then(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let mut hour = 0;
        each_writable!(known(&mut server, &place, { hour += 1; hour }));
        each_writable!(refuses(&mut server));
        refuses::<v1::Instrument>(&mut server).await;
    }

    async fn now_is_the_clock_or_the_newest_commit(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let page = async |server: &mut Server, seconds: i64| v1::Organization::list(server, as_of(at_time(seconds, 0))).await;
        refused(page(&mut server, DAY).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        place.set_clock("2026-03-24T00:00:00Z");
        assert_eq!(labels(&page(&mut server, DAY).await.expect("it has come")), ["ACME"]);
        refused(page(&mut server, DAY + 1).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
    }

    async fn the_list_of_a_day(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        for (n, one) in [
            row("always", State::Active, "", ""),
            row("from", State::Active, "2024-03-10", ""),
            row("until", State::Retired, "", "2024-03-10"),
            row("during", State::Suspended, "2024-03-05", "2024-03-15"),
            row("leap", State::Retired, "2024-02-29", "2024-03-01"),
            row("never", State::Retired, "2024-03-10", "2024-03-10"),
            row("proposed", State::Proposed, "", ""),
            row("announced", State::Announced, "2024-01-01", ""),
            row("rejected", State::Rejected, "", ""),
        ].into_iter().enumerate() {
            subprocessor(&mut server, "organizations/acme", &format!("r{n}"), one).await.expect("created");
        }
        for (day, expected) in [
            ("1900-01-01", "always until"),
            ("2024-02-28", "always until"),
            ("2024-02-29", "always until leap"),
            ("2024-03-01", "always until"),
            ("2024-03-04", "always until"),
            ("2024-03-05", "always until during"),
            ("2024-03-09", "always until during"),
            ("2024-03-10", "always from during"),
            ("2024-03-14", "always from during"),
            ("2024-03-15", "always from"),
            ("2199-12-31", "always from"),
        ] {
            assert_eq!(on(&mut server, day, None).await, expected, "{day}");
        }
        // Without a day there is no such question.
        assert_eq!(on(&mut server, "", None).await.split(' ').count(), 9);
        for bad in ["2024-02-30", "0000-01-01", "9999-12-31", "2024-3-1", "today", " 2024-03-01", "2024-03-01T00:00:00Z", "' OR 1=1", "\0"] {
            let request = v1::ListSubprocessorsRequest { parent: "organizations/acme".into(), effective_at: bad.into(), ..Default::default() };
            refused(server.subprocessors.list_subprocessors(request).await, Code::InvalidArgument, "FIELD_INVALID", &["effective_at"]);
        }
        // With the filter and the order, page by page.
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let request = v1::ListSubprocessorsRequest {
                parent: "organizations/-".into(), effective_at: "2024-03-10".into(), filter: "state = ACTIVE OR state = SUSPENDED".into(),
                order_by: "start_date desc".into(), page_size: 1, page_token: token, ..Default::default()
            };
            let page = server.subprocessors.list_subprocessors(request).await.expect("listed").into_inner();
            found.extend(page.subprocessors.iter().map(Subject::label));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(found, ["from", "during", "always"]);
    }

    async fn the_list_of_a_day_as_it_was_known_then(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let one = subprocessor(&mut server, "organizations/acme", "a", row("a", State::Active, "2024-01-01", "")).await.expect("created");
        let sent = v1::Subprocessor { start_date: "2025-01-01".into(), ..Default::default() }.with(&one.name, "");
        v1::Subprocessor::update(&mut server, Some(sent), None, LIVE).await.expect("corrected");
        let request = v1::RetireRequest { name: one.name.clone(), end_date: "2025-06-01".into(), ..Default::default() };
        server.subprocessors.retire(request).await.expect("retired");
        v1::Subprocessor::delete(&mut server, &one.name, "", LIVE).await.expect("deleted");
        // The day against the revision.
        for (day, known) in [("2024-06-01", [false, true, false, false, false]), ("2025-03-01", [false, true, true, true, false]),
            ("2025-06-01", [false, true, true, false, false])] {
            for (n, there) in known.into_iter().enumerate() {
                let revision = i64::try_from(n).expect("small") + 1;
                let expected = if there { "a" } else { "" };
                assert_eq!(on(&mut server, day, at(revision)).await, expected, "{day} as known at {revision}");
            }
        }
        // A shown deletion is still not on the list of a day, unless asked for.
        let sent = v1::Organization { legal_name: "later".into(), ..Default::default() }.with("organizations/acme", "");
        v1::Organization::update(&mut server, Some(sent), mask(&["legal_name"]), LIVE).await.expect("updated");
        assert_eq!(on(&mut server, "2025-03-01", None).await, "");
    }

    async fn what_did_not_exist_yet_is_said_to_begin_later(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "first").await;
        organization(&mut server, "second").await;
        subprocessor(&mut server, "organizations/second", "a", row("a", State::Active, "", "")).await.expect("created");
        let said = |status: tonic::Status| {
            assert_eq!(status.code(), Code::NotFound, "{status:?}");
            let details = status.get_error_details();
            let info = details.error_info().expect("ErrorInfo").clone();
            assert_eq!(info.reason, "RESOURCE_NOT_FOUND");
            (status.message().to_owned(), info.metadata.get("first_revision").cloned())
        };
        let second = |first: &str, at: i64| {
            (format!("organizations/second did not exist yet at revision {at}; its first is {first}"), Some(first.to_owned()))
        };
        for revision in [0, 1] {
            let get = v1::GetOrganizationRequest { name: "organizations/second".into(), as_of: at(revision) };
            let status = server.organizations.get_organization(get).await.expect_err("not yet");
            assert_eq!(said(status), second("2", revision));
            let list = v1::ListSubprocessorsRequest { parent: "organizations/second".into(), as_of: at(revision), ..Default::default() };
            let status = server.subprocessors.list_subprocessors(list).await.expect_err("not yet");
            assert_eq!(said(status), second("2", revision));
            let export = v1::ExportManifestRequest { name: "organizations/second".into(), as_of: at(revision), ..Default::default() };
            let status = server.registry.export_manifest(export).await.expect_err("not yet");
            assert_eq!(said(status), second("2", revision));
        }
        let get = v1::GetSubprocessorRequest { name: "organizations/second/subprocessors/a".into(), as_of: at(2), ..Default::default() };
        let status = server.subprocessors.get_subprocessor(get).await.expect_err("not yet");
        assert_eq!(said(status).0, "organizations/second/subprocessors/a did not exist yet at revision 2; its first is 3");
        // What never was is nowhere at any time.
        for as_of in [None, at(0), at(3)] {
            let get = v1::GetOrganizationRequest { name: "organizations/none".into(), as_of };
            let status = server.organizations.get_organization(get).await.expect_err("never");
            assert_eq!(said(status), ("organizations/none does not exist".to_owned(), None));
        }
    }

    async fn an_id_that_was_used_says_what_became_of_it(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let one = subprocessor(&mut server, "organizations/acme", "a", row("a", State::Active, "", "")).await.expect("created");
        let answer = subprocessor(&mut server, "organizations/acme", "a", row("b", State::Active, "", "")).await;
        let status = refused(answer, Code::AlreadyExists, "RESOURCE_EXISTS", &[]);
        assert_eq!(status.message(), format!("{} exists already", one.name));
        v1::Subprocessor::delete(&mut server, &one.name, "", LIVE).await.expect("deleted");
        let answer = subprocessor(&mut server, "organizations/acme", "a", row("b", State::Active, "", "")).await;
        let status = refused(answer, Code::AlreadyExists, "RESOURCE_EXISTS", &[]);
        let rule = "was deleted, and its id is never given again: undelete it, or take another id";
        assert_eq!(status.message(), format!("{} {rule}", one.name));
    }
}
