//! The settings of the channels by which customers are told: webhooks and e-mail.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use serde::Deserialize;

use super::{read_secret, value::within};
use crate::{
    notify::{
        email::{self, Mailbox, Tls},
        outbox::Pace,
        seal::Sealer,
        webhook,
    },
    resource::address,
};

/// How many times `webhook.concurrency` may be under way, with those that take long.
const HANGING: usize = 8;

/// What secrets are sealed with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// The key, as configured or as read from `key_file`; empty: see [`Secrets::sealer`].
    pub key: Hidden,
    /// A file that holds it.
    pub key_file: String,
}

impl Secrets {
    /// What seals by the key; without one, by that of the embedded database, which is beside it in `folder`.
    ///
    /// # Errors
    /// Why the key cannot be used.
    pub fn sealer(&self, folder: Option<&Path>) -> Result<Option<Sealer>, String> {
        match folder {
            _ if !self.key.0.is_empty() => Sealer::new(&self.key.0).map(Some),
            Some(folder) => Sealer::from_file(&folder.join("secret.key")).map(Some),
            None => Ok(None),
        }
    }

    /// Replaces what names a file by what the file holds.
    pub(super) fn read_secrets(&mut self) -> Option<(&'static str, String)> {
        read_secret("key", &mut self.key.0, &self.key_file).map(|text| ("secrets.key_file", text))
    }

    /// Adds every rule that these settings break.
    pub(super) fn check(&self, found: &mut Vec<(&'static str, String)>) {
        if let Some(Err(rule)) = (!self.key.0.is_empty()).then(|| Sealer::new(&self.key.0)) {
            let key = if self.key_file.is_empty() { "secrets.key" } else { "secrets.key_file" };
            found.push((key, rule));
        }
    }
}

/// How webhooks are sent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// How long one attempt may take.
    pub timeout_seconds: f64,
    /// How much of an answer's body is read.
    pub max_response_bytes: usize,
    /// Accept http:// URIs too.
    pub allow_http: bool,
    /// Networks that are accepted although they are not public.
    pub allow_private_networks: Vec<IpNet>,
    /// A file of authorities that are trusted beside Mozilla's; empty for none.
    pub extra_ca_file: String,
    /// How long to wait after each failed attempt.
    pub retry_schedule_seconds: Vec<u64>,
    /// How far a wait may differ from the schedule, as a share of it.
    pub retry_jitter: f64,
    /// How many are sent at a time.
    pub concurrency: usize,
    /// How many of them for one subscription.
    pub endpoint_concurrency: usize,
}

/// How e-mail is sent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// The SMTP server; empty for no e-mail.
    pub smtp_host: String,
    /// Its port.
    pub smtp_port: u16,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// Accept a connection to another machine that is not encrypted.
    pub allow_plaintext: bool,
    /// A file of authorities that are trusted beside Mozilla's; empty for none.
    pub extra_ca_file: String,
    /// The user to log in as; empty for no login.
    pub user: String,
    /// The password, as configured or as read from `password_file`.
    pub password: Hidden,
    /// A file that holds the password.
    pub password_file: String,
    /// The name by which we greet; empty for the domain of `from`.
    pub ehlo_name: String,
    /// Who mails are from.
    pub from: String,
    /// Where answers go; empty for `from`.
    pub reply_to: String,
    /// Whether the server offers SMTPUTF8.
    pub smtputf8: bool,
    /// A directory with templates that replace ours; empty for none.
    pub templates_dir: String,
    /// How long one attempt may take.
    pub timeout_seconds: f64,
    /// How many are sent at a time.
    pub concurrency: usize,
    /// How long to wait after each failed attempt.
    pub retry_schedule_seconds: Vec<u64>,
}

/// A text that `Debug` does not show.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "…" })
    }
}

impl Webhook {
    /// How one attempt is made.
    pub fn options(&self) -> webhook::Options {
        webhook::Options {
            timeout: Duration::from_secs_f64(self.timeout_seconds),
            max_response_bytes: self.max_response_bytes,
            policy: webhook::Policy { allow_http: self.allow_http, private: self.allow_private_networks.clone() },
            extra_ca_file: path(&self.extra_ca_file),
        }
    }

    /// How attempts follow each other.
    pub fn pace(&self) -> Pace {
        Pace {
            schedule: self.retry_schedule_seconds.iter().map(|wait| Duration::from_secs(*wait)).collect(),
            jitter: self.retry_jitter,
            concurrency: self.concurrency,
            most: self.concurrency * HANGING,
            of_each: self.endpoint_concurrency,
            timeout: Duration::from_secs_f64(self.timeout_seconds),
        }
    }

    /// Adds every rule that these settings break.
    pub(super) fn check(&self, found: &mut Vec<(&'static str, String)>) {
        within("webhook.timeout_seconds", self.timeout_seconds, 0.05..=60.0, found);
        within("webhook.max_response_bytes", self.max_response_bytes, 1024..=1 << 20, found);
        check_schedule("webhook.retry_schedule_seconds", &self.retry_schedule_seconds, found);
        within("webhook.retry_jitter", self.retry_jitter, 0.0..=0.5, found);
        within("webhook.concurrency", self.concurrency, 1..=1024, found);
        within("webhook.endpoint_concurrency", self.endpoint_concurrency, 1..=64, found);
    }
}

impl Email {
    /// Whether e-mail is sent at all.
    pub fn is_on(&self) -> bool {
        !self.smtp_host.is_empty()
    }

    /// How one mail is sent; none where e-mail is off, or cannot be on ([`super::Settings::validate`] says why).
    pub fn options(&self) -> Option<email::Options> {
        if !self.is_on() {
            return None;
        }
        let from = mailbox(&self.from).ok()?;
        let ehlo_name = if self.ehlo_name.is_empty() { from.address.domain() } else { &self.ehlo_name }.to_owned();
        Some(email::Options {
            host: self.smtp_host.clone(),
            port: self.smtp_port,
            tls: self.tls,
            extra_ca_file: path(&self.extra_ca_file),
            login: (!self.user.is_empty()).then(|| (self.user.clone(), self.password.0.clone())),
            ehlo_name,
            from,
            reply_to: mailbox(&self.reply_to).ok(),
            timeout: Duration::from_secs_f64(self.timeout_seconds),
            concurrency: self.concurrency,
        })
    }

    /// How attempts follow each other. All mails go through one server: there is no endpoint to spare.
    pub fn pace(&self) -> Pace {
        Pace {
            schedule: self.retry_schedule_seconds.iter().map(|wait| Duration::from_secs(*wait)).collect(),
            jitter: 0.1,
            concurrency: self.concurrency,
            // One connection each, and no more of them.
            most: self.concurrency,
            of_each: self.concurrency,
            timeout: Duration::from_secs_f64(self.timeout_seconds),
        }
    }

    /// The directory of the operator's templates.
    pub fn templates(&self) -> Option<PathBuf> {
        path(&self.templates_dir)
    }

    /// Replaces what names a file by what the file holds.
    pub(super) fn read_secrets(&mut self) -> Option<(&'static str, String)> {
        read_secret("password", &mut self.password.0, &self.password_file).map(|text| ("email.password_file", text))
    }

    /// Adds every rule that these settings break.
    pub(super) fn check(&self, found: &mut Vec<(&'static str, String)>) {
        if self.is_on() {
            if self.from.is_empty() {
                found.push(("email.from", "must be set where smtp_host is".to_owned()));
            }
            if self.tls == Tls::None && !self.allow_plaintext && !is_this_machine(&self.smtp_host) {
                let text = "none is for a server on this machine: use starttls or implicit, or accept with \
                            allow_plaintext that mails can be read on the way";
                found.push(("email.tls", text.to_owned()));
            }
        }
        if self.ehlo_name.chars().any(|c| !c.is_ascii_graphic()) || self.ehlo_name.len() > 255 {
            found.push(("email.ehlo_name", "must be a host name".to_owned()));
        }
        for (key, text) in [("email.from", &self.from), ("email.reply_to", &self.reply_to)] {
            if let Some(Err(rule)) = (!text.is_empty()).then(|| mailbox(text)) {
                found.push((key, rule));
            }
        }
        if self.user.is_empty() != self.password.0.is_empty() {
            found.push(("email.user", "a user and a password are set together, or neither".to_owned()));
        }
        within("email.smtp_port", self.smtp_port, 1..=u16::MAX, found);
        within("email.timeout_seconds", self.timeout_seconds, 0.05..=300.0, found);
        within("email.concurrency", self.concurrency, 1..=64, found);
        check_schedule("email.retry_schedule_seconds", &self.retry_schedule_seconds, found);
    }
}

/// Whether a host is the machine we run on, as far as its name tells.
fn is_this_machine(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

fn check_schedule(key: &'static str, waits: &[u64], found: &mut Vec<(&'static str, String)>) {
    if waits.is_empty() || waits.len() > 20 {
        found.push((key, format!("must have 1 to 20 waits, not {}", waits.len())));
    }
    if let Some(bad) = waits.iter().find(|&wait| !(1..=604_800).contains(wait)) {
        found.push((key, format!("each wait must be 1 to 604800 seconds, not {bad}")));
    }
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

/// Reads an address, or `Name <address>`.
fn mailbox(text: &str) -> Result<Mailbox, String> {
    let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"'), address),
        None => ("", text),
    };
    if name.chars().any(char::is_control) {
        return Err("the name must not have control characters".to_owned());
    }
    Ok(Mailbox { name: name.to_owned(), address: address::check(address.trim(), false)? })
}
