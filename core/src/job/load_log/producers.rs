//! The producers' state at the log's end: from the newest snapshot that can be believed, and by replay
//! of the batches behind it (`UnifiedLog.rebuildProducerState`).

use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;

use super::scan::Found;
use super::{LoadLog, Stage};
use crate::config::limits::SNAPSHOT_BYTES_MAX;
use crate::effect::{FileRef, Operation, OperationResult};
use crate::log::producers::ProducerStates;
use crate::log::{FileSuffix, file_name};

/// The producers as far as the walk has come.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) states: ProducerStates,
    /// What ends below it is in the snapshot, or below the log's start.
    pub(super) from: i64,
    /// The snapshot that was taken.
    pub(super) snapshot: Option<i64>,
}

impl Replay {
    /// Takes the next batch.
    pub(super) fn take(&mut self, found: &Found) {
        let Some(header) = &found.header else { return };
        if found.last_offset.is_some_and(|last| last >= self.from) {
            self.states.replay(header, found.marker.as_ref());
        }
    }
}

impl LoadLog {
    /// Reads the newest snapshot that may be taken: none above where the batches are to be looked at
    /// again, nor above a log's end that was found to be lower, nor below the log's start.
    pub(super) fn load_snapshot(&mut self) {
        let replayed = self.segments.iter().find(|segment| segment.replays);
        let most = replayed.map_or(i64::MAX, |first| first.base_offset).min(self.snapshot_max);
        let usable = self.snapshot_min()..=most;
        let mut candidates = self.snapshots.iter().rev().filter(|(at, _)| usable.contains(at));
        let Some(&(offset, length)) = candidates.find(|(at, _)| !self.bad_snapshots.contains(at))
        else {
            return self.begin_replay(None, ProducerStates::default());
        };
        if length > u64::from(SNAPSHOT_BYTES_MAX) {
            return self.reject_snapshot(offset, "it is too long to be one");
        }
        let path = self.context.path.join(&file_name(offset, FileSuffix::Snapshot));
        let file = FileRef { id: self.numbering.file(), path };
        let operations = Vec::from([
            Operation::Read { file: file.clone(), position: 0, length: length as u32 },
            Operation::Close(file),
        ]);
        self.emit(Stage::Snapshot { offset }, operations);
    }

    /// The log's start. Batches below it are not replayed, or are deleted: a snapshot from before them
    /// would refuse a producer's next batch as out of order, where one that is unknown may go on
    /// (`ProducerStateManager.truncateAndReload`). Kafka drops one at the start itself, too, though it
    /// lacks nothing.
    fn snapshot_min(&self) -> i64 {
        let first = self.segments.first().map_or(0, |first| first.base_offset);
        self.log_start.max(first)
    }

    /// The snapshot was read.
    pub(super) fn handle_snapshot(&mut self, offset: i64, mut results: Vec<OperationResult>) {
        results.pop();
        let content = match results.pop() {
            Some(OperationResult::Read(content)) => content,
            _ => Bytes::new(),
        };
        match ProducerStates::parse_snapshot(&content) {
            Ok(states) => self.begin_replay(Some(offset), states),
            Err(error) => self.reject_snapshot(offset, &format!("{error}")),
        }
    }

    /// Kafka deletes such a snapshot and takes an older one, too.
    fn reject_snapshot(&mut self, offset: i64, reason: &str) {
        let (path, name) = (&self.context.path, file_name(offset, FileSuffix::Snapshot));
        self.warn(format!("{path}/{name} is not used, and an older one is: {reason}"));
        self.bad_snapshots.push(offset);
        self.load_snapshot();
    }

    fn begin_replay(&mut self, snapshot: Option<i64>, mut states: ProducerStates) {
        for segment in &mut self.segments {
            states.restore_aborted(core::mem::take(&mut segment.aborted));
        }
        let from = snapshot.unwrap_or(0).max(self.log_start);
        self.replay = Replay { states, from, snapshot };
        self.walk_from(0);
    }

    /// The snapshots that go: what could not be read, what lies above the log's end, and strays. One
    /// that no segment begins at stays only as the newest, above all of them
    /// (`ProducerStateManager.removeStraySnapshots`), and not below the log's start.
    pub(super) fn useless_snapshots(&self) -> Vec<i64> {
        let end = self.offsets.end;
        let is_usable = |offset: i64| offset <= end && !self.bad_snapshots.contains(&offset);
        let is_base = |offset: i64| {
            self.segments.binary_search_by_key(&offset, |segment| segment.base_offset).is_ok()
        };
        let last_base = self.segments.last().map_or(i64::MIN, |last| last.base_offset);
        let offsets = self.snapshots.iter().map(|(offset, _)| *offset);
        let strays = offsets.clone().filter(|offset| is_usable(*offset) && !is_base(*offset));
        let start = self.snapshot_min();
        let kept = strays.max().filter(|offset| *offset > last_base && *offset >= start);
        offsets
            .filter(|&offset| !is_usable(offset) || !is_base(offset) && Some(offset) != kept)
            .collect()
    }
}
