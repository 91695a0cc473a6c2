//! The names of vendors, made ready to be looked up: by their letters, their domains, their initials, their rare words,
//! and by what is near them. Nothing here is compared with all vendors.

use std::collections::HashMap;

use super::{
    near::Near,
    normalize::{Reading, clean},
    pieces::{Role, pieces},
    words,
};
use crate::proto::v1::{Vendor, vendor_match::Via};

/// Names under one key at most: a bound for registers full of the same name.
const UNDER_ONE_KEY: usize = 64;
/// No vendor.
const NOBODY: u32 = u32::MAX;
/// Owners above a vendor at most.
const OWNERS: usize = 32;

/// The names of vendors, made ready to be looked up.
#[derive(Debug, Default)]
pub struct Index {
    pub(super) vendors: Vec<Holder>,
    pub(super) known: Vec<Known>,
    /// Names without blanks and legal form, whole and cut.
    pub(super) keys: Vec<Key>,
    by_key: HashMap<Box<str>, u32>,
    by_host: HashMap<Box<str>, Vec<u32>>,
    by_initials: HashMap<Box<str>, Vec<u32>>,
    /// Words that are not everybody's, with the names that have them.
    by_word: HashMap<Box<str>, Vec<u32>>,
    pub(super) near: Near,
    /// Who has how many products named after a brand: "Amazon" of Amazon S3 and Amazon SES.
    families: HashMap<Box<str>, Vec<Products>>,
}

/// The products of a vendor that are named after a brand.
#[derive(Debug)]
struct Products {
    vendor: u32,
    count: u32,
    /// The name of one.
    known: u32,
}

/// What is known of the products that are named after a brand and belong to it.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// Whether there are any.
    pub(super) is_any: bool,
    /// The name of one of the vendor that has most of them.
    pub(super) most: Option<u32>,
}

/// A vendor.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) name: Box<str>,
    parent: u32,
    /// The words of its trade, in the singular.
    trade: Box<[Box<str>]>,
    /// The legal forms of its entities.
    pub(super) forms: Box<[Box<str>]>,
}

/// A text by which a vendor is known.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) vendor: u32,
    pub(super) via: Via,
    pub(super) text: Box<str>,
    /// The vendor's own words: a name without what stood in brackets inside it is none of them.
    pub(super) matched: Box<str>,
    pub(super) form: Box<str>,
    /// The lengths of its words.
    pub(super) lengths: Box<[u8]>,
    pub(super) entity: Box<str>,
    pub(super) service: Box<str>,
    /// How much it counts: less for a part of a text.
    pub(super) weight: f32,
}

/// Names that are the same without blanks and legal form.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) text: Box<str>,
    pub(super) entries: Vec<Entry>,
}

/// A name under a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) known: u32,
    pub(super) cut: Cut,
}

/// What of a name is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing.
    Whole,
    /// A general word at its end, after a word that was made for it or after several words.
    Distinct,
    /// A general word at its end, after an ordinary word.
    Ordinary,
    /// The end of a domain, after an ordinary word.
    Domain,
}

/// An index in the making: vendors can come page by page.
#[derive(Debug, Default)]
pub struct Builder {
    index: Index,
    parents: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Builder {
    /// Takes a vendor in.
    pub fn add(&mut self, vendor: &Vendor) {
        let number = as_u32(self.index.vendors.len());
        self.numbers.insert(vendor.name.as_str().into(), number);
        self.parents.push(vendor.parent_vendor.as_str().into());
        let forms = vendor.entities.iter().map(|entity| Reading::of(&clean(&entity.legal_name)).form);
        let forms = forms.filter(|form| !form.is_empty()).map(Into::into).collect();
        let name = vendor.name.as_str().into();
        self.index.vendors.push(Holder { name, parent: NOBODY, trade: trade_of(vendor), forms });
        self.text(number, Via::DisplayName, &vendor.display_name, "", "");
        for entity in &vendor.entities {
            self.text(number, Via::LegalName, &entity.legal_name, &entity.entity_id, "");
        }
        for alias in &vendor.aliases {
            self.text(number, Via::Alias, alias, "", "");
        }
        for name in &vendor.former_names {
            self.text(number, Via::FormerName, name, "", "");
        }
        for service in &vendor.services {
            self.text(number, Via::Service, &service.display_name, "", &service.service_id);
        }
        self.domain(number, &vendor.website_uri, 1.0);
        for domain in &vendor.domains {
            self.domain(number, domain, 0.98);
        }
    }

    /// A text of a vendor, and the names it is made of: "APIHub, Inc. dba Clearbit", "Meta (Facebook)".
    fn text(&mut self, vendor: u32, via: Via, text: &str, entity: &str, service: &str) {
        let text = clean(text);
        let known = |part: &str, weight: f32| Known {
            vendor,
            via,
            text: part.into(),
            matched: if text.contains(part) { part.into() } else { text.as_str().into() },
            form: "".into(),
            lengths: Box::default(),
            entity: entity.into(),
            service: service.into(),
            weight,
        };
        let number = self.name(known(&text, 1.0));
        let pieces = pieces(&text);
        if pieces.len() < 2 {
            if let Some(number) = number {
                self.product(vendor, via, number, &text);
            }
            return;
        }
        let has_trade_name = pieces.iter().any(|piece| piece.role == Role::Same);
        for piece in pieces {
            let weight = match piece.role {
                // The company behind an alias "Elastic Inc. dba Close" may be known for something else.
                Role::Head if has_trade_name && via == Via::Alias => 0.8,
                Role::Head => 0.99,
                Role::Same | Role::Former => 0.97,
                Role::Beside if !piece.is_general() => 0.97,
                Role::Beside | Role::Owner | Role::Note => continue,
            };
            self.name(known(&piece.text, weight));
        }
    }

    /// Takes in a name, and returns its number.
    fn name(&mut self, mut known: Known) -> Option<u32> {
        let reading = Reading::of(&known.text);
        if reading.is_empty() {
            return None;
        }
        known.form = reading.form.as_str().into();
        known.lengths =
            reading.words.iter().map(|word| u8::try_from(word.chars().count()).unwrap_or(u8::MAX)).collect();
        let number = as_u32(self.index.known.len());
        self.key(&reading.compact, number, Cut::Whole);
        if let Some((last, rest)) = reading.words.split_last()
            && let Some(cut) = cut_of(&known, rest, last)
        {
            self.key(&rest.concat(), number, cut);
        }
        if known.via != Via::LegalName {
            let initials: String = reading.words.iter().filter_map(|word| word.chars().next()).collect();
            if reading.words.len() > 2 && initials.chars().all(char::is_alphabetic) {
                push(&mut self.index.by_initials, &initials, number);
            }
        }
        for word in reading.words.iter().filter(|word| word.len() > 3 && !words::is_generic(word)) {
            push(&mut self.index.by_word, word, number);
        }
        self.index.known.push(known);
        Some(number)
    }

    /// Counts a name that is a brand with a product after it.
    fn product(&mut self, vendor: u32, via: Via, known: u32, text: &str) {
        let reading = Reading::of(text);
        let is_product = |word: &String| !words::is_left_out(word) && !words::is_top_level(word);
        let Some((brand, product)) = reading.words.split_first() else { return };
        if !matches!(via, Via::DisplayName | Via::Alias | Via::Service)
            || !reading.form.is_empty()
            || !product.iter().any(is_product)
        {
            return;
        }
        let family = self.index.families.entry(brand.as_str().into()).or_default();
        if let Some(products) = family.iter_mut().find(|products| products.vendor == vendor) {
            products.count += 1;
        } else if family.len() < UNDER_ONE_KEY {
            family.push(Products { vendor, count: 1, known });
        }
    }

    fn key(&mut self, text: &str, known: u32, cut: Cut) {
        let keys = &mut self.index.keys;
        let number = *self.index.by_key.entry(text.into()).or_insert_with(|| {
            keys.push(Key { text: text.into(), entries: Vec::new() });
            as_u32(keys.len() - 1)
        });
        if let Some(key) = keys.get_mut(number as usize).filter(|key| key.entries.len() < UNDER_ONE_KEY) {
            key.entries.push(Entry { known, cut });
        }
    }

    fn domain(&mut self, vendor: u32, text: &str, weight: f32) {
        let Some(host) = host_of(text) else { return };
        let number = as_u32(self.index.known.len());
        push(&mut self.index.by_host, &host, number);
        self.index.known.push(Known {
            vendor,
            via: Via::Domain,
            text: host.as_str().into(),
            matched: host.as_str().into(),
            form: "".into(),
            lengths: Box::default(),
            entity: "".into(),
            service: "".into(),
            weight,
        });
    }

    /// The index.
    pub fn build(self) -> Index {
        let Self { mut index, parents, numbers } = self;
        for (vendor, parent) in index.vendors.iter_mut().zip(parents) {
            vendor.parent = numbers.get(&parent).copied().unwrap_or(NOBODY);
        }
        for (number, key) in (0..).zip(&index.keys) {
            // What is cut down to an ordinary word is no name to be mistyped.
            if key.entries.iter().any(|entry| matches!(entry.cut, Cut::Whole | Cut::Distinct)) {
                index.near.add(number, &key.text);
            }
        }
        index.near.finish();
        index
    }
}

/// What a name is without its last word, if people leave that out.
fn cut_of(known: &Known, rest: &[String], last: &str) -> Option<Cut> {
    if rest.iter().all(|word| words::is_generic(word)) {
        return None;
    }
    let is_domain = words::is_top_level(last) && known.text.to_lowercase().contains(&format!(".{last}"));
    if !is_domain && !words::is_left_out(last) {
        return None;
    }
    let is_distinct = is_distinct(rest);
    match (is_distinct, is_domain) {
        (true, _) => Some(Cut::Distinct),
        // A company registered as "Hound Technology, Inc." is not known as "Hound".
        (false, _) if known.via == Via::LegalName => None,
        (false, true) => Some(Cut::Domain),
        (false, false) => Some(Cut::Ordinary),
    }
}

/// Whether words name one company: one was made for it, or several together are its name.
pub(super) fn is_distinct(words: &[String]) -> bool {
    words.iter().any(|word| words::is_coined(word)) || words.iter().filter(|word| !words::is_generic(word)).count() > 1
}

/// The words of a vendor's trade.
fn trade_of(vendor: &Vendor) -> Box<[Box<str>]> {
    let services = vendor.services.iter();
    let texts = vendor
        .categories
        .iter()
        .map(String::as_str)
        .chain([vendor.typical_purpose.as_str()])
        .chain(services.flat_map(|s| s.categories.iter().map(String::as_str).chain([s.display_name.as_str()])));
    let mut all: Vec<Box<str>> = texts
        .flat_map(super::normalize::fold)
        .filter(|word| !words::is_joining(word) && !words::is_corporate(word))
        .map(|word| words::singular(&word).into())
        .collect();
    all.sort_unstable();
    all.dedup();
    all.into_boxed_slice()
}

/// The host of a web address or a domain; none if the text is neither.
pub(super) fn host_of(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = text.split(['/', '?', '#', ':']).next()?.trim_end_matches('.').to_lowercase();
    let host = host.strip_prefix("www.").map_or(host.clone(), ToOwned::to_owned);
    let labels = || host.split('.');
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-') && !label.starts_with('-')
    };
    let is_host = labels().nth(1).is_some()
        && labels().all(is_label)
        && labels().next_back().is_some_and(|end| end.len() > 1 && end.chars().all(char::is_alphabetic));
    is_host.then_some(host)
}

fn push(map: &mut HashMap<Box<str>, Vec<u32>>, key: &str, number: u32) {
    let numbers = match map.get_mut(key) {
        Some(numbers) => numbers,
        None => map.entry(key.into()).or_default(),
    };
    if numbers.len() < UNDER_ONE_KEY {
        numbers.push(number);
    }
}

/// There is no memory for more than 2^32 of anything here.
fn as_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Index {
    /// An index of vendors.
    pub fn of<'a>(vendors: impl IntoIterator<Item = &'a Vendor>) -> Self {
        let mut builder = Builder::default();
        for vendor in vendors {
            builder.add(vendor);
        }
        builder.build()
    }

    pub(super) fn key(&self, text: &str) -> &[Entry] {
        let key = self.by_key.get(text).and_then(|number| self.keys.get(*number as usize));
        key.map_or(&[], |key| &key.entries)
    }

    pub(super) fn host(&self, host: &str) -> &[u32] {
        self.by_host.get(host).map_or(&[], Vec::as_slice)
    }

    pub(super) fn initials(&self, initials: &str) -> &[u32] {
        self.by_initials.get(initials).map_or(&[], Vec::as_slice)
    }

    pub(super) fn word(&self, word: &str) -> &[u32] {
        self.by_word.get(word).map_or(&[], Vec::as_slice)
    }

    pub(super) fn holder(&self, vendor: u32) -> Option<&Holder> {
        self.vendors.get(vendor as usize)
    }

    /// Whether a vendor, or an owner of one, owns another.
    pub(super) fn owns(&self, owner: u32, vendor: u32) -> bool {
        owner != vendor && self.owners(vendor).any(|above| above == owner)
    }

    /// The owners of a vendor, nearest first.
    pub(super) fn owners(&self, vendor: u32) -> impl Iterator<Item = u32> {
        let above = |vendor: &u32| self.holder(*vendor).map(|holder| holder.parent).filter(|parent| *parent != NOBODY);
        std::iter::successors(above(&vendor), above).take(OWNERS)
    }

    /// Whether a word is of a vendor's trade.
    pub(super) fn is_trade(&self, vendor: u32, word: &str) -> bool {
        let word = words::singular(word);
        self.holder(vendor).is_some_and(|holder| holder.trade.iter().any(|known| &**known == word))
    }

    /// The products named after a brand that belong to the vendor which has the brand's name, or to what it owns.
    pub(super) fn family(&self, brand: &str, vendor: u32) -> Family {
        let all = self.families.get(brand).map_or(&[][..], Vec::as_slice);
        let own = || all.iter().filter(|products| products.vendor == vendor || self.owns(vendor, products.vendor));
        let total: u32 = own().map(|products| products.count).sum();
        let most = own().find(|products| products.count > 1 && products.count * 2 > total);
        Family { is_any: total > 0, most: most.map(|products| products.known) }
    }
}
