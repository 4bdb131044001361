use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::*;
use crate::batch::{BatchBuilder, Step, next_batch};
use crate::records::{ControlRecord, EndTxnMarker};

mod model;

const NOW: Instant = Instant::ZERO;

/// What a batch of `count` records says of itself.
fn info(producer_id: i64, epoch: i16, base_sequence: i32, count: i32) -> BatchInfo {
    let mut builder = BatchBuilder::new().producer(producer_id, epoch, base_sequence);
    for at in 0..count {
        builder.append(1_000 + i64::from(at), None, None);
    }
    *builder.build().info()
}

/// A log that gives offsets to what it accepts.
#[derive(Default)]
struct Partition {
    states: ProducerStates,
    end: i64,
}

impl Partition {
    fn send(&mut self, info: &BatchInfo) -> Verdict {
        let verdict = self.states.check(info);
        if verdict == Verdict::Accept {
            self.states.note(info, self.end, NOW);
            self.end += i64::from(info.last_offset_delta) + 1;
        }
        verdict
    }

    fn end_transaction(&mut self, producer_id: i64, epoch: i16, is_abort: bool) {
        let marker = EndMarker { is_abort, coordinator_epoch: 4, timestamp_ms: 9 };
        self.states.note_end(producer_id, epoch, &marker, self.end, NOW);
        self.end += 1;
    }
}

fn transactional(info: BatchInfo) -> BatchInfo {
    BatchInfo { is_transactional: true, ..info }
}

fn duplicate(base_offset: i64, last_offset: i64, timestamp_ms: i64) -> Verdict {
    Verdict::Duplicate { base_offset, last_offset, timestamp_ms }
}

const OUT_OF_ORDER: Verdict = Verdict::Refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
const OLD_EPOCH: Verdict = Verdict::Refused(ErrorCode::INVALID_PRODUCER_EPOCH);

#[test]
fn sequences_go_on_where_the_last_batch_ended() {
    let mut log = Partition::default();
    assert_eq!(log.send(&info(5, 0, 0, 3)), Verdict::Accept);
    assert_eq!(log.send(&info(5, 0, 4, 1)), OUT_OF_ORDER);
    assert_eq!(log.send(&info(5, 0, 2, 1)), OUT_OF_ORDER, "part of a batch is no repetition");
    assert_eq!(log.send(&info(5, 0, 3, 1)), Verdict::Accept);
    assert_eq!(log.send(&info(6, 0, 0, 1)), Verdict::Accept, "each producer counts for itself");
}

#[test]
fn one_of_the_last_five_batches_is_a_duplicate() {
    let mut log = Partition::default();
    for sequence in 0..6 {
        assert_eq!(log.send(&info(5, 0, 2 * sequence, 2)), Verdict::Accept);
    }
    assert_eq!(log.send(&info(5, 0, 0, 2)), OUT_OF_ORDER);
    for batch in 1..6 {
        let offset = 2 * batch;
        let again = info(5, 0, offset as i32, 2);
        assert_eq!(log.send(&again), duplicate(offset, offset + 1, 1_001));
    }
}

#[test]
fn new_epoch_begins_at_zero_and_ends_the_old_one() {
    let mut log = Partition::default();
    log.send(&info(5, 0, 0, 1));
    assert_eq!(log.send(&info(5, 1, 1, 1)), OUT_OF_ORDER);
    assert_eq!(log.send(&info(5, 1, 0, 1)), Verdict::Accept);
    assert_eq!(log.send(&info(5, 0, 0, 1)), OLD_EPOCH, "duplicates are of the present epoch");
    assert_eq!(log.send(&info(5, 0, 1, 1)), OLD_EPOCH);
}

#[test]
fn unknown_producer_begins_anywhere() {
    let mut log = Partition::default();
    assert_eq!(log.send(&info(7, 3, 99, 1)), Verdict::Accept);
    assert_eq!(log.send(&info(7, 3, 100, 1)), Verdict::Accept);
}

#[test]
fn producer_without_epoch_may_send_any_sequence() {
    let mut log = Partition::default();
    assert_eq!(log.send(&info(7, -1, 0, 1)), Verdict::Accept);
    assert_eq!(log.send(&info(7, -1, 0, 1)), duplicate(0, 0, 1_000));
    assert_eq!(log.send(&info(7, -1, 8, 1)), Verdict::Accept);
    assert_eq!(log.send(&info(7, 2, 55, 1)), Verdict::Accept);
    assert_eq!(log.send(&info(7, -1, 9, 1)), OLD_EPOCH);
}

#[test]
fn sequences_wrap_between_and_inside_batches() {
    let mut log = Partition::default();
    log.send(&info(5, 0, i32::MAX, 1));
    assert_eq!(log.send(&info(5, 0, 0, 1)), Verdict::Accept);
    assert_eq!(log.send(&info(5, 0, i32::MAX, 1)), duplicate(0, 0, 1_000));
    assert_eq!(log.send(&info(6, 0, i32::MAX - 1, 3)), Verdict::Accept);
    assert_eq!(log.send(&info(6, 0, i32::MAX - 1, 3)), duplicate(2, 4, 1_002));
    assert_eq!(log.send(&info(6, 0, 1, 1)), Verdict::Accept);
}

#[test]
fn open_transaction_takes_only_its_own_batches() {
    let mut log = Partition::default();
    assert_eq!(log.send(&transactional(info(5, 0, 0, 2))), Verdict::Accept);
    let plain = info(5, 0, 2, 1);
    assert_eq!(log.send(&plain), Verdict::Refused(ErrorCode::INVALID_TXN_STATE));
    assert_eq!(log.send(&transactional(plain)), Verdict::Accept);
    log.end_transaction(5, 0, false);
    assert_eq!(log.send(&info(5, 0, 3, 1)), Verdict::Accept);
}

#[test]
fn transaction_is_unstable_until_its_marker_is_below_the_high_watermark() {
    let mut log = Partition::default();
    log.send(&info(1, 0, 0, 1));
    log.send(&transactional(info(5, 0, 0, 2)));
    log.send(&transactional(info(6, 0, 0, 1)));
    assert_eq!(log.states.first_unstable(log.end), Some(1));
    log.end_transaction(5, 1, true);
    assert_eq!(log.states.first_unstable(4), Some(1), "its marker stands at 4");
    assert_eq!(log.states.first_unstable(5), Some(3));
    log.end_transaction(6, 0, false);
    log.states.advance(6);
    assert_eq!(log.states.first_unstable(6), None);
    let aborted: Vec<_> = log.states.aborted().within(0, 6).copied().collect();
    let entry =
        AbortedTransaction { producer_id: 5, first_offset: 1, last_offset: 4, last_stable: 3 };
    assert_eq!(aborted, [entry]);
}

#[test]
fn marker_raises_the_epoch_and_the_next_batch_begins_at_zero() {
    let mut log = Partition::default();
    log.send(&transactional(info(5, 0, 0, 2)));
    log.end_transaction(5, 1, false);
    assert_eq!(log.send(&info(5, 0, 2, 1)), OLD_EPOCH);
    assert_eq!(log.send(&info(5, 1, 2, 1)), OUT_OF_ORDER);
    assert_eq!(log.send(&info(5, 1, 0, 1)), Verdict::Accept);
    let producer = log.states.active().next().map(|p| (p.coordinator_epoch, p.last_sequence));
    assert_eq!(producer, Some((4, 0)));
}

#[test]
fn idle_producers_expire_and_those_in_a_transaction_do_not() {
    let at = |ms| Instant::ZERO + Millis(ms);
    let mut states = ProducerStates::default();
    states.note(&info(1, 0, 0, 1), 0, at(0));
    states.note(&transactional(info(2, 0, 0, 1)), 1, at(0));
    states.note(&info(3, 0, 0, 1), 2, at(5));
    states.note(&info(1, 0, 1, 1), 3, at(10));
    let ids = |states: &ProducerStates| -> Vec<i64> {
        states.active().map(|producer| producer.producer_id).collect()
    };
    assert_eq!(states.expire(Millis(100), at(104), 10), 0);
    assert_eq!(states.expire(Millis(100), at(105), 10), 1);
    assert_eq!(ids(&states), [1, 2]);
    assert_eq!(states.expire(Millis(100), at(10_000), 0), 0, "no more than asked for");
    assert_eq!(states.expire(Millis(100), at(10_000), 10), 1);
    assert_eq!(ids(&states), [2]);
    let marker = EndMarker { is_abort: false, coordinator_epoch: 0, timestamp_ms: 0 };
    states.note_end(2, 0, &marker, 4, at(10_000));
    assert_eq!(states.expire(Millis(100), at(10_100), 10), 1);
    assert_eq!(states.first_unstable(5), None);
}

#[test]
fn beyond_the_limit_the_one_idle_longest_is_forgotten() {
    let mut states = ProducerStates::default();
    states.note(&transactional(info(0, 0, 0, 1)), 0, NOW);
    for id in 1..LOG_PRODUCERS_MAX as i64 {
        states.note(&info(id, 0, 0, 1), id, NOW);
    }
    states.note(&info(1, 0, 1, 1), 1 << 20, NOW);
    states.note(&info(1 << 30, 0, 0, 1), 1 << 21, NOW);
    assert_eq!(states.active().len(), LOG_PRODUCERS_MAX);
    let first: Vec<i64> = states.active().take(3).map(|producer| producer.producer_id).collect();
    assert_eq!(first, [0, 1, 3]);
}

const KAFKAS_LOG: &[u8] = include_bytes!("testdata/kafka-4.3.1.log");
const KAFKAS_SNAPSHOT: &[u8] = include_bytes!("testdata/kafka-4.3.1.snapshot");
const KAFKAS_INDEX: &[u8] = include_bytes!("testdata/kafka-4.3.1.txnindex");

/// Replays the batches of `log` that begin at or behind `from`.
fn replay(states: &mut ProducerStates, mut log: &[u8], from: i64) {
    while let Step::Batch(view) = next_batch(log, usize::MAX) {
        log = &log[view.size()..];
        let header = view.header();
        if header.base_offset < from {
            continue;
        }
        let marker = header
            .attributes
            .is_control()
            .then(|| EndMarker::parse(header, view.body()).expect("a sound marker"))
            .flatten();
        states.replay(header, marker.as_ref());
    }
}

/// An idempotent producer; two aborted transactions that overlap, their epochs raised; a committed
/// one; an open one. Written by Apache Kafka 4.3.1, transaction.version 2.
#[test]
fn replayed_log_of_kafka_gives_its_snapshot_and_its_transaction_index() {
    let mut states = ProducerStates::default();
    replay(&mut states, KAFKAS_LOG, 0);
    assert_eq!(states.snapshot(), KAFKAS_SNAPSHOT);
    assert_eq!(format_transaction_index(states.aborted().of_segment(0, 20)), KAFKAS_INDEX);
    assert_eq!(states.first_unstable(20), Some(18));
}

#[test]
fn snapshot_of_kafka_reads_back_and_goes_on() {
    let mut states = ProducerStates::parse_snapshot(&Bytes::from_static(KAFKAS_SNAPSHOT))
        .expect("Kafka's own file");
    assert_eq!(states.snapshot(), KAFKAS_SNAPSHOT);
    assert_eq!(states.first_unstable(20), Some(18));
    assert_eq!(states.check(&info(0, 0, 8, 1)), duplicate(13, 13, 1_795_746_417_080));
    assert_eq!(states.check(&info(0, 0, 7, 1)), OUT_OF_ORDER, "only the last batch is kept");
    assert_eq!(states.check(&info(0, 0, 9, 1)), Verdict::Accept);
    assert_eq!(states.check(&info(1, 2, 0, 1)), Verdict::Accept);
    assert_eq!(states.check(&info(1, 1, 0, 1)), OLD_EPOCH);
    let marker = EndMarker { is_abort: true, coordinator_epoch: 0, timestamp_ms: 0 };
    states.note_end(3, 1, &marker, 20, NOW);
    assert_eq!(states.aborted().within(18, 19).count(), 1);
}

#[test]
fn replay_over_a_restored_index_takes_no_transaction_twice() {
    let index = Bytes::from_static(KAFKAS_INDEX);
    let entries = parse_transaction_index(&index, 0).expect("Kafka's own file");
    let mut states = ProducerStates::default();
    states.restore_aborted(entries);
    replay(&mut states, KAFKAS_LOG, 0);
    assert_eq!(format_transaction_index(states.aborted().of_segment(0, 20)), KAFKAS_INDEX);
}

#[test]
fn snapshot_and_replay_of_the_rest_are_replay_of_all() {
    for from in 0..=20 {
        let mut before = ProducerStates::default();
        let cut = KAFKAS_LOG.len() - bytes_behind(KAFKAS_LOG, from);
        replay(&mut before, &KAFKAS_LOG[..cut], 0);
        let snapshot = Bytes::from(before.snapshot());
        let mut states = ProducerStates::parse_snapshot(&snapshot).expect("our own file");
        replay(&mut states, KAFKAS_LOG, from);
        assert_eq!(states.snapshot(), KAFKAS_SNAPSHOT, "from offset {from}");
    }
}

/// How many bytes of `log` lie at or behind offset `from`.
fn bytes_behind(mut log: &[u8], from: i64) -> usize {
    while let Step::Batch(view) = next_batch(log, usize::MAX) {
        if view.header().base_offset >= from {
            break;
        }
        log = &log[view.size()..];
    }
    log.len()
}

#[test]
fn empty_snapshot_has_ten_bytes() {
    let bytes = Bytes::from(ProducerStates::default().snapshot());
    assert_eq!(bytes.len(), 10);
    assert_eq!(ProducerStates::parse_snapshot(&bytes), Ok(ProducerStates::default()));
}

#[test]
fn damaged_snapshot_is_refused_wherever_the_damage_is() {
    for at in 0..KAFKAS_SNAPSHOT.len() {
        let mut bytes = KAFKAS_SNAPSHOT.to_vec();
        bytes[at] ^= 0x10;
        assert!(ProducerStates::parse_snapshot(&Bytes::from(bytes)).is_err(), "byte {at}");
    }
    for length in 0..KAFKAS_SNAPSHOT.len() {
        let bytes = Bytes::from_static(&KAFKAS_SNAPSHOT[..length]);
        assert!(ProducerStates::parse_snapshot(&bytes).is_err(), "{length} bytes");
    }
}

#[test]
fn snapshot_that_claims_more_than_it_has_reserves_nothing() {
    let mut bytes = vec![0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff];
    let crc = crc32c::crc32c(&bytes[6..]);
    bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(ProducerStates::parse_snapshot(&Bytes::from(bytes)), Err(SnapshotError::Ends));
}

fn control_batch(key: &[u8], value: &[u8]) -> (BatchHeader, Vec<u8>) {
    let mut builder = BatchBuilder::new().producer(5, 0, -1).transactional().control();
    builder.append(70, Some(key), Some(value));
    let bytes = builder.encode(11, 0);
    let Step::Batch(view) = next_batch(&bytes, usize::MAX) else { panic!("a batch") };
    (*view.header(), view.body().to_vec())
}

#[test]
fn marker_tells_kind_coordinator_and_time() {
    for is_abort in [true, false] {
        let end = EndTxnMarker { version: 0, coordinator_epoch: 12 };
        let record = if is_abort { ControlRecord::Abort(end) } else { ControlRecord::Commit(end) };
        let (key, value) = record.encode();
        let (header, body) = control_batch(&key, &value);
        let marker = EndMarker { is_abort, coordinator_epoch: 12, timestamp_ms: 70 };
        assert_eq!(EndMarker::parse(&header, &body), Ok(Some(marker)));
        assert!(EndMarker::parse(&header, &body[..9]).is_err());
        let emptied = BatchHeader { record_count: 0, ..header };
        assert_eq!(EndMarker::parse(&emptied, &[]), Ok(None));
    }
}

#[test]
fn control_batch_of_another_kind_is_no_marker() {
    let (header, body) = control_batch(&[0, 0, 0, 4], &[0, 0, 0]);
    assert_eq!(EndMarker::parse(&header, &body), Err(MarkerError::Kind));
    let (header, body) = control_batch(&[0], &[]);
    assert!(matches!(EndMarker::parse(&header, &body), Err(MarkerError::Content(_))));
}
