//! The schedule: what is due is applied when its time comes, also if nobody asks.
//!
//! Every replica runs one. What is due is found and applied under the lock of the writer, so each thing is applied once,
//! whoever comes first; the other finds nothing left to do.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{error::causes, store::Store};

/// Applies what is due every `period`, until `stopping` is cancelled.
pub async fn run(store: Store, period: Duration, stopping: CancellationToken) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stopping.cancelled() => return,
        }
        // What other replicas have written is known only from the database.
        let passed = match store.look_for_due().await {
            Ok(()) => store.catch_up().await,
            Err(error) => Err(error),
        };
        if let Err(error) = passed {
            tracing::warn!(%error, cause = %causes(&error), "what is due could not be applied; it is tried again");
        }
    }
}
