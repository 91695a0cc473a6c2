//! Filling a registry: the catalog and later changes through the store's writer, the lists in bulk. What comes out is a
//! registry like any other, log included.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use prost_types::FieldMask;
use subprocessor_registry::{
    call::Call,
    catalog::{self, Catalog},
    clock::Clock,
    proto::v1,
    rules::law::territory::Territories,
    store::{self, Store, standard, verify::Range},
};

use super::{
    Result, bulk,
    data::{self, Space},
};

/// Changes in one revision, at most; the first of an organization is the organization itself.
const CHANGES: usize = 1_000;
/// Rows up to which the whole log is checked afterwards; it takes as long as the writing.
const CHECKED: usize = 100_000;

/// The revisions of a filled registry.
#[derive(Debug, Clone, Copy)]
pub struct History {
    /// The catalog, then the organizations with their lists: at this one everything is there.
    pub filled: i64,
    /// Then updates of single subprocessors, a revision each, up to this one.
    pub last: i64,
}

impl History {
    pub fn of(space: &Space) -> Self {
        let filled = 1 + bulk::parts(space, CHANGES).len() as i64;
        Self { filled, last: filled + updates(space) as i64 }
    }
}

/// Enough to resume a stream anywhere in them, however small the registry is.
fn updates(space: &Space) -> usize {
    (space.rows / 20).clamp(2_000, 5_000)
}

/// Fills an empty database.
pub async fn fill(url: &str, space: &Arc<Space>) -> Result<()> {
    let begun = Instant::now();
    let mut options = store::Options::new(url);
    options.statement_timeout = Duration::from_secs(3_600);
    store::migrate(&options).await?;
    let store = Store::open(&options, Arc::new(Clock::System), Territories::default()).await?;
    catalog::load(&store, Catalog::builtin()?).await?;

    drop(store);
    bulk::write(url, space, bulk::parts(space, CHANGES)).await?;
    eprintln!("  lists written in {:.0} s", begun.elapsed().as_secs_f64());
    let store = Store::open(&options, Arc::new(Clock::System), Territories::default()).await?;
    let filled = store.head().await?;

    let changes = stream::iter(0..updates(space)).map(|edition| {
        let (store, space) = (store.clone(), Arc::clone(space));
        async move { tokio::spawn(update(store, space, edition)).await? }
    });
    changes.buffer_unordered(options.max_batch).try_collect::<()>().await?;

    let (expected, last) = (History::of(space), store.head().await?);
    if (filled, last) != (expected.filled, expected.last) {
        return Err(format!("filled at revision {filled}, ended at {last}; expected {expected:?}").into());
    }
    eprintln!("  filled in {:.0} s", begun.elapsed().as_secs_f64());
    if space.rows <= CHECKED {
        let begun = Instant::now();
        let answer = store.verify(&Range::default()).await?;
        if !answer.verified {
            return Err(format!("the log does not verify: {:?}", answer.problems).into());
        }
        eprintln!("  log verified in {:.0} s", begun.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Changes one subprocessor, anywhere.
async fn update(store: Store, space: Arc<Space>, edition: usize) -> Result<()> {
    let (organization, number) = space.locate(data::scatter(edition) % space.rows);
    let message = v1::Subprocessor {
        name: data::name(organization, number),
        service_description: data::description("hosting", "US", edition + 1),
        ..Default::default()
    };
    let mask = FieldMask { paths: vec!["service_description".to_owned()] };
    let change = standard::change(Some(message), Some(mask))?;
    store.write(Call::internal("Load/Update"), |writer| Box::pin(writer.update(change))).await?;
    Ok(())
}
