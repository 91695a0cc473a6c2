//! Whose list it is, as far as the registry does not know better: its name, and its products.

use std::collections::{BTreeSet, HashMap};

use super::{
    super::{
        ids::{self, Ids},
        report::Report,
        text,
    },
    Known,
};
use crate::{
    proto::v1::{Organization, Product, Subprocessor},
    resource::name::Name,
    rules::publication::Publisher,
};

/// The organization as the registry has it, or a new one. `named`: its name, as the page has it.
pub(super) fn organization(known: &Known, name: &Name, named: Option<String>) -> Organization {
    if let Some(entry) = known.existing.as_ref().and_then(|existing| existing.organization.as_ref()) {
        return entry.message.clone();
    }
    let display_name = known.display_name.clone().or(named).unwrap_or_else(|| known.organization.clone());
    Organization { name: name.as_str().to_owned(), display_name, ..Organization::default() }
}

/// Takes over what a list says of its publisher, beside its products.
pub(super) fn publish(publisher: Publisher, known: &Known, organization: &mut Organization) {
    if known.existing.as_ref().is_none_or(|existing| existing.organization.is_none()) {
        if known.display_name.is_none() && !publisher.name.trim().is_empty() {
            organization.display_name = publisher.name;
        }
        organization.legal_name = publisher.legal_name;
        organization.region_code = publisher.region_code;
        organization.website_uri = publisher.website_uri;
    }
}

/// The organization's products, by what lists call them: their names, however written, and their ids.
#[derive(Debug)]
pub(super) struct Products {
    ids: Ids,
    by_name: HashMap<String, String>,
    /// Those that the organization did not have.
    new: Vec<Product>,
}

impl Products {
    /// The products that an organization has.
    pub(super) fn of(organization: &Organization) -> Self {
        let ids: BTreeSet<String> = organization.products.iter().map(|product| product.product_id.clone()).collect();
        let mut by_name = HashMap::new();
        for product in &organization.products {
            by_name.entry(text::fold(&product.display_name)).or_insert_with(|| product.product_id.clone());
        }
        Self { ids: Ids::new(ids), by_name, new: Vec::new() }
    }

    /// The id of a product that a list calls by its name, or by its id.
    pub(super) fn named(&mut self, name: &str, report: &mut Report) -> String {
        if let Some(id) = self.by_name.get(&text::fold(name)) {
            return id.clone();
        }
        if self.ids.is_taken(name) {
            return name.to_owned();
        }
        self.add(&ids::of(name, "product"), name, report)
    }

    /// Takes in the products of a list that gives them ids. Returns, for each of these, the id that the organization has
    /// for it.
    pub(super) fn published(&mut self, publisher: &Publisher, report: &mut Report) -> HashMap<String, String> {
        // What the organization has already goes by another id there, perhaps; two of the list are two.
        let before = self.by_name.clone();
        let mut ids = HashMap::new();
        for product in &publisher.products {
            let id = match before.get(&text::fold(&product.name)) {
                _ if self.ids.is_taken(&product.id) => product.id.clone(),
                Some(id) => id.clone(),
                None => self.add(&product.id, &product.name, report),
            };
            ids.insert(product.id.clone(), id);
        }
        ids
    }

    fn add(&mut self, id: &str, name: &str, report: &mut Report) -> String {
        report.note(0, format!("the organization gets the product \"{}\"", text::clip(name, 60)));
        let id = self.ids.give(id);
        self.by_name.insert(text::fold(name), id.clone());
        self.new.push(Product { product_id: id.clone(), display_name: name.to_owned(), ..Product::default() });
        id
    }

    /// Those that the organization did not have, in the order in which they came.
    pub(super) fn into_new(self) -> Vec<Product> {
        self.new
    }
}

/// Puts the organization's ids of products in the place of a list's.
pub(super) fn rename_products(ids: &HashMap<String, String>, row: &mut Subprocessor) {
    let all = row.products.iter_mut().chain(row.locations.iter_mut().flat_map(|place| &mut place.products));
    for id in all {
        if let Some(own) = ids.get(id.as_str()) {
            id.clone_from(own);
        }
    }
}
