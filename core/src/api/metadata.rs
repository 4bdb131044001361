//! Metadata (key 3): brokers, topics and their partitions.

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::message;
use crate::error_code::ErrorCode;
use crate::ids::Uuid;

/// What is written for operations that were not asked for, or not computed.
pub const OPERATIONS_UNKNOWN: i32 = i32::MIN;

message! {
    /// Asks for the cluster's brokers and for topics.
    pub struct MetadataRequest (versions: 0..=13, flexible: 9..) {
        /// The topics; null asks for all of them, and so does an empty list in version 0.
        topics: Option<Vec<MetadataRequestTopic>> {
            versions: 0.., nullable: 1.., default: Some(Vec::new())
        },
        /// Topics that do not exist may be created, if the broker's configuration agrees.
        allow_auto_topic_creation: bool { versions: 4.., default: true },
        /// Compute [`MetadataResponse::cluster_authorized_operations`].
        include_cluster_authorized_operations: bool { versions: 8..=10 },
        /// Compute [`MetadataResponseTopic::topic_authorized_operations`].
        include_topic_authorized_operations: bool { versions: 8.. },
    }

    /// A topic asked for, by id or by name.
    pub struct MetadataRequestTopic {
        /// Its id; zero when it is asked for by name. Brokers go by it from version 12 on.
        topic_id: Uuid { versions: 10.. },
        /// Its name; null when it is asked for by id.
        name: Option<String> { versions: 0.., nullable: 10.., default: Some(String::new()) },
    }

    /// The answer to a [`MetadataRequest`].
    pub struct MetadataResponse (versions: 0..=13, flexible: 9..) {
        /// How long the client is throttled.
        throttle_time_ms: i32 { versions: 3.. },
        /// The brokers of the cluster.
        brokers: Vec<MetadataResponseBroker> { versions: 0.. },
        /// The cluster's id.
        cluster_id: Option<String> { versions: 2.., nullable: 2.. },
        /// The broker that takes controller requests; -1 for none.
        controller_id: i32 { versions: 1.., default: -1 },
        /// The topics.
        topics: Vec<MetadataResponseTopic> { versions: 0.. },
        /// A bit for each operation that the client may do on the cluster.
        cluster_authorized_operations: i32 { versions: 8..=10, default: OPERATIONS_UNKNOWN },
        /// What is wrong with the whole request.
        error_code: ErrorCode { versions: 13.. },
    }

    /// A broker.
    pub struct MetadataResponseBroker {
        /// Its id.
        node_id: i32 { versions: 0.. },
        /// Where clients reach it, by the listener that they asked on.
        host: String { versions: 0.. },
        /// The port there.
        port: i32 { versions: 0.. },
        /// Its rack, if it has one.
        rack: Option<String> { versions: 1.., nullable: 1.. },
    }

    /// A topic.
    pub struct MetadataResponseTopic {
        /// What is wrong with it.
        error_code: ErrorCode { versions: 0.. },
        /// Its name; null for an id that is unknown.
        name: Option<String> { versions: 0.., nullable: 12.., default: Some(String::new()) },
        /// Its id; zero for a name that is unknown.
        topic_id: Uuid { versions: 10.. },
        /// The broker itself uses it.
        is_internal: bool { versions: 1.. },
        /// Its partitions.
        partitions: Vec<MetadataResponsePartition> { versions: 0.. },
        /// A bit for each operation that the client may do on the topic.
        topic_authorized_operations: i32 { versions: 8.., default: OPERATIONS_UNKNOWN },
    }

    /// A partition.
    pub struct MetadataResponsePartition {
        /// What is wrong with it.
        error_code: ErrorCode { versions: 0.. },
        /// Its index.
        partition_index: i32 { versions: 0.. },
        /// Its leader; -1 for none.
        leader_id: i32 { versions: 0.. },
        /// The leader's epoch.
        leader_epoch: i32 { versions: 7.., default: -1 },
        /// All its replicas.
        replica_nodes: Vec<i32> { versions: 0.. },
        /// Replicas in sync with the leader.
        isr_nodes: Vec<i32> { versions: 0.. },
        /// Replicas that are not reachable.
        offline_replicas: Vec<i32> { versions: 5.. },
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::codec::testing::{encode, round_trip, round_trip_all};

    fn request() -> MetadataRequest {
        let by_name = MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
        let by_id = MetadataRequestTopic { topic_id: Uuid([5; 16]), name: None };
        MetadataRequest {
            topics: Some(vec![by_name, by_id]),
            allow_auto_topic_creation: false,
            include_cluster_authorized_operations: false,
            include_topic_authorized_operations: true,
        }
    }

    fn response() -> MetadataResponse {
        MetadataResponse {
            throttle_time_ms: 4,
            brokers: vec![MetadataResponseBroker {
                node_id: 1,
                host: "h".into(),
                port: 9092,
                rack: Some("r".into()),
            }],
            cluster_id: Some("c".into()),
            controller_id: 1,
            topics: vec![MetadataResponseTopic {
                error_code: ErrorCode::UNKNOWN_TOPIC_ID,
                name: None,
                topic_id: Uuid([5; 16]),
                is_internal: true,
                partitions: vec![MetadataResponsePartition {
                    error_code: ErrorCode::LEADER_NOT_AVAILABLE,
                    partition_index: 2,
                    leader_id: 1,
                    leader_epoch: 3,
                    replica_nodes: vec![1, 2],
                    isr_nodes: vec![1],
                    offline_replicas: vec![2],
                }],
                topic_authorized_operations: 3576,
            }],
            cluster_authorized_operations: OPERATIONS_UNKNOWN,
            error_code: ErrorCode::INVALID_REQUEST,
        }
    }

    #[test]
    fn all_versions_round_trip() {
        round_trip_all(&request());
        round_trip_all(&response());
    }

    #[test]
    fn all_topics_are_null_or_in_version_0_none() {
        let all = MetadataRequest { topics: None, ..Default::default() };
        assert_eq!(round_trip(&all, 0).topics, Some(vec![]));
        for version in 1..=13 {
            assert_eq!(round_trip(&all, version).topics, None);
        }
    }

    #[test]
    fn cluster_operations_stand_in_versions_8_to_10() {
        let asked = MetadataRequest { include_cluster_authorized_operations: true, ..request() };
        let told = MetadataResponse { cluster_authorized_operations: 8096, ..response() };
        for version in 0..=13 {
            let there = (8..=10).contains(&version);
            assert_eq!(round_trip(&asked, version).include_cluster_authorized_operations, there);
            let operations = round_trip(&told, version).cluster_authorized_operations;
            assert_eq!(operations == 8096, there);
        }
    }

    #[test]
    fn an_unknown_id_has_a_null_name_from_version_12_on() {
        let name = |version| round_trip(&response(), version).topics.remove(0).name;
        assert_eq!(name(11), Some(String::new()));
        assert_eq!(name(12), None);
    }

    #[test]
    fn version_0_is_kafkas() {
        assert_eq!(&encode(&request(), 0)[..], b"\0\0\0\x02\0\x01t\0\0");
    }
}
