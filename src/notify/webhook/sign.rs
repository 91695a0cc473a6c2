//! Signatures by Standard Webhooks 1.0.0, scheme `v1`: HMAC-SHA256 with a secret that both sides know.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use rand::{TryRngCore, rngs::OsRng};
use ring::hmac;

use crate::error::{Error, Result};

/// What a secret's text begins with.
pub const PREFIX: &str = "whsec_";

/// How many bytes a secret may have (Standard Webhooks 1.0.0, "Symmetric").
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// How many bytes a secret of our making has.
const GENERATED: usize = 32;

/// A secret that an endpoint's owner shares with us. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A new one, from the system's source of randomness.
    ///
    /// # Errors
    /// INTERNAL, if that source fails.
    pub fn generate() -> Result<Self> {
        let mut bytes = vec![0; GENERATED];
        OsRng.try_fill_bytes(&mut bytes).map_err(Error::internal)?;
        Ok(Self(bytes))
    }

    /// Reads the form in which secrets are exchanged: `whsec_` and base64.
    ///
    /// # Errors
    /// The rule that the text breaks. The text is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rule = || format!("must be {PREFIX} and the base64 of {} to {} bytes", BYTES.start(), BYTES.end());
        let encoded = text.strip_prefix(PREFIX).ok_or_else(rule)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| rule())?;
        if BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(format!("{}, not of {}", rule(), bytes.len())) }
    }

    /// The form in which secrets are exchanged, for the one time that it is shown and for the encrypted store.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The signature of one message, with its scheme.
    fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The value of `webhook-signature`: one signature for each secret, the newest first, so that a receiver which knows
/// either accepts the message while a secret is being replaced. Each says its scheme, and receivers pass over schemes
/// that they do not know.
pub fn signatures(secrets: &[Secret], id: &str, now: Timestamp, body: &[u8]) -> String {
    let each: Vec<_> = secrets.iter().map(|secret| secret.sign(id, now.as_second(), body)).collect();
    each.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standards_example() {
        let secret = Secret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").expect("a secret");
        let now = Timestamp::from_second(1_649_367_553).expect("a time");
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let signed = signatures(&[secret], "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", now, body);
        assert_eq!(signed, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn secrets_are_read_as_they_are_written_and_not_shown() {
        let secret = Secret::generate().expect("random");
        assert_ne!(Secret::generate().expect("random"), secret);
        let text = secret.reveal();
        assert_eq!(Secret::parse(&text), Ok(secret.clone()));
        assert!(!format!("{secret:?}").contains(&text[PREFIX.len()..]));
        for bytes in [24, 64] {
            assert!(Secret::parse(&format!("{PREFIX}{}", STANDARD.encode(vec![7; bytes]))).is_ok());
        }
    }

    #[test]
    fn a_secret_that_is_none_is_refused_and_not_repeated() {
        let of = |bytes| format!("{PREFIX}{}", STANDARD.encode(vec![7; bytes]));
        for text in [
            "",
            "whsec_",
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "WHSEC_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "whsec_C2FVsBQIhrscChlQIMV-b5sSYspob7oD",
            "whsec_not base64",
            &of(23),
            &of(65),
            &of(100_000),
        ] {
            let rule = Secret::parse(text).expect_err(text);
            assert!(rule.contains("whsec_") && rule.contains("24 to 64") && rule.len() < 100, "{rule}");
        }
    }
}
