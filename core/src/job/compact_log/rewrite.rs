//! The second walk: finished segments are written anew, without what goes (`Cleaner.cleanSegments`).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

use super::keep::Verdict;
use super::output::{Kept, Output};
use super::{CompactLog, CompactLogContext, CompactionStep, Outcome, Stage, groups};
use crate::batch::{BatchHeader, legacy_timestamp};
use crate::effect::Operation;
use crate::job::segment_reader::{Next, SegmentReader};
use crate::log::CleanedSegment;

/// Segments that are being written anew.
#[derive(Debug)]
pub(super) struct Clean {
    pub(super) group: Range<usize>,
    pub(super) at: usize,
    pub(super) source: SegmentReader,
    pub(super) output: Output,
    /// Those before it, if one was not enough.
    pub(super) finished: Vec<CleanedSegment>,
    /// To be carried out before it goes on.
    pub(super) operations: Vec<Operation>,
}

impl CompactLog {
    pub(super) fn begin_group(&mut self, next: usize) {
        let CompactLogContext { segments, end, segment_bytes, .. } = &self.context;
        let limit = self.keeper.last.end;
        let Some(group) = groups::next_group(segments, next, limit, *end, *segment_bytes) else {
            self.report.io_bytes = self.io_bytes;
            self.report.keyless = self.keeper.keyless;
            self.outcome = Some(Outcome::Ended(CompactionStep::Done(self.report)));
            return;
        };
        let first = &segments[group.start];
        let source = SegmentReader::new(first.file.clone(), first.size, 0);
        let output = Output::new(&self.context.directory, first.base_offset, &mut self.numbering);
        let (finished, operations) = (Vec::new(), Vec::new());
        let at = group.start;
        self.stage =
            Stage::Clean(Box::new(Clean { group, at, source, output, finished, operations }));
        self.go_on();
    }

    /// Writes what stays until more must be read, or the disk has much to write.
    pub(super) fn clean_on(&mut self) {
        let batch_bytes_max = self.context.limits.stored_batch_bytes_max();
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
                    clean.source = SegmentReader::new(segment.file.clone(), segment.size, 0);
                }
                Next::Invalid(reason) => return self.refuse(reason),
            }
        }
    }

    fn clean_batch(&mut self, header: &BatchHeader, bytes: &Bytes) -> Result<(), String> {
        let verdict = self.keeper.judge(&self.context, header, bytes).map_err(|reason| {
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
}
