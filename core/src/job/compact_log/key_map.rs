//! The last offset of each key, in bounded memory (`SkimpyOffsetMap`): 24 bytes a slot, a key by its hash alone.
//!
//! Slots are searched one after another from where the hash points to. The table is many small ones, so that it
//! grows in small steps: what is not needed is not taken, and no step needs twice the room.

use alloc::vec;
use alloc::vec::Vec;

use super::hash::KeyHash;

/// Bytes of a slot.
const SLOT_BYTES: usize = core::mem::size_of::<Slot>();
/// Tables of a large map. A small one has a single one.
const TABLES: usize = 256;
/// Slots from which on a map is large.
const LARGE_SLOTS: usize = 1 << 14;
/// Of a hundred slots of a table so many are taken before it grows.
const FULL_PERCENT: usize = 75;

/// Hashes of keys, and an offset for each.
#[derive(Debug)]
pub(super) struct KeyMap {
    tables: Vec<Table>,
    slots: usize,
    slots_max: usize,
    keys: usize,
    keys_max: usize,
}

#[derive(Clone, Debug, Default)]
struct Table {
    slots: Vec<Slot>,
    keys: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: KeyHash,
    /// -1 where there is none.
    offset: i64,
}

const FREE: Slot = Slot { hash: KeyHash(0, 0), offset: -1 };

impl KeyMap {
    /// Takes up to `bytes_max` bytes, and fills up to `load_ppm` millionths of what they could hold.
    pub(super) fn new(bytes_max: usize, load_ppm: u32) -> Self {
        let slots_max = bytes_max / SLOT_BYTES;
        let tables = if slots_max < LARGE_SLOTS { 1 } else { TABLES };
        let keys_max = slots_max as u128 * u128::from(load_ppm) / 1_000_000;
        Self {
            tables: vec![Table::default(); tables],
            slots: 0,
            slots_max,
            keys: 0,
            keys_max: keys_max as usize,
        }
    }

    /// How many keys it holds.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.keys
    }

    /// Notes the offset of a key, in the place of an earlier one. False when there is no room for the key.
    pub(super) fn put(&mut self, hash: KeyHash, offset: i64) -> bool {
        let at = self.table_of(hash);
        if let Some(slot) = self.tables[at].find_mut(hash) {
            slot.offset = offset;
            return true;
        }
        if self.keys >= self.keys_max || !self.make_room(at) {
            return false;
        }
        self.tables[at].insert(Slot { hash, offset });
        self.keys += 1;
        true
    }

    /// The offset of a key.
    pub(super) fn get(&self, hash: KeyHash) -> Option<i64> {
        self.tables[self.table_of(hash)].find(hash).map(|slot| slot.offset)
    }

    fn table_of(&self, KeyHash(_, second): KeyHash) -> usize {
        (second % self.tables.len() as u64) as usize
    }

    /// Makes sure that the table has a free slot besides one more, at which a search ends.
    fn make_room(&mut self, at: usize) -> bool {
        let table = &mut self.tables[at];
        let length = table.slots.len();
        if (table.keys + 1) * 100 <= length * FULL_PERCENT {
            return true;
        }
        let wanted = length + length / 4 + 4;
        let room = self.slots_max - self.slots;
        let grown = wanted.min(length + room);
        if grown > length {
            table.grow(grown);
            self.slots += grown - length;
        }
        table.keys + 1 < table.slots.len()
    }
}

impl Table {
    fn grow(&mut self, length: usize) {
        let old = core::mem::replace(&mut self.slots, vec![FREE; length]);
        for slot in old.into_iter().filter(|slot| slot.offset >= 0) {
            self.place(slot);
        }
    }

    fn insert(&mut self, slot: Slot) {
        self.place(slot);
        self.keys += 1;
    }

    fn place(&mut self, slot: Slot) {
        let free = self.search(|found| found.offset < 0, slot.hash);
        self.slots[free.expect("a table is never full")] = slot;
    }

    fn find(&self, hash: KeyHash) -> Option<&Slot> {
        let at = self.search(|slot| slot.offset < 0 || slot.hash == hash, hash)?;
        Some(&self.slots[at]).filter(|slot| slot.offset >= 0)
    }

    fn find_mut(&mut self, hash: KeyHash) -> Option<&mut Slot> {
        let at = self.search(|slot| slot.offset < 0 || slot.hash == hash, hash)?;
        Some(&mut self.slots[at]).filter(|slot| slot.offset >= 0)
    }

    /// The first slot that fits, from where the hash points to.
    fn search(&self, fits: impl Fn(&Slot) -> bool, KeyHash(first, _): KeyHash) -> Option<usize> {
        let length = self.slots.len();
        let start = ((u128::from(first) * length as u128) >> 64) as usize;
        (start..length).chain(0..start).find(|at| fits(&self.slots[*at]))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::super::hash::{KeyHash, KeyHasher};
    use super::{KeyMap, SLOT_BYTES};
    use crate::rng::Rng;

    #[test]
    fn map_agrees_with_a_plain_one_up_to_its_limit() {
        for (bytes_max, load_ppm) in [(24 * 50, 900_000), (24 * 40_000, 700_000), (0, 1_000_000)] {
            let mut map = KeyMap::new(bytes_max, load_ppm);
            let hasher = KeyHasher::new([3, 4]);
            let mut model = BTreeMap::new();
            let mut rng = Rng::from_seed([5; 32]);
            for offset in 0..60_000 {
                let key = rng.below(40_000).to_be_bytes();
                let known = model.contains_key(&key);
                if map.put(hasher.hash(&key), offset) {
                    model.insert(key, offset);
                } else {
                    assert!(!known, "a key that is there has its room");
                }
            }
            assert_eq!(map.len(), model.len());
            let most = bytes_max / SLOT_BYTES * load_ppm as usize / 1_000_000;
            assert!(map.len() <= most && map.len() * 10 >= most.min(30_000) * 9, "{}", map.len());
            assert!(map.slots * SLOT_BYTES <= bytes_max);
            for key in 0..40_000_u64 {
                let key = key.to_be_bytes();
                assert_eq!(map.get(hasher.hash(&key)), model.get(&key).copied());
            }
        }
    }

    #[test]
    fn keys_that_point_to_one_slot_are_told_apart() {
        let mut map = KeyMap::new(1 << 10, 1_000_000);
        for second in 0..20 {
            assert!(map.put(KeyHash(u64::MAX, second), second as i64));
        }
        assert!((0..20).all(|second| map.get(KeyHash(u64::MAX, second)) == Some(second as i64)));
        assert_eq!(map.get(KeyHash(u64::MAX, 20)), None);
    }
}
