//! What is in use cannot lose what it stands on: products, gates, and what belongs to somebody else.

use subprocessor_registry::proto::v1;
use tonic::Code;

use crate::support::{
    activate, both, fresh, organization, preconditions, refused, subprocessor, update_subprocessor, vendor,
};

/// Sets an organization's products.
async fn set_products(
    server: &mut crate::support::Server,
    name: &str,
    products: &[&str],
) -> Result<v1::Organization, tonic::Status> {
    let products = products.iter().map(|id| v1::Product { product_id: (*id).into(), ..Default::default() }).collect();
    let request = v1::UpdateOrganizationRequest {
        organization: Some(v1::Organization { name: name.into(), products, ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["products".into()] }),
        ..Default::default()
    };
    server.organizations.update_organization(request).await.map(tonic::Response::into_inner)
}

both! {
    async fn a_product_in_use_is_not_dropped(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        set_products(&mut server, "organizations/acme", &["cloud", "edge", "spare"]).await.expect("set");
        subprocessor(&mut server, "organizations/acme", "a", v1::Subprocessor {
            display_name: "A".into(),
            products: vec!["cloud".into()],
            locations: vec![v1::Location { area: "EU".into(), products: vec!["edge".into()], ..Default::default() }],
            ..Default::default()
        }).await.expect("created");
        for kept in [&["cloud"][..], &["edge"], &[]] {
            let status = refused(
                set_products(&mut server, "organizations/acme", kept).await,
                Code::FailedPrecondition, "RESOURCE_IN_USE", &[],
            );
            assert_eq!(preconditions(&status)[0].1, "organizations/acme/subprocessors/a");
        }
        set_products(&mut server, "organizations/acme", &["edge", "cloud"]).await.expect("an unused one is dropped");
    }

    async fn what_is_in_use_is_not_taken_back_before_a_gate(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let request = v1::UpdateOrganizationRequest {
            organization: Some(v1::Organization {
                name: "organizations/acme".into(),
                notice_policy: Some(v1::NoticePolicy {
                    enforcement: v1::notice_policy::Enforcement::Required.into(), ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        server.organizations.update_organization(request).await.expect("set");
        vendor(&mut server, "aws").await;
        let dpa = v1::Dpa { status: v1::dpa::Status::Signed.into(), sign_date: "2026-03-23".into(), ..Default::default() };
        let made = subprocessor(&mut server, "organizations/acme", "aws", v1::Subprocessor {
            display_name: "AWS".into(), vendor: "vendors/aws".into(), dpa: Some(dpa.clone()), ..Default::default()
        }).await.expect("created");
        crate::support::announce(&mut server, &made.name).await;
        let active = activate(&mut server, &made.name).await.expect("signed today");
        let without = v1::Subprocessor { dpa: None, ..active.clone() };
        let status = refused(
            update_subprocessor(&mut server, without, &["dpa"]).await, Code::FailedPrecondition, "GATE_REFUSED", &[],
        );
        assert_eq!(preconditions(&status), [("GATE_DPA_IN_FORCE".to_owned(), active.name.clone())]);
        let tomorrow = v1::Dpa { sign_date: "2026-03-24".into(), ..dpa };
        let later = v1::Subprocessor { dpa: Some(tomorrow), ..active.clone() };
        refused(update_subprocessor(&mut server, later, &["dpa"]).await, Code::FailedPrecondition, "GATE_REFUSED", &[]);
        let other = v1::Subprocessor { section: "Hosting".into(), ..active };
        update_subprocessor(&mut server, other, &["section"]).await.expect("what no gate looks at");
    }

    async fn what_is_anothers_is_not_referred_to(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        for id in ["acme", "other"] {
            organization(&mut server, id).await;
            let request = v1::CreateDocumentRequest {
                parent: format!("organizations/{id}"),
                document_id: "dpa".into(),
                document: Some(v1::Document {
                    title: "DPA".into(), kind: v1::document::Kind::Dpa.into(), ..Default::default()
                }),
                ..Default::default()
            };
            server.organizations.create_document(request).await.expect("created");
        }
        let with = |document: &str| v1::Subprocessor {
            display_name: "A".into(),
            dpa: Some(v1::Dpa { document: document.into(), ..Default::default() }),
            ..Default::default()
        };
        let foreign = with("organizations/other/documents/dpa");
        refused(
            subprocessor(&mut server, "organizations/acme", "a", foreign).await,
            Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.dpa.document"],
        );
        refused(
            subprocessor(&mut server, "organizations/acme", "a", with("the drawer")).await,
            Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.dpa.document"],
        );
        for good in ["organizations/acme/documents/dpa", "https://acme.example/dpa"] {
            subprocessor(&mut server, "organizations/acme", "", with(good)).await.expect(good);
        }
    }
}
