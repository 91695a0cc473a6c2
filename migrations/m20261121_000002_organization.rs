//! Versions of organizations.

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
        let own = vec![
            text(manager, "display_name"),
            text(manager, "legal_name"),
            text(manager, "region_code"),
            small("role"),
        ];
        schema::version_table(
            manager,
            "organization",
            own,
            &["display_name", "legal_name", "region_code", "role"],
            false,
        )
        .await?;
        schema::value_table(manager, "organization").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop(manager, "organization").await
    }
}
