//! The members of one group.

use std::time::{Duration, Instant};

use bytes::Bytes;
use klamm_core::api::heartbeat::HeartbeatRequest;
use klamm_core::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm_core::api::leave_group::{LeaveGroupRequest, MemberIdentity};
use klamm_core::api::offset_commit::OffsetCommitRequest;
use klamm_core::api::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm_core::error_code::ErrorCode;

use super::client::Client;

/// `group.max.session.timeout.ms`.
const SILENT_MS_MAX: i32 = 1_800_000;
const REBALANCE_MS_MAX: i32 = 300_000;

const PROTOCOL_TYPE: &str = "consumer";
const PROTOCOL: &str = "range";

/// What a consumer says who subscribes to [`TOPIC`](crate::batches::TOPIC): version 0, one name, no data of its own.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x05bench\xff\xff\xff\xff";

/// What one is told that is to read partition 0 of it.
const ASSIGNMENT: &[u8] = b"\0\0\0\0\0\x01\0\x05bench\0\0\0\x01\0\0\0\0\xff\xff\xff\xff";

/// A group whose members have agreed. Member `n` speaks on connection `n` of those that each call is given: a
/// connection answers nothing else while its member waits for the others.
pub(super) struct Team {
    group_id: String,
    /// Their ids. The first leads.
    members: Vec<String>,
    generation: i32,
}

impl Team {
    /// So many join a group that has no members. The time is that from when the last of them has sent its
    /// JoinGroup until each has the answer to its SyncGroup.
    ///
    /// The first joins alone before: the others are then waited for, all of them, since the coordinator has
    /// given them their ids.
    pub(super) fn form(
        clients: &mut [Client],
        group_id: &str,
        size: usize,
    ) -> Result<(Self, Duration), String> {
        let mut team = Self { group_id: group_id.to_owned(), members: Vec::new(), generation: 0 };
        team.enrol(clients, size)?;
        clients[0].send(&team.join(&team.members[0]))?;
        team.agree(clients, 1)?;
        for (client, member) in clients.iter_mut().zip(&team.members).skip(1) {
            client.send(&team.join(member))?;
        }
        clients[0].send(&team.join(&team.members[0]))?;
        let begun = Instant::now();
        team.agree(clients, size)?;
        Ok((team, begun.elapsed()))
    }

    /// One more joins, of which the others hear by their next heartbeat, which they send at once. The time is
    /// that from when it has sent its JoinGroup until each has the answer to its SyncGroup.
    pub(super) fn grow(&mut self, clients: &mut [Client]) -> Result<Duration, String> {
        let newest = self.members.len();
        self.enrol(clients, 1)?;
        clients[newest].send(&self.join(&self.members[newest]))?;
        let begun = Instant::now();
        for (at, client) in clients[..newest].iter_mut().enumerate() {
            client.send(&self.heartbeat(at))?;
        }
        for (at, client) in clients[..newest].iter_mut().enumerate() {
            while !self.is_called(at, client)? {
                client.send(&self.heartbeat(at))?;
            }
            client.send(&self.join(&self.members[at]))?;
        }
        self.agree(clients, newest + 1)?;
        Ok(begun.elapsed())
    }

    /// All leave.
    pub(super) fn leave(self, client: &mut Client) -> Result<(), String> {
        let member = |member_id| MemberIdentity { member_id, ..MemberIdentity::default() };
        let request = LeaveGroupRequest {
            group_id: self.group_id,
            members: self.members.into_iter().map(member).collect(),
            ..LeaveGroupRequest::default()
        };
        let answer = client.ask(&request)?;
        let errors = answer.members.iter().map(|member| member.error_code);
        match errors.chain([answer.error_code]).find(|error| *error != ErrorCode::NONE) {
            Some(error) => Err(format!("a member that leaves is answered by {error:?}")),
            None => Ok(()),
        }
    }

    pub(super) fn size(&self) -> usize {
        self.members.len()
    }

    pub(super) fn heartbeat(&self, at: usize) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: self.group_id.clone(),
            generation_id: self.generation,
            member_id: self.members[at].clone(),
            group_instance_id: None,
        }
    }

    /// As whom a member commits; offsets are missing.
    pub(super) fn committer(&self, at: usize) -> OffsetCommitRequest {
        OffsetCommitRequest {
            group_id: self.group_id.clone(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.members[at].clone(),
            ..OffsetCommitRequest::default()
        }
    }

    /// So many more get ids from the coordinator (KIP-394).
    fn enrol(&mut self, clients: &mut [Client], count: usize) -> Result<(), String> {
        let clients = &mut clients[self.members.len()..][..count];
        for client in &mut *clients {
            client.send(&self.join(""))?;
        }
        for client in clients {
            let answer = client.receive::<JoinGroupRequest>()?;
            if answer.error_code != ErrorCode::MEMBER_ID_REQUIRED {
                return Err(format!("a member without an id is answered by {answer:?}"));
            }
            self.members.push(answer.member_id);
        }
        Ok(())
    }

    /// Takes the answers to the JoinGroups of the first members, and has each told its part.
    fn agree(&mut self, clients: &mut [Client], count: usize) -> Result<(), String> {
        let clients = &mut clients[..count];
        for (at, client) in clients.iter_mut().enumerate() {
            let answer = client.receive::<JoinGroupRequest>()?;
            if answer.error_code != ErrorCode::NONE {
                return Err(format!("a member that joins is answered by {answer:?}"));
            }
            if at == 0 {
                self.generation = answer.generation_id;
                if answer.members.len() != count {
                    let known = answer.members.len();
                    return Err(format!("{count} have joined, the leader knows of {known}"));
                }
            }
            client.send(&self.sync(answer))?;
        }
        for client in clients {
            let answer = client.receive::<SyncGroupRequest>()?;
            if answer.error_code != ErrorCode::NONE || answer.assignment != ASSIGNMENT {
                return Err(format!("a member that asks for its part is answered by {answer:?}"));
            }
        }
        Ok(())
    }

    /// A heartbeat's answer says that the member is to join again.
    fn is_called(&self, at: usize, client: &mut Client) -> Result<bool, String> {
        match client.receive::<HeartbeatRequest>()?.error_code {
            ErrorCode::REBALANCE_IN_PROGRESS => Ok(true),
            ErrorCode::NONE => Ok(false),
            other => Err(format!("{} is answered by {other:?}", self.members[at])),
        }
    }

    fn join(&self, member_id: &str) -> JoinGroupRequest {
        JoinGroupRequest {
            group_id: self.group_id.clone(),
            session_timeout_ms: SILENT_MS_MAX,
            rebalance_timeout_ms: REBALANCE_MS_MAX,
            member_id: member_id.to_owned(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols: vec![JoinGroupRequestProtocol {
                name: PROTOCOL.to_owned(),
                metadata: Bytes::from_static(SUBSCRIPTION),
            }],
            ..JoinGroupRequest::default()
        }
    }

    /// What follows from having joined. The leader alone has been told of members.
    fn sync(&self, joined: JoinGroupResponse) -> SyncGroupRequest {
        let assignment = Bytes::from_static(ASSIGNMENT);
        let part =
            |member_id| SyncGroupRequestAssignment { member_id, assignment: assignment.clone() };
        SyncGroupRequest {
            group_id: self.group_id.clone(),
            generation_id: joined.generation_id,
            member_id: joined.member_id,
            protocol_type: joined.protocol_type,
            protocol_name: joined.protocol_name,
            assignments: joined.members.into_iter().map(|it| part(it.member_id)).collect(),
            ..SyncGroupRequest::default()
        }
    }
}
