//! A message of each kind, as large as clients and brokers make them.

use bytes::Bytes;
use klamm_core::api::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use klamm_core::api::create_topics::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use klamm_core::api::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, TopicRequest,
};
use klamm_core::api::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, PartitionData,
    Records,
};
use klamm_core::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use klamm_core::api::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic, ListOffsetsTopicResponse,
};
use klamm_core::api::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_core::api::produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use klamm_core::ids::Uuid;

use crate::admin::creation;
use crate::batches::TOPIC;

/// Topics, and partitions of each, in the longer ones.
pub(crate) const TOPICS: i32 = 10;
pub(crate) const PARTITIONS: i32 = 10;

/// Settings that a new topic's answer tells.
const SETTINGS: usize = 33;

fn topic_name(at: i32) -> String {
    format!("{TOPIC}-{at}")
}

pub(crate) fn produce_response() -> ProduceResponse {
    let partition = PartitionProduceResponse { base_offset: 1 << 40, ..Default::default() };
    let topic = TopicProduceResponse {
        name: TOPIC.to_owned(),
        topic_id: Uuid([7; 16]),
        partition_responses: vec![partition],
    };
    ProduceResponse { responses: vec![topic], ..ProduceResponse::default() }
}

pub(crate) fn metadata_request() -> MetadataRequest {
    let topic = |at| MetadataRequestTopic { name: Some(topic_name(at)), ..Default::default() };
    MetadataRequest { topics: Some((0..TOPICS).map(topic).collect()), ..Default::default() }
}

pub(crate) fn metadata_response() -> MetadataResponse {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = |at| MetadataResponseTopic {
        name: Some(topic_name(at)),
        topic_id: Uuid([at as u8; 16]),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..Default::default()
    };
    let broker = MetadataResponseBroker {
        node_id: 1,
        host: "localhost".to_owned(),
        port: 9092,
        ..Default::default()
    };
    MetadataResponse {
        brokers: vec![broker],
        cluster_id: Some("MkU3OEVBNTcwNTJENDM2Qk".to_owned()),
        controller_id: 1,
        topics: (0..TOPICS).map(topic).collect(),
        ..Default::default()
    }
}

pub(crate) fn describe_response() -> DescribeTopicPartitionsResponse {
    let partition = |partition_index| DescribeTopicPartitionsResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: 3,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = |at| DescribeTopicPartitionsResponseTopic {
        name: Some(topic_name(at)),
        topic_id: Uuid([at as u8; 16]),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..Default::default()
    };
    DescribeTopicPartitionsResponse {
        topics: (0..TOPICS).map(topic).collect(),
        ..Default::default()
    }
}

pub(crate) fn api_versions_request() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "apache-kafka-java".to_owned(),
        client_software_version: "4.3.1".to_owned(),
    }
}

pub(crate) fn api_versions_response() -> ApiVersionsResponse {
    let api = |api_key| ApiVersion { api_key, min_version: 0, max_version: 13 };
    ApiVersionsResponse { api_keys: (0..60).map(api).collect(), ..Default::default() }
}

pub(crate) fn describe_request() -> DescribeTopicPartitionsRequest {
    DescribeTopicPartitionsRequest {
        topics: (0..TOPICS).map(|at| TopicRequest { name: topic_name(at) }).collect(),
        ..Default::default()
    }
}

pub(crate) fn fetch_request() -> FetchRequest {
    let partition = |partition| FetchPartition {
        partition,
        fetch_offset: 1 << 40,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let topic = |at| FetchTopic {
        topic_id: Uuid([at as u8; 16]),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..Default::default()
    };
    FetchRequest { topics: (0..TOPICS).map(topic).collect(), ..Default::default() }
}

/// As a client reads it.
pub(crate) fn fetch_response() -> FetchResponse {
    let partition = |partition_index| PartitionData {
        partition_index,
        high_watermark: 1 << 40,
        last_stable_offset: 1 << 40,
        records: Records::Bytes(Bytes::from_static(&[7; 200])),
        ..Default::default()
    };
    let topic = |at| FetchableTopicResponse {
        topic_id: Uuid([at as u8; 16]),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..Default::default()
    };
    FetchResponse { responses: (0..TOPICS).map(topic).collect(), ..Default::default() }
}

pub(crate) fn list_offsets_request() -> ListOffsetsRequest {
    let partition = |partition_index| ListOffsetsPartition {
        partition_index,
        timestamp: -1,
        ..Default::default()
    };
    let topic = |at| ListOffsetsTopic {
        name: topic_name(at),
        partitions: (0..PARTITIONS).map(partition).collect(),
    };
    ListOffsetsRequest { topics: (0..TOPICS).map(topic).collect(), ..Default::default() }
}

pub(crate) fn list_offsets_response() -> ListOffsetsResponse {
    let partition = |partition_index| ListOffsetsPartitionResponse {
        partition_index,
        offset: 1 << 40,
        ..Default::default()
    };
    let topic = |at| ListOffsetsTopicResponse {
        name: topic_name(at),
        partitions: (0..PARTITIONS).map(partition).collect(),
    };
    ListOffsetsResponse { topics: (0..TOPICS).map(topic).collect(), ..Default::default() }
}

pub(crate) fn create_topics_request() -> CreateTopicsRequest {
    creation((0..TOPICS).map(|at| (topic_name(at), PARTITIONS)))
}

pub(crate) fn create_topics_response() -> CreateTopicsResponse {
    let setting = |at| CreatableTopicConfigs {
        name: format!("a.setting.{at}"),
        value: Some("604800000".to_owned()),
        ..Default::default()
    };
    let topic = |at| CreatableTopicResult {
        name: topic_name(at),
        num_partitions: PARTITIONS,
        replication_factor: 1,
        configs: Some((0..SETTINGS).map(setting).collect()),
        ..Default::default()
    };
    CreateTopicsResponse { topics: (0..TOPICS).map(topic).collect(), ..Default::default() }
}

pub(crate) fn init_producer_id_request() -> InitProducerIdRequest {
    InitProducerIdRequest::default()
}

pub(crate) fn init_producer_id_response() -> InitProducerIdResponse {
    InitProducerIdResponse { producer_id: 1_000, ..Default::default() }
}
