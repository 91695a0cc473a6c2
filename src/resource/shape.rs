//! The shape of a message: one walk, driven by descriptors, that normalizes every text and finds every field that
//! breaks a rule. What a field is called says what it holds (`*_date`, `region_code`, `*_uri` …), and what its comment
//! opens with says how it behaves.

use std::collections::HashSet;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};

use super::{behavior, name, text};
use crate::error::{Error, Reason, Result};

/// Elements of a repeated field.
const MAX_ELEMENTS: usize = 1_000;
/// Entries of `annotations`.
const MAX_ANNOTATIONS: usize = 64;
/// More violations than these are not collected: nobody reads them.
const MAX_VIOLATIONS: usize = 1_000;

/// Fields that break rules: path and rule.
pub type Violations = Vec<(String, String)>;

/// Takes a message of a caller in: forgets what only the server says, normalizes its text, and checks its shape.
///
/// # Errors
/// FIELD_INVALID with every field that breaks a rule, its path below `prefix`.
pub fn accept<M: ReflectMessage + Default>(message: &M, prefix: &str) -> Result<M> {
    let (message, violations) = examine(message, prefix)?;
    if violations.is_empty() { Ok(message) } else { Err(Error::fields(Reason::FieldInvalid, violations)) }
}

/// Like [`accept`], but returns what is wrong beside the normalized message, for a caller that collects more.
///
/// # Errors
/// INTERNAL if the message and its descriptor do not fit.
pub fn examine<M: ReflectMessage + Default>(message: &M, prefix: &str) -> Result<(M, Violations)> {
    let mut dynamic = message.transcode_to_dynamic();
    let mut violations = Violations::new();
    walk(&mut dynamic, prefix, false, &mut violations);
    Ok((dynamic.transcode_to().map_err(Error::internal)?, violations))
}

/// `partial`: nothing of it is required.
fn walk(message: &mut DynamicMessage, prefix: &str, partial: bool, out: &mut Violations) {
    let descriptor = message.descriptor();
    for field in descriptor.fields() {
        if out.len() >= MAX_VIOLATIONS {
            return;
        }
        let behavior = behavior::of(&field);
        if behavior.output_only {
            message.clear_field(&field);
            continue;
        }
        let path = join(prefix, field.name());
        if !message.has_field(&field) {
            if behavior.required && !partial {
                out.push((path, "is required".to_owned()));
            }
            continue;
        }
        let value = message.get_field_mut(&field);
        if field.is_map() {
            annotations(value, &path, out);
        } else if field.is_list() {
            list(&field, value, &path, out);
        } else {
            single(&field, value, &path, out);
            if behavior.required && !partial && matches!(value, Value::String(text) if text.is_empty()) {
                out.push((path, "is required".to_owned()));
            }
        }
    }
    order_of_dates(message, prefix, out);
}

fn join(prefix: &str, field: &str) -> String {
    if prefix.is_empty() { field.to_owned() } else { format!("{prefix}.{field}") }
}

fn list(field: &FieldDescriptor, value: &mut Value, path: &str, out: &mut Violations) {
    let Some(elements) = value.as_list_mut() else { return };
    if elements.len() > MAX_ELEMENTS {
        out.push((path.to_owned(), format!("has {} elements, more than {MAX_ELEMENTS}", elements.len())));
        return;
    }
    let mut keys = HashSet::new();
    for (index, element) in elements.iter_mut().enumerate() {
        let path = format!("{path}[{index}]");
        single(field, element, &path, out);
        match element {
            Value::String(text) if text.is_empty() => out.push((path, "is empty".to_owned())),
            Value::EnumNumber(0) => out.push((path, "is not set to a value".to_owned())),
            // Elements that have an id are told apart by it.
            Value::Message(message) => {
                if let Some((key, id)) = key_of(message)
                    && !id.is_empty()
                    && !keys.insert(id.clone())
                {
                    out.push((format!("{path}.{key}"), format!("\"{id}\" is used twice")));
                }
            }
            _ => {}
        }
    }
}

/// The field that identifies an element among its siblings, and its value.
fn key_of(message: &DynamicMessage) -> Option<(String, String)> {
    let key = message.descriptor().fields().next().filter(|f| f.name().ends_with("_id"))?;
    message.get_field(&key).as_str().map(|id| (key.name().to_owned(), id.to_owned()))
}

fn single(field: &FieldDescriptor, value: &mut Value, path: &str, out: &mut Violations) {
    let mut check = |rule: Result<(), String>| {
        if let Err(rule) = rule {
            out.push((path.to_owned(), rule));
        }
    };
    match value {
        Value::String(content) => {
            *content = text::normalize(content).into_owned();
            check(string(field, content));
        }
        Value::EnumNumber(number) => {
            if let Kind::Enum(kind) = field.kind()
                && kind.get_value(*number).is_none()
            {
                check(Err(format!("{number} is not a value of {}", kind.name())));
            }
        }
        Value::I32(number) => check(number_rule(field.name(), *number)),
        Value::Message(message) if message.descriptor().full_name() == "google.protobuf.Timestamp" => {
            check(timestamp(message));
        }
        Value::Message(message) => walk(message, path, behavior::of(field).partial, out),
        _ => {}
    }
}

fn string(field: &FieldDescriptor, content: &str) -> Result<(), String> {
    if content.is_empty() {
        return Ok(());
    }
    let name = field.name();
    let long = is_long(field);
    let most = if long { text::LONG } else { text::SHORT };
    let length = content.chars().count();
    if length > most {
        return Err(format!("has {length} characters, more than {most}"));
    }
    if !long && content.len() > text::SHORT_BYTES {
        return Err(format!("has {} bytes in UTF-8, more than {}", content.len(), text::SHORT_BYTES));
    }
    if let Some(rule) = text::control_rule(content, long) {
        return Err(rule.to_owned());
    }
    match name {
        "event_date" | "lodge_date" => text::partial_date(content),
        "holidays" | "date" => text::date(content).map(|_| ()),
        _ if name.ends_with("region_code") || name.ends_with("region_codes") => text::region_code(content),
        "email" => text::email(content),
        "uri" => text::uri(content),
        "duration" | "period" => text::duration(content),
        "time_zone" => text::time_zone(content),
        "content_sha256" => {
            let hex = content.len() == 64 && content.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if hex { Ok(()) } else { Err("must be 64 lowercase hexadecimal digits".to_owned()) }
        }
        "external_id" => Ok(()),
        _ if name.ends_with("_date") => text::date(content).map(|_| ()),
        _ if name.ends_with("_uri") => text::uri(content),
        _ if name.ends_with("_id") => {
            if name::is_id(content) {
                Ok(())
            } else {
                Err(name::ID_RULE.to_owned())
            }
        }
        _ => Ok(()),
    }
}

/// Whether a text may have lines and paragraphs.
fn is_long(field: &FieldDescriptor) -> bool {
    matches!(
        field.name(),
        "quote"
            | "verbatim"
            | "note"
            | "notes"
            | "detail"
            | "description"
            | "service_description"
            | "value"
            | "stated_date_text"
            | "condition"
            | "reason"
            | "trigger"
            | "exception"
            | "data"
            | "purpose"
            | "purposes"
            | "typical_purpose"
            | "incomplete_reason"
            | "scope"
            | "not_a_mechanism_reason"
            | "exempt"
            | "outcome"
            | "data_subjects"
            | "items"
            | "adaptations"
            | "document"
            | "body"
            | "grounds"
            | "resolution"
            | "question"
            | "answer"
            | "mitigation"
            | "evidence"
            | "introduction"
            | "objection_instructions"
            | "terms"
    ) || field.full_name() == "subprocessor.registry.v1.Event.title"
}

fn number_rule(name: &str, number: i32) -> Result<(), String> {
    let most = match name {
        "line" => i32::MAX,
        "age" => 150,
        _ if name.ends_with("_days") => 3_650,
        _ => return Ok(()),
    };
    if (0..=most).contains(&number) { Ok(()) } else { Err(format!("must be between 0 and {most}, not {number}")) }
}

/// Checks an instant, and lets go of what is finer than a microsecond: columns and clocks count those, and what they
/// call due must be due by the message too.
fn timestamp(message: &mut DynamicMessage) -> Result<(), String> {
    let seconds = message.get_field_by_name("seconds").and_then(|value| value.as_i64()).unwrap_or_default();
    let nanos = message.get_field_by_name("nanos").and_then(|value| value.as_i32()).unwrap_or_default();
    text::instant(seconds, nanos)?;
    if nanos % 1_000 != 0 {
        message.set_field_by_name("nanos", Value::I32(nanos - nanos % 1_000));
    }
    Ok(())
}

fn annotations(value: &mut Value, path: &str, out: &mut Violations) {
    let Some(map) = value.as_map_mut() else { return };
    if map.len() > MAX_ANNOTATIONS {
        out.push((path.to_owned(), format!("has {} entries, more than {MAX_ANNOTATIONS}", map.len())));
        return;
    }
    let mut entries: Vec<_> = map.iter_mut().collect();
    // The map has no order of its own; a refusal has.
    entries.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
    for (key, value) in entries {
        let (MapKey::String(key), Value::String(content)) = (key, value) else { continue };
        let path = format!("{path}[\"{}\"]", crate::error::clip(key));
        if !(1..=63).contains(&key.chars().count()) || text::control_rule(key, false).is_some() || key.trim() != key {
            out.push((
                path.clone(),
                "the key must be 1 to 63 characters without control characters or blanks at its ends".to_owned(),
            ));
        }
        *content = text::normalize(content).into_owned();
        if content.chars().count() > text::LONG {
            out.push((path, format!("has more than {} characters", text::LONG)));
        } else if let Some(rule) = text::control_rule(content, true) {
            out.push((path, rule.to_owned()));
        }
    }
}

/// Pairs of fields of which the second is the first day after: it cannot be earlier.
const DATE_PAIRS: [(&str, &str); 6] = [
    ("start_date", "end_date"),
    ("from_date", "end_date"),
    ("effective_date", "end_date"),
    ("from_date", "no_new_contracts_from_date"),
    ("sign_date", "expire_date"),
    ("sign_date", "end_date"),
];

fn order_of_dates(message: &DynamicMessage, prefix: &str, out: &mut Violations) {
    let read = |name: &str| {
        message
            .get_field_by_name(name)
            .and_then(|value| value.as_str().map(str::to_owned))
            .filter(|content| text::date(content).is_ok())
    };
    for (start, end) in DATE_PAIRS {
        if let (Some(first), Some(last)) = (read(start), read(end))
            && last < first
        {
            out.push((join(prefix, end), format!("is before {start} ({last} < {first})")));
        }
    }
}
