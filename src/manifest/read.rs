//! From the tree to messages, by the contract's descriptors. Nothing is refused silently and nothing is guessed: what
//! is not understood is reported with its line, and reading goes on.

use std::collections::{BTreeMap, HashMap};

use prost::Message;
use prost_reflect::{ReflectMessage, Value};

use super::{
    Entry, Flavour, MAX_BYTES, MAX_ENTRIES, Manifest, Place, Problems, at_line,
    fields::{Reader, unknown_key, what},
    node::{self, Member, Node, Value as NodeValue},
    section_key,
};
use crate::{
    error::{Error, Reason, Result, clip},
    resource::{
        name::{ID_RULE, Kind as ResourceKind, Name, is_id},
        shape,
    },
};

/// Reads a manifest or catalog file.
///
/// # Errors
/// MANIFEST_INVALID with every error, up to a thousand: the path in the manifest, and the rule behind `line N: `.
pub fn read(text: &str, flavour: Flavour) -> Result<Manifest> {
    let (manifest, problems) = read_on(text, flavour)?;
    problems.into_error().map_or(Ok(manifest), Err)
}

/// Reads as much of a file as can be understood, and says what is wrong with it.
///
/// # Errors
/// MANIFEST_INVALID for one that holds too much to be read.
pub(super) fn read_on(text: &str, flavour: Flavour) -> Result<(Manifest, Problems)> {
    let mut problems = Problems::default();
    let mut manifest = Manifest::default();
    if let Some(root) = node::parse(text, MAX_BYTES, &mut problems) {
        let is_whole = problems.list().is_empty();
        File { flavour, problems: &mut problems }.read(&root, &mut manifest)?;
        if !is_whole {
            // Where the text itself ends early, or means two things, nothing is to be made of it.
            manifest = Manifest::default();
        }
    }
    Ok((manifest, problems))
}

/// Reads a file that holds one resource as manifests write it, with an `id` or without. Its name is not set.
///
/// # Errors
/// MANIFEST_INVALID, as [`read`].
pub fn read_one<T: Message + ReflectMessage + Default>(text: &str, kind: ResourceKind) -> Result<(String, Entry<T>)> {
    let mut problems = Problems::default();
    let mut one = (String::new(), None);
    if let Some(root) = node::parse(text, MAX_BYTES, &mut problems) {
        let mut file = File { flavour: Flavour::Operator, problems: &mut problems };
        let path = kind.singular();
        one.1 = file.content::<T>(kind, &root, path)?;
        if root.get("id").is_some_and(|id| !id.is_null()) {
            one.0 = file.id(root.as_map().unwrap_or_default(), &root, path).unwrap_or_default();
        }
    }
    match (problems.into_error(), one) {
        (None, (id, Some(entry))) => Ok((id, entry)),
        (Some(error), _) => Err(error),
        (None, _) => Err(Error::internal("a file that is not read and has nothing wrong")),
    }
}

/// A file that is being read.
struct File<'a> {
    flavour: Flavour,
    problems: &'a mut Problems,
}

impl File<'_> {
    fn read(&mut self, root: &Node, manifest: &mut Manifest) -> Result<()> {
        refuse_too_many(self.flavour, root)?;
        self.known_sections(root);
        // The organization first, wherever it stands: it is part of the others' names.
        if self.flavour == Flavour::Operator {
            manifest.organization = self.organization(root)?;
        } else {
            manifest.version = self.version(root);
        }
        let parent = manifest.organization.as_ref().and_then(|entry| Name::parse(&entry.message.name));
        for kind in self.flavour.sections() {
            let Some(section) = root.get(section_key(*kind)) else { continue };
            match kind {
                // What was told and answered is in no manifest.
                ResourceKind::Organization
                | ResourceKind::Acknowledgement
                | ResourceKind::Notice
                | ResourceKind::Recipient
                | ResourceKind::Objection
                | ResourceKind::Subscription => {}
                ResourceKind::Document => manifest.documents = self.list(*kind, section, parent.as_ref())?,
                ResourceKind::Vendor => manifest.vendors = self.list(*kind, section, None)?,
                ResourceKind::Instrument => manifest.instruments = self.list(*kind, section, None)?,
                ResourceKind::Subprocessor => manifest.subprocessors = self.list(*kind, section, parent.as_ref())?,
                ResourceKind::Certification => manifest.certifications = self.list(*kind, section, parent.as_ref())?,
                ResourceKind::Transfer => manifest.transfers = self.list(*kind, section, parent.as_ref())?,
                ResourceKind::Customer => manifest.customers = self.list(*kind, section, parent.as_ref())?,
            }
        }
        Ok(())
    }

    fn known_sections(&mut self, root: &Node) {
        let mut known: Vec<&str> = self.flavour.sections().iter().map(|kind| section_key(*kind)).collect();
        if self.flavour == Flavour::Catalog {
            known.insert(0, "version");
        }
        for member in root.as_map().unwrap_or_default() {
            if !known.contains(&member.key.as_str()) {
                self.problems.add(&clip(&member.key), member.line, || unknown_key(&member.key, &known));
            }
        }
    }

    fn version(&mut self, root: &Node) -> Option<String> {
        match root.get("version").map(|node| (&node.value, node.line)) {
            Some((NodeValue::Scalar(scalar), _)) if !scalar.is_null() && !scalar.text.is_empty() => {
                Some(scalar.text.clone())
            }
            Some((_, line)) => {
                self.problems.add("version", line, || "expects text".to_owned());
                None
            }
            None => {
                self.problems.add("version", root.line, || "is required".to_owned());
                None
            }
        }
    }

    fn organization<T: Message + ReflectMessage + Default>(&mut self, root: &Node) -> Result<Option<Entry<T>>> {
        let kind = ResourceKind::Organization;
        let path = section_key(kind);
        let Some(node) = root.get(path).filter(|node| !node.is_null()) else {
            self.problems.add(path, root.line, || "is required: whose manifest this is".to_owned());
            return Ok(None);
        };
        Ok(self.entry(kind, node, path, None)?.map(|(_, entry)| entry))
    }

    fn list<T: Message + ReflectMessage + Default>(
        &mut self,
        kind: ResourceKind,
        node: &Node,
        parent: Option<&Name>,
    ) -> Result<Vec<Entry<T>>> {
        let key = section_key(kind);
        let NodeValue::List(items) = &node.value else {
            if !node.is_null() {
                self.problems.add(key, node.line, || format!("expects a list of mappings, not {}", what(node)));
            }
            return Ok(Vec::new());
        };
        let mut entries = Vec::with_capacity(items.len());
        let mut ids: HashMap<String, (usize, u32)> = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            let Some((id, entry)) = self.entry(kind, item, &format!("{key}[{index}]"), parent)? else { continue };
            let (_, line) = entry.place.locate("name");
            if let Some((first, first_line)) = ids.get(&id) {
                self.problems.add(&format!("{key}[{index}].id"), line, || {
                    format!("\"{id}\" is the id of {key}[{first}] in line {first_line} already")
                });
            } else {
                ids.insert(id, (index, line));
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// One resource with its id; none if it has no usable one.
    fn entry<T: Message + ReflectMessage + Default>(
        &mut self,
        kind: ResourceKind,
        node: &Node,
        path: &str,
        parent: Option<&Name>,
    ) -> Result<Option<(String, Entry<T>)>> {
        let members = node.as_map().unwrap_or_default();
        let id = node.as_map().and_then(|members| self.id(members, node, path));
        let Some(Entry { mut message, place }) = self.content::<T>(kind, node, path)? else { return Ok(None) };
        let above = self.parent(kind, members, path, parent);
        let (Some(id), Some(above)) = (id, above) else { return Ok(None) };
        let name = Name::new(kind, above.as_ref(), &id);
        // An identifier is the server's to say: the walk has removed it.
        set_name(&mut message, &name)?;
        // Where the parents differ, the same id may stand twice.
        let key = if kind.parents().len() > 1 { name.to_string() } else { id };
        Ok(Some((key, Entry { message, place })))
    }

    /// What is said of one resource; nothing if it is no mapping.
    fn content<T: Message + ReflectMessage + Default>(
        &mut self,
        kind: ResourceKind,
        node: &Node,
        path: &str,
    ) -> Result<Option<Entry<T>>> {
        let Some(members) = node.as_map() else {
            self.problems.add(path, node.line, || format!("expects a mapping, not {}", what(node)));
            return Ok(None);
        };
        let descriptor = T::default().descriptor();
        let has_choice = kind.parents().len() > 1;
        let mut reader = Reader { prefix: path, lines: BTreeMap::new(), problems: self.problems, has_choice };
        let message = reader.resource(&descriptor, node, members);
        let place = Place { path: path.to_owned(), line: node.line, lines: reader.lines };
        let message: T = message.transcode_to().map_err(Error::internal)?;
        let (message, violations) = shape::examine(&message, "")?;
        for (field, rule) in violations {
            let (path, line) = place.locate(&field);
            if !self.problems.has(&path) {
                self.problems.add(&path, line, || rule);
            }
        }
        Ok(Some(Entry { message, place }))
    }

    /// What a resource lives under: the organization, or what `parent` names where there is a choice.
    fn parent(
        &mut self,
        kind: ResourceKind,
        members: &[Member],
        path: &str,
        organization: Option<&Name>,
    ) -> Option<Option<Name>> {
        let given = members.iter().find(|m| m.key == "parent" && kind.parents().len() > 1 && !m.value.is_null());
        let Some(Member { value, line, .. }) = given else { return Some(organization.cloned()) };
        let text = match &value.value {
            NodeValue::Scalar(scalar) => scalar.text.as_str(),
            NodeValue::List(_) | NodeValue::Map(_) => "",
        };
        let name = Name::parse(text).filter(|name| kind.parents().contains(&name.kind()));
        let own = |name: &Name| name.kind() != ResourceKind::Organization || Some(name) == organization;
        if !name.as_ref().is_some_and(own) {
            let rule =
                || format!("must be {} or this organization, not \"{}\"", ResourceKind::Vendor.pattern(), clip(text));
            self.problems.add(&format!("{path}.parent"), *line, rule);
            return None;
        }
        Some(name)
    }

    fn id(&mut self, members: &[Member], node: &Node, path: &str) -> Option<String> {
        let path = format!("{path}.id");
        let given = members.iter().find(|m| m.key == "id" && !m.value.is_null());
        match given.map(|member| &member.value) {
            Some(Node { value: NodeValue::Scalar(scalar), .. }) if is_id(&scalar.text) => Some(scalar.text.clone()),
            Some(node) => {
                self.problems.add(&path, node.line, || ID_RULE.to_owned());
                None
            }
            None => {
                self.problems.add(&path, node.line, || format!("is required; it {ID_RULE}"));
                None
            }
        }
    }
}

/// A registry that is asked for more than it can write says so before it builds all of it.
fn refuse_too_many(flavour: Flavour, root: &Node) -> Result<()> {
    let length = |section: &Node| match &section.value {
        NodeValue::List(items) => items.len(),
        NodeValue::Map(_) | NodeValue::Scalar(_) => 0,
    };
    let total: usize = flavour.sections().iter().filter_map(|kind| root.get(section_key(*kind))).map(length).sum();
    if total <= MAX_ENTRIES {
        return Ok(());
    }
    let rule = at_line(root.line, &format!("has {total} entries in all, more than {MAX_ENTRIES}"));
    Err(Error::fields(Reason::ManifestInvalid, vec![(String::new(), rule)])
        .with("errors", 1)
        .with("entries", total)
        .with("max_entries", MAX_ENTRIES))
}

fn set_name<T: Message + ReflectMessage + Default>(message: &mut T, name: &Name) -> Result<()> {
    let mut dynamic = message.transcode_to_dynamic();
    dynamic.set_field_by_name("name", Value::String(name.to_string()));
    *message = dynamic.transcode_to().map_err(Error::internal)?;
    Ok(())
}
