//! How names become addresses.

use std::{io, net::IpAddr, sync::Arc};

use tokio::{net::lookup_host, sync::Semaphore};
use tonic::async_trait;

/// How many look-ups the system works on at a time. One that nobody waits for any more goes on, in a thread of its own,
/// until the system gives it up: strangers with slow name servers must not take every thread.
const LOOKUPS: usize = 64;

/// How names become addresses. A trait, so that a test can be a resolver that changes its mind.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// Every address of a name.
    ///
    /// # Errors
    /// Whatever kept it from finding out.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
pub(super) struct System {
    /// Look names up as they are, without the domains that the system would try behind them.
    absolute: bool,
    lookups: Arc<Semaphore>,
}

impl System {
    pub(super) fn new(absolute: bool) -> Self {
        Self { absolute, lookups: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

#[async_trait]
impl Resolve for System {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let name = if self.absolute { format!("{host}.") } else { host.to_owned() };
        let permit = Arc::clone(&self.lookups).acquire_owned().await.map_err(io::Error::other)?;
        let lookup = tokio::spawn(async move {
            let found = lookup_host((name, 0)).await.map(|found| found.map(|socket| socket.ip()).collect());
            drop(permit);
            found
        });
        lookup.await.map_err(io::Error::other)?
    }
}
