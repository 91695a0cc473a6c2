//! What stands in the way of time: an audience that is still being written, and what cannot be written at all.

use std::sync::Arc;

use sea_orm::ConnectionTrait;
use subprocessor_registry::{
    call::Call,
    clock::Clock,
    error::Reason,
    proto::v1::{self, Notice, NoticeChange, notice::State, subprocessor::State as Stage},
    resource::name::{Kind, Name},
    rules::law::territory::Territories,
    store::{Options, Store, subprocessor::lifecycle::Taken},
};

use super::scene::{ACME, Scene, add, engagement, general, notice, proposal};
use crate::{
    log::{number, raw},
    support::{Backend, Server, apply, both, organization, update_subprocessor},
};

both! {
    async fn nothing_begins_before_its_audience_is_written(backend: Backend) {
        const MANY: usize = 501;
        let policy = v1::NoticePolicy { enforcement: v1::notice_policy::Enforcement::Advisory.into(), ..Default::default() };
        let mut scene = Scene::with(backend, policy).await;
        let customers: Vec<String> = (0..MANY)
            .map(|i| format!("- {{id: c{i:04}, display_name: C{i}, agreement: {{authorization: GENERAL, notice_days: 30, objection_days: 30}}}}"))
            .collect();
        let whole = "organization: {id: acme, display_name: Acme, notice_policy: {enforcement: ADVISORY}}";
        apply(&mut scene.server, &format!("{whole}\ncustomers:\n{}\n", customers.join("\n"))).await.expect("applied");
        scene.create("n", Notice { changes: vec![add("aws")], ..Notice::default() }).await.expect("created");
        scene.approve("n").await.expect("approved");
        let Scene { place, server } = scene;
        server.stop().await;

        // No schedule runs, and nobody lets time catch up between the two.
        let clock = Arc::new(Clock::file(&place.clock_file()).expect("a clock"));
        let store = Store::open(&Options::new(&place.url), clock, Territories::default()).await.expect("opened");
        let name = Name::of(Kind::Notice, "name", &notice("n")).expect("a name");
        let publish = store.write(Call::internal("Test/Publish"), |writer| {
            Box::pin(async move { Box::pin(writer.publish_notice(&name, "")).await })
        });
        assert!(!publish.await.expect("published").audience_complete);
        for over in [None, Some(v1::Override { reason: "urgent".into(), approver: "boss".into() })] {
            let aws = Name::of(Kind::Subprocessor, "name", &engagement("aws")).expect("a name");
            let activate = store.write(Call::internal("Test/Activate"), |writer| {
                Box::pin(async move { Box::pin(writer.step(&aws, "", Taken::Activate { over })).await })
            });
            let refusal = activate.await.expect_err("a refusal");
            assert_eq!(refusal.reason(), Reason::GateRefused, "{refusal}");
        }
        drop(store);

        let server = Server::start(&place).await;
        let mut scene = Scene { place, server };
        crate::support::activate(&mut scene.server, &engagement("aws")).await.expect("activated");
        let after = scene.notice("n").await;
        assert_eq!((after.state(), after.audience_complete, after.recipient_count), (State::Effective, true, 501));
        assert_eq!(scene.subprocessor("aws").await.state(), Stage::Active);
    }

    async fn what_is_held_is_tried_again_for_what_concerns_it(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        scene.customer("c", general(5, 5)).await;
        let bare = NoticeChange { proposed: Some(v1::Subprocessor { dpa: None, ..proposal("aws") }), ..add("aws") };
        scene.announce_for("n", vec![bare], "2026-04-01T00:00:00Z").await;
        scene.pass_to("2026-04-01T10:00:00Z");
        assert_eq!(scene.state("n").await, State::Held);
        organization(&mut scene.server, "other").await;
        scene.revision().await;
        let db = raw(&scene.place).await;
        let before = number(&db, "SELECT batch FROM counter").await;
        let customer = v1::CreateCustomerRequest {
            parent: "organizations/other".into(),
            customer_id: "c".into(),
            customer: Some(v1::Customer { display_name: "C".into(), ..Default::default() }),
            ..Default::default()
        };
        scene.server.organizations.create_customer(customer).await.expect("created");
        assert_eq!(scene.state("n").await, State::Held);
        scene.revision().await;
        assert_eq!(number(&db, "SELECT batch FROM counter").await - before, 1, "nobody tried");
        let whole = v1::Subprocessor { name: engagement("aws"), ..proposal("aws") };
        update_subprocessor(&mut scene.server, whole, &["dpa"]).await.expect("updated");
        assert_eq!(scene.state("n").await, State::Effective);
    }

    async fn what_cannot_be_written_stops_nobody_else(backend: Backend) {
        let mut scene = Scene::new(backend).await;
        for who in ["bad", "good"] {
            scene.customer(who, general(5, 5)).await;
        }
        scene.announce_for("a", vec![add("aws")], "").await;
        scene.announce_for("b", vec![add("gcp")], "2026-04-02T00:00:00Z").await;
        let db = raw(&scene.place).await;
        for statement in refuse_to_pass(backend, &format!("{ACME}/notices/a/recipients/bad")) {
            db.execute_unprepared(&statement).await.expect("a trigger");
        }
        scene.pass_to("2026-04-03T12:00:00Z");
        assert_eq!(scene.status("a", "good").await, "DEEMED_AUTHORIZED");
        assert_eq!((scene.status("a", "bad").await.as_str(), scene.status("b", "bad").await.as_str()), ("PENDING", "DEEMED_AUTHORIZED"));
        assert_eq!((scene.state("a").await, scene.state("b").await), (State::Effective, State::Effective));
        // It is tried again the next day, and the day after.
        let head = scene.revision().await;
        assert_eq!(scene.revision().await, head);
        let end = match backend {
            Backend::Sqlite => "DROP TRIGGER refuse",
            Backend::Postgres => "DROP TRIGGER refuse ON recipient",
        };
        db.execute_unprepared(end).await.expect("dropped");
        scene.pass_to("2026-04-04T00:00:00Z");
        assert_eq!(scene.status("a", "bad").await, "DEEMED_AUTHORIZED");
        crate::log::assert_verifies(&mut scene.server).await;
    }
}

/// A database that does not take the version of a recipient for whom nothing is due any more.
fn refuse_to_pass(backend: Backend, name: &str) -> Vec<String> {
    let over = format!("NEW.name = '{name}' AND NEW.due_time = {}", i64::MAX);
    match backend {
        Backend::Sqlite => vec![format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON recipient WHEN {over} BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )],
        Backend::Postgres => vec![
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$"
                .to_owned(),
            format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON recipient FOR EACH ROW WHEN ({over}) EXECUTE FUNCTION refuse()"
            ),
        ],
    }
}
