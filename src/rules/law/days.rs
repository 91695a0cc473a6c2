//! The days that a question is about: one, or a range.

/// The days that are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Days {
    /// One day.
    One(String),
    /// From the first to the last.
    Range(String, String),
}

impl Days {
    /// The day, if it is one.
    pub fn only(&self) -> Option<&str> {
        match self {
            Self::One(day) => Some(day),
            Self::Range(..) => None,
        }
    }

    /// The part in which something takes place that has these dates: first day and last.
    pub fn within(&self, start_date: &str, end_date: &str) -> Option<(String, String)> {
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

    /// What is left of them on days on which nothing takes place that has these start and end dates.
    pub fn without(&self, others: &[(&str, &str)]) -> Vec<Self> {
        let mut taken: Vec<(String, String)> =
            others.iter().filter_map(|(start, end)| self.within(start, end)).collect();
        let Self::Range(from, to) = self else {
            return if taken.is_empty() { vec![self.clone()] } else { Vec::new() };
        };
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

/// The day before a day; none before the first there is.
pub fn day_before(day: &str) -> Option<String> {
    day.parse::<jiff::civil::Date>().ok()?.yesterday().ok().map(|day| day.to_string())
}

/// The day after a day; none after the last there is.
pub fn day_after(day: &str) -> Option<String> {
    day.parse::<jiff::civil::Date>().ok()?.tomorrow().ok().map(|day| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: &str, to: &str) -> Days {
        Days::Range(from.to_owned(), to.to_owned())
    }

    #[test]
    fn the_part_in_which_something_takes_place() {
        let days = range("2024-01-10", "2024-01-20");
        let part = |start: &str, end: &str| days.within(start, end);
        let of = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        assert_eq!(part("", ""), of("2024-01-10", "2024-01-20"));
        assert_eq!(part("2024-01-15", "2024-01-16"), of("2024-01-15", "2024-01-15"));
        assert_eq!(part("2024-01-01", "2024-01-11"), of("2024-01-10", "2024-01-10"));
        assert_eq!(part("", "2024-01-10"), None);
        assert_eq!(part("2024-01-21", ""), None);
        let day = Days::One("2024-01-10".to_owned());
        assert_eq!((day.within("", "2024-01-10"), day.within("2024-01-11", "")), (None, None));
        assert_eq!(day.within("2024-01-10", "2024-01-11"), of("2024-01-10", "2024-01-10"));
    }

    #[test]
    fn what_is_left_of_them() {
        let days = range("2024-01-10", "2024-01-20");
        assert_eq!(days.without(&[]), [days.clone()]);
        assert_eq!(days.without(&[("", "")]), []);
        assert_eq!(
            days.without(&[("2024-01-15", "2024-01-16"), ("", "2024-01-12"), ("2024-01-15", "2024-01-18")]),
            [range("2024-01-12", "2024-01-14"), range("2024-01-18", "2024-01-20")]
        );
        assert_eq!(days.without(&[("2024-01-12", "")]), [range("2024-01-10", "2024-01-11")]);
        let day = Days::One("2024-01-10".to_owned());
        assert_eq!((day.without(&[("", "")]), day.without(&[("2024-01-11", "")])), (vec![], vec![day.clone()]));
    }
}
