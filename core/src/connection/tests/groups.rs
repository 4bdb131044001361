//! Requests about groups.

use std::format;
use std::string::String;

use super::reads::exchange_all;
use super::*;
use crate::api;
use crate::api::delete_groups::DeleteGroupsRequest;
use crate::api::describe_groups::DescribeGroupsRequest;
use crate::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use crate::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use crate::api::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use crate::request::JoinGroupCommand;

macro_rules! exchange_each {
    ($($key:ident $name:ident($request:ty, $response:ty);)+) => {$(
        exchange_all::<$request, $response>(ApiKey::$key, ResponseBody::$name, |body| match body {
            RequestBody::$name { version, request } => {
                (*request == <$request>::default()).then_some(*version)
            }
            _ => None,
        });
    )+};
}

#[test]
fn every_version_goes_to_the_broker_and_back() {
    use api::{
        delete_groups, describe_groups, find_coordinator, heartbeat, leave_group, list_groups,
        offset_commit, offset_delete, offset_fetch, sync_group,
    };
    exchange_each! {
        FIND_COORDINATOR FindCoordinator(
            find_coordinator::FindCoordinatorRequest, find_coordinator::FindCoordinatorResponse
        );
        SYNC_GROUP SyncGroup(sync_group::SyncGroupRequest, sync_group::SyncGroupResponse);
        HEARTBEAT Heartbeat(heartbeat::HeartbeatRequest, heartbeat::HeartbeatResponse);
        LEAVE_GROUP LeaveGroup(leave_group::LeaveGroupRequest, leave_group::LeaveGroupResponse);
        OFFSET_COMMIT OffsetCommit(OffsetCommitRequest, offset_commit::OffsetCommitResponse);
        OFFSET_FETCH OffsetFetch(OffsetFetchRequest, offset_fetch::OffsetFetchResponse);
        DESCRIBE_GROUPS DescribeGroups(
            DescribeGroupsRequest, describe_groups::DescribeGroupsResponse
        );
        LIST_GROUPS ListGroups(list_groups::ListGroupsRequest, list_groups::ListGroupsResponse);
        DELETE_GROUPS DeleteGroups(DeleteGroupsRequest, delete_groups::DeleteGroupsResponse);
        OFFSET_DELETE OffsetDelete(
            offset_delete::OffsetDeleteRequest, offset_delete::OffsetDeleteResponse
        );
    }
    exchange_all::<JoinGroupRequest, JoinGroupResponse>(
        ApiKey::JOIN_GROUP,
        ResponseBody::JoinGroup,
        |body| match body {
            RequestBody::JoinGroup(command) => {
                (command.request == JoinGroupRequest::default()).then_some(command.version)
            }
            _ => None,
        },
    );
}

#[test]
fn who_joins_is_known_by_its_client_id() {
    let joins = |client_id: Option<&str>| -> JoinGroupCommand {
        let header = RequestHeader {
            api_key: ApiKey::JOIN_GROUP,
            api_version: 5,
            correlation_id: 3,
            client_id: client_id.map(str::to_string),
        };
        let mut frame = BytesMut::new();
        write_request(&mut frame, &header, &JoinGroupRequest::default());
        let [request] = &Rig::new().receive(&frame)[..] else { panic!("one request") };
        match &request.body {
            RequestBody::JoinGroup(command) => command.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(joins(Some("me")).client_id, "me");
    assert_eq!(joins(Some("")).client_id, "");
    assert_eq!(joins(None).client_id, "");
}

fn assert_decoded<M: Message>(key: ApiKey, version: i16, body: &M) {
    let mut rig = Rig::new();
    let requests = rig.receive(&frame(key, version, 1, body));
    assert_eq!(requests.len(), 1, "{} v{version}: {:?}", M::NAME, rig.errors);
}

#[test]
fn large_requests_are_decoded() {
    let protocol =
        |index| JoinGroupRequestProtocol { name: format!("{index:x}"), metadata: Bytes::new() };
    let join = JoinGroupRequest {
        protocols: (0..10_000).map(protocol).collect(),
        ..JoinGroupRequest::default()
    };
    let groups: Vec<String> = (0..10_000).map(|index| format!("{index:x}")).collect();
    let describe = DescribeGroupsRequest { groups: groups.clone(), ..Default::default() };
    let delete = DeleteGroupsRequest { groups_names: groups };
    for version in [0, 9] {
        assert_decoded(ApiKey::JOIN_GROUP, version, &join);
        assert_decoded(ApiKey::DESCRIBE_GROUPS, version.min(6), &describe);
        assert_decoded(ApiKey::DELETE_GROUPS, version.min(2), &delete);
    }
}

/// The offsets of all that a consumer reads of a large cluster, where each partition is one of a topic of its own.
#[test]
fn offsets_of_100_000_topics_are_decoded() {
    let topic_id = |index: u32| Uuid([index.to_be_bytes(); 4].concat().try_into().unwrap());
    let committed = |index: u32| OffsetCommitRequestTopic {
        name: format!("{index:x}"),
        topic_id: topic_id(index),
        partitions: vec![OffsetCommitRequestPartition::default()],
    };
    let commit = OffsetCommitRequest {
        topics: (0..100_000).map(committed).collect(),
        ..OffsetCommitRequest::default()
    };
    let asked = |index: u32| OffsetFetchRequestTopics {
        name: format!("{index:x}"),
        topic_id: topic_id(index),
        partition_indexes: vec![0],
    };
    let topics = Some((0..100_000).map(asked).collect());
    let group = OffsetFetchRequestGroup { topics, ..OffsetFetchRequestGroup::default() };
    let fetch = OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() };
    for version in [8, 10] {
        assert_decoded(ApiKey::OFFSET_COMMIT, version, &commit);
        assert_decoded(ApiKey::OFFSET_FETCH, version, &fetch);
    }
}
