//! Logs, traces and metrics. Logs go to standard error; traces and metrics to an OTLP collector, if one is named; metrics
//! also to whoever reads them at `/metrics`.

mod conventions;
mod gauges;
mod line;
pub mod meters;

use std::{io::IsTerminal, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Level, Metadata, Subscriber, subscriber::Interest};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{self, FilterExt, LevelFilter},
    fmt::{self, format::JsonFields},
    layer::{Context, Filter, SubscriberExt},
    reload,
    util::SubscriberInitExt,
};

use self::{conventions::Conventional, line::InCall};
use crate::{
    config::{LogFormat, Telemetry},
    error::{Error, Result},
    trace,
};

/// How long the last spans may take to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// What the names of spans of statements begin with.
const STATEMENT: &str = "sea_orm.";

/// Sends the spans that are still held when it is dropped: keep it until the process ends.
#[must_use = "dropping it ends the export of traces"]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
    set_filter: Box<dyn Fn(EnvFilter) -> std::result::Result<(), reload::Error> + Send + Sync>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    /// Logs by another filter from now on.
    ///
    /// # Errors
    /// INTERNAL if it is none; the one before stays.
    pub fn set_log_filter(&self, filter: &str) -> Result<()> {
        (self.set_filter)(EnvFilter::try_new(filter).map_err(Error::internal)?).map_err(Error::internal)
    }
}

/// Sets up logs and traces for the process. Call it once, inside the runtime: the exporter works on it.
///
/// # Errors
/// If the filter or the endpoint cannot be used, or it was called before.
pub fn init(settings: &Telemetry) -> Result<Guard> {
    let filter = EnvFilter::try_new(&settings.log_filter).map_err(Error::internal)?;
    let (filter, handle) = reload::Layer::new(filter);
    // A filter that does not say how verbose it is at most lets every event and span of the transport be looked at.
    let no_calls = filter::filter_fn(|metadata| !is_for_traces(metadata)).with_max_level_hint(LevelFilter::TRACE);
    let filter = filter.and(no_calls);
    let log = fmt::layer().with_writer(std::io::stderr);
    let line = fmt::format();
    let log = match settings.log_format {
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal();
            let line = line.with_ansi(colours);
            log.with_ansi(colours).event_format(InCall::new(line, LogFormat::Text)).boxed()
        }
        LogFormat::Json => {
            let line = line.json().flatten_event(true);
            log.fmt_fields(JsonFields::new()).event_format(InCall::new(line, LogFormat::Json)).boxed()
        }
    };

    let seen = tracing_subscriber::registry().with(log.with_filter(filter));
    let provider = exporter(settings)?;
    match &provider {
        Some(provider) => {
            // Where in our code a span begins, on which thread and how often it was polled tells an operator nothing.
            let traces = tracing_opentelemetry::layer()
                .with_location(false)
                .with_target(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
                .with_tracer(provider.tracer(env!("CARGO_PKG_NAME")));
            seen.with(traces.with_filter(traced())).with(Statements).try_init()
        }
        // Not an `Option` of a layer: one that is none wants to see everything, and every span of the transport is made.
        None => seen.try_init(),
    }
    .map_err(Error::internal)?;
    Ok(Guard { provider, set_filter: Box::new(move |filter| handle.reload(filter)) })
}

/// What traces are made of: our own spans and what is said in them, and statements; nothing of what is not recorded.
fn traced<S>() -> impl Filter<S> {
    let may_be =
        |metadata: &Metadata<'_>| *metadata.level() <= Level::INFO && (is_ours(metadata) || is_statement(metadata));
    filter::dynamic_filter_fn(move |metadata, _| may_be(metadata) && trace::may_be_recorded())
        .with_max_level_hint(LevelFilter::INFO)
        .with_callsite_filter(move |metadata| if may_be(metadata) { Interest::sometimes() } else { Interest::never() })
}

/// Lets statements through in traces that are recorded. They are many, and nobody sees them in others. For all layers at
/// once, because a span that each of them refuses for itself is made all the same.
struct Statements;

impl<S: Subscriber> Layer<S> for Statements {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_statement(metadata) { Interest::sometimes() } else { Interest::always() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        !is_statement(metadata) || trace::is_recorded()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // The most verbose of all layers counts, and this one wants nothing itself.
        Some(LevelFilter::OFF)
    }
}

/// Our own spans: those of the transport would outnumber them, and exporting would trace itself.
pub(crate) fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
}

/// Spans that the log does without: it has calls in another way, and what is wrong with a statement is logged with what
/// it was for.
fn is_for_traces(metadata: &Metadata<'_>) -> bool {
    is_statement(metadata) || (metadata.is_span() && metadata.target() == trace::CALLS)
}

/// Spans of statements.
fn is_statement(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.name().starts_with(STATEMENT)
}

/// Who sends traces and metrics.
fn resource() -> Resource {
    Resource::builder()
        .with_service_name(env!("CARGO_PKG_NAME"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
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
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(Conventional(exporter))
        .with_sampler(trace::record(settings.sample_ratio))
        .with_resource(resource())
        .build();
    Ok(Some(provider))
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take()
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
        drop(Guard { provider: Some(provider), set_filter: Box::new(|_| Ok(())) });

        let received = String::from_utf8_lossy(&received.lock().expect("not poisoned")).into_owned();
        for text in ["a span to be sent", "subprocessor-registry", env!("CARGO_PKG_VERSION")] {
            assert!(received.contains(text), "{text}");
        }
    }
}
