//! Every API in every version, field by field, in `snapshots/`.

mod cluster;
mod configs;
mod groups;
mod logs;
mod offsets;
mod producers;
mod security;
mod topics;

use bytes::{Bytes, BytesMut};
use klamm_core::api::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use klamm_core::api::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, TopicRequest,
};
use klamm_core::api::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_core::api::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData,
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
    TopicProduceResponse,
};
use klamm_core::api::{Api, ApiKey};
use klamm_core::codec::Message;
use klamm_core::error_code::ErrorCode;
use klamm_core::frame::{RequestHeader, write_request, write_response};
use klamm_core::ids::Uuid;
use klamm_tests::wire::snapshot;

const ID: Uuid = Uuid([0x11, 0x22, 0x33, 0x44, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x01]);

fn snapshot_versions<Q: Message, A: Message>(case: &str, key: ApiKey, request: &Q, answer: &A) {
    let Api { decoded, .. } = key.api().expect("a known API");
    for version in decoded.clone() {
        let header = RequestHeader {
            api_key: key,
            api_version: version,
            correlation_id: 7,
            client_id: Some("snapshot".to_owned()),
        };
        let mut asked = BytesMut::new();
        write_request(&mut asked, &header, request);
        let mut answered = BytesMut::new();
        write_response(&mut answered, &header, answer);
        snapshot(case, &asked, &answered);
    }
}

#[test]
fn api_versions() {
    let request = ApiVersionsRequest {
        client_software_name: "klamm".to_owned(),
        client_software_version: "0.1.0".to_owned(),
    };
    let name = "metadata.version".to_owned();
    let answer = ApiVersionsResponse {
        error_code: ErrorCode::NONE,
        api_keys: vec![
            ApiVersion { api_key: 0, min_version: 0, max_version: 13 },
            ApiVersion { api_key: 18, min_version: 0, max_version: 4 },
        ],
        throttle_time_ms: 0,
        supported_features: vec![SupportedFeatureKey {
            name: name.clone(),
            min_version: 7,
            max_version: 30,
        }],
        finalized_features_epoch: 12,
        finalized_features: vec![FinalizedFeatureKey {
            name,
            max_version_level: 30,
            min_version_level: 30,
        }],
        zk_migration_ready: false,
    };
    snapshot_versions("every_field", ApiKey::API_VERSIONS, &request, &answer);
    let refused = ApiVersionsResponse {
        error_code: ErrorCode::INVALID_REQUEST,
        ..ApiVersionsResponse::default()
    };
    let empty = ApiVersionsRequest::default();
    snapshot_versions("nulls_and_empties", ApiKey::API_VERSIONS, &empty, &refused);
}

#[test]
fn metadata() {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            topic_id: Uuid::ZERO,
            name: Some("topic".to_owned()),
        }]),
        allow_auto_topic_creation: true,
        include_cluster_authorized_operations: true,
        include_topic_authorized_operations: true,
    };
    let partition = MetadataResponsePartition {
        error_code: ErrorCode::NONE,
        partition_index: 0,
        leader_id: 1,
        leader_epoch: 2,
        replica_nodes: vec![1, 2],
        isr_nodes: vec![1],
        offline_replicas: vec![2],
    };
    let answer = MetadataResponse {
        throttle_time_ms: 0,
        brokers: vec![MetadataResponseBroker {
            node_id: 1,
            host: "127.0.0.1".to_owned(),
            port: 9092,
            rack: Some("rack".to_owned()),
        }],
        cluster_id: Some("MkU3OEVBNTcwNTJENDM2Qg".to_owned()),
        controller_id: 1,
        topics: vec![MetadataResponseTopic {
            error_code: ErrorCode::NONE,
            name: Some("topic".to_owned()),
            topic_id: ID,
            is_internal: false,
            partitions: vec![partition],
            topic_authorized_operations: 3576,
        }],
        cluster_authorized_operations: 8096,
        error_code: ErrorCode::NONE,
    };
    snapshot_versions("every_field", ApiKey::METADATA, &request, &answer);
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let unknown = MetadataResponseTopic {
        error_code: ErrorCode::UNKNOWN_TOPIC_ID,
        name: None,
        topic_id: ID,
        ..MetadataResponseTopic::default()
    };
    let empty = MetadataResponse {
        brokers: vec![MetadataResponseBroker::default()],
        topics: vec![unknown],
        ..MetadataResponse::default()
    };
    snapshot_versions("nulls_and_empties", ApiKey::METADATA, &all, &empty);
}

#[test]
fn produce() {
    let records = [Some(Bytes::from_static(b"a batch of records")), None];
    let request = ProduceRequest {
        transactional_id: Some("transaction".to_owned()),
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: "topic".to_owned(),
            topic_id: ID,
            partition_data: records
                .into_iter()
                .zip(0..)
                .map(|(records, index)| PartitionProduceData { index, records })
                .collect(),
        }],
    };
    let partition = PartitionProduceResponse {
        index: 0,
        error_code: ErrorCode::INVALID_RECORD,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: 3,
        record_errors: vec![BatchIndexAndErrorMessage {
            batch_index: 2,
            batch_index_error_message: Some("no key".to_owned()),
        }],
        error_message: Some("a record without a key".to_owned()),
        current_leader: LeaderIdAndEpoch { leader_id: 1, leader_epoch: 2 },
    };
    let answer = ProduceResponse {
        responses: vec![TopicProduceResponse {
            name: "topic".to_owned(),
            topic_id: ID,
            partition_responses: vec![partition],
        }],
        throttle_time_ms: 0,
        node_endpoints: vec![NodeEndpoint {
            node_id: 1,
            host: "127.0.0.1".to_owned(),
            port: 9092,
            rack: Some("rack".to_owned()),
        }],
    };
    snapshot_versions("every_field", ApiKey::PRODUCE, &request, &answer);
    let appended = PartitionProduceResponse { base_offset: 41, ..Default::default() };
    let healthy = ProduceResponse {
        responses: vec![TopicProduceResponse {
            partition_responses: vec![appended],
            ..Default::default()
        }],
        ..Default::default()
    };
    let empty = ProduceRequest::default();
    snapshot_versions("nulls_and_empties", ApiKey::PRODUCE, &empty, &healthy);
}

#[test]
fn describe_topic_partitions() {
    let cursor = Cursor { topic_name: "topic".to_owned(), partition_index: 1 };
    let request = DescribeTopicPartitionsRequest {
        topics: vec![TopicRequest { name: "topic".to_owned() }],
        response_partition_limit: 1,
        cursor: Some(cursor.clone()),
    };
    let partition = DescribeTopicPartitionsResponsePartition {
        error_code: ErrorCode::NONE,
        partition_index: 0,
        leader_id: 1,
        leader_epoch: 2,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        eligible_leader_replicas: Some(vec![]),
        last_known_elr: Some(vec![2]),
        offline_replicas: vec![],
    };
    let answer = DescribeTopicPartitionsResponse {
        throttle_time_ms: 0,
        topics: vec![DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::NONE,
            name: Some("topic".to_owned()),
            topic_id: ID,
            is_internal: false,
            partitions: vec![partition],
            topic_authorized_operations: 3576,
        }],
        next_cursor: Some(cursor),
    };
    snapshot_versions("every_field", ApiKey::DESCRIBE_TOPIC_PARTITIONS, &request, &answer);
    let request = DescribeTopicPartitionsRequest::default();
    let nameless = DescribeTopicPartitionsResponseTopic {
        name: None,
        partitions: vec![DescribeTopicPartitionsResponsePartition::default()],
        ..Default::default()
    };
    let answer = DescribeTopicPartitionsResponse { topics: vec![nameless], ..Default::default() };
    snapshot_versions("nulls_and_empties", ApiKey::DESCRIBE_TOPIC_PARTITIONS, &request, &answer);
}
