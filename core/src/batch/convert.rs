//! A produced batch, found sound, written anew in the codec that its topic stores
//! (`LogValidator.buildRecordsAndAssignOffsets`, `MemoryRecordsBuilder`).
//!
//! The records are gone over a second time, so that nothing is compressed that is then refused, and
//! nothing is held: of each record the size, the attributes and the deltas are new, and the rest is
//! copied as it comes. Kafka decodes the rest too, which shows only where no client writes it so:
//! numbers longer than they need be, negative lengths other than -1, and header keys that are no
//! UTF-8 become proper ones there and stay as they are here.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use super::check::{Fault, ProduceRules, stored_times};
use super::check_records::stream_fault;
use super::checked::{CheckedBatch, HEADER_BYTES};
use super::compression::{ByteStream, Codec, Compression, CompressionError};
use super::header::{Attributes, BatchHeader, LOG_OVERHEAD_BYTES};
use super::records::RecordSource;
use super::stream::{RecordStream, StreamFault};
use super::varint::{varlong_size, write_varlong};
use crate::error_code::ErrorCode;
use crate::time::Now;

/// What an uncompressed body grows by at once.
const PIECE_BYTES: usize = 8 << 10;

/// A batch that came in another codec than its topic stores.
#[derive(Debug)]
pub(super) struct Conversion<'a> {
    sent: &'a BatchHeader,
    source: Option<Codec>,
    target: Option<Codec>,
    rules: &'a ProduceRules<'a>,
}

impl<'a> Conversion<'a> {
    /// `None` when the batch is stored as it came.
    pub(super) fn needed(sent: &'a BatchHeader, rules: &'a ProduceRules<'a>) -> Option<Self> {
        let source = sent.attributes.codec().ok()?;
        let target = rules.config.compression.target(source);
        (source != target).then_some(Self { sent, source, target, rules })
    }

    /// Writes the batch anew. `max_timestamp_ms` is the largest time of its records.
    pub(super) fn carry_out(
        &self,
        body: Bytes,
        compression: &dyn Compression,
        max_timestamp_ms: i64,
        now: Now,
    ) -> Result<CheckedBatch, Fault> {
        if !self.has_whole_producer() {
            return Err(Fault::in_log(ErrorCode::UNKNOWN_SERVER_ERROR));
        }
        let allowance = self.rules.decompressed_bytes_max;
        let decompressed = match self.source {
            Some(codec) => compression
                .decompress(codec, body)
                .map_err(|fault| stream_fault(StreamFault::Compression(fault), allowance))?,
            None => Box::new(Plain(body)),
        };
        let mut records = NewRecords::new(RecordStream::new(decompressed, allowance), self.sent);
        let written = self.write(&mut records, compression);
        if let Some(fault) = records.fault {
            return Err(match fault {
                NewRecordFault::Stream(fault) => stream_fault(fault, allowance),
                NewRecordFault::NegativeTime => Fault::in_log(ErrorCode::UNKNOWN_SERVER_ERROR),
            });
        }
        let body = written.map_err(|fault| self.write_fault(&fault))?;
        let header = self.header(&body, records.base_timestamp_ms, max_timestamp_ms, now);
        Ok(CheckedBatch::converted(&header, body))
    }

    fn write(
        &self,
        records: &mut NewRecords<'_>,
        compression: &dyn Compression,
    ) -> Result<Bytes, CompressionError> {
        let bytes_max = self.body_bytes_max();
        match self.target {
            Some(codec) => {
                let level = self.rules.config.compression_levels.of(codec);
                compression.compress(codec, level, records, bytes_max)
            }
            None => collect(records, bytes_max),
        }
    }

    /// What a batch may take behind its header.
    fn body_bytes_max(&self) -> usize {
        let message_bytes_max = self.rules.config.message_bytes_max as usize;
        message_bytes_max.min(self.rules.converted_bytes_max).saturating_sub(HEADER_BYTES)
    }

    fn write_fault(&self, fault: &CompressionError) -> Fault {
        let bytes_max = self.rules.converted_bytes_max;
        match fault {
            CompressionError::OutputFull
                if bytes_max < self.rules.config.message_bytes_max as usize =>
            {
                Fault::too_large(format!(
                    "The batch takes more than {bytes_max} bytes in the codec of its topic, which \
                     is all that the request has left"
                ))
            }
            CompressionError::OutputFull => Fault::before_log(ErrorCode::MESSAGE_TOO_LARGE),
            _ => Fault::in_log(ErrorCode::UNKNOWN_SERVER_ERROR),
        }
    }

    /// What Kafka's builder demands, and its check does not (`validateProducerState`).
    fn has_whole_producer(&self) -> bool {
        let BatchHeader { producer_id, producer_epoch, base_sequence, attributes, .. } = *self.sent;
        if producer_id == -1 {
            return !attributes.is_transactional();
        }
        producer_epoch != -1 && base_sequence >= 0
    }

    fn header(
        &self,
        body: &[u8],
        base_timestamp_ms: i64,
        max_timestamp_ms: i64,
        now: Now,
    ) -> BatchHeader {
        let (timestamp_type, max_timestamp_ms) =
            stored_times(self.rules.config, max_timestamp_ms, now);
        let mut attributes =
            Attributes::default().with_codec(self.target).with_timestamp_type(timestamp_type);
        if self.sent.attributes.is_transactional() {
            attributes = attributes.transactional();
        }
        let mut header = BatchHeader {
            length: (HEADER_BYTES - LOG_OVERHEAD_BYTES + body.len()) as i32,
            attributes,
            last_offset_delta: self.sent.record_count - 1,
            base_timestamp_ms,
            max_timestamp_ms,
            ..*self.sent
        };
        header.seal(body);
        header
    }
}

/// Reads all of it.
pub(super) fn collect(
    input: &mut dyn ByteStream,
    bytes_max: usize,
) -> Result<Bytes, CompressionError> {
    let mut bytes = Vec::new();
    let mut piece = [0; PIECE_BYTES];
    loop {
        let count = input.read(&mut piece)?;
        if count == 0 {
            return Ok(Bytes::from(bytes));
        }
        if count > bytes_max - bytes.len() {
            return Err(CompressionError::OutputFull);
        }
        bytes.extend_from_slice(&piece[..count]);
    }
}

/// A body that is not compressed, in pieces like one that is.
pub(super) struct Plain(pub(super) Bytes);

impl ByteStream for Plain {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        let count = out.len().min(self.0.len());
        self.0.copy_to_slice(&mut out[..count]);
        Ok(count)
    }
}

/// The records as they are to be stored: counted from 0, their times told from that of the first.
struct NewRecords<'a> {
    stream: RecordStream,
    sent: &'a BatchHeader,
    /// Records begun.
    count: i32,
    base_timestamp_ms: i64,
    /// The new beginning of the record under way, and how much of it has been given out.
    head: Vec<u8>,
    head_at: usize,
    /// What ended the stream early.
    fault: Option<NewRecordFault>,
}

enum NewRecordFault {
    Stream(StreamFault),
    /// Kafka's builder takes none but -1.
    NegativeTime,
}

impl From<StreamFault> for NewRecordFault {
    fn from(fault: StreamFault) -> Self {
        Self::Stream(fault)
    }
}

impl<'a> NewRecords<'a> {
    fn new(stream: RecordStream, sent: &'a BatchHeader) -> Self {
        let (head, head_at, fault) = (Vec::new(), 0, None);
        Self { stream, sent, count: 0, base_timestamp_ms: -1, head, head_at, fault }
    }

    /// Fills the front of `out` with what can be had in one piece; 0 behind the last record.
    fn piece(&mut self, out: &mut [u8]) -> Result<usize, NewRecordFault> {
        loop {
            let head = self.head.get(self.head_at..).unwrap_or_default();
            if !head.is_empty() {
                let count = head.len().min(out.len());
                out[..count].copy_from_slice(&head[..count]);
                self.head_at += count;
                return Ok(count);
            }
            if self.count > 0 {
                let count = self.stream.read_rest(out)?;
                if count > 0 {
                    return Ok(count);
                }
            }
            if self.count == self.sent.record_count {
                return Ok(0);
            }
            self.begin_record()?;
        }
    }

    fn begin_record(&mut self) -> Result<(), NewRecordFault> {
        let record = self.stream.begin_record()?;
        let timestamp_ms = self
            .sent
            .append_time_ms()
            .unwrap_or_else(|| self.sent.base_timestamp_ms.wrapping_add(record.timestamp_delta));
        if timestamp_ms < -1 {
            return Err(NewRecordFault::NegativeTime);
        }
        if self.count == 0 {
            self.base_timestamp_ms = timestamp_ms;
        }
        let timestamp_delta = timestamp_ms.wrapping_sub(self.base_timestamp_ms);
        let offset_delta = i64::from(self.count);
        let attributes_bytes = 1;
        let size = attributes_bytes
            + varlong_size(timestamp_delta)
            + varlong_size(offset_delta)
            + self.stream.left();
        self.head.clear();
        self.head_at = 0;
        write_varlong(size as i64, &mut self.head);
        self.head.push(0);
        write_varlong(timestamp_delta, &mut self.head);
        write_varlong(offset_delta, &mut self.head);
        self.count += 1;
        Ok(())
    }
}

impl ByteStream for NewRecords<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        let mut filled = 0;
        while filled < out.len() {
            match self.piece(&mut out[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(fault) => {
                    self.fault = Some(fault);
                    return Err(CompressionError::UnexpectedEnd);
                }
            }
        }
        Ok(filled)
    }
}
