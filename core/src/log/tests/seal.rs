//! The companions of finished segments, the recovery point, and a clean stop.

use alloc::vec::Vec;

use super::{Fixture, batch_at, config, found, parts, size};
use crate::batch::BatchBuilder;
use crate::config::limits::INDEX_UNWRITTEN_BYTES_MAX;
use crate::effect::{Effect, Operation};
use crate::log::producers::ProducerStates;
use crate::log::{Indexes, Level, LogConfig, LogParts};

/// Every batch has an entry, but the first of a segment.
fn dense(segment_bytes: u32) -> LogConfig {
    LogConfig { index_interval_bytes: 1, ..config(segment_bytes) }
}

fn content<'a>(log: &'a Fixture, name: &str) -> Option<&'a [u8]> {
    log.disk.get(&alloc::format!("/data/t-0/{name}"))
}

fn offset_entries(entries: &[(i32, i32)]) -> Vec<u8> {
    entries.iter().flat_map(|(a, b)| [a.to_be_bytes(), b.to_be_bytes()].concat()).collect()
}

fn time_entries(entries: &[(i64, i32)]) -> Vec<u8> {
    entries
        .iter()
        .flat_map(|(time, offset)| [&time.to_be_bytes()[..], &offset.to_be_bytes()].concat())
        .collect()
}

#[test]
fn finished_segment_gets_its_companions() {
    let mut log = Fixture::with_parts(parts(dense(3 * size(1) as u32)));
    for timestamp_ms in [500, 700, 600, 900] {
        log.append_batch(batch_at(&[timestamp_ms]));
    }
    log.complete_all();
    let step = size(1) as i32;
    let offsets = offset_entries(&[(1, step), (2, 2 * step)]);
    assert_eq!(content(&log, "00000000000000000000.index"), Some(&offsets[..]));
    let times = time_entries(&[(700, 1)]);
    assert_eq!(content(&log, "00000000000000000000.timeindex"), Some(&times[..]));
    let empty = ProducerStates::default().snapshot();
    assert_eq!(content(&log, "00000000000000000003.snapshot"), Some(&empty[..]));
    assert_eq!(content(&log, "00000000000000000000.txnindex"), None);
}

/// Kafka takes a segment without an offset index for damaged; one that lacks entries is read anew
/// behind a crash, as its own is.
#[test]
fn segment_has_an_index_file_from_its_first_write() {
    let mut log = Fixture::new(2 * size(1) as u32);
    for _ in 0..3 {
        log.append(1, 0);
    }
    log.complete_writes();
    for name in ["00000000000000000000.index", "00000000000000000002.index"] {
        assert_eq!(content(&log, name), Some(&[][..]), "{name}");
    }
    assert_eq!(content(&log, "00000000000000000002.timeindex"), None);
}

#[test]
fn late_first_write_leaves_the_index_as_it_is() {
    let mut log = Fixture::with_parts(parts(dense(2 * size(1) as u32)));
    for _ in 0..3 {
        log.append(1, 0);
    }
    // The seal of the first segment overtakes its first write.
    log.complete_seal();
    let entries = offset_entries(&[(1, size(1) as i32)]);
    assert_eq!(content(&log, "00000000000000000000.index"), Some(&entries[..]));
    log.complete_writes();
    assert_eq!(content(&log, "00000000000000000000.index"), Some(&entries[..]));
}

#[test]
fn last_time_entry_is_the_largest_timestamp() {
    let mut log = Fixture::with_parts(parts(config(2 * size(1) as u32)));
    for timestamp_ms in [500, 700, 600] {
        log.append_batch(batch_at(&[timestamp_ms]));
    }
    log.complete_all();
    assert_eq!(content(&log, "00000000000000000000.index"), Some(&[][..]));
    let times = time_entries(&[(700, 1)]);
    assert_eq!(content(&log, "00000000000000000000.timeindex"), Some(&times[..]));
}

#[test]
fn recovery_point_waits_for_the_sync_and_for_the_indexes() {
    let mut log = Fixture::new(size(1) as u32);
    log.append(1, 0);
    log.append(1, 0);
    assert!(!log.log.is_sync_due(), "nothing is written");
    log.complete_writes();
    assert!(log.log.is_sync_due());
    log.begin_sync();
    log.log.handle_synced();
    assert!(!log.log.is_sync_due());
    assert_eq!((log.log.end(Level::Synced), log.log.recovery_point()), (2, 0));
    log.complete_seal();
    assert_eq!(log.log.recovery_point(), 2);

    log.append(1, 0);
    log.complete_seal();
    assert_eq!(log.log.recovery_point(), 2, "sealed, and not synced");
}

#[test]
fn an_active_segment_alone_is_no_reason_for_a_sync() {
    let mut log = Fixture::new(1 << 20);
    log.append(1, 0);
    log.complete_all();
    assert!(log.log.is_dirty() && !log.log.is_sync_due());
}

#[test]
fn seals_are_out_one_at_a_time_and_in_order() {
    let mut log = Fixture::new(size(1) as u32);
    for _ in 0..4 {
        log.append(1, 0);
    }
    assert_eq!(log.seals.len(), 1);
    log.complete_writes();
    log.begin_sync();
    log.log.handle_synced();
    let mut points = Vec::from([log.log.recovery_point()]);
    while !log.seals.is_empty() {
        assert!(!log.log.is_idle());
        log.complete_seal();
        points.push(log.log.recovery_point());
    }
    assert_eq!(points, [0, 1, 2, 4]);
    assert!(log.log.is_idle());
}

#[test]
fn everything_is_synced_before_the_directory() {
    let mut log = Fixture::new(size(1) as u32);
    log.append(1, 0);
    log.append(1, 0);
    let (_, Effect::Operations(operations)) = &log.seals[0] else { panic!("a sync set") };
    assert!(matches!(operations.last(), Some(Operation::SyncDirectory(_))));
    let mut synced = 0;
    for group in operations.split_inclusive(|it| matches!(it, Operation::Close(_))) {
        let [Operation::Create(file), .., Operation::Sync(last), Operation::Close(_)] = group
        else {
            continue;
        };
        assert_eq!(file, last);
        synced += 1;
    }
    assert_eq!(synced, 3);
}

#[test]
fn clean_stop_writes_what_the_active_segment_has() {
    let mut log = Fixture::with_parts(parts(dense(1 << 20)));
    for timestamp_ms in [500, 700, 600] {
        log.append_batch(batch_at(&[timestamp_ms]));
    }
    log.settle();
    log.seal_for_stop();
    log.complete_all();
    let step = size(1) as i32;
    let offsets = offset_entries(&[(1, step), (2, 2 * step)]);
    assert_eq!(content(&log, "00000000000000000000.index"), Some(&offsets[..]));
    assert!(content(&log, "00000000000000000003.snapshot").is_some());
    assert_eq!(log.log.recovery_point(), 3);
    log.seal_for_stop();
    assert!(log.seals.is_empty(), "all is there");
}

#[test]
fn an_empty_log_stops_without_a_file() {
    let mut log = Fixture::new(1 << 20);
    log.seal_for_stop();
    assert!(log.seals.is_empty());
}

#[test]
fn loaded_index_files_are_appended_to() {
    let mut before = Fixture::with_parts(parts(dense(1 << 20)));
    for timestamp_ms in [500, 700] {
        before.append_batch(batch_at(&[timestamp_ms]));
    }
    before.settle();
    before.seal_for_stop();
    before.complete_all();

    let mut indexes = Indexes::new(0);
    let (offsets, times) = ("00000000000000000000.index", "00000000000000000000.timeindex");
    indexes.load_offsets(content(&before, offsets).unwrap_or_default(), 2 * size(1)).unwrap();
    indexes.load_times(content(&before, times).unwrap_or_default()).unwrap();
    let mut segment = found(&before.log);
    segment.indexes = indexes;
    let mut log = Fixture::with_parts(LogParts {
        segments: Vec::from([segment]),
        end: 2,
        newest_snapshot: Some(2),
        ..parts(dense(3 * size(1) as u32))
    });
    log.disk = before.disk;
    log.seal_for_stop();
    assert!(log.seals.is_empty(), "nothing has changed");
    for timestamp_ms in [800, 900] {
        log.append_batch(batch_at(&[timestamp_ms]));
    }
    log.complete_all();
    let step = size(1) as i32;
    assert_eq!(content(&log, times), Some(&time_entries(&[(700, 1), (800, 2)])[..]));
    // Bytes before the stop do not count for the next entry, as in Kafka.
    assert_eq!(content(&log, offsets), Some(&offset_entries(&[(1, step)])[..]));
    assert!(content(&log, "00000000000000000003.snapshot").is_some());
}

#[test]
fn producers_are_kept_as_of_where_the_next_segment_begins() {
    let mut log = Fixture::new(1);
    for sequence in 0..2 {
        let mut builder = BatchBuilder::new().producer(7, 0, sequence);
        builder.append(1_000, None, None);
        log.append_batch(builder.build());
    }
    log.complete_all();
    let bytes = content(&log, "00000000000000000001.snapshot").unwrap_or_default();
    let states = ProducerStates::parse_snapshot(&bytes.to_vec().into()).unwrap();
    let last: Vec<_> = states.active().map(|it| (it.producer_id, it.last_sequence)).collect();
    assert_eq!(last, [(7, 0)]);
}

#[test]
fn many_entries_are_written_before_their_segment_is_full() {
    let count = (INDEX_UNWRITTEN_BYTES_MAX / 20 + 100) as i32;
    let mut log = Fixture::with_parts(parts(dense(1 << 30)));
    for timestamp_ms in 0..count {
        log.append_batch(batch_at(&[i64::from(timestamp_ms)]));
        log.complete_writes();
    }
    assert_eq!(log.seals.len(), 1);
    log.complete_all();
    let index = "00000000000000000000.index";
    let written = content(&log, index).unwrap_or_default().len();
    assert!((8 * count as usize - 1_000..8 * count as usize).contains(&written));
    assert_eq!(log.log.recovery_point(), 0);

    log.settle();
    log.seal_for_stop();
    log.complete_all();
    let step = size(1) as i32;
    let entries: Vec<_> = (1..count).map(|at| (at, at * step)).collect();
    assert!(content(&log, index) == Some(&offset_entries(&entries)[..]));
    let times: Vec<_> = (1..count).map(|at| (i64::from(at), at)).collect();
    let name = "00000000000000000000.timeindex";
    assert!(content(&log, name) == Some(&time_entries(&times)[..]));
}
