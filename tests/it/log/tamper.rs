//! Tampering with stored versions, their columns and the values to find them by: every cell of every row, one by one.

use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Statement, Value};
use subprocessor_registry::proto::v1::{Problem, problem::Kind};

use super::{assert_verifies, raw, rich, tamper, verify};
use crate::support::{Server, both, fresh};

/// The tables of versions.
pub const TABLES: [&str; 6] = ["organization", "document", "customer", "vendor", "subprocessor", "instrument"];

/// One cell of a row, changed and put back.
pub struct Cell {
    pub table: String,
    pub column: String,
    pub keys: Vec<(&'static str, i64)>,
    pub old: Value,
    pub new: Value,
}

impl Cell {
    fn condition(&self, after: bool) -> String {
        let number = |value: &Value| match value {
            Value::BigInt(Some(number)) => *number,
            Value::Int(Some(number)) => i64::from(*number),
            other => panic!("a key: {other:?}"),
        };
        let conditions: Vec<String> = self
            .keys
            .iter()
            .map(|(key, value)| {
                let value = if after && *key == self.column { number(&self.new) } else { *value };
                format!("{key} = {value}")
            })
            .collect();
        conditions.join(" AND ")
    }

    async fn set(&self, db: &DatabaseConnection, value: &Value, after: bool) {
        let sql = format!("UPDATE {} SET {} = $1 WHERE {}", self.table, self.column, self.condition(after));
        let statement = Statement::from_sql_and_values(db.get_database_backend(), &sql, [value.clone()]);
        let done = db.execute_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(done.rows_affected(), 1, "{sql}");
    }

    /// Changes the cell, asks for a check, and puts it back.
    pub async fn try_out(&self, db: &DatabaseConnection, server: &mut Server) -> Vec<Problem> {
        self.set(db, &self.new, false).await;
        let check = verify(server).await;
        self.set(db, &self.old, true).await;
        assert_eq!(check.verified, check.problems.is_empty(), "{check:?}");
        check.problems
    }
}

/// The value of a column, whatever its type is.
pub fn value(row: &QueryResult, column: &str) -> Value {
    const BYTES: [&str; 7] = ["digest", "salt", "body", "hash", "previous_hash", "before_digest", "after_digest"];
    if BYTES.contains(&column) {
        return row.try_get::<Option<Vec<u8>>>("", column).expect("bytes").into();
    }
    // SQLite would give a number.
    if ["deleted", "listed"].contains(&column) {
        return row.try_get::<Option<bool>>("", column).expect("a flag").into();
    }
    if let Ok(number) = row.try_get::<Option<i64>>("", column) {
        return number.into();
    }
    if let Ok(number) = row.try_get::<Option<i32>>("", column) {
        return number.into();
    }
    row.try_get::<Option<String>>("", column).expect("text").into()
}

/// Another value: a number one more, a text with another last letter, bytes with one bit flipped.
pub fn other(value: &Value) -> Value {
    match value {
        Value::BigInt(number) => number.map_or(100, |number| number + 1).into(),
        Value::Int(number) => number.map_or(100, |number| number + 1).into(),
        Value::Bool(flag) => (!flag.unwrap_or(false)).into(),
        Value::String(text) => {
            let mut text = text.clone().unwrap_or_default();
            let last = text.pop();
            text.push(if last == Some('x') { 'y' } else { 'x' });
            text.into()
        }
        Value::Bytes(bytes) => {
            let mut bytes = bytes.clone().unwrap_or_else(|| vec![1; 32]);
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes.into()
        }
        other => panic!("{other:?}"),
    }
}

/// Every row of a table.
pub async fn rows(db: &DatabaseConnection, table: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(db.get_database_backend(), format!("SELECT * FROM {table} ORDER BY 1, 2"));
    db.query_all_raw(statement).await.expect("rows")
}

fn at<'a>(problems: &'a [Problem], kind: Kind, revision: i64, name: &str) -> Option<&'a Problem> {
    problems.iter().find(|one| one.kind() == kind && one.revision == revision && one.resource_name == name)
}

/// Asserts that there is one problem, and where.
pub fn exactly(problems: &[Problem], kind: Kind, revision: i64, name: &str, what: &str) {
    assert!(at(problems, kind, revision, name).is_some() && problems.len() == 1, "{what}: {problems:#?}");
}

both! {
    async fn every_cell_of_every_version(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let db = raw(&place).await;
        let mut tried = 0;
        for table in TABLES {
            for row in rows(&db, table).await {
                let revision: i64 = row.try_get("", "from_revision").expect("a revision");
                let id: i64 = row.try_get("", "resource_id").expect("an id");
                let name: String = row.try_get("", "name").expect("a name");
                let erased = row.try_get::<Option<Vec<u8>>>("", "body").expect("a body").is_none();
                for column in row.column_names() {
                    let old = value(&row, &column);
                    // When an erased version was made is only in its body; of a body that is gone nothing can be said.
                    if erased && ["create_time", "update_time", "salt", "body", "deleted"].contains(&column.as_str()) {
                        continue;
                    }
                    let new = match column.as_str() {
                        // A row that is there, and has no version in this table.
                        "resource_id" if table == "organization" => 2i64.into(),
                        "resource_id" => 1i64.into(),
                        // Where the resource has no other version.
                        "from_revision" => (revision + 500).into(),
                        _ => other(&old),
                    };
                    let what = format!("{table}.{column} of {name} at {revision}");
                    let keys = vec![("resource_id", id), ("from_revision", revision)];
                    let cell = Cell { table: table.into(), column: column.clone(), keys, old, new };
                    let problems = cell.try_out(&db, &mut server).await;
                    tried += 1;
                    match column.as_str() {
                        "body" | "salt" | "digest" => exactly(&problems, Kind::BodyAltered, revision, &name, &what),
                        "to_revision" => exactly(&problems, Kind::VersionUnlogged, revision, &name, &what),
                        "resource_id" | "from_revision" => {
                            assert!(at(&problems, Kind::BodyMissing, revision, &name).is_some(), "{what}: {problems:#?}");
                            let stray = |one: &&Problem| one.kind() == Kind::VersionUnlogged && one.resource_name == name;
                            assert_eq!(problems.iter().filter(stray).count(), 1, "{what}: {problems:#?}");
                        }
                        _ => exactly(&problems, Kind::ColumnsAltered, revision, &name, &what),
                    }
                }
            }
        }
        assert!(tried > 200, "{tried}");
        assert_verifies(&mut server).await;
    }

    async fn every_byte_of_a_body_and_its_salt(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        crate::support::vendor(&mut server, "aws").await;
        let db = raw(&place).await;
        let row = rows(&db, "vendor").await.remove(0);
        for column in ["body", "salt", "digest"] {
            let old: Vec<u8> = row.try_get("", column).expect("bytes");
            for (place, bit) in (0..old.len()).zip((0..8).cycle()) {
                let mut new = old.clone();
                new[place] ^= 1 << bit;
                let keys = vec![("resource_id", 1), ("from_revision", 1)];
                let (table, column) = ("vendor".to_owned(), column.to_owned());
                let cell = Cell { table, column, keys, old: old.clone().into(), new: new.into() };
                let problems = cell.try_out(&db, &mut server).await;
                exactly(&problems, Kind::BodyAltered, 1, "vendors/aws", &format!("byte {place}"));
            }
            for new in [old[1..].to_vec(), [old.clone(), vec![0]].concat(), Vec::new()] {
                let keys = vec![("resource_id", 1), ("from_revision", 1)];
                let (table, column) = ("vendor".to_owned(), column.to_owned());
                let cell = Cell { table, column, keys, old: old.clone().into(), new: new.into() };
                exactly(&cell.try_out(&db, &mut server).await, Kind::BodyAltered, 1, "vendors/aws", "cut or longer");
            }
        }
        for column in ["body", "salt"] {
            let old = value(&row, column);
            let keys = vec![("resource_id", 1), ("from_revision", 1)];
            let new = Value::Bytes(None);
            let cell = Cell { table: "vendor".into(), column: column.into(), keys, old, new };
            exactly(&cell.try_out(&db, &mut server).await, Kind::BodyMissing, 1, "vendors/aws", column);
        }
        assert_verifies(&mut server).await;
    }

    async fn any_version_that_is_gone(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let db = raw(&place).await;
        for table in TABLES {
            let all = rows(&db, table).await;
            for row in &all {
                let (id, revision): (i64, i64) =
                    (row.try_get("", "resource_id").expect("an id"), row.try_get("", "from_revision").expect("a revision"));
                let name: String = row.try_get("", "name").expect("a name");
                let key = format!("resource_id = {id} AND from_revision = {revision}");
                tamper(&db, &format!("DELETE FROM {table} WHERE {key}")).await;
                let problems = verify(&mut server).await.problems;
                exactly(&problems, Kind::BodyMissing, revision, &name, &format!("{table} {key}"));
                let columns = row.column_names();
                let places: Vec<String> = (1..=columns.len()).map(|i| format!("${i}")).collect();
                let sql = format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), places.join(", "));
                let values: Vec<Value> = columns.iter().map(|column| value(row, column)).collect();
                let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
                db.execute_raw(statement).await.expect("put back");
            }
        }
        assert_verifies(&mut server).await;
    }

    async fn a_version_that_nobody_wrote(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let db = raw(&place).await;
        for table in TABLES {
            let Some(row) = rows(&db, table).await.into_iter().next() else { continue };
            let (id, revision): (i64, i64) =
                (row.try_get("", "resource_id").expect("an id"), row.try_get("", "from_revision").expect("a revision"));
            let name: String = row.try_get("", "name").expect("a name");
            let columns = row.column_names().join(", ");
            let copied = columns.replace("from_revision", "from_revision + 300").replace("to_revision", "400");
            tamper(&db, &format!(
                "INSERT INTO {table} ({columns}) SELECT {copied} FROM {table} WHERE resource_id = {id} AND from_revision = {revision}"
            )).await;
            exactly(&verify(&mut server).await.problems, Kind::VersionUnlogged, revision + 300, &name, table);
            tamper(&db, &format!("DELETE FROM {table} WHERE from_revision = {}", revision + 300)).await;
        }
        assert_verifies(&mut server).await;
    }

    async fn values_to_find_by(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let db = raw(&place).await;
        let name = "organizations/acme/subprocessors/aws";
        let aws = crate::log::number(&db, &format!("SELECT id FROM resource WHERE name = '{name}'")).await;
        let key = format!("resource_id = {aws} AND from_revision = 4 AND field = 'purposes'");
        tamper(&db, &format!("UPDATE subprocessor_value SET value = 'hostinh' WHERE {key} AND value = 'hosting'")).await;
        exactly(&verify(&mut server).await.problems, Kind::ColumnsAltered, 4, name, "altered");
        tamper(&db, &format!("UPDATE subprocessor_value SET value = 'hosting' WHERE {key} AND value = 'hostinh'")).await;
        tamper(&db, &format!("DELETE FROM subprocessor_value WHERE {key} AND value = 'hosting'")).await;
        exactly(&verify(&mut server).await.problems, Kind::ColumnsAltered, 4, name, "removed");
        for (revision, value) in [(4, "hosting"), (5, "stray")] {
            tamper(&db, &format!("INSERT INTO subprocessor_value VALUES ({aws}, {revision}, 'purposes', '{value}')")).await;
        }
        exactly(&verify(&mut server).await.problems, Kind::ColumnsAltered, 5, name, "added");
        tamper(&db, "DELETE FROM subprocessor_value WHERE value = 'stray'").await;
        tamper(&db, &format!("INSERT INTO subprocessor_value VALUES ({aws}, 13, 'purposes', 'stray')")).await;
        exactly(&verify(&mut server).await.problems, Kind::ColumnsAltered, 13, name, "of no version");
        tamper(&db, "DELETE FROM subprocessor_value WHERE value = 'stray'").await;
        // What an erasure removed does not come back unseen.
        let jane = "organizations/acme/customers/jane";
        let id = crate::log::number(&db, &format!("SELECT id FROM resource WHERE name = '{jane}'")).await;
        tamper(&db, &format!("INSERT INTO customer_value VALUES ({id}, 7, 'products', 'cloud')")).await;
        exactly(&verify(&mut server).await.problems, Kind::ColumnsAltered, 7, jane, "erased");
        tamper(&db, &format!("DELETE FROM customer_value WHERE resource_id = {id}")).await;
        assert_verifies(&mut server).await;
    }

    async fn the_permanent_row_of_a_resource(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let db = raw(&place).await;
        for row in rows(&db, "resource").await {
            let id: i64 = row.try_get("", "id").expect("an id");
            let name: String = row.try_get("", "name").expect("a name");
            for column in ["name", "kind", "organization_id", "uid"] {
                // The uid of a resource whose every version was erased stands nowhere else.
                if column == "uid" && name.ends_with("/jane") {
                    continue;
                }
                let old = value(&row, column);
                let new = other(&old);
                let cell = Cell { table: "resource".into(), column: column.into(), keys: vec![("id", id)], old, new };
                let problems = cell.try_out(&db, &mut server).await;
                let found = problems.iter().any(|one| one.kind() == Kind::ColumnsAltered && one.resource_name == name);
                assert!(found, "{column} of {name}: {problems:#?}");
            }
        }
        assert_verifies(&mut server).await;
    }
}
