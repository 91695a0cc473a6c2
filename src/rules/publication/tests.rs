use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value};

use super::*;
use crate::{
    proto::v1::{
        Instrument, MechanismAssessment, Notice, NoticeChange, Organization, ProposedTransfer, Subprocessor, Transfer,
        TransferAssessment, Vendor, Verdict, notice, notice_change, subprocessor::State,
    },
    rules::{
        law::{Law, territory::Territories},
        paper::Judged,
    },
};

/// A message in which every field is set: texts say which field they stand in.
fn filled<M: ReflectMessage + Default>(of: &str) -> M {
    let mut message = DynamicMessage::new(M::default().descriptor());
    fill(&mut message, of, &mut Vec::new());
    message.transcode_to().expect("the same message")
}

fn fill(message: &mut DynamicMessage, path: &str, above: &mut Vec<MessageDescriptor>) {
    let descriptor = message.descriptor();
    above.push(descriptor.clone());
    for field in descriptor.fields() {
        let path = format!("{path}.{}", field.name());
        // A message within itself would never end.
        if field.kind().as_message().is_some_and(|inside| above.contains(inside)) {
            continue;
        }
        let one = |above: &mut Vec<MessageDescriptor>| value(&field, &path, above);
        let value = if field.is_map() {
            let text = |text: &str| Value::String(format!("‹{path}.{text}›"));
            Value::Map(HashMap::from([(MapKey::String(format!("‹{path}.key›")), text("value"))]))
        } else if field.is_list() {
            Value::List(vec![one(above)])
        } else {
            one(above)
        };
        message.set_field(&field, value);
    }
    above.pop();
}

fn value(field: &FieldDescriptor, path: &str, above: &mut Vec<MessageDescriptor>) -> Value {
    match field.kind() {
        Kind::String => Value::String(format!("‹{path}›")),
        Kind::Bytes => Value::Bytes(path.as_bytes().to_vec().into()),
        Kind::Bool => Value::Bool(true),
        Kind::Int32 => Value::I32(77),
        Kind::Int64 => Value::I64(77),
        Kind::Double => Value::F64(0.5),
        Kind::Enum(_) => Value::EnumNumber(1),
        Kind::Message(inside) => {
            let mut message = DynamicMessage::new(inside);
            fill(&mut message, path, above);
            Value::Message(message)
        }
        other => panic!("{path} is {other:?}: what does one look like?"),
    }
}

const AWS: &str = "organizations/o/subprocessors/aws";
const OLD: &str = "organizations/o/subprocessors/old";

fn law() -> Arc<Law> {
    let clauses = Instrument { name: "instruments/scc".into(), ..filled("Instrument") };
    Arc::new(Law::new([clauses], Territories::default()))
}

fn subprocessor(name: &str, of: &str) -> Subprocessor {
    let mut one: Subprocessor = filled(of);
    one.name = name.into();
    (one.vendor, one.vendor_entity) = ("vendors/v".into(), "e".into());
    (one.start_date, one.end_date) = ("2020-01-01".into(), String::new());
    (one.engaged_by, one.delete_time) = (OLD.into(), None);
    one.set_state(State::Active);
    one
}

fn change(kind: notice_change::Kind) -> NoticeChange {
    let mut change: NoticeChange = filled("NoticeChange");
    (change.effective_time, change.withdraw_time, change.update_mask) = (None, None, None);
    change.subprocessor = AWS.into();
    change.replaces = vec![OLD.into()];
    change.set_kind(kind);
    let proposed = change.proposed.as_mut().expect("filled");
    (proposed.vendor, proposed.vendor_entity) = ("vendors/v".into(), "e".into());
    proposed.recorded_as_found = true;
    change.proposed_transfers = vec![ProposedTransfer { transfer: Some(transfer()), ..filled("ProposedTransfer") }];
    change
}

fn transfer() -> Transfer {
    let mut one: Transfer = filled("Transfer");
    one.importer = AWS.into();
    one.mechanisms[0].instrument = "instruments/scc".into();
    one
}

fn told(changes: Vec<NoticeChange>) -> Notice {
    let mut one: Notice = filled("Notice");
    (one.name, one.inbound, one.delete_time) = ("organizations/o/notices/n".into(), false, None);
    one.set_state(notice::State::Published);
    one.changes = changes;
    one
}

fn material() -> Material {
    let mut vendor: Vendor = filled("Vendor");
    vendor.name = "vendors/v".into();
    vendor.entities[0].entity_id = "e".into();
    let mut organization: Organization = filled("Organization");
    organization.name = "organizations/o".into();
    let assessment = MechanismAssessment {
        instrument: "instruments/scc".into(),
        verdict: Verdict::Valid.into(),
        ..filled("MechanismAssessment")
    };
    let answer = TransferAssessment {
        verdict: Verdict::Valid.into(),
        mechanism_assessments: vec![assessment],
        ..filled("TransferAssessment")
    };
    let (aws, old) = (subprocessor(AWS, "Subprocessor"), subprocessor(OLD, "Other"));
    Material {
        base: "https://list.example".into(),
        date: "2026-03-01".into(),
        revision: 12,
        commit_time: "2026-02-28T10:00:00Z".parse().ok(),
        organization,
        engagements: vec![aws.clone(), old.clone()],
        notices: vec![told(vec![
            change(notice_change::Kind::ChangePurpose),
            change(notice_change::Kind::Replace),
            change(notice_change::Kind::Remove),
        ])],
        subprocessors: HashMap::from([(AWS.to_owned(), aws), (OLD.to_owned(), old)]),
        vendors: HashMap::from([("vendors/v".to_owned(), vendor)]),
        transfers: HashMap::from([(AWS.to_owned(), vec![Judged { transfer: transfer(), answer }])]),
        law: law(),
    }
}

/// The fields whose texts stand in a text.
fn fields(text: &str) -> BTreeSet<&str> {
    text.split('‹').skip(1).filter_map(|rest| rest.split('›').next()).collect()
}

/// Of a subprocessor, everything that may ever be published.
const PUBLIC: [&str; 13] = [
    "display_name",
    "website_uri",
    "purposes",
    "service_description",
    "products",
    "section",
    "condition",
    "data_categories",
    "special_categories",
    "data_subject_categories",
    "locations.region_code",
    "locations.area",
    "locations.verbatim",
];

#[test]
fn only_what_is_on_the_allow_list_is_published() {
    let publication = serde_json::to_string(&build(&material())).expect("JSON");
    let mut allowed: BTreeSet<String> = [
        "Organization.display_name",
        "Organization.legal_name",
        "Organization.region_code",
        "Organization.website_uri",
        "Organization.products.product_id",
        "Organization.products.display_name",
        "Organization.page.objection_instructions",
        "Organization.page.contact_email",
        "Organization.page.contact_uri",
        "Vendor.display_name",
        "Vendor.entities.legal_name",
        "Vendor.entities.region_code",
        "Vendor.entities.address.verbatim",
        "Instrument.title",
        "Instrument.citation",
        "Transfer.destination_region_codes",
        "Notice.title",
        "Notice.body",
        "NoticeChange.change_id",
        "NoticeChange.products",
        "NoticeChange.proposed.start_date",
        "NoticeChange.proposed.end_date",
    ]
    .map(str::to_owned)
    .into();
    for of in ["Subprocessor", "Other", "NoticeChange.proposed"] {
        allowed.extend(PUBLIC.map(|field| format!("{of}.{field}")));
        // Where it holds.
        allowed.insert(format!("{of}.locations.products"));
    }
    let found: BTreeSet<String> = fields(&publication).into_iter().map(str::to_owned).collect();
    assert_eq!(found, allowed);
    assert!(!publication.contains("\"77\"") && !publication.contains("annotations"));
}

#[test]
fn what_is_not_listed_or_not_in_effect_is_not_there() {
    let count = |change: fn(&mut Subprocessor)| {
        let mut material = material();
        material.engagements.truncate(1);
        material.engagements.iter_mut().for_each(change);
        build(&material).subprocessors.len()
    };
    assert_eq!(count(|_| {}), 1);
    assert_eq!(count(|one| one.set_state(State::Suspended)), 1);
    assert_eq!(count(|one| one.listed = false), 0);
    for state in [State::Proposed, State::Announced, State::Rejected] {
        let mut material = material();
        material.engagements.iter_mut().for_each(|one| one.set_state(state));
        assert_eq!(build(&material).subprocessors, []);
    }
    assert_eq!(count(|one| one.start_date = "2026-03-02".into()), 0);
    assert_eq!(count(|one| one.end_date = "2026-03-01".into()), 0);
    assert_eq!(count(|one| one.end_date = "2026-03-02".into()), 1);
}

#[test]
fn what_is_hidden_is_not_told_by_what_is_shown() {
    let mut material = material();
    material.engagements.truncate(1);
    material.subprocessors.get_mut(OLD).expect("there").listed = false;
    let text = serde_json::to_string(&build(&material)).expect("JSON");
    assert!(!fields(&text).iter().any(|field| field.starts_with("Other.")), "{text}");
    // And a notice that is about nothing else is not told at all.
    material.notices[0].changes.retain(|one| one.kind() == notice_change::Kind::Remove);
    material.notices[0].changes[0].subprocessor = OLD.into();
    assert_eq!(build(&material).upcoming, []);
}

#[test]
fn only_what_was_told_and_is_still_to_come_is_upcoming() {
    let kinds = |change: fn(&mut Notice)| {
        let mut material = material();
        material.notices.iter_mut().for_each(change);
        build(&material).upcoming.into_iter().map(|one| one.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(|_| {}), ["CHANGE_PURPOSE", "REPLACE", "REMOVE"]);
    assert_eq!(kinds(|one| one.set_state(notice::State::Held)).len(), 3);
    for state in [notice::State::Draft, notice::State::Approved, notice::State::Effective, notice::State::Withdrawn] {
        let mut material = material();
        material.notices[0].set_state(state);
        assert_eq!(build(&material).upcoming, [], "{state:?}");
    }
    assert_eq!(kinds(|one| one.inbound = true).len(), 0);
    assert_eq!(kinds(|one| one.publish_time = None).len(), 0);
    assert_eq!(kinds(|one| one.delete_time = one.publish_time).len(), 0);
    assert_eq!(kinds(|one| one.changes[0].effective_time = one.publish_time), ["REPLACE", "REMOVE"]);
    assert_eq!(kinds(|one| one.changes[1].withdraw_time = one.publish_time), ["CHANGE_PURPOSE", "REMOVE"]);
}

#[test]
fn a_change_has_a_before_and_an_after() {
    let [changed, replaced, removed] = build(&material()).upcoming.try_into().expect("three");
    let purposes = |entry: &Option<Box<Entry>>| entry.as_ref().map(|one| one.purposes.concat());
    assert_eq!(purposes(&changed.before).as_deref(), Some("‹Subprocessor.purposes›"));
    assert_eq!(purposes(&changed.after).as_deref(), Some("‹NoticeChange.proposed.purposes›"));
    assert!(replaced.before.is_none() && replaced.after.is_some());
    assert_eq!(replaced.replaces.len(), 1);
    assert_eq!(replaced.summary, "‹Subprocessor.display_name› replaces ‹Other.display_name›");
    assert!(removed.before.is_some() && removed.after.is_none());
    assert_eq!(changed.link, "https://list.example/organizations/o/notices/n");
    // Only what waits for customers can be objected to.
    assert!(changed.objection.is_some());
    let mut material = material();
    material.notices[0].changes[0].waits = false;
    assert_eq!(build(&material).upcoming[0].objection, None);
}

#[test]
fn only_days_that_are_promised_are_shown() {
    let shown = |notice_days, objection_days| {
        let mut material = material();
        let policy = material.notices[0].policy.get_or_insert_default();
        (policy.notice_days, policy.objection_days) = (notice_days, objection_days);
        let objection = build(&material).upcoming[0].objection.clone().expect("there is whom to write to");
        (objection.notice_days, objection.objection_days)
    };
    assert_eq!(shown(Some(30), Some(14)), (Some(30), Some(14)));
    // Whether there are days to object is for each agreement to say; and none are no promise.
    assert_eq!(shown(Some(30), None), (Some(30), None));
    assert_eq!(shown(Some(30), Some(0)), (Some(30), None));
    assert_eq!(shown(Some(0), Some(14)), (None, Some(14)));
}

#[test]
fn a_mechanism_that_carries_nothing_is_not_claimed() {
    let titles = |material: &Material| {
        let list = build(material).subprocessors;
        list.into_iter().flat_map(|one| one.mechanisms).map(|one| one.title).collect::<Vec<_>>()
    };
    let mut material = material();
    assert_eq!(titles(&material), ["‹Instrument.title›, module one"]);
    let judged = &mut material.transfers.get_mut(AWS).expect("there")[0];
    judged.answer.mechanism_assessments[0].verdict = Verdict::Expired.into();
    assert_eq!(titles(&material), [""; 0]);
    let judged = &mut material.transfers.get_mut(AWS).expect("there")[0];
    judged.answer.mechanism_assessments[0].verdict = Verdict::Valid.into();
    judged.answer.verdict = Verdict::Indeterminate.into();
    assert_eq!(titles(&material), [""; 0]);
}

#[test]
fn a_publication_reads_back_as_it_was_written() {
    let publication = build(&material());
    let text = serde_json::to_string(&publication).expect("JSON");
    assert_eq!(serde_json::from_str::<Publication>(&text).expect("reads"), publication);
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn every_row_says_something_of_an_entry_that_has_everything() {
    let mut entry = build(&material()).subprocessors.into_iter().find(|one| one.id == "aws").expect("aws");
    (entry.suspended, entry.affiliate, entry.end_date) = (true, Some(true), "2027-01-01".into());
    let silent: Vec<&str> = rows::ROWS.iter().filter(|row| (row.of)(&entry).is_empty()).map(|row| row.key).collect();
    assert_eq!(silent, [""; 0]);
    let other = entry.clone();
    assert_eq!(rows::differences(&entry, &other), []);
    let changed = |change: fn(&mut Entry)| {
        let mut other = entry.clone();
        change(&mut other);
        let found = rows::differences(&entry, &other);
        found.into_iter().map(|one| (one.key, one.before.concat(), one.after.concat())).collect::<Vec<_>>()
    };
    let said = |key, before: &str, after: &str| vec![(key, before.to_owned(), after.to_owned())];
    let before = entry.purposes.concat();
    assert_eq!(changed(|one| one.purposes = vec!["x".into()]), said("purposes", &before, "x"));
    assert_eq!(changed(|one| one.suspended = false), said("status", "not in use for now", ""));
    assert_eq!(changed(|one| one.affiliate = None), said("affiliate", "yes", ""));
    assert_eq!(changed(|one| one.affiliate = Some(false)), said("affiliate", "yes", "no"));
    assert_eq!(changed(|one| one.end_date.clear()), said("until", "1 January 2027", ""));
}
