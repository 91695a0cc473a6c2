//! The body of a response while it is being sent: ends it when its time is over, and tells the span how it ended.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::AbortOnDropHandle,
};
use tonic::Code;
use tracing::Span;

use super::{deadline, fault, span::Seen};
use crate::error::{Error, Reason};

/// A response's body with what can end it.
pub(super) struct CallBody {
    inner: Body,
    seen: Seen,
    /// Whether it is still being made: what is made by now does nothing that would be told of in the span.
    streams: bool,
    messages: Messages,
    deadline: Option<Pin<Box<Sleep>>>,
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Resets the stream should nobody read it when its deadline passes; given up with the body.
    _cutter: Option<AbortOnDropHandle<()>>,
    done: bool,
}

impl CallBody {
    pub(super) fn new(inner: Body, seen: Seen, streams: bool) -> Self {
        let messages = Messages::default();
        Self { inner, seen, streams, messages, deadline: None, stopping: None, _cutter: None, done: false }
    }

    /// Ends with DEADLINE_EXCEEDED at `at`; by `cutter`, if nobody reads.
    pub(super) fn until(mut self, at: Instant, cutter: Option<AbortOnDropHandle<()>>) -> Self {
        self.deadline = Some(Box::pin(sleep_until(at)));
        self._cutter = cutter;
        self
    }

    /// Ends with UNAVAILABLE when the server stops and there is nothing more to send.
    pub(super) fn while_running(mut self, stopping: CancellationToken) -> Self {
        self.stopping = Some(Box::pin(stopping.cancelled_owned()));
        self
    }

    /// The last frame: trailers with the status of `error`. Whatever made the body is dropped at once.
    fn end_with(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.inner = Body::empty();
        self.done = true;
        let code = error.code();
        let mut trailers = HeaderMap::new();
        fault::replace(&mut trailers, error);
        self.seen.end(code);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

impl http_body::Body for CallBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.done {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let (span, _there) = match this.streams {
            true => (this.seen.span.clone(), Some(this.seen.place.enter())),
            false => (Span::none(), None),
        };
        let _entered = span.enter();
        // First the deadline: a stream that always has something to send must end too.
        if this.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(context).is_ready()) {
            return this.end_with(deadline::exceeded());
        }
        match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.seen.sent(this.messages.in_more(data));
                } else if let Some(code) = frame.trailers_ref().and_then(code_in) {
                    this.seen.end(code);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Pending if this.stopping.as_mut().is_some_and(|stop| stop.as_mut().poll(context).is_ready()) => {
                this.end_with(Error::new(Reason::ServerStopping, "the server is stopping"))
            }
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.done || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // A known size would become a content-length, which trailers in place of the rest would belie.
        SizeHint::default()
    }
}

/// Counts the messages in a body as it passes: each has five bytes before it, a flag and its length.
#[derive(Debug, Default)]
struct Messages {
    /// What is left of the message that has begun.
    left: usize,
    /// What has come of the five bytes, where they were torn apart.
    head: [u8; 5],
    have: usize,
}

impl Messages {
    /// How many begin in the next bytes.
    fn in_more(&mut self, mut data: &[u8]) -> u64 {
        let mut begun = 0;
        loop {
            let skipped = self.left.min(data.len());
            self.left -= skipped;
            data = data.get(skipped..).unwrap_or_default();
            let Some((first, rest)) = data.split_first() else { return begun };
            if let Some(place) = self.head.get_mut(self.have) {
                *place = *first;
            }
            self.have += 1;
            data = rest;
            if self.have == self.head.len() {
                let [_, length @ ..] = self.head;
                self.left = u32::from_be_bytes(length) as usize;
                self.have = 0;
                begun += 1;
            }
        }
    }
}

/// The status in headers or trailers.
pub(super) fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|status| Code::from_bytes(status.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::Messages;

    #[test]
    fn messages_are_counted_however_they_are_torn_apart() {
        let body: Vec<u8> = [300_usize, 0, 5]
            .iter()
            .flat_map(|length| {
                let head = u32::try_from(*length).expect("small").to_be_bytes();
                [&[0_u8][..], &head, &vec![7_u8; *length]].concat()
            })
            .collect();
        for size in [1, 2, 3, 7, 304, 305, 306, 1_000] {
            let mut messages = Messages::default();
            assert_eq!(body.chunks(size).map(|part| messages.in_more(part)).sum::<u64>(), 3, "{size}");
        }
    }
}
