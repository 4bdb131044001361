//! One file: what reads see (the page cache), and what a power loss leaves (the durable part).

use std::collections::BTreeMap;

use crate::decisions::{Decisions, Purpose, splitmix};

/// The unit in which the page cache reaches the disk: a sector is written whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// A regular file.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// Content as reads see it; its length is the file's.
    cache: Vec<u8>,
    /// Content that survives; zeros follow it.
    durable: Vec<u8>,
    /// Length that survives; older or newer than the durable content.
    durable_length: u64,
    /// Sectors whose cached content is not known to be durable, with the write that last touched
    /// them.
    dirty: BTreeMap<usize, u64>,
    /// The write that last touched the file, 0 when its length is clean.
    length_dirty: u64,
    /// Ranges below the length that no write has written, in order.
    holes: Vec<(u64, u64)>,
    writes: u64,
    syncs_started: u64,
    sync_applied: u64,
    /// Milliseconds since the epoch.
    pub(super) modified_ms: i64,
}

/// What one sync covers: the file as it was when the sync began.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    number: u64,
    sectors: BTreeMap<usize, (u64, Vec<u8>)>,
    length: u64,
    length_dirty: u64,
}

impl File {
    pub(super) fn length(&self) -> u64 {
        self.cache.len() as u64
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.cache
    }

    pub(super) fn read(&self, position: u64, length: u64) -> &[u8] {
        let start = position.min(self.length()) as usize;
        let end = position.saturating_add(length).min(self.length()) as usize;
        &self.cache[start..end]
    }

    pub(super) fn write(&mut self, position: u64, data: &[u8]) {
        // As the system's own call, which leaves the length alone then.
        if data.is_empty() {
            return;
        }
        let length = self.length();
        let end = position + data.len() as u64;
        if position > length {
            self.holes.push((length, position));
        }
        if end > length {
            self.cache.resize(end as usize, 0);
        }
        self.cache[position as usize..end as usize].copy_from_slice(data);
        self.fill_holes(position, end);
        self.touch(position, end);
    }

    pub(super) fn set_length(&mut self, length: u64) {
        let (before, after) = (self.length(), length);
        self.cache.resize(length as usize, 0);
        self.holes.retain_mut(|hole| {
            hole.1 = hole.1.min(after);
            hole.0 < hole.1
        });
        self.touch(before.min(after), before.max(after));
    }

    fn touch(&mut self, start: u64, end: u64) {
        self.writes += 1;
        self.length_dirty = self.writes;
        if start < end {
            let sectors = start as usize / SECTOR_BYTES..=(end as usize - 1) / SECTOR_BYTES;
            self.dirty.extend(sectors.map(|sector| (sector, self.writes)));
        }
    }

    fn fill_holes(&mut self, start: u64, end: u64) {
        let holes = std::mem::take(&mut self.holes);
        for (from, to) in holes {
            self.holes
                .extend([(from, to.min(start)), (from.max(end), to)].iter().filter(|h| h.0 < h.1));
        }
    }

    /// True when a completed write wrote every byte of the range.
    pub(super) fn is_written(&self, start: u64, end: u64) -> bool {
        end <= self.length() && !self.holes.iter().any(|hole| hole.0 < end && start < hole.1)
    }

    /// True when a power loss now would leave the range as reads see it.
    pub(super) fn is_durable(&self, start: u64, end: u64) -> bool {
        let length_stays = self.length_dirty == 0 || end <= self.length().min(self.durable_length);
        if !self.is_written(start, end) || end > self.durable_length || !length_stays {
            return false;
        }
        let (start, end) = (start as usize, end as usize);
        // Zeros follow what is durable.
        let middle = self.durable.len().clamp(start, end);
        self.durable.get(start..middle).unwrap_or_default() == &self.cache[start..middle]
            && self.cache[middle..end].iter().all(|byte| *byte == 0)
    }

    /// A sync begins: what is dirty now, it covers.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.syncs_started += 1;
        Snapshot {
            number: self.syncs_started,
            sectors: self
                .dirty
                .iter()
                .map(|(&sector, &write)| (sector, (write, sector_of(&self.cache, sector))))
                .collect(),
            length: self.length(),
            length_dirty: self.length_dirty,
        }
    }

    /// The sync has ended well: what it covers is durable.
    pub(super) fn synced(&mut self, snapshot: Snapshot) {
        self.apply(snapshot, |_| true);
    }

    /// The sync has failed: a part of what it covers is durable, the rest is clean all the same, so
    /// that no later sync writes it.
    pub(super) fn sync_failed(&mut self, snapshot: Snapshot, decisions: &mut Decisions) {
        self.apply(snapshot, |_| decisions.below(Purpose::DiskFault, 2) == 0);
    }

    fn apply(&mut self, snapshot: Snapshot, mut reaches_disk: impl FnMut(Option<usize>) -> bool) {
        // A sync that began later and has ended covered all of this; older content must not return.
        if snapshot.number < self.sync_applied {
            return;
        }
        self.sync_applied = snapshot.number;
        for (sector, (write, content)) in snapshot.sectors {
            if reaches_disk(Some(sector)) {
                put_sector(&mut self.durable, sector, &content);
            }
            if self.dirty.get(&sector) == Some(&write) {
                self.dirty.remove(&sector);
            }
        }
        if snapshot.length_dirty != 0 && reaches_disk(None) {
            self.durable_length = snapshot.length;
        }
        if self.length_dirty == snapshot.length_dirty {
            self.length_dirty = 0;
        }
    }

    /// Makes everything durable, as files are that were there before the run.
    pub(super) fn settle(&mut self) {
        self.durable.clone_from(&self.cache);
        self.durable_length = self.length();
        self.dirty.clear();
        self.length_dirty = 0;
    }

    /// The process is gone, the page cache is not.
    pub(super) fn killed(&mut self) {
        self.holes.clear();
    }

    /// The power is gone: each sector that is not durable is kept, dropped or garbled, and the
    /// length is the old one, the new one, or one between.
    pub(super) fn power_lost(&mut self, decisions: &mut Decisions) {
        let mut content = std::mem::take(&mut self.durable);
        for &sector in self.dirty.keys() {
            let old = sector_of(&content, sector);
            let new = sector_of(&self.cache, sector);
            let left = match decisions.below(Purpose::Crash, 4) {
                0 => new,
                1 => old,
                2 => garbled(&old, &new, decisions.below(Purpose::Crash, u64::MAX)),
                _ => garbled(&old, &new, 0),
            };
            put_sector(&mut content, sector, &left);
        }
        let length = if self.length_dirty == 0 {
            self.durable_length
        } else {
            let (low, high) =
                (self.durable_length.min(self.length()), self.durable_length.max(self.length()));
            match decisions.below(Purpose::Crash, 3) {
                0 => self.length(),
                1 => self.durable_length,
                _ => decisions.between(Purpose::Crash, low, high),
            }
        };
        content.resize(length as usize, 0);
        self.cache = content;
        self.settle();
        self.holes.clear();
    }

    /// Flips one bit, in the cache and on the disk, as a medium does that decays.
    pub(super) fn flip(&mut self, position: u64, bit: u8) {
        for content in [&mut self.cache, &mut self.durable] {
            if let Some(byte) = content.get_mut(position as usize) {
                *byte ^= 1 << (bit & 7);
            }
        }
    }
}

fn sector_of(content: &[u8], sector: usize) -> Vec<u8> {
    let start = (sector * SECTOR_BYTES).min(content.len());
    let end = (start + SECTOR_BYTES).min(content.len());
    let mut bytes = content[start..end].to_vec();
    bytes.resize(SECTOR_BYTES, 0);
    bytes
}

fn put_sector(content: &mut Vec<u8>, sector: usize, bytes: &[u8]) {
    let end = (sector + 1) * SECTOR_BYTES;
    if content.len() < end {
        content.resize(end, 0);
    }
    content[sector * SECTOR_BYTES..end].copy_from_slice(bytes);
}

/// A sector whose write was cut off badly: bytes that stay the same keep their value (rewriting the
/// last sector of a log must not endanger what is durable in it), the others hold noise, or zeros
/// when `noise` is 0.
fn garbled(old: &[u8], new: &[u8], mut noise: u64) -> Vec<u8> {
    let silent = noise == 0;
    let pairs = old.iter().zip(new);
    pairs
        .map(|(&old, &new)| match (old == new, silent) {
            (true, _) => new,
            (false, true) => 0,
            (false, false) => splitmix(&mut noise) as u8,
        })
        .collect()
}
