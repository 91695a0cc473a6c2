//! Chains of engagements, followed from one end: level by level, so that the number of queries grows with their depth
//! only.

use std::collections::{BTreeMap, HashMap, HashSet};

use prost::Message;
use sea_orm::{
    ConnectionTrait,
    sea_query::{Condition, Expr, ExprTrait, JoinType, Order, Query, SelectStatement},
};

use super::{
    Store,
    read::{AsOf, alive_at, fetch_all, in_effect, version_query},
    version::{Stored, column, stored_value, table, value_table},
};
use crate::{
    error::{Error, Reason, Result, answer_fits},
    proto::v1::{
        Link, OrganizationReach, Reach, Subprocessor, TraceSubprocessorResponse, TraceVendorResponse, Vendor,
        reach::Relation,
    },
    resource::name::{Kind, Name},
    rules::{engagement, reach},
};

/// Names asked for in one statement.
const NAMES: usize = 500;

/// Engagements that one answer is made of at most: each takes a hundred bytes of it.
const MOST_ENGAGEMENTS: usize = 40_000;

/// Customers, or products of customers, that are looked at for one answer at most.
const MOST_CUSTOMERS: usize = 200_000;

impl Store {
    /// The chain around a subprocessor, both ways: one query for each step up and for each level down.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if there is or was none; ANSWER_TOO_LARGE.
    pub async fn trace_subprocessor(&self, name: &Name, as_of: Option<AsOf>) -> Result<TraceSubprocessorResponse> {
        let revision = self.revision_at(as_of).await?;
        let at = Some(AsOf::Revision(revision));
        let subprocessor: Subprocessor = self.get(name, at).await?;
        let mut upstream: Vec<Subprocessor> = Vec::new();
        let mut next = subprocessor.engaged_by.clone();
        while let Some(above) = Name::parse(&next) {
            if upstream.iter().any(|seen| seen.name == next) {
                break;
            }
            let above: Subprocessor = self.get(&above, at).await?;
            next.clone_from(&above.engaged_by);
            upstream.push(above);
        }
        let mut downstream: Vec<Link> = Vec::new();
        let mut level = vec![name.to_string()];
        let mut seen = HashSet::from([name.to_string()]);
        let mut depth = 0;
        while !level.is_empty() {
            depth += 1;
            let mut below = Vec::new();
            for chunk in level.chunks(NAMES) {
                let mut query = version_query(Kind::Subprocessor);
                query
                    .and_where(Expr::col(column("engaged_by")).is_in(chunk.iter().cloned()))
                    .and_where(Expr::col(column("deleted")).eq(false))
                    .cond_where(alive_at(revision))
                    .order_by(column("name"), Order::Asc);
                for row in fetch_all(self.reads(), &query).await? {
                    below.extend(Stored::<Subprocessor>::decode(row)?.map(|stored| stored.message));
                }
            }
            below.retain(|found| seen.insert(found.name.clone()));
            level = below.iter().map(|found| found.name.clone()).collect();
            downstream.extend(below.into_iter().map(|found| Link { subprocessor: Some(found), depth }));
        }
        let answer = TraceSubprocessorResponse { subprocessor: Some(subprocessor), upstream, downstream, revision };
        answer_fits(&format!("the chain of {name}"), answer.encoded_len())?;
        Ok(answer)
    }
}

impl Store {
    /// Who reaches a vendor, as the registry held it at `as_of`, on an ISO 8601 day if there is one: one query for each
    /// step up and for each level down the tree of owners, for each level up the chains, and for customers.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if there is or was no such vendor; ANSWER_TOO_LARGE.
    pub async fn trace_vendor(
        &self,
        name: &Name,
        as_of: Option<AsOf>,
        day: Option<&str>,
    ) -> Result<TraceVendorResponse> {
        let at = self.moment(as_of).await?;
        let vendor: Vendor = self.get(name, Some(AsOf::Revision(at.revision))).await?;
        let related = self.related(&vendor, at.revision).await?;
        let engaged = self.engaged(name, &related, at.revision, day).await?;
        let above = self.above(engaged.iter().map(|stored| &stored.message), at.revision).await?;
        let mut organizations: BTreeMap<String, OrganizationReach> = BTreeMap::new();
        let mut ids = HashMap::new();
        for Stored { message: subprocessor, organization_id, .. } in &engaged {
            let chain = climb(subprocessor, &above);
            if day.is_some_and(|day| !chain.iter().all(|link| engagement::is_on_list(link, day))) {
                continue;
            }
            let Some(parent) = Name::parse(&subprocessor.name).and_then(|name| name.parent()) else { continue };
            let organization = parent.to_string();
            ids.insert(*organization_id, organization.clone());
            let reaches = &mut organizations.entry(organization).or_default().reaches;
            reaches.extend(reaches_of(subprocessor, &chain, &related));
        }
        let what = format!("what reaches {name}");
        for (organization, reach) in &mut organizations {
            organization.clone_into(&mut reach.organization);
            reach.reaches.sort_by(|a, b| {
                let key = |reach: &Reach| {
                    (reach.relation, reach.subprocessor.clone(), reach.alternative, reach.vendor.clone())
                };
                key(a).cmp(&key(b))
            });
            reach.products = reach::together(reach.reaches.iter().map(|reach| reach.products.as_slice()));
        }
        answer_fits(&what, organizations.values().map(OrganizationReach::encoded_len).sum())?;
        self.add_customers(&what, &mut organizations, &ids, at.revision, day.unwrap_or(&at.day)).await?;
        let answer =
            TraceVendorResponse { organizations: organizations.into_values().collect(), revision: at.revision };
        answer_fits(&what, answer.encoded_len())?;
        Ok(answer)
    }

    /// The vendor with those that own it and those that it owns, at any distance.
    async fn related(&self, vendor: &Vendor, revision: i64) -> Result<BTreeMap<String, Relation>> {
        let mut related = BTreeMap::from([(vendor.name.clone(), Relation::Direct)]);
        let mut next = vendor.parent_vendor.clone();
        while !next.is_empty() && !related.contains_key(&next) {
            let owner = self.at::<Vendor>("name", vec![next.clone()], revision).await?.remove(&next);
            related.insert(next, Relation::Owner);
            next = owner.map(|owner| owner.parent_vendor).unwrap_or_default();
        }
        let mut level = vec![vendor.name.clone()];
        while !level.is_empty() {
            let mut below = Vec::new();
            for names in level.chunks(NAMES) {
                let query = live_query(Kind::Vendor, revision)
                    .and_where(Expr::col(column("parent_vendor")).is_in(names))
                    .clear_selects()
                    .column(column("name"))
                    .to_owned();
                for row in self.reads().query_all(&query).await? {
                    below.push(row.try_get::<String>("", "name")?);
                }
            }
            below.retain(|name| !related.contains_key(name));
            related.extend(below.iter().map(|name| (name.clone(), Relation::Subsidiary)));
            level = below;
        }
        Ok(related)
    }

    /// The engagements that name one of these vendors, as theirs or as an alternative.
    async fn engaged(
        &self,
        name: &Name,
        related: &BTreeMap<String, Relation>,
        revision: i64,
        day: Option<&str>,
    ) -> Result<Vec<Stored<Subprocessor>>> {
        let vendors: Vec<&str> = related.keys().map(String::as_str).collect();
        let mut found: BTreeMap<i64, Stored<Subprocessor>> = BTreeMap::new();
        for vendors in vendors.chunks(NAMES) {
            let alternatives = Query::select()
                .columns(["resource_id", "from_revision"].map(column))
                .from(value_table(Kind::Subprocessor))
                .and_where(Expr::col(column("field")).eq("alternative_vendors"))
                .and_where(Expr::col(column("value")).is_in(vendors.iter().map(|name| stored_value(name))))
                .to_owned();
            let version = Expr::tuple([Expr::col(column("resource_id")), Expr::col(column("from_revision"))]);
            for names_one in
                [Expr::col(column("vendor")).is_in(vendors.iter().copied()), version.in_subquery(alternatives)]
            {
                let mut query = live_query(Kind::Subprocessor, revision);
                query.and_where(names_one).limit(MOST_ENGAGEMENTS as u64 + 1);
                if let Some(day) = day {
                    query.cond_where(in_effect(Kind::Subprocessor, day));
                }
                for row in fetch_all(self.reads(), &query).await? {
                    found.extend(Stored::decode(row)?.map(|stored| (stored.resource_id, stored)));
                }
                if found.len() > MOST_ENGAGEMENTS {
                    return Err(too_many(&format!("{name} is reached through"), MOST_ENGAGEMENTS, "engagements"));
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// What stands above engagements in their chains, by name.
    pub(super) async fn above(
        &self,
        engaged: impl Iterator<Item = &Subprocessor> + Send,
        revision: i64,
    ) -> Result<HashMap<String, Subprocessor>> {
        let mut above: HashMap<String, Subprocessor> = HashMap::new();
        let mut level: HashSet<String> = engaged.map(|one| one.engaged_by.clone()).collect();
        loop {
            let names: Vec<String> =
                level.drain().filter(|name| !name.is_empty() && !above.contains_key(name)).collect();
            if names.is_empty() {
                return Ok(above);
            }
            for (name, one) in self.at::<Subprocessor>("name", names, revision).await? {
                level.insert(one.engaged_by.clone());
                above.insert(name, one);
            }
        }
    }

    /// Adds the customers that have one of the products concerned on a day.
    pub(super) async fn add_customers(
        &self,
        what: &str,
        organizations: &mut BTreeMap<String, OrganizationReach>,
        ids: &HashMap<i64, String>,
        revision: i64,
        day: &str,
    ) -> Result<()> {
        let organization_ids: Vec<i64> = ids.keys().copied().collect();
        let mut bytes = 0;
        let mut looked_at = 0;
        for organization_ids in organization_ids.chunks(NAMES) {
            let mut customers: BTreeMap<String, (i64, Vec<String>)> = BTreeMap::new();
            let left = (MOST_CUSTOMERS - looked_at) as u64;
            let query = customers_query(organization_ids, revision, day).limit(left + 1).to_owned();
            for row in self.reads().query_all(&query).await? {
                looked_at += 1;
                let (id, products) = customers.entry(row.try_get("", "name")?).or_default();
                *id = row.try_get("", "organization_id")?;
                products.extend(row.try_get::<Option<String>>("", "value")?);
            }
            if looked_at > MOST_CUSTOMERS {
                return Err(too_many(&format!("{what} has"), MOST_CUSTOMERS, "customers to look at"));
            }
            for (customer, (id, products)) in customers {
                let Some(reach) = ids.get(&id).and_then(|name| organizations.get_mut(name)) else { continue };
                if reach::overlap(&products, &reach.products) {
                    bytes += customer.len() + 2;
                    reach.customers.push(customer);
                    answer_fits(what, bytes)?;
                }
            }
        }
        Ok(())
    }
}

/// Versions of a kind that were live at a revision.
fn live_query(kind: Kind, revision: i64) -> SelectStatement {
    let mut query = version_query(kind);
    query.and_where(Expr::col(column("deleted")).eq(false)).cond_where(alive_at(revision));
    query
}

/// The customers of organizations that had not ended by a day, each with its products, a row for each of these.
fn customers_query(organization_ids: &[i64], revision: i64, day: &str) -> SelectStatement {
    let (customer, value) = (table(Kind::Customer), value_table(Kind::Customer));
    let same = |name: &'static str| Expr::col((value.clone(), column(name))).equals((customer.clone(), column(name)));
    let products = Condition::all()
        .add(same("resource_id"))
        .add(same("from_revision"))
        .add(Expr::col((value.clone(), column("field"))).eq("products"));
    let live = live_query(Kind::Customer, revision)
        .clear_selects()
        .columns(["resource_id", "from_revision", "name", "organization_id"].map(column))
        .and_where(Expr::col(column("organization_id")).is_in(organization_ids.iter().copied()))
        .and_where(Expr::col(column("end_date")).gt(day))
        .and_where(Expr::col(column("body")).is_not_null())
        .to_owned();
    Query::select()
        .columns(["name", "organization_id"].map(|name| (customer.clone(), column(name))))
        .column((value.clone(), column("value")))
        .from_subquery(live, customer.clone())
        .join(JoinType::LeftJoin, value.clone(), products)
        .to_owned()
}

/// The chain from the organization down to an engagement.
pub(super) fn climb<'a>(
    subprocessor: &'a Subprocessor,
    above: &'a HashMap<String, Subprocessor>,
) -> Vec<&'a Subprocessor> {
    let mut chain = vec![subprocessor];
    let mut seen = HashSet::from([subprocessor.name.as_str()]);
    let mut next = above.get(&subprocessor.engaged_by);
    while let Some(link) = next.filter(|link| seen.insert(link.name.as_str())) {
        chain.push(link);
        next = above.get(&link.engaged_by);
    }
    chain.reverse();
    chain
}

/// The vendors among `related` that an engagement names.
fn reaches_of(
    subprocessor: &Subprocessor,
    chain: &[&Subprocessor],
    related: &BTreeMap<String, Relation>,
) -> Vec<Reach> {
    let products = reach::along(chain.iter().map(|link| link.products.as_slice()));
    let own = std::iter::once((&subprocessor.vendor, false));
    let alternatives = subprocessor.alternative_vendors.iter().map(|vendor| (vendor, true));
    let mut named = HashSet::new();
    own.chain(alternatives)
        .filter(|(vendor, _)| named.insert(vendor.as_str()))
        .filter_map(|(vendor, alternative)| {
            Some(Reach {
                subprocessor: subprocessor.name.clone(),
                display_name: subprocessor.display_name.clone(),
                state: subprocessor.state,
                vendor: vendor.clone(),
                relation: (*related.get(vendor)?).into(),
                alternative,
                chain: chain.iter().map(|link| link.name.clone()).collect(),
                products: products.clone(),
            })
        })
        .collect()
}

fn too_many(what: &str, most: usize, of: &str) -> Error {
    Error::new(Reason::AnswerTooLarge, format!("{what} more than {most} {of}")).with("most", most)
}
