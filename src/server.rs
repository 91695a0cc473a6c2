//! The server: one port for gRPC, gRPC-Web, health, reflection and pages, and what every call passes on its way to a handler.
//!
//! From the outside in, a call of our services passes: the connection (bounds, HTTP/2 keepalive), gRPC-Web translation,
//! then the [gate](gate): span, principal, authorization, deadline, and errors made by the transport given our details.
//! Connections are served here rather than by tonic's own server because its graceful shutdown waits for open streams
//! for ever and cannot be cut short, and because a stream whose reader does not read can only be reset from below.

mod body;
mod connection;
mod deadline;
mod fault;
mod gate;
mod span;

use std::{future::Future, io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::Request, middleware::from_fn_with_state};
use http::header::CONTENT_TYPE;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body, service::Routes};
use tonic_health::{ServingStatus, server::HealthReporter};
use tonic_web::GrpcWebLayer;

use crate::{
    config,
    error::{Error, Reason, Result, clip},
    metrics::Metrics,
    proto, web,
};
use gate::Gate;

/// After the listener failed to accept, e.g. because there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections wait to be accepted at most.
const BACKLOG: u32 = 1024;

/// An address that is ours, but where nobody is let in yet: connections are refused, not kept waiting.
#[derive(Debug)]
pub struct Bound(TcpSocket);

impl Bound {
    /// Binds the address of `settings`.
    ///
    /// # Errors
    /// If it cannot be bound, and what to do about it.
    pub fn new(settings: &config::Server) -> Result<Self> {
        let bind = || {
            let socket = if settings.listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // So that a restart need not wait for the last connections to be forgotten.
            socket.set_reuseaddr(true)?;
            socket.bind(settings.listen)?;
            Ok(Self(socket))
        };
        bind().map_err(|error| unbound(settings.listen, error))
    }

    /// The address, with the port that was free if port 0 was asked for.
    ///
    /// # Errors
    /// INTERNAL if the system does not say.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.0.local_addr().map_err(Error::internal)
    }
}

fn unbound(address: SocketAddr, error: std::io::Error) -> Error {
    let why = match error.kind() {
        ErrorKind::AddrInUse => "the address is in use: stop what listens there, or name another with --listen",
        ErrorKind::AddrNotAvailable => "no interface of this machine has the address: name another with --listen",
        ErrorKind::PermissionDenied => "no permission: name a port above 1023 with --listen",
        _ => "name another address with --listen",
    };
    Error::new(Reason::Internal, format!("cannot listen on {address}: {why}")).caused_by(error)
}

/// What is served.
#[derive(Debug)]
pub struct Content {
    /// Our services.
    pub routes: Routes,
    /// What people look at.
    pub pages: Router,
    /// What machines look at that operate the server: nobody is asked who they are.
    pub probes: Router,
    /// What calls are measured by.
    pub metrics: Arc<Metrics>,
}

impl Content {
    /// Services alone.
    pub fn of(routes: Routes) -> Self {
        Self { routes, pages: Router::new(), probes: Router::new(), metrics: Metrics::none() }
    }
}

/// A bound server that does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    router: Router,
    health: HealthReporter,
    stopping: CancellationToken,
    drain: Duration,
    companions: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds the address of `settings` and listens. `routes` has our services. `stopping` is cancelled when the server
    /// begins to stop: streams end then, saying where to resume.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn bind(settings: &config::Server, routes: Routes, stopping: CancellationToken) -> Result<Self> {
        Self::on(Bound::new(settings)?, settings, Content::of(routes), stopping).await
    }

    /// The same on an address already bound, with what is beside the services.
    ///
    /// # Errors
    /// If it cannot be listened on.
    pub async fn on(
        bound: Bound,
        settings: &config::Server,
        content: Content,
        stopping: CancellationToken,
    ) -> Result<Self> {
        let listener = bound.0.listen(BACKLOG).map_err(|error| unbound(settings.listen, error))?;
        let local_addr = listener.local_addr().map_err(Error::internal)?;

        let health = HealthReporter::new();
        for service in served_services() {
            health.set_service_status(service, ServingStatus::Serving).await;
        }
        let metrics = Arc::clone(&content.metrics);
        let gate = Gate { trusted: settings.is_loopback(), local_addr, stopping: stopping.clone(), metrics };
        let router = router(content, &health, gate)?;
        let drain = Duration::from_secs(settings.drain_seconds);
        Ok(Self { listener, local_addr, router, health, stopping, drain, companions: Vec::new() })
    }

    /// With tasks that end by themselves when the server begins to stop: it waits for them as long as for calls.
    #[must_use]
    pub fn with(mut self, companions: Vec<JoinHandle<()>>) -> Self {
        self.companions = companions;
        self
    }

    /// The address bound, with the port that was free if port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Cancelled when the server begins to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// By which what the server depends on can make it NOT_SERVING and SERVING again.
    pub fn health(&self) -> HealthReporter {
        self.health.clone()
    }

    /// Serves until `shutdown` resolves. Then: NOT_SERVING, no new connections, streams end; calls in progress get
    /// `drain_seconds` to finish; what is left is cut.
    ///
    /// # Errors
    /// None so far.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let Self { listener, local_addr, router, health, stopping, drain, companions } = self;
        let mut connections = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection::serve(stream, peer, local_addr, router.clone(), stopping.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }

        tracing::info!(connections = connections.len(), "stopping");
        for service in served_services().chain([String::new()]) {
            health.set_service_status(service, ServingStatus::NotServing).await;
        }
        stopping.cancel();
        drop(listener);
        let all = async {
            while connections.join_next().await.is_some() {}
            for companion in companions {
                // One that has panicked has ended too.
                let _ = companion.await;
            }
        };
        let drained = timeout(drain, all).await;
        if drained.is_err() {
            tracing::warn!(connections = connections.len(), "cutting what did not finish in time");
        }
        connections.shutdown().await;
        Ok(())
    }
}

/// The full names of our services, which health answers for beside the server as a whole (the empty name).
fn served_services() -> impl Iterator<Item = String> {
    proto::POOL.services().map(|service| service.full_name().to_owned())
}

/// Everything that is served on the port.
fn router(content: Content, health: &HealthReporter, gate: Gate) -> Result<Router> {
    let Content { routes, mut pages, probes, metrics: _ } = content;
    let gate = Arc::new(gate);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // The details of errors, so that a client without our types can show them.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let health = tonic_health::server::HealthService::from_health_reporter(health.clone());
    let around = Routes::new(tonic_health::pb::health_server::HealthServer::new(health))
        .add_service(reflection().build_v1().map_err(Error::internal)?)
        .add_service(reflection().build_v1alpha().map_err(Error::internal)?)
        .into_axum_router()
        .reset_fallback()
        .route_layer(from_fn_with_state(gate.clone(), gate::around))
        .route_layer(GrpcWebLayer::new());

    let mut ours = routes.into_axum_router().reset_fallback();
    if ours.has_routes() {
        // Layers on no route at all are refused by axum with a panic.
        ours = ours.route_layer(from_fn_with_state(gate.clone(), gate::ours)).route_layer(GrpcWebLayer::new());
    }
    if pages.has_routes() {
        pages = pages.route_layer(from_fn_with_state(gate, gate::pages));
    }
    Ok(ours.merge(around).merge(pages).merge(probes).fallback(fallback))
}

/// What no route is for: a gRPC call is answered as gRPC, anything else as a web page that is not there.
async fn fallback(request: Request) -> axum::response::Response {
    let content_type = request.headers().get(CONTENT_TYPE).cloned();
    match content_type {
        Some(content_type) if content_type.as_bytes().starts_with(b"application/grpc") => {
            let path = request.uri().path();
            let error = Error::new(Reason::NotSupported, format!("there is no method {}", clip(path)));
            let mut response = Status::from(error.with("method", path)).into_http::<Body>();
            // A gRPC-Web client wants its own type back; the status is in the headers for it too.
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            response.map(axum::body::Body::new)
        }
        _ => web::not_found(request.uri().path()),
    }
}

#[cfg(test)]
mod tests;
