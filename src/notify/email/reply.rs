//! What mail servers answer: codes, and words in which they repeat addresses.

/// The enhanced status code with which a server's words begin (RFC 3463), as `5.7.1`.
fn enhanced(text: &str) -> Option<&str> {
    let first = text.split_whitespace().next()?;
    let mut parts = first.split('.');
    let mut number = |longest: usize| {
        parts
            .next()
            .is_some_and(|part| (1..=longest).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    (number(1) && number(3) && number(3) && parts.next().is_none()).then_some(first)
}

/// Whether a refusal is about the sender, and so can be mended: that one has to log in, that the sender's address is no good, that it is the
/// server's policy (RFC 4954 section 6, RFC 3463 sections 3.2 and 3.8).
pub(super) fn is_of_us(code: Option<u16>, text: &str) -> bool {
    let status = enhanced(text).unwrap_or_default();
    code == Some(530) || status.starts_with("5.7.") || matches!(status, "5.1.7" | "5.1.8")
}

/// The codes of an answer, without its words.
pub fn codes(code: Option<u16>, text: &str) -> String {
    match (code, enhanced(text)) {
        (Some(code), Some(status)) => format!("{code} {status}"),
        (Some(code), None) => code.to_string(),
        (None, _) => "no answer".to_owned(),
    }
}

/// A server's words without the addresses in them.
pub fn without_addresses(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || "<>()[]{}\"',;:=".contains(c);
    text.split_inclusive(is_end)
        .map(|word| {
            if !word.contains('@') {
                return word.to_owned();
            }
            let end = word.chars().next_back().filter(|last| is_end(*last));
            format!("…{}", end.map(String::from).unwrap_or_default())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_from_words() {
        for (code, text, said, of_us) in [
            (Some(550), "5.1.1 no such mailbox <jo@example.com>", "550 5.1.1", false),
            (Some(550), "5.7.25 no PTR", "550 5.7.25", true),
            (Some(550), "5.1.8 bad sender", "550 5.1.8", true),
            (Some(553), "5.1.7 bad sender", "553 5.1.7", true),
            (Some(530), "log in", "530", true),
            (Some(554), "jo@example.com", "554", false),
            (Some(550), "5.7.1.1 x", "550", false),
            (Some(550), "55.7.1 x", "550", false),
            (Some(550), "", "550", false),
            (None, "jo@example.com", "no answer", false),
        ] {
            assert_eq!((codes(code, text).as_str(), is_of_us(code, text)), (said, of_us), "{text}");
        }
    }

    #[test]
    fn addresses_are_left_out_wherever_they_stand() {
        for (text, left) in [
            ("250 2.0.0 OK 4711 queued", "250 2.0.0 OK 4711 queued"),
            ("250 2.0.0 <jo@example.com> taken", "250 2.0.0 <…> taken"),
            ("taken for jo@example.com", "taken for …"),
            ("to=jo+x@example.com, from=<a@b.example>: OK", "to=…, from=<…>: OK"),
            ("jo@example.com", "…"),
            ("", ""),
        ] {
            assert_eq!(without_addresses(text), left);
        }
    }
}
