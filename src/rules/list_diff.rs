//! What two versions of a list have in common under other names. A list says "Google LLC" where it said "Google, Inc.";
//! if that is another resource, only what it says can tell that it is the same engagement.
//!
//! A pair is told only where it is certain which belongs to which: one of those that left, one of those that joined.
//! Where there are several candidates nothing is guessed, for to call a new recipient a rename is to hide it.

use std::collections::{BTreeSet, HashMap};

use super::vendor_name::Names;
use crate::proto::v1::Subprocessor;

/// One that left and one that joined a list, which are the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Its place among those that left.
    pub removed: usize,
    /// Its place among those that joined.
    pub added: usize,
    /// How sure that is, above 0 to 1.
    pub score: f64,
}

/// What makes two candidates for each other, the surest first. What has a candidate by one is not asked the next: two
/// candidates by name are not told apart by their purposes.
const GROUNDS: [(Ground, f64); 3] = [(Ground::Name, 0.95), (Ground::PartOfName, 0.85), (Ground::Engagement, 0.8)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// The names agree but for legal form, punctuation, case and order.
    Name,
    /// All that one name says is part of the other: "Sentry" of "Functional Software, Inc. (Sentry)".
    PartOfName,
    /// The same vendor, for the same purposes or with the same services.
    Engagement,
}

/// Finds the pairs that match one to one, in the order of `removed`.
pub fn matches(removed: &[&Subprocessor], added: &[&Subprocessor]) -> Vec<Match> {
    if removed.is_empty() || added.is_empty() {
        return Vec::new();
    }
    let mut old: Vec<Entry<'_>> = removed.iter().map(|one| Entry::of(one)).collect();
    let mut new: Vec<Entry<'_>> = added.iter().map(|one| Entry::of(one)).collect();
    let mut found = Vec::new();
    for (ground, score) in GROUNDS {
        let forth = candidates(ground, &old, &new);
        let back = candidates(ground, &new, &old);
        for (i, candidate) in forth.iter().enumerate() {
            let Candidate::One(j) = *candidate else { continue };
            if back.get(j) == Some(&Candidate::One(i)) && !old[i].contradicts(&new[j], ground) {
                found.push(Match { removed: i, added: j, score });
            }
        }
        for (entries, candidates) in [(&mut old, forth), (&mut new, back)] {
            for (entry, candidate) in entries.iter_mut().zip(candidates) {
                entry.open &= candidate == Candidate::None;
            }
        }
    }
    found.sort_by_key(|pair| pair.removed);
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Candidate {
    None,
    One(usize),
    Several,
}

/// For each entry, its candidates among the others.
fn candidates(ground: Ground, entries: &[Entry<'_>], others: &[Entry<'_>]) -> Vec<Candidate> {
    let mut index: HashMap<String, Vec<usize>> = HashMap::new();
    for (j, other) in others.iter().enumerate().filter(|(_, other)| other.open) {
        for key in other.keys(ground) {
            index.entry(key).or_default().push(j);
        }
    }
    let candidate = |entry: &Entry<'_>| {
        let mut found = Candidate::None;
        for j in entry.keys(ground).iter().filter_map(|key| index.get(key)).flatten().copied() {
            found = match found {
                _ if !entry.relates(&others[j], ground) => continue,
                Candidate::None => Candidate::One(j),
                Candidate::One(same) if same == j => continue,
                _ => return Candidate::Several,
            };
        }
        found
    };
    entries.iter().map(|entry| if entry.open { candidate(entry) } else { Candidate::None }).collect()
}

/// A subprocessor as far as it can be recognized.
#[derive(Debug)]
struct Entry<'a> {
    subprocessor: &'a Subprocessor,
    names: Names,
    /// Its purposes, and its services, as one text each.
    purposes: String,
    services: String,
    /// Whether nothing was found for it yet.
    open: bool,
}

impl<'a> Entry<'a> {
    fn of(subprocessor: &'a Subprocessor) -> Self {
        let purposes: BTreeSet<String> =
            subprocessor.purposes.iter().map(|purpose| plain_words(purpose).join(" ")).collect();
        let services: BTreeSet<&str> = subprocessor.vendor_services.iter().map(String::as_str).collect();
        Self {
            subprocessor,
            names: Names::of(&subprocessor.display_name),
            purposes: purposes.into_iter().collect::<Vec<_>>().join("\n").trim().to_owned(),
            services: services.into_iter().collect::<Vec<_>>().join("\n"),
            open: true,
        }
    }

    /// Whoever relates to it has one of these in common with it.
    fn keys(&self, ground: Ground) -> Vec<String> {
        match ground {
            Ground::Name => {
                vec![format!("words {}", self.names.words.join(" ")), format!("compact {}", self.names.compact)]
            }
            Ground::PartOfName => self.names.given.iter().cloned().collect(),
            Ground::Engagement => {
                let vendor = &self.subprocessor.vendor;
                let of = |what: &str, text: &str| {
                    (!vendor.is_empty() && !text.is_empty()).then(|| format!("{what} {vendor} {text}"))
                };
                of("purposes", &self.purposes).into_iter().chain(of("services", &self.services)).collect()
            }
        }
    }

    /// Whether they are candidates for each other, given that they have a key in common.
    fn relates(&self, other: &Self, ground: Ground) -> bool {
        let (a, b) = (&self.names.given, &other.names.given);
        ground != Ground::PartOfName || a.is_subset(b) || b.is_subset(a)
    }

    /// Whether something speaks against their being the same, though there is no other candidate.
    fn contradicts(&self, other: &Self, ground: Ground) -> bool {
        let (a, b) = (self.subprocessor, other.subprocessor);
        let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
        // A company in the place of another is what a reader of a list must see.
        differ(&a.vendor, &b.vendor)
            || (a.vendor == b.vendor && differ(&a.vendor_entity, &b.vendor_entity))
            || match ground {
                Ground::Name => false,
                Ground::PartOfName => self.is_for_else(other),
                Ground::Engagement => differ(&self.services, &other.services),
            }
    }

    /// Whether both say what they are for, in words that have nothing in common.
    fn is_for_else(&self, other: &Self) -> bool {
        let words = |text: &str| -> BTreeSet<String> {
            text.split_whitespace().filter(|word| word.chars().count() > 2).map(str::to_owned).collect()
        };
        let (a, b) = (words(&self.purposes), words(&other.purposes));
        !a.is_empty() && !b.is_empty() && a.is_disjoint(&b)
    }
}

/// The words of a text: lower case, without punctuation.
fn plain_words(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Subprocessor {
        Subprocessor { display_name: name.into(), ..Default::default() }
    }

    fn row(name: &str, vendor: &str, purpose: &str) -> Subprocessor {
        Subprocessor { vendor: vendor.into(), purposes: vec![purpose.into()], ..named(name) }
    }

    fn pairs(removed: &[Subprocessor], added: &[Subprocessor]) -> Vec<(String, String, f64)> {
        let (old, new): (Vec<_>, Vec<_>) = (removed.iter().collect(), added.iter().collect());
        let found = matches(&old, &new);
        // What is found does not depend on the order or on which of the lists is the later one.
        let (old, new): (Vec<_>, Vec<_>) = (removed.iter().rev().collect(), added.iter().rev().collect());
        assert_eq!(matches(&new, &old).len(), found.len());
        let name = |one: &Subprocessor| one.display_name.clone();
        found.iter().map(|m| (name(&removed[m.removed]), name(&added[m.added]), m.score)).collect()
    }

    #[track_caller]
    fn one(from: &str, to: &str, expected: Option<f64>) {
        let found = pairs(&[named(from), named("Elsewhere")], &[named(to), named("Somewhere")]);
        let expected: Vec<_> = expected.map(|score| (from.to_owned(), to.to_owned(), score)).into_iter().collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn names_agree_but_for_legal_form_punctuation_case_and_order() {
        for (from, to) in [
            ("Acme, Inc.", "ACME LLC"),
            ("Acme s.r.o.", "Acme"),
            ("Acme GmbH & Co. KG", "acme"),
            ("Acme Services Inc (AS)", "Acme Services (AS)"),
            ("Blue (Acme)", "Acme (Blue)"),
            ("NewThing", "New Thing*"),
            ("Acme, Inc..", "Acme"),
            ("Co", "CO"),
            ("—", "—"),
        ] {
            one(from, to, Some(0.95));
        }
        for (from, to) in
            [("Acme", "Acme Cloud"), ("Acme Ireland Ltd", "Acme France SAS"), ("Acme 2", "Acme 3"), ("—", "–")]
        {
            one(from, to, None);
        }
    }

    #[test]
    fn one_name_can_be_a_part_of_the_other() {
        for (from, to) in [
            ("Acme", "Blue Software, Inc. (Acme)"),
            ("Blue Software, Inc. d/b/a Acme", "Acme"),
            ("Acme Web Services", "Acme Web Services (AWS)"),
        ] {
            one(from, to, Some(0.85));
        }
        one("Acme (Mail)", "Acme (Maps)", None);
        // Unless they are for something else altogether.
        let found = |to: &str| pairs(&[row("Acme", "", "sending text messages")], &[row("Acme (Blue)", "", to)]).len();
        assert_eq!((found("text messages"), found("hosting"), found("")), (1, 0, 1));
    }

    #[test]
    fn what_has_several_candidates_is_not_guessed() {
        let acme = || row("Acme", "vendors/acme", "hosting");
        let inc = |purpose| row("Acme, Inc.", "vendors/acme", purpose);
        assert_eq!(pairs(&[acme()], &[inc("hosting"), inc("support")]), []);
        assert_eq!(pairs(&[inc("hosting"), inc("support")], &[acme()]), []);
        assert_eq!(pairs(&[named("Mail"), named("Acme")], &[named("Acme (Mail)")]), []);
        assert_eq!(pairs(&[named("Acme"), named("ACME")], &[named("Acme AG"), named("Acme SE")]), []);
        // The surer ground goes first.
        let found = pairs(&[named("Acme")], &[named("Acme (Mail)"), named("Acme Ltd")]);
        assert_eq!(found, [("Acme".to_owned(), "Acme Ltd".to_owned(), 0.95)]);
    }

    #[test]
    fn a_vendor_does_not_choose_among_candidates() {
        let old = [row("Mail", "vendors/mail", "mail"), row("Acme", "vendors/acme", "mail")];
        for vendor in ["", "vendors/mail", "vendors/acme"] {
            assert_eq!(pairs(&old, &[row("Acme (Mail)", vendor, "mail")]), []);
        }
    }

    #[test]
    fn another_company_is_never_the_same() {
        let with = |name: &str, vendor: &str, entity: &str| Subprocessor {
            vendor_entity: entity.into(),
            ..row(name, vendor, "hosting")
        };
        assert_eq!(pairs(&[with("Acme", "vendors/a", "")], &[with("ACME", "vendors/b", "")]), []);
        assert_eq!(pairs(&[with("Acme", "vendors/a", "x")], &[with("ACME", "vendors/a", "y")]), []);
        for (vendor, entity) in [("", ""), ("vendors/a", ""), ("vendors/a", "x")] {
            assert_eq!(pairs(&[with("Acme", "vendors/a", "x")], &[with("ACME", vendor, entity)]).len(), 1);
        }
    }

    #[test]
    fn one_vendor_for_the_same_purposes_is_the_same_engagement() {
        let old = row("Blue", "vendors/acme", "Sending e-mail");
        let score = |new: Subprocessor| pairs(std::slice::from_ref(&old), &[new]).first().map(|found| found.2);
        assert_eq!(score(row("Red", "vendors/acme", "sending E-mail.")), Some(0.8));
        assert_eq!(score(row("Red", "vendors/acme", "hosting")), None);
        assert_eq!(score(row("Red", "vendors/acme", "")), None);
        assert_eq!(score(row("Red", "", "Sending e-mail")), None);
        let with = |name: &str, services: &[&str], purpose: &str| Subprocessor {
            vendor_services: services.iter().map(|id| (*id).to_owned()).collect(),
            ..row(name, "vendors/acme", purpose)
        };
        assert_eq!(pairs(&[with("Blue", &["mail"], "")], &[with("Red", &["mail"], "x")]).len(), 1);
        assert_eq!(pairs(&[with("Blue", &["mail"], "x")], &[with("Red", &["maps"], "x")]), []);
    }

    #[test]
    fn many_are_compared_in_time() {
        let rows = |form: &str| (0..2_000).map(|i| named(&format!("Acme {i} {form}"))).collect::<Vec<_>>();
        let same = |name| (0..1_000).map(|_| named(name)).collect::<Vec<_>>();
        let (mut old, mut new) = (rows("Inc."), rows("LLC"));
        old.extend(same("Same"));
        new.extend(same("SAME"));
        let (old, new): (Vec<_>, Vec<_>) = (old.iter().collect(), new.iter().collect());
        assert_eq!(matches(&old, &new).len(), 2_000);
    }
}
