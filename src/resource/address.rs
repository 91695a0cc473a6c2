//! E-mail addresses as people have them, and which of those mail can be sent to.

use std::fmt;

/// How long an address may be, and what stands before its @ (RFC 5321 section 4.5.3.1; erratum 1690 of RFC 3696).
const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;

/// An address that mail can be sent to. Its domain is in the form that the DNS has (A-labels, RFC 5890).
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

/// Checks an address: a dot-atom (RFC 5322 section 3.4.1) at a full domain name, which may be internationalised. What
/// the standard allows but nobody has (quoted local parts, comments, addresses of hosts) is refused. `smtputf8` says that
/// our server can send to local parts that are not ASCII (RFC 6531).
///
/// # Errors
/// The rule that the text breaks.
pub fn check(text: &str, smtputf8: bool) -> Result<Address, String> {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return Err("must be an e-mail address, such as privacy@example.com".to_owned());
    };
    check_local(local, smtputf8)?;
    let domain = check_domain(domain)?;
    let address = Address { local: local.to_owned(), domain };
    if address.local.len() + 1 + address.domain.len() > LONGEST {
        return Err(format!("must have at most {LONGEST} characters"));
    }
    Ok(address)
}

fn check_local(local: &str, smtputf8: bool) -> Result<(), String> {
    if local.is_empty() {
        return Err("must have something before the @".to_owned());
    }
    if local.len() > LONGEST_LOCAL {
        return Err(format!("must have at most {LONGEST_LOCAL} characters before the @"));
    }
    if let Some(c) = local.chars().find(|&c| !is_atom(c) && c != '.') {
        if c.is_ascii() || c.is_control() || c.is_whitespace() || is_invisible(c) {
            return Err(format!("must not have {} before the @", c.escape_default()));
        }
        if !smtputf8 {
            return Err(format!("has {c} before the @, which our mail server cannot send to (RFC 6531)"));
        }
        if let Some(c) = local.chars().find(|&c| !(c == '.' || is_atom(c) || !c.is_ascii() && c.is_alphanumeric())) {
            return Err(format!("must not have {} before the @", c.escape_default()));
        }
    }
    if local.split('.').any(str::is_empty) {
        return Err("must not have a dot at the start, before the @, or beside another dot".to_owned());
    }
    Ok(())
}

/// `atext` (RFC 5322 section 3.2.3).
fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// What is there but not seen: joiners, marks of direction, and the like.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn check_domain(domain: &str) -> Result<String, String> {
    if domain.starts_with('[') {
        return Err("must have a domain name behind the @, not the address of a host".to_owned());
    }
    let rule = || "must have a domain name behind the @, such as example.com".to_owned();
    let ascii = idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::STD3).map_err(|_| rule())?;
    let last = ascii.rsplit('.').next().unwrap_or_default();
    let labels = || ascii.split('.');
    let whole = ascii.contains('.')
        && ascii.len() <= 253
        && labels().all(|label| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-'))
        && !last.bytes().all(|b| b.is_ascii_digit());
    if whole { Ok(ascii.into_owned()) } else { Err(rule()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_have_them() {
        for (text, read) in [
            ("privacy@example.com", "privacy@example.com"),
            ("First.Last+tag@Example.COM", "First.Last+tag@example.com"),
            ("o'brien_x-y=z@mail.example.co.uk", "o'brien_x-y=z@mail.example.co.uk"),
            ("info@bücher.example", "info@xn--bcher-kva.example"),
            ("info@例え.テスト", "info@xn--r8jz45g.xn--zckzah"),
            ("info@faß.example", "info@xn--fa-hia.example"),
            ("a@x.photography", "a@x.photography"),
            ("a@x.xn--vermgensberatung-pwb", "a@x.xn--vermgensberatung-pwb"),
            ("1@2.example", "1@2.example"),
            ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"),
        ] {
            assert_eq!(check(text, false).map(|address| address.to_string()).as_deref(), Ok(read), "{text}");
        }
        let local = "x".repeat(64);
        assert!(check(&format!("{local}@example.com"), false).is_ok());
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_rule() {
        let local = "x".repeat(65);
        let labels = "xxxxxxxxx.".repeat(24);
        for (text, rule) in [
            ("", "such as"),
            ("privacy", "such as"),
            ("@example.com", "something before"),
            ("privacy@", "domain name"),
            ("privacy@localhost", "domain name"),
            ("privacy@example", "domain name"),
            ("privacy@.example.com", "domain name"),
            ("privacy@example..com", "domain name"),
            ("privacy@example.com.", "domain name"),
            ("privacy@-example.com", "domain name"),
            ("privacy@example-.com", "domain name"),
            ("privacy@exa_mple.com", "domain name"),
            ("privacy@exa mple.com", "domain name"),
            ("privacy@example.com\r\nBcc: x", "domain name"),
            ("privacy@example.com\r\nBcc: x@example.com", "must not have @"),
            ("privacy@example.com>", "domain name"),
            ("privacy@127.0.0.1", "domain name"),
            ("privacy@[127.0.0.1]", "not the address of a host"),
            ("privacy@[IPv6:::1]", "not the address of a host"),
            ("privacy@xn--.example", "domain name"),
            ("a@b@example.com", "must not have @"),
            (".privacy@example.com", "dot"),
            ("privacy.@example.com", "dot"),
            ("pri..vacy@example.com", "dot"),
            ("\"pri vacy\"@example.com", "must not have \\\""),
            ("pri vacy@example.com", "must not have  "),
            ("pri\nvacy@example.com", "must not have \\n"),
            ("pri\r\nvacy@example.com", "must not have \\r"),
            ("pri\0vacy@example.com", "must not have \\u{0}"),
            ("pri(x)vacy@example.com", "must not have ("),
            ("<privacy@example.com", "must not have <"),
            ("a,b@example.com", "must not have ,"),
            ("pri\u{200b}vacy@example.com", "must not have \\u{200b}"),
            ("pri\u{202e}vacy@example.com", "must not have \\u{202e}"),
            (&format!("{local}@example.com"), "64 characters"),
            (&format!("privacy12345678@{labels}com"), "254 characters"),
        ] {
            let found = check(text, false).expect_err(text);
            assert!(found.contains(rule), "{text}: {found}");
        }
    }

    #[test]
    fn other_letters_before_the_at_need_a_server_that_can() {
        let rule = check("jürgen@example.com", false).expect_err("refused");
        assert!(rule.contains('ü') && rule.contains("RFC 6531"), "{rule}");
        assert_eq!(
            check("jürgen@bücher.example", true).map(|a| a.to_string()).as_deref(),
            Ok("jürgen@xn--bcher-kva.example")
        );
        for text in ["jür gen@example.com", "jür\u{200b}gen@example.com", "jür\u{2028}x@example.com", "ü😀@example.com"]
        {
            assert!(check(text, true).is_err(), "{text}");
        }
    }
}
