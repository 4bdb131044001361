//! Reads the list of records that records.py prints, and compares what was read back.

use std::{env, fs, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    pub timestamp_ms: i64,
}

/// The list of `$SCRATCH/records.json`.
pub fn all() -> Vec<Record> {
    let path = format!("{}/records.json", env::var("SCRATCH").unwrap());
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| as_record(&serde_json::from_str(line).unwrap())).collect()
}

fn as_record(line: &Value) -> Record {
    let decode = |part: &Value| part.as_str().map(|text| BASE64_STANDARD.decode(text).unwrap());
    let headers = line["headers"].as_array().unwrap().iter();
    Record {
        key: decode(&line["key"]),
        value: decode(&line["value"]),
        headers: headers.map(|pair| (pair[0].as_str().unwrap().into(), decode(&pair[1]))).collect(),
        timestamp_ms: line["timestamp_ms"].as_i64().unwrap(),
    }
}

/// By the number that a batch's attributes give.
pub const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// The codec of the batch that holds this offset, as it lies in the broker's directory.
pub fn codec_at(topic: &str, partition: usize, offset: i64) -> &'static str {
    let log = format!("{}/{topic}-{partition}", env::var("LOGS").unwrap());
    let names = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
    for path in names.filter(|path| path.extension().is_some_and(|extension| extension == "log")) {
        let content = fs::read(path).unwrap();
        let mut rest = &content[..];
        while rest.len() >= 61 {
            let number = |at, size| {
                rest[at..at + size].iter().fold(0, |number, byte| number << 8 | i64::from(*byte))
            };
            let (base, size, last_delta) = (number(0, 8), number(8, 4) as usize, number(23, 4));
            if (base..=base + last_delta).contains(&offset) {
                return CODECS[(number(21, 2) & 7) as usize];
            }
            rest = rest.get(12 + size..).unwrap_or_default();
        }
    }
    panic!("{topic}-{partition} has no batch with {offset}");
}

/// Panics unless each record was found at its offset as it was written.
pub fn expect(found: &[(i64, Record)], start: usize, wanted: &[Record], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}: the number of records");
    for (n, ((offset, record), wanted)) in found.iter().zip(wanted).enumerate() {
        assert_eq!(*offset as usize, start + n, "{what}: offset");
        assert!(record == wanted, "{what}: record {n} is not what was written");
    }
}

/// Kafka answers when a change is durable, and the broker shows it a moment later; members of a group wait
/// for each other's heartbeats.
pub async fn eventually(mut holds: impl AsyncFnMut() -> bool, what: &str) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within its time: {what}");
}
