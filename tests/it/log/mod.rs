//! The change log: revisions and their hashes, the check, the stream, erasure, and what many writers at once may do.

mod client;
mod durability;
mod erase;
mod group;
mod limits;
mod replicas;
mod revisions;
mod slow;
mod tail;
mod tamper;
mod tamper_log;
mod watch;
mod watch_from;

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use sha2::{Digest, Sha256};
use subprocessor_registry::proto::v1::{self, watch_changes_response::Event};
use tonic::{Request, Streaming, metadata::MetadataValue};

use crate::support::{Backend, Place, Server, organization, subprocessor, vendor};

/// What nothing that works takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A connection of the test's own, past the server.
pub async fn raw(place: &Place) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(&place.url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("the database answers")
}

/// Runs a statement past the server; it must touch exactly one row.
pub async fn tamper(db: &DatabaseConnection, sql: &str) {
    let done = db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(done.rows_affected(), 1, "{sql}");
}

/// One number out of the database.
pub async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
    row.unwrap_or_else(|error| panic!("{sql}: {error}")).expect("a row").try_get_by_index(0).expect("a number")
}

/// A request by somebody.
pub fn by<T>(principal: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-principal", MetadataValue::try_from(principal).expect("visible"));
    request
}

/// The check of the whole log.
pub async fn verify(server: &mut Server) -> v1::VerifyChangeLogResponse {
    verify_with(server, v1::VerifyChangeLogRequest::default()).await
}

/// A check of the log.
pub async fn verify_with(server: &mut Server, request: v1::VerifyChangeLogRequest) -> v1::VerifyChangeLogResponse {
    server.log.verify_change_log(request).await.expect("checked").into_inner()
}

/// Asserts that the whole log verifies.
pub async fn assert_verifies(server: &mut Server) {
    let check = verify(server).await;
    assert!(check.verified && check.problems.is_empty(), "{check:#?}");
}

/// Creates a customer with a person as contact.
pub async fn customer(server: &mut Server, id: &str, person: &str) -> v1::Customer {
    let contact =
        v1::Contact { person_name: person.into(), email: format!("{person}@person.example"), ..Default::default() };
    let customer = v1::Customer {
        display_name: person.into(),
        external_id: format!("crm-{person}"),
        contacts: vec![contact],
        products: vec!["cloud".into()],
        ..Default::default()
    };
    let request = v1::CreateCustomerRequest {
        parent: "organizations/acme".into(),
        customer_id: id.into(),
        customer: Some(customer),
        request_id: format!("create-{id}"),
        ..Default::default()
    };
    server.organizations.create_customer(by("ops", request)).await.expect("created").into_inner()
}

/// Changes the display name of a vendor, which makes a revision.
pub async fn rename_vendor(server: &mut Server, id: &str, to: &str) -> v1::Vendor {
    let vendor = v1::Vendor { name: format!("vendors/{id}"), display_name: to.into(), ..Default::default() };
    let request = v1::UpdateVendorRequest { vendor: Some(vendor), ..Default::default() };
    server.vendors.update_vendor(request).await.expect("updated").into_inner()
}

/// A history with everything in it: what was created, changed, deleted, brought back, erased, and a manifest.
/// Revisions: 1 acme, 2 its product, 3 vendor, 4 subprocessor with values, 5 changed, 6 activated, 7 customer jane,
/// 8 changed, 9 deleted, 10 erased, 11 customer bob, 12 deleted, 13 undeleted, 14 manifest (three changes).
pub async fn rich(place: &Place, server: &mut Server) {
    organization(server, "acme").await;
    let product = v1::Product { product_id: "cloud".into(), display_name: "Cloud".into(), ..Default::default() };
    let acme = v1::Organization { name: "organizations/acme".into(), products: vec![product], ..Default::default() };
    let request = v1::UpdateOrganizationRequest { organization: Some(acme), ..Default::default() };
    server.organizations.update_organization(request).await.expect("updated");
    place.set_clock("2026-03-23T11:00:00Z");
    vendor(server, "aws").await;
    let message = v1::Subprocessor {
        display_name: "AWS".into(),
        vendor: "vendors/aws".into(),
        purposes: vec!["hosting".into(), "backup".into()],
        ..Default::default()
    };
    let made = subprocessor(server, "organizations/acme", "aws", message).await.expect("created");
    let changed = v1::Subprocessor { name: made.name.clone(), purposes: vec!["storage".into()], ..Default::default() };
    let request = v1::UpdateSubprocessorRequest { subprocessor: Some(changed), ..Default::default() };
    server.subprocessors.update_subprocessor(request).await.expect("updated");
    let request = v1::ActivateRequest { name: made.name, ..Default::default() };
    server.subprocessors.activate(by("ops", request)).await.expect("activated");
    place.set_clock("2026-03-23T12:00:00.000001Z");
    let jane = customer(server, "jane", "jane").await;
    let changed = v1::Customer { name: jane.name.clone(), region_code: "FR".into(), ..Default::default() };
    let request = v1::UpdateCustomerRequest { customer: Some(changed), ..Default::default() };
    server.organizations.update_customer(request).await.expect("updated");
    delete_customer(server, "jane").await;
    erase(server, &jane.name).await;
    customer(server, "bob", "bob").await;
    delete_customer(server, "bob").await;
    let request = v1::UndeleteCustomerRequest { name: "organizations/acme/customers/bob".into(), ..Default::default() };
    server.organizations.undelete_customer(request).await.expect("undeleted");
    let manifest = "organization: {id: beta, display_name: Beta}\nvendors:\n  - {id: stripe, display_name: Stripe}\n\
                    subprocessors:\n  - {id: stripe, display_name: Stripe, vendor: vendors/stripe, purposes: [payment]}\n";
    let request =
        v1::ApplyManifestRequest { manifest: manifest.into(), request_id: "apply".into(), ..Default::default() };
    let applied = server.registry.apply_manifest(by("privacy-team", request)).await.expect("applied").into_inner();
    assert_eq!((applied.revision, applied.plan.len()), (14, 3));
}

/// Deletes a customer of acme.
pub async fn delete_customer(server: &mut Server, id: &str) {
    let request =
        v1::DeleteCustomerRequest { name: format!("organizations/acme/customers/{id}"), ..Default::default() };
    server.organizations.delete_customer(request).await.expect("deleted");
}

/// Erases past versions.
pub async fn erase(server: &mut Server, name: &str) -> v1::ErasePersonalDataResponse {
    let request = v1::ErasePersonalDataRequest { name: name.into(), reason: "asked to".into(), ..Default::default() };
    server.log.erase_personal_data(request).await.expect("erased").into_inner()
}

/// Opens a stream.
pub async fn watch(server: &Server, request: v1::WatchChangesRequest) -> Streaming<v1::WatchChangesResponse> {
    server.log.clone().watch_changes(request).await.expect("a stream").into_inner()
}

/// A request for all changes.
pub fn all_after(after_revision: Option<i64>) -> v1::WatchChangesRequest {
    v1::WatchChangesRequest { parent: "organizations/-".into(), after_revision, ..Default::default() }
}

/// What comes next on a stream.
pub async fn next(stream: &mut Streaming<v1::WatchChangesResponse>) -> Result<Event, tonic::Status> {
    let message = tokio::time::timeout(PATIENCE, stream.message()).await.expect("something came");
    Ok(message?.expect("the stream goes on").event.expect("an event"))
}

/// The next checkpoint; nothing else may come before it.
pub async fn checkpoint(stream: &mut Streaming<v1::WatchChangesResponse>) -> v1::Checkpoint {
    match next(stream).await.expect("a checkpoint") {
        Event::Checkpoint(checkpoint) => checkpoint,
        Event::Revision(revision) => panic!("a checkpoint was expected: {revision:?}"),
    }
}

/// The next revision; checkpoints before it are passed over.
pub async fn revision(stream: &mut Streaming<v1::WatchChangesResponse>) -> v1::Revision {
    loop {
        if let Event::Revision(revision) = next(stream).await.expect("a revision") {
            return revision;
        }
    }
}

/// Everything up to the checkpoint that reaches `number`.
pub async fn until(
    stream: &mut Streaming<v1::WatchChangesResponse>,
    number: i64,
) -> (Vec<v1::Revision>, v1::Checkpoint) {
    let mut revisions = Vec::new();
    loop {
        match next(stream).await.expect("more") {
            Event::Revision(revision) => revisions.push(revision),
            Event::Checkpoint(checkpoint) if checkpoint.revision >= number => return (revisions, checkpoint),
            Event::Checkpoint(_) => {}
        }
    }
}

/// How a stream ends.
pub async fn end(stream: &mut Streaming<v1::WatchChangesResponse>) -> tonic::Status {
    loop {
        match tokio::time::timeout(PATIENCE, stream.message()).await.expect("something came") {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended without a reason"),
            Err(status) => return status,
        }
    }
}

/// The hash arithmetic as DESIGN §7 and the comments of the proto say it, written down once more.
pub struct Arithmetic;

impl Arithmetic {
    fn hash(parts: &[&[u8]]) -> Vec<u8> {
        let mut input = Vec::new();
        for part in parts {
            input.extend((part.len() as u64).to_be_bytes());
            input.extend(*part);
        }
        Sha256::digest(input).to_vec()
    }

    fn root(leaves: &[Vec<u8>]) -> Vec<u8> {
        match leaves {
            [] => Self::hash(&[b"empty"]),
            [one] => one.clone(),
            _ => {
                let pair = |pair: &[Vec<u8>]| match pair {
                    [left, right] => Self::hash(&[b"node", left, right]),
                    odd => odd[0].clone(),
                };
                Self::root(&leaves.chunks(2).map(pair).collect::<Vec<_>>())
            }
        }
    }

    /// The hash that a revision must have.
    pub fn revision(revision: &v1::Revision) -> Vec<u8> {
        let leaf = |change: &v1::Change| {
            let (ordinal, kind) = (change.ordinal.to_be_bytes(), change.kind.to_be_bytes());
            let name = change.resource_name.as_bytes();
            Self::hash(&[
                b"leaf",
                &ordinal,
                name,
                &kind,
                &change.before_digest,
                &change.after_digest,
                change.reason.as_bytes(),
            ])
        };
        let leaves: Vec<Vec<u8>> = revision.changes.iter().map(leaf).collect();
        let time = revision.commit_time.expect("a time");
        let micros = time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000;
        Self::hash(&[
            b"revision",
            &1i32.to_be_bytes(),
            &revision.previous_hash,
            &revision.number.to_be_bytes(),
            &micros.to_be_bytes(),
            revision.principal.as_bytes(),
            revision.method.as_bytes(),
            revision.request_id.as_bytes(),
            &Self::root(&leaves),
        ])
    }
}

/// Whether this is PostgreSQL.
pub fn is_postgres(place: &Place) -> bool {
    place.backend == Backend::Postgres
}

/// Waits until somebody waits for a lock in the database of `db`.
pub async fn somebody_waits(db: &DatabaseConnection) {
    let begun = Instant::now();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while number(db, waiting).await == 0 {
        assert!(begun.elapsed() < PATIENCE, "nobody waits");
    }
}
