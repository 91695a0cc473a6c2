//! Order: by code point on both databases (PostgreSQL under an ICU locale), absent values last, ties by name.

use subprocessor_registry::proto::v1;
use tonic::Code;

use super::subject::{Ask, How, Subject, Writable, at, each_labelled, ids, labels, walk};
use crate::support::{Place, Server, both, fresh, organization, refused, subprocessor};

const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };

/// Labels in the order of their code points. A locale would have "alpha", "Alpha", "aWS", "Ähnlich" … together.
const LABELS: [&str; 12] =
    ["!", "10", "9", "AWS", "Alpha", "Zeta", "_x", "aWS", "alpha", "zebra", "Ähnlich", "\u{1F600}"];

fn by(order_by: &str) -> Ask {
    Ask { order_by: order_by.into(), ..Default::default() }
}

/// What a list gives in an order, the same in one page and in many.
async fn order<R: Subject>(server: &mut Server, order_by: &str) -> Vec<R> {
    let whole = R::list(server, Ask { page_size: 1_000, ..by(order_by) }).await.expect("listed").items;
    for page_size in [1, 2, 5] {
        let walked: Vec<R> = walk(server, Ask { page_size, ..by(order_by) }).await;
        assert_eq!(walked, whole, "{} by {order_by:?}, {page_size} at a time", R::COLLECTION);
    }
    whole
}

async fn orders<R: Writable>(server: &mut Server, place: &Place, hour: u8) {
    let label = if R::sample("x").descriptor().get_field_by_name("title").is_some() { "title" } else { "display_name" };
    // Made in another order, under ids in yet another, each label twice.
    let mut made = Vec::new();
    for (n, text) in LABELS.iter().enumerate() {
        made.push(((n * 7 + 3) % 12, *text));
    }
    made.sort_unstable();
    for (n, text) in &made {
        place.set_clock(&format!("2026-03-24T{hour:02}:{n:02}:00.000001Z"));
        R::make(server, &format!("x{n:02}"), text).await;
        R::make(server, &format!("y{n:02}"), text).await;
    }
    let found = |items: Vec<R>| -> Vec<(String, String)> {
        let id = |item: &R| item.head().name.rsplit('/').next().unwrap_or_default().to_owned();
        items.iter().map(|item| (item.label(), id(item))).filter(|(_, id)| id.starts_with(['x', 'y'])).collect()
    };
    let id_of = |text: &str| made.iter().find(|(_, other)| *other == text).map(|(n, _)| *n).expect("made");
    let twice: Vec<_> = LABELS
        .iter()
        .flat_map(|text| ["x", "y"].map(|letter| ((*text).to_owned(), format!("{letter}{:02}", id_of(text)))))
        .collect();
    let backwards = |list: &[(String, String)]| list.iter().rev().cloned().collect::<Vec<_>>();
    assert_eq!(found(order(server, label).await), twice);
    assert_eq!(found(order(server, &format!("  {label}   asc ")).await), twice);
    assert_eq!(found(order(server, &format!("{label} desc")).await), backwards(&twice));

    let mut by_name = twice.clone();
    by_name.sort_by(|a, b| a.1.cmp(&b.1));
    for name in ["", "name", "name asc"] {
        assert_eq!(found(order(server, name).await), by_name);
    }
    assert_eq!(found(order(server, "name desc").await), backwards(&by_name));

    let mut by_time = twice.clone();
    by_time.sort_by(|a, b| (&a.1[1..], &a.1).cmp(&(&b.1[1..], &b.1)));
    for time in ["create_time", "update_time"] {
        assert_eq!(found(order(server, time).await), by_time);
        assert_eq!(found(order(server, &format!("{time} desc")).await), backwards(&by_time));
    }
    // The first one is changed last.
    place.set_clock(&format!("2026-03-24T{hour:02}:59:00Z"));
    let first = R::sample("!!").with(&R::name("x00"), "");
    R::update(server, Some(first), None, LIVE).await.expect("updated");
    assert_eq!(found(order(server, "update_time").await).last().expect("one").1, "x00");
    assert_eq!(found(order(server, "create_time").await).first().expect("one").1, "x00");

    let nonsense =
        ["nothing", "uid", "name desc desc", "name, create_time", "name DESC", "-name", "name;", "1", "\0", "name'"];
    let not_offered = ["region_code", "etag", "annotations", "products"];
    for bad in nonsense.iter().chain(&not_offered) {
        refused(R::list(server, by(bad)).await, Code::InvalidArgument, "ORDER_BY_INVALID", &["order_by"]);
    }
    let long = "x".repeat(100_000);
    refused(R::list(server, by(&long)).await, Code::InvalidArgument, "ORDER_BY_INVALID", &["order_by"]);
}

both! {
    async fn every_order_of_every_list(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let mut hour = 1;
        each_labelled!(orders(&mut server, &place, { hour += 1; hour }));
    }

    async fn absent_dates_come_last(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let dates = [("a", "", "2025-01-01"), ("b", "2020-05-01", ""), ("c", "", ""), ("d", "2019-12-31", "2024-01-01"),
            ("e", "2020-05-01", "2030-01-01"), ("f", "", "2025-01-01")];
        for (id, start, end) in dates {
            let one = v1::Subprocessor { display_name: id.into(), start_date: start.into(), end_date: end.into(), ..Default::default() };
            subprocessor(&mut server, "organizations/acme", id, one).await.expect("created");
        }
        for (order_by, expected) in [
            ("start_date", "d b e a c f"),
            ("start_date desc", "e b d f c a"),
            ("end_date", "d a f e b c"),
            ("end_date desc", "e f a d c b"),
        ] {
            let list: Vec<v1::Subprocessor> = order(&mut server, order_by).await;
            assert_eq!(list.iter().map(Subject::label).collect::<Vec<_>>().join(" "), expected, "{order_by}");
        }
        for bad in ["next_review_date", "state", "vendor", "listed"] {
            refused(v1::Subprocessor::list(&mut server, by(bad)).await, Code::InvalidArgument, "ORDER_BY_INVALID", &["order_by"]);
        }
    }

    async fn an_erased_version_does_not_stop_a_walk(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        for (id, start) in [("a", "2020-01-01"), ("b", "2021-01-01"), ("c", "2022-01-01"), ("d", "")] {
            let one = v1::Subprocessor { display_name: id.into(), start_date: start.into(), ..Default::default() };
            subprocessor(&mut server, "organizations/acme", id, one).await.expect("created");
        }
        let then = server.revision().await;
        for id in ["b", "c"] {
            v1::Subprocessor::update(&mut server, Some(v1::Subprocessor::sample("new").with(&v1::Subprocessor::name(id), "")), None, LIVE).await.expect("updated");
            let request = v1::ErasePersonalDataRequest { name: v1::Subprocessor::name(id), reason: "asked".into(), ..Default::default() };
            server.log.erase_personal_data(request).await.expect("erased");
        }
        for order_by in ["", "name desc", "display_name", "display_name desc", "start_date", "start_date desc", "end_date", "end_date desc",
            "create_time", "create_time desc", "update_time", "update_time desc"] {
            let ask = Ask { as_of: at(then), ..by(order_by) };
            let whole = v1::Subprocessor::list(&mut server, ask.clone()).await.expect("listed");
            let mut left = ids(&whole);
            for page_size in [1, 2, 3] {
                let walked: Vec<v1::Subprocessor> = walk(&mut server, Ask { page_size, ..ask.clone() }).await;
                assert_eq!(walked.iter().map(Subject::label).collect::<Vec<_>>(), labels(&whole), "{order_by}, {page_size}");
            }
            left.sort();
            assert_eq!(left, ["a", "d"], "{order_by}");
        }
    }

    async fn revisions_have_an_order_too(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        for id in ["a", "b", "c", "d", "e"] {
            organization(&mut server, id).await;
        }
        let ask = |order_by: &str, page_size, page_token: &str| v1::ListRevisionsRequest {
            order_by: order_by.into(), page_size, page_token: page_token.into(), ..Default::default()
        };
        for (order_by, expected) in [("", [1, 2, 3, 4, 5]), ("number", [1, 2, 3, 4, 5]), ("number desc", [5, 4, 3, 2, 1])] {
            for size in [0, 1, 2, 5, 5_000] {
                let (mut all, mut token) = (Vec::new(), String::new());
                loop {
                    let page = server.log.list_revisions(ask(order_by, size, &token)).await.expect("listed").into_inner();
                    all.extend(page.revisions.iter().map(|r| r.number));
                    token = page.next_page_token;
                    if token.is_empty() {
                        break;
                    }
                }
                assert_eq!(all, expected, "{order_by} {size}");
            }
        }
        refused(server.log.list_revisions(ask("", -1, "")).await, Code::InvalidArgument, "FIELD_INVALID", &["page_size"]);
        refused(server.log.list_revisions(ask("", 1, "x")).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
        for bad in ["commit_time", "name", "number number", "hash"] {
            refused(server.log.list_revisions(ask(bad, 1, "")).await, Code::InvalidArgument, "ORDER_BY_INVALID", &["order_by"]);
        }
        let token = server.log.list_revisions(ask("", 1, "")).await.expect("listed").into_inner().next_page_token;
        refused(server.log.list_revisions(ask("number desc", 1, &token)).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
    }
}
