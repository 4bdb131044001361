//! OffsetDelete (key 47): forgets offsets that a group committed (KIP-496).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;

message! {
    /// Asks to forget offsets.
    pub struct OffsetDeleteRequest (versions: 0..=0) {
        /// The group's id.
        group_id: String { versions: 0.. },
        /// The topics.
        topics: Vec<OffsetDeleteRequestTopic> { versions: 0.. },
    }

    /// A topic.
    pub struct OffsetDeleteRequestTopic {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<OffsetDeleteRequestPartition> { versions: 0.. },
    }

    /// A partition whose offset is to be forgotten.
    pub struct OffsetDeleteRequestPartition {
        /// Its index.
        partition_index: i32 { versions: 0.. },
    }

    /// The answer to an [`OffsetDeleteRequest`].
    pub struct OffsetDeleteResponse (versions: 0..=0) {
        /// None, or what is wrong with the group.
        error_code: ErrorCode { versions: 0.. },
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 0.. },
        /// The topics; none when something is wrong with the group.
        topics: Vec<OffsetDeleteResponseTopic> { versions: 0.. },
    }

    /// What became of a topic's offsets.
    pub struct OffsetDeleteResponseTopic {
        /// Its name.
        name: String { versions: 0.. },
        /// The partitions.
        partitions: Vec<OffsetDeleteResponsePartition> { versions: 0.. },
    }

    /// What became of a partition's offset.
    pub struct OffsetDeleteResponsePartition {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&OffsetDeleteRequest {
            group_id: "g".into(),
            topics: vec![OffsetDeleteRequestTopic {
                name: "t".into(),
                partitions: vec![OffsetDeleteRequestPartition { partition_index: 45 }],
            }],
        });
        round_trip_all(&OffsetDeleteResponse {
            error_code: ErrorCode::NON_EMPTY_GROUP,
            throttle_time_ms: 46,
            topics: vec![OffsetDeleteResponseTopic {
                name: "t".into(),
                partitions: vec![OffsetDeleteResponsePartition {
                    partition_index: 45,
                    error_code: ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
                }],
            }],
        });
    }
}
