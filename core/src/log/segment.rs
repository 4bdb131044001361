//! A segment: one `.log` file and what is known of it.

use alloc::format;
use alloc::string::String;

use crate::effect::FileRef;

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

/// One segment of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The offset in its name: no record in it lies below.
    pub base_offset: i64,
    /// The `.log` file.
    pub file: FileRef,
    /// Bytes, accepted writes included.
    pub size: u64,
    /// The largest timestamp of its batches, milliseconds since the epoch; -1 for none.
    pub max_timestamp_ms: i64,
    /// It has completed writes that no sync has taken up.
    pub(super) is_dirty: bool,
    /// Its directory entry may not be durable.
    pub(super) is_new: bool,
}

impl Segment {
    /// A segment found on disk. An empty file may be all that a crash left of its first write, and
    /// its directory entry is then not durable.
    pub fn found(base_offset: i64, file: FileRef, size: u64, max_timestamp_ms: i64) -> Self {
        Self { base_offset, file, size, max_timestamp_ms, is_dirty: false, is_new: size == 0 }
    }

    /// A segment that its first write will create.
    pub(super) fn created(base_offset: i64, file: FileRef) -> Self {
        Self { base_offset, file, size: 0, max_timestamp_ms: -1, is_dirty: false, is_new: true }
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
