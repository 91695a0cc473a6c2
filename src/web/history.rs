//! How the list of an organization has changed, for people.

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use super::{
    reply::{HTML, Page},
    site::{Asked, Site, known},
    view::{Frame, When},
};
use crate::{
    error::{Error, Result},
    proto::v1::Organization,
    rules::publication::{
        Known, Links,
        history::{Step, steps},
    },
    store::publication::Wanted,
};

/// Days on a page.
const ON_A_PAGE: usize = 20;

#[derive(Template)]
#[template(path = "page/history.html")]
struct History<'a> {
    frame: Frame,
    title: &'a str,
    name: &'a str,
    links: &'a Links,
    steps: Vec<Shown>,
    page: usize,
    more: bool,
    /// There was more than was looked at.
    cut: bool,
    revision: i64,
}

struct Shown {
    day: When,
    step: Step,
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
    let asked = Asked::of_page(query, &["page", "as_of"])?;
    let wanted = site.wanted(organization, &asked).await?;
    let organization: Organization = site.api.store().existing(&wanted.parent, wanted.revision).await?;
    let tag = site.tag("history", &wanted, query)?;
    if known(headers, &tag) {
        return Ok(Page::new(HTML, tag, None::<String>));
    }
    let of = site.of(&organization);
    let (mut steps, cut) = all_steps(site, &wanted, organization).await?;
    let page = asked.page();
    let modified = steps.first().map(|step| step.at);
    steps.drain(..steps.len().min(ON_A_PAGE.saturating_mul(page - 1)));
    let more = steps.len() > ON_A_PAGE;
    steps.truncate(ON_A_PAGE);
    let steps = steps.into_iter().filter_map(|step| Some(Shown { day: When::day(&step.date)?, step }));
    let history = History {
        frame: site.frame(&of, "history"),
        title: &of.title,
        name: &of.name,
        links: &of.links,
        steps: steps.collect(),
        page,
        more,
        cut,
        revision: wanted.revision,
    };
    Ok(Page { modified, ..Page::new(HTML, tag, Some(history.render().map_err(Error::internal)?)) })
}

/// Every day up to now on which the list changed, the newest first, and whether there was more than was looked at.
pub(super) async fn all_steps(site: &Site, wanted: &Wanted, organization: Organization) -> Result<(Vec<Step>, bool)> {
    let store = site.api.store();
    let (versions, vendors, cut) = store.public_versions(wanted).await?;
    let law = store.law(wanted.revision).await?;
    let (now, base) = (store.clock().now(), site.base.clone());
    let made = tokio::task::spawn_blocking(move || {
        let (subprocessors, transfers) = (Default::default(), Default::default());
        let known = Known {
            base: &base,
            organization: &organization,
            subprocessors: &subprocessors,
            vendors: &vendors,
            transfers: &transfers,
            law: &law,
        };
        steps(&known, &versions, now)
    });
    Ok((made.await.map_err(Error::internal)?, cut))
}
