//! The territories of the regimes, as the catalog has them.

use std::collections::HashMap;

use serde::Deserialize;

use crate::{
    error::{Error, Reason, Result},
    manifest::{self, Problems},
    proto::v1::{ExporterArea, Regime},
    rules::law::territory::{Membership, Part, Span, Territories},
};

const TERRITORIES: &str = include_str!("../../catalog/territories.yaml");

/// Reads the built-in territories.
///
/// # Errors
/// MANIFEST_INVALID if they are malformed, which a test rules out.
pub fn territories() -> Result<Territories> {
    let mut problems = Problems::default();
    let root = manifest::node::parse(TERRITORIES, manifest::MAX_BYTES, &mut problems);
    if let Some(error) = problems.into_error() {
        return Err(error);
    }
    let root = root.map(|node| node.to_json()).unwrap_or_default();
    let file: File = serde_json::from_value(root).map_err(|e| malformed(&e.to_string()))?;
    file.territories()
}

fn malformed(what: &str) -> Error {
    Error::new(Reason::ManifestInvalid, format!("catalog/territories.yaml: {what}"))
}

// What a reader of the file needs (notes, sources, titles, marks) is read and left alone.
#[derive(Deserialize)]
struct File {
    acts: Vec<Act>,
    members: Vec<Member>,
    parts: Vec<PartEntry>,
    aliases: Vec<Alias>,
}

#[derive(Deserialize)]
struct Dates {
    #[serde(default)]
    from_date: String,
    #[serde(default)]
    end_date: String,
}

#[derive(Deserialize)]
struct Act {
    regime: String,
    #[serde(flatten)]
    dates: Dates,
}

#[derive(Deserialize)]
struct Member {
    regime: String,
    area: String,
    region_code: String,
    #[serde(flatten)]
    dates: Dates,
}

#[derive(Deserialize)]
struct PartEntry {
    region_code: String,
    part_of: String,
    #[serde(flatten)]
    dates: Dates,
}

#[derive(Deserialize)]
struct Alias {
    alias: String,
    region_code: String,
}

impl Dates {
    fn span(self) -> Span {
        Span { from_date: self.from_date, end_date: self.end_date }
    }
}

impl File {
    fn territories(self) -> Result<Territories> {
        let regime = |word: &str| {
            Regime::from_str_name(&format!("REGIME_{word}"))
                .ok_or_else(|| malformed(&format!("no regime is called {word}")))
        };
        let area = |word: &str| {
            let found = ExporterArea::from_str_name(&format!("EXPORTER_AREA_{word}"));
            found.ok_or_else(|| malformed(&format!("no exporter area is called {word}")))
        };
        let regimes = self.acts.into_iter().map(|act| Ok((regime(&act.regime)?, act.dates.span())));
        let members = self.members.into_iter().map(|one| {
            let (regime, area) = (regime(&one.regime)?, area(&one.area)?);
            Ok(Membership { region_code: one.region_code, regime, area, span: one.dates.span() })
        });
        let parts = self.parts.into_iter();
        let parts =
            parts.map(|one| Part { region_code: one.region_code, part_of: one.part_of, span: one.dates.span() });
        let aliases: HashMap<_, _> = self.aliases.into_iter().map(|one| (one.alias, one.region_code)).collect();
        Ok(Territories::new(regimes.collect::<Result<_>>()?, members.collect::<Result<_>>()?, parts.collect(), aliases))
    }
}
