//! Resource names: parsed and checked once, at the edge, and typed from there on.

use std::fmt;

use crate::error::{Error, Result, clip};

/// The types of resource that have names, rows and changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum Kind {
    /// `organizations/{organization}`
    Organization = 1,
    /// `organizations/{organization}/documents/{document}`
    Document = 2,
    /// `organizations/{organization}/customers/{customer}`
    Customer = 3,
    /// `vendors/{vendor}`
    Vendor = 4,
    /// `organizations/{organization}/subprocessors/{subprocessor}`
    Subprocessor = 5,
    /// `instruments/{instrument}`
    Instrument = 6,
    /// `vendors/{vendor}/certifications/{certification}`, or the same under an organization
    Certification = 7,
    /// `organizations/{organization}/transfers/{transfer}`
    Transfer = 8,
    /// `organizations/{organization}/acknowledgements/{acknowledgement}`
    Acknowledgement = 9,
    /// `organizations/{organization}/notices/{notice}`
    Notice = 10,
    /// `organizations/{organization}/notices/{notice}/recipients/{recipient}`
    Recipient = 11,
    /// `organizations/{organization}/notices/{notice}/objections/{objection}`
    Objection = 12,
    /// `organizations/{organization}/subscriptions/{subscription}`
    Subscription = 13,
}

impl Kind {
    /// Every kind. What a kind refers to comes before it, so that writing in this order never dangles.
    pub const ALL: [Self; 13] = [
        Self::Instrument,
        Self::Vendor,
        Self::Organization,
        Self::Certification,
        Self::Document,
        Self::Subprocessor,
        Self::Transfer,
        Self::Customer,
        Self::Acknowledgement,
        Self::Notice,
        Self::Recipient,
        Self::Objection,
        Self::Subscription,
    ];

    /// The collection segment, which is also the word for the type in requests: `subprocessors`.
    pub const fn collection(self) -> &'static str {
        match self {
            Self::Organization => "organizations",
            Self::Document => "documents",
            Self::Customer => "customers",
            Self::Vendor => "vendors",
            Self::Subprocessor => "subprocessors",
            Self::Instrument => "instruments",
            Self::Certification => "certifications",
            Self::Transfer => "transfers",
            Self::Acknowledgement => "acknowledgements",
            Self::Notice => "notices",
            Self::Recipient => "recipients",
            Self::Objection => "objections",
            Self::Subscription => "subscriptions",
        }
    }

    /// The full name of the message.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Organization => "subprocessor.registry.v1.Organization",
            Self::Document => "subprocessor.registry.v1.Document",
            Self::Customer => "subprocessor.registry.v1.Customer",
            Self::Vendor => "subprocessor.registry.v1.Vendor",
            Self::Subprocessor => "subprocessor.registry.v1.Subprocessor",
            Self::Instrument => "subprocessor.registry.v1.Instrument",
            Self::Certification => "subprocessor.registry.v1.Certification",
            Self::Transfer => "subprocessor.registry.v1.Transfer",
            Self::Acknowledgement => "subprocessor.registry.v1.Acknowledgement",
            Self::Notice => "subprocessor.registry.v1.Notice",
            Self::Recipient => "subprocessor.registry.v1.NoticeRecipient",
            Self::Objection => "subprocessor.registry.v1.Objection",
            Self::Subscription => "subprocessor.registry.v1.Subscription",
        }
    }

    /// The field that names it in requests: `subprocessor`.
    pub const fn singular(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Document => "document",
            Self::Customer => "customer",
            Self::Vendor => "vendor",
            Self::Subprocessor => "subprocessor",
            Self::Instrument => "instrument",
            Self::Certification => "certification",
            Self::Transfer => "transfer",
            Self::Acknowledgement => "acknowledgement",
            Self::Notice => "notice",
            Self::Recipient => "recipient",
            Self::Objection => "objection",
            Self::Subscription => "subscription",
        }
    }

    /// The kinds it can live under; none: it lives under nothing.
    pub const fn parents(self) -> &'static [Self] {
        match self {
            Self::Document
            | Self::Customer
            | Self::Subprocessor
            | Self::Transfer
            | Self::Acknowledgement
            | Self::Notice
            | Self::Subscription => &[Self::Organization],
            Self::Recipient | Self::Objection => &[Self::Notice],
            Self::Certification => &[Self::Vendor, Self::Organization],
            Self::Organization | Self::Vendor | Self::Instrument => &[],
        }
    }

    /// Whether it lives under another resource.
    pub const fn has_parent(self) -> bool {
        !self.parents().is_empty()
    }

    /// The kind whose number a row holds.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i16 == number)
    }

    /// The kind of a collection segment.
    pub fn from_collection(collection: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.collection() == collection)
    }

    /// The pattern of its names; of those that can live under several kinds, all of them.
    pub fn pattern(self) -> String {
        let own = format!("{}/{{{}}}", self.collection(), self.singular());
        match self.parents() {
            [] => own,
            parents => {
                parents.iter().map(|parent| format!("{}/{own}", parent.pattern())).collect::<Vec<_>>().join(" or ")
            }
        }
    }
}

/// The name of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    kind: Kind,
    text: String,
}

impl Name {
    /// The name of `id` in the collection of `kind`, under `parent` where it has one.
    pub fn new(kind: Kind, parent: Option<&Self>, id: &str) -> Self {
        let collection = kind.collection();
        let text = match parent {
            Some(parent) => format!("{parent}/{collection}/{id}"),
            None => format!("{collection}/{id}"),
        };
        Self { kind, text }
    }

    /// The name that `text` is, whatever its kind.
    pub fn parse(text: &str) -> Option<Self> {
        // One more than the longest name has, so that a longer text is none.
        let segments: Vec<&str> = text.splitn(7, '/').collect();
        let mut above: Option<Kind> = None;
        for pair in segments.chunks(2) {
            let [collection, id] = pair else { return None };
            let kind = Kind::from_collection(collection)?;
            let fits = above.map_or(!kind.has_parent(), |above| kind.parents().contains(&above));
            if !fits || !is_id(id) {
                return None;
            }
            above = Some(kind);
        }
        above.map(|kind| Self { kind, text: text.to_owned() })
    }

    /// The name of a `kind` in a request's `field`.
    ///
    /// # Errors
    /// FIELD_INVALID with the pattern that was expected.
    pub fn of(kind: Kind, field: &str, text: &str) -> Result<Self> {
        Self::parse(text).filter(|name| name.kind == kind).ok_or_else(|| {
            Error::field(field, format!("must be a name of the form {}, not \"{}\"", kind.pattern(), clip(text)))
        })
    }

    /// What it names.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its last segment.
    pub fn id(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// The organization it is, or lives under.
    pub fn organization(&self) -> Option<Self> {
        let mut above = self.clone();
        while above.kind.has_parent() {
            above = above.parent()?;
        }
        (above.kind == Kind::Organization).then_some(above)
    }

    /// The resource it lives under.
    pub fn parent(&self) -> Option<Self> {
        let (above, _) = self.text.rsplit_once('/')?.0.rsplit_once('/')?;
        Self::parse(above)
    }

    /// The resource a `kind` is to live under, in a request's `parent` field.
    ///
    /// # Errors
    /// FIELD_INVALID with the patterns that were expected.
    pub fn parent_of(kind: Kind, text: &str) -> Result<Self> {
        Self::parse(text).filter(|name| kind.parents().contains(&name.kind)).ok_or_else(|| {
            let patterns = kind.parents().iter().map(|parent| parent.pattern()).collect::<Vec<_>>().join(" or ");
            Error::field("parent", format!("must be a name of the form {patterns}, not \"{}\"", clip(text)))
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where a list looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parent {
    /// Under one organization.
    Organization(Name),
    /// Under one vendor.
    Vendor(Name),
    /// Under one notice.
    Notice(Name),
    /// Under every resource of a kind (`organizations/-`).
    Every(Kind),
    /// Everywhere: a collection without a parent.
    Any,
}

impl Parent {
    /// The parent in a request's `parent` field, of a list of `kind`: a resource that one lives under, or `-` in place
    /// of its id for all (AIP-159).
    ///
    /// # Errors
    /// FIELD_INVALID if it is neither.
    pub fn of(kind: Kind, text: &str) -> Result<Self> {
        // `organizations/-/notices/-` is everywhere, `organizations/a/notices/-` all of one organization.
        if let Some(organizations) = text.strip_suffix("/notices/-").filter(|_| kind.parents() == [Kind::Notice]) {
            return Self::of(Kind::Notice, organizations);
        }
        if let Some(collection) = text.strip_suffix("/-")
            && let Some(above) = kind.parents().iter().find(|above| above.collection() == collection)
        {
            // What lives under one kind only is everywhere when it is under all of them.
            return Ok(if kind.parents().len() == 1 { Self::Any } else { Self::Every(*above) });
        }
        let name = Name::parent_of(kind, text)?;
        Ok(match name.kind() {
            Kind::Vendor => Self::Vendor(name),
            Kind::Notice => Self::Notice(name),
            _ => Self::Organization(name),
        })
    }

    /// One organization or all of them, in the `parent` field of a request about everything an organization has.
    ///
    /// # Errors
    /// FIELD_INVALID if it is neither.
    pub fn of_organizations(text: &str) -> Result<Self> {
        Self::of(Kind::Subprocessor, text)
    }
}

/// Whether `text` can be an id: lowercase letters, digits and hyphens, at most 63, beginning and ending with a letter
/// or digit (RFC 1034, with a leading digit allowed).
pub fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    matches!(bytes.len(), 1..=63)
        && bytes.iter().all(|b| plain(b) || *b == b'-')
        && bytes.first().is_some_and(plain)
        && bytes.last().is_some_and(plain)
}

/// The rule that [`is_id`] tests, in words.
pub const ID_RULE: &str =
    "must be 1 to 63 lowercase letters, digits and hyphens, beginning and ending with a letter or digit";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_print() {
        for text in ["vendors/aws", "organizations/a-1", "organizations/a/subprocessors/0x", "instruments/eu"] {
            assert_eq!(Name::parse(text).map(|n| n.to_string()).as_deref(), Some(text));
        }
        let nested = Name::parse("organizations/a/notices/b/objections/c").expect("a name");
        assert_eq!((nested.kind(), nested.id()), (Kind::Objection, "c"));
        assert_eq!(nested.parent().map(|n| n.to_string()).as_deref(), Some("organizations/a/notices/b"));
        assert_eq!(nested.organization().map(|n| n.to_string()).as_deref(), Some("organizations/a"));
        let name = Name::parse("organizations/a/documents/b").expect("a name");
        assert_eq!((name.kind(), name.id()), (Kind::Document, "b"));
        assert_eq!(name.parent().map(|n| n.to_string()).as_deref(), Some("organizations/a"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "vendors",
            "vendors/",
            "vendors/AWS",
            "vendors/-a",
            "vendors/a-",
            "vendors/a/b",
            "documents/a",
            "organizations/a/vendors/b",
            "organizations/a/documents/b/c",
            "organizations/a/notices/b/documents/c",
            "organizations/a/documents/b/objections/c",
            "organizations/a/notices/-/objections/c",
            "organizations/a/notices/b/objections/c/d",
            "notices/b/objections/c",
            "vendors/a\0",
            "vendors/ä",
            "vendors/-",
        ] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
        assert!(!is_id(&"a".repeat(64)));
    }
}
