//! What a name is made of: the name itself, and what stands beside it. "NexMo Inc. (aka Vonage)", "SendGrid, Inc., a
//! Twilio company", "Kit (formerly ConvertKit)", "Hosting: AWS".

use super::{
    legal_form,
    normalize::{Reading, fold},
};

/// What a piece of a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The name.
    Head,
    /// Another name of it now: d/b/a, aka.
    Same,
    /// A name it had.
    Former,
    /// Something in brackets, after a dash or a comma: a name, an owner, a product, a remark.
    Beside,
    /// Who owns it.
    Owner,
    /// What it uses or is for.
    Note,
}

/// A piece of a name.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) role: Role,
    pub(super) text: String,
    pub(super) reading: Reading,
    /// Whether it follows by a word that can be part of a name as well: "Made in Web".
    pub(super) is_loose: bool,
    /// Whether it follows a comma.
    pub(super) is_listed: bool,
}

impl Piece {
    fn new(role: Role, text: &str) -> Option<Self> {
        let text = text.trim().trim_matches([',', ':', ';', '-', '–', '—']).trim();
        let reading = Reading::of(text);
        let piece = Self { role, text: text.to_owned(), reading, is_loose: false, is_listed: false };
        (!piece.reading.is_empty()).then_some(piece)
    }

    /// Whether it names nobody: a place, a form, what is done.
    pub(super) fn is_general(&self) -> bool {
        self.reading.is_general() || legal_form::is_form(&fold(&self.text))
    }
}

/// Words that say what follows them is, longest first, and whether they occur inside names.
const MARKS: &[(&str, Role, bool)] = &[
    ("doing business as", Role::Same, false),
    ("also known as", Role::Same, false),
    ("now known as", Role::Same, false),
    ("now trading as", Role::Same, false),
    ("formerly known as", Role::Former, false),
    ("previously known as", Role::Former, false),
    ("an affiliate of", Role::Owner, false),
    ("a subsidiary of", Role::Owner, false),
    ("a division of", Role::Owner, false),
    ("a brand of", Role::Owner, false),
    ("a product of", Role::Owner, false),
    ("a service of", Role::Owner, false),
    ("a part of", Role::Owner, false),
    ("trading as", Role::Same, false),
    ("operating as", Role::Same, false),
    ("known as", Role::Same, false),
    ("rebranded as", Role::Same, false),
    ("rebranded to", Role::Same, false),
    ("renamed to", Role::Same, false),
    ("subsidiary of", Role::Owner, false),
    ("division of", Role::Owner, false),
    ("affiliate of", Role::Owner, false),
    ("brand of", Role::Owner, false),
    ("product of", Role::Owner, false),
    ("service of", Role::Owner, false),
    ("part of", Role::Owner, false),
    ("owned by", Role::Owner, false),
    ("acquired by", Role::Owner, false),
    ("operated by", Role::Owner, false),
    ("provided by", Role::Owner, false),
    ("hosted on", Role::Note, false),
    ("hosted by", Role::Note, false),
    ("hosted in", Role::Note, false),
    ("running on", Role::Note, false),
    ("runs on", Role::Note, false),
    ("built on", Role::Note, false),
    ("based on", Role::Note, false),
    ("powered by", Role::Note, false),
    ("c/o", Role::Note, false),
    ("dba", Role::Same, false),
    ("aka", Role::Same, false),
    ("nka", Role::Same, false),
    ("now", Role::Same, true),
    ("formerly", Role::Former, false),
    ("previously", Role::Former, false),
    ("fka", Role::Former, false),
    ("ex", Role::Former, true),
    ("by", Role::Owner, true),
    ("from", Role::Owner, true),
    ("via", Role::Note, true),
    ("through", Role::Note, true),
    ("using", Role::Note, true),
    ("on", Role::Note, true),
    ("with", Role::Note, true),
    ("in", Role::Note, true),
    ("for", Role::Note, true),
    ("at", Role::Note, true),
];

/// What an owned company is called: "a Twilio company".
const OWNED: [&str; 7] = ["company", "business", "subsidiary", "brand", "product", "service", "entity"];

/// The pieces of a name that is no list, the name itself mostly first. None if there is nothing to read.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (i, segment) in segments(text).into_iter().enumerate() {
        let (outside, insides) = brackets(segment);
        for (j, text) in dashes(&outside).into_iter().enumerate() {
            let role = if i == 0 && j == 0 { Role::Head } else { Role::Beside };
            marked(&mut pieces, role, text, i > 0);
        }
        for inside in insides {
            if legal_form::is_form(&fold(inside)) {
                continue;
            }
            for part in segments(inside) {
                marked(&mut pieces, Role::Beside, part, false);
            }
        }
    }
    if let Some(first) = pieces.first_mut().filter(|piece| piece.role == Role::Beside) {
        first.role = Role::Head;
    }
    name_after_kind(&mut pieces);
    pieces
}

/// The parts between commas; legal forms belong to what they follow.
pub(super) fn segments(text: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    let mut begin = 0;
    for part in split_outside(text, |rest| rest.starts_with(',').then_some(1)) {
        let outside = part.split(['(', '[']).next().unwrap_or_default();
        let is_form = fold(part).is_empty() || legal_form::is_form(&fold(outside));
        let end = begin + part.len();
        match parts.last_mut() {
            Some(last) if is_form => {
                let start = begin - 1 - last.len();
                *last = text.get(start..end).unwrap_or(last);
            }
            _ => parts.push(part),
        }
        begin = end + 1;
    }
    parts
}

/// Splits where `separator` finds one, which says how long it is, but not inside brackets.
pub(super) fn split_outside(text: &str, separator: impl Fn(&str) -> Option<usize>) -> Vec<&str> {
    let balanced = text.matches(['(', '[']).count() == text.matches([')', ']']).count();
    let (mut parts, mut begin, mut depth, mut skip) = (Vec::new(), 0, 0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' if balanced => depth += 1,
            ')' | ']' if balanced => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 0 || at < skip {
            continue;
        }
        if let Some(length) = text.get(at..).and_then(&separator) {
            parts.extend(text.get(begin..at));
            begin = at + length;
            skip = begin;
        }
    }
    parts.extend(text.get(begin..));
    parts
}

/// What stands outside brackets, and what inside each pair.
fn brackets(text: &str) -> (String, Vec<&str>) {
    let (mut outside, mut insides) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(['(', '[']) {
        let Some((inside, behind)) = after.split_once([')', ']']) else { break };
        outside.push_str(before);
        // A form in brackets is a form: "Acme AB (publ)".
        outside.push_str(if legal_form::is_form(&fold(inside)) { inside } else { " " });
        insides.push(inside);
        rest = behind;
    }
    outside.push_str(rest);
    (outside, insides)
}

/// The parts between dashes and after colons, where a blank shows that they separate.
fn dashes(text: &str) -> Vec<&str> {
    const SEPARATORS: [&str; 5] = [" - ", " – ", " — ", ": ", " -- "];
    split_outside(text, |rest| SEPARATORS.iter().find(|separator| rest.starts_with(**separator)).map(|s| s.len()))
}

/// The pieces of a text without commas and brackets, at its marks.
fn marked(pieces: &mut Vec<Piece>, role: Role, text: &str, is_listed: bool) {
    let words: Vec<(usize, &str)> = positions(text).collect();
    let folded: Vec<String> = words.iter().map(|(_, word)| plain(word)).collect();
    let text_from = |word: usize| words.get(word).and_then(|(at, _)| text.get(*at..)).unwrap_or_default();
    let mut role = role;
    let (mut begin, mut at, mut is_loose) = (0, 0, false);
    let push = |pieces: &mut Vec<Piece>, role: Role, text: &str, is_loose: bool| {
        let piece = Piece::new(role, text).map(|piece| Piece { is_loose, is_listed, ..piece });
        pieces.extend(piece);
    };
    while at < folded.len() {
        let first = pieces.is_empty() && at == 0;
        let rest = folded.get(at..).unwrap_or_default();
        if !first && words.get(at).is_some_and(|(_, word)| word.contains("://")) {
            push(pieces, role, &text_of(text, &words, begin, at), is_loose);
            (role, begin, is_loose) = (Role::Beside, at, false);
        }
        if let Some(owner) = owner(rest).filter(|_| !first) {
            push(pieces, role, &text_of(text, &words, begin, at), is_loose);
            push(pieces, Role::Owner, &text_of(text, &words, at + 1, at + 1 + owner), false);
            return;
        }
        if let Some((length, next, loose)) = mark(rest).filter(|_| !first) {
            push(pieces, role, &text_of(text, &words, begin, at), is_loose);
            // In brackets there is no name before the mark that it could be part of.
            is_loose = loose && at > begin;
            (role, begin, at) = (next, at + length, at + length);
            continue;
        }
        at += 1;
    }
    push(pieces, role, text_from(begin), is_loose);
}

/// A word as marks are written: "D/B/A," is "dba".
fn plain(word: &str) -> String {
    // "co" is a legal form.
    if word.eq_ignore_ascii_case("c/o") {
        return word.to_lowercase();
    }
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of a text with their places.
fn positions(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(' ')
        .scan(0, |at, word| {
            let begin = *at;
            *at += word.len() + 1;
            Some((begin, word))
        })
        .filter(|(_, word)| !word.is_empty())
}

fn text_of(text: &str, words: &[(usize, &str)], from: usize, to: usize) -> String {
    let end = match words.get(to) {
        Some((at, _)) => *at,
        None => text.len(),
    };
    words.get(from).and_then(|(at, _)| text.get(*at..end)).unwrap_or_default().to_owned()
}

/// The mark that the words begin with: its length, what follows, and whether it occurs in names.
fn mark(words: &[String]) -> Option<(usize, Role, bool)> {
    // Something must follow.
    let words = words.split_last()?.1;
    MARKS.iter().find_map(|(mark, role, loose)| {
        let mut rest = words.iter();
        let fits = mark.split(' ').all(|word| rest.next().is_some_and(|next| next == word));
        fits.then(|| (words.len() - rest.len(), *role, *loose))
    })
}

/// How many words name the owner in "a Twilio company", which must be all that is left.
fn owner(words: &[String]) -> Option<usize> {
    let (article, rest) = words.split_first()?;
    let (last, owner) = rest.split_last()?;
    let fits =
        matches!(article.as_str(), "a" | "an") && OWNED.contains(&last.as_str()) && (1..=5).contains(&owner.len());
    fits.then_some(owner.len())
}

/// "Hosting: AWS" begins with what is done: the name comes after.
fn name_after_kind(pieces: &mut [Piece]) {
    if let [kind, name, ..] = pieces
        && kind.role == Role::Head
        && name.role == Role::Beside
        && !name.is_listed
        && kind.is_general()
        && !name.is_general()
    {
        kind.role = Role::Beside;
        name.role = Role::Head;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let word = |piece: &Piece| {
            let role = format!("{:?}", piece.role).to_lowercase();
            format!("{role}={}", piece.text)
        };
        pieces(text).iter().map(word).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn names_are_taken_apart() {
        for (text, expected) in [
            ("Stripe", "head=Stripe"),
            ("Intercom, Inc..", "head=Intercom, Inc.."),
            ("AWS (Amazon Web Services)", "head=AWS | beside=Amazon Web Services"),
            ("NexMo Inc (aka Vonage)", "head=NexMo Inc | same=Vonage"),
            ("proinity LLC d/b/a KeyCDN", "head=proinity LLC | same=KeyCDN"),
            ("Kit (formerly ConvertKit)", "head=Kit | former=ConvertKit"),
            ("Vonage, formerly Nexmo", "head=Vonage | former=Nexmo"),
            ("Sendinblue (now Brevo)", "head=Sendinblue | same=Brevo"),
            ("SendGrid, Inc., a Twilio company", "head=SendGrid, Inc. | owner=Twilio"),
            ("TaxJar (a Stripe company)", "head=TaxJar | owner=Stripe"),
            ("Auth0 by Okta, Inc.", "head=Auth0 | owner=Okta, Inc."),
            ("Render (infrastructure on AWS)", "head=Render | beside=infrastructure | note=AWS"),
            ("Acme (on AWS)", "head=Acme | note=AWS"),
            ("Acme Inc. C/O Agents & Co", "head=Acme Inc. | note=Agents & Co"),
            ("Acme https://acme.example", "head=Acme | beside=https://acme.example"),
            ("Sentry – error tracking", "head=Sentry | beside=error tracking"),
            ("Hosting: AWS", "beside=Hosting | head=AWS"),
            ("Hetzner Online GmbH (Germany)", "head=Hetzner Online GmbH | beside=Germany"),
            ("Sinch AB (publ)", "head=Sinch AB publ"),
            ("Atlassian (Jira, Confluence)", "head=Atlassian | beside=Jira | beside=Confluence"),
            ("bunny.net (BunnyWay, storitve d.o.o.)", "head=bunny.net | beside=BunnyWay | beside=storitve d.o.o."),
            ("a Stripe company", "head=a Stripe company"),
            ("(AWS)", "head=AWS"),
            ("((", ""),
            ("", ""),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn commas_before_forms_and_in_brackets_do_not_separate() {
        for (text, expected) in [
            ("AWS, Azure", "AWS| Azure"),
            ("Stripe, Inc., PayPal, Inc.", "Stripe, Inc.| PayPal, Inc."),
            ("Acme Co., Ltd.", "Acme Co., Ltd."),
            ("Atlassian (Jira, Trello), Asana", "Atlassian (Jira, Trello)| Asana"),
            ("SendGrid, Inc. (a Twilio company)", "SendGrid, Inc. (a Twilio company)"),
            ("a (b, c", "a (b| c"),
        ] {
            assert_eq!(segments(text).join("|"), expected, "{text}");
        }
    }
}
