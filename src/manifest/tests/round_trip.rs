//! What is written is read again: values through YAML, JSON through the YAML parser, messages through manifests, and
//! what a manifest holds through the schema.

use std::sync::LazyLock;

use proptest::prelude::*;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind as FieldKind, MapKey, MessageDescriptor, ReflectMessage, Value,
};
use serde_json::{Map, Value as Json, json};

use super::super::*;
use crate::resource::{behavior, diff, json, shape};

fn parse(text: &str) -> Json {
    let mut problems = Problems::default();
    let node = node::parse(text, MAX_BYTES, &mut problems);
    assert!(problems.list().is_empty(), "{problems:?}\n{text}");
    node.map(|node| node.to_json()).unwrap_or_default()
}

/// Texts that a careless writer gets wrong, and any others.
fn text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "",
        " ",
        "\n",
        "\t",
        "\r",
        "\r\n",
        "a",
        "no",
        "~",
        "null",
        "true",
        "1",
        "-",
        "- ",
        ": ",
        ":",
        " #",
        "#",
        "\"",
        "'",
        "\\",
        "|",
        ">",
        "&a",
        "*a",
        "!",
        "%",
        "@",
        "`",
        "[",
        "]",
        "{",
        "}",
        ",",
        "?",
        "? ",
        "---",
        "...",
        "\u{0}",
        "\u{1}",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{2029}",
        "\u{feff}",
        "\u{fffe}",
        "\u{200b}",
        "😀",
        "é",
        "日本",
        "2019-08-27",
        "12:30",
        "1e3",
        "0x1F",
        ".5",
        "=",
        "<<",
        "two\nlines",
        "\n\n",
        " x",
        "x ",
    ]);
    prop_oneof![
        3 => prop::collection::vec(pieces, 0..5).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
        1 => "[a-z \n:#-]{0,40}",
        1 => "[0-9a-fxozte+._: TZ-]{0,12}",
    ]
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        6 => text().prop_map(Json::from),
        1 => any::<i64>().prop_map(Json::from),
        1 => any::<u64>().prop_map(Json::from),
        1 => any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Json::from),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(Json::Null),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::vec((text(), inner), 0..6)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn yaml_is_read_as_it_was_written(value in value()) {
        let value = json!({"value": value});
        let yaml = json::to_yaml(&value);
        prop_assert_eq!(parse(&yaml), value, "{}", yaml);
    }

    #[test]
    fn json_is_read_as_yaml(value in value(), style in 0..3) {
        let value = json!({"value": value});
        let text = match style {
            0 => value.to_string(),
            1 => serde_json::to_string_pretty(&value).expect("JSON").replace("\n  ", "\n\t"),
            _ => ascii(&value.to_string()),
        };
        prop_assert_eq!(parse(&text), value, "{}", text);
    }

    #[test]
    fn messages_are_read_as_they_were_written(seed: u64) {
        written_and_read(seed);
    }
}

/// JSON in ASCII, with every other character escaped.
fn ascii(text: &str) -> String {
    let escape = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect::<String>();
    text.chars().map(|c| if c.is_ascii() && c != '\u{7f}' { c.to_string() } else { escape(c) }).collect()
}

#[test]
fn escapes_of_json() {
    let text = "{\n\t\"\\u0061\":\t\"\\ud83d\\ude00 \\\\ud83d\\\\ude00 \\u00e9\\/\\b\\f\\n\\r\\t\\\"\"\n}";
    assert_eq!(parse(text), json!({"a": "😀 \\ud83d\\ude00 é/\u{8}\u{c}\n\r\t\""}));
}

#[test]
fn a_very_long_key_is_read_again() {
    let value = json!({"k".repeat(5_000): {"a": ["b"], "\n".repeat(600): 1}});
    assert_eq!(parse(&json::to_yaml(&value)), value);
}

/// A generator of messages, from their descriptors: whatever a caller may set.
struct Generator(u64);

impl Generator {
    fn below(&mut self, n: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn text(&mut self) -> String {
        const TEXTS: [&str; 16] = [
            "",
            "a",
            "no",
            "~",
            "2019-08-27",
            "12:30",
            "two\nlines",
            "two\nlines\n",
            " blank ",
            "a: b #c",
            "😀 é",
            "\u{0}\u{85}\u{2028}",
            "\"'\\",
            "- x",
            "0123",
            "null",
        ];
        TEXTS[usize::try_from(self.below(16)).unwrap_or_default()].to_owned()
    }

    fn message(&mut self, descriptor: &MessageDescriptor) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            let behavior = behavior::of(&field);
            if behavior.output_only || (!behavior.required && self.below(3) > 0) {
                continue;
            }
            let value = if field.is_map() {
                let entries = (0..self.below(4)).map(|_| (MapKey::String(self.text()), Value::String(self.text())));
                Value::Map(entries.collect())
            } else if field.is_list() {
                Value::List((0..self.below(4)).map(|_| self.value(&field)).collect())
            } else {
                match self.value(&field) {
                    Value::String(text) if behavior.required && text.is_empty() => Value::String("x".to_owned()),
                    value => value,
                }
            };
            message.set_field(&field, value);
        }
        message
    }

    /// Now and then what the field's name asks for, which the rules leave in place.
    fn string(&mut self, name: &str) -> String {
        let fit = match name {
            "region_code" => "NO",
            "email" => "a@b.example",
            "duration" | "period" => "P30D",
            "time_zone" => "Europe/Oslo",
            _ if name.ends_with("_id") && name != "external_id" => return format!("i{}", self.below(100)),
            _ if name.ends_with("_date") || name == "holidays" => "2019-08-27",
            _ if name == "uri" || name.ends_with("_uri") => "https://a.example/?b=c#d",
            _ => return self.text(),
        };
        if self.below(4) > 0 { fit.to_owned() } else { self.text() }
    }

    fn value(&mut self, field: &FieldDescriptor) -> Value {
        match &field.kind() {
            FieldKind::String => Value::String(self.string(field.name())),
            FieldKind::Bool => Value::Bool(self.below(2) == 0),
            FieldKind::Int32 => Value::I32(i32::try_from(self.below(1_000)).unwrap_or_default() - 500),
            FieldKind::Bytes => {
                let bytes: Vec<u8> =
                    (0..self.below(20)).map(|_| u8::try_from(self.below(256)).unwrap_or_default()).collect();
                Value::Bytes(bytes.into())
            }
            FieldKind::Enum(e) => {
                let known: Vec<i32> = e.values().map(|v| v.number()).filter(|n| *n != 0).collect();
                Value::EnumNumber(known[usize::try_from(self.below(known.len() as u64)).unwrap_or_default()])
            }
            FieldKind::Message(d) if d.full_name() == "google.protobuf.Timestamp" => {
                let mut time = DynamicMessage::new(d.clone());
                let seconds = i64::try_from(self.below(300_000_000_000)).unwrap_or_default() - 60_000_000_000;
                time.set_field_by_name("seconds", Value::I64(seconds));
                time.set_field_by_name(
                    "nanos",
                    Value::I32(i32::try_from(self.below(1_000_000_000)).unwrap_or_default()),
                );
                Value::Message(time)
            }
            FieldKind::Message(d) => Value::Message(self.message(d)),
            other => panic!("manifests have no {other:?} yet: extend this generator"),
        }
    }

    fn resources<T: prost::Message + ReflectMessage + Default>(&mut self, prefix: &str, most: u64) -> Vec<T> {
        let descriptor = T::default().descriptor();
        (0..most)
            .map(|i| {
                let mut message = accepted::<T>(self.message(&descriptor));
                message.set_field_by_name("name", Value::String(format!("{prefix}/r{i}")));
                if message.get_field_by_name("recorded_as_found").is_some_and(|v| v.as_bool() == Some(false)) {
                    message.clear_field_by_name("state");
                }
                message.transcode_to().expect("a message")
            })
            .collect()
    }
}

/// A message as the registry takes it in: normalized, and without what breaks a rule.
fn accepted<T: ReflectMessage + Default>(mut message: DynamicMessage) -> DynamicMessage {
    for _ in 0..20 {
        let sent: T = message.transcode_to().expect("a message");
        let (normal, violations) = shape::examine(&sent, "").expect("a message");
        message = normal.transcode_to_dynamic();
        if violations.is_empty() {
            return message;
        }
        // From behind, so that the indices of lists hold.
        for (path, _) in violations.iter().rev() {
            drop_field(&mut message, path);
        }
    }
    panic!("always something wrong: {message:?}");
}

/// Takes away what a path leads to, or what is around it if it is required. Returns whether that is for the caller to do.
fn drop_field(message: &mut DynamicMessage, path: &str) -> bool {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let Some(field) = message.descriptor().get_field_by_name(name) else { return false };
    let gone = match message.get_field_mut(&field) {
        Value::Map(entries) => {
            entries.retain(|key, _| rest != format!("[\"{}\"]", key.as_str().unwrap_or_default()));
            false
        }
        Value::List(items) if rest.starts_with('[') => {
            let (index, rest) = rest[1..].split_once(']').expect("an index");
            let index: usize = index.parse().expect("an index");
            let gone = match items.get_mut(index) {
                Some(Value::Message(inner)) if !rest.is_empty() => drop_field(inner, &rest[1..]),
                item => item.is_some(),
            };
            if gone {
                items.remove(index);
            }
            false
        }
        Value::Message(inner) if !rest.is_empty() => drop_field(inner, &rest[1..]),
        Value::String(text) if behavior::of(&field).required && !name.ends_with("_id") => {
            let fine = if name.ends_with("date") { "2019-08-27" } else { "x" };
            fine.clone_into(text);
            false
        }
        _ => true,
    };
    if gone {
        message.clear_field(&field);
    }
    gone && behavior::of(&field).required
}

fn written_and_read(seed: u64) {
    let mut generator = Generator(seed);
    let organization: v1::Organization = generator.resources("organizations", 1).remove(0);
    let documents: Vec<v1::Document> = generator.resources("organizations/r0/documents", 2);
    let vendors: Vec<v1::Vendor> = generator.resources("vendors", 2);
    // One of a vendor, one of the organization, of the same id.
    let mut certifications: Vec<v1::Certification> = generator.resources("vendors/r0/certifications", 1);
    certifications.extend(generator.resources::<v1::Certification>("organizations/r0/certifications", 1));
    let subprocessors: Vec<v1::Subprocessor> = generator.resources("organizations/r0/subprocessors", 2);
    let transfers: Vec<v1::Transfer> = generator.resources("organizations/r0/transfers", 2);
    let customers: Vec<v1::Customer> = generator.resources("organizations/r0/customers", 2);
    let written = write(&Sections {
        organization: Some(&organization),
        documents: &documents,
        vendors: &vendors,
        certifications: &certifications,
        subprocessors: &subprocessors,
        transfers: &transfers,
        customers: &customers,
    });
    static SCHEMA: LazyLock<Json> = LazyLock::new(schema);
    check(&SCHEMA, &SCHEMA, &written, "");
    for text in [json::to_yaml(&written), written.to_string()] {
        let manifest = read(&text, Flavour::Operator).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(manifest.organization.map(|e| e.message), Some(organization.clone()));
        assert_eq!(messages(manifest.documents), documents);
        assert_eq!(messages(manifest.vendors), vendors);
        assert_eq!(messages(manifest.certifications), certifications);
        assert_eq!(messages(manifest.subprocessors), subprocessors);
        assert_eq!(messages(manifest.transfers), transfers);
        assert_eq!(messages(manifest.customers), customers);
    }
    let (a, b) = (subprocessors[0].transcode_to_dynamic(), subprocessors[1].transcode_to_dynamic());
    assert_eq!(diff::diff(Some(&a), Some(&b)).is_empty(), diff::same(&a, &b));
    assert_eq!(diff::diff(Some(&a), Some(&a)), []);
}

fn messages<T>(entries: Vec<Entry<T>>) -> Vec<T> {
    entries.into_iter().map(|entry| entry.message).collect()
}

#[test]
fn what_only_the_server_sets_is_not_written() {
    let mut message = v1::Subprocessor {
        name: "organizations/a/subprocessors/b".into(),
        uid: "u".into(),
        etag: "e".into(),
        revision: 7,
        create_time: Some(prost_types::Timestamp::default()),
        display_name: "B".into(),
        state: v1::subprocessor::State::Active.into(),
        gate_records: vec![v1::GateRecord::default()],
        annotations: [("k".to_owned(), "v".to_owned())].into(),
        sources: vec![v1::Source { quote: "q".into(), ..Default::default() }],
        section: "s".into(),
        ..Default::default()
    };
    let written = |message: &v1::Subprocessor| {
        let sections = Sections { subprocessors: std::slice::from_ref(message), ..Sections::default() };
        json::to_yaml(&write(&sections))
    };
    let expected = "subprocessors:\n  - id: b\n    display_name: B\n    section: s\n    sources:\n      - quote: q\n    annotations:\n      k: v\n";
    assert_eq!(written(&message), expected);
    message.recorded_as_found = true;
    assert!(written(&message).contains("    state: ACTIVE\n    recorded_as_found: true\n"));
}

/// Checks `value` by as much of JSON Schema as the schema uses.
#[track_caller]
fn check(root: &Json, schema: &Json, value: &Json, path: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").expect("a local reference");
        return check(root, root["$defs"].get(name).expect("a definition"), value, path);
    }
    let fits = match schema["type"].as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("{path}: type {other}"),
    };
    assert!(fits, "{path}: {value} is no {}", schema["type"]);
    if let Some(choices) = schema["enum"].as_array() {
        assert!(choices.contains(value), "{path}: {value} is none of {choices:?}");
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        check(root, &schema["items"], item, &format!("{path}[{i}]"));
    }
    let Some(entries) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        assert!(entries.contains_key(name), "{path}: {name} is missing");
    }
    for (name, value) in entries {
        let known = schema.get("properties").and_then(|p| p.get(name));
        let schema = known.unwrap_or(&schema["additionalProperties"]);
        assert!(schema.is_object(), "{path}: {name} is not in the schema");
        check(root, schema, value, &format!("{path}.{name}"));
    }
}

#[test]
fn the_schema_says_what_the_contract_says() {
    let schema = schema();
    assert_eq!(schema["required"], json!(["organization"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    let subprocessor = &schema["$defs"]["Subprocessor"];
    assert_eq!(subprocessor["required"], json!(["id", "display_name"]));
    assert_eq!(subprocessor["additionalProperties"], json!(false));
    let properties = subprocessor["properties"].as_object().expect("properties");
    for absent in ["name", "uid", "etag", "revision", "create_time", "gate_records"] {
        assert!(!properties.contains_key(absent), "{absent}");
    }
    assert_eq!(properties["start_date"]["format"], "date");
    assert_eq!(properties["start_date"]["description"], "First day of the engagement, ISO 8601. Absent: always.");
    assert_eq!(properties["id"]["pattern"], ID_PATTERN);
    assert_eq!(properties["annotations"]["additionalProperties"], json!({"type": "string"}));
    assert_eq!(properties["state"]["$ref"], "#/$defs/Subprocessor.State");
    let state = &schema["$defs"]["Subprocessor.State"];
    assert_eq!(state["enum"], json!(["PROPOSED", "ANNOUNCED", "ACTIVE", "SUSPENDED", "RETIRED", "REJECTED"]));
    assert!(state["description"].as_str().is_some_and(|d| d.contains("ACTIVE: In use.")));
    let definitions = schema["$defs"].as_object().expect("definitions");
    assert_eq!(definitions["Entity"]["properties"]["entity_id"]["pattern"], ID_PATTERN);
    assert!(definitions["Claim"]["properties"]["part_id"].get("pattern").is_none());
    assert_eq!(definitions["Document"]["properties"]["retrieve_time"]["format"], "date-time");
    let undescribed: Vec<String> = definitions.iter().flat_map(|(name, d)| lacking(name, d)).collect();
    assert_eq!(undescribed, Vec::<String>::new());
}

/// What of a definition has no description.
fn lacking(name: &str, definition: &Json) -> Vec<String> {
    let empty = Map::new();
    let properties = definition["properties"].as_object().unwrap_or(&empty);
    let described = |schema: &Json| schema["description"].as_str().is_some_and(|d| !d.is_empty());
    let mut lacking: Vec<_> =
        properties.iter().filter(|(_, s)| !described(s)).map(|(field, _)| format!("{name}.{field}")).collect();
    if !described(definition) {
        lacking.push(name.to_owned());
    }
    lacking
}
