//! The trace in which a revision was made, for what it causes. It is no part of the log: nothing hashes it, and it may be
//! thrown away.

use sea_orm_migration::prelude::*;

use crate::schema::{big, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let traces = Table::create()
            .table(Alias::new("revision_trace"))
            .col(big("revision").primary_key())
            .col(text(manager, "traceparent"))
            .to_owned();
        manager.create_table(traces).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Alias::new("revision_trace")).to_owned()).await
    }
}
