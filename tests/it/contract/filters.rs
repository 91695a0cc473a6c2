//! Filters: every field and operator that is offered gives the rows that a reader of the filter expects.

use prost_types::Timestamp;
use subprocessor_registry::proto::v1::{self, subprocessor::State};

use super::subject::{Ask, How, Subject, Writable, ids, map};
use crate::support::{Place, Server, both, fresh};

const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };
const ACME: &str = "organizations/acme";

/// The ids that a filter gives.
async fn given<R: Subject>(server: &mut Server, filter: &str) -> String {
    let page = R::list(server, Ask { filter: filter.into(), page_size: 1_000, ..Default::default() }).await;
    ids(&page.unwrap_or_else(|status| panic!("{filter}: {status:?}"))).join(" ")
}

async fn all<R: Subject>(server: &mut Server, rows: &[(&str, &str)]) {
    for (filter, expected) in rows {
        assert_eq!(given::<R>(server, filter).await, *expected, "{} {filter}", R::COLLECTION);
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn product(id: &str) -> v1::Product {
    v1::Product { product_id: id.into(), ..Default::default() }
}

/// The clock for the n-th thing that is made: one minute after another.
fn tick(place: &Place, minute: u8) {
    place.set_clock(&format!("2026-03-24T00:{minute:02}:00Z"));
}

async fn filled(place: &Place, server: &mut Server) {
    tick(place, 0);
    let acme = v1::Organization {
        legal_name: "Acme, Inc.".into(),
        region_code: "US".into(),
        role: v1::Role::Processor.into(),
        products: vec![product("cloud"), product("edge")],
        regimes: vec![v1::Regime::EuGdpr.into()],
        ..v1::Organization::sample("Acme")
    };
    v1::Organization::create(server, "acme", Some(acme), "", LIVE).await.expect("created");
    tick(place, 1);
    let beta = v1::Organization {
        region_code: "DE".into(),
        assumed_regimes: vec![v1::Regime::UkGdpr.into()],
        ..v1::Organization::sample("beta")
    };
    v1::Organization::create(server, "beta", Some(beta), "", LIVE).await.expect("created");
    tick(place, 2);
    let entity = v1::Entity {
        entity_id: "e".into(),
        legal_name: "Amazon, Inc.".into(),
        region_code: "US".into(),
        ..Default::default()
    };
    let aws = v1::Vendor {
        website_uri: "https://aws.example".into(),
        aliases: texts(&["Amazon"]),
        former_names: texts(&["Old Amazon"]),
        categories: texts(&["HOSTING"]),
        domains: texts(&["aws.example"]),
        entities: vec![entity],
        services: vec![v1::Service { service_id: "s3".into(), display_name: "S3".into(), ..Default::default() }],
        ..v1::Vendor::sample("AWS")
    };
    v1::Vendor::create(server, "aws", Some(aws), "", LIVE).await.expect("created");
    tick(place, 3);
    let twitch = v1::Vendor { parent_vendor: "vendors/aws".into(), ..v1::Vendor::sample("Twitch") };
    v1::Vendor::create(server, "twitch", Some(twitch), "", LIVE).await.expect("created");
    tick(place, 4);
    let policy = v1::Document {
        kind: v1::document::Kind::PrivacyPolicy.into(),
        uri: "https://acme.example/p".into(),
        stated_date: "2020-01-01".into(),
        effective_date: "2020-02-01".into(),
        end_date: "2021-01-01".into(),
        products: texts(&["cloud"]),
        ..v1::Document::sample("Policy")
    };
    v1::Document::create(server, "policy", Some(policy), ACME, LIVE).await.expect("created");
    v1::Document::create(server, "dpa", Some(v1::Document::sample("DPA")), ACME, LIVE).await.expect("created");
    let first = v1::Customer {
        external_id: "X-1".into(),
        region_code: "FR".into(),
        end_date: "2027-01-01".into(),
        products: texts(&["edge"]),
        ..v1::Customer::sample("First")
    };
    v1::Customer::create(server, "first", Some(first), ACME, LIVE).await.expect("created");
    v1::Customer::create(server, "second", Some(v1::Customer::sample("Second")), ACME, LIVE).await.expect("created");
    for one in engagements() {
        let id = one.display_name.clone();
        v1::Subprocessor::create(server, &id, Some(one), ACME, LIVE).await.expect("created");
    }
}

/// Four rows: `a` has everything, `b` and `c` something, `d` nothing.
fn engagements() -> Vec<v1::Subprocessor> {
    let location =
        |region: &str, area: &str| v1::Location { region_code: region.into(), area: area.into(), ..Default::default() };
    let found = |label: &str, state: State| v1::Subprocessor {
        recorded_as_found: true,
        state: state.into(),
        ..v1::Subprocessor::sample(label)
    };
    vec![
        v1::Subprocessor {
            vendor: "vendors/aws".into(),
            section: "Infrastructure".into(),
            start_date: "2020-01-01".into(),
            end_date: "2030-01-01".into(),
            next_review_date: "2026-06-01".into(),
            role: v1::Role::SubProcessor.into(),
            listed: true,
            products: texts(&["cloud", "edge"]),
            purposes: texts(&["hosting", "it's \"quoted\" 100% \\ done_"]),
            data_categories: texts(&["names"]),
            vendor_services: texts(&["s3"]),
            alternative_vendors: texts(&["vendors/twitch"]),
            locations: vec![location("US", ""), location("", "EU")],
            annotations: map(&[("k", "v")]),
            ..found("a", State::Active)
        },
        v1::Subprocessor {
            section: "O'Brien \"x\" \\ 50%".into(),
            start_date: "2021-06-15".into(),
            products: texts(&["cloud"]),
            locations: vec![location("DE", "")],
            engaged_by: "organizations/acme/subprocessors/a".into(),
            ..found("b", State::Suspended)
        },
        v1::Subprocessor { section: "infra_x*".into(), end_date: "2025-01-01".into(), ..found("c", State::Retired) },
        v1::Subprocessor::sample("d"),
    ]
}

const SUBPROCESSORS: &[(&str, &str)] = &[
    ("", "a b c d"),
    ("  \n\t ", "a b c d"),
    // Text: `=` and the rest by code point, `*` at the end, presence; absent is not before anything.
    ("name = \"organizations/acme/subprocessors/b\"", "b"),
    ("name = organizations/acme/subprocessors/b", "b"),
    ("name > \"organizations/acme/subprocessors/b\"", "c d"),
    ("name = \"organizations/acme/*\"", "a b c d"),
    ("name = \"vendors/*\"", ""),
    ("display_name = a", "a"),
    ("display_name = A", ""),
    ("display_name != a", "b c d"),
    ("display_name >= b AND display_name < d", "b c"),
    ("display_name <= b", "a b"),
    ("vendor = \"vendors/aws\"", "a"),
    ("vendor:*", "a"),
    ("NOT vendor:*", "b c d"),
    ("-vendor:*", "b c d"),
    ("vendor = \"\"", "b c d"),
    ("vendor != \"\"", "a"),
    ("vendor = \"vendors/*\"", "a"),
    ("vendor != \"vendors/*\"", "b c d"),
    ("section:*", "a b c"),
    ("section < \"P\"", "a b"),
    ("section <= \"Infrastructure\"", "a"),
    ("section > \"Infrastructure\"", "b c"),
    ("section >= \"Infrastructure\"", "a b c"),
    ("section = \"Infra*\"", "a"),
    ("section = \"infra*\"", "c"),
    ("section = \"infra%\"", ""),
    ("section = \"infr__x*\"", ""),
    ("section:Infrastructure", "a"),
    ("engaged_by = \"organizations/acme/subprocessors/a\"", "b"),
    ("engaged_by:*", "b"),
    // Quotes, backslashes, per cent: values and nothing more.
    (r#"section = "O'Brien \"x\" \\ 50%""#, "b"),
    (r#"section = 'O\'Brien "x" \\ 50%'"#, "b"),
    ("section = \"O'Brien*\"", "b"),
    ("section = \"' OR '1'='1\"", ""),
    ("section = \"'; DROP TABLE subprocessor; --\"", ""),
    ("section = \"\\\" OR 1=1 --\"", ""),
    ("section != \"$1 ? :p @x %s\"", "a b c d"),
    (r#"purposes:"it's \"quoted\" 100% \\ done_""#, "a"),
    ("purposes:\"%\"", ""),
    ("purposes:\"') OR 1=1 --\"", ""),
    // Dates: absent is neither before nor after.
    ("start_date = 2020-01-01", "a"),
    ("start_date = \"2020-01-01\"", "a"),
    ("start_date != 2020-01-01", "b c d"),
    ("start_date < 2021-06-15", "a"),
    ("start_date <= 2021-06-15", "a b"),
    ("start_date > 2020-01-01", "b"),
    ("start_date >= 2020-01-01", "a b"),
    ("start_date:*", "a b"),
    ("NOT start_date:*", "c d"),
    ("NOT start_date > 2020-01-01", "a c d"),
    ("end_date:*", "a c"),
    ("end_date <= 2025-01-01", "c"),
    ("end_date > 2025-01-01", "a"),
    ("next_review_date = 2026-06-01", "a"),
    ("next_review_date < 2199-12-31", "a"),
    ("next_review_date:*", "a"),
    // Enums, short and in full.
    ("role = SUB_PROCESSOR", "a"),
    ("role = ROLE_SUB_PROCESSOR", "a"),
    ("role = \"SUB_PROCESSOR\"", "a"),
    ("role != SUB_PROCESSOR", "b c d"),
    ("role:SUB_PROCESSOR", "a"),
    ("role:*", "a"),
    ("role = UNSPECIFIED", "b c d"),
    ("state = ACTIVE", "a"),
    ("state = STATE_SUSPENDED", "b"),
    ("state != RETIRED", "a b d"),
    ("state = PROPOSED OR state = RETIRED", "c d"),
    ("state:*", "a b c d"),
    ("listed = true", "a"),
    ("listed = false", "b c d"),
    ("listed != true", "b c d"),
    ("listed:*", "a"),
    // Repeated fields.
    ("products:cloud", "a b"),
    ("products:\"edge\"", "a"),
    ("products:cloud AND products:edge", "a"),
    ("products:cloud AND NOT products:edge", "b"),
    ("products:*", "a b"),
    ("NOT products:*", "c d"),
    ("products:clou", ""),
    ("purposes:hosting", "a"),
    ("data_categories:names", "a"),
    ("vendor_services:s3", "a"),
    ("alternative_vendors:\"vendors/twitch\"", "a"),
    ("region_codes:US", "a"),
    ("region_codes:US OR region_codes:DE", "a b"),
    ("areas:EU", "a"),
    ("areas:*", "a"),
    // AND, OR, NOT: OR binds tighter than AND (AIP-160), a sequence is AND.
    ("display_name = a OR display_name = b AND display_name = c", ""),
    ("display_name = c AND display_name = a OR display_name = b", ""),
    ("(display_name = c AND display_name = a) OR display_name = b", "b"),
    ("display_name = a OR display_name = b AND state = ACTIVE", "a"),
    ("display_name = a OR (display_name = b AND state = ACTIVE)", "a"),
    ("display_name = b OR display_name = c state = RETIRED", "c"),
    ("NOT display_name = a AND NOT display_name = b", "c d"),
    ("NOT (display_name = a OR display_name = b)", "c d"),
    ("NOT display_name = a OR display_name = a", "a b c d"),
    ("NOT (NOT (display_name = a))", "a"),
    ("((((display_name = a))))", "a"),
    // Times.
    ("create_time >= \"2026-03-24T00:04:00Z\"", "a b c d"),
    ("create_time < \"2026-03-24T00:04:00Z\"", ""),
    ("create_time = \"2026-03-24T01:04:00+01:00\"", "a b c d"),
    ("update_time <= \"2026-03-24T00:04:00.000000Z\"", "a b c d"),
    ("update_time > \"2026-03-24T00:04:00Z\"", ""),
    ("update_time != \"2026-03-24T00:04:00Z\"", ""),
    ("update_time:*", "a b c d"),
];

const ORGANIZATIONS: &[(&str, &str)] = &[
    ("name = \"organizations/acme\"", "acme"),
    ("name:*", "acme beta"),
    ("display_name = \"Acme\"", "acme"),
    ("display_name > \"Z\"", "beta"),
    ("legal_name = \"Acme, Inc.\"", "acme"),
    ("legal_name:*", "acme"),
    ("region_code = DE", "beta"),
    ("region_code != DE", "acme"),
    ("role = PROCESSOR", "acme"),
    ("role:*", "acme"),
    ("create_time > \"2026-03-24T00:00:00Z\"", "beta"),
    ("create_time = \"2026-03-24T00:00:00Z\"", "acme"),
    ("update_time < \"2026-03-24T00:01:00Z\"", "acme"),
    ("products:edge", "acme"),
    ("products:*", "acme"),
    ("regimes:EU_GDPR", "acme"),
    ("regimes:REGIME_EU_GDPR", "acme"),
    ("regimes:UK_GDPR", ""),
    ("regimes:*", "acme"),
    ("assumed_regimes:UK_GDPR", "beta"),
    ("NOT assumed_regimes:*", "acme"),
];

const VENDORS: &[(&str, &str)] = &[
    ("name = \"vendors/t*\"", "twitch"),
    ("display_name = AWS", "aws"),
    ("parent_vendor = \"vendors/aws\"", "twitch"),
    ("parent_vendor:*", "twitch"),
    ("website_uri = \"https://aws.example\"", "aws"),
    ("website_uri = \"https://*\"", "aws"),
    ("origin = CUSTOM", "aws twitch"),
    ("origin = ORIGIN_CATALOG", ""),
    ("origin != CATALOG", "aws twitch"),
    ("create_time <= \"2026-03-24T00:02:00Z\"", "aws"),
    ("update_time >= \"2026-03-24T00:03:00Z\"", "twitch"),
    ("aliases:Amazon", "aws"),
    ("former_names:\"Old Amazon\"", "aws"),
    ("categories:HOSTING", "aws"),
    ("domains:aws.example", "aws"),
    ("domains:\"aws.example\"", "aws"),
    ("legal_names:\"Amazon, Inc.\"", "aws"),
    ("region_codes:US", "aws"),
    ("region_codes:*", "aws"),
    ("NOT aliases:*", "twitch"),
];

const DOCUMENTS: &[(&str, &str)] = &[
    ("name = \"organizations/acme/documents/dpa\"", "dpa"),
    ("title = Policy", "policy"),
    ("title < \"E\"", "dpa"),
    ("kind = DPA", "dpa"),
    ("kind = KIND_PRIVACY_POLICY", "policy"),
    ("kind != DPA", "policy"),
    ("uri = \"https://acme.example/p\"", "policy"),
    ("uri = \"\"", "dpa"),
    ("stated_date = 2020-01-01", "policy"),
    ("NOT stated_date:*", "dpa"),
    ("effective_date > 2020-01-31", "policy"),
    ("end_date <= 2021-01-01", "policy"),
    ("create_time:*", "dpa policy"),
    ("update_time = \"2026-03-24T00:04:00Z\"", "dpa policy"),
    ("products:cloud", "policy"),
    ("instruments:*", ""),
    ("instruments:\"instruments/x\"", ""),
];

const CUSTOMERS: &[(&str, &str)] = &[
    ("name = \"organizations/acme/customers/f*\"", "first"),
    ("display_name = Second", "second"),
    ("external_id = X-1", "first"),
    ("external_id = \"X-1\"", "first"),
    ("NOT external_id:*", "second"),
    ("region_code = FR", "first"),
    ("end_date > 2026-12-31", "first"),
    ("end_date > 2027-01-01", ""),
    ("NOT end_date:*", "second"),
    ("products:edge", "first"),
    ("create_time = \"2026-03-24T00:04:00Z\"", "first second"),
    ("update_time > \"2026-03-24T00:04:00Z\"", ""),
];

both! {
    async fn every_field_and_operator(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        filled(&place, &mut server).await;
        all::<v1::Organization>(&mut server, ORGANIZATIONS).await;
        all::<v1::Vendor>(&mut server, VENDORS).await;
        all::<v1::Document>(&mut server, DOCUMENTS).await;
        all::<v1::Customer>(&mut server, CUSTOMERS).await;
        all::<v1::Subprocessor>(&mut server, SUBPROCESSORS).await;
        // Deleted ones, other organizations and earlier revisions follow their own rules with a filter as without.
        v1::Subprocessor::delete(&mut server, &v1::Subprocessor::name("c"), "", LIVE).await.expect("deleted");
        assert_eq!(given::<v1::Subprocessor>(&mut server, "state = RETIRED").await, "");
        let ask = Ask { filter: "state = RETIRED".into(), show_deleted: true, ..Default::default() };
        assert_eq!(ids(&v1::Subprocessor::list(&mut server, ask.clone()).await.expect("listed")), ["c"]);
        let ask = Ask { show_deleted: false, parent: "organizations/beta".into(), ..ask };
        assert_eq!(v1::Subprocessor::list(&mut server, ask).await.expect("listed").items, vec![]);
    }

    async fn texts_are_compared_as_they_are_stored(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        for (id, label) in [("a", "Ähnlich"), ("b", "A\u{308}hnlich 2"), ("c", "\u{1F600} smile"), ("d", "zz"), ("e", "\u{10FFFF}\u{10FFFF}")] {
            v1::Vendor::make(&mut server, id, label).await;
        }
        all::<v1::Vendor>(&mut server, &[
            ("display_name = \"Ähnlich\"", "a"),
            ("display_name = \"A\u{308}hnlich\"", "a"),
            ("display_name = \"A\u{308}*\"", "a b"),
            ("display_name = \"Ä*\"", "a b"),
            ("display_name = \"ä*\"", ""),
            ("display_name > \"zz\"", "a b c e"),
            ("display_name >= \"\u{1F600}\"", "c e"),
            ("display_name = \"\u{10FFFF}*\"", "e"),
            ("display_name = \"*\"", "a b c d e"),
        ]).await;
    }

    async fn instruments_and_revisions_are_filtered_too(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
        let everything = v1::Instrument::list(&mut server, Ask { page_size: 1_000, ..Default::default() }).await.expect("listed").items;
        // What a reader of the messages would pick, without the server.
        let one = everything.iter().find(|i| !i.celex.is_empty() && !i.citation.is_empty()).expect("one with both");
        type Picks = fn(&v1::Instrument, &v1::Instrument) -> bool;
        let rows: Vec<(String, Picks)> = vec![
            (format!("name = {:?}", one.name), |i, one| i.name == one.name),
            (format!("title = {:?}", one.title), |i, one| i.title == one.title),
            (format!("citation = {:?}", one.citation), |i, one| i.citation == one.citation),
            (format!("celex = {:?}", one.celex), |i, one| i.celex == one.celex),
            ("celex:*".into(), |i, _| !i.celex.is_empty()),
            ("NOT citation:*".into(), |i, _| i.citation.is_empty()),
            ("kind = ADEQUACY_DECISION".into(), |i, _| i.kind() == v1::instrument::Kind::AdequacyDecision),
            ("kind = KIND_DEROGATION OR kind = OTHER".into(), |i, _| matches!(i.kind(), v1::instrument::Kind::Derogation | v1::instrument::Kind::Other)),
            ("is_transfer_mechanism = true".into(), |i, _| i.is_transfer_mechanism),
            ("is_transfer_mechanism = false".into(), |i, _| !i.is_transfer_mechanism),
            ("origin = CATALOG".into(), |_, _| true),
            ("origin = CUSTOM".into(), |_, _| false),
            ("regimes:UK_GDPR".into(), |i, _| i.periods.iter().any(|p| p.regime() == v1::Regime::UkGdpr)),
            ("exporter_areas:CH".into(), |i, _| i.periods.iter().any(|p| p.exporter_areas().any(|a| a == v1::ExporterArea::Ch))),
            ("region_codes:US".into(), |i, _| i.importers.iter().any(|m| m.region_code == "US")),
            ("create_time:* AND update_time:*".into(), |_, _| true),
        ];
        for (filter, picks) in rows {
            let expected: Vec<_> = everything.iter().filter(|i| picks(i, one)).map(|i| i.name.rsplit('/').next().unwrap_or_default()).collect();
            assert_eq!(given::<v1::Instrument>(&mut server, &filter).await, expected.join(" "), "{filter}");
        }
        assert!(everything.len() > 10);

        place.set_clock("2026-03-24T00:00:00Z");
        let start = server.revision().await;
        let how = How { request_id: "id-1".into(), principal: "ops".into(), ..Default::default() };
        let made = v1::Vendor::create(&mut server, "new", Some(v1::Vendor::sample("New")), "", &how).await.expect("created");
        assert_eq!(made.create_time, Some(Timestamp { seconds: 1_774_310_400, nanos: 0 }));
        v1::Vendor::delete(&mut server, "vendors/new", "", LIVE).await.expect("deleted");
        for (filter, expected) in [
            (format!("number > {start}"), vec![start + 1, start + 2]),
            (format!("number = {}", start + 1), vec![start + 1]),
            ("principal = ops".into(), vec![start + 1]),
            ("method = \"VendorService/DeleteVendor\"".into(), vec![start + 2]),
            ("method = \"VendorService/*\"".into(), vec![start + 1, start + 2]),
            ("request_id = id-1".into(), vec![start + 1]),
            ("request_id:*".into(), vec![start + 1]),
            ("commit_time >= \"2026-03-24T00:00:00Z\" AND NOT principal = ops".into(), vec![start + 2]),
            ("number < 1".into(), vec![]),
        ] {
            let request = v1::ListRevisionsRequest { filter: filter.clone(), ..Default::default() };
            let page = server.log.list_revisions(request).await.expect("listed").into_inner();
            assert_eq!(page.revisions.iter().map(|r| r.number).collect::<Vec<_>>(), expected, "{filter}");
        }
    }
}
