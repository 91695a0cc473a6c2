//! When two rows are the same engagement.

use subprocessor_registry::proto::v1;
use tonic::Code;
use tonic_types::StatusExt;

use super::{ACME, engage, name, named, row};
use crate::support::{Server, activate, both, fresh, refused, retire, update_subprocessor, vendor};

async fn setting(server: &mut Server) {
    let product = |id: &str| v1::Product { product_id: id.into(), display_name: id.into(), ..Default::default() };
    let organization = v1::Organization {
        display_name: "ACME".into(),
        products: vec![product("cloud"), product("desk")],
        ..Default::default()
    };
    let request = v1::CreateOrganizationRequest {
        organization_id: "acme".into(),
        organization: Some(organization),
        ..Default::default()
    };
    server.organizations.create_organization(request).await.expect("created");
    let service = |id: &str| v1::Service { service_id: id.into(), display_name: id.into(), ..Default::default() };
    let mut vendor = vendor(server, "aws").await;
    vendor.services = vec![service("s3"), service("ses")];
    vendor.entities.push(v1::Entity {
        entity_id: "aws-sarl".into(),
        legal_name: "AWS SARL".into(),
        ..Default::default()
    });
    let request = v1::UpdateVendorRequest { vendor: Some(vendor), ..Default::default() };
    server.vendors.update_vendor(request).await.expect("updated");
    crate::support::vendor(server, "gcp").await;
}

/// An engagement with a value in every field that tells engagements apart.
fn full() -> v1::Subprocessor {
    let location = |region: &str| v1::Location { region_code: region.into(), ..Default::default() };
    v1::Subprocessor {
        vendor_entity: "aws-inc".into(),
        vendor_services: vec!["s3".into()],
        section: "Hosting".into(),
        condition: "always".into(),
        service_description: "files".into(),
        products: vec!["cloud".into(), "desk".into()],
        purposes: vec!["storage".into(), "backup".into()],
        locations: vec![location("US"), location("DE")],
        start_date: "2025-01-01".into(),
        end_date: "2026-01-01".into(),
        ..named("aws")
    }
}

type Variation = (&'static str, fn(&mut v1::Subprocessor));

both! {
    async fn an_exact_duplicate_is_refused(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        setting(&mut server).await;
        let first = engage(&mut server, "first", full()).await.expect("created");
        // What does not tell engagements apart, or says the same in another order.
        let same: [Variation; 12] = [
            ("nothing", |_| {}),
            ("the web site", |s| s.website_uri = "https://aws.example".into()),
            ("notes", |s| drop(s.annotations.insert("k".into(), "v".into()))),
            ("the role", |s| s.set_role(v1::Role::Processor)),
            ("data", |s| s.data_categories = vec!["names".into()]),
            ("the agreement", |s| s.dpa = Some(v1::Dpa { status: 4, ..Default::default() })),
            ("the order of products", |s| s.products.reverse()),
            ("the order of purposes", |s| s.purposes.reverse()),
            ("the order of locations", |s| s.locations.reverse()),
            ("dates that overlap", |s| s.start_date = "2025-12-31".into()),
            ("no start", |s| s.start_date.clear()),
            ("no end", |s| s.end_date.clear()),
        ];
        let revision = server.revision().await;
        for (what, change) in same {
            let mut asked = full();
            change(&mut asked);
            let status = refused(engage(&mut server, "second", asked).await, Code::AlreadyExists, "DUPLICATE_ENGAGEMENT", &[]);
            let details = status.get_error_details();
            let info = details.resource_info().unwrap_or_else(|| panic!("ResourceInfo for {what}"));
            assert_eq!(info.resource_name, first.name, "{what}");
        }
        assert_eq!(server.revision().await, revision);
    }

    async fn a_difference_in_any_field_is_another_engagement(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        setting(&mut server).await;
        engage(&mut server, "upper", row("Upper")).await.expect("created");
        engage(&mut server, "first", full()).await.expect("created");
        let other: [Variation; 17] = [
            ("vendor", |s| { s.vendor = "vendors/gcp".into(); s.vendor_entity = "gcp-inc".into(); s.vendor_services.clear(); }),
            ("entity", |s| s.vendor_entity = "aws-sarl".into()),
            ("entity not stated", |s| s.vendor_entity.clear()),
            ("display name", |s| s.display_name = "AWS".into()),
            ("section", |s| s.section = "Mail".into()),
            ("condition", |s| s.condition = "if enabled".into()),
            ("description", |s| s.service_description = "mails".into()),
            ("service", |s| s.vendor_services = vec!["ses".into()]),
            ("another service", |s| s.vendor_services.push("ses".into())),
            ("product", |s| s.products.truncate(1)),
            ("purpose", |s| s.purposes = vec!["mail".into()]),
            ("location", |s| s.locations.truncate(1)),
            ("what is done there", |s| s.locations[0].set_activity(v1::location::Activity::Storage)),
            ("engaged by", |s| s.engaged_by = name("upper")),
            ("later", |s| { s.start_date = "2026-01-01".into(); s.end_date.clear(); }),
            ("earlier", |s| { s.start_date.clear(); s.end_date = "2025-01-01".into(); }),
            ("without vendor", |s| { s.vendor.clear(); s.vendor_entity.clear(); s.vendor_services.clear(); }),
        ];
        for (i, (what, change)) in other.into_iter().enumerate() {
            let mut asked = full();
            change(&mut asked);
            let answer = engage(&mut server, &format!("other-{i}"), asked).await;
            assert!(answer.is_ok(), "{what}: {answer:?}");
        }
    }

    async fn rows_without_vendor_are_never_duplicates(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        setting(&mut server).await;
        for id in ["one", "two", "three"] {
            engage(&mut server, id, row("Payment tools")).await.expect("created");
        }
        for id in ["four", "five"] {
            let either = v1::Subprocessor { alternative_vendors: vec!["vendors/aws".into()], ..row("AWS or so") };
            engage(&mut server, id, either).await.expect("created");
        }
    }

    async fn an_engagement_can_be_taken_up_again(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        setting(&mut server).await;
        engage(&mut server, "first", named("aws")).await.expect("created");
        activate(&mut server, &name("first")).await.expect("activated");
        let again = v1::Subprocessor { start_date: "2026-03-23".into(), ..named("aws") };
        refused(engage(&mut server, "again", again.clone()).await, Code::AlreadyExists, "DUPLICATE_ENGAGEMENT", &[]);
        retire(&mut server, &name("first"), "").await.expect("retired");
        engage(&mut server, "again", again).await.expect("from the day on which the first ended");
    }

    async fn what_has_not_begun_overlaps_with_nothing_that_is_over(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        setting(&mut server).await;
        engage(&mut server, "first", named("aws")).await.expect("created");
        activate(&mut server, &name("first")).await.expect("activated");
        refused(engage(&mut server, "again", named("aws")).await, Code::AlreadyExists, "DUPLICATE_ENGAGEMENT", &[]);
        retire(&mut server, &name("first"), "").await.expect("retired");
        engage(&mut server, "again", named("aws")).await.expect("it will begin later");
        // What is over can still be looked after.
        let first = crate::support::get_subprocessor(&mut server, &name("first")).await;
        let noted = v1::Subprocessor { incomplete_reason: "closed".into(), ..first };
        update_subprocessor(&mut server, noted, &["incomplete_reason"]).await.expect("updated");
        let begun = activate(&mut server, &name("again")).await.expect("activated");
        assert_eq!(begun.start_date, "2026-03-23");
        refused(engage(&mut server, "third", named("aws")).await, Code::AlreadyExists, "DUPLICATE_ENGAGEMENT", &[]);
    }

    async fn updates_and_returns_are_held_to_it_too(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        setting(&mut server).await;
        engage(&mut server, "first", named("aws")).await.expect("created");
        let second = v1::Subprocessor { section: "Mail".into(), ..named("aws") };
        let second = engage(&mut server, "second", second).await.expect("created");
        let asked = v1::Subprocessor { section: String::new(), ..second };
        let answer = update_subprocessor(&mut server, asked.clone(), &["section"]).await;
        refused(answer, Code::AlreadyExists, "DUPLICATE_ENGAGEMENT", &[]);
        // One that is deleted is in nobody's way, and does not come back into it.
        let gone = v1::DeleteSubprocessorRequest { name: name("first"), ..Default::default() };
        server.subprocessors.delete_subprocessor(gone).await.expect("deleted");
        update_subprocessor(&mut server, asked, &["section"]).await.expect("updated");
        let back = v1::UndeleteSubprocessorRequest { name: name("first"), ..Default::default() };
        let answer = server.subprocessors.undelete_subprocessor(back).await;
        refused(answer, Code::AlreadyExists, "DUPLICATE_ENGAGEMENT", &[]);
        // Other organizations have lists of their own.
        crate::support::organization(&mut server, "other").await;
        crate::support::subprocessor(&mut server, "organizations/other", "aws", named("aws")).await.expect("created");
        assert_eq!(crate::support::subprocessors_of(&mut server, ACME).await.len(), 1);
    }
}
