//! One live partition's log.
//!
//! An append is accepted at once: it takes its offsets and its place in a file, and its write goes
//! out at that explicit position. Writes complete in any order; the written end moves over the
//! contiguous prefix of completed ones only, over segment borders too. A sync notes the written end
//! when it begins and makes it the synced end when it completes. There is no undo: a failed write
//! takes the log directory offline, and the next start rebuilds the log from disk. A live log is
//! never truncated.

mod compaction;
mod config;
mod head;
mod in_turn;
mod indexes;
mod locate;
mod offset_index;
mod pending;
mod place;
pub mod producers;
mod replacement;
mod retention;
mod roll;
mod seal;
mod search;
mod segment;
mod tail;
#[cfg(test)]
mod tests;
mod times;

use alloc::vec;
use alloc::vec::Vec;

use crate::batch::CheckedBatch;
use crate::checkpoint::{LeaderEpochs, replace_file};
use crate::effect::{Effect, FileRef, Operation, Path, SyncSet};
use crate::ids::{DirectoryIndex, EffectId, Numbering};
use crate::time::{Millis, Now};
pub use compaction::{Cleanable, CleanedSegment, CompactionLags};
pub use config::LogConfig;
use in_turn::InTurn;
pub use indexes::{
    EntryFile, IndexFault, IndexFiles, IndexedBatch, Indexes, MaxTimestamp, OFFSET_ENTRY_BYTES,
    TIME_ENTRY_BYTES,
};
pub use offset_index::{OffsetEntry, OffsetIndex};
use pending::{Pending, Target};
pub use place::{Located, Lookup, Place};
use producers::ProducerStates;
pub use replacement::replacement;
pub use retention::{RemovedSegment, Retention};
use seal::Seal;
pub(crate) use seal::{begin_index, companion};
pub use search::{Search, SearchStep};
pub use segment::{Companions, FileSuffix, Segment, SegmentParts, file_name, parse_file_name};
use tail::{Tail, TailEnd};
pub use times::TimeStart;

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
    pub segments: Vec<SegmentParts>,
    /// The first offset that may be read.
    pub log_start: i64,
    /// The offset of the next record.
    pub end: i64,
    /// Where each leader epoch began, as the checkpoint on disk has it.
    pub epochs: LeaderEpochs,
    /// Who wrote to it, as of its end.
    pub producers: ProducerStates,
    /// The highest offset in the name of a producers' snapshot that is on disk.
    pub newest_snapshot: Option<i64>,
    /// What it goes by.
    pub config: LogConfig,
}

impl LogParts {
    /// A log without a record, in a directory that is there.
    pub fn empty(path: Path, log_directory: DirectoryIndex, config: LogConfig) -> Self {
        Self {
            path,
            log_directory,
            segments: Vec::new(),
            log_start: 0,
            end: 0,
            epochs: LeaderEpochs::default(),
            producers: ProducerStates::default(),
            newest_snapshot: None,
            config,
        }
    }
}

/// One live partition's log.
#[derive(Debug)]
pub struct Log {
    path: Path,
    log_directory: DirectoryIndex,
    segments: Vec<Segment>,
    tail: Tail,
    config: LogConfig,
    log_start: i64,
    accepted: i64,
    written: Place,
    synced: Place,
    /// The written end noted by the sync under way.
    syncing: Option<Place>,
    pending: Pending,
    /// Base offsets of the segments with completed writes that no sync has taken up.
    dirty: Vec<i64>,
    producers: ProducerStates,
    /// The offset of the last snapshot of them that was begun, or found.
    newest_snapshot: Option<i64>,
    epochs: LeaderEpochs,
    /// Replacements of the epoch checkpoint.
    epochs_effects: InTurn<()>,
    seals: InTurn<Seal>,
}

impl Log {
    /// The log as it was loaded; both levels stand at its end.
    pub fn new(parts: LogParts) -> Self {
        debug_assert!(
            parts.segments.is_sorted_by(|a, b| a.base_offset < b.base_offset),
            "segments are in order"
        );
        let mut segments: Vec<_> = parts.segments.into_iter().map(Segment::found).collect();
        if let Some((_, finished)) = segments.split_last_mut() {
            finished.iter_mut().for_each(Segment::finish_found);
        }
        let end = end_place(&segments, parts.end);
        let mut producers = parts.producers;
        producers.advance(parts.end);
        Self {
            path: parts.path,
            log_directory: parts.log_directory,
            segments,
            tail: Tail::default(),
            config: parts.config,
            log_start: parts.log_start,
            accepted: parts.end,
            written: end,
            synced: end,
            syncing: None,
            pending: Pending::default(),
            dirty: Vec::new(),
            producers,
            newest_snapshot: parts.newest_snapshot,
            epochs: parts.epochs,
            epochs_effects: InTurn::default(),
            seals: InTurn::default(),
        }
    }

    /// Accepts a batch: it has its offsets from now on. The effects pushed to `effects` may be
    /// carried out in any order; hand each completion to [`handle_written`](Self::handle_written).
    pub fn append(
        &mut self,
        batch: CheckedBatch,
        leader_epoch: i32,
        now: Now,
        numbering: &mut Numbering,
        effects: &mut Vec<(EffectId, Effect)>,
    ) -> Appended {
        let info = *batch.info();
        let base_offset = self.accepted;
        let last_offset = base_offset + i64::from(info.last_offset_delta);
        if self.epochs.assign(leader_epoch, base_offset) {
            self.replace_epochs(numbering, effects);
        }
        let rolls = self.segments.last().is_none_or(|active| {
            roll::should_roll(active, &info, last_offset, &self.config, now.wall_ms)
        });
        if rolls {
            self.roll(now, numbering, effects);
        }
        let interval_bytes = self.config.index_interval_bytes;
        let active = self.segments.last_mut().expect("a log that rolled has a segment");
        let batch_end = TailEnd::of(active, base_offset);
        let write = Operation::Write {
            file: active.file.clone(),
            position: active.size,
            data: Vec::from(batch.place(base_offset, leader_epoch)),
        };
        active.take(&info, last_offset, now.wall_ms, interval_bytes);
        self.tail.push(batch_end);
        self.producers.note(&info, base_offset, now.mono);
        self.accepted = last_offset + 1;
        let mut operations = vec![write];
        if rolls {
            operations.extend(begin_index(&self.path, batch_end.segment, numbering));
        }
        let id = numbering.effect();
        self.pending.push(id, self.accepted_place(), Target::Segment);
        effects.push((id, Effect::Operations(operations)));
        self.flush_indexes(numbering, effects);
        Appended { base_offset, last_offset }
    }

    /// One of this log's effects is complete and went well. True when the written end moved.
    ///
    /// What had to wait for it is pushed to `effects`.
    pub fn handle_written(&mut self, id: EffectId, effects: &mut Vec<(EffectId, Effect)>) -> bool {
        if let Some(seal) = self.seals.complete(id, effects) {
            self.take_seal(seal);
            return false;
        }
        match self.pending.complete(id) {
            Some((Target::Segment, end)) => self.mark_dirty(end.segment),
            Some((Target::Epochs, _)) => {
                let is_out = self.epochs_effects.complete(id, effects).is_some();
                debug_assert!(is_out, "one replacement is out at a time");
            }
            None => debug_assert!(false, "{id:?} is no effect of {}", self.path),
        }
        let Some(written) = self.pending.advance() else { return false };
        let moved = written.offset > self.written.offset;
        self.written = written;
        moved
    }

    /// True when something is written that no sync has taken up.
    pub fn is_dirty(&self) -> bool {
        self.written.offset > self.syncing.unwrap_or(self.synced).offset
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
        let moved = end.offset > self.synced.offset;
        self.synced = end;
        self.producers.advance(end.offset);
        moved
    }

    /// The end of a level: the first offset that has not reached it.
    pub fn end(&self, level: Level) -> i64 {
        self.place(level).offset
    }

    /// The place of a level's end.
    pub fn place(&self, level: Level) -> Place {
        match level {
            Level::Written => self.written,
            Level::Synced => self.synced,
        }
    }

    /// The last stable offset: no record below it, and below the end of `level`, belongs to a
    /// transaction that is still open.
    pub fn last_stable(&self, level: Level) -> i64 {
        let end = self.end(level);
        let unstable = self.producers.first_unstable(end);
        unstable.map_or(end, |first| first.max(self.log_start).min(end))
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

    /// Who wrote to it.
    pub fn producers(&self) -> &ProducerStates {
        &self.producers
    }

    /// Forgets up to `at_most` producers that have been idle for `idle`, and says how many.
    pub fn expire_producers(&mut self, idle: Millis, now: Now, at_most: usize) -> usize {
        self.producers.expire(idle, now.mono, at_most)
    }

    /// The partition's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log directory that it lies in.
    pub fn log_directory(&self) -> DirectoryIndex {
        self.log_directory
    }

    /// What it goes by has changed; it counts from the next append on.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// True when none of its effects and no sync is out: it may be closed.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.seals.is_empty() && self.syncing.is_none()
    }

    fn roll(&mut self, now: Now, numbering: &mut Numbering, effects: &mut Vec<(EffectId, Effect)>) {
        let finished = self.segments.len().checked_sub(1);
        let base_offset = self.accepted;
        let path = self.path.join(&file_name(base_offset, FileSuffix::Log));
        let file = FileRef { id: numbering.file(), path };
        if self.segments.is_empty() {
            // Most logs have one.
            self.segments.reserve_exact(1);
        }
        self.segments.push(Segment::created(base_offset, file, now.wall_ms));
        self.tail.clear();
        if let Some(at) = finished {
            self.seal(at, numbering, effects);
        }
    }

    fn segment_at(&self, base_offset: i64) -> Option<usize> {
        self.segments.binary_search_by_key(&base_offset, |segment| segment.base_offset).ok()
    }

    fn accepted_place(&self) -> Place {
        end_place(&self.segments, self.accepted)
    }

    fn mark_dirty(&mut self, base_offset: i64) {
        let Some(at) = self.segment_at(base_offset) else { return };
        if !core::mem::replace(&mut self.segments[at].is_dirty, true) {
            self.dirty.push(base_offset);
        }
    }

    /// The checkpoint must have an epoch before any of its records counts, so its replacement stands
    /// before the batch in the prefix.
    fn replace_epochs(&mut self, numbering: &mut Numbering, effects: &mut Vec<(EffectId, Effect)>) {
        let path = self.path.join(LeaderEpochs::FILE);
        let operations = replace_file(&path, self.epochs.format(), numbering);
        let id = numbering.effect();
        self.pending.push(id, self.accepted_place(), Target::Epochs);
        let effect = Effect::Operations(operations);
        self.epochs_effects.push(id, (), effect, effects);
    }
}

/// The place of `offset`, which is the end of the last segment.
fn end_place(segments: &[Segment], offset: i64) -> Place {
    match segments.last() {
        Some(active) => Place { offset, segment: active.base_offset, position: active.size },
        None => Place { offset, segment: offset, position: 0 },
    }
}
