//! What an organization publishes about its list, read for a day and a revision by a number of queries that depends on
//! what is public only, not on what else there is.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use prost::Message;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, Func, Order as Direction, Query, SelectStatement},
};

use super::{
    Store,
    entity::revision,
    notice::versions,
    read::{AsOf, List, alive_at, fetch_all, version_query},
    resource::BOUND,
    version::{Resource, Stored, column, table},
};
use crate::{
    error::{Result, answer_fits},
    proto::v1::{Notice, Organization, Subprocessor, Transfer, Vendor, Verdict},
    resource::{
        filter,
        name::{Kind, Name, Parent},
    },
    rules::{
        law::{
            answer::on_day,
            days::Days,
            derived::{derive, speaks_for},
            within,
        },
        notice::instant,
        paper::Judged,
        publication::{
            Material,
            history::Version,
            upcoming::{is_public, is_shown},
        },
    },
};

/// Notices that are public at a time; nobody has more that customers still wait for.
const MOST_NOTICES: usize = 200;

/// Versions from which a history is made.
const MOST_VERSIONS: usize = 5_000;

/// Bytes of these versions.
const MOST_BYTES: i32 = 16 * 1024 * 1024;

/// A publication that is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whose.
    pub parent: Name,
    /// From what the registry held at this revision.
    pub revision: i64,
    /// For which ISO 8601 day.
    pub date: String,
    /// The address of the pages, without a slash at its end.
    pub base: String,
}

impl Wanted {
    fn what(&self) -> String {
        format!("the list of {}", self.parent)
    }
}

impl Store {
    /// What a publication is made of.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND for an organization that did not exist then or was deleted; ANSWER_TOO_LARGE.
    pub async fn publication(&self, wanted: &Wanted) -> Result<Material> {
        let organization = self.existing(&wanted.parent, wanted.revision).await?;
        let engagements = self.listed(wanted).await?;
        let filter = filter::parse("inbound = false AND (state = PUBLISHED OR state = HELD)", Notice::FIELDS)?;
        let notices = self.told(wanted, filter.as_ref()).await?;
        self.around(wanted, organization, engagements, notices, wanted.revision).await
    }

    /// What the page of one notice is made of: what it is about is as it was when it was published; or, if that was not
    /// public then, as the list has it by now, which leads there once it shows it.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND for a notice that did not exist then; RESOURCE_ERASED.
    pub async fn announcement(&self, wanted: &Wanted, notice: &Name) -> Result<Material> {
        let organization = self.existing(&wanted.parent, wanted.revision).await?;
        let notice: Notice = self.get(notice, Some(AsOf::Revision(wanted.revision))).await?;
        let told = self.told_at(&notice, wanted.revision).await?;
        let about = if self.shows(&notice, told).await? { told } else { wanted.revision };
        self.around(wanted, organization, Vec::new(), vec![notice], about).await
    }

    /// Whether a notice has a page for good: what it is about was public when it was published.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn has_page(&self, notice: &Notice, revision: i64) -> Result<bool> {
        let told = self.told_at(notice, revision).await?;
        Ok(is_public(notice) && self.shows(notice, told).await?)
    }

    /// Whether something of what a notice is about was public at a revision.
    pub(super) async fn shows(&self, notice: &Notice, revision: i64) -> Result<bool> {
        let names = notice.changes.iter().map(|one| one.subprocessor.clone()).collect();
        let known: HashMap<String, Subprocessor> = self.at("name", names, revision).await?;
        Ok(notice.changes.iter().any(|one| is_shown(one, known.get(&one.subprocessor))))
    }

    /// The revision from which that is shown what a notice is about: in which it was published.
    async fn told_at(&self, notice: &Notice, revision: i64) -> Result<i64> {
        let Some(time) = instant(notice.publish_time.as_ref()) else { return Ok(revision) };
        let first: Option<Option<i64>> = versions::Entity::find()
            .select_only()
            .column_as(versions::Column::FromRevision.min(), "first")
            .filter(versions::Column::Name.eq(&notice.name))
            .filter(versions::Column::PublishTime.eq(time.as_microsecond()))
            .into_tuple()
            .one(self.reads())
            .await?;
        // Where that version was erased, it was no later than the last revision of its instant.
        let last = self.revision_at(Some(AsOf::Time(time))).await?;
        Ok(first.flatten().into_iter().chain([last]).min().map_or(revision, |told| Ord::min(told, revision)))
    }

    /// The notices that customers were told of, the newest first.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND for an organization that did not exist then or was deleted; ANSWER_TOO_LARGE.
    pub async fn announcements(&self, wanted: &Wanted) -> Result<Material> {
        let organization = self.existing(&wanted.parent, wanted.revision).await?;
        let states = "state = PUBLISHED OR state = HELD OR state = EFFECTIVE OR state = WITHDRAWN";
        let filter = filter::parse(&format!("inbound = false AND ({states})"), Notice::FIELDS)?;
        let notices = self.told(wanted, filter.as_ref()).await?;
        self.around(wanted, organization, Vec::new(), notices, wanted.revision).await
    }

    /// The notices for which a filter holds, the newest first.
    async fn told(&self, wanted: &Wanted, filter: Option<&filter::Expr>) -> Result<Vec<Notice>> {
        let list = List {
            parent: &Parent::Organization(wanted.parent.clone()),
            filter,
            effective_at: None,
            held_too: false,
            order: filter::order("publish_time desc", Notice::FIELDS)?,
            show_deleted: false,
            after: None,
            revision: wanted.revision,
            size: MOST_NOTICES,
        };
        Ok(self.list::<Notice>(&list).await?.items)
    }

    /// What is public on the day.
    async fn listed(&self, wanted: &Wanted) -> Result<Vec<Subprocessor>> {
        let filter = filter::parse("listed = true", Subprocessor::FIELDS)?;
        let list = List {
            parent: &Parent::Organization(wanted.parent.clone()),
            filter: filter.as_ref(),
            effective_at: Some(&wanted.date),
            held_too: false,
            order: filter::order("", Subprocessor::FIELDS)?,
            show_deleted: false,
            after: None,
            revision: wanted.revision,
            size: super::pages::CHUNK,
        };
        let all: Vec<Subprocessor> = self.all_pages(&list, &wanted.what(), |_: &Subprocessor| true).await?;
        // Everybody can ask for it: what is made of it has to be made in no time.
        answer_fits(&wanted.what(), all.iter().map(Message::encoded_len).sum())?;
        Ok(all)
    }

    /// What engagements and notices refer to. `about`: the revision from which that is read which notices are about.
    async fn around(
        &self,
        wanted: &Wanted,
        organization: Organization,
        engagements: Vec<Subprocessor>,
        notices: Vec<Notice>,
        about: i64,
    ) -> Result<Material> {
        let changes = || notices.iter().flat_map(|notice| &notice.changes);
        let mut names: Vec<String> = engagements.iter().map(|one| one.engaged_by.clone()).collect();
        names.extend(changes().flat_map(|one| std::iter::once(&one.subprocessor).chain(&one.replaces).cloned()));
        names.extend(changes().filter_map(|one| one.proposed.as_ref()).map(|one| one.engaged_by.clone()));
        names.retain(|name| !name.is_empty());
        let subprocessors: HashMap<String, Subprocessor> = self.at("name", names, about).await?;
        let proposed = changes().filter_map(|one| one.proposed.as_ref());
        let parties = engagements.iter().chain(subprocessors.values()).chain(proposed);
        let vendors = parties.map(|one| one.vendor.clone()).filter(|name| !name.is_empty()).collect();
        let vendors: HashMap<String, Vendor> = self.at("name", vendors, wanted.revision).await?;
        // What becomes of those who are on the list already.
        let judged = engagements.iter().chain(subprocessors.values().filter(|one| one.listed));
        let judged: HashMap<&str, &Subprocessor> = judged.map(|one| (one.name.as_str(), one)).collect();
        let judged: Vec<Subprocessor> = judged.into_values().cloned().collect();
        let transfers = self.transfers_to(&organization, &judged, wanted).await?;
        Ok(Material {
            base: wanted.base.clone(),
            date: wanted.date.clone(),
            revision: wanted.revision,
            commit_time: self.committed_at(wanted.revision).await?,
            law: self.law(wanted.revision).await?,
            organization,
            engagements,
            notices,
            subprocessors,
            vendors,
            transfers,
        })
    }

    /// The transfers of the day to some subprocessors, those that nobody recorded too, by importer, each with what the
    /// law says of it.
    async fn transfers_to(
        &self,
        organization: &Organization,
        importers: &[Subprocessor],
        wanted: &Wanted,
    ) -> Result<HashMap<String, Vec<Judged>>> {
        let names = importers.iter().map(|one| one.name.clone()).collect();
        let recorded: HashMap<String, Transfer> = self.at("importer", names, wanted.revision).await?;
        let mut transfers: Vec<Transfer> = recorded.into_values().collect();
        transfers.retain(|one| within(&wanted.date, &one.start_date, &one.end_date));
        transfers.sort_by(|a, b| a.name.cmp(&b.name));
        let spoken_for: Vec<Transfer> = transfers.clone();
        let mut origins = vec![None; transfers.len()];
        for derived in importers.iter().flat_map(|one| derive(organization, one)) {
            if !spoken_for.iter().any(|other| speaks_for(other, &derived.transfer)) {
                transfers.push(derived.transfer);
                origins.push(Some(derived.from));
            }
        }
        answer_fits(&wanted.what(), transfers.iter().map(Message::encoded_len).sum::<usize>() / super::pages::HELD)?;
        let facts = self.facts(&transfers, wanted.revision).await?;
        let days = Days::One(wanted.date.clone());
        let mut judged: HashMap<String, Vec<Judged>> = HashMap::new();
        for (transfer, from) in transfers.into_iter().zip(origins) {
            if days.within(&transfer.start_date, &transfer.end_date).is_none() {
                continue;
            }
            let answer = on_day(&facts.law, &facts.subject(&transfer), from.as_ref(), &wanted.date);
            if answer.verdict() != Verdict::NotRestricted {
                judged.entry(transfer.importer.clone()).or_default().push(Judged { transfer, answer });
            }
        }
        Ok(judged)
    }

    /// The organizations of whose lists something is public now or that say how their page looks, by name, at most
    /// `most`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn publishers(&self, revision: i64, most: usize) -> Result<Vec<Organization>> {
        let listed = Query::select()
            .distinct()
            .column(column("organization_id"))
            .from(table(Kind::Subprocessor))
            .and_where(Expr::col(column("listed")).eq(true))
            .and_where(Expr::col(column("deleted")).eq(false))
            .cond_where(alive_at(revision))
            .limit(most as u64)
            .to_owned();
        let rows = self.reads().query_all(&listed).await?;
        let ids = rows.iter().map(|row| row.try_get("", "organization_id")).collect::<Result<Vec<i64>, _>>()?;
        let mut found = Vec::new();
        for ids in ids.chunks(BOUND) {
            let mut query = version_query(Kind::Organization);
            query
                .and_where(Expr::col(column("resource_id")).is_in(ids.iter().copied()))
                .and_where(Expr::col(column("deleted")).eq(false))
                .cond_where(alive_at(revision));
            for row in fetch_all(self.reads(), &query).await? {
                found.extend(Stored::<Organization>::decode(row)?.map(|stored| stored.message));
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// When a revision was committed; none for the empty registry.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn committed_at(&self, revision: i64) -> Result<Option<Timestamp>> {
        Ok(self.commit_times(&[revision]).await?.remove(&revision))
    }

    /// When revisions were committed.
    async fn commit_times(&self, numbers: &[i64]) -> Result<HashMap<i64, Timestamp>> {
        let mut found = HashMap::new();
        for some in numbers.chunks(BOUND) {
            let rows: Vec<(i64, i64)> = revision::Entity::find()
                .select_only()
                .column(revision::Column::Number)
                .column(revision::Column::CommitTime)
                .filter(revision::Column::Number.is_in(some.iter().copied()))
                .into_tuple()
                .all(self.reads())
                .await?;
            let times = rows.into_iter();
            found.extend(times.filter_map(|(number, at)| Some((number, Timestamp::from_microsecond(at).ok()?))));
        }
        Ok(found)
    }

    /// The versions of an organization's subprocessors that were public up to a revision, the newest first, with the
    /// vendors that they name; and whether there are more than were read.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND for an organization that did not exist then.
    pub async fn public_versions(&self, wanted: &Wanted) -> Result<(Vec<Version>, HashMap<String, Vendor>, bool)> {
        let query = self.history_query(wanted).await?;
        let mut keys = Vec::new();
        let (mut bytes, mut more) = (0, false);
        for row in self.reads().query_all(&query).await? {
            bytes += row.try_get::<i32>("", "bytes")?;
            more = keys.len() == MOST_VERSIONS || bytes > MOST_BYTES;
            if more {
                break;
            }
            keys.push((row.try_get("", "resource_id")?, row.try_get("", "from_revision")?));
        }
        let rows = self.versions(Kind::Subprocessor, &keys).await?;
        let ends = rows.iter().filter_map(|row| row.to_revision.filter(|end| *end <= wanted.revision));
        let mut numbers: Vec<i64> = rows.iter().map(|row| row.from_revision).chain(ends).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let times = self.commit_times(&numbers).await?;
        let mut versions = Vec::with_capacity(rows.len());
        let ends: HashSet<(i64, i64)> =
            rows.iter().filter_map(|row| Some((row.resource_id, row.to_revision?))).collect();
        for row in rows {
            let (from, to, created) = (row.from_revision, row.to_revision, row.create_time);
            let follows = ends.contains(&(row.resource_id, from));
            let Some(stored) = Stored::<Subprocessor>::decode(row)? else { continue };
            let Some(from) = times.get(&from).copied() else { continue };
            let first = Timestamp::from_microsecond(created).is_ok_and(|created| created >= from);
            versions.push(Version {
                first,
                continues: more && !first && !follows,
                subprocessor: stored.message,
                from,
                to: to.and_then(|end| times.get(&end).copied()),
            });
        }
        let vendors = versions.iter().map(|one| one.subprocessor.vendor.clone()).filter(|name| !name.is_empty());
        let vendors = self.at("name", vendors.collect(), wanted.revision).await?;
        Ok((versions, vendors, more))
    }

    /// Which versions were public up to a revision, the newest first, and how large they are: what is not shown need not
    /// be read.
    async fn history_query(&self, wanted: &Wanted) -> Result<SelectStatement> {
        let id = self.row_at(&wanted.parent, wanted.revision).await?;
        let query = Query::select()
            .columns(["resource_id", "from_revision"].map(column))
            .expr_as(Func::cust("length").arg(Expr::col(column("body"))), column("bytes"))
            .from(table(Kind::Subprocessor))
            .and_where(Expr::col(column("organization_id")).eq(id))
            // Word for word what the index is of.
            .and_where(Expr::col(column("listed")))
            .and_where(Expr::col(column("deleted")).not())
            .and_where(Expr::col(column("from_revision")).lte(wanted.revision))
            .and_where(Expr::col(column("body")).is_not_null())
            .order_by(column("from_revision"), Direction::Desc)
            .order_by(column("resource_id"), Direction::Desc)
            .limit(MOST_VERSIONS as u64 + 1)
            .to_owned();
        Ok(query)
    }

    /// How the database would read the history of a list. For the test that refuses full scans.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn explain_history(&self, wanted: &Wanted) -> Result<Vec<String>> {
        self.plan(&self.history_query(wanted).await?).await
    }
}
