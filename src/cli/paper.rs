//! `paper`: what the law asks for in writing.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Common, client::Registry, contract, failure::Outcome, file, output::Out, resource::AsOf, value};
use crate::proto::v1::{
    RenderPaperRequest, RenderPaperResponse,
    render_paper_request::{Format, Kind},
};

/// Arguments of `paper`.
#[derive(Debug, Args)]
pub(super) struct Paper {
    /// Which paper.
    #[arg(value_enum, value_name = "KIND")]
    kind: Word,
    /// The organization: its name or its id.
    #[arg(value_name = "ORGANIZATION")]
    organization: String,
    /// Only what reaches this customer: its name or its id.
    #[arg(long, value_name = "CUSTOMER", default_value = "", hide_default_value = true)]
    customer: String,
    /// The day for which it is made. Absent: today (UTC).
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true)]
    date: String,
    /// From what the registry held then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    /// In which format.
    #[arg(long, value_enum, default_value_t = Form::Md)]
    format: Form,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// The papers by the words of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Word {
    /// List of sub-processors, standard contractual clauses 2021/914, Annex III.
    AnnexIii,
    /// List of sub-processors, standard contractual clauses 2021/915, Annex IV.
    AnnexIv,
    /// The processor's record of processing activities, GDPR Art. 30(2).
    Record,
    /// Recipients and transfers for a privacy notice, GDPR Art. 13(1)(e) and (f).
    Notice,
}

/// How a paper is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Markdown.
    Md,
    /// A page to read or print.
    Html,
    /// One table, for a spreadsheet.
    Csv,
    /// For programs.
    Json,
}

impl Paper {
    /// Asks for the paper and writes it.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let parent = contract::organization(&self.organization);
        let request = RenderPaperRequest {
            kind: kind(self.kind).into(),
            format: format(self.format).into(),
            customer: contract::customer(&parent, &self.customer),
            parent,
            effective_at: self.date,
            as_of: self.as_of.map(|as_of| as_of.message()),
        };
        let registry = Registry::connect(&self.common).await?;
        let answer: RenderPaperResponse = registry.call("TransferMechanismService/RenderPaper", request).await?;
        file::put(out, self.output.as_deref(), &answer.content)
    }
}

fn kind(word: Word) -> Kind {
    match word {
        Word::AnnexIii => Kind::SccAnnexIii,
        Word::AnnexIv => Kind::DpaAnnexIv,
        Word::Record => Kind::ProcessingRecord,
        Word::Notice => Kind::PrivacyNoticeRecipients,
    }
}

fn format(form: Form) -> Format {
    match form {
        Form::Md => Format::Markdown,
        Form::Html => Format::Html,
        Form::Csv => Format::Csv,
        Form::Json => Format::Json,
    }
}
