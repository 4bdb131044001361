//! What of a log may be compacted, and segments that take the place of others
//! (`LogCleanerManager.cleanableOffsets`, `LogToClean`, `UnifiedLog.replaceSegments`).
//!
//! Only finished segments are compacted, whose batches are synced and whose index files are there. So no
//! effect of the log's own touches them, and what they hold is what recovery trusts.

use alloc::vec::Vec;

use super::Log;
use super::indexes::Indexes;
use super::place::Place;
use super::producers::AbortedTransaction;
use super::retention::RemovedSegment;
use super::segment::{Companions, Segment, SegmentParts};
use crate::effect::FileRef;

/// For how long a record stays uncompacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionLags {
    /// `min.compaction.lag.ms`: at least.
    pub min_ms: u64,
    /// `max.compaction.lag.ms`: at most.
    pub max_ms: u64,
}

/// What a compaction of a log would work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanable {
    /// The first offset that was not compacted before.
    pub first_dirty: i64,
    /// The first that must not be: a segment begins there.
    pub end: i64,
    /// Bytes of the segments that begin below `first_dirty`.
    pub clean_bytes: u64,
    /// Bytes of those from there to `end`.
    pub dirty_bytes: u64,
    /// A record has waited for as long as it may.
    pub is_overdue: bool,
}

/// A segment that compaction has written, whole and synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanedSegment {
    /// The offset in its name.
    pub base_offset: i64,
    /// Bytes of it.
    pub size: u64,
    /// Its indexes, finished.
    pub indexes: Indexes,
    /// The largest timestamp of its first batch; -1 for none.
    pub first_timestamp_ms: i64,
    /// The aborted transactions whose markers are in it: its `.txnindex`, if there are some.
    pub aborted: Vec<AbortedTransaction>,
}

impl Log {
    /// What may be compacted below `bound`, from `first_dirty` on. `first_dirty` is where the last compaction
    /// ended; one that is not in the log counts as the log's start. `None` for a log without a finished segment.
    pub fn cleanable(
        &self,
        first_dirty: Option<i64>,
        bound: i64,
        lags: CompactionLags,
        wall_ms: i64,
    ) -> Option<Cleanable> {
        let in_log = self.log_start..=self.accepted;
        let first_dirty = first_dirty.filter(|at| in_log.contains(at)).unwrap_or(self.log_start);
        let (active, _) = self.segments.split_last()?;
        let finished = &self.segments[self.segments_below_start()..];
        let finished = &finished[..finished.len().saturating_sub(1)];
        let dirty_from = if first_dirty < active.base_offset {
            begun(finished, first_dirty).saturating_sub(1)
        } else {
            finished.len()
        };
        let dirty = &finished[dirty_from..];
        let uncleanable = dirty.iter().find(|it| is_within_lag(it, lags.min_ms, wall_ms));
        let uncleanable = uncleanable.map_or(i64::MAX, |segment| segment.base_offset);
        let limit = bound.min(self.recovery_point()).min(active.base_offset).min(uncleanable);
        // The segment that holds it begins at or below it.
        let end_at = begun(&self.segments, limit).checked_sub(1)?;
        let end = self.segments[end_at].base_offset;
        let bytes = |segments: &mut dyn Iterator<Item = &Segment>| -> u64 {
            segments.map(|segment| segment.size).sum()
        };
        let is_overdue = self.oldest_ms(dirty).is_some_and(|oldest_ms| {
            let waited_ms = wall_ms.saturating_sub(oldest_ms);
            u64::try_from(waited_ms).is_ok_and(|waited_ms| waited_ms > lags.max_ms)
        });
        Some(Cleanable {
            first_dirty,
            end,
            clean_bytes: bytes(&mut finished.iter().filter(|it| it.base_offset < first_dirty)),
            dirty_bytes: bytes(&mut dirty.iter().filter(|it| it.base_offset < end)),
            is_overdue,
        })
    }

    /// The segments that a compaction up to `end` writes anew: those that retention leaves.
    pub fn compacted_segments(&self, end: i64) -> &[Segment] {
        let from = self.segments_below_start();
        let to = self.segments.partition_point(|segment| segment.base_offset < end);
        self.segments.get(from..to).unwrap_or_default()
    }

    /// The segments from `from` up to `to`, as what is to be renamed when others take their place: those that
    /// begin where one of `bases` does leave it their snapshot of the producers.
    pub fn replaceable(&self, from: i64, to: i64, bases: &[i64]) -> Vec<RemovedSegment> {
        let begun = self.segments.partition_point(|segment| segment.base_offset < from);
        let end = self.segments.partition_point(|segment| segment.base_offset < to);
        let segments = self.segments.get(begun..end).unwrap_or_default();
        segments.iter().map(|segment| retired(segment, bases)).collect()
    }

    /// Puts `cleaned` in the place of the segments from `from` up to `to`; `file` names the `.log` file of each.
    /// Readers that know a place in an old one are told that it is gone.
    pub fn replace_segments(
        &mut self,
        from: i64,
        to: i64,
        cleaned: Vec<CleanedSegment>,
        mut file: impl FnMut(i64) -> FileRef,
    ) {
        let begun = self.segments.partition_point(|segment| segment.base_offset < from);
        let end = self.segments.partition_point(|segment| segment.base_offset < to);
        debug_assert!(begun < end && end < self.segments.len(), "finished segments are replaced");
        debug_assert!(self.synced.offset >= to, "what is replaced is synced");
        let old = &self.segments[begun..end];
        let modified_ms = old.last().map_or(-1, |last| last.modified_ms);
        let snapshots = old.iter().filter(|it| it.companions.snapshot).map(|it| it.base_offset);
        let snapshots: Vec<i64> = snapshots.collect();
        let mut aborted = Vec::new();
        let mut new = Vec::with_capacity(cleaned.len());
        for segment in cleaned {
            let CleanedSegment { base_offset, size, indexes, first_timestamp_ms, .. } = segment;
            let companions = Companions {
                indexes: true,
                transaction_index: !segment.aborted.is_empty(),
                snapshot: snapshots.contains(&base_offset),
            };
            aborted.extend(segment.aborted);
            let file = file(base_offset);
            let parts = SegmentParts {
                base_offset,
                file,
                size,
                indexes,
                first_timestamp_ms,
                modified_ms,
                companions,
            };
            let mut segment = Segment::found(parts);
            segment.finish_found();
            new.push(segment);
        }
        self.producers.replace_aborted(from, to, aborted);
        self.segments.splice(begun..end, new);
        self.leave_replaced(from, to);
    }

    /// An end that stood behind the last replaced segment stands before the next one: that is the same offset.
    fn leave_replaced(&mut self, from: i64, to: i64) {
        let Some(next) = self.segments.iter().find(|segment| segment.base_offset >= to) else {
            return;
        };
        let next = next.base_offset;
        let places = [&mut self.written, &mut self.synced].into_iter().chain(&mut self.syncing);
        for place in places.filter(|place| (from..to).contains(&place.segment)) {
            debug_assert_eq!(place.offset, next, "what is replaced lies below every end");
            *place = Place { offset: place.offset, segment: next, position: 0 };
        }
    }

    /// The time of the oldest record of `dirty`, about; `None` when none has a time
    /// (`LogCleanerManager.maxCompactionDelay`).
    ///
    /// A segment that was found finished does not tell its first batch's: no record in it is older than the
    /// latest before it, as a rule.
    fn oldest_ms(&self, dirty: &[Segment]) -> Option<i64> {
        let times = dirty.iter().map(|segment| {
            let before = begun(&self.segments, segment.base_offset).checked_sub(2);
            let before = before.and_then(|at| self.segments.get(at));
            let before_ms = before.map_or(-1, |before| before.max_timestamp().timestamp_ms);
            [segment.first_timestamp_ms, before_ms, segment.max_timestamp().timestamp_ms]
        });
        times.filter_map(|times| times.into_iter().find(|time_ms| *time_ms > 0)).min()
    }
}

/// How many segments begin at or below `offset`.
fn begun(segments: &[Segment], offset: i64) -> usize {
    segments.partition_point(|segment| segment.base_offset <= offset)
}

fn is_within_lag(segment: &Segment, min_ms: u64, wall_ms: i64) -> bool {
    let passed_ms = wall_ms.saturating_sub(segment.largest_timestamp_ms());
    min_ms > 0 && u64::try_from(passed_ms).unwrap_or(0) < min_ms
}

fn retired(segment: &Segment, bases: &[i64]) -> RemovedSegment {
    let mut removed = RemovedSegment::from(segment.clone());
    removed.companions.snapshot &= !bases.contains(&segment.base_offset);
    removed
}
