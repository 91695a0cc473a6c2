//! `instruments.md`: the laws and decisions of the built-in catalog, with their dates.

use std::collections::BTreeMap;

use subprocessor_registry::{
    catalog::Catalog,
    proto::v1::{Instrument, Period, period::EndReason},
};

use crate::markdown::{code, table};

pub(crate) fn page() -> String {
    let catalog = Catalog::builtin().expect("it is well formed");
    let mut kinds: BTreeMap<i32, Vec<Instrument>> = BTreeMap::new();
    for instrument in catalog.instruments {
        kinds.entry(instrument.kind().into()).or_default().push(instrument);
    }
    let mut page = format!(
        "# Instruments\n\n\
         What the catalog of version {} has. Each regime and exporter area has its own first day, and the first day \
         *without* effect, with why it ends. Where there are no new contracts, what was signed before counts to the end. \
         Sources, marks of doubt and the exact words: `subprocessor-registry get instruments/ID -o yaml`, or \
         [`instruments.yaml`](../../catalog/instruments.yaml). Facts for a catalog, not legal advice.\n",
        catalog.version
    );
    for instruments in kinds.values_mut() {
        instruments.sort_by(|left, right| left.name.cmp(&right.name));
        let kind = words(instruments[0].kind().as_str_name(), "KIND_");
        page += &format!("\n## {}{}\n\n", kind[..1].to_uppercase(), &kind[1..]);
        page += &table(["Id", "Act", "Importers", "In effect"], instruments.iter().map(row));
    }
    page
}

fn row(one: &Instrument) -> [String; 4] {
    let id = one.name.trim_start_matches("instruments/");
    let act = if one.citation.is_empty() { &one.title } else { &one.citation };
    [code(id), act.clone(), importers(one), effect(one)]
}

/// The countries it reaches, or whom, where it is not a country's recipients.
fn importers(one: &Instrument) -> String {
    let mut places: Vec<&str> = Vec::new();
    for importer in &one.importers {
        places.push(match (importer.region_code.as_str(), importer.scope.as_str()) {
            ("", "INTERNATIONAL_ORGANISATION") => "an international organisation",
            ("", _) => "any country",
            (country, _) => country,
        });
    }
    places.dedup();
    if places.is_empty() { "any country".to_owned() } else { places.join(", ") }
}

/// Its periods; areas that have the same are named together.
fn effect(one: &Instrument) -> String {
    let mut periods: Vec<(String, Vec<String>)> = Vec::new();
    for period in &one.periods {
        let areas = period.exporter_areas().map(|area| words(area.as_str_name(), "EXPORTER_AREA_").to_uppercase());
        let (regime, dates) = (period.regime().as_str_name().trim_start_matches("REGIME_"), dates(period));
        let text = format!("{}: {dates}", regime.replace('_', " "));
        match periods.iter_mut().find(|(known, _)| *known == text) {
            Some((_, known)) => known.extend(areas),
            None => periods.push((text, areas.collect())),
        }
    }
    let mut lines: Vec<String> = periods.iter().map(|(text, areas)| format!("{text} ({})", areas.join(", "))).collect();
    if !one.is_transfer_mechanism {
        lines.insert(0, "**no transfer tool**".to_owned());
    }
    lines.join("<br>")
}

fn dates(one: &Period) -> String {
    let mut text = if one.from_date.is_empty() { "always".to_owned() } else { format!("from {}", one.from_date) };
    if !one.end_date.is_empty() {
        text += &format!(" to before {}", one.end_date);
    }
    match one.end_reason() {
        EndReason::Unspecified => {}
        // The day may be yet to come.
        EndReason::Expired => text += ", expiry",
        reason => text += &format!(", {}", words(reason.as_str_name(), "END_REASON_")),
    }
    if !one.no_new_contracts_from_date.is_empty() {
        text += &format!("; no new contracts from {}", one.no_new_contracts_from_date);
    }
    text
}

/// The value of an enum as words.
fn words(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).replace('_', " ").to_lowercase()
}
