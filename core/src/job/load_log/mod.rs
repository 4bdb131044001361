//! Loads one partition's log from its directory, and repairs what a crash left of it.
//!
//! The directory is listed, its two small files are read, and what work that was cut short has left is
//! put in order. Segments that were closed, or end below the recovery point, are known by their index
//! files; the others, and the end of the log, are walked batch by batch. Only then is the log changed:
//! what lies behind the first invalid batch goes, what is not known to be synced is written back and
//! synced, and the log is handed over with everything in it durable. Each step may be cut anywhere: the
//! next start finds the same log and does the rest.

mod context;
#[cfg(test)]
mod crash_tests;
mod indexes;
mod leftovers;
mod legacy_crc;
mod listing;
mod producers;
mod rebuild;
mod recovery;
mod repair;
mod scan;
mod segments;
mod small_files;
#[cfg(test)]
mod tests;
mod walk;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

pub use context::{LoadLogContext, LoadLogFailure};

use super::{JobOutcome, JobResult};
use crate::checkpoint::LeaderEpochs;
use crate::effect::{Completion, Effect, Entry, FileRef, IoError, Operation, OperationResult};
use crate::event::{Event, Severity};
use crate::ids::{EffectId, JobId, Numbering};
use crate::log::{FileSuffix, Log, LogParts, SegmentParts, file_name};
use indexes::IndexFiles;
use leftovers::SwapWalk;
use listing::Listing;
use producers::Replay;
use recovery::Offsets;
use segments::FoundSegment;
use walk::Walk;

/// Operations of one effect: many small ones should not keep a worker for long.
const OPERATIONS_MAX: usize = 64;

/// The job's state. One effect is out at a time.
#[derive(Debug)]
pub(super) struct LoadLog {
    context: LoadLogContext,
    numbering: Numbering,
    stage: Stage,
    out: Option<(EffectId, Effect)>,
    waiting: Option<EffectId>,
    events: Vec<Event>,
    outcome: Option<JobOutcome>,
    /// Until its segments are loaded.
    listing: Listing,
    segments: Vec<FoundSegment>,
    /// Index files without a segment.
    orphans: Vec<(i64, FileSuffix)>,
    /// Offset and length of each producer snapshot, by offset.
    snapshots: Vec<(i64, u64)>,
    /// Those that cannot be used.
    bad_snapshots: Vec<i64>,
    /// None above it is taken.
    snapshot_max: i64,
    replay: Replay,
    offsets: Offsets,
    log_start: i64,
    /// `None` when it is missing or unreadable.
    epochs_on_disk: Option<LeaderEpochs>,
    /// `partition.metadata` is missing.
    needs_metadata: bool,
    /// Effects to come, one after another.
    queue: VecDeque<Vec<Operation>>,
    /// Entries of the directory, or its own entry, may not be durable.
    directory_is_dirty: bool,
}

/// What the effect that is out is for.
#[derive(Debug)]
enum Stage {
    Create,
    List,
    SmallFiles {
        has_metadata: bool,
    },
    Stray,
    Swap(SwapWalk),
    Tidy,
    Relist,
    Indexes(IndexFiles),
    Snapshot {
        offset: i64,
    },
    Walk(Walk),
    /// The files beside the segment before this one are made anew.
    Rebuilt {
        next: usize,
    },
    Repair,
    WriteBack {
        segment: usize,
        position: u64,
    },
    Finish(LeaderEpochs),
    Close(LoadLogFailure),
    Done,
}

impl LoadLog {
    pub(super) fn new(id: JobId, context: LoadLogContext) -> Self {
        let offsets = Offsets::new(&context);
        let mut job = Self {
            numbering: Numbering::new(id),
            stage: Stage::Done,
            out: None,
            waiting: None,
            events: Vec::new(),
            outcome: None,
            listing: Listing::default(),
            segments: Vec::new(),
            orphans: Vec::new(),
            snapshots: Vec::new(),
            bad_snapshots: Vec::new(),
            snapshot_max: i64::MAX,
            replay: Replay::default(),
            offsets,
            log_start: context.log_start.unwrap_or(0).max(0),
            epochs_on_disk: None,
            needs_metadata: false,
            queue: VecDeque::new(),
            directory_is_dirty: false,
            context,
        };
        job.begin();
        job
    }

    pub(super) fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.out.take()
    }

    pub(super) fn handle_completion(&mut self, id: EffectId, result: Completion) {
        debug_assert_eq!(self.waiting, Some(id), "the effect that is out is completed");
        self.waiting = None;
        match (core::mem::replace(&mut self.stage, Stage::Done), result.into_result()) {
            (Stage::Close(failure), _) => self.outcome = Some(JobOutcome::LogFailed(failure)),
            (_, Err(error)) => self.fail_io(error),
            (stage, Ok(results)) => self.advance(stage, results),
        }
    }

    pub(super) fn poll_done(&mut self) -> Option<JobResult> {
        let outcome = self.outcome.take()?;
        Some(JobResult { events: core::mem::take(&mut self.events), outcome })
    }

    fn begin(&mut self) {
        if self.context.exists {
            return self.emit(Stage::List, vec![Operation::List(self.context.path.clone())]);
        }
        if let Some(synced) = self.context.synced_end.filter(|synced| *synced > 0) {
            let path = &self.context.path;
            return self.fail(format!("{path} is missing; it was synced up to offset {synced}"));
        }
        let path = self.context.path.clone();
        let mut operations = vec![Operation::MakeDirectory(path.clone())];
        operations.extend(self.partition_metadata());
        operations.push(Operation::SyncDirectory(path.parent()));
        self.emit(Stage::Create, operations);
    }

    fn advance(&mut self, stage: Stage, results: Vec<OperationResult>) {
        match stage {
            Stage::Create => self.complete(LeaderEpochs::default()),
            Stage::List => self.handle_listing(results),
            Stage::SmallFiles { has_metadata } => self.handle_small_files(has_metadata, results),
            Stage::Stray => self.begin(),
            Stage::Swap(walk) => self.handle_swap(walk, results),
            Stage::Tidy => self.carry_on_tidying(),
            Stage::Relist => self.handle_relisting(results),
            Stage::Indexes(files) => self.handle_indexes(files, results),
            Stage::Snapshot { offset } => self.handle_snapshot(offset, results),
            Stage::Walk(walk) => self.handle_walk(walk, results),
            Stage::Rebuilt { next } => self.handle_rebuilt(next),
            Stage::WriteBack { segment, position } => {
                self.handle_unsynced(segment, position, results);
            }
            Stage::Repair => self.repair(),
            Stage::Finish(epochs) => self.finish(epochs),
            Stage::Close(_) | Stage::Done => debug_assert!(false, "nothing is out"),
        }
    }

    fn handle_listing(&mut self, results: Vec<OperationResult>) {
        self.listing = Listing::new(listed(results));
        self.read_small_files();
    }

    fn handle_relisting(&mut self, results: Vec<OperationResult>) {
        self.listing = Listing::new(listed(results));
        self.load_listing();
    }

    /// The directory is in order: its segments are loaded.
    fn load_listing(&mut self) {
        let path = self.context.path.clone();
        let Listing { segments, indexes, snapshots, odd_names, .. } =
            core::mem::take(&mut self.listing);
        for name in odd_names {
            self.warn(format!("{path}/{name} is ignored: its name is not an offset in 20 digits"));
        }
        self.segments.clear();
        for listed in segments {
            let path = path.join(&file_name(listed.offset, FileSuffix::Log));
            let file = FileRef { id: self.numbering.file(), path };
            self.segments.push(FoundSegment::new(&listed, file));
        }
        self.orphans = segments::pair(&mut self.segments, &indexes, &snapshots);
        self.snapshots = snapshots.iter().map(|file| (file.offset, file.length)).collect();
        let first = self.segments.first().map_or(0, |first| first.base_offset);
        let known = self.epochs_on_disk.as_ref().and_then(|epochs| epochs.entries().first());
        let has_epochs = known.is_some_and(|it| it.start_offset <= first.max(self.log_start));
        segments::trust(&mut self.segments, &self.context, has_epochs);
        self.offsets = Offsets::new(&self.context);
        self.load_indexes_from(0);
    }

    /// Hands the log over.
    fn complete(&mut self, epochs: LeaderEpochs) {
        if let Some(epoch) = epochs.latest().filter(|epoch| *epoch > self.context.leader_epoch) {
            let (path, current) = (&self.context.path, self.context.leader_epoch);
            self.warn(format!("{path} has batches of leader epoch {epoch}, above {current}"));
        }
        let segments = self.segments.drain(..).map(|found| SegmentParts {
            base_offset: found.base_offset,
            file: found.file,
            size: found.kept,
            indexes: found.indexes,
            first_timestamp_ms: found.first_timestamp_ms,
            modified_ms: found.modified_ms,
            companions: found.companions,
        });
        let log = Log::new(LogParts {
            path: self.context.path.clone(),
            log_directory: self.context.log_directory,
            segments: segments.collect(),
            log_start: self.log_start,
            end: self.offsets.end,
            epochs,
            producers: core::mem::take(&mut self.replay.states),
            newest_snapshot: self.replay.snapshot,
            config: self.context.config,
        });
        self.outcome = Some(JobOutcome::LogLoaded(Box::new(log)));
    }

    fn fail_io(&mut self, error: IoError) {
        self.close(LoadLogFailure { reason: error.to_string(), error: Some(error) }, None);
    }

    fn fail(&mut self, reason: String) {
        self.close(LoadLogFailure { reason, error: None }, None);
    }

    /// Closes what is open, `also` too.
    fn close(&mut self, failure: LoadLogFailure, also: Option<FileRef>) {
        let open = self.segments.iter().filter(|segment| segment.is_open);
        let open = open.map(|segment| segment.file.clone()).chain(also);
        let operations: Vec<_> = open.map(Operation::Close).collect();
        if operations.is_empty() {
            self.outcome = Some(JobOutcome::LogFailed(failure));
        } else {
            self.emit(Stage::Close(failure), operations);
        }
    }

    fn emit(&mut self, stage: Stage, operations: Vec<Operation>) {
        debug_assert!(self.waiting.is_none(), "one effect is out at a time");
        let id = self.numbering.effect();
        self.stage = stage;
        self.waiting = Some(id);
        self.out = Some((id, Effect::Operations(operations)));
    }

    fn warn(&mut self, text: String) {
        self.events.push(Event::Notice { severity: Severity::Warning, text });
    }
}

fn listed(results: Vec<OperationResult>) -> Vec<Entry> {
    match results.into_iter().next_back() {
        Some(OperationResult::Listed(entries)) => entries,
        _ => unreachable!("a listing lists"),
    }
}

/// What the last operation read; `None` when it is less than `asked`.
fn read_result(results: Vec<OperationResult>, asked: Option<u32>) -> Option<Bytes> {
    match results.into_iter().next_back() {
        Some(OperationResult::Read(bytes)) if Some(bytes.len()) == asked.map(|n| n as usize) => {
            Some(bytes)
        }
        _ => None,
    }
}
