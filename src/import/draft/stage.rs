//! What a page says of when a row is used: headings over what is still to come, columns of states, remarks behind names.

use super::super::{
    dates::{self, Span},
    text,
};

/// Where a row stands, as its page has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Stage {
    /// In use.
    Current,
    /// Announced, and not in use yet.
    Coming,
    /// Not in use for now.
    Paused,
    /// No longer in use.
    Over,
}

/// What was said of a row, and where.
#[derive(Debug, Clone)]
pub(in super::super) struct Told {
    pub(in super::super) stage: Stage,
    /// From when on.
    pub(in super::super) from: Option<Span>,
    /// The words that say so.
    pub(in super::super) quote: String,
    pub(in super::super) line: u32,
}

/// Beginnings of words for what is still to come.
const COMING: [&str; 39] = [
    "upcoming",
    "planned",
    "future",
    "forthcoming",
    "announced",
    "proposed",
    "pending",
    "scheduled",
    "prospective",
    "geplant",
    "kunftig",
    "zukunftig",
    "kommende",
    "angekundigt",
    "bevorstehend",
    "vorgesehen",
    "futur",
    "prevu",
    "prochain",
    "envisag",
    "proximo",
    "proxima",
    "previst",
    "planificad",
    "planead",
    "toekomstig",
    "gepland",
    "aankomend",
    "pianificat",
    "planerad",
    "kommande",
    "planlagt",
    "planowan",
    "przyszl",
    "planovan",
    "budouc",
    "tulevat",
    "suunnitel",
    "anunciad",
];
/// The same in several words.
const COMING_PHRASES: [&str; 11] = [
    "coming soon",
    "to be added",
    "to be engaged",
    "to be onboarded",
    "not yet",
    "noch nicht",
    "a venir",
    "in arrivo",
    "in planung",
    "in preparation",
    "will be added",
];
/// Words for what is in use.
const CURRENT: [&str; 26] = [
    "current",
    "currently",
    "existing",
    "active",
    "live",
    "engaged",
    "aktuell",
    "aktuelle",
    "aktuellen",
    "aktiv",
    "aktive",
    "derzeit",
    "derzeitige",
    "bestehende",
    "actuel",
    "actuels",
    "actif",
    "actual",
    "actuales",
    "activo",
    "huidige",
    "actief",
    "attuali",
    "attivo",
    "nuvarande",
    "nuvaerende",
];
/// Words for what is over.
const OVER: [&str; 34] = [
    "removed",
    "retired",
    "inactive",
    "former",
    "formerly",
    "previous",
    "past",
    "ended",
    "terminated",
    "discontinued",
    "deprecated",
    "offboarded",
    "decommissioned",
    "expired",
    "ehemalig",
    "ehemalige",
    "fruhere",
    "beendet",
    "inaktiv",
    "entfernt",
    "anciens",
    "supprime",
    "termine",
    "inactif",
    "anteriores",
    "eliminado",
    "inactivo",
    "verwijderd",
    "beeindigd",
    "voormalige",
    "vorige",
    "cessato",
    "rimosso",
    "inattivo",
];
/// The same in several words.
const OVER_PHRASES: [&str; 4] = ["no longer used", "no longer in use", "no longer engaged", "nicht mehr"];
/// Words for what rests.
const PAUSED: [&str; 6] = ["suspended", "paused", "on hold", "ausgesetzt", "pausiert", "suspendu"];
/// What stands before the date from which on something is used.
const FROM: [&str; 18] = [
    "from",
    "effective",
    "as of",
    "starting",
    "starts",
    "since",
    "beginning",
    "ab",
    "ab dem",
    "zum",
    "a partir",
    "des le",
    "desde",
    "vanaf",
    "per",
    "dal",
    "fra",
    "from and after",
];
/// What makes of a text one about those who are added.
const NEW: [&str; 14] = [
    "new",
    "added",
    "additional",
    "adding",
    "add",
    "engage",
    "engaging",
    "neue",
    "neuer",
    "nouveaux",
    "nouveau",
    "nuevos",
    "nieuwe",
    "nuovi",
];

/// What the heading of a list says of all that stands below it.
pub(in super::super) fn of_heading(heading: &str, line: u32) -> Option<Told> {
    let words = text::words(heading);
    if words.is_empty() || words.len() > 16 {
        return None;
    }
    // "Not yet active".
    let is_denied = has_phrase(&words, &COMING_PHRASES);
    let current = !is_denied && words.iter().any(|word| CURRENT.contains(&word.as_str()));
    let coming = is_coming(&words);
    let over = has_phrase(&words, &OVER) || has_phrase(&words, &OVER_PHRASES);
    let from = from_date(heading, &words);
    let stage = match (coming, current, over) {
        // "Current and planned" says nothing of any.
        (true, false, false) => Stage::Coming,
        (false, true, false) => Stage::Current,
        (false, false, true) => Stage::Over,
        (false, false, false) if from.is_some() && is_about_new(&words) => Stage::Coming,
        _ => return None,
    };
    Some(told(stage, from, heading, line))
}

/// What the paragraph above a list says of it: "We will engage the following companies as of 1 May".
pub(in super::super) fn of_intro(intro: &str, line: u32) -> Option<Told> {
    let body = intro.trim_end_matches([':', '.', ' ']);
    let start = body.rfind(". ").map_or(0, |at| at + 2);
    let last = &body[start..];
    let words = text::words(last);
    let has = |list: &[&str]| has_phrase(&words, list);
    // What would happen with any list, or what is only told.
    let is_policy =
        has(&["notify", "inform", "informed", "notice", "notified", "before", "prior", "object", "update", "updated"]);
    if words.len() > 40 || is_policy {
        return None;
    }
    let pointed = has(&["following", "below", "these", "folgende", "folgenden", "suivants", "siguientes", "volgende"]);
    let will = has(&[
        "will be",
        "will take effect",
        "take effect",
        "will come into",
        "will become",
        "becomes effective",
        "will begin",
        "will start",
        "will engage",
        "will use",
        "will add",
        "intend to",
        "plan to",
        "planning to",
        "going to",
        "werden wir",
        "wir planen",
        "allons",
        "prevoyons",
        "vamos a",
        "zullen",
    ]);
    let from = from_date(last, &words).or_else(|| dates::span(last, None).filter(|_| will));
    let short = words.len() <= 12 && from.is_some() && is_about_new(&words);
    let is_named = pointed && is_coming(&words) && words.len() <= 14 && !has(&["and", "und", "et", "y", "may"]);
    let is_coming =
        (pointed && will && (from.is_some() || is_about_new(&words) || is_coming(&words))) || short || is_named;
    is_coming.then(|| told(Stage::Coming, from, last.trim(), line))
}

/// What a remark in the brackets behind a name says, and the name without it.
pub(in super::super) fn of_name(name: &str, line: u32) -> Option<(String, Told)> {
    let body = name.trim_end();
    let inside = body.strip_suffix([')', ']'])?;
    let open = inside.rfind(['(', '['])?;
    let (bare, remark) = (inside[..open].trim_end(), &inside[open + 1..]);
    let words = text::words(remark);
    if bare.is_empty() || words.is_empty() || words.len() > 7 {
        return None;
    }
    let from = from_date(remark, &words);
    // "Acme (Future Group)" is a name.
    let stage = match of_value(remark).filter(|_| words.len() == 1 || has_phrase(&words, &OVER_PHRASES)) {
        Some(stage) => stage,
        None if from.is_some() || has_phrase(&words, &COMING_PHRASES) => Stage::Coming,
        None if is_coming(&words) && dates::span(remark, None).is_some() => Stage::Coming,
        None => return None,
    };
    // "(active)" may be part of a name; that it is used nobody has to say.
    (stage != Stage::Current).then(|| (bare.to_owned(), told(stage, from, remark, line)))
}

/// Whether the heading of a column says that states stand below it.
pub(in super::super) fn is_status(heading: &str) -> bool {
    let words = super::super::columns::words(heading);
    let states = ["status", "statut", "estado", "stato", "stav", "lifecycle", "stage", "zustand", "tila"];
    words.len() <= 3 && words.iter().any(|word| states.contains(&word.as_str()))
}

/// What a yes or no below a heading such as "Planned" or "Active" says.
pub(in super::super) fn of_answer(heading: &str, answer: bool) -> Option<Stage> {
    let words = super::super::columns::words(heading);
    let bare: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| !matches!(*word, "is" | "in" | "use")).collect();
    let stage = match bare.as_slice() {
        [] if words.len() == 2 => Stage::Current,
        [one] => of_value(one)?,
        _ => return None,
    };
    match (stage, answer) {
        (stage, true) => Some(stage),
        (Stage::Current, false) => Some(Stage::Over),
        _ => None,
    }
}

/// What a cell of a column of states says.
pub(in super::super) fn of_value(value: &str) -> Option<Stage> {
    let words = text::words(value);
    let is_denied = has_phrase(&words, &["not", "nicht", "non", "no", "niet"])
        && !has_phrase(&words, &COMING_PHRASES)
        && !has_phrase(&words, &OVER_PHRASES);
    if words.is_empty() || words.len() > 6 || is_denied {
        return None;
    }
    if has_phrase(&words, &OVER_PHRASES) || words.iter().any(|word| OVER.contains(&word.as_str())) {
        Some(Stage::Over)
    } else if has_phrase(&words, &PAUSED) {
        Some(Stage::Paused)
    } else if is_coming(&words) {
        Some(Stage::Coming)
    } else if words.iter().any(|word| CURRENT.contains(&word.as_str())) {
        Some(Stage::Current)
    } else {
        None
    }
}

fn told(stage: Stage, from: Option<Span>, quote: &str, line: u32) -> Told {
    Told { stage, from, quote: quote.to_owned(), line }
}

fn is_coming(words: &[String]) -> bool {
    has_phrase(words, &COMING_PHRASES) || words.iter().any(|word| COMING.iter().any(|stem| word.starts_with(stem)))
}

fn is_about_new(words: &[String]) -> bool {
    has_phrase(words, &NEW)
}

fn has_phrase(words: &[String], phrases: &[&str]) -> bool {
    let padded = format!(" {} ", words.join(" "));
    phrases.iter().any(|phrase| padded.contains(&format!(" {phrase} ")))
}

/// The date from which on a text says that something is used.
fn from_date(text: &str, words: &[String]) -> Option<Span> {
    has_phrase(words, &FROM).then(|| dates::span(text, None)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_say_what_is_to_come() {
        for heading in [
            "Upcoming sub-processors",
            "Planned Subprocessors (not yet active)",
            "Geplante Unterauftragsverarbeiter",
            "Künftige Dienstleister",
            "Sous-traitants à venir",
            "Futuros subencargados",
            "Toekomstige subverwerkers",
            "Sub-processors to be added",
            "New sub-processors (effective February 1, 2031)",
            "Planned for 2031",
        ] {
            assert_eq!(of_heading(heading, 1).map(|told| told.stage), Some(Stage::Coming), "{heading}");
        }
        for heading in [
            "Nuværende og planlagte underdatabehandlere",
            "Current and future subprocessors",
            "Infrastructure",
            "Planning tools",
            "Effective date: 1 May 2031",
            "",
        ] {
            assert_eq!(of_heading(heading, 1).map(|told| told.stage), None, "{heading}");
        }
        assert_eq!(of_heading("Current sub-processors", 1).map(|told| told.stage), Some(Stage::Current));
        assert_eq!(of_heading("Former providers", 1).map(|told| told.stage), Some(Stage::Over));
    }

    #[test]
    fn words_are_written_as_they_are_compared() {
        let all: [&[&str]; 8] = [&COMING, &COMING_PHRASES, &CURRENT, &OVER, &OVER_PHRASES, &PAUSED, &FROM, &NEW];
        for word in all.concat() {
            assert_eq!(text::words(word).join(" "), word);
        }
    }

    #[test]
    fn paragraphs_say_what_is_to_come_of_the_list_below_them_alone() {
        for intro in [
            "We will engage the following new sub-processors as of 1 January 2031:",
            "These are in use today. The following sub-processors will be added on May 1, 2031.",
            "New sub-processors (effective February 1, 2031)",
            "We intend to add the following vendors:",
            "The following sub-processors are planned:",
        ] {
            assert_eq!(of_intro(intro, 1).map(|told| told.stage), Some(Stage::Coming), "{intro}");
        }
        for intro in [
            "We will notify you before the following new sub-processors are used.",
            "The following sub-processors are used.",
            "This list is effective as of January 1, 2031.",
            "Effective date: January 1, 2031",
            "The following companies will be given access to your data.",
            "Existing and future customers can object.",
        ] {
            assert_eq!(of_intro(intro, 1).map(|told| told.stage), None, "{intro}");
        }
    }

    #[test]
    fn remarks_behind_names_and_cells_of_states() {
        for (name, bare, stage) in [
            ("Acme (planned)", "Acme", Stage::Coming),
            ("Acme Ltd (from 1 October 2030)", "Acme Ltd", Stage::Coming),
            ("Acme [no longer used]", "Acme", Stage::Over),
        ] {
            let (found, told) = of_name(name, 1).expect("a remark");
            assert_eq!((found.as_str(), told.stage), (bare, stage), "{name}");
        }
        for name in ["Acme (Zenith)", "Acme (Future Group)x", "Acme (Active)", "Acme", "(planned)"] {
            assert!(of_name(name, 1).is_none(), "{name}");
        }
        assert_eq!(of_value("Active"), Some(Stage::Current));
        assert_eq!(of_value("In use since 2019"), None);
        assert_eq!((of_answer("planned", true), of_answer("planned", false)), (Some(Stage::Coming), None));
        assert_eq!(
            (of_answer("isActive", true), of_answer("active", false)),
            (Some(Stage::Current), Some(Stage::Over))
        );
    }
}
