//! `history`: what happened to one resource, version by version, or to an organization's list, step by step.

use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use serde_json::{Value as Json, json};

use super::{
    Common, Print,
    client::Registry,
    contract, diff,
    failure::{Failure, Outcome, printable},
    output::{Format, Out},
    progress,
    resource::AsOf,
    value,
};
use crate::{
    proto::v1::{
        self, Change, DiffSubprocessorsRequest, DiffSubprocessorsResponse, ListRevisionsRequest, ListRevisionsResponse,
        Revision, as_of::Point, change,
    },
    resource::{
        diff::{FieldDiff, diff as field_diffs, whole},
        json::to_json,
        name::{Kind, Name},
    },
};

/// Revisions asked for at a time: they come with the names of all that they changed.
const PAGE_SIZE: i32 = 100;

/// What the server sets by itself, and nothing else tells of.
const HELD_BACK: [&str; 2] = ["held_back", "held_back_count"];

/// Calls under way at a time.
const AT_ONCE: usize = 8;

/// Arguments of `history`.
#[derive(Debug, Args)]
pub(super) struct History {
    /// A resource, e.g. `organizations/acme/subprocessors/aws` or `vendors/aws`: each of its versions. An organization:
    /// each step of its list.
    name: String,
    /// From this revision or time on, e.g. 12 or 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    from: Option<AsOf>,
    /// Up to this revision or time.
    #[arg(long, value_name = "R|TIME")]
    to: Option<AsOf>,
    /// Only the newest so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Show every field of the first version, too.
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

/// A revision, as far as it concerns what is asked about.
#[derive(Debug)]
struct Entry {
    number: i64,
    time: String,
    principal: String,
    method: String,
    /// What happened to the resource.
    kind: i32,
}

/// A version of a resource.
#[derive(Debug)]
enum Version {
    /// There was none yet.
    None,
    /// Its content.
    Held(DynamicMessage),
    /// Its content is gone.
    Erased,
}

impl History {
    /// Prints the history, newest last.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let kind = Name::parse(&self.name).map(|name| name.kind());
        let Some((kind, get)) = kind.zip(contract::of_name(&self.name).and_then(|collection| collection.get)) else {
            return Err(Failure::Usage(contract::no_name(&self.name)));
        };
        let registry = Registry::connect(&self.common).await?;
        let entries = self.entries(&registry, kind == Kind::Organization).await?;
        match entries.is_empty() {
            true if self.from.is_none() && self.to.is_none() => {
                Err(Failure::Failed(format!("{} has no history: nothing was ever written there", self.name)))
            }
            true if self.print.output == Format::Table => out.line(format!("{}: nothing in this range", self.name)),
            true => {
                let list = if kind == Kind::Organization { "steps" } else { "versions" };
                out.value(self.print.output, &json!({"name": self.name, list: []}))
            }
            false if kind == Kind::Organization => self.steps(&registry, &entries, out).await,
            false => self.versions(&registry, &get, &entries, out).await,
        }
    }

    /// The revisions that changed what is asked about, oldest first.
    async fn entries(&self, registry: &Registry, list: bool) -> Outcome<Vec<Entry>> {
        let bounds = [(&self.from, ">="), (&self.to, "<=")];
        let bounds = bounds.iter().filter_map(|(point, operator)| Some(point.as_ref()?.bound(operator)));
        let of = (!list).then(|| format!("resource_names:{}", Json::from(self.name.as_str())));
        let mut request = ListRevisionsRequest {
            parent: if list { self.name.clone() } else { String::new() },
            filter: of.into_iter().chain(bounds).collect::<Vec<_>>().join(" AND "),
            order_by: "number desc".to_owned(),
            page_size: PAGE_SIZE,
            ..Default::default()
        };
        let most = self.limit.map_or(usize::MAX, |limit| limit as usize);
        let rows = format!("{}/{}/", self.name, Kind::Subprocessor.collection());
        let concerns = |change: &&Change| match list {
            true => change.resource_name.starts_with(&rows),
            false => change.resource_name == self.name,
        };
        let mut entries = Vec::new();
        loop {
            let page: ListRevisionsResponse = registry.call("ChangeLogService/ListRevisions", request.clone()).await?;
            entries.extend(page.revisions.iter().filter_map(|revision| {
                let change = revision.changes.iter().find(concerns)?;
                Some(Entry::of(revision, change))
            }));
            if page.next_page_token.is_empty() || entries.len() >= most {
                break;
            }
            request.page_token = page.next_page_token;
        }
        entries.truncate(most);
        entries.reverse();
        Ok(entries)
    }

    /// Each version of a resource, with what differs from the one before.
    async fn versions(&self, registry: &Registry, get: &MethodDescriptor, entries: &[Entry], out: &mut Out) -> Outcome {
        let before = entries.first().map(|entry| entry.number - 1);
        let numbers: Vec<i64> = before.into_iter().chain(entries.iter().map(|entry| entry.number)).collect();
        let bar = progress::bar(numbers.len(), "versions");
        let versions = stream::iter(numbers).map(|number| {
            let bar = &bar;
            async move {
                let version = self.version(registry, get, number).await;
                bar.inc(1);
                version
            }
        });
        let versions: Vec<Version> = versions.buffered(AT_ONCE).try_collect().await?;
        drop(bar);
        let told: Vec<(&Entry, Vec<FieldDiff>, &Version)> = entries
            .iter()
            .zip(versions.windows(2))
            .filter_map(|(entry, pair)| match pair {
                [before, after] => Some((entry, entry.differs(before, after), after)),
                _ => None,
            })
            .collect();
        if self.print.output != Format::Table {
            let versions: Vec<Json> =
                told.iter().map(|(entry, diffs, _)| entry.json("field_diffs", json_of(diffs))).collect();
            return out.value(self.print.output, &json!({"name": self.name, "versions": versions}));
        }
        let headings = ["REVISION", "TIME", "WHO", "METHOD", "WHAT", "FIELD", "BEFORE", "AFTER"].map(ToOwned::to_owned);
        let rows = told.iter().flat_map(|(entry, diffs, after)| entry.rows(diffs, after, self.full)).collect();
        out.table(&headings, rows)
    }

    async fn version(&self, registry: &Registry, get: &MethodDescriptor, number: i64) -> Outcome<Version> {
        let mut request = DynamicMessage::new(get.input());
        let as_of = v1::AsOf { point: Some(Point::Revision(number)) };
        request.set_field_by_name("name", Value::String(self.name.clone()));
        request.set_field_by_name("as_of", Value::Message(value::dynamic(&as_of)));
        match registry.call_dynamic(get, request).await {
            Ok(message) => Ok(Version::Held(message)),
            Err(failure) => match failure.reason().as_deref() {
                Some("RESOURCE_NOT_FOUND") => Ok(Version::None),
                Some("RESOURCE_ERASED") => Ok(Version::Erased),
                _ => Err(failure),
            },
        }
    }

    /// Each step of a list, with what differs from the step before.
    async fn steps(&self, registry: &Registry, entries: &[Entry], out: &mut Out) -> Outcome {
        let bar = progress::bar(entries.len(), "steps");
        let bases = entries.first().map(|entry| entry.number - 1).into_iter().chain(entries.iter().map(|e| e.number));
        let answers = stream::iter(bases.zip(entries)).map(|(base, entry)| {
            let at = |number| Some(v1::AsOf { point: Some(Point::Revision(number)) });
            let (base, target, parent) = (at(base), at(entry.number), self.name.clone());
            let request = DiffSubprocessorsRequest { parent, base, target, ..Default::default() };
            let bar = &bar;
            async move {
                let answer = registry.call("SubprocessorService/DiffSubprocessors", request).await;
                bar.inc(1);
                answer
            }
        });
        let answers: Vec<DiffSubprocessorsResponse> = answers.buffered(AT_ONCE).try_collect().await?;
        drop(bar);
        let steps = entries.iter().zip(&answers);
        if self.print.output != Format::Table {
            let steps: Vec<Json> =
                steps.map(|(entry, answer)| entry.json("diff", to_json(&value::dynamic(answer)))).collect();
            return out.value(self.print.output, &json!({"name": self.name, "steps": steps}));
        }
        for (entry, answer) in steps {
            let Entry { number, time, principal, method, .. } = entry;
            out.line(printable(&format!("revision {number}  {time}  {principal}  {method}")))?;
            for line in lines(answer) {
                out.line(printable(&format!("  {line}")))?;
            }
        }
        Ok(())
    }
}

impl Entry {
    fn of(revision: &Revision, change: &Change) -> Self {
        Self {
            number: revision.number,
            time: value::time(revision.commit_time.as_ref()),
            principal: revision.principal.clone(),
            method: revision.method.clone(),
            kind: change.kind,
        }
    }

    fn json(&self, key: &str, what: Json) -> Json {
        let Self { number, time, principal, method, kind } = self;
        let kind = value::short("Change.Kind", *kind);
        let mut json =
            json!({"revision": number, "commit_time": time, "principal": principal, "method": method, "kind": kind});
        if key == "diff" {
            // Of a list many resources are changed at once.
            json.as_object_mut().map(|fields| fields.remove("kind"));
        }
        json[key] = what;
        json
    }

    /// What differs between two versions, of which the second is this entry's.
    fn differs(&self, before: &Version, after: &Version) -> Vec<FieldDiff> {
        let held = |version: &'_ Version| match version {
            Version::Held(message) => Some(message.clone()),
            Version::None | Version::Erased => None,
        };
        match (before, after) {
            // What was erased, or follows what was, cannot be compared.
            (Version::Erased, _) | (_, Version::Erased) => Vec::new(),
            (Version::Held(before), Version::Held(after)) => {
                let mut diffs = field_diffs(Some(before), Some(after));
                diffs.extend(whole(before, after, &HELD_BACK));
                diffs
            }
            _ => field_diffs(held(before).as_ref(), held(after).as_ref()),
        }
    }

    fn rows(&self, diffs: &[FieldDiff], after: &Version, full: bool) -> Vec<Vec<String>> {
        let kind = value::short("Change.Kind", self.kind);
        let head =
            [self.number.to_string(), self.time.clone(), self.principal.clone(), self.method.clone(), kind].to_vec();
        let created = self.kind == i32::from(change::Kind::Created);
        let note = match after {
            Version::Erased => "(its content was erased)".to_owned(),
            _ if created && !full && diffs.len() > 1 => {
                format!("({})", value::count(diffs.len().try_into().unwrap_or(i64::MAX), "field"))
            }
            _ if diffs.is_empty() => String::new(),
            _ => {
                let text =
                    |value: &Option<Json>| value::shorten(&value.as_ref().map(diff::plain_value).unwrap_or_default());
                let row = |(i, diff): (usize, &FieldDiff)| {
                    let head = if i == 0 { head.clone() } else { vec![String::new(); head.len()] };
                    let values = [diff.path.clone(), text(&diff.before), text(&diff.after)];
                    head.into_iter().chain(values).collect()
                };
                return diffs.iter().enumerate().map(row).collect();
            }
        };
        vec![head.into_iter().chain([note]).collect()]
    }
}

fn json_of(diffs: &[FieldDiff]) -> Json {
    let one = |diff: &FieldDiff| json!({"path": diff.path, "before": diff.before, "after": diff.after});
    diffs.iter().map(one).collect()
}

/// A step of a list, a line for each difference.
fn lines(answer: &DiffSubprocessorsResponse) -> Vec<String> {
    if diff::is_empty(answer) {
        return vec!["nothing that the list shows".to_owned()];
    }
    let mut last = String::new();
    let line = |row: Vec<String>| {
        let cell = |i: usize| row.get(i).map(String::as_str).unwrap_or_default();
        if !cell(2).is_empty() {
            last = format!("{} ({})", cell(2), cell(1));
        }
        match cell(0) {
            "added" => format!("+ {last}"),
            "removed" => format!("- {last}"),
            "renamed" => format!("> {last}, was {}", cell(4)),
            _ => {
                let unset = |text: &str| if text.is_empty() { "unset".to_owned() } else { format!("\"{text}\"") };
                format!("~ {last}: {}: {} to {}", cell(3), unset(cell(4)), unset(cell(5)))
            }
        }
    };
    diff::rows(answer).into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::{ChangedSubprocessor, RenamedSubprocessor, Subprocessor, Vendor};

    #[test]
    fn a_step_is_told_line_by_line() {
        let one = |id: &str, name: &str| Subprocessor {
            name: format!("organizations/acme/subprocessors/{id}"),
            display_name: name.into(),
            ..Default::default()
        };
        let diff = |path: &str, before: &str, after: &str| v1::FieldDiff {
            path: path.into(),
            before: before.into(),
            after: after.into(),
        };
        let answer = DiffSubprocessorsResponse {
            added: vec![one("a", "A")],
            removed: vec![one("b", "B")],
            renamed: vec![RenamedSubprocessor {
                from_name: "C".into(),
                to_name: "D".into(),
                target_resource: "organizations/acme/subprocessors/d".into(),
                ..Default::default()
            }],
            changed: vec![ChangedSubprocessor {
                name: "organizations/acme/subprocessors/d".into(),
                display_name: "D".into(),
                field_diffs: vec![diff("section", "\"x\"", "\"y\""), diff("purposes[0]", "", "\"z\"")],
                ..Default::default()
            }],
            ..Default::default()
        };
        assert_eq!(
            lines(&answer),
            [
                "+ A (a)",
                "- B (b)",
                "> D (d), was C",
                "~ D (d): section: \"x\" to \"y\"",
                "~ D (d): purposes[0]: unset to \"z\"",
            ]
        );
        assert_eq!(lines(&DiffSubprocessorsResponse::default()), ["nothing that the list shows"]);
    }

    #[test]
    fn a_version_is_told_field_by_field() {
        let vendor = |display_name: &str| {
            let vendor =
                Vendor { display_name: display_name.into(), website_uri: "https://a".into(), ..Default::default() };
            Version::Held(value::dynamic(&vendor))
        };
        let entry = |kind: change::Kind| Entry {
            number: 7,
            time: "T".into(),
            principal: "ops".into(),
            method: "M".into(),
            kind: kind.into(),
        };
        let told = |kind, before: &Version, after: &Version, full| {
            let entry = entry(kind);
            let rows = entry.rows(&entry.differs(before, after), after, full);
            rows.into_iter().map(|row| row.join("|")).collect::<Vec<_>>()
        };
        let (a, b) = (vendor("A"), vendor("B"));
        assert_eq!(told(change::Kind::Updated, &a, &b, false), ["7|T|ops|M|UPDATED|display_name|A|B"]);
        assert_eq!(told(change::Kind::Created, &Version::None, &a, false), ["7|T|ops|M|CREATED|(2 fields)"]);
        assert_eq!(
            told(change::Kind::Created, &Version::None, &a, true),
            ["7|T|ops|M|CREATED|display_name||A", "|||||website_uri||https://a"]
        );
        assert_eq!(told(change::Kind::Deleted, &a, &a, false), ["7|T|ops|M|DELETED|"]);
        let held = |customers: &[&str]| {
            let held_back: Vec<String> = customers.iter().map(|customer| (*customer).to_owned()).collect();
            let held_back_count = i32::try_from(held_back.len()).expect("few");
            Version::Held(value::dynamic(&Subprocessor { held_back, held_back_count, ..Default::default() }))
        };
        assert_eq!(
            told(change::Kind::Updated, &held(&["c/a", "c/b"]), &held(&["c/b"]), false),
            ["7|T|ops|M|UPDATED|held_back|c/a, c/b|c/b", "|||||held_back_count|2|1"]
        );
        assert_eq!(
            told(change::Kind::Updated, &held(&["c/b"]), &held(&[]), false),
            ["7|T|ops|M|UPDATED|held_back|c/b|", "|||||held_back_count|1|"]
        );
        assert_eq!(
            told(change::Kind::Updated, &a, &Version::Erased, false),
            ["7|T|ops|M|UPDATED|(its content was erased)"]
        );
        assert_eq!(told(change::Kind::Updated, &Version::Erased, &a, false), ["7|T|ops|M|UPDATED|"]);
    }
}
