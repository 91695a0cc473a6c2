//! Export: a file that applies to the same state.

use subprocessor_registry::proto::v1::{self, export_manifest_request::Format};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{ACME, WHOLE, actions, prune, whole_with};
use crate::support::{Place, Server, apply, both, fresh, refused, subprocessors_of};

async fn export(
    server: &mut Server,
    name: &str,
    format: Format,
    revision: Option<i64>,
) -> Result<v1::ExportManifestResponse, Status> {
    let as_of = revision.map(|revision| v1::AsOf { point: Some(v1::as_of::Point::Revision(revision)) });
    let request = v1::ExportManifestRequest { name: name.into(), format: format.into(), as_of, as_found: false };
    server.registry.export_manifest(request).await.map(tonic::Response::into_inner)
}

/// Everything of an organization, without what the server adds to each version.
async fn everything(
    server: &mut Server,
    parent: &str,
) -> (v1::Organization, Vec<v1::Document>, Vec<v1::Subprocessor>, Vec<v1::Customer>) {
    let organization = v1::GetOrganizationRequest { name: parent.into(), as_of: None };
    let organization = server.organizations.get_organization(organization).await.expect("found").into_inner();
    let documents = v1::ListDocumentsRequest { parent: parent.into(), page_size: 1_000, ..Default::default() };
    let documents = server.organizations.list_documents(documents).await.expect("listed").into_inner().documents;
    let customers = v1::ListCustomersRequest { parent: parent.into(), page_size: 1_000, ..Default::default() };
    let customers = server.organizations.list_customers(customers).await.expect("listed").into_inner().customers;
    macro_rules! bare {
        ($type:ident, $message:expr) => {{
            let message = $message;
            v1::$type {
                uid: String::new(),
                etag: String::new(),
                revision: 0,
                create_time: None,
                update_time: None,
                ..message
            }
        }};
    }
    (
        bare!(Organization, organization),
        documents.into_iter().map(|document| bare!(Document, document)).collect(),
        subprocessors_of(server, parent)
            .await
            .into_iter()
            .map(|subprocessor| bare!(Subprocessor, subprocessor))
            .collect(),
        customers.into_iter().map(|customer| bare!(Customer, customer)).collect(),
    )
}

/// The ids of the vendors in a manifest.
fn vendors(manifest: &str) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_str(manifest).expect("JSON");
    json["vendors"].as_array().into_iter().flatten().filter_map(|v| v["id"].as_str()).map(str::to_owned).collect()
}

both! {
    async fn an_export_applies_to_the_same_state(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        apply(&mut server, WHOLE).await.expect("applied");
        let before = everything(&mut server, ACME).await;
        for format in [Format::Unspecified, Format::Yaml, Format::Json] {
            let exported = export(&mut server, ACME, format, None).await.expect("exported");
            assert_eq!(exported.revision, 1);
            assert_eq!(exported.manifest.starts_with('{'), format == Format::Json);
            // Here it changes nothing; on an empty registry it makes the same.
            let again = prune(&mut server, &exported.manifest).await.expect("applied");
            assert_eq!((again.revision, again.plan), (1, vec![]));
            let (_place, mut other) = fresh(backend).await;
            apply(&mut other, &exported.manifest).await.expect("applied");
            assert_eq!(everything(&mut other, ACME).await, before);
            let twice = export(&mut other, ACME, format, None).await.expect("exported");
            assert_eq!(twice.manifest, exported.manifest);
        }
    }

    async fn the_examples_come_back_as_they_were(backend: Backend) {
        let place = Place::new(backend).await;
        let changes = [("CATALOG__LOAD", "true"), ("EXAMPLES__LOAD", "true")];
        let mut server = Server::start_with(&place, &changes).await;
        let other_place = Place::new(backend).await;
        let mut other = Server::start_with(&other_place, &changes[..1]).await;
        for (id, _) in subprocessor_registry::run::EXAMPLES {
            let name = format!("organizations/{id}");
            let head = server.revision().await;
            let exported = export(&mut server, &name, Format::Yaml, None).await.expect("exported").manifest;
            let again = prune(&mut server, &exported).await.expect("applied");
            assert_eq!((again.revision, actions(&again)), (head, vec![]), "{id}");
            apply(&mut other, &exported).await.expect("applied");
            assert_eq!(everything(&mut other, &name).await, everything(&mut server, &name).await, "{id}");
        }
    }

    async fn what_is_in_use_is_found_by_another_registry(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        apply(&mut server, WHOLE).await.expect("applied");
        assert_eq!(export(&mut server, ACME, Format::Yaml, None).await.expect("exported").states_left_out, 0);
        let hosting = format!("{ACME}/subprocessors/hosting");
        let activate = v1::ActivateRequest { name: hosting.clone(), ..Default::default() };
        server.subprocessors.activate(activate).await.expect("activated");
        let state = async |server: &mut Server| {
            let request = v1::GetSubprocessorRequest { name: hosting.clone(), ..Default::default() };
            server.subprocessors.get_subprocessor(request).await.expect("found").into_inner().state()
        };
        use v1::subprocessor::State::{Active, Proposed};
        // A manifest that says the state would be a way past the gates.
        let plain = export(&mut server, ACME, Format::Yaml, None).await.expect("exported");
        assert_eq!(plain.states_left_out, 1);
        let head = server.revision().await;
        assert_eq!(prune(&mut server, &plain.manifest).await.expect("applied").revision, head);
        let (_other_place, mut other) = fresh(backend).await;
        apply(&mut other, &plain.manifest).await.expect("applied");
        assert_eq!(state(&mut other).await, Proposed);
        // To move, it is said that it was in use.
        let request = v1::ExportManifestRequest { name: ACME.into(), as_found: true, ..Default::default() };
        let found = server.registry.export_manifest(request.clone()).await.expect("exported").into_inner();
        assert_eq!(found.states_left_out, 0);
        let (_third_place, mut third) = fresh(backend).await;
        apply(&mut third, &found.manifest).await.expect("applied");
        assert_eq!(state(&mut third).await, Active);
        let again = third.registry.export_manifest(request).await.expect("exported").into_inner();
        assert_eq!(again.manifest, found.manifest);
        // Where it comes from it was not found.
        let status = apply(&mut server, &found.manifest).await.expect_err("it was not found here");
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    }

    async fn the_past_is_exported_too(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        apply(&mut server, WHOLE).await.expect("applied");
        let first = export(&mut server, ACME, Format::Yaml, None).await.expect("exported");
        let changed = whole_with("display_name: Amazon\n", "display_name: Amazon.com\n").replace("purposes: [hosting]", "purposes: [storage]");
        apply(&mut server, &changed).await.expect("applied");
        let second = export(&mut server, ACME, Format::Yaml, None).await.expect("exported");
        assert_ne!(first.manifest, second.manifest);
        assert_eq!(export(&mut server, ACME, Format::Yaml, Some(1)).await.expect("exported"), first);
        assert_eq!(export(&mut server, ACME, Format::Yaml, Some(2)).await.expect("exported"), second);
        // What was can be again.
        let back = apply(&mut server, &first.manifest).await.expect("applied");
        assert_eq!(actions(&back), ["UPDATE vendors/amazon", "UPDATE organizations/acme/subprocessors/hosting"]);

        prune(&mut server, "organization: {id: acme, display_name: Acme}\n").await.expect("pruned");
        let gone = v1::DeleteOrganizationRequest { name: ACME.into(), ..Default::default() };
        server.organizations.delete_organization(gone).await.expect("deleted");
        refused(export(&mut server, ACME, Format::Yaml, None).await, Code::FailedPrecondition, "RESOURCE_DELETED", &[]);
        assert_eq!(export(&mut server, ACME, Format::Yaml, Some(1)).await.expect("exported"), first);
        refused(export(&mut server, ACME, Format::Yaml, Some(0)).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        refused(export(&mut server, ACME, Format::Yaml, Some(99)).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        refused(export(&mut server, "organizations/nobody", Format::Yaml, None).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        for bad in ["", "acme", "vendors/aws", "organizations/-"] {
            refused(export(&mut server, bad, Format::Yaml, None).await, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
        }
    }

    async fn vendors_that_the_catalog_has_are_left_out(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
        let text = "\
organization: {id: acme, display_name: Acme}
documents:
  - id: policy
    title: Policy
    kind: PRIVACY_POLICY
    claims:
      - {kind: SUBPROCESSOR_USE, quote: q, subject: vendors/claimed}
vendors:
  - {id: own, display_name: Own, parent_vendor: vendors/holding}
  - {id: holding, display_name: Holding}
  - {id: claimed, display_name: Claimed}
  - {id: either, display_name: Either}
  - {id: unused, display_name: Unused}
subprocessors:
  - {id: one, display_name: One, vendor: vendors/own}
  - {id: two, display_name: Two, vendor: vendors/stripe, alternative_vendors: [vendors/either, vendors/sendgrid]}
  - {id: three, display_name: Three, vendor: vendors/mailchimp}
";
        apply(&mut server, text).await.expect("applied");
        let exported = export(&mut server, ACME, Format::Json, None).await.expect("exported").manifest;
        assert_eq!(vendors(&exported), ["claimed", "either", "holding", "own"]);
        // One that an operator has changed comes along.
        let mailchimp = v1::Vendor { name: "vendors/mailchimp".into(), display_name: "Chimp".into(), ..Default::default() };
        let request = v1::UpdateVendorRequest { vendor: Some(mailchimp), ..Default::default() };
        server.vendors.update_vendor(request).await.expect("updated");
        let exported = export(&mut server, ACME, Format::Json, None).await.expect("exported").manifest;
        assert_eq!(vendors(&exported), ["claimed", "either", "holding", "mailchimp", "own"]);
        let head = server.revision().await;
        assert_eq!(apply(&mut server, &exported).await.expect("applied").revision, head);
        // And makes the same of a registry with the catalog alone.
        let other_place = Place::new(backend).await;
        let mut other = Server::start_with(&other_place, &[("CATALOG__LOAD", "true")]).await;
        apply(&mut other, &exported).await.expect("applied");
        assert_eq!(export(&mut other, ACME, Format::Json, None).await.expect("exported").manifest, exported);
        let request = v1::GetVendorRequest { name: "vendors/mailchimp".into(), as_of: None };
        let mailchimp = other.vendors.get_vendor(request).await.expect("found").into_inner();
        assert_eq!((mailchimp.origin(), mailchimp.display_name.as_str()), (v1::vendor::Origin::Overridden, "Chimp"));
    }

    async fn an_answer_that_clients_would_not_take_is_refused(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let long = "x".repeat(16_000);
        for part in ["a", "b", "c"] {
            let rows: String = (0..96)
                .map(|i| format!("  - {{id: {part}{i}, display_name: R, engaged_by: {ACME}/subprocessors/top, service_description: {long}}}\n"))
                .collect();
            let top = "  - {id: top, display_name: Top}\n";
            let text = format!("organization: {{id: acme, display_name: Acme}}\nsubprocessors:\n{top}{rows}");
            apply(&mut server, &text).await.expect("applied");
        }
        let trace = v1::TraceSubprocessorRequest { name: format!("{ACME}/subprocessors/top"), as_of: None };
        let statuses = [
            refused(export(&mut server, ACME, Format::Yaml, None).await, Code::ResourceExhausted, "ANSWER_TOO_LARGE", &[]),
            refused(server.subprocessors.trace_subprocessor(trace).await, Code::ResourceExhausted, "ANSWER_TOO_LARGE", &[]),
        ];
        for status in statuses {
            let info = status.get_error_details().error_info().expect("ErrorInfo").metadata.clone();
            assert_eq!(info.get("max_bytes").map(String::as_str), Some("4128768"), "{info:?}");
            assert!(info.get("bytes").and_then(|n| n.parse().ok()).is_some_and(|n: usize| n > 4_600_000), "{info:?}");
        }
        // What it was before is small enough.
        export(&mut server, ACME, Format::Yaml, Some(1)).await.expect("exported");
    }
}
