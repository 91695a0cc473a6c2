//! Tampering with the rows of the log itself: every cell of every revision and change, one by one.

use sea_orm::{ConnectionTrait, Statement, Value};
use subprocessor_registry::proto::v1::{Problem, problem::Kind};

use super::{
    assert_verifies, raw, rich, tamper,
    tamper::{Cell, exactly, other, rows, value},
    verify,
};
use crate::support::{both, fresh};

fn has(problems: &[Problem], kind: Kind, revision: i64) -> bool {
    problems.iter().any(|one| one.kind() == kind && one.revision == revision)
}

fn all_at(problems: &[Problem], revision: i64) -> bool {
    problems.iter().all(|one| one.revision == revision)
}

both! {
    async fn every_cell_of_every_revision(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let db = raw(&place).await;
        for row in rows(&db, "revision").await {
            let number: i64 = row.try_get("", "number").expect("a number");
            for column in row.column_names() {
                let old = value(&row, &column);
                let new = if column == "number" { (number + 100).into() } else { other(&old) };
                let what = format!("{column} of {number}");
                let cell =
                    Cell { table: "revision".into(), column: column.clone(), keys: vec![("number", number)], old, new };
                let problems = cell.try_out(&db, &mut server).await;
                match column.as_str() {
                    "number" => {
                        assert!(has(&problems, Kind::RevisionMissing, number), "{what}: {problems:#?}");
                        assert!(has(&problems, Kind::RevisionAltered, number + 100), "{what}: {problems:#?}");
                        assert_eq!(problems.len(), 2, "{what}: {problems:#?}");
                    }
                    "previous_hash" => {
                        assert!(has(&problems, Kind::LinkBroken, number), "{what}: {problems:#?}");
                        assert!(has(&problems, Kind::RevisionAltered, number), "{what}: {problems:#?}");
                        assert!(all_at(&problems, number), "{what}: {problems:#?}");
                    }
                    "change_count" => exactly(&problems, Kind::RevisionAltered, number, "", &what),
                    _ => exactly(&problems, Kind::RevisionAltered, number, "", &what),
                }
            }
        }
        assert_verifies(&mut server).await;
    }

    async fn every_cell_of_every_change(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let db = raw(&place).await;
        for row in rows(&db, "change").await {
            let revision: i64 = row.try_get("", "revision").expect("a revision");
            let ordinal: i32 = row.try_get("", "ordinal").expect("an ordinal");
            let name: String = row.try_get("", "name").expect("a name");
            for column in row.column_names() {
                let old = value(&row, &column);
                let mut new = vec![match column.as_str() {
                    "revision" => (revision + 100).into(),
                    "ordinal" => (ordinal + 50).into(),
                    _ => other(&old),
                }];
                match (column.as_str(), &old) {
                    ("before_revision", Value::BigInt(Some(_))) => new.push(Value::BigInt(None)),
                    ("before_digest" | "after_digest", Value::Bytes(Some(_))) => new.push(Value::Bytes(None)),
                    // Other resources that are there.
                    ("resource_id", _) => new.extend((1..=5).filter_map(|id| number_like(&old, id))),
                    ("resource_kind", _) => new.extend((1..=6).filter_map(|kind| number_like(&old, kind))),
                    ("kind", _) => new.extend((0..=6).filter_map(|kind| number_like(&old, kind))),
                    _ => {}
                }
                for new in new {
                    let what = format!("{column} of {name} in {revision}: {old:?} → {new:?}");
                    let keys = vec![("revision", revision), ("ordinal", i64::from(ordinal))];
                    let (table, column, old) = ("change".to_owned(), column.clone(), old.clone());
                    let shown = if let ("name", Value::String(Some(new))) = (column.as_str(), &new) { new.clone() } else { name.clone() };
                    let cell = Cell { table, column: column.clone(), keys, old, new };
                    let problems = cell.try_out(&db, &mut server).await;
                    if column == "revision" {
                        // Gone from where it was, and too much where it is; an erasure explains nothing any more.
                        assert!(has(&problems, Kind::ChangeAltered, revision), "{what}: {problems:#?}");
                        assert!(has(&problems, Kind::ChangeAltered, revision + 100), "{what}: {problems:#?}");
                    } else if column == "reason" && problems.iter().all(|one| one.resource_name.is_empty()) {
                        // Of an erasure's reason only the hash of its revision knows.
                        exactly(&problems, Kind::RevisionAltered, revision, "", &what);
                    } else {
                        let found = problems.iter().any(|one| {
                            one.kind() == Kind::ChangeAltered && one.revision == revision && one.resource_name == shown
                        });
                        assert!(found && all_at(&problems, revision), "{what}: {problems:#?}");
                    }
                }
            }
        }
        assert_verifies(&mut server).await;
    }

    async fn any_revision_that_is_gone(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let db = raw(&place).await;
        for row in rows(&db, "revision").await {
            let number: i64 = row.try_get("", "number").expect("a number");
            tamper(&db, &format!("DELETE FROM revision WHERE number = {number}")).await;
            exactly(&verify(&mut server).await.problems, Kind::RevisionMissing, number, "", "a revision");
            insert(&db, "revision", &row).await;
        }
        assert_verifies(&mut server).await;
    }

    async fn any_change_that_is_gone_or_too_many(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let db = raw(&place).await;
        for row in rows(&db, "change").await {
            let (revision, ordinal): (i64, i32) =
                (row.try_get("", "revision").expect("a revision"), row.try_get("", "ordinal").expect("an ordinal"));
            let kind: i32 = row.try_get("", "kind").expect("a kind");
            let key = format!("revision = {revision} AND ordinal = {ordinal}");
            tamper(&db, &format!("DELETE FROM change WHERE {key}")).await;
            let problems = verify(&mut server).await.problems;
            assert!(has(&problems, Kind::ChangeAltered, revision), "{key}: {problems:#?}");
            // An erasure that is gone explains nothing any more; all else stays where it is.
            assert!(kind == 5 || all_at(&problems, revision), "{key}: {problems:#?}");
            insert(&db, "change", &row).await;
            let columns = row.column_names().join(", ");
            let copied = columns.replace("ordinal", "ordinal + 7");
            tamper(&db, &format!("INSERT INTO change ({columns}) SELECT {copied} FROM change WHERE {key}")).await;
            let problems = verify(&mut server).await.problems;
            assert!(has(&problems, Kind::ChangeAltered, revision), "{key}: {problems:#?}");
            assert!(all_at(&problems, revision), "{key}: {problems:#?}");
            tamper(&db, &format!("DELETE FROM change WHERE revision = {revision} AND ordinal = {}", ordinal + 7)).await;
        }
        // Two changes that changed places.
        tamper(&db, "UPDATE change SET ordinal = 99 WHERE revision = 14 AND ordinal = 0").await;
        tamper(&db, "UPDATE change SET ordinal = 0 WHERE revision = 14 AND ordinal = 1").await;
        tamper(&db, "UPDATE change SET ordinal = 1 WHERE revision = 14 AND ordinal = 99").await;
        let problems = verify(&mut server).await.problems;
        assert!(has(&problems, Kind::RevisionAltered, 14) && all_at(&problems, 14), "{problems:#?}");
    }

    async fn the_counter(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let db = raw(&place).await;
        let row = rows(&db, "counter").await.remove(0);
        let cell = |column: &str, new: Value| Cell {
            table: "counter".into(), column: column.into(), keys: vec![("id", 1)], old: value(&row, column), new,
        };
        exactly(&cell("hash", other(&value(&row, "hash"))).try_out(&db, &mut server).await,
            Kind::RevisionAltered, 14, "", "the hash by which the log continues");
        exactly(&cell("revision", 15i64.into()).try_out(&db, &mut server).await, Kind::RevisionMissing, 15, "", "ahead");
        let problems = cell("revision", 13i64.into()).try_out(&db, &mut server).await;
        assert!(has(&problems, Kind::RevisionAltered, 14), "{problems:#?}");
    }
}

/// A number of the same type, if it is another.
fn number_like(old: &Value, new: i32) -> Option<Value> {
    match old {
        Value::Int(Some(old)) => (*old != new).then(|| new.into()),
        Value::BigInt(Some(old)) => (*old != i64::from(new)).then(|| i64::from(new).into()),
        other => panic!("a number: {other:?}"),
    }
}

async fn insert(db: &sea_orm::DatabaseConnection, table: &str, row: &sea_orm::QueryResult) {
    let columns = row.column_names();
    let places: Vec<String> = (1..=columns.len()).map(|i| format!("${i}")).collect();
    let sql = format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), places.join(", "));
    let values: Vec<Value> = columns.iter().map(|column| value(row, column)).collect();
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await.expect("put back");
}
