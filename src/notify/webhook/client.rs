//! One attempt: look the name up, check every address, connect to one of those, send, read a bounded answer.
//!
//! Each attempt has a connection of its own: what was checked is what is connected to, and nothing of one endpoint
//! (connections, cookies, sessions) is there for the next. No proxy, no redirects, no decompression.

use std::{future::pending, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use url::{Position, Url};

use super::{
    connect::{Failure, Stream, connect},
    guard::{Policy, check_uri},
    resolve::{Resolve, System},
    sign::{Secret, signatures},
};
use crate::error::{Error, Result};

/// Who we are.
const USER_AGENT: &str = concat!("subprocessor-registry/", env!("CARGO_PKG_VERSION"));

/// CloudEvents 1.0, JSON Event Format.
const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// How much of an answer is kept.
const KEPT: usize = 4096;

/// How many bytes the head of an answer may have, and how many fields.
const HEAD_BYTES: usize = 32 * 1024;
const HEAD_FIELDS: usize = 100;

/// The longest wait that an endpoint can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// How attempts are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long an attempt may take, from looking up the name to the end of the answer.
    pub timeout: Duration,
    /// How many bytes of an answer's body are read; the rest is left.
    pub max_response_bytes: usize,
    /// Where attempts may go.
    pub policy: Policy,
    /// A file of authorities (PEM) that are trusted beside Mozilla's.
    pub extra_ca_file: Option<PathBuf>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// 2xx: delivered, whatever became of the answer's body.
    Accepted,
    /// 410: the endpoint wants nothing more.
    Gone,
    /// Not delivered, and worth another try.
    Retry {
        /// How long the endpoint asked us to wait (Retry-After of a 429 or a 503, at most 24 hours).
        after: Option<Duration>,
    },
    /// Nothing was sent: the endpoint is one that webhooks must not go to. Its name may lead elsewhere later.
    Refused,
}

/// One attempt, for the list of a delivery's attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// What became of it.
    pub outcome: Outcome,
    /// What went wrong, in our words, without addresses; empty if nothing did.
    pub error: String,
    /// The first 4 KiB of the answer's body, for the challenge of a verification.
    pub body_start: Vec<u8>,
    /// How long it took.
    pub duration: Duration,
}

/// Sends webhooks. Cheap to clone.
#[derive(Clone)]
pub struct Sender {
    options: Arc<Options>,
    tls: TlsConnector,
    resolver: Arc<dyn Resolve>,
}

impl Sender {
    /// A sender that asks the system for addresses.
    ///
    /// # Errors
    /// FIELD_INVALID, if the file of authorities cannot be used.
    pub fn new(options: Options) -> Result<Self> {
        // A name that is for use inside a network may need the domains that the system tries behind it.
        let resolver = System::new(options.policy.private.is_empty());
        Self::with_resolver(options, Arc::new(resolver))
    }

    /// A sender that asks `resolver`.
    ///
    /// # Errors
    /// FIELD_INVALID, if the file of authorities cannot be used.
    pub fn with_resolver(options: Options, resolver: Arc<dyn Resolve>) -> Result<Self> {
        let mut tls = crate::notify::tls::client(options.extra_ca_file.as_deref())
            .map_err(|text| Error::field("webhook.extra_ca_file", text))?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Session tickets would let endpoints that share a host tell our attempts for one from those for the other.
        tls.resumption = rustls::client::Resumption::disabled();
        Ok(Self { options: Arc::new(options), tls: Arc::new(tls).into(), resolver })
    }

    /// Where this sender's webhooks may go, for [`check_uri`] when a subscription is made.
    pub fn policy(&self) -> &Policy {
        &self.options.policy
    }

    /// Delivers `body`, an event in CloudEvents' JSON, once. `id` is the same in every attempt at the same event; `now` is
    /// the time of this one; `keys` are the secrets in force, the newest first; `traceparent` is a W3C trace context.
    pub async fn post(
        &self,
        uri: &str,
        id: &str,
        now: Timestamp,
        keys: &[Secret],
        body: &[u8],
        traceparent: Option<&str>,
    ) -> Attempt {
        let begun = Instant::now();
        let mut attempt = Attempt {
            status: None,
            outcome: Outcome::Refused,
            error: String::new(),
            body_start: Vec::new(),
            duration: Duration::ZERO,
        };
        match check_uri(uri, &self.options.policy) {
            Err(rule) => attempt.error = format!("uri {rule}"),
            Ok(url) => match headers(&url, id, now, keys, body, traceparent) {
                None => attempt.error = "the event's id cannot be a header".to_owned(),
                Some(headers) => {
                    let deadline = begun + self.options.timeout;
                    let exchange = self.exchange(&url, headers, body, now, deadline, &mut attempt);
                    if timeout_at(deadline, exchange).await.is_err() && attempt.status.is_none() {
                        let seconds = self.options.timeout.as_secs_f64();
                        attempt.fails(None, format!("no answer within {seconds} seconds"));
                    }
                }
            },
        }
        attempt.duration = begun.elapsed();
        attempt
    }

    /// Fills in the attempt as it goes on, so that whatever is known stays when its time is over.
    async fn exchange(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: &[u8],
        now: Timestamp,
        deadline: Instant,
        attempt: &mut Attempt,
    ) {
        let stream = match connect(url, self.resolver.as_ref(), &self.tls, &self.options.policy, deadline).await {
            Ok(stream) => stream,
            Err(Failure::Refused(text)) => return attempt.error = text,
            Err(Failure::Failed(text)) => return attempt.fails(None, text),
        };
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body)));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        match url[Position::BeforePath..Position::AfterQuery].parse() {
            Ok(target) => *request.uri_mut() = target,
            Err(_) => return attempt.error = "uri has a path that cannot be sent".to_owned(),
        }
        if let Err(error) = speak(stream, request, now, self.options.max_response_bytes, attempt).await
            && attempt.status.is_none()
        {
            tracing::debug!(%error, "a webhook had no answer");
            let text = if error.is_parse() || error.is_parse_too_large() {
                "the answer is not HTTP, or its head is too large"
            } else {
                "the connection ended before there was an answer"
            };
            attempt.fails(None, text.to_owned());
        }
    }
}

impl Attempt {
    fn fails(&mut self, after: Option<Duration>, text: String) {
        self.outcome = Outcome::Retry { after };
        self.error = text;
    }
}

/// Sends the request and reads the answer, as much of it as is wanted.
async fn speak(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    now: Timestamp,
    most: usize,
    attempt: &mut Attempt,
) -> hyper::Result<()> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_FIELDS)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        judge(&answer, now, attempt);
        keep(answer.into_body(), most, &mut attempt.body_start).await
    };
    let driver = async {
        // Whatever ends it, the exchange hears of it.
        let _ = connection.await;
        pending().await
    };
    tokio::select! {
        done = exchange => done,
        never = driver => never,
    }
}

/// What an answer's head says.
fn judge(answer: &Response<Incoming>, now: Timestamp, attempt: &mut Attempt) {
    let status = answer.status();
    attempt.status = Some(status.as_u16());
    match status.as_u16() {
        200..=299 => attempt.outcome = Outcome::Accepted,
        410 => {
            attempt.outcome = Outcome::Gone;
            attempt.error = "answered 410: the endpoint is gone".to_owned();
        }
        code @ 300..=399 => attempt.fails(None, format!("answered {code}: redirects are not followed")),
        code @ (429 | 503) => attempt.fails(retry_after(answer.headers(), now), format!("answered {code}")),
        code => attempt.fails(None, format!("answered {code}")),
    }
}

/// Reads at most `most` bytes of a body and keeps the first of them. What is not read is not waited for.
async fn keep(mut body: Incoming, most: usize, kept: &mut Vec<u8>) -> hyper::Result<()> {
    let mut left = most;
    while left > 0
        && let Some(frame) = body.frame().await
    {
        let Ok(data) = frame?.into_data() else { continue };
        let room = KEPT.min(most).saturating_sub(kept.len());
        kept.extend(data.iter().take(room));
        left = left.saturating_sub(data.len());
    }
    Ok(())
}

/// How long an endpoint asks us to wait: seconds or a date (RFC 9110 section 10.2.3), no longer than a day.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More than a u64 holds is more than a day.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let until = Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()?;
        Duration::try_from(until.duration_since(now)).ok()?
    };
    (!wait.is_zero()).then_some(wait.min(LONGEST_WAIT))
}

/// The headers of an attempt; none if the id cannot be one of them.
fn headers(
    url: &Url,
    id: &str,
    now: Timestamp,
    keys: &[Secret],
    body: &[u8],
    traceparent: Option<&str>,
) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let host = &url[Position::BeforeHost..Position::AfterPort];
    headers.insert(header::HOST, HeaderValue::from_str(host).ok()?);
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert("webhook-id", HeaderValue::from_str(id).ok()?);
    headers.insert("webhook-timestamp", HeaderValue::from(now.as_second()));
    headers.insert("webhook-signature", HeaderValue::from_str(&signatures(keys, id, now, body)).ok()?);
    if let Some(context) = traceparent.and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert("traceparent", context);
    }
    Some(headers)
}
