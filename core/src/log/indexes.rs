//! What the index files of a segment hold, as appends and recovery's walk make it.
//!
//! `.index` has 8 bytes an entry, a batch's last offset and its position; `.timeindex` has 12, the
//! largest timestamp so far and the last offset of its batch. All numbers are big-endian and signed,
//! offsets are relative to the segment's base offset. Neither file has a checksum.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::config::LogConfig;
use super::offset_index::{OffsetEntry, OffsetIndex};
use crate::config::limits::INDEX_UNWRITTEN_BYTES_MAX;
use crate::effect::{FileRef, Operation};

/// Bytes of an entry of `.index`.
pub const OFFSET_ENTRY_BYTES: usize = 8;
/// Bytes of an entry of `.timeindex`.
pub const TIME_ENTRY_BYTES: usize = 12;

/// The largest timestamp of a segment and the last offset of the first batch that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxTimestamp {
    /// Milliseconds since the epoch; -1 for none.
    pub timestamp_ms: i64,
    /// -1 for none.
    pub offset: i64,
}

impl MaxTimestamp {
    /// No batch has a timestamp.
    pub const NONE: Self = Self { timestamp_ms: -1, offset: -1 };
}

/// What the indexes note of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedBatch {
    /// Its first byte, from the start of the segment's file.
    pub position: u64,
    /// Bytes, header included.
    pub size: u32,
    /// The offset of its last record.
    pub last_offset: i64,
    /// Milliseconds since the epoch; -1 for none.
    pub max_timestamp_ms: i64,
}

/// Both indexes of one segment.
///
/// A segment that is appended to keeps the entries that its files do not have yet; a finished one
/// keeps a thinned offset index and its largest timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexes {
    base_offset: i64,
    offsets: OffsetIndex,
    max_timestamp: MaxTimestamp,
    open: Option<Box<OpenIndexes>>,
}

/// The entries of a segment that is appended to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OpenIndexes {
    bytes_since_entry: u64,
    last_offset_entry: Option<OffsetEntry>,
    last_time_entry: Option<TimeEntry>,
    files: IndexFiles,
}

/// An entry of a time index (`TimeIndex`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeEntry {
    pub(super) timestamp_ms: i64,
    /// Less the segment's base offset.
    pub(super) relative_offset: i32,
}

/// Both index files of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexFiles {
    /// `.index`.
    pub offsets: EntryFile,
    /// `.timeindex`.
    pub times: EntryFile,
}

/// An index file: what it holds, and what is to be appended to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFile {
    /// Bytes of entries that the file on disk has, or is about to have.
    pub on_disk: u64,
    /// The entries behind them, as they are to stand in the file.
    pub rest: Vec<u8>,
    /// The file is there, if only without an entry.
    pub exists: bool,
}

impl EntryFile {
    /// Bytes in all.
    pub fn length(&self) -> u64 {
        self.on_disk + self.rest.len() as u64
    }

    /// Appends what the file lacks, and makes it durable. An old file of that name goes. The handle is
    /// given back: each log would otherwise hold two more open until its segment is finished.
    pub(super) fn write_out(&mut self, file: impl FnOnce() -> FileRef) -> Vec<Operation> {
        if self.exists && self.rest.is_empty() {
            return Vec::new();
        }
        let file = file();
        let mut operations = Vec::new();
        if !self.exists {
            operations.push(Operation::Create(file.clone()));
        }
        let position = self.on_disk;
        self.on_disk = self.length();
        self.exists = true;
        if !self.rest.is_empty() {
            let data = vec![core::mem::take(&mut self.rest).into()];
            operations.push(Operation::Write { file: file.clone(), position, data });
        }
        operations.push(Operation::Sync(file.clone()));
        operations.push(Operation::Close(file));
        operations
    }
}

/// Why a file is no index of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexFault {
    /// Entries are never cut.
    #[error("{length} bytes are no whole entries")]
    Length {
        /// Of the file, or the piece.
        length: u64,
    },
    /// Offsets, positions and timestamps rise.
    #[error("entry {entry} is not above the one before it")]
    Order {
        /// Counted from 0.
        entry: u64,
    },
    /// The segment has no such offset, or is shorter.
    #[error(
        "entry {entry} is offset {relative_offset} of the segment at {position}, beyond its end"
    )]
    Beyond {
        /// Counted from 0.
        entry: u64,
        /// As it stands.
        relative_offset: u32,
        /// As it stands.
        position: u32,
    },
}

impl Indexes {
    /// No batch is noted yet.
    pub fn new(base_offset: i64) -> Self {
        Self {
            base_offset,
            offsets: OffsetIndex::default(),
            max_timestamp: MaxTimestamp::NONE,
            open: Some(Box::default()),
        }
    }

    /// Notes the batch behind all others (`LogSegment.append`): its entries come before its bytes
    /// are counted, and only when enough bytes have gone by since the last ones.
    pub fn note(&mut self, batch: &IndexedBatch, interval_bytes: u32) {
        let Some(open) = &mut self.open else { return };
        if batch.max_timestamp_ms > self.max_timestamp.timestamp_ms {
            self.max_timestamp =
                MaxTimestamp { timestamp_ms: batch.max_timestamp_ms, offset: batch.last_offset };
        }
        if open.bytes_since_entry > u64::from(interval_bytes) {
            if let Some(entry) = offset_entry(batch, self.base_offset) {
                open.push_offset(entry);
                self.offsets.push(entry);
            }
            open.push_time(self.max_timestamp, self.base_offset);
            open.bytes_since_entry = 0;
        }
        open.bytes_since_entry += u64::from(batch.size);
    }

    /// Takes the next part of an `.index` file, whole entries (or none, of an empty file), for a segment of `size` bytes.
    pub fn load_offsets(&mut self, part: &[u8], size: u64) -> Result<(), IndexFault> {
        let (entries, []) = part.as_chunks::<OFFSET_ENTRY_BYTES>() else {
            return Err(IndexFault::Length { length: part.len() as u64 });
        };
        let Some(open) = &mut self.open else { return Ok(()) };
        open.files.offsets.exists = true;
        for &[o0, o1, o2, o3, p0, p1, p2, p3] in entries {
            let entry = OffsetEntry {
                relative_offset: u32::from_be_bytes([o0, o1, o2, o3]),
                position: u32::from_be_bytes([p0, p1, p2, p3]),
            };
            let number = open.files.offsets.on_disk / OFFSET_ENTRY_BYTES as u64;
            let rises = open.last_offset_entry.is_none_or(|last| {
                last.relative_offset < entry.relative_offset && last.position < entry.position
            });
            if !rises {
                return Err(IndexFault::Order { entry: number });
            }
            let OffsetEntry { relative_offset, position } = entry;
            if relative_offset > i32::MAX as u32 || u64::from(position) >= size {
                return Err(IndexFault::Beyond { entry: number, relative_offset, position });
            }
            open.last_offset_entry = Some(entry);
            open.files.offsets.on_disk += OFFSET_ENTRY_BYTES as u64;
            self.offsets.push(entry);
        }
        Ok(())
    }

    /// Takes the next part of a `.timeindex` file, whole entries. Its last entry has the segment's
    /// largest timestamp when the segment was closed in good order.
    pub fn load_times(&mut self, part: &[u8]) -> Result<(), IndexFault> {
        let (entries, []) = part.as_chunks::<TIME_ENTRY_BYTES>() else {
            return Err(IndexFault::Length { length: part.len() as u64 });
        };
        let Some(open) = &mut self.open else { return Ok(()) };
        open.files.times.exists = true;
        for entry in entries {
            let entry = TimeEntry::parse(entry);
            let number = open.files.times.on_disk / TIME_ENTRY_BYTES as u64;
            let last = open.last_time_entry.replace(entry);
            let rises = last.is_none_or(|last| {
                last.timestamp_ms < entry.timestamp_ms
                    && last.relative_offset <= entry.relative_offset
            });
            if !rises || entry.timestamp_ms < 0 || entry.relative_offset < 0 {
                return Err(IndexFault::Order { entry: number });
            }
            open.files.times.on_disk += TIME_ENTRY_BYTES as u64;
            self.max_timestamp = MaxTimestamp {
                timestamp_ms: entry.timestamp_ms,
                offset: self.base_offset + i64::from(entry.relative_offset),
            };
        }
        Ok(())
    }

    /// Takes the last entry of a `.timeindex` file of `length` bytes for the whole of it: enough for
    /// the largest timestamp, and to append to the file.
    pub fn load_last_time(&mut self, length: u64, entry: &[u8]) -> Result<(), IndexFault> {
        if !length.is_multiple_of(TIME_ENTRY_BYTES as u64) {
            return Err(IndexFault::Length { length });
        }
        self.load_times(entry)?;
        if let Some(open) = &mut self.open {
            open.files.times.on_disk = length;
        }
        Ok(())
    }

    /// Every entry stands in the files: what was rebuilt has been written.
    pub fn mark_written(&mut self) {
        let Some(open) = &mut self.open else { return };
        for file in [&mut open.files.offsets, &mut open.files.times] {
            file.on_disk = file.length();
            file.rest = Vec::new();
            file.exists = true;
        }
    }

    /// Adds the last entry of the time index, which has the largest timestamp, as a roll and a close
    /// do (`LogSegment.onBecomeInactiveSegment`); the files as they are to stand.
    pub fn complete(&mut self) -> Option<&mut IndexFiles> {
        let open = self.open.as_mut()?;
        open.push_time(self.max_timestamp, self.base_offset);
        Some(&mut open.files)
    }

    /// The same, and no batch comes any more: only what look-ups need stays.
    pub fn finish(&mut self) -> Option<IndexFiles> {
        self.complete()?;
        self.offsets.shrink();
        Some(self.open.take()?.files)
    }

    /// The largest timestamp.
    pub fn max_timestamp(&self) -> MaxTimestamp {
        self.max_timestamp
    }

    /// The last entry of `.index`, while batches may still come.
    pub fn last_offset_entry(&self) -> Option<OffsetEntry> {
        self.open.as_ref()?.last_offset_entry
    }

    /// Batches to start a search at.
    pub fn offsets(&self) -> &OffsetIndex {
        &self.offsets
    }

    /// The files, when they lack so much that it should not stay in memory.
    pub(super) fn overfull(&mut self) -> Option<&mut IndexFiles> {
        let files = &mut self.open.as_mut()?.files;
        let unwritten = files.offsets.rest.len() + files.times.rest.len();
        (unwritten >= INDEX_UNWRITTEN_BYTES_MAX).then_some(files)
    }

    /// The entries that `.timeindex` does not have yet, as they are to stand in it.
    pub(super) fn unwritten_times(&self) -> &[u8] {
        self.open.as_ref().map_or(&[], |open| &open.files.times.rest)
    }

    /// That of the segment.
    pub(super) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// Whether one of the files has no room for another entry. The time index keeps room for its last
    /// (`TimeIndex.isFull`).
    pub(super) fn is_full(&self, config: &LogConfig) -> bool {
        let Some(open) = &self.open else { return false };
        let limit = u64::from(config.segment_index_bytes);
        let (offset_bytes, time_bytes) = (OFFSET_ENTRY_BYTES as u64, TIME_ENTRY_BYTES as u64);
        open.files.offsets.length() + offset_bytes > limit
            || open.files.times.length() + 2 * time_bytes > limit
    }
}

impl OpenIndexes {
    fn push_offset(&mut self, entry: OffsetEntry) {
        self.last_offset_entry = Some(entry);
        self.files.offsets.rest.extend_from_slice(&entry.relative_offset.to_be_bytes());
        self.files.offsets.rest.extend_from_slice(&entry.position.to_be_bytes());
    }

    /// Only when the largest timestamp has become larger (`TimeIndex.maybeAppend`).
    fn push_time(&mut self, max: MaxTimestamp, base_offset: i64) {
        let last_ms = self.last_time_entry.map_or(-1, |last| last.timestamp_ms);
        let Ok(relative_offset) = i32::try_from(max.offset - base_offset) else { return };
        if max.timestamp_ms <= last_ms {
            return;
        }
        self.last_time_entry = Some(TimeEntry { timestamp_ms: max.timestamp_ms, relative_offset });
        self.files.times.rest.extend_from_slice(&max.timestamp_ms.to_be_bytes());
        self.files.times.rest.extend_from_slice(&relative_offset.to_be_bytes());
    }
}

impl TimeEntry {
    pub(super) fn parse(bytes: &[u8; TIME_ENTRY_BYTES]) -> Self {
        let [t0, t1, t2, t3, t4, t5, t6, t7, o0, o1, o2, o3] = *bytes;
        Self {
            timestamp_ms: i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            relative_offset: i32::from_be_bytes([o0, o1, o2, o3]),
        }
    }
}

/// `None` for a batch that lies too far for an entry: only an old, oversized file has one.
fn offset_entry(batch: &IndexedBatch, base_offset: i64) -> Option<OffsetEntry> {
    let relative_offset = i32::try_from(batch.last_offset - base_offset).ok()?;
    let position = i32::try_from(batch.position).ok()?;
    Some(OffsetEntry {
        relative_offset: u32::try_from(relative_offset).ok()?,
        position: u32::try_from(position).ok()?,
    })
}
