//! Whether somebody takes part in a framework on a day ("Privacy Shield status").

use super::{Dates, within};
use crate::proto::v1::{Certification, certification::Status};

/// Where a certification stands on a day; none before its history begins.
pub fn status_on(certification: &Certification, day: &str) -> Option<Status> {
    let recorded = if certification.history.is_empty() {
        Some(before_it_ended(certification, day))
    } else {
        let known = certification.history.iter().filter(|entry| entry.from_date.as_str() <= day);
        known.max_by(|a, b| a.from_date.cmp(&b.from_date)).map(|entry| entry.status())
    }?;
    // Its own dates bound participation, whatever was recorded of it.
    match recorded {
        Status::Active if !within(day, &certification.start_date, "") => None,
        Status::Active if !within(day, "", &certification.end_date) => Some(Status::Lapsed),
        status => Some(status),
    }
}

/// The status of one without a history: where it stands now. That it ended on a day means that it was held until then.
fn before_it_ended(certification: &Certification, day: &str) -> Status {
    match certification.status() {
        Status::Lapsed | Status::Withdrawn | Status::Removed if day < certification.end_date.as_str() => Status::Active,
        status => status,
    }
}

/// Whether it is active on a day.
pub fn is_active(certification: &Certification, day: &str) -> bool {
    status_on(certification, day) == Some(Status::Active)
}

/// Adds the days on which its status may change.
pub(crate) fn dates(certification: &Certification, dates: &mut Dates) {
    let own = [&certification.start_date, &certification.end_date].into_iter().filter(|date| !date.is_empty());
    dates.extend(own.chain(certification.history.iter().map(|entry| &entry.from_date)).cloned());
}
