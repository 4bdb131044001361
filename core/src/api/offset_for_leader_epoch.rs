//! OffsetForLeaderEpoch (key 23): where a leader epoch ends (KIP-320).
//!
//! Versions 0 and 1 went with Kafka 4.0.

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks where leader epochs end.
    pub struct OffsetForLeaderEpochRequest (versions: 2..=4, flexible: 4..) {
        /// The follower that asks; -1 for a consumer, -2 for a debugging one.
        replica_id: i32 { versions: 3.., default: -2 },
        /// The topics.
        topics: Vec<OffsetForLeaderTopic> { versions: 0.. },
    }

    /// A topic to look into.
    pub struct OffsetForLeaderTopic {
        /// Its name.
        topic: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<OffsetForLeaderPartition> { versions: 0.. },
    }

    /// A partition to look into.
    pub struct OffsetForLeaderPartition {
        /// Its index.
        partition: i32 { versions: 0.. },
        /// The leader epoch that the client knows; -1 for none.
        current_leader_epoch: i32 { versions: 2.., default: -1 },
        /// The epoch whose end is wanted.
        leader_epoch: i32 { versions: 0.. },
    }

    /// The answer to an [`OffsetForLeaderEpochRequest`].
    pub struct OffsetForLeaderEpochResponse (versions: 2..=4, flexible: 4..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 2.. },
        /// The topics.
        topics: Vec<OffsetForLeaderTopicResult> { versions: 0.. },
    }

    /// A topic looked into.
    pub struct OffsetForLeaderTopicResult {
        /// Its name.
        topic: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<EpochEndOffset> { versions: 0.. },
    }

    /// A partition looked into.
    pub struct EpochEndOffset {
        /// None, or why there is no offset.
        error_code: ErrorCode { versions: 0.. },
        /// Its index.
        partition: i32 { versions: 0.. },
        /// The largest epoch that is not above the one asked for; -1 for none.
        leader_epoch: i32 { versions: 1.., default: -1 },
        /// The offset behind its last record; -1 for none.
        end_offset: i64 { versions: 0.., default: -1 },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{round_trip, round_trip_all};

    #[test]
    fn all_versions_round_trip() {
        let request = OffsetForLeaderEpochRequest {
            replica_id: -1,
            topics: vec![OffsetForLeaderTopic {
                topic: "t".into(),
                partitions: vec![OffsetForLeaderPartition {
                    partition: 1,
                    current_leader_epoch: 2,
                    leader_epoch: 3,
                }],
            }],
        };
        round_trip_all(&request);
        assert_eq!(round_trip(&request, 2).replica_id, -2, "who does not say is a debugger");
        round_trip_all(&OffsetForLeaderEpochResponse {
            throttle_time_ms: 1,
            topics: vec![OffsetForLeaderTopicResult {
                topic: "t".into(),
                partitions: vec![EpochEndOffset {
                    error_code: ErrorCode::UNKNOWN_LEADER_EPOCH,
                    partition: 1,
                    leader_epoch: 2,
                    end_offset: 3,
                }],
            }],
        });
    }
}
