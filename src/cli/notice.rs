//! `notice`: telling customers of changes before they happen, and what becomes of it.

mod answer;
mod evidence;
mod preview;
mod status;

use clap::{Args, Subcommand};
use prost::Message;

use super::{
    Writing, apply,
    client::{Registry, request_id},
    contract,
    failure::{Failure, Outcome},
    file,
    output::{Format, Out},
    resource::resource_to,
    value,
};
use crate::{
    manifest::{Entry, read_one},
    proto::v1::{self, ApproveNoticeRequest, CreateNoticeRequest, PublishNoticeRequest, WithdrawNoticeRequest},
    resource::name::Kind,
};

/// Arguments of `notice`.
#[derive(Debug, Args)]
pub(super) struct Notice {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say what publishing would do: whom it reaches and why, each one's deadlines, and from whom it would be held back.
    Preview(preview::Preview),
    /// Create a notice from a file: a DRAFT, or what a vendor announced (`inbound: true`) with the draft to pass it on.
    Create(Create),
    /// Approve a DRAFT. Somebody else than its authors has to, unless the organization's policy says otherwise.
    Approve(Approve),
    /// Publish an APPROVED notice: customers are told, each by clocks that its agreement sets now and for good.
    Publish(Publish),
    /// Withdraw a notice that has not taken effect, or some of its changes.
    Withdraw(Withdraw),
    /// Show where a notice stands: its changes, and each recipient with status, deadlines and clear time.
    Status(status::Status),
    /// Write down what proves a notice: its text, its audience, what was sent and answered, and the log's hashes.
    Evidence(evidence::Evidence),
    /// Record that a customer has taken note of a notice.
    Ack(answer::Ack),
    /// Record that a customer authorizes changes.
    Authorize(answer::Authorize),
    /// Record that a customer whose authorization is specific denies changes.
    Deny(answer::Deny),
    /// Record that a customer was told, that it arrived, or that it came back, with the evidence.
    Deliver(answer::Deliver),
    /// Record a question of a customer.
    Ask(answer::Ask),
    /// Record the answer to a question.
    Answer(answer::Reply),
}

impl Notice {
    /// Does what is asked for.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        match self.action {
            Action::Preview(preview) => preview.run(out).await,
            Action::Create(create) => create.run(out).await,
            Action::Approve(approve) => approve.run(out).await,
            Action::Publish(publish) => publish.run(out).await,
            Action::Withdraw(withdraw) => withdraw.run(out).await,
            Action::Status(status) => status.run(out).await,
            Action::Evidence(evidence) => evidence.run(out).await,
            Action::Ack(ack) => ack.run(out).await,
            Action::Authorize(authorize) => authorize.run(out).await,
            Action::Deny(deny) => deny.run(out).await,
            Action::Deliver(deliver) => deliver.run(out).await,
            Action::Ask(ask) => ask.run(out).await,
            Action::Answer(reply) => reply.run(out).await,
        }
    }
}

/// What the steps of a notice's life take.
#[derive(Debug, Args)]
struct Step {
    /// The notice, `organizations/{organization}/notices/{notice}`.
    name: String,
    /// Fail if it changed since this etag was read.
    #[arg(long, default_value = "", hide_default_value = true)]
    etag: String,
    #[command(flatten)]
    writing: Writing,
}

impl Writing {
    /// Writes, and says where the notice stands now.
    async fn notice<Q>(&self, method: &str, request: Q, out: &mut Out) -> Outcome<v1::Notice>
    where
        Q: Message + Clone + 'static,
    {
        let registry = Registry::connect(&self.common).await?;
        let notice: v1::Notice = registry.call(&format!("ChangeNotificationService/{method}"), request).await?;
        if self.print.output != Format::Table {
            resource_to(out, self.print.output, &value::dynamic(&notice))?;
            return Ok(notice);
        }
        let state = value::short("Notice.State", notice.state);
        match self.dry_run {
            true => out.line(format!("{}: would be {state}", notice.name))?,
            false => out.line(format!("{}: {state}, revision {}", notice.name, notice.revision))?,
        }
        Ok(notice)
    }

    /// Says a line, where people read.
    fn add(&self, out: &mut Out, line: impl FnOnce() -> String) -> Outcome {
        if self.print.output == Format::Table { out.line(line()) } else { Ok(()) }
    }
}

/// Arguments of `notice create`.
#[derive(Debug, Args)]
struct Create {
    /// The notice, YAML or JSON with the fields as the API names them: `title`, `body`, `changes`; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// Whose notice it is: the organization's name or id.
    #[arg(long, value_name = "ORGANIZATION")]
    organization: String,
    /// The last part of its name. Absent: `id` of the file, else the server makes one.
    #[arg(long, default_value = "", hide_default_value = true)]
    id: String,
    #[command(flatten)]
    writing: Writing,
}

impl Create {
    async fn run(self, out: &mut Out) -> Outcome {
        let file = File::read(&self.file)?;
        let request = CreateNoticeRequest {
            parent: contract::organization(&self.organization),
            notice_id: if self.id.is_empty() { file.id.clone() } else { self.id },
            notice: Some(file.entry.message.clone()),
            request_id: request_id(),
            validate_only: self.writing.dry_run,
        };
        let made = self.writing.notice("CreateNotice", request, out).await.map_err(|failure| file.locate(failure))?;
        if !made.follow_up_notice.is_empty() {
            let last = if made.pass_on_date.is_empty() { String::new() } else { format!(" by {}", made.pass_on_date) };
            self.writing.add(out, || format!("  to be passed on{last}: {}", made.follow_up_notice))?;
        }
        Ok(())
    }
}

/// A file that holds a notice.
struct File<'a> {
    name: &'a str,
    /// The id that it gives; empty for none.
    id: String,
    entry: Entry<v1::Notice>,
}

impl<'a> File<'a> {
    /// Reads it. What is wrong with it is said line by line.
    fn read(name: &'a str) -> Outcome<Self> {
        let read = read_one(&file::document(name)?, Kind::Notice);
        let (id, entry) = read.map_err(|error| Failure::Located(apply::located(name, &error.into())))?;
        Ok(Self { name, id, entry })
    }

    /// What the server refuses of the notice, by its line in the file.
    fn locate(&self, failure: Failure) -> Failure {
        let Failure::Refused(status) = &failure else { return failure };
        let lines: Option<Vec<String>> = super::failure::violations(status)
            .into_iter()
            .map(|(field, rule)| {
                let (path, rule) = self.entry.place.violation(field.strip_prefix("notice.")?, &rule);
                Some(apply::locate_one(self.name, &path, &rule))
            })
            .collect();
        match lines {
            Some(lines) if !lines.is_empty() => Failure::Located(lines),
            _ => failure,
        }
    }
}

/// Arguments of `notice approve`.
#[derive(Debug, Args)]
struct Approve {
    #[command(flatten)]
    step: Step,
}

impl Approve {
    async fn run(self, out: &mut Out) -> Outcome {
        let Step { name, etag, writing } = self.step;
        let validate_only = writing.dry_run;
        let request = ApproveNoticeRequest { name, etag, request_id: request_id(), validate_only };
        writing.notice("ApproveNotice", request, out).await?;
        Ok(())
    }
}

/// Arguments of `notice publish`.
#[derive(Debug, Args)]
struct Publish {
    #[command(flatten)]
    step: Step,
}

impl Publish {
    async fn run(self, out: &mut Out) -> Outcome {
        let Step { name, etag, writing } = self.step;
        let validate_only = writing.dry_run;
        let request = PublishNoticeRequest { name, etag, request_id: request_id(), validate_only };
        let notice = writing.notice("PublishNotice", request, out).await?;
        let reached = value::count(i64::from(notice.recipient_count), "customer");
        let more = if notice.audience_complete { "" } else { " so far" };
        writing.add(out, || format!("  reaches {reached}{more}"))?;
        if notice.earliest_effective_time.is_some() {
            let earliest = value::time(notice.earliest_effective_time.as_ref());
            writing.add(out, || format!("  for everybody at {earliest} at the earliest"))?;
        }
        Ok(())
    }
}

/// Arguments of `notice withdraw`.
#[derive(Debug, Args)]
struct Withdraw {
    #[command(flatten)]
    step: Step,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only this change; can be given several times. Absent: all that have not taken effect.
    #[arg(long, value_name = "ID")]
    change: Vec<String>,
}

impl Withdraw {
    async fn run(self, out: &mut Out) -> Outcome {
        let Step { name, etag, writing } = self.step;
        let request = WithdrawNoticeRequest {
            name,
            etag,
            change_ids: self.change,
            reason: self.reason,
            request_id: request_id(),
            validate_only: writing.dry_run,
        };
        writing.notice("WithdrawNotice", request, out).await?;
        Ok(())
    }
}
