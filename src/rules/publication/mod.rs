//! What an organization publishes about its list: the machine-readable list itself, and what pages, feeds, webhooks and
//! e-mails are made of.
//!
//! The structs here are the format: what is serialized is what `/schemas/subprocessors.json` describes, and `import`
//! reads it back. They are built from what the registry holds by an allow-list, field by field ([`build`]): what nobody
//! named here is not published, whatever is added to the contract. Customers, those whom a change is held back from,
//! notes, findings, people and principals have no place in them.
//!
//! - [`build`]: what was read becomes a publication.
//! - [`history`]: how the list has changed.
//! - [`upcoming`]: changes that were announced and have not taken effect.
//! - [`rows`]: what is said of an entry, in plain words, whatever the form.
//! - [`select`]: what a reader is looking for.
//! - [`text`]: the list as CSV and Markdown.
//! - [`appearance`]: colours that can be read, images that can do nothing.
//! - [`words`]: how mechanisms, places and changes are called.

pub mod appearance;
pub mod build;
pub mod history;
pub mod rows;
pub mod select;
pub mod text;
pub mod upcoming;
pub mod words;

pub use build::{Known, Material, build};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the format. Fields may be added within it; none is renamed, removed or given another meaning.
pub const SCHEMA_VERSION: &str = "1.0";

/// Where the schema of the format is, below the address of the pages.
pub const SCHEMA_PATH: &str = "/schemas/subprocessors.json";

/// A company's list of sub-processors on one day, with the changes that it has announced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "List of sub-processors")]
pub struct Publication {
    /// Where the schema of this document is.
    #[serde(rename = "$schema", default, skip_serializing_if = "String::is_empty")]
    pub schema: String,
    /// The version of the format, `MAJOR.MINOR`. A reader that knows another minor version can read it too.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub schema_version: String,
    /// Whose list it is.
    pub organization: Publisher,
    /// The day (UTC) whose list it is.
    #[schemars(extend("format" = "date"))]
    pub date: String,
    /// A number that grows with every change of the data that the list is drawn from.
    #[schemars(range(min = 0))]
    pub revision: i64,
    /// When that data was last changed. Absent: not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "date-time"))]
    pub as_of: String,
    /// The list, by name.
    pub subprocessors: Vec<Entry>,
    /// Changes that were announced and have not taken effect, the oldest announcement first.
    pub upcoming: Vec<Upcoming>,
    /// Where the same is found in other forms.
    pub links: Links,
}

/// The lists that are published in one place, where there is more than one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Index of lists of sub-processors")]
pub struct Index {
    /// Where the schema of this document is.
    #[serde(rename = "$schema", default, skip_serializing_if = "String::is_empty")]
    pub schema: String,
    /// The version of the format, `MAJOR.MINOR`.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub schema_version: String,
    /// The lists, by the id of whose they are.
    pub lists: Vec<Listed>,
}

/// A list that is published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// Whose it is.
    pub organization: Named,
    /// Where it is.
    pub links: Links,
}

/// What is found at a well-known address: one list, or where several are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Lists of sub-processors")]
#[serde(untagged)]
#[allow(clippy::large_enum_variant)] // There is one at a time.
pub enum Document {
    /// One list.
    List(Publication),
    /// Where several are.
    Index(Index),
}

/// Whose list it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Publisher {
    /// What tells it apart from others that publish in the same place: lowercase letters, digits and hyphens.
    pub id: String,
    /// The name by which people know it.
    pub name: String,
    /// The legal entity.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub legal_name: String,
    /// ISO 3166-1 alpha-2 code of the country it is established in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(regex(pattern = "^[A-Z]{2}$"))]
    pub region_code: String,
    /// Its web site.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uri"))]
    pub website_uri: String,
    /// What it sells; entries can be limited to some of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<Named>,
    /// How its customers can object to a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objection: Option<Objection>,
}

/// Something with a name, and what tells it apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// What tells it apart from others of its kind.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// How customers can object to a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Objection {
    /// What to do, in plain text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instructions: String,
    /// Where to write to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "email"))]
    pub email: String,
    /// A page or a form.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uri"))]
    pub uri: String,
    /// The public promise: days between telling and doing. An agreement can provide for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub notice_days: Option<i32>,
    /// The public promise: days in which to object, from publication. An agreement can provide for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub objection_days: Option<i32>,
}

impl Objection {
    /// The address as a link.
    pub fn mailto(&self) -> String {
        let escaped: String = url::form_urlencoded::byte_serialize(self.email.as_bytes()).collect();
        format!("mailto:{}", escaped.replace("%40", "@"))
    }
}

/// One engagement on the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// What tells it apart on this list, also after its name changed: lowercase letters, digits and hyphens.
    pub id: String,
    /// Its name, as the list writes it. Can be that of a category of recipients.
    pub name: String,
    /// The company behind it, as people know it. Absent: not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Named>,
    /// The legal entity that is engaged. Absent: not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Entity>,
    /// Its web page.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uri"))]
    pub website_uri: String,
    /// What it is in this processing. Absent: not stated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("examples" = ["SUB_PROCESSOR", "PROCESSOR", "INDEPENDENT_CONTROLLER"]))]
    pub role: String,
    /// Whether it belongs to the publisher's own group. Absent: not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affiliate: Option<bool>,
    /// The heading under which the list has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    /// When it is used, if not always: "only if you enable …".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
    /// More on what it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service_description: String,
    /// The products it is used for. None: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<Named>,
    /// Categories of personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_categories: Vec<String>,
    /// Special categories (GDPR Art. 9 and 10) among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub special_categories: Vec<String>,
    /// Whose data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_subject_categories: Vec<String>,
    /// Where. None: not stated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<Place>,
    /// What its transfers of personal data rest on, on the day of the list. None: not stated, or none is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mechanisms: Vec<Mechanism>,
    /// The one on this list that engages it. Absent: the publisher itself, or one that is not on this list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engaged_by: Option<Named>,
    /// It is on the list, but not in use for now.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspended: bool,
    /// First day of the engagement. Absent: not stated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "date"))]
    pub start_date: String,
    /// First day on which it is no longer engaged. Absent: none is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "date"))]
    pub end_date: String,
}

/// A legal entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entity {
    /// Its legal name.
    pub legal_name: String,
    /// ISO 3166-1 alpha-2 code of the country it is established in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(regex(pattern = "^[A-Z]{2}$"))]
    pub region_code: String,
    /// That country, by its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub country: String,
    /// Its postal address, in one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// Which entity is engaged is not stated; this is the only one of the vendor that the publisher knows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub inferred: bool,
}

/// A place where, or from where, data is processed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// ISO 3166-1 alpha-2 code of the country. Absent: an area, or only the words are known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(regex(pattern = "^[A-Z]{2}$"))]
    pub region_code: String,
    /// What people call the place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// An area that is no country, such as `EU`, `EEA`, `GLOBAL`, `CUSTOMER_SELECTED`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub area: String,
    /// What happens there. `CORPORATE`: the company only sits there. Absent: not stated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("examples" = ["STORAGE", "PROCESSING", "ACCESS", "SUPPORT", "CORPORATE"]))]
    pub activity: String,
    /// The products for which this holds. None: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<Named>,
    /// The words in which it is stated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub verbatim: String,
}

/// What transfers of personal data rest on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mechanism {
    /// In plain words, such as "EU standard contractual clauses (2021/914), module three".
    pub title: String,
    /// The act, such as "Commission Implementing Decision (EU) 2021/914".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub citation: String,
    /// The law under which data is transferred.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("examples" = ["EU_GDPR", "UK_GDPR", "SWISS_FADP"]))]
    pub regime: String,
    /// ISO 3166-1 alpha-2 codes of the countries that data is transferred to, as far as they are stated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<String>,
}

/// A change that was announced and has not taken effect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Upcoming {
    /// The notice that announced it.
    pub notice: String,
    /// Which of the changes that the notice announced.
    pub change: String,
    /// What changes.
    #[schemars(extend("enum" = ["ADD", "REPLACE", "REMOVE", "CHANGE_PURPOSE", "CHANGE_LOCATION", "CHANGE_DATA", "CHANGE_SCOPE", "CHANGE_MECHANISM", "RENAME"]))]
    pub kind: String,
    /// The same in a plain sentence.
    pub summary: String,
    /// The heading of the notice.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What the notice says, in plain text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The entry as it is. Absent: it joins the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<Entry>>,
    /// The entry as it will be. Absent: it leaves the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Box<Entry>>,
    /// Those that leave the list when it joins it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Named>,
    /// The products that it concerns. None: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<Named>,
    /// When it was announced.
    #[schemars(extend("format" = "date-time"))]
    pub publish_time: String,
    /// When it is planned to take effect. Absent: as soon as it may.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "date-time"))]
    pub requested_effective_time: String,
    /// When it may take effect for everybody at the earliest, if nobody objects. Absent: not known yet, or it does not wait
    /// for customers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "date-time"))]
    pub earliest_effective_time: String,
    /// It takes effect for nobody before this: by the public promise, and, where all customers get it together, not before
    /// the last of them is clear. Absent: nothing is promised, or it does not wait for customers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "date-time"))]
    pub not_before_time: String,
    /// It cannot wait: it takes effect at once where agreements allow that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub emergency: bool,
    /// How to object. Absent: it does not wait for customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objection: Option<Objection>,
    /// Where it is announced.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uri-reference"))]
    pub link: String,
}

impl Upcoming {
    /// When it may take effect for everybody at the earliest, if that is more than is known for anybody.
    pub fn for_everybody(&self) -> &String {
        const NOTHING: &String = &String::new();
        if self.earliest_effective_time == self.not_before_time { NOTHING } else { &self.earliest_effective_time }
    }
}

/// Where the same is found in other forms. References are relative to the address of this document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Links {
    /// The page for people.
    #[schemars(extend("format" = "uri-reference"))]
    pub page: String,
    /// This document.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uri-reference"))]
    pub json: String,
    /// A table, `text/csv`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uri-reference"))]
    pub csv: String,
    /// A text, `text/markdown`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uri-reference"))]
    pub markdown: String,
    /// The Atom feed of what was announced and what has changed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uri-reference"))]
    pub feed: String,
    /// How the list has changed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uri-reference"))]
    pub history: String,
    /// Where to subscribe to changes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("format" = "uri-reference"))]
    pub subscribe: String,
}

impl Links {
    /// The links of an organization's list below `base`, which is the address of the pages without a slash at its end;
    /// empty for links that are relative to the server.
    pub fn of(base: &str, organization: &str) -> Self {
        let page = format!("{base}/organizations/{organization}");
        Self {
            json: format!("{page}/subprocessors.json"),
            csv: format!("{page}/subprocessors.csv"),
            markdown: format!("{page}/subprocessors.md"),
            feed: format!("{page}/feed.atom"),
            history: format!("{page}/history"),
            subscribe: String::new(),
            page,
        }
    }

    /// Where a notice is.
    pub fn notice(&self, notice: &str) -> String {
        format!("{}/notices/{notice}", self.page)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn is_false(value: &bool) -> bool {
    !value
}

/// The JSON Schema of [`Document`], which never changes while the server runs.
pub fn schema() -> String {
    static TEXT: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| format!("{:#}\n", schemars::schema_for!(Document).as_value()));
    TEXT.clone()
}

#[cfg(test)]
mod tests;
