//! The catalog: loaded once, upgraded with the binary, and never against an operator.

use std::sync::Arc;

use prost_reflect::{DynamicMessage, ReflectMessage, Value};
use subprocessor_registry::{
    catalog::{Catalog, load},
    clock::Clock,
    proto::v1::{self, vendor::Origin},
    rules::law::territory::Territories,
    store::{self, Options, Store},
};
use tonic::Code;

use crate::support::{Place, Server, both, refused, vendor};

const WITH_CATALOG: &[(&str, &str)] = &[("CATALOG__LOAD", "true")];
const INSTRUMENTS: &str = "version: '1'\ninstruments: [{id: law, title: A law, kind: OTHER}]\n";

async fn load_text(place: &Place, vendors: &str, instruments: &str) -> i64 {
    let options = Options::new(place.url.clone());
    store::migrate(&options).await.expect("migrated");
    let store = Store::open(&options, Arc::new(Clock::System), Territories::default()).await.expect("opened");
    load(&store, Catalog::read(vendors, instruments).expect("a catalog")).await.expect("loaded")
}

async fn get(server: &mut Server, id: &str) -> v1::Vendor {
    let request = v1::GetVendorRequest { name: format!("vendors/{id}"), as_of: None };
    server.vendors.get_vendor(request).await.expect("found").into_inner()
}

async fn rename(server: &mut Server, id: &str, display_name: &str) -> v1::Vendor {
    let vendor = v1::Vendor { name: format!("vendors/{id}"), display_name: display_name.into(), ..Default::default() };
    let request = v1::UpdateVendorRequest { vendor: Some(vendor), ..Default::default() };
    server.vendors.update_vendor(request).await.expect("updated").into_inner()
}

async fn delete(server: &mut Server, id: &str) {
    let request = v1::DeleteVendorRequest { name: format!("vendors/{id}"), ..Default::default() };
    server.vendors.delete_vendor(request).await.expect("deleted");
}

async fn vendors(server: &mut Server) -> Vec<v1::Vendor> {
    let request = v1::ListVendorsRequest { page_size: 1_000, ..Default::default() };
    server.vendors.list_vendors(request).await.expect("listed").into_inner().vendors
}

async fn instruments(server: &mut Server) -> Vec<v1::Instrument> {
    let request = v1::ListInstrumentsRequest { page_size: 1_000, ..Default::default() };
    server.mechanisms.list_instruments(request).await.expect("listed").into_inner().instruments
}

/// Every text in a message that has the form of a reference to a vendor or an instrument.
fn references(message: &DynamicMessage, out: &mut Vec<String>) {
    fn value(one: &Value, out: &mut Vec<String>) {
        match one {
            Value::String(text) if text.starts_with("vendors/") || text.starts_with("instruments/") => {
                out.push(text.clone());
            }
            Value::Message(message) => references(message, out),
            Value::List(values) => values.iter().for_each(|one| value(one, out)),
            _ => {}
        }
    }
    message.fields().filter(|(field, _)| field.name() != "name").for_each(|(_, one)| value(one, out));
}

both! {
    async fn the_first_start_loads_it_in_one_revision(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, WITH_CATALOG).await;
        assert_eq!(server.revision().await, 1);
        let request = v1::GetRevisionRequest { name: "revisions/1".into() };
        let revision = server.log.get_revision(request).await.expect("found").into_inner();
        assert_eq!((revision.principal.as_str(), revision.method.as_str()), ("system", "Catalog/Load"));
        assert_eq!(revision.changes.len(), 288);
        assert!(revision.changes.iter().all(|change| change.kind() == v1::change::Kind::Created));
        let (vendors, instruments) = (vendors(&mut server).await, instruments(&mut server).await);
        assert_eq!(vendors.len() + instruments.len(), 288);
        assert!(vendors.iter().all(|vendor| vendor.origin() == Origin::Catalog && !vendor.sources.is_empty()));
        assert!(instruments.iter().all(|law| law.origin() == Origin::Catalog && !law.sources.is_empty()));
        server.stop().await;
        let mut server = Server::start_with(&place, WITH_CATALOG).await;
        assert_eq!(server.revision().await, 1, "the second start has nothing to do");
        assert!(server.log.verify_change_log(v1::VerifyChangeLogRequest::default()).await.expect("checked").into_inner().verified);
    }

    async fn every_reference_in_it_holds(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, WITH_CATALOG).await;
        let (vendors, instruments) = (vendors(&mut server).await, instruments(&mut server).await);
        let mut names: Vec<String> = vendors.iter().map(|vendor| vendor.name.clone()).collect();
        names.extend(instruments.iter().map(|instrument| instrument.name.clone()));
        let mut referred = Vec::new();
        for law in &instruments {
            let fields = law.predecessors.iter().chain(&law.successors).chain(&law.covers);
            referred.extend(fields.cloned().chain(law.requires.iter().map(|required| required.instrument.clone())));
            references(&law.transcode_to_dynamic(), &mut referred);
        }
        for vendor in &vendors {
            referred.extend(Some(vendor.parent_vendor.clone()).filter(|parent| !parent.is_empty()));
        }
        assert!(referred.len() > 50, "{}", referred.len());
        let broken: Vec<_> = referred.iter().filter(|name| !names.contains(name)).collect();
        assert_eq!(broken, Vec::<&String>::new());
    }

    async fn the_five_that_everybody_engages_are_complete(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, WITH_CATALOG).await;
        for id in ["aws", "microsoft-azure", "stripe", "sendgrid", "mailchimp"] {
            let vendor = get(&mut server, id).await;
            let entity = vendor.entities.first().unwrap_or_else(|| panic!("an entity of {id}"));
            let address = entity.address.as_ref().unwrap_or_else(|| panic!("an address of {id}"));
            assert!(!entity.legal_name.is_empty() && !entity.region_code.is_empty(), "{entity:?}");
            assert!(!address.lines.is_empty() && !address.locality.is_empty() && !address.region_code.is_empty(), "{address:?}");
            assert!(vendor.contacts.iter().any(|c| !c.email.is_empty() || !c.uri.is_empty()), "a contact of {id}");
            for page in [&vendor.website_uri, &vendor.privacy_policy_uri, &vendor.dpa_uri, &vendor.subprocessor_list_uri] {
                assert!(page.starts_with("https://"), "{id}: {page:?}");
            }
            // So each passes the gates once its agreement is signed.
            crate::support::apply(&mut server, &format!(
                "organization: {{id: acme, display_name: A, notice_policy: {{enforcement: REQUIRED}}}}\n\
                 subprocessors: [{{id: {id}, display_name: X, vendor: vendors/{id}, role: SUB_PROCESSOR, dpa: {{status: SIGNED}}}}]\n"
            )).await.expect("applied");
            let name = format!("organizations/acme/subprocessors/{id}");
            crate::support::announce(&mut server, &name).await;
            crate::support::activate(&mut server, &name).await.expect(id);
        }
    }

    async fn an_upgrade_leaves_alone_what_an_operator_did(backend: Backend) {
        let place = Place::new(backend).await;
        let first = "version: '2026-01'\nvendors:\n  - {id: plain, display_name: Plain}\n  - {id: same, display_name: Same}\n  \
                     - {id: changed, display_name: Changed}\n  - {id: gone, display_name: Gone}\n  - {id: back, display_name: Back}\n";
        let mut server = Server::start(&place).await;
        vendor(&mut server, "mine").await;
        server.stop().await;
        assert_eq!(load_text(&place, first, INSTRUMENTS).await, 6);

        let mut server = Server::start(&place).await;
        assert_eq!((server.revision().await, instruments(&mut server).await.len()), (2, 1));
        assert_eq!(rename(&mut server, "changed", "Our name").await.origin(), Origin::Overridden);
        delete(&mut server, "gone").await;
        delete(&mut server, "back").await;
        let back = v1::UndeleteVendorRequest { name: "vendors/back".into(), ..Default::default() };
        assert_eq!(server.vendors.undelete_vendor(back).await.expect("undeleted").into_inner().origin(), Origin::Overridden);
        // Saying what the catalog says is no change.
        assert_eq!(rename(&mut server, "same", "Same").await.origin(), Origin::Catalog);
        vendor(&mut server, "new-too").await;
        let before = server.revision().await;
        server.stop().await;

        let second = "version: '2026-02'\nvendors:\n  - {id: plain, display_name: Plain Inc}\n  - {id: same, display_name: Same}\n  \
                      - {id: changed, display_name: Changed Inc}\n  - {id: gone, display_name: Gone Inc}\n  - {id: back, display_name: Back Inc}\n  \
                      - {id: mine, display_name: Theirs}\n  - {id: new, display_name: New, parent_vendor: vendors/newer}\n  \
                      - {id: newer, display_name: Newer}\n  - {id: new-too, display_name: New too}\n";
        let law = INSTRUMENTS.replace("A law", "The law").replace("'1'", "'2'");
        assert_eq!(load_text(&place, second, &law).await, 4, "plain, new, newer and the law");
        let mut server = Server::start(&place).await;
        assert_eq!(server.revision().await, before + 1);
        let request = v1::GetRevisionRequest { name: format!("revisions/{}", before + 1) };
        let revision = server.log.get_revision(request).await.expect("found").into_inner();
        let mut changed: Vec<_> = revision.changes.iter().map(|change| change.resource_name.as_str()).collect();
        changed.sort_unstable();
        assert_eq!(changed, ["instruments/law", "vendors/new", "vendors/newer", "vendors/plain"]);
        for (id, display_name, origin) in [
            ("plain", "Plain Inc", Origin::Catalog),
            ("same", "Same", Origin::Catalog),
            ("changed", "Our name", Origin::Overridden),
            ("back", "Back", Origin::Overridden),
            ("new", "New", Origin::Catalog),
            ("mine", "MINE", Origin::Custom),
            ("new-too", "NEW-TOO", Origin::Custom),
        ] {
            let vendor = get(&mut server, id).await;
            assert_eq!((vendor.display_name.as_str(), vendor.origin()), (display_name, origin), "{id}");
        }
        assert!(get(&mut server, "gone").await.delete_time.is_some());
        assert_eq!(instruments(&mut server).await[0].title, "The law");
        server.stop().await;

        // The same again, and an older one: nothing. So replicas of two versions do not undo each other.
        assert_eq!(load_text(&place, second, &law).await, 0);
        assert_eq!(load_text(&place, first, INSTRUMENTS).await, 0);
        let mut server = Server::start(&place).await;
        assert_eq!((server.revision().await, get(&mut server, "plain").await.display_name.as_str()), (before + 1, "Plain Inc"));
    }

    async fn a_version_with_nothing_new_makes_no_revision(backend: Backend) {
        let place = Place::new(backend).await;
        let text = |version: &str| format!("version: '{version}'\nvendors: [{{id: a, display_name: A}}]\n");
        assert_eq!(load_text(&place, &text("2"), INSTRUMENTS).await, 2);
        assert_eq!(load_text(&place, &text("3"), INSTRUMENTS).await, 0);
        let mut server = Server::start(&place).await;
        assert_eq!(server.revision().await, 1);
        rename(&mut server, "a", "B").await;
        server.stop().await;
        // It was seen all the same: version 2 does not come back.
        assert_eq!(load_text(&place, &text("2"), INSTRUMENTS).await, 0);
        // The version of the two files is the later one.
        let law = INSTRUMENTS.replace("'1'", "'4'").replace("A law", "The law");
        assert_eq!(load_text(&place, &text("3"), &law).await, 1);
    }

    async fn an_upgrade_does_not_fail_over_what_an_operator_did(backend: Backend) {
        let place = Place::new(backend).await;
        let first = "version: '1'\nvendors:\n  - {id: parent, display_name: Parent}\n  - {id: a, display_name: A}\n  - {id: b, display_name: B}\n  \
                     - {id: used, display_name: Used, entities: [{entity_id: inc, legal_name: Used}]}\n";
        load_text(&place, first, INSTRUMENTS).await;
        let mut server = Server::start(&place).await;
        delete(&mut server, "parent").await;
        let owned = v1::Vendor { name: "vendors/b".into(), parent_vendor: "vendors/a".into(), ..Default::default() };
        let request = v1::UpdateVendorRequest { vendor: Some(owned), ..Default::default() };
        server.vendors.update_vendor(request).await.expect("updated");
        let list = "organization: {id: acme, display_name: A}\n\
                    subprocessors: [{id: used, display_name: U, vendor: vendors/used, vendor_entity: inc}]\n";
        crate::support::apply(&mut server, list).await.expect("applied");
        server.stop().await;
        // A new entry whose parent an operator deleted; one that would own its owner; one without an entity in use.
        let second = "version: '2'\nvendors:\n  - {id: child, display_name: Child, parent_vendor: vendors/parent}\n  \
                      - {id: other, display_name: Other}\n  - {id: a, display_name: A2, parent_vendor: vendors/b}\n  \
                      - {id: used, display_name: Used2}\n";
        load_text(&place, second, INSTRUMENTS).await;
        let mut server = Server::start(&place).await;
        let child = get(&mut server, "child").await;
        assert_eq!((child.display_name.as_str(), child.parent_vendor.as_str()), ("Child", ""), "without a parent that is not there");
        assert_eq!(get(&mut server, "other").await.display_name, "Other");
        let owner = get(&mut server, "a").await;
        assert_eq!((owner.display_name.as_str(), owner.parent_vendor.as_str()), ("A2", ""), "not owned by what it owns");
        // What somebody uses is not taken away.
        assert_eq!(get(&mut server, "used").await.display_name, "Used");
        assert_eq!(get(&mut server, "used").await.entities.len(), 1);
        rename(&mut server, "b", "Still mine").await;
        let request = v1::GetVendorRequest { name: "vendors/nobody".into(), as_of: None };
        refused(server.vendors.get_vendor(request).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
    }
}
