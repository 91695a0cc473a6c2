//! `notice preview`: what publishing would do.

use clap::Args;

use super::File;
use crate::{
    cli::{
        Common, Print,
        client::Registry,
        contract,
        failure::Outcome,
        output::{Format, Out},
        value,
    },
    proto::v1::{PreviewNoticeRequest, PreviewNoticeResponse, PreviewedCustomer},
};

/// Customers asked for at a time.
const PAGE: i32 = 500;

/// Arguments of `notice preview`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").args(["name", "file"]).required(true)))]
pub(super) struct Preview {
    /// A stored notice, `organizations/{organization}/notices/{notice}`.
    name: Option<String>,
    /// A notice that is not stored, as `notice create` reads it; `-` is standard input.
    #[arg(long, value_name = "FILE", requires = "organization")]
    file: Option<String>,
    /// Whose notice that would be: the organization's name or id.
    #[arg(long, value_name = "ORGANIZATION", requires = "file")]
    organization: Option<String>,
    /// As if it were published then. Absent: now.
    #[arg(long, value_name = "TIME", value_parser = value::moment)]
    at: Option<prost_types::Timestamp>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Preview {
    /// Prints whom it would reach, and what of it when.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let file = self.file.as_deref().map(File::read).transpose()?;
        let mut request = PreviewNoticeRequest {
            name: self.name.unwrap_or_default(),
            parent: self.organization.as_deref().map(contract::organization).unwrap_or_default(),
            notice: file.as_ref().map(|file| file.entry.message.clone()),
            publish_time: self.at,
            page_size: PAGE,
            ..PreviewNoticeRequest::default()
        };
        let registry = Registry::connect(&self.common).await?;
        let mut answer = PreviewNoticeResponse::default();
        loop {
            let page = registry.call("ChangeNotificationService/PreviewNotice", request.clone()).await;
            let page: PreviewNoticeResponse = match (page, &file) {
                (Err(failure), Some(file)) => return Err(file.locate(failure)),
                (page, _) => page?,
            };
            let known = std::mem::take(&mut answer.customers);
            answer = page;
            answer.customers.splice(0..0, known);
            if answer.next_page_token.is_empty() {
                break;
            }
            request.page_token = std::mem::take(&mut answer.next_page_token);
        }
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        if let Some(notice) = &answer.notice {
            super::status::changes(out, notice, true)?;
            out.line("")?;
        }
        let headings = ["CUSTOMER", "REACHED", "WHY", "METHOD", "OBJECT UNTIL", "CLEAR FROM", "HELD BACK"];
        out.table(&headings.map(ToOwned::to_owned), answer.customers.iter().map(row).collect())?;
        let reached = value::count(i64::from(answer.recipient_count), "customer");
        out.line(format!("reaches {reached}, held back from {} if nobody answers", answer.held_back_count))?;
        let earliest = value::time(answer.earliest_effective_time.as_ref());
        if !earliest.is_empty() {
            out.line(format!("for everybody at {earliest} at the earliest"))?;
        }
        for gate in &answer.unmet_gates {
            out.line(format!("gate not met: {gate}"))?;
        }
        Ok(())
    }
}

fn row(one: &PreviewedCustomer) -> Vec<String> {
    let message = value::dynamic(one);
    vec![
        one.customer.clone(),
        if one.reached { "yes" } else { "no" }.to_owned(),
        one.reason.clone(),
        value::at(&message, "recipient.method"),
        value::at(&message, "recipient.changes.objection_deadline_time"),
        value::at(&message, "recipient.changes.clear_time"),
        one.held_back_change_ids.join(", "),
    ]
}
