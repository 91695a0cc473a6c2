//! `simulate`: what breaks if an instrument falls.

use clap::{Args, ValueEnum};

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
    OrganizationHit, Regime, SimulateInstrumentEndRequest, SimulateInstrumentEndResponse, SimulatedTransfer,
    TransferAssessment, simulate_instrument_end_request::Cause,
};

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// The instrument, `instruments/{instrument}` or its id, e.g. `eu-us-dpf`.
    instrument: String,
    /// First day without effect.
    #[arg(long, value_name = "DATE", value_parser = value::day)]
    date: String,
    /// Only the transfers of one organization. Absent: of all.
    #[arg(long, value_name = "ID", default_value = "-", hide_default_value = true)]
    organization: String,
    /// The regime under which it ends; can be given several times. Absent: all.
    #[arg(long, value_enum, ignore_case = true)]
    regime: Vec<Under>,
    /// How it ends: declared invalid, or repealed, replaced or run out.
    #[arg(long, value_enum, default_value_t = How::Invalidation)]
    cause: How,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

/// How an instrument ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// A court or a regulator declares it invalid.
    Invalidation,
    /// It is repealed, replaced, or runs out.
    Expiry,
}

/// A regime, as the contract writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Under {
    /// Regulation (EU) 2016/679.
    #[value(name = "EU_GDPR")]
    Eu,
    /// The UK's.
    #[value(name = "UK_GDPR")]
    Uk,
    /// Switzerland's.
    #[value(name = "SWISS_FADP")]
    Swiss,
}

impl Simulate {
    /// Prints each transfer that it touches, and whom it hits.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let instrument =
            if self.instrument.contains('/') { self.instrument } else { format!("instruments/{}", self.instrument) };
        let regimes = self.regime.iter().map(|one| match one {
            Under::Eu => Regime::EuGdpr.into(),
            Under::Uk => Regime::UkGdpr.into(),
            Under::Swiss => Regime::SwissFadp.into(),
        });
        let cause = match self.cause {
            How::Invalidation => Cause::Invalidation,
            How::Expiry => Cause::Expiry,
        };
        let request = SimulateInstrumentEndRequest {
            instrument,
            end_date: self.date,
            parent: contract::organization(&self.organization),
            regimes: regimes.collect(),
            cause: cause.into(),
            as_of: self.as_of.map(|as_of| as_of.message()),
        };
        let answer: SimulateInstrumentEndResponse =
            registry.call("TransferMechanismService/SimulateInstrumentEnd", request).await?;
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let headings = ["TRANSFER", "EFFECT", "BEFORE", "AFTER", "FALLBACK", "PRODUCTS"];
        out.table(&headings.map(ToOwned::to_owned), answer.transfers.iter().map(touched).collect())?;
        if !answer.organizations.is_empty() {
            out.line("")?;
            let headings = ["ORGANIZATION", "LOST", "WEAKENED", "SAVED", "PRODUCTS", "CUSTOMERS"];
            out.table(&headings.map(ToOwned::to_owned), answer.organizations.iter().map(hit).collect())?;
        }
        out.line(format!("{} of {} transfers are touched", answer.transfers.len(), answer.judged_count))
    }
}

fn touched(one: &SimulatedTransfer) -> Vec<String> {
    let verdict = |answer: &Option<TransferAssessment>| {
        answer.as_ref().map(|answer| value::short("Verdict", answer.verdict)).unwrap_or_default()
    };
    vec![
        one.before.as_ref().map(super::law::what).unwrap_or_default(),
        value::short("SimulatedTransfer.Effect", one.effect),
        verdict(&one.before),
        verdict(&one.after),
        one.fallback.trim_start_matches("instruments/").to_owned(),
        all_or(&one.products),
    ]
}

fn hit(one: &OrganizationHit) -> Vec<String> {
    let concerned = one.lost_count + one.weakened_count > 0;
    vec![
        one.organization.clone(),
        one.lost_count.to_string(),
        one.weakened_count.to_string(),
        one.saved_count.to_string(),
        if concerned { all_or(&one.products) } else { String::new() },
        one.customers.iter().filter_map(|name| name.rsplit('/').next()).collect::<Vec<_>>().join(", "),
    ]
}

fn all_or(products: &[String]) -> String {
    if products.is_empty() { "all".to_owned() } else { products.join(", ") }
}
