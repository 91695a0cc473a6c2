//! Connecting: every choice that differs between the two databases, each with its reason.

mod trouble;

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use migrations::Migrator;
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DatabaseTransaction,
    DbErr, IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sqlx::{
        self, Connection, PgConnection, Row, SqliteConnection,
        postgres::PgConnectOptions,
        sqlite::{SqliteConnectOptions, SqliteError, SqliteJournalMode, SqliteSynchronous},
    },
};
use sea_orm_migration::MigratorTrait;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{
    error::{Error, Reason, Result},
    metrics::Metrics,
    resource::name::Kind,
};

/// How long a database that does not listen yet is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What SQLite's writer keeps of the database in memory, in KiB (negative, as the pragma has it).
const WRITER_CACHE: &str = "-65536";
/// The pause between two tries of that.
const CONNECT_PAUSE: Duration = Duration::from_millis(250);

/// Where the database is and how to use it.
#[derive(Debug, Clone)]
pub struct Options {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Connections for reading.
    pub max_connections: u32,
    /// Longest statement; PostgreSQL only.
    pub statement_timeout: Duration,
    /// Most writes that share one commit.
    pub max_batch: usize,
    /// How often other replicas' commits are looked for.
    pub poll_interval: Duration,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

impl Options {
    /// Options with the usual bounds for a database.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 16,
            statement_timeout: Duration::from_secs(30),
            max_batch: 64,
            poll_interval: Duration::from_millis(100),
            metrics: Metrics::none(),
        }
    }

    /// Whether this is the embedded database.
    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// The file of the embedded database.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        // As the driver reads it: what is special in a path is per-cent encoded in the URL.
        self.is_sqlite().then(|| self.url.parse::<SqliteConnectOptions>().ok())?.map(|o| o.get_filename().to_owned())
    }
}

/// Whether a driver's error says nothing of the statement, and is over by itself.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    /// 57014: the statement took too long; 55P03: a lock was not to be had; 40001 and 40P01: others were in the way; 53300: too
    /// many connections.
    const CODES: [&str; 5] = ["57014", "55P03", "40001", "40P01", "53300"];
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        sqlx::Error::Database(database) if database.try_downcast_ref::<SqliteError>().is_some() => {
            // The low byte of an extended code is its kind: 5 is SQLITE_BUSY, 6 is SQLITE_LOCKED.
            let code = database.code().and_then(|code| code.parse::<i32>().ok());
            code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
        }
        // Class 57P: the server was told to stop; class 08: connection exception.
        sqlx::Error::Database(database) => database
            .code()
            .is_some_and(|code| code.starts_with("57P") || code.starts_with("08") || CODES.contains(&&*code)),
        _ => false,
    }
}

async fn connect(
    options: &Options,
    connections: u32,
    read_only: bool,
    settings: Vec<(&'static str, &'static str)>,
) -> Result<DatabaseConnection> {
    let mut connect = ConnectOptions::new(&options.url);
    connect.max_connections(connections).min_connections(0).acquire_timeout(CONNECT_TIMEOUT).sqlx_logging(false);
    if options.is_sqlite() {
        // Statements of SQLite are quick and hold a file lock: they wait for each other instead of failing.
        connect.map_sqlx_sqlite_opts(move |sqlite: SqliteConnectOptions| {
            let sqlite = if read_only {
                sqlite
            } else {
                // A write touches a page of every index of its table. What does not fit into the cache is written to
                // the log again and again within one commit; and each savepoint would have a file of its own.
                sqlite.pragma("cache_size", WRITER_CACHE).pragma("temp_store", "MEMORY")
            };
            sqlite
                .create_if_missing(!read_only)
                .read_only(read_only)
                .journal_mode(SqliteJournalMode::Wal)
                // FULL: a commit is on disk before it is acknowledged, also when the machine loses power.
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                // What is erased or deleted is overwritten, not only unlinked.
                .pragma("secure_delete", "ON")
                .busy_timeout(Duration::from_secs(10))
        });
    } else {
        // A statement that never ends would keep its connection, and the pool can lose one that stalls on return.
        let timeout = options.statement_timeout.as_millis().to_string();
        connect.map_sqlx_postgres_opts(move |postgres| {
            postgres
                .options([("statement_timeout", timeout.as_str())])
                .options(settings.iter().copied())
                .application_name("subprocessor-registry")
        });
    }
    Database::connect(connect)
        .await
        .map_err(|error| Error::new(Reason::DatabaseUnavailable, "the database cannot be reached").caused_by(error))
}

/// The pool for reading. On SQLite it is read-only, so that a stray write fails; readers do not wait for the writer.
pub(super) async fn reads(options: &Options) -> Result<DatabaseConnection> {
    connect(options, options.max_connections, options.is_sqlite(), Vec::new()).await
}

/// The one connection of the writer. `must_ask`: PostgreSQL would acknowledge a commit before it is on disk.
pub(super) async fn writes(options: &Options, must_ask: bool) -> Result<DatabaseConnection> {
    // A replica that stalls inside a transaction holds the counter row, and so everybody's writes: it is cut.
    let mut settings = vec![("idle_in_transaction_session_timeout", "10s"), ("tcp_keepalives_idle", "30")];
    if must_ask {
        settings.push(("synchronous_commit", "on"));
    }
    connect(options, 1, false, settings).await
}

/// The connections of what is sent: of its own, because it waits for nothing that the log is locked for. On SQLite, where
/// only one writes at a time, there is one.
pub(super) async fn operations(options: &Options) -> Result<DatabaseConnection> {
    let connections = if options.is_sqlite() { 1 } else { 4 };
    connect(options, connections, false, vec![("idle_in_transaction_session_timeout", "10s")]).await
}

/// Whose turn it is to write. On SQLite the writer and what is sent wait for each other in order; two that only tried again
/// and again could keep each other out for long. PostgreSQL lets both write.
#[derive(Debug, Clone)]
pub(super) struct Turn(Option<Arc<Mutex<()>>>);

impl Turn {
    pub(super) fn new(options: &Options) -> Self {
        Self(options.is_sqlite().then(Arc::default))
    }

    /// Waits for it; it is over when what is returned is dropped.
    pub(super) async fn take(&self) -> Option<OwnedMutexGuard<()>> {
        match &self.0 {
            Some(turn) => Some(Arc::clone(turn).lock_owned().await),
            None => None,
        }
    }
}

/// Begins a transaction that will write. On SQLite it takes the write lock at once: one that reads first and writes later
/// fails under concurrency.
pub(super) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let sqlite_transaction_mode =
        (db.get_database_backend() == DatabaseBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
    db.begin_with_options(TransactionOptions { sqlite_transaction_mode, ..Default::default() }).await
}

/// Begins a transaction whose reads all see the same state, whatever is committed meanwhile.
pub(super) async fn snapshot(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = match db.get_database_backend() {
        DatabaseBackend::Postgres => TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..Default::default()
        },
        // SQLite has no other kind of transaction, and its connection cannot write.
        _ => TransactionOptions::default(),
    };
    db.begin_with_options(options).await
}

/// Brings the schema up to date and returns the steps that were applied. Safe when several replicas do it at once.
///
/// # Errors
/// DATABASE_UNAVAILABLE if the database cannot be reached, INTERNAL if a step fails.
pub async fn migrate(options: &Options) -> Result<Vec<String>> {
    /// Any number that nothing else locks.
    const LOCK: i64 = 0x7375_6270_726f_6373;
    prepare(options).await?;
    // Building an index, or waiting for another replica that does, takes as long as it takes.
    let db = connect(options, 1, false, vec![("statement_timeout", "0")]).await?;
    // Replicas that migrate at once crash into each other; the lock belongs to this one connection.
    let is_postgres = db.get_database_backend() == DatabaseBackend::Postgres;
    if is_postgres {
        db.execute_unprepared(&format!("SELECT pg_advisory_lock({LOCK})")).await?;
    }
    let outcome = async {
        let pending = pending(&db).await?;
        Migrator::up(&db, None).await?;
        Ok::<_, DbErr>(pending)
    }
    .await;
    if is_postgres {
        db.execute_unprepared(&format!("SELECT pg_advisory_unlock({LOCK})")).await?;
    }
    let applied = outcome?;
    db.close().await?;
    Ok(applied)
}

/// The steps that the database still lacks; `serve` refuses to start on it until `migrate` has run.
///
/// # Errors
/// DATABASE_UNAVAILABLE if the database cannot be reached.
pub async fn pending_migrations(options: &Options) -> Result<Vec<String>> {
    prepare(options).await?;
    let db = connect(options, 1, false, Vec::new()).await?;
    let names = pending(&db).await?;
    db.close().await?;
    Ok(names)
}

async fn pending(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let pending = Migrator::get_pending_migrations(db).await?;
    Ok(pending.iter().map(|step| step.name().to_owned()).collect())
}

/// Everything about the database that can be found wrong before it is touched, and the file of an embedded one.
async fn prepare(options: &Options) -> Result<()> {
    match options.sqlite_path() {
        Some(path) => {
            refuse_foreign(&path).await?;
            create_file(&path)
        }
        None => reach(options).await,
    }
}

/// The pool only says that it timed out: one connection of its own says why.
async fn reach(options: &Options) -> Result<()> {
    let unreachable = |error: sqlx::Error| {
        Error::new(Reason::DatabaseUnavailable, "the database cannot be reached")
            .caused_by(DbErr::Conn(sea_orm::RuntimeErr::SqlxError(error.into())))
    };
    let target: PgConnectOptions = options.url.parse().map_err(unreachable)?;
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let connected = tokio::time::timeout(left, PgConnection::connect_with(&target)).await;
        let error = match connected {
            Ok(Ok(connection)) => return connection.close().await.map_err(unreachable),
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::PoolTimedOut,
        };
        let refused = matches!(&error, sqlx::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused);
        if !refused || Instant::now() + CONNECT_PAUSE >= deadline {
            return Err(unreachable(error));
        }
        tokio::time::sleep(CONNECT_PAUSE).await;
    }
}

fn unusable(path: &Path, error: io::Error) -> Error {
    Error::new(Reason::DatabaseUnavailable, trouble::io_says(path, &error)).caused_by(error)
}

/// Refuses a file that is no database, or that of another program, before anything is written to it.
async fn refuse_foreign(path: &Path) -> Result<()> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut head = Vec::new();
    match fs::File::open(path) {
        Ok(file) => file.take(MAGIC.len() as u64).read_to_end(&mut head).map_err(|error| unusable(path, error))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(path, error)),
    };
    if head.is_empty() {
        return Ok(());
    }
    if head != MAGIC {
        return Err(Error::new(Reason::DatabaseUnavailable, trouble::not_sqlite(&path.display())));
    }
    // Where nothing waits to be merged into the file it is read as it is: not even a lock is taken.
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        Path::new(&name).exists()
    };
    let still = !beside("-wal") && !beside("-journal");
    let open = SqliteConnectOptions::new().filename(path).read_only(true).immutable(still);
    let tables = async {
        let mut connection = SqliteConnection::connect_with(&open).await?;
        let sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' \
                   ESCAPE '\\' ORDER BY name";
        let rows = sqlx::query(sql).fetch_all(&mut connection).await?;
        connection.close().await?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, sqlx::Error>>()
    }
    .await
    .map_err(|error| {
        Error::new(Reason::DatabaseUnavailable, "the database cannot be opened")
            .caused_by(DbErr::Conn(sea_orm::RuntimeErr::SqlxError(error.into())))
    })?;
    let foreign: Vec<String> = tables.iter().filter(|table| !is_ours(table)).cloned().collect();
    if foreign.is_empty() && (tables.is_empty() || tables.iter().any(|table| table == MIGRATIONS)) {
        return Ok(());
    }
    Err(Error::new(Reason::DatabaseUnavailable, trouble::foreign(path, &foreign)))
}

/// Where the steps applied to the schema are noted.
const MIGRATIONS: &str = "seaql_migrations";

fn is_ours(table: &str) -> bool {
    [
        MIGRATIONS,
        "counter",
        "revision",
        "change",
        "resource",
        "reference",
        "request",
        "outbox",
        "delivery",
        "delivery_attempt",
        "subscription_secret",
        "revision_trace",
    ]
    .contains(&table)
        || Kind::ALL.iter().any(|kind| table.strip_suffix("_value").unwrap_or(table) == kind.singular())
}

/// Makes the file and its folder for this user alone: SQLite gives its other files the mode of this one.
fn create_file(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| unusable(folder, error))?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unusable(path, error)),
    }
}
