//! Every kind of call once, for the statements it makes.

use std::collections::BTreeSet;

use subprocessor_registry::proto::v1;

use super::wire::Wire;
use crate::deliveries::scene::{KEY, Manner, NEARBY, Receiver, webhook};
use crate::support::{Backend, Place, Server, ask, organization, subprocessor, vendor};

const ORGANIZATION: &str = "organizations/acme";

/// The statements that a server on PostgreSQL makes for every kind of call.
pub async fn statements() -> BTreeSet<String> {
    let mut place = Place::new(Backend::Postgres).await;
    let wire = Wire::new(&place.url).await;
    place.url.clone_from(&wire.url);
    let settings: Vec<(&str, &str)> =
        [("CATALOG__LOAD", "true"), ("EXAMPLES__LOAD", "true"), KEY].into_iter().chain(NEARBY).collect();
    let mut server = Server::start_with(&place, &settings).await;
    write(&mut server).await;
    find(&mut server).await;
    follow(&mut server).await;
    deliver(&mut server).await;
    look(&server).await;
    server.stop().await;
    wire.statements()
}

/// What is told by webhook: agreed to, told, refused, sent again.
async fn deliver(server: &mut Server) {
    let mut receiver = Receiver::start(Manner::Kind).await;
    let wanted = v1::Subscription {
        channel: webhook(&receiver.uri()),
        event_types: vec!["list.changed".into(), "delivery.dead".into()],
        ..Default::default()
    };
    let request =
        v1::CreateSubscriptionRequest { parent: ORGANIZATION.into(), subscription: Some(wanted), ..Default::default() };
    let subscription = server.notices.create_subscription(request).await.expect("subscribed").into_inner().name;
    assert_eq!(receiver.next().await.kind(), "subscription.verification");
    let get = v1::GetSubscriptionRequest { name: subscription.clone(), as_of: None };
    loop {
        let known = server.notices.get_subscription(get.clone()).await.expect("known").into_inner();
        if known.state() == v1::subscription::State::Active {
            break;
        }
    }
    receiver.behave(Manner::Status(410));
    let shown = v1::Subprocessor {
        display_name: "shown".into(),
        recorded_as_found: true,
        listed: true,
        state: v1::subprocessor::State::Active.into(),
        ..Default::default()
    };
    subprocessor(server, ORGANIZATION, "shown", shown).await.expect("created");
    assert_eq!(receiver.next().await.kind(), "list.changed");
    let mut dead = Vec::new();
    while dead.is_empty() {
        for (parent, filter, order_by) in [
            ("organizations/-", "state = DEAD", ""),
            (ORGANIZATION, "state = DEAD", "name desc"),
            (ORGANIZATION, "revision = 7", ""),
            ("organizations/-", "revision = 7", ""),
            (ORGANIZATION, "subscription = \"s\"", ""),
            ("organizations/-", "customer = \"c\"", ""),
            (ORGANIZATION, "notice = \"n\"", ""),
            ("organizations/-", "", "name desc"),
            (ORGANIZATION, "", ""),
        ] {
            let list = v1::ListDeliveriesRequest {
                parent: parent.into(),
                filter: filter.into(),
                order_by: order_by.into(),
                ..Default::default()
            };
            let found = server.notices.list_deliveries(list).await.expect("deliveries").into_inner().deliveries;
            dead.extend(found.into_iter().filter(|one| one.state() == v1::delivery::State::Dead));
        }
    }
    let name = dead.swap_remove(0).name;
    let delivery = v1::GetDeliveryRequest { name: name.clone() };
    server.notices.get_delivery(delivery).await.expect("a delivery");
    receiver.behave(Manner::Kind);
    let verify = v1::VerifySubscriptionRequest { name: subscription.clone(), ..Default::default() };
    server.notices.verify_subscription(verify).await.expect("asked");
    receiver.next().await;
    while server
        .notices
        .test_subscription(v1::TestSubscriptionRequest { name: subscription.clone(), ..Default::default() })
        .await
        .is_err()
    {}
    receiver.next().await;
    let retry = v1::RetryDeliveryRequest { name, ..Default::default() };
    server.notices.retry_delivery(retry).await.expect("queued");
    receiver.next().await;
    let replay =
        v1::ReplayDeliveriesRequest { subscription: subscription.clone(), from_revision: 1, ..Default::default() };
    server.notices.replay_deliveries(replay).await.expect("replayed");
    receiver.next().await;
    let rotate = v1::RotateSubscriptionSecretRequest { name: subscription.clone(), ..Default::default() };
    server.notices.rotate_subscription_secret(rotate).await.expect("rotated");
    let end = v1::DeleteSubscriptionRequest { name: subscription.clone(), ..Default::default() };
    server.notices.delete_subscription(end).await.expect("ended");
    let erase = v1::ErasePersonalDataRequest { name: subscription, reason: "asked".into(), ..Default::default() };
    server.log.erase_personal_data(erase).await.expect("erased");
}

async fn write(server: &mut Server) {
    organization(server, "acme").await;
    let mut big = vendor(server, "big").await;
    let one = |name: &str, by: &str| v1::Subprocessor {
        display_name: name.into(),
        vendor: "vendors/big".into(),
        vendor_entity: "big-inc".into(),
        engaged_by: by.into(),
        purposes: vec!["hosting".into()],
        ..Default::default()
    };
    let top = subprocessor(server, ORGANIZATION, "top", one("top", "")).await.expect("created");
    let below = subprocessor(server, ORGANIZATION, "below", one("below", &top.name)).await.expect("created");
    big.display_name = "Bigger".into();
    let update = v1::UpdateVendorRequest { vendor: Some(big), request_id: "one".into(), ..Default::default() };
    let first = server.vendors.update_vendor(update.clone()).await.expect("updated").into_inner();
    assert_eq!(server.vendors.update_vendor(update).await.expect("remembered").into_inner(), first);
    let delete = v1::DeleteVendorRequest { name: first.name.clone(), ..Default::default() };
    server.vendors.delete_vendor(delete).await.expect_err("in use");
    let name = top.name.clone();
    let activate = v1::ActivateRequest { name: name.clone(), ..Default::default() };
    server.subprocessors.activate(activate).await.expect("activated");
    let retire = v1::RetireRequest { name: name.clone(), ..Default::default() };
    let _ = server.subprocessors.retire(retire).await;
    for as_of in [None, Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(first.revision)) })] {
        let trace = v1::TraceSubprocessorRequest { name: name.clone(), as_of };
        server.subprocessors.trace_subprocessor(trace).await.expect("traced");
        let reach = v1::TraceVendorRequest { name: "vendors/big".into(), as_of, effective_at: String::new() };
        server.vendors.trace_vendor(reach.clone()).await.expect("traced");
        let reach = v1::TraceVendorRequest { effective_at: "2026-03-23".into(), ..reach };
        server.vendors.trace_vendor(reach).await.expect("traced");
        compare(server, as_of).await;
        let get = v1::GetSubprocessorRequest { name: name.clone(), as_of, ..Default::default() };
        server.subprocessors.get_subprocessor(get).await.expect("got");
        let resolve = v1::ResolveVendorsRequest { names: vec!["Big".into()], as_of, ..Default::default() };
        server.vendors.resolve_vendors(resolve).await.expect("resolved");
    }
    let delete = v1::DeleteSubprocessorRequest { name: below.name.clone(), ..Default::default() };
    server.subprocessors.delete_subprocessor(delete).await.expect("deleted");
    let erase = v1::ErasePersonalDataRequest { name: below.name.clone(), reason: "asked".into(), ..Default::default() };
    server.log.erase_personal_data(erase).await.expect("erased");
    let export = v1::ExportManifestRequest { name: ORGANIZATION.into(), ..Default::default() };
    let manifest = server.registry.export_manifest(export).await.expect("exported").into_inner().manifest;
    let apply = v1::ApplyManifestRequest { manifest, prune: true, ..Default::default() };
    server.registry.apply_manifest(apply).await.expect("applied");
}

/// What everybody can ask for.
async fn look(server: &Server) {
    for path in ["", "/history", "/feed.atom", "/subprocessors.json"] {
        let answer = ask(server, "GET", &format!("/{ORGANIZATION}{path}"), &[]).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let answer = ask(server, "GET", "/.well-known/subprocessors.json", &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Findings of every kind of subject, and what is said to one.
async fn find(server: &mut Server) {
    let location = v1::Location { region_code: "US".into(), ..Default::default() };
    let far = v1::Subprocessor {
        display_name: "far".into(),
        vendor: "vendors/big".into(),
        recorded_as_found: true,
        state: v1::subprocessor::State::Active.into(),
        locations: vec![location],
        ..Default::default()
    };
    let far = subprocessor(server, ORGANIZATION, "far", far).await.expect("created").name;
    let transfer = v1::Transfer {
        regime: v1::Regime::EuGdpr.into(),
        exporter: "customers".into(),
        importer: far.clone(),
        destination_region_codes: vec!["US".into()],
        ..Default::default()
    };
    let request =
        v1::CreateTransferRequest { parent: ORGANIZATION.into(), transfer: Some(transfer), ..Default::default() };
    let transfer = server.mechanisms.create_transfer(request).await.expect("created").into_inner().name;
    let unused = v1::Claim {
        kind: v1::claim::Kind::SubprocessorUse.into(),
        quote: "we do not use Big".into(),
        subject: "vendors/big".into(),
        affirmed: Some(false),
        instrument: "instruments/eu-us-dpf".into(),
        regime: v1::Regime::EuGdpr.into(),
        ..Default::default()
    };
    let policy = v1::Document {
        title: "Policy".into(),
        kind: v1::document::Kind::PrivacyPolicy.into(),
        claims: vec![unused],
        ..Default::default()
    };
    let request =
        v1::CreateDocumentRequest { parent: ORGANIZATION.into(), document: Some(policy), ..Default::default() };
    let policy = server.organizations.create_document(request).await.expect("created").into_inner().name;
    let mut finding = String::new();
    let certification = "vendors/big/certifications/dpf";
    for parent in ["organizations/-", ORGANIZATION] {
        for subject in ["", ORGANIZATION, &far, &transfer, &policy, certification] {
            let mut request = v1::ListFindingsRequest {
                parent: parent.into(),
                subject: subject.into(),
                within_days: 30,
                page_size: 20,
                ..Default::default()
            };
            loop {
                let page = server.mechanisms.list_findings(request.clone()).await.expect("found").into_inner();
                finding = page.findings.last().map_or(finding, |one| one.name.clone());
                request.page_token = page.next_page_token;
                if request.page_token.is_empty() {
                    break;
                }
            }
        }
    }
    let said = v1::AcknowledgeFindingRequest {
        name: finding,
        reason: "known".into(),
        return_date: "2199-01-01".into(),
        ..Default::default()
    };
    server.mechanisms.acknowledge_finding(said).await.expect("acknowledged");
}

/// A list compared with itself, with and without days, and for a customer.
async fn compare(server: &mut Server, target: Option<v1::AsOf>) {
    let customer = v1::CreateCustomerRequest {
        parent: ORGANIZATION.into(),
        customer: Some(v1::Customer { display_name: "Buyer".into(), ..Default::default() }),
        ..Default::default()
    };
    let customer = server.organizations.create_customer(customer).await.expect("created").into_inner().name;
    let base = Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(1)) });
    for (base_day, target_day) in [("", ""), ("2026-03-23", ""), ("", "2026-03-23"), ("2026-01-01", "2026-03-23")] {
        for customer in ["", customer.as_str()] {
            let request = v1::DiffSubprocessorsRequest {
                parent: ORGANIZATION.into(),
                base,
                target,
                base_effective_at: base_day.into(),
                target_effective_at: target_day.into(),
                customer: customer.into(),
            };
            match server.subprocessors.diff_subprocessors(request).await {
                Ok(_) => {}
                // The customer is newer than the target.
                Err(status) => assert_eq!((status.code(), customer.is_empty()), (tonic::Code::NotFound, false)),
            }
        }
    }
}

async fn follow(server: &mut Server) {
    for parent in ["", "organizations/-", ORGANIZATION] {
        for filter in [
            "",
            "principal = \"anonymous\"",
            "method = \"VendorService/CreateVendor\"",
            "request_id = \"one\"",
            "commit_time > \"2020-01-01T00:00:00Z\"",
            "number > 3",
            "resource_names:\"vendors/big\"",
            "NOT resource_names:\"vendors/big\"",
            "resource_names:*",
        ] {
            for order_by in ["number", "number desc"] {
                let request = v1::ListRevisionsRequest {
                    parent: parent.into(),
                    filter: filter.into(),
                    order_by: order_by.into(),
                    page_size: 2,
                    ..Default::default()
                };
                let first = server.log.list_revisions(request.clone()).await.expect("listed").into_inner();
                if !first.next_page_token.is_empty() {
                    let next = v1::ListRevisionsRequest { page_token: first.next_page_token, ..request };
                    server.log.list_revisions(next).await.expect("listed");
                }
            }
        }
    }
    for parent in ["organizations/-", ORGANIZATION] {
        let request = v1::WatchChangesRequest { parent: parent.into(), after_revision: Some(0), ..Default::default() };
        let mut stream = server.log.watch_changes(request).await.expect("watching").into_inner();
        // A checkpoint comes when everything was sent.
        while let Some(message) = stream.message().await.expect("a message") {
            if let Some(v1::watch_changes_response::Event::Checkpoint(_)) = message.event {
                break;
            }
        }
    }
    let time =
        v1::AsOf { point: Some(v1::as_of::Point::Time(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 })) };
    let list = v1::ListVendorsRequest { as_of: Some(time), ..Default::default() };
    server.vendors.list_vendors(list).await.expect("listed");
    let revision = v1::GetRevisionRequest { name: "revisions/3".into() };
    server.log.get_revision(revision).await.expect("got");
    let check =
        server.log.verify_change_log(v1::VerifyChangeLogRequest::default()).await.expect("checked").into_inner();
    assert!(check.verified, "{check:?}");
}
