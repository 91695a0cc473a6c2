//! Versions of documents.

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
            text(manager, "title"),
            text(manager, "uri"),
            text(manager, "stated_date"),
            text(manager, "effective_date"),
            text(manager, "end_date"),
            small("kind"),
        ];
        schema::version_table(
            manager,
            "document",
            own,
            &["title", "uri", "stated_date", "effective_date", "end_date", "kind"],
            true,
        )
        .await?;
        schema::value_table(manager, "document").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop(manager, "document").await
    }
}
