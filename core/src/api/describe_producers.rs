//! DescribeProducers (key 61): who has written to partitions of late (KIP-664).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for the producers of partitions.
    pub struct DescribeProducersRequest (versions: 0..=0, flexible: 0..) {
        /// The topics.
        topics: Vec<TopicRequest> { versions: 0.. },
    }

    /// A topic to describe.
    pub struct TopicRequest {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions' indexes.
        partition_indexes: Vec<i32> { versions: 0.. },
    }

    /// The answer to a [`DescribeProducersRequest`].
    pub struct DescribeProducersResponse (versions: 0..=0, flexible: 0..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// The topics.
        topics: Vec<TopicResponse> { versions: 0.. },
    }

    /// A topic described.
    pub struct TopicResponse {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<PartitionResponse> { versions: 0.. },
    }

    /// A partition described.
    pub struct PartitionResponse {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// None, or why it is not described.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 0.., nullable: 0.. },
        /// The producers that have not expired.
        active_producers: Vec<ProducerState> { versions: 0.. },
    }

    /// A producer of a partition.
    pub struct ProducerState {
        /// Its id.
        producer_id: i64 { versions: 0.. },
        /// The id's epoch.
        producer_epoch: i32 { versions: 0.. },
        /// The sequence number of its last record; -1 for none.
        last_sequence: i32 { versions: 0.., default: -1 },
        /// The timestamp of its last record; -1 for none.
        last_timestamp: i64 { versions: 0.., default: -1 },
        /// The epoch of the coordinator that wrote its last marker; -1 for none.
        coordinator_epoch: i32 { versions: 0.. },
        /// Where its open transaction begins; -1 for none.
        current_txn_start_offset: i64 { versions: 0.., default: -1 },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&DescribeProducersRequest {
            topics: vec![TopicRequest { name: "t".into(), partition_indexes: vec![0, 1] }],
        });
        round_trip_all(&DescribeProducersResponse {
            throttle_time_ms: 1,
            topics: vec![TopicResponse {
                name: "t".into(),
                partitions: vec![PartitionResponse {
                    partition_index: 1,
                    error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
                    error_message: Some("moved".into()),
                    active_producers: vec![ProducerState {
                        producer_id: 2,
                        producer_epoch: 3,
                        last_sequence: 4,
                        last_timestamp: 5,
                        coordinator_epoch: 6,
                        current_txn_start_offset: 7,
                    }],
                }],
            }],
        });
    }
}
