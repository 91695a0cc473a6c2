//! Who calls what: what a handler passes down with a request.

use std::fmt;

use http::HeaderMap;

use crate::{
    error::{Error, Reason, Result},
    trace,
};

/// The principal of what the registry does itself.
pub const SYSTEM: &str = "system";

/// The metadata key by which a caller says who it is, while the server listens on a loopback address.
pub const PRINCIPAL_KEY: &str = "x-principal";

/// The longest principal accepted.
const MAX_PRINCIPAL: usize = 256;

/// Who is calling: an opaque id. Handlers find it in the extensions of their request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal(String);

impl Principal {
    /// A caller that did not say who it is.
    pub fn anonymous() -> Self {
        Self("anonymous".to_owned())
    }

    /// The principal of a call with these headers. `x-principal` is honoured only where `trusted`, which is while
    /// listening on a loopback address: elsewhere nobody can vouch for it.
    ///
    /// # Errors
    /// PRINCIPAL_INVALID if it is given more than once, is not 1 to 256 visible ASCII characters, or is the registry's own.
    pub fn of(headers: &HeaderMap, trusted: bool) -> Result<Self> {
        let mut values = headers.get_all(PRINCIPAL_KEY).iter();
        let Some(value) = values.next().filter(|_| trusted) else { return Ok(Self::anonymous()) };
        let bytes = value.as_bytes();
        let visible = matches!(bytes.len(), 1..=MAX_PRINCIPAL) && bytes.iter().all(u8::is_ascii_graphic);
        match std::str::from_utf8(bytes) {
            Ok(SYSTEM) => Err(Error::new(
                Reason::PrincipalInvalid,
                format!("\"{SYSTEM}\" is the registry itself; nobody else can be it"),
            )),
            Ok(text) if visible && values.next().is_none() => Ok(Self(text.to_owned())),
            _ => Err(Error::new(
                Reason::PrincipalInvalid,
                format!("{PRINCIPAL_KEY} must be given once, as 1 to {MAX_PRINCIPAL} visible ASCII characters"),
            )),
        }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A call, as far as the layers below the handlers need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who calls: an opaque id.
    pub principal: String,
    /// The method, as the log names it: `VendorService/CreateVendor`.
    pub method: &'static str,
    /// The caller's request id (AIP-155); empty if there was none.
    pub request_id: String,
    /// SHA-256 of the request without its `request_id`: what the same request id must come with again.
    pub request_digest: [u8; 32],
    /// Check everything, write nothing (AIP-163).
    pub validate_only: bool,
    /// The trace that it belongs to ([`crate::trace`]); empty: none.
    pub trace: String,
}

impl Call {
    /// A call that the registry makes itself, such as loading the catalog.
    pub fn internal(method: &'static str) -> Self {
        Self {
            principal: SYSTEM.to_owned(),
            method,
            request_id: String::new(),
            request_digest: [0; 32],
            validate_only: false,
            trace: trace::current(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PRINCIPAL_KEY, HeaderValue::from_bytes(value).expect("a header value"));
        }
        headers
    }

    #[test]
    fn a_principal_is_1_to_256_visible_ascii_characters_given_once() {
        let longest = [b'x'; 256];
        for good in [b"ops".as_slice(), b"~", b"!", b"team:privacy@example.com", &longest] {
            let principal = Principal::of(&headers(&[good]), true).expect("good");
            assert_eq!(principal.as_str().as_bytes(), good);
        }
        assert_eq!(Principal::of(&headers(&[]), true).expect("absent"), Principal::anonymous());
        let too_long = [b'x'; 257];
        for bad in [&[b"".as_slice()][..], &[b"a b"], &[b"\xc3\xa4"], &[b"a\tb"], &[&too_long], &[b"a", b"b"]] {
            let error = Principal::of(&headers(bad), true).expect_err("refused");
            assert_eq!(error.reason(), Reason::PrincipalInvalid, "{bad:?}");
        }
    }

    #[test]
    fn where_others_can_reach_the_server_everybody_is_anonymous() {
        for values in [&[b"ops".as_slice()][..], &[b""], &[b"a", b"b"], &[]] {
            assert_eq!(Principal::of(&headers(values), false).expect("ignored"), Principal::anonymous());
        }
    }
}
