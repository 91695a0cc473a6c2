//! What was public of an organization's list, newest first, by index: everybody can ask for its history.

use sea_orm_migration::prelude::*;

const TABLE: &str = "subprocessor";
const INDEX: &str = "ix_subprocessor_public";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Of what is public only: other lists have indexes of their own, which this one is not to be taken for.
        let create = format!(
            "CREATE INDEX {INDEX} ON {TABLE} (organization_id, from_revision, resource_id) WHERE listed AND NOT deleted"
        );
        manager.get_connection().execute_unprepared(&create).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(INDEX).table(Alias::new(TABLE)).to_owned()).await
    }
}
