//! A batch's header as a search sees it, in any format.

use alloc::format;
use alloc::string::{String, ToString};

use crate::batch::{
    BatchHeader, BatchView, HEADER_BYTES, LOG_OVERHEAD_BYTES, Step, UP_TO_MAGIC_BYTES, next_batch,
};

/// Where a batch's offsets and its end are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Of magic 0 and 1, which do not tell, the last one.
    pub(super) base_offset: i64,
    pub(super) last_offset: i64,
    /// Bytes, header included.
    pub(super) size: u64,
    /// It has a record for each of its offsets.
    pub(super) is_dense: bool,
}

/// Why there is no head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeadFault {
    /// The bytes end before it does, and the file goes on.
    Incomplete,
    /// No batch begins here.
    Invalid(String),
}

impl Head {
    /// Reads the head of the batch that `bytes` begin with, of which the file has `left`.
    pub(super) fn read(bytes: &[u8], left: u64) -> Result<Self, HeadFault> {
        let size_max = usize::try_from(left).unwrap_or(usize::MAX);
        let incomplete = if (bytes.len() as u64) < left {
            HeadFault::Incomplete
        } else {
            HeadFault::Invalid(format!("the log ends {left} bytes into a batch's header"))
        };
        match next_batch(bytes, size_max) {
            Step::Batch(view) => Ok(Self::of(view.header())),
            Step::Legacy(entry) => Ok(Self::at(entry.last_offset, entry.size)),
            Step::BodyIncomplete { size, .. } if is_legacy(bytes) => {
                let offset = bytes.first_chunk().map(|bytes| i64::from_be_bytes(*bytes));
                offset.map(|offset| Self::at(offset, size)).ok_or(incomplete)
            }
            Step::BodyIncomplete { .. } => {
                BatchHeader::parse(bytes).map(|header| Self::of(&header)).ok_or(incomplete)
            }
            Step::HeaderIncomplete { .. } => Err(incomplete),
            Step::Invalid(fault) => Err(HeadFault::Invalid(fault.to_string())),
        }
    }

    /// True when its offsets are some, and lie in `[min, end)`.
    pub(super) fn is_within(&self, min: i64, end: i64) -> bool {
        self.base_offset >= min && self.base_offset <= self.last_offset && self.last_offset < end
    }

    fn of(header: &BatchHeader) -> Self {
        let (base_offset, last_offset) = (header.base_offset, header.last_offset());
        let is_dense = header.record_count == header.last_offset_delta.wrapping_add(1);
        Self { base_offset, last_offset, size: header.size() as u64, is_dense }
    }

    fn at(offset: i64, size: usize) -> Self {
        Self { base_offset: offset, last_offset: offset, size: size as u64, is_dense: true }
    }
}

/// Looks through `bytes`, of which the file has `left`, for a batch of magic 2 with offsets in
/// `[min, end)`. Gives how many bytes to step over, and whether one begins there; else what is left
/// of `bytes` may be the front of one.
///
/// Its CRC must be right: other bytes could look like a header. A batch that is not whole in `bytes`
/// is to be tried again at their front; one that is longer than them is taken for what its header,
/// its offsets and its count of records are.
pub(super) fn find_batch(bytes: &[u8], left: u64, min: i64, end: i64) -> (usize, bool) {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= HEADER_BYTES) {
        if could_begin(rest, min, end) {
            let size_max = usize::try_from(left - at as u64).unwrap_or(usize::MAX);
            match next_batch(rest, size_max) {
                Step::Batch(view) if is_whole(&view) => return (at, true),
                Step::BodyIncomplete { .. } => return (at, at == 0),
                _ => {}
            }
        }
        at += 1;
    }
    // At the file's end no header follows any more.
    if bytes.len() as u64 == left { (bytes.len(), true) } else { (at, false) }
}

fn could_begin(bytes: &[u8], min: i64, end: i64) -> bool {
    bytes[MAGIC_AT] == 2
        && BatchHeader::parse(bytes).is_some_and(|header| {
            let counted = 0..=i64::from(header.last_offset_delta) + 1;
            header.length >= (HEADER_BYTES - LOG_OVERHEAD_BYTES) as i32
                && header.leader_epoch >= -1
                && counted.contains(&i64::from(header.record_count))
                && Head::of(&header).is_within(min, end)
        })
}

fn is_whole(view: &BatchView<'_>) -> bool {
    view.verify_crc().is_ok()
}

fn is_legacy(bytes: &[u8]) -> bool {
    matches!(bytes.get(MAGIC_AT), Some(0 | 1))
}

/// Where the magic byte stands, in every format.
const MAGIC_AT: usize = UP_TO_MAGIC_BYTES - 1;
