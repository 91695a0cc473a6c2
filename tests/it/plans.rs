//! How the databases read: by index, at 100,000 resources of each kind, whatever is asked. A plan that reads a whole
//! table fails these tests, and so does a number of statements that grows with what is read.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use subprocessor_registry::{
    clock::Clock,
    proto::v1,
    resource::{
        filter::{Expr, Field, FieldKind, Literal, Op, Order},
        name::{Kind, Name, Parent},
        page::Position,
    },
    rules::law::territory::Territories,
    store::{self, Store, read::List, version::Resource},
};

use crate::support::{Backend, Place, both};

mod compare;
pub mod fill;
mod public;
mod traffic;
pub mod wire;

use fill::{CHANGES, LARGE, rows, texts};
use wire::Wire;

/// An old revision.
const OLD: i64 = 50_000;

/// Statements that read a whole table because all of it is asked for: `verify` looks for versions, values and resources
/// that the log does not explain, and for what lies beyond its ends.
const WHOLE: [&str; 8] = [
    r#"WHERE "revision"."number" > $1 OR "revision"."number" < $2"#,
    r#"WHERE "change"."revision" > $1 OR "change"."revision" < $2"#,
    "FROM change c WHERE c.resource_id = v.resource_id AND c.revision = v.from_revision",
    "WHERE v.resource_id = x.resource_id AND v.from_revision = x.from_revision)",
    "FROM resource r LEFT JOIN change c ON c.resource_id = r.id",
    r#"COUNT("body") AS "whole" FROM "instrument""#,
    // The law is all instruments, read once for as long as none of them changes.
    r#"FROM "instrument" WHERE "from_revision" <= $1 AND ("to_revision" IS NULL OR "to_revision" > $2) AND "deleted""#,
    // At the start, up to the first secret that is in force: nearly all are.
    r#"FROM "subscription_secret" WHERE "subscription_secret"."expire_time" > $1 ORDER BY"#,
];

/// A filled database, a store on it, and on PostgreSQL a look at what it sends.
struct Bench {
    place: Place,
    store: Store,
    wire: Option<Wire>,
    /// What was found wrong: all of it is shown at once.
    wrong: Vec<String>,
    slowest: (u128, String),
}

impl Bench {
    async fn new(backend: Backend) -> Self {
        let place = Place::new(backend).await;
        if backend == Backend::Sqlite {
            store::migrate(&store::Options::new(place.url.clone())).await.expect("migrated");
        }
        fill::fill(&place).await;
        let (store, wire) = open(&place).await;
        Self { place, store, wire, wrong: Vec::new(), slowest: (0, String::new()) }
    }

    /// Reads a list, and looks at its plan with the values known.
    async fn check<R: Resource>(&mut self, list: &List<'_>, searched: Option<Field>, run: bool) {
        let plan = self.store.explain::<R>(list).await.expect("a plan");
        let name = format!(
            "{} {:?} {:?} by {}{} after {} at {}",
            R::KIND.collection(),
            list.parent,
            list.filter,
            list.order.field.path,
            if list.order.descending { " desc" } else { "" },
            list.after.is_some(),
            list.revision
        );
        self.wrong.extend(scans(self.place.backend, &plan).into_iter().map(|line| format!("{name}: {line}")));
        if let Some(field) = searched.filter(|field| !searches(&plan, *field)) {
            self.wrong.push(format!("{name}: {} is not searched:\n    {}", field.path, plan.join("\n    ")));
        }
        if !run {
            return;
        }
        let start = Instant::now();
        self.store.list::<R>(list).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let took = start.elapsed().as_millis();
        if took > self.slowest.0 {
            self.slowest = (took, format!("{name}\n    {}", plan.join("\n    ")));
        }
    }

    /// Every filter and order that a resource offers, within an organization and across all, now and long ago.
    async fn check_all<R: Resource>(&mut self) {
        let organization = Parent::Organization(Name::new(Kind::Organization, None, "n7"));
        let mut parents = vec![Parent::Any];
        if R::KIND.has_parent() {
            parents.push(organization);
        }
        if let [_, _, ..] = R::KIND.parents() {
            parents.push(Parent::Every(Kind::Organization));
        }
        for parent in &parents {
            for revision in [LARGE, OLD] {
                let list = List {
                    parent,
                    filter: None,
                    effective_at: None,
                    held_too: false,
                    order: Order { field: R::FIELDS[0], descending: false },
                    show_deleted: false,
                    after: None,
                    revision,
                    size: 50,
                };
                for order in orders::<R>() {
                    let later = position(order, revision);
                    for after in [None, Some(&later)] {
                        self.check::<R>(&List { order, after, ..list.clone() }, None, true).await;
                    }
                }
                for field in R::FIELDS {
                    for (filter, selective) in filters(*field) {
                        // The tables are alike: the first and the last order stand for all, but for one kind.
                        let all = orders::<R>();
                        let few = [all[0], all[all.len() - 1]];
                        for order in if R::KIND == Kind::Subprocessor { &all[..] } else { &few } {
                            let list = List { filter: Some(&filter), order: *order, ..list.clone() };
                            let by_name = order.field == R::FIELDS[0];
                            self.check::<R>(&list, selective.then_some(*field), by_name).await;
                        }
                    }
                }
                if R::KIND == Kind::Subprocessor {
                    let list = List { effective_at: Some("2020-06-01"), ..list.clone() };
                    self.check::<R>(&list, None, true).await;
                }
            }
        }
    }

    /// The plans of statements whose values are not known. SQLite gets them as PostgreSQL does, but for how it marks the
    /// values. Returns the exceptions that none of them needed.
    async fn check_statements(&mut self, statements: BTreeSet<String>) -> Vec<&'static str> {
        let mut unused: BTreeSet<&&'static str> = WHOLE.iter().collect();
        let db = fill::connect(&self.place).await;
        if self.place.backend == Backend::Postgres {
            rows(&db, "SELECT set_config('plan_cache_mode', 'force_generic_plan', false)").await;
            // As on disks that do not turn: else, what is a close call at these sizes falls by chance.
            rows(&db, "SELECT set_config('random_page_cost', '1.1', false)").await;
        }
        for sql in statements {
            let reads = ["SELECT", "UPDATE", "DELETE"].iter().any(|verb| sql.starts_with(verb));
            // What a connection or a migration asks of the database itself is none of ours.
            let system =
                ["pg_catalog", "pg_class", "information_schema", "seaql_migrations", "pg_advisory", "current_setting"];
            if !reads || system.iter().any(|name| sql.contains(name)) {
                continue;
            }
            // SQLite writes a union in another way: the only one is that of comparisons, which are checked by themselves.
            // And it is never asked for a list of pairs, by which it would scan.
            let not_for_sqlite = ["UNION (SELECT", ") IN (VALUES "].iter().any(|part| sql.contains(part));
            if self.place.backend == Backend::Sqlite && not_for_sqlite {
                continue;
            }
            let plan = match self.place.backend {
                Backend::Sqlite => {
                    // It takes no brackets around what it puts together, and has no locks of rows.
                    let sql = sql.replace(" SKIP LOCKED", "").replace(" FOR UPDATE", "");
                    let sql = sql.replace("UNION ALL (SELECT", "UNION ALL SELECT").replace("\"first\")", "\"first\"");
                    let explain = format!("EXPLAIN QUERY PLAN {}", sql.replace('$', "?"));
                    rows(&db, &explain).await.iter().map(|row| row.try_get("", "detail").expect("a line")).collect()
                }
                Backend::Postgres => generic(&db, &sql).await,
            };
            let mut found = scans(self.place.backend, &plan);
            // Of all that, each is looked up in the other table: SQLite says so for certain, PostgreSQL may hash both.
            let outer = plan.iter().filter(|line| line.starts_with("SCAN ")).count() <= 1;
            if let Some(part) = WHOLE.iter().find(|part| sql.contains(**part)).filter(|_| outer) {
                unused.remove(part);
                found.clear();
            }
            self.wrong.extend(found.into_iter().map(|line| format!("{sql}\n    {line}")));
        }
        unused.into_iter().copied().collect()
    }

    /// That these checks find what they are for.
    async fn notices_a_missing_index(&mut self) {
        let db = fill::connect(&self.place).await;
        for index in ["ix_subprocessor_vendor_name", "ix_subprocessor_organization_id_vendor_name"] {
            db.execute_unprepared(&format!("DROP INDEX {index}")).await.expect("dropped");
        }
        // SQLite explains by the schema that a connection has seen, without looking whether it still holds.
        (self.store, self.wire) = open(&self.place).await;
        let vendor = v1::Subprocessor::FIELDS.iter().find(|field| field.path == "vendor").expect("a field");
        let filter = Expr::Compare(*vendor, Op::Equal, Literal::Text("v500".into()));
        let list = List {
            parent: &Parent::Any,
            filter: Some(&filter),
            effective_at: None,
            held_too: false,
            order: Order { field: v1::Subprocessor::FIELDS[0], descending: false },
            show_deleted: false,
            after: None,
            revision: LARGE,
            size: 50,
        };
        self.check::<v1::Subprocessor>(&list, Some(*vendor), false).await;
        assert!(!self.wrong.is_empty(), "a missing index is not noticed");
    }

    fn done(&mut self) {
        println!("slowest: {} ms, {}", self.slowest.0, self.slowest.1);
        let wrong: BTreeSet<String> = std::mem::take(&mut self.wrong).into_iter().collect();
        assert!(
            wrong.is_empty(),
            "{} plans are wrong:\n{}",
            wrong.len(),
            wrong.into_iter().collect::<Vec<_>>().join("\n")
        );
    }
}

async fn open(place: &Place) -> (Store, Option<Wire>) {
    let wire = match place.backend {
        Backend::Sqlite => None,
        Backend::Postgres => Some(Wire::new(&place.url).await),
    };
    let url = wire.as_ref().map_or(&place.url, |wire| &wire.url);
    let store =
        Store::open(&store::Options::new(url), Arc::new(Clock::System), Territories::default()).await.expect("opened");
    (store, wire)
}

fn orders<R: Resource>() -> Vec<Order> {
    let fields = R::FIELDS.iter().filter(|field| field.ordered);
    fields.flat_map(|field| [false, true].map(|descending| Order { field: *field, descending })).collect()
}

/// A place in the middle of an order.
fn position(order: Order, revision: i64) -> Position {
    let mut position = Position { revision, name: "organizations/n7/x".into(), ..Position::default() };
    match order.field.kind {
        FieldKind::Time => position.number = 50_000_000_000,
        FieldKind::Date => position.text = "2020-01-10".into(),
        _ if order.field.path != "name" => position.text = "v500".into(),
        _ => {}
    }
    position
}

/// Filters over a field, and whether so few match that an index on the field must be searched.
fn filters(field: Field) -> Vec<(Expr, bool)> {
    let compare = |op, literal: &Literal| Expr::Compare(field, op, literal.clone());
    match field.kind {
        FieldKind::Texts | FieldKind::Choices(_) => {
            let has = Expr::Has(field, "v500".into());
            vec![(has.clone(), true), (Expr::Not(Box::new(has)), false), (Expr::Present(field), false)]
        }
        FieldKind::Flag => vec![
            (compare(Op::Equal, &Literal::Flag(true)), false),
            (compare(Op::NotEqual, &Literal::Flag(true)), false),
            (Expr::Present(field), false),
        ],
        FieldKind::Choice(_) => vec![
            (compare(Op::Equal, &Literal::Number(3)), false),
            (compare(Op::NotEqual, &Literal::Number(3)), false),
            (Expr::Present(field), false),
        ],
        FieldKind::Text | FieldKind::Date | FieldKind::Time | FieldKind::Number => {
            let literal = match field.kind {
                FieldKind::Text if field.path == "name" => Literal::Text("organizations/n7/subprocessors/n6".into()),
                FieldKind::Text => Literal::Text("v500".into()),
                FieldKind::Date => Literal::Text("2020-02-11".into()),
                _ => Literal::Number(60_000_000_000),
            };
            let mut all = vec![
                (compare(Op::Equal, &literal), true),
                (compare(Op::NotEqual, &literal), false),
                (compare(Op::Less, &literal), false),
                (compare(Op::GreaterOrEqual, &literal), false),
                (Expr::Present(field), false),
            ];
            if field.kind == FieldKind::Text {
                all.push((Expr::Prefix(field, "v99".into()), false));
            }
            all
        }
    }
}

/// The steps of a plan that read a whole table.
fn scans(backend: Backend, plan: &[String]) -> Vec<String> {
    let whole = |line: &&String| match backend {
        // What a part of the statement has found is no table.
        Backend::Sqlite => {
            let found = ["SCAN CONSTANT ROW", "SCAN counter", "SCAN first"].contains(&line.as_str());
            line.starts_with("SCAN ") && !line.starts_with("SCAN (subquery-") && !found
        }
        Backend::Postgres => {
            line.contains("Seq Scan")
                && !["Seq Scan on counter", "Seq Scan on outbox"].iter().any(|one| line.contains(one))
        }
    };
    if plan.iter().any(|line| whole(&line)) { vec![plan.join("\n    ")] } else { Vec::new() }
}

/// Whether a plan looks a value of the field up.
fn searches(plan: &[String], field: Field) -> bool {
    let path = field.path;
    let column = |line: &String| {
        let sqlite = line.starts_with("SEARCH") && line.contains(&format!("{path}=?"));
        sqlite || (line.contains("Index Cond") && line.contains(&format!("({path} =")))
    };
    let value = |line: &String| {
        (line.starts_with("SEARCH") || line.contains("Index Cond")) && line.contains("value") && line.contains("field")
    };
    // Versions are looked up by those that have the value; one organization's may also be walked through.
    let version = |line: &String| {
        line.contains("resource_id=? AND from_revision=?")
            || line.contains("organization_id=?")
            || line.contains("Index Cond")
    };
    match field.kind {
        FieldKind::Texts | FieldKind::Choices(_) => plan.iter().any(value) && plan.iter().any(version),
        _ => plan.iter().any(column),
    }
}

/// How PostgreSQL reads a statement whose values it does not know, as it does with one that is prepared.
async fn generic(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let most = sql.split('$').skip(1).filter_map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    });
    let values = match most.max().unwrap_or(0) {
        0 => String::new(),
        count => format!("({})", vec!["NULL"; count].join(", ")),
    };
    db.execute_unprepared(&format!("PREPARE looked_at AS {sql}"))
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let plan = texts(db, &format!("EXPLAIN EXECUTE looked_at{values}")).await;
    db.execute_unprepared("DEALLOCATE looked_at").await.expect("forgotten");
    plan
}

both! {
    async fn everything_is_read_by_index(backend: Backend) {
        let start = Instant::now();
        let mut bench = Bench::new(backend).await;
        println!("filled in {} ms", start.elapsed().as_millis());
        bench.check_all::<v1::Organization>().await;
        bench.check_all::<v1::Document>().await;
        bench.check_all::<v1::Customer>().await;
        bench.check_all::<v1::Vendor>().await;
        bench.check_all::<v1::Subprocessor>().await;
        bench.check_all::<v1::Instrument>().await;
        bench.check_all::<v1::Certification>().await;
        bench.check_all::<v1::Transfer>().await;
        bench.check_all::<v1::Acknowledgement>().await;
        bench.check_all::<v1::Notice>().await;
        bench.check_all::<v1::NoticeRecipient>().await;
        bench.check_all::<v1::Objection>().await;
        bench.check_all::<v1::Subscription>().await;
        bench.check_comparisons().await;
        bench.check_histories().await;
        println!("lists checked in {} ms", start.elapsed().as_millis());
        if let Some(statements) = bench.wire.as_ref().map(Wire::statements) {
            bench.check_statements(statements).await;
        }
        let unused = bench.check_statements(traffic::statements().await).await;
        assert!(unused.is_empty(), "no statement needs these exceptions any more: {unused:?}");
        println!("checked in {} ms", start.elapsed().as_millis());
        bench.done();
        if let Some(wire) = &bench.wire {
            count(&bench.store, wire).await;
            compare::count(&bench.store, wire).await;
        }
        bench.notices_a_missing_index().await;
        fill::remove(&bench.place).await;
    }
}

/// The number of statements does not grow with what is read.
async fn count(store: &Store, wire: &Wire) {
    let list = List {
        parent: &Parent::Organization(Name::new(Kind::Organization, None, "n7")),
        filter: None,
        effective_at: None,
        held_too: false,
        order: Order { field: v1::Subprocessor::FIELDS[0], descending: false },
        show_deleted: false,
        after: None,
        revision: LARGE,
        size: 1_000,
    };
    let before = wire.executed();
    let page = store.list::<v1::Subprocessor>(&list).await.expect("a page");
    // The parent, which rows, and their content by 500.
    assert_eq!((page.items.len(), wire.executed() - before), (1_000, 4));
    let before = wire.executed();
    let revision = store.revision(LARGE).await.expect("a revision");
    assert_eq!(revision.changes.len(), CHANGES);
    assert!(revision.changes.iter().all(|change| change.before.is_some() && change.after.is_some()));
    // The revision, its changes, and their 2,000 versions by 500.
    assert_eq!(wire.executed() - before, 6);
}
