//! Versions of customers.

use sea_orm_migration::prelude::*;

use crate::schema::{self, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let own = vec![
            text(manager, "display_name"),
            text(manager, "external_id"),
            text(manager, "region_code"),
            text(manager, "end_date"),
        ];
        schema::version_table(
            manager,
            "customer",
            own,
            &["display_name", "external_id", "region_code", "end_date"],
            true,
        )
        .await?;
        schema::value_table(manager, "customer").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop(manager, "customer").await
    }
}
