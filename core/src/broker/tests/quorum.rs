//! What is told of the metadata quorum, and of brokers that are to go.

use super::*;
use crate::api::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, PartitionRequest, TopicRequest,
};
use crate::api::unregister_broker::UnregisterBrokerRequest;
use crate::records::RegisterBrokerRecord;

impl World {
    fn describe_quorum(&mut self, topics: &[(&str, &[i32])]) -> DescribeQuorumResponse {
        let topics = topics.iter().map(|(name, partitions)| TopicRequest {
            topic_name: name.to_string(),
            partitions: partitions
                .iter()
                .map(|index| PartitionRequest { partition_index: *index })
                .collect(),
        });
        let request = DescribeQuorumRequest { topics: topics.collect() };
        self.ask(RequestBody::DescribeQuorum { version: 2, request });
        match self.responses.pop() {
            Some((_, ResponseBody::DescribeQuorum(answer))) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn unregister(&mut self, broker_id: i32) -> (ErrorCode, String) {
        let request = UnregisterBrokerRequest { broker_id };
        self.ask(RequestBody::UnregisterBroker { version: 0, request });
        self.settle();
        match self.responses.pop() {
            Some((_, ResponseBody::UnregisterBroker(answer))) => {
                (answer.error_code, answer.error_message.expect("words"))
            }
            other => panic!("{other:?}"),
        }
    }
}

const QUORUM: (&str, &[i32]) = ("__cluster_metadata", &[0]);

#[test]
fn quorum_is_this_node_and_its_ends_are_real() {
    let mut world = World::ready(1);
    let answer = world.describe_quorum(&[QUORUM]);
    assert_eq!((answer.error_code, answer.error_message.as_deref()), (ErrorCode::NONE, Some("")));
    let partition = &answer.topics[0].partitions[0];
    assert_eq!((partition.error_code, partition.leader_id), (ErrorCode::NONE, 1));
    assert_eq!(partition.leader_epoch, 2, "the directory's epoch 1, and this start");
    assert_eq!(partition.high_watermark, world.broker.image().metadata_offset + 1);
    let [voter] = &partition.current_voters[..] else { panic!("{partition:?}") };
    assert_eq!((voter.replica_id, voter.log_end_offset), (1, partition.high_watermark));
    assert_eq!((voter.last_fetch_timestamp, voter.last_caught_up_timestamp), (WALL_MS, WALL_MS));
    assert_eq!(voter.replica_directory_id, Uuid::ZERO, "no record tells of voters");
    assert_eq!(partition.observers, []);
    let [node] = &answer.nodes[..] else { panic!("{answer:?}") };
    let listener = &node.listeners[0];
    assert_eq!((node.node_id, listener.name.as_str()), (1, "CONTROLLER"));

    // What is written and not durable is no high watermark.
    let elect = crate::api::init_producer_id::InitProducerIdRequest {
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    world.ask(RequestBody::InitProducerId { version: 5, request: elect });
    let answer = world.describe_quorum(&[QUORUM]);
    let partition = &answer.topics[0].partitions[0];
    assert_eq!(partition.current_voters[0].log_end_offset, partition.high_watermark + 1);
}

#[test]
fn voters_of_records_have_their_directory() {
    let mut world = World::serving(Disk::default(), config(&["/data"]));
    let answer = world.describe_quorum(&[QUORUM]);
    let voter = &answer.topics[0].partitions[0].current_voters[0];
    assert_ne!(voter.replica_directory_id, Uuid::ZERO);
}

#[test]
fn nothing_beside_the_quorum_is_described() {
    let mut world = World::ready(1);
    let unknown = "This server does not host this topic-partition.";
    for asked in [
        &[("t", &[0][..])][..],
        &[("__cluster_metadata", &[1])],
        &[("__cluster_metadata", &[0, 0])],
        &[QUORUM, ("t", &[0])],
        &[QUORUM, QUORUM],
    ] {
        let answer = world.describe_quorum(asked);
        assert_eq!((answer.error_code, answer.nodes.len()), (ErrorCode::NONE, 0));
        assert_eq!(answer.topics.len(), asked.len());
        for (topic, (name, indexes)) in answer.topics.iter().zip(asked) {
            assert_eq!((topic.topic_name.as_str(), topic.partitions.len()), (*name, indexes.len()));
            for partition in &topic.partitions {
                assert_eq!(partition.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
                assert_eq!(partition.error_message.as_deref(), Some(unknown));
            }
        }
    }
    assert_eq!(world.describe_quorum(&[]).topics, []);
    assert_eq!(world.describe_quorum(&[("__cluster_metadata", &[])]).topics[0].partitions, []);
}

#[test]
fn running_broker_does_not_leave_the_cluster() {
    let mut world = World::ready(1);
    let unknown = "Broker ID 9 is not currently registered".to_string();
    assert_eq!(world.unregister(9), (ErrorCode::BROKER_ID_NOT_REGISTERED, unknown));
    let running = "Broker ID 1 is running, and the only one that is.".to_string();
    assert_eq!(world.unregister(1), (ErrorCode::INVALID_REQUEST, running));
    assert!(world.broker.image().registration().is_some());
}

#[test]
fn broker_of_a_larger_cluster_leaves_it() {
    let registered = RegisterBrokerRecord { broker_id: 2, broker_epoch: 5, ..Default::default() };
    let shared = |partition_id, leader, isr: &[i32]| PartitionRecord {
        replicas: vec![1, 2],
        isr: isr.to_vec(),
        leader,
        ..partition(partition_id)
    };
    let mut records = topic(1);
    records.push(shared(1, 1, &[1, 2]).into());
    records.push(shared(2, 2, &[1, 2]).into());
    records.push(shared(3, 1, &[1]).into());
    records.push(registered.into());
    let mut world = World::serving(disk(&records), config(&["/data"]));
    assert_eq!(world.unregister(2), (ErrorCode::NONE, String::new()));
    assert!(!world.broker.image().registrations.contains_key(&2));
    let partitions = &world.broker.image().topics["t"].partitions;
    let state = |index| {
        let partition: &crate::broker::image::Partition = &partitions[&index];
        (partition.leader, partition.isr.clone(), partition.leader_epoch, partition.partition_epoch)
    };
    assert_eq!(state(0), (1, vec![1], 0, 0));
    assert_eq!(state(1), (1, vec![1], 0, 1));
    // Nobody leads it: it was not loaded here.
    assert_eq!((state(2).0, state(2).2), (-1, 1));
    assert_eq!(state(3), (1, vec![1], 0, 0));
    let unknown = "Broker ID 2 is not currently registered".to_string();
    assert_eq!(world.unregister(2), (ErrorCode::BROKER_ID_NOT_REGISTERED, unknown));

    // The next start leads what it has.
    let mut world = World::on(world.disk, config(&["/data"]));
    world.settle();
    assert_eq!(world.broker.image().topics["t"].partitions[&2].leader, 1);
}
