//! Compaction: which log is next, and how new segments take the place of old ones (`LogCleanerManager`,
//! `LogCleaner`).
//!
//! Every so often each log with `cleanup.policy=compact` is asked what of it is new; the one with the largest share
//! is compacted, by jobs of bounded size one after another. When a part is written, one effect puts it in place:
//! the new files become `.swap` ones, which stand for what they replace from then on, also behind a crash
//! (`LogLoader`); the old ones become `.deleted` ones; and the new ones get their names, each step durable before
//! the next. Then the log has its new segments. Readers go on with what they know of the old ones, and these are
//! unlinked like those that retention removes.

mod placing;
mod search;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::jobs::JobPurpose;
use super::offset_checkpoints::OffsetsKind;
use super::{Broker, Phase};
use crate::config::limits::COMPACTION_SLICE_BYTES;
use crate::event::Severity;
use crate::ids::{FileId, LogId};
use crate::job::{
    CompactLogContext, CompactedSegment, CompactionReport, CompactionStep, Job, PausedCompaction,
};
use crate::log::Cleanable;
use crate::time::{Instant, Millis};
use placing::Placing;
use search::Search;

/// Logs that are compacted, or were.
#[derive(Debug, Default)]
pub(super) struct Compactions {
    running: BTreeMap<LogId, Running>,
    /// Those that cannot be, until the next start.
    refused: BTreeSet<LogId>,
    /// Up to where each was.
    cleaned: BTreeMap<LogId, i64>,
    /// A look over all logs is under way.
    search: Option<Search>,
    /// When the next one is due.
    due: Option<Instant>,
}

/// A log that is being compacted.
#[derive(Debug)]
struct Running {
    /// Files that are read: they must not be renamed.
    files: Vec<FileId>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A job is out.
    Working,
    /// New segments are put in place.
    Placing(Placing),
    /// Until then, since it has read and written as much as it may.
    Resting(PausedCompaction, Instant),
}

impl Compactions {
    /// From when the broker serves.
    pub(super) fn begin(&mut self, now: Instant) {
        self.due = Some(now);
    }

    /// When there is something to do; `soon` if at once.
    pub(super) fn deadline(&self, soon: Instant) -> Option<Instant> {
        let resting = self.running.values().filter_map(|running| match running.state {
            State::Resting(_, until) => Some(until),
            State::Working | State::Placing(_) => None,
        });
        let search = self.search.as_ref().map(|_| soon);
        resting.chain(search).chain(self.due).min()
    }

    /// The log is compacted now: nothing of it must be removed.
    pub(super) fn is_running(&self, log: LogId) -> bool {
        self.running.contains_key(&log)
    }

    /// Up to where the log was compacted; `None` when it never was.
    pub(super) fn cleaned(&self, log: LogId) -> Option<i64> {
        self.cleaned.get(&log).copied()
    }

    /// As a start has found it.
    pub(super) fn set_cleaned(&mut self, log: LogId, offset: i64) {
        self.cleaned.insert(log, offset);
    }

    /// A stop leaves them where they stand: the next start puts in order what is there.
    pub(super) fn leave_to_next_start(&mut self) {
        self.running.clear();
        self.search = None;
        self.due = None;
    }
}

impl Broker {
    /// Goes on with what has rested, and looks for the next log.
    pub(super) fn run_compactions(&mut self) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let now = self.now.mono;
        let is_due =
            |running: &Running| matches!(running.state, State::Resting(_, at) if at <= now);
        let rested = self.compactions.running.iter().filter(|(_, it)| is_due(it));
        for id in rested.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.resume_rested(id);
        }
        self.search_compaction();
        self.start_jobs();
    }

    /// The log is gone, or its directory is.
    pub(super) fn forget_compaction(&mut self, id: LogId) {
        self.compactions.cleaned.remove(&id);
        self.compactions.refused.remove(&id);
        self.deletions.forget_replaced(id);
        self.end_compaction(id);
    }

    /// A job of a compaction has ended.
    pub(super) fn handle_compaction(&mut self, id: LogId, step: CompactionStep) {
        self.note_removal(id);
        if !self.compactions.running.contains_key(&id) {
            // What it has begun to write goes with its directory.
            return;
        }
        match step {
            CompactionStep::Paused(paused) => self.rest_or_resume(id, paused),
            CompactionStep::Cleaned(paused, group) => self.place_cleaned(id, paused, group),
            CompactionStep::Done(report) => self.take_report(id, &report),
            CompactionStep::Refused(reason) => {
                self.notice(
                    Severity::Error,
                    format!("{reason}; the log is not compacted until the next start"),
                );
                self.compactions.refused.insert(id);
                self.end_compaction(id);
            }
            CompactionStep::Failed(error) => {
                if let Some(live) = self.logs.get(&id) {
                    let index = live.log.log_directory();
                    self.fail_directory(index, &error);
                }
            }
        }
        self.start_jobs();
    }

    /// Begins to compact a log. False when there is nothing of it.
    fn begin_compaction(&mut self, id: LogId, cleanable: &Cleanable) -> bool {
        let Some(context) = self.compaction_context(id, cleanable) else { return false };
        let files: Vec<FileId> = context.segments.iter().map(|segment| segment.file.id).collect();
        self.deletions.begin_read(&files);
        self.compactions.running.insert(id, Running { files, state: State::Working });
        self.deletions.note_out(id);
        self.queue_job(JobPurpose::CompactLog(id), |job| Job::compact_log(job, context));
        true
    }

    fn compaction_context(
        &mut self,
        id: LogId,
        cleanable: &Cleanable,
    ) -> Option<CompactLogContext> {
        let live = self.logs.get(&id)?;
        let topic = &self.image.topics_by_id.get(&live.topic_id)?.config;
        let cleaner = self.image.cleaner(&self.config.cleaner);
        let log = &live.log;
        let segments = log.compacted_segments(cleanable.end);
        let first_dirty = cleanable.first_dirty;
        let begun = segments.partition_point(|segment| segment.base_offset <= first_dirty);
        let first = segments.get(begun.saturating_sub(1))?;
        let piece_bytes = cleaner.io_buffer_bytes / cleaner.threads.max(1) as u64 / 2;
        let piece_bytes = piece_bytes.clamp(1 << 10, 1 << 30) as u32;
        let piece_bytes = piece_bytes.min(self.config.limits.job_piece_bytes);
        let slice_bytes = cleaner.io_bytes_per_second.map_or(COMPACTION_SLICE_BYTES, |rate| {
            (rate / 10).clamp(u64::from(piece_bytes), COMPACTION_SLICE_BYTES)
        });
        let aborted = log.producers().aborted();
        let from = segments.first().map_or(0, |first| first.base_offset);
        Some(CompactLogContext {
            directory: log.path().clone(),
            first_dirty_position: first.position_before(first_dirty),
            aborted: aborted.within(from, cleanable.end).copied().collect(),
            last_records: log.producers().last_records(),
            segments: segments
                .iter()
                .map(|segment| CompactedSegment {
                    base_offset: segment.base_offset,
                    file: segment.file.clone(),
                    size: segment.size,
                })
                .collect(),
            end: cleanable.end,
            first_dirty,
            now_ms: self.now.wall_ms,
            delete_retention_ms: topic.delete_retention_ms,
            segment_bytes: topic.segment_bytes,
            index_interval_bytes: topic.index_interval_bytes,
            secret: [self.rng.next_u64(), self.rng.next_u64()],
            map_bytes_max: cleaner.dedupe_bytes_each(),
            map_load_ppm: cleaner.dedupe_load_ppm,
            piece_bytes,
            slice_bytes,
            compression: Arc::clone(&self.compression),
            limits: self.config.limits.clone(),
        })
    }

    /// Goes on, now or when as much as has been read and written may be.
    fn rest_or_resume(&mut self, id: LogId, paused: PausedCompaction) {
        let cleaner = self.image.cleaner(&self.config.cleaner);
        let running = self.compactions.running.len().max(1) as u64;
        let rest_ms = cleaner.io_bytes_per_second.map_or(0, |rate| {
            let rest_ms = u128::from(paused.io_bytes) * 1_000 * u128::from(running);
            u64::try_from(rest_ms / u128::from(rate)).unwrap_or(u64::MAX)
        });
        let Some(entry) = self.compactions.running.get_mut(&id) else { return };
        entry.state = State::Resting(paused, self.now.mono + Millis(rest_ms));
        if rest_ms == 0 {
            self.resume_rested(id);
        }
    }

    fn resume_rested(&mut self, id: LogId) {
        let Some(entry) = self.compactions.running.get_mut(&id) else { return };
        match core::mem::replace(&mut entry.state, State::Working) {
            State::Resting(paused, _) => {
                self.deletions.note_out(id);
                self.queue_job(JobPurpose::CompactLog(id), |job| {
                    Job::resume_compaction(job, paused)
                });
            }
            other => entry.state = other,
        }
    }

    fn take_report(&mut self, id: LogId, report: &CompactionReport) {
        let Some(live) = self.logs.get(&id) else { return };
        let (path, index) = (live.log.path().clone(), live.log.log_directory());
        let CompactionReport { end, bytes_before, bytes_after, keyless, .. } = *report;
        let without = match keyless {
            0 => String::new(),
            count => format!(", {count} records without a key are gone"),
        };
        let text = format!(
            "{path}: compacted up to offset {end}: {bytes_before} bytes became \
             {bytes_after}{without}"
        );
        self.notice(Severity::Info, text);
        self.compactions.cleaned.insert(id, end);
        self.end_compaction(id);
        self.write_offset_checkpoint(index, OffsetsKind::Cleaned);
    }

    /// It is over, one way or the other: another log may be next.
    fn end_compaction(&mut self, id: LogId) {
        if let Some(running) = self.compactions.running.remove(&id) {
            self.end_read(&running.files);
            self.compactions.due = Some(self.now.mono);
        }
    }
}
