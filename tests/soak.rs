//! The long trials: kill -9 under load. Nothing acknowledged is lost, nothing is done twice, the log verifies.
//!
//! Returns at once unless REGISTRY_SOAK is set. How often: REGISTRY_SOAK_SQLITE (200), REGISTRY_SOAK_POSTGRES (50) kill
//! the server; REGISTRY_SOAK_CRASH (20) kills PostgreSQL, the cluster that PGNAME names. REGISTRY_SOAK_BINARY: another
//! server than the one just built.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)] // A trial ends by panicking.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rand::Rng;
use subprocessor_registry::proto::v1::{self, vendor_service_client::VendorServiceClient};
use tonic::{Code, Request, transport::Channel};

const WRITERS: usize = 8;
/// What a start, and a write across restarts, may take at most.
const PATIENCE: Duration = Duration::from_secs(120);

type Log = v1::change_log_service_client::ChangeLogServiceClient<Channel>;

/// What a writer knows to be written: the revision that answered, by request id.
type Acknowledged = BTreeMap<String, i64>;

fn main() {
    if std::env::var_os("REGISTRY_SOAK").is_none() {
        println!("soak: not asked for (REGISTRY_SOAK is not set)");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        trial("kill -9 of the server on SQLite", Backend::Sqlite, Victim::Server, count("SQLITE", 200)).await;
        trial("kill -9 of the server on PostgreSQL", Backend::Postgres, Victim::Server, count("POSTGRES", 50)).await;
        trial("kill -9 of PostgreSQL", Backend::Postgres, Victim::Database, count("CRASH", 20)).await;
    });
}

fn count(name: &str, default: u64) -> u64 {
    std::env::var(format!("REGISTRY_SOAK_{name}")).map_or(default, |text| text.parse().expect("a number"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Postgres,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    Server,
    Database,
}

/// The server's process.
struct Server {
    child: Child,
    arguments: Vec<String>,
}

impl Server {
    fn start(arguments: &[String]) -> Self {
        let built = || env!("CARGO_BIN_EXE_subprocessor-registry").into();
        let child = Command::new(std::env::var_os("REGISTRY_SOAK_BINARY").unwrap_or_else(built))
            .args(arguments)
            .env("SUBPROCESSOR_REGISTRY__CATALOG__LOAD", "false")
            .env("SUBPROCESSOR_REGISTRY__TELEMETRY__LOG_FILTER", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        Self { child, arguments: arguments.to_owned() }
    }

    fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }

    /// Kills it as nobody would, and starts it again.
    fn kill_and_restart(&mut self) {
        self.kill();
        *self = Self::start(&std::mem::take(&mut self.arguments));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a verb of postgres.sh and returns what it printed.
fn postgres(verb: &str) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tools/postgres.sh");
    let output = Command::new(script).arg(verb).stdin(Stdio::null()).output().expect("the script runs");
    assert!(output.status.success(), "postgres.sh {verb}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// A fresh database; returns its URL.
async fn database(backend: Backend, folder: &std::path::Path) -> String {
    use sea_orm::ConnectionTrait;
    if backend == Backend::Sqlite {
        return format!("sqlite:{}", folder.join("registry.db").display());
    }
    let base = std::env::var("REGISTRY_TEST_POSTGRES_URL").unwrap_or_else(|_| postgres("url"));
    let (server, _) = base.rsplit_once('/').expect("a URL with a database");
    let name = format!("soak_{}_{}", std::process::id(), rand::rng().random::<u32>());
    let admin = sea_orm::Database::connect(&base).await.expect("PostgreSQL answers");
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
    admin.close().await.expect("closed");
    let url = format!("{server}/{name}");
    subprocessor_registry::store::migrate(&subprocessor_registry::store::Options::new(&url)).await.expect("migrated");
    url
}

struct Shared {
    address: String,
    stop: AtomicBool,
    acknowledged: AtomicU64,
    retried: AtomicU64,
}

async fn connect(address: &str) -> Channel {
    let begun = Instant::now();
    loop {
        match Channel::from_shared(address.to_owned()).expect("an address").connect().await {
            Ok(channel) => return channel,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn trial(title: &str, backend: Backend, victim: Victim, kills: u64) {
    if kills == 0 {
        return;
    }
    let begun = Instant::now();
    let folder = tempfile::TempDir::new().expect("a folder");
    let url = database(backend, folder.path()).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let arguments =
        ["serve", "--listen", &format!("127.0.0.1:{port}"), "--database-url", &url].map(str::to_owned).to_vec();
    let mut server = Server::start(&arguments);
    let shared = Arc::new(Shared {
        address: format!("http://127.0.0.1:{port}"),
        stop: AtomicBool::new(false),
        acknowledged: AtomicU64::new(0),
        retried: AtomicU64::new(0),
    });
    let writers: Vec<_> = (0..WRITERS).map(|i| tokio::spawn(writer(i, Arc::clone(&shared)))).collect();
    for _ in 0..kills {
        // Not before something was written since the last time, and then at any moment.
        let before = shared.acknowledged.load(Ordering::SeqCst);
        let since = Instant::now();
        while shared.acknowledged.load(Ordering::SeqCst) < before + 8 {
            assert!(
                since.elapsed() < PATIENCE && !writers.iter().any(tokio::task::JoinHandle::is_finished),
                "no progress"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let moment = rand::rng().random_range(0..150);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        match victim {
            Victim::Server => server.kill_and_restart(),
            Victim::Database => drop(postgres("restart")),
        }
    }
    shared.stop.store(true, Ordering::SeqCst);
    let mut acknowledged = Acknowledged::new();
    for writer in writers {
        acknowledged.extend(writer.await.expect("a writer"));
    }
    // Once more, so that what is checked is what a fresh start finds.
    server.kill_and_restart();
    let revisions = check(&shared.address, &acknowledged).await;
    server.kill();
    println!(
        "soak: {title}: kills {kills}, acknowledged {}, retried {}, revisions {revisions}, lost 0, doubled 0, verified, {:.0} s",
        acknowledged.len(),
        shared.retried.load(Ordering::SeqCst),
        begun.elapsed().as_secs_f64()
    );
}

/// Writes one after the other, each with a request id, and each again until it is acknowledged.
async fn writer(number: usize, shared: Arc<Shared>) -> Acknowledged {
    let mut vendors = VendorServiceClient::new(connect(&shared.address).await);
    let mut acknowledged = Acknowledged::new();
    for i in 0.. {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        let request_id = format!("w{number}-{i}");
        let vendor =
            v1::Vendor { display_name: request_id.clone(), aliases: vec![request_id.clone()], ..Default::default() };
        let begun = Instant::now();
        let revision = loop {
            // A create, and then changes: both must not happen twice.
            let answer = if i == 0 {
                let request = v1::CreateVendorRequest {
                    vendor_id: format!("w{number}"),
                    vendor: Some(vendor.clone()),
                    request_id: request_id.clone(),
                    ..Default::default()
                };
                vendors.create_vendor(timed(request)).await
            } else {
                let vendor = v1::Vendor { name: format!("vendors/w{number}"), ..vendor.clone() };
                let request = v1::UpdateVendorRequest {
                    vendor: Some(vendor),
                    request_id: request_id.clone(),
                    ..Default::default()
                };
                vendors.update_vendor(timed(request)).await
            };
            match answer {
                Ok(vendor) => break vendor.into_inner().revision,
                Err(status) => {
                    // A server that was killed, a database that was: never a refusal, never a defect.
                    let expected = [Code::Unavailable, Code::Cancelled, Code::Unknown, Code::DeadlineExceeded];
                    assert!(expected.contains(&status.code()), "{status:?}");
                    assert!(begun.elapsed() < PATIENCE, "{request_id}: {status:?}");
                    shared.retried.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    vendors = VendorServiceClient::new(connect(&shared.address).await);
                }
            }
        };
        acknowledged.insert(request_id, revision);
        shared.acknowledged.fetch_add(1, Ordering::SeqCst);
    }
    acknowledged
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_secs(20));
    request
}

/// Every acknowledged write is one revision, the one that was answered; there is no other; the log verifies.
async fn check(address: &str, acknowledged: &Acknowledged) -> usize {
    let mut log = Log::new(connect(address).await);
    let mut found = Acknowledged::new();
    let mut last = 0;
    let mut request = v1::ListRevisionsRequest { page_size: 1_000, ..Default::default() };
    loop {
        let page = log.list_revisions(request.clone()).await.expect("a page").into_inner();
        for revision in page.revisions {
            assert_eq!(revision.number, last + 1, "a gap");
            last = revision.number;
            let earlier = found.insert(revision.request_id.clone(), revision.number);
            assert!(
                earlier.is_none(),
                "{} was done twice, in {earlier:?} and {}",
                revision.request_id,
                revision.number
            );
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    for (request_id, revision) in acknowledged {
        assert_eq!(found.get(request_id), Some(revision), "{request_id} was acknowledged and is lost");
    }
    // Each writer ends with what was acknowledged: nothing more can be there.
    assert_eq!(found.len(), acknowledged.len(), "revisions that nobody asked for");
    let verified = log.verify_change_log(v1::VerifyChangeLogRequest::default()).await.expect("checked").into_inner();
    assert!(verified.verified, "{verified:#?}");
    found.len()
}
