//! The answers about a transfer as callers get them: one for a day, one for each interval of a range.

use super::{
    Law,
    days::{Days, day_after},
    transfer::{Answer, Interval, Subject, assess, intervals, valid_until},
};
use crate::proto::v1::{DerivedFrom, TransferAssessment};

/// The answers about one transfer: one for a day, one for each interval of a range, none when it does not take place.
pub fn answers(
    law: &Law,
    subject: &Subject<'_>,
    derived_from: Option<&DerivedFrom>,
    days: &Days,
) -> Vec<TransferAssessment> {
    let transfer = subject.transfer;
    let Some((first, last)) = days.within(&transfer.start_date, &transfer.end_date) else { return Vec::new() };
    match days {
        Days::One(day) => vec![on_day(law, subject, derived_from, day)],
        Days::Range(..) => intervals(law, subject, &first, &last)
            .into_iter()
            .map(|Interval { from_date, end_date, answer }| {
                let end_date = end_date.or_else(|| day_after(&last)).unwrap_or_default();
                let said = said(law, subject, derived_from, &from_date, answer);
                TransferAssessment { from_date, end_date, ..said }
            })
            .collect(),
    }
}

/// The answer about a transfer on a day on which it takes place.
pub fn on_day(law: &Law, subject: &Subject<'_>, derived_from: Option<&DerivedFrom>, day: &str) -> TransferAssessment {
    let said = said(law, subject, derived_from, day, assess(law, subject, day));
    TransferAssessment { date: day.to_owned(), ..said }
}

/// An answer from `day` on.
fn said(
    law: &Law,
    subject: &Subject<'_>,
    derived_from: Option<&DerivedFrom>,
    day: &str,
    answer: Answer,
) -> TransferAssessment {
    let transfer = subject.transfer;
    TransferAssessment {
        transfer: transfer.name.clone(),
        derived_from: derived_from.cloned(),
        regime: transfer.regime,
        verdict: answer.verdict.into(),
        valid_until_date: valid_until(law, subject, day, answer.verdict).unwrap_or_default(),
        reasons: answer.reasons,
        mechanism_assessments: answer.mechanisms,
        assumed: transfer.assumed,
        ..TransferAssessment::default()
    }
}
