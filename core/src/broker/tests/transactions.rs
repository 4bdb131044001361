//! Transactions in a log that Kafka wrote: two aborted, one committed, one open from offset 18 on.

use super::*;
use crate::api::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData, Records};
use crate::batch::{Step, next_batch};

const KAFKAS_LOG: &[u8] = include_bytes!("../../log/producers/testdata/kafka-4.3.1.log");

/// A broker on Kafka's log, which is cut into two segments where `second` is above 0.
fn on_kafkas_log(second: usize) -> World {
    let mut disk = disk(&topic(1));
    let mut cut = KAFKAS_LOG;
    while let Step::Batch(view) = next_batch(cut, usize::MAX)
        && view.header().base_offset < second as i64
    {
        cut = &cut[view.size()..];
    }
    let of_first = KAFKAS_LOG.len() - cut.len();
    if of_first > 0 {
        disk.put("/data/t-0/00000000000000000000.log", KAFKAS_LOG[..of_first].to_vec());
    }
    disk.put(&format!("/data/t-0/{second:020}.log"), cut.to_vec());
    let mut world = World::on(disk, config(&["/data"]));
    world.settle();
    let peer = Peer { listener: Arc::from("PLAINTEXT"), address: String::new() };
    world.broker.handle_connect(CLIENT, peer, world.now);
    world
}

fn fetch(world: &mut World, fetch_offset: i64, isolation_level: i8) -> PartitionData {
    let partition = FetchPartition {
        fetch_offset,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic =
        FetchTopic { topic_id: TOPIC, partitions: vec![partition], ..FetchTopic::default() };
    let request = FetchRequest {
        max_bytes: 1 << 20,
        isolation_level,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    world.ask(RequestBody::Fetch { version: 17, request });
    world.settle();
    let Some((_, ResponseBody::Fetch(mut answer))) = world.responses.pop() else {
        panic!("no answer")
    };
    answer.responses.remove(0).partitions.remove(0)
}

/// Producer and first offset of the aborted transactions.
fn aborted(read: &PartitionData) -> Option<Vec<(i64, i64)>> {
    let told = read.aborted_transactions.as_ref()?.iter();
    Some(told.map(|transaction| (transaction.producer_id, transaction.first_offset)).collect())
}

fn record_bytes(read: &PartitionData) -> u64 {
    match &read.records {
        Records::File(range) => range.length,
        Records::Bytes(bytes) => bytes.len() as u64,
    }
}

#[test]
fn reader_of_committed_records_stops_at_the_open_transaction_and_is_told_of_the_aborted_ones() {
    let mut world = on_kafkas_log(0);
    let all = fetch(&mut world, 0, 0);
    assert_eq!((all.high_watermark, all.last_stable_offset), (20, 18));
    assert_eq!((aborted(&all), record_bytes(&all)), (None, KAFKAS_LOG.len() as u64));
    let committed = fetch(&mut world, 0, 1);
    assert_eq!(committed.last_stable_offset, 18);
    assert_eq!(aborted(&committed), Some(vec![(1, 7), (2, 9)]));
    // Batches of 71 bytes at 18 and 19.
    assert_eq!(record_bytes(&committed), KAFKAS_LOG.len() as u64 - 142);
    assert_eq!(aborted(&fetch(&mut world, 15, 1)), Some(vec![(2, 9)]), "from its marker on");
    assert_eq!(aborted(&fetch(&mut world, 16, 1)), Some(vec![]));
    let at_end = fetch(&mut world, 18, 1);
    assert_eq!((aborted(&at_end), record_bytes(&at_end)), (Some(vec![]), 0));
}

#[test]
fn reader_is_told_of_no_transaction_that_begins_behind_the_segment_it_gets() {
    let mut world = on_kafkas_log(9);
    assert_eq!(aborted(&fetch(&mut world, 0, 1)), Some(vec![(1, 7)]));
    assert_eq!(aborted(&fetch(&mut world, 9, 1)), Some(vec![(1, 7), (2, 9)]));
}

#[test]
fn producer_in_its_open_transaction_may_not_write_outside_of_it() {
    let mut world = on_kafkas_log(0);
    let plain = |producer, sequence| {
        let mut batch = BatchBuilder::new().producer(producer, 0, sequence);
        batch.append(WALL_MS, None, Some(b"value"));
        vec![(0, Some(batch.build()))]
    };
    let number = world.produce_all(plain(3, 2), Acks::All, 1_000);
    let mut refused = AppendOutcome::refused(ErrorCode::INVALID_TXN_STATE);
    refused.log_start_offset = 0;
    assert_eq!(world.answers, [(number, vec![refused])]);
    let number = world.produce_all(plain(0, 9), Acks::All, 1_000);
    world.settle();
    assert_eq!(world.answers.last(), Some(&(number, vec![accepted(20)])));
    assert_eq!(fetch(&mut world, 0, 1).last_stable_offset, 18, "it stays open");
}
