//! The published JSON Schema: what is applied fits it, and what is refused for its keys does not.

use serde_json::{Value as Json, json};
use subprocessor_registry::{
    manifest::{MAX_BYTES, Problems, node},
    proto::v1,
    resource::name::is_id,
    run::EXAMPLES,
};

use super::{WHOLE, whole_with};
use crate::support::{Server, both, fresh};

fn read(text: &str) -> Json {
    let mut problems = Problems::default();
    let tree = node::parse(text, MAX_BYTES, &mut problems).expect("readable");
    assert!(problems.list().is_empty(), "{problems:?}");
    tree.to_json()
}

async fn schema(server: &mut Server) -> Json {
    let answer = server.registry.get_manifest_schema(v1::GetManifestSchemaRequest {}).await.expect("published");
    serde_json::from_str(&answer.into_inner().json_schema).expect("JSON")
}

/// What of `value` does not fit `schema`: as much of JSON Schema as the published one uses, and a panic on any more.
fn misfits(root: &Json, schema: &Json, value: &Json, path: &str, out: &mut Vec<String>) {
    const KNOWN: [&str; 16] = [
        "$schema",
        "$defs",
        "$ref",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "default",
    ];
    let keywords = schema.as_object().expect("a schema");
    assert!(keywords.keys().all(|key| KNOWN.contains(&key.as_str())), "{:?}", keywords.keys());
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").expect("a local reference");
        return misfits(root, root["$defs"].get(name).expect("a definition"), value, path, out);
    }
    let fits = match schema["type"].as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("{path}: type {other}"),
    };
    if !fits {
        return out.push(format!("{path}: {value} is no {}", schema["type"]));
    }
    if let Some(choices) = schema["enum"].as_array().filter(|choices| !choices.contains(value)) {
        out.push(format!("{path}: {value} is none of {choices:?}"));
    }
    if let Some(text) = value.as_str() {
        let date = |text: &str| text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok();
        let fits = match (schema["format"].as_str(), schema["pattern"].as_str()) {
            (Some("date"), _) => date(text),
            (Some("date-time"), _) => text.parse::<jiff::Timestamp>().is_ok(),
            (Some(other), _) => panic!("{path}: format {other}"),
            (None, Some(subprocessor_registry::manifest::ID_PATTERN)) => is_id(text),
            (None, Some(_)) => text.bytes().all(|b| b.is_ascii_hexdigit()),
            (None, None) => true,
        };
        if !fits {
            out.push(format!("{path}: {text} does not fit"));
        }
    }
    if let Some(number) = value.as_i64()
        && (schema["minimum"].as_i64().is_some_and(|least| number < least)
            || schema["maximum"].as_i64().is_some_and(|most| number > most))
    {
        out.push(format!("{path}: {number} is out of range"));
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        misfits(root, &schema["items"], item, &format!("{path}[{i}]"), out);
    }
    let Some(entries) = value.as_object() else { return };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
    out.extend(required.filter(|name| !entries.contains_key(*name)).map(|name| format!("{path}: {name} is missing")));
    for (name, value) in entries {
        let known = schema.get("properties").and_then(|properties| properties.get(name));
        match known.unwrap_or(&schema["additionalProperties"]) {
            Json::Bool(false) => out.push(format!("{path}.{name} is not in the schema")),
            schema => misfits(root, schema, value, &format!("{path}.{name}"), out),
        }
    }
}

fn check(schema: &Json, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    misfits(schema, schema, &read(text), "", &mut out);
    out
}

both! {
    async fn every_example_fits(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let schema = schema(&mut server).await;
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        let lists = [
            include_str!("../../data/manifests/aspose.yaml"),
            include_str!("../../data/manifests/cryptlex.yaml"),
            include_str!("../../data/manifests/github.yaml"),
            include_str!("../../data/manifests/omnirouters-categories.yaml"),
        ];
        for text in EXAMPLES.iter().map(|(_, text)| *text).chain(lists).chain([WHOLE]) {
            assert_eq!(check(&schema, text), Vec::<String>::new());
        }
    }

    async fn what_is_refused_does_not_fit(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let schema = schema(&mut server).await;
        for (from, to, expected) in [
            ("    vendor_entity: inc", "    vendor_entitty: inc", ".subprocessors[1].vendor_entitty is not in the schema"),
            ("customers:", "custommers:", ".custommers is not in the schema"),
            ("kind: DPA", "kind: AGREEMENT", "AGREEMENT"),
            ("  id: acme\n", "", ".organization: id is missing"),
            ("notice_days: 30", "notice_days: thirty", "is no"),
            ("  - id: big\n", "  - id: Big\n", "Big does not fit"),
            ("status: SIGNED", "status: SIGNED, sign_date: 2026-02-30", "2026-02-30 does not fit"),
            ("  - id: big\n", "  - id: big\n    uid: x\n", ".customers[0].uid is not in the schema"),
        ] {
            let text = whole_with(from, to);
            let found = check(&schema, &text);
            assert!(found.iter().any(|misfit| misfit.contains(expected)), "{expected} in {found:?}");
            // The server says the same.
            crate::support::apply(&mut server, &text).await.expect_err("refused");
        }
        let mut empty = Vec::new();
        misfits(&schema, &schema, &json!({}), "", &mut empty);
        assert_eq!(empty, [": organization is missing"]);
    }
}
