//! Sorted maps, walked piece by piece.

use alloc::borrow::Borrow;
use alloc::collections::BTreeMap;
use core::ops::Bound;

/// The first entry behind the key `after`, or the first of all.
pub(super) fn next<'a, K: Ord + Borrow<Q>, Q: Ord + ?Sized, V>(
    map: &'a BTreeMap<K, V>,
    after: Option<&Q>,
) -> Option<(&'a K, &'a V)> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    map.range::<Q, _>((from, Bound::Unbounded)).next()
}
