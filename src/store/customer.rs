//! Customers and what was agreed with them.

use futures::{FutureExt, future::BoxFuture};

use super::{
    document::document_rule,
    organization::{check_products, product_paths},
    standard::{Managed, path},
    version::{Reference, Resource, Stored, stored_date, version_methods, version_table},
    writer::Writer,
};
use crate::{
    error::Result,
    proto::v1::Customer,
    resource::{
        filter::{Field, FieldKind},
        name::Kind,
        shape::Violations,
    },
};

version_table!(Customer, table "customer", entity versions, {
    display_name: String = |m| m.display_name.clone(),
    external_id: String = |m| m.external_id.clone(),
    region_code: String = |m| m.region_code.clone(),
    end_date: String = |m| stored_date(&m.end_date),
});

impl Resource for Customer {
    const KIND: Kind = Kind::Customer;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("display_name", FieldKind::Text).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("external_id", FieldKind::Text),
        Field::new("region_code", FieldKind::Text),
        Field::new("end_date", FieldKind::Date),
        Field::new("products", FieldKind::Texts),
    ];
    version_methods!(versions);

    fn values(&self) -> Vec<(&'static str, String)> {
        self.products.iter().map(|product| ("products", product.clone())).collect()
    }

    fn references(&self) -> Vec<Reference> {
        let document = self.agreement.iter().map(|agreement| agreement.document.as_str());
        document
            .filter(|document| document.starts_with("organizations/"))
            .map(|document| Reference::to(Kind::Document, "agreement.document", document))
            .collect()
    }
}

impl Managed for Customer {
    fn check(&self, prefix: &str, out: &mut Violations) {
        if let Some(rule) = self.agreement.as_ref().and_then(|agreement| document_rule(&agreement.document)) {
            out.push((path(prefix, "agreement.document"), rule));
        }
    }

    fn verify<'a>(&'a self, writer: &'a Writer, _before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        check_products(writer, &self.name, Self::KIND.singular(), product_paths("", &self.products)).boxed()
    }

    /// Who joins is told what is announced, and for who leaves nothing waits.
    fn follow<'a>(&'a self, writer: &'a mut Writer) -> BoxFuture<'a, Result<()>> {
        writer.customer_written(self);
        async { Ok(()) }.boxed()
    }
}
