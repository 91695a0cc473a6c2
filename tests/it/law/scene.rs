//! An organization in Germany whose subprocessors receive data: what the tests of answers stand on.

use subprocessor_registry::proto::v1::{
    self, Certification, Location, Mechanism, Regime, Subprocessor, Transfer, TransferAssessment,
};
use tonic::Status as Refusal;

use crate::support::{Backend, Place, Server, organization, subprocessor};

pub(super) const WITH_CATALOG: &[(&str, &str)] = &[("CATALOG__LOAD", "true")];
pub(super) const ACME: &str = "organizations/acme";

pub(super) async fn with_catalog(backend: Backend) -> (Place, Server) {
    let place = Place::new(backend).await;
    let mut server = Server::start_with(&place, WITH_CATALOG).await;
    let mut acme = organization(&mut server, "acme").await;
    acme.regimes = vec![Regime::EuGdpr.into()];
    acme.region_code = "DE".into();
    let request = v1::UpdateOrganizationRequest { organization: Some(acme), ..Default::default() };
    server.organizations.update_organization(request).await.expect("updated");
    (place, server)
}

/// A subprocessor in use since long, that processes in a country.
pub(super) async fn engaged(server: &mut Server, id: &str, vendor: &str, region: &str) -> String {
    let message = Subprocessor {
        display_name: id.into(),
        vendor: vendor.into(),
        recorded_as_found: true,
        state: v1::subprocessor::State::Active.into(),
        locations: vec![Location { region_code: region.into(), verbatim: region.into(), ..Default::default() }],
        ..Default::default()
    };
    subprocessor(server, ACME, id, message).await.expect("created").name
}

pub(super) fn transfer(importer: &str, region: &str, mechanisms: Vec<Mechanism>) -> Transfer {
    Transfer {
        regime: Regime::EuGdpr.into(),
        exporter: "customers".into(),
        exporter_area: v1::ExporterArea::Eu.into(),
        importer: importer.into(),
        destination_region_codes: vec![region.into()],
        mechanisms,
        ..Default::default()
    }
}

pub(super) fn on(instrument: &str, precedence: i32) -> Mechanism {
    Mechanism { instrument: format!("instruments/{instrument}"), precedence, ..Default::default() }
}

pub(super) async fn create(server: &mut Server, id: &str, transfer: Transfer) -> Result<Transfer, Refusal> {
    let request = v1::CreateTransferRequest {
        parent: ACME.into(),
        transfer_id: id.into(),
        transfer: Some(transfer),
        ..Default::default()
    };
    server.mechanisms.create_transfer(request).await.map(tonic::Response::into_inner)
}

pub(super) async fn certify(
    server: &mut Server,
    parent: &str,
    certification: Certification,
) -> Result<Certification, Refusal> {
    let request = v1::CreateCertificationRequest {
        parent: parent.into(),
        certification: Some(certification),
        ..Default::default()
    };
    server.mechanisms.create_certification(request).await.map(tonic::Response::into_inner)
}

pub(super) async fn ask(server: &mut Server, mut request: v1::AssessTransfersRequest) -> Vec<TransferAssessment> {
    let mut all = Vec::new();
    loop {
        let page = server.mechanisms.assess_transfers(request.clone()).await.expect("answers").into_inner();
        all.extend(page.assessments);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

pub(super) async fn on_day(server: &mut Server, parent: &str, date: &str) -> Vec<TransferAssessment> {
    ask(server, v1::AssessTransfersRequest { parent: parent.into(), date: date.into(), ..Default::default() }).await
}
