//! What reads logs, and what moves their start.

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest,
    DeleteRecordsResponse, DeleteRecordsTopic, DeleteRecordsTopicResult,
};
use klamm_core::api::fetch::{
    AbortedTransaction, EpochEndOffset, FetchPartition, FetchRequest, FetchResponse, FetchTopic,
    FetchableTopicResponse, ForgottenTopic, LeaderIdAndEpoch, NodeEndpoint, PartitionData, Records,
    ReplicaState, SnapshotId,
};
use klamm_core::api::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic, ListOffsetsTopicResponse,
};
use klamm_core::api::offset_for_leader_epoch::{
    self, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopic, OffsetForLeaderTopicResult,
};
use klamm_core::error_code::ErrorCode;
use klamm_core::ids::Uuid;

use crate::{ID, snapshot_versions};

#[test]
fn fetch() {
    snapshot_versions("every_field", ApiKey::FETCH, &fetch_request(), &fetch_response());
    let empty = FetchResponse {
        responses: vec![FetchableTopicResponse {
            partitions: vec![PartitionData::default()],
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    };
    let request = FetchRequest {
        topics: vec![FetchTopic {
            partitions: vec![FetchPartition::default()],
            ..Default::default()
        }],
        ..FetchRequest::default()
    };
    snapshot_versions("nulls_and_empties", ApiKey::FETCH, &request, &empty);
}

fn fetch_request() -> FetchRequest {
    let partition = FetchPartition {
        partition: 1,
        current_leader_epoch: 2,
        fetch_offset: 3,
        last_fetched_epoch: 4,
        log_start_offset: 5,
        partition_max_bytes: 1_048_576,
        replica_directory_id: Uuid([9; 16]),
        high_watermark: 7,
    };
    FetchRequest {
        cluster_id: Some("MkU3OEVBNTcwNTJENDM2Qg".to_owned()),
        replica_id: 8,
        replica_state: ReplicaState { replica_id: 8, replica_epoch: 9 },
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 52_428_800,
        isolation_level: 1,
        session_id: 10,
        session_epoch: 11,
        topics: vec![FetchTopic {
            topic: "topic".to_owned(),
            topic_id: ID,
            partitions: vec![partition],
        }],
        forgotten_topics_data: vec![ForgottenTopic {
            topic: "topic".to_owned(),
            topic_id: ID,
            partitions: vec![12, 13],
        }],
        rack_id: "rack".to_owned(),
    }
}

fn fetch_response() -> FetchResponse {
    let partition = PartitionData {
        partition_index: 1,
        error_code: ErrorCode::FENCED_LEADER_EPOCH,
        high_watermark: 2,
        last_stable_offset: 3,
        log_start_offset: 4,
        diverging_epoch: EpochEndOffset { epoch: 5, end_offset: 6 },
        current_leader: LeaderIdAndEpoch { leader_id: 7, leader_epoch: 8 },
        snapshot_id: SnapshotId { end_offset: 9, epoch: 10 },
        aborted_transactions: Some(vec![AbortedTransaction { producer_id: 11, first_offset: 12 }]),
        preferred_read_replica: 13,
        records: Records::Bytes(Bytes::from_static(b"a batch of records")),
    };
    FetchResponse {
        throttle_time_ms: 0,
        error_code: ErrorCode::NONE,
        session_id: 10,
        responses: vec![FetchableTopicResponse {
            topic: "topic".to_owned(),
            topic_id: ID,
            partitions: vec![partition],
        }],
        node_endpoints: vec![NodeEndpoint {
            node_id: 7,
            host: "127.0.0.1".to_owned(),
            port: 9092,
            rack: Some("rack".to_owned()),
        }],
    }
}

#[test]
fn list_offsets() {
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level: 1,
        topics: vec![ListOffsetsTopic {
            name: "topic".to_owned(),
            partitions: vec![ListOffsetsPartition {
                partition_index: 1,
                current_leader_epoch: 2,
                timestamp: 1_700_000_000_000,
            }],
        }],
        timeout_ms: 30_000,
    };
    let answer = ListOffsetsResponse {
        throttle_time_ms: 0,
        topics: vec![ListOffsetsTopicResponse {
            name: "topic".to_owned(),
            partitions: vec![ListOffsetsPartitionResponse {
                partition_index: 1,
                error_code: ErrorCode::NONE,
                timestamp: 1_700_000_000_050,
                offset: 3,
                leader_epoch: 4,
            }],
        }],
    };
    snapshot_versions("every_field", ApiKey::LIST_OFFSETS, &request, &answer);
    let not_found = ListOffsetsResponse {
        topics: vec![ListOffsetsTopicResponse {
            partitions: vec![ListOffsetsPartitionResponse::default()],
            ..ListOffsetsTopicResponse::default()
        }],
        ..ListOffsetsResponse::default()
    };
    let empty = ListOffsetsRequest::default();
    snapshot_versions("nulls_and_empties", ApiKey::LIST_OFFSETS, &empty, &not_found);
}

#[test]
fn offset_for_leader_epoch() {
    let request = OffsetForLeaderEpochRequest {
        replica_id: -1,
        topics: vec![OffsetForLeaderTopic {
            topic: "topic".to_owned(),
            partitions: vec![OffsetForLeaderPartition {
                partition: 1,
                current_leader_epoch: 2,
                leader_epoch: 3,
            }],
        }],
    };
    let answer = OffsetForLeaderEpochResponse {
        throttle_time_ms: 0,
        topics: vec![OffsetForLeaderTopicResult {
            topic: "topic".to_owned(),
            partitions: vec![offset_for_leader_epoch::EpochEndOffset {
                error_code: ErrorCode::NONE,
                partition: 1,
                leader_epoch: 2,
                end_offset: 3,
            }],
        }],
    };
    snapshot_versions("every_field", ApiKey::OFFSET_FOR_LEADER_EPOCH, &request, &answer);
    let unknown = OffsetForLeaderEpochResponse {
        topics: vec![OffsetForLeaderTopicResult {
            partitions: vec![offset_for_leader_epoch::EpochEndOffset::default()],
            ..OffsetForLeaderTopicResult::default()
        }],
        ..OffsetForLeaderEpochResponse::default()
    };
    let empty = OffsetForLeaderEpochRequest::default();
    snapshot_versions("nulls_and_empties", ApiKey::OFFSET_FOR_LEADER_EPOCH, &empty, &unknown);
}

#[test]
fn delete_records() {
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: "topic".to_owned(),
            partitions: vec![DeleteRecordsPartition { partition_index: 1, offset: -1 }],
        }],
        timeout_ms: 30_000,
    };
    let answer = DeleteRecordsResponse {
        throttle_time_ms: 0,
        topics: vec![DeleteRecordsTopicResult {
            name: "topic".to_owned(),
            partitions: vec![DeleteRecordsPartitionResult {
                partition_index: 1,
                low_watermark: 2,
                error_code: ErrorCode::NONE,
            }],
        }],
    };
    snapshot_versions("every_field", ApiKey::DELETE_RECORDS, &request, &answer);
    let empty = DeleteRecordsRequest::default();
    let nothing = DeleteRecordsResponse::default();
    snapshot_versions("nulls_and_empties", ApiKey::DELETE_RECORDS, &empty, &nothing);
}
