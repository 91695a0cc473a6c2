//! How a stream is ended from outside. The server puts both handles into the extensions of every request.
//!
//! A stream whose connection is let go of ([`Leaving`]) ends by itself and says where to resume. A response that waits
//! for flow control is not polled any more, so neither a deadline nor a status can reach its reader: what can still be
//! done is to reset the HTTP/2 stream, which frees what it holds ([`StreamReset`]).

use tokio_util::sync::CancellationToken;

/// Cancelled when the streams of a connection have to end: the server stops, or the connection is too old.
#[derive(Debug, Clone)]
pub struct Leaving(pub CancellationToken);

/// Resets the HTTP/2 stream of one call (over HTTP/1.1: closes its connection). Without effect once the call is over
/// on HTTP/2; on HTTP/1.1 the connection may serve another call by then, so let go of it when the call ends.
#[derive(Debug, Clone, Default)]
pub struct StreamReset(CancellationToken);

impl StreamReset {
    /// Resets the stream: the reader sees CANCELLED or a broken connection, whatever it has not taken yet is gone.
    pub fn reset(&self) {
        self.0.cancel();
    }

    /// Resolves when [`Self::reset`] was called.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }
}
