//! The SMTP client.

use std::{
    error::Error as _,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use lettre::{
    address::Envelope,
    transport::smtp::{
        client::AsyncSmtpConnection,
        commands::{Data, Mail as MailFrom, Rcpt},
        extension::{Extension, MailBodyParameter, MailParameter},
        response::Response,
    },
};
use serde::Deserialize;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{
    connection::{Dialer, Failure},
    message::{self, Mail, Mailbox},
    reply,
};
use crate::error::{Error, Result};

/// How a connection to the SMTP server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// From the first byte (RFC 8314 section 3.3).
    Implicit,
    /// By STARTTLS, without which nothing is sent (RFC 3207).
    Starttls,
    /// Not at all.
    None,
}

/// How mail is sent. `Debug` does not show the login.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// The server's name, by which its certificate is checked.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// A file of authorities (PEM) that are trusted beside Mozilla's.
    pub extra_ca_file: Option<PathBuf>,
    /// User and password, if one logs in.
    pub login: Option<(String, String)>,
    /// The name by which we greet.
    pub ehlo_name: String,
    /// Who mails are from.
    pub from: Mailbox,
    /// Where answers go, if not there.
    pub reply_to: Option<Mailbox>,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// How many connections are open at a time.
    pub concurrency: usize,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// What became of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The server has taken it over.
    Accepted {
        /// What it said, for the record.
        response: String,
    },
    /// It never will be: the address does not exist, or the like.
    Permanent {
        /// The server's code (RFC 5321 section 4.2.1); none if the mail did not get that far.
        code: Option<u16>,
        /// What it said, or what we say.
        text: String,
        /// That it was the address that it refused, not the message.
        of_address: bool,
    },
    /// Not now: worth another try.
    Transient {
        /// The server's code; none if there was no answer.
        code: Option<u16>,
        /// What it said, or what we say.
        text: String,
    },
}

/// For how long a connection that is not used is kept. Servers wait for five minutes (RFC 5321 section 4.5.3.2.7).
const IDLE: Duration = Duration::from_secs(60);

/// How much of what a server says is kept.
const KEPT: usize = 500;

/// Sends mail. Cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    options: Options,
    dialer: Dialer,
    /// How many connections may be open.
    slots: Semaphore,
    /// Those that are, and are not in use, with the time of their last use.
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Mailer {
    /// # Errors
    /// FIELD_INVALID, if a setting cannot be used.
    pub fn new(options: Options) -> Result<Self> {
        let dialer = Dialer::new(&options).map_err(|(key, text)| Error::field(key, text))?;
        let slots = Semaphore::new(options.concurrency);
        Ok(Self(Arc::new(Inner { options, dialer, slots, idle: Mutex::new(Vec::new()) })))
    }

    /// Hands a mail to the server, once. The time-out begins when there is a connection to be had.
    pub async fn send(&self, mail: &Mail) -> Sent {
        let inner = &*self.0;
        let message = match message::build(mail, &inner.options.from, inner.options.reply_to.as_ref()) {
            Ok(message) => message,
            Err(text) => return Sent::Permanent { code: None, text, of_address: false },
        };
        let Ok(_slot) = inner.slots.acquire().await else {
            return Sent::Transient { code: None, text: "the server is stopping".to_owned() };
        };
        let bytes = message.formatted();
        match timeout(inner.options.timeout, inner.hand_over(message.envelope(), &bytes)).await {
            Ok(Ok(response)) => Sent::Accepted { response: said(&response) },
            Ok(Err(refused)) => refused.means(),
            Err(_) => {
                let text = format!("no answer within {} seconds", inner.options.timeout.as_secs_f64());
                Sent::Transient { code: None, text }
            }
        }
    }
}

/// What the conversation was about when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Who we are: the connection, the login, the sender. Whatever is wrong there can be mended: a password, a listed address
    /// of ours.
    Us,
    /// Whom the mail goes to.
    Recipient,
    /// The mail.
    Message,
}

/// What went wrong, and when.
struct Refused {
    failure: Failure,
    stage: Stage,
}

impl Stage {
    fn refused(self, failure: impl Into<Failure>) -> Refused {
        Refused { failure: failure.into(), stage: self }
    }
}

impl Refused {
    /// What it means. Only the server's own word is final.
    fn means(self) -> Sent {
        let error = match self.failure {
            Failure::Io(error) => {
                tracing::warn!(%error, "the mail server cannot be reached");
                return Sent::Transient { code: None, text: "the mail server cannot be reached".to_owned() };
            }
            Failure::Unable(text) => return Sent::Transient { code: None, text: text.to_owned() },
            Failure::Smtp(error) => error,
        };
        let code: Option<u16> = error.status().and_then(|code| code.to_string().parse().ok());
        let text = match error.source() {
            Some(source) if code.is_some() => tidy(&source.to_string()),
            _ => tidy(&error.to_string()),
        };
        // Servers repeat addresses: what they said stands in the attempt only.
        tracing::debug!(reply = reply::codes(code, &text), stage = ?self.stage, "a mail was not sent");
        if error.is_permanent() && self.stage != Stage::Us && !reply::is_of_us(code, &text) {
            return Sent::Permanent { code, text, of_address: self.stage == Stage::Recipient };
        }
        Sent::Transient { code, text }
    }
}

impl Inner {
    async fn hand_over(&self, envelope: &Envelope, bytes: &[u8]) -> Result<Response, Refused> {
        let mut connection = match self.reuse().await {
            Some(connection) => connection,
            None => self.dialer.dial().await.map_err(|failure| Stage::Us.refused(failure))?,
        };
        match converse(&mut connection, envelope, bytes).await {
            Ok(response) => {
                if !connection.has_broken() {
                    self.keep(connection);
                }
                Ok(response)
            }
            Err(refused) => {
                connection.abort().await;
                Err(refused)
            }
        }
    }

    /// A connection that is open, if the server still thinks so too.
    async fn reuse(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (mut connection, used) = self.idle.lock().ok()?.pop()?;
            if used.elapsed() < IDLE && connection.test_connected().await {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.retain(|(_, used)| used.elapsed() < IDLE);
            idle.push((connection, Instant::now()));
        }
    }
}

/// What a server said, in one line of bounded length.
fn said(response: &Response) -> String {
    let text = response.message().collect::<Vec<_>>().join(" ");
    tidy(&format!("{} {text}", response.code()))
}

fn tidy(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(KEPT).collect::<String>().trim().to_owned()
}

/// Says what a mail takes, step by step: what a refusal means depends on what was refused.
async fn converse(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    bytes: &[u8],
) -> Result<Response, Refused> {
    let mut parameters = Vec::new();
    let server = connection.server_info();
    let addresses = envelope.to().iter().chain(envelope.from());
    if !addresses.map(AsRef::<str>::as_ref).all(str::is_ascii) {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Err(Stage::Us.refused(Failure::Unable("the address needs SMTPUTF8, which the mail server lacks")));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !bytes.is_ascii() {
        if !server.supports_feature(Extension::EightBitMime) {
            return Err(Stage::Us.refused(Failure::Unable("the mail needs 8BITMIME, which the mail server lacks")));
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let sender = MailFrom::new(envelope.from().cloned(), parameters);
    connection.command(sender).await.map_err(|error| Stage::Us.refused(error))?;
    for address in envelope.to() {
        let recipient = Rcpt::new(address.clone(), Vec::new());
        connection.command(recipient).await.map_err(|error| Stage::Recipient.refused(error))?;
    }
    connection.command(Data).await.map_err(|error| Stage::Message.refused(error))?;
    connection.message(bytes).await.map_err(|error| Stage::Message.refused(error))
}
