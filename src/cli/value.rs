//! Field values as people read them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};

use crate::{
    proto::{POOL, v1::as_of::Point},
    resource::json,
};

/// So many of something: `1 version`, `2 versions`.
pub(super) fn count(number: i64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// How much of a value a table of differences shows; `-o json` has all of it.
pub(super) const SHOWN: usize = 60;

/// As much of a value as a table shows.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The values at a path such as `locations.region_code`: distinct, in order, joined. A list on the way is walked;
/// `claims#` counts one; `region_code|area` is the first that is set.
pub(super) fn at(message: &DynamicMessage, path: &str) -> String {
    if let Some(field) = path.strip_suffix('#') {
        let value = message.get_field_by_name(field);
        return value.as_deref().and_then(Value::as_list).map_or_else(String::new, |list| list.len().to_string());
    }
    let mut found = Vec::new();
    collect(message, path, &mut found);
    let mut seen = BTreeSet::new();
    found.retain(|text| !text.is_empty() && seen.insert(text.clone()));
    found.join(", ")
}

fn collect(message: &DynamicMessage, path: &str, found: &mut Vec<String>) {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let fields = head.split('|').filter_map(|name| message.descriptor().get_field_by_name(name));
    let Some(field) = fields.into_iter().find(|field| message.has_field(field)) else { return };
    let value = message.get_field(&field);
    let values = match value.as_ref() {
        Value::List(values) => values.as_slice(),
        single => std::slice::from_ref(single),
    };
    for value in values {
        match (value, rest) {
            (Value::Message(inner), Some(rest)) => collect(inner, rest, found),
            (value, _) => found.push(text(&field, value)),
        }
    }
}

/// All that is set in a message, as paths and values in the order of the contract.
pub(super) fn flatten(message: &DynamicMessage) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    walk(message, "", &mut rows);
    rows
}

fn walk(message: &DynamicMessage, prefix: &str, rows: &mut Vec<(String, String)>) {
    for field in message.descriptor().fields().filter(|field| message.has_field(field)) {
        let path = format!("{prefix}{}", field.name());
        match message.get_field(&field).as_ref() {
            Value::Message(inner) if !is_leaf(inner) => walk(inner, &format!("{path}."), rows),
            Value::List(values) if values.iter().any(|value| value.as_message().is_some()) => {
                for (index, value) in values.iter().enumerate() {
                    match value.as_message() {
                        Some(inner) if !is_leaf(inner) => walk(inner, &format!("{path}[{index}]."), rows),
                        _ => rows.push((format!("{path}[{index}]"), text(&field, value))),
                    }
                }
            }
            Value::List(values) => {
                let texts: Vec<String> = values.iter().map(|value| text(&field, value)).collect();
                rows.push((path, texts.join(", ")));
            }
            Value::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(key, _)| key.as_str().map(ToOwned::to_owned));
                for (key, value) in entries {
                    let key = key.as_str().unwrap_or_default();
                    rows.push((format!("{path}.{key}"), value.as_str().unwrap_or_default().to_owned()));
                }
            }
            value => rows.push((path, text(&field, value))),
        }
    }
}

/// Messages that people read as one value.
fn is_leaf(message: &DynamicMessage) -> bool {
    matches!(message.descriptor().full_name(), "google.protobuf.Timestamp" | "google.protobuf.Any")
}

fn text(field: &FieldDescriptor, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::F32(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        Value::Bytes(bytes) => hex::encode(bytes),
        Value::EnumNumber(number) => enum_name(field, *number),
        Value::Message(message) => instant(message).or_else(|| type_name(message)).unwrap_or_default(),
        Value::List(_) | Value::Map(_) => String::new(),
    }
}

/// An enum value in its short form: `ACTIVE`. That nothing is set is no value.
fn enum_name(field: &FieldDescriptor, number: i32) -> String {
    let Kind::Enum(kind) = field.kind() else { return number.to_string() };
    if number == 0 {
        return String::new();
    }
    let Some(value) = kind.get_value(number) else { return number.to_string() };
    let prefix = kind.get_value(0).map(|zero| zero.name().trim_end_matches("UNSPECIFIED").to_owned());
    value.name().trim_start_matches(prefix.unwrap_or_default().as_str()).to_owned()
}

fn instant(message: &DynamicMessage) -> Option<String> {
    let part = |name: &str| message.get_field_by_name(name).map(std::borrow::Cow::into_owned);
    let (seconds, nanos) = (part("seconds")?.as_i64()?, part("nanos")?.as_i32()?);
    Timestamp::new(seconds, nanos).ok().map(|instant| instant.to_string())
}

fn type_name(message: &DynamicMessage) -> Option<String> {
    let url = message.get_field_by_name("type_url")?.into_owned();
    url.as_str().and_then(|url| url.rsplit('/').next()).map(ToOwned::to_owned)
}

/// An instant of the API as text.
pub(super) fn time(time: Option<&prost_types::Timestamp>) -> String {
    let instant = time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    instant.map_or_else(String::new, |instant| instant.to_string())
}

/// A generated message, by its descriptor.
pub(super) fn dynamic(message: &impl ReflectMessage) -> DynamicMessage {
    message.transcode_to_dynamic()
}

/// A value of an enum of the package, in its short form.
pub(super) fn short(enum_name: &str, number: i32) -> String {
    let kind = POOL.get_enum_by_name(&format!("{}.{enum_name}", crate::proto::PACKAGE));
    let name = kind.as_ref().and_then(|kind| {
        let prefix = kind.get_value(0)?.name().trim_end_matches("UNSPECIFIED").to_owned();
        Some(kind.get_value(number)?.name().trim_start_matches(prefix.as_str()).to_owned())
    });
    name.unwrap_or_else(|| number.to_string())
}

/// The number of a value of an enum of the package, by its short form in any case.
///
/// # Errors
/// What there is instead.
pub(super) fn number(enum_name: &str, text: &str) -> Result<i32, String> {
    let kind = POOL.get_enum_by_name(&format!("{}.{enum_name}", crate::proto::PACKAGE));
    let kind = kind.ok_or_else(|| format!("there is no {enum_name}"))?;
    let found = json::parse_enum(&kind, &text.to_uppercase().replace('-', "_")).filter(|number| *number != 0);
    found.ok_or_else(|| format!("one of {}", json::enum_choices(&kind).join(", ")))
}

/// A day of the command line; none if it is empty.
///
/// # Errors
/// How it is written.
pub(super) fn day(text: &str) -> Result<String, String> {
    if !text.is_empty() {
        crate::resource::text::date(text)?;
    }
    Ok(text.to_owned())
}

/// An instant of the command line.
///
/// # Errors
/// How it is written.
pub(super) fn moment(text: &str) -> Result<prost_types::Timestamp, String> {
    match crate::resource::text::point(text)? {
        Point::Time(time) => Ok(time),
        Point::Revision(_) => Err("must be a time such as 2026-03-23T10:00:00Z".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::{Address, Entity, Location, Subprocessor, Vendor, subprocessor};

    #[test]
    fn paths_reach_into_lists_and_messages() {
        let vendor = Vendor {
            display_name: "Example".to_owned(),
            entities: ["US", "IE", "US"]
                .map(|region| Entity {
                    region_code: region.to_owned(),
                    address: Some(Address { locality: format!("In {region}"), ..Default::default() }),
                    ..Default::default()
                })
                .to_vec(),
            create_time: Some(prost_types::Timestamp { seconds: 1_774_260_000, nanos: 0 }),
            annotations: [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into(),
            ..Default::default()
        };
        let vendor = dynamic(&vendor);
        assert_eq!(at(&vendor, "entities.region_code"), "US, IE");
        assert_eq!(at(&vendor, "entities.address.locality"), "In US, In IE");
        assert_eq!(at(&vendor, "entities#"), "3");
        assert_eq!(at(&vendor, "nothing"), "");
        assert_eq!(at(&vendor, "create_time"), "2026-03-23T10:00:00Z");
        let flat = flatten(&vendor);
        assert!(flat.contains(&("entities[1].address.locality".to_owned(), "In IE".to_owned())), "{flat:?}");
        assert!(flat.contains(&("annotations.a".to_owned(), "1".to_owned())), "{flat:?}");
        assert!(flat.contains(&("create_time".to_owned(), "2026-03-23T10:00:00Z".to_owned())), "{flat:?}");
    }

    #[test]
    fn enums_are_short_and_alternatives_take_the_first_that_is_set() {
        let subprocessor = dynamic(&Subprocessor {
            state: subprocessor::State::Active as i32,
            locations: vec![
                Location { region_code: "DE".to_owned(), ..Default::default() },
                Location { area: "EU".to_owned(), ..Default::default() },
            ],
            ..Default::default()
        });
        assert_eq!(at(&subprocessor, "state"), "ACTIVE");
        assert_eq!(at(&subprocessor, "role"), "");
        assert_eq!(at(&subprocessor, "locations.region_code|area"), "DE, EU");
        assert_eq!(short("Change.Kind", 2), "UPDATED");
        assert_eq!(short("Change.Kind", 99), "99");
        assert_eq!(number("Objection.Outcome", "no-grounds"), Ok(5));
        assert!(number("Objection.Outcome", "unspecified").is_err_and(|rule| rule.contains("CHANGE_WITHDRAWN")));
        assert!(moment("2026-03-23").is_ok() && moment("42").is_err() && moment("then").is_err());
    }
}
