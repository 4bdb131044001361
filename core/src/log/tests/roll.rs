//! When a new segment is begun.

use alloc::vec::Vec;

use super::{Fixture, batch_at, config, found, parts, size};
use crate::log::{LogConfig, LogParts};
use crate::time::Now;

fn by_age(segment_ms: u64, segment_jitter_ms: u64) -> LogConfig {
    LogConfig { segment_ms, segment_jitter_ms, ..config(1 << 30) }
}

fn bases(log: &Fixture) -> Vec<i64> {
    log.log.segments().iter().map(|segment| segment.base_offset).collect()
}

fn at_wall(log: &mut Fixture, wall_ms: i64, timestamp_ms: i64) {
    log.now = Now { wall_ms, ..Now::default() };
    log.append_batch(batch_at(&[timestamp_ms]));
}

#[test]
fn age_is_counted_from_the_first_batchs_timestamp() {
    let mut log = Fixture::with_parts(parts(by_age(100, 0)));
    at_wall(&mut log, 0, 1_000);
    at_wall(&mut log, 1_000_000, 1_100);
    assert_eq!(bases(&log), [0], "the clock does not count");
    at_wall(&mut log, 0, 1_101);
    assert_eq!(bases(&log), [0, 1 + 1]);
    at_wall(&mut log, 0, 5);
    assert_eq!(bases(&log), [0, 2], "older records do not roll");
}

#[test]
fn age_without_timestamps_is_the_clocks() {
    let mut log = Fixture::with_parts(parts(by_age(100, 0)));
    at_wall(&mut log, 500, -1);
    at_wall(&mut log, 600, -1);
    at_wall(&mut log, 100, -1);
    assert_eq!(bases(&log), [0], "a clock that steps back rolls nothing");
    at_wall(&mut log, 601, 9_999);
    assert_eq!(bases(&log), [0, 3]);
}

#[test]
fn jitter_rolls_earlier_and_differs_from_log_to_log() {
    let mut ages = Vec::new();
    for partition in 0..20 {
        let path = crate::effect::Path::new(&alloc::format!("/data/t-{partition}"));
        let mut log = Fixture::with_parts(LogParts { path, ..parts(by_age(1_000, 400)) });
        let mut timestamp_ms = 5_000;
        while log.log.segments().len() < 2 {
            at_wall(&mut log, 0, timestamp_ms);
            timestamp_ms += 10;
        }
        ages.push(timestamp_ms - 10 - 5_000);
    }
    assert!(ages.iter().all(|age| (600..=1_010).contains(age)), "{ages:?}");
    ages.sort_unstable();
    ages.dedup();
    assert!(ages.len() > 5, "{ages:?}");
}

#[test]
fn full_index_rolls() {
    let index = |index_bytes: u32| {
        let config = LogConfig {
            index_interval_bytes: 1,
            segment_index_bytes: index_bytes,
            ..config(1 << 30)
        };
        let mut log = Fixture::with_parts(parts(config));
        for timestamp_ms in 0..10 {
            log.append_batch(batch_at(&[timestamp_ms]));
        }
        bases(&log)
    };
    // Two time entries and one kept free; three offset entries.
    assert_eq!(index(36), [0, 3, 6, 9]);
    assert_eq!(index(24), [0, 2, 4, 6, 8]);
    // No entry fits: every batch gets a segment, and none is begun twice (KAFKA-6388).
    assert_eq!(index(4), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn empty_segment_found_on_disk_is_used() {
    let mut before = Fixture::new(1);
    before.append(1, 0);
    let mut empty = found(&before.log);
    empty.size = 0;
    let config = LogConfig { segment_index_bytes: 4, ..by_age(0, 0) };
    let mut log = Fixture::with_parts(LogParts { segments: Vec::from([empty]), ..parts(config) });
    at_wall(&mut log, i64::MAX, -1);
    assert_eq!(bases(&log), [0]);
    assert_eq!(log.log.size(), size(1));
}

#[test]
fn changed_settings_count_from_the_next_append_on() {
    let mut log = Fixture::new(1 << 20);
    log.append(1, 0);
    log.append(1, 0);
    log.log.set_config(config(size(1) as u32));
    log.append(1, 0);
    log.append(1, 0);
    assert_eq!(bases(&log), [0, 2, 3]);
}
