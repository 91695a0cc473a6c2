//! The law of transfers, against facts written from the acts and judgments: what covers on which day.

mod assess;
mod claims;
mod derived;
mod examples;
mod findings;
mod gate;
mod many;
pub mod papers;
mod participation;
mod points;
mod properties;
mod scene;
mod simulate;
mod timeline;
mod turning_days;

use serde_json::Value as Json;
use subprocessor_registry::{
    catalog::{Catalog, territories},
    manifest::{Problems, node},
    proto::v1::{ExporterArea, Regime},
    rules::law::Law,
};

/// The law as the catalog has it.
fn law() -> Law {
    let catalog = Catalog::builtin().expect("the catalog is well formed");
    Law::new(catalog.instruments, territories().expect("the territories are well formed"))
}

/// A list of a file of facts.
fn facts(text: &str, key: &str) -> Vec<Json> {
    let mut problems = Problems::default();
    let root = node::parse(text, 1 << 20, &mut problems).expect("the facts can be read").to_json();
    assert!(problems.list().is_empty(), "{:?}", problems.list());
    root[key].as_array().expect("a list").clone()
}

fn regime(fact: &Json) -> Regime {
    Regime::from_str_name(&format!("REGIME_{}", text(fact, "regime"))).expect("a regime")
}

fn area(fact: &Json) -> ExporterArea {
    ExporterArea::from_str_name(&format!("EXPORTER_AREA_{}", text(fact, "exporter_area"))).expect("an area")
}

/// A text of a fact; empty if it has none.
fn text<'a>(fact: &'a Json, key: &str) -> &'a str {
    fact[key].as_str().unwrap_or_default()
}

/// A list of texts of a fact; none if it has no such list.
fn texts(fact: &Json, key: &str) -> Option<Vec<String>> {
    let list = fact[key].as_array()?;
    Some(list.iter().map(|one| one.as_str().expect("a text").to_owned()).collect())
}
