//! What it takes to send: keys, a mail server, addresses of our own pages. A server has all of it or refuses what needs it,
//! with the setting that is missing.

use std::fmt;

use super::{
    email::{Mailer, Templates},
    seal::{Purpose, Sealer},
    webhook::{self, Secret},
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{Subscription, subscription::Channel},
    resource::{address, shape::Violations},
    store::{Store, subscription::endpoint},
};

/// What a server can send, and by what.
pub struct Channels {
    /// Seals secrets and makes tokens; absent: there is no key.
    pub sealer: Option<Sealer>,
    /// Sends webhooks.
    pub webhooks: webhook::Sender,
    /// Sends mail; absent: there is no mail server.
    pub mail: Option<Mail>,
    /// Where the pages are, without a slash at the end.
    pub public_url: String,
}

/// What it takes to send mail.
pub struct Mail {
    /// Sends it.
    pub mailer: Mailer,
    /// What it says.
    pub templates: Templates,
    /// Whether the mail server takes addresses with other characters before the @ (RFC 6531).
    pub smtputf8: bool,
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channels")
            .field("sealer", &self.sealer)
            .field("mail", &self.mail.is_some())
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

fn missing(setting: &'static str, text: &str) -> Error {
    Error::new(Reason::ChannelNotConfigured, format!("{setting} is not set: {text}"))
        .with("setting", setting)
        .precondition("SETTING", setting, text)
}

impl Channels {
    /// The key.
    ///
    /// # Errors
    /// CHANNEL_NOT_CONFIGURED.
    pub fn sealer(&self) -> Result<&Sealer> {
        self.sealer
            .as_ref()
            .ok_or_else(|| missing("secrets.key", "there is no key to keep secrets and make links with"))
    }

    /// Says in the log if the key is not the one by which the secrets of webhooks were sealed; one of them tells. All else
    /// goes on without them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn check_key(&self, store: &Store) -> Result<()> {
        let Some((subscription, sealed)) = store.oldest_secret(store.clock().now()).await? else { return Ok(()) };
        match &self.sealer {
            None => tracing::warn!(
                subscription,
                "secrets.key is not set, but there are webhooks whose secrets it sealed: nothing is sent to them"
            ),
            Some(sealer) if sealer.open(&subscription, &sealed).is_err() => tracing::warn!(
                subscription,
                "the secrets of webhooks were sealed by another key: put secrets.key back, or the file secret.key beside \
                 the embedded database; or give each webhook another with `subscriptions rotate NAME --overlap PT0S`"
            ),
            Some(_) => {}
        }
        Ok(())
    }

    /// The mail server.
    ///
    /// # Errors
    /// CHANNEL_NOT_CONFIGURED.
    pub fn mail(&self) -> Result<&Mail> {
        self.mail.as_ref().ok_or_else(|| missing("email.smtp_host", "there is no mail server"))
    }

    /// What is wrong with where a subscription leads to, as far as can be told without going there.
    ///
    /// # Errors
    /// CHANNEL_NOT_CONFIGURED.
    pub fn check(&self, subscription: &Subscription, out: &mut Violations) -> Result<()> {
        match &subscription.channel {
            Some(Channel::Webhook(webhook)) if !webhook.uri.is_empty() => {
                if let Err(rule) = webhook::check_uri(&webhook.uri, self.webhooks.policy()) {
                    out.push(("subscription.webhook.uri".to_owned(), rule));
                }
            }
            Some(Channel::Email(email)) if !email.address.is_empty() => {
                let smtputf8 = self.mail()?.smtputf8;
                if let Err(rule) = address::check(&email.address, smtputf8) {
                    out.push(("subscription.email.address".to_owned(), rule));
                }
            }
            _ => {}
        }
        self.sealer().map(drop)
    }

    /// The secret that a caller gives a webhook, or a new one.
    ///
    /// # Errors
    /// FIELD_INVALID in `field`.
    pub fn secret(given: &str, field: &str) -> Result<Secret> {
        match given {
            "" => Secret::generate(),
            text => Secret::parse(text).map_err(|rule| Error::field(field, rule)),
        }
    }

    /// The token for a purpose of a subscription.
    ///
    /// # Errors
    /// CHANNEL_NOT_CONFIGURED.
    pub fn token(&self, purpose: Purpose, subscription: &Subscription) -> Result<String> {
        let endpoint = endpoint(subscription).unwrap_or_default();
        Ok(self.sealer()?.token(purpose, &subscription.name, endpoint))
    }

    /// Whether a token is the one for a purpose of a subscription.
    ///
    /// # Errors
    /// CHANNEL_NOT_CONFIGURED.
    pub fn is_token(&self, purpose: Purpose, subscription: &Subscription, token: &str) -> Result<bool> {
        let endpoint = endpoint(subscription).unwrap_or_default();
        Ok(self.sealer()?.is_token(purpose, &subscription.name, endpoint, token))
    }

    /// The address of a page.
    pub fn page(&self, path: &str) -> String {
        format!("{}/{path}", self.public_url)
    }
}
