//! Shapes of whole messages: lists, ids within them, enums, annotations, pairs of dates, and everything wrong at once.

use prost_types::Timestamp;
use subprocessor_registry::proto::v1;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::subject::{How, Writable, map, no_driver_text};
use crate::support::{Server, both, fresh, organization, refused};

const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };
const ACME: &str = "organizations/acme";

async fn wrong<R: Writable>(server: &mut Server, message: R, fields: &[&str]) -> Status {
    let fields: Vec<_> = fields.iter().map(|field| format!("{}.{field}", R::SINGULAR)).collect();
    let fields: Vec<_> = fields.iter().map(String::as_str).collect();
    let before = server.revision().await;
    let answer = R::create(server, "wrong", Some(message), ACME, LIVE).await;
    let status = refused(answer, Code::InvalidArgument, "FIELD_INVALID", &fields);
    assert_eq!(server.revision().await, before);
    no_driver_text(&status);
    status
}

async fn right<R: Writable>(server: &mut Server, message: R) -> R {
    R::create(server, "", Some(message), ACME, LIVE).await.expect("a good one")
}

fn org(change: impl FnOnce(&mut v1::Organization)) -> v1::Organization {
    let mut one = v1::Organization::sample("One");
    change(&mut one);
    one
}

fn engagement(change: impl FnOnce(&mut v1::Subprocessor)) -> v1::Subprocessor {
    let mut one = v1::Subprocessor::sample("One");
    change(&mut one);
    one
}

fn document(change: impl FnOnce(&mut v1::Document)) -> v1::Document {
    let mut one = v1::Document::sample("One");
    change(&mut one);
    one
}

/// How large a refusal is as trailers: details in base64, the message in per-cent encoding.
fn trailers(status: &Status) -> usize {
    let message: usize =
        status.message().bytes().map(|b| if (b' '..=b'~').contains(&b) && b != b'%' { 1 } else { 3 }).sum();
    status.details().len().div_ceil(3) * 4 + message + 100
}

both! {
    async fn elements_ids_and_enums(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        // Ids within a resource.
        let product = |id: &str| v1::Product { product_id: id.into(), ..Default::default() };
        wrong(&mut server, org(|o| o.products = vec![product("a"), product("b"), product("a")]), &["products[2].product_id"]).await;
        for bad in ["A", "-a", "a b", "ä", "a/b", &"x".repeat(64)] {
            wrong(&mut server, org(|o| o.products = vec![product(bad)]), &["products[0].product_id"]).await;
        }
        wrong(&mut server, org(|o| o.products = vec![product(""), product("")]), &["products[0].product_id", "products[1].product_id"]).await;
        let entity = |id: &str, name: &str| v1::Entity { entity_id: id.into(), legal_name: name.into(), ..Default::default() };
        let vendor = |entities| v1::Vendor { entities, ..v1::Vendor::sample("V") };
        wrong(&mut server, vendor(vec![entity("a", "A"), entity("a", "B")]), &["entities[1].entity_id"]).await;
        wrong(&mut server, vendor(vec![entity("", ""), entity("b", " ")]), &["entities[0].entity_id", "entities[0].legal_name", "entities[1].legal_name"]).await;
        let service = |id: &str| v1::Service { service_id: id.into(), display_name: "S".into(), ..Default::default() };
        wrong(&mut server, v1::Vendor { services: vec![service("s"), service("s")], ..v1::Vendor::sample("V") }, &["services[1].service_id"]).await;
        wrong(&mut server, v1::Vendor { attestations: vec![v1::Attestation::default()], ..v1::Vendor::sample("V") }, &["attestations[0].standard"]).await;
        let part = |id: &str| v1::Part { part_id: id.into(), ..Default::default() };
        wrong(&mut server, document(|d| d.parts = vec![part("p"), part("p")]), &["parts[1].part_id"]).await;
        wrong(&mut server, document(|d| d.claims = vec![v1::Claim::default()]), &["claims[0].kind", "claims[0].quote"]).await;
        wrong(&mut server, document(|d| d.kind = 0), &["kind"]).await;
        // Enums: numbers that nobody gave a meaning, and "not set" within a list.
        for number in [99, -1, i32::MAX, i32::MIN] {
            wrong(&mut server, org(|o| o.role = number), &["role"]).await;
            wrong(&mut server, document(|d| d.kind = number), &["kind"]).await;
            wrong(&mut server, engagement(|s| s.state = number), &["state"]).await;
            wrong(&mut server, org(|o| o.regimes = vec![1, number]), &["regimes[1]"]).await;
            let location = v1::Location { activity: number, ..Default::default() };
            wrong(&mut server, engagement(|s| s.locations = vec![location]), &["locations[0].activity"]).await;
            wrong(&mut server, org(|o| o.notice_policy = Some(v1::NoticePolicy { enforcement: number, ..Default::default() })), &["notice_policy.enforcement"]).await;
        }
        wrong(&mut server, org(|o| o.regimes = vec![1, 0]), &["regimes[1]"]).await;
        // A thousand elements and no more.
        let names = |n: usize| (0..n).map(|i| format!("n{i}")).collect::<Vec<_>>();
        assert_eq!(right(&mut server, org(|o| o.trade_names = names(1_000))).await.trade_names.len(), 1_000);
        right(&mut server, engagement(|s| {
            s.purposes = names(1_000);
            s.data_categories = names(1_000);
        })).await;
        wrong(&mut server, org(|o| o.trade_names = names(1_001)), &["trade_names"]).await;
        wrong(&mut server, org(|o| o.contacts = vec![v1::Contact::default(); 1_001]), &["contacts"]).await;
        wrong(&mut server, document(|d| d.sources = vec![v1::Source::default(); 1_001]), &["sources"]).await;
        wrong(&mut server, org(|o| o.sources = vec![v1::Source { line: -1, ..Default::default() }]), &["sources[0].line"]).await;
    }

    async fn annotations_have_bounds(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let with = |entries: &[(&str, &str)]| org(|o| o.annotations = map(entries));
        let many = |n: usize| org(|o| o.annotations = (0..n).map(|i| (format!("k{i}"), "v".to_owned())).collect());
        assert_eq!(right(&mut server, many(64)).await.annotations.len(), 64);
        wrong(&mut server, many(65), &["annotations"]).await;
        let (longest, too_long) = ("é".repeat(63), "é".repeat(64));
        right(&mut server, with(&[(&longest, ""), ("Column / \"1\"", &"x".repeat(16_384)), ("ä", "line\nline")])).await;
        for bad in ["", " k", "k ", "k\0", "k\n", &too_long] {
            wrong(&mut server, with(&[(bad, "v")]), &[&format!("annotations[\"{bad}\"]")]).await;
        }
        wrong(&mut server, with(&[("k", &"x".repeat(16_385))]), &["annotations[\"k\"]"]).await;
    }

    async fn ends_come_after_starts(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let dated = |start: &str, end: &str| engagement(|s| { s.start_date = start.into(); s.end_date = end.into(); });
        wrong(&mut server, dated("2024-01-02", "2024-01-01"), &["end_date"]).await;
        wrong(&mut server, dated("nonsense", "2024-01-01"), &["start_date"]).await;
        right(&mut server, dated("2024-01-01", "2024-01-01")).await;
        right(&mut server, dated("2024-01-01", "2024-01-02")).await;
        let dpa = |sign: &str, expire: &str| engagement(|s| s.dpa = Some(v1::Dpa { sign_date: sign.into(), expire_date: expire.into(), ..Default::default() }));
        wrong(&mut server, dpa("2024-01-02", "2024-01-01"), &["dpa.expire_date"]).await;
        wrong(&mut server, document(|d| { d.effective_date = "2024-01-02".into(); d.end_date = "2024-01-01".into(); }), &["end_date"]).await;
        // An update is checked as a whole, with what it leaves as it was.
        let one = right(&mut server, dated("2024-01-01", "")).await;
        let sent = v1::Subprocessor { end_date: "2023-12-31".into(), ..Default::default() }.with(&one.name, "");
        let answer = v1::Subprocessor::update(&mut server, Some(sent), None, LIVE).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.end_date"]);
    }

    async fn times_are_times(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let read = |seconds, nanos| document(|d| d.retrieve_time = Some(Timestamp { seconds, nanos }));
        for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (253_402_300_800, 0), (-62_135_596_801, 0), (0, -1), (0, 1_000_000_000)] {
            wrong(&mut server, read(seconds, nanos), &["retrieve_time"]).await;
        }
        for (seconds, nanos) in [(253_402_300_799, 999_999_999), (-62_135_596_800, 0), (0, 0), (-1, 1)] {
            let kept = right(&mut server, read(seconds, nanos)).await.retrieve_time;
            assert_eq!(kept, Some(Timestamp { seconds, nanos: nanos - nanos % 1_000 }), "to the microsecond");
        }
    }

    async fn everything_that_is_wrong_is_said_at_once(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let one = v1::Subprocessor {
            display_name: " ".into(),
            website_uri: "x".into(),
            role: 99,
            purposes: vec!["ok".into(), "a\0".into()],
            locations: vec![v1::Location::default(), v1::Location { region_code: "UK".into(), ..Default::default() }],
            dpa: Some(v1::Dpa { sign_date: "2023-02-30".into(), status: 77, ..Default::default() }),
            start_date: "2025-01-01".into(),
            end_date: "2024-01-01".into(),
            vendor_entity: "e".into(),
            sources: vec![v1::Source { line: -1, confidence: 9, ..Default::default() }],
            annotations: map(&[("", "x"), ("k", "\0")]),
            ..Default::default()
        };
        let status = wrong(&mut server, one, &[
            "sources[0].line", "sources[0].confidence", "annotations[\"\"]", "annotations[\"k\"]", "display_name", "website_uri", "role",
            "purposes[1]", "locations[1].region_code", "dpa.status", "dpa.sign_date", "end_date", "vendor_entity",
        ]).await;
        assert!(status.message().ends_with("(and 12 more)"), "{status:?}");
        // With the request's own fields too.
        let answer = v1::Customer::create(&mut server, "BAD", Some(v1::Customer { region_code: "UK".into(), ..Default::default() }), "x", LIVE).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["parent", "customer_id", "customer.display_name", "customer.region_code"]);
    }

    async fn a_refusal_fits_into_what_clients_accept(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let wide = "\u{1F600}";
        let messages = [
            org(|o| o.contacts = vec![v1::Contact { email: wide.repeat(500), uri: wide.repeat(500), ..Default::default() }; 1_000]),
            org(|o| o.contacts = vec![v1::Contact { email: "x".repeat(500), ..Default::default() }; 500]),
            org(|o| o.annotations = (0..64).map(|i| (format!("{}{i}", wide.repeat(500)), "v".into())).collect()),
            org(|o| o.region_code = wide.repeat(1_000)),
        ];
        for message in messages {
            let answer = v1::Organization::create(&mut server, "x", Some(message), ACME, LIVE).await;
            let status = refused(answer, Code::InvalidArgument, "FIELD_INVALID", &[]);
            assert!(trailers(&status) < 8_192, "{} bytes of trailers", trailers(&status));
            let details = status.get_error_details();
            let said = &details.bad_request().expect("fields").field_violations;
            assert!(!said.is_empty());
        }
        // A deep name in a reference, a filter and a mask.
        let name = format!("vendors/{}", wide.repeat(900));
        let answer = v1::Subprocessor::create(&mut server, "x", Some(engagement(|s| s.alternative_vendors = vec![name; 900])), ACME, LIVE).await;
        let status = refused(answer, Code::InvalidArgument, "FIELD_INVALID", &[]);
        assert!(trailers(&status) < 8_192, "{} bytes of trailers", trailers(&status));
    }
}
