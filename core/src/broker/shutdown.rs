//! A clean stop, by the same effects as everything else.
//!
//! New requests are not taken; what was accepted is written, synced and answered; the node leaves the
//! cluster by records of its own; what Kafka wants to find beside each log is written, and then the
//! checkpoints; and the clean marker is the last file of each directory in which every step went well.

use alloc::vec::Vec;

use super::metadata_log::{Change, MetadataLog};
use super::offset_checkpoints::OffsetsKind;
use super::schedule::Schedule;
use super::{Broker, Exit, Phase, Purpose};
use crate::checkpoint::{CleanShutdown, replace_file};
use crate::effect::{Effect, Operation};
use crate::ids::{DirectoryIndex, LogId};

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

impl Broker {
    pub(super) fn begin_shutdown(&mut self) {
        match self.phase {
            Phase::Stopped | Phase::Stopping(_) => {}
            // Nothing was promised yet, and recovery is crash-safe wherever it is cut.
            Phase::Starting(_) => self.stop(Exit::Clean),
            Phase::Running => {
                self.checkpoint_due = None;
                self.abandon_jobs();
                self.end_group_waits();
                self.schedule = Schedule::default();
                self.compactions.leave_to_next_start();
                self.deletions.leave_to_next_start();
                self.leaving_logs.leave_to_next_start();
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
                    for kind in OffsetsKind::ALL {
                        self.write_offset_checkpoints(kind);
                    }
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

    /// The marker makes Kafka trust every log of its directory without a look: not where a log could
    /// not be loaded. The lock file goes, as Kafka's does.
    fn leave_directories(&mut self) {
        let broker_epoch = self.image.registration().map(|last| last.broker_epoch);
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
