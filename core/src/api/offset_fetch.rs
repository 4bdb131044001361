//! OffsetFetch (key 9): how far groups have read; of several groups since version 8 (KIP-709),
//! topics by id since version 10 (KIP-848).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;
use crate::ids::Uuid;

message! {
    /// Asks for committed offsets.
    pub struct OffsetFetchRequest (versions: 1..=10, flexible: 6..) {
        /// The id of the one group.
        group_id: String { versions: 0..=7 },
        /// The topics of the one group; null for all.
        topics: Option<Vec<OffsetFetchRequestTopic>> {
            versions: 0..=7, nullable: 2..=7, default: Some(Vec::new())
        },
        /// The groups.
        groups: Vec<OffsetFetchRequestGroup> { versions: 8.. },
        /// An open transaction that commits an offset is told as an error (KIP-447).
        require_stable: bool { versions: 7.. },
    }

    /// A topic of the one group.
    pub struct OffsetFetchRequestTopic {
        /// Its name.
        name: String { versions: 0..=7 },
        /// The partitions.
        partition_indexes: Vec<i32> { versions: 0..=7 },
    }

    /// A group.
    pub struct OffsetFetchRequestGroup {
        /// Its id.
        group_id: String { versions: 8.. },
        /// The id of the member that asks; null when it is no member (KIP-848).
        member_id: Option<String> { versions: 9.., nullable: 9.. },
        /// The member's epoch; negative when it is no member.
        member_epoch: i32 { versions: 9.., default: -1 },
        /// The topics; null for all.
        topics: Option<Vec<OffsetFetchRequestTopics>> {
            versions: 8.., nullable: 8.., default: Some(Vec::new())
        },
    }

    /// A topic of a group.
    pub struct OffsetFetchRequestTopics {
        /// Its name.
        name: String { versions: 8..=9 },
        /// Its id.
        topic_id: Uuid { versions: 10.. },
        /// The partitions.
        partition_indexes: Vec<i32> { versions: 8.. },
    }

    /// The answer to an [`OffsetFetchRequest`].
    pub struct OffsetFetchResponse (versions: 1..=10, flexible: 6..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 3.. },
        /// The topics of the one group.
        topics: Vec<OffsetFetchResponseTopic> { versions: 0..=7 },
        /// None, or what is wrong with the one group.
        error_code: ErrorCode { versions: 2..=7 },
        /// The groups.
        groups: Vec<OffsetFetchResponseGroup> { versions: 8.. },
    }

    /// A topic of the one group.
    pub struct OffsetFetchResponseTopic {
        /// Its name.
        name: String { versions: 0..=7 },
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartition> { versions: 0..=7 },
    }

    /// A partition of the one group.
    pub struct OffsetFetchResponsePartition {
        /// Its index.
        partition_index: i32 { versions: 0..=7 },
        /// The offset of the record to be read next; -1 when none is kept.
        committed_offset: i64 { versions: 0..=7 },
        /// The leader epoch of the record read last; -1 when it is not known.
        committed_leader_epoch: i32 { versions: 5..=7, default: -1 },
        /// What the client keeps beside the offset.
        metadata: Option<String> {
            versions: 0..=7, nullable: 0..=7, default: Some(String::new())
        },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0..=7 },
    }

    /// A group.
    pub struct OffsetFetchResponseGroup {
        /// Its id.
        group_id: String { versions: 8.. },
        /// The topics.
        topics: Vec<OffsetFetchResponseTopics> { versions: 8.. },
        /// None, or what is wrong with the group.
        error_code: ErrorCode { versions: 8.. },
    }

    /// A topic of a group.
    pub struct OffsetFetchResponseTopics {
        /// Its name.
        name: String { versions: 8..=9 },
        /// Its id.
        topic_id: Uuid { versions: 10.. },
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartitions> { versions: 8.. },
    }

    /// A partition of a group.
    pub struct OffsetFetchResponsePartitions {
        /// Its index.
        partition_index: i32 { versions: 8.. },
        /// The offset of the record to be read next; -1 when none is kept.
        committed_offset: i64 { versions: 8.. },
        /// The leader epoch of the record read last; -1 when it is not known.
        committed_leader_epoch: i32 { versions: 8.., default: -1 },
        /// What the client keeps beside the offset.
        metadata: Option<String> {
            versions: 8.., nullable: 8.., default: Some(String::new())
        },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 8.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{encode, round_trip, round_trip_all};
    use crate::codec::{DecodeError, Message, Reader};

    fn of_one_group() -> (OffsetFetchRequest, OffsetFetchResponse) {
        let request = OffsetFetchRequest {
            group_id: "g".into(),
            topics: Some(vec![OffsetFetchRequestTopic {
                name: "t".into(),
                partition_indexes: vec![32],
            }]),
            require_stable: true,
            ..Default::default()
        };
        let response = OffsetFetchResponse {
            throttle_time_ms: 33,
            topics: vec![OffsetFetchResponseTopic {
                name: "t".into(),
                partitions: vec![OffsetFetchResponsePartition {
                    partition_index: 32,
                    committed_offset: 34,
                    committed_leader_epoch: 35,
                    metadata: None,
                    error_code: ErrorCode::UNSTABLE_OFFSET_COMMIT,
                }],
            }],
            error_code: ErrorCode::NOT_COORDINATOR,
            groups: vec![],
        };
        (request, response)
    }

    fn of_groups() -> (OffsetFetchRequest, OffsetFetchResponse) {
        let request = OffsetFetchRequest {
            groups: vec![OffsetFetchRequestGroup {
                group_id: "g".into(),
                member_id: Some("m".into()),
                member_epoch: 36,
                topics: Some(vec![OffsetFetchRequestTopics {
                    topic_id: Uuid([37; 16]),
                    partition_indexes: vec![38],
                    ..Default::default()
                }]),
            }],
            require_stable: true,
            ..Default::default()
        };
        let response = OffsetFetchResponse {
            throttle_time_ms: 39,
            groups: vec![OffsetFetchResponseGroup {
                group_id: "g".into(),
                topics: vec![OffsetFetchResponseTopics {
                    topic_id: Uuid([37; 16]),
                    partitions: vec![OffsetFetchResponsePartitions {
                        partition_index: 38,
                        committed_offset: 40,
                        committed_leader_epoch: 41,
                        metadata: None,
                        error_code: ErrorCode::UNSTABLE_OFFSET_COMMIT,
                    }],
                    ..Default::default()
                }],
                error_code: ErrorCode::GROUP_ID_NOT_FOUND,
            }],
            ..Default::default()
        };
        (request, response)
    }

    #[test]
    fn all_versions_round_trip() {
        let (request, response) = of_groups();
        round_trip_all(&request);
        round_trip_all(&response);
        let (request, response) = of_one_group();
        for version in 1..=7 {
            round_trip(&request, version);
            round_trip(&response, version);
        }
        assert_eq!(round_trip(&request, 7), request);
        assert_eq!(round_trip(&response, 7), response);
    }

    #[test]
    fn all_topics_are_null_since_version_2() {
        let all = OffsetFetchRequest { topics: None, ..Default::default() };
        for version in 2..=7 {
            assert_eq!(round_trip(&all, version), all);
        }
        let wire = encode(&all, 2);
        let in_version_1 = OffsetFetchRequest::read(&mut Reader::new(&wire), 1);
        assert_eq!(in_version_1, Err(DecodeError::UnexpectedNull));
        let group = OffsetFetchRequestGroup { topics: None, ..Default::default() };
        let all = OffsetFetchRequest { groups: vec![group], ..Default::default() };
        for version in 8..=10 {
            assert_eq!(round_trip(&all, version), all);
        }
    }
}
