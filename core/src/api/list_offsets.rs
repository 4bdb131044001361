//! ListOffsets (key 2): offsets by timestamp, and the ends of logs.
//!
//! Version 0 went with Kafka 4.0.

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks for offsets.
    pub struct ListOffsetsRequest (versions: 1..=11, flexible: 6..) {
        /// The follower that asks; -1 for a consumer.
        replica_id: i32 { versions: 0.. },
        /// 0: all that is there; 1: only what is committed.
        isolation_level: i8 { versions: 2.. },
        /// The topics.
        topics: Vec<ListOffsetsTopic> { versions: 0.. },
        /// How long to wait for remote storage, in milliseconds.
        timeout_ms: i32 { versions: 10.. },
    }

    /// A topic to look into.
    pub struct ListOffsetsTopic {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<ListOffsetsPartition> { versions: 0.. },
    }

    /// A partition to look into.
    pub struct ListOffsetsPartition {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// The leader epoch that the client knows; -1 for none (KIP-320).
        current_leader_epoch: i32 { versions: 4.., default: -1 },
        /// The timestamp to look for; negative ones have meanings of their own.
        timestamp: i64 { versions: 0.. },
    }

    /// The answer to a [`ListOffsetsRequest`].
    pub struct ListOffsetsResponse (versions: 1..=11, flexible: 6..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 2.. },
        /// The topics.
        topics: Vec<ListOffsetsTopicResponse> { versions: 0.. },
    }

    /// A topic looked into.
    pub struct ListOffsetsTopicResponse {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<ListOffsetsPartitionResponse> { versions: 0.. },
    }

    /// A partition looked into.
    pub struct ListOffsetsPartitionResponse {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// None, or why there is no offset.
        error_code: ErrorCode { versions: 0.. },
        /// The timestamp of the record found; -1 for none.
        timestamp: i64 { versions: 1.., default: -1 },
        /// The offset found; -1 for none.
        offset: i64 { versions: 1.., default: -1 },
        /// The leader epoch of that offset; -1 for none.
        leader_epoch: i32 { versions: 4.., default: -1 },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{round_trip, round_trip_all};

    fn request() -> ListOffsetsRequest {
        ListOffsetsRequest {
            replica_id: -1,
            isolation_level: 1,
            topics: vec![ListOffsetsTopic {
                name: "t".into(),
                partitions: vec![ListOffsetsPartition {
                    partition_index: 1,
                    current_leader_epoch: 2,
                    timestamp: -3,
                }],
            }],
            timeout_ms: 30_000,
        }
    }

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&request());
        round_trip_all(&ListOffsetsResponse {
            throttle_time_ms: 1,
            topics: vec![ListOffsetsTopicResponse {
                name: "t".into(),
                partitions: vec![ListOffsetsPartitionResponse {
                    partition_index: 1,
                    error_code: ErrorCode::FENCED_LEADER_EPOCH,
                    timestamp: 2,
                    offset: 3,
                    leader_epoch: 4,
                }],
            }],
        });
    }

    #[test]
    fn what_a_version_lacks_reads_as_kafkas_default() {
        let first = round_trip(&request(), 1);
        assert_eq!((first.isolation_level, first.timeout_ms), (0, 0));
        assert_eq!(first.topics[0].partitions[0].current_leader_epoch, -1);
    }
}
