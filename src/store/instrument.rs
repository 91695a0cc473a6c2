//! Instruments.

use super::version::{Reference, Resource, version_methods, version_table};
use crate::{
    proto::v1::{ExporterArea, Instrument},
    resource::{
        filter::{Field, FieldKind},
        name::Kind,
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
