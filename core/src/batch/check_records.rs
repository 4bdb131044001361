//! The check of a produced batch's records, compressed or not (`LogValidator`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use bytes::Bytes;

use super::check::{Fault, ProduceRules};
use super::compression::{Codec, Compression, CompressionError};
use super::header::BatchHeader;
use super::records::{Cursor, RecordFault, read_record};
use super::stream::{PassedRecord, RecordStream, StreamFault};
use crate::error_code::ErrorCode;
use crate::time::Now;

/// Record errors that the partition's own message repeats.
const ERRORS_IN_MESSAGE: usize = 3;

/// Decodes every record and judges it; the largest timestamp found, -1 for none.
///
/// What cannot be decoded is told before what is not allowed.
pub(super) fn check_records(
    header: &BatchHeader,
    body: &Bytes,
    rules: &ProduceRules<'_>,
    compression: &dyn Compression,
    now: Now,
) -> Result<i64, Fault> {
    let mut judge = Judge::new(header, rules, now);
    match header.attributes.codec() {
        Ok(None) => judge_plain(&mut judge, body)?,
        Ok(Some(codec)) => judge_compressed(&mut judge, codec, body, compression)?,
        Err(_) => return Err(Fault::in_log(ErrorCode::UNKNOWN_SERVER_ERROR)),
    }
    judge.verdict()
}

fn judge_plain(judge: &mut Judge<'_>, body: &[u8]) -> Result<(), Fault> {
    let mut rest = Cursor::new(body);
    for _ in 0..judge.header.record_count {
        let record = read_record(&mut rest).map_err(plain_fault)?;
        judge.hear(PassedRecord {
            timestamp_delta: record.timestamp_delta,
            offset_delta: record.offset_delta,
            key_bytes: record.key.map(<[u8]>::len),
            value_bytes: record.value.map(<[u8]>::len),
        });
    }
    if rest.is_empty() { Ok(()) } else { Err(Fault::in_log(ErrorCode::INVALID_RECORD)) }
}

fn judge_compressed(
    judge: &mut Judge<'_>,
    codec: Codec,
    body: &Bytes,
    compression: &dyn Compression,
) -> Result<(), Fault> {
    let bytes_max = judge.rules.decompressed_bytes_max;
    let fault_of = |fault| stream_fault(fault, bytes_max);
    let decompressed = compression
        .decompress(codec, body.clone())
        .map_err(|fault| fault_of(StreamFault::Compression(fault)))?;
    let mut stream = RecordStream::new(decompressed, bytes_max);
    for _ in 0..judge.header.record_count {
        judge.hear(stream.next_record().map_err(fault_of)?);
    }
    stream.finish().map_err(fault_of)
}

fn plain_fault(fault: RecordFault) -> Fault {
    match fault {
        RecordFault::OverlongSize => Fault::in_log(ErrorCode::UNKNOWN_SERVER_ERROR),
        _ => Fault::in_log(ErrorCode::INVALID_RECORD),
    }
}

pub(super) fn stream_fault(fault: StreamFault, bytes_max: u64) -> Fault {
    match fault {
        StreamFault::Record(_) => Fault::in_log(ErrorCode::INVALID_RECORD),
        StreamFault::Compression(CompressionError::TooLarge(reason)) => Fault::too_large(reason),
        StreamFault::Compression(_) => Fault::in_log(ErrorCode::UNKNOWN_SERVER_ERROR),
        StreamFault::AllowanceSpent => {
            Fault::too_large(format!("The batch decompresses to more than {bytes_max} bytes"))
        }
    }
}

/// Hears record after record and remembers what is wrong with them.
struct Judge<'a> {
    header: &'a BatchHeader,
    rules: &'a ProduceRules<'a>,
    now_ms: i64,
    /// Compressed, and stored as it came: Kafka does not look into keys and values then.
    stays_compressed: bool,
    /// Set when the header's maximum stands for every record.
    append_time_ms: Option<i64>,
    index: i32,
    max_timestamp_ms: i64,
    offsets_ascend: bool,
    bad_times: bool,
    bad_records: usize,
    errors: Vec<(i32, Option<String>)>,
}

impl<'a> Judge<'a> {
    fn new(header: &'a BatchHeader, rules: &'a ProduceRules<'a>, now: Now) -> Self {
        let append_time_ms = header.append_time_ms();
        Self {
            header,
            rules,
            now_ms: now.wall_ms,
            stays_compressed: matches!(
                header.attributes.codec(),
                Ok(Some(sent)) if rules.config.compression.target(Some(sent)) == Some(sent)
            ),
            append_time_ms,
            index: 0,
            max_timestamp_ms: -1,
            offsets_ascend: true,
            bad_times: false,
            bad_records: 0,
            errors: Vec::new(),
        }
    }

    fn hear(&mut self, record: PassedRecord) {
        let timestamp_ms = self
            .append_time_ms
            .unwrap_or_else(|| self.header.base_timestamp_ms.wrapping_add(record.timestamp_delta));
        self.max_timestamp_ms = self.max_timestamp_ms.max(timestamp_ms);
        self.offsets_ascend &= record.offset_delta == self.index;
        if self.rules.config.compacted && record.key_bytes.is_none() {
            self.object(Self::words_for_missing_key);
        } else if self.is_bad_time(timestamp_ms) {
            self.bad_times = true;
            self.object(|judge| judge.words_for_bad_time(timestamp_ms, record));
        } else if self.is_bad_timestamp_type(timestamp_ms) {
            self.bad_times = true;
            self.object(|judge| judge.words_for_bad_timestamp_type(timestamp_ms, record));
        }
        self.index += 1;
    }

    /// Counts the record as bad; keeps the words while there is room for them.
    #[cold]
    fn object(&mut self, words: impl FnOnce(&Self) -> String) {
        self.bad_records += 1;
        if self.errors.len() < self.rules.record_errors_max.max(ERRORS_IN_MESSAGE) {
            let words = words(self);
            self.errors.push((self.index, Some(words)));
        }
    }

    fn is_bad_time(&self, timestamp_ms: i64) -> bool {
        if self.rules.config.log_append_time || timestamp_ms == -1 {
            return false;
        }
        // Wraps as Java's does: a time at the far end of the range is out of it either way.
        let age_ms = self.now_ms.wrapping_sub(timestamp_ms);
        age_ms > self.rules.config.timestamp_before_ms_max
            || age_ms.wrapping_neg() > self.rules.config.timestamp_after_ms_max
    }

    /// A producer that calls its times the broker's. Kafka sees it only where it does not look at
    /// the times themselves.
    fn is_bad_timestamp_type(&self, timestamp_ms: i64) -> bool {
        self.append_time_ms.is_some() && (self.rules.config.log_append_time || timestamp_ms == -1)
    }

    fn words_for_missing_key(&self) -> String {
        format!(
            "Compacted topic cannot accept message without key in topic partition {}-{}",
            self.rules.topic, self.rules.partition
        )
    }

    fn words_for_bad_time(&self, timestamp_ms: i64, record: PassedRecord) -> String {
        let config = self.rules.config;
        format!(
            "Timestamp {timestamp_ms} of message with offset {} is out of range. \
             The timestamp should be within [{}, {}]",
            record.offset_delta,
            self.now_ms.wrapping_sub(config.timestamp_before_ms_max),
            self.now_ms.wrapping_add(config.timestamp_after_ms_max),
        )
    }

    fn words_for_bad_timestamp_type(&self, timestamp_ms: i64, record: PassedRecord) -> String {
        // Kafka names its class, and counts a missing key as 0 or as -1 bytes by it.
        let (class, none) =
            if self.stays_compressed { ("PartialDefaultRecord", -1) } else { ("DefaultRecord", 0) };
        let bytes = |field: Option<usize>| field.map_or(none, |length| length as i64);
        format!(
            "Invalid timestamp type in message {class}(offset={}, timestamp={timestamp_ms}, \
             key={} bytes, value={} bytes). Producer should not set timestamp type to \
             LogAppendTime.",
            record.offset_delta,
            bytes(record.key_bytes),
            bytes(record.value_bytes),
        )
    }

    fn verdict(mut self) -> Result<i64, Fault> {
        if self.bad_records > 0 {
            let message = self.message();
            self.errors.truncate(self.rules.record_errors_max);
            let error = if self.bad_times {
                ErrorCode::INVALID_TIMESTAMP
            } else {
                ErrorCode::INVALID_RECORD
            };
            return Err(Fault {
                message: Some(message),
                record_errors: self.errors,
                ..Fault::in_log(error)
            });
        }
        if self.stays_compressed && !self.offsets_ascend {
            // Kafka sets out to rewrite such a batch, and fails.
            return Err(Fault::in_log(ErrorCode::UNKNOWN_SERVER_ERROR));
        }
        Ok(self.max_timestamp_ms)
    }

    fn message(&self) -> String {
        if self.bad_times {
            return String::from("One or more records have been rejected due to invalid timestamp");
        }
        let mut message = format!(
            "One or more records have been rejected due to {} record errors in total, and only \
             showing the first three errors at most: [",
            self.bad_records
        );
        for (place, (index, words)) in self.errors.iter().take(ERRORS_IN_MESSAGE).enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            let words = words.as_deref().unwrap_or_default();
            write!(message, "{comma}RecordError(batchIndex={index}, message='{words}')")
                .expect("a String takes every text");
        }
        message.push(']');
        message
    }
}
