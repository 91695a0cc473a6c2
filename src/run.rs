//! What `serve` and `migrate` do: settings become a database, services and a server, in that order.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    config::Settings,
    error::{Error, Result},
    server::Server,
    telemetry,
};

/// Serves until the process is told to stop (SIGTERM, SIGINT).
///
/// # Errors
/// If anything that the server needs cannot be had: the database, its schema, the address.
pub async fn serve(settings: Settings) -> Result<()> {
    let _telemetry = telemetry::init(&settings.telemetry)?;
    let stop = stop_signal()?;
    let stopping = CancellationToken::new();
    let routes = services(&settings, &stopping).await?;
    let server = Server::bind(&settings.server, routes, stopping).await?;
    tracing::info!(
        address = %server.local_addr(),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    server.run(stop).await?;
    // Plug in here: wait for the writer task to finish what it was given.
    tracing::info!("stopped");
    Ok(())
}

/// Brings the schema of the database up to date, under a lock, and says what it did.
///
/// # Errors
/// If the database cannot be reached or a migration fails.
pub async fn migrate(settings: &Settings) -> Result<String> {
    // Plug in here: the store's migrations.
    Err(Error::new(
        crate::error::Reason::NotSupported,
        format!("no migrations yet for {}", if settings.database.is_postgres() { "PostgreSQL" } else { "SQLite" }),
    ))
}

/// Our services, on the store that the settings name. Streams end when `stopping` is cancelled.
async fn services(_settings: &Settings, _stopping: &CancellationToken) -> Result<Routes> {
    // Plug in here: clock, store (with its migrations, catalog and examples), and each service with its limits:
    //   Routes::builder().add_service(VendorServiceServer::new(…)
    //       .max_decoding_message_size(settings.server.max_request_bytes)
    //       .accept_compressed(…).send_compressed(…))
    Ok(Routes::default())
}

/// Resolves on SIGTERM or SIGINT. Listened to from here on, so that a signal during the start is not lost.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "told to stop");
    })
}
