//! Values of one fact about an organization that cannot both be true.

use super::{Draft, Subject, fact};
use crate::{
    proto::v1::{
        Address, Organization,
        finding::{Kind, Severity},
    },
    rules::law::Dates,
};

impl Subject for Organization {
    fn on(&self, _day: &str) -> Vec<Draft> {
        if self.delete_time.is_some() {
            return Vec::new();
        }
        let addresses: Vec<(usize, &Address)> = self.addresses.iter().enumerate().collect();
        let pairs =
            addresses.iter().enumerate().flat_map(|(i, one)| addresses[i + 1..].iter().map(move |two| (one, two)));
        let differ = pairs.filter(|((_, one), (_, two))| disagree(one, two));
        differ.map(|(one, two)| self.contradiction([*one, *two])).collect()
    }

    fn dates(&self, _dates: &mut Dates) {}
}

impl Organization {
    fn contradiction(&self, pair: [(usize, &Address); 2]) -> Draft {
        let words = pair.map(|(_, address)| written(address));
        let text = format!("two addresses in one place that do not agree: \"{}\" and \"{}\"", words[0], words[1]);
        let evidence =
            pair.map(|(i, address)| fact(&self.name, &format!("addresses[{i}]"), written(address), &self.sources));
        Draft::new(Kind::Contradiction, Severity::Warning, &self.name, format!("addresses {}", words.join(" / ")))
            .says(text, "GDPR Art. 13(1)(a)")
            .cites(evidence)
    }
}

/// Whether two addresses name one place (town and postal code) and differ in the street. Offices in several places, or
/// under several postal codes, are no contradiction.
fn disagree(one: &Address, two: &Address) -> bool {
    let same = |a: &str, b: &str| a.is_empty() || b.is_empty() || plain(a) == plain(b);
    let placed = !one.locality.is_empty() && !one.postal_code.is_empty();
    placed
        && plain(&one.locality) == plain(&two.locality)
        && plain(&one.postal_code) == plain(&two.postal_code)
        && same(&one.region_code, &two.region_code)
        && !one.lines.is_empty()
        && !two.lines.is_empty()
        && street(one) != street(two)
}

/// The words of the lines in any order, without case, punctuation and the usual abbreviations.
fn street(address: &Address) -> Vec<String> {
    let text = plain(&address.lines.join(" "));
    let mut words: Vec<String> = text.split(' ').map(|word| long(word).to_owned()).collect();
    words.sort();
    words
}

fn long(word: &str) -> &str {
    match word {
        "st" => "street",
        "rd" => "road",
        "ave" => "avenue",
        "blvd" => "boulevard",
        "dr" => "drive",
        "fl" | "flr" => "floor",
        "ste" => "suite",
        "n" => "north",
        "s" => "south",
        "e" => "east",
        "w" => "west",
        other => other,
    }
}

fn plain(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn written(address: &Address) -> String {
    if !address.verbatim.is_empty() {
        return address.verbatim.clone();
    }
    let rest = [&address.locality, &address.administrative_area, &address.postal_code, &address.region_code];
    let rest = rest.into_iter().filter(|part| !part.is_empty());
    address.lines.iter().chain(rest).cloned().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(line: &str, locality: &str, postal_code: &str) -> Address {
        Address {
            lines: vec![line.into()],
            locality: locality.into(),
            postal_code: postal_code.into(),
            ..Default::default()
        }
    }

    #[test]
    fn two_streets_in_one_place_contradict_each_other() {
        let here = address("18 West 18th Street, 5th Floor", "New York", "10010");
        for (other, expected) in [
            (address("7 W. 18th St. 5th Fl.", "New York", "10010"), true),
            (address("18 W. 18th St., 5th Fl.", "NEW YORK", "10010"), false),
            (address("5th floor, 18 West 18th Street", "New York", "10010"), false),
            (address("1 Road", "Boston", "02108"), false),
            (address("1 Road", "New York", "10011"), false),
            (Address { lines: vec![], ..here.clone() }, false),
            (Address { region_code: "GB".into(), ..address("1 Road", "New York", "10010") }, true),
        ] {
            let organization = Organization { addresses: vec![here.clone(), other.clone()], ..Default::default() };
            assert_eq!(!organization.on("2026-01-01").is_empty(), expected, "{other:?}");
        }
        let us = Address { region_code: "US".into(), ..here };
        let gb = Address { region_code: "GB".into(), ..address("1 Road", "New York", "10010") };
        assert!(Organization { addresses: vec![us, gb], ..Default::default() }.on("2026-01-01").is_empty());
    }
}
