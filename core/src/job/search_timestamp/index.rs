//! A binary search in one of Kafka's index files, read by read (`OffsetIndex`, `TimeIndex`).

use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::effect::{FileRef, Operation, OperationResult};

/// What is left of an index is read at once when it has no more bytes than this.
const BLOCK_BYTES: u64 = 4_096;

/// Which index it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexKind {
    /// `.index`: relative offset (4), position (4).
    Offsets,
    /// `.timeindex`: timestamp (8), relative offset (4).
    Times,
}

impl IndexKind {
    fn entry_bytes(self) -> u64 {
        match self {
            Self::Offsets => 8,
            Self::Times => 12,
        }
    }

    fn parse(self, bytes: &[u8]) -> Option<IndexEntry> {
        match self {
            Self::Offsets => {
                let (key, offset) = (bytes.first_chunk()?, bytes.get(4..)?.first_chunk()?);
                Some(IndexEntry {
                    key: i64::from(i32::from_be_bytes(*key)),
                    offset: i64::from(i32::from_be_bytes(*offset)),
                })
            }
            Self::Times => {
                let (key, offset) = (bytes.first_chunk()?, bytes.get(8..)?.first_chunk()?);
                Some(IndexEntry {
                    key: i64::from_be_bytes(*key),
                    offset: i64::from(i32::from_be_bytes(*offset)),
                })
            }
        }
    }
}

/// An entry: what is looked up, and what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    /// Timestamp, or relative offset.
    pub(super) key: i64,
    /// Relative offset, or position.
    pub(super) offset: i64,
}

/// The search for the last entry whose key is at most a given one.
#[derive(Debug)]
pub(super) struct IndexSearch {
    kind: IndexKind,
    file: FileRef,
    key: i64,
    /// The entries that are left, from and to; unknown until the file is open.
    range: Option<(u64, u64)>,
    found: Option<IndexEntry>,
}

impl IndexSearch {
    pub(super) fn new(kind: IndexKind, file: FileRef, key: i64) -> Self {
        Self { kind, file, key, range: None, found: None }
    }

    /// What to carry out first.
    pub(super) fn wants(&self) -> Vec<Operation> {
        vec![Operation::Open(self.file.clone())]
    }

    /// The entry, when [`feed`](Self::feed) wants nothing more; `None` when all keys are greater.
    pub(super) fn found(&self) -> Option<IndexEntry> {
        self.found
    }

    /// Takes what was asked for, and asks for more.
    pub(super) fn feed(&mut self, results: Vec<OperationResult>) -> Option<Vec<Operation>> {
        match results.into_iter().next() {
            Some(OperationResult::Opened(length)) => {
                self.range = Some((0, length / self.kind.entry_bytes()));
            }
            Some(OperationResult::Read(bytes)) => self.narrow(&bytes),
            // It is closed.
            _ => return None,
        }
        Some(self.read_on())
    }

    fn read_on(&self) -> Vec<Operation> {
        let width = self.kind.entry_bytes();
        match self.range {
            Some((from, to)) if from < to => {
                let is_last = (to - from) * width <= BLOCK_BYTES;
                let (at, count) = if is_last { (from, to - from) } else { (middle(from, to), 1) };
                let length = (count * width) as u32;
                vec![Operation::Read { file: self.file.clone(), position: at * width, length }]
            }
            _ => vec![Operation::Close(self.file.clone())],
        }
    }

    fn narrow(&mut self, bytes: &Bytes) {
        let width = self.kind.entry_bytes();
        let Some((from, to)) = self.range else { return };
        if (to - from) * width <= BLOCK_BYTES {
            let entries = bytes.chunks_exact(width as usize).filter_map(|it| self.kind.parse(it));
            self.found = entries.take_while(|entry| entry.key <= self.key).last().or(self.found);
            self.range = Some((to, to));
            return;
        }
        let at = middle(from, to);
        self.range = match self.kind.parse(bytes) {
            Some(entry) if entry.key <= self.key => {
                self.found = Some(entry);
                Some((at + 1, to))
            }
            Some(_) => Some((from, at)),
            // It has become shorter.
            None => Some((to, to)),
        };
    }
}

fn middle(from: u64, to: u64) -> u64 {
    from + (to - from) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Path;
    use crate::ids::{FileId, JobId};

    fn look_up(kind: IndexKind, content: &[u8], key: i64) -> (Option<IndexEntry>, usize) {
        let file = FileRef { id: FileId { owner: JobId(1), number: 0 }, path: Path::new("/i") };
        let mut search = IndexSearch::new(kind, file, key);
        let mut wanted = Some(search.wants());
        let mut reads = 0;
        while let Some(operations) = wanted {
            let results = operations.into_iter().map(|operation| match operation {
                Operation::Open(_) => OperationResult::Opened(content.len() as u64),
                Operation::Read { position, length, .. } => {
                    reads += 1;
                    let from = position as usize;
                    let piece = &content[from..from + length as usize];
                    OperationResult::Read(Bytes::copy_from_slice(piece))
                }
                _ => OperationResult::Done,
            });
            let results: Vec<_> = results.collect();
            wanted = search.feed(results);
        }
        (search.found(), reads)
    }

    #[test]
    fn last_entry_not_beyond_the_key_is_found_in_few_reads() {
        let mut content = Vec::new();
        for number in 0..10_000_i32 {
            content.extend((i64::from(number) * 10).to_be_bytes());
            content.extend((number + 7).to_be_bytes());
        }
        for (key, number) in [(0, 0), (9, 0), (10, 1), (54_321, 5_432), (1 << 40, 9_999)] {
            let (found, reads) = look_up(IndexKind::Times, &content, key);
            assert_eq!(found, Some(IndexEntry { key: number * 10, offset: number + 7 }), "{key}");
            assert!(reads <= 7, "{reads} reads");
        }
        assert_eq!(look_up(IndexKind::Times, &content, -1).0, None);
    }

    #[test]
    fn short_and_odd_files_are_read() {
        assert_eq!(look_up(IndexKind::Offsets, &[], 5), (None, 0));
        assert_eq!(look_up(IndexKind::Offsets, &[0; 7], 5), (None, 0));
        let mut content = Vec::new();
        content.extend(3_i32.to_be_bytes());
        content.extend(100_i32.to_be_bytes());
        content.push(9);
        let entry = Some(IndexEntry { key: 3, offset: 100 });
        assert_eq!(look_up(IndexKind::Offsets, &content, 5), (entry, 1));
        assert_eq!(look_up(IndexKind::Offsets, &content, 2), (None, 1));
    }
}
