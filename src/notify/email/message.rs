//! A mail, and the bytes of it (RFC 5322, RFC 2045).

use jiff::Timestamp;

use crate::resource::address::Address;

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
    /// One line.
    pub subject: String,
    /// The mail as text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// Where one request unsubscribes (RFC 8058); none in mails that a contract asks for.
    pub list_unsubscribe: Option<String>,
    /// That no person wrote it (`Auto-Submitted`, RFC 3834).
    pub auto_submitted: bool,
    /// The `id` of an earlier mail that this one belongs to.
    pub reference: Option<String>,
    /// The language of the text, such as `en`; empty to say nothing.
    pub language: String,
}
