//! Whose list a page is, by its title and its headings: "Sub-processors of Acme", "Acme Subprocessors", "Acme's list of
//! sub-processors", "Legal | Subprocessors | Acme".

use super::{
    find,
    page::{Block, Page},
    text,
};

/// The longest name.
const MAX_NAME: usize = 80;
/// Headings that are looked at.
const HEADINGS: usize = 8;

/// Beginnings of the words by which lists call themselves, joined as [`text::words`] has them.
const LISTS: [&str; 24] = [
    "subprocess",
    "subprozess",
    "subprocesad",
    "processor",
    "subcontract",
    "unterauftrag",
    "auftragsverarbeit",
    "subunternehm",
    "soustraitan",
    "subencargad",
    "subverwerk",
    "underbitrad",
    "underdatabehandl",
    "subrespons",
    "list",
    "liste",
    "verzeichnis",
    "third",
    "party",
    "parties",
    "sub",
    "vendors",
    "data",
    "page",
];

/// So long a beginning is no company's.
const STEM: usize = 9;
/// How short ones can end.
const ENDINGS: [&str; 11] = ["", "a", "ado", "an", "as", "e", "en", "es", "ing", "n", "s"];

/// Words behind which a list says whose it is.
const OF: [&str; 20] = [
    "of", "for", "by", "at", "from", "der", "des", "von", "vom", "bei", "fur", "de", "du", "del", "di", "da", "van",
    "av", "af", "pour",
];

/// Words that are no company's name: what a list is, of what, and where it stands.
const GENERAL: [&str; 139] = [
    "the",
    "our",
    "your",
    "my",
    "we",
    "us",
    "you",
    "who",
    "what",
    "which",
    "how",
    "are",
    "is",
    "about",
    "and",
    "with",
    "use",
    "used",
    "using",
    "engaged",
    "current",
    "approved",
    "authorized",
    "authorised",
    "external",
    "existing",
    "new",
    "upcoming",
    "former",
    "additional",
    "other",
    "affiliate",
    "affiliates",
    "affiliated",
    "infrastructure",
    "service",
    "services",
    "annex",
    "appendix",
    "exhibit",
    "schedule",
    "attachment",
    "section",
    "part",
    "full",
    "complete",
    "public",
    "privacy",
    "legal",
    "gdpr",
    "dpa",
    "overview",
    "trust",
    "center",
    "centre",
    "help",
    "docs",
    "documentation",
    "security",
    "compliance",
    "home",
    "policy",
    "policies",
    "terms",
    "support",
    "region",
    "product",
    "products",
    "category",
    "personal",
    "customer",
    "customers",
    "information",
    "hosting",
    "payment",
    "cloud",
    "unsere",
    "unser",
    "eingesetzte",
    "datenschutz",
    "anlage",
    "anhang",
    "nos",
    "annexe",
    "ulterieurs",
    "this",
    "these",
    "that",
    "all",
    "a",
    "an",
    "default",
    "website",
    "avv",
    "avg",
    "dsgvo",
    "rgpd",
    "agreement",
    "addendum",
    "contract",
    "accord",
    "contrat",
    "contrato",
    "contratto",
    "convention",
    "vereinbarung",
    "vertrag",
    "auftragsverarbeitungsvertrag",
    "verwerkersovereenkomst",
    "overeenkomst",
    "liste",
    "list",
    "lista",
    "elenco",
    "lijst",
    "register",
    "verzeichnis",
    "processing",
    "verarbeitung",
    "traitement",
    "traitements",
    "tratamiento",
    "tratamento",
    "trattamento",
    "verwerking",
    "behandling",
    "daten",
    "donnees",
    "datos",
    "dados",
    "dati",
    "gegevens",
    "nuestros",
    "anexo",
    "i",
    "ii",
    "iii",
    "iv",
    "v",
];

/// The company whose list a page says it is.
pub(super) fn organization(page: &Page) -> Option<String> {
    let headings = page.blocks.iter().filter_map(|block| match block {
        Block::Heading { level: level @ 1..=2, text, .. } if find::speaks(text) > 2 => Some((*level, text.as_str())),
        _ => None,
    });
    // "Email sub-processors" further down says which they are, not whose.
    let in_heading = |(level, text): (u8, &str)| {
        behind(text).or_else(|| owner(text)).or_else(|| (level == 1).then(|| before(text)).flatten())
    };
    page.title.as_deref().and_then(in_title).or_else(|| headings.take(HEADINGS).find_map(in_heading))
}

/// The name in a title, which may be that of a site too.
fn in_title(title: &str) -> Option<String> {
    let parts = parts(title);
    let at = parts.iter().position(|part| find::speaks(part) > 2).or_else(|| parts.iter().position(|p| is_list(p)))?;
    let own = parts.get(at).and_then(|part| behind(part).or_else(|| before(part)));
    // Beside it stands the company, or where on its site the page is.
    let beside = || {
        let (ahead, rest) = parts.split_at_checked(at)?;
        let others = ahead.iter().chain(rest.iter().skip(1).rev());
        others.filter(|part| !is_list(part)).find_map(|part| name(part))
    };
    own.or_else(beside)
}

/// The parts of a title between the signs that are put between them.
fn parts(title: &str) -> Vec<&str> {
    let mut parts = vec![title];
    for sign in [" | ", " – ", " — ", " - ", " · ", " • ", " » ", " :: ", ": "] {
        parts = parts.into_iter().flat_map(|part| part.split(sign)).collect();
    }
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn is_list(part: &str) -> bool {
    part.split_whitespace().any(is_list_word)
}

fn is_list_word(word: &str) -> bool {
    let bare: String = text::words(word).concat().chars().take(MAX_NAME).collect();
    begins_list(&bare)
}

/// Whether a folded word is one of these. Short ones begin names too ("Datadog", "PagerDuty", "Listrak"): they are whole
/// words, or the first of two.
fn begins_list(bare: &str) -> bool {
    LISTS.iter().any(|stem| {
        bare.strip_prefix(stem).is_some_and(|rest| stem.len() >= STEM || ENDINGS.contains(&rest) || begins_list(rest))
    })
}

/// The name before what a list calls itself: "Acme Sub-processors".
fn before(part: &str) -> Option<String> {
    let words: Vec<&str> = part.split_whitespace().collect();
    let first = words.iter().position(|word| is_list_word(word))?;
    name(&words.get(..first)?.join(" "))
}

/// The same where a sign says that it is an owner's: "Acme's sub-processors".
fn owner(part: &str) -> Option<String> {
    let words: Vec<&str> = part.split_whitespace().collect();
    let first = words.iter().position(|word| is_list_word(word))?;
    let last = words.get(first.checked_sub(1)?)?;
    let is_owned = ["'s", "’s", "s'", "s’"].iter().any(|sign| last.ends_with(sign));
    is_owned.then(|| name(&words.get(..first)?.join(" "))).flatten()
}

/// The name behind what a list calls itself: "Sub-processors of Acme", "Sous-traitants d'Acme".
fn behind(part: &str) -> Option<String> {
    let words: Vec<&str> = part.split_whitespace().collect();
    let last = words.iter().rposition(|word| is_list_word(word))?;
    let rest = words.get(last + 1..)?;
    let at = rest.iter().position(|word| {
        let folded = text::fold(word);
        OF.contains(&folded.as_str()) || folded.starts_with("d'")
    })?;
    let (preposition, others) = rest.get(at..)?.split_first()?;
    let elided = preposition.split_once(['\'', '’']).map(|(_, first)| first);
    let whole: Vec<&str> = elided.into_iter().chain(others.iter().copied()).collect();
    let is_named = whole.first().is_some_and(|word| word.starts_with(|c: char| c.is_uppercase() || c.is_numeric()));
    name(&whole.join(" ")).filter(|_| is_named)
}

/// A text as a company's name, if it can be one.
fn name(words: &str) -> Option<String> {
    let whole = words.trim();
    let owner = whole.strip_suffix("'s").or_else(|| whole.strip_suffix("’s"));
    let bare = owner.unwrap_or(whole).trim_end_matches(['\'', '’']);
    let bare = bare.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '(' | ')' | '!'));
    let bare = ["The ", "the "].iter().find_map(|article| bare.strip_prefix(article)).unwrap_or(bare);
    // "Customer.io" is one word.
    let is_site = |word: &str| word.contains('.') && find::is_coined(word);
    let words_of = |word: &str| if is_site(word) { vec![text::fold(word)] } else { text::words(word) };
    let mut folded: Vec<String> = bare.split_whitespace().flat_map(words_of).collect();
    let is_general = |word: &String| GENERAL.contains(&word.as_str()) || word.chars().all(|c| c.is_ascii_digit());
    // "Help Scout" is a company, a help center is none.
    let is_proper = |word: &str| word.starts_with(char::is_uppercase) && !text::words(word).iter().any(is_general);
    if bare.strip_prefix("Help ").is_some_and(|rest| rest.split_whitespace().all(is_proper)) {
        folded.remove(0);
    }
    let is_sentence = folded.iter().filter(|word| is_general(word)).count() * 2 > folded.len();
    // "Agreement on the", "Scan the web for": words before a name, and none.
    let joins = [
        "the", "on", "about", "uber", "und", "and", "die", "das", "in", "im", "la", "le", "les", "el", "il", "zu",
        "zur", "zum",
    ];
    let is_open = |word: &String| OF.contains(&word.as_str()) || joins.contains(&word.as_str());
    let begins = folded.first().is_some_and(|word| !is_general(word)) && !folded.last().is_some_and(is_open);
    let is_dated = super::dates::find(bare).is_some();
    (begins && !is_sentence && !is_dated && bare.chars().count() < MAX_NAME).then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(title: Option<&str>, headings: &[(u8, &str)]) -> Page {
        let heading = |(level, text): &(u8, &str)| Block::Heading { level: *level, text: (*text).to_owned(), line: 1 };
        Page { title: title.map(ToOwned::to_owned), blocks: headings.iter().map(heading).collect(), ..Page::default() }
    }

    #[test]
    fn words_are_written_as_they_are_compared() {
        let all: [&[&str]; 4] = [&LISTS, &ENDINGS, &OF, &GENERAL];
        for word in all.concat() {
            assert_eq!(text::words(word).join(" "), word);
        }
    }

    #[test]
    fn a_title_says_whose_list_it_is() {
        for (title, name) in [
            ("Sub-processors of Acme", "Acme"),
            ("List of Sub-processors of Acme GmbH", "Acme GmbH"),
            ("Subprocessors used by Blue Ocean, Inc.", "Blue Ocean, Inc."),
            ("Third-party subprocessors for Acme Cloud", "Acme Cloud"),
            ("Acme Subprocessors", "Acme"),
            ("Accord de sous-traitance (DPA) — Acme", "Acme"),
            ("AVV / DPA — Data Processing Agreement | Acme", "Acme"),
            ("Subprozessoren von Acme", "Acme"),
            ("ACME Sub-Processor List", "ACME"),
            ("Acme's sub-processor list", "Acme"),
            ("Acme’s list of sub-processors", "Acme"),
            ("Hermes' subprocessors", "Hermes"),
            ("The Acme Data Subprocessors", "Acme"),
            ("fortrabbit sub-processors", "fortrabbit"),
            ("Subprocessors | Acme", "Acme"),
            ("Acme | Legal | Subprocessors", "Acme"),
            ("Subprocessors - Trust Center - Acme", "Acme"),
            ("Legal – Subprocessors – Acme Inc.", "Acme Inc."),
            ("Acme: Sub-processors", "Acme"),
            ("Unterauftragsverarbeiter der Acme GmbH", "Acme GmbH"),
            ("Liste der Unterauftragsverarbeiter von Acme", "Acme"),
            ("Liste des sous-traitants ultérieurs d’Acme SAS", "Acme SAS"),
            ("Subencargados de Acme", "Acme"),
            // Names that begin as words of lists do.
            ("Datadog Subprocessors", "Datadog"),
            ("Sub-processors of Datadog", "Datadog"),
            ("Databricks Sub-processors", "Databricks"),
            ("Subprocessors | PagerDuty", "PagerDuty"),
            ("Sublime Security Subprocessors", "Sublime Security"),
            ("Listrak Subprocessors", "Listrak"),
            ("Vendorstack Sub-processor List", "Vendorstack"),
            ("Thirdwave Third-Party Subprocessors", "Thirdwave"),
            ("Help Scout Subprocessors", "Help Scout"),
            ("Customer.io Subprocessors", "Customer.io"),
        ] {
            assert_eq!(organization(&page(Some(title), &[])).as_deref(), Some(name), "{title}");
        }
    }

    #[test]
    fn a_title_that_names_nobody_names_nobody() {
        for title in [
            "Subprocessors",
            "Our sub-processors",
            "This subprocessor policy lists whom we engage",
            "Subencargados de Tratamiento",
            "Sous-traitants de données",
            "Accord de sous-traitance",
            "Vereinbarung über die Auftragsverarbeitung (AVV)",
            "Scan the web for subprocessors",
            "AVV-Liste",
            "Legal: Default sub-processors",
            "List of sub-processors",
            "The sub-processors we use",
            "Sub-processors by Region",
            "Subprocessors of Personal Data",
            "Annex III – List of sub-processors",
            "Annex III - List of Sub-processors - 1 May 2024",
            "Unsere Unterauftragsverarbeiter",
            "Privacy policy",
            "Approved Subprocessors | Trust Center",
            "Help Center Subprocessors",
            "Customer Data Subprocessors",
            "Third-party data processors",
            "Lista de subencargados",
            "Subs",
        ] {
            assert_eq!(organization(&page(Some(title), &[])), None, "{title}");
        }
    }

    #[test]
    fn headings_say_it_where_the_title_does_not() {
        for (title, headings, name) in [
            (Some("Trust Center"), [(1, "Welcome"), (2, "Sub-processors of Acme")], Some("Acme")),
            (Some("Subprocessors"), [(2, "Acme's subprocessors"), (2, "x")], Some("Acme")),
            (Some("Subprocessors"), [(1, "Acme Subprocessors"), (2, "x")], Some("Acme")),
            (Some("Subprocessors"), [(1, "Our Subprocessors"), (2, "Email subprocessors")], None),
            (None, [(1, "Infrastructure Sub-processors"), (2, "Sub-processors by Product")], None),
        ] {
            assert_eq!(organization(&page(title, &headings)).as_deref(), name, "{headings:?}");
        }
    }
}
