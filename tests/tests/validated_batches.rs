//! The check of produced batches against Apache Kafka's own validator.
//!
//! Each line of `conformance/validated_batches.tsv` is a batch that Kafka 4.3.1's classes built, of
//! any codec and level, most of them damaged before or behind compression and sealed anew; the
//! topic's settings; and what its `LogValidator` made of it: the maximum timestamp, the attributes
//! and the CRC that it stores, or the error with its messages.

use klamm_core::batch::{BatchHeader, CheckedBatch};
use klamm_core::config::TopicConfig;
use klamm_tests::validator::{check, refused};

const CASES: &str = include_str!("../conformance/validated_batches.tsv");

#[test]
fn batches_are_stored_or_refused_as_by_kafka() {
    let mut kinds = [0; 2];
    for (line, case) in CASES.lines().enumerate() {
        let [batch, compacted, log_append_time, verdict] =
            case.split('\t').collect::<Vec<_>>().try_into().expect("four columns");
        let config = TopicConfig {
            compacted: compacted == "true",
            log_append_time: log_append_time == "true",
            ..TopicConfig::default()
        };
        let checked = check(batch, &config);
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
