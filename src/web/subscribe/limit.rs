//! How many mails strangers can make this process send: it would be others who get them.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

/// A bucket of mails that fills up with time, and the addresses that had one lately.
#[derive(Debug, Default)]
pub(in crate::web) struct Limit(Mutex<Bucket>);

#[derive(Debug, Default)]
struct Bucket {
    /// When each of the last mails was asked for, and to whom it went, as a digest.
    recent: VecDeque<(Timestamp, [u8; 32])>,
}

/// How many mails may be asked for within [`WINDOW`].
const MOST: usize = 60;

/// The time that is looked back on for all of them, and for one address.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// How many of them may go to one address.
const MOST_TO_ONE: usize = 3;

impl Limit {
    /// Whether one more mail may be asked for, to this address, and if so counts it.
    pub(in crate::web) fn allows(&self, to: [u8; 32], now: Timestamp) -> bool {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = &mut bucket.recent;
        while recent.front().is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            recent.pop_front();
        }
        let to_one = recent.iter().filter(|(_, other)| *other == to).count();
        if recent.len() >= MOST || to_one >= MOST_TO_ONE {
            return false;
        }
        recent.push_back((now, to));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_and_all_together_have_a_limit_that_passes_with_time() {
        let limit = Limit::default();
        let start: Timestamp = "2026-03-23T10:00:00Z".parse().expect("a time");
        let to = |number: u8| [number; 32];
        let allowed = |number: u8, at: Timestamp| limit.allows(to(number), at);
        assert!((0..MOST_TO_ONE).all(|_| allowed(0, start)));
        assert!(!allowed(0, start) && allowed(1, start));
        let later = start + SignedDuration::from_mins(1);
        let rest = (2..=u8::MAX).filter(|number| allowed(*number, later)).count();
        assert_eq!(rest, MOST - MOST_TO_ONE - 1);
        let after = start + WINDOW;
        assert!(allowed(0, after));
        assert_eq!((2..=u8::MAX).filter(|number| allowed(*number, after)).count(), MOST_TO_ONE);
    }
}
