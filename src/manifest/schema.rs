//! The JSON Schema (draft 2020-12) of operators' manifests, for editors and for checks in git. Made from the contract,
//! with its comments, so that the two cannot part.

use std::collections::{BTreeMap, HashMap};

use prost_reflect::{EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json, json};

use super::{Flavour, section_key};
use crate::{
    proto::{PACKAGE, POOL},
    resource::{behavior, diff, json as form, name::Kind as ResourceKind},
};

/// What [`crate::resource::name::is_id`] tests, as a pattern.
pub const ID_PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// The schema of [`Flavour::Operator`] manifests.
pub fn schema() -> Json {
    let mut definitions = Definitions::default();
    let mut sections = Map::new();
    for kind in Flavour::Operator.sections() {
        let Some(message) = POOL.get_message_by_name(kind.message()) else { continue };
        let reference = definitions.message(&message, true);
        if kind.parents().len() > 1 {
            definitions.choice_of_parent(&message);
        }
        let section = match kind {
            ResourceKind::Organization => reference,
            _ => json!({"type": "array", "items": reference}),
        };
        sections.insert(section_key(*kind).to_owned(), section);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Manifest of the subprocessor registry",
        "description": "An organization with its documents, vendors, certifications, subprocessors, transfers and customers.",
        "type": "object",
        "properties": sections,
        "required": [section_key(ResourceKind::Organization)],
        "additionalProperties": false,
        "$defs": definitions.done.into_iter().collect::<Map<_, _>>(),
    })
}

/// The definitions of messages and enums met so far.
#[derive(Default)]
struct Definitions {
    done: BTreeMap<String, Json>,
    comments: HashMap<String, HashMap<Vec<i32>, String>>,
}

impl Definitions {
    fn message(&mut self, message: &MessageDescriptor, is_resource: bool) -> Json {
        let name = short(message.full_name());
        if !self.done.contains_key(&name) {
            // Held before its fields are looked at, should a message ever contain itself.
            self.done.insert(name.clone(), Json::Null);
            let definition = self.definition(message, is_resource);
            self.done.insert(name.clone(), definition);
        }
        reference(&name)
    }

    fn definition(&mut self, message: &MessageDescriptor, is_resource: bool) -> Json {
        let mut properties = Map::new();
        let mut required = Vec::new();
        if is_resource {
            let id = json!({
                "type": "string",
                "pattern": ID_PATTERN,
                "description": "The last part of the resource name: lowercase letters, digits and hyphens, at most 63.",
            });
            properties.insert("id".to_owned(), id);
            required.push(Json::from("id"));
        }
        let key = diff::key_field(message);
        for field in message.fields() {
            let behavior = behavior::of(&field);
            if behavior.output_only {
                continue;
            }
            let mut schema = self.field(&field);
            if let Json::Object(schema) = &mut schema {
                if key.as_ref() == Some(&field) {
                    schema.insert("pattern".to_owned(), Json::from(ID_PATTERN));
                }
                let comment = self.comment(&field.parent_file(), field.path());
                schema.insert("description".to_owned(), Json::from(comment));
            }
            properties.insert(field.name().to_owned(), schema);
            if behavior.required {
                required.push(Json::from(field.name()));
            }
        }
        let mut definition = Map::new();
        definition.insert("type".to_owned(), Json::from("object"));
        let comment = self.comment(&message.parent_file(), message.path());
        definition.insert("description".to_owned(), Json::from(comment));
        definition.insert("properties".to_owned(), Json::Object(properties));
        if !required.is_empty() {
            definition.insert("required".to_owned(), Json::Array(required));
        }
        definition.insert("additionalProperties".to_owned(), Json::Bool(false));
        Json::Object(definition)
    }

    /// Adds the key that says which of several kinds a resource lives under.
    fn choice_of_parent(&mut self, message: &MessageDescriptor) {
        let properties = self.done.get_mut(&short(message.full_name())).and_then(|d| d.get_mut("properties"));
        if let Some(Json::Object(properties)) = properties {
            let parent = json!({
                "type": "string",
                "description": "The vendor it belongs to, `vendors/{vendor}`. Absent: the organization.",
            });
            properties.insert("parent".to_owned(), parent);
        }
    }

    fn field(&mut self, field: &FieldDescriptor) -> Json {
        let kind = field.kind();
        if let Some(value_kind) = form::map_value_kind(&kind) {
            return json!({"type": "object", "additionalProperties": self.kind(&value_kind, "")});
        }
        let one = self.kind(&kind, field.name());
        if field.is_list() { json!({"type": "array", "items": one}) } else { one }
    }

    fn kind(&mut self, kind: &Kind, field: &str) -> Json {
        match kind {
            Kind::String if field.ends_with("_date") => json!({"type": "string", "format": "date"}),
            Kind::String => json!({"type": "string"}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Double | Kind::Float => json!({"type": "number"}),
            Kind::Bytes => json!({"type": "string", "pattern": "^([0-9a-f]{2})*$"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX})
            }
            Kind::Uint32 | Kind::Fixed32 => json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({"type": "integer"}),
            Kind::Uint64 | Kind::Fixed64 => json!({"type": "integer", "minimum": 0}),
            Kind::Enum(descriptor) => self.choice(descriptor),
            Kind::Message(d) if d.full_name() == "google.protobuf.Timestamp" => {
                json!({"type": "string", "format": "date-time"})
            }
            Kind::Message(descriptor) => self.message(descriptor, false),
        }
    }

    /// An enum, with what each value means.
    fn choice(&mut self, descriptor: &EnumDescriptor) -> Json {
        let name = short(descriptor.full_name());
        if !self.done.contains_key(&name) {
            let mut lines = vec![self.comment(&descriptor.parent_file(), descriptor.path())];
            for value in descriptor.values().filter(|value| value.number() != 0) {
                let comment = self.comment(&descriptor.parent_file(), value.path());
                lines.push(format!("{}: {comment}", form::short_enum(&value)));
            }
            let definition = json!({
                "type": "string",
                "enum": form::enum_choices(descriptor),
                "description": lines.join("\n"),
            });
            self.done.insert(name.clone(), definition);
        }
        reference(&name)
    }

    /// The comment that stands above something in the contract, as one line.
    fn comment(&mut self, file: &FileDescriptor, path: &[i32]) -> String {
        let comments = self.comments.entry(file.name().to_owned()).or_insert_with(|| {
            let info = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
            info.map(|location| (location.path.clone(), words(location.leading_comments()))).collect()
        });
        comments.get(path).cloned().unwrap_or_default()
    }
}

fn words(comment: &str) -> String {
    comment.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn reference(name: &str) -> Json {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// The name of a message or enum inside the package: `Subprocessor.State`.
fn short(full_name: &str) -> String {
    full_name.strip_prefix(PACKAGE).map_or(full_name, |name| name.trim_start_matches('.')).to_owned()
}

/// The schema as text, which never changes while the server runs.
pub fn schema_text() -> String {
    static TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| format!("{:#}\n", schema()));
    TEXT.clone()
}
