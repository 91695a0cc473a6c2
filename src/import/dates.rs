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

/// The days that a text names: one, or a month, a quarter, half a year, a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: Date,
    pub(super) last: Date,
}

impl Span {
    /// Whether it is one day.
    pub(super) fn is_day(self) -> bool {
        self.first == self.last
    }

    /// The first day behind it.
    pub(super) fn after(self) -> Option<Date> {
        self.last.tomorrow().ok()
    }
}

/// What stands first in a date of two small numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Day,
    Month,
}

/// The order in which a column writes its dates, as far as any of them shows it.
pub(super) fn order<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Order> {
    let (mut day, mut month) = (false, false);
    for text in texts {
        for window in tokens(text).windows(5) {
            if let [
                Token::Number(a, 1 | 2),
                Token::Sign(sign @ ('/' | '-')),
                Token::Number(b, 1 | 2),
                Token::Sign(other),
                Token::Number(_, 4),
            ] = window
                && sign == other
            {
                day |= *a > 12;
                month |= *b > 12;
            }
        }
    }
    match (day, month) {
        (true, false) => Some(Order::Day),
        (false, true) => Some(Order::Month),
        _ => None,
    }
}

/// The days that a text names.
pub(super) fn span(text: &str, order: Option<Order>) -> Option<Span> {
    use Token::{Month, Number, Sign};
    if let Some(day) = full(text, order) {
        return Some(Span { first: day, last: day });
    }
    let tokens = tokens(text);
    let months = tokens.iter().enumerate().find_map(|(at, _)| match &tokens[at..] {
        [Month(month), Number(year, 4), ..] | [Month(month), Sign('-' | '/' | '.' | '\''), Number(year, 4), ..] => {
            Some((*year, i32::from(*month), 1))
        }
        [Number(year, 4), Month(month)] => Some((*year, i32::from(*month), 1)),
        [Number(year, 4), Sign('-' | '/'), Number(month, 1 | 2)] if at == 0 => Some((*year, *month, 1)),
        [Number(month, 1 | 2), Sign('.' | '/' | '-'), Number(year, 4)] if at == 0 => Some((*year, *month, 1)),
        _ => None,
    });
    let (year, month, count) = months.or_else(|| part_of_year(text))?;
    let first = date(year, month, 1)?;
    let last = date(year, month + count - 1, 1)?.last_of_month();
    Some(Span { first, last })
}

/// A quarter, half a year or a year: the year, the month in which it begins, how many months it has.
fn part_of_year(text: &str) -> Option<(i32, i32, i32)> {
    let words = text::words(text);
    let is_year =
        |word: &&String| word.len() == 4 && word.starts_with(['1', '2']) && word.bytes().all(|b| b.is_ascii_digit());
    let mut years = words.iter().filter(is_year);
    let year = years.next()?.parse().ok().filter(|year| (1990..=2199).contains(year))?;
    if years.next().is_some() {
        return None;
    }
    let rest = || words.iter().filter(|word| !is_year(word));
    let numbers = ["1", "2", "3", "4", "1st", "2nd", "3rd", "4th", "first", "second", "third", "fourth"];
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        let number = before
            .and_then(|word| numbers.iter().position(|number| number == word))
            .and_then(|at| i32::try_from(at % 4).ok());
        let own = |letter: char| {
            let digits = word.strip_prefix(letter).or_else(|| word.strip_suffix(letter))?;
            digits.parse::<i32>().ok().filter(|number| (1..=4).contains(number)).map(|number| number - 1)
        };
        let is_quarter = ["quarter", "quartal", "trimestre", "kwartaal", "kvartal"].contains(&word.as_str());
        let quarter = own('q').or_else(|| number.filter(|_| is_quarter));
        let half = own('h').or_else(|| number.filter(|_| matches!(word.as_str(), "half" | "halbjahr" | "semestre")));
        match (quarter, half) {
            (Some(quarter), _) => return Some((year, 1 + quarter * 3, 3)),
            (_, Some(half)) if half < 2 => return Some((year, 1 + half * 6, 6)),
            _ => {}
        }
    }
    let fillers = [
        "since",
        "seit",
        "depuis",
        "desde",
        "sinds",
        "from",
        "in",
        "ab",
        "the",
        "year",
        "jahr",
        "early",
        "late",
        "mid",
        "end",
        "of",
        "beginning",
        "ca",
        "circa",
        "approx",
        "expected",
        "planned",
        "for",
        "until",
        "before",
        "by",
        "as",
        "bis",
    ];
    rest().all(|word| fillers.contains(&word.as_str())).then_some((year, 1, 12))
}

/// The first full date in a text, in ISO 8601. A date that can be read in two ways is none.
pub(super) fn find(text: &str) -> Option<String> {
    full(text, None).map(|date| date.to_string())
}

/// The first full date in a text; `order` says how to read one that can be read in two ways.
fn full(text: &str, order: Option<Order>) -> Option<Date> {
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
                (a, b) => match order? {
                    Order::Day => date(*year, b, a),
                    Order::Month => date(*year, a, b),
                },
            }
        }
        [Month(month), Number(day, 1 | 2), Number(year, 4), ..] => date(*year, i32::from(*month), *day),
        [Number(day, 1 | 2), Sign('.' | '-'), Month(month), Sign('-'), Number(year, 4), ..]
        | [Number(day, 1 | 2), Sign('.' | '-'), Month(month), Number(year, 4), ..]
        | [Number(day, 1 | 2), Month(month), Number(year, 4), ..] => date(*year, i32::from(*month), *day),
        _ => None,
    })
}

fn date(year: i32, month: i32, day: i32) -> Option<Date> {
    let date = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    (1990..=2199).contains(&date.year()).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_years_are_all_their_days() {
        for (text, first, last) in [
            ("March 2024", "2024-03-01", "2024-03-31"),
            ("since Feb. 2023", "2023-02-01", "2023-02-28"),
            ("März 2024", "2024-03-01", "2024-03-31"),
            ("2024-11", "2024-11-01", "2024-11-30"),
            ("11/2024", "2024-11-01", "2024-11-30"),
            ("Q2 2025", "2025-04-01", "2025-06-30"),
            ("2025 Q4", "2025-10-01", "2025-12-31"),
            ("3rd quarter of 2025", "2025-07-01", "2025-09-30"),
            ("4. Quartal 2025", "2025-10-01", "2025-12-31"),
            ("H2 2025", "2025-07-01", "2025-12-31"),
            ("2019", "2019-01-01", "2019-12-31"),
            ("since 2019", "2019-01-01", "2019-12-31"),
            ("1 May 2024", "2024-05-01", "2024-05-01"),
        ] {
            let span = span(text, None).map(|span| (span.first.to_string(), span.last.to_string()));
            assert_eq!(span, Some((first.to_owned(), last.to_owned())), "{text}");
        }
        for text in ["ISO 27001:2022", "2019 - 2023", "soon", "13/2024", "Q5 2024", "03/04/2023", ""] {
            assert_eq!(span(text, None), None, "{text}");
        }
        let ordered = |texts: &[&str]| order(texts.iter().copied());
        assert_eq!(ordered(&["03/04/2023", "25/01/2023"]), Some(Order::Day));
        assert_eq!(ordered(&["03/04/2023", "01/25/2023"]), Some(Order::Month));
        assert_eq!(ordered(&["03/04/2023"]), None);
        assert_eq!(
            span("03/04/2023", Some(Order::Day)).map(|span| span.first.to_string()).as_deref(),
            Some("2023-04-03")
        );
    }

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
