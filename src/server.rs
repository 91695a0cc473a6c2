//! The server: one port for gRPC, gRPC-Web, health, reflection and pages, and what every call passes on its way to a handler.
//!
//! From the outside in, a call of our services passes: the connection (bounds, HTTP/2 keepalive, age), gRPC-Web translation,
//! then the [gate](gate): span, principal, authorization, deadline, and errors made by the transport given our details.
//! Connections are served here rather than by tonic's own server because its graceful shutdown waits for open streams
//! for ever and cannot be cut short, and because a stream whose reader does not read can only be reset from below.

mod body;
mod connection;
mod deadline;
mod fault;
mod gate;
mod health;
mod span;

use std::{future::Future, io::ErrorKind, iter, net::SocketAddr, pin::Pin, sync::Arc, task::Poll, time::Duration};

use axum::{
    Router,
    extract::Request,
    middleware::{from_fn, from_fn_with_state},
};
use http::header::CONTENT_TYPE;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinError, JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body, service::Routes};
use tonic_web::GrpcWebLayer;

use crate::{
    config,
    error::{Error, Reason, Result, clip},
    metrics::Metrics,
    proto, web,
};
use connection::{Age, Terms};
use gate::Gate;

pub use health::{Health, follow};

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
    door: Door,
    health: Health,
    delay: Duration,
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

        let health = Health::new().await;
        let metrics = Arc::clone(&content.metrics);
        let gate = Gate { trusted: settings.is_loopback(), local_addr, metrics };
        let router = router(content, &health, gate)?;
        let age = (settings.max_connection_age_seconds > 0).then(|| Age {
            limit: Duration::from_secs(settings.max_connection_age_seconds),
            grace: Duration::from_secs(settings.max_connection_age_grace_seconds),
        });
        let terms = Terms { local: local_addr, router, stopping, age };
        Ok(Self {
            door: Door { listener, terms, connections: JoinSet::new() },
            health,
            delay: Duration::from_secs(settings.stop_delay_seconds),
            drain: Duration::from_secs(settings.drain_seconds),
            companions: Vec::new(),
        })
    }

    /// With tasks that end by themselves when the server begins to stop: it waits for them as long as for calls.
    #[must_use]
    pub fn with(mut self, companions: Vec<JoinHandle<()>>) -> Self {
        self.companions = companions;
        self
    }

    /// The address bound, with the port that was free if port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.door.terms.local
    }

    /// Cancelled when the server begins to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.door.terms.stopping.clone()
    }

    /// What it says of its health, to be kept by [`follow`].
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Serves until `shutdown` resolves. Then: NOT_SERVING, for `stop_delay_seconds` with nothing else changed; no new
    /// connections, streams end; calls in progress get `drain_seconds` to finish; what is left is cut.
    ///
    /// # Errors
    /// INTERNAL if a task that accompanies the server ended before it was to stop: a server that would send and apply
    /// nothing any more stops too, for whoever supervises it to start it again.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let Self { mut door, health, delay, drain, mut companions } = self;
        let mut alone = false;
        door.open_until(async {
            tokio::select! {
                () = shutdown => {}
                ended = first_ended(&mut companions) => {
                    tracing::error!(error = ended.err().map(tracing::field::display), "a task of the server ended by itself: stopping");
                    alone = true;
                }
            }
        })
        .await;
        health.leave().await;
        if !delay.is_zero() {
            tracing::info!(seconds = delay.as_secs(), "NOT_SERVING, but still answering");
            door.open_until(sleep(delay)).await;
        }

        let stopping = door.terms.stopping.clone();
        let mut connections = door.close();
        tracing::info!(connections = connections.len(), "stopping");
        stopping.cancel();
        let all = async {
            while connections.join_next().await.is_some() {}
            for companion in companions.into_iter().filter(|companion| !companion.is_finished()) {
                // One that has panicked has ended too.
                let _ = companion.await;
            }
        };
        let drained = timeout(drain, all).await;
        if drained.is_err() {
            tracing::warn!(connections = connections.len(), "cutting what did not finish in time");
        }
        connections.shutdown().await;
        if alone { Err(Error::internal("a task of the server ended by itself")) } else { Ok(()) }
    }
}

/// How the first of some tasks ends; never without any.
async fn first_ended(tasks: &mut [JoinHandle<()>]) -> std::result::Result<(), JoinError> {
    std::future::poll_fn(|context| {
        let ended = tasks.iter_mut().map(|task| Pin::new(task).poll(context)).find(Poll::is_ready);
        ended.unwrap_or(Poll::Pending)
    })
    .await
}

/// Where connections come in, and those that did.
#[derive(Debug)]
struct Door {
    listener: TcpListener,
    terms: Terms,
    connections: JoinSet<()>,
}

impl Door {
    /// Lets connections in until `over` resolves.
    async fn open_until(&mut self, over: impl Future<Output = ()>) {
        let mut over = std::pin::pin!(over);
        loop {
            let accepted = tokio::select! {
                () = &mut over => return,
                Some(_) = self.connections.join_next(), if !self.connections.is_empty() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.connections.spawn(connection::serve(stream, peer, self.terms.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Lets nobody in any more. Whom the system has let in already is served: with the listener it would be broken off.
    fn close(self) -> JoinSet<()> {
        let Self { listener, terms, mut connections } = self;
        // Asked for directly: the runtime learns of them a moment later.
        let late = listener.into_std().map(|listener| iter::from_fn(move || listener.accept().ok()));
        for (stream, peer) in late.into_iter().flatten().take(BACKLOG as usize) {
            match stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
                Ok(stream) => drop(connections.spawn(connection::serve(stream, peer, terms.clone()))),
                Err(error) => tracing::warn!(%error, "cannot accept a connection"),
            }
        }
        connections
    }
}

/// The full names of our services, which health answers for beside the server as a whole (the empty name).
fn served_services() -> impl Iterator<Item = String> {
    proto::POOL.services().map(|service| service.full_name().to_owned())
}

/// Everything that is served on the port.
fn router(content: Content, health: &Health, gate: Gate) -> Result<Router> {
    let Content { routes, mut pages, probes, metrics: _ } = content;
    let gate = Arc::new(gate);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // The details of errors, so that a client without our types can show them.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let health = tonic_health::server::HealthService::from_health_reporter(health.reporter());
    let around = Routes::new(tonic_health::pb::health_server::HealthServer::new(health))
        .add_service(reflection().build_v1().map_err(Error::internal)?)
        .add_service(reflection().build_v1alpha().map_err(Error::internal)?)
        .into_axum_router()
        .reset_fallback()
        .route_layer(from_fn(gate::around))
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
