//! What the steps share that make version tables: their columns. Frozen with them.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

/// Text that compares by code point on both databases: SQLite does so by itself, PostgreSQL only under "C".
pub(crate) fn text(manager: &SchemaManager<'_>, name: &str) -> ColumnDef {
    let mut column = ColumnDef::new(Alias::new(name));
    column.text().not_null();
    if manager.get_database_backend() == DatabaseBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column
}

/// A 64-bit number that is always there. Instants are microseconds since 1970.
pub(crate) fn big(name: &str) -> ColumnDef {
    let mut column = ColumnDef::new(Alias::new(name));
    column.big_integer().not_null();
    column
}

/// A small number: an enum, a kind.
pub(crate) fn small(name: &str) -> ColumnDef {
    let mut column = ColumnDef::new(Alias::new(name));
    column.integer().not_null();
    column
}

/// A truth value.
pub(crate) fn flag(name: &str) -> ColumnDef {
    let mut column = ColumnDef::new(Alias::new(name));
    column.boolean().not_null();
    column
}

/// Bytes.
pub(crate) fn bytes(name: &str) -> ColumnDef {
    let mut column = ColumnDef::new(Alias::new(name));
    column.blob().not_null();
    column
}

/// Bytes that can be absent.
pub(crate) fn maybe_bytes(name: &str) -> ColumnDef {
    let mut column = ColumnDef::new(Alias::new(name));
    column.blob().null();
    column
}

/// An index named after its table and columns.
pub(crate) async fn index(manager: &SchemaManager<'_>, table: &str, columns: &[&str]) -> Result<(), DbErr> {
    let mut create = Index::create();
    create.name(format!("ix_{table}_{}", columns.join("_"))).table(Alias::new(table));
    for column in columns {
        create.col(Alias::new(*column));
    }
    manager.create_index(create.to_owned()).await
}

/// A table of versions: the columns that all share, the resource's own, and an index for every one of its own that is
/// filtered or ordered by, within an organization (where the resource has one) and across all.
pub(crate) async fn version_table(
    manager: &SchemaManager<'_>,
    table: &str,
    own: Vec<ColumnDef>,
    indexed: &[&str],
    has_parent: bool,
) -> Result<(), DbErr> {
    let mut create = Table::create();
    create
        .table(Alias::new(table))
        .col(big("resource_id"))
        .col(big("from_revision"))
        .col(ColumnDef::new(Alias::new("to_revision")).big_integer().null())
        .col(big("organization_id"))
        .col(text(manager, "name"))
        .col(flag("deleted"))
        .col(big("create_time"))
        .col(big("update_time"))
        .col(bytes("digest"))
        .col(maybe_bytes("salt"))
        .col(maybe_bytes("body"));
    for mut column in own {
        create.col(&mut column);
    }
    create.primary_key(Index::create().col(Alias::new("resource_id")).col(Alias::new("from_revision"))).foreign_key(
        ForeignKey::create()
            .name(format!("fk_{table}_resource"))
            .from(Alias::new(table), Alias::new("resource_id"))
            .to(Alias::new("resource"), Alias::new("id")),
    );
    manager.create_table(create.to_owned()).await?;

    // At most one version of a resource is live.
    manager
        .get_connection()
        .execute_unprepared(&format!(
            "CREATE UNIQUE INDEX ux_{table}_live ON {table} (resource_id) WHERE to_revision IS NULL"
        ))
        .await?;
    index(manager, table, &["name", "from_revision"]).await?;
    for column in ["create_time", "update_time"].iter().chain(indexed) {
        index(manager, table, &[column, "name"]).await?;
    }
    if has_parent {
        index(manager, table, &["organization_id", "name", "from_revision"]).await?;
        for column in ["create_time", "update_time"].iter().chain(indexed) {
            index(manager, table, &["organization_id", column, "name"]).await?;
        }
    }
    Ok(())
}

/// The values of a table's repeated fields, keyed by version, for filters.
pub(crate) async fn value_table(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let values = format!("{table}_value");
    manager
        .create_table(
            Table::create()
                .table(Alias::new(&values))
                .col(big("resource_id"))
                .col(big("from_revision"))
                .col(text(manager, "field"))
                .col(text(manager, "value"))
                .primary_key(
                    Index::create()
                        .col(Alias::new("resource_id"))
                        .col(Alias::new("from_revision"))
                        .col(Alias::new("field"))
                        .col(Alias::new("value")),
                )
                .to_owned(),
        )
        .await?;
    index(manager, &values, &["field", "value", "resource_id", "from_revision"]).await
}

/// Drops a version table and its values.
pub(crate) async fn drop(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    manager.drop_table(Table::drop().table(Alias::new(format!("{table}_value"))).to_owned()).await?;
    manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await
}
