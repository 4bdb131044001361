//! Kafka's checkpoints of offsets, one of each kind in every log directory: written at Kafka's
//! intervals, when they have changed, and at a stop.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;

use super::directory::Found;
use super::{Broker, PartitionState, Purpose};
use crate::checkpoint::{
    CLEANER_FILE, LOG_START_FILE, OffsetCheckpoint, RECOVERY_POINT_FILE, REPLICATION_FILE,
    replace_file,
};
use crate::effect::{Completion, Effect};
use crate::ids::{DirectoryIndex, LogId};

/// Which checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OffsetsKind {
    /// `recovery-point-offset-checkpoint`: from where recovery has to look.
    RecoveryPoints,
    /// `replication-offset-checkpoint`.
    HighWatermarks,
    /// `log-start-offset-checkpoint`.
    LogStarts,
    /// `cleaner-offset-checkpoint`: up to where logs were compacted.
    Cleaned,
}

impl OffsetsKind {
    pub(super) const ALL: [Self; 4] =
        [Self::RecoveryPoints, Self::HighWatermarks, Self::LogStarts, Self::Cleaned];

    fn file_name(self) -> &'static str {
        match self {
            Self::RecoveryPoints => RECOVERY_POINT_FILE,
            Self::HighWatermarks => REPLICATION_FILE,
            Self::LogStarts => LOG_START_FILE,
            Self::Cleaned => CLEANER_FILE,
        }
    }
}

/// Where one file of one directory stands.
#[derive(Debug, Default)]
pub(super) struct OffsetsFile {
    /// A replacement is out.
    runs: bool,
    /// What the last one said.
    written: Option<String>,
    /// Partitions that are gone and may still have a line in it: a new one of the same name must not come by
    /// that.
    stale: BTreeSet<(Arc<str>, i32)>,
    /// Those that the replacement leaves out.
    leaving: BTreeSet<(Arc<str>, i32)>,
}

impl OffsetsFile {
    /// The partition is gone.
    pub(super) fn note_stale(&mut self, topic: &Arc<str>, partition: i32) {
        self.stale.insert((Arc::clone(topic), partition));
    }

    /// True when a partition of that topic may have a line still.
    fn has_stale(&self, topic: &str) -> bool {
        let first = (Arc::from(topic), i32::MIN);
        let begins = |lines: &BTreeSet<(Arc<str>, i32)>| {
            lines.range(&first..).next().is_some_and(|(name, _)| **name == *topic)
        };
        begins(&self.stale) || begins(&self.leaving)
    }
}

impl Broker {
    /// Writes one kind in every directory where it has changed.
    pub(super) fn write_offset_checkpoints(&mut self, kind: OffsetsKind) {
        for index in 0..self.directories.len() {
            self.write_offset_checkpoint(DirectoryIndex(index as u16), kind);
        }
    }

    /// Writes a file if it has changed and none is being written.
    pub(super) fn write_offset_checkpoint(&mut self, index: DirectoryIndex, kind: OffsetsKind) {
        let directory = self.directory(index);
        if !directory.is_online() || directory.offsets[kind as usize].runs {
            return;
        }
        let checkpoint = self.offset_checkpoint(index, kind);
        let is_needed = kind != OffsetsKind::Cleaned
            || checkpoint.iter().next().is_some()
            || self.directory(index).has_file(CLEANER_FILE);
        let content = checkpoint.format();
        let directory = &mut self.directories[usize::from(index.0)];
        let file = &mut directory.offsets[kind as usize];
        if !is_needed && file.written.is_none() || file.written.as_ref() == Some(&content) {
            file.stale.clear();
            return;
        }
        file.runs = true;
        file.leaving = core::mem::take(&mut file.stale);
        file.written = Some(content.clone());
        if kind == OffsetsKind::LogStarts {
            directory.moving_starts.take_up();
        }
        let path = directory.path.join(kind.file_name());
        let operations = replace_file(&path, content, &mut self.numbering);
        self.emit(Effect::Operations(operations), Purpose::Offsets(index, kind));
    }

    pub(super) fn handle_offsets_written(
        &mut self,
        index: DirectoryIndex,
        kind: OffsetsKind,
        result: Completion,
    ) {
        if let Err(error) = result.into_result() {
            return self.fail_directory(index, &error);
        }
        let file = &mut self.directories[usize::from(index.0)].offsets[kind as usize];
        file.runs = false;
        file.leaving.clear();
        match kind {
            OffsetsKind::LogStarts => self.handle_log_starts_written(index),
            // Other logs may have been compacted meanwhile.
            OffsetsKind::Cleaned => self.write_offset_checkpoint(index, kind),
            OffsetsKind::RecoveryPoints | OffsetsKind::HighWatermarks => {}
        }
    }

    /// Whether lines of earlier topics of these names are out of the files that recovery goes by. If not, the
    /// files are written. Until they are, no record may make such a topic: a start that finds the record and
    /// not the topic's directories, which are made behind it, would take the lines for theirs.
    pub(super) fn are_free<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> bool {
        let mut are_free = true;
        for name in names {
            for index in 0..self.directories.len() {
                if self.directories[index].is_online() {
                    are_free &= self.is_free_of(DirectoryIndex(index as u16), name);
                }
            }
        }
        are_free
    }

    fn is_free_of(&mut self, index: DirectoryIndex, topic: &str) -> bool {
        let mut is_free = true;
        for kind in [OffsetsKind::RecoveryPoints, OffsetsKind::LogStarts, OffsetsKind::Cleaned] {
            if self.directory(index).offsets[kind as usize].has_stale(topic) {
                self.write_offset_checkpoint(index, kind);
            }
            is_free &= !self.directory(index).offsets[kind as usize].has_stale(topic);
        }
        is_free
    }

    /// Lines at start that are no partition's of this node.
    pub(super) fn note_stale_lines(&mut self) {
        let image = Arc::clone(&self.image);
        let is_known = |topic: &str, partition: i32| {
            image.topics.get(topic).is_some_and(|it| it.partitions.contains_key(&partition))
        };
        for directory in &mut self.directories {
            let Found { recovery_points, log_starts, cleaned, .. } = &directory.found;
            let found = [recovery_points, log_starts, cleaned];
            let kinds = [OffsetsKind::RecoveryPoints, OffsetsKind::LogStarts, OffsetsKind::Cleaned];
            for (found, kind) in found.into_iter().zip(kinds) {
                for (topic, partition, _) in found.iter().filter(|(t, p, _)| !is_known(t, *p)) {
                    directory.offsets[kind as usize].note_stale(&Arc::from(topic), partition);
                }
            }
        }
    }

    /// A log that is not loaded keeps its line. The metadata log has none, as in Kafka.
    fn offset_checkpoint(&self, index: DirectoryIndex, kind: OffsetsKind) -> OffsetCheckpoint {
        let mut checkpoint = OffsetCheckpoint::default();
        let directory = self.directory(index);
        let found = match kind {
            OffsetsKind::RecoveryPoints => Some(&directory.found.recovery_points),
            OffsetsKind::HighWatermarks => None,
            OffsetsKind::LogStarts => Some(&directory.found.log_starts),
            OffsetsKind::Cleaned => Some(&directory.found.cleaned),
        };
        let offline =
            self.partitions.iter().filter(|(_, state)| **state == PartitionState::Offline);
        for (&(topic_id, partition), _) in offline {
            let Some(topic) = self.image.topics_by_id.get(&topic_id) else { continue };
            if let Some(offset) = found.and_then(|found| found.get(&topic.name, partition)) {
                checkpoint.insert(&topic.name, partition, offset);
            }
        }
        let metadata = self.metadata_log();
        let is_partition = |id: &LogId| Some(*id) != metadata;
        for (id, live) in self.logs.iter().filter(|(id, _)| is_partition(id)) {
            if live.log.log_directory() != index {
                continue;
            }
            let offset = match kind {
                OffsetsKind::RecoveryPoints => live.log.recovery_point(),
                OffsetsKind::HighWatermarks => live.log.end(self.level),
                OffsetsKind::Cleaned => match self.compactions.cleaned(*id) {
                    None => continue,
                    Some(offset) => offset,
                },
                OffsetsKind::LogStarts => {
                    let moving = directory.moving_starts.of(*id);
                    // A segment whose rename a crash has undone must not move the start back.
                    match moving.unwrap_or(live.log.log_start()) {
                        0 => continue,
                        start => start,
                    }
                }
            };
            checkpoint.insert(&live.topic, live.partition, offset);
        }
        checkpoint
    }
}
