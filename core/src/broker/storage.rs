//! Writes and syncs: how the ends of logs move, and what a failure ends.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::wait::Wake;
use super::{Broker, PartitionState, Phase, Purpose};
use crate::checkpoint::{SyncedCheckpoint, replace_file};
use crate::config::Durability;
use crate::effect::{Completion, Effect, IoError, Path, SyncSet};
use crate::event::Event;
use crate::ids::{DirectoryIndex, EffectId, LogId};
use crate::log::Level;

use super::Output;
use super::directory::{LogDirectory, State};

impl Broker {
    pub(super) fn handle_written(&mut self, id: EffectId, log_id: LogId, result: Completion) {
        let Some(live) = self.logs.get_mut(&log_id) else {
            return self.handle_left_written(id, log_id, result);
        };
        let index = live.log.log_directory();
        if let Err(error) = result.into_result() {
            self.fail_directory(index, &error);
            return;
        }
        let mut effects = core::mem::take(&mut self.log_effects);
        let moved = live.log.handle_written(id, &mut effects);
        let written = live.log.end(Level::Written);
        let is_metadata = self.metadata.as_ref().is_some_and(|it| it.log() == log_id);
        let is_rolled = live.log.is_sync_due();
        self.emit_log_effects(log_id, effects);
        let is_due = is_metadata || is_rolled || self.has_many_unflushed(log_id);
        if moved {
            let directory = &mut self.directories[usize::from(index.0)];
            directory.dirty.insert(log_id);
            if is_due {
                directory.due.insert(log_id);
            }
            self.waits.advance(log_id, Level::Written, written);
            if self.level == Level::Written {
                self.fetches.log_moved(log_id);
            }
        }
    }

    /// Emits what a log pushed, and keeps the emptied list for the next.
    pub(super) fn emit_log_effects(&mut self, log: LogId, mut effects: Vec<(EffectId, Effect)>) {
        for (id, effect) in effects.drain(..) {
            self.emit_numbered(id, effect, Purpose::Append(log));
        }
        self.log_effects = effects;
    }

    /// One sync a directory at a time; whoever arrives while it runs shares the next. In page-cache
    /// mode only the metadata log, and a log that has rolled, are synced before the stop.
    pub(super) fn start_syncs(&mut self) {
        let stopping = matches!(self.phase, Phase::Stopping(_));
        let syncs_all = stopping || self.config.durability == Durability::Durable;
        for index in 0..self.directories.len() {
            let directory = &mut self.directories[index];
            let has_due = !directory.due.is_empty() || syncs_all && !directory.dirty.is_empty();
            if !directory.is_online() || directory.sync_runs || !has_due {
                continue;
            }
            directory.sync_runs = true;
            let due = core::mem::take(&mut directory.due);
            directory.syncing = if syncs_all {
                core::mem::take(&mut directory.dirty)
            } else {
                for log in &due {
                    directory.dirty.remove(log);
                }
                due
            };
            let mut set = SyncSet {
                directory: directory.path.clone(),
                files: Vec::new(),
                directories: Vec::new(),
            };
            for log in &directory.syncing {
                if let Some(live) = self.logs.get_mut(log) {
                    live.log.begin_sync(&mut set);
                }
            }
            self.emit(Effect::Sync(set), Purpose::Sync(DirectoryIndex(index as u16)));
        }
    }

    pub(super) fn handle_synced(&mut self, index: DirectoryIndex, result: Completion) {
        if let Err(error) = result.into_result() {
            self.fail_directory(index, &error);
            return;
        }
        let directory = &mut self.directories[usize::from(index.0)];
        directory.sync_runs = false;
        for log_id in core::mem::take(&mut directory.syncing) {
            let Some(live) = self.logs.get_mut(&log_id) else {
                self.handle_left_synced(log_id);
                continue;
            };
            let moved = live.log.handle_synced();
            self.flushes.note(log_id, self.now.mono);
            self.waits.advance(log_id, Level::Synced, live.log.end(Level::Synced));
            if moved && self.level == Level::Synced {
                self.fetches.log_moved(log_id);
            }
        }
    }

    /// The log directory fails that holds `path`.
    pub(super) fn fail_directory_of(&mut self, path: &Path, error: &IoError) {
        let within = |directory: &LogDirectory| path.is_within(&directory.path);
        if let Some(index) = self.directories.iter().position(within) {
            self.fail_directory(DirectoryIndex(index as u16), error);
        }
    }

    /// The first failure in a log directory takes it offline until the next start: what waits on it
    /// is answered, later completions are ignored, its syncs are never repeated. Its state is made
    /// anew from disk at the next start.
    pub(super) fn fail_directory(&mut self, index: DirectoryIndex, error: &IoError) {
        let directory = &mut self.directories[usize::from(index.0)];
        if directory.failure().is_some() {
            return;
        }
        directory.state = State::Offline(error.clone());
        directory.dirty.clear();
        directory.due.clear();
        directory.syncing.clear();
        let path = directory.path.clone();
        self.push(Output::Event(Event::DirectoryOffline {
            directory: path.clone(),
            error: error.clone(),
        }));
        let lost: Vec<LogId> = self
            .logs
            .iter()
            .filter(|(_, live)| live.log.log_directory() == index)
            .map(|(id, _)| *id)
            .collect();
        for log in lost {
            self.logs.remove(&log);
            self.failed_logs.insert(log);
            self.waits.end(log, Wake::Failed);
            self.fetches.log_moved(log);
            self.forget_compaction(log);
        }
        self.fail_moving_starts(index);
        self.deletions.forget_directory(index);
        self.new_logs.forget_directory(index);
        self.leaving_logs.forget_directory(index);
        for state in self.partitions.values_mut() {
            if let PartitionState::Online(log) = state
                && !self.logs.contains_key(log)
            {
                *state = PartitionState::Offline;
            }
        }
        self.drop_lost_shards();
        let none_left = self.directories.iter().all(|directory| directory.failure().is_some());
        if none_left || self.metadata_directory == Some(index) {
            self.fail(format!("log directory {path} failed: {error}"));
        }
    }

    /// Writes the synced checkpoint of each directory where it has changed.
    pub(super) fn write_checkpoints(&mut self) {
        for index in 0..self.directories.len() {
            self.write_checkpoint(DirectoryIndex(index as u16));
        }
    }

    /// Writes a directory's synced checkpoint if it has changed and none is being written.
    pub(super) fn write_checkpoint(&mut self, index: DirectoryIndex) {
        let directory = self.directory(index);
        if !directory.is_online() || directory.checkpoint_runs {
            return;
        }
        // Compared before it becomes text: most often nothing has changed since the last one.
        let checkpoint = self.synced_checkpoint(index);
        if directory.checkpointed.as_ref() == Some(&checkpoint) {
            return;
        }
        let path = directory.path.join(SyncedCheckpoint::FILE);
        let operations = replace_file(&path, checkpoint.format(), &mut self.numbering);
        let directory = &mut self.directories[usize::from(index.0)];
        directory.checkpoint_runs = true;
        directory.checkpointed = Some(checkpoint);
        self.emit(Effect::Operations(operations), Purpose::Checkpoint(index));
    }

    pub(super) fn handle_checkpointed(&mut self, index: DirectoryIndex, result: Completion) {
        self.directories[usize::from(index.0)].checkpoint_runs = false;
        if let Err(error) = result.into_result() {
            self.fail_directory(index, &error);
        }
        // A directory that failed keeps the others waiting no longer.
        self.join();
    }

    /// A partition that could not be loaded keeps its line: without it the next start would take its
    /// damage for a torn tail, and cut what was synced.
    fn synced_checkpoint(&self, index: DirectoryIndex) -> SyncedCheckpoint {
        let found = &self.directory(index).found;
        let mut checkpoint = match self.next_incarnation {
            Some(next) => SyncedCheckpoint::new(found.incarnation, Some(next)),
            None => SyncedCheckpoint::new(self.image.incarnation_id(), None),
        };
        let known = found.synced.iter();
        for (topic_id, partition, end) in known.flat_map(SyncedCheckpoint::iter) {
            if self.partitions.contains_key(&(topic_id, partition)) {
                checkpoint.insert(topic_id, Arc::clone(&end.topic), partition, end.offset);
            }
        }
        for live in self.logs.values().filter(|live| live.log.log_directory() == index) {
            let end = live.log.end(Level::Synced);
            checkpoint.insert(live.topic_id, Arc::clone(&live.topic), live.partition, end);
        }
        checkpoint
    }
}
