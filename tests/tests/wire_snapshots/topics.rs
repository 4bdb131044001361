//! Topics, made, grown and deleted.

use klamm_core::api::ApiKey;
use klamm_core::api::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse,
    CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use klamm_core::api::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicConfigs,
    CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use klamm_core::api::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use klamm_core::error_code::ErrorCode;
use klamm_core::ids::Uuid;

use crate::{ID, snapshot_versions};

#[test]
fn create_topics() {
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: "topic".to_owned(),
            num_partitions: -1,
            replication_factor: -1,
            assignments: vec![CreatableReplicaAssignment {
                partition_index: 0,
                broker_ids: vec![1, 2],
            }],
            configs: vec![CreatableTopicConfig {
                name: "retention.ms".to_owned(),
                value: Some("5000".to_owned()),
            }],
        }],
        timeout_ms: 30_000,
        validate_only: true,
    };
    let setting = CreatableTopicConfigs {
        name: "retention.ms".to_owned(),
        value: Some("5000".to_owned()),
        read_only: true,
        config_source: 1,
        is_sensitive: true,
    };
    let made = CreatableTopicResult {
        name: "topic".to_owned(),
        topic_id: ID,
        error_code: ErrorCode::NONE,
        error_message: Some("words".to_owned()),
        topic_config_error_code: ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        num_partitions: 1,
        replication_factor: 2,
        configs: Some(vec![setting]),
    };
    let answer = CreateTopicsResponse { throttle_time_ms: 0, topics: vec![made] };
    snapshot_versions("every_field", ApiKey::CREATE_TOPICS, &request, &answer);
    let no_value = CreatableTopicConfig { name: "retention.ms".to_owned(), value: None };
    let topic = CreatableTopic { configs: vec![no_value], ..CreatableTopic::default() };
    let request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
    let refusals = [
        (ErrorCode::INVALID_TOPIC_EXCEPTION, Some(Vec::new())),
        (ErrorCode::REQUEST_TIMED_OUT, None),
    ];
    let topics = refusals.map(|(error_code, configs)| CreatableTopicResult {
        error_code,
        configs,
        error_message: None,
        ..CreatableTopicResult::default()
    });
    let answer = CreateTopicsResponse { throttle_time_ms: 0, topics: topics.into() };
    snapshot_versions("nulls_and_empties", ApiKey::CREATE_TOPICS, &request, &answer);
}

#[test]
fn delete_topics() {
    let named =
        |name: Option<&str>, topic_id| DeleteTopicState { name: name.map(str::to_owned), topic_id };
    // A version has either of the lists.
    let request = DeleteTopicsRequest {
        topics: vec![named(Some("topic"), Uuid::ZERO), named(None, ID)],
        topic_names: vec!["topic".to_owned()],
        timeout_ms: 30_000,
    };
    let gone = DeletableTopicResult {
        name: Some("topic".to_owned()),
        topic_id: ID,
        error_code: ErrorCode::NONE,
        error_message: Some("words".to_owned()),
    };
    let answer = DeleteTopicsResponse { throttle_time_ms: 0, responses: vec![gone] };
    snapshot_versions("every_field", ApiKey::DELETE_TOPICS, &request, &answer);
    let unknown = DeletableTopicResult {
        name: None,
        topic_id: ID,
        error_code: ErrorCode::UNKNOWN_TOPIC_ID,
        error_message: None,
    };
    let answer = DeleteTopicsResponse { throttle_time_ms: 0, responses: vec![unknown] };
    let nothing = DeleteTopicsRequest::default();
    snapshot_versions("nulls_and_empties", ApiKey::DELETE_TOPICS, &nothing, &answer);
}

#[test]
fn create_partitions() {
    let topic =
        |assignments| CreatePartitionsTopic { name: "topic".to_owned(), count: 3, assignments };
    let assigned = vec![CreatePartitionsAssignment { broker_ids: vec![1, 2] }];
    let request = CreatePartitionsRequest {
        topics: vec![topic(Some(assigned))],
        timeout_ms: 30_000,
        validate_only: true,
    };
    let result = |error_code, words: Option<&str>| CreatePartitionsTopicResult {
        name: "topic".to_owned(),
        error_code,
        error_message: words.map(str::to_owned),
    };
    let refused = result(ErrorCode::INVALID_PARTITIONS, Some("words"));
    let answer = CreatePartitionsResponse { throttle_time_ms: 0, results: vec![refused] };
    snapshot_versions("every_field", ApiKey::CREATE_PARTITIONS, &request, &answer);
    let request =
        CreatePartitionsRequest { topics: vec![topic(None)], ..CreatePartitionsRequest::default() };
    let grown = result(ErrorCode::NONE, None);
    let answer = CreatePartitionsResponse { throttle_time_ms: 0, results: vec![grown] };
    snapshot_versions("nulls_and_empties", ApiKey::CREATE_PARTITIONS, &request, &answer);
}
