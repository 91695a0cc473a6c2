//! How many webhooks are delivered in a second: `cargo bench --bench deliveries`. On SQLite, and with
//! REGISTRY_BENCH_POSTGRES_URL (any database of a cluster) on PostgreSQL. Each of 100 endpoints is told of 50 changes, alone
//! and then beside 40 endpoints that hang, drip, fail or flood; a bare loop that posts the same bytes over a connection each is
//! what all of it is compared with. Prints one table.

#![allow(clippy::expect_used, clippy::panic, missing_docs)] // A bench fails by panicking.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::{StreamExt, stream};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use rand::Rng;
use sea_orm::{ConnectionTrait, Database};
use serde_json::Value;
use subprocessor_registry::{
    config::{Flags, Settings},
    proto::v1::{
        CreateOrganizationRequest, CreateSubprocessorRequest, CreateSubscriptionRequest, GetSubscriptionRequest,
        Organization, Subprocessor, Subscription, WebhookTarget,
        change_notification_service_client::ChangeNotificationServiceClient,
        organization_service_client::OrganizationServiceClient, subprocessor::State as Stage,
        subprocessor_service_client::SubprocessorServiceClient, subscription,
    },
    run, store,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tonic::transport::Channel;

/// Endpoints that do as they should, and those that do not, of each manner.
const GOOD: usize = 100;
const BAD: usize = 10;
const MANNERS: [&str; 4] = ["hang", "drip", "fail", "flood"];
/// Changes that each of them is told of.
const CHANGES: usize = 50;
/// Posts at a time, as the server has it.
const AT_A_TIME: usize = 64;
const ACME: &str = "organizations/acme";

#[derive(Clone, Default)]
struct Counted {
    good: Arc<AtomicUsize>,
    more: Arc<Notify>,
}

/// An endpoint: agrees to be one, and then behaves as its path says.
async fn endpoint(State(counted): State<Counted>, Path((manner, _)): Path<(String, usize)>, body: Bytes) -> Response {
    let event: Value = serde_json::from_slice(&body).expect("an event");
    if let Some(challenge) = event["data"]["challenge"].as_str() {
        return challenge.to_owned().into_response();
    }
    match manner.as_str() {
        "hang" => std::future::pending().await,
        "drip" => {
            let drops = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b".")), ()))
            });
            (StatusCode::INTERNAL_SERVER_ERROR, Body::from_stream(drops)).into_response()
        }
        "fail" => (StatusCode::MOVED_PERMANENTLY, [(LOCATION, "http://169.254.169.254/")]).into_response(),
        "flood" => (StatusCode::INTERNAL_SERVER_ERROR, vec![b'x'; 10 << 20]).into_response(),
        _ => {
            counted.good.fetch_add(1, Ordering::SeqCst);
            counted.more.notify_one();
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

async fn endpoints(counted: &Counted) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().route("/{manner}/{number}", post(endpoint)).with_state(counted.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn server(url: &str) -> String {
    let environment: BTreeMap<String, String> = [
        ("SERVER__LISTEN", "127.0.0.1:0"),
        ("DATABASE__URL", url),
        ("CATALOG__LOAD", "false"),
        ("SECRETS__KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
        ("WEBHOOK__ALLOW_HTTP", "true"),
        ("WEBHOOK__ALLOW_PRIVATE_NETWORKS", "127.0.0.0/8"),
        ("SCHEDULE__POLL_INTERVAL_MS", "100"),
    ]
    .into_iter()
    .map(|(key, value)| (format!("SUBPROCESSOR_REGISTRY__{key}"), value.to_owned()))
    .collect();
    let settings = Settings::load(&Flags::default(), &environment).expect("settings");
    let server = run::bind(&settings).await.expect("a server");
    let address = format!("http://{}", server.local_addr());
    tokio::spawn(server.run(std::future::pending()));
    address
}

/// Subscribes endpoints of a manner, and waits until they have agreed.
async fn subscribe(
    client: &mut ChangeNotificationServiceClient<Channel>,
    endpoints: SocketAddr,
    manner: &str,
    many: usize,
) {
    let mut names = Vec::new();
    for at in 0..many {
        let uri = format!("http://{endpoints}/{manner}/{at}");
        let channel = subscription::Channel::Webhook(WebhookTarget { uri, ..WebhookTarget::default() });
        let subscription = Subscription { channel: Some(channel), ..Subscription::default() };
        let request = CreateSubscriptionRequest {
            parent: ACME.into(),
            subscription: Some(subscription),
            ..CreateSubscriptionRequest::default()
        };
        names.push(client.create_subscription(request).await.expect("subscribed").into_inner().name);
    }
    for name in names {
        let request = GetSubscriptionRequest { name, as_of: None };
        while client.get_subscription(request.clone()).await.expect("known").into_inner().state()
            != subscription::State::Active
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Changes the list, and waits until every good endpoint knows all of it; returns how long that took.
async fn tell(client: &mut SubprocessorServiceClient<Channel>, counted: &Counted, round: &str) -> Duration {
    let until = counted.good.load(Ordering::SeqCst) + GOOD * CHANGES;
    let begun = Instant::now();
    for at in 0..CHANGES {
        let subprocessor = Subprocessor {
            display_name: format!("{round} {at}"),
            section: format!("{round} {at}"),
            recorded_as_found: true,
            listed: true,
            state: Stage::Active.into(),
            purposes: vec!["Hosting of the application and its data".into()],
            ..Subprocessor::default()
        };
        let request = CreateSubprocessorRequest {
            parent: ACME.into(),
            subprocessor: Some(subprocessor),
            ..CreateSubprocessorRequest::default()
        };
        client.create_subprocessor(request).await.expect("created");
    }
    while counted.good.load(Ordering::SeqCst) < until {
        counted.more.notified().await;
    }
    begun.elapsed()
}

/// The same number of posts by nothing but a client.
async fn bare(endpoints: SocketAddr, counted: &Counted) -> Duration {
    let body = Bytes::from(format!("{{\"data\":{{\"text\":\"{}\"}}}}", "x".repeat(900)));
    let until = counted.good.load(Ordering::SeqCst) + GOOD * CHANGES;
    let begun = Instant::now();
    stream::iter(0..GOOD * CHANGES)
        .map(|at| {
            let body = body.clone();
            async move {
                let stream = TcpStream::connect(endpoints).await.expect("connected");
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
                tokio::spawn(connection);
                let request = http::Request::post(format!("/good/{}", at % GOOD))
                    .header("host", "localhost")
                    .header("content-type", "application/cloudevents+json")
                    .body(Full::new(body))
                    .expect("a request");
                assert_eq!(sender.send_request(request).await.expect("an answer").status(), 204);
            }
        })
        .buffer_unordered(AT_A_TIME)
        .collect::<Vec<()>>()
        .await;
    assert_eq!(counted.good.load(Ordering::SeqCst), until);
    begun.elapsed()
}

async fn bench(title: &str, url: &str) {
    let counted = Counted::default();
    let endpoints = endpoints(&counted).await;
    let address = server(url).await;
    let acme = Organization { display_name: "Acme".into(), ..Organization::default() };
    let request = CreateOrganizationRequest {
        organization_id: "acme".into(),
        organization: Some(acme),
        ..CreateOrganizationRequest::default()
    };
    let mut organizations = OrganizationServiceClient::connect(address.clone()).await.expect("a client");
    organizations.create_organization(request).await.expect("an organization");
    let mut notices = ChangeNotificationServiceClient::connect(address.clone()).await.expect("a client");
    let mut subprocessors = SubprocessorServiceClient::connect(address).await.expect("a client");
    subscribe(&mut notices, endpoints, "good", GOOD).await;
    let alone = tell(&mut subprocessors, &counted, "alone").await;
    for manner in MANNERS {
        subscribe(&mut notices, endpoints, manner, BAD).await;
    }
    eprintln!("{title}: alone {}/s", rate(alone));
    let beside = tell(&mut subprocessors, &counted, "beside").await;
    eprintln!("{title}: beside bad ones {}/s", rate(beside));
    let bare = bare(endpoints, &counted).await;
    println!(
        "| {title:<10} | {:>9} | {:>10} | {:>24} | {:>9} |",
        GOOD * CHANGES,
        rate(alone),
        rate(beside),
        rate(bare)
    );
}

fn rate(took: Duration) -> String {
    format!("{:.0}", f64::from(u32::try_from(GOOD * CHANGES).expect("few")) / took.as_secs_f64())
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        // TLS needs to be told its cryptography once.
        let _ = rustls::crypto::ring::default_provider().install_default();
        println!("| database   | delivered | /s, alone  | /s, beside 40 bad ones   | /s, bare  |");
        println!("|------------|-----------|------------|--------------------------|-----------|");
        let folder = tempfile::tempdir().expect("a folder");
        bench("SQLite", &format!("sqlite:{}", folder.path().join("registry.db").display())).await;
        if let Ok(base) = std::env::var("REGISTRY_BENCH_POSTGRES_URL") {
            let (server, _) = base.rsplit_once('/').expect("a URL with a database");
            let name = format!("bench_deliveries_{}", rand::rng().random::<u32>());
            let admin = Database::connect(&base).await.expect("PostgreSQL answers");
            admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
            let url = format!("{server}/{name}");
            store::migrate(&store::Options::new(&url)).await.expect("migrated");
            bench("PostgreSQL", &url).await;
        }
    });
}
