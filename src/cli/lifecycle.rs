//! `activate`, `suspend`, `retire` and `trace`: one subprocessor's life, and its place in the chain.

use clap::Args;
use prost::Message;

use super::{
    Common, Print,
    client::{Registry, request_id},
    failure::Outcome,
    output::{Format, Out},
    resource::{AsOf, resource_to},
    value,
};
use crate::proto::v1::{
    ActivateRequest, Override, RetireRequest, Subprocessor, SuspendRequest, TraceSubprocessorRequest,
    TraceSubprocessorResponse,
};

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
    #[arg(long, value_name = "DATE", default_value = "", hide_default_value = true)]
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

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub(super) struct Trace {
    /// The subprocessor, `organizations/{organization}/subprocessors/{subprocessor}`.
    name: String,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Trace {
    /// Prints the chain, from the organization down.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let request = TraceSubprocessorRequest { name: self.name, as_of: self.as_of.map(|as_of| as_of.message()) };
        let answer: TraceSubprocessorResponse = registry.call("SubprocessorService/TraceSubprocessor", request).await?;
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let headings = ["CHAIN", "DISPLAY NAME", "STATE"].map(ToOwned::to_owned);
        out.table(&headings, chain(&answer))
    }
}

/// The chain as rows, indented by how far from the organization each is; the one asked for has a mark.
fn chain(answer: &TraceSubprocessorResponse) -> Vec<Vec<String>> {
    let above = answer.upstream.iter().rev().enumerate().map(|(depth, subprocessor)| (depth, "", subprocessor));
    let here = answer.upstream.len();
    let subject = answer.subprocessor.iter().map(|subprocessor| (here, "* ", subprocessor));
    let below = below(answer).into_iter().map(|(depth, subprocessor)| (here + depth, "", subprocessor));
    let row = |(depth, mark, subprocessor): (usize, &str, &Subprocessor)| {
        let state = value::short("Subprocessor.State", subprocessor.state);
        let name = format!("{}{mark}{}", "  ".repeat(depth), subprocessor.name);
        vec![name, subprocessor.display_name.clone(), state]
    };
    above.chain(subject).chain(below).map(row).collect()
}

/// What is below as a tree: each after the one that engages it.
fn below(answer: &TraceSubprocessorResponse) -> Vec<(usize, &Subprocessor)> {
    let links: Vec<(usize, &Subprocessor)> = answer
        .downstream
        .iter()
        .filter_map(|link| Some((usize::try_from(link.depth).unwrap_or(1), link.subprocessor.as_ref()?)))
        .collect();
    let root = answer.subprocessor.as_ref().map_or("", |subprocessor| subprocessor.name.as_str());
    let mut rows = Vec::new();
    let mut open = vec![(1, root)];
    let mut listed = std::collections::BTreeSet::new();
    // The children of the last one opened come next; a name is listed once, whatever the server says.
    while let Some((depth, parent)) = open.pop() {
        let children: Vec<_> = links.iter().filter(|(at, child)| *at == depth && child.engaged_by == parent).collect();
        if let Some((_, child)) = children.into_iter().find(|(_, child)| !listed.contains(&child.name)) {
            listed.insert(child.name.clone());
            rows.push((depth, *child));
            open.push((depth, parent));
            open.push((depth + 1, child.name.as_str()));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::Link;

    #[test]
    fn a_chain_is_shown_from_the_organization_down_as_a_tree() {
        let one = |name: &str, by: &str| Subprocessor {
            name: name.to_owned(),
            engaged_by: by.to_owned(),
            ..Default::default()
        };
        let link = |depth, name: &str, by: &str| Link { subprocessor: Some(one(name, by)), depth };
        let answer = TraceSubprocessorResponse {
            subprocessor: Some(one("c", "b")),
            upstream: vec![one("b", "a"), one("a", "")],
            downstream: vec![link(1, "d", "c"), link(1, "e", "c"), link(2, "f", "d"), link(2, "g", "e")],
            revision: 1,
        };
        let names: Vec<String> = chain(&answer).iter().filter_map(|row| row.first().cloned()).collect();
        assert_eq!(names, ["a", "  b", "    * c", "      d", "        f", "      e", "        g"]);
    }
}
