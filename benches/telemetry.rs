//! What it costs to be seen into, in instructions for each call: `cargo bench --bench telemetry`. A server that measures
//! and says nothing is compared with one that measures, logs and sends traces and metrics to a collector, one call in a
//! hundred. Both are processes of their own, on SQLite; instructions are counted as in the load bench (benches/README.md).

#![allow(missing_docs, dead_code, unreachable_pub, clippy::print_stdout, clippy::cast_precision_loss)] // Nobody imports it.

#[path = "load/counters.rs"]
mod counters;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, routing::any};
use subprocessor_registry::{
    api::{self, Api},
    catalog::{self, Catalog},
    clock::Clock,
    config::{Flags, Settings},
    metrics::Metrics,
    notify::{channels::Channels, webhook},
    proto::v1::{GetVendorRequest, ListVendorsRequest, vendor_service_client::VendorServiceClient},
    run,
    server::{Bound, Content, Server},
    store::{self, Store},
    telemetry,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use counters::{Counter, Instructions};

/// As the server's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Calls before anything is counted, so that caches are warm and statements prepared.
const WARM: usize = 300;
/// Calls that are counted.
const COUNTED: usize = 3_000;
/// What a start may take, under callgrind too.
const PATIENCE: Duration = Duration::from_secs(180);
/// What the whole of it may cost a get, of its instructions without.
const BOUND: f64 = 0.05;

/// How a server is seen into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Seen {
    /// Not at all.
    Not,
    /// Metrics at /metrics, and logs: what a server has by default.
    Default,
    /// And metrics and one trace in a hundred to a collector.
    Collected,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "serve", seen, rest @ ..] => serve(clap::ValueEnum::from_str(seen, false)?, rest).await,
        _ if arguments.iter().any(|argument| argument == "--bench") => bench().await,
        _ => {
            println!("telemetry: not run as a bench (cargo bench --bench telemetry)");
            Ok(())
        }
    }
}

/// The server: `arguments` are the address, the database and the collector.
async fn serve(seen: Seen, arguments: &[&str]) -> Result<()> {
    let &[listen, url, collector] = arguments else { return Err("serve SEEN ADDRESS DATABASE COLLECTOR".into()) };
    let mut environment = vec![
        ("SERVER__LISTEN", listen),
        ("DATABASE__URL", url),
        // What a server does by itself would be counted with the calls.
        ("SCHEDULE__POLL_INTERVAL_MS", "60000"),
        ("WATCH__POLL_INTERVAL_MS", "60000"),
    ];
    if seen == Seen::Collected {
        environment.extend([("TELEMETRY__OTLP_ENDPOINT", collector), ("TELEMETRY__SAMPLE_RATIO", "0.01")]);
    }
    let named = environment.into_iter().map(|(key, value)| (format!("SUBPROCESSOR_REGISTRY__{key}"), value.to_owned()));
    let settings =
        Settings::load(&Flags::default(), &named.collect()).map_err(|problems| format!("settings: {problems:?}"))?;
    if seen == Seen::Not {
        // Without any subscriber, spans would go to the log facade of old.
        tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::default())?;
        bare(&settings).await?.run(std::future::pending()).await?;
    } else {
        let _guard = telemetry::init(&settings.telemetry)?;
        run::bind(&settings).await?.run(std::future::pending()).await?;
    }
    Ok(())
}

/// A server of the same services over the same store that nobody can see into.
async fn bare(settings: &Settings) -> Result<Server> {
    let options = store::Options {
        url: settings.database.connect_url().into_owned(),
        max_connections: settings.database.max_connections,
        statement_timeout: Duration::from_secs(settings.database.statement_timeout_seconds),
        max_batch: settings.writer.max_batch,
        poll_interval: Duration::from_millis(settings.watch.poll_interval_ms),
        metrics: Metrics::none(),
    };
    store::migrate(&options).await?;
    let store = Store::open(&options, Arc::new(Clock::System), catalog::territories()?).await?;
    catalog::load(&store, Catalog::builtin()?).await?;
    let channels = Channels {
        sealer: None,
        webhooks: webhook::Sender::new(settings.webhook.options())?,
        mail: None,
        public_url: String::new(),
    };
    let stopping = CancellationToken::new();
    let api = Api::new(store, api::Options::default(), Arc::new(channels), stopping.clone());
    Ok(Server::on(Bound::new(&settings.server)?, &settings.server, Content::of(api::routes(&api)), stopping).await?)
}

async fn bench() -> Result<()> {
    let (by, how) = Instructions::Auto.settle()?;
    if by == Instructions::Off {
        return Err(how.into());
    }
    println!("instructions: {how}");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("telemetry");
    let collector = collector().await?;
    let mut without = None;
    let mut worst = f64::MIN;
    for seen in [Seen::Not, Seen::Default, Seen::Collected] {
        // Of its own: a database that has been read is laid out as one that has not.
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let each = count(seen, by, &folder, &collector).await?;
        let base = *without.get_or_insert(each);
        let cost = each as f64 / base as f64 - 1.0;
        println!("{seen:?}: {each} instructions a get, {:+.2} %", cost * 100.0);
        worst = worst.max(cost);
    }
    if worst > BOUND { Err(format!("more than {} % of a get", BOUND * 100.0).into()) } else { Ok(()) }
}

/// Instructions of a get, of many.
async fn count(seen: Seen, by: Instructions, folder: &Path, collector: &str) -> Result<u64> {
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let url = format!("sqlite://{}", folder.join("registry.db").display());
    let name = clap::ValueEnum::to_possible_value(&seen).ok_or("a name")?.get_name().to_owned();
    let mut command = match by {
        Instructions::Callgrind => {
            let mut command = Command::new("valgrind");
            command
                .args(["--tool=callgrind", "--instr-atstart=no"])
                .arg(format!("--callgrind-out-file={}", counters::callgrind_file(folder).display()))
                .arg(std::env::current_exe()?);
            command
        }
        _ => Command::new(std::env::current_exe()?),
    };
    let log = std::fs::File::create(folder.join("server.log"))?;
    let child = command.args(["serve", &name, &address, &url, collector]);
    let mut child = Running(child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?);
    let channel = connect(&mut child, &address, folder).await?;
    let mut vendors = VendorServiceClient::new(channel);
    let page = vendors.list_vendors(ListVendorsRequest { page_size: 200, ..Default::default() }).await?.into_inner();
    let names: Vec<String> = page.vendors.into_iter().map(|vendor| vendor.name).collect();
    let mut names = names.iter().cycle();
    let mut gets = async |times| -> Result<()> {
        for name in names.by_ref().take(times) {
            let request = GetVendorRequest { name: name.clone(), ..Default::default() };
            let answer = vendors.get_vendor(request).await?;
            if answer.get_ref().name != *name {
                return Err("another vendor".into());
            }
        }
        Ok(())
    };
    gets(WARM).await?;
    let counter = Counter::start(by, child.0.id(), folder)?.ok_or("nothing counts")?;
    gets(COUNTED).await?;
    Ok(counter.stop()? / COUNTED as u64)
}

async fn connect(child: &mut Running, address: &str, folder: &Path) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    let begun = Instant::now();
    loop {
        match endpoint.connect().await {
            Ok(channel) => return Ok(channel),
            Err(_) if child.0.try_wait()?.is_none() && begun.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => {
                let log = std::fs::read_to_string(folder.join("server.log"))?;
                return Err(format!("the server did not start: {error}\n{log}").into());
            }
        }
    }
}

/// A server that ends with whoever started it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A collector that takes whatever it is sent; where it listens.
async fn collector() -> Result<String> {
    let take = any(|_: Bytes| async {
        // A message of no bytes: accepted.
        ([("content-type", "application/grpc"), ("grpc-status", "0")], vec![0_u8; 5])
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback_service(take)).await });
    Ok(address)
}
