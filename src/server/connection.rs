//! One connection: HTTP/1.1 or HTTP/2, whichever the client speaks, within bounds.

use std::{convert::Infallible, future::Future, io::Cursor, net::SocketAddr, time::Duration};

use axum::Router;
use http::Request;
use hyper::{body::Incoming, rt::Executor, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpConnectInfo;
use tower::ServiceExt;

use crate::reset::{Leaving, StreamReset};

/// Calls on one connection at a time. A client that follows more streams than this opens another connection.
const MAX_CONCURRENT_STREAMS: u32 = 512;
/// Metadata of a call, all together.
const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// A peer that vanished is noticed after this and the next.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// What an HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long the beginning of a connection and, for HTTP/1.1, a request's head may take to arrive, and how large it may be.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(15);
const HTTP1_BUFFER_BYTES: usize = 64 * 1024;
/// How long after the server was told to stop the beginning of a connection is still waited for.
const LAST_ARRIVALS: Duration = Duration::from_millis(100);
/// How long streams that were ended because their connection is too old have to say so.
const FAREWELL: Duration = Duration::from_secs(1);
/// How far an age differs from the limit at most, as a share of it: connections made at once are not to end at once.
const JITTER: f64 = 0.1;

/// How old a connection may become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Age {
    /// Its limit, give or take the jitter.
    pub(super) limit: Duration,
    /// How long its calls may then take.
    pub(super) grace: Duration,
}

/// What all connections of a server have in common.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) local: SocketAddr,
    pub(super) router: Router,
    pub(super) stopping: CancellationToken,
    /// None: any age.
    pub(super) age: Option<Age>,
}

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

/// Serves a connection until it closes, or, once the server stops or the connection is too old, until its calls are done.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, terms: Terms) {
    let Terms { local, router, stopping, age } = terms;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let Some(stream) = opened(stream, &stopping, HEADER_READ_TIMEOUT).await else { return };
    let leaving = stopping.child_token();
    let extension = Leaving(leaving.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(TcpConnectInfo { local_addr: Some(local), remote_addr: Some(peer) });
        request.extensions_mut().insert(extension.clone());
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
            // First, so that what has arrived is read: a connection that has not begun is not shut down but broken off.
            biased;
            closed = &mut connection => closed,
            () = leaving.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            grace = too_old(age) => {
                connection.as_mut().graceful_shutdown();
                if let Ok(closed) = timeout(grace, &mut connection).await {
                    closed
                } else {
                    leaving.cancel();
                    timeout(FAREWELL, connection).await.unwrap_or(Ok(()))
                }
            }
        };
        if let Err(error) = closed {
            // Peers break off connections all the time; it concerns nobody but them.
            tracing::debug!(%peer, %error, "connection");
        }
    })
    .await;
}

/// Reads as much as tells which protocol is spoken, and puts it back. None if that does not arrive: whoever says nothing,
/// or no more than a letter, would hold a connection for ever. Whoever connected before the port closed may say it a
/// moment later.
async fn opened(
    mut stream: TcpStream,
    stopping: &CancellationToken,
    patience: Duration,
) -> Option<impl AsyncRead + AsyncWrite + Unpin + use<>> {
    let mut head = Vec::with_capacity(PREFACE.len());
    let decided = async {
        while head.len() < PREFACE.len() && PREFACE.starts_with(&head) {
            let room = PREFACE.len() - head.len();
            if (&mut stream).take(room as u64).read_buf(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        Some(())
    };
    let last_call = async {
        stopping.cancelled().await;
        sleep(LAST_ARRIVALS).await;
    };
    tokio::select! {
        biased;
        decided = decided => decided?,
        () = last_call => return None,
        () = sleep(patience) => return None,
    }
    let (read, write) = stream.into_split();
    Some(tokio::io::join(Cursor::new(head).chain(read), write))
}

/// Resolves when a connection that begins now is too old, to how long its calls may then take.
async fn too_old(age: Option<Age>) -> Duration {
    let Some(Age { limit, grace }) = age else { return std::future::pending().await };
    sleep(limit.mul_f64(rand::random_range(1.0 - JITTER..=1.0 + JITTER))).await;
    grace
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    #[tokio::test]
    async fn a_connection_is_kept_only_if_it_says_what_it_speaks() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let preface = std::str::from_utf8(PREFACE).expect("text");
        for (beginning, is_kept) in [
            ("", false),
            ("P", false),
            (preface.get(..23).expect("the most of it"), false),
            (preface, true),
            ("G", true),
            ("PO", true),
            ("PRI / HTTP/1.1", true),
        ] {
            let mut client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
            client.write_all(beginning.as_bytes()).await.expect("sent");
            let (stream, _) = listener.accept().await.expect("accepted");
            let patience = if is_kept { HEADER_READ_TIMEOUT } else { Duration::from_millis(100) };
            let opened = opened(stream, &CancellationToken::new(), patience).await;
            assert_eq!(opened.is_some(), is_kept, "{beginning:?}");
            if let Some(mut stream) = opened {
                client.write_all(b"more").await.expect("sent");
                client.shutdown().await.expect("shut down");
                let mut all = String::new();
                stream.read_to_string(&mut all).await.expect("read");
                assert_eq!(all, format!("{beginning}more"), "nothing of it is lost");
            }
        }
    }
}
