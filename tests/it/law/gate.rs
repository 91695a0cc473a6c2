//! The gate "every transfer covered today" (DESIGN §4): what is not covered is not put into use under a REQUIRED policy.

use subprocessor_registry::proto::v1::{
    self, Location, Subprocessor,
    gate_record::{Gate, Outcome},
    notice_policy::Enforcement,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::scene::{ACME, create, on, transfer, with_catalog};
use crate::support::{Server, both, subprocessor};

async fn policy(server: &mut Server, enforcement: Enforcement) {
    let notice_policy = Some(v1::NoticePolicy { enforcement: enforcement.into(), ..Default::default() });
    let organization = v1::Organization { name: ACME.into(), notice_policy, ..Default::default() };
    let update = v1::UpdateOrganizationRequest { organization: Some(organization), ..Default::default() };
    server.organizations.update_organization(update).await.expect("updated");
}

fn at(region: &str) -> Location {
    Location { region_code: region.into(), verbatim: region.into(), ..Default::default() }
}

async fn proposed(server: &mut Server, id: &str, locations: Vec<Location>) -> String {
    let message =
        Subprocessor { display_name: id.into(), vendor: "vendors/aws".into(), locations, ..Default::default() };
    subprocessor(server, ACME, id, message).await.expect("created").name
}

async fn activate(server: &mut Server, name: &str, over: bool) -> Result<Subprocessor, Status> {
    let r#override = over.then(|| v1::Override { reason: "court order".into(), approver: "dpo".into() });
    let request = v1::ActivateRequest { name: name.into(), r#override, ..Default::default() };
    server.subprocessors.activate(request).await.map(tonic::Response::into_inner)
}

/// What a refusal says of the transfers that are not covered; empty if it does not speak of them.
fn uncovered(refused: Result<Subprocessor, Status>) -> String {
    let status = refused.expect_err("a gate is not met");
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    let details = status.get_error_details();
    let violations = details.precondition_failure().map(|failure| failure.violations.clone()).unwrap_or_default();
    violations
        .into_iter()
        .find(|one| one.r#type == "GATE_TRANSFERS_COVERED")
        .map(|one| one.description)
        .unwrap_or_default()
}

both! {
    async fn nothing_goes_where_nothing_covers_it(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        policy(&mut server, Enforcement::Required).await;
        // Derived from a location; one inside the territory, or adequate, or of the company's seat, needs nothing.
        let seat = Location { activity: v1::location::Activity::Corporate.into(), ..at("IN") };
        let name = proposed(&mut server, "hosting", vec![at("DE"), at("NZ"), seat, at("IN")]).await;
        assert_eq!(uncovered(activate(&mut server, &name, false).await), "not covered on 2026-03-23: locations[3] IN (EU_GDPR): NO_MECHANISM");
        let europe = proposed(&mut server, "europe", vec![at("DE"), at("CH")]).await;
        assert_eq!(uncovered(activate(&mut server, &europe, false).await), "", "only other gates");
        // On record, but without effect: named by its name.
        let made = create(&mut server, "in", transfer(&name, "IN", vec![on("eu-scc-2010-87", 0)])).await.expect("created");
        let said = uncovered(activate(&mut server, &name, false).await);
        assert_eq!(said, format!("not covered on 2026-03-23: {} (EU_GDPR): EXPIRED", made.name));
        // With an assessment missing it is covered, and a finding.
        let clauses = v1::Mechanism { sign_date: "2022-01-01".into(), ..on("eu-scc-2021-914", 1) };
        let update = v1::UpdateTransferRequest {
            transfer: Some(v1::Transfer { mechanisms: vec![clauses], ..made.clone() }),
            ..Default::default()
        };
        server.mechanisms.update_transfer(update).await.expect("updated");
        assert_eq!(uncovered(activate(&mut server, &name, false).await), "");
        // Another transfer to the same importer, that is not covered: all must be.
        create(&mut server, "br", transfer(&name, "RU", vec![])).await.expect("created");
        assert!(uncovered(activate(&mut server, &name, false).await).contains("transfers/br (EU_GDPR): NO_MECHANISM"));
    }

    async fn it_is_passed_with_an_override_or_recorded_as_advice(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        let name = proposed(&mut server, "hosting", vec![at("IN")]).await;
        let active = activate(&mut server, &name, false).await.expect("only advice");
        let record = active.gate_records.iter().find(|one| one.gate() == Gate::TransfersCovered).expect("recorded");
        assert_eq!(record.outcome(), Outcome::Advisory);
        assert_eq!(record.detail, "not covered on 2026-03-23: locations[0] IN (EU_GDPR): NO_MECHANISM");
        policy(&mut server, Enforcement::Required).await;
        let other = proposed(&mut server, "other", vec![at("IN")]).await;
        let active = activate(&mut server, &other, true).await.expect("overridden");
        let record = active.gate_records.iter().find(|one| one.gate() == Gate::TransfersCovered).expect("recorded");
        assert_eq!((record.outcome(), record.r#override.as_ref().map(|over| over.approver.as_str())), (Outcome::Overridden, Some("dpo")));
    }

    async fn what_is_in_use_is_not_taken_where_nothing_covers_it(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        policy(&mut server, Enforcement::Required).await;
        let name = proposed(&mut server, "hosting", vec![at("IN")]).await;
        activate(&mut server, &name, true).await.expect("overridden");
        let place = async |server: &mut Server, locations: Vec<Location>| {
            let one = Subprocessor { name: name.clone(), locations, ..Default::default() };
            // What is told to customers is not the question here.
            let correction = v1::Correction {
                reason: "was wrong".into(), approver: "dpo".into(), true_since_date: "2026-03-01".into(),
            };
            let request = v1::UpdateSubprocessorRequest {
                subprocessor: Some(one), correction: Some(correction), ..Default::default()
            };
            server.subprocessors.update_subprocessor(request).await.map(tonic::Response::into_inner)
        };
        // What was not covered before is no worse, wherever it stands.
        place(&mut server, vec![at("DE"), at("IN")]).await.expect("no worse");
        let said = uncovered(place(&mut server, vec![at("RU"), at("IN")]).await);
        assert_eq!(said, "not covered on 2026-03-23: locations[0] RU (EU_GDPR): NO_MECHANISM");
        place(&mut server, vec![at("DE")]).await.expect("better");
        let said = uncovered(place(&mut server, vec![at("DE"), at("IN")]).await);
        assert_eq!(said, "not covered on 2026-03-23: locations[1] IN (EU_GDPR): NO_MECHANISM");
    }
}
