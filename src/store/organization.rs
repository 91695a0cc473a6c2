//! Organizations.

use futures::{FutureExt, future::BoxFuture};

use super::{
    standard::{Managed, path},
    version::{Reference, Resource, Stored, version_methods, version_table},
    writer::Writer,
};
use crate::{
    error::{Error, Reason, Result, clip},
    proto::v1::{Organization, Regime},
    resource::{
        filter::{Field, FieldKind},
        name::{Kind, Name},
        shape::Violations,
    },
    rules::publication::appearance,
};

version_table!(Organization, table "organization", entity versions, {
    display_name: String = |m| m.display_name.clone(),
    legal_name: String = |m| m.legal_name.clone(),
    region_code: String = |m| m.region_code.clone(),
    role: i32 = |m| m.role,
});

impl Resource for Organization {
    const KIND: Kind = Kind::Organization;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("display_name", FieldKind::Text).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("legal_name", FieldKind::Text),
        Field::new("region_code", FieldKind::Text),
        Field::new("role", FieldKind::Choice("subprocessor.registry.v1.Role")),
        Field::new("products", FieldKind::Texts),
        Field::new("regimes", FieldKind::Choices("subprocessor.registry.v1.Regime")),
        Field::new("assumed_regimes", FieldKind::Choices("subprocessor.registry.v1.Regime")),
    ];
    version_methods!(versions);

    fn values(&self) -> Vec<(&'static str, String)> {
        let products = self.products.iter().map(|product| ("products", product.product_id.clone()));
        let regimes = self.regimes().map(|regime| ("regimes", short(regime)));
        let assumed = self.assumed_regimes().map(|regime| ("assumed_regimes", short(regime)));
        products.chain(regimes).chain(assumed).collect()
    }

    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }
}

/// The short word for a regime.
pub(super) fn short(regime: Regime) -> String {
    regime.as_str_name().trim_start_matches("REGIME_").to_owned()
}

impl Managed for Organization {
    fn check(&self, prefix: &str, out: &mut Violations) {
        let wrong = self.page.iter().flat_map(appearance::violations);
        out.extend(wrong.map(|(field, rule)| (path(prefix, &format!("page.{field}")), rule)));
    }

    fn verify<'a>(&'a self, writer: &'a Writer, before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            let Some(before) = before else { return Ok(()) };
            let lost: Vec<&str> = before
                .message
                .products
                .iter()
                .map(|product| product.product_id.as_str())
                .filter(|id| !self.products.iter().any(|product| product.product_id == *id))
                .collect();
            refuse_lost_products(writer, before.resource_id, &self.name, &lost).await
        }
        .boxed()
    }
}

/// Refuses to drop products that something of the organization names.
async fn refuse_lost_products(writer: &Writer, organization_id: i64, name: &str, lost: &[&str]) -> Result<()> {
    const SHOWN: usize = 10;
    if lost.is_empty() {
        return Ok(());
    }
    let mut users = Vec::new();
    for kind in [Kind::Subprocessor, Kind::Customer, Kind::Document, Kind::Notice] {
        users.extend(super::read::users_of(writer.tx(), kind, organization_id, PRODUCT_FIELDS, lost).await?);
    }
    if users.is_empty() {
        return Ok(());
    }
    let message = format!("{name}: a product to be dropped is in use, {} times", users.len());
    let error = Error::new(Reason::ResourceInUse, message).with("references", users.len());
    Err(users.into_iter().take(SHOWN).fold(error, |error, (user, product)| {
        let text = format!("{user} names the product {product}");
        error.precondition("REFERENCE", &user, text)
    }))
}

/// The fields of the table of values that hold ids of products.
const PRODUCT_FIELDS: &[&str] = &["products", LOCATION_PRODUCTS];

/// The products of a subprocessor's locations: kept to find who uses a product, not offered to filters.
pub(super) const LOCATION_PRODUCTS: &str = "locations.products";

/// Refuses ids of products that the organization of `name` does not have.
pub(super) async fn check_products(
    writer: &Writer,
    name: &str,
    field: &str,
    products: Vec<(String, String)>,
) -> Result<()> {
    if products.is_empty() {
        return Ok(());
    }
    let Some(parent) = Name::parse(name).and_then(|name| name.parent()) else { return Ok(()) };
    let organization = writer.get::<Organization>(&parent).await?.message;
    let known: Vec<&str> = organization.products.iter().map(|product| product.product_id.as_str()).collect();
    let wrong: Violations = products
        .into_iter()
        .filter(|(_, id)| !known.contains(&id.as_str()))
        .map(|(path, id)| {
            let rule = format!("\"{}\" is not a product_id of {parent}; it has: {}", clip(&id), known.join(", "));
            (format!("{field}.{path}"), rule)
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(Error::fields(Reason::FieldInvalid, wrong)) }
}

/// The paths and values of a repeated `products`.
pub(super) fn product_paths(prefix: &str, products: &[String]) -> Vec<(String, String)> {
    products.iter().enumerate().map(|(i, id)| (format!("{prefix}products[{i}]"), id.clone())).collect()
}
