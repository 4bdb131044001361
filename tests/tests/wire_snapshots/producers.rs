//! Ids for producers, and who they are.

use klamm_core::api::ApiKey;
use klamm_core::api::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicRequest, TopicResponse,
};
use klamm_core::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use klamm_core::error_code::ErrorCode;

use crate::snapshot_versions;

#[test]
fn init_producer_id() {
    let request = InitProducerIdRequest {
        transactional_id: Some("transaction".to_owned()),
        transaction_timeout_ms: 60_000,
        producer_id: 1,
        producer_epoch: 2,
    };
    let answer = InitProducerIdResponse {
        throttle_time_ms: 0,
        error_code: ErrorCode::NONE,
        producer_id: 1_000,
        producer_epoch: 3,
    };
    snapshot_versions("every_field", ApiKey::INIT_PRODUCER_ID, &request, &answer);
    let idempotent = InitProducerIdRequest::default();
    let refused = InitProducerIdResponse {
        error_code: ErrorCode::COORDINATOR_NOT_AVAILABLE,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    };
    snapshot_versions("nulls_and_empties", ApiKey::INIT_PRODUCER_ID, &idempotent, &refused);
}

#[test]
fn describe_producers() {
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest { name: "topic".to_owned(), partition_indexes: vec![1, 2] }],
    };
    let producer = ProducerState {
        producer_id: 1_000,
        producer_epoch: 3,
        last_sequence: 4,
        last_timestamp: 1_700_000_000_000,
        coordinator_epoch: -1,
        current_txn_start_offset: 5,
    };
    let answer = DescribeProducersResponse {
        throttle_time_ms: 0,
        topics: vec![TopicResponse {
            name: "topic".to_owned(),
            partitions: vec![PartitionResponse {
                partition_index: 1,
                error_code: ErrorCode::NONE,
                error_message: Some("no error".to_owned()),
                active_producers: vec![producer],
            }],
        }],
    };
    snapshot_versions("every_field", ApiKey::DESCRIBE_PRODUCERS, &request, &answer);
    let empty = DescribeProducersRequest::default();
    let unknown = DescribeProducersResponse {
        topics: vec![TopicResponse {
            partitions: vec![PartitionResponse::default()],
            ..TopicResponse::default()
        }],
        ..DescribeProducersResponse::default()
    };
    snapshot_versions("nulls_and_empties", ApiKey::DESCRIBE_PRODUCERS, &empty, &unknown);
}
