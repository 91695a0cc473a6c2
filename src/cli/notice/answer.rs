//! What is recorded of a recipient: that it was told, and what it says.

use clap::Args;
use prost::Message;

use crate::{
    cli::{
        Writing,
        client::{Registry, request_id},
        contract,
        failure::Outcome,
        output::{Format, Out},
        resource::resource_to,
        value,
    },
    proto::v1::{
        AcknowledgeNoticeRequest, AnswerNoticeQuestionRequest, AskNoticeQuestionRequest, AuthorizeNoticeRequest,
        DenyNoticeRequest, NoticeRecipient, RecordDeliveryRequest,
    },
};

/// Whose answer to which notice.
#[derive(Debug, Args)]
struct Whose {
    /// The notice, `organizations/{organization}/notices/{notice}`.
    name: String,
    /// The customer: its name or its id.
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    #[command(flatten)]
    writing: Writing,
}

impl Whose {
    fn customer(&self) -> String {
        contract::customer(&contract::organization_of(&self.name), &self.customer)
    }

    /// Records it, and says where the customer stands now.
    async fn say<Q>(&self, method: &str, request: Q, out: &mut Out) -> Outcome
    where
        Q: Message + Clone + 'static,
    {
        let Writing { dry_run, print, common } = &self.writing;
        let registry = Registry::connect(common).await?;
        let answer: NoticeRecipient = registry.call(&format!("ChangeNotificationService/{method}"), request).await?;
        if print.output != Format::Table {
            return resource_to(out, print.output, &value::dynamic(&answer));
        }
        match dry_run {
            true => out.line(format!("{}: nothing was written", answer.name))?,
            false => out.line(format!("{}: revision {}", answer.name, answer.revision))?,
        }
        for change in &answer.changes {
            let clear = value::time(change.clear_time.as_ref());
            let clear = if clear.is_empty() { clear } else { format!(", clear from {clear}") };
            out.line(format!(
                "  {}: {}{clear}",
                change.change_id,
                value::short("RecipientChange.Status", change.status)
            ))?;
        }
        Ok(())
    }
}

/// Arguments of `notice ack`.
#[derive(Debug, Args)]
pub(super) struct Ack {
    #[command(flatten)]
    whose: Whose,
    /// When it did. Absent: now.
    #[arg(long, value_name = "TIME", value_parser = value::moment)]
    at: Option<prost_types::Timestamp>,
}

impl Ack {
    /// Records that it took note.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let request = AcknowledgeNoticeRequest {
            name: self.whose.name.clone(),
            customer: self.whose.customer(),
            event_time: self.at,
            request_id: request_id(),
            validate_only: self.whose.writing.dry_run,
        };
        self.whose.say("AcknowledgeNotice", request, out).await
    }
}

/// Which changes, and why.
#[derive(Debug, Args)]
struct What {
    /// Only this change; can be given several times. Absent: all that concern it.
    #[arg(long, value_name = "ID")]
    change: Vec<String>,
    /// What it wrote, or where that stands.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    note: String,
}

/// Arguments of `notice authorize`.
#[derive(Debug, Args)]
pub(super) struct Authorize {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    what: What,
}

impl Authorize {
    /// Records that it authorizes.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let request = AuthorizeNoticeRequest {
            name: self.whose.name.clone(),
            customer: self.whose.customer(),
            change_ids: self.what.change,
            note: self.what.note,
            request_id: request_id(),
            validate_only: self.whose.writing.dry_run,
        };
        self.whose.say("AuthorizeNotice", request, out).await
    }
}

/// Arguments of `notice deny`.
#[derive(Debug, Args)]
pub(super) struct Deny {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    what: What,
}

impl Deny {
    /// Records that it denies.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let request = DenyNoticeRequest {
            name: self.whose.name.clone(),
            customer: self.whose.customer(),
            change_ids: self.what.change,
            note: self.what.note,
            request_id: request_id(),
            validate_only: self.whose.writing.dry_run,
        };
        self.whose.say("DenyNotice", request, out).await
    }
}

/// Arguments of `notice deliver`.
#[derive(Debug, Args)]
pub(super) struct Deliver {
    #[command(flatten)]
    whose: Whose,
    /// What happened: SENT, DELIVERED or BOUNCED.
    #[arg(long, value_name = "KIND", value_parser = |text: &str| value::number("DeliveryReceipt.Kind", text))]
    kind: i32,
    /// What proves it: a message id, a tracking number, the name of a document.
    #[arg(long, value_name = "TEXT")]
    evidence: String,
    /// When it happened. Absent: now.
    #[arg(long, value_name = "TIME", value_parser = value::moment)]
    at: Option<prost_types::Timestamp>,
}

impl Deliver {
    /// Records how it was told.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let request = RecordDeliveryRequest {
            name: self.whose.name.clone(),
            customer: self.whose.customer(),
            kind: self.kind,
            event_time: self.at,
            evidence: self.evidence,
            request_id: request_id(),
            validate_only: self.whose.writing.dry_run,
        };
        self.whose.say("RecordDelivery", request, out).await
    }
}

/// Arguments of `notice ask`.
#[derive(Debug, Args)]
pub(super) struct Ask {
    #[command(flatten)]
    whose: Whose,
    /// What it asks.
    question: String,
    /// Tells the question apart. Absent: the server makes one.
    #[arg(long, default_value = "", hide_default_value = true)]
    id: String,
}

impl Ask {
    /// Records the question, and says how to answer it.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let request = AskNoticeQuestionRequest {
            name: self.whose.name.clone(),
            customer: self.whose.customer(),
            question: self.question,
            question_id: if self.id.is_empty() { uuid::Uuid::now_v7().simple().to_string() } else { self.id },
            request_id: request_id(),
            validate_only: self.whose.writing.dry_run,
        };
        let id = request.question_id.clone();
        self.whose.say("AskNoticeQuestion", request, out).await?;
        self.whose.writing.add(out, || format!("  question {id}"))
    }
}

/// Arguments of `notice answer`.
#[derive(Debug, Args)]
pub(super) struct Reply {
    #[command(flatten)]
    whose: Whose,
    /// The question's id.
    #[arg(value_name = "QUESTION")]
    question: String,
    /// What is answered.
    answer: String,
    /// What was done for the customer.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    mitigation: String,
}

impl Reply {
    /// Records the answer.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let request = AnswerNoticeQuestionRequest {
            name: self.whose.name.clone(),
            customer: self.whose.customer(),
            question_id: self.question,
            answer: self.answer,
            mitigation: self.mitigation,
            request_id: request_id(),
            validate_only: self.whose.writing.dry_run,
        };
        self.whose.say("AnswerNoticeQuestion", request, out).await
    }
}
