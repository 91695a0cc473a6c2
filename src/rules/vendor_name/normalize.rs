//! Names as they are compared: without marks, links and footnotes, folded into lower-case words, the legal form apart.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{legal_form, words};

/// A name, ready to be compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reading {
    /// Its words without legal form and article.
    pub(super) words: Vec<String>,
    /// The words without blanks: "New Relic" and "NewRelic" are the same name.
    pub(super) compact: String,
    /// Its legal form as it is compared; empty for none.
    pub(super) form: String,
}

impl Reading {
    /// Reads a name.
    pub(super) fn of(text: &str) -> Self {
        let mut words = fold(text);
        let form = legal_form::strip(&mut words);
        if words.len() > 1 && words.first().is_some_and(|word| word == "the") {
            words.remove(0);
        }
        Self { compact: words.concat(), words, form }
    }

    /// Whether its words say what is done, where or by what kind of company, and not by whom.
    pub(super) fn is_general(&self) -> bool {
        self.words.iter().all(|word| words::is_generic(word))
    }

    /// Whether there is nothing to compare.
    pub(super) fn is_empty(&self) -> bool {
        self.compact.is_empty()
    }
}

/// The words of a text: lower case, without diacritics; dotted and slashed abbreviations are one word.
pub(super) fn fold(text: &str) -> Vec<String> {
    // Most names are plain.
    let plain = if text.is_ascii() { plain(text.chars(), text.len()) } else { plain(text.nfkd(), text.len()) };
    let mut words: Vec<String> = Vec::new();
    // Letters that stand alone, as in "S. p. A.", belong together.
    let mut letters = false;
    let single = |text: &str| text.chars().nth(1).is_none();
    for chunk in plain.split_whitespace() {
        let parts = || chunk.split(['.', '/']).filter(|part| !part.is_empty());
        if parts().nth(1).is_some() && parts().all(single) {
            words.push(parts().collect());
            letters = false;
            continue;
        }
        for part in parts() {
            let alone = single(part) && part.chars().all(char::is_alphabetic);
            match words.last_mut() {
                Some(word) if alone && letters => word.push_str(part),
                _ => words.push(part.to_owned()),
            }
            letters = alone;
        }
    }
    words
}

/// Decomposed characters in lower case, without marks, with blanks between words.
fn plain(characters: impl Iterator<Item = char>, length: usize) -> String {
    let mut plain = String::with_capacity(length);
    for c in characters {
        match c {
            _ if is_combining_mark(c) => {}
            '&' => plain.push_str(" and "),
            '.' | '/' => plain.push(c),
            '\'' | '\u{2019}' | '\u{2018}' | '`' => {}
            'ß' | 'ẞ' => plain.push_str("ss"),
            'æ' | 'Æ' => plain.push_str("ae"),
            'œ' | 'Œ' => plain.push_str("oe"),
            'ø' | 'Ø' => plain.push('o'),
            'ł' | 'Ł' => plain.push('l'),
            'đ' | 'Đ' | 'ð' | 'Ð' => plain.push('d'),
            'þ' | 'Þ' => plain.push_str("th"),
            'ı' => plain.push('i'),
            _ if c.is_alphanumeric() => plain.extend(c.to_lowercase().filter(|c| !is_combining_mark(*c))),
            _ => plain.push(' '),
        }
    }
    plain
}

/// A cell without what is no part of a name: bullets, emphasis, footnote marks, signs of trade marks, the targets of
/// links, "and its affiliates". Lines stay lines.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in unlink(text).lines() {
        let line: String = line.chars().filter_map(visible).collect();
        let line = without_notes(without_bullet(line.trim()));
        let line = without_affiliates(line.trim());
        if !line.is_empty() {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(line);
        }
    }
    out
}

/// A character as it is kept, if it is.
fn visible(c: char) -> Option<char> {
    match c {
        '*' | '†' | '‡' | '§' | '¶' | '`' | '™' | '®' | '©' | '℠' | '"' | '“' | '”' | '„' | '«' | '»' => {
            None
        }
        // Superscripts and subscripts are footnotes; in "1Password" the digit is not one.
        '¹' | '²' | '³' | 'ª' | 'º' | '\u{2070}'..='\u{209c}' => None,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => None,
        '（' => Some('('),
        '）' => Some(')'),
        _ if c.is_whitespace() || c.is_control() => Some(' '),
        _ => Some(c),
    }
}

/// Links of Markdown are their text.
fn unlink(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let Some((target, behind)) = after.split_once(')').filter(|(target, _)| is_target(target)) else {
            out.push_str(before);
            out.push_str("](");
            rest = after;
            continue;
        };
        match before.rsplit_once('[') {
            Some((ahead, label)) if !label.trim().is_empty() => {
                out.push_str(ahead);
                out.push_str(label);
            }
            _ => {
                out.push_str(before.trim_end_matches('['));
                out.push_str(target);
            }
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn is_target(text: &str) -> bool {
    text.contains("://") || text.starts_with(['/', '#', '.']) || text.starts_with("mailto:")
}

/// Without the sign or number that makes a line an item of a list.
fn without_bullet(line: &str) -> &str {
    let rest = line.trim_start_matches(['-', '–', '—', '•', '·', '◦', '▪', '>', '#']);
    if rest.len() < line.len() && rest.starts_with(' ') {
        return rest.trim_start();
    }
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    match digits.strip_prefix(['.', ')']) {
        Some(rest) if line.len() - digits.len() <= 3 && digits.len() < line.len() && rest.starts_with(' ') => {
            rest.trim_start()
        }
        _ => line,
    }
}

/// Without footnote numbers such as `[3]` and `(1)`.
fn without_notes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(open) = rest.find(['[', '(']) {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        let close = if after.starts_with('[') { ']' } else { ')' };
        let note = after.find(close).and_then(|end| Some((after.get(1..end)?, after.get(end + 1..)?)));
        match note {
            Some((note, behind)) if is_note(note) => rest = behind,
            _ => {
                let mut all = after.chars();
                out.extend(all.next());
                rest = all.as_str();
            }
        }
    }
    out.push_str(rest);
    out
}

fn is_note(note: &str) -> bool {
    let marks = note.trim().trim_start_matches('^').split([',', ' ']).filter(|mark| !mark.is_empty());
    let mut any = false;
    for mark in marks {
        any = true;
        let number = mark.len() <= 2 && mark.bytes().all(|b| b.is_ascii_digit());
        if !number && !(mark.len() == 1 && mark.bytes().all(|b| b.is_ascii_lowercase())) {
            return false;
        }
    }
    any || note.trim().is_empty()
}

/// Without "and its affiliates" at the end.
fn without_affiliates(line: &str) -> &str {
    const ENDS: [&str; 10] = [
        "and its affiliates",
        "and their affiliates",
        "and affiliates",
        "& affiliates",
        "and its subsidiaries",
        "and subsidiaries",
        "and its group companies",
        "and its affiliates and subsidiaries",
        "and its subsidiaries and affiliates",
        "et al",
    ];
    let bare = line.trim_end_matches(['.', ',', ' ', ')']);
    for end in ENDS {
        let Some(at) = bare.len().checked_sub(end.len()) else { continue };
        let Some((head, tail)) = bare.split_at_checked(at) else { continue };
        if tail.eq_ignore_ascii_case(end) && head.ends_with([' ', '(', ',']) {
            return head.trim_end_matches([' ', ',', '(']);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_into_words() {
        for (text, words) in [
            ("New Relic", "new|relic"),
            ("Fly.io", "fly|io"),
            ("x.AI", "x|ai"),
            ("L.L.C.", "llc"),
            ("d/b/a", "dba"),
            ("A/S", "as"),
            ("S. p. A.", "spa"),
            ("AT&T", "at|and|t"),
            ("Moody’s", "moodys"),
            ("Pipedrive OÜ", "pipedrive|ou"),
            ("Großhändler", "grosshandler"),
            ("Łódź Ørsted", "lodz|orsted"),
            ("ＦＵＬＬ", "full"),
            ("Hewlett-Packard", "hewlett|packard"),
            ("1Password", "1password"),
            ("", ""),
            ("***", ""),
        ] {
            assert_eq!(fold(text).join("|"), words, "{text}");
        }
    }

    #[test]
    fn what_is_no_part_of_a_name_is_cleaned_off() {
        for (text, clear) in [
            ("Intercom **", "Intercom"),
            ("**Stripe**", "Stripe"),
            ("Anthropic PBC*", "Anthropic PBC"),
            ("Intercom¹", "Intercom"),
            ("Intercom, Inc. [3]", "Intercom, Inc."),
            ("Sentry (1)", "Sentry"),
            ("Sentry [a], [^2]", "Sentry ,"),
            ("Sentry (EU)", "Sentry (EU)"),
            ("[Stripe](https://stripe.com/x)", "Stripe"),
            ("see [Stripe](https://stripe.com) and [AWS](/aws)", "see Stripe and AWS"),
            ("[Add SMS provider]", "[Add SMS provider]"),
            ("- Stripe\n• PayPal\n3. AWS", "Stripe\nPayPal\nAWS"),
            ("Slack™ \u{a0} Technologies", "Slack   Technologies"),
            ("1Password", "1Password"),
            ("HubSpot, Inc. and its affiliates", "HubSpot, Inc."),
            ("Google LLC (and its Affiliates)", "Google LLC"),
            ("\n \n", ""),
        ] {
            assert_eq!(clean(text), clear, "{text}");
        }
    }

    #[test]
    fn a_reading_has_its_form_apart() {
        let reading = Reading::of("The Rocket Science Group, LLC");
        assert_eq!((reading.compact.as_str(), reading.form.as_str()), ("rocketsciencegroup", "llc"));
        assert_eq!(Reading::of("The The").compact, "the");
        assert!(Reading::of("*").is_empty());
    }
}
