use std::{
    io::{Read, Write},
    time::Instant,
};

use http_body_util::BodyExt;
use prost::Message;
use support::{APPLY, HANG, LIMIT, Running, SCHEMA, WATCH, frame};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};
use tonic_types::StatusExt;

use super::*;
use crate::config::{Flags, Settings};
use crate::error::code_name;
use crate::proto::v1::{
    ApplyManifestRequest, ExportManifestRequest, GetManifestSchemaRequest, GetManifestSchemaResponse,
    GetRevisionRequest, WatchChangesRequest,
};

mod support;

fn apply(manifest: impl Into<String>) -> ApplyManifestRequest {
    ApplyManifestRequest { manifest: manifest.into(), ..Default::default() }
}

fn watch(kind: &str) -> WatchChangesRequest {
    WatchChangesRequest { parent: kind.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn handlers_learn_the_principal_while_listening_on_loopback() {
    let server = Running::start().await;
    let mut client = server.connect().await;
    for (headers, principal) in [(vec![], "anonymous"), (vec![("x-principal", "ops")], "ops")] {
        let answer = client.call(SCHEMA, &headers, &GetManifestSchemaRequest {}).await;
        assert_eq!(answer.code(), "OK");
        assert_eq!(answer.message::<GetManifestSchemaResponse>().json_schema, principal);
    }
    let answer = client.call(SCHEMA, &[("x-principal", "a b")], &GetManifestSchemaRequest {}).await;
    assert_eq!((answer.code().as_str(), answer.reason().as_str()), ("UNAUTHENTICATED", "PRINCIPAL_INVALID"));

    let exposed = Running::with(|settings| settings.listen = "0.0.0.0:0".parse().expect("an address")).await;
    let answer = exposed.connect().await.call(SCHEMA, &[("x-principal", "ops")], &GetManifestSchemaRequest {}).await;
    assert_eq!(answer.message::<GetManifestSchemaResponse>().json_schema, "anonymous");
}

#[tokio::test]
async fn what_does_not_exist_is_unimplemented_for_grpc_and_not_found_for_the_rest() {
    let server = Running::start().await;
    let mut client = server.connect().await;
    for path in [
        "/subprocessor.registry.v1.RegistryService/Nothing",
        "/subprocessor.registry.v1.RegistryService/",
        "/subprocessor.registry.v1.NothingService/Get",
        "/nothing",
        "/",
    ] {
        let answer = client.call(path, &[], &GetManifestSchemaRequest {}).await;
        assert_eq!((answer.http, answer.code().as_str()), (200, "UNIMPLEMENTED"), "{path}");
        assert_eq!(answer.reason(), "NOT_SUPPORTED", "{path}");
    }
    let answer = client.raw("/nothing", &[("content-type", "text/html")], Vec::new()).await;
    assert_eq!((answer.http, answer.data.starts_with(b"<!doctype html>")), (404, true));
    let answer = client.raw(SCHEMA, &[("content-type", "application/json")], b"{}".to_vec()).await;
    assert_eq!(answer.http, 415);
}

#[tokio::test]
async fn a_unary_call_past_its_deadline_answers_so_and_is_dropped() {
    let server = Running::start().await;
    let mut client = server.connect().await;
    let begun = Instant::now();
    let answer = client.call(HANG, &[("grpc-timeout", "100m")], &ExportManifestRequest::default()).await;
    assert_eq!((answer.code().as_str(), answer.reason().as_str()), ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"));
    assert!(begun.elapsed() >= Duration::from_millis(100), "not before: {:?}", begun.elapsed());
    server.idle().await;

    let answer = client.call(SCHEMA, &[("grpc-timeout", "5S")], &GetManifestSchemaRequest {}).await;
    assert_eq!(answer.code(), "OK");
    let answer = client.call(SCHEMA, &[("grpc-timeout", "0n")], &GetManifestSchemaRequest {}).await;
    assert_eq!(answer.code(), "DEADLINE_EXCEEDED");
    let answer = client.call(SCHEMA, &[("grpc-timeout", "soon")], &GetManifestSchemaRequest {}).await;
    assert_eq!((answer.code().as_str(), answer.reason().as_str()), ("INVALID_ARGUMENT", "FIELD_INVALID"));
}

#[tokio::test]
async fn a_stream_past_its_deadline_is_ended_whether_it_is_quiet_or_not() {
    let server = Running::start().await;
    let mut client = server.connect().await;
    for kind in ["quiet", "flood"] {
        let answer = client.call(WATCH, &[("grpc-timeout", "200m")], &watch(kind)).await;
        assert_eq!(answer.code(), "DEADLINE_EXCEEDED", "{kind}");
        assert_eq!(answer.reason(), "DEADLINE_EXCEEDED", "{kind}");
        assert_eq!(answer.data.is_empty(), kind == "quiet");
        server.idle().await;
    }
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_reset_soon_after_its_deadline() {
    let server = Running::start().await;
    let mut client = server.connect().await;
    let unread = client.open(WATCH, &[("grpc-timeout", "200m")], frame(0, &watch("flood").encode_to_vec())).await;
    let unread = unread.expect("headers");
    // The handler's stream is dropped.
    server.idle().await;
    let ended = unread.into_body().collect().await;
    assert!(ended.is_err(), "the reader sees a reset, not an end");
    // The connection and its other calls live on.
    assert_eq!(client.call(SCHEMA, &[], &GetManifestSchemaRequest {}).await.code(), "OK");
}

#[tokio::test]
async fn a_handler_can_reset_its_stream() {
    let server = Running::start().await;
    let mut client = server.connect().await;
    let response = client.open(WATCH, &[], frame(0, &watch("reset").encode_to_vec())).await.expect("headers");
    assert!(response.into_body().collect().await.is_err());
    server.idle().await;
    assert_eq!(client.call(SCHEMA, &[], &GetManifestSchemaRequest {}).await.code(), "OK");
}

#[tokio::test]
async fn requests_too_large_or_not_decodable_are_refused_with_our_reasons() {
    let server = Running::start().await;
    let mut client = server.connect().await;
    let answer = client.call(APPLY, &[], &apply("x".repeat(LIMIT))).await;
    assert_eq!((answer.code().as_str(), answer.reason().as_str()), ("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE"));

    // `gzip -9` of 100,000 times `x`, framed as compressed: small on the wire, large when unpacked.
    let bomb = gzip(&apply("x".repeat(100_000)).encode_to_vec());
    assert!(bomb.len() < LIMIT);
    let answer = client.raw(APPLY, &[("grpc-encoding", "gzip")], frame(1, &bomb)).await;
    assert_eq!((answer.code().as_str(), answer.reason().as_str()), ("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE"));

    // Not UTF-8; not protobuf; no message; a flag that does not exist; cut short.
    for body in [
        frame(0, b"\x0a\x02\xff\xfe"),
        frame(0, b"\xff\xff\xff"),
        vec![],
        frame(7, b""),
        frame(0, b"\x0a\x02ab")[..6].to_vec(),
    ] {
        let answer = client.raw(APPLY, &[], body.clone()).await;
        assert_eq!(
            (answer.code().as_str(), answer.reason().as_str()),
            ("INVALID_ARGUMENT", "FIELD_INVALID"),
            "{body:?}"
        );
    }
    let answer = client.raw(APPLY, &[("grpc-encoding", "br")], frame(1, b"x")).await;
    assert_eq!((answer.code().as_str(), answer.reason().as_str()), ("UNIMPLEMENTED", "NOT_SUPPORTED"));
    // A handler's own error is left alone.
    let path = "/subprocessor.registry.v1.ChangeLogService/GetRevision";
    let answer = client.call(path, &[], &GetRevisionRequest::default()).await;
    assert_eq!((answer.code().as_str(), answer.reason().as_str()), ("NOT_FOUND", "RESOURCE_NOT_FOUND"));
}

/// Compresses by the tool that every machine has.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::process::{Command, Stdio};
    let mut tool =
        Command::new("gzip").arg("-9").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip runs");
    tool.stdin.take().expect("its input").write_all(bytes).expect("written");
    tool.wait_with_output().expect("its output").stdout
}

/// One HTTP/1.1 exchange.
async fn http1(server: &Running, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.expect("connected");
    let head = format!("{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(body).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("answered");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn browsers_are_served_over_http1() {
    let server = Running::start().await;
    let web = "content-type: application/grpc-web+proto\r\nx-principal: browser";
    let answer = http1(&server, &format!("POST {SCHEMA} HTTP/1.1\r\n{web}"), &frame(0, b"")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("browser") && answer.contains("grpc-status:0"), "{answer}");
    let answer = http1(&server, &format!("POST {APPLY} HTTP/1.1\r\n{web}"), &frame(0, &[b'x'; LIMIT + 1])).await;
    assert!(answer.contains("grpc-status: 8"), "{answer}");
    let answer = http1(&server, &format!("POST /nothing HTTP/1.1\r\n{web}"), &frame(0, b"")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("grpc-status: 12"), "{answer}");
    assert!(http1(&server, "GET / HTTP/1.1", b"").await.starts_with("HTTP/1.1 404 Not Found\r\n"));
}

#[tokio::test]
async fn pages_from_elsewhere_may_not_call_a_server_that_trusts_its_callers() {
    let server = Running::start().await;
    let ask = |origin: &str| {
        format!("POST {SCHEMA} HTTP/1.1\r\ncontent-type: application/grpc-web+proto\r\norigin: {origin}")
    };
    for origin in ["http://127.0.0.1:8080", "http://localhost", "https://app.localhost:3000", "http://[::1]:1"] {
        let answer = http1(&server, &ask(origin), &frame(0, b"")).await;
        assert!(answer.contains("grpc-status:0"), "{origin}: {answer}");
    }
    for origin in
        ["http://evil.example:50051", "null", "http://127.0.0.1.evil.example", "http://localhost.evil.example"]
    {
        let answer = http1(&server, &ask(origin), &frame(0, b"")).await;
        assert!(answer.contains("grpc-status: 7") && answer.contains("remove"), "{origin}: {answer}");
    }
    let twice = format!("{}\r\norigin: http://evil.example", ask("http://localhost"));
    assert!(http1(&server, &twice, &frame(0, b"")).await.contains("grpc-status: 7"));
}

async fn health(server: &Running) -> HealthClient<tonic::transport::Channel> {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", server.address)).expect("a URL");
    HealthClient::new(endpoint.connect().await.expect("connected"))
}

#[tokio::test]
async fn health_answers_for_each_service_and_the_whole() {
    let server = Running::start().await;
    let mut probe = health(&server).await;
    let names = [health::LIVENESS, health::READINESS, ""].map(str::to_owned);
    for service in served_services().chain(names) {
        let answer = probe.check(HealthCheckRequest { service: service.clone() }).await.expect("known");
        assert_eq!(answer.into_inner().status, 1, "{service}");
    }
    let unknown = probe.check(HealthCheckRequest { service: "nothing".to_owned() }).await.expect_err("unknown");
    assert_eq!(code_name(unknown.code()), "NOT_FOUND");
}

#[tokio::test]
async fn reflection_answers_in_both_versions() {
    use tonic_reflection::pb::{v1, v1alpha};
    let server = Running::start().await;
    let mut client = server.connect().await;
    let list = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(String::new())),
    };
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let answer = client.call(&path, &[], &list).await;
        assert_eq!(answer.code(), "OK", "{version}");
        // Both versions have the same messages under another name.
        let message: v1alpha::ServerReflectionResponse = answer.message();
        let services = format!("{message:?}");
        for service in served_services() {
            assert!(services.contains(&service), "{version}: {service}");
        }
    }
}

#[tokio::test]
async fn stopping_says_so_ends_streams_and_lets_calls_finish() {
    // If it had to cut anything, it would not end today.
    let mut server = Running::with(|settings| settings.drain_seconds = 3600).await;
    let mut probe = health(&server).await;
    let mut statuses = probe.watch(HealthCheckRequest { service: String::new() }).await.expect("a stream").into_inner();
    assert_eq!(statuses.message().await.expect("a status").map(|s: HealthCheckResponse| s.status), Some(1));
    let mut client = server.connect().await;
    let calls = {
        let (mut slow, mut polite) = (client.clone(), client.clone());
        (
            tokio::spawn(async move { slow.call(APPLY, &[], &apply("")).await }),
            tokio::spawn(async move { polite.call(WATCH, &[], &watch("polite")).await }),
        )
    };
    server.odd.until(2).await;
    // Who says nothing is not waited for; who was let in by the system a moment before is answered.
    let _silent = TcpStream::connect(server.address).await.expect("connected");
    let mut late = std::net::TcpStream::connect(server.address).expect("connected");
    late.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");

    server.stop();
    assert_eq!(statuses.message().await.expect("a status").map(|s| s.status), Some(2), "NOT_SERVING");
    let ended = statuses.message().await.expect_err("the health stream ends with the server");
    assert_eq!(code_name(ended.code()), "UNAVAILABLE");
    let streamed = calls.1.await.expect("answered");
    assert_eq!((streamed.code().as_str(), streamed.metadata("revision").as_deref()), ("UNAVAILABLE", Some("7")));
    server.odd.finish.cancel();
    assert_eq!(calls.0.await.expect("answered").code(), "OK");
    server.done.await.expect("no panic").expect("stopped");
    let mut answer = String::new();
    late.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    assert!(client.open(SCHEMA, &[], frame(0, b"")).await.is_err());
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn with_a_delay_it_first_says_so_and_answers_all_the_same() {
    let mut server = Running::with(|settings| settings.stop_delay_seconds = 2).await;
    let mut probe = health(&server).await;
    let ask = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let mut statuses = probe.watch(ask(health::READINESS)).await.expect("a stream").into_inner();
    assert_eq!(statuses.message().await.expect("a status").map(|s| s.status), Some(1));
    let begun = Instant::now();
    server.stop();
    assert_eq!(statuses.message().await.expect("a status").map(|s| s.status), Some(2), "NOT_SERVING");
    let alive = probe.check(ask(health::LIVENESS)).await.expect("answered").into_inner().status;
    let answer = server.connect().await.call(SCHEMA, &[], &GetManifestSchemaRequest {}).await;
    assert_eq!((alive, answer.code().as_str()), (1, "OK"));
    server.done.await.expect("no panic").expect("stopped");
    assert!(begun.elapsed() >= Duration::from_secs(2), "not before: {:?}", begun.elapsed());
}

#[tokio::test]
async fn an_old_connection_takes_no_more_calls_and_those_in_progress_finish() {
    let server = Running::with(|settings| settings.max_connection_age_seconds = 1).await;
    let begun = Instant::now();
    let mut client = server.connect().await;
    let mut slow = client.clone();
    let slow = tokio::spawn(async move { slow.call(APPLY, &[], &apply("")).await });
    // Calls are answered until the connection takes none.
    while let Ok(response) = client.open(SCHEMA, &[], frame(0, b"")).await {
        let trailers = response.into_body().collect().await.expect("a body").trailers().cloned().expect("trailers");
        assert_eq!(trailers["grpc-status"], "0");
    }
    assert!(begun.elapsed() >= Duration::from_millis(900), "not before: {:?}", begun.elapsed());
    server.odd.finish.cancel();
    assert_eq!(slow.await.expect("answered").code(), "OK");
    let answer = server.connect().await.call(SCHEMA, &[], &GetManifestSchemaRequest {}).await;
    assert_eq!(answer.code(), "OK", "another connection is as good as the first was");
}

#[tokio::test]
async fn streams_of_an_old_connection_say_where_to_resume_and_the_rest_is_cut() {
    let server = Running::with(|settings| {
        (settings.max_connection_age_seconds, settings.max_connection_age_grace_seconds) = (1, 1);
    })
    .await;
    let begun = Instant::now();
    let mut client = server.connect().await;
    let mut polite = client.clone();
    let polite = tokio::spawn(async move { polite.call(WATCH, &[], &watch("polite")).await });
    let unread = client.open(WATCH, &[], frame(0, &watch("flood").encode_to_vec())).await.expect("headers");
    let mut hanging = client.clone();
    let hanging = tokio::spawn(async move {
        hanging.open(HANG, &[], frame(0, &ExportManifestRequest::default().encode_to_vec())).await.is_err()
    });
    let mut probe = health(&server).await;
    let mut statuses = probe.watch(HealthCheckRequest::default()).await.expect("a stream").into_inner();
    assert_eq!(statuses.message().await.expect("a status").map(|s| s.status), Some(1));
    let streamed = polite.await.expect("answered");
    assert_eq!((streamed.code().as_str(), streamed.metadata("revision").as_deref()), ("UNAVAILABLE", Some("7")));
    let ended = statuses.message().await.expect_err("the stream of health says so too");
    assert!(ended.get_error_details().error_info().is_some(), "{ended:?}");
    assert!(begun.elapsed() >= Duration::from_millis(1900), "not before: {:?}", begun.elapsed());
    assert!(hanging.await.expect("no panic"), "the call is broken off");
    assert!(unread.into_body().collect().await.is_err());
    server.idle().await;
}

#[tokio::test]
async fn a_server_whose_companion_ends_by_itself_stops_and_says_so() {
    let settings = {
        let mut settings = Settings::load(&Flags::default(), &Default::default()).expect("defaults").server;
        settings.listen = "127.0.0.1:0".parse().expect("an address");
        settings.drain_seconds = 0;
        settings
    };
    let panics = tokio::spawn(async { panic!("a companion that fails") });
    let server = Server::bind(&settings, Routes::default(), CancellationToken::new()).await.expect("bound");
    let server = server.with(vec![tokio::spawn(std::future::pending()), panics]);
    // The one that goes on is waited for no longer than calls are.
    let error = timeout(Duration::from_secs(60), server.run(std::future::pending())).await;
    assert_eq!(error.expect("stopped").expect_err("refused").reason(), Reason::Internal);
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut() {
    let mut server = Running::with(|settings| settings.drain_seconds = 1).await;
    let mut client = server.connect().await;
    let mut hanging = client.clone();
    let hanging = tokio::spawn(async move {
        hanging.open(HANG, &[], frame(0, &ExportManifestRequest::default().encode_to_vec())).await.is_err()
    });
    let unread = client.open(WATCH, &[], frame(0, &watch("flood").encode_to_vec())).await.expect("headers");
    server.odd.until(2).await;
    let begun = Instant::now();
    server.stop();
    assert!(hanging.await.expect("no panic"), "the call is broken off");
    assert!(begun.elapsed() >= Duration::from_secs(1), "not before: {:?}", begun.elapsed());
    assert!(unread.into_body().collect().await.is_err());
    let odd = server.odd.clone();
    server.done.await.expect("no panic").expect("stopped");
    odd.until(0).await;
}

/// Keeps the spans that would be exported.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<tokio::sync::watch::Sender<Vec<opentelemetry_sdk::trace::SpanData>>>);

impl opentelemetry_sdk::trace::SpanExporter for Kept {
    async fn export(&self, batch: Vec<opentelemetry_sdk::trace::SpanData>) -> opentelemetry_sdk::error::OTelSdkResult {
        self.0.send_modify(|kept| kept.extend(batch));
        Ok(())
    }
}

#[tokio::test]
async fn calls_are_traced_by_the_conventions_and_within_the_callers_trace() {
    use opentelemetry::trace::{SpanKind, Status, TracerProvider as _};
    use tracing_subscriber::{Layer, filter::filter_fn, layer::SubscriberExt};

    let kept = Kept::default();
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder()
        .with_simple_exporter(kept.clone())
        .with_sampler(crate::trace::record(1.0))
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("test"))
        .with_filter(filter_fn(crate::telemetry::is_ours));
    // With one subscriber in the process, the first thread to reach a span decides for all whether anybody wants it, and
    // that may be another test's, which has none. With a second one all are asked.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    // The test's runtime has this one thread only, so the server's tasks see it too.
    let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    let server = Running::start().await;
    let mut client = server.connect().await;
    let trace = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("x-principal", "ops")];
    client.call(SCHEMA, &trace, &GetManifestSchemaRequest {}).await;
    client.call(HANG, &[("grpc-timeout", "10m")], &ExportManifestRequest::default()).await;
    client.call(WATCH, &[("grpc-timeout", "10m")], &watch("quiet")).await;
    client.call("/subprocessor.registry.v1.RegistryService/Nothing", &[], &GetManifestSchemaRequest {}).await;
    client.call(SCHEMA, &[("x-principal", "a b")], &GetManifestSchemaRequest {}).await;
    // A span ends when its answer has been let go of, which is a moment after it arrived.
    let mut arriving = kept.0.subscribe();
    let mut spans = arriving.wait_for(|spans| spans.len() >= 5).await.expect("the exporter is there").clone();
    spans.sort_by_key(|span| span.start_time);
    let attribute = |span: &opentelemetry_sdk::trace::SpanData, key: &str| {
        span.attributes.iter().find(|a| a.key.as_str() == key).map(|a| a.value.to_string()).unwrap_or_default()
    };
    let seen: Vec<_> = spans
        .iter()
        .map(|span| {
            assert_eq!(span.span_kind, SpanKind::Server);
            assert_eq!(attribute(span, "rpc.system.name"), "grpc");
            assert_eq!(attribute(span, "rpc.method"), span.name);
            assert_eq!(attribute(span, "client.address"), "127.0.0.1");
            let failed = matches!(span.status, Status::Error { .. });
            (span.name.rsplit('/').next().unwrap_or_default(), attribute(span, "rpc.response.status_code"), failed)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("GetManifestSchema", "OK".to_owned(), false),
            ("ExportManifest", "DEADLINE_EXCEEDED".to_owned(), true),
            ("WatchChanges", "DEADLINE_EXCEEDED".to_owned(), true),
            ("_OTHER", "UNIMPLEMENTED".to_owned(), true),
            ("GetManifestSchema", "UNAUTHENTICATED".to_owned(), false),
        ]
    );
    assert_eq!(spans[0].span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(spans[0].parent_span_id.to_string(), "b7ad6b7169203331");
    assert_eq!(
        (attribute(&spans[0], "principal"), attribute(&spans[1], "error.type")),
        ("ops".into(), "DEADLINE_EXCEEDED".into())
    );
}
