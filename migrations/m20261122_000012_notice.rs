//! Versions of notices, of their recipients and of objections.

use sea_orm_migration::prelude::*;

use crate::schema::{self, big, flag, index, small, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut own: Vec<ColumnDef> = ["title", "sender_vendor"].iter().map(|name| text(manager, name)).collect();
        own.extend([small("state"), flag("inbound"), big("publish_time"), big("due_time")]);
        let indexed = ["title", "sender_vendor", "state", "inbound", "publish_time"];
        schema::version_table(manager, "notice", own, &indexed, true).await?;
        schema::value_table(manager, "notice").await?;

        let mut own: Vec<ColumnDef> = ["parent", "customer"].iter().map(|name| text(manager, name)).collect();
        own.extend([small("method"), big("due_time")]);
        schema::version_table(manager, "recipient", own, &["parent", "customer", "method"], true).await?;
        schema::value_table(manager, "recipient").await?;

        let mut own: Vec<ColumnDef> = ["parent", "customer"].iter().map(|name| text(manager, name)).collect();
        own.extend([small("state"), small("outcome"), flag("late")]);
        let indexed = ["parent", "customer", "state", "outcome", "late"];
        schema::version_table(manager, "objection", own, &indexed, true).await?;
        schema::value_table(manager, "objection").await?;

        for table in ["recipient", "objection"] {
            for column in ["create_time", "update_time"] {
                index(manager, table, &["parent", column, "name"]).await?;
            }
        }
        // What is due next, among what is live: of what is over there is ever more.
        for table in ["notice", "recipient"] {
            let live = format!("CREATE INDEX ix_{table}_due ON {table} (due_time, name) WHERE to_revision IS NULL");
            manager.get_connection().execute_unprepared(&live).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["objection", "recipient", "notice"] {
            schema::drop(manager, table).await?;
        }
        Ok(())
    }
}
