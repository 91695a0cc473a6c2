//! Reading a cell that names places.

use super::{
    super::text,
    instruments,
    table::{Place, Table},
};

/// Codes that are words as well: only among other codes do they stand for countries.
const WORDLIKE: [&str; 20] = [
    "IT", "IN", "NO", "IS", "AT", "TO", "BE", "DO", "SO", "ME", "MY", "AM", "AS", "BY", "AN", "ID", "TV", "PM", "AI",
    "IO",
];

/// Words behind which the places stand that are not meant.
const OUTSIDE: [&str; 6] = ["outside", "ausserhalb", "hors", "fuera", "fuori", "buiten"];

/// A place that was read: a country, an area, or a country in an area that is named with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct Found {
    /// The country's code; empty for an area alone.
    pub(in super::super) code: String,
    /// The area; empty for a country alone.
    pub(in super::super) area: String,
}

/// What a cell says of places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct Reading {
    /// The places, in order, each once.
    pub(in super::super) found: Vec<Found>,
    /// Words that were not understood.
    pub(in super::super) left: Vec<String>,
}

impl Reading {
    /// Whether the text is places and nothing else.
    pub(in super::super) fn is_whole(&self) -> bool {
        !self.found.is_empty() && self.left.is_empty()
    }
}

/// A place with where it stands: in which brackets, and behind which place outside them.
#[derive(Debug, Clone)]
struct Hit {
    place: Place,
    /// 0 outside brackets, else the number of the pair.
    group: usize,
    /// Whether words such as "and" stand between it and the one before.
    joined: bool,
}

/// A piece of text between separators.
struct Piece<'a> {
    text: &'a str,
    group: usize,
    /// Whether only a comma separates it from the piece before.
    after_comma: bool,
    /// Whether it is listed beside the piece before, rather than said of it: "EU/US", "EU + US".
    listed: bool,
    /// Whether only a slash separates it from the piece before.
    slashed: bool,
}

/// Reads a text.
pub(super) fn read(table: &Table, text: &str, codes: bool) -> Reading {
    let text = text.trim().trim_end_matches(['*', '†', '‡', '¹', '²', '³', ' ']);
    let mut reading = Reading::default();
    if let Some(place) = table.whole(&text::words(text)) {
        reading.found.push(plain(place));
        return reading;
    }
    let shouting = text.split_whitespace().any(|word| word.len() > 4 && word.chars().all(|c| c.is_uppercase()));
    let mut reader = Reader {
        table,
        codes,
        shouting,
        hits: Vec::new(),
        doubtful: Vec::new(),
        left: Vec::new(),
        before: Before::None,
        outside: false,
    };
    for piece in pieces(text) {
        reader.piece(&piece);
    }
    reader.finish()
}

fn plain(place: &Place) -> Found {
    match place {
        Place::Area(area) => Found { area: area.clone(), ..Found::default() },
        Place::Country(code) | Place::Within(code) | Place::State(code) => {
            Found { code: code.clone(), ..Found::default() }
        }
    }
}

/// Cuts a text at separators; what stands in brackets is a group.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut group, mut groups, mut start) = (0, 0, 0);
    let (mut after_comma, mut listed, mut slashed) = (false, false, false);
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next().unwrap_or(' ');
        let ends = match c {
            '(' | '[' | ')' | ']' | ',' | ';' | '\n' | '|' | '•' | '·' | '/' | '+' | '→' | '、' | '，' | '（'
            | '）' => true,
            // A dash between blanks, a point behind a sentence, a colon.
            '-' | '–' | '—' => previous == ' ' && next == ' ',
            ':' => true,
            '.' => next == ' ' && previous.is_lowercase() && is_sentence_end(&text[..at]),
            _ => false,
        };
        if ends {
            pieces.push(Piece { text: &text[start..at], group, after_comma, listed, slashed });
            after_comma = c == ',';
            listed = matches!(c, '/' | '+' | ';' | '|');
            slashed = c == '/';
            start = at + c.len_utf8();
            match c {
                '(' | '[' | '（' => {
                    groups += 1;
                    group = groups;
                }
                ')' | ']' | '）' => group = 0,
                _ => {}
            }
        }
        previous = c;
    }
    pieces.push(Piece { text: &text[start..], group, after_comma, listed, slashed });
    pieces.retain(|piece| !piece.text.trim().is_empty());
    pieces
}

/// Whether a point ends more than an abbreviation.
fn is_sentence_end(before: &str) -> bool {
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    word.chars().count() > 3
}

/// What the piece before was, for letters of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    None,
    /// A name that is not known, or of a city: what can stand before a state.
    Name,
    Other,
}

struct Reader<'a> {
    table: &'a Table,
    codes: bool,
    shouting: bool,
    hits: Vec<Hit>,
    /// Codes that may be words: where they would stand among the hits.
    doubtful: Vec<(usize, String, usize)>,
    left: Vec<String>,
    before: Before,
    /// The piece before ends with what lies outside of a place: "outside Norway/EEA".
    outside: bool,
}

impl Reader<'_> {
    fn piece(&mut self, piece: &Piece<'_>) {
        if std::mem::take(&mut self.outside) && piece.slashed {
            self.left.push(piece.text.trim().to_owned());
            self.outside = true;
            return;
        }
        let mut tokens: Vec<&str> = instruments::without(&piece.text.split_whitespace().collect::<Vec<_>>());
        let is_chosen = |place: &Place| matches!(place, Place::Area(area) if area == "CUSTOMER_SELECTED");
        let all = text::words(piece.text);
        let words: Vec<&str> = all.iter().map(String::as_str).collect();
        let chosen = (0..words.len()).find_map(|at| {
            let (length, place) = self.table.longest(&words[at..]).filter(|(_, place)| is_chosen(place))?;
            Some((at, length, place.clone()))
        });
        if let Some((at, length, place)) = chosen {
            self.hit(place, piece.group, false);
            // "Customer's choice of US or EU": the places to choose from; how it is chosen is no place.
            let left = self.left.len();
            let owner =
                tokens.iter().enumerate().flat_map(|(at, token)| text::words(token).into_iter().map(move |_| at));
            let owners: Vec<usize> = owner.collect();
            let is_chosen = |token: &usize| owners.iter().skip(at).take(length).any(|owner| owner == token);
            let mut others = [Vec::new(), Vec::new()];
            let from = owners.get(at).copied().unwrap_or(0);
            for (token, text) in tokens.iter().enumerate().filter(|(token, _)| !is_chosen(token)) {
                others[usize::from(token > from)].push(*text);
            }
            for some in others.iter().filter(|some| !some.is_empty()) {
                self.tokens(some, piece);
            }
            self.left.truncate(left);
            self.before = Before::Other;
            return;
        }
        // A condition, and whose place it is, are no places.
        let folded: Vec<String> = tokens.iter().map(|token| text::words(token).concat()).collect();
        let cut = folded.iter().position(|word| self.table.cuts.contains(word)).unwrap_or(tokens.len());
        let owned = folded.iter().position(|word| self.table.owners.contains(word)).is_some_and(|at| at < cut);
        let cut = if owned { 0 } else { cut };
        let condition = tokens.split_off(cut.min(tokens.len()));
        if !condition.is_empty() {
            self.outside = condition.first().is_some_and(|word| OUTSIDE.contains(&text::fold(word).as_str()));
            self.left.push(condition.join(" "));
        }
        if !tokens.is_empty() {
            self.tokens(&tokens, piece);
        }
    }

    /// Reads the words of a piece.
    fn tokens(&mut self, tokens: &[&str], piece: &Piece<'_>) {
        // Every word of a token with the token's place: "Frankfurt-am-Main" is three.
        let words: Vec<(usize, String)> = tokens
            .iter()
            .enumerate()
            .flat_map(|(at, token)| text::words(token).into_iter().map(move |w| (at, w)))
            .collect();
        let mut unknown: Vec<&str> = Vec::new();
        let mut joined = piece.listed;
        let first_hit = self.hits.len();
        let mut at = 0;
        while let Some((token_at, word)) = words.get(at) {
            let token = tokens.get(*token_at).copied().unwrap_or_default();
            let bare = token.trim_matches(|c: char| !c.is_alphanumeric());
            let starts_token = at == 0 || words.get(at - 1).is_some_and(|(before, _)| before != token_at);
            if starts_token && let Some(code) = self.table.cloud(bare).or_else(|| flag(self.table, token)) {
                self.hit(Place::Within(code.to_owned()), piece.group, joined);
                joined = false;
                at += words[at..].iter().take_while(|(t, _)| t == token_at).count();
                continue;
            }
            let rest: Vec<&str> = words[at..].iter().map(|(_, word)| word.as_str()).collect();
            if let Some((length, place)) = self.table.longest(&rest) {
                let place = place.clone();
                self.name(place, piece, first_hit, joined);
                joined = false;
                at += length;
                continue;
            }
            at += 1;
            let alone = starts_token && bare.chars().count() == word.chars().count();
            if alone && self.letters(bare, piece, first_hit, !unknown.is_empty(), joined) {
                joined = false;
                continue;
            }
            if matches!(word.as_str(), "and" | "or" | "und" | "oder" | "et" | "ou" | "y" | "e" | "o") {
                joined = true;
            } else if !self.table.fillers.contains(word) && !word.bytes().all(|b| b.is_ascii_digit()) && starts_token {
                unknown.push(token);
            }
        }
        // Flags have no words.
        for token in tokens.iter().filter(|token| text::words(token).is_empty()) {
            if let Some(code) = flag(self.table, token) {
                self.hit(Place::Country(code.to_owned()), piece.group, false);
            }
        }
        let named = self.hits.len() > first_hit;
        let city = self.hits.last().is_some_and(|hit| matches!(hit.place, Place::Within(_))) && named;
        self.before = if city || (!unknown.is_empty() && !named) { Before::Name } else { Before::Other };
        if !unknown.is_empty() {
            self.left.push(unknown.join(" "));
        }
    }

    /// Takes a name in. A state or province says where the city before it is.
    fn name(&mut self, place: Place, piece: &Piece<'_>, first_hit: usize, joined: bool) {
        if let Place::State(code) = &place {
            let follows = piece.after_comma || self.hits.len() > first_hit;
            self.drop_city_elsewhere(code, follows);
        }
        self.hit(place, piece.group, joined);
    }

    /// "Paris, Texas" is not in France.
    fn drop_city_elsewhere(&mut self, code: &str, follows: bool) {
        if follows
            && let Some(Hit { place: Place::Within(city), .. }) = self.hits.last()
            && city != code
        {
            self.hits.pop();
        }
    }

    /// Two or three letters: the code of a country, or a state behind a city. Returns whether they were understood.
    fn letters(&mut self, token: &str, piece: &Piece<'_>, first_hit: usize, after_unknown: bool, joined: bool) -> bool {
        let upper = token.to_ascii_uppercase();
        let written_so = token == upper && !token.bytes().any(|b| b.is_ascii_digit());
        let after_city = self.hits.last().is_some_and(|hit| matches!(hit.place, Place::Within(_)));
        let here = (self.hits.len() > first_hit && after_city) || (self.hits.len() == first_hit && after_unknown);
        let behind_name = here || (self.hits.len() == first_hit && piece.after_comma && self.before == Before::Name);
        if written_so && token.len() == 2 && self.table.is_state(token) && behind_name && !self.codes {
            // Only the city of that very country keeps the letters for its code: "Toronto, CA".
            let city = match self.hits.last().map(|hit| &hit.place) {
                Some(Place::Within(city)) => Some(city.clone()),
                _ => None,
            };
            if city.as_deref() != Some(token) {
                self.drop_city_elsewhere("US", true);
                self.left_is_understood();
                self.hit(Place::State("US".to_owned()), piece.group, joined);
                return true;
            }
        }
        if !(written_so || (self.codes && token.len() == 2)) || !(2..=3).contains(&token.len()) {
            return false;
        }
        let Some(code) = self.table.code(&upper).map(ToOwned::to_owned) else { return false };
        if !self.codes && (self.shouting || WORDLIKE.contains(&token) || upper == "AND") {
            if self.shouting && self.table.fillers.contains(&upper.to_ascii_lowercase()) {
                return false;
            }
            self.doubtful.push((self.hits.len(), code, piece.group));
            return true;
        }
        self.hit(Place::Country(code), piece.group, joined);
        true
    }

    /// The name before a state was a city that is not known.
    fn left_is_understood(&mut self) {
        if self.before == Before::Name && self.hits.last().is_none_or(|hit| !matches!(hit.place, Place::Within(_))) {
            self.left.pop();
        }
    }

    fn hit(&mut self, place: Place, group: usize, joined: bool) {
        self.hits.push(Hit { place, group, joined });
    }

    fn finish(mut self) -> Reading {
        // Among codes and places alone, letters that are words as well are codes.
        let among_codes = self.left.is_empty() && self.hits.len() + self.doubtful.len() > 1;
        for (shift, (at, code, group)) in std::mem::take(&mut self.doubtful).into_iter().enumerate() {
            if among_codes {
                let hit = Hit { place: Place::Country(code), group, joined: false };
                self.hits.insert((at + shift).min(self.hits.len()), hit);
            } else {
                self.left.push(code);
            }
        }
        self.georgia();
        let mut reading = Reading { found: self.combine(), left: self.left };
        reading.left.retain(|words| !words.is_empty());
        reading
    }

    /// Georgia is the state where everything else is in the United States.
    fn georgia(&mut self) {
        let in_states = |hit: &Hit| match &hit.place {
            Place::Country(code) | Place::Within(code) | Place::State(code) => code == "US",
            Place::Area(_) => false,
        };
        let is_georgia = |hit: &Hit| hit.place == Place::Country("GE".to_owned());
        let others = self.hits.iter().filter(|hit| !is_georgia(hit)).count();
        if others > 0 && self.hits.iter().filter(|hit| !is_georgia(hit)).all(in_states) {
            for hit in self.hits.iter_mut().filter(|hit| is_georgia(hit)) {
                hit.place = Place::State("US".to_owned());
            }
        }
    }

    /// Each place once; an area and its member that are named together are one place.
    fn combine(&self) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        // Where the last place outside brackets went.
        let mut outside: Option<usize> = None;
        let pair = self.hits.len() == 2;
        for (index, hit) in self.hits.iter().enumerate() {
            let new = plain(&hit.place);
            let inside = hit.group > 0;
            let before = if inside { outside } else { found.len().checked_sub(1).filter(|_| pair && !hit.joined) };
            let before_hit_outside = index.checked_sub(1).and_then(|i| self.hits.get(i)).map(|hit| hit.group);
            let before = before.filter(|_| inside || before_hit_outside == Some(0));
            match before.and_then(|at| found.get_mut(at)) {
                Some(area) if area.code.is_empty() && self.table.is_member(&area.area, &new.code) => {
                    area.code = new.code;
                }
                Some(country)
                    if new.code.is_empty()
                        && country.area.is_empty()
                        && self.table.is_member(&new.area, &country.code) =>
                {
                    country.area = new.area;
                }
                // A second country in the brackets behind an area.
                Some(first) if inside && !first.area.is_empty() && self.table.is_member(&first.area, &new.code) => {
                    let area = first.area.clone();
                    push(&mut found, Found { code: new.code, area });
                }
                _ => push(&mut found, new),
            }
            if !inside {
                outside = found.len().checked_sub(1);
            }
        }
        // "Depends on the customer's choice: US or EU" names what there is to choose from.
        if found.iter().any(|one| one.area == "CUSTOMER_SELECTED") {
            found.retain(|one| one.area != "UNSPECIFIED");
        }
        // A place that says less than another one.
        let all = found.clone();
        found.retain(|one| {
            !all.iter().any(|other| {
                other != one
                    && ((one.code.is_empty() && one.area == other.area)
                        || (one.area.is_empty() && !one.code.is_empty() && one.code == other.code))
            })
        });
        found
    }
}

fn push(found: &mut Vec<Found>, new: Found) {
    if !found.contains(&new) {
        found.push(new);
    }
}

/// The country of a flag.
fn flag<'a>(table: &'a Table, token: &str) -> Option<&'a str> {
    let letter =
        |c: char| char::from_u32(u32::from(c).checked_sub(0x1_f1e6)? + u32::from('A')).filter(char::is_ascii_uppercase);
    let mut letters = token.chars().filter(|c| *c != '\u{fe0f}').map(letter);
    let code: String = [letters.next()??, letters.next()??].iter().collect();
    table.code(&code)
}
