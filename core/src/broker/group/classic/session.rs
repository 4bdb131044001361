//! Heartbeats, and what happens without them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::member::Member;
use super::{ClassicGroup, State, Work, session_key};
use crate::api::heartbeat::HeartbeatRequest;
use crate::broker::group::context::Context;
use crate::broker::group::shard::{Group, Shard};
use crate::error_code::ErrorCode;

impl Shard {
    /// A member is alive (`classicGroupHeartbeat`).
    pub(in crate::broker) fn heartbeat(
        &mut self,
        context: &mut Context<'_>,
        request: &HeartbeatRequest,
    ) -> ErrorCode {
        if request.group_id.is_empty() {
            return ErrorCode::INVALID_GROUP_ID;
        }
        match self.classic(context, &request.group_id) {
            Some((group, mut work)) => {
                group.heartbeat(&mut work, request).err().unwrap_or(ErrorCode::NONE)
            }
            None => ErrorCode::UNKNOWN_MEMBER_ID,
        }
    }

    /// A member's session is over, or an id that was handed out has not been used (`expireClassicGroupMemberHeartbeat`).
    pub(in crate::broker::group) fn end_session(
        &mut self,
        context: &mut Context<'_>,
        group_id: &str,
        member_id: &str,
    ) {
        if let Some((group, mut work)) = self.classic(context, group_id) {
            group.end_session(&mut work, member_id);
        }
    }

    /// After the log is loaded: sessions begin, for whoever is silent must not stay (`onLoaded`).
    pub(in crate::broker) fn begin(&mut self, context: &mut Context<'_>) {
        let Self { groups, timers, .. } = self;
        for group in groups.values_mut() {
            if let Group::Classic(group) = group {
                group.begin(&mut Work { timers: &mut *timers, context: &mut *context });
            }
        }
    }
}

impl ClassicGroup {
    fn heartbeat(
        &mut self,
        work: &mut Work<'_, '_>,
        request: &HeartbeatRequest,
    ) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        self.begin_session(work, &request.member_id);
        match self.state {
            State::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::Empty | State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    /// From now on a member has its session timeout again.
    pub(super) fn begin_session(&self, work: &mut Work<'_, '_>, member_id: &str) {
        if let Some((id, member)) = self.members.get_key_value(member_id) {
            work.set(session_key(&self.id, id), member.session_timeout_ms);
        }
    }

    fn end_session(&mut self, work: &mut Work<'_, '_>, member_id: &str) {
        if self.members.get(member_id).is_some_and(Member::is_waiting) {
            return;
        }
        let is_member = self.members.contains_key(member_id);
        if !is_member && !self.pending.contains(member_id) {
            return;
        }
        self.remove(work, member_id);
        match self.state {
            State::Empty => {}
            // Also in a first rebalance, which otherwise takes its time.
            State::PreparingRebalance if self.have_all_joined() => self.complete_join(work),
            State::PreparingRebalance => {}
            State::CompletingRebalance | State::Stable if is_member => self.prepare_rebalance(work),
            State::CompletingRebalance | State::Stable => {}
        }
    }

    fn begin(&mut self, work: &mut Work<'_, '_>) {
        let members: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for id in members {
            self.begin_session(work, &id);
        }
        let max = usize::try_from(work.context.config.members_max).unwrap_or(0);
        if self.members.len() > max {
            // The setting has changed: the first to join again stay.
            self.prepare_rebalance(work);
        }
    }
}
