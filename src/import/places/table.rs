//! The table of places.

use std::collections::{HashMap, HashSet};

use super::super::text;
use crate::manifest::{
    Problems,
    node::{self, Node},
};

/// The longest table.
const MAX_BYTES: usize = 1 << 20;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A country.
    Country(String),
    /// An area that is no country.
    Area(String),
    /// A city or region of a country.
    Within(String),
    /// A state or province, which says where the city before it is.
    State(String),
}

/// The table of places.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Names by their first word: all their words, the longest first.
    names: HashMap<String, Vec<(Vec<String>, Place)>>,
    /// Names that only stand for themselves if they are the whole text, such as "Korea, Republic of".
    whole: HashMap<Vec<String>, Place>,
    codes: HashMap<String, String>,
    areas: HashSet<String>,
    states: HashSet<String>,
    members: HashMap<String, HashSet<String>>,
    clouds: Vec<(String, String)>,
    pub(super) fillers: HashSet<String>,
    pub(super) cuts: HashSet<String>,
    pub(super) owners: HashSet<String>,
}

impl Table {
    /// Reads the table. What cannot be read is not known; a test rules that out.
    pub(super) fn parse(yaml: &str) -> Self {
        let mut table = Self::default();
        let Some(root) = node::parse_data(yaml, MAX_BYTES, &mut Problems::default()) else { return table };
        for (code, names) in entries(&root, "countries") {
            table.codes.insert(code.clone(), code.clone());
            for (index, name) in names.iter().enumerate() {
                match index {
                    0 => drop(table.codes.insert(name.clone(), code.clone())),
                    _ => table.add(name, Place::Country(code.clone())),
                }
            }
        }
        table.codes.insert("UK".to_owned(), "GB".to_owned());
        table.areas.extend(entries(&root, "areas").into_iter().map(|(area, _)| area));
        type Made = fn(String) -> Place;
        let sections: [(&str, Made); 3] =
            [("areas", Place::Area), ("provinces", Place::State), ("within", Place::Within)];
        for (section, place) in sections {
            for (code, names) in entries(&root, section) {
                names.iter().for_each(|name| table.add(name, place(code.clone())));
            }
        }
        for (state, names) in entries(&root, "states") {
            names
                .iter()
                .filter(|name| *name != "Georgia")
                .for_each(|name| table.add(name, Place::State("US".to_owned())));
            table.states.insert(state);
        }
        for (area, countries) in entries(&root, "members") {
            let countries = countries.iter().flat_map(|list| list.split_whitespace()).map(ToOwned::to_owned).collect();
            table.members.insert(area, countries);
        }
        for (code, regions) in entries(&root, "clouds") {
            table.clouds.extend(regions.into_iter().map(|region| (region, code.clone())));
        }
        let words = |section: &str| root.get(section).map(text_of).unwrap_or_default();
        let words = |section: &str| words(section).split_whitespace().map(text::fold).collect::<HashSet<_>>();
        table.fillers = words("fillers");
        table.cuts = words("cuts");
        table.owners = words("owners");
        for names in table.names.values_mut() {
            names.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
        }
        table
    }

    fn add(&mut self, name: &str, place: Place) {
        let words = text::words(name);
        let Some(first) = words.first().cloned() else { return };
        if name.contains([',', '(']) {
            self.whole.entry(words).or_insert(place);
            return;
        }
        let known = self.names.entry(first).or_default();
        // The first to name it keeps it: countries before cities.
        if !known.iter().any(|(other, _)| *other == words) {
            known.push((words, place));
        }
    }

    /// What words are as a whole.
    pub(super) fn whole(&self, words: &[String]) -> Option<&Place> {
        self.whole.get(words)
    }

    /// The longest name at the beginning of words, and how many of them it is.
    pub(super) fn longest(&self, words: &[&str]) -> Option<(usize, &Place)> {
        let names = self.names.get(*words.first()?)?;
        let fits = |name: &[String]| name.len() <= words.len() && name.iter().zip(words).all(|(a, b)| a == b);
        names.iter().find(|(name, _)| fits(name)).map(|(name, place)| (name.len(), place))
    }

    /// The country of a code of two or three letters.
    pub(super) fn code(&self, code: &str) -> Option<&str> {
        self.codes.get(code).map(String::as_str)
    }

    pub(super) fn is_code(&self, code: &str) -> bool {
        self.codes.contains_key(code) || matches!(code, "EU")
    }

    pub(super) fn is_area(&self, word: &str) -> bool {
        self.areas.contains(word)
    }

    /// Whether letters stand for a state of the United States.
    pub(super) fn is_state(&self, letters: &str) -> bool {
        self.states.contains(letters)
    }

    pub(super) fn is_member(&self, area: &str, country: &str) -> bool {
        self.members.get(area).is_some_and(|members| members.contains(country))
    }

    /// The country of a region of a cloud: `eu-west-1`, `europe-west4`, `northeurope`, `fra1`.
    pub(super) fn cloud(&self, word: &str) -> Option<&str> {
        let word = word.to_ascii_lowercase();
        // A zone of a region: `us-east-1a`, `europe-west4-b`.
        let zone = word.strip_suffix(|c: char| c.is_ascii_lowercase());
        let zone =
            zone.map(|word| word.trim_end_matches('-')).filter(|word| word.ends_with(|c: char| c.is_ascii_digit()));
        let fits = |pattern: &str, word: &str| match pattern.strip_suffix('*') {
            Some(stem) => word
                .strip_prefix(stem)
                .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())),
            None => pattern == word,
        };
        let found = self
            .clouds
            .iter()
            .find(|(pattern, _)| fits(pattern, &word) || zone.is_some_and(|zone| fits(pattern, zone)));
        found.map(|(_, code)| code.as_str())
    }
}

fn text_of(node: &Node) -> String {
    match &node.value {
        node::Value::Scalar(scalar) => scalar.text.clone(),
        node::Value::List(_) | node::Value::Map(_) => String::new(),
    }
}

/// The entries of a section: key, and the texts between semicolons.
fn entries(root: &Node, section: &str) -> Vec<(String, Vec<String>)> {
    let members = root.get(section).and_then(Node::as_map).unwrap_or_default();
    let texts = |node: &Node| text_of(node).split(';').map(|name| name.trim().to_owned()).collect();
    members.iter().map(|member| (member.key.clone(), texts(&member.value))).collect()
}
