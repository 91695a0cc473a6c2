//! A recorded history: what a list said from when on, step by step.

use std::{collections::BTreeMap, fs, path::PathBuf};

use prost_reflect::ReflectMessage;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use subprocessor_registry::{
    manifest::{MAX_BYTES, Problems, node},
    proto::v1::{self, location::Activity, subprocessor::State},
    resource::json::to_json,
};

/// The files of a folder of `tests/data`, by name.
pub fn files(folder: &str) -> BTreeMap<String, Json> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a file");
        let mut problems = Problems::default();
        let tree = node::parse(&text, MAX_BYTES, &mut problems);
        assert!(problems.list().is_empty(), "{}: {:?}", path.display(), problems.list());
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        files.insert(name, tree.expect("readable").to_json());
    }
    files
}

/// A row of a list as it was published.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    pub key: String,
    pub name: String,
    /// Whatever else it says: `section`, `purpose`, `locations`, `entity_country`, and columns of its own.
    pub cells: BTreeMap<String, String>,
}

/// A field of a row that changed. Absent values are empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changed {
    pub key: String,
    pub field: String,
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone)]
pub struct Renamed {
    pub from_key: String,
    pub to_key: String,
    pub from_name: String,
    pub to_name: String,
}

#[derive(Debug, Clone)]
pub struct Step {
    pub time: String,
    pub removed: Vec<String>,
    pub renamed: Vec<Renamed>,
    /// Moves to another section among them.
    pub changed: Vec<Changed>,
    pub added: Vec<Row>,
    /// Of rows that are added, the removed ones in whose place they come, as far as the record says so.
    pub successors: BTreeMap<String, Vec<String>>,
    /// The list after it.
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone)]
pub struct History {
    pub name: String,
    pub organization: String,
    /// Id and name of the only product it is about.
    pub product: Option<(String, String)>,
    pub steps: Vec<Step>,
}

/// The histories, by name.
pub fn histories() -> Vec<History> {
    files("history").iter().map(|(name, file)| History::read(name, file)).collect()
}

fn text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn each<'a>(value: &'a Json, key: &str) -> impl Iterator<Item = &'a Json> {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

impl Row {
    fn read(row: &Json) -> Self {
        let mut cells = BTreeMap::new();
        for (field, value) in row.as_object().expect("a row") {
            match field.as_str() {
                "key" | "name" => {}
                "other" => {
                    cells.extend(value.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), text(v))));
                }
                _ => {
                    cells.insert(field.clone(), text(value));
                }
            }
        }
        cells.retain(|_, value| !value.is_empty());
        Self { key: text(&row["key"]), name: text(&row["name"]), cells }
    }

    fn cell(&self, field: &str) -> String {
        self.cells.get(field).cloned().unwrap_or_default()
    }

    fn set(&mut self, field: &str, from: &str, to: &str) {
        assert_eq!(self.cell(field), from, "{} {field}", self.key);
        match to {
            "" => self.cells.remove(field),
            to => self.cells.insert(field.to_owned(), to.to_owned()),
        };
    }

    /// An id of its own: rows whose keys differ in case only are two.
    pub fn id(&self) -> String {
        id(&self.key)
    }

    /// The row as the registry holds it.
    pub fn message(&self, products: &[String]) -> v1::Subprocessor {
        let mut message = v1::Subprocessor {
            display_name: self.name.clone(),
            state: State::Active.into(),
            recorded_as_found: true,
            products: products.to_vec(),
            ..Default::default()
        };
        for (field, value) in &self.cells {
            let place = |activity: Activity| v1::Location {
                activity: activity.into(),
                verbatim: value.clone(),
                ..Default::default()
            };
            match field.as_str() {
                "section" => message.section.clone_from(value),
                "purpose" => message.purposes.push(value.clone()),
                "locations" => message.locations.insert(0, place(Activity::Processing)),
                "entity_country" => message.locations.push(place(Activity::Corporate)),
                _ => {
                    message.annotations.insert(field.clone(), value.clone());
                }
            }
        }
        message
    }
}

/// The id for a key.
pub fn id(key: &str) -> String {
    let plain: String = key.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let short: String = plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let short: String = short.chars().take(40).collect();
    format!("{}-{}", short.trim_matches('-'), hex::encode(&Sha256::digest(key)[..4])).trim_matches('-').to_owned()
}

impl History {
    fn read(name: &str, file: &Json) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        let steps = each(file, "steps")
            .map(|step| {
                let step = Step::read(step, &mut rows);
                let mut keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
                keys.sort_unstable();
                keys.dedup();
                assert_eq!(keys.len(), rows.len(), "{name}: {} has a key twice", step.time);
                step
            })
            .collect();
        let by_key = |rows: Vec<Row>| rows.into_iter().map(|row| (row.key.clone(), row)).collect::<BTreeMap<_, _>>();
        let last: Vec<Row> = each(file, "final").map(Row::read).collect();
        assert_eq!(by_key(rows), by_key(last), "{name}: the steps do not lead to the final list");
        let product = file.get("product_id").map(|id| (text(id), text(&file["product"])));
        Self { name: name.to_owned(), organization: text(&file["organization"]), product, steps }
    }

    pub fn products(&self) -> Vec<String> {
        self.product.iter().map(|(id, _)| id.clone()).collect()
    }

    /// The manifest of a list: an organization called `acme` with these rows.
    pub fn manifest(&self, rows: &[Row]) -> String {
        let products: Vec<Json> =
            self.product.iter().map(|(id, name)| json!({"product_id": id, "display_name": name})).collect();
        let rows: Vec<Json> = rows.iter().map(|row| entry(&row.id(), &row.message(&self.products()))).collect();
        manifest(&self.organization, products, rows)
    }
}

/// The manifest of an organization called `acme`.
pub fn manifest(display_name: &str, products: Vec<Json>, subprocessors: Vec<Json>) -> String {
    let organization = json!({"id": "acme", "display_name": display_name, "products": products});
    json!({"organization": organization, "subprocessors": subprocessors}).to_string()
}

/// A subprocessor as a manifest has it.
pub fn entry(id: &str, message: &v1::Subprocessor) -> Json {
    let mut entry = to_json(&message.transcode_to_dynamic());
    entry["id"] = Json::from(id);
    entry
}

impl Step {
    fn read(step: &Json, rows: &mut Vec<Row>) -> Self {
        let removed: Vec<String> = each(step, "removed").map(text).collect();
        let before = rows.len();
        rows.retain(|row| !removed.contains(&row.key));
        assert_eq!(before - rows.len(), removed.len(), "{step}: something is removed that was not there");
        let find = |rows: &mut Vec<Row>, key: &str| {
            rows.iter().position(|row| row.key == key).unwrap_or_else(|| panic!("no row {key}"))
        };
        let renamed: Vec<Renamed> = each(step, "renamed")
            .map(|one| {
                let [from_key, to_key, from_name, to_name] =
                    ["from_key", "to_key", "from_name", "to_name"].map(|field| text(&one[field]));
                let at = find(rows, &from_key);
                assert_eq!(rows[at].name, from_name);
                (rows[at].key, rows[at].name) = (to_key.clone(), to_name.clone());
                Renamed { from_key, to_key, from_name, to_name }
            })
            .collect();
        let moved =
            each(step, "moved").map(|one| ("section".to_owned(), &one["from_section"], &one["to_section"], one));
        let changed = each(step, "changed").map(|one| (text(&one["field"]), &one["from"], &one["to"], one));
        let changed: Vec<Changed> = moved
            .chain(changed)
            .map(|(field, from, to, one)| Changed { key: text(&one["key"]), field, from: text(from), to: text(to) })
            .collect();
        for Changed { key, field, from, to } in &changed {
            let at = find(rows, key);
            rows[at].set(field, from, to);
        }
        let added: Vec<Row> = each(step, "added").map(Row::read).collect();
        rows.extend(added.iter().cloned());
        let hints = each(step, "hint").filter(|hint| text(&hint["change"]) == "added");
        let successors = hints
            .map(|hint| {
                let earlier = each(hint, "probable_same_entity_as").map(text).filter(|key| removed.contains(key));
                (text(&hint["key"]), earlier.collect())
            })
            .collect();
        Self { time: text(&step["time"]), removed, renamed, changed, added, successors, rows: rows.clone() }
    }

    pub fn time(&self) -> prost_types::Timestamp {
        let instant: jiff::Timestamp = self.time.parse().expect("a time");
        prost_types::Timestamp { seconds: instant.as_second(), nanos: instant.subsec_nanosecond() }
    }

    /// The UTC day.
    pub fn day(&self) -> &str {
        &self.time[..10]
    }
}
