//! Requests of members: they go to the shard of their group.

use super::asker;
use super::context::ClientDetails;
use super::host::client_host;
use crate::api::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use crate::api::join_group::JoinGroupResponse;
use crate::api::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use crate::api::sync_group::{SyncGroupRequest, SyncGroupResponse};
use crate::broker::Broker;
use crate::error_code::ErrorCode;
use crate::ids::{ConnectionId, RequestNumber};
use crate::request::{JoinGroupCommand, ResponseBody};

impl Broker {
    pub(in crate::broker) fn handle_join_group(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        command: JoinGroupCommand,
    ) {
        let asker = asker(connection, number);
        let JoinGroupCommand { version, client_id, request } = command;
        let address = self.connections.get(&connection).map_or("", |peer| &peer.address);
        let client = ClientDetails { client_id, client_host: client_host(address) };
        let group_id = request.group_id.clone();
        let member_id = request.member_id.clone();
        let joined = self.with_group(&group_id, |shard, context| {
            shard.join_group(context, asker, version, client, request);
        });
        if let Err(error_code) = joined {
            let response =
                JoinGroupResponse { error_code, member_id, ..JoinGroupResponse::default() };
            self.answer_group(asker, ResponseBody::JoinGroup(response));
        }
    }

    pub(in crate::broker) fn handle_sync_group(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        version: i16,
        request: SyncGroupRequest,
    ) {
        let asker = asker(connection, number);
        let group_id = request.group_id.clone();
        let synced = self.with_group(&group_id, |shard, context| {
            shard.sync_group(context, asker, version, &request);
        });
        if let Err(error_code) = synced {
            let response = SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
            self.answer_group(asker, ResponseBody::SyncGroup(response));
        }
    }

    pub(in crate::broker) fn handle_heartbeat(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        request: &HeartbeatRequest,
    ) {
        let asker = asker(connection, number);
        let body = |error_code| {
            ResponseBody::Heartbeat(HeartbeatResponse {
                error_code,
                ..HeartbeatResponse::default()
            })
        };
        let beat =
            self.with_group(&request.group_id, |shard, context| shard.heartbeat(context, request));
        match beat {
            Ok((index, error_code)) => self.answer_from(index, asker, body(error_code)),
            // Its session begins when the group is loaded: until then all is well.
            Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => {
                self.answer_group(asker, body(ErrorCode::NONE));
            }
            Err(error_code) => self.answer_group(asker, body(error_code)),
        }
    }

    pub(in crate::broker) fn handle_leave_group(
        &mut self,
        connection: ConnectionId,
        number: RequestNumber,
        version: i16,
        request: LeaveGroupRequest,
    ) {
        let asker = asker(connection, number);
        let group_id = request.group_id.clone();
        let left = self
            .with_group(&group_id, |shard, context| shard.leave_group(context, version, request));
        match left {
            Ok((index, response)) => {
                self.answer_from(index, asker, ResponseBody::LeaveGroup(response));
            }
            Err(error_code) => {
                let response = LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() };
                self.answer_group(asker, ResponseBody::LeaveGroup(response));
            }
        }
    }
}
