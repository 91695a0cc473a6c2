//! Typing errors: which names differ from an asked one by a slip of the fingers, without comparing it with all.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

/// Names shorter or longer than these have no typing errors: short ones become other names by one letter.
const SHORTEST: usize = 5;
const LONGEST: usize = 48;
/// Letters from which on two errors are forgiven.
const TWO_ERRORS: usize = 12;
/// Names compared with one asked name at most: a bound for registers full of the same names.
const COMPARED: usize = 256;
/// Into so many pieces a name is cut. Where no more than two letters differ, one piece is the same in both.
const PIECES: usize = 3;

/// The pieces of names, by which those that are near can be found.
#[derive(Debug, Default)]
pub(super) struct Near {
    /// Hash of length, piece and text; number of the name. Sorted.
    pieces: Vec<(u64, u32)>,
}

impl Near {
    /// Takes in the name with a number.
    pub(super) fn add(&mut self, number: u32, name: &str) {
        let letters: Vec<char> = name.chars().collect();
        if !(SHORTEST..=LONGEST).contains(&letters.len()) {
            return;
        }
        for piece in 0..PIECES {
            let (from, to) = bounds(letters.len(), piece);
            if let Some(text) = letters.get(from..to) {
                self.pieces.push((key(letters.len(), piece, text), number));
            }
        }
    }

    /// Makes it ready to be asked.
    pub(super) fn finish(&mut self) {
        self.pieces.sort_unstable();
        self.pieces.shrink_to_fit();
    }

    /// The numbers of names that may be near: those that have a piece in common with it, at about the same place.
    pub(super) fn candidates(&self, asked: &[char]) -> Vec<u32> {
        let mut found = Vec::new();
        let count = asked.len();
        if !(SHORTEST - 1..=LONGEST + 2).contains(&count) {
            return found;
        }
        let reach = if count + 2 >= TWO_ERRORS { 2 } else { 1 };
        let mut seen = HashSet::new();
        for length in count.saturating_sub(reach).max(SHORTEST)..=count + reach {
            for piece in 0..PIECES {
                let (from, to) = bounds(length, piece);
                for begin in from.saturating_sub(reach)..=from + reach {
                    let Some(text) = asked.get(begin..begin + (to - from)) else { continue };
                    let wanted = key(length, piece, text);
                    let start = self.pieces.partition_point(|(hash, _)| *hash < wanted);
                    for (_, number) in self.pieces.iter().skip(start).take_while(|(hash, _)| *hash == wanted) {
                        if seen.insert(*number) {
                            found.push(*number);
                        }
                        if found.len() >= COMPARED {
                            return found;
                        }
                    }
                }
            }
        }
        found
    }
}

/// Where a piece of a name of that length begins and ends.
fn bounds(length: usize, piece: usize) -> (usize, usize) {
    (length * piece / PIECES, length * (piece + 1) / PIECES)
}

fn key(length: usize, piece: usize, text: &[char]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (length, piece, text).hash(&mut hasher);
    hasher.finish()
}

/// How sure it is that `asked` is `known` with a typing error; none if it is another name. `words` are the lengths of
/// the known name's words.
///
/// Whoever mistypes swaps, drops or doubles letters inside a word; another letter in a short word makes another word.
pub(super) fn slip(asked: &[char], known: &[char], words: &[u8]) -> Option<f64> {
    let length = known.len();
    if length < SHORTEST || asked == known {
        return None;
    }
    let same = asked.iter().zip(known).take_while(|(a, b)| a == b).count();
    let (asked_rest, known_rest) = (asked.get(same..)?, known.get(same..)?);
    let is_long = length >= 8;
    let score = match (asked_rest, known_rest) {
        // Two letters swapped.
        ([a, b, asked_rest @ ..], [c, d, known_rest @ ..]) if (a, b) == (d, c) && asked_rest == known_rest => {
            (same > 0 || length > 5).then_some(if is_long { 0.9 } else { 0.86 })
        }
        // Another letter.
        ([a, asked_rest @ ..], [b, known_rest @ ..]) if asked_rest == known_rest => {
            let (word, place) = word_at(words, same);
            let replaceable = is_letter(*a) && is_letter(*b) && word >= 6 && place > 0;
            return match replaceable {
                true if is_long => Some(0.88),
                true if word > 6 && are_neighbours(*a, *b) => Some(0.84),
                _ => None,
            };
        }
        // One letter too many.
        ([a, asked_rest @ ..], known_rest) if asked_rest == known_rest => {
            let doubled = same.checked_sub(1).and_then(|i| asked.get(i)) == Some(a);
            // "Striple" is no Stripe: in a short name another letter makes another name.
            let score = one_more_or_less(*a, doubled, same, length, known_rest.is_empty());
            score.filter(|_| doubled || length > 6)
        }
        // One letter left out.
        (asked_rest, [b, known_rest @ ..]) if asked_rest == known_rest => {
            let doubled = same.checked_sub(1).and_then(|i| known.get(i)) == Some(b);
            one_more_or_less(*b, doubled, same, length, asked_rest.is_empty())
        }
        _ => None,
    };
    let digits = |text: &[char]| text.iter().filter(|c| c.is_numeric()).collect::<String>();
    score.or_else(|| {
        let two = length >= TWO_ERRORS && digits(asked) == digits(known) && slips(asked, known) <= 2;
        two.then_some(0.82)
    })
}

fn one_more_or_less(letter: char, doubled: bool, place: usize, length: usize, at_end: bool) -> Option<f64> {
    if !is_letter(letter) {
        return None;
    }
    let plural = letter == 's' && at_end && length >= 8;
    match () {
        () if doubled => Some(0.88),
        () if place > 0 && !at_end && length >= 6 => Some(0.86),
        () if length >= 9 || plural => Some(0.84),
        () => None,
    }
}

/// The length of the word that a letter is in, and its place there.
fn word_at(words: &[u8], place: usize) -> (usize, usize) {
    let mut begin = 0;
    for word in words.iter().map(|length| usize::from(*length)) {
        if place < begin + word {
            return (word, place - begin);
        }
        begin += word;
    }
    (0, 0)
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic()
}

/// Whether two letters are side by side on a keyboard.
fn are_neighbours(a: char, b: char) -> bool {
    const ROWS: [&str; 4] = ["qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertz"];
    ROWS.iter().any(|row| {
        let (a, b) = (row.find(a), row.find(b));
        a.zip(b).is_some_and(|(a, b)| a.abs_diff(b) == 1)
    })
}

/// Letters to add, drop or swap to make one name the other. Two other letters make another name: "Southwind".
fn slips(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX);
            let mut least = at(&row, j + 1).min(at(&next, j)) + 1;
            if x == y {
                least = least.min(at(&row, j));
            }
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

/// Letters to change, add, drop or swap to make one name the other.
pub(super) fn distance(a: &[char], b: &[char]) -> usize {
    let text = |letters: &[char]| letters.iter().collect::<String>();
    strsim::osa_distance(&text(a), &text(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(text: &str) -> Vec<char> {
        text.chars().filter(|c| *c != ' ').collect()
    }

    fn slipped(asked: &str, known: &str) -> bool {
        let words: Vec<u8> = known.split(' ').map(|word| u8::try_from(word.len()).expect("short")).collect();
        slip(&letters(asked), &letters(known), &words).is_some()
    }

    #[test]
    fn slips_are_told_from_other_names() {
        for (asked, known) in [
            ("stirpe", "stripe"),
            ("twillio", "twilio"),
            ("gogle", "google"),
            ("cloudfare", "cloudflare"),
            ("zendesl", "zendesk"),
            ("mailgin", "mailgun"),
            ("sendgird", "sendgrid"),
            ("databrick", "databricks"),
            ("newrelics", "new relic"),
            ("amaznwebservces", "amazon web services"),
            ("digtialocaen", "digital ocean"),
            ("nrothwindtradres", "northwind traders"),
            ("microsft", "microsoft"),
        ] {
            assert!(slipped(asked, known), "{asked} {known}");
        }
        for (asked, known) in [
            ("motion", "notion"),
            ("stitch", "stytch"),
            ("plaid", "plain"),
            ("axios", "axiom"),
            ("sigma", "figma"),
            ("mira", "miro"),
            ("betterslack", "better stack"),
            ("zohodeck", "zoho desk"),
            ("auth1", "auth0"),
            ("office366", "office 365"),
            ("cloudshare", "cloudflare"),
            ("segments", "segment"),
            ("mailcoach", "mailchimp"),
            ("southwindtraders", "northwind traders"),
            ("northlandtraders", "northwind traders"),
            ("northwindtravers", "northwind trades"),
            ("stripe", "stripe"),
        ] {
            assert!(!slipped(asked, known), "{asked} {known}");
        }
    }

    #[test]
    fn names_that_are_near_are_found_without_comparing_all() {
        let names = ["stripe", "cloudflare", "amazonwebservices", "digitalocean", "twilio", "segment"];
        let mut near = Near::default();
        for (number, name) in (0..).zip(names) {
            near.add(number, name);
        }
        near.finish();
        for (asked, number) in [
            ("stirpe", 0),
            ("stripes", 0),
            ("trsipe", 0),
            ("cloudfare", 1),
            ("clouldflare", 1),
            ("amaznwebservces", 2),
            ("digtialocean", 3),
            ("twillio", 4),
            ("segmnt", 5),
        ] {
            let found = near.candidates(&letters(asked));
            assert!(found.contains(&number), "{asked}: {found:?}");
            assert!(found.len() < 3, "{asked}: {found:?}");
        }
        assert!(near.candidates(&letters("a")).is_empty() && near.candidates(&letters(&"a".repeat(1024))).is_empty());
    }

    #[test]
    fn a_register_full_of_one_name_is_not_compared_with_all_of_it() {
        let mut near = Near::default();
        for number in 0..10_000 {
            near.add(number, "northwind");
        }
        near.finish();
        assert_eq!(near.candidates(&letters("nortwhind")).len(), COMPARED);
    }
}
