//! Takes a history through the service and the model, and compares.

use std::collections::BTreeMap;

use prost_types::{FieldMask, Timestamp};
use subprocessor_registry::proto::v1::{
    self,
    agreement::{Authorization, ClockStart, DayKind, NoticeMethod, UnresolvedObjection},
    delivery_receipt, gate_record, notice, notice_change, notice_policy, objection, recipient_change, subprocessor,
};
use tonic::{Code, Status};

use super::{
    days::{HOUR, Instant, date, day_of, text},
    machine::{Change, Kind, Model, Notice, Outcome, Policy, Receipt, Refused, Stage, Start, State, Sub, Terms},
    steps::{Agreed, Announcement, History, Step, Wanted},
};
use crate::{
    notices::scene::{by, proposal, read},
    support::{Place, Server},
};

const PLACES: [&str; 5] = ["DE", "FR", "IE", "NL", "SE"];

/// What was seen, so that it can be said that it was.
#[derive(Debug, Default)]
struct Tally {
    runs: usize,
    steps: usize,
    done: BTreeMap<&'static str, usize>,
    refused: BTreeMap<&'static str, usize>,
    seen: BTreeMap<String, usize>,
}

pub struct Drive {
    place: Place,
    server: Server,
    now: Instant,
    /// The organization of this run.
    acme: String,
    model: Model,
    /// The newest revision that was seen.
    revision: i64,
    places: usize,
    tally: Tally,
    trace: Vec<String>,
    /// What the model said of the lists when they were compared last.
    compared: Vec<BTreeMap<String, Vec<String>>>,
    /// And of everything else.
    told: BTreeMap<String, String>,
}

/// What a step was for the service: nothing there to happen to, done, or refused.
type Called = Result<(), Status>;

fn stamp(at: Instant) -> Timestamp {
    Timestamp { seconds: at, nanos: 0 }
}

impl Drive {
    pub fn new(place: Place, server: Server) -> Self {
        // As the place's clock begins.
        let now = 1_774_260_000;
        let model = Model::new(now, Policy::default());
        let tally = Tally::default();
        Self {
            place,
            server,
            now,
            acme: String::new(),
            model,
            revision: 0,
            places: 0,
            tally,
            trace: Vec::new(),
            compared: Vec::new(),
            told: BTreeMap::new(),
        }
    }

    /// A run; what differed.
    pub async fn run(&mut self, history: &History) -> Result<(), String> {
        self.trace.clear();
        let outcome = self.go(history).await;
        self.now = self.model.now;
        if outcome.is_err() {
            // What is left of it would be done in the next runs.
            for number in 0..self.model.notices.len() {
                let name = self.notice(number);
                let request = v1::WithdrawNoticeRequest { name, reason: "over".into(), ..Default::default() };
                let _ = self.server.notices.withdraw_notice(request).await;
            }
            for number in 0..self.model.customers.len() {
                let request = v1::DeleteCustomerRequest { name: self.customer(number), ..Default::default() };
                let _ = self.server.organizations.delete_customer(request).await;
            }
        }
        outcome.map_err(|difference| format!("{}\n{difference}", self.trace.join("\n")))
    }

    async fn go(&mut self, history: &History) -> Result<(), String> {
        self.begin(history).await;
        self.compare(true).await?;
        for step in &history.steps {
            self.step(step).await?;
        }
        // So that nothing of it is left to be done in other runs; and it is a step as any other.
        for number in 0..self.model.notices.len() {
            self.step(&Step::Withdraw(number, None)).await?;
        }
        for number in 0..self.model.customers.len() {
            self.step(&Step::Leave(number)).await?;
        }
        self.compare(true).await?;
        self.tally.runs += 1;
        Ok(())
    }

    /// Says what was seen, when the log is in order.
    pub async fn finish(&mut self) -> String {
        let request = v1::VerifyChangeLogRequest::default();
        let verified = self.server.log.verify_change_log(request).await.expect("checked").into_inner();
        assert!(verified.verified, "{verified:#?}");
        format!("{:#?}, until {}, revision {}", self.tally, text(self.now), self.revision)
    }

    fn organization(&self, policy: Policy) -> v1::Organization {
        let rollout =
            if policy.together { notice_policy::Rollout::Together } else { notice_policy::Rollout::Unspecified };
        let policy = v1::NoticePolicy {
            enforcement: notice_policy::Enforcement::Required.into(),
            notice_days: policy.notice,
            objection_days: policy.objection,
            rollout: rollout.into(),
            ..Default::default()
        };
        let (name, display_name) = (self.acme.clone(), "Acme".to_owned());
        v1::Organization { name, display_name, notice_policy: Some(policy), ..Default::default() }
    }

    async fn begin(&mut self, history: &History) {
        self.places += 1;
        self.now += HOUR;
        self.acme = format!("organizations/o{}", self.places);
        self.model = Model::new(self.now, history.policy);
        self.place.set_clock(&text(self.now));
        let request = v1::CreateOrganizationRequest {
            organization_id: format!("o{}", self.places),
            organization: Some(self.organization(history.policy)),
            ..Default::default()
        };
        self.server.organizations.create_organization(request).await.expect("created");
        for id in ["s0", "s1"] {
            let message = v1::Subprocessor {
                recorded_as_found: true,
                state: subprocessor::State::Active.into(),
                locations: located(&["DE".to_owned()]),
                ..proposal(id)
            };
            crate::support::subprocessor(&mut self.server, &self.acme, id, message).await.expect("created");
            let places = vec![(None, vec!["DE".to_owned()])];
            self.model.subs.insert(id.to_owned(), Sub { stage: Stage::Active, on: None, off: None, places });
        }
        for agreed in &history.customers {
            let terms = self.terms(agreed.as_ref());
            self.join(terms).await.expect("created");
        }
    }

    fn terms(&self, agreed: Option<&Agreed>) -> Option<Terms> {
        let today = day_of(self.model.now);
        agreed.map(|agreed| Terms {
            specific: agreed.specific,
            notice: agreed.notice,
            objection: agreed.objection,
            business: agreed.business,
            holiday: agreed.holiday.map(|days| today + days),
            ahead: if agreed.kolkata { 19_800 } else { 0 },
            start: agreed.start,
            email: agreed.email,
            termination: agreed.termination,
            emergency: agreed.emergency,
            accepted: agreed.accepted.map(|days| today + days),
        })
    }

    fn customer(&self, number: usize) -> String {
        format!("{}/customers/k{number}", self.acme)
    }

    fn notice(&self, number: usize) -> String {
        format!("{}/notices/n{number}", self.acme)
    }

    async fn join(&mut self, terms: Option<Terms>) -> Called {
        let number = self.model.customers.len();
        let request = v1::CreateCustomerRequest {
            parent: self.acme.clone(),
            customer_id: format!("k{number}"),
            customer: Some(v1::Customer {
                display_name: format!("K{number}"),
                agreement: terms.as_ref().map(agreement),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.model.join(terms).expect("anybody can join");
        self.server.organizations.create_customer(request).await.map(drop)
    }

    async fn write_customer(&mut self, number: usize, field: &str, message: v1::Customer) -> Called {
        let request = v1::UpdateCustomerRequest {
            customer: Some(v1::Customer { name: self.customer(number), ..message }),
            update_mask: Some(FieldMask { paths: vec![field.to_owned()] }),
            ..Default::default()
        };
        self.server.organizations.update_customer(request).await.map(drop)
    }

    /// One step in both, and the comparison.
    async fn step(&mut self, step: &Step) -> Result<(), String> {
        let (before, known) = (self.model.clone(), self.revision);
        let mut moved = false;
        let now = self.model.now;
        let (word, allowed, called) = match step.clone() {
            Step::Announce(announcement) => {
                let Some(draft) = self.draft(&announcement) else { return Ok(()) };
                let number = self.model.notices.len();
                self.trace.push(format!("{} {draft:?}", text(now)));
                let allowed = self.model.draft(draft.clone());
                let called = self.create(number, &draft).await;
                let created = self.agree("announce", allowed, &called)?;
                if !created {
                    ("announce", allowed, called)
                } else {
                    ("publish", self.model.publish(number), self.publish(number).await)
                }
            }
            Step::Publish(notice) => {
                let Some(notice) = pick(notice, self.model.notices.len()) else { return Ok(()) };
                ("publish", self.model.publish(notice), self.publish(notice).await)
            }
            Step::Withdraw(notice, only) => {
                let Some(notice) = pick(notice, self.model.notices.len()) else { return Ok(()) };
                let only = only.and_then(|only| pick(only, self.model.notices[notice].changes.len()));
                let request = v1::WithdrawNoticeRequest {
                    name: self.notice(notice),
                    change_ids: only.map(change_id).into_iter().collect(),
                    reason: "thought better of it".into(),
                    ..Default::default()
                };
                let allowed = self.model.withdraw(notice, only);
                ("withdraw", allowed, self.server.notices.withdraw_notice(request).await.map(drop))
            }
            Step::Authorize(notice, who, only) => {
                let Some((notice, who, only)) = self.answer(notice, who, only) else { return Ok(()) };
                let request = v1::AuthorizeNoticeRequest {
                    name: self.notice(notice),
                    customer: self.customer(who),
                    change_ids: only.map(change_id).into_iter().collect(),
                    ..Default::default()
                };
                let allowed = self.model.authorize(notice, who, only);
                ("authorize", allowed, self.server.notices.authorize_notice(request).await.map(drop))
            }
            Step::Deny(notice, who, only) => {
                let Some((notice, who, only)) = self.answer(notice, who, only) else { return Ok(()) };
                let request = v1::DenyNoticeRequest {
                    name: self.notice(notice),
                    customer: self.customer(who),
                    change_ids: only.map(change_id).into_iter().collect(),
                    ..Default::default()
                };
                let allowed = self.model.deny(notice, who, only);
                ("deny", allowed, self.server.notices.deny_notice(request).await.map(drop))
            }
            Step::Object(notice, who, only, ago) => {
                let Some((notice, who, only)) = self.answer(notice, who, only) else { return Ok(()) };
                let lodged = now - ago * HOUR;
                let request = v1::CreateObjectionRequest {
                    parent: self.notice(notice),
                    objection_id: format!("o{}", self.model.objections.len()),
                    objection: Some(v1::Objection {
                        customer: self.customer(who),
                        grounds: "no".into(),
                        change_ids: only.map(change_id).into_iter().collect(),
                        lodge_time: (ago > 0).then(|| stamp(lodged)),
                        ..Default::default()
                    }),
                    ..Default::default()
                };
                let allowed = self.model.object(notice, who, only, lodged);
                ("object", allowed, self.server.notices.create_objection(request).await.map(drop))
            }
            Step::Resolve(objection, outcome) => {
                let Some(objection) = pick(objection, self.model.objections.len()) else { return Ok(()) };
                let outcome_of = match outcome {
                    Outcome::Withdrawn => objection::Outcome::ChangeWithdrawn,
                    Outcome::Alternative => objection::Outcome::AlternativeAccepted,
                    Outcome::TakenBack => objection::Outcome::ObjectionWithdrawn,
                    Outcome::Terminated => objection::Outcome::CustomerTerminated,
                    Outcome::NoGrounds => objection::Outcome::NoGrounds,
                };
                let notice = self.notice(self.model.objections[objection].notice);
                let request = v1::ResolveObjectionRequest {
                    name: format!("{notice}/objections/o{objection}"),
                    outcome: outcome_of.into(),
                    ..Default::default()
                };
                let allowed = self.model.resolve(objection, outcome);
                ("resolve", allowed, self.server.notices.resolve_objection(request).await.map(drop))
            }
            Step::Record(notice, who, receipt, ago) => {
                let Some((notice, who, _)) = self.answer(notice, who, None) else { return Ok(()) };
                let kind = match receipt {
                    Receipt::Sent => delivery_receipt::Kind::Sent,
                    Receipt::Delivered => delivery_receipt::Kind::Delivered,
                    Receipt::Bounced => delivery_receipt::Kind::Bounced,
                };
                let request = v1::RecordDeliveryRequest {
                    name: self.notice(notice),
                    customer: self.customer(who),
                    kind: kind.into(),
                    event_time: (ago > 0).then(|| stamp(now - ago * HOUR)),
                    evidence: "message 4711".into(),
                    ..Default::default()
                };
                let allowed = self.model.record(notice, who, receipt, now - ago * HOUR);
                ("record", allowed, self.server.notices.record_delivery(request).await.map(drop))
            }
            Step::Acknowledge(notice, who, ago) => {
                let Some((notice, who, _)) = self.answer(notice, who, None) else { return Ok(()) };
                let request = v1::AcknowledgeNoticeRequest {
                    name: self.notice(notice),
                    customer: self.customer(who),
                    event_time: (ago > 0).then(|| stamp(now - ago * HOUR)),
                    ..Default::default()
                };
                let allowed = self.model.record(notice, who, Receipt::Delivered, now - ago * HOUR);
                ("acknowledge", allowed, self.server.notices.acknowledge_notice(request).await.map(drop))
            }
            Step::Join(agreed) => {
                if self.model.customers.len() >= 6 {
                    return Ok(());
                }
                let terms = self.terms(agreed.as_ref());
                ("join", Ok(()), self.join(terms).await)
            }
            Step::Agree(who, agreed) => {
                let Some(who) = pick(who, self.model.customers.len()) else { return Ok(()) };
                let terms = self.terms(agreed.as_ref());
                let message = v1::Customer { agreement: terms.as_ref().map(agreement), ..Default::default() };
                let allowed = self.model.change_customer(who, |customer| customer.terms = terms);
                ("agree", allowed, self.write_customer(who, "agreement", message).await)
            }
            Step::End(who, days) => {
                let Some(who) = pick(who, self.model.customers.len()) else { return Ok(()) };
                let end = days.map(|days| day_of(now) + days);
                let message = v1::Customer { end_date: end.map(date).unwrap_or_default(), ..Default::default() };
                let allowed = self.model.change_customer(who, |customer| customer.end = end);
                ("end", allowed, self.write_customer(who, "end_date", message).await)
            }
            Step::Leave(who) => {
                let Some(who) = pick(who, self.model.customers.len()) else { return Ok(()) };
                let request = v1::DeleteCustomerRequest { name: self.customer(who), ..Default::default() };
                let allowed = self.model.change_customer(who, |customer| customer.deleted = true);
                ("leave", allowed, self.server.organizations.delete_customer(request).await.map(drop))
            }
            Step::Promise(policy) => {
                let request = v1::UpdateOrganizationRequest {
                    organization: Some(self.organization(policy)),
                    update_mask: Some(FieldMask { paths: vec!["notice_policy".into()] }),
                    ..Default::default()
                };
                self.model.policy = policy;
                ("promise", Ok(()), self.server.organizations.update_organization(request).await.map(drop))
            }
            Step::Wait(hours) => {
                moved = hours > 0;
                self.wait(now + hours * HOUR);
                ("wait", Ok(()), Ok(()))
            }
            Step::WaitNext(before) => {
                let Some(next) = self.model.ahead().first().copied() else { return Ok(()) };
                let until = if before { (next - 1).max(now) } else { next };
                moved = until > now;
                self.wait(until);
                ("wait", Ok(()), Ok(()))
            }
        };
        if !matches!(step, Step::Announce(_)) {
            self.trace.push(format!("{} {step:?}", text(now)));
        }
        let done = self.agree(word, allowed, &called)?;
        self.tally.steps += 1;
        *if done { self.tally.done.entry(word) } else { self.tally.refused.entry(word) }.or_default() += 1;
        self.compare(false).await?;
        let wrote = self.revision > known;
        if !done && word != "publish" && wrote {
            return Err(format!("what was refused made revision {}", self.revision));
        }
        if word == "wait" && !moved && wrote {
            return Err(format!("nothing happened, and made revision {}", self.revision));
        }
        if moved && wrote {
            self.only_the_system(known).await?;
        }
        if !done && word != "publish" && self.model.picture() != before.picture() {
            return Err("the model refused a step and took it".to_owned());
        }
        Ok(())
    }

    fn agree(&mut self, word: &str, allowed: Result<(), Refused>, called: &Called) -> Result<bool, String> {
        match (allowed, called) {
            (Ok(()), Ok(())) => Ok(true),
            (Err(Refused), Err(status))
                if matches!(status.code(), Code::FailedPrecondition | Code::InvalidArgument | Code::NotFound) =>
            {
                Ok(false)
            }
            (allowed, called) => {
                Err(format!("{}: {word}: the model says {allowed:?}, the service {called:?}", text(self.model.now)))
            }
        }
    }

    fn wait(&mut self, until: Instant) {
        self.model.wait(until);
        self.place.set_clock(&text(until));
    }

    fn answer(&self, notice: usize, who: usize, only: Option<usize>) -> Option<(usize, usize, Option<usize>)> {
        let notice = pick(notice, self.model.notices.len())?;
        let who = pick(who, self.model.customers.len())?;
        Some((notice, who, only.and_then(|only| pick(only, self.model.notices[notice].changes.len()))))
    }

    /// A notice with what there is to change; each subprocessor in one change.
    fn draft(&self, announcement: &Announcement) -> Option<Notice> {
        let mut used = std::collections::BTreeSet::new();
        let mut changes = Vec::new();
        let mut fresh = self.model.subs.len();
        let with = |stages: &[Stage], at: usize, used: &std::collections::BTreeSet<String>| {
            let all: Vec<&String> = self
                .model
                .subs
                .iter()
                .filter(|(id, sub)| stages.contains(&sub.stage) && !used.contains(*id))
                .map(|(id, _)| id)
                .collect();
            pick(at, all.len()).map(|at| all[at].clone())
        };
        let not_retired = [Stage::Active, Stage::Active, Stage::Proposed];
        for (wanted, at) in &announcement.changes {
            let mut new = || {
                fresh += 1;
                format!("s{}x{}", self.model.notices.len(), fresh)
            };
            let found = match wanted {
                Wanted::Add => Some((new(), Kind::Add)),
                Wanted::AddAgain => with(&[Stage::Proposed, Stage::Announced], *at, &used).map(|id| (id, Kind::Add)),
                Wanted::Replace => with(&not_retired, *at, &used).map(|id| (new(), Kind::Replace(id))),
                Wanted::Remove => with(&[Stage::Active, Stage::Retired], *at, &used).map(|id| (id, Kind::Remove)),
                Wanted::Widen => with(&not_retired, *at, &used).map(|id| {
                    let mut places = self.model.subs[&id].places().to_vec();
                    let more = PLACES.iter().find(|place| !places.iter().any(|known| known == *place));
                    places.extend(more.map(|place| (*place).to_owned()));
                    (id, Kind::Locate(places))
                }),
                Wanted::Narrow => {
                    with(&[Stage::Active], *at, &used).filter(|id| self.model.subs[id].places().len() > 1).map(|id| {
                        let places = self.model.subs[&id].places()[1..].to_vec();
                        (id, Kind::Locate(places))
                    })
                }
            };
            let Some((sub, kind)) = found else { continue };
            used.insert(sub.clone());
            if let Kind::Replace(other) = &kind {
                used.insert(other.clone());
            }
            changes.push(Change { kind, sub, waits: false, effective: None, withdrawn: None });
        }
        (!changes.is_empty()).then(|| Notice {
            changes,
            state: State::Approved,
            requested: announcement.requested.map(|hours| self.model.now + hours * HOUR),
            together: announcement.together,
            emergency: announcement.emergency,
            publish: None,
            policy: Policy::default(),
            promise: None,
            earliest: None,
            recipients: BTreeMap::new(),
        })
    }

    async fn create(&mut self, number: usize, draft: &Notice) -> Called {
        let name = |id: &String| format!("{}/subprocessors/{id}", self.acme);
        let changes = draft.changes.iter().map(|change| {
            let exists = self.model.subs.contains_key(&change.sub);
            let new = || v1::Subprocessor { locations: located(&["DE".to_owned()]), ..proposal(&change.sub) };
            let (kind, proposed, replaces) = match &change.kind {
                Kind::Add => (notice_change::Kind::Add, (!exists).then(new), vec![]),
                Kind::Replace(other) => (notice_change::Kind::Replace, (!exists).then(new), vec![name(other)]),
                Kind::Remove => (notice_change::Kind::Remove, None, vec![]),
                Kind::Locate(places) => {
                    let proposed = v1::Subprocessor { locations: located(places), ..Default::default() };
                    (notice_change::Kind::ChangeLocation, Some(proposed), vec![])
                }
            };
            v1::NoticeChange {
                kind: kind.into(),
                subprocessor: name(&change.sub),
                proposed,
                replaces,
                ..Default::default()
            }
        });
        let rollout = match draft.together {
            None => notice_policy::Rollout::Unspecified,
            Some(true) => notice_policy::Rollout::Together,
            Some(false) => notice_policy::Rollout::PerCustomer,
        };
        let emergency = v1::Emergency { reason: "it burns".into(), approver: "dpo".into() };
        let message = v1::Notice {
            title: format!("n{number}"),
            changes: changes.collect(),
            rollout: rollout.into(),
            requested_effective_time: draft.requested.map(stamp),
            emergency: draft.emergency.then_some(emergency),
            ..Default::default()
        };
        let request = v1::CreateNoticeRequest {
            parent: self.acme.clone(),
            notice_id: format!("n{number}"),
            notice: Some(message),
            ..Default::default()
        };
        self.server.notices.create_notice(by("author", request)).await?;
        let request = v1::ApproveNoticeRequest { name: self.notice(number), ..Default::default() };
        self.server.notices.approve_notice(by("approver", request)).await.map(drop)
    }

    async fn publish(&mut self, number: usize) -> Called {
        let request = v1::PublishNoticeRequest { name: self.notice(number), ..Default::default() };
        self.server.notices.publish_notice(by("approver", request)).await.map(drop)
    }

    /// Time alone has made only revisions of the system's.
    async fn only_the_system(&mut self, known: i64) -> Result<(), String> {
        let request = v1::ListRevisionsRequest {
            filter: format!("number > {known} AND principal != \"system\""),
            ..Default::default()
        };
        let others = self.server.log.list_revisions(request).await.expect("revisions").into_inner().revisions;
        if others.is_empty() { Ok(()) } else { Err(format!("revisions by nobody: {others:#?}")) }
    }

    /// Everything that can be seen, against the model.
    async fn compare(&mut self, all: bool) -> Result<(), String> {
        let expected = self.model.picture();
        // What the model says is as it was is looked at in every fourth step only.
        let of = |picture: &BTreeMap<String, String>, word: &str| -> Vec<String> {
            picture.iter().filter(|(key, _)| key.starts_with(word)).map(|(_, line)| line.clone()).collect()
        };
        let left: Vec<&str> = ["list", "o", "sub "]
            .into_iter()
            .filter(|word| !all && !self.tally.steps.is_multiple_of(4) && of(&expected, word) == of(&self.told, word))
            .collect();
        let seen = self.picture(&left).await?;
        self.told.clone_from(&expected);
        let expected: BTreeMap<String, String> =
            expected.into_iter().filter(|(key, _)| !left.iter().any(|word| key.starts_with(word))).collect();
        let mut wrong = differing(&expected, &seen);
        // One list after the other; all of them when one has changed.
        let lists: Vec<_> = (0..self.model.customers.len()).map(|number| self.model.list(Some(number))).collect();
        let changed = all || lists != self.compared;
        for (number, expected) in lists.iter().enumerate() {
            let turn = changed || self.tally.steps % lists.len() == number;
            if turn && !self.model.customers[number].deleted && wrong.is_empty() {
                let seen = self.list(Some(number)).await?;
                if *expected != seen {
                    wrong.push(format!("the list of k{number}: {expected:?} expected, {seen:?} seen"));
                }
            }
        }
        self.compared = lists;
        for line in expected.values() {
            let word = line.split(' ').next().unwrap_or_default();
            *self.tally.seen.entry(word.to_owned()).or_default() += 1;
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("at {}:\n{}", text(self.model.now), wrong.join("\n"))) }
    }

    fn saw(&mut self, first: &mut i64, revision: i64) -> Result<(), String> {
        if *first != 0 && *first != revision {
            return Err(format!("revision {revision} was made while only reading, after {first}"));
        }
        (*first, self.revision) = (revision, revision);
        Ok(())
    }

    async fn list(&mut self, customer: Option<usize>) -> Result<BTreeMap<String, Vec<String>>, String> {
        let request = v1::ListSubprocessorsRequest {
            parent: self.acme.clone(),
            effective_at: self.model.today(),
            customer: customer.map(|number| self.customer(number)).unwrap_or_default(),
            page_size: 1_000,
            ..Default::default()
        };
        let answer =
            self.server.subprocessors.list_subprocessors(request).await.map_err(|status| format!("{status:?}"))?;
        let answer = answer.into_inner();
        let mut first = self.revision;
        self.saw(&mut first, answer.revision)?;
        Ok(answer.subprocessors.iter().map(|one| (last(&one.name), places(one))).collect())
    }

    /// All of it but what begins with the words that are left out.
    async fn picture(&mut self, left: &[&str]) -> Result<BTreeMap<String, String>, String> {
        let (mut picture, mut first) = (BTreeMap::new(), 0);
        let wrong = |status: Status| format!("{status:?}");
        let request = v1::ListNoticesRequest { parent: self.acme.clone(), page_size: 1_000, ..Default::default() };
        let answer = self.server.notices.list_notices(request).await.map_err(wrong)?.into_inner();
        self.saw(&mut first, answer.revision)?;
        for one in &answer.notices {
            let state = match one.state() {
                notice::State::Approved => "Approved",
                notice::State::Published => "Published",
                notice::State::Held => "Held",
                notice::State::Effective => "Effective",
                notice::State::Withdrawn => "Withdrawn",
                _ => "?",
            };
            let line = format!(
                "{state} effective {} earliest {} reaches {}",
                read(one.effective_time.as_ref()),
                read(one.earliest_effective_time.as_ref()),
                one.recipient_count
            );
            picture.insert(last(&one.name), line);
            for change in &one.changes {
                let line = format!(
                    "waits {} effective {} withdrawn {} held {}",
                    change.waits,
                    read(change.effective_time.as_ref()),
                    read(change.withdraw_time.as_ref()),
                    change.held_back_count
                );
                picture.insert(format!("{} {}", last(&one.name), change.change_id), line);
            }
        }
        let parent = format!("{}/notices/-", self.acme);
        let request =
            v1::ListNoticeRecipientsRequest { parent: parent.clone(), page_size: 1_000, ..Default::default() };
        let answer = self.server.notices.list_notice_recipients(request).await.map_err(wrong)?.into_inner();
        self.saw(&mut first, answer.revision)?;
        for one in &answer.recipients {
            let key = format!("{} {}", one.name.split('/').nth(3).unwrap_or_default(), last(&one.customer));
            picture.insert(key.clone(), format!("start {}", read(one.start_time.as_ref())));
            for change in &one.changes {
                let over = change.status() == recipient_change::Status::Released;
                let line = format!(
                    "{:?} since {} deadline {} clear {}",
                    change.status(),
                    read(change.decide_time.as_ref()),
                    read(change.objection_deadline_time.as_ref().filter(|_| !over)),
                    read(change.clear_time.as_ref().filter(|_| !over))
                );
                picture.insert(format!("{key} {}", change.change_id), line);
            }
        }
        let mut subprocessors = Vec::new();
        if !left.contains(&"sub ") {
            let request =
                v1::ListSubprocessorsRequest { parent: self.acme.clone(), page_size: 1_000, ..Default::default() };
            let answer = self.server.subprocessors.list_subprocessors(request).await.map_err(wrong)?.into_inner();
            self.saw(&mut first, answer.revision)?;
            subprocessors = answer.subprocessors;
        }
        for one in &subprocessors {
            let held: Vec<String> = one.held_back.iter().map(|name| last(name)).collect();
            let many = usize::try_from(one.held_back_count) == Ok(held.len());
            let passed = one.gate_records.iter().any(|gate| gate.outcome() != gate_record::Outcome::Unspecified);
            let note = if many && !passed { "" } else { " with gates passed, or another count" };
            let line =
                format!("{:?} at {} held back from {}{note}", one.state(), places(one).join(" "), held.join(" "));
            picture.insert(format!("sub {}", last(&one.name)), line);
        }
        if !self.model.objections.is_empty() && !left.contains(&"o") {
            let request = v1::ListObjectionsRequest { parent, page_size: 1_000, ..Default::default() };
            let answer = self.server.notices.list_objections(request).await.map_err(wrong)?.into_inner();
            self.saw(&mut first, answer.revision)?;
            for one in &answer.objections {
                let line = format!(
                    "open {} late {} of {} against {} end {}",
                    one.state() == objection::State::Open,
                    one.late,
                    last(&one.customer),
                    one.change_ids.join(" "),
                    read(one.termination_right_end_time.as_ref())
                );
                picture.insert(last(&one.name), line);
            }
        }
        if !left.contains(&"list") {
            let list = self.list(None).await?;
            picture.insert("list".into(), format!("{list:?}"));
        }
        Ok(picture)
    }
}

fn pick(number: usize, among: usize) -> Option<usize> {
    number.checked_rem(among)
}

fn change_id(index: usize) -> String {
    format!("c{}", index + 1)
}

fn last(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

fn located(places: &[String]) -> Vec<v1::Location> {
    places.iter().map(|place| v1::Location { region_code: place.clone(), ..Default::default() }).collect()
}

fn places(one: &v1::Subprocessor) -> Vec<String> {
    one.locations.iter().map(|location| location.region_code.clone()).collect()
}

fn differing(expected: &BTreeMap<String, String>, seen: &BTreeMap<String, String>) -> Vec<String> {
    let keys: std::collections::BTreeSet<&String> = expected.keys().chain(seen.keys()).collect();
    let differ = keys.into_iter().filter(|key| expected.get(*key) != seen.get(*key));
    differ.map(|key| format!("{key}:\n  expected {:?}\n  seen     {:?}", expected.get(key), seen.get(key))).collect()
}

fn agreement(terms: &Terms) -> v1::Agreement {
    let (unresolved, resolution_days) = match terms.termination {
        None => (UnresolvedObjection::Blocks, None),
        Some(days) => (UnresolvedObjection::TerminationRight, days),
    };
    v1::Agreement {
        authorization: if terms.specific { Authorization::Specific } else { Authorization::General }.into(),
        notice_days: terms.notice,
        objection_days: terms.objection,
        day_kind: if terms.business { DayKind::Business } else { DayKind::Unspecified }.into(),
        holidays: terms.holiday.map(date).into_iter().collect(),
        time_zone: if terms.ahead == 0 { String::new() } else { "Asia/Kolkata".into() },
        clock_start: match terms.start {
            Start::Sent => ClockStart::Sent,
            Start::Delivered => ClockStart::Delivered,
            Start::Published => ClockStart::Published,
        }
        .into(),
        notice_method: if terms.email { NoticeMethod::EmailToContacts } else { NoticeMethod::Unspecified }.into(),
        unresolved_objection: unresolved.into(),
        resolution_days,
        emergency_allowed: terms.emergency,
        accepted_list_date: terms.accepted.map(date).unwrap_or_default(),
        ..Default::default()
    }
}
