//! Reads a segment of a live log batch by batch, in pieces, and nothing behind the bytes that it may look at.

use alloc::format;
use alloc::string::{String, ToString};

use bytes::Bytes;

use super::held;
use crate::batch::{BatchHeader, LegacyEntry, Step, next_batch};
use crate::effect::{FileRef, Operation};

/// A segment being read.
#[derive(Debug)]
pub(super) struct SegmentReader {
    file: FileRef,
    /// Bytes of it that may be looked at.
    size: u64,
    /// Of the first byte held.
    position: u64,
    held: Bytes,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// A whole batch whose CRC is right.
    Batch(BatchHeader, Bytes),
    /// A whole entry of the old formats.
    Legacy(LegacyEntry, Bytes),
    /// At least so many bytes must be read first.
    Missing(usize),
    /// Nothing is left.
    End,
    /// No valid batch begins here.
    Invalid(String),
}

impl SegmentReader {
    /// From `position` on, where a batch begins.
    pub(super) fn new(file: FileRef, size: u64, position: u64) -> Self {
        Self { file, size, position, held: Bytes::new() }
    }

    /// Takes the next batch.
    pub(super) fn next(&mut self, batch_bytes_max: usize) -> Next {
        let left = self.size - self.position;
        if left == 0 {
            return Next::End;
        }
        let size_max = usize::try_from(left).unwrap_or(usize::MAX).min(batch_bytes_max);
        let fault = match next_batch(&self.held, size_max) {
            Step::Batch(view) => match view.verify_crc() {
                Ok(()) => {
                    let (header, size) = (*view.header(), view.size());
                    return Next::Batch(header, self.take(size));
                }
                Err(fault) => fault.to_string(),
            },
            Step::Legacy(entry) => return Next::Legacy(entry, self.take(entry.size)),
            Step::HeaderIncomplete { .. } if self.held.len() as u64 >= left => {
                format!("the segment ends {left} bytes into a batch's header")
            }
            Step::HeaderIncomplete { missing } | Step::BodyIncomplete { missing, .. } => {
                return Next::Missing(missing);
            }
            Step::Invalid(fault) => fault.to_string(),
        };
        let (file, position) = (&self.file.path, self.position);
        Next::Invalid(format!("{file}: damage at position {position}: {fault}"))
    }

    /// Reads on, by at least `missing` bytes.
    pub(super) fn read(&self, missing: usize, piece_bytes: u32) -> Operation {
        let position = self.position + self.held.len() as u64;
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let length = u64::from(piece_bytes.max(missing)).min(self.size - position) as u32;
        Operation::Read { file: self.file.clone(), position, length }
    }

    /// Takes what [`read`](Self::read) gave. False when the file is shorter than it was.
    pub(super) fn fill(&mut self, data: &Bytes) -> bool {
        if data.is_empty() {
            return false;
        }
        held::append(&mut self.held, data);
        true
    }

    /// Where it stands, for whoever tells of a fault there.
    pub(super) fn place(&self) -> String {
        format!("{} before position {}", self.file.path, self.position)
    }

    fn take(&mut self, size: usize) -> Bytes {
        self.position += size as u64;
        self.held.split_to(size)
    }
}
