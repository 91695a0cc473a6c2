//! Connecting: every choice that differs between the two databases, each with its reason.

use std::{path::PathBuf, time::Duration};

use migrations::Migrator;
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DatabaseTransaction,
    DbErr, IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sqlx::{
        self,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};
use sea_orm_migration::MigratorTrait;

use crate::error::{Error, Reason, Result};

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
        }
    }

    /// Whether this is the embedded database.
    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// The file of the embedded database.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        let rest = self.url.strip_prefix("sqlite:")?;
        Some(PathBuf::from(rest.strip_prefix("//").unwrap_or(rest).split('?').next().unwrap_or_default()))
    }
}

/// Whether a driver's error means that the connection, not the statement, failed.
pub(super) fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        // Class 57P: the server was told to stop; class 08: connection exception; 53300: too many connections.
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08") || code == "53300")
        }
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
    connect.max_connections(connections).min_connections(0).acquire_timeout(Duration::from_secs(5)).sqlx_logging(false);
    if options.is_sqlite() {
        // Statements of SQLite are quick and hold a file lock: they wait for each other instead of failing.
        connect.map_sqlx_sqlite_opts(move |sqlite: SqliteConnectOptions| {
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
    let settings = if must_ask { vec![("synchronous_commit", "on")] } else { Vec::new() };
    connect(options, 1, false, settings).await
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
    if let Some(folder) = options.sqlite_path().as_deref().and_then(std::path::Path::parent)
        && !folder.as_os_str().is_empty()
    {
        std::fs::create_dir_all(folder).map_err(|error| {
            Error::new(Reason::DatabaseUnavailable, format!("cannot make the folder {}", folder.display()))
                .caused_by(error)
        })?;
    }
    let db = connect(options, 1, false, Vec::new()).await?;
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
    let db = connect(options, 1, false, Vec::new()).await?;
    let names = pending(&db).await?;
    db.close().await?;
    Ok(names)
}

async fn pending(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let pending = Migrator::get_pending_migrations(db).await?;
    Ok(pending.iter().map(|step| step.name().to_owned()).collect())
}
