//! Versions of acknowledgements.

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
        let texts = ["subject", "principal", "return_date", "return_date_desc"];
        let mut own: Vec<ColumnDef> = texts.iter().map(|name| text(manager, name)).collect();
        own.push(small("finding_kind"));
        let indexed = [&texts[..], &["finding_kind"]].concat();
        schema::version_table(manager, "acknowledgement", own, &indexed, true).await?;
        schema::value_table(manager, "acknowledgement").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop(manager, "acknowledgement").await
    }
}
