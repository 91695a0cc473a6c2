//! Transfers that nobody recorded: a location outside a regime needs cover, whether or not somebody wrote down how.

use super::territory;
use crate::proto::v1::{DerivedFrom, Organization, Regime, Subprocessor, Transfer, location::Activity};

/// A transfer that follows from where a subprocessor processes, and from which of its locations.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    /// The location.
    pub from: DerivedFrom,
    /// The transfer, with nothing to rest on but what the law implies. Its destination is a country, an area of which
    /// the law knows the members ([`territory::AREAS`]), or not stated.
    pub transfer: Transfer,
}

/// The transfers that follow from the locations of a subprocessor; where it only has its seat none does. Which of them
/// somebody recorded, [`speaks_for`] says.
pub fn derive(organization: &Organization, subprocessor: &Subprocessor) -> Vec<Derived> {
    let mut derived = Vec::new();
    for (regime, assumed) in regimes(organization) {
        for (index, location) in subprocessor.locations.iter().enumerate() {
            let (region, area) = (location.region_code.as_str(), location.area.as_str());
            let known = Some(area).filter(|area| region.is_empty() && territory::AREAS.contains(area));
            let inside = regime == Regime::EuGdpr && known.is_some();
            if location.activity() == Activity::Corporate || inside {
                continue;
            }
            let from = DerivedFrom {
                subprocessor: subprocessor.name.clone(),
                location_index: i32::try_from(index).unwrap_or(i32::MAX),
                region_code: region.to_owned(),
                verbatim: location.verbatim.clone(),
            };
            let transfer = Transfer {
                regime: regime.into(),
                exporter: organization.name.clone(),
                importer: subprocessor.name.clone(),
                destination_region_codes: Some(region)
                    .filter(|code| !code.is_empty())
                    .or(known)
                    .map(str::to_owned)
                    .into_iter()
                    .collect(),
                start_date: subprocessor.start_date.clone(),
                end_date: subprocessor.end_date.clone(),
                assumed,
                ..Transfer::default()
            };
            derived.push(Derived { from, transfer });
        }
    }
    derived
}

/// Whether a recorded transfer speaks for a derived one: the same regime and importer, and its destination among those
/// recorded. Where the location is no country ("worldwide"), only one that states no destination either does: that data
/// may go to one country says nothing of the others (GDPR Art. 44 asks of each transfer).
pub fn speaks_for(recorded: &Transfer, derived: &Transfer) -> bool {
    recorded.regime == derived.regime
        && recorded.importer == derived.importer
        && match derived.destination_region_codes.as_slice() {
            [code] if !territory::AREAS.contains(&code.as_str()) => recorded.destination_region_codes.contains(code),
            _ => recorded.destination_region_codes.is_empty(),
        }
}

/// The regimes of an organization, each with whether it is assumed.
fn regimes(organization: &Organization) -> Vec<(Regime, bool)> {
    let mut regimes: Vec<(Regime, bool)> = organization.regimes().map(|one| (one, false)).collect();
    for assumed in organization.assumed_regimes() {
        if !regimes.iter().any(|(one, _)| *one == assumed) {
            regimes.push((assumed, true));
        }
    }
    regimes
}
