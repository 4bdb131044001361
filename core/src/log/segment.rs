//! A segment: one `.log` file and what is known of it.

use alloc::format;
use alloc::string::String;
use core::cmp::Ordering;

use super::indexes::{IndexedBatch, Indexes, MaxTimestamp};
use super::place::Place;
use crate::batch::BatchInfo;
use crate::effect::{FileRef, Path};

/// The files of a segment that the core knows, by their suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileSuffix {
    /// `.log`: the batches.
    Log,
    /// `.index`: offset to position.
    Index,
    /// `.timeindex`: timestamp to offset.
    TimeIndex,
    /// `.txnindex`: aborted transactions.
    TransactionIndex,
    /// `.snapshot`: the producers' state before this offset.
    Snapshot,
}

const SUFFIXES: [(FileSuffix, &str); 5] = [
    (FileSuffix::Log, ".log"),
    (FileSuffix::Index, ".index"),
    (FileSuffix::TimeIndex, ".timeindex"),
    (FileSuffix::TransactionIndex, ".txnindex"),
    (FileSuffix::Snapshot, ".snapshot"),
];

/// The name of a segment's file: the offset in 20 digits and the suffix (`LogFileUtils`).
pub fn file_name(offset: i64, suffix: FileSuffix) -> String {
    let (_, text) = SUFFIXES[suffix as usize];
    format!("{offset:020}{text}")
}

/// The offset and kind in a name that [`file_name`] makes; `None` for every other name.
pub fn parse_file_name(name: &str) -> Option<(i64, FileSuffix)> {
    let (digits, text) = name.split_at_checked(20)?;
    let (suffix, _) = SUFFIXES.iter().find(|(_, known)| *known == text)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((digits.parse().ok()?, *suffix))
}

/// The files beside a segment's `.log` that are on disk under its base offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Companions {
    /// `.index` and `.timeindex`.
    pub indexes: bool,
    /// `.txnindex`.
    pub transaction_index: bool,
    /// `.snapshot`: the producers' state where the segment begins.
    pub snapshot: bool,
}

/// What a segment that was found on disk is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentParts {
    /// The offset in its name.
    pub base_offset: i64,
    /// The `.log` file.
    pub file: FileRef,
    /// Bytes of it.
    pub size: u64,
    /// Its indexes; without an entry, every look-up begins at the segment's start.
    pub indexes: Indexes,
    /// The largest timestamp of its first batch (`LogSegment.loadFirstBatchTimestamp`); -1 for none.
    /// Only the last segment's is looked at.
    pub first_timestamp_ms: i64,
    /// When the `.log` file was last written, by the wall clock, milliseconds.
    pub modified_ms: i64,
    /// What lies beside it.
    pub companions: Companions,
}

/// One segment of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The offset in its name: no record in it lies below.
    pub base_offset: i64,
    /// The `.log` file.
    pub file: FileRef,
    /// Bytes, accepted writes included.
    pub size: u64,
    /// When a write to it was last accepted, by the wall clock, milliseconds.
    pub modified_ms: i64,
    /// What lies beside it.
    pub companions: Companions,
    pub(super) indexes: Indexes,
    /// When its first write was accepted, by the wall clock; of a found one, when it was last written.
    pub(super) begun_ms: i64,
    /// The largest timestamp of the first batch; -1 for none.
    pub(super) first_timestamp_ms: i64,
    /// It has completed writes that no sync has taken up.
    pub(super) is_dirty: bool,
    /// Its directory entry may not be durable.
    pub(super) is_new: bool,
    /// Its index files are durable; never so while it is appended to.
    pub(super) is_sealed: bool,
}

impl Segment {
    /// Bytes of it that lie below `bound`.
    pub fn bytes_below(&self, bound: Place) -> u64 {
        match self.base_offset.cmp(&bound.segment) {
            Ordering::Less => self.size,
            Ordering::Equal => bound.position,
            Ordering::Greater => 0,
        }
    }

    /// A segment found on disk. An empty file may be all that a crash left of its first write, and
    /// its directory entry is then not durable.
    pub(super) fn found(parts: SegmentParts) -> Self {
        let SegmentParts { base_offset, file, size, modified_ms, companions, .. } = parts;
        Self {
            base_offset,
            file,
            size,
            modified_ms,
            companions,
            indexes: parts.indexes,
            begun_ms: modified_ms,
            first_timestamp_ms: parts.first_timestamp_ms,
            is_dirty: false,
            is_new: size == 0,
            is_sealed: false,
        }
    }

    /// A found segment that is not the last one: its index files are there.
    pub(super) fn finish_found(&mut self) {
        self.indexes.finish();
        self.is_sealed = true;
    }

    /// A segment that its first write will create.
    pub(super) fn created(base_offset: i64, file: FileRef, wall_ms: i64) -> Self {
        Self {
            base_offset,
            file,
            size: 0,
            modified_ms: wall_ms,
            companions: Companions::default(),
            indexes: Indexes::new(base_offset),
            begun_ms: wall_ms,
            first_timestamp_ms: -1,
            is_dirty: false,
            is_new: true,
            is_sealed: false,
        }
    }

    /// Takes a batch at its end.
    pub(super) fn take(
        &mut self,
        info: &BatchInfo,
        last_offset: i64,
        wall_ms: i64,
        index_interval_bytes: u32,
    ) {
        if self.size == 0 {
            self.first_timestamp_ms = info.max_timestamp_ms;
        }
        let batch = IndexedBatch {
            position: self.size,
            size: info.size,
            last_offset,
            max_timestamp_ms: info.max_timestamp_ms,
        };
        self.indexes.note(&batch, index_interval_bytes);
        self.size += u64::from(info.size);
        self.modified_ms = wall_ms;
    }

    /// Its largest timestamp, and the last offset of the first batch that has it.
    pub fn max_timestamp(&self) -> MaxTimestamp {
        self.indexes.max_timestamp()
    }

    /// The largest timestamp, or when it was last written if no record has one
    /// (`LogSegment.largestTimestamp`), milliseconds.
    pub fn largest_timestamp_ms(&self) -> i64 {
        let max = self.max_timestamp().timestamp_ms;
        if max >= 0 { max } else { self.modified_ms }
    }

    /// The path of one of its files.
    pub fn path(&self, suffix: FileSuffix) -> Path {
        self.file.path.parent().join(&file_name(self.base_offset, suffix))
    }
}

#[cfg(test)]
mod tests {
    use super::{FileSuffix, SUFFIXES, file_name, parse_file_name};

    #[test]
    fn names_have_twenty_digits() {
        assert_eq!(file_name(0, FileSuffix::Log), "00000000000000000000.log");
        assert_eq!(file_name(i64::MAX, FileSuffix::Snapshot), "09223372036854775807.snapshot");
    }

    #[test]
    fn names_read_back() {
        for (suffix, _) in SUFFIXES {
            assert_eq!(parse_file_name(&file_name(42, suffix)), Some((42, suffix)));
        }
    }

    #[test]
    fn other_names_are_no_segments() {
        for name in [
            "",
            "0.log",
            "00000000000000000000",
            "00000000000000000000.log.swap",
            "0000000000000000000é.log",
            "+0000000000000000000.log",
            "99999999999999999999.log",
            "00000000000000000000-0000000000.checkpoint",
        ] {
            assert_eq!(parse_file_name(name), None, "{name}");
        }
    }
}
