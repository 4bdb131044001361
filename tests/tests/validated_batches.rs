//! The check of produced batches against Apache Kafka's own validator.
//!
//! Each line of `conformance/validated_batches.tsv` is a batch that Kafka 4.3.1's classes built, of
//! any codec and level, most of them damaged before or behind compression and sealed anew; the
//! topic's settings; and what its `LogValidator` made of it: the maximum timestamp, the attributes
//! and the CRC that it stores, or the error with its messages.

use std::fmt::Write as _;

use bytes::Bytes;
use klamm_core::batch::{BatchHeader, CheckedBatch, Fault, ProduceRules, check_produced};
use klamm_core::config::{Limits, TopicConfig};
use klamm_core::time::{Instant, Now};
use klamm_runtime::compression::Codecs;

const CASES: &str = include_str!("../conformance/validated_batches.tsv");
const NOW: Now = Now { mono: Instant::ZERO, wall_ms: 1_700_000_000_000 };

#[test]
fn batches_are_stored_or_refused_as_by_kafka() {
    let limits = Limits::default();
    let mut kinds = [0; 2];
    for (line, case) in CASES.lines().enumerate() {
        let [batch, compacted, log_append_time, verdict] =
            case.split('\t').collect::<Vec<_>>().try_into().expect("four columns");
        let config = TopicConfig {
            compacted: compacted == "true",
            log_append_time: log_append_time == "true",
            ..TopicConfig::default()
        };
        let rules = ProduceRules {
            version: 13,
            topic: "t",
            partition: 3,
            config: &config,
            decompressed_bytes_max: limits.decompressed_bytes_max,
            converted_bytes_max: limits.converted_bytes_max,
            record_errors_max: limits.record_errors_max,
        };
        let records = from_hex(batch);
        let checked = check_produced(Some(&records), &rules, &Codecs::new(&limits), NOW);
        kinds[usize::from(checked.is_ok())] += 1;
        let here = checked.map_or_else(refused, stored);
        assert_eq!(here, verdict, "line {}", line + 1);
    }
    let [refused, stored] = kinds;
    assert_eq!((refused, stored), (74, 60));
}

fn stored(batch: CheckedBatch) -> String {
    let bytes = batch.place(0, 7).concat();
    let header = BatchHeader::parse(&bytes).expect("a whole batch");
    format!("0 {} {} {:x}", header.max_timestamp_ms, header.attributes.0, header.crc)
}

fn refused(fault: Fault) -> String {
    let mut text = fault.error.0.to_string();
    if let Some(message) = fault.message {
        write!(text, " {message}|").expect("a String takes every text");
    }
    for (index, words) in fault.record_errors {
        write!(text, "{index}:{};", words.unwrap_or_default()).expect("a String takes every text");
    }
    text
}

fn from_hex(text: &str) -> Bytes {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex"))
        .collect()
}
