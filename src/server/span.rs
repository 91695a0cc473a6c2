//! The span of a call, by OpenTelemetry's conventions for RPC, and its place in the caller's trace.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use opentelemetry::propagation::Extractor;
use tonic::Code;
use tracing::{
    Span,
    field::{DisplayValue, Empty, display},
};

use crate::{
    auth::Principal,
    error::code_name,
    metrics::Measured,
    trace::{self, Place},
};

/// Who calls, for logs and traces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) peer: Option<SocketAddr>,
    /// None: it may not call at all.
    pub(super) principal: Option<&'a Principal>,
}

impl Caller<'_> {
    fn address(&self) -> Option<DisplayValue<IpAddr>> {
        self.peer.map(|peer| display(peer.ip()))
    }

    fn principal(&self) -> Option<&str> {
        self.principal.map(Principal::as_str)
    }
}

/// Begins the span of a call. `method` is without the leading slash; a method that does not exist has no name of its
/// own, so that callers cannot make up names without end. What only traces need is said only in those that are recorded.
pub(super) fn begin(method: Option<&str>, place: &Place, caller: Caller<'_>, local: SocketAddr) -> Span {
    let method = method.unwrap_or("_OTHER");
    let span = place.within(|| {
        tracing::info_span!(
            "call",
            rpc.method = %method,
            client.address = caller.address(),
            principal = caller.principal(),
            trace_id = place.id().map(display),
            otel.name = Empty,
            otel.kind = Empty,
            otel.status_code = Empty,
            rpc.system.name = Empty,
            rpc.response.status_code = Empty,
            "error.type" = Empty,
            server.address = Empty,
            server.port = Empty,
        )
    });
    if place.is_recorded() {
        tracing::record_all!(
            span,
            otel.name = method,
            otel.kind = "server",
            rpc.system.name = "grpc",
            server.address = %local.ip(),
            server.port = local.port(),
        );
        identify(&span, place);
    }
    span
}

/// Begins the span of a page, by the conventions for HTTP.
pub(super) fn page(route: &str, place: &Place, caller: Caller<'_>) -> Span {
    let span = place.within(|| {
        tracing::info_span!(
            "page",
            http.route = route,
            client.address = caller.address(),
            principal = caller.principal(),
            trace_id = place.id().map(display),
            otel.name = route,
            otel.kind = "server",
            http.response.status_code = Empty,
        )
    });
    if place.is_recorded() {
        identify(&span, place);
    }
    span
}

/// Says the id of a trace that begins with the span: for the log, as what is exported knows it without.
fn identify(span: &Span, place: &Place) {
    if place.id().is_none()
        && let Some(id) = trace::id(span)
    {
        span.record("trace_id", display(id));
    }
}

/// The headers of a call, for its place among traces.
pub(super) struct Headers<'a>(pub(super) &'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// A call as it is seen from outside: its span and what is measured of it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) span: Span,
    /// Whether the span is seen by others than the log.
    is_recorded: bool,
    measured: Option<Measured>,
}

impl Seen {
    pub(super) fn new(span: Span, place: &Place, measured: Option<Measured>) -> Self {
        Self { span, is_recorded: place.is_recorded(), measured }
    }

    /// One of which nobody wants to know.
    pub(super) fn none() -> Self {
        Self { span: Span::none(), is_recorded: false, measured: None }
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
        if self.span.is_disabled() {
            return;
        }
        let name = code_name(code);
        if self.is_recorded {
            self.span.record("rpc.response.status_code", name);
            if is_server_fault(name) {
                self.span.record("error.type", name);
                self.span.record("otel.status_code", "ERROR");
            }
        }
        tracing::debug!(parent: &self.span, code = name, "call ended");
    }
}

/// What the conventions count as an error of the server; the rest is the caller's.
fn is_server_fault(code: &str) -> bool {
    matches!(code, "UNKNOWN" | "DEADLINE_EXCEEDED" | "UNIMPLEMENTED" | "INTERNAL" | "UNAVAILABLE" | "DATA_LOSS")
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
