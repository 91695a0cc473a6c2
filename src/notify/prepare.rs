//! What a delivery that is due becomes: a webhook, a mail, or nothing, because it may not be sent any more.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{Span, field::Empty};
use url::Url;

use super::{
    channels::Channels,
    email::{About, Content, Mail, Mailbox, contents},
    seal::Purpose,
    tidings::{Key, Telling},
    webhook::Secret,
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{Customer, Notice, NoticeRecipient, Subscription, subscription::Channel, subscription::State},
    resource::{
        address,
        name::{Kind, Name},
    },
    rules::event,
    store::{Store, outbox::claim::Claimed, recipient},
};

/// What the types of events begin with in a CloudEvent.
const PREFIX: &str = "dev.subprocessor.registry.";

/// Why a notice is not said to be published any more.
const WITHDRAWN: &str = "the notice is withdrawn";

/// What is to be done for a delivery.
#[derive(Debug)]
pub enum Job {
    /// To post.
    Webhook {
        /// Where.
        uri: String,
        /// What signs it, newest first.
        keys: Vec<Secret>,
        /// The CloudEvent.
        body: Vec<u8>,
        /// What an answer that agrees has in it; empty: nothing is asked.
        challenge: String,
    },
    /// To mail.
    Mail(Box<Mail>),
    /// Nothing: it may not be sent any more, and why.
    Drop(String),
    /// Nothing for now: it cannot be made, and why.
    Unmade(String),
}

impl Job {
    /// The span of an attempt, by the conventions for HTTP and for messaging. Paths of endpoints can hold secrets: only the
    /// host is said.
    pub fn span(&self) -> Span {
        match self {
            Self::Webhook { uri, .. } => {
                let uri = Url::parse(uri).ok();
                tracing::info_span!(
                    "deliver",
                    otel.name = "POST",
                    otel.kind = "client",
                    otel.status_code = Empty,
                    otel.status_description = Empty,
                    http.request.method = "POST",
                    http.response.status_code = Empty,
                    url.scheme = uri.as_ref().map(Url::scheme),
                    server.address = uri.as_ref().and_then(Url::host_str),
                    server.port = uri.as_ref().and_then(Url::port_or_known_default),
                )
            }
            Self::Mail(_) => tracing::info_span!(
                "deliver",
                otel.name = "send mail",
                otel.kind = "client",
                otel.status_code = Empty,
                otel.status_description = Empty,
                messaging.system = "smtp",
                messaging.operation.type = "send",
            ),
            Self::Drop(_) | Self::Unmade(_) => Span::none(),
        }
    }
}

/// What deliveries become, read together.
///
/// # Errors
/// If the database fails.
pub async fn prepare(store: &Store, channels: &Channels, claimed: Vec<Claimed>) -> Result<Vec<(Claimed, Job)>> {
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    let now = store.clock().now();
    let head = store.head().await?;
    let names = claimed.iter().map(|one| one.subscription.clone()).filter(|name| !name.is_empty()).collect();
    let subscriptions: HashMap<String, Subscription> = store.at("name", names, head).await?;
    let uids: Vec<String> = subscriptions.values().map(|one| one.uid.clone()).collect();
    let secrets = store.secrets(&uids, now).await?;
    let recipients: Vec<String> = claimed.iter().filter_map(recipient_of).collect();
    let recipients: HashMap<String, NoticeRecipient> = store.at("name", recipients, head).await?;
    let customers = claimed.iter().filter(|one| one.subscription.is_empty()).map(|one| one.customer.clone()).collect();
    let customers: HashMap<String, Customer> = store.at("name", customers, head).await?;
    let published = claimed.iter().filter(|one| one.event_type == event::NOTICE_PUBLISHED);
    let published: Vec<String> = published.map(|one| one.notice.clone()).collect();
    let published: HashMap<String, Notice> = store.at("name", published, head).await?;
    let mut tellings: HashMap<Key, Result<Telling>> = HashMap::new();
    let mut jobs = Vec::with_capacity(claimed.len());
    for one in claimed {
        let key = Telling::key(&one);
        if !tellings.contains_key(&key) {
            let telling = Box::pin(Telling::read(store, &channels.public_url, &one)).await;
            if let Err(error) = &telling
                && error.reason() == Reason::DatabaseUnavailable
            {
                // It is due again when its lease is over.
                return Err(Error::new(Reason::DatabaseUnavailable, "what is to be told could not be read"));
            }
            tellings.insert(key.clone(), telling);
        }
        let job = match tellings.get(&key) {
            Some(Ok(telling)) => {
                let context = Context {
                    channels,
                    now,
                    telling,
                    subscription: subscriptions.get(&one.subscription),
                    secrets: &secrets,
                    customer: customers.get(&one.customer),
                    recipient: recipient_of(&one).and_then(|name| recipients.get(&name)),
                    published: published.get(&one.notice).filter(|_| one.event_type == event::NOTICE_PUBLISHED),
                };
                context.job(&one).unwrap_or_else(|error| unmade(&error))
            }
            Some(Err(error)) => unmade(error),
            None => continue,
        };
        jobs.push((one, job));
    }
    Ok(jobs)
}

/// What cannot be made: what it would tell of is gone for good, anything else can be mended.
fn unmade(error: &Error) -> Job {
    match error.reason() {
        Reason::ResourceNotFound | Reason::ResourceErased | Reason::ResourceDeleted => {
            Job::Drop(format!("what it would say cannot be read: {error}"))
        }
        _ => {
            error.log("a delivery could not be made; it is tried again");
            Job::Unmade(format!("it could not be made: {error}"))
        }
    }
}

/// The recipient that the customer of a delivery is of its notice.
fn recipient_of(claimed: &Claimed) -> Option<String> {
    if claimed.customer.is_empty() {
        return None;
    }
    let notice = Name::parse(&claimed.notice).filter(|name| name.kind() == Kind::Notice)?;
    Some(recipient::name_of(&notice, &claimed.customer).to_string())
}

/// What one delivery is prepared from.
struct Context<'a> {
    channels: &'a Channels,
    now: Timestamp,
    telling: &'a Telling,
    subscription: Option<&'a Subscription>,
    secrets: &'a HashMap<String, Vec<Vec<u8>>>,
    /// That is told by contract.
    customer: Option<&'a Customer>,
    recipient: Option<&'a NoticeRecipient>,
    /// Where it is told that a notice is published: that notice as it is by now.
    published: Option<&'a Notice>,
}

impl Context<'_> {
    fn job(&self, claimed: &Claimed) -> Result<Job> {
        if claimed.subscription.is_empty() {
            return self.contractual(claimed);
        }
        let Some(subscription) = self.subscription else {
            return Ok(Job::Drop("the subscription has ended".to_owned()));
        };
        let is_question = claimed.event_type == event::VERIFICATION;
        let may_be_sent = match subscription.state() {
            State::Active => !is_question,
            State::PendingVerification | State::Disabled => is_question,
            State::Paused | State::Unspecified => false,
        };
        if !may_be_sent {
            let state = subscription.state().as_str_name().trim_start_matches("STATE_");
            return Ok(Job::Drop(format!("the subscription is {state}")));
        }
        match &subscription.channel {
            Some(Channel::Webhook(webhook)) => self.webhook(claimed, subscription, &webhook.uri),
            Some(Channel::Email(email)) => self.mail(claimed, subscription, &email.address),
            None => Ok(Job::Drop("the subscription leads nowhere".to_owned())),
        }
    }

    /// The recipient of the notice that the customer is, as the delivery tells it.
    fn told(&self, claimed: &Claimed) -> Result<Option<NoticeRecipient>> {
        let counts = !claimed.recipient.is_empty();
        let told = |one: &NoticeRecipient| match counts {
            true => self.telling.as_told(one, self.now),
            false => Ok(one.clone()),
        };
        self.recipient.map(told).transpose()
    }

    fn webhook(&self, claimed: &Claimed, subscription: &Subscription, uri: &str) -> Result<Job> {
        // Programs sort by revision, and are sent again whatever they ask for; but not late what is no longer so.
        let by_now = self.published.filter(|_| claimed.is_retry);
        if by_now.is_some_and(|notice| self.telling.is_withdrawn(notice)) {
            return Ok(Job::Drop(WITHDRAWN.to_owned()));
        }
        let sealer = self.channels.sealer()?;
        let sealed = self.secrets.get(&subscription.uid).map(Vec::as_slice).unwrap_or_default();
        let mut keys = Vec::with_capacity(sealed.len());
        for one in sealed {
            let text = sealer.open(&subscription.name, one)?;
            keys.push(Secret::parse(&text).map_err(Error::internal)?);
        }
        if keys.is_empty() {
            return Ok(Job::Drop("the subscription has no secret".to_owned()));
        }
        let mut data = self.telling.data(self.told(claimed)?.as_ref(), by_now);
        data["subscription"] = json!(subscription.name);
        let mut challenge = String::new();
        if claimed.event_type == event::VERIFICATION {
            challenge = self.channels.token(Purpose::Verify, subscription)?;
            data["challenge"] = json!(challenge);
        }
        if claimed.event_type == event::DELIVERY_DEAD {
            data["notice"] = Value::String(claimed.notice.clone());
        }
        let made = Timestamp::from_microsecond(claimed.create_time).unwrap_or(self.now);
        let subject = if claimed.notice.is_empty() { &self.telling.organization.name } else { &claimed.notice };
        let event = json!({
            "specversion": "1.0",
            "id": claimed.id(),
            "source": self.channels.page(&self.telling.organization.name),
            "type": format!("{PREFIX}{}", claimed.event_type),
            "subject": subject,
            "time": made.to_string(),
            "datacontenttype": "application/json",
            "data": data,
        });
        let body = serde_json::to_vec(&event).map_err(Error::internal)?;
        Ok(Job::Webhook { uri: uri.to_owned(), keys, body, challenge })
    }

    fn mail(&self, claimed: &Claimed, subscription: &Subscription, to: &str) -> Result<Job> {
        let link = |purpose, page: &str| -> Result<String> {
            let token = self.channels.token(purpose, subscription)?;
            Ok(self.channels.page(&format!("{}/{page}?token={token}", subscription.name)))
        };
        let unsubscribe = link(Purpose::Unsubscribe, "unsubscribe")?;
        let content = match claimed.event_type.as_str() {
            event::VERIFICATION => Some(Content::ConfirmSubscription(contents::Confirmation {
                confirm_uri: link(Purpose::Verify, "confirm")?,
            })),
            event::TEST => Some(Content::Test(contents::Test { time: self.now.to_string() })),
            _ => self.telling.content(self.told(claimed)?.as_ref(), self.published, self.now),
        };
        let is_question = claimed.event_type == event::VERIFICATION;
        self.written(claimed, content, to, Some(unsubscribe).filter(|_| !is_question))
    }

    /// A mail to a contact that an agreement asks for: there is nothing to unsubscribe from.
    fn contractual(&self, claimed: &Claimed) -> Result<Job> {
        if claimed.endpoint.is_empty() {
            return Ok(Job::Drop("the address was erased".to_owned()));
        }
        if self.customer.is_none() {
            return Ok(Job::Drop("the customer is deleted".to_owned()));
        }
        let content = self.telling.content(self.told(claimed)?.as_ref(), self.published, self.now);
        self.written(claimed, content, &claimed.endpoint, None)
    }

    fn written(
        &self,
        claimed: &Claimed,
        content: Option<Content>,
        to: &str,
        unsubscribe: Option<String>,
    ) -> Result<Job> {
        if self.published.is_some_and(|notice| self.telling.is_withdrawn(notice)) {
            return Ok(Job::Drop(WITHDRAWN.to_owned()));
        }
        let Some(content) = content else { return Ok(Job::Drop("there is nothing to say".to_owned())) };
        let mail = self.channels.mail()?;
        let address = match address::check(to, mail.smtputf8) {
            Ok(address) => address,
            // Another mail server may take it.
            Err(rule) => return Ok(Job::Unmade(format!("the address {rule}"))),
        };
        let about = About {
            organization: self.telling.organization.display_name.clone(),
            list_uri: self.telling.links.page.clone(),
            contact: self.telling.contact(),
            address: to.to_owned(),
            contractual: claimed.subscription.is_empty(),
            unsubscribe_uri: unsubscribe.clone().unwrap_or_default(),
        };
        let rendered = mail.templates.render(&about, &content)?;
        let date = Timestamp::from_microsecond(claimed.create_time).unwrap_or(self.now);
        Ok(Job::Mail(Box::new(Mail {
            id: claimed.id().to_owned(),
            date,
            to: Mailbox { name: String::new(), address },
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            list_unsubscribe: unsubscribe,
        })))
    }
}
