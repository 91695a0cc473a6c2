//! Versions of vendors.

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
            text(manager, "parent_vendor"),
            text(manager, "website_uri"),
            small("origin"),
        ];
        schema::version_table(
            manager,
            "vendor",
            own,
            &["display_name", "parent_vendor", "website_uri", "origin"],
            false,
        )
        .await?;
        schema::value_table(manager, "vendor").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop(manager, "vendor").await
    }
}
