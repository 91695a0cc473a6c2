//! Versions of subscriptions, and the tables of what is sent, which are not in the log: secrets, deliveries and their
//! attempts, and how far the log has been followed.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

use crate::schema::{self, big, bytes, index, small, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::version_table(
            manager,
            "subscription",
            vec![text(manager, "customer"), small("state"), text(manager, "endpoint_digest")],
            &["customer", "state", "endpoint_digest"],
            true,
        )
        .await?;
        schema::value_table(manager, "subscription").await?;

        let secrets = Table::create()
            .table(Alias::new("subscription_secret"))
            .col(text(manager, "uid"))
            .col(small("number"))
            .col(bytes("sealed"))
            .col(big("expire_time"))
            .primary_key(Index::create().col(Alias::new("uid")).col(Alias::new("number")))
            .to_owned();
        manager.create_table(secrets).await?;

        let mut deliveries = Table::create();
        deliveries.table(Alias::new("delivery"));
        let texts = [
            "name",
            "subscription",
            "customer",
            "recipient",
            "notice",
            "endpoint",
            "target",
            "event_key",
            "event_type",
            "claim",
            "error",
        ];
        for name in texts {
            deliveries.col(text(manager, name));
        }
        for name in ["organization_id", "revision", "due_time", "create_time", "update_time", "deliver_time"] {
            deliveries.col(big(name));
        }
        for name in ["channel", "state", "attempt_count"] {
            deliveries.col(small(name));
        }
        deliveries.primary_key(Index::create().col(Alias::new("name")));
        manager.create_table(deliveries.to_owned()).await?;
        // One event reaches a receiver once, however often the log is followed.
        let once = "CREATE UNIQUE INDEX ux_delivery_target ON delivery (target, event_key)";
        manager.get_connection().execute_unprepared(once).await?;
        // What is due next on a channel; what is over is due at the end of time.
        index(manager, "delivery", &["channel", "due_time", "name"]).await?;
        for column in ["subscription", "customer", "notice", "state", "revision"] {
            index(manager, "delivery", &[column, "name"]).await?;
        }
        index(manager, "delivery", &["organization_id", "name"]).await?;
        index(manager, "delivery", &["organization_id", "state", "name"]).await?;
        index(manager, "delivery", &["organization_id", "revision", "name"]).await?;

        let attempts = Table::create()
            .table(Alias::new("delivery_attempt"))
            .col(text(manager, "delivery"))
            .col(small("number"))
            .col(big("attempt_time"))
            .col(small("status_code"))
            .col(text(manager, "error"))
            .col(big("duration"))
            .primary_key(Index::create().col(Alias::new("delivery")).col(Alias::new("number")))
            .to_owned();
        manager.create_table(attempts).await?;

        let cursor = Table::create()
            .table(Alias::new("outbox"))
            .col(ColumnDef::new(Alias::new("id")).integer().not_null().primary_key())
            .col(big("revision"))
            .col(small("step"))
            .col(text(manager, "after"))
            .to_owned();
        manager.create_table(cursor).await?;
        // What happened before there were subscriptions is told to nobody.
        let start = "INSERT INTO outbox (id, revision, step, after) SELECT 1, revision, 0, '' FROM counter";
        manager.get_connection().execute_unprepared(start).await?;
        if manager.get_database_backend() == DatabaseBackend::Postgres {
            // Rows are updated several times each, soon after they are made: their space is to be used again on the page.
            let room = "ALTER TABLE delivery SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)";
            manager.get_connection().execute_unprepared(room).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["outbox", "delivery_attempt", "delivery", "subscription_secret"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        schema::drop(manager, "subscription").await
    }
}
