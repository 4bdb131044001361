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
mod output;
mod source;
#[cfg(test)]
mod tests;
mod transactions;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

pub use context::{
    CleanedGroup, CompactLogContext, CompactedSegment, CompactionReport, CompactionStep,
    PausedCompaction,
};

use super::{JobOutcome, JobResult};
use crate::batch::{BatchHeader, OpenBatch, Step, legacy_timestamp, next_batch};
use crate::effect::{Completion, Effect, Operation, OperationResult};
use crate::ids::{EffectId, JobId, Numbering};
use crate::log::CleanedSegment;
use crate::log::producers::AbortedTransaction;
use hash::KeyHasher;
use keep::{Judged, Keeper, LastOffsets, Verdict};
use key_map::KeyMap;
use output::{Kept, Output};
use source::{Next, Source};
use transactions::{ControlKind, Transactions};

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
    Map(usize, Source),
    Clean(Box<Clean>),
    /// The segments of the group are finished.
    Finish(Range<usize>, Vec<CleanedSegment>),
    /// Behind the group that ended before this segment.
    Between(usize),
    /// It is given up.
    GiveUp(String),
}

/// Segments that are being written anew.
#[derive(Debug)]
struct Clean {
    group: Range<usize>,
    at: usize,
    source: Source,
    output: Output,
    /// Those before it, if one was not enough.
    finished: Vec<CleanedSegment>,
    /// To be carried out before it goes on.
    operations: Vec<Operation>,
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

    fn begin_map(&mut self) {
        let CompactLogContext { segments, first_dirty, first_dirty_position, .. } = &self.context;
        let begun = segments.partition_point(|segment| segment.base_offset <= *first_dirty);
        let first = begun.saturating_sub(1);
        let position = if begun == 0 { 0 } else { *first_dirty_position };
        let segment = &segments[first];
        let source = Source::new(segment.file.clone(), segment.size, position.min(segment.size));
        // Those that had ended would pass for ones that are under way.
        let ends_behind = |it: &&AbortedTransaction| it.last_offset >= self.context.first_dirty;
        let aborted: Vec<_> = self.context.aborted.iter().filter(ends_behind).copied().collect();
        self.keeper.transactions = Transactions::new(&aborted);
        self.stage = Stage::Map(first, source);
    }

    /// Notes keys until more must be read.
    fn map_on(&mut self) {
        let batch_bytes_max = self.context.limits.frame_bytes_max as usize;
        loop {
            let Stage::Map(at, source) = &mut self.stage else { return };
            match source.next(batch_bytes_max) {
                Next::Batch(header, bytes) => match self.map_batch(&header, &bytes) {
                    Ok(true) => {}
                    Ok(false) => return self.end_map(true),
                    Err(reason) => return self.refuse(reason),
                },
                Next::Legacy(entry, _) => {
                    self.keeper.last.end = self.keeper.last.end.max(entry.last_offset + 1);
                }
                Next::Missing(missing) => {
                    let read = source.read(missing, self.context.piece_bytes);
                    return self.emit_or_pause(vec![read]);
                }
                Next::End => {
                    let next = *at + 1;
                    let end = self.base(next);
                    self.keeper.last.end = self.keeper.last.end.max(end);
                    let Some(segment) = self.context.segments.get(next) else {
                        return self.end_map(false);
                    };
                    let source = Source::new(segment.file.clone(), segment.size, 0);
                    self.stage = Stage::Map(next, source);
                }
                Next::Invalid(reason) => return self.refuse(reason),
            }
        }
    }

    /// False when a key finds no room.
    fn map_batch(&mut self, header: &BatchHeader, bytes: &Bytes) -> Result<bool, String> {
        let transactions = &mut self.keeper.transactions;
        let is_dropped = if header.attributes.is_control() {
            let body = bytes.get(crate::batch::HEADER_BYTES..).unwrap_or_default();
            transactions.take_marker(header, ControlKind::of(header, body));
            true
        } else {
            transactions.take_batch(header)
        };
        if !is_dropped && header.last_offset() >= self.context.first_dirty {
            let Step::Batch(view) = next_batch(bytes, usize::MAX) else { return Ok(true) };
            let decompressed_max = self.context.limits.decompressed_bytes_max as usize;
            let fault = |it: &dyn core::fmt::Display| {
                format!(
                    "{}: the batch at offset {}: {it}",
                    self.context.directory, header.base_offset
                )
            };
            let compression = &*self.context.compression;
            let open = OpenBatch::open(&view, bytes, compression, decompressed_max)
                .map_err(|it| fault(&it))?;
            let last = &mut self.keeper.last;
            for record in open.records() {
                let record = record.map_err(|it| fault(&it))?;
                let offset = header.base_offset.wrapping_add(i64::from(record.offset_delta));
                let Some(key) = record.key.filter(|_| offset >= self.context.first_dirty) else {
                    continue;
                };
                if !last.map.put(last.hasher.hash(key), offset) {
                    return Ok(false);
                }
            }
        }
        self.keeper.last.end = self.keeper.last.end.max(header.last_offset() + 1);
        Ok(true)
    }

    fn end_map(&mut self, is_full: bool) {
        let end = self.keeper.last.end.min(self.context.end);
        self.keeper.last.end = end;
        if is_full && end <= self.context.first_dirty {
            return self.refuse(format!(
                "{}: the keys of one batch at offset {end} do not fit into \
                 log.cleaner.dedupe.buffer.size",
                self.context.directory
            ));
        }
        self.report.end = end;
        self.keeper.transactions = Transactions::new(&self.context.aborted);
        self.stage = Stage::Between(0);
        self.go_on();
    }

    fn begin_group(&mut self, next: usize) {
        let CompactLogContext { segments, end, segment_bytes, .. } = &self.context;
        let limit = self.keeper.last.end;
        let Some(group) = groups::next_group(segments, next, limit, *end, *segment_bytes) else {
            self.report.io_bytes = self.io_bytes;
            self.report.keyless = self.keeper.keyless;
            self.outcome = Some(Outcome::Ended(CompactionStep::Done(self.report)));
            return;
        };
        let first = &segments[group.start];
        let source = Source::new(first.file.clone(), first.size, 0);
        let output = Output::new(&self.context.directory, first.base_offset, &mut self.numbering);
        let (finished, operations) = (Vec::new(), Vec::new());
        let at = group.start;
        self.stage =
            Stage::Clean(Box::new(Clean { group, at, source, output, finished, operations }));
        self.go_on();
    }

    /// Writes what stays until more must be read, or the disk has much to write.
    fn clean_on(&mut self) {
        let batch_bytes_max = self.context.limits.frame_bytes_max as usize;
        loop {
            let Stage::Clean(clean) = &mut self.stage else { return };
            if clean.output.buffered() >= u64::from(self.context.piece_bytes) {
                clean.operations.extend(clean.output.write());
            }
            if !clean.operations.is_empty() {
                let operations = core::mem::take(&mut clean.operations);
                return self.emit(operations);
            }
            let size = self.context.segments[clean.at].size;
            match clean.source.next(batch_bytes_max) {
                Next::Batch(header, bytes) => {
                    if let Err(reason) = self.clean_batch(&header, &bytes) {
                        return self.refuse(reason);
                    }
                }
                Next::Legacy(entry, bytes) => {
                    self.keeper.has_legacy = true;
                    let max_timestamp_ms = legacy_timestamp(&bytes).unwrap_or(-1);
                    self.append(bytes, Kept { last_offset: entry.last_offset, max_timestamp_ms });
                }
                Next::Missing(missing) => {
                    let read = clean.source.read(missing, self.context.piece_bytes);
                    return self.emit_or_pause(vec![read]);
                }
                Next::End => {
                    self.report.bytes_before += size;
                    clean.at += 1;
                    if clean.at == clean.group.end {
                        return self.finish_group();
                    }
                    let segment = &self.context.segments[clean.at];
                    clean.source = Source::new(segment.file.clone(), segment.size, 0);
                }
                Next::Invalid(reason) => return self.refuse(reason),
            }
        }
    }

    fn clean_batch(&mut self, header: &BatchHeader, bytes: &Bytes) -> Result<(), String> {
        let Stage::Clean(clean) = &self.stage else { return Ok(()) };
        let is_last = clean.source.is_at_end() && self.is_last_with_bytes(clean);
        let judged = Judged { header, bytes, is_last };
        let verdict = self.keeper.judge(&self.context, &judged).map_err(|reason| {
            let Stage::Clean(clean) = &self.stage else { return reason };
            format!("{}: {reason}", clean.source.place())
        })?;
        if let Verdict::Stays(bytes) = verdict {
            let kept = BatchHeader::parse(&bytes).map_or(*header, |kept| kept);
            let (last_offset, max_timestamp_ms) = (kept.last_offset(), kept.max_timestamp_ms);
            self.append(bytes, Kept { last_offset, max_timestamp_ms });
        }
        Ok(())
    }

    /// Whether no segment of the group behind this one has anything in it.
    fn is_last_with_bytes(&self, clean: &Clean) -> bool {
        let behind = self.context.segments.get(clean.at + 1..clean.group.end).unwrap_or_default();
        behind.iter().all(|segment| segment.size == 0)
    }

    fn append(&mut self, batch: Bytes, kept: Kept) {
        let Stage::Clean(clean) = &mut self.stage else { return };
        if !clean.output.has_room(batch.len(), kept.last_offset) {
            let next = clean.output.next_offset();
            let next = Output::new(&self.context.directory, next, &mut self.numbering);
            let full = core::mem::replace(&mut clean.output, next);
            let aborted = self.keeper.transactions.take_kept();
            let (segment, operations) = full.finish(aborted, &mut self.numbering);
            clean.finished.push(segment);
            clean.operations.extend(operations);
        }
        clean.output.append(batch, kept, self.context.index_interval_bytes);
    }

    fn finish_group(&mut self) {
        let stage = core::mem::replace(&mut self.stage, Stage::Tidied);
        let Stage::Clean(clean) = stage else { return };
        let Clean { group, output, mut finished, .. } = *clean;
        let aborted = self.keeper.transactions.take_kept();
        let (segment, operations) = output.finish(aborted, &mut self.numbering);
        finished.push(segment);
        self.stage = Stage::Finish(group, finished);
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

fn fill(source: &mut Source, results: Vec<OperationResult>) -> bool {
    let read = results.into_iter().find_map(|result| match result {
        OperationResult::Read(bytes) => Some(bytes),
        _ => None,
    });
    source.fill(read.unwrap_or_default())
}

fn io_bytes(operation: &Operation) -> u64 {
    match operation {
        Operation::Read { length, .. } => u64::from(*length),
        Operation::Write { data, .. } => data.iter().map(|piece| piece.len() as u64).sum(),
        _ => 0,
    }
}
