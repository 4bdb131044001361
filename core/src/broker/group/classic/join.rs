//! JoinGroup (`GroupCoordinatorService.joinGroup`, `GroupMetadataManager.classicGroupJoin`).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;

use super::member::Member;
use super::member_id::member_id;
use super::membership::{Update, refused};
use super::protocols::Protocols;
use super::{ClassicGroup, State, Work, session_key};
use crate::api::join_group::{JoinGroupRequest, JoinGroupResponse};
use crate::broker::group::context::{Asker, ClientDetails, Context};
use crate::broker::group::shard::{Group, Shard};
use crate::config::limits::{GROUP_MEMBERS_BYTES_MAX, NEW_MEMBER_JOIN_TIMEOUT_MS};
use crate::error_code::ErrorCode;
use crate::request::ResponseBody;

/// From here on a new member is first told its id, and joins with it (KIP-394).
const MEMBER_ID_REQUIRED_SINCE: i16 = 4;

/// Who wants to join, and what it offers.
pub(super) struct Joiner {
    pub asker: Asker,
    pub version: i16,
    pub client: ClientDetails,
    pub member_id: String,
    pub instance_id: Option<String>,
    pub protocol_type: String,
    pub protocols: Protocols,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
}

impl Shard {
    /// Answered at once, or when the members have joined.
    pub(in crate::broker) fn join_group(
        &mut self,
        context: &mut Context<'_>,
        asker: Asker,
        version: i16,
        client: ClientDetails,
        request: JoinGroupRequest,
    ) {
        let answer = match self.prepare_join(context, &request) {
            Err((member_id, error)) => Some(refused(member_id, error)),
            Ok(()) => {
                let Some((group, mut work)) = self.classic(context, &request.group_id) else {
                    return;
                };
                group.join(&mut work, Joiner::new(asker, version, client, request))
            }
        };
        if let Some(response) = answer {
            context.out.answer(asker, ResponseBody::JoinGroup(response));
        }
    }

    /// Checks what can be asked for, and makes the group of a first member. A refusal names the member, or nobody.
    fn prepare_join(
        &mut self,
        context: &mut Context<'_>,
        request: &JoinGroupRequest,
    ) -> Result<(), (String, ErrorCode)> {
        let JoinGroupRequest { group_id, member_id, .. } = request;
        let refuse = |error| Err((member_id.clone(), error));
        let session_timeouts_ms =
            context.config.session_timeout_ms_min..=context.config.session_timeout_ms_max;
        if group_id.is_empty() {
            return refuse(ErrorCode::INVALID_GROUP_ID);
        }
        if !session_timeouts_ms.contains(&request.session_timeout_ms) {
            return refuse(ErrorCode::INVALID_SESSION_TIMEOUT);
        }
        match self.groups.get(group_id.as_str()) {
            Some(Group::Classic(_)) => Ok(()),
            Some(Group::Foreign(_)) => Err((String::new(), ErrorCode::INCONSISTENT_GROUP_PROTOCOL)),
            None if !member_id.is_empty() => refuse(ErrorCode::UNKNOWN_MEMBER_ID),
            None => self.create_group(context, group_id).map_err(|error| (String::new(), error)),
        }
    }

    /// A new group is in the log before its members are, for who is told of it must find it again.
    fn create_group(&mut self, context: &mut Context<'_>, group_id: &str) -> Result<(), ErrorCode> {
        let id: Arc<str> = Arc::from(group_id);
        let mut group = ClassicGroup::simple(Arc::clone(&id));
        group.enter(State::Empty, context.now.wall_ms);
        let record = group.record();
        if !context.fits(core::slice::from_ref(&record)) {
            return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
        }
        context.out.append(record);
        self.groups.insert(id, Group::Classic(Box::new(group)));
        Ok(())
    }
}

impl Joiner {
    fn new(asker: Asker, version: i16, client: ClientDetails, request: JoinGroupRequest) -> Self {
        Self {
            asker,
            version,
            client,
            protocols: Protocols::copied(&request.protocols),
            session_timeout_ms: request.session_timeout_ms,
            // The first version has one timeout for both.
            rebalance_timeout_ms: match version {
                0 => request.session_timeout_ms,
                _ => request.rebalance_timeout_ms,
            },
            member_id: request.member_id,
            instance_id: request.group_instance_id,
            protocol_type: request.protocol_type,
        }
    }

    pub(super) fn into_update(self) -> Update {
        Update {
            asker: self.asker,
            protocols: self.protocols,
            session_timeout_ms: self.session_timeout_ms,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
        }
    }
}

impl ClassicGroup {
    /// The answer, or `None` when it comes later.
    fn join(&mut self, work: &mut Work<'_, '_>, joiner: Joiner) -> Option<JoinGroupResponse> {
        if !self.has_room_for(&joiner.member_id, work.context.config.members_max) {
            self.remove(work, &joiner.member_id);
            return Some(refused(String::new(), ErrorCode::GROUP_MAX_SIZE_REACHED));
        }
        if self.bytes_with(&joiner) > GROUP_MEMBERS_BYTES_MAX {
            return Some(refused(joiner.member_id, ErrorCode::GROUP_MAX_SIZE_REACHED));
        }
        if !self.supports(&joiner.protocol_type, &joiner.protocols) {
            return Some(refused(joiner.member_id, ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        }
        if joiner.member_id.is_empty() {
            return self.join_as_new(work, joiner);
        }
        self.rejoin(work, joiner)
    }

    /// While members join, those who have are counted: a group that is too large keeps the first
    /// (`acceptJoiningMember`).
    fn has_room_for(&self, member_id: &str, members_max: i32) -> bool {
        let max = usize::try_from(members_max).unwrap_or(0);
        let member = self.members.get(member_id);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => {
                member.is_some_and(|member| member.joining.is_some()) || self.joined < max
            }
            State::CompletingRebalance | State::Stable => {
                member.is_some() || self.members.len() < max
            }
        }
    }

    /// Bytes of all members once this one is among them. One that is there already has a name, and says something else.
    fn bytes_with(&self, joiner: &Joiner) -> usize {
        let instance_id = joiner.instance_id.as_deref().unwrap_or_default();
        let known = self.static_members.get(instance_id).map_or(&*joiner.member_id, |id| id);
        let changed = match self.members.get(known) {
            Some(member) => self.supported.bytes() - member.protocols.bytes(),
            None => {
                let name = joiner.client.client_id.len() + instance_id.len();
                self.supported.bytes() + 2 * name + joiner.member_id.len()
            }
        };
        self.names_bytes + changed + joiner.protocols.bytes()
    }

    fn join_as_new(
        &mut self,
        work: &mut Work<'_, '_>,
        joiner: Joiner,
    ) -> Option<JoinGroupResponse> {
        let name = joiner.instance_id.as_deref().unwrap_or(&joiner.client.client_id);
        let id: Arc<str> = Arc::from(member_id(name, work.context.rng.uuid()));
        let known =
            joiner.instance_id.as_deref().and_then(|it| self.static_members.get(it)).cloned();
        match known {
            Some(before) => self.replace_static_member(work, &before, id, joiner),
            None if joiner.instance_id.is_none() && joiner.version >= MEMBER_ID_REQUIRED_SINCE => {
                Some(self.hand_out(work, id, joiner.session_timeout_ms))
            }
            None => {
                self.admit(work, id, joiner);
                None
            }
        }
    }

    /// Tells a new member its id, to join with.
    fn hand_out(
        &mut self,
        work: &mut Work<'_, '_>,
        id: Arc<str>,
        session_timeout_ms: i32,
    ) -> JoinGroupResponse {
        self.pending.insert(Arc::clone(&id));
        work.set(session_key(&self.id, &id), session_timeout_ms);
        while let Some(oldest) = self.pending.pop_surplus() {
            work.timers.cancel(&session_key(&self.id, &oldest));
        }
        refused(String::from(&*id), ErrorCode::MEMBER_ID_REQUIRED)
    }

    /// Takes a member in, who then waits for the others (`addMemberThenRebalanceOrCompleteJoin`).
    pub(super) fn admit(&mut self, work: &mut Work<'_, '_>, id: Arc<str>, joiner: Joiner) {
        if let Some(initial) = &mut self.initial {
            initial.has_grown = true;
        }
        let member = Member {
            instance_id: joiner.instance_id.map(Arc::from),
            client: joiner.client,
            session_timeout_ms: joiner.session_timeout_ms,
            rebalance_timeout_ms: joiner.rebalance_timeout_ms,
            protocols: joiner.protocols,
            assignment: Bytes::new(),
            joining: Some(joiner.asker),
            syncing: None,
            is_new: true,
        };
        self.add(Arc::clone(&id), &joiner.protocol_type, member);
        // It cannot send heartbeats yet. Who has given up on the answer must not stay for ever.
        work.set(session_key(&self.id, &id), NEW_MEMBER_JOIN_TIMEOUT_MS);
        self.rebalance_or_complete(work);
    }
}
