//! A stream of changes for one reader. A task reads the log and fills a bounded buffer; the reader empties it. A reader
//! that does not read is cut: what is buffered, then the reason, which stands outside the buffer because a full buffer
//! could not carry it. One that does not take that either loses the buffer after a grace.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use prost::Message;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Options;
use crate::{
    error::{Error, Reason, Result},
    metrics::Following,
    proto::v1::{WatchChangesResponse, watch_changes_response::Event as Content},
    reset::StreamReset,
    store::watch::{Cursor, Event},
};

/// What a stream is filled from.
pub(super) trait Source: Send + 'static {
    /// Up to where everything was handed out.
    fn position(&self) -> i64;
    /// The next events; waits until there are some.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Event>>> + Send;
}

impl Source for Cursor {
    fn position(&self) -> i64 {
        Self::position(self)
    }

    fn next(&mut self) -> impl Future<Output = Result<Vec<Event>>> + Send {
        Self::next(self)
    }
}

/// Bytes that a stream holds for a slow reader, however few revisions that is.
const MAX_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// What a reader reads.
#[derive(Debug)]
pub struct Stream {
    shared: Arc<Shared>,
    /// Ends the task when the reader goes.
    _gone: tokio_util::sync::DropGuard,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told whenever the reader has taken something.
    taken: Notify,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    buffer: VecDeque<WatchChangesResponse>,
    bytes: usize,
    end: Option<Status>,
    reader: Option<Waker>,
    finished: bool,
}

impl Shared {
    /// The state. A poisoned lock has a whole state all the same: nothing that can panic runs under it.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, message: WatchChangesResponse) -> std::result::Result<(), WatchChangesResponse> {
        let mut state = self.lock();
        let bytes = message.encoded_len();
        let full = state.buffer.len() >= self.capacity || state.bytes + bytes > MAX_BUFFER_BYTES;
        if full && !state.buffer.is_empty() {
            return Err(message);
        }
        state.bytes += bytes;
        state.buffer.push_back(message);
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        Ok(())
    }

    fn end(&self, status: Status) {
        let mut state = self.lock();
        state.end.get_or_insert(status);
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }
}

/// Starts a stream.
pub(super) fn stream(
    source: impl Source,
    options: &Options,
    leaving: CancellationToken,
    reset: Option<StreamReset>,
) -> Stream {
    let shared =
        Arc::new(Shared { state: Mutex::default(), taken: Notify::new(), capacity: options.watch_buffer.max(1) });
    let gone = CancellationToken::new();
    let patience = Patience { wait: options.slow_reader_grace, grace: options.slow_reader_grace, reset };
    let following = options.metrics.streams().open(source.position());
    let filling = Filling { shared: Arc::clone(&shared), patience, leaving, gone: gone.clone(), following };
    tokio::spawn(filling.run(source));
    Stream { shared, _gone: gone.drop_guard() }
}

/// How long a reader may take, and what ends its stream when it does not.
struct Patience {
    /// How long a full buffer waits for it.
    wait: Duration,
    /// How long it then has to take what is buffered and the reason.
    grace: Duration,
    reset: Option<StreamReset>,
}

/// What fills the buffer.
struct Filling {
    shared: Arc<Shared>,
    patience: Patience,
    leaving: CancellationToken,
    gone: CancellationToken,
    following: Following,
}

impl Filling {
    /// Fills it until the reader goes, its connection is let go of, or the reader proves too slow.
    async fn run(self, mut source: impl Source) {
        let Self { shared, patience, leaving, gone, following } = self;
        loop {
            let mut sent = source.position();
            following.at(sent);
            let events = tokio::select! {
                () = gone.cancelled() => return,
                () = leaving.cancelled() => return shared.end(left(sent)),
                events = source.next() => events,
            };
            let events = match events {
                Ok(events) => events,
                Err(error) => return shared.end(error.into()),
            };
            for event in events {
                let position = event.position();
                let mut message = response(event);
                while let Err(back) = shared.push(message) {
                    message = back;
                    tokio::select! {
                        () = gone.cancelled() => return,
                        () = leaving.cancelled() => return shared.end(left(sent)),
                        () = shared.taken.notified() => {}
                        () = tokio::time::sleep(patience.wait) => return cut(&shared, &patience, &gone).await,
                    }
                }
                sent = position;
            }
        }
    }
}

/// The end of a stream whose connection is let go of, because the server stops or because it is too old.
fn left(sent: i64) -> Status {
    let message = format!("the server lets go of the connection; connect again and resume after revision {sent}");
    Error::new(Reason::ServerStopping, message).with("revision", sent).into()
}

/// Ends a stream whose reader does not read.
async fn cut(shared: &Shared, patience: &Patience, gone: &CancellationToken) {
    let message = "the reader does not keep up; resume after the last revision received";
    shared.end(Error::new(Reason::ReaderTooSlow, message).into());
    tokio::select! {
        () = gone.cancelled() => {}
        () = tokio::time::sleep(patience.grace) => {
            let mut state = shared.lock();
            state.buffer.clear();
            state.bytes = 0;
            drop(state);
            // Nothing polls a response that waits for its reader: only the stream itself can still be ended.
            if let Some(reset) = &patience.reset {
                reset.reset();
            }
        }
    }
}

fn response(event: Event) -> WatchChangesResponse {
    let content = match event {
        Event::Revision(revision) => Content::Revision(*revision),
        Event::Checkpoint(checkpoint) => Content::Checkpoint(checkpoint),
    };
    WatchChangesResponse { event: Some(content) }
}

impl futures::Stream for Stream {
    type Item = std::result::Result<WatchChangesResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.shared.lock();
        if let Some(message) = state.buffer.pop_front() {
            state.bytes -= message.encoded_len();
            drop(state);
            self.shared.taken.notify_one();
            return Poll::Ready(Some(Ok(message)));
        }
        if state.finished {
            return Poll::Ready(None);
        }
        if let Some(status) = state.end.take() {
            state.finished = true;
            return Poll::Ready(Some(Err(status)));
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
