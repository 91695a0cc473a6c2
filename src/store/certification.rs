//! Certifications: who takes part in which framework, and since when.

use futures::{FutureExt, future::BoxFuture};

use super::{
    standard::{Managed, path},
    version::{Reference, Resource, Stored, stored_date, version_methods, version_table},
    writer::Writer,
};
use crate::{
    error::{Error, Reason, Result, clip},
    proto::v1::{Certification, Instrument, Organization, Vendor, instrument::Kind as InstrumentKind},
    resource::{
        filter::{Field, FieldKind},
        name::{Kind, Name},
        shape::Violations,
    },
};

version_table!(Certification, table "certification", entity versions, {
    parent: String = |m| Name::parse(&m.name).and_then(|name| name.parent()).map(|parent| parent.to_string()).unwrap_or_default(),
    framework: String = |m| m.framework.clone(),
    entity_id: String = |m| m.entity_id.clone(),
    start_date: String = |m| stored_date(&m.start_date),
    start_date_desc: String = |m| m.start_date.clone(),
    end_date: String = |m| stored_date(&m.end_date),
    end_date_desc: String = |m| m.end_date.clone(),
    next_due_date: String = |m| stored_date(&m.next_due_date),
    next_due_date_desc: String = |m| m.next_due_date.clone(),
    status: i32 = |m| m.status,
});

impl Resource for Certification {
    const KIND: Kind = Kind::Certification;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("start_date", FieldKind::Date).ordered(),
        Field::new("end_date", FieldKind::Date).ordered(),
        Field::new("next_due_date", FieldKind::Date).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("framework", FieldKind::Text),
        Field::new("entity_id", FieldKind::Text),
        Field::new("status", FieldKind::Choice("subprocessor.registry.v1.Certification.Status")),
        Field::new("covered_data", FieldKind::Choices("subprocessor.registry.v1.DataKind")),
    ];
    version_methods!(versions);

    fn values(&self) -> Vec<(&'static str, String)> {
        let short = |kind: crate::proto::v1::DataKind| kind.as_str_name().trim_start_matches("DATA_KIND_").to_owned();
        self.covered_data().map(|kind| ("covered_data", short(kind))).collect()
    }

    fn references(&self) -> Vec<Reference> {
        vec![Reference::to(Kind::Instrument, "framework", &self.framework)]
    }
}

impl Managed for Certification {
    fn check(&self, prefix: &str, out: &mut Violations) {
        let mut last = "";
        for (i, entry) in self.history.iter().enumerate() {
            if !last.is_empty() && entry.from_date.as_str() <= last {
                let rule = format!("must come after {last}, the entry before");
                out.push((path(prefix, &format!("history[{i}].from_date")), rule));
            }
            last = &entry.from_date;
        }
        if let Some(newest) = self.history.last().filter(|newest| newest.status != self.status) {
            let word = newest.status().as_str_name().trim_start_matches("STATUS_");
            out.push((path(prefix, "status"), format!("must be {word}, the status of the last entry of history")));
        }
    }

    fn verify<'a>(&'a self, writer: &'a Writer, _before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            let mut wrong = Violations::new();
            let framework = match Name::parse(&self.framework).filter(|name| name.kind() == Kind::Instrument) {
                Some(name) => writer.find::<Instrument>(&name).await?,
                // A name that leads nowhere is refused with the other references.
                None => None,
            };
            let regions = match &framework {
                Some(framework) => self.takes(&framework.message, &mut wrong),
                None => Vec::new(),
            };
            self.check_participant(writer, &regions, &mut wrong).await?;
            if wrong.is_empty() { Ok(()) } else { Err(Error::fields(Reason::FieldInvalid, wrong)) }
        }
        .boxed()
    }
}

impl Certification {
    /// The countries whose companies the framework takes; none: it does not ask.
    fn takes<'a>(&self, framework: &'a Instrument, wrong: &mut Violations) -> Vec<&'a str> {
        use InstrumentKind::{BindingCorporateRules, CertificationFramework, CertificationMechanism, CodeOfConduct};
        let joined = [CertificationFramework, CertificationMechanism, CodeOfConduct, BindingCorporateRules];
        if !joined.contains(&framework.kind()) {
            let rule = format!("{} is nothing to take part in", self.framework);
            wrong.push(("certification.framework".to_owned(), rule));
        }
        let regions: Vec<&str> = framework.importers.iter().map(|one| one.region_code.as_str()).collect();
        if regions.contains(&"") { Vec::new() } else { regions }
    }

    /// Checks who takes part: an entity that its vendor has, in a country that the framework takes companies of.
    async fn check_participant(&self, writer: &Writer, regions: &[&str], wrong: &mut Violations) -> Result<()> {
        let Some(parent) = Name::parse(&self.name).and_then(|name| name.parent()) else { return Ok(()) };
        let field = || "certification.entity_id".to_owned();
        let of: Vec<(String, String)> = if parent.kind() == Kind::Vendor {
            let Some(vendor) = writer.find::<Vendor>(&parent).await? else { return Ok(()) };
            let entities = vendor.message.entities.into_iter();
            let mut of: Vec<_> = entities.map(|entity| (entity.entity_id, entity.region_code)).collect();
            if !self.entity_id.is_empty() {
                of.retain(|(id, _)| *id == self.entity_id);
                if of.is_empty() {
                    wrong.push((field(), format!("\"{}\" is not an entity of {parent}", clip(&self.entity_id))));
                }
            }
            of
        } else {
            if !self.entity_id.is_empty() {
                wrong.push((field(), "only vendors have entities".to_owned()));
            }
            let Some(organization) = writer.find::<Organization>(&parent).await? else { return Ok(()) };
            vec![(String::new(), organization.message.region_code)]
        };
        let inside = |(_, region): &(String, String)| region.is_empty() || regions.contains(&region.as_str());
        if !regions.is_empty() && !of.is_empty() && !of.iter().any(inside) {
            let rule = format!("{} takes only companies of {}", self.framework, regions.join(", "));
            wrong.push((field(), rule));
        }
        Ok(())
    }
}
