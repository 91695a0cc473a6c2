//! What is no filter: refused with what is wrong, on every list, and never with a word of the database's.

use subprocessor_registry::proto::v1;
use tonic::Code;

use super::subject::{Ask, Subject, no_driver_text};
use crate::support::{Server, both, fresh, refused};

/// Nothing of this is a filter, for any list.
fn nonsense() -> Vec<String> {
    let mut all: Vec<String> = [
        "nothing = 1",
        "uid = x",
        "etag:*",
        "revision > 1",
        "delete_time:*",
        "sources:x",
        "annotations.k = v",
        "annotations:k",
        "name.x = y",
        "from_revision = 1",
        "resource_id = 1",
        "body:*",
        "salt:*",
        "organization_id = 1",
        "deleted = true",
        "to_revision:*",
        "name",
        "\"x\"",
        "*",
        "name =",
        "= x",
        "name = = x",
        "name == x",
        "name ~ x",
        "name <> x",
        "name LIKE x",
        "name IN (a, b)",
        "name = (a OR b)",
        "name:(a b)",
        "name = a AND",
        "AND name = a",
        "OR",
        "NOT",
        "name = a OR OR name = b",
        "(name = a",
        "name = a)",
        "()",
        "name = \"a",
        "name = 'a",
        "name = \"*a\"",
        "name = \"*a*\"",
        "name > \"a*\"",
        "upper(name) = A",
        "name = lower(A)",
        "f()",
        "name = a; DROP TABLE vendor",
        "name = a -- comment AND",
        "name = \"a\0b\"",
        "name = \"a\u{7}b\"",
        "na\0me = a",
        "create_time > yesterday",
        "create_time > 5",
        "create_time = 2026-01-01",
        "create_time = \"2026-01-01\"",
        "create_time = \"2026-13-01T00:00:00Z\"",
        "create_time = \"2026-01-01T00:00:00\"",
        "create_time = \"99999-01-01T00:00:00Z\"",
        "create_time:\"2026*\"",
        "name = 'x' UNION SELECT",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push(vec!["name = a"; 65].join(" AND "));
    all.push(vec!["name = a"; 65].join(" OR "));
    all.push(vec!["name = a"; 65].join(" "));
    all.push(format!("{}name = a{}", "(".repeat(40), ")".repeat(40)));
    all.push(format!("{}name = a{}", "(".repeat(2_000), ")".repeat(2_000)));
    all.push(format!("{}name = a{}", "NOT (".repeat(500), ")".repeat(500)));
    all.push("(".repeat(4_000));
    all.push(format!("name = \"{}\"", "x".repeat(4_100)));
    all.push(format!("name = \"{}\"", "\u{1F600}".repeat(200_000)));
    all.push(format!("{} = x", "y".repeat(3_000)));
    all.push(format!("{}x = y", "x.".repeat(1_500)));
    all
}

#[track_caller]
fn checked<T: std::fmt::Debug>(answer: Result<T, tonic::Status>, filter: &str) {
    let shown: String = filter.chars().take(80).collect();
    assert!(answer.is_err(), "{shown} was answered: {answer:?}");
    let status = refused(answer, Code::InvalidArgument, "FILTER_INVALID", &["filter"]);
    no_driver_text(&status);
    assert!(status.message().chars().count() <= 201 && status.details().len() < 4_096, "{shown}");
}

async fn refuses<R: Subject>(server: &mut Server, own: &[&str]) {
    for filter in nonsense().iter().map(String::as_str).chain(own.iter().copied()) {
        checked(R::list(server, Ask { filter: filter.into(), ..Default::default() }).await, filter);
    }
    // As much as is allowed.
    let most = vec!["name = a"; 64].join(" OR ");
    let deep = format!("{}name = a{}", "(".repeat(30), ")".repeat(30));
    let nots = format!("{}name = a{}", "NOT (".repeat(30), ")".repeat(30));
    let long = format!("name = \"{}\"", "x".repeat(4_000));
    for filter in [most, deep, nots, long] {
        R::list(server, Ask { filter, ..Default::default() }).await.expect("answered");
    }
}

both! {
    async fn what_is_no_filter_is_refused_everywhere(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        refuses::<v1::Organization>(&mut server, &["role = WHAT", "role > PROCESSOR", "role = 2", "regimes = EU_GDPR", "regimes:WHAT",
            "regimes != EU_GDPR", "products = x", "products.product_id = x", "website_uri = x", "state = ACTIVE"]).await;
        refuses::<v1::Document>(&mut server, &["kind = WHAT", "kind < DPA", "stated_date = 2023-02-30", "stated_date = 0000-01-01",
            "stated_date > 9999-12-31", "stated_date = yesterday", "stated_date = \"2020*\"", "stated_date = 20200101", "claims:x"]).await;
        refuses::<v1::Customer>(&mut server, &["end_date < 2026-1-1", "products > x", "agreement.notice_days > 3", "contacts:x"]).await;
        refuses::<v1::Vendor>(&mut server, &["origin = SOMETHING", "aliases = x", "aliases > x", "entities.region_code = US", "services:x"]).await;
        refuses::<v1::Subprocessor>(&mut server, &["state = active", "state = 3", "state >= ACTIVE", "state = STATE_", "listed = maybe", "listed = 1",
            "listed > false", "listed = TRUE", "start_date = \"\"", "start_date < \"2020-01-01T00:00:00Z\"", "areas = EU", "start_date_desc = 2020-01-01"]).await;
        refuses::<v1::Instrument>(&mut server, &["kind = LAW", "is_transfer_mechanism = yes", "exporter_areas:EEA", "periods.regime = EU_GDPR"]).await;
        for filter in ["hash = x", "number = x", "number = 99999999999999999999", "number = 1.5", "number = \"*\"", "name = x", "commit_time > 5", "changes:x", "format = 1"] {
            let request = v1::ListRevisionsRequest { filter: filter.into(), ..Default::default() };
            checked(server.log.list_revisions(request).await, filter);
        }
    }

    async fn many_words_are_no_harm(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        // Each is short enough to be read; none may bring the server or its database down.
        for filter in ["NOT ".repeat(1_000) + "name = a", "-".repeat(4_000) + "name = a", "NOT -".repeat(800) + "name = a",
            "- ".repeat(2_000) + "name = a", "NOT (".repeat(31) + "name = a" + &")".repeat(31)] {
            for _ in 0..2 {
                match v1::Vendor::list(&mut server, Ask { filter: filter.clone(), ..Default::default() }).await {
                    Ok(page) => assert_eq!(page.items, vec![]),
                    Err(status) => checked::<()>(Err(status), &filter),
                }
            }
        }
        server.revision().await;
    }
}
