//! Erasing personal data: the content goes, the proof stays.

use sea_orm::ConnectionTrait;
use subprocessor_registry::proto::v1::{self, change::Kind};
use tonic::Code;

use super::{
    all_after, assert_verifies, by, customer, delete_customer, erase, raw, rich,
    tamper::{TABLES, rows, value},
    until, watch,
};
use crate::support::{Place, Server, both, fresh, organization, refused};

const JANE: &str = "organizations/acme/customers/jane";

async fn acme(server: &mut Server) {
    organization(server, "acme").await;
    let product = v1::Product { product_id: "cloud".into(), display_name: "Cloud".into(), ..Default::default() };
    let acme = v1::Organization { name: "organizations/acme".into(), products: vec![product], ..Default::default() };
    let request = v1::UpdateOrganizationRequest { organization: Some(acme), ..Default::default() };
    server.organizations.update_organization(request).await.expect("updated");
}

/// Where a text stands in the database, whatever the table and the type of the column.
async fn found(place: &Place, text: &str) -> Vec<String> {
    let db = raw(place).await;
    let others = ["counter", "revision", "change", "resource", "reference", "request"].map(str::to_owned);
    let values = TABLES.iter().map(|table| format!("{table}_value"));
    let mut places = Vec::new();
    for table in TABLES.iter().map(|table| (*table).to_owned()).chain(values).chain(others) {
        for row in rows(&db, &table).await {
            for column in row.column_names() {
                let bytes = if column == "response" {
                    row.try_get::<Vec<u8>>("", &column).expect("bytes")
                } else {
                    match value(&row, &column) {
                        sea_orm::Value::String(Some(text)) => text.into_bytes(),
                        sea_orm::Value::Bytes(Some(bytes)) => bytes,
                        _ => continue,
                    }
                };
                if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                    places.push(format!("{table}.{column}"));
                }
            }
        }
    }
    db.close().await.expect("closed");
    places
}

async fn list(server: &mut Server, as_of: i64, filter: &str) -> Vec<v1::Customer> {
    let request = v1::ListCustomersRequest {
        parent: "organizations/acme".into(),
        as_of: Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(as_of)) }),
        filter: filter.into(),
        show_deleted: true,
        ..Default::default()
    };
    server.organizations.list_customers(request).await.expect("listed").into_inner().customers
}

async fn get(server: &mut Server, as_of: i64) -> Result<v1::Customer, tonic::Status> {
    let as_of = Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(as_of)) });
    let request = v1::GetCustomerRequest { name: JANE.into(), as_of };
    server.organizations.get_customer(request).await.map(tonic::Response::into_inner)
}

/// Creates jane as revision 3 and takes the person out of it as revision 4.
async fn jane_without_person(server: &mut Server) {
    acme(server).await;
    customer(server, "jane", "q7personq7").await;
    let customer = v1::Customer {
        name: JANE.into(),
        display_name: "A customer".into(),
        external_id: "crm-1".into(),
        ..Default::default()
    };
    let request = v1::UpdateCustomerRequest {
        customer: Some(customer),
        update_mask: Some(prost_types::FieldMask { paths: vec!["*".into()] }),
        request_id: "take-out".into(),
        ..Default::default()
    };
    let updated = server.organizations.update_customer(by("ops", request)).await.expect("updated").into_inner();
    assert_eq!((updated.revision, updated.contacts.len()), (4, 0));
}

both! {
    async fn the_past_of_a_live_resource(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        jane_without_person(&mut server).await;
        assert!(!found(&place, "q7personq7").await.is_empty());
        assert_eq!(get(&mut server, 3).await.expect("then").display_name, "q7personq7");
        assert_eq!(list(&mut server, 3, "external_id = \"crm-q7personq7\"").await.len(), 1);
        let erased = erase(&mut server, JANE).await;
        assert_eq!((erased.revision, erased.versions_erased, erased.current_version_kept), (5, 1, true));
        assert_eq!(found(&place, "q7personq7").await, Vec::<String>::new());
        assert_verifies(&mut server).await;

        refused(get(&mut server, 3).await, Code::NotFound, "RESOURCE_ERASED", &[]);
        assert_eq!(get(&mut server, 4).await.expect("the current one").display_name, "A customer");
        assert_eq!(list(&mut server, 3, "").await, []);
        assert_eq!(list(&mut server, 3, "products:\"cloud\"").await, []);
        assert_eq!(list(&mut server, 5, "external_id = \"crm-1\"").await.len(), 1);

        // The log keeps what proves it, and nothing else.
        let get_revision = |number: i64| v1::GetRevisionRequest { name: format!("revisions/{number}") };
        let created = server.log.get_revision(get_revision(3)).await.expect("a revision").into_inner();
        let change = &created.changes[0];
        assert!(change.after.is_none() && change.after_digest.len() == 32, "{change:?}");
        let updated = server.log.get_revision(get_revision(4)).await.expect("a revision").into_inner();
        let change = &updated.changes[0];
        assert!(change.before.is_none() && change.after.is_some() && change.before_digest.len() == 32, "{change:?}");
        let erasure = server.log.get_revision(get_revision(5)).await.expect("a revision").into_inner();
        let change = &erasure.changes[0];
        assert_eq!((change.kind(), change.resource_name.as_str(), erasure.changes.len()), (Kind::Erased, JANE, 1));
        assert!(change.before.is_none() && change.after.is_none() && !change.reason.is_empty());
        assert!(change.before_digest.is_empty() && change.after_digest.is_empty());
        let (streamed, _) = until(&mut watch(&server, all_after(Some(0))).await, 5).await;
        assert_eq!(streamed[2..], [created, updated, erasure]);
    }

    async fn all_of_a_deleted_one(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        acme(&mut server).await;
        customer(&mut server, "jane", "q7personq7").await;
        delete_customer(&mut server, "jane").await;
        let erased = erase(&mut server, JANE).await;
        assert_eq!((erased.revision, erased.versions_erased, erased.current_version_kept), (5, 2, false));
        assert_eq!(found(&place, "q7personq7").await, Vec::<String>::new());
        assert_verifies(&mut server).await;
        for number in [3, 4, 5] {
            refused(get(&mut server, number).await, Code::NotFound, "RESOURCE_ERASED", &[]);
            assert_eq!(list(&mut server, number, "").await, []);
        }
        // The name is not free again, and there is nothing to bring back.
        let again = v1::CreateCustomerRequest {
            parent: "organizations/acme".into(),
            customer_id: "jane".into(),
            customer: Some(v1::Customer { display_name: "Jane".into(), ..Default::default() }),
            ..Default::default()
        };
        refused(server.organizations.create_customer(again).await, Code::AlreadyExists, "RESOURCE_EXISTS", &[]);
        let back = v1::UndeleteCustomerRequest { name: JANE.into(), ..Default::default() };
        assert_eq!(server.organizations.undelete_customer(back).await.expect_err("refused").code(), Code::NotFound);
        assert_verifies(&mut server).await;
    }

    async fn all_of_a_long_past(backend: Backend) {
        const MANY: i32 = 33_000;
        let (place, mut server) = fresh(backend).await;
        jane_without_person(&mut server).await;
        let db = raw(&place).await;
        let columns = rows(&db, "customer").await[0].column_names();
        let copied: Vec<String> = columns.iter().map(|name| match name.as_str() {
            "from_revision" => "1000 + i".to_owned(),
            "to_revision" => "1001 + i".to_owned(),
            name => format!("customer.{name}"),
        }).collect();
        let copy = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) \
             INSERT INTO customer ({}) SELECT {} FROM customer, n WHERE from_revision = 3",
            columns.join(", "), copied.join(", "),
        );
        db.execute_unprepared(&copy).await.expect("copied");
        assert_eq!(erase(&mut server, JANE).await.versions_erased, MANY + 1);
        assert_eq!(found(&place, "q7personq7").await, Vec::<String>::new());
        assert_eq!(get(&mut server, 4).await.expect("the current one").display_name, "A customer");
    }

    async fn nothing_is_left_in_the_file_either(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        if crate::log::is_postgres(&place) {
            // What PostgreSQL keeps of dead rows is VACUUM's.
            return;
        }
        jane_without_person(&mut server).await;
        erase(&mut server, JANE).await;
        server.stop().await;
        // What a checkpoint of the server's own would do sooner or later.
        let db = raw(&place).await;
        db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("checkpointed");
        for file in ["registry.db", "registry.db-wal"] {
            let bytes = std::fs::read(place.folder.path().join(file)).unwrap_or_default();
            assert!(file.ends_with("wal") || !bytes.is_empty());
            assert!(!bytes.windows(10).any(|window| window == b"q7personq7"), "{file}");
        }
    }

    async fn the_past_of_what_repeats_in_side_tables(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        let entity = |id: &str, name: &str| v1::Entity {
            entity_id: id.into(), legal_name: name.into(), region_code: "DE".into(), ..Default::default()
        };
        let vendor = v1::Vendor {
            display_name: "q7personq7".into(),
            aliases: vec!["q7personq7 alias".into()],
            former_names: vec!["formerly q7personq7".into()],
            website_uri: "https://q7personq7.example".into(),
            entities: vec![entity("one", "q7personq7 e.K.")],
            ..Default::default()
        };
        let request = v1::CreateVendorRequest { vendor_id: "sole".into(), vendor: Some(vendor), ..Default::default() };
        server.vendors.create_vendor(request).await.expect("created");
        let vendor = v1::Vendor { name: "vendors/sole".into(), display_name: "Sole".into(), ..Default::default() };
        let mask = Some(prost_types::FieldMask { paths: vec!["*".into()] });
        let request = v1::UpdateVendorRequest { vendor: Some(vendor), update_mask: mask, ..Default::default() };
        server.vendors.update_vendor(request).await.expect("updated");
        assert!(found(&place, "q7personq7").await.iter().any(|place| place == "vendor_value.value"));
        assert_eq!(erase(&mut server, "vendors/sole").await.versions_erased, 1);
        assert_eq!(found(&place, "q7personq7").await, Vec::<String>::new());
        assert_verifies(&mut server).await;
    }

    async fn a_remembered_manifest_goes_too(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        let manifest = "organization: {id: acme, display_name: Acme}\n\
                        customers:\n  - {id: jane, display_name: q7personq7, external_id: q7personq7}\n";
        let request =
            v1::ApplyManifestRequest { manifest: manifest.into(), request_id: "once".into(), ..Default::default() };
        server.registry.apply_manifest(request.clone()).await.expect("applied");
        delete_customer(&mut server, "jane").await;
        erase(&mut server, JANE).await;
        assert_eq!(found(&place, "q7personq7").await, Vec::<String>::new());
        assert_verifies(&mut server).await;
    }

    async fn twice_is_once(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        jane_without_person(&mut server).await;
        let request = v1::ErasePersonalDataRequest {
            name: JANE.into(), reason: "asked to".into(), request_id: "erase-1".into(), ..Default::default()
        };
        let dry = v1::ErasePersonalDataRequest { validate_only: true, request_id: String::new(), ..request.clone() };
        let foreseen = server.log.erase_personal_data(dry).await.expect("valid").into_inner();
        assert_eq!((foreseen.versions_erased, server.revision().await), (1, 4));
        assert_eq!(get(&mut server, 3).await.expect("still there").display_name, "q7personq7");
        let first = server.log.erase_personal_data(request.clone()).await.expect("erased").into_inner();
        assert_eq!(first, foreseen);
        assert_eq!(server.log.erase_personal_data(request.clone()).await.expect("the same").into_inner(), first);
        let other = v1::ErasePersonalDataRequest { name: "organizations/acme".into(), ..request };
        refused(server.log.erase_personal_data(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED", &[]);
        let again = erase(&mut server, JANE).await;
        assert_eq!((again.revision, again.versions_erased, again.current_version_kept), (5, 0, true));
        assert_eq!(server.revision().await, 5);
        // What comes after can be erased again.
        let customer = v1::Customer { name: JANE.into(), region_code: "FR".into(), ..Default::default() };
        let request = v1::UpdateCustomerRequest { customer: Some(customer), ..Default::default() };
        server.organizations.update_customer(request).await.expect("updated");
        let again = erase(&mut server, JANE).await;
        assert_eq!((again.revision, again.versions_erased), (7, 1));
        assert_verifies(&mut server).await;
    }

    async fn an_erasure_explains_only_what_was_before_it(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        // Bob was not erased.
        let db = raw(&place).await;
        db.execute_unprepared("UPDATE customer SET body = NULL, salt = NULL WHERE from_revision = 11").await.expect("gone");
        let problems = crate::log::verify(&mut server).await.problems;
        let at = |one: &v1::Problem| (one.kind(), one.revision, one.resource_name.clone());
        use v1::problem::Kind as Wrong;
        assert_eq!(problems.iter().map(at).collect::<Vec<_>>(), [(Wrong::BodyMissing, 11, "organizations/acme/customers/bob".into())]);
    }

    async fn refusals(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        acme(&mut server).await;
        let long = "x".repeat(16_385);
        for (name, reason, field) in [
            ("", "asked to", "name"),
            ("organizations/acme/customers/", "asked to", "name"),
            ("revisions/1", "asked to", "name"),
            (JANE, "", "reason"),
            (JANE, " \n ", "reason"),
            (JANE, "a\u{0}b", "reason"),
            (JANE, long.as_str(), "reason"),
        ] {
            let request =
                v1::ErasePersonalDataRequest { name: name.into(), reason: reason.into(), ..Default::default() };
            refused(server.log.erase_personal_data(request).await, Code::InvalidArgument, "FIELD_INVALID", &[field]);
        }
        let request = v1::ErasePersonalDataRequest { name: JANE.into(), reason: "asked to".into(), ..Default::default() };
        refused(server.log.erase_personal_data(request).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        assert_eq!(server.revision().await, 2);
    }
}
