//! What is measured: every instrument with its name, its unit and what it means, in one place. What records is handed a
//! [`Metrics`]; who reads them is `telemetry`'s business.
//!
//! Calls have the name and the attributes of OpenTelemetry's conventions for RPC. The `grpc_server_*`
//! family repeats what dashboards for gRPC servers have long expected. The rest is ours: `subprocessor_registry.*`.
//! Prometheus writes dots as underscores, and adds the unit and, for counters, `_total`.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use opentelemetry::{
    KeyValue,
    metrics::{BoundHistogram, Counter, Histogram, Meter},
};
use tonic::Code;

use crate::{
    error::{GIVEN_UP, code_name},
    proto,
};

/// A name, a unit (UCUM) and what it means, for the instruments and for their reference.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    /// As OpenTelemetry has it.
    pub name: &'static str,
    /// The unit; empty: none.
    pub unit: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// By what it is told apart.
    pub attributes: &'static [&'static str],
}

macro_rules! described {
    ($($constant:ident = $name:literal, $unit:literal, [$($attribute:literal),*], $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: Described =
                Described { name: $name, unit: $unit, meaning: $meaning, attributes: &[$($attribute),*] };
        )*
        /// All of them, in the order of their reference.
        pub const ALL: &[Described] = &[$($constant),*];
    };
}

described! {
    CALL_DURATION = "rpc.server.call.duration", "s", ["rpc.system.name", "rpc.method", "rpc.response.status_code"],
        "How long calls took, from their headers to their status; of streams, how long they were open.";
    GRPC_STARTED = "grpc_server_started", "", ["grpc_type", "grpc_service", "grpc_method"], "Calls begun.";
    GRPC_HANDLED = "grpc_server_handled", "", ["grpc_type", "grpc_service", "grpc_method", "grpc_code"],
        "Calls ended, by how they ended.";
    GRPC_RECEIVED = "grpc_server_msg_received", "", ["grpc_type", "grpc_service", "grpc_method"],
        "Messages received in calls.";
    GRPC_SENT = "grpc_server_msg_sent", "", ["grpc_type", "grpc_service", "grpc_method"], "Messages sent in calls.";
    GRPC_HANDLING = "grpc_server_handling", "s", ["grpc_type", "grpc_service", "grpc_method"],
        "The same as rpc.server.call.duration, under the name of older dashboards.";
    POOL_COUNT = "subprocessor_registry.pool.connections", "", ["pool", "state"],
        "Connections to the database that are open, used or idle.";
    POOL_MAX = "subprocessor_registry.pool.max_connections", "", ["pool"],
        "How many connections may be open.";
    QUEUE_DEPTH = "subprocessor_registry.writer.queue_depth", "", [], "Writes that wait for this replica's writer.";
    BATCH_SIZE = "subprocessor_registry.writer.batch_size", "", [], "How many writes shared a transaction.";
    COMMIT_DURATION = "subprocessor_registry.writer.commit.duration", "s", [],
        "How long transactions of writes took, from taking their turn until they were durable or undone.";
    REVISION = "subprocessor_registry.revision", "", [], "The newest revision that this replica knows of.";
    WATCH_STREAMS = "subprocessor_registry.watch.streams", "", [], "Streams of changes that are open.";
    WATCH_LAG = "subprocessor_registry.watch.lag_revisions", "", [],
        "How many revisions the slowest stream of changes is behind.";
    OUTBOX_DEPTH = "subprocessor_registry.outbox.depth", "", ["channel", "state"],
        "Deliveries of all replicas: queued, retrying after an attempt that failed, or dead (given up, until told to be retried).";
    OUTBOX_AGE = "subprocessor_registry.outbox.oldest_age", "s", [],
        "For how long the delivery that has waited longest has been due.";
    OUTBOX_LAG = "subprocessor_registry.outbox.lag_revisions", "", [],
        "How many revisions have not been looked through yet for what is to be told.";
    ATTEMPTS = "subprocessor_registry.delivery.attempts", "", ["channel", "result"],
        "Attempts to deliver: delivered, retry (it is tried again), dead (it is given up), dropped (it may not be sent any more).";
    ATTEMPT_DURATION = "subprocessor_registry.delivery.duration", "s", ["channel"], "How long attempts to deliver took.";
    NOTICES = "subprocessor_registry.notices", "", ["state"], "Notices of all organizations, by state.";
    FINDINGS = "subprocessor_registry.findings", "", ["severity"],
        "Findings of all organizations today that nobody has acknowledged, by severity.";
    BUILD = "subprocessor_registry.build_info", "", ["version"], "Always 1: which version runs.";
}

/// Those that only grow: Prometheus adds `_total` to their names.
pub const COUNTERS: [&str; 5] =
    [GRPC_STARTED.name, GRPC_HANDLED.name, GRPC_RECEIVED.name, GRPC_SENT.name, ATTEMPTS.name];

/// Seconds, from what a cached read takes to what an operator would call hanging.
const DURATIONS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0];
const SIZES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
/// gRPC's codes are 0 to 16.
const CODES: usize = 17;

/// What a server measures.
#[derive(Debug)]
pub struct Metrics {
    methods: HashMap<String, Arc<Method>>,
    duration: Histogram<f64>,
    handling: Histogram<f64>,
    batch_size: Histogram<u64>,
    commit_duration: Histogram<f64>,
    attempts: Counter<u64>,
    attempt_duration: Histogram<f64>,
    streams: Arc<Streams>,
}

/// The counts of one method: calls are many, so they are counted here and read when somebody asks.
#[derive(Debug)]
struct Method {
    /// `grpc_type`, `grpc_service`, `grpc_method`.
    labels: [KeyValue; 3],
    name: KeyValue,
    started: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    handled: [Handled; CODES],
    handling: OnceLock<BoundHistogram<f64>>,
}

/// Calls of a method that ended with one code.
#[derive(Debug, Default)]
struct Handled {
    count: AtomicU64,
    duration: OnceLock<BoundHistogram<f64>>,
}

/// What methods that do not exist are counted under, so that callers cannot make up names without end.
const OTHER: &str = "_OTHER";

impl Metrics {
    /// Instruments of `meter`.
    pub fn new(meter: &Meter) -> Arc<Self> {
        let histogram = |described: Described| {
            let boundaries = DURATIONS.to_vec();
            let builder = meter.f64_histogram(described.name).with_boundaries(boundaries);
            builder.with_unit(described.unit).with_description(described.meaning).build()
        };
        let methods = methods();
        count(meter, GRPC_STARTED, &methods, |method, tell| tell(method.started.load(Relaxed), &method.labels));
        count(meter, GRPC_RECEIVED, &methods, |method, tell| tell(method.received.load(Relaxed), &method.labels));
        count(meter, GRPC_SENT, &methods, |method, tell| tell(method.sent.load(Relaxed), &method.labels));
        count(meter, GRPC_HANDLED, &methods, |method, tell| {
            for (number, handled) in (0..).zip(&method.handled) {
                let handled = handled.count.load(Relaxed);
                if handled > 0 {
                    let [one, two, three] = method.labels.clone();
                    let code = KeyValue::new("grpc_code", code_name(Code::from_i32(number)));
                    tell(handled, &[one, two, three, code]);
                }
            }
        });
        let batches = meter.u64_histogram(BATCH_SIZE.name).with_boundaries(SIZES.to_vec());
        Arc::new(Self {
            methods,
            duration: histogram(CALL_DURATION),
            handling: histogram(GRPC_HANDLING),
            batch_size: batches.with_description(BATCH_SIZE.meaning).build(),
            commit_duration: histogram(COMMIT_DURATION),
            attempts: meter.u64_counter(ATTEMPTS.name).with_description(ATTEMPTS.meaning).build(),
            attempt_duration: histogram(ATTEMPT_DURATION),
            streams: Arc::default(),
        })
    }

    /// Instruments that nobody reads.
    pub fn none() -> Arc<Self> {
        use opentelemetry::metrics::{MeterProvider, noop::NoopMeterProvider};
        Self::new(&NoopMeterProvider::new().meter(""))
    }

    /// A call of the method at `path` (`package.Service/Method`) begins.
    pub fn call(self: &Arc<Self>, path: &str) -> Option<Measured> {
        let method = self.methods.get(path).or_else(|| self.methods.get(OTHER))?;
        method.started.fetch_add(1, Relaxed);
        method.received.fetch_add(1, Relaxed);
        Some(Measured {
            metrics: Arc::clone(self),
            method: Arc::clone(method),
            begun: Instant::now(),
            has_ended: false,
        })
    }

    /// A transaction of `size` writes is over.
    pub fn committed(&self, size: usize, took: Duration) {
        self.batch_size.record(size as u64, &[]);
        self.commit_duration.record(took.as_secs_f64(), &[]);
    }

    /// An attempt to deliver is over.
    pub fn attempted(&self, channel: &'static str, result: &'static str, took: Duration) {
        let channel = KeyValue::new("channel", channel);
        self.attempt_duration.record(took.as_secs_f64(), std::slice::from_ref(&channel));
        self.attempts.add(1, &[channel, KeyValue::new("result", result)]);
    }

    /// The streams of changes.
    pub fn streams(&self) -> &Arc<Streams> {
        &self.streams
    }
}

fn methods() -> HashMap<String, Arc<Method>> {
    let new = |kind: &'static str, service: &str, name: &str, path: &str| {
        let method = Method {
            labels: [
                KeyValue::new("grpc_type", kind),
                KeyValue::new("grpc_service", service.to_owned()),
                KeyValue::new("grpc_method", name.to_owned()),
            ],
            name: KeyValue::new("rpc.method", path.to_owned()),
            started: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            handled: Default::default(),
            handling: OnceLock::new(),
        };
        (path.to_owned(), Arc::new(method))
    };
    let ours = proto::POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let ours = ours.map(|method| {
        let kind = if method.is_server_streaming() { "server_stream" } else { "unary" };
        let service = method.parent_service().full_name().to_owned();
        new(kind, &service, method.name(), &format!("{service}/{}", method.name()))
    });
    ours.chain([new("unary", OTHER, OTHER, OTHER)]).collect()
}

/// A counter of what methods have counted: whoever reads it is told, by `tell`, as often as there are attributes.
fn count(
    meter: &Meter,
    described: Described,
    methods: &HashMap<String, Arc<Method>>,
    read: impl Fn(&Method, &mut dyn FnMut(u64, &[KeyValue])) + Send + Sync + 'static,
) {
    let methods: Vec<Arc<Method>> = methods.values().cloned().collect();
    let counter = meter.u64_observable_counter(described.name).with_description(described.meaning);
    // It lives as long as the provider of the meter.
    let _counter = counter
        .with_callback(move |observer| {
            for method in methods.iter().filter(|method| method.started.load(Relaxed) > 0) {
                read(method, &mut |value, attributes| observer.observe(value, attributes));
            }
        })
        .build();
}

/// A call that is measured. One that is dropped before it ended was given up by its caller.
#[derive(Debug)]
pub struct Measured {
    metrics: Arc<Metrics>,
    method: Arc<Method>,
    begun: Instant,
    has_ended: bool,
}

impl Measured {
    /// Messages were sent.
    pub fn sent(&self, messages: u64) {
        self.method.sent.fetch_add(messages, Relaxed);
    }

    /// It has ended; what is said later does not count.
    pub fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let took = self.begun.elapsed().as_secs_f64();
        let (metrics, method) = (&self.metrics, &self.method);
        if let Some(handled) = usize::try_from(code as i32).ok().and_then(|code| method.handled.get(code)) {
            handled.count.fetch_add(1, Relaxed);
            let duration = handled.duration.get_or_init(|| {
                let status = KeyValue::new("rpc.response.status_code", code_name(code));
                metrics.duration.bind(&[KeyValue::new("rpc.system.name", "grpc"), method.name.clone(), status])
            });
            duration.record(took);
        }
        method.handling.get_or_init(|| metrics.handling.bind(&method.labels)).record(took);
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.end(GIVEN_UP);
    }
}

/// The streams of changes that are open, and how far each is.
#[derive(Debug, Default)]
pub struct Streams {
    open: Mutex<HashMap<u64, Arc<AtomicI64>>>,
    next: AtomicU64,
}

impl Streams {
    /// A stream opens.
    pub fn open(self: &Arc<Self>, position: i64) -> Following {
        let (id, position) = (self.next.fetch_add(1, Relaxed), Arc::new(AtomicI64::new(position)));
        self.lock().insert(id, Arc::clone(&position));
        Following { streams: Arc::clone(self), id, position }
    }

    /// How many are open, and the revision at which the slowest is.
    pub fn state(&self) -> (usize, Option<i64>) {
        let open = self.lock();
        (open.len(), open.values().map(|position| position.load(Relaxed)).min())
    }

    /// Nothing that can panic runs under the lock.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<AtomicI64>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One stream of changes, until it is dropped.
#[derive(Debug)]
pub struct Following {
    streams: Arc<Streams>,
    id: u64,
    position: Arc<AtomicI64>,
}

impl Following {
    /// It has handed out everything up to a revision.
    pub fn at(&self, position: i64) {
        self.position.store(position, Relaxed);
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.streams.lock().remove(&self.id);
    }
}
