//! The producers' state at the log's end.

use super::*;
use crate::batch::{Attributes, BatchHeader, HEADER_BYTES};
use crate::log::producers::{AbortedTransaction, format_transaction_index};
use crate::records::{ControlRecord, EndTxnMarker};

const PRODUCER: i64 = 7;

/// Two records of the producer, from `base_offset` on.
fn produced(base_offset: i64, sequence: i32, transactional: bool) -> Vec<u8> {
    let mut bytes = batch(base_offset, 1);
    let attributes = if transactional { 0x10 } else { 0 };
    edit(&mut bytes, attributes, sequence);
    bytes
}

/// The marker that aborts the producer's transaction.
fn abort(offset: i64) -> Vec<u8> {
    let marker = EndTxnMarker { version: 0, coordinator_epoch: 3 };
    let (key, value) = ControlRecord::Abort(marker).encode();
    let mut builder = BatchBuilder::new().control();
    builder.append(5_000, Some(&key), Some(&value));
    let mut bytes = builder.encode(offset, 1);
    edit(&mut bytes, 0x30, -1);
    bytes
}

fn edit(bytes: &mut [u8], attributes: i16, sequence: i32) {
    let mut header = BatchHeader::parse(bytes).unwrap();
    header.attributes = Attributes(attributes);
    header.producer_id = PRODUCER;
    header.producer_epoch = 0;
    header.base_sequence = sequence;
    header.seal(&bytes[HEADER_BYTES..]);
    bytes[..HEADER_BYTES].copy_from_slice(&header.write());
}

fn snapshot_path(offset: i64) -> String {
    path(&file_name(offset, FileSuffix::Snapshot))
}

fn transactions_path(base_offset: i64) -> String {
    path(&file_name(base_offset, FileSuffix::TransactionIndex))
}

/// Offsets 0 to 9: a batch, a transaction from 2 on that is aborted at 6, a batch, one more from 9 on.
fn directory() -> Disk {
    let mut disk = Disk::default();
    disk.put(&path(PartitionMetadata::FILE), metadata(TOPIC_ID));
    disk.put(&path(LeaderEpochs::FILE), "0\n1\n1 0\n");
    let first = [produced(0, 0, false), produced(2, 2, true), produced(4, 4, true)].concat();
    let second = [abort(6), produced(7, 6, false), produced(9, 8, true)].concat();
    disk.put(&log_path(0), first);
    disk.put(&log_path(6), second);
    disk
}

fn aborted() -> AbortedTransaction {
    AbortedTransaction { producer_id: PRODUCER, first_offset: 2, last_offset: 6, last_stable: 7 }
}

/// Last sequence, and the first offset of the open transaction.
fn state(log: &Log) -> Vec<(i32, Option<i64>)> {
    let active = log.producers().active();
    active.map(|producer| (producer.last_sequence, producer.transaction_start)).collect()
}

fn aborted_in(log: &Log) -> Vec<AbortedTransaction> {
    log.producers().aborted().within(0, 100).copied().collect()
}

/// What a clean stop leaves of it.
fn closed() -> Disk {
    let mut disk = directory();
    load(&mut disk, context());
    let (_, log) = load(&mut disk, context());
    disk.put(&snapshot_path(11), log.producers().snapshot());
    disk.put(&transactions_path(6), format_transaction_index(&[aborted()]));
    for (suffix, content) in
        [(FileSuffix::Index, vec![]), (FileSuffix::TimeIndex, time_entry(5_000, 0))]
    {
        disk.put(&path(&file_name(6, suffix)), content);
    }
    disk
}

fn clean() -> LoadLogContext {
    LoadLogContext { is_clean: true, recovery_point: Some(11), ..context() }
}

#[test]
fn state_is_made_from_the_batches() {
    for piece_bytes in [61, 80, 1 << 20] {
        let mut disk = directory();
        let limits = Limits { job_piece_bytes: piece_bytes, ..Limits::default() };
        let (events, log) = load(&mut disk, LoadLogContext { limits, ..context() });
        assert_eq!((events, ends(&log)), (vec![], (0, 11)));
        assert_eq!(state(&log), [(9, Some(9))]);
        assert_eq!(aborted_in(&log), [aborted()]);
        assert_eq!(log.last_stable(Level::Synced), 9);
        let snapshot = disk.get(&snapshot_path(6)).expect("one where each segment begins");
        let states = ProducerStates::parse_snapshot(&snapshot.to_vec().into()).unwrap();
        let producer = states.active().next().unwrap();
        assert_eq!((producer.last_sequence, producer.transaction_start), (5, Some(2)));
        assert!(disk.get(&transactions_path(0)).is_none(), "its marker lies in the next segment");
    }
}

#[test]
fn snapshot_at_the_end_spares_the_replay() {
    let mut disk = closed();
    let before = disk.files().clone();
    let (events, log) = load(&mut disk, clean());
    assert_eq!((events, ends(&log)), (vec![], (0, 11)));
    assert_eq!((state(&log), aborted_in(&log)), (vec![(9, Some(9))], vec![aborted()]));
    assert_eq!(*disk.files(), before);
    let reads_first = |o: &Operation| matches!(o, Operation::Read { file, .. } if file.path.as_str() == log_path(0));
    assert!(!disk.trace.iter().any(reads_first));
}

#[test]
fn unusable_snapshot_gives_way_to_an_older_one_and_a_replay() {
    for offsets in [vec![11], vec![11, 6]] {
        let mut disk = closed();
        for offset in &offsets {
            let mut content = disk.get(&snapshot_path(*offset)).unwrap().to_vec();
            let last = content.len() - 1;
            content[last] ^= 1;
            disk.put(&snapshot_path(*offset), content);
        }
        let (events, log) = load(&mut disk, clean());
        assert_eq!(warnings(&events).len(), offsets.len());
        assert!(warnings(&events)[0].contains("00000000000000000011.snapshot is not used"));
        assert_eq!((state(&log), aborted_in(&log)), (vec![(9, Some(9))], vec![aborted()]));
        for offset in offsets {
            assert!(disk.get(&snapshot_path(offset)).is_none(), "it is deleted");
        }
    }
}

#[test]
fn snapshot_above_the_end_is_not_taken() {
    let mut disk = closed();
    disk.put(&snapshot_path(12), ProducerStates::default().snapshot());
    let (events, log) = load(&mut disk, clean());
    assert_eq!((events, state(&log)), (vec![], vec![(9, Some(9))]));
    assert!(disk.get(&snapshot_path(12)).is_none());
}

#[test]
fn snapshots_at_no_segment_go_but_for_the_newest_above_all() {
    let mut disk = closed();
    for offset in [3, 7, 9] {
        disk.put(&snapshot_path(offset), ProducerStates::default().snapshot());
    }
    load(&mut disk, clean());
    let left = [3, 6, 7, 9, 11].map(|offset| disk.get(&snapshot_path(offset)).is_some());
    assert_eq!(left, [false, true, false, false, true]);
    let mut below = closed();
    below.files_mut().remove(&snapshot_path(11));
    below.put(&snapshot_path(3), ProducerStates::default().snapshot());
    load(&mut below, clean());
    assert!(below.get(&snapshot_path(3)).is_none());
}

#[test]
fn transactions_that_cannot_be_read_are_found_again() {
    let mut disk = closed();
    disk.put(&transactions_path(6), vec![1; 34]);
    let (events, log) = load(&mut disk, clean());
    assert_eq!(warnings(&events).len(), 1);
    assert_eq!((state(&log), aborted_in(&log)), (vec![(9, Some(9))], vec![aborted()]));
}

#[test]
fn crash_makes_the_state_anew_from_the_snapshot_below_the_recovery_point() {
    let mut disk = closed();
    disk.put(&snapshot_path(11), "nonsense");
    disk.put(&transactions_path(6), "nonsense");
    let (_, log) = load(&mut disk, LoadLogContext { is_clean: false, ..clean() });
    assert_eq!((state(&log), aborted_in(&log)), (vec![(9, Some(9))], vec![aborted()]));
    let reads_first = |o: &Operation| matches!(o, Operation::Read { file, .. } if file.path.as_str() == log_path(0));
    assert!(!disk.trace.iter().any(reads_first));
}

#[test]
fn batches_below_the_start_of_the_log_are_forgotten() {
    let mut disk = directory();
    let (_, log) = load(&mut disk, LoadLogContext { log_start: Some(9), ..context() });
    assert_eq!((state(&log), aborted_in(&log)), (vec![(9, Some(9))], vec![]));
}

#[test]
fn snapshot_below_the_start_of_the_log_is_not_taken() {
    // The batch from 9 on is in no snapshot.
    let before = |mut disk: Disk| {
        let mut states = ProducerStates::default();
        let header = BatchHeader::parse(&produced(7, 6, false)).unwrap();
        states.replay(&header, None);
        disk.files_mut().remove(&snapshot_path(11));
        disk.put(&snapshot_path(9), states.snapshot());
        disk
    };
    let mut disk = before(closed());
    let (events, log) = load(&mut disk, LoadLogContext { log_start: Some(11), ..clean() });
    assert_eq!((events, ends(&log)), (vec![], (11, 11)));
    assert_eq!(state(&log), [], "an unknown producer may go on anywhere");
    assert!(disk.get(&snapshot_path(9)).is_none());
    let mut at_start = before(closed());
    let (_, log) = load(&mut at_start, LoadLogContext { log_start: Some(9), ..clean() });
    assert_eq!(state(&log), [(9, Some(9))]);
    assert!(at_start.get(&snapshot_path(9)).is_some());
}

#[test]
fn snapshot_that_goes_is_no_longer_its_segments() {
    let mut disk = directory();
    disk.put(&snapshot_path(0), "no snapshot");
    let (events, log) = load(&mut disk, context());
    assert_eq!(warnings(&events).len(), 1);
    for segment in log.segments() {
        let is_there = disk.get(&snapshot_path(segment.base_offset)).is_some();
        assert_eq!(segment.companions.snapshot, is_there, "{}", segment.base_offset);
    }
}
