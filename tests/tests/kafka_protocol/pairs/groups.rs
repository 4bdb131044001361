//! Groups, their members and the offsets that they commit.

use kafka_protocol::messages as theirs;
use klamm_core::api;
use klamm_core::rng::Rng;

use super::Same;
use crate::arbitrary::Arbitrary;

structures! { api::find_coordinator => theirs::find_coordinator_request;
    FindCoordinatorRequest { key, key_type, coordinator_keys }
}

structures! { api::find_coordinator => theirs::find_coordinator_response;
    FindCoordinatorResponse {
        throttle_time_ms, error_code, error_message, node_id, host, port, coordinators,
    }
    Coordinator { key, node_id, host, port, error_code, error_message }
}

structures! { api::join_group => theirs::join_group_request;
    JoinGroupRequest {
        group_id, session_timeout_ms, rebalance_timeout_ms, member_id, group_instance_id,
        protocol_type, protocols, reason,
    }
    JoinGroupRequestProtocol { name, metadata }
}

structures! { api::join_group => theirs::join_group_response;
    JoinGroupResponse {
        throttle_time_ms, error_code, generation_id, protocol_type, protocol_name, leader,
        skip_assignment, member_id, members,
    }
    JoinGroupResponseMember { member_id, group_instance_id, metadata }
}

structures! { api::sync_group => theirs::sync_group_request;
    SyncGroupRequest {
        group_id, generation_id, member_id, group_instance_id, protocol_type, protocol_name,
        assignments,
    }
    SyncGroupRequestAssignment { member_id, assignment }
}

structures! { api::sync_group => theirs::sync_group_response;
    SyncGroupResponse { throttle_time_ms, error_code, protocol_type, protocol_name, assignment }
}

structures! { api::heartbeat => theirs::heartbeat_request;
    HeartbeatRequest { group_id, generation_id, member_id, group_instance_id }
}

structures! { api::heartbeat => theirs::heartbeat_response;
    HeartbeatResponse { throttle_time_ms, error_code }
}

structures! { api::leave_group => theirs::leave_group_request;
    LeaveGroupRequest { group_id, member_id, members }
    MemberIdentity { member_id, group_instance_id, reason }
}

structures! { api::leave_group => theirs::leave_group_response;
    LeaveGroupResponse { throttle_time_ms, error_code, members }
    MemberResponse { member_id, group_instance_id, error_code }
}

structures! { api::offset_commit => theirs::offset_commit_request;
    OffsetCommitRequest {
        group_id, generation_id_or_member_epoch, member_id, group_instance_id, retention_time_ms,
        topics,
    }
    OffsetCommitRequestTopic { name, topic_id, partitions }
    OffsetCommitRequestPartition {
        partition_index, committed_offset, committed_leader_epoch, committed_metadata,
    }
}

structures! { api::offset_commit => theirs::offset_commit_response;
    OffsetCommitResponse { throttle_time_ms, topics }
    OffsetCommitResponseTopic { name, topic_id, partitions }
    OffsetCommitResponsePartition { partition_index, error_code }
}

structures! { api::offset_fetch => theirs::offset_fetch_request;
    OffsetFetchRequest { group_id, topics, groups, require_stable }
    OffsetFetchRequestTopic { name, partition_indexes }
    OffsetFetchRequestGroup { group_id, member_id, member_epoch, topics }
    OffsetFetchRequestTopics { name, topic_id, partition_indexes }
}

structures! { api::offset_fetch => theirs::offset_fetch_response;
    OffsetFetchResponse { throttle_time_ms, topics, error_code, groups }
    OffsetFetchResponseTopic { name, partitions }
    OffsetFetchResponsePartition {
        partition_index, committed_offset, committed_leader_epoch, metadata, error_code,
    }
    OffsetFetchResponseGroup { group_id, topics, error_code }
    OffsetFetchResponseTopics { name, topic_id, partitions }
    OffsetFetchResponsePartitions {
        partition_index, committed_offset, committed_leader_epoch, metadata, error_code,
    }
}

structures! { api::describe_groups => theirs::describe_groups_request;
    DescribeGroupsRequest { groups, include_authorized_operations }
}

structures! { api::describe_groups => theirs::describe_groups_response;
    DescribeGroupsResponse { throttle_time_ms, groups }
    DescribedGroup {
        error_code, error_message, group_id, group_state, protocol_type, protocol_data, members,
        authorized_operations,
    }
    DescribedGroupMember {
        member_id, group_instance_id, client_id, client_host, member_metadata, member_assignment,
    }
}

structures! { api::list_groups => theirs::list_groups_request;
    ListGroupsRequest { states_filter, types_filter }
}

structures! { api::list_groups => theirs::list_groups_response;
    ListGroupsResponse { throttle_time_ms, error_code, groups }
    ListedGroup { group_id, protocol_type, group_state, group_type }
}

structures! { api::delete_groups => theirs::delete_groups_request;
    DeleteGroupsRequest { groups_names }
}

structures! { api::delete_groups => theirs::delete_groups_response;
    DeleteGroupsResponse { throttle_time_ms, results }
    DeletableGroupResult { group_id, error_code }
}

structures! { api::offset_delete => theirs::offset_delete_request;
    OffsetDeleteRequest { group_id, topics }
    OffsetDeleteRequestTopic { name, partitions }
    OffsetDeleteRequestPartition { partition_index }
}

structures! { api::offset_delete => theirs::offset_delete_response;
    OffsetDeleteResponse { error_code, throttle_time_ms, topics }
    OffsetDeleteResponseTopic { name, partitions }
    OffsetDeleteResponsePartition { partition_index, error_code }
}
