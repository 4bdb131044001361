//! What is compacted: records of which most have a later one with their key.

use klamm_core::batch::{BatchBuilder, Codec};
use klamm_core::rng::Rng;
use klamm_runtime::compression::compress;

use crate::batches::{Payload, now_ms};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 16;

/// Records that there are for each key: so many times as many are drawn, all keys alike.
pub(super) const RECORDS_PER_KEY: usize = 4;

/// Of a batch, before a codec.
pub(super) const BATCH_BYTES: usize = 64 << 10;

/// Values that records take turns with: more than one batch of large ones has.
const VALUES: usize = 256;

/// Records of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) value_bytes: usize,
    pub(super) codec: Option<Codec>,
}

pub(super) const LOADS: &[Load] = &[
    Load { name: "1 KiB", value_bytes: 1024, codec: None },
    Load { name: "100 B", value_bytes: 100, codec: None },
    Load { name: "1 KiB, lz4", value_bytes: 1024, codec: Some(Codec::Lz4) },
    Load { name: "100 B, lz4", value_bytes: 100, codec: Some(Codec::Lz4) },
];

/// The records of one log, batch by batch; each log of a load is the same.
pub(super) struct Records {
    codec: Option<Codec>,
    rng: Rng,
    values: Vec<Vec<u8>>,
    key_count: u64,
    records_per_batch: usize,
    /// The key of each record so far, by its offset.
    pub(super) keys: Vec<u32>,
}

impl Records {
    /// For a log of so many bytes before a codec.
    pub(super) fn new(load: &Load, bytes: usize) -> Self {
        let record_bytes = KEY_BYTES + load.value_bytes;
        let mut rng = Rng::from_seed([9; 32]);
        let value = |_| Payload::Half.value(load.value_bytes, &mut rng);
        Self {
            codec: load.codec,
            values: (0..VALUES).map(value).collect(),
            rng,
            key_count: (bytes / record_bytes / RECORDS_PER_KEY).max(1) as u64,
            records_per_batch: (BATCH_BYTES / record_bytes).max(1),
            keys: Vec::new(),
        }
    }

    /// The next batch, as a producer sends it, and its bytes before a codec.
    pub(super) fn next_batch(&mut self) -> (Vec<u8>, usize) {
        let mut builder = BatchBuilder::new();
        let now_ms = now_ms();
        for _ in 0..self.records_per_batch {
            let offset = self.keys.len();
            let key = self.rng.below(self.key_count) as u32;
            let value = &mut self.values[offset % VALUES];
            value[..8].copy_from_slice(&number(offset as i64));
            builder.append(now_ms, Some(&key_bytes(key)), Some(value));
            self.keys.push(key);
        }
        let raw_bytes = builder.records().len();
        if let Some(codec) = self.codec {
            let payload = compress(codec, builder.records());
            builder = builder.compressed(codec, payload.into());
        }
        (builder.encode(0, -1), raw_bytes)
    }
}

/// The key with a number.
pub(super) fn key_bytes(key: u32) -> [u8; KEY_BYTES] {
    let mut bytes = *b"key-000000000000";
    let mut rest = key;
    for digit in bytes.iter_mut().rev().take_while(|digit| **digit == b'0') {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    bytes
}

/// What a value begins with: its record's offset.
pub(super) fn number(offset: i64) -> [u8; 8] {
    offset.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_one_length() {
        assert_eq!(&key_bytes(0), b"key-000000000000");
        assert_eq!(&key_bytes(u32::MAX), b"key-004294967295");
    }

    #[test]
    fn each_log_of_a_load_is_the_same_and_has_few_keys() {
        for load in LOADS {
            let bytes = 1 << 20;
            let keys = || {
                let mut records = Records::new(load, bytes);
                let mut raw_bytes = 0;
                while raw_bytes < bytes {
                    raw_bytes += records.next_batch().1;
                }
                records.keys
            };
            let first = keys();
            assert_eq!(first, keys());
            let mut distinct = first.clone();
            distinct.sort_unstable();
            distinct.dedup();
            let share = distinct.len() as f64 / first.len() as f64;
            assert!((0.2..0.3).contains(&share), "{}: {share}", load.name);
        }
    }
}
