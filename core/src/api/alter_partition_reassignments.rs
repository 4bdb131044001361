//! AlterPartitionReassignments (key 45): moves partitions to other replicas (KIP-455).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks to move partitions.
    pub struct AlterPartitionReassignmentsRequest (versions: 0..=1, flexible: 0..) {
        /// How long it may take, in milliseconds.
        timeout_ms: i32 { versions: 0.., default: 60000 },
        /// Whether a partition may get more or fewer replicas.
        allow_replication_factor_change: bool { versions: 1.., default: true },
        /// The topics.
        topics: Vec<ReassignableTopic> { versions: 0.. },
    }

    /// A topic whose partitions move.
    pub struct ReassignableTopic {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<ReassignablePartition> { versions: 0.. },
    }

    /// A partition that moves.
    pub struct ReassignablePartition {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// The brokers; null to cancel a move.
        replicas: Option<Vec<i32>> { versions: 0.., nullable: 0.. },
    }

    /// The answer to an [`AlterPartitionReassignmentsRequest`].
    pub struct AlterPartitionReassignmentsResponse (versions: 0..=1, flexible: 0..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// Whether a partition may get more or fewer replicas.
        allow_replication_factor_change: bool { versions: 1.., default: true },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
        /// One for each that was asked for.
        responses: Vec<ReassignableTopicResponse> { versions: 0.. },
    }

    /// What became of a topic.
    pub struct ReassignableTopicResponse {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<ReassignablePartitionResponse> { versions: 0.. },
    }

    /// What became of a partition.
    pub struct ReassignablePartitionResponse {
        /// Its index.
        partition_index: i32 { versions: 0.. },
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
        round_trip_all(&AlterPartitionReassignmentsRequest {
            timeout_ms: 73,
            allow_replication_factor_change: true,
            topics: vec![ReassignableTopic {
                name: "d".into(),
                partitions: vec![ReassignablePartition {
                    partition_index: 76,
                    replicas: Some(vec![77]),
                }],
            }],
        });
        round_trip_all(&AlterPartitionReassignmentsResponse {
            throttle_time_ms: 78,
            allow_replication_factor_change: true,
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some("b".into()),
            responses: vec![ReassignableTopicResponse {
                name: "c".into(),
                partitions: vec![ReassignablePartitionResponse {
                    partition_index: 83,
                    error_code: ErrorCode::INVALID_REQUEST,
                    error_message: Some("f".into()),
                }],
            }],
        });
    }
}
