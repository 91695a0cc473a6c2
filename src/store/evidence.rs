//! What evidence of a notice is made of, read at a revision by a number of queries that does not depend on how many it
//! reaches, but for the pages of them.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use super::{
    Store,
    entity::{change, resource as resource_row, revision},
    log::message,
    pages::CHUNK,
    read::{AsOf, List, alive_at, fetch_all, version_query},
    recipient::name_of,
    resource::{BOUND, find_all},
    version::{Resource, Stored, column},
};
use crate::{
    error::{Error, Reason, Result, answer_fits},
    proto::v1::{
        Customer, Notice, NoticeRecipient, Objection, Organization, RenderNoticeEvidenceResponse, Revision,
        Subprocessor, render_notice_evidence_request::Format,
    },
    resource::{
        filter,
        name::{Kind, Name, Parent},
        shape::Violations,
    },
    rules::evidence::{self, Material},
};

/// Evidence that is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of which notice.
    pub notice: Name,
    /// In which format.
    pub format: Format,
    /// From what the registry held then.
    pub as_of: Option<AsOf>,
    /// Only what concerns these customers; none: all.
    pub customers: Vec<Name>,
}

impl Wanted {
    fn what(&self) -> String {
        format!("the evidence of {}", self.notice)
    }

    /// Whether a customer is asked for.
    fn has(&self, customer: &str) -> bool {
        self.customers.is_empty() || self.customers.iter().any(|one| one.as_str() == customer)
    }
}

impl Store {
    /// The evidence of a notice, written down.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND for a notice that did not exist then; FIELD_INVALID for a customer that did not; RESOURCE_ERASED;
    /// LOG_NOT_YET_WRITTEN; ANSWER_TOO_LARGE.
    pub async fn render_notice_evidence(&self, wanted: &Wanted) -> Result<RenderNoticeEvidenceResponse> {
        let revision = self.revision_at(wanted.as_of).await?;
        let material = self.evidence(wanted, revision).await?;
        let format = wanted.format;
        // A large one takes a while: not on a thread that others wait for.
        let written = tokio::task::spawn_blocking(move || evidence::write(&evidence::build(material), format));
        let written = written.await.map_err(Error::internal)??;
        answer_fits(&wanted.what(), written.content.len())?;
        let media_type = written.media_type.to_owned();
        Ok(RenderNoticeEvidenceResponse { content: written.content, media_type, revision })
    }

    async fn evidence(&self, wanted: &Wanted, revision: i64) -> Result<Material> {
        let then = Some(AsOf::Revision(revision));
        let notice: Notice = self.get(&wanted.notice, then).await?;
        let organization = wanted.notice.organization().ok_or_else(|| Error::internal("a notice of nobody"))?;
        let organization: Organization = self.get(&organization, then).await?;
        let mut customers = self.customers_then(&wanted.customers, revision).await?;
        refuse_unknown(&wanted.customers, &customers)?;
        let recipients: Vec<NoticeRecipient> = match wanted.customers.as_slice() {
            [] => self.all_of(wanted, revision).await?,
            some => {
                let names = some.iter().map(|one| name_of(&wanted.notice, one.as_str()).to_string()).collect();
                let found: BTreeMap<String, NoticeRecipient> =
                    self.at("name", names, revision).await?.into_iter().collect();
                found.into_values().collect()
            }
        };
        let mut objections: Vec<Objection> = self.all_of(wanted, revision).await?;
        objections.retain(|one| wanted.has(&one.customer));
        let reached: Vec<Name> = recipients.iter().filter_map(|one| Name::parse(&one.customer)).collect();
        customers.extend(self.customers_then(&reached, revision).await?);
        let revisions = self.revisions_of(wanted, &objections, revision).await?;
        let published = self.published(&notice, &revisions).await?;
        let mut only: Vec<String> = wanted.customers.iter().map(Name::to_string).collect();
        only.sort();
        only.dedup();
        Ok(Material {
            drawn_from: self.bare_revisions(&[revision]).await?.pop(),
            organization,
            notice,
            only,
            recipients,
            customers: customers.into_iter().filter_map(|(name, known)| Some((name, known?))).collect(),
            objections,
            published,
            revisions,
        })
    }

    /// All of what a notice has of a kind, by name.
    async fn all_of<R: Resource>(&self, wanted: &Wanted, revision: i64) -> Result<Vec<R>> {
        let list = List {
            parent: &Parent::Notice(wanted.notice.clone()),
            filter: None,
            effective_at: None,
            held_too: false,
            order: filter::order("", R::FIELDS)?,
            show_deleted: true,
            after: None,
            revision,
            size: CHUNK,
        };
        self.all_pages(&list, &wanted.what(), |_: &R| true).await
    }

    /// Customers as they were then, those that were deleted too; `None` for what was erased since.
    async fn customers_then(&self, names: &[Name], revision: i64) -> Result<HashMap<String, Option<Customer>>> {
        let mut found = HashMap::new();
        for some in names.chunks(BOUND) {
            let mut query = version_query(Kind::Customer);
            query
                .and_where(Expr::col(column("name")).is_in(some.iter().map(Name::as_str)))
                .cond_where(alive_at(revision));
            for row in fetch_all(self.reads(), &query).await? {
                let name = row.name.clone();
                found.insert(name, Stored::decode(row)?.map(|stored| stored.message));
            }
        }
        Ok(found)
    }

    /// The revisions up to one in which the notice was written, or somebody it reaches, or an objection; each with only
    /// these changes.
    async fn revisions_of(&self, wanted: &Wanted, objections: &[Objection], revision: i64) -> Result<Vec<Revision>> {
        let mut changes: BTreeMap<i64, Vec<change::Model>> = BTreeMap::new();
        let mut bytes = 0;
        for ids in self.written_of(wanted, objections).await?.chunks(CHUNK) {
            let rows = change::Entity::find()
                .filter(change::Column::ResourceId.is_in(ids.iter().copied()))
                .filter(change::Column::Revision.lte(revision))
                .all(self.reads())
                .await?;
            for row in rows {
                bytes += row.name.len();
                // What each version was hashed to is in the log; here it would be most of the text.
                let row = change::Model { before_digest: None, after_digest: None, ..row };
                changes.entry(row.revision).or_default().push(row);
            }
            // Each name is written out.
            answer_fits(&wanted.what(), bytes)?;
        }
        let numbers: Vec<i64> = changes.keys().copied().collect();
        let mut revisions = Vec::with_capacity(numbers.len());
        for row in self.revision_rows(&numbers).await? {
            let mut changes = changes.remove(&row.number).unwrap_or_default();
            changes.sort_by_key(|change| change.ordinal);
            revisions.push(message(row, changes, None));
        }
        Ok(revisions)
    }

    /// The permanent rows of a notice and of all that is under it; of what concerns some customers, if only they are
    /// asked for. What was erased is there too.
    async fn written_of(&self, wanted: &Wanted, objections: &[Objection]) -> Result<Vec<i64>> {
        let mut names = vec![wanted.notice.to_string()];
        names.extend(wanted.customers.iter().map(|one| name_of(&wanted.notice, one.as_str()).to_string()));
        names.extend(objections.iter().map(|one| one.name.clone()));
        let mut ids: Vec<i64> = find_all(self.reads(), names).await?.into_iter().map(|row| row.id).collect();
        if wanted.customers.is_empty() {
            // Names begin with where their resources live.
            let under: Vec<i64> = resource_row::Entity::find()
                .select_only()
                .column(resource_row::Column::Id)
                .filter(resource_row::Column::Name.gte(format!("{}/", wanted.notice)))
                .filter(resource_row::Column::Name.lt(format!("{}0", wanted.notice)))
                .into_tuple()
                .all(self.reads())
                .await?;
            ids.extend(under);
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Revisions by number, without what they changed.
    async fn bare_revisions(&self, numbers: &[i64]) -> Result<Vec<Revision>> {
        Ok(self.revision_rows(numbers).await?.into_iter().map(|row| message(row, Vec::new(), None)).collect())
    }

    async fn revision_rows(&self, numbers: &[i64]) -> Result<Vec<revision::Model>> {
        let mut rows = Vec::with_capacity(numbers.len());
        for some in numbers.chunks(BOUND) {
            let query = revision::Entity::find().filter(revision::Column::Number.is_in(some.iter().copied()));
            rows.extend(query.all(self.reads()).await?);
        }
        rows.sort_by_key(|row| row.number);
        Ok(rows)
    }

    /// What a notice is about, as it was when the notice was published.
    async fn published(&self, notice: &Notice, revisions: &[Revision]) -> Result<BTreeMap<String, Subprocessor>> {
        let step = if notice.inbound { "CreateNotice" } else { "PublishNotice" };
        let wrote = |revision: &&Revision| {
            revision.method.ends_with(step) && revision.changes.iter().any(|one| one.resource_name == notice.name)
        };
        let Some(publication) = revisions.iter().find(wrote) else { return Ok(BTreeMap::new()) };
        let about = notice.changes.iter().flat_map(|one| std::iter::once(&one.subprocessor).chain(&one.replaces));
        let names = about.filter(|name| !name.is_empty()).cloned().collect();
        Ok(self.at("name", names, publication.number).await?.into_iter().collect())
    }
}

/// Refuses customers of whom nothing was known.
fn refuse_unknown(wanted: &[Name], known: &HashMap<String, Option<Customer>>) -> Result<()> {
    let unknown = wanted.iter().enumerate().filter(|(_, name)| !known.contains_key(name.as_str()));
    let wrong: Violations =
        unknown.map(|(i, name)| (format!("customers[{i}]"), format!("{name} does not exist"))).collect();
    if wrong.is_empty() { Ok(()) } else { Err(Error::fields(Reason::FieldInvalid, wrong)) }
}
