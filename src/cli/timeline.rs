//! `timeline`: a picture of each transfer's cover.

use std::{collections::HashMap, path::PathBuf};

use clap::Args;

use super::{Common, client::Registry, contract, failure::Outcome, file, output::Out, resource::AsOf, value};
use crate::{
    clock::Clock,
    proto::v1::{
        self, AssessTransfersRequest, AssessTransfersResponse, GetOrganizationRequest, ListSubprocessorsRequest,
        ListSubprocessorsResponse, ListTransfersRequest, ListTransfersResponse, Organization, TransferAssessment,
        as_of::Point,
    },
    rules::timeline::{self as picture, Known, range, rows, svg},
    store::version::day,
};

/// Arguments of `timeline`.
#[derive(Debug, Args)]
pub(super) struct Timeline {
    /// The organization: its name or its id.
    #[arg(value_name = "ORGANIZATION")]
    organization: String,
    /// First day [default: ten years ago]
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true)]
    from: String,
    /// Last day [default: in two years]
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true)]
    to: String,
    /// Only transfers that this AIP-160 filter takes, e.g. `regime = EU_GDPR`; then nothing is derived.
    #[arg(long, default_value = "", hide_default_value = true)]
    filter: String,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    /// Where to write the SVG [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// How many answers are asked for at once.
const PAGE: i32 = 200;

impl Timeline {
    /// Asks for the answers, and draws them.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let today = day(Clock::System.now());
        let (from_date, to_date) = range(&today, &self.from, &self.to);
        let parent = contract::organization(&self.organization);
        let request = AssessTransfersRequest {
            parent: parent.clone(),
            from_date: from_date.clone(),
            to_date: to_date.clone(),
            filter: self.filter,
            page_size: PAGE,
            as_of: self.as_of.map(|as_of| as_of.message()),
            ..AssessTransfersRequest::default()
        };
        let (answers, revision) = answers(&registry, request).await?;
        let (title, known) = known(&registry, &parent, revision).await?;
        let timeline = picture::Timeline { title, from_date, to_date, today, revision, ..Default::default() };
        let timeline = timeline.with(rows(&answers, &known, &parent), false);
        file::put(out, self.output.as_deref(), &svg(&timeline))
    }
}

async fn answers(registry: &Registry, mut request: AssessTransfersRequest) -> Outcome<(Vec<TransferAssessment>, i64)> {
    let mut all = Vec::new();
    loop {
        let page: AssessTransfersResponse =
            registry.call("TransferMechanismService/AssessTransfers", request.clone()).await?;
        all.extend(page.assessments);
        if page.next_page_token.is_empty() {
            return Ok((all, page.revision));
        }
        request.page_token = page.next_page_token;
    }
}

/// The organization's name, its transfers, and what people call those who take part in them, as of a revision.
async fn known(registry: &Registry, parent: &str, revision: i64) -> Outcome<(String, Known)> {
    let as_of = Some(v1::AsOf { point: Some(Point::Revision(revision)) });
    let request = GetOrganizationRequest { name: parent.to_owned(), as_of };
    let organization: Organization = registry.call("OrganizationService/GetOrganization", request).await?;
    let title = organization.display_name.clone();
    let mut known =
        Known { titles: HashMap::from([(organization.name, organization.display_name)]), ..Known::default() };
    let mut request = ListTransfersRequest { parent: parent.to_owned(), page_size: PAGE, as_of, ..Default::default() };
    loop {
        let page: ListTransfersResponse =
            registry.call("TransferMechanismService/ListTransfers", request.clone()).await?;
        known.transfers.extend(page.transfers.into_iter().map(|one| (one.name.clone(), one)));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let mut request =
        ListSubprocessorsRequest { parent: parent.to_owned(), page_size: PAGE, as_of, ..Default::default() };
    loop {
        let page: ListSubprocessorsResponse =
            registry.call("SubprocessorService/ListSubprocessors", request.clone()).await?;
        known.titles.extend(page.subprocessors.into_iter().map(|one| (one.name, one.display_name)));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok((title, known));
        }
    }
}
