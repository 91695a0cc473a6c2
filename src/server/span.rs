//! The span of a call, by OpenTelemetry's conventions for RPC, and its place in the caller's trace.

use std::net::SocketAddr;

use http::HeaderMap;
use opentelemetry::propagation::Extractor;
use tonic::Code;
use tracing::{Level, Span, field::Empty};

use crate::{
    call::Principal,
    error::code_name,
    metrics::Measured,
    trace::{self, Place},
};

/// Begins the span of a call, if its trace is recorded. A method that does not exist has no name of its own, so that
/// callers cannot make up names without end.
pub(super) fn begin(place: &Place, local: SocketAddr) -> Span {
    let Some(called) = place.called().filter(|_| place.is_recorded()) else { return Span::none() };
    let _there = place.enter();
    let method = called.what.1.as_ref();
    tracing::info_span!(
        target: trace::CALLS,
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
        client.address = called.client.map(tracing::field::display),
        principal = called.principal.as_ref().map(Principal::as_str),
    )
}

/// Begins the span of a page, by the conventions for HTTP.
pub(super) fn page(place: &Place) -> Span {
    let Some(called) = place.called().filter(|_| place.is_recorded()) else { return Span::none() };
    let _there = place.enter();
    let route = called.what.1.as_ref();
    tracing::info_span!(
        target: trace::CALLS,
        "page",
        otel.name = route,
        otel.kind = "server",
        http.route = route,
        http.response.status_code = Empty,
        client.address = called.client.map(tracing::field::display),
        principal = called.principal.as_ref().map(Principal::as_str),
    )
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
    pub(super) place: Place,
    /// None, if nobody will see it.
    pub(super) span: Span,
    measured: Option<Measured>,
}

impl Seen {
    pub(super) fn new(place: Place, span: Span, measured: Option<Measured>) -> Self {
        Self { place, span, measured }
    }

    /// One of which nobody wants to know.
    pub(super) fn none() -> Self {
        Self { place: Place::default(), span: Span::none(), measured: None }
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
        let name = code_name(code);
        if !self.span.is_disabled() {
            self.span.record("rpc.response.status_code", name);
            if is_server_fault(name) {
                self.span.record("error.type", name);
                self.span.record("otel.status_code", "ERROR");
            }
        }
        // Of what is called for its own sake, such as health, nobody wants to know.
        if self.place.called().is_some() && tracing::enabled!(Level::DEBUG) {
            let _there = self.place.enter();
            self.span.in_scope(|| tracing::debug!(code = name, "call ended"));
        }
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
