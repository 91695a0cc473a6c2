//! What is left: the methods of the log and of manifests, who calls, and methods that nobody offers.

use subprocessor_registry::proto::v1;
use tonic::{Code, Request};
use tonic_types::StatusExt;

use super::subject::{How, Subject, Writable, at, no_driver_text};
use crate::support::{both, fresh, organization, refused};

both! {
    async fn the_log_checks_what_it_is_asked(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let made = organization(&mut server, "acme").await;
        let get = |name: &str| v1::GetRevisionRequest { name: name.into() };
        let one = server.log.get_revision(get("revisions/1")).await.expect("got").into_inner();
        assert_eq!((one.number, one.method.as_str(), one.principal.as_str()), (1, "OrganizationService/CreateOrganization", "anonymous"));
        assert_eq!((one.commit_time, one.changes[0].resource_name.as_str()), (made.create_time, "organizations/acme"));
        for bad in ["", "1", "revisions/", "revisions/0", "revisions/-1", "revisions/+1", "revisions/01", "revisions/x", "revisions/1/x",
            "revisions/99999999999999999999", "organizations/acme", "revisions/1\0"] {
            no_driver_text(&refused(server.log.get_revision(get(bad)).await, Code::InvalidArgument, "FIELD_INVALID", &["name"]));
        }
        for missing in ["revisions/2", "revisions/9223372036854775807"] {
            let status = refused(server.log.get_revision(get(missing)).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
            assert_eq!(status.get_error_details().resource_info().expect("info").resource_name, missing);
        }
        let list = |parent: &str| v1::ListRevisionsRequest { parent: parent.into(), ..Default::default() };
        for (parent, count) in [("", 1), ("organizations/-", 1), ("organizations/acme", 1)] {
            assert_eq!(server.log.list_revisions(list(parent)).await.expect("listed").into_inner().revisions.len(), count);
        }
        refused(server.log.list_revisions(list("vendors/x")).await, Code::InvalidArgument, "FIELD_INVALID", &["parent"]);
        refused(server.log.list_revisions(list("organizations/x")).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        let hash = v1::VerifyChangeLogRequest { expected_revision: 1, expected_hash: vec![1; 31], ..Default::default() };
        refused(server.log.verify_change_log(hash).await, Code::InvalidArgument, "FIELD_INVALID", &["expected_hash"]);
        let watch = |parent: &str, types: &[&str], after_revision| v1::WatchChangesRequest {
            parent: parent.into(), resource_types: types.iter().map(|t| (*t).to_owned()).collect(), after_revision, ..Default::default()
        };
        for (request, code, reason, fields) in [
            (watch("", &[], None), Code::InvalidArgument, "FIELD_INVALID", &["parent"][..]),
            (watch("organizations/acme", &["customers", "revisions"], None), Code::InvalidArgument, "FIELD_INVALID", &["resource_types[1]"]),
            (watch("organizations/none", &[], None), Code::NotFound, "RESOURCE_NOT_FOUND", &[]),
            (watch("organizations/-", &[], Some(2)), Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]),
        ] {
            refused(server.log.watch_changes(request).await.map(drop), code, reason, fields);
        }
        let erase = |name: &str, reason: &str| v1::ErasePersonalDataRequest { name: name.into(), reason: reason.into(), ..Default::default() };
        for (name, reason, field) in [("", "x", "name"), ("revisions/1", "x", "name"), ("organizations/acme", " ", "reason"), ("organizations/acme", "a\0", "reason")] {
            refused(server.log.erase_personal_data(erase(name, reason)).await, Code::InvalidArgument, "FIELD_INVALID", &[field]);
        }
        refused(server.log.erase_personal_data(erase("vendors/none", "x")).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        // The live version stays: nothing to erase, no revision.
        let nothing = server.log.erase_personal_data(erase("organizations/acme", "x")).await.expect("done").into_inner();
        assert_eq!((nothing.revision, nothing.versions_erased, nothing.current_version_kept), (1, 0, true));
        let how = How::default();
        v1::Organization::delete(&mut server, "organizations/acme", "", &how).await.expect("deleted");
        let done = server.log.erase_personal_data(erase("organizations/acme", "x")).await.expect("done").into_inner();
        assert_eq!((done.revision, done.versions_erased, done.current_version_kept), (3, 2, false));
        let then = v1::Organization::get(&mut server, "organizations/acme", at(1)).await;
        refused(then, Code::NotFound, "RESOURCE_ERASED", &[]);
    }

    async fn manifests_check_what_they_are_given(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let apply = |manifest: &str| v1::ApplyManifestRequest { manifest: manifest.into(), ..Default::default() };
        for empty in ["", " \n"] {
            refused(server.registry.apply_manifest(apply(empty)).await, Code::InvalidArgument, "FIELD_INVALID", &["manifest"]);
        }
        for bad in ["x", "[]", "a: [", "organization: {id: X, display_name: Y}", "organization: {id: x}", "organization: {id: x, display_name: Y}\nnothing: 1"] {
            no_driver_text(&refused(server.registry.apply_manifest(apply(bad)).await, Code::InvalidArgument, "MANIFEST_INVALID", &[]));
        }
        assert_eq!(server.revision().await, 0);
        server.registry.apply_manifest(apply("organization: {id: x, display_name: Y}")).await.expect("applied");
        let export = |name: &str, as_of| v1::ExportManifestRequest { name: name.into(), as_of, ..Default::default() };
        let text = server.registry.export_manifest(export("organizations/x", None)).await.expect("exported").into_inner().manifest;
        let again = server.registry.apply_manifest(apply(&text)).await.expect("applied").into_inner();
        assert_eq!((again.revision, again.plan.len()), (1, 0));
        refused(server.registry.export_manifest(export("vendors/x", None)).await, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
        refused(server.registry.export_manifest(export("organizations/y", None)).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        refused(server.registry.export_manifest(export("organizations/x", at(0))).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        refused(server.registry.export_manifest(export("organizations/x", at(2))).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        let schema = server.registry.get_manifest_schema(v1::GetManifestSchemaRequest {}).await.expect("a schema").into_inner();
        assert!(schema.json_schema.contains("2020-12"));
    }

    async fn callers_say_who_they_are(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let ops = How { principal: "ops@acme".into(), ..How::default() };
        v1::Vendor::create(&mut server, "a", Some(v1::Vendor::sample("A")), "", &ops).await.expect("created");
        let request = v1::GetRevisionRequest { name: "revisions/1".into() };
        assert_eq!(server.log.get_revision(request).await.expect("got").into_inner().principal, "ops@acme");
        for bad in ["a b", &"x".repeat(257)] {
            let mut request = Request::new(v1::ListVendorsRequest::default());
            request.metadata_mut().insert("x-principal", bad.parse().expect("a value"));
            refused(server.vendors.list_vendors(request).await, Code::Unauthenticated, "PRINCIPAL_INVALID", &[]);
        }
    }
}
