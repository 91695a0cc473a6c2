//! Many writers at once: all acknowledged, one revision each, fewer commits than writes.

use std::{collections::BTreeSet, sync::Arc};

use futures::future::join_all;
use subprocessor_registry::{
    call::Call,
    clock::Clock,
    error::Reason,
    proto::v1,
    rules::law::territory::Territories,
    store::{Options, Store},
};
use tonic::{Code, transport::Channel};

use super::{assert_verifies, by, number, raw};
use crate::support::{Backend, Place, Server, both, fresh, refused, vendor};

const CLIENTS: i64 = 32;
const WRITES: i64 = 200;

type Vendors = v1::vendor_service_client::VendorServiceClient<Channel>;

/// Clients with a connection of their own each, spread over the servers.
async fn storm(servers: &[&Server]) -> Vec<i64> {
    let clients = (0..CLIENTS).map(|client| {
        let address = servers[usize::try_from(client).expect("small") % servers.len()].address.clone();
        tokio::spawn(async move {
            let mut vendors = Vendors::connect(address).await.expect("connected");
            let mut numbers = Vec::new();
            for i in 0..WRITES {
                let vendor = v1::Vendor { display_name: format!("{client} {i}"), ..Default::default() };
                let answer = if i == 0 {
                    let vendor_id = format!("v{client}");
                    vendors
                        .create_vendor(v1::CreateVendorRequest {
                            vendor_id,
                            vendor: Some(vendor),
                            ..Default::default()
                        })
                        .await
                } else {
                    let vendor = Some(v1::Vendor { name: format!("vendors/v{client}"), ..vendor });
                    vendors.update_vendor(v1::UpdateVendorRequest { vendor, ..Default::default() }).await
                };
                numbers.push(answer.expect("acknowledged").into_inner().revision);
            }
            assert!(numbers.is_sorted(), "{numbers:?}");
            numbers
        })
    });
    join_all(clients).await.into_iter().flat_map(|client| client.expect("a client")).collect()
}

async fn assert_all_there(place: &Place, server: &mut Server, numbers: Vec<i64>) {
    let acknowledged: BTreeSet<i64> = numbers.iter().copied().collect();
    assert_eq!((numbers.len(), acknowledged.len()), (6_400, 6_400), "no number twice");
    assert_eq!((acknowledged.first(), acknowledged.last()), (Some(&1), Some(&6_400)), "no gap");
    let db = raw(place).await;
    let batches = number(&db, "SELECT batch FROM counter").await;
    assert!(batches < CLIENTS * WRITES, "{batches} commits");
    assert_eq!(number(&db, "SELECT count(*) FROM vendor WHERE to_revision IS NULL").await, CLIENTS);
    assert_verifies(server).await;
}

both! {
    async fn thirty_two_clients_write_two_hundred_times_each(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        let numbers = storm(&[&server]).await;
        assert_all_there(&place, &mut server, numbers).await;
    }

    async fn a_write_that_fails_does_no_harm_to_its_neighbours(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        vendor(&mut server, "taken").await;
        let writes = (0..60).map(|i| {
            let mut vendors = server.vendors.clone();
            tokio::spawn(async move {
                // One in three is refused early, one in three late, when all of it was already written.
                let (id, parent_vendor) = match i % 3 {
                    0 => (format!("good-{i}"), String::new()),
                    1 => ("taken".to_owned(), String::new()),
                    _ => (format!("dangling-{i}"), "vendors/nobody".to_owned()),
                };
                let vendor = v1::Vendor { display_name: "V".into(), parent_vendor, aliases: vec![format!("a{i}")], ..Default::default() };
                let request = v1::CreateVendorRequest { vendor_id: id, vendor: Some(vendor), ..Default::default() };
                (i, vendors.create_vendor(request).await)
            })
        });
        let mut made = BTreeSet::new();
        for outcome in join_all(writes).await {
            let (i, answer) = outcome.expect("a client");
            match i % 3 {
                0 => assert!(made.insert(answer.expect("acknowledged").into_inner().revision)),
                1 => drop(refused(answer, Code::AlreadyExists, "RESOURCE_EXISTS", &[])),
                _ => drop(refused(answer, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[])),
            }
        }
        assert_eq!(made, (2..=21).collect());
        let db = raw(&place).await;
        for table in ["vendor", "resource"] {
            assert_eq!(number(&db, &format!("SELECT count(*) FROM {table}")).await, 21, "{table}");
        }
        assert_eq!(number(&db, "SELECT count(*) FROM vendor_value WHERE field = 'aliases'").await, 20);
        assert_verifies(&mut server).await;
    }

    async fn one_request_id_is_one_revision_however_often_at_once(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let writes = (0..120).map(|i| {
            let mut vendors = server.vendors.clone();
            tokio::spawn(async move {
                let id = format!("v{}", i % 6);
                let vendor = v1::Vendor { display_name: id.clone(), ..Default::default() };
                let request = v1::CreateVendorRequest {
                    vendor_id: id.clone(), vendor: Some(vendor), request_id: format!("request-{id}"), ..Default::default()
                };
                (i % 6, vendors.create_vendor(by("ops", request)).await.expect("the same answer").into_inner())
            })
        });
        let mut answers: Vec<Option<v1::Vendor>> = vec![None; 6];
        for outcome in join_all(writes).await {
            let (i, vendor) = outcome.expect("a client");
            let first = answers[i].get_or_insert_with(|| vendor.clone());
            assert_eq!(*first, vendor);
        }
        assert_eq!(server.revision().await, 6);
        // The id is each principal's own, and for one request only.
        let request = |name: &str| v1::CreateVendorRequest {
            vendor_id: "other".into(),
            vendor: Some(v1::Vendor { display_name: name.into(), ..Default::default() }),
            request_id: "request-v0".into(),
            ..Default::default()
        };
        let answer = server.vendors.create_vendor(by("ops", request("A"))).await;
        refused(answer, Code::AlreadyExists, "REQUEST_ID_REUSED", &[]);
        server.vendors.create_vendor(by("somebody-else", request("A"))).await.expect("created");
        assert_eq!(server.revision().await, 7);
        assert_verifies(&mut server).await;
    }

    async fn a_write_that_panics_ends_nothing_but_itself(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        let store = Store::open(&Options::new(&place.url), Arc::new(Clock::System), Territories::default()).await.expect("opened");
        let panics = (0..5).map(|_| store.write::<String, _>(Call::internal("Test/Panic"), |_| Box::pin(async { panic!("on purpose") })));
        for outcome in join_all(panics).await {
            assert_eq!(outcome.expect_err("a failure").reason(), Reason::Internal);
        }
        let fine = store.write(Call::internal("Test/Fine"), |writer| {
            let revision = writer.revision();
            Box::pin(async move { Ok(revision) })
        });
        assert_eq!(fine.await.expect("the writer goes on"), 0);
        vendor(&mut server, "aws").await;
        assert_verifies(&mut server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_clients_on_two_servers_of_one_postgresql() {
    let place = Place::new(Backend::Postgres).await;
    let (mut one, two) = (Server::start(&place).await, Server::start(&place).await);
    let numbers = storm(&[&one, &two]).await;
    assert_all_there(&place, &mut one, numbers).await;
}
