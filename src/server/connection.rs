//! One connection: HTTP/1.1 or HTTP/2, whichever the client speaks, within bounds.

use std::{convert::Infallible, future::Future, net::SocketAddr, time::Duration};

use axum::Router;
use http::Request;
use hyper::{body::Incoming, rt::Executor, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpConnectInfo;
use tower::ServiceExt;

use crate::reset::StreamReset;

/// Calls on one connection at a time. A client that follows more streams than this opens another connection.
const MAX_CONCURRENT_STREAMS: u32 = 512;
/// Metadata of a call, all together.
const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// A peer that vanished is noticed after this and the next.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// HTTP/1.1: how long a request's head may take to arrive, and how large it may be.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(15);
const HTTP1_BUFFER_BYTES: usize = 64 * 1024;

tokio::task_local! {
    /// What resets the stream that the current task answers. The response future is polled in that task, but the
    /// request was taken apart in the connection's: so it cannot simply be passed along.
    static RESET: StreamReset;
}

/// The handle that resets the stream of the call answered by the current task.
pub(super) fn current_reset() -> Option<StreamReset> {
    RESET.try_with(Clone::clone).ok()
}

/// Runs each HTTP/2 stream as a task that a [`StreamReset`] can end. Dropping the stream's future resets it.
#[derive(Debug, Clone, Copy)]
struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(until_reset(stream));
    }
}

/// Runs until done or reset.
async fn until_reset(future: impl Future) {
    let reset = StreamReset::default();
    let run = async {
        tokio::select! {
            () = reset.requested() => {}
            _ = future => {}
        }
    };
    RESET.scope(reset.clone(), run).await;
}

/// Serves a connection until it closes, or, once `stopping`, until its calls are done.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    router: Router,
    stopping: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(TcpConnectInfo { local_addr: Some(local), remote_addr: Some(peer) });
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });

    let mut builder = auto::Builder::new(Streams);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT).max_buf_size(HTTP1_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);

    until_reset(async {
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let closed = tokio::select! {
            closed = &mut connection => closed,
            () = stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = closed {
            // Peers break off connections all the time; it concerns nobody but them.
            tracing::debug!(%peer, %error, "connection");
        }
    })
    .await;
}
