//! How often things stand in a request.

use alloc::collections::BTreeMap;

/// Counts each of `things`.
pub(super) fn occurrences<T: Ord>(things: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for thing in things {
        *counts.entry(thing).or_insert(0) += 1;
    }
    counts
}
