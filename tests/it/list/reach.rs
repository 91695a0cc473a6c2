//! TraceVendor: who reaches a vendor, through which engagements, and for which products and customers.

use subprocessor_registry::proto::v1::{self, as_of::Point};
use tonic::{Code, Status};

use crate::support::{
    Server, activate, apply, both, fresh, get_subprocessor, organization, refused, retire, subprocessor,
    update_subprocessor,
};

async fn try_trace(server: &mut Server, request: v1::TraceVendorRequest) -> Result<v1::TraceVendorResponse, Status> {
    server.vendors.trace_vendor(request).await.map(tonic::Response::into_inner)
}

async fn trace(server: &mut Server, vendor: &str) -> Vec<v1::OrganizationReach> {
    let request = v1::TraceVendorRequest { name: format!("vendors/{vendor}"), ..Default::default() };
    try_trace(server, request).await.expect("traced").organizations
}

async fn trace_on(server: &mut Server, vendor: &str, day: &str) -> Vec<v1::OrganizationReach> {
    let request =
        v1::TraceVendorRequest { name: format!("vendors/{vendor}"), effective_at: day.into(), ..Default::default() };
    try_trace(server, request).await.expect("traced").organizations
}

fn id(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// A reach in short: its chain, how it relates, and its products.
fn short(reach: &v1::Reach) -> String {
    let chain: Vec<&str> = reach.chain.iter().map(|name| id(name)).collect();
    let relation = reach.relation().as_str_name().trim_start_matches("RELATION_");
    let alternative = if reach.alternative { " alternative" } else { "" };
    format!("{} {relation}{alternative} {} [{}]", chain.join(">"), id(&reach.vendor), reach.products.join(" "))
}

fn shorts(organizations: &[v1::OrganizationReach]) -> Vec<String> {
    let line = |organization: &v1::OrganizationReach| {
        let id = id(&organization.organization).to_owned();
        organization.reaches.iter().map(move |reach| format!("{id}: {}", short(reach))).collect::<Vec<_>>()
    };
    organizations.iter().flat_map(line).collect()
}

/// Vendors `top` > `middle` > `low` > `lowest`, and `sister` beside `middle`.
async fn family(server: &mut Server) {
    for (vendor, owner) in [("top", ""), ("middle", "top"), ("sister", "top"), ("low", "middle"), ("lowest", "low")] {
        let parent_vendor = if owner.is_empty() { String::new() } else { format!("vendors/{owner}") };
        let request = v1::CreateVendorRequest {
            vendor_id: vendor.into(),
            vendor: Some(v1::Vendor { display_name: vendor.into(), parent_vendor, ..Default::default() }),
            ..Default::default()
        };
        server.vendors.create_vendor(request).await.expect("created");
    }
}

fn of(vendor: &str, display_name: &str) -> v1::Subprocessor {
    let vendor = if vendor.is_empty() { String::new() } else { format!("vendors/{vendor}") };
    v1::Subprocessor { vendor, display_name: display_name.into(), ..Default::default() }
}

async fn engage(server: &mut Server, organization: &str, id: &str, message: v1::Subprocessor) -> v1::Subprocessor {
    let by = &message.engaged_by;
    let parent = format!("organizations/{organization}");
    let engaged_by = if by.is_empty() { String::new() } else { format!("{parent}/subprocessors/{by}") };
    subprocessor(server, &parent, id, v1::Subprocessor { engaged_by, ..message }).await.expect("created")
}

async fn customer(server: &mut Server, organization: &str, id: &str, products: &[&str], end_date: &str) {
    let customer = v1::Customer {
        display_name: id.into(),
        products: products.iter().map(|id| (*id).to_owned()).collect(),
        end_date: end_date.into(),
        ..Default::default()
    };
    let request = v1::CreateCustomerRequest {
        parent: format!("organizations/{organization}"),
        customer_id: id.into(),
        customer: Some(customer),
        ..Default::default()
    };
    server.organizations.create_customer(request).await.expect("created");
}

fn customers(organizations: &[v1::OrganizationReach]) -> Vec<&str> {
    organizations.iter().flat_map(|organization| organization.customers.iter().map(|name| id(name))).collect()
}

both! {
    async fn directly_through_owners_and_through_what_it_owns(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        family(&mut server).await;
        for name in ["acme", "beta", "none"] {
            organization(&mut server, name).await;
        }
        engage(&mut server, "acme", "z-direct", of("middle", "M")).await;
        engage(&mut server, "acme", "lowest", of("lowest", "L")).await;
        engage(&mut server, "acme", "owner", of("top", "T")).await;
        engage(&mut server, "acme", "beside", of("sister", "S")).await;
        engage(&mut server, "none", "beside", of("sister", "S")).await;
        engage(&mut server, "none", "category", of("", "Somebody")).await;
        let either = v1::Subprocessor { alternative_vendors: vec!["vendors/middle".into(), "vendors/low".into()], ..of("sister", "Either") };
        engage(&mut server, "beta", "either", either).await;
        let both_named = v1::Subprocessor { alternative_vendors: vec!["vendors/top".into()], ..of("low", "Both") };
        engage(&mut server, "beta", "both", both_named).await;
        assert_eq!(shorts(&trace(&mut server, "middle").await), [
            "acme: z-direct DIRECT middle []",
            "acme: lowest SUBSIDIARY lowest []",
            "acme: owner OWNER top []",
            "beta: either DIRECT alternative middle []",
            "beta: both SUBSIDIARY low []",
            "beta: either SUBSIDIARY alternative low []",
            "beta: both OWNER alternative top []",
        ]);
        let top = shorts(&trace(&mut server, "top").await);
        assert_eq!(top.iter().filter(|line| line.contains("SUBSIDIARY")).count(), 8, "{top:?}");
        assert_eq!(top.iter().filter(|line| line.contains("DIRECT")).count(), 2, "{top:?}");
        assert_eq!(shorts(&trace(&mut server, "lowest").await).len(), 7);
        // What is deleted reaches nobody, and before it was there neither.
        let before = server.revision().await;
        let request = v1::DeleteSubprocessorRequest { name: "organizations/acme/subprocessors/z-direct".into(), ..Default::default() };
        server.subprocessors.delete_subprocessor(request).await.expect("deleted");
        assert_eq!(shorts(&trace(&mut server, "middle").await).len(), 6);
        for (revision, expected) in [(before, 7), (5, 0), (9, 1)] {
            let as_of = Some(v1::AsOf { point: Some(Point::Revision(revision)) });
            let request = v1::TraceVendorRequest { name: "vendors/middle".into(), as_of, ..Default::default() };
            let answer = try_trace(&mut server, request).await.expect("traced");
            assert_eq!((shorts(&answer.organizations).len(), answer.revision), (expected, revision));
        }
        // A vendor that was sold has another owner.
        let request = v1::UpdateVendorRequest {
            vendor: Some(v1::Vendor { name: "vendors/low".into(), ..Default::default() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["parent_vendor".into()] }),
            ..Default::default()
        };
        server.vendors.update_vendor(request).await.expect("updated");
        assert_eq!(shorts(&trace(&mut server, "middle").await), [
            "acme: owner OWNER top []", "beta: either DIRECT alternative middle []", "beta: both OWNER alternative top []",
        ]);
    }

    async fn down_the_chain_for_products_and_their_customers(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        family(&mut server).await;
        let products: Vec<_> = ["a", "b", "c"].iter().map(|id| serde_json::json!({"product_id": id, "display_name": id})).collect();
        let manifest = serde_json::json!({"organization": {"id": "acme", "display_name": "ACME", "products": products}});
        apply(&mut server, &manifest.to_string()).await.expect("applied");
        for (id, products, end) in [
            ("on-a", &["a"][..], ""), ("on-b", &["b"], ""), ("on-all", &[], ""), ("on-both", &["a", "b"], ""), ("on-c", &["c"], ""),
            ("ended", &["a"], "2026-03-23"), ("ending", &["a"], "2026-03-24"), ("gone", &["a"], ""),
        ] {
            customer(&mut server, "acme", id, products, end).await;
        }
        let request = v1::DeleteCustomerRequest { name: "organizations/acme/customers/gone".into(), ..Default::default() };
        server.organizations.delete_customer(request).await.expect("deleted");
        let with = |by: &str, products: &[&str], message: v1::Subprocessor| v1::Subprocessor {
            engaged_by: by.into(), products: products.iter().map(|id| (*id).to_owned()).collect(), ..message
        };
        engage(&mut server, "acme", "first", with("", &["a", "b"], of("sister", "First"))).await;
        engage(&mut server, "acme", "second", with("first", &[], of("", "Second"))).await;
        let third = engage(&mut server, "acme", "third", with("second", &["b", "c"], of("lowest", "Third"))).await;
        let reached = trace(&mut server, "lowest").await;
        assert_eq!(shorts(&reached), ["acme: first>second>third DIRECT lowest [b]"]);
        assert_eq!(reached[0].reaches[0].display_name, "Third");
        assert_eq!(reached[0].products, ["b"]);
        assert_eq!(customers(&reached), ["on-all", "on-b", "on-both"]);
        // What contradicts what is above it is taken by its own word.
        update_subprocessor(&mut server, v1::Subprocessor { products: vec!["c".into()], ..third.clone() }, &["products"]).await.expect("updated");
        let reached = trace(&mut server, "lowest").await;
        assert_eq!((reached[0].products.join(" ").as_str(), customers(&reached)), ("c", vec!["on-all", "on-c"]));
        // Another engagement, for another product: both together; and one for all, all.
        engage(&mut server, "acme", "other", with("", &["a"], of("lowest", "Other"))).await;
        let reached = trace(&mut server, "lowest").await;
        assert_eq!(reached[0].products, ["a", "c"]);
        assert_eq!(customers(&reached), ["ending", "on-a", "on-all", "on-both", "on-c"]);
        engage(&mut server, "acme", "whole", of("low", "Whole")).await;
        let reached = trace(&mut server, "lowest").await;
        assert_eq!(reached[0].products, Vec::<String>::new());
        assert_eq!(customers(&reached), ["ending", "on-a", "on-all", "on-b", "on-both", "on-c"]);
    }

    async fn on_a_day_only_what_was_on_the_list(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        family(&mut server).await;
        organization(&mut server, "acme").await;
        customer(&mut server, "acme", "early", &[], "2021-01-01").await;
        customer(&mut server, "acme", "late", &[], "").await;
        let found = |start: &str, end: &str, message: v1::Subprocessor| v1::Subprocessor {
            recorded_as_found: true, start_date: start.into(), end_date: end.into(), ..message
        };
        engage(&mut server, "acme", "above", found("2020-01-01", "2022-01-01", of("sister", "Above"))).await;
        let below = v1::Subprocessor { engaged_by: "above".into(), ..found("2019-01-01", "", of("low", "Below")) };
        engage(&mut server, "acme", "below", below).await;
        let new = engage(&mut server, "acme", "new", of("low", "New")).await;
        for (day, expected, concerned) in [
            ("2019-06-01", &[][..], &[][..]),
            ("2020-06-01", &["acme: above>below DIRECT low []"], &["early", "late"]),
            ("2021-12-31", &["acme: above>below DIRECT low []"], &["late"]),
            ("2022-01-01", &[], &[]),
            ("2026-03-23", &[], &[]),
        ] {
            let reached = trace_on(&mut server, "low", day).await;
            assert_eq!((shorts(&reached), customers(&reached)), (expected.iter().map(|s| (*s).to_owned()).collect(), concerned.to_vec()), "{day}");
        }
        // Without a day, whatever its state, which is told.
        let states = |reached: &[v1::OrganizationReach]| {
            reached[0].reaches.iter().map(|reach| reach.state().as_str_name()).collect::<Vec<_>>()
        };
        assert_eq!(states(&trace(&mut server, "low").await), ["STATE_ACTIVE", "STATE_PROPOSED"]);
        activate(&mut server, &new.name).await.expect("activated");
        assert_eq!(shorts(&trace_on(&mut server, "low", "2026-03-23").await), ["acme: new DIRECT low []"]);
        retire(&mut server, &new.name, "").await.expect("retired");
        assert_eq!(states(&trace(&mut server, "low").await), ["STATE_ACTIVE", "STATE_RETIRED"]);
        assert_eq!(trace_on(&mut server, "low", "2026-03-23").await, []);
        // The customers are those of the day that is asked about: of `as_of` if it is a point in time.
        place.set_clock("2026-06-01T00:00:00Z");
        customer(&mut server, "acme", "newest", &[], "2026-07-01").await;
        assert_eq!(customers(&trace(&mut server, "low").await), ["late", "newest"]);
        place.set_clock("2026-08-01T00:00:00Z");
        assert_eq!(customers(&trace(&mut server, "low").await), ["late"]);
        let revision = server.revision().await;
        let then = v1::TraceVendorRequest {
            name: "vendors/low".into(), as_of: Some(v1::AsOf { point: Some(Point::Revision(revision)) }), ..Default::default()
        };
        assert_eq!(customers(&try_trace(&mut server, then).await.expect("traced").organizations), ["late", "newest"]);
        assert_eq!(get_subprocessor(&mut server, &new.name).await.vendor, "vendors/low");
    }

    async fn what_is_no_vendor_is_refused_all_at_once(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        family(&mut server).await;
        let ask = |name: &str, as_of: Option<i64>, day: &str| v1::TraceVendorRequest {
            name: name.into(),
            as_of: as_of.map(|revision| v1::AsOf { point: Some(Point::Revision(revision)) }),
            effective_at: day.into(),
        };
        for (request, fields) in [
            (ask("", None, ""), &["name"][..]),
            (ask("organizations/acme", None, ""), &["name"]),
            (ask("vendors/low", Some(-1), ""), &["as_of.revision"]),
            (ask("vendors/low", None, "2026-02-30"), &["effective_at"]),
            (ask("low", Some(-1), "today"), &["name", "as_of.revision", "effective_at"]),
        ] {
            refused(try_trace(&mut server, request).await, Code::InvalidArgument, "FIELD_INVALID", fields);
        }
        for request in [ask("vendors/nobody", None, ""), ask("vendors/low", Some(0), ""), ask("vendors/lowest", Some(4), "2026-01-01")] {
            refused(try_trace(&mut server, request).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        }
        refused(try_trace(&mut server, ask("vendors/low", Some(6), "")).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        // One that is deleted is reached by nobody.
        let request = v1::DeleteVendorRequest { name: "vendors/lowest".into(), ..Default::default() };
        server.vendors.delete_vendor(request).await.expect("deleted");
        assert_eq!(trace(&mut server, "lowest").await, []);
    }

    async fn an_answer_that_is_too_large_is_refused(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        family(&mut server).await;
        // The first is for many products; those below it are for the same, and say so each.
        let products: Vec<String> = (0..900).map(|i| format!("p{i}-{}", "x".repeat(55))).collect();
        for (count, fits) in [(40, true), (90, false)] {
            let rows: Vec<_> = (0..count)
                .map(|i| match i {
                    0 => serde_json::json!({"id": "r0", "display_name": "Top", "products": products}),
                    _ => serde_json::json!({
                        "id": format!("r{i}"), "display_name": format!("Row {i}"), "vendor": "vendors/low",
                        "engaged_by": "organizations/acme/subprocessors/r0",
                    }),
                })
                .collect();
            let known: Vec<_> = products.iter().map(|id| serde_json::json!({"product_id": id, "display_name": "P"})).collect();
            let organization = serde_json::json!({"id": "acme", "display_name": "ACME", "products": known});
            let manifest = serde_json::json!({"organization": organization, "subprocessors": rows});
            apply(&mut server, &manifest.to_string()).await.expect("applied");
            let request = v1::TraceVendorRequest { name: "vendors/low".into(), ..Default::default() };
            match try_trace(&mut server, request).await {
                Ok(answer) if fits => assert_eq!(answer.organizations[0].reaches.len(), count - 1),
                answer => {
                    assert!(!fits);
                    refused(answer, Code::ResourceExhausted, "ANSWER_TOO_LARGE", &[]);
                }
            }
        }
    }
}
