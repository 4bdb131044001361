//! Builds batches: what the broker writes itself, and what tests send.

use alloc::vec::Vec;

use bytes::Bytes;

use super::checked::{CheckedBatch, HEADER_BYTES};
use super::compression::Codec;
use super::header::{Attributes, BatchHeader, LOG_OVERHEAD_BYTES, TimestampType};
use super::varint::{varlong_size, write_varlong};

/// A batch in the making: set what it carries, append records, then [`build`](Self::build) it for a
/// log, or [`encode`](Self::encode) it for a file or a Produce request.
///
/// Offsets are counted from the base offset without gaps, the base timestamp is that of the first
/// record, and no producer is named unless one is set.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    records: Vec<u8>,
    compressed: Option<Bytes>,
}

/// A record to be appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewRecord<'a> {
    /// Milliseconds since the epoch; -1 for none.
    pub timestamp_ms: i64,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value.
    pub value: Option<&'a [u8]>,
    /// Keys and values of its headers.
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

impl NewRecord<'_> {
    /// Bytes that it takes in a batch, whose first record has the base timestamp.
    pub fn encoded_size(&self, timestamp_delta: i64, offset_delta: i64) -> usize {
        let size = self.size(timestamp_delta, offset_delta);
        varlong_size(size as i64) + size
    }

    /// The same without its length, which comes first.
    fn size(&self, timestamp_delta: i64, offset_delta: i64) -> usize {
        let headers = self.headers.iter();
        let headers: usize =
            headers.map(|(key, value)| field_size(Some(key)) + field_size(*value)).sum();
        1 + varlong_size(timestamp_delta)
            + varlong_size(offset_delta)
            + field_size(self.key)
            + field_size(self.value)
            + varlong_size(self.headers.len() as i64)
            + headers
    }
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// A batch without records, flags or producer.
    pub fn new() -> Self {
        let header = BatchHeader {
            base_offset: 0,
            length: 0,
            leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: Attributes::default(),
            last_offset_delta: -1,
            base_timestamp_ms: -1,
            max_timestamp_ms: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        };
        Self { header, records: Vec::new(), compressed: None }
    }

    /// Names its producer and the sequence of the first record.
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Makes it part of its producer's transaction.
    pub fn transactional(mut self) -> Self {
        self.header.attributes = self.header.attributes.transactional();
        self
    }

    /// Makes it a control batch.
    pub fn control(mut self) -> Self {
        self.header.attributes = self.header.attributes.control();
        self
    }

    /// Gives all of it the broker's time: the records keep their own, readers see this one.
    pub fn log_append_time(mut self, now_ms: i64) -> Self {
        self.header.attributes =
            self.header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        self.header.max_timestamp_ms = now_ms;
        self
    }

    /// Appends a record without headers.
    pub fn append(&mut self, timestamp_ms: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.append_record(&NewRecord { timestamp_ms, key, value, headers: &[] });
    }

    /// Appends a record.
    pub fn append_record(&mut self, record: &NewRecord<'_>) {
        let header = &mut self.header;
        if header.record_count == 0 {
            header.base_timestamp_ms = record.timestamp_ms;
        }
        let timestamp_delta = record.timestamp_ms.wrapping_sub(header.base_timestamp_ms);
        let offset_delta = i64::from(header.record_count);
        if header.attributes.timestamp_type() == TimestampType::CreateTime {
            header.max_timestamp_ms = header.max_timestamp_ms.max(record.timestamp_ms);
        }
        header.last_offset_delta = header.record_count;
        header.record_count += 1;

        let size = record.size(timestamp_delta, offset_delta);
        let out = &mut self.records;
        write_varlong(size as i64, out);
        out.push(0);
        write_varlong(timestamp_delta, out);
        write_varlong(offset_delta, out);
        write_field(record.key, out);
        write_field(record.value, out);
        write_varlong(record.headers.len() as i64, out);
        for (key, value) in record.headers {
            write_field(Some(key), out);
            write_field(*value, out);
        }
    }

    /// How many records are in it.
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// The records appended so far, encoded and not compressed.
    pub fn records(&self) -> &[u8] {
        &self.records
    }

    /// Stores `payload`, which is [`records`](Self::records) compressed by `codec`, in their place.
    pub fn compressed(mut self, codec: Codec, payload: Bytes) -> Self {
        self.header.attributes = self.header.attributes.with_codec(Some(codec));
        self.compressed = Some(payload);
        self
    }

    /// The batch for a log. At least one record must be in it, and not 2 GiB.
    pub fn build(self) -> CheckedBatch {
        assert!(self.header.record_count > 0, "a batch has at least one record");
        let (header, records) = self.seal();
        CheckedBatch::new(&header, records)
    }

    /// All bytes of the batch with its place in a log; a producer sends base offset 0 and epoch -1.
    /// Without records it is the empty batch that compaction leaves behind.
    pub fn encode(self, base_offset: i64, leader_epoch: i32) -> Vec<u8> {
        let (mut header, records) = self.seal();
        header.base_offset = base_offset;
        header.leader_epoch = leader_epoch;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + records.len());
        bytes.extend_from_slice(&header.write());
        bytes.extend_from_slice(&records);
        bytes
    }

    fn seal(self) -> (BatchHeader, Bytes) {
        let Self { mut header, records, compressed } = self;
        let records = compressed.unwrap_or_else(|| Bytes::from(records));
        let length = HEADER_BYTES - LOG_OVERHEAD_BYTES + records.len();
        header.length = i32::try_from(length).expect("a batch is smaller than 2 GiB");
        header.seal(&records);
        (header, records)
    }
}

fn field_size(field: Option<&[u8]>) -> usize {
    field.map_or(1, |bytes| varlong_size(bytes.len() as i64) + bytes.len())
}

fn write_field(field: Option<&[u8]>, out: &mut Vec<u8>) {
    write_varlong(field.map_or(-1, |bytes| bytes.len() as i64), out);
    out.extend_from_slice(field.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Step, next_batch};

    #[test]
    fn built_batch_is_the_encoded_one_once_it_is_placed() {
        let mut builder = BatchBuilder::new().producer(7, 1, 40).transactional();
        builder.append(100, Some(b"k"), Some(b"v"));
        builder.append(90, None, None);
        let encoded = builder.clone().encode(1_000, 6);
        let batch = builder.build();
        assert_eq!(batch.info().record_count, 2);
        assert_eq!(batch.info().last_offset_delta, 1);
        assert_eq!(batch.info().max_timestamp_ms, 100);
        assert_eq!(batch.info().producer_id, 7);
        assert_eq!(batch.info().base_sequence, 40);
        assert_eq!(batch.info().size as usize, encoded.len());
        assert_eq!(batch.place(1_000, 6).concat(), encoded);
    }

    #[test]
    fn a_record_takes_what_it_says_that_it_takes() {
        let (key, long) = ([1; 70].as_slice(), [2; 9_000].as_slice());
        let headers = [(key, None), (b"k", Some(long))];
        let mut builder = BatchBuilder::new();
        for number in 0..200 {
            let before = builder.records().len();
            let value = Some(long).filter(|_| number % 3 == 0);
            let record = NewRecord {
                timestamp_ms: 1_000 + number * 100,
                key: Some(key),
                value,
                headers: &headers,
            };
            builder.append_record(&record);
            let taken = builder.records().len() - before;
            assert_eq!(record.encoded_size(number * 100, number), taken);
        }
    }

    #[test]
    fn compressed_body_takes_the_records_place() {
        let mut builder = BatchBuilder::new();
        builder.append(1, None, Some(b"v"));
        let bytes = builder.compressed(Codec::Zstd, Bytes::from_static(b"payload")).encode(0, -1);
        let Step::Batch(view) = next_batch(&bytes, 1_000) else { panic!("no batch") };
        assert_eq!(view.header().attributes.codec(), Ok(Some(Codec::Zstd)));
        assert_eq!(view.body(), b"payload");
        assert_eq!(view.verify_crc(), Ok(()));
        assert!(view.records().is_none());
    }

    #[test]
    fn append_time_stands_in_the_header_alone() {
        let mut builder = BatchBuilder::new().log_append_time(5_000);
        builder.append(7, None, None);
        let bytes = builder.encode(0, -1);
        let Step::Batch(view) = next_batch(&bytes, 1_000) else { panic!("no batch") };
        assert_eq!(view.header().base_timestamp_ms, 7);
        assert_eq!(view.header().max_timestamp_ms, 5_000);
    }
}
