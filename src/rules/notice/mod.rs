//! Change notices (DESIGN §6): what a change must wait for, and when it may take effect for whom. Pure: messages and
//! instants go in.
//!
//! - [`clock`]: the ends of a customer's periods, from what starts them.
//! - [`widening`]: what of a change must wait, because it is more than the list said before.
//! - [`audience`]: whom a change reaches, and why not.
//! - [`recipient`]: what becomes of one customer's answer, or silence.
//! - [`effect`]: when a change takes effect, for whom, and what holds it.

use jiff::Timestamp;

pub mod audience;
pub mod clock;
pub mod effect;
pub mod recipient;
pub mod widening;

/// The instant that a message states.
pub fn instant(time: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok())
}

/// An instant as a message states it.
#[allow(clippy::unnecessary_wraps)] // As fields hold it.
pub fn stamp(instant: Timestamp) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: instant.as_second(), nanos: instant.subsec_nanosecond() })
}
