//! The clocks of a notice: until when a change waits for a customer, and until when the customer may object. Pure: an
//! instant goes in, and instants come out.
//!
//! Periods are counted as contracts and Regulation (EEC, Euratom) 1182/71 Art. 3 count them: the day of the trigger is
//! not counted, and N days end when the N-th day after it ends, at 24:00 where the customer is. Unlike Art. 3(4) of that
//! regulation a period that ends on a weekend is not extended: contracts that want that say so.

use std::collections::BTreeSet;

use jiff::{
    Span, Timestamp,
    civil::{Date, Weekday},
    tz::TimeZone,
};

use crate::{
    error::{Error, Result},
    proto::v1::{Agreement, NoticePolicy, agreement::DayKind},
};

/// A number of days, counted in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Days {
    number: i32,
    business: bool,
}

/// What decides on the clocks of one customer, or of those who read along without being one.
#[derive(Debug, Clone)]
pub struct Terms {
    notice: Days,
    /// None: there is no right to object.
    objection: Option<Days>,
    /// The organization's public promise: a floor for everybody.
    promise: i32,
    /// The same of days to object: a floor for everybody who may.
    promised_objection: i32,
    /// Whether the agreement counts business days.
    business: bool,
    holidays: BTreeSet<Date>,
    time_zone: TimeZone,
}

/// The clocks of one customer, from one trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// What started them.
    pub start_time: Timestamp,
    /// The first instant at which an objection is late; none if there is no right to object.
    pub objection_deadline_time: Option<Timestamp>,
    /// The first instant at which the change may take effect, if nobody objects: the later end.
    pub clear_time: Timestamp,
}

impl Terms {
    /// The terms of a customer's agreement, and of the public promise to everybody. What an agreement leaves open is as
    /// promised; without a promise nothing waits.
    ///
    /// # Errors
    /// A time zone or a holiday that is none, which the contract does not let in.
    pub fn new(agreement: Option<&Agreement>, policy: Option<&NoticePolicy>) -> Result<Self> {
        let promise = policy.and_then(|policy| policy.notice_days);
        let promised_objection = policy.and_then(|policy| policy.objection_days);
        let business = agreement.is_some_and(|agreement| agreement.day_kind() == DayKind::Business);
        let own = agreement.and_then(|agreement| agreement.notice_days);
        let notice = Days { number: own.or(promise).unwrap_or(0), business: business && own.is_some() };
        let objection = match agreement.map(|agreement| agreement.objection_days) {
            Some(Some(number)) => Days { number, business },
            // An agreement that is silent on objections gives as many days as it gives notice, and no fewer than are
            // promised: only one that says 0 takes the right away (GDPR Art. 28(2)).
            Some(None) if notice.number == 0 => Days { number: promised_objection.unwrap_or(0), business: false },
            Some(None) => notice,
            None => Days { number: promised_objection.or(promise).unwrap_or(0), business: false },
        };
        let zone = agreement.map_or("", |agreement| agreement.time_zone.as_str());
        let holidays = agreement.into_iter().flat_map(|agreement| &agreement.holidays);
        Ok(Self {
            notice,
            objection: Some(objection).filter(|days| days.number > 0),
            promise: promise.unwrap_or(0),
            promised_objection: promised_objection.unwrap_or(0),
            business,
            holidays: holidays.map(|day| day.parse()).collect::<Result<_, _>>().map_err(Error::internal)?,
            time_zone: if zone.is_empty() { TimeZone::UTC } else { TimeZone::get(zone).map_err(Error::internal)? },
        })
    }

    /// Whether there is a right to object.
    pub fn may_object(&self) -> bool {
        self.objection.is_some()
    }

    /// The clocks that begin with `start_time`.
    ///
    /// # Errors
    /// If an end lies beyond the last instant there is.
    pub fn clock(&self, start_time: Timestamp) -> Result<Clock> {
        let end = |days: Days| self.end(start_time, days);
        let promised = |number: i32| end(Days { number, business: false });
        let objection_deadline_time = match self.objection {
            Some(days) => Some(end(days)?.max(promised(self.promised_objection)?)),
            None => None,
        };
        let clear_time = end(self.notice)?.max(promised(self.promise)?);
        let clear_time = objection_deadline_time.map_or(clear_time, |deadline| deadline.max(clear_time));
        Ok(Clock { start_time, objection_deadline_time, clear_time })
    }

    /// When what is agreed to last a number of days ends, counted as the agreement counts.
    ///
    /// # Errors
    /// If the end lies beyond the last instant there is.
    pub fn after(&self, start: Timestamp, number: i32) -> Result<Timestamp> {
        self.end(start, Days { number, business: self.business })
    }

    /// The last UTC day on which a clock can begin, so that it clears by `end`: what is told on that day, at its last
    /// instant, is in time.
    ///
    /// # Errors
    /// If a day lies beyond the first or the last there is.
    pub fn last_start(&self, end: Timestamp) -> Result<Date> {
        // A longer wait than any that an agreement can have, in business days and holidays.
        const LONGEST: i32 = 3_650 * 2;
        let last_of = |day: Date| -> Result<Timestamp> {
            let next = day.tomorrow().map_err(Error::internal)?;
            let next = next.to_zoned(TimeZone::UTC).map_err(Error::internal)?.timestamp();
            next.checked_sub(Span::new().microseconds(1)).map_err(Error::internal)
        };
        let today = end.to_zoned(TimeZone::UTC).date();
        let day = |back: i32| today.checked_sub(Span::new().days(back)).map_err(Error::internal);
        // The later the start the later the end: the first day back that is early enough is found by halving.
        let (mut early, mut late) = (LONGEST, 0);
        while late < early {
            let middle = late.midpoint(early);
            let begun = last_of(day(middle)?)?;
            if begun <= end && self.clock(begun)?.clear_time <= end {
                early = middle;
            } else {
                late = middle + 1;
            }
        }
        day(early)
    }

    /// The end of the last of some days after that of the trigger; for none the trigger itself.
    fn end(&self, start: Timestamp, days: Days) -> Result<Timestamp> {
        if days.number <= 0 {
            return Ok(start);
        }
        let mut day = start.to_zoned(self.time_zone.clone()).date();
        if days.business {
            let mut left = days.number;
            while left > 0 {
                day = day.tomorrow().map_err(Error::internal)?;
                left -= i32::from(self.is_business(day));
            }
        } else {
            let days = Span::new().try_days(days.number).map_err(Error::internal)?;
            day = day.checked_add(days).map_err(Error::internal)?;
        }
        // 24:00 is the first instant of the next day, also where that day does not begin at midnight.
        let next = day.tomorrow().map_err(Error::internal)?;
        Ok(next.to_zoned(self.time_zone.clone()).map_err(Error::internal)?.timestamp())
    }

    fn is_business(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !self.holidays.contains(&day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn agreement(notice: Option<i32>, objection: Option<i32>, time_zone: &str) -> Agreement {
        Agreement {
            notice_days: notice,
            objection_days: objection,
            time_zone: time_zone.to_owned(),
            ..Default::default()
        }
    }

    /// Objection deadline and clear time of a notice that is sent at `start`.
    fn ends(agreement: &Agreement, policy: Option<&NoticePolicy>, start: &str) -> (Option<String>, String) {
        let clock = Terms::new(Some(agreement), policy).expect("terms").clock(at(start)).expect("a clock");
        assert_eq!(clock.start_time, at(start));
        (clock.objection_deadline_time.map(|time| time.to_string()), clock.clear_time.to_string())
    }

    fn clear(agreement: &Agreement, start: &str) -> String {
        ends(agreement, None, start).1
    }

    #[test]
    fn a_notice_sent_on_a_spring_morning_in_four_time_zones() {
        // Daylight saving time begins in Berlin on 2026-03-29, ends in Auckland on 2026-04-05; on Kiritimati the next day
        // has begun already.
        for (days, utc, berlin, los_angeles, auckland, kiritimati) in [
            (
                5,
                "2026-03-29T00:00:00Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T07:00:00Z",
                "2026-03-28T11:00:00Z",
                "2026-03-29T10:00:00Z",
            ),
            (
                10,
                "2026-04-03T00:00:00Z",
                "2026-04-02T22:00:00Z",
                "2026-04-03T07:00:00Z",
                "2026-04-02T11:00:00Z",
                "2026-04-03T10:00:00Z",
            ),
            (
                15,
                "2026-04-08T00:00:00Z",
                "2026-04-07T22:00:00Z",
                "2026-04-08T07:00:00Z",
                "2026-04-07T12:00:00Z",
                "2026-04-08T10:00:00Z",
            ),
            (
                30,
                "2026-04-23T00:00:00Z",
                "2026-04-22T22:00:00Z",
                "2026-04-23T07:00:00Z",
                "2026-04-22T12:00:00Z",
                "2026-04-23T10:00:00Z",
            ),
        ] {
            for (zone, expected) in [
                ("", utc),
                ("Europe/Berlin", berlin),
                ("America/Los_Angeles", los_angeles),
                ("Pacific/Auckland", auckland),
                ("Pacific/Kiritimati", kiritimati),
            ] {
                let same = agreement(Some(days), None, zone);
                let (deadline, clear) = ends(&same, None, "2026-03-23T10:00:00Z");
                assert_eq!((deadline.as_deref(), clear.as_str()), (Some(expected), expected), "{days} days, {zone}");
            }
        }
    }

    #[test]
    fn notice_and_objection_are_apart() {
        let start = "2026-03-23T10:00:00Z";
        let (five, thirty) = ("2026-03-29T00:00:00Z".to_owned(), "2026-04-23T00:00:00Z".to_owned());
        assert_eq!(ends(&agreement(Some(30), Some(5), ""), None, start), (Some(five.clone()), thirty.clone()));
        assert_eq!(ends(&agreement(Some(5), Some(30), ""), None, start), (Some(thirty.clone()), thirty.clone()));
        // No right to object, and no notice owed.
        assert_eq!(ends(&agreement(Some(5), Some(0), ""), None, start), (None, five.clone()));
        assert_eq!(ends(&agreement(Some(0), None, ""), None, start), (None, start.to_owned()));
        assert_eq!(ends(&agreement(None, None, ""), None, start), (None, start.to_owned()));
    }

    #[test]
    fn the_promise_fills_gaps_and_is_a_floor() {
        let start = "2026-03-23T10:00:00Z";
        let promise = NoticePolicy { notice_days: Some(10), objection_days: Some(5), ..Default::default() };
        let (five, ten) = ("2026-03-29T00:00:00Z".to_owned(), "2026-04-03T00:00:00Z".to_owned());
        assert_eq!(ends(&agreement(None, None, ""), Some(&promise), start), (Some(ten.clone()), ten.clone()));
        assert_eq!(ends(&agreement(Some(5), None, ""), Some(&promise), start), (Some(five.clone()), ten.clone()));
        let nobody = Terms::new(None, Some(&promise)).expect("terms").clock(at(start)).expect("a clock");
        assert_eq!((nobody.objection_deadline_time, nobody.clear_time), (Some(at(&five)), at(&ten)));
        let silent = Terms::new(None, None).expect("terms").clock(at(start)).expect("a clock");
        assert_eq!((silent.objection_deadline_time, silent.clear_time), (None, at(start)));
        // Days that are promised are calendar days, whatever an agreement counts.
        let business = Agreement { day_kind: DayKind::Business.into(), ..Default::default() };
        assert_eq!(ends(&business, Some(&promise), start).1, ten);
    }

    #[test]
    fn days_to_object_that_are_promised_are_a_floor_too() {
        let start = "2026-03-23T10:00:00Z";
        let promise = NoticePolicy { notice_days: Some(10), objection_days: Some(30), ..Default::default() };
        let (ten, thirty) = ("2026-04-03T00:00:00Z".to_owned(), "2026-04-23T00:00:00Z".to_owned());
        let both = |days: &String| (Some(days.clone()), days.clone());
        assert_eq!(ends(&agreement(Some(5), Some(5), ""), Some(&promise), start), both(&thirty));
        assert_eq!(ends(&agreement(None, None, ""), Some(&promise), start), both(&thirty));
        // More than is promised stays as it is agreed.
        let more = "2026-05-03T00:00:00Z".to_owned();
        assert_eq!(ends(&agreement(Some(5), Some(40), ""), Some(&promise), start), both(&more));
        // An agreement that owes no notice and is silent on objections does not waive what everybody is promised; one that
        // says 0 does.
        assert_eq!(ends(&agreement(Some(0), None, ""), Some(&promise), start), both(&thirty));
        assert_eq!(ends(&agreement(Some(0), Some(0), ""), Some(&promise), start), (None, ten.clone()));
        // Promised days are calendar days, in the zone of the customer.
        let business =
            Agreement { day_kind: DayKind::Business.into(), ..agreement(Some(1), Some(1), "America/Los_Angeles") };
        assert_eq!(ends(&business, Some(&promise), start), both(&"2026-04-23T07:00:00Z".to_owned()));
        // Where only notice is promised, nothing is promised to those who agreed on days to object.
        let notice = NoticePolicy { notice_days: Some(10), ..Default::default() };
        let five = "2026-03-29T00:00:00Z".to_owned();
        assert_eq!(ends(&agreement(Some(5), Some(5), ""), Some(&notice), start), (Some(five), ten));
    }

    #[test]
    fn business_days_skip_weekends_and_the_holidays_of_the_agreement() {
        let business = |days: i32, holidays: &[&str]| Agreement {
            day_kind: DayKind::Business.into(),
            holidays: holidays.iter().map(|day| (*day).to_owned()).collect(),
            ..agreement(Some(days), None, "Europe/Berlin")
        };
        // A Thursday; Good Friday and Easter Monday lie ahead.
        let start = "2026-04-02T10:00:00Z";
        assert_eq!(clear(&business(1, &[]), start), "2026-04-03T22:00:00Z");
        assert_eq!(clear(&business(2, &[]), start), "2026-04-06T22:00:00Z");
        assert_eq!(clear(&business(1, &["2026-04-03", "2026-04-06"]), start), "2026-04-07T22:00:00Z");
        assert_eq!(clear(&business(5, &["2026-04-03", "2026-04-06"]), start), "2026-04-13T22:00:00Z");
        // A trigger on a Saturday, and a holiday on one.
        assert_eq!(clear(&business(1, &["2026-04-04"]), "2026-04-04T10:00:00Z"), "2026-04-06T22:00:00Z");
        // Calendar days end on a Sunday as well.
        assert_eq!(clear(&agreement(Some(3), None, "Europe/Berlin"), start), "2026-04-05T22:00:00Z");
    }

    #[test]
    fn months_leap_days_and_days_that_do_not_begin_at_midnight() {
        let days = |number, zone| agreement(Some(number), None, zone);
        assert_eq!(clear(&days(30, ""), "2026-01-31T23:59:59Z"), "2026-03-03T00:00:00Z");
        assert_eq!(clear(&days(1, ""), "2028-02-28T00:00:00Z"), "2028-03-01T00:00:00Z");
        assert_eq!(clear(&days(1, ""), "2026-02-28T00:00:00Z"), "2026-03-02T00:00:00Z");
        assert_eq!(clear(&days(1, ""), "2026-12-30T12:00:00Z"), "2027-01-01T00:00:00Z");
        // In Beirut the clocks went forward at midnight: 2025-03-30 began at 01:00.
        assert_eq!(clear(&days(1, "Asia/Beirut"), "2025-03-28T12:00:00Z"), "2025-03-29T22:00:00Z");
        // Samoa had no 2011-12-30: the day after the 29th was the 31st.
        assert_eq!(clear(&days(1, "Pacific/Apia"), "2011-12-28T20:00:00Z"), "2011-12-30T10:00:00Z");
        // An hour that comes twice belongs to one day.
        assert_eq!(clear(&days(1, "America/New_York"), "2025-11-02T06:30:00Z"), "2025-11-04T05:00:00Z");
    }

    #[test]
    fn the_last_day_on_which_telling_is_in_time() {
        let last = |agreement: &Agreement, end: &str| {
            Terms::new(Some(agreement), None).expect("terms").last_start(at(end)).expect("a day").to_string()
        };
        // Told on the 21st, thirty days end with the 20th of the month after.
        assert_eq!(last(&agreement(Some(30), None, ""), "2026-05-21T00:00:00Z"), "2026-04-20");
        assert_eq!(last(&agreement(Some(30), None, ""), "2026-05-20T23:59:59Z"), "2026-04-19");
        // In Los Angeles the last instant of the 20th (UTC) is still the 20th, and that day ends later.
        assert_eq!(last(&agreement(Some(30), None, "America/Los_Angeles"), "2026-05-21T00:00:00Z"), "2026-04-19");
        assert_eq!(last(&agreement(Some(0), None, ""), "2026-05-21T00:00:00Z"), "2026-05-20");
        let business = Agreement { day_kind: DayKind::Business.into(), ..agreement(Some(5), None, "") };
        assert_eq!(last(&business, "2026-05-23T00:00:00Z"), "2026-05-17", "a Sunday counts for nothing");
    }

    #[test]
    fn what_lies_beyond_time_is_refused() {
        let far = Terms::new(Some(&agreement(Some(i32::MAX), None, "")), None).expect("terms");
        assert!(far.clock(at("2026-03-23T10:00:00Z")).is_err());
        assert!(Terms::new(Some(&agreement(Some(1), None, "Europe/Atlantis")), None).is_err());
    }
}
