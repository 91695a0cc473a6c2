//! How fast a day is assessed for 100,000 transfers: `cargo bench --bench law`. On SQLite, and with
//! REGISTRY_BENCH_POSTGRES_URL (any database of a cluster) on PostgreSQL. Prints one table.

#![allow(clippy::expect_used, clippy::panic, missing_docs)] // A bench fails by panicking.

use std::time::{Duration, Instant};

use prost::Message;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use subprocessor_registry::{
    config::{Flags, Settings},
    proto::v1::{
        AssessTransfersRequest, CreateOrganizationRequest, CreateSubprocessorRequest, CreateTransferRequest,
        ExporterArea, Location, Mechanism, Organization, Regime, SimulateInstrumentEndRequest, Subprocessor, Transfer,
        organization_service_client::OrganizationServiceClient, subprocessor::State,
        subprocessor_service_client::SubprocessorServiceClient,
        transfer_mechanism_service_client::TransferMechanismServiceClient,
    },
    run, store,
};
use tokio::{sync::oneshot, task::JoinHandle};

/// Transfers beside the one that the others are copies of.
const MANY: usize = 100_000;
/// Importers, and vendors of theirs.
const IMPORTERS: usize = 40;
const VENDORS: [&str; 8] = ["aws", "stripe", "twilio", "mailchimp", "slack", "datadog", "zendesk", "salesforce"];
/// The best of these is of interest: others use the machine too.
const RUNS: usize = 3;
const ACME: &str = "organizations/acme";

struct Server {
    address: String,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Server {
    async fn start(url: &str) -> Self {
        let environment =
            [("SUBPROCESSOR_REGISTRY__SERVER__LISTEN", "127.0.0.1:0"), ("SUBPROCESSOR_REGISTRY__DATABASE__URL", url)];
        let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let settings = Settings::load(&Flags::default(), &environment).expect("settings");
        let server = run::bind(&settings).await.expect("a server");
        let address = format!("http://{}", server.local_addr());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            server.run(until).await.expect("served");
        });
        Self { address, stop, running }
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.running.await.expect("stopped");
    }
}

/// An organization in Germany with importers in the United States, and a transfer: what the others are like.
async fn scene(address: &str) -> (Transfer, Vec<String>) {
    let acme = Organization {
        display_name: "Acme".into(),
        regimes: vec![Regime::EuGdpr.into()],
        region_code: "DE".into(),
        ..Default::default()
    };
    let request =
        CreateOrganizationRequest { organization_id: "acme".into(), organization: Some(acme), ..Default::default() };
    let mut organizations = OrganizationServiceClient::connect(address.to_owned()).await.expect("a client");
    organizations.create_organization(request).await.expect("an organization");
    let mut subprocessors = SubprocessorServiceClient::connect(address.to_owned()).await.expect("a client");
    let mut importers = Vec::new();
    for (i, vendor) in VENDORS.iter().cycle().take(IMPORTERS).enumerate() {
        let importer = Subprocessor {
            display_name: format!("importer {i}"),
            vendor: format!("vendors/{vendor}"),
            recorded_as_found: true,
            state: State::Active.into(),
            locations: vec![Location { region_code: "US".into(), verbatim: "US".into(), ..Default::default() }],
            ..Default::default()
        };
        let request = CreateSubprocessorRequest {
            parent: ACME.into(),
            subprocessor_id: format!("importer-{i}"),
            subprocessor: Some(importer),
            ..Default::default()
        };
        importers.push(subprocessors.create_subprocessor(request).await.expect("an importer").into_inner().name);
    }
    let on = |instrument: &str, precedence, sign_date: &str| Mechanism {
        instrument: format!("instruments/{instrument}"),
        precedence,
        sign_date: sign_date.into(),
        ..Default::default()
    };
    let transfer = Transfer {
        regime: Regime::EuGdpr.into(),
        exporter: "customers".into(),
        exporter_area: ExporterArea::Eu.into(),
        importer: importers.first().cloned().unwrap_or_default(),
        destination_region_codes: vec!["US".into()],
        mechanisms: vec![on("eu-us-dpf", 0, ""), on("eu-scc-2021-914", 1, "2022-01-01")],
        ..Default::default()
    };
    let request = CreateTransferRequest {
        parent: ACME.into(),
        transfer_id: "pattern".into(),
        transfer: Some(transfer),
        ..Default::default()
    };
    let mut mechanisms = TransferMechanismServiceClient::connect(address.to_owned()).await.expect("a client");
    (mechanisms.create_transfer(request).await.expect("a transfer").into_inner(), importers)
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("connected")
}

/// Copies of a transfer that is stored, under names of their own, each with its importer. They are no part of the log.
async fn multiply(url: &str, pattern: &Transfer, importers: &[String]) {
    let db = connect(url).await;
    let sqlite = url.starts_with("sqlite");
    let literal = |bytes: &[u8]| {
        let hex = hex::encode(bytes);
        if sqlite { format!("x'{hex}'") } else { format!("'\\x{hex}'::bytea") }
    };
    // What is shared comes from the pattern's own row; the rest is given.
    let columns = "from_revision, to_revision, organization_id, deleted, create_time, update_time, digest, salt, \
                   exporter, onward_from, start_date, start_date_desc, end_date, end_date_desc, regime";
    let rows: Vec<String> = (0..MANY)
        .zip(importers.iter().cycle())
        .map(|(i, importer)| {
            let name = format!("{ACME}/transfers/many-{i:06}");
            let body = Transfer { name: name.clone(), importer: importer.clone(), ..pattern.clone() };
            format!("({}, '{name}', '{importer}', {})", 10_000_000 + i, literal(&body.encode_to_vec()))
        })
        .collect();
    let from = format!("FROM many, transfer pattern WHERE pattern.name = '{}'", pattern.name);
    db.execute_unprepared("BEGIN").await.expect("begun");
    for chunk in rows.chunks(1_000) {
        let values = format!("WITH many(id, name, importer, body) AS (VALUES {})", chunk.join(", "));
        for insert in [
            format!(
                "INSERT INTO resource (id, name, uid, kind, organization_id) SELECT many.id, many.name, many.name, 8, \
                 organization_id {from}"
            ),
            format!(
                "INSERT INTO transfer (resource_id, name, importer, body, {columns}) SELECT many.id, many.name, \
                 many.importer, many.body, {columns} {from}"
            ),
            format!(
                "INSERT INTO transfer_value (resource_id, from_revision, field, value) SELECT many.id, from_revision, \
                 'destination_region_codes', 'US' {from}"
            ),
        ] {
            db.execute_unprepared(&format!("{values} {insert}")).await.expect("filled in");
        }
    }
    db.execute_unprepared("COMMIT").await.expect("committed");
    // What a database does by itself sooner or later.
    db.execute_unprepared(if sqlite { "PRAGMA wal_checkpoint(TRUNCATE)" } else { "ANALYZE" }).await.expect("settled");
    db.close().await.expect("closed");
}

fn row(database: &str, what: &str, calls: usize, transfers: usize, took: Duration) {
    let per_second = transfers as f64 / took.as_secs_f64();
    println!("{database:<12} {what:<26} {calls:>6} {transfers:>10} {:>8.3} {per_second:>12.0}", took.as_secs_f64());
}

async fn measure(database: &str, url: &str) {
    store::migrate(&store::Options::new(url)).await.expect("migrated");
    let server = Server::start(url).await;
    let (pattern, importers) = scene(&server.address).await;
    server.stop().await;
    multiply(url, &pattern, &importers).await;

    let server = Server::start(url).await;
    let mut client = TransferMechanismServiceClient::connect(server.address.clone()).await.expect("a client");
    for _ in 0..RUNS {
        let request = SimulateInstrumentEndRequest {
            instrument: "instruments/eu-adequacy-japan".into(),
            end_date: "2026-06-01".into(),
            parent: ACME.into(),
            ..Default::default()
        };
        let start = Instant::now();
        let answer = client.simulate_instrument_end(request).await.expect("simulated").into_inner();
        let judged = usize::try_from(answer.judged_count).expect("a count");
        row(database, "simulated end, in one pass", 1, judged, start.elapsed());
        assert_eq!(judged, MANY + 1);
    }
    for page_size in [100, 500] {
        let mut request =
            AssessTransfersRequest { parent: ACME.into(), date: "2026-06-01".into(), page_size, ..Default::default() };
        let (mut calls, mut transfers, start) = (0, 0, Instant::now());
        loop {
            let page = client.assess_transfers(request.clone()).await.expect("assessed").into_inner();
            calls += 1;
            transfers += page.assessments.len();
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        row(database, &format!("assessed, in pages of {page_size}"), calls, transfers, start.elapsed());
        assert_eq!(transfers, MANY + 1);
    }
    server.stop().await;
}

#[tokio::main]
async fn main() {
    println!("{:<12} {:<26} {:>6} {:>10} {:>8} {:>12}", "", "", "calls", "transfers", "took, s", "transfers/s");
    let folder = tempfile::TempDir::new().expect("a folder");
    measure("SQLite", &format!("sqlite:{}", folder.path().join("registry.db").display())).await;
    let Ok(admin) = std::env::var("REGISTRY_BENCH_POSTGRES_URL") else {
        println!("PostgreSQL: not measured, REGISTRY_BENCH_POSTGRES_URL is not set");
        return;
    };
    let (cluster, _) = admin.rsplit_once('/').expect("a URL with a database");
    let name = format!("law_{}", std::process::id());
    let db = connect(&admin).await;
    db.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
    measure("PostgreSQL", &format!("{cluster}/{name}")).await;
    db.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("dropped");
}
