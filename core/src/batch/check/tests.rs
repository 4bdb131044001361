//! What the recorded answers of Kafka do not show: what is stored, and the limits.

mod conversion;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::*;
use crate::batch::testing::Stored;
use crate::batch::{Attributes, BatchBuilder, ByteStream, CompressionError};
use crate::time::Instant;

const NOW: Now = Now { mono: Instant::ZERO, wall_ms: 1_700_000_000_000 };

/// A codec that never ends.
#[derive(Debug)]
struct Endless;

impl Compression for Endless {
    fn decompress(&self, _: Codec, _: Bytes) -> Result<Box<dyn ByteStream>, CompressionError> {
        Ok(Box::new(EndlessStream))
    }

    fn compress(
        &self,
        _: Codec,
        _: i32,
        _: &mut dyn ByteStream,
        _: usize,
    ) -> Result<Bytes, CompressionError> {
        panic!("a batch that is refused is not compressed");
    }
}

struct EndlessStream;

impl ByteStream for EndlessStream {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, CompressionError> {
        // A record of 2^31 - 1 bytes with a key that nearly fills it.
        let pattern = [0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0xe0, 0xff, 0xff, 0xff, 0x0f];
        out.iter_mut().zip(pattern.iter().cycle()).for_each(|(byte, &next)| *byte = next);
        Ok(out.len())
    }
}

fn rules(config: &TopicConfig) -> ProduceRules<'_> {
    ProduceRules {
        version: 13,
        topic: "t",
        partition: 3,
        config,
        decompressed_bytes_max: 1 << 20,
        converted_bytes_max: usize::MAX,
        record_errors_max: 100,
    }
}

fn check(records: &Bytes, config: &TopicConfig) -> Result<CheckedBatch, Fault> {
    check_produced(Some(records), &rules(config), &Stored, NOW)
}

fn three_records() -> BatchBuilder {
    let mut builder = BatchBuilder::new();
    for (timestamp_ms, value) in [(1_000, "one"), (3_000, "two"), (2_000, "three")] {
        builder.append(timestamp_ms, Some(b"key"), Some(value.as_bytes()));
    }
    builder
}

fn sent(builder: BatchBuilder) -> Bytes {
    Bytes::from(builder.encode(0, -1))
}

/// A produced batch whose header `change` has changed and sealed again.
fn with_header(builder: BatchBuilder, change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let bytes = builder.encode(0, -1);
    let mut header = BatchHeader::parse(&bytes).expect("whole");
    change(&mut header);
    header.seal(&bytes[HEADER_BYTES..]);
    Bytes::from([&header.write(), &bytes[HEADER_BYTES..]].concat())
}

/// The header as it is stored; its CRC must be right.
fn stored(batch: CheckedBatch) -> BatchHeader {
    let bytes = batch.place(100, 7).concat();
    let Step::Batch(view) = next_batch(&bytes, usize::MAX) else { panic!("no batch") };
    assert_eq!(view.verify_crc(), Ok(()));
    assert_eq!((view.header().base_offset, view.header().leader_epoch), (100, 7));
    *view.header()
}

#[test]
fn good_batch_is_a_slice_of_what_was_sent() {
    let records = sent(three_records());
    let batch = check(&records, &TopicConfig::default()).expect("good");
    assert_eq!(batch.info().record_count, 3);
    assert_eq!(batch.info().size as usize, records.len());
    let [header, body] = batch.place(0, -1);
    assert_eq!(body.as_ptr(), records[HEADER_BYTES..].as_ptr());
    assert_eq!([header, body].concat(), records);
}

#[test]
fn what_follows_the_batch_is_left_out() {
    let whole = sent(three_records());
    let records = Bytes::from([&whole[..], &whole[..40]].concat());
    let batch = check(&records, &TopicConfig::default()).expect("good");
    assert_eq!(batch.place(0, -1).concat(), whole);
}

#[test]
fn wrong_maximum_is_put_right_with_a_new_crc() {
    let records = with_header(three_records(), |header| {
        header.max_timestamp_ms = 9_999;
        header.attributes = Attributes(0x0f80);
    });
    let batch = check(&records, &TopicConfig::default()).expect("good");
    assert_eq!(batch.info().max_timestamp_ms, 3_000);
    let header = stored(batch);
    assert_eq!(header.max_timestamp_ms, 3_000);
    assert_eq!(header.attributes, Attributes(0), "sealed anew, idle bits fall");
}

#[test]
fn idle_attribute_bits_are_stored_as_sent() {
    let records = with_header(three_records(), |header| header.attributes = Attributes(0x0fc0));
    let batch = check(&records, &TopicConfig::default()).expect("good");
    assert_eq!(stored(batch).attributes, Attributes(0x0fc0));
}

#[test]
fn clients_append_time_bit_is_cleared() {
    let records = with_header(three_records(), |header| {
        header.attributes = header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        header.max_timestamp_ms = 5_000;
    });
    let header = stored(check(&records, &TopicConfig::default()).expect("good"));
    assert_eq!(header.attributes.timestamp_type(), TimestampType::CreateTime);
    // The maximum stood for every record.
    assert_eq!(header.max_timestamp_ms, 5_000);
}

#[test]
fn append_time_topic_stamps_the_batch() {
    let config = TopicConfig { log_append_time: true, ..TopicConfig::default() };
    let header = stored(check(&sent(three_records()), &config).expect("good"));
    assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(header.max_timestamp_ms, NOW.wall_ms);
    assert_eq!(header.base_timestamp_ms, 1_000);
}

#[test]
fn compressed_records_are_decoded_in_small_pieces() {
    let plain = three_records();
    let payload = Bytes::copy_from_slice(plain.records());
    let records = sent(plain.clone().compressed(Codec::Lz4, payload.clone()));
    let batch = check(&records, &TopicConfig::default()).expect("good");
    assert_eq!(batch.info().max_timestamp_ms, 3_000);
    for cut in 0..payload.len() {
        let records = sent(plain.clone().compressed(Codec::Lz4, payload.slice(..cut)));
        let fault = check(&records, &TopicConfig::default()).expect_err("cut");
        assert_eq!((fault.error, fault.knows_log_start), (ErrorCode::INVALID_RECORD, true));
    }
}

#[test]
fn record_size_is_checked_in_compressed_batches_too() {
    let plain = three_records();
    for (at, change) in [(0, 2_u8), (0, 0xfe)] {
        let mut payload = plain.records().to_vec();
        payload[at] = payload[at].wrapping_add(change);
        let records = sent(plain.clone().compressed(Codec::Lz4, Bytes::from(payload)));
        let fault = check(&records, &TopicConfig::default()).expect_err("wrong size");
        assert_eq!(fault.error, ErrorCode::INVALID_RECORD);
    }
}

#[test]
fn decompression_ends_at_its_limit() {
    let records = sent(three_records().compressed(Codec::Gzip, Bytes::from_static(b"x")));
    let config = TopicConfig::default();
    let fault = check_produced(Some(&records), &rules(&config), &Endless, NOW)
        .expect_err("more than a MiB");
    assert_eq!(fault.error, ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(fault.message.as_deref(), Some("The batch decompresses to more than 1048576 bytes"));
    assert!(!fault.knows_log_start);
}

#[test]
fn list_of_record_errors_is_cut_at_its_limit() {
    let mut builder = BatchBuilder::new();
    (0..10).for_each(|_| builder.append(0, None, None));
    let records = sent(builder);
    let config = TopicConfig { compacted: true, ..TopicConfig::default() };
    let faults: Vec<_> = [0, 2, 100]
        .into_iter()
        .map(|record_errors_max| {
            let rules = ProduceRules { record_errors_max, ..rules(&config) };
            check_produced(Some(&records), &rules, &Stored, NOW).expect_err("no keys")
        })
        .collect();
    let listed: Vec<_> = faults.iter().map(|fault| fault.record_errors.len()).collect();
    assert_eq!(listed, [0, 2, 10]);
    for fault in &faults {
        let message = fault.message.as_deref().expect("a message");
        assert!(message.contains("due to 10 record errors in total"), "{message}");
        assert_eq!(message.matches("RecordError(").count(), 3);
    }
}

#[test]
fn heads_are_judged_in_the_requests_order() {
    let transactional = sent(three_records().producer(1, 0, 0).transactional());
    let bad_magic = {
        let mut bytes = sent(three_records()).to_vec();
        bytes[16] = 3;
        bytes
    };
    let heads = |first: &[u8], second: &[u8], id: Option<&str>| {
        check_request_heads([None, Some(first), Some(second)], id).map_err(|fault| fault.error)
    };
    let corrupt = Err(ErrorCode::CORRUPT_MESSAGE);
    assert_eq!(heads(&bad_magic, &transactional, Some("id")), corrupt);
    // The search ends at the transactional batch; the other one is found with its partition.
    assert_eq!(heads(&transactional, &bad_magic, Some("id")), Ok(()));
    let refused = Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    assert_eq!(heads(&transactional, &bad_magic, None), refused);
}
