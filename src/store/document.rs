//! Documents and their claims.

use futures::{FutureExt, future::BoxFuture};

use super::{
    organization::{check_products, product_paths},
    standard::{Managed, path},
    version::{Reference, Resource, Stored, stored_date, version_methods, version_table},
    writer::Writer,
};
use crate::{
    error::{Result, clip},
    proto::v1::Document,
    resource::{
        filter::{Field, FieldKind},
        name::Kind,
        shape::Violations,
    },
};

version_table!(Document, table "document", entity versions, {
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
    version_methods!(versions);

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

impl Managed for Document {
    fn check(&self, prefix: &str, out: &mut Violations) {
        let parts: Vec<&str> = self.parts.iter().map(|part| part.part_id.as_str()).collect();
        for (i, claim) in self.claims.iter().enumerate() {
            if !claim.part_id.is_empty() && !parts.contains(&claim.part_id.as_str()) {
                let rule = format!("\"{}\" is not a part_id of this document", clip(&claim.part_id));
                out.push((path(prefix, &format!("claims[{i}].part_id")), rule));
            }
        }
    }

    fn verify<'a>(&'a self, writer: &'a Writer, _before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        check_products(writer, &self.name, Self::KIND.singular(), product_paths("", &self.products)).boxed()
    }
}
