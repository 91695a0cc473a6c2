//! Every list: sizes, tokens, one revision for a whole walk, deleted ones, all parents at once.

use subprocessor_registry::{
    proto::v1,
    resource::page::{Position, Query},
};
use tonic::Code;

use super::subject::{
    Ask, How, Page, Subject, Writable, at, each_labelled, each_writable, ids, labels, no_driver_text, walk,
};
use crate::support::{Place, Server, both, fresh, organization, refused};

const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };

fn sized(page_size: i32) -> Ask {
    Ask { page_size, ..Default::default() }
}

/// What holds for every list, whatever is in it: at least three of them, none changing.
async fn pages<R: Subject>(server: &mut Server) {
    let all: Vec<R> = walk(server, Ask::default()).await;
    assert!(all.len() > 2, "{}", R::COLLECTION);
    let names: Vec<_> = all.iter().map(|item| item.head().name).collect();
    assert!(names.is_sorted(), "by name: {names:?}");
    let now = server.revision().await;
    for size in [1, 2, 3, 49, 51, 1_000, 1_001, i32::MAX] {
        let mut ask = sized(size);
        let mut walked: Vec<R> = Vec::new();
        loop {
            let page: Page<R> = R::list(server, ask.clone()).await.expect("a page");
            let most = usize::try_from(size).expect("positive").min(1_000);
            let rest = all.len() - walked.len();
            assert_eq!((page.items.len(), page.next.is_empty(), page.revision), (most.min(rest), rest <= most, now));
            walked.extend(page.items);
            if page.next.is_empty() {
                break;
            }
            ask.page_token = page.next;
        }
        assert_eq!(walked, all, "{} by {size}", R::COLLECTION);
    }
    // The size may change from page to page.
    let first: Page<R> = R::list(server, sized(1)).await.expect("a page");
    let rest: Vec<R> = walk(server, Ask { page_token: first.next, ..sized(40) }).await;
    assert_eq!((first.items.as_slice(), rest.as_slice()), all.split_at(1));
    let page = R::list(server, sized(0)).await.expect("a page");
    assert_eq!(page.items.len(), all.len().min(50), "50 where nothing is asked for");
    for size in [-1, i32::MIN] {
        refused(R::list(server, sized(size)).await, Code::InvalidArgument, "FIELD_INVALID", &["page_size"]);
    }
}

/// A token belongs to one query of one list.
async fn tokens<R: Subject>(server: &mut Server) {
    let token = R::list(server, sized(1)).await.expect("a page").next;
    let base = Ask { page_token: token.clone(), page_size: 1, ..Default::default() };
    R::list(server, base.clone()).await.expect("its own query");
    let now = server.revision().await;
    let mut others = vec![
        Ask { filter: "name:*".into(), ..base.clone() },
        Ask { filter: " ".into(), ..base.clone() },
        Ask { order_by: "name desc".into(), ..base.clone() },
        Ask { order_by: "create_time".into(), ..base.clone() },
        Ask { show_deleted: true, ..base.clone() },
        Ask { as_of: at(now), ..base.clone() },
    ];
    if R::HAS_PARENT {
        others.push(Ask { parent: "organizations/acme".into(), ..base.clone() });
    }
    let mut forged = token.clone().into_bytes();
    forged[30] = if forged[30] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("ASCII");
    let cut = &token[..token.len() - 4];
    let zeros = "A".repeat(64);
    let long = "A".repeat(100_000);
    let tail = format!("{token}AAAA");
    let spaced = format!(" {token}");
    for bad in ["x", "!!", "=", "AAAA", "\0", "' OR 1=1", "é", &forged, cut, &zeros, &long, &tail, &spaced] {
        others.push(Ask { page_token: bad.into(), ..base.clone() });
    }
    for ask in others {
        let answer = R::list(server, ask).await;
        no_driver_text(&refused(answer, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]));
    }
}

/// A walk shows one revision while others write.
async fn walks_while_others_write<R: Writable>(server: &mut Server) {
    for (id, label) in [("m1", "One"), ("m3", "Three"), ("m5", "Five"), ("m7", "Seven")] {
        R::make(server, id, label).await;
    }
    let ask = Ask { filter: format!("name = \"{}*\"", R::name("m")), page_size: 1, ..Default::default() };
    for order in ["", "name desc", "update_time"] {
        let ask = Ask { order_by: order.into(), ..ask.clone() };
        let whole: Vec<R> = walk(server, Ask { page_size: 100, ..ask.clone() }).await;
        let first = R::list(server, ask.clone()).await.expect("a page");
        let revision = first.revision;
        let mut walked = first.items;
        let mut token = first.next;
        let mut step = 0;
        while !token.is_empty() {
            step += 1;
            // In front of the walk and behind it: new, changed and gone.
            let (new, label) = (format!("m{step}-{}", order.len()), format!("New {step} {order}"));
            R::make(server, &new, &label).await;
            let changed = R::sample(&format!("Changed {step} {order}")).with(&R::name("m5"), "");
            R::update(server, Some(changed), None, LIVE).await.expect("updated");
            R::delete(server, &R::name(&new), "", LIVE).await.expect("deleted");
            let page = R::list(server, Ask { page_token: token, ..ask.clone() }).await.expect("a page");
            assert_eq!(page.revision, revision);
            walked.extend(page.items);
            token = page.next;
        }
        assert_eq!(walked, whole, "{} {order}", R::COLLECTION);
        assert_eq!(walk::<R>(server, Ask { as_of: at(revision), ..ask.clone() }).await, whole);
    }
}

async fn shows_deleted<R: Writable>(server: &mut Server) {
    for id in ["d1", "d2", "d3"] {
        R::make(server, id, id).await;
    }
    let live = server.revision().await;
    R::delete(server, &R::name("d2"), "", LIVE).await.expect("deleted");
    let ask = Ask { filter: format!("name = \"{}*\"", R::name("d")), ..Default::default() };
    let with = Ask { show_deleted: true, ..ask.clone() };
    assert_eq!(ids(&R::list(server, ask.clone()).await.expect("listed")), ["d1", "d3"]);
    let all = R::list(server, with.clone()).await.expect("listed");
    assert_eq!(ids(&all), ["d1", "d2", "d3"]);
    assert_eq!(all.items.iter().map(|r| r.head().delete_time.is_some()).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(
        ids(&R::list(server, Ask { as_of: at(live), ..ask.clone() }).await.expect("listed")),
        ["d1", "d2", "d3"]
    );
    let walked: Vec<R> = walk(server, Ask { page_size: 1, ..with }).await;
    assert_eq!(walked.len(), 3);
    R::undelete(server, &R::name("d2"), "", LIVE).await.expect("undeleted");
    assert_eq!(ids(&R::list(server, ask.clone()).await.expect("listed")), ["d1", "d2", "d3"]);
    let then = Ask { as_of: at(live + 1), ..ask };
    assert_eq!(ids(&R::list(server, then).await.expect("listed")), ["d1", "d3"]);
}

/// A manifest of an organization with so many of each.
async fn fill(server: &mut Server, id: &str, vendors: usize, each: usize, customers: usize) {
    use std::fmt::Write;
    let mut text = format!("organization:\n  id: {id}\n  display_name: Filled\nvendors:\n");
    for n in 0..vendors {
        let _ = write!(text, "  - id: {id}-v{n:04}\n    display_name: V{n}\n");
    }
    text.push_str("documents:\n");
    for n in 0..each {
        let _ = write!(text, "  - id: d{n:04}\n    title: D{n}\n    kind: DPA\n");
    }
    text.push_str("subprocessors:\n");
    for n in 0..each {
        let _ = write!(text, "  - id: s{n:04}\n    display_name: S{n}\n");
    }
    text.push_str("customers:\n");
    for n in 0..customers {
        let _ = write!(text, "  - id: c{n:04}\n    display_name: C{n}\n");
    }
    let request = v1::ApplyManifestRequest { manifest: text, ..Default::default() };
    server.registry.apply_manifest(request).await.expect("applied");
}

both! {
    async fn pages_of_every_list(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
        fill(&mut server, "acme", 1, 70, 600).await;
        fill(&mut server, "other", 1, 1, 450).await;
        for n in 0..55 {
            organization(&mut server, &format!("o{n}")).await;
        }
        pages::<v1::Organization>(&mut server).await;
        pages::<v1::Document>(&mut server).await;
        pages::<v1::Vendor>(&mut server).await;
        pages::<v1::Subprocessor>(&mut server).await;
        pages::<v1::Instrument>(&mut server).await;
        // A thousand at most: with more of them the largest page has a next one.
        let most = v1::Customer::list(&mut server, sized(2_000)).await.expect("a page");
        assert_eq!((most.items.len(), most.next.is_empty()), (1_000, false));
        let rest = v1::Customer::list(&mut server, Ask { page_token: most.next, ..sized(2_000) }).await.expect("a page");
        assert_eq!((rest.items.len(), rest.next.as_str()), (50, ""));
        assert_eq!(v1::Customer::list(&mut server, sized(0)).await.expect("a page").items.len(), 50);
        refused(v1::Customer::list(&mut server, sized(-1)).await, Code::InvalidArgument, "FIELD_INVALID", &["page_size"]);
        assert_eq!(walk::<v1::Customer>(&mut server, Ask { page_size: 97, ..Default::default() }).await.len(), 1_050);
        tokens::<v1::Organization>(&mut server).await;
        tokens::<v1::Document>(&mut server).await;
        tokens::<v1::Vendor>(&mut server).await;
        tokens::<v1::Subprocessor>(&mut server).await;
        tokens::<v1::Customer>(&mut server).await;
        tokens::<v1::Instrument>(&mut server).await;
        // Nor does a token of one list open another.
        let token = v1::Customer::list(&mut server, sized(1)).await.expect("a page").next;
        let answer = v1::Document::list(&mut server, Ask { page_token: token, ..sized(1) }).await;
        refused(answer, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
        let page = v1::ListSubprocessorsRequest { parent: "organizations/-".into(), page_size: 1, ..Default::default() };
        let token = server.subprocessors.list_subprocessors(page.clone()).await.expect("a page").into_inner().next_page_token;
        let day = v1::ListSubprocessorsRequest { page_token: token, effective_at: "2026-01-01".into(), ..page };
        refused(server.subprocessors.list_subprocessors(day).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
    }

    async fn a_walk_shows_one_revision(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        each_writable!(walks_while_others_write(&mut server));
        each_writable!(shows_deleted(&mut server));
    }

    async fn a_token_that_somebody_made_grants_nothing(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        organization(&mut server, "other").await;
        for (id, parent) in [("a", "organizations/acme"), ("b", "organizations/other"), ("c", "organizations/acme")] {
            v1::Customer::create(&mut server, id, Some(v1::Customer::sample(id)), parent, LIVE).await.expect("created");
        }
        // Sealed as the server does it: the seal is no secret, so what is inside must not matter.
        let query = Query::of("customers", &["organizations/acme", "", "", "", "None", ""]);
        let ask = |revision: i64, name: &str| {
            let position = Position { revision, name: name.into(), text: "'; --".into(), number: i64::MIN, ..Position::default() };
            Ask { parent: "organizations/acme".into(), page_token: query.token(&position), ..Default::default() }
        };
        let all = v1::Customer::list(&mut server, ask(5, "")).await.expect("a page");
        assert_eq!(ids(&all), ["a", "c"]);
        assert_eq!(ids(&v1::Customer::list(&mut server, ask(3, "")).await.expect("a page")), ["a"]);
        assert_eq!(labels(&v1::Customer::list(&mut server, ask(5, "' OR ''='")).await.expect("a page")), ["a", "c"]);
        assert_eq!(ids(&v1::Customer::list(&mut server, ask(5, "zzz")).await.expect("a page")), Vec::<String>::new());
        refused(v1::Customer::list(&mut server, ask(6, "")).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        let negative = v1::Customer::list(&mut server, ask(-1, "")).await;
        no_driver_text(&refused(negative, Code::InvalidArgument, "FIELD_INVALID", &[]));
        // Nothing existed then, not even the parent.
        refused(v1::Customer::list(&mut server, ask(0, "")).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
    }

    async fn parents_one_or_all(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        organization(&mut server, "acme-2").await;
        organization(&mut server, "empty").await;
        async fn check<R: Writable>(server: &mut Server) {
            for (id, parent) in [("a", "organizations/acme"), ("a", "organizations/acme-2"), ("b", "organizations/acme")] {
                R::create(server, id, Some(R::sample(id)), parent, LIVE).await.expect("created");
            }
            let under = |parent: &str| Ask { parent: parent.into(), ..Default::default() };
            let named = |ids: &[&str]| ids.iter().map(|id| id.replace('C', R::COLLECTION)).collect::<Vec<_>>();
            for (parent, expected) in [
                ("organizations/acme", named(&["organizations/acme/C/a", "organizations/acme/C/b"])),
                ("organizations/acme-2", named(&["organizations/acme-2/C/a"])),
                ("organizations/empty", vec![]),
                // By code point `-` comes before `/`.
                ("organizations/-", named(&["organizations/acme-2/C/a", "organizations/acme/C/a", "organizations/acme/C/b"])),
            ] {
                let page = R::list(server, under(parent)).await.expect("listed");
                assert_eq!(page.items.iter().map(|r| r.head().name).collect::<Vec<_>>(), expected, "{parent}");
                let walked: Vec<R> = walk(server, Ask { page_size: 1, ..under(parent) }).await;
                assert_eq!(walked, page.items);
            }
            for bad in ["organizations", "organizations/", "organizations/ACME", "vendors/acme", "-", "organizations/acme/", "organizations/-/x", "\0"] {
                refused(R::list(server, under(bad)).await, Code::InvalidArgument, "FIELD_INVALID", &["parent"]);
            }
            refused(R::list(server, under("organizations/nobody")).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
            let then = Ask { as_of: at(0), ..under("organizations/acme") };
            refused(R::list(server, then).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        }
        check::<v1::Document>(&mut server).await;
        check::<v1::Customer>(&mut server).await;
        check::<v1::Subprocessor>(&mut server).await;
        let none = v1::ListCustomersRequest::default();
        refused(server.organizations.list_customers(none).await, Code::InvalidArgument, "FIELD_INVALID", &["parent"]);
        let none = v1::ListDocumentsRequest::default();
        refused(server.organizations.list_documents(none).await, Code::InvalidArgument, "FIELD_INVALID", &["parent"]);
        let none = v1::ListSubprocessorsRequest::default();
        refused(server.subprocessors.list_subprocessors(none).await, Code::InvalidArgument, "FIELD_INVALID", &["parent"]);
    }
}
