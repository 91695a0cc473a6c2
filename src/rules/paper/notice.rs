//! What a privacy notice says of recipients and of transfers to third countries, GDPR Art. 13(1)(e) and (f).

use std::collections::BTreeMap;

use super::{
    Cell, Column, Engagement, Judged, Layout, Material, Paper, Records, Section, annex, begin, cell, many, one,
    record::recipient, statements, words,
};
use crate::{
    proto::v1::{Contact, Role, Verdict, instrument::Kind as InstrumentKind},
    rules::law::covers,
};

const RECIPIENTS: &[Column] = &[
    one("listed_as", "Recipient"),
    one("name", "Legal entity"),
    one("role", "Role"),
    many("processing", "For what"),
    many("locations", "Where"),
    one("subprocessor", "In the registry"),
];

/// On what a transfer rests, as Art. 13(1)(f) tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ground {
    Adequacy,
    Safeguards,
    Agreement,
    Uncovered,
    Unknown,
}

/// The paper.
pub fn build(material: &Material) -> Paper {
    let title = "Recipients of personal data and transfers to third countries";
    let mut paper = begin(material, title, "Regulation (EU) 2016/679 (GDPR), Art. 13(1)(e) and (f)");
    let rows: Vec<Vec<Cell>> = receiving(material).map(|one| row(material, one)).collect();
    paper.sections = vec![
        Section {
            key: "recipients",
            heading: "Recipients (e)".to_owned(),
            paragraphs: vec![recipients(material)],
            records: Some(Records { columns: RECIPIENTS, layout: Layout::Table, rows }),
        },
        Section {
            key: "transfers",
            heading: "Transfers to third countries (f)".to_owned(),
            paragraphs: transfers(material),
            records: None,
        },
    ];
    paper.sections.extend(statements(material));
    paper
}

fn row(material: &Material, engagement: &Engagement) -> Vec<Cell> {
    let one = &engagement.subprocessor;
    vec![
        cell(&one.display_name),
        cell(annex::name(engagement)),
        cell(words::role(one.role())),
        annex::processing(engagement),
        one.locations.iter().map(|place| words::location(&material.organization, place)).collect(),
        cell(&one.name),
    ]
}

/// Who receives data: not those it comes from.
fn receiving(material: &Material) -> impl Iterator<Item = &Engagement> {
    material.engagements.iter().filter(|one| one.subprocessor.role() != Role::DataSource)
}

/// Named recipients by what they do; those without a name are categories.
fn recipients(material: &Material) -> String {
    let said = |engagement: &Engagement| {
        let purposes = annex::processing(engagement);
        let name = &engagement.subprocessor.display_name;
        if purposes.is_empty() { name.clone() } else { format!("{name} ({})", purposes.join("; ")) }
    };
    let (named, categories): (Vec<&Engagement>, Vec<&Engagement>) =
        receiving(material).partition(|one| !one.subprocessor.vendor.is_empty());
    let (named, categories): (Vec<String>, Vec<String>) =
        (named.into_iter().map(said).collect(), categories.into_iter().map(said).collect());
    let by = match &material.customer {
        Some(customer) => format!(
            "{} uses {}, which discloses personal data",
            customer.display_name, material.organization.display_name
        ),
        None => format!("{} discloses personal data", material.organization.display_name),
    };
    match (named.is_empty(), categories.is_empty()) {
        (true, true) => format!("{by} to nobody that the registry knows of on that day."),
        (false, true) => format!("{by} to these recipients: {}.", words::list(&named)),
        (true, false) => format!("{by} to these recipients or categories of recipients: {}.", words::list(&categories)),
        (false, false) => format!(
            "{by} to these recipients: {}; and to these recipients or categories of recipients of which no company is identified: {}.",
            words::list(&named),
            words::list(&categories)
        ),
    }
}

/// A sentence for each ground; what nothing covers is said as plainly as what something does.
fn transfers(material: &Material) -> Vec<String> {
    let mut grounds: BTreeMap<Ground, Vec<&Judged>> = BTreeMap::new();
    for one in material.transfers.iter().filter(|one| one.answer.verdict() != Verdict::NotRestricted) {
        grounds.entry(ground(material, one)).or_default().push(one);
    }
    if grounds.is_empty() {
        return vec![words::no_transfer(material)];
    }
    let mut said: Vec<String> = grounds.iter().flat_map(|(ground, all)| sentences(material, *ground, all)).collect();
    if grounds.contains_key(&Ground::Safeguards) {
        said.push(copy(material));
    }
    said
}

fn ground(material: &Material, judged: &Judged) -> Ground {
    match judged.answer.verdict() {
        Verdict::Indeterminate | Verdict::Unspecified => return Ground::Unknown,
        verdict if !covers(verdict) => return Ground::Uncovered,
        _ => {}
    }
    let kind = |name: &str| material.law.instrument(name).map_or(InstrumentKind::Unspecified, |one| one.kind());
    let carrying: Vec<InstrumentKind> = judged
        .answer
        .mechanism_assessments
        .iter()
        .filter(|one| covers(one.verdict()))
        .map(|one| kind(&one.instrument))
        .collect();
    let adequate = |kind: &InstrumentKind| {
        use InstrumentKind::{AdequacyDecision, CertificationFramework, StatutoryBridge};
        matches!(kind, AdequacyDecision | CertificationFramework | StatutoryBridge)
    };
    match (carrying.is_empty(), carrying.iter().any(adequate)) {
        (true, _) => Ground::Agreement,
        (_, true) => Ground::Adequacy,
        (_, false) => Ground::Safeguards,
    }
}

fn sentences(material: &Material, ground: Ground, all: &[&Judged]) -> Vec<String> {
    let sentence = |judged: &&Judged| {
        let who = recipient(material, &judged.transfer.importer);
        let place = match words::there(judged) {
            // The words of the source, which name no country.
            Some(words) if words.starts_with('“') => format!(" ({words})"),
            Some(countries) => format!(" in {countries}"),
            None => ", in a country that is not stated".to_owned(),
        };
        let assumed = if judged.transfer.assumed { " (assumed)" } else { "" };
        let law = format!("{}{assumed}", words::regime(judged.transfer.regime()));
        let by = words::list(&words::carriers(material, judged));
        let why = words::why(judged).join("; ");
        let said = format!("Personal data is transferred to {who}{place}");
        match ground {
            Ground::Adequacy => format!("{said}. Under {law} there is an adequacy decision: {by}."),
            Ground::Safeguards => {
                let tia = match judged.answer.verdict() {
                    Verdict::MissingTia => " The transfer impact assessment that these require is missing.",
                    _ => "",
                };
                format!(
                    "{said}. Under {law} there is no adequacy decision that covers it; the appropriate safeguards are: {by}.{tia}"
                )
            }
            Ground::Agreement => format!("{said}. Under {law} it rests on this: {why}."),
            Ground::Uncovered => format!(
                "{said}. Under {law} there is neither an adequacy decision nor an appropriate safeguard that covers it on that day: {}.",
                if by.is_empty() { why } else { format!("{by}: {why}") }
            ),
            Ground::Unknown => format!(
                "{said}. Whether this is covered under {law} cannot be determined: {}.",
                if by.is_empty() { why } else { format!("{by}: {why}") }
            ),
        }
    };
    all.iter().map(sentence).collect()
}

/// How to obtain a copy of the safeguards: where the papers are, and whom to ask.
fn copy(material: &Material) -> String {
    let carrying = |judged: &&Judged| ground(material, judged) == Ground::Safeguards;
    let mechanisms = material.transfers.iter().filter(carrying).flat_map(|one| &one.transfer.mechanisms);
    let papers = mechanisms.map(|one| one.document.as_str()).filter(|text| !text.is_empty());
    let mut papers: Vec<String> = papers.map(|text| words::document(material, text)).collect();
    papers.sort();
    papers.dedup();
    let contacts: &[Contact] = &material.organization.contacts;
    let ask = words::contacts(contacts);
    match (papers.is_empty(), ask.is_empty()) {
        (true, true) => "How to obtain a copy of the safeguards is not stated.".to_owned(),
        (true, false) => format!("A copy of the safeguards can be asked for from {}.", words::list(&ask)),
        (false, true) => format!("The safeguards are available here: {}.", papers.join("; ")),
        (false, false) => {
            format!(
                "The safeguards are available here: {}. A copy can be asked for from {}.",
                papers.join("; "),
                words::list(&ask)
            )
        }
    }
}
