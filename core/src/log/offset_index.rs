//! A segment's offset index as it is kept in memory: Kafka's entries, thinned.

use alloc::vec::Vec;

use crate::config::limits::INDEX_SPARSE_BYTES;

/// An entry of an offset index: a batch, by its last offset (`OffsetIndex`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// The batch's last offset, less the segment's base offset.
    pub relative_offset: u32,
    /// The batch's first byte, from the start of the segment's file.
    pub position: u32,
}

/// Some batches of a segment; offsets and positions both rise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetIndex {
    entries: Vec<OffsetEntry>,
}

impl OffsetIndex {
    /// Keeps an entry that lies behind all others, unless it is near the last one that was kept: a
    /// read finds what lies between. One that does not lie behind them, as a damaged file may have them, is left out.
    pub fn push(&mut self, entry: OffsetEntry) {
        let kept_to = self.entries.last().map_or(0, |last| last.position);
        if entry.position.saturating_sub(kept_to) >= INDEX_SPARSE_BYTES {
            self.entries.push(entry);
        }
    }

    /// The entries that are kept.
    pub fn entries(&self) -> &[OffsetEntry] {
        &self.entries
    }

    /// How many entries have an offset of at most `relative_offset`.
    pub(super) fn up_to(&self, relative_offset: i64) -> usize {
        self.entries.partition_point(|entry| i64::from(entry.relative_offset) <= relative_offset)
    }

    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::{OffsetEntry, OffsetIndex};

    #[test]
    fn an_entry_before_the_last_one_is_left_out() {
        let entry = |relative_offset, position| OffsetEntry { relative_offset, position };
        let mut index = OffsetIndex::default();
        index.push(entry(9, 1 << 30));
        index.push(entry(1, 100));
        assert_eq!(index.entries(), [entry(9, 1 << 30)]);
    }
}
