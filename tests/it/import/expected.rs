//! What a page must come to, as the files beside the pages say it, and what an import made of it.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::Value as Json;
use subprocessor_registry::{
    catalog::Catalog,
    import::{self, Imported, Known, Options, Refusal},
    manifest::{self, Flavour, MAX_BYTES, Manifest, Problems, node},
    proto::v1::{self, location::Activity},
    rules::vendor_name::Index,
};

/// The folder of the pages.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/pages")
}

/// A file of data as a value.
pub fn yaml(path: &std::path::Path) -> Json {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut problems = Problems::default();
    let tree =
        node::parse(&text, MAX_BYTES, &mut problems).unwrap_or_else(|| panic!("{}: {problems:?}", path.display()));
    assert!(problems.list().is_empty(), "{}: {problems:?}", path.display());
    tree.to_json()
}

/// The names of the built-in vendors, read once.
pub fn catalog() -> &'static (Catalog, Index) {
    static CATALOG: std::sync::OnceLock<(Catalog, Index)> = std::sync::OnceLock::new();
    CATALOG.get_or_init(|| {
        let catalog = Catalog::builtin().expect("readable");
        let index = Index::of(&catalog.vendors);
        (catalog, index)
    })
}

/// Imports bytes as the command line does without a server.
pub fn import(name: &str, bytes: &[u8]) -> Result<Imported, Refusal> {
    import_with(&Options { file: name.to_owned(), ..Options::default() }, bytes)
}

/// The same, with options.
pub fn import_with(options: &Options, bytes: &[u8]) -> Result<Imported, Refusal> {
    import_into(None, options, bytes)
}

/// The same, into a registry that holds the organization already.
pub fn import_into(existing: Option<Manifest>, options: &Options, bytes: &[u8]) -> Result<Imported, Refusal> {
    let (catalog, index) = catalog();
    let list = import::read(bytes, options, index)?;
    let known = Known {
        organization: "acme".into(),
        document: "subprocessor-list".into(),
        vendors_from: "by the catalog".into(),
        matches: list.names().into_iter().map(|name| (name.clone(), index.resolve(&name, 4))).collect(),
        vendor_ids: catalog.vendors.iter().map(|v| v.name.trim_start_matches("vendors/").to_owned()).collect(),
        today: "2026-03-23".into(),
        existing,
        ..Known::default()
    };
    list.assemble(&known)
}

/// The manifest that an import made.
pub fn manifest_of(imported: &Imported) -> Manifest {
    manifest::read(&imported.manifest, Flavour::Operator)
        .unwrap_or_else(|error| panic!("{error}\n{}", imported.manifest))
}

/// Its rows.
pub fn rows_of(imported: &Imported) -> Vec<v1::Subprocessor> {
    manifest_of(imported).subprocessors.into_iter().map(|entry| entry.message).collect()
}

fn texts(value: &Json) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(Json::as_str).map(ToOwned::to_owned).collect()
}

fn codes<'a>(places: impl Iterator<Item = &'a v1::Location>) -> BTreeSet<String> {
    places.map(|place| place.region_code.clone()).filter(|code| !code.is_empty()).collect()
}

/// Everything in which a row differs from what is expected of it.
pub fn differences(row: &v1::Subprocessor, expected: &Json) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |what: &str, got: String, wanted: String| {
        if got != wanted {
            wrong.push(format!("{what}: {got:?}, not {wanted:?}"));
        }
    };
    let text = |key: &str| expected[key].as_str().unwrap_or_default().to_owned();
    check("name", row.display_name.clone(), text("entity_name"));
    if expected["purpose_parts"].is_array() {
        check("purposes", format!("{:?}", row.purposes), format!("{:?}", texts_in_order(&expected["purpose_parts"])));
    } else {
        check("purpose", row.purposes.join("; "), text("purpose"));
    }
    let (seats, places): (Vec<_>, Vec<_>) =
        row.locations.iter().partition(|place| place.activity() == Activity::Corporate);
    for (what, places, codes_key) in [("location", &places, "iso"), ("entity_country", &seats, "entity_country_iso")] {
        let mut words: Vec<&str> = places.iter().map(|place| place.verbatim.as_str()).collect();
        words.dedup();
        check(what, words.join(" | "), text(what));
        let got = codes(places.iter().copied());
        check(codes_key, format!("{got:?}"), format!("{:?}", texts(&expected[codes_key])));
    }
    let areas: BTreeSet<String> =
        places.iter().map(|place| place.area.clone()).filter(|area| !area.is_empty()).collect();
    check("regions", format!("{areas:?}"), format!("{:?}", texts(&expected["regions"])));
    for (key, got) in [
        ("section", &row.section),
        ("website", &row.website_uri),
        ("condition", &row.condition),
        ("service", &row.service_description),
        ("vendor", &row.vendor),
        ("start_date", &row.start_date),
    ] {
        if let Some(wanted) = expected[key].as_str() {
            check(key, got.clone(), wanted.to_owned());
        }
    }
    for (key, got) in [("data_categories", &row.data_categories), ("data_subjects", &row.data_subject_categories)] {
        if expected[key].is_array() {
            check(key, format!("{got:?}"), format!("{:?}", texts_in_order(&expected[key])));
        }
    }
    if let Some(wanted) = expected["state"].as_str() {
        check("state", row.state().as_str_name().trim_start_matches("STATE_").to_owned(), wanted.to_owned());
    }
    if let Some(wanted) = expected["activity"].as_str() {
        let got: BTreeSet<&str> =
            places.iter().map(|p| p.activity().as_str_name().trim_start_matches("ACTIVITY_")).collect();
        check("activity", format!("{got:?}"), format!("{:?}", BTreeSet::from([wanted])));
    }
    if let Some(wanted) = expected["line"].as_i64() {
        check("line", row.sources[0].line.to_string(), wanted.to_string());
    }
    for (key, wanted) in expected["other"].as_object().into_iter().flatten() {
        let got = row.annotations.get(key).cloned().unwrap_or_default();
        check(key, got, wanted.as_str().unwrap_or_default().to_owned());
    }
    wrong
}

fn texts_in_order(value: &Json) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Json::as_str).map(ToOwned::to_owned).collect()
}
