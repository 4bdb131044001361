//! The CRC-32 (IEEE 802.3) of the message formats 0 and 1 (`LegacyRecord`).
//!
//! It has to be checked: a batch of magic 2 whose header's end never reached the disk reads as an
//! entry of magic 0.

/// Where the stored CRC begins, and where the bytes begin that it covers.
const STORED_AT: usize = 12;
const COVERS_FROM: usize = 16;

/// The check of one entry whose bytes come in pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct LegacyCrc {
    stored: u32,
    state: u32,
}

impl LegacyCrc {
    /// Begins with the entry's first bytes; `None` when they do not reach its magic.
    pub(super) fn new(front: &[u8]) -> Option<Self> {
        let stored = u32::from_be_bytes(*front.get(STORED_AT..)?.first_chunk()?);
        let mut check = Self { stored, state: u32::MAX };
        check.update(front.get(COVERS_FROM..)?);
        Some(check)
    }

    /// Takes the next piece.
    pub(super) fn update(&mut self, piece: &[u8]) {
        self.state = piece
            .iter()
            .fold(self.state, |state, &byte| TABLE[usize::from(state as u8 ^ byte)] ^ (state >> 8));
    }

    /// The CRC of all these bytes.
    #[cfg(test)]
    pub(super) fn compute(covered: &[u8]) -> u32 {
        let mut check = Self { stored: 0, state: u32::MAX };
        check.update(covered);
        !check.state
    }

    /// True when all bytes have been taken and are those that were written.
    pub(super) fn matches(self) -> bool {
        !self.state == self.stored
    }
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            let carry = if value & 1 == 1 { 0xedb8_8320 } else { 0 };
            value = (value >> 1) ^ carry;
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::LegacyCrc;
    use alloc::vec::Vec;

    fn entry(crc: u32, covered: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::from([0; 12]);
        bytes.extend(crc.to_be_bytes());
        bytes.extend(covered);
        bytes
    }

    #[test]
    fn crc_is_that_of_ieee() {
        assert!(LegacyCrc::new(&entry(0xcbf4_3926, b"123456789")).unwrap().matches());
        assert!(!LegacyCrc::new(&entry(0xcbf4_3927, b"123456789")).unwrap().matches());
        let mut check = LegacyCrc::new(&entry(0xcbf4_3926, b"1234")).unwrap();
        check.update(b"56789");
        assert!(check.matches());
    }

    #[test]
    fn zeros_do_not_match() {
        for length in 1..200 {
            let covered: Vec<u8> = core::iter::repeat_n(0, length).collect();
            assert!(!LegacyCrc::new(&entry(0, &covered)).unwrap().matches(), "{length}");
        }
        assert!(LegacyCrc::new(&[0; 15]).is_none());
    }
}
