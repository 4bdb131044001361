//! ElectLeaders (key 43): elects leaders of partitions (KIP-183, KIP-460).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for elections.
    pub struct ElectLeadersRequest (versions: 0..=2, flexible: 2..) {
        /// 0 the preferred replica, 1 any (`ElectionType`).
        election_type: i8 { versions: 1.. },
        /// The partitions; null for all.
        topic_partitions: Option<Vec<TopicPartitions>> { versions: 0.., nullable: 0.. },
        /// How long it may take, in milliseconds.
        timeout_ms: i32 { versions: 0.., default: 60000 },
    }

    /// Partitions of a topic.
    pub struct TopicPartitions {
        /// Its name.
        topic: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<i32> { versions: 0.. },
    }

    /// The answer to an [`ElectLeadersRequest`].
    pub struct ElectLeadersResponse (versions: 0..=2, flexible: 2..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 1.. },
        /// One for each topic.
        replica_election_results: Vec<ReplicaElectionResult> { versions: 0.. },
    }

    /// What became of a topic.
    pub struct ReplicaElectionResult {
        /// Its name.
        topic: String { versions: 0.. },
        /// One for each partition.
        partition_result: Vec<PartitionResult> { versions: 0.. },
    }

    /// What became of a partition.
    pub struct PartitionResult {
        /// Its index.
        partition_id: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&ElectLeadersRequest {
            election_type: 63,
            topic_partitions: Some(vec![TopicPartitions {
                topic: "b".into(),
                partitions: vec![66],
            }]),
            timeout_ms: 64,
        });
        round_trip_all(&ElectLeadersResponse {
            throttle_time_ms: 67,
            error_code: ErrorCode::INVALID_REQUEST,
            replica_election_results: vec![ReplicaElectionResult {
                topic: "f".into(),
                partition_result: vec![PartitionResult {
                    partition_id: 70,
                    error_code: ErrorCode::INVALID_REQUEST,
                    error_message: Some("a".into()),
                }],
            }],
        });
    }
}
