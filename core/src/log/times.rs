//! Where in a segment a search for a time begins.

use super::indexes::{Indexes, MaxTimestamp, TIME_ENTRY_BYTES, TimeEntry};
use super::segment::Segment;

/// What is known without a read of a segment's records up to a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeStart {
    /// No record before the batch with this offset is later than this timestamp, which is not later
    /// than the time.
    Entry(MaxTimestamp),
    /// The index files tell.
    Files,
    /// Nothing.
    Front,
}

impl Segment {
    /// Where to look for the first record at or behind `timestamp_ms`.
    pub fn time_start(&self, timestamp_ms: i64) -> TimeStart {
        if self.max_timestamp().timestamp_ms == timestamp_ms {
            return TimeStart::Entry(self.max_timestamp());
        }
        match self.indexes.last_time_in_memory(timestamp_ms) {
            Some(entry) => TimeStart::Entry(entry),
            None if self.companions.indexes => TimeStart::Files,
            None => TimeStart::Front,
        }
    }

    /// A position in the file where a batch begins, at or before the one that holds `offset`.
    pub fn position_before(&self, offset: i64) -> u64 {
        let index = self.indexes.offsets();
        let at = index.up_to(offset - self.base_offset);
        let entry = at.checked_sub(1).and_then(|at| index.entries().get(at));
        entry.map_or(0, |entry| u64::from(entry.position))
    }
}

impl Indexes {
    /// The last time entry that is not later, of those that the file does not have yet.
    fn last_time_in_memory(&self, timestamp_ms: i64) -> Option<MaxTimestamp> {
        let (entries, _) = self.unwritten_times().as_chunks::<TIME_ENTRY_BYTES>();
        let entry = |bytes: &[u8; TIME_ENTRY_BYTES]| TimeEntry::parse(bytes);
        let later = entries.partition_point(|bytes| entry(bytes).timestamp_ms <= timestamp_ms);
        let last = entry(entries.get(later.checked_sub(1)?)?);
        let offset = self.base_offset() + i64::from(last.relative_offset);
        Some(MaxTimestamp { timestamp_ms: last.timestamp_ms, offset })
    }
}
