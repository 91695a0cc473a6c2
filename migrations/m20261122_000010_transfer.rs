//! Versions of transfers.

use sea_orm_migration::prelude::*;

use crate::schema::{self, small, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let texts =
            ["exporter", "importer", "onward_from", "start_date", "start_date_desc", "end_date", "end_date_desc"];
        let mut own: Vec<ColumnDef> = texts.iter().map(|name| text(manager, name)).collect();
        own.push(small("regime"));
        let indexed = [&texts[..], &["regime"]].concat();
        schema::version_table(manager, "transfer", own, &indexed, true).await?;
        schema::value_table(manager, "transfer").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop(manager, "transfer").await
    }
}
