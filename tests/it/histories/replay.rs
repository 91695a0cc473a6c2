//! Each history, a step a revision: manifests with `prune`, and ids made of what the list calls a row, so that one that
//! is renamed is another resource.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use subprocessor_registry::proto::v1::{self, as_of::Point};

use super::record::{Changed, History, Step, histories, id};
use crate::support::{Backend, Place, Server, both};

/// How many histories there were when these tests were written: none gets lost.
const AT_LEAST: usize = 21;

pub const ACME: &str = "organizations/acme";

pub fn point(point: Point) -> Option<v1::AsOf> {
    Some(v1::AsOf { point: Some(point) })
}

pub fn name(key: &str) -> String {
    format!("{ACME}/subprocessors/{}", id(key))
}

/// Applies a manifest as the whole of an organization, and gives the revision.
pub async fn prune(server: &mut Server, manifest: String) -> i64 {
    let request = v1::ApplyManifestRequest { manifest, prune: true, ..Default::default() };
    server.registry.apply_manifest(request).await.unwrap_or_else(|status| panic!("{status:?}")).into_inner().revision
}

pub async fn diff(server: &mut Server, request: v1::DiffSubprocessorsRequest) -> v1::DiffSubprocessorsResponse {
    let request = v1::DiffSubprocessorsRequest { parent: ACME.into(), ..request };
    server.subprocessors.diff_subprocessors(request).await.unwrap_or_else(|status| panic!("{status:?}")).into_inner()
}

/// The list at a point in known time, by name, without what is the server's.
pub async fn list(server: &mut Server, as_of: Option<v1::AsOf>) -> BTreeMap<String, v1::Subprocessor> {
    let request = v1::ListSubprocessorsRequest { parent: ACME.into(), page_size: 1_000, as_of, ..Default::default() };
    let answer = server.subprocessors.list_subprocessors(request).await.expect("listed").into_inner();
    assert_eq!(answer.next_page_token, "");
    answer.subprocessors.into_iter().map(|row| (row.name.clone(), bare(row))).collect()
}

pub fn bare(row: v1::Subprocessor) -> v1::Subprocessor {
    let nothing = v1::Subprocessor::default();
    v1::Subprocessor {
        name: nothing.name,
        uid: nothing.uid,
        etag: nothing.etag,
        revision: nothing.revision,
        create_time: nothing.create_time,
        update_time: nothing.update_time,
        // That customers were not told of a change is not what is published.
        gate_records: nothing.gate_records,
        ..row
    }
}

/// What an answer says is changed, in the words of the record.
pub fn changes(
    answer: &v1::DiffSubprocessorsResponse,
    key_of: &BTreeMap<String, String>,
    before: &BTreeMap<String, v1::Subprocessor>,
    after: &BTreeMap<String, v1::Subprocessor>,
) -> Vec<Changed> {
    let mut changes = Vec::new();
    for one in &answer.changed {
        let base = before.get(if one.base_name.is_empty() { &one.name } else { &one.base_name }).expect("on the base");
        let target = after.get(&one.name).expect("on the target");
        assert_eq!(one.display_name, target.display_name);
        assert_ne!(one.field_diffs, []);
        for diff in &one.field_diffs {
            let value = |text: &str| match text {
                "" => String::new(),
                text => serde_json::from_str::<String>(text).expect("a text"),
            };
            let (from, to) = (value(&diff.before), value(&diff.after));
            let (root, rest) = diff.path.split_once(['.', '[']).unwrap_or((&diff.path, ""));
            let field = match root {
                "purposes" => "purpose".to_owned(),
                "section" => "section".to_owned(),
                "annotations" => rest.trim_matches(['[', ']', '"']).to_owned(),
                "locations" => {
                    let (index, leaf) = rest.split_once("].").expect("an element");
                    if leaf == "activity" {
                        assert!(from.is_empty() || to.is_empty(), "{diff:?}");
                        continue;
                    }
                    assert_eq!(leaf, "verbatim");
                    // An index is that of the list after the change; that of the list before it for what was removed.
                    let list = if to.is_empty() { &base.locations } else { &target.locations };
                    match list[index.parse::<usize>().expect("an index")].activity() {
                        v1::location::Activity::Corporate => "entity_country".to_owned(),
                        _ => "locations".to_owned(),
                    }
                }
                other => panic!("{other} differs: {diff:?}"),
            };
            changes.push(Changed { key: key_of[&one.name].clone(), field, from, to });
        }
    }
    changes.sort();
    changes
}

fn names(list: &[v1::Subprocessor]) -> Vec<String> {
    list.iter().map(|one| one.name.clone()).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// Compares an answer with a step of the record.
pub fn is_the_step(
    what: &str,
    step: &Step,
    answer: &v1::DiffSubprocessorsResponse,
    before: &BTreeMap<String, v1::Subprocessor>,
    after: &BTreeMap<String, v1::Subprocessor>,
) {
    assert_eq!(names(&answer.added), sorted(step.added.iter().map(|row| name(&row.key)).collect()), "{what}: added");
    assert_eq!(names(&answer.removed), sorted(step.removed.iter().map(|key| name(key)).collect()), "{what}: removed");
    for (rows, lists) in [(&answer.added, after), (&answer.removed, before)] {
        for row in rows {
            assert_eq!(lists.get(&row.name), Some(&bare(row.clone())), "{what}");
        }
    }
    let mut renamed: Vec<_> = step
        .renamed
        .iter()
        .map(|one| (name(&one.to_key), name(&one.from_key), one.from_name.clone(), one.to_name.clone()))
        .collect();
    renamed.sort();
    let found: Vec<_> = answer
        .renamed
        .iter()
        .map(|one| {
            assert!(one.score >= 0.8 && one.score <= 1.0, "{one:?}");
            (one.target_resource.clone(), one.base_resource.clone(), one.from_name.clone(), one.to_name.clone())
        })
        .collect();
    assert_eq!(found, renamed, "{what}: renamed");
    let mut changed = step.changed.clone();
    changed.sort();
    let key_of = step.rows.iter().map(|row| (name(&row.key), row.key.clone())).collect();
    assert_eq!(changes(answer, &key_of, before, after), changed, "{what}: changed");
}

/// The rows of a step as the registry should hold them.
fn expected(history: &History, step: &Step) -> BTreeMap<String, v1::Subprocessor> {
    step.rows.iter().map(|row| (name(&row.key), row.message(&history.products()))).collect()
}

async fn replay(history: &History, backend: Backend) -> usize {
    let place = Place::new(backend).await;
    place.set_clock(&history.steps[0].time);
    let mut server = Server::start(&place).await;
    let mut revisions = Vec::new();
    for step in &history.steps {
        place.set_clock(&step.time);
        let revision = prune(&mut server, history.manifest(&step.rows)).await;
        revisions.push(revision);
        assert_eq!(revisions.len() as i64, revision, "{}: a step is a revision", history.name);
    }
    // Much later: nothing of what follows is read from the present.
    place.set_clock("2030-01-01T00:00:00Z");
    let nothing = BTreeMap::new();
    let mut before = nothing;
    for (i, step) in history.steps.iter().enumerate() {
        let what = format!("{} at {}", history.name, step.time);
        let after = expected(history, step);
        let (number, time) = (Point::Revision(revisions[i]), Point::Time(step.time()));
        assert_eq!(list(&mut server, point(number)).await, after, "{what}");
        let next_time = history.steps.get(i + 1).map(|next| next.time());
        // Until the second before the next step nothing changed.
        let until = next_time
            .map_or(Timestamp { seconds: 1_893_000_000, nanos: 0 }, |t| Timestamp { seconds: t.seconds - 1, nanos: 0 });
        for time in [time, Point::Time(until)] {
            assert_eq!(list(&mut server, point(time)).await, after, "{what}");
        }

        let earlier = Timestamp { seconds: history.steps[0].time().seconds - 1, nanos: 0 };
        let (base_revision, base_time) = match i {
            0 => (0, earlier),
            _ => (revisions[i - 1], history.steps[i - 1].time()),
        };
        let by_revision = v1::DiffSubprocessorsRequest {
            base: point(Point::Revision(base_revision)),
            target: point(number),
            ..Default::default()
        };
        let by_time = v1::DiffSubprocessorsRequest {
            base: point(Point::Time(base_time)),
            target: point(time),
            ..Default::default()
        };
        let answer = diff(&mut server, by_revision.clone()).await;
        assert_eq!((answer.base_revision, answer.target_revision), (base_revision, revisions[i]));
        is_the_step(&what, step, &answer, &before, &after);
        assert_eq!(diff(&mut server, by_time).await, answer, "{what}: by time");
        // The other way round everything is the other way round.
        let back = v1::DiffSubprocessorsRequest { base: by_revision.target, target: by_revision.base, ..by_revision };
        let back = diff(&mut server, back).await;
        assert_eq!((&back.added, &back.removed), (&answer.removed, &answer.added), "{what}: back");
        let turned = |from: &str, to: &str, one: &v1::RenamedSubprocessor| {
            (from.to_owned(), to.to_owned(), one.base_resource.clone(), one.target_resource.clone())
        };
        let mut there: Vec<_> = answer.renamed.iter().map(|one| turned(&one.from_name, &one.to_name, one)).collect();
        let mut here: Vec<_> = back
            .renamed
            .iter()
            .map(|one| {
                (one.to_name.clone(), one.from_name.clone(), one.target_resource.clone(), one.base_resource.clone())
            })
            .collect();
        there.sort();
        here.sort();
        assert_eq!(here, there, "{what}: back");
        before = after;
    }
    // All at once: from nothing to the last.
    let request = v1::DiffSubprocessorsRequest { base: point(Point::Revision(0)), ..Default::default() };
    let answer = diff(&mut server, request).await;
    assert_eq!(names(&answer.added), before.keys().cloned().collect::<Vec<_>>());
    assert!(answer.removed.is_empty() && answer.changed.is_empty() && answer.renamed.is_empty());
    history.steps.len()
}

both! {
    async fn every_step_of_every_history_is_as_it_was_recorded(backend: Backend) {
        let histories = histories();
        assert!(histories.len() >= AT_LEAST, "{} histories", histories.len());
        let mut steps = 0;
        for history in &histories {
            steps += replay(history, backend).await;
        }
        println!("{} histories, {steps} steps", histories.len());
        assert!(steps >= 130, "{steps} steps");
    }
}
