//! What a stream brings: everything, once, in order, whole; and of it what was asked for.

use std::collections::BTreeSet;

use futures::future::join_all;
use subprocessor_registry::proto::v1::{self, change::Kind, watch_changes_response::Event};
use tonic::Code;

use super::{all_after, assert_verifies, checkpoint, customer, next, rename_vendor, revision, rich, until, watch};
use crate::support::{Server, both, fresh, organization, refused, vendor};

async fn get(server: &mut Server, number: i64) -> v1::Revision {
    let request = v1::GetRevisionRequest { name: format!("revisions/{number}") };
    server.log.get_revision(request).await.expect("a revision").into_inner()
}

both! {
    async fn eight_writers_and_nothing_is_missed_doubled_or_out_of_order(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let mut from_zero = watch(&server, all_after(Some(0))).await;
        let mut from_now = watch(&server, all_after(None)).await;
        assert_eq!(checkpoint(&mut from_now).await.revision, 0);
        let writers = (0..8).map(|writer| {
            let mut vendors = server.vendors.clone();
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for i in 0..20 {
                    let vendor = v1::Vendor { display_name: format!("{writer}-{i}"), ..Default::default() };
                    let request = v1::CreateVendorRequest {
                        vendor_id: format!("v{writer}-{i}"), vendor: Some(vendor), ..Default::default()
                    };
                    numbers.push(vendors.create_vendor(request).await.expect("created").into_inner().revision);
                }
                numbers
            })
        });
        let acknowledged = join_all(writers).await;
        let acknowledged: BTreeSet<i64> = acknowledged.into_iter().flat_map(|numbers| numbers.expect("a writer")).collect();
        assert_eq!(acknowledged, (1..=160).collect());
        // A stream that begins in the middle, one that began before, one from the beginning.
        let mut from_eighty = watch(&server, all_after(Some(80))).await;
        for (stream, first) in [(&mut from_zero, 1), (&mut from_now, 1), (&mut from_eighty, 81)] {
            let (revisions, last) = until(stream, 160).await;
            let numbers: Vec<i64> = revisions.iter().map(|revision| revision.number).collect();
            assert_eq!(numbers, (first..=160).collect::<Vec<_>>());
            assert_eq!((last.revision, &last.hash), (160, &revisions.last().expect("the last").hash));
            assert_eq!(last.commit_time, revisions.last().expect("the last").commit_time);
            for pair in revisions.windows(2) {
                assert_eq!(pair[1].previous_hash, pair[0].hash);
            }
        }
        assert_verifies(&mut server).await;
    }

    async fn a_revision_is_one_message_with_before_and_after(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        let mut live = watch(&server, all_after(None)).await;
        checkpoint(&mut live).await;
        rich(&place, &mut server).await;
        let (live, _) = until(&mut live, 14).await;
        let mut replay = watch(&server, all_after(Some(0))).await;
        let (replay, _) = until(&mut replay, 14).await;
        assert_eq!(replay.len(), 14);
        for revision in &replay {
            assert_eq!(*revision, get(&mut server, revision.number).await);
        }
        assert_eq!(replay[13].changes.len(), 3);
        // Live, the erased versions were still there to be sent.
        assert_eq!(live.iter().map(|revision| &revision.hash).collect::<Vec<_>>(),
            replay.iter().map(|revision| &revision.hash).collect::<Vec<_>>());
    }

    async fn from_now_begins_with_a_checkpoint(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let mut stream = watch(&server, all_after(None)).await;
        let first = checkpoint(&mut stream).await;
        let head = get(&mut server, 14).await;
        assert_eq!((first.revision, first.hash, first.commit_time), (14, head.hash, head.commit_time));
        rename_vendor(&mut server, "aws", "Amazon").await;
        assert_eq!(revision(&mut stream).await.number, 15);
        let caught_up = checkpoint(&mut stream).await;
        assert_eq!((caught_up.revision, caught_up.hash), (15, get(&mut server, 15).await.hash));
    }

    async fn a_filter_that_never_matches_still_gets_checkpoints(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "quiet").await;
        vendor(&mut server, "aws").await;
        let request = v1::WatchChangesRequest {
            parent: "organizations/quiet".into(),
            resource_types: vec!["documents".into()],
            after_revision: Some(0),
            ..Default::default()
        };
        let mut stream = watch(&server, request.clone()).await;
        assert_eq!(checkpoint(&mut stream).await.revision, 2);
        let mut last = v1::Checkpoint::default();
        for i in 0..30 {
            let made = rename_vendor(&mut server, "aws", &format!("A{i}")).await.revision;
            // Near the end, always: one comes for what was just written, and nothing else does.
            last = loop {
                let one = checkpoint(&mut stream).await;
                assert!(one.revision <= made);
                if one.revision == made {
                    break one;
                }
            };
        }
        assert_eq!((last.revision, &last.hash), (32, &get(&mut server, 32).await.hash));
        // From there it can be resumed.
        let resumed = v1::WatchChangesRequest { after_revision: Some(32), after_hash: last.hash, ..request };
        let mut stream = watch(&server, resumed).await;
        assert_eq!(checkpoint(&mut stream).await.revision, 32);
    }

    async fn only_what_was_asked_for(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let ask = |parent: &str, types: &[&str]| v1::WatchChangesRequest {
            parent: parent.into(),
            after_revision: Some(0),
            resource_types: types.iter().map(|one| (*one).to_owned()).collect(),
            ..Default::default()
        };
        let cases: &[(&str, &[&str], &[i64])] = &[
            ("organizations/acme", &[], &[1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
            ("organizations/beta", &[], &[14]),
            ("organizations/-", &["vendors"], &[3, 14]),
            ("organizations/acme", &["vendors"], &[]),
            ("organizations/-", &["subprocessors", "organizations"], &[1, 2, 4, 5, 6, 14]),
            ("organizations/acme", &["customers"], &[7, 8, 9, 10, 11, 12, 13]),
            ("organizations/-", &["instruments", "documents"], &[]),
        ];
        for (parent, types, expected) in cases {
            let mut stream = watch(&server, ask(parent, types)).await;
            let (revisions, last) = until(&mut stream, 14).await;
            let numbers: Vec<i64> = revisions.iter().map(|revision| revision.number).collect();
            assert_eq!((numbers.as_slice(), last.revision), (*expected, 14), "{parent} {types:?}");
            for revision in revisions {
                let fits = |name: &str| types.is_empty() || types.iter().any(|kind| name.contains(&format!("{kind}/")));
                assert!(!revision.changes.is_empty());
                assert!(revision.changes.iter().all(|change| fits(&change.resource_name)), "{revision:?}");
            }
        }
        // Of a revision with three changes one matches; it keeps its place.
        let mut stream = watch(&server, ask("organizations/-", &["vendors"])).await;
        let (revisions, _) = until(&mut stream, 14).await;
        let change = &revisions[1].changes[0];
        assert_eq!((revisions[1].changes.len(), change.kind(), change.resource_name.as_str()), (1, Kind::Created, "vendors/stripe"));
        let whole = get(&mut server, 14).await;
        assert!(whole.changes.contains(change));

        for (parent, types, field) in [
            ("organizations/acme", &["customer"][..], "resource_types[0]"),
            ("organizations/acme", &["customers", "Vendors"], "resource_types[1]"),
            ("", &[], "parent"),
            ("vendors/aws", &[], "parent"),
            ("organizations/acme/customers/bob", &[], "parent"),
        ] {
            let answer = server.log.watch_changes(ask(parent, types)).await.map(|_| ());
            refused(answer, Code::InvalidArgument, "FIELD_INVALID", &[field]);
        }
        let answer = server.log.watch_changes(ask("organizations/nobody", &[])).await.map(|_| ());
        refused(answer, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
    }

    async fn what_was_deleted_is_still_followed(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let request = v1::UpdateOrganizationRequest { organization: Some(v1::Organization {
            name: "organizations/acme".into(),
            products: vec![v1::Product { product_id: "cloud".into(), display_name: "Cloud".into(), ..Default::default() }],
            ..Default::default()
        }), ..Default::default() };
        server.organizations.update_organization(request).await.expect("updated");
        customer(&mut server, "jane", "jane").await;
        crate::log::delete_customer(&mut server, "jane").await;
        let request = v1::DeleteOrganizationRequest { name: "organizations/acme".into(), ..Default::default() };
        server.organizations.delete_organization(request).await.expect("deleted");
        let request = v1::WatchChangesRequest {
            parent: "organizations/acme".into(), after_revision: Some(0), ..Default::default()
        };
        let mut stream = watch(&server, request).await;
        let (revisions, _) = until(&mut stream, 5).await;
        assert_eq!(revisions.len(), 5);
        assert!(matches!(next(&mut watch(&server, all_after(Some(5))).await).await, Ok(Event::Checkpoint(_))));
    }
}
