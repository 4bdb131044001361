//! What a compaction needs to know, and what it hands back.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::CompactLog;
use crate::batch::Compression;
use crate::config::Limits;
use crate::effect::{FileRef, IoError, Operation, Path};
use crate::log::CleanedSegment;
use crate::log::producers::{AbortedTransaction, LastRecord};

/// What is compacted, and how.
#[derive(Debug)]
pub struct CompactLogContext {
    /// The partition's directory.
    pub directory: Path,
    /// The segments to write anew, by base offset, rising; each ends where the next one begins.
    pub segments: Vec<CompactedSegment>,
    /// The end of the last of them: nothing from there on is looked at.
    pub end: i64,
    /// Where the last compaction ended: up to there each key stands once.
    pub first_dirty: i64,
    /// Where in its segment's file to look for that offset at the earliest.
    pub first_dirty_position: u64,
    /// Aborted transactions with records in the segments, perhaps; their markers may lie behind.
    pub aborted: Vec<AbortedTransaction>,
    /// What each producer has written last.
    pub last_records: BTreeMap<i64, LastRecord>,
    /// The time that delete horizons are counted from, and compared with; milliseconds since the epoch.
    pub now_ms: i64,
    /// `delete.retention.ms`.
    pub delete_retention_ms: u64,
    /// `segment.bytes`: segments are joined up to this size.
    pub segment_bytes: u32,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// For the hashes of keys.
    pub secret: [u64; 2],
    /// What the map of keys may take, in bytes.
    pub map_bytes_max: usize,
    /// How much of that may be filled, in millionths.
    pub map_load_ppm: u32,
    /// Bytes read at once.
    pub piece_bytes: u32,
    /// Bytes read and written before the job gives its worker back.
    pub slice_bytes: u64,
    /// For compressed batches.
    pub compression: Arc<dyn Compression>,
    /// Bounds of batches.
    pub limits: Limits,
}

/// A finished segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactedSegment {
    /// The offset in its name.
    pub base_offset: i64,
    /// Its `.log` file.
    pub file: FileRef,
    /// Bytes of it.
    pub size: u64,
}

/// How far a compaction has come when its job ends.
#[derive(Debug)]
pub enum CompactionStep {
    /// It is to be gone on with.
    Paused(PausedCompaction),
    /// Segments are written that are to take the place of others before it goes on.
    Cleaned(PausedCompaction, CleanedGroup),
    /// All is done.
    Done(CompactionReport),
    /// The log cannot be compacted: what is wrong with it.
    Refused(String),
    /// The disk failed.
    Failed(IoError),
}

/// A compaction between two jobs.
#[derive(Debug)]
pub struct PausedCompaction {
    pub(super) job: Box<CompactLog>,
    /// Bytes that the last job has read and written.
    pub io_bytes: u64,
}

impl PausedCompaction {
    /// Gives it up: what takes away that it has begun to write.
    pub fn discard(self) -> Vec<Operation> {
        self.job.discard()
    }
}

/// Segments that are whole and durable under other names (`.cleaned`).
#[derive(Debug, PartialEq, Eq)]
pub struct CleanedGroup {
    /// The base offset of the first segment that they replace.
    pub from: i64,
    /// The end of the last one.
    pub to: i64,
    /// By base offset, rising.
    pub segments: Vec<CleanedSegment>,
}

/// What a compaction came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionReport {
    /// Below it each key stands once.
    pub end: i64,
    /// Bytes of the segments before.
    pub bytes_before: u64,
    /// Bytes of those in their place.
    pub bytes_after: u64,
    /// Bytes that the last job has read and written.
    pub io_bytes: u64,
    /// Records without a key, which are dropped.
    pub keyless: u64,
}
