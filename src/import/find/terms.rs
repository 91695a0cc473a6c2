//! What stands in the place of names and names no company: the parties and parts of a contract, articles of law,
//! grounds of transfers, headings of what is said of a processing, and what is still to be filled in.

use super::super::{
    columns::{self, Field},
    text,
};
use super::names::has_legal_form;

/// Words behind which the number of a part of a contract or law stands.
const PARTS: [&str; 21] = [
    "annex",
    "appendix",
    "exhibit",
    "schedule",
    "attachment",
    "clause",
    "section",
    "article",
    "articles",
    "art",
    "module",
    "anlage",
    "anhang",
    "artikel",
    "klausel",
    "annexe",
    "anexo",
    "articulo",
    "allegato",
    "articolo",
    "bijlage",
];

/// The parties of a contract, as it calls them instead of by their names.
const PARTIES: [&str; 29] = [
    "controller",
    "data controller",
    "processor",
    "data processor",
    "data exporter",
    "exporter",
    "data importer",
    "importer",
    "customer",
    "client",
    "provider",
    "the parties",
    "auftraggeber",
    "auftraggeberin",
    "auftragnehmer",
    "auftragnehmerin",
    "verantwortlicher",
    "auftragsverarbeiter",
    "responsable du traitement",
    "responsable de traitement",
    "sous traitant",
    "responsable del tratamiento",
    "encargado del tratamiento",
    "titolare del trattamento",
    "responsabile del trattamento",
    "opdrachtgever",
    "opdrachtnemer",
    "verwerkingsverantwoordelijke",
    "verwerker",
];

/// What a transfer can rest on.
const GROUNDS: [&str; 17] = [
    "standard contractual clauses",
    "standard contract clauses",
    "model clauses",
    "data privacy framework",
    "privacy shield",
    "binding corporate rules",
    "adequacy decision",
    "adequacy decisions",
    "international data transfer agreement",
    "international data transfer addendum",
    "standardvertragsklauseln",
    "angemessenheitsbeschluss",
    "clauses contractuelles types",
    "decision d'adequation",
    "clausulas contractuales tipo",
    "clausole contrattuali",
    "standaardcontractbepalingen",
];

/// The same by their initials.
const INITIALS: [&str; 8] = ["scc", "sccs", "dpf", "cct", "idta", "bcr", "bcrs", "tia"];

/// What is written where there is nobody, or nobody yet.
const NOBODY: [&str; 36] = [
    "none",
    "none currently",
    "none at present",
    "none at this time",
    "currently none",
    "n a",
    "not applicable",
    "tbd",
    "tba",
    "tbc",
    "to be determined",
    "to be confirmed",
    "to be announced",
    "to be decided",
    "keine",
    "keiner",
    "derzeit keine",
    "aktuell keine",
    "entfallt",
    "nicht zutreffend",
    "noch offen",
    "aucun",
    "aucune",
    "neant",
    "sans objet",
    "ninguno",
    "ninguna",
    "no aplica",
    "nessuno",
    "nessuna",
    "nenhum",
    "nenhuma",
    "geen",
    "niet van toepassing",
    "ingen",
    "zadny",
];

/// Whether a name is what contracts name and no company.
pub(super) fn is_term(name: &str) -> bool {
    let words = text::words(name);
    let joined = format!(" {} ", words.join(" "));
    let has = |phrase: &&str| joined.contains(&format!(" {phrase} "));
    if is_party(name) {
        return true;
    }
    if has_legal_form(name) {
        return false;
    }
    let numbered = |pair: &[String]| PARTS.contains(&pair[0].as_str()) && is_number(&pair[1]);
    GROUNDS.iter().any(has)
        || words.first().is_some_and(|first| INITIALS.contains(&first.as_str()))
        || words.windows(2).any(numbered)
        || is_heading(&head(name))
}

/// Whether a name is a number of parts: "3", "3.1" in its words, "iv", "b".
fn is_number(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit())
        || word.bytes().all(|b| matches!(b, b'i' | b'v' | b'x'))
        || word.len() == 1 && word.bytes().all(|b| b.is_ascii_lowercase())
}

/// Whether a party of the contract is meant: "Data exporter(s)", "Auftragnehmer (Acme)", "the customer named above".
fn is_party(name: &str) -> bool {
    let words = text::words(&head(name));
    let joined = words.join(" ");
    let single = joined.strip_suffix('s').unwrap_or(&joined);
    let article = ["the ", "der ", "die ", "le ", "el ", "il ", "de "].iter().find_map(|a| joined.strip_prefix(a));
    let begins = |party: &str| article.is_some_and(|rest| rest == party || rest.starts_with(&format!("{party} ")));
    PARTIES.contains(&joined.as_str()) || PARTIES.contains(&single) || PARTIES.iter().any(|party| begins(party))
}

/// Whether a name is a heading under which a contract describes its processing: "Purpose", "Betroffene Personen".
fn is_heading(name: &str) -> bool {
    let described = [
        Field::Purpose,
        Field::Location,
        Field::DataCategories,
        Field::SpecialCategories,
        Field::DataSubjects,
        Field::StartDate,
        Field::EndDate,
    ];
    columns::by_words(name).first().is_some_and(|guess| guess.confidence >= 0.89 && described.contains(&guess.field))
}

/// A name up to the first sign behind which more is said of it; a legal form may follow a comma.
fn head(name: &str) -> String {
    let signs = ['(', '[', ';', ':', '–', '—', '|'];
    text::collapse(name.split(signs).next().unwrap_or_default())
}

/// Whether a text stands where a name is missing: a slot to be filled in, or the word that there is nobody.
pub(in super::super) fn is_missing(name: &str) -> bool {
    let name = name.trim();
    let pairs = [("[", "]"), ("<", ">"), ("{", "}")];
    let is_slot = pairs.iter().any(|(open, close)| name.len() > 2 && name.starts_with(open) && name.ends_with(close))
        || ["{{", "{%", "<%", "${"].iter().any(|sign| name.contains(sign))
        || (!name.is_empty() && name.chars().all(|c| matches!(c, '_' | '.' | '…' | ' ')));
    is_slot || NOBODY.contains(&text::words(name).join(" ").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_of_contracts_are_no_companies() {
        for name in [
            "GDPR Article 28",
            "Art. 32",
            "Annex 0 — Details of the processing",
            "Anlage 2",
            "Schedule C",
            "EU Standard Contractual Clauses (SCCs)",
            "EU-US Data Privacy Framework",
            "DPF",
            "Data exporter(s); the customer",
            "Auftragnehmer (Acme)",
            "Data importer(s); Acme, Inc.",
            "the customer identified in the order",
            "Zweck",
            "Betroffene Personen",
            "Categories of data subjects",
        ] {
            assert!(is_term(name), "{name}");
        }
        for name in [
            "Acme",
            "Article Group Ltd",
            "Section",
            "Processor Labs",
            "Customer.io",
            "Client Heartbeat",
            "Exhibit Media",
            "Purpose Software Inc.",
            "Annex Cloud",
            "SCC Systems GmbH",
            "Client, Inc.",
            "Segment",
            "Usage Panda",
        ] {
            assert!(!is_term(name), "{name}");
        }
    }

    #[test]
    fn a_slot_is_no_name() {
        for name in
            ["[Acme Inc.]", "<<VENDOR>>", "{{ vendor.name }}", "____", "None currently", "TBD", "n/a", "Entfällt"]
        {
            assert!(is_missing(name), "{name}");
        }
        for name in ["Acme", "Acme [1]", "Nonesuch", "None of Us Ltd", "<Acme", "E.ON"] {
            assert!(!is_missing(name), "{name}");
        }
    }
}
