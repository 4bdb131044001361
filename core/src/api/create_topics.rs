//! CreateTopics (key 19): makes topics (KIP-4).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;
use crate::ids::Uuid;

message! {
    /// Asks for topics.
    pub struct CreateTopicsRequest (versions: 2..=7, flexible: 5..) {
        /// The topics.
        topics: Vec<CreatableTopic> { versions: 0.. },
        /// How long it may take, in milliseconds.
        timeout_ms: i32 { versions: 0.., default: 60000 },
        /// Only to say what would become of it.
        validate_only: bool { versions: 1.. },
    }

    /// A topic to make.
    pub struct CreatableTopic {
        /// Its name.
        name: String { versions: 0.. },
        /// How many partitions; -1 for the default, or where they are assigned.
        num_partitions: i32 { versions: 0.. },
        /// How many replicas of each; -1 for the default, or where they are assigned.
        replication_factor: i16 { versions: 0.. },
        /// Where the replicas are to be, when that is for the client to say.
        assignments: Vec<CreatableReplicaAssignment> { versions: 0.. },
        /// The settings.
        configs: Vec<CreatableTopicConfig> { versions: 0.. },
    }

    /// Where a partition's replicas are to be.
    pub struct CreatableReplicaAssignment {
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// The brokers, the preferred leader first.
        broker_ids: Vec<i32> { versions: 0.. },
    }

    /// A setting that the topic gets.
    pub struct CreatableTopicConfig {
        /// The key.
        name: String { versions: 0.. },
        /// Its value.
        value: Option<String> { versions: 0.., nullable: 0.. },
    }

    /// The answer to a [`CreateTopicsRequest`].
    pub struct CreateTopicsResponse (versions: 2..=7, flexible: 5..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 2.. },
        /// The topics.
        topics: Vec<CreatableTopicResult> { versions: 0.. },
    }

    /// What became of a topic.
    pub struct CreatableTopicResult {
        /// Its name.
        name: String { versions: 0.. },
        /// Its id.
        topic_id: Uuid { versions: 7.. },
        /// None, or what went wrong.
        error_code: ErrorCode { versions: 0.. },
        /// The error in words.
        error_message: Option<String> { versions: 1.., nullable: 0.. },
        /// Why the settings are not told.
        topic_config_error_code: ErrorCode { versions: 5.., tag: 0 },
        /// How many partitions it has; -1 when that is not told.
        num_partitions: i32 { versions: 5.., default: -1 },
        /// How many replicas each has; -1 when that is not told.
        replication_factor: i16 { versions: 5.., default: -1 },
        /// Its settings; null when they are not told.
        configs: Option<Vec<CreatableTopicConfigs>> {
            versions: 5.., nullable: 5.., default: Some(Vec::new())
        },
    }

    /// A setting of the new topic.
    pub struct CreatableTopicConfigs {
        /// The key.
        name: String { versions: 5.. },
        /// Its value.
        value: Option<String> { versions: 5.., nullable: 5.. },
        /// It cannot be changed while the broker runs.
        read_only: bool { versions: 5.. },
        /// The layer that it comes from (`DescribeConfigsResponse.ConfigSource`).
        config_source: i8 { versions: 5.., default: -1 },
        /// Its value is a secret, and null.
        is_sensitive: bool { versions: 5.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::round_trip_all;

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: "e".into(),
                num_partitions: 5,
                replication_factor: 6,
                assignments: vec![CreatableReplicaAssignment {
                    partition_index: 7,
                    broker_ids: vec![8],
                }],
                configs: vec![CreatableTopicConfig { name: "b".into(), value: Some("c".into()) }],
            }],
            timeout_ms: 2,
            validate_only: true,
        });
        round_trip_all(&CreateTopicsResponse {
            throttle_time_ms: 11,
            topics: vec![CreatableTopicResult {
                name: "e".into(),
                topic_id: Uuid([13; 16]),
                error_code: ErrorCode::INVALID_REQUEST,
                error_message: Some("h".into()),
                topic_config_error_code: ErrorCode::INVALID_REQUEST,
                num_partitions: 17,
                replication_factor: 18,
                configs: Some(vec![CreatableTopicConfigs {
                    name: "d".into(),
                    value: Some("e".into()),
                    read_only: true,
                    config_source: 22,
                    is_sensitive: true,
                }]),
            }],
        });
    }
}
