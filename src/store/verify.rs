//! Checking the log: hashes are computed again from the stored bytes, in chunks, and every place that does not match is
//! named.

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Statement};

use super::{
    Store,
    entity::{change, revision},
    log,
    version::Row,
};
use crate::{
    error::{Error, Result},
    proto::v1::{Problem, VerifyChangeLogResponse, change::Kind as ChangeKind, problem::Kind as ProblemKind},
    resource::name::Kind,
    rules::{self, log::GENESIS},
};

/// Revisions read at once.
const CHUNK: i64 = 200;
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
}

impl Report {
    fn add(&mut self, kind: ProblemKind, revision: i64, change: Option<&change::Model>, text: String) {
        self.count += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem {
                revision,
                ordinal: change.map(|change| change.ordinal),
                resource_name: change.map(|change| change.name.clone()).unwrap_or_default(),
                kind: kind.into(),
                text,
            });
        }
    }
}

impl Store {
    /// Recomputes the log's hashes and reports what does not match.
    ///
    /// # Errors
    /// LOG_NOT_YET_WRITTEN if the range ends in the future and no hash is expected there.
    pub async fn verify(&self, range: &Range) -> Result<VerifyChangeLogResponse> {
        let counter = log::counter(self.reads()).await?;
        let newest = counter.revision;
        if range.from < 0 || range.to < 0 {
            return Err(Error::field("from_revision", "must not be negative"));
        }
        let from = range.from.max(1);
        let to = if range.to == 0 { newest } else { range.to };
        if to > newest {
            return Err(super::watch::not_yet("to_revision", to, newest));
        }
        let mut report = Report::default();
        let erased = self.erased_at().await?;
        let mut previous = self.hash_before(from).await?;
        let mut changes_checked = 0;
        let mut start = from;
        while start <= to {
            let end = (start + CHUNK - 1).min(to);
            changes_checked += self.verify_chunk(start, end, &mut previous, &erased, &mut report).await?;
            start = end + 1;
        }
        if to == newest && from <= to && previous.as_deref() != Some(&counter.hash[..]) {
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

    /// The hash that the first revision checked must link to; `None` if it is not there, so that the link is unknown.
    async fn hash_before(&self, from: i64) -> Result<Option<Vec<u8>>> {
        self.stored_hash(from - 1).await
    }

    /// When each resource was last erased: versions that ended by then may lack their content.
    async fn erased_at(&self) -> Result<HashMap<i64, i64>> {
        let rows: Vec<(i64, i64)> = change::Entity::find()
            .select_only()
            .columns([change::Column::ResourceId, change::Column::Revision])
            .filter(change::Column::Kind.eq(i32::from(ChangeKind::Erased)))
            .order_by_asc(change::Column::Revision)
            .into_tuple()
            .all(self.reads())
            .await?;
        Ok(rows.into_iter().collect())
    }

    async fn verify_chunk(
        &self,
        start: i64,
        end: i64,
        previous: &mut Option<Vec<u8>>,
        erased: &HashMap<i64, i64>,
        report: &mut Report,
    ) -> Result<i64> {
        let revisions: HashMap<i64, revision::Model> = revision::Entity::find()
            .filter(revision::Column::Number.between(start, end))
            .all(self.reads())
            .await?
            .into_iter()
            .map(|row| (row.number, row))
            .collect();
        let numbers: Vec<i64> = (start..=end).collect();
        let changes = self.changes(&numbers).await?;
        let versions = self.versions_of(&changes).await?;
        let mut by_revision: HashMap<i64, Vec<change::Model>> = HashMap::new();
        for change in &changes {
            check_version(change, &versions, erased, report);
            by_revision.entry(change.revision).or_default().push(change.clone());
        }
        for number in numbers {
            let changes = by_revision.remove(&number).unwrap_or_default();
            let Some(row) = revisions.get(&number) else {
                report.add(ProblemKind::RevisionMissing, number, None, format!("revision {number} is not there"));
                *previous = None;
                continue;
            };
            check_revision(row, &changes, previous.as_deref(), report);
            *previous = Some(row.hash.clone());
        }
        Ok(i64::try_from(changes.len()).unwrap_or(i64::MAX))
    }

    /// The versions that changes made, and those that they replaced.
    async fn versions_of(&self, changes: &[change::Model]) -> Result<HashMap<(i64, i64), Row>> {
        let mut versions = HashMap::new();
        for kind in Kind::ALL {
            let keys: HashSet<(i64, i64)> = changes
                .iter()
                .filter(|change| change.resource_kind == kind as i32)
                .flat_map(|change| {
                    let before = change.before_revision.map(|revision| (change.resource_id, revision));
                    [(change.resource_id, change.revision)].into_iter().chain(before)
                })
                .collect();
            let keys: Vec<_> = keys.into_iter().collect();
            for row in self.versions(kind, &keys).await? {
                versions.insert((row.resource_id, row.from_revision), row);
            }
        }
        Ok(versions)
    }

    /// Versions that no change explains: added by hand, or ended by hand.
    async fn verify_no_more(&self, newest: i64, report: &mut Report) -> Result<()> {
        #[derive(FromQueryResult)]
        struct Stray {
            name: String,
            from_revision: i64,
            to_revision: Option<i64>,
        }
        let backend = self.reads().get_database_backend();
        for kind in Kind::ALL {
            let table = kind.singular();
            // A version is explained by the change that made it and, once it ended, by the one that replaced it.
            let sql = format!(
                "SELECT v.name, v.from_revision, v.to_revision FROM {table} v \
                 WHERE NOT EXISTS (SELECT 1 FROM change c WHERE c.resource_id = v.resource_id AND c.revision = v.from_revision AND c.after_digest IS NOT NULL) \
                 OR (v.to_revision IS NOT NULL AND NOT EXISTS (SELECT 1 FROM change c WHERE c.resource_id = v.resource_id AND c.revision = v.to_revision AND c.before_revision = v.from_revision)) \
                 OR (v.to_revision IS NULL AND EXISTS (SELECT 1 FROM change c WHERE c.resource_id = v.resource_id AND c.before_revision = v.from_revision)) \
                 ORDER BY v.from_revision LIMIT {MAX_PROBLEMS}"
            );
            let rows = Stray::find_by_statement(Statement::from_string(backend, sql)).all(self.reads()).await?;
            for Stray { name, from_revision, to_revision } in rows {
                let until = to_revision.map_or_else(|| "live".to_owned(), |r| format!("ended in revision {r}"));
                let text = format!(
                    "the stored version of {name} from revision {from_revision}, {until}, is not what the log says"
                );
                report.add(ProblemKind::VersionUnlogged, from_revision, None, text);
                if let Some(last) = report.problems.last_mut() {
                    last.resource_name = name;
                }
            }
        }
        let beyond: Vec<i64> = revision::Entity::find()
            .select_only()
            .column(revision::Column::Number)
            .filter(revision::Column::Number.gt(newest))
            .into_tuple()
            .all(self.reads())
            .await?;
        // A commit since the check began is no problem.
        let newest_now = log::counter(self.reads()).await?.revision;
        for number in beyond.into_iter().filter(|number| *number > newest_now) {
            report.add(ProblemKind::RevisionAltered, number, None, format!("revision {number} is not counted"));
        }
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

fn check_revision(row: &revision::Model, changes: &[change::Model], previous: Option<&[u8]>, report: &mut Report) {
    let number = row.number;
    if previous.is_some_and(|previous| previous != row.previous_hash) {
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
    let count = usize::try_from(row.change_count).unwrap_or(usize::MAX);
    if count != changes.len() {
        let text = format!("revision {number} has {} changes; it was written with {count}", changes.len());
        report.add(ProblemKind::ChangeAltered, number, None, text);
    } else if log::hash(row.format, &row.previous_hash, &header, changes)[..] != row.hash[..] {
        let text = format!("revision {number} does not give its hash: its header or one of its changes was altered");
        report.add(ProblemKind::RevisionAltered, number, None, text);
    }
}

fn check_version(
    change: &change::Model,
    versions: &HashMap<(i64, i64), Row>,
    erased: &HashMap<i64, i64>,
    report: &mut Report,
) {
    let number = change.revision;
    let name = &change.name;
    // What the leaf does not hold of a change: that it points to the rows it says.
    if let Some(before) = change.before_revision {
        match versions.get(&(change.resource_id, before)) {
            Some(row) if row.to_revision == Some(number) && Some(&row.digest) == change.before_digest.as_ref() => {}
            _ => {
                let text =
                    format!("{name}: the version before, from revision {before}, is not the one that was replaced");
                report.add(ProblemKind::ChangeAltered, number, Some(change), text);
            }
        }
    }
    let Some(digest) = &change.after_digest else { return };
    let Some(row) = versions.get(&(change.resource_id, number)) else {
        let text = format!("{name}: the version of revision {number} is not there");
        return report.add(ProblemKind::BodyMissing, number, Some(change), text);
    };
    if row.name != *name {
        let text = format!("{name}: the version of revision {number} is stored under another name");
        report.add(ProblemKind::BodyAltered, number, Some(change), text);
    }
    match (&row.salt, &row.body) {
        (Some(salt), Some(body)) => {
            if rules::log::payload_digest(salt, body)[..] != digest[..] || row.digest != *digest {
                let text = format!("{name}: the stored bytes of revision {number} do not give their digest");
                report.add(ProblemKind::BodyAltered, number, Some(change), text);
            }
        }
        (None, None) => {
            let explained = erased.get(&change.resource_id).is_some_and(|revision| *revision > number);
            if !explained || row.digest != *digest {
                let text = format!("{name}: the content of revision {number} is gone, and no erasure explains it");
                report.add(ProblemKind::BodyMissing, number, Some(change), text);
            }
        }
        _ => {
            let text = format!("{name}: the version of revision {number} has lost its salt or its body");
            report.add(ProblemKind::BodyMissing, number, Some(change), text);
        }
    }
}
