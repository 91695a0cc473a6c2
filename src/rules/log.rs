//! The hashes of the change log (DESIGN §7). Stored bytes are hashed, never re-encoded ones; every part is preceded by
//! its length, so that no two different logs give the same input.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The version of this arithmetic, kept with every revision.
pub const FORMAT: i32 = 1;

/// What comes before the first revision.
pub const GENESIS: Hash = [0; 32];

/// The digest of a stored version: SHA-256(salt ‖ body). The salt, erased with the body, keeps the digest of erased
/// personal data from being guessed.
pub fn payload_digest(salt: &[u8], body: &[u8]) -> Hash {
    Sha256::new().chain_update(salt).chain_update(body).finalize().into()
}

/// A change, as its leaf sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf<'a> {
    /// Its place in the revision, from 0.
    pub ordinal: i32,
    /// The resource's name.
    pub name: &'a str,
    /// The number of `Change.Kind`.
    pub kind: i32,
    /// Digest of the version before; empty if there was none.
    pub before: &'a [u8],
    /// Digest of the version after; empty if there is none.
    pub after: &'a [u8],
}

/// What a revision says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its number.
    pub number: i64,
    /// Microseconds since 1970.
    pub commit_time: i64,
    /// Who did it.
    pub principal: &'a str,
    /// Through which method.
    pub method: &'a str,
    /// The caller's request id.
    pub request_id: &'a str,
}

/// The hash of a leaf.
pub fn leaf(leaf: &Leaf<'_>) -> Hash {
    hash(&[
        b"leaf",
        &leaf.ordinal.to_be_bytes(),
        leaf.name.as_bytes(),
        &leaf.kind.to_be_bytes(),
        leaf.before,
        leaf.after,
    ])
}

/// The Merkle root of leaves, in order. An odd one out goes up unpaired.
pub fn merkle_root(mut level: Vec<Hash>) -> Hash {
    if level.is_empty() {
        return hash(&[b"empty"]);
    }
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => hash(&[b"node", left, right]),
                [single] => *single,
                _ => GENESIS,
            })
            .collect();
    }
    level.first().copied().unwrap_or(GENESIS)
}

/// The hash of a revision: over format, the previous hash, the header, and the Merkle root of its leaves.
pub fn revision(format: i32, previous: &[u8], header: &Header<'_>, root: &Hash) -> Hash {
    hash(&[
        b"revision",
        &format.to_be_bytes(),
        previous,
        &header.number.to_be_bytes(),
        &header.commit_time.to_be_bytes(),
        header.principal.as_bytes(),
        header.method.as_bytes(),
        header.request_id.as_bytes(),
        root,
    ])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut out = Sha256::new();
    for part in parts {
        out.update((part.len() as u64).to_be_bytes());
        out.update(part);
    }
    out.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let base = Leaf { ordinal: 0, name: "vendors/a", kind: 1, before: b"", after: b"x" };
        let all = [
            leaf(&base),
            leaf(&Leaf { ordinal: 1, ..base.clone() }),
            leaf(&Leaf { name: "vendors/b", ..base.clone() }),
            leaf(&Leaf { kind: 2, ..base.clone() }),
            leaf(&Leaf { before: b"x", after: b"", ..base.clone() }),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn a_root_depends_on_order_and_number() {
        let [a, b, c] = [[1; 32], [2; 32], [3; 32]];
        let roots = [vec![], vec![a], vec![a, b], vec![b, a], vec![a, b, c], vec![a, b, c, c]].map(merkle_root);
        for (i, x) in roots.iter().enumerate() {
            assert!(roots[i + 1..].iter().all(|y| x != y), "{i}");
        }
    }

    /// The arithmetic is frozen: logs written by one version verify under the next.
    #[test]
    fn format_1_is_frozen() {
        let header = Header { number: 1, commit_time: 2, principal: "p", method: "m", request_id: "r" };
        let root =
            merkle_root(vec![leaf(&Leaf { ordinal: 0, name: "vendors/a", kind: 1, before: b"", after: &[7; 32] })]);
        let hash = revision(FORMAT, &GENESIS, &header, &root);
        assert_eq!(hex::encode(hash), "37e3e057ad756ca7bf6575e4d1d53d4814baf7ae1fac0d5f7398ec717afa6c6a");
    }
}
