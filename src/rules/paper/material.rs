//! What papers are made of, and what of it reaches one customer.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use crate::{
    proto::v1::{
        Customer, Document, Entity, Location, Organization, Role, Subprocessor, Transfer, TransferAssessment, Vendor,
        render_paper_request::Kind,
    },
    rules::{law::Law, reach},
};

/// What was read for a paper.
#[derive(Debug)]
pub struct Material {
    /// Which paper.
    pub kind: Kind,
    /// The day, ISO 8601.
    pub date: String,
    /// The revision.
    pub revision: i64,
    /// The law as of that revision.
    pub law: Arc<Law>,
    /// Whose paper.
    pub organization: Organization,
    /// The one customer it is for.
    pub customer: Option<Customer>,
    /// Those it acts for on that day; the one customer only, if it is for one.
    pub customers: Vec<Customer>,
    /// The list of that day, in the order of names.
    pub engagements: Vec<Engagement>,
    /// The transfers of that day, recorded and derived.
    pub transfers: Vec<Judged>,
    /// The documents that the rest refers to, or all, by name.
    pub documents: BTreeMap<String, Document>,
}

/// One engagement on the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Engagement {
    /// The engagement.
    pub subprocessor: Subprocessor,
    /// Who is engaged, if it is known.
    pub vendor: Option<Vendor>,
}

/// A transfer with what the law says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The transfer; one that nobody recorded has no name.
    pub transfer: Transfer,
    /// The answer for the day.
    pub answer: TransferAssessment,
}

/// Whose processing a list of sub-processors is about: those that act on behalf of somebody. A role that nobody stated
/// is the usual one.
pub fn on_behalf(role: Role) -> bool {
    !matches!(
        role,
        Role::Controller
            | Role::JointController
            | Role::IndependentController
            | Role::Recipient
            | Role::DataSource
            | Role::CustomerDirected
    )
}

impl Engagement {
    /// The legal entity that is engaged: the one that is named, or the only one there is.
    pub fn entity(&self) -> Option<&Entity> {
        let entities = &self.vendor.as_ref()?.entities;
        match self.subprocessor.vendor_entity.as_str() {
            "" if entities.len() == 1 => entities.first(),
            "" => None,
            id => entities.iter().find(|entity| entity.entity_id == id),
        }
    }
}

impl Material {
    /// The engagement of a name.
    pub fn engagement(&self, name: &str) -> Option<&Engagement> {
        let found = self.engagements.binary_search_by(|one| one.subprocessor.name.as_str().cmp(name));
        found.ok().and_then(|place| self.engagements.get(place))
    }

    /// Keeps what reaches the customer, if the paper is for one: the engagements whose chain has a product in common
    /// with it, of these the locations that do, and the transfers to what is kept.
    #[must_use]
    pub fn for_customer(mut self) -> Self {
        let Some(products) = self.customer.as_ref().map(|customer| customer.products.clone()) else { return self };
        let chains = chains(&self.engagements);
        self.engagements.retain(|one| reach::overlap(&chains[&one.subprocessor.name], &products));
        self.transfers.retain(|one| !is_elsewhere(one, &self.engagements, &products));
        // Only now: a derived transfer names its location by its place.
        let here = |location: &Location| reach::overlap(&location.products, &products);
        self.engagements.iter_mut().for_each(|one| one.subprocessor.locations.retain(here));
        self.documents.retain(|_, document| reach::overlap(&document.products, &products));
        self
    }
}

/// The products that each engagement is used for, by all of its chain.
fn chains(engagements: &[Engagement]) -> HashMap<String, Vec<String>> {
    let by_name: HashMap<&str, &Subprocessor> =
        engagements.iter().map(|one| (one.subprocessor.name.as_str(), &one.subprocessor)).collect();
    let products = |start: &Subprocessor| {
        let mut chain = vec![start.products.as_slice()];
        let mut seen = HashSet::from([start.name.as_str()]);
        let mut next = by_name.get(start.engaged_by.as_str());
        while let Some(link) = next.filter(|link| seen.insert(link.name.as_str())) {
            chain.push(link.products.as_slice());
            next = by_name.get(link.engaged_by.as_str());
        }
        reach::along(chain.into_iter().rev())
    };
    engagements.iter().map(|one| (one.subprocessor.name.clone(), products(&one.subprocessor))).collect()
}

/// Whether a transfer is by or to an engagement that was left out, or from a location for other products.
fn is_elsewhere(judged: &Judged, kept: &[Engagement], products: &[String]) -> bool {
    let find = |name: &str| {
        let place = kept.binary_search_by(|one| one.subprocessor.name.as_str().cmp(name));
        place.ok().and_then(|place| kept.get(place))
    };
    let left_out = |name: &str| name.contains("/subprocessors/") && find(name).is_none();
    if left_out(&judged.transfer.importer) || left_out(&judged.transfer.exporter) {
        return true;
    }
    let location = judged.answer.derived_from.as_ref().and_then(|from| {
        let index = usize::try_from(from.location_index).ok()?;
        find(&from.subprocessor)?.subprocessor.locations.get(index)
    });
    location.is_some_and(|location| !reach::overlap(&location.products, products))
}
