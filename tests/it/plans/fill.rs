//! A database of 100,000 subprocessors and 20,000 of each other kind, filled by SQL in seconds: indexes are dropped first and made again.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use subprocessor_registry::{proto::v1, resource::filter::FieldKind, store::version::Resource};

use crate::support::{Backend, Place, postgres_url};

/// Subprocessors, and rows of the tables that do not belong to a kind.
pub const ROWS: i64 = 100_000;
/// Resources of each other kind: their tables are alike, so that fewer will do.
const OTHERS: i64 = 20_000;
/// Organizations that have customers, documents and subprocessors.
pub const ORGANIZATIONS: i64 = 50;
/// The revision of 1,000 changes.
pub const LARGE: i64 = 105_001;
/// How many changes it has.
pub const CHANGES: usize = 1_000;

const KINDS: [(&str, i32); 13] = [
    ("organization", 1),
    ("document", 2),
    ("customer", 3),
    ("vendor", 4),
    ("subprocessor", 5),
    ("instrument", 6),
    ("certification", 7),
    ("transfer", 8),
    ("acknowledgement", 9),
    ("notice", 10),
    ("recipient", 11),
    ("objection", 12),
    ("subscription", 13),
];

/// The repeated fields of a kind by which it can be filtered.
fn repeated(kind: &str) -> Vec<&'static str> {
    let fields = match kind {
        "organization" => v1::Organization::FIELDS,
        "document" => v1::Document::FIELDS,
        "customer" => v1::Customer::FIELDS,
        "vendor" => v1::Vendor::FIELDS,
        "subprocessor" => v1::Subprocessor::FIELDS,
        "certification" => v1::Certification::FIELDS,
        "transfer" => v1::Transfer::FIELDS,
        "acknowledgement" => v1::Acknowledgement::FIELDS,
        "notice" => v1::Notice::FIELDS,
        "recipient" => v1::NoticeRecipient::FIELDS,
        "objection" => v1::Objection::FIELDS,
        "subscription" => v1::Subscription::FIELDS,
        _ => v1::Instrument::FIELDS,
    };
    let repeated = fields.iter().filter(|field| matches!(field.kind, FieldKind::Texts | FieldKind::Choices(_)));
    let paths: Vec<&str> = repeated.map(|field| field.path).collect();
    // A table without rows is read whole, whatever its indexes.
    if paths.is_empty() { vec!["none"] } else { paths }
}

pub async fn rows(db: &DatabaseConnection, sql: &str) -> Vec<sea_orm::QueryResult> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

pub async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    rows(db, sql).await.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
}

async fn run(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Connects to a place as its owner, with one connection.
pub async fn connect(place: &Place) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(&place.url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("connected")
}

/// Fills a place whose schema is current. Statistics are gathered on PostgreSQL, which does so by itself; nobody does
/// on SQLite.
pub async fn fill(place: &Place) {
    let db = connect(place).await;
    let sqlite = place.backend == Backend::Sqlite;
    let indexes = if sqlite {
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    } else {
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname ~ '^[iu]x_'"
    };
    let indexes: Vec<(String, String)> = rows(&db, indexes)
        .await
        .iter()
        .map(|row| (row.try_get_by_index(0).expect("a name"), row.try_get_by_index(1).expect("a statement")))
        .collect();
    if sqlite {
        for pragma in ["journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF", "cache_size = -200000"] {
            run(&db, &format!("PRAGMA {pragma}")).await;
        }
    } else {
        // Foreign keys are not checked row by row, and nothing needs to survive a crash.
        run(&db, "SET session_replication_role = replica").await;
        run(&db, "SET synchronous_commit = off").await;
        run(&db, "SET maintenance_work_mem = '256MB'").await;
    }
    run(&db, "BEGIN").await;
    for (name, _) in &indexes {
        run(&db, &format!("DROP INDEX {name}")).await;
    }
    for statement in statements(sqlite, &db).await {
        run(&db, &statement).await;
    }
    for (_, statement) in &indexes {
        run(&db, statement).await;
    }
    run(&db, "COMMIT").await;
    if sqlite {
        run(&db, "PRAGMA journal_mode = WAL").await;
    } else {
        run(&db, "ANALYZE").await;
    }
    db.close().await.expect("closed");
}

/// Removes a filled database: it is too large to lie about in the cluster until that is stopped.
pub async fn remove(place: &Place) {
    if place.backend == Backend::Postgres {
        let name = place.url.rsplit('/').next().expect("a name");
        let db = Database::connect(postgres_url()).await.expect("PostgreSQL answers");
        run(&db, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }
}

async fn statements(sqlite: bool, db: &DatabaseConnection) -> Vec<String> {
    let numbers = |to: i64| {
        if sqlite {
            format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {to}) ")
        } else {
            format!("WITH n(i) AS (SELECT generate_series(1, {to}::bigint)) ")
        }
    };
    let bytes = |hex: &str| if sqlite { format!("x'{hex}'") } else { format!("'\\x{hex}'::bytea") };
    let hash = bytes(&"00".repeat(32));
    // An unknown field of 200 bytes: every message can be decoded from it.
    let body = bytes(&format!("c23ec801{}", "00".repeat(200)));
    let mut all = vec![
        format!("UPDATE counter SET revision = {LARGE}, next_resource_id = {}", ROWS + 1),
        numbers(LARGE)
            + &format!(
                "INSERT INTO revision (number, commit_time, principal, method, request_id, format, change_count, hash, \
                 previous_hash) SELECT i, i * 1000000, 'p' || CAST(i % 1000 AS TEXT), 'm' || CAST(i % 20 AS TEXT), \
                 CASE WHEN i % 2 = 0 THEN 'r' || CAST(i AS TEXT) ELSE '' END, 1, CASE WHEN i = {LARGE} THEN {CHANGES} \
                 ELSE 1 END, {hash}, {hash} FROM n"
            ),
        numbers(LARGE) + "INSERT INTO revision_trace (revision, traceparent) SELECT i, 'trace' FROM n",
        numbers(ROWS)
            + &format!(
                "INSERT INTO resource (id, name, uid, kind, organization_id) SELECT i, {}, 'u' || CAST(i AS TEXT), 5, \
                 {} FROM n",
                name("subprocessor"),
                organization("subprocessor")
            ),
        numbers(ROWS) + "INSERT INTO reference (from_id, to_id, field) SELECT i, 1 + i % 5000, 'vendor' FROM n",
        numbers(ROWS)
            + &format!(
                "INSERT INTO request (principal, request_id, method, digest, answer_time, resource_id, response) \
                 SELECT 'p' || CAST(i % 1000 AS TEXT), 'r' || CAST(i AS TEXT), 'm', {hash}, i * 1000000, i, {hash} FROM n"
            ),
        numbers(ROWS)
            + &format!(
                "INSERT INTO delivery (name, subscription, customer, recipient, notice, endpoint, target, event_key, \
                 event_type, claim, error, organization_id, revision, due_time, create_time, update_time, \
                 deliver_time, channel, state, attempt_count) SELECT {}, {parent} || '/subscriptions/n' || \
                 CAST(i % 5000 AS TEXT), CASE WHEN i % 10 = 0 THEN {parent} || '/customers/n' || CAST(i % 1000 AS TEXT) \
                 ELSE '' END, '', {parent} || '/notices/n' || CAST(i % 1000 AS TEXT), 'e', 't' || CAST(i % 5000 AS TEXT), \
                 'k' || CAST(i AS TEXT), 'list.changed', '', '', {}, i, CASE WHEN i % 100 = 0 THEN 4102444800000000 + i \
                 ELSE 9223372036854775807 END, i * 1000000, i * 1000000, 0, CAST(1 + i % 2 AS INTEGER), \
                 CASE WHEN i % 100 = 0 THEN 2 WHEN i % 100 = 1 THEN 5 ELSE 3 END, CAST(i % 9 AS INTEGER) FROM n",
                name("deliverie"),
                organization("delivery"),
                parent = format!("'organizations/n' || CAST(1 + i % {ORGANIZATIONS} AS TEXT)"),
            ),
        numbers(ROWS)
            + &format!(
                "INSERT INTO delivery_attempt (delivery, number, attempt_time, status_code, error, duration) SELECT {}, \
                 CAST(i % 9 AS INTEGER), i, 500, '', 1 FROM n",
                name("deliverie"),
            ),
        numbers(OTHERS)
            + &format!(
                "INSERT INTO subscription_secret (uid, number, sealed, expire_time) SELECT 'u' || CAST(i AS TEXT), 1, \
                 {hash}, 9223372036854775807 FROM n"
            ),
    ];
    for (kind, number) in KINDS {
        let own = own_columns(db, kind, sqlite).await;
        let rows = if kind == "subprocessor" { ROWS } else { OTHERS };
        let columns: Vec<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
        let values: Vec<&str> = own.iter().map(|(_, value)| value.as_str()).collect();
        for (from, to, which) in VERSIONS {
            let filter = format!("FROM n WHERE {which}");
            all.push(
                numbers(rows)
                    + &format!(
                        "INSERT INTO {kind} (resource_id, from_revision, to_revision, organization_id, name, deleted, \
                         create_time, update_time, digest, salt, body, {}) SELECT i, {from}, {to}, {}, {}, i % 50 = 7, \
                         i * 1000000, CAST({from} AS BIGINT) * 1000000, {hash}, {hash}, {body}, {} {filter}",
                        columns.join(", "),
                        organization(kind),
                        name(kind),
                        values.join(", "),
                    ),
            );
            for (k, field) in repeated(kind).iter().enumerate() {
                all.push(
                    numbers(rows)
                        + &format!(
                            "INSERT INTO {kind}_value (resource_id, from_revision, field, value) SELECT i, {from}, \
                             '{field}', 'v' || CAST(i % 1000 AS TEXT) {filter} AND (i + {k}) % 3 = 0"
                        ),
                );
            }
            if kind == "subprocessor" {
                let ordinal = format!("CASE WHEN {from} = {LARGE} THEN i ELSE 0 END");
                let before = if from == "i" { "NULL" } else { "i" };
                all.push(
                    numbers(rows)
                        + &format!(
                            "INSERT INTO change (revision, ordinal, resource_id, resource_kind, organization_id, name, \
                             kind, before_revision, before_digest, after_digest, reason) SELECT {from}, {ordinal}, i, {number}, \
                             {}, {}, {}, {before}, {hash}, {hash}, '' {filter}",
                            organization(kind),
                            name(kind),
                            if from == "i" { 1 } else { 2 },
                        ),
                );
            }
        }
    }
    all
}

/// First and last revision of versions, and of which resources: 5% were changed in a revision each, and 1,000 of the
/// others in one revision.
const VERSIONS: [(&str, &str, &str); 5] = [
    ("i", "NULL", "i % 20 <> 0 AND i > 1052"),
    ("i", "100000 + i / 20", "i % 20 = 0"),
    ("100000 + i / 20", "NULL", "i % 20 = 0"),
    ("i", "105001", "i % 20 <> 0 AND i <= 1052"),
    ("105001", "NULL", "i % 20 <> 0 AND i <= 1052"),
];

/// The organization of resource `i`.
fn organization(kind: &str) -> String {
    match kind {
        "organization" => "i".to_owned(),
        "vendor" | "instrument" => "0".to_owned(),
        _ => format!("1 + i % {ORGANIZATIONS}"),
    }
}

/// The name of resource `i`.
fn name(kind: &str) -> String {
    match kind {
        "organization" | "vendor" | "instrument" => format!("'{kind}s/n' || CAST(i AS TEXT)"),
        _ => format!("'organizations/n' || CAST(1 + i % {ORGANIZATIONS} AS TEXT) || '/{kind}s/n' || CAST(i AS TEXT)"),
    }
}

/// The columns that are a kind's own, with a value for resource `i`.
async fn own_columns(db: &DatabaseConnection, kind: &str, sqlite: bool) -> Vec<(String, String)> {
    const SHARED: [&str; 11] = [
        "resource_id",
        "from_revision",
        "to_revision",
        "organization_id",
        "name",
        "deleted",
        "create_time",
        "update_time",
        "digest",
        "salt",
        "body",
    ];
    let sql = if sqlite {
        format!("SELECT name, lower(type) FROM pragma_table_info('{kind}')")
    } else {
        format!("SELECT column_name::text, data_type::text FROM information_schema.columns WHERE table_name = '{kind}'")
    };
    let columns = rows(db, &sql).await;
    let columns = columns.iter().map(|row| {
        let name: String = row.try_get_by_index(0).expect("a name");
        let kind: String = row.try_get_by_index(1).expect("a type");
        (name, kind)
    });
    columns
        .filter(|(name, _)| !SHARED.contains(&name.as_str()))
        .map(|(name, kind)| {
            let value = match kind.as_str() {
                "integer" => "CAST(i % 7 AS INTEGER)".to_owned(),
                "boolean" => "i % 3 = 0".to_owned(),
                // Of most nothing is due, and of the others in the year 2100.
                _ if name == "due_time" => {
                    "CASE WHEN i % 100 = 0 THEN 4102444800000000 + i ELSE 9223372036854775807 END".to_owned()
                }
                _ if name.ends_with("_time") => "i * 1000000".to_owned(),
                _ if name.contains("_date") => {
                    let absent = if name.ends_with("_desc") { "" } else { "~" };
                    format!(
                        "CASE WHEN i % 10 = 0 THEN '{absent}' ELSE '20' || CAST(10 + i % 20 AS TEXT) || '-0' || \
                         CAST(1 + i % 9 AS TEXT) || '-' || CAST(10 + i % 19 AS TEXT) END"
                    )
                }
                _ => "'v' || CAST(i % 1000 AS TEXT)".to_owned(),
            };
            (name, value)
        })
        .collect()
}
