//! The partitions of a fetch or of a session, in the order in which they are read.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;

use super::FetchId;
use super::read::Supply;
use super::session::{Extent, SessionId};
use crate::broker::image::Image;
use crate::ids::{LogId, Uuid};

/// A set of partitions, numbered by the broker; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SetId(pub(super) u64);

/// A partition's place in its set, which is its place in the order; never reused there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u64);

impl Slot {
    /// Before all others.
    pub(super) const FIRST: Self = Self(0);

    /// The one behind it, whether there is one or not.
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A topic as the request names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TopicKey {
    /// Up to version 12. The image's own text where it knows the topic.
    Name(Arc<str>),
    /// From version 13 on.
    Id(Uuid),
}

impl TopicKey {
    pub(super) fn named(name: String, image: &Image) -> Self {
        match image.topics.get_key_value(name.as_str()) {
            Some((known, _)) => Self::Name(Arc::clone(known)),
            None => Self::Name(Arc::from(name)),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Name(name) => name.len(),
            Self::Id(_) => 0,
        }
    }
}

/// A partition as the request names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PartitionKey {
    pub(super) topic: TopicKey,
    pub(super) index: i32,
}

/// What is wanted of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) offset: i64,
    pub(super) bytes_max: i32,
    /// The leader epoch that the reader knows; below 0 for none.
    pub(super) leader_epoch: i32,
    /// The epoch of the record before the offset; below 0 for none.
    pub(super) last_fetched_epoch: i32,
}

impl Wanted {
    /// So many of these bytes as are wanted at most.
    pub(super) fn limit(&self, bytes: u64) -> u64 {
        bytes.min(u64::try_from(self.bytes_max).unwrap_or(0))
    }
}

/// What a session has told of a partition (`FetchSession.CachedPartition`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) high_watermark: i64,
    pub(super) log_start: i64,
}

impl Told {
    /// Nothing yet.
    pub(super) const NOTHING: Self = Self { high_watermark: -1, log_start: -1 };
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: PartitionKey,
    pub(super) wanted: Wanted,
    pub(super) told: Told,
    /// What it had for the reader when it was last looked at.
    pub(super) supply: Supply,
    /// The log that tells it of its next move.
    pub(super) watched: Option<LogId>,
}

/// What an entry takes in memory, its watch included, about.
const ENTRY_BYTES: usize = 256;

/// Partitions to read. Each has to be looked at, or is watched, or both: a partition at whose end the
/// reader stands is looked at again when its log has moved, so that a wake-up and an incremental
/// fetch cost what has changed and not what is there.
#[derive(Debug, Default)]
pub(super) struct PartitionSet {
    entries: BTreeMap<Slot, Entry>,
    by_key: BTreeMap<PartitionKey, Slot>,
    to_look_at: BTreeSet<Slot>,
    next: u64,
    name_bytes: usize,
    /// The session that it belongs to.
    pub(super) session: Option<SessionId>,
    /// The fetch that reads it.
    pub(super) fetch: Option<FetchId>,
}

impl PartitionSet {
    /// Adds a partition at the end, or changes what is wanted of it where it stands.
    pub(super) fn put(&mut self, key: PartitionKey, wanted: Wanted) {
        if let Some(&slot) = self.by_key.get(&key) {
            if let Some(entry) = self.entries.get_mut(&slot) {
                entry.wanted = wanted;
            }
            self.to_look_at.insert(slot);
            return;
        }
        self.push(Entry {
            key,
            wanted,
            told: Told::NOTHING,
            supply: Supply::Unknown,
            watched: None,
        });
    }

    /// Takes a partition out, if it is in.
    pub(super) fn forget(&mut self, key: &PartitionKey) -> Option<(Slot, Entry)> {
        let slot = *self.by_key.get(key)?;
        Some((slot, self.remove(slot)?))
    }

    /// Takes the first partition out: for a set that is given up.
    pub(super) fn pop(&mut self) -> Option<(Slot, Entry)> {
        let slot = *self.entries.first_key_value()?.0;
        Some((slot, self.remove(slot)?))
    }

    /// Puts a partition behind all others, to be looked at; gives the log that was watched at its old
    /// place.
    pub(super) fn move_to_end(&mut self, slot: Slot) -> Option<LogId> {
        let entry = self.remove(slot)?;
        let watched = entry.watched;
        self.push(Entry { watched: None, ..entry });
        watched
    }

    /// The next partition to look at, at `from` or behind it.
    pub(super) fn next_to_look_at(&self, from: Slot) -> Option<Slot> {
        self.to_look_at.range(from..).next().copied()
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(&slot)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(&slot)
    }

    pub(super) fn look_at(&mut self, slot: Slot) {
        if self.entries.contains_key(&slot) {
            self.to_look_at.insert(slot);
        }
    }

    /// It is watched, and there is nothing to see before its log moves.
    pub(super) fn leave_alone(&mut self, slot: Slot) {
        self.to_look_at.remove(&slot);
    }

    /// Some partitions need no look: they are known, and watched.
    pub(super) fn has_left_alone(&self) -> bool {
        self.to_look_at.len() < self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What it remembers.
    pub(super) fn extent(&self) -> Extent {
        let partitions = self.entries.len();
        Extent { partitions, bytes: partitions * ENTRY_BYTES + self.name_bytes }
    }

    fn push(&mut self, entry: Entry) {
        self.next += 1;
        let slot = Slot(self.next);
        self.name_bytes += entry.key.topic.bytes();
        self.by_key.insert(entry.key.clone(), slot);
        self.to_look_at.insert(slot);
        self.entries.insert(slot, entry);
    }

    fn remove(&mut self, slot: Slot) -> Option<Entry> {
        let entry = self.entries.remove(&slot)?;
        self.by_key.remove(&entry.key);
        self.to_look_at.remove(&slot);
        self.name_bytes -= entry.key.topic.bytes();
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{PartitionKey, PartitionSet, Slot, TopicKey, Wanted};
    use crate::ids::{LogId, Uuid};

    fn key(index: i32) -> PartitionKey {
        PartitionKey { topic: TopicKey::Id(Uuid([7; 16])), index }
    }

    fn at(offset: i64) -> Wanted {
        Wanted { offset, bytes_max: 1, leader_epoch: -1, last_fetched_epoch: -1 }
    }

    fn set(indexes: &[i32]) -> PartitionSet {
        let mut set = PartitionSet::default();
        for index in indexes {
            set.put(key(*index), at(0));
        }
        set
    }

    fn to_look_at(set: &PartitionSet) -> Vec<(i32, i64)> {
        let mut from = Slot::FIRST;
        let slots = core::iter::from_fn(|| {
            let slot = set.next_to_look_at(from)?;
            from = slot.next();
            Some(slot)
        });
        slots.filter_map(|slot| set.get(slot)).map(|e| (e.key.index, e.wanted.offset)).collect()
    }

    #[test]
    fn a_partition_named_twice_keeps_its_first_place_and_its_last_offset() {
        let mut set = set(&[4, 2, 9]);
        set.put(key(4), at(7));
        assert_eq!(to_look_at(&set), [(4, 7), (2, 0), (9, 0)]);
        assert_eq!(set.extent().partitions, 3);
    }

    #[test]
    fn a_partition_left_alone_is_looked_at_when_it_is_wanted_again() {
        let mut set = set(&[1, 2]);
        let slot = set.next_to_look_at(Slot::FIRST).expect("there are two");
        set.leave_alone(slot);
        assert_eq!(to_look_at(&set), [(2, 0)]);
        set.put(key(1), at(3));
        assert_eq!(to_look_at(&set), [(1, 3), (2, 0)]);
    }

    #[test]
    fn a_partition_moves_behind_the_others() {
        let mut set = set(&[1, 2]);
        let slot = set.next_to_look_at(Slot::FIRST).expect("there are two");
        set.get_mut(slot).expect("it is there").watched = Some(LogId(5));
        assert_eq!(set.move_to_end(slot), Some(LogId(5)));
        assert_eq!(to_look_at(&set), [(2, 0), (1, 0)]);
        assert!(set.get(slot).is_none());
        set.put(key(1), at(6));
        assert_eq!(to_look_at(&set), [(2, 0), (1, 6)]);
    }

    #[test]
    fn what_is_forgotten_takes_no_memory() {
        let mut set = set(&[1]);
        set.put(PartitionKey { topic: TopicKey::Name("long".into()), index: 0 }, at(0));
        assert!(set.forget(&key(3)).is_none());
        assert!(set.forget(&key(1)).is_some());
        assert!(set.pop().is_some());
        assert!(set.is_empty() && set.pop().is_none());
        assert_eq!((set.extent().partitions, set.extent().bytes), (0, 0));
        assert!(to_look_at(&set).is_empty());
    }
}
