//! The list of an organization (DESIGN §4): the lifecycle and its gates, the chain, what counts as a duplicate, and
//! lists as they are really published.

mod chain;
mod diff;
mod duplicates;
mod found;
mod gates;
mod lifecycle;
mod published;
mod reach;
mod untold;
mod vendors;

use subprocessor_registry::proto::v1;
use tonic::Status;

use crate::support::{Server, subprocessor};

const ACME: &str = "organizations/acme";

/// Creates a subprocessor of ACME.
async fn engage(server: &mut Server, id: &str, message: v1::Subprocessor) -> Result<v1::Subprocessor, Status> {
    subprocessor(server, ACME, id, message).await
}

/// A row of a list that names nobody.
fn row(display_name: &str) -> v1::Subprocessor {
    v1::Subprocessor { display_name: display_name.into(), ..Default::default() }
}

/// A row of a list that names a vendor of the same id.
fn named(vendor: &str) -> v1::Subprocessor {
    v1::Subprocessor { vendor: format!("vendors/{vendor}"), ..row(vendor) }
}

/// The full name of one of ACME's subprocessors.
fn name(id: &str) -> String {
    format!("{ACME}/subprocessors/{id}")
}
