//! `events.md`: every type of event, from where the code names them.

use std::collections::BTreeMap;

use subprocessor_registry::rules::event::{INTERNAL, PUBLIC};

use crate::markdown::{code, table};

/// The source, because what stands above a constant is not there any more when the code runs.
const SOURCE: &str = include_str!("../../src/rules/event.rs");
const PREPARE: &str = include_str!("../../src/notify/prepare.rs");

pub(crate) fn page() -> String {
    let types = types();
    assert!(PUBLIC.iter().chain(&INTERNAL).all(|one| types.contains_key(one)), "a type stands elsewhere: {types:?}");
    let rows = types.iter().map(|(name, meaning)| {
        let to = match *name {
            name if PUBLIC.contains(&name) => "everybody who names no types, or names it",
            name if INTERNAL.contains(&name) => "a webhook without a customer that names it; it is not public",
            _ => "the one subscription that it is about",
        };
        [code(name), (*meaning).to_owned(), to.to_owned()]
    });
    let prefix = PREPARE.split("const PREFIX: &str = \"").nth(1).and_then(|rest| rest.split('"').next());
    format!(
        "# Events\n\n\
         What webhooks and mails tell. A webhook's body is a CloudEvent whose `type` is `{}` and one of these; what it \
         holds, and how it is signed: [for integrators](../integrators.md#webhooks).\n\n{}",
        prefix.expect("the prefix of types"),
        table(["Type", "What happened", "Who is sent it"], rows)
    )
}

/// Each type with what stands above it.
fn types() -> BTreeMap<&'static str, &'static str> {
    let mut types = BTreeMap::new();
    let mut above = "";
    for line in SOURCE.lines() {
        if let Some((_, value)) = line.strip_prefix("pub const ").and_then(|rest| rest.split_once(": &str = \"")) {
            types.insert(value.trim_end_matches("\";"), above);
        }
        above = line.strip_prefix("/// ").unwrap_or_default();
    }
    types
}
