//! The words of what is published: shorter and plainer than those of papers, which lawyers read.

use jiff::civil::Date;

use crate::{
    proto::v1::{
        Instrument, Location, Module, instrument::Kind as InstrumentKind, location::Activity,
        notice_change::Kind as ChangeKind,
    },
    rules::paper::words::country,
};

/// A country by its name alone.
pub fn land(code: &str) -> String {
    let named = country(code);
    named.strip_suffix(&format!(" ({code})")).map_or_else(|| named.clone(), str::to_owned)
}

/// An area that is no country.
pub fn area(area: &str) -> &str {
    match area {
        "EU" => "European Union",
        "EEA" => "European Economic Area",
        "GLOBAL" | "global" => "Worldwide",
        "CUSTOMER_SELECTED" => "Where the customer chooses",
        other => other,
    }
}

/// What people call a place.
pub fn place(location: &Location) -> String {
    match (location.region_code.as_str(), location.area.as_str()) {
        ("", "") => location.verbatim.clone(),
        ("", only) => area(only).to_owned(),
        (code, "") => land(code),
        (code, part) => format!("{}, {}", land(code), area(part)),
    }
}

/// What happens at a place; empty where it is not stated.
pub fn activity(activity: Activity) -> &'static str {
    match activity {
        Activity::Unspecified | Activity::NotStated => "",
        Activity::Storage => "storage",
        Activity::Processing => "processing",
        Activity::Access => "access",
        Activity::Support => "support",
        Activity::Corporate => "company seat only",
    }
}

/// An instrument as people call it. Those that have no short name go by their title.
pub fn instrument(instrument: &Instrument) -> String {
    let id = instrument.name.rsplit('/').next().unwrap_or_default();
    let short = match id {
        "eu-us-dpf" => "EU-US Data Privacy Framework",
        "uk-extension-dpf" => "UK Extension to the EU-US Data Privacy Framework",
        "swiss-us-dpf" => "Swiss-US Data Privacy Framework",
        "eu-us-privacy-shield" => "EU-US Privacy Shield",
        "swiss-us-privacy-shield" => "Swiss-US Privacy Shield",
        "us-eu-safe-harbor" => "US-EU Safe Harbor",
        "uk-adequacy-transitional" => "UK adequacy regulations",
        "uk-adequacy-korea" => "UK adequacy regulations for the Republic of Korea",
        "swiss-adequacy-annex-1-dpo" | "swiss-fdpic-list" => "Swiss list of adequate countries",
        "uk-idta" => "UK International Data Transfer Agreement",
        "uk-addendum" => "UK Addendum to the EU standard contractual clauses",
        _ => "",
    };
    if !short.is_empty() {
        return short.to_owned();
    }
    match (instrument.kind(), act(&instrument.celex)) {
        (InstrumentKind::StandardContractualClauses, Some(number)) => {
            format!("EU standard contractual clauses ({number})")
        }
        (InstrumentKind::AdequacyDecision, Some(_)) => instrument.title.replacen("Adequacy", "EU adequacy", 1),
        _ => instrument.title.clone(),
    }
}

/// The number of a decision by its CELEX number: `2021/914` of `32021D0914`.
fn act(celex: &str) -> Option<String> {
    let (year, number) = celex.strip_prefix('3')?.split_once('D')?;
    let number: u32 = number.parse().ok()?;
    (year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit())).then(|| format!("{year}/{number}"))
}

/// A module of the clauses.
pub fn module(module: Module) -> &'static str {
    match module {
        Module::Unspecified => "",
        Module::One => "module one",
        Module::Two => "module two",
        Module::Three => "module three",
        Module::Four => "module four",
    }
}

/// What a change does, as a sentence about `name`. `others`: those it replaces.
pub fn summary(kind: ChangeKind, name: &str, others: &[String]) -> String {
    match kind {
        ChangeKind::Add => format!("{name} joins the list"),
        ChangeKind::Replace if others.is_empty() => format!("{name} joins the list"),
        ChangeKind::Replace => format!("{name} replaces {}", crate::rules::paper::words::list(others)),
        ChangeKind::Remove => format!("{name} leaves the list"),
        ChangeKind::ChangePurpose => format!("{name}: what it does changes"),
        ChangeKind::ChangeLocation => format!("{name}: where it processes data changes"),
        ChangeKind::ChangeData => format!("{name}: which data it processes changes"),
        ChangeKind::ChangeScope => format!("{name}: what it is used for changes"),
        ChangeKind::ChangeMechanism => format!("{name}: what its transfers rest on changes"),
        ChangeKind::Rename => format!("{name} gets another name"),
        ChangeKind::Unspecified => name.to_owned(),
    }
}

/// An ISO 8601 day as people write it.
pub fn day(iso: &str) -> String {
    let date = iso.parse::<Date>();
    date.map_or_else(|_| iso.to_owned(), |date| date.strftime("%-d %B %Y").to_string())
}

/// The short word of an enum's value; empty for one that says nothing.
pub fn short(name: &str, prefix: &str) -> String {
    match name.strip_prefix(prefix).unwrap_or(name) {
        "UNSPECIFIED" | "NOT_STATED" => String::new(),
        word => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: &str, title: &str, celex: &str, kind: InstrumentKind) -> Instrument {
        let (name, title, celex) = (format!("instruments/{id}"), title.to_owned(), celex.to_owned());
        Instrument { name, title, celex, kind: kind.into(), ..Instrument::default() }
    }

    #[test]
    fn instruments_have_plain_names() {
        let scc = InstrumentKind::StandardContractualClauses;
        for (id, title, celex, kind, said) in [
            ("eu-scc-2021-914", "long", "32021D0914", scc, "EU standard contractual clauses (2021/914)"),
            ("x", "long", "32010D0087", scc, "EU standard contractual clauses (2010/87)"),
            ("swiss-tdfa", "A title", "", scc, "A title"),
            ("x", "A title", "32O21D0914", scc, "A title"),
            ("eu-us-dpf", "long", "32023D1795", InstrumentKind::CertificationFramework, "EU-US Data Privacy Framework"),
            (
                "x",
                "Adequacy decision for Japan",
                "32019D0419",
                InstrumentKind::AdequacyDecision,
                "EU adequacy decision for Japan",
            ),
            ("own", "Our rules", "32021D0914", InstrumentKind::BindingCorporateRules, "Our rules"),
        ] {
            assert_eq!(instrument(&known(id, title, celex, kind)), said);
        }
    }

    #[test]
    fn places_and_changes_are_said_plainly() {
        let at = |code: &str, area: &str, words: &str| Location {
            region_code: code.into(),
            area: area.into(),
            verbatim: words.into(),
            ..Location::default()
        };
        assert_eq!(place(&at("CH", "", "Zurich")), "Switzerland");
        assert_eq!(place(&at("", "EU", "")), "European Union");
        assert_eq!(place(&at("US", "Oregon", "")), "United States, Oregon");
        assert_eq!(place(&at("", "", "our offices")), "our offices");
        assert_eq!(land("ZZ"), "ZZ");
        assert_eq!(summary(ChangeKind::Replace, "A", &["B".into(), "C".into()]), "A replaces B and C");
        assert_eq!(summary(ChangeKind::Replace, "A", &[]), "A joins the list");
        assert_eq!((day("2026-04-03").as_str(), day("soon").as_str()), ("3 April 2026", "soon"));
        assert_eq!(short("ROLE_NOT_STATED", "ROLE_"), "");
        assert_eq!(short("ROLE_PROCESSOR", "ROLE_"), "PROCESSOR");
    }
}
