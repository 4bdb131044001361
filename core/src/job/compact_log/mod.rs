//! Compacts a log: of the records with one key the last one stays (`Cleaner`).
//!
//! First the last offset of each key is noted, from where the last compaction ended on, as far as the keys find
//! room. Then the finished segments are written anew, some of them as one, without the records that have a later
//! one. Offsets and order stay. What is written has another name (`.cleaned`) until it is whole and synced; then it
//! is handed to the broker, which puts it in the place of the old segments before the next ones are written: what
//! a tombstone stands for is gone, durably, before the tombstone is.
//!
//! It is many jobs, one after another: each reads and writes so many bytes and hands the rest back, so that the
//! broker may let it rest, give it up, or let others go first.

mod context;
#[cfg(test)]
mod crash_tests;
mod groups;
mod hash;
mod keep;
mod key_map;
mod map;
mod output;
mod rewrite;
#[cfg(test)]
mod tests;
mod transactions;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

pub use context::{
    CleanedGroup, CompactLogContext, CompactedSegment, CompactionReport, CompactionStep,
    PausedCompaction,
};

use super::segment_reader::SegmentReader;
use super::{JobOutcome, JobResult};
use crate::effect::{Completion, Effect, Operation, OperationResult};
use crate::ids::{EffectId, JobId, Numbering};
use crate::log::CleanedSegment;
use hash::KeyHasher;
use keep::{Keeper, LastOffsets};
use key_map::KeyMap;
use rewrite::Clean;
use transactions::Transactions;

/// The job's state. One effect is out at a time.
#[derive(Debug)]
pub(super) struct CompactLog {
    context: CompactLogContext,
    numbering: Numbering,
    stage: Stage,
    keeper: Keeper,
    out: Option<(EffectId, Effect)>,
    /// Bytes read and written by this job.
    io_bytes: u64,
    report: CompactionReport,
    outcome: Option<Outcome>,
}

/// What comes of it, without its state.
#[derive(Debug)]
enum Outcome {
    Paused,
    Cleaned(CleanedGroup),
    Ended(CompactionStep),
}

/// What is being done, and what the effect that is out is for.
#[derive(Debug)]
enum Stage {
    /// What an earlier compaction has left unfinished is looked for, and taken away: it would pass for a part of this one.
    Tidy,
    Tidied,
    /// The keys of the segment with this number are noted.
    Map(usize, SegmentReader),
    Clean(Box<Clean>),
    /// The segments of the group are finished.
    Finish(Range<usize>, Vec<CleanedSegment>),
    /// Behind the group that ended before this segment.
    Between(usize),
    /// It is given up.
    GiveUp(String),
}

impl CompactLog {
    pub(super) fn new(id: JobId, context: CompactLogContext) -> Self {
        let last = LastOffsets {
            hasher: KeyHasher::new(context.secret),
            map: KeyMap::new(context.map_bytes_max, context.map_load_ppm),
            end: context.first_dirty,
        };
        let transactions = Transactions::default();
        let mut job = Self {
            numbering: Numbering::new(id),
            stage: Stage::Tidy,
            keeper: Keeper { last, transactions, has_legacy: false, keyless: 0 },
            out: None,
            io_bytes: 0,
            report: CompactionReport::default(),
            outcome: None,
            context,
        };
        job.emit(vec![Operation::List(job.context.directory.clone())]);
        job
    }

    /// Goes on with it as the job `id`.
    pub(super) fn resume(id: JobId, paused: PausedCompaction) -> Box<Self> {
        let mut job = paused.job;
        // Files keep the ids under which they are open.
        job.numbering = Numbering::new(id);
        job.io_bytes = 0;
        job.go_on();
        job
    }

    pub(super) fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.out.take()
    }

    pub(super) fn handle_completion(&mut self, result: Completion) {
        match result.into_result() {
            Ok(results) => self.advance(results),
            Err(error) => {
                self.outcome = Some(Outcome::Ended(CompactionStep::Failed(error)));
            }
        }
    }

    /// The result, once; the state goes with it if there is more to do.
    pub(super) fn poll_done(slot: &mut Option<Box<Self>>) -> Option<JobResult> {
        let mut job = slot.take_if(|job| job.outcome.is_some())?;
        let (outcome, io_bytes) = (job.outcome.take()?, job.io_bytes);
        let step = match outcome {
            Outcome::Paused => CompactionStep::Paused(PausedCompaction { job, io_bytes }),
            Outcome::Cleaned(group) => {
                CompactionStep::Cleaned(PausedCompaction { job, io_bytes }, group)
            }
            Outcome::Ended(step) => step,
        };
        Some(JobResult { events: Vec::new(), outcome: JobOutcome::LogCompacted(step) })
    }

    /// What takes away that it has begun to write.
    fn discard(&self) -> Vec<Operation> {
        match &self.stage {
            Stage::Clean(clean) => clean.output.discard(),
            _ => Vec::new(),
        }
    }

    fn advance(&mut self, results: Vec<OperationResult>) {
        match &mut self.stage {
            Stage::Tidy => return self.tidy(results),
            Stage::Tidied => self.begin_map(),
            Stage::Map(_, source) => {
                if !fill(source, results) {
                    return self.refuse_shrunk();
                }
            }
            Stage::Clean(clean) => {
                let has_read = results.iter().any(|it| matches!(it, OperationResult::Read(_)));
                if has_read && !fill(&mut clean.source, results) {
                    return self.refuse_shrunk();
                }
            }
            Stage::Finish(group, finished) => {
                let (group, segments) = (group.clone(), core::mem::take(finished));
                self.report.bytes_after += segments.iter().map(|it| it.size).sum::<u64>();
                self.stage = Stage::Between(group.end);
                let (from, to) = (self.base(group.start), self.base(group.end));
                self.outcome = Some(Outcome::Cleaned(CleanedGroup { from, to, segments }));
                return;
            }
            Stage::GiveUp(reason) => {
                let reason = core::mem::take(reason);
                self.outcome = Some(Outcome::Ended(CompactionStep::Refused(reason)));
                return;
            }
            Stage::Between(_) => debug_assert!(false, "nothing is out between two groups"),
        }
        self.go_on();
    }

    /// Does what can be done without the disk.
    fn go_on(&mut self) {
        match &self.stage {
            Stage::Map(..) => self.map_on(),
            Stage::Between(next) => self.begin_group(*next),
            Stage::Clean(_) => self.clean_on(),
            _ => {}
        }
    }

    /// Files of this name are of a compaction that was given up. A start that finds them takes segments that are
    /// being put in place for unfinished ones.
    fn tidy(&mut self, results: Vec<OperationResult>) {
        let Some(OperationResult::Listed(entries)) = results.into_iter().next_back() else {
            unreachable!("a listing lists");
        };
        let directory = self.context.directory.clone();
        let left = entries.iter().filter(|entry| entry.name.strip_suffix(".cleaned").is_some());
        let mut operations: Vec<_> =
            left.map(|entry| Operation::Unlink(directory.join(&entry.name))).collect();
        if operations.is_empty() {
            self.begin_map();
            return self.go_on();
        }
        operations.push(Operation::SyncDirectory(directory));
        self.stage = Stage::Tidied;
        self.emit(operations);
    }

    fn base(&self, at: usize) -> i64 {
        self.context.segments.get(at).map_or(self.context.end, |segment| segment.base_offset)
    }

    fn refuse_shrunk(&mut self) {
        let place = match &self.stage {
            Stage::Map(_, source) => source.place(),
            Stage::Clean(clean) => clean.source.place(),
            _ => String::new(),
        };
        self.refuse(format!("{place}: the file is shorter than what was written to it"));
    }

    /// The log is not to be compacted.
    fn refuse(&mut self, reason: String) {
        let operations = self.discard();
        if operations.is_empty() {
            self.outcome = Some(Outcome::Ended(CompactionStep::Refused(reason)));
            return;
        }
        self.stage = Stage::GiveUp(reason);
        self.emit(operations);
    }

    /// Reads on, or hands the worker back first.
    fn emit_or_pause(&mut self, operations: Vec<Operation>) {
        if self.io_bytes >= self.context.slice_bytes {
            self.outcome = Some(Outcome::Paused);
            return;
        }
        self.emit(operations);
    }

    fn emit(&mut self, operations: Vec<Operation>) {
        self.io_bytes += operations.iter().map(io_bytes).sum::<u64>();
        self.out = Some((self.numbering.effect(), Effect::Operations(operations)));
    }
}

fn fill(source: &mut SegmentReader, results: Vec<OperationResult>) -> bool {
    let read = results.into_iter().find_map(|result| match result {
        OperationResult::Read(bytes) => Some(bytes),
        _ => None,
    });
    source.fill(&read.unwrap_or_default())
}

fn io_bytes(operation: &Operation) -> u64 {
    match operation {
        Operation::Read { length, .. } => u64::from(*length),
        Operation::Write { data, .. } => data.iter().map(|piece| piece.len() as u64).sum(),
        _ => 0,
    }
}
