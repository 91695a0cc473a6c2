//! Days, counted by hand: the model must not ask what it judges.

/// Seconds since 1970.
pub type Instant = i64;
/// Days since 1970, in UTC or in another zone.
pub type Day = i64;

pub const HOUR: i64 = 3_600;
pub const DAY: i64 = 24 * HOUR;

pub fn day_of(at: Instant) -> Day {
    at.div_euclid(DAY)
}

/// Year, month and day, by eras of 400 years that begin with March.
fn civil(day: Day) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// ISO 8601.
pub fn date(day: Day) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// RFC 3339, in UTC.
pub fn text(at: Instant) -> String {
    let second = at.rem_euclid(DAY);
    format!("{}T{:02}:{:02}:{:02}Z", date(day_of(at)), second / HOUR, second / 60 % 60, second % 60)
}

/// How the days of a period are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    pub business: bool,
    pub holiday: Option<Day>,
    /// Seconds that the local clock is ahead of UTC.
    pub ahead: i64,
}

/// When a number of days after the day of `start` are over; for none `start` itself.
pub fn over(start: Instant, days: i32, counting: Counting) -> Instant {
    if days == 0 {
        return start;
    }
    let mut day = day_of(start + counting.ahead);
    let mut left = days;
    while left > 0 {
        day += 1;
        // 1970-01-01 was a Thursday.
        let is_weekend = (day + 3).rem_euclid(7) >= 5;
        if !counting.business || !(is_weekend || counting.holiday == Some(day)) {
            left -= 1;
        }
    }
    (day + 1) * DAY - counting.ahead
}

#[test]
fn days_are_counted_as_the_calendar_has_them() {
    assert_eq!(text(0), "1970-01-01T00:00:00Z");
    assert_eq!(text(951_827_696), "2000-02-29T12:34:56Z");
    let plain = Counting { business: false, holiday: None, ahead: 0 };
    // Monday 2026-03-23, 10:00.
    let start = 1_774_260_000;
    assert_eq!(text(start), "2026-03-23T10:00:00Z");
    assert_eq!(text(over(start, 30, plain)), "2026-04-23T00:00:00Z");
    let business = Counting { business: true, holiday: Some(day_of(start) + 1), ..plain };
    assert_eq!(text(over(start, 5, business)), "2026-04-01T00:00:00Z");
    assert_eq!(text(over(start, 1, Counting { ahead: 19_800, ..plain })), "2026-03-24T18:30:00Z");
}
