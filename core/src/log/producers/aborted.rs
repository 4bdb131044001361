//! Aborted transactions, and the `.txnindex` files that hold them (`TransactionIndex`, `AbortedTxn`).

use alloc::vec::Vec;

use bytes::Bytes;

use crate::codec::Reader;

/// Bytes of an entry of `.txnindex`: its version, producer and three offsets.
pub const TRANSACTION_ENTRY_BYTES: usize = 34;

const VERSION: i16 = 0;

/// A transaction whose records read_committed readers drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer_id: i64,
    /// Its first offset in this log.
    pub first_offset: i64,
    /// The offset of its marker.
    pub last_offset: i64,
    /// The last stable offset that its end left.
    pub last_stable: i64,
}

/// All aborted transactions of a log, in the order of their markers.
///
/// Kafka keeps a list a segment. The markers' offsets tell which entries are a segment's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AbortedTransactions {
    entries: Vec<AbortedTransaction>,
}

/// A `.txnindex` file that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionIndexError {
    /// Another version than the only one there is.
    #[error("entry {entry} has version {version}")]
    Version {
        /// Counted from 0.
        entry: usize,
        /// What stands there.
        version: i16,
    },
    /// A marker outside the segment, or not behind the one before it.
    #[error("entry {entry} ends at offset {last_offset}, out of order")]
    Order {
        /// Counted from 0.
        entry: usize,
        /// What stands there.
        last_offset: i64,
    },
}

impl AbortedTransactions {
    /// Takes in one whose marker stands behind all others; one that is known already changes nothing.
    pub(super) fn push(&mut self, aborted: AbortedTransaction) {
        if self.entries.last().is_none_or(|last| last.last_offset < aborted.last_offset) {
            self.entries.push(aborted);
        }
    }

    /// Those that a read_committed reader of `[from, upper)` has to know, in the order of their
    /// markers (`TransactionIndex.collectAbortedTxns`): what ends at or behind `from` and begins
    /// before `upper`. Behind an end that left everything below `upper` decided there are no more.
    pub fn within(&self, from: i64, upper: i64) -> impl Iterator<Item = &AbortedTransaction> {
        let start = self.entries.partition_point(|entry| entry.last_offset < from);
        let candidates = &self.entries[start..];
        let decided = candidates.iter().position(|entry| entry.last_stable >= upper);
        let relevant = decided.map_or(candidates, |last| &candidates[..=last]);
        relevant.iter().filter(move |entry| entry.first_offset < upper)
    }

    /// Those whose markers lie in `[base, next)`: the content of a segment's file.
    pub fn of_segment(&self, base: i64, next: i64) -> &[AbortedTransaction] {
        let start = self.entries.partition_point(|entry| entry.last_offset < base);
        let end = self.entries.partition_point(|entry| entry.last_offset < next);
        self.entries.get(start..end).unwrap_or_default()
    }

    /// Of those whose markers lie in `[from, to)`, only `kept` are left.
    pub(super) fn replace_within(&mut self, from: i64, to: i64, kept: Vec<AbortedTransaction>) {
        let start = self.entries.partition_point(|entry| entry.last_offset < from);
        let end = self.entries.partition_point(|entry| entry.last_offset < to);
        self.entries.splice(start..end, kept);
    }

    /// Segments up to `start` are gone, and their entries with them.
    pub(super) fn forget_below(&mut self, start: i64) {
        let gone = self.entries.partition_point(|entry| entry.last_offset < start);
        self.entries.drain(..gone);
    }
}

/// The bytes of a `.txnindex` file.
pub fn format_transaction_index(entries: &[AbortedTransaction]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * TRANSACTION_ENTRY_BYTES);
    for entry in entries {
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        for field in [entry.producer_id, entry.first_offset, entry.last_offset, entry.last_stable] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
    }
    bytes
}

/// Reads the `.txnindex` of the segment that begins at `base_offset`. A part of an entry at the end
/// is left out, as in Kafka.
pub fn parse_transaction_index(
    bytes: &Bytes,
    base_offset: i64,
) -> Result<Vec<AbortedTransaction>, TransactionIndexError> {
    let mut entries: Vec<AbortedTransaction> =
        Vec::with_capacity(bytes.len() / TRANSACTION_ENTRY_BYTES);
    let mut reader = Reader::new(bytes);
    while let Ok(entry) = reader.array::<TRANSACTION_ENTRY_BYTES>() {
        let number = entries.len();
        let version = i16::from_be_bytes([entry[0], entry[1]]);
        if version != VERSION {
            return Err(TransactionIndexError::Version { entry: number, version });
        }
        let [producer_id, first_offset, last_offset, last_stable] = core::array::from_fn(|field| {
            i64::from_be_bytes(core::array::from_fn(|byte| entry[2 + 8 * field + byte]))
        });
        let rises = entries.last().is_none_or(|before| before.last_offset < last_offset);
        if last_offset < base_offset || !rises {
            return Err(TransactionIndexError::Order { entry: number, last_offset });
        }
        entries.push(AbortedTransaction { producer_id, first_offset, last_offset, last_stable });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use bytes::Bytes;

    use super::*;

    fn aborted(first_offset: i64, last_offset: i64, last_stable: i64) -> AbortedTransaction {
        AbortedTransaction { producer_id: first_offset, first_offset, last_offset, last_stable }
    }

    /// Three that overlap: the one that began last ended first.
    fn overlapping() -> AbortedTransactions {
        let mut all = AbortedTransactions::default();
        for entry in [aborted(5, 7, 1), aborted(1, 9, 3), aborted(3, 20, 21)] {
            all.push(entry);
        }
        all
    }

    fn firsts(all: &AbortedTransactions, from: i64, upper: i64) -> Vec<i64> {
        all.within(from, upper).map(|entry| entry.first_offset).collect()
    }

    #[test]
    fn range_gives_what_overlaps_it_in_the_order_of_the_markers() {
        let all = overlapping();
        assert_eq!(firsts(&all, 0, 100), [5, 1, 3]);
        assert_eq!(firsts(&all, 0, 1), [0; 0]);
        assert_eq!(firsts(&all, 0, 2), [1]);
        assert_eq!(firsts(&all, 7, 8), [5, 1, 3]);
        assert_eq!(firsts(&all, 8, 9), [1, 3]);
        assert_eq!(firsts(&all, 20, 21), [3], "from its marker on it is still told");
        assert_eq!(firsts(&all, 21, 22), [0; 0]);
    }

    #[test]
    fn search_ends_where_all_below_the_range_was_decided() {
        let mut all = AbortedTransactions::default();
        all.push(aborted(0, 4, 5));
        all.push(aborted(2, 9, 10));
        assert_eq!(firsts(&all, 0, 3), [0], "what is left open below 3 is told of by no later end");
        assert_eq!(firsts(&all, 0, 6), [0, 2]);
    }

    #[test]
    fn segment_has_the_entries_whose_markers_lie_in_it() {
        let mut all = overlapping();
        let segment = |all: &AbortedTransactions, base, next| all.of_segment(base, next).len();
        assert_eq!([segment(&all, 0, 8), segment(&all, 8, 21), segment(&all, 21, 99)], [1, 2, 0]);
        all.forget_below(8);
        assert_eq!([segment(&all, 0, 8), segment(&all, 8, 21)], [0, 2]);
    }

    #[test]
    fn known_transaction_is_not_taken_in_again() {
        let mut all = overlapping();
        for entry in overlapping().entries {
            all.push(entry);
        }
        assert_eq!(all, overlapping());
    }

    #[test]
    fn format_reads_back_and_a_part_of_an_entry_is_left_out() {
        let entries = overlapping().entries;
        let mut bytes = format_transaction_index(&entries);
        assert_eq!(bytes.len(), 3 * 34);
        let read = |bytes: &[u8]| parse_transaction_index(&Bytes::copy_from_slice(bytes), 0);
        assert_eq!(read(&bytes), Ok(entries));
        bytes.extend_from_slice(&[0; 33]);
        assert_eq!(read(&bytes).map(|entries| entries.len()), Ok(3));
        assert_eq!(read(&[]), Ok(vec![]));
    }

    #[test]
    fn file_of_another_version_segment_or_order_is_refused() {
        let bytes = Bytes::from(format_transaction_index(&overlapping().entries));
        let order = |entry, last_offset| Err(TransactionIndexError::Order { entry, last_offset });
        assert_eq!(parse_transaction_index(&bytes, 8), order(0, 7));
        let twice = [bytes.clone(), bytes.clone()].concat();
        assert_eq!(parse_transaction_index(&Bytes::from(twice), 0), order(3, 7));
        let mut versioned = bytes.to_vec();
        versioned[35] = 1;
        let version = TransactionIndexError::Version { entry: 1, version: 1 };
        assert_eq!(parse_transaction_index(&Bytes::from(versioned), 0), Err(version));
    }
}
