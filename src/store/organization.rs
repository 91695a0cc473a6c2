//! Organizations.

use super::version::{Reference, Resource, version_methods, version_table};
use crate::{
    proto::v1::{Organization, Regime},
    resource::{
        filter::{Field, FieldKind},
        name::Kind,
    },
};

version_table!(Organization, table "organization", entity organization, {
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
    version_methods!(organization);

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
