//! What time has to do: deadlines and effects that are due, applied once, in the order of their instants, each in a
//! revision of its own.
//!
//! Every process knows the next instant at which something is due, as far as its own writes tell ([`Due`]), and asks the
//! database now and then what the writes of others tell. A call that comes after that instant first lets time catch up,
//! so that nobody is answered from before it. What is due is looked for again inside the transaction, under the lock of
//! the counter: of any number of replicas one applies it.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, Order, SelectStatement},
};

use super::{
    Store,
    entity::change,
    notice::passing::Blame,
    read::{existing_query, version_query},
    version::column,
};
use crate::{
    call::Call,
    error::{Error, Reason, Result, causes},
    resource::name::Kind,
};

/// Revisions that a call waits for at most; the rest is the schedule's.
const PATIENCE: usize = 200;

/// What a process knows of what is due.
#[derive(Debug)]
pub struct Due {
    /// Microseconds since 1970 of the next instant at which something is due, as far as is known; as [`Known`] has it.
    next: AtomicI64,
    known: Mutex<Known>,
    /// Held by whoever lets time catch up: others wait for it.
    passing: tokio::sync::Mutex<()>,
    /// Some notice is HELD: what is written may meet its gate.
    held: AtomicBool,
    /// The revision at which notices that are HELD were tried last.
    tried: AtomicI64,
}

#[derive(Debug)]
struct Known {
    next: i64,
    /// How often something was said to be due.
    told: u64,
}

impl Default for Due {
    fn default() -> Self {
        // Nothing is known yet: the first to come finds out.
        Self {
            next: AtomicI64::new(i64::MIN),
            known: Mutex::new(Known { next: i64::MIN, told: 0 }),
            passing: tokio::sync::Mutex::default(),
            held: AtomicBool::new(true),
            tried: AtomicI64::new(-1),
        }
    }
}

impl Due {
    /// Something is due at an instant, in microseconds since 1970.
    pub(super) fn expect(&self, micros: i64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.told += 1;
        known.next = Ord::min(known.next, micros);
        self.next.store(known.next, Ordering::SeqCst);
    }

    /// A notice is HELD.
    pub(super) fn expect_held(&self) {
        self.held.store(true, Ordering::SeqCst);
    }

    fn told(&self) -> u64 {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).told
    }

    /// The database says that nothing is due before an instant; unless something else was said to be since `told`.
    fn learn(&self, micros: i64, told: u64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.told == told {
            known.next = micros;
            self.next.store(micros, Ordering::SeqCst);
        }
    }
}

impl Store {
    /// Applies what is due by now, so that whoever asks after this is not answered from before it. Costs a comparison if
    /// nothing is.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn catch_up(&self) -> Result<()> {
        let due = &self.inner.due;
        let head = || *self.inner.watch.head().borrow();
        let is_due = || due.next.load(Ordering::SeqCst) <= self.clock().now().as_microsecond();
        let is_held = || due.held.load(Ordering::SeqCst) && due.tried.load(Ordering::SeqCst) != head();
        if !is_due() && !is_held() {
            return Ok(());
        }
        let _passing = due.passing.lock().await;
        let mut tried = false;
        for _ in 0..PATIENCE {
            if is_due() {
                let told = due.told();
                let next = self.apply_next().await?;
                due.learn(next, told);
            } else if is_held() && !std::mem::replace(&mut tried, true) {
                self.retry_held().await?;
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Looks in the database for what is due, for the writes of other replicas.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn look_for_due(&self) -> Result<()> {
        for kind in [Kind::Notice, Kind::Recipient] {
            let query = next_due(kind, 1);
            if let Some(row) = self.reads().query_one(&query).await? {
                self.inner.due.expect(row.try_get("", "due_time")?);
            }
        }
        self.inner.due.expect_held();
        Ok(())
    }

    /// Applies what is due next, and returns when something is due after it.
    async fn apply_next(&self) -> Result<i64> {
        let blame = Blame::default();
        let on = blame.clone();
        let applied = self
            .write(Call::internal("Schedule/Apply"), |writer| {
                Box::pin(async move { Box::pin(writer.apply_next_due(&on)).await })
            })
            .await;
        let error = match applied {
            Err(error) if is_about_the_notice(&error) => error,
            other => return other,
        };
        // What is due may have changed since: what failed is put off, and nothing else.
        let Some((name, micros)) = blame.take() else { return Err(error) };
        tracing::warn!(%name, %error, cause = %causes(&error), "what is due could not be applied; it is put off");
        let reason = error.to_string();
        // It must not stop all that is due after it.
        self.write(Call::internal("Schedule/Hold"), move |writer| {
            Box::pin(async move { Box::pin(writer.hold_due(&name, micros, reason)).await })
        })
        .await
    }

    /// Tries again what is HELD.
    async fn retry_held(&self) -> Result<()> {
        let due = &self.inner.due;
        // What is written while notices are tried is looked at in the next round.
        let head = *self.inner.watch.head().borrow();
        let tried_at = due.tried.load(Ordering::SeqCst);
        let query = held();
        let rows = self.reads().query_all(&query).await?;
        due.held.store(!rows.is_empty(), Ordering::SeqCst);
        let mut changed: HashMap<i64, bool> = HashMap::new();
        for row in rows {
            let name: String = row.try_get("", "name")?;
            let organization: i64 = row.try_get("", "organization_id")?;
            for of in [0, organization] {
                if let Entry::Vacant(unknown) = changed.entry(of) {
                    unknown.insert(self.has_changed(of, tried_at).await?);
                }
            }
            // What others have written has met none of its gates.
            if ![0, organization].iter().any(|of| changed.get(of).is_some_and(|changed| *changed)) {
                continue;
            }
            let tried = self
                .write(Call::internal("Schedule/Retry"), |writer| {
                    Box::pin(async move { Box::pin(writer.retry_held(&name)).await })
                })
                .await;
            match tried {
                Ok(next) => due.expect(next),
                Err(error) if is_about_the_notice(&error) => {
                    tracing::info!(%error, "a notice that is HELD could not be tried");
                }
                Err(error) => return Err(error),
            }
        }
        due.tried.store(head, Ordering::SeqCst);
        Ok(())
    }

    /// Whether something of an organization was changed after a revision; 0: of what belongs to none.
    async fn has_changed(&self, organization_id: i64, after: i64) -> Result<bool> {
        let changes = change::Entity::find()
            .filter(change::Column::OrganizationId.eq(organization_id))
            .filter(change::Column::Revision.gt(after))
            .limit(1);
        Ok(changes.one(self.reads()).await?.is_some())
    }
}

/// Whether a failure says something of what was to be applied, and not of the database.
fn is_about_the_notice(error: &Error) -> bool {
    !matches!(
        error.reason(),
        Reason::DatabaseUnavailable | Reason::CommitOutcomeUnknown | Reason::ServerStopping | Reason::DeadlineExceeded
    )
}

/// What is due next, of a kind.
pub(super) fn next_due(kind: Kind, size: u64) -> SelectStatement {
    let mut query = version_query(kind);
    query
        .column(column("due_time"))
        .and_where(Expr::col(column("to_revision")).is_null())
        .and_where(Expr::col(column("due_time")).lt(i64::MAX))
        .order_by(column("due_time"), Order::Asc)
        .order_by(column("name"), Order::Asc)
        .limit(size);
    query
}

/// The notices that are HELD, without what they say.
fn held() -> SelectStatement {
    let mut query = existing_query(Kind::Notice);
    query
        .clear_selects()
        .columns(["name", "organization_id"].map(column))
        .and_where(Expr::col(column("state")).eq(i32::from(crate::proto::v1::notice::State::Held)))
        .order_by(column("name"), Order::Asc);
    query
}

/// What a write has to say of what is due, kept until it is committed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Noted {
    /// The earliest instant at which something is due, in microseconds since 1970.
    next: Option<i64>,
    held: bool,
}

impl Noted {
    pub(super) fn note(&mut self, micros: i64) {
        self.next = Some(self.next.map_or(micros, |next| Ord::min(next, micros)));
    }

    pub(super) fn note_held(&mut self) {
        self.held = true;
    }

    /// The one who notes it sees to it.
    pub(super) fn forget_next(&mut self) {
        self.next = None;
    }

    pub(super) fn merge(&mut self, other: Self) {
        if let Some(next) = other.next {
            self.note(next);
        }
        self.held |= other.held;
    }

    pub(super) fn tell(self, due: &Arc<Due>) {
        if let Some(next) = self.next {
            due.expect(next);
        }
        if self.held {
            due.expect_held();
        }
    }
}
