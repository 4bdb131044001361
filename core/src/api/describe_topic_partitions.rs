//! DescribeTopicPartitions (key 75): topics page by page, with eligible leader replicas (KIP-966).

use alloc::string::String;
use alloc::vec::Vec;

use super::metadata::OPERATIONS_UNKNOWN;
use crate::codec::message;
use crate::error_code::ErrorCode;
use crate::ids::Uuid;

message! {
    /// Asks for a page of topics.
    pub struct DescribeTopicPartitionsRequest (versions: 0..=0, flexible: 0..) {
        /// The topics; none asks for all.
        topics: Vec<TopicRequest> { versions: 0.. },
        /// Most partitions in the answer.
        response_partition_limit: i32 { versions: 0.., default: 2000 },
        /// Where the page begins; null for the front.
        cursor: Option<Cursor> { versions: 0.., nullable: 0.. },
    }

    /// A topic asked for.
    pub struct TopicRequest {
        /// Its name.
        name: String { versions: 0.. },
    }

    /// Where a page begins, the same in request and response.
    pub struct Cursor {
        /// The first topic.
        topic_name: String { versions: 0.. },
        /// The first partition of it.
        partition_index: i32 { versions: 0.. },
    }

    /// The answer to a [`DescribeTopicPartitionsRequest`].
    pub struct DescribeTopicPartitionsResponse (versions: 0..=0, flexible: 0..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// The topics, sorted by name.
        topics: Vec<DescribeTopicPartitionsResponseTopic> { versions: 0.. },
        /// Where the next page begins; null when this is the last.
        next_cursor: Option<Cursor> { versions: 0.., nullable: 0.. },
    }

    /// A topic.
    pub struct DescribeTopicPartitionsResponseTopic {
        /// What is wrong with it.
        error_code: ErrorCode { versions: 0.. },
        /// Its name.
        name: Option<String> { versions: 0.., nullable: 0.., default: Some(String::new()) },
        /// Its id; zero when it does not exist.
        topic_id: Uuid { versions: 0.. },
        /// The broker itself uses it.
        is_internal: bool { versions: 0.. },
        /// Its partitions, as far as they are on this page.
        partitions: Vec<DescribeTopicPartitionsResponsePartition> { versions: 0.. },
        /// A bit for each operation that the client may do on the topic.
        topic_authorized_operations: i32 { versions: 0.., default: OPERATIONS_UNKNOWN },
    }

    /// A partition.
    pub struct DescribeTopicPartitionsResponsePartition {
        /// What is wrong with it.
        error_code: ErrorCode { versions: 0.. },
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// Its leader; -1 for none.
        leader_id: i32 { versions: 0.. },
        /// The leader's epoch.
        leader_epoch: i32 { versions: 0.., default: -1 },
        /// All its replicas.
        replica_nodes: Vec<i32> { versions: 0.. },
        /// Replicas in sync with the leader.
        isr_nodes: Vec<i32> { versions: 0.. },
        /// Replicas that may lead though they are not in sync.
        eligible_leader_replicas: Option<Vec<i32>> { versions: 0.., nullable: 0.. },
        /// The last of those that were known.
        last_known_elr: Option<Vec<i32>> { versions: 0.., nullable: 0.. },
        /// Replicas that are not reachable.
        offline_replicas: Vec<i32> { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{encode, round_trip_all};

    fn cursor() -> Cursor {
        Cursor { topic_name: "t".into(), partition_index: 4 }
    }

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&DescribeTopicPartitionsRequest {
            topics: vec![TopicRequest { name: "t".into() }],
            response_partition_limit: 10,
            cursor: Some(cursor()),
        });
        round_trip_all(&DescribeTopicPartitionsResponse {
            throttle_time_ms: 1,
            topics: vec![DescribeTopicPartitionsResponseTopic {
                error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                name: None,
                topic_id: Uuid([1; 16]),
                is_internal: true,
                partitions: vec![DescribeTopicPartitionsResponsePartition {
                    error_code: ErrorCode::NONE,
                    partition_index: 3,
                    leader_id: 1,
                    leader_epoch: 2,
                    replica_nodes: vec![1, 2],
                    isr_nodes: vec![1],
                    eligible_leader_replicas: Some(vec![]),
                    last_known_elr: None,
                    offline_replicas: vec![2],
                }],
                topic_authorized_operations: 3576,
            }],
            next_cursor: Some(cursor()),
        });
    }

    #[test]
    fn a_cursor_is_preceded_by_whether_it_is_there() {
        let without = encode(&DescribeTopicPartitionsRequest::default(), 0);
        assert_eq!(&without[..], b"\x01\0\0\x07\xd0\xff\0");
        let with = DescribeTopicPartitionsRequest { cursor: Some(cursor()), ..Default::default() };
        assert_eq!(&encode(&with, 0)[5..], b"\x01\x02t\0\0\0\x04\0\0");
    }
}
