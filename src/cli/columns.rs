//! The columns of tables: one line for each collection.

use prost_reflect::{DynamicMessage, MessageDescriptor};

use super::value;

/// Heading and path of each column, by collection.
const COLUMNS: &[(&str, &[(&str, &str)])] = &[
    (
        "organizations",
        &[
            ("NAME", "name"),
            ("DISPLAY NAME", "display_name"),
            ("LEGAL NAME", "legal_name"),
            ("COUNTRY", "region_code"),
            ("REGIMES", "regimes"),
            ("POLICY", "notice_policy.enforcement"),
        ],
    ),
    (
        "documents",
        &[
            ("NAME", "name"),
            ("TITLE", "title"),
            ("KIND", "kind"),
            ("STATED DATE", "stated_date|stated_date_text"),
            ("CLAIMS", "claims#"),
        ],
    ),
    (
        "customers",
        &[
            ("NAME", "name"),
            ("DISPLAY NAME", "display_name"),
            ("COUNTRY", "region_code"),
            ("AUTHORIZATION", "agreement.authorization"),
            ("NOTICE DAYS", "agreement.notice_days"),
            ("OBJECTION DAYS", "agreement.objection_days"),
            ("END DATE", "end_date"),
        ],
    ),
    (
        "notices",
        &[
            ("NAME", "name"),
            ("TITLE", "title"),
            ("STATE", "state"),
            ("CHANGES", "changes.kind"),
            ("PUBLISHED", "publish_time"),
            ("EARLIEST", "earliest_effective_time"),
            ("TOOK EFFECT", "effective_time"),
            ("RECIPIENTS", "recipient_count"),
        ],
    ),
    (
        "recipients",
        &[
            ("NAME", "name"),
            ("METHOD", "method"),
            ("STATUS", "changes.status"),
            ("OBJECT UNTIL", "changes.objection_deadline_time"),
            ("CLEAR FROM", "changes.clear_time"),
        ],
    ),
    (
        "objections",
        &[
            ("NAME", "name"),
            ("CUSTOMER", "customer"),
            ("AGAINST", "change_ids"),
            ("LODGED", "lodge_time"),
            ("LATE", "late"),
            ("STATE", "state"),
            ("OUTCOME", "outcome"),
            ("GROUNDS", "grounds"),
        ],
    ),
    (
        "subscriptions",
        &[
            ("NAME", "name"),
            ("WEBHOOK", "webhook.uri"),
            ("E-MAIL", "email.address"),
            ("STATE", "state"),
            ("CUSTOMER", "customer"),
            ("EVENTS", "event_types"),
            ("PRODUCTS", "products"),
            ("WHY DISABLED", "disable_reason"),
        ],
    ),
    (
        "deliveries",
        &[
            ("NAME", "name"),
            ("EVENT", "event_type"),
            ("TO", "endpoint"),
            ("STATE", "state"),
            ("ATTEMPTS", "attempt_count"),
            ("NEXT", "next_attempt_time"),
            // A list has the last attempt only.
            ("LAST ATTEMPT", "attempts.attempt_time"),
            ("CODE", "attempts.status_code"),
            ("ERROR", "error"),
        ],
    ),
    (
        "vendors",
        &[
            ("NAME", "name"),
            ("DISPLAY NAME", "display_name"),
            ("LEGAL ENTITIES", "entities.legal_name"),
            ("COUNTRIES", "entities.region_code"),
            ("ORIGIN", "origin"),
        ],
    ),
    (
        "subprocessors",
        &[
            ("NAME", "name"),
            ("DISPLAY NAME", "display_name"),
            ("VENDOR", "vendor"),
            ("STATE", "state"),
            ("PURPOSES", "purposes"),
            ("LOCATIONS", "locations.region_code|area|verbatim"),
            ("START", "start_date"),
            ("END", "end_date"),
        ],
    ),
    (
        "instruments",
        &[
            ("NAME", "name"),
            ("TITLE", "title"),
            ("KIND", "kind"),
            ("FROM", "periods.from_date"),
            ("END", "periods.end_date"),
            ("END REASON", "periods.end_reason"),
        ],
    ),
    (
        "certifications",
        &[
            ("NAME", "name"),
            ("FRAMEWORK", "framework"),
            ("ENTITY", "entity_id"),
            ("STATUS", "status"),
            ("DATA", "covered_data"),
            ("START", "start_date"),
            ("NEXT DUE", "next_due_date"),
            ("END", "end_date"),
        ],
    ),
    (
        "transfers",
        &[
            ("NAME", "name"),
            ("REGIME", "regime"),
            ("EXPORTER", "exporter"),
            ("IMPORTER", "importer"),
            ("DESTINATIONS", "destination_region_codes"),
            ("RESTS ON", "mechanisms.instrument"),
            ("START", "start_date"),
            ("END", "end_date"),
        ],
    ),
    (
        "findings",
        &[
            ("SEVERITY", "severity"),
            ("KIND", "kind"),
            ("SINCE", "since_date"),
            ("SUBJECT", "subject"),
            ("WHAT", "text"),
            ("NAME", "name"),
        ],
    ),
    (
        "acknowledgements",
        &[
            ("NAME", "name"),
            ("UNTIL", "return_date"),
            ("KIND", "finding_kind"),
            ("SUBJECT", "subject"),
            ("REASON", "reason"),
            ("PRINCIPAL", "principal"),
        ],
    ),
    (
        "revisions",
        &[
            ("NUMBER", "number"),
            ("COMMIT TIME", "commit_time"),
            ("PRINCIPAL", "principal"),
            ("METHOD", "method"),
            ("CHANGES", "changes#"),
            ("HASH", "hash"),
        ],
    ),
];

/// What a collection without a line above shows, as far as it has it.
const USUAL: &[(&str, &str)] =
    &[("NAME", "name"), ("DISPLAY NAME", "display_name"), ("TITLE", "title"), ("STATE", "state")];

/// The headings and the rows of a list of resources.
pub(super) fn table(
    collection: &str,
    resource: &MessageDescriptor,
    resources: &[DynamicMessage],
) -> (Vec<String>, Vec<Vec<String>>) {
    let mut columns: Vec<(&str, &str)> = match COLUMNS.iter().find(|(name, _)| *name == collection) {
        Some((_, columns)) => columns.to_vec(),
        None => USUAL.iter().copied().filter(|(_, path)| resource.get_field_by_name(path).is_some()).collect(),
    };
    if resources.iter().any(|resource| !value::at(resource, "delete_time").is_empty()) {
        columns.push(("DELETED", "delete_time"));
    }
    let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let row = |resource| columns.iter().map(|(_, path)| value::at(resource, path)).collect();
    (headings, resources.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use prost_reflect::Kind;

    use super::*;
    use crate::cli::contract;

    #[test]
    fn every_column_is_of_a_field_that_exists() {
        for (name, columns) in COLUMNS {
            let items = contract::collection(name).expect("a collection").items;
            let Kind::Message(resource) = items.kind() else { panic!("{name} has no messages") };
            for (_, path) in *columns {
                let mut message = resource.clone();
                for step in path.trim_end_matches('#').split('.') {
                    for alternative in step.split('|') {
                        assert!(message.get_field_by_name(alternative).is_some(), "{name}: {path}");
                    }
                    let field = message.get_field_by_name(step.split('|').next().unwrap_or_default());
                    if let Some(Kind::Message(next)) = field.map(|field| field.kind()) {
                        message = next;
                    }
                }
            }
        }
    }

    #[test]
    fn a_collection_without_columns_shows_what_resources_usually_have() {
        let vendor = contract::collection("vendors").expect("a collection").items;
        let Kind::Message(vendor) = vendor.kind() else { panic!("no message") };
        let (headings, rows) = table("unheard-of", &vendor, &[DynamicMessage::new(vendor.clone())]);
        assert_eq!(headings, ["NAME", "DISPLAY NAME"]);
        assert_eq!(rows, [["", ""]]);
    }
}
