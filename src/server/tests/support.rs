//! A server with services that misbehave on demand, and a client that sends exactly what it is told to: tonic's own
//! enforces deadlines itself, and hides which side did.

use std::sync::Arc;

use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::{
    net::TcpStream,
    sync::{oneshot, watch},
    task::JoinHandle,
};
use tokio_stream::Stream;
use tonic::{Request as Call, Response, Status, codec::CompressionEncoding};
use tonic_types::StatusExt;

use super::super::*;
use crate::error::code_name;
use crate::{
    call::Principal,
    config::Settings,
    proto::v1::*,
    reset::{Leaving, StreamReset},
};

pub(super) const APPLY: &str = "/subprocessor.registry.v1.RegistryService/ApplyManifest";
pub(super) const SCHEMA: &str = "/subprocessor.registry.v1.RegistryService/GetManifestSchema";
pub(super) const HANG: &str = "/subprocessor.registry.v1.RegistryService/ExportManifest";
pub(super) const WATCH: &str = "/subprocessor.registry.v1.ChangeLogService/WatchChanges";

/// The largest request that the test services accept.
pub(super) const LIMIT: usize = 1024;

/// The services. Counts what is being answered, to see that it is dropped.
#[derive(Clone)]
pub(super) struct Odd {
    open: Arc<watch::Sender<usize>>,
    /// Cancelled when calls that take their time may finish.
    pub(super) finish: CancellationToken,
}

struct Open(Arc<watch::Sender<usize>>);

impl Odd {
    fn open(&self) -> Open {
        self.open.send_modify(|open| *open += 1);
        Open(self.open.clone())
    }

    /// Waits until so many calls are being answered.
    pub(super) async fn until(&self, open: usize) {
        self.open.subscribe().wait_for(|now| *now == open).await.expect("the services are there");
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

#[tonic::async_trait]
impl registry_service_server::RegistryService for Odd {
    /// Takes until it may finish.
    async fn apply_manifest(
        &self,
        _call: Call<ApplyManifestRequest>,
    ) -> Result<Response<ApplyManifestResponse>, Status> {
        let _open = self.open();
        self.finish.cancelled().await;
        Ok(Response::new(ApplyManifestResponse::default()))
    }

    /// Hangs.
    async fn export_manifest(
        &self,
        _call: Call<ExportManifestRequest>,
    ) -> Result<Response<ExportManifestResponse>, Status> {
        let _open = self.open();
        std::future::pending().await
    }

    /// Says who called.
    async fn get_manifest_schema(
        &self,
        call: Call<GetManifestSchemaRequest>,
    ) -> Result<Response<GetManifestSchemaResponse>, Status> {
        let principal = call.extensions().get::<Principal>().expect("a principal");
        assert!(call.remote_addr().is_some());
        Ok(Response::new(GetManifestSchemaResponse { json_schema: principal.to_string() }))
    }
}

type Changes = std::pin::Pin<Box<dyn Stream<Item = Result<WatchChangesResponse, Status>> + Send>>;

#[tonic::async_trait]
impl change_log_service_server::ChangeLogService for Odd {
    type WatchChangesStream = Changes;

    /// `quiet` sends nothing, `flood` without end, `reset` one message and then resets, `polite` nothing until its
    /// connection is let go of.
    async fn watch_changes(&self, call: Call<WatchChangesRequest>) -> Result<Response<Changes>, Status> {
        let open = self.open();
        let reset = call.extensions().get::<StreamReset>().expect("a handle").clone();
        let message = || WatchChangesResponse {
            event: Some(watch_changes_response::Event::Revision(Revision {
                method: "x".repeat(16 * 1024),
                ..Default::default()
            })),
        };
        let Leaving(leaving) = call.extensions().get().cloned().expect("a handle");
        let kind = call.into_inner().parent;
        let stream = futures::stream::unfold((0, open), move |(sent, open)| {
            let (kind, reset, leaving) = (kind.clone(), reset.clone(), leaving.clone());
            async move {
                match kind.as_str() {
                    "flood" => tokio::task::yield_now().await,
                    "reset" if sent == 0 => {}
                    "reset" => {
                        reset.reset();
                        std::future::pending().await
                    }
                    "polite" => {
                        leaving.cancelled().await;
                        let error = Error::new(Reason::ServerStopping, "stopping").with("revision", 7);
                        return Some((Err(Status::from(error)), (sent, open)));
                    }
                    _ => std::future::pending().await,
                }
                Some((Ok(message()), (sent + 1, open)))
            }
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn get_revision(&self, _: Call<GetRevisionRequest>) -> Result<Response<Revision>, Status> {
        Err(Error::not_found("revision", "revisions/1").into())
    }

    async fn list_revisions(&self, _: Call<ListRevisionsRequest>) -> Result<Response<ListRevisionsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn verify_change_log(
        &self,
        _: Call<VerifyChangeLogRequest>,
    ) -> Result<Response<VerifyChangeLogResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn erase_personal_data(
        &self,
        _: Call<ErasePersonalDataRequest>,
    ) -> Result<Response<ErasePersonalDataResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

/// A running server.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) odd: Odd,
    stop: Option<oneshot::Sender<()>>,
    pub(super) done: JoinHandle<crate::error::Result<()>>,
}

impl Running {
    pub(super) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut config::Server)) -> Self {
        let mut settings = Settings::load(&config::Flags::default(), &Default::default()).expect("defaults").server;
        settings.listen = "127.0.0.1:0".parse().expect("an address");
        settings.drain_seconds = 5;
        change(&mut settings);
        let stopping = CancellationToken::new();
        let odd = Odd { open: Arc::default(), finish: CancellationToken::new() };
        let registry = registry_service_server::RegistryServiceServer::new(odd.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(LIMIT);
        let log = change_log_service_server::ChangeLogServiceServer::new(odd.clone());
        let routes = Routes::new(registry).add_service(log);
        let server = Server::bind(&settings, routes, stopping).await.expect("bound");
        let mut address = server.local_addr();
        address.set_ip("127.0.0.1".parse().expect("an address"));
        let (stop, stopped) = oneshot::channel();
        let done = tokio::spawn(server.run(async { drop(stopped.await) }));
        Self { address, odd, stop: Some(stop), done }
    }

    pub(super) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(super) async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.expect("connected");
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        tokio::spawn(connection);
        Client(sender, self.address)
    }

    /// Waits until nothing is being answered any more.
    pub(super) async fn idle(&self) {
        self.odd.until(0).await;
    }
}

/// An HTTP/2 connection.
#[derive(Clone)]
pub(super) struct Client(hyper::client::conn::http2::SendRequest<Full<bytes::Bytes>>, SocketAddr);

/// How a call ended.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) http: u16,
    pub(super) status: Option<Status>,
    pub(super) data: Vec<u8>,
}

impl Answer {
    pub(super) fn code(&self) -> String {
        self.status.as_ref().map_or_else(|| "no status".to_owned(), |status| code_name(status.code()).to_owned())
    }

    pub(super) fn reason(&self) -> String {
        let details = self.status.as_ref().map(|status| status.get_error_details());
        details.and_then(|d| d.error_info().map(|info| info.reason.clone())).unwrap_or_default()
    }

    pub(super) fn metadata(&self, key: &str) -> Option<String> {
        self.status.as_ref()?.get_error_details().error_info()?.metadata.get(key).cloned()
    }

    pub(super) fn message<M: Message + Default>(&self) -> M {
        M::decode(self.data.get(5..).expect("a frame")).expect("a message")
    }
}

/// A message as gRPC frames it.
pub(super) fn frame(flag: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![flag];
    frame.extend(u32::try_from(payload.len()).expect("small").to_be_bytes());
    frame.extend(payload);
    frame
}

impl Client {
    /// Sends a request and returns the answer before its body is read.
    pub(super) async fn open(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> hyper::Result<http::Response<hyper::body::Incoming>> {
        let mut request = Request::post(format!("http://{}{path}", self.1));
        let given = |name: &str| headers.iter().any(|(n, _)| *n == name);
        if !given("content-type") {
            request = request.header("content-type", "application/grpc").header("te", "trailers");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.0.ready().await?;
        self.0.send_request(request.body(Full::from(body)).expect("a request")).await
    }

    /// The whole answer.
    pub(super) async fn raw(&mut self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let response = self.open(path, headers, body).await.expect("an answer");
        let http = response.status().as_u16();
        let head = response.headers().clone();
        let collected = response.into_body().collect().await.expect("a body");
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let status = |headers: &HeaderMap| Status::from_header_map(headers);
        let status = status(&head).or_else(|| status(&trailers));
        Answer { http, status, data: collected.to_bytes().to_vec() }
    }

    /// A call with a message.
    pub(super) async fn call(&mut self, path: &str, headers: &[(&str, &str)], message: &impl Message) -> Answer {
        self.raw(path, headers, frame(0, &message.encode_to_vec())).await
    }
}
