//! The gate "every transfer covered today" (DESIGN §4), as a write sees it: with what it is about to store.

use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait};

use super::Facts;
use crate::{
    error::Result,
    proto::v1::{Organization, Regime, Subprocessor, Transfer, Verdict},
    resource::name::Kind,
    rules::law::{
        covers,
        derived::{Derived, derive, speaks_for},
        transfer::assess,
    },
    store::{
        read::{existing_query, fetch_stored, in_effect},
        version::column,
        writer::Writer,
    },
};

/// A transfer that nothing covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Uncovered {
    /// The transfer, or the location it is derived from, and the regime.
    pub(in crate::store) what: String,
    /// The same, wherever the location stands among the others.
    pub(in crate::store) key: String,
    /// What the law says of it.
    pub(in crate::store) verdict: Verdict,
}

impl std::fmt::Display for Uncovered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.verdict.as_str_name().trim_start_matches("VERDICT_"))
    }
}

impl Writer {
    /// The transfers to a subprocessor that are not covered on a day: those on record, and those that follow from where
    /// it processes. It need not be stored as it is given.
    pub(in crate::store) async fn uncovered(
        &self,
        organization: &Organization,
        subprocessor: &Subprocessor,
        day: &str,
    ) -> Result<Vec<Uncovered>> {
        self.uncovered_with(organization, subprocessor, &[], day).await
    }

    /// The same with transfers that are to be written: those of the same name give way to them.
    pub(in crate::store) async fn uncovered_with(
        &self,
        organization: &Organization,
        subprocessor: &Subprocessor,
        coming: &[Transfer],
        day: &str,
    ) -> Result<Vec<Uncovered>> {
        let mut recorded = self.transfers_to(&subprocessor.name, day).await?;
        recorded.retain(|one| !coming.iter().any(|other| other.name == one.name));
        recorded.extend(coming.iter().filter(|one| one.importer == subprocessor.name).cloned());
        let mut derived = derive(organization, subprocessor);
        derived.retain(|one| !recorded.iter().any(|other| speaks_for(other, &one.transfer)));
        let mut judged: Vec<_> = recorded.iter().map(|one| (one.name.clone(), one.name.clone(), one)).collect();
        for Derived { from, transfer } in &derived {
            let key = if from.region_code.is_empty() { from.verbatim.clone() } else { from.region_code.clone() };
            judged.push((format!("locations[{}] {key}", from.location_index), key, transfer));
        }
        if judged.is_empty() {
            return Ok(Vec::new());
        }
        // Nothing is newer than what this transaction sees.
        let law = self.laws.within(self.tx(), i64::MAX).await?;
        let transfers: Vec<Transfer> = judged.iter().map(|(.., one)| (*one).clone()).collect();
        let facts = Facts::read(self.tx(), Arc::clone(&law), &transfers, i64::MAX, Some(subprocessor)).await?;
        let verdicts = judged.into_iter().map(|(what, key, one)| {
            let regime = Regime::as_str_name(&one.regime()).trim_start_matches("REGIME_");
            let verdict = assess(&law, &facts.subject(one), day).verdict;
            Uncovered { what: format!("{what} ({regime})"), key: format!("{key} ({regime})"), verdict }
        });
        Ok(verdicts.filter(|one| !covers(one.verdict)).collect())
    }

    /// The transfers to an importer that take place on a day, by name.
    async fn transfers_to(&self, importer: &str, day: &str) -> Result<Vec<Transfer>> {
        let mut query = existing_query(Kind::Transfer);
        query.and_where(Expr::col(column("importer")).eq(importer)).cond_where(in_effect(Kind::Transfer, day));
        let stored = fetch_stored::<Transfer>(self.tx(), &query).await?;
        let mut transfers: Vec<Transfer> = stored.into_iter().map(|stored| stored.message).collect();
        transfers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(transfers)
    }
}
