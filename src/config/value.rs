//! What a single value has to be.

use std::{fmt, net::SocketAddr, ops::RangeInclusive};

use serde::{Deserialize, Deserializer, de};

/// Reads an address with a port. Names are not looked up: who can reach the server must be known from what is written.
pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    let rule = || de::Error::custom(format!("must be an address and a port such as 127.0.0.1:50051, not {text}"));
    text.parse().map_err(|_| rule())
}

/// Whether addresses of pages can begin with it.
pub(super) fn is_base(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        let plain = url.query().is_none() && url.fragment().is_none() && !text.ends_with('/');
        let nobody = url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && url.has_host() && plain && nobody
    })
}

/// Whether it is a URL without TLS.
pub(super) fn is_http(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| url.scheme() == "http" && url.has_host())
}

/// A URL, or what was meant to be one, without who is to ask and with which password.
pub(super) fn without_user(text: &str) -> String {
    let Some((before, rest)) = text.rsplit_once('@') else { return text.to_owned() };
    let scheme = before.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
    format!("{scheme}…@{rest}")
}

/// Adds a rule that is broken unless the value is in the range.
pub(super) fn within<T: PartialOrd + fmt::Display>(
    key: &'static str,
    value: T,
    range: RangeInclusive<T>,
    found: &mut Vec<(&'static str, String)>,
) {
    if !range.contains(&value) {
        found.push((key, format!("must be {} to {}, not {value}", range.start(), range.end())));
    }
}
