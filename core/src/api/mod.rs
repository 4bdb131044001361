//! One file an API, and the table of all of them.

pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod api_versions;
pub mod create_acls;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_topic_partitions;
pub mod elect_leaders;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod sasl_authenticate;
pub mod sasl_handshake;
pub mod sync_group;
pub mod unregister_broker;
pub mod update_features;

use core::ops::RangeInclusive;

/// An API's number; unknown ones survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKey(pub i16);

impl ApiKey {
    /// Appends to logs.
    pub const PRODUCE: Self = Self(0);
    /// Reads logs.
    pub const FETCH: Self = Self(1);
    /// Offsets by timestamp.
    pub const LIST_OFFSETS: Self = Self(2);
    /// Brokers, topics and partitions.
    pub const METADATA: Self = Self(3);
    /// Keeps how far a group has read.
    pub const OFFSET_COMMIT: Self = Self(8);
    /// How far groups have read.
    pub const OFFSET_FETCH: Self = Self(9);
    /// Which broker coordinates.
    pub const FIND_COORDINATOR: Self = Self(10);
    /// Becomes a member of a group.
    pub const JOIN_GROUP: Self = Self(11);
    /// A member is alive.
    pub const HEARTBEAT: Self = Self(12);
    /// Members leave a group.
    pub const LEAVE_GROUP: Self = Self(13);
    /// Tells members their parts.
    pub const SYNC_GROUP: Self = Self(14);
    /// Groups and their members.
    pub const DESCRIBE_GROUPS: Self = Self(15);
    /// The groups that there are.
    pub const LIST_GROUPS: Self = Self(16);
    /// Agrees on a mechanism to log in by.
    pub const SASL_HANDSHAKE: Self = Self(17);
    /// What the broker speaks.
    pub const API_VERSIONS: Self = Self(18);
    /// Makes topics.
    pub const CREATE_TOPICS: Self = Self(19);
    /// Deletes topics.
    pub const DELETE_TOPICS: Self = Self(20);
    /// Moves the start of logs.
    pub const DELETE_RECORDS: Self = Self(21);
    /// An id for a producer.
    pub const INIT_PRODUCER_ID: Self = Self(22);
    /// Where leader epochs end.
    pub const OFFSET_FOR_LEADER_EPOCH: Self = Self(23);
    /// Tells who may do what.
    pub const DESCRIBE_ACLS: Self = Self(29);
    /// Lays down who may do what.
    pub const CREATE_ACLS: Self = Self(30);
    /// Takes access rules away.
    pub const DELETE_ACLS: Self = Self(31);
    /// Tells settings.
    pub const DESCRIBE_CONFIGS: Self = Self(32);
    /// Replaces settings.
    pub const ALTER_CONFIGS: Self = Self(33);
    /// Log directories and sizes.
    pub const DESCRIBE_LOG_DIRS: Self = Self(35);
    /// Carries what a mechanism says.
    pub const SASL_AUTHENTICATE: Self = Self(36);
    /// Gives topics more partitions.
    pub const CREATE_PARTITIONS: Self = Self(37);
    /// Deletes groups.
    pub const DELETE_GROUPS: Self = Self(42);
    /// Elects leaders.
    pub const ELECT_LEADERS: Self = Self(43);
    /// Changes settings.
    pub const INCREMENTAL_ALTER_CONFIGS: Self = Self(44);
    /// Moves partitions.
    pub const ALTER_PARTITION_REASSIGNMENTS: Self = Self(45);
    /// Moves under way.
    pub const LIST_PARTITION_REASSIGNMENTS: Self = Self(46);
    /// Forgets committed offsets.
    pub const OFFSET_DELETE: Self = Self(47);
    /// The metadata quorum.
    pub const DESCRIBE_QUORUM: Self = Self(55);
    /// Changes the levels of features.
    pub const UPDATE_FEATURES: Self = Self(57);
    /// Brokers or controllers.
    pub const DESCRIBE_CLUSTER: Self = Self(60);
    /// The producers of partitions.
    pub const DESCRIBE_PRODUCERS: Self = Self(61);
    /// Forgets a broker.
    pub const UNREGISTER_BROKER: Self = Self(64);
    /// What has settings.
    pub const LIST_CONFIG_RESOURCES: Self = Self(74);
    /// Topics page by page.
    pub const DESCRIBE_TOPIC_PARTITIONS: Self = Self(75);

    /// What is known of the API, if it is served here.
    pub fn api(self) -> Option<&'static Api> {
        APIS.iter().find(|api| api.key == self)
    }
}

/// An API that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Its number.
    pub key: ApiKey,
    /// Kafka's name of it.
    pub name: &'static str,
    /// The versions that are decoded. Any other closes the connection; ApiVersions alone is
    /// answered.
    pub decoded: RangeInclusive<i16>,
    /// The versions that ApiVersions tells of.
    pub advertised: RangeInclusive<i16>,
    /// The first version with compact lengths and tagged fields.
    pub flexible: i16,
}

impl Api {
    /// Whether requests of this version are decoded.
    pub fn decodes(&self, version: i16) -> bool {
        self.decoded.contains(&version)
    }

    /// The version of the header before a request of this version, whether it is decoded or not.
    pub fn request_header_version(&self, version: i16) -> i16 {
        if version >= self.flexible { 2 } else { 1 }
    }

    /// The version of the header before a response of this version.
    ///
    /// That of ApiVersions never changes: a client reads it before it knows what the broker speaks
    /// (KIP-511).
    pub fn response_header_version(&self, version: i16) -> i16 {
        i16::from(self.key != ApiKey::API_VERSIONS && version >= self.flexible)
    }
}

/// The APIs that are served, by number.
pub const APIS: &[Api] = &[
    api(ApiKey::PRODUCE, "Produce", 3..=13, 0..=13, 9),
    api(ApiKey::FETCH, "Fetch", 4..=18, 4..=18, 12),
    api(ApiKey::LIST_OFFSETS, "ListOffsets", 1..=11, 1..=11, 6),
    api(ApiKey::METADATA, "Metadata", 0..=13, 0..=13, 9),
    api(ApiKey::OFFSET_COMMIT, "OffsetCommit", 2..=10, 2..=10, 8),
    api(ApiKey::OFFSET_FETCH, "OffsetFetch", 1..=10, 1..=10, 6),
    api(ApiKey::FIND_COORDINATOR, "FindCoordinator", 0..=6, 0..=6, 3),
    api(ApiKey::JOIN_GROUP, "JoinGroup", 0..=9, 0..=9, 6),
    api(ApiKey::HEARTBEAT, "Heartbeat", 0..=4, 0..=4, 4),
    api(ApiKey::LEAVE_GROUP, "LeaveGroup", 0..=5, 0..=5, 4),
    api(ApiKey::SYNC_GROUP, "SyncGroup", 0..=5, 0..=5, 4),
    api(ApiKey::DESCRIBE_GROUPS, "DescribeGroups", 0..=6, 0..=6, 5),
    api(ApiKey::LIST_GROUPS, "ListGroups", 0..=5, 0..=5, 3),
    api(ApiKey::SASL_HANDSHAKE, "SaslHandshake", 0..=1, 0..=1, i16::MAX),
    api(ApiKey::API_VERSIONS, "ApiVersions", 0..=4, 0..=4, 3),
    api(ApiKey::CREATE_TOPICS, "CreateTopics", 2..=7, 2..=7, 5),
    api(ApiKey::DELETE_TOPICS, "DeleteTopics", 1..=6, 1..=6, 4),
    api(ApiKey::DELETE_RECORDS, "DeleteRecords", 0..=2, 0..=2, 2),
    api(ApiKey::INIT_PRODUCER_ID, "InitProducerId", 0..=5, 0..=5, 2),
    api(ApiKey::OFFSET_FOR_LEADER_EPOCH, "OffsetForLeaderEpoch", 2..=4, 2..=4, 4),
    api(ApiKey::DESCRIBE_ACLS, "DescribeAcls", 1..=3, 1..=3, 2),
    api(ApiKey::CREATE_ACLS, "CreateAcls", 1..=3, 1..=3, 2),
    api(ApiKey::DELETE_ACLS, "DeleteAcls", 1..=3, 1..=3, 2),
    api(ApiKey::DESCRIBE_CONFIGS, "DescribeConfigs", 1..=4, 1..=4, 4),
    api(ApiKey::ALTER_CONFIGS, "AlterConfigs", 0..=2, 0..=2, 2),
    api(ApiKey::DESCRIBE_LOG_DIRS, "DescribeLogDirs", 1..=5, 1..=5, 2),
    api(ApiKey::SASL_AUTHENTICATE, "SaslAuthenticate", 0..=2, 0..=2, 2),
    api(ApiKey::CREATE_PARTITIONS, "CreatePartitions", 0..=3, 0..=3, 2),
    api(ApiKey::DELETE_GROUPS, "DeleteGroups", 0..=2, 0..=2, 2),
    api(ApiKey::ELECT_LEADERS, "ElectLeaders", 0..=2, 0..=2, 2),
    api(ApiKey::INCREMENTAL_ALTER_CONFIGS, "IncrementalAlterConfigs", 0..=1, 0..=1, 1),
    api(ApiKey::ALTER_PARTITION_REASSIGNMENTS, "AlterPartitionReassignments", 0..=1, 0..=1, 0),
    api(ApiKey::LIST_PARTITION_REASSIGNMENTS, "ListPartitionReassignments", 0..=0, 0..=0, 0),
    api(ApiKey::OFFSET_DELETE, "OffsetDelete", 0..=0, 0..=0, i16::MAX),
    api(ApiKey::DESCRIBE_QUORUM, "DescribeQuorum", 0..=2, 0..=2, 0),
    api(ApiKey::UPDATE_FEATURES, "UpdateFeatures", 0..=2, 0..=2, 0),
    api(ApiKey::DESCRIBE_CLUSTER, "DescribeCluster", 0..=2, 0..=2, 0),
    api(ApiKey::DESCRIBE_PRODUCERS, "DescribeProducers", 0..=0, 0..=0, 0),
    api(ApiKey::UNREGISTER_BROKER, "UnregisterBroker", 0..=0, 0..=0, 0),
    api(ApiKey::LIST_CONFIG_RESOURCES, "ListConfigResources", 0..=1, 0..=1, 0),
    api(ApiKey::DESCRIBE_TOPIC_PARTITIONS, "DescribeTopicPartitions", 0..=0, 0..=0, 0),
];

const fn api(
    key: ApiKey,
    name: &'static str,
    decoded: RangeInclusive<i16>,
    advertised: RangeInclusive<i16>,
    flexible: i16,
) -> Api {
    Api { key, name, decoded, advertised, flexible }
}

#[cfg(test)]
mod tests {
    use super::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
    use super::create_topics::{CreateTopicsRequest, CreateTopicsResponse};
    use super::delete_records::{DeleteRecordsRequest, DeleteRecordsResponse};
    use super::describe_producers::{DescribeProducersRequest, DescribeProducersResponse};
    use super::describe_topic_partitions::{
        DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    };
    use super::fetch::{FetchRequest, FetchResponse};
    use super::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
    use super::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
    use super::metadata::{MetadataRequest, MetadataResponse};
    use super::offset_for_leader_epoch::{
        OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    };
    use super::produce::{ProduceRequest, ProduceResponse};
    use super::*;
    use crate::codec::Message;

    fn assert_agrees<M: Message>(key: ApiKey) {
        let api = key.api().unwrap();
        assert_eq!(api.decoded, M::VERSIONS, "{}", M::NAME);
        assert!(M::NAME.strip_prefix(api.name).is_some_and(|kind| kind.starts_with("Re")));
        for version in M::VERSIONS {
            assert_eq!(M::is_flexible(version), version >= api.flexible, "{} {version}", M::NAME);
        }
    }

    #[test]
    fn table_agrees_with_the_messages() {
        assert_agrees::<ProduceRequest>(ApiKey::PRODUCE);
        assert_agrees::<ProduceResponse>(ApiKey::PRODUCE);
        assert_agrees::<MetadataRequest>(ApiKey::METADATA);
        assert_agrees::<MetadataResponse>(ApiKey::METADATA);
        assert_agrees::<ApiVersionsRequest>(ApiKey::API_VERSIONS);
        assert_agrees::<ApiVersionsResponse>(ApiKey::API_VERSIONS);
        assert_agrees::<DescribeTopicPartitionsRequest>(ApiKey::DESCRIBE_TOPIC_PARTITIONS);
        assert_agrees::<DescribeTopicPartitionsResponse>(ApiKey::DESCRIBE_TOPIC_PARTITIONS);
        assert_agrees::<FetchRequest>(ApiKey::FETCH);
        assert_agrees::<FetchResponse>(ApiKey::FETCH);
        assert_agrees::<ListOffsetsRequest>(ApiKey::LIST_OFFSETS);
        assert_agrees::<ListOffsetsResponse>(ApiKey::LIST_OFFSETS);
        assert_agrees::<CreateTopicsRequest>(ApiKey::CREATE_TOPICS);
        assert_agrees::<CreateTopicsResponse>(ApiKey::CREATE_TOPICS);
        assert_agrees::<delete_topics::DeleteTopicsRequest>(ApiKey::DELETE_TOPICS);
        assert_agrees::<delete_topics::DeleteTopicsResponse>(ApiKey::DELETE_TOPICS);
        assert_agrees::<create_partitions::CreatePartitionsRequest>(ApiKey::CREATE_PARTITIONS);
        assert_agrees::<create_partitions::CreatePartitionsResponse>(ApiKey::CREATE_PARTITIONS);
        assert_agrees::<DeleteRecordsRequest>(ApiKey::DELETE_RECORDS);
        assert_agrees::<DeleteRecordsResponse>(ApiKey::DELETE_RECORDS);
        assert_agrees::<InitProducerIdRequest>(ApiKey::INIT_PRODUCER_ID);
        assert_agrees::<InitProducerIdResponse>(ApiKey::INIT_PRODUCER_ID);
        assert_agrees::<OffsetForLeaderEpochRequest>(ApiKey::OFFSET_FOR_LEADER_EPOCH);
        assert_agrees::<OffsetForLeaderEpochResponse>(ApiKey::OFFSET_FOR_LEADER_EPOCH);
        assert_agrees::<DescribeProducersRequest>(ApiKey::DESCRIBE_PRODUCERS);
        assert_agrees::<DescribeProducersResponse>(ApiKey::DESCRIBE_PRODUCERS);
        assert_agrees::<update_features::UpdateFeaturesRequest>(ApiKey::UPDATE_FEATURES);
        assert_agrees::<update_features::UpdateFeaturesResponse>(ApiKey::UPDATE_FEATURES);
        assert_agrees::<describe_log_dirs::DescribeLogDirsRequest>(ApiKey::DESCRIBE_LOG_DIRS);
        assert_agrees::<describe_log_dirs::DescribeLogDirsResponse>(ApiKey::DESCRIBE_LOG_DIRS);
        assert_agrees::<elect_leaders::ElectLeadersRequest>(ApiKey::ELECT_LEADERS);
        assert_agrees::<elect_leaders::ElectLeadersResponse>(ApiKey::ELECT_LEADERS);
        assert_agrees::<alter_partition_reassignments::AlterPartitionReassignmentsRequest>(
            ApiKey::ALTER_PARTITION_REASSIGNMENTS,
        );
        assert_agrees::<alter_partition_reassignments::AlterPartitionReassignmentsResponse>(
            ApiKey::ALTER_PARTITION_REASSIGNMENTS,
        );
        assert_agrees::<list_partition_reassignments::ListPartitionReassignmentsRequest>(
            ApiKey::LIST_PARTITION_REASSIGNMENTS,
        );
        assert_agrees::<list_partition_reassignments::ListPartitionReassignmentsResponse>(
            ApiKey::LIST_PARTITION_REASSIGNMENTS,
        );
        assert_agrees::<describe_quorum::DescribeQuorumRequest>(ApiKey::DESCRIBE_QUORUM);
        assert_agrees::<describe_quorum::DescribeQuorumResponse>(ApiKey::DESCRIBE_QUORUM);
        assert_agrees::<describe_cluster::DescribeClusterRequest>(ApiKey::DESCRIBE_CLUSTER);
        assert_agrees::<describe_cluster::DescribeClusterResponse>(ApiKey::DESCRIBE_CLUSTER);
        assert_agrees::<unregister_broker::UnregisterBrokerRequest>(ApiKey::UNREGISTER_BROKER);
        assert_agrees::<unregister_broker::UnregisterBrokerResponse>(ApiKey::UNREGISTER_BROKER);
        assert_agrees::<sasl_handshake::SaslHandshakeRequest>(ApiKey::SASL_HANDSHAKE);
        assert_agrees::<sasl_handshake::SaslHandshakeResponse>(ApiKey::SASL_HANDSHAKE);
        assert_agrees::<describe_acls::DescribeAclsRequest>(ApiKey::DESCRIBE_ACLS);
        assert_agrees::<describe_acls::DescribeAclsResponse>(ApiKey::DESCRIBE_ACLS);
        assert_agrees::<create_acls::CreateAclsRequest>(ApiKey::CREATE_ACLS);
        assert_agrees::<create_acls::CreateAclsResponse>(ApiKey::CREATE_ACLS);
        assert_agrees::<delete_acls::DeleteAclsRequest>(ApiKey::DELETE_ACLS);
        assert_agrees::<delete_acls::DeleteAclsResponse>(ApiKey::DELETE_ACLS);
        assert_agrees::<sasl_authenticate::SaslAuthenticateRequest>(ApiKey::SASL_AUTHENTICATE);
        assert_agrees::<sasl_authenticate::SaslAuthenticateResponse>(ApiKey::SASL_AUTHENTICATE);
        assert_agrees::<describe_configs::DescribeConfigsRequest>(ApiKey::DESCRIBE_CONFIGS);
        assert_agrees::<describe_configs::DescribeConfigsResponse>(ApiKey::DESCRIBE_CONFIGS);
        assert_agrees::<alter_configs::AlterConfigsRequest>(ApiKey::ALTER_CONFIGS);
        assert_agrees::<alter_configs::AlterConfigsResponse>(ApiKey::ALTER_CONFIGS);
        assert_agrees::<incremental_alter_configs::IncrementalAlterConfigsRequest>(
            ApiKey::INCREMENTAL_ALTER_CONFIGS,
        );
        assert_agrees::<incremental_alter_configs::IncrementalAlterConfigsResponse>(
            ApiKey::INCREMENTAL_ALTER_CONFIGS,
        );
        assert_agrees::<list_config_resources::ListConfigResourcesRequest>(
            ApiKey::LIST_CONFIG_RESOURCES,
        );
        assert_agrees::<list_config_resources::ListConfigResourcesResponse>(
            ApiKey::LIST_CONFIG_RESOURCES,
        );
        assert_eq!(APIS.len(), 41);
    }

    #[test]
    fn table_agrees_with_the_messages_about_groups() {
        assert_agrees::<find_coordinator::FindCoordinatorRequest>(ApiKey::FIND_COORDINATOR);
        assert_agrees::<find_coordinator::FindCoordinatorResponse>(ApiKey::FIND_COORDINATOR);
        assert_agrees::<join_group::JoinGroupRequest>(ApiKey::JOIN_GROUP);
        assert_agrees::<join_group::JoinGroupResponse>(ApiKey::JOIN_GROUP);
        assert_agrees::<sync_group::SyncGroupRequest>(ApiKey::SYNC_GROUP);
        assert_agrees::<sync_group::SyncGroupResponse>(ApiKey::SYNC_GROUP);
        assert_agrees::<heartbeat::HeartbeatRequest>(ApiKey::HEARTBEAT);
        assert_agrees::<heartbeat::HeartbeatResponse>(ApiKey::HEARTBEAT);
        assert_agrees::<leave_group::LeaveGroupRequest>(ApiKey::LEAVE_GROUP);
        assert_agrees::<leave_group::LeaveGroupResponse>(ApiKey::LEAVE_GROUP);
        assert_agrees::<offset_commit::OffsetCommitRequest>(ApiKey::OFFSET_COMMIT);
        assert_agrees::<offset_commit::OffsetCommitResponse>(ApiKey::OFFSET_COMMIT);
        assert_agrees::<offset_fetch::OffsetFetchRequest>(ApiKey::OFFSET_FETCH);
        assert_agrees::<offset_fetch::OffsetFetchResponse>(ApiKey::OFFSET_FETCH);
        assert_agrees::<describe_groups::DescribeGroupsRequest>(ApiKey::DESCRIBE_GROUPS);
        assert_agrees::<describe_groups::DescribeGroupsResponse>(ApiKey::DESCRIBE_GROUPS);
        assert_agrees::<list_groups::ListGroupsRequest>(ApiKey::LIST_GROUPS);
        assert_agrees::<list_groups::ListGroupsResponse>(ApiKey::LIST_GROUPS);
        assert_agrees::<delete_groups::DeleteGroupsRequest>(ApiKey::DELETE_GROUPS);
        assert_agrees::<delete_groups::DeleteGroupsResponse>(ApiKey::DELETE_GROUPS);
        assert_agrees::<offset_delete::OffsetDeleteRequest>(ApiKey::OFFSET_DELETE);
        assert_agrees::<offset_delete::OffsetDeleteResponse>(ApiKey::OFFSET_DELETE);
    }

    #[test]
    fn table_is_sorted_and_advertises_what_is_decoded() {
        assert!(APIS.is_sorted_by(|a, b| a.key < b.key));
        for api in APIS {
            assert!(api.decoded.clone().all(|version| api.advertised.contains(&version)));
            assert_eq!(api.decoded.end(), api.advertised.end());
        }
    }

    #[test]
    fn headers_follow_key_and_version() {
        let versions = |key: ApiKey, version| {
            let api = key.api().unwrap();
            (api.request_header_version(version), api.response_header_version(version))
        };
        assert_eq!(versions(ApiKey::METADATA, 8), (1, 0));
        assert_eq!(versions(ApiKey::METADATA, 9), (2, 1));
        assert_eq!(versions(ApiKey::API_VERSIONS, 2), (1, 0));
        assert_eq!(versions(ApiKey::API_VERSIONS, 3), (2, 0));
        assert_eq!(versions(ApiKey::API_VERSIONS, 99), (2, 0));
        assert_eq!(versions(ApiKey::API_VERSIONS, -1), (1, 0));
        assert_eq!(versions(ApiKey::DESCRIBE_TOPIC_PARTITIONS, 0), (2, 1));
        assert_eq!(ApiKey(255).api(), None);
    }
}
