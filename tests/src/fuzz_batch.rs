//! Fuzz bodies for record batches: whatever the bytes are, nothing panics, nothing runs on, and
//! what passes the check is sound.

use bytes::Bytes;
use klamm_core::batch::{
    Attributes, BatchBuilder, BatchHeader, CheckedBatch, Codec, HEADER_BYTES, ProduceRules,
    Records, Step, check_produced, check_request_heads, next_batch,
};
use klamm_core::config::{StoredCompression, TopicConfig};
use klamm_core::rng::Rng;
use klamm_core::time::{Instant, Now};
use klamm_runtime::compression::{Codecs, compress};

/// What a check may decompress here.
const DECOMPRESSED_BYTES_MAX: u64 = 1 << 20;
const NOW: Now = Now { mono: Instant::ZERO, wall_ms: 1_700_000_000_000 };

/// Steps through bytes as recovery does. Steps add up to no more than there is.
pub fn fuzz_scan(data: &[u8]) {
    let mut rest = data;
    loop {
        let size = match next_batch(rest, 1 << 20) {
            Step::Batch(view) => {
                assert_eq!(view.bytes().len(), view.header().size());
                let sound = view.verify_crc().is_ok();
                assert_eq!(sound, view.header().compute_crc(view.body()) == view.header().crc);
                if let Some(records) = view.records() {
                    drain(records, view.body().len());
                }
                view.size()
            }
            Step::Legacy(entry) => entry.size,
            Step::BodyIncomplete { size, missing } => {
                assert_eq!(rest.len() + missing, size);
                return;
            }
            Step::HeaderIncomplete { missing } => {
                assert!(missing > 0);
                return;
            }
            Step::Invalid(fault) => {
                assert!(!fault.to_string().is_empty());
                return;
            }
        };
        assert!(size > 0, "a step that goes nowhere");
        rest = rest.get(size..).expect("a step stays inside");
    }
}

/// Reads the bytes as an uncompressed body, under several counts.
pub fn fuzz_records(data: &[u8]) {
    for record_count in [i32::MIN, -1, 0, 1, 2, 1_000, i32::MAX] {
        drain(Records::new(data, record_count), data.len());
    }
}

/// Checks the bytes as a produced record set, under several topics. What passes is one whole batch
/// whose CRC and records are right. Says whether anything passed.
pub fn fuzz_check(data: &[u8]) -> bool {
    let mut passed = false;
    let records = Bytes::copy_from_slice(data);
    let plain = TopicConfig::default();
    let compacted = TopicConfig { compacted: true, ..plain.clone() };
    let append_time = TopicConfig { log_append_time: true, ..plain.clone() };
    for (version, config) in [(3, &plain), (13, &compacted), (9, &append_time)] {
        let rules = ProduceRules {
            version,
            topic: "topic",
            partition: 0,
            config,
            decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
            converted_bytes_max: usize::MAX,
            record_errors_max: 5,
        };
        match check_produced(Some(&records), &rules, &Codecs::default(), NOW) {
            Err(fault) => assert!(fault.record_errors.len() <= rules.record_errors_max),
            Ok(batch) => {
                let info = *batch.info();
                assert!(info.record_count > 0 && info.size as usize <= data.len());
                let bytes = batch.place(50, 1).concat();
                let Step::Batch(view) = next_batch(&bytes, usize::MAX) else {
                    panic!("a checked batch is a batch")
                };
                assert_eq!(view.size(), bytes.len());
                assert_eq!(view.verify_crc(), Ok(()));
                if let Some(mut records) = view.records() {
                    assert!(records.all(|record| record.is_ok()));
                }
                check_request_heads([Some(data)], Some("id"))
                    .expect("a good batch has a good head");
                passed = true;
            }
        }
    }
    passed
}

/// Checks the bytes as a record set for topics of every codec, with little room. What passes is a
/// batch of that codec within its bound, and converting it back gives records as sound. Says whether
/// anything was converted.
pub fn fuzz_convert(data: &[u8]) -> bool {
    let mut converted = false;
    let records = Bytes::copy_from_slice(data);
    for (stored, codec) in STORED {
        for message_bytes_max in [1 << 20, 120] {
            let Some(batch) = check_stored_as(&records, stored, message_bytes_max) else {
                continue;
            };
            let is_converted = batch.is_converted();
            converted |= is_converted;
            assert!(batch.info().size <= message_bytes_max);
            let was = *batch.info();
            let bytes = Bytes::from(batch.place(0, -1).concat());
            let Step::Batch(view) = next_batch(&bytes, usize::MAX) else {
                panic!("a checked batch is a batch")
            };
            assert_eq!((view.size(), view.verify_crc()), (bytes.len(), Ok(())));
            assert_eq!(view.header().attributes.codec(), Ok(codec));
            if !is_converted {
                // A batch that is kept as it came may be one that could not be converted.
                continue;
            }
            let plain = check_stored_as(&bytes, StoredCompression::Uncompressed, u32::MAX);
            let plain = plain.expect("what was stored can be sent");
            let now = *plain.info();
            assert_eq!(
                (now.record_count, now.last_offset_delta, now.max_timestamp_ms),
                (was.record_count, was.last_offset_delta, was.max_timestamp_ms)
            );
            let [_, body] = plain.place(0, -1);
            assert!(Records::new(&body, was.record_count).all(|record| record.is_ok()));
        }
    }
    converted
}

/// What topics may store, and the codec that is then on disk.
const STORED: [(StoredCompression, Option<Codec>); 5] = [
    (StoredCompression::Uncompressed, None),
    (StoredCompression::Codec(Codec::Gzip), Some(Codec::Gzip)),
    (StoredCompression::Codec(Codec::Snappy), Some(Codec::Snappy)),
    (StoredCompression::Codec(Codec::Lz4), Some(Codec::Lz4)),
    (StoredCompression::Codec(Codec::Zstd), Some(Codec::Zstd)),
];

fn check_stored_as(
    records: &Bytes,
    compression: StoredCompression,
    message_bytes_max: u32,
) -> Option<CheckedBatch> {
    let config = TopicConfig { compression, message_bytes_max, ..TopicConfig::default() };
    let rules = ProduceRules {
        version: 13,
        topic: "topic",
        partition: 0,
        config: &config,
        decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
        converted_bytes_max: usize::MAX,
        record_errors_max: 5,
    };
    check_produced(Some(records), &rules, &Codecs::default(), NOW).ok()
}

/// Passes over records; what they name lies inside the body, and there is an end.
fn drain(records: Records<'_>, body_bytes: usize) {
    let mut named = 0;
    for record in records.filter_map(Result::ok) {
        named += 7 + record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        for header in record.headers {
            named += 2 + header.key.len() + header.value.map_or(0, <[u8]>::len);
        }
    }
    assert!(named <= body_bytes, "{named} bytes out of {body_bytes}");
}

/// A record set for the bodies above: a batch of any codec, damaged in some places, often with its
/// CRC put right so that the damage is looked at.
pub fn record_set(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = batch(rng);
    if rng.below(4) == 0 {
        bytes.extend(batch(rng));
    }
    for _ in 0..rng.below(4) {
        let at = rng.below(bytes.len() as u64) as usize;
        bytes[at] = match rng.below(3) {
            0 => rng.next_u64() as u8,
            1 => 0xff,
            _ => bytes[at] ^ 1 << rng.below(8),
        };
    }
    if rng.below(4) > 0 {
        seal(&mut bytes);
    }
    bytes
}

fn batch(rng: &mut Rng) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for _ in 0..=rng.below(4) {
        let value = vec![b'v'; rng.below(30) as usize];
        let key = (rng.below(2) == 0).then_some(b"key".as_slice());
        builder.append(NOW.wall_ms - rng.below(1_000) as i64, key, Some(&value));
    }
    let codec = match rng.below(5) {
        0 => Codec::Gzip,
        1 => Codec::Snappy,
        2 => Codec::Lz4,
        3 => Codec::Zstd,
        _ => return builder.encode(0, -1),
    };
    // Damage in the records themselves, behind a sound compression.
    let mut records = builder.records().to_vec();
    if rng.below(2) == 0 {
        let at = rng.below(records.len() as u64) as usize;
        records[at] = rng.next_u64() as u8;
    }
    let mut payload = compress(codec, &records);
    if rng.below(4) == 0 {
        payload.truncate(rng.below(payload.len() as u64) as usize);
    }
    let payload = Bytes::from(payload);
    builder.compressed(codec, payload).encode(0, -1)
}

/// Puts the first batch's CRC right, if its length is.
fn seal(bytes: &mut [u8]) {
    let Some(mut header) = BatchHeader::parse(bytes) else { return };
    let Some(body) = bytes.get(HEADER_BYTES..header.size()) else { return };
    header.attributes = Attributes(header.attributes.0 & !0x20);
    header.seal(body);
    bytes[..HEADER_BYTES].copy_from_slice(&header.write());
}
