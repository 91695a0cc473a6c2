//! The words of papers: how facts are said to people.

use std::{collections::HashMap, sync::LazyLock};

use super::material::{Engagement, Judged, Material};
use crate::{
    proto::v1::{
        Address, AssessmentReason, Contact, Dpa, Location, Mechanism, Module, Organization, Regime, Retention, Role,
        Verdict, contact::Kind as ContactKind, dpa::Status as DpaStatus, location::Activity,
        retention::Kind as RetentionKind,
    },
    rules::law::{Law, covers, territory::AREAS},
};

/// The names of countries by their ISO 3166-1 alpha-2 codes.
static COUNTRIES: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| include_str!("countries.txt").lines().filter_map(|line| line.split_once(' ')).collect());

/// A country by its name, with its code: `Switzerland (CH)`.
pub fn country(code: &str) -> String {
    COUNTRIES.get(code).map_or_else(|| code.to_owned(), |name| format!("{name} ({code})"))
}

/// The code of a country by its name.
pub fn code(name: &str) -> Option<&'static str> {
    static CODES: LazyLock<HashMap<&str, &str>> =
        LazyLock::new(|| COUNTRIES.iter().map(|(code, name)| (*name, *code)).collect());
    CODES.get(name).copied()
}

/// `a, b and c`.
pub fn list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A regime as lawyers call it.
pub fn regime(regime: Regime) -> &'static str {
    match regime {
        Regime::EuGdpr => "the EU GDPR",
        Regime::UkGdpr => "the UK GDPR",
        Regime::SwissFadp => "the Swiss FADP",
        Regime::Unspecified => "a law that is not stated",
    }
}

/// A role in words; empty where the registry holds none.
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Unspecified | Role::NotStated => "",
        Role::SubProcessor => "sub-processor",
        Role::Processor => "processor",
        Role::Controller => "controller",
        Role::Both => "controller for some data and processor for other",
        Role::JointController => "joint controller",
        Role::IndependentController => "independent controller",
        Role::Recipient => "recipient, in a role that is left open",
        Role::DataSource => "source of data",
        Role::CustomerDirected => "engaged at the customer's choice",
        Role::Undetermined => "disputed, or dependent on facts that are not known",
    }
}

/// The names of products, as customers know them.
pub fn products(organization: &Organization, ids: &[String]) -> Vec<String> {
    let name = |id: &String| {
        let product = organization.products.iter().find(|one| one.product_id == *id);
        product.map(|one| one.display_name.clone()).filter(|name| !name.is_empty()).unwrap_or_else(|| id.clone())
    };
    ids.iter().map(name).collect()
}

/// An address in one line, as the source writes it if that is known.
pub fn address(address: &Address) -> String {
    if !address.verbatim.is_empty() {
        return address.verbatim.clone();
    }
    let town = [&address.postal_code, &address.locality].map(String::as_str);
    let town = town.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let mut parts = address.lines.clone();
    parts.extend([town, address.administrative_area.clone()]);
    if !address.region_code.is_empty() {
        parts.push(country(&address.region_code));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

/// A contact in one line: name, position, and how to reach it.
pub fn contact(contact: &Contact) -> String {
    let parts = [&contact.person_name, &contact.position, &contact.email, &contact.phone, &contact.uri];
    let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let text = if parts.is_empty() { contact.verbatim.clone() } else { parts.join(", ") };
    match purpose(contact.kind()) {
        "" => text,
        purpose => format!("{text} ({purpose})"),
    }
}

fn purpose(kind: ContactKind) -> &'static str {
    match kind {
        ContactKind::Unspecified => "",
        ContactKind::Privacy => "privacy",
        ContactKind::Dpo => "data protection officer",
        ContactKind::Security => "security",
        ContactKind::RepresentativeEu => "representative in the Union",
        ContactKind::RepresentativeUk => "representative in the United Kingdom",
        ContactKind::Support => "support",
        ContactKind::General => "general",
    }
}

/// The contacts of these kinds.
pub fn contacts_of(contacts: &[Contact], kinds: &[ContactKind]) -> Vec<String> {
    contacts.iter().filter(|one| kinds.contains(&one.kind())).map(contact).collect()
}

/// Whom to ask about personal data: the privacy contacts and the data protection officer, or else anybody.
pub fn contacts(contacts: &[Contact]) -> Vec<String> {
    let named = contacts_of(contacts, &[ContactKind::Privacy, ContactKind::Dpo]);
    if named.is_empty() { contacts.iter().map(contact).collect() } else { named }
}

/// A place, with what happens there and the words of the source.
pub fn location(organization: &Organization, location: &Location) -> String {
    let place = match (location.region_code.as_str(), location.area.as_str()) {
        ("", "") => location.verbatim.clone(),
        ("", area) => area.to_owned(),
        (code, "") => country(code),
        (code, area) => format!("{}, {area}", country(code)),
    };
    let activity = match location.activity() {
        Activity::Unspecified | Activity::NotStated => "",
        Activity::Storage => "storage",
        Activity::Processing => "processing",
        Activity::Access => "access",
        Activity::Support => "support",
        Activity::Corporate => "seat of the company only",
    };
    let mut said: Vec<String> = [activity.to_owned()].into_iter().filter(|text| !text.is_empty()).collect();
    if !location.verbatim.is_empty() && !place.to_lowercase().contains(&location.verbatim.to_lowercase()) {
        said.push(format!("“{}”", location.verbatim));
    }
    if !location.products.is_empty() {
        said.push(format!("for {}", products(organization, &location.products).join(", ")));
    }
    if said.is_empty() { place } else { format!("{place} ({})", said.join("; ")) }
}

/// From when until when.
pub fn duration(start_date: &str, end_date: &str) -> String {
    match (start_date, end_date) {
        ("", "") => String::new(),
        (start, "") => format!("since {start}, without a stated end"),
        ("", end) => format!("since a day that is not stated, ended on {end} (first day without)"),
        (start, end) => format!("from {start}, ended on {end} (first day without)"),
    }
}

/// How long data is kept.
pub fn retention(retention: &Retention) -> String {
    let period = retention.duration.as_str();
    let mut text = match retention.kind() {
        RetentionKind::Fixed => period.to_owned(),
        RetentionKind::RelationshipPlus if period.is_empty() => "as long as the relationship lasts".to_owned(),
        RetentionKind::RelationshipPlus => format!("as long as the relationship lasts, and {period} after it"),
        RetentionKind::AsNecessary => "as long as necessary".to_owned(),
        RetentionKind::CustomerDetermined => "as the customer decides".to_owned(),
        RetentionKind::Indefinite => "without end".to_owned(),
        RetentionKind::NotStored => "not stored".to_owned(),
        RetentionKind::NotStated | RetentionKind::Unspecified => String::new(),
    };
    if !text.is_empty() && !retention.trigger.is_empty() {
        text = format!("{text} from {}", retention.trigger);
    }
    if !text.is_empty() && !retention.exception.is_empty() {
        text = format!("{text}, except {}", retention.exception);
    }
    text
}

/// A document by its title and where it was published; anything else as it is.
pub fn document(material: &Material, text: &str) -> String {
    match material.documents.get(text) {
        Some(document) if !document.uri.is_empty() => format!("{}, {}", document.title, document.uri),
        Some(document) => document.title.clone(),
        None => text.to_owned(),
    }
}

/// How the agreement with a sub-processor stands.
pub fn dpa(material: &Material, dpa: &Dpa) -> String {
    let state = match dpa.status() {
        DpaStatus::Unspecified | DpaStatus::NotChecked => "not checked",
        DpaStatus::ActionRequired => "not in force: something has to be done first",
        DpaStatus::IncorporatedByReference => "part of terms that were accepted",
        DpaStatus::Signed => "signed",
        DpaStatus::Expired => "expired",
        DpaStatus::Terminated => "terminated",
    };
    let mut text = state.to_owned();
    if !dpa.sign_date.is_empty() {
        text = format!("{text}, {}", dpa.sign_date);
    }
    if !dpa.expire_date.is_empty() {
        text = format!("{text}, until before {}", dpa.expire_date);
    }
    if dpa.document.is_empty() { text } else { format!("{text} ({})", document(material, &dpa.document)) }
}

/// An instrument by its title and citation.
pub fn instrument(law: &Law, name: &str) -> String {
    let Some(known) = law.instrument(name) else { return name.to_owned() };
    // What comes before the Official Journal's page often opens the title already.
    let act = known.citation.split(" (OJ").next().unwrap_or_default();
    match known.citation.as_str() {
        _ if known.title.contains(act) => known.title.clone(),
        citation => format!("{} ({citation})", known.title),
    }
}

/// A mechanism with its papers: the instrument, the module, when it was signed, and where the papers are.
pub fn mechanism(material: &Material, name: &str, relied_on: Option<&Mechanism>) -> String {
    let mut parts = vec![instrument(&material.law, name)];
    let Some(relied_on) = relied_on else { return parts.remove(0) };
    let module = match relied_on.module() {
        Module::Unspecified => "",
        Module::One => "module one",
        Module::Two => "module two",
        Module::Three => "module three",
        Module::Four => "module four",
    };
    parts.extend(Some(module).filter(|text| !text.is_empty()).map(str::to_owned));
    parts.extend(Some(&relied_on.sign_date).filter(|date| !date.is_empty()).map(|date| format!("signed {date}")));
    let papers = Some(&relied_on.document).filter(|paper| !paper.is_empty());
    parts.extend(papers.map(|paper| format!("papers: {}", document(material, paper))));
    parts.join(", ")
}

/// The countries that a transfer goes to; the words of the source where no country was read.
pub fn destinations(judged: &Judged) -> Vec<String> {
    let codes = judged.transfer.destination_region_codes.iter().filter(|code| !AREAS.contains(&code.as_str()));
    let countries: Vec<String> = codes.map(|code| country(code)).collect();
    match &judged.answer.derived_from {
        Some(from) if countries.is_empty() && !from.verbatim.is_empty() => vec![format!("“{}”", from.verbatim)],
        _ => countries,
    }
}

/// The same within a sentence; none if no destination is stated.
pub fn there(judged: &Judged) -> Option<String> {
    let article = |name: String| {
        let wanted = name.starts_with("United ")
            || name.contains("Republic")
            || name.contains("Islands")
            || ["Netherlands", "Philippines", "Bahamas", "Gambia", "Maldives", "Comoros", "Seychelles"]
                .iter()
                .any(|one| name.starts_with(one));
        if wanted { format!("the {name}") } else { name }
    };
    let names: Vec<String> = destinations(judged).into_iter().map(article).collect();
    (!names.is_empty()).then(|| list(&names))
}

/// Whether it is known under which laws an organization exports.
pub fn has_regimes(organization: &Organization) -> bool {
    !organization.regimes.is_empty() || !organization.assumed_regimes.is_empty()
}

/// What is said where no transfer is known: no more than can be.
pub fn no_transfer(material: &Material) -> String {
    let placed = |one: &&Engagement| !one.subprocessor.locations.is_empty();
    let (all, known) = (material.engagements.len(), material.engagements.iter().filter(placed).count());
    let none = "No transfer to a third country is recorded for that day";
    match (has_regimes(&material.organization), known) {
        (false, _) => format!("{none}. Whether there is one is not stated."),
        (true, 0) if all > 0 => {
            format!("{none}. Whether there is one cannot be said: where recipients process is not stated.")
        }
        (true, known) if known < all => {
            format!(
                "{none}, and none follows from where recipients process as far as that is stated; for some it is not."
            )
        }
        _ => format!("{none}, and none follows from where recipients process."),
    }
}

/// A verdict in words.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotRestricted => "not a restricted transfer",
        Verdict::Valid => "covered",
        Verdict::MissingTia => "covered, but the transfer impact assessment that it requires is missing",
        Verdict::DerogationOnly => "NOT COVERED: a derogation is no basis for regular transfers",
        Verdict::Indeterminate | Verdict::Unspecified => "CANNOT BE DETERMINED",
        Verdict::ModuleMismatch => "NOT COVERED: the module of the clauses does not fit the roles",
        Verdict::OutOfScope => "NOT COVERED: the instrument does not reach this transfer",
        Verdict::UnsupportedClaim => "NOT COVERED: participation or papers are missing",
        Verdict::NotYetInForce => "NOT COVERED: not yet in force",
        Verdict::Expired => "NOT COVERED: expired",
        Verdict::Invalidated => "NOT COVERED: invalidated",
        Verdict::NoMechanism => "NOT COVERED: there is no mechanism",
    }
}

/// What carries a transfer on the day: each mechanism that does, with its papers.
pub fn carriers(material: &Material, judged: &Judged) -> Vec<String> {
    let carrying = judged
        .answer
        .mechanism_assessments
        .iter()
        .filter(|one| covers(one.verdict()) || one.verdict() == judged.answer.verdict());
    carrying
        .map(|one| {
            let relied_on = judged.transfer.mechanisms.iter().find(|other| other.instrument == one.instrument);
            mechanism(material, &one.instrument, relied_on)
        })
        .collect()
}

/// Why the answer is what it is.
pub fn why(judged: &Judged) -> Vec<String> {
    let answer = &judged.answer;
    let deciding = answer.mechanism_assessments.iter().filter(|one| one.verdict == answer.verdict);
    let mut why: Vec<String> = answer.reasons.iter().chain(deciding.flat_map(|one| &one.reasons)).map(reason).collect();
    why.dedup();
    why
}

fn reason(reason: &AssessmentReason) -> String {
    match reason.citation.as_str() {
        "" => reason.text.clone(),
        citation => format!("{} ({citation})", reason.text),
    }
}

/// A transfer in one sentence: to where, under which law, how it stands, what it rests on and why.
pub fn transfer(material: &Material, judged: &Judged) -> String {
    let to = there(judged).unwrap_or_else(|| "a destination that is not stated".to_owned());
    let assumed = if judged.transfer.assumed { " (assumed)" } else { "" };
    let mut text =
        format!("To {to}, under {}{assumed}: {}", regime(judged.transfer.regime()), verdict(judged.answer.verdict()));
    let carriers = carriers(material, judged);
    if !carriers.is_empty() {
        let word = if covers(judged.answer.verdict()) { "by" } else { "though it is to rest on" };
        text = format!("{text}, {word} {}", list(&carriers));
    }
    if !covers(judged.answer.verdict()) {
        let why = why(judged);
        if !why.is_empty() {
            text = format!("{text}: {}", why.join("; "));
        }
    }
    match judged.answer.valid_until_date.as_str() {
        day if covers(judged.answer.verdict()) && !day.is_empty() => format!("{text}. This changes on {day}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_have_names() {
        assert_eq!(COUNTRIES.len(), 249);
        assert_eq!(country("US"), "United States (US)");
        assert_eq!(country("ZZ"), "ZZ");
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
