//! What time it is. Nothing below this module reads a clock; everything above gets the time passed in.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;

const RULE: &str = "must hold an RFC 3339 instant such as 2026-03-23T10:00:00Z and nothing else";

/// The registry's clock: the system's, or one that a file holds so that tests and rehearsals can move it.
#[derive(Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// An RFC 3339 instant in a file, read again for each transaction. It only moves forward.
    File(FileClock),
}

/// A clock that a file holds.
#[derive(Debug)]
pub struct FileClock {
    path: PathBuf,
    /// Microseconds since 1970 of the latest instant read.
    latest: AtomicI64,
}

impl Clock {
    /// A clock that reads `path`, which must hold an RFC 3339 instant such as `2026-03-23T10:00:00Z`.
    ///
    /// # Errors
    /// If the file cannot be read or does not hold an instant.
    pub fn file(path: &Path) -> Result<Self, String> {
        let clock = FileClock { path: path.to_owned(), latest: AtomicI64::new(i64::MIN) };
        let first = clock.read()?;
        clock.latest.store(first.as_microsecond(), Ordering::SeqCst);
        Ok(Self::File(clock))
    }

    /// The system's instant, whatever a file says: for what others compare with their own clocks.
    pub fn system() -> Timestamp {
        truncate(Timestamp::now())
    }

    /// The present instant, in whole microseconds.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Self::system(),
            Self::File(clock) => clock.now(),
        }
    }
}

impl FileClock {
    fn read(&self) -> Result<Timestamp, String> {
        let path = self.path.display();
        let text = fs::read_to_string(&self.path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!("there is no file {path}"),
            ErrorKind::InvalidData => format!("{path} {RULE}"),
            kind => format!("{path} cannot be read: {kind}"),
        })?;
        text.trim().parse().map(truncate).map_err(|_| format!("{path} {RULE}"))
    }

    fn now(&self) -> Timestamp {
        // A file that is being rewritten can be empty for a moment: the latest instant read holds until it is whole.
        let read = self.read().map_or(i64::MIN, |instant| instant.as_microsecond());
        let latest = self.latest.fetch_max(read, Ordering::SeqCst).max(read);
        Timestamp::from_microsecond(latest).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

fn truncate(instant: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(instant.as_microsecond()).unwrap_or(instant)
}
