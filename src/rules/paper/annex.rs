//! The list of sub-processors of the standard contractual clauses: Annex III of 2021/914, Annex IV of 2021/915.

use super::{
    Cell, Column, Engagement, Layout, Material, Paper, Records, Section, begin, cell, many,
    material::on_behalf,
    one,
    words::{self, role},
};
use crate::{
    proto::v1::{Contact, Entity, agreement::Authorization, render_paper_request::Kind},
    rules::law::covers,
};

/// What the annexes ask of each sub-processor, and what a controller asks besides.
pub const COLUMNS: &[Column] = &[
    one("listed_as", "Listed as"),
    one("name", "Name"),
    one("name_note", "About the name").if_any(),
    one("address", "Address"),
    many("contacts", "Contact person’s name, position and contact details"),
    one("role", "Role").if_any(),
    many("processing", "Description of processing"),
    many("delimitation", "Delimitation of responsibilities").if_any(),
    many("data_categories", "Categories of personal data"),
    many("special_categories", "Special categories"),
    many("data_subjects", "Categories of data subjects"),
    one("duration", "Duration"),
    one("retention", "Retention"),
    many("locations", "Location of processing"),
    many("transfers", "Transfers to third countries"),
    one("transfers_covered", "All transfers covered on that day").if_any(),
    one("dpa", "Data processing agreement"),
    one("incomplete_reason", "Why facts are missing").if_any(),
    one("subprocessor", "In the registry"),
];

/// The paper.
pub fn build(material: &Material) -> Paper {
    let (title, basis, clause) = match material.kind {
        Kind::DpaAnnexIv => (
            "Annex IV – List of sub-processors",
            "Standard contractual clauses between controllers and processors, Commission Implementing Decision (EU) 2021/915, Annex IV",
            "Clause 7.7(a)",
        ),
        _ => (
            "Annex III – List of sub-processors",
            "Standard contractual clauses for the transfer of personal data to third countries, Commission Implementing Decision (EU) 2021/914, Annex III",
            "Clause 9(a)",
        ),
    };
    let mut paper = begin(material, title, basis);
    paper.notes.push(authorization(material, clause));
    let (acting, others): (Vec<&Engagement>, Vec<&Engagement>) =
        material.engagements.iter().partition(|one| on_behalf(one.subprocessor.role()));
    let organization = &material.organization.display_name;
    let opening = match acting.len() {
        0 => format!("{organization} has no sub-processor on its list on {}.", material.date),
        1 => format!("{organization} has one sub-processor on its list on {}.", material.date),
        count => format!("{organization} has {count} sub-processors on its list on {}.", material.date),
    };
    paper.sections.push(section(material, "subprocessors", "Sub-processors", opening, &acting));
    if !others.is_empty() {
        let text = "These stand on the list too, but in another role than that of a sub-processor; the annex is not about them.";
        paper.sections.push(section(material, "others", "Others on the list", text.to_owned(), &others));
    }
    paper
}

fn section(
    material: &Material,
    key: &'static str,
    heading: &str,
    opening: String,
    engagements: &[&Engagement],
) -> Section {
    let rows = engagements.iter().map(|one| row(material, one)).collect();
    Section {
        key,
        heading: heading.to_owned(),
        paragraphs: vec![opening],
        records: Some(Records { columns: COLUMNS, layout: Layout::Entries, rows }),
    }
}

/// What the clauses and the agreement say of authorization; the list itself authorizes nobody.
fn authorization(material: &Material, clause: &str) -> String {
    let Some(customer) = &material.customer else {
        return format!(
            "Whether a controller authorised these sub-processors ({clause}) is a matter of its agreement; that they are listed here does not say so."
        );
    };
    let agreed = customer.agreement.as_ref().map_or(Authorization::Unspecified, |one| one.authorization());
    let kind = match agreed {
        Authorization::General => "general written authorisation",
        Authorization::Specific => "specific prior authorisation",
        Authorization::Unspecified => "a form of authorisation that is not stated",
    };
    format!("The agreement with {} provides for {kind} ({clause}).", customer.display_name)
}

fn row(material: &Material, engagement: &Engagement) -> Vec<Cell> {
    let one = &engagement.subprocessor;
    let contacts: &[Contact] = engagement.vendor.as_ref().map_or(&[], |vendor| &vendor.contacts);
    let locations = one.locations.iter().map(|place| words::location(&material.organization, place));
    let (transfers, covered) = transfers(material, &one.name);
    vec![
        cell(&one.display_name),
        cell(name(engagement)),
        cell(name_note(engagement)),
        cell(address(engagement)),
        words::contacts(contacts),
        cell(role(one.role())),
        processing(engagement),
        delimitation(material, engagement),
        one.data_categories.clone(),
        one.special_categories.clone(),
        one.data_subject_categories.clone(),
        cell(words::duration(&one.start_date, &one.end_date)),
        cell(one.retention.as_ref().map(words::retention).unwrap_or_default()),
        locations.collect(),
        transfers,
        cell(covered),
        cell(one.dpa.as_ref().map(|dpa| words::dpa(material, dpa)).unwrap_or_default()),
        cell(&one.incomplete_reason),
        cell(&one.name),
    ]
}

/// The legal entity. Where several could be meant none is chosen.
pub(super) fn name(engagement: &Engagement) -> String {
    engagement.entity().map(|entity| entity.legal_name.clone()).unwrap_or_default()
}

/// How far the name can be relied on, where nobody stated which entity is engaged.
fn name_note(engagement: &Engagement) -> String {
    let entities: &[Entity] = engagement.vendor.as_ref().map_or(&[], |vendor| &vendor.entities);
    if entities.is_empty() || !engagement.subprocessor.vendor_entity.is_empty() {
        return String::new();
    }
    if engagement.entity().is_some() {
        return "which entity is engaged is not stated; it is the only one that the registry knows".to_owned();
    }
    let names: Vec<&str> = entities.iter().take(MOST_NAMES).map(|one| one.legal_name.as_str()).collect();
    let more = if entities.len() > MOST_NAMES { "; or another" } else { "" };
    format!("which entity is engaged is not stated: {}{more}", names.join("; or "))
}

/// How many entities are named at most where none is.
const MOST_NAMES: usize = 5;

fn address(engagement: &Engagement) -> String {
    let Some(entity) = engagement.entity() else { return String::new() };
    let written = entity.address.as_ref().map(words::address).unwrap_or_default();
    if written.is_empty() { seat(entity) } else { written }
}

/// Of an entity without an address its country is known at most.
fn seat(entity: &Entity) -> String {
    match entity.region_code.as_str() {
        "" => String::new(),
        code => format!("{}; no more is stated", words::country(code)),
    }
}

/// What it does: the words of the list.
pub(super) fn processing(engagement: &Engagement) -> Vec<String> {
    let one = &engagement.subprocessor;
    let mut said = one.purposes.clone();
    said.extend(cell(&one.service_description).into_iter().filter(|text| !one.purposes.contains(text)));
    said
}

/// For which services, for which products, on what condition and through whom.
fn delimitation(material: &Material, engagement: &Engagement) -> Vec<String> {
    let one = &engagement.subprocessor;
    let mut said = Vec::new();
    let services = one.vendor_services.iter().map(|id| {
        let services = engagement.vendor.iter().flat_map(|vendor| &vendor.services);
        services
            .filter(|service| service.service_id == *id)
            .map(|service| service.display_name.as_str())
            .next()
            .unwrap_or(id)
    });
    let services: Vec<&str> = services.collect();
    if !services.is_empty() {
        said.push(format!("with its services {}", words::list(&services)));
    }
    if !one.products.is_empty() {
        said.push(format!("only for {}", words::list(&words::products(&material.organization, &one.products))));
    }
    if !one.condition.is_empty() {
        said.push(one.condition.clone());
    }
    if !one.engaged_by.is_empty() {
        let above = material.engagement(&one.engaged_by).map(|above| above.subprocessor.display_name.as_str());
        said.push(format!("engaged by {}", above.unwrap_or(&one.engaged_by)));
    }
    if !one.alternative_vendors.is_empty() {
        said.push(format!("or instead of it: {}", one.alternative_vendors.join(", ")));
    }
    said
}

/// The transfers to an engagement, and whether all of them are covered.
fn transfers(material: &Material, name: &str) -> (Vec<String>, &'static str) {
    let own = || material.transfers.iter().filter(|one| one.transfer.importer == name);
    let said: Vec<String> = own().map(|one| words::transfer(material, one)).collect();
    let placed = material.engagement(name).is_some_and(|one| !one.subprocessor.locations.is_empty());
    if said.is_empty() && placed && words::has_regimes(&material.organization) {
        return (vec!["none that the registry knows of".to_owned()], "");
    }
    let covered = match (said.is_empty(), own().all(|one| covers(one.answer.verdict()))) {
        (true, _) => "",
        (_, true) => "yes",
        (_, false) => "no",
    };
    (said, covered)
}
