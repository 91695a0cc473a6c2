//! The permanent rows of resources and what refers to what.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, sea_query::SelectStatement,
};

use super::entity::{reference, resource};
use crate::error::Result;

/// Values bound in one statement at most. SQLite takes 32,766, PostgreSQL 65,535.
pub(super) const BOUND: usize = 10_000;

/// The permanent row of a name.
pub(super) async fn find(db: &impl ConnectionTrait, name: &str) -> Result<Option<resource::Model>> {
    Ok(resource::Entity::find().filter(resource::Column::Name.eq(name)).one(db).await?)
}

/// The id of a name, for a statement that needs no more of it.
pub(super) fn id_of(name: &str) -> SelectStatement {
    resource::Entity::find()
        .select_only()
        .column(resource::Column::Id)
        .filter(resource::Column::Name.eq(name))
        .into_query()
}

/// The permanent rows of names, in few queries: [`BOUND`] names in each.
pub(super) async fn find_all(db: &impl ConnectionTrait, mut names: Vec<String>) -> Result<Vec<resource::Model>> {
    names.sort();
    names.dedup();
    let mut rows = Vec::new();
    for names in names.chunks(BOUND) {
        rows.extend(resource::Entity::find().filter(resource::Column::Name.is_in(names)).all(db).await?);
    }
    Ok(rows)
}

/// Makes the permanent row of a new resource.
pub(super) async fn insert(db: &impl ConnectionTrait, row: resource::Model) -> Result<()> {
    let resource::Model { id, name, uid, kind, organization_id } = row;
    let active = resource::ActiveModel {
        id: Set(id),
        name: Set(name),
        uid: Set(uid),
        kind: Set(kind),
        organization_id: Set(organization_id),
    };
    resource::Entity::insert(active).exec_without_returning(db).await?;
    Ok(())
}

/// Forgets what resources refer to.
pub(super) async fn forget_references(db: &impl ConnectionTrait, from: Vec<i64>) -> Result<()> {
    for ids in from.chunks(BOUND) {
        reference::Entity::delete_many().filter(reference::Column::FromId.is_in(ids.iter().copied())).exec(db).await?;
    }
    Ok(())
}

/// Remembers what refers to what, and in which field.
pub(super) async fn add_references(db: &impl ConnectionTrait, references: Vec<(i64, i64, String)>) -> Result<()> {
    const COLUMNS: usize = 3;
    for some in references.chunks(BOUND / COLUMNS) {
        let rows = some.iter().cloned().map(|(from_id, to_id, field)| reference::ActiveModel {
            from_id: Set(from_id),
            to_id: Set(to_id),
            field: Set(field),
        });
        reference::Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}

/// What refers to a resource: how many, and the first few with the field.
pub(super) async fn referrers(db: &impl ConnectionTrait, to_id: i64) -> Result<(u64, Vec<(String, String)>)> {
    const SHOWN: u64 = 10;
    let query = reference::Entity::find().filter(reference::Column::ToId.eq(to_id));
    let first: Vec<(i64, String)> = query
        .clone()
        .select_only()
        .columns([reference::Column::FromId, reference::Column::Field])
        .order_by_asc(reference::Column::FromId)
        .limit(SHOWN)
        .into_tuple()
        .all(db)
        .await?;
    if first.is_empty() {
        return Ok((0, Vec::new()));
    }
    let total = query.count(db).await?;
    let names =
        resource::Entity::find().filter(resource::Column::Id.is_in(first.iter().map(|(id, _)| *id))).all(db).await?;
    let name = |id: i64| names.iter().find(|row| row.id == id).map(|row| row.name.clone()).unwrap_or_default();
    Ok((total, first.into_iter().map(|(id, field)| (name(id), field)).collect()))
}
