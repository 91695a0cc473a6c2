//! What templates show: times, changes and rows as people read them.

use jiff::{Timestamp, civil::Date};
use url::Url;

use super::assets;
use crate::{
    proto::v1::{Notice, NoticeChange, notice::State as NoticeState},
    rules::{
        notice::instant,
        publication::{
            Entry, Links, Objection, Upcoming, appearance,
            rows::{self, Difference, ROWS},
            words,
        },
    },
};

/// What stands around every page.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    /// What addresses begin with.
    pub(super) root: String,
    /// Whose page it is.
    pub(super) of: Option<Of>,
    /// Which of its pages it is.
    pub(super) here: &'static str,
}

impl Frame {
    /// The name of the style sheet.
    pub(super) fn style(&self) -> &'static str {
        assets::style_name()
    }

    /// The name of the style sheet with the colours.
    pub(super) fn accent(&self) -> String {
        assets::accent_name(self.of.as_ref().map_or(appearance::ACCENT, |of| of.accent))
    }
}

/// Whose page it is.
#[derive(Debug, Clone)]
pub(super) struct Of {
    /// What people call the organization.
    pub(super) name: String,
    /// The heading of its list.
    pub(super) title: String,
    /// Where its pages are.
    pub(super) links: Links,
    /// Whether it has a logo.
    pub(super) logo: bool,
    /// What that shows.
    pub(super) logo_text: String,
    /// Its colour.
    pub(super) accent: appearance::Colour,
}

/// A day or an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    /// For programs.
    pub(super) machine: String,
    /// For people.
    pub(super) said: String,
}

impl When {
    /// An ISO 8601 day; none for none.
    pub(super) fn day(text: &str) -> Option<Self> {
        text.parse::<Date>().ok()?;
        Some(Self { machine: text.to_owned(), said: words::day(text) })
    }

    /// An instant.
    pub(super) fn at(instant: Timestamp) -> Self {
        Self { machine: instant.to_string(), said: instant.strftime("%-d %B %Y, %H:%M UTC").to_string() }
    }

    /// An instant as RFC 3339; none for none.
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::at)
    }
}

/// What is said of a thing, in order: heading and values.
pub(super) type Facts = Vec<(&'static str, Vec<String>)>;

/// A change as it is shown.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) anchor: String,
    pub(super) kind: &'static str,
    pub(super) summary: String,
    pub(super) emergency: bool,
    /// What is to be known of it beside its dates.
    pub(super) note: &'static str,
    pub(super) dates: Vec<(&'static str, When)>,
    pub(super) differences: Vec<Difference>,
    pub(super) facts: Facts,
    pub(super) text: String,
    pub(super) show_text: bool,
    pub(super) title: String,
    pub(super) objection: Option<Objection>,
    /// Where the notice is; empty on its own page.
    pub(super) link: String,
}

impl Card {
    /// A change among others.
    pub(super) fn new(change: &Upcoming, link: String) -> Self {
        let times = [
            ("Announced", &change.publish_time),
            ("Planned to take effect", &change.requested_effective_time),
            ("Not before", &change.not_before_time),
            ("For everybody not before", change.for_everybody()),
        ];
        let dates = times.into_iter().filter_map(|(label, time)| Some((label, When::read(time)?))).collect();
        let (differences, facts) = match (&change.before, &change.after) {
            (Some(before), Some(after)) => (rows::differences(before, after), Vec::new()),
            (None, Some(one)) | (Some(one), None) => {
                let company = company(one).map(|name| ("Company", vec![name]));
                (Vec::new(), company.into_iter().chain(facts(one, &["name"])).collect())
            }
            (None, None) => (Vec::new(), Vec::new()),
        };
        Self {
            anchor: format!("{}-{}", change.notice, change.change),
            kind: kind(&change.kind),
            summary: change.summary.clone(),
            emergency: change.emergency,
            note: "",
            dates,
            differences,
            facts,
            text: change.text.clone(),
            show_text: !link.is_empty(),
            title: change.title.clone(),
            objection: change.objection.clone(),
            link,
        }
    }
}

/// A kind of change in a word or two.
fn kind(word: &str) -> &'static str {
    match word {
        "ADD" => "New sub-processor",
        "REPLACE" => "Replacement",
        "REMOVE" => "Removal",
        "CHANGE_PURPOSE" => "Change of purpose",
        "CHANGE_LOCATION" => "Change of location",
        "CHANGE_DATA" => "Change of data",
        "CHANGE_SCOPE" => "Change of scope",
        "CHANGE_MECHANISM" => "Change of transfer mechanism",
        "RENAME" => "Change of name",
        _ => "Change",
    }
}

/// Whom people know one by of which no legal entity is stated, if that is not its name already.
fn company(entry: &Entry) -> Option<String> {
    let vendor = entry.vendor.as_ref().filter(|vendor| entry.entity.is_none() && vendor.name != entry.name);
    vendor.map(|vendor| vendor.name.clone())
}

/// Everything that is said of an entry but these.
pub(super) fn facts(entry: &Entry, but: &[&str]) -> Facts {
    let rows = ROWS.iter().filter(|row| !but.contains(&row.key)).map(|row| (row.heading, row.spoken(entry)));
    rows.filter(|(_, said)| !said.is_empty()).collect()
}

/// Where a notice stands, in a sentence. `changes`: those of it that are shown.
pub(super) fn stands(notice: &Notice, changes: &[&NoticeChange]) -> String {
    let on = |time: Option<&prost_types::Timestamp>| {
        instant(time).map(|at| format!(" on {}", When::at(at).said)).unwrap_or_default()
    };
    let is_done = changes.iter().any(|one| one.effective_time.is_some());
    let is_withdrawn = changes.iter().any(|one| one.withdraw_time.is_some());
    let announced = format!("This was announced{}", on(notice.publish_time.as_ref()));
    match notice.state() {
        NoticeState::Effective if is_done => {
            let what = if is_withdrawn { "What was not withdrawn of this" } else { "This" };
            let held = if changes.iter().any(is_held) { ", but not for every customer yet" } else { "" };
            format!("{what} has taken effect{}{held}.", on(notice.effective_time.as_ref()))
        }
        NoticeState::Withdrawn | NoticeState::Effective => {
            format!("This was withdrawn{}; nothing changes.", on(notice.withdraw_time.as_ref()))
        }
        _ => match (is_done, is_withdrawn) {
            (false, false) => format!("{announced} and has not taken effect."),
            (false, true) => format!("{announced}. A part of it was withdrawn; the rest has not taken effect."),
            (true, false) => format!("{announced}. A part of it has taken effect."),
            (true, true) => format!("{announced}. A part of it has taken effect, and a part was withdrawn."),
        },
    }
}

/// Whether a change has taken effect, but not for every customer.
#[allow(clippy::trivially_copy_pass_by_ref)] // As iterators want it.
pub(super) fn is_held(change: &&NoticeChange) -> bool {
    change.effective_time.is_some() && change.held_back_count > 0
}

/// A row of the list.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) entry: &'a Entry,
    /// The legal entity, with its country, or else whom people know it by.
    pub(super) entity: String,
    pub(super) address: String,
    /// Whose web page it is.
    pub(super) host: String,
    pub(super) purposes: Vec<String>,
    /// What is only shown to those who ask.
    pub(super) more: Facts,
    pub(super) places: Vec<String>,
    /// What its transfers rest on, each with the small print.
    pub(super) mechanisms: Vec<(String, String)>,
    pub(super) since: Option<When>,
}

/// What has a column of its own, or a place beside the name.
const SHOWN: [&str; 11] = [
    "name",
    "legal_entity",
    "entity_country",
    "address",
    "purposes",
    "locations",
    "mechanisms",
    "since",
    "website",
    "status",
    "affiliate",
];

impl<'a> Row<'a> {
    pub(super) fn new(entry: &'a Entry) -> Self {
        let entity = entry.entity.as_ref();
        let country = entity.map(|one| one.country.as_str()).filter(|country| !country.is_empty());
        let named = entity.map(|one| one.legal_name.clone()).or_else(|| company(entry)).unwrap_or_default();
        let address = entity.map(|one| one.address.clone()).unwrap_or_default();
        // An address ends with its country already.
        let country = country.filter(|country| !address.contains(*country));
        let mut purposes = entry.purposes.clone();
        let mut but = SHOWN.to_vec();
        but.push("section");
        if purposes.is_empty() && !entry.service_description.is_empty() {
            purposes.push(entry.service_description.clone());
            but.push("service_description");
        }
        if purposes.is_empty() {
            purposes.push("not stated".to_owned());
        }
        let host = Url::parse(&entry.website_uri).ok().and_then(|url| Some(url.host_str()?.to_owned()));
        Self {
            entry,
            entity: country.map_or_else(|| named.clone(), |country| format!("{named}, {country}")),
            address,
            host: host.unwrap_or_default().trim_start_matches("www.").to_owned(),
            purposes,
            more: facts(entry, &but),
            places: entry.locations.iter().map(rows::place).collect(),
            mechanisms: entry.mechanisms.iter().map(|one| (rows::mechanism(one), rows::citation(one))).collect(),
            since: When::day(&entry.start_date),
        }
    }
}
