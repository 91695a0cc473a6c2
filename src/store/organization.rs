//! Organizations.

use futures::{FutureExt, future::BoxFuture};

use super::{
    standard::Managed,
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
    fn check(&self, _prefix: &str, _out: &mut Violations) {}

    fn verify<'a>(&'a self, _writer: &'a Writer, _before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async { Ok(()) }.boxed()
    }
}

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
