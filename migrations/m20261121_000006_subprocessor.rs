//! Versions of subprocessors.

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
            text(manager, "display_name"),
            text(manager, "vendor"),
            text(manager, "section"),
            text(manager, "engaged_by"),
            text(manager, "start_date"),
            text(manager, "start_date_desc"),
            text(manager, "end_date"),
            text(manager, "end_date_desc"),
            text(manager, "next_review_date"),
            small("role"),
            small("state"),
            flag("listed"),
        ];
        schema::version_table(
            manager,
            "subprocessor",
            own,
            &[
                "display_name",
                "vendor",
                "section",
                "engaged_by",
                "start_date",
                "start_date_desc",
                "end_date",
                "end_date_desc",
                "next_review_date",
                "role",
                "state",
                "listed",
            ],
            true,
        )
        .await?;
        schema::value_table(manager, "subprocessor").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop(manager, "subprocessor").await
    }
}
