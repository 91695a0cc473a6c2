//! Which vendors names mean: an index of all vendors, kept as long as none of them changes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use prost::Message;
use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, Func, Order, Query},
};
use tokio::sync::Mutex;

use super::{
    Store,
    read::{AsOf, alive_at, fetch_all, version_query},
    version::{Resource, Stored, column, table},
};
use crate::{
    error::{Error, Reason, Result, answer_fits},
    proto::v1::{ResolveVendorsResponse, ResolvedName, Vendor},
    resource::{shape::Violations, text},
    rules::vendor_name::{Builder, Index},
};

/// Names in one request.
const MAX_NAMES: usize = 10_000;
/// Matches for one name unless the request says otherwise, and at most.
const MATCHES: usize = 5;
const MAX_MATCHES: usize = 20;
/// More bad names than these are not collected: nobody reads them.
const MAX_VIOLATIONS: usize = 1_000;
/// Vendors that are read at once.
const PAGE: u64 = 1_000;

/// Names to be resolved, checked.
#[derive(Debug)]
pub struct Question {
    names: Vec<String>,
    most: usize,
}

/// Checks what a request asks.
///
/// # Errors
/// FIELD_INVALID with every field that breaks a rule.
pub fn question(names: Vec<String>, max_matches: i32) -> Result<Question> {
    let mut wrong = Violations::new();
    match names.len() {
        0 => wrong.push(("names".to_owned(), "is required".to_owned())),
        count if count > MAX_NAMES => {
            wrong.push(("names".to_owned(), format!("has {count} elements, more than {MAX_NAMES}")));
        }
        _ => {
            let bad = names.iter().enumerate().filter_map(|(i, name)| Some((format!("names[{i}]"), name_rule(name)?)));
            wrong.extend(bad.take(MAX_VIOLATIONS));
        }
    }
    let most = match usize::try_from(max_matches) {
        Ok(0) => MATCHES,
        Ok(most) => most.min(MAX_MATCHES),
        Err(_) => {
            wrong.push(("max_matches".to_owned(), format!("must not be negative, but is {max_matches}")));
            0
        }
    };
    if wrong.is_empty() { Ok(Question { names, most }) } else { Err(Error::fields(Reason::FieldInvalid, wrong)) }
}

/// Which rule a name breaks.
fn name_rule(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some("is empty".to_owned());
    }
    let length = name.chars().count();
    if length > text::SHORT {
        return Some(format!("has {length} characters, more than {}", text::SHORT));
    }
    text::control_rule(&name.replace("\r\n", "\n"), true).map(ToOwned::to_owned)
}

/// The index of the vendors as they are now, once somebody has asked.
#[derive(Debug, Default)]
pub(super) struct Cache {
    current: Arc<Mutex<Option<Current>>>,
    /// Held while an index of the past is in use: it is made for one request, and one at a time.
    past: Mutex<()>,
}

#[derive(Debug)]
struct Current {
    /// The newest revision in which a vendor changed.
    changed: i64,
    index: Arc<Index>,
}

impl Store {
    /// The vendors that names mean.
    ///
    /// # Errors
    /// LOG_NOT_YET_WRITTEN for an `as_of` in the future; ANSWER_TOO_LARGE.
    pub async fn resolve_vendors(&self, question: Question, as_of: Option<AsOf>) -> Result<ResolveVendorsResponse> {
        // The names are sent back: what cannot be answered is not worked on.
        answer_fits("the answer", question.names.iter().map(|name| name.len() + 8).sum())?;
        let revision = self.revision_at(as_of).await?;
        let changed = self.vendors_changed().await?;
        if changed > revision {
            // What was erased since must not come out of a memory, so the past is read each time.
            let _one = self.inner.resolver.past.lock().await;
            return answer(Arc::new(self.vendor_index(revision).await?), question, revision).await;
        }
        answer(self.current_index(changed).await?, question, revision).await
    }

    /// The newest revision in which a vendor changed: every change, deletions too, makes a version.
    async fn vendors_changed(&self) -> Result<i64> {
        let query = Query::select()
            .expr_as(Func::max(Expr::col(column("from_revision"))), column("changed"))
            .from(table(Vendor::KIND))
            .to_owned();
        let row = self.reads().query_one(&query).await?;
        Ok(row.map(|row| row.try_get::<Option<i64>>("", "changed")).transpose()?.flatten().unwrap_or(0))
    }

    /// The index of the vendors as they are since `changed`. It is made by one for all who wait, also if that one has
    /// given up since.
    async fn current_index(&self, changed: i64) -> Result<Arc<Index>> {
        let mut current = Arc::clone(&self.inner.resolver.current).lock_owned().await;
        // Another one may have read a later state meanwhile; that is no answer for the revision asked for.
        if let Some(current) = current.as_ref().filter(|current| current.changed == changed) {
            return Ok(Arc::clone(&current.index));
        }
        let store = self.clone();
        let made = tokio::spawn(async move {
            let index = Arc::new(store.vendor_index(changed).await?);
            if current.as_ref().is_none_or(|current| current.changed < changed) {
                *current = Some(Current { changed, index: Arc::clone(&index) });
            }
            Ok(index)
        });
        made.await.map_err(Error::internal)?
    }

    /// An index of the vendors as they were at a revision, read page by page.
    async fn vendor_index(&self, revision: i64) -> Result<Index> {
        let mut builder = Builder::default();
        let mut last = String::new();
        loop {
            let mut query = version_query(Vendor::KIND);
            query
                .and_where(Expr::col(column("name")).gt(last.as_str()))
                .cond_where(alive_at(revision))
                .and_where(Expr::col(column("deleted")).eq(false))
                .order_by(column("name"), Order::Asc)
                .limit(PAGE);
            let rows = fetch_all(self.reads(), &query).await?;
            let Some(end) = rows.last() else { break };
            last.clone_from(&end.name);
            builder = work(move || {
                for row in rows {
                    if let Some(vendor) = Stored::<Vendor>::decode(row)? {
                        builder.add(&vendor.message);
                    }
                }
                Ok(builder)
            })
            .await?;
        }
        work(|| Ok(builder.build())).await
    }
}

async fn answer(index: Arc<Index>, question: Question, revision: i64) -> Result<ResolveVendorsResponse> {
    let waiting = Waiting::default();
    let abandoned = Arc::clone(&waiting.abandoned);
    work(move || {
        let mut answer = ResolveVendorsResponse { results: Vec::with_capacity(question.names.len()), revision };
        let mut bytes = 0;
        for name in question.names {
            if abandoned.load(Ordering::Relaxed) {
                break;
            }
            let matches = index.resolve(&name, question.most);
            let result = ResolvedName { name, matches };
            // Its tag and its length are a few bytes more.
            bytes += result.encoded_len() + 6;
            answer_fits("the answer", bytes)?;
            answer.results.push(result);
        }
        Ok(answer)
    })
    .await
}

/// Tells a computation that its caller is gone.
#[derive(Default)]
struct Waiting {
    abandoned: Arc<AtomicBool>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

/// Computes off the threads that serve.
async fn work<T: Send + 'static>(computation: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(computation).await.map_err(Error::internal)?
}
