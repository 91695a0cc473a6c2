//! What a write to the list itself has to wait for: where the policy is REQUIRED, what must wait comes about through a
//! notice only (DESIGN §6).

use jiff::Timestamp;

use super::{adds, advance::not_cleared, is_pending, kind_word};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{
        Correction, CorrectionRecord, Customer, GateRecord, Notice, Organization, Override, Subprocessor,
        gate_record::{Gate, Outcome},
        subprocessor::State as Stage,
    },
    rules::{
        engagement::{self, Unmet},
        notice::{
            effect::Standing,
            instant,
            widening::{Widened, widened},
        },
    },
    store::{
        version::{Stored, day, timestamp},
        writer::Writer,
    },
};

/// What a caller gave to pass gates with.
#[derive(Debug, Clone, Default)]
pub struct Passes {
    /// The new values correct an error.
    pub correction: Option<Correction>,
    /// Somebody takes the responsibility.
    pub over: Option<Override>,
}

impl Writer {
    /// The open notice that brings a subprocessor onto the list, and which of its changes does.
    pub(in crate::store) async fn announcement(
        &self,
        organization: &Organization,
        subprocessor: &str,
    ) -> Result<Option<(Stored<Notice>, String)>> {
        let open = self.open_notices(&organization.name).await?;
        Ok(open.into_iter().find_map(|notice| {
            let of = |change: &&crate::proto::v1::NoticeChange| {
                is_pending(change) && adds(change.kind()) && change.subprocessor == subprocessor
            };
            let id = notice.message.changes.iter().find(of).map(|change| change.change_id.clone())?;
            Some((notice, id))
        }))
    }

    /// What putting a subprocessor into use has to wait for, of the gate that every customer was told and is cleared.
    pub(in crate::store) async fn not_told(
        &self,
        organization: &Organization,
        announcement: Option<&(Stored<Notice>, String)>,
        at: Timestamp,
    ) -> Result<Vec<Unmet>> {
        let gate = |detail: String| Unmet::new(Gate::NoticeCleared, detail);
        let Some((notice, id)) = announcement else {
            if !engagement::gates_bind(organization) && !self.has_somebody_to_tell(organization).await? {
                return Ok(Vec::new());
            }
            return Ok(vec![gate(
                "no published notice announces it: create one with a change of kind ADD, have it approved, publish it"
                    .to_owned(),
            )]);
        };
        let notice = &notice.message;
        let mut standing = Standing::default();
        self.each_recipient(&notice.name, |recipient| standing.add(notice, id, recipient, at)).await?;
        let mut unmet = Vec::new();
        if !notice.audience_complete {
            unmet.push(gate(format!("{}: its audience is still being written", notice.name)));
        }
        if let Some(promised) = instant(notice.promise_clear_time.as_ref()).filter(|time| *time > at)
            && notice.emergency.is_none()
        {
            unmet.push(gate(format!("{}: the public promise is kept only from {promised}", notice.name)));
        }
        let Some(change) = notice.changes.iter().find(|change| change.change_id == *id) else { return Ok(unmet) };
        let lines = not_cleared(change, &standing);
        for (line, waiting) in lines.iter().zip(standing.waiting.iter().map(Some).chain(std::iter::repeat(None))) {
            unmet.push(Unmet {
                subject: waiting.map(|one| one.customer.clone()).unwrap_or_default(),
                ..gate(line.clone())
            });
        }
        Ok(unmet)
    }

    /// Whether there is anybody whom a change would have to be told: a customer, or the public by promise.
    async fn has_somebody_to_tell(&self, organization: &Organization) -> Result<bool> {
        let promised = organization.notice_policy.as_ref().is_some_and(|policy| policy.notice_days.is_some());
        Ok(promised || !self.customers(&organization.name, "", 1).await?.is_empty())
    }

    /// Lets a write of the list pass, whichever method or manifest it comes by: what brings a subprocessor onto the list,
    /// or widens what customers know of it, is refused, recorded, or a correction. `before` is its last version, deleted
    /// or not: what is brought back is as it was, or meets the gate.
    pub(in crate::store) async fn pass_untold(
        &self,
        before: Option<&Subprocessor>,
        after: &mut Subprocessor,
    ) -> Result<()> {
        let today = day(self.now());
        let Some(before) = before else { return self.record_found(after, &today).await };
        let enters = engagement::is_current(after, &today) && !engagement::is_current(before, &today);
        let widened = widened(before, after);
        if let Some(correction) = &self.passes.correction {
            return self.correct(correction, before, after, enters, &widened);
        }
        let widens = !widened.is_empty() && engagement::is_known(before, &today) && engagement::is_known(after, &today);
        if !enters && !widens {
            return Ok(());
        }
        let organization = self.organization_over(&after.name).await?;
        let (binds, over) = (engagement::gates_bind(&organization), &self.passes.over);
        if binds && over.is_none() {
            return Err(refuse(before, after, &organization, if enters { None } else { Some(&widened) }));
        }
        if !binds && !self.has_somebody_to_tell(&organization).await? {
            return Ok(());
        }
        let detail = match enters {
            true => "brought onto the list without a notice".to_owned(),
            false => format!("widened without a notice: {}", words(&widened).join(", ")),
        };
        let outcome = if over.is_some() { Outcome::Overridden } else { Outcome::Advisory };
        after.gate_records.push(self.notice_record(outcome, detail));
        Ok(())
    }

    /// Takes back an error.
    fn correct(
        &self,
        correction: &Correction,
        before: &Subprocessor,
        after: &mut Subprocessor,
        enters: bool,
        widened: &[Widened],
    ) -> Result<()> {
        let today = day(self.now());
        if correction.true_since_date > today {
            let rule = format!("must not be after today ({today})");
            return Err(Error::field("correction.true_since_date", rule));
        }
        let mut fields = super::fitting::differing(before, after);
        if before.state() != after.state() {
            fields.push("state".to_owned());
        }
        if !fields.is_empty() {
            let enters = enters.then_some("USE");
            after.corrections.push(CorrectionRecord {
                correction: Some(correction.clone()),
                fields,
                widened: enters.into_iter().chain(words(widened)).map(ToOwned::to_owned).collect(),
                record_time: Some(timestamp(self.now().as_microsecond())),
            });
        }
        Ok(())
    }

    /// What is entered as found, and does not show that it was in use before the register began, may be new to customers.
    /// It is in use all the same, so it is written, and found.
    async fn record_found(&self, after: &mut Subprocessor, today: &str) -> Result<()> {
        if !after.recorded_as_found || !engagement::is_current(after, today) {
            return Ok(());
        }
        let organization = self.organization_over(&after.name).await?;
        let began = instant(organization.create_time.as_ref()).map_or_else(String::new, day);
        let since = if after.start_date.is_empty() { today } else { after.start_date.as_str() };
        if since <= began.as_str()
            || !(engagement::gates_bind(&organization) || self.has_somebody_to_tell(&organization).await?)
        {
            return Ok(());
        }
        let since = match after.start_date.as_str() {
            "" => format!("entered on {today} without a start_date"),
            start => format!("in use since {start}"),
        };
        let detail = format!("{since}, after the register began ({began}), and no notice announced it");
        after.gate_records.push(self.notice_record(Outcome::Found, detail));
        Ok(())
    }

    /// A record of the gate that every customer was told and is cleared.
    fn notice_record(&self, outcome: Outcome, detail: String) -> GateRecord {
        GateRecord {
            gate: Gate::NoticeCleared.into(),
            outcome: outcome.into(),
            detail,
            record_time: Some(timestamp(self.now().as_microsecond())),
            r#override: self.passes.over.clone(),
        }
    }

    /// Remembers a customer that was written: what follows for notices is written when all else is.
    pub(in crate::store) fn customer_written(&mut self, customer: &Customer) {
        self.customers_written.push(customer.clone());
    }
}

fn words(widened: &[Widened]) -> Vec<&'static str> {
    widened.iter().map(|what| what.word()).collect()
}

/// The refusal of what widens what customers know; without that, of what brings it onto the list.
fn refuse(
    before: &Subprocessor,
    after: &Subprocessor,
    organization: &Organization,
    widened: Option<&[Widened]>,
) -> Error {
    let correct = "or say that it corrects an error (`correction` of UpdateSubprocessor)";
    let state = before.state().as_str_name().trim_start_matches("STATE_");
    let texts: Vec<String> = match widened {
        Some(widened) => {
            let announce = |what: &Widened| {
                let kind = kind_word(what.kind());
                format!("widens {}: announce it by a notice with a change of kind {kind}, {correct}", what.word())
            };
            widened.iter().map(announce).collect()
        }
        None if matches!(before.state(), Stage::Proposed | Stage::Announced) => {
            vec![format!(
                "is {state}, and would be in use: announce it by a notice with a change of kind ADD, {correct}"
            )]
        }
        None => vec![format!(
            "was off the list, and would be on it: engage it anew, under an id that a notice with a change of kind ADD \
             announces, {correct}"
        )],
    };
    let message = format!("{}: gates of {} that are not met: {}", after.name, organization.name, texts.len());
    texts.into_iter().fold(Error::new(Reason::GateRefused, message), |error, text| {
        error.precondition("GATE_NOTICE_CLEARED", &after.name, text)
    })
}
