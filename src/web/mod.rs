//! The pages: what browsers ask for over plain HTTP, on the port of the services.
//!
//! A page answers from what the services answer from, at one revision, and says so in its `ETag`. It refers to nothing
//! outside itself, runs no script, and is refused in plain words.

mod timeline;

use axum::{
    Router,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
    routing::get,
};
use sha2::{Digest, Sha256};

use crate::{
    api::{self, Api},
    error::{Error, Result},
};

/// The pages, and the method of the services that each of them asks.
pub const PAGES: [(&str, &str); 1] = [(
    "/organizations/{organization}/timeline.svg",
    "/subprocessor.registry.v1.TransferMechanismService/AssessTransfers",
)];

/// All pages over the services.
pub fn pages(api: Api) -> Router {
    let [(timeline, _)] = PAGES;
    let pages = Router::new().route(timeline, get(timeline::get)).with_state(api.clone());
    api::current(&api, pages)
}

/// What a page sends: a text of a type, for as long as its tag is the same.
struct Page {
    media_type: &'static str,
    tag: HeaderValue,
    /// None where the caller has it already.
    content: Option<String>,
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let Self { media_type, tag, content } = self;
        let mut response = match content {
            Some(content) => content.into_response(),
            None => StatusCode::NOT_MODIFIED.into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(ETAG, tag);
        harmless(headers);
        response
    }
}

/// What browsers may make of an answer: nothing but show it.
fn harmless(headers: &mut HeaderMap) {
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'self'; sandbox"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // Kept, but asked for again each time: the tag says whether anything changed.
        (CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// A refusal in plain words.
pub fn refusal(error: &Error) -> Response {
    let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields: String = error.field_violations().map(|(field, rule)| format!("{field}: {rule}\n")).collect();
    let said = if fields.is_empty() { format!("{error}\n") } else { fields };
    let mut response = (status, said).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    harmless(response.headers_mut());
    response
}

/// The tag of a page that is made of these.
fn tag(parts: &[&str]) -> Result<HeaderValue> {
    let mut hash = Sha256::new();
    for part in parts.iter().chain([&env!("CARGO_PKG_VERSION")]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    HeaderValue::from_str(&format!("\"{}\"", hex::encode(&digest[..16]))).map_err(Error::internal)
}

/// Whether the caller has what a tag names.
fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(|one| one.trim().trim_start_matches("W/"));
    known.any(|one| one == "*" || one.as_bytes() == tag.as_bytes())
}
