//! Reads a file of batches from front to back, in pieces.

use bytes::Bytes;

use super::held;
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
        // What the file cannot hold is not asked for: a damaged length reserves nothing.
        let rest = usize::try_from(self.rest()).unwrap_or(usize::MAX);
        let fault = match next_batch(&self.held, self.size_max.min(rest)) {
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
    pub(super) fn fill(&mut self, data: &Bytes) {
        let end = self.position + self.held.len() as u64 + data.len() as u64;
        self.is_read = data.is_empty() || end >= self.length;
        held::append(&mut self.held, data);
    }

    fn rest(&self) -> u64 {
        self.length.saturating_sub(self.position)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{BatchFile, FileFault, Found};
    use crate::batch::{BatchBuilder, BatchFault};
    use crate::effect::{FileRef, Operation, Path};
    use crate::ids::{FileId, JobId};

    fn file(content: &[u8], size_max: u32) -> BatchFile {
        let file = FileRef { id: FileId { owner: JobId(1), number: 1 }, path: Path::new("/f") };
        let mut file = BatchFile::new(file, content.len() as u64, 100, size_max);
        assert!(matches!(file.next(), Found::Missing { .. }));
        file.fill(&content[..content.len().min(100)].to_vec().into());
        file
    }

    fn batch(declared: usize) -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        builder.append(0, None, Some(&[7; 300]));
        let mut bytes = builder.encode(0, 1);
        bytes[8..12].copy_from_slice(&(declared as i32 - 12).to_be_bytes());
        bytes
    }

    #[test]
    fn no_more_is_read_than_the_file_has() {
        let length = batch(100).len();
        let mut whole = file(&batch(length), 1 << 30);
        let Found::Missing { bytes } = whole.next() else { panic!("it is read on") };
        assert_eq!(bytes, length - 100);
        assert!(matches!(whole.read(bytes), Operation::Read { length: 100.., .. }));

        let mut torn = file(&batch(1 << 29), 1 << 30);
        let missing = (1 << 29) - length as u64;
        let fault = FileFault::Torn { missing };
        assert_eq!(torn.next(), Found::Invalid { position: 0, fault });
    }

    #[test]
    fn what_is_there_and_above_the_limit_is_no_torn_end() {
        let length = batch(100).len();
        let fault = BatchFault::TooLarge { size: length, size_max: 200 }.into();
        assert_eq!(file(&batch(length), 200).next(), Found::Invalid { position: 0, fault });
    }
}
