//! The built-in vendors and instruments: data that ships with the binary and upgrades with it. It never touches what an
//! operator has changed or deleted.

mod territory;

use std::collections::{HashMap, HashSet};

use prost::Message;

use crate::{
    call::Call,
    error::{Reason, Result},
    manifest::{self, Entry, Flavour},
    proto::v1::{Instrument, Vendor, vendor::Origin},
    resource::{diff, name::Name},
    store::{
        Store,
        version::{Resource, Stored},
        writer::Writer,
    },
};

pub use territory::territories;

const VENDORS: &str = include_str!("../catalog/vendors.yaml");
const INSTRUMENTS: &str = include_str!("../catalog/instruments.yaml");

/// The catalog of this binary.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Its version: later ones are greater as text.
    pub version: String,
    /// Its vendors.
    pub vendors: Vec<Vendor>,
    /// Its instruments.
    pub instruments: Vec<Instrument>,
}

impl Catalog {
    /// Reads the built-in catalog.
    ///
    /// # Errors
    /// MANIFEST_INVALID if it is malformed, which a test rules out.
    pub fn builtin() -> Result<Self> {
        Self::read(VENDORS, INSTRUMENTS)
    }

    /// Reads a catalog from its two files. Its version is the later of theirs.
    ///
    /// # Errors
    /// MANIFEST_INVALID with every error and its line.
    pub fn read(vendors: &str, instruments: &str) -> Result<Self> {
        let vendors = manifest::read(vendors, Flavour::Catalog)?;
        let instruments = manifest::read(instruments, Flavour::Catalog)?;
        fn messages<T>(entries: Vec<Entry<T>>) -> Vec<T> {
            entries.into_iter().map(|entry| entry.message).collect()
        }
        Ok(Self {
            version: vendors.version.max(instruments.version).unwrap_or_default(),
            vendors: messages(vendors.vendors),
            instruments: messages(instruments.instruments),
        })
    }
}

/// Brings a registry up to a catalog, in one revision. A registry that has seen this one or a later one is left as it
/// is, so that replicas of different versions do not undo each other. Returns how many resources changed.
///
/// # Errors
/// If the database fails.
pub async fn load(store: &Store, catalog: Catalog) -> Result<i64> {
    let call = Call::internal("Catalog/Load");
    let loaded = store.write(call, move |writer| Box::pin(bring_up(writer, catalog))).await?;
    Ok(loaded.changed)
}

/// What loading did.
#[derive(Clone, PartialEq, Eq, Message)]
struct Loaded {
    #[prost(int64, tag = "1")]
    changed: i64,
}

async fn bring_up(writer: &mut Writer, catalog: Catalog) -> Result<Loaded> {
    if writer.catalog_version() >= catalog.version.as_str() {
        return Ok(Loaded { changed: 0 });
    }
    writer.set_catalog_version(&catalog.version);
    let mut changed = 0;
    let mut open = Vec::new();
    for mut vendor in catalog.vendors {
        vendor.set_origin(Origin::Catalog);
        if let Some(before) = untouched(writer, &vendor, Vendor::origin).await? {
            open.push((before, vendor));
        }
    }
    let parents: HashMap<String, String> =
        open.iter().map(|(_, vendor)| (vendor.name.clone(), vendor.parent_vendor.clone())).collect();
    for (before, mut vendor) in open {
        if !can_own(writer, &parents, &vendor).await? {
            vendor.parent_vendor.clear();
        }
        if let Some(before) = &before
            && let Err(error) = vendor.refuse_loss(writer, &before.message).await
        {
            match error.reason() {
                Reason::ResourceInUse => {
                    tracing::warn!(vendor = vendor.name, error = %error, "not upgraded");
                    continue;
                }
                _ => return Err(error),
            }
        }
        changed += i64::from(offer(writer, before, vendor).await?);
    }
    for mut instrument in catalog.instruments {
        instrument.set_origin(Origin::Catalog);
        if let Some(before) = untouched(writer, &instrument, Instrument::origin).await? {
            changed += i64::from(offer(writer, before, instrument).await?);
        }
    }
    Ok(Loaded { changed })
}

/// Whether the owner that the catalog names is there, and nobody would own itself through it: an operator may have
/// deleted it, or have sold it to the vendor.
async fn can_own(writer: &Writer, parents: &HashMap<String, String>, vendor: &Vendor) -> Result<bool> {
    let mut seen = HashSet::from([vendor.name.clone()]);
    let mut next = vendor.parent_vendor.clone();
    while !next.is_empty() {
        if !seen.insert(next.clone()) {
            return Ok(false);
        }
        if let Some(parent) = parents.get(&next) {
            next.clone_from(parent);
            continue;
        }
        let name = Name::of(Vendor::KIND, "parent_vendor", &next)?;
        let Some(stored) = writer.find::<Vendor>(&name).await? else { break };
        if stored.is_deleted() {
            // The direct owner must be there; of those above it others speak.
            return Ok(next != vendor.parent_vendor);
        }
        next = stored.message.parent_vendor;
    }
    Ok(true)
}

/// What a resource of the catalog would replace (inside: nothing, if it is new); none if an operator has had a hand in
/// it.
async fn untouched<R: Resource>(
    writer: &Writer,
    message: &R,
    origin: fn(&R) -> Origin,
) -> Result<Option<Option<Stored<R>>>> {
    let name = Name::of(R::KIND, "name", message.header().name)?;
    let before = writer.find::<R>(&name).await?;
    let free = before.as_ref().is_none_or(|b| !b.is_deleted() && origin(&b.message) == Origin::Catalog);
    Ok(free.then_some(before))
}

/// Writes one resource of the catalog, if it says anything new.
async fn offer<R: Resource>(writer: &mut Writer, before: Option<Stored<R>>, message: R) -> Result<bool> {
    if before.as_ref().is_some_and(|b| diff::same(&b.message.transcode_to_dynamic(), &message.transcode_to_dynamic())) {
        return Ok(false);
    }
    writer.put(before.as_ref(), message).await?;
    Ok(true)
}
