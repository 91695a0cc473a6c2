//! What the contract says of a field in the first words of its comment (AIP-203): the comment is the SDK users' manual,
//! and here it is the rule that the server enforces, so that the two cannot part.

use std::{collections::HashMap, sync::LazyLock};

use prost_reflect::{FieldDescriptor, MessageDescriptor};

use crate::proto::POOL;

/// How a field behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behavior {
    /// "Required.": absent is refused.
    pub required: bool,
    /// "Output only." or "Identifier.": what a caller sends is ignored, a mask may not name it.
    pub output_only: bool,
    /// "Immutable.": an update that changes it is refused.
    pub immutable: bool,
    /// "Partial.": of what is required inside, nothing is.
    pub partial: bool,
    /// "Output only, unless …": the resource's own rules decide when a caller may set it.
    pub conditional: bool,
}

static BEHAVIORS: LazyLock<HashMap<String, Behavior>> = LazyLock::new(|| {
    let mut behaviors = HashMap::new();
    for file in POOL.files() {
        let proto = file.file_descriptor_proto();
        let comments: HashMap<&[i32], &str> = proto
            .source_code_info
            .iter()
            .flat_map(|info| &info.location)
            .map(|location| (location.path.as_slice(), location.leading_comments()))
            .collect();
        for message in file.messages() {
            collect(&message, &comments, &mut behaviors);
        }
    }
    behaviors
});

fn collect(message: &MessageDescriptor, comments: &HashMap<&[i32], &str>, behaviors: &mut HashMap<String, Behavior>) {
    for field in message.fields() {
        let comment = comments.get(field.path()).map_or("", |c| c.trim_start());
        behaviors.insert(field.full_name().to_owned(), read(comment));
    }
    for child in message.child_messages() {
        collect(&child, comments, behaviors);
    }
}

fn read(comment: &str) -> Behavior {
    let conditional = comment.starts_with("Output only, unless");
    Behavior {
        required: comment.starts_with("Required."),
        output_only: comment.starts_with("Output only.") || comment.starts_with("Identifier."),
        immutable: comment.starts_with("Immutable."),
        partial: comment.starts_with("Partial."),
        conditional,
    }
}

/// How `field` behaves, as its comment says.
pub fn of(field: &FieldDescriptor) -> Behavior {
    BEHAVIORS.get(field.full_name()).copied().unwrap_or_default()
}
