//! A round: the members join, and then wait for their parts.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::member::Member;
use super::membership::unsynced;
use super::subscription::subscribed_topics;
use super::{CONSUMER, ClassicGroup, State, Work, join_key, session_key, sync_key};
use crate::api::join_group::JoinGroupResponse;
use crate::broker::group::context::Context;
use crate::broker::group::shard::Shard;
use crate::config::limits::REBALANCE_RETRY_MS_MIN;
use crate::error_code::ErrorCode;
use crate::request::ResponseBody;

/// The first rebalance of an empty group waits a while for more members, and again when some came, in all as long as
/// a rebalance may take (KIP-134).
#[derive(Debug)]
pub(super) struct InitialRebalance {
    /// What it waits now.
    delay_ms: i32,
    /// What it may wait then.
    remaining_ms: i32,
    /// Somebody came since it waits.
    pub has_grown: bool,
}

impl Shard {
    /// The time for members to join is over.
    pub(in crate::broker::group) fn end_join(&mut self, context: &mut Context<'_>, group_id: &str) {
        if let Some((group, mut work)) = self.classic(context, group_id) {
            group.end_join(&mut work);
        }
    }

    /// The time for members to ask for their parts is over.
    pub(in crate::broker::group) fn end_sync(&mut self, context: &mut Context<'_>, group_id: &str) {
        if let Some((group, mut work)) = self.classic(context, group_id) {
            group.end_sync(&mut work);
        }
    }
}

impl ClassicGroup {
    /// Something has changed: a new round, or the end of joining in the one that goes on
    /// (`maybePrepareRebalanceOrCompleteJoin`).
    pub(super) fn rebalance_or_complete(&mut self, work: &mut Work<'_, '_>) {
        match self.state {
            State::PreparingRebalance => self.complete_if_all_joined(work),
            _ => self.prepare_rebalance(work),
        }
    }

    /// Begins a round (`prepareRebalance`).
    pub(super) fn prepare_rebalance(&mut self, work: &mut Work<'_, '_>) {
        if self.state == State::CompletingRebalance {
            self.take_assignments(work, ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.unsynced.clear();
        work.timers.cancel(&sync_key(&self.id));
        let is_initial = self.state == State::Empty;
        self.enter(State::PreparingRebalance, work.context.now.wall_ms);
        if is_initial {
            let delay_ms = work.context.config.initial_rebalance_delay_ms.max(0);
            let remaining_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
            self.wait_for_more(work, delay_ms, remaining_ms);
        } else if self.have_all_joined() {
            self.complete_join(work);
        } else {
            work.set(join_key(&self.id), self.rebalance_timeout_ms());
        }
    }

    fn wait_for_more(&mut self, work: &mut Work<'_, '_>, delay_ms: i32, remaining_ms: i32) {
        self.initial = Some(InitialRebalance { delay_ms, remaining_ms, has_grown: false });
        work.set(join_key(&self.id), delay_ms);
    }

    /// Goes on when everybody is there, but not before the time of a first rebalance (`maybeCompleteJoinPhase`).
    pub(super) fn complete_if_all_joined(&mut self, work: &mut Work<'_, '_>) {
        let is_joining = self.state == State::PreparingRebalance && self.initial.is_none();
        if is_joining && self.have_all_joined() {
            self.complete_join(work);
        }
    }

    fn end_join(&mut self, work: &mut Work<'_, '_>) {
        match &self.initial {
            Some(InitialRebalance { delay_ms, remaining_ms, has_grown: true })
                if *remaining_ms != 0 =>
            {
                let next_ms =
                    work.context.config.initial_rebalance_delay_ms.max(0).min(*remaining_ms);
                let remaining_ms = (remaining_ms - delay_ms).max(0);
                self.wait_for_more(work, next_ms, remaining_ms);
            }
            _ => self.complete_join(work),
        }
    }

    /// Goes on with those who have joined (`completeClassicGroupJoin`).
    pub(super) fn complete_join(&mut self, work: &mut Work<'_, '_>) {
        debug_assert!(self.state == State::PreparingRebalance, "only then members join");
        work.timers.cancel(&join_key(&self.id));
        self.remove_absent(work);
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Static members alone, and none of them here: their sessions end some day.
            let retry_ms = self.rebalance_timeout_ms().max(REBALANCE_RETRY_MS_MIN);
            work.set(join_key(&self.id), retry_ms);
            return;
        }
        self.initial = None;
        self.generation = self.generation.checked_add(1).unwrap_or(0);
        self.protocol_name = self.select_protocol();
        self.note_subscriptions();
        if self.members.is_empty() {
            self.become_empty(work);
        } else {
            self.enter(State::CompletingRebalance, work.context.now.wall_ms);
            self.tell_of_generation(work);
        }
    }

    /// A static member keeps its place until its session ends.
    fn remove_absent(&mut self, work: &mut Work<'_, '_>) {
        let is_absent = |member: &Member| member.joining.is_none() && member.instance_id.is_none();
        let absent = self.members.iter().filter(|(_, member)| is_absent(member));
        let absent: Vec<Arc<str>> = absent.map(|(id, _)| Arc::clone(id)).collect();
        for id in absent {
            self.remove(work, &id);
        }
    }

    /// Who leads must be here; false when nobody is (`maybeElectNewJoinedLeader`).
    fn elect_joined_leader(&mut self) -> bool {
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader));
        if leader.is_some_and(|leader| leader.joining.is_some()) {
            return true;
        }
        let joined = self.members.iter().find(|(_, member)| member.joining.is_some());
        let Some(id) = joined.map(|(id, _)| Arc::clone(id)) else { return false };
        self.leader = Some(id);
        true
    }

    pub(super) fn select_protocol(&self) -> Option<Arc<str>> {
        self.supported.select(self.members.values().map(|member| &member.protocols))
    }

    /// What the group is empty of stays in the log: its generation must not come again.
    fn become_empty(&mut self, work: &mut Work<'_, '_>) {
        self.enter(State::Empty, work.context.now.wall_ms);
        let record = self.record();
        if work.context.fits(core::slice::from_ref(&record)) {
            work.context.out.append(record);
        }
    }

    fn tell_of_generation(&mut self, work: &mut Work<'_, '_>) {
        let mut members = self.told_members();
        let told = self.told("");
        let leader = self.leader.clone();
        for (id, member) in &mut self.members {
            if let Some(asker) = member.joining.take() {
                let is_leader = leader.as_ref() == Some(id);
                let members = if is_leader { core::mem::take(&mut members) } else { Vec::new() };
                let member_id = String::from(&**id);
                let response = JoinGroupResponse { member_id, members, ..told.clone() };
                work.context.out.answer(asker, ResponseBody::JoinGroup(response));
            }
            member.is_new = false;
            work.set(session_key(&self.id, id), member.session_timeout_ms);
            self.unsynced.insert(Arc::clone(id));
        }
        self.joined = 0;
        work.set(sync_key(&self.id), self.rebalance_timeout_ms());
    }

    /// Whoever has not asked for its part goes (`expirePendingSync`).
    fn end_sync(&mut self, work: &mut Work<'_, '_>) {
        if self.unsynced.is_empty() {
            return;
        }
        for id in core::mem::take(&mut self.unsynced) {
            self.remove(work, &id);
        }
        self.prepare_rebalance(work);
    }

    /// Nobody has a part any more, and whoever waits for one is told why.
    pub(super) fn take_assignments(&mut self, work: &mut Work<'_, '_>, error: ErrorCode) {
        for (id, member) in &mut self.members {
            member.assignment = Bytes::new();
            if work.answer_sync(member, unsynced(error)) {
                work.set(session_key(&self.id, id), member.session_timeout_ms);
            }
        }
    }

    /// What consumers of this generation subscribe to (`computeSubscribedTopics`).
    pub(super) fn note_subscriptions(&mut self) {
        self.subscribed = match self.protocol_type.as_deref() {
            Some(CONSUMER) => {
                let protocol = self.protocol_name.as_deref().unwrap_or_default();
                let members = self.members.values();
                subscribed_topics(members.map(|member| member.protocols.metadata(protocol)))
            }
            _ => None,
        };
    }
}
