//! What a reader is looking for on a list.

use std::collections::BTreeMap;

use super::{Entry, Place, rows};

/// What is looked for; what is empty is not asked for. All that is asked for must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Words, each of which something that is said of an entry contains.
    pub words: String,
    /// The id of a product that it is used for.
    pub product: String,
    /// Where data is processed, as [`Options`] has it.
    pub location: String,
    /// What it does, in part.
    pub purpose: String,
    /// What its transfers rest on, as [`Options`] has it.
    pub mechanism: String,
}

impl Selection {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an entry is what is looked for.
    pub fn has(&self, entry: &Entry) -> bool {
        self.has_words(entry)
            // What is not limited to some products is used for all.
            && (self.product.is_empty()
                || entry.products.is_empty()
                || entry.products.iter().any(|one| one.id == self.product))
            && (self.location.is_empty() || entry.locations.iter().any(|one| key(one) == self.location))
            && (self.mechanism.is_empty() || entry.mechanisms.iter().any(|one| one.title == self.mechanism))
            && (self.purpose.is_empty() || {
                let purpose = self.purpose.to_lowercase();
                entry.purposes.iter().any(|one| one.to_lowercase().contains(&purpose))
            })
    }

    fn has_words(&self, entry: &Entry) -> bool {
        let words = self.words.to_lowercase();
        let mut words = words.split_whitespace().peekable();
        if words.peek().is_none() {
            return true;
        }
        let vendor = entry.vendor.iter().map(|one| one.name.clone());
        let said = rows::said(entry).flat_map(|(_, values)| values).chain(vendor);
        let said = said.map(|text| text.to_lowercase()).collect::<Vec<_>>().join("\n");
        words.all(|word| said.contains(word))
    }
}

/// What a place is told apart by.
fn key(place: &Place) -> &str {
    [&place.region_code, &place.area, &place.verbatim].into_iter().find(|text| !text.is_empty()).map_or("", |one| one)
}

/// What can be chosen from: value and text, by text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Products that something on the list is limited to.
    pub products: Vec<(String, String)>,
    /// Places.
    pub locations: Vec<(String, String)>,
    /// Purposes.
    pub purposes: Vec<(String, String)>,
    /// Mechanisms.
    pub mechanisms: Vec<(String, String)>,
}

impl Options {
    /// What occurs on a list.
    pub fn of(entries: &[Entry]) -> Self {
        let products = entries.iter().flat_map(|one| &one.products).map(|one| (one.id.clone(), one.name.clone()));
        let places = entries.iter().flat_map(|one| &one.locations);
        let places = places.map(|one| {
            let name = if one.region_code.is_empty() { one.name.clone() } else { super::words::land(&one.region_code) };
            (key(one).to_owned(), if name.is_empty() { key(one).to_owned() } else { name })
        });
        let same = |text: &String| (text.clone(), text.clone());
        let purposes = entries.iter().flat_map(|one| &one.purposes).map(same);
        let mechanisms = entries.iter().flat_map(|one| &one.mechanisms).map(|one| same(&one.title));
        Self {
            products: sorted(products),
            locations: sorted(places),
            purposes: sorted(purposes),
            mechanisms: sorted(mechanisms),
        }
    }
}

/// More than anybody reads through; the search finds the rest.
const MOST_OPTIONS: usize = 100;

fn sorted(options: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let by_value: BTreeMap<String, String> = options.filter(|(value, _)| !value.is_empty()).collect();
    let mut all: Vec<(String, String)> = by_value.into_iter().collect();
    all.sort_by_cached_key(|(_, text)| text.to_lowercase());
    all.truncate(MOST_OPTIONS);
    all
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Mechanism, Named},
        *,
    };

    fn entry() -> Entry {
        let place = |code: &str, area: &str| Place {
            region_code: code.into(),
            area: area.into(),
            name: format!("{code}{area}"),
            ..Place::default()
        };
        Entry {
            name: "Amazon Web Services".into(),
            vendor: Some(Named { id: "aws".into(), name: "AWS".into() }),
            purposes: vec!["Hosting of the platform".into()],
            products: vec![Named { id: "cloud".into(), name: "Cloud".into() }],
            locations: vec![place("DE", ""), place("", "EEA")],
            mechanisms: vec![Mechanism { title: "Clauses".into(), ..Mechanism::default() }],
            ..Entry::default()
        }
    }

    #[test]
    fn all_that_is_asked_for_must_hold() {
        let found = |change: fn(&mut Selection)| {
            let mut selection = Selection::default();
            change(&mut selection);
            selection.has(&entry())
        };
        assert!(Selection::default().is_empty() && found(|_| {}));
        assert!(found(|one| one.words = "  web HOSTING ".into()));
        assert!(found(|one| one.words = "aws".into()));
        assert!(!found(|one| one.words = "web mail".into()));
        assert!(found(|one| one.product = "cloud".into()) && !found(|one| one.product = "Cloud".into()));
        assert!(found(|one| one.location = "EEA".into()) && !found(|one| one.location = "US".into()));
        assert!(found(|one| one.purpose = "hosting".into()) && !found(|one| one.purpose = "mail".into()));
        assert!(found(|one| one.mechanism = "Clauses".into()) && !found(|one| one.mechanism = "clause".into()));
        assert!(!found(|one| (one.product, one.location) = ("cloud".into(), "US".into())));
        let everywhere = Entry { products: Vec::new(), ..entry() };
        assert!(Selection { product: "x".into(), ..Selection::default() }.has(&everywhere));
    }

    #[test]
    fn whatever_can_be_chosen_finds_something() {
        let options = Options::of(&[entry(), Entry::default()]);
        assert_eq!(options.locations, [("EEA".into(), "EEA".into()), ("DE".into(), "Germany".into())]);
        for (value, _) in options.locations {
            assert!(Selection { location: value, ..Selection::default() }.has(&entry()));
        }
        assert_eq!((options.products.len(), options.purposes.len(), options.mechanisms.len()), (1, 1, 1));
    }
}
