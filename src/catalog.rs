//! The built-in vendors and instruments: data that ships with the binary and upgrades with it. It never touches what an
//! operator has changed or deleted.

use prost::Message;

use crate::{
    call::Call,
    error::Result,
    manifest::{self, Entry, Flavour},
    proto::v1::{Instrument, Vendor, vendor::Origin},
    resource::{
        diff,
        name::{Kind, Name},
    },
    store::{Store, version::Resource, writer::Writer},
};

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
    for mut vendor in catalog.vendors {
        vendor.set_origin(Origin::Catalog);
        changed += i64::from(offer(writer, vendor, Vendor::origin).await?);
    }
    for mut instrument in catalog.instruments {
        instrument.set_origin(Origin::Catalog);
        changed += i64::from(offer(writer, instrument, Instrument::origin).await?);
    }
    Ok(Loaded { changed })
}

/// What a resource of the catalog refers to and an operator has deleted.
async fn missing_parent<R: Resource>(writer: &Writer, message: &R) -> Result<Option<String>> {
    for reference in message.references() {
        let Some(name) = Name::parse(&reference.name).filter(|name| name.kind() == Kind::Vendor) else { continue };
        let gone = match writer.find::<Vendor>(&name).await? {
            Some(stored) => stored.is_deleted(),
            None => writer.is_known(&name).await?,
        };
        if gone {
            return Ok(Some(reference.name));
        }
    }
    Ok(None)
}

/// Writes one resource of the catalog, unless an operator has had a hand in it.
async fn offer<R: Resource>(writer: &mut Writer, message: R, origin: fn(&R) -> Origin) -> Result<bool> {
    let name = Name::of(R::KIND, "name", message.header().name)?;
    if let Some(missing) = missing_parent(writer, &message).await? {
        // An operator deleted what it belongs to: the choice stands, and the server starts.
        tracing::warn!(%name, missing, "a resource of the catalog is left out: what it refers to was deleted");
        return Ok(false);
    }
    let Some(before) = writer.find::<R>(&name).await? else {
        // Deleted and erased: there is nothing left to compare with, and it stays gone.
        if writer.is_known(&name).await? {
            return Ok(false);
        }
        writer.put(None, message).await?;
        return Ok(true);
    };
    let untouched = !before.is_deleted() && origin(&before.message) == Origin::Catalog;
    if !untouched || diff::same(&before.message.transcode_to_dynamic(), &message.transcode_to_dynamic()) {
        return Ok(false);
    }
    writer.put(Some(&before), message).await?;
    Ok(true)
}
