//! Places in a log, and what a look-up gives.

use super::search::Search;
use crate::ids::FileId;

/// A place between two batches.
///
/// The end of one segment and the start of the next are one offset and two places; whoever compares
/// takes either for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The offset of the batch behind it.
    pub offset: i64,
    /// The base offset of the segment.
    pub segment: i64,
    /// Bytes from the start of the segment's file.
    pub position: u64,
}

impl Place {
    /// The place before `batch`, for a reader that stops at `offset`.
    pub fn before(batch: &Located, offset: i64) -> Self {
        Self { offset, segment: batch.segment, position: batch.position }
    }
}

/// Where a batch lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    /// The base offset of its segment.
    pub segment: i64,
    /// The segment's file: compaction puts another one in its place.
    pub file: FileId,
    /// Its first byte, from the start of that file.
    pub position: u64,
    /// The offset of its first record; of its last one in the formats of magic 0 and 1, which do not
    /// tell.
    pub base_offset: i64,
    /// The offset of its last record.
    pub last_offset: i64,
    /// Bytes, header included.
    pub batch_bytes: u32,
}

/// Where the batch lies that holds an offset, or the next one where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Known without a read.
    Found(Located),
    /// At or beyond the end that was asked for.
    End,
    /// To be found by reading.
    Search(Search),
}
