//! What mails say.

use std::path::Path;

use super::contents::{About, Content};
use crate::error::Result;

/// The mails that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A notice was published.
    NoticePublished,
    /// A notice was withdrawn, wholly or in part.
    NoticeWithdrawn,
    /// A notice took effect.
    NoticeEffective,
    /// The list changed without a notice.
    ListChanged,
    /// Somebody, perhaps not the owner of the address, asked for a subscription.
    ConfirmSubscription,
    /// A subscription was confirmed.
    Subscribed,
    /// A subscription was ended.
    Unsubscribed,
    /// A test of a subscription.
    Test,
}

/// A mail's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// As text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

/// The templates, tried.
#[derive(Clone)]
pub struct Templates {}

impl Templates {
    /// Ours, with those that a directory has in their place.
    ///
    /// # Errors
    /// FIELD_INVALID, with the file and the line of each template that cannot be used.
    pub fn new(directory: Option<&Path>) -> Result<Self> {
        let _ = directory;
        Ok(Self {})
    }

    /// Writes a mail.
    ///
    /// # Errors
    /// INTERNAL, if a template cannot be used with this content.
    pub fn render(&self, about: &About, content: &Content) -> Result<Rendered> {
        let _ = (about, content.kind());
        Ok(Rendered { subject: String::new(), text: String::new(), html: String::new() })
    }
}
