//! What committed offsets ask a group.

use alloc::string::String;

use super::{ClassicGroup, State, Work, session_key};
use crate::api::offset_commit::OffsetCommitRequest;
use crate::broker::group::context::{Context, CoordinatorRecord};
use crate::broker::group::offsets::CommittedOffset;
use crate::broker::group::shard::{ForeignGroup, Group, Shard};
use crate::config::GroupConfig;
use crate::error_code::ErrorCode;
use crate::records::OffsetsKey;

/// From here on a group that is not there is told of as such.
const NOT_FOUND_SINCE: i16 = 9;

impl Shard {
    /// Whether this may be committed. Who is no member, and names no generation, may while there are no members, or no
    /// group. A member's commit counts as a heartbeat
    /// (`OffsetMetadataManager.validateOffsetCommit`).
    pub(in crate::broker::group) fn validate_offset_commit(
        &mut self,
        context: &mut Context<'_>,
        version: i16,
        request: &OffsetCommitRequest,
    ) -> Result<(), ErrorCode> {
        let is_outside = request.generation_id_or_member_epoch < 0;
        match self.groups.get(request.group_id.as_str()) {
            Some(Group::Classic(_)) => {}
            Some(Group::Foreign(ForeignGroup::Share)) => return Err(ErrorCode::GROUP_ID_NOT_FOUND),
            Some(Group::Foreign(_)) if is_outside => return Ok(()),
            Some(Group::Foreign(_)) => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
            None if is_outside => return Ok(()),
            None if version >= NOT_FOUND_SINCE => return Err(ErrorCode::GROUP_ID_NOT_FOUND),
            None => return Err(ErrorCode::ILLEGAL_GENERATION),
        }
        match self.classic(context, &request.group_id) {
            Some((group, mut work)) => group.validate_offset_commit(&mut work, request),
            None => Ok(()),
        }
    }

    /// Whether offsets may be deleted while the group is as it is (`validateOffsetDelete`).
    pub(in crate::broker::group) fn validate_offset_delete(
        &self,
        group_id: &str,
    ) -> Result<(), ErrorCode> {
        match self.groups.get(group_id) {
            None | Some(Group::Foreign(ForeignGroup::Share)) => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            Some(Group::Foreign(_)) => Ok(()),
            Some(Group::Classic(group)) if group.state == State::Empty => Ok(()),
            Some(Group::Classic(group)) if group.speaks_consumer() => Ok(()),
            // Nobody can tell what its members read.
            Some(Group::Classic(_)) => Err(ErrorCode::NON_EMPTY_GROUP),
        }
    }

    /// Whether the group may be deleted (`validateDeleteGroup`). One of another kind stays: of its members' records
    /// nothing is known here.
    pub(in crate::broker::group) fn validate_group_delete(
        &self,
        group_id: &str,
    ) -> Result<(), ErrorCode> {
        match self.groups.get(group_id) {
            None => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            Some(Group::Classic(group)) if group.state == State::Empty => Ok(()),
            Some(_) => Err(ErrorCode::NON_EMPTY_GROUP),
        }
    }

    /// Whether a member reads the topic, as far as is known.
    pub(in crate::broker::group) fn is_subscribed(&self, group_id: &str, topic: &str) -> bool {
        match self.groups.get(group_id) {
            Some(Group::Classic(group)) => group.is_subscribed(topic),
            _ => false,
        }
    }

    /// Takes a group without members away. The caller has taken its offsets.
    pub(in crate::broker::group) fn remove_group(
        &mut self,
        context: &mut Context<'_>,
        group_id: &str,
    ) -> Result<(), ErrorCode> {
        let Some(Group::Classic(group)) = self.groups.get(group_id) else { return Ok(()) };
        debug_assert!(group.members.is_empty(), "only groups without members go");
        let key = OffsetsKey::Group(String::from(group_id)).encode();
        let tombstone = CoordinatorRecord::tombstone(key);
        if !context.fits(core::slice::from_ref(&tombstone)) {
            return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
        }
        for member in group.pending.ids() {
            self.timers.cancel(&session_key(&group.id, member));
        }
        self.groups.remove(group_id);
        context.out.append(tombstone);
        Ok(())
    }

    /// The same if it has none; nothing else would keep it (`maybeDeleteGroup`).
    pub(in crate::broker::group) fn remove_group_if_empty(
        &mut self,
        context: &mut Context<'_>,
        group_id: &str,
    ) {
        if self.validate_group_delete(group_id).is_ok() {
            // One whose tombstone is longer than a batch may be stays until it may.
            let _removed = self.remove_group(context, group_id);
        }
    }
}

impl ClassicGroup {
    /// `ClassicGroup.validateOffsetCommit`.
    fn validate_offset_commit(
        &mut self,
        work: &mut Work<'_, '_>,
        request: &OffsetCommitRequest,
    ) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        let instance_id = request.group_instance_id.as_deref();
        if generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        let is_outside = generation < 0 && request.member_id.is_empty() && instance_id.is_none();
        if is_outside && self.state != State::Empty {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.validate_member(&request.member_id, instance_id)?;
        if generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        match self.state {
            // It knows of the new generation, but what it has read is of the one before.
            State::CompletingRebalance => return Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::Stable | State::PreparingRebalance => {
                self.begin_session(work, &request.member_id);
            }
            State::Empty => {}
        }
        Ok(())
    }

    /// Whether a member reads the topic. When that cannot be read, consumers are taken to read all, others nothing
    /// (`isSubscribedToTopic`).
    pub(in crate::broker::group) fn is_subscribed(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.speaks_consumer(),
        }
    }

    /// Whether an offset has been idle for as long as it may be, if nobody reads it.
    pub(in crate::broker::group) fn is_idle(
        &self,
        committed: &CommittedOffset,
        now_ms: i64,
        config: &GroupConfig,
    ) -> bool {
        let since_ms = self.offset_idle_since_ms(committed.commit_timestamp_ms);
        since_ms.is_some_and(|since_ms| match committed.expire_timestamp_ms {
            -1 => now_ms.saturating_sub(since_ms) >= config.offsets_retention_ms,
            expire_ms => now_ms >= expire_ms,
        })
    }

    /// From when on an offset that nobody reads is idle, in milliseconds of the wall clock; `None` while it must stay
    /// (`offsetExpirationCondition`).
    ///
    /// Members that are gone may come back: their offsets are idle since the last of them left. What is committed
    /// without members, or beside them, is idle since it was committed.
    pub(super) fn offset_idle_since_ms(&self, commit_timestamp_ms: i64) -> Option<i64> {
        match (&self.protocol_type, self.state) {
            (None, _) => Some(commit_timestamp_ms),
            (Some(_), State::Empty) => Some(self.state_since_ms.unwrap_or(commit_timestamp_ms)),
            (Some(_), State::Stable) if self.speaks_consumer() && self.subscribed.is_some() => {
                Some(commit_timestamp_ms)
            }
            _ => None,
        }
    }
}
