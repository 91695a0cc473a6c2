//! The store: versioned resources and the log of their changes, on SQLite or PostgreSQL. The only part of the registry
//! that names SeaORM. One door for reads ([`read`]), one for writes ([`write`]).
//!
//! Invariants:
//! - A version is written only by [`writer::Writer::put`], which also records the change: the two cannot diverge.
//! - A transaction that writes locks the counter row first, so commit order is revision order on both databases.
//! - What was read at a revision can be read again at it for ever, unless it was erased.

pub mod assess;
mod connect;
pub mod durability;
mod entity;
pub mod erase;
mod filter;
pub mod findings;
mod law;
pub mod list_diff;
pub mod log;
mod pages;
pub mod read;
mod references;
pub mod request;
pub mod resolve;
mod resource;
pub mod standard;
pub mod tally;
pub mod trace;
pub mod verify;
pub mod version;
pub mod watch;
pub mod write;
pub mod writer;

pub mod acknowledgement;
pub mod certification;
pub mod customer;
mod customer_view;
pub mod document;
pub mod due;
pub mod evidence;
pub mod instrument;
pub mod notice;
pub mod objection;
pub mod organization;
pub mod outbox;
pub mod papers;
pub mod publication;
pub mod recipient;
pub mod subprocessor;
pub mod subscription;
pub mod transfer;
pub mod vendor;

use std::sync::{Arc, atomic::AtomicI64};

use sea_orm::{DatabaseConnection, DbErr};

use crate::{
    clock::Clock,
    error::{Error, Reason},
    rules::law::territory::Territories,
};

pub use connect::{Options, migrate, pending_migrations};

/// A registry's database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    reads: DatabaseConnection,
    writes: write::Queue,
    operations: DatabaseConnection,
    turn: connect::Turn,
    /// Up to which revision nobody is to be told anything more, as far as this process has looked.
    quiet: AtomicI64,
    watch: watch::Hub,
    resolver: resolve::Cache,
    clock: Arc<Clock>,
    laws: Arc<law::Laws>,
    due: Arc<due::Due>,
}

impl Store {
    /// Connects to a database whose schema is current and starts its writer. `territories`: those of the regimes.
    ///
    /// # Errors
    /// DATABASE_UNAVAILABLE if it cannot be reached.
    pub async fn open(options: &Options, clock: Arc<Clock>, territories: Territories) -> crate::error::Result<Self> {
        let reads = connect::reads(options).await?;
        let connection = write::Connection::open(options, durability::must_ask(&reads).await?).await?;
        let watch = watch::Hub::start(&reads, options).await?;
        let (resolver, laws) = (resolve::Cache::default(), Arc::new(law::Laws::new(territories)));
        let due = Arc::new(due::Due::default());
        let (operations, turn) = (connect::operations(options).await?, connect::Turn::new(options));
        let common = write::Common {
            clock: Arc::clone(&clock),
            laws: Arc::clone(&laws),
            due: Arc::clone(&due),
            turn: turn.clone(),
            metrics: Arc::clone(&options.metrics),
        };
        let writes = write::Queue::start(connection, common, options.max_batch, watch.head());
        Ok(Self {
            inner: Arc::new(Inner {
                reads,
                writes,
                operations,
                turn,
                quiet: AtomicI64::new(0),
                watch,
                resolver,
                clock,
                laws,
                due,
            }),
        })
    }

    /// The clock by which this store stamps its transactions.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(crate) fn reads(&self) -> &DatabaseConnection {
        &self.inner.reads
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// DATABASE_UNAVAILABLE if it does not.
    pub async fn ping(&self) -> crate::error::Result<()> {
        Ok(self.inner.reads.ping().await?)
    }
}

impl From<DbErr> for Error {
    /// Driver text never leaves: what a caller can act on is whether to try again.
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => {
                Self::new(Reason::DatabaseUnavailable, "the database cannot be reached; try again").caused_by(error)
            }
            DbErr::Query(sea_orm::RuntimeErr::SqlxError(ref cause))
            | DbErr::Exec(sea_orm::RuntimeErr::SqlxError(ref cause))
                if connect::is_passing(cause) =>
            {
                Self::new(Reason::DatabaseUnavailable, "the database cannot be reached; try again").caused_by(error)
            }
            _ => Self::internal(error),
        }
    }
}
