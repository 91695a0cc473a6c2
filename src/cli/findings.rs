//! `findings`: what is wrong or falls due, and `findings acknowledge`: what somebody says to it.

use clap::{Args, Subcommand};

use super::{
    Common, Print,
    client::{Registry, request_id},
    contract,
    failure::Outcome,
    output::{Format, Out},
    resource::AsOf,
    value,
};
use crate::proto::v1::{
    AcknowledgeFindingRequest, Finding, ListFindingsRequest, ListFindingsResponse,
    finding::{Kind, Severity},
};

/// How many are asked for at once: a finding with its evidence is some thousand bytes at most.
const PAGE: i32 = 500;

/// Arguments of `findings`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Findings {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Leave a finding out until a day, for a reason. It is back on that day, or when it becomes another one.
    Acknowledge(Acknowledge),
}

#[derive(Debug, Args)]
struct List {
    /// An organization, by its name or id; `-` for all of them.
    #[arg(default_value = "-")]
    organization: String,
    /// The day. Absent: today (UTC).
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true)]
    date: String,
    /// Also what falls due within so many days after it.
    #[arg(long, value_name = "DAYS", default_value_t = 0, hide_default_value = true, allow_negative_numbers = true)]
    within: i32,
    /// Only what is at least so grave: INFO, WARNING or CRITICAL.
    #[arg(long, value_parser = severity, value_name = "SEVERITY")]
    severity: Option<Severity>,
    /// Only findings of this kind, e.g. `DPA_DUE`. May be given several times.
    #[arg(long, value_parser = kind, value_name = "KIND")]
    kind: Vec<Kind>,
    /// Only findings about this resource.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    subject: String,
    /// Those that are acknowledged too.
    #[arg(long)]
    acknowledged: bool,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Acknowledge {
    /// The finding, `organizations/{organization}/findings/{finding}`.
    name: String,
    /// Why it is left as it is.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The first day on which it is back.
    #[arg(long, value_name = "DATE", value_parser = value::day)]
    until: String,
    /// Fail if somebody else acknowledged it since this etag was read.
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

impl Findings {
    /// Lists, or acknowledges.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        match self.action {
            Some(Action::Acknowledge(acknowledge)) => acknowledge.run(out).await,
            None => self.list.run(out).await,
        }
    }
}

impl List {
    /// Prints the findings of all pages.
    async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let mut answer = ListFindingsResponse::default();
        let mut request = ListFindingsRequest {
            parent: contract::organization(&self.organization),
            date: self.date,
            within_days: self.within,
            kinds: self.kind.into_iter().map(i32::from).collect(),
            severity: self.severity.unwrap_or_default().into(),
            subject: self.subject,
            show_acknowledged: self.acknowledged,
            page_size: PAGE,
            as_of: self.as_of.map(|as_of| as_of.message()),
            ..ListFindingsRequest::default()
        };
        loop {
            let page: ListFindingsResponse =
                registry.call("TransferMechanismService/ListFindings", request.clone()).await?;
            answer.findings.extend(page.findings);
            (answer.revision, answer.date) = (page.revision, page.date);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let headings = ["SEVERITY", "KIND", "SINCE", "SUBJECT", "WHAT", "ACKNOWLEDGED UNTIL", "NAME"];
        out.table(&headings.map(ToOwned::to_owned), answer.findings.iter().map(row).collect())
    }
}

fn row(finding: &Finding) -> Vec<String> {
    let what = match finding.citation.as_str() {
        "" => finding.text.clone(),
        citation => format!("{} ({citation})", finding.text),
    };
    vec![
        value::short("Finding.Severity", finding.severity),
        value::short("Finding.Kind", finding.kind),
        finding.since_date.clone(),
        finding.subject.clone(),
        what,
        finding.acknowledgement.as_ref().map(|said| said.return_date.clone()).unwrap_or_default(),
        finding.name.clone(),
    ]
}

impl Acknowledge {
    /// Acknowledges, and says until when.
    async fn run(self, out: &mut Out) -> Outcome {
        let request = AcknowledgeFindingRequest {
            name: self.name,
            reason: self.reason,
            return_date: self.until,
            etag: self.etag,
            request_id: request_id(),
            validate_only: self.dry_run,
        };
        let registry = Registry::connect(&self.common).await?;
        let answer: Finding = registry.call("TransferMechanismService/AcknowledgeFinding", request).await?;
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let said = answer.acknowledgement.unwrap_or_default();
        match self.dry_run {
            true => out.line(format!("{}: would be back on {}", answer.name, said.return_date)),
            false => out.line(format!("{}: back on {}, revision {}", answer.name, said.return_date, said.revision)),
        }
    }
}

/// The severity of this name, in the short form.
fn severity(text: &str) -> Result<Severity, String> {
    let found = Severity::from_str_name(&format!("SEVERITY_{}", text.to_uppercase()));
    found.filter(|one| *one != Severity::Unspecified).ok_or_else(|| "one of INFO, WARNING, CRITICAL".to_owned())
}

/// The kind of this name, in the short form.
fn kind(text: &str) -> Result<Kind, String> {
    let word = |kind: Kind| kind.as_str_name().trim_start_matches("KIND_");
    let kinds = || (1..).map_while(|number| Kind::try_from(number).ok());
    let asked = text.to_uppercase().replace('-', "_");
    kinds()
        .find(|kind| word(*kind) == asked)
        .ok_or_else(|| format!("one of {}", kinds().map(word).collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_severities_go_by_their_short_words() {
        assert_eq!(kind("DPA_DUE"), Ok(Kind::DpaDue));
        assert_eq!(kind("gate-overridden"), Ok(Kind::GateOverridden));
        assert!(kind("nothing").is_err_and(|rule| rule.contains("REVIEW_DUE") && !rule.contains("UNSPECIFIED")));
        assert!(kind("UNSPECIFIED").is_err());
        assert_eq!(severity("critical"), Ok(Severity::Critical));
        assert!(severity("UNSPECIFIED").is_err() && severity("").is_err());
    }
}
