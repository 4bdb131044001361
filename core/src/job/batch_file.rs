//! Reads a file of batches from front to back, in pieces.

use bytes::{Bytes, BytesMut};

use crate::batch::{BatchFault, Step, next_batch};
use crate::effect::{FileRef, Operation};

/// A file being read: what of it is held, and how far it has been taken.
#[derive(Debug)]
pub(super) struct BatchFile {
    file: FileRef,
    /// As it was listed: the file does not change under a job.
    length: u64,
    piece_bytes: u32,
    size_max: usize,
    /// Of the first byte held.
    position: u64,
    held: Bytes,
    is_read: bool,
}

/// What the file has next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole batch of magic 2 whose CRC is right.
    Batch {
        /// In the file.
        position: u64,
        /// All its bytes.
        bytes: Bytes,
    },
    /// More must be read first: carry [`BatchFile::read`] out and hand its bytes to
    /// [`BatchFile::fill`].
    Missing {
        /// At least so many bytes.
        bytes: usize,
    },
    /// The file ends here, behind a whole batch.
    End,
    /// No valid batch begins here.
    Invalid {
        /// In the file.
        position: u64,
        /// What is wrong.
        fault: FileFault,
    },
}

/// Why no valid batch begins at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FileFault {
    /// The bytes are none.
    #[error(transparent)]
    Batch(#[from] BatchFault),
    /// The batch is of an old message format, which this file cannot have.
    #[error("a batch of magic {0}")]
    Legacy(i8),
    /// The file ends inside it.
    #[error("the file ends {missing} bytes too early")]
    Torn {
        /// At least so many bytes.
        missing: u64,
    },
}

impl BatchFile {
    /// At the front of `file`, which is `length` bytes long. A piece is longer than `piece_bytes`
    /// only for a batch that is; one above `size_max` is not read.
    pub(super) fn new(file: FileRef, length: u64, piece_bytes: u32, size_max: u32) -> Self {
        let held = Bytes::new();
        let size_max = size_max as usize;
        Self { file, length, piece_bytes, size_max, position: 0, held, is_read: false }
    }

    /// The file.
    pub(super) fn file(&self) -> &FileRef {
        &self.file
    }

    /// The next batch, or why there is none yet.
    pub(super) fn next(&mut self) -> Found {
        let position = self.position;
        let fault = match next_batch(&self.held, self.size_max) {
            Step::Batch(batch) => match batch.verify_crc() {
                Ok(()) => {
                    let bytes = self.held.split_to(batch.size());
                    self.position += bytes.len() as u64;
                    return Found::Batch { position, bytes };
                }
                Err(fault) => fault.into(),
            },
            Step::HeaderIncomplete { .. } if self.held.is_empty() && self.is_read => {
                return Found::End;
            }
            Step::HeaderIncomplete { missing } | Step::BodyIncomplete { missing, .. } => {
                if !self.is_read {
                    return Found::Missing { bytes: missing };
                }
                FileFault::Torn { missing: missing as u64 }
            }
            Step::Invalid(BatchFault::TooLarge { size, .. }) if self.rest() < size as u64 => {
                FileFault::Torn { missing: size as u64 - self.rest() }
            }
            Step::Invalid(fault) => fault.into(),
            Step::Legacy(entry) => FileFault::Legacy(entry.magic),
        };
        Found::Invalid { position, fault }
    }

    /// Reads on, by `missing` bytes at least.
    pub(super) fn read(&self, missing: usize) -> Operation {
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        Operation::Read {
            file: self.file.clone(),
            position: self.position + self.held.len() as u64,
            length: self.piece_bytes.max(missing),
        }
    }

    /// What [`read`](Self::read) gave; nothing at the file's end.
    pub(super) fn fill(&mut self, data: Bytes) {
        let end = self.position + self.held.len() as u64 + data.len() as u64;
        self.is_read = data.is_empty() || end >= self.length;
        if self.held.is_empty() {
            self.held = data;
            return;
        }
        let mut joined = BytesMut::with_capacity(self.held.len() + data.len());
        joined.extend_from_slice(&self.held);
        joined.extend_from_slice(&data);
        self.held = joined.freeze();
    }

    fn rest(&self) -> u64 {
        self.length.saturating_sub(self.position)
    }
}
