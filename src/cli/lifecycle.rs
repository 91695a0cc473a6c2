//! `activate`, `suspend` and `retire`: one subprocessor's life.

use clap::Args;
use prost::Message;

use super::{
    Common, Print,
    client::{Registry, request_id},
    failure::Outcome,
    output::{Format, Out},
    resource::resource_to,
    value,
};
use crate::proto::v1::{ActivateRequest, Override, RetireRequest, Subprocessor, SuspendRequest};

/// By which gates are passed.
#[derive(Debug, Args)]
struct Overriding {
    /// Pass gates that are not met, for this reason. It is kept for good.
    #[arg(long, value_name = "TEXT", requires = "override_approver")]
    override_reason: Option<String>,
    /// Who approved that.
    #[arg(long, value_name = "ID", requires = "override_reason")]
    override_approver: Option<String>,
}

impl Overriding {
    /// The message, if anything is to be passed.
    fn message(&self) -> Option<Override> {
        let (reason, approver) = (self.override_reason.clone()?, self.override_approver.clone()?);
        Some(Override { reason, approver })
    }
}

/// What the three steps of the lifecycle take.
#[derive(Debug, Args)]
struct Step {
    /// The subprocessor, `organizations/{organization}/subprocessors/{subprocessor}`.
    name: String,
    /// Fail if it changed since this etag was read.
    #[arg(long, default_value = "", hide_default_value = true)]
    etag: String,
    /// Check everything and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Step {
    /// Takes the step, and says where the subprocessor stands now.
    async fn take<Q>(&self, method: &str, request: Q, out: &mut Out) -> Outcome
    where
        Q: Message + Clone + 'static,
    {
        let registry = Registry::connect(&self.common).await?;
        let answer: Subprocessor = registry.call(&format!("SubprocessorService/{method}"), request).await?;
        if self.print.output != Format::Table {
            return resource_to(out, self.print.output, &value::dynamic(&answer));
        }
        let state = value::short("Subprocessor.State", answer.state);
        match self.dry_run {
            true => out.line(format!("{}: would be {state}", answer.name))?,
            false => out.line(format!("{}: {state}, revision {}", answer.name, answer.revision))?,
        }
        // They are what the last activation met, and no news at another step.
        for record in answer.gate_records.iter().filter(|_| method == "Activate") {
            let gate = value::short("GateRecord.Gate", record.gate);
            let outcome = value::short("GateRecord.Outcome", record.outcome);
            out.line(format!("  gate {gate} {outcome}: {}", record.detail))?;
        }
        Ok(())
    }
}

/// Arguments of `activate`.
#[derive(Debug, Args)]
pub(super) struct Activate {
    #[command(flatten)]
    step: Step,
    #[command(flatten)]
    passing: Overriding,
}

impl Activate {
    /// PROPOSED, ANNOUNCED or SUSPENDED to ACTIVE.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let request = ActivateRequest {
            name: self.step.name.clone(),
            etag: self.step.etag.clone(),
            r#override: self.passing.message(),
            request_id: request_id(),
            validate_only: self.step.dry_run,
        };
        self.step.take("Activate", request, out).await
    }
}

/// Arguments of `suspend`.
#[derive(Debug, Args)]
pub(super) struct Suspend {
    #[command(flatten)]
    step: Step,
}

impl Suspend {
    /// ACTIVE to SUSPENDED.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let request = SuspendRequest {
            name: self.step.name.clone(),
            etag: self.step.etag.clone(),
            request_id: request_id(),
            validate_only: self.step.dry_run,
        };
        self.step.take("Suspend", request, out).await
    }
}

/// Arguments of `retire`.
#[derive(Debug, Args)]
pub(super) struct Retire {
    #[command(flatten)]
    step: Step,
    /// First day on which it is no longer engaged. Absent: the one it has, else today.
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true)]
    end_date: String,
}

impl Retire {
    /// ACTIVE or SUSPENDED to RETIRED.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let request = RetireRequest {
            name: self.step.name.clone(),
            etag: self.step.etag.clone(),
            end_date: self.end_date.clone(),
            request_id: request_id(),
            validate_only: self.step.dry_run,
        };
        self.step.take("Retire", request, out).await
    }
}
