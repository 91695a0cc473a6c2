//! One notice, for people: the address that is kept, whatever becomes of the change.

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use super::{
    reply::{HTML, Page},
    site::{Asked, Site, known},
    view::{Card, Frame, When, is_held, stands},
};
use crate::{
    error::{Error, Result},
    proto::v1::{Notice, NoticeChange, notice::State as NoticeState},
    resource::name::{Kind, Name},
    rules::{
        notice::instant,
        publication::{
            Links, Upcoming,
            upcoming::{announced, is_public},
        },
    },
};

#[derive(Template)]
#[template(path = "page/notice.html")]
struct Announcement<'a> {
    frame: Frame,
    name: &'a str,
    heading: &'a str,
    body: &'a str,
    links: &'a Links,
    state: String,
    /// Why it could not wait, why it was withdrawn.
    reasons: Vec<(&'static str, &'a str)>,
    cards: Vec<Card>,
    revision: i64,
}

pub(super) async fn get(
    State(site): State<Site>,
    Path((organization, notice)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    match page(&site, &organization, &notice, query.as_deref(), &headers).await {
        Ok(page) => page.into_response(),
        Err(error) => site.refusal(&organization, &error).await,
    }
}

async fn page(site: &Site, id: &str, notice: &str, query: Option<&str>, headers: &HeaderMap) -> Result<Page> {
    let asked = Asked::of_page(query, &["as_of"])?;
    let wanted = site.wanted(id, &asked).await?;
    let name = format!("{}/notices/{notice}", wanted.parent);
    let not_found = || Error::not_found(Kind::Notice.singular(), &name);
    let name = Name::of(Kind::Notice, "notice", &name).map_err(|_| not_found())?;
    let tag = site.tag(name.as_str(), &wanted, query)?;
    let material = site.api.store().announcement(&wanted, &name).await?;
    let notice = material.notices.first().filter(|one| is_public(one)).ok_or_else(not_found)?;
    let open = matches!(notice.state(), NoticeState::Published | NoticeState::Held);
    let context = material.known();
    let changes = notice.changes.iter().filter_map(|change| Some((change, announced(&context, notice, change)?)));
    let changes: Vec<(&NoticeChange, Upcoming)> = changes.collect();
    let shown: Vec<&NoticeChange> = changes.iter().map(|(change, _)| *change).collect();
    let cards = changes.iter().map(|(change, told)| {
        let mut card = Card::new(told, String::new());
        let over = [("Took effect", change.effective_time), ("Withdrawn", change.withdraw_time)];
        let over = over.iter().filter_map(|(label, time)| Some((*label, When::at(instant(time.as_ref())?))));
        let over: Vec<_> = over.collect();
        if !over.is_empty() || !open {
            // What is over cannot be objected to, and what was planned is of no more interest.
            card.objection = None;
            card.dates.truncate(1);
        }
        card.dates.extend(over);
        if is_held(change) {
            card.note = "It does not apply to every customer yet.";
        }
        card
    });
    let cards: Vec<Card> = cards.collect();
    if cards.is_empty() {
        // It is about nothing that is public.
        return Err(not_found());
    }
    if known(headers, &tag) {
        return Ok(Page::new(HTML, tag, None::<String>));
    }
    let of = site.of(&material.organization);
    let announcement = Announcement {
        frame: site.frame(&of, "notice"),
        name: &of.name,
        heading: &notice.title,
        body: &notice.body,
        links: &of.links,
        state: stands(notice, &shown),
        reasons: reasons(notice),
        cards,
        revision: wanted.revision,
    };
    let modified = instant(notice.update_time.as_ref());
    Ok(Page { modified, ..Page::new(HTML, tag, Some(announcement.render().map_err(Error::internal)?)) })
}

/// What customers were told of why.
fn reasons(notice: &Notice) -> Vec<(&'static str, &str)> {
    let emergency = notice.emergency.as_ref().map_or("", |one| one.reason.as_str());
    let all = [("It could not wait for the usual period", emergency), ("Withdrawn", notice.withdraw_reason.as_str())];
    all.into_iter().filter(|(_, reason)| !reason.is_empty()).collect()
}
