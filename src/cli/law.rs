//! `assess` and `claims`: what the law says of transfers, and of what documents claim.

use clap::Args;

use super::{
    Common, Print,
    client::Registry,
    contract,
    failure::Outcome,
    output::{Format, Out},
    resource::AsOf,
    value,
};
use crate::proto::v1::{
    AssessClaimsRequest, AssessClaimsResponse, AssessTransfersRequest, AssessTransfersResponse, AssessmentReason,
    ClaimAssessment, TransferAssessment,
};

/// Arguments of `assess`.
#[derive(Debug, Args)]
pub(super) struct Assess {
    /// An organization, `organizations/-` for all, or one transfer, `organizations/{organization}/transfers/{transfer}`.
    parent: String,
    /// The day. Absent, without a range: today (UTC).
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true, conflicts_with_all = ["from", "to"])]
    date: String,
    /// First day of a range, which is answered in intervals.
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true, requires = "to")]
    from: String,
    /// Last day of the range.
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true, requires = "from")]
    to: String,
    /// Only transfers that this AIP-160 filter takes, e.g. `regime = EU_GDPR`; then nothing is derived.
    #[arg(long, default_value = "", hide_default_value = true)]
    filter: String,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Assess {
    /// Prints the verdicts, of all pages.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let mut answer = AssessTransfersResponse::default();
        let mut request = AssessTransfersRequest {
            parent: contract::organization(&self.parent),
            date: self.date,
            from_date: self.from,
            to_date: self.to,
            filter: self.filter,
            page_size: PAGE,
            as_of: self.as_of.map(|as_of| as_of.message()),
            ..AssessTransfersRequest::default()
        };
        loop {
            let page: AssessTransfersResponse =
                registry.call("TransferMechanismService/AssessTransfers", request.clone()).await?;
            answer.assessments.extend(page.assessments);
            answer.revision = page.revision;
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let headings = ["TRANSFER", "REGIME", "DAYS", "VERDICT", "UNTIL", "RESTS ON", "WHY"];
        out.table(&headings.map(ToOwned::to_owned), answer.assessments.iter().map(assessed).collect())
    }
}

/// How many are asked for at once: an answer with its reasons is some hundred bytes.
const PAGE: i32 = 200;

/// The transfer that an answer is about, or the location it is derived from.
pub(super) fn what(one: &TransferAssessment) -> String {
    match &one.derived_from {
        Some(from) => format!("{} locations[{}] {}", from.subprocessor, from.location_index, from.region_code),
        None => one.transfer.clone(),
    }
}

fn assessed(one: &TransferAssessment) -> Vec<String> {
    let days = match one.date.as_str() {
        "" => format!("{} to before {}", one.from_date, one.end_date),
        day => day.to_owned(),
    };
    let best = one.mechanism_assessments.iter().find(|mechanism| mechanism.verdict == one.verdict);
    let reasons = one.reasons.iter().chain(best.iter().flat_map(|mechanism| &mechanism.reasons));
    let assumed = if one.assumed { " (assumed)" } else { "" };
    vec![
        what(one),
        format!("{}{assumed}", value::short("Regime", one.regime)),
        days,
        value::short("Verdict", one.verdict),
        one.valid_until_date.clone(),
        best.map_or("", |mechanism| mechanism.instrument.trim_start_matches("instruments/")).to_owned(),
        reasons.map(why).collect::<Vec<_>>().join("; "),
    ]
}

/// A reason with what it rests on.
fn why(reason: &AssessmentReason) -> String {
    match reason.citation.as_str() {
        "" => reason.text.clone(),
        citation => format!("{} ({citation})", reason.text),
    }
}

/// Arguments of `claims`.
#[derive(Debug, Args)]
pub(super) struct Claims {
    /// A document, `organizations/{organization}/documents/{document}`; an organization, for all its documents; or
    /// `organizations/-`.
    parent: String,
    /// The day. Absent: today (UTC).
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true)]
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
            parent: contract::organization(&self.parent),
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
    vec![
        claim.document.clone(),
        if claim.line == 0 { String::new() } else { claim.line.to_string() },
        claim.instrument.trim_start_matches("instruments/").to_owned(),
        value::short("Regime", claim.regime),
        areas.collect::<Vec<_>>().join(", "),
        if claim.instrument_usable { "yes" } else { "no" }.to_owned(),
        value::short("Verdict", claim.verdict),
        claim.reasons.iter().map(why).collect::<Vec<_>>().join("; "),
    ]
}
