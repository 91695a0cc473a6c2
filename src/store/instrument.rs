//! Instruments.

use futures::{FutureExt, future::BoxFuture};

use super::{
    standard::{Managed, path},
    vendor::origin_after,
    version::{Reference, Resource, Stored, version_methods, version_table},
    writer::Writer,
};
use crate::{
    error::{Error, Reason, Result, clip},
    proto::v1::{ExporterArea, Instrument, Regime},
    resource::{
        filter::{Field, FieldKind},
        name::{Kind, Name},
        shape::Violations,
    },
};

version_table!(Instrument, table "instrument", entity versions, {
    title: String = |m| m.title.clone(),
    citation: String = |m| m.citation.clone(),
    celex: String = |m| m.celex.clone(),
    kind: i32 = |m| m.kind,
    origin: i32 = |m| m.origin,
    is_transfer_mechanism: bool = |m| m.is_transfer_mechanism,
});

impl Resource for Instrument {
    const KIND: Kind = Kind::Instrument;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("title", FieldKind::Text).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("kind", FieldKind::Choice("subprocessor.registry.v1.Instrument.Kind")),
        Field::new("citation", FieldKind::Text),
        Field::new("celex", FieldKind::Text),
        Field::new("is_transfer_mechanism", FieldKind::Flag),
        Field::new("origin", FieldKind::Choice("subprocessor.registry.v1.Vendor.Origin")),
        Field::new("regimes", FieldKind::Choices("subprocessor.registry.v1.Regime")),
        Field::new("exporter_areas", FieldKind::Choices("subprocessor.registry.v1.ExporterArea")),
        Field::new("region_codes", FieldKind::Texts),
    ];
    version_methods!(versions);

    fn values(&self) -> Vec<(&'static str, String)> {
        let periods = self.periods.iter().flat_map(|period| {
            let areas = period.exporter_areas().map(|area: ExporterArea| {
                ("exporter_areas", area.as_str_name().trim_start_matches("EXPORTER_AREA_").to_owned())
            });
            std::iter::once(("regimes", super::organization::short(period.regime()))).chain(areas)
        });
        let importers = self.importers.iter().filter(|importer| !importer.region_code.is_empty());
        periods.chain(importers.map(|importer| ("region_codes", importer.region_code.clone()))).collect()
    }

    /// Instruments name each other in circles (predecessors and successors), and the law does not wait for the register
    /// to know both ends: these names are checked by the catalog's test, not held as references.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }
}

impl Managed for Instrument {
    fn check(&self, prefix: &str, out: &mut Violations) {
        for (i, period) in self.periods.iter().enumerate() {
            let mut missing = |field: &str, is_missing: bool| {
                if is_missing {
                    out.push((path(prefix, &format!("periods[{i}].{field}")), "is required".to_owned()));
                }
            };
            missing("regime", period.regime() == Regime::Unspecified);
            missing("exporter_areas", period.exporter_areas.is_empty());
            missing("from_date", period.from_date.is_empty());
        }
    }

    fn admit<'a>(&'a mut self, _writer: &'a Writer, before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        self.set_origin(origin_after(before.map(|before| &before.message), self, Self::origin));
        async { Ok(()) }.boxed()
    }

    /// What it requires must be known: an answer would otherwise be given without it.
    fn verify<'a>(&'a self, writer: &'a Writer, _before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            let mut wrong = Violations::new();
            for (i, one) in self.requires.iter().enumerate() {
                let name = Name::parse(&one.instrument).filter(|name| name.kind() == Kind::Instrument);
                let known = match &name {
                    Some(name) => writer.existing::<Self>(name).await?.is_some(),
                    None => false,
                };
                if !known {
                    let rule = format!("\"{}\" is not a known instrument", clip(&one.instrument));
                    wrong.push((format!("instrument.requires[{i}].instrument"), rule));
                }
            }
            if wrong.is_empty() { Ok(()) } else { Err(Error::fields(Reason::FieldInvalid, wrong)) }
        }
        .boxed()
    }
}
