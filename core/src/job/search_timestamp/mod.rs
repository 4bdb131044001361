//! Finds the first record of a log at or behind a time (`LogSegment.findOffsetByTimestamp`).
//!
//! In each segment that may hold it, the time index tells up to which offset every record is older,
//! and the offset index where that stands in the file. From there the batches are stepped over by
//! their headers, and the first one whose largest timestamp is late enough is looked into. Indexes
//! have no checksums: what they say is trusted only when the batches agree, else the segment is
//! walked from its start.

mod index;
#[cfg(test)]
mod tests;
mod walk;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::{JobOutcome, JobResult};
use crate::batch::{Compression, TimedOffset, find_timestamp};
use crate::config::Limits;
use crate::effect::{
    Completion, Effect, FileRef, IoError, IoErrorKind, Operation, OperationResult, Path,
};
use crate::event::{Event, Severity};
use crate::ids::{EffectId, JobId, Numbering};
use index::{IndexEntry, IndexKind, IndexSearch};
use walk::{Walk, WalkStep};

/// What is searched.
#[derive(Debug)]
pub struct SearchTimestampContext {
    /// The least timestamp, milliseconds.
    pub timestamp_ms: i64,
    /// The first offset that may be answered: the log's start.
    pub offset_min: i64,
    /// The segments that may hold such a record, by base offset, rising.
    pub segments: VecDeque<SearchedSegment>,
    /// For compressed batches.
    pub compression: Arc<dyn Compression>,
    /// Piece sizes and bounds.
    pub limits: Limits,
}

/// A segment that may hold the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchedSegment {
    /// The offset in its name.
    pub base_offset: i64,
    /// Its `.log` file.
    pub file: FileRef,
    /// Bytes of it that may be looked at.
    pub bytes: u64,
    /// Bytes of all of it: an index may tell of what lies beyond the visible ones.
    pub size: u64,
    /// Where to begin.
    pub start: SearchStart,
}

/// Where the walk of a segment begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchStart {
    /// As its index files say.
    Indexes {
        /// `.timeindex`.
        times: Path,
        /// `.index`.
        offsets: Path,
    },
    /// As an entry says that is known already: the batch with this offset is at or behind the
    /// position, and has the largest timestamp up to there.
    Entry {
        /// Where a batch begins, from the file's start.
        position: u64,
        /// Of a record.
        offset: i64,
        /// Milliseconds.
        timestamp_ms: i64,
    },
    /// At the front: there is no index.
    Front,
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundTimestamp {
    /// The record; `None`: there is none.
    Record(Option<TimedOffset>),
    /// A segment was deleted meanwhile: look again at what there is.
    SegmentGone,
    /// A batch cannot be read; an event has told of it.
    Corrupt,
    /// The disk failed.
    Failed(IoError),
}

/// The job's state. One effect is out at a time.
#[derive(Debug)]
pub(super) struct SearchTimestamp {
    context: SearchTimestampContext,
    numbering: Numbering,
    stage: Stage,
    out: Option<(EffectId, Effect)>,
    waiting: Option<EffectId>,
    events: Vec<Event>,
    outcome: Option<FoundTimestamp>,
}

/// What the effect that is out is for; the segment is the first of the context's.
#[derive(Debug)]
enum Stage {
    /// The greatest entry that is not later than the time.
    Times(IndexSearch),
    /// The greatest entry that is not beyond the offset of that one.
    Offsets {
        time: IndexEntry,
        search: IndexSearch,
    },
    Walk(Walk),
    Done,
}

impl SearchTimestamp {
    pub(super) fn new(id: JobId, context: SearchTimestampContext) -> Self {
        let mut job = Self {
            context,
            numbering: Numbering::new(id),
            stage: Stage::Done,
            out: None,
            waiting: None,
            events: Vec::new(),
            outcome: None,
        };
        job.begin_segment();
        job
    }

    pub(super) fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.out.take()
    }

    pub(super) fn handle_completion(&mut self, id: EffectId, result: Completion) {
        debug_assert_eq!(self.waiting, Some(id), "the effect that is out is completed");
        self.waiting = None;
        let stage = core::mem::replace(&mut self.stage, Stage::Done);
        match (stage, result.into_result()) {
            (Stage::Times(search), Ok(results)) => self.step_times(search, results),
            (Stage::Offsets { time, search }, Ok(results)) => {
                self.step_offsets(time, search, results);
            }
            (Stage::Walk(walk), Ok(results)) => self.step_walk(walk, results),
            // An index is a convenience.
            (Stage::Times(_) | Stage::Offsets { .. }, Err(_)) => self.walk_from(0),
            (_, Err(error)) if error.kind == IoErrorKind::NotFound => {
                self.outcome = Some(FoundTimestamp::SegmentGone);
            }
            (_, Err(error)) => self.outcome = Some(FoundTimestamp::Failed(error)),
            (Stage::Done, Ok(_)) => debug_assert!(false, "nothing is out"),
        }
    }

    pub(super) fn poll_done(&mut self) -> Option<JobResult> {
        let outcome = JobOutcome::TimestampSearched(self.outcome.take()?);
        Some(JobResult { events: core::mem::take(&mut self.events), outcome })
    }

    fn begin_segment(&mut self) {
        let Some(segment) = self.context.segments.front() else {
            self.outcome = Some(FoundTimestamp::Record(None));
            return;
        };
        match segment.start.clone() {
            SearchStart::Front => self.walk_from(0),
            SearchStart::Entry { position, offset, timestamp_ms } => {
                let hint = (offset, timestamp_ms);
                let walk = Walk::from_hint(segment, position, hint);
                self.walk_on(walk);
            }
            SearchStart::Indexes { times, .. } => {
                let file = FileRef { id: self.numbering.file(), path: times };
                let key = self.context.timestamp_ms;
                let search = IndexSearch::new(IndexKind::Times, file, key);
                let operations = search.wants();
                self.emit(Stage::Times(search), operations);
            }
        }
    }

    fn step_times(&mut self, mut search: IndexSearch, results: Vec<OperationResult>) {
        if let Some(operations) = search.feed(results) {
            return self.emit(Stage::Times(search), operations);
        }
        let SearchStart::Indexes { offsets, .. } = &self.context.segments[0].start else {
            return self.walk_from(0);
        };
        let Some(time) = search.found() else { return self.walk_from(0) };
        let file = FileRef { id: self.numbering.file(), path: offsets.clone() };
        let search = IndexSearch::new(IndexKind::Offsets, file, time.offset);
        let operations = search.wants();
        self.emit(Stage::Offsets { time, search }, operations);
    }

    fn step_offsets(
        &mut self,
        time: IndexEntry,
        mut search: IndexSearch,
        results: Vec<OperationResult>,
    ) {
        if let Some(operations) = search.feed(results) {
            return self.emit(Stage::Offsets { time, search }, operations);
        }
        let Some(entry) = search.found() else { return self.walk_from(0) };
        let segment = &self.context.segments[0];
        let hint = segment.base_offset.checked_add(time.offset).map(|o| (o, time.key));
        let (Ok(position), Some(hint)) = (u64::try_from(entry.offset), hint) else {
            return self.walk_from(0);
        };
        let walk = Walk::from_hint(segment, position, hint);
        self.walk_on(walk);
    }

    fn walk_from(&mut self, position: u64) {
        let walk = Walk::new(self.context.segments[0].bytes, position);
        self.walk_on(walk);
    }

    fn walk_on(&mut self, mut walk: Walk) {
        let SearchTimestampContext { timestamp_ms, offset_min, limits, .. } = &self.context;
        loop {
            let file = self.context.segments[0].file.clone();
            match walk.step(*timestamp_ms) {
                WalkStep::Read { position, length } => {
                    let length = length.max(walk.piece_bytes(limits.job_piece_bytes));
                    let left = walk.end().saturating_sub(position);
                    let length = u64::from(length).min(left) as u32;
                    let read = Operation::Read { file, position, length };
                    return self.emit(Stage::Walk(walk), vec![read]);
                }
                WalkStep::Batch { position, bytes } => {
                    let decompressed_max = limits.decompressed_bytes_max;
                    let compression = &*self.context.compression;
                    let found = find_timestamp(
                        &bytes,
                        *timestamp_ms,
                        *offset_min,
                        compression,
                        decompressed_max,
                    );
                    match found {
                        Ok(None) => {}
                        Ok(found) => {
                            self.outcome = Some(FoundTimestamp::Record(found));
                            return;
                        }
                        Err(fault) => return self.corrupt(position, &format!("{fault}")),
                    }
                }
                WalkStep::HintWrong => {
                    let SearchedSegment { start, bytes, .. } = &self.context.segments[0];
                    let index = match start {
                        SearchStart::Indexes { times, .. } => times,
                        _ => &self.context.segments[0].file.path,
                    };
                    let text = format!("{index}: index and log disagree, the log is read instead");
                    self.events.push(Event::Notice { severity: Severity::Warning, text });
                    walk = Walk::new(*bytes, 0);
                }
                WalkStep::Invalid { position, reason } => return self.corrupt(position, &reason),
                WalkStep::End => {
                    self.context.segments.pop_front();
                    return self.begin_segment();
                }
            }
        }
    }

    fn step_walk(&mut self, mut walk: Walk, results: Vec<OperationResult>) {
        let read = match results.into_iter().next_back() {
            Some(OperationResult::Read(bytes)) => bytes,
            _ => bytes::Bytes::new(),
        };
        if read.is_empty() {
            let position = walk.position();
            return self.corrupt(position, "the file is shorter than what was written to it");
        }
        walk.feed(&read);
        self.walk_on(walk);
    }

    fn corrupt(&mut self, position: u64, reason: &str) {
        let path = &self.context.segments[0].file.path;
        let text: String = format!("{path}: damage at position {position}: {reason}");
        self.events.push(Event::Notice { severity: Severity::Error, text });
        self.outcome = Some(FoundTimestamp::Corrupt);
    }

    fn emit(&mut self, stage: Stage, operations: Vec<Operation>) {
        debug_assert!(self.waiting.is_none(), "one effect is out at a time");
        let id = self.numbering.effect();
        self.stage = stage;
        self.waiting = Some(id);
        self.out = Some((id, Effect::Operations(operations)));
    }
}
