//! Vendors.

use super::version::{Reference, Resource, version_methods, version_table};
use crate::{
    proto::v1::Vendor,
    resource::{
        filter::{Field, FieldKind},
        name::Kind,
    },
};

version_table!(Vendor, table "vendor", entity vendor, {
    display_name: String = |m| m.display_name.clone(),
    parent_vendor: String = |m| m.parent_vendor.clone(),
    website_uri: String = |m| m.website_uri.clone(),
    origin: i32 = |m| m.origin,
});

impl Resource for Vendor {
    const KIND: Kind = Kind::Vendor;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("display_name", FieldKind::Text).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("parent_vendor", FieldKind::Text),
        Field::new("website_uri", FieldKind::Text),
        Field::new("origin", FieldKind::Choice("subprocessor.registry.v1.Vendor.Origin")),
        Field::new("aliases", FieldKind::Texts),
        Field::new("former_names", FieldKind::Texts),
        Field::new("categories", FieldKind::Texts),
        Field::new("domains", FieldKind::Texts),
        Field::new("legal_names", FieldKind::Texts),
        Field::new("region_codes", FieldKind::Texts),
    ];
    version_methods!(vendor);

    fn values(&self) -> Vec<(&'static str, String)> {
        let plain = [
            ("aliases", &self.aliases),
            ("former_names", &self.former_names),
            ("categories", &self.categories),
            ("domains", &self.domains),
        ];
        let plain = plain.into_iter().flat_map(|(field, values)| values.iter().map(move |v| (field, v.clone())));
        let entities = self.entities.iter().flat_map(|entity| {
            let region = (!entity.region_code.is_empty()).then(|| ("region_codes", entity.region_code.clone()));
            [("legal_names", entity.legal_name.clone())].into_iter().chain(region)
        });
        plain.chain(entities).collect()
    }

    fn references(&self) -> Vec<Reference> {
        let parent =
            (!self.parent_vendor.is_empty()).then(|| Reference::to(Kind::Vendor, "parent_vendor", &self.parent_vendor));
        parent.into_iter().collect()
    }
}
