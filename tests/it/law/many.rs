//! A day for 100,000 transfers: one pass, and a number of statements that depends on the pages only.

use std::time::Instant;

use prost::Message;
use sea_orm::ConnectionTrait;
use subprocessor_registry::proto::v1::{AssessTransfersRequest, Mechanism, SimulateInstrumentEndRequest, Transfer};

use super::scene::{ACME, WITH_CATALOG, create, engaged, on, transfer, with_catalog};
use crate::{
    plans::{fill::connect, wire::Wire},
    support::{Backend, Place, Server, both},
};

/// How many; on SQLite fewer, because statements are counted on PostgreSQL only.
fn many(backend: Backend) -> usize {
    if backend == Backend::Postgres { 100_000 } else { 10_000 }
}

/// Importers, and vendors of theirs.
const IMPORTERS: usize = 40;

/// Copies of a transfer that is stored, under names of their own, each with its importer. They are no part of the log.
async fn multiply(place: &Place, pattern: &Transfer, importers: &[String]) {
    let db = connect(place).await;
    let sqlite = place.backend == Backend::Sqlite;
    let literal = |bytes: &[u8]| {
        let hex = hex::encode(bytes);
        if sqlite { format!("x'{hex}'") } else { format!("'\\x{hex}'::bytea") }
    };
    let run = async |sql: &str| {
        db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{}: {error}", &sql[..sql.len().min(300)]));
    };
    // What is shared comes from the pattern's own row; the rest is given.
    let columns = "from_revision, to_revision, organization_id, deleted, create_time, update_time, digest, salt, \
                   exporter, onward_from, start_date, start_date_desc, end_date, end_date_desc, regime";
    run("BEGIN").await;
    for chunk in (0..many(place.backend)).collect::<Vec<_>>().chunks(1_000) {
        let rows: Vec<String> = chunk
            .iter()
            .map(|i| {
                let name = format!("{ACME}/transfers/many-{i:06}");
                let importer = importers[i % importers.len()].clone();
                let body = Transfer { name: name.clone(), importer: importer.clone(), ..pattern.clone() };
                let id = 10_000_000 + i;
                format!("({id}, '{name}', '{importer}', {})", literal(&body.encode_to_vec()))
            })
            .collect();
        let values = format!("WITH many(id, name, importer, body) AS (VALUES {})", rows.join(", "));
        let from = format!("FROM many, transfer pattern WHERE pattern.name = '{}'", pattern.name);
        for insert in [
            format!(
                "INSERT INTO resource (id, name, uid, kind, organization_id) SELECT many.id, many.name, many.name, 8, \
                 organization_id {from}"
            ),
            format!(
                "INSERT INTO transfer (resource_id, name, importer, body, {columns}) SELECT many.id, many.name, \
                 many.importer, many.body, {columns} {from}"
            ),
            format!(
                "INSERT INTO transfer_value (resource_id, from_revision, field, value) SELECT many.id, from_revision, \
                 'destination_region_codes', 'US' {from}"
            ),
        ] {
            run(&format!("{values} {insert}")).await;
        }
    }
    run("COMMIT").await;
    db.close().await.expect("closed");
}

/// How many statements a call takes: the least of three, because what the server does by itself meanwhile counts too.
async fn least(executed: &impl Fn() -> usize, mut call: impl AsyncFnMut()) -> usize {
    let mut least = usize::MAX;
    for _ in 0..3 {
        let begun = executed();
        call().await;
        least = least.min(executed() - begun);
    }
    least
}

async fn pass(server: &mut Server, page_size: i32, pages: usize) -> usize {
    let mut request =
        AssessTransfersRequest { parent: ACME.into(), date: "2026-06-01".into(), page_size, ..Default::default() };
    let mut answered = 0;
    for _ in 0..pages {
        let page = server.mechanisms.assess_transfers(request.clone()).await.expect("answered").into_inner();
        answered += page.assessments.len();
        request.page_token = page.next_page_token;
    }
    answered
}

both! {
    async fn a_day_for_many_transfers_is_one_pass(backend: Backend) {
        let (mut place, mut server) = with_catalog(backend).await;
        let vendors = ["aws", "stripe", "twilio", "mailchimp", "slack", "datadog", "zendesk", "salesforce"];
        let mut importers = Vec::new();
        for i in 0..IMPORTERS {
            let vendor = format!("vendors/{}", vendors[i % vendors.len()]);
            importers.push(engaged(&mut server, &format!("importer-{i}"), &vendor, "US").await);
        }
        let clauses = Mechanism { sign_date: "2022-01-01".into(), ..on("eu-scc-2021-914", 1) };
        let pattern = transfer(&importers[0], "US", vec![on("eu-us-dpf", 0), clauses]);
        let pattern = create(&mut server, "pattern", pattern).await.expect("created");
        server.stop().await;
        multiply(&place, &pattern, &importers).await;

        let wire = if backend == Backend::Postgres {
            let wire = Wire::new(&place.url).await;
            place.url.clone_from(&wire.url);
            Some(wire)
        } else {
            None
        };
        // What the server looks for by itself is hardly in the way.
        let seldom = [("SCHEDULE__POLL_INTERVAL_MS", "60000"), ("WATCH__POLL_INTERVAL_MS", "60000")];
        let quiet: Vec<(&str, &str)> = WITH_CATALOG.iter().copied().chain(seldom).collect();
        let mut server = Server::start_with(&place, &quiet).await;
        let executed = || wire.as_ref().map_or(0, Wire::executed);
        // The law is read once and kept.
        assert_eq!(pass(&mut server, 10, 1).await, 10);
        let start = Instant::now();
        let small = least(&executed, async || assert_eq!(pass(&mut server, 10, 1).await, 10)).await;
        // A larger page reads its rows 500 at a time.
        let large = least(&executed, async || assert_eq!(pass(&mut server, 500, 1).await, 500)).await;
        assert_eq!(small, large, "a page of 500 takes as many statements as one of 10");
        println!("a page: {small} statements; six of them in {:?}", start.elapsed());

        let (begun, start) = (executed(), Instant::now());
        let request = SimulateInstrumentEndRequest {
            instrument: "instruments/eu-adequacy-japan".into(),
            end_date: "2026-06-01".into(),
            parent: ACME.into(),
            ..Default::default()
        };
        let answer = server.mechanisms.simulate_instrument_end(request).await.expect("simulated").into_inner();
        let statements = executed() - begun;
        println!("{} judged in {:?} with {statements} statements", answer.judged_count, start.elapsed());
        assert_eq!(answer.judged_count, i64::try_from(many(backend)).expect("small") + 1);
        // 101 pages of transfers, one of subprocessors, what is asked once, and how the database is, every few seconds.
        assert!(statements <= 102 * (small + 1) + 50, "{statements}");
        server.stop().await;
    }
}
