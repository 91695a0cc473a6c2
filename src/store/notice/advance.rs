//! What is to be done with a notice at an instant: changes that take effect, and what holds them.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::{State, adds, due_micros, fitting::Fitted, is_open, is_pending};
use crate::{
    error::{Error, Result},
    proto::v1::{
        GateRecord, HeldChange, Notice, NoticeChange, Organization, Subprocessor, Transfer,
        gate_record::{Gate, Outcome},
        notice_change::Kind as ChangeKind,
        subprocessor::State as Stage,
    },
    resource::{
        mask,
        name::{Kind, Name},
        shape::Violations,
    },
    rules::{
        engagement::{self, Unmet},
        notice::{
            effect::{NAMED, Standing, Turn, binds, turn},
            instant, stamp,
        },
    },
    store::{
        standard::Managed,
        version::{Stored, day, timestamp},
        writer::Writer,
    },
};

impl Writer {
    /// Has a notice looked at again: somebody has answered, or nobody waits for somebody any more.
    pub(super) async fn touch(&mut self, name: &Name, at: Timestamp) -> Result<()> {
        let Some(stored) = self.find::<Notice>(name).await? else { return Ok(()) };
        let held_back = stored.message.changes.iter().any(|change| change.held_back_count > 0);
        let earlier = due_micros(stored.message.due_time.as_ref()) <= at.as_microsecond();
        if (is_open(stored.message.state()) || held_back) && !earlier {
            let mut notice = stored.message.clone();
            notice.due_time = stamp(at);
            self.put_notice(&stored, notice).await?;
        }
        Ok(())
    }

    /// Does with a notice what is to be done at an instant.
    pub(super) async fn advance(&mut self, stored: Stored<Notice>, at: Timestamp) -> Result<()> {
        let mut notice = stored.message.clone();
        notice.due_time = None;
        if notice.inbound {
            notice.set_state(State::Effective);
            notice.effective_time = stamp(at);
            self.put(Some(&stored), notice).await?;
            return Ok(());
        }
        if is_open(notice.state()) && !notice.audience_complete {
            // Its clocks are frozen at publication, whenever they are written.
            let published = instant(notice.publish_time.as_ref()).unwrap_or(at);
            for recipient in self.audience(&mut notice, published).await? {
                self.put(None, recipient).await?;
            }
            notice.due_time = stamp(at);
            self.put(Some(&stored), notice).await?;
            return Ok(());
        }
        let mut standings = vec![Standing::default(); notice.changes.len()];
        self.each_recipient(&notice.name, |recipient| {
            for (standing, change) in standings.iter_mut().zip(&stored.message.changes) {
                standing.add(&stored.message, &change.change_id, recipient, at);
            }
        })
        .await?;
        let organization = self.organization_over(&notice.name).await?;
        let mut effects = Effects { at, organization, subprocessors: BTreeMap::new(), transfers: Vec::new() };
        let (mut next, mut reasons) = (Vec::new(), Vec::new());
        for (index, standing) in standings.iter().enumerate() {
            let change = notice.changes[index].clone();
            if change.withdraw_time.is_some() {
                continue;
            }
            if change.effective_time.is_some() {
                if change.held_back_count > 0 {
                    self.hold_back(&mut effects, &notice, &change, standing).await?;
                    notice.changes[index].held_back_count = count(standing.held_back());
                    next.extend(standing.next);
                }
                continue;
            }
            match turn(&stored.message, &change, standing, at) {
                Turn::Later(time) => next.extend(time),
                Turn::Held(time) => {
                    next.extend(time);
                    reasons.extend(not_cleared(&change, standing));
                }
                Turn::Now => match self.take_effect(&mut effects, &notice, index, standing).await? {
                    Ok(()) => {
                        let held_back = binds(&notice) && change.waits;
                        let change = &mut notice.changes[index];
                        change.effective_time = stamp(at);
                        change.held_back_count = if held_back { count(standing.held_back()) } else { 0 };
                        next.extend(standing.next.filter(|_| change.held_back_count > 0));
                    }
                    Err(unmet) => {
                        reasons.extend(unmet);
                        // The law changes by the day; what is written has it tried again at once.
                        next.push(next_midnight(at.max(self.now()))?);
                    }
                },
            }
        }
        Box::pin(self.write_effects(effects)).await?;
        if is_open(notice.state()) {
            notice.set_state(if reasons.is_empty() { State::Published } else { State::Held });
            if !notice.changes.iter().any(is_pending) {
                notice.set_state(State::Effective);
                let times = notice.changes.iter().filter_map(|change| instant(change.effective_time.as_ref()));
                notice.effective_time = times.max().and_then(stamp);
            }
            notice.hold_reasons = reasons;
        }
        if notice.state() == State::Held {
            self.noted.note_held();
        }
        notice.due_time = next.into_iter().filter(|time| *time > at).min().and_then(stamp);
        self.put(Some(&stored), notice).await?;
        Ok(())
    }

    /// A change takes effect, for those who are cleared; or what stands against it.
    async fn take_effect(
        &self,
        effects: &mut Effects,
        notice: &Notice,
        index: usize,
        standing: &Standing,
    ) -> Result<std::result::Result<(), Vec<String>>> {
        let Some(change) = notice.changes.get(index) else { return Ok(Ok(())) };
        let mut wrong = Violations::new();
        let fitted = self.fit(&effects.organization, notice, index, &mut wrong).await?;
        let Some(Fitted { before, after, replaced, fields, .. }) = fitted else {
            return Ok(Err(wrong.into_iter().map(|(field, rule)| format!("{field} {rule}")).collect()));
        };
        let Some(before) = before else {
            return Ok(Err(vec![format!("{}: {} does not exist", change.change_id, change.subprocessor)]));
        };
        let today = day(effects.at);
        let transfers = transfers(&effects.organization, change);
        let binding = binds(notice);
        let held = binding && change.waits && standing.held_back() > 0;
        let mut message = effects.current(&before);
        match change.kind() {
            kind if adds(kind) => {
                message.set_state(Stage::Active);
                message.start_date.clone_from(&today);
                if !message.end_date.is_empty() && message.end_date <= today {
                    message.end_date.clear();
                }
            }
            ChangeKind::Remove => {
                message.set_state(Stage::Retired);
                message.end_date = today.clone().max(message.start_date.clone());
            }
            _ => {
                let paths =
                    Some(prost_types::FieldMask { paths: fields.clone() }).filter(|mask| !mask.paths.is_empty());
                if paths.is_some() {
                    message = mask::apply(&message, &after, paths.as_ref())?;
                }
            }
        }
        let retired: Vec<&Stored<Subprocessor>> =
            replaced.iter().chain(Some(&before).filter(|_| change.kind() == ChangeKind::Remove)).collect();
        for one in &retired {
            if let Err(error) = self.refuse_while_engaging(&Name::of(Kind::Subprocessor, "name", one.name())?).await {
                return Ok(Err(vec![format!("{}: {error}", change.change_id)]));
            }
        }
        let mut unmet = Vec::new();
        if change.kind() != ChangeKind::Remove {
            unmet = self.unmet_by(&effects.organization, change, &before.message, &message, &transfers, &today).await?;
        }
        if binding && !unmet.is_empty() {
            return Ok(Err(unmet.into_iter().map(|gate| format!("{}: {}", change.change_id, gate.detail)).collect()));
        }
        if !binding && change.waits && standing.held_back() > 0 {
            let detail = not_cleared(change, standing).join("; ");
            unmet.push(Unmet::new(Gate::NoticeCleared, detail));
        }
        let record_time = Some(timestamp(effects.at.as_microsecond()));
        message.gate_records.extend(unmet.into_iter().map(|gate| GateRecord {
            gate: gate.gate.into(),
            outcome: Outcome::Advisory.into(),
            detail: gate.detail,
            record_time,
            r#override: None,
        }));
        let layer = |before: &Stored<Subprocessor>, fields: Vec<String>| HeldChange {
            notice: notice.name.clone(),
            change_id: change.change_id.clone(),
            fields,
            before_revision: before.from_revision,
            customer_count: count(standing.held_back()),
            customers: named(standing),
        };
        if held {
            let own = if adds(change.kind()) { texts(&["state", "start_date", "end_date"]) } else { fields };
            message.held_changes.push(layer(&before, own));
        }
        effects.set(before, message);
        for one in replaced {
            let mut message = effects.current(&one);
            message.set_state(Stage::Retired);
            message.end_date = today.clone().max(message.start_date.clone());
            if held {
                message.held_changes.push(layer(&one, texts(&["state", "end_date"])));
            }
            effects.set(one, message);
        }
        effects.transfers.extend(transfers);
        Ok(Ok(()))
    }

    /// What gates would say of a change that took effect on a day, as things stand.
    pub(super) async fn gates_ahead(
        &self,
        organization: &Organization,
        change: &NoticeChange,
        fitted: &Fitted,
        day: &str,
    ) -> Result<Vec<String>> {
        if change.kind() == ChangeKind::Remove {
            return Ok(Vec::new());
        }
        let mut after = fitted.after.clone();
        if adds(change.kind()) {
            after.set_state(Stage::Active);
            day.clone_into(&mut after.start_date);
        }
        let before = fitted.before.as_ref().map_or(&fitted.after, |before| &before.message);
        let transfers = transfers(organization, change);
        let unmet = self.unmet_by(organization, change, before, &after, &transfers, day).await?;
        Ok(unmet.into_iter().map(|gate| format!("{}: {}", change.change_id, gate.detail)).collect())
    }

    /// The gates that a change does not meet on a day: all of them for what joins the list, and for what is on it those
    /// that it would lose.
    async fn unmet_by(
        &self,
        organization: &Organization,
        change: &NoticeChange,
        before: &Subprocessor,
        after: &Subprocessor,
        transfers: &[Transfer],
        day: &str,
    ) -> Result<Vec<Unmet>> {
        let vendor = after.find_vendor(self).await?;
        let mut uncovered = self.uncovered_with(organization, after, transfers, day).await?;
        let mut earlier = Vec::new();
        if !adds(change.kind()) {
            let known = self.uncovered(organization, before, day).await?;
            uncovered.retain(|one| !known.iter().any(|other| other.key == one.key));
            earlier = engagement::unmet_gates(before, before.find_vendor(self).await?.as_ref(), &[], day);
        }
        let uncovered: Vec<String> = uncovered.iter().map(ToString::to_string).collect();
        let mut unmet = engagement::unmet_gates(after, vendor.as_ref(), &uncovered, day);
        unmet.retain(|one| !earlier.iter().any(|other| other.gate == one.gate));
        Ok(unmet)
    }

    /// Says of those whom a change that has taken effect is held back from where they stand now.
    async fn hold_back(
        &self,
        effects: &mut Effects,
        notice: &Notice,
        change: &NoticeChange,
        standing: &Standing,
    ) -> Result<()> {
        for name in std::iter::once(&change.subprocessor).chain(&change.replaces) {
            let Some(stored) = self.engagement(name).await? else { continue };
            let mut message = effects.current(&stored);
            let own = |layer: &HeldChange| layer.notice == notice.name && layer.change_id == change.change_id;
            if standing.held_back() == 0 {
                message.held_changes.retain(|layer| !own(layer));
            }
            for layer in message.held_changes.iter_mut().filter(|layer| own(layer)) {
                layer.customer_count = count(standing.held_back());
                layer.customers = named(standing);
            }
            effects.set(stored, message);
        }
        Ok(())
    }

    async fn write_effects(&mut self, effects: Effects) -> Result<()> {
        for transfer in effects.transfers {
            let done = self.establish(&transfer).await?;
            if !done.wrong.is_empty() {
                return Err(Error::fields(crate::error::Reason::FieldInvalid, done.wrong));
            }
            done.after.verify(self, done.before.as_ref()).await?;
        }
        for (before, mut message) in effects.subprocessors.into_values() {
            count_held_back(&mut message);
            let stored = self.put(Some(&before), message).await?;
            stored.refuse_conflicts(self).await?;
        }
        Ok(())
    }

    /// A change took effect because somebody activated the subprocessor: what else it does is done too.
    pub(in crate::store) async fn fulfil(&mut self, stored: Stored<Notice>, change_id: &str) -> Result<()> {
        let now = self.now();
        let organization = self.organization_over(stored.name()).await?;
        let mut notice = stored.message.clone();
        let mut effects = Effects { at: now, organization, subprocessors: BTreeMap::new(), transfers: Vec::new() };
        for change in notice.changes.iter_mut().filter(|change| change.change_id == change_id) {
            change.effective_time = stamp(now);
            effects.transfers = transfers(&effects.organization, change);
            for name in &change.replaces {
                let Some(one) = self.engagement(name).await? else { continue };
                self.refuse_while_engaging(&Name::of(Kind::Subprocessor, "name", name)?).await?;
                let mut message = one.message.clone();
                message.set_state(Stage::Retired);
                message.end_date = day(now).max(message.start_date.clone());
                effects.set(one, message);
            }
        }
        Box::pin(self.write_effects(effects)).await?;
        if !notice.changes.iter().any(is_pending) {
            notice.set_state(State::Effective);
            notice.effective_time = stamp(now);
            notice.hold_reasons.clear();
        }
        notice.due_time = stamp(now).filter(|_| is_open(notice.state()));
        self.put_notice(&stored, notice).await?;
        Ok(())
    }
}

/// What changes of a notice make of the list, until it is written: each resource once in a revision.
struct Effects {
    at: Timestamp,
    organization: Organization,
    subprocessors: BTreeMap<String, (Stored<Subprocessor>, Subprocessor)>,
    transfers: Vec<Transfer>,
}

impl Effects {
    /// A subprocessor as the changes so far have made it.
    fn current(&self, stored: &Stored<Subprocessor>) -> Subprocessor {
        self.subprocessors.get(stored.name()).map_or_else(|| stored.message.clone(), |(_, message)| message.clone())
    }

    fn set(&mut self, before: Stored<Subprocessor>, message: Subprocessor) {
        self.subprocessors.insert(before.name().to_owned(), (before, message));
    }
}

/// The transfers that begin with a change, with their names.
pub(super) fn transfers(organization: &Organization, change: &NoticeChange) -> Vec<Transfer> {
    let named = change.proposed_transfers.iter().filter_map(|proposed| {
        let name = format!("{}/transfers/{}", organization.name, proposed.transfer_id);
        proposed.transfer.clone().map(|transfer| Transfer { name, ..transfer })
    });
    named.collect()
}

/// Why a change waits for customers, a line for each of the first ones.
pub(super) fn not_cleared(change: &NoticeChange, standing: &Standing) -> Vec<String> {
    const SHOWN: usize = 10;
    let id = &change.change_id;
    let mut lines: Vec<String> = standing
        .waiting
        .iter()
        .take(SHOWN)
        .map(|one| format!("{id}: {} is not cleared: {}", one.customer, one.words()))
        .collect();
    if standing.held_back() > SHOWN {
        lines.push(format!("{id}: and {} more customers are not cleared", standing.held_back() - SHOWN));
    }
    lines
}

/// Counts and names those from whom something is held back.
fn count_held_back(message: &mut Subprocessor) {
    let mut names: Vec<String> = message.held_changes.iter().flat_map(|layer| layer.customers.clone()).collect();
    names.sort();
    names.dedup();
    let most = message.held_changes.iter().map(|layer| layer.customer_count).max().unwrap_or(0);
    message.held_back_count = most.max(count(names.len()));
    names.truncate(NAMED);
    message.held_back = names;
}

fn named(standing: &Standing) -> Vec<String> {
    standing.waiting.iter().map(|one| one.customer.clone()).collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// The beginning of the next UTC day.
pub(super) fn next_midnight(at: Timestamp) -> Result<Timestamp> {
    let tomorrow = at.to_zoned(TimeZone::UTC).date().checked_add(1.day()).map_err(Error::internal)?;
    Ok(tomorrow.to_zoned(TimeZone::UTC).map_err(Error::internal)?.timestamp())
}
