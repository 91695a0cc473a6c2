//! Which elements of two lists belong together, for lists whose elements have no ids.

use std::collections::{HashMap, VecDeque};

use serde_json::Value as Json;

/// The largest table (rows × columns) that is filled to find the longest common subsequence. Beyond it a simpler
/// search answers, which can report more differences than needed, but never a wrong one.
const MOST_CELLS: usize = 1_000_000;

/// The same for pairing what changed, where a cell costs more.
const MOST_SIMILARITIES: usize = 10_000;

/// An element's index before and after.
type Pair = (Option<usize>, Option<usize>);

/// Pairs the elements of two lists, in order: equal ones first (a longest common subsequence), then, in the gaps
/// between these, those that are most alike. What has no counterpart was added or removed.
pub(super) fn align(before: &[Json], after: &[Json]) -> Vec<Pair> {
    let (old, new) = intern(before, after);
    let mut pairs = Vec::with_capacity(before.len().max(after.len()));
    let (mut i, mut j) = (0, 0);
    for (next_i, next_j) in common(&old, &new) {
        gap(before, after, (i, next_i), (j, next_j), &mut pairs);
        pairs.push((Some(next_i), Some(next_j)));
        (i, j) = (next_i + 1, next_j + 1);
    }
    gap(before, after, (i, before.len()), (j, after.len()), &mut pairs);
    pairs
}

/// Equal elements get equal numbers, so that comparing two costs nothing.
fn intern(before: &[Json], after: &[Json]) -> (Vec<usize>, Vec<usize>) {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut number = |value: &Json| {
        let next = numbers.len();
        *numbers.entry(value.to_string()).or_insert(next)
    };
    (before.iter().map(&mut number).collect(), after.iter().map(&mut number).collect())
}

/// The indices of a common subsequence.
fn common(old: &[usize], new: &[usize]) -> Vec<(usize, usize)> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_core, new_core) = (&old_rest[..old_rest.len() - tail], &new_rest[..new_rest.len() - tail]);
    let core = if old_core.len().saturating_mul(new_core.len()) <= MOST_CELLS {
        longest(old_core.len(), new_core.len(), |i, j| u32::from(old_core[i] == new_core[j]))
    } else {
        greedy(old_core, new_core)
    };
    let mut all: Vec<_> = (0..head).map(|i| (i, i)).collect();
    all.extend(core.into_iter().map(|(i, j)| (i + head, j + head)));
    all.extend((0..tail).map(|k| (old.len() - tail + k, new.len() - tail + k)));
    all
}

/// The pairs, both indices rising, whose scores add up to the most. A score of 0 is no pair.
fn longest(rows: usize, columns: usize, score: impl Fn(usize, usize) -> u32) -> Vec<(usize, usize)> {
    let width = columns + 1;
    // best[i][j]: the most that the elements from i and j on can add up to.
    let mut best = vec![0u32; (rows + 1) * width];
    for i in (0..rows).rev() {
        for j in (0..columns).rev() {
            let paired = match score(i, j) {
                0 => 0,
                score => score + best[(i + 1) * width + j + 1],
            };
            best[i * width + j] = paired.max(best[(i + 1) * width + j]).max(best[i * width + j + 1]);
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < rows && j < columns {
        let here = best[i * width + j];
        let score = score(i, j);
        if score > 0 && here == score + best[(i + 1) * width + j + 1] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if here == best[(i + 1) * width + j] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Takes for each element the next equal one, in one pass.
fn greedy(old: &[usize], new: &[usize]) -> Vec<(usize, usize)> {
    let mut places: HashMap<usize, VecDeque<usize>> = HashMap::new();
    for (i, number) in old.iter().enumerate() {
        places.entry(*number).or_default().push_back(i);
    }
    let mut next = 0;
    let mut pairs = Vec::new();
    for (j, number) in new.iter().enumerate() {
        let Some(places) = places.get_mut(number) else { continue };
        while places.front().is_some_and(|i| *i < next) {
            places.pop_front();
        }
        if let Some(i) = places.pop_front() {
            pairs.push((i, j));
            next = i + 1;
        }
    }
    pairs
}

/// Pairs what lies between two equal elements.
fn gap(before: &[Json], after: &[Json], old: (usize, usize), new: (usize, usize), pairs: &mut Vec<Pair>) {
    let (rows, columns) = (old.1 - old.0, new.1 - new.0);
    let found = if rows.saturating_mul(columns) <= MOST_SIMILARITIES {
        longest(rows, columns, |i, j| alike(&before[old.0 + i], &after[new.0 + j]))
    } else {
        (0..rows.min(columns)).map(|k| (k, k)).collect()
    };
    let (mut i, mut j) = (old.0, new.0);
    for (row, column) in found.into_iter().map(|(row, column)| (row + old.0, column + new.0)) {
        pairs.extend((i..row).map(|i| (Some(i), None)));
        pairs.extend((j..column).map(|j| (None, Some(j))));
        pairs.push((Some(row), Some(column)));
        (i, j) = (row + 1, column + 1);
    }
    pairs.extend((i..old.1).map(|i| (Some(i), None)));
    pairs.extend((j..new.1).map(|j| (None, Some(j))));
}

/// How much two elements have in common. Never nothing: one value in place of another is a change, not a removal and
/// an addition.
fn alike(a: &Json, b: &Json) -> u32 {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return 1 };
    let equal = a.iter().filter(|(key, value)| b.get(*key) == Some(value)).count();
    1 + 100 * u32::try_from(equal).unwrap_or(u32::MAX / 200)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(values: &[u16]) -> Vec<Json> {
        values.iter().map(|v| json!(v)).collect()
    }

    proptest! {
        #[test]
        fn every_element_appears_once_and_in_order(
            before in proptest::collection::vec(0u16..6, 0..20),
            after in proptest::collection::vec(0u16..6, 0..20),
        ) {
            let pairs = align(&text(&before), &text(&after));
            let old: Vec<usize> = pairs.iter().filter_map(|p| p.0).collect();
            let new: Vec<usize> = pairs.iter().filter_map(|p| p.1).collect();
            prop_assert_eq!(old, (0..before.len()).collect::<Vec<_>>());
            prop_assert_eq!(new, (0..after.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn long_lists_are_compared_in_time() {
        let before: Vec<u16> = (0..5_000).collect();
        let mut after = before.clone();
        after.insert(0, 9_999);
        after.remove(2_500);
        after.push(9_998);
        let pairs = align(&text(&before), &text(&after));
        let unequal = pairs.iter().filter(|(i, j)| i.map(|i| before[i]) != j.map(|j| after[j])).count();
        assert_eq!(unequal, 3);
    }
}
