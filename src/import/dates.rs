//! Dates as pages write them: the date that a page gives itself, and dates in cells.

use jiff::civil::Date;

use super::{
    page::{Block, Page},
    text,
};

/// Words behind which a page's own date stands, the more telling first.
const TOLD: [&[&str]; 3] = [
    &[
        "last updated",
        "last update",
        "updated on",
        "last modified",
        "last revised",
        "last changed",
        "updated",
        "zuletzt aktualisiert",
        "letzte aktualisierung",
        "stand",
        "aktualisiert",
        "derniere mise a jour",
        "mise a jour",
        "ultima actualizacion",
        "ultimo aggiornamento",
        "laatst bijgewerkt",
        "senast uppdaterad",
        "sist oppdatert",
        "sidst opdateret",
        "ultima atualizacao",
        "last reviewed",
    ],
    &[
        "current as of",
        "as of",
        "effective",
        "effective date",
        "version",
        "revision date",
        "dated",
        "gultig ab",
        "en vigueur",
    ],
    &["published", "date", "datum", "posted"],
];

/// The longest text that a page's date is told in.
const MAX_TOLD: usize = 300;

/// Months by the beginnings of their names.
const MONTHS: [(&str, i8); 42] = [
    ("jan", 1),
    ("ener", 1),
    ("genn", 1),
    ("gen", 1),
    ("feb", 2),
    ("fevr", 2),
    ("febb", 2),
    ("mar", 3),
    ("maerz", 3),
    ("apr", 4),
    ("avr", 4),
    ("abr", 4),
    ("may", 5),
    ("mai", 5),
    ("mei", 5),
    ("maj", 5),
    ("magg", 5),
    ("mag", 5),
    ("jun", 6),
    ("juin", 6),
    ("giu", 6),
    ("jul", 7),
    ("juil", 7),
    ("lug", 7),
    ("aug", 8),
    ("aout", 8),
    ("ago", 8),
    ("sep", 9),
    ("set", 9),
    ("oct", 10),
    ("okt", 10),
    ("ott", 10),
    ("out", 10),
    ("nov", 11),
    ("dec", 12),
    ("dez", 12),
    ("dic", 12),
    ("des", 12),
    ("maio", 5),
    ("mayo", 5),
    ("junho", 6),
    ("julio", 7),
];

/// A page's own date: its ISO form, if it is one day; the words; their line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dated {
    pub(super) date: Option<String>,
    pub(super) words: String,
    pub(super) line: u32,
}

/// The date that a page gives itself.
pub(super) fn stated(page: &Page) -> Option<Dated> {
    let mut best: Option<(usize, Dated)> = None;
    let mut consider = |words: String, line: u32| {
        if words.chars().count() > MAX_TOLD {
            return;
        }
        let folded = format!(" {} ", text::words(&words).join(" "));
        let rank = TOLD.iter().position(|told| told.iter().any(|phrase| folded.contains(&format!(" {phrase} "))));
        let Some(rank) = rank.filter(|rank| best.as_ref().is_none_or(|(other, _)| rank < other)) else { return };
        let date = find(&words);
        if date.is_some() || has_month_and_year(&words) {
            best = Some((rank, Dated { date, words, line }));
        }
    };
    let mut told: Option<(String, u32)> = None;
    for block in &page.blocks {
        let (words, line) = match block {
            Block::Heading { text, line, .. } => (vec![text.clone()], *line),
            Block::Text(cell) => (cell.lines(), cell.line),
            Block::Table(_) | Block::List(_) | Block::Footnote { .. } => {
                told = None;
                continue;
            }
        };
        for line_of_text in words {
            for sentence in sentences(&line_of_text) {
                let short = sentence.chars().count() <= 40;
                // "Last updated" can stand above its date.
                match told.take().filter(|_| short) {
                    Some((before, line)) if find(&before).is_none() && find(&sentence).as_deref().is_some() => {
                        consider(sentence.clone(), line);
                        consider(format!("{before} {sentence}"), line);
                    }
                    _ => consider(sentence.clone(), line),
                }
                told = short.then_some((sentence, line));
            }
        }
    }
    let in_data =
        page.dated.as_ref().map(|(words, line)| Dated { date: find(words), words: words.clone(), line: *line });
    match (best, in_data) {
        (Some((0, best)), _) => Some(best),
        (_, Some(data)) if data.date.is_some() => Some(data),
        (best, data) => best.map(|(_, best)| best).or(data),
    }
}

/// The sentences of a text.
fn sentences(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(". ") {
        let word = text[start..at].rsplit(' ').next().unwrap_or_default();
        let day = word.chars().all(|c| c.is_ascii_digit());
        if word.chars().count() > 3 && !day || word.chars().count() == 4 {
            out.push(text[start..=at].trim().to_owned());
            start = at + 2;
        }
    }
    out.push(text[start..].trim().to_owned());
    out
}

/// Whether a text names a month and a year, if no day.
fn has_month_and_year(text: &str) -> bool {
    let tokens = tokens(text);
    tokens
        .windows(2)
        .any(|pair| matches!(pair, [Token::Month(_), Token::Number(year, 4)] if (1990..=2199).contains(year)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// A number and how many digits it has.
    Number(i32, usize),
    Month(i8),
    /// A sign between numbers.
    Sign(char),
    Other,
}

fn tokens(text: &str) -> Vec<Token> {
    let folded = text::fold(text);
    let mut tokens = Vec::new();
    let mut rest = folded.as_str();
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_digit() {
            let length = rest.bytes().take_while(u8::is_ascii_digit).count();
            tokens.push(rest[..length].parse().map_or(Token::Other, |number| Token::Number(number, length)));
            rest = &rest[length..];
            // The ending of an ordinal.
            let ending = ["st", "nd", "rd", "th", "er", "."].iter().find(|ending| {
                rest.strip_prefix(**ending).is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric()))
            });
            if let Some(ending) = ending.filter(|ending| **ending != "." || rest[1..].starts_with(' ')) {
                rest = &rest[ending.len()..];
            }
        } else if first.is_alphabetic() {
            let length: usize = rest.chars().take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum();
            let word = &rest[..length];
            let month = MONTHS.iter().filter(|(stem, _)| word.starts_with(stem)).max_by_key(|(stem, _)| stem.len());
            let filler = matches!(word, "of" | "de" | "del" | "the");
            match month {
                Some((_, month)) if length <= 10 => tokens.push(Token::Month(*month)),
                _ if filler => {}
                _ if word == "t" => tokens.push(Token::Sign('t')),
                _ => tokens.push(Token::Other),
            }
            rest = &rest[length..];
        } else {
            if !first.is_whitespace() && first != ',' {
                tokens.push(Token::Sign(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

/// The first full date in a text, in ISO 8601. A date that can be read in two ways is none.
pub(super) fn find(text: &str) -> Option<String> {
    use Token::{Month, Number, Sign};
    let tokens = tokens(text);
    (0..tokens.len()).find_map(|at| match &tokens[at..] {
        [
            Number(year, 4),
            Sign('-' | '/' | '.'),
            Number(month, 1 | 2),
            Sign('-' | '/' | '.'),
            Number(day, 1 | 2),
            ..,
        ] => date(*year, *month, *day),
        [Number(_, 1 | 2), Sign('.'), Number(_, 1 | 2), Sign('.'), Number(_, 4), Sign('.'), Number(..), ..] => None,
        [Number(day, 1 | 2), Sign('.'), Number(month, 1 | 2), Sign('.'), Number(year, 4), ..] => {
            date(*year, *month, *day)
        }
        [Number(a, 1 | 2), Sign(sign @ ('/' | '-')), Number(b, 1 | 2), Sign(other), Number(year, 4), ..]
            if sign == other =>
        {
            match (*a, *b) {
                (a, b) if a > 12 => date(*year, b, a),
                (a, b) if b > 12 || a == b => date(*year, a, b),
                _ => None,
            }
        }
        [Month(month), Number(day, 1 | 2), Number(year, 4), ..] => date(*year, i32::from(*month), *day),
        [Number(day, 1 | 2), Sign('.' | '-'), Month(month), Sign('-'), Number(year, 4), ..]
        | [Number(day, 1 | 2), Sign('.' | '-'), Month(month), Number(year, 4), ..]
        | [Number(day, 1 | 2), Month(month), Number(year, 4), ..] => date(*year, i32::from(*month), *day),
        _ => None,
    })
}

fn date(year: i32, month: i32, day: i32) -> Option<String> {
    let date = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    (1990..=2199).contains(&date.year()).then(|| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_people_write_them() {
        for (text, date) in [
            ("Last updated: June 8, 2023", "2023-06-08"),
            ("Last update: 2024-09-12", "2024-09-12"),
            ("Last Updated: May, 15, 2025", "2025-05-15"),
            ("last updated on 30rd December 2018 and supplements", "2018-12-30"),
            ("6 September 2023", "2023-09-06"),
            ("Stand: 1. März 2024", "2024-03-01"),
            ("Stand 01.03.2024", "2024-03-01"),
            ("Mise à jour le 3 août 2022", "2022-08-03"),
            ("25/12/2023", "2023-12-25"),
            ("12/25/2023", "2023-12-25"),
            ("2018-12-30T17:44:50+08:00", "2018-12-30"),
            ("1st of April, 2021", "2021-04-01"),
            ("1-Sep-2022", "2022-09-01"),
            ("Actualizado el 3 de mayo de 2022", "2022-05-03"),
        ] {
            assert_eq!(find(text).as_deref(), Some(date), "{text}");
        }
        for text in ["03/04/2023", "June 2023", "31 June 2023", "version 1.2.2023.4", "call 2023 01 2", ""] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
