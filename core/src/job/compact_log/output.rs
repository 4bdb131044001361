//! A segment that is written under another name (`.cleaned`), with its index files.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::effect::{FileRef, Operation, Path};
use crate::ids::Numbering;
use crate::log::producers::{AbortedTransaction, format_transaction_index};
use crate::log::{CleanedSegment, FileSuffix, IndexedBatch, Indexes, file_name};

/// Bytes after which what was written is synced: so the disk has it piece by piece, and the last sync, which
/// others wait behind, is short.
const SYNC_BYTES: u64 = 16 << 20;

/// A segment in the making.
#[derive(Debug)]
pub(super) struct Output {
    directory: Path,
    base_offset: i64,
    file: FileRef,
    indexes: Indexes,
    /// What is not written yet.
    buffer: Vec<Bytes>,
    buffered: u64,
    /// Where that goes.
    position: u64,
    unsynced: u64,
    is_created: bool,
    first_timestamp_ms: i64,
    /// Of the last batch; before the first, one less than the base offset.
    last_offset: i64,
}

/// What is noted of a batch that stays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) last_offset: i64,
    /// -1 for none.
    pub(super) max_timestamp_ms: i64,
}

impl Output {
    pub(super) fn new(directory: &Path, base_offset: i64, numbering: &mut Numbering) -> Self {
        let file = cleaned(directory, base_offset, FileSuffix::Log, numbering);
        Self {
            directory: directory.clone(),
            base_offset,
            file,
            indexes: Indexes::new(base_offset),
            buffer: Vec::new(),
            buffered: 0,
            position: 0,
            unsynced: 0,
            is_created: false,
            first_timestamp_ms: -1,
            last_offset: base_offset - 1,
        }
    }

    /// Whether `bytes` more, up to an offset, find their place in Kafka's indexes, which are 32 bits wide and signed.
    pub(super) fn has_room(&self, bytes: usize, last_offset: i64) -> bool {
        let size = self.size() + bytes as u64;
        size == bytes as u64
            || i32::try_from(size).is_ok() && last_offset - self.base_offset <= i64::from(i32::MAX)
    }

    /// Behind its last batch.
    pub(super) fn next_offset(&self) -> i64 {
        self.last_offset + 1
    }

    /// Bytes that wait to be written.
    pub(super) fn buffered(&self) -> u64 {
        self.buffered
    }

    /// Bytes in all.
    pub(super) fn size(&self) -> u64 {
        self.position + self.buffered
    }

    /// Takes a batch at its end.
    pub(super) fn append(&mut self, batch: Bytes, kept: Kept, index_interval_bytes: u32) {
        if self.size() == 0 {
            self.first_timestamp_ms = kept.max_timestamp_ms;
        }
        let noted = IndexedBatch {
            position: self.size(),
            size: batch.len() as u32,
            last_offset: kept.last_offset,
            max_timestamp_ms: kept.max_timestamp_ms,
        };
        self.indexes.note(&noted, index_interval_bytes);
        self.last_offset = kept.last_offset;
        self.buffered += batch.len() as u64;
        self.buffer.push(batch);
    }

    /// Writes what waits.
    pub(super) fn write(&mut self) -> Vec<Operation> {
        let mut operations = Vec::new();
        if !self.is_created {
            self.is_created = true;
            operations.push(Operation::Create(self.file.clone()));
        }
        if self.buffered > 0 {
            let data = joined(core::mem::take(&mut self.buffer), self.buffered);
            let (file, position) = (self.file.clone(), self.position);
            operations.push(Operation::Write { file, position, data: vec![data] });
            self.position += self.buffered;
            self.unsynced += self.buffered;
            self.buffered = 0;
        }
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            operations.push(Operation::Sync(self.file.clone()));
        }
        operations
    }

    /// Writes what is left and the index files, and makes all of it durable.
    pub(super) fn finish(
        mut self,
        aborted: Vec<AbortedTransaction>,
        numbering: &mut Numbering,
    ) -> (CleanedSegment, Vec<Operation>) {
        let mut operations = self.write();
        operations.push(Operation::Sync(self.file.clone()));
        operations.push(Operation::Close(self.file.clone()));
        let files = self.indexes.finish().unwrap_or_default();
        let mut written = vec![
            (FileSuffix::Index, files.offsets.rest),
            (FileSuffix::TimeIndex, files.times.rest),
        ];
        if !aborted.is_empty() {
            written.push((FileSuffix::TransactionIndex, format_transaction_index(&aborted)));
        }
        for (suffix, content) in written {
            let file = cleaned(&self.directory, self.base_offset, suffix, numbering);
            operations.push(Operation::Create(file.clone()));
            if !content.is_empty() {
                let (file, data) = (file.clone(), vec![content.into()]);
                operations.push(Operation::Write { file, position: 0, data });
            }
            operations.extend([Operation::Sync(file.clone()), Operation::Close(file)]);
        }
        operations.push(Operation::SyncDirectory(self.directory.clone()));
        let segment = CleanedSegment {
            base_offset: self.base_offset,
            size: self.position,
            indexes: self.indexes,
            first_timestamp_ms: self.first_timestamp_ms,
            aborted,
        };
        (segment, operations)
    }

    /// Takes away what of it is there.
    pub(super) fn discard(&self) -> Vec<Operation> {
        if !self.is_created {
            return Vec::new();
        }
        vec![Operation::Close(self.file.clone()), Operation::Unlink(self.file.path.clone())]
    }
}

/// The name of a file that is being written (`LogFileUtils.CLEANED_FILE_SUFFIX`).
fn cleaned(
    directory: &Path,
    base_offset: i64,
    suffix: FileSuffix,
    numbering: &mut Numbering,
) -> FileRef {
    let name = format!("{}.cleaned", file_name(base_offset, suffix));
    FileRef { id: numbering.file(), path: directory.join(&name) }
}

/// One piece of many: a write takes few.
fn joined(pieces: Vec<Bytes>, bytes: u64) -> Bytes {
    let mut all = Vec::with_capacity(bytes as usize);
    for piece in &pieces {
        all.extend_from_slice(piece);
    }
    Bytes::from(all)
}
