//! The timeline of an organization's transfers, as a picture.

use std::collections::HashMap;

use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use super::{
    reply::{Page, SVG, has, refusal, tag},
    site::Site,
};
use crate::{
    api::Api,
    error::{Error, Reason, Result, clip},
    proto::v1::{AsOf, AssessTransfersRequest, Organization, Subprocessor, Transfer, TransferAssessment, as_of::Point},
    resource::{
        name::{Kind, Name},
        shape::Violations,
        text,
    },
    rules::timeline::{Known, Timeline, range, rows, svg},
    store::{read, version::day},
};

/// Answers that are asked for at once, and read at most.
const PAGE: i32 = 200;
const MOST_READ: usize = 5_000;

/// What is asked for.
#[derive(Debug, Default)]
struct Asked {
    from: String,
    to: String,
    as_of: Option<AsOf>,
}

/// The picture, or why there is none.
pub(super) async fn get(
    State(site): State<Site>,
    Path(organization): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let page = async {
        let asked = asked(query.as_deref().unwrap_or_default())?;
        picture(&site.api, &organization, asked, &headers).await
    };
    page.await.map_or_else(|error: Error| refusal("timeline.svg", &error), IntoResponse::into_response)
}

/// What the query says.
///
/// # Errors
/// FIELD_INVALID with everything in it that cannot be understood.
fn asked(query: &str) -> Result<Asked> {
    let mut asked = Asked::default();
    let mut wrong = Violations::new();
    let mut seen: Vec<String> = Vec::new();
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let rule = match &*key {
            _ if seen.iter().any(|one| *one == key) => Some("is given twice".to_owned()),
            "from" | "to" => text::date(&value).err(),
            "as_of" => match text::point(&value) {
                Ok(point) => {
                    asked.as_of = Some(AsOf { point: Some(point) });
                    None
                }
                Err(rule) => Some(rule),
            },
            _ => Some("is not offered here; there are from, to and as_of".to_owned()),
        };
        match (&*key, rule) {
            (_, Some(rule)) => wrong.push((clip(&key).into_owned(), rule)),
            ("from", None) => asked.from = value.into_owned(),
            ("to", None) => asked.to = value.into_owned(),
            _ => {}
        }
        seen.push(key.into_owned());
    }
    if wrong.is_empty() { Ok(asked) } else { Err(Error::fields(Reason::FieldInvalid, wrong)) }
}

async fn picture(api: &Api, id: &str, asked: Asked, headers: &HeaderMap) -> Result<Page> {
    let store = api.store();
    let parent = format!("organizations/{id}");
    let name = Name::of(Kind::Organization, "organization", &parent)
        .map_err(|_| Error::not_found(Kind::Organization.singular(), &parent))?;
    let at = match asked.as_of.as_ref().and_then(|as_of| as_of.point.as_ref()) {
        None => None,
        Some(Point::Revision(number)) => Some(read::AsOf::Revision(*number)),
        Some(Point::Time(time)) => {
            let instant = text::instant(time.seconds, time.nanos).map_err(|rule| Error::field("as_of", rule))?;
            Some(read::AsOf::Time(instant))
        }
    };
    let revision = store.revision_at(at).await?;
    let organization: Organization = store.get(&name, Some(read::AsOf::Revision(revision))).await?;
    let today = day(store.clock().now());
    let (from_date, to_date) = range(&today, &asked.from, &asked.to);
    let tag = tag(&[&parent, &from_date, &to_date, &today, &revision.to_string()])?;
    if has(headers, &tag) {
        return Ok(Page::new(SVG, tag, None::<String>));
    }
    let (answers, more) = answers(api, &parent, &from_date, &to_date, revision).await?;
    let known = known(api, &organization, &answers, revision).await?;
    let timeline =
        Timeline { title: organization.display_name, from_date, to_date, today, revision, ..Timeline::default() };
    let timeline = timeline.with(rows(&answers, &known, &parent), more);
    Ok(Page::new(SVG, tag, Some(svg(&timeline))))
}

/// What AssessTransfers answers, page by page, and whether there is more than was read.
async fn answers(
    api: &Api,
    parent: &str,
    from_date: &str,
    to_date: &str,
    revision: i64,
) -> Result<(Vec<TransferAssessment>, bool)> {
    let mut request = AssessTransfersRequest {
        parent: parent.to_owned(),
        from_date: from_date.to_owned(),
        to_date: to_date.to_owned(),
        page_size: PAGE,
        as_of: Some(AsOf { point: Some(Point::Revision(revision)) }),
        ..AssessTransfersRequest::default()
    };
    let mut all = Vec::new();
    loop {
        let page = api.assess(&request).await?;
        all.extend(page.assessments);
        if page.next_page_token.is_empty() {
            return Ok((all, false));
        }
        if all.len() >= MOST_READ {
            return Ok((all, true));
        }
        request.page_token = page.next_page_token;
    }
}

/// The transfers that were answered for, and what people call those who take part.
async fn known(api: &Api, organization: &Organization, answers: &[TransferAssessment], revision: i64) -> Result<Known> {
    let names = answers.iter().map(|one| one.transfer.clone()).filter(|name| !name.is_empty()).collect();
    let transfers: HashMap<String, Transfer> = api.store().at("name", names, revision).await?;
    let recorded = transfers.values().flat_map(|one| [one.exporter.clone(), one.importer.clone()]);
    let derived = answers.iter().filter_map(|one| one.derived_from.as_ref()).map(|from| from.subprocessor.clone());
    let parties = recorded.chain(derived).filter(|name| name.contains("/subprocessors/")).collect();
    let parties: HashMap<String, Subprocessor> = api.store().at("name", parties, revision).await?;
    let mut titles: HashMap<String, String> = parties.into_iter().map(|(name, one)| (name, one.display_name)).collect();
    titles.insert(organization.name.clone(), organization.display_name.clone());
    Ok(Known { transfers, titles })
}
