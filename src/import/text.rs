//! Texts: blanks, characters that cannot be kept, words to compare.

use unicode_normalization::UnicodeNormalization;

/// Runs of blanks and line breaks become one blank; what cannot be kept is left out (see [`refused`]).
pub(super) fn collapse(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut blank = false;
    for c in raw.chars() {
        if c.is_whitespace() {
            blank = true;
        } else if !is_refused(c) {
            if blank && !out.is_empty() {
                out.push(' ');
            }
            blank = false;
            out.push(c);
        }
    }
    if out.chars().all(is_unseen) { String::new() } else { out }
}

/// The characters of a text that cannot be kept: control characters, and those that change the direction of others.
pub(super) fn refused(raw: &str) -> impl Iterator<Item = char> {
    raw.chars().filter(|c| !c.is_whitespace() && is_refused(*c))
}

/// Whether a character cannot be part of a text in the registry.
pub(super) fn is_refused(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Of which nothing can be seen.
fn is_unseen(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Lower case, without accents, ligatures and full-width forms: what words are compared by.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !matches!(c, '\u{300}'..='\u{36f}') && !is_unseen_mark(*c)) {
        match c {
            'ß' => out.push_str("ss"),
            'ø' | 'Ø' => out.push('o'),
            'ł' | 'Ł' => out.push('l'),
            'æ' | 'Æ' => out.push_str("ae"),
            'đ' | 'Đ' => out.push('d'),
            'ı' => out.push('i'),
            '\u{2018}' | '\u{2019}' => out.push('\''),
            _ => out.extend(c.to_lowercase()),
        }
    }
    // Other scripts have marks that are part of their letters: they are put together again.
    out.nfc().collect()
}

fn is_unseen_mark(c: char) -> bool {
    !c.is_whitespace() && is_unseen(c)
}

/// The words of a text, folded.
pub(super) fn words(text: &str) -> Vec<String> {
    fold(text)
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|word| word.trim_matches('\''))
        .filter(|word| !word.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

/// A text of at most `most` characters, cut at the end with a mark.
pub(super) fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most.saturating_sub(1)) {
        Some((end, last)) if text.len() > end + last.len_utf8() => format!("{}…", text[..end].trim_end()),
        _ => text.to_owned(),
    }
}

/// An id made of a name: its letters and digits in lower case, hyphens between them, at most 63.
pub(super) fn slug(name: &str) -> String {
    let mut out = String::new();
    for c in fold(name).chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if c == '&' {
            out.push_str("-and-");
        } else if c != '\'' {
            out.push('-');
        }
        if out.len() > 200 {
            break;
        }
    }
    let mut id = String::new();
    for part in out.split('-').filter(|part| !part.is_empty()) {
        let joint = usize::from(!id.is_empty());
        if id.len() + joint + part.len() > 63 {
            if id.is_empty() {
                part.chars().take(63).for_each(|c| id.push(c));
            }
            break;
        }
        if joint > 0 {
            id.push('-');
        }
        id.push_str(part);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_one_and_what_cannot_be_kept_is_left_out() {
        assert_eq!(collapse("  Twilio \u{a0}\n\t (SendGrid) "), "Twilio (SendGrid)");
        assert_eq!(collapse("a\u{202e}b\0c"), "abc");
        assert_eq!(collapse("\u{200b}\u{feff}"), "");
        assert_eq!(refused("a\u{202e}b\0c\n\t").collect::<Vec<_>>(), ['\u{202e}', '\0']);
    }

    #[test]
    fn words_are_compared_without_case_and_accents() {
        assert_eq!(words("Unterauftrags-Verarbeiter (für  ÇA)"), ["unterauftrags", "verarbeiter", "fur", "ca"]);
        assert_eq!(words("l'Île d’Or"), ["l'ile", "d'or"]);
        assert_eq!(fold("Größe Ærø ﬁn Ｕ"), "grosse aero fin u");
    }

    #[test]
    fn ids_are_made_of_names() {
        for (name, id) in [
            ("Amazon Web Services, Inc.", "amazon-web-services-inc"),
            ("Stakater Czech s.r.o.", "stakater-czech-s-r-o"),
            ("Société Générale", "societe-generale"),
            ("AT&T", "at-and-t"),
            ("O'Reilly", "oreilly"),
            ("日本", ""),
        ] {
            assert_eq!(slug(name), id);
        }
        assert!(slug(&"word ".repeat(40)).len() <= 63);
        assert_eq!(slug(&"x".repeat(100)).len(), 63);
        assert_eq!(clip("abcdef", 6), "abcdef");
        assert_eq!(clip("abcdefg", 6), "abcde…");
    }
}
