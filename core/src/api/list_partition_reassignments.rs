//! ListPartitionReassignments (key 46): lists moves under way (KIP-455).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for moves under way.
    pub struct ListPartitionReassignmentsRequest (versions: 0..=0, flexible: 0..) {
        /// How long it may take, in milliseconds.
        timeout_ms: i32 { versions: 0.., default: 60000 },
        /// The topics; null for all.
        topics: Option<Vec<ListPartitionReassignmentsTopics>> { versions: 0.., nullable: 0.. },
    }

    /// A topic to look at.
    pub struct ListPartitionReassignmentsTopics {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partition_indexes: Vec<i32> { versions: 0.. },
    }

    /// The answer to a [`ListPartitionReassignmentsRequest`].
    pub struct ListPartitionReassignmentsResponse (versions: 0..=0, flexible: 0..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
        /// The topics.
        topics: Vec<OngoingTopicReassignment> { versions: 0.. },
    }

    /// A topic with partitions that move.
    pub struct OngoingTopicReassignment {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<OngoingPartitionReassignment> { versions: 0.. },
    }

    /// A partition that moves.
    pub struct OngoingPartitionReassignment {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// All that it has, or gets.
        replicas: Vec<i32> { versions: 0.. },
        /// Those that it gets.
        adding_replicas: Vec<i32> { versions: 0.. },
        /// Those that it loses.
        removing_replicas: Vec<i32> { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&ListPartitionReassignmentsRequest {
            timeout_ms: 86,
            topics: Some(vec![ListPartitionReassignmentsTopics {
                name: "h".into(),
                partition_indexes: vec![88],
            }]),
        });
        round_trip_all(&ListPartitionReassignmentsResponse {
            throttle_time_ms: 89,
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some("b".into()),
            topics: vec![OngoingTopicReassignment {
                name: "c".into(),
                partitions: vec![OngoingPartitionReassignment {
                    partition_index: 3,
                    replicas: vec![4],
                    adding_replicas: vec![5],
                    removing_replicas: vec![6],
                }],
            }],
        });
    }
}
