//! A clean stop, by the same effects as everything else.
//!
//! New requests are not taken; what was accepted is written, synced and answered; the node leaves the
//! cluster by records of its own; what Kafka wants to find beside each log is written, and then the
//! checkpoints; and the clean marker is the last file of each directory in which every step went well.

use alloc::vec::Vec;

use super::metadata_log::{Change, MetadataLog};
use super::{Broker, Exit, PartitionState, Phase, Purpose};
use crate::checkpoint::{
    CleanShutdown, LOG_START_FILE, OffsetCheckpoint, RECOVERY_POINT_FILE, REPLICATION_FILE,
    replace_file,
};
use crate::effect::{Effect, Operation};
use crate::ids::{DirectoryIndex, LogId};
use crate::log::Level;

/// A stop under way: each stage begins when the effects of the one before are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shutdown {
    /// What was accepted is written and synced.
    Draining,
    /// The node leaves the cluster.
    Leaving,
    /// Indexes and producers are written, for the logs up to this one so far.
    Sealing(LogId),
    /// The checkpoints are written.
    Checkpointing,
    /// The clean markers are written, and the locks given back.
    Marking,
}

/// Kafka's checkpoints of one directory.
#[derive(Debug, Default)]
struct Offsets {
    recovery_points: OffsetCheckpoint,
    high_watermarks: OffsetCheckpoint,
    log_starts: OffsetCheckpoint,
}

impl Broker {
    pub(super) fn begin_shutdown(&mut self) {
        match self.phase {
            Phase::Stopped | Phase::Stopping(_) => {}
            // Nothing was promised yet, and recovery is crash-safe wherever it is cut.
            Phase::Starting(_) => self.stop(Exit::Clean),
            Phase::Running => {
                self.checkpoint_due = None;
                self.abandon_jobs();
                self.phase = Phase::Stopping(Shutdown::Draining);
                self.end_fetch_waits();
            }
        }
    }

    /// Takes the next step of a stop when the one before is done.
    pub(super) fn continue_shutdown(&mut self) {
        while let Phase::Stopping(stage) = self.phase {
            if !self.effects.is_empty() || self.waits.has_due() || !self.fetches.is_empty() {
                return;
            }
            match stage {
                Shutdown::Draining => {
                    self.phase = Phase::Stopping(Shutdown::Leaving);
                    self.change_metadata(Change::Leave);
                }
                Shutdown::Leaving => {
                    debug_assert!(
                        self.metadata.as_ref().is_some_and(MetadataLog::is_idle),
                        "what was written is synced when no effect is out"
                    );
                    self.seal_logs(LogId(0));
                }
                Shutdown::Sealing(next) if self.logs.range(next..).next().is_some() => {
                    self.seal_logs(next);
                }
                Shutdown::Sealing(_) => {
                    self.phase = Phase::Stopping(Shutdown::Checkpointing);
                    self.write_checkpoints();
                    self.write_offsets();
                }
                Shutdown::Checkpointing => {
                    self.phase = Phase::Stopping(Shutdown::Marking);
                    self.leave_directories();
                }
                Shutdown::Marking => self.stop(Exit::Clean),
            }
        }
    }

    /// Writes the files beside some of the logs, from `first` on: a bounded number in one turn.
    fn seal_logs(&mut self, first: LogId) {
        let mut effects = core::mem::take(&mut self.log_effects);
        let mut next = first;
        for _ in 0..self.config.limits.seals_per_turn_max {
            let Some((&id, live)) = self.logs.range_mut(next..).next() else { break };
            live.log.seal_for_stop(&mut self.numbering, &mut effects);
            self.emit_log_effects(id, effects);
            effects = core::mem::take(&mut self.log_effects);
            next = LogId(id.0 + 1);
        }
        self.log_effects = effects;
        self.phase = Phase::Stopping(Shutdown::Sealing(next));
    }

    fn write_offsets(&mut self) {
        for index in 0..self.directories.len() {
            let index = DirectoryIndex(index as u16);
            if !self.directory(index).is_online() {
                continue;
            }
            let Offsets { recovery_points, high_watermarks, log_starts } = self.offsets(index);
            let path = self.directory(index).path.clone();
            let mut operations = Vec::new();
            for (name, offsets) in [
                (RECOVERY_POINT_FILE, recovery_points),
                (REPLICATION_FILE, high_watermarks),
                (LOG_START_FILE, log_starts),
            ] {
                let file = path.join(name);
                operations.extend(replace_file(&file, offsets.format(), &mut self.numbering));
            }
            self.emit(Effect::Operations(operations), Purpose::Offsets(index));
        }
    }

    /// A log that is not loaded keeps its lines. The metadata log has none, as in Kafka.
    fn offsets(&self, index: DirectoryIndex) -> Offsets {
        let mut offsets = Offsets::default();
        let found = &self.directory(index).found;
        let offline =
            self.partitions.iter().filter(|(_, state)| **state == PartitionState::Offline);
        for (&(topic_id, partition), _) in offline {
            let Some(topic) = self.image.topics_by_id.get(&topic_id) else { continue };
            if let Some(offset) = found.recovery_points.get(&topic.name, partition) {
                offsets.recovery_points.insert(&topic.name, partition, offset);
            }
            if let Some(offset) = found.log_starts.get(&topic.name, partition) {
                offsets.log_starts.insert(&topic.name, partition, offset);
            }
        }
        let metadata = self.metadata.as_ref().map(MetadataLog::log);
        let is_partition = |id: &LogId| Some(*id) != metadata;
        for (_, live) in self.logs.iter().filter(|(id, _)| is_partition(id)) {
            if live.log.log_directory() != index {
                continue;
            }
            let (topic, partition, end) =
                (&live.topic, live.partition, live.log.end(Level::Synced));
            offsets.recovery_points.insert(topic, partition, end);
            offsets.high_watermarks.insert(topic, partition, end);
            // Below the first segment there is nothing that the name of the segment does not say.
            let base = live.log.segments().first().map_or(0, |segment| segment.base_offset);
            if live.log.log_start() > base {
                offsets.log_starts.insert(topic, partition, live.log.log_start());
            }
        }
        offsets
    }

    /// The marker makes Kafka trust every log of its directory without a look: not where a log could
    /// not be loaded. The lock file goes, as Kafka's does.
    fn leave_directories(&mut self) {
        let broker_epoch = self.image.registration.map(|last| last.broker_epoch);
        for index in 0..self.directories.len() {
            let directory = &self.directories[index];
            if !directory.is_online() {
                continue;
            }
            let (path, lock) = (directory.path.clone(), directory.lock.clone());
            let mut operations = Vec::new();
            if !directory.has_unloaded {
                let marker = CleanShutdown { broker_epoch }.format();
                let file = path.join(CleanShutdown::FILE);
                operations = replace_file(&file, marker, &mut self.numbering);
            }
            operations.push(Operation::Unlink(lock.path.clone()));
            operations.push(Operation::Close(lock));
            let purpose = Purpose::Leave(DirectoryIndex(index as u16));
            self.emit(Effect::Operations(operations), purpose);
        }
    }
}
