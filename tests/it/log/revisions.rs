//! Reading the log back.

use prost::Message;
use subprocessor_registry::proto::v1::{self, change::Kind};
use tonic::Code;

use super::{Arithmetic, by, rich};
use crate::support::{Server, both, fresh, refused};

async fn get(server: &mut Server, number: i64) -> v1::Revision {
    let request = v1::GetRevisionRequest { name: format!("revisions/{number}") };
    server.log.get_revision(request).await.expect("a revision").into_inner()
}

async fn list(server: &mut Server, request: v1::ListRevisionsRequest) -> v1::ListRevisionsResponse {
    server.log.list_revisions(request).await.expect("revisions").into_inner()
}

async fn numbers(server: &mut Server, filter: &str) -> Vec<i64> {
    let list = list(server, v1::ListRevisionsRequest { filter: filter.into(), ..Default::default() }).await;
    list.revisions.iter().map(|revision| revision.number).collect()
}

both! {
    async fn they_have_no_gap_and_their_hashes_are_as_documented(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let listed = list(&mut server, v1::ListRevisionsRequest::default()).await;
        assert_eq!((listed.revision, listed.revisions.len()), (14, 14));
        let (mut previous, mut time) = (vec![0; 32], 0);
        for (i, revision) in listed.revisions.iter().enumerate() {
            let number = i64::try_from(i).expect("small") + 1;
            assert_eq!((revision.number, revision.name.as_str()), (number, format!("revisions/{number}").as_str()));
            assert_eq!(revision.previous_hash, previous, "{number}");
            assert_eq!(revision.hash, Arithmetic::revision(revision), "{number}");
            previous.clone_from(&revision.hash);
            let at = revision.commit_time.expect("a time");
            let micros = at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000;
            assert!(micros >= time, "{number} went back");
            time = micros;
            assert!(revision.changes.iter().all(|change| change.before.is_none() && change.after.is_none()));
            let whole = get(&mut server, number).await;
            let bare = |revision: &v1::Revision| {
                let mut bare = revision.clone();
                bare.changes.iter_mut().for_each(|change| (change.before, change.after) = (None, None));
                bare
            };
            assert_eq!(bare(&whole), *revision);
        }
    }

    async fn one_revision_has_before_and_after(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let kinds: Vec<(i64, Kind)> = {
            let mut kinds = Vec::new();
            for number in 1..=14 {
                let revision = get(&mut server, number).await;
                kinds.extend(revision.changes.iter().map(|change| (number, change.kind())));
            }
            kinds
        };
        use Kind::{Created, Deleted, Erased, Undeleted, Updated};
        let expected = [
            Created, Updated, Created, Created, Updated, Updated, Created, Updated, Deleted, Erased, Created, Deleted,
            Undeleted, Created, Created, Created,
        ];
        assert_eq!(kinds.iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), expected);
        let updated = get(&mut server, 5).await;
        let change = &updated.changes[0];
        assert_eq!((change.ordinal, change.resource_name.as_str()), (0, "organizations/acme/subprocessors/aws"));
        let decode = |any: &Option<prost_types::Any>| {
            let any = any.as_ref().expect("there");
            assert_eq!(any.type_url, "type.googleapis.com/subprocessor.registry.v1.Subprocessor");
            v1::Subprocessor::decode(any.value.as_slice()).expect("a subprocessor")
        };
        let (before, after) = (decode(&change.before), decode(&change.after));
        assert_eq!((before.purposes.len(), before.revision), (2, 4));
        assert_eq!((after.purposes.as_slice(), after.revision), (&["storage".to_owned()][..], 5));
        let now = v1::GetSubprocessorRequest { name: after.name.clone(), as_of: Some(v1::AsOf {
            point: Some(v1::as_of::Point::Revision(5)) }), ..Default::default() };
        assert_eq!(server.subprocessors.get_subprocessor(now).await.expect("then").into_inner(), after);
        // The digest before is the one after of the version that it replaced; the last version stays what it was.
        assert_eq!(get(&mut server, 4).await.changes[0].after_digest, change.before_digest);
        let created = get(&mut server, 1).await;
        assert!(created.changes[0].before.is_none() && created.changes[0].before_digest.is_empty());
        let deleted = get(&mut server, 12).await;
        let after = deleted.changes[0].after.as_ref().expect("the deleted version");
        assert!(v1::Customer::decode(after.value.as_slice()).expect("a customer").delete_time.is_some());
        for name in ["revisions/0", "revisions/15", "revisions/-1", "revisions/x", "revisions/01", "revisions/+1", "1",
            "revisions/99999999999999999999", ""] {
            let status = server.log.get_revision(v1::GetRevisionRequest { name: name.into() }).await.expect_err(name);
            let expected = if name == "revisions/15" { Code::NotFound } else { Code::InvalidArgument };
            assert_eq!(status.code(), expected, "{name}");
        }
    }

    async fn they_say_who_through_what_and_with_which_id(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let header = |revision: v1::Revision| (revision.principal, revision.method, revision.request_id);
        let three = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(header(get(&mut server, 1).await), three("anonymous", "OrganizationService/CreateOrganization", ""));
        assert_eq!(header(get(&mut server, 6).await), three("ops", "SubprocessorService/Activate", ""));
        assert_eq!(header(get(&mut server, 7).await), three("ops", "OrganizationService/CreateCustomer", "create-jane"));
        assert_eq!(header(get(&mut server, 10).await), three("anonymous", "ChangeLogService/ErasePersonalData", ""));
        assert_eq!(header(get(&mut server, 14).await), three("privacy-team", "RegistryService/ApplyManifest", "apply"));
    }

    async fn they_are_filtered_by_every_field(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let cases: &[(&str, &[i64])] = &[
            ("number = 3", &[3]),
            ("number >= 13", &[13, 14]),
            ("number != 1 AND number < 4", &[2, 3]),
            ("principal = \"ops\"", &[6, 7, 11]),
            ("principal = \"Ops\"", &[]),
            ("method = \"OrganizationService/DeleteCustomer\"", &[9, 12]),
            ("method = \"SubprocessorService/*\"", &[4, 5, 6]),
            ("request_id = \"create-jane\" OR request_id = \"apply\"", &[7, 14]),
            ("request_id:*", &[7, 11, 14]),
            ("commit_time < \"2026-03-23T11:00:00Z\"", &[1, 2]),
            ("commit_time >= \"2026-03-23T12:00:00.000001Z\" AND principal = \"privacy-team\"", &[14]),
            ("commit_time = \"2026-03-23T11:00:00Z\"", &[3, 4, 5, 6]),
            ("NOT principal = \"anonymous\"", &[6, 7, 11, 14]),
            ("resource_names:\"organizations/acme/subprocessors/aws\"", &[4, 5, 6]),
            ("resource_names:\"organizations/acme/customers/jane\"", &[7, 8, 9, 10]),
            ("resource_names:\"vendors/aws\" OR resource_names:\"vendors/stripe\"", &[3, 14]),
            ("resource_names:\"organizations/acme\" AND number > 1", &[2]),
            ("resource_names:\"organizations/acme/customers/bob\" AND NOT principal = \"ops\"", &[12, 13]),
            ("NOT resource_names:\"organizations/acme/customers/jane\" AND number > 6 AND number < 12", &[11]),
            ("resource_names:\"vendors/nobody\" OR resource_names:\"no name\"", &[]),
            ("resource_names:* AND number < 3", &[1, 2]),
        ];
        for (filter, expected) in cases {
            assert_eq!(numbers(&mut server, filter).await, *expected, "{filter}");
        }
        for filter in ["hash = \"x\"", "number = \"three\"", "commit_time = \"soon\"", "principal =", "changes:*", "resource_names = \"vendors/aws\""] {
            let request = v1::ListRevisionsRequest { filter: filter.into(), ..Default::default() };
            let answer = server.log.list_revisions(request).await;
            refused(answer, Code::InvalidArgument, "FILTER_INVALID", &["filter"]);
        }
        for order_by in ["commit_time", "number,number", "principal desc", "number down"] {
            let request = v1::ListRevisionsRequest { order_by: order_by.into(), ..Default::default() };
            let answer = server.log.list_revisions(request).await;
            refused(answer, Code::InvalidArgument, "ORDER_BY_INVALID", &["order_by"]);
        }
    }

    async fn they_are_paged_in_both_orders_while_more_are_written(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        for (order_by, expected) in [("", (1..=14).collect::<Vec<i64>>()), ("number desc", (1..=14).rev().collect())] {
            let mut found = Vec::new();
            let mut request =
                v1::ListRevisionsRequest { page_size: 3, order_by: order_by.into(), ..Default::default() };
            loop {
                let page = list(&mut server, request.clone()).await;
                assert!(page.revisions.len() <= 3 && (page.revision == 14 || order_by == "number desc"));
                found.extend(page.revisions.iter().map(|revision| revision.number));
                if page.next_page_token.is_empty() {
                    break;
                }
                request.page_token = page.next_page_token;
                if order_by.is_empty() {
                    // What is written during the walk is not in it.
                    let name = format!("A{}", found.len());
                    crate::log::rename_vendor(&mut server, "aws", &name).await;
                }
            }
            found.retain(|number| *number <= 14);
            assert_eq!(found, expected, "{order_by}");
            if order_by.is_empty() {
                // A token is for its own query only.
                let other = v1::ListRevisionsRequest { filter: "number > 0".into(), ..request.clone() };
                refused(server.log.list_revisions(other).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
            }
        }
        let negative = v1::ListRevisionsRequest { page_size: -1, ..Default::default() };
        refused(server.log.list_revisions(negative).await, Code::InvalidArgument, "FIELD_INVALID", &["page_size"]);
    }

    async fn they_are_listed_by_organization(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        for (parent, expected) in [
            ("organizations/beta", vec![14]),
            ("organizations/acme", vec![1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
            ("organizations/-", (1..=14).collect()),
        ] {
            let request = v1::ListRevisionsRequest { parent: parent.into(), page_size: 1_000, ..Default::default() };
            let found: Vec<i64> = list(&mut server, request).await.revisions.iter().map(|r| r.number).collect();
            assert_eq!(found, expected, "{parent}");
        }
        let request = v1::ListRevisionsRequest { parent: "organizations/nobody".into(), ..Default::default() };
        refused(server.log.list_revisions(request).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        let request = v1::ListRevisionsRequest { parent: "vendors/aws".into(), ..Default::default() };
        refused(server.log.list_revisions(request).await, Code::InvalidArgument, "FIELD_INVALID", &["parent"]);
    }

    async fn time_never_goes_back_and_nothing_changed_makes_none(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        crate::support::vendor(&mut server, "aws").await;
        server.stop().await;
        // A server whose clock is behind what was committed.
        place.set_clock("2025-01-01T00:00:00Z");
        let mut server = Server::start(&place).await;
        let renamed = crate::log::rename_vendor(&mut server, "aws", "Amazon").await;
        let (first, second) = (get(&mut server, 1).await, get(&mut server, 2).await);
        assert_eq!(second.commit_time, first.commit_time);
        assert_eq!(renamed.update_time, first.commit_time);
        // The same once more, and a dry run: no revision.
        crate::log::rename_vendor(&mut server, "aws", "Amazon").await;
        let dry = v1::Vendor { name: "vendors/aws".into(), display_name: "Other".into(), ..Default::default() };
        let request = v1::UpdateVendorRequest { vendor: Some(dry), validate_only: true, ..Default::default() };
        server.vendors.update_vendor(by("ops", request)).await.expect("valid");
        assert_eq!(server.revision().await, 2);
        crate::log::assert_verifies(&mut server).await;
    }

    async fn what_is_too_long_for_an_index_is_in_order(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        crate::support::organization(&mut server, "acme").await;
        let message = v1::Subprocessor { display_name: "AWS".into(), purposes: vec!["a".repeat(2_049)], ..Default::default() };
        crate::support::subprocessor(&mut server, "organizations/acme", "aws", message).await.expect("created");
        crate::log::assert_verifies(&mut server).await;
    }
}
