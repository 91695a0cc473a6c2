//! The names of real lists, and names made up, against the built-in catalog alone. tests/data/resolve has them; the
//! matcher knows none of these files.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use subprocessor_registry::{
    manifest::{MAX_BYTES, Problems, node},
    proto::v1,
};

use super::{MATCH, ask, meant};
use crate::support::{Place, Server, both};

const NAMES: &str = include_str!("../../data/resolve/vendor_names.yaml");
const NEGATIVES: &str = include_str!("../../data/resolve/vendor_negatives.yaml");
const MORE_NAMES: &str = include_str!("../../data/resolve/names.yaml");
const STRANGERS: &str = include_str!("../../data/resolve/strangers.yaml");

fn read(text: &str) -> Json {
    let mut problems = Problems::default();
    let tree = node::parse(text, MAX_BYTES, &mut problems).expect("readable");
    assert!(problems.list().is_empty(), "{problems:?}");
    tree.to_json()
}

/// A name, and what it is to mean.
#[derive(Debug, Default)]
struct Expected {
    name: String,
    vendor: String,
    entity: String,
}

/// Names under the ids of the vendors they mean.
fn expected(by_vendor: &Json) -> Vec<Expected> {
    let text = |value: &Json| value.as_str().expect("a text").to_owned();
    let one = |vendor: &str, entry: &Json| match entry.as_object() {
        None => Expected { name: text(entry), vendor: vendor.to_owned(), entity: String::new() },
        Some(_) => Expected { name: text(&entry["name"]), vendor: vendor.to_owned(), entity: text(&entry["entity"]) },
    };
    let vendors = by_vendor.as_object().expect("a mapping");
    vendors.iter().flat_map(|(id, names)| names.as_array().expect("a list").iter().map(|e| one(id, e))).collect()
}

fn texts(list: &Json) -> Vec<String> {
    let text = |entry: &Json| entry.as_str().or_else(|| entry["name"].as_str()).expect("a name").to_owned();
    list.as_array().expect("a list").iter().map(text).collect()
}

async fn catalog(place: &Place) -> Server {
    Server::start_with(place, &[("CATALOG__LOAD", "true")]).await
}

async fn resolve(server: &mut Server, names: Vec<String>) -> Vec<v1::ResolvedName> {
    let results =
        ask(server, v1::ResolveVendorsRequest { names, ..Default::default() }).await.expect("resolved").results;
    for result in &results {
        let scores: Vec<f64> = result.matches.iter().map(|found| found.score).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b) && scores.iter().all(|s| (0.0..=1.0).contains(s)), "{result:?}");
        for found in &result.matches {
            assert!(!found.matched.is_empty() && found.reason.ends_with('.') && found.via != 0, "{found:?}");
        }
    }
    results
}

both! {
    async fn names_find_their_vendor_first(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = catalog(&place).await;
        let (given, more) = (read(NAMES), read(MORE_NAMES));
        for (what, names, least) in [
            ("the names of lists", expected(&given["names"]), 180),
            ("more names", expected(&more["tried"]), 200),
            ("names not tried before", expected(&more["fresh"]), 150),
            ("a second round", expected(&more["second"]), 100),
            ("a third round", expected(&more["third"]), 400),
            ("a fourth round", expected(&more["fourth"]), 6),
            ("a fifth round", expected(&more["fifth"]), 154),
            ("a sixth round", expected(&more["sixth"]), 89),
        ] {
            let count = names.len();
            assert!(count >= least, "{what}: names got lost: {count}");
            let results = resolve(&mut server, names.iter().map(|expected| expected.name.clone()).collect()).await;
            let wrong: Vec<_> = names
                .iter()
                .zip(&results)
                .filter(|(expected, result)| {
                    let entity = result.matches.first().map(|best| best.entity_id.as_str()).unwrap_or_default();
                    meant(result) != expected.vendor || (!expected.entity.is_empty() && entity != expected.entity)
                })
                .collect();
            // 95 of 100 is what is asked for.
            assert!(wrong.len() * 100 <= count * 2, "{what}: {} of {count} are wrong: {wrong:#?}", wrong.len());
        }
    }

    async fn ambiguous_names_are_what_a_person_would_think(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = catalog(&place).await;
        let given = read(NAMES);
        let ambiguous = given["ambiguous"].as_object().expect("a mapping");
        let results = resolve(&mut server, ambiguous.keys().cloned().collect()).await;
        for (result, (name, entry)) in results.iter().zip(ambiguous) {
            assert_eq!(Some(meant(result)), entry["best_guess"].as_str(), "{name}");
            let possible = texts(&entry["vendors"]);
            let matches = result.matches.iter().filter(|found| found.score >= MATCH);
            let others: Vec<_> = matches.filter(|found| !possible.iter().any(|id| found.vendor.ends_with(id))).collect();
            assert!(others.is_empty(), "{name}: {others:#?}");
        }
    }

    async fn strangers_find_no_vendor(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = catalog(&place).await;
        let (given, more) = (read(NEGATIVES), read(STRANGERS));
        for (what, least) in [
            (&given["names"], 40), (&given["not_an_entity"], 15), (&more["tried"], 150), (&more["fresh"], 120), (&more["second"], 90), (&more["third"], 200), (&more["fourth"], 9),
            (&more["fifth"], 190),
            (&more["known"], 330),
        ] {
            let names = texts(what);
            assert!(names.len() >= least, "names got lost: {}", names.len());
            let results = resolve(&mut server, names).await;
            let wrong: Vec<_> = results.iter().filter(|result| !meant(result).is_empty()).collect();
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    }

    async fn each_name_of_a_cell_is_found(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = catalog(&place).await;
        let more = read(MORE_NAMES);
        let cells: Vec<&Json> = ["parts", "fresh_parts"].iter().flat_map(|key| more[key].as_array().expect("a list")).collect();
        let names = cells.iter().map(|cell| cell["name"].as_str().expect("a name").to_owned()).collect();
        for (result, cell) in resolve(&mut server, names).await.iter().zip(&cells) {
            let mut found: BTreeMap<&str, &str> = BTreeMap::new();
            for best in result.matches.iter().filter(|found| found.score >= MATCH) {
                found.entry(&best.part).or_insert(best.vendor.trim_start_matches("vendors/"));
            }
            let expected: BTreeMap<&str, &str> = cell["vendors"]
                .as_object()
                .expect("a mapping")
                .iter()
                .map(|(part, vendor)| (part.as_str(), vendor.as_str().expect("an id")))
                .collect();
            assert_eq!(found, expected, "{}", cell["name"]);
        }
    }
}
