//! `methods.md`: every method with what it takes, from the contract.

use std::collections::BTreeMap;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor};
use subprocessor_registry::proto::{PACKAGE, POOL};

use crate::{
    contract::comment,
    markdown::{anchor, code, table},
};

/// A field that says the same in so many requests is explained once.
const MANY: usize = 8;

/// A field by its name, its type and what is said of it.
type Said = (String, String, String);

pub(crate) fn page() -> String {
    let mut services: Vec<ServiceDescriptor> = POOL.services().filter(|one| one.package_name() == PACKAGE).collect();
    services.sort_by(|left, right| left.name().cmp(right.name()));
    let mut times: BTreeMap<Said, usize> = BTreeMap::new();
    for method in services.iter().flat_map(ServiceDescriptor::methods) {
        for field in method.input().fields() {
            *times.entry(said(&field)).or_default() += 1;
        }
    }
    let many: BTreeMap<&Said, &usize> = times.iter().filter(|(_, times)| **times >= MANY).collect();

    let mut page = format!(
        "# Methods\n\n\
         Package `{PACKAGE}`. The contract is [`proto/`](../../proto); this page is made from its comments. Names, pages, \
         filters, masks, errors and the like work everywhere in the same way: [for integrators](../integrators.md).\n\n"
    );
    page += &table(
        ["Service", "Methods"],
        services.iter().map(|service| {
            let links = service.methods().map(|one| format!("[{}](#{})", one.name(), anchor(one.name())));
            [format!("[{}](#{})", service.name(), anchor(service.name())), links.collect::<Vec<_>>().join(", ")]
        }),
    );
    page += "\n## Fields of many requests\n\nThey are only named below.\n\n";
    page += &fields(many.keys().copied());
    for service in &services {
        page += &format!("\n## {}\n\n{}\n", service.name(), comment(&service.parent_file(), service.path()));
        for method in service.methods() {
            page += &section(&method, &many);
        }
    }
    page
}

fn section(method: &MethodDescriptor, many: &BTreeMap<&Said, &usize>) -> String {
    let file = method.parent_service().parent_file();
    let stream = if method.is_server_streaming() { "a stream of " } else { "" };
    let (common, own): (Vec<Said>, Vec<Said>) =
        method.input().fields().map(|field| said(&field)).partition(|one| many.contains_key(one));
    let mut text = format!(
        "\n### {}\n\n{} → {stream}{}\n\n{}\n",
        method.name(),
        link(&method.input()),
        link(&method.output()),
        comment(&file, method.path()),
    );
    if !own.is_empty() {
        text += &format!("\n{}", fields(&own));
    }
    if !common.is_empty() {
        let names: Vec<String> = common.iter().map(|(name, ..)| code(name)).collect();
        text += &format!("\n{} {}.\n", if own.is_empty() { "Takes" } else { "Also" }, names.join(", "));
    }
    text
}

fn fields<'a>(fields: impl IntoIterator<Item = &'a Said>) -> String {
    let rows = fields.into_iter().map(|(name, kind, said)| [code(name), kind.clone(), said.clone()]);
    table(["Field", "Type", "Meaning"], rows)
}

fn said(field: &FieldDescriptor) -> Said {
    let file = field.parent_message().parent_file();
    (field.name().to_owned(), kind(field), comment(&file, field.path()))
}

fn kind(field: &FieldDescriptor) -> String {
    let name = match field.kind() {
        Kind::Message(message) => short(message.full_name()),
        Kind::Enum(one) => short(one.full_name()),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    if field.is_list() { format!("{name}[]") } else { name }
}

/// A name without the package that everything is in.
fn short(name: &str) -> String {
    name.strip_prefix(PACKAGE).map_or(name, |rest| rest.trim_start_matches('.')).to_owned()
}

fn link(message: &MessageDescriptor) -> String {
    let file = message.parent_file();
    let name = code(short(message.full_name()));
    if file.package_name() == PACKAGE { format!("[{name}](../../proto/{})", file.name()) } else { name }
}
