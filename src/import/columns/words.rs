//! The words of headings, in the languages in which lists are published.

use super::{Field, Guess, words};

/// Phrases of headings, each a sequence of words; `*` at the end of a word stands for any ending. The longest phrase of
/// a heading decides; of phrases of one length the surest.
const PHRASES: &[(Field, f64, &[&str])] = &[
    (Field::Name, 0.9, &[
        "subprocessor*", "sub processor*", "subcontractor*", "sub contractor*", "vendor*", "supplier*", "provider*",
        "entity", "entity name", "entities", "company", "company name", "organisation", "organization", "third party*",
        "third part*", "name of subprocessor", "name of sub processor", "legal entity", "recipient*", "service provider*",
        "processor", "processor name", "party", "partner*", "legal name", "business name", "vendor name", "supplier name",
        "company and address", "name and address", "third party entity", "third party service*",
        // German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Danish, Norwegian, Finnish, Polish, Czech.
        "unterauftragsverarbeiter*", "unterauftragnehmer*", "auftragsverarbeiter*", "unter auftragsverarbeiter*",
        "subunternehmer*", "dienstleister*", "anbieter*", "firma", "unternehmen", "empfanger*", "sous traitant*",
        "prestataire*", "fournisseur*", "societe", "entreprise", "destinataire*", "subencargado*", "sub encargado*",
        "encargado*", "proveedor*", "empresa", "subresponsabil*", "sub responsabil*", "fornitore", "fornitori",
        "societa", "azienda", "fornecedor*", "subcontratante*", "suboperador*", "subverwerker*", "sub verwerker*",
        "leverancier*", "bedrijf*", "underbitrade*", "underbitraden*", "leverantor*", "foretag*", "underdatabehandler*",
        "underleverandor*", "leverandor*", "databehandler*", "virksomhed*", "alikasittelija*", "podprocesor*",
        "업체명", "업체", "수탁*", "회사명", "처리자*", "委託先*", "再委託先*", "事業者*", "会社名*", "企業名*", "サブプロセッサ*", "復処理者*", "供应商*", "服务商*",
        "子处理者*", "分处理者*", "公司名称", "第三方*",
        "dostawca", "dalsi zpracovatel*", "zpracovatel*", "dodavatel*",
    ]),
    (Field::Name, 0.75, &["name", "names", "nom", "nombre", "nome", "naam", "名称", "이름", "名前", "namn", "navn", "nimi", "nazwa", "nazev", "bezeichnung"]),
    (Field::Name, 0.5, &[
        "类别", "カテゴリ*", "service", "services", "tool", "tools", "product", "platform", "application", "app", "software", "system",
        "category", "categories", "dienst", "dienste", "outil", "servicio", "servizio", "applicable subprocessor*",
        "solution", "integration", "saas", "kategorie",
    ]),
    (Field::Purpose, 0.95, &[
        "purpose*", "description of processing", "purpose of processing", "processing purpose*", "function*",
        "activity", "activities", "subprocessing activit*", "processing activit*", "description purpose", "use",
        "usage", "use case*", "used for", "nature of processing", "nature and purpose*", "subject matter*",
        "service provided", "services provided", "services performed", "service performed", "what they do",
        "what we use it for", "what it is used for", "reason", "reason for use", "processing operation*", "typical purpose*",
        "nature of service*", "description of service*", "scope of processing", "type of processing", "task*",
        "zweck*", "verarbeitungszweck*", "verwendungszweck*", "leistung*", "tatigkeit*", "aufgabe*", "einsatzzweck*",
        "funktion*", "gegenstand*", "beschreibung der verarbeitung", "art der verarbeitung", "art der dienstleistung",
        "actividad*", "uso", "activite*", "utilisation", "attivita*", "uso previsto", "atividade*", "activiteit*", "aktivitet*", "gebruik", "anvandning", "verwendung*", "nutzung*", "finalite*", "objet", "fonction*", "objectif*", "finalidad*", "proposito*", "funcion*", "finalita", "scopo*", "funzione",
        "finalidade*", "doel*", "doeleinde*", "andamal*", "syfte*", "formal*", "tarkoitus", "kayttotarkoitus", "cel*",
        "ucel*", "what they process", "what it processes", "what we use*", "목적*", "이용목적*", "위탁 업무*", "위탁업무*", "업무*", "目的*", "利用目的*", "用途*", "業務*", "委託業務*", "委託内容*",
        "典型用途*", "处理目的*",
    ]),
    (Field::Purpose, 0.7, &["description", "beschreibung", "descripcion", "descrizione", "descricao", "omschrijving", "beskrivning", "beskrivelse", "details"]),
    (Field::Purpose, 0.6, &[
        "service", "services", "service description", "type of service*", "service type", "entity type", "type",
        "services used", "dienst", "dienste", "dienstleistung*", "servicio*", "servizio", "servizi", "dienstverlening",
        "tjanst*", "ydelse*", "role", "category of service*", "service category", "kind of service", "category",
        "functionality", "product", "products used",
    ]),
    (Field::Location, 0.95, &[
        "location*", "location of processing", "processing location*", "geographic location*", "geographical location*",
        "place of processing", "country of processing", "processing countr*", "data location*", "data center*",
        "data centre*", "datacenter*", "hosting location*", "hosting region*", "storage location*",
        "location of data", "data residency", "residency", "data region*", "processing region*", "hosting country",
        "data storage location*", "location of subprocessor*", "location of sub processor*", "where", "server location*",
        "territory", "territories", "geography", "jurisdiction*", "place", "places", "region of processing",
        "standort*", "verarbeitungsort*", "ort", "ort der verarbeitung", "serverstandort*", "ort der datenverarbeitung",
        "speicherort*", "lieu*", "lieu de traitement", "localisation*", "emplacement*", "ubicacion*", "lugar*", "localizacion*",
        "ubicazione", "luogo", "localizacao", "locatie*", "plats", "sijainti", "lokalizacja", "umisteni", "lokation*", "placering", "所在地*", "所在国*", "国名", "処理場所*", "保管場所*", "국가", "이전 국가", "소재지", "위치", "国家*", "地区*", "位置*",
    ]),
    (Field::Location, 0.85, &[
        "country", "countries", "region", "regions", "city", "country region", "land", "lander", "pays", "pais", "paises",
        "paese", "paesi", "landen", "maa", "kraj", "zeme", "state", "drittland", "region country",
    ]),
    (Field::EntityCountry, 0.97, &[
        "corporate location*", "corporate country", "entity country", "entity location*", "headquarter*", "hq", "head office",
        "country of incorporation", "incorporated in", "place of incorporation", "country of establishment", "place of establishment", "registered office*",
        "registered country", "company location", "company country", "country of registration", "corporate headquarter*", "hq location",
        "vendor country", "corporate seat", "seat", "country of origin", "location of entity", "location of headquarters",
        "sitz", "firmensitz", "unternehmenssitz", "sitzland", "sitz des unternehmens", "hauptsitz", "siege", "siege social", "sede", "sede legal", "sede legale",
        "vestigingsland", "hoofdkantoor", "hemvist", "sate", "hjemland",
    ]),
    (Field::Website, 0.95, &["website*", "web site*", "url", "link", "homepage", "web page", "webpage", "domain", "webseite", "site web", "sitio web", "sito web", "hemsida", "hjemmeside"]),
    (Field::DataCategories, 0.9, &[
        "category of personal*", "categories of personal*", "category of information", "categories of information", "category of data", "personal information",
        "data", "personal data", "data processed", "data categor*", "categories of data", "categories of personal data", "category of data",
        "type of data", "types of data", "data type*", "data shared", "data involved", "customer data involved", "data potentially involved", "personal data processed",
        "data collected", "data accessed", "data elements", "type of personal data", "types of personal data", "personal data categories", "information processed",
        "information shared", "data transferred", "customer data",
        "daten", "datenkategorie*", "datenart*", "art der daten", "kategorien personenbezogener daten", "personenbezogene daten", "verarbeitete daten",
        "donnees*", "categories de donnees", "type de donnees", "datos*", "categorias de datos", "tipos de datos", "dati", "dati personali", "categorie di dati",
        "dados", "gegevens", "persoonsgegevens", "categorieen gegevens", "personuppgifter", "personopplysninger", "personoplysninger", "항목", "이전 항목", "처리 항목", "データ*", "提供情報*", "数据*", "可能涉及的数据*",
    ]),
    (Field::SpecialCategories, 0.95, &["special categor*", "sensitive data", "special category data", "besondere kategorien", "sensitive personal data"]),
    (Field::DataSubjects, 0.95, &["data subject*", "categories of data subject*", "category of data subject*", "affected persons", "betroffene", "betroffene personen", "personnes concernees", "interesados", "betrokkenen"]),
    (Field::Service, 0.55, &["service description", "service details", "description", "services", "service", "product", "products used", "functionality", "details", "dienst", "leistung*", "dienstleistung*"]),
    (Field::Condition, 0.9, &["condition*", "applies to", "applies if", "applies when", "applicable to", "only if", "when used", "enabled when", "when enabled", "enabled if", "applicability", "bedingung*", "opt in", "used when", "used if"]),
    (Field::Role, 0.5, &["role", "rolle"]),
    (Field::StartDate, 0.9, &["start date", "date added", "added", "added on", "effective date", "effective from", "in use since", "since", "engaged since", "used since", "date of addition", "date engaged", "onboarded", "seit"]),
    (Field::EndDate, 0.9, &["end date", "date removed", "removed on", "until", "effective until"]),
    (Field::Affiliate, 0.9, &["affiliate", "is affiliate", "group company", "intra group"]),
    (Field::Address, 0.95, &["address*", "registered address", "postal address", "company address", "adresse*", "anschrift*", "direccion", "indirizzo", "endereco", "adres"]),
    (Field::Contact, 0.9, &["contact*", "privacy contact", "contact detail*", "contact information", "contact person", "dpo", "data protection officer", "email", "e mail", "kontakt*", "ansprechpartner*"]),
    (Field::Annotation, 0.93, &[
        "legal basis", "transfer mechanism*", "transfer basis", "safeguard*", "mechanism*", "dpa", "terms", "dpf", "sccs", "scc", "gdpr*", "certification*", "compliance",
        "note", "notes", "remarks", "comment*", "status", "privacy policy", "privacy notice", "privacy", "policy", "policies", "security", "agreement*", "data processing agreement", "retention*", "subprocessor list", "sub processor list",
        "subprocessor list url", "sub processor url", "subprocessors url", "privacy policy url", "privacy link", "dpa link", "dpa url", "link to dpa", "link to privacy policy", "terms of service",
        "terms url", "policy url", "security url", "rechtsgrundlage", "garantien", "bemerkung*", "hinweis*", "base legale", "base legal", "last updated", "updated", "version", "logo", "id", "department*", "owner", "underlying provider*", "hosting provider*", "cloud provider*", "infrastructure provider*",
        "processor role", "supervisory authority", "data volume", "duration*", "duration of processing", "adequacy", "transfer*",
        "provider type", "vendor type", "entity id", "company number", "registration number", "vendor id", "vat id", "external recipient*",
    ]),
];

/// Words that only link others.
const FILLERS: [&str; 26] = [
    "of", "the", "and", "or", "our", "for", "by", "a", "an", "their", "your", "to", "we", "s", "der", "des", "die", "und", "de", "du",
    "la", "et", "del", "y", "e", "applicable",
];

/// Words behind which a heading only says more about the word before them: "location of the processing".
const LINKS: [&str; 26] = [
    "of", "for", "in", "to", "from", "by", "with", "where", "which", "that", "used", "der", "des", "de", "du", "von", "fur", "del", "di", "van",
    "av", "af", "pour", "para", "per", "voor",
];

/// Beginnings of words that make of a place that of a company.
const CORPORATE: [&str; 10] = ["hq", "headquarter", "corporate", "incorporat", "registered", "registration", "establish", "seat", "domicil", "legal"];

/// Words with which a heading asks for yes or no.
const QUESTIONS: [&str; 12] = ["may", "does", "do", "is", "are", "can", "has", "have", "will", "should", "did", "optional"];

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
    of_words(&words, heading)
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

fn of_words(words: &[String], heading: &str) -> Vec<Guess> {
    let before_brackets = super::words(heading.split(['(', '[']).next().unwrap_or_default()).len();
    let link = words.iter().skip(1).position(|word| LINKS.contains(&word.as_str())).map(|at| at + 1);
    let head = link.unwrap_or(words.len()).min(before_brackets.max(1)).saturating_sub(1);
    let mut found: Vec<(bool, usize, Guess)> = Vec::new();
    for (field, confidence, phrases) in PHRASES {
        for phrase in *phrases {
            for (at, length) in places(words, phrase) {
                let on_head = (at..at + length).contains(&head);
                let others = words.iter().enumerate().filter(|(i, w)| !(at..at + length).contains(i) && !FILLERS.contains(&w.as_str()));
                // The whole heading is surest; a word beside the head, in a long heading, says nothing.
                let confidence = match (others.count(), on_head) {
                    (0, _) => *confidence,
                    (_, true) => confidence * 0.85,
                    (1, false) => confidence * 0.65,
                    (_, false) => continue,
                };
                let reason = format!("\"{}\" in its heading", phrase.trim_end_matches('*'));
                found.push((on_head, length, Guess { field: *field, confidence, reason }));
            }
        }
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

/// Where a phrase stands among words, and how many words it is.
fn places<'a>(words: &'a [String], phrase: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
    let parts: Vec<&str> = phrase.split(' ').collect();
    let length = parts.len();
    let fits = move |window: &[String]| {
        window.iter().zip(&parts).all(|(word, part)| match part.strip_suffix('*') {
            Some(stem) => word.starts_with(stem),
            None => word == part,
        })
    };
    words.windows(length).enumerate().filter(move |(_, window)| fits(window)).map(move |(at, _)| (at, length))
}

/// Whether the heading of a column of places says that data is there.
pub(super) fn speaks_of_data(heading: &str) -> bool {
    let data = [
        "process", "data", "host", "stor", "server", "resid", "verarbeit", "daten", "speicher", "traitement", "heberg",
        "tratamiento", "trattamento", "verwerk", "behandl",
    ];
    words(heading).iter().any(|word| data.iter().any(|stem| word.starts_with(stem)))
}

/// Whether a heading only says that places are in the column, or that they are the company's.
pub(super) fn is_bare_country(heading: &str) -> bool {
    let places = ["country", "countries", "location", "locations", "land", "pays", "pais", "paese", "region"];
    let companies = ["provider", "vendor", "supplier", "company", "subprocessor", "processor", "sub", "entity", "service", "anbieter", "of", "the", "s"];
    let words = words(heading);
    words.iter().any(|word| places.contains(&word.as_str()))
        && words.iter().all(|word| places.contains(&word.as_str()) || companies.contains(&word.as_str()))
}

/// A heading with a typing error as it was meant, if one word of it is one letter from one that headings have.
fn mended(words: &[String]) -> Option<Vec<String>> {
    let known = |word: &str| {
        let phrases = PHRASES.iter().flat_map(|(_, _, phrases)| phrases.iter()).flat_map(|phrase| phrase.split(' '));
        phrases.map(|part| part.trim_end_matches('*')).find(|part| part.len() >= 6 && strsim::osa_distance(part, word) == 1).map(ToOwned::to_owned)
    };
    let mut mended = words.to_vec();
    let at = mended.iter().position(|word| word.len() >= 6 && known(word).is_some())?;
    let word = mended.get_mut(at)?;
    *word = known(word)?;
    Some(mended)
}
