//! An organization as a manifest: where it comes from it changes nothing, elsewhere it makes the same facts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sections, write};
use crate::{
    error::{Error, Reason, Result, answer_fits},
    proto::v1::{
        Certification, Customer, Document, ExportManifestResponse, Organization, Subprocessor, Transfer, Vendor,
        export_manifest_request::Format, subprocessor::State, vendor::Origin,
    },
    resource::{
        filter::Order,
        json,
        name::{Kind, Name, Parent},
        page::MAX_SIZE,
    },
    store::{
        Store,
        read::{AsOf, List},
        version::Resource,
    },
};

/// Exports an organization with everything under it, and the vendors it names that are not as the catalog has them.
/// `as_found`: for another registry, to which what is in use here was there before.
///
/// # Errors
/// RESOURCE_NOT_FOUND if there is or was no such organization; ANSWER_TOO_LARGE.
pub async fn export(
    store: &Store,
    name: &Name,
    format: Format,
    as_of: Option<AsOf>,
    as_found: bool,
) -> Result<ExportManifestResponse> {
    let revision = store.revision_at(as_of).await?;
    let at = Some(AsOf::Revision(revision));
    let organization: Organization = store.get(name, at).await?;
    if organization.delete_time.is_some() {
        let message = format!("{name} is deleted; ask for it as_of a time when it was not");
        return Err(Error::new(Reason::ResourceDeleted, message).resource(Kind::Organization.singular(), name.as_str()));
    }
    let documents: Vec<Document> = all(store, name, revision).await?;
    let mut subprocessors: Vec<Subprocessor> = all(store, name, revision).await?;
    if as_found {
        // What is only announced, or was rejected, was never in use: nobody can have found it.
        let in_use = |one: &&mut Subprocessor| matches!(one.state(), State::Active | State::Suspended | State::Retired);
        subprocessors.iter_mut().filter(in_use).for_each(|one| one.recorded_as_found = true);
    }
    let unsaid = |one: &&Subprocessor| !one.recorded_as_found && one.state() != State::Proposed;
    let states_left_out = i32::try_from(subprocessors.iter().filter(unsaid).count()).unwrap_or(i32::MAX);
    let customers: Vec<Customer> = all(store, name, revision).await?;
    let transfers: Vec<Transfer> = all(store, name, revision).await?;
    let vendors = vendors(store, &documents, &subprocessors, revision).await?;
    let mut certifications: Vec<Certification> = all(store, name, revision).await?;
    let engaged = subprocessors.iter().map(|one| one.vendor.clone()).filter(|vendor| !vendor.is_empty()).collect();
    let shared = store.at::<Certification>("parent", engaged, revision).await?;
    certifications.extend(shared.into_iter().collect::<BTreeMap<_, _>>().into_values());
    let manifest = write(&Sections {
        organization: Some(&organization),
        documents: &documents,
        vendors: &vendors,
        certifications: &certifications,
        transfers: &transfers,
        subprocessors: &subprocessors,
        customers: &customers,
    });
    let manifest = match format {
        Format::Json => format!("{manifest:#}\n"),
        Format::Yaml | Format::Unspecified => json::to_yaml(&manifest),
    };
    answer_fits(&format!("the manifest of {name}"), manifest.len())?;
    Ok(ExportManifestResponse { manifest, revision, states_left_out })
}

async fn all<R: Resource>(store: &Store, name: &Name, revision: i64) -> Result<Vec<R>> {
    let parent = Parent::Organization(name.clone());
    let field = *R::FIELDS.first().ok_or_else(|| Error::internal("a resource without fields"))?;
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let list = List {
            parent: &parent,
            filter: None,
            effective_at: None,
            held_too: false,
            order: Order { field, descending: false },
            show_deleted: false,
            after: after.as_ref(),
            revision,
            size: MAX_SIZE,
        };
        let page = store.list::<R>(&list).await?;
        items.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(items),
        }
    }
}

/// The vendors that are named and that a registry with the catalog alone would lack, with those that own them.
async fn vendors(
    store: &Store,
    documents: &[Document],
    subprocessors: &[Subprocessor],
    revision: i64,
) -> Result<Vec<Vendor>> {
    let engaged = subprocessors.iter().flat_map(|s| std::iter::once(&s.vendor).chain(&s.alternative_vendors));
    let claimed = documents.iter().flat_map(|d| &d.claims).map(|claim| &claim.subject);
    let mut wanted: BTreeSet<String> = engaged.chain(claimed).cloned().collect();
    let mut seen = BTreeSet::new();
    let mut vendors = Vec::new();
    while let Some(next) = wanted.pop_first() {
        let Some(name) = Name::parse(&next).filter(|name| name.kind() == Kind::Vendor) else { continue };
        if !seen.insert(next) {
            continue;
        }
        let vendor: Vendor = store.get(&name, Some(AsOf::Revision(revision))).await?;
        if vendor.origin() != Origin::Catalog && vendor.delete_time.is_none() {
            wanted.insert(vendor.parent_vendor.clone());
            vendors.push(vendor);
        }
    }
    vendors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(vendors)
}
