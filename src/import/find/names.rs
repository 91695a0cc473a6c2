//! What names of companies look like, and titles of documents.

use super::super::text;

/// Whether a name has the form of a company's.
pub(in super::super) fn has_legal_form(name: &str) -> bool {
    let forms = [
        "inc",
        "llc",
        "ltd",
        "limited",
        "gmbh",
        "corp",
        "corporation",
        "pbc",
        "plc",
        "ag",
        "sarl",
        "sas",
        "bv",
        "nv",
        "ab",
        "oy",
        "aps",
        "srl",
        "spa",
        "sro",
        "pty",
        "pvt",
        "kg",
        "kk",
        "llp",
        "lp",
        "ug",
        "se",
        "oyj",
        "asa",
        "sa",
        "zrt",
        "kft",
        "ulc",
        "pte",
        "sl",
        "ou",
        "eood",
        "ood",
        "doo",
    ];
    let is_form = |token: &str| {
        let word = text::fold(&token.replace('.', ""));
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        // "se" and "as" are words too, "SE" and "a.s." are not.
        let is_marked = word.len() > 2 || token.contains('.') || token.chars().any(char::is_uppercase);
        is_marked && forms.contains(&word)
    };
    name.split([' ', '\u{a0}', ',', '(', '/', '-']).filter(|token| !token.is_empty()).skip(1).any(is_form)
}

/// Initials that are words of everybody's, and make no name.
const INITIALS: [&str; 26] = [
    "EU", "US", "UK", "USA", "EEA", "EWR", "UE", "AI", "KI", "IA", "IT", "HR", "IP", "ID", "PII", "PDF", "CSV", "API",
    "URL", "GDPR", "DSGVO", "AVG", "RGPD", "DPA", "AVV", "DPO",
];

/// Whether a name has capitals or points where only coined names have them: "GitHub", "hCaptcha", "Fly.io", "AWS".
pub(in super::super) fn is_coined(name: &str) -> bool {
    // Where everything is in capitals, they say nothing.
    let is_long = |word: &str| word.chars().count() > 5;
    if !name.chars().any(char::is_lowercase) && name.contains(' ') && name.split_whitespace().any(is_long) {
        return false;
    }
    name.split_whitespace().any(|word| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        if word.contains(['_', '/']) {
            return false;
        }
        // "Cross-Border" is two words.
        let inner =
            word.split('-').any(|part| part.chars().skip(1).any(char::is_uppercase) && !INITIALS.contains(&part));
        let domain = word.split_once('.').is_some_and(|(name, end)| {
            !name.is_empty() && (2..=4).contains(&end.len()) && end.bytes().all(|b| b.is_ascii_lowercase())
        });
        inner || domain
    })
}

/// Whether a text is the title of a document rather than a name.
pub(super) fn is_document(name: &str) -> bool {
    let words = text::words(name);
    let documents = [
        "policy",
        "terms",
        "agreement",
        "addendum",
        "notice",
        "dpa",
        "faq",
        "statement",
        "conditions",
        "guide",
        "overview",
        "whitepaper",
        "certificate",
        "report",
        "compliance",
        "information",
        "home",
        "contact",
        "imprint",
        "impressum",
        "blog",
        "login",
        "pricing",
    ];
    words.len() <= 6 && words.iter().any(|word| documents.contains(&word.as_str()))
}
