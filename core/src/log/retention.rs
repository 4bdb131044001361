//! How a log gets shorter: its start moves forward, and segments below it go.
//!
//! What is too old is a question, which changes nothing. Whoever acts on the answer moves the start,
//! makes that durable, and only then takes the segments out and renames their files.

use alloc::vec;
use alloc::vec::Vec;

use super::Log;
use super::pending::Target;
use super::seal::begin_index;
use super::segment::{Companions, FileSuffix, Segment, file_name};
use crate::effect::{Effect, FileRef, Operation, Path};
use crate::ids::{EffectId, Numbering};
use crate::time::Now;

/// What a log keeps (`cleanup.policy=delete`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// `retention.ms`; `None` for no limit.
    pub age_ms: Option<u64>,
    /// `retention.bytes`; `None` for no limit.
    pub bytes: Option<u64>,
}

/// A segment that is no longer part of its log. Its files are to be renamed, and unlinked later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedSegment {
    /// The offset in its name.
    pub base_offset: i64,
    /// The `.log` file: readers may still have ranges of it.
    pub file: FileRef,
    /// Bytes of it.
    pub size: u64,
    pub(super) companions: Companions,
}

impl Log {
    /// Where the log would begin without the segments that are too old or too many
    /// (`UnifiedLog.deleteOldSegments`); `None` when all may stay.
    ///
    /// Only whole segments below `high_watermark` go, oldest first, up to the first one that stays.
    /// The age is that of a segment's largest timestamp, or of its file when no record has one. The
    /// answer is [`accepted_end`](Self::accepted_end) when the active segment goes too.
    pub fn start_after_retention(
        &self,
        retention: &Retention,
        high_watermark: i64,
        wall_ms: i64,
    ) -> Option<i64> {
        let first = self.segments_below_start();
        let segments = &self.segments[first..];
        let mut ends = segments.iter().skip(1).map(|next| next.base_offset);
        let size: u64 = segments.iter().map(|segment| segment.size).sum();
        let mut excess = retention.bytes.and_then(|limit| size.checked_sub(limit));
        let mut start = None;
        for segment in segments {
            let end = ends.next().unwrap_or(self.accepted);
            let is_too_much = excess.is_some_and(|excess| excess >= segment.size);
            let is_too_old = retention.age_ms.is_some_and(|age_ms| {
                let passed_ms = wall_ms.saturating_sub(segment.largest_timestamp_ms());
                u64::try_from(passed_ms).is_ok_and(|passed_ms| passed_ms > age_ms)
            });
            let is_empty_end = segment.size == 0 && end == self.accepted;
            if high_watermark < end || is_empty_end || !(is_too_much || is_too_old) {
                break;
            }
            excess = if is_too_much { excess.map(|excess| excess - segment.size) } else { None };
            start = Some(end);
        }
        start
    }

    /// Moves the log's start to `offset`, which is not above the high watermark; it never goes back.
    /// True when it moved.
    pub fn set_log_start(&mut self, offset: i64) -> bool {
        debug_assert!(offset <= self.written.offset, "a log starts with what is written");
        if offset <= self.log_start {
            return false;
        }
        self.log_start = offset;
        self.epochs.truncate_from_start(offset);
        true
    }

    /// Begins a new segment when all of the active one lies below the log's start: it can then go
    /// like any other. Its file is there from now on, so that the log is never without one.
    pub fn roll_below_start(
        &mut self,
        now: Now,
        numbering: &mut Numbering,
        effects: &mut Vec<(EffectId, Effect)>,
    ) {
        let has_left = self.segments.last().is_some_and(|active| active.size > 0);
        if !has_left || self.log_start < self.accepted {
            return;
        }
        self.roll(now, numbering, effects);
        let place = self.accepted_place();
        let Some(active) = self.segments.last() else { return };
        let create = Operation::Write { file: active.file.clone(), position: 0, data: Vec::new() };
        let mut operations = vec![create];
        operations.extend(begin_index(&self.path, active.base_offset, numbering));
        let id = numbering.effect();
        self.pending.push(id, place, Target::Segment);
        effects.push((id, Effect::Operations(operations)));
    }

    /// True when [`remove_below_start`](Self::remove_below_start) would give something.
    pub fn has_removable(&self) -> bool {
        self.removable() > 0
    }

    /// Takes the segments out that lie wholly below the log's start, `count_max` of them at most. One
    /// whose index files are being written stays until they are there.
    pub fn remove_below_start(&mut self, count_max: usize) -> Vec<RemovedSegment> {
        let count = self.removable().min(count_max);
        let removed = self.segments.drain(..count).map(RemovedSegment::from).collect();
        if let Some(first) = self.segments.first() {
            self.producers.forget_aborted_below(first.base_offset);
        }
        removed
    }

    fn removable(&self) -> usize {
        let below = &self.segments[..self.segments_below_start()];
        below.iter().take_while(|segment| segment.is_sealed).count()
    }

    /// How many segments lie wholly below the log's start.
    pub(super) fn segments_below_start(&self) -> usize {
        let begun = self.segments.partition_point(|segment| segment.base_offset <= self.log_start);
        begun.saturating_sub(1)
    }
}

impl RemovedSegment {
    /// Renames the segment's files, the `.log` last: while it is there, so are they. Kafka removes
    /// what has the new names at its start.
    pub fn renames(&self) -> Vec<Operation> {
        self.paths()
            .map(|from| {
                let to = deleted(&from);
                Operation::Rename { from, to }
            })
            .collect()
    }

    /// Removes the renamed files. The driver forgets the `.log` file.
    pub fn unlinks(&self) -> Vec<Operation> {
        let mut operations = vec![Operation::Close(self.file.clone())];
        operations.extend(self.paths().map(|path| Operation::Unlink(deleted(&path))));
        operations
    }

    fn paths(&self) -> impl Iterator<Item = Path> {
        let Companions { indexes, transaction_index, snapshot } = self.companions;
        let directory = self.file.path.parent();
        let companions = [
            (FileSuffix::Index, indexes),
            (FileSuffix::TimeIndex, indexes),
            (FileSuffix::TransactionIndex, transaction_index),
            (FileSuffix::Snapshot, snapshot),
            (FileSuffix::Log, true),
        ];
        let base_offset = self.base_offset;
        companions
            .into_iter()
            .filter(|(_, exists)| *exists)
            .map(move |(suffix, _)| directory.join(&file_name(base_offset, suffix)))
    }
}

impl From<Segment> for RemovedSegment {
    fn from(segment: Segment) -> Self {
        let Segment { base_offset, file, size, companions, .. } = segment;
        Self { base_offset, file, size, companions }
    }
}

/// The name of a file that is about to go (`LogFileUtils.DELETED_FILE_SUFFIX`).
fn deleted(path: &Path) -> Path {
    Path::new(&alloc::format!("{path}.deleted"))
}
