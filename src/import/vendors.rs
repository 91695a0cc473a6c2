//! Names to vendors: those that the registry knows, those that are proposed, and categories that are none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    draft::{Draft, to_line},
    find::has_legal_form,
    ids::{self, Ids},
    items,
    report::{Outcome, Report, VendorNote},
    text,
};
use crate::{
    proto::v1::{Address, Entity, Source, Vendor, VendorMatch},
    resource::text::{control_rule, uri},
    rules::vendor_name::MATCH,
};

/// Two matches so near each other are for a person to choose from.
const NEAR: f64 = 0.05;

/// What names were found to mean, by name.
pub type Matches = HashMap<String, Vec<VendorMatch>>;

/// Chooses vendors for rows.
pub(super) struct Chooser<'a> {
    matches: &'a Matches,
    ids: Ids,
    document: &'a str,
    /// Proposed vendors by their folded names.
    proposed: BTreeMap<String, Vendor>,
    /// The names of the proposed vendors, in the order in which they came.
    order: Vec<String>,
}

/// The vendor of a row.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) vendor: String,
    pub(super) entity: String,
    pub(super) service: String,
    pub(super) alternatives: Vec<String>,
    pub(super) is_category: bool,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(matches: &'a Matches, taken: &BTreeSet<String>, document: &'a str) -> Self {
        Self { matches, ids: Ids::new(taken.clone()), document, proposed: BTreeMap::new(), order: Vec::new() }
    }

    /// The vendors that are proposed and still wanted, in the order in which they came.
    pub(super) fn proposed(mut self, wanted: &BTreeSet<&str>) -> Vec<Vendor> {
        let vendors = self.order.iter().filter_map(|name| self.proposed.remove(name));
        vendors.filter(|vendor| wanted.contains(vendor.name.as_str())).collect()
    }

    /// Chooses the vendor of a row, and says so.
    pub(super) fn choose(&mut self, draft: &Draft, report: &mut Report) -> Chosen {
        let name = self.spelled(draft);
        let found = self.matches.get(name).map(Vec::as_slice).unwrap_or_default();
        let good: Vec<&VendorMatch> =
            found.iter().filter(|found| found.score >= MATCH && found.part.is_empty()).collect();
        let mut note = VendorNote {
            line: draft.line,
            name: name.to_owned(),
            outcome: Outcome::Resolved,
            vendor: None,
            score: None,
            reason: String::new(),
            candidates: Vec::new(),
        };
        let candidates = |taken: &str| {
            found.iter().filter(|m| m.vendor != taken).take(3).map(|m| (m.vendor.clone(), round(m.score))).collect()
        };
        let chosen = if good.is_empty() && is_undecided(name) {
            note.outcome = Outcome::Category;
            "it says that the company is not chosen yet".clone_into(&mut note.reason);
            Chosen { is_category: true, ..Chosen::default() }
        } else if let Some(best) = good.first() {
            note.vendor = Some(best.vendor.clone());
            note.score = Some(round(best.score));
            note.reason = reason(best);
            let rival = good.iter().find(|other| other.vendor != best.vendor && best.score - other.score < NEAR);
            if rival.is_some() {
                note.outcome = Outcome::Ambiguous;
                note.candidates = candidates(&best.vendor);
            }
            known(best)
        } else if let Some((parts, or)) =
            parts_of(name, found).filter(|(parts, _)| !draft.is_unstated && self.are_names(name, parts))
        {
            self.several(draft, &parts, or, &mut note)
        } else if is_category(name, draft.is_category) {
            note.outcome = Outcome::Category;
            "it names a category, not a company".clone_into(&mut note.reason);
            note.candidates = candidates("");
            Chosen { is_category: true, ..Chosen::default() }
        } else if draft.is_unstated {
            note.outcome = Outcome::Unstated;
            "the list does not say which company it is".clone_into(&mut note.reason);
            note.candidates = candidates("");
            Chosen::default()
        } else {
            let chosen = self.propose(draft, name);
            note.outcome = Outcome::Proposed;
            note.vendor = Some(chosen.vendor.clone());
            "no vendor has this name: proposed as a new one".clone_into(&mut note.reason);
            note.candidates = candidates("");
            chosen
        };
        report.vendors.push(note);
        chosen
    }

    /// The name of a row as it is known best: as its cell has it, or by the lines of the cell.
    fn spelled<'d>(&self, draft: &'d Draft) -> &'d str {
        let score = |name: &str| {
            let found = self.matches.get(name).map(Vec::as_slice).unwrap_or_default();
            found.iter().filter(|found| found.part.is_empty()).map(|found| found.score).fold(0.0, f64::max)
        };
        let (whole, by_lines) = (draft.bare.as_str(), draft.by_lines.as_deref());
        let is_brand = |lines: &&str| lines.ends_with(')') && !whole.ends_with(')');
        match by_lines {
            Some(lines) if score(lines).max(MATCH) > score(whole).max(MATCH) => lines,
            Some(lines) if score(whole) < MATCH && is_brand(&lines) => lines,
            _ => whole,
        }
    }

    /// Whether the parts of a cell are names, at least one of them known or all of them in the form of names.
    fn are_names(&self, name: &str, parts: &[String]) -> bool {
        let known = |part: &String| self.best(name, part).is_some();
        // "Mill & Mason" is one company, if neither is known.
        let is_one = [" & ", " and ", " und "].iter().any(|word| name.split(word).eq(parts));
        parts.iter().any(known)
            || !is_one
                && parts
                    .iter()
                    .all(|part| part.chars().next().is_some_and(char::is_uppercase) && items::is_name_like(part))
    }

    /// What a part of a cell means, as it was looked up alone, or in the cell.
    fn best(&self, name: &str, part: &str) -> Option<&'a VendorMatch> {
        let alone = self.matches.get(part).into_iter().flatten().find(|m| m.score >= MATCH && m.part.is_empty());
        alone.or_else(|| self.matches.get(name)?.iter().find(|m| m.score >= MATCH && m.part == part))
    }

    /// A cell that names several companies: the first is the vendor; where any of them may be meant, the others are its
    /// alternatives.
    fn several(&mut self, draft: &Draft, parts: &[String], or: bool, note: &mut VendorNote) -> Chosen {
        let mut all: Vec<Chosen> = Vec::new();
        let mut new = false;
        for part in parts {
            let chosen = match self.best(&draft.bare, part) {
                Some(best) => known(best),
                None => {
                    new = true;
                    self.propose(draft, part)
                }
            };
            if !all.iter().any(|other| other.vendor == chosen.vendor) {
                all.push(chosen);
            }
        }
        let mut all = all.into_iter();
        let mut first = all.next().unwrap_or_default();
        let others: Vec<String> = all.map(|chosen| chosen.vendor).collect();
        note.outcome = if new { Outcome::Proposed } else { Outcome::Resolved };
        note.vendor = Some(first.vendor.clone());
        note.score = parts.first().and_then(|part| self.best(&draft.bare, part)).map(|best| round(best.score));
        note.reason = match or {
            true => format!("one cell names alternatives; also {}", others.join(", ")),
            false => format!(
                "one cell names several companies, and a row has one vendor: the first; not {}",
                others.join(", ")
            ),
        };
        // Always worth a look.
        note.candidates = Vec::new();
        if or {
            first.alternatives = others;
        }
        first
    }

    /// A vendor that nobody has yet.
    fn propose(&mut self, draft: &Draft, name: &str) -> Chosen {
        let key = text::words(name).join(" ");
        let key = if key.is_empty() { name.to_owned() } else { key };
        if !self.proposed.contains_key(&key) {
            let vendor = self.vendor(draft, name);
            self.order.push(key.clone());
            self.proposed.insert(key.clone(), vendor);
        }
        let Some(vendor) = self.proposed.get_mut(&key) else { return Chosen::default() };
        // A later row of the same company can know its country.
        if let (Some(entity), Some(country)) = (vendor.entities.first_mut(), &draft.corporate)
            && entity.region_code.is_empty()
        {
            entity.region_code.clone_from(country);
        }
        let entity = vendor.entities.first().map(|entity| entity.entity_id.clone()).unwrap_or_default();
        Chosen { vendor: vendor.name.clone(), entity, ..Chosen::default() }
    }

    fn vendor(&mut self, draft: &Draft, name: &str) -> Vendor {
        let is_whole = name == draft.bare || Some(name) == draft.by_lines.as_deref();
        let by_lines = name != draft.bare && Some(name) == draft.by_lines.as_deref();
        let (display, legal) = if by_lines { brand(name) } else { (name, name) };
        let id = self.ids.give(&ids::of(display, "vendor"));
        let address = draft.address.as_ref().filter(|_| is_whole);
        let country = draft.corporate.clone().filter(|_| is_whole);
        let mut entities = Vec::new();
        if has_legal_form(legal) || country.is_some() || address.is_some() {
            entities.push(Entity {
                entity_id: id.clone(),
                legal_name: legal.to_owned(),
                region_code: country.unwrap_or_default(),
                address: address.map(|verbatim| Address { verbatim: verbatim.clone(), ..Address::default() }),
            });
        }
        let quote = draft.message.sources.first().map(|source| source.quote.clone()).unwrap_or_default();
        Vendor {
            name: format!("vendors/{id}"),
            display_name: display.to_owned(),
            entities,
            website_uri: own_site(&draft.message.website_uri, name).unwrap_or_default(),
            sources: vec![Source {
                document: self.document.to_owned(),
                quote,
                line: to_line(draft.line),
                ..Source::default()
            }],
            ..Vendor::default()
        }
    }
}

/// The brand and the company of a name that has both: "Acme (Acme Holding Ltd)".
fn brand(name: &str) -> (&str, &str) {
    let both = name.strip_suffix(')').and_then(|rest| rest.split_once(" ("));
    match both {
        Some((brand, company)) if has_legal_form(company) && !has_legal_form(brand) && !company.contains(',') => {
            (brand, company)
        }
        _ => (name, name),
    }
}

/// Whether a name only says what a company will do that is not chosen yet: "E-mail provider (TBD)".
fn is_undecided(name: &str) -> bool {
    let Some((_, remark)) = name.strip_suffix(')').and_then(|rest| rest.rsplit_once('(')) else { return false };
    let words = text::words(remark).join(" ");
    let open = [
        "tbd",
        "tba",
        "tbc",
        "to be determined",
        "to be confirmed",
        "to be decided",
        "to be chosen",
        "not yet chosen",
        "not yet selected",
        "offen",
        "noch offen",
        "nog te bepalen",
        "a definir",
        "por definir",
        "da definire",
        "da confermare",
    ];
    open.iter().any(|phrase| words == *phrase || words.starts_with(&format!("{phrase} ")))
}

/// The names in a cell that names several: as it is written, or as the matches say.
fn parts_of(name: &str, found: &[VendorMatch]) -> Option<(Vec<String>, bool)> {
    let mut parts: Vec<String> = Vec::new();
    for part in found.iter().map(|found| &found.part).filter(|part| !part.is_empty()) {
        if !parts.contains(part) {
            parts.push(part.clone());
        }
    }
    parts.sort_by_key(|part| name.find(part.as_str()));
    let or = [" or ", " oder ", " ou ", " / "].iter().any(|word| name.contains(word));
    let told = (!parts.is_empty()).then_some((parts, or));
    let written = split_names(name);
    match (&told, &written) {
        // Who found more of them.
        (Some((told, _)), Some((written, _))) if told.len() < written.len() => {}
        (Some(_), _) => return told,
        _ => {}
    }
    written
}

fn known(found: &VendorMatch) -> Chosen {
    Chosen {
        vendor: found.vendor.clone(),
        entity: found.entity_id.clone(),
        service: found.service_id.clone(),
        ..Chosen::default()
    }
}

fn reason(found: &VendorMatch) -> String {
    if found.reason.is_empty() { format!("as \"{}\"", found.matched) } else { found.reason.clone() }
}

fn round(score: f64) -> f64 {
    (score * 100.0).round() / 100.0
}

/// The names to look up for a name: itself, and its parts where it names several companies.
pub(super) fn wanted(name: &str) -> Vec<String> {
    let parts = split_names(name).map(|(parts, _)| parts).unwrap_or_default();
    // What cannot be seen cannot be looked up.
    let can_be_asked = |name: &String| !name.trim().is_empty() && control_rule(name, true).is_none();
    std::iter::once(name.to_owned()).chain(parts).filter(can_be_asked).collect()
}

/// The names in a cell that names several, and whether any of them may be meant.
fn split_names(name: &str) -> Option<(Vec<String>, bool)> {
    let alternatives = [" or ", " and/or ", " oder ", " ou ", " / "];
    let joined = [" + ", " & ", " and ", " und ", "; ", "\n"];
    let cut = |separator: &str| {
        let parts: Vec<String> = name.split(separator).map(|part| part.trim().to_owned()).collect();
        let closed = |part: &String| part.matches('(').count() == part.matches(')').count();
        let is_part = |part: &String| part.chars().count() > 1 && closed(part);
        (parts.len() > 1 && parts.len() <= 6 && parts.iter().all(is_part)).then_some(parts)
    };
    if let Some(parts) = alternatives.iter().find_map(|separator| cut(separator)) {
        return Some((parts, true));
    }
    joined.iter().find_map(|separator| cut(separator)).map(|parts| (parts, false))
}

/// The web site of a company, if a link leads to it rather than to somebody who writes about it: its host has the
/// name's first word in it.
fn own_site(link: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(link).ok()?;
    let host = url.host_str()?.to_lowercase();
    let word = text::words(name).into_iter().find(|word| word.len() > 2)?;
    let site = format!("{}://{host}", url.scheme());
    (host.contains(&word) && uri(&site).is_ok()).then_some(site)
}

/// Whether a name is that of a category: "Hosting providers", "Cloud infrastructure and storage".
fn is_category(name: &str, column: bool) -> bool {
    let words: Vec<&str> = name.split_whitespace().collect();
    let mut rest = words.iter().skip(1).filter(|word| word.chars().any(char::is_alphabetic));
    let plain = rest.all(|word| word.chars().all(|c| !c.is_uppercase()));
    let is_coined = super::find::is_coined(name);
    if !plain || is_coined || has_legal_form(name) || name.chars().any(|c| c.is_ascii_digit()) {
        return false;
    }
    let kinds = [
        "providers",
        "provider",
        "services",
        "service",
        "tools",
        "tooling",
        "platforms",
        "vendors",
        "consultants",
        "contractors",
        "agencies",
        "partners",
        "processors",
        "suppliers",
        "companies",
        "affiliates",
        "subsidiaries",
        "storage",
        "hosting",
        "infrastructure",
        "freelancers",
        "advisors",
        "advisers",
        "accountants",
        "lawyers",
        "subcontractors",
        "systems",
        "software",
        "anbieter",
        "dienstleister",
        "prestataires",
        "proveedores",
        "auditors",
        "counsel",
        "firms",
        "operators",
        "couriers",
        "networks",
    ];
    let compound = words.len() == 1 && names_a_trade(name);
    let folded = text::words(name);
    let kind = folded.iter().any(|word| kinds.contains(&word.as_str()));
    column || compound || (kind && (words.len() > 1 || folded.first().is_some_and(|word| word.ends_with('s'))))
}

/// Whether one word is that of a trade: "Hosting-Provider", "Zahlungsdienstleister".
fn names_a_trade(word: &str) -> bool {
    let folded = text::fold(word);
    let trades = ["anbieter", "dienstleister", "leverandor", "leverancier", "leverantor"];
    let joined = ["provider", "partner", "vendor", "service", "dienst"];
    trades.iter().any(|trade| folded.ends_with(trade))
        || joined.iter().any(|trade| folded.ends_with(&format!("-{trade}")) || folded.ends_with(&format!("-{trade}s")))
}
