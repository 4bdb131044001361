//! A running fingerprint of everything that happened: two runs of one seed must have the same.

/// A digest under way (FNV-1a with 64 bits, a word at a time: short, and spread well enough to tell runs
/// apart).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Adds bytes, and how many they are.
    pub fn add(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add_number(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.add_number(u64::from(*byte));
        }
        self.add_number(bytes.len() as u64);
    }

    /// Adds a number.
    pub fn add_number(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x0100_0000_01b3);
    }

    /// The digest so far.
    pub fn value(self) -> u64 {
        self.0
    }
}
