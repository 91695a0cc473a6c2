//! The vendors that a registry holds: operators' own, as they are and as they were.

use subprocessor_registry::proto::v1::{self, vendor_match::Via};

use super::{all_meant, ask, meant, resolve};
use crate::support::{Backend, Place, Server, both, fresh};

/// An operator's vendor with every kind of name.
fn northwind() -> v1::Vendor {
    let entity = |id: &str, name: &str| v1::Entity {
        entity_id: id.into(),
        legal_name: name.into(),
        region_code: "PL".into(),
        ..Default::default()
    };
    let service =
        |id: &str, name: &str| v1::Service { service_id: id.into(), display_name: name.into(), ..Default::default() };
    v1::Vendor {
        display_name: "Northwind Traders".into(),
        entities: vec![entity("polska", "Northwind Traders Polska Sp. z o.o."), entity("holding", "NWT Holding AG")],
        aliases: vec!["Nordwind".into()],
        former_names: vec!["Süßwaren Müller".into()],
        services: vec![service("mail", "Carrier Pigeon"), service("crm", "Rolodexa")],
        website_uri: "https://www.northwind.example".into(),
        domains: vec!["nwt-cdn.example".into()],
        categories: vec!["EMAIL_DELIVERY".into()],
        ..Default::default()
    }
}

async fn create(server: &mut Server, id: &str, vendor: v1::Vendor) -> v1::Vendor {
    let request = v1::CreateVendorRequest { vendor_id: id.into(), vendor: Some(vendor), ..Default::default() };
    server.vendors.create_vendor(request).await.expect("created").into_inner()
}

async fn named(server: &mut Server, id: &str, display_name: &str) -> v1::Vendor {
    create(server, id, v1::Vendor { display_name: display_name.into(), ..Default::default() }).await
}

async fn rename(server: &mut Server, id: &str, display_name: &str) -> v1::Vendor {
    let vendor = v1::Vendor { name: format!("vendors/{id}"), display_name: display_name.into(), ..Default::default() };
    let request = v1::UpdateVendorRequest { vendor: Some(vendor), ..Default::default() };
    server.vendors.update_vendor(request).await.expect("updated").into_inner()
}

async fn delete(server: &mut Server, id: &str) -> v1::Vendor {
    let request = v1::DeleteVendorRequest { name: format!("vendors/{id}"), ..Default::default() };
    server.vendors.delete_vendor(request).await.expect("deleted").into_inner()
}

async fn at(server: &mut Server, name: &str, revision: i64) -> String {
    let request = v1::ResolveVendorsRequest {
        names: vec![name.into()],
        as_of: Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(revision)) }),
        ..Default::default()
    };
    let answer = ask(server, request).await.expect("resolved");
    assert_eq!(answer.revision, revision);
    meant(&answer.results[0]).to_owned()
}

both! {
    async fn every_kind_of_name_is_found_and_said(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        create(&mut server, "nw", northwind()).await;
        for (name, via, entity, service) in [
            ("Northwind Traders", Via::DisplayName, "", ""),
            ("NORTHWIND  TRADERS, Inc.", Via::DisplayName, "", ""),
            ("NorthwindTraders", Via::DisplayName, "", ""),
            ("Northwind Tradres", Via::DisplayName, "", ""),
            ("Northwind Traders Deutschland GmbH", Via::DisplayName, "", ""),
            ("Northwind Traders Polska sp. z o. o.", Via::LegalName, "polska", ""),
            ("Northwind Traders Polska", Via::LegalName, "polska", ""),
            ("NWT Holding", Via::LegalName, "holding", ""),
            ("NWT Holding AG (Northwind Traders)", Via::DisplayName, "holding", ""),
            ("Northwind Traders (NWT Holding AG)", Via::DisplayName, "holding", ""),
            ("Nordwind SARL", Via::Alias, "", ""),
            ("Susswaren Muller", Via::FormerName, "", ""),
            ("Carrier Pigeon", Via::Service, "", "mail"),
            ("Rolodexa (Northwind Traders)", Via::DisplayName, "", "crm"),
            ("northwind.example", Via::Domain, "", ""),
            ("https://cdn3.nwt-cdn.example/x", Via::Domain, "", ""),
        ] {
            let result = &resolve(&mut server, &[name]).await[0];
            assert_eq!(meant(result), "nw", "{name}: {result:#?}");
            let best = &result.matches[0];
            assert_eq!((best.via(), best.entity_id.as_str(), best.service_id.as_str()), (via, entity, service), "{name}: {result:#?}");
            assert_eq!((best.part.as_str(), result.matches.len()), ("", 1), "{name}");
        }
        let exact = &resolve(&mut server, &["Northwind Traders"]).await[0].matches[0];
        assert_eq!((exact.score, exact.matched.as_str()), (1.0, "Northwind Traders"));
        for stranger in [
            "Northwind", "Northwind Logistics", "Traders", "Northern Traders", "NWT", "Southwind Traders", "Pigeon",
            "Carrier", "Müller", "Rolodex", "example", "northwind.org", "Traders of Northwind",
        ] {
            assert_eq!(all_meant(&mut server, &[stranger]).await, [""], "{stranger}");
        }
    }

    async fn an_owner_is_told_from_what_it_owns(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let entity = v1::Entity { entity_id: "inc".into(), legal_name: "Vandelay, Inc.".into(), ..Default::default() };
        let owner = v1::Vendor { display_name: "Vandelay".into(), entities: vec![entity.clone()], ..Default::default() };
        create(&mut server, "vandelay", owner).await;
        for (id, display_name) in [("post", "Vandelay Post"), ("quill", "Quillbox")] {
            let owned = v1::Vendor {
                display_name: display_name.into(),
                entities: vec![entity.clone()],
                parent_vendor: "vendors/vandelay".into(),
                ..Default::default()
            };
            create(&mut server, id, owned).await;
        }
        for (name, vendor) in [
            ("Vandelay", "vandelay"),
            ("Vandelay, Inc.", "vandelay"),
            ("Vandelay Latex", "vandelay"),
            ("Vandelay Post", "post"),
            ("Vandelay (Post)", "post"),
            ("Post (Vandelay)", "post"),
            ("Quillbox", "quill"),
            ("Quillbox (Vandelay, Inc.)", "quill"),
            ("Vandelay (Quillbox)", "quill"),
            ("Vandelay Quillbox", "quill"),
            ("Quillbox by Vandelay", "quill"),
            ("Quillbox, a Vandelay company", "quill"),
            ("Vandelay, Inc. d/b/a Quillbox", "quill"),
            ("Quilbox (Vandelay)", "quill"),
        ] {
            let result = &resolve(&mut server, &[name]).await[0];
            assert_eq!(meant(result), vendor, "{name}: {result:#?}");
        }
        let both = &resolve(&mut server, &["Vandelay, Inc."]).await[0].matches;
        let vendors: Vec<&str> = both.iter().map(|found| found.vendor.as_str()).collect();
        assert_eq!(vendors, ["vendors/vandelay", "vendors/post", "vendors/quill"]);
        assert!(both.iter().all(|found| found.entity_id == "inc"));
    }

    async fn a_change_is_seen_at_once_and_the_past_stays(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        assert_eq!(all_meant(&mut server, &["Tyrell"]).await, [""]);
        let made = named(&mut server, "a", "Tyrell").await;
        assert_eq!(all_meant(&mut server, &["Tyrell", "Wallace"]).await, ["a", ""]);
        let renamed = rename(&mut server, "a", "Wallace").await;
        assert_eq!(all_meant(&mut server, &["Tyrell", "Wallace"]).await, ["", "a"]);
        let gone = delete(&mut server, "a").await;
        assert_eq!(all_meant(&mut server, &["Tyrell", "Wallace"]).await, ["", ""]);
        let request = v1::UndeleteVendorRequest { name: "vendors/a".into(), ..Default::default() };
        let back = server.vendors.undelete_vendor(request).await.expect("undeleted").into_inner();
        assert_eq!(all_meant(&mut server, &["Tyrell", "Wallace"]).await, ["", "a"]);
        for (revision, old, new) in [
            (made.revision - 1, "", ""), (made.revision, "a", ""), (renamed.revision, "", "a"), (gone.revision, "", ""),
            (back.revision, "", "a"),
        ] {
            assert_eq!((at(&mut server, "Tyrell", revision).await.as_str(), at(&mut server, "Wallace", revision).await.as_str()), (old, new), "{revision}");
        }
        // What changes nothing of any vendor is another revision with the same answer.
        crate::support::organization(&mut server, "acme").await;
        let answer = ask(&mut server, v1::ResolveVendorsRequest { names: vec!["Wallace".into()], ..Default::default() }).await.expect("resolved");
        assert_eq!((answer.revision, meant(&answer.results[0])), (back.revision + 1, "a"));
    }

    async fn what_was_erased_is_not_remembered(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let made = named(&mut server, "a", "Tyrell").await;
        assert_eq!(all_meant(&mut server, &["Tyrell"]).await, ["a"]);
        delete(&mut server, "a").await;
        assert_eq!(at(&mut server, "Tyrell", made.revision).await, "a");
        let request = v1::ErasePersonalDataRequest { name: "vendors/a".into(), reason: "asked".into(), ..Default::default() };
        server.log.erase_personal_data(request).await.expect("erased");
        assert_eq!(at(&mut server, "Tyrell", made.revision).await, "");
    }

    async fn a_parent_that_is_gone_owns_nothing(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        for n in 0..30 {
            named(&mut server, &format!("v{n}"), &format!("Zaphod {}", "x".repeat(n + 1))).await;
        }
        // More than one has the same name: all are offered, by name.
        for id in ["twin-b", "twin-a", "twin-c"] {
            named(&mut server, id, "Beeblebrox").await;
        }
        let found = &resolve(&mut server, &["Beeblebrox"]).await[0].matches;
        let vendors: Vec<&str> = found.iter().map(|found| found.vendor.as_str()).collect();
        assert_eq!(vendors, ["vendors/twin-a", "vendors/twin-b", "vendors/twin-c"]);
    }
}

/// Replicas share nothing but the database: what one commits the other's index must have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_replicas_change_is_seen_at_once() {
    let place = Place::new(Backend::Postgres).await;
    let (mut one, mut two) = (Server::start(&place).await, Server::start(&place).await);
    named(&mut one, "a", "Tyrell").await;
    assert_eq!(all_meant(&mut two, &["Tyrell"]).await, ["a"]);
    for name in ["Wallace", "Rosen", "Batty"] {
        rename(&mut one, "a", name).await;
        assert_eq!(all_meant(&mut two, &[name, "Tyrell"]).await, ["a", ""]);
    }
    delete(&mut two, "a").await;
    assert_eq!(all_meant(&mut one, &["Batty"]).await, [""]);
}
