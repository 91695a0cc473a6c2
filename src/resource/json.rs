//! The registry's own short form of messages, as manifests, `-o json|yaml` and plans show them: the contract's field
//! names in snake_case, enum values without their prefix, times as RFC 3339, unset fields left out.
//!
//! It is made for people to read and write; it is not the protobuf JSON mapping.

use jiff::Timestamp;
use prost_reflect::{
    DynamicMessage, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, Kind, MapKey, ReflectMessage, Value,
};
use serde_json::{Map, Number, Value as Json};

pub use super::yaml::to_yaml;
use crate::proto::{PACKAGE, POOL};

/// A message in the short form. Fields stand in the order of their numbers; map entries in the order of their keys.
pub fn to_json(message: &DynamicMessage) -> Json {
    to_json_where(message, &|_| true)
}

/// A message in the short form, with only those fields for which `keep` holds, at every depth.
pub fn to_json_where(message: &DynamicMessage, keep: &dyn Fn(&FieldDescriptor) -> bool) -> Json {
    if let Some(value) = well_known(message, keep) {
        return value;
    }
    Json::Object(object(message, keep))
}

fn object(message: &DynamicMessage, keep: &dyn Fn(&FieldDescriptor) -> bool) -> Map<String, Json> {
    message
        .fields()
        .filter(|(field, _)| keep(field))
        .map(|(field, value)| (field.name().to_owned(), field_to_json(&field, value, keep)))
        .collect()
}

fn field_to_json(field: &FieldDescriptor, value: &Value, keep: &dyn Fn(&FieldDescriptor) -> bool) -> Json {
    let kind = field.kind();
    match value {
        Value::List(items) => items.iter().map(|item| value_to_json(item, &kind, keep)).collect(),
        Value::Map(entries) => {
            let value_kind = map_value_kind(&kind).unwrap_or(kind);
            let mut entries: Vec<_> =
                entries.iter().map(|(k, v)| (map_key(k), value_to_json(v, &value_kind, keep))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(entries.into_iter().collect())
        }
        single => value_to_json(single, &kind, keep),
    }
}

/// One value of a field (an element, where the field is repeated) in the short form.
pub fn value_to_json(value: &Value, kind: &Kind, keep: &dyn Fn(&FieldDescriptor) -> bool) -> Json {
    match value {
        Value::Bool(b) => Json::Bool(*b),
        Value::I32(n) => Json::from(*n),
        Value::I64(n) => Json::from(*n),
        Value::U32(n) => Json::from(*n),
        Value::U64(n) => Json::from(*n),
        Value::F32(n) => float(f64::from(*n)),
        Value::F64(n) => float(*n),
        Value::String(text) => Json::String(text.clone()),
        Value::Bytes(bytes) => Json::String(hex::encode(bytes)),
        Value::EnumNumber(number) => {
            let known = kind.as_enum().and_then(|e| e.get_value(*number));
            known.map_or_else(|| Json::from(*number), |v| Json::String(short_enum(&v).to_owned()))
        }
        Value::Message(message) => to_json_where(message, keep),
        // Lists and maps do not nest in protobuf.
        Value::List(_) | Value::Map(_) => Json::Null,
    }
}

/// JSON has no word for what is no number.
fn float(number: f64) -> Json {
    Number::from_f64(number).map_or_else(|| Json::String(number.to_string()), Json::Number)
}

/// The kind of a map's values, if `kind` is that of a map's entries.
pub fn map_value_kind(kind: &Kind) -> Option<Kind> {
    kind.as_message().filter(|m| m.is_map_entry()).map(|m| m.map_entry_value_field().kind())
}

/// A key of a map as text.
pub fn map_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(b) => b.to_string(),
        MapKey::I32(n) => n.to_string(),
        MapKey::I64(n) => n.to_string(),
        MapKey::U32(n) => n.to_string(),
        MapKey::U64(n) => n.to_string(),
        MapKey::String(text) => text.clone(),
    }
}

/// The forms of protobuf's own messages.
fn well_known(message: &DynamicMessage, keep: &dyn Fn(&FieldDescriptor) -> bool) -> Option<Json> {
    let descriptor = message.descriptor();
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => {
            let seconds = message.get_field_by_name("seconds")?.as_i64()?;
            let nanos = message.get_field_by_name("nanos")?.as_i32()?;
            Some(Json::String(Timestamp::new(seconds, nanos).ok()?.to_string()))
        }
        "google.protobuf.FieldMask" => {
            let paths = message.get_field_by_name("paths")?;
            let paths: Vec<&str> = paths.as_list()?.iter().filter_map(Value::as_str).collect();
            Some(Json::String(paths.join(",")))
        }
        "google.protobuf.Any" => {
            let type_url = message.get_field_by_name("type_url")?.as_str()?.to_owned();
            let value = message.get_field_by_name("value")?;
            Some(any(&type_url, value.as_bytes()?, keep))
        }
        _ => None,
    }
}

/// The message inside an `Any` with its type beside its fields. What this build does not know stays as bytes.
fn any(type_url: &str, bytes: &[u8], keep: &dyn Fn(&FieldDescriptor) -> bool) -> Json {
    let full_name = type_url.rsplit('/').next().unwrap_or(type_url);
    let decoded = POOL.get_message_by_name(full_name).and_then(|d| DynamicMessage::decode(d, bytes).ok());
    let mut out = Map::new();
    match decoded.map(|message| to_json_where(&message, keep)) {
        Some(Json::Object(fields)) => {
            let short = full_name.strip_prefix(PACKAGE).map_or(full_name, |name| name.trim_start_matches('.'));
            out.insert("@type".to_owned(), Json::from(short));
            out.extend(fields);
        }
        Some(value) => {
            out.insert("@type".to_owned(), Json::from(full_name));
            out.insert("value".to_owned(), value);
        }
        None => {
            out.insert("@type".to_owned(), Json::from(type_url));
            out.insert("value".to_owned(), Json::from(hex::encode(bytes)));
        }
    }
    Json::Object(out)
}

/// The name of an enum value without its enum's prefix: `STATE_ACTIVE` of `Subprocessor.State` is `ACTIVE`.
pub fn short_enum(value: &EnumValueDescriptor) -> &str {
    let name = value.name();
    name.strip_prefix(&enum_prefix(value.parent_enum())).filter(|short| !short.is_empty()).unwrap_or(name)
}

/// The number of an enum value given by its short or full name.
pub fn parse_enum(descriptor: &EnumDescriptor, text: &str) -> Option<i32> {
    let full = format!("{}{text}", enum_prefix(descriptor));
    descriptor.get_value_by_name(&full).or_else(|| descriptor.get_value_by_name(text)).map(|value| value.number())
}

/// The short names that can be given: all but the one that only says "not set".
pub fn enum_choices(descriptor: &EnumDescriptor) -> Vec<String> {
    descriptor.values().filter(|value| value.number() != 0).map(|value| short_enum(&value).to_owned()).collect()
}

/// `ClockStart` → `CLOCK_START_`.
fn enum_prefix(descriptor: &EnumDescriptor) -> String {
    let mut prefix = String::new();
    for (i, c) in descriptor.name().chars().enumerate() {
        if i > 0 && c.is_ascii_uppercase() {
            prefix.push('_');
        }
        prefix.push(c.to_ascii_uppercase());
    }
    prefix.push('_');
    prefix
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use serde_json::json;

    use super::*;
    use crate::proto::v1;

    fn form<T: ReflectMessage>(message: &T) -> Json {
        to_json(&message.transcode_to_dynamic())
    }

    #[test]
    fn a_subprocessor_in_the_short_form() {
        let message = v1::Subprocessor {
            name: "organizations/a/subprocessors/b".into(),
            revision: i64::MAX,
            create_time: Some(prost_types::Timestamp { seconds: -1, nanos: 500_000_000 }),
            annotations: [("z".into(), "1".into()), ("a".into(), "2".into())].into(),
            display_name: "AWS".into(),
            state: v1::subprocessor::State::Active.into(),
            role: v1::Role::SubProcessor.into(),
            purposes: vec!["hosting".into(), String::new()],
            locations: vec![v1::Location { activity: 99, ..Default::default() }, v1::Location::default()],
            dpa: Some(v1::Dpa::default()),
            ..Default::default()
        };
        assert_eq!(
            form(&message),
            json!({
                "name": "organizations/a/subprocessors/b",
                "revision": i64::MAX,
                "create_time": "1969-12-31T23:59:59.5Z",
                "annotations": {"a": "2", "z": "1"},
                "display_name": "AWS",
                "role": "SUB_PROCESSOR",
                "state": "ACTIVE",
                "purposes": ["hosting", ""],
                "locations": [{"activity": 99}, {}],
                "dpa": {},
            })
        );
        let keys = form(&message)["annotations"].as_object().expect("a map").keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys, ["a", "z"]);
    }

    #[test]
    fn optional_scalars_that_are_set_are_printed() {
        let message = v1::NoticePolicy { notice_days: Some(0), ..Default::default() };
        assert_eq!(form(&message), json!({"notice_days": 0}));
    }

    #[test]
    fn bytes_masks_and_anys() {
        let inside = v1::Vendor { display_name: "X".into(), ..Default::default() };
        let change = v1::Change {
            before: Some(prost_types::Any { type_url: "other/some.Thing".into(), value: vec![0xab] }),
            after: Some(prost_types::Any {
                type_url: "type.googleapis.com/subprocessor.registry.v1.Vendor".into(),
                value: inside.encode_to_vec(),
            }),
            after_digest: vec![0x0f, 0xff],
            ..Default::default()
        };
        assert_eq!(
            form(&change),
            json!({
                "before": {"@type": "other/some.Thing", "value": "ab"},
                "after": {"@type": "Vendor", "display_name": "X"},
                "after_digest": "0fff",
            })
        );
        let request = v1::UpdateVendorRequest {
            update_mask: Some(prost_types::FieldMask { paths: vec!["a".into(), "b".into()] }),
            ..Default::default()
        };
        assert_eq!(form(&request), json!({"update_mask": "a,b"}));
    }

    #[test]
    fn an_any_that_does_not_decode_keeps_its_bytes() {
        let change = v1::Change {
            after: Some(prost_types::Any {
                type_url: "type.googleapis.com/subprocessor.registry.v1.Vendor".into(),
                value: vec![0xff],
            }),
            ..Default::default()
        };
        assert_eq!(form(&change)["after"]["value"], "ff");
    }

    #[test]
    fn every_enum_value_of_the_contract_has_a_short_name_that_is_read_again() {
        let mut seen = 0;
        for descriptor in POOL.all_enums().filter(|e| e.package_name() == PACKAGE) {
            for value in descriptor.values() {
                let short = short_enum(&value);
                assert_ne!(short, value.name(), "{} keeps its prefix", value.full_name());
                assert_eq!(parse_enum(&descriptor, short), Some(value.number()), "{}", value.full_name());
                assert_eq!(parse_enum(&descriptor, value.name()), Some(value.number()), "{}", value.full_name());
                seen += 1;
            }
            assert!(!enum_choices(&descriptor).iter().any(|choice| choice == "UNSPECIFIED"));
            assert_eq!(parse_enum(&descriptor, ""), None);
            assert_eq!(parse_enum(&descriptor, "active"), None);
        }
        assert!(seen > 100);
    }
}
