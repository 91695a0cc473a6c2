//! What the database holds about a chunk of changes, and whether each change agrees with it. Where two rows disagree,
//! the hashes say which of them is to be believed.

use std::collections::{HashMap, HashSet};

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, IdenStatic, IntoActiveModel, Iterable,
    QueryFilter, Value, sea_query::Query,
};

use super::{
    super::{
        entity::{change, resource},
        log,
        version::{Resource, Version, cleared_columns, column, micros, one_of, stored_values, value_table},
    },
    Report,
};
use crate::{
    error::Result,
    proto::v1::{
        Acknowledgement, Certification, Customer, Document, Instrument, Notice, NoticeRecipient, Objection,
        Organization, Subprocessor, Subscription, Transfer, Vendor, change::Kind as ChangeKind,
        problem::Kind as ProblemKind,
    },
    resource::name::{Kind, Name},
    rules,
};

/// Keys in one query: bound parameters are limited; SQLite's limit is the lower.
const KEYS: usize = 400;

/// A resource and a revision.
type Key = (i64, i64);

/// A stored version.
#[derive(Debug, Default)]
struct Found {
    to_revision: Option<i64>,
    organization_id: i64,
    name: String,
    deleted: bool,
    digest: Vec<u8>,
    salt: Option<Vec<u8>>,
    body: Option<Vec<u8>>,
    /// What the body says; `None` if it is gone, or not what its digest is of.
    said: Option<Said>,
    /// Columns and values that do not match the body, or that an erasure should have cleared.
    altered: Vec<String>,
}

/// What a body says of itself.
#[derive(Debug)]
struct Said {
    name: String,
    uid: String,
    deleted: bool,
}

/// What the database holds about changes.
#[derive(Debug, Default)]
pub(super) struct Facts {
    resources: HashMap<i64, resource::Model>,
    ids: HashMap<String, i64>,
    versions: HashMap<Key, Found>,
    /// The changes that made the versions before.
    earlier: HashMap<Key, change::Model>,
    /// When each of these resources was last erased: versions of before may lack their content.
    erased: HashMap<i64, i64>,
}

/// When resources were erased, as far as a check has read that. No index leads to it, so it is read once, and then only
/// what was written since.
#[derive(Debug, Default)]
pub(super) struct Erasures {
    up_to: i64,
    last: HashMap<i64, i64>,
}

impl Erasures {
    /// An altered erasure is reported where it stands; what it explains is not to be reported too.
    async fn follow(&mut self, tx: &DatabaseTransaction) -> Result<()> {
        let head = log::counter(tx).await?.revision;
        let erasures = change::Entity::find()
            .filter(change::Column::Revision.gt(self.up_to))
            .filter(
                Condition::any()
                    .add(change::Column::Kind.eq(i32::from(ChangeKind::Erased)))
                    .add(change::Column::AfterDigest.is_null()),
            )
            .all(tx)
            .await?;
        let names: Vec<String> = erasures.iter().map(|change| change.name.clone()).collect();
        let ids = ids_of(tx, &names).await?;
        for erasure in erasures {
            let named = ids.get(&erasure.name).copied();
            for id in [Some(erasure.resource_id), named].into_iter().flatten() {
                let last = self.last.entry(id).or_default();
                *last = Ord::max(*last, erasure.revision);
            }
        }
        self.up_to = Ord::max(self.up_to, head);
        Ok(())
    }
}

async fn ids_of(tx: &DatabaseTransaction, names: &[String]) -> Result<HashMap<String, i64>> {
    let mut ids = HashMap::new();
    for chunk in names.chunks(KEYS) {
        let found = resource::Entity::find().filter(resource::Column::Name.is_in(chunk.iter().cloned())).all(tx);
        ids.extend(found.await?.into_iter().map(|row| (row.name, row.id)));
    }
    Ok(ids)
}

impl Facts {
    /// Reads what is needed to check these changes.
    pub(super) async fn read(
        tx: &DatabaseTransaction,
        changes: &[change::Model],
        erasures: &mut Erasures,
    ) -> Result<Self> {
        let mut facts = Self::default();
        let ids: Vec<i64> = changes.iter().map(|change| change.resource_id).collect();
        let names: Vec<String> = changes.iter().map(|change| change.name.clone()).collect();
        for chunk in ids.chunks(KEYS) {
            let found = resource::Entity::find().filter(resource::Column::Id.is_in(chunk.iter().copied())).all(tx);
            facts.resources.extend(found.await?.into_iter().map(|row| (row.id, row)));
        }
        facts.ids = ids_of(tx, &names).await?;
        let mut before = HashSet::new();
        for kind in Kind::ALL {
            let mut keys = HashSet::new();
            for change in changes {
                let named = Name::parse(&change.name).map(|name| name.kind());
                if change.resource_kind != kind as i32 && named != Some(kind) {
                    continue;
                }
                for id in [Some(change.resource_id), facts.ids.get(&change.name).copied()].into_iter().flatten() {
                    keys.insert((id, change.revision));
                    if let Some(revision) = change.before_revision {
                        keys.insert((id, revision));
                        before.insert((id, revision));
                    }
                }
            }
            facts.read_versions(tx, kind, keys.into_iter().collect()).await?;
        }
        let before: Vec<Key> = before.into_iter().collect();
        for chunk in before.chunks(KEYS) {
            let made = change::Entity::find()
                .filter(one_of(tx.get_database_backend(), ["resource_id", "revision"], chunk))
                .all(tx)
                .await?;
            facts.earlier.extend(made.into_iter().map(|row| ((row.resource_id, row.revision), row)));
        }
        // Only where content is missing.
        if facts.versions.values().any(|version| version.body.is_none()) {
            erasures.follow(tx).await?;
            let of = facts.versions.keys().filter_map(|(id, _)| Some((*id, *erasures.last.get(id)?)));
            facts.erased = of.collect();
        }
        Ok(facts)
    }

    async fn read_versions(&mut self, tx: &DatabaseTransaction, kind: Kind, keys: Vec<Key>) -> Result<()> {
        for chunk in keys.chunks(KEYS) {
            let found = match kind {
                Kind::Organization => versions::<Organization>(tx, chunk).await?,
                Kind::Document => versions::<Document>(tx, chunk).await?,
                Kind::Customer => versions::<Customer>(tx, chunk).await?,
                Kind::Vendor => versions::<Vendor>(tx, chunk).await?,
                Kind::Subprocessor => versions::<Subprocessor>(tx, chunk).await?,
                Kind::Instrument => versions::<Instrument>(tx, chunk).await?,
                Kind::Certification => versions::<Certification>(tx, chunk).await?,
                Kind::Transfer => versions::<Transfer>(tx, chunk).await?,
                Kind::Acknowledgement => versions::<Acknowledgement>(tx, chunk).await?,
                Kind::Notice => versions::<Notice>(tx, chunk).await?,
                Kind::Recipient => versions::<NoticeRecipient>(tx, chunk).await?,
                Kind::Objection => versions::<Objection>(tx, chunk).await?,
                Kind::Subscription => versions::<Subscription>(tx, chunk).await?,
            };
            self.versions.extend(found);
        }
        Ok(())
    }

    /// Checks one change. `trusted`: the revision gives its hash, so that ordinal, name, kind and digests are as they
    /// were written.
    pub(super) fn check(&self, change: &change::Model, trusted: bool, report: &mut Report) {
        let id = self.id_of(change);
        let mut wrong = Vec::new();
        self.check_identity(id, change, &mut wrong);
        self.check_before(id, change, &mut wrong, report);
        self.check_after(id, change, trusted, &mut wrong, report);
        if !wrong.is_empty() {
            let text = format!("{}: the change was altered: {}", change.name, wrong.join("; "));
            report.add(ProblemKind::ChangeAltered, change.revision, Some(change), text);
        }
    }

    /// The resource that a change is about: by its id or, if that was altered, by its name.
    fn id_of(&self, change: &change::Model) -> i64 {
        let has_version = |id: i64| self.versions.contains_key(&(id, change.revision));
        match self.ids.get(&change.name) {
            Some(named) if !has_version(change.resource_id) && has_version(*named) => *named,
            _ => change.resource_id,
        }
    }

    fn check_identity(&self, id: i64, change: &change::Model, wrong: &mut Vec<String>) {
        let Some(row) = self.resources.get(&change.resource_id).filter(|row| row.id == id) else {
            return wrong.push("resource_id is not that of the resource".to_owned());
        };
        // A body that the log does not know says nothing.
        let logged = |version: &&Found| change.after_digest.as_ref() == Some(&version.digest);
        let version = self.versions.get(&(id, change.revision));
        let name =
            version.filter(logged).and_then(|version| version.said.as_ref()).map_or(&row.name, |said| &said.name);
        if change.name != *name {
            wrong.push(format!("name is not that of the resource, {name}"));
        } else if Name::parse(name).is_some_and(|name| name.kind() as i32 != change.resource_kind) {
            wrong.push("resource_kind is not that of the resource".to_owned());
        }
        let organization_id = version.map_or(row.organization_id, |version| version.organization_id);
        if change.organization_id != row.organization_id && organization_id == row.organization_id {
            wrong.push("organization_id is not that of the resource".to_owned());
        }
    }

    fn check_before(&self, id: i64, change: &change::Model, wrong: &mut Vec<String>, report: &mut Report) {
        let (revision, digest) = match (change.before_revision, &change.before_digest) {
            (None, None) => return,
            (Some(revision), Some(digest)) => (revision, digest),
            _ => return wrong.push("before_revision and before_digest do not go together".to_owned()),
        };
        let row = self.versions.get(&(id, revision));
        let made = self.earlier.get(&(id, revision));
        let logged = made.is_some_and(|made| made.after_digest.as_ref() == Some(digest));
        if !logged && row.is_none_or(|row| row.digest != *digest) {
            return wrong.push(format!("the version from revision {revision} is not the one that was replaced"));
        }
        let name = &change.name;
        match row {
            None => {
                let text = format!("{name}: the version of revision {revision} is not there");
                report.add_for(ProblemKind::BodyMissing, revision, name, text);
            }
            Some(row) if row.to_revision != Some(change.revision) => {
                let text = format!(
                    "the stored version of {name} from revision {revision} ended in revision {}, but its row says {}",
                    change.revision,
                    row.to_revision.map_or_else(|| "that it is live".to_owned(), |to| format!("in {to}"))
                );
                report.add_for(ProblemKind::VersionUnlogged, revision, name, text);
            }
            Some(_) => {}
        }
    }

    fn check_after(
        &self,
        id: i64,
        change: &change::Model,
        trusted: bool,
        wrong: &mut Vec<String>,
        report: &mut Report,
    ) {
        let (number, name) = (change.revision, &change.name);
        let version = self.versions.get(&(id, number));
        if !change.reason.is_empty() && change.kind != i32::from(ChangeKind::Erased) {
            wrong.push("reason is said of what is no erasure".to_owned());
        }
        if !self.kind_fits(id, change, version) {
            if trusted && change.before_digest.is_some() && change.after_digest.is_some() {
                // The log says what happened; of an erased version the column alone says whether it was deleted.
                let erased = version.is_some_and(|version| version.body.is_none());
                let at = if erased { number } else { change.before_revision.unwrap_or(number) };
                let text = format!("{name}: the column deleted of the version of revision {at} is not what happened");
                report.add_for(ProblemKind::ColumnsAltered, at, name, text);
            } else {
                wrong.push("kind is not what happened".to_owned());
            }
        }
        let Some(digest) = &change.after_digest else {
            if version.is_some() {
                wrong.push("after_digest is missing".to_owned());
            }
            return;
        };
        let Some(version) = version else {
            // Of a change of another resource nothing is known but that.
            if wrong.is_empty() {
                let text = format!("{name}: the version of revision {number} is not there");
                report.add(ProblemKind::BodyMissing, number, Some(change), text);
            }
            return;
        };
        match (&version.salt, &version.body) {
            (Some(salt), Some(body)) => {
                let computed = rules::log::payload_digest(salt, body);
                if computed[..] == version.digest[..] && version.digest != *digest && !trusted {
                    wrong.push("after_digest is not that of the stored bytes".to_owned());
                } else if computed[..] != digest[..] {
                    let text = format!("{name}: the stored bytes of revision {number} do not give their digest");
                    return report.add(ProblemKind::BodyAltered, number, Some(change), text);
                } else if version.digest != *digest {
                    let text = format!("{name}: the digest stored with the bytes of revision {number} is not theirs");
                    return report.add(ProblemKind::BodyAltered, number, Some(change), text);
                }
            }
            (None, None) => {
                if self.erased.get(&id).is_none_or(|revision| *revision <= number) {
                    let text = format!("{name}: the content of revision {number} is gone, and no erasure explains it");
                    return report.add(ProblemKind::BodyMissing, number, Some(change), text);
                }
                if version.digest != *digest && trusted {
                    let text = format!("{name}: the digest stored for revision {number}, erased, is not the log's");
                    return report.add(ProblemKind::BodyAltered, number, Some(change), text);
                }
                if version.digest != *digest {
                    wrong.push("after_digest is not that of the erased version".to_owned());
                }
            }
            _ => {
                let text = format!("{name}: the version of revision {number} has lost its salt or its body");
                return report.add(ProblemKind::BodyMissing, number, Some(change), text);
            }
        }
        self.check_columns(id, change, version, report);
    }

    fn check_columns(&self, id: i64, change: &change::Model, version: &Found, report: &mut Report) {
        let mut altered = version.altered.clone();
        let organization_id = self.resources.get(&id).map_or(change.organization_id, |row| row.organization_id);
        if version.organization_id != organization_id && change.organization_id == organization_id {
            altered.push("organization_id".to_owned());
        }
        if version.said.is_none() && self.resources.get(&id).is_some_and(|row| row.name != version.name) {
            altered.push("name".to_owned());
        }
        let created = change.kind == i32::from(ChangeKind::Created);
        let uid = version.said.as_ref().map(|said| &said.uid).filter(|_| created);
        if uid.is_some_and(|uid| self.resources.get(&id).is_some_and(|row| row.uid != *uid)) {
            altered.push("uid of its permanent row".to_owned());
        }
        if !altered.is_empty() {
            let text = format!(
                "{}: columns of the version of revision {} do not match its body: {}",
                change.name,
                change.revision,
                altered.join(", ")
            );
            report.add(ProblemKind::ColumnsAltered, change.revision, Some(change), text);
        }
    }

    /// Whether the kind of a change is what its versions say happened.
    fn kind_fits(&self, id: i64, change: &change::Model, version: Option<&Found>) -> bool {
        let expected = match (&change.before_digest, &change.after_digest) {
            (None, None) => ChangeKind::Erased,
            (None, Some(_)) => ChangeKind::Created,
            (Some(_), None) => return false,
            (Some(_), Some(_)) => {
                let before = change.before_revision.and_then(|revision| self.versions.get(&(id, revision)));
                let (Some(before), Some(after)) = (before, version) else { return true };
                match (before.is_deleted(), after.is_deleted()) {
                    (false, true) => ChangeKind::Deleted,
                    (true, false) => ChangeKind::Undeleted,
                    _ => ChangeKind::Updated,
                }
            }
        };
        change.kind == i32::from(expected)
    }
}

impl Found {
    /// The body is under the log's hash, the column is not.
    fn is_deleted(&self) -> bool {
        self.said.as_ref().map_or(self.deleted, |said| said.deleted)
    }
}

/// The stored versions of a kind, each compared with what its body says.
async fn versions<R: Resource>(tx: &DatabaseTransaction, keys: &[Key]) -> Result<HashMap<Key, Found>> {
    let wanted = one_of(tx.get_database_backend(), ["resource_id", "from_revision"], keys);
    let models = R::Entity::find().filter(wanted.clone()).all(tx).await?;
    let mut values: HashMap<Key, Vec<(String, String)>> = HashMap::new();
    let query = Query::select()
        .columns(["resource_id", "from_revision", "field", "value"].map(column))
        .from(value_table(R::KIND))
        .cond_where(wanted)
        .to_owned();
    for row in tx.query_all(&query).await? {
        let key = (row.try_get("", "resource_id")?, row.try_get("", "from_revision")?);
        values.entry(key).or_default().push((row.try_get("", "field")?, row.try_get("", "value")?));
    }
    Ok(models
        .into_iter()
        .map(|model| {
            let columns = columns_of::<R>(model);
            let key = (number(&columns, "resource_id").unwrap_or(0), number(&columns, "from_revision").unwrap_or(0));
            let stored = values.remove(&key).unwrap_or_default();
            (key, found::<R>(key, &columns, stored))
        })
        .collect())
}

type Columns = HashMap<String, Value>;

/// Every column of a row by its name.
fn columns_of<R: Resource>(model: R::Model) -> Columns {
    let active = model.into_active_model();
    <R::Entity as EntityTrait>::Column::iter()
        .filter_map(|column| {
            let value = sea_orm::ActiveModelTrait::get(&active, column).into_value()?;
            Some((column.as_str().to_owned(), value))
        })
        .collect()
}

fn number(columns: &Columns, name: &str) -> Option<i64> {
    match columns.get(name) {
        Some(Value::BigInt(number)) => *number,
        _ => None,
    }
}

fn bytes(columns: &Columns, name: &str) -> Option<Vec<u8>> {
    match columns.get(name) {
        Some(Value::Bytes(bytes)) => bytes.clone(),
        _ => None,
    }
}

fn found<R: Resource>(key: Key, columns: &Columns, mut stored: Vec<(String, String)>) -> Found {
    let (digest, salt, body) =
        (bytes(columns, "digest").unwrap_or_default(), bytes(columns, "salt"), bytes(columns, "body"));
    let is_whole =
        |body: &&[u8]| rules::log::payload_digest(salt.as_deref().unwrap_or_default(), body)[..] == digest[..];
    let message = body.as_deref().filter(is_whole).and_then(|body| R::decode(body).ok());
    let mut altered = Vec::new();
    match &message {
        Some(message) => {
            let header = message.header();
            let version = Version {
                resource_id: key.0,
                from_revision: header.revision,
                organization_id: 0,
                name: header.name.to_owned(),
                deleted: header.delete_time.is_some(),
                create_time: micros(header.create_time.as_ref()),
                update_time: micros(header.update_time.as_ref()),
                digest: Vec::new(),
                salt: Vec::new(),
                body: Vec::new(),
            };
            // What a body does not say: when its version ended, whose it is, and what is checked by hash.
            const APART: [&str; 5] = ["to_revision", "organization_id", "digest", "salt", "body"];
            let expected = columns_of::<R>(message.row(version));
            let differs = expected.iter().filter(|(name, value)| columns.get(*name) != Some(*value));
            altered.extend(differs.map(|(name, _)| name.clone()).filter(|name| !APART.contains(&name.as_str())));
            stored.sort();
            let held = stored.iter().map(|(field, value)| (field.as_str(), value.as_str()));
            if !held.eq(stored_values(message).iter().map(|(field, value)| (*field, value.as_str()))) {
                altered.push(format!("{}_value", R::KIND.singular()));
            }
        }
        None if body.is_none() => {
            let cleared = cleared_columns::<R>();
            let differs = cleared.into_iter().filter(|(name, value)| columns.get(name) != Some(value));
            altered.extend(differs.map(|(name, _)| name));
            if !stored.is_empty() {
                altered.push(format!("{}_value", R::KIND.singular()));
            }
        }
        // Said where the digests are compared.
        None => {}
    }
    altered.sort();
    let said = message.as_ref().map(|message| {
        let header = message.header();
        Said { name: header.name.to_owned(), uid: header.uid.to_owned(), deleted: header.delete_time.is_some() }
    });
    Found {
        to_revision: number(columns, "to_revision"),
        organization_id: number(columns, "organization_id").unwrap_or(0),
        name: match columns.get("name") {
            Some(Value::String(Some(name))) => name.clone(),
            _ => String::new(),
        },
        deleted: matches!(columns.get("deleted"), Some(Value::Bool(Some(true)))),
        digest,
        salt,
        body,
        said,
        altered,
    }
}
