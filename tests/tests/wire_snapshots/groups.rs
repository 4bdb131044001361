//! Groups and their members.

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};
use klamm_core::api::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use klamm_core::api::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use klamm_core::api::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use klamm_core::api::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse, JoinGroupResponseMember,
};
use klamm_core::api::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};
use klamm_core::api::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use klamm_core::api::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use klamm_core::error_code::ErrorCode;

use crate::snapshot_versions;

#[test]
fn find_coordinator() {
    let host = || "127.0.0.1".to_owned();
    // A version has either the one key or the list.
    let request = FindCoordinatorRequest {
        key: "group".to_owned(),
        key_type: 1,
        coordinator_keys: vec!["group".to_owned(), "another".to_owned()],
    };
    let found = Coordinator {
        key: "group".to_owned(),
        node_id: 1,
        host: host(),
        port: 9092,
        error_code: ErrorCode::NONE,
        error_message: Some("words".to_owned()),
    };
    let answer = FindCoordinatorResponse {
        throttle_time_ms: 0,
        error_code: ErrorCode::NONE,
        error_message: Some("words".to_owned()),
        node_id: 1,
        host: host(),
        port: 9092,
        coordinators: vec![found],
    };
    snapshot_versions("every_field", ApiKey::FIND_COORDINATOR, &request, &answer);
    let request = FindCoordinatorRequest::default();
    let error_code = ErrorCode::COORDINATOR_NOT_AVAILABLE;
    let none = Coordinator {
        node_id: -1,
        port: -1,
        error_code,
        error_message: None,
        ..Coordinator::default()
    };
    let answer = FindCoordinatorResponse {
        error_code,
        error_message: None,
        node_id: -1,
        port: -1,
        coordinators: vec![none],
        ..FindCoordinatorResponse::default()
    };
    snapshot_versions("nulls_and_empties", ApiKey::FIND_COORDINATOR, &request, &answer);
}

#[test]
fn join_group() {
    let request = JoinGroupRequest {
        group_id: "group".to_owned(),
        session_timeout_ms: 45_000,
        rebalance_timeout_ms: 300_000,
        member_id: "member".to_owned(),
        group_instance_id: Some("instance".to_owned()),
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".to_owned(),
            metadata: Bytes::from_static(b"what it says"),
        }],
        reason: Some("words".to_owned()),
    };
    let member = JoinGroupResponseMember {
        member_id: "member".to_owned(),
        group_instance_id: Some("instance".to_owned()),
        metadata: Bytes::from_static(b"what it says"),
    };
    let answer = JoinGroupResponse {
        throttle_time_ms: 0,
        error_code: ErrorCode::NONE,
        generation_id: 1,
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("range".to_owned()),
        leader: "member".to_owned(),
        skip_assignment: true,
        member_id: "member".to_owned(),
        members: vec![member],
    };
    snapshot_versions("every_field", ApiKey::JOIN_GROUP, &request, &answer);
    let request = JoinGroupRequest {
        protocols: vec![JoinGroupRequestProtocol::default()],
        ..JoinGroupRequest::default()
    };
    let answer = JoinGroupResponse {
        error_code: ErrorCode::MEMBER_ID_REQUIRED,
        protocol_name: None,
        members: vec![JoinGroupResponseMember::default()],
        ..JoinGroupResponse::default()
    };
    snapshot_versions("nulls_and_empties", ApiKey::JOIN_GROUP, &request, &answer);
}

#[test]
fn sync_group() {
    let request = SyncGroupRequest {
        group_id: "group".to_owned(),
        generation_id: 1,
        member_id: "member".to_owned(),
        group_instance_id: Some("instance".to_owned()),
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("range".to_owned()),
        assignments: vec![SyncGroupRequestAssignment {
            member_id: "member".to_owned(),
            assignment: Bytes::from_static(b"its part"),
        }],
    };
    let answer = SyncGroupResponse {
        throttle_time_ms: 0,
        error_code: ErrorCode::NONE,
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("range".to_owned()),
        assignment: Bytes::from_static(b"its part"),
    };
    snapshot_versions("every_field", ApiKey::SYNC_GROUP, &request, &answer);
    let request = SyncGroupRequest::default();
    let answer = SyncGroupResponse {
        error_code: ErrorCode::REBALANCE_IN_PROGRESS,
        ..SyncGroupResponse::default()
    };
    snapshot_versions("nulls_and_empties", ApiKey::SYNC_GROUP, &request, &answer);
}

#[test]
fn heartbeat() {
    let request = HeartbeatRequest {
        group_id: "group".to_owned(),
        generation_id: 1,
        member_id: "member".to_owned(),
        group_instance_id: Some("instance".to_owned()),
    };
    let answer =
        HeartbeatResponse { throttle_time_ms: 0, error_code: ErrorCode::REBALANCE_IN_PROGRESS };
    snapshot_versions("every_field", ApiKey::HEARTBEAT, &request, &answer);
    let (request, answer) = (HeartbeatRequest::default(), HeartbeatResponse::default());
    snapshot_versions("nulls_and_empties", ApiKey::HEARTBEAT, &request, &answer);
}

#[test]
fn leave_group() {
    // A version has either the one member or the list.
    let request = LeaveGroupRequest {
        group_id: "group".to_owned(),
        member_id: "member".to_owned(),
        members: vec![MemberIdentity {
            member_id: "member".to_owned(),
            group_instance_id: Some("instance".to_owned()),
            reason: Some("words".to_owned()),
        }],
    };
    let gone = |group_instance_id| MemberResponse {
        member_id: "member".to_owned(),
        group_instance_id,
        error_code: ErrorCode::UNKNOWN_MEMBER_ID,
    };
    let answer = LeaveGroupResponse {
        throttle_time_ms: 0,
        error_code: ErrorCode::UNKNOWN_MEMBER_ID,
        members: vec![gone(Some("instance".to_owned()))],
    };
    snapshot_versions("every_field", ApiKey::LEAVE_GROUP, &request, &answer);
    let request = LeaveGroupRequest {
        members: vec![MemberIdentity::default()],
        ..LeaveGroupRequest::default()
    };
    let answer = LeaveGroupResponse { members: vec![gone(None)], ..LeaveGroupResponse::default() };
    snapshot_versions("nulls_and_empties", ApiKey::LEAVE_GROUP, &request, &answer);
}

#[test]
fn describe_groups() {
    let request = DescribeGroupsRequest {
        groups: vec!["group".to_owned()],
        include_authorized_operations: true,
    };
    let member = DescribedGroupMember {
        member_id: "member".to_owned(),
        group_instance_id: Some("instance".to_owned()),
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        member_metadata: Bytes::from_static(b"what it says"),
        member_assignment: Bytes::from_static(b"its part"),
    };
    let group = DescribedGroup {
        error_code: ErrorCode::NONE,
        error_message: Some("words".to_owned()),
        group_id: "group".to_owned(),
        group_state: "Stable".to_owned(),
        protocol_type: "consumer".to_owned(),
        protocol_data: "range".to_owned(),
        members: vec![member],
        authorized_operations: 328,
    };
    let answer = DescribeGroupsResponse { throttle_time_ms: 0, groups: vec![group] };
    snapshot_versions("every_field", ApiKey::DESCRIBE_GROUPS, &request, &answer);
    let unknown = DescribedGroup {
        error_code: ErrorCode::GROUP_ID_NOT_FOUND,
        members: vec![DescribedGroupMember::default()],
        ..DescribedGroup::default()
    };
    let answer = DescribeGroupsResponse { throttle_time_ms: 0, groups: vec![unknown] };
    let nothing = DescribeGroupsRequest::default();
    snapshot_versions("nulls_and_empties", ApiKey::DESCRIBE_GROUPS, &nothing, &answer);
}

#[test]
fn list_groups() {
    let request = ListGroupsRequest {
        states_filter: vec!["Stable".to_owned()],
        types_filter: vec!["classic".to_owned()],
    };
    let group = ListedGroup {
        group_id: "group".to_owned(),
        protocol_type: "consumer".to_owned(),
        group_state: "Stable".to_owned(),
        group_type: "classic".to_owned(),
    };
    let answer = ListGroupsResponse {
        throttle_time_ms: 0,
        error_code: ErrorCode::NONE,
        groups: vec![group],
    };
    snapshot_versions("every_field", ApiKey::LIST_GROUPS, &request, &answer);
    let request = ListGroupsRequest::default();
    let answer = ListGroupsResponse {
        error_code: ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ..ListGroupsResponse::default()
    };
    snapshot_versions("nulls_and_empties", ApiKey::LIST_GROUPS, &request, &answer);
}

#[test]
fn delete_groups() {
    let request = DeleteGroupsRequest { groups_names: vec!["group".to_owned()] };
    let refused = DeletableGroupResult {
        group_id: "group".to_owned(),
        error_code: ErrorCode::NON_EMPTY_GROUP,
    };
    let answer = DeleteGroupsResponse { throttle_time_ms: 0, results: vec![refused] };
    snapshot_versions("every_field", ApiKey::DELETE_GROUPS, &request, &answer);
    let (request, answer) = (DeleteGroupsRequest::default(), DeleteGroupsResponse::default());
    snapshot_versions("nulls_and_empties", ApiKey::DELETE_GROUPS, &request, &answer);
}
