//! Which files of the metadata log's directory are read, and in which order.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::effect::{Entry, EntryKind, Path};

/// A snapshot of everything below an offset (`Snapshots`, KIP-630).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SnapshotFile {
    /// The first offset that is not in it.
    pub(super) end_offset: i64,
    /// The quorum's epoch at its end.
    pub(super) epoch: i32,
    pub(super) path: Path,
    pub(super) length: u64,
}

/// A segment of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentFile {
    pub(super) base_offset: i64,
    pub(super) path: Path,
    pub(super) length: u64,
}

/// What is there to load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MetadataFiles {
    /// The newest last.
    pub(super) snapshots: Vec<SnapshotFile>,
    /// By base offset.
    pub(super) segments: VecDeque<SegmentFile>,
}

impl MetadataFiles {
    /// Sorts out a directory's entries; whatever has another name (`.part`, `.deleted`, indexes) is
    /// left alone.
    pub(super) fn select(directory: &Path, entries: &[Entry]) -> Self {
        let files = || entries.iter().filter(|entry| entry.kind == EntryKind::File);
        let mut snapshots: Vec<SnapshotFile> = files()
            .filter_map(|entry| {
                let (end_offset, epoch) = snapshot_id(&entry.name)?;
                let path = directory.join(&entry.name);
                Some(SnapshotFile { end_offset, epoch, path, length: entry.length })
            })
            .collect();
        snapshots.sort_by_key(|snapshot| (snapshot.end_offset, snapshot.epoch));
        let mut segments: Vec<SegmentFile> = files()
            .filter_map(|entry| {
                let base_offset = digits(entry.name.strip_suffix(".log")?, OFFSET_DIGITS)?;
                let path = directory.join(&entry.name);
                Some(SegmentFile { base_offset, path, length: entry.length })
            })
            .collect();
        segments.sort_by_key(|segment| segment.base_offset);
        Self { snapshots, segments: segments.into() }
    }
}

const OFFSET_DIGITS: usize = 20;
const EPOCH_DIGITS: usize = 10;

/// `<end offset>-<epoch>.checkpoint`.
fn snapshot_id(name: &str) -> Option<(i64, i32)> {
    let (offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
    Some((digits(offset, OFFSET_DIGITS)?, digits(epoch, EPOCH_DIGITS)?))
}

fn digits<T: core::str::FromStr>(text: &str, count: usize) -> Option<T> {
    let is_padded = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_padded.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn only_whole_snapshots_and_segments_are_selected() {
        let names = [
            "00000000000000000000-0000000000.checkpoint",
            "00000000000000000000.index",
            "00000000000000000000.log",
            "00000000000000000007-0000000002.checkpoint",
            "00000000000000000007-0000000001.checkpoint",
            "00000000000000000009-0000000002.checkpoint.part",
            "00000000000000000009-0000000002.checkpoint.deleted",
            "00000000000000000010.log",
            "00000000000000000020.log.deleted",
            "99999999999999999999.log",
            "1.log",
            "+0000000000000000001.log",
            "leader-epoch-checkpoint",
            "quorum-state",
        ];
        let entry = |name: &&str| Entry {
            name: (*name).into(),
            kind: EntryKind::File,
            length: 5,
            modified_ms: 0,
        };
        let mut entries: Vec<Entry> = names.iter().map(entry).collect();
        entries.push(Entry { kind: EntryKind::Directory, ..entry(&"00000000000000000030.log") });

        let files = MetadataFiles::select(&Path::new("/d"), &entries);
        let snapshots: Vec<_> = files.snapshots.iter().map(|s| (s.end_offset, s.epoch)).collect();
        assert_eq!(snapshots, [(0, 0), (7, 1), (7, 2)]);
        let segments: Vec<_> = files.segments.iter().map(|s| s.base_offset).collect();
        assert_eq!(segments, vec![0, 10]);
        assert_eq!(files.segments[1].path.as_str(), "/d/00000000000000000010.log");
    }
}
