//! Receivers of webhooks, real ones on this machine, and an organization that tells them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::Value;
use subprocessor_registry::proto::v1::{self, Delivery, Subscription, WebhookTarget, subscription::Channel};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tonic::Status;

use crate::{
    notices::scene::{self as notices, ACME},
    support::{Backend, Place, Server},
};

/// What lets webhooks reach this machine, and what is due be looked for often.
pub const NEARBY: [(&str, &str); 3] = [
    ("WEBHOOK__ALLOW_HTTP", "true"),
    ("WEBHOOK__ALLOW_PRIVATE_NETWORKS", "127.0.0.0/8"),
    ("SCHEDULE__POLL_INTERVAL_MS", "20"),
];

/// The key of every server of a test: replicas share it.
pub const KEY: (&str, &str) = ("SECRETS__KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");

/// A webhook as it arrived.
#[derive(Debug, Clone)]
pub struct Got {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn event(&self) -> Value {
        serde_json::from_slice(&self.body).expect("an event in JSON")
    }

    /// The type of the event, without what all begin with.
    pub fn kind(&self) -> String {
        let event = self.event();
        let kind = event["type"].as_str().expect("a type");
        kind.strip_prefix("dev.subprocessor.registry.").expect("our prefix").to_owned()
    }

    /// Whether a secret verifies it, by a library that is not ours.
    pub fn verifies(&self, secret: &str) -> bool {
        let verifier = standardwebhooks::Webhook::new(secret).expect("a secret");
        let seconds = self.header("webhook-timestamp").parse().expect("a time");
        let own = verifier.sign(self.header("webhook-id"), seconds, &self.body).expect("signed");
        self.header("webhook-signature").split(' ').any(|one| one == own)
    }
}

/// What a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// 200, and the challenge if there is one.
    Kind,
    /// 204 without a word.
    Mute,
    /// This status.
    Status(u16),
    /// 429 and how many seconds to wait.
    Busy(u64),
    /// Nothing.
    Hang,
    /// As `Kind`, once it is released.
    Held,
}

#[derive(Clone)]
struct Shared {
    got: mpsc::UnboundedSender<Got>,
    manner: Arc<Mutex<Manner>>,
    gate: Arc<Semaphore>,
}

/// A receiver of webhooks.
pub struct Receiver {
    pub address: SocketAddr,
    got: mpsc::UnboundedReceiver<Got>,
    manner: Arc<Mutex<Manner>>,
    gate: Arc<Semaphore>,
}

async fn receive(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let manner = *shared.manner.lock().expect("the manner");
    let challenge = serde_json::from_slice::<Value>(&body)
        .ok()
        .and_then(|event| event["data"]["challenge"].as_str().map(str::to_owned));
    let _ = shared.got.send(Got { headers, body: body.to_vec() });
    match manner {
        Manner::Kind => challenge.unwrap_or_default().into_response(),
        Manner::Mute => StatusCode::NO_CONTENT.into_response(),
        Manner::Status(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        Manner::Busy(seconds) => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())]).into_response()
        }
        Manner::Hang => std::future::pending().await,
        Manner::Held => {
            shared.gate.acquire().await.expect("a gate").forget();
            challenge.unwrap_or_default().into_response()
        }
    }
}

impl Receiver {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, got) = mpsc::unbounded_channel();
        let manner = Arc::new(Mutex::new(manner));
        let gate = Arc::new(Semaphore::new(0));
        let shared = Shared { got: sender, manner: Arc::clone(&manner), gate: Arc::clone(&gate) };
        let router = Router::new().route("/{*path}", post(receive)).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, got, manner, gate }
    }

    pub fn uri(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().expect("the manner") = manner;
    }

    /// Lets one that is held have its answer.
    pub fn release(&self) {
        self.gate.add_permits(1);
    }

    /// The next webhook.
    pub async fn next(&mut self) -> Got {
        timeout(Duration::from_secs(30), self.got.recv()).await.expect("a webhook in time").expect("a receiver")
    }

    /// What has arrived by now.
    pub fn all(&mut self) -> Vec<Got> {
        std::iter::from_fn(|| self.got.try_recv().ok()).collect()
    }
}

/// An organization whose events are sent.
pub struct Scene(pub notices::Scene);

impl Deref for Scene {
    type Target = notices::Scene;

    fn deref(&self) -> &notices::Scene {
        &self.0
    }
}

impl DerefMut for Scene {
    fn deref_mut(&mut self) -> &mut notices::Scene {
        &mut self.0
    }
}

impl Scene {
    pub async fn new(backend: Backend) -> Self {
        Self::with(backend, &[]).await
    }

    /// With some more settings.
    pub async fn with(backend: Backend, more: &[(&str, &str)]) -> Self {
        let place = Place::new(backend).await;
        let settings: Vec<(&str, &str)> = NEARBY.into_iter().chain([KEY]).chain(more.iter().copied()).collect();
        let mut server = Server::start_with(&place, &settings).await;
        crate::support::organization(&mut server, "acme").await;
        Self(notices::Scene { place, server })
    }

    /// One whose policy is REQUIRED, with the vendor `aws`.
    pub async fn required(backend: Backend, more: &[(&str, &str)]) -> Self {
        let settings: Vec<(&str, &str)> = NEARBY.into_iter().chain([KEY]).chain(more.iter().copied()).collect();
        Self(notices::Scene::set(backend, notices::required(), &settings).await)
    }

    /// Stops the server, and starts it with these settings.
    pub async fn restarted(self, settings: &[(&str, &str)]) -> Self {
        let notices::Scene { place, server } = self.0;
        server.stop().await;
        let settings: Vec<(&str, &str)> = NEARBY.into_iter().chain(settings.iter().copied()).collect();
        Self(notices::Scene { server: Server::start_with(&place, &settings).await, place })
    }

    pub async fn subscribe(&mut self, id: &str, subscription: Subscription) -> Result<Subscription, Status> {
        let request = v1::CreateSubscriptionRequest {
            parent: ACME.into(),
            subscription_id: id.into(),
            subscription: Some(subscription),
            ..Default::default()
        };
        self.server.notices.create_subscription(request).await.map(tonic::Response::into_inner)
    }

    /// A subscription of a receiver that has agreed to it.
    pub async fn agreed(&mut self, id: &str, receiver: &mut Receiver, wanted: Subscription) -> Subscription {
        receiver.behave(Manner::Kind);
        let wanted = Subscription { channel: webhook(&receiver.uri()), ..wanted };
        let subscription = self.subscribe(id, wanted).await.expect("subscribed");
        let question = receiver.next().await;
        assert_eq!(question.kind(), "subscription.verification");
        self.until(&subscription.name, v1::subscription::State::Active).await;
        subscription
    }

    pub async fn subscription(&mut self, name: &str) -> Subscription {
        let request = v1::GetSubscriptionRequest { name: name.into(), as_of: None };
        self.server.notices.get_subscription(request).await.expect("a subscription").into_inner()
    }

    /// Waits until a subscription is in a state.
    pub async fn until(&mut self, name: &str, state: v1::subscription::State) -> Subscription {
        let look = async {
            loop {
                let known = self.subscription(name).await;
                if known.state() == state {
                    return known;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), look).await.expect("the state in time")
    }

    pub async fn deliveries(&mut self, filter: &str) -> Vec<Delivery> {
        let request = v1::ListDeliveriesRequest {
            parent: ACME.into(),
            filter: filter.into(),
            page_size: 1000,
            ..Default::default()
        };
        self.server.notices.list_deliveries(request).await.expect("deliveries").into_inner().deliveries
    }

    /// Waits until deliveries are in states: how many of each.
    pub async fn settled(&mut self, filter: &str, wanted: &[(&str, usize)]) -> Vec<Delivery> {
        let wanted: BTreeMap<String, usize> =
            wanted.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect();
        let mut last = BTreeMap::new();
        let look = async {
            loop {
                let deliveries = self.deliveries(filter).await;
                last = BTreeMap::new();
                for one in &deliveries {
                    let state = one.state().as_str_name().trim_start_matches("STATE_").to_owned();
                    *last.entry(state).or_insert(0) += 1;
                }
                if last == wanted {
                    return deliveries;
                }
                tokio::task::yield_now().await;
            }
        };
        match timeout(Duration::from_secs(30), look).await {
            Ok(deliveries) => deliveries,
            Err(_) => panic!("{filter}: {last:?} where {wanted:?} was expected"),
        }
    }

    /// Waits until the one delivery of a filter was tried so often, and what that came to is written down.
    pub async fn tried(&mut self, filter: &str, attempts: i32) -> Delivery {
        let look = async {
            loop {
                let deliveries = self.deliveries(filter).await;
                if let [one] = deliveries.as_slice()
                    && one.attempt_count == attempts
                {
                    return one.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), look).await.expect("the attempt in time")
    }

    /// Puts a subprocessor on the public list as it was found.
    pub async fn list(&mut self, id: &str, products: &[&str]) -> v1::Subprocessor {
        let message = v1::Subprocessor {
            display_name: id.to_uppercase(),
            state: v1::subprocessor::State::Active.into(),
            recorded_as_found: true,
            listed: true,
            section: id.into(),
            products: products.iter().map(|one| (*one).to_owned()).collect(),
            ..Default::default()
        };
        crate::support::subprocessor(&mut self.server, ACME, id, message).await.expect("listed")
    }
}

/// A subscription by webhook.
pub fn webhook(uri: &str) -> Option<Channel> {
    Some(Channel::Webhook(WebhookTarget { uri: uri.into(), ..WebhookTarget::default() }))
}

/// The secret that an answer shows.
pub fn secret(subscription: &Subscription) -> String {
    match &subscription.channel {
        Some(Channel::Webhook(webhook)) => webhook.secret.clone(),
        _ => String::new(),
    }
}
