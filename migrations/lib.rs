//! The schema of the registry, step by step. A published file is frozen: what changes comes in a new one. Nothing here
//! imports the registry's live entities, so that an old step means the same for ever.

use sea_orm_migration::prelude::*;

mod m20261121_000001_log;
mod m20261121_000002_organization;
mod m20261121_000003_document;
mod m20261121_000004_customer;
mod m20261121_000005_vendor;
mod m20261121_000006_subprocessor;
mod m20261121_000007_instrument;
mod m20261122_000008_vendor_changes;
mod m20261122_000009_certification;
mod m20261122_000010_transfer;
mod m20261122_000011_acknowledgement;
mod m20261122_000012_notice;
mod m20261122_000013_subscription;
mod m20261122_000014_trace;
mod m20261123_000015_history;
mod schema;

/// Runs the steps.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_log::Migration),
            Box::new(m20261121_000002_organization::Migration),
            Box::new(m20261121_000003_document::Migration),
            Box::new(m20261121_000004_customer::Migration),
            Box::new(m20261121_000005_vendor::Migration),
            Box::new(m20261121_000006_subprocessor::Migration),
            Box::new(m20261121_000007_instrument::Migration),
            Box::new(m20261122_000008_vendor_changes::Migration),
            Box::new(m20261122_000009_certification::Migration),
            Box::new(m20261122_000010_transfer::Migration),
            Box::new(m20261122_000011_acknowledgement::Migration),
            Box::new(m20261122_000012_notice::Migration),
            Box::new(m20261122_000013_subscription::Migration),
            Box::new(m20261122_000014_trace::Migration),
            Box::new(m20261123_000015_history::Migration),
        ]
    }
}
