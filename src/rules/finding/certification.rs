//! Participation that is over, or is to be renewed. What that does to transfers, they say themselves.

use super::{Draft, Subject, fact};
use crate::{
    proto::v1::{
        Certification, Instrument,
        certification::Status,
        finding::{Kind, Severity},
    },
    rules::law::{Dates, certification, instrument, within},
};

/// A certification, with its framework as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Participation<'a> {
    /// The certification.
    pub certification: &'a Certification,
    /// The framework.
    pub framework: Option<&'a Instrument>,
}

impl Subject for Participation<'_> {
    fn on(&self, day: &str) -> Vec<Draft> {
        let ended = |one: &Instrument| !one.periods.iter().any(|it| within(day, &it.from_date, &it.end_date));
        // Under a framework that has ended nobody renews anything: claims and transfers say that it ended.
        if self.framework.is_some_and(ended) {
            return Vec::new();
        }
        match certification::status_on(self.certification, day) {
            None => Vec::new(),
            Some(Status::Active) => self.due(day).into_iter().collect(),
            Some(status) => vec![self.not_active(status)],
        }
    }

    fn dates(&self, dates: &mut Dates) {
        certification::dates(self.certification, dates);
        dates.extend(Some(&self.certification.next_due_date).filter(|date| !date.is_empty()).cloned());
        for period in self.framework.iter().flat_map(|one| &one.periods) {
            dates.extend([&period.from_date, &period.end_date].into_iter().filter(|date| !date.is_empty()).cloned());
        }
    }
}

impl Participation<'_> {
    fn due(&self, day: &str) -> Option<Draft> {
        let date = self.certification.next_due_date.as_str();
        if date.is_empty() || day < date {
            return None;
        }
        let text = format!("{} was to be renewed by {date}, and no renewal is recorded", self.what());
        Some(self.draft(Severity::Warning, &format!("due {date}"), text, "next_due_date", date))
    }

    fn not_active(&self, status: Status) -> Draft {
        let word = status.as_str_name().trim_start_matches("STATUS_");
        let severity = if status == Status::InProcess { Severity::Info } else { Severity::Warning };
        self.draft(severity, word, format!("{} is {word}, not ACTIVE", self.what()), "status", word)
    }

    fn draft(&self, severity: Severity, essence: &str, text: String, field: &str, value: &str) -> Draft {
        let one = self.certification;
        let citation = self.framework.map(instrument::citation).unwrap_or_default();
        Draft::new(Kind::CertificationDue, severity, &one.name, essence).says(text, citation).cites([fact(
            &one.name,
            field,
            value,
            &one.sources,
        )])
    }

    fn what(&self) -> String {
        let of = match self.certification.entity_id.as_str() {
            "" => String::new(),
            entity => format!(" of {entity}"),
        };
        format!("participation{of} in {}", self.certification.framework)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::Period;

    fn on(one: &Certification, framework: Option<&Instrument>, day: &str) -> Vec<(Severity, String)> {
        let found = Participation { certification: one, framework }.on(day);
        found.into_iter().map(|draft| (draft.severity, draft.essence)).collect()
    }

    #[test]
    fn a_certification_falls_due_on_its_day_and_ends_on_its_day() {
        let one = Certification {
            status: Status::Active.into(),
            start_date: "2024-01-01".into(),
            next_due_date: "2025-01-01".into(),
            end_date: "2025-06-01".into(),
            ..Default::default()
        };
        for (day, expected) in [
            ("2023-12-31", None),
            ("2024-12-31", None),
            ("2025-01-01", Some("due 2025-01-01")),
            ("2025-05-31", Some("due 2025-01-01")),
            ("2025-06-01", Some("LAPSED")),
        ] {
            let found = on(&one, None, day);
            assert_eq!(found.first().map(|(_, essence)| essence.as_str()), expected, "{day}");
        }
        for (status, severity) in [
            (Status::Claimed, Severity::Warning),
            (Status::InProcess, Severity::Info),
            (Status::Withdrawn, Severity::Warning),
            (Status::Removed, Severity::Warning),
        ] {
            let other = Certification { status: status.into(), ..one.clone() };
            assert_eq!(on(&other, None, "2025-06-01")[0].0, severity, "{status:?}");
        }
    }

    #[test]
    fn under_a_framework_that_has_ended_nothing_falls_due() {
        let one = Certification { status: Status::Lapsed.into(), ..Default::default() };
        let period = Period { from_date: "2016-08-01".into(), end_date: "2020-07-16".into(), ..Default::default() };
        let shield = Instrument { periods: vec![period], ..Default::default() };
        assert_eq!(on(&one, Some(&shield), "2020-07-15").len(), 1);
        assert!(on(&one, Some(&shield), "2020-07-16").is_empty());
    }
}
