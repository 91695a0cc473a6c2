//! The span of a call, by OpenTelemetry's conventions for RPC, and its place in the caller's trace.

use std::net::SocketAddr;

use http::HeaderMap;
use opentelemetry::{global, propagation::Extractor};
use tonic::Code;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{error::code_name, metrics::Measured, trace};

/// Begins the span of a call. `method` is without the leading slash; a method that does not exist has no name of its
/// own, so that callers cannot make up names without end.
pub(super) fn begin(method: Option<&str>, headers: &HeaderMap, local: SocketAddr, peer: Option<SocketAddr>) -> Span {
    let method = method.unwrap_or("_OTHER");
    let span = tracing::info_span!(
        "call",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.response.status_code = Empty,
        "error.type" = Empty,
        server.address = %local.ip(),
        server.port = local.port(),
        client.address = Empty,
        principal = Empty,
        trace_id = Empty,
    );
    attach(&span, headers, peer);
    span
}

/// Begins the span of a page, by the conventions for HTTP.
pub(super) fn page(route: &str, headers: &HeaderMap, peer: Option<SocketAddr>) -> Span {
    let span = tracing::info_span!(
        "page",
        otel.name = route,
        otel.kind = "server",
        http.route = route,
        http.response.status_code = Empty,
        client.address = Empty,
        principal = Empty,
        trace_id = Empty,
    );
    attach(&span, headers, peer);
    span
}

/// Puts a span into the caller's trace.
fn attach(span: &Span, headers: &HeaderMap, peer: Option<SocketAddr>) {
    if span.is_disabled() {
        return;
    }
    if let Some(peer) = peer {
        span.record("client.address", tracing::field::display(peer.ip()));
    }
    if headers.contains_key("traceparent") {
        let parent = global::get_text_map_propagator(|propagator| propagator.extract(&Headers(headers)));
        // Fails if no traces are exported, which is no failure.
        let _ = span.set_parent(parent);
    }
    if let Some(id) = trace::id(span) {
        // For the log: what is exported knows it without.
        span.record("trace_id", id);
    }
}

/// A call as it is seen from outside: its span and what is measured of it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) span: Span,
    measured: Option<Measured>,
}

impl Seen {
    pub(super) fn new(span: Span, measured: Option<Measured>) -> Self {
        Self { span, measured }
    }

    /// One of which nobody wants to know.
    pub(super) fn none() -> Self {
        Self { span: Span::none(), measured: None }
    }

    /// Messages were sent.
    pub(super) fn sent(&self, messages: u64) {
        if let Some(measured) = &self.measured {
            measured.sent(messages);
        }
    }

    /// It has ended.
    pub(super) fn end(&mut self, code: Code) {
        if let Some(measured) = &mut self.measured {
            measured.end(code);
        }
        end(&self.span, code);
    }
}

/// Records how the call ended.
fn end(span: &Span, code: Code) {
    if span.is_disabled() {
        return;
    }
    let name = code_name(code);
    span.record("rpc.response.status_code", name);
    if is_server_fault(name) {
        span.record("error.type", name);
        span.record("otel.status_code", "ERROR");
    }
    tracing::debug!(parent: span, code = name, "call ended");
}

/// What the conventions count as an error of the server; the rest is the caller's.
fn is_server_fault(code: &str) -> bool {
    matches!(code, "UNKNOWN" | "DEADLINE_EXCEEDED" | "UNIMPLEMENTED" | "INTERNAL" | "UNAVAILABLE" | "DATA_LOSS")
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_of_the_specification() {
        let names: Vec<&str> = (0..=16).map(|number| code_name(Code::from_i32(number))).collect();
        assert_eq!(
            names,
            [
                "OK",
                "CANCELLED",
                "UNKNOWN",
                "INVALID_ARGUMENT",
                "DEADLINE_EXCEEDED",
                "NOT_FOUND",
                "ALREADY_EXISTS",
                "PERMISSION_DENIED",
                "RESOURCE_EXHAUSTED",
                "FAILED_PRECONDITION",
                "ABORTED",
                "OUT_OF_RANGE",
                "UNIMPLEMENTED",
                "INTERNAL",
                "UNAVAILABLE",
                "DATA_LOSS",
                "UNAUTHENTICATED",
            ]
        );
    }
}
