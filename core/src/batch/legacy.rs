//! The message formats before magic 2 (`LegacyRecord`, `AbstractLegacyRecordBatch`): read where an
//! old directory has them, never written.
//!
//! An entry is offset (8), size (4), CRC (4), magic, attributes, timestamp (8, magic 1 alone), key
//! and value behind their lengths (4). A compressed one holds entries in its value; those of magic 1
//! count their offsets from 0, and the outer one has that of the last.

use alloc::boxed::Box;

use bytes::Bytes;

use super::compression::{ByteStream, Compression, CompressionError};
use super::header::{Attributes, TimestampType, UnknownCodec};
use super::timestamp::TimedOffset;

const MAGIC_AT: usize = 16;
const TIMESTAMP_AT: usize = 18;
const KEY_AT: usize = 26;
/// Offset and size.
const PREFIX_BYTES: usize = 12;
/// The rest up to the key.
const HEAD_BYTES: usize = KEY_AT - PREFIX_BYTES;
/// Decompressed bytes skipped at once.
const DECOMPRESSED_PIECE_BYTES: usize = 4 << 10;

/// Why an entry cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LegacyFault {
    /// It ends too early, or names more bytes than it has.
    #[error("an entry of the old message format is cut")]
    Cut,
    /// What it holds has another magic.
    #[error("an entry of magic {0} inside one of magic 1")]
    Magic(i8),
    /// It cannot be decompressed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// Nobody knows its codec.
    #[error(transparent)]
    Codec(#[from] UnknownCodec),
    /// It decompresses to more than is looked at.
    #[error("an entry of the old message format decompresses to more than the limit")]
    TooLarge,
}

/// The timestamp of a whole entry, milliseconds: the largest of those that it holds; `None` in magic 0.
pub fn legacy_timestamp(entry: &[u8]) -> Option<i64> {
    let timestamp = entry.get(TIMESTAMP_AT..)?.first_chunk()?;
    (entry.get(MAGIC_AT) == Some(&1)).then(|| i64::from_be_bytes(*timestamp))
}

/// The first record of a whole entry that is `wanted`, by timestamp and offset.
pub(super) fn find(
    entry: &Bytes,
    wanted: impl Fn(i64, i64) -> bool,
    compression: &dyn Compression,
    decompressed_bytes_max: u64,
) -> Result<Option<TimedOffset>, LegacyFault> {
    let Some(timestamp_ms) = legacy_timestamp(entry) else { return Ok(None) };
    let last_offset = i64::from_be_bytes(*entry.first_chunk().ok_or(LegacyFault::Cut)?);
    let found = |timestamp_ms, offset| TimedOffset { timestamp_ms, offset, leader_epoch: -1 };
    let attributes = Attributes(i16::from(entry[MAGIC_AT + 1]));
    let Some(codec) = attributes.codec()? else {
        return Ok(wanted(timestamp_ms, last_offset).then(|| found(timestamp_ms, last_offset)));
    };
    let is_append_time = attributes.timestamp_type() == TimestampType::LogAppendTime;
    let value = value_of(entry)?;
    let inner = || -> Result<Inner, LegacyFault> {
        let bytes = compression.decompress(codec, value.clone())?;
        Ok(Inner { bytes, allowance: decompressed_bytes_max })
    };
    // Only the last entry tells what the offsets count from; going over them twice keeps none.
    let mut last_relative = 0;
    let mut entries = inner()?;
    while let Some((relative, _)) = entries.next()? {
        last_relative = relative;
    }
    let base_offset = last_offset.wrapping_sub(last_relative);
    let mut entries = inner()?;
    while let Some((relative, own_ms)) = entries.next()? {
        let timestamp_ms = if is_append_time { timestamp_ms } else { own_ms };
        let offset = base_offset.wrapping_add(relative);
        if wanted(timestamp_ms, offset) {
            return Ok(Some(found(timestamp_ms, offset)));
        }
    }
    Ok(None)
}

fn value_of(entry: &Bytes) -> Result<Bytes, LegacyFault> {
    let length_at = |at: usize| {
        let bytes = entry.get(at..).and_then(<[u8]>::first_chunk).ok_or(LegacyFault::Cut)?;
        Ok::<_, LegacyFault>(usize::try_from(i32::from_be_bytes(*bytes)).unwrap_or(0))
    };
    let value_at = KEY_AT + 4 + length_at(KEY_AT)?;
    let from = value_at + 4;
    let to = from + length_at(value_at)?;
    if to > entry.len() { Err(LegacyFault::Cut) } else { Ok(entry.slice(from..to)) }
}

/// The entries inside a compressed one.
struct Inner {
    bytes: Box<dyn ByteStream>,
    allowance: u64,
}

impl Inner {
    /// Relative offset and timestamp of the next entry.
    fn next(&mut self) -> Result<Option<(i64, i64)>, LegacyFault> {
        let mut prefix = [0; PREFIX_BYTES];
        if self.bytes.read(&mut prefix[..1])? == 0 {
            return Ok(None);
        }
        self.fill(&mut prefix[1..])?;
        let mut head = [0; HEAD_BYTES];
        self.fill(&mut head)?;
        let [o0, o1, o2, o3, o4, o5, o6, o7, s0, s1, s2, s3] = prefix;
        let offset = i64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
        let size = i32::from_be_bytes([s0, s1, s2, s3]);
        let [_, _, _, _, magic, _, t0, t1, t2, t3, t4, t5, t6, t7] = head;
        if magic != 1 {
            return Err(LegacyFault::Magic(magic as i8));
        }
        let rest = usize::try_from(size).ok().and_then(|size| size.checked_sub(HEAD_BYTES));
        self.skip(rest.ok_or(LegacyFault::Cut)?)?;
        Ok(Some((offset, i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]))))
    }

    fn fill(&mut self, mut out: &mut [u8]) -> Result<(), LegacyFault> {
        let spent = out.len() as u64;
        self.allowance = self.allowance.checked_sub(spent).ok_or(LegacyFault::TooLarge)?;
        while !out.is_empty() {
            let count = self.bytes.read(out)?;
            if count == 0 {
                return Err(LegacyFault::Cut);
            }
            out = out.get_mut(count..).unwrap_or_default();
        }
        Ok(())
    }

    fn skip(&mut self, mut bytes: usize) -> Result<(), LegacyFault> {
        let mut piece = [0; DECOMPRESSED_PIECE_BYTES];
        while bytes > 0 {
            let count = bytes.min(piece.len());
            self.fill(&mut piece[..count])?;
            bytes -= count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::batch::testing::Stored;

    /// An entry as the old formats have it; the CRC, which is not looked at here, is 0.
    fn entry(magic: u8, attributes: u8, offset: i64, timestamp_ms: i64, value: &[u8]) -> Vec<u8> {
        let mut message = Vec::from([0, 0, 0, 0, magic, attributes]);
        if magic == 1 {
            message.extend(timestamp_ms.to_be_bytes());
        }
        message.extend((-1_i32).to_be_bytes());
        message.extend((value.len() as i32).to_be_bytes());
        message.extend(value);
        let mut entry = Vec::from(offset.to_be_bytes());
        entry.extend((message.len() as i32).to_be_bytes());
        entry.extend(message);
        entry
    }

    fn first_from(entry: Vec<u8>, timestamp_ms: i64, offset_min: i64) -> Option<(i64, i64)> {
        let wanted = |ms: i64, offset: i64| ms >= timestamp_ms && offset >= offset_min;
        let found = find(&Bytes::from(entry), wanted, &Stored, 1 << 20).expect("it can be read");
        found.map(|found| (found.timestamp_ms, found.offset))
    }

    #[test]
    fn plain_entry_is_one_record() {
        let plain = entry(1, 0, 7, 1_000, b"value");
        assert_eq!(first_from(plain.clone(), 1_000, 0), Some((1_000, 7)));
        assert_eq!(first_from(plain.clone(), 1_001, 0), None);
        assert_eq!(first_from(plain, 0, 8), None);
        assert_eq!(first_from(entry(0, 0, 7, 0, b"value"), 0, 0), None);
    }

    #[test]
    fn offsets_inside_a_compressed_entry_end_at_its_own() {
        let mut inner = entry(1, 0, 0, 10, b"a");
        inner.extend(entry(1, 0, 1, 30, b"b"));
        inner.extend(entry(1, 0, 2, 20, b"c"));
        let gzip = entry(1, 1, 42, 30, &inner);
        assert_eq!(legacy_timestamp(&gzip), Some(30));
        assert_eq!(first_from(gzip.clone(), 5, 0), Some((10, 40)));
        assert_eq!(first_from(gzip.clone(), 20, 0), Some((30, 41)));
        assert_eq!(first_from(gzip.clone(), 20, 42), Some((20, 42)));
        assert_eq!(first_from(gzip, 31, 0), None);
        let append_time = entry(1, 1 | 8, 42, 30, &inner);
        assert_eq!(first_from(append_time, 30, 0), Some((30, 40)));
    }

    #[test]
    fn broken_entries_are_told() {
        let fault = |entry: Vec<u8>, bytes_max| {
            find(&Bytes::from(entry), |_, _| false, &Stored, bytes_max).expect_err("broken")
        };
        let inner = entry(1, 0, 0, 10, b"abc");
        let cut = &inner[..inner.len() - 1];
        assert_eq!(fault(entry(1, 1, 0, 0, cut), 1 << 20), LegacyFault::Cut);
        assert_eq!(fault(entry(1, 1, 0, 0, &inner), 20), LegacyFault::TooLarge);
        assert_eq!(
            fault(entry(1, 1, 0, 0, &entry(0, 0, 0, 0, b"a long value")), 99),
            LegacyFault::Magic(0)
        );
        assert_eq!(fault(entry(1, 7, 0, 0, &inner), 99), LegacyFault::Codec(UnknownCodec(7)));
        let mut short = entry(1, 1, 0, 0, &inner);
        short.truncate(30);
        assert_eq!(fault(short, 99), LegacyFault::Cut);
    }
}
