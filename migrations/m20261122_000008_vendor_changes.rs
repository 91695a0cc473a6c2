//! When vendors changed last, by index: what is built from all of them is built again only then.

use sea_orm_migration::prelude::*;

const TABLE: &str = "vendor";
const INDEX: &str = "ix_vendor_from_revision";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut create = Index::create();
        create.name(INDEX).table(Alias::new(TABLE)).col(Alias::new("from_revision"));
        manager.create_index(create.to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(INDEX).table(Alias::new(TABLE)).to_owned()).await
    }
}
