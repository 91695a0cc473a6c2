//! The trace that something belongs to, as W3C writes it (`traceparent`, Trace Context level 1): so it can be kept with a
//! revision, and goes on to what that revision causes later and elsewhere. Without an exporter there are no traces, and
//! all of this is nothing.

use std::collections::HashMap;

use opentelemetry::{Context, global, trace::TraceContextExt};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";

/// The trace of what runs now; empty: it belongs to none.
pub fn current() -> String {
    if !Context::map_current(|context| context.span().span_context().is_valid()) {
        return String::new();
    }
    let mut carrier = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject(&mut carrier));
    carrier.remove(TRACEPARENT).unwrap_or_default()
}

/// Puts a span that has not been entered yet into a trace.
pub fn join(span: &Span, traceparent: &str) {
    if span.is_disabled() || traceparent.is_empty() {
        return;
    }
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&carrier));
    // Fails if no traces are exported, which is no failure.
    let _ = span.set_parent(parent);
}

/// Whether what runs now is recorded: only then is it worth its while to say in detail what it does.
pub fn is_recorded() -> bool {
    Context::map_current(|context| context.span().span_context().is_sampled())
}

/// The id of a span's trace; none: it belongs to none.
pub fn id(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let known = span.span_context();
    known.is_valid().then(|| known.trace_id().to_string())
}
