//! The list of an organization, for people.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use super::{
    reply::{HTML, Page},
    site::{Asked, Published, Site, known},
    view::{Card, Frame, Row, When},
};
use crate::{
    error::{Error, Result},
    proto::v1::{Organization, PublicPage},
    rules::publication::{
        Links, Objection, Publication,
        select::{Options, Selection},
    },
};

/// What the form offers.
const OFFERED: [&str; 7] = ["q", "product", "location", "purpose", "mechanism", "date", "as_of"];

#[derive(Template)]
#[template(path = "page/list.html")]
struct List<'a> {
    frame: Frame,
    title: &'a str,
    page: &'a PublicPage,
    links: &'a Links,
    publication: &'a Publication,
    /// What is said where it is not the list of now.
    special: String,
    cards: Vec<Card>,
    /// How to object to any of them, if that is the same.
    shared: Option<Objection>,
    selection: &'a Selection,
    is_selected: bool,
    choices: Vec<Choice>,
    asked: Points,
    as_of_is_day: bool,
    count: String,
    rows: Vec<Row<'a>>,
    day: String,
    /// The query that gives other forms of the same list.
    dated: String,
    changed: Option<When>,
}

/// The points in time that were asked for, as they were written.
struct Points {
    date: String,
    as_of: String,
}

/// A field of the form with values to choose from.
struct Choice {
    key: &'static str,
    label: &'static str,
    all: &'static str,
    options: Vec<(String, String)>,
    chosen: String,
}

impl Choice {
    /// Whether a value is the one that was asked for.
    fn is(&self, value: &str) -> bool {
        self.chosen == value
    }
}

pub(super) async fn get(
    State(site): State<Site>,
    Path(organization): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    match page(&site, &organization, query.as_deref(), &headers).await {
        Ok(page) => page.into_response(),
        Err(error) => site.refusal(&organization, &error).await,
    }
}

async fn page(site: &Site, organization: &str, query: Option<&str>, headers: &HeaderMap) -> Result<Page> {
    let asked = Asked::of_page(query, &OFFERED)?;
    let wanted = site.wanted(organization, &asked).await?;
    let tag = site.tag("list", &wanted, query)?;
    if known(headers, &tag) {
        // It could have been deleted since.
        site.api.store().existing::<Organization>(&wanted.parent, wanted.revision).await?;
        return Ok(Page::new(HTML, tag, None::<String>));
    }
    let published = site.published(&wanted).await?;
    let modified = published.changed;
    let site = site.clone();
    let written = tokio::task::spawn_blocking(move || write(&site, &published, &asked));
    let content = written.await.map_err(Error::internal)??;
    Ok(Page { modified, ..Page::new(HTML, tag, Some(content)) })
}

fn write(site: &Site, published: &Arc<Published>, asked: &Asked) -> Result<String> {
    let Published { publication, page, of, changed } = &**published;
    let selection = Selection {
        words: asked.get("q").to_owned(),
        product: asked.get("product").to_owned(),
        location: asked.get("location").to_owned(),
        purpose: asked.get("purpose").to_owned(),
        mechanism: asked.get("mechanism").to_owned(),
    };
    let all = publication.subprocessors.len();
    let rows: Vec<Row<'_>> = publication.subprocessors.iter().filter(|one| selection.has(one)).map(Row::new).collect();
    let day = When::day(&publication.date).map_or_else(|| publication.date.clone(), |when| when.said);
    let (date, as_of) = (asked.get("date").to_owned(), asked.get("as_of").to_owned());
    let points = [("date", &date), ("as_of", &as_of)].into_iter().filter(|(_, value)| !value.is_empty());
    let mut dated = url::form_urlencoded::Serializer::new(String::new());
    dated.extend_pairs(points);
    let dated = dated.finish();
    let mut cards: Vec<Card> =
        publication.upcoming.iter().map(|one| Card::new(one, of.links.notice(&one.notice))).collect();
    let shared = shared(&mut cards);
    let list = List {
        frame: site.frame(of, "list"),
        title: &of.title,
        page,
        links: &of.links,
        publication,
        special: special(&date, &as_of, &day, publication.revision),
        cards,
        shared,
        is_selected: !selection.is_empty() || !dated.is_empty(),
        choices: choices(&publication.subprocessors, &selection),
        selection: &selection,
        as_of_is_day: as_of.is_empty() || When::day(&as_of).is_some(),
        asked: Points { date, as_of },
        count: count(rows.len(), all, selection.is_empty()),
        rows,
        day,
        dated: if dated.is_empty() { dated } else { format!("?{dated}") },
        changed: changed.map(When::at),
    };
    list.render().map_err(Error::internal)
}

/// How to object to several changes, said once if it is the same for each that can be objected to.
fn shared(cards: &mut [Card]) -> Option<Objection> {
    let first = cards.iter().find_map(|one| one.objection.clone())?;
    let same = cards.iter().filter_map(|one| one.objection.as_ref()).all(|one| *one == first);
    if !same {
        return None;
    }
    cards.iter_mut().for_each(|one| one.objection = None);
    Some(first)
}

/// What is said where it is not the list of now.
fn special(date: &str, as_of: &str, day: &str, revision: i64) -> String {
    match (date, as_of) {
        ("", "") => String::new(),
        (_, "") => format!("This is the list that was in effect on {day}, as far as is known today."),
        ("", _) => format!("This is the list as it stood then, on {day} (revision {revision})."),
        (_, _) => format!("This is the list for {day} as it was known at another time (revision {revision})."),
    }
}

fn count(shown: usize, all: usize, everything: bool) -> String {
    let plural = |number: usize| if number == 1 { "sub-processor" } else { "sub-processors" };
    match (shown, all) {
        (_, 0) => "Nobody is on the list.".to_owned(),
        (0, all) => format!("None of the {all} {} on the list matches.", plural(all)),
        (_, all) if everything => format!("{all} {}", plural(all)),
        (shown, all) => format!("{shown} of {all} {}", plural(all)),
    }
}

/// The fields to choose from; those that leave no choice are left out.
fn choices(entries: &[crate::rules::publication::Entry], selection: &Selection) -> Vec<Choice> {
    let Options { products, locations, purposes, mechanisms } = Options::of(entries);
    let choice = |key, label, all, options: Vec<(String, String)>, chosen: &String| {
        let mut options = options;
        // What was asked for can be seen, whether anything has it or not.
        if !chosen.is_empty() && !options.iter().any(|(value, _)| value == chosen) {
            options.push((chosen.clone(), chosen.clone()));
        }
        Choice { key, label, all, options, chosen: chosen.clone() }
    };
    let all = vec![
        choice("product", "Product", "All products", products, &selection.product),
        choice("purpose", "Purpose", "All purposes", purposes, &selection.purpose),
        choice("location", "Location", "All locations", locations, &selection.location),
        choice("mechanism", "Transfers rest on", "Anything", mechanisms, &selection.mechanism),
    ];
    all.into_iter().filter(|one| !one.options.is_empty()).collect()
}
