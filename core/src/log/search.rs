//! The search for a batch by reading: from an entry of the index, header by header.
//!
//! An index entry is trusted only when the batch at its position has exactly its last offset; else
//! the search starts anew from the entry before it, and then from the segment's start. So a damaged
//! index costs time, and never gives a wrong batch.
//!
//! Where the walk meets no batch, the file is damaged: there, or in the length of the batch before.
//! The search then looks for the next place where a batch stands that fits, so that one damaged batch
//! takes no other with it. Only when that one lies behind the target is the target's batch lost.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::head::{Head, HeadFault, find_batch};
use super::place::Located;
use crate::batch::HEADER_BYTES;
use crate::effect::{FileRef, Operation, Path, QUICK_READ_BYTES_MAX};

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
    /// Where the last batch of the walk begins.
    last_batch: Option<u64>,
    /// Where the target's batch begins at the latest: more is not read.
    read_to: u64,
    /// The first place where the walk met no batch.
    damage: Option<Damage>,
    /// The place of the next batch is not known: any byte may be its first.
    is_lost: bool,
    /// A batch with the target that the head of the next one, at `position`, may show to be none.
    doubtful: Option<Doubtful>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doubtful {
    position: u64,
    head: Head,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Damage {
    position: u64,
    reason: String,
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
    /// The segment is damaged, and the batch is not to be found.
    Corrupt {
        /// Its `.log` file.
        file: Path,
        /// Where the batch begins that is none, in bytes from the file's start.
        position: u64,
        /// What is wrong with it.
        reason: String,
    },
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
        let mut state = State {
            target,
            offset_min: part.segment,
            part,
            next,
            position: 0,
            expected: None,
            starts,
            last_batch: None,
            read_to,
            damage: None,
            is_lost: false,
            doubtful: None,
        };
        state.start();
        Self(Box::new(state))
    }

    /// The offset that is searched for.
    pub fn target(&self) -> i64 {
        self.0.target
    }

    /// The read whose bytes the next step takes.
    pub fn read(&self) -> Operation {
        let State { part, position, .. } = &*self.0;
        Operation::Read { file: part.file.clone(), position: *position, length: self.0.length() }
    }

    /// Takes the bytes that the read gave.
    pub fn step(mut self, bytes: &[u8]) -> SearchStep {
        let state = &mut *self.0;
        let ending = if bytes.len() < state.length() as usize {
            let (file_end, end) = (state.position + bytes.len() as u64, state.part.end);
            state.fall_back(format!("the file ends at {file_end}, not at {end}"))
        } else {
            state.walk(bytes)
        };
        ending.unwrap_or(SearchStep::More(self))
    }
}

impl State {
    /// Begins at the best start that is left, or else at the segment's.
    fn start(&mut self) {
        let start = self.starts.pop();
        self.offset_min = self.part.segment;
        self.position = start.map_or(0, |start| start.position);
        self.expected = start.map(|start| start.last_offset);
        self.last_batch = None;
    }

    fn length(&self) -> u32 {
        let left = self.part.end - self.position;
        // The header of the last batch that may be the one is read as well.
        let near = match self.read_to.checked_sub(self.position) {
            Some(gap) if !self.is_lost => gap + HEADER_BYTES as u64,
            _ => left,
        };
        left.min(near).min(u64::from(QUICK_READ_BYTES_MAX)) as u32
    }

    /// Goes over the batches in `rest`, which stands at the walk's position. `None` when it has to
    /// read on.
    fn walk(&mut self, mut rest: &[u8]) -> Option<SearchStep> {
        if let Some(doubtful) = self.doubtful.take() {
            return self.judge(doubtful, rest);
        }
        loop {
            if self.is_lost {
                if self.position > self.read_to {
                    return self.corrupt();
                }
                rest = self.find(rest)?;
            }
            if self.position == self.part.end {
                return self.go_on();
            }
            let left = self.part.end - self.position;
            let head = match Head::read(rest, left).and_then(|head| self.check(head)) {
                Ok(head) => head,
                Err(HeadFault::Incomplete) => return None,
                Err(HeadFault::Invalid(reason)) => return self.lose(reason),
            };
            if self.damage.is_some() && head.base_offset > self.target {
                return self.corrupt();
            }
            if head.last_offset >= self.target {
                return self.take(head, rest);
            }
            self.expected = None;
            self.last_batch = Some(self.position);
            self.offset_min = head.last_offset + 1;
            self.position += head.size;
            rest = usize::try_from(head.size).ok().and_then(|size| rest.get(size..)).unwrap_or(&[]);
        }
    }

    fn check(&self, head: Head) -> Result<Head, HeadFault> {
        let Head { base_offset, last_offset, .. } = head;
        let reason = match self.expected {
            Some(expected) if expected != last_offset => {
                format!("its last offset is {last_offset}, the index has {expected}")
            }
            _ if head.is_within(self.offset_min, self.part.offset_end) => return Ok(head),
            _ => {
                let (min, end) = (self.offset_min, self.part.offset_end);
                let max = end - 1;
                format!(
                    "its offsets are {base_offset} to {last_offset}, where {min} to {max} may be"
                )
            }
        };
        Err(HeadFault::Invalid(reason))
    }

    /// Here is no batch. If the walk began here, the index is wrong; else the file is damaged, and
    /// the next batch may begin anywhere behind the start of the last one, whose length may be what
    /// is wrong.
    fn lose(&mut self, reason: String) -> Option<SearchStep> {
        if self.expected.is_some() {
            return self.fall_back(reason);
        }
        let position = self.position;
        self.damage.get_or_insert(Damage { position, reason });
        self.position = self.last_batch.take().unwrap_or(position) + 1;
        self.is_lost = true;
        None
    }

    /// Takes a batch with the target, unless it is doubtful: when there is a gap before it or in it,
    /// its offsets may be wrong. The CRC leaves the base offset out; the next batch tells.
    fn take(&mut self, head: Head, rest: &[u8]) -> Option<SearchStep> {
        let position = self.position;
        let is_sure = head.is_dense && head.base_offset == self.offset_min;
        if is_sure || self.expected.is_some() || position + head.size == self.part.end {
            return Some(self.found(&head));
        }
        let doubtful = Doubtful { position, head };
        self.position += head.size;
        match usize::try_from(head.size).ok().and_then(|size| rest.get(size..)) {
            Some(behind) if behind.len() >= HEADER_BYTES => self.judge(doubtful, behind),
            _ => {
                self.doubtful = Some(doubtful);
                None
            }
        }
    }

    /// A doubtful batch is wrong when the next one begins in the midst of it.
    fn judge(&mut self, doubtful: Doubtful, behind: &[u8]) -> Option<SearchStep> {
        let next = Head::read(behind, self.part.end - self.position);
        let Doubtful { position, head } = doubtful;
        self.position = position;
        let last = head.last_offset;
        match next {
            Ok(Head { base_offset: base, .. }) if base >= self.offset_min && base <= last => {
                self.lose(format!("its last offset is {last}, and the next batch's first {base}"))
            }
            _ => Some(self.found(&head)),
        }
    }

    /// Looks for the next batch in `rest`, and gives what begins with it.
    fn find<'a>(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let left = self.part.end - self.position;
        let (at, is_found) = find_batch(rest, left, self.offset_min, self.part.offset_end);
        self.position += at as u64;
        self.is_lost = !is_found;
        is_found.then(|| rest.get(at..)).flatten()
    }

    /// The index is wrong: begins elsewhere.
    fn fall_back(&mut self, reason: String) -> Option<SearchStep> {
        if self.expected.is_none() {
            self.damage = Some(Damage { position: self.position, reason });
            return self.corrupt();
        }
        self.read_to = self.part.end;
        self.start();
        None
    }

    /// The segment has no such batch: the next one begins behind the gap.
    fn go_on(&mut self) -> Option<SearchStep> {
        if self.damage.is_some() {
            return self.corrupt();
        }
        let Some(next) = self.next.take() else { return Some(SearchStep::End) };
        self.read_to = 0;
        self.starts = Vec::new();
        self.part = next;
        self.start();
        None
    }

    fn found(&self, head: &Head) -> SearchStep {
        SearchStep::Found(Located {
            segment: self.part.segment,
            file: self.part.file.id,
            position: self.position,
            base_offset: head.base_offset,
            last_offset: head.last_offset,
            batch_bytes: u32::try_from(head.size).unwrap_or(u32::MAX),
        })
    }

    fn corrupt(&mut self) -> Option<SearchStep> {
        let Damage { position, reason } = self.damage.take()?;
        Some(SearchStep::Corrupt { file: self.part.file.path.clone(), position, reason })
    }
}
