//! Versions of instruments.

use sea_orm_migration::prelude::*;

use crate::schema::{self, flag, small, text};

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
            text(manager, "citation"),
            text(manager, "celex"),
            small("kind"),
            small("origin"),
            flag("is_transfer_mechanism"),
        ];
        schema::version_table(
            manager,
            "instrument",
            own,
            &["title", "citation", "celex", "kind", "origin", "is_transfer_mechanism"],
            false,
        )
        .await?;
        schema::value_table(manager, "instrument").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop(manager, "instrument").await
    }
}
