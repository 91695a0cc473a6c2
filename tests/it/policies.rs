//! The five policies: every fact of tests/data/policies/facts.yaml, asked of the API. The file's header describes it.

use std::collections::BTreeMap;

use prost_reflect::ReflectMessage;
use serde_json::Value as Json;
use subprocessor_registry::{
    manifest::{MAX_BYTES, Problems, node},
    proto::v1,
    resource::{
        json::to_json,
        name::{Kind, Name},
    },
};

use crate::support::{Place, Server, both, subprocessors_of};

const FACTS: &str = include_str!("../data/policies/facts.yaml");

/// How many facts there were when the list was finished: none gets lost.
const MIN_FACTS: usize = 257;

fn facts() -> Json {
    let mut problems = Problems::default();
    let tree = node::parse(FACTS, MAX_BYTES, &mut problems).expect("readable");
    assert!(problems.list().is_empty(), "{problems:?}");
    tree.to_json()
}

/// A resource by its name, in the short form.
async fn get(server: &mut Server, name: &str) -> Json {
    let kind = Name::parse(name).unwrap_or_else(|| panic!("{name} is no name")).kind();
    let name = name.to_owned();
    macro_rules! ask {
        ($service:ident, $method:ident, $request:ident) => {{
            let request = v1::$request { name: name.clone(), ..Default::default() };
            let answer = server.$service.$method(request).await.unwrap_or_else(|status| panic!("{name}: {status:?}"));
            to_json(&answer.into_inner().transcode_to_dynamic())
        }};
    }
    match kind {
        Kind::Organization => ask!(organizations, get_organization, GetOrganizationRequest),
        Kind::Document => ask!(organizations, get_document, GetDocumentRequest),
        Kind::Customer => ask!(organizations, get_customer, GetCustomerRequest),
        Kind::Subprocessor => ask!(subprocessors, get_subprocessor, GetSubprocessorRequest),
        Kind::Vendor => ask!(vendors, get_vendor, GetVendorRequest),
        Kind::Instrument => ask!(mechanisms, get_instrument, GetInstrumentRequest),
        Kind::Certification => ask!(mechanisms, get_certification, GetCertificationRequest),
        Kind::Transfer => ask!(mechanisms, get_transfer, GetTransferRequest),
        Kind::Acknowledgement => ask!(mechanisms, get_acknowledgement, GetAcknowledgementRequest),
        Kind::Notice => ask!(notices, get_notice, GetNoticeRequest),
        Kind::Recipient => ask!(notices, get_notice_recipient, GetNoticeRecipientRequest),
        Kind::Objection => ask!(notices, get_objection, GetObjectionRequest),
        Kind::Subscription => ask!(notices, get_subscription, GetSubscriptionRequest),
    }
}

/// What stands at a path such as `a.b[2].c`; nothing if any part of it is unset.
fn at<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    let pointer: String = path
        .split(['.', '['])
        .filter(|part| !part.is_empty())
        .map(|part| format!("/{}", part.trim_end_matches(']')))
        .collect();
    value.pointer(&pointer)
}

/// Where, from `place`, and in which words an entry is not what the API says; empty if it is.
fn compare(resource: &Json, entry: &Json) -> Vec<String> {
    const KNOWN: [&str; 8] = ["organization", "fact", "resource", "where", "expect", "absent", "quote", "line"];
    let mut wrong = Vec::new();
    let unknown = entry.as_object().into_iter().flatten().filter(|(key, _)| !KNOWN.contains(&key.as_str()));
    wrong.extend(unknown.map(|(key, _)| format!("{key} is not a key of this file")));
    let place = entry["where"].as_str().unwrap_or_default();
    let Some(held) = at(resource, place) else {
        wrong.push(format!("nothing at {place}"));
        return wrong;
    };
    for (path, expected) in entry["expect"].as_object().into_iter().flatten() {
        let found = at(held, path);
        if found != Some(expected) {
            wrong.push(format!("{place} {path}: expected {expected}, found {found:?}"));
        }
    }
    for path in entry["absent"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        if let Some(found) = at(held, path) {
            wrong.push(format!("{place} {path}: expected nothing, found {found}"));
        }
    }
    let Some(quote) = entry.get("quote") else { return wrong };
    let carries = |source: &Json| source["quote"] == *quote && source.get("line") == entry.get("line");
    let quoted = match held.get("quote") {
        Some(_) => carries(held),
        None => {
            let field = entry.get("where");
            let sources = resource["sources"].as_array();
            sources.into_iter().flatten().any(|source| source.get("field") == field && carries(source))
        }
    };
    if !quoted {
        wrong.push(format!("{place}: {quote} (line {:?}) is not quoted", entry.get("line")));
    }
    wrong
}

/// Makes a statement wrong.
type Plant = fn(&mut Json);

/// How many claims, of which kinds, an organization's documents have; and how many documents.
async fn claims(server: &mut Server, parent: &str) -> (usize, BTreeMap<String, u64>) {
    let request = v1::ListDocumentsRequest { parent: parent.into(), page_size: 1_000, ..Default::default() };
    let documents = server.organizations.list_documents(request).await.expect("listed").into_inner().documents;
    let mut counts = BTreeMap::new();
    for claim in documents.iter().flat_map(|document| &document.claims) {
        *counts.entry(claim.kind().as_str_name().trim_start_matches("KIND_").to_owned()).or_default() += 1;
    }
    (documents.len(), counts)
}

async fn with_everything(place: &Place) -> Server {
    Server::start_with(place, &[("CATALOG__LOAD", "true"), ("EXAMPLES__LOAD", "true")]).await
}

both! {
    async fn every_fact_is_answered(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = with_everything(&place).await;
        let facts = facts();
        let entries = facts["facts"].as_array().expect("facts");
        let mut resources: BTreeMap<String, Json> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            let name = entry["resource"].as_str().unwrap_or_else(|| panic!("a resource in fact {i}"));
            if !resources.contains_key(name) {
                resources.insert(name.to_owned(), get(&mut server, name).await);
            }
            let says_something = ["expect", "absent", "quote"].iter().any(|key| entry.get(key).is_some());
            assert!(says_something, "fact {i} says nothing: {entry}");
            let label = format!("{i} {} {}", entry["fact"], name);
            wrong.extend(compare(&resources[name], entry).into_iter().map(|what| format!("{label}: {what}")));
        }
        assert_eq!(wrong, Vec::<String>::new(), "of {} facts", entries.len());
        // None of the five is without facts, and the list is as long as it was when it was written.
        for (id, _) in subprocessor_registry::run::EXAMPLES {
            assert!(entries.iter().filter(|entry| entry["organization"] == id).count() > 30, "{id}");
        }
        assert!(entries.len() >= MIN_FACTS, "{} facts", entries.len());
    }

    async fn there_is_nothing_beside_them(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = with_everything(&place).await;
        let facts = facts();
        let counts = facts["counts"].as_array().expect("counts");
        assert_eq!(counts.len(), 5);
        let mut wrong = Vec::new();
        for count in counts {
            let parent = format!("organizations/{}", count["organization"].as_str().expect("an id"));
            let mut compare = |what: &str, expected: &Json, found: u64| {
                if expected.as_u64() != Some(found) {
                    wrong.push(format!("{parent} {what}: expected {expected}, found {found}"));
                }
            };
            let (named, unnamed): (Vec<_>, Vec<_>) =
                subprocessors_of(&mut server, &parent).await.into_iter().partition(|s| !s.vendor.is_empty());
            compare("subprocessors with vendor", &count["subprocessors_with_vendor"], named.len() as u64);
            compare("subprocessors without vendor", &count["subprocessors_without_vendor"], unnamed.len() as u64);
            let (documents, kinds) = claims(&mut server, &parent).await;
            compare("documents", &count["documents"], documents as u64);
            for (kind, expected) in count["claims"].as_object().expect("kinds") {
                compare(kind, expected, kinds.get(kind).copied().unwrap_or_default());
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }

    async fn a_wrong_fact_is_noticed(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = with_everything(&place).await;
        let facts = facts();
        let entries = facts["facts"].as_array().expect("facts");
        // Every kind of statement, made wrong, is found wrong.
        let planted: [(&str, Plant); 5] = [
            ("expect", |entry| entry["expect"].as_object_mut().expect("paths").values_mut().for_each(|v| *v = Json::from("wrong"))),
            ("absent", |entry| entry["absent"] = Json::from(vec!["name"])),
            ("quote", |entry| entry["quote"] = Json::from("words that stand nowhere")),
            ("line", |entry| entry["line"] = Json::from(entry["line"].as_i64().expect("a line") + 1)),
            ("where", |entry| entry["where"] = Json::from("claims[999]")),
        ];
        for (key, plant) in planted {
            // `name` is set on the resource itself, so that it is a wrong absence only there.
            let fits = |entry: &&Json| entry.get(key).is_some() && (key != "absent" || entry.get("where").is_none());
            let mut entry = entries.iter().find(fits).unwrap_or_else(|| panic!("a fact with {key}")).clone();
            let resource = get(&mut server, entry["resource"].as_str().expect("a name")).await;
            assert_eq!(compare(&resource, &entry), Vec::<String>::new());
            plant(&mut entry);
            assert_ne!(compare(&resource, &entry), Vec::<String>::new(), "{key}: {entry}");
        }
    }

    async fn what_somebody_changed_or_deleted_stays_so(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = with_everything(&place).await;
        // One is changed, one is taken away with all it has; of one a part goes.
        let renamed = v1::Organization { name: "organizations/optymyze".into(), display_name: "Mine now".into(), ..Default::default() };
        let request = v1::UpdateOrganizationRequest { organization: Some(renamed), ..Default::default() };
        server.organizations.update_organization(request).await.expect("updated");
        let (_, text) = subprocessor_registry::run::EXAMPLES[0];
        let head = text.find("\ndocuments:").expect("documents");
        let request = v1::ApplyManifestRequest { manifest: text[..head].into(), prune: true, ..Default::default() };
        server.registry.apply_manifest(request).await.expect("emptied");
        let request = v1::DeleteOrganizationRequest { name: "organizations/concert-cloud".into(), ..Default::default() };
        server.organizations.delete_organization(request).await.expect("deleted");
        let first = subprocessors_of(&mut server, "organizations/prodsmart").await.remove(0).name;
        let request = v1::ListDocumentsRequest { parent: "organizations/prodsmart".into(), ..Default::default() };
        let mut documents = server.organizations.list_documents(request).await.expect("listed").into_inner().documents;
        documents[0].claims.clear();
        let request = v1::UpdateDocumentRequest {
            document: Some(documents.remove(0)),
            update_mask: Some(prost_types::FieldMask { paths: vec!["claims".into()] }),
            ..Default::default()
        };
        server.organizations.update_document(request).await.expect("updated");
        let request = v1::DeleteSubprocessorRequest { name: first.clone(), ..Default::default() };
        server.subprocessors.delete_subprocessor(request).await.expect("deleted");
        let head = server.revision().await;
        server.stop().await;

        let mut server = with_everything(&place).await;
        assert_eq!(server.revision().await, head, "nothing was loaded");
        assert_eq!(get(&mut server, "organizations/optymyze").await["display_name"], "Mine now");
        assert!(get(&mut server, "organizations/concert-cloud").await.get("delete_time").is_some());
        assert!(get(&mut server, &first).await.get("delete_time").is_some());
        assert_eq!(claims(&mut server, "organizations/prodsmart").await.1, BTreeMap::new());
    }

    async fn examples_need_not_be_loaded_first(backend: Backend) {
        // An operator who made one of these organizations keeps it; the others are loaded beside it.
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
        crate::support::organization(&mut server, "crescendo").await;
        server.stop().await;
        let mut server = with_everything(&place).await;
        assert_eq!(server.revision().await, 6);
        assert_eq!(get(&mut server, "organizations/crescendo").await["display_name"], "CRESCENDO");
        assert_eq!(subprocessors_of(&mut server, "organizations/crescendo").await.len(), 0);
        assert_ne!(subprocessors_of(&mut server, "organizations/cloudengage").await.len(), 0);
        let request = v1::GetRevisionRequest { name: "revisions/3".into() };
        let revision = server.log.get_revision(request).await.expect("found").into_inner();
        assert_eq!((revision.principal.as_str(), revision.method.as_str()), ("system", "Examples/Load"));
    }
}
