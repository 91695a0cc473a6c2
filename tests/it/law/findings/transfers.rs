//! Transfers that nothing covers, or not firmly, on record and derived.

use std::slice::from_ref;

use subprocessor_registry::proto::v1::{
    self, Location, Mechanism, Regime, Subprocessor, Transfer, Verdict,
    finding::{Kind, Severity},
};

use super::{ACME, ask, engage, of_kind, on, whole};
use crate::support::{Backend, Place, Server, both, organization, vendor};

async fn with_catalog(backend: Backend) -> (Place, Server) {
    let place = Place::new(backend).await;
    let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
    let mut acme = organization(&mut server, "acme").await;
    acme.regimes = vec![Regime::EuGdpr.into()];
    let request = v1::UpdateOrganizationRequest { organization: Some(acme), ..Default::default() };
    server.organizations.update_organization(request).await.expect("updated");
    vendor(&mut server, "v").await;
    (place, server)
}

fn located(region: &str) -> Subprocessor {
    let location = Location { region_code: region.into(), verbatim: region.into(), ..Default::default() };
    Subprocessor { locations: vec![location], ..whole("v") }
}

async fn transfer(server: &mut Server, importer: &str, mechanisms: Vec<Mechanism>) -> Transfer {
    let transfer = Transfer {
        regime: Regime::EuGdpr.into(),
        exporter: "customers".into(),
        exporter_area: v1::ExporterArea::Eu.into(),
        importer: importer.into(),
        destination_region_codes: vec!["US".into()],
        mechanisms,
        ..Default::default()
    };
    let request = v1::CreateTransferRequest { parent: ACME.into(), transfer: Some(transfer), ..Default::default() };
    server.mechanisms.create_transfer(request).await.expect("created").into_inner()
}

fn by(instrument: &str, precedence: i32, sign_date: &str) -> Mechanism {
    let instrument = format!("instruments/{instrument}");
    Mechanism { instrument, precedence, sign_date: sign_date.into(), ..Default::default() }
}

/// What is found of transfers on a day: kind, verdict, severity, and since when.
async fn found(server: &mut Server, date: &str) -> Vec<(Kind, Verdict, Severity, String)> {
    let found = on(server, date).await;
    found.iter().map(|one| (one.kind(), one.verdict(), one.severity(), one.since_date.clone())).collect()
}

both! {
    async fn a_location_outside_needs_cover(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        let us = engage(&mut server, "us", located("US")).await;
        engage(&mut server, "de", Subprocessor { section: "DE".into(), ..located("DE") }).await;
        engage(&mut server, "ch", Subprocessor { section: "CH".into(), ..located("CH") }).await;
        let world = Location { area: "global".into(), verbatim: "worldwide".into(), ..Default::default() };
        let world = Subprocessor { section: "W".into(), locations: vec![world], ..located("US") };
        let world = engage(&mut server, "world", world).await;
        let all = on(&mut server, "2026-03-23").await;
        let seen: Vec<_> = all.iter().map(|one| (one.subject.as_str(), one.verdict(), one.severity())).collect();
        assert_eq!(seen, [
            (us.name.as_str(), Verdict::NoMechanism, Severity::Critical),
            (world.name.as_str(), Verdict::Indeterminate, Severity::Warning),
        ]);
        assert_eq!((all[0].evidence[0].field.as_str(), all[0].citation.as_str()), ("locations[0]", "GDPR Art. 44"));
        // One on record answers for itself; the name of the finding is its own.
        let named = transfer(&mut server, &us.name, vec![]).await;
        let recorded = of_kind(&mut server, Kind::TransferNotCovered, "2026-03-23").await;
        let subjects: Vec<&str> = recorded.iter().map(|one| one.subject.as_str()).collect();
        assert_eq!(subjects, [world.name.as_str(), named.name.as_str()]);
        assert_ne!(recorded[1].name, all[0].name);
    }

    async fn a_fallback_takes_over_and_fails_on_its_days(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        let us = engage(&mut server, "us", located("US")).await;
        let clauses = by("eu-scc-2010-87", 1, "2018-05-25");
        let shield = v1::Certification {
            framework: "instruments/eu-us-privacy-shield".into(),
            status: v1::certification::Status::Active.into(),
            start_date: "2016-11-01".into(),
            ..Default::default()
        };
        let request = v1::CreateCertificationRequest {
            parent: "vendors/v".into(), certification: Some(shield), ..Default::default()
        };
        server.mechanisms.create_certification(request).await.expect("certified");
        transfer(&mut server, &us.name, vec![by("eu-us-privacy-shield", 0, ""), clauses]).await;
        use Kind::{TransferNotCovered, TransferWeaklyCovered};
        use Severity::Critical;
        let day = async |server: &mut Server, date: &str| found(server, date).await;
        assert_eq!(day(&mut server, "2020-07-15").await, []);
        let weak = (TransferWeaklyCovered, Verdict::MissingTia, Critical, "2020-07-16".to_owned());
        assert_eq!(day(&mut server, "2020-07-16").await, from_ref(&weak));
        assert_eq!(day(&mut server, "2022-12-27").await, from_ref(&weak));
        let gone = (TransferNotCovered, Verdict::Expired, Critical, "2022-12-28".to_owned());
        assert_eq!(day(&mut server, "2022-12-28").await, from_ref(&gone));
        assert_eq!(day(&mut server, "2026-03-23").await, from_ref(&gone));
        // Within a horizon both come, each on its first day, and under the same names.
        let request = v1::ListFindingsRequest {
            parent: ACME.into(), date: "2020-07-15".into(), within_days: 3_660, ..Default::default()
        };
        let ahead = ask(&mut server, request.clone()).await;
        let seen: Vec<_> = ahead.iter().map(|one| (one.kind(), one.verdict(), one.severity(), one.since_date.clone())).collect();
        assert_eq!(seen, [weak, gone]);
        assert_eq!(ahead[0].name, on(&mut server, "2021-01-01").await[0].name);
        assert_eq!(ahead[1].name, on(&mut server, "2026-01-01").await[0].name);
        for (within_days, count) in [(0, 0), (1, 1), (895, 1), (896, 2)] {
            let found = ask(&mut server, v1::ListFindingsRequest { within_days, ..request.clone() }).await;
            assert_eq!(found.len(), count, "{within_days}: {found:?}");
        }
    }

    async fn cover_by_a_fallback_or_a_disputed_decision_is_weak(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        let us = engage(&mut server, "us", located("US")).await;
        let dpf = v1::Certification {
            framework: "instruments/eu-us-dpf".into(),
            status: v1::certification::Status::Active.into(),
            start_date: "2023-09-01".into(),
            ..Default::default()
        };
        let request = v1::CreateCertificationRequest {
            parent: "vendors/v".into(), certification: Some(dpf), ..Default::default()
        };
        server.mechanisms.create_certification(request).await.expect("certified");
        let both = vec![by("eu-us-privacy-shield", 0, ""), by("eu-us-dpf", 1, "")];
        let made = transfer(&mut server, &us.name, both).await;
        let weak = of_kind(&mut server, Kind::TransferWeaklyCovered, "2026-03-23").await.remove(0);
        assert_eq!((weak.severity(), weak.since_date.as_str()), (Severity::Warning, "2023-09-01"));
        assert!(weak.text.contains("instruments/eu-us-dpf"), "{weak:?}");
        assert_eq!(weak.evidence.len(), 3, "the transfer and what its mechanisms are worth: {weak:?}");
        let alone = Transfer { mechanisms: vec![by("eu-us-dpf", 0, "")], etag: String::new(), ..made };
        let request = v1::UpdateTransferRequest { transfer: Some(alone), ..Default::default() };
        server.mechanisms.update_transfer(request).await.expect("updated");
        let disputed = of_kind(&mut server, Kind::TransferWeaklyCovered, "2026-03-23").await;
        let severities: Vec<Severity> = disputed.iter().map(v1::Finding::severity).collect();
        assert_eq!(severities, [Severity::Info]);
    }
}
