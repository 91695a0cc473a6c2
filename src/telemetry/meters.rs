//! Who reads what is measured: Prometheus, at `/metrics`, and a collector, by OTLP.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use prometheus::{Encoder, Registry, TextEncoder};

use super::gauges::Gauges;
use crate::{
    config::Telemetry,
    error::{Error, Result},
    metrics::Metrics,
    store::Store,
};

/// The path at which Prometheus reads.
pub const PATH: &str = "/metrics";

/// The meters of one server.
pub struct Meters {
    provider: SdkMeterProvider,
    registry: Registry,
    metrics: Arc<Metrics>,
    /// How often a collector is told; none: never.
    interval: Option<Duration>,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").field("interval", &self.interval).finish_non_exhaustive()
    }
}

impl Meters {
    /// Meters as the settings have them. Call it inside the runtime: the exporter works on it.
    ///
    /// # Errors
    /// INTERNAL if the endpoint cannot be used.
    pub fn new(settings: &Telemetry) -> Result<Self> {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone()).scope_info_enabled(false);
        let reader = reader.build().map_err(Error::internal)?;
        let mut provider = SdkMeterProvider::builder().with_reader(reader).with_resource(super::resource());
        let is_sent = !settings.otlp_endpoint.is_empty() && settings.otlp_interval_seconds > 0;
        let interval = is_sent.then(|| Duration::from_secs(settings.otlp_interval_seconds));
        if let Some(interval) = interval {
            let exporter = opentelemetry_otlp::MetricExporter::builder()
                .with_tonic()
                .with_endpoint(&settings.otlp_endpoint)
                .build()
                .map_err(Error::internal)?;
            provider = provider.with_reader(PeriodicReader::builder(exporter).with_interval(interval).build());
        }
        let provider = provider.build();
        let metrics = Metrics::new(&provider.meter(env!("CARGO_PKG_NAME")));
        Ok(Self { provider, registry, metrics, interval })
    }

    /// What is recorded by.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Adds what is asked of a store when somebody reads, and returns the page at [`PATH`].
    pub fn observe(self, store: Store) -> Shown {
        let gauges = Gauges::new(&self.provider.meter(env!("CARGO_PKG_NAME")), store, self.metrics());
        Shown(Arc::new(Inner { meters: self, gauges }))
    }
}

/// What is measured, as it is shown. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shown(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    meters: Meters,
    gauges: Gauges,
}

impl Shown {
    /// The page.
    pub fn router(&self) -> Router {
        Router::new().route(PATH, get(page)).with_state(self.clone())
    }

    /// Counts again, before each time that the collector is told, until it is dropped. Without a collector: nothing, for
    /// as long.
    pub async fn keep(&self) {
        let Some(interval) = self.0.meters.interval else { return std::future::pending().await };
        let mut ticks = tokio::time::interval(interval);
        loop {
            ticks.tick().await;
            self.0.gauges.refresh().await;
        }
    }

    /// Tells the collector what was measured last.
    pub async fn flush(self) {
        if self.0.meters.interval.is_some() {
            let provider = self.0.meters.provider.clone();
            let _ = tokio::task::spawn_blocking(move || provider.force_flush()).await;
        }
    }

    fn text(&self) -> std::result::Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.0.meters.registry.gather(), &mut text)?;
        Ok(text)
    }
}

impl Drop for Meters {
    fn drop(&mut self) {
        let provider = self.provider.clone();
        if self.interval.is_some() {
            // It waits for the collector, and this may be a worker of the runtime.
            std::thread::spawn(move || provider.shutdown());
        } else {
            let _ = provider.shutdown();
        }
    }
}

async fn page(State(shown): State<Shown>) -> Response {
    shown.0.gauges.refresh().await;
    match shown.text() {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "what is measured cannot be shown");
            (StatusCode::INTERNAL_SERVER_ERROR, "internal error; the server's log has the cause\n").into_response()
        }
    }
}
