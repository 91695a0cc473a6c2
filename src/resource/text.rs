//! Rules for single values: text, dates, codes, addresses of things. Each returns the rule that is broken, in words
//! that follow the field's name.

use std::borrow::Cow;

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use unicode_normalization::{UnicodeNormalization, is_nfc};
use url::Url;

use crate::{error::clip, proto::v1::as_of::Point};

/// Characters of a single-line text.
pub const SHORT: usize = 1_024;
/// Bytes of a single-line text in UTF-8: what the index of a database takes, with a name beside it.
pub const SHORT_BYTES: usize = 2_048;
/// Characters of a text that may have lines and paragraphs.
pub const LONG: usize = 16_384;

/// Trims and composes (NFC) a text, with line ends as newlines. Everything that is stored or compared went through here.
pub fn normalize(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if trimmed.contains("\r\n") {
        return Cow::Owned(trimmed.replace("\r\n", "\n").nfc().collect());
    }
    compose(trimmed)
}

/// Composes (NFC) a text that is compared with what is stored.
pub fn compose(text: &str) -> Cow<'_, str> {
    if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// Which rule on characters `text` breaks. Newline and tab are for long text only; what changes the direction of other
/// text, and text of which nothing can be seen, are for none. Joiners inside text are part of many scripts, and of emoji.
pub fn control_rule(text: &str, long: bool) -> Option<&'static str> {
    if text.chars().any(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')) {
        return Some("has characters that change the direction of text");
    }
    if text.chars().all(is_invisible) && !text.trim().is_empty() {
        return Some("has no visible character");
    }
    let bad = text.chars().any(|c| c.is_control() && !(long && matches!(c, '\n' | '\t')));
    match (bad, long) {
        (false, _) => None,
        (true, true) => Some("has control characters"),
        (true, false) => Some("has control characters or line breaks"),
    }
}

fn is_invisible(c: char) -> bool {
    // A control character is named as such.
    let blank = c.is_whitespace() && !c.is_control();
    blank || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// An ISO 8601 full date. Years outside 1900 to 2199 are typing errors.
///
/// # Errors
/// The rule that is broken.
pub fn date(text: &str) -> Result<Date, String> {
    let wrong = || format!("must be an ISO 8601 date such as 2026-01-31, not \"{}\"", clip(text));
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| if matches!(i, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
    if !shaped {
        return Err(wrong());
    }
    let date: Date = text.parse().map_err(|_| wrong())?;
    if (1900..=2199).contains(&date.year()) {
        Ok(date)
    } else {
        Err(format!("must be a date between 1900-01-01 and 2199-12-31, not \"{text}\""))
    }
}

/// An instant as the well-known type allows it: from 0001-01-01 to 9999-12-31, its nanoseconds counted forward.
///
/// # Errors
/// The rule that is broken.
pub fn instant(seconds: i64, nanos: i32) -> Result<Timestamp, String> {
    let fits = (-62_135_596_800..=253_402_300_799).contains(&seconds) && (0..1_000_000_000).contains(&nanos);
    // The last day of all is beyond what the library knows; its last instant stands for it.
    let instant = fits.then(|| Timestamp::new(seconds, nanos).unwrap_or(Timestamp::MAX));
    instant.ok_or_else(|| "must be a time between the years 1 and 9999".to_owned())
}

/// A point in known time as people write it: a revision, an RFC 3339 time, or a day for its first instant (UTC).
///
/// # Errors
/// The rule that is broken.
pub fn point(text: &str) -> Result<Point, String> {
    if let Ok(revision) = text.parse::<i64>() {
        return Ok(Point::Revision(revision));
    }
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let instant: Option<Timestamp> =
        text.parse().ok().or_else(|| text.parse().ok().filter(|_| text.len() == 10).and_then(midnight));
    let instant = instant.ok_or("must be a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23")?;
    let (seconds, nanos) = (instant.as_second(), instant.subsec_nanosecond());
    Ok(Point::Time(prost_types::Timestamp { seconds, nanos }))
}

/// A date, or the month or year of one where no day is known.
///
/// # Errors
/// The rule that is broken.
pub fn partial_date(text: &str) -> Result<(), String> {
    let full = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    date(&full)
        .map(|_| ())
        .map_err(|_| format!("must be an ISO 8601 date, month or year such as 2026-01, not \"{}\"", clip(text)))
}

/// An ISO 8601 duration that is not negative, such as `P30D`.
///
/// # Errors
/// The rule that is broken.
pub fn duration(text: &str) -> Result<(), String> {
    let span: Option<Span> = text.starts_with('P').then(|| text.parse().ok()).flatten();
    match span {
        Some(span) if !span.is_negative() => Ok(()),
        _ => Err(format!("must be an ISO 8601 duration such as P30D or PT48H, not \"{}\"", clip(text))),
    }
}

/// An absolute web address.
///
/// # Errors
/// The rule that is broken.
pub fn uri(text: &str) -> Result<(), String> {
    let rule = || format!("must be an absolute http or https address of at most 2,048 bytes, not \"{}\"", clip(text));
    if text.len() > 2_048 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(rule());
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
        _ => Err(rule()),
    }
}

/// An e-mail address as people have them: any local part without blanks, a domain with a dot, in any script.
///
/// # Errors
/// The rule that is broken.
pub fn email(text: &str) -> Result<(), String> {
    let fits = text.len() <= 254
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | ':'))
        && text.rsplit_once('@').is_some_and(|(local, domain)| {
            (1..=64).contains(&local.len())
                && !local.contains('@')
                && domain.contains('.')
                && domain
                    .split('.')
                    .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'))
        });
    if fits { Ok(()) } else { Err(format!("must be an e-mail address, not \"{}\"", clip(text))) }
}

/// An ISO 3166-1 alpha-2 code.
///
/// # Errors
/// The rule that is broken.
pub fn region_code(text: &str) -> Result<(), String> {
    if REGION_CODES.binary_search(&text).is_ok() {
        return Ok(());
    }
    let hint = match text {
        "UK" => " (the United Kingdom is GB)",
        "EL" => " (Greece is GR)",
        "EU" | "EEA" => " (an area is no country)",
        _ => "",
    };
    Err(format!("must be an ISO 3166-1 alpha-2 code of a country, not \"{}\"{hint}", clip(text)))
}

/// A time zone of the IANA database.
///
/// # Errors
/// The rule that is broken.
pub fn time_zone(text: &str) -> Result<(), String> {
    jiff::tz::TimeZone::get(text)
        .map(|_| ())
        .map_err(|_| format!("must be an IANA time zone such as Europe/Berlin, not \"{}\"", clip(text)))
}

/// The officially assigned codes of ISO 3166-1 alpha-2, in order.
#[rustfmt::skip]
static REGION_CODES: [&str; 249] = [
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ",
    "BA", "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS", "BT", "BV", "BW", "BY", "BZ",
    "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO", "CR", "CU", "CV", "CW", "CX", "CY", "CZ",
    "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE", "EG", "EH", "ER", "ES", "ET",
    "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF", "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY",
    "HK", "HM", "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT",
    "JE", "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ",
    "LA", "LB", "LC", "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY",
    "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK", "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ",
    "NA", "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ", "OM",
    "PA", "PE", "PF", "PG", "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU", "RW",
    "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS", "ST", "SV", "SX", "SY", "SZ",
    "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO", "TR", "TT", "TV", "TW", "TZ",
    "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI", "VN", "VU", "WF", "WS", "YE", "YT", "ZA", "ZM", "ZW",
];

/// A text without the e-mail addresses that it quotes, for where it stays for good.
pub fn without_addresses(text: &str) -> String {
    const ENDS: &[char] = &['<', '>', '(', ')', '[', ']', ',', ';', ':', '"', '\'', '`'];
    let ends = |one: char| one.is_whitespace() || ENDS.contains(&one);
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, host) = (&rest[..at], &rest[at + 1..]);
        let user = match before.strip_suffix('"').and_then(|quoted| quoted.rfind('"')) {
            // "first last"@host
            Some(quote) => quote,
            None => before.rfind(ends).map_or(0, |end| end + before[end..].chars().next().map_or(1, char::len_utf8)),
        };
        let mut length = host.find(ends).unwrap_or(host.len());
        if let Some(literal) = host.strip_prefix('[') {
            length = literal.find(']').map_or(length, |end| end + 2);
        }
        length = host[..length].trim_end_matches(['.', '!', '?']).len();
        if user == at || length == 0 {
            kept.push_str(&rest[..=at]);
            rest = host;
            continue;
        }
        kept.push_str(&before[..user]);
        kept.push_str("(address)");
        rest = &host[length..];
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_left_out() {
        for (text, left) in [
            ("550 5.1.1 <dpo@berlin.example>: no such mailbox", "550 5.1.1 <(address)>: no such mailbox"),
            ("rcpt dpo+x@berlin.example. Try b@c, or d@e!", "rcpt (address). Try (address), or (address)!"),
            ("RCPT TO:<\"first last\"@host.example> failed", "RCPT TO:<(address)> failed"),
            ("to dpo@[192.0.2.1] and größe@münchen.example", "to (address) and (address)"),
            ("orcpt=rfc822;a@b @ 12:00, @ home, a@ b", "orcpt=rfc822;(address) @ 12:00, @ home, a@ b"),
            ("250 2.0.0 kept as sink-1", "250 2.0.0 kept as sink-1"),
            ("a@b@c@", "(address)"),
            ("@", "@"),
            ("", ""),
        ] {
            assert_eq!(without_addresses(text), left, "{text}");
        }
    }

    #[test]
    fn region_codes_are_in_order() {
        assert!(REGION_CODES.is_sorted());
        assert!(region_code("GB").is_ok() && region_code("NO").is_ok());
        for bad in ["UK", "EU", "us", "USA", "", "XX"] {
            assert!(region_code(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dates_are_days_that_were_or_will_be() {
        assert!(date("2024-02-29").is_ok());
        for bad in [
            "0000-01-01",
            "9999-12-31",
            "2023-02-29",
            "2023-2-3",
            "20230203",
            "2023-02-03T00:00:00Z",
            "+2023-02-03",
            "",
        ] {
            assert!(date(bad).is_err(), "{bad}");
        }
        assert!(partial_date("2022").is_ok() && partial_date("2022-03").is_ok() && partial_date("2022-13").is_err());
    }

    #[test]
    fn addresses_as_people_have_them() {
        for good in ["a@b.example", "a+b@c.d.example", "ü@bücher.example", "o'neil@x-y.example"] {
            assert!(email(good).is_ok(), "{good}");
        }
        for bad in [
            "a",
            "a@b",
            "a b@c.example",
            "a@b@c.example",
            "a@.example",
            "@b.example",
            "a@b.example\r\nBcc: x",
            "A <a@b.example>",
        ] {
            assert!(email(bad).is_err(), "{bad}");
        }
        assert!(uri("https://a.example/x?y#z").is_ok());
        for bad in ["a.example", "ftp://a.example", "https://", "javascript:alert(1)", "https://a.example/ b", "/x"] {
            assert!(uri(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_can_be_seen_and_keeps_its_direction() {
        for good in ["", "a\u{200b}b", "\u{feff}a", "👩\u{200d}💻", "می\u{200c}خواهم", "שלום\u{200f}", "co\u{ad}op"]
        {
            assert_eq!(control_rule(good, false), None, "{good:?}");
        }
        for bad in ["\u{200b}", "\u{200c}\u{200d}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{200b} \u{200b}", "\u{200f}"] {
            assert_eq!(control_rule(bad, true), Some("has no visible character"), "{bad:?}");
        }
        for bad in ['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}'] {
            let rule = control_rule(&format!("a{bad}b"), true);
            assert_eq!(rule, Some("has characters that change the direction of text"), "{bad:?}");
        }
    }

    #[test]
    fn durations() {
        assert!(duration("P30D").is_ok() && duration("PT48H").is_ok() && duration("P1Y6M").is_ok());
        for bad in ["30D", "P", "-P1D", "30 days", ""] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
