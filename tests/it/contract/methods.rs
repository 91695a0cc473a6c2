//! The standard methods, on every kind that has them: what they give and what they refuse.

use std::collections::HashSet;

use subprocessor_registry::proto::v1;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::subject::{Ask, How, Subject, Writable, at, each_labelled, each_writable, ids, no_driver_text};
use crate::support::{Server, both, fresh, organization, refused};

const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };

/// The resource that a refusal names.
#[track_caller]
fn names(status: &Status, kind: &str, name: &str) {
    let details = status.get_error_details();
    let info = details.resource_info().unwrap_or_else(|| panic!("ResourceInfo in {status:?}"));
    assert_eq!((info.resource_type.as_str(), info.resource_name.as_str()), (kind, name));
    no_driver_text(status);
}

#[track_caller]
fn not_found<R: Subject>(answer: Result<R, Status>, name: &str) {
    let status = refused(answer, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
    names(&status, R::SINGULAR, name);
}

async fn lives<R: Writable>(server: &mut Server) {
    let before = server.revision().await;
    let sent = R::sample("One").with("organizations/other/nothing/x", "an etag that is ignored");
    let made = R::create(server, "one", Some(sent), "organizations/acme", LIVE).await.expect("created");
    let head = made.head();
    assert_eq!(
        (head.name.as_str(), head.revision, made.label().as_str()),
        (R::name("one").as_str(), before + 1, "One")
    );
    assert_eq!((head.create_time, head.delete_time), (head.update_time, None));
    assert!(uuid_v7(&head.uid) && !head.etag.is_empty(), "{head:?}");
    assert_eq!(R::get(server, &head.name, None).await.expect("got"), made);

    let changed = R::update(server, Some(R::sample("Two").with(&head.name, &head.etag)), None, LIVE).await;
    let changed = changed.expect("updated");
    let after = changed.head();
    assert_eq!((changed.label().as_str(), after.revision, after.uid == head.uid), ("Two", before + 2, true));
    assert_eq!((after.create_time, after.etag == head.etag), (head.create_time, false));

    // Sent again with the old etag: somebody else wrote in between, whatever is asked for.
    let stale = R::update(server, Some(R::sample("Three").with(&head.name, &head.etag)), None, LIVE).await;
    names(&refused(stale, Code::Aborted, "ETAG_STALE", &[]), R::SINGULAR, &head.name);
    refused(R::delete(server, &head.name, &head.etag, LIVE).await, Code::Aborted, "ETAG_STALE", &[]);
    refused(R::delete(server, &head.name, "nonsense", LIVE).await, Code::Aborted, "ETAG_STALE", &[]);

    // The same values make no revision, with and without etag.
    for etag in ["", after.etag.as_str()] {
        let same = R::update(server, Some(R::sample("Two").with(&head.name, etag)), None, LIVE).await.expect("same");
        assert_eq!((&same, server.revision().await), (&changed, before + 2));
    }
    let live = R::undelete(server, &head.name, "", LIVE).await;
    names(&refused(live, Code::FailedPrecondition, "RESOURCE_NOT_DELETED", &[]), R::SINGULAR, &head.name);

    let deleted = R::delete(server, &head.name, &after.etag, LIVE).await.expect("deleted");
    let gone = deleted.head();
    assert_eq!((gone.revision, gone.delete_time, gone.update_time), (before + 3, gone.update_time, gone.delete_time));
    assert!(gone.delete_time.is_some() && gone.etag != after.etag);
    assert_eq!(R::get(server, &head.name, None).await.expect("a deleted one is returned"), deleted);
    not_found(R::delete(server, &head.name, "", LIVE).await, &head.name);
    let dead = R::update(server, Some(R::sample("Four").with(&head.name, "")), None, LIVE).await;
    names(&refused(dead, Code::FailedPrecondition, "RESOURCE_DELETED", &[]), R::SINGULAR, &head.name);
    // An id is never given again, and says so also in a dry run.
    for how in [LIVE, &How::dry()] {
        let again = R::create(server, "one", Some(R::sample("Again")), "organizations/acme", how).await;
        names(&refused(again, Code::AlreadyExists, "RESOURCE_EXISTS", &[]), R::SINGULAR, &head.name);
    }
    let hidden = R::list(server, Ask { filter: format!("name = {:?}", head.name), ..Default::default() }).await;
    assert_eq!(ids(&hidden.expect("listed")), Vec::<String>::new());
    refused(R::undelete(server, &head.name, &after.etag, LIVE).await, Code::Aborted, "ETAG_STALE", &[]);

    let back = R::undelete(server, &head.name, &gone.etag, LIVE).await.expect("undeleted");
    assert_eq!((back.head().revision, back.head().delete_time, back.head().uid), (before + 4, None, head.uid.clone()));
    assert_eq!(back.label(), "Two");
    let twice = R::create(server, "one", Some(R::sample("Again")), "organizations/acme", LIVE).await;
    refused(twice, Code::AlreadyExists, "RESOURCE_EXISTS", &[]);
    // History keeps every version, and nothing before the first.
    for (revision, label, deleted) in [(1, "One", false), (2, "Two", false), (3, "Two", true), (4, "Two", false)] {
        let then = R::get(server, &head.name, at(before + revision)).await.expect("then");
        assert_eq!((then.label().as_str(), then.head().delete_time.is_some()), (label, deleted));
    }
    not_found(R::get(server, &head.name, at(before)).await, &head.name);
    assert_eq!(server.revision().await, before + 4, "refusals write nothing");
}

fn uuid_v7(text: &str) -> bool {
    text.len() == 36 && text.as_bytes()[14] == b'7'
}

async fn takes_ids<R: Writable>(server: &mut Server) {
    let longest = "x".repeat(63);
    for id in ["a", "0", "2023-list", "a--b", longest.as_str()] {
        let made = R::create(server, id, Some(R::sample(id)), "organizations/acme", LIVE).await.expect("a good id");
        assert_eq!(made.head().name, R::name(id));
    }
    let before = server.revision().await;
    let too_long = "x".repeat(64);
    let field = format!("{}_id", R::SINGULAR);
    for id in ["A", "-a", "a-", "-", "a b", "a/b", "a.b", "a_b", "ä", "a\0", " a", "a\n", "'; --", &too_long] {
        for how in [LIVE, &How::dry()] {
            let answer = R::create(server, id, Some(R::sample("x")), "organizations/acme", how).await;
            no_driver_text(&refused(answer, Code::InvalidArgument, "FIELD_INVALID", &[&field]));
        }
    }
    assert_eq!(server.revision().await, before);
    let mut made = HashSet::new();
    for n in 0..5 {
        let one = R::create(server, "", Some(R::sample(&format!("g{n}"))), "organizations/acme", LIVE).await;
        let name = one.expect("an id is made").head().name;
        let id = name.strip_prefix(&R::name("")).expect("in its collection").to_owned();
        assert!(!id.is_empty() && id.len() <= 63 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{id}");
        assert!(made.insert(id));
        R::get(server, &name, None).await.expect("found by the name that was made");
    }
}

/// Names of other kinds, of nothing, and with tricks in them.
fn bad_names<R: Subject>() -> Vec<String> {
    let other = if R::COLLECTION == "vendors" { "organizations/acme" } else { "vendors/acme" };
    let good = R::name("one");
    let mut bad: Vec<String> =
        ["", "x", "/", "revisions/1", "organizations/-", "vendors/-", other].iter().map(|s| (*s).to_owned()).collect();
    bad.extend([
        format!("{good}/"),
        format!("/{good}"),
        format!("{good}/x"),
        format!("{good}\0"),
        format!("{good}\n"),
        format!(" {good}"),
        format!("{good}' OR '1'='1"),
        good.to_uppercase(),
        R::name(""),
        R::name("-"),
        R::name(&"x".repeat(64)),
        R::name(&"x".repeat(100_000)),
    ]);
    if R::HAS_PARENT {
        bad.extend([R::name("one").replace("acme", "-"), format!("{}/one", R::COLLECTION)]);
    }
    bad
}

async fn reads_names<R: Subject>(server: &mut Server) {
    for name in bad_names::<R>() {
        let status = refused(R::get(server, &name, None).await, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
        no_driver_text(&status);
        assert!(status.message().chars().count() <= 201, "an answer does not grow with the request");
    }
    not_found(R::get(server, &R::name("nothing"), None).await, &R::name("nothing"));
    not_found(R::get(server, &R::name("nothing"), at(0)).await, &R::name("nothing"));
}

async fn writes_names<R: Writable>(server: &mut Server) {
    let before = server.revision().await;
    let field = format!("{}.name", R::SINGULAR);
    for how in [LIVE, &How::dry()] {
        for name in bad_names::<R>() {
            let updated = R::update(server, Some(R::sample("x").with(&name, "")), None, how).await;
            refused(updated, Code::InvalidArgument, "FIELD_INVALID", &[&field]);
            refused(R::delete(server, &name, "", how).await, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
            refused(R::undelete(server, &name, "", how).await, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
        }
        let name = R::name("nothing");
        not_found(R::update(server, Some(R::sample("x").with(&name, "")), None, how).await, &name);
        not_found(R::delete(server, &name, "", how).await, &name);
        not_found(R::undelete(server, &name, "", how).await, &name);
        // What is required, all of it at once.
        let label = R::sample("x").descriptor().get_field_by_name("title").map_or("display_name", |_| "title");
        let label = format!("{}.{label}", R::SINGULAR);
        refused(R::update(server, None, None, how).await, Code::InvalidArgument, "FIELD_INVALID", &[R::SINGULAR]);
        let none = R::create(server, "x", None, "organizations/acme", how).await;
        refused(none, Code::InvalidArgument, "FIELD_INVALID", &[R::SINGULAR]);
        let blank = R::create(server, "x", Some(R::sample(" \u{a0}\n ")), "organizations/acme", how).await;
        refused(blank, Code::InvalidArgument, "FIELD_INVALID", &[&label]);
        let all = R::create(server, "X", Some(R::sample("")), "nowhere", how).await;
        let id = format!("{}_id", R::SINGULAR);
        let fields: &[&str] = if R::HAS_PARENT { &["parent", &id, &label] } else { &[&id, &label] };
        refused(all, Code::InvalidArgument, "FIELD_INVALID", fields);
        if R::HAS_PARENT {
            for parent in ["", "organizations/-", "vendors/acme", "organizations/ACME", "organizations/acme/", "-"] {
                let lost = R::create(server, "x", Some(R::sample("x")), parent, how).await;
                refused(lost, Code::InvalidArgument, "FIELD_INVALID", &["parent"]);
            }
            let lost = R::create(server, "x", Some(R::sample("x")), "organizations/nobody", how).await;
            let status = refused(lost, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
            names(&status, "organization", "organizations/nobody");
        }
    }
    assert_eq!(server.revision().await, before);
}

both! {
    async fn a_resource_lives(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        each_writable!(lives(&mut server));
    }

    async fn ids_are_chosen_or_made(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        each_writable!(takes_ids(&mut server));
    }

    async fn names_are_checked_and_what_they_name_is_looked_for(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        each_writable!(reads_names(&mut server));
        each_labelled!(writes_names(&mut server));
        reads_names::<v1::Instrument>(&mut server).await;
    }

    async fn what_has_a_name_under_one_parent_has_none_under_another(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        organization(&mut server, "other").await;
        v1::Customer::make(&mut server, "one", "One").await;
        let same_id = v1::Customer::create(&mut server, "one", Some(v1::Customer::sample("O")), "organizations/other", LIVE);
        assert_eq!(same_id.await.expect("its own").name, "organizations/other/customers/one");
        not_found(v1::Document::get(&mut server, "organizations/acme/documents/one", None).await, "organizations/acme/documents/one");
    }
}
