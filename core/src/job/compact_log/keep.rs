//! What stays of a batch (`Cleaner.cleanInto`, `Cleaner.shouldRetainRecord`).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::context::CompactLogContext;
use super::hash::KeyHasher;
use super::key_map::KeyMap;
use super::transactions::{ControlKind, Transactions};
use crate::batch::{BatchHeader, HEADER_BYTES, OpenBatch, Record, Step, next_batch};
use crate::log::producers::LastRecord;

/// The last offset of each key, from the first dirty offset up to an end.
#[derive(Debug)]
pub(super) struct LastOffsets {
    pub(super) hasher: KeyHasher,
    pub(super) map: KeyMap,
    /// All below it is in the map, what is at or behind it stays.
    pub(super) end: i64,
}

/// What a batch becomes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it is, or written anew.
    Stays(Bytes),
    Goes,
}

/// Judges batches in the order of the log.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) last: LastOffsets,
    pub(super) transactions: Transactions,
    /// Entries of the old formats were passed over, whose keys nobody has looked at: a tombstone may yet be needed.
    pub(super) has_legacy: bool,
    /// Records without a key.
    pub(super) keyless: u64,
}

impl Keeper {
    pub(super) fn judge(
        &mut self,
        context: &CompactLogContext,
        header: &BatchHeader,
        bytes: &Bytes,
    ) -> Result<Verdict, String> {
        let is_control = header.attributes.is_control();
        let may_go = if is_control {
            let kind = ControlKind::of(header, bytes.get(HEADER_BYTES..).unwrap_or_default());
            self.transactions.take_marker(header, kind)
        } else {
            self.transactions.take_batch(header)
        };
        let is_over = header.delete_horizon_ms().is_some_and(|until| until <= context.now_ms);
        let drops_all = may_go && (!is_control || is_over && !self.has_legacy);
        // The last of all stays too: where the segments end is told by it alone.
        let is_last = header.last_offset().wrapping_add(1) == context.end;
        let stays_empty = is_last || is_last_of_producer(context, header);
        let empty = || if stays_empty { Verdict::Stays(header.emptied()) } else { Verdict::Goes };
        if drops_all || header.record_count == 0 {
            return Ok(empty());
        }
        let Step::Batch(view) = next_batch(bytes, usize::MAX) else {
            return Err("a whole batch is none".to_string());
        };
        let decompressed_max = context.limits.decompressed_bytes_max as usize;
        let fault = |fault| format!("the batch at offset {}: {fault}", header.base_offset);
        let compression = &*context.compression;
        let open = OpenBatch::open(&view, bytes, compression, decompressed_max)
            .map_err(|it| fault(it.to_string()))?;
        let mut kept = Vec::new();
        let mut has_tombstone = false;
        for record in open.records() {
            let record = record.map_err(|it| fault(it.to_string()))?;
            if is_control || self.keeps(header, &record, is_over) {
                has_tombstone |= record.value.is_none();
                kept.push(record);
            }
        }
        if kept.is_empty() {
            return Ok(empty());
        }
        let begins_to_wait =
            (has_tombstone || is_control && may_go) && header.delete_horizon_ms().is_none();
        if kept.len() == header.record_count as usize && !begins_to_wait {
            return Ok(Verdict::Stays(bytes.clone()));
        }
        let horizon_ms = if begins_to_wait {
            let retention_ms = i64::try_from(context.delete_retention_ms).unwrap_or(i64::MAX);
            Some(context.now_ms.saturating_add(retention_ms))
        } else {
            header.delete_horizon_ms()
        };
        let thinned = open.thin(&kept, horizon_ms, compression);
        thinned.map(Verdict::Stays).map_err(|it| fault(it.to_string()))
    }

    /// The last record of its key stays, a tombstone until its horizon.
    fn keeps(&mut self, header: &BatchHeader, record: &Record<'_>, is_over: bool) -> bool {
        let offset = header.base_offset.wrapping_add(i64::from(record.offset_delta));
        if offset >= self.last.end {
            return true;
        }
        let Some(key) = record.key else {
            self.keyless += 1;
            return false;
        };
        let latest = self.last.map.get(self.last.hasher.hash(key));
        let is_latest = latest.is_none_or(|latest| offset >= latest);
        is_latest && (record.value.is_some() || !is_over || self.has_legacy)
    }
}

/// Whether nothing else tells of its producer's epoch and sequence.
fn is_last_of_producer(context: &CompactLogContext, header: &BatchHeader) -> bool {
    match context.last_records.get(&header.producer_id) {
        _ if !header.has_producer_id() => false,
        None => false,
        Some(LastRecord::Data { last_offset }) => header.last_offset() == *last_offset,
        Some(LastRecord::Marker { epoch }) => {
            header.attributes.is_control() && header.producer_epoch == *epoch
        }
    }
}
