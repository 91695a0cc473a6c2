//! The lifecycle of a subprocessor: its steps, and the gates before it is put into use.

use jiff::Timestamp;

use super::organization_of;
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{
        GateRecord, Override, Subprocessor,
        gate_record::{Gate, Outcome},
        subprocessor::State,
    },
    resource::name::Name,
    rules::engagement::{self, Step, Unmet},
    store::{
        standard::{match_etag, refuse_deleted},
        version::{day, timestamp},
        writer::Writer,
    },
};

/// A step with what it needs.
#[derive(Debug, Clone)]
pub enum Taken {
    /// Put into use, perhaps past gates.
    Activate {
        /// Passes gates that are not met.
        over: Option<Override>,
    },
    /// Stop for now.
    Suspend,
    /// End.
    Retire {
        /// First day on which it is no longer engaged; empty = what it has, else today.
        end_date: String,
    },
}

impl Taken {
    fn step(&self) -> Step {
        match self {
            Self::Activate { .. } => Step::Activate,
            Self::Suspend => Step::Suspend,
            Self::Retire { .. } => Step::Retire,
        }
    }
}

impl Writer {
    /// Takes a step of the lifecycle.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, RESOURCE_DELETED, ETAG_STALE, STATE_TRANSITION_REFUSED, GATE_REFUSED; RESOURCE_IN_USE if one
    /// that engages others in use would be retired.
    pub async fn step(&mut self, name: &Name, etag: &str, taken: Taken) -> Result<Subprocessor> {
        let before = self.get::<Subprocessor>(name).await?;
        refuse_deleted(&before)?;
        match_etag(&before, etag)?;
        let mut after = before.message.clone();
        let from = after.state();
        let to = taken.step().from(from).map_err(|allowed| {
            let words = |states: &[State]| {
                states.iter().map(|s| s.as_str_name().trim_start_matches("STATE_")).collect::<Vec<_>>().join(", ")
            };
            let word = taken.step().word();
            let message = format!("{name} is {} and can be {word} only from {}", words(&[from]), words(allowed));
            Error::new(Reason::StateTransitionRefused, message.clone()).with("state", words(&[from])).precondition(
                "STATE",
                name.as_str(),
                message,
            )
        })?;
        after.set_state(to);
        let today = day(self.now());
        match taken {
            Taken::Activate { over } => {
                if after.start_date.is_empty() {
                    after.start_date.clone_from(&today);
                }
                if !after.end_date.is_empty() && after.end_date <= today {
                    let rule = format!("end_date {} has passed; update it first", after.end_date);
                    return Err(Error::new(Reason::StateTransitionRefused, format!("{name}: {rule}")).precondition(
                        "STATE",
                        name.as_str(),
                        rule,
                    ));
                }
                Box::pin(self.pass_gates(&mut after, from, over, &today)).await?;
            }
            Taken::Suspend => {}
            Taken::Retire { end_date } => {
                if !end_date.is_empty() {
                    after.end_date = end_date;
                } else if after.end_date.is_empty() {
                    after.end_date = today;
                }
                if after.end_date < after.start_date {
                    let rule = format!("is before start_date ({} < {})", after.end_date, after.start_date);
                    return Err(Error::field("end_date", rule));
                }
                self.refuse_while_engaging(name).await?;
            }
        }
        self.put(Some(&before), after).await
    }

    async fn pass_gates(
        &mut self,
        after: &mut Subprocessor,
        from: State,
        over: Option<Override>,
        today: &str,
    ) -> Result<()> {
        let vendor = after.find_vendor(self).await?;
        let organization = organization_of(self, &after.name).await?;
        let uncovered = self.uncovered(&organization, after, today).await?;
        let uncovered: Vec<String> = uncovered.iter().map(ToString::to_string).collect();
        let mut unmet = engagement::unmet_gates(after, vendor.as_ref(), &uncovered, today);
        // What was only suspended was announced when it began.
        let announced = self.announcement(&organization, &after.name).await?;
        if let Some((notice, _)) = announced.as_ref().filter(|(notice, _)| !notice.message.audience_complete) {
            // Whoever is still to be written would not be told of what has begun already: nothing passes that.
            let text = format!("{}: its audience is still being written; try again", notice.name());
            let gate = Unmet::new(Gate::NoticeCleared, text);
            return Err(refuse_gates(&after.name, &organization.name, &[gate]));
        }
        if from != State::Suspended {
            unmet.extend(self.not_told(&organization, announced.as_ref(), self.now()).await?);
        }
        if engagement::gates_bind(&organization) && over.is_none() && !unmet.is_empty() {
            return Err(refuse_gates(&after.name, &organization.name, &unmet));
        }
        if let Some((notice, change_id)) = announced {
            Box::pin(self.fulfil(notice, &change_id)).await?;
        }
        // What a later list of findings needs is recorded with the step itself.
        after.gate_records.extend(records(unmet, over.as_ref(), self.now()));
        Ok(())
    }

    pub(in crate::store) async fn refuse_while_engaging(&self, name: &Name) -> Result<()> {
        let engaged = self.live_with::<Subprocessor>("engaged_by", name.as_str()).await?;
        let in_use: Vec<_> =
            engaged.iter().filter(|s| matches!(s.message.state(), State::Active | State::Suspended)).collect();
        if in_use.is_empty() {
            return Ok(());
        }
        let message = format!("{name} engages {} subprocessors that are in use", in_use.len());
        let error = Error::new(Reason::ResourceInUse, message).with("references", in_use.len());
        Err(in_use.into_iter().take(10).fold(error, |error, other| {
            error.precondition("REFERENCE", other.name(), format!("engaged_by of {} refers to {name}", other.name()))
        }))
    }
}

/// The refusal that names each gate that is not met.
pub(super) fn refuse_gates(name: &str, organization: &str, unmet: &[Unmet]) -> Error {
    let message = format!("{name}: gates of {organization} that are not met: {}", unmet.len());
    unmet.iter().fold(Error::new(Reason::GateRefused, message), |error, gate| {
        let kind = gate.gate.as_str_name().trim_start_matches("GATE_");
        let subject = if gate.subject.is_empty() { name } else { gate.subject.as_str() };
        error.precondition(kind_of(kind), subject, gate.detail.clone())
    })
}

/// Records of gates that were not met, and how they were passed: by an override, or because the policy only advises.
pub(super) fn records(unmet: Vec<Unmet>, over: Option<&Override>, now: Timestamp) -> Vec<GateRecord> {
    let outcome = if over.is_some() { Outcome::Overridden } else { Outcome::Advisory };
    let record = |gate: Unmet| GateRecord {
        gate: gate.gate.into(),
        outcome: outcome.into(),
        detail: gate.detail,
        record_time: Some(timestamp(now.as_microsecond())),
        r#override: over.cloned(),
    };
    one_for_each_gate(unmet).into_iter().map(record).collect()
}

/// One record for each gate, whatever it is that it does not find.
fn one_for_each_gate(unmet: Vec<Unmet>) -> Vec<Unmet> {
    let mut records: Vec<Unmet> = Vec::new();
    for one in unmet {
        match records.iter_mut().find(|record| record.gate == one.gate) {
            Some(record) => record.detail = format!("{}; {}", record.detail, one.detail),
            None => records.push(one),
        }
    }
    records
}

/// The word of a gate, as a precondition's type.
fn kind_of(word: &str) -> &'static str {
    match word {
        "DPA_IN_FORCE" => "GATE_DPA_IN_FORCE",
        "TRANSFERS_COVERED" => "GATE_TRANSFERS_COVERED",
        "ANNEX_III_COMPLETE" => "GATE_ANNEX_III_COMPLETE",
        _ => "GATE_NOTICE_CLEARED",
    }
}
