//! Findings through the API: every kind on its days, and what is said to them.

mod acknowledged;
mod counted;
mod examples;
mod kinds;
mod pages;
mod transfers;

use std::collections::BTreeSet;

use subprocessor_registry::proto::v1::{
    self, Finding, ListFindingsRequest, Subprocessor,
    finding::{Kind, Severity},
};

use crate::support::{Backend, Place, Server, fresh, organization, subprocessor};

const ACME: &str = "organizations/acme";

/// All pages of an answer.
async fn ask(server: &mut Server, mut request: ListFindingsRequest) -> Vec<Finding> {
    let mut all = Vec::new();
    loop {
        let page = server.mechanisms.list_findings(request.clone()).await.expect("findings").into_inner();
        assert!(!page.date.is_empty());
        all.extend(page.findings);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

/// What holds on a day.
async fn on(server: &mut Server, date: &str) -> Vec<Finding> {
    ask(server, ListFindingsRequest { parent: ACME.into(), date: date.into(), ..Default::default() }).await
}

/// The findings of a kind on a day.
async fn of_kind(server: &mut Server, kind: Kind, date: &str) -> Vec<Finding> {
    let kinds = vec![kind.into()];
    ask(server, ListFindingsRequest { parent: ACME.into(), date: date.into(), kinds, ..Default::default() }).await
}

/// The one finding of a kind on a day: when it began, and how grave it is. None if there is none.
async fn one(server: &mut Server, kind: Kind, date: &str) -> Option<(String, Severity)> {
    let found = of_kind(server, kind, date).await;
    assert!(found.len() < 2, "{found:#?}");
    let finding = found.into_iter().next()?;
    assert!(!finding.text.is_empty() && !finding.evidence.is_empty() && finding.kind() == kind, "{finding:?}");
    assert!(finding.name.starts_with("organizations/acme/findings/"), "{finding:?}");
    let (since, severity) = (finding.since_date.clone(), finding.severity());
    Some((since, severity))
}

fn kinds(found: &[Finding]) -> BTreeSet<Kind> {
    found.iter().map(Finding::kind).collect()
}

/// An organization with nothing wrong.
async fn acme(backend: Backend) -> (Place, Server) {
    let (place, mut server) = fresh(backend).await;
    organization(&mut server, "acme").await;
    (place, server)
}

/// A subprocessor of which nothing is missing, in use since long.
fn whole(vendor: &str) -> Subprocessor {
    Subprocessor {
        display_name: vendor.to_uppercase(),
        vendor: format!("vendors/{vendor}"),
        role: v1::Role::SubProcessor.into(),
        recorded_as_found: true,
        state: v1::subprocessor::State::Active.into(),
        purposes: vec!["hosting".into()],
        locations: vec![v1::Location { region_code: "DE".into(), ..Default::default() }],
        dpa: Some(v1::Dpa { status: v1::dpa::Status::Signed.into(), ..Default::default() }),
        ..Default::default()
    }
}

async fn engage(server: &mut Server, id: &str, message: Subprocessor) -> Subprocessor {
    subprocessor(server, ACME, id, message).await.expect("engaged")
}

/// Adds a document of the organization.
async fn publish(server: &mut Server, id: &str, kind: v1::document::Kind, claims: Vec<v1::Claim>) -> v1::Document {
    let document = v1::Document { title: id.into(), kind: kind.into(), claims, ..Default::default() };
    let request = v1::CreateDocumentRequest {
        parent: ACME.into(),
        document_id: id.into(),
        document: Some(document),
        ..Default::default()
    };
    server.organizations.create_document(request).await.expect("created").into_inner()
}
