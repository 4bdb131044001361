//! Batches that are stored in another codec than they came in, against Apache Kafka's own validator.
//!
//! Each line of `conformance/converted_batches.tsv` is a batch that Kafka 4.3.1's classes built, most
//! of them damaged and sealed anew; the topic's settings, with the number of the codec that it
//! stores; and what its `LogValidator` made of it: the header's fields as stored, and the length and
//! CRC-32C of the records behind them once decompressed; or the error with its messages.

use bytes::Bytes;
use klamm_core::batch::{
    BatchHeader, CheckedBatch, Codec, Compression, HEADER_BYTES, Step, next_batch,
};
use klamm_core::config::{StoredCompression, TopicConfig};
use klamm_runtime::compression::Codecs;
use klamm_tests::validator::{check, refused};

const CASES: &str = include_str!("../conformance/converted_batches.tsv");

#[test]
fn batches_are_converted_or_refused_as_by_kafka() {
    let (mut wrong, mut kinds) = (Vec::new(), [0; 2]);
    for (line, case) in CASES.lines().enumerate() {
        let [batch, compacted, log_append_time, codec, verdict] =
            case.split('\t').collect::<Vec<_>>().try_into().expect("five columns");
        let config = TopicConfig {
            compacted: compacted == "true",
            log_append_time: log_append_time == "true",
            compression: stored_as(codec),
            ..TopicConfig::default()
        };
        let checked = check(batch, &config);
        kinds[usize::from(checked.is_ok())] += 1;
        let here = checked.map_or_else(refused, stored);
        if here != verdict {
            wrong.push(format!("line {}:\n  Kafka {verdict}\n  here  {here}", line + 1));
        }
    }
    assert!(wrong.is_empty(), "{} of {kinds:?}\n{}", wrong.len(), wrong.join("\n"));
    let [refused, stored] = kinds;
    assert_eq!((refused, stored), (122, 114));
}

fn stored_as(codec: &str) -> StoredCompression {
    match codec {
        "0" => StoredCompression::Uncompressed,
        "1" => StoredCompression::Codec(Codec::Gzip),
        "2" => StoredCompression::Codec(Codec::Snappy),
        "3" => StoredCompression::Codec(Codec::Lz4),
        "4" => StoredCompression::Codec(Codec::Zstd),
        other => panic!("no codec has number {other}"),
    }
}

fn stored(batch: CheckedBatch) -> String {
    assert!(batch.is_converted());
    let bytes = Bytes::from(batch.place(0, 7).concat());
    let Step::Batch(view) = next_batch(&bytes, usize::MAX) else { panic!("no batch") };
    assert_eq!(view.verify_crc(), Ok(()));
    assert_eq!(view.size(), bytes.len());
    let BatchHeader {
        attributes,
        last_offset_delta,
        base_timestamp_ms,
        max_timestamp_ms,
        producer_id,
        producer_epoch,
        base_sequence,
        record_count,
        ..
    } = view.header();
    let body = bytes.slice(HEADER_BYTES..);
    let plain = match attributes.codec().expect("a codec") {
        Some(codec) => decompress(codec, body),
        None => body.to_vec(),
    };
    format!(
        "0 {} {last_offset_delta} {base_timestamp_ms} {max_timestamp_ms} {producer_id} \
         {producer_epoch} {base_sequence} {record_count} {} {:x}",
        attributes.0,
        plain.len(),
        crc32c::crc32c(&plain),
    )
}

fn decompress(codec: Codec, body: Bytes) -> Vec<u8> {
    let mut stream = Codecs::default().decompress(codec, body).expect("a stream");
    let (mut plain, mut piece) = (Vec::new(), [0; 1_000]);
    loop {
        match stream.read(&mut piece).expect("sound") {
            0 => return plain,
            count => plain.extend_from_slice(&piece[..count]),
        }
    }
}
