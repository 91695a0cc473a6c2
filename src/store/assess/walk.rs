//! The walk over transfers that are judged: those on record page by page, then those that follow from where
//! subprocessors process and that nobody recorded. A page takes the same number of queries however large it is.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, JoinType, Query},
};

use super::Facts;
use crate::{
    error::Result,
    proto::v1::{DerivedFrom, Organization, Subprocessor, Transfer, TransferAssessment},
    resource::{
        filter::{self, Expr as Filter},
        name::{Kind, Name, Parent},
        page::Position,
    },
    rules::{
        engagement::was_in_use,
        law::{
            answer::answers,
            days::Days,
            derived::{derive, speaks_for},
            transfer::Subject,
        },
    },
    store::{
        Store,
        read::List,
        resource::BOUND,
        version::{NO_DATE, Resource, column, table, value_table},
    },
};

/// Which transfers are judged, and on which days.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    /// One organization, or all of them.
    pub parent: &'a Parent,
    /// What must hold of those on record. With a filter nothing is derived.
    pub filter: Option<&'a Filter>,
    /// When.
    pub days: &'a Days,
    /// At which revision.
    pub revision: i64,
    /// How many transfers on record, or subprocessors from which others are derived, are looked at for one page.
    pub size: usize,
}

/// A transfer to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The transfer.
    pub transfer: Transfer,
    /// From which location it is derived; none for one on record.
    pub derived_from: Option<DerivedFrom>,
    /// On which days: for a derived one those on which none on record speaks for it.
    pub days: Vec<Days>,
}

/// A page of transfers with what their answers rest on.
#[derive(Debug)]
pub struct Batch {
    /// What the answers rest on.
    pub facts: Facts,
    /// The transfers.
    pub judged: Vec<Judged>,
    /// Where the next page begins; none on the last.
    pub next: Option<Position>,
}

impl Batch {
    /// Each transfer with what its answer needs.
    pub fn subjects(&self) -> impl Iterator<Item = (&Judged, Subject<'_>)> {
        self.judged.iter().map(|one| (one, self.facts.subject(&one.transfer)))
    }

    /// The answers about all of them.
    pub fn answers(&self) -> Vec<TransferAssessment> {
        let law = &self.facts.law;
        let about = self.subjects().flat_map(|(one, subject)| {
            let days = one.days.iter();
            days.flat_map(|days| answers(law, &subject, one.derived_from.as_ref(), days)).collect::<Vec<_>>()
        });
        about.collect()
    }
}

/// The walk has come to the subprocessors from which transfers are derived.
const DERIVING: i64 = 1;

impl Store {
    /// A page of the transfers that are to be judged.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if the organization does not exist at that revision.
    pub async fn judged(&self, walk: &Walk<'_>, after: Option<&Position>) -> Result<Batch> {
        let list = List {
            parent: walk.parent,
            filter: walk.filter,
            effective_at: walk.days.only(),
            held_too: false,
            order: filter::order("", Transfer::FIELDS)?,
            show_deleted: false,
            after,
            revision: walk.revision,
            size: walk.size,
        };
        if after.is_some_and(|after| after.number == DERIVING) {
            return self.derived(walk, &list).await;
        }
        let page = self.list::<Transfer>(&list).await?;
        let facts = self.facts(&page.items, walk.revision).await?;
        let recorded = page.items.into_iter();
        let judged =
            recorded.map(|transfer| Judged { transfer, derived_from: None, days: vec![walk.days.clone()] }).collect();
        let deriving = || Position { revision: walk.revision, number: DERIVING, ..Position::default() };
        let next = page.next.or_else(|| walk.filter.is_none().then(deriving));
        Ok(Batch { facts, judged, next })
    }

    /// The transfers that follow from where the subprocessors of a page process.
    async fn derived(&self, walk: &Walk<'_>, list: &List<'_>) -> Result<Batch> {
        let revision = walk.revision;
        let order = filter::order("", Subprocessor::FIELDS)?;
        let page = self.list::<Subprocessor>(&List { order, filter: None, ..list.clone() }).await?;
        let organization = |one: &Subprocessor| Name::parse(&one.name).and_then(|name| name.parent());
        let organizations = page.items.iter().filter_map(organization).map(|name| name.to_string()).collect();
        let organizations: HashMap<String, Organization> = self.at("name", organizations, revision).await?;
        // A range asks about days one by one; who was never in use is on none of them.
        let used = page.items.iter().filter(|one| was_in_use(one));
        let derived: Vec<_> = used
            .filter_map(|one| Some(derive(organizations.get(organization(one)?.as_str())?, one)))
            .flatten()
            .collect();
        let recorded = self.recorded_to(&page.items, revision).await?;
        let transfers: Vec<Transfer> = derived.iter().map(|one| one.transfer.clone()).collect();
        let facts = self.facts(&transfers, revision).await?;
        let judged = derived
            .into_iter()
            .map(|one| {
                let spoken = recorded.iter().filter(|other| speaks_for(other, &one.transfer));
                let spoken: Vec<_> = spoken.map(|other| (other.start_date.as_str(), other.end_date.as_str())).collect();
                let days = walk.days.without(&spoken);
                Judged { transfer: one.transfer, derived_from: Some(one.from), days }
            })
            .filter(|one| !one.days.is_empty())
            .collect();
        let next = page.next.map(|next| Position { number: DERIVING, ..next });
        Ok(Batch { facts, judged, next })
    }

    /// What the transfers on record to some subprocessors speak for: regime, importer, one destination (or none) and
    /// dates, each once, however many transfers have the same.
    pub(in crate::store) async fn recorded_to(
        &self,
        importers: &[Subprocessor],
        revision: i64,
    ) -> Result<Vec<Transfer>> {
        let (versions, values) = (table(Kind::Transfer), value_table(Kind::Transfer));
        let own = |name: &'static str| Expr::col((versions.clone(), column(name)));
        let value = |name: &'static str| Expr::col((values.clone(), column(name)));
        let names: BTreeSet<&str> = importers.iter().map(|one| one.name.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let mut found = Vec::new();
        for names in names.chunks(BOUND) {
            let query = Query::select()
                .distinct()
                .columns(["importer", "regime", "start_date", "end_date"].map(|name| (versions.clone(), column(name))))
                .column((values.clone(), column("value")))
                .from(versions.clone())
                .join(
                    JoinType::LeftJoin,
                    values.clone(),
                    value("resource_id")
                        .eq(own("resource_id"))
                        .and(value("from_revision").eq(own("from_revision")))
                        .and(value("field").eq("destination_region_codes")),
                )
                .and_where(own("importer").is_in(names.iter().copied()))
                .and_where(own("deleted").eq(false))
                .and_where(own("body").is_not_null())
                .and_where(own("from_revision").lte(revision))
                .and_where(own("to_revision").is_null().or(own("to_revision").gt(revision)))
                .to_owned();
            for row in self.reads().query_all(&query).await? {
                let date = |name: &str| -> Result<String> {
                    let date: String = row.try_get("", name)?;
                    Ok(if date == NO_DATE { String::new() } else { date })
                };
                let code: Option<String> = row.try_get("", "value")?;
                found.push(Transfer {
                    importer: row.try_get("", "importer")?,
                    regime: row.try_get("", "regime")?,
                    start_date: date("start_date")?,
                    end_date: date("end_date")?,
                    destination_region_codes: code.into_iter().collect(),
                    ..Transfer::default()
                });
            }
        }
        Ok(found)
    }
}
