//! The list of an organization for programs: JSON, CSV, Markdown; and where the lists are, at the well-known address.

use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use super::{
    reply::{Page, refusal, tag},
    site::{Asked, Site, known},
};
use crate::{
    error::{Error, Result},
    proto::v1::Organization,
    rules::publication::{
        Index, Links, Listed, Named, Publication, SCHEMA_PATH, SCHEMA_VERSION,
        text::{csv as as_csv, markdown as as_markdown},
    },
};

/// Organizations in the index.
const MOST: usize = 1_000;

/// A way to write a publication down.
struct Form {
    media_type: &'static str,
    ending: &'static str,
    write: fn(&Publication) -> Result<String>,
}

const JSON: Form = Form {
    media_type: "application/json",
    ending: "json",
    write: |publication| serde_json::to_string_pretty(publication).map(|text| text + "\n").map_err(Error::internal),
};
const CSV: Form = Form { media_type: "text/csv; charset=utf-8; header=present", ending: "csv", write: as_csv };
const MARKDOWN: Form = Form {
    media_type: "text/markdown; charset=utf-8",
    ending: "md",
    write: |publication| Ok(as_markdown(publication)),
};

pub(super) async fn json(site: State<Site>, id: Path<String>, query: RawQuery, headers: HeaderMap) -> Response {
    answer(&site, &id, &JSON, query, &headers).await
}

pub(super) async fn csv(site: State<Site>, id: Path<String>, query: RawQuery, headers: HeaderMap) -> Response {
    answer(&site, &id, &CSV, query, &headers).await
}

pub(super) async fn markdown(site: State<Site>, id: Path<String>, query: RawQuery, headers: HeaderMap) -> Response {
    answer(&site, &id, &MARKDOWN, query, &headers).await
}

async fn answer(site: &Site, id: &str, form: &'static Form, query: RawQuery, headers: &HeaderMap) -> Response {
    let page = page(site, id, form, query.0.as_deref(), headers);
    page.await.map_or_else(|error: Error| refusal("list.txt", &error), IntoResponse::into_response)
}

async fn page(site: &Site, id: &str, form: &'static Form, query: Option<&str>, headers: &HeaderMap) -> Result<Page> {
    let asked = Asked::of_file(query, &["date", "as_of"])?;
    let wanted = site.wanted(id, &asked).await?;
    let tag = site.tag(form.ending, &wanted, None)?;
    if known(headers, &tag) {
        site.api.store().existing::<Organization>(&wanted.parent, wanted.revision).await?;
        return Ok(Page::new(form.media_type, tag, None::<String>));
    }
    let published = site.published(&wanted).await?;
    let modified = published.changed;
    let file_name = Some(format!("{id}-subprocessors-{}.{}", wanted.date, form.ending));
    let written = tokio::task::spawn_blocking(move || (form.write)(&published.publication));
    let content = written.await.map_err(Error::internal)??;
    Ok(Page { modified, file_name, ..Page::new(form.media_type, tag, Some(content)) })
}

/// What is at the well-known address of the server: the list, or where the lists are if there are several.
pub(super) async fn index(State(site): State<Site>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let page = async {
        let store = site.api.store();
        let revision = store.head().await?;
        let publishers = store.publishers(revision, MOST).await?;
        if let [only] = publishers.as_slice() {
            let id = only.name.rsplit('/').next().unwrap_or_default();
            return page(&site, id, &JSON, query.as_deref(), &headers).await;
        }
        Asked::of_file(query.as_deref(), &[])?;
        let lists = publishers.into_iter().map(|one| {
            let id = one.name.rsplit('/').next().unwrap_or_default().to_owned();
            Listed { links: Links::of(&site.base, &id), organization: Named { id, name: one.display_name } }
        });
        let index = Index {
            schema: format!("{}{SCHEMA_PATH}", site.base),
            schema_version: SCHEMA_VERSION.to_owned(),
            lists: lists.collect(),
        };
        let content = serde_json::to_string_pretty(&index).map_err(Error::internal)? + "\n";
        let tag = tag(&[&content])?;
        let content = (!known(&headers, &tag)).then_some(content);
        Ok(Page::new(JSON.media_type, tag, content))
    };
    page.await.map_or_else(|error: Error| refusal("index.json", &error), IntoResponse::into_response)
}
