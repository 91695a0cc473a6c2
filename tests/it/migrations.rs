//! The schema, step by step: up, down and up again with rows in it, on both databases, by many at once.

use std::process::{Command, Output};

use ::migrations::Migrator;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use sea_orm_migration::{MigratorTrait, SchemaManager};
use subprocessor_registry::store;

use crate::{
    plans::fill::{connect, rows, texts},
    support::{Backend, Place, Server, both, empty, organization, vendor},
};

/// Everything that makes the schema, in a form that compares.
async fn schema(db: &DatabaseConnection, backend: Backend) -> Vec<String> {
    let sources: &[&str] = match backend {
        Backend::Sqlite => &["SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_master \
             WHERE name NOT LIKE 'seaql_%' AND name NOT LIKE 'sqlite_%' ORDER BY 1"],
        Backend::Postgres => &[
            "SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, is_nullable, column_default, \
             collation_name) FROM information_schema.columns WHERE table_schema = 'public' \
             AND table_name <> 'seaql_migrations' ORDER BY 1",
            "SELECT indexdef::text FROM pg_indexes WHERE schemaname = 'public' \
             AND tablename <> 'seaql_migrations' ORDER BY 1",
            "SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint \
             WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'seaql_migrations' ORDER BY 1",
        ],
    };
    let mut all = Vec::new();
    for source in sources {
        all.extend(texts(db, source).await);
    }
    all
}

/// A row in every table that can have one, so that no step finds its table empty. What the rows mean does not matter.
async fn add_rows(db: &DatabaseConnection, backend: Backend) -> usize {
    let tables = match backend {
        Backend::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'seaql_%' AND name NOT LIKE 'sqlite_%' \
             ORDER BY name NOT IN ('resource', 'counter'), name"
        }
        Backend::Postgres => {
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' \
             AND table_name <> 'seaql_migrations' ORDER BY table_name NOT IN ('resource', 'counter'), table_name"
        }
    };
    let mut filled = 0;
    for table in texts(db, tables).await {
        let columns = match backend {
            Backend::Sqlite => format!("SELECT name, lower(type) FROM pragma_table_info('{table}')"),
            Backend::Postgres => format!(
                "SELECT column_name::text, data_type::text FROM information_schema.columns WHERE table_name = '{table}'"
            ),
        };
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for row in rows(db, &columns).await {
            let (name, kind): (String, String) =
                (row.try_get_by_index(0).expect("a name"), row.try_get_by_index(1).expect("a type"));
            values.push(match (kind.as_str(), backend) {
                (kind, _) if kind.contains("int") => "1",
                (kind, _) if kind.contains("bool") => "true",
                (kind, Backend::Sqlite) if kind.contains("blob") => "x'00'",
                ("bytea", _) => "'\\x00'",
                _ => "'x'",
            });
            names.push(format!("\"{name}\""));
        }
        let sql = format!(
            "INSERT INTO \"{table}\" ({}) VALUES ({}) ON CONFLICT DO NOTHING",
            names.join(", "),
            values.join(", ")
        );
        db.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        filled += 1;
    }
    filled
}

fn binary(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_subprocessor-registry")).args(arguments).output().expect("it runs")
}

both! {
    async fn every_step_goes_up_and_down_and_up_again(backend: Backend) {
        let place = empty(backend).await;
        let db = connect(&place).await;
        let steps = u32::try_from(Migrator::migrations().len()).expect("few");
        let mut seen = vec![schema(&db, backend).await];
        for step in 1..=steps {
            Migrator::up(&db, Some(1)).await.expect("up");
            let up = schema(&db, backend).await;
            assert_ne!(Some(&up), seen.last(), "step {step} changes nothing");
            add_rows(&db, backend).await;
            Migrator::down(&db, Some(1)).await.expect("down, with rows");
            assert_eq!(Some(&schema(&db, backend).await), seen.last(), "step {step} down");
            Migrator::up(&db, Some(1)).await.expect("up again");
            assert_eq!(schema(&db, backend).await, up, "step {step} up again");
            assert!(add_rows(&db, backend).await > 0);
            seen.push(up);
        }
        for step in (0..steps).rev() {
            Migrator::down(&db, Some(1)).await.expect("down");
            assert_eq!(schema(&db, backend).await, seen[step as usize], "down to step {step}");
        }
        Migrator::up(&db, None).await.expect("all up again");
        assert_eq!(Some(&schema(&db, backend).await), seen.last());
    }

    async fn migrating_again_keeps_what_is_there(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start(&place).await;
        organization(&mut server, "acme").await;
        let aws = vendor(&mut server, "aws").await;
        server.stop().await;
        assert_eq!(store::migrate(&store::Options::new(place.url.clone())).await.expect("migrated"), [""; 0]);
        let mut server = Server::start(&place).await;
        let request = subprocessor_registry::proto::v1::GetVendorRequest { name: aws.name.clone(), as_of: None };
        assert_eq!(server.vendors.get_vendor(request).await.expect("there").into_inner(), aws);
    }

    async fn an_instance_of_every_step_is_recorded_once(backend: Backend) {
        let place = empty(backend).await;
        let options = store::Options::new(place.url.clone());
        let steps = store::pending_migrations(&options).await.expect("pending");
        assert_eq!(steps.len(), Migrator::migrations().len());
        assert_eq!(store::migrate(&options).await.expect("migrated"), steps);
        assert_eq!(store::pending_migrations(&options).await.expect("pending"), [""; 0]);
        let db = connect(&place).await;
        let tables = SchemaManager::new(&db);
        for table in ["counter", "revision", "change", "subprocessor", "subprocessor_value"] {
            assert!(tables.has_table(table).await.expect("answered"), "{table}");
        }
    }
}

/// Four processes at once: one does the work, the others wait and find nothing left to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_migrate_one_postgres_at_once() {
    let place = empty(Backend::Postgres).await;
    let steps = Migrator::migrations().len();
    let all = (0..4).map(|_| {
        let url = place.url.clone();
        tokio::task::spawn_blocking(move || binary(&["migrate", "--database-url", &url]))
    });
    let mut worked = 0;
    for output in futures::future::join_all(all).await {
        let output = output.expect("joined");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        match text.trim() {
            "the schema is up to date" => {}
            text => {
                assert!(text.starts_with(&format!("applied {steps} steps")), "{text}");
                worked += 1;
            }
        }
    }
    assert_eq!(worked, 1);
    let db = connect(&place).await;
    assert_eq!(texts(&db, "SELECT version FROM seaql_migrations").await.len(), steps);
}

/// On PostgreSQL `serve` does not migrate: it says what to run. An embedded database it migrates itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_refuses_an_old_schema_and_says_what_to_run() {
    let place = empty(Backend::Postgres).await;
    let serve = ["serve", "--listen", "127.0.0.1:0", "--database-url", &place.url];
    for behind in [Migrator::migrations().len(), 1] {
        let output = binary(&serve);
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("`subprocessor-registry migrate`"), "{error}");
        assert!(error.contains(&format!("{behind} step")), "{error}");
        let db = connect(&place).await;
        Migrator::up(&db, None).await.expect("up");
        Migrator::down(&db, Some(1)).await.expect("one step back");
        db.close().await.expect("closed");
    }
    // A store is not opened on it either, whoever asks.
    assert!(subprocessor_registry::run::bind(&place.settings(&[])).await.is_err());
}

/// The test cluster's own collation is ICU's: whatever forgot "C" would be compared by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_compares_by_code_point_on_postgres() {
    let place = Place::new(Backend::Postgres).await;
    let db = connect(&place).await;
    assert_eq!(
        texts(&db, "SELECT CASE WHEN 'a' < 'B' THEN 'icu' ELSE 'c' END").await,
        ["icu"],
        "the cluster is not ICU's"
    );
    let other = texts(
        &db,
        "SELECT table_name || '.' || column_name || ' ' || coalesce(collation_name, 'default') \
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'seaql_migrations' \
         AND data_type IN ('text', 'character varying', 'character') AND collation_name IS DISTINCT FROM 'C'",
    )
    .await;
    assert!(other.is_empty(), "columns without COLLATE \"C\": {other:?}");
    let count = texts(
        &db,
        "SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'public' AND collation_name = 'C'",
    )
    .await;
    assert!(count.len() > 30, "{count:?}");
    // Nothing that is ordered or filtered by is NULL: the two databases would sort it apart.
    let nullable = texts(
        &db,
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public' \
         AND table_name <> 'seaql_migrations' AND is_nullable = 'YES' \
         AND column_name NOT IN ('to_revision', 'salt', 'body', 'before_revision', 'before_digest', 'after_digest')",
    )
    .await;
    assert!(nullable.is_empty(), "{nullable:?}");
}
