//! What `serve` and `migrate` do: settings become a clock, a database, services and a server, in that order.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::Router;
use sha2::{Digest, Sha256};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{self, Api},
    call::Call,
    catalog::{self, Catalog},
    clock::Clock,
    config::{Flags, Settings},
    error::{Error, Reason, Result},
    manifest,
    metrics::Metrics,
    notify::{
        channels::{Channels, Mail},
        email::{Mailer, Templates},
        outbox, schedule, webhook,
    },
    resource::name::{Kind, Name},
    server::{self, Bound, Content, Server},
    store::{self, Store},
    telemetry::{self, meters::Meters},
    web,
};

/// How often the file of the settings is looked at.
const CONFIG_INTERVAL: Duration = Duration::from_secs(5);

/// The example organizations, each a manifest, with their ids.
pub const EXAMPLES: [(&str, &str); 5] = [
    ("concert-cloud", include_str!("../examples/concert-cloud.yaml")),
    ("crescendo", include_str!("../examples/crescendo.yaml")),
    ("optymyze", include_str!("../examples/optymyze.yaml")),
    ("cloudengage", include_str!("../examples/cloudengage.yaml")),
    ("prodsmart", include_str!("../examples/prodsmart.yaml")),
];

/// Serves until the process is told to stop (SIGTERM, SIGINT).
///
/// # Errors
/// If anything that the server needs cannot be had: the database, its schema, the address.
pub async fn serve(settings: Settings, flags: &Flags) -> Result<()> {
    let telemetry = telemetry::init(&settings.telemetry)?;
    let stop = stop_signal()?;
    let hang_up = signal(SignalKind::hangup()).map_err(Error::internal)?;
    let server = bind(&settings).await?;
    tracing::info!(address = %server.local_addr(), version = env!("CARGO_PKG_VERSION"), "listening");
    tokio::select! {
        stopped = server.run(stop) => stopped?,
        () = follow_log_filter(&telemetry, &settings, flags, hang_up) => {}
    }
    tracing::info!("stopped");
    Ok(())
}

/// Reads the settings again on SIGHUP, and when their file has changed, and logs by what they say now. Whatever else has
/// changed waits for the next start.
async fn follow_log_filter(telemetry: &telemetry::Guard, settings: &Settings, flags: &Flags, mut hang_up: Signal) {
    let mut filter = settings.telemetry.log_filter.clone();
    let read = || flags.config.as_ref().and_then(|file| std::fs::read(file).ok());
    let mut known = read();
    let mut ticks = tokio::time::interval(CONFIG_INTERVAL);
    loop {
        tokio::select! {
            Some(()) = hang_up.recv() => known = read(),
            _ = ticks.tick() => {
                let now = read();
                // A file that is being replaced is not there for a moment.
                if now.is_none() || now == known {
                    continue;
                }
                known = now;
            }
        }
        let set = match Settings::from_process(flags) {
            Ok(settings) if settings.telemetry.log_filter == filter => continue,
            Ok(settings) => {
                filter = settings.telemetry.log_filter;
                telemetry.set_log_filter(&filter).map_err(|error| error.to_string())
            }
            Err(problems) => Err(problems.join("; ")),
        };
        match set {
            Ok(()) => tracing::info!(log_filter = filter, "the log filter has changed"),
            Err(error) => tracing::error!(error, "the settings cannot be read again; the log filter stays as it is"),
        }
    }
}

/// A server over the database that the settings name, bound and ready to run.
///
/// # Errors
/// If the clock, the database, its schema or the address cannot be had.
pub async fn bind(settings: &Settings) -> Result<Server> {
    // First, so that a start that cannot succeed leaves no database behind.
    let bound = Bound::new(&settings.server)?;
    let mut options = database_options(settings);
    let meters = Meters::new(&settings.telemetry)?;
    options.metrics = meters.metrics();
    let store = load(settings, &options).await.map_err(|error| options.explain(error))?;
    let stopping = CancellationToken::new();
    let options = api::Options {
        max_request_bytes: settings.server.max_request_bytes,
        watch_buffer: settings.watch.buffer_revisions,
        slow_reader_grace: Duration::from_secs(settings.watch.slow_reader_grace_seconds),
        metrics: meters.metrics(),
    };
    let period = Duration::from_millis(settings.schedule.poll_interval_ms);
    let channels = Arc::new(channels(settings, bound.local_addr()?)?);
    channels.check_key(&store).await?;
    let schedule = tokio::spawn(schedule::run(store.clone(), period, stopping.clone()));
    let metrics = meters.metrics();
    let pace = outbox::Options {
        webhook: settings.webhook.pace(),
        email: settings.email.pace(),
        poll: period,
        metrics: Arc::clone(&metrics),
    };
    let outbox = tokio::spawn(outbox::run(store.clone(), Arc::clone(&channels), pace, stopping.clone()));
    let shown = meters.observe(store.clone());
    let mut companions = vec![schedule, outbox];
    let probes = match settings.telemetry.metrics_address() {
        None => shown.router(),
        Some(address) => {
            companions.push(show(shown.router(), address, stopping.clone()).await?);
            Router::new()
        }
    };
    let counting = stopping.clone();
    companions.push(tokio::spawn(async move {
        counting.run_until_cancelled(shown.keep()).await;
        shown.flush().await;
    }));
    let api = Api::new(store.clone(), options, channels, stopping.clone());
    let pages = web::Options { public_url: settings.web.public_url.clone() };
    let content = Content { routes: api::routes(&api), pages: web::pages(api, pages), probes, metrics };
    let server = Server::on(bound, &settings.server, content, stopping.clone()).await?;
    companions.push(tokio::spawn(server::follow(server.health(), store, stopping)));
    Ok(server.with(companions))
}

/// Shows metrics on an address of their own.
async fn show(metrics: Router, address: SocketAddr, stopping: CancellationToken) -> Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let message = format!("cannot listen on {address}: name another with telemetry.metrics_listen");
        Error::new(Reason::Internal, message).caused_by(error)
    })?;
    tracing::info!(address = ?listener.local_addr().ok(), "metrics");
    Ok(tokio::spawn(async move {
        let served = axum::serve(listener, metrics).with_graceful_shutdown(stopping.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "metrics are not shown any more");
        }
    }))
}

/// What can be sent, and by what.
fn channels(settings: &Settings, address: SocketAddr) -> Result<Channels> {
    let options = database_options(settings);
    let folder = options.sqlite_path().and_then(|path| path.parent().map(Path::to_path_buf));
    let sealer = settings
        .secrets
        .sealer(folder.as_deref())
        .map_err(|problem| Error::new(Reason::Internal, format!("secrets.key: {problem}")))?;
    let mail = match settings.email.options() {
        None => None,
        Some(options) => Some(Mail {
            mailer: Mailer::new(options)?,
            templates: Templates::new(settings.email.templates().as_deref())?,
            smtputf8: settings.email.smtputf8,
        }),
    };
    let webhooks = webhook::Sender::new(settings.webhook.options())?;
    // Links in mails cannot be relative.
    let public_url = match settings.web.public_url.as_str() {
        "" => format!("http://{address}"),
        url => url.to_owned(),
    };
    Ok(Channels { sealer, webhooks, mail, public_url })
}

/// The store, with what is built in.
async fn load(settings: &Settings, options: &store::Options) -> Result<Store> {
    let store = open(settings, options).await?;
    if settings.catalog.load {
        let changed = catalog::load(&store, Catalog::builtin()?).await?;
        tracing::info!(changed, "catalog loaded");
    }
    if settings.examples.load {
        load_examples(&store).await?;
    }
    Ok(store)
}

async fn open(settings: &Settings, options: &store::Options) -> Result<Store> {
    let clock = match settings.clock.file.as_str() {
        "" => Clock::System,
        path => Clock::file(Path::new(path))
            .map_err(|problem| Error::new(Reason::Internal, format!("clock.file: {problem}")))?,
    };
    if options.is_sqlite() {
        // The embedded database belongs to this process alone: nobody else would migrate it.
        store::migrate(options).await?;
    } else {
        let pending = store::pending_migrations(options).await?;
        if !pending.is_empty() {
            let message = format!(
                "the schema of the database is {} behind this version; run `subprocessor-registry migrate` with the same settings first",
                steps(pending.len())
            );
            return Err(Error::new(Reason::DatabaseUnavailable, message));
        }
    }
    Store::open(options, Arc::new(clock), catalog::territories()?).await
}

/// Brings the schema of the database up to date, under a lock, and says what it did.
///
/// # Errors
/// If the database cannot be reached or a migration fails.
pub async fn migrate(settings: &Settings) -> Result<String> {
    let options = database_options(settings);
    let applied = store::migrate(&options).await.map_err(|error| options.explain(error))?;
    Ok(match applied.as_slice() {
        [] => "the schema is up to date".to_owned(),
        names => format!("applied {}: {}", steps(names.len()), names.join(", ")),
    })
}

fn steps(count: usize) -> String {
    format!("{count} step{}", if count == 1 { "" } else { "s" })
}

fn database_options(settings: &Settings) -> store::Options {
    store::Options {
        url: settings.database.connect_url().into_owned(),
        max_connections: settings.database.max_connections,
        statement_timeout: Duration::from_secs(settings.database.statement_timeout_seconds),
        max_batch: settings.writer.max_batch,
        poll_interval: Duration::from_millis(settings.watch.poll_interval_ms),
        metrics: Metrics::none(),
    }
}

/// Applies the example manifests of organizations that were never there: what somebody changed or deleted stays so.
async fn load_examples(store: &Store) -> Result<()> {
    for (id, text) in EXAMPLES {
        let name = Name::new(Kind::Organization, None, id);
        match store.resource_id(&name).await {
            Ok(_) => continue,
            Err(error) if error.reason() == Reason::ResourceNotFound => {}
            Err(error) => return Err(error),
        }
        let call = Call { request_digest: Sha256::digest(text).into(), ..Call::internal("Examples/Load") };
        let applied = manifest::apply(store, call, text, false).await?;
        tracing::info!(organization = id, revision = applied.revision, "example loaded");
    }
    Ok(())
}

/// Resolves on SIGTERM or SIGINT. Listened to from here on, so that a signal during the start is not lost.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "told to stop");
    })
}
