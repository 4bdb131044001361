//! The hash that stands for a key while a log is compacted: SipHash-2-4 with 128 bits (Aumasson and
//! Bernstein; public domain).
//!
//! Two keys with one hash would be taken for one, and the earlier record would be lost. By chance that does not
//! happen with 128 bits; on purpose it could, had the hash no secret: each compaction draws its own from the
//! broker's seed. Kafka takes MD5, which has none.

/// Hashes keys under a secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyHasher {
    secret: [u64; 2],
}

/// A key's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyHash(pub(super) u64, pub(super) u64);

impl KeyHasher {
    pub(super) fn new(secret: [u64; 2]) -> Self {
        Self { secret }
    }

    pub(super) fn hash(&self, key: &[u8]) -> KeyHash {
        let mut state = State::new(self.secret);
        let (words, rest) = key.as_chunks::<8>();
        for word in words {
            state.compress(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        last[7] = key.len() as u8;
        state.compress(u64::from_le_bytes(last));
        state.finish()
    }
}

struct State([u64; 4]);

impl State {
    fn new([k0, k1]: [u64; 2]) -> Self {
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    fn compress(&mut self, word: u64) {
        self.0[3] ^= word;
        self.rounds(2);
        self.0[0] ^= word;
    }

    fn finish(mut self) -> KeyHash {
        self.0[2] ^= 0xee;
        self.rounds(4);
        let first = self.sum();
        self.0[1] ^= 0xdd;
        self.rounds(4);
        KeyHash(first, self.sum())
    }

    fn sum(&self) -> u64 {
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }

    fn rounds(&mut self, count: usize) {
        let [mut v0, mut v1, mut v2, mut v3] = self.0;
        for _ in 0..count {
            v0 = v0.wrapping_add(v1);
            v1 = v1.rotate_left(13) ^ v0;
            v0 = v0.rotate_left(32);
            v2 = v2.wrapping_add(v3);
            v3 = v3.rotate_left(16) ^ v2;
            v0 = v0.wrapping_add(v3);
            v3 = v3.rotate_left(21) ^ v0;
            v2 = v2.wrapping_add(v1);
            v1 = v1.rotate_left(17) ^ v2;
            v2 = v2.rotate_left(32);
        }
        self.0 = [v0, v1, v2, v3];
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{KeyHash, KeyHasher};

    /// Of the reference implementation: the key is 00 to 0f, the input 00, 01 and so on.
    #[test]
    fn hashes_are_those_of_the_reference() {
        let hasher = KeyHasher::new([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        let bytes = |KeyHash(first, second): KeyHash| -> Vec<u8> {
            [first.to_le_bytes(), second.to_le_bytes()].concat()
        };
        let empty = [
            0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55,
            0x02, 0x93,
        ];
        assert_eq!(bytes(hasher.hash(&[])), empty);
        let one = [
            0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22,
            0xfc, 0x45,
        ];
        assert_eq!(bytes(hasher.hash(&[0])), one);
    }

    #[test]
    fn keys_differ_by_length_and_hashes_by_secret() {
        let hasher = KeyHasher::new([1, 2]);
        let hashes = [b"".as_slice(), &[0], &[0; 7], &[0; 8], &[0; 9], &[0; 16]];
        for (at, key) in hashes.iter().enumerate() {
            for other in &hashes[at + 1..] {
                assert_ne!(hasher.hash(key), hasher.hash(other));
            }
            assert_ne!(hasher.hash(key), KeyHasher::new([1, 3]).hash(key));
        }
    }
}
