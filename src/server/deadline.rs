//! The caller's deadline, as `grpc-timeout` says it.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use crate::error::{Error, Reason, Result};

const HEADER: &str = "grpc-timeout";

/// When the caller stops waiting; none if it did not say.
///
/// # Errors
/// FIELD_INVALID if the header is not of the form the gRPC protocol gives it: at most eight digits and a unit.
pub(super) fn of(headers: &HeaderMap, now: Instant) -> Result<Option<Instant>> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let timeout = value.to_str().ok().and_then(parse).ok_or_else(|| {
        Error::field(HEADER, "must be 1 to 8 digits and a unit, one of H, M, S, m, u, n (as in `250m`)")
    })?;
    // Beyond what an instant can hold is as good as never.
    Ok(now.checked_add(timeout))
}

fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !matches!(digits.len(), 1..=8) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// What a caller gets whose deadline passed. Whether a write was made by then is not known; a read was not.
pub(super) fn exceeded() -> Error {
    Error::new(Reason::DeadlineExceeded, "the caller's deadline passed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_protocol_writes_them() {
        for (text, timeout) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("0S", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("5", None),
            ("123456789S", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("1s", None),
            ("1 S", None),
        ] {
            assert_eq!(parse(text), timeout, "{text}");
        }
    }

    #[test]
    fn a_timeout_that_cannot_be_read_is_refused() {
        let mut headers = HeaderMap::new();
        assert!(of(&headers, Instant::now()).expect("absent").is_none());
        headers.insert(HEADER, http::HeaderValue::from_static("soon"));
        let error = of(&headers, Instant::now()).expect_err("refused");
        assert_eq!(error.field_violations().next().map(|(field, _)| field), Some(HEADER));
        headers.insert(HEADER, http::HeaderValue::from_bytes(b"\xff\xc3\xa4S").expect("a header value"));
        assert!(of(&headers, Instant::now()).is_err());
    }
}
