//! What tells of the cluster and its quorum, and what moves partitions.

use klamm_core::api::ApiKey;
use klamm_core::api::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopic, ReassignableTopicResponse,
};
use klamm_core::api::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};
use klamm_core::api::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest,
    DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use klamm_core::api::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node, PartitionRequest,
    PartitionResponse, ReplicaState, TopicRequest, TopicResponse,
};
use klamm_core::api::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
    TopicPartitions,
};
use klamm_core::api::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
    ListPartitionReassignmentsTopics, OngoingPartitionReassignment, OngoingTopicReassignment,
};
use klamm_core::api::unregister_broker::{UnregisterBrokerRequest, UnregisterBrokerResponse};
use klamm_core::api::update_features::{
    FeatureUpdateKey, UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use klamm_core::error_code::ErrorCode;

use crate::{ID, snapshot_versions};

#[test]
fn describe_cluster() {
    let request = DescribeClusterRequest {
        include_cluster_authorized_operations: true,
        endpoint_type: 1,
        include_fenced_brokers: true,
    };
    let answer = DescribeClusterResponse {
        cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".to_owned(),
        controller_id: 1,
        brokers: vec![DescribeClusterBroker {
            broker_id: 1,
            host: "127.0.0.1".to_owned(),
            port: 9092,
            rack: Some("rack".to_owned()),
            is_fenced: true,
        }],
        cluster_authorized_operations: 8096,
        ..DescribeClusterResponse::default()
    };
    snapshot_versions("every_field", ApiKey::DESCRIBE_CLUSTER, &request, &answer);
    let refused = DescribeClusterResponse {
        error_code: ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
        error_message: Some("Unsupported endpoint type 0".to_owned()),
        ..DescribeClusterResponse::default()
    };
    let plain = DescribeClusterRequest::default();
    snapshot_versions("nulls_and_empties", ApiKey::DESCRIBE_CLUSTER, &plain, &refused);
}

#[test]
fn describe_log_dirs() {
    let request = DescribeLogDirsRequest {
        topics: Some(vec![DescribableLogDirTopic {
            topic: "topic".to_owned(),
            partitions: vec![0, 1],
        }]),
    };
    let partition = DescribeLogDirsPartition {
        partition_index: 1,
        partition_size: 1_000_000,
        offset_lag: 7,
        is_future_key: true,
    };
    let described = DescribeLogDirsResult {
        error_code: ErrorCode::NONE,
        log_dir: "/data".to_owned(),
        topics: vec![DescribeLogDirsTopic {
            name: "topic".to_owned(),
            partitions: vec![partition],
        }],
        total_bytes: 1 << 40,
        usable_bytes: 1 << 30,
        is_cordoned: true,
    };
    let offline = DescribeLogDirsResult {
        error_code: ErrorCode::KAFKA_STORAGE_ERROR,
        log_dir: "/more".to_owned(),
        ..DescribeLogDirsResult::default()
    };
    let answer = DescribeLogDirsResponse {
        results: vec![described, offline],
        ..DescribeLogDirsResponse::default()
    };
    snapshot_versions("every_field", ApiKey::DESCRIBE_LOG_DIRS, &request, &answer);
    let all = DescribeLogDirsRequest { topics: None };
    let none = DescribeLogDirsResponse::default();
    snapshot_versions("nulls_and_empties", ApiKey::DESCRIBE_LOG_DIRS, &all, &none);
}

#[test]
fn describe_quorum() {
    let partitions = vec![PartitionRequest { partition_index: 0 }];
    let topics = vec![TopicRequest { topic_name: "__cluster_metadata".to_owned(), partitions }];
    let request = DescribeQuorumRequest { topics };
    let replica = |replica_id| ReplicaState {
        replica_id,
        replica_directory_id: ID,
        log_end_offset: 42,
        last_fetch_timestamp: 1_700_000_000_000,
        last_caught_up_timestamp: 1_700_000_000_001,
    };
    let partition = PartitionResponse {
        partition_index: 0,
        error_code: ErrorCode::NONE,
        error_message: Some(String::new()),
        leader_id: 1,
        leader_epoch: 3,
        high_watermark: 41,
        current_voters: vec![replica(1)],
        observers: vec![replica(2)],
    };
    let listener =
        Listener { name: "CONTROLLER".to_owned(), host: "127.0.0.1".to_owned(), port: 9093 };
    let answer = DescribeQuorumResponse {
        error_code: ErrorCode::NONE,
        error_message: Some(String::new()),
        topics: vec![TopicResponse {
            topic_name: "__cluster_metadata".to_owned(),
            partitions: vec![partition],
        }],
        nodes: vec![Node { node_id: 1, listeners: vec![listener] }],
    };
    snapshot_versions("every_field", ApiKey::DESCRIBE_QUORUM, &request, &answer);
    let unknown = PartitionResponse {
        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        error_message: None,
        ..PartitionResponse::default()
    };
    let answer = DescribeQuorumResponse {
        topics: vec![TopicResponse { topic_name: String::new(), partitions: vec![unknown] }],
        ..DescribeQuorumResponse::default()
    };
    let empty = DescribeQuorumRequest::default();
    snapshot_versions("nulls_and_empties", ApiKey::DESCRIBE_QUORUM, &empty, &answer);
}

#[test]
fn unregister_broker() {
    let request = UnregisterBrokerRequest { broker_id: 9 };
    let answer = UnregisterBrokerResponse {
        throttle_time_ms: 0,
        error_code: ErrorCode::BROKER_ID_NOT_REGISTERED,
        error_message: Some("Broker ID 9 is not currently registered".to_owned()),
    };
    snapshot_versions("every_field", ApiKey::UNREGISTER_BROKER, &request, &answer);
    let gone = UnregisterBrokerResponse::default();
    snapshot_versions("nulls_and_empties", ApiKey::UNREGISTER_BROKER, &request, &gone);
}

#[test]
fn elect_leaders() {
    let request = ElectLeadersRequest {
        election_type: 1,
        topic_partitions: Some(vec![TopicPartitions {
            topic: "topic".to_owned(),
            partitions: vec![0, 1],
        }]),
        timeout_ms: 30_000,
    };
    let needless = PartitionResult {
        partition_id: 0,
        error_code: ErrorCode::ELECTION_NOT_NEEDED,
        error_message: Some("Leader election not needed for topic partition.".to_owned()),
    };
    let elected = PartitionResult { partition_id: 1, ..PartitionResult::default() };
    let answer = ElectLeadersResponse {
        replica_election_results: vec![ReplicaElectionResult {
            topic: "topic".to_owned(),
            partition_result: vec![needless, elected],
        }],
        ..ElectLeadersResponse::default()
    };
    snapshot_versions("every_field", ApiKey::ELECT_LEADERS, &request, &answer);
    let all = ElectLeadersRequest { topic_partitions: None, ..ElectLeadersRequest::default() };
    let refused = ElectLeadersResponse {
        error_code: ErrorCode::INVALID_REQUEST,
        ..ElectLeadersResponse::default()
    };
    snapshot_versions("nulls_and_empties", ApiKey::ELECT_LEADERS, &all, &refused);
}

#[test]
fn alter_partition_reassignments() {
    let asked = |partition_index, replicas| ReassignablePartition { partition_index, replicas };
    let request = AlterPartitionReassignmentsRequest {
        timeout_ms: 30_000,
        allow_replication_factor_change: false,
        topics: vec![ReassignableTopic {
            name: "topic".to_owned(),
            partitions: vec![asked(0, Some(vec![1, 2])), asked(1, None)],
        }],
    };
    let refused = ReassignablePartitionResponse {
        partition_index: 0,
        error_code: ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        error_message: Some("no such broker".to_owned()),
    };
    let idle = ReassignablePartitionResponse {
        partition_index: 1,
        error_code: ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
        error_message: None,
    };
    let answer = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: false,
        error_message: Some(String::new()),
        responses: vec![ReassignableTopicResponse {
            name: "topic".to_owned(),
            partitions: vec![refused, idle],
        }],
        ..AlterPartitionReassignmentsResponse::default()
    };
    let key = ApiKey::ALTER_PARTITION_REASSIGNMENTS;
    snapshot_versions("every_field", key, &request, &answer);
    let empty = AlterPartitionReassignmentsRequest::default();
    let late = AlterPartitionReassignmentsResponse {
        error_code: ErrorCode::REQUEST_TIMED_OUT,
        ..AlterPartitionReassignmentsResponse::default()
    };
    snapshot_versions("nulls_and_empties", key, &empty, &late);
}

#[test]
fn list_partition_reassignments() {
    let request = ListPartitionReassignmentsRequest {
        timeout_ms: 30_000,
        topics: Some(vec![ListPartitionReassignmentsTopics {
            name: "topic".to_owned(),
            partition_indexes: vec![0, 1],
        }]),
    };
    let ongoing = OngoingPartitionReassignment {
        partition_index: 1,
        replicas: vec![1, 2],
        adding_replicas: vec![2],
        removing_replicas: vec![1],
    };
    let answer = ListPartitionReassignmentsResponse {
        error_message: Some(String::new()),
        topics: vec![OngoingTopicReassignment {
            name: "topic".to_owned(),
            partitions: vec![ongoing],
        }],
        ..ListPartitionReassignmentsResponse::default()
    };
    let key = ApiKey::LIST_PARTITION_REASSIGNMENTS;
    snapshot_versions("every_field", key, &request, &answer);
    let all = ListPartitionReassignmentsRequest {
        topics: None,
        ..ListPartitionReassignmentsRequest::default()
    };
    let none = ListPartitionReassignmentsResponse::default();
    snapshot_versions("nulls_and_empties", key, &all, &none);
}

#[test]
fn update_features() {
    let update = FeatureUpdateKey {
        feature: "metadata.version".to_owned(),
        max_version_level: 30,
        allow_downgrade: true,
        upgrade_type: 2,
    };
    let request = UpdateFeaturesRequest {
        timeout_ms: 30_000,
        feature_updates: vec![update],
        validate_only: true,
    };
    let result = UpdatableFeatureResult {
        feature: "metadata.version".to_owned(),
        error_code: ErrorCode::INVALID_UPDATE_VERSION,
        error_message: Some("no such level".to_owned()),
    };
    let answer =
        UpdateFeaturesResponse { results: vec![result], ..UpdateFeaturesResponse::default() };
    snapshot_versions("every_field", ApiKey::UPDATE_FEATURES, &request, &answer);
    let empty = UpdateFeaturesRequest::default();
    let refused = UpdateFeaturesResponse {
        error_code: ErrorCode::INVALID_UPDATE_VERSION,
        error_message: Some("no such level".to_owned()),
        ..UpdateFeaturesResponse::default()
    };
    snapshot_versions("nulls_and_empties", ApiKey::UPDATE_FEATURES, &empty, &refused);
}
