//! AssessTransfers: which transfers, for which days, and the answers page by page.

use prost::Message;

use super::{Api, as_of};
use crate::{
    error::{Error, Result, answer_fits},
    proto::v1::{
        AssessTransfersRequest, AssessTransfersResponse, DerivedFrom, Organization, Subprocessor, Transfer,
        TransferAssessment, Verdict,
    },
    resource::{
        filter,
        name::{Kind, Name, Parent},
        page::{self, Position, Query},
        text,
    },
    rules::law::{
        derived::{Derived, derive, speaks_for},
        transfer::{Answer, Interval, Subject, assess, intervals, valid_until},
    },
    store::{
        assess::Facts,
        read::{AsOf, List},
        version::Resource,
    },
};

/// The longest range, in years.
const LONGEST_RANGE: i16 = 100;

/// The days that are asked about.
#[derive(Debug, Clone)]
enum Days {
    One(String),
    Range(String, String),
}

impl Days {
    /// Every day, for what is read before it is answered day by day: none for a range.
    fn only(&self) -> Option<&str> {
        match self {
            Self::One(day) => Some(day),
            Self::Range(..) => None,
        }
    }

    /// The part in which something takes place: first day and last.
    fn within(&self, start_date: &str, end_date: &str) -> Option<(String, String)> {
        let (from, to) = match self {
            Self::One(day) => (day, day),
            Self::Range(from, to) => (from, to),
        };
        let first = from.as_str().max(start_date);
        let last = match end_date {
            "" => to.clone(),
            end => day_before(end)?.min(to.clone()),
        };
        (first <= last.as_str()).then(|| (first.to_owned(), last))
    }
}

impl Days {
    /// What is left of them on days on which none of these takes place.
    fn without(&self, others: &[&Transfer]) -> Vec<Self> {
        let Self::Range(from, to) = self else {
            let taken = others.iter().any(|one| self.within(&one.start_date, &one.end_date).is_some());
            return if taken { Vec::new() } else { vec![self.clone()] };
        };
        let mut taken: Vec<(String, String)> =
            others.iter().filter_map(|one| self.within(&one.start_date, &one.end_date)).collect();
        taken.sort();
        let mut left = Vec::new();
        let mut next = Some(from.clone());
        for (first, last) in taken {
            let Some(start) = next.clone() else { break };
            if start < first
                && let Some(before) = day_before(&first)
            {
                left.push(Self::Range(start.clone(), before));
            }
            next = day_after(&last).map(|after| after.max(start));
        }
        if let Some(start) = next.filter(|start| start <= to) {
            left.push(Self::Range(start, to.clone()));
        }
        left
    }
}

fn day_before(day: &str) -> Option<String> {
    day.parse::<jiff::civil::Date>().ok()?.yesterday().ok().map(|day| day.to_string())
}

/// A question about transfers, checked.
struct Question {
    days: Days,
    /// With a filter nothing is derived.
    derives: bool,
    revision: i64,
}

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
        let read = |field: &str, text: &str| text::date(text).map_err(|rule| Error::field(field, rule));
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
        let assessments = transfers.iter().flat_map(|one| answers(&facts, one, None, &days)).collect();
        Ok(AssessTransfersResponse { assessments, next_page_token: String::new(), revision })
    }

    async fn assess_all(&self, request: &AssessTransfersRequest, days: Days) -> Result<AssessTransfersResponse> {
        let size = page::size(request.page_size)?;
        let organization = Name::of(Kind::Organization, "parent", &request.parent)?;
        let filter = filter::parse(&request.filter, Transfer::FIELDS)?;
        let at = as_of(request.as_of.as_ref())?;
        let query =
            Query::of("assessments", &[&request.parent, &request.filter, &format!("{days:?}"), &format!("{at:?}")]);
        let after = query.position(&request.page_token)?;
        let revision = match &after {
            Some(position) => position.revision,
            None => self.store.revision_at(at).await?,
        };
        let question = Question { days, derives: filter.is_none(), revision };
        // The page goes on behind a transfer, or, when those are done, behind a subprocessor.
        let deriving = after.as_ref().is_some_and(|after| after.name.contains("/subprocessors/"));
        let list = List {
            parent: &Parent::Organization(organization.clone()),
            filter: filter.as_ref(),
            effective_at: question.days.only(),
            order: filter::order("", Transfer::FIELDS)?,
            show_deleted: false,
            after: after.as_ref(),
            revision,
            size,
        };
        let (assessments, next) = if deriving {
            self.derived(&question, &organization, &list).await?
        } else {
            let page = self.store.list::<Transfer>(&list).await?;
            let facts = self.store.facts(&page.items, revision).await?;
            let assessments = page.items.iter().flat_map(|one| answers(&facts, one, None, &question.days)).collect();
            let first = || Position { revision, name: format!("{organization}/subprocessors/"), ..Position::default() };
            (assessments, page.next.or_else(|| question.derives.then(first)))
        };
        let next_page_token = next.map(|position| query.token(&position)).unwrap_or_default();
        Ok(AssessTransfersResponse { assessments, next_page_token, revision })
    }

    /// The transfers that follow from where the subprocessors of a page process.
    async fn derived(
        &self,
        question: &Question,
        name: &Name,
        list: &List<'_>,
    ) -> Result<(Vec<TransferAssessment>, Option<Position>)> {
        let revision = question.revision;
        let organization: Organization = self.store.get(name, Some(AsOf::Revision(revision))).await?;
        let order = filter::order("", Subprocessor::FIELDS)?;
        let page = self.store.list::<Subprocessor>(&List { order, filter: None, ..list.clone() }).await?;
        let names = page.items.iter().map(|one| one.name.clone()).collect();
        let recorded: Vec<Transfer> = self.store.at("importer", names, revision).await?.into_values().collect();
        let found: Vec<Derived> = page.items.iter().flat_map(|one| derive(&organization, one)).collect();
        let transfers: Vec<Transfer> = found.iter().map(|one| one.transfer.clone()).collect();
        let facts = self.store.facts(&transfers, revision).await?;
        let mut assessments = Vec::new();
        for one in &found {
            let spoken_for: Vec<&Transfer> = recorded.iter().filter(|other| speaks_for(other, &one.transfer)).collect();
            for days in question.days.without(&spoken_for) {
                let answers = answers(&facts, &one.transfer, Some(&one.from), &days);
                assessments.extend(answers.into_iter().filter(|answer| answer.verdict() != Verdict::NotRestricted));
            }
        }
        Ok((assessments, page.next))
    }
}

/// The answers about one transfer: one for a day, one for each interval of a range, none when it does not take place.
fn answers(
    facts: &Facts,
    transfer: &Transfer,
    derived_from: Option<&DerivedFrom>,
    days: &Days,
) -> Vec<TransferAssessment> {
    let Some((first, last)) = days.within(&transfer.start_date, &transfer.end_date) else { return Vec::new() };
    let subject = facts.subject(transfer);
    let said = |answer: Answer, until: Option<String>| TransferAssessment {
        transfer: transfer.name.clone(),
        derived_from: derived_from.cloned(),
        regime: transfer.regime,
        verdict: answer.verdict.into(),
        reasons: answer.reasons,
        valid_until_date: until.unwrap_or_default(),
        mechanism_assessments: answer.mechanisms,
        assumed: transfer.assumed,
        ..TransferAssessment::default()
    };
    let until =
        |subject: &Subject<'_>, day: &str, answer: &Answer| valid_until(&facts.law, subject, day, answer.verdict);
    match days {
        Days::One(day) => {
            let answer = assess(&facts.law, &subject, day);
            let until = until(&subject, day, &answer);
            vec![TransferAssessment { date: day.clone(), ..said(answer, until) }]
        }
        Days::Range(..) => intervals(&facts.law, &subject, &first, &last)
            .into_iter()
            .map(|Interval { from_date, end_date, answer }| {
                let until = until(&subject, &from_date, &answer);
                let end_date = end_date.or_else(|| day_after(&last)).unwrap_or_default();
                TransferAssessment { from_date, end_date, ..said(answer, until) }
            })
            .collect(),
    }
}

fn day_after(day: &str) -> Option<String> {
    day.parse::<jiff::civil::Date>().ok()?.tomorrow().ok().map(|day| day.to_string())
}
