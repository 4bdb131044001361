//! A bit that flips at rest, in a broker that was stopped in good order: everything on its disk is
//! known to be synced, so whatever the bit spoils is damage, and no torn write.
//!
//! In a log, the flipped batch may be refused or delivered as it lies (its checksum tells), and
//! nothing of the file may be touched. In what can be made again from logs, it does no harm at all.

use std::ops::Range;

use klamm_core::effect::Path;

use super::World;
use crate::decisions::Purpose;
use crate::disk::extension;
use crate::history::TopicPartition;
use crate::marks::Group;
use crate::metadata::Life;
use crate::reader::{batches_of, is_home_of, last_offset, target_of};

/// A damaged file.
#[derive(Debug)]
pub(super) struct Rotten {
    path: Path,
    /// As it was when the bit had flipped.
    content: Vec<u8>,
    /// Partitions that need not be served whole.
    pub(super) excused: Vec<Excuse>,
}

/// A partition that need not be served whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excuse {
    /// Which.
    pub target: TopicPartition,
    /// Behind this offset it should be whole again; -1 when nobody knows.
    pub last_offset: i64,
}

/// What may be hit.
#[derive(Clone, Debug)]
struct Victim {
    path: Path,
    /// Bytes of the file.
    bytes: Range<usize>,
}

/// Fields of a batch outside its checksum which any value may stand in: the base offset (compaction
/// leaves gaps, so a higher one is no fault) and the leader epoch.
const UNCHECKED: [Range<usize>; 2] = [0..8, 12..16];

/// The checksum itself.
const CRC: usize = 17;

/// Files of a partition that can be made again from its log.
const REBUILT: [&str; 3] = ["index", "timeindex", "snapshot"];

/// Files of a log directory.
const OF_DIRECTORY: [&str; 4] = [
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    ".kafka_cleanshutdown",
];

/// Without these, or with others, the logs of a directory may begin or end elsewhere, or be taken
/// for damaged: they have no checksums.
const TRUSTED: [&str; 2] = ["recovery-point-offset-checkpoint", "log-start-offset-checkpoint"];

impl World {
    /// Flips one bit, while the broker is down. Nothing happens where no log has records.
    pub(super) fn rot(&mut self) {
        let victims = self.victims();
        if victims.is_empty() || self.rotten.is_some() {
            return;
        }
        let Victim { path, bytes } = self.decisions.pick(Purpose::Crash, &victims).clone();
        let mut at = self.decisions.below(Purpose::Crash, bytes.len() as u64) as usize;
        let is_log = extension(&path) == "log";
        if is_log && UNCHECKED.iter().any(|field| field.contains(&at)) {
            at = CRC;
        }
        let excused = self.excused_by(&path, bytes.clone());
        let bit = self.decisions.below(Purpose::Crash, 8) as u8;
        self.disk.flip(&path, (bytes.start + at) as u64, bit);
        let position = bytes.start + at;
        self.tell(|ladder| ladder.happens(&format!("BIT FLIPPED in {path} at {position}")));
        self.marks.hit(Group::Other, "bit flipped at rest");
        self.marks.hit(Group::Rot, kind_of(&path));
        for excuse in &excused {
            self.checker.forgive(&excuse.target);
        }
        // A time index has no checksum, and searches by time and retention go by it: nothing else.
        if extension(&path) == "timeindex"
            && let Some(target) = target_of(&self.disk, &path.parent())
        {
            self.checker.forgive_times(&target);
        }
        let content = self.disk.content(&path).unwrap_or_default().to_vec();
        self.rotten = Some(Rotten { path, content, excused });
    }

    /// Batches of logs; and as far as the run's options reach, whole files that are not empty.
    fn victims(&self) -> Vec<Victim> {
        let mut victims = Vec::new();
        for (path, content) in self.disk.files() {
            let is_partition = target_of(&self.disk, &path.parent()).is_some();
            let kind = extension(&path);
            let is_small = !content.is_empty()
                && (is_partition && self.current.rot_reach > 0 && REBUILT.contains(&kind)
                    || self.current.rot_reach > 1 && OF_DIRECTORY.contains(&path.name()));
            if is_partition && kind == "log" {
                let batches = batches_of(content).into_iter();
                victims.extend(batches.map(|bytes| Victim { path: path.clone(), bytes }));
            } else if is_small {
                victims.push(Victim { path, bytes: 0..content.len() });
            }
        }
        victims
    }

    /// Whom a flip in these bytes of a file excuses.
    fn excused_by(&self, path: &Path, bytes: Range<usize>) -> Vec<Excuse> {
        let target = target_of(&self.disk, &path.parent());
        if let Some(target) = target.filter(|_| extension(path) == "log") {
            let content = self.disk.content(path).unwrap_or_default();
            let last_offset = content.get(bytes).map_or(-1, last_offset);
            return vec![Excuse { target, last_offset }];
        }
        if !TRUSTED.contains(&path.name()) {
            return Vec::new();
        }
        let directory = path.parent();
        let files = self.disk.files().into_iter();
        let inside = files.filter(|(file, _)| file.parent().parent() == directory);
        let mut targets: Vec<TopicPartition> =
            inside.filter_map(|(file, _)| target_of(&self.disk, &file.parent())).collect();
        targets.dedup();
        targets.into_iter().map(|target| Excuse { target, last_offset: -1 }).collect()
    }

    /// True when nobody can tell how old a segment is: its time index is damaged.
    pub(super) fn is_age_unknown(&self, segment: &Path) -> bool {
        let stem = segment.as_str().strip_suffix(".log");
        let damaged =
            self.rotten.as_ref().and_then(|rotten| rotten.path.as_str().strip_suffix(".timeindex"));
        stem.is_some() && stem == damaged
    }

    /// Those that need not be served whole.
    pub(super) fn excused(&self) -> &[Excuse] {
        self.rotten.as_ref().map_or(&[], |rotten| &rotten.excused)
    }

    /// True when this partition is damaged: it may be offline.
    pub(super) fn is_rotten(&self, partition: &str) -> bool {
        self.excused().iter().any(|excuse| excuse.target.directory() == partition)
    }

    /// The broker has started: whether it has found the damage in a log or not, it has left it for a
    /// person to judge. What it does not serve for it, it names.
    pub(super) fn check_rot(&mut self) {
        let Some(Rotten { path, content, excused }) = &self.rotten else { return };
        if extension(path) != "log" {
            return;
        }
        let partition = path.parent().name().to_owned();
        // Administrators too may have let retention take it, or have deleted the topic.
        let may_go = |excuse: &Excuse| {
            self.retention_applies(excuse.target.name())
                || self.checker.life(&excuse.target) != Life::Sure
        };
        let deletes = self.current.delete_per_mille > 0 || excused.iter().any(may_go);
        // Another topic of the name has a log of its own there.
        let directory = path.parent();
        let of_another =
            excused.iter().any(|excuse| !is_home_of(&self.disk, &directory, &excuse.target));
        let is_there = match self.disk.content(path).filter(|_| !of_another) {
            Some(now) => now.starts_with(content),
            None => deletes,
        };
        let reason = self.offline.get(&partition);
        let message = match reason {
            _ if !is_there => {
                format!("{path} was changed though it is damaged below its synced end")
            }
            Some(reason) if !reason.contains(path.name()) => {
                format!("{partition} is offline, and not for {path}: {reason}")
            }
            reason => {
                let name = if reason.is_some() { "damage found" } else { "damage not looked at" };
                self.marks.hit(Group::Other, name);
                return;
            }
        };
        if !self.process.as_ref().is_some_and(|process| process.disk_failed) {
            self.fail(message);
        }
    }
}

fn kind_of(path: &Path) -> &'static str {
    let kind = extension(path);
    let mut names = ["log"].iter().chain(&REBUILT).chain(&OF_DIRECTORY);
    names.find(|name| **name == kind || **name == path.name()).unwrap_or(&"another file")
}
