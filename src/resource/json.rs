//! Stand-in until the manifest branch is merged: that branch's file replaces this one.

use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value;

/// A message as JSON.
pub fn to_json(message: &DynamicMessage) -> Value {
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).unwrap_or(Value::Null)
}

/// JSON as YAML. (JSON is YAML.)
pub fn to_yaml(value: &Value) -> String {
    format!("{value:#}\n")
}
