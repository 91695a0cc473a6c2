//! Checking the log: hashes are computed again from the stored bytes, in chunks, and every place that does not match is
//! named. A chunk is read in one snapshot, so that what is written or erased meanwhile is no problem.

mod facts;

use std::collections::{HashMap, HashSet};

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, Statement,
};

use self::facts::{Erasures, Facts};
use super::{
    Store, connect,
    entity::{change, revision},
    log,
};
use crate::{
    error::{Error, Result},
    proto::v1::{Problem, VerifyChangeLogResponse, change::Kind as ChangeKind, problem::Kind as ProblemKind},
    resource::name::Kind,
    rules::{self, log::GENESIS},
};

/// Revisions read at once: each can have 2 MiB.
const CHUNK: i64 = 32;
/// Problems reported; all are counted.
const MAX_PROBLEMS: usize = 1_000;

/// What to check.
#[derive(Debug, Clone, Default)]
pub struct Range {
    /// First revision; 0 = the first.
    pub from: i64,
    /// Last revision; 0 = the newest.
    pub to: i64,
    /// A revision and the hash that the caller remembers.
    pub expected: Option<(i64, Vec<u8>)>,
}

#[derive(Default)]
struct Report {
    problems: Vec<Problem>,
    count: i64,
    /// What was said of resources: two checks can come upon the same thing.
    seen: HashSet<(ProblemKind, i64, String)>,
}

impl Report {
    fn add(&mut self, kind: ProblemKind, revision: i64, change: Option<&change::Model>, text: String) {
        let name = change.map(|change| change.name.as_str()).unwrap_or_default();
        self.push(kind, revision, change.map(|change| change.ordinal), name, text);
    }

    /// Adds what concerns a resource at a revision, whatever change it was.
    fn add_for(&mut self, kind: ProblemKind, revision: i64, name: &str, text: String) {
        self.push(kind, revision, None, name, text);
    }

    fn push(&mut self, kind: ProblemKind, revision: i64, ordinal: Option<i32>, name: &str, text: String) {
        if !name.is_empty() && !self.seen.insert((kind, revision, name.to_owned())) {
            return;
        }
        self.count += 1;
        if self.problems.len() < MAX_PROBLEMS {
            let resource_name = name.to_owned();
            self.problems.push(Problem { revision, ordinal, resource_name, kind: kind.into(), text });
        }
    }

    /// Whether something was said of a resource at a revision.
    fn has(&self, kind: ProblemKind, revision: i64, name: &str) -> bool {
        self.seen.contains(&(kind, revision, name.to_owned()))
    }
}

/// The hashes to which the next revision may link: the stored one and the one computed. They differ where the stored
/// one was altered, which is said there, not again at the next. None: the revision is not there.
type Previous = Vec<Vec<u8>>;

impl Store {
    /// Recomputes the log's hashes and reports what does not match.
    ///
    /// # Errors
    /// LOG_NOT_YET_WRITTEN if the range ends in the future and no hash is expected there.
    pub async fn verify(&self, range: &Range) -> Result<VerifyChangeLogResponse> {
        let counter = log::counter(self.reads()).await?;
        let newest = counter.revision;
        for (field, number) in [("from_revision", range.from), ("to_revision", range.to)] {
            if number < 0 {
                return Err(Error::field(field, format!("must not be negative, but is {number}")));
            }
        }
        let from = range.from.max(1);
        let to = if range.to == 0 { newest } else { range.to };
        if range.from > 1 && from > to.min(newest) {
            let (rule, end) = if from > newest { ("the newest revision", newest) } else { ("to_revision", to) };
            return Err(Error::field("from_revision", format!("must not be after {rule}: {from} is after {end}")));
        }
        if to > newest {
            return Err(super::watch::not_yet("to_revision", to, newest));
        }
        let mut report = Report::default();
        let mut previous: Previous = self.stored_hash(from - 1).await?.into_iter().collect();
        let (mut changes_checked, mut erasures) = (0, Erasures::default());
        let mut start = from;
        while start <= to {
            let end = (start + CHUNK - 1).min(to);
            changes_checked += self.verify_chunk(start, end, &mut previous, &mut erasures, &mut report).await?;
            start = end + 1;
        }
        if to == newest && from <= to && !previous.is_empty() && !previous.contains(&counter.hash) {
            let text = "the newest revision's hash is not the one by which the log continues".to_owned();
            report.add(ProblemKind::RevisionAltered, newest, None, text);
        }
        if from == 1 && to == newest {
            self.verify_no_more(newest, &mut report).await?;
        }
        if let Some((number, hash)) = &range.expected {
            self.verify_expected(*number, hash, newest, &mut report).await?;
        }
        report.problems.sort_by_key(|problem| (problem.revision, problem.ordinal));
        let to_hash = self.stored_hash(to).await?.unwrap_or_else(|| GENESIS.to_vec());
        Ok(VerifyChangeLogResponse {
            verified: report.count == 0,
            from_revision: from,
            to_revision: to,
            to_hash,
            changes_checked,
            problems: report.problems,
            problem_count: report.count,
        })
    }

    /// The stored hash of a revision; that of revision 0 is all zeros.
    pub(super) async fn stored_hash(&self, number: i64) -> Result<Option<Vec<u8>>> {
        if number == 0 {
            return Ok(Some(GENESIS.to_vec()));
        }
        Ok(revision::Entity::find_by_id(number).one(self.reads()).await?.map(|row| row.hash))
    }

    async fn verify_chunk(
        &self,
        start: i64,
        end: i64,
        previous: &mut Previous,
        erasures: &mut Erasures,
        report: &mut Report,
    ) -> Result<i64> {
        let tx = connect::snapshot(self.reads()).await?;
        let revisions: HashMap<i64, revision::Model> = revision::Entity::find()
            .filter(revision::Column::Number.between(start, end))
            .all(&tx)
            .await?
            .into_iter()
            .map(|row| (row.number, row))
            .collect();
        let changes = change::Entity::find()
            .filter(change::Column::Revision.between(start, end))
            .order_by_asc(change::Column::Revision)
            .order_by_asc(change::Column::Ordinal)
            .all(&tx)
            .await?;
        let facts = Facts::read(&tx, &changes, erasures).await?;
        tx.commit().await?;
        let checked = i64::try_from(changes.len()).unwrap_or(i64::MAX);
        let mut by_revision: HashMap<i64, Vec<change::Model>> = HashMap::new();
        for change in changes {
            by_revision.entry(change.revision).or_default().push(change);
        }
        for number in start..=end {
            let changes = by_revision.remove(&number).unwrap_or_default();
            let trusted = if let Some(row) = revisions.get(&number) {
                check_revision(row, &changes, previous, report)
            } else {
                report.add(ProblemKind::RevisionMissing, number, None, format!("revision {number} is not there"));
                previous.clear();
                false
            };
            for change in &changes {
                facts.check(change, trusted, report);
            }
        }
        Ok(checked)
    }

    /// What no change explains: added by hand, or ended by hand.
    async fn verify_no_more(&self, newest: i64, report: &mut Report) -> Result<()> {
        let tx = connect::snapshot(self.reads()).await?;
        for kind in Kind::ALL {
            stray_versions(&tx, kind, report).await?;
            stray_values(&tx, kind, report).await?;
        }
        altered_resources(&tx, report).await?;
        // A commit since the check began is no problem.
        let newest = Ord::max(newest, log::counter(&tx).await?.revision);
        let beyond: Vec<i64> = revision::Entity::find()
            .select_only()
            .column(revision::Column::Number)
            .filter(Condition::any().add(revision::Column::Number.gt(newest)).add(revision::Column::Number.lt(1)))
            .into_tuple()
            .all(&tx)
            .await?;
        for number in beyond {
            report.add(ProblemKind::RevisionAltered, number, None, format!("revision {number} is not counted"));
        }
        let beyond: Vec<change::Model> = change::Entity::find()
            .filter(Condition::any().add(change::Column::Revision.gt(newest)).add(change::Column::Revision.lt(1)))
            .order_by_asc(change::Column::Revision)
            .limit(MAX_PROBLEMS as u64)
            .all(&tx)
            .await?;
        for change in beyond {
            let text = format!("{}: a change of a revision {} that is not counted", change.name, change.revision);
            report.add(ProblemKind::ChangeAltered, change.revision, Some(&change), text);
        }
        tx.commit().await?;
        Ok(())
    }

    async fn verify_expected(&self, number: i64, hash: &[u8], newest: i64, report: &mut Report) -> Result<()> {
        match self.stored_hash(number).await? {
            Some(stored) if stored == hash => {}
            Some(_) => {
                let text = format!("revision {number} does not have the hash that was expected: history was rewritten");
                report.add(ProblemKind::ExpectedHashMismatch, number, None, text);
            }
            None => {
                let text = format!("revision {number} was expected, but the log ends at {newest}: its tail was cut");
                report.add(ProblemKind::ExpectedHashMismatch, number, None, text);
            }
        }
        Ok(())
    }
}

/// Versions that no change made, or that ended without one.
async fn stray_versions(tx: &DatabaseTransaction, kind: Kind, report: &mut Report) -> Result<()> {
    #[derive(FromQueryResult)]
    struct Stray {
        resource_id: i64,
        name: String,
        from_revision: i64,
        to_revision: Option<i64>,
        made: bool,
    }
    let table = kind.singular();
    // A version is explained by the change that made it and, once it ended, by the one that replaced it.
    let made = "EXISTS (SELECT 1 FROM change c WHERE c.resource_id = v.resource_id AND c.revision = v.from_revision AND c.after_digest IS NOT NULL)";
    let sql = format!(
        "SELECT v.resource_id, v.name, v.from_revision, v.to_revision, {made} AS made FROM {table} v \
         WHERE NOT {made} \
         OR (v.to_revision IS NOT NULL AND NOT EXISTS (SELECT 1 FROM change c WHERE c.resource_id = v.resource_id AND c.revision = v.to_revision AND c.before_revision = v.from_revision)) \
         OR (v.to_revision IS NULL AND EXISTS (SELECT 1 FROM change c WHERE c.resource_id = v.resource_id AND c.before_revision = v.from_revision)) \
         ORDER BY v.from_revision LIMIT {MAX_PROBLEMS}"
    );
    let statement = Statement::from_string(tx.get_database_backend(), sql);
    let strays = Stray::find_by_statement(statement).all(tx).await?;
    let unmade: HashSet<(i64, i64)> =
        strays.iter().filter(|stray| !stray.made).map(|stray| (stray.resource_id, stray.from_revision)).collect();
    for Stray { resource_id, name, from_revision, to_revision, made } in strays {
        // A change that was altered or removed explains neither the version it made nor the end of the one before: said
        // once, where it stood.
        let ended_by = to_revision
            .filter(|to| report.has(ProblemKind::ChangeAltered, *to, &name) || unmade.contains(&(resource_id, *to)));
        let known =
            if made { ended_by.is_some() } else { report.has(ProblemKind::ChangeAltered, from_revision, &name) };
        if known {
            continue;
        }
        let until = to_revision.map_or_else(|| "live".to_owned(), |r| format!("ended in revision {r}"));
        let text =
            format!("the stored version of {name} from revision {from_revision}, {until}, is not what the log says");
        report.add_for(ProblemKind::VersionUnlogged, from_revision, &name, text);
    }
    Ok(())
}

/// Values to find by that belong to no version.
async fn stray_values(tx: &DatabaseTransaction, kind: Kind, report: &mut Report) -> Result<()> {
    #[derive(FromQueryResult)]
    struct Stray {
        name: String,
        from_revision: i64,
    }
    let table = kind.singular();
    let sql = format!(
        "SELECT DISTINCT COALESCE(r.name, '') AS name, x.from_revision FROM {table}_value x \
         LEFT JOIN resource r ON r.id = x.resource_id \
         WHERE NOT EXISTS (SELECT 1 FROM {table} v WHERE v.resource_id = x.resource_id AND v.from_revision = x.from_revision) \
         ORDER BY 2 LIMIT {MAX_PROBLEMS}"
    );
    let statement = Statement::from_string(tx.get_database_backend(), sql);
    for Stray { name, from_revision } in Stray::find_by_statement(statement).all(tx).await? {
        // A version that is gone leaves its values: said where it is missed.
        if !report.has(ProblemKind::BodyMissing, from_revision, &name) {
            let text = format!("{name}: values to find by from revision {from_revision}, which has no version of it");
            report.add_for(ProblemKind::ColumnsAltered, from_revision, &name, text);
        }
    }
    Ok(())
}

/// Permanent rows that are not what the change says that created them.
async fn altered_resources(tx: &DatabaseTransaction, report: &mut Report) -> Result<()> {
    #[derive(FromQueryResult)]
    struct Altered {
        name: String,
        revision: i64,
    }
    let created = i32::from(ChangeKind::Created);
    let sql = format!(
        "SELECT COALESCE(c.name, r.name) AS name, COALESCE(c.revision, 0) AS revision FROM resource r \
         LEFT JOIN change c ON c.resource_id = r.id AND c.kind = {created} \
         WHERE c.name IS NULL OR c.name <> r.name OR c.resource_kind <> r.kind OR c.organization_id <> r.organization_id \
         ORDER BY 2 LIMIT {MAX_PROBLEMS}"
    );
    let statement = Statement::from_string(tx.get_database_backend(), sql);
    for Altered { name, revision } in Altered::find_by_statement(statement).all(tx).await? {
        let known = report.seen.iter().any(|(kind, at, of)| {
            matches!(kind, ProblemKind::ChangeAltered | ProblemKind::VersionUnlogged)
                && *of == name
                && (revision == 0 || *at == revision)
        });
        if !known {
            let text = format!("{name}: the permanent row of the resource is not what the log says");
            report.add_for(ProblemKind::ColumnsAltered, revision, &name, text);
        }
    }
    Ok(())
}

/// Checks a revision, and says whether its changes are what its hash was made of.
fn check_revision(
    row: &revision::Model,
    changes: &[change::Model],
    previous: &mut Previous,
    report: &mut Report,
) -> bool {
    let number = row.number;
    if !previous.is_empty() && !previous.contains(&row.previous_hash) {
        let text = format!("revision {number} does not continue the one before: previous_hash is not its hash");
        report.add(ProblemKind::LinkBroken, number, None, text);
    }
    let header = rules::log::Header {
        number,
        commit_time: row.commit_time,
        principal: &row.principal,
        method: &row.method,
        request_id: &row.request_id,
    };
    let hash = log::hash(row.format, &row.previous_hash, &header, changes);
    let trusted = hash[..] == row.hash[..];
    *previous = vec![row.hash.clone(), hash.to_vec()];
    let count = usize::try_from(row.change_count).unwrap_or(usize::MAX);
    let has = changes.len();
    if count != has && !trusted {
        let text = format!("revision {number} has {has} changes; it was written with {count}");
        report.add(ProblemKind::ChangeAltered, number, None, text);
    } else if count != has {
        let text = format!("revision {number} says it has {count} changes, but its hash is that of its {has}");
        report.add(ProblemKind::RevisionAltered, number, None, text);
    } else if !trusted {
        let text = format!("revision {number} does not give its hash: its header or one of its changes was altered");
        report.add(ProblemKind::RevisionAltered, number, None, text);
    }
    let misplaced = changes.iter().enumerate().filter(|(place, change)| i32::try_from(*place) != Ok(change.ordinal));
    for (_, change) in misplaced.filter(|_| count == has) {
        let text = format!("{}: the change of revision {number} is not in its place", change.name);
        report.add(ProblemKind::ChangeAltered, number, Some(change), text);
    }
    trusted
}
