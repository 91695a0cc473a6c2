//! Comparing a list with itself, at another point in known time or on another day.
//!
//! A version is a row, and whether it is on a list depends on the row only. So one statement finds what differs: the
//! rows that are on exactly one of the two lists. What both have in the same version is never read.

use std::{
    cmp::{max, min},
    collections::{BTreeMap, HashMap, HashSet},
};

use prost::Message;
use prost_reflect::ReflectMessage;
use sea_orm::{
    ConnectionTrait,
    sea_query::{Condition, Expr, ExprTrait, Query, SelectStatement, UnionType},
};

use super::{
    Store,
    read::{AsOf, Moment, alive_at, fetch_all, in_effect, version_query},
    version::{Stored, column, table},
};
use crate::{
    error::{Error, Result, answer_fits},
    proto::v1::{
        ChangedSubprocessor, Customer, DiffSubprocessorsResponse, FieldDiff, RenamedSubprocessor, Subprocessor,
        subprocessor::State,
    },
    resource::{
        diff,
        name::{Kind, Name},
    },
    rules::{engagement::is_on_list, list_diff, reach},
};

/// Resources whose versions are read at once.
const CHUNK: usize = 250;

/// What left and what joined a list is held until it is known who is who; how much larger than an answer that may be.
const HELD: usize = 16;

/// One of the two lists.
#[derive(Debug, Clone)]
pub struct Side {
    /// As the registry held it then.
    pub as_of: Option<AsOf>,
    /// The list on this ISO 8601 day; `None`: what had not ended by then.
    pub day: Option<String>,
}

/// One subprocessor on the base and on the target.
type Pair = (Option<Subprocessor>, Option<Subprocessor>);

/// Which lists to compare.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Whose list.
    pub parent: Name,
    /// What it is compared with.
    pub base: Side,
    /// The list.
    pub target: Side,
    /// Only what concerns this customer.
    pub customer: Option<Name>,
}

/// A list as the database finds it.
#[derive(Debug)]
struct Listed<'a> {
    at: Moment,
    day: Option<&'a str>,
}

impl Listed<'_> {
    /// Whether a version that is not deleted is on it.
    fn holds(&self) -> Expr {
        let on_it = match self.day {
            Some(day) => in_effect(Kind::Subprocessor, day),
            None => Condition::all()
                .add(Expr::col(column("state")).ne(i32::from(State::Rejected)))
                .add(Expr::col(column("end_date")).gt(self.at.day.as_str())),
        };
        Condition::all().add(alive_at(self.at.revision)).add(on_it).into()
    }

    /// The same of a version as it applies to a customer.
    fn has(&self, one: &Subprocessor) -> bool {
        match self.day {
            Some(day) => is_on_list(one, day),
            None => one.state() != State::Rejected && (one.end_date.is_empty() || one.end_date > self.at.day),
        }
    }

    /// The day on which it looks at the dates of a version.
    fn looks_at(&self) -> &str {
        self.day.unwrap_or(&self.at.day)
    }
}

/// A resource on one of the lists, or on both in two versions: the revisions of these.
#[derive(Debug, Default, Clone, Copy)]
struct Differing {
    resource_id: i64,
    base: Option<i64>,
    target: Option<i64>,
}

impl Store {
    /// How an organization's list differs from itself.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND for an organization that existed at neither revision, or a customer that did not at the later
    /// one; LOG_NOT_YET_WRITTEN; ANSWER_TOO_LARGE.
    pub async fn diff_subprocessors(&self, wanted: &Comparison) -> Result<DiffSubprocessorsResponse> {
        let base = Listed { at: self.moment(wanted.base.as_of).await?, day: wanted.base.day.as_deref() };
        let target = Listed { at: self.moment(wanted.target.as_of).await?, day: wanted.target.day.as_deref() };
        let latest = max(base.at.revision, target.at.revision);
        // What exists at a revision exists at every later one: a deleted organization keeps its name.
        let organization_id = self.row_at(&wanted.parent, latest).await?;
        let customer = match &wanted.customer {
            Some(name) => Some(self.existing(name, latest).await?),
            None => None,
        };
        let what = format!("what differs of the list of {}", wanted.parent);
        let (held, apart) = match &customer {
            Some(customer) => self.held_apart(organization_id, customer, &base, &target).await?,
            None => (HashSet::new(), Vec::new()),
        };
        let mut found = Found::new(what.clone(), customer);
        let differing = self.differing(organization_id, &base, &target).await?;
        for chunk in differing.chunks(CHUNK) {
            let keys: Vec<(i64, i64)> = chunk
                .iter()
                .flat_map(|one| {
                    [one.base, one.target].into_iter().flatten().map(|revision| (one.resource_id, revision))
                })
                .collect();
            let mut versions = HashMap::new();
            for row in self.versions(Kind::Subprocessor, &keys).await? {
                let key = (row.resource_id, row.from_revision);
                // One that was erased since its key was read is on no list.
                versions.extend(Stored::<Subprocessor>::decode(row)?.map(|stored| (key, stored.message)));
            }
            for one in chunk.iter().filter(|one| !held.contains(&one.resource_id)) {
                let mut version = |revision: Option<i64>| versions.remove(&(one.resource_id, revision?));
                let (before, after) = (version(one.base), version(one.target));
                found.add(before, after)?;
            }
        }
        for (before, after) in apart {
            found.add(before, after)?;
        }
        // Finding who is who among very many takes a while: not on a thread that others wait for.
        let (base, target) = (base.at.revision, target.at.revision);
        let answer =
            tokio::task::spawn_blocking(move || found.answer(base, target)).await.map_err(Error::internal)??;
        answer_fits(&what, answer.encoded_len())?;
        Ok(answer)
    }

    /// The subprocessors of which something is held back from somebody on one of the two lists: their ids, and each as it
    /// applies to the customer, where it is on a list then.
    async fn held_apart(
        &self,
        organization_id: i64,
        customer: &Customer,
        base: &Listed<'_>,
        target: &Listed<'_>,
    ) -> Result<(HashSet<i64>, Vec<Pair>)> {
        let mut ids = HashSet::new();
        for side in [base, target] {
            ids.extend(
                self.with_held_changes(organization_id, side.at.revision).await?.iter().map(|one| one.resource_id),
            );
        }
        let mut pairs: BTreeMap<String, Pair> = BTreeMap::new();
        for (i, side) in [base, target].into_iter().enumerate() {
            let versions = self.subprocessors_at(&ids, side.at.revision).await?;
            for one in self.applied(customer, &side.at, versions).await? {
                if side.has(&one) {
                    let pair = pairs.entry(one.name.clone()).or_default();
                    *(if i == 0 { &mut pair.0 } else { &mut pair.1 }) = Some(one);
                }
            }
        }
        Ok((ids, pairs.into_values().collect()))
    }

    /// Subprocessors by their ids, those that are not deleted at a revision.
    async fn subprocessors_at(&self, ids: &HashSet<i64>, revision: i64) -> Result<Vec<Subprocessor>> {
        let ids: Vec<i64> = ids.iter().copied().collect();
        let mut all = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            let mut query = version_query(Kind::Subprocessor);
            query
                .and_where(Expr::col(column("resource_id")).is_in(chunk.iter().copied()))
                .and_where(Expr::col(column("deleted")).eq(false))
                .cond_where(alive_at(revision));
            for row in fetch_all(self.reads(), &query).await? {
                all.extend(Stored::<Subprocessor>::decode(row)?.map(|stored| stored.message));
            }
        }
        Ok(all)
    }

    /// What is on exactly one of two lists, or on both in two versions; by name.
    async fn differing(&self, organization_id: i64, base: &Listed<'_>, target: &Listed<'_>) -> Result<Vec<Differing>> {
        let query = differing_query(organization_id, base, target);
        let mut found: BTreeMap<String, Differing> = BTreeMap::new();
        for row in self.reads().query_all(&query).await? {
            let one = found.entry(row.try_get("", "name")?).or_default();
            one.resource_id = row.try_get("", "resource_id")?;
            let revision = Some(row.try_get("", "from_revision")?);
            match row.try_get("", "on_base")? {
                true => one.base = revision,
                false => one.target = revision,
            }
        }
        Ok(found.into_values().collect())
    }

    /// How the database would compare an organization's list at two revisions, on a day each if there is one. For the
    /// test that refuses full scans.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn explain_diff(&self, wanted: &Comparison) -> Result<Vec<String>> {
        let base = Listed { at: self.moment(wanted.base.as_of).await?, day: wanted.base.day.as_deref() };
        let target = Listed { at: self.moment(wanted.target.as_of).await?, day: wanted.target.day.as_deref() };
        let organization_id = self.row_at(&wanted.parent, max(base.at.revision, target.at.revision)).await?;
        self.plan(&differing_query(organization_id, &base, &target)).await
    }
}

fn differing_query(organization_id: i64, base: &Listed<'_>, target: &Listed<'_>) -> SelectStatement {
    let mut query = Query::select()
        .columns(["resource_id", "from_revision", "name"].map(column))
        .expr_as(base.holds(), column("on_base"))
        .from(table(Kind::Subprocessor))
        .and_where(Expr::col(column("deleted")).eq(false))
        .and_where(Expr::col(column("body")).is_not_null())
        .and_where(base.holds().ne(target.holds()))
        .to_owned();
    match (base.day, target.day) {
        // The one looks at other columns than the other: every version is asked.
        (Some(_), None) | (None, Some(_)) => {
            query.and_where(Expr::col(column("organization_id")).eq(organization_id));
        }
        _ => {
            query.and_where(Expr::col(column("resource_id")).in_subquery(suspects(organization_id, base, target)));
        }
    }
    query
}

/// What alone can differ between two lists of the same kind: what was changed between their revisions, and what began
/// or ended between their days. So near lists are compared by index, however long they are.
fn suspects(organization_id: i64, base: &Listed<'_>, target: &Listed<'_>) -> SelectStatement {
    let (from, to) = (min(base.at.revision, target.at.revision), max(base.at.revision, target.at.revision));
    let (first, last) = (min(base.looks_at(), target.looks_at()), max(base.looks_at(), target.looks_at()));
    let of = |from: sea_orm::sea_query::DynIden| {
        Query::select()
            .column(column("resource_id"))
            .from(from)
            .and_where(Expr::col(column("organization_id")).eq(organization_id))
            .to_owned()
    };
    let mut changed = of(column("change"));
    changed.and_where(Expr::col(column("revision")).gt(from)).and_where(Expr::col(column("revision")).lte(to));
    for date in ["start_date", "end_date"] {
        let mut passed = of(table(Kind::Subprocessor));
        passed.and_where(Expr::col(column(date)).gt(first)).and_where(Expr::col(column(date)).lte(last));
        changed.union(UnionType::Distinct, passed);
    }
    changed
}

/// What was found to differ so far.
struct Found {
    what: String,
    customer: Option<Customer>,
    removed: Vec<Subprocessor>,
    added: Vec<Subprocessor>,
    changed: Vec<ChangedSubprocessor>,
    renamed: Vec<RenamedSubprocessor>,
    /// Bytes of what is certain to be in the answer, and of what may be.
    bytes: usize,
    held: usize,
}

impl Found {
    fn new(what: String, customer: Option<Customer>) -> Self {
        let (removed, added, changed, renamed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { what, customer, removed, added, changed, renamed, bytes: 0, held: 0 }
    }

    /// One resource on the base, on the target, or both.
    fn add(&mut self, before: Option<Subprocessor>, after: Option<Subprocessor>) -> Result<()> {
        let customer = self.customer.as_ref();
        let concerns = |one: &Subprocessor| customer.is_none_or(|of| reach::overlap(&one.products, &of.products));
        match (before.filter(concerns), after.filter(concerns)) {
            (Some(before), Some(after)) => self.compare(&before, &after, 1.0),
            (Some(before), None) => {
                self.held += before.encoded_len();
                self.removed.push(before);
            }
            (None, Some(after)) => {
                self.held += after.encoded_len();
                self.added.push(after);
            }
            (None, None) => {}
        }
        answer_fits(&self.what, max(self.bytes, self.held / HELD))
    }

    /// Two versions of one engagement, whether they are of one resource or of two.
    fn compare(&mut self, before: &Subprocessor, after: &Subprocessor, score: f64) {
        let field_diffs = field_diffs(before, after);
        if !field_diffs.is_empty() {
            let base_name = if before.name == after.name { String::new() } else { before.name.clone() };
            let (name, display_name) = (after.name.clone(), after.display_name.clone());
            let changed = ChangedSubprocessor { name, display_name, field_diffs, base_name };
            self.bytes += changed.encoded_len();
            self.changed.push(changed);
        }
        if before.display_name != after.display_name {
            let renamed = RenamedSubprocessor {
                from_name: before.display_name.clone(),
                to_name: after.display_name.clone(),
                score,
                base_resource: before.name.clone(),
                target_resource: after.name.clone(),
            };
            self.bytes += renamed.encoded_len();
            self.renamed.push(renamed);
        }
    }

    /// The answer, once it is known which of those that left and joined are the same.
    fn answer(mut self, base_revision: i64, target_revision: i64) -> Result<DiffSubprocessorsResponse> {
        let mut removed: Vec<Option<Subprocessor>> = std::mem::take(&mut self.removed).into_iter().map(Some).collect();
        let mut added: Vec<Option<Subprocessor>> = std::mem::take(&mut self.added).into_iter().map(Some).collect();
        let matches = {
            let left: Vec<&Subprocessor> = removed.iter().flatten().collect();
            let joined: Vec<&Subprocessor> = added.iter().flatten().collect();
            list_diff::matches(&left, &joined)
        };
        for pair in matches {
            let (Some(before), Some(after)) = (removed[pair.removed].take(), added[pair.added].take()) else {
                continue;
            };
            self.compare(&before, &after, pair.score);
            answer_fits(&self.what, self.bytes)?;
        }
        self.changed.sort_by(|a, b| a.name.cmp(&b.name));
        self.renamed.sort_by(|a, b| a.target_resource.cmp(&b.target_resource));
        Ok(DiffSubprocessorsResponse {
            added: added.into_iter().flatten().collect(),
            removed: removed.into_iter().flatten().collect(),
            changed: self.changed,
            renamed: self.renamed,
            base_revision,
            target_revision,
        })
    }
}

/// What differs, as a reader of a list sees it.
fn field_diffs(before: &Subprocessor, after: &Subprocessor) -> Vec<FieldDiff> {
    /// A new display name is a rename, and another quotation of the same fact is no other fact.
    const ELSEWHERE: [&str; 2] = ["display_name", "sources"];
    let diffs = diff::diff(Some(&before.transcode_to_dynamic()), Some(&after.transcode_to_dynamic()));
    let field = |path: &str| path.split(['.', '[']).next().unwrap_or_default().to_owned();
    diffs.into_iter().filter(|one| !ELSEWHERE.contains(&field(&one.path).as_str())).map(FieldDiff::from).collect()
}
