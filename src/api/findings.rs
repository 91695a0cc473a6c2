//! ListFindings and AcknowledgeFinding: the request, one call, the answer.

use super::{Api, as_of, take};
use crate::{
    call::Call,
    error::{Error, Reason, Result, clip},
    proto::v1::{
        AcknowledgeFindingRequest, Acknowledgement, Finding, ListFindingsRequest, ListFindingsResponse,
        finding::{Kind, Severity},
    },
    resource::{
        name::{Name, Parent},
        page::{self, Position, Query},
        shape::{self, Violations},
    },
    rules::finding::Window,
    store::{acknowledgement::finding_name, findings::Question, read::AsOf},
};

/// The longest horizon, in days.
const LONGEST_HORIZON: i32 = 3_660;
/// How far ahead a finding can be acknowledged, in days: ten years.
const AHEAD: i32 = 3_653;

impl Api {
    pub(super) async fn findings(&self, request: &ListFindingsRequest) -> Result<ListFindingsResponse> {
        let mut wrong = Violations::new();
        let parent = take(Parent::of_organizations(&request.parent), &mut wrong);
        let date = take(self.day_of("date", &request.date), &mut wrong);
        take(days_after(date.as_deref().unwrap_or_default(), request.within_days), &mut wrong);
        let kinds = kinds(&request.kinds, &mut wrong);
        let severity = take(severity(request.severity), &mut wrong);
        if !request.subject.is_empty() && Name::parse(&request.subject).is_none() {
            let rule = format!("must be the name of a resource, not \"{}\"", clip(&request.subject));
            wrong.push(("subject".to_owned(), rule));
        }
        let size = take(page::size(request.page_size), &mut wrong);
        let at = take(as_of(request.as_of.as_ref()), &mut wrong);
        let (Some(parent), Some(today), Some(severity), Some(size), Some(at), true) =
            (parent, date, severity, size, at, wrong.is_empty())
        else {
            return Err(Error::fields(Reason::FieldInvalid, wrong));
        };
        let query = Query::of(
            "findings",
            &[
                &request.parent,
                &request.date,
                &format!("{} {:?} {severity:?} {}", request.within_days, request.kinds, request.show_acknowledged),
                &request.subject,
                &format!("{at:?}"),
            ],
        );
        let after = query.position(&request.page_token)?;
        // A walk that begins before midnight ends with the day it began with.
        let date = Position::day(after.as_ref(), &request.date, today);
        let last = days_after(&date, request.within_days)?;
        let revision = match &after {
            Some(position) => self.store.revision_at(Some(AsOf::Revision(position.revision))).await?,
            None => self.store.revision_at(at).await?,
        };
        let question = Question {
            parent,
            window: Window { date: date.clone(), last },
            kinds,
            severity,
            subject: request.subject.clone(),
            show_acknowledged: request.show_acknowledged,
            revision,
        };
        let (findings, next) = self.store.findings(&question, after.as_ref(), size).await?;
        let next_page_token =
            next.map(|next| query.token(&Position { date: date.clone(), ..next })).unwrap_or_default();
        Ok(ListFindingsResponse { findings, next_page_token, revision, date })
    }

    pub(super) async fn acknowledge(&self, call: Call, request: AcknowledgeFindingRequest) -> Result<Finding> {
        let AcknowledgeFindingRequest { name, reason, return_date, etag, .. } = request;
        let asked = Acknowledgement { reason, return_date, ..Acknowledgement::default() };
        let (said, mut wrong) = shape::examine(&asked, "")?;
        if finding_name(&name).is_none() {
            let rule = "must be a name of the form organizations/{organization}/findings/{finding}";
            wrong.insert(0, ("name".to_owned(), format!("{rule}, not \"{}\"", clip(&name))));
        }
        if !wrong.is_empty() {
            return Err(Error::fields(Reason::FieldInvalid, wrong));
        }
        let today = self.day_of("date", "")?;
        let window = Window { last: days_after(&today, AHEAD)?, date: today };
        // Looked for before the write waits for its turn; whether that matters is decided in it, for a request that was
        // answered before gets that answer.
        let found = self.store.finding(&name, &window).await?;
        let acknowledged = self.store.write(call, move |writer| {
            Box::pin(async move {
                let finding = found.ok_or_else(|| Error::not_found("finding", &name))?;
                writer.acknowledge(finding, said, &etag).await
            })
        });
        acknowledged.await
    }
}

/// The day so many days after `date`.
fn days_after(date: &str, days: i32) -> Result<String> {
    if !(0..=LONGEST_HORIZON).contains(&days) {
        return Err(Error::field("within_days", format!("must be 0 to {LONGEST_HORIZON}, but is {days}")));
    }
    let day = date.parse::<jiff::civil::Date>().ok();
    let last = day.and_then(|day| day.checked_add(jiff::Span::new().days(days)).ok());
    Ok(last.map_or_else(|| date.to_owned(), |last| last.to_string()))
}

fn kinds(numbers: &[i32], wrong: &mut Violations) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (i, number) in numbers.iter().enumerate() {
        match Kind::try_from(*number) {
            Ok(kind) if kind != Kind::Unspecified => kinds.push(kind),
            _ => wrong.push((format!("kinds[{i}]"), format!("{number} is not a kind of finding"))),
        }
    }
    kinds
}

fn severity(number: i32) -> Result<Severity> {
    Severity::try_from(number).map_err(|_| Error::field("severity", format!("{number} is not a value of Severity")))
}
