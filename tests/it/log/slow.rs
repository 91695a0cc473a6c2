//! A reader that does not read: it is cut, and nobody else notices.

use bytes::Bytes;
use prost::Message;
use subprocessor_registry::proto::v1::{self, change_log_service_client::ChangeLogServiceClient};
use tokio::net::TcpStream;
use tonic::{Streaming, transport::Channel};

use super::{PATIENCE, all_after, assert_verifies, checkpoint, until, watch};
use crate::support::{Place, Server, both, vendor};

/// Revisions that are written while nobody reads: each is larger than all that HTTP/2 holds on its way.
const WRITTEN: i64 = 20;

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

/// A stream that is opened and not read, over a connection of its own; and what tells that the server has reset it.
async fn unread(server: &Server) -> (h2::SendStream<Bytes>, h2::RecvStream) {
    let address = server.address.strip_prefix("http://").expect("an address");
    let socket = TcpStream::connect(address).await.expect("connected");
    let (client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    tokio::spawn(connection);
    let path = format!("{}/subprocessor.registry.v1.ChangeLogService/WatchChanges", server.address);
    let request = http::Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
    let mut client = client.ready().await.expect("ready");
    let (response, mut sent) = client.send_request(request.body(()).expect("a request"), false).expect("sent");
    let message = all_after(None).encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).expect("small").to_be_bytes());
    frame.extend(message);
    sent.send_data(frame.into(), true).expect("sent");
    let mut body = response.await.expect("headers").into_body();
    // The first checkpoint: the stream stands.
    body.data().await.expect("a frame").expect("data");
    (sent, body)
}

both! {
    async fn one_that_does_not_read_is_reset_and_nobody_else_notices(backend: Backend) {
        let place = Place::new(backend).await;
        // Those who read have this grace too: they take something all the time.
        let changes = [("WATCH__BUFFER_REVISIONS", "8"), ("WATCH__SLOW_READER_GRACE_SECONDS", "2")];
        let mut server = Server::start_with(&place, &changes).await;
        let (mut sent, mut body) = unread(&server).await;
        let mut fast = watch(&server, all_after(None)).await;
        checkpoint(&mut fast).await;
        let reader = tokio::spawn(async move { until(&mut fast, WRITTEN).await.0.len() });
        write_much(&mut server).await;
        // All was written, and who reads has read it.
        assert_eq!(reader.await.expect("a reader"), usize::try_from(WRITTEN).expect("small"));
        let reset = std::future::poll_fn(|context| sent.poll_reset(context));
        tokio::time::timeout(PATIENCE, reset).await.expect("it is reset in the end").expect("reset");
        // What had arrived by then, which is not all of it, and no end.
        let mut arrived = 0;
        let broken = loop {
            match body.data().await.expect("not an end") {
                Ok(data) => arrived += data.len(),
                Err(error) => break error,
            }
        };
        assert!(broken.is_reset() && arrived < 400_000, "{broken}, {arrived} bytes");
        // The server goes on, with streams too; nothing is lost to who resumes.
        let (all, _) = until(&mut watch(&server, all_after(Some(0))).await, WRITTEN).await;
        assert_eq!(all.len(), usize::try_from(WRITTEN).expect("small"));
        assert_verifies(&mut server).await;
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
