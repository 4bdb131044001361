//! Who is in a group.

use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;

use super::member::Member;
use super::protocols::Protocols;
use super::{ClassicGroup, State, Work, session_key};
use crate::api::join_group::JoinGroupResponse;
use crate::api::sync_group::SyncGroupResponse;
use crate::broker::group::context::Asker;
use crate::error_code::ErrorCode;
use crate::request::ResponseBody;

impl ClassicGroup {
    /// The member is there, and its instance id is its own (`ClassicGroup.validateMember`).
    pub(super) fn validate_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(id) if **id != *member_id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        if !self.members.contains_key(member_id) {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        Ok(())
    }

    /// Whether one of these protocols is supported by all who are there (`ClassicGroup.supportsProtocols`).
    pub(super) fn supports(&self, protocol_type: &str, protocols: &Protocols) -> bool {
        match self.state {
            State::Empty => !protocol_type.is_empty() && !protocols.is_empty(),
            _ => {
                self.protocol_type.as_deref() == Some(protocol_type)
                    && self.supported.have_common(protocols, self.members.len())
            }
        }
    }

    /// Adds a member whose protocols fit. The first leads, and says what the group speaks.
    pub(super) fn add(&mut self, id: Arc<str>, protocol_type: &str, mut member: Member) {
        debug_assert!(!self.members.contains_key(&id), "a member is added once");
        if self.members.is_empty() {
            self.protocol_type = Some(Arc::from(protocol_type));
        }
        if let Some(instance_id) = &member.instance_id {
            let before = self.static_members.insert(Arc::clone(instance_id), Arc::clone(&id));
            debug_assert!(before.is_none(), "one member has an instance id");
        }
        if self.leader.is_none() {
            self.leader = Some(Arc::clone(&id));
        }
        self.supported.add(&mut member.protocols);
        self.names_bytes += member.names_bytes(&id);
        self.joined += usize::from(member.joining.is_some());
        self.pending.remove(&id);
        self.members.insert(id, member);
    }

    /// Removes a member, or one that was to be (`ClassicGroup.remove`). What it waits for is answered: it may join anew.
    pub(super) fn remove(&mut self, work: &mut Work<'_, '_>, id: &str) {
        let Some((id, mut member)) = self.members.remove_entry(id) else {
            if self.pending.remove(id) {
                work.timers.cancel(&session_key(&self.id, &Arc::from(id)));
            }
            return;
        };
        work.timers.cancel(&session_key(&self.id, &id));
        self.supported.remove(&member.protocols);
        self.names_bytes -= member.names_bytes(&id);
        self.unsynced.remove(&id);
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(&id) {
            self.leader = self.members.keys().next().map(Arc::clone);
        }
        let error = ErrorCode::UNKNOWN_MEMBER_ID;
        self.answer_join(work, &mut member, refused(String::new(), error));
        work.answer_sync(&mut member, unsynced(error));
    }

    /// What a member that joins again says of itself (`ClassicGroup.updateMember`).
    pub(super) fn update(&mut self, work: &mut Work<'_, '_>, id: &str, update: Update) {
        let Some(member) = self.members.get_mut(id) else { return };
        self.supported.remove(&member.protocols);
        member.protocols = update.protocols;
        self.supported.add(&mut member.protocols);
        member.session_timeout_ms = update.session_timeout_ms;
        member.rebalance_timeout_ms = update.rebalance_timeout_ms;
        match member.joining.replace(update.asker) {
            None => self.joined += 1,
            // It asks again because it gave up on the answer; Kafka forgets to answer.
            Some(before) => {
                let response = refused(String::from(id), ErrorCode::REBALANCE_IN_PROGRESS);
                work.context.out.answer(before, ResponseBody::JoinGroup(response));
            }
        }
    }

    /// Answers a member that waits for JoinGroup.
    pub(super) fn answer_join(
        &mut self,
        work: &mut Work<'_, '_>,
        member: &mut Member,
        response: JoinGroupResponse,
    ) {
        if let Some(asker) = member.joining.take() {
            self.joined -= 1;
            work.context.out.answer(asker, ResponseBody::JoinGroup(response));
        }
    }

    /// Everybody who is there has joined, and nobody is to come (`ClassicGroup.hasAllMembersJoined`).
    pub(super) fn have_all_joined(&self) -> bool {
        self.joined == self.members.len() && self.pending.is_empty()
    }

    /// The longest that a member takes to join again.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).fold(0, i32::max)
    }
}

/// What [`ClassicGroup::update`] takes.
pub(super) struct Update {
    pub asker: Asker,
    pub protocols: Protocols,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
}

impl Work<'_, '_> {
    /// Answers a member that waits for SyncGroup; false when it does not.
    pub(super) fn answer_sync(&mut self, member: &mut Member, response: SyncGroupResponse) -> bool {
        let Some(asker) = member.syncing.take() else { return false };
        self.context.out.answer(asker, ResponseBody::SyncGroup(response));
        true
    }
}

/// A JoinGroup that is not granted.
pub(super) fn refused(member_id: String, error_code: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse { member_id, error_code, protocol_name: None, ..JoinGroupResponse::default() }
}

/// A SyncGroup that is not granted.
pub(super) fn unsynced(error_code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code, assignment: Bytes::new(), ..SyncGroupResponse::default() }
}
