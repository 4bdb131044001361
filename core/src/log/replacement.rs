//! How compacted segments take the place of others on disk (`LocalLog.replaceSegments`).
//!
//! What a start makes of each place where this may be cut is in `job/load_log/leftovers.rs`: before the last new file
//! is a `.swap` one the new files are waste, from then on the old ones are.

use alloc::format;
use alloc::vec::Vec;

use super::compaction::CleanedSegment;
use super::retention::RemovedSegment;
use super::segment::{FileSuffix, file_name};
use crate::effect::{Operation, Path};

/// Puts `new`, whole and durable under other names (`.cleaned`), in the place of `old`.
///
/// The new files become `.swap` ones, which stand for all that they cover from then on; the old ones become
/// `.deleted` ones; then the new ones get their names. Each step is durable before the next.
pub fn replacement(
    directory: &Path,
    new: &[CleanedSegment],
    old: &[RemovedSegment],
) -> Vec<Operation> {
    let sync = || Operation::SyncDirectory(directory.clone());
    let mut operations = Vec::new();
    // From the last on: a part of them counts for nothing as long as the first one is not a swap file.
    for segment in new.iter().rev() {
        operations.extend(renames(directory, segment, ".cleaned", ".swap"));
        operations.push(sync());
    }
    // The driver must know the ids before the paths go: they are read on.
    operations.extend(old.iter().map(|segment| Operation::Open(segment.file.clone())));
    operations.extend(old.iter().flat_map(RemovedSegment::renames));
    operations.push(sync());
    for segment in new {
        operations.extend(renames(directory, segment, ".swap", ""));
    }
    operations.push(sync());
    operations
}

/// The `.log` first: while it is a swap file, a start takes index files of its offset for those of an old segment.
fn renames(
    directory: &Path,
    segment: &CleanedSegment,
    from: &str,
    to: &str,
) -> impl Iterator<Item = Operation> {
    let has_aborted = !segment.aborted.is_empty();
    let suffixes = [
        (FileSuffix::Log, true),
        (FileSuffix::Index, true),
        (FileSuffix::TimeIndex, true),
        (FileSuffix::TransactionIndex, has_aborted),
    ];
    let base_offset = segment.base_offset;
    suffixes.into_iter().filter(|(_, exists)| *exists).map(move |(suffix, _)| {
        let name = file_name(base_offset, suffix);
        let from = directory.join(&format!("{name}{from}"));
        Operation::Rename { from, to: directory.join(&format!("{name}{to}")) }
    })
}
