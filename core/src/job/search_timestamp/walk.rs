//! A walk over a segment by headers: bodies are read only where they are looked into.

use alloc::format;
use alloc::string::{String, ToString};

use bytes::Bytes;

use super::SearchedSegment;
use crate::batch::{
    BatchHeader, HEADER_BYTES, Step, UP_TO_MAGIC_BYTES, legacy_timestamp, next_batch,
};
use crate::job::held;

/// The first piece behind an index entry: the batches up to the next entry, and mostly the one.
const FIRST_PIECE_BYTES: u32 = 16 << 10;

/// Bytes up to the end of a legacy entry's timestamp.
const LEGACY_HEADER_BYTES: usize = 26;

/// How far the walk has come.
#[derive(Debug)]
pub(super) struct Walk {
    end: u64,
    /// Of the first byte held.
    position: u64,
    held: Bytes,
    reads: u32,
    hint: Option<Hint>,
}

/// What an index claims, until the batches have shown it.
#[derive(Clone, Copy, Debug)]
struct Hint {
    /// The batch with this offset has the largest timestamp up to there.
    offset: i64,
    timestamp_ms: i64,
    /// That batch may be one that is not looked at; then nothing before the end is late enough.
    is_cut: bool,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum WalkStep {
    /// At least so much must be read there.
    Read { position: u64, length: u32 },
    /// A whole batch whose largest timestamp is late enough.
    Batch { position: u64, bytes: Bytes },
    /// The index that led here was wrong.
    HintWrong,
    /// No batch begins here.
    Invalid { position: u64, reason: String },
    /// Nothing is left.
    End,
}

/// A batch or entry, as far as the walk looks at it.
struct Head {
    size: u64,
    base_offset: i64,
    last_offset: i64,
    /// `None` for a format that has none.
    max_timestamp_ms: Option<i64>,
}

impl Walk {
    /// From `position` to `end`, both where a batch begins or ends.
    pub(super) fn new(end: u64, position: u64) -> Self {
        Self { end, position, held: Bytes::new(), reads: 0, hint: None }
    }

    /// The same on the word of an index: the batch with the offset is at or behind `position`, and the
    /// timestamp is its largest, and that of all before it.
    pub(super) fn from_hint(
        segment: &SearchedSegment,
        position: u64,
        (offset, timestamp_ms): (i64, i64),
    ) -> Self {
        let is_cut = segment.bytes < segment.size;
        let hint = Some(Hint { offset, timestamp_ms, is_cut });
        Self { hint, ..Self::new(segment.bytes, position) }
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// How much to read at once: little where an index led, more where the walk is long.
    pub(super) fn piece_bytes(&self, piece_bytes_max: u32) -> u32 {
        let grown = FIRST_PIECE_BYTES.saturating_mul(1 << (2 * self.reads).min(16));
        grown.min(piece_bytes_max)
    }

    /// Takes what was read behind what is held.
    pub(super) fn feed(&mut self, data: &Bytes) {
        self.reads += 1;
        held::append(&mut self.held, data);
    }

    /// Goes on to the next batch whose largest timestamp is at least `timestamp_ms`.
    pub(super) fn step(&mut self, timestamp_ms: i64) -> WalkStep {
        loop {
            if self.position >= self.end {
                let is_wrong = self.hint.is_some_and(|hint| !hint.is_cut);
                return if is_wrong { WalkStep::HintWrong } else { WalkStep::End };
            }
            let head = match self.head() {
                Ok(Some(head)) => head,
                Ok(None) => return self.read(HEADER_BYTES),
                Err(_) if self.hint.is_some() => return WalkStep::HintWrong,
                Err(reason) => return WalkStep::Invalid { position: self.position, reason },
            };
            if !self.agrees(&head) {
                return WalkStep::HintWrong;
            }
            let is_late = head.max_timestamp_ms.is_some_and(|time_ms| time_ms >= timestamp_ms);
            let Ok(size) = usize::try_from(head.size) else { return WalkStep::End };
            if is_late && self.held.len() < size {
                return self.read(size);
            }
            let position = self.position;
            self.position += head.size;
            let bytes = self.held.split_to(size.min(self.held.len()));
            if is_late {
                return WalkStep::Batch { position, bytes };
            }
        }
    }

    /// Asks for what is missing of `wanted` bytes.
    fn read(&self, wanted: usize) -> WalkStep {
        let position = self.position + self.held.len() as u64;
        let length = wanted.saturating_sub(self.held.len());
        WalkStep::Read { position, length: u32::try_from(length).unwrap_or(u32::MAX) }
    }

    /// Compares a batch with what the index has said.
    fn agrees(&mut self, head: &Head) -> bool {
        let Some(hint) = self.hint else { return true };
        let time_ms = head.max_timestamp_ms.unwrap_or(-1);
        if head.base_offset > hint.offset || time_ms > hint.timestamp_ms {
            return false;
        }
        if head.last_offset >= hint.offset {
            self.hint = None;
            return time_ms == hint.timestamp_ms;
        }
        true
    }

    /// What stands at the front of what is held; `None` when its header is not whole.
    fn head(&self) -> Result<Option<Head>, String> {
        let left = self.end - self.position;
        let size_max = usize::try_from(left).unwrap_or(usize::MAX);
        let cut = || format!("the segment ends {left} bytes into a batch");
        let size = match next_batch(&self.held, size_max) {
            Step::Invalid(fault) => return Err(fault.to_string()),
            Step::HeaderIncomplete { .. } if self.held.len() as u64 >= left => return Err(cut()),
            Step::HeaderIncomplete { .. } => return Ok(None),
            Step::BodyIncomplete { size, .. } => size,
            Step::Legacy(entry) => entry.size,
            Step::Batch(view) => view.size(),
        };
        let magic = self.held.get(UP_TO_MAGIC_BYTES - 1).copied();
        let size = size as u64;
        if magic == Some(2) {
            return Ok(BatchHeader::parse(&self.held).map(|header| Head {
                size,
                base_offset: header.base_offset,
                last_offset: header.last_offset(),
                max_timestamp_ms: Some(header.max_timestamp_ms),
            }));
        }
        if self.held.len() < LEGACY_HEADER_BYTES.min(size as usize) {
            return Ok(None);
        }
        let offset = self.held.first_chunk().map_or(-1, |bytes| i64::from_be_bytes(*bytes));
        let max_timestamp_ms = legacy_timestamp(&self.held);
        Ok(Some(Head { size, base_offset: offset, last_offset: offset, max_timestamp_ms }))
    }
}
