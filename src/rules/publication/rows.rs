//! What is said of an entry in plain words: the same in tables, texts, comparisons and mails.

use super::{Entry, Mechanism, Named, Place, words::land};
use crate::{
    proto::v1::{Role, location::Activity},
    rules::paper::words as paper,
};

/// One thing that is said of each entry.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What programs know it by. Published: never renamed.
    pub key: &'static str,
    /// What people read.
    pub heading: &'static str,
    /// Whether several things can be said.
    pub many: bool,
    /// What is said; nothing where nothing is stated.
    pub of: fn(&Entry) -> Vec<String>,
}

/// Everything that is said of an entry, in the order in which it is.
pub const ROWS: [Row; 21] = [
    Row { key: "name", heading: "Name", many: false, of: |one| text(&one.name) },
    Row { key: "legal_entity", heading: "Legal entity", many: false, of: legal_entity },
    Row { key: "entity_country", heading: "Country of the entity", many: false, of: entity_country },
    Row { key: "address", heading: "Address", many: false, of: |one| entity(one, |entity| &entity.address) },
    Row { key: "purposes", heading: "Purpose", many: true, of: |one| one.purposes.clone() },
    Row { key: "service_description", heading: "Service", many: false, of: service },
    Row { key: "products", heading: "Used for", many: true, of: |one| names(&one.products) },
    Row { key: "condition", heading: "When it is used", many: false, of: |one| text(&one.condition) },
    Row { key: "section", heading: "Section", many: false, of: |one| text(&one.section) },
    Row { key: "role", heading: "Role", many: false, of: |one| text(role(&one.role)) },
    Row { key: "data_categories", heading: "Personal data", many: true, of: |one| one.data_categories.clone() },
    Row {
        key: "special_categories",
        heading: "Special categories",
        many: true,
        of: |one| one.special_categories.clone(),
    },
    Row {
        key: "data_subject_categories",
        heading: "Data subjects",
        many: true,
        of: |one| one.data_subject_categories.clone(),
    },
    Row {
        key: "locations",
        heading: "Where data is processed",
        many: true,
        of: |one| one.locations.iter().map(place).collect(),
    },
    Row {
        key: "mechanisms",
        heading: "Transfers rest on",
        many: true,
        of: |one| one.mechanisms.iter().map(mechanism).collect(),
    },
    Row {
        key: "engaged_by",
        heading: "Engaged by",
        many: false,
        of: |one| one.engaged_by.iter().map(|n| n.name.clone()).collect(),
    },
    Row { key: "since", heading: "Since", many: false, of: |one| text(&one.start_date) },
    Row { key: "website", heading: "Web page", many: false, of: |one| text(&one.website_uri) },
    // New ones come last: they are columns of a table that programs read.
    Row { key: "status", heading: "Status", many: false, of: |one| text(if one.suspended { SUSPENDED } else { "" }) },
    Row { key: "affiliate", heading: "Affiliate", many: false, of: affiliate },
    Row { key: "until", heading: "Until", many: false, of: |one| text(&one.end_date) },
];

/// What is said of one that is on the list, but not in use.
pub const SUSPENDED: &str = "not in use for now";

/// What is said of an entry that something is said of.
pub fn said(entry: &Entry) -> impl Iterator<Item = (Row, Vec<String>)> + '_ {
    ROWS.iter().map(|row| (*row, (row.of)(entry))).filter(|(_, values)| !values.is_empty())
}

/// One thing that is said of two versions of an entry, differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What programs know it by.
    pub key: &'static str,
    /// What people read.
    pub heading: &'static str,
    /// What was said.
    pub before: Vec<String>,
    /// What is said.
    pub after: Vec<String>,
}

impl Row {
    /// What is said, to people: days as they write them.
    pub fn spoken(&self, entry: &Entry) -> Vec<String> {
        let said = (self.of)(entry);
        match self.key {
            "since" | "until" => said.iter().map(|day| super::words::day(day)).collect(),
            _ => said,
        }
    }
}

/// What differs between two versions of an entry, as people are told it.
pub fn differences(before: &Entry, after: &Entry) -> Vec<Difference> {
    let both = ROWS.iter().map(|row| (row, row.spoken(before), row.spoken(after)));
    let differing = both.filter(|(_, before, after)| before != after);
    differing.map(|(row, before, after)| Difference { key: row.key, heading: row.heading, before, after }).collect()
}

fn text(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text.to_owned()] }
}

fn names(all: &[Named]) -> Vec<String> {
    all.iter().map(|one| one.name.clone()).collect()
}

fn entity(one: &Entry, of: fn(&super::Entity) -> &String) -> Vec<String> {
    one.entity.as_ref().map(|entity| text(of(entity))).unwrap_or_default()
}

fn legal_entity(one: &Entry) -> Vec<String> {
    entity(one, |entity| &entity.legal_name)
}

fn entity_country(one: &Entry) -> Vec<String> {
    entity(one, |entity| &entity.country)
}

fn affiliate(one: &Entry) -> Vec<String> {
    let said = one.affiliate.map(|affiliate| if affiliate { "yes" } else { "no" });
    said.map(str::to_owned).into_iter().collect()
}

/// More than the purposes say already.
fn service(one: &Entry) -> Vec<String> {
    if one.purposes.contains(&one.service_description) { Vec::new() } else { text(&one.service_description) }
}

/// A role in words; the word itself if it is a new one.
pub fn role(word: &str) -> &str {
    match Role::from_str_name(&format!("ROLE_{word}")) {
        Some(role) => paper::role(role),
        None => word,
    }
}

/// A place with what happens there, in one line.
pub fn place(place: &Place) -> String {
    let mut said = Vec::new();
    if let Some(activity) = Activity::from_str_name(&format!("ACTIVITY_{}", place.activity)) {
        said.extend(text(super::words::activity(activity)));
    }
    if !place.products.is_empty() {
        said.push(format!("for {}", names(&place.products).join(", ")));
    }
    let name = if place.name.is_empty() { &place.verbatim } else { &place.name };
    if said.is_empty() { name.clone() } else { format!("{name} ({})", said.join("; ")) }
}

/// A mechanism with the countries it is for, in one line.
pub fn mechanism(one: &Mechanism) -> String {
    let countries: Vec<String> = one.destinations.iter().map(|code| land(code)).collect();
    if countries.is_empty() { one.title.clone() } else { format!("{} ({})", one.title, countries.join(", ")) }
}

/// What stands behind a name in small print: what it rests on by law.
pub fn citation(one: &Mechanism) -> String {
    match (law(&one.regime), one.citation.as_str()) {
        ("", citation) => citation.to_owned(),
        (law, "") => law.to_owned(),
        (law, citation) => format!("{law}; {citation}"),
    }
}

/// A law as people call it.
pub fn law(regime: &str) -> &str {
    match regime {
        "EU_GDPR" => "EU GDPR",
        "UK_GDPR" => "UK GDPR",
        "SWISS_FADP" => "Swiss FADP",
        other => other,
    }
}
