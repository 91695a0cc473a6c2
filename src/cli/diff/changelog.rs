//! `diff -o markdown`: the changes of the public list as a changelog tells them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
};

use prost::Message;
use prost_reflect::ReflectMessage;

use crate::{
    cli::{client::Registry, failure::Outcome},
    proto::v1::{
        self, ChangedSubprocessor, DiffSubprocessorsResponse, GetOrganizationRequest, GetVendorRequest,
        ListSubprocessorsRequest, ListSubprocessorsResponse, Organization, Subprocessor, Vendor,
    },
    rules::{
        law::{Law, territory::Territories},
        paper::format::escaped,
        publication::{
            Entry, Known,
            rows::{SUSPENDED, differences},
        },
    },
};

/// What the public page shows of a list, as the registry had it at a revision.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// The revision; 0 for the empty registry.
    pub(super) revision: i64,
    /// Whose list it is.
    pub(super) organization: Organization,
    /// The subprocessors, by name.
    pub(super) shown: HashMap<String, Subprocessor>,
    /// The vendors of those that have another one on the other side, by name.
    pub(super) vendors: HashMap<String, Vendor>,
}

/// Both lists that are compared.
#[derive(Debug, Default)]
pub(super) struct Public {
    pub(super) base: Side,
    pub(super) target: Side,
}

impl Public {
    /// Reads what the page shows of both lists.
    pub(super) async fn read(registry: &Registry, parent: &str, answer: &DiffSubprocessorsResponse) -> Outcome<Self> {
        let base = Side::read(registry, parent, answer.base_revision).await?;
        let target = Side::read(registry, parent, answer.target_revision).await?;
        let mut both = Self { base, target };
        let mut engaged = (BTreeSet::new(), BTreeSet::new());
        for (before, after) in answer.changed.iter().filter_map(|one| both.of(one)) {
            if (&before.vendor, &before.vendor_entity) != (&after.vendor, &after.vendor_entity) {
                engaged.0.insert(before.vendor.clone());
                engaged.1.insert(after.vendor.clone());
            }
        }
        both.base.meet(registry, engaged.0).await?;
        both.target.meet(registry, engaged.1).await?;
        Ok(both)
    }

    /// One that changed, as it was and as it is, if the page shows both.
    fn of(&self, one: &ChangedSubprocessor) -> Option<(&Subprocessor, &Subprocessor)> {
        Some((self.base.shown.get(before(one))?, self.target.shown.get(&one.name)?))
    }
}

/// What one that changed was called before.
fn before(one: &ChangedSubprocessor) -> &str {
    if one.base_name.is_empty() { &one.name } else { &one.base_name }
}

impl Side {
    async fn read(registry: &Registry, parent: &str, revision: i64) -> Outcome<Self> {
        let mut side = Self { revision, ..Self::default() };
        if revision == 0 {
            return Ok(side);
        }
        let request = GetOrganizationRequest { name: parent.to_owned(), as_of: side.as_of() };
        let organization = side.get(registry, "OrganizationService/GetOrganization", request).await?;
        side.organization = organization.unwrap_or_default();
        let mut request = ListSubprocessorsRequest {
            parent: parent.to_owned(),
            filter: "listed = true AND (state = ACTIVE OR state = SUSPENDED OR state = RETIRED)".to_owned(),
            as_of: side.as_of(),
            page_size: 1_000,
            ..Default::default()
        };
        loop {
            let page = side.get(registry, "SubprocessorService/ListSubprocessors", request.clone()).await?;
            let page: ListSubprocessorsResponse = page.unwrap_or_default();
            side.shown.extend(page.subprocessors.into_iter().map(|one| (one.name.clone(), one)));
            if page.next_page_token.is_empty() {
                return Ok(side);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Reads vendors: of which company an entry is.
    async fn meet(&mut self, registry: &Registry, names: BTreeSet<String>) -> Outcome {
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            let request = GetVendorRequest { name: name.clone(), as_of: self.as_of() };
            let vendor: Option<Vendor> = self.get(registry, "VendorService/GetVendor", request).await?;
            self.vendors.extend(vendor.map(|vendor| (name, vendor)));
        }
        Ok(())
    }

    async fn get<Q, A>(&self, registry: &Registry, method: &str, request: Q) -> Outcome<Option<A>>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        match registry.call(method, request).await {
            // It came later: nothing of it was public.
            Err(failure) if failure.reason().as_deref() == Some("RESOURCE_NOT_FOUND") => Ok(None),
            other => other.map(Some),
        }
    }

    fn as_of(&self) -> Option<v1::AsOf> {
        Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(self.revision)) })
    }

    /// What the page says of one. What its transfers rest on is no part of it, and is not compared.
    fn entry(&self, one: &Subprocessor) -> Entry {
        let known = Known {
            base: "",
            organization: &self.organization,
            subprocessors: &self.shown,
            vendors: &self.vendors,
            transfers: &HashMap::new(),
            law: &Law::new([], Territories::default()),
        };
        known.entry(one)
    }
}

/// What a changelog does not tell: how many changes of what the page does not show, and of how many entries that nobody saw.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) fields: usize,
    pub(super) entries: usize,
}

/// The differences for a changelog, and what was left out of it. What comes onto the public page or leaves it is added
/// or removed to those who read the page, whatever it was before.
pub(super) fn markdown(answer: &DiffSubprocessorsResponse, public: &Public, between: &str) -> (String, LeftOut) {
    let mut text = format!("## Changes of the list of sub-processors\n\n{}\n", escaped(between));
    let section = |text: &mut String, heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = write!(text, "\n### {heading}\n\n{}\n", lines.join("\n"));
        }
    };
    let known = text.len();
    let mut left_out = LeftOut::default();
    let mut hidden = BTreeSet::new();
    let (mut added, mut removed, mut renamed, mut changed) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), Vec::new());
    let gone = |one: &Subprocessor| format!("- **{}**", escaped(&one.display_name));
    // Where one side of what was is not public, it joined or left.
    let mut crosses = |before: &str, after: &str| {
        match (public.base.shown.get(before), public.target.shown.get(after)) {
            (Some(_), Some(_)) => return false,
            (None, Some(one)) => drop(added.insert(after.to_owned(), described(&public.target.entry(one)))),
            (Some(one), None) => drop(removed.insert(before.to_owned(), gone(one))),
            (None, None) => drop(hidden.insert(if after.is_empty() { before } else { after }.to_owned())),
        }
        true
    };
    for one in &answer.added {
        crosses("", &one.name);
    }
    for one in &answer.removed {
        crosses(&one.name, "");
    }
    for one in &answer.renamed {
        if !crosses(&one.base_resource, &one.target_resource) {
            renamed.push(format!("- **{}** is now **{}**", escaped(&one.from_name), escaped(&one.to_name)));
        }
    }
    for one in &answer.changed {
        if !crosses(before(one), &one.name) {
            changed.extend(changes(one, public, &mut left_out.fields));
        }
    }
    left_out.entries = hidden.len();
    section(&mut text, "Added", added.into_values().collect());
    section(&mut text, "Removed", removed.into_values().collect());
    section(&mut text, "Renamed", renamed);
    section(&mut text, "Changed", changed);
    if text.len() == known {
        text.push_str("\nNo changes.\n");
    }
    (text, left_out)
}

/// One that was added: its name, and what it does where.
fn described(one: &Entry) -> String {
    let mut line = format!("- **{}**", escaped(&one.name));
    if !one.purposes.is_empty() {
        let _ = write!(line, ": {}", escaped(&one.purposes.join("; ")));
    }
    let mut places: Vec<&str> = one.locations.iter().map(|place| place.name.as_str()).collect();
    let mut seen = BTreeSet::new();
    places.retain(|place| !place.is_empty() && seen.insert(*place));
    if !places.is_empty() {
        let _ = write!(line, " ({})", escaped(&places.join("; ")));
    }
    if one.suspended {
        let _ = write!(line, " — {SUSPENDED}");
    }
    line
}

/// What the page says of one differently, a line for each; nothing if all of what changed is internal.
fn changes(one: &ChangedSubprocessor, public: &Public, left_out: &mut usize) -> Option<String> {
    let (before, after) = public.of(one)?;
    let (said, says) = (public.base.entry(before), public.target.entry(after));
    let is_said = |field: &str| {
        let forth = with(before, after, field).map(|one| differences(&said, &public.base.entry(&one)));
        let back = with(after, before, field).map(|one| differences(&public.target.entry(&one), &says));
        [forth, back].iter().flatten().any(|differences| !differences.is_empty())
    };
    let fields = one.field_diffs.iter().map(|diff| diff.path.split(['.', '[']).next().unwrap_or_default());
    *left_out += fields.filter(|field| !is_said(field)).count();
    let mut lines = format!("- **{}**", escaped(&one.display_name));
    let known = lines.len();
    // Another name has a section of its own.
    let told = differences(&said, &says).into_iter().filter(|one| one.key != "name");
    for one in told {
        let _ = write!(lines, "\n  - {}: ", one.heading);
        let (before, after) = (escaped(&one.before.join("; ")), escaped(&one.after.join("; ")));
        let _ = match (before.as_str(), after.as_str()) {
            ("", after) => write!(lines, "added “{after}”"),
            (before, "") => write!(lines, "removed “{before}”"),
            (before, after) => write!(lines, "“{before}” → “{after}”"),
        };
    }
    (lines.len() > known).then_some(lines)
}

/// One as it was, with a field as it is.
fn with(before: &Subprocessor, after: &Subprocessor, field: &str) -> Option<Subprocessor> {
    let (mut changed, after) = (before.transcode_to_dynamic(), after.transcode_to_dynamic());
    let field = after.descriptor().get_field_by_name(field)?;
    match after.has_field(&field) {
        true => changed.set_field(&field, after.get_field(&field).into_owned()),
        false => changed.clear_field(&field),
    }
    changed.transcode_to().ok()
}
