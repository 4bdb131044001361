//! A static member that comes back without its id takes the place of what it was before (KIP-345).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::join::Joiner;
use super::member::Member;
use super::membership::{Update, refused, unsynced};
use super::{ClassicGroup, State, Work, session_key};
use crate::api::join_group::JoinGroupResponse;
use crate::error_code::ErrorCode;

/// From here on the leader can be told that it leads, and that all have their parts already (KIP-814).
const SKIP_ASSIGNMENT_SINCE: i16 = 9;

const KNOWN: &str = "an instance id leads to a member";

impl ClassicGroup {
    /// The answer, or `None` when it comes later (`updateStaticMemberThenRebalanceOrCompleteJoin`).
    pub(super) fn replace_static_member(
        &mut self,
        work: &mut Work<'_, '_>,
        before: &Arc<str>,
        id: Arc<str>,
        joiner: Joiner,
    ) -> Option<JoinGroupResponse> {
        let version = joiner.version;
        let update = joiner.into_update();
        match self.state {
            State::Stable => self.replace_while_stable(work, before, &id, version, update),
            // The leader may know the old id already, and would give the new one nothing.
            State::CompletingRebalance => {
                self.replace(work, before, &id, update);
                self.prepare_rebalance(work);
                None
            }
            State::PreparingRebalance | State::Empty => {
                self.replace(work, before, &id, update);
                self.complete_if_all_joined(work);
                None
            }
        }
    }

    /// Nobody else need join again unless the group would now agree on another protocol.
    fn replace_while_stable(
        &mut self,
        work: &mut Work<'_, '_>,
        before: &Arc<str>,
        id: &Arc<str>,
        version: i16,
        update: Update,
    ) -> Option<JoinGroupResponse> {
        let leader = self.leader.clone();
        let kept = self.members.get(before).cloned().expect(KNOWN);
        self.replace(work, before, id, update);
        if self.select_protocol() != self.protocol_name {
            self.rebalance_or_complete(work);
            return None;
        }
        let record = self.record();
        if !work.context.fits(core::slice::from_ref(&record)) {
            self.take_back(work, id, before, kept);
            let error_code = ErrorCode::UNKNOWN_SERVER_ERROR;
            return Some(JoinGroupResponse { error_code, ..self.told("") });
        }
        work.context.out.append(record);
        self.note_subscriptions();
        self.cease_joining(id);
        let is_leader = self.is_leader(id);
        if version >= SKIP_ASSIGNMENT_SINCE {
            let members = if is_leader { self.told_members() } else { Vec::new() };
            return Some(JoinGroupResponse {
                members,
                skip_assignment: is_leader,
                ..self.told(id)
            });
        }
        // The old id of the leader: it must not take itself for the leader, whose assignment would be thrown away.
        let leader = leader.as_deref().map(String::from).unwrap_or_default();
        Some(JoinGroupResponse { leader, ..self.told(id) })
    }

    /// The member goes on under the new id; whoever waits under the old one is fenced.
    fn replace(
        &mut self,
        work: &mut Work<'_, '_>,
        before: &Arc<str>,
        id: &Arc<str>,
        update: Update,
    ) {
        let mut member = self.members.remove(before).expect(KNOWN);
        work.timers.cancel(&session_key(&self.id, before));
        let error = ErrorCode::FENCED_INSTANCE_ID;
        self.answer_join(work, &mut member, refused(String::from(&**before), error));
        work.answer_sync(&mut member, unsynced(error));
        member.is_new = false;
        self.rename(before, id, member);
        self.begin_session(work, id);
        self.update(work, id, update);
    }

    /// As it was before [`replace`](Self::replace), when nobody was waiting.
    fn take_back(
        &mut self,
        work: &mut Work<'_, '_>,
        id: &Arc<str>,
        before: &Arc<str>,
        mut kept: Member,
    ) {
        let replaced = self.members.remove(id).expect(KNOWN);
        work.timers.cancel(&session_key(&self.id, id));
        self.joined -= usize::from(replaced.joining.is_some());
        self.supported.remove(&replaced.protocols);
        self.supported.add(&mut kept.protocols);
        self.rename(id, before, kept);
        self.begin_session(work, before);
    }

    fn rename(&mut self, from: &Arc<str>, to: &Arc<str>, member: Member) {
        if self.is_leader(from) {
            self.leader = Some(Arc::clone(to));
        }
        self.names_bytes += to.len();
        self.names_bytes -= from.len();
        if self.unsynced.remove(from) {
            self.unsynced.insert(Arc::clone(to));
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(Arc::clone(instance_id), Arc::clone(to));
        }
        self.members.insert(Arc::clone(to), member);
    }

    /// Its JoinGroup is answered by whoever calls.
    fn cease_joining(&mut self, id: &str) {
        let waits = self.members.get_mut(id).and_then(|member| member.joining.take());
        self.joined -= usize::from(waits.is_some());
    }
}
