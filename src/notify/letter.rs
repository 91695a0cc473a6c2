//! What mails say of the changes of a notice: what was and what will be, from when on, and until when one can answer. To
//! somebody who has an agreement that is what holds for it, to all others what holds for everybody.

use jiff::{Timestamp, civil::Time, tz::TimeZone};

use super::email::contents;
use crate::{
    proto::v1::{
        Notice, NoticeChange, NoticeRecipient, RecipientChange, agreement::Authorization, recipient_change::Status,
    },
    rules::{
        event,
        notice::{effect, instant, recipient},
        publication::{
            Entry, Upcoming, rows,
            upcoming::{not_before, waits},
        },
    },
};

/// A notice as it is told to one that it goes to.
#[derive(Debug)]
pub(super) struct Letter<'a> {
    /// What it tells.
    pub(super) kind: &'a str,
    /// The notice.
    pub(super) notice: &'a Notice,
    /// The customer that it goes to.
    pub(super) told: Option<&'a NoticeRecipient>,
    /// When it is written.
    pub(super) now: Timestamp,
}

impl Letter<'_> {
    /// A change, with how the customer stands on it.
    pub(super) fn change(&self, change: &Upcoming, own: Option<&RecipientChange>) -> contents::Change {
        let zone = self.zone();
        let known = self.notice.changes.iter().find(|one| one.change_id == change.change);
        let (takes_effect, not_before) = known.map(|one| self.times(one, own)).unwrap_or_default();
        let object_by = known.and_then(|one| self.answer_by(one, own));
        let entry = change.after.as_deref().or(change.before.as_deref());
        contents::Change {
            kind: change.kind.clone(),
            differences: differences(change.before.as_deref(), change.after.as_deref()),
            replaces: change.replaces.iter().map(|one| one.name.clone()).collect(),
            takes_effect: takes_effect.map(|at| moment(at, &zone)).unwrap_or_default(),
            not_before: not_before.map(|at| moment(at, &zone)).unwrap_or_default(),
            object_by: object_by.map(|at| end(at, &zone)).unwrap_or_default(),
            ..entry.map(described).unwrap_or_default()
        }
    }

    /// What the customer's silence means; empty if nothing is agreed, or nothing comes of it.
    pub(super) fn authorization(&self) -> &'static str {
        match self.told.and_then(|one| one.agreement.as_ref()).map(|one| one.authorization()) {
            Some(Authorization::General) => "GENERAL",
            // What could not wait applies to it already, as was agreed.
            Some(Authorization::Specific) if !self.is_at_once() => "SPECIFIC",
            _ => "",
        }
    }

    fn zone(&self) -> TimeZone {
        let agreed = self.told.and_then(|one| one.agreement.as_ref()).map(|one| one.time_zone.as_str());
        agreed.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
    }

    /// Whether it is an emergency, and agreed that such a change applies at once.
    fn is_at_once(&self) -> bool {
        let allowed = self.told.and_then(|one| one.agreement.as_ref()).is_some_and(|one| one.emergency_allowed);
        allowed && self.notice.emergency.is_some()
    }

    /// From when on a change applies, or else before when it does not, as far as that is known.
    fn times(&self, change: &NoticeChange, own: Option<&RecipientChange>) -> (Option<Timestamp>, Option<Timestamp>) {
        let notice = self.notice;
        match self.kind {
            event::NOTICE_PUBLISHED => {}
            event::NOTICE_EFFECTIVE => {
                // To a customer that it was held back from it applies from when that was cleared.
                let cleared = self.told.zip(own).filter(|_| change.waits && effect::binds(notice));
                let cleared =
                    cleared.and_then(|(told, own)| recipient::clears_at(told, own, effect::emergency(notice)));
                return (instant(change.effective_time.as_ref()).max(cleared), None);
            }
            // Nothing of it comes about.
            _ => return (None, None),
        }
        let published = instant(notice.publish_time.as_ref());
        let requested = instant(notice.requested_effective_time.as_ref());
        if !waits(notice, change) || self.is_at_once() {
            return (requested.max(published), None);
        }
        let cleared = own.and_then(|own| instant(own.clear_time.as_ref())).filter(|cleared| Some(*cleared) > published);
        let first = not_before(notice, change).max(cleared);
        if requested >= first { (requested, None) } else { (None, first) }
    }

    /// Until when the customer can object to a change, or has to authorize it; none if nothing waits for its answer.
    fn answer_by(&self, change: &NoticeChange, own: Option<&RecipientChange>) -> Option<Timestamp> {
        let own = own.filter(|own| change.waits && own.status() == Status::Pending)?;
        let told = self.kind != event::NOTICE_WITHDRAWN;
        let end = instant(own.objection_deadline_time.as_ref());
        // Without a right to object its silence still decides.
        let end = end.or_else(|| instant(own.clear_time.as_ref()).filter(|_| self.authorization() == "SPECIFIC"));
        end.filter(|end| told && *end > self.now)
    }
}

/// A change of the list without a notice.
pub(super) fn listed(before: Option<&Entry>, after: Option<&Entry>) -> contents::Change {
    let kind = match (before, after) {
        (None, _) => "ADD",
        (_, None) => "REMOVE",
        _ => "UPDATE",
    };
    let differences = differences(before, after);
    contents::Change { kind: kind.to_owned(), differences, ..after.or(before).map(described).unwrap_or_default() }
}

/// What is said differently of an entry that stays.
fn differences(before: Option<&Entry>, after: Option<&Entry>) -> Vec<contents::Difference> {
    let Some((before, after)) = before.zip(after) else { return Vec::new() };
    let differing = rows::differences(before, after).into_iter();
    // What transfers rested on is known of what is listed only: that nothing is known of it is nothing to be told.
    let differing = differing.filter(|one| one.key != "mechanisms" || !one.before.is_empty());
    let said = differing.map(|one| contents::Difference {
        key: one.key.to_owned(),
        heading: one.heading.to_owned(),
        before: one.before,
        after: one.after,
    });
    said.collect()
}

/// An entry of the list in a mail.
fn described(entry: &Entry) -> contents::Change {
    contents::Change {
        subprocessor: entry.name.clone(),
        entity: company(entry),
        purposes: if entry.purposes.is_empty() && !entry.service_description.is_empty() {
            vec![entry.service_description.clone()]
        } else {
            entry.purposes.clone()
        },
        products: entry.products.iter().map(|one| one.name.clone()).collect(),
        condition: entry.condition.clone(),
        locations: entry.locations.iter().map(rows::place).collect(),
        data: entry.data_categories.clone(),
        special_data: entry.special_categories.clone(),
        transfer: entry.mechanisms.iter().map(|one| one.title.clone()).collect::<Vec<_>>().join("; "),
        ..contents::Change::default()
    }
}

/// The legal entity with its country, or else whom people know it by.
fn company(entry: &Entry) -> String {
    match (&entry.entity, &entry.vendor) {
        (Some(one), _) if one.country.is_empty() => one.legal_name.clone(),
        (Some(one), _) => format!("{}, {}", one.legal_name, one.country),
        (None, Some(vendor)) => vendor.name.clone(),
        (None, None) => String::new(),
    }
}

fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

/// An instant as people of a time zone write it.
fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    let form = if local.time() == Time::midnight() { "%-d %B %Y" } else { "%-d %B %Y, %H:%M" };
    format!("{} ({})", local.strftime(form), zone_name(zone))
}

/// The end of a period: midnight is the end of the day before.
fn end(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    match local.date().yesterday() {
        Ok(day) if local.time() == Time::midnight() => {
            format!("the end of {} ({})", day.strftime("%-d %B %Y"), zone_name(zone))
        }
        _ => moment(at, zone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_agreement() {
        let zone = |name| TimeZone::get(name).expect("a zone");
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        assert_eq!(end(at("2026-04-22T22:00:00Z"), &zone("Europe/Berlin")), "the end of 22 April 2026 (Europe/Berlin)");
        assert_eq!(end(at("2026-04-22T22:00:00Z"), &TimeZone::UTC), "22 April 2026, 22:00 (UTC)");
        assert_eq!(moment(at("2026-04-22T22:00:00Z"), &zone("Europe/Berlin")), "23 April 2026 (Europe/Berlin)");
        assert_eq!(moment(at("2026-04-22T10:30:00Z"), &TimeZone::UTC), "22 April 2026, 10:30 (UTC)");
    }
}
