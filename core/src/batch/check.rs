//! The check of what a producer sent for one partition.
//!
//! The order of the checks, their codes and their words are those of Apache Kafka 4.3
//! (`ByteBufferLogInputStream`, `ProduceRequest.validateRecords`, `UnifiedLog`, `LogValidator`): a
//! client sees the first that fails. Three groups are kept apart because their answers differ: the
//! heads of all record sets, before anything of the request is looked at; each record set as far as
//! the request goes; and each batch as its log sees it, from where on answers name the log's start.
//!
//! One thing is stricter: a record's size must be that of its fields in a compressed batch too.
//! Kafka looks at it in uncompressed batches alone, but its consumers cannot read records without.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::check_records::check_records;
use super::checked::{CheckedBatch, HEADER_BYTES};
use super::compression::{Codec, Compression};
use super::convert::Conversion;
use super::header::{BatchHeader, TimestampType};
use super::scan::{BatchFault, BatchView, LENGTH_MIN, LENGTH_MIN_V1, Step, next_batch};
use crate::config::TopicConfig;
use crate::error_code::ErrorCode;
use crate::time::Now;

/// By what a batch is judged.
#[derive(Clone, Copy, Debug)]
pub struct ProduceRules<'a> {
    /// The Produce request's version.
    pub version: i16,
    /// The topic's name, for messages.
    pub topic: &'a str,
    /// The partition's index, for messages.
    pub partition: i32,
    /// The topic's settings.
    pub config: &'a TopicConfig,
    /// [`decompressed_bytes_max`](crate::config::Limits::decompressed_bytes_max).
    pub decompressed_bytes_max: u64,
    /// How many bytes the batch may take if it is written anew in its topic's codec, beside
    /// `max.message.bytes`; [`converted_bytes_max`](crate::config::Limits::converted_bytes_max) for
    /// a whole request.
    pub converted_bytes_max: usize,
    /// How many record errors this partition may still list;
    /// [`record_errors_max`](crate::config::Limits::record_errors_max) for a whole request.
    pub record_errors_max: usize,
}

/// Why a partition's records are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The partition's error code.
    pub error: ErrorCode,
    /// The partition's error message (v8 and above).
    pub message: Option<String>,
    /// Index in the batch and message of each bad record (v8 and above).
    pub record_errors: Vec<(i32, Option<String>)>,
    /// Whether the answer names the log's start; otherwise it says -1.
    pub knows_log_start: bool,
}

impl Fault {
    /// Found before the log was looked at.
    pub(super) fn before_log(error: ErrorCode) -> Self {
        Self { error, message: None, record_errors: Vec::new(), knows_log_start: false }
    }

    /// Found in the log.
    pub(super) fn in_log(error: ErrorCode) -> Self {
        Self { knows_log_start: true, ..Self::before_log(error) }
    }

    /// More than a limit allows; the message says which.
    pub(super) fn too_large(message: String) -> Self {
        Self { message: Some(message), ..Self::before_log(ErrorCode::MESSAGE_TOO_LARGE) }
    }
}

/// Why every partition of a request is refused, whether it exists or not; nothing is appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeRequestFault {
    /// The error code of every partition.
    pub error: ErrorCode,
    /// The error message of every partition.
    pub message: Option<String>,
}

/// Looks at the first batch of every record set, in the order of the request and with those that a
/// later one for the same partition replaces: a head that cannot be, or a transactional batch in a
/// request without transactional id, fails all of the request.
///
/// As in Kafka the search ends at the first transactional batch.
pub fn check_request_heads<'a>(
    record_sets: impl IntoIterator<Item = Option<&'a [u8]>>,
    transactional_id: Option<&str>,
) -> Result<(), WholeRequestFault> {
    for records in record_sets.into_iter().flatten() {
        match next_batch(records, usize::MAX) {
            Step::Invalid(fault) => {
                if let Some(message) = broken_head(fault) {
                    return Err(WholeRequestFault {
                        error: ErrorCode::CORRUPT_MESSAGE,
                        message: Some(message),
                    });
                }
            }
            Step::Batch(view) if view.header().attributes.is_transactional() => {
                if transactional_id.is_some() {
                    return Ok(());
                }
                return Err(WholeRequestFault {
                    error: ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                    message: None,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks one partition's record set as far as the request goes: what fails here fails before acks
/// and the topic's rules are looked at.
pub fn check_record_set(records: Option<&Bytes>, version: i16) -> Result<(), Fault> {
    let records = records.ok_or(Fault::before_log(ErrorCode::INVALID_RECORD))?;
    single_batch(records, version).map(|_| ())
}

/// Checks one partition's record set: exactly one whole batch of magic 2 (a cut one behind it is
/// left out), by the rules of its topic. The batch is a slice of `records`, never a copy, unless the
/// topic stores another codec than it came in.
pub fn check_produced(
    records: Option<&Bytes>,
    rules: &ProduceRules<'_>,
    compression: &dyn Compression,
    now: Now,
) -> Result<CheckedBatch, Fault> {
    let records = records.ok_or(Fault::before_log(ErrorCode::INVALID_RECORD))?;
    let batch = single_batch(records, rules.version)?;
    check_envelope(&batch, rules)?;
    let header = batch.header();
    check_header(header)?;

    let body = records.slice(HEADER_BYTES..batch.size());
    let max_timestamp_ms = check_records(header, &body, rules, compression, now)?;
    if let Some(conversion) = Conversion::needed(header, rules) {
        return conversion.carry_out(body, compression, max_timestamp_ms, now);
    }
    let stored = stored_header(header, body.len(), rules.config, max_timestamp_ms, now);
    Ok(CheckedBatch::new(&stored, body))
}

/// The message of a head that no batch can have, in Kafka's words; `None` for faults that it finds
/// only later.
fn broken_head(fault: BatchFault) -> Option<String> {
    match fault {
        BatchFault::LengthTooSmall { length, least: LENGTH_MIN } => Some(format!(
            "Record size {length} is less than the minimum record overhead ({LENGTH_MIN})"
        )),
        BatchFault::Magic(magic) => Some(format!("Invalid magic found in record: {magic}")),
        _ => None,
    }
}

/// The one batch of a record set.
fn single_batch(records: &[u8], version: i16) -> Result<BatchView<'_>, Fault> {
    let batch = match next_batch(records, usize::MAX) {
        Step::Batch(batch) => batch,
        Step::HeaderIncomplete { .. } | Step::BodyIncomplete { .. } | Step::Legacy(_) => {
            return Err(Fault::before_log(ErrorCode::INVALID_RECORD));
        }
        // Too short even for its old format: refused for the format.
        Step::Invalid(BatchFault::LengthTooSmall { least: LENGTH_MIN_V1, .. }) => {
            return Err(Fault::before_log(ErrorCode::INVALID_RECORD));
        }
        Step::Invalid(_) => return Err(Fault::before_log(ErrorCode::CORRUPT_MESSAGE)),
    };
    if version < 7 && batch.header().attributes.codec() == Ok(Some(Codec::Zstd)) {
        return Err(Fault::before_log(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE));
    }
    let rest = records.get(batch.size()..).unwrap_or_default();
    match next_batch(rest, usize::MAX) {
        Step::HeaderIncomplete { .. } | Step::BodyIncomplete { .. } => Ok(batch),
        Step::Invalid(fault) if broken_head(fault).is_some() => {
            Err(Fault::before_log(ErrorCode::CORRUPT_MESSAGE))
        }
        Step::Invalid(_) | Step::Legacy(_) | Step::Batch(_) => {
            Err(Fault::before_log(ErrorCode::INVALID_RECORD))
        }
    }
}

/// What the log checks before it looks inside.
fn check_envelope(batch: &BatchView<'_>, rules: &ProduceRules<'_>) -> Result<(), Fault> {
    if batch.header().base_offset != 0 {
        return Err(Fault::in_log(ErrorCode::INVALID_RECORD));
    }
    if batch.size() > rules.config.message_bytes_max as usize {
        return Err(Fault::before_log(ErrorCode::MESSAGE_TOO_LARGE));
    }
    batch.verify_crc().map_err(|_| Fault::before_log(ErrorCode::CORRUPT_MESSAGE))
}

/// What a client's header must say: a known codec, as many records as offsets, no control records,
/// and a sequence if there is a producer.
fn check_header(header: &BatchHeader) -> Result<(), Fault> {
    if header.attributes.codec().is_err() {
        return Err(Fault::in_log(ErrorCode::UNKNOWN_SERVER_ERROR));
    }
    let offsets = i64::from(header.last_offset_delta) + 1;
    let sound = header.record_count > 0
        && offsets == i64::from(header.record_count)
        && !header.attributes.is_control()
        && !(header.has_producer_id() && header.base_sequence < 0);
    if sound { Ok(()) } else { Err(Fault::in_log(ErrorCode::INVALID_RECORD)) }
}

/// The header as it goes to disk: the topic's timestamp type, and the real maximum. What is right
/// stays as it was sent, bits without meaning included; they fall when the batch is sealed anew.
fn stored_header(
    sent: &BatchHeader,
    body_bytes: usize,
    config: &TopicConfig,
    max_timestamp_ms: i64,
    now: Now,
) -> BatchHeader {
    let (timestamp_type, max_timestamp_ms) = stored_times(config, max_timestamp_ms, now);
    let mut stored = *sent;
    if sent.attributes.timestamp_type() == timestamp_type
        && sent.max_timestamp_ms == max_timestamp_ms
    {
        return stored;
    }
    stored.attributes = sent.attributes.known().with_timestamp_type(timestamp_type);
    stored.max_timestamp_ms = max_timestamp_ms;
    stored.reseal(sent, body_bytes);
    stored
}

/// Whose time a batch is stored with, and its maximum.
pub(super) fn stored_times(
    config: &TopicConfig,
    max_timestamp_ms: i64,
    now: Now,
) -> (TimestampType, i64) {
    if config.log_append_time {
        (TimestampType::LogAppendTime, now.wall_ms)
    } else {
        (TimestampType::CreateTime, max_timestamp_ms)
    }
}

#[cfg(test)]
mod tests;
