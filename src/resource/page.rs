//! Pages (AIP-158): sizes, and tokens that are bound to their query and to one revision. A token grants nothing: what it
//! leads to is read again under the caller's own request.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message;
use sha2::{Digest, Sha256};

use super::text;
use crate::error::{Error, Reason, Result};

/// The size of a page when the caller does not say.
pub const DEFAULT_SIZE: usize = 50;
/// The largest page.
pub const MAX_SIZE: usize = 1_000;

/// The page size that a request asks for.
///
/// # Errors
/// FIELD_INVALID if it is negative.
pub fn size(requested: i32) -> Result<usize> {
    match usize::try_from(requested) {
        Ok(0) => Ok(DEFAULT_SIZE),
        Ok(size) => Ok(size.min(MAX_SIZE)),
        Err(_) => Err(Error::field("page_size", format!("must not be negative, but is {requested}"))),
    }
}

/// Where a walk through pages stands.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Position {
    /// The revision from which all pages are read.
    #[prost(int64, tag = "1")]
    pub revision: i64,
    /// The last row's value in the order's column, if that is text.
    #[prost(string, tag = "2")]
    pub text: String,
    /// The last row's value in the order's column, if that is a number.
    #[prost(int64, tag = "3")]
    pub number: i64,
    /// The last row's name.
    #[prost(string, tag = "4")]
    pub name: String,
    /// The day that the first page was asked for or, if that named none, was answered for: the next ones are for the same.
    #[prost(string, tag = "5")]
    pub date: String,
}

impl Position {
    /// The day that a page is for: that of the first one, if the request names none itself.
    pub fn day(after: Option<&Self>, asked: &str, today: String) -> String {
        match after {
            Some(after) if asked.is_empty() && !after.date.is_empty() => after.date.clone(),
            _ => today,
        }
    }
}

/// What a token is bound to: everything in a request but the size and the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query([u8; 16]);

impl Query {
    /// The query that these parts make.
    pub fn of(method: &str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(&method).chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut out = [0; 16];
        out.copy_from_slice(&hash.finalize()[..16]);
        Self(out)
    }

    /// A token for `position` in this query.
    pub fn token(&self, position: &Position) -> String {
        let body = position.encode_to_vec();
        let mut bytes = self.seal(&body).to_vec();
        bytes.extend_from_slice(&body);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in `token`; `None` for the first page.
    ///
    /// # Errors
    /// PAGE_TOKEN_INVALID if it is not a token of this query.
    pub fn position(&self, token: &str) -> Result<Option<Position>> {
        if token.is_empty() {
            return Ok(None);
        }
        let refuse = || {
            let rule = "is not a page token of this query; leave everything but page_size as it was, or begin again";
            Error::fields(Reason::PageTokenInvalid, vec![("page_token".to_owned(), rule.to_owned())])
        };
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refuse())?;
        let (seal, body) = bytes.split_at_checked(16).ok_or_else(refuse)?;
        if seal != self.seal(body) {
            return Err(refuse());
        }
        let position = Position::decode(body).map_err(|_| refuse())?;
        let is_day = position.date.is_empty() || text::date(&position.date).is_ok();
        if !is_day || position.text.contains('\0') || position.name.contains('\0') {
            return Err(refuse());
        }
        Ok(Some(position))
    }

    fn seal(&self, body: &[u8]) -> [u8; 16] {
        let hash = Sha256::new().chain_update(self.0).chain_update(body).finalize();
        let mut out = [0; 16];
        out.copy_from_slice(&hash[..16]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_belongs_to_its_query() {
        let position = Position { revision: 7, text: "b".into(), name: "vendors/b".into(), ..Position::default() };
        let query = Query::of("ListVendors", &["state = ACTIVE", "name"]);
        let token = query.token(&position);
        assert_eq!(query.position(&token).unwrap(), Some(position));
        assert_eq!(query.position("").unwrap(), None);
        let other = Query::of("ListVendors", &["state = ACTIVEn", "ame"]);
        let mut forged = token.clone();
        forged.replace_range(30..31, if token.as_bytes()[30] == b'A' { "B" } else { "A" });
        for (query, token) in [(other, token.as_str()), (query, "x"), (query, "!!"), (query, &forged), (query, "AAAA")]
        {
            assert_eq!(query.position(token).expect_err(token).reason(), Reason::PageTokenInvalid);
        }
    }

    #[test]
    fn sizes() {
        assert_eq!((size(0).unwrap(), size(7).unwrap(), size(i32::MAX).unwrap()), (50, 7, 1_000));
        assert!(size(-1).is_err());
    }
}
