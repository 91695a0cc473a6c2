//! Webhooks against endpoints that behave, that misbehave, and that lie about where they are.

use std::{
    io,
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use subprocessor_registry::notify::webhook::{Attempt, Options, Outcome, Policy, Resolve, Secret, Sender, check_uri};

use self::endpoint::{Endpoint, Received, Script, answer};
use crate::authority::{Authority, Validity, self_signed};

pub mod endpoint;

const OK: &str = "200 OK";
const BODY: &[u8] = br#"{"specversion":"1.0","id":"evt-1"}"#;
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

/// A resolver that gives one answer after the other, then the last one again.
struct Scripted {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Scripted {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let read = |answer: &&[&str]| answer.iter().map(|text| text.parse().expect("an address")).collect();
        Arc::new(Self { answers: Mutex::new(answers.iter().map(read).collect()), asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tonic::async_trait]
impl Resolve for Scripted {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().expect("a lock");
        match answers.len() {
            0 => Err(io::Error::other("NXDOMAIN from 10.0.0.53")),
            1 => Ok(answers[0].clone()),
            _ => Ok(answers.remove(0)),
        }
    }
}

/// A sender for which 127.0.0.1 alone is as good as public, and every name leads there.
fn sender(timeout: Duration, ca: Option<PathBuf>) -> Sender {
    sender_by(timeout, ca, Scripted::new(&[&["127.0.0.1"]]))
}

fn sender_by(timeout: Duration, extra_ca_file: Option<PathBuf>, resolver: Arc<dyn Resolve>) -> Sender {
    let policy = Policy { allow_http: true, private: vec!["127.0.0.1/32".parse().expect("a network")] };
    Sender::with_resolver(Options { timeout, max_response_bytes: 65_536, policy, extra_ca_file }, resolver)
        .expect("a sender")
}

async fn post(sender: &Sender, uri: &str) -> Attempt {
    let key = Secret::generate().expect("random");
    sender.post(uri, "evt-1", Timestamp::now(), &[key], BODY, None).await
}

/// What becomes of a webhook to a plain endpoint that plays a script.
async fn met_with(script: Script, timeout: Duration) -> (Attempt, Vec<Received>) {
    let endpoint = Endpoint::listen("127.0.0.1:0", script, None).await;
    let begun = Instant::now();
    let attempt = post(&sender(timeout, None), &format!("http://{}/hook", endpoint.address)).await;
    assert!(begun.elapsed() < LONG, "it took {:?}", begun.elapsed());
    assert!(attempt.duration <= begun.elapsed());
    (attempt, endpoint.received())
}

fn retry(after: Option<u64>) -> Outcome {
    Outcome::Retry { after: after.map(Duration::from_secs) }
}

fn head(status: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_webhook_is_a_post_with_the_headers_of_the_standard() {
    let mut bytes = head(OK, 15);
    bytes.extend(b"challenge-12345");
    let endpoint = Endpoint::listen("127.0.0.1:0", Script::Answer(bytes), None).await;
    let now: Timestamp = "2026-03-24T12:00:00.9Z".parse().expect("a time");
    let uri = format!("http://Hooks.example.com:{}/in/a%20b?x=1&y", endpoint.address.port());
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let key = Secret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").expect("a secret");
    let attempt = sender(LONG, None).post(&uri, "evt-1", now, &[key], BODY, Some(trace)).await;
    assert_eq!((attempt.status, &attempt.outcome, attempt.error.as_str()), (Some(200), &Outcome::Accepted, ""));
    assert_eq!(attempt.body_start, b"challenge-12345");

    let received = endpoint.received();
    let [request] = received.as_slice() else { panic!("one request, not {received:?}") };
    assert_eq!(request.line, "POST /in/a%20b?x=1&y HTTP/1.1");
    assert_eq!(request.body, BODY);
    for (name, value) in [
        ("host", format!("hooks.example.com:{}", endpoint.address.port())),
        ("content-type", "application/cloudevents+json; charset=utf-8".to_owned()),
        ("user-agent", format!("subprocessor-registry/{}", env!("CARGO_PKG_VERSION"))),
        ("webhook-id", "evt-1".to_owned()),
        ("webhook-timestamp", "1774353600".to_owned()),
        ("traceparent", trace.to_owned()),
    ] {
        assert_eq!(request.headers[name], value, "{name}");
    }
    // No other: neither what could be tracked, nor what we could not read.
    let names = ["content-length", "content-type", "host", "traceparent", "user-agent", "webhook-id"];
    let others: Vec<_> =
        request.headers.keys().map(|name| name.as_str()).filter(|name| !names.contains(name)).collect();
    assert_eq!(others, ["webhook-timestamp", "webhook-signature"]);
}

#[tokio::test]
async fn every_key_signs_and_a_public_library_verifies_what_was_not_altered_and_is_not_stale() {
    let endpoint = Endpoint::listen("127.0.0.1:0", answer(OK, &[]), None).await;
    let uri = format!("http://{}/", endpoint.address);
    let (old, new) = (Secret::generate().expect("random"), Secret::generate().expect("random"));
    let other = Secret::generate().expect("random");
    let sender = sender(LONG, None);
    let verifier = |key: &Secret| standardwebhooks::Webhook::new(&key.reveal()).expect("a secret");

    let now = Timestamp::now();
    sender.post(&uri, "evt-1", now, &[new.clone(), old.clone()], BODY, None).await;
    sender.post(&uri, "evt-1", now, std::slice::from_ref(&new), BODY, None).await;
    for minutes in [-6, 6] {
        let then = now + jiff::SignedDuration::from_mins(minutes);
        sender.post(&uri, "evt-1", then, std::slice::from_ref(&new), BODY, None).await;
    }
    let [both, one, stale, early] = endpoint.received().try_into().expect("four requests");

    assert!(verifier(&old).verify(&both.body, &both.headers).is_ok());
    assert!(verifier(&new).verify(&both.body, &both.headers).is_ok());
    assert!(verifier(&other).verify(&both.body, &both.headers).is_err());
    assert!(verifier(&new).verify(&one.body, &one.headers).is_ok());
    assert!(verifier(&old).verify(&one.body, &one.headers).is_err(), "a key that is out of use does not sign");
    assert!(verifier(&new).verify(&stale.body, &stale.headers).is_err());
    assert!(verifier(&new).verify(&early.body, &early.headers).is_err());

    assert!(verifier(&new).verify(br#"{"specversion":"1.0","id":"evt-2"}"#, &one.headers).is_err());
    for (name, value) in
        [("webhook-id", "evt-2"), ("webhook-timestamp", "1774353600"), ("webhook-signature", "v1,AAAA")]
    {
        let mut headers = one.headers.clone();
        headers.insert(name, value.parse().expect("a value"));
        assert!(verifier(&new).verify(&one.body, &headers).is_err(), "{name}");
    }
}

#[tokio::test]
async fn only_2xx_is_delivered_and_410_ends_it() {
    for (status, outcome, error) in [
        ("200 OK", Outcome::Accepted, ""),
        ("202 Accepted", Outcome::Accepted, ""),
        ("204 No Content", Outcome::Accepted, ""),
        ("299 Odd", Outcome::Accepted, ""),
        ("300 Multiple Choices", retry(None), "answered 300: redirects are not followed"),
        ("304 Not Modified", retry(None), "answered 304: redirects are not followed"),
        ("400 Bad Request", retry(None), "answered 400"),
        ("401 Unauthorized", retry(None), "answered 401"),
        ("404 Not Found", retry(None), "answered 404"),
        ("410 Gone", Outcome::Gone, "answered 410: the endpoint is gone"),
        ("429 Too Many Requests", retry(None), "answered 429"),
        ("500 Internal Server Error", retry(None), "answered 500"),
        ("503 Service Unavailable", retry(None), "answered 503"),
        ("999 Odd", retry(None), "answered 999"),
    ] {
        let (attempt, received) = met_with(answer(status, &[]), LONG).await;
        assert_eq!((attempt.outcome, attempt.error.as_str()), (outcome, error), "{status}");
        assert_eq!(attempt.status, status[..3].parse().ok(), "{status}");
        assert_eq!(received.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn retry_after_is_honoured_up_to_a_day() {
    let at = |wait: jiff::SignedDuration| {
        let zoned = (Timestamp::now() + wait).to_zoned(jiff::tz::TimeZone::UTC);
        jiff::fmt::rfc2822::to_string(&zoned).expect("a date").replace("+0000", "GMT")
    };
    let (hour, week) = (jiff::SignedDuration::from_hours(1), jiff::SignedDuration::from_hours(168));
    for (status, value, least, most) in [
        ("429 Too Many Requests", "120".to_owned(), 120, 120),
        ("503 Service Unavailable", "120".to_owned(), 120, 120),
        ("429 Too Many Requests", "9999999".to_owned(), 86_400, 86_400),
        ("429 Too Many Requests", "99999999999999999999999999".to_owned(), 86_400, 86_400),
        ("429 Too Many Requests", at(hour), 3_500, 3_600),
        ("503 Service Unavailable", at(week), 86_400, 86_400),
    ] {
        let (attempt, _) = met_with(answer(status, &[&format!("Retry-After: {value}")]), LONG).await;
        let Outcome::Retry { after: Some(after) } = attempt.outcome else { panic!("{value}: {attempt:?}") };
        assert!((least..=most).contains(&after.as_secs()), "{value}: {after:?}");
    }
    for (status, value) in [
        ("500 Internal Server Error", "120".to_owned()),
        ("429 Too Many Requests", "0".to_owned()),
        ("429 Too Many Requests", "-5".to_owned()),
        ("429 Too Many Requests", "soon".to_owned()),
        ("429 Too Many Requests", "1e3".to_owned()),
        ("429 Too Many Requests", String::new()),
        ("429 Too Many Requests", at(-hour)),
    ] {
        let (attempt, _) = met_with(answer(status, &[&format!("Retry-After: {value}")]), LONG).await;
        assert_eq!(attempt.outcome, retry(None), "{status} {value}");
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_wherever_it_leads() {
    let inside = Endpoint::listen("127.0.0.1:0", answer(OK, &[]), None).await;
    for status in ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent"] {
        for target in [format!("http://{}/", inside.address), "http://169.254.169.254/latest/meta-data/".to_owned()] {
            let (attempt, _) = met_with(answer(status, &[&format!("Location: {target}")]), LONG).await;
            assert_eq!(attempt.outcome, retry(None), "{status}");
            assert!(attempt.error.contains("redirects are not followed"), "{}", attempt.error);
        }
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_in_time_is_left() {
    for script in [
        Script::Ignore,
        Script::Hang(Vec::new()),
        Script::Hang(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        Script::Drip(Vec::new()),
        Script::Drip(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
        Script::Drip(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
    ] {
        let (attempt, _) = met_with(script.clone(), SHORT).await;
        assert_eq!((attempt.status, attempt.outcome), (None, retry(None)), "{script:?}");
        let timed_out = attempt.error == "no answer within 0.3 seconds";
        // A drip after a whole head is soon no HTTP any more.
        assert!(timed_out || attempt.error.contains("not HTTP"), "{script:?}: {}", attempt.error);
    }
}

#[tokio::test]
async fn once_there_is_a_status_it_decides_whatever_becomes_of_the_body() {
    for body in [Script::Hang, Script::Drip, Script::Flood, Script::Answer] {
        for (status, outcome) in [(OK, Outcome::Accepted), ("500 Internal Server Error", retry(None))] {
            let script = body(head(status, 10 * 1024 * 1024));
            let (attempt, _) = met_with(script.clone(), SHORT).await;
            assert_eq!(attempt.outcome, outcome, "{script:?}");
            assert!(attempt.body_start.len() <= 4096);
        }
    }
    // As much as is kept, and no more; the rest of 10 MiB is not waited for.
    let (attempt, _) = met_with(Script::Flood(head(OK, 10 * 1024 * 1024)), LONG).await;
    assert_eq!((attempt.outcome, attempt.body_start.len()), (Outcome::Accepted, 4096));
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n".to_vec();
    let (attempt, _) = met_with(Script::Flood(chunked), LONG).await;
    assert_eq!((attempt.outcome, attempt.body_start.len()), (Outcome::Accepted, 4096));
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure() {
    let field = format!("x: {}\r\n", "y".repeat(100_000));
    let fields = "x: y\r\n".repeat(200);
    for script in [
        Script::Close,
        Script::Answer(Vec::new()),
        Script::Answer(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        Script::Answer(b"\x16\x03\x01\x02\x00\x01\x00".to_vec()),
        Script::Answer(b"220 mail.example.com ESMTP\r\n".to_vec()),
        Script::Answer(b"+OK\r\n".to_vec()),
        Script::Answer(b"HTTP/2.0 200 OK\r\n\r\n".to_vec()),
        Script::Answer(format!("HTTP/1.1 200 OK\r\n{field}\r\n").into_bytes()),
        Script::Answer(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes()),
        Script::Flood(Vec::new()),
        Script::Flood(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
    ] {
        let (attempt, _) = met_with(script.clone(), LONG).await;
        assert_eq!((attempt.status, attempt.outcome), (None, retry(None)), "{script:?}");
        assert!(!attempt.error.is_empty() && attempt.error.len() < 100, "{script:?}: {}", attempt.error);
    }
}

#[tokio::test]
async fn certificates_must_be_valid_for_the_name_today() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let name = "hooks.example.com";
    for (pair, host, error) in [
        (authority.issue(&[name], Validity::Now), name, ""),
        (authority.issue(&["*.example.com"], Validity::Now), name, ""),
        (authority.issue(&["127.0.0.1"], Validity::Now), "127.0.0.1", ""),
        (authority.issue(&[name], Validity::Past), name, "its certificate has expired"),
        (authority.issue(&[name], Validity::Future), name, "its certificate is not valid yet"),
        (authority.issue(&["other.example.com"], Validity::Now), name, "its certificate is for another host"),
        (authority.issue(&[name], Validity::Now), "127.0.0.1", "its certificate is for another host"),
        (stranger.issue(&[name], Validity::Now), name, "its certificate is not from an authority that we trust"),
        (self_signed(&[name]), name, "its certificate is not from an authority that we trust"),
    ] {
        let endpoint = Endpoint::listen("127.0.0.1:0", answer(OK, &[]), Some(pair.server())).await;
        let uri = format!("https://{host}:{}/", endpoint.address.port());
        let attempt = post(&sender(LONG, Some(authority.file())), &uri).await;
        assert_eq!(attempt.error, error, "{host}");
        let outcome = if error.is_empty() { Outcome::Accepted } else { retry(None) };
        assert_eq!(attempt.outcome, outcome, "{host} {error}");
        assert_eq!(endpoint.received().len(), usize::from(error.is_empty()), "nothing is sent to who is not known");
    }
    // Something that is no TLS, and something that ends it.
    for script in [Script::Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), Script::Close] {
        let endpoint = Endpoint::listen("127.0.0.1:0", script, None).await;
        let uri = format!("https://127.0.0.1:{}/", endpoint.address.port());
        let attempt = post(&sender(SHORT, Some(authority.file())), &uri).await;
        assert_eq!((attempt.status, attempt.outcome), (None, retry(None)));
        assert!(!attempt.error.contains("127.0.0.1"), "{}", attempt.error);
    }
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_asked_once_and_checked_at_every_attempt() {
    let public = Endpoint::listen("127.0.0.1:0", answer(OK, &[]), None).await;
    let port = public.address.port();
    // What stands for the inside listens on the same port of another address.
    let inside = Endpoint::listen(&format!("127.0.0.2:{port}"), answer(OK, &[]), None).await;
    let uri = format!("http://rebound.example.com:{port}/");

    let resolver = Scripted::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let sender = sender_by(LONG, None, resolver.clone());
    let first = post(&sender, &uri).await;
    assert_eq!((first.outcome, resolver.asked()), (Outcome::Accepted, 1));
    let second = post(&sender, &uri).await;
    assert_eq!((second.outcome, resolver.asked()), (Outcome::Refused, 2));
    assert_eq!(second.error, "its host leads to an address that is not public");

    for mixed in [&["127.0.0.1", "127.0.0.2"][..], &["127.0.0.2", "127.0.0.1"], &["127.0.0.1", "::ffff:127.0.0.2"]] {
        let sender = sender_by(LONG, None, Scripted::new(&[mixed]));
        assert_eq!(post(&sender, &uri).await.outcome, Outcome::Refused, "{mixed:?}");
    }
    assert_eq!((public.connections(), inside.connections()), (1, 0));
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_and_nothing_is_sent() {
    for address in ["10.0.0.1", "169.254.169.254", "127.0.0.2", "::1", "fd00:ec2::254", "64:ff9b::a9fe:a9fe", "0.0.0.0"]
    {
        let sender = sender_by(LONG, None, Scripted::new(&[&[address]]));
        let attempt = post(&sender, "https://hooks.example.com/").await;
        assert_eq!((attempt.status, attempt.outcome), (None, Outcome::Refused), "{address}");
        assert!(!attempt.error.contains(address), "{}", attempt.error);
    }
    let attempt = post(&sender(LONG, None), "https://169.254.169.254/latest/meta-data/").await;
    assert_eq!(attempt.outcome, Outcome::Refused);
}

#[tokio::test]
async fn a_name_without_an_address_is_tried_again() {
    for (resolver, error) in
        [(Scripted::new(&[]), "its name could not be resolved"), (Scripted::new(&[&[]]), "its name has no address")]
    {
        let attempt = post(&sender_by(LONG, None, resolver), "https://hooks.example.com/").await;
        assert_eq!((attempt.outcome, attempt.error.as_str()), (retry(None), error));
    }
}

#[tokio::test]
async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
    let endpoint = Endpoint::listen("127.0.0.1:0", answer(OK, &[]), None).await;
    let port = endpoint.address.port();
    let policy = Policy { allow_http: true, private: vec!["127.0.0.0/8".parse().expect("a network")] };
    let options = Options { timeout: LONG, max_response_bytes: 1024, policy, extra_ca_file: None };
    // Nobody listens on the first.
    let resolver = Scripted::new(&[&["127.0.0.9", "127.0.0.1"]]);
    let sender = Sender::with_resolver(options, resolver).expect("a sender");
    let attempt = post(&sender, &format!("http://hooks.example.com:{port}/")).await;
    assert_eq!(attempt.outcome, Outcome::Accepted, "{}", attempt.error);
}

#[tokio::test]
async fn the_systems_resolver_finds_this_machine_and_the_guard_knows_it() {
    let options = |private: &[&str]| Options {
        timeout: LONG,
        max_response_bytes: 1024,
        policy: Policy {
            allow_http: true,
            private: private.iter().map(|text| text.parse().expect("a network")).collect(),
        },
        extra_ca_file: None,
    };
    let endpoint = Endpoint::listen("127.0.0.1:0", answer(OK, &[]), None).await;
    let uri = format!("http://localhost:{}/", endpoint.address.port());
    let open = Sender::new(options(&["127.0.0.0/8", "::1/128"])).expect("a sender");
    assert_eq!(post(&open, &uri).await.outcome, Outcome::Accepted);
    let elsewhere = Sender::new(options(&["10.0.0.0/8"])).expect("a sender");
    assert_eq!(post(&elsewhere, &uri).await.outcome, Outcome::Refused);
    let closed = Sender::new(options(&[])).expect("a sender");
    assert!(check_uri(&uri, closed.policy()).is_err());
    assert_eq!(post(&closed, &uri).await.outcome, Outcome::Refused);
    assert_eq!(endpoint.connections(), 1);
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_stops_the_start() {
    let place = tempfile::tempdir().expect("a directory");
    let empty = place.path().join("empty.pem");
    std::fs::write(&empty, "no certificate\n").expect("written");
    for (file, says) in [(empty, "has no certificate"), (PathBuf::from("/nowhere/ca.pem"), "/nowhere/ca.pem")] {
        let options =
            Options { timeout: LONG, max_response_bytes: 1024, policy: Policy::default(), extra_ca_file: Some(file) };
        let error = Sender::new(options).err().expect("refused").to_string();
        assert!(error.contains("webhook.extra_ca_file") && error.contains(says), "{error}");
    }
}
