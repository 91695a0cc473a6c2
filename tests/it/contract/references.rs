//! What refers to what: a reference must lead somewhere, and what is referred to stays.

use subprocessor_registry::proto::v1;
use tonic::Code;
use tonic_types::StatusExt;

use super::subject::{How, Writable, at, mask, no_driver_text};
use crate::support::{Server, both, fresh, organization, preconditions, refused, subprocessor, vendor};

const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };
const ACME: &str = "organizations/acme";

fn pairs(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| ("REFERENCE".to_owned(), (*name).to_owned())).collect()
}

fn claim(subject: &str, instrument: &str) -> v1::Claim {
    v1::Claim {
        kind: v1::claim::Kind::SubprocessorUse.into(),
        quote: "we use".into(),
        subject: subject.into(),
        instrument: instrument.into(),
        ..Default::default()
    }
}

/// A resource that refers to others: each with one reference that does not lead anywhere.
fn dangling() -> Vec<(Refers, &'static str)> {
    let engagement = |change: fn(&mut v1::Subprocessor)| {
        let mut one = v1::Subprocessor { display_name: "S".into(), ..Default::default() };
        change(&mut one);
        Refers::Subprocessor(one)
    };
    let document = |claims: Vec<v1::Claim>| Refers::Document(v1::Document { claims, ..v1::Document::sample("D") });
    let agreement = v1::Agreement { document: "organizations/acme/documents/none".into(), ..Default::default() };
    vec![
        (engagement(|s| s.vendor = "vendors/none".into()), "vendors/none"),
        (engagement(|s| s.alternative_vendors = vec!["vendors/kept".into(), "vendors/none".into()]), "vendors/none"),
        (
            engagement(|s| s.engaged_by = "organizations/acme/subprocessors/none".into()),
            "organizations/acme/subprocessors/none",
        ),
        (
            engagement(|s| {
                s.dpa = Some(v1::Dpa { document: "organizations/acme/documents/none".into(), ..Default::default() });
            }),
            "organizations/acme/documents/none",
        ),
        (document(vec![claim("vendors/none", "")]), "vendors/none"),
        (document(vec![claim("vendors/kept", "instruments/none")]), "instruments/none"),
        (
            Refers::Customer(v1::Customer { agreement: Some(agreement), ..v1::Customer::sample("C") }),
            "organizations/acme/documents/none",
        ),
        (
            Refers::Vendor(v1::Vendor { parent_vendor: "vendors/none".into(), ..v1::Vendor::sample("V") }),
            "vendors/none",
        ),
    ]
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // A handful of them, once.
enum Refers {
    Subprocessor(v1::Subprocessor),
    Document(v1::Document),
    Customer(v1::Customer),
    Vendor(v1::Vendor),
}

/// The refusal of one that is written, new or in the place of what is there.
async fn refusal(server: &mut Server, refers: &Refers, how: &How, update: bool) -> tonic::Status {
    async fn of<R: Writable>(server: &mut Server, message: &R, how: &How, update: bool) -> tonic::Status {
        let answer = if update {
            R::update(server, Some(message.clone().with(&R::name("there"), "")), mask(&["*"]), how).await
        } else {
            R::create(server, "new", Some(message.clone()), ACME, how).await
        };
        answer.expect_err("a refusal")
    }
    match refers {
        Refers::Subprocessor(message) => of(server, message, how, update).await,
        Refers::Document(message) => of(server, message, how, update).await,
        Refers::Customer(message) => of(server, message, how, update).await,
        Refers::Vendor(message) => of(server, message, how, update).await,
    }
}

async fn kept(server: &mut Server) {
    organization(server, "acme").await;
    vendor(server, "kept").await;
    v1::Subprocessor::make(server, "there", "There").await;
    v1::Document::make(server, "there", "There").await;
    v1::Customer::make(server, "there", "There").await;
    v1::Vendor::make(server, "there", "There").await;
}

both! {
    async fn a_reference_leads_somewhere(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        kept(&mut server).await;
        let before = server.revision().await;
        for (refers, missing) in dangling() {
            for (how, update) in [(LIVE, false), (&How::dry(), false), (LIVE, true), (&How::dry(), true)] {
                let status = refusal(&mut server, &refers, how, update).await;
                let answer: Result<(), _> = Err(status);
                let status = refused(answer, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[]);
                assert_eq!(preconditions(&status), pairs(&[missing]), "{refers:?}");
                no_driver_text(&status);
            }
        }
        assert_eq!(server.revision().await, before);
        // What is deleted is as good as nothing; a name that cannot be one, or of another kind, is a bad field.
        v1::Vendor::delete(&mut server, "vendors/kept", "", LIVE).await.expect("deleted");
        let one = v1::Subprocessor { vendor: "vendors/kept".into(), display_name: "S".into(), ..Default::default() };
        let answer = subprocessor(&mut server, ACME, "new", one).await;
        assert_eq!(preconditions(&refused(answer, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[])), pairs(&["vendors/kept"]));
        let wrong = v1::Subprocessor {
            display_name: "S".into(),
            vendor: "AWS".into(),
            alternative_vendors: vec!["vendors/there".into(), "organizations/acme".into()],
            engaged_by: "vendors/there".into(),
            ..Default::default()
        };
        let answer = subprocessor(&mut server, ACME, "new", wrong).await;
        let status = refused(answer, Code::InvalidArgument, "FIELD_INVALID", &[]);
        let details = status.get_error_details();
        let fields: Vec<_> = details.bad_request().expect("fields").field_violations.iter().map(|v| v.field.as_str()).collect();
        assert!(fields.iter().all(|field| field.starts_with("subprocessor.")), "{fields:?}");
        let wrong = v1::Document { claims: vec![claim("Stripe", ""), claim("", "vendors/there")], ..v1::Document::sample("D") };
        let answer = v1::Document::create(&mut server, "new", Some(wrong), ACME, LIVE).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["document.claims[0].subject", "document.claims[1].instrument"]);
        // A reference may be a web address where the contract says so.
        let url = v1::Dpa { document: "https://acme.example/dpa".into(), ..Default::default() };
        let one = v1::Subprocessor { dpa: Some(url), display_name: "S".into(), ..Default::default() };
        subprocessor(&mut server, ACME, "new", one).await.expect("created");
    }

    async fn what_is_referred_to_stays(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        kept(&mut server).await;
        vendor(&mut server, "aws").await;
        let dpa = Some(v1::Dpa { document: "organizations/acme/documents/there".into(), ..Default::default() });
        let one = |name: &str| v1::Subprocessor { display_name: name.into(), vendor: "vendors/aws".into(), dpa: dpa.clone(), ..Default::default() };
        subprocessor(&mut server, ACME, "first", one("First")).await.expect("created");
        let second = v1::Subprocessor { engaged_by: "organizations/acme/subprocessors/first".into(), ..one("Second") };
        subprocessor(&mut server, ACME, "second", second).await.expect("created");
        let child = v1::Vendor { parent_vendor: "vendors/aws".into(), ..v1::Vendor::sample("Child") };
        v1::Vendor::create(&mut server, "child", Some(child), "", LIVE).await.expect("created");
        let (first, second) = ("organizations/acme/subprocessors/first", "organizations/acme/subprocessors/second");
        let before = server.revision().await;
        for how in [LIVE, &How::dry()] {
            let status = refused(v1::Vendor::delete(&mut server, "vendors/aws", "", how).await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
            assert_eq!(preconditions(&status), pairs(&[first, second, "vendors/child"]));
            let status = refused(v1::Document::delete(&mut server, "organizations/acme/documents/there", "", how).await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
            assert_eq!(preconditions(&status), pairs(&[first, second]));
            let status = refused(v1::Subprocessor::delete(&mut server, first, "", how).await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
            assert_eq!(preconditions(&status), pairs(&[second]));
            let status = refused(v1::Organization::delete(&mut server, ACME, "", how).await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
            let there = |kind: &str| format!("organizations/acme/{kind}/there");
            let all = [there("subprocessors"), there("documents"), there("customers"), first.into(), second.into()];
            assert_eq!(preconditions(&status), pairs(&all.each_ref().map(String::as_str)));
            assert_eq!(status.get_error_details().error_info().expect("info").metadata["references"], "5");
        }
        assert_eq!(server.revision().await, before);
        // An entity or a service that somebody names stays too.
        let entity = v1::Subprocessor { vendor_entity: "aws-inc".into(), ..Default::default() }.with(first, "");
        v1::Subprocessor::update(&mut server, Some(entity), None, LIVE).await.expect("updated");
        let answer = v1::Vendor::update(&mut server, Some(v1::Vendor::default().with("vendors/aws", "")), mask(&["entities"]), LIVE).await;
        assert_eq!(preconditions(&refused(answer, Code::FailedPrecondition, "RESOURCE_IN_USE", &[])), pairs(&[first]));
        // Let go of, it can go; and what referred to it cannot come back before it.
        v1::Subprocessor::delete(&mut server, second, "", LIVE).await.expect("deleted");
        v1::Subprocessor::delete(&mut server, first, "", LIVE).await.expect("deleted");
        v1::Vendor::update(&mut server, Some(v1::Vendor::default().with("vendors/child", "")), mask(&["parent_vendor"]), LIVE).await.expect("updated");
        v1::Vendor::delete(&mut server, "vendors/aws", "", LIVE).await.expect("deleted");
        v1::Document::delete(&mut server, "organizations/acme/documents/there", "", LIVE).await.expect("deleted");
        let answer = v1::Subprocessor::undelete(&mut server, second, "", LIVE).await;
        let mut missing = preconditions(&refused(answer, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[]));
        missing.sort();
        assert_eq!(missing, pairs(&["organizations/acme/documents/there", first, "vendors/aws"]));
    }

    async fn what_lies_under_a_deleted_organization_waits_for_it(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let one = v1::Customer::make(&mut server, "one", "One").await;
        v1::Customer::delete(&mut server, &one.name, "", LIVE).await.expect("deleted");
        v1::Organization::delete(&mut server, ACME, "", LIVE).await.expect("deleted");
        let answer = v1::Customer::undelete(&mut server, &one.name, "", LIVE).await;
        assert_eq!(preconditions(&refused(answer, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[])), pairs(&[ACME]));
        let answer = v1::Customer::create(&mut server, "two", Some(v1::Customer::sample("Two")), ACME, LIVE).await;
        assert_eq!(preconditions(&refused(answer, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[])), pairs(&[ACME]));
        v1::Organization::undelete(&mut server, ACME, "", LIVE).await.expect("undeleted");
        v1::Customer::undelete(&mut server, &one.name, "", LIVE).await.expect("undeleted");
    }

    async fn ids_within_other_resources_are_looked_up(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let products = vec![v1::Product { product_id: "cloud".into(), ..Default::default() }];
        let acme = v1::Organization { products, ..v1::Organization::sample("Acme") };
        v1::Organization::create(&mut server, "acme", Some(acme), "", LIVE).await.expect("created");
        vendor(&mut server, "aws").await;
        let list = || vec!["cloud".to_owned(), "other".to_owned()];
        let customer = v1::Customer { products: list(), ..v1::Customer::sample("C") };
        let answer = v1::Customer::create(&mut server, "c", Some(customer), ACME, LIVE).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["customer.products[1]"]);
        let document = v1::Document { products: list(), ..v1::Document::sample("D") };
        let answer = v1::Document::create(&mut server, "d", Some(document), ACME, LIVE).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["document.products[1]"]);
        let location = v1::Location { region_code: "US".into(), products: list(), ..Default::default() };
        let one = v1::Subprocessor { display_name: "S".into(), products: list(), locations: vec![location], ..Default::default() };
        let answer = subprocessor(&mut server, ACME, "s", one).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.products[1]", "subprocessor.locations[0].products[1]"]);
        let one = v1::Subprocessor { display_name: "S".into(), vendor_entity: "x".into(), vendor_services: vec!["y".into()], ..Default::default() };
        let answer = subprocessor(&mut server, ACME, "s", one.clone()).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.vendor_entity", "subprocessor.vendor_services"]);
        let one = v1::Subprocessor { vendor: "vendors/aws".into(), ..one };
        let answer = subprocessor(&mut server, ACME, "s", one).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.vendor_entity", "subprocessor.vendor_services[0]"]);
        let document = v1::Document { claims: vec![v1::Claim { part_id: "p".into(), ..claim("", "") }], ..v1::Document::sample("D") };
        let answer = v1::Document::create(&mut server, "d", Some(document), ACME, LIVE).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["document.claims[0].part_id"]);
    }

    async fn nothing_bites_its_tail(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        organization(&mut server, "other").await;
        let name = |id: &str| format!("organizations/acme/subprocessors/{id}");
        let mut above = String::new();
        for id in ["a", "b", "c"] {
            let one = v1::Subprocessor { display_name: id.into(), engaged_by: above, ..Default::default() };
            above = subprocessor(&mut server, ACME, id, one).await.expect("created").name;
        }
        for (id, engaged_by) in [("a", "a"), ("a", "b"), ("a", "c"), ("b", "c")] {
            for how in [LIVE, &How::dry()] {
                let sent = v1::Subprocessor { engaged_by: name(engaged_by), ..Default::default() }.with(&name(id), "");
                let answer = v1::Subprocessor::update(&mut server, Some(sent), None, how).await;
                refused(answer, Code::InvalidArgument, "CHAIN_CYCLE", &["subprocessor.engaged_by"]);
            }
        }
        let itself = v1::Subprocessor { display_name: "d".into(), engaged_by: name("d"), ..Default::default() };
        refused(subprocessor(&mut server, ACME, "d", itself).await, Code::InvalidArgument, "CHAIN_CYCLE", &["subprocessor.engaged_by"]);
        let foreign = v1::Subprocessor { display_name: "d".into(), engaged_by: name("a"), ..Default::default() };
        let answer = subprocessor(&mut server, "organizations/other", "d", foreign).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.engaged_by"]);
        for (id, parent) in [("p", ""), ("q", "vendors/p")] {
            let one = v1::Vendor { parent_vendor: parent.into(), ..v1::Vendor::sample(id) };
            v1::Vendor::create(&mut server, id, Some(one), "", LIVE).await.expect("created");
        }
        for parent in ["vendors/p", "vendors/q"] {
            let sent = v1::Vendor { parent_vendor: parent.into(), ..Default::default() }.with("vendors/p", "");
            let answer = v1::Vendor::update(&mut server, Some(sent), None, LIVE).await;
            refused(answer, Code::InvalidArgument, "CHAIN_CYCLE", &["vendor.parent_vendor"]);
        }
        // The chain, both ways.
        let request = |name: String, as_of| v1::TraceSubprocessorRequest { name, as_of };
        let trace = server.subprocessors.trace_subprocessor(request(name("b"), None)).await.expect("traced").into_inner();
        let up: Vec<_> = trace.upstream.iter().map(|s| s.name.clone()).collect();
        let down: Vec<_> = trace.downstream.iter().map(|l| (l.subprocessor.clone().expect("one").name, l.depth)).collect();
        assert_eq!((up, down, trace.revision), (vec![name("a")], vec![(name("c"), 1)], 7));
        let early = request(name("a"), at(3));
        let trace = server.subprocessors.trace_subprocessor(early).await.expect("traced").into_inner();
        assert_eq!((trace.downstream.len(), trace.revision), (0, 3));
        for (bad, as_of, code, reason) in [
            ("vendors/p".to_owned(), None, Code::InvalidArgument, "FIELD_INVALID"),
            (name("x"), None, Code::NotFound, "RESOURCE_NOT_FOUND"),
            (name("c"), at(3), Code::NotFound, "RESOURCE_NOT_FOUND"),
            (name("c"), at(99), Code::OutOfRange, "LOG_NOT_YET_WRITTEN"),
        ] {
            refused(server.subprocessors.trace_subprocessor(request(bad, as_of)).await, code, reason, &[]);
        }
    }
}
