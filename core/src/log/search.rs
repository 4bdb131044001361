//! The search for a batch by reading: from an entry of the index, header by header.
//!
//! An index entry is trusted only when the batch at its position has exactly its last offset; else
//! the search starts anew from the entry before it, and then from the segment's start. So a damaged
//! index costs time, and never gives a wrong batch.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::place::Located;
use crate::batch::{BatchHeader, HEADER_BYTES, Step, next_batch};
use crate::effect::{FileRef, Operation, Path, QUICK_READ_BYTES_MAX};

/// Where the magic byte stands, in every format.
const MAGIC_AT: usize = 16;

/// A look-up that has to read: carry [`read`](Self::read) out, which is a quick read, and hand what
/// it gave to [`step`](Self::step).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search(Box<State>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    target: i64,
    part: SearchPart,
    /// What follows when the segment has no such batch.
    next: Option<SearchPart>,
    /// Where the walk has come to.
    position: u64,
    /// The last offset that the batch at `position` must have: the walk begins at an index entry.
    expected: Option<i64>,
    /// Entries to begin at when an entry is wrong, the best one last.
    starts: Vec<SearchStart>,
    /// No batch begins below it.
    offset_min: i64,
    /// Where the target's batch begins at the latest: more is not read.
    read_to: u64,
}

/// A segment as far as it may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SearchPart {
    /// Its base offset.
    pub(super) segment: i64,
    /// Its `.log` file.
    pub(super) file: FileRef,
    /// Bytes of it that may be read.
    pub(super) end: u64,
    /// The offset behind those bytes, at most.
    pub(super) offset_end: i64,
}

/// An index entry to begin at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SearchStart {
    pub(super) last_offset: i64,
    pub(super) position: u64,
}

impl SearchStart {
    /// Entries that a search tries before it begins at the segment's start: damage that one flipped
    /// bit does to an index is behind it.
    pub(super) const MAX: usize = 2;
}

/// What the bytes gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchStep {
    /// The batch.
    Found(Located),
    /// The search goes on: read again.
    More(Search),
    /// Up to the end that was asked for there is no such batch.
    End,
    /// The segment is damaged.
    Corrupt {
        /// Its `.log` file.
        file: Path,
        /// Where the batch begins that is none, in bytes from the file's start.
        position: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// A batch's header as the walk sees it.
struct Head {
    base_offset: i64,
    last_offset: i64,
    size: u64,
}

impl Search {
    /// Searches `part` for `target`, and then `next`. `starts` are entries whose offsets are at most
    /// the target, the best one last; the batch begins at `read_to` at the latest.
    pub(super) fn new(
        target: i64,
        part: SearchPart,
        next: Option<SearchPart>,
        starts: Vec<SearchStart>,
        read_to: u64,
    ) -> Self {
        let offset_min = part.segment;
        let state =
            State { target, part, next, position: 0, expected: None, starts, offset_min, read_to };
        let mut search = Self(Box::new(state));
        search.start();
        search
    }

    /// The offset that is searched for.
    pub fn target(&self) -> i64 {
        self.0.target
    }

    /// The read whose bytes the next step takes.
    pub fn read(&self) -> Operation {
        let State { part, position, .. } = &*self.0;
        Operation::Read { file: part.file.clone(), position: *position, length: self.length() }
    }

    /// Takes the bytes that the read gave.
    pub fn step(mut self, bytes: &[u8]) -> SearchStep {
        let is_short = bytes.len() < self.length() as usize;
        let mut rest = bytes;
        loop {
            let state = &mut *self.0;
            if state.position == state.part.end {
                return self.go_on();
            }
            let head = match state.head(rest) {
                Ok(Some(head)) => head,
                Ok(None) if is_short => {
                    let read_to = state.position + rest.len() as u64;
                    let end = state.part.end;
                    return self.fall_back(format!("the file ends at {read_to}, not at {end}"));
                }
                Ok(None) => return SearchStep::More(self),
                Err(reason) => return self.fall_back(reason),
            };
            state.expected = None;
            state.offset_min = head.last_offset + 1;
            if head.last_offset >= state.target {
                return state.found(&head);
            }
            state.position += head.size;
            rest = usize::try_from(head.size).ok().and_then(|size| rest.get(size..)).unwrap_or(&[]);
        }
    }

    fn length(&self) -> u32 {
        let State { part, position, read_to, .. } = &*self.0;
        let left = part.end - position;
        // The header of the last batch that may be the one is read as well.
        let near = read_to.checked_sub(*position).map_or(left, |gap| gap + HEADER_BYTES as u64);
        left.min(near).min(u64::from(QUICK_READ_BYTES_MAX)) as u32
    }

    /// Begins at the best start that is left, or else at the segment's.
    fn start(&mut self) {
        let state = &mut *self.0;
        state.offset_min = state.part.segment;
        let start = state.starts.pop();
        state.position = start.map_or(0, |start| start.position);
        state.expected = start.map(|start| start.last_offset);
    }

    /// What stands here is no batch, or not the one of the index entry.
    fn fall_back(mut self, reason: String) -> SearchStep {
        let state = &mut *self.0;
        let begun_at_entry = state.expected.is_some();
        if !begun_at_entry {
            let file = state.part.file.path.clone();
            return SearchStep::Corrupt { file, position: state.position, reason };
        }
        state.read_to = state.part.end;
        self.start();
        SearchStep::More(self)
    }

    /// The segment has no such batch: the next one begins behind the gap.
    fn go_on(mut self) -> SearchStep {
        let state = &mut *self.0;
        let Some(next) = state.next.take() else { return SearchStep::End };
        state.read_to = 0;
        state.starts = Vec::new();
        state.part = next;
        self.start();
        SearchStep::More(self)
    }
}

impl State {
    /// The batch that begins at the walk's position; `None` when `rest` is too short to tell.
    fn head(&self, rest: &[u8]) -> Result<Option<Head>, String> {
        let left = self.part.end - self.position;
        let left_bytes = usize::try_from(left).unwrap_or(usize::MAX);
        let head = match next_batch(rest, left_bytes) {
            Step::Batch(view) => of_header(view.header(), view.size()),
            Step::Legacy(entry) => of_offset(entry.last_offset, entry.size),
            Step::BodyIncomplete { size, .. } => match rest.get(MAGIC_AT) {
                Some(0 | 1) => of_offset(first_offset(rest), size),
                _ => match BatchHeader::parse(rest) {
                    Some(header) => of_header(&header, size),
                    None => return unless_at_end(rest, left),
                },
            },
            Step::HeaderIncomplete { .. } => return unless_at_end(rest, left),
            Step::Invalid(fault) => return Err(fault.to_string()),
        };
        self.check(&head)?;
        Ok(Some(head))
    }

    fn check(&self, head: &Head) -> Result<(), String> {
        let &Head { base_offset, last_offset, .. } = head;
        if let Some(expected) = self.expected.filter(|expected| *expected != last_offset) {
            return Err(format!("its last offset is {last_offset}, the index has {expected}"));
        }
        let is_inside = base_offset >= self.offset_min && last_offset < self.part.offset_end;
        if base_offset > last_offset || !is_inside {
            let (min, end) = (self.offset_min, self.part.offset_end);
            return Err(format!(
                "its offsets are {base_offset} to {last_offset}, where {min} to {} may be",
                end - 1
            ));
        }
        Ok(())
    }

    fn found(&self, head: &Head) -> SearchStep {
        SearchStep::Found(Located {
            segment: self.part.segment,
            position: self.position,
            base_offset: head.base_offset,
            last_offset: head.last_offset,
            batch_bytes: u32::try_from(head.size).unwrap_or(u32::MAX),
        })
    }
}

fn of_header(header: &BatchHeader, size: usize) -> Head {
    Head { base_offset: header.base_offset, last_offset: header.last_offset(), size: size as u64 }
}

fn of_offset(offset: i64, size: usize) -> Head {
    Head { base_offset: offset, last_offset: offset, size: size as u64 }
}

fn first_offset(rest: &[u8]) -> i64 {
    rest.first_chunk().map_or(-1, |bytes| i64::from_be_bytes(*bytes))
}

fn unless_at_end(rest: &[u8], left: u64) -> Result<Option<Head>, String> {
    if (rest.len() as u64) < left {
        return Ok(None);
    }
    Err(format!("the log ends {left} bytes into a batch's header"))
}
