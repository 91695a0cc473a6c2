//! What was read becomes what is published, field by field.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Entity, Entry, Links, Mechanism, Named, Objection, Place, Publication, Publisher, SCHEMA_PATH, SCHEMA_VERSION,
    upcoming::upcoming, words,
};
use crate::{
    proto::v1::{
        Location, Notice, NoticePolicy, Organization, Subprocessor, Vendor, contact::Kind as ContactKind,
        subprocessor::State,
    },
    rules::{
        engagement::is_on_list,
        law::{Law, covers, territory::AREAS},
        paper::{Engagement, Judged, words as paper},
    },
};

/// What was read for a publication.
#[derive(Debug)]
pub struct Material {
    /// The address of the pages, without a slash at its end; empty for links that are relative to the server.
    pub base: String,
    /// The day, ISO 8601.
    pub date: String,
    /// The revision.
    pub revision: i64,
    /// When it was committed.
    pub commit_time: Option<Timestamp>,
    /// Whose list it is.
    pub organization: Organization,
    /// The engagements of that day. Those that are not public may be among them.
    pub engagements: Vec<Subprocessor>,
    /// Notices, whatever their state.
    pub notices: Vec<Notice>,
    /// The subprocessors that notices and engagements refer to, by name.
    pub subprocessors: HashMap<String, Subprocessor>,
    /// The vendors of all of these, by name.
    pub vendors: HashMap<String, Vendor>,
    /// The transfers of that day by importer.
    pub transfers: HashMap<String, Vec<Judged>>,
    /// The law as of that revision.
    pub law: Arc<Law>,
}

impl Material {
    /// What entries and changes are made from.
    pub fn known(&self) -> Known<'_> {
        Known {
            base: &self.base,
            organization: &self.organization,
            subprocessors: &self.subprocessors,
            vendors: &self.vendors,
            transfers: &self.transfers,
            law: &self.law,
        }
    }
}

/// What entries and changes are made from. What is missing in it is not stated.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The address of the pages, without a slash at its end; empty for links that are relative to the server.
    pub base: &'a str,
    /// Whose list it is.
    pub organization: &'a Organization,
    /// The subprocessors that are referred to, by name.
    pub subprocessors: &'a HashMap<String, Subprocessor>,
    /// The vendors that are referred to, by name.
    pub vendors: &'a HashMap<String, Vendor>,
    /// The transfers by importer, each with what the law says of it on the day.
    pub transfers: &'a HashMap<String, Vec<Judged>>,
    /// The law.
    pub law: &'a Law,
}

/// The publication of a day.
pub fn build(material: &Material) -> Publication {
    let known = material.known();
    let listed = material.engagements.iter().filter(|one| one.listed && is_on_list(one, &material.date));
    let mut subprocessors: Vec<Entry> = listed.map(|one| known.entry(one)).collect();
    subprocessors.sort_by_cached_key(|one| (one.name.to_lowercase(), one.id.clone()));
    let mut notices: Vec<&Notice> = material.notices.iter().collect();
    notices.sort_by_key(|one| (one.publish_time.map(|time| (time.seconds, time.nanos)), &one.name));
    Publication {
        schema: format!("{}{SCHEMA_PATH}", material.base),
        schema_version: SCHEMA_VERSION.to_owned(),
        organization: known.publisher(),
        date: material.date.clone(),
        revision: material.revision,
        as_of: material.commit_time.map(|time| time.to_string()).unwrap_or_default(),
        subprocessors,
        upcoming: notices.into_iter().flat_map(|notice| upcoming(&known, notice)).collect(),
        links: known.links(),
    }
}

/// The last part of a resource's name.
pub(super) fn id(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

/// A subprocessor that a list refers to.
pub(super) fn named(one: &Subprocessor) -> Named {
    Named { id: id(&one.name), name: one.display_name.clone() }
}

impl Known<'_> {
    /// Where the list is found.
    pub fn links(&self) -> Links {
        Links::of(self.base, &id(&self.organization.name))
    }

    /// Whose list it is.
    pub fn publisher(&self) -> Publisher {
        let one = self.organization;
        let products = one.products.iter().map(|product| product.product_id.clone()).collect::<Vec<_>>();
        let objection = self.objection(&one.notice_policy.unwrap_or_default());
        Publisher {
            id: id(&one.name),
            name: one.display_name.clone(),
            legal_name: one.legal_name.clone(),
            region_code: one.region_code.clone(),
            website_uri: one.website_uri.clone(),
            products: self.products(&products),
            objection: Some(objection).filter(|one| *one != Objection::default()),
        }
    }

    /// How customers object, and in which periods, by a policy: in those that are promised to everybody. Where it promises
    /// no days to object, each agreement has its own, or none.
    pub(super) fn objection(&self, policy: &NoticePolicy) -> Objection {
        let page = self.organization.page.clone().unwrap_or_default();
        Objection {
            instructions: page.objection_instructions,
            email: contact(self.organization),
            uri: page.contact_uri,
            notice_days: policy.notice_days.filter(|days| *days > 0),
            objection_days: policy.objection_days.filter(|days| *days > 0),
        }
    }

    /// Products as customers know them.
    pub(super) fn products(&self, ids: &[String]) -> Vec<Named> {
        let names = paper::products(self.organization, ids);
        ids.iter().zip(names).map(|(id, name)| Named { id: id.clone(), name }).collect()
    }

    /// What is published of a subprocessor. Whether it may be is for the caller to say: `listed`, and in effect.
    pub fn entry(&self, one: &Subprocessor) -> Entry {
        let vendor = self.vendors.get(&one.vendor);
        let above = self.subprocessors.get(&one.engaged_by).filter(|above| above.listed);
        Entry {
            id: id(&one.name),
            name: one.display_name.clone(),
            vendor: vendor.map(|vendor| Named { id: id(&vendor.name), name: vendor.display_name.clone() }),
            entity: entity(one, vendor),
            website_uri: one.website_uri.clone(),
            role: words::short(one.role().as_str_name(), "ROLE_"),
            affiliate: one.affiliate,
            section: one.section.clone(),
            condition: one.condition.clone(),
            purposes: one.purposes.clone(),
            service_description: one.service_description.clone(),
            products: self.products(&one.products),
            data_categories: one.data_categories.clone(),
            special_categories: one.special_categories.clone(),
            data_subject_categories: one.data_subject_categories.clone(),
            locations: one.locations.iter().map(|place| self.place(place)).collect(),
            mechanisms: self.mechanisms(self.transfers.get(&one.name).map_or(&[], Vec::as_slice)),
            engaged_by: above.map(named),
            suspended: one.state() == State::Suspended,
            start_date: one.start_date.clone(),
            end_date: one.end_date.clone(),
        }
    }

    fn place(&self, place: &Location) -> Place {
        Place {
            region_code: place.region_code.clone(),
            name: words::place(place),
            area: place.area.clone(),
            activity: words::short(place.activity().as_str_name(), "ACTIVITY_"),
            products: self.products(&place.products),
            verbatim: place.verbatim.clone(),
        }
    }

    /// What carries these transfers on the day. What carries nothing is no mechanism, whatever somebody signed: that is
    /// a finding, and findings are not published.
    fn mechanisms(&self, transfers: &[Judged]) -> Vec<Mechanism> {
        let mut found: BTreeMap<(String, String), Mechanism> = BTreeMap::new();
        for judged in transfers.iter().filter(|one| covers(one.answer.verdict())) {
            let regime = words::short(judged.transfer.regime().as_str_name(), "REGIME_");
            for carrier in judged.answer.mechanism_assessments.iter().filter(|one| covers(one.verdict())) {
                let relied_on = judged.transfer.mechanisms.iter().find(|one| one.instrument == carrier.instrument);
                let module = relied_on.map_or("", |one| words::module(one.module()));
                let Some((title, citation)) = self.instrument(&carrier.instrument, module) else { continue };
                let one = found.entry((regime.clone(), title.clone())).or_insert_with(|| Mechanism {
                    title,
                    citation,
                    regime: regime.clone(),
                    destinations: Vec::new(),
                });
                // An area is where the entry says that data is processed; here are countries.
                let countries = judged.transfer.destination_region_codes.iter();
                one.destinations.extend(countries.filter(|code| !AREAS.contains(&code.as_str())).cloned());
                one.destinations.sort();
                one.destinations.dedup();
            }
        }
        found.into_values().collect()
    }

    /// An instrument in plain words, with a module of it, and its citation.
    pub(super) fn instrument(&self, name: &str, module: &str) -> Option<(String, String)> {
        let instrument = self.law.instrument(name)?;
        let title = words::instrument(instrument);
        let title = if module.is_empty() { title } else { format!("{title}, {module}") };
        // Where the act was printed is for lawyers.
        let citation = instrument.citation.split(" (OJ").next().unwrap_or_default().to_owned();
        Some((title, citation))
    }
}

/// Whom to write to: the address on the page, or else that of the data protection officer, which is to be published
/// (GDPR Art. 37(7)), or of whom it names for privacy. Other contacts are nobody's business.
pub fn contact(organization: &Organization) -> String {
    let page = organization.page.as_ref().map(|page| &page.contact_email);
    let of =
        |kind: ContactKind| organization.contacts.iter().filter(move |one| one.kind() == kind).map(|one| &one.email);
    let mut all = page.into_iter().chain(of(ContactKind::Privacy)).chain(of(ContactKind::Dpo));
    all.find(|email| !email.is_empty()).cloned().unwrap_or_default()
}

/// The legal entity that is engaged: the one that is named, or the only one there is.
fn entity(one: &Subprocessor, vendor: Option<&Vendor>) -> Option<Entity> {
    let engagement = Engagement { subprocessor: one.clone(), vendor: vendor.cloned() };
    let entity = engagement.entity()?;
    let country = if entity.region_code.is_empty() { String::new() } else { words::land(&entity.region_code) };
    Some(Entity {
        legal_name: entity.legal_name.clone(),
        region_code: entity.region_code.clone(),
        country,
        address: entity.address.as_ref().map(paper::address).unwrap_or_default(),
        inferred: one.vendor_entity.is_empty(),
    })
}
