//! A page takes the same number of statements, however many subjects it looks at.

use std::sync::Arc;

use subprocessor_registry::{
    catalog::territories,
    clock::Clock,
    proto::v1::{
        self, Regime,
        finding::{Kind, Severity},
    },
    resource::name::Parent,
    rules::finding::Window,
    store::{self, Store, findings::Question},
};

use super::{ACME, engage, of_kind, publish, whole};
use crate::{
    plans::wire::Wire,
    support::{Backend, Place, Server, organization, vendor},
};

/// Adds subjects of every phase, and reads them all.
async fn add(server: &mut Server, ids: std::ops::Range<usize>) {
    for n in ids {
        let id = format!("v{n:02}");
        vendor(server, &id).await;
        let certification = v1::Certification {
            framework: "instruments/eu-us-dpf".into(),
            status: v1::certification::Status::Claimed.into(),
            ..Default::default()
        };
        let request = v1::CreateCertificationRequest {
            parent: format!("vendors/{id}"),
            certification: Some(certification),
            ..Default::default()
        };
        server.mechanisms.create_certification(request).await.expect("certified");
        let location = v1::Location { region_code: "US".into(), ..Default::default() };
        let gaps = v1::Subprocessor { dpa: None, locations: vec![location], ..whole(&id) };
        let engaged = engage(server, &id, gaps).await;
        let transfer = v1::Transfer {
            regime: Regime::EuGdpr.into(),
            exporter: "customers".into(),
            importer: engaged.name,
            destination_region_codes: vec!["US".into()],
            mechanisms: vec![v1::Mechanism { instrument: "instruments/eu-us-dpf".into(), ..Default::default() }],
            ..Default::default()
        };
        let request = v1::CreateTransferRequest { parent: ACME.into(), transfer: Some(transfer), ..Default::default() };
        server.mechanisms.create_transfer(request).await.expect("created");
        if n < 16 {
            let claim = v1::Claim {
                kind: v1::claim::Kind::SubprocessorUse.into(),
                quote: format!("not {id}"),
                subject: format!("vendors/{id}"),
                affirmed: Some(false),
                instrument: "instruments/eu-us-dpf".into(),
                regime: Regime::EuGdpr.into(),
                ..Default::default()
            };
            publish(server, &id, v1::document::Kind::PrivacyPolicy, vec![claim]).await;
        }
    }
}

/// How many findings there are, and how many statements that took.
async fn walk(store: &Store, wire: &Wire) -> (usize, usize) {
    let question = Question {
        parent: Parent::of_organizations("organizations/-").expect("all"),
        window: Window { date: "2026-03-23".into(), last: "2026-06-23".into() },
        kinds: Vec::new(),
        severity: Severity::Unspecified,
        subject: String::new(),
        show_acknowledged: false,
        revision: store.head().await.expect("a revision"),
    };
    let before = wire.executed();
    let (found, next) = store.findings(&question, None, 1_000).await.expect("findings");
    assert!(next.is_none());
    (found.len(), wire.executed() - before)
}

/// One to which something was said is found where its subject is, without a walk.
async fn look_up(server: &mut Server, store: &Store, wire: &Wire) {
    let window = Window { date: "2026-03-23".into(), last: "2026-06-23".into() };
    let one = of_kind(server, Kind::TransferNotCovered, "2026-03-23").await.pop().expect("a finding");
    let mut statements = Vec::new();
    for _ in 0..2 {
        let before = wire.executed();
        let found = store.finding(&one.name, &window).await.expect("looked for").expect("found");
        assert_eq!((found.name, found.subject), (one.name.clone(), one.subject.clone()));
        statements.push(wire.executed() - before);
        let said = v1::AcknowledgeFindingRequest {
            name: one.name.clone(),
            reason: "known".into(),
            return_date: "2199-01-01".into(),
            ..Default::default()
        };
        server.mechanisms.acknowledge_finding(said).await.expect("acknowledged");
    }
    assert!(statements[1] < statements[0], "{statements:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_do_not_grow_with_what_is_read() {
    let place = Place::new(Backend::Postgres).await;
    let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
    let mut acme = organization(&mut server, "acme").await;
    acme.regimes = vec![Regime::EuGdpr.into()];
    let request = v1::UpdateOrganizationRequest { organization: Some(acme), ..Default::default() };
    server.organizations.update_organization(request).await.expect("updated");
    add(&mut server, 0..2).await;
    let wire = Wire::new(&place.url).await;
    let territories = territories().expect("the territories are well formed");
    let store =
        Store::open(&store::Options::new(&wire.url), Arc::new(Clock::System), territories).await.expect("opened");
    walk(&store, &wire).await;
    let (few, statements) = walk(&store, &wire).await;
    add(&mut server, 2..60).await;
    walk(&store, &wire).await;
    let (many, again) = walk(&store, &wire).await;
    look_up(&mut server, &store, &wire).await;
    assert!(many > 20 * few, "{few} {many}");
    assert_eq!(again, statements, "for {many} instead of {few}");
    assert!(statements < 45, "{statements}");
}
