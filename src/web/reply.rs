//! What pages send: a text with its tag and the headers that keep browsers from making anything else of it.

use askama::Template;
use axum::{
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
            LAST_MODIFIED, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::view::Frame;
use crate::error::{Error, Result};

/// The media types.
pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const SVG: &str = "image/svg+xml; charset=utf-8";

/// What a page may load and do: its own style sheets, images and forms.
const OF_PAGES: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What anything else may: nothing.
const OF_FILES: &str = "default-src 'none'; frame-ancestors 'self'; sandbox";
/// An image that brings its own style.
const OF_IMAGES: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox";

/// How long what is sent can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Kept, but asked for again each time: the tag says whether anything changed.
    Ask,
    /// Not at all.
    Never,
    /// For ever: another content has another address.
    ForEver,
}

/// What a page sends: a text of a type, for as long as its tag is the same.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) media_type: &'static str,
    pub(super) tag: HeaderValue,
    /// None where the caller has it already.
    pub(super) content: Option<Vec<u8>>,
    /// When that was last different, if it is known.
    pub(super) modified: Option<Timestamp>,
    pub(super) keep: Keep,
    /// The name of the file that browsers save it as.
    pub(super) file_name: Option<String>,
}

impl Page {
    /// A page that is asked for again each time.
    pub(super) fn new(media_type: &'static str, tag: HeaderValue, content: Option<impl Into<Vec<u8>>>) -> Self {
        let content = content.map(Into::into);
        Self { media_type, tag, content, modified: None, keep: Keep::Ask, file_name: None }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let Self { media_type, tag, content, modified, keep, file_name } = self;
        let mut response = match content {
            Some(content) => content.into_response(),
            None => StatusCode::NOT_MODIFIED.into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(ETAG, tag);
        if let Some(text) = modified.and_then(|at| HeaderValue::from_str(&http_date(at)).ok()) {
            headers.insert(LAST_MODIFIED, text);
        }
        if let Some(name) =
            file_name.and_then(|name| HeaderValue::from_str(&format!("inline; filename=\"{name}\"")).ok())
        {
            headers.insert(CONTENT_DISPOSITION, name);
        }
        harmless(headers, media_type, keep);
        response
    }
}

/// An instant as HTTP writes it (RFC 9110, 5.6.7).
fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// What browsers may make of an answer: nothing but show it.
fn harmless(headers: &mut HeaderMap, media_type: &str, keep: Keep) {
    let policy = match media_type {
        HTML => OF_PAGES,
        "image/svg+xml" => OF_IMAGES,
        _ => OF_FILES,
    };
    let keep = match keep {
        Keep::Ask => "no-cache",
        Keep::Never => "no-store",
        Keep::ForEver => "public, max-age=31536000, immutable",
    };
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, keep),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// What is said instead of a page.
#[derive(Template)]
#[template(path = "page/message.html")]
struct Message<'a> {
    frame: Frame,
    status: String,
    heading: &'a str,
    lines: Vec<String>,
}

/// A refusal in plain words: for people where they asked for a page, else as text.
pub fn refusal(path: &str, error: &Error) -> Response {
    let (status, heading, lines) = words(error);
    refuse(path, status, heading, lines)
}

/// The same as a page in this frame.
pub(super) fn refusal_in(frame: Frame, error: &Error) -> Response {
    let (status, heading, lines) = words(error);
    for_people(frame, status, heading, plain(lines))
}

/// What a refusal says.
fn words(error: &Error) -> (StatusCode, &'static str, Vec<String>) {
    let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.is_server_error() {
        error.log("a page failed");
    }
    let fields = error.field_violations().map(|(field, rule)| format!("{field}: {rule}")).collect::<Vec<_>>();
    let said = if fields.is_empty() { vec![error.to_string()] } else { fields };
    let heading = match status {
        StatusCode::BAD_REQUEST => "This cannot be answered",
        StatusCode::NOT_FOUND => "There is no such page",
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "This is not for you",
        StatusCode::SERVICE_UNAVAILABLE => "Try again in a moment",
        _ => "Something went wrong",
    };
    (status, heading, said)
}

/// Lines without what drives a terminal: what was asked can be in them.
fn plain(lines: Vec<String>) -> Vec<String> {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    lines.into_iter().map(|line| line.chars().map(plain).collect()).collect()
}

/// Says why there is no page.
pub(super) fn refuse(path: &str, status: StatusCode, heading: &str, lines: Vec<String>) -> Response {
    let lines = plain(lines);
    if !path.rsplit('/').next().is_some_and(|last| last.contains('.')) {
        return for_people(Frame::default(), status, heading, lines);
    }
    refused(status, "text/plain; charset=utf-8", as_text(&lines))
}

fn for_people(frame: Frame, status: StatusCode, heading: &str, lines: Vec<String>) -> Response {
    let text = as_text(&lines);
    match (Message { frame, status: status.to_string(), heading, lines }).render() {
        Ok(page) => refused(status, HTML, page),
        Err(_) => refused(status, "text/plain; charset=utf-8", text),
    }
}

fn as_text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn refused(status: StatusCode, media_type: &'static str, content: String) -> Response {
    let mut response = (status, content).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    harmless(response.headers_mut(), media_type, Keep::Ask);
    response
}

/// A page that is made for one reader.
pub(super) fn html(status: StatusCode, content: String) -> Response {
    let mut response = (status, content).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(HTML));
    harmless(response.headers_mut(), HTML, Keep::Never);
    response
}

/// What is at the same address without the slash at its end. Of a relative reference, because what shows pages to the
/// public may have more in front of the path than we are told.
pub(super) fn without_slash(uri: &Uri) -> Option<Response> {
    let last = uri.path().trim_end_matches('/').rsplit('/').next().filter(|_| uri.path().ends_with('/'))?;
    // From within as many directories as there are slashes.
    let slashes = uri.path().len() - uri.path().trim_end_matches('/').len();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let place = HeaderValue::from_str(&format!("{}{last}{query}", "../".repeat(slashes))).ok()?;
    Some((StatusCode::PERMANENT_REDIRECT, [(LOCATION, place)]).into_response())
}

/// What is said where there is nothing.
pub(super) const NOWHERE: &str = "Nothing is at this address. It may have been mistyped, or what was here is gone.";

/// What no page is at.
pub fn not_found(path: &str) -> Response {
    refuse(path, StatusCode::NOT_FOUND, "There is no such page", vec![NOWHERE.to_owned()])
}

/// What is done to a page but reading it.
pub(super) async fn not_allowed(uri: Uri) -> Response {
    let posts = ["/subscribe", "/confirm", "/unsubscribe"].iter().any(|end| uri.path().ends_with(end));
    let lines = vec!["Pages are read with GET; there is nothing else to be done here.".to_owned()];
    let mut response = refuse(uri.path(), StatusCode::METHOD_NOT_ALLOWED, "This is not done here", lines);
    let allowed = if posts { "GET, HEAD, POST" } else { "GET, HEAD" };
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The tag of a page that is made of these.
pub(super) fn tag(parts: &[&str]) -> Result<HeaderValue> {
    HeaderValue::from_str(&format!("\"{}\"", digest(parts))).map_err(Error::internal)
}

/// What tells texts apart, and the versions of what is made of them.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts.iter().chain([&env!("CARGO_PKG_VERSION")]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    hex::encode(&digest[..16])
}

/// Whether the caller has what a tag names.
pub(super) fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(|one| one.trim().trim_start_matches("W/"));
    known.any(|one| one == "*" || one.as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("the log").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_page_that_refers_to_the_log_has_its_cause_there() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        // With one subscriber in the process another test's thread, which has none, could decide that nobody listens.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        tracing::subscriber::with_default(subscriber, || {
            assert_eq!(refusal("", &Error::internal("the disk is full")).status(), 500);
            assert_eq!(refusal("", &Error::not_found("page", "x").caused_by("a typing error")).status(), 404);
        });
        let log = String::from_utf8_lossy(&kept.0.lock().expect("the log")).into_owned();
        assert!(log.contains("the disk is full") && !log.contains("a typing error"), "{log}");
    }
}
