//! One partition of `__consumer_offsets`: its groups and the offsets that they committed.
//!
//! A pure machine below the broker: requests, replayed records and time come in, records and answers go out
//! (`GroupCoordinatorShard`).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use bytes::Bytes;

use super::classic::ClassicGroup;
use super::context::Context;
use super::offsets::{CommittedOffset, Offsets};
use super::timers::{TimerKey, Timers};
use crate::records::{OffsetCommitValue, OffsetsKey, RecordError};
use crate::time::Instant;

/// The state of one partition of `__consumer_offsets`.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    pub(super) offsets: Offsets,
    pub(super) timers: Timers,
}

/// A group, by its protocol. A group may change its kind (KIP-848).
#[derive(Debug)]
pub(in crate::broker) enum Group {
    /// Members agree among themselves.
    Classic(Box<ClassicGroup>),
    /// Of a kind that is not served here: what Kafka wrote of it stays in the log.
    Foreign(ForeignGroup),
}

/// The kind of a group that is not served here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum ForeignGroup {
    /// KIP-848.
    Consumer,
    /// KIP-932.
    Share,
    /// KIP-1071.
    Streams,
}

impl Shard {
    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(in crate::broker) fn deadline(&self) -> Option<Instant> {
        self.timers.deadline()
    }

    /// One deadline that has passed; false when none has.
    pub(in crate::broker) fn handle_timeout(&mut self, context: &mut Context<'_>) -> bool {
        let Some(key) = self.timers.pop(context.now.mono) else { return false };
        match key {
            TimerKey::Session { group, member } => self.end_session(context, &group, &member),
            TimerKey::Join { group } => self.end_join(context, &group),
            TimerKey::Sync { group } => self.end_sync(context, &group),
        }
        true
    }

    /// What a group has committed of a partition.
    #[cfg(test)]
    pub(crate) fn offset(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        self.offsets.get(group, topic, partition).map(|committed| committed.offset)
    }

    /// Takes a record of the log, at `offset`; one of a transaction with its producer's id.
    pub(crate) fn replay(
        &mut self,
        offset: i64,
        transaction: Option<i64>,
        key: &Bytes,
        value: Option<&Bytes>,
    ) -> Result<(), RecordError> {
        match OffsetsKey::decode(key)? {
            OffsetsKey::Offset { group, topic, partition } => {
                let name = (group.as_str(), topic.as_str(), partition);
                let value = value.map(OffsetCommitValue::decode).transpose()?;
                self.replay_offset(offset, transaction, name, value);
            }
            OffsetsKey::Group(group) => self.replay_group(&group, value)?,
            OffsetsKey::Other { key_type, group } => {
                self.replay_foreign(key_type, &group, value.is_some());
            }
        }
        Ok(())
    }

    /// The marker of a transaction's end.
    pub(crate) fn replay_marker(&mut self, producer_id: i64, is_commit: bool) {
        self.offsets.end_transaction(producer_id, is_commit);
    }

    fn replay_offset(
        &mut self,
        record_offset: i64,
        transaction: Option<i64>,
        (group, topic, partition): (&str, &str, i32),
        value: Option<OffsetCommitValue>,
    ) {
        let Some(value) = value else {
            self.offsets.remove(group, topic, partition);
            return;
        };
        // Whoever commits without being a member makes a group of its own.
        self.ensure_group(group);
        let committed = CommittedOffset::from_record(value, record_offset);
        match transaction {
            None => self.offsets.put(group, topic, partition, committed),
            Some(id) => self.offsets.put_pending(id, (group, topic, partition), committed),
        }
    }

    fn replay_foreign(&mut self, key_type: i16, group: &str, is_there: bool) {
        /// `ConsumerGroupMetadata`, `ShareGroupMetadata`, `StreamsGroupMetadata`: their tombstones end a group.
        const ENDS: [i16; 3] = [3, 11, 17];
        let kind = match key_type {
            3..=8 | 16 => ForeignGroup::Consumer,
            9..=15 => ForeignGroup::Share,
            _ => ForeignGroup::Streams,
        };
        if is_there {
            self.groups.insert(Arc::from(group), Group::Foreign(kind));
        } else if ENDS.contains(&key_type)
            && matches!(self.groups.get(group), Some(Group::Foreign(_)))
        {
            self.groups.remove(group);
        }
    }

    /// Makes a simple group where there is none: no members, no protocol.
    pub(super) fn ensure_group(&mut self, group: &str) {
        if !self.groups.contains_key(group) {
            let id: Arc<str> = Arc::from(group);
            self.groups.insert(Arc::clone(&id), Group::Classic(Box::new(ClassicGroup::simple(id))));
        }
    }
}

impl CommittedOffset {
    fn from_record(value: OffsetCommitValue, record_offset: i64) -> Self {
        Self {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata,
            commit_timestamp_ms: value.commit_timestamp,
            expire_timestamp_ms: value.expire_timestamp,
            topic_id: value.topic_id,
            record_offset,
        }
    }

    pub(super) fn to_record(&self) -> OffsetCommitValue {
        OffsetCommitValue {
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata: String::from(self.metadata.as_str()),
            commit_timestamp: self.commit_timestamp_ms,
            expire_timestamp: self.expire_timestamp_ms,
            topic_id: self.topic_id,
        }
    }
}
