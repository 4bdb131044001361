//! A batch that has passed every check, or was built here: the only kind that a log takes.

use bytes::Bytes;

use super::header::BatchHeader;

/// What a log needs to know of a batch to give it its offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchInfo {
    /// Records in the batch; at least 1.
    pub record_count: i32,
    /// `last_offset_delta`: the batch takes `last_offset_delta + 1` offsets.
    pub last_offset_delta: i32,
    /// The largest timestamp of its records, milliseconds since the epoch; -1 for none.
    pub max_timestamp_ms: i64,
    /// The broker's time, when that stands for the time of every record; else -1.
    pub log_append_time_ms: i64,
    /// Producer id; -1 for none.
    pub producer_id: i64,
    /// Producer epoch; -1 for none.
    pub producer_epoch: i16,
    /// First sequence; -1 for none.
    pub base_sequence: i32,
    /// Part of its producer's transaction.
    pub is_transactional: bool,
    /// Written by the broker for itself.
    pub is_control: bool,
    /// Bytes on disk, header included.
    pub size: u32,
}

/// Bytes of a batch's header, up to and with the record count
/// (`DefaultRecordBatch.RECORD_BATCH_OVERHEAD`).
pub const HEADER_BYTES: usize = 61;

/// A batch that may be appended. Only the check of a produced batch and the batch builder make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedBatch {
    header: [u8; HEADER_BYTES],
    records: Bytes,
    info: BatchInfo,
    is_converted: bool,
}

impl CheckedBatch {
    /// For those who have checked, or built, what they pass.
    pub(super) fn new(header: &BatchHeader, records: Bytes) -> Self {
        let info = BatchInfo {
            record_count: header.record_count,
            last_offset_delta: header.last_offset_delta,
            max_timestamp_ms: header.max_timestamp_ms,
            log_append_time_ms: header.append_time_ms().unwrap_or(-1),
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            is_transactional: header.attributes.is_transactional(),
            is_control: header.attributes.is_control(),
            size: (HEADER_BYTES + records.len()) as u32,
        };
        Self { header: header.write(), records, info, is_converted: false }
    }

    /// The same for records that were written anew.
    pub(super) fn converted(header: &BatchHeader, records: Bytes) -> Self {
        Self { is_converted: true, ..Self::new(header, records) }
    }

    /// Whether it was written anew in its topic's codec; otherwise its records are a slice of what
    /// was sent, or were built here.
    pub fn is_converted(&self) -> bool {
        self.is_converted
    }

    /// What a log needs to know.
    pub fn info(&self) -> &BatchInfo {
        &self.info
    }

    /// The batch's bytes with its place in the log written in. Both fields lie outside the CRC; the
    /// records are not copied.
    pub fn place(mut self, base_offset: i64, leader_epoch: i32) -> [Bytes; 2] {
        self.header[0..8].copy_from_slice(&base_offset.to_be_bytes());
        self.header[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
        [Bytes::copy_from_slice(&self.header), self.records]
    }
}
