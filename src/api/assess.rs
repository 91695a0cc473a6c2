//! AssessTransfers: which transfers, for which days, and the answers page by page.

use prost::Message;

use super::{Api, as_of};
use crate::{
    error::{Error, Result, answer_fits},
    proto::v1::{AssessTransfersRequest, AssessTransfersResponse, Transfer, Verdict},
    resource::{
        filter,
        name::{Kind, Name, Parent},
        page::{self, Position, Query},
        text,
    },
    rules::law::{answer::answers, days::Days},
    store::{assess::walk::Walk, read::AsOf, version::Resource},
};

/// The longest range, in years.
const LONGEST_RANGE: i16 = 100;

impl Api {
    pub(crate) async fn assess(&self, request: &AssessTransfersRequest) -> Result<AssessTransfersResponse> {
        let days = self.days(request)?;
        let name = Name::parse(&request.parent);
        let answer = match name.as_ref().map(Name::kind) {
            Some(Kind::Transfer) => self.assess_one(request, days).await?,
            _ => self.assess_all(request, days).await?,
        };
        answer_fits(&format!("the assessments of {}", request.parent), answer.encoded_len())?;
        Ok(answer)
    }

    fn days(&self, request: &AssessTransfersRequest) -> Result<Days> {
        let (from, to) = (request.from_date.as_str(), request.to_date.as_str());
        if from.is_empty() && to.is_empty() {
            return Ok(Days::One(self.day_of("date", &request.date)?));
        }
        if !request.date.is_empty() {
            return Err(Error::field("date", "cannot be given with a range"));
        }
        let read = |field: &str, text: &str| match text {
            "" => Err(Error::field(field, "is required: a range has two ends")),
            _ => text::date(text).map_err(|rule| Error::field(field, rule)),
        };
        let (first, last) = (read("from_date", from)?, read("to_date", to)?);
        if last < first {
            return Err(Error::field("to_date", format!("is before from_date ({to} < {from})")));
        }
        if last.year() - first.year() > LONGEST_RANGE {
            return Err(Error::field("to_date", format!("must be at most {LONGEST_RANGE} years after from_date")));
        }
        Ok(Days::Range(from.to_owned(), to.to_owned()))
    }

    async fn assess_one(&self, request: &AssessTransfersRequest, days: Days) -> Result<AssessTransfersResponse> {
        for (field, text) in [("filter", &request.filter), ("page_token", &request.page_token)] {
            if !text.is_empty() {
                return Err(Error::field(field, "cannot be given with one transfer"));
            }
        }
        let name = Name::of(Kind::Transfer, "parent", &request.parent)?;
        let revision = self.store.revision_at(as_of(request.as_of.as_ref())?).await?;
        let transfer: Transfer = self.store.get(&name, Some(AsOf::Revision(revision))).await?;
        let transfers: Vec<Transfer> = Some(transfer).filter(|one| one.delete_time.is_none()).into_iter().collect();
        let facts = self.store.facts(&transfers, revision).await?;
        let about = transfers.iter().flat_map(|one| answers(&facts.law, &facts.subject(one), None, &days));
        let assessments = about.collect();
        Ok(AssessTransfersResponse { assessments, next_page_token: String::new(), revision })
    }

    async fn assess_all(&self, request: &AssessTransfersRequest, days: Days) -> Result<AssessTransfersResponse> {
        let size = page::size(request.page_size)?;
        let parent = Parent::of_organizations(&request.parent)?;
        let filter = filter::parse(&request.filter, Transfer::FIELDS)?;
        let at = as_of(request.as_of.as_ref())?;
        let asked = format!("{:?}", (&request.date, &request.from_date, &request.to_date));
        let query = Query::of("assessments", &[&request.parent, &request.filter, &asked, &format!("{at:?}")]);
        let after = query.position(&request.page_token)?;
        // A walk that begins before midnight ends with the day it began with.
        let days = match days {
            Days::One(today) => Days::One(Position::day(after.as_ref(), &request.date, today)),
            range @ Days::Range(..) => range,
        };
        let date = match &days {
            Days::One(date) => date.clone(),
            Days::Range(..) => String::new(),
        };
        let revision = match &after {
            Some(position) => position.revision,
            None => self.store.revision_at(at).await?,
        };
        let walk = Walk { parent: &parent, filter: filter.as_ref(), days: &days, revision, size };
        let batch = self.store.judged(&walk, after.as_ref()).await?;
        let mut assessments = batch.answers();
        // Nobody has to know of a location that needs nothing.
        assessments.retain(|one| one.derived_from.is_none() || one.verdict() != Verdict::NotRestricted);
        let next_page_token = batch.next.map(|next| query.token(&Position { date, ..next })).unwrap_or_default();
        Ok(AssessTransfersResponse { assessments, next_page_token, revision })
    }
}
