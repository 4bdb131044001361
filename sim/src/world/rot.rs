//! A bit that flips at rest, in a log that was stopped in good order: everything in it is known to
//! be synced, so the broker must find damage there, and must not touch it.

use klamm_core::effect::Path;

use super::World;
use crate::decisions::Purpose;
use crate::history::TopicPartition;
use crate::marks::Group;
use crate::reader::batches_of;

/// A damaged file.
#[derive(Debug)]
pub(super) struct Rotten {
    pub(super) target: TopicPartition,
    path: Path,
    /// As it was when the bit had flipped.
    content: Vec<u8>,
}

/// Fields of a batch outside its checksum which any value may stand in: the base offset (compaction
/// leaves gaps, so a higher one is no fault) and the leader epoch.
const UNCHECKED: [std::ops::Range<usize>; 2] = [0..8, 12..16];

/// The checksum itself.
const CRC: usize = 17;

impl World {
    /// Flips one bit of a batch, while the broker is down. Nothing happens in logs without records.
    pub(super) fn rot(&mut self) {
        let mut batches = Vec::new();
        for (path, content) in self.disk.files() {
            let target = TopicPartition::of_directory(path.parent().name());
            let is_log = path.name().strip_suffix(".log").is_some();
            if let Some(target) = target.filter(|_| is_log) {
                let found = batches_of(content).into_iter();
                batches.extend(found.map(|batch| (target.clone(), path.clone(), batch)));
            }
        }
        if batches.is_empty() || self.rotten.is_some() {
            return;
        }
        let (target, path, batch) = self.decisions.pick(Purpose::Crash, &batches).clone();
        let mut at = self.decisions.below(Purpose::Crash, batch.len() as u64) as usize;
        if UNCHECKED.iter().any(|field| field.contains(&at)) {
            at = CRC;
        }
        let bit = self.decisions.below(Purpose::Crash, 8) as u8;
        self.disk.flip(&path, (batch.start + at) as u64, bit);
        self.marks.hit(Group::Other, "bit flipped at rest");
        self.checker.forgive(&target);
        let content = self.disk.content(&path).unwrap_or_default().to_vec();
        self.rotten = Some(Rotten { target, path, content });
    }

    /// True when this partition is damaged: it may be offline.
    pub(super) fn is_rotten(&self, partition: &str) -> bool {
        self.rotten.as_ref().is_some_and(|rotten| rotten.target.to_string() == partition)
    }

    /// The broker has started: it has found the damage, and has left it for a person to judge.
    pub(super) fn check_rot(&mut self) {
        let Some(Rotten { target, path, content }) = &self.rotten else { return };
        let message = if self.disk.content(path) != Some(content) {
            format!("{path} was changed though it is damaged below its synced end")
        } else if !self.offline.contains(&target.to_string()) {
            format!("{target} is served though {path} is damaged below its synced end")
        } else {
            self.marks.hit(Group::Other, "damage found");
            return;
        };
        if !self.process.as_ref().is_some_and(|process| process.disk_failed) {
            self.fail(message);
        }
    }
}
