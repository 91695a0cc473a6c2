//! `claims`: what the law says of what documents claim.

use clap::Args;

use super::{
    Common, Print,
    client::Registry,
    failure::Outcome,
    output::{Format, Out},
    resource::AsOf,
    value,
};
use crate::proto::v1::{AssessClaimsRequest, AssessClaimsResponse, ClaimAssessment};

/// Arguments of `claims`.
#[derive(Debug, Args)]
pub(super) struct Claims {
    /// A document, `organizations/{organization}/documents/{document}`; an organization, for all its documents; or
    /// `organizations/-`.
    parent: String,
    /// The day. Absent: today (UTC).
    #[arg(long, value_name = "DATE", default_value = "", hide_default_value = true)]
    date: String,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Claims {
    /// Prints what each claim is worth, of all pages.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let mut answer = AssessClaimsResponse::default();
        let mut request = AssessClaimsRequest {
            parent: self.parent,
            date: self.date,
            page_size: 1_000,
            as_of: self.as_of.map(|as_of| as_of.message()),
            ..AssessClaimsRequest::default()
        };
        loop {
            let page: AssessClaimsResponse =
                registry.call("TransferMechanismService/AssessClaims", request.clone()).await?;
            answer.assessments.extend(page.assessments);
            (answer.revision, answer.date) = (page.revision, page.date);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let headings = ["DOCUMENT", "LINE", "INSTRUMENT", "REGIME", "AREAS", "USABLE", "VERDICT", "WHY"];
        out.table(&headings.map(ToOwned::to_owned), answer.assessments.iter().map(row).collect())
    }
}

fn row(claim: &ClaimAssessment) -> Vec<String> {
    let areas = claim.exporter_areas.iter().map(|area| value::short("ExporterArea", *area));
    let why = claim.reasons.iter().map(|reason| match reason.citation.as_str() {
        "" => reason.text.clone(),
        citation => format!("{} ({citation})", reason.text),
    });
    vec![
        claim.document.clone(),
        if claim.line == 0 { String::new() } else { claim.line.to_string() },
        claim.instrument.trim_start_matches("instruments/").to_owned(),
        value::short("Regime", claim.regime),
        areas.collect::<Vec<_>>().join(", "),
        if claim.instrument_usable { "yes" } else { "no" }.to_owned(),
        value::short("Verdict", claim.verdict),
        why.collect::<Vec<_>>().join("; "),
    ]
}
