//! Vendors.

use std::collections::HashSet;

use futures::{FutureExt, future::BoxFuture};

use super::{
    standard::Managed,
    version::{Reference, Resource, Stored, version_methods, version_table},
    writer::Writer,
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{Subprocessor, Vendor, vendor::Origin},
    resource::{
        filter::{Field, FieldKind},
        name::{Kind, Name},
        shape::Violations,
    },
};

version_table!(Vendor, table "vendor", entity versions, {
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
    version_methods!(versions);

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

impl Managed for Vendor {
    fn check(&self, _prefix: &str, _out: &mut Violations) {}

    fn admit<'a>(&'a mut self, _writer: &'a Writer, before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        self.set_origin(origin_after(before.map(|before| &before.message), self, Self::origin));
        async { Ok(()) }.boxed()
    }

    fn verify<'a>(&'a self, writer: &'a Writer, before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            self.refuse_cycle(writer).await?;
            match before {
                Some(before) => self.refuse_loss(writer, &before.message).await,
                None => Ok(()),
            }
        }
        .boxed()
    }
}

/// Where a resource that may be built in stands when an operator has written it.
pub(super) fn origin_after<R: PartialEq>(before: Option<&R>, after: &R, origin: fn(&R) -> Origin) -> Origin {
    match before.map(origin) {
        None | Some(Origin::Custom | Origin::Unspecified) => Origin::Custom,
        // Saying of a built-in one what the catalog says of it changes nothing.
        Some(Origin::Catalog) if before == Some(after) => Origin::Catalog,
        // An operator's change keeps the next catalog from undoing it; bringing it back as it was does too.
        Some(Origin::Catalog | Origin::Overridden) => Origin::Overridden,
    }
}

impl Vendor {
    /// Refuses a parent that is the vendor itself or one of its subsidiaries.
    async fn refuse_cycle(&self, writer: &Writer) -> Result<()> {
        let mut seen = HashSet::new();
        let mut next = self.parent_vendor.clone();
        while let Some(name) = Name::parse(&next).filter(|name| name.kind() == Kind::Vendor) {
            if next == self.name {
                let rule = format!("{} would own itself through {}", self.name, self.parent_vendor);
                return Err(Error::fields(Reason::ChainCycle, vec![("vendor.parent_vendor".to_owned(), rule)]));
            }
            if !seen.insert(next) {
                // A circle further up is for those in it to answer for.
                break;
            }
            let Some(parent) = writer.find::<Self>(&name).await? else { break };
            next = parent.message.parent_vendor;
        }
        Ok(())
    }

    /// Refuses to drop an entity or a service that a subprocessor names.
    ///
    /// # Errors
    /// RESOURCE_IN_USE with each that names one.
    pub(crate) async fn refuse_loss(&self, writer: &Writer, before: &Self) -> Result<()> {
        let lost_entities: Vec<&str> = before
            .entities
            .iter()
            .map(|entity| entity.entity_id.as_str())
            .filter(|id| !self.entities.iter().any(|entity| entity.entity_id == *id))
            .collect();
        let lost_services: Vec<&str> = before
            .services
            .iter()
            .map(|service| service.service_id.as_str())
            .filter(|id| !self.services.iter().any(|service| service.service_id == *id))
            .collect();
        if lost_entities.is_empty() && lost_services.is_empty() {
            return Ok(());
        }
        let users = writer.live_with::<Subprocessor>("vendor", &self.name).await?;
        let mut error =
            Error::new(Reason::ResourceInUse, format!("{}: an entity or service to be dropped is in use", self.name));
        let mut used = false;
        for user in users {
            let services = user.message.vendor_services.iter().filter(|id| lost_services.contains(&id.as_str()));
            let entity = Some(&user.message.vendor_entity).filter(|id| lost_entities.contains(&id.as_str()));
            for id in entity.into_iter().chain(services) {
                error = error.precondition(
                    "REFERENCE",
                    user.name(),
                    format!("{} names {id} of {}", user.name(), self.name),
                );
                used = true;
            }
        }
        if used { Err(error) } else { Ok(()) }
    }
}
