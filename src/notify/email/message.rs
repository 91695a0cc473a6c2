//! A mail, and the bytes of it (RFC 5322, RFC 2045).

use jiff::Timestamp;
use lettre::{
    Message,
    message::{
        MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};

use crate::resource::address::Address;

/// How long a name, an id or a URI may be, in bytes: a line has 998 (RFC 5322 section 2.1.1).
const LONGEST: usize = 900;
/// Characters of a subject: nobody is shown more, and no header needs them. Titles can be longer, and stand in the mail.
const SUBJECT: usize = 200;

/// Somebody's address with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The name; empty for none.
    pub name: String,
    /// The address.
    pub address: Address,
}

/// One mail to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// What tells this mail from every other; the same in every attempt. Its Message-ID is `<id@domain of the sender>`.
    pub id: String,
    /// When it was written (`Date`).
    pub date: Timestamp,
    /// Whom it goes to.
    pub to: Mailbox,
    /// One line; what is too long for a header is cut.
    pub subject: String,
    /// The mail as text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// Where one request unsubscribes (RFC 8058); none in mails that a contract asks for.
    pub list_unsubscribe: Option<String>,
}

/// The message that travels.
///
/// # Errors
/// Which part of the mail cannot be one. Nothing with a control character gets into a header.
pub(super) fn build(mail: &Mail, from: &Mailbox, reply_to: Option<&Mailbox>) -> Result<Message, String> {
    let mut builder = Message::builder()
        .from(mailbox(from)?)
        .to(mailbox(&mail.to)?)
        .date(mail.date.into())
        .subject(subject(&mail.subject)?)
        .message_id(Some(message_id(&mail.id, from)?));
    if let Some(reply_to) = reply_to {
        builder = builder.reply_to(mailbox(reply_to)?);
    }
    // No person wrote it (RFC 3834).
    builder = builder.raw_header(header("Auto-Submitted", "auto-generated".to_owned()));
    if let Some(uri) = &mail.list_unsubscribe {
        builder = builder
            .raw_header(header("List-Unsubscribe", format!("<{}>", link(uri)?)))
            .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
    }
    // Quoted-printable passes every server as it is, also one that wraps lines or has no 8BITMIME.
    let part = |kind, body: &str| {
        SinglePart::builder().header(ContentTransferEncoding::QuotedPrintable).header(kind).body(body.to_owned())
    };
    let body = MultiPart::alternative()
        .singlepart(part(ContentType::TEXT_PLAIN, &mail.text))
        .singlepart(part(ContentType::TEXT_HTML, &mail.html));
    builder.multipart(body).map_err(|error| error.to_string())
}

/// An address in the client's own type.
pub(super) fn address(address: &Address) -> Result<lettre::Address, String> {
    lettre::Address::new(address.local(), address.domain()).map_err(|error| format!("the address: {error}"))
}

fn mailbox(mailbox: &Mailbox) -> Result<lettre::message::Mailbox, String> {
    let name = if mailbox.name.is_empty() { None } else { Some(line("name", &mailbox.name)?) };
    Ok(lettre::message::Mailbox::new(name, address(&mailbox.address)?))
}

/// A subject is part of what somebody wrote: no mail fails because of how long it is, or where its lines would break.
fn subject(text: &str) -> Result<String, String> {
    let text = text.replace(['\u{2028}', '\u{2029}'], " ");
    match text.char_indices().nth(SUBJECT) {
        None => line("subject", &text),
        Some(_) => {
            let kept: String = text.chars().take(SUBJECT - 1).collect();
            line("subject", &format!("{}…", kept.trim_end()))
        }
    }
}

/// A text that is one line.
fn line(what: &str, text: &str) -> Result<String, String> {
    if text.len() > LONGEST {
        return Err(format!("the {what} has more than {LONGEST} bytes"));
    }
    match text.chars().find(|&c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        Some(c) => Err(format!("the {what} has a control character: {}", c.escape_default())),
        None => Ok(text.to_owned()),
    }
}

/// A text of letters, digits and what is named beside.
fn token(what: &str, text: &str, others: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    if !text.is_empty() && text.len() <= LONGEST && text.chars().all(good) {
        return Ok(text.to_owned());
    }
    Err(format!("the {what} must be letters, digits or one of {others}"))
}

fn message_id(id: &str, from: &Mailbox) -> Result<String, String> {
    Ok(format!("<{}@{}>", token("id", id, "-_.+")?, from.address.domain()))
}

/// A URI for a header, where brackets and spaces end it.
fn link(uri: &str) -> Result<&str, String> {
    let good = |b: u8| b.is_ascii_graphic() && !b"<>\"\\".contains(&b);
    let web = uri.starts_with("https://") || uri.starts_with("http://");
    if web && uri.len() <= LONGEST && uri.bytes().all(good) {
        return Ok(uri);
    }
    Err("the link to unsubscribe is not a URI".to_owned())
}

/// A header that is ASCII, and not to be folded: a link that was is none any more for some.
fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
