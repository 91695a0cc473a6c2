//! The Atom feed (RFC 4287) of an organization's list: what it announced, and how the list has changed.

use askama::Template;
use atom_syndication::{Category, Content, Entry, Feed, Generator, Link, Person, Text};
use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    history::all_steps,
    reply::{Page, refusal},
    site::{Asked, Site, known},
    view::{When, stands},
};
use crate::{
    error::{Error, Result},
    proto::v1::{Notice, NoticeChange, notice::State as NoticeState},
    rules::{
        notice::instant,
        publication::{
            Known, Links, Upcoming,
            history::Step,
            upcoming::{announced, is_public},
        },
    },
};

/// Entries of a feed.
const MOST: usize = 50;

const MEDIA_TYPE: &str = "application/atom+xml; charset=utf-8";

pub(super) async fn get(
    State(site): State<Site>,
    Path(organization): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let page = page(&site, &organization, query.as_deref(), &headers);
    page.await.map_or_else(|error: Error| refusal("feed.atom", &error), IntoResponse::into_response)
}

async fn page(site: &Site, organization: &str, query: Option<&str>, headers: &HeaderMap) -> Result<Page> {
    let wanted = site.wanted(organization, &Asked::of_file(query, &[])?).await?;
    let material = site.api.store().announcements(&wanted).await?;
    let tag = site.tag("feed", &wanted, None)?;
    if known(headers, &tag) {
        return Ok(Page::new(MEDIA_TYPE, tag, None::<String>));
    }
    let context = material.known();
    let links = context.links();
    let mut dated: Vec<(Timestamp, Entry)> = Vec::new();
    for notice in material.notices.iter().filter(|one| is_public(one)) {
        dated.extend(of_notice(&context, &links, notice)?);
    }
    let organization = &material.organization;
    let (steps, _) = all_steps(site, &wanted, organization.clone()).await?;
    for step in steps.iter().take(MOST) {
        dated.push((step.at, of_step(&links, &organization.uid, step)?));
    }
    // The newest first; what happened at once in the order of ids, the same each time.
    dated.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.id.cmp(&other.id)));
    dated.truncate(MOST);
    let created = instant(organization.create_time.as_ref()).unwrap_or_default();
    let updated = dated.first().map_or(created, |(at, _)| *at);
    let name = &organization.display_name;
    let feed = Feed {
        title: Text::plain(format!("Sub-processors of {name}")),
        subtitle: Some(Text::plain("What is announced, and how the list has changed")),
        id: format!("urn:uuid:{}", organization.uid),
        updated: stamp(updated)?,
        authors: vec![Person { name: name.clone(), ..Person::default() }],
        links: vec![link("self", &links.feed, "application/atom+xml"), link("alternate", &links.page, "text/html")],
        generator: Some(Generator {
            value: env!("CARGO_PKG_NAME").to_owned(),
            uri: None,
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
        lang: Some("en".to_owned()),
        entries: dated.into_iter().map(|(_, entry)| entry).collect(),
        ..Feed::default()
    };
    // Two characters that our texts may have are none in XML.
    let content = feed.to_string().replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    Ok(Page { modified: Some(updated), ..Page::new(MEDIA_TYPE, tag, Some(content)) })
}

/// What the entry of a notice says.
#[derive(Template)]
#[template(path = "page/feed_notice.html")]
struct OfNotice<'a> {
    body: &'a str,
    changes: &'a [Upcoming],
    planned: Option<When>,
    state: String,
}

/// A notice; nothing if it is about nothing public.
fn of_notice(known: &Known<'_>, links: &Links, notice: &Notice) -> Result<Option<(Timestamp, Entry)>> {
    let changes = notice.changes.iter().filter_map(|one| Some((one, announced(known, notice, one)?)));
    let (shown, changes): (Vec<&NoticeChange>, Vec<Upcoming>) = changes.unzip();
    let Some(published) = instant(notice.publish_time.as_ref()).filter(|_| !changes.is_empty()) else {
        return Ok(None);
    };
    let times = notice.changes.iter().flat_map(|one| [one.effective_time, one.withdraw_time]);
    let times = times.chain([notice.effective_time, notice.withdraw_time]);
    let updated = times.filter_map(|time| instant(time.as_ref())).max().map_or(published, |last| last.max(published));
    let word = match notice.state() {
        NoticeState::Effective => "effective",
        NoticeState::Withdrawn => "withdrawn",
        _ => "announced",
    };
    let told = OfNotice {
        body: &notice.body,
        changes: &changes,
        planned: instant(notice.requested_effective_time.as_ref()).filter(|_| word == "announced").map(When::at),
        state: stands(notice, &shown),
    };
    let at = links.notice(notice.name.rsplit('/').next().unwrap_or_default());
    let entry = Entry {
        title: Text::plain(notice.title.clone()),
        id: format!("urn:uuid:{}", notice.uid),
        updated: stamp(updated)?,
        published: Some(stamp(published)?),
        links: vec![link("alternate", &at, "text/html")],
        categories: vec![category(word)],
        content: Some(html(&told)?),
        ..Entry::default()
    };
    Ok(Some((updated, entry)))
}

/// What the entry of a day says.
#[derive(Template)]
#[template(path = "page/feed_step.html")]
struct OfStep<'a> {
    step: &'a Step,
}

fn of_step(links: &Links, organization: &str, step: &Step) -> Result<Entry> {
    let day = When::day(&step.date).map_or_else(|| step.date.clone(), |when| when.said);
    Ok(Entry {
        title: Text::plain(format!("The list on {day}: {}", step.summary())),
        id: of_day(organization, &step.date),
        updated: stamp(step.at)?,
        links: vec![link("alternate", &format!("{}#d{}", links.history, step.date), "text/html")],
        categories: vec![category("list")],
        content: Some(html(&OfStep { step })?),
        ..Entry::default()
    })
}

/// The id of a day of an organization, which has no resource of its own: a UUID (version 8) made of both.
fn of_day(organization: &str, date: &str) -> String {
    let hash: [u8; 32] = Sha256::digest(format!("{organization}/list/{date}")).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    format!("urn:uuid:{}", uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

fn html(template: &impl Template) -> Result<Content> {
    let value = template.render().map_err(Error::internal)?;
    Ok(Content { value: Some(value), content_type: Some("html".to_owned()), ..Content::default() })
}

fn category(term: &str) -> Category {
    Category { term: term.to_owned(), ..Category::default() }
}

fn link(rel: &str, href: &str, mime_type: &str) -> Link {
    let (rel, href, mime_type) = (rel.to_owned(), href.to_owned(), Some(mime_type.to_owned()));
    Link { rel, href, mime_type, ..Link::default() }
}

/// An instant as the feed has it.
fn stamp(at: Timestamp) -> Result<atom_syndication::FixedDateTime> {
    at.strftime("%FT%TZ").to_string().parse().map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_id_for_ever() {
        let id = of_day("018f2a5e-0000-7000-8000-000000000001", "2026-03-01");
        assert_eq!(id, of_day("018f2a5e-0000-7000-8000-000000000001", "2026-03-01"));
        assert_ne!(id, of_day("018f2a5e-0000-7000-8000-000000000002", "2026-03-01"));
        assert_eq!(uuid::Uuid::parse_str(&id["urn:uuid:".len()..]).expect("a UUID").get_version_num(), 8);
    }
}
