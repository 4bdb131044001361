//! A member's requests to its coordinator, and what it makes of the answers.

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use klamm_core::api::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use klamm_core::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm_core::api::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use klamm_core::api::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};

use super::assignor::Assignor;
use super::protocol::{Subscription, decode_part, encode_part};
use super::{Goal, Member, Round, Stage};
use crate::client::{Answer, Caller, Pending, Surroundings};
use crate::decisions::Purpose;
use crate::groups::{CallId, Claim, GroupAsk, GroupTold, ToldMember};
use crate::history::is_passing;
use crate::setup::NODE_ID;

/// What consumers are to each other.
const PROTOCOL_TYPE: &str = "consumer";

/// The first versions with instance ids.
const JOIN_INSTANCE_VERSION: u64 = 5;
const INSTANCE_VERSION: u64 = 3;

/// The first version of SyncGroup that says what is spoken.
const SYNC_PROTOCOL_VERSION: i16 = 5;

/// The first version of FindCoordinator with many keys.
const KEYS_VERSION: i16 = 4;

const UNKNOWN_SERVER_ERROR: i16 = -1;
const LOADING: i16 = 14;
const NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const ILLEGAL_GENERATION: i16 = 22;
const INCONSISTENT_PROTOCOL: i16 = 23;
const UNKNOWN_MEMBER: i16 = 25;
const REBALANCING: i16 = 27;
const STORAGE_ERROR: i16 = 56;
const GROUP_ID_NOT_FOUND: i16 = 69;
const MEMBER_ID_REQUIRED: i16 = 79;
const GROUP_IS_FULL: i16 = 81;
const FENCED: i16 = 82;

/// A request of a member that waits for its answer.
#[derive(Debug)]
pub(in crate::client) enum PendingCall {
    Find(String),
    Join(CallId),
    Sync(CallId, String),
    Heartbeat(CallId),
    Leave(CallId),
}

impl PendingCall {
    pub(in crate::client) fn lost(self, around: &mut Surroundings<'_>) {
        match self {
            Self::Find(_) => {}
            Self::Join(call) | Self::Sync(call, _) | Self::Heartbeat(call) | Self::Leave(call) => {
                around.group_is_silent(call);
            }
        }
    }
}

impl Member {
    fn version(&self, around: &mut Surroundings<'_>, instance_since: u64, newest: u64) -> i16 {
        let low = if self.claim.instance.is_some() { instance_since } else { 0 };
        around.decisions.between(Purpose::Group, low, newest) as i16
    }

    pub(super) fn find(&self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let group = self.life().group.clone();
        find(caller, group, around)
    }

    pub(super) fn join(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let version = self.version(around, JOIN_INSTANCE_VERSION, 9);
        let (call, protocols) = (around.history.next_call(), self.protocols());
        let life = self.life();
        // The first version has one time for both.
        let rebalance_timeout_ms = life.rebalance_ms as i32;
        let named = |(name, metadata): &(String, Bytes)| JoinGroupRequestProtocol {
            name: name.clone(),
            metadata: metadata.clone(),
        };
        let request = JoinGroupRequest {
            group_id: life.group.clone(),
            session_timeout_ms: life.session_ms as i32,
            rebalance_timeout_ms,
            member_id: self.claim.member.clone(),
            group_instance_id: self.claim.instance.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols: protocols.iter().map(named).collect(),
            reason: None,
        };
        let (claim, session_ms) = (self.claim.clone(), life.session_ms);
        around.ask_group(call, &life.group, GroupAsk::Join { claim, protocols, session_ms });
        let pending = Pending::Member(PendingCall::Join(call));
        caller.request(ApiKey::JOIN_GROUP, version, &request, Some(pending))
    }

    pub(super) fn sync(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let version = self.version(around, INSTANCE_VERSION, 5);
        let call = around.history.next_call();
        let Stage::Syncing(round) = &self.stage else { unreachable!("it knows of a generation") };
        let parts = parts_of(round, call.0, around);
        let says = version >= SYNC_PROTOCOL_VERSION;
        let assignment = |(member_id, assignment): &(String, Bytes)| SyncGroupRequestAssignment {
            member_id: member_id.clone(),
            assignment: assignment.clone(),
        };
        let group = self.life().group.clone();
        let request = SyncGroupRequest {
            group_id: group.clone(),
            generation_id: self.claim.generation,
            member_id: self.claim.member.clone(),
            group_instance_id: self.claim.instance.clone(),
            protocol_type: says.then(|| PROTOCOL_TYPE.to_owned()),
            protocol_name: says.then(|| round.protocol.clone()),
            assignments: parts.iter().map(assignment).collect(),
        };
        let pending = Pending::Member(PendingCall::Sync(call, round.protocol.clone()));
        around.ask_group(call, &group, GroupAsk::Sync { claim: self.claim.clone(), parts });
        caller.request(ApiKey::SYNC_GROUP, version, &request, Some(pending))
    }

    pub(super) fn heartbeat(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let version = self.version(around, INSTANCE_VERSION, 4);
        self.beats_at = around.now_micros + self.life().session_ms * 250;
        heartbeat(caller, &self.life().group.clone(), &self.claim, version, around)
    }

    pub(super) fn leave(&mut self, caller: Caller<'_>, around: &mut Surroundings<'_>) -> Bytes {
        let version = self.version(around, INSTANCE_VERSION, 5);
        let group = self.life().group.clone();
        leave(caller, &group, vec![self.claim.clone()], version, around)
    }

    /// The broker has answered.
    pub(in crate::client) fn answered(
        &mut self,
        pending: PendingCall,
        answer: &Answer,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let is_dead = self.life.is_none();
        match pending {
            PendingCall::Find(key) => {
                match found(&key, answer)? {
                    0 => self.knows_coordinator = true,
                    error => self.heed_coordinator(error, around),
                }
                Ok(())
            }
            PendingCall::Join(call) => {
                let response: JoinGroupResponse = answer.read()?;
                tell_joined(call, &response, around);
                if is_dead { Ok(()) } else { self.joined(response, around) }
            }
            PendingCall::Sync(call, protocol) => {
                let response: SyncGroupResponse = answer.read()?;
                let error = response.error_code.0;
                tell_synced(call, &response, around);
                if is_dead {
                    return Ok(());
                }
                if error != 0 {
                    return self.refused(error, around);
                }
                self.synced(&response, &protocol, answer.version, around)
            }
            PendingCall::Heartbeat(call) => {
                let error = told_heartbeat(call, answer, around)?;
                if is_dead {
                    return Ok(());
                }
                if error != 0 {
                    return self.refused(error, around);
                }
                self.proven.is_alive = true;
                Ok(())
            }
            PendingCall::Leave(call) => {
                let error = told_leave(call, answer, around)?;
                if is_dead {
                    return Ok(());
                }
                match error {
                    0 | UNKNOWN_MEMBER | FENCED => {
                        self.forget_membership();
                        if self.goal == Goal::Go {
                            self.stage = Stage::Gone;
                        } else {
                            let most = self.life().session_ms * 500;
                            let pause = around.decisions.below(Purpose::Group, most);
                            self.sleeps_until = around.now_micros + pause;
                        }
                        Ok(())
                    }
                    error => self.refused(error, around),
                }
            }
        }
    }

    fn joined(
        &mut self,
        response: JoinGroupResponse,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        match response.error_code.0 {
            0 => {}
            MEMBER_ID_REQUIRED
                if self.claim.member.is_empty() && !response.member_id.is_empty() =>
            {
                self.claim.member = response.member_id;
                return Ok(());
            }
            error => return self.refused(error, around),
        }
        let JoinGroupResponse { generation_id, protocol_name, leader, member_id, .. } = response;
        if member_id.is_empty() {
            return Err("a member without an id has joined".to_owned());
        }
        let is_leader = leader == member_id;
        if !is_leader && !response.members.is_empty() {
            return Err(format!("{member_id} is told of the others, {leader} leads"));
        }
        (self.claim.generation, self.claim.member) = (generation_id, member_id);
        let told = |member: klamm_core::api::join_group::JoinGroupResponseMember| ToldMember {
            id: member.member_id,
            instance: member.group_instance_id,
            says: member.metadata,
        };
        // A leader that is to leave all as it is asks for its part like everybody.
        let is_told = !response.skip_assignment;
        let members = response.members.into_iter().filter(|_| is_told).map(told).collect();
        let protocol = protocol_name.unwrap_or_default();
        self.stage = Stage::Syncing(Round { protocol, members });
        Ok(())
    }

    fn synced(
        &mut self,
        response: &SyncGroupResponse,
        protocol: &str,
        version: i16,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let spoken = response.protocol_name.as_deref();
        if version >= SYNC_PROTOCOL_VERSION && spoken != Some(protocol) {
            return Err(format!("the group speaks {spoken:?}, JoinGroup said {protocol}"));
        }
        let part = decode_part(&response.assignment)
            .ok_or_else(|| format!("no leader says {:?}", response.assignment))?;
        self.stage = Stage::Steady;
        self.proven = super::Proven::default();
        self.beats_at = around.now_micros + self.life().session_ms * 250;
        self.acts_at = around.now_micros;
        if self.take_part(&part, protocol) {
            self.join_again();
        }
        Ok(())
    }

    /// What follows from an error; one of its own says what no broker may answer.
    pub(super) fn refused(
        &mut self,
        error: i16,
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        match error {
            REBALANCING => self.join_again(),
            ILLEGAL_GENERATION => {
                self.claim.generation = -1;
                self.positions.clear();
                self.join_again();
            }
            // Its session has ended; and the group may have been deleted then.
            UNKNOWN_MEMBER | GROUP_ID_NOT_FOUND => self.forget_membership(),
            // Another has its place: it comes back as what it was.
            FENCED => {
                self.forget_membership();
                self.rest(around);
                // Of two that live, who hears of the other goes in the end: they would take turns for ever.
                if self.goal == Goal::Settle && around.options.twins == 1 {
                    self.stage = Stage::Gone;
                }
            }
            GROUP_IS_FULL => {
                self.forget_membership();
                self.proven.is_turned_away = true;
                self.rest(around);
            }
            INCONSISTENT_PROTOCOL => {
                self.forget_membership();
                self.rest(around);
            }
            error => {
                let is_of_coordinator = [LOADING, NOT_AVAILABLE, NOT_COORDINATOR, STORAGE_ERROR];
                if error == UNKNOWN_SERVER_ERROR || !is_of_coordinator.contains(&error) {
                    return Err(format!("error {error} for {:?}", self.claim));
                }
                self.heed_coordinator(error, around);
            }
        }
        Ok(())
    }

    fn rest(&mut self, around: &mut Surroundings<'_>) {
        let most = self.life().session_ms * 1000;
        self.sleeps_until = around.now_micros + around.decisions.below(Purpose::Group, most);
    }

    /// The coordinator is not there, or not yet.
    pub(super) fn heed_coordinator(&mut self, error: i16, around: &mut Surroundings<'_>) {
        if error != LOADING {
            self.knows_coordinator = false;
        }
        let pause = around.decisions.between(Purpose::Group, 1_000, 50_000);
        self.sleeps_until = around.now_micros + pause;
    }
}

/// What the leader gives everybody; nothing of anybody else.
fn parts_of(round: &Round, tag: u64, around: &Surroundings<'_>) -> Vec<(String, Bytes)> {
    let said = |member: &ToldMember| Some((member.id.clone(), Subscription::decode(&member.says)?));
    let members: BTreeMap<String, Subscription> = round.members.iter().filter_map(said).collect();
    let lasting = around.topics.iter().filter(|topic| !is_passing(&topic.name));
    let topics: Vec<(String, i32)> =
        lasting.map(|topic| (topic.name.clone(), topic.partitions)).collect();
    let assignor = Assignor::named(&round.protocol).unwrap_or(Assignor::Range);
    let parts = assignor.assign(&members, &topics);
    parts.into_iter().map(|(id, part)| (id, encode_part(&part, tag))).collect()
}

/// Asks who coordinates a group.
pub(in crate::client) fn find(
    caller: Caller<'_>,
    group: String,
    around: &mut Surroundings<'_>,
) -> Bytes {
    let version = around.decisions.between(Purpose::Group, 0, 6) as i16;
    let mut request = FindCoordinatorRequest::default();
    if version >= KEYS_VERSION {
        request.coordinator_keys.push(group.clone());
    } else {
        request.key.clone_from(&group);
    }
    let pending = Pending::Member(PendingCall::Find(group));
    caller.request(ApiKey::FIND_COORDINATOR, version, &request, Some(pending))
}

/// The error, or 0 for the one broker that there is.
pub(in crate::client) fn found(key: &str, answer: &Answer) -> Result<i16, String> {
    let response: FindCoordinatorResponse = answer.read()?;
    let (error, node, named) = if answer.version >= KEYS_VERSION {
        let [told] = &response.coordinators[..] else {
            return Err(format!("{} coordinators of one group", response.coordinators.len()));
        };
        (told.error_code.0, told.node_id, told.key.as_str())
    } else {
        (response.error_code.0, response.node_id, key)
    };
    match error {
        0 if node == NODE_ID && named == key => Ok(0),
        LOADING | NOT_AVAILABLE | NOT_COORDINATOR => Ok(error),
        _ => Err(format!("error {error}, node {node} coordinates {named}")),
    }
}

pub(in crate::client) fn heartbeat(
    caller: Caller<'_>,
    group: &str,
    claim: &Claim,
    version: i16,
    around: &mut Surroundings<'_>,
) -> Bytes {
    let call = around.history.next_call();
    let request = HeartbeatRequest {
        group_id: group.to_owned(),
        generation_id: claim.generation,
        member_id: claim.member.clone(),
        group_instance_id: claim.instance.clone(),
    };
    around.ask_group(call, group, GroupAsk::Heartbeat { claim: claim.clone() });
    let pending = Pending::Member(PendingCall::Heartbeat(call));
    caller.request(ApiKey::HEARTBEAT, version, &request, Some(pending))
}

pub(in crate::client) fn leave(
    caller: Caller<'_>,
    group: &str,
    claims: Vec<Claim>,
    version: i16,
    around: &mut Surroundings<'_>,
) -> Bytes {
    let call = around.history.next_call();
    let mut request = LeaveGroupRequest { group_id: group.to_owned(), ..Default::default() };
    if version < INSTANCE_VERSION as i16 {
        request.member_id = claims.first().map(|claim| claim.member.clone()).unwrap_or_default();
    } else {
        let identity = |claim: &Claim| MemberIdentity {
            member_id: claim.member.clone(),
            group_instance_id: claim.instance.clone(),
            ..MemberIdentity::default()
        };
        request.members = claims.iter().map(identity).collect();
    }
    around.ask_group(call, group, GroupAsk::Leave { claims });
    let pending = Pending::Member(PendingCall::Leave(call));
    caller.request(ApiKey::LEAVE_GROUP, version, &request, Some(pending))
}

pub(in crate::client) fn told_heartbeat(
    call: CallId,
    answer: &Answer,
    around: &mut Surroundings<'_>,
) -> Result<i16, String> {
    let response: HeartbeatResponse = answer.read()?;
    let error = response.error_code.0;
    around.told_group(call, if error == 0 { GroupTold::Done } else { GroupTold::Error(error) });
    Ok(error)
}

/// The first error, of the whole or of a member.
pub(in crate::client) fn told_leave(
    call: CallId,
    answer: &Answer,
    around: &mut Surroundings<'_>,
) -> Result<i16, String> {
    let response: LeaveGroupResponse = answer.read()?;
    let of_members = response.members.iter().map(|member| member.error_code.0);
    let mut errors = std::iter::once(response.error_code.0).chain(of_members);
    let error = errors.find(|error| *error != 0).unwrap_or(0);
    around.told_group(call, if error == 0 { GroupTold::Done } else { GroupTold::Error(error) });
    Ok(error)
}

pub(in crate::client) fn tell_synced(
    call: CallId,
    response: &SyncGroupResponse,
    around: &mut Surroundings<'_>,
) {
    let error = response.error_code.0;
    let synced = GroupTold::Synced { part: response.assignment.clone() };
    around.told_group(call, if error == 0 { synced } else { GroupTold::Error(error) });
}

pub(in crate::client) fn tell_joined(
    call: CallId,
    response: &JoinGroupResponse,
    around: &mut Surroundings<'_>,
) {
    let error = response.error_code.0;
    let told = |member: &klamm_core::api::join_group::JoinGroupResponseMember| ToldMember {
        id: member.member_id.clone(),
        instance: member.group_instance_id.clone(),
        says: member.metadata.clone(),
    };
    let joined = GroupTold::Joined {
        generation: response.generation_id,
        member: response.member_id.clone(),
        leader: response.leader.clone(),
        protocol: response.protocol_name.clone().unwrap_or_default(),
        members: response.members.iter().map(told).collect(),
    };
    around.told_group(call, if error == 0 { joined } else { GroupTold::Error(error) });
}
