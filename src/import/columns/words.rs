//! The words of headings, in the languages in which lists are published.

use super::{Field, Guess, phrases, words};

/// Words that only link others.
const FILLERS: [&str; 26] = [
    "of",
    "the",
    "and",
    "or",
    "our",
    "for",
    "by",
    "a",
    "an",
    "their",
    "your",
    "to",
    "we",
    "s",
    "der",
    "des",
    "die",
    "und",
    "de",
    "du",
    "la",
    "et",
    "del",
    "y",
    "e",
    "applicable",
];

/// Words behind which a heading only says more about the word before them: "location of the processing".
const LINKS: [&str; 30] = [
    "it", "we", "they", "you", "of", "for", "in", "to", "from", "by", "with", "where", "which", "that", "used", "der",
    "des", "de", "du", "von", "fur", "del", "di", "van", "av", "af", "pour", "para", "per", "voor",
];

/// Words between two things that stand in one column.
const JOINTS: [&str; 6] = ["and", "und", "og", "och", "et", "y"];

/// Beginnings of words that make of a place that of a company.
const CORPORATE: [&str; 10] = [
    "hq",
    "headquarter",
    "corporate",
    "incorporat",
    "registered",
    "registration",
    "establish",
    "seat",
    "domicil",
    "legal",
];

/// Words with which a heading asks for yes or no.
const QUESTIONS: [&str; 12] =
    ["may", "does", "do", "is", "are", "can", "has", "have", "will", "should", "did", "optional"];

/// The fields that a heading may mean, by its words alone.
///
/// A heading is about its head: the last word before a link ("location of data" is a location, "data location" too). A
/// phrase that has the head in it counts; of those the longest.
pub(in super::super) fn by_words(heading: &str) -> Vec<Guess> {
    let words = words(heading);
    let question = heading.trim_end().ends_with('?') || words.first().is_some_and(|w| QUESTIONS.contains(&w.as_str()));
    if words.is_empty() || words.len() > 14 || question {
        return Vec::new();
    }
    let guesses = of_words(&words, heading);
    // Phrases of several words know better.
    match name_and_more(heading) {
        Some(guess) if guesses.first().is_none_or(|first| first.field != Field::Name) => {
            std::iter::once(guess).chain(guesses).collect()
        }
        _ => guesses,
    }
}

/// The same for a heading that certainly is one: a typing error in it is read over.
pub(super) fn of_heading(heading: &str) -> Vec<Guess> {
    let (words, guesses) = (words(heading), by_words(heading));
    if !guesses.is_empty() || words.len() > 3 {
        return guesses;
    }
    let mut guesses = mended(&words).map(|words| of_words(&words, heading)).unwrap_or_default();
    for guess in &mut guesses {
        guess.confidence *= 0.8;
        guess.reason.push_str(", but for a letter");
    }
    guesses
}

/// The guess for a heading that begins with the name and says what else stands below it: "Name und Anschrift".
fn name_and_more(heading: &str) -> Option<Guess> {
    let joints = [" and ", " und ", " et ", " y ", " e ", " en ", " och ", " og ", " & ", " + ", " / ", "/", ", "];
    let folded = heading.to_lowercase();
    let at = joints.iter().filter_map(|joint| folded.find(joint)).min()?;
    let first = words(folded.get(..at)?);
    let guess = of_words(&first, &folded).into_iter().next()?;
    (guess.field == Field::Name && guess.confidence >= 0.75).then_some(Guess { confidence: 0.85, ..guess })
}

fn of_words(words: &[String], heading: &str) -> Vec<Guess> {
    let before_brackets = super::words(heading.split(['(', '[']).next().unwrap_or_default()).len();
    let link = words.iter().skip(1).position(|word| LINKS.contains(&word.as_str())).map(|at| at + 1);
    let end = link.unwrap_or(words.len()).min(before_brackets.max(1));
    let head = end.saturating_sub(1);
    // "Function and data" has two heads.
    let first_head =
        words.iter().take(end).position(|word| JOINTS.contains(&word.as_str())).and_then(|at| at.checked_sub(1));
    let mut found: Vec<(bool, usize, Guess)> = Vec::new();
    for (at, phrase) in phrases::among(words) {
        let length = phrase.length();
        let span = at..at + length;
        let on_head = span.contains(&head) || first_head.is_some_and(|head| span.contains(&head));
        let others =
            words.iter().enumerate().filter(|(i, w)| !(at..at + length).contains(i) && !FILLERS.contains(&w.as_str()));
        // The whole heading is surest; a word beside the head, in a long heading, says nothing.
        let confidence = match (others.count(), on_head) {
            (0, _) => phrase.confidence,
            (_, true) => phrase.confidence * 0.85,
            (1, false) => phrase.confidence * 0.65,
            (_, false) => continue,
        };
        let reason = format!("\"{}\" in its heading", phrase.text.trim_end_matches('*'));
        found.push((on_head, length, Guess { field: phrase.field, confidence, reason }));
    }
    let best = found.iter().map(|(on_head, length, _)| (*on_head, *length)).max();
    found.retain(|(on_head, length, _)| Some((*on_head, *length)) == best);
    let mut guesses: Vec<Guess> = found.into_iter().map(|(_, _, guess)| guess).collect();
    guesses.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    // "HQ country", "legal seat (city)": the company's place, whatever word is used for places.
    if words.iter().any(|word| CORPORATE.iter().any(|stem| word.starts_with(stem))) {
        for guess in guesses.iter_mut().filter(|guess| guess.field == Field::Location) {
            guess.field = Field::EntityCountry;
        }
    }
    let mut seen = Vec::new();
    guesses.retain(|guess| {
        let new = !seen.contains(&guess.field);
        seen.push(guess.field);
        new
    });
    guesses
}

/// Whether the heading of a column of places says that data is there.
pub(super) fn speaks_of_data(heading: &str) -> bool {
    let data = [
        "process",
        "data",
        "host",
        "stor",
        "server",
        "resid",
        "verarbeit",
        "daten",
        "speicher",
        "traitement",
        "heberg",
        "tratamiento",
        "trattamento",
        "verwerk",
        "behandl",
    ];
    let of_company = |word: &str| word.starts_with("processor");
    let in_other_scripts = ["データ", "処理", "保管", "数据", "处理", "存储", "데이터", "처리"];
    in_other_scripts.iter().any(|part| heading.contains(part))
        || words(heading).iter().any(|word| !of_company(word) && data.iter().any(|stem| word.starts_with(stem)))
}

/// Whether a heading only says that places are in the column, or that they are the company's.
pub(super) fn is_bare_country(heading: &str) -> bool {
    let places = [
        "country",
        "countries",
        "location",
        "locations",
        "land",
        "pays",
        "pais",
        "paese",
        "region",
        "所在国",
        "国名",
        "国家",
        "국가",
    ];
    let companies = [
        "provider",
        "vendor",
        "supplier",
        "company",
        "subprocessor",
        "processor",
        "sub",
        "entity",
        "service",
        "anbieter",
        "of",
        "the",
        "s",
    ];
    let words = words(heading);
    words.iter().any(|word| places.contains(&word.as_str()))
        && words.iter().all(|word| places.contains(&word.as_str()) || companies.contains(&word.as_str()))
}

/// A heading with a typing error as it was meant, if one word of it is one letter from one that headings have.
fn mended(words: &[String]) -> Option<Vec<String>> {
    let known = |word: &str| {
        let near = |part: &&str| part.len() >= 6 && strsim::osa_distance(part, word) == 1;
        phrases::parts().find(near).map(ToOwned::to_owned)
    };
    let mut mended = words.to_vec();
    let at = mended.iter().position(|word| word.len() >= 6 && known(word).is_some())?;
    let word = mended.get_mut(at)?;
    *word = known(word)?;
    Some(mended)
}
