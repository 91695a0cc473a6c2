//! `notice evidence`: what proves a notice.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{
    cli::{Common, client::Registry, contract, failure::Outcome, file, output::Out, resource::AsOf},
    proto::v1::{RenderNoticeEvidenceRequest, RenderNoticeEvidenceResponse, render_notice_evidence_request::Format},
};

/// Arguments of `notice evidence`.
#[derive(Debug, Args)]
pub(super) struct Evidence {
    /// The notice, `organizations/{organization}/notices/{notice}`.
    name: String,
    /// Only what concerns this customer, by its name or id; can be given several times.
    #[arg(long, value_name = "CUSTOMER")]
    customer: Vec<String>,
    /// From what the registry held then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    /// In which format.
    #[arg(long, value_enum, default_value_t = Form::Json)]
    format: Form,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// How evidence is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For programs.
    Json,
    /// A page to read or print.
    Html,
}

impl Evidence {
    /// Asks for the evidence and writes it.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let organization = contract::organization_of(&self.name);
        let format = match self.format {
            Form::Json => Format::Json,
            Form::Html => Format::Html,
        };
        let request = RenderNoticeEvidenceRequest {
            name: self.name,
            format: format.into(),
            as_of: self.as_of.map(|as_of| as_of.message()),
            customers: self.customer.iter().map(|one| contract::customer(&organization, one)).collect(),
        };
        let registry = Registry::connect(&self.common).await?;
        let answer: RenderNoticeEvidenceResponse =
            registry.call("ChangeNotificationService/RenderNoticeEvidence", request).await?;
        file::put(out, self.output.as_deref(), &answer.content)
    }
}
