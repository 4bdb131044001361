//! Moves of partitions, on a directory of one node and on one that comes from a larger cluster.

use super::*;
use crate::api::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignableTopic,
};
use crate::broker::image::Partition;
use crate::records::{FeatureLevelRecord, RegisterBrokerRecord};

/// Partition 0 is here alone; 1 is led here and has another replica, 2 is led by a broker that is gone; 3 is being
/// moved away from here, to a broker that is gone, and 4 to this one.
fn from_larger_cluster() -> World {
    let mut records = topic(5);
    let shared = |replicas: &[i32], isr: &[i32], leader| PartitionRecord {
        replicas: replicas.to_vec(),
        isr: isr.to_vec(),
        leader,
        directories: replicas.iter().map(|node| Uuid([*node as u8; 16])).collect(),
        ..partition(0)
    };
    let moved = |adding: &[i32], removing: &[i32], record| PartitionRecord {
        adding_replicas: adding.to_vec(),
        removing_replicas: removing.to_vec(),
        ..record
    };
    let changed = [
        shared(&[2, 1], &[1], 1),
        shared(&[2, 1], &[2, 1], 2),
        moved(&[2], &[1], shared(&[2, 1], &[1], 1)),
        moved(&[1], &[2], shared(&[1, 2], &[2], 2)),
    ];
    for (partition_id, record) in (1..).zip(changed) {
        records[partition_id as usize + 1] = PartitionRecord { partition_id, ..record }.into();
    }
    let level = FeatureLevelRecord { name: "metadata.version".to_string(), feature_level: 30 };
    records.push(level.into());
    records.push(RegisterBrokerRecord { broker_id: 3, ..RegisterBrokerRecord::default() }.into());
    World::serving(disk(&records), config(&["/data"]))
}

impl World {
    /// Asks for one partition of topic `t`.
    fn reassign(&mut self, index: i32, replicas: Option<&[i32]>, allows_change: bool) -> Outcome {
        let partition = ReassignablePartition {
            partition_index: index,
            replicas: replicas.map(<[i32]>::to_vec),
        };
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: 1_000,
            allow_replication_factor_change: allows_change,
            topics: vec![ReassignableTopic { name: "t".to_string(), partitions: vec![partition] }],
        };
        let mut answer = self.ask_reassignments(request);
        assert_eq!(answer.allow_replication_factor_change, allows_change);
        let result = answer.responses.remove(0).partitions.remove(0);
        assert_eq!((answer.error_code, result.partition_index), (ErrorCode::NONE, index));
        (result.error_code, result.error_message)
    }

    fn ask_reassignments(
        &mut self,
        request: AlterPartitionReassignmentsRequest,
    ) -> AlterPartitionReassignmentsResponse {
        self.ask(RequestBody::AlterPartitionReassignments { version: 1, request });
        self.settle();
        match self.responses.pop() {
            Some((_, ResponseBody::AlterPartitionReassignments(answer))) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn partition(&self, index: i32) -> Partition {
        self.broker.image().topics["t"].partitions[&index].clone()
    }
}

type Outcome = (ErrorCode, Option<String>);

fn told(error: ErrorCode, text: &str) -> Outcome {
    (error, Some(text.to_string()))
}

#[test]
fn only_this_broker_can_be_moved_to() {
    let mut world = from_larger_cluster();
    let assignment = ErrorCode::INVALID_REPLICA_ASSIGNMENT;
    let manual = |what: &str| {
        told(assignment, &alloc::format!("The manual partition assignment includes {what}"))
    };
    assert_eq!(world.reassign(0, Some(&[1]), true), (ErrorCode::NONE, None));
    assert_eq!(world.reassign(0, Some(&[]), true), manual("an empty replica list."));
    assert_eq!(world.reassign(0, Some(&[1, 1]), true), manual("the broker 1 more than once."));
    let unregistered = "broker 2, but no such broker is registered.";
    assert_eq!(world.reassign(0, Some(&[2, 1, 2]), false), manual(unregistered));
    let fenced = manual("broker 3, which is not running.");
    assert_eq!(world.reassign(0, Some(&[1, 3]), false), fenced);
    assert_eq!(world.reassign(0, None, true), (ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, None));
    let unknown = told(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "Unable to find partition t:7.");
    assert_eq!(world.reassign(7, Some(&[1]), true), unknown);
    assert_eq!(world.partition(0).partition_epoch, 0);
}

#[test]
fn reassignments_are_answered_as_a_whole_where_nothing_is_looked_at() {
    let mut world = World::ready(1);
    let partitions = vec![ReassignablePartition { partition_index: 3, replicas: None }];
    let topics = vec![ReassignableTopic { name: "nope".to_string(), partitions }];
    let answer = world.ask_reassignments(AlterPartitionReassignmentsRequest {
        timeout_ms: 1,
        allow_replication_factor_change: false,
        topics: topics.clone(),
    });
    let partition = answer.responses[0].partitions[0].clone();
    let unknown = told(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "Unable to find a topic named nope.");
    assert_eq!((partition.error_code, partition.error_message), unknown);
    let answer = world.ask_reassignments(AlterPartitionReassignmentsRequest {
        timeout_ms: 0,
        topics,
        ..AlterPartitionReassignmentsRequest::default()
    });
    let partition = &answer.responses[0].partitions[0];
    let timed_out = ErrorCode::REQUEST_TIMED_OUT;
    assert_eq!((answer.error_code, partition.error_code), (timed_out, timed_out));
    let answer = world.ask_reassignments(AlterPartitionReassignmentsRequest::default());
    assert_eq!((answer.error_code, answer.error_message.as_deref()), (ErrorCode::NONE, Some("")));
}

#[test]
fn partition_is_left_with_its_replica_here() {
    let mut world = from_larger_cluster();
    let changed = told(
        ErrorCode::INVALID_REPLICATION_FACTOR,
        "The replication factor is changed from 2 to 1",
    );
    assert_eq!(world.reassign(1, Some(&[1]), false), changed);
    assert_eq!(world.reassign(1, Some(&[1]), true), (ErrorCode::NONE, None));
    let moved = world.partition(1);
    assert_eq!((moved.replicas, moved.isr, moved.leader), (vec![1], vec![1], 1));
    assert_eq!((moved.directories, moved.leader_epoch), (vec![Uuid([1; 16])], 1));
    // It is where it is to be.
    assert_eq!(world.reassign(1, Some(&[1]), false), (ErrorCode::NONE, None));
    assert_eq!(world.partition(1).leader_epoch, 1);

    let lost = "Unable to move partition t:2: broker 1 does not lead it, and no other broker is \
                registered.";
    let lost = told(ErrorCode::INVALID_REPLICA_ASSIGNMENT, lost);
    assert_eq!(world.reassign(2, Some(&[1]), true), lost);
    assert_eq!(world.partition(2).replicas, [2, 1]);
}

#[test]
fn move_to_a_broker_that_is_gone_can_be_given_up() {
    let mut world = from_larger_cluster();
    assert!(world.partition(3).is_reassigned());
    assert_eq!(world.reassign(3, None, true), (ErrorCode::NONE, None));
    let kept = world.partition(3);
    assert_eq!((kept.replicas, kept.isr, kept.leader), (vec![1], vec![1], 1));
    assert!(kept.adding.is_empty() && kept.removing.is_empty());
    let unclean = "Unable to revert partition assignment for t:4 because it would require an unclean \
                   leader election.";
    let unclean = told(ErrorCode::INVALID_REPLICA_ASSIGNMENT, unclean);
    assert_eq!(world.reassign(4, None, true), unclean);
}
