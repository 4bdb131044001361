//! The check of produced batches against what Apache Kafka 4.3.1 answered to the same bytes.
//!
//! `conformance/produce_batches.jsonl` holds a recorded request in each line: the record set of
//! each partition, the time at which the broker saw it, and its answer.

use bytes::Bytes;
use klamm_core::batch::{Fault, ProduceRules, check_produced, check_request_heads};
use klamm_core::config::{Limits, TopicConfig};
use klamm_core::error_code::ErrorCode;
use klamm_core::time::{Instant, Now};
use klamm_runtime::compression::Codecs;
use serde_json::Value;

const CASES: &str = include_str!("../conformance/produce_batches.jsonl");

#[test]
fn batches_are_judged_as_by_kafka() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).expect("a case a line");
        let expected = expected(&case);
        let actual = actual(&case);
        if expected != actual {
            wrong.push(format!("{}:\n  Kafka {expected:?}\n  here  {actual:?}", case["case"]));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(count, 135);
}

/// One partition's answer, as far as the check decides it.
#[derive(Debug, PartialEq)]
struct Answer {
    partition: (String, i64),
    error: i64,
    /// `None` where the version does not say.
    names_log_start: Option<bool>,
    message: Option<String>,
    record_errors: Vec<(i64, String)>,
}

fn expected(case: &Value) -> Vec<Answer> {
    // Kafka never answers null records; an invalid record is the sane answer.
    let Some(answers) = case["answers"].as_array() else {
        assert_eq!(case["case"], "produce.v11.null-records");
        return vec![Answer {
            partition: ("p".into(), 0),
            error: 87,
            names_log_start: Some(false),
            message: None,
            record_errors: vec![],
        }];
    };
    let mut answers: Vec<_> = answers
        .iter()
        .map(|answer| Answer {
            partition: partition(&answer["topic"], &answer["partition"]),
            error: answer["error"].as_i64().expect("a code"),
            names_log_start: answer["log_start_offset"].as_i64().map(|offset| offset >= 0),
            message: answer["message"].as_str().map(String::from),
            record_errors: answer["record_errors"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|error| (error[0].as_i64().expect("an index"), text(&error[1])))
                .collect(),
        })
        .collect();
    answers.sort_by(|a, b| a.partition.cmp(&b.partition));
    answers
}

fn actual(case: &Value) -> Vec<Answer> {
    let version = case["version"].as_i64().expect("a version") as i16;
    let now = Now { mono: Instant::ZERO, wall_ms: case["now_ms"].as_i64().expect("milliseconds") };
    let partitions: Vec<_> = case["partitions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| (partition(&entry[0], &entry[1]), entry[2].as_str().map(from_hex)))
        .collect();
    let transactional_id = case["transactional"].as_bool().expect("a flag").then_some("id");
    let heads = partitions.iter().map(|(_, records)| records.as_deref());
    let whole = check_request_heads(heads, transactional_id);

    let limits = Limits::default();
    let mut answers: Vec<_> = partitions
        .iter()
        .map(|(partition, records)| {
            if let Err(fault) = &whole {
                let fault = Fault {
                    error: fault.error,
                    message: fault.message.clone(),
                    record_errors: vec![],
                    knows_log_start: false,
                };
                return answer(partition, version, Err(fault));
            }
            let rules = ProduceRules {
                version,
                topic: &partition.0,
                partition: partition.1 as i32,
                config: &config(&partition.0),
                decompressed_bytes_max: limits.decompressed_bytes_max,
                converted_bytes_max: limits.converted_bytes_max,
                record_errors_max: limits.record_errors_max,
            };
            let checked = check_produced(records.as_ref(), &rules, &Codecs::new(&limits), now);
            answer(partition, version, checked.map(|_| ()))
        })
        .collect();
    answers.sort_by(|a, b| a.partition.cmp(&b.partition));
    answers
}

/// What the version has room for.
fn answer(partition: &(String, i64), version: i16, checked: Result<(), Fault>) -> Answer {
    let fault = checked.err().unwrap_or(Fault {
        error: ErrorCode::NONE,
        message: None,
        record_errors: vec![],
        knows_log_start: true,
    });
    Answer {
        partition: partition.clone(),
        error: i64::from(fault.error.0),
        names_log_start: (version >= 5).then_some(fault.knows_log_start),
        message: fault.message.filter(|_| version >= 8),
        record_errors: fault
            .record_errors
            .into_iter()
            .filter(|_| version >= 8)
            .map(|(index, words)| (i64::from(index), words.expect("words")))
            .collect(),
    }
}

/// The topics that the recorded broker had.
fn config(topic: &str) -> TopicConfig {
    let config = TopicConfig::default();
    match topic {
        "p" | "p2" => config,
        "p-compact" => TopicConfig { compacted: true, ..config },
        "p-before" => TopicConfig { timestamp_before_ms_max: 1_000, ..config },
        "p-small" => TopicConfig { message_bytes_max: 200, ..config },
        "p-lat" => TopicConfig { log_append_time: true, ..config },
        other => panic!("no settings for topic {other}"),
    }
}

fn partition(topic: &Value, index: &Value) -> (String, i64) {
    (text(topic), index.as_i64().expect("an index"))
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").into()
}

fn from_hex(text: &str) -> Bytes {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex"))
        .collect()
}
