//! The trace in which a revision was made, for what it causes. It is no part of the revision's hash.

use sea_orm_migration::prelude::*;

use crate::schema::text;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut column = text(manager, "traceparent");
        column.default("");
        manager.alter_table(Table::alter().table(Alias::new("revision")).add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let drop = Table::alter().table(Alias::new("revision")).drop_column(Alias::new("traceparent")).to_owned();
        manager.alter_table(drop).await
    }
}
