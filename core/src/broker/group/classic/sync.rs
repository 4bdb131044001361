//! SyncGroup (`classicGroupSync`).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;

use super::membership::unsynced;
use super::{ClassicGroup, State, Work, session_key, sync_key};
use crate::api::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use crate::broker::group::context::{Asker, Context};
use crate::broker::group::shard::Shard;
use crate::error_code::ErrorCode;
use crate::request::ResponseBody;

/// From here on a member says what it takes the group to speak (KIP-559).
const PROTOCOL_SINCE: i16 = 5;

impl Shard {
    /// Answered at once, or when the leader has said who does what.
    pub(in crate::broker) fn sync_group(
        &mut self,
        context: &mut Context<'_>,
        asker: Asker,
        version: i16,
        request: &SyncGroupRequest,
    ) {
        let is_mute = request.protocol_type.is_none() || request.protocol_name.is_none();
        let answer = if version >= PROTOCOL_SINCE && is_mute {
            Some(unsynced(ErrorCode::INCONSISTENT_GROUP_PROTOCOL))
        } else if request.group_id.is_empty() {
            Some(unsynced(ErrorCode::INVALID_GROUP_ID))
        } else {
            match self.classic(context, &request.group_id) {
                Some((group, mut work)) => group.sync(&mut work, asker, request),
                None => Some(unsynced(ErrorCode::UNKNOWN_MEMBER_ID)),
            }
        };
        if let Some(response) = answer {
            context.out.answer(asker, ResponseBody::SyncGroup(response));
        }
    }
}

impl ClassicGroup {
    fn sync(
        &mut self,
        work: &mut Work<'_, '_>,
        asker: Asker,
        request: &SyncGroupRequest,
    ) -> Option<SyncGroupResponse> {
        if let Err(error) = self.validate_sync(request) {
            return Some(unsynced(error));
        }
        match self.state {
            State::Empty => Some(unsynced(ErrorCode::UNKNOWN_MEMBER_ID)),
            State::PreparingRebalance => Some(unsynced(ErrorCode::REBALANCE_IN_PROGRESS)),
            State::CompletingRebalance => {
                self.note_synced(work, &request.member_id);
                self.wait_for_part(work, &request.member_id, asker);
                if self.is_leader(&request.member_id) {
                    self.assign(work, &request.assignments);
                }
                None
            }
            State::Stable => {
                self.note_synced(work, &request.member_id);
                let member = self.members.get(request.member_id.as_str());
                let assignment = member.map(|member| member.assignment.clone()).unwrap_or_default();
                Some(SyncGroupResponse { assignment, ..self.synced() })
            }
        }
    }

    fn validate_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differ = |asked: &Option<String>, is: &Option<Arc<str>>| match (asked, is) {
            (Some(asked), Some(is)) => **asked != **is,
            _ => false,
        };
        if differ(&request.protocol_type, &self.protocol_type)
            || differ(&request.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        Ok(())
    }

    fn note_synced(&mut self, work: &mut Work<'_, '_>, member_id: &str) {
        self.unsynced.remove(member_id);
        if self.unsynced.is_empty() {
            work.timers.cancel(&sync_key(&self.id));
        }
    }

    fn wait_for_part(&mut self, work: &mut Work<'_, '_>, member_id: &str, asker: Asker) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if let Some(before) = member.syncing.replace(asker) {
            // It asks again because it gave up on the answer; Kafka forgets to answer.
            let response = unsynced(ErrorCode::REBALANCE_IN_PROGRESS);
            work.context.out.answer(before, ResponseBody::SyncGroup(response));
        }
    }

    /// The leader has said who does what. Of a member that comes twice the last counts; whoever is not named does
    /// nothing.
    fn assign(&mut self, work: &mut Work<'_, '_>, assignments: &[SyncGroupRequestAssignment]) {
        let parts: BTreeMap<&str, &Bytes> =
            assignments.iter().map(|part| (part.member_id.as_str(), &part.assignment)).collect();
        let part = |id: &str| parts.get(id).map(|part| (*part).clone()).unwrap_or_default();
        let record = self.record_with(|id, _| part(id));
        if !work.context.fits(core::slice::from_ref(&record)) {
            self.take_assignments(work, ErrorCode::UNKNOWN_SERVER_ERROR);
            self.rebalance_or_complete(work);
            return;
        }
        work.context.out.append(record);
        self.enter(State::Stable, work.context.now.wall_ms);
        let synced = self.synced();
        for (id, member) in &mut self.members {
            member.assignment = Bytes::copy_from_slice(&part(id));
            let response =
                SyncGroupResponse { assignment: member.assignment.clone(), ..synced.clone() };
            if work.answer_sync(member, response) {
                work.set(session_key(&self.id, id), member.session_timeout_ms);
            }
        }
    }

    /// What every member is told beside its part.
    fn synced(&self) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.as_deref().map(String::from),
            protocol_name: self.protocol_name.as_deref().map(String::from),
            ..SyncGroupResponse::default()
        }
    }
}
