//! OffsetCommit (key 8): keeps how far a group has read; topics by id since version 10 (KIP-848).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;
use crate::ids::Uuid;

message! {
    /// Asks to keep offsets.
    pub struct OffsetCommitRequest (versions: 2..=10, flexible: 8..) {
        /// The group's id.
        group_id: String { versions: 0.. },
        /// The generation that the member is in, or its epoch (KIP-848); negative when it is no
        /// member.
        generation_id_or_member_epoch: i32 { versions: 1.., default: -1 },
        /// The member's id; empty when it is no member.
        member_id: String { versions: 1.. },
        /// The id that the member keeps over restarts, if it has one.
        group_instance_id: Option<String> { versions: 7.., nullable: 7.. },
        /// How long to keep the offsets, in milliseconds; -1 for as long as the broker does.
        retention_time_ms: i64 { versions: 2..=4, default: -1 },
        /// The topics.
        topics: Vec<OffsetCommitRequestTopic> { versions: 0.. },
    }

    /// A topic with offsets.
    pub struct OffsetCommitRequestTopic {
        /// Its name.
        name: String { versions: 0..=9 },
        /// Its id.
        topic_id: Uuid { versions: 10.. },
        /// The partitions.
        partitions: Vec<OffsetCommitRequestPartition> { versions: 0.. },
    }

    /// A partition's offset.
    pub struct OffsetCommitRequestPartition {
        /// The partition's index.
        partition_index: i32 { versions: 0.. },
        /// The offset of the record to be read next.
        committed_offset: i64 { versions: 0.. },
        /// The leader epoch of the record read last; -1 when it is not known (KIP-320).
        committed_leader_epoch: i32 { versions: 6.., default: -1 },
        /// What the client keeps beside the offset.
        committed_metadata: Option<String> {
            versions: 0.., nullable: 0.., default: Some(String::new())
        },
    }

    /// The answer to an [`OffsetCommitRequest`].
    pub struct OffsetCommitResponse (versions: 2..=10, flexible: 8..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 3.. },
        /// The topics.
        topics: Vec<OffsetCommitResponseTopic> { versions: 0.. },
    }

    /// What became of a topic's offsets.
    pub struct OffsetCommitResponseTopic {
        /// Its name.
        name: String { versions: 0..=9 },
        /// Its id.
        topic_id: Uuid { versions: 10.. },
        /// The partitions.
        partitions: Vec<OffsetCommitResponsePartition> { versions: 0.. },
    }

    /// What became of a partition's offset.
    pub struct OffsetCommitResponsePartition {
        /// The partition's index.
        partition_index: i32 { versions: 0.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{round_trip, round_trip_all};

    fn request(name: &str, topic_id: Uuid) -> OffsetCommitRequest {
        OffsetCommitRequest {
            group_id: "g".into(),
            generation_id_or_member_epoch: 25,
            member_id: "m".into(),
            group_instance_id: Some("i".into()),
            retention_time_ms: -1,
            topics: vec![OffsetCommitRequestTopic {
                name: name.into(),
                topic_id,
                partitions: vec![OffsetCommitRequestPartition {
                    partition_index: 26,
                    committed_offset: 27,
                    committed_leader_epoch: 28,
                    committed_metadata: None,
                }],
            }],
        }
    }

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&request("", Uuid([29; 16])));
        round_trip_all(&OffsetCommitResponse {
            throttle_time_ms: 30,
            topics: vec![OffsetCommitResponseTopic {
                name: String::new(),
                topic_id: Uuid([29; 16]),
                partitions: vec![OffsetCommitResponsePartition {
                    partition_index: 26,
                    error_code: ErrorCode::OFFSET_METADATA_TOO_LARGE,
                }],
            }],
        });
    }

    #[test]
    fn topics_are_named_until_version_9() {
        let named = request("t", Uuid::ZERO);
        for version in 7..=9 {
            assert_eq!(round_trip(&named, version), named);
        }
        assert_eq!(round_trip(&named, 10), request("", Uuid::ZERO));
    }

    #[test]
    fn a_time_to_keep_stands_in_versions_2_to_4() {
        let kept = OffsetCommitRequest { retention_time_ms: 31, ..Default::default() };
        for version in 2..=10 {
            let expected = if version <= 4 { 31 } else { -1 };
            assert_eq!(round_trip(&kept, version).retention_time_ms, expected);
        }
    }
}
