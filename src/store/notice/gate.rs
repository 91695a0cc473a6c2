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

    /// Lets an update of what is announced or in use pass: what widens it is refused, recorded, or a correction.
    pub(in crate::store) async fn pass_widening(&self, before: &Subprocessor, after: &mut Subprocessor) -> Result<()> {
        let widened = widened(before, after);
        let passes = &self.passes;
        let record_time = Some(timestamp(self.now().as_microsecond()));
        if let Some(correction) = &passes.correction {
            let today = day(self.now());
            if correction.true_since_date > today {
                let rule = format!("must not be after today ({today})");
                return Err(Error::field("correction.true_since_date", rule));
            }
            let fields = super::fitting::differing(before, after);
            if !fields.is_empty() {
                after.corrections.push(CorrectionRecord {
                    correction: Some(correction.clone()),
                    fields,
                    widened: widened.iter().map(|what| what.word().to_owned()).collect(),
                    record_time,
                });
            }
            return Ok(());
        }
        if widened.is_empty() || !matches!(before.state(), Stage::Announced | Stage::Active | Stage::Suspended) {
            return Ok(());
        }
        let organization = self.organization_over(&after.name).await?;
        let binds = engagement::gates_bind(&organization);
        if binds && passes.over.is_none() {
            return Err(refuse(after, &organization, &widened));
        }
        if !binds && !self.has_somebody_to_tell(&organization).await? {
            return Ok(());
        }
        let words: Vec<&str> = widened.iter().map(|what| what.word()).collect();
        after.gate_records.push(GateRecord {
            gate: Gate::NoticeCleared.into(),
            outcome: if passes.over.is_some() { Outcome::Overridden.into() } else { Outcome::Advisory.into() },
            detail: format!("widened without a notice: {}", words.join(", ")),
            record_time,
            r#override: passes.over.clone(),
        });
        Ok(())
    }

    /// Remembers a customer that was written: what follows for notices is written when all else is.
    pub(in crate::store) fn customer_written(&mut self, customer: &Customer) {
        self.customers_written.push(customer.clone());
    }
}

fn refuse(after: &Subprocessor, organization: &Organization, widened: &[Widened]) -> Error {
    let message = format!("{}: gates of {} that are not met: {}", after.name, organization.name, widened.len());
    widened.iter().fold(Error::new(Reason::GateRefused, message), |error, what| {
        let text = format!(
            "widens {}: announce it by a notice with a change of kind {}, or say that it corrects an error",
            what.word(),
            kind_word(what.kind())
        );
        error.precondition("GATE_NOTICE_CLEARED", &after.name, text)
    })
}
