//! The walk over the batches, in order: all of a segment that is scanned, the end of the last one, and
//! where producers are replayed. What is known by its index files is passed over.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::recovery::Fault;
use super::scan::{Found, SegmentScan};
use super::segments::{FoundSegment, Trust};
use super::{LoadLog, Stage};
use crate::batch::{BatchHeader, HEADER_BYTES};
use crate::effect::{Operation, OperationResult};

/// The walk over one segment.
#[derive(Debug)]
pub(super) struct Walk {
    segment: usize,
    scan: SegmentScan,
    /// The last offset that the first batch must have: the walk begins at an index entry.
    expected: Option<i64>,
    /// The segment's first batch is read beside it.
    reads_first: bool,
}

impl LoadLog {
    /// Goes on with the segment `first`.
    pub(super) fn walk_from(&mut self, first: usize) {
        for at in first..self.segments.len() {
            let base_offset = self.segments[at].base_offset;
            if let Err(reason) = self.offsets.enter(base_offset) {
                return self.plan(Some(Fault { segment: at, good: None, reason }));
            }
            let rebuilt = self.finish_segment_before(at);
            if !rebuilt.is_empty() {
                return self.emit(Stage::Rebuilt { next: at }, rebuilt);
            }
            if let Some(walk) = self.enter_segment(at) {
                return self.read_walk(walk);
            }
        }
        self.end_walk();
    }

    /// The files of the segment before `at` are made anew.
    pub(super) fn handle_rebuilt(&mut self, at: usize) {
        match self.enter_segment(at) {
            Some(walk) => self.read_walk(walk),
            None => self.walk_from(at + 1),
        }
    }

    /// Where the walk over a segment begins; `None` when nothing of it has to be read.
    fn enter_segment(&mut self, at: usize) -> Option<Walk> {
        let next = self.segments.get(at + 1).map(|next| next.base_offset);
        let segment = &self.segments[at];
        if segment.length == 0 {
            return None;
        }
        if segment.trust == Trust::Scanned {
            let scan = SegmentScan::new(segment.length);
            return Some(Walk { segment: at, scan, expected: None, reads_first: false });
        }
        let replay_from = self.replay.from;
        if let Some(next) = next.filter(|next| *next <= replay_from) {
            self.offsets.end = next;
            return None;
        }
        let entry = segment.entry_up_to(if next.is_none() { i64::MAX } else { replay_from });
        let entry = entry.filter(|(last_offset, _)| *last_offset <= replay_from);
        let entry = entry.or_else(|| segment.entry_up_to(replay_from));
        let (expected, position) = entry.unzip();
        let position = position.unwrap_or(0);
        let scan = SegmentScan::at(position, segment.length);
        Some(Walk { segment: at, scan, expected, reads_first: next.is_none() && position > 0 })
    }

    fn read_walk(&mut self, walk: Walk) {
        let Some((position, length)) = walk.scan.wants(self.context.limits.job_piece_bytes) else {
            return self.walk_from(walk.segment + 1);
        };
        let segment = &mut self.segments[walk.segment];
        segment.is_open = true;
        let file = segment.file.clone();
        let mut operations = vec![Operation::Read { file: file.clone(), position, length }];
        if walk.reads_first {
            operations.push(Operation::Read { file, position: 0, length: HEADER_BYTES as u32 });
        }
        self.emit(Stage::Walk(walk), operations);
    }

    /// A piece of a segment was read.
    pub(super) fn handle_walk(&mut self, mut walk: Walk, results: Vec<OperationResult>) {
        let at = walk.segment;
        let asked = walk.scan.wants(self.context.limits.job_piece_bytes);
        let mut contents = results.into_iter().filter_map(|result| match result {
            OperationResult::Read(content) => Some(content),
            _ => None,
        });
        let piece = contents.next().unwrap_or_default();
        if asked.is_none_or(|(_, length)| piece.len() != length as usize) {
            return self.fail(format!("{} shrank while it was read", self.segments[at].path()));
        }
        let Self { segments, offsets, replay, .. } = self;
        let segment = &mut segments[at];
        if core::mem::take(&mut walk.reads_first) {
            segment.first_timestamp_ms = first_timestamp(&contents.next().unwrap_or_default());
        }
        let Walk { scan, expected, .. } = &mut walk;
        let outcome = scan.feed(&piece, |found| {
            check_entry(*expected, &found)?;
            offsets.take(segment, &found)?;
            *expected = None;
            replay.take(&found);
            Ok(())
        });
        match outcome {
            Ok(()) => self.read_walk(walk),
            Err(reason) if walk.expected.is_some() => self.scan_instead(at, &reason),
            Err(reason) => {
                self.plan(Some(Fault { segment: at, good: Some(walk.scan.valid()), reason }));
            }
        }
    }

    /// The index entry that the walk began at is wrong, which says nothing of the batches.
    fn scan_instead(&mut self, at: usize, reason: &str) {
        let position = self.segments[at].last_entry().map_or(0, |(_, position)| position);
        self.distrust(at, &format!("the index entry for position {position} is wrong: {reason}"));
        let scan = SegmentScan::new(self.segments[at].length);
        self.read_walk(Walk { segment: at, scan, expected: None, reads_first: false });
    }
}

impl FoundSegment {
    /// The last entry of `.index` whose offset is at most `offset`: the batch's last offset and its
    /// position.
    fn entry_up_to(&self, offset: i64) -> Option<(i64, u64)> {
        if let Some(last) = self.last_entry().filter(|(last_offset, _)| *last_offset <= offset) {
            return Some(last);
        }
        let entries = self.indexes.offsets().entries();
        let relative = offset.checked_sub(self.base_offset)?;
        let count = entries.partition_point(|entry| i64::from(entry.relative_offset) <= relative);
        let entry = entries.get(count.checked_sub(1)?)?;
        Some((self.base_offset + i64::from(entry.relative_offset), u64::from(entry.position)))
    }
}

fn check_entry(expected: Option<i64>, found: &Found) -> Result<(), String> {
    match expected {
        Some(expected) if found.last_offset != Some(expected) => {
            Err(format!("the batch there does not end at offset {expected}"))
        }
        _ => Ok(()),
    }
}

/// The largest timestamp of the batch that begins with `bytes`; -1 for none.
fn first_timestamp(bytes: &[u8]) -> i64 {
    let header = BatchHeader::parse(bytes).filter(|header| header.magic == 2);
    header.map_or(-1, |header| header.max_timestamp_ms)
}
