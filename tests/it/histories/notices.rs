//! Histories told in advance: the first step of each is recorded as found, and every later one is announced by a notice
//! and takes effect when its time has come, for each customer when its own periods are over.
//!
//! All histories are replayed side by side in one store, each as an organization of its own, a step every sixty days. Of
//! what a step changes, `section` and columns without a field of their own are updated without a notice; all else is
//! announced. What is expected is made of the record alone: which customer sees what from when on, and what waits.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan, civil::Weekday, tz::TimeZone};
use prost_types::FieldMask;
use serde_json::{Value as Json, json};
use subprocessor_registry::proto::v1::{self, Notice, NoticeChange, notice::State, notice_change::Kind};
use tonic::transport::Channel;

use super::{
    record::{Changed, History, Row, Step, entry, histories, id},
    replay::bare,
};
use crate::{
    notices::scene::{at, by, read},
    support::{Backend, Place, Server, apply, both},
};

/// How many histories, and steps after the first, there were when this was written: none gets lost.
const AT_LEAST: (usize, usize) = (21, 109);

/// Changes of one notice.
const MOST: usize = 100;

/// When the first steps are recorded; each later one takes effect 60 days after the one before it.
const BEGIN: &str = "2026-01-05T10:00:00Z";

/// A list as somebody sees it: what each row says, by id.
type List = BTreeMap<String, v1::Subprocessor>;

/// What makes a step of one list.
#[derive(Default)]
struct Plan {
    /// Those of one row belong together; with each, whether it waits.
    changes: Vec<Vec<(NoticeChange, bool)>>,
    /// What is updated without a notice: by id, the row after it.
    updates: Vec<String>,
    /// The list after it.
    after: List,
    /// The list as somebody sees it who is not cleared yet.
    held: List,
    /// Rows of which something waits.
    waiting: BTreeSet<String>,
}

/// Connections of one history.
#[derive(Clone)]
struct Clients {
    notices: v1::change_notification_service_client::ChangeNotificationServiceClient<Channel>,
    subprocessors: v1::subprocessor_service_client::SubprocessorServiceClient<Channel>,
}

/// A history on its way.
struct Told {
    clients: Clients,
    history: History,
    parent: String,
    /// The id of the row that each key stands for.
    standing: BTreeMap<String, String>,
    list: List,
    /// Rows so far: one that comes back is a new engagement.
    count: usize,
    /// The step that is under way, and the notices that tell it.
    plan: Plan,
    published: Vec<Notice>,
}

/// The instants of a step.
#[derive(Clone, Copy)]
struct Dates {
    publish: Timestamp,
    five: Timestamp,
    fourteen: Timestamp,
    thirty: Timestamp,
    effective: Timestamp,
    fifty: Timestamp,
}

/// Whether a column says for which products a row is used.
fn is_of_products(column: &str) -> bool {
    ["product", "functionality", "offering"].iter().any(|word| column.contains(word))
}

/// Whether a column says which data a row is about.
fn is_of_data(column: &str) -> bool {
    !is_of_products(column) && column.contains("data")
}

fn is_link(column: &str, cell: &str) -> bool {
    column == "website" && cell.starts_with("https://") && !cell.contains(char::is_whitespace)
}

/// The legal forms in a name.
fn forms(name: &str) -> BTreeSet<String> {
    const FORMS: &[&str] = &[
        "ab", "ag", "as", "bv", "co", "corp", "gmbh", "inc", "limited", "llc", "llp", "ltd", "nv", "oy", "plc", "pbc",
        "pty", "sa", "sarl", "sas", "srl", "ulc",
    ];
    let words = name.to_lowercase().replace('.', "");
    let words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| FORMS.contains(word));
    words.map(|word| if word == "limited" { "ltd".to_owned() } else { word.to_owned() }).collect()
}

/// Whether a new name is that of another company: an Inc. is no LLC.
fn is_another(from: &str, to: &str) -> bool {
    let (from, to) = (forms(from), forms(to));
    !from.is_empty() && !to.is_empty() && from.is_disjoint(&to)
}

/// What a row says, with columns in the fields that they are about.
fn message(history: &History, row: &Row) -> v1::Subprocessor {
    let mut message = row.message(&history.products());
    for (column, cell) in &row.cells {
        if is_of_products(column) {
            message.products = vec![id(cell)];
        } else if is_of_data(column) {
            message.data_categories.push(cell.clone());
        } else if is_link(column, cell) {
            message.website_uri.clone_from(cell);
        } else {
            continue;
        }
        message.annotations.remove(column);
    }
    v1::Subprocessor {
        state: 0,
        recorded_as_found: false,
        vendor: format!("vendors/{}", id(&row.key)),
        role: v1::Role::SubProcessor.into(),
        dpa: Some(v1::Dpa { status: v1::dpa::Status::Signed.into(), ..Default::default() }),
        listed: true,
        ..message
    }
}

/// What a column is told by, and the field it fills; none: it is updated without a notice.
fn told_by(change: &Changed) -> Option<(Kind, &'static str)> {
    match change.field.as_str() {
        "purpose" => Some((Kind::ChangePurpose, "purposes")),
        "locations" | "entity_country" => Some((Kind::ChangeLocation, "locations")),
        column if is_of_products(column) => Some((Kind::ChangeScope, "products")),
        column if is_of_data(column) => Some((Kind::ChangeData, "data_categories")),
        column if is_link(column, &change.from) || is_link(column, &change.to) => Some((Kind::Rename, "website_uri")),
        _ => None,
    }
}

/// Whether a cell says more than before: what it did not say.
fn is_more(change: &Changed) -> bool {
    // Where only the company sits no data is.
    change.field != "entity_country" && !change.to.is_empty() && change.from.to_lowercase() != change.to.to_lowercase()
}

/// Whether a row is used for more products; none: for all of them.
fn is_of_more(before: &[String], after: &[String]) -> bool {
    !before.is_empty() && (after.is_empty() || after.iter().any(|product| !before.contains(product)))
}

impl Told {
    fn name(&self, id: &str) -> String {
        format!("{}/subprocessors/{id}", self.parent)
    }

    fn new_id(&mut self, row: &Row) -> String {
        self.count += 1;
        let id: String = format!("r{}-{}", self.count, row.id()).chars().take(60).collect();
        id.trim_matches('-').to_owned()
    }

    fn plan(&mut self, step: &Step) -> Plan {
        let mut after = self.list.clone();
        let mut plan = Plan { held: self.list.clone(), ..Plan::default() };
        // In whose place somebody else comes leaves with that change; everything else leaves by itself.
        let mut leaving: BTreeSet<String> = step.removed.iter().cloned().collect();
        let mut joining: Vec<(Row, Vec<String>)> = Vec::new();
        let row = |key: &str| step.rows.iter().find(|row| row.key == key).expect("a row").clone();
        for added in &step.added {
            let earlier = step.successors.get(&added.key).into_iter().flatten();
            let replaced = earlier.filter(|key| leaving.remove(*key)).cloned().collect();
            joining.push((added.clone(), replaced));
        }
        let mut kept: BTreeMap<String, Vec<Changed>> = BTreeMap::new();
        for one in &step.changed {
            kept.entry(one.key.clone()).or_default().push(one.clone());
        }
        for one in &step.renamed {
            if is_another(&one.from_name, &one.to_name) {
                joining.push((row(&one.to_key), vec![one.from_key.clone()]));
                kept.remove(&one.to_key);
            } else {
                let id = self.standing.remove(&one.from_key).expect("it stands");
                self.standing.insert(one.to_key.clone(), id);
                kept.entry(one.to_key.clone()).or_default().push(Changed {
                    key: one.to_key.clone(),
                    field: "name".into(),
                    from: one.from_name.clone(),
                    to: one.to_name.clone(),
                });
            }
        }
        for key in leaving {
            let id = self.standing.remove(&key).expect("it stands");
            let change = NoticeChange { kind: Kind::Remove.into(), subprocessor: self.name(&id), ..Default::default() };
            plan.changes.push(vec![(change, false)]);
            after.remove(&id);
            plan.held.remove(&id);
        }
        for (key, changes) in kept {
            let id = self.standing[&key].clone();
            let before = self.list[&id].clone();
            let new = v1::Subprocessor { vendor: before.vendor.clone(), ..message(&self.history, &row(&key)) };
            let mut fields: BTreeMap<(Kind, &str), bool> = BTreeMap::new();
            for change in &changes {
                match told_by(change) {
                    _ if change.field == "name" => {
                        fields.insert((Kind::Rename, "display_name"), false);
                    }
                    Some(told) => {
                        *fields.entry(told).or_default() |= match told {
                            (Kind::Rename, _) => false,
                            (Kind::ChangeScope, _) => is_of_more(&before.products, &new.products),
                            _ => is_more(change),
                        };
                    }
                    None => {}
                }
            }
            // A cell can come from a column that is updated to one that is told: what was no link becomes one.
            if (&new.section, &new.annotations) != (&before.section, &before.annotations) {
                plan.updates.push(id.clone());
            }
            let mut held = new.clone();
            let mut group = Vec::new();
            for ((kind, field), waits) in fields {
                let update_mask = Some(FieldMask { paths: vec![field.to_owned()] });
                let change = NoticeChange {
                    kind: kind.into(),
                    subprocessor: self.name(&id),
                    proposed: Some(new.clone()),
                    update_mask,
                    ..Default::default()
                };
                group.push((change, waits));
                if waits {
                    plan.waiting.insert(id.clone());
                    match field {
                        "purposes" => held.purposes.clone_from(&before.purposes),
                        "locations" => held.locations.clone_from(&before.locations),
                        "products" => held.products.clone_from(&before.products),
                        "data_categories" => held.data_categories.clone_from(&before.data_categories),
                        other => panic!("{other} waits"),
                    }
                }
            }
            plan.changes.push(group);
            plan.held.insert(id.clone(), held);
            after.insert(id, new);
        }
        for (row, replaced) in joining {
            let old: Vec<String> = replaced.iter().map(|key| self.standing.remove(key).expect("it stands")).collect();
            let id = self.new_id(&row);
            let new = message(&self.history, &row);
            let change = NoticeChange {
                kind: if old.is_empty() { Kind::Add.into() } else { Kind::Replace.into() },
                subprocessor: self.name(&id),
                replaces: old.iter().map(|id| self.name(id)).collect(),
                proposed: Some(new.clone()),
                ..Default::default()
            };
            plan.changes.push(vec![(change, true)]);
            old.iter().for_each(|id| drop(after.remove(id)));
            plan.waiting.insert(id.clone());
            self.standing.insert(row.key.clone(), id.clone());
            after.insert(id, new);
        }
        plan.changes.retain(|group| !group.is_empty());
        let told: BTreeSet<&String> = self.standing.values().collect();
        assert_eq!(told, after.keys().collect(), "{}", self.history.name);
        for row in &step.rows {
            let new = &after[&self.standing[&row.key]];
            assert_eq!(*new, v1::Subprocessor { vendor: new.vendor.clone(), ..message(&self.history, row) });
        }
        plan.after = after;
        plan
    }

    /// The list of a day, for a customer if one is named, without what is the registry's. Says of whom each row is held
    /// back.
    async fn list(&self, day: &str, customer: &str) -> (List, BTreeSet<String>) {
        let customer =
            if customer.is_empty() { String::new() } else { format!("{}/customers/{customer}", self.parent) };
        let request = v1::ListSubprocessorsRequest {
            parent: self.parent.clone(),
            effective_at: day.into(),
            page_size: 1_000,
            customer,
            ..Default::default()
        };
        let answer = self.clients.clone().subprocessors.list_subprocessors(request).await.expect("a list").into_inner();
        let mut held = BTreeSet::new();
        let mut list = List::new();
        for row in answer.subprocessors {
            let id = row.name.rsplit('/').next().expect("an id").to_owned();
            // Who has left by now is on the list of the days before.
            let left = !row.end_date.is_empty() && row.end_date.as_str() > day;
            let state = if left { v1::subprocessor::State::Retired } else { v1::subprocessor::State::Active };
            assert_eq!(row.state(), state, "{}", row.name);
            assert_eq!(row.gate_records, [], "{}", row.name);
            if row.held_back_count > 0 {
                let slow = format!("{}/customers/{SLOW}", self.parent);
                assert_eq!((row.held_back_count, row.held_back.as_slice()), (1, &[slow][..]), "{}", row.name);
                held.insert(id.clone());
            }
            let said = v1::Subprocessor {
                state: 0,
                recorded_as_found: false,
                start_date: String::new(),
                end_date: String::new(),
                held_back: Vec::new(),
                held_back_count: 0,
                held_changes: Vec::new(),
                ..bare(row)
            };
            list.insert(id, said);
        }
        (list, held)
    }

    /// Asserts that the list of the day of an instant is as expected for those who are named; `""` is everybody, to whom
    /// is said of which rows something is held back.
    async fn expect(&self, instant: Timestamp, customers: &[&str], list: &List, waiting: &BTreeSet<String>) {
        for customer in customers {
            let what = format!("{} at {instant} for \"{customer}\"", self.history.name);
            let (found, held) = self.list(&day(instant), customer).await;
            assert_same(&found, list, &what);
            let nobody = BTreeSet::new();
            assert_eq!(held, if customer.is_empty() { waiting } else { &nobody }.clone(), "{what}");
        }
    }

    /// Where each customer stands on all changes of the notices of a step.
    async fn statuses(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for notice in &self.published {
            for one in self.recipients(&notice.name).await {
                assert_eq!(one.changes.len(), notice.changes.len());
                let own = all.entry(one.customer.rsplit('/').next().expect("an id").to_owned()).or_default();
                let status = |change: &v1::RecipientChange| change.status().as_str_name().replace("STATUS_", "");
                own.extend(one.changes.iter().map(status));
            }
        }
        all
    }

    async fn stand(&self, instant: Timestamp, expected: [&str; 4]) {
        if self.published.is_empty() {
            return;
        }
        let found = self.statuses().await;
        for (customer, status) in CUSTOMERS.iter().zip(expected) {
            let own: Vec<&str> = found[*customer].iter().map(String::as_str).collect();
            assert_eq!(own, [status], "{} at {instant}: {customer}", self.history.name);
        }
    }

    /// Asserts that nobody has answered yet, and when each of the customers, in their order, can no longer object and is
    /// cleared.
    async fn clocks(&self, ends: [(Timestamp, Timestamp); 4]) {
        for notice in &self.published {
            let found = self.recipients(&notice.name).await;
            assert_eq!(found.len(), CUSTOMERS.len(), "{}", notice.name);
            for one in found {
                let own = CUSTOMERS.iter().position(|id| one.customer.ends_with(&format!("/{id}"))).expect("one");
                let (deadline, clear) = ends[own];
                for change in &one.changes {
                    let times = (read(change.objection_deadline_time.as_ref()), read(change.clear_time.as_ref()));
                    assert_eq!(times, (deadline.to_string(), clear.to_string()), "{}", one.name);
                    assert_eq!(change.status(), v1::recipient_change::Status::Pending, "{}", one.name);
                }
            }
        }
    }

    /// Creates, approves and publishes what a step changes.
    async fn publish(&self, step: usize, effective: Timestamp) -> Vec<Notice> {
        let mut server = self.clients.clone();
        let mut published = Vec::new();
        for (i, changes) in split(&self.plan.changes).into_iter().enumerate() {
            let notice = Notice {
                title: format!("Step {step}"),
                changes: changes.iter().map(|(change, _)| change.clone()).collect(),
                requested_effective_time: Some(at(&effective.to_string())),
                ..Default::default()
            };
            let request = v1::CreateNoticeRequest {
                parent: self.parent.clone(),
                notice_id: format!("step-{step}-{i}"),
                notice: Some(notice),
                ..Default::default()
            };
            let what = format!("{}, step {step}", self.history.name);
            let created = server.notices.create_notice(by("author", request)).await;
            let name = created.unwrap_or_else(|status| panic!("{what}: {status:?}")).into_inner().name;
            let request = v1::ApproveNoticeRequest { name: name.clone(), ..Default::default() };
            server.notices.approve_notice(by("approver", request)).await.expect("approved");
            let request = v1::PublishNoticeRequest { name, ..Default::default() };
            let notice = server.notices.publish_notice(by("approver", request)).await;
            let notice = notice.unwrap_or_else(|status| panic!("{what}: {status:?}")).into_inner();
            let waits: Vec<bool> = notice.changes.iter().map(|change| change.waits).collect();
            assert_eq!(waits, changes.iter().map(|(_, waits)| *waits).collect::<Vec<_>>(), "{what}: {notice:?}");
            published.push(notice);
        }
        published
    }

    async fn are(&self, state: State, instant: Timestamp) {
        for notice in &self.published {
            let request = v1::GetNoticeRequest { name: notice.name.clone(), as_of: None };
            let now = self.clients.clone().notices.get_notice(request).await.expect("a notice").into_inner();
            assert_eq!(now.state(), state, "{} at {instant}: {:?}", notice.name, now.hold_reasons);
        }
    }

    async fn recipients(&self, notice: &str) -> Vec<v1::NoticeRecipient> {
        let request = v1::ListNoticeRecipientsRequest { parent: notice.into(), ..Default::default() };
        let answer = self.clients.clone().notices.list_notice_recipients(request).await;
        answer.expect("recipients").into_inner().recipients
    }

    /// Tells a step: everybody's clocks begin, and nothing else has changed.
    async fn tell(&mut self, number: usize, dates: Dates) {
        let steps = self.history.steps[number].clone();
        self.plan = self.plan(&steps);
        self.published = self.publish(number, dates.effective).await;
        for notice in &self.published {
            let clear = if self.plan.waits(notice) { dates.fifty } else { dates.publish };
            assert_eq!(read(notice.earliest_effective_time.as_ref()), clear.to_string(), "{}", notice.name);
        }
        let thirty = (dates.thirty, dates.thirty);
        self.clocks([thirty, (dates.five, dates.fourteen), (dates.fifty, dates.fifty), thirty]).await;
        self.expect(dates.publish, &["", SLOW], &self.list, &BTreeSet::new()).await;
    }

    /// Authorizes for the one customer that has to.
    async fn authorize(&mut self) {
        for notice in &self.published {
            let customer = format!("{}/customers/specific", self.parent);
            let request = v1::AuthorizeNoticeRequest { name: notice.name.clone(), customer, ..Default::default() };
            self.clients.clone().notices.authorize_notice(request).await.expect("authorized");
        }
    }

    /// Who is cleared waits for the day that was announced: nothing has changed before.
    async fn wait(&mut self, now: Timestamp) {
        self.expect(now, &EVERYBODY, &self.list, &BTreeSet::new()).await;
        self.are(State::Published, now).await;
    }

    /// The step takes effect, but what waits does not for who is not cleared.
    async fn take_effect(&mut self, now: Timestamp) {
        for id in &self.plan.updates {
            let update_mask = Some(FieldMask { paths: vec!["section".into(), "annotations".into()] });
            let row = v1::Subprocessor { name: self.name(id), ..self.plan.after[id].clone() };
            let request = v1::UpdateSubprocessorRequest { subprocessor: Some(row), update_mask, ..Default::default() };
            self.clients.clone().subprocessors.update_subprocessor(request).await.expect("updated");
        }
        self.expect(now, &CLEARED, &self.plan.after, &self.plan.waiting).await;
        self.expect(now, &[SLOW], &self.plan.held, &BTreeSet::new()).await;
        self.are(State::Effective, now).await;
        self.stand(now, [SILENT, SILENT, PENDING, GIVEN]).await;
        // By their own days those that left were still there the day before, and those that joined were not.
        let ids = |list: &List| list.keys().cloned().collect::<BTreeSet<_>>();
        let (before, _) = self.list(&day(days(now, -1)), "").await;
        assert_eq!(ids(&before), ids(&self.list), "{}: the day before", self.history.name);
    }

    /// The last customer is cleared.
    async fn finish(&mut self, now: Timestamp) {
        self.expect(now, &EVERYBODY, &self.plan.after, &BTreeSet::new()).await;
        self.stand(now, [SILENT, SILENT, SILENT, GIVEN]).await;
        self.list = self.plan.after.clone();
    }
}

/// Changes as notices take them: those of one row stay together.
fn split(groups: &[Vec<(NoticeChange, bool)>]) -> Vec<Vec<(NoticeChange, bool)>> {
    let mut notices: Vec<Vec<(NoticeChange, bool)>> = Vec::new();
    for group in groups {
        match notices.last_mut().filter(|last| last.len() + group.len() <= MOST) {
            Some(last) => last.extend(group.iter().cloned()),
            None => notices.push(group.clone()),
        }
    }
    notices
}

#[track_caller]
fn assert_same(found: &List, expected: &List, what: &str) {
    let ids = |list: &List| list.keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(found), ids(expected), "{what}");
    for (id, row) in expected {
        assert_eq!(found[id], *row, "{what}: {id}");
    }
}

/// In the order in which the tests say where they stand: general authorizations with periods of 30 days, of 14 and 5
/// business days, and of 50 days, so that a change comes later for it; and a specific one that is given on the last day.
const CUSTOMERS: [&str; 4] = ["thirty", "fourteen", SLOW, "specific"];
const SLOW: &str = "slow";
const CLEARED: [&str; 4] = ["", "thirty", "fourteen", "specific"];
const EVERYBODY: [&str; 5] = ["", "thirty", "fourteen", SLOW, "specific"];

fn agreements() -> Vec<Json> {
    let of = |id: &str, agreement: Json| json!({"id": id, "display_name": id, "agreement": agreement});
    vec![
        of("thirty", json!({"authorization": "GENERAL", "notice_days": 30, "objection_days": 30})),
        of(
            "fourteen",
            json!({"authorization": "GENERAL", "notice_days": 14, "objection_days": 5, "day_kind": "BUSINESS"}),
        ),
        of(SLOW, json!({"authorization": "GENERAL", "notice_days": 50, "objection_days": 50})),
        of("specific", json!({"authorization": "SPECIFIC", "notice_days": 30, "objection_days": 30})),
    ]
}

fn day(instant: Timestamp) -> String {
    instant.to_zoned(TimeZone::UTC).date().to_string()
}

fn days(instant: Timestamp, days: i64) -> Timestamp {
    instant + (24 * days).hours()
}

/// The end of the N-th day after that of an instant.
fn end(start: Timestamp, number: i64, business: bool) -> Timestamp {
    let mut day = start.to_zoned(TimeZone::UTC).date();
    for _ in 0..number {
        day = day.tomorrow().expect("a day");
        while business && matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
            day = day.tomorrow().expect("a day");
        }
    }
    days(format!("{day}T00:00:00Z").parse().expect("an instant"), 1)
}

/// Records the first step as it was found.
async fn begin(server: &mut Server, history: History) -> Told {
    let organization = id(&history.name);
    let parent = format!("organizations/{organization}");
    let clients = Clients { notices: server.notices.clone(), subprocessors: server.subprocessors.clone() };
    let mut told = Told {
        clients,
        history,
        parent,
        standing: BTreeMap::new(),
        list: List::new(),
        count: 0,
        plan: Plan::default(),
        published: Vec::new(),
    };
    let first = told.history.steps[0].rows.clone();
    for row in &first {
        let id = told.new_id(row);
        told.list.insert(id.clone(), message(&told.history, row));
        told.standing.insert(row.key.clone(), id);
    }
    let rows: Vec<&Row> = told.history.steps.iter().flat_map(|step| &step.rows).collect();
    let mut products: BTreeMap<String, String> = told.history.product.iter().cloned().collect();
    let cells = rows.iter().flat_map(|row| &row.cells).filter(|(column, _)| is_of_products(column));
    products.extend(cells.map(|(_, cell)| (id(cell), cell.clone())));
    // One for each row: of two rows that say the same each is an engagement.
    let keys: BTreeSet<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    let vendors = keys.iter().map(|key| {
        json!({
            "id": id(key),
            "display_name": key,
            "entities": [{"entity_id": "main", "legal_name": key, "address": {"lines": ["1 Road"]}}],
            "contacts": [{"email": "privacy@vendor.example"}],
        })
    });
    let found = told.list.iter().map(|(id, row)| {
        let state = v1::subprocessor::State::Active.into();
        entry(id, &v1::Subprocessor { state, recorded_as_found: true, ..row.clone() })
    });
    let manifest = json!({
        "organization": {
            "id": organization,
            "display_name": told.history.organization,
            "products": products
                .iter()
                .map(|(id, name)| json!({"product_id": id, "display_name": name}))
                .collect::<Vec<_>>(),
            "notice_policy": {"enforcement": "REQUIRED"},
        },
        "vendors": vendors.collect::<Vec<_>>(),
        "customers": agreements(),
        "subprocessors": found.collect::<Vec<_>>(),
    });
    let applied = apply(server, &manifest.to_string()).await;
    applied.unwrap_or_else(|status| panic!("{}: {status:?}", told.history.name));
    told
}

async fn replay(histories: Vec<History>, backend: Backend) -> usize {
    let place = Place::new(backend).await;
    let begun: Timestamp = BEGIN.parse().expect("an instant");
    place.set_clock(BEGIN);
    let mut server = Server::start(&place).await;
    let mut all = Vec::new();
    for history in histories {
        let told = begin(&mut server, history).await;
        told.expect(begun, &EVERYBODY, &told.list, &BTreeSet::new()).await;
        all.push(told);
    }
    let most = all.iter().map(|told| told.history.steps.len()).max().unwrap_or_default();
    let mut notices = 0;
    for number in 1..most {
        all.retain(|told| told.history.steps.len() > number);
        step(&place, &mut all, number, begun).await;
        notices += all.iter().map(|told| told.published.len()).sum::<usize>();
    }
    notices
}

/// Does something with every history at once.
async fn each<'a, Done: Future<Output = ()>>(all: &'a mut [Told], act: impl Fn(&'a mut Told) -> Done) {
    futures::future::join_all(all.iter_mut().map(act)).await;
}

/// Where customers stand.
const PENDING: &str = "PENDING";
const SILENT: &str = "DEEMED_AUTHORIZED";
const GIVEN: &str = "AUTHORIZED";

/// Tells a step of every history, and lets it take effect.
async fn step(place: &Place, all: &mut [Told], number: usize, begun: Timestamp) {
    let effective = days(begun, 60 * i64::try_from(number).expect("a number"));
    let publish = days(effective, -45);
    let dates = Dates {
        publish,
        five: end(publish, 5, true),
        fourteen: end(publish, 14, true),
        thirty: end(publish, 30, false),
        effective,
        fifty: end(publish, 50, false),
    };
    let Dates { five, fourteen, thirty, fifty, .. } = dates;
    assert!(five < fourteen && fourteen < thirty && thirty < effective && effective < fifty);
    let pass_to = |instant: Timestamp| {
        place.set_clock(&instant.to_string());
        instant
    };
    let second = 1.second();

    let now = pass_to(publish - second);
    each(all, |told| async move { told.expect(now, &EVERYBODY, &told.list, &BTreeSet::new()).await }).await;
    pass_to(publish);
    each(all, |told| told.tell(number, dates)).await;
    // In the order of CUSTOMERS.
    for (instant, expected) in [
        (five - second, [PENDING; 4]),
        (five, [PENDING, SILENT, PENDING, PENDING]),
        (fourteen, [PENDING, SILENT, PENDING, PENDING]),
    ] {
        pass_to(instant);
        each(all, |told| told.stand(instant, expected)).await;
    }
    pass_to(thirty - second);
    each(all, |told| told.authorize()).await;
    let now = pass_to(thirty);
    each(all, |told| told.stand(now, [SILENT, SILENT, PENDING, GIVEN])).await;
    let now = pass_to(days(effective, -1));
    each(all, |told| told.wait(now)).await;

    pass_to(effective);
    each(all, |told| told.take_effect(effective)).await;
    let now = pass_to(days(effective, 1));
    each(all, |told| async move {
        told.expect(now, &[""], &told.plan.after, &told.plan.waiting).await;
        told.expect(now, &[SLOW], &told.plan.held, &BTreeSet::new()).await;
    })
    .await;
    let now = pass_to(fifty - second);
    each(all, |told| async move {
        told.expect(now, &[SLOW], &told.plan.held, &BTreeSet::new()).await;
        told.stand(now, [SILENT, SILENT, PENDING, GIVEN]).await;
    })
    .await;
    pass_to(fifty);
    each(all, |told| told.finish(fifty)).await;
}

impl Plan {
    /// Whether something of a notice waits.
    fn waits(&self, notice: &Notice) -> bool {
        let own = |change: &NoticeChange| notice.changes.iter().any(|one| one.subprocessor == change.subprocessor);
        self.changes.iter().flatten().any(|(change, waits)| *waits && own(change))
    }
}

both! {
    async fn every_history_is_told_in_advance_and_comes_true_for_each_customer(backend: Backend) {
        let histories = histories();
        assert!(histories.len() >= AT_LEAST.0, "{} histories", histories.len());
        let notices = replay(histories, backend).await;
        assert!(notices >= AT_LEAST.1, "{notices} notices");
    }
}

#[test]
fn what_is_of_one_row_is_told_in_one_notice() {
    let group = |size: usize| vec![(NoticeChange::default(), true); size];
    let sizes = |groups: &[usize]| {
        let groups: Vec<_> = groups.iter().map(|size| group(*size)).collect();
        split(&groups).iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(sizes(&[]), [0; 0]);
    assert_eq!(sizes(&[1; 100]), [100]);
    assert_eq!(sizes(&[1; 101]), [100, 1]);
    let mut uneven = [1; 100];
    uneven[99] = 2;
    assert_eq!(sizes(&uneven), [99, 2]);
}
