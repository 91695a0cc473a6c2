//! A reader that does not read: it is cut, and nobody else notices.

use std::time::Duration;

use subprocessor_registry::proto::v1::{
    self, change_log_service_client::ChangeLogServiceClient, watch_changes_response::Event,
};
use tonic::{Code, Streaming, transport::Channel};

use super::{PATIENCE, all_after, assert_verifies, checkpoint, until, watch};
use crate::support::{Place, Server, both, refused, vendor};

/// Revisions that are written while nobody reads: each is larger than all that HTTP/2 holds on its way.
const WRITTEN: i64 = 10;

/// A stream over a connection of its own that holds as little as HTTP/2 lets it.
async fn narrow(server: &Server) -> Streaming<v1::WatchChangesResponse> {
    let endpoint = Channel::from_shared(server.address.clone()).expect("an address");
    let channel = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    let mut client = ChangeLogServiceClient::new(channel.connect().await.expect("connected"));
    let mut stream = client.watch_changes(all_after(None)).await.expect("a stream").into_inner();
    checkpoint(&mut stream).await;
    stream
}

/// Makes large revisions: 200 kB before, 200 kB after.
async fn write_much(server: &mut Server) {
    vendor(server, "big").await;
    for i in 1..WRITTEN {
        let annotations = (0..12).map(|n| (format!("a{n}"), format!("{i}").repeat(16_384 / 2))).collect();
        let vendor = v1::Vendor { name: "vendors/big".into(), annotations, ..Default::default() };
        let request = v1::UpdateVendorRequest { vendor: Some(vendor), ..Default::default() };
        server.vendors.update_vendor(request).await.expect("updated");
    }
}

async fn drain(stream: &mut Streaming<v1::WatchChangesResponse>) -> (Vec<v1::Revision>, tonic::Status) {
    let mut revisions = Vec::new();
    loop {
        match tokio::time::timeout(PATIENCE, stream.message()).await.expect("something came") {
            Ok(Some(message)) => {
                if let Some(Event::Revision(revision)) = message.event {
                    revisions.push(revision);
                }
            }
            Ok(None) => panic!("the stream ended without a reason"),
            Err(status) => return (revisions, status),
        }
    }
}

both! {
    async fn it_gets_what_was_buffered_and_then_the_reason(backend: Backend) {
        let place = Place::new(backend).await;
        let changes = [("WATCH__BUFFER_REVISIONS", "2"), ("WATCH__SLOW_READER_GRACE_SECONDS", "6")];
        let mut server = Server::start_with(&place, &changes).await;
        let mut slow = narrow(&server).await;
        let mut fast = watch(&server, all_after(None)).await;
        checkpoint(&mut fast).await;
        let begun = tokio::time::Instant::now();
        let reader = tokio::spawn(async move { until(&mut fast, WRITTEN).await.0.len() });
        write_much(&mut server).await;
        // Nobody else is slower for it: all was written, and who reads has read it.
        assert_eq!(reader.await.expect("a reader"), usize::try_from(WRITTEN).expect("small"));
        // The reader takes its time: more than the grace since the buffer was full, less than twice that.
        tokio::time::sleep_until(begun + Duration::from_secs(10)).await;
        let (revisions, status) = drain(&mut slow).await;
        refused::<()>(Err(status), Code::ResourceExhausted, "READER_TOO_SLOW", &[]);
        let count = i64::try_from(revisions.len()).expect("few");
        assert!((1..WRITTEN).contains(&count), "{count}");
        assert_eq!(revisions.iter().map(|revision| revision.number).collect::<Vec<_>>(), (1..=count).collect::<Vec<_>>());
        // Nothing is lost: it resumes after the last one received.
        let last = revisions.last().expect("the last");
        let request = v1::WatchChangesRequest { after_hash: last.hash.clone(), ..all_after(Some(count)) };
        let (rest, _) = until(&mut watch(&server, request).await, WRITTEN).await;
        assert_eq!(rest.iter().map(|revision| revision.number).collect::<Vec<_>>(), (count + 1..=WRITTEN).collect::<Vec<_>>());
        assert_verifies(&mut server).await;
    }

    async fn it_is_reset_if_it_does_not_take_that_either(backend: Backend) {
        let place = Place::new(backend).await;
        let changes = [("WATCH__BUFFER_REVISIONS", "2"), ("WATCH__SLOW_READER_GRACE_SECONDS", "1")];
        let mut server = Server::start_with(&place, &changes).await;
        let mut slow = narrow(&server).await;
        write_much(&mut server).await;
        // Longer than twice the grace.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let (revisions, status) = drain(&mut slow).await;
        assert_ne!(status.code(), Code::ResourceExhausted, "it was still told: {status:?}");
        assert!(revisions.len() < 4, "what was buffered is gone: {}", revisions.len());
        // The server goes on, with streams too.
        let (all, _) = until(&mut watch(&server, all_after(Some(0))).await, WRITTEN).await;
        assert_eq!(all.len(), usize::try_from(WRITTEN).expect("small"));
    }

    async fn a_reader_that_is_slow_but_reads_is_not_cut(backend: Backend) {
        let place = Place::new(backend).await;
        let changes = [("WATCH__BUFFER_REVISIONS", "1"), ("WATCH__SLOW_READER_GRACE_SECONDS", "30")];
        let mut server = Server::start_with(&place, &changes).await;
        let mut slow = narrow(&server).await;
        write_much(&mut server).await;
        let (revisions, _) = until(&mut slow, WRITTEN).await;
        assert_eq!(revisions.iter().map(|revision| revision.number).collect::<Vec<_>>(), (1..=WRITTEN).collect::<Vec<_>>());
    }
}
