//! What pages are made with: style sheets, images, and the schema of the published list.

use std::sync::LazyLock;

use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use super::{
    reply::{Keep, Page, digest, has, not_found, refusal, tag},
    site::{Asked, Site, known},
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::Organization,
    rules::publication::{
        appearance::{Colour, logo_type},
        schema as schema_text,
    },
};

const STYLE: &str = include_str!("../../templates/page/style.css");
const ICON: &str = include_str!("../../templates/page/icon.svg");
const CSS: &str = "text/css; charset=utf-8";

/// The name of the style sheet, by what is in it.
pub(super) fn style_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| format!("style-{}.css", &digest(&[STYLE])));
    &NAME
}

/// The name of the style sheet with an accent.
pub(super) fn accent_name(accent: Colour) -> String {
    format!("accent-{}.css", accent.digits())
}

/// What that name stands for: it is made from the name alone.
fn accent(file: &str) -> Option<String> {
    let digits = file.strip_prefix("accent-")?.strip_suffix(".css")?;
    let colour = Colour::parse(&format!("#{digits}")).filter(|colour| colour.digits() == digits)?;
    let (light, dark) = (colour.digits(), colour.on_dark().digits());
    Some(format!(
        "@media screen {{ :root {{ --accent: #{light}; --accent-on-dark: #{dark}; }} }}\n\
         @media screen and (prefers-color-scheme: dark) {{ :root {{ --accent: #{dark}; }} }}\n"
    ))
}

pub(super) async fn file(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let (media_type, content, keep) = match file.as_str() {
        name if name == style_name() => (CSS, STYLE.to_owned(), Keep::ForEver),
        "icon.svg" => ("image/svg+xml", ICON.to_owned(), Keep::Ask),
        name => match accent(name) {
            Some(text) => (CSS, text, Keep::ForEver),
            None => return not_found(&file),
        },
    };
    let page = fixed(media_type, content, &headers).map(|page| Page { keep, ..page });
    page.map_or_else(|error| refusal(&file, &error), IntoResponse::into_response)
}

pub(super) async fn schema(headers: HeaderMap) -> Response {
    let page = fixed("application/schema+json", schema_text(), &headers);
    page.map_or_else(|error| refusal("schema.json", &error), IntoResponse::into_response)
}

/// A text that is the same while the server runs.
fn fixed(media_type: &'static str, content: String, headers: &HeaderMap) -> Result<Page> {
    let tag = tag(&[&content])?;
    let content = (!has(headers, &tag)).then_some(content);
    Ok(Page::new(media_type, tag, content))
}

pub(super) async fn logo(
    State(site): State<Site>,
    Path(organization): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let page = async {
        let wanted = site.wanted(&organization, &Asked::of_file(query.as_deref(), &[])?).await?;
        let tag = site.tag("logo", &wanted, None)?;
        let found: Organization = site.api.store().existing(&wanted.parent, wanted.revision).await?;
        let logo = found.page.unwrap_or_default().logo;
        let none = || Error::new(Reason::ResourceNotFound, "there is no logo");
        let media_type = logo_type(&logo).ok_or_else(none)?;
        let logo = (!known(&headers, &tag)).then_some(logo);
        Ok(Page::new(media_type, tag, logo))
    };
    page.await.map_or_else(|error: Error| refusal("logo.svg", &error), IntoResponse::into_response)
}
