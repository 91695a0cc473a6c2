//! Drafts as a manifest: vendors chosen, rows that say the same made one, ids given, and what the registry already
//! holds of the organization taken over.

mod stage;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    List, Refusal,
    draft::Draft,
    report::{Merged, Report},
    text,
    vendors::{Chooser, Matches, short_hash},
};
use crate::{
    manifest::{self, Flavour, Manifest, Sections},
    proto::v1::{Document, Organization, Product, Subprocessor, document::Kind as DocumentKind, subprocessor::State},
    resource::{
        json,
        name::{Kind, Name, is_id},
        text::LONG,
    },
    rules::{engagement, publication::Publisher},
};

/// Entries of a manifest (as manifests are read).
const MAX_ENTRIES: usize = 5_000;
/// Changes in one revision (as the registry writes them).
const MAX_CHANGES: usize = 1_000;

/// Sources of one row: rows that say the same can be many.
const MAX_SOURCES: usize = 100;

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
    let List { drafts, mut report, publisher } = list;
    let organization_name = Name::new(Kind::Organization, None, &known.organization);
    let document_name = Name::new(Kind::Document, Some(&organization_name), &known.document);
    let mut organization = organization(known, &organization_name, &report);
    let product_ids = publisher.map(|one| published(one, known, &mut organization, &mut report)).unwrap_or_default();
    let document = document(known, &document_name, &report);
    report.vendors_from.clone_from(&known.vendors_from);

    let mut chooser = Chooser::new(&known.matches, &known.vendor_ids, document_name.as_str());
    let mut rows = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let mut row = draft.message.clone();
        for source in row.sources.iter_mut().filter(|source| source.document.is_empty()) {
            document_name.as_str().clone_into(&mut source.document);
        }
        let before = previous(known, &row);
        match before.filter(|before| !before.vendor.is_empty()) {
            Some(before) => keep_vendor(before, &mut row),
            None => choose(&mut chooser, &draft, &mut row, &mut report),
        }
        rename_products(&product_ids, &mut row);
        products(&draft.products, &mut organization, &mut row, &mut report);
        stage::begin(&mut row, &draft, known, &mut report);
        rows.push((draft.line, row));
    }
    let rows = merge(rows, &mut report);
    let rows = name(rows, known, &organization_name, &mut report);
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
    // The organization and its document are resources too.
    let entries = rows.max(vendors);
    if entries > MAX_ENTRIES {
        let text = format!(
            "the list has {rows} rows and {vendors} new vendors; a manifest holds at most {MAX_ENTRIES} entries of a kind"
        );
        return Err(Refusal::with(text, std::mem::take(report)));
    }
    let changes = rows + vendors + 2;
    if changes > MAX_CHANGES {
        report.note(
            0,
            format!("the manifest has {changes} resources, and one revision takes {MAX_CHANGES} changes: cut it in two before it is applied"),
        );
    }
    Ok(())
}

/// The organization as the registry has it, or a new one.
fn organization(known: &Known, name: &Name, report: &Report) -> Organization {
    if let Some(entry) = known.existing.as_ref().and_then(|existing| existing.organization.as_ref()) {
        return entry.message.clone();
    }
    let display_name = known.display_name.clone().unwrap_or_else(|| {
        let title = report.title.as_deref().and_then(name_in_title);
        title.unwrap_or_else(|| known.organization.clone())
    });
    Organization { name: name.as_str().to_owned(), display_name, ..Organization::default() }
}

/// The company in a title such as "Subprocessors of Acme" or "Acme Sub-processors".
fn name_in_title(title: &str) -> Option<String> {
    let words: Vec<&str> = title.split_whitespace().collect();
    let is_list = |word: &str| {
        let bare = text::words(word).concat();
        [
            "subprocess",
            "processor",
            "unterauftrag",
            "soustraitant",
            "subencargad",
            "subverwerk",
            "list",
            "liste",
            "third",
            "party",
            "sub",
            "vendors",
            "data",
            "page",
        ]
        .iter()
        .any(|stem| bare.starts_with(stem))
    };
    let first = words.iter().position(|word| is_list(word))?;
    let before = words[..first].join(" ");
    let before =
        before.trim_end_matches("'s").trim_end_matches("’s").trim_matches(|c: char| !c.is_alphanumeric() && c != '.');
    (!before.is_empty() && text::words(before).concat() != "the" && before.chars().count() < 80)
        .then(|| before.to_owned())
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
    if chosen.is_category {
        "The list names a category, not a company.".clone_into(&mut row.incomplete_reason);
    }
    row.vendor = chosen.vendor;
    row.vendor_entity = chosen.entity;
    row.vendor_services = if chosen.service.is_empty() { Vec::new() } else { vec![chosen.service] };
    row.alternative_vendors = chosen.alternatives;
}

/// What the registry has under the row's name: the one of that name, or the one that is also for the same.
fn previous<'a>(known: &'a Known, row: &Subprocessor) -> Option<&'a Subprocessor> {
    let existing = known.existing.as_ref()?;
    let mut named =
        existing.subprocessors.iter().map(|entry| &entry.message).filter(|e| e.display_name == row.display_name);
    let exact = named.clone().find(|e| {
        e.section == row.section && e.purposes == row.purposes && e.service_description == row.service_description
    });
    exact.or_else(|| named.next().filter(|_| named.next().is_none()))
}

fn keep_vendor(before: &Subprocessor, row: &mut Subprocessor) {
    row.vendor.clone_from(&before.vendor);
    row.vendor_entity.clone_from(&before.vendor_entity);
    row.vendor_services.clone_from(&before.vendor_services);
    row.alternative_vendors.clone_from(&before.alternative_vendors);
}

/// Takes over what a page does not say and the registry knows.
fn keep_rest(before: &Subprocessor, row: &mut Subprocessor) {
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
}

/// Takes over what a list says of its publisher, as far as the registry does not know better. Returns the ids of its
/// products, each with the id that the organization has for it.
fn published(
    publisher: Publisher,
    known: &Known,
    organization: &mut Organization,
    report: &mut Report,
) -> HashMap<String, String> {
    if known.existing.as_ref().is_none_or(|existing| existing.organization.is_none()) {
        if known.display_name.is_none() && !publisher.name.trim().is_empty() {
            organization.display_name = publisher.name;
        }
        organization.legal_name = publisher.legal_name;
        organization.region_code = publisher.region_code;
        organization.website_uri = publisher.website_uri;
    }
    let mut ids = HashMap::new();
    for product in publisher.products {
        let there = organization.products.iter();
        let mut there = there
            .filter(|one| one.product_id == product.id || text::fold(&one.display_name) == text::fold(&product.name));
        let id = match there.next() {
            Some(one) => one.product_id.clone(),
            None => {
                report.note(0, format!("the organization gets the product \"{}\"", text::clip(&product.name, 60)));
                let (product_id, display_name) = (product.id.clone(), product.name);
                organization.products.push(Product { product_id, display_name, ..Product::default() });
                product.id.clone()
            }
        };
        ids.insert(product.id, id);
    }
    ids
}

/// Puts the organization's ids of products in the place of a list's.
fn rename_products(ids: &HashMap<String, String>, row: &mut Subprocessor) {
    let all = row.products.iter_mut().chain(row.locations.iter_mut().flat_map(|place| &mut place.products));
    for id in all {
        if let Some(own) = ids.get(id.as_str()) {
            id.clone_from(own);
        }
    }
}

/// Products as ids; those that the organization does not have yet are added to it.
fn products(names: &[String], organization: &mut Organization, row: &mut Subprocessor, report: &mut Report) {
    for name in names {
        let same =
            |product: &&Product| product.product_id == *name || text::fold(&product.display_name) == text::fold(name);
        let id = match organization.products.iter().find(same) {
            Some(product) => product.product_id.clone(),
            None => {
                let id = text::slug(name);
                if id.is_empty() || organization.products.iter().any(|product| product.product_id == id) {
                    id
                } else {
                    report.note(0, format!("the organization gets the product \"{}\"", text::clip(name, 60)));
                    let product = Product { product_id: id.clone(), display_name: name.clone(), ..Product::default() };
                    organization.products.push(product);
                    id
                }
            }
        };
        if !id.is_empty() && !row.products.contains(&id) {
            row.products.push(id);
        }
    }
}

/// Makes one row of those that the registry takes for the same engagement: nothing that either says is lost.
fn merge(rows: Vec<(u32, Subprocessor)>, report: &mut Report) -> Vec<(u32, Subprocessor)> {
    let mut kept: Vec<(u32, Subprocessor)> = Vec::with_capacity(rows.len());
    let mut by_vendor: HashMap<(String, String), Vec<usize>> = HashMap::new();
    for (line, row) in rows {
        let key = (row.vendor.clone(), row.display_name.clone());
        let same = by_vendor
            .get(&key)
            .into_iter()
            .flatten()
            .copied()
            .find(|at| kept.get(*at).is_some_and(|(_, other)| engagement::is_duplicate(other, &row)));
        match same.and_then(|at| kept.get_mut(at)) {
            None => {
                by_vendor.entry(key).or_default().push(kept.len());
                kept.push((line, row));
            }
            Some((into_line, into)) => {
                report.merged.push(Merged { line, into_line: *into_line, name: row.display_name.clone() });
                if !fold_into(into, row) {
                    report.note(
                        line,
                        "what it says beside the row it is merged into is too much for one: it is only on the page",
                    );
                }
            }
        }
    }
    kept
}

/// Adds to a row what another says beside it; returns whether all of it had room.
fn fold_into(into: &mut Subprocessor, row: Subprocessor) -> bool {
    let mut fits = true;
    let room = MAX_SOURCES.saturating_sub(into.sources.len());
    into.sources.extend(row.sources.into_iter().take(room));
    if into.website_uri.is_empty() {
        into.website_uri = row.website_uri;
    }
    for (list, more) in [
        (&mut into.data_categories, row.data_categories),
        (&mut into.special_categories, row.special_categories),
        (&mut into.data_subject_categories, row.data_subject_categories),
    ] {
        for item in more {
            if !list.contains(&item) {
                list.push(item);
            }
        }
    }
    for (key, value) in row.annotations {
        match into.annotations.get_mut(&key) {
            None => drop(into.annotations.insert(key, value)),
            Some(there) if there.split('\n').any(|line| line == value) => {}
            Some(there) if there.len() + value.len() < LONG => {
                there.push('\n');
                there.push_str(&value);
            }
            Some(_) => fits = false,
        }
    }
    fits
}

/// Gives each row its id: the one that the registry has for it, else one made of its name, and where several have one
/// name, of what tells them apart.
fn name(rows: Vec<(u32, Subprocessor)>, known: &Known, organization: &Name, report: &mut Report) -> Vec<Subprocessor> {
    let existing = known.existing.as_ref().map(|existing| existing.subprocessors.as_slice()).unwrap_or_default();
    let mut used: BTreeSet<String> =
        existing.iter().filter_map(|entry| Name::parse(&entry.message.name).map(|name| name.id().to_owned())).collect();
    let mut reused: BTreeSet<String> = BTreeSet::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut out: Vec<Subprocessor> = Vec::with_capacity(rows.len());
    // What a list calls its rows, and what they are called here.
    let mut ids: HashMap<String, String> = HashMap::new();
    for (line, mut row) in rows {
        let theirs = row.name.clone();
        if let Some(before) = previous(known, &row).filter(|before| !reused.contains(&before.name)) {
            reused.insert(before.name.clone());
            row.name.clone_from(&before.name);
            if before.state() != State::Active {
                let state = before.state().as_str_name().trim_start_matches("STATE_");
                report
                    .note(line, format!("{} is {state} in the registry, and stays so: the page lists it", before.name));
            }
            ids.insert(theirs, row.name.clone());
            keep_rest(before, &mut row);
            out.push(row);
            continue;
        }
        let base = match text::slug(&row.display_name) {
            _ if !row.name.is_empty() => row.name.clone(),
            slug if slug.is_empty() => format!("row-{}", short_hash(&row.display_name)),
            slug => slug,
        };
        let id = free(&base, &row, &mut names, &used);
        used.insert(id.clone());
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

/// An id that is free: the name alone, with the section, the service or the purpose behind it, or with a number.
fn free(base: &str, row: &Subprocessor, numbers: &mut BTreeMap<String, usize>, used: &BTreeSet<String>) -> String {
    if !used.contains(base) {
        return base.to_owned();
    }
    let service = text::clip(&row.service_description, 60);
    let purpose = row.purposes.first().map(|purpose| text::clip(purpose, 60)).unwrap_or_default();
    let place = row.locations.first().map(|place| place.verbatim.as_str()).unwrap_or_default();
    for more in [service.as_str(), row.section.as_str(), &purpose, place] {
        let id = text::slug(&format!("{base} {more}"));
        if id.len() > base.len() && !used.contains(&id) {
            return id;
        }
    }
    let end = base.len().min(58);
    let stem = base.get(..end).unwrap_or(base).trim_end_matches('-');
    let number = numbers.entry(base.to_owned()).or_insert(1);
    loop {
        *number += 1;
        let id = format!("{stem}-{number}");
        if !used.contains(&id) {
            return id;
        }
    }
}
