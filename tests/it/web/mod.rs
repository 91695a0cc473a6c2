//! The public pages, over HTTP, on both databases.

mod feed;
mod hostile;
mod list;
mod notices;
mod places;
mod refusals;
mod round_trip;
mod subscribe;

use subprocessor_registry::{proto::v1, rules::publication::Publication};

use crate::support::{Answer, Backend, Place, Server, apply, ask};

/// An organization with a list: what is public, and what is not.
const MANIFEST: &str = "\
organization:
  id: acme
  display_name: Acme
  legal_name: Acme GmbH
  region_code: DE
  regimes: [EU_GDPR]
  products: [{product_id: cloud, display_name: Acme Cloud}, {product_id: desk, display_name: Acme Desk}]
  notice_policy: {enforcement: ADVISORY, four_eyes: false, notice_days: 30, objection_days: 10}
  contacts: [{person_name: Hidden Person, email: hidden@acme.example}]
  annotations: {note: Hidden Note}
  page: {introduction: Whom we engage., objection_instructions: Write to us., contact_email: privacy@acme.example, terms: Annex III of our agreement., accent_color: '#0b5d5b'}
vendors:
  - {id: mailer, display_name: Mailer, entities: [{entity_id: mailer-inc, legal_name: 'Mailer, Inc.', region_code: US, address: {lines: [1 Road], locality: Reno, region_code: US}}], contacts: [{email: hidden@mailer.example}]}
  - {id: hoster, display_name: Hoster, entities: [{entity_id: hoster-ag, legal_name: Hoster AG, region_code: CH}]}
subprocessors:
  - {id: mail, vendor: vendors/mailer, vendor_entity: mailer-inc, display_name: Mailer, listed: true, recorded_as_found: true, state: ACTIVE, start_date: '2021-05-01', purposes: [Sending of mail], locations: [{region_code: US, activity: PROCESSING}], products: [desk], website_uri: 'https://www.mailer.example/list', data_categories: [E-mail addresses], incomplete_reason: Hidden reason, annotations: {x: Hidden annotation}}
  - {id: host, vendor: vendors/hoster, vendor_entity: hoster-ag, display_name: Hoster, listed: true, recorded_as_found: true, state: ACTIVE, start_date: '2019-01-01', purposes: [Hosting], locations: [{region_code: CH, activity: STORAGE}]}
  - {id: chat, display_name: Chatter, listed: true, recorded_as_found: true, state: RETIRED, start_date: '2018-01-01', end_date: '2022-07-01', purposes: [Chat]}
  - {id: secret, display_name: Hidden Partner, listed: false, recorded_as_found: true, state: ACTIVE, purposes: [Hidden purpose]}
  - {id: idea, display_name: Hidden Idea, listed: true}
transfers:
  - {id: mail-us, regime: EU_GDPR, exporter: customers, exporter_area: EU, exporter_role: PROCESSOR, importer: organizations/acme/subprocessors/mail, destination_region_codes: [US], mechanisms: [{instrument: instruments/eu-scc-2021-914, module: THREE, sign_date: '2022-01-10', tia: {date: '2022-01-10', outcome: ADEQUATE}}]}
customers:
  - {id: hidden-customer, display_name: Hidden Customer}
";

const LIST: &str = "/organizations/acme";

/// A server that holds it, with the catalog.
async fn acme(backend: Backend) -> (Place, Server) {
    acme_with(backend, MANIFEST, &[]).await
}

async fn acme_with(backend: Backend, manifest: &str, changes: &[(&str, &str)]) -> (Place, Server) {
    let place = Place::new(backend).await;
    let changes = [&[("CATALOG__LOAD", "true")], changes].concat();
    let mut server = Server::start_with(&place, &changes).await;
    apply(&mut server, manifest).await.expect("applied");
    (place, server)
}

async fn get(server: &Server, path: &str) -> Answer {
    ask(server, "GET", path, &[]).await
}

/// The published list.
async fn published(server: &Server, query: &str) -> Publication {
    let answer = get(server, &format!("{LIST}/subprocessors.json{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).expect("the published form")
}

fn names(publication: &Publication) -> Vec<&str> {
    publication.subprocessors.iter().map(|one| one.name.as_str()).collect()
}

/// Announces a change to customers.
async fn announce(server: &mut Server, id: &str, notice: v1::Notice) -> v1::Notice {
    let request = v1::CreateNoticeRequest {
        parent: "organizations/acme".into(),
        notice_id: id.into(),
        notice: Some(notice),
        ..Default::default()
    };
    let name = server.notices.create_notice(request).await.expect("drafted").into_inner().name;
    server
        .notices
        .approve_notice(v1::ApproveNoticeRequest { name: name.clone(), ..Default::default() })
        .await
        .expect("approved");
    let request = v1::PublishNoticeRequest { name, ..Default::default() };
    server.notices.publish_notice(request).await.expect("published").into_inner()
}

/// A notice by which a new one joins.
fn joins(title: &str, subprocessor: v1::Subprocessor) -> v1::Notice {
    let change = v1::NoticeChange {
        change_id: "joins".into(),
        kind: v1::notice_change::Kind::Add.into(),
        subprocessor: "organizations/acme/subprocessors/newcomer".into(),
        proposed: Some(subprocessor),
        ..Default::default()
    };
    v1::Notice { title: title.into(), body: "Because of reports.".into(), changes: vec![change], ..Default::default() }
}

fn newcomer() -> v1::Subprocessor {
    v1::Subprocessor {
        display_name: "Newcomer".into(),
        listed: true,
        purposes: vec!["Reports".into()],
        ..Default::default()
    }
}
