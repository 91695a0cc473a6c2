//! What the rules need to know about a batch of subjects.

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::{
    ConnectionTrait,
    sea_query::{
        Alias, Asterisk, Condition, Expr, ExprTrait, IntoIden, JoinType, Order, Query, SelectStatement, UnionType,
    },
};

use super::{BATCH, Batch, Examined, Question};
use crate::{
    error::Result,
    proto::v1::{
        Certification, Document, Notice, NoticeChange, NoticeRecipient, Objection, Organization, Role, Subprocessor,
        Transfer, Vendor,
        agreement::NoticeMethod,
        gate_record::{Gate, Outcome},
        subprocessor::State,
    },
    resource::{
        filter::{Expr as Filter, Field, FieldKind, Literal, Op},
        name::{Kind, Name},
        page::Position,
    },
    rules::{
        finding::{
            Subject, Window,
            certification::Participation,
            document::{Record, Text},
            engagement::Engagement,
            examine,
            notice::{Announced, Recipient},
            statement::{Engaged, is_denial},
            transfer::{Flow, Recorded},
        },
        law::{
            Law,
            derived::{Derived, derive},
        },
        publication::upcoming::is_shown,
    },
    store::{
        Store,
        read::{List, Page, alive_at, fetch_all, version_query},
        recipient::notice_of,
        resource,
        version::{NO_DATE, Resource, Stored, column, table, value_table},
    },
};

/// Processors of one organization that are held against its documents' statements.
const ENGAGED: u64 = 20;
/// Documents of one organization that are compared with each other.
const BESIDE: u64 = 100;
/// Rows of one query about several organizations.
const ROWS: u64 = 2_000;
/// By which the vendors of subprocessors are walked through.
const VENDOR: Field = Field::new("vendor", FieldKind::Text);

/// The organization in whose namespace the findings about a resource are.
fn organization_of(name: &str) -> String {
    Name::parse(name).and_then(|name| name.organization()).map(|name| name.to_string()).unwrap_or_default()
}

fn next<R>(page: &Page<R>) -> Option<(String, String)> {
    page.next.as_ref().map(|position| (position.text.clone(), position.name.clone()))
}

fn examined(name: &str, findings: Vec<crate::proto::v1::Finding>) -> Examined {
    Examined { key: (String::new(), name.to_owned()), findings }
}

fn participations(
    law: &Law,
    all: &[Certification],
    organization: &str,
    window: &Window,
) -> Vec<crate::proto::v1::Finding> {
    let subject = |certification| Participation { certification, framework: law.instrument(&certification.framework) };
    all.iter().flat_map(|one| examine(&subject(one), organization, window)).collect()
}

impl Store {
    pub(super) async fn examine_organizations(&self, question: &Question, page: Page<Organization>) -> Result<Batch> {
        let law = self.law(question.revision).await?;
        let names = page.items.iter().map(|one| one.name.clone()).collect();
        let held = self.held_by(names, question.revision).await?;
        let found = page.items.iter().map(|one| {
            let mut findings = examine(one, &one.name, &question.window);
            let own = held.get(&one.name).map_or(&[][..], Vec::as_slice);
            findings.extend(participations(&law, own, &one.name, &question.window));
            examined(&one.name, findings)
        });
        Ok(Batch { subjects: found.collect(), next: next(&page) })
    }

    /// The certifications of vendors and organizations, by holder.
    async fn held_by(&self, holders: Vec<String>, revision: i64) -> Result<HashMap<String, Vec<Certification>>> {
        let mut held: HashMap<String, Vec<Certification>> = HashMap::new();
        let found: BTreeMap<String, Certification> = self.at("parent", holders, revision).await?.into_iter().collect();
        for (name, one) in found {
            let holder = Name::parse(&name).and_then(|name| name.parent());
            held.entry(holder.map(|name| name.to_string()).unwrap_or_default()).or_default().push(one);
        }
        Ok(held)
    }

    pub(super) async fn examine_documents(&self, question: &Question, page: Page<Document>) -> Result<Batch> {
        let law = self.law(question.revision).await?;
        let records = self.records(question, &page.items).await?;
        let none = Record::default();
        let found = page.items.iter().map(|document| {
            let organization = organization_of(&document.name);
            let record = records.get(&organization).unwrap_or(&none);
            let text = Text { law: &law, document, organization: &organization, record };
            examined(&document.name, examine(&text, &organization, &question.window))
        });
        Ok(Batch { subjects: found.collect(), next: next(&page) })
    }

    /// What is on record of the organizations of these documents.
    async fn records(&self, question: &Question, documents: &[Document]) -> Result<HashMap<String, Record>> {
        let revision = question.revision;
        let organizations: Vec<String> =
            documents.iter().map(|one| organization_of(&one.name)).collect::<HashSet<_>>().into_iter().collect();
        let claims = || documents.iter().flat_map(|one| &one.claims);
        let of_kind = |kind: Kind| {
            let subjects = claims().map(|claim| claim.subject.clone());
            subjects.filter(move |name| Name::parse(name).is_some_and(|name| name.kind() == kind))
        };
        let subprocessors: HashMap<String, Subprocessor> =
            self.at("name", of_kind(Kind::Subprocessor).collect(), revision).await?;
        let vendors: HashMap<String, String> =
            subprocessors.into_iter().map(|(name, one)| (name, one.vendor)).collect();
        let holders = organizations.iter().cloned().chain(of_kind(Kind::Vendor)).chain(vendors.values().cloned());
        let certifications = self.held_by(holders.filter(|name| !name.is_empty()).collect(), revision).await?;
        let instruments: HashSet<String> =
            claims().map(|claim| claim.instrument.clone()).filter(|name| !name.is_empty()).collect();
        let ids: Vec<i64> =
            resource::find_all(self.reads(), organizations.clone()).await?.into_iter().map(|row| row.id).collect();
        let mut relied_on = self.relied_on(&ids, instruments, revision).await?;
        let mut beside = self.documents_of(&ids, revision).await?;
        let mut engaged = match claims().any(is_denial) {
            true => self.processors_of(question, &ids, of_kind(Kind::Vendor).collect()).await?,
            false => HashMap::new(),
        };
        let record = |name: String| {
            let record = Record {
                certifications: certifications.clone(),
                vendors: vendors.clone(),
                relied_on: relied_on.remove(&name).unwrap_or_default(),
                engaged: engaged.remove(&name).unwrap_or_default(),
                documents: beside.remove(&name).unwrap_or_default(),
            };
            (name, record)
        };
        Ok(organizations.iter().cloned().map(record).collect())
    }

    /// Which of these instruments the transfers of organizations rest on.
    async fn relied_on(
        &self,
        organizations: &[i64],
        instruments: HashSet<String>,
        revision: i64,
    ) -> Result<HashMap<String, HashSet<String>>> {
        let mut found: HashMap<String, HashSet<String>> = HashMap::new();
        if instruments.is_empty() {
            return Ok(found);
        }
        let (transfer, value) = (table(Kind::Transfer), value_table(Kind::Transfer));
        let of = |table: &sea_orm::sea_query::DynIden, name: &str| Expr::col((table.clone(), column(name)));
        let same = |name: &str| of(&value, name).equals((transfer.clone(), column(name)));
        let query = Query::select()
            .distinct()
            .column((transfer.clone(), column("organization_id")))
            .column((value.clone(), column("value")))
            .expr_as(Expr::col((Alias::new("resource").into_iden(), column("name"))), column("organization"))
            .from(transfer.clone())
            .join(
                JoinType::InnerJoin,
                value.clone(),
                Condition::all().add(same("resource_id")).add(same("from_revision")),
            )
            .join(
                JoinType::InnerJoin,
                Alias::new("resource").into_iden(),
                Condition::all().add(
                    Expr::col((Alias::new("resource").into_iden(), column("id")))
                        .equals((transfer.clone(), column("organization_id"))),
                ),
            )
            .and_where(of(&transfer, "organization_id").is_in(organizations.iter().copied()))
            .and_where(of(&transfer, "deleted").eq(false))
            .and_where(of(&transfer, "from_revision").lte(revision))
            .cond_where(
                Condition::any()
                    .add(of(&transfer, "to_revision").is_null())
                    .add(of(&transfer, "to_revision").gt(revision)),
            )
            .and_where(of(&value, "field").eq("instruments"))
            .and_where(of(&value, "value").is_in(instruments))
            .to_owned();
        for row in self.reads().query_all(&query).await? {
            let organization: String = row.try_get("", "organization")?;
            found.entry(organization).or_default().insert(row.try_get("", "value")?);
        }
        Ok(found)
    }

    /// The documents of organizations, the first [`BESIDE`] of each.
    async fn documents_of(&self, organizations: &[i64], revision: i64) -> Result<HashMap<String, Vec<Document>>> {
        let of = |id: i64| {
            version_query(Kind::Document)
                .and_where(Expr::col(column("organization_id")).eq(id))
                .and_where(Expr::col(column("deleted")).eq(false))
                .cond_where(alive_at(revision))
                .to_owned()
        };
        let mut found: HashMap<String, Vec<Document>> = HashMap::new();
        let Some(query) = first_of_each(of, organizations, BESIDE) else { return Ok(found) };
        for row in fetch_all(self.reads(), &query).await? {
            if let Some(stored) = Stored::<Document>::decode(row)? {
                let Document { name, kind, stated_date, effective_date, end_date, mut claims, .. } = stored.message;
                claims.iter_mut().for_each(|claim| claim.note.clear());
                let document =
                    Document { name, kind, stated_date, effective_date, end_date, claims, ..Document::default() };
                found.entry(organization_of(&document.name)).or_default().push(document);
            }
        }
        found.values_mut().for_each(|all| all.sort_by(|a, b| a.name.cmp(&b.name)));
        Ok(found)
    }

    /// Processors on the lists of organizations in the window: the first [`ENGAGED`] of each, and those of `vendors`.
    async fn processors_of(
        &self,
        question: &Question,
        organizations: &[i64],
        vendors: Vec<String>,
    ) -> Result<HashMap<String, Vec<Engaged>>> {
        let mut found: HashMap<String, Vec<Engaged>> = HashMap::new();
        let named = processors(question, organizations.iter().copied())
            .and_where(Expr::col(column("vendor")).is_in(vendors))
            .limit(ROWS)
            .to_owned();
        let columns = ["name", "display_name", "vendor", "start_date", "end_date"];
        let first = first_of_each(|id| processors(question, [id]), organizations, ENGAGED);
        for query in first.into_iter().chain([named]) {
            for row in self.reads().query_all(&query).await? {
                let text = |name: &str| row.try_get::<String>("", name);
                let date = |name: &str| text(name).map(|date| if date == NO_DATE { String::new() } else { date });
                let [name, display_name, vendor, start_date, end_date] = columns;
                let one = Engaged {
                    name: text(name)?,
                    display_name: text(display_name)?,
                    vendor: text(vendor)?,
                    start_date: date(start_date)?,
                    end_date: date(end_date)?,
                };
                let of = found.entry(organization_of(&one.name)).or_default();
                if !of.contains(&one) {
                    of.push(one);
                }
            }
        }
        Ok(found)
    }

    /// Certifications of vendors, for each organization that engages them: the engagements in the order of their
    /// vendors, so that those of one vendor by one organization stand together and are answered once.
    pub(super) async fn examine_vendors(&self, question: &Question, after: Option<&Position>) -> Result<Batch> {
        let start = Position { revision: question.revision, name: "~".to_owned(), ..Position::default() };
        let after = after.unwrap_or(&start);
        let holder = Name::parse(&question.subject).and_then(|name| name.parent());
        let of = holder.map(|vendor| Filter::Compare(VENDOR, Op::Equal, Literal::Text(vendor.to_string())));
        let list = List {
            effective_at: Some(&question.window.date),
            held_too: false,
            ..question.list(VENDOR, of.as_ref(), Some(after), BATCH)
        };
        let page: Page<Subprocessor> = self.list(&list).await?;
        let law = self.law(question.revision).await?;
        let vendors = page.items.iter().map(|one| one.vendor.clone()).collect();
        let held = self.held_by(vendors, question.revision).await?;
        let mut groups: Vec<&[Subprocessor]> = page
            .items
            .chunk_by(|a, b| a.vendor == b.vendor && organization_of(&a.name) == organization_of(&b.name))
            .collect();
        let mut next = next(&page);
        if next.is_some() && groups.len() > 1 {
            // The last may go on; it is read again as a whole.
            groups.pop();
            next = groups.last().and_then(|group| group.last()).map(|last| (last.vendor.clone(), last.name.clone()));
        }
        let before = (after.text.clone(), organization_of(&after.name));
        let mut subjects = Vec::new();
        for group in groups {
            let Some(last) = group.last() else { continue };
            let organization = organization_of(&last.name);
            let engaged = |one: &Certification| {
                let fits = |row: &Subprocessor| row.vendor_entity.is_empty() || row.vendor_entity == one.entity_id;
                one.entity_id.is_empty() || group.iter().any(fits)
            };
            let all = held.get(&last.vendor).into_iter().flatten().filter(|one| engaged(one)).cloned();
            let all: Vec<Certification> =
                all.filter(|_| before != (last.vendor.clone(), organization.clone())).collect();
            let findings = participations(&law, &all, &organization, &question.window);
            subjects.push(Examined { key: (last.vendor.clone(), last.name.clone()), findings });
        }
        Ok(Batch { subjects, next })
    }

    pub(super) async fn examine_subprocessors(&self, question: &Question, page: Page<Subprocessor>) -> Result<Batch> {
        let revision = question.revision;
        let names = |of: fn(&Subprocessor) -> String| {
            page.items.iter().map(of).filter(|name| !name.is_empty()).collect::<Vec<_>>()
        };
        let vendors: HashMap<String, Vendor> = self.at("name", names(|one| one.vendor.clone()), revision).await?;
        let organizations: HashMap<String, Organization> =
            self.at("name", names(|one| organization_of(&one.name)), revision).await?;
        let spoken_for = self.recorded_to(&page.items, revision).await?;
        let looked_at = page.items.iter().filter(|one| passed_uncovered(one)).map(|one| one.name.clone()).collect();
        let recorded: BTreeMap<String, Transfer> =
            self.at("importer", looked_at, revision).await?.into_iter().collect();
        let derived: Vec<Derived> = page
            .items
            .iter()
            .filter(|one| one.delete_time.is_none())
            .filter_map(|one| Some(derive(organizations.get(&organization_of(&one.name))?, one)))
            .flatten()
            .collect();
        let all: Vec<Transfer> =
            recorded.values().cloned().chain(derived.iter().map(|one| one.transfer.clone())).collect();
        let facts = self.facts(&all, revision).await?;
        let spoken_for = by_importer(&spoken_for, |one| one);
        let (recorded, derived) =
            (by_importer(recorded.values(), |one| one), by_importer(&derived, |one| &one.transfer));
        let found = page.items.iter().map(|subprocessor| {
            let to = recorded.get(subprocessor.name.as_str()).into_iter().flatten();
            let from = derived.get(subprocessor.name.as_str()).into_iter().flatten();
            let engagement = Engagement {
                law: &facts.law,
                subprocessor,
                vendor: vendors.get(&subprocessor.vendor),
                spoken_for: spoken_for.get(subprocessor.name.as_str()).cloned().unwrap_or_default(),
                recorded: to.map(|one| facts.subject(one)).collect(),
                derived: from.map(|one| Flow { from: &one.from, subject: facts.subject(&one.transfer) }).collect(),
            };
            let organization = organization_of(&subprocessor.name);
            examined(&subprocessor.name, examine(&engagement, &organization, &question.window))
        });
        Ok(Batch { subjects: found.collect(), next: next(&page) })
    }

    pub(super) async fn examine_transfers(&self, question: &Question, page: Page<Transfer>) -> Result<Batch> {
        let facts = self.facts(&page.items, question.revision).await?;
        let found = page.items.iter().map(|transfer| {
            let recorded = Recorded { law: &facts.law, subject: facts.subject(transfer) };
            let subject: &dyn Subject = &recorded;
            examined(&transfer.name, examine(subject, &organization_of(&transfer.name), &question.window))
        });
        Ok(Batch { subjects: found.collect(), next: next(&page) })
    }
}

impl Store {
    pub(super) async fn examine_notices(&self, question: &Question, page: Page<Notice>) -> Result<Batch> {
        let names: Vec<String> = page.items.iter().map(|one| one.name.clone()).collect();
        let follow_ups = page.items.iter().map(|one| one.follow_up_notice.clone()).filter(|name| !name.is_empty());
        let follow_ups: HashMap<String, Notice> = self.at("name", follow_ups.collect(), question.revision).await?;
        let objections: BTreeMap<String, Objection> =
            self.at("parent", names, question.revision).await?.into_iter().collect();
        let found = page.items.iter().map(|notice| {
            let own = |one: &&Objection| one.name.strip_prefix(&notice.name).is_some_and(|rest| rest.starts_with('/'));
            let announced = Announced {
                notice,
                follow_up: follow_ups.get(&notice.follow_up_notice),
                objections: objections.values().filter(own).collect(),
            };
            examined(&notice.name, examine(&announced, &organization_of(&notice.name), &question.window))
        });
        Ok(Batch { subjects: found.collect(), next: next(&page) })
    }
}

impl Store {
    pub(super) async fn examine_recipients(&self, question: &Question, page: Page<NoticeRecipient>) -> Result<Batch> {
        let names: HashSet<String> = page.items.iter().map(|one| notice_of(&one.name)).collect();
        let notices: HashMap<String, Notice> = self.at("name", names.into_iter().collect(), question.revision).await?;
        let by_page = page.items.iter().filter(|one| one.method() == NoticeMethod::Publication);
        let by_page: HashSet<String> = by_page.map(|one| notice_of(&one.name)).collect();
        let about = by_page.iter().filter_map(|name| notices.get(name)).flat_map(|notice| &notice.changes);
        let about: HashSet<String> = about.map(|change| change.subprocessor.clone()).collect();
        let about: HashMap<String, Subprocessor> =
            self.at("name", about.into_iter().collect(), question.revision).await?;
        let paged = by_page.iter().map(|name| organization_of(name)).collect();
        let paged = self.with_page(paged, question.revision).await?;
        let found = page.items.iter().filter_map(|recipient| {
            let notice = notices.get(&notice_of(&recipient.name))?;
            let organization = organization_of(&recipient.name);
            let is_hidden = |change: &NoticeChange| !is_shown(change, about.get(&change.subprocessor));
            let hidden = notice.changes.iter().filter(|change| paged.contains(&organization) && is_hidden(change));
            let hidden = hidden.map(|change| change.change_id.as_str()).collect();
            let recipient = Recipient { notice, recipient, hidden };
            Some(examined(&recipient.recipient.name, examine(&recipient, &organization, &question.window)))
        });
        Ok(Batch { subjects: found.collect(), next: next(&page) })
    }
}

impl Store {
    /// Those of some organizations that have a page here: they say how it looks, or something of their list is public.
    /// The others publish elsewhere, and what that shows is not for the registry to know.
    async fn with_page(&self, names: HashSet<String>, revision: i64) -> Result<HashSet<String>> {
        let names: Vec<String> = names.into_iter().collect();
        let rows = resource::find_all(self.reads(), names.clone()).await?;
        let ids: Vec<i64> = rows.into_iter().map(|row| row.id).collect();
        let organizations: HashMap<String, Organization> = self.at("name", names, revision).await?;
        let shown = organizations.into_values().filter(|one| one.page.is_some()).map(|one| one.name);
        let mut paged: HashSet<String> = shown.collect();
        let listed = |id: i64| {
            version_query(Kind::Subprocessor)
                .and_where(Expr::col(column("organization_id")).eq(id))
                .and_where(Expr::col(column("listed")).eq(true))
                .and_where(Expr::col(column("deleted")).eq(false))
                .cond_where(alive_at(revision))
                .to_owned()
        };
        if let Some(query) = first_of_each(listed, &ids, 1) {
            let rows = fetch_all(self.reads(), &query).await?;
            paged.extend(rows.iter().map(|row| organization_of(&row.name)));
        }
        Ok(paged)
    }
}

/// Recipients that are not told by somebody who records it, and for whom something waits.
pub(super) fn waiting(named: Option<Filter>) -> Filter {
    let method = Field::new("method", FieldKind::Choice("subprocessor.registry.v1.Agreement.NoticeMethod"));
    let statuses = Field::new("statuses", FieldKind::Choices("subprocessor.registry.v1.RecipientChange.Status"));
    let by_hand = Filter::Compare(method, Op::Equal, Literal::Number(i32::from(NoticeMethod::Manual).into()));
    let all = [Filter::Not(Box::new(by_hand)), Filter::Has(statuses, "PENDING".to_owned())];
    Filter::All(all.into_iter().chain(named).collect())
}

/// Whether it was put into use although a transfer was not covered.
fn passed_uncovered(one: &Subprocessor) -> bool {
    one.gate_records.iter().any(|one| one.gate() == Gate::TransfersCovered && one.outcome() == Outcome::Advisory)
}

fn by_importer<'a, T>(
    all: impl IntoIterator<Item = &'a T>,
    transfer: fn(&T) -> &Transfer,
) -> HashMap<&'a str, Vec<&'a T>> {
    let mut grouped: HashMap<&str, Vec<&T>> = HashMap::new();
    for one in all {
        grouped.entry(transfer(one).importer.as_str()).or_default().push(one);
    }
    grouped
}

/// Processors on the lists of organizations, by their permanent ids, in the window.
fn processors(question: &Question, organizations: impl IntoIterator<Item = i64>) -> SelectStatement {
    let roles = [Role::SubProcessor, Role::Processor, Role::Both, Role::NotStated, Role::Unspecified].map(i32::from);
    let states = [State::Active, State::Suspended, State::Retired].map(i32::from);
    let start = || Expr::col(column("start_date"));
    Query::select()
        .columns(["name", "display_name", "vendor", "start_date", "end_date"].map(column))
        .from(table(Subprocessor::KIND))
        .and_where(Expr::col(column("organization_id")).is_in(organizations))
        .and_where(Expr::col(column("deleted")).eq(false))
        .and_where(Expr::col(column("body")).is_not_null())
        .cond_where(alive_at(question.revision))
        .and_where(Expr::col(column("role")).is_in(roles))
        .and_where(Expr::col(column("state")).is_in(states))
        .and_where(Expr::col(column("end_date")).gt(question.window.date.clone()))
        .cond_where(Condition::any().add(start().lte(question.window.last.clone())).add(start().eq(NO_DATE)))
        .to_owned()
}

/// Of each organization the first rows by name, each looked up by itself: no list is read further than it counts.
fn first_of_each(of: impl Fn(i64) -> SelectStatement, organizations: &[i64], most: u64) -> Option<SelectStatement> {
    let one = |id: &i64| {
        let rows = of(*id).order_by(column("name"), Order::Asc).limit(most).to_owned();
        Query::select().column(Asterisk).from_subquery(rows, Alias::new("first").into_iden()).to_owned()
    };
    let mut each = organizations.iter().map(one);
    let first = each.next()?;
    Some(each.fold(first, |mut all, one| all.union(UnionType::All, one).to_owned()))
}
