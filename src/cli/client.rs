//! The connection to a server, and calls over it.

use std::{error::Error as _, io, time::Duration};

use http::{header::CONTENT_TYPE, uri::PathAndQuery};
use http_body_util::{BodyExt, Limited};
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use tonic::{
    Request, Status, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use tower::ServiceExt;

use super::{
    Common,
    failure::{Failure, Outcome, printable},
};
use crate::{call::PRINCIPAL_KEY, proto};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A revision can hold 1,000 changes with the resources before and after: more than the usual 4 MiB.
const MAX_ANSWER: usize = 256 << 20;

/// A page of a list of some 10,000 entries.
const MAX_PAGE: usize = 64 << 20;

/// Pauses before a call is tried again that the server could not answer.
const RETRIES: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(600), Duration::from_secs(2)];

/// A connected server.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    grpc: Grpc<Channel>,
    principal: Option<MetadataValue<Ascii>>,
}

/// Connects to the endpoint.
pub(super) async fn channel(endpoint: &str) -> Outcome<Channel> {
    let is_plain =
        |url: url::Url| url.scheme() == "http" && url.has_host() && url.path() == "/" && url.query().is_none();
    if !url::Url::parse(endpoint).is_ok_and(is_plain) {
        let such = "a URL such as http://127.0.0.1:50051, without TLS and without a path";
        return Err(Failure::Usage(format!("--endpoint must be {such}, not \"{}\"", printable(endpoint))));
    }
    let built = Endpoint::from_shared(endpoint.to_owned()).map_err(|e| Failure::Usage(format!("--endpoint: {e}")))?;
    let built = built
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(CONNECT_TIMEOUT)
        .keep_alive_while_idle(true);
    built.connect().await.map_err(|error| {
        // The outermost error only says "transport error"; the causes say what to do.
        let causes: Vec<_> = std::iter::successors(error.source(), |&error| error.source()).collect();
        let is_refusal = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        if causes.iter().any(|error| error.downcast_ref().is_some_and(is_refusal)) {
            return Failure::Failed(format!(
                "cannot connect to {endpoint}: nothing listens there; `subprocessor-registry serve` starts a server, \
                 --endpoint names one"
            ));
        }
        let mut text = format!("cannot connect to {endpoint}");
        for error in causes {
            let part = format!(": {error}");
            if !text.ends_with(&part) {
                text.push_str(&part);
            }
        }
        Failure::Failed(text)
    })
}

/// Reads a page of the server over its connection.
pub(super) async fn page(channel: &Channel, path: &str) -> Outcome<String> {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("{path}: {error}"));
    let request = http::Request::get(path).body(tonic::body::Body::empty()).map_err(|error| failed(&error))?;
    let answer = channel.clone().oneshot(request).await;
    let answer = answer.map_err(|error| Failure::from(Status::from_error(Box::new(error))))?;
    let status = answer.status();
    let is_plain = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let body = Limited::new(answer.into_body(), MAX_PAGE).collect().await.map_err(|error| failed(&error))?;
    let text = String::from_utf8(body.to_bytes().into()).map_err(|error| failed(&error))?;
    match status.is_success() {
        true => Ok(text),
        // It says why, in lines.
        false if is_plain && !text.trim().is_empty() => {
            Err(Failure::Failed(text.lines().map(printable).collect::<Vec<_>>().join("\n")))
        }
        false => Err(failed(&status)),
    }
}

impl Registry {
    /// Connects to the server that the command line names.
    pub(super) async fn connect(common: &Common) -> Outcome<Self> {
        let principal = common.principal.as_deref().map(str::parse).transpose();
        let principal = principal.map_err(|_| Failure::Usage("--principal must be visible ASCII".to_owned()))?;
        let grpc = Grpc::new(channel(common.endpoint()).await?).max_decoding_message_size(MAX_ANSWER);
        Ok(Self { grpc, principal })
    }

    /// Calls a method, e.g. `VendorService/GetVendor`.
    pub(super) async fn call<Q, A>(&self, method: &str, request: Q) -> Outcome<A>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        self.unary(path(&format!("{}.{method}", proto::PACKAGE))?, request, ProstCodec::<Q, A>::default).await
    }

    /// Calls a method known by its descriptor only.
    pub(super) async fn call_dynamic(
        &self,
        method: &MethodDescriptor,
        request: DynamicMessage,
    ) -> Outcome<DynamicMessage> {
        let path = path(&format!("{}/{}", method.parent_service().full_name(), method.name()))?;
        self.unary(path, request, || DynamicCodec(method.output())).await
    }

    /// Opens a stream.
    pub(super) async fn stream<Q, A>(&self, method: &str, request: Q) -> Outcome<Streaming<A>>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let path = path(&format!("{}.{method}", proto::PACKAGE))?;
        let answer = grpc.server_streaming(self.request(request), path, ProstCodec::<Q, A>::default()).await?;
        Ok(answer.into_inner())
    }

    /// One call, tried again while the server is unavailable. That is safe: what this client sends either only reads or
    /// carries a request id.
    async fn unary<C>(&self, path: PathAndQuery, request: C::Encode, codec: impl Fn() -> C) -> Outcome<C::Decode>
    where
        C: Codec,
        C::Encode: Clone + Send + Sync,
        C::Decode: Send + Sync,
    {
        let mut pauses = RETRIES.iter();
        loop {
            let answer = match self.ready().await {
                Ok(mut grpc) => {
                    let answer = grpc.unary(self.request(request.clone()), path.clone(), codec()).await;
                    answer.map(tonic::Response::into_inner).map_err(Failure::from)
                }
                Err(failure) => Err(failure),
            };
            match (answer, pauses.next()) {
                (Err(failure), Some(pause)) if failure.is_temporary() => tokio::time::sleep(*pause).await,
                (answer, _) => return answer,
            }
        }
    }

    async fn ready(&self) -> Outcome<Grpc<Channel>> {
        let mut grpc = self.grpc.clone();
        match grpc.ready().await {
            Ok(()) => Ok(grpc),
            Err(error) => Err(Failure::from(Status::from_error(Box::new(error)))),
        }
    }

    fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(principal) = &self.principal {
            request.metadata_mut().insert(PRINCIPAL_KEY, principal.clone());
        }
        request
    }
}

/// A request id of its own for a write.
pub(super) fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn path(method: &str) -> Outcome<PathAndQuery> {
    format!("/{method}").parse().map_err(|error| Failure::Failed(format!("{method}: {error}")))
}

/// Encodes and decodes messages known by their descriptors.
#[derive(Debug, Clone)]
struct DynamicCodec(MessageDescriptor);

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = DynamicEncoder;
    type Decoder = Self;

    fn encoder(&mut self) -> DynamicEncoder {
        DynamicEncoder
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

#[derive(Debug)]
struct DynamicEncoder;

impl Encoder for DynamicEncoder {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::from_error(Box::new(error)))
    }
}

impl Decoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.0.clone(), buffer);
        message.map(Some).map_err(|error| Status::from_error(Box::new(error)))
    }
}
