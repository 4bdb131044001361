//! The offsets that groups have committed (`OffsetMetadataManager`).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use core::ops::Bound::{Excluded, Included, Unbounded};

use crate::ids::Uuid;

/// A committed offset, as its record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker) struct CommittedOffset {
    /// The next offset to read.
    pub offset: i64,
    /// Of the last record that was read; -1 when the client does not know.
    pub leader_epoch: i32,
    /// What the client has to say about it.
    pub metadata: String,
    /// By the broker's wall clock.
    pub commit_timestamp_ms: i64,
    /// From a client that gave it a time to live (versions up to 4); -1 for none.
    pub expire_timestamp_ms: i64,
    /// Of the topic when it was committed; zero when nobody said.
    pub topic_id: Uuid,
    /// Where its record lies in the log: of a transaction's commit and a plain one the later counts.
    pub record_offset: i64,
}

impl CommittedOffset {
    /// False when it was committed of another topic than the one with this id. The zero id is any topic's.
    pub(super) fn may_be_of(&self, topic_id: Uuid) -> bool {
        self.topic_id == topic_id || self.topic_id == Uuid::ZERO || topic_id == Uuid::ZERO
    }
}

/// A topic and a partition.
pub(super) type OffsetName = (Arc<str>, i32);

/// Of one group, by topic and partition.
pub(super) type GroupOffsets = BTreeMap<Arc<str>, BTreeMap<i32, CommittedOffset>>;

/// All offsets of a shard.
#[derive(Debug, Default)]
pub(in crate::broker) struct Offsets {
    committed: BTreeMap<Arc<str>, GroupOffsets>,
    /// Those of transactions without an end, by producer id.
    pending: BTreeMap<i64, BTreeMap<Arc<str>, GroupOffsets>>,
}

impl Offsets {
    /// Those of a group, by topic.
    pub(super) fn of_group(&self, group: &str) -> Option<&GroupOffsets> {
        self.committed.get(group)
    }

    /// Those of a group behind this one, or all.
    pub(super) fn behind(
        &self,
        group: &str,
        after: Option<&OffsetName>,
    ) -> impl Iterator<Item = (&Arc<str>, i32, &CommittedOffset)> {
        let after = after.cloned();
        let from = after.as_ref().map_or(Unbounded, |(topic, _)| Included(Arc::clone(topic)));
        let topics = self.committed.get(group).map(|it| it.range::<Arc<str>, _>((from, Unbounded)));
        topics.into_iter().flatten().flat_map(move |(topic, partitions)| {
            let from = match &after {
                Some((begun, partition)) if begun == topic => Excluded(*partition),
                _ => Unbounded,
            };
            partitions.range((from, Unbounded)).map(move |(index, it)| (topic, *index, it))
        })
    }

    /// One of them.
    pub(super) fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.committed.get(group)?.get(topic)?.get(&partition)
    }

    /// There is one, committed or pending.
    pub(super) fn contains(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.get(group, topic, partition).is_some() || self.is_pending(group, topic, partition)
    }

    pub(super) fn put(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
        committed: CommittedOffset,
    ) {
        put(&mut self.committed, group, topic, partition, committed);
    }

    /// One that a transaction will have committed when it ends well.
    pub(super) fn put_pending(
        &mut self,
        producer_id: i64,
        (group, topic, partition): (&str, &str, i32),
        committed: CommittedOffset,
    ) {
        let pending = self.pending.entry(producer_id).or_default();
        put(pending, group, topic, partition, committed);
    }

    /// Takes it away, committed or pending; false when there was none.
    pub(super) fn remove(&mut self, group: &str, topic: &str, partition: i32) -> bool {
        let mut is_removed = remove(&mut self.committed, group, topic, partition);
        for pending in self.pending.values_mut() {
            is_removed |= remove(pending, group, topic, partition);
        }
        self.pending.retain(|_, groups| !groups.is_empty());
        is_removed
    }

    /// The transaction of a producer has ended.
    pub(super) fn end_transaction(&mut self, producer_id: i64, is_commit: bool) {
        let Some(groups) = self.pending.remove(&producer_id) else { return };
        if !is_commit {
            return;
        }
        for (group, topics) in groups {
            for (topic, partitions) in topics {
                for (partition, committed) in partitions {
                    let before = self.get(&group, &topic, partition);
                    if before.is_none_or(|it| it.record_offset < committed.record_offset) {
                        self.put(&group, &topic, partition, committed);
                    }
                }
            }
        }
    }

    /// A transaction without an end commits this partition's.
    pub(super) fn is_pending(&self, group: &str, topic: &str, partition: i32) -> bool {
        let mut pending = self.pending.values().filter_map(|groups| groups.get(group)?.get(topic));
        pending.any(|partitions| partitions.contains_key(&partition))
    }

    /// Some transaction without an end commits offsets of this group.
    pub(super) fn has_pending(&self, group: &str) -> bool {
        self.pending.values().any(|groups| groups.contains_key(group))
    }

    /// Every topic and partition that a group has an offset of, committed or pending.
    pub(super) fn names(&self, group: &str) -> impl Iterator<Item = (Arc<str>, i32)> {
        let pending = self.pending.values().filter_map(|groups| groups.get(group));
        let all = self.committed.get(group).into_iter().chain(pending);
        let names: alloc::collections::BTreeSet<_> = all
            .flatten()
            .flat_map(|(topic, partitions)| {
                partitions.keys().map(|partition| (Arc::clone(topic), *partition))
            })
            .collect();
        names.into_iter()
    }
}

fn put(
    groups: &mut BTreeMap<Arc<str>, GroupOffsets>,
    group: &str,
    topic: &str,
    partition: i32,
    committed: CommittedOffset,
) {
    // Most often it is there: no name is copied.
    if let Some(partitions) = groups.get_mut(group).and_then(|topics| topics.get_mut(topic)) {
        partitions.insert(partition, committed);
        return;
    }
    let topics = groups.entry(Arc::from(group)).or_default();
    topics.entry(Arc::from(topic)).or_default().insert(partition, committed);
}

fn remove(
    groups: &mut BTreeMap<Arc<str>, GroupOffsets>,
    group: &str,
    topic: &str,
    partition: i32,
) -> bool {
    let Some(topics) = groups.get_mut(group) else { return false };
    let Some(partitions) = topics.get_mut(topic) else { return false };
    let is_removed = partitions.remove(&partition).is_some();
    if partitions.is_empty() {
        topics.remove(topic);
    }
    if topics.is_empty() {
        groups.remove(group);
    }
    is_removed
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::{CommittedOffset, Offsets};
    use crate::ids::Uuid;

    fn at(offset: i64, record_offset: i64) -> CommittedOffset {
        CommittedOffset {
            offset,
            leader_epoch: -1,
            metadata: String::new(),
            commit_timestamp_ms: 0,
            expire_timestamp_ms: -1,
            topic_id: Uuid::ZERO,
            record_offset,
        }
    }

    fn committed(offsets: &Offsets) -> Option<i64> {
        offsets.get("g", "t", 0).map(|it| it.offset)
    }

    #[test]
    fn a_transactions_offset_counts_when_it_ends_well_and_is_the_later_record() {
        let mut offsets = Offsets::default();
        offsets.put("g", "t", 0, at(1, 10));
        offsets.put_pending(7, ("g", "t", 0), at(2, 11));
        assert!(offsets.is_pending("g", "t", 0) && !offsets.is_pending("g", "t", 1));
        assert_eq!(committed(&offsets), Some(1));
        offsets.end_transaction(7, true);
        assert_eq!((committed(&offsets), offsets.has_pending("g")), (Some(2), false));

        offsets.put_pending(7, ("g", "t", 0), at(3, 12));
        offsets.put("g", "t", 0, at(4, 13));
        offsets.end_transaction(7, true);
        assert_eq!(committed(&offsets), Some(4));
        offsets.put_pending(7, ("g", "t", 0), at(5, 14));
        offsets.end_transaction(7, false);
        assert_eq!(committed(&offsets), Some(4));
    }

    #[test]
    fn what_is_removed_leaves_no_empty_names() {
        let mut offsets = Offsets::default();
        offsets.put("g", "t", 0, at(1, 10));
        offsets.put_pending(7, ("g", "t", 1), at(2, 11));
        let names: Vec<_> = offsets.names("g").map(|(_, partition)| partition).collect();
        assert_eq!(names, [0, 1]);
        assert!(offsets.remove("g", "t", 0) && offsets.remove("g", "t", 1));
        assert!(!offsets.remove("g", "t", 1));
        assert!(offsets.committed.is_empty() && offsets.pending.is_empty());
    }
}
