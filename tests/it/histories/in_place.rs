//! Histories kept the way an operator keeps a list: rows are updated in place, so that one that is renamed stays the
//! same resource, and retired, so that the list of each day can be asked for by the rows' own dates.

use std::collections::{BTreeMap, BTreeSet};

use subprocessor_registry::proto::v1::{self, as_of::Point};

use super::{
    record::{History, Row, histories},
    replay::{ACME, bare, changes, diff, point},
};
use crate::support::{Backend, Place, Server, both, organization, retire, subprocessor, update_subprocessor};

/// The fields that a row fills.
const FIELDS: [&str; 5] = ["display_name", "section", "purposes", "locations", "annotations"];

/// The list without a day, by name: all that had not ended.
async fn list(server: &mut Server, revision: i64, day: &str) -> BTreeMap<String, v1::Subprocessor> {
    let request = v1::ListSubprocessorsRequest {
        parent: ACME.into(),
        page_size: 1_000,
        as_of: point(Point::Revision(revision)),
        ..Default::default()
    };
    let answer = server.subprocessors.list_subprocessors(request).await.expect("listed").into_inner();
    let rows = answer.subprocessors.into_iter().filter(|row| row.end_date.is_empty() || row.end_date.as_str() > day);
    rows.map(|row| (row.name.clone(), bare(row))).collect()
}

fn names<'a>(rows: impl IntoIterator<Item = &'a v1::Subprocessor>) -> BTreeSet<String> {
    rows.into_iter().map(|row| row.name.clone()).collect()
}

/// The rows as they stand: by key, the resource.
type Standing = BTreeMap<String, String>;

async fn add(server: &mut Server, standing: &mut Standing, row: &Row, day: &str, count: usize) {
    // One that comes back is a new engagement: an id is never given again.
    let id = format!("r{count}-{}", row.id());
    let id: String = id.chars().take(60).collect();
    let message = v1::Subprocessor { start_date: day.into(), ..row.message(&[]) };
    let made = subprocessor(server, ACME, id.trim_matches('-'), message).await.expect("created");
    standing.insert(row.key.clone(), made.name);
}

async fn keep(history: &History, backend: Backend) {
    let place = Place::new(backend).await;
    place.set_clock(&history.steps[0].time);
    let mut server = Server::start(&place).await;
    organization(&mut server, "acme").await;
    let mut standing = Standing::new();
    let mut count = 0;
    // What stood at the end of each day.
    let mut days: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for step in &history.steps {
        let what = format!("{} at {}", history.name, step.time);
        let base = server.revision().await;
        let before = list(&mut server, base, step.day()).await;
        place.set_clock(&step.time);
        let mut removed = BTreeSet::new();
        for key in &step.removed {
            let name = standing.remove(key).expect("it stands");
            retire(&mut server, &name, "").await.expect("retired");
            removed.insert(name);
        }
        let mut touched = BTreeSet::new();
        let mut renamed = Vec::new();
        for one in &step.renamed {
            let name = standing.remove(&one.from_key).expect("it stands");
            renamed.push((name.clone(), one.from_name.clone(), one.to_name.clone(), 1.0));
            standing.insert(one.to_key.clone(), name);
            touched.insert(&one.to_key);
        }
        touched.extend(step.changed.iter().map(|one| &one.key));
        for key in touched {
            let row = step.rows.iter().find(|row| row.key == *key).expect("a row");
            let message = v1::Subprocessor { name: standing[key].clone(), ..row.message(&[]) };
            update_subprocessor(&mut server, message, &FIELDS).await.expect("updated");
        }
        let mut added = BTreeSet::new();
        for row in &step.added {
            count += 1;
            add(&mut server, &mut standing, row, step.day(), count).await;
            added.insert(standing[&row.key].clone());
        }
        let target = server.revision().await;
        let after = list(&mut server, target, step.day()).await;
        assert_eq!(after.keys().cloned().collect::<BTreeSet<_>>(), standing.values().cloned().collect(), "{what}");

        let request = v1::DiffSubprocessorsRequest { base: point(Point::Revision(base)), ..Default::default() };
        let answer = diff(&mut server, request).await;
        assert_eq!((names(&answer.added), names(&answer.removed)), (added, removed), "{what}");
        assert!(answer.removed.iter().all(|row| row.state() == v1::subprocessor::State::Active), "as on the base");
        renamed.sort_by(|a, b| a.0.cmp(&b.0));
        let found: Vec<_> = answer
            .renamed
            .iter()
            .map(|one| {
                assert_eq!(one.base_resource, one.target_resource);
                (one.target_resource.clone(), one.from_name.clone(), one.to_name.clone(), one.score)
            })
            .collect();
        assert_eq!(found, renamed, "{what}");
        let key_of = standing.iter().map(|(key, name)| (name.clone(), key.clone())).collect();
        let mut changed = step.changed.clone();
        changed.sort();
        assert_eq!(changes(&answer, &key_of, &before, &after), changed, "{what}");
        days.insert(step.day().to_owned(), standing.values().cloned().collect());
    }

    // As known much later, the list of each day.
    place.set_clock("2030-01-01T00:00:00Z");
    let mut before: (String, BTreeSet<String>) = ("1999-12-31".into(), BTreeSet::new());
    for (day, standing) in days {
        let what = format!("{} on {day}", history.name);
        let request = v1::ListSubprocessorsRequest {
            parent: ACME.into(),
            page_size: 1_000,
            effective_at: day.clone(),
            ..Default::default()
        };
        let answer = server.subprocessors.list_subprocessors(request).await.expect("listed").into_inner();
        assert_eq!(names(&answer.subprocessors), standing, "{what}");
        let request = v1::DiffSubprocessorsRequest {
            base_effective_at: before.0,
            target_effective_at: day.clone(),
            ..Default::default()
        };
        let answer = diff(&mut server, request).await;
        // What is known now of one resource is the same on both days; what came back under another id is a pair.
        let pairs: Vec<_> = answer.changed.iter().filter(|one| !one.base_name.is_empty()).collect();
        assert_eq!(pairs.len(), answer.changed.len(), "{what}: {:?}", answer.changed);
        let renamed = |from: fn(&v1::RenamedSubprocessor) -> &String| answer.renamed.iter().map(from).cloned();
        let mut came = names(&answer.added);
        came.extend(pairs.iter().map(|one| one.name.clone()).chain(renamed(|one| &one.target_resource)));
        let mut went = names(&answer.removed);
        went.extend(pairs.iter().map(|one| one.base_name.clone()).chain(renamed(|one| &one.base_resource)));
        assert_eq!(came, standing.difference(&before.1).cloned().collect(), "{what}");
        assert_eq!(went, before.1.difference(&standing).cloned().collect(), "{what}");
        before = (day, standing);
    }
}

/// The histories that have something to keep: a row that is renamed, or one that comes back.
fn worth_keeping() -> Vec<History> {
    let comes_back = |history: &History| {
        let mut gone = BTreeSet::new();
        history.steps.iter().any(|step| {
            let back = step.added.iter().any(|row| gone.contains(&row.key));
            gone.extend(step.removed.iter().cloned());
            back
        })
    };
    let is_renamed = |history: &History| history.steps.iter().any(|step| !step.renamed.is_empty());
    histories().into_iter().filter(|history| is_renamed(history) || comes_back(history)).collect()
}

both! {
    async fn a_list_kept_in_place_tells_the_same(backend: Backend) {
        let histories = worth_keeping();
        assert!(histories.len() >= 4, "{:?}", histories.iter().map(|history| &history.name).collect::<Vec<_>>());
        for history in &histories {
            keep(history, backend).await;
        }
    }
}
