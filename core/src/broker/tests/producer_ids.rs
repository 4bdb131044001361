//! InitProducerId and DescribeProducers.

use super::*;
use crate::api::describe_producers::{
    DescribeProducersRequest, PartitionResponse, ProducerState, TopicRequest,
};
use crate::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::records::ProducerIdsRecord;

fn plain() -> InitProducerIdRequest {
    InitProducerIdRequest { producer_id: -1, producer_epoch: -1, ..Default::default() }
}

impl World {
    fn ask_id(&mut self, request: InitProducerIdRequest) -> u64 {
        self.ask(RequestBody::InitProducerId { version: 5, request })
    }

    /// The answers so far: request, error, id and epoch.
    fn ids(&mut self) -> Vec<(u64, i16, i64, i16)> {
        let answers = core::mem::take(&mut self.responses).into_iter();
        answers
            .map(|(number, body)| {
                let ResponseBody::InitProducerId(answer) = body else { panic!("{body:?}") };
                let InitProducerIdResponse { error_code, producer_id, producer_epoch, .. } = answer;
                (number, error_code.0, producer_id, producer_epoch)
            })
            .collect()
    }

    /// One id, waited for.
    fn next_id(&mut self) -> i64 {
        self.ask_id(plain());
        self.settle();
        let [(_, 0, id, 0)] = self.ids()[..] else { panic!("one id of epoch 0") };
        id
    }

    fn blocks(&self) -> i64 {
        self.broker.image().next_producer_id
    }

    /// The broker that starts from what is on disk now.
    fn again(&self) -> Self {
        let mut again = Self::on(self.disk.clone(), config(&["/data"]));
        again.settle();
        let peer = Peer { listener: Arc::from("PLAINTEXT"), address: String::new() };
        again.broker.handle_connect(CLIENT, peer, again.now);
        again
    }
}

#[test]
fn id_is_given_when_its_block_is_durable() {
    let mut world = World::ready(0);
    let number = world.ask_id(plain());
    world.step_writes();
    assert_eq!(world.ids(), [], "the record is written, and not synced");
    world.settle();
    assert_eq!(world.ids(), [(number, 0, 0, 0)]);
    assert_eq!(world.blocks(), 1_000);
    let at_once = world.ask_id(plain());
    assert_eq!(world.ids(), [(at_once, 0, 1, 0)]);
}

#[test]
fn durable_block_is_kafkas_record() {
    let mut world = World::ready(0);
    world.next_id();
    let broker_epoch = world.broker.image().registration().expect("it is registered").broker_epoch;
    let record = ProducerIdsRecord { broker_id: 1, broker_epoch, next_producer_id: 1_000 };
    let value = MetadataRecord::from(record).encode(0);
    let log = world.disk.get(METADATA).expect("the metadata log");
    assert!(log.windows(value.len()).any(|bytes| bytes == &value[..]));
}

#[test]
fn many_callers_share_a_block_and_get_ids_of_their_own() {
    let mut world = World::ready(0);
    let asked = 2_500;
    for _ in 0..asked {
        world.ask_id(plain());
    }
    let writes = world.effects.len();
    assert_eq!(writes, 1, "one block is asked for");
    world.settle();
    let ids: Vec<i64> = world.ids().into_iter().map(|(_, _, id, _)| id).collect();
    assert_eq!(ids, (0..asked).collect::<Vec<i64>>());
    assert_eq!(world.blocks(), 3_000);
}

#[test]
fn next_block_is_there_before_the_last_one_is_used_up() {
    let mut world = World::ready(0);
    for id in 0..900 {
        assert_eq!(world.next_id(), id);
        let blocks = if id < 899 { 1_000 } else { 2_000 };
        assert_eq!(world.blocks(), blocks, "after id {id}");
    }
    for id in 900..1_100 {
        world.ask_id(plain());
        assert_eq!(world.ids().pop().map(|(_, _, given, _)| given), Some(id), "at once");
    }
}

#[test]
fn ids_of_an_earlier_life_are_not_given_again() {
    let mut world = World::ready(0);
    assert_eq!(world.next_id(), 0);
    let mut crashed = world.again();
    assert_eq!(crashed.next_id(), 1_000);
    crashed.broker.handle_shutdown(crashed.now);
    crashed.drain();
    crashed.settle();
    assert_eq!(crashed.again().next_id(), 2_000);
}

#[test]
fn block_that_a_crash_cut_was_never_given() {
    let mut world = World::ready(0);
    world.ask_id(plain());
    // Its record is not written: the broker on this disk does not know of it.
    assert_eq!(world.again().next_id(), 0);
    world.step_writes();
    assert_eq!(world.ids(), []);
    assert_eq!(world.again().next_id(), 1_000, "it is written, so it counts");
}

#[test]
fn caller_that_left_gets_no_id() {
    let mut world = World::ready(0);
    world.ask_id(plain());
    world.broker.handle_disconnect(CLIENT, None, world.now);
    world.drain();
    world.settle();
    assert_eq!(world.ids(), []);
    let peer = Peer { listener: Arc::from("PLAINTEXT"), address: String::new() };
    world.broker.handle_connect(CLIENT, peer, world.now);
    assert_eq!(world.next_id(), 0);
}

#[test]
fn caller_that_waits_when_the_stop_begins_is_answered() {
    let mut world = World::ready(0);
    let number = world.ask_id(plain());
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.settle();
    assert_eq!(world.ids(), [(number, 0, 0, 0)]);
    assert_eq!(world.stopped, Some(Exit::Clean));
    assert_eq!(world.again().next_id(), 1_000);
}

#[test]
fn requests_that_make_no_sense_here_are_told_so() {
    let mut world = World::ready(0);
    let transactional = |id: &str, transaction_timeout_ms| InitProducerIdRequest {
        transactional_id: Some(id.to_string()),
        transaction_timeout_ms,
        ..plain()
    };
    for (request, error) in [
        (InitProducerIdRequest { producer_id: 3, ..plain() }, 42),
        (InitProducerIdRequest { producer_epoch: 0, ..plain() }, 42),
        (transactional("", 1_000), 42),
        (transactional("t", 0), 50),
        (transactional("t", 900_001), 50),
        (transactional("t", 900_000), 16),
    ] {
        let number = world.ask_id(request);
        assert_eq!(world.ids(), [(number, error, -1, -1)]);
    }
    assert_eq!(world.effects, []);
    let known = InitProducerIdRequest { producer_id: 3, producer_epoch: 7, ..plain() };
    let number = world.ask_id(known);
    world.settle();
    assert_eq!(world.ids(), [(number, 0, 0, 0)], "without a transactional id it is a new one");
}

#[test]
fn when_no_block_is_left_callers_are_told() {
    let last = ProducerIdsRecord { next_producer_id: i64::MAX - 10, ..Default::default() };
    let mut world = World::on(disk(&[last.into()]), config(&["/data"]));
    world.settle();
    let peer = Peer { listener: Arc::from("PLAINTEXT"), address: String::new() };
    world.broker.handle_connect(CLIENT, peer, world.now);
    let number = world.ask_id(plain());
    assert_eq!(world.ids(), [(number, -1, -1, -1)]);
}

#[test]
fn partitions_producers_are_described_and_what_is_not_there_is_told() {
    let mut world = World::ready(1);
    let mut batch = BatchBuilder::new().producer(5, 2, 40);
    batch.append(1_000, None, None);
    batch.append(1_007, None, None);
    world.produce_all(vec![(0, Some(batch.build()))], Acks::All, 1_000);
    world.settle();
    let topics = [("t", vec![0, 9]), ("gone", vec![0]), ("a/b", vec![0, 1])];
    let topics = topics
        .into_iter()
        .map(|(name, partition_indexes)| TopicRequest { name: name.into(), partition_indexes });
    let request = DescribeProducersRequest { topics: topics.collect() };
    world.ask(RequestBody::DescribeProducers { version: 0, request });
    let Some((_, ResponseBody::DescribeProducers(answer))) = world.responses.pop() else {
        panic!("no answer")
    };
    let producer = ProducerState {
        producer_id: 5,
        producer_epoch: 2,
        last_sequence: 41,
        last_timestamp: 1_007,
        coordinator_epoch: -1,
        current_txn_start_offset: -1,
    };
    let partitions: Vec<PartitionResponse> =
        answer.topics.into_iter().flat_map(|topic| topic.partitions).collect();
    assert_eq!(partitions[0].active_producers, [producer]);
    let errors: Vec<(i16, Option<&str>)> = partitions
        .iter()
        .map(|partition| (partition.error_code.0, partition.error_message.as_deref()))
        .collect();
    let invalid = "Topic name is invalid: 'a/b' contains one or more characters other than ASCII \
                   alphanumerics, '.', '_' and '-'";
    let unknown = "This server does not host this topic-partition.";
    let told = [(0, None), (3, None), (3, Some(unknown)), (17, Some(invalid)), (17, None)];
    assert_eq!(errors, told);
}
