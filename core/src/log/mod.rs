//! One live partition's log.
//!
//! An append is accepted at once: it takes its offsets and its place in a file, and its write goes
//! out at that explicit position. Writes complete in any order; the written end moves over the
//! contiguous prefix of completed ones only, over segment borders too. A sync notes the written end
//! when it begins and makes it the synced end when it completes. There is no undo: a failed write
//! takes the log directory offline, and the next start rebuilds the log from disk. A live log is
//! never truncated.

mod pending;
mod segment;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use crate::batch::CheckedBatch;
use crate::checkpoint::{LeaderEpochs, replace_file};
use crate::effect::{Effect, FileRef, Operation, Path, SyncSet};
use crate::ids::{DirectoryIndex, EffectId, Numbering};
use pending::{Pending, Target};
pub use segment::{FileSuffix, Segment, file_name, parse_file_name};

/// The highest offset that a log may reach: what is left above it cannot be used up.
pub const OFFSET_MAX: i64 = i64::MAX >> 1;

/// How far a record has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Its write, and every write before it, is complete: it survives the process.
    Written,
    /// A sync that began after that is complete: it survives power loss.
    Synced,
}

/// Where an accepted batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: i64,
    /// The offset of its last record.
    pub last_offset: i64,
}

/// What a loaded log is made of. Everything in it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogParts {
    /// The partition's directory.
    pub path: Path,
    /// The log directory that it lies in.
    pub log_directory: DirectoryIndex,
    /// By base offset, rising; none for an empty log.
    pub segments: Vec<Segment>,
    /// The first offset that may be read.
    pub log_start: i64,
    /// The offset of the next record.
    pub end: i64,
    /// Where each leader epoch began, as the checkpoint on disk has it.
    pub epochs: LeaderEpochs,
    /// `segment.bytes`.
    pub segment_bytes: u32,
}

/// One live partition's log.
#[derive(Debug)]
pub struct Log {
    path: Path,
    log_directory: DirectoryIndex,
    segments: Vec<Segment>,
    segment_bytes: u32,
    log_start: i64,
    accepted: i64,
    written: i64,
    synced: i64,
    /// The written end noted by the sync under way.
    syncing: Option<i64>,
    pending: Pending,
    /// Base offsets of the segments with completed writes that no sync has taken up.
    dirty: Vec<i64>,
    epochs: LeaderEpochs,
    /// The replacement of the epoch checkpoint that is out, and those that wait for it: two of them
    /// out together could end in the wrong order.
    epochs_out: Option<EffectId>,
    epochs_waiting: VecDeque<(EffectId, Effect)>,
}

impl Log {
    /// The log as it was loaded; both levels stand at its end.
    pub fn new(parts: LogParts) -> Self {
        debug_assert!(
            parts.segments.is_sorted_by(|a, b| a.base_offset < b.base_offset),
            "segments are in order"
        );
        Self {
            path: parts.path,
            log_directory: parts.log_directory,
            segments: parts.segments,
            segment_bytes: parts.segment_bytes,
            log_start: parts.log_start,
            accepted: parts.end,
            written: parts.end,
            synced: parts.end,
            syncing: None,
            pending: Pending::default(),
            dirty: Vec::new(),
            epochs: parts.epochs,
            epochs_out: None,
            epochs_waiting: VecDeque::new(),
        }
    }

    /// Accepts a batch: it has its offsets from now on. The effects pushed to `effects` may be
    /// carried out in any order; hand each completion to [`handle_written`](Self::handle_written).
    pub fn append(
        &mut self,
        batch: CheckedBatch,
        leader_epoch: i32,
        numbering: &mut Numbering,
        effects: &mut Vec<(EffectId, Effect)>,
    ) -> Appended {
        let info = *batch.info();
        let base_offset = self.accepted;
        let last_offset = base_offset + i64::from(info.last_offset_delta);
        if self.epochs.assign(leader_epoch, base_offset) {
            self.replace_epochs(base_offset, numbering, effects);
        }
        let segment = self.segment_for(info.size, last_offset, numbering);
        let write = Operation::Write {
            file: segment.file.clone(),
            position: segment.size,
            data: Vec::from(batch.place(base_offset, leader_epoch)),
        };
        segment.size += u64::from(info.size);
        segment.max_timestamp_ms = segment.max_timestamp_ms.max(info.max_timestamp_ms);
        let target = Target::Segment { base_offset: segment.base_offset };
        let id = numbering.effect();
        self.pending.push(id, last_offset + 1, target);
        self.accepted = last_offset + 1;
        effects.push((id, Effect::Operations(vec![write])));
        Appended { base_offset, last_offset }
    }

    /// One of this log's effects is complete and went well. True when the written end moved.
    ///
    /// What had to wait for it is pushed to `effects`.
    pub fn handle_written(&mut self, id: EffectId, effects: &mut Vec<(EffectId, Effect)>) -> bool {
        match self.pending.complete(id) {
            Some(Target::Segment { base_offset }) => self.mark_dirty(base_offset),
            Some(Target::Epochs) => {
                debug_assert_eq!(self.epochs_out, Some(id), "one replacement is out at a time");
                self.epochs_out = None;
                self.emit_epochs(effects);
            }
            None => debug_assert!(false, "{id:?} is no effect of {}", self.path),
        }
        let Some(written) = self.pending.advance() else { return false };
        let moved = written > self.written;
        self.written = written;
        moved
    }

    /// True when something is written that no sync has taken up.
    pub fn is_dirty(&self) -> bool {
        self.written > self.syncing.unwrap_or(self.synced)
    }

    /// Adds to `set` what the written end needs to be durable, and notes that end. One sync of a log
    /// runs at a time.
    pub fn begin_sync(&mut self, set: &mut SyncSet) {
        debug_assert!(self.syncing.is_none(), "one sync of {} at a time", self.path);
        let mut entry_is_new = false;
        for base_offset in self.dirty.drain(..) {
            let found = self.segments.binary_search_by_key(&base_offset, |s| s.base_offset);
            let Ok(at) = found else { continue };
            let segment = &mut self.segments[at];
            segment.is_dirty = false;
            entry_is_new |= core::mem::take(&mut segment.is_new);
            set.files.push(segment.file.clone());
        }
        if entry_is_new {
            set.directories.push(self.path.clone());
        }
        self.syncing = Some(self.written);
    }

    /// The sync that [`begin_sync`](Self::begin_sync) was for is complete and went well. True when
    /// the synced end moved.
    pub fn handle_synced(&mut self) -> bool {
        debug_assert!(self.syncing.is_some(), "a sync of {} was begun", self.path);
        let Some(end) = self.syncing.take() else { return false };
        let moved = end > self.synced;
        self.synced = end;
        moved
    }

    /// The end of a level: the first offset that has not reached it.
    pub fn end(&self, level: Level) -> i64 {
        match level {
            Level::Written => self.written,
            Level::Synced => self.synced,
        }
    }

    /// The offset that the next record gets.
    pub fn accepted_end(&self) -> i64 {
        self.accepted
    }

    /// The first offset that may be read.
    pub fn log_start(&self) -> i64 {
        self.log_start
    }

    /// Bytes of all segments, accepted writes included.
    pub fn size(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    /// By base offset, rising.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Where each leader epoch began.
    pub fn epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// The partition's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log directory that it lies in.
    pub fn log_directory(&self) -> DirectoryIndex {
        self.log_directory
    }

    /// `segment.bytes` has changed; it counts from the next append on.
    pub fn set_segment_bytes(&mut self, segment_bytes: u32) {
        self.segment_bytes = segment_bytes;
    }

    /// True when none of its effects and no sync is out: it may be closed.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.syncing.is_none()
    }

    /// The segment that takes `size` bytes up to `last_offset`: the active one, or a new one.
    ///
    /// Positions and relative offsets are 32 bits wide and signed in Kafka's indexes
    /// (`LogSegment.shouldRoll`), whatever `segment.bytes` says.
    fn segment_for(
        &mut self,
        size: u32,
        last_offset: i64,
        numbering: &mut Numbering,
    ) -> &mut Segment {
        let limit = u64::from(self.segment_bytes.min(i32::MAX as u32));
        let fits = self.segments.last().is_some_and(|active| {
            let offset_fits = last_offset - active.base_offset <= i64::from(i32::MAX);
            let empty_here = active.size == 0 && active.base_offset == self.accepted;
            empty_here || (offset_fits && active.size + u64::from(size) <= limit)
        });
        if !fits {
            self.roll(numbering);
        }
        self.segments.last_mut().expect("a log that rolled has a segment")
    }

    fn roll(&mut self, numbering: &mut Numbering) {
        let base_offset = self.accepted;
        let path = self.path.join(&file_name(base_offset, FileSuffix::Log));
        let file = FileRef { id: numbering.file(), path };
        self.segments.push(Segment::created(base_offset, file));
    }

    fn mark_dirty(&mut self, base_offset: i64) {
        let found = self.segments.binary_search_by_key(&base_offset, |s| s.base_offset);
        let Ok(at) = found else { return };
        if !core::mem::replace(&mut self.segments[at].is_dirty, true) {
            self.dirty.push(base_offset);
        }
    }

    /// The checkpoint must have an epoch before any of its records counts, so its replacement stands
    /// before the batch in the prefix.
    fn replace_epochs(
        &mut self,
        base_offset: i64,
        numbering: &mut Numbering,
        effects: &mut Vec<(EffectId, Effect)>,
    ) {
        let path = self.path.join(LeaderEpochs::FILE);
        let operations = replace_file(&path, self.epochs.format(), numbering);
        let id = numbering.effect();
        self.pending.push(id, base_offset, Target::Epochs);
        self.epochs_waiting.push_back((id, Effect::Operations(operations)));
        if self.epochs_out.is_none() {
            self.emit_epochs(effects);
        }
    }

    fn emit_epochs(&mut self, effects: &mut Vec<(EffectId, Effect)>) {
        let Some((id, effect)) = self.epochs_waiting.pop_front() else { return };
        self.epochs_out = Some(id);
        effects.push((id, effect));
    }
}
