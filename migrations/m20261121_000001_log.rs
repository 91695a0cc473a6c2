//! The log and what every write touches: the counter, revisions, changes, resources, references, remembered requests.

use sea_orm_migration::prelude::*;

use crate::schema::{big, bytes, index, maybe_bytes, small, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One row. Every writing transaction locks it first, so commit order is revision order.
        manager
            .create_table(
                Table::create()
                    .table(Alias::new("counter"))
                    .col(small("id").primary_key())
                    .col(big("batch"))
                    .col(big("revision"))
                    .col(big("commit_time"))
                    .col(big("next_resource_id"))
                    .col(bytes("hash"))
                    .col(text(manager, "catalog_version"))
                    .to_owned(),
            )
            .await?;
        manager
            .exec_stmt(
                Query::insert()
                    .into_table(Alias::new("counter"))
                    .columns(
                        ["id", "batch", "revision", "commit_time", "next_resource_id", "hash", "catalog_version"]
                            .map(Alias::new),
                    )
                    .values_panic([
                        1.into(),
                        0i64.into(),
                        0i64.into(),
                        0i64.into(),
                        1i64.into(),
                        vec![0u8; 32].into(),
                        "".into(),
                    ])
                    .to_owned(),
            )
            .await?;

        manager
            .create_table(
                Table::create()
                    .table(Alias::new("revision"))
                    .col(big("number").primary_key())
                    .col(big("commit_time"))
                    .col(text(manager, "principal"))
                    .col(text(manager, "method"))
                    .col(text(manager, "request_id"))
                    .col(small("format"))
                    .col(small("change_count"))
                    .col(bytes("hash"))
                    .col(bytes("previous_hash"))
                    .to_owned(),
            )
            .await?;
        for column in ["commit_time", "principal", "method", "request_id"] {
            index(manager, "revision", &[column, "number"]).await?;
        }

        manager
            .create_table(
                Table::create()
                    .table(Alias::new("change"))
                    .col(big("revision"))
                    .col(small("ordinal"))
                    .col(big("resource_id"))
                    .col(small("resource_kind"))
                    .col(big("organization_id"))
                    .col(text(manager, "name"))
                    .col(small("kind"))
                    .col(ColumnDef::new(Alias::new("before_revision")).big_integer().null())
                    .col(maybe_bytes("before_digest"))
                    .col(maybe_bytes("after_digest"))
                    .col(text(manager, "reason"))
                    .primary_key(Index::create().col(Alias::new("revision")).col(Alias::new("ordinal")))
                    .to_owned(),
            )
            .await?;
        index(manager, "change", &["resource_id", "revision"]).await?;
        index(manager, "change", &["organization_id", "revision"]).await?;

        // One permanent row for each resource: it keeps the name from being given again and carries references.
        manager
            .create_table(
                Table::create()
                    .table(Alias::new("resource"))
                    .col(big("id").primary_key())
                    .col(text(manager, "name").unique_key())
                    .col(text(manager, "uid").unique_key())
                    .col(small("kind"))
                    .col(big("organization_id"))
                    .to_owned(),
            )
            .await?;

        // What the live version of a resource refers to.
        manager
            .create_table(
                Table::create()
                    .table(Alias::new("reference"))
                    .col(big("from_id"))
                    .col(big("to_id"))
                    .col(text(manager, "field"))
                    .primary_key(
                        Index::create().col(Alias::new("from_id")).col(Alias::new("to_id")).col(Alias::new("field")),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .name("fk_reference_from")
                            .from(Alias::new("reference"), Alias::new("from_id"))
                            .to(Alias::new("resource"), Alias::new("id")),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .name("fk_reference_to")
                            .from(Alias::new("reference"), Alias::new("to_id"))
                            .to(Alias::new("resource"), Alias::new("id")),
                    )
                    .to_owned(),
            )
            .await?;
        index(manager, "reference", &["to_id", "field"]).await?;

        // Answers remembered by request id. Not part of the log; forgotten after a day.
        manager
            .create_table(
                Table::create()
                    .table(Alias::new("request"))
                    .col(text(manager, "principal"))
                    .col(text(manager, "request_id"))
                    .col(text(manager, "method"))
                    .col(bytes("digest"))
                    .col(big("answer_time"))
                    .col(big("resource_id"))
                    .col(bytes("response"))
                    .primary_key(Index::create().col(Alias::new("principal")).col(Alias::new("request_id")))
                    .to_owned(),
            )
            .await?;
        index(manager, "request", &["answer_time"]).await?;
        index(manager, "request", &["resource_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["request", "reference", "resource", "change", "revision", "counter"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        Ok(())
    }
}
