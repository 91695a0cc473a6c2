//! Cutting off a stream whose reader does not read.
//!
//! A response that waits for flow control is not polled any more, so neither a deadline nor a status can reach its
//! reader. What can still be done is to reset the HTTP/2 stream, which frees what it holds. This is the handle for it:
//! the server puts one into the extensions of every request.

use tokio_util::sync::CancellationToken;

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
