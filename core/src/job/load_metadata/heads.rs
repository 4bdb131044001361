//! The first batch of each snapshot, which says how old it is (`Snapshots.lastContainedLogTimestamp`).

use bytes::Bytes;

use super::replay::control_record;
use crate::batch::{Step, next_batch};
use crate::records::ControlRecord;

/// Bytes read of a file: the header, and the quorum's records of some ten voters.
pub(super) const HEAD_BYTES: u32 = 4 << 10;
/// Files that one effect reads.
pub(super) const HEADS_MAX: usize = 64;

/// When the last record that the snapshot covers was appended; `None` when it has no whole header.
pub(super) fn appended_ms(head: &Bytes) -> Option<i64> {
    let Step::Batch(batch) = next_batch(head, HEAD_BYTES as usize) else { return None };
    batch.verify_crc().ok()?;
    let first = batch.records()?.next()?.ok()?;
    match control_record(&first, head).ok()? {
        ControlRecord::SnapshotHeader(header) if batch.header().attributes.is_control() => {
            Some(header.last_contained_log_timestamp)
        }
        _ => None,
    }
}
