//! Documents and their claims.

use super::version::{Reference, Resource, stored_date, version_methods, version_table};
use crate::{
    proto::v1::Document,
    resource::{
        filter::{Field, FieldKind},
        name::Kind,
    },
};

version_table!(Document, table "document", entity document, {
    title: String = |m| m.title.clone(),
    uri: String = |m| m.uri.clone(),
    stated_date: String = |m| stored_date(&m.stated_date),
    effective_date: String = |m| stored_date(&m.effective_date),
    end_date: String = |m| stored_date(&m.end_date),
    kind: i32 = |m| m.kind,
});

impl Resource for Document {
    const KIND: Kind = Kind::Document;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("title", FieldKind::Text).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("kind", FieldKind::Choice("subprocessor.registry.v1.Document.Kind")),
        Field::new("uri", FieldKind::Text),
        Field::new("stated_date", FieldKind::Date),
        Field::new("effective_date", FieldKind::Date),
        Field::new("end_date", FieldKind::Date),
        Field::new("products", FieldKind::Texts),
        Field::new("instruments", FieldKind::Texts),
    ];
    version_methods!(document);

    fn values(&self) -> Vec<(&'static str, String)> {
        let products = self.products.iter().map(|product| ("products", product.clone()));
        let instruments = self.claims.iter().filter(|claim| !claim.instrument.is_empty());
        products.chain(instruments.map(|claim| ("instruments", claim.instrument.clone()))).collect()
    }

    fn references(&self) -> Vec<Reference> {
        let claims = self.claims.iter().enumerate();
        claims
            .flat_map(|(i, claim)| {
                let instrument = (!claim.instrument.is_empty())
                    .then(|| Reference::to(Kind::Instrument, format!("claims[{i}].instrument"), &claim.instrument));
                let subject = (!claim.subject.is_empty()).then(|| Reference {
                    field: format!("claims[{i}].subject"),
                    kind: None,
                    name: claim.subject.clone(),
                });
                instrument.into_iter().chain(subject)
            })
            .collect()
    }
}
