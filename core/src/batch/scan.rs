//! Steps from batch to batch through the bytes of a log: recovery and replay.

use super::checked::HEADER_BYTES;
use super::header::{BatchHeader, LOG_OVERHEAD_BYTES, UP_TO_MAGIC_BYTES};
use super::records::Records;

/// The least that a length may say: a record of magic 0 without key and value
/// (`LegacyRecord.RECORD_OVERHEAD_V0`).
pub(super) const LENGTH_MIN: i32 = 14;
/// The same for magic 1, which has a timestamp.
pub(super) const LENGTH_MIN_V1: i32 = 22;
/// The same for magic 2: the rest of its header.
const LENGTH_MIN_V2: i32 = (HEADER_BYTES - LOG_OVERHEAD_BYTES) as i32;

/// What stands at the front of `bytes`, which begin where a batch begins. The CRC is not looked at:
/// see [`BatchView::verify_crc`]. A batch larger than `size_max` counts as invalid, so that a
/// damaged length makes nobody read on.
pub fn next_batch(bytes: &[u8], size_max: usize) -> Step<'_> {
    let header_incomplete =
        Step::HeaderIncomplete { missing: UP_TO_MAGIC_BYTES.saturating_sub(bytes.len()) };
    let Some(&front) = bytes.first_chunk::<LOG_OVERHEAD_BYTES>() else {
        return header_incomplete;
    };
    let [o0, o1, o2, o3, o4, o5, o6, o7, l0, l1, l2, l3] = front;
    let offset = i64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
    let length = i32::from_be_bytes([l0, l1, l2, l3]);
    if length < LENGTH_MIN {
        return Step::Invalid(BatchFault::LengthTooSmall { length, least: LENGTH_MIN });
    }
    let Some(magic) = bytes.get(UP_TO_MAGIC_BYTES - 1).map(|&magic| magic as i8) else {
        return header_incomplete;
    };
    let least = match magic {
        0 => LENGTH_MIN,
        1 => LENGTH_MIN_V1,
        2 => LENGTH_MIN_V2,
        other => return Step::Invalid(BatchFault::Magic(other)),
    };
    if length < least {
        return Step::Invalid(BatchFault::LengthTooSmall { length, least });
    }
    let size = LOG_OVERHEAD_BYTES + length as usize;
    if size > size_max {
        return Step::Invalid(BatchFault::TooLarge { size, size_max });
    }
    let Some(whole) = bytes.get(..size) else {
        return Step::BodyIncomplete { size, missing: size - bytes.len() };
    };
    if magic < 2 {
        return Step::Legacy(LegacyEntry { magic, last_offset: offset, size });
    }
    match BatchHeader::parse(whole) {
        Some(header) => Step::Batch(BatchView { header, bytes: whole }),
        None => Step::HeaderIncomplete { missing: HEADER_BYTES - whole.len() },
    }
}

/// What [`next_batch`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The bytes end before the batch's kind and size are known; also when there are none.
    HeaderIncomplete {
        /// At least so many more are needed.
        missing: usize,
    },
    /// The bytes end inside the batch.
    BodyIncomplete {
        /// The whole batch.
        size: usize,
        /// Exactly so many more are needed for it.
        missing: usize,
    },
    /// No batch can begin with these bytes.
    Invalid(BatchFault),
    /// An entry of the old message formats: to be stepped over.
    Legacy(LegacyEntry),
    /// A whole batch of magic 2.
    Batch(BatchView<'a>),
}

/// An entry of a message set of magic 0 or 1. Its size is valid; its CRC-32 (another polynomial
/// than that of magic 2) is not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegacyEntry {
    /// 0 or 1.
    pub magic: i8,
    /// Its offset; that of the last inner record when it is compressed.
    pub last_offset: i64,
    /// Bytes of the whole entry.
    pub size: usize,
}

/// A whole batch of magic 2 in borrowed bytes: magic and size are right, the rest is unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchView<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// Its header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All its bytes, header included.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes in all.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The records, as they are stored: compressed or not.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// The records, when they are not compressed.
    pub fn records(&self) -> Option<Records<'a>> {
        matches!(self.header.attributes.codec(), Ok(None))
            .then(|| Records::new(self.body(), self.header.record_count))
    }

    /// Computes the CRC-32C anew and compares.
    pub fn verify_crc(&self) -> Result<(), BatchFault> {
        let mut check = CrcCheck::new(&self.header);
        check.update(self.body());
        check.finish()
    }
}

/// The CRC of a batch whose body comes in pieces.
#[derive(Clone, Copy, Debug)]
pub struct CrcCheck {
    stored: u32,
    computed: u32,
}

impl CrcCheck {
    /// Begins with the header.
    pub fn new(header: &BatchHeader) -> Self {
        Self { stored: header.crc, computed: header.compute_crc(&[]) }
    }

    /// Takes the next piece of the body.
    pub fn update(&mut self, piece: &[u8]) {
        self.computed = crc32c::crc32c_append(self.computed, piece);
    }

    /// Compares, when all of the body has been taken.
    pub fn finish(self) -> Result<(), BatchFault> {
        let Self { stored, computed } = self;
        if stored == computed { Ok(()) } else { Err(BatchFault::Crc { stored, computed }) }
    }
}

/// Why bytes are no batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchFault {
    /// The length field is less than the smallest batch of its magic.
    #[error("length {length} is less than the least possible, {least}")]
    LengthTooSmall {
        /// As it stands.
        length: i32,
        /// The least possible.
        least: i32,
    },
    /// Larger than the caller allows.
    #[error("a batch of {size} bytes is larger than the limit of {size_max}")]
    TooLarge {
        /// Of the whole batch.
        size: usize,
        /// The limit.
        size_max: usize,
    },
    /// No format has this number.
    #[error("magic {0} is unknown")]
    Magic(i8),
    /// The bytes are not those that were written.
    #[error("CRC is {computed:#010x}, stored is {stored:#010x}")]
    Crc {
        /// In the header.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::batch::BatchBuilder;

    const SIZE_MAX: usize = 1 << 20;

    fn batch() -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        builder.append(1_000, Some(b"key"), Some(b"value"));
        builder.append(1_001, None, Some(b"value"));
        builder.encode(5, 3)
    }

    fn legacy(magic: u8, length: i32) -> Vec<u8> {
        let mut bytes = vec![0; LOG_OVERHEAD_BYTES + length as usize];
        bytes[7] = 77;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = magic;
        bytes
    }

    #[test]
    fn whole_batch_is_found_and_what_follows_is_left() {
        let mut bytes = batch();
        let size = bytes.len();
        bytes.extend_from_slice(&[9; 30]);
        let Step::Batch(view) = next_batch(&bytes, SIZE_MAX) else { panic!("no batch") };
        assert_eq!(view.size(), size);
        assert_eq!((view.header().base_offset, view.header().last_offset()), (5, 6));
        assert_eq!(view.verify_crc(), Ok(()));
        assert_eq!(view.records().map(Iterator::count), Some(2));
    }

    #[test]
    fn cut_batch_says_how_much_is_missing() {
        let bytes = batch();
        for cut in 0..bytes.len() {
            let expected = if cut < UP_TO_MAGIC_BYTES {
                Step::HeaderIncomplete { missing: UP_TO_MAGIC_BYTES - cut }
            } else {
                Step::BodyIncomplete { size: bytes.len(), missing: bytes.len() - cut }
            };
            assert_eq!(next_batch(&bytes[..cut], SIZE_MAX), expected);
        }
    }

    #[test]
    fn old_formats_are_stepped_over() {
        for (magic, length) in [(0, 14), (1, 22)] {
            let bytes = legacy(magic, length);
            let entry = LegacyEntry { magic: magic as i8, last_offset: 77, size: bytes.len() };
            assert_eq!(next_batch(&bytes, SIZE_MAX), Step::Legacy(entry));
        }
        let fault = BatchFault::LengthTooSmall { length: 21, least: 22 };
        assert_eq!(next_batch(&legacy(1, 21), SIZE_MAX), Step::Invalid(fault));
    }

    #[test]
    fn lengths_and_magics_that_cannot_be_are_invalid() {
        let zeros = BatchFault::LengthTooSmall { length: 0, least: 14 };
        assert_eq!(next_batch(&[0; 100], SIZE_MAX), Step::Invalid(zeros));
        assert_eq!(next_batch(&legacy(3, 60), SIZE_MAX), Step::Invalid(BatchFault::Magic(3)));
        let short = BatchFault::LengthTooSmall { length: 48, least: 49 };
        assert_eq!(next_batch(&legacy(2, 48), SIZE_MAX), Step::Invalid(short));
        let bytes = batch();
        let large = BatchFault::TooLarge { size: bytes.len(), size_max: 70 };
        assert_eq!(next_batch(&bytes, 70), Step::Invalid(large));
    }

    #[test]
    fn every_flipped_bit_behind_the_crc_is_noticed() {
        let good = batch();
        for at in 17..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            let Step::Batch(view) = next_batch(&bytes, SIZE_MAX) else { panic!("no batch") };
            assert!(matches!(view.verify_crc(), Err(BatchFault::Crc { .. })), "byte {at}");
        }
    }

    #[test]
    fn crc_may_be_checked_in_pieces() {
        let bytes = batch();
        let Step::Batch(view) = next_batch(&bytes, SIZE_MAX) else { panic!("no batch") };
        let mut check = CrcCheck::new(view.header());
        view.body().chunks(3).for_each(|piece| check.update(piece));
        assert_eq!(check.finish(), Ok(()));
    }
}
