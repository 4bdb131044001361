//! DescribeQuorum (key 55): tells of the metadata quorum (KIP-595).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;
use crate::ids::Uuid;

message! {
    /// Asks for the quorum of logs.
    pub struct DescribeQuorumRequest (versions: 0..=2, flexible: 0..) {
        /// The topics.
        topics: Vec<TopicRequest> { versions: 0.. },
    }

    /// A topic to describe.
    pub struct TopicRequest {
        /// Its name.
        topic_name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<PartitionRequest> { versions: 0.. },
    }

    /// A partition to describe.
    pub struct PartitionRequest {
        /// Its index.
        partition_index: i32 { versions: 0.. },
    }

    /// The answer to a [`DescribeQuorumRequest`].
    pub struct DescribeQuorumResponse (versions: 0..=2, flexible: 0..) {
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 2.., nullable: 2.., default: Some(String::new()) },
        /// The topics.
        topics: Vec<TopicResponse> { versions: 0.. },
        /// Where the voters listen.
        nodes: Vec<Node> { versions: 2.. },
    }

    /// A topic described.
    pub struct TopicResponse {
        /// Its name.
        topic_name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<PartitionResponse> { versions: 0.. },
    }

    /// A partition described.
    pub struct PartitionResponse {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 2.., nullable: 2.., default: Some(String::new()) },
        /// Its leader; -1 for none.
        leader_id: i32 { versions: 0.. },
        /// The leader's epoch.
        leader_epoch: i32 { versions: 0.. },
        /// The end of what is committed; -1 when not known.
        high_watermark: i64 { versions: 0.. },
        /// Those who vote.
        current_voters: Vec<ReplicaState> { versions: 0.. },
        /// Those who follow.
        observers: Vec<ReplicaState> { versions: 0.. },
    }

    /// A replica of the log.
    pub struct ReplicaState {
        /// Its node.
        replica_id: i32 { versions: 0.. },
        /// Its log directory.
        replica_directory_id: Uuid { versions: 2.. },
        /// Its last known log end; -1 for none.
        log_end_offset: i64 { versions: 0.. },
        /// When it last fetched; -1 for never.
        last_fetch_timestamp: i64 { versions: 1.., default: -1 },
        /// When it last had everything; -1 for never.
        last_caught_up_timestamp: i64 { versions: 1.., default: -1 },
    }

    /// A node of the quorum.
    pub struct Node {
        /// Its id.
        node_id: i32 { versions: 2.. },
        /// Where it listens.
        listeners: Vec<Listener> { versions: 2.. },
    }

    /// Where a node listens.
    pub struct Listener {
        /// Its name.
        name: String { versions: 2.. },
        /// Host name or address.
        host: String { versions: 2.. },
        /// Port.
        port: u16 { versions: 2.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&DescribeQuorumRequest {
            topics: vec![TopicRequest {
                topic_name: "d".into(),
                partitions: vec![PartitionRequest { partition_index: 28 }],
            }],
        });
        round_trip_all(&DescribeQuorumResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some("g".into()),
            topics: vec![TopicResponse {
                topic_name: "h".into(),
                partitions: vec![PartitionResponse {
                    partition_index: 32,
                    error_code: ErrorCode::INVALID_REQUEST,
                    error_message: Some("c".into()),
                    leader_id: 35,
                    leader_epoch: 36,
                    high_watermark: 37,
                    current_voters: vec![ReplicaState {
                        replica_id: 38,
                        replica_directory_id: Uuid([39; 16]),
                        log_end_offset: 40,
                        last_fetch_timestamp: 41,
                        last_caught_up_timestamp: 42,
                    }],
                    observers: vec![ReplicaState {
                        replica_id: 38,
                        replica_directory_id: Uuid([39; 16]),
                        log_end_offset: 40,
                        last_fetch_timestamp: 41,
                        last_caught_up_timestamp: 42,
                    }],
                }],
            }],
            nodes: vec![Node {
                node_id: 43,
                listeners: vec![Listener { name: "e".into(), host: "f".into(), port: 46 }],
            }],
        });
    }
}
