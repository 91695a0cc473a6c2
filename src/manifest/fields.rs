//! From the tree to one message, by the contract's descriptors.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use super::{
    Problems,
    node::{Member, Node, Scalar, Value as NodeValue},
};
use crate::{
    error::clip,
    resource::{behavior, json},
};

/// The message that a mask is.
const MASK: &str = "google.protobuf.FieldMask";

/// Reads one resource. Paths inside it are those of the message.
pub(super) struct Reader<'a> {
    /// The resource's own path in the manifest.
    pub(super) prefix: &'a str,
    /// The line of every field that is given, by its path in the message.
    pub(super) lines: BTreeMap<String, u32>,
    /// What is wrong.
    pub(super) problems: &'a mut Problems,
    /// Whether the resource can live under several kinds, of which `parent` names one.
    pub(super) has_choice: bool,
}

impl Reader<'_> {
    fn problem(&mut self, path: &str, line: u32, rule: impl FnOnce() -> String) {
        let dot = if path.is_empty() { "" } else { "." };
        self.problems.add(&format!("{}{dot}{path}", self.prefix), line, rule);
    }

    /// The resource.
    pub(super) fn resource(
        &mut self,
        descriptor: &MessageDescriptor,
        node: &Node,
        members: &[Member],
    ) -> DynamicMessage {
        self.message(descriptor, node, members, "", false)
    }

    /// `partial`: nothing of it is required.
    fn message(
        &mut self,
        descriptor: &MessageDescriptor,
        node: &Node,
        members: &[Member],
        path: &str,
        partial: bool,
    ) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        let mut given = Vec::new();
        for member in members {
            let here = if path.is_empty() { member.key.clone() } else { format!("{path}.{}", member.key) };
            self.lines.insert(here.clone(), member.line);
            if path.is_empty() && (member.key == "id" || (self.has_choice && member.key == "parent")) {
                continue;
            }
            let Some(field) = self.field(descriptor, member, path) else { continue };
            if member.value.is_null() {
                continue;
            }
            given.push(field.number());
            let other = field.containing_oneof().and_then(|o| o.fields().find(|f| message.has_field(f)));
            if let Some(other) = other {
                self.problem(&here, member.line, || format!("cannot stand beside \"{}\"", other.name()));
            } else if let Some(value) = self.field_value(&field, &member.value, &here) {
                message.set_field(&field, value);
            }
        }
        for field in descriptor.fields().filter(|_| !partial) {
            // Of a field with a wrong value the wrong value was reported.
            let reported = given.contains(&field.number()) && !is_empty_text(members, field.name());
            if behavior::of(&field).required && !message.has_field(&field) && !reported {
                let here = if path.is_empty() { field.name().to_owned() } else { format!("{path}.{}", field.name()) };
                let line = self.lines.get(&here).copied().unwrap_or(node.line);
                self.problem(&here, line, || "is required".to_owned());
            }
        }
        message
    }

    /// The field that a key names, if a manifest may set it.
    fn field(&mut self, descriptor: &MessageDescriptor, member: &Member, path: &str) -> Option<FieldDescriptor> {
        let key = member.key.as_str();
        let shown = if path.is_empty() { clip(key).into_owned() } else { format!("{path}.{}", clip(key)) };
        let is_resource = path.is_empty();
        let has_parent = is_resource && self.has_choice;
        match descriptor.get_field_by_name(key) {
            Some(field) if !behavior::of(&field).output_only => return Some(field),
            Some(_) if is_resource && key == "name" => {
                self.problem(&shown, member.line, || "a manifest has \"id\" in place of \"name\"".to_owned());
            }
            Some(_) => {
                self.problem(&shown, member.line, || "is output only: only the server sets it; leave it out".to_owned())
            }
            None => self.problem(&shown, member.line, || {
                let fields: Vec<FieldDescriptor> =
                    descriptor.fields().filter(|field| !behavior::of(field).output_only).collect();
                let mut known: Vec<&str> = fields.iter().map(FieldDescriptor::name).collect();
                if is_resource {
                    known.insert(0, "id");
                }
                if has_parent {
                    known.insert(1, "parent");
                }
                unknown_key(key, &known)
            }),
        }
        None
    }

    fn field_value(&mut self, field: &FieldDescriptor, node: &Node, path: &str) -> Option<Value> {
        if field.is_map() {
            return self.map(field, node, path);
        }
        if !field.is_list() {
            return self.value(&field.kind(), node, path, behavior::of(field).partial);
        }
        let kind = field.kind();
        let NodeValue::List(items) = &node.value else {
            self.problem(path, node.line, || format!("expects a list of {}, not {}", several(&kind), what(node)));
            return None;
        };
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            self.lines.insert(path.clone(), item.line);
            values.extend(self.value(&kind, item, &path, false));
        }
        Some(Value::List(values))
    }

    fn map(&mut self, field: &FieldDescriptor, node: &Node, path: &str) -> Option<Value> {
        let kind = json::map_value_kind(&field.kind())?;
        let Some(members) = node.as_map() else {
            self.problem(path, node.line, || format!("expects a mapping to {}, not {}", several(&kind), what(node)));
            return None;
        };
        let mut entries = HashMap::new();
        for member in members {
            let path = format!("{path}[{}]", serde_json::Value::from(member.key.as_str()));
            self.lines.insert(path.clone(), member.line);
            if member.value.is_null() {
                continue;
            }
            if let Some(value) = self.value(&kind, &member.value, &path, false) {
                entries.insert(MapKey::String(member.key.clone()), value);
            }
        }
        Some(Value::Map(entries))
    }

    /// One value that is neither list nor map.
    fn value(&mut self, kind: &Kind, node: &Node, path: &str, partial: bool) -> Option<Value> {
        let value = match (&node.value, kind) {
            (NodeValue::Map(members), Kind::Message(descriptor)) if !is_well_known(descriptor) => {
                Some(Value::Message(self.message(descriptor, node, members, path, partial)))
            }
            (NodeValue::Scalar(scalar), kind) if !scalar.is_null() => scalar_value(kind, scalar),
            _ => None,
        };
        if value.is_none() {
            self.problem(path, node.line, || format!("expects {}, not {}", one(kind), what(node)));
        }
        value
    }
}

fn is_empty_text(members: &[Member], key: &str) -> bool {
    let is_empty = |node: &Node| matches!(&node.value, NodeValue::Scalar(scalar) if scalar.text.is_empty());
    members.iter().any(|member| member.key == key && is_empty(&member.value))
}

fn is_well_known(descriptor: &MessageDescriptor) -> bool {
    descriptor.package_name() == "google.protobuf"
}

fn scalar_value(kind: &Kind, scalar: &Scalar) -> Option<Value> {
    match kind {
        // Text is taken as it is written, whatever YAML would make of it.
        Kind::String => Some(Value::String(scalar.text.clone())),
        Kind::Bool => scalar.as_bool().map(Value::Bool),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => whole(scalar).map(Value::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => whole(scalar).map(Value::I64),
        Kind::Uint32 | Kind::Fixed32 => whole(scalar).map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => whole(scalar).map(Value::U64),
        Kind::Double => scalar.as_number()?.as_f64().map(Value::F64),
        Kind::Float => scalar.as_number()?.as_f64().map(|n| Value::F32(n as f32)),
        Kind::Bytes => hex::decode(&scalar.text).ok().map(|bytes| Value::Bytes(bytes.into())),
        Kind::Enum(descriptor) => {
            json::parse_enum(descriptor, &scalar.text).filter(|number| *number != 0).map(Value::EnumNumber)
        }
        Kind::Message(descriptor) if descriptor.full_name() == MASK => Some(mask(descriptor, &scalar.text)),
        Kind::Message(descriptor) => timestamp(descriptor, &scalar.text).map(Value::Message),
    }
}

/// A whole number without leading zeros, which some readers take for octal.
fn whole<T: std::str::FromStr>(scalar: &Scalar) -> Option<T> {
    let digits = scalar.text.strip_prefix('-').unwrap_or(&scalar.text);
    let ambiguous = digits.len() > 1 && digits.starts_with('0');
    (scalar.plain && !ambiguous && digits.bytes().all(|b| b.is_ascii_digit())).then(|| scalar.text.parse().ok())?
}

/// Paths of fields, as the short form has them: `purposes,locations`.
fn mask(descriptor: &MessageDescriptor, text: &str) -> Value {
    let paths = text.split(',').map(str::trim).filter(|path| !path.is_empty());
    let mut message = DynamicMessage::new(descriptor.clone());
    message.set_field_by_name("paths", Value::List(paths.map(|path| Value::String(path.to_owned())).collect()));
    Value::Message(message)
}

/// An RFC 3339 instant. The parser knows more notations and more years, which are not offered.
fn timestamp(descriptor: &MessageDescriptor, text: &str) -> Option<DynamicMessage> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let begins = text.as_bytes().get(..SHAPE.len())?;
    let fits = begins.iter().zip(SHAPE).all(|(given, shape)| match shape {
        b'0' => given.is_ascii_digit(),
        _ => given.eq_ignore_ascii_case(shape),
    });
    if descriptor.full_name() != "google.protobuf.Timestamp" || !fits || text.contains('[') || text.starts_with("0000")
    {
        return None;
    }
    let instant: Timestamp = text.parse().ok()?;
    let mut message = DynamicMessage::new(descriptor.clone());
    // Protobuf counts nanoseconds upwards also before 1970.
    let nanos = i64::from(instant.subsec_nanosecond());
    let (seconds, nanos) =
        if nanos < 0 { (instant.as_second() - 1, nanos + 1_000_000_000) } else { (instant.as_second(), nanos) };
    message.set_field_by_name("seconds", Value::I64(seconds));
    message.set_field_by_name("nanos", Value::I32(i32::try_from(nanos).ok()?));
    Some(message)
}

/// What a field expects, in words.
fn one(kind: &Kind) -> String {
    match kind {
        Kind::String => "text".to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::Double | Kind::Float => "a number".to_owned(),
        Kind::Bytes => "bytes as hexadecimal digits".to_owned(),
        Kind::Enum(descriptor) => format!("one of {}", json::enum_choices(descriptor).join(", ")),
        Kind::Message(d) if d.full_name() == "google.protobuf.Timestamp" => {
            "a time such as 2026-03-23T10:00:00Z".to_owned()
        }
        Kind::Message(d) if d.full_name() == MASK => "paths of fields such as purposes,locations".to_owned(),
        Kind::Message(d) if is_well_known(d) => "nothing: it cannot be given here".to_owned(),
        Kind::Message(_) => "a mapping".to_owned(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Uint32 | Kind::Fixed32 => {
            "a whole number of at most 32 bits such as 30".to_owned()
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => {
            "a whole number such as 30".to_owned()
        }
    }
}

fn several(kind: &Kind) -> String {
    match kind {
        Kind::String => "text".to_owned(),
        Kind::Enum(descriptor) => format!("values out of {}", json::enum_choices(descriptor).join(", ")),
        Kind::Message(d) if !is_well_known(d) => "mappings".to_owned(),
        Kind::Message(_) => "times".to_owned(),
        _ => "numbers".to_owned(),
    }
}

/// What stands there, in words.
pub(super) fn what(node: &Node) -> String {
    match &node.value {
        NodeValue::List(_) => "a list".to_owned(),
        NodeValue::Map(_) => "a mapping".to_owned(),
        NodeValue::Scalar(scalar) if scalar.is_null() => "nothing".to_owned(),
        NodeValue::Scalar(scalar) => format!("\"{}\"", clip(&scalar.text)),
    }
}

/// What to say of a key that nothing has.
pub(super) fn unknown_key(key: &str, known: &[&str]) -> String {
    let shown = clip(key);
    match nearest(key, known) {
        Some(near) => format!("there is no \"{shown}\" here; did you mean \"{near}\"?"),
        None => format!("there is no \"{shown}\" here; there are {}", known.join(", ")),
    }
}

/// The known word that is least edits away from `word`, if these are few for its length.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let most = (word.len() / 3).max(1);
    let near = known.iter().map(|candidate| (distance(&word, candidate), *candidate));
    near.filter(|(edits, _)| *edits <= most).min_by_key(|(edits, _)| *edits).map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(word: &[char], candidate: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (i, c) in candidate.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, w) in word.iter().enumerate() {
            let substituted = diagonal + usize::from(*w != c);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[word.len()]
}
