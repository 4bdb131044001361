//! A stored batch of which compaction keeps some records (`MemoryRecords.filterTo`).
//!
//! What stays of a batch keeps its place: base offset and last offset, so that sequences still count
//! from one to the other, leader epoch, producer, flags and codec. Only what the records that stay
//! tell is new: their count, the base timestamp, the largest one, and the CRC.

use alloc::vec::Vec;

use bytes::Bytes;

use super::compression::{Compression, CompressionError};
use super::convert::{Plain, collect};
use super::header::{Attributes, BatchHeader, LOG_OVERHEAD_BYTES, UnknownCodec};
use super::records::{Record, RecordFault, Records};
use super::varint::{varlong_size, write_varlong};
use super::{BatchView, HEADER_BYTES};
use crate::config::CompressionLevels;

/// A stored batch of magic 2 with its records at hand, decompressed.
#[derive(Debug)]
pub struct OpenBatch {
    header: BatchHeader,
    records: Bytes,
}

/// Why a batch cannot be looked into, or written anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThinFault {
    /// The records are none.
    #[error(transparent)]
    Record(#[from] RecordFault),
    /// The records cannot be decompressed, or compressed again.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// Nobody knows their codec.
    #[error(transparent)]
    Codec(#[from] UnknownCodec),
}

impl OpenBatch {
    /// Opens `batch`, whose bytes are a slice of `whole`. At most `decompressed_bytes_max` bytes are decompressed.
    pub fn open(
        batch: &BatchView<'_>,
        whole: &Bytes,
        compression: &dyn Compression,
        decompressed_bytes_max: usize,
    ) -> Result<Self, ThinFault> {
        let header = *batch.header();
        let body = whole.slice_ref(batch.body());
        let records = match header.attributes.codec()? {
            None => body,
            Some(_) if header.record_count == 0 => Bytes::new(),
            Some(codec) => {
                let mut stream = compression.decompress(codec, body)?;
                collect(&mut *stream, decompressed_bytes_max)?
            }
        };
        Ok(Self { header, records })
    }

    /// Its header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Its records, in order.
    pub fn records(&self) -> Records<'_> {
        Records::new(&self.records, self.header.record_count)
    }

    /// A field of one of its records, which keeps all of them alive.
    pub fn slice(&self, field: &[u8]) -> Bytes {
        self.records.slice_ref(field)
    }

    /// The batch with nothing but `kept`, some records of its own, at least one. `delete_horizon_ms` is until when
    /// tombstones and markers among them stay: it takes the place of the base timestamp (KIP-534).
    pub fn thin(
        &self,
        kept: &[Record<'_>],
        delete_horizon_ms: Option<i64>,
        compression: &dyn Compression,
    ) -> Result<Bytes, ThinFault> {
        let time_ms = |record: &Record<'_>| {
            let own_ms = self.header.base_timestamp_ms.wrapping_add(record.timestamp_delta);
            self.header.append_time_ms().unwrap_or(own_ms)
        };
        let first_ms = kept.first().map_or(-1, time_ms);
        let base_timestamp_ms = delete_horizon_ms.unwrap_or(first_ms);
        let mut records = Vec::new();
        for record in kept {
            write_record(record, time_ms(record).wrapping_sub(base_timestamp_ms), &mut records);
        }
        let codec = self.header.attributes.codec()?;
        let body = match codec {
            None => Bytes::from(records),
            Some(codec) => {
                let level = CompressionLevels::default().of(codec);
                let mut input = Plain(Bytes::from(records));
                compression.compress(codec, level, &mut input, i32::MAX as usize / 2)?
            }
        };
        let largest_ms = kept.iter().map(time_ms).max().unwrap_or(-1);
        let header = BatchHeader {
            attributes: self.header.attributes.known().with_delete_horizon(delete_horizon_ms),
            base_timestamp_ms,
            max_timestamp_ms: self.header.append_time_ms().unwrap_or(largest_ms),
            record_count: kept.len() as i32,
            ..self.header
        };
        Ok(sealed(header, &body))
    }
}

impl BatchHeader {
    /// The batch without a record: it keeps its offsets, and its producer's epoch and last sequence
    /// (`DefaultRecordBatch.writeEmptyHeader`).
    pub fn emptied(&self) -> Bytes {
        let attributes = self.attributes.known().with_codec(None).with_delete_horizon(None);
        let header = BatchHeader { attributes, base_timestamp_ms: -1, record_count: 0, ..*self };
        sealed(header, &[])
    }
}

impl Attributes {
    fn with_delete_horizon(self, horizon_ms: Option<i64>) -> Self {
        let cleared = self.0 & !Self::DELETE_HORIZON;
        Self(if horizon_ms.is_some() { cleared | Self::DELETE_HORIZON } else { cleared })
    }
}

fn sealed(mut header: BatchHeader, body: &[u8]) -> Bytes {
    header.length = (HEADER_BYTES - LOG_OVERHEAD_BYTES + body.len()) as i32;
    header.seal(body);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&header.write());
    bytes.extend_from_slice(body);
    Bytes::from(bytes)
}

/// As it was, with another timestamp delta.
fn write_record(record: &Record<'_>, timestamp_delta: i64, out: &mut Vec<u8>) {
    let offset_delta = i64::from(record.offset_delta);
    let head = 1 + varlong_size(timestamp_delta) + varlong_size(offset_delta);
    write_varlong((head + record.tail.len()) as i64, out);
    out.push(0);
    write_varlong(timestamp_delta, out);
    write_varlong(offset_delta, out);
    out.extend_from_slice(record.tail);
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::batch::testing::Stored;
    use crate::batch::{BatchBuilder, Codec, NewRecord, Step, next_batch};

    fn builder() -> BatchBuilder {
        let mut builder = BatchBuilder::new().producer(9, 2, 40).transactional();
        for (time_ms, key) in [(1_000, b"a"), (900, b"b"), (1_100, b"c")] {
            builder.append_record(&NewRecord {
                timestamp_ms: time_ms,
                key: Some(key),
                value: (key != b"b").then_some(b"value".as_slice()),
                headers: &[(b"h", Some(b"1"))],
            });
        }
        builder
    }

    fn open(bytes: &Bytes) -> OpenBatch {
        let Step::Batch(view) = next_batch(bytes, 1 << 20) else { panic!("no batch") };
        assert_eq!(view.verify_crc(), Ok(()));
        OpenBatch::open(&view, bytes, &Stored, 1 << 20).expect("it can be opened")
    }

    fn thin(bytes: &Bytes, keep: impl Fn(&[u8]) -> bool, horizon_ms: Option<i64>) -> Bytes {
        let batch = open(bytes);
        let records: Vec<_> = batch.records().map(|it| it.expect("sound")).collect();
        let kept: Vec<_> = records.into_iter().filter(|it| it.key.is_some_and(&keep)).collect();
        batch.thin(&kept, horizon_ms, &Stored).expect("it is written")
    }

    /// Offset, time, key, value and the number of headers of each record.
    fn told(bytes: &Bytes) -> Vec<(i64, i64, u8, Option<usize>, usize)> {
        let batch = open(bytes);
        let header = *batch.header();
        let told = batch.records().map(|record| {
            let record = record.expect("sound");
            let time_ms = header
                .append_time_ms()
                .unwrap_or(header.base_timestamp_ms + record.timestamp_delta);
            let offset = header.base_offset + i64::from(record.offset_delta);
            let key = record.key.expect("a key")[0];
            (offset, time_ms, key, record.value.map(<[u8]>::len), record.headers.len())
        });
        told.collect()
    }

    #[test]
    fn what_stays_keeps_its_place_and_its_time() {
        let records = builder().records().to_vec();
        let plain = Bytes::from(builder().encode(70, 5));
        let compressed =
            Bytes::from(builder().compressed(Codec::Lz4, records.into()).encode(70, 5));
        for bytes in [plain, compressed] {
            let before = *open(&bytes).header();
            let thinned = thin(&bytes, |key| key != b"a", None);
            assert_eq!(told(&thinned), [(71, 900, b'b', None, 1), (72, 1_100, b'c', Some(5), 1)]);
            let after = *open(&thinned).header();
            assert_eq!((after.base_timestamp_ms, after.max_timestamp_ms), (900, 1_100));
            let expected = BatchHeader {
                length: after.length,
                crc: after.crc,
                base_timestamp_ms: 900,
                record_count: 2,
                ..before
            };
            assert_eq!(after, expected);
        }
    }

    #[test]
    fn delete_horizon_takes_the_place_of_the_base_timestamp() {
        let bytes = Bytes::from(builder().encode(70, 5));
        let thinned = thin(&bytes, |_| true, Some(5_000));
        assert_eq!(told(&thinned), told(&bytes));
        assert_eq!(open(&thinned).header().delete_horizon_ms(), Some(5_000));
        let again = thin(&thinned, |key| key == b"b", Some(5_000));
        assert_eq!(told(&again), [(71, 900, b'b', None, 1)]);
    }

    #[test]
    fn append_time_stays_for_every_record() {
        let mut builder = BatchBuilder::new().log_append_time(8_000);
        builder.append(1, Some(b"a"), None);
        builder.append(2, Some(b"b"), Some(b"value"));
        let bytes = Bytes::from(builder.encode(0, 0));
        let thinned = thin(&bytes, |key| key == b"b", None);
        assert_eq!(told(&thinned), [(1, 8_000, b'b', Some(5), 0)]);
        assert_eq!(open(&thinned).header().max_timestamp_ms, 8_000);
    }

    #[test]
    fn emptied_batch_keeps_offsets_and_sequences() {
        let records = builder().records().to_vec();
        let bytes = Bytes::from(builder().compressed(Codec::Zstd, records.into()).encode(70, 5));
        let before = *open(&bytes).header();
        let emptied = before.emptied();
        assert_eq!(emptied.len(), HEADER_BYTES);
        let after = *open(&emptied).header();
        assert_eq!(told(&emptied), []);
        assert_eq!((after.base_offset, after.last_offset(), after.leader_epoch), (70, 72, 5));
        assert_eq!((after.producer_id, after.producer_epoch, after.base_sequence), (9, 2, 40));
        assert_eq!((after.base_timestamp_ms, after.max_timestamp_ms), (-1, 1_100));
        assert!(after.attributes.is_transactional());
    }
}
