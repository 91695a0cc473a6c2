//! The chain of engagements: a subprocessor is engaged by the organization or by another subprocessor (GDPR Art. 28(4)).

use std::collections::{BTreeMap, HashSet};

/// Who engages whom: each subprocessor's name with the name of the one that engages it (empty: the organization).
pub type Links = BTreeMap<String, String>;

/// The chain from `start` upwards, nearest first, without `start`. It ends where it would repeat itself.
pub fn upstream(links: &Links, start: &str) -> Vec<String> {
    let mut seen = HashSet::from([start.to_owned()]);
    let mut chain = Vec::new();
    let mut next = links.get(start).cloned().unwrap_or_default();
    while !next.is_empty() && seen.insert(next.clone()) {
        let above = links.get(&next).cloned().unwrap_or_default();
        chain.push(std::mem::replace(&mut next, above));
    }
    chain
}

/// The cycle that would close if `name` were engaged by `engaged_by`, as the names along it.
pub fn cycle(links: &Links, name: &str, engaged_by: &str) -> Option<Vec<String>> {
    if engaged_by.is_empty() {
        return None;
    }
    if engaged_by == name {
        return Some(vec![name.to_owned()]);
    }
    let mut path = vec![name.to_owned(), engaged_by.to_owned()];
    for above in upstream(links, engaged_by) {
        if above == name {
            return Some(path);
        }
        path.push(above);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(pairs: &[(&str, &str)]) -> Links {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn chains_are_followed_up() {
        let links = links(&[("a", ""), ("b", "a"), ("c", "b"), ("d", "a"), ("e", "")]);
        assert_eq!(upstream(&links, "c"), ["b", "a"]);
        assert_eq!(upstream(&links, "a"), Vec::<String>::new());
    }

    #[test]
    fn a_chain_that_would_bite_its_tail_is_found() {
        let links = links(&[("a", ""), ("b", "a"), ("c", "b")]);
        assert_eq!(cycle(&links, "a", "c"), Some(vec!["a".into(), "c".into(), "b".into()]));
        assert_eq!(cycle(&links, "a", "a"), Some(vec!["a".into()]));
        assert_eq!(cycle(&links, "c", "a"), None);
        assert_eq!(cycle(&links, "a", ""), None);
    }
}
