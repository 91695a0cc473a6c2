//! What the pages share: where they are, what was asked for, and the publications that were made already.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    http::{HeaderMap, HeaderValue},
    response::Response,
};
use jiff::Timestamp;

use super::{
    reply::{digest, refusal_in, tag},
    subscribe::Limit,
    view::{Frame, Of},
};
use crate::{
    api::Api,
    error::{Error, Reason, Result, clip},
    proto::v1::{Organization, PublicPage, as_of::Point},
    resource::{
        name::{Kind, Name},
        shape::Violations,
        text,
    },
    rules::publication::{Links, Publication, appearance, build, history::midnight},
    store::{publication::Wanted, read::AsOf, version::day},
};

/// What the pages can be told.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where the world finds the pages, without a slash at its end; empty: links are relative to the server.
    pub public_url: String,
}

/// The pages.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) api: Api,
    /// What links begin with that are read elsewhere.
    pub(super) base: Arc<str>,
    /// What links begin with within the pages: browsers load nothing from another address than the page's own.
    pub(super) root: Arc<str>,
    /// How many mails may be asked for.
    pub(super) limit: Arc<Limit>,
    cache: Arc<Cache>,
}

/// The longest query, in bytes, and the longest value in it, in characters.
const MOST_QUERY: usize = 4_096;
const MOST_VALUE: usize = 200;

/// What newsletters, advertisements and search engines add to links, beside what begins with `utm_`.
const COUNTS_READERS: [&str; 10] =
    ["fbclid", "gclid", "gbraid", "wbraid", "dclid", "msclkid", "mc_cid", "mc_eid", "_hsenc", "_hsmi"];

/// What a query says; what is empty is not said, as forms send it.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    values: BTreeMap<String, String>,
    as_of: Option<AsOf>,
}

impl Asked {
    /// What was asked for under a key.
    pub(super) fn get(&self, key: &str) -> &str {
        self.values.get(key).map_or("", String::as_str)
    }

    /// Reads the query of a page for people, in which these keys are offered. What others write into its address, to
    /// count who follows it, is passed over. `date` is an ISO 8601 day, `as_of` a revision or a time, `page` a number
    /// from 1.
    ///
    /// # Errors
    /// FIELD_INVALID with everything in it that cannot be understood.
    pub(super) fn of_page(query: Option<&str>, offered: &[&str]) -> Result<Self> {
        Self::read(query, offered, |_| true)
    }

    /// The same of a file for programs. A key with a typing error in it must not give another list than the one that was
    /// meant: only what is known to count readers is passed over.
    ///
    /// # Errors
    /// FIELD_INVALID with everything in it that cannot be understood.
    pub(super) fn of_file(query: Option<&str>, offered: &[&str]) -> Result<Self> {
        Self::read(query, offered, |key| key.starts_with("utm_") || COUNTS_READERS.contains(&key))
    }

    fn read(query: Option<&str>, offered: &[&str], is_passed_over: fn(&str) -> bool) -> Result<Self> {
        let query = query.unwrap_or_default();
        if query.len() > MOST_QUERY {
            return Err(Error::field("query", format!("has {} bytes, more than {MOST_QUERY}", query.len())));
        }
        let mut asked = Self::default();
        let mut wrong = Violations::new();
        let mut seen: Vec<String> = Vec::new();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim();
            if !offered.contains(&&*key) && is_passed_over(&key) {
                continue;
            }
            let rule = match &*key {
                _ if seen.iter().any(|one| *one == key) => Some("is given twice".to_owned()),
                _ if !offered.contains(&&*key) => Some(match offered {
                    [] => "is not offered here; nothing is".to_owned(),
                    some => format!("is not offered here; there are {}", some.join(", ")),
                }),
                _ if value.is_empty() => None,
                _ if value.chars().count() > MOST_VALUE => Some(format!("has more than {MOST_VALUE} characters")),
                "date" => text::date(value).err(),
                "page" => page(value).err(),
                "as_of" => match point(value) {
                    Ok(point) => {
                        asked.as_of = Some(point);
                        None
                    }
                    Err(rule) => Some(rule),
                },
                _ => None,
            };
            match rule {
                Some(rule) => wrong.push((clip(&key).into_owned(), rule)),
                None if value.is_empty() => {}
                None => drop(asked.values.insert(key.clone().into_owned(), value.to_owned())),
            }
            seen.push(key.into_owned());
        }
        if wrong.is_empty() { Ok(asked) } else { Err(Error::fields(Reason::FieldInvalid, wrong)) }
    }

    /// Which page of several, from 1.
    pub(super) fn page(&self) -> usize {
        page(self.get("page")).unwrap_or(1)
    }
}

fn page(text: &str) -> Result<usize, String> {
    const MOST: usize = 10_000;
    match text.parse() {
        Ok(number @ 1..=MOST) => Ok(number),
        _ => Err(format!("must be a number from 1 to {MOST}")),
    }
}

fn point(value: &str) -> Result<AsOf, String> {
    match text::point(value)? {
        Point::Revision(number) => Ok(AsOf::Revision(number)),
        Point::Time(time) => text::instant(time.seconds, time.nanos).map(AsOf::Time),
    }
}

/// A publication, and how its page looks.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) publication: Publication,
    pub(super) page: PublicPage,
    pub(super) of: Of,
    /// When what it says was last different.
    pub(super) changed: Option<Timestamp>,
}

impl Site {
    pub(super) fn new(api: Api, options: Options) -> Self {
        let root = url::Url::parse(&options.public_url);
        let root = root.map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        Self { api, base: options.public_url.into(), root: root.into(), limit: Arc::default(), cache: Arc::default() }
    }

    /// An organization by the id in an address.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND for what cannot be one.
    pub(super) fn organization(id: &str) -> Result<Name> {
        let name = format!("organizations/{id}");
        Name::of(Kind::Organization, "organization", &name)
            .map_err(|_| Error::not_found(Kind::Organization.singular(), &name))
    }

    /// Which publication is asked for: that of the day of `as_of`, unless another day is named.
    ///
    /// # Errors
    /// LOG_NOT_YET_WRITTEN for a revision or a time in the future.
    pub(super) async fn wanted(&self, organization: &str, asked: &Asked) -> Result<Wanted> {
        let parent = Self::organization(organization)?;
        let store = self.api.store();
        let revision = store.revision_at(asked.as_of).await?;
        let date = match (asked.get("date"), asked.as_of) {
            ("", None) => day(store.clock().now()),
            ("", Some(AsOf::Time(time))) => day(time),
            ("", Some(AsOf::Revision(number))) => store.committed_at(number).await?.map(day).unwrap_or_default(),
            (date, _) => date.to_owned(),
        };
        Ok(Wanted { parent, revision, date, base: self.base.to_string() })
    }

    /// The publication that is asked for.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND; LOG_NOT_YET_WRITTEN; ANSWER_TOO_LARGE.
    pub(super) async fn published(&self, wanted: &Wanted) -> Result<Arc<Published>> {
        let today = day(self.api.store().clock().now());
        let key = digest(&[wanted.parent.as_str(), &wanted.date, &today, &wanted.revision.to_string()]);
        if let Some(made) = self.cache.get(&key) {
            return Ok(made);
        }
        let material = self.api.store().publication(wanted).await?;
        let site = self.clone();
        let made = tokio::task::spawn_blocking(move || {
            let mut publication = build(&material);
            // A day can change what a revision did not.
            let begun = midnight(&material.date).filter(|_| material.date == today);
            if site.can_subscribe() {
                publication.links.subscribe = format!("{}/subscribe", publication.links.page);
            }
            let size = serde_json::to_vec(&publication).map_or(0, |text| text.len());
            let changed = material.commit_time.max(begun);
            let of = site.of(&material.organization);
            let page = PublicPage { logo: Vec::new(), ..material.organization.page.unwrap_or_default() };
            (Arc::new(Published { publication, page, of, changed }), size)
        });
        let (made, size) = made.await.map_err(Error::internal)?;
        self.cache.put(key, made.clone(), size);
        Ok(made)
    }

    /// Whether mails can be sent, so that there is something to subscribe to.
    pub(super) fn can_subscribe(&self) -> bool {
        self.api.channels().mail().is_ok() && self.api.channels().sealer().is_ok()
    }

    /// What the frame of each page says of whose it is.
    pub(super) fn of(&self, organization: &Organization) -> Of {
        let page = organization.page.clone().unwrap_or_default();
        let id = organization.name.rsplit('/').next().unwrap_or_default();
        let named = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
        let mut links = Links::of(&self.root, id);
        if self.can_subscribe() {
            links.subscribe = format!("{}/subscribe", links.page);
        }
        Of {
            name: organization.display_name.clone(),
            title: named(&page.title, &format!("Sub-processors of {}", organization.display_name)),
            links,
            logo: !page.logo.is_empty(),
            logo_text: named(&page.logo_text, &organization.display_name),
            accent: appearance::Colour::parse(&page.accent_color).unwrap_or(appearance::ACCENT),
        }
    }

    /// The frame of a page of an organization.
    pub(super) fn frame(&self, of: &Of, here: &'static str) -> Frame {
        Frame { root: self.root.to_string(), of: Some(of.clone()), here }
    }

    /// Says why there is no page of an organization, with the way back to its list.
    pub(super) async fn refusal(&self, organization: &str, error: &Error) -> Response {
        let store = self.api.store();
        let of = async {
            let name = Self::organization(organization)?;
            store.existing::<Organization>(&name, store.head().await?).await
        };
        // Where it cannot be read, or is none, there is no way back.
        let of = of.await.ok().map(|organization| self.of(&organization));
        refusal_in(Frame { root: self.root.to_string(), of, here: "" }, error)
    }

    /// The tag of a page that is made of what was asked for.
    pub(super) fn tag(&self, what: &str, wanted: &Wanted, query: Option<&str>) -> Result<HeaderValue> {
        let today = day(self.api.store().clock().now());
        let revision = wanted.revision.to_string();
        let parts =
            [what, wanted.parent.as_str(), &wanted.date, &today, &revision, query.unwrap_or_default(), &self.base];
        tag(&parts)
    }
}

/// Whether the caller has what a tag names: then nothing needs to be made.
pub(super) fn known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    super::reply::has(headers, tag)
}

/// The publications that were made last: readers come in crowds when one is announced.
#[derive(Debug, Default)]
struct Cache(Mutex<VecDeque<(String, Arc<Published>, usize)>>);

impl Cache {
    /// How many, and how many bytes of them as JSON; in memory they take a few times as much.
    const MOST: usize = 64;
    const MOST_BYTES: usize = 8 * 1024 * 1024;

    fn get(&self, key: &str) -> Option<Arc<Published>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(other, ..)| other == key)?;
        let found = kept.remove(place)?;
        let made = found.1.clone();
        kept.push_back(found);
        Some(made)
    }

    fn put(&self, key: String, made: Arc<Published>, size: usize) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(other, ..)| *other != key);
        kept.push_back((key, made, size));
        while kept.len() > Self::MOST || kept.iter().map(|(.., size)| size).sum::<usize>() > Self::MOST_BYTES {
            kept.pop_front();
        }
    }
}
