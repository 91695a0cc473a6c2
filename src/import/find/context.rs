//! What stands above a table or list, and what that says of it.

use super::super::{
    columns::{self, Column},
    draft,
    page::Cell,
    places::{Places, Reading},
    text,
};

/// Beginnings of words for a subprocessor.
const SUBPROCESSORS: [&str; 28] = [
    "subprocess",
    "subprozess",
    "subprocesad",
    "subcontract",
    "unterauftrag",
    "subunternehm",
    "unterverarbeiter",
    "subencargad",
    "subtratant",
    "subverwerk",
    "subrespons",
    "underbitrad",
    "underdatabehandl",
    "underleverand",
    "suboperador",
    "podproces",
    "podpowierz",
    "alikasittel",
    "soustrait",
    "위탁",
    "수탁",
    "하위처리",
    "委託",
    "サブプロセッサ",
    "復処理",
    "子处理",
    "分处理",
    "次级处理",
];

/// Beginnings of words for others who get data.
const THIRD_PARTIES: [&str; 40] = [
    "vendor",
    "supplier",
    "provider",
    "processor",
    "partner",
    "recipient",
    "contractor",
    "affiliat",
    "subsidiar",
    "auftragsverarbeit",
    "dienstleist",
    "drittanbiet",
    "anbieter",
    "prestataire",
    "fournisseur",
    "proveedor",
    "encargad",
    "fornitor",
    "responsabil",
    "fornecedor",
    "leverancier",
    "verwerker",
    "leverantor",
    "bitrade",
    "leverandor",
    "databehandl",
    "dodavatel",
    "zpracovatel",
    "dostawc",
    "thirdpart",
    "3rdpart",
    "dritte",
    "empfanger",
    "tiers",
    "destinataire",
    "terceros",
    "terze",
    "derden",
    "toolsweuse",
    "serviceswe",
];

/// Words of headings over what is no longer, or only a log.
const PAST: [&str; 22] = [
    "changelog",
    "change log",
    "change history",
    "revision history",
    "version history",
    "history of changes",
    "former",
    "previous",
    "removed",
    "past",
    "historical",
    "history",
    "archive",
    "archived",
    "retired",
    "no longer",
    "deprecated",
    "revisions",
    "anderungshistorie",
    "ehemalige",
    "fruhere",
    "discontinued",
];

/// Words of headings over other lists of a page.
const OTHER: [&str; 47] = [
    "cookie",
    "cookies",
    "your rights",
    "data subject rights",
    "definitions",
    "glossary",
    "table of contents",
    "contents",
    "related",
    "see also",
    "further reading",
    "resources",
    "contact us",
    "security measures",
    "safeguards",
    "technical and organizational",
    "technical and organisational",
    "frequently asked",
    "faq",
    "retention",
    "inhalt",
    "certifications",
    "audits",
    "types of data",
    "categories of data",
    "data we collect",
    "categories of personal data",
    "types of personal data",
    "datenkategorien",
    "kategorien personenbezogener daten",
    "art der daten",
    "categories de donnees",
    "categorias de datos",
    "categorias de dados",
    "categorie di dati",
    "transfer mechanism",
    "transfer mechanisms",
    "list of parties",
    "legend",
    "legende",
    "legenda",
    "leyenda",
    "abbreviations",
    "abkurzungen",
    "summary",
    "zusammenfassung",
    "key to",
];

/// Headings over what is no list of companies, where they say nothing else.
const ALONE: [&str; 17] = [
    "contact",
    "contacts",
    "kontakt",
    "contacto",
    "contato",
    "contatti",
    "questions",
    "parties",
    "parteien",
    "vertragsparteien",
    "signature",
    "signatures",
    "unterschrift",
    "unterschriften",
    "unterzeichnung",
    "execution",
    "handtekening",
];

/// What stands above.
#[derive(Debug, Default)]
pub(in super::super) struct Context {
    title: u8,
    /// Level, text, line: those that enclose what follows.
    headings: Vec<(u8, String, u32)>,
    /// Paragraphs since the last heading, table or list.
    intro: Vec<Cell>,
    /// Whether a list above under the same heading was taken.
    going_on: bool,
    /// The level of the heading under which the last list was taken, while its section or those beside it go on.
    taken: Option<u8>,
}

/// A place that a sentence or heading states for all that stands below it.
#[derive(Debug, Clone)]
pub(in super::super) struct Stated {
    /// The words that name it.
    pub(in super::super) words: String,
    pub(in super::super) reading: Reading,
    /// The sentence.
    pub(in super::super) quote: String,
    pub(in super::super) line: u32,
}

impl Context {
    pub(super) fn new(title: Option<&str>) -> Self {
        Self { title: title.map_or(0, speaks), ..Self::default() }
    }

    pub(super) fn heading(&mut self, level: u8, text: String, line: u32) {
        self.taken = self.taken.filter(|taken| level >= *taken);
        self.headings.retain(|(above, _, _)| *above < level);
        self.headings.push((level, text, line));
        self.intro.clear();
        self.going_on = false;
    }

    pub(super) fn text(&mut self, cell: Cell) {
        self.intro.push(cell);
        if self.intro.len() > 3 {
            self.intro.remove(0);
        }
    }

    /// A table or list was taken.
    pub(super) fn used(&mut self) {
        self.intro.clear();
        self.going_on = true;
        self.taken = self.headings.last().map(|(level, _, _)| *level).or(self.taken);
    }

    /// Whether the heading above stands beside one, under the same heading, whose list was taken.
    pub(super) fn is_beside_taken(&self) -> bool {
        self.headings.last().is_some_and(|(level, _, _)| self.taken == Some(*level))
    }

    /// One was left out.
    pub(super) fn passed(&mut self) {
        self.intro.clear();
    }

    /// The heading right above: that of the whole page is none of a section.
    pub(super) fn section(&self) -> Option<String> {
        let (level, text, _) = self.headings.last()?;
        (*level > 1).then(|| text.clone())
    }

    pub(super) fn nearest<'a>(&'a self, caption: Option<&'a str>) -> &'a str {
        caption.or_else(|| self.headings.last().map(|(_, text, _)| text.as_str())).unwrap_or_default()
    }

    /// The paragraph right above.
    pub(super) fn intro(&self) -> String {
        self.intro.last().map(Cell::text).unwrap_or_default()
    }

    /// How much what is above speaks of subprocessors: 3 in the heading or the paragraph right above, 2 further up or
    /// of other recipients, 0 not at all.
    pub(super) fn score(&self, caption: Option<&str>) -> u8 {
        let above = self.headings.iter().rev().skip(1).map(|(_, text, _)| speaks(text).min(2)).max().unwrap_or(0);
        let earlier = self.intro.iter().map(|cell| speaks(&cell.text()).min(2)).max().unwrap_or(0);
        let caption = caption.map_or(0, speaks);
        self.direct_score().max(caption).max(above).max(earlier).max(self.title.min(2))
    }

    /// What the heading and the paragraph right above say.
    pub(super) fn direct_score(&self) -> u8 {
        let heading = self.headings.last().map_or(0, |(_, text, _)| speaks(text));
        let intro = speaks(&self.intro());
        let earlier = if self.going_on { 2 } else { 0 };
        heading.max(intro).max(earlier)
    }

    /// What stands above says of when all of a list is used: the nearest that says anything.
    pub(super) fn told(&self, caption: Option<&str>) -> Option<draft::Told> {
        let line = self.headings.last().map_or(1, |(_, _, line)| *line);
        let intro = self.intro.last().and_then(|cell| draft::of_intro(&cell.text(), cell.line));
        let caption = || caption.and_then(|caption| draft::of_heading(caption, line));
        let headings = || self.headings.iter().rev().find_map(|(_, text, line)| draft::of_heading(text, *line));
        intro.or_else(caption).or_else(headings)
    }

    /// The place that the paragraph or the heading above states for all of a list.
    pub(super) fn place(&self, places: Places, section: Option<&str>) -> Option<Stated> {
        let intro = self.intro.last().and_then(|cell| sentence(places, &cell.text(), cell.line));
        intro.or_else(|| {
            let (_, text, line) = self.headings.last().filter(|(_, text, _)| section == Some(text))?;
            heading(places, text, *line).or_else(|| sentence(places, text, *line))
        })
    }
}

/// How much a text speaks of subprocessors: 3, or 2 of other recipients of data.
pub(in super::super) fn speaks(text: &str) -> u8 {
    let joined = text::words(text).concat();
    if SUBPROCESSORS.iter().any(|word| joined.contains(&word.to_lowercase())) {
        3
    } else if THIRD_PARTIES.iter().any(|word| joined.contains(word)) {
        2
    } else {
        0
    }
}

/// What speaks against a table or list: its columns, its heading.
pub(super) fn against(columns: &[Column], heading: &str, intro: &str) -> Option<String> {
    let words: Vec<Vec<String>> = columns.iter().map(|column| columns::words(&column.heading)).collect();
    let has = |wanted: &[&str]| words.iter().flatten().any(|word| wanted.contains(&word.as_str()));
    if has(&["cookie", "cookies"]) {
        return Some("it is about cookies".to_owned());
    }
    let first = words.first().map(Vec::as_slice).unwrap_or_default();
    let dated = first.iter().any(|word| matches!(word.as_str(), "date" | "version" | "datum" | "when" | "revision"));
    if dated || has(&["change", "changes", "action", "changed", "anderung"]) {
        return Some("it is a log of changes".to_owned());
    }
    let folded = text::fold(heading);
    let says = |list: &[&str], text: &str| {
        let padded = format!(" {} ", text::words(text).join(" "));
        list.iter().any(|word| padded.contains(&format!(" {word} ")))
    };
    if says(&PAST, &folded) {
        return Some(format!("its heading is \"{}\"", text::clip(heading, 60)));
    }
    let words = text::words(heading);
    let denied = ["used", "use", "processors", "subprocessors", "sub", "subprocessor", "processor", "engaged"];
    if words.windows(2).any(|pair| pair[0] == "not" && denied.contains(&pair[1].as_str())) {
        return Some(format!("its heading is \"{}\"", text::clip(heading, 60)));
    }
    let plain: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| !word.chars().all(|c| c.is_ascii_digit())).collect();
    let alone = matches!(plain.as_slice(), [only] if ALONE.contains(only));
    if alone || (says(&OTHER, &folded) && speaks(heading) < 3) {
        return Some(format!("its heading is \"{}\"", text::clip(heading, 60)));
    }
    let introduced = text::fold(intro);
    let changes =
        ["change log", "revision history", "no longer use", "were removed", "have been removed", "previously used"];
    changes.iter().any(|phrase| introduced.contains(phrase)).then(|| "the text above speaks of changes".to_owned())
}

/// The place in a sentence such as "These are all located in the United States:".
pub(in super::super) fn sentence(places: Places, text: &str, line: u32) -> Option<Stated> {
    let body = text.trim_end_matches([':', '.', ' ']);
    let start = body.rfind(". ").map_or(0, |at| at + 2);
    let last = &body[start..];
    let folded = text::words(last);
    let speaks_of_places = [
        "located",
        "based",
        "hosted",
        "established",
        "situated",
        "headquartered",
        "operating",
        "process",
        "processed",
        "processing",
        "stored",
        "store",
        "reside",
        "host",
        "ansassig",
        "befinden",
        "sitz",
        "situes",
        "etablis",
        "ubicados",
        "establecidos",
        "stabiliti",
        "gevestigd",
        "domiciled",
        "incorporated",
    ];
    if !folded.iter().any(|word| speaks_of_places.contains(&word.as_str())) {
        return None;
    }
    let prepositions = [
        " in ",
        " within ",
        " inside ",
        " im ",
        " innerhalb ",
        " en ",
        " aux ",
        " au ",
        " dans ",
        " negli ",
        " nell'",
        " from ",
        " nei ",
    ];
    let mut starts: Vec<usize> = prepositions
        .iter()
        .flat_map(|preposition| last.match_indices(preposition).map(|(at, found)| at + found.len()))
        .collect();
    starts.sort_unstable_by(|a, b| b.cmp(a));
    starts.into_iter().find_map(|at| {
        let words = last[at..].trim();
        let end =
            [" ansässig", " niedergelassen", " befinden", " gelegen"].iter().filter_map(|verb| words.find(verb)).min();
        stated(places, &words[..end.unwrap_or(words.len())], &format!("{last}{}", &text[body.len()..]), line)
    })
}

/// The place that a heading is, or has beside the word for subprocessors.
fn heading(places: Places, text: &str, line: u32) -> Option<Stated> {
    let kept: Vec<&str> = text
        .split_whitespace()
        .filter(|word| {
            let bare = text::words(word).concat();
            speaks(word) == 0
                && !matches!(bare.as_str(), "based" | "sub" | "in" | "the" | "located" | "third" | "party" | "our" | "")
        })
        .map(|word| word.trim_end_matches("-based").trim_end_matches(':'))
        .collect();
    if kept.is_empty() {
        return None;
    }
    stated(places, &kept.join(" "), text, line)
}

fn stated(places: Places, words: &str, quote: &str, line: u32) -> Option<Stated> {
    let words = words.trim().trim_end_matches([':', '.', ',']);
    let words = ["the ", "The ", "der ", "den ", "die ", "les ", "los ", "la "]
        .iter()
        .find_map(|a| words.strip_prefix(a))
        .unwrap_or(words);
    let reading = places.read(words, false);
    // "Other subprocessors" names no place.
    let named = reading
        .found
        .iter()
        .any(|found| !found.code.is_empty() || !matches!(found.area.as_str(), "UNSPECIFIED" | "CUSTOMER_SELECTED"));
    (named && reading.is_whole() && words.chars().count() <= 120).then(|| Stated {
        words: words.to_owned(),
        reading,
        quote: quote.trim().to_owned(),
        line,
    })
}

/// Whether a text holds a date.
pub(super) fn has_date(text: &str) -> bool {
    super::super::dates::find(text).is_some()
}
