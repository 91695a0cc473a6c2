//! The processor's record of processing activities, GDPR Art. 30(2).

use super::{
    Cell, Column, Layout, Material, Paper, Records, Section, annex, begin, cell, many, material::on_behalf, one,
    quotations, statements, words,
};
use crate::proto::v1::{
    Contact, Customer, Organization, Verdict, claim::Kind as ClaimKind, contact::Kind as ContactKind,
};

const PROCESSOR: &[Column] = &[
    one("name", "Name"),
    one("legal_name", "Legal entity"),
    many("addresses", "Address"),
    many("contacts", "Contact details"),
    many("representatives", "Representative"),
    many("dpo", "Data protection officer"),
    one("role", "Role"),
];

const CONTROLLERS: &[Column] = &[
    one("name", "Name"),
    one("country", "Country"),
    many("contacts", "Contact details"),
    many("representatives", "Representative"),
    many("dpo", "Data protection officer"),
    many("products", "Products used (none: all)").if_any(),
    one("customer", "In the registry"),
];

const PROCESSING: &[Column] = &[one("product", "Product"), one("description", "Categories of processing")];

const SUBPROCESSORS: &[Column] = &[
    one("listed_as", "Listed as"),
    one("name", "Name"),
    many("processing", "Categories of processing"),
    many("data_categories", "Categories of personal data"),
    many("data_subjects", "Categories of data subjects"),
    many("products", "Products (none: all)").if_any(),
    one("subprocessor", "In the registry"),
];

const TRANSFERS: &[Column] = &[
    one("recipient", "Recipient"),
    many("countries", "Third country"),
    one("regime", "Law"),
    one("verdict", "").if_any(),
    one("status", "How it stands"),
    many("safeguards", "Safeguards and their documentation").if_any(),
    many("reasons", "Why"),
    one("until", "Until before").if_any(),
    one("transfer", "In the registry"),
];

const SECURITY: &[Column] = &[
    one("measure", "Measure, in the words of the document"),
    one("document", "Document"),
    one("line", "Line").if_any(),
    one("resource", "In the registry"),
];

/// The paper.
pub fn build(material: &Material) -> Paper {
    let title = "Record of processing activities of the processor";
    let mut paper = begin(material, title, "Regulation (EU) 2016/679 (GDPR), Art. 30(2)");
    let role = material.organization.role();
    if !on_behalf(role) {
        let text =
            format!("The registry holds the organization as {}; Art. 30(2) is about processors.", words::role(role));
        paper.notes.push(text);
    }
    paper.sections = vec![
        processor(&material.organization),
        controllers(material),
        processing(material),
        subprocessors(material),
        transfers(material),
        security(material),
    ];
    paper.sections.splice(5..5, statements(material));
    paper
}

fn section(key: &'static str, heading: &str, none: &str, columns: &'static [Column], rows: Vec<Vec<Cell>>) -> Section {
    let paragraphs = if rows.is_empty() { cell(none) } else { Vec::new() };
    let records = Records { columns, layout: Layout::Table, rows };
    Section { key, heading: heading.to_owned(), paragraphs, records: Some(records) }
}

fn processor(organization: &Organization) -> Section {
    let (contacts, representatives, dpo) = contacts(&organization.contacts);
    let country = match organization.region_code.as_str() {
        code if code.is_empty() || !organization.addresses.is_empty() => String::new(),
        code => words::country(code),
    };
    let addresses: Cell = organization.addresses.iter().map(words::address).chain(cell(country)).collect();
    let row = vec![
        cell(&organization.display_name),
        cell(&organization.legal_name),
        addresses,
        contacts,
        representatives,
        dpo,
        cell(words::role(organization.role())),
    ];
    let mut section = section("processor", "Processor (a)", "", PROCESSOR, vec![row]);
    section.records.iter_mut().for_each(|records| records.layout = Layout::Entries);
    section
}

/// Contact details, representatives, and the data protection officer.
fn contacts(contacts: &[Contact]) -> (Cell, Cell, Cell) {
    let representatives = [ContactKind::RepresentativeEu, ContactKind::RepresentativeUk];
    let others = contacts.iter().filter(|one| !representatives.contains(&one.kind()) && one.kind() != ContactKind::Dpo);
    let dpo = words::contacts_of(contacts, &[ContactKind::Dpo]);
    (others.map(words::contact).collect(), words::contacts_of(contacts, &representatives), dpo)
}

fn controllers(material: &Material) -> Section {
    let row = |one: &Customer| {
        let (contacts, representatives, dpo) = contacts(&one.contacts);
        vec![
            cell(&one.display_name),
            cell(
                Some(one.region_code.as_str()).filter(|code| !code.is_empty()).map(words::country).unwrap_or_default(),
            ),
            contacts,
            representatives,
            dpo,
            words::products(&material.organization, &one.products),
            cell(&one.name),
        ]
    };
    let rows = material.customers.iter().map(row).collect();
    let none = "No controller is recorded on whose behalf the organization acts on that day.";
    section("controllers", "Controllers on whose behalf it acts (a)", none, CONTROLLERS, rows)
}

fn processing(material: &Material) -> Section {
    let used = |id: &String| match &material.customer {
        Some(customer) => customer.products.is_empty() || customer.products.contains(id),
        None => true,
    };
    let products = material.organization.products.iter().filter(|one| used(&one.product_id));
    let mut rows: Vec<Vec<Cell>> = products
        .map(|one| {
            let name = if one.display_name.is_empty() { &one.product_id } else { &one.display_name };
            vec![cell(name), cell(&one.description)]
        })
        .collect();
    if rows.is_empty() {
        rows.extend(Some(vec![Vec::new(), cell(&material.organization.description)]).filter(|row| !row[1].is_empty()));
    }
    let none = "Which categories of processing are carried out is not stated.";
    section("processing", "Categories of processing (b)", none, PROCESSING, rows)
}

fn subprocessors(material: &Material) -> Section {
    let acting = material.engagements.iter().filter(|one| on_behalf(one.subprocessor.role()));
    let rows = acting.map(|engagement| {
        let one = &engagement.subprocessor;
        vec![
            cell(&one.display_name),
            cell(annex::name(engagement)),
            annex::processing(engagement),
            [one.data_categories.as_slice(), &one.special_categories].concat(),
            one.data_subject_categories.clone(),
            words::products(&material.organization, &one.products),
            cell(&one.name),
        ]
    });
    let none = "No sub-processor is on the list on that day.";
    section("subprocessors", "Processing by sub-processors (b)", none, SUBPROCESSORS, rows.collect())
}

fn transfers(material: &Material) -> Section {
    let restricted = material.transfers.iter().filter(|one| one.answer.verdict() != Verdict::NotRestricted);
    let rows = restricted.map(|one| {
        let assumed = if one.transfer.assumed { " (assumed)" } else { "" };
        let recorded = match &one.answer.derived_from {
            Some(from) => format!("derived from a location of {}", from.subprocessor),
            None => one.transfer.name.clone(),
        };
        vec![
            cell(recipient(material, &one.transfer.importer)),
            words::destinations(one),
            cell(format!("{}{assumed}", words::regime(one.transfer.regime()).trim_start_matches("the "))),
            cell(one.answer.verdict().as_str_name().trim_start_matches("VERDICT_")),
            cell(words::verdict(one.answer.verdict())),
            words::carriers(material, one),
            words::why(one),
            cell(&one.answer.valid_until_date),
            cell(recorded),
        ]
    });
    let none = words::no_transfer(material);
    section("transfers", "Transfers to third countries (c)", &none, TRANSFERS, rows.collect())
}

/// Who receives: as the list has it.
pub(super) fn recipient(material: &Material, importer: &str) -> String {
    match material.engagement(importer) {
        Some(engagement) => engagement.subprocessor.display_name.clone(),
        None if importer == material.organization.name => material.organization.display_name.clone(),
        None => importer.to_owned(),
    }
}

fn security(material: &Material) -> Section {
    let rows = quotations(material, ClaimKind::Security);
    let none = "No document in the registry says anything of security measures.";
    section("security", "Technical and organisational security measures (d)", none, SECURITY, rows)
}
