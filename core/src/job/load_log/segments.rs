//! The segments that were found, and how much of each is known without a look at its batches.

use alloc::vec::Vec;

use super::context::LoadLogContext;
use super::listing::ListedFile;
use crate::effect::{FileRef, Path};
use crate::log::producers::AbortedTransaction;
use crate::log::{Companions, FileSuffix, Indexes};

/// A segment on disk.
#[derive(Debug)]
pub(super) struct FoundSegment {
    /// The offset in its name.
    pub(super) base_offset: i64,
    /// Its `.log` file.
    pub(super) file: FileRef,
    /// Bytes, as listed.
    pub(super) length: u64,
    /// When it was last written, milliseconds since the Unix epoch.
    pub(super) modified_ms: i64,
    /// Bytes that stay.
    pub(super) kept: u64,
    /// The index files beside it, as listed.
    pub(super) files: IndexLengths,
    /// What lies beside it and counts.
    pub(super) companions: Companions,
    pub(super) trust: Trust,
    /// Its transactions are looked at again: its `.txnindex`, and later snapshots, do not count.
    pub(super) replays: bool,
    /// What its `.txnindex` says.
    pub(super) aborted: Vec<AbortedTransaction>,
    /// As its files have them, or as its batches make them.
    pub(super) indexes: Indexes,
    /// Of its first batch; -1 for none.
    pub(super) first_timestamp_ms: i64,
    /// Where the first batch begins that is not known to be synced.
    pub(super) unsynced_from: Option<u64>,
    /// Its id is bound by the driver.
    pub(super) is_open: bool,
}

/// Bytes of each file beside a `.log`; `None` where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IndexLengths {
    pub(super) offsets: Option<u64>,
    pub(super) times: Option<u64>,
    pub(super) transactions: Option<u64>,
}

impl IndexLengths {
    /// The suffixes of those that are there.
    pub(super) fn named(self) -> impl Iterator<Item = FileSuffix> {
        let Self { offsets, times, transactions } = self;
        [
            offsets.map(|_| FileSuffix::Index),
            times.map(|_| FileSuffix::TimeIndex),
            transactions.map(|_| FileSuffix::TransactionIndex),
        ]
        .into_iter()
        .flatten()
    }
}

/// What has to be looked at of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Its index files; its batches only behind their last entry, and where producers are replayed.
    Indexed,
    /// Every batch, with its CRC; its index files do not count.
    Scanned,
}

impl FoundSegment {
    pub(super) fn new(listed: &ListedFile, file: FileRef) -> Self {
        let ListedFile { offset, length, modified_ms } = *listed;
        Self {
            base_offset: offset,
            file,
            length,
            modified_ms,
            kept: length,
            files: IndexLengths::default(),
            companions: Companions::default(),
            trust: Trust::Scanned,
            replays: true,
            aborted: Vec::new(),
            indexes: Indexes::new(offset),
            first_timestamp_ms: -1,
            unsynced_from: None,
            is_open: false,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    /// The bytes that are to be written back: they may be on disk, or in memory alone.
    pub(super) fn unsynced(&self) -> Option<u64> {
        self.unsynced_from.filter(|from| *from < self.kept)
    }

    /// The last offset and the position of the batch that the last entry of `.index` is for.
    pub(super) fn last_entry(&self) -> Option<(i64, u64)> {
        let entry = self.indexes.last_offset_entry()?;
        Some((self.base_offset + i64::from(entry.relative_offset), u64::from(entry.position)))
    }

    /// Its index files do not count.
    pub(super) fn distrust(&mut self) {
        self.trust = Trust::Scanned;
        self.companions.indexes = false;
        self.indexes = Indexes::new(self.base_offset);
    }
}

/// Which segments need no scan (`LogLoader.recoverLog`): all of them behind the clean marker, else
/// those that end below the recovery point. One that ends at it was perhaps the active one when the
/// point was written, and the crash may have cut the write of its index files. An empty one has no
/// index to be trusted, and without their checkpoint the leader epochs are those of all batches.
pub(super) fn trust(segments: &mut [FoundSegment], context: &LoadLogContext, has_epochs: bool) {
    let recovery_point = context.recovery_point.unwrap_or(0);
    let trusted = if context.is_clean {
        segments.len()
    } else {
        let begun = segments.partition_point(|segment| segment.base_offset < recovery_point);
        begun.saturating_sub(1)
    };
    for segment in &mut segments[..trusted] {
        segment.replays = false;
        if segment.length > 0 && has_epochs {
            segment.trust = Trust::Indexed;
            segment.companions.indexes = true;
        }
    }
}

/// Notes what lies beside each segment, and gives the index files that have no segment.
pub(super) fn pair(
    segments: &mut [FoundSegment],
    indexes: &[(FileSuffix, ListedFile)],
    snapshots: &[ListedFile],
) -> Vec<(i64, FileSuffix)> {
    let mut orphans = Vec::new();
    for (suffix, listed) in indexes {
        let Some(segment) = find(segments, listed.offset) else {
            orphans.push((listed.offset, *suffix));
            continue;
        };
        let files = &mut segment.files;
        match suffix {
            FileSuffix::Index => files.offsets = Some(listed.length),
            FileSuffix::TimeIndex => files.times = Some(listed.length),
            _ => files.transactions = Some(listed.length),
        }
    }
    for listed in snapshots {
        if let Some(segment) = find(segments, listed.offset) {
            segment.companions.snapshot = true;
        }
    }
    orphans
}

/// The snapshot where a segment begins goes.
pub(super) fn forget_snapshot(segments: &mut [FoundSegment], offset: i64) {
    if let Some(segment) = find(segments, offset) {
        segment.companions.snapshot = false;
    }
}

fn find(segments: &mut [FoundSegment], base_offset: i64) -> Option<&mut FoundSegment> {
    let found = segments.binary_search_by_key(&base_offset, |segment| segment.base_offset);
    segments.get_mut(found.ok()?)
}
