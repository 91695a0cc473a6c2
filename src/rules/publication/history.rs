//! How a list has changed: what everybody could see of it day by day.
//!
//! A version of a subprocessor was public from when it was committed until the next one was, and of that time on the days
//! on which it was in effect. What existed before the register is taken as it was found: it was there from its own first
//! day on, and of what has none only when it was first recorded can be said.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    Entry,
    build::Known,
    rows::{Difference, differences},
};
use crate::{proto::v1::Subprocessor, rules::engagement::was_in_use};

/// A version that was public.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// What it said.
    pub subprocessor: Subprocessor,
    /// Whether it is the first one of its resource.
    pub first: bool,
    /// Whether it is not known if the one before it was public: a history is not read without end.
    pub continues: bool,
    /// When it was committed.
    pub from: Timestamp,
    /// When the next one was.
    pub to: Option<Timestamp>,
}

/// What changed on one day.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// The day (UTC), ISO 8601.
    pub date: String,
    /// When the last of it happened.
    pub at: Timestamp,
    /// What was recorded for the first time, as it was found.
    pub recorded: Vec<Entry>,
    /// What joined the list.
    pub added: Vec<Entry>,
    /// What left it.
    pub removed: Vec<Entry>,
    /// What is said of differently.
    pub changed: Vec<Changed>,
}

/// An entry that is said of differently.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// What was said.
    pub before: Entry,
    /// What is said.
    pub after: Entry,
    /// Where they differ.
    pub differences: Vec<Difference>,
}

impl Step {
    /// Whether nothing that is said changed.
    fn is_empty(&self) -> bool {
        self.recorded.is_empty() && self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    /// What changed, in one line.
    pub fn summary(&self) -> String {
        let count = |number: usize, word: &str| (number > 0).then(|| format!("{number} {word}"));
        let parts = [
            count(self.added.len(), "joined"),
            count(self.removed.len(), "left"),
            count(self.changed.len(), "changed"),
            count(self.recorded.len(), "first recorded"),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// What becomes of a resource at an instant: the version that is public from then on, or none.
struct Event<'a> {
    at: Timestamp,
    name: &'a str,
    becomes: Option<&'a Version>,
    recorded: bool,
    continues: bool,
}

/// The days up to `now` on which a list changed, the newest first.
pub fn steps(known: &Known<'_>, versions: &[Version], now: Timestamp) -> Vec<Step> {
    let mut events: Vec<Event<'_>> = versions.iter().flat_map(events).filter(|event| event.at <= now).collect();
    // Where one version ends and the next begins, the end comes first.
    events.sort_by_key(|event| (event.at, event.becomes.is_some()));
    let mut current: BTreeMap<&str, &Version> = BTreeMap::new();
    let mut steps = Vec::new();
    for of_day in events.chunk_by(|a, b| day(a.at) == day(b.at)) {
        let mut before: BTreeMap<&str, (Option<&Version>, bool, bool)> = BTreeMap::new();
        for event in of_day {
            let was = current.get(event.name).copied();
            let (_, recorded, continues) = before.entry(event.name).or_insert((was, false, false));
            *recorded |= event.recorded;
            *continues |= event.continues;
            match event.becomes {
                Some(version) => current.insert(event.name, version),
                None => current.remove(event.name),
            };
        }
        let Some(last) = of_day.last() else { continue };
        let mut step = Step { date: day(last.at), at: last.at, ..Step::default() };
        for (name, (was, recorded, continues)) in before {
            let entry = |version: &Version| known.entry(&version.subprocessor);
            match (was.map(entry), current.get(name).copied().map(entry)) {
                // It may have been there, and nobody knows what was said of it.
                (None, Some(_)) if continues => {}
                (None, Some(after)) if recorded => step.recorded.push(after),
                (None, Some(after)) => step.added.push(after),
                (Some(before), None) => step.removed.push(before),
                (Some(before), Some(after)) => {
                    let differences = differences(&before, &after);
                    if !differences.is_empty() {
                        step.changed.push(Changed { before, after, differences });
                    }
                }
                (None, None) => {}
            }
        }
        // Since always is no day on which something changed.
        if !step.is_empty() && last.at != Timestamp::MIN {
            step.sort();
            steps.push(step);
        }
    }
    steps.reverse();
    steps
}

impl Step {
    /// By name, as the list itself is.
    fn sort(&mut self) {
        let key = |one: &Entry| (one.name.to_lowercase(), one.id.clone());
        for list in [&mut self.recorded, &mut self.added, &mut self.removed] {
            list.sort_by_cached_key(key);
        }
        self.changed.sort_by_cached_key(|one| key(&one.after));
    }
}

/// When a version begins and ceases to be public.
fn events(version: &Version) -> Vec<Event<'_>> {
    let one = &version.subprocessor;
    if !one.listed || !was_in_use(one) {
        return Vec::new();
    }
    let (start, end) = (midnight(&one.start_date), midnight(&one.end_date));
    let found = version.first && one.recorded_as_found;
    let begin = match start {
        Some(start) if found => start,
        Some(start) => start.max(version.from),
        None => version.from,
    };
    let recorded = found && start.is_none();
    let end = [version.to, end].into_iter().flatten().min();
    // Of what was over when it was recorded, and began nobody knows when, only the end is known.
    let over = recorded && end.is_some_and(|end| end <= begin);
    if !over && end.is_some_and(|end| end <= begin) {
        return Vec::new();
    }
    let begin = if over { Timestamp::MIN } else { begin };
    let event = |at, becomes| Event { at, name: one.name.as_str(), becomes, recorded: false, continues: false };
    let begins = Event { recorded, continues: version.continues, ..event(begin, Some(version)) };
    std::iter::once(begins).chain(end.map(|end| event(end, None))).collect()
}

/// The UTC day of an instant.
fn day(at: Timestamp) -> String {
    at.strftime("%F").to_string()
}

/// The beginning of an ISO 8601 day in UTC.
pub fn midnight(date: &str) -> Option<Timestamp> {
    let date: Date = date.parse().ok()?;
    date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{
        proto::v1::{Organization, subprocessor::State},
        rules::law::{Law, territory::Territories},
    };

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn version(id: &str, from: &str, to: &str, change: impl FnOnce(&mut Subprocessor)) -> Version {
        let mut one = Subprocessor {
            name: format!("organizations/o/subprocessors/{id}"),
            display_name: id.to_owned(),
            listed: true,
            ..Subprocessor::default()
        };
        one.set_state(State::Active);
        change(&mut one);
        let to = (!to.is_empty()).then(|| at(to));
        Version { subprocessor: one, first: true, continues: false, from: at(from), to }
    }

    /// Each step as `date +joined -left ~changed *recorded`.
    fn told(versions: &[Version]) -> Vec<String> {
        let organization = Organization { name: "organizations/o".into(), ..Organization::default() };
        let law = Law::new([], Territories::default());
        let known = Known {
            base: "",
            organization: &organization,
            subprocessors: &HashMap::new(),
            vendors: &HashMap::new(),
            transfers: &HashMap::new(),
            law: &law,
        };
        let say = |sign: &str, list: &[Entry]| list.iter().map(|one| format!(" {sign}{}", one.id)).collect::<String>();
        let steps = steps(&known, versions, at("2026-03-10T12:00:00Z")).into_iter();
        steps
            .map(|step| {
                let changed: Vec<Entry> = step.changed.iter().map(|one| one.after.clone()).collect();
                let parts = [("+", &step.added), ("-", &step.removed), ("~", &changed), ("*", &step.recorded)];
                step.date + &parts.map(|(sign, list)| say(sign, list)).concat()
            })
            .collect()
    }

    const NOON: &str = "2026-03-01T12:00:00Z";
    const LATER: &str = "2026-03-05T12:00:00Z";

    #[test]
    fn what_is_committed_joins_changes_and_leaves() {
        let first = version("a", NOON, LATER, |_| {});
        let second = |change: fn(&mut Subprocessor)| Version { first: false, ..version("a", LATER, "", change) };
        assert_eq!(told(std::slice::from_ref(&first)), ["2026-03-05 -a", "2026-03-01 +a"]);
        let of = |change| told(&[first.clone(), second(change)]);
        assert_eq!(of(|one| one.purposes = vec!["x".into()]), ["2026-03-05 ~a", "2026-03-01 +a"]);
        // What nobody can see is no change.
        assert_eq!(of(|one| one.incomplete_reason = "x".into()), ["2026-03-01 +a"]);
        for hidden in
            [|one: &mut Subprocessor| one.listed = false, |one: &mut Subprocessor| one.set_state(State::Rejected)]
        {
            assert_eq!(of(hidden), ["2026-03-05 -a", "2026-03-01 +a"]);
        }
        assert_eq!(told(&[second(|one| one.set_state(State::Announced))]), [""; 0]);
    }

    #[test]
    fn what_may_have_been_there_before_does_not_join() {
        let cut = Version { first: false, continues: true, ..version("a", NOON, LATER, |_| {}) };
        let next = Version { first: false, ..version("a", LATER, "", |one| one.purposes = vec!["x".into()]) };
        assert_eq!(told(&[cut.clone(), next]), ["2026-03-05 ~a"]);
        assert_eq!(told(&[cut]), ["2026-03-05 -a"]);
    }

    #[test]
    fn days_come_by_themselves() {
        let one = version("a", NOON, "", |one| {
            (one.start_date, one.end_date) = ("2026-03-03".into(), "2026-03-08".into());
        });
        assert_eq!(told(&[one]), ["2026-03-08 -a", "2026-03-03 +a"]);
        // What is to come is not history.
        assert_eq!(told(&[version("a", NOON, "", |one| one.start_date = "2026-03-11".into())]), [""; 0]);
        // A first day that has passed is no reason to say that it was on the list.
        assert_eq!(told(&[version("a", NOON, "", |one| one.start_date = "2020-01-01".into())]), ["2026-03-01 +a"]);
    }

    #[test]
    fn what_existed_before_is_taken_as_it_was_found() {
        let found = |id: &str, start: &str, end: &str| {
            version(id, NOON, "", |one| {
                one.recorded_as_found = true;
                (one.start_date, one.end_date) = (start.into(), end.into());
            })
        };
        assert_eq!(told(&[found("a", "2020-01-01", ""), found("b", "", "")]), ["2026-03-01 *b", "2020-01-01 +a"]);
        assert_eq!(told(&[found("a", "2020-01-01", "2021-01-01")]), ["2021-01-01 -a", "2020-01-01 +a"]);
        assert_eq!(told(&[found("a", "", "2021-01-01")]), ["2021-01-01 -a"]);
    }

    #[test]
    fn a_day_is_one_step() {
        let morning = "2026-03-01T08:00:00Z";
        let first = version("a", morning, NOON, |_| {});
        let second = Version { first: false, ..version("a", NOON, "", |one| one.section = "x".into()) };
        let other = version("b", NOON, LATER, |_| {});
        let gone = version("c", morning, NOON, |_| {});
        assert_eq!(told(&[second, other, gone, first]), ["2026-03-05 -b", "2026-03-01 +a +b"]);
    }
}
