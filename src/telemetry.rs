//! Logs and traces. Logs go to standard error; traces to an OTLP collector, if one is named.

use std::{io::IsTerminal, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tracing_subscriber::{EnvFilter, Layer, filter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    config::{LogFormat, Telemetry},
    error::{Error, Result},
};

/// How long the last spans may take to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends the spans that are still held when it is dropped: keep it until the process ends.
#[derive(Debug)]
#[must_use = "dropping it ends the export of traces"]
pub struct Guard(Option<SdkTracerProvider>);

/// Sets up logs and traces for the process. Call it once, inside the runtime: the exporter works on it.
///
/// # Errors
/// If the filter or the endpoint cannot be used, or it was called before.
pub fn init(settings: &Telemetry) -> Result<Guard> {
    let filter = EnvFilter::try_new(&settings.log_filter).map_err(Error::internal)?;
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = match settings.log_format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => log.json().flatten_event(true).boxed(),
    };

    let provider = exporter(settings)?;
    let traces = provider.as_ref().map(|provider| {
        let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(filter::filter_fn(is_ours))
    });
    tracing_subscriber::registry().with(traces).with(log.with_filter(filter)).try_init().map_err(Error::internal)?;
    Ok(Guard(provider))
}

/// Our own spans only: those of the transport would outnumber them, and exporting would trace itself.
pub(crate) fn is_ours(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
}

fn exporter(settings: &Telemetry) -> Result<Option<SdkTracerProvider>> {
    if settings.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&settings.otlp_endpoint)
        .build()
        .map_err(Error::internal)?;
    let resource = Resource::builder()
        .with_service_name(env!("CARGO_PKG_NAME"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    // A caller's decision holds, so that traces are whole; the ratio is for calls that begin one.
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio)));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(sampler)
        .with_resource(resource)
        .build();
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    Ok(Some(provider))
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_TIMEOUT)
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Router, body::Bytes, routing::any};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::{Flags, Settings};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_still_held_is_sent_when_the_guard_is_dropped() {
        let received = Arc::new(Mutex::new(Vec::new()));
        let keep = received.clone();
        let collector = Router::new().route(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            any(move |body: Bytes| async move {
                keep.lock().expect("not poisoned").extend_from_slice(&body);
                // A message of no bytes: accepted.
                let status = [("content-type", "application/grpc"), ("grpc-status", "0")];
                (status, vec![0_u8; 5])
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, collector).await });

        let mut settings = Settings::load(&Flags::default(), &Default::default()).expect("defaults").telemetry;
        assert!(exporter(&settings).expect("none").is_none());
        settings.otlp_endpoint = endpoint;
        let provider = exporter(&settings).expect("an exporter").expect("an exporter");
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            drop(tracing::info_span!("a span to be sent").entered());
        });
        drop(Guard(Some(provider)));

        let received = String::from_utf8_lossy(&received.lock().expect("not poisoned")).into_owned();
        for text in ["a span to be sent", "subprocessor-registry", env!("CARGO_PKG_VERSION")] {
            assert!(received.contains(text), "{text}");
        }
    }
}
