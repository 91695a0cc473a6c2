//! Where a stream begins, how it resumes, and how it ends.

use std::time::Duration;

use subprocessor_registry::proto::v1;
use tonic::{Code, Request};
use tonic_types::StatusExt;

use super::{all_after, checkpoint, end, rename_vendor, revision, rich, until, watch};
use crate::support::{Server, both, fresh, refused, vendor};

fn metadata(status: &tonic::Status, key: &str) -> String {
    let details = status.get_error_details();
    details.error_info().and_then(|info| info.metadata.get(key).cloned()).unwrap_or_else(|| panic!("{key}: {status:?}"))
}

both! {
    async fn resumed_across_a_restart_it_goes_on_where_it_was(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let mut stream = watch(&server, all_after(Some(0))).await;
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(revision(&mut stream).await);
        }
        drop(stream);
        server.stop().await;
        let mut server = Server::start(&place).await;
        rename_vendor(&mut server, "aws", "Amazon").await;
        let last = seen.last().expect("the last");
        let request =
            v1::WatchChangesRequest { after_hash: last.hash.clone(), ..all_after(Some(last.number)) };
        let (rest, _) = until(&mut watch(&server, request).await, 15).await;
        seen.extend(rest);
        assert_eq!(seen.iter().map(|revision| revision.number).collect::<Vec<_>>(), (1..=15).collect::<Vec<_>>());
        for pair in seen.windows(2) {
            assert_eq!(pair[1].previous_hash, pair[0].hash);
        }
    }

    async fn a_checkpoint_resumes_as_well_as_a_revision(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        let mut stream = watch(&server, all_after(Some(0))).await;
        let empty = checkpoint(&mut stream).await;
        assert_eq!((empty.revision, empty.hash.clone(), empty.commit_time), (0, vec![0; 32], None));
        rich(&place, &mut server).await;
        let request = v1::WatchChangesRequest { after_hash: empty.hash, ..all_after(Some(0)) };
        let (revisions, last) = until(&mut watch(&server, request).await, 14).await;
        assert_eq!(revisions.len(), 14);
        let request = v1::WatchChangesRequest { after_hash: last.hash, ..all_after(Some(14)) };
        assert_eq!(checkpoint(&mut watch(&server, request).await).await.revision, 14);
    }

    async fn what_cannot_be_resumed_is_refused(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let open = async |request: v1::WatchChangesRequest| server.log.clone().watch_changes(request).await.map(|_| ());
        for number in [0, 3, 14] {
            let wrong = v1::WatchChangesRequest { after_hash: vec![7; 32], ..all_after(Some(number)) };
            let status = refused(open(wrong).await, Code::DataLoss, "LOG_HASH_MISMATCH", &[]);
            assert_eq!(metadata(&status, "revision"), number.to_string());
        }
        for short in [vec![1], vec![0; 31], vec![0; 33]] {
            let wrong = v1::WatchChangesRequest { after_hash: short, ..all_after(Some(0)) };
            assert!(open(wrong).await.is_err());
        }
        let status = refused(open(all_after(Some(15))).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        assert_eq!((metadata(&status, "revision"), metadata(&status, "newest_revision")), ("15".into(), "14".into()));
        refused(open(all_after(Some(i64::MAX))).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        // The future first: there can be no hash of it.
        let wrong = v1::WatchChangesRequest { after_hash: vec![7; 32], ..all_after(Some(15)) };
        refused(open(wrong).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        for number in [-1, i64::MIN] {
            refused(open(all_after(Some(number))).await, Code::InvalidArgument, "FIELD_INVALID", &["after_revision"]);
        }
        let nothing = v1::WatchChangesRequest { after_hash: vec![7; 32], ..all_after(None) };
        refused(open(nothing).await, Code::InvalidArgument, "FIELD_INVALID", &["after_hash"]);
    }

    async fn history_that_was_rewritten_is_data_loss(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let (seen, _) = until(&mut watch(&server, all_after(Some(0))).await, 14).await;
        let db = crate::log::raw(&place).await;
        crate::log::tamper(&db, "UPDATE revision SET hash = (SELECT hash FROM revision WHERE number = 1) WHERE number = 7").await;
        let request = v1::WatchChangesRequest { after_hash: seen[6].hash.clone(), ..all_after(Some(7)) };
        let answer = server.log.watch_changes(request).await.map(|_| ());
        refused(answer, Code::DataLoss, "LOG_HASH_MISMATCH", &[]);
    }

    async fn a_server_that_stops_says_up_to_where(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let mut idle = watch(&server, all_after(None)).await;
        checkpoint(&mut idle).await;
        let mut unread = watch(&server, all_after(Some(0))).await;
        let mut filtered = watch(&server, v1::WatchChangesRequest {
            parent: "organizations/beta".into(), ..all_after(Some(13))
        }).await;
        until(&mut filtered, 14).await;
        // Until it has been read to the end, everything is not sent.
        until(&mut unread, 14).await;
        server.stop().await;
        for stream in [&mut idle, &mut unread, &mut filtered] {
            let status = refused::<()>(Err(end(stream).await), Code::Unavailable, "SERVER_STOPPING", &[]);
            assert_eq!(metadata(&status, "revision"), "14");
        }
    }

    async fn a_deadline_ends_a_stream(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        vendor(&mut server, "aws").await;
        let mut request = Request::new(all_after(Some(0)));
        request.metadata_mut().insert("grpc-timeout", "300m".parse().expect("a timeout"));
        let begun = std::time::Instant::now();
        let mut stream = server.log.watch_changes(request).await.expect("a stream").into_inner();
        assert_eq!(revision(&mut stream).await.number, 1);
        let status = end(&mut stream).await;
        refused::<()>(Err(status), Code::DeadlineExceeded, "DEADLINE_EXCEEDED", &[]);
        assert!(begun.elapsed() >= Duration::from_millis(300));
        // The server is none the worse.
        assert_eq!(revision(&mut watch(&server, all_after(Some(0))).await).await.number, 1);
    }
}
