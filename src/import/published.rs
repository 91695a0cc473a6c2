//! The list that registries publish ([`crate::rules::publication`]), for programs or as a table: read field by field,
//! with nothing to guess. It comes from somebody else all the same, so every text is taken as a page's would be, and the
//! manifest that is made of it has to pass every rule.

mod table;

use serde_json::Value as Json;

use super::{
    List, MAX_ROWS, Refusal,
    draft::{Draft, MAX_QUOTE, to_line},
    page::Page,
    report::{PartReport, Report},
    text,
};
use crate::{
    import::PartKind,
    proto::v1::{Location, Role, Source, Subprocessor, location::Activity, subprocessor::State},
    resource::name::is_id,
    rules::publication::{Document, Entry, Named, Place, Publication},
};

/// Reads the list; none if the text is something else.
///
/// # Errors
/// Why it cannot be read although it says that it is one.
pub(super) fn read(text: &str, report: &mut Report) -> Option<Result<List, Refusal>> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let value: Json = serde_json::from_str(text).ok()?;
    let version = value.get("schema_version")?.as_str()?.to_owned();
    let is_one = value.get("subprocessors").is_some() && value.get("organization").is_some();
    if !is_one && value.get("lists").is_none() {
        return None;
    }
    if !version.starts_with("1.") {
        return Some(Err(Refusal::new(format!(
            "the list is of version {version} of its format; version 1 can be read"
        ))));
    }
    let publication = match serde_json::from_value(value) {
        Ok(Document::List(publication)) => publication,
        Ok(Document::Index(index)) => {
            let lists: Vec<String> = index.lists.iter().take(20).map(|one| text::clip(&one.links.json, 200)).collect();
            return Some(Err(Refusal::new(format!(
                "this is an index of lists; import one of them: {}",
                lists.join(", ")
            ))));
        }
        // What is of this form but not to the letter is read as any data is.
        Err(_) => return None,
    };
    Some(Ok(list(publication, report)))
}

/// Reads the list of a page that is a registry's, written as a table; none if it is anybody else's.
pub(super) fn table(page: &Page, report: &mut Report) -> Option<Result<List, Refusal>> {
    let (publication, lines) = table::read(page)?;
    let rows = lines.len();
    if rows > MAX_ROWS {
        return Some(Err(Refusal::new(format!(
            "the list has {rows} rows; a manifest holds at most {MAX_ROWS} entries"
        ))));
    }
    let mut list = list(publication, report);
    for (draft, line) in list.drafts.iter_mut().zip(lines) {
        draft.line = line;
        draft.message.sources.iter_mut().for_each(|source| source.line = to_line(line));
    }
    Some(Ok(list))
}

fn list(publication: Publication, report: &mut Report) -> List {
    let Publication { organization, date, subprocessors, upcoming, .. } = publication;
    if !date.is_empty() {
        report.stated_date = crate::resource::text::date(&date).is_ok().then(|| date.clone());
        report.stated_date_text = Some(text::clip(&date, 100));
    }
    if !organization.name.is_empty() {
        report.title = Some(format!("Sub-processors of {}", text::clip(&organization.name, 200)));
    }
    report.rows_in = subprocessors.len();
    report.parts.push(PartReport {
        kind: PartKind::List,
        line: 1,
        section: None,
        rows: subprocessors.len(),
        reason: "it is a list as a registry publishes it".to_owned(),
        place: None,
        columns: Vec::new(),
    });
    if !upcoming.is_empty() {
        report.note(0, format!("{} announced changes are not taken over: they have not taken effect", upcoming.len()));
    }
    if subprocessors.iter().any(|one| !one.mechanisms.is_empty()) {
        report
            .note(0, "what transfers rest on is not taken over: a list proves no papers; record transfers with theirs");
    }
    let drafts = subprocessors.into_iter().map(draft).collect();
    List { drafts, report: report.clone(), organization: None, publisher: Some(organization) }
}

fn draft(entry: Entry) -> Draft {
    let stated = entry.entity.as_ref().filter(|entity| !entity.inferred);
    let vendor = entry.vendor.as_ref().map(|one| one.name.clone());
    let bare = stated.map(|entity| entity.legal_name.clone()).or(vendor).filter(|name| !name.trim().is_empty());
    let is_unstated = bare.is_none();
    let bare = bare.unwrap_or_else(|| entry.name.clone());
    let address = stated.map(|entity| entity.address.clone()).filter(|address| !address.is_empty());
    let corporate = stated.map(|entity| entity.region_code.clone()).filter(|code| !code.is_empty());
    let source =
        Source { quote: text::clip(&entry.name, MAX_QUOTE).trim_end_matches('…').to_owned(), ..Source::default() };
    let state = if entry.suspended { State::Suspended } else { State::Active };
    let message = Subprocessor {
        // Its id; the organization comes before it later.
        name: if is_id(&entry.id) { entry.id } else { String::new() },
        display_name: entry.name,
        website_uri: entry.website_uri,
        role: Role::from_str_name(&format!("ROLE_{}", entry.role)).unwrap_or_default().into(),
        affiliate: entry.affiliate,
        state: state.into(),
        recorded_as_found: true,
        purposes: entry.purposes,
        service_description: entry.service_description,
        products: ids(entry.products),
        section: entry.section,
        condition: entry.condition,
        data_categories: entry.data_categories,
        special_categories: entry.special_categories,
        data_subject_categories: entry.data_subject_categories,
        locations: entry.locations.into_iter().map(place).collect(),
        engaged_by: entry.engaged_by.map(|one| one.id).filter(|id| is_id(id)).unwrap_or_default(),
        start_date: entry.start_date,
        end_date: entry.end_date,
        listed: true,
        sources: vec![source],
        ..Subprocessor::default()
    };
    Draft::whole(message, text::clip(&bare, 500), is_unstated, address, corporate)
}

fn ids(products: Vec<Named>) -> Vec<String> {
    products.into_iter().map(|one| one.id).collect()
}

fn place(place: Place) -> Location {
    Location {
        region_code: place.region_code,
        area: place.area,
        activity: Activity::from_str_name(&format!("ACTIVITY_{}", place.activity)).unwrap_or_default().into(),
        products: ids(place.products),
        verbatim: place.verbatim,
    }
}
