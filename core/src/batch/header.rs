//! The 61 bytes that every batch of magic 2 begins with (`DefaultRecordBatch`, KIP-98).

use super::checked::HEADER_BYTES;
use super::compression::Codec;

/// Bytes of the base offset and the length, which the length leaves out (`Records.LOG_OVERHEAD`).
pub const LOG_OVERHEAD_BYTES: usize = 12;

/// Bytes up to and with the magic byte, which stands at the same place in every format.
pub const UP_TO_MAGIC_BYTES: usize = 17;

/// Where the bytes that the CRC covers begin: behind it, at the attributes. Base offset, length,
/// leader epoch and magic may therefore change without a new CRC.
pub(super) const CRC_COVERS_FROM: usize = 21;

/// A header's fields in the order in which they stand on the wire, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; 0 in what producers send.
    pub base_offset: i64,
    /// Bytes that follow this field; [`BatchHeader::size`] is the whole.
    pub length: i32,
    /// Leader epoch of the partition when it was appended.
    pub leader_epoch: i32,
    /// Format version: 2.
    pub magic: i8,
    /// CRC-32C of all that follows this field.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: Attributes,
    /// Last offset less the base offset. Compaction keeps it although records go.
    pub last_offset_delta: i32,
    /// What the records' timestamp deltas add to, milliseconds; with
    /// [`Attributes::has_delete_horizon`] also the delete horizon.
    pub base_timestamp_ms: i64,
    /// The largest timestamp of the records, or the append time.
    pub max_timestamp_ms: i64,
    /// Producer id; -1 for none.
    pub producer_id: i64,
    /// Producer epoch; -1 for none.
    pub producer_epoch: i16,
    /// Sequence of the first record; -1 for none.
    pub base_sequence: i32,
    /// Records in the body.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the fields; nothing is checked. `None` when `bytes` is shorter than a header.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields { bytes: bytes.first_chunk::<HEADER_BYTES>()?, at: 0 };
        Some(Self {
            base_offset: i64::from_be_bytes(fields.next()),
            length: i32::from_be_bytes(fields.next()),
            leader_epoch: i32::from_be_bytes(fields.next()),
            magic: i8::from_be_bytes(fields.next()),
            crc: u32::from_be_bytes(fields.next()),
            attributes: Attributes(i16::from_be_bytes(fields.next())),
            last_offset_delta: i32::from_be_bytes(fields.next()),
            base_timestamp_ms: i64::from_be_bytes(fields.next()),
            max_timestamp_ms: i64::from_be_bytes(fields.next()),
            producer_id: i64::from_be_bytes(fields.next()),
            producer_epoch: i16::from_be_bytes(fields.next()),
            base_sequence: i32::from_be_bytes(fields.next()),
            record_count: i32::from_be_bytes(fields.next()),
        })
    }

    /// The fields as they stand on the wire.
    pub fn write(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut out = FieldsMut { bytes: &mut bytes, at: 0 };
        out.put(self.base_offset.to_be_bytes());
        out.put(self.length.to_be_bytes());
        out.put(self.leader_epoch.to_be_bytes());
        out.put(self.magic.to_be_bytes());
        out.put(self.crc.to_be_bytes());
        out.put(self.attributes.0.to_be_bytes());
        out.put(self.last_offset_delta.to_be_bytes());
        out.put(self.base_timestamp_ms.to_be_bytes());
        out.put(self.max_timestamp_ms.to_be_bytes());
        out.put(self.producer_id.to_be_bytes());
        out.put(self.producer_epoch.to_be_bytes());
        out.put(self.base_sequence.to_be_bytes());
        out.put(self.record_count.to_be_bytes());
        bytes
    }

    /// The whole batch in bytes, header included; a negative length counts as none.
    pub fn size(&self) -> usize {
        LOG_OVERHEAD_BYTES + usize::try_from(self.length).unwrap_or(0)
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.wrapping_add(i64::from(self.last_offset_delta))
    }

    /// Until when tombstones and markers of this batch are kept, milliseconds (KIP-534).
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp_ms)
    }

    /// The time that stands for that of every record, milliseconds; `None` when each has its own.
    pub fn append_time_ms(&self) -> Option<i64> {
        let is_append_time = self.attributes.timestamp_type() == TimestampType::LogAppendTime;
        is_append_time.then_some(self.max_timestamp_ms)
    }

    /// Whether a producer id stands in it.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id >= 0
    }

    /// Sets the CRC to that of these fields and `body`, the bytes behind the header.
    pub fn seal(&mut self, body: &[u8]) {
        self.crc = self.compute_crc(body);
    }

    /// Sets the CRC after attributes or times have changed from those of `before`, whose CRC is
    /// right for the same body of `body_bytes`. The body is not read: a CRC is linear, so what the
    /// headers differ in, moved to its distance from the end, is what the CRCs differ in.
    pub fn reseal(&mut self, before: &Self, body_bytes: usize) {
        let moved = |header: &Self| crc32c::crc32c_combine(header.compute_crc(&[]), 0, body_bytes);
        self.crc = before.crc ^ moved(before) ^ moved(self);
    }

    /// The CRC-32C of these fields and `body`.
    pub fn compute_crc(&self, body: &[u8]) -> u32 {
        let header = self.write();
        crc32c::crc32c_append(crc32c::crc32c(&header[CRC_COVERS_FROM..]), body)
    }
}

/// A batch's attributes, all 16 bits; the upper ones mean nothing and are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub i16);

impl Attributes {
    const CODEC: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;
    pub(super) const DELETE_HORIZON: i16 = 0x40;
    const KNOWN: i16 = 0x7f;

    /// How the body is compressed; `None` when it is not. Numbers 5 to 7 name no codec.
    pub fn codec(self) -> Result<Option<Codec>, UnknownCodec> {
        match self.0 & Self::CODEC {
            0 => Ok(None),
            1 => Ok(Some(Codec::Gzip)),
            2 => Ok(Some(Codec::Snappy)),
            3 => Ok(Some(Codec::Lz4)),
            4 => Ok(Some(Codec::Zstd)),
            other => Err(UnknownCodec(other)),
        }
    }

    /// With another codec's number.
    pub fn with_codec(self, codec: Option<Codec>) -> Self {
        let number = match codec {
            None => 0,
            Some(Codec::Gzip) => 1,
            Some(Codec::Snappy) => 2,
            Some(Codec::Lz4) => 3,
            Some(Codec::Zstd) => 4,
        };
        Self(self.0 & !Self::CODEC | number)
    }

    /// Whose clock the timestamps come from.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// With another timestamp type.
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        match timestamp_type {
            TimestampType::CreateTime => Self(self.0 & !Self::LOG_APPEND_TIME),
            TimestampType::LogAppendTime => Self(self.0 | Self::LOG_APPEND_TIME),
        }
    }

    /// Part of a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Marked as part of a transaction.
    pub fn transactional(self) -> Self {
        Self(self.0 | Self::TRANSACTIONAL)
    }

    /// Written by the broker or the Raft layer for itself: consumers skip it.
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Marked as a control batch.
    pub fn control(self) -> Self {
        Self(self.0 | Self::CONTROL)
    }

    /// The base timestamp is a delete horizon (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// Without the bits that mean nothing.
    pub fn known(self) -> Self {
        Self(self.0 & Self::KNOWN)
    }
}

/// Whose clock a batch's timestamps come from (`TimestampType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's: each record has its own.
    CreateTime,
    /// The broker's: the batch's maximum stands for every record.
    LogAppendTime,
}

/// A codec's number that names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown compression codec {0}")]
pub struct UnknownCodec(pub i16);

/// Walks over a header's fields; their widths add up to the header's.
struct Fields<'a> {
    bytes: &'a [u8; HEADER_BYTES],
    at: usize,
}

impl Fields<'_> {
    fn next<const N: usize>(&mut self) -> [u8; N] {
        let field = core::array::from_fn(|i| self.bytes[self.at + i]);
        self.at += N;
        field
    }
}

struct FieldsMut<'a> {
    bytes: &'a mut [u8; HEADER_BYTES],
    at: usize,
}

impl FieldsMut<'_> {
    fn put<const N: usize>(&mut self, field: [u8; N]) {
        self.bytes[self.at..self.at + N].copy_from_slice(&field);
        self.at += N;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BatchHeader {
        BatchHeader {
            base_offset: 0x0102_0304_0506_0708,
            length: 57,
            leader_epoch: 9,
            magic: 2,
            crc: 0x0a0b_0c0d,
            attributes: Attributes(0),
            last_offset_delta: 3,
            base_timestamp_ms: 1_700_000_000_000,
            max_timestamp_ms: 1_700_000_000_005,
            producer_id: 42,
            producer_epoch: 7,
            base_sequence: 11,
            record_count: 4,
        }
    }

    #[test]
    fn header_survives_writing_and_parsing() {
        let bytes = header().write();
        assert_eq!(BatchHeader::parse(&bytes), Some(header()));
        assert_eq!(bytes[..12], [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 57]);
        assert_eq!(bytes[16], 2);
        assert_eq!(bytes[57..], [0, 0, 0, 4]);
        assert_eq!(BatchHeader::parse(&bytes[..60]), None);
    }

    #[test]
    fn resealing_gives_the_crc_of_the_whole() {
        for body_bytes in [0, 1, 57, 70_000] {
            let body = alloc::vec![0x5a; body_bytes];
            let mut before = header();
            before.seal(&body);
            let mut after = before;
            after.max_timestamp_ms = 99;
            after.attributes = Attributes(0x08);
            after.reseal(&before, body_bytes);
            assert_eq!(after.crc, after.compute_crc(&body), "{body_bytes} bytes");
        }
    }

    #[test]
    fn size_counts_offset_and_length() {
        assert_eq!(header().size(), 69);
        assert_eq!(BatchHeader { length: -1, ..header() }.size(), 12);
    }

    #[test]
    fn attributes_keep_bits_that_mean_nothing() {
        let attributes = Attributes(0x0f83_u16 as i16);
        assert_eq!(attributes.codec(), Ok(Some(Codec::Lz4)));
        let changed = attributes.with_codec(None).with_timestamp_type(TimestampType::LogAppendTime);
        assert_eq!(changed.0, 0x0f88);
        assert_eq!(changed.known().0, 0x08);
        assert_eq!(Attributes(6).codec(), Err(UnknownCodec(6)));
    }

    #[test]
    fn delete_horizon_is_the_base_timestamp_when_flagged() {
        assert_eq!(header().delete_horizon_ms(), None);
        let flagged = BatchHeader { attributes: Attributes(0x40), ..header() };
        assert_eq!(flagged.delete_horizon_ms(), Some(1_700_000_000_000));
    }
}
