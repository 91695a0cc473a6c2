//! Where webhooks may go. Endpoints are named by strangers, so every URI and every address is suspect until it is shown to
//! be public (CWE-918). Pure: names are looked up by the client, which asks [`check_address`] of every answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Position, Url};

/// How long a URI may be, in bytes.
const LONGEST: usize = 2048;

/// What is accepted beyond the rule: https to public addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// http:// too.
    pub allow_http: bool,
    /// Networks that are accepted although they are not public. If there are any, names for use inside a network are
    /// accepted too, and the addresses behind them decide.
    pub private: Vec<IpNet>,
}

/// The last labels of names that lead nowhere in public: special-use names (RFC 6761, 6762, 7686, 8375, 9476), ICANN's
/// reservation for private use (`internal`), and what networks use without one.
const INSIDE: [&str; 14] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "in-addr.arpa",
    "onion",
    "alt",
    "invalid",
];

/// IPv4 networks that are not public (IANA IPv4 Special-Purpose Address Registry), and the one address among the public
/// ones that answers with a machine's secrets (Azure). Other clouds' are link-local, shared or private.
const V4: [(Ipv4Addr, u32, &str); 20] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by a provider's customers"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a cloud's metadata service"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "for documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "reserved"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "reserved"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a tunnel"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "reserved"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(255, 255, 255, 255), 32, "broadcast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// IPv6 networks that are not public although they are global unicast, or that deserve a name of their own (IANA IPv6
/// Special-Purpose Address Registry). Whatever is outside 2000::/3 is not public in any case.
const V6: [(Ipv6Addr, u32, &str); 13] = [
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::UNSPECIFIED, 96, "an IPv4 address in an obsolete form"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "a translation inside a network"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discarded"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "a tunnel, or reserved"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "for documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "a tunnel"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "for documentation"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// Checks what can be known of an endpoint without asking anyone, when a subscription is made and before each attempt.
///
/// # Errors
/// The rule that the URI breaks.
pub fn check_uri(uri: &str, policy: &Policy) -> Result<Url, String> {
    if uri.len() > LONGEST {
        return Err(format!("must have at most {LONGEST} bytes"));
    }
    // Parsers pass over these, or read them as something else; what one parser sees another may not.
    if uri.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err("must not have spaces, backslashes or control characters".to_owned());
    }
    let schemes = if policy.allow_http { "https:// or http://" } else { "https://" };
    let (scheme, rest) = uri.split_once("://").ok_or_else(|| format!("must begin with {schemes}"))?;
    match scheme.to_ascii_lowercase().as_str() {
        "https" => {}
        "http" if policy.allow_http => {}
        "http" => {
            return Err("must begin with https://: this server does not allow http (webhook.allow_http)".to_owned());
        }
        _ => return Err(format!("must begin with {schemes}")),
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err("must name a host".to_owned());
    }
    if authority.contains('@') {
        return Err("must not have a user or a password".to_owned());
    }
    if rest.contains('#') {
        return Err("must not have a fragment".to_owned());
    }
    let url = Url::parse(uri).map_err(|error| format!("is not a URI: {error}"))?;
    // Below 1024 are the well-known services, which have no use for a webhook.
    match url.port() {
        None | Some(1024..) => {}
        Some(_) => return Err("must have the port of its scheme, or one of 1024 and above".to_owned()),
    }
    match url.host() {
        None => return Err("must name a host".to_owned()),
        Some(Host::Domain(name)) => check_name(name, policy)?,
        Some(Host::Ipv4(address)) => check_literal(address.into(), policy)?,
        Some(Host::Ipv6(address)) => check_literal(address.into(), policy)?,
    }
    if http::uri::PathAndQuery::try_from(&url[Position::BeforePath..Position::AfterQuery]).is_err() {
        return Err("its path or query has characters that must be percent-encoded".to_owned());
    }
    Ok(url)
}

fn check_literal(address: IpAddr, policy: &Policy) -> Result<(), String> {
    check_address(address, policy).map_err(|kind| format!("its address is not public: {kind}"))
}

fn check_name(name: &str, policy: &Policy) -> Result<(), String> {
    if name.ends_with('.') || name.split('.').any(str::is_empty) {
        return Err("its host must not have an empty label or end with a dot".to_owned());
    }
    if name.len() > 253 || name.split('.').any(|label| label.len() > 63) {
        return Err("its host must have at most 253 characters, and 63 between two dots".to_owned());
    }
    if !policy.private.is_empty() {
        return Ok(());
    }
    if let Some(inside) = INSIDE.iter().find(|&inside| is_under(name, inside)) {
        return Err(format!("its host is not public: names under {inside} are for use inside a network"));
    }
    if !name.contains('.') {
        return Err("its host must be a full domain name".to_owned());
    }
    Ok(())
}

/// Whether a name is another or below it. Hosts of URIs are in lower case.
fn is_under(name: &str, above: &str) -> bool {
    name.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Checks an address that is about to be connected to.
///
/// # Errors
/// What kind of address it is, where it is not public.
pub fn check_address(address: IpAddr, policy: &Policy) -> Result<(), &'static str> {
    // The system connects to a v4-mapped address by IPv4.
    let address = address.to_canonical();
    if policy.private.iter().any(|network| network.contains(&address)) {
        return Ok(());
    }
    match address {
        IpAddr::V4(address) => check_v4(address),
        IpAddr::V6(address) => check_v6(address, policy),
    }
}

fn check_v4(address: Ipv4Addr) -> Result<(), &'static str> {
    let inside = |(network, bits, _): &&(Ipv4Addr, u32, &str)| {
        (address.to_bits() ^ network.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
    };
    V4.iter().find(inside).map_or(Ok(()), |&(_, _, kind)| Err(kind))
}

fn check_v6(address: Ipv6Addr, policy: &Policy) -> Result<(), &'static str> {
    let inside = |(network, bits, _): &&(Ipv6Addr, u32, &str)| {
        (address.to_bits() ^ network.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
    };
    if let Some(&(_, _, kind)) = V6.iter().find(inside) {
        return Err(kind);
    }
    let [a, b, c, d, e, f, g, h] = address.segments();
    let last = Ipv4Addr::from_bits(u32::from(g) << 16 | u32::from(h));
    // A network without IPv4 reaches all of IPv4 through a translator (RFC 6052): what counts is where that leads.
    if [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return check_address(last.into(), policy);
    }
    if a & 0xe000 != 0x2000 {
        return Err("not global unicast");
    }
    // A router that speaks ISATAP (RFC 5214) takes the end for an IPv4 address of its own network.
    if e & 0xfdff == 0 && f == 0x5efe { check_address(last.into(), policy) } else { Ok(()) }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
