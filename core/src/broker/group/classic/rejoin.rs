//! JoinGroup of a member that has an id (`classicGroupJoinExistingMember`).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::join::Joiner;
use super::membership::refused;
use super::{ClassicGroup, State, Work};
use crate::api::join_group::{JoinGroupResponse, JoinGroupResponseMember};
use crate::error_code::ErrorCode;

impl ClassicGroup {
    /// The answer, or `None` when it comes later.
    pub(super) fn rejoin(
        &mut self,
        work: &mut Work<'_, '_>,
        joiner: Joiner,
    ) -> Option<JoinGroupResponse> {
        let instance_id = joiner.instance_id.as_deref();
        if self.pending.contains(&joiner.member_id) {
            if instance_id.is_some() {
                // Static members are never pending: the id is another's. Kafka fails on it.
                return Some(refused(String::new(), ErrorCode::UNKNOWN_SERVER_ERROR));
            }
            self.admit(work, Arc::from(joiner.member_id.as_str()), joiner);
            return None;
        }
        if let Err(error) = self.validate_member(&joiner.member_id, instance_id) {
            return Some(refused(joiner.member_id, error));
        }
        if self.is_current(&joiner) {
            return Some(self.round_of(&joiner.member_id));
        }
        let id = joiner.member_id.clone();
        self.update(work, &id, joiner.into_update());
        self.rebalance_or_complete(work);
        None
    }

    /// It has missed the answer, or looks whether there is a new round: nothing has changed. A leader that joins again
    /// while all is stable wants a new round, for it knows of something that is not in what members say.
    fn is_current(&self, joiner: &Joiner) -> bool {
        let is_same =
            self.members.get(&*joiner.member_id).is_some_and(|it| it.protocols == joiner.protocols);
        match self.state {
            State::CompletingRebalance => is_same,
            State::Stable => is_same && !self.is_leader(&joiner.member_id),
            State::Empty | State::PreparingRebalance => false,
        }
    }

    fn round_of(&self, member_id: &str) -> JoinGroupResponse {
        let members = match self.state {
            State::CompletingRebalance if self.is_leader(member_id) => self.told_members(),
            _ => Vec::new(),
        };
        JoinGroupResponse { members, ..self.told(member_id) }
    }

    /// What a member is told of this generation when it does not lead.
    pub(super) fn told(&self, member_id: &str) -> JoinGroupResponse {
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.as_deref().map(String::from),
            // An empty name is a null (`JoinGroupResponse`); where there is no null it is written as empty.
            protocol_name: self
                .protocol_name
                .as_deref()
                .filter(|it| !it.is_empty())
                .map(String::from),
            leader: self.leader.as_deref().map(String::from).unwrap_or_default(),
            member_id: String::from(member_id),
            ..JoinGroupResponse::default()
        }
    }

    /// What the leader is told beside that: everybody, and what they say.
    pub(super) fn told_members(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let members = self.members.iter().map(|(id, member)| JoinGroupResponseMember {
            member_id: String::from(&**id),
            group_instance_id: member.instance_id.as_deref().map(String::from),
            metadata: member.protocols.metadata(protocol),
        });
        members.collect()
    }
}
