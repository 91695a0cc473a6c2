//! The pages: what browsers, feed readers and programs ask for over plain HTTP, on the port of the services.
//!
//! A page answers from what the services answer from, at one revision, and says so in its `ETag`. It refers to nothing
//! outside itself, runs no script, and is refused in plain words. What everybody may see of a list is decided in
//! [`crate::rules::publication`]; the pages here show that and nothing else, but for those under `/internal`, which are for
//! the organization's own people: what shows pages to the public leaves that prefix out.
//!
//! - [`site`]: what the pages share: where they are, what was asked for, publications that were made already.
//! - [`list`], [`history`], [`notice`]: what people read.
//! - [`subscribe`]: asking for mails, confirming that, ending it.
//! - [`feed`], [`formats`]: what programs read, at addresses that others could offer too.
//! - [`timeline`]: the picture of the transfers' cover, internal.
//! - [`assets`]: style sheets, images and the schema.
//! - [`reply`]: headers, and refusals.

mod assets;
mod feed;
mod formats;
mod history;
mod list;
mod notice;
mod reply;
mod site;
mod subscribe;
mod timeline;
mod view;

use axum::{
    Router,
    extract::{RawPathParams, State},
    http::Uri,
    response::Response,
    routing::{any, get},
};

pub use reply::{not_found, refusal};
pub use site::Options;

use crate::{
    api::{self, Api},
    error::{Error, Reason},
};

/// The pages, and the method of the services that each of them asks.
pub const PAGES: [(&str, &str); 18] = [
    ("/organizations/{organization}", LIST),
    ("/organizations/{organization}/history", LIST),
    ("/organizations/{organization}/notices/{notice}", NOTICE),
    (
        "/organizations/{organization}/subscribe",
        "/subprocessor.registry.v1.ChangeNotificationService/CreateSubscription",
    ),
    (
        "/organizations/{organization}/subscriptions/{subscription}/confirm",
        "/subprocessor.registry.v1.ChangeNotificationService/VerifySubscription",
    ),
    (
        "/organizations/{organization}/subscriptions/{subscription}/unsubscribe",
        "/subprocessor.registry.v1.ChangeNotificationService/DeleteSubscription",
    ),
    ("/organizations/{organization}/feed.atom", LIST),
    ("/organizations/{organization}/subprocessors.json", LIST),
    ("/organizations/{organization}/subprocessors.csv", LIST),
    ("/organizations/{organization}/subprocessors.md", LIST),
    // The well-known address (RFC 8615) of the server, and the same for each of several organizations on one server.
    ("/.well-known/subprocessors.json", LIST),
    ("/organizations/{organization}/.well-known/subprocessors.json", LIST),
    ("/organizations/{organization}/logo", "/subprocessor.registry.v1.OrganizationService/GetOrganization"),
    (
        "/internal/organizations/{organization}/timeline.svg",
        "/subprocessor.registry.v1.TransferMechanismService/AssessTransfers",
    ),
    ("/assets/{file}", SCHEMA),
    ("/schemas/subprocessors.json", SCHEMA),
    // Where there is no page of an organization.
    ("/organizations/{organization}/", LIST),
    ("/organizations/{organization}/{*rest}", LIST),
];

const LIST: &str = "/subprocessor.registry.v1.SubprocessorService/ListSubprocessors";
const NOTICE: &str = "/subprocessor.registry.v1.ChangeNotificationService/GetNotice";
const SCHEMA: &str = "/subprocessor.registry.v1.RegistryService/GetManifestSchema";

/// What is at none of the addresses of an organization: perhaps it is without the slash at the end, and perhaps its list is
/// what was looked for.
async fn missing(State(site): State<site::Site>, params: RawPathParams, uri: Uri) -> Response {
    if let Some(elsewhere) = reply::without_slash(&uri) {
        return elsewhere;
    }
    if uri.path().rsplit('/').next().is_some_and(|last| last.contains('.')) {
        return not_found(uri.path());
    }
    let organization = params.iter().find(|(name, _)| *name == "organization").map_or("", |(_, id)| id);
    site.refusal(organization, &Error::new(Reason::ResourceNotFound, reply::NOWHERE)).await
}

/// All pages over the services.
pub fn pages(api: Api, options: Options) -> Router {
    let handlers = [
        get(list::get),
        get(history::get),
        get(notice::get),
        get(subscribe::form).post(subscribe::subscribe),
        get(subscribe::ask_to_confirm).post(subscribe::confirm),
        get(subscribe::ask_to_unsubscribe).post(subscribe::unsubscribe),
        get(feed::get),
        get(formats::json),
        get(formats::csv),
        get(formats::markdown),
        get(formats::index),
        get(formats::json),
        get(assets::logo),
        get(timeline::get),
        get(assets::file),
        get(assets::schema),
        any(missing),
        any(missing),
    ];
    let routes = PAGES.iter().zip(handlers);
    let pages = routes.fold(Router::new(), |pages, ((path, _), handler)| pages.route(path, handler));
    let pages = pages.method_not_allowed_fallback(reply::not_allowed).with_state(site::Site::new(api.clone(), options));
    api::current(&api, pages)
}
