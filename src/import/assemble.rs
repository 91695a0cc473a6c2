//! Drafts as a manifest: vendors chosen, rows that say the same made one, ids given, and what the registry already
//! holds of the organization taken over.

mod merge;
mod organization;
mod stage;

use std::collections::{BTreeSet, HashMap};

use super::{
    List, Refusal,
    draft::Draft,
    ids::{self, Ids},
    report::Report,
    text,
    vendors::{Chooser, Matches},
};
use crate::{
    manifest::{self, Flavour, Manifest, Sections},
    proto::v1::{Document, Subprocessor, document::Kind as DocumentKind, subprocessor::State},
    resource::{
        json,
        name::{Kind, Name, is_id},
    },
};

use organization::Products;

/// Changes in one revision (as the registry writes them).
const MAX_CHANGES: usize = 1_000;

/// What the registry knows that a page does not.
#[derive(Debug, Default)]
pub struct Known {
    /// The organization's id.
    pub organization: String,
    /// Its name, if it is new and the caller says so.
    pub display_name: Option<String>,
    /// The id of the document.
    pub document: String,
    /// Where the page is published.
    pub uri: Option<String>,
    /// What names mean.
    pub matches: Matches,
    /// Where that was looked up, in words.
    pub vendors_from: String,
    /// The organization as it is, with all that belongs to it; none if there is none yet.
    pub existing: Option<Manifest>,
    /// Ids of vendors, deleted ones too.
    pub vendor_ids: BTreeSet<String>,
    /// Today (UTC), ISO 8601.
    pub today: String,
}

/// What came of an import.
#[derive(Debug)]
pub struct Imported {
    /// The manifest, as YAML.
    pub manifest: String,
    /// What was done.
    pub report: Report,
}

/// Makes the manifest.
pub(super) fn assemble(list: List, known: &Known) -> Result<Imported, Refusal> {
    let List { drafts, mut report, organization: named, publisher } = list;
    let organization_name = Name::new(Kind::Organization, None, &known.organization);
    let document_name = Name::new(Kind::Document, Some(&organization_name), &known.document);
    let mut organization = organization::organization(known, &organization_name, named);
    let mut products = Products::of(&organization);
    let product_ids = publisher.as_ref().map(|one| products.published(one, &mut report)).unwrap_or_default();
    if let Some(publisher) = publisher {
        organization::publish(publisher, known, &mut organization);
    }
    let document = document(known, &document_name, &report);
    report.vendors_from.clone_from(&known.vendors_from);

    let before = Before::of(known);
    let mut chooser = Chooser::new(&known.matches, &known.vendor_ids, document_name.as_str());
    let mut rows = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let mut row = draft.message.clone();
        for source in row.sources.iter_mut().filter(|source| source.document.is_empty()) {
            document_name.as_str().clone_into(&mut source.document);
        }
        match before.of_row(&row).filter(|before| !before.vendor.is_empty()) {
            Some(before) => keep_vendor(before, &mut row),
            None => choose(&mut chooser, &draft, &mut row, &mut report),
        }
        organization::rename_products(&product_ids, &mut row);
        for name in &draft.products {
            let id = products.named(name, &mut report);
            if !row.products.contains(&id) {
                row.products.push(id);
            }
        }
        stage::begin(&mut row, &draft, known, &mut report);
        rows.push((draft.line, row));
    }
    organization.products.extend(products.into_new());
    let rows = merge::merge(rows, &mut report);
    let rows = name(rows, known, &before, &organization_name, &mut report);
    report.rows_out = rows.len();
    let wanted: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| std::iter::once(&row.vendor).chain(&row.alternative_vendors))
        .map(String::as_str)
        .collect();
    let vendors = chooser.proposed(&wanted);
    within_limits(rows.len(), vendors.len(), &mut report)?;

    let sections = Sections {
        organization: Some(&organization),
        documents: std::slice::from_ref(&document),
        vendors: &vendors,
        subprocessors: &rows,
        ..Sections::default()
    };
    let manifest = json::to_yaml(&manifest::write(&sections));
    if manifest.len() > manifest::MAX_BYTES {
        let text = format!("the manifest has {} bytes; at most {} are read", manifest.len(), manifest::MAX_BYTES);
        return Err(Refusal::with(text, report));
    }
    // What is written must be what the registry takes: whatever still breaks a rule is said here, not by `apply`.
    if let Err(error) = manifest::read(&manifest, Flavour::Operator) {
        let rules: Vec<String> =
            error.field_violations().map(|(field, rule)| format!("{field}: {rule}")).take(20).collect();
        let text = format!("the manifest would be refused: {error}\n{}", rules.join("\n"));
        return Err(Refusal::with(text, report));
    }
    Ok(Imported { manifest, report })
}

fn within_limits(rows: usize, vendors: usize, report: &mut Report) -> Result<(), Refusal> {
    // The document is an entry too.
    let entries = rows + vendors + 1;
    if entries > manifest::MAX_ENTRIES {
        let text = format!(
            "the list has {rows} rows and {vendors} new vendors; with its document these are {entries} entries, and a manifest holds at most {}",
            manifest::MAX_ENTRIES
        );
        return Err(Refusal::with(text, std::mem::take(report)));
    }
    // And so is, for a revision, the organization.
    let changes = entries + 1;
    if changes > MAX_CHANGES {
        report.note(
            0,
            format!(
                "the manifest has {changes} resources, and one revision takes {MAX_CHANGES} changes: cut it into {} parts before it is applied",
                changes.div_ceil(MAX_CHANGES)
            ),
        );
    }
    Ok(())
}

/// The document, with what the registry already knows of it.
fn document(known: &Known, name: &Name, report: &Report) -> Document {
    let documents = known.existing.as_ref().map(|existing| existing.documents.as_slice()).unwrap_or_default();
    let before = documents.iter().find(|entry| entry.message.name == name.as_str()).map(|entry| entry.message.clone());
    let mut document = before.unwrap_or_default();
    name.as_str().clone_into(&mut document.name);
    if let Some(title) = &report.title {
        document.title = text::clip(title, 500);
    } else if document.title.is_empty() {
        "List of sub-processors".clone_into(&mut document.title);
    }
    if document.kind() == DocumentKind::Unspecified {
        document.set_kind(DocumentKind::SubprocessorList);
    }
    if let Some(uri) = &known.uri {
        document.uri.clone_from(uri);
    }
    document.content_sha256.clone_from(&report.sha256);
    document.stated_date = report.stated_date.clone().unwrap_or_default();
    document.stated_date_text = report.stated_date_text.clone().unwrap_or_default();
    document
}

fn choose(chooser: &mut Chooser<'_>, draft: &Draft, row: &mut Subprocessor, report: &mut Report) {
    let chosen = chooser.choose(draft, report);
    let reason = if chosen.is_category {
        "The list names a category, not a company."
    } else if chosen.vendor.is_empty() {
        "The list does not say which company it is."
    } else {
        ""
    };
    reason.clone_into(&mut row.incomplete_reason);
    row.vendor = chosen.vendor;
    row.vendor_entity = chosen.entity;
    row.vendor_services = if chosen.service.is_empty() { Vec::new() } else { vec![chosen.service] };
    row.alternative_vendors = chosen.alternatives;
}

/// The rows that the registry has, by their names.
struct Before<'a>(HashMap<&'a str, Vec<&'a Subprocessor>>);

impl<'a> Before<'a> {
    fn of(known: &'a Known) -> Self {
        let mut by_name: HashMap<&str, Vec<&Subprocessor>> = HashMap::new();
        for entry in known.existing.iter().flat_map(|existing| &existing.subprocessors) {
            by_name.entry(&entry.message.display_name).or_default().push(&entry.message);
        }
        Self(by_name)
    }

    /// What the registry has under a row's name: the one of that name, or the one that is also for the same.
    fn of_row(&self, row: &Subprocessor) -> Option<&'a Subprocessor> {
        let named = self.0.get(row.display_name.as_str())?;
        let exact = named.iter().find(|e| {
            e.section == row.section && e.purposes == row.purposes && e.service_description == row.service_description
        });
        match named.as_slice() {
            [only] => Some(only),
            _ => exact.copied(),
        }
    }
}

fn keep_vendor(before: &Subprocessor, row: &mut Subprocessor) {
    row.vendor.clone_from(&before.vendor);
    row.vendor_entity.clone_from(&before.vendor_entity);
    row.vendor_services.clone_from(&before.vendor_services);
    row.alternative_vendors.clone_from(&before.alternative_vendors);
}

/// Takes over what a page does not say and the registry knows; returns whether all of it had room.
fn keep_rest(before: &Subprocessor, row: &mut Subprocessor) -> bool {
    keep_sources(before, row);
    row.recorded_as_found = before.recorded_as_found;
    // What is in use is not announced.
    if !before.recorded_as_found || before.state() != State::Active || row.state() == State::Announced {
        row.state = before.state;
    }
    if row.start_date.is_empty() {
        row.start_date.clone_from(&before.start_date);
    }
    if row.end_date.is_empty() {
        row.end_date.clone_from(&before.end_date);
    }
    if row.role == 0 {
        row.role = before.role;
    }
    if row.products.is_empty() {
        row.products.clone_from(&before.products);
    }
    row.affiliate = row.affiliate.or(before.affiliate);
    row.dpa.clone_from(&before.dpa);
    row.retention.clone_from(&before.retention);
    if row.engaged_by.is_empty() {
        row.engaged_by.clone_from(&before.engaged_by);
    }
    row.next_review_date.clone_from(&before.next_review_date);
    if row.special_categories.is_empty() {
        row.special_categories.clone_from(&before.special_categories);
    }
    if row.incomplete_reason.is_empty() {
        row.incomplete_reason.clone_from(&before.incomplete_reason);
    }
    let texts = [
        (&mut row.website_uri, &before.website_uri),
        (&mut row.service_description, &before.service_description),
        (&mut row.section, &before.section),
        (&mut row.condition, &before.condition),
    ];
    for (now, known) in texts.into_iter().filter(|(now, _)| now.is_empty()) {
        now.clone_from(known);
    }
    let lists = [
        (&mut row.purposes, &before.purposes),
        (&mut row.data_categories, &before.data_categories),
        (&mut row.data_subject_categories, &before.data_subject_categories),
        (&mut row.vendor_services, &before.vendor_services),
    ];
    for (now, known) in lists.into_iter().filter(|(now, _)| now.is_empty()) {
        now.clone_from(known);
    }
    if row.locations.is_empty() {
        row.locations.clone_from(&before.locations);
    }
    // Whether it is shown to everybody is decided by hand once it is in the registry.
    row.listed = before.listed;
    let mut fits = true;
    for (key, value) in &before.annotations {
        if !row.annotations.contains_key(key) {
            fits &= row.annotations.len() < merge::MAX_ANNOTATIONS;
            if fits {
                row.annotations.insert(key.clone(), value.clone());
            }
        }
    }
    fits
}

/// Puts the quotations of the page in the place of those that it had before; what other documents say stays.
fn keep_sources(before: &Subprocessor, row: &mut Subprocessor) {
    let page = row.sources.first().map(|source| source.document.clone()).unwrap_or_default();
    let first = before.sources.iter().take_while(|source| source.document != page).count();
    let (ahead, rest) = before.sources.split_at(first);
    let behind = rest.iter().filter(|source| source.document != page);
    let own = std::mem::take(&mut row.sources);
    row.sources = ahead.iter().cloned().chain(own).chain(behind.cloned()).collect();
}

/// Gives each row its id: the one that the registry has for it, else one made of its name, and where several have one
/// name, of what tells them apart.
fn name(
    rows: Vec<(u32, Subprocessor)>,
    known: &Known,
    before: &Before<'_>,
    organization: &Name,
    report: &mut Report,
) -> Vec<Subprocessor> {
    let existing = known.existing.as_ref().map(|existing| existing.subprocessors.as_slice()).unwrap_or_default();
    let used = existing.iter().filter_map(|entry| Name::parse(&entry.message.name).map(|name| name.id().to_owned()));
    let mut given = Ids::new(used.collect());
    let mut reused: BTreeSet<String> = BTreeSet::new();
    let mut out: Vec<Subprocessor> = Vec::with_capacity(rows.len());
    // What a list calls its rows, and what they are called here.
    let mut ids: HashMap<String, String> = HashMap::new();
    for (line, mut row) in rows {
        let theirs = row.name.clone();
        if let Some(before) = before.of_row(&row).filter(|before| !reused.contains(&before.name)) {
            reused.insert(before.name.clone());
            row.name.clone_from(&before.name);
            if before.state() != State::Active {
                let state = before.state().as_str_name().trim_start_matches("STATE_");
                report
                    .note(line, format!("{} is {state} in the registry, and stays so: the page lists it", before.name));
            }
            ids.insert(theirs, row.name.clone());
            if !keep_rest(before, &mut row) {
                let most = merge::MAX_ANNOTATIONS;
                let text =
                    format!("{}: with what the page says it has more than {most} annotations: not all stay", row.name);
                report.note(line, text);
            }
            out.push(row);
            continue;
        }
        let base = if row.name.is_empty() { ids::of(&row.display_name, "row") } else { row.name.clone() };
        let id = given.give(&own(&base, &row, &given));
        Name::new(Kind::Subprocessor, Some(organization), &id).as_str().clone_into(&mut row.name);
        ids.insert(theirs, row.name.clone());
        out.push(row);
    }
    for row in &mut out {
        stage::end(row, known, report);
    }
    for row in out.iter_mut().filter(|row| is_id(&row.engaged_by)) {
        row.engaged_by = ids.get(&row.engaged_by).cloned().unwrap_or_default();
    }
    out
}

/// What a row can be called by: its name alone, or with the section, the service or the purpose behind it.
fn own(base: &str, row: &Subprocessor, given: &Ids) -> String {
    if !given.is_taken(base) {
        return base.to_owned();
    }
    let service = text::clip(&row.service_description, 60);
    let purpose = row.purposes.first().map(|purpose| text::clip(purpose, 60)).unwrap_or_default();
    let place = row.locations.first().map(|place| place.verbatim.as_str()).unwrap_or_default();
    let with =
        [service.as_str(), row.section.as_str(), &purpose, place].map(|more| text::slug(&format!("{base} {more}")));
    with.into_iter().find(|id| id.len() > base.len() && !given.is_taken(id)).unwrap_or_else(|| base.to_owned())
}
