//! From messages to a manifest: what [`super::read`] reads back to the same messages.

use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage, Value};
use serde_json::{Map, Value as Json};

use super::{Flavour, section_key};
use crate::{
    proto::v1,
    resource::{
        behavior, json,
        name::{Kind, Name},
    },
};

/// What a manifest is written from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sections<'a> {
    /// The organization.
    pub organization: Option<&'a v1::Organization>,
    /// Its documents.
    pub documents: &'a [v1::Document],
    /// Vendors.
    pub vendors: &'a [v1::Vendor],
    /// The organization's subprocessors.
    pub subprocessors: &'a [v1::Subprocessor],
    /// Certifications, of the organization or of vendors.
    pub certifications: &'a [v1::Certification],
    /// The organization's transfers.
    pub transfers: &'a [v1::Transfer],
    /// The organization's customers.
    pub customers: &'a [v1::Customer],
}

/// A manifest as a value, for [`json::to_yaml`] or as JSON. Sections without entries are left out.
pub fn write(sections: &Sections<'_>) -> Json {
    let mut out = Map::new();
    for kind in Flavour::Operator.sections() {
        let entries = match kind {
            Kind::Organization => {
                if let Some(organization) = sections.organization {
                    out.insert(section_key(*kind).to_owned(), entry(organization));
                }
                continue;
            }
            Kind::Document => list(sections.documents),
            Kind::Vendor => list(sections.vendors),
            Kind::Subprocessor => list(sections.subprocessors),
            Kind::Certification => list(sections.certifications),
            Kind::Transfer => list(sections.transfers),
            Kind::Customer => list(sections.customers),
            // Only the catalog has instruments, and nothing has what was told and answered.
            Kind::Instrument
            | Kind::Acknowledgement
            | Kind::Notice
            | Kind::Recipient
            | Kind::Objection
            | Kind::Subscription => continue,
        };
        if !entries.is_empty() {
            out.insert(section_key(*kind).to_owned(), Json::Array(entries));
        }
    }
    Json::Object(out)
}

fn list<T: ReflectMessage>(messages: &[T]) -> Vec<Json> {
    messages.iter().map(entry).collect()
}

/// One resource: its id, what is its own, and last where that comes from.
fn entry<T: ReflectMessage>(message: &T) -> Json {
    let message = message.transcode_to_dynamic();
    let name = message.get_field_by_name("name").and_then(|name| name.as_str().map(str::to_owned));
    let id = name.as_deref().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
    let mut out = Map::from_iter([("id".to_owned(), Json::from(id))]);
    let above = name.as_deref().and_then(Name::parse).filter(|name| name.kind().parents().len() > 1);
    // Which of the kinds it can live under is said, unless it is the organization whose manifest this is.
    if let Some(parent) = above.and_then(|name| name.parent()).filter(|parent| parent.kind() != Kind::Organization) {
        out.insert("parent".to_owned(), Json::from(parent.as_str()));
    }
    let as_found = is_as_found(&message);
    let keep = |field: &FieldDescriptor| {
        let behavior = behavior::of(field);
        !behavior.output_only && (!behavior.conditional || as_found)
    };
    if let Json::Object(mut fields) = json::to_json_where(&message, &keep) {
        let last: Vec<_> =
            ["sources", "annotations"].iter().filter_map(|key| fields.shift_remove_entry(*key)).collect();
        out.extend(fields);
        out.extend(last);
    }
    Json::Object(out)
}

/// Whether the resource was entered as it was found: then its state is a fact that was given, else one that the
/// server keeps.
fn is_as_found(message: &DynamicMessage) -> bool {
    message.get_field_by_name("recorded_as_found").as_deref().and_then(Value::as_bool).unwrap_or_default()
}
