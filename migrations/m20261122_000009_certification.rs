//! Versions of certifications.

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
        let texts = [
            "parent",
            "framework",
            "entity_id",
            "start_date",
            "start_date_desc",
            "end_date",
            "end_date_desc",
            "next_due_date",
            "next_due_date_desc",
        ];
        let mut own: Vec<ColumnDef> = texts.iter().map(|name| text(manager, name)).collect();
        own.push(small("status"));
        let indexed = [&texts[..], &["status"]].concat();
        schema::version_table(manager, "certification", own, &indexed, true).await?;
        schema::value_table(manager, "certification").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::drop(manager, "certification").await
    }
}
