//! What is published can be imported, and is then published again as it was.

use std::collections::{BTreeSet, HashMap};

use subprocessor_registry::{
    import::{self, Known, Options},
    rules::{
        publication::{self, Entity, Entry, Publication},
        vendor_name::Index,
    },
};

use super::{LIST, acme, get};
use crate::support::{Place, Server, apply, both};

/// An organization of whose list every column says something.
const FULL: &str = "\
organization:
  id: full
  display_name: 'Full & Co. <x>'
  products: [{product_id: pro, display_name: Pro}, {product_id: pro-plus, display_name: Pro+}, {product_id: cloud-eu, display_name: 'Cloud, EU'}]
  page: {introduction: Whom we engage.}
vendors:
  - {id: north, display_name: North, entities: [{entity_id: north-ag, legal_name: 'North (Schweiz) AG', region_code: CH, address: {lines: [Weg 1], locality: Bern, postal_code: '3000', region_code: CH}}, {entity_id: north-inc, legal_name: 'North, Inc.', region_code: US}]}
  - {id: south, display_name: South Services, entities: [{entity_id: south-llc, legal_name: South LLC, region_code: US}]}
subprocessors:
  - {id: first-one, vendor: vendors/north, vendor_entity: north-ag, display_name: 'North | \"cloud\", and more', listed: true, recorded_as_found: true, state: ACTIVE, role: SUB_PROCESSOR, start_date: '2021-05-01', end_date: '2040-01-01', purposes: ['Hosting (compute; storage)', '=1+1', '- Mail'], service_description: The whole of it, products: [pro, pro-plus], section: Infrastructure & more, condition: Only if you ask for it., data_categories: ['Names, first and last', Addresses], special_categories: [Health data], data_subject_categories: [Users, Their customers], locations: [{region_code: US, activity: PROCESSING, products: [pro-plus]}, {area: EU, activity: STORAGE}, {region_code: KR}, {area: APAC, activity: SUPPORT}, {region_code: CH, activity: CORPORATE}, {verbatim: 'our offices (all of them)'}], website_uri: 'https://north.example/list', affiliate: false}
  - {id: another, vendor: vendors/north, vendor_entity: north-inc, display_name: North Mail, listed: true, recorded_as_found: true, state: SUSPENDED, role: INDEPENDENT_CONTROLLER, purposes: [Mail], engaged_by: organizations/full/subprocessors/first-one, affiliate: true}
  - {id: third, vendor: vendors/south, vendor_entity: south-llc, display_name: '+South', listed: true, recorded_as_found: true, state: ACTIVE, purposes: [Chat], section: People, locations: [{area: GLOBAL}, {region_code: DE, area: Saxony}]}
  - {id: fourth, display_name: \"'=Weird; our (freelance) people\", listed: true, recorded_as_found: true, state: ACTIVE, purposes: ['Hosting; backups', Mail], data_categories: ['c; d'], special_categories: ['a (b', 'c) d'], products: [cloud-eu, pro], service_description: \"LINES\", locations: [{region_code: DE, activity: STORAGE, products: [pro, cloud-eu]}, {verbatim: 'Our offices (storage)'}, {region_code: US, area: 'Virginia, North'}]}
";

/// What `import` makes of a published list without a server.
fn imported(text: &str) -> import::Imported {
    imported_as("subprocessors.json", "copy", text)
}

fn imported_as(file: &str, organization: &str, text: &str) -> import::Imported {
    let index = Index::of(&[]);
    let options = Options { file: file.into(), ..Options::default() };
    let list = import::read(text.as_bytes(), &options, &index).expect("a list");
    let known = Known {
        organization: organization.into(),
        document: "list".into(),
        matches: HashMap::new(),
        vendor_ids: BTreeSet::new(),
        today: "2026-03-23".into(),
        ..Known::default()
    };
    list.assemble(&known).expect("a manifest")
}

async fn of(server: &Server, organization: &str) -> Publication {
    let answer = get(server, &format!("/organizations/{organization}/subprocessors.json")).await;
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

both! {
    async fn an_imported_list_is_published_as_it_was(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let text = get(&server, &format!("{LIST}/subprocessors.json")).await.body;
        let made = imported(&text);
        assert!(made.report.notes.iter().any(|note| note.text.contains("what transfers rest on")), "{:?}", made.report);
        assert_eq!((made.report.rows_in, made.report.rows_out), (2, 2));
        apply(&mut server, &made.manifest).await.unwrap_or_else(|error| panic!("{error}\n{}", made.manifest));
        let (mut original, mut copy) = (of(&server, "acme").await, of(&server, "copy").await);
        assert_eq!((copy.organization.name.as_str(), copy.organization.legal_name.as_str()), ("Acme", "Acme GmbH"));
        assert_eq!(copy.organization.products, original.organization.products);
        for list in [&mut original, &mut copy] {
            for one in &mut list.subprocessors {
                // Papers are not proved by a list, and a vendor has the id that this registry gave it.
                one.mechanisms.clear();
                one.vendor = None;
            }
        }
        assert_eq!(copy.subprocessors, original.subprocessors);
    }

    async fn an_imported_table_is_published_as_it_was(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
        let lines: Vec<String> = (0..250).map(|n| format!("Line {n}")).collect();
        apply(&mut server, &FULL.replace("LINES", &lines.join("\\n"))).await.expect("applied");
        let original = of(&server, "full").await;
        assert_eq!(original.subprocessors.len(), 4);
        for ending in ["json", "csv", "md"] {
            let text = get(&server, &format!("/organizations/full/subprocessors.{ending}")).await.body;
            let copy = format!("copy-{ending}");
            let made = imported_as(&format!("list.{ending}"), &copy, &text);
            assert_eq!((made.report.rows_in, made.report.rows_out), (4, 4), "{:?}", made.report);
            assert_eq!(made.report.count(import::Outcome::Unstated), 1, "{:?}", made.report);
            apply(&mut server, &made.manifest).await.unwrap_or_else(|error| panic!("{error}\n{}", made.manifest));
            let again = get(&server, &format!("/organizations/{copy}/subprocessors.{ending}")).await.body;
            let body = |text: &str| text.lines().filter(|line| !line.starts_with("The list of ")).collect::<Vec<_>>().join("\n");
            if ending == "csv" {
                assert_eq!(again, text);
            }
            if ending == "md" {
                assert_eq!(body(&again), body(&text));
            }
            let copied = of(&server, &copy).await;
            if ending != "csv" {
                assert_eq!(copied.organization.name, original.organization.name, "{ending}");
            }
            for (copied, original) in copied.subprocessors.into_iter().zip(&original.subprocessors) {
                let mut wanted = original.clone();
                let mut got = copied;
                // A vendor has the id that this registry gave it.
                (wanted.vendor, got.vendor) = (None, None);
                if ending != "json" {
                    // A table has the names of products, of entities no more than what they say.
                    let ids = |one: &mut Entry| {
                        let own = one.products.iter_mut();
                        own.chain(one.locations.iter_mut().flat_map(|place| &mut place.products)).for_each(|product| product.id.clear());
                    };
                    ids(&mut wanted);
                    ids(&mut got);
                    for entity in [&mut wanted.entity, &mut got.entity].into_iter().flatten() {
                        entity.inferred = false;
                    }
                }
                if ending == "md" {
                    // Where the name of a product ends is not known where there is no column of products.
                    let joined = |place: &mut publication::Place| {
                        let names: Vec<String> = place.products.drain(..).map(|product| product.name).collect();
                        place.activity += &names.join(", ");
                    };
                    wanted.locations.iter_mut().chain(&mut got.locations).for_each(joined);
                    wanted = Entry {
                        id: got.id.clone(),
                        name: wanted.name,
                        entity: wanted.entity.map(|entity| Entity { legal_name: entity.legal_name, ..Entity::default() }),
                        purposes: wanted.purposes,
                        locations: wanted.locations,
                        start_date: wanted.start_date,
                        suspended: wanted.suspended,
                        ..Entry::default()
                    };
                }
                assert_eq!(got, wanted, "{ending}");
            }
        }
    }
}

#[test]
fn what_only_looks_like_a_list_is_refused_or_read_as_any_data() {
    let index = Index::of(&[]);
    let read = |text: &str| {
        let options = Options { file: "x.json".into(), ..Options::default() };
        import::read(text.as_bytes(), &options, &index).map(|_| ()).map_err(|refusal| refusal.message)
    };
    let newer = r#"{"schema_version": "2.0", "organization": {}, "subprocessors": []}"#;
    assert!(read(newer).expect_err("refused").contains("version 2.0"));
    let lists = r#"{"schema_version": "1.0", "lists": [{"organization": {"id": "a", "name": "A"}, "links": {"page": "/a", "json": "/a.json"}}]}"#;
    assert!(read(lists).expect_err("refused").contains("/a.json"));
    let loose = r#"{"schema_version": "1.0", "organization": {"name": "A"}, "subprocessors": [{"name": "Acme Inc.", "purpose": "Hosting", "location": "Germany"}, {"name": "Blue Inc.", "purpose": "Mail", "location": "France"}]}"#;
    read(loose).expect("read as data");
}
