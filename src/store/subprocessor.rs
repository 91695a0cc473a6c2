//! Subprocessors.

use super::version::{Reference, Resource, stored_date, version_methods, version_table};
use crate::{
    proto::v1::Subprocessor,
    resource::{
        filter::{Field, FieldKind},
        name::Kind,
    },
};

version_table!(Subprocessor, table "subprocessor", entity subprocessor, {
    display_name: String = |m| m.display_name.clone(),
    vendor: String = |m| m.vendor.clone(),
    section: String = |m| m.section.clone(),
    engaged_by: String = |m| m.engaged_by.clone(),
    start_date: String = |m| stored_date(&m.start_date),
    start_date_desc: String = |m| m.start_date.clone(),
    end_date: String = |m| stored_date(&m.end_date),
    end_date_desc: String = |m| m.end_date.clone(),
    next_review_date: String = |m| stored_date(&m.next_review_date),
    role: i32 = |m| m.role,
    state: i32 = |m| m.state,
    listed: bool = |m| m.listed,
});

impl Resource for Subprocessor {
    const KIND: Kind = Kind::Subprocessor;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("display_name", FieldKind::Text).ordered(),
        Field::new("start_date", FieldKind::Date).ordered(),
        Field::new("end_date", FieldKind::Date).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("vendor", FieldKind::Text),
        Field::new("section", FieldKind::Text),
        Field::new("engaged_by", FieldKind::Text),
        Field::new("next_review_date", FieldKind::Date),
        Field::new("role", FieldKind::Choice("subprocessor.registry.v1.Role")),
        Field::new("state", FieldKind::Choice("subprocessor.registry.v1.Subprocessor.State")),
        Field::new("listed", FieldKind::Flag),
        Field::new("products", FieldKind::Texts),
        Field::new("purposes", FieldKind::Texts),
        Field::new("data_categories", FieldKind::Texts),
        Field::new("vendor_services", FieldKind::Texts),
        Field::new("alternative_vendors", FieldKind::Texts),
        Field::new("region_codes", FieldKind::Texts),
        Field::new("areas", FieldKind::Texts),
    ];
    version_methods!(subprocessor);

    fn values(&self) -> Vec<(&'static str, String)> {
        let plain = [
            ("products", &self.products),
            ("purposes", &self.purposes),
            ("data_categories", &self.data_categories),
            ("vendor_services", &self.vendor_services),
            ("alternative_vendors", &self.alternative_vendors),
        ];
        let plain = plain.into_iter().flat_map(|(field, values)| values.iter().map(move |v| (field, v.clone())));
        let locations = self
            .locations
            .iter()
            .flat_map(|location| [("region_codes", location.region_code.clone()), ("areas", location.area.clone())]);
        plain.chain(locations.filter(|(_, value)| !value.is_empty())).collect()
    }

    fn references(&self) -> Vec<Reference> {
        let document = self.dpa.as_ref().map(|dpa| dpa.document.as_str()).unwrap_or_default();
        let single = [
            (Kind::Vendor, "vendor", self.vendor.as_str()),
            (Kind::Subprocessor, "engaged_by", self.engaged_by.as_str()),
            (Kind::Document, "dpa.document", if document.starts_with("organizations/") { document } else { "" }),
        ];
        let single = single.into_iter().filter(|(_, _, name)| !name.is_empty());
        let alternatives = self.alternative_vendors.iter().enumerate();
        single
            .map(|(kind, field, name)| Reference::to(kind, field, name))
            .chain(alternatives.map(|(i, v)| Reference::to(Kind::Vendor, format!("alternative_vendors[{i}]"), v)))
            .collect()
    }
}
