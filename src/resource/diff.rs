//! What differs between two versions of a message, leaf by leaf. Fields that only the server sets do not count.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value};
use serde_json::Value as Json;

use super::{align::align, behavior, json};
use crate::proto::v1;

/// One leaf that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDiff {
    /// Where: `locations[0].region_code`, `annotations["k"]`. An index is that of the list after the change; that of
    /// the list before it for what was removed.
    pub path: String,
    /// The value before; none if it was not set.
    pub before: Option<Json>,
    /// The value after; none if it was cleared.
    pub after: Option<Json>,
}

impl From<FieldDiff> for v1::FieldDiff {
    fn from(diff: FieldDiff) -> Self {
        let text = |value: Option<Json>| value.map(|value| value.to_string()).unwrap_or_default();
        Self { path: diff.path, before: text(diff.before), after: text(diff.after) }
    }
}

/// Every leaf in which `after` differs from `before`: for a message that appears, all that it holds; for one that
/// disappears, all that it held.
///
/// Elements of lists are compared with the elements they were: by their id where they have one, else so that what
/// stayed the same stays out of the answer. So an element inserted at the front is one addition.
///
/// For two messages the answer is empty exactly if they are the [`same`].
pub fn diff(before: Option<&DynamicMessage>, after: Option<&DynamicMessage>) -> Vec<FieldDiff> {
    let mut out = Vec::new();
    fields(before, after, "", &mut out);
    out
}

/// Which of these fields differ, whoever sets them: each as a whole.
pub fn whole(before: &DynamicMessage, after: &DynamicMessage, names: &[&str]) -> Vec<FieldDiff> {
    let said = |message: &DynamicMessage| json::to_json_where(message, &|field| names.contains(&field.name()));
    let (old, new) = (said(before), said(after));
    let one = |name: &&str| FieldDiff {
        path: (*name).to_owned(),
        before: old.get(*name).cloned(),
        after: new.get(*name).cloned(),
    };
    names.iter().map(one).filter(|diff| diff.before != diff.after).collect()
}

/// Whether two messages are equal in all that a caller can set.
pub fn same(a: &DynamicMessage, b: &DynamicMessage) -> bool {
    a.descriptor() == b.descriptor() && visible(a) == visible(b)
}

/// The field by which the elements of a list are told apart, such as `entity_id`: the first one, if it is an id and
/// required. (`part_id` of a claim refers to something else: it does not come first.)
pub fn key_field(message: &MessageDescriptor) -> Option<FieldDescriptor> {
    let first = message.get_field(1)?;
    (first.name().ends_with("_id") && first.kind() == Kind::String && behavior::of(&first).required).then_some(first)
}

fn is_visible(field: &FieldDescriptor) -> bool {
    !behavior::of(field).output_only
}

fn visible(message: &DynamicMessage) -> Json {
    json::to_json_where(message, &is_visible)
}

fn element(value: &Value, kind: &Kind) -> Json {
    json::value_to_json(value, kind, &is_visible)
}

fn fields(before: Option<&DynamicMessage>, after: Option<&DynamicMessage>, path: &str, out: &mut Vec<FieldDiff>) {
    let Some(descriptor) = after.or(before).map(|message| message.descriptor()) else { return };
    for field in descriptor.fields().filter(is_visible) {
        let value = |message: Option<&DynamicMessage>| {
            message.filter(|m| m.has_field(&field)).map(|m| m.get_field(&field).into_owned())
        };
        let (old, new) = (value(before), value(after));
        let path = if path.is_empty() { field.name().to_owned() } else { format!("{path}.{}", field.name()) };
        if field.is_list() {
            list(&field.kind(), items(old.as_ref()), items(new.as_ref()), &path, out);
        } else if field.is_map() {
            map(&field.kind(), old.as_ref(), new.as_ref(), &path, out);
        } else {
            single(&field.kind(), old.as_ref(), new.as_ref(), path, out);
        }
    }
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_list).unwrap_or_default()
}

/// One value, which is a leaf unless it is a message of the contract's own.
fn single(kind: &Kind, before: Option<&Value>, after: Option<&Value>, path: String, out: &mut Vec<FieldDiff>) {
    let known = out.len();
    if kind.as_message().is_some_and(|m| m.package_name() != "google.protobuf") {
        fields(before.and_then(Value::as_message), after.and_then(Value::as_message), &path, out);
        // An empty message has no leaves, and yet it is there or not.
        if out.len() > known || before.is_some() == after.is_some() {
            return;
        }
    }
    let (before, after) = (before.map(|v| element(v, kind)), after.map(|v| element(v, kind)));
    if before != after {
        out.push(FieldDiff { path, before, after });
    }
}

fn map(kind: &Kind, before: Option<&Value>, after: Option<&Value>, path: &str, out: &mut Vec<FieldDiff>) {
    let Some(kind) = json::map_value_kind(kind) else { return };
    let (before, after) = (entries(before), entries(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let path = format!("{path}[{}]", Json::from(key.as_str()));
        single(&kind, before.get(key).copied(), after.get(key).copied(), path, out);
    }
}

/// A map's entries in the order of their keys, so that the answer does not depend on how maps happen to be stored.
fn entries(value: Option<&Value>) -> BTreeMap<String, &Value> {
    value.and_then(Value::as_map).into_iter().flatten().map(|(key, value)| (json::map_key(key), value)).collect()
}

fn list(kind: &Kind, before: &[Value], after: &[Value], path: &str, out: &mut Vec<FieldDiff>) {
    let key = kind.as_message().and_then(key_field);
    let keys = key.and_then(|key| Some((keys(before, &key)?, keys(after, &key)?)));
    let pairs = match &keys {
        Some((old, new)) => by_key(old, new),
        None => {
            let forms = |values: &[Value]| values.iter().map(|v| element(v, kind)).collect::<Vec<_>>();
            align(&forms(before), &forms(after))
        }
    };
    for (old, new) in pairs {
        let Some(index) = new.or(old) else { continue };
        let (old, new) = (old.and_then(|i| before.get(i)), new.and_then(|i| after.get(i)));
        single(kind, old, new, format!("{path}[{index}]"), out);
    }
    if let Some((old, new)) = &keys {
        order(old, new, path, out);
    }
}

/// The ids of a list's elements, if each has one of its own.
fn keys(values: &[Value], key: &FieldDescriptor) -> Option<Vec<String>> {
    let mut seen = HashSet::new();
    values
        .iter()
        .map(|value| {
            let id = value.as_message()?.get_field(key).as_str()?.to_owned();
            (!id.is_empty() && seen.insert(id.clone())).then_some(id)
        })
        .collect()
}

/// Elements with the same id belong together; what was removed comes last.
fn by_key(before: &[String], after: &[String]) -> Vec<(Option<usize>, Option<usize>)> {
    let old: HashMap<&str, usize> = before.iter().enumerate().map(|(i, k)| (k.as_str(), i)).collect();
    let kept: HashSet<&str> = after.iter().map(String::as_str).collect();
    let stays = after.iter().enumerate().map(|(j, k)| (old.get(k.as_str()).copied(), Some(j)));
    let goes = before.iter().enumerate().filter(|(_, k)| !kept.contains(k.as_str())).map(|(i, _)| (Some(i), None));
    stays.chain(goes).collect()
}

/// The order of what stayed is a difference too, which no leaf shows.
fn order(before: &[String], after: &[String], path: &str, out: &mut Vec<FieldDiff>) {
    let common = |these: &[String], those: &[String]| -> Vec<String> {
        let those: HashSet<&String> = those.iter().collect();
        these.iter().filter(|k| those.contains(k)).cloned().collect()
    };
    let (old, new) = (common(before, after), common(after, before));
    if old != new {
        out.push(FieldDiff { path: path.to_owned(), before: Some(Json::from(old)), after: Some(Json::from(new)) });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changes<T: ReflectMessage>(before: &T, after: &T) -> Vec<(String, Json, Json)> {
        let (before, after) = (before.transcode_to_dynamic(), after.transcode_to_dynamic());
        let diffs = diff(Some(&before), Some(&after));
        assert_eq!(diffs.is_empty(), same(&before, &after));
        diffs.into_iter().map(|d| (d.path, d.before.unwrap_or_default(), d.after.unwrap_or_default())).collect()
    }

    fn change(path: &str, before: Json, after: Json) -> (String, Json, Json) {
        (path.to_owned(), before, after)
    }

    fn location(region: &str, area: &str) -> v1::Location {
        v1::Location { region_code: region.into(), area: area.into(), ..Default::default() }
    }

    fn entity(id: &str, name: &str) -> v1::Entity {
        v1::Entity { entity_id: id.into(), legal_name: name.into(), ..Default::default() }
    }

    #[test]
    fn leaves_that_differ() {
        let before = v1::Subprocessor {
            display_name: "A".into(),
            state: v1::subprocessor::State::Active.into(),
            dpa: Some(v1::Dpa { document: "x".into(), ..Default::default() }),
            annotations: [("a".into(), "1".into()), ("b \"".into(), "2".into())].into(),
            start_date: "2020-01-01".into(),
            ..Default::default()
        };
        let after = v1::Subprocessor {
            display_name: "B".into(),
            state: v1::subprocessor::State::Suspended.into(),
            dpa: Some(v1::Dpa { document: "y".into(), sign_date: "2021-01-01".into(), ..Default::default() }),
            annotations: [("a".into(), "1".into()), ("c".into(), String::new())].into(),
            retention: Some(v1::Retention::default()),
            ..Default::default()
        };
        assert_eq!(
            changes(&before, &after),
            [
                change(r#"annotations["b \""]"#, json!("2"), Json::Null),
                change(r#"annotations["c"]"#, Json::Null, json!("")),
                change("display_name", json!("A"), json!("B")),
                change("state", json!("ACTIVE"), json!("SUSPENDED")),
                change("dpa.document", json!("x"), json!("y")),
                change("dpa.sign_date", Json::Null, json!("2021-01-01")),
                change("retention", Json::Null, json!({})),
                change("start_date", json!("2020-01-01"), Json::Null),
            ]
        );
    }

    #[test]
    fn what_only_the_server_sets_does_not_count() {
        let before = v1::Vendor { display_name: "A".into(), ..Default::default() };
        let after = v1::Vendor {
            name: "vendors/a".into(),
            uid: "u".into(),
            etag: "e".into(),
            revision: 7,
            create_time: Some(prost_types::Timestamp::default()),
            origin: v1::vendor::Origin::Catalog.into(),
            ..before.clone()
        };
        assert_eq!(changes(&before, &after), []);
        // But `state` is only conditionally the server's.
        let state = v1::Subprocessor { state: 3, ..Default::default() };
        assert_eq!(changes(&v1::Subprocessor::default(), &state).len(), 1);
    }

    #[test]
    fn an_optional_scalar_that_is_set_to_zero_differs_from_one_that_is_not() {
        let zero = v1::NoticePolicy { notice_days: Some(0), ..Default::default() };
        assert_eq!(changes(&v1::NoticePolicy::default(), &zero), [change("notice_days", Json::Null, json!(0))]);
    }

    #[test]
    fn an_element_inserted_at_the_front_is_one_addition() {
        let before = v1::Subprocessor {
            purposes: vec!["a".into(), "b".into(), "c".into()],
            locations: vec![location("US", ""), location("DE", "")],
            ..Default::default()
        };
        let mut after = before.clone();
        after.purposes.insert(0, "z".into());
        after.locations.insert(0, location("IE", "EU"));
        assert_eq!(
            changes(&before, &after),
            [
                change("purposes[0]", Json::Null, json!("z")),
                change("locations[0].region_code", Json::Null, json!("IE")),
                change("locations[0].area", Json::Null, json!("EU")),
            ]
        );
        // Removals have the index of the list before.
        assert_eq!(
            changes(&after, &before)[..2],
            [
                change("purposes[0]", json!("z"), Json::Null),
                change("locations[0].region_code", json!("IE"), Json::Null)
            ]
        );
    }

    #[test]
    fn a_changed_element_is_compared_with_the_one_it_was() {
        let before = v1::Subprocessor {
            locations: vec![location("US", "x"), location("DE", "y"), location("FR", "")],
            ..Default::default()
        };
        let after = v1::Subprocessor {
            locations: vec![location("IE", ""), location("US", "x"), location("DE", "z"), location("FR", "")],
            ..Default::default()
        };
        assert_eq!(
            changes(&before, &after),
            [
                change("locations[0].region_code", Json::Null, json!("IE")),
                change("locations[2].area", json!("y"), json!("z")),
            ]
        );
    }

    #[test]
    fn among_changed_elements_the_most_alike_are_compared() {
        let before = v1::Subprocessor { locations: vec![location("US", "x")], ..Default::default() };
        let after = v1::Subprocessor {
            locations: vec![location("IE", "y"), location("US", "z"), location("FR", "w")],
            ..Default::default()
        };
        assert_eq!(changes(&before, &after)[2], change("locations[1].area", json!("x"), json!("z")));
        // Nothing alike: still a change of one value, not a removal and an addition.
        let other = v1::Subprocessor { locations: vec![location("DE", "x")], ..Default::default() };
        assert_eq!(changes(&before, &other), [change("locations[0].region_code", json!("US"), json!("DE"))]);
    }

    #[test]
    fn elements_with_ids_are_compared_by_id() {
        let before =
            v1::Vendor { entities: vec![entity("a", "A"), entity("b", "B"), entity("c", "C")], ..Default::default() };
        let after =
            v1::Vendor { entities: vec![entity("n", "N"), entity("c", "C2"), entity("b", "B")], ..Default::default() };
        assert_eq!(
            changes(&before, &after),
            [
                change("entities[0].entity_id", Json::Null, json!("n")),
                change("entities[0].legal_name", Json::Null, json!("N")),
                change("entities[1].legal_name", json!("C"), json!("C2")),
                change("entities[0].entity_id", json!("a"), Json::Null),
                change("entities[0].legal_name", json!("A"), Json::Null),
                change("entities", json!(["b", "c"]), json!(["c", "b"])),
            ]
        );
    }

    #[test]
    fn elements_without_ids_of_their_own_are_compared_otherwise() {
        let before = v1::Vendor { entities: vec![entity("a", "A"), entity("a", "B")], ..Default::default() };
        let after = v1::Vendor { entities: vec![entity("a", "B")], ..Default::default() };
        assert_eq!(changes(&before, &after).len(), 2);
        // A claim's part_id says where it stands; several claims stand in one part.
        let claim = v1::Claim::default().descriptor();
        assert_eq!(key_field(&claim), None);
        let keyed: Vec<String> = crate::proto::POOL
            .all_messages()
            .filter(|m| m.package_name() == crate::proto::PACKAGE)
            .filter_map(|m| key_field(&m).map(|f| f.full_name().rsplit("v1.").next().unwrap_or_default().to_owned()))
            .collect();
        for key in ["Entity.entity_id", "Service.service_id", "Product.product_id", "Part.part_id"] {
            assert!(keyed.iter().any(|k| k == key), "{key} of {keyed:?}");
        }
    }

    #[test]
    fn all_that_a_new_or_removed_message_holds() {
        let vendor = v1::Vendor {
            name: "vendors/a".into(),
            display_name: "A".into(),
            aliases: vec!["B".into()],
            ..Default::default()
        }
        .transcode_to_dynamic();
        let paths = |diffs: Vec<FieldDiff>| diffs.into_iter().map(|d| d.path).collect::<Vec<_>>();
        assert_eq!(paths(diff(None, Some(&vendor))), ["display_name", "aliases[0]"]);
        assert!(diff(Some(&vendor), None).iter().all(|d| d.before.is_some() && d.after.is_none()));
        assert_eq!(diff(None, None), []);
    }
}
