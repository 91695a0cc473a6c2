//! What subprocessors refer to: vendors with their entities and services, and the organization's products.

use subprocessor_registry::proto::v1;
use tonic::{Code, Status};

use super::{ACME, engage, name, named, row};
use crate::support::{
    Server, both, fresh, organization, preconditions, refused, update_subprocessor, vendor, violations,
};

async fn change(server: &mut Server, vendor: v1::Vendor, path: &str) -> Result<v1::Vendor, Status> {
    let request = v1::UpdateVendorRequest {
        vendor: Some(v1::Vendor { etag: String::new(), ..vendor }),
        update_mask: Some(prost_types::FieldMask { paths: vec![path.into()] }),
        ..Default::default()
    };
    server.vendors.update_vendor(request).await.map(tonic::Response::into_inner)
}

async fn parent(server: &mut Server, vendor: &str, parent: &str) -> Result<v1::Vendor, Status> {
    let parent = if parent.is_empty() { String::new() } else { format!("vendors/{parent}") };
    let message = v1::Vendor { name: format!("vendors/{vendor}"), parent_vendor: parent, ..Default::default() };
    change(server, message, "parent_vendor").await
}

fn service(id: &str) -> v1::Service {
    v1::Service { service_id: id.into(), display_name: id.into(), ..Default::default() }
}

both! {
    async fn nobody_owns_itself(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        for id in ["a", "b", "c"] {
            vendor(&mut server, id).await;
        }
        let own = v1::Vendor { display_name: "S".into(), parent_vendor: "vendors/s".into(), ..Default::default() };
        let request = v1::CreateVendorRequest { vendor_id: "s".into(), vendor: Some(own), ..Default::default() };
        refused(server.vendors.create_vendor(request).await, Code::InvalidArgument, "CHAIN_CYCLE", &["vendor.parent_vendor"]);
        refused(parent(&mut server, "a", "a").await, Code::InvalidArgument, "CHAIN_CYCLE", &["vendor.parent_vendor"]);
        parent(&mut server, "b", "a").await.expect("owned");
        refused(parent(&mut server, "a", "b").await, Code::InvalidArgument, "CHAIN_CYCLE", &["vendor.parent_vendor"]);
        parent(&mut server, "c", "b").await.expect("owned");
        refused(parent(&mut server, "a", "c").await, Code::InvalidArgument, "CHAIN_CYCLE", &["vendor.parent_vendor"]);
        let status = refused(parent(&mut server, "a", "nobody").await, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[]);
        assert_eq!(preconditions(&status), [("REFERENCE".to_owned(), "vendors/nobody".to_owned())]);
        let gone = v1::DeleteVendorRequest { name: "vendors/a".into(), ..Default::default() };
        let status = refused(server.vendors.delete_vendor(gone).await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        assert_eq!(preconditions(&status), [("REFERENCE".to_owned(), "vendors/b".to_owned())]);
        parent(&mut server, "b", "").await.expect("sold");
        parent(&mut server, "a", "c").await.expect("bought");
    }

    async fn entities_and_services_in_use_are_not_dropped(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let mut aws = vendor(&mut server, "aws").await;
        aws.entities.push(v1::Entity { entity_id: "aws-sarl".into(), legal_name: "SARL".into(), ..Default::default() });
        aws.services = vec![service("s3"), service("ses"), service("sqs")];
        change(&mut server, aws.clone(), "*").await.expect("updated");
        let mail = v1::Subprocessor { vendor_entity: "aws-sarl".into(), vendor_services: vec!["ses".into()], ..named("aws") };
        engage(&mut server, "mail", mail.clone()).await.expect("created");
        engage(&mut server, "files", v1::Subprocessor { vendor_services: vec!["s3".into(), "ses".into()], ..named("aws") }).await.expect("created");

        let bare = v1::Vendor { entities: vec![], services: vec![], ..aws.clone() };
        let status = refused(change(&mut server, bare.clone(), "*").await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        let mut users = preconditions(&status);
        users.sort();
        let reference = |id: &str| ("REFERENCE".to_owned(), name(id));
        assert_eq!(users, [reference("files"), reference("files"), reference("mail"), reference("mail")]);
        let status = refused(change(&mut server, bare.clone(), "entities").await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        assert_eq!(preconditions(&status), [reference("mail")]);
        // What nobody uses goes.
        let mut less = aws.clone();
        less.entities.remove(0);
        less.services.truncate(2);
        change(&mut server, less, "*").await.expect("dropped");
        // A user that is deleted holds nothing; and cannot come back to what is gone.
        let gone = v1::DeleteSubprocessorRequest { name: name("mail"), ..Default::default() };
        server.subprocessors.delete_subprocessor(gone).await.expect("deleted");
        change(&mut server, bare, "entities").await.expect("dropped");
        let back = v1::UndeleteSubprocessorRequest { name: name("mail"), ..Default::default() };
        let answer = server.subprocessors.undelete_subprocessor(back).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.vendor_entity"]);
    }

    async fn a_vendor_in_use_is_not_deleted(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        vendor(&mut server, "aws").await;
        vendor(&mut server, "gcp").await;
        engage(&mut server, "hosting", named("aws")).await.expect("created");
        let either = v1::Subprocessor { alternative_vendors: vec!["vendors/aws".into(), "vendors/gcp".into()], ..row("Either") };
        engage(&mut server, "either", either).await.expect("created");
        let delete = |id: &str| v1::DeleteVendorRequest { name: format!("vendors/{id}"), ..Default::default() };
        let status = refused(server.vendors.delete_vendor(delete("aws")).await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        let mut users = preconditions(&status);
        users.sort();
        assert_eq!(users, [("REFERENCE".to_owned(), name("either")), ("REFERENCE".to_owned(), name("hosting"))]);
        refused(server.vendors.delete_vendor(delete("gcp")).await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        for id in ["hosting", "either"] {
            let gone = v1::DeleteSubprocessorRequest { name: name(id), ..Default::default() };
            server.subprocessors.delete_subprocessor(gone).await.expect("deleted");
        }
        server.vendors.delete_vendor(delete("aws")).await.expect("deleted");
        refused(engage(&mut server, "new", named("aws")).await, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[]);
    }

    async fn unknown_parts_are_refused_with_their_paths(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let product = |id: &str| v1::Product { product_id: id.into(), display_name: id.into(), ..Default::default() };
        let acme = v1::Organization { display_name: "ACME".into(), products: vec![product("cloud")], ..Default::default() };
        let request = v1::CreateOrganizationRequest {
            organization_id: "acme".into(), organization: Some(acme), ..Default::default()
        };
        server.organizations.create_organization(request).await.expect("created");
        let mut aws = vendor(&mut server, "aws").await;
        aws.services = vec![service("s3")];
        change(&mut server, aws, "services").await.expect("updated");
        let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();

        // Everything that is wrong, at once.
        let location = |products: &[&str]| v1::Location { region_code: "US".into(), products: list(products), ..Default::default() };
        let wrong = v1::Subprocessor {
            vendor_entity: "aws-gmbh".into(),
            vendor_services: list(&["s3", "ec2"]),
            products: list(&["cloud", "desk"]),
            locations: vec![location(&["cloud"]), location(&["desk", "cloud", "phone"])],
            ..named("aws")
        };
        let status = refused(engage(&mut server, "wrong", wrong.clone()).await, Code::InvalidArgument, "FIELD_INVALID", &[
            "subprocessor.vendor_entity",
            "subprocessor.vendor_services[1]",
            "subprocessor.products[1]",
            "subprocessor.locations[1].products[0]",
            "subprocessor.locations[1].products[2]",
        ]);
        let rules: Vec<_> = violations(&status).into_iter().map(|(_, rule)| rule).collect();
        assert!(rules[0].contains("it has: aws-inc") && rules[1].contains("it has: s3") && rules[2].contains("it has: cloud"));
        let right = v1::Subprocessor { products: list(&["cloud"]), ..named("aws") };
        let right = engage(&mut server, "right", right).await.expect("created");
        let answer = update_subprocessor(&mut server, v1::Subprocessor { name: right.name, ..wrong }, &["vendor_entity", "products"]).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.vendor_entity", "subprocessor.products[1]"]);

        // Parts of no vendor.
        let lost = v1::Subprocessor { vendor_entity: "x".into(), vendor_services: list(&["y"]), ..row("Lost") };
        refused(engage(&mut server, "lost", lost).await, Code::InvalidArgument, "FIELD_INVALID", &[
            "subprocessor.vendor_entity", "subprocessor.vendor_services",
        ]);
        let status = refused(engage(&mut server, "lost", named("nobody")).await, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[]);
        assert_eq!(preconditions(&status), [("REFERENCE".to_owned(), "vendors/nobody".to_owned())]);
        // What is no vendor's name at all.
        for bad in ["aws", "vendors/", "organizations/acme", "vendors/AWS"] {
            let answer = engage(&mut server, "lost", v1::Subprocessor { vendor: bad.into(), ..row("Lost") }).await;
            refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.vendor"]);
        }

        let customer = v1::Customer { display_name: "Big".into(), products: list(&["desk"]), ..Default::default() };
        let request = v1::CreateCustomerRequest { parent: ACME.into(), customer: Some(customer), ..Default::default() };
        refused(server.organizations.create_customer(request).await, Code::InvalidArgument, "FIELD_INVALID", &["customer.products[0]"]);
        let document = v1::Document { title: "Policy".into(), kind: 1, products: list(&["cloud", "desk"]), ..Default::default() };
        let request = v1::CreateDocumentRequest { parent: ACME.into(), document: Some(document), ..Default::default() };
        refused(server.organizations.create_document(request).await, Code::InvalidArgument, "FIELD_INVALID", &["document.products[1]"]);
    }
}
