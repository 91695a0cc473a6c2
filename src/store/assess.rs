//! What the answers about transfers rest on, read for a whole page of them by a number of queries that does not depend
//! on how many there are.

pub(super) mod gate;
pub mod simulate;
pub mod walk;

use std::{collections::HashMap, sync::Arc};

use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait},
};

use super::{
    Store,
    read::{alive_at, fetch_all, version_query},
    resource::BOUND,
    transfer::{CUSTOMERS, LONGEST_CHAIN},
    version::{Resource, Stored, column},
};
use crate::{
    error::Result,
    proto::v1::{Certification, Organization, Role, Subprocessor, Transfer},
    resource::name::{Kind, Name},
    rules::law::{Law, transfer::Subject},
};

/// The facts behind the answers about some transfers.
#[derive(Debug)]
pub struct Facts {
    /// The law.
    pub law: Arc<Law>,
    /// The transfers by which others have the data.
    above: HashMap<String, Transfer>,
    organizations: HashMap<String, Organization>,
    subprocessors: HashMap<String, Subprocessor>,
    /// By the vendor or organization that takes part.
    certifications: HashMap<String, Vec<Certification>>,
    /// By name: those that a mechanism names.
    named: HashMap<String, Certification>,
}

impl Store {
    /// The facts that the answers about these transfers need, as they were known at a revision.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn facts(&self, transfers: &[Transfer], revision: i64) -> Result<Facts> {
        Facts::read(self.reads(), self.law(revision).await?, transfers, revision, None).await
    }

    /// The live resources of a kind one of whose columns has one of these values, by name.
    pub(crate) async fn at<R: Resource>(
        &self,
        key: &str,
        values: Vec<String>,
        revision: i64,
    ) -> Result<HashMap<String, R>> {
        at(self.reads(), key, values, revision).await
    }
}

/// The live resources of a kind one of whose columns has one of these values, by name.
async fn at<R: Resource>(
    db: &impl ConnectionTrait,
    key: &str,
    mut values: Vec<String>,
    revision: i64,
) -> Result<HashMap<String, R>> {
    values.sort();
    values.dedup();
    let mut found = HashMap::new();
    for chunk in values.chunks(BOUND) {
        let mut query = version_query(R::KIND);
        query
            .and_where(Expr::col(column(key)).is_in(chunk.iter().cloned()))
            .and_where(Expr::col(column("deleted")).eq(false))
            .cond_where(alive_at(revision));
        for row in fetch_all(db, &query).await? {
            found.extend(Stored::<R>::decode(row)?.map(|stored| (stored.name().to_owned(), stored.message)));
        }
    }
    Ok(found)
}

impl Facts {
    /// The facts, read over a connection. `anew`: a subprocessor as it is to become, which is not stored yet.
    pub(super) async fn read(
        db: &impl ConnectionTrait,
        law: Arc<Law>,
        transfers: &[Transfer],
        revision: i64,
        anew: Option<&Subprocessor>,
    ) -> Result<Self> {
        let mut above: HashMap<String, Transfer> = HashMap::new();
        let mut wanted: Vec<String> = onward(transfers.iter());
        for _ in 0..LONGEST_CHAIN {
            wanted.retain(|name| !above.contains_key(name));
            if wanted.is_empty() {
                break;
            }
            let found: HashMap<String, Transfer> = at(db, "name", wanted, revision).await?;
            wanted = onward(found.values());
            above.extend(found);
        }
        let all = || transfers.iter().chain(above.values());
        let parties = |kind: Kind| {
            let names = all().flat_map(|one| [one.exporter.clone(), one.importer.clone()]);
            names.filter(move |name| Name::parse(name).is_some_and(|name| name.kind() == kind)).collect::<Vec<_>>()
        };
        let mut subprocessors: HashMap<String, Subprocessor> =
            at(db, "name", parties(Kind::Subprocessor), revision).await?;
        subprocessors.extend(anew.map(|one| (one.name.clone(), one.clone())));
        let organizations: HashMap<String, Organization> =
            at(db, "name", parties(Kind::Organization), revision).await?;
        let vendors = subprocessors.values().map(|one| one.vendor.clone()).filter(|name| !name.is_empty());
        let holders: Vec<String> = vendors.chain(organizations.keys().cloned()).collect();
        let mut certifications: HashMap<String, Vec<Certification>> = HashMap::new();
        for (name, one) in at::<Certification>(db, "parent", holders, revision).await? {
            let holder = Name::parse(&name).and_then(|name| name.parent());
            certifications.entry(holder.map(|name| name.to_string()).unwrap_or_default()).or_default().push(one);
        }
        let names = all().flat_map(|one| &one.mechanisms).map(|one| one.certification.clone());
        let named = at(db, "name", names.filter(|name| !name.is_empty()).collect(), revision).await?;
        for list in certifications.values_mut() {
            list.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(Self { law, above, organizations, subprocessors, certifications, named })
    }
}

fn onward<'a>(transfers: impl Iterator<Item = &'a Transfer>) -> Vec<String> {
    transfers.map(|one| one.onward_from.clone()).filter(|name| !name.is_empty()).collect()
}

impl Facts {
    /// A subprocessor that takes part in one of the transfers.
    pub(crate) fn subprocessor(&self, name: &str) -> Option<&Subprocessor> {
        self.subprocessors.get(name)
    }

    /// A transfer with what its answer needs.
    pub fn subject<'a>(&'a self, transfer: &'a Transfer) -> Subject<'a> {
        self.link(transfer, LONGEST_CHAIN)
    }

    fn link<'a>(&'a self, transfer: &'a Transfer, deep: usize) -> Subject<'a> {
        let importer = self.subprocessors.get(&transfer.importer);
        let above = self.above.get(&transfer.onward_from).filter(|_| deep > 0);
        Subject {
            transfer,
            exporter_role: self.role(transfer.exporter_role(), &transfer.exporter),
            importer_role: self.role(transfer.importer_role(), &transfer.importer),
            certifications: self.certifications_of(transfer, importer),
            dpa: importer.and_then(|one| one.dpa.as_ref()),
            onward_from: above.map(|one| Box::new(self.link(one, deep - 1))),
        }
    }

    /// What somebody is in a transfer: as it says, else as the party is known. A role nobody stated is taken for the
    /// usual one: customers are controllers, and who is on a list of sub-processors, or keeps one, is a processor.
    fn role(&self, stated: Role, party: &str) -> Role {
        if stated != Role::Unspecified {
            return stated;
        }
        if party == CUSTOMERS {
            return Role::Controller;
        }
        let subprocessor = self.subprocessors.get(party).map(Subprocessor::role);
        let known = subprocessor.or_else(|| self.organizations.get(party).map(Organization::role));
        known.filter(|role| *role != Role::Unspecified).unwrap_or(Role::Processor)
    }

    /// The certifications of the importer's entity, and those that the mechanisms name.
    fn certifications_of<'a>(
        &'a self,
        transfer: &'a Transfer,
        importer: Option<&'a Subprocessor>,
    ) -> Vec<&'a Certification> {
        let holder = importer.map_or(transfer.importer.as_str(), |one| one.vendor.as_str());
        let entity = importer.map_or("", |one| one.vendor_entity.as_str());
        let own = self.certifications.get(holder).into_iter().flatten();
        let own = own.filter(|one| one.entity_id.is_empty() || entity.is_empty() || one.entity_id == entity);
        let mut all: Vec<&Certification> = own.collect();
        let named = transfer.mechanisms.iter().filter_map(|one| self.named.get(&one.certification));
        for one in named {
            if !all.iter().any(|other| other.name == one.name) {
                all.push(one);
            }
        }
        all
    }
}
