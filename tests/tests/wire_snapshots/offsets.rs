//! The offsets that groups commit.

use klamm_core::api::ApiKey;
use klamm_core::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use klamm_core::api::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use klamm_core::api::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use klamm_core::error_code::ErrorCode;

use crate::{ID, snapshot_versions};

#[test]
fn offset_commit() {
    let committed = |committed_metadata| OffsetCommitRequestPartition {
        partition_index: 2,
        committed_offset: 41,
        committed_leader_epoch: 3,
        committed_metadata,
    };
    let topic = |partition| OffsetCommitRequestTopic {
        name: "topic".to_owned(),
        topic_id: ID,
        partitions: vec![partition],
    };
    let request = OffsetCommitRequest {
        group_id: "group".to_owned(),
        generation_id_or_member_epoch: 1,
        member_id: "member".to_owned(),
        group_instance_id: Some("instance".to_owned()),
        retention_time_ms: 60_000,
        topics: vec![topic(committed(Some("metadata".to_owned())))],
    };
    let answer = OffsetCommitResponse {
        throttle_time_ms: 0,
        topics: vec![OffsetCommitResponseTopic {
            name: "topic".to_owned(),
            topic_id: ID,
            partitions: vec![OffsetCommitResponsePartition {
                partition_index: 2,
                error_code: ErrorCode::OFFSET_METADATA_TOO_LARGE,
            }],
        }],
    };
    snapshot_versions("every_field", ApiKey::OFFSET_COMMIT, &request, &answer);
    let request = OffsetCommitRequest {
        topics: vec![topic(committed(None))],
        ..OffsetCommitRequest::default()
    };
    let answer = OffsetCommitResponse::default();
    snapshot_versions("nulls_and_empties", ApiKey::OFFSET_COMMIT, &request, &answer);
}

#[test]
fn offset_fetch() {
    let group_id = || "group".to_owned();
    let name = || "topic".to_owned();
    let one_groups = OffsetFetchRequestTopic { name: name(), partition_indexes: vec![2] };
    let topic = OffsetFetchRequestTopics { name: name(), topic_id: ID, partition_indexes: vec![2] };
    let asked = OffsetFetchRequestGroup {
        group_id: group_id(),
        member_id: Some("member".to_owned()),
        member_epoch: 1,
        topics: Some(vec![topic]),
    };
    // A version has either the one group or the list.
    let request = OffsetFetchRequest {
        group_id: group_id(),
        topics: Some(vec![one_groups]),
        groups: vec![asked],
        require_stable: true,
    };
    let answer = offset_fetch_response(41, Some("metadata"), ErrorCode::UNSTABLE_OFFSET_COMMIT);
    snapshot_versions("every_field", ApiKey::OFFSET_FETCH, &request, &answer);
    // All topics, which version 1 cannot ask for.
    let request = OffsetFetchRequest {
        group_id: group_id(),
        topics: None,
        groups: vec![OffsetFetchRequestGroup { topics: None, ..Default::default() }],
        require_stable: false,
    };
    let answer = offset_fetch_response(-1, None, ErrorCode::NONE);
    snapshot_versions("nulls_and_empties", ApiKey::OFFSET_FETCH, &request, &answer);
}

fn offset_fetch_response(
    committed_offset: i64,
    metadata: Option<&str>,
    error_code: ErrorCode,
) -> OffsetFetchResponse {
    let metadata = metadata.map(str::to_owned);
    let one_groups = OffsetFetchResponsePartition {
        partition_index: 2,
        committed_offset,
        committed_leader_epoch: 3,
        metadata: metadata.clone(),
        error_code,
    };
    let partition = OffsetFetchResponsePartitions {
        partition_index: 2,
        committed_offset,
        committed_leader_epoch: 3,
        metadata,
        error_code,
    };
    let topic = OffsetFetchResponseTopics {
        name: "topic".to_owned(),
        topic_id: ID,
        partitions: vec![partition],
    };
    OffsetFetchResponse {
        throttle_time_ms: 0,
        topics: vec![OffsetFetchResponseTopic {
            name: "topic".to_owned(),
            partitions: vec![one_groups],
        }],
        error_code,
        groups: vec![OffsetFetchResponseGroup {
            group_id: "group".to_owned(),
            topics: vec![topic],
            error_code,
        }],
    }
}

#[test]
fn offset_delete() {
    let request = OffsetDeleteRequest {
        group_id: "group".to_owned(),
        topics: vec![OffsetDeleteRequestTopic {
            name: "topic".to_owned(),
            partitions: vec![OffsetDeleteRequestPartition { partition_index: 2 }],
        }],
    };
    let answer = OffsetDeleteResponse {
        error_code: ErrorCode::NONE,
        throttle_time_ms: 0,
        topics: vec![OffsetDeleteResponseTopic {
            name: "topic".to_owned(),
            partitions: vec![OffsetDeleteResponsePartition {
                partition_index: 2,
                error_code: ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
            }],
        }],
    };
    snapshot_versions("every_field", ApiKey::OFFSET_DELETE, &request, &answer);
    let request = OffsetDeleteRequest::default();
    let answer = OffsetDeleteResponse {
        error_code: ErrorCode::NON_EMPTY_GROUP,
        ..OffsetDeleteResponse::default()
    };
    snapshot_versions("nulls_and_empties", ApiKey::OFFSET_DELETE, &request, &answer);
}
