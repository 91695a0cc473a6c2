//! Writing lists by the thousand: the rows that the store's writer would make, hashes and all, many to a statement, and
//! the indexes afterwards. The writer takes a millisecond or two for each resource, which for a million is too long to
//! wait. What comes out is checked as any log is ([`super::seed`]).

use std::{collections::HashMap, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, EntityTrait, IntoActiveModel, Statement, Value,
    sea_query::{Alias, Query},
};
use subprocessor_registry::{
    call::SYSTEM,
    clock::Clock,
    proto::v1::{self, change::Kind as Change},
    resource::name::Kind,
    rules::log,
    store::version::{self, Resource, Version},
};

use super::{
    Result,
    data::{self, Space},
    place::connect,
};

/// Values bound in one statement at most: SQLite takes 32,766, PostgreSQL 65,535.
const BOUND: usize = 30_000;
/// Lists in preparation at once.
const AHEAD: usize = 4;
const METHOD: &str = "Load/Fill";

/// Where the log stands.
struct Counter {
    revision: i64,
    next_resource_id: i64,
    hash: Vec<u8>,
}

/// The rows of one revision, but for its hash, which follows from the one before.
struct Revision {
    number: i64,
    commit_time: i64,
    resources: Vec<Vec<Value>>,
    organizations: Vec<<v1::Organization as Resource>::Active>,
    subprocessors: Vec<<v1::Subprocessor as Resource>::Active>,
    values: Vec<Vec<Value>>,
    references: Vec<Vec<Value>>,
    changes: Vec<Vec<Value>>,
    leaves: Vec<log::Hash>,
}

/// A part of an organization's list that is one revision.
#[derive(Debug, Clone)]
pub struct Part {
    pub organization: usize,
    /// The numbers of the subprocessors; the organization itself comes with the first.
    pub from: usize,
    pub to: usize,
}

/// The revisions in which a registry is filled, of at most so many changes each.
pub fn parts(space: &Space, most: usize) -> Vec<Part> {
    let mut parts = Vec::new();
    for (organization, size) in space.sizes.iter().enumerate() {
        let (mut from, mut room) = (0, most - 1);
        while from < *size {
            let to = (from + room).min(*size);
            parts.push(Part { organization, from, to });
            (from, room) = (to, most);
        }
    }
    parts
}

/// Writes all parts, each a revision, after what is in the registry.
pub async fn write(url: &str, space: &Arc<Space>, parts: Vec<Part>) -> Result<()> {
    let db = connect(url).await?;
    let sqlite = db.get_database_backend() == DatabaseBackend::Sqlite;
    let settings: &[&str] = if sqlite {
        &["PRAGMA synchronous = OFF", "PRAGMA cache_size = -262144"]
    } else {
        &["SET synchronous_commit = off", "SET maintenance_work_mem = '256MB'"]
    };
    for setting in settings {
        db.execute_unprepared(setting).await?;
    }
    let indexes = drop_indexes(&db, sqlite).await?;
    let ids = Arc::new(vendor_ids(&db).await?);
    let mut counter = counter(&db).await?;

    // Numbers are given before, so that rows can be made side by side.
    let (mut revision, mut next, mut organization_id) = (counter.revision, counter.next_resource_id, 0);
    let numbered = parts.into_iter().map(|part| {
        revision += 1;
        let first = next;
        if part.from == 0 {
            organization_id = first;
            next += 1;
        }
        next += (part.to - part.from) as i64;
        (part, revision, first, organization_id)
    });
    let made = stream::iter(numbered.collect::<Vec<_>>()).map(|(part, number, first, organization_id)| {
        let (space, ids) = (Arc::clone(space), Arc::clone(&ids));
        tokio::task::spawn_blocking(move || rows(&space, &ids, &part, number, first, organization_id))
    });
    let mut made = std::pin::pin!(made.buffered(AHEAD));
    while let Some(revision) = made.try_next().await? {
        db.execute_unprepared("BEGIN").await?;
        insert(&db, revision?, &mut counter).await?;
        db.execute_unprepared("COMMIT").await?;
    }
    for index in indexes {
        db.execute_unprepared(&index).await?;
    }
    let values = [counter.revision.into(), next.into(), counter.hash.into()];
    let sql = "UPDATE counter SET revision = $1, next_resource_id = $2, hash = $3, commit_time = \
               (SELECT MAX(commit_time) FROM revision)";
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    Ok(db.close().await?)
}

/// Drops the indexes that no constraint needs, and returns how they are made again.
async fn drop_indexes(db: &DatabaseConnection, sqlite: bool) -> Result<Vec<String>> {
    let sql = if sqlite {
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    } else {
        "SELECT indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname ~ '^[iu]x_'"
    };
    let mut made = Vec::new();
    for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await? {
        let (name, sql): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        db.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        made.push(sql);
    }
    Ok(made)
}

async fn vendor_ids(db: &DatabaseConnection) -> Result<HashMap<String, i64>> {
    let sql = format!("SELECT name, id FROM resource WHERE kind = {}", Kind::Vendor as i32);
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

async fn counter(db: &DatabaseConnection) -> Result<Counter> {
    let sql = "SELECT revision, next_resource_id, hash FROM counter";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?.ok_or("no counter")?;
    Ok(Counter {
        revision: row.try_get_by_index(0)?,
        next_resource_id: row.try_get_by_index(1)?,
        hash: row.try_get_by_index(2)?,
    })
}

/// Makes the rows of a part.
fn rows(
    space: &Space,
    vendors: &HashMap<String, i64>,
    part: &Part,
    number: i64,
    first: i64,
    organization_id: i64,
) -> Result<Revision> {
    let mut revision = Revision {
        number,
        commit_time: Clock::System.now().as_microsecond(),
        resources: Vec::new(),
        organizations: Vec::new(),
        subprocessors: Vec::new(),
        values: Vec::new(),
        references: Vec::new(),
        changes: Vec::new(),
        leaves: Vec::new(),
    };
    let mut id = first;
    if part.from == 0 {
        let mut message = data::organization(part.organization);
        message.name = data::organization_name(part.organization);
        let row = revision.add(message, id, organization_id);
        revision.organizations.push(row);
        id += 1;
    }
    for n in part.from..part.to {
        let mut message = space.subprocessor(part.organization, n);
        message.name = data::name(part.organization, n);
        let to = [
            (organization_id, "parent"),
            (*vendors.get(&message.vendor).ok_or("a vendor that is not there")?, "vendor"),
        ];
        let engaged_by = message.engaged_by.rsplit_once("/s-").map(|(_, digits)| digits.parse::<i64>()).transpose()?;
        // The ids of a list follow its organization's, number by number.
        let chain = engaged_by.map(|number| (organization_id + 1 + number, "engaged_by"));
        for (to, field) in to.into_iter().chain(chain) {
            revision.references.push(vec![id.into(), to.into(), field.into()]);
        }
        let row = revision.add(message, id, organization_id);
        revision.subprocessors.push(row);
        id += 1;
    }
    Ok(revision)
}

impl Revision {
    /// Adds a new resource; returns the row of its version.
    fn add<R: Resource>(&mut self, mut message: R, id: i64, organization_id: i64) -> R::Active {
        let uid = uuid::Uuid::now_v7().to_string();
        let now = Some(version::timestamp(self.commit_time));
        let header = message.header_mut();
        *header.etag = version::etag(&uid, self.number);
        header.uid.clone_from(&uid);
        *header.revision = self.number;
        (*header.create_time, *header.update_time) = (now, now);
        let name = header.name.clone();

        let (body, salt) = (message.encode_to_vec(), rand::random::<[u8; 32]>());
        let digest = log::payload_digest(&salt, &body);
        let (ordinal, kind) = (self.changes.len() as i32, R::KIND as i32);
        self.leaves.push(log::leaf(&log::Leaf {
            ordinal,
            name: &name,
            kind: Change::Created.into(),
            before: &[],
            after: &digest,
            reason: "",
        }));
        self.resources.push(vec![id.into(), name.clone().into(), uid.into(), kind.into(), organization_id.into()]);
        self.changes.push(vec![
            self.number.into(),
            ordinal.into(),
            id.into(),
            kind.into(),
            organization_id.into(),
            name.clone().into(),
            i32::from(Change::Created).into(),
            Value::BigInt(None),
            Value::Bytes(None),
            digest.to_vec().into(),
            "".into(),
        ]);
        let mut values: Vec<(&str, String)> = message
            .values()
            .into_iter()
            .map(|(field, value)| (field, version::stored_value(&value).into_owned()))
            .collect();
        values.sort();
        values.dedup();
        let rows = values.into_iter().map(|(f, v)| vec![id.into(), self.number.into(), f.into(), v.into()]);
        self.values.extend(rows);
        let row = message.row(Version {
            resource_id: id,
            from_revision: self.number,
            organization_id,
            name,
            deleted: false,
            create_time: self.commit_time,
            update_time: self.commit_time,
            digest: digest.to_vec(),
            salt: salt.to_vec(),
            body,
        });
        sea_orm::ActiveModelTrait::reset_all(row.into_active_model())
    }
}

async fn insert(db: &DatabaseConnection, revision: Revision, counter: &mut Counter) -> Result<()> {
    let header = log::Header {
        number: revision.number,
        commit_time: revision.commit_time,
        principal: SYSTEM,
        method: METHOD,
        request_id: "",
    };
    let hash = log::revision(log::FORMAT, &counter.hash, &header, &log::merkle_root(revision.leaves)).to_vec();
    let row = vec![
        revision.number.into(),
        revision.commit_time.into(),
        SYSTEM.into(),
        METHOD.into(),
        "".into(),
        log::FORMAT.into(),
        (revision.changes.len() as i32).into(),
        hash.clone().into(),
        counter.hash.clone().into(),
    ];
    const REVISION: [&str; 9] = [
        "number",
        "commit_time",
        "principal",
        "method",
        "request_id",
        "format",
        "change_count",
        "hash",
        "previous_hash",
    ];
    const CHANGE: [&str; 11] = [
        "revision",
        "ordinal",
        "resource_id",
        "resource_kind",
        "organization_id",
        "name",
        "kind",
        "before_revision",
        "before_digest",
        "after_digest",
        "reason",
    ];
    many(db, "revision", &REVISION, vec![row]).await?;
    many(db, "change", &CHANGE, revision.changes).await?;
    many(db, "resource", &["id", "name", "uid", "kind", "organization_id"], revision.resources).await?;
    versions::<v1::Organization>(db, revision.organizations).await?;
    versions::<v1::Subprocessor>(db, revision.subprocessors).await?;
    many(db, "subprocessor_value", &["resource_id", "from_revision", "field", "value"], revision.values).await?;
    many(db, "reference", &["from_id", "to_id", "field"], revision.references).await?;
    (counter.revision, counter.hash) = (revision.number, hash);
    Ok(())
}

async fn versions<R: Resource>(db: &DatabaseConnection, mut rows: Vec<R::Active>) -> Result<()> {
    /// No table of versions has as many columns.
    const COLUMNS: usize = 30;
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(BOUND / COLUMNS));
        R::Entity::insert_many(std::mem::replace(&mut rows, rest)).exec_without_returning(db).await?;
    }
    Ok(())
}

async fn many(db: &DatabaseConnection, table: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut statement = Query::insert();
        statement.into_table(Alias::new(table)).columns(columns.iter().map(|column| Alias::new(*column)));
        for row in rows.by_ref().take(BOUND / columns.len()) {
            statement.values(row.into_iter().map(Into::into))?;
        }
        db.execute(&statement).await?;
    }
    Ok(())
}
