//! Subscribing by e-mail: asking for it, confirming it, ending it. A link in a mail only shows a page with a button,
//! because mail programs follow links before their owner does; the button posts. One-click unsubscription (RFC 8058)
//! posts to the same address by itself.

mod limit;

use askama::Template;
use axum::{
    body::{Body, to_bytes},
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use sha2::{Digest, Sha256};

pub(super) use limit::Limit;

use super::{
    reply::{self, html},
    site::{Asked, Site},
    view::Frame,
};
use crate::{
    call::{Call, Principal},
    error::{Error, Reason, Result},
    proto::v1::{
        CreateSubscriptionRequest, EmailTarget, Organization, Product, Subscription, subscription::Channel,
        subscription::State as SubscriptionState,
    },
    resource::{
        address,
        name::{Kind, Name},
    },
};

/// The longest form that is read, in bytes.
const MOST_FORM: usize = 16 * 1024;

/// The form.
#[derive(Template)]
#[template(path = "page/subscribe.html")]
struct Form<'a> {
    frame: Frame,
    name: &'a str,
    action: &'a str,
    email: String,
    products: Vec<(&'a Product, bool)>,
    /// What is wrong with the address.
    wrong: String,
}

/// A question with one button, or what became of it.
#[derive(Template)]
#[template(path = "page/ask.html")]
struct Ask<'a> {
    frame: Frame,
    heading: &'a str,
    text: String,
    /// What the button says and where it posts to; none: there is nothing to do.
    button: Option<(&'a str, String)>,
}

/// What was written into the form.
#[derive(Debug, Default)]
struct Written {
    email: String,
    products: Vec<String>,
}

impl Written {
    /// Reads a form; what is not offered in it is passed over, as browsers add what they like.
    fn read(body: &[u8]) -> Self {
        let mut written = Self::default();
        for (key, value) in url::form_urlencoded::parse(body) {
            match &*key {
                "email" => value.trim().clone_into(&mut written.email),
                "product" if written.products.len() < 100 => written.products.push(value.into_owned()),
                _ => {}
            }
        }
        written
    }
}

/// A call that somebody makes by a page.
fn call(method: &'static str) -> Call {
    Call { principal: Principal::anonymous().as_str().to_owned(), ..Call::internal(method) }
}

/// The page with the form.
pub(super) async fn form(
    State(site): State<Site>,
    Path(organization): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let page = async {
        Asked::of_page(query.as_deref(), &[])?;
        let organization = offering(&site, &organization).await?;
        shown(&site, &organization, Written::default(), String::new())
    };
    answered(&site, &organization, page.await).await
}

/// An organization whose changes can be subscribed to.
async fn offering(site: &Site, id: &str) -> Result<Organization> {
    let name = Site::organization(id)?;
    if !site.can_subscribe() {
        return Err(Error::new(Reason::ResourceNotFound, "Changes of this list are not sent by e-mail."));
    }
    site.api.store().existing(&name, site.api.store().head().await?).await
}

fn shown(site: &Site, organization: &Organization, written: Written, wrong: String) -> Result<String> {
    let of = site.of(organization);
    let form = Form {
        frame: site.frame(&of, "subscribe"),
        name: &of.name,
        action: &of.links.subscribe,
        products: organization.products.iter().map(|one| (one, written.products.contains(&one.product_id))).collect(),
        email: written.email,
        wrong,
    };
    form.render().map_err(Error::internal)
}

/// What the form posts: a subscription is made, or its owner asked again. The answer is the same whether there was one,
/// so that nobody learns whose address is subscribed.
pub(super) async fn subscribe(
    State(site): State<Site>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if headers.get("sec-fetch-site").is_some_and(|from| from == "cross-site") {
        let lines =
            vec!["This form was sent from another site. Open the page itself, and send it from there.".to_owned()];
        return reply::refuse("", StatusCode::FORBIDDEN, "This is not for you", lines);
    }
    let page = async {
        let organization = offering(&site, &id).await?;
        let body = to_bytes(body, MOST_FORM).await;
        let body = body.map_err(|_| Error::field("form", format!("has more than {MOST_FORM} bytes")))?;
        let written = Written::read(&body);
        // What is no address takes no mail, and so nobody's place.
        if let Err(rule) = address::check(&written.email, site.api.channels().mail()?.smtputf8) {
            return Ok(html(StatusCode::BAD_REQUEST, shown(&site, &organization, written, rule)?));
        }
        let to = Sha256::digest(format!("{}\0{}", organization.name, written.email.to_lowercase())).into();
        if !site.limit.allows(to, site.api.store().clock().now()) {
            let lines =
                vec!["Too many ask for mails at the moment. Wait a minute, and send the form again.".to_owned()];
            return Ok(reply::refuse("", StatusCode::TOO_MANY_REQUESTS, "Try again in a moment", lines));
        }
        match subscribed(&site, &organization, &written).await {
            Ok(()) => {
                let text = format!(
                    "If {} is an address, a mail is on its way to it. Open the link in it to confirm; before that nothing else is sent. If you are subscribed already, nothing changes.",
                    written.email
                );
                let page = asking(&site, &organization, "Look into your mail", text, None)?;
                Ok(html(StatusCode::OK, page))
            }
            Err(error) if error.reason() == Reason::FieldInvalid => {
                let rules: Vec<String> = error.field_violations().map(|(_, rule)| rule.to_owned()).collect();
                Ok(html(StatusCode::BAD_REQUEST, shown(&site, &organization, written, rules.join("; "))?))
            }
            Err(error) => Err(error),
        }
    };
    match page.await {
        Ok(response) => response,
        Err(error) => site.refusal(&id, &error).await,
    }
}

/// A page, or why there is none.
async fn answered(site: &Site, organization: &str, page: Result<String>) -> Response {
    match page {
        Ok(page) => html(StatusCode::OK, page),
        Err(error) => site.refusal(organization, &error).await,
    }
}

async fn subscribed(site: &Site, organization: &Organization, written: &Written) -> Result<()> {
    let channel = Channel::Email(EmailTarget { address: written.email.clone() });
    let wanted = Subscription {
        channel: Some(channel),
        // Whoever names all of them wants all of them.
        products: if written.products.len() == organization.products.len() {
            Vec::new()
        } else {
            written.products.clone()
        },
        ..Subscription::default()
    };
    match site.api.store().subscription_of(&organization.name, &written.email).await? {
        Some(known) if matches!(known.state(), SubscriptionState::Active | SubscriptionState::Paused) => Ok(()),
        Some(known) => {
            let call = call("ChangeNotificationService/VerifySubscription");
            match site.api.asked_again(call, &known, wanted.products).await {
                // It was confirmed in this moment: there is nothing to ask.
                Err(error) if error.reason() == Reason::EtagStale => Ok(()),
                asked => asked.map(drop),
            }
        }
        None => {
            let request = CreateSubscriptionRequest {
                parent: organization.name.clone(),
                subscription: Some(wanted),
                ..CreateSubscriptionRequest::default()
            };
            let call = call("ChangeNotificationService/CreateSubscription");
            site.api.subscribed(call, request).await.map(drop)
        }
    }
}

fn asking(
    site: &Site,
    organization: &Organization,
    heading: &str,
    text: String,
    button: Option<(&str, String)>,
) -> Result<String> {
    let of = site.of(organization);
    Ask { frame: site.frame(&of, "subscribe"), heading, text, button }.render().map_err(Error::internal)
}

/// What the link of a mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Confirm,
    Unsubscribe,
}

impl Act {
    const fn word(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

pub(super) async fn ask_to_confirm(site: State<Site>, ids: Path<(String, String)>, query: RawQuery) -> Response {
    question(&site, &ids, query.0.as_deref(), Act::Confirm).await
}

pub(super) async fn ask_to_unsubscribe(site: State<Site>, ids: Path<(String, String)>, query: RawQuery) -> Response {
    question(&site, &ids, query.0.as_deref(), Act::Unsubscribe).await
}

pub(super) async fn confirm(site: State<Site>, ids: Path<(String, String)>, query: RawQuery) -> Response {
    done(&site, &ids, query.0.as_deref(), Act::Confirm).await
}

/// By the button of our page, or by a mail program: nothing in the body matters.
pub(super) async fn unsubscribe(site: State<Site>, ids: Path<(String, String)>, query: RawQuery) -> Response {
    done(&site, &ids, query.0.as_deref(), Act::Unsubscribe).await
}

/// The page with the button.
async fn question(site: &Site, ids: &(String, String), query: Option<&str>, act: Act) -> Response {
    let page = async {
        let token = Asked::of_page(query, &["token"])?.get("token").to_owned();
        let (organization, known) = linked(site, ids, act, &token).await?;
        let mut path = url::form_urlencoded::Serializer::new(String::new());
        path.append_pair("token", &token);
        let path = format!("{}/{}/{}?{}", site.root, known.name, act.word(), path.finish());
        let name = &organization.display_name;
        let (heading, text, button) = match act {
            Act::Confirm if known.delete_time.is_some() => (
                "This subscription has ended",
                "It cannot be confirmed any more. You can subscribe again.".to_owned(),
                None,
            ),
            Act::Confirm => (
                "Confirm your subscription",
                format!("You will get a mail when {name} announces a change of its sub-processors."),
                Some(("Confirm", path)),
            ),
            Act::Unsubscribe => (
                "End your subscription",
                format!("You will get no more of these mails about the sub-processors of {name}."),
                Some(("Unsubscribe", path)),
            ),
        };
        asking(site, &organization, heading, text, button)
    };
    answered(site, &ids.0, page.await).await
}

/// What the button does.
async fn done(site: &Site, ids: &(String, String), query: Option<&str>, act: Act) -> Response {
    let page = async {
        let token = Asked::of_page(query, &["token"])?.get("token").to_owned();
        let (organization, known) = linked(site, ids, act, &token).await?;
        let name = &organization.display_name;
        let (heading, text) = match act {
            Act::Confirm => {
                let call = call("ChangeNotificationService/VerifySubscription");
                site.api.verified(call, &known.name, &token).await?;
                (
                    "You are subscribed",
                    format!("We tell you when {name} announces a change. Each mail has a link to end this."),
                )
            }
            Act::Unsubscribe => {
                let call = call("ChangeNotificationService/DeleteSubscription");
                site.api.unsubscribed(call, &known.name, &token).await?;
                (
                    "You are unsubscribed",
                    format!("Notices that an agreement with {name} asks for still go to the contacts that it names."),
                )
            }
        };
        asking(site, &organization, heading, text, None)
    };
    answered(site, &ids.0, page.await).await
}

/// Whose link it is. What does not fit is one thing to whoever guesses: a link that is not valid.
async fn linked(
    site: &Site,
    (organization, subscription): &(String, String),
    act: Act,
    token: &str,
) -> Result<(Organization, Subscription)> {
    use crate::notify::seal::Purpose;
    let not_valid =
        || Error::new(Reason::ResourceNotFound, "This link is not valid. Open it as it stands in the mail.");
    let parent = Site::organization(organization).map_err(|_| not_valid())?;
    let name = format!("{parent}/subscriptions/{subscription}");
    let name = Name::of(Kind::Subscription, "subscription", &name).map_err(|_| not_valid())?;
    let store = site.api.store();
    let known = match store.get::<Subscription>(&name, None).await {
        Ok(known) => known,
        Err(error) if matches!(error.reason(), Reason::ResourceNotFound | Reason::ResourceErased) => {
            return Err(not_valid());
        }
        Err(error) => return Err(error),
    };
    let purpose = match act {
        Act::Confirm => Purpose::Verify,
        Act::Unsubscribe => Purpose::Unsubscribe,
    };
    if !site.api.channels().is_token(purpose, &known, token)? {
        return Err(not_valid());
    }
    let organization: Organization = store.existing(&parent, store.head().await?).await?;
    Ok((organization, known))
}
