//! Batches that are written anew in their topic's codec.

use super::*;
use crate::batch::{NewRecord, Record, Records};
use crate::config::StoredCompression;

const LZ4: StoredCompression = StoredCompression::Codec(Codec::Lz4);

fn storing(compression: StoredCompression) -> TopicConfig {
    TopicConfig { compression, ..TopicConfig::default() }
}

/// A batch with everything in it.
fn rich() -> BatchBuilder {
    let mut builder = BatchBuilder::new().producer(7, 3, 40).transactional();
    let headers: &[(&[u8], Option<&[u8]>)] = &[(b"h", Some(b"1")), (b"", None)];
    let (key, value) = (Some(b"k".as_slice()), None);
    builder.append_record(&NewRecord { timestamp_ms: 5_000, key, value, headers });
    builder.append(4_000, None, Some(b"value"));
    builder.append(-1, Some(b""), Some(&alloc::vec![9; 20_000]));
    builder
}

/// The stored batch: its header, and its records.
fn converted(records: &Bytes, config: &TopicConfig) -> (BatchHeader, Vec<u8>) {
    let batch = check(records, config).expect("good");
    assert!(batch.is_converted());
    let bytes = batch.place(100, 7).concat();
    let Step::Batch(view) = next_batch(&bytes, usize::MAX) else { panic!("no batch") };
    assert_eq!((view.verify_crc(), view.size()), (Ok(()), bytes.len()));
    let body = view.body();
    let count = view.header().record_count;
    assert!(Records::new(body, count).all(|record| record.is_ok()), "as it is not compressed");
    (*view.header(), body.to_vec())
}

fn refusal(records: &Bytes, config: &TopicConfig) -> (ErrorCode, bool) {
    let fault = check(records, config).expect_err("refused");
    assert_eq!((fault.message, fault.record_errors), (None, Vec::new()));
    (fault.error, fault.knows_log_start)
}

#[test]
fn nothing_but_the_codec_changes() {
    let payload = Bytes::copy_from_slice(rich().records());
    let compressed = sent(rich().compressed(Codec::Gzip, payload));
    let plain = sent(rich());
    for (records, stored, codec) in [
        (&plain, LZ4, Some(Codec::Lz4)),
        (&compressed, LZ4, Some(Codec::Lz4)),
        (&compressed, StoredCompression::Uncompressed, None),
    ] {
        let (header, body) = converted(records, &storing(stored));
        let was = BatchHeader::parse(&plain).expect("whole");
        assert_eq!(header.attributes, was.attributes.with_codec(codec));
        let (base_offset, leader_epoch, crc) = (100, 7, header.crc);
        let attributes = header.attributes;
        assert_eq!(header, BatchHeader { base_offset, leader_epoch, crc, attributes, ..was });
        assert_eq!(body, rich().records());
    }
}

#[test]
fn batch_in_its_topics_codec_is_a_slice_of_what_was_sent() {
    let payload = Bytes::copy_from_slice(rich().records());
    for (records, stored) in [
        (sent(rich()), StoredCompression::Uncompressed),
        (sent(rich().compressed(Codec::Lz4, payload)), LZ4),
    ] {
        let batch = check(&records, &storing(stored)).expect("good");
        assert!(!batch.is_converted());
        assert_eq!(batch.place(0, -1)[1].as_ptr(), records[HEADER_BYTES..].as_ptr());
    }
}

#[test]
fn offsets_are_counted_anew() {
    let mut body = three_records().records().to_vec();
    let second = body[0] as usize / 2 + 1;
    body[second + 4] = 10;
    let records = |builder: BatchBuilder| {
        sent(builder.compressed(Codec::Gzip, Bytes::copy_from_slice(&body)))
    };
    let deltas: Vec<_> = Records::new(&body, 3).map(|r| r.expect("sound").offset_delta).collect();
    assert_eq!(deltas, [0, 5, 2]);
    let (header, stored) = converted(&records(three_records()), &storing(LZ4));
    assert_eq!(header.last_offset_delta, 2);
    assert_eq!(stored, three_records().records());
    let as_produced = storing(StoredCompression::AsProduced);
    let unknown = (ErrorCode::UNKNOWN_SERVER_ERROR, true);
    assert_eq!(refusal(&records(three_records()), &as_produced), unknown);
}

#[test]
fn base_timestamp_becomes_that_of_the_first_record() {
    let records = with_header(three_records(), |header| header.base_timestamp_ms = 11_000);
    let (header, body) = converted(&records, &storing(LZ4));
    assert_eq!((header.base_timestamp_ms, header.max_timestamp_ms), (11_000, 13_000));
    assert_eq!(body, three_records().records());

    let mut builder = BatchBuilder::new();
    builder.append(1_000, None, None);
    builder.append(500, None, None);
    let mut moved = builder.records().to_vec();
    // The first record's delta becomes 3, the second's stays -500.
    moved[2] = 6;
    let records = sent(builder.compressed(Codec::Gzip, Bytes::from(moved)));
    let (header, body) = converted(&records, &storing(LZ4));
    assert_eq!((header.base_timestamp_ms, header.max_timestamp_ms), (1_003, 1_003));
    let deltas: Vec<_> =
        Records::new(&body, 2).map(|record| record.expect("sound").timestamp_delta).collect();
    assert_eq!(deltas, [0, -503]);
}

#[test]
fn append_time_leaves_the_records_times() {
    let config = TopicConfig { log_append_time: true, ..storing(LZ4) };
    let (header, body) = converted(&sent(three_records()), &config);
    assert_eq!(header.append_time_ms(), Some(NOW.wall_ms));
    assert_eq!(header.base_timestamp_ms, 1_000);
    assert_eq!(body, three_records().records());
    let batch = check(&sent(three_records()), &config).expect("good");
    assert_eq!(batch.info().log_append_time_ms, NOW.wall_ms);
}

#[test]
fn append_time_of_the_client_becomes_each_records_own() {
    let records = with_header(three_records(), |header| {
        header.attributes = header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        header.max_timestamp_ms = 5_000;
    });
    let (header, body) = converted(&records, &storing(LZ4));
    assert_eq!(header.append_time_ms(), None);
    assert_eq!((header.base_timestamp_ms, header.max_timestamp_ms), (5_000, 5_000));
    let no_deltas = |record: Record<'_>| record.timestamp_delta == 0;
    assert!(Records::new(&body, 3).all(|record| no_deltas(record.expect("sound"))));
}

#[test]
fn bits_without_meaning_and_record_attributes_fall() {
    let mut body = three_records().records().to_vec();
    body[1] = 0x7f;
    let mut records = with_header(three_records(), |header| header.attributes = Attributes(0x0fc0));
    records = Bytes::from([&records[..HEADER_BYTES], &body].concat());
    let mut header = BatchHeader::parse(&records).expect("whole");
    header.seal(&body);
    records = Bytes::from([&header.write()[..], &body].concat());
    let (header, stored) = converted(&records, &storing(LZ4));
    assert_eq!(header.attributes, Attributes::default().with_codec(Some(Codec::Lz4)));
    assert_eq!(stored, three_records().records());
}

#[test]
fn size_counts_as_sent_and_as_stored() {
    let payload = Bytes::copy_from_slice(rich().records());
    let records = sent(rich().compressed(Codec::Gzip, payload));
    // What this codec stores takes as many bytes as what was sent.
    let size = records.len() as u32;
    for (stored, target) in [(LZ4, "compressed"), (StoredCompression::Uncompressed, "plain")] {
        let config = |message_bytes_max| TopicConfig { message_bytes_max, ..storing(stored) };
        assert!(check(&records, &config(size)).is_ok(), "{target}");
        let too_large = (ErrorCode::MESSAGE_TOO_LARGE, false);
        assert_eq!(refusal(&records, &config(size - 1)), too_large, "{target}");
    }
}

#[test]
fn batch_that_grows_beyond_its_limits_is_too_large() {
    // An offset delta of one byte becomes one of two bytes.
    let mut builder = BatchBuilder::new();
    (0..100).for_each(|_| builder.append(1_000, None, None));
    let mut body = Vec::new();
    (0..100).for_each(|_| body.extend_from_slice(&[12, 0, 0, 0, 1, 1, 0]));
    let records = sent(builder.clone().compressed(Codec::Gzip, Bytes::from(body)));
    let grown = HEADER_BYTES + builder.records().len();
    assert!(grown > records.len());
    for stored in [LZ4, StoredCompression::Uncompressed] {
        let config =
            |bytes: usize| TopicConfig { message_bytes_max: bytes as u32, ..storing(stored) };
        assert!(check(&records, &config(grown)).is_ok());
        let too_large = (ErrorCode::MESSAGE_TOO_LARGE, false);
        assert_eq!(refusal(&records, &config(grown - 1)), too_large);

        let config = config(grown);
        let rules = ProduceRules { converted_bytes_max: grown - 1, ..rules(&config) };
        let fault = check_produced(Some(&records), &rules, &Stored, NOW).expect_err("too large");
        assert_eq!(fault.error, ErrorCode::MESSAGE_TOO_LARGE);
        assert!(fault.message.expect("which limit").contains(&format!("{} bytes", grown - 1)));
    }
}

#[test]
fn what_kafkas_builder_does_not_take_is_an_error_of_the_server() {
    let unknown = (ErrorCode::UNKNOWN_SERVER_ERROR, true);
    let mut negative = BatchBuilder::new();
    negative.append(1_000, None, None);
    negative.append(-2, None, None);
    for records in [
        sent(negative),
        sent(three_records().transactional()),
        sent(three_records().producer(5, -1, 0)),
        sent(three_records().producer(-2, 0, -1)),
    ] {
        assert!(check(&records, &TopicConfig::default()).is_ok(), "as it came it is taken");
        assert_eq!(refusal(&records, &storing(LZ4)), unknown);
    }
}

#[test]
fn refused_batch_is_never_compressed() {
    let config = storing(StoredCompression::Codec(Codec::Zstd));
    let records = sent(three_records().compressed(Codec::Gzip, Bytes::from_static(b"x")));
    let fault =
        check_produced(Some(&records), &rules(&config), &Endless, NOW).expect_err("endless");
    assert_eq!(fault.error, ErrorCode::MESSAGE_TOO_LARGE);
    let keyed = TopicConfig { compacted: true, ..config };
    let mut builder = BatchBuilder::new();
    builder.append(1_000, None, None);
    let fault =
        check_produced(Some(&sent(builder)), &rules(&keyed), &Endless, NOW).expect_err("no key");
    assert_eq!(fault.error, ErrorCode::INVALID_RECORD);
}
