//! What mails are about: what a template is given, under the names of these fields. A text that is empty is not known or
//! does not apply; templates leave out what has to do with it.

use serde::Serialize;

use super::templates::Kind;

/// What every mail says of itself, `about` in templates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// Whose list of sub-processors it is.
    pub organization: String,
    /// Where that list is.
    pub list_uri: String,
    /// Whom to write to.
    pub contact: String,
    /// The address that the mail goes to.
    pub address: String,
    /// That an agreement asks for it: then there is nothing to unsubscribe from.
    pub contractual: bool,
    /// Where to unsubscribe.
    pub unsubscribe_uri: String,
}

/// What the mail is about. In templates its fields stand beside `about`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// A notice was published.
    NoticePublished(Notice),
    /// A notice was withdrawn, wholly or in part: `changes` are those that will not happen.
    NoticeWithdrawn(Notice),
    /// A notice took effect: `changes` are those that apply now.
    NoticeEffective(Notice),
    /// The list changed without a notice.
    ListChanged(ListChange),
    /// Somebody, perhaps not the owner of the address, asked for a subscription. Nothing that they wrote is in the mail.
    ConfirmSubscription(Confirmation),
    /// A test of a subscription.
    Test(Test),
}

/// A notice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Its title.
    pub title: String,
    /// What its author wrote, in paragraphs.
    pub body: String,
    /// Where it can be read.
    pub notice_uri: String,
    /// What it announces.
    pub changes: Vec<Change>,
    /// Why it could not wait, if it was an emergency; why it was withdrawn, if it was.
    pub reason: String,
    /// Where to object. If empty, and a change has an `object_by`, one objects by answering the mail.
    pub object_uri: String,
    /// What silence means: `GENERAL` (consent) or `SPECIFIC` (refusal). Empty: nothing is agreed, or nothing comes of it.
    pub authorization: String,
}

/// One change of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// As in the contract, short: `ADD`, `REPLACE`, `REMOVE`, `CHANGE_PURPOSE`, …
    pub kind: String,
    /// The sub-processor, as the list writes it.
    pub subprocessor: String,
    /// What differs from what was, if it stays on the list: then the fields that follow say what is left as it was, too.
    pub differences: Vec<Difference>,
    /// The company behind it: the legal entity, or else whom people know it by.
    pub entity: String,
    /// What it does.
    pub purposes: Vec<String>,
    /// What it is used for; none: everything.
    pub products: Vec<String>,
    /// When it is used, if not always.
    pub condition: String,
    /// Where.
    pub locations: Vec<String>,
    /// With which data.
    pub data: Vec<String>,
    /// Special categories (GDPR Art. 9 and 10) among them.
    pub special_data: Vec<String>,
    /// What makes the transfer lawful, in plain words.
    pub transfer: String,
    /// Whom it replaces.
    pub replaces: Vec<String>,
    /// From when on it applies to whom the mail goes to, as people write it, with the time zone. Empty: not known.
    pub takes_effect: String,
    /// The same where only a first moment is known.
    pub not_before: String,
    /// Until when one can object, or has to authorize it; empty where it waits for no answer, or no longer.
    pub object_by: String,
}

/// Something that is said of a sub-processor, differently than before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What programs know it by: `name`, `purposes`, `locations`, …
    pub key: String,
    /// What people call it.
    pub heading: String,
    /// What was said; nothing where nothing was stated.
    pub before: Vec<String>,
    /// What is said.
    pub after: Vec<String>,
}

/// A change without a notice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ListChange {
    /// When it was made.
    pub date: String,
    /// What changed.
    pub changes: Vec<Change>,
}

/// A request for a subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Confirmation {
    /// Where to confirm it.
    pub confirm_uri: String,
}

/// A test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Test {
    /// When it was asked for.
    pub time: String,
}

impl Content {
    /// Which mail that is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoticePublished(_) => Kind::NoticePublished,
            Self::NoticeWithdrawn(_) => Kind::NoticeWithdrawn,
            Self::NoticeEffective(_) => Kind::NoticeEffective,
            Self::ListChanged(_) => Kind::ListChanged,
            Self::ConfirmSubscription(_) => Kind::ConfirmSubscription,
            Self::Test(_) => Kind::Test,
        }
    }
}
