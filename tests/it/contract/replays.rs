//! Request ids (AIP-155): the first answer again, for a day, for one caller, successes only.

use std::{fmt::Debug, future::Future};

use subprocessor_registry::proto::v1;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::subject::{How, Writable, each_labelled, each_writable, mask};
use crate::support::{Server, both, fresh, organization, refused};

const ACME: &str = "organizations/acme";
const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };

fn how(request_id: &str, principal: &str) -> How {
    How { request_id: request_id.into(), principal: principal.into(), ..Default::default() }
}

fn reused<T: Debug>(answer: Result<T, Status>, id: &str) {
    let status = refused(answer, Code::AlreadyExists, "REQUEST_ID_REUSED", &[]);
    assert_eq!(status.get_error_details().error_info().expect("info").metadata["request_id"], id);
}

async fn replays<R: Writable>(server: &mut Server) {
    let id = |what: &str| how(&format!("{what}-{}", R::COLLECTION), "");
    let name = R::name("again");
    let (c, u, d, b) = (id("create"), id("update"), id("delete"), id("back"));
    let start = server.revision().await;
    let two = || Some(R::sample("Two").with(&name, ""));
    let made = R::create(server, "again", Some(R::sample("One")), ACME, &c).await.expect("created");
    let updated = R::update(server, two(), None, &u).await.expect("updated");
    let deleted = R::delete(server, &name, "", &d).await.expect("deleted");
    let back = R::undelete(server, &name, "", &b).await.expect("undeleted");
    assert_eq!(server.revision().await, start + 4);
    // Each again, after all that came later: the first answer, and nothing is written. A dry run of it says the same.
    for dry in [false, true] {
        let [c, u, d, b] = [&c, &u, &d, &b].map(|how| How { validate_only: dry, ..how.clone() });
        assert_eq!(R::create(server, "again", Some(R::sample("One")), ACME, &c).await.expect("again"), made);
        assert_eq!(R::update(server, two(), None, &u).await.expect("again"), updated);
        assert_eq!(R::delete(server, &name, "", &d).await.expect("again"), deleted);
        assert_eq!(R::undelete(server, &name, "", &b).await.expect("again"), back);
    }
    // With anything else in it, or for another method, it is another request.
    reused(R::create(server, "again", Some(R::sample("Other")), ACME, &c).await, &c.request_id);
    reused(R::create(server, "again2", Some(R::sample("One")), ACME, &c).await, &c.request_id);
    reused(R::update(server, two(), mask(&["sources"]), &u).await, &u.request_id);
    reused(R::delete(server, &name, "etag", &d).await, &d.request_id);
    reused(R::delete(server, &name, "", &b).await, &b.request_id);
    reused(R::undelete(server, &name, "", &d).await, &d.request_id);
    let dry = How { validate_only: true, ..c.clone() };
    reused(R::create(server, "again", Some(R::sample("Other")), ACME, &dry).await, &c.request_id);
    assert_eq!(server.revision().await, start + 4);
    // Another caller's ids are its own.
    let other = how(&c.request_id, "somebody-else");
    let theirs = R::create(server, "theirs", Some(R::sample("Theirs")), ACME, &other).await.expect("its own");
    assert_eq!(R::create(server, "theirs", Some(R::sample("Theirs")), ACME, &other).await.expect("again"), theirs);
    assert_eq!(R::create(server, "again", Some(R::sample("One")), ACME, &c).await.expect("mine"), made);
    // An id that the server made is made once.
    let m = id("made");
    let first = R::create(server, "", Some(R::sample("Made")), ACME, &m).await.expect("created");
    assert_eq!(R::create(server, "", Some(R::sample("Made")), ACME, &m).await.expect("again"), first);
    // What failed, or was only tried, is not remembered.
    let f = id("failed");
    let missing = R::name("later");
    refused(R::delete(server, &missing, "", &f).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
    let tried = How { validate_only: true, ..f.clone() };
    R::create(server, "later", Some(R::sample("Later")), ACME, &tried).await.expect("tried");
    R::create(server, "later", Some(R::sample("Later")), ACME, LIVE).await.expect("created");
    let gone = R::delete(server, &missing, "", &f).await.expect("now it is there");
    assert_eq!(R::delete(server, &missing, "", &f).await.expect("again"), gone);
    // What changed nothing is remembered all the same.
    let n = id("nothing");
    let same = R::update(server, two(), None, &n).await.expect("no change");
    let third = Some(R::sample("Three").with(&name, ""));
    R::update(server, third, None, LIVE).await.expect("updated");
    assert_eq!(R::update(server, two(), None, &n).await.expect("again"), same);
}

async fn checks_ids<R: Writable>(server: &mut Server) {
    let before = server.revision().await;
    let long = "x".repeat(129);
    for bad in [" ", "a b", "ä", "a\0", "a\n", "\u{7f}", long.as_str()] {
        for dry in [false, true] {
            let how = How { validate_only: dry, ..How::id(bad) };
            let made = R::create(server, "c", Some(R::sample("C")), ACME, &how).await;
            refused(made, Code::InvalidArgument, "FIELD_INVALID", &["request_id"]);
        }
    }
    assert_eq!(server.revision().await, before);
    for good in ["!", "~", &"x".repeat(128), "';--", "2b1f1e3e-0b0a-4b0e-8b0e-0b0a4b0e8b0e"] {
        let id = format!("{good}{}", &R::COLLECTION[..1]);
        let id = &id[id.len().saturating_sub(128)..];
        R::create(server, "", Some(R::sample("C")), ACME, &How::id(id)).await.expect("a good id");
    }
}

/// Calls twice, and something else with the same id.
async fn twice<T, F>(mut call: impl FnMut(bool) -> F)
where
    T: PartialEq + Debug,
    F: Future<Output = Result<tonic::Response<T>, Status>>,
{
    let first = call(false).await.expect("done").into_inner();
    assert_eq!(call(false).await.expect("again").into_inner(), first);
    refused(call(true).await, Code::AlreadyExists, "REQUEST_ID_REUSED", &[]);
}

both! {
    async fn the_same_request_gives_the_first_answer(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        each_writable!(replays(&mut server));
        each_writable!(checks_ids(&mut server));
    }

    async fn so_do_all_other_writes(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let one = v1::Subprocessor::make(&mut server, "one", "One").await;
        let start = server.revision().await;
        let client = server.subprocessors.clone();
        let etag = |other: bool| if other { "other".to_owned() } else { String::new() };
        twice(|other| {
            let (mut client, request) = (client.clone(), v1::ActivateRequest { name: one.name.clone(), etag: etag(other), request_id: "1".into(), ..Default::default() });
            async move { client.activate(request).await }
        }).await;
        twice(|other| {
            let (mut client, request) = (client.clone(), v1::SuspendRequest { name: one.name.clone(), etag: etag(other), request_id: "2".into(), ..Default::default() });
            async move { client.suspend(request).await }
        }).await;
        twice(|other| {
            let (mut client, request) = (client.clone(), v1::RetireRequest { name: one.name.clone(), etag: etag(other), request_id: "3".into(), ..Default::default() });
            async move { client.retire(request).await }
        }).await;
        assert_eq!(server.revision().await, start + 3);
        let client = server.registry.clone();
        twice(|other| {
            let manifest = "organization: {id: second, display_name: Second}".to_owned();
            let (mut client, request) = (client.clone(), v1::ApplyManifestRequest { manifest, prune: other, request_id: "4".into(), ..Default::default() });
            async move { client.apply_manifest(request).await }
        }).await;
        assert_eq!(server.revision().await, start + 4);
        let client = server.log.clone();
        twice(|other| {
            let reason = if other { "other" } else { "asked" };
            let (mut client, request) = (client.clone(), v1::ErasePersonalDataRequest { name: one.name.clone(), reason: reason.into(), request_id: "5".into(), ..Default::default() });
            async move { client.erase_personal_data(request).await }
        }).await;
        assert_eq!(server.revision().await, start + 5);
        // An erasure takes the remembered answers about the resource with it.
        let request = v1::RetireRequest { name: one.name.clone(), request_id: "3".into(), ..Default::default() };
        refused(server.subprocessors.retire(request).await, Code::FailedPrecondition, "STATE_TRANSITION_REFUSED", &[]);
    }

    async fn after_a_day_it_is_forgotten(backend: Backend) {
        let (place, mut server) = fresh(backend).await; // 2026-03-23T10:00:00Z
        organization(&mut server, "acme").await;
        let id = How::id("one");
        let made = v1::Vendor::create(&mut server, "a", Some(v1::Vendor::sample("A")), "", &id).await.expect("created");
        let again = async |server: &mut Server| v1::Vendor::create(server, "a", Some(v1::Vendor::sample("A")), "", &id).await;
        place.set_clock("2026-03-24T09:59:59.999999Z");
        assert_eq!(again(&mut server).await.expect("remembered"), made);
        let other = v1::Vendor::create(&mut server, "b", Some(v1::Vendor::sample("B")), "", &id).await;
        refused(other, Code::AlreadyExists, "REQUEST_ID_REUSED", &[]);
        place.set_clock("2026-03-24T10:00:00Z");
        refused(again(&mut server).await, Code::AlreadyExists, "RESOURCE_EXISTS", &[]);
        let other = v1::Vendor::create(&mut server, "b", Some(v1::Vendor::sample("B")), "", &id).await.expect("a new request");
        let again = v1::Vendor::create(&mut server, "b", Some(v1::Vendor::sample("B")), "", &id).await.expect("again");
        assert_eq!(again, other);
        // Over a restart it is remembered.
        server.stop().await;
        let mut server = Server::start(&place).await;
        let again = v1::Vendor::create(&mut server, "b", Some(v1::Vendor::sample("B")), "", &id).await.expect("again");
        assert_eq!((again, server.revision().await), (other, 3));
    }

    async fn one_request_sent_many_times_at_once_happens_once(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let calls = (0..20).map(|_| {
            let mut client = server.vendors.clone();
            let request = v1::CreateVendorRequest { vendor: Some(v1::Vendor::sample("A")), request_id: "one".into(), ..Default::default() };
            tokio::spawn(async move { client.create_vendor(request).await.expect("created").into_inner() })
        }).collect::<Vec<_>>();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.expect("answered"));
        }
        answers.dedup();
        assert_eq!((answers.len(), server.revision().await), (1, 1));
    }
}
