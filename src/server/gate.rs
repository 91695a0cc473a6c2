//! What every call passes before its handler, and its answer after.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, sync::LazyLock, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode, header::CONTENT_TYPE},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body::Body as _;
use opentelemetry::context::FutureExt as _;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, transport::server::TcpConnectInfo};
use tracing::Instrument;

use super::{
    body::{CallBody, code_in},
    connection, deadline, fault,
    span::{self, Headers, Seen},
};
use crate::{
    auth,
    call::Principal,
    error::{Error, Reason, clip},
    metrics::Metrics,
    proto,
    reset::Leaving,
    trace::{Called, Place},
    web,
};

/// How long a reader has to take the DEADLINE_EXCEEDED that ends its stream, before the stream is reset.
const READER_GRACE: Duration = Duration::from_secs(1);

/// How long a page may take.
const PAGE_DEADLINE: Duration = Duration::from_secs(30);

/// What the gate knows of the server.
#[derive(Debug)]
pub(super) struct Gate {
    /// Whether `x-principal` is honoured.
    pub(super) trusted: bool,
    pub(super) local_addr: SocketAddr,
    pub(super) metrics: Arc<Metrics>,
}

/// The methods of the contract by path, and whether they stream.
static METHODS: LazyLock<HashMap<String, bool>> = LazyLock::new(|| {
    let mut methods = HashMap::new();
    for service in proto::POOL.services() {
        for method in service.methods() {
            let path = format!("/{}/{}", service.full_name(), method.name());
            methods.insert(path, method.is_server_streaming());
        }
    }
    methods
});

/// The gate of our services.
pub(super) async fn ours(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    if let Some(refusal) = not_grpc(&request) {
        return refusal;
    }
    let path = request.uri().path().to_owned();
    let method = METHODS.get_key_value(path.as_str());
    let peer = request.extensions().get::<TcpConnectInfo>().and_then(|info| info.remote_addr);
    let name = method.map(|(path, _)| path.trim_start_matches('/'));
    let principal = Principal::of(request.headers(), gate.trusted);
    let called = Called {
        what: ("rpc.method", name.unwrap_or("_OTHER").into()),
        client: peer.map(|peer| peer.ip()),
        principal: principal.as_ref().ok().cloned(),
    };
    let place = Place::of(&Headers(request.headers())).with(called);
    let span = span::begin(&place, gate.local_addr);
    let there = place.context();
    let seen = Seen::new(place, span.clone(), gate.metrics.call(name.unwrap_or_default()));

    let admit = || {
        let deadline = deadline::of(request.headers(), Instant::now())?;
        if gate.trusted {
            auth::refuse_foreign_pages(request.headers())?;
        }
        let principal = principal?;
        if method.is_none() {
            // A client newer than this server has to be able to tell that from a refusal.
            return Err(
                Error::new(Reason::NotSupported, format!("there is no method {}", clip(&path))).with("method", &path)
            );
        }
        auth::authorize(&principal, &path)?;
        request.extensions_mut().insert(principal);
        Ok(deadline)
    };
    match admit() {
        Err(error) => refuse(error, seen),
        Ok(deadline) => {
            let streams = method.is_some_and(|(_, streams)| *streams);
            let call = answer(request, next, seen, deadline, streams);
            call.instrument(span).with_context(there).await.map(axum::body::Body::new)
        }
    }
}

/// The gate of what every server has, health and reflection: nothing to authorize and no spans, which probes would
/// fill the traces with; and their streams, which know nothing of stopping, end with the server or their connection.
pub(super) async fn around(request: Request, next: Next) -> Response {
    if let Some(refusal) = not_grpc(&request) {
        return refusal;
    }
    match deadline::of(request.headers(), Instant::now()) {
        Err(error) => refuse(error, Seen::none()),
        Ok(deadline) => {
            let leaving = request.extensions().get::<Leaving>().map(|leaving| leaving.0.clone()).unwrap_or_default();
            let response = answer(request, next, Seen::none(), deadline, true).await;
            response.map(|body| axum::body::Body::new(body.while_running(leaving)))
        }
    }
}

/// The gate of the pages: whoever asks may read what the method reads that the page is made of, and nobody waits for
/// ever, for browsers say no deadline.
pub(super) async fn pages(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let method = web::PAGES.iter().find(|(page, _)| *page == path).map(|(_, method)| *method).unwrap_or_default();
    let peer = request.extensions().get::<TcpConnectInfo>().and_then(|info| info.remote_addr);
    let principal = Principal::of(request.headers(), gate.trusted);
    let called = Called {
        what: ("http.route", path.clone().into()),
        client: peer.map(|peer| peer.ip()),
        principal: principal.as_ref().ok().cloned(),
    };
    let place = Place::of(&Headers(request.headers())).with(called);
    let span = span::page(&place);
    let admitted = principal.and_then(|principal| auth::authorize(&principal, method));
    let response = match admitted {
        Err(error) => web::refusal(&path, &error),
        Ok(()) => {
            let page = next.run(request).instrument(span.clone()).with_context(place.context());
            let answer = timeout_at(Instant::now() + PAGE_DEADLINE, page);
            answer.await.unwrap_or_else(|_| web::refusal(&path, &deadline::exceeded()))
        }
    };
    span.record("http.response.status_code", i64::from(response.status().as_u16()));
    response
}

/// The handler's answer, or DEADLINE_EXCEEDED.
async fn answer(
    mut request: Request,
    next: Next,
    mut seen: Seen,
    deadline: Option<Instant>,
    streams: bool,
) -> axum::http::Response<CallBody> {
    let reset = connection::current_reset();
    if let Some(reset) = &reset {
        request.extensions_mut().insert(reset.clone());
    }
    let mut response = match deadline {
        None => next.run(request).await,
        Some(at) if at <= Instant::now() => refuse(deadline::exceeded(), Seen::none()),
        Some(at) => match timeout_at(at, next.run(request)).await {
            Ok(response) => response,
            Err(_) => refuse(deadline::exceeded(), Seen::none()),
        },
    };
    fault::complete(response.headers_mut());
    if let Some(code) = code_in(response.headers()) {
        seen.end(code);
    }
    response.map(|inner| {
        let ended = inner.is_end_stream();
        let body = CallBody::new(inner, seen, streams);
        match deadline.filter(|_| !ended) {
            None => body,
            Some(at) => {
                let cutter = reset.filter(|_| streams).map(|reset| {
                    AbortOnDropHandle::new(tokio::spawn(async move {
                        sleep_until(at + READER_GRACE).await;
                        reset.reset();
                    }))
                });
                body.until(at, cutter)
            }
        }
    })
}

fn refuse(error: Error, mut seen: Seen) -> Response {
    seen.end(error.code());
    let _there = seen.place.enter();
    seen.span.in_scope(|| Status::from(error)).into_http::<tonic::body::Body>().map(axum::body::Body::new)
}

/// What is not gRPC (by now gRPC-Web has been translated) is told so in HTTP's own words.
fn not_grpc(request: &Request) -> Option<Response> {
    let is_grpc = request.headers().get(CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"));
    if request.method() != Method::POST {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "gRPC methods are called with POST\n").into_response());
    }
    (!is_grpc).then(|| (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/grpc\n").into_response())
}
