//! Which record of a stored batch is the first with a timestamp (`FileRecords.searchForTimestamp`).

use bytes::Bytes;

use super::HEADER_BYTES;
use super::compression::{Compression, CompressionError};
use super::header::{BatchHeader, UnknownCodec};
use super::legacy::{self, LegacyFault};
use super::records::{RecordFault, Records};
use super::scan::{BatchFault, Step, next_batch};
use super::stream::{RecordStream, StreamFault};

/// A record, by what ListOffsets tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOffset {
    /// Of the record, or of its batch where that stands for it; milliseconds.
    pub timestamp_ms: i64,
    /// Of the record.
    pub offset: i64,
    /// Of the batch; -1 for none.
    pub leader_epoch: i32,
}

/// The first record at or behind `offset_min` whose timestamp is `timestamp_ms` or later, in a whole
/// batch of any format. At most `decompressed_bytes_max` bytes are decompressed.
///
/// Magic 0 has no timestamps, so none of its records is found.
pub fn find_timestamp(
    batch: &Bytes,
    timestamp_ms: i64,
    offset_min: i64,
    compression: &dyn Compression,
    decompressed_bytes_max: u64,
) -> Result<Option<TimedOffset>, TimestampFault> {
    let wanted = |time_ms: i64, offset: i64| time_ms >= timestamp_ms && offset >= offset_min;
    match next_batch(batch, usize::MAX) {
        Step::Batch(view) => {
            view.verify_crc()?;
            let body = batch.slice(HEADER_BYTES..view.size());
            find_in_batch(view.header(), body, wanted, compression, decompressed_bytes_max)
        }
        Step::Legacy(entry) => {
            let entry = batch.slice(..entry.size);
            Ok(legacy::find(&entry, wanted, compression, decompressed_bytes_max)?)
        }
        Step::Invalid(fault) => Err(fault.into()),
        Step::HeaderIncomplete { .. } | Step::BodyIncomplete { .. } => Err(TimestampFault::Cut),
    }
}

/// Why a batch cannot be looked into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampFault {
    /// The bytes are no batch.
    #[error(transparent)]
    Batch(#[from] BatchFault),
    /// The bytes end inside the batch.
    #[error("the bytes end inside the batch")]
    Cut,
    /// The records are none.
    #[error(transparent)]
    Record(#[from] RecordFault),
    /// The records cannot be decompressed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// Nobody knows their codec.
    #[error(transparent)]
    Codec(#[from] UnknownCodec),
    /// They decompress to more than is looked at.
    #[error("the batch decompresses to more than the limit")]
    TooLarge,
    /// An entry of the old formats is broken.
    #[error(transparent)]
    Legacy(#[from] LegacyFault),
}

impl From<StreamFault> for TimestampFault {
    fn from(fault: StreamFault) -> Self {
        match fault {
            StreamFault::Record(fault) => Self::Record(fault),
            StreamFault::Compression(fault) => Self::Compression(fault),
            StreamFault::AllowanceSpent => Self::TooLarge,
        }
    }
}

fn find_in_batch(
    header: &BatchHeader,
    body: Bytes,
    wanted: impl Fn(i64, i64) -> bool,
    compression: &dyn Compression,
    decompressed_bytes_max: u64,
) -> Result<Option<TimedOffset>, TimestampFault> {
    let judge = |timestamp_delta: i64, offset_delta: i32| {
        let own_ms = header.base_timestamp_ms.wrapping_add(timestamp_delta);
        let timestamp_ms = header.append_time_ms().unwrap_or(own_ms);
        let offset = header.base_offset.wrapping_add(i64::from(offset_delta));
        let leader_epoch = header.leader_epoch;
        wanted(timestamp_ms, offset).then_some(TimedOffset { timestamp_ms, offset, leader_epoch })
    };
    let Some(codec) = header.attributes.codec()? else {
        for record in Records::new(&body, header.record_count) {
            let record = record?;
            let found = judge(record.timestamp_delta, record.offset_delta);
            if found.is_some() {
                return Ok(found);
            }
        }
        return Ok(None);
    };
    let mut stream =
        RecordStream::new(compression.decompress(codec, body)?, decompressed_bytes_max);
    for _ in 0..header.record_count {
        let record = stream.next_record()?;
        let found = judge(record.timestamp_delta, record.offset_delta);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::batch::testing::Stored;
    use crate::batch::{BatchBuilder, Codec, TimestampType};

    const TIMES: [i64; 3] = [1_000, 1_050, 1_020];

    fn batch(change: impl Fn(&mut BatchHeader)) -> Bytes {
        let mut builder = BatchBuilder::new();
        for timestamp_ms in TIMES {
            builder.append(timestamp_ms, None, Some(b"value"));
        }
        let mut bytes = builder.encode(40, 5);
        let mut header = BatchHeader::parse(&bytes).expect("a header");
        change(&mut header);
        header.seal(&bytes[HEADER_BYTES..]);
        bytes[..HEADER_BYTES].copy_from_slice(&header.write());
        Bytes::from(bytes)
    }

    fn first(batch: &Bytes, timestamp_ms: i64, offset_min: i64) -> Option<(i64, i64)> {
        let found = find_timestamp(batch, timestamp_ms, offset_min, &Stored, 1 << 20);
        found.expect("it can be read").map(|found| {
            assert_eq!(found.leader_epoch, 5);
            (found.timestamp_ms, found.offset)
        })
    }

    #[test]
    fn first_record_at_or_after_the_time_is_found() {
        let plain = batch(|_| {});
        let codec = Some(Codec::Lz4);
        let compressed = batch(|header| header.attributes = header.attributes.with_codec(codec));
        for batch in [plain, compressed] {
            assert_eq!(first(&batch, 0, 0), Some((1_000, 40)));
            assert_eq!(first(&batch, 1_000, 0), Some((1_000, 40)));
            assert_eq!(first(&batch, 1_001, 0), Some((1_050, 41)));
            assert_eq!(first(&batch, 1_001, 42), Some((1_020, 42)));
            assert_eq!(first(&batch, 1_021, 42), None);
            assert_eq!(first(&batch, 1_051, 0), None);
        }
    }

    #[test]
    fn append_time_stands_for_every_record() {
        let batch = batch(|header| {
            let kind = TimestampType::LogAppendTime;
            header.attributes = header.attributes.with_timestamp_type(kind);
            header.max_timestamp_ms = 9_000;
        });
        assert_eq!(first(&batch, 9_000, 0), Some((9_000, 40)));
        assert_eq!(first(&batch, 9_001, 0), None);
    }

    #[test]
    fn damage_is_told() {
        let good = batch(|_| {});
        let find =
            |bytes: &[u8]| find_timestamp(&Bytes::copy_from_slice(bytes), 0, 0, &Stored, 1 << 20);
        let mut flipped = Vec::from(&good[..]);
        *flipped.last_mut().expect("bytes") ^= 1;
        assert!(matches!(find(&flipped), Err(TimestampFault::Batch(BatchFault::Crc { .. }))));
        assert_eq!(find(&good[..good.len() - 1]), Err(TimestampFault::Cut));
        let codec = Some(Codec::Gzip);
        let bomb = batch(|header| header.attributes = header.attributes.with_codec(codec));
        let found = find_timestamp(&bomb, 2_000, 0, &Stored, 10);
        assert_eq!(found, Err(TimestampFault::TooLarge));
    }
}
