//! Whom an engagement concerns: the products it is used for, and the customers of these.

use std::collections::BTreeSet;

/// Whether two sets of products have something in common. None means all.
pub fn overlap(a: &[String], b: &[String]) -> bool {
    a.is_empty() || b.is_empty() || a.iter().any(|product| b.contains(product))
}

/// The products that a chain of engagements concerns, from the organization down: those for which each of them is used.
/// None means all. Where they have none in common the last one's own word stands, for it is on the list.
pub fn along<'a>(chain: impl DoubleEndedIterator<Item = &'a [String]>) -> Vec<String> {
    let mut used = chain.rev().filter(|products| !products.is_empty());
    let Some(own) = used.next() else { return Vec::new() };
    let common: Vec<String> =
        used.fold(own.to_vec(), |common, above| common.into_iter().filter(|product| above.contains(product)).collect());
    if common.is_empty() { own.to_vec() } else { common }
}

/// The products of several engagements together. None means all.
pub fn together<'a>(engagements: impl IntoIterator<Item = &'a [String]>) -> Vec<String> {
    let mut all = BTreeSet::new();
    for products in engagements {
        if products.is_empty() {
            return Vec::new();
        }
        all.extend(products.iter().cloned());
    }
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(products: &[&str]) -> Vec<String> {
        products.iter().map(|product| (*product).to_owned()).collect()
    }

    fn chain(products: &[&[&str]]) -> Vec<String> {
        let products: Vec<Vec<String>> = products.iter().map(|products| of(products)).collect();
        along(products.iter().map(Vec::as_slice))
    }

    #[test]
    fn none_means_all() {
        assert!(overlap(&of(&[]), &of(&["a"])) && overlap(&of(&["a"]), &of(&[])) && overlap(&of(&[]), &of(&[])));
        assert!(overlap(&of(&["a", "b"]), &of(&["b", "c"])));
        assert!(!overlap(&of(&["a"]), &of(&["b"])));
        let together = |all: &[&[&str]]| {
            let all: Vec<Vec<String>> = all.iter().map(|products| of(products)).collect();
            together(all.iter().map(Vec::as_slice))
        };
        assert_eq!(together(&[&["b"], &["a", "b"]]), ["a", "b"]);
        assert_eq!(together(&[&["b"], &[]]), Vec::<String>::new());
    }

    #[test]
    fn a_chain_concerns_what_all_of_it_is_used_for() {
        assert_eq!(chain(&[&[], &[]]), Vec::<String>::new());
        assert_eq!(chain(&[&["a", "b"], &[]]), ["a", "b"]);
        assert_eq!(chain(&[&["a", "b"], &["b", "c"]]), ["b"]);
        assert_eq!(chain(&[&["a", "b"], &[], &["b"]]), ["b"]);
        assert_eq!(chain(&[&["a"], &["b"]]), ["b"], "contradicting");
    }
}
