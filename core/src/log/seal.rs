//! What is written beside a segment when it is finished, and at a clean stop.
//!
//! Index entries live in memory until then. After a crash they are rebuilt from the batches, so the
//! files only have to be there before the recovery point passes the segment.

use alloc::vec;
use alloc::vec::Vec;

use super::Log;
use super::indexes::IndexFiles;
use super::producers::format_transaction_index;
use super::segment::{FileSuffix, file_name};
use crate::effect::{Effect, FileRef, Operation, Path};
use crate::ids::{EffectId, Numbering};

/// What an effect on companions is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// The base offset of the segment whose indexes it writes.
    segment: i64,
    /// Whether it writes that segment's aborted transactions.
    has_aborted: bool,
    /// The offset of the producers' snapshot that it writes, if it does. That is one of the
    /// companions of the segment that begins there.
    snapshot: Option<i64>,
    /// Whether the index files are complete and durable with it.
    is_last: bool,
}

impl Log {
    /// What is durable in every respect: recovery after a crash may begin there. The data below it is
    /// synced, and the index files of every segment that ends below it are there.
    pub fn recovery_point(&self) -> i64 {
        let finished = self.segments.split_last().map_or(&[][..], |(_, finished)| finished);
        let unsealed = finished.iter().rev().take_while(|segment| !segment.is_sealed).last();
        unsealed.map_or(self.synced.offset, |first| first.base_offset.min(self.synced.offset))
    }

    /// True when a finished segment is not synced yet: it is, after a roll, whatever the durability
    /// (`UnifiedLog.roll`).
    pub fn is_sync_due(&self) -> bool {
        let active = self.segments.last().map_or(i64::MIN, |active| active.base_offset);
        self.is_dirty() && self.synced.offset < active
    }

    /// For a clean stop, when nothing of the log is out any more: writes the index files of the
    /// active segment and the producers' state at the end, as far as they are not on disk. Pushes at
    /// most one effect; its completion is for [`handle_written`](Self::handle_written).
    pub fn seal_for_stop(
        &mut self,
        numbering: &mut Numbering,
        effects: &mut Vec<(EffectId, Effect)>,
    ) {
        debug_assert!(self.is_idle(), "nothing of {} is out", self.path);
        let Some(active) = self.segments.last_mut() else { return };
        let segment = active.base_offset;
        let Some(files) = active.indexes.complete() else { return };
        let indexes = files.write_out(&self.path, segment, numbering);
        self.emit_seal(segment, indexes, numbering, effects);
    }

    /// Writes index entries of the active segment when there are many. Before the seal they count for
    /// no more than those in memory, which they leave.
    pub(super) fn flush_indexes(
        &mut self,
        numbering: &mut Numbering,
        effects: &mut Vec<(EffectId, Effect)>,
    ) {
        let Some(active) = self.segments.last_mut() else { return };
        let segment = active.base_offset;
        let Some(files) = active.indexes.overfull() else { return };
        let operations = files.write_out(&self.path, segment, numbering);
        let seal = Seal { segment, has_aborted: false, snapshot: None, is_last: false };
        let effect = Effect::Operations(operations);
        self.seals.push(numbering.effect(), seal, effect, effects);
    }

    /// The segment `at` is finished: its companions go out.
    pub(super) fn seal(
        &mut self,
        at: usize,
        numbering: &mut Numbering,
        effects: &mut Vec<(EffectId, Effect)>,
    ) {
        let Some(finished) = self.segments.get_mut(at) else { return };
        let segment = finished.base_offset;
        let Some(mut files) = finished.indexes.finish() else { return };
        let indexes = files.write_out(&self.path, segment, numbering);
        self.emit_seal(segment, indexes, numbering, effects);
    }

    fn emit_seal(
        &mut self,
        segment: i64,
        indexes: Vec<Operation>,
        numbering: &mut Numbering,
        effects: &mut Vec<(EffectId, Effect)>,
    ) {
        let mut operations = indexes;
        let snapshot = Some(self.accepted).filter(|end| self.newest_snapshot != Some(*end));
        let aborted = self.producers.aborted().of_segment(segment, self.accepted);
        let has_aborted = snapshot.is_some() && !aborted.is_empty();
        if has_aborted {
            let content = format_transaction_index(aborted);
            let file = companion(&self.path, segment, FileSuffix::TransactionIndex, numbering);
            operations.extend(write_synced(&file, content));
        }
        if let Some(end) = snapshot {
            let file = companion(&self.path, end, FileSuffix::Snapshot, numbering);
            operations.extend(write_synced(&file, self.producers.snapshot()));
            self.newest_snapshot = snapshot;
        }
        let seal = Seal { segment, has_aborted, snapshot, is_last: true };
        if operations.is_empty() {
            return self.take_seal(seal);
        }
        operations.push(Operation::SyncDirectory(self.path.clone()));
        let effect = Effect::Operations(operations);
        self.seals.push(numbering.effect(), seal, effect, effects);
    }

    /// A seal is complete.
    pub(super) fn take_seal(&mut self, seal: Seal) {
        if let Some(at) = self.segment_at(seal.segment) {
            let is_finished = at + 1 < self.segments.len();
            let segment = &mut self.segments[at];
            segment.companions.indexes = true;
            segment.companions.transaction_index |= seal.has_aborted;
            segment.is_sealed = seal.is_last && is_finished;
        }
        if let Some(at) = seal.snapshot.and_then(|offset| self.segment_at(offset)) {
            self.segments[at].companions.snapshot = true;
        }
    }
}

impl IndexFiles {
    fn write_out(
        &mut self,
        directory: &Path,
        segment: i64,
        numbering: &mut Numbering,
    ) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (entries, suffix) in
            [(&mut self.offsets, FileSuffix::Index), (&mut self.times, FileSuffix::TimeIndex)]
        {
            let file = || companion(directory, segment, suffix, numbering);
            operations.extend(entries.write_out(file));
        }
        operations
    }
}

/// The offset index of a new segment is there from its first write, without an entry: a Kafka that starts
/// behind a crash, or with a deleted topic's directory, takes a segment without one for damaged
/// (`LogLoader`). What the file holds already stays.
pub(crate) fn begin_index(
    directory: &Path,
    segment: i64,
    numbering: &mut Numbering,
) -> [Operation; 2] {
    let index = companion(directory, segment, FileSuffix::Index, numbering);
    let create = Operation::Write { file: index.clone(), position: 0, data: Vec::new() };
    [create, Operation::Close(index)]
}

/// Writes the whole of a file and syncs it. An old one of that name goes.
fn write_synced(file: &FileRef, content: Vec<u8>) -> Vec<Operation> {
    vec![
        Operation::Create(file.clone()),
        Operation::Write { file: file.clone(), position: 0, data: vec![content.into()] },
        Operation::Sync(file.clone()),
        Operation::Close(file.clone()),
    ]
}

/// A file beside the segment that begins at `offset`.
pub(crate) fn companion(
    directory: &Path,
    offset: i64,
    suffix: FileSuffix,
    numbering: &mut Numbering,
) -> FileRef {
    FileRef { id: numbering.file(), path: directory.join(&file_name(offset, suffix)) }
}
