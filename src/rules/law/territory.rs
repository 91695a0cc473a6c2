//! The territories of the regimes, as dated facts: GB is inside EU_GDPR until 2020-12-31, and the EU is not the EEA.

use std::collections::HashMap;

use super::{Dates, within};
use crate::proto::v1::{ExporterArea, Regime};

/// The areas that are no country, and of which it is known who belongs to them on a day: what stands in a location may
/// stand in the place of a country.
pub const AREAS: [&str; 2] = ["EU", "EEA"];

/// A span of days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// First day; empty: always.
    pub from_date: String,
    /// First day without; empty: never.
    pub end_date: String,
}

impl Span {
    fn has(&self, day: &str) -> bool {
        within(day, &self.from_date, &self.end_date)
    }

    fn dates(&self, dates: &mut Dates) {
        dates.extend([&self.from_date, &self.end_date].into_iter().filter(|date| !date.is_empty()).cloned());
    }
}

/// A country inside an area of a regime, for a span of days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The country, ISO 3166-1 alpha-2.
    pub region_code: String,
    /// The regime.
    pub regime: Regime,
    /// The area.
    pub area: ExporterArea,
    /// When.
    pub span: Span,
}

/// A country or territory that shares the lot of another, for a span of days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The part, ISO 3166-1 alpha-2.
    pub region_code: String,
    /// What it is a part of.
    pub part_of: String,
    /// When.
    pub span: Span,
}

/// Which countries lie inside which area of which regime, and when.
#[derive(Debug, Clone, Default)]
pub struct Territories {
    regimes: Vec<(Regime, Span)>,
    members: HashMap<String, Vec<Membership>>,
    parts: HashMap<String, Vec<Part>>,
    aliases: HashMap<String, String>,
}

impl Territories {
    /// The territories of these facts. `regimes`: when each had effect, under whatever act. `aliases`: codes that stand
    /// for another, such as EL for GR.
    pub fn new(
        regimes: Vec<(Regime, Span)>,
        members: Vec<Membership>,
        parts: Vec<Part>,
        aliases: HashMap<String, String>,
    ) -> Self {
        let mut territories = Self { regimes, aliases, ..Self::default() };
        for member in members {
            territories.members.entry(member.region_code.clone()).or_default().push(member);
        }
        for part in parts {
            territories.parts.entry(part.region_code.clone()).or_default().push(part);
        }
        territories
    }

    /// Whether the regime had effect anywhere on that day.
    pub fn in_force(&self, regime: Regime, day: &str) -> bool {
        self.regimes.iter().any(|(one, span)| *one == regime && span.has(day))
    }

    /// The area of the regime in which a country lies on that day; none if it lies outside.
    pub fn area(&self, region_code: &str, regime: Regime, day: &str) -> Option<ExporterArea> {
        let memberships = self.members.get(self.whole(region_code, day)).into_iter().flatten();
        memberships.filter(|one| one.regime == regime && one.span.has(day)).map(|one| one.area).next()
    }

    /// The country whose lot a territory shares on that day: what it is a part of, else itself.
    pub fn whole<'a>(&'a self, region_code: &'a str, day: &str) -> &'a str {
        let region = self.aliases.get(region_code).map_or(region_code, String::as_str);
        let whole = self.parts.get(region).into_iter().flatten().find(|part| part.span.has(day));
        whole.map_or(region, |part| part.part_of.as_str())
    }

    /// A country or territory, and every country that it is a part of on any day.
    pub fn wholes<'a>(&'a self, region_code: &'a str) -> impl Iterator<Item = &'a str> {
        let region = self.aliases.get(region_code).map_or(region_code, String::as_str);
        let parts = self.parts.get(region).into_iter().flatten();
        std::iter::once(region).chain(parts.map(|part| part.part_of.as_str()))
    }

    /// The countries that a destination means on that day: the members of one of [`AREAS`], else itself. Who is inside
    /// is what the EU's own law says, whichever regime asks; until 2020-12-31 that has the United Kingdom in it.
    pub fn countries<'a>(&'a self, destination: &'a str, day: &str) -> Vec<&'a str> {
        if AREAS.contains(&destination) { self.belonging(destination, Some(day)) } else { vec![destination] }
    }

    /// Those who belong to an area on a day, or on any; by code.
    fn belonging(&self, area: &str, day: Option<&str>) -> Vec<&str> {
        let belongs = |one: &&Membership| {
            one.regime == Regime::EuGdpr
                && (area == "EEA" || one.area != ExporterArea::EeaEfta)
                && day.is_none_or(|day| one.span.has(day))
        };
        let members = self.members.values().flatten().filter(belongs);
        let mut codes: Vec<&str> = members.map(|one| one.region_code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// Adds the days on which what a destination means may change, and returns all countries that it means on any.
    pub fn meant<'a>(&'a self, destination: &'a str, dates: &mut Dates) -> Vec<&'a str> {
        if !AREAS.contains(&destination) {
            return vec![destination];
        }
        let ever = self.belonging(destination, None);
        let members = ever.iter().filter_map(|code| self.members.get(*code)).flatten();
        members.filter(|one| one.regime == Regime::EuGdpr).for_each(|one| one.span.dates(dates));
        ever
    }

    /// The areas that the regime has on that day.
    pub fn areas(&self, regime: Regime, day: &str) -> Vec<ExporterArea> {
        let members = self.members.values().flatten();
        let mut areas: Vec<_> =
            members.filter(|one| one.regime == regime && one.span.has(day)).map(|one| one.area).collect();
        areas.sort_unstable();
        areas.dedup();
        areas
    }

    /// Adds the days on which a country's place in a regime may change; for no country, those of the regime itself.
    pub fn dates(&self, region_code: Option<&str>, regime: Regime, dates: &mut Dates) {
        for (_, span) in self.regimes.iter().filter(|(one, _)| *one == regime) {
            span.dates(dates);
        }
        let Some(code) = region_code else {
            // Which areas there are depends on all members.
            self.members.values().flatten().filter(|one| one.regime == regime).for_each(|one| one.span.dates(dates));
            return;
        };
        for region in self.wholes(code) {
            self.parts.get(region).into_iter().flatten().for_each(|part| part.span.dates(dates));
            let memberships = self.members.get(region).into_iter().flatten();
            memberships.filter(|one| one.regime == regime).for_each(|one| one.span.dates(dates));
        }
    }
}
