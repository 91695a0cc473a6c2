//! What breaks if an instrument falls: one pass over the transfers of a day, with the law as it is and without it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use prost::Message;

use super::{
    Facts,
    walk::{Judged, Walk},
};
use crate::{
    error::{Result, answer_fits},
    proto::v1::{
        Instrument, OrganizationHit, OrganizationReach, Regime, SimulateInstrumentEndResponse, SimulatedTransfer,
        Subprocessor, period::EndReason, simulated_transfer::Effect,
    },
    resource::{
        name::{Name, Parent},
        page::MAX_SIZE,
    },
    rules::{
        law::{Law, answer, days::Days, simulation, transfer::assess},
        reach,
    },
    store::{Store, read::AsOf, resource, trace::climb},
};

/// The end of an instrument that is asked about.
#[derive(Debug, Clone)]
pub struct End {
    /// The instrument.
    pub instrument: Name,
    /// First day without effect.
    pub date: String,
    /// The regimes under which it ends; none: all.
    pub regimes: Vec<Regime>,
    /// Why.
    pub reason: EndReason,
}

/// What was found, before it is known whom it concerns.
#[derive(Default)]
struct Found {
    transfers: Vec<SimulatedTransfer>,
    /// The organization and the importer of each.
    parties: Vec<(String, String)>,
    importers: HashMap<String, Subprocessor>,
    bytes: usize,
    judged: i64,
}

impl Store {
    /// What breaks if an instrument has no effect from a day on, for the transfers of one organization or of all.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if there is or was no such instrument or organization; ANSWER_TOO_LARGE.
    pub async fn simulate_end(
        &self,
        end: &End,
        parent: &Parent,
        as_of: Option<AsOf>,
    ) -> Result<SimulateInstrumentEndResponse> {
        let revision = self.revision_at(as_of).await?;
        let instrument: Instrument = self.get(&end.instrument, Some(AsOf::Revision(revision))).await?;
        let law = self.law(revision).await?;
        let without = Arc::new(law.ending(&instrument.name, &end.date, &end.regimes, end.reason));
        let days = Days::One(end.date.clone());
        let walk = Walk { parent, filter: None, days: &days, revision, size: MAX_SIZE };
        let what = format!("what the end of {} does", end.instrument);
        let mut found = Found::default();
        let mut after = None;
        loop {
            let batch = self.judged(&walk, after.as_ref()).await?;
            for one in &batch.judged {
                found.judge(end, &batch.facts, &without, one);
            }
            answer_fits(&what, found.bytes)?;
            after = batch.next;
            if after.is_none() {
                break;
            }
        }
        let organizations = self.hit(&what, &mut found, revision, &end.date).await?;
        let judged_count = found.judged;
        let answer =
            SimulateInstrumentEndResponse { transfers: found.transfers, organizations, judged_count, revision };
        answer_fits(&what, answer.encoded_len())?;
        Ok(answer)
    }

    /// Whom these transfers concern; and the products of each of them.
    async fn hit(&self, what: &str, found: &mut Found, revision: i64, day: &str) -> Result<Vec<OrganizationHit>> {
        let above = self.above(found.importers.values(), revision).await?;
        let mut hits: BTreeMap<String, OrganizationHit> = BTreeMap::new();
        let mut concerned: HashMap<String, Vec<Vec<String>>> = HashMap::new();
        for (one, (organization, importer)) in found.transfers.iter_mut().zip(&found.parties) {
            if let Some(importer) = found.importers.get(importer) {
                one.products = reach::along(climb(importer, &above).iter().map(|link| link.products.as_slice()));
            }
            let hit = hits.entry(organization.clone()).or_default();
            match one.effect() {
                Effect::CoverLost => hit.lost_count += 1,
                Effect::CoverWeakened => hit.weakened_count += 1,
                Effect::SavedByFallback => hit.saved_count += 1,
                _ => {}
            }
            if matches!(one.effect(), Effect::CoverLost | Effect::CoverWeakened) {
                concerned.entry(organization.clone()).or_default().push(one.products.clone());
            }
        }
        let mut reached: BTreeMap<String, OrganizationReach> = BTreeMap::new();
        for (organization, products) in &concerned {
            let products = reach::together(products.iter().map(Vec::as_slice));
            reached.insert(organization.clone(), OrganizationReach { products, ..OrganizationReach::default() });
        }
        let rows = resource::find_all(self.reads(), reached.keys().cloned().collect()).await?;
        let ids = rows.into_iter().map(|row| (row.id, row.name)).collect();
        self.add_customers(what, &mut reached, &ids, revision, day).await?;
        for (organization, hit) in &mut hits {
            organization.clone_into(&mut hit.organization);
            if let Some(OrganizationReach { products, customers, .. }) = reached.remove(organization) {
                (hit.products, hit.customers) = (products, customers);
            }
        }
        Ok(hits.into_values().collect())
    }
}

impl Found {
    /// Judges one transfer with the law and without the instrument, and keeps it if that makes a difference.
    fn judge(&mut self, end: &End, facts: &Facts, without: &Law, one: &Judged) {
        let subject = facts.subject(&one.transfer);
        self.judged += 1;
        // Most transfers have nothing to do with it: only of the others the whole answer is wanted.
        if assess(&facts.law, &subject, &end.date) == assess(without, &subject, &end.date) {
            return;
        }
        let answer = |law: &Law| answer::on_day(law, &subject, one.derived_from.as_ref(), &end.date);
        let (before, after) = (answer(&facts.law), answer(without));
        let Some((effect, fallback)) = simulation::effect(end.instrument.as_str(), &before, &after) else { return };
        let importer = one.transfer.importer.clone();
        let own = one.derived_from.as_ref().map_or(&one.transfer.name, |from| &from.subprocessor);
        let organization = Name::parse(own).and_then(|name| name.parent()).map(|name| name.to_string());
        if let Some(subprocessor) = facts.subprocessor(&importer) {
            self.importers.entry(importer.clone()).or_insert_with(|| subprocessor.clone());
        }
        let transfer = SimulatedTransfer {
            effect: effect.into(),
            before: Some(before),
            after: Some(after),
            fallback: fallback.unwrap_or_default(),
            products: Vec::new(),
        };
        self.bytes += transfer.encoded_len();
        self.transfers.push(transfer);
        self.parties.push((organization.unwrap_or_default(), importer));
    }
}
