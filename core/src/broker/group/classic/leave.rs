//! LeaveGroup (`classicGroupLeave`).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::{ClassicGroup, State, Work};
use crate::api::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};
use crate::broker::group::context::Context;
use crate::broker::group::shard::Shard;
use crate::error_code::ErrorCode;

/// From here on several members leave at once, and each has an error of its own.
const MEMBERS_SINCE: i16 = 3;

impl Shard {
    /// Members leave: each by its id, or a static one by its instance id alone.
    pub(in crate::broker) fn leave_group(
        &mut self,
        context: &mut Context<'_>,
        version: i16,
        request: LeaveGroupRequest,
    ) -> LeaveGroupResponse {
        let LeaveGroupRequest { group_id, member_id, members } = request;
        if group_id.is_empty() {
            let error_code = ErrorCode::INVALID_GROUP_ID;
            return LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() };
        }
        let leaving = match version {
            MEMBERS_SINCE.. => members,
            _ => vec![MemberIdentity { member_id, ..MemberIdentity::default() }],
        };
        let members = match self.classic(context, &group_id) {
            Some((group, mut work)) => group.leave(&mut work, leaving),
            None => leaving.into_iter().map(|it| left(it, ErrorCode::UNKNOWN_MEMBER_ID)).collect(),
        };
        if version >= MEMBERS_SINCE {
            return LeaveGroupResponse { members, ..LeaveGroupResponse::default() };
        }
        let error_code = members.first().map_or(ErrorCode::NONE, |member| member.error_code);
        LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }
    }
}

impl ClassicGroup {
    fn leave(
        &mut self,
        work: &mut Work<'_, '_>,
        leaving: Vec<MemberIdentity>,
    ) -> Vec<MemberResponse> {
        let mut answers = Vec::with_capacity(leaving.len());
        let mut is_changed = false;
        for identity in leaving {
            let error_code = match self.leaving_member(&identity) {
                Err(error) => error,
                Ok(id) => {
                    self.remove(work, &id);
                    is_changed = true;
                    ErrorCode::NONE
                }
            };
            answers.push(left(identity, error_code));
        }
        match self.state {
            State::PreparingRebalance if is_changed => self.complete_if_all_joined(work),
            // Kafka begins anew even when none but members to be have left.
            State::CompletingRebalance | State::Stable if is_changed => {
                self.prepare_rebalance(work);
            }
            _ => {}
        }
        answers
    }

    /// The id of who is meant.
    fn leaving_member(&self, identity: &MemberIdentity) -> Result<String, ErrorCode> {
        let MemberIdentity { member_id, group_instance_id, .. } = identity;
        let instance_id = group_instance_id.as_deref();
        if member_id.is_empty() {
            // An administrator removes a static member.
            let known = instance_id.and_then(|instance_id| self.static_members.get(instance_id));
            return known.map(|id| String::from(&**id)).ok_or(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if !self.pending.contains(member_id) {
            self.validate_member(member_id, instance_id)?;
        }
        Ok(member_id.clone())
    }
}

fn left(identity: MemberIdentity, error_code: ErrorCode) -> MemberResponse {
    let MemberIdentity { member_id, group_instance_id, .. } = identity;
    MemberResponse { member_id, group_instance_id, error_code }
}
