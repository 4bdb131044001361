//! The hot tail: exact places of the last batches of the active segment.
//!
//! Readers at the end of a log ask for what was appended a moment ago, again and again: for them no
//! file is read.

use alloc::collections::VecDeque;

use super::place::Located;
use super::segment::Segment;
use crate::config::limits::TAIL_BATCHES_MAX;
use crate::ids::FileId;

/// Batches one after another, without a gap between them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    entries: VecDeque<Entry>,
}

/// Where a batch begins; it ends where the next one does. Eight bytes, because each active log has
/// hundreds of them.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Less the segment's base offset.
    relative_offset: u32,
    position: u32,
}

/// The active segment, as far as the tail goes by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct TailEnd {
    /// The segment's base offset.
    pub(super) segment: i64,
    /// The segment's file.
    pub(super) file: FileId,
    /// Behind the last batch.
    pub(super) offset: i64,
    /// Behind the last batch.
    pub(super) position: u64,
}

impl TailEnd {
    /// The end of `active`, where the next record gets `offset`.
    pub(super) fn of(active: &Segment, offset: i64) -> Self {
        let (segment, file) = (active.base_offset, active.file.id);
        Self { segment, file, offset, position: active.size }
    }
}

impl Tail {
    /// A batch begins at `end`. One that lies too far for an entry is left out, with all before it.
    pub(super) fn push(&mut self, end: TailEnd) {
        let relative_offset = u32::try_from(end.offset - end.segment);
        let (Ok(relative_offset), Ok(position)) = (relative_offset, u32::try_from(end.position))
        else {
            return self.clear();
        };
        if self.entries.len() >= TAIL_BATCHES_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { relative_offset, position });
    }

    /// Another segment is appended to from now on.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The batch that holds `offset`, which lies before `end`; `None` when it is older than the tail.
    pub(super) fn locate(&self, offset: i64, end: TailEnd) -> Option<Located> {
        let relative = u32::try_from(offset - end.segment).ok()?;
        let at = self
            .entries
            .partition_point(|entry| entry.relative_offset <= relative)
            .checked_sub(1)?;
        let entry = self.entries.get(at)?;
        let (next_offset, next_position) = match self.entries.get(at + 1) {
            Some(next) => (end.segment + i64::from(next.relative_offset), u64::from(next.position)),
            None => (end.offset, end.position),
        };
        let position = u64::from(entry.position);
        Some(Located {
            segment: end.segment,
            file: end.file,
            position,
            base_offset: end.segment + i64::from(entry.relative_offset),
            last_offset: next_offset - 1,
            batch_bytes: u32::try_from(next_position - position).ok()?,
        })
    }
}
