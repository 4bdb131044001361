//! Which files of the metadata log's directory are read, and in which order.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::checkpoint::SnapshotId;
use crate::effect::{Entry, EntryKind, Path};
use crate::log::{FileSuffix, parse_file_name};

/// A snapshot on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// What it covers, if it is whole.
    pub id: SnapshotId,
    /// Bytes.
    pub length: u64,
    /// When the last record that it covers was appended, milliseconds since the epoch; `None` where
    /// its header cannot be read.
    pub appended_ms: Option<i64>,
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
    /// What is left of snapshots that were not finished, or were to go.
    pub(super) leftovers: Vec<Path>,
}

impl MetadataFiles {
    /// Sorts out a directory's entries; whatever has another name (`.log.deleted`, indexes) is left
    /// alone.
    pub(super) fn select(directory: &Path, entries: &[Entry]) -> Self {
        let files = || entries.iter().filter(|entry| entry.kind == EntryKind::File);
        let mut snapshots: Vec<SnapshotFile> = files()
            .filter_map(|entry| {
                let id = SnapshotId::parse(&entry.name)?;
                Some(SnapshotFile { id, length: entry.length, appended_ms: None })
            })
            .collect();
        snapshots.sort_by_key(|snapshot| snapshot.id);
        let mut segments: Vec<SegmentFile> = files()
            .filter_map(|entry| {
                let (base_offset, suffix) = parse_file_name(&entry.name)?;
                let path = directory.join(&entry.name);
                let segment = SegmentFile { base_offset, path, length: entry.length };
                (suffix == FileSuffix::Log).then_some(segment)
            })
            .collect();
        segments.sort_by_key(|segment| segment.base_offset);
        let leftovers = files().filter(|entry| SnapshotId::is_leftover(&entry.name));
        let leftovers = leftovers.map(|entry| directory.join(&entry.name)).collect();
        Self { snapshots, segments: segments.into(), leftovers }
    }
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
        let snapshots: Vec<_> =
            files.snapshots.iter().map(|s| (s.id.end_offset, s.id.epoch)).collect();
        assert_eq!(snapshots, [(0, 0), (7, 1), (7, 2)]);
        let segments: Vec<_> = files.segments.iter().map(|s| s.base_offset).collect();
        assert_eq!(segments, vec![0, 10]);
        let leftovers: Vec<_> = files.leftovers.iter().map(Path::name).collect();
        let left = |suffix| std::format!("00000000000000000009-0000000002.checkpoint.{suffix}");
        assert_eq!(leftovers, [left("part"), left("deleted")]);
        assert_eq!(files.segments[1].path.as_str(), "/d/00000000000000000010.log");
    }
}
