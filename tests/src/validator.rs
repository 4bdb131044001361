//! Batches as lines of text beside the verdict of Apache Kafka's own `LogValidator`.

use std::fmt::Write as _;

use bytes::Bytes;
use klamm_core::batch::{CheckedBatch, Fault, ProduceRules, check_produced};
use klamm_core::config::{Limits, TopicConfig};
use klamm_core::time::{Instant, Now};
use klamm_runtime::compression::Codecs;

/// The time at which Kafka gave its verdicts.
const NOW: Now = Now { mono: Instant::ZERO, wall_ms: 1_700_000_000_000 };

/// Checks a batch, given in hex, for partition 3 of topic `t`.
///
/// # Panics
/// When it is no hex.
pub fn check(batch: &str, config: &TopicConfig) -> Result<CheckedBatch, Fault> {
    let limits = Limits::default();
    let rules = ProduceRules {
        version: 13,
        topic: "t",
        partition: 3,
        config,
        decompressed_bytes_max: limits.decompressed_bytes_max,
        converted_bytes_max: limits.converted_bytes_max,
        record_errors_max: limits.record_errors_max,
    };
    check_produced(Some(&from_hex(batch)), &rules, &Codecs::new(&limits), NOW)
}

/// A refusal as the files have it: code, message, and each record's index and message.
///
/// # Panics
/// Never: a string takes every text.
pub fn refused(fault: Fault) -> String {
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
