//! For Rust programs that use a registry: the generated clients are in [`proto::v1`](crate::proto::v1), e.g.
//! [`VendorServiceClient`](crate::proto::v1::vendor_service_client::VendorServiceClient); here is what has to be more than
//! generated, a watch that resumes.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use subprocessor_registry::{
//!     client::Changes,
//!     proto::v1::{WatchChangesRequest, change_log_service_client::ChangeLogServiceClient},
//! };
//! let log = ChangeLogServiceClient::connect("http://127.0.0.1:50051").await?;
//! let parent = "organizations/-".to_owned();
//! let from_the_first = WatchChangesRequest { parent, after_revision: Some(0), ..Default::default() };
//! let mut changes = Changes::new(log, from_the_first);
//! loop {
//!     let message = changes.next().await?;
//!     // Keep `changes.position()` with what you make of the message: a program that starts again goes on from there.
//! }
//! # }
//! ```

use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tonic::{Status, Streaming, body::Body as Sent, client::GrpcService, codegen::StdError};

use crate::{
    error::can_resume,
    proto::v1::{
        WatchChangesRequest, WatchChangesResponse, change_log_service_client::ChangeLogServiceClient,
        watch_changes_response::Event,
    },
};

/// How long to wait before the second try, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A stream of changes that goes on where it was when its connection breaks or a server stops: each revision comes once,
/// in order, and none is left out.
#[derive(Debug)]
pub struct Changes<T> {
    client: ChangeLogServiceClient<T>,
    request: WatchChangesRequest,
    stream: Option<Streaming<WatchChangesResponse>>,
    pause: Duration,
}

impl<T> Changes<T>
where
    T: GrpcService<Sent>,
    T::Error: Into<StdError>,
    T::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    /// A watch as `request` has it. To go on where a program was, its `after_revision` and `after_hash` are the
    /// [`Changes::position`] of then.
    pub fn new(client: ChangeLogServiceClient<T>, request: WatchChangesRequest) -> Self {
        Self { client, request, stream: None, pause: FIRST_PAUSE }
    }

    /// The next revision or checkpoint, however long that takes: a registry that cannot be reached is tried again, after
    /// 100 ms at first and 10 s at last. It can be dropped while it waits, and nothing is lost.
    ///
    /// # Errors
    /// What trying again does not mend, such as DATA_LOSS (the log is another one) or OUT_OF_RANGE (it ends before
    /// `after_revision`).
    pub async fn next(&mut self) -> Result<WatchChangesResponse, Status> {
        loop {
            match self.try_next().await {
                Ok(Some(message)) => {
                    self.pause = FIRST_PAUSE;
                    if let Some((revision, hash)) = reached(&message) {
                        self.request.after_revision = Some(revision);
                        self.request.after_hash = hash.to_vec();
                    }
                    return Ok(message);
                }
                Err(status) if !can_resume(&status) => return Err(status),
                Ok(None) | Err(_) => {
                    self.stream = None;
                    tokio::time::sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// The revision up to which everything was returned, with its hash; none: nothing was yet.
    pub fn position(&self) -> Option<(i64, &[u8])> {
        Some((self.request.after_revision?, &self.request.after_hash))
    }

    async fn try_next(&mut self) -> Result<Option<WatchChangesResponse>, Status> {
        if self.stream.is_none() {
            self.stream = Some(self.client.watch_changes(self.request.clone()).await?.into_inner());
        }
        match &mut self.stream {
            Some(stream) => stream.message().await,
            None => Ok(None),
        }
    }
}

/// Up to where everything was sent once a message has come, and the hash of that revision.
pub fn reached(message: &WatchChangesResponse) -> Option<(i64, &[u8])> {
    Some(match message.event.as_ref()? {
        Event::Revision(revision) => (revision.number, &revision.hash),
        Event::Checkpoint(checkpoint) => (checkpoint.revision, &checkpoint.hash),
    })
}
