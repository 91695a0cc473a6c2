//! From the tree to messages, by the contract's descriptors. Nothing is refused silently and nothing is guessed: what
//! is not understood is reported with its line, and reading goes on.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value};

use super::{
    Entry, Flavour, MAX_BYTES, MAX_ENTRIES, Manifest, Place, Problems, at_line,
    node::{self, Member, Node, Scalar, Value as NodeValue},
    section_key,
};
use crate::{
    error::{Error, Reason, Result, clip},
    resource::{
        behavior, json,
        name::{ID_RULE, Kind as ResourceKind, Name, is_id},
        shape,
    },
};

/// Reads a manifest or catalog file.
///
/// # Errors
/// MANIFEST_INVALID with every error, up to a thousand: the path in the manifest, and the rule behind `line N: `.
pub fn read(text: &str, flavour: Flavour) -> Result<Manifest> {
    let mut problems = Problems::default();
    let mut manifest = Manifest::default();
    if let Some(root) = node::parse(text, MAX_BYTES, &mut problems) {
        File { flavour, problems: &mut problems }.read(&root, &mut manifest)?;
    }
    problems.into_error().map_or(Ok(manifest), Err)
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
                | ResourceKind::Objection => {}
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
        let Some(members) = node.as_map() else {
            self.problems.add(path, node.line, || format!("expects a mapping, not {}", what(node)));
            return Ok(None);
        };
        let id = self.id(members, node, path);
        let descriptor = T::default().descriptor();
        let has_choice = kind.parents().len() > 1;
        let mut reader = Reader { prefix: path, lines: BTreeMap::new(), problems: self.problems, has_choice };
        let message = reader.message(&descriptor, node, members, "");
        let place = Place { path: path.to_owned(), line: node.line, lines: reader.lines };
        let message: T = message.transcode_to().map_err(Error::internal)?;
        let (message, violations) = shape::examine(&message, "")?;
        for (field, rule) in violations {
            let (path, line) = place.locate(&field);
            if !self.problems.has(&path) {
                self.problems.add(&path, line, || rule);
            }
        }
        let above = self.parent(kind, members, path, parent);
        let (Some(id), Some(above)) = (id, above) else { return Ok(None) };
        let name = Name::new(kind, above.as_ref(), &id);
        let mut message = message;
        // An identifier is the server's to say: the walk has removed it.
        set_name(&mut message, &name)?;
        // Where the parents differ, the same id may stand twice.
        let key = if kind.parents().len() > 1 { name.to_string() } else { id };
        Ok(Some((key, Entry { message, place })))
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

/// Reads one resource. Paths inside it are those of the message.
struct Reader<'a> {
    /// The resource's own path in the manifest.
    prefix: &'a str,
    lines: BTreeMap<String, u32>,
    problems: &'a mut Problems,
    /// Whether the resource can live under several kinds, of which `parent` names one.
    has_choice: bool,
}

impl Reader<'_> {
    fn problem(&mut self, path: &str, line: u32, rule: impl FnOnce() -> String) {
        let dot = if path.is_empty() { "" } else { "." };
        self.problems.add(&format!("{}{dot}{path}", self.prefix), line, rule);
    }

    fn message(
        &mut self,
        descriptor: &MessageDescriptor,
        node: &Node,
        members: &[Member],
        path: &str,
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
        for field in descriptor.fields() {
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
            return self.value(&field.kind(), node, path);
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
            values.extend(self.value(&kind, item, &path));
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
            if let Some(value) = self.value(&kind, &member.value, &path) {
                entries.insert(MapKey::String(member.key.clone()), value);
            }
        }
        Some(Value::Map(entries))
    }

    /// One value that is neither list nor map.
    fn value(&mut self, kind: &Kind, node: &Node, path: &str) -> Option<Value> {
        let value = match (&node.value, kind) {
            (NodeValue::Map(members), Kind::Message(descriptor)) if !is_well_known(descriptor) => {
                Some(Value::Message(self.message(descriptor, node, members, path)))
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
        Kind::Message(descriptor) => timestamp(descriptor, &scalar.text).map(Value::Message),
    }
}

/// A whole number without leading zeros, which some readers take for octal.
fn whole<T: std::str::FromStr>(scalar: &Scalar) -> Option<T> {
    let digits = scalar.text.strip_prefix('-').unwrap_or(&scalar.text);
    let ambiguous = digits.len() > 1 && digits.starts_with('0');
    (scalar.plain && !ambiguous && digits.bytes().all(|b| b.is_ascii_digit())).then(|| scalar.text.parse().ok())?
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
fn what(node: &Node) -> String {
    match &node.value {
        NodeValue::List(_) => "a list".to_owned(),
        NodeValue::Map(_) => "a mapping".to_owned(),
        NodeValue::Scalar(scalar) if scalar.is_null() => "nothing".to_owned(),
        NodeValue::Scalar(scalar) => format!("\"{}\"", clip(&scalar.text)),
    }
}

fn unknown_key(key: &str, known: &[&str]) -> String {
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
