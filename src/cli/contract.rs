//! Which method lists a collection and which gets one of its resources, as the contract's descriptors say.

use prost_reflect::{FieldDescriptor, Kind as Value, MethodDescriptor};

use crate::{
    proto,
    resource::name::{Kind, Name},
};

/// A collection of resources, such as `vendors`.
#[derive(Debug, Clone)]
pub(super) struct Collection {
    /// The method that lists it.
    pub(super) list: MethodDescriptor,
    /// The field of its response with the resources.
    pub(super) items: FieldDescriptor,
    /// The method that gets one.
    pub(super) get: Option<MethodDescriptor>,
    /// The method that deletes one.
    pub(super) delete: Option<MethodDescriptor>,
    /// The method that brings a deleted one back.
    pub(super) undelete: Option<MethodDescriptor>,
}

/// The collection of this name.
pub(super) fn collection(name: &str) -> Option<Collection> {
    collections().into_iter().find(|collection| collection.items.name() == name)
}

/// The collection that a resource of this name is in.
pub(super) fn of_name(name: &str) -> Option<Collection> {
    name.rsplit('/').nth(1).and_then(collection)
}

/// The name of an organization that is given by its name or its id.
pub(super) fn organization(text: &str) -> String {
    if text.contains('/') { text.to_owned() } else { format!("organizations/{text}") }
}

/// The name of the organization that a resource lives under; empty if that is none.
pub(super) fn organization_of(name: &str) -> String {
    Name::parse(name).and_then(|name| name.organization()).map(|name| name.to_string()).unwrap_or_default()
}

/// The name of a customer of an organization that is given by its name or its id; empty for none.
pub(super) fn customer(organization: &str, text: &str) -> String {
    if text.is_empty() || text.contains('/') { text.to_owned() } else { format!("{organization}/customers/{text}") }
}

/// What to say of a name that is none.
pub(super) fn no_name(name: &str) -> String {
    if name.rsplit('/').next().is_some_and(|last| collection(last).is_some()) {
        return format!("{name} is a collection, which `list {name}` shows; resources have names such as vendors/aws");
    }
    match of_name(name) {
        // It has no method that gets one.
        Some(found) => format!("{} are only listed: list {}", found.items.name(), parent(name)),
        None => format!("\"{name}\" is no name of a resource, such as vendors/aws"),
    }
}

/// What to say of a collection that there is not.
pub(super) fn no_collection(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or_default();
    let what = match of_name(name) {
        Some(_) => format!("{name} is one resource, which `get {name}` shows"),
        None => format!("there is no collection \"{last}\""),
    };
    format!("{what}; collections are {}, e.g. organizations/acme/subprocessors", names())
}

/// The parents that stand for all of a collection's: `organizations/-` and the like.
pub(super) fn everywhere(collection: &str) -> Vec<String> {
    let any = |kind: &Kind| {
        let pattern = kind.pattern();
        let steps = pattern.split('/').map(|step| if step.starts_with('{') { "-" } else { step });
        steps.collect::<Vec<_>>().join("/")
    };
    let kind = Kind::from_collection(collection);
    kind.map_or_else(|| vec!["organizations/-".to_owned()], |kind| kind.parents().iter().map(any).collect())
}

/// What to say of a collection that is kept under several kinds of parents.
pub(super) fn which_parent(collection: &str) -> String {
    let lists: Vec<_> = everywhere(collection).iter().map(|parent| format!("list {parent}/{collection}")).collect();
    format!("{collection} are kept apart: {}", lists.join(", or "))
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// All collections that can be listed.
pub(super) fn collections() -> Vec<Collection> {
    let mut collections = Vec::new();
    for service in proto::POOL.services().filter(|service| service.package_name() == proto::PACKAGE) {
        for list in service.methods().filter(|method| method.name().starts_with("List")) {
            // A list method's response has the resources as its first field (AIP-132).
            let Some(items) = list.output().fields().find(|field| field.is_list()) else { continue };
            let Value::Message(resource) = items.kind() else { continue };
            let one = |verb| service.methods().find(|m| m.name().strip_prefix(verb) == Some(resource.name()));
            let (get, delete, undelete) = (one("Get"), one("Delete"), one("Undelete"));
            collections.push(Collection { list, items, get, delete, undelete });
        }
    }
    collections
}

/// The names of all collections, for messages.
fn names() -> String {
    let names: Vec<String> = collections().iter().map(|c| c.items.name().to_owned()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_resource_can_be_listed_and_got() {
        for kind in Kind::ALL {
            let collection = collection(kind.collection()).expect("a list method");
            assert_eq!(collection.get.expect("a get method").output().full_name(), kind.message());
        }
        assert!(collection("revisions").is_some_and(|c| c.get.is_some()));
        assert!(collection("nothings").is_none());
        assert!(of_name("vendors/a").is_some_and(|c| c.delete.is_some() && c.undelete.is_some()));
        assert!(of_name("revisions/1").is_some_and(|c| c.delete.is_none()));
        assert!(of_name("vendors").is_none() && of_name("").is_none());
        assert_eq!(no_name(""), "\"\" is no name of a resource, such as vendors/aws");
        assert_eq!(
            no_name("organizations/a/subprocessors"),
            "organizations/a/subprocessors is a collection, which `list organizations/a/subprocessors` shows; resources \
             have names such as vendors/aws"
        );
        assert_eq!(no_name("organizations/a/findings/x"), "findings are only listed: list organizations/a/findings");
        assert_eq!(everywhere("documents"), ["organizations/-"]);
        assert_eq!(everywhere("deliveries"), ["organizations/-"]);
        assert_eq!(everywhere("objections"), ["organizations/-/notices/-"]);
        assert_eq!(everywhere("certifications"), ["vendors/-", "organizations/-"]);
        assert!(no_collection("vendor").starts_with("there is no collection \"vendor\"; collections are revisions, "));
        assert!(no_collection("organizations/a").starts_with(
            "organizations/a is one resource, which `get organizations/a` shows; collections are revisions, "
        ));
        assert!(names().contains("subprocessors"));
    }
}
