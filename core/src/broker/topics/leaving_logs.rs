//! Logs of partitions that are no more: let go by everybody, renamed, and removed after a while
//! (`LogManager.asyncDelete`, `LogManager.deleteLogs`).
//!
//! The record is durable and the image is without the topic before anything is done to a log. Then nobody
//! new comes to it, and whoever waits for it is told. Its directory gets its other name when none of the
//! log's effects is out, so that none meets the rename; until then no topic of that name gets a directory
//! there, and none gets a record until the log's lines are out of Kafka's checkpoints, which go by names. A
//! crash before the rename leaves a stray directory, one after it what the next start removes.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::broker::directory::LogDirectory;
use crate::broker::image::Topic;
use crate::broker::wait::Wake;
use crate::broker::{Broker, LiveLog, PartitionState, Purpose};
use crate::effect::{Completion, Effect, Operation, Path};
use crate::error_code::ErrorCode;
use crate::ids::{DirectoryIndex, EffectId, FileId, LogId};
use crate::log::Log;
use crate::partition_name::deleted_name;
use crate::time::{Instant, Millis};

/// Directories that one effect renames: many should not keep a worker for long.
const RENAMES_MAX: usize = 64;
/// When a directory is looked at again in which somebody still reads: a peer may take minutes.
const READER_WAIT: Millis = Millis(1_000);

/// Logs on their way out.
#[derive(Debug, Default)]
pub(in crate::broker) struct LeavingLogs {
    /// Until their directories are renamed.
    logs: BTreeMap<LogId, LeavingLog>,
    /// Those that may have become idle.
    to_look_at: BTreeSet<LogId>,
    /// Where they lie.
    paths: BTreeSet<Path>,
    /// Logs by the effect that renames their directories, numbered here.
    renames: BTreeMap<u64, Vec<LogId>>,
    next_rename: u64,
    /// Renamed directories, by the time at which they go.
    due: BTreeMap<(Instant, LogId), LeftDirectory>,
}

#[derive(Debug)]
struct LeavingLog {
    /// `None` for one that was not loaded.
    log: Option<Log>,
    directory: DirectoryIndex,
    path: Path,
    renamed: Path,
    /// Segments that had left the log before, and may still be read.
    removed: Vec<FileId>,
    /// The rename is out.
    is_renamed: bool,
}

/// A directory that waits for its removal.
#[derive(Debug)]
struct LeftDirectory {
    directory: DirectoryIndex,
    path: Path,
    /// Those of its files that somebody read.
    read: Vec<FileId>,
}

impl LeavingLogs {
    /// When the next directory is to be removed.
    pub(in crate::broker) fn deadline(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// True while a directory of that path has not been renamed.
    pub(super) fn has_path(&self, path: &Path) -> bool {
        self.paths.contains(path)
    }

    /// The log directory is offline: its files stay as they are.
    pub(in crate::broker) fn forget_directory(&mut self, index: DirectoryIndex) {
        self.logs.retain(|_, leaving| leaving.directory != index);
        self.paths = self.logs.values().map(|leaving| leaving.path.clone()).collect();
        self.due.retain(|_, left| left.directory != index);
        // Their effects' completions are ignored.
        let logs = &self.logs;
        self.renames.retain(|_, ids| ids.iter().any(|id| logs.contains_key(id)));
    }

    /// The next start removes what is renamed.
    pub(in crate::broker) fn leave_to_next_start(&mut self) {
        self.due.clear();
    }

    fn log_mut(&mut self, id: LogId) -> Option<&mut Log> {
        self.to_look_at.insert(id);
        self.logs.get_mut(&id)?.log.as_mut()
    }
}

impl Broker {
    /// Takes the logs of a topic out of use that the image about to be seen has not.
    pub(in crate::broker) fn leave_topic(&mut self, topic: &Topic) {
        for &index in topic.partitions.keys() {
            match self.partitions.remove(&(topic.id, index)) {
                Some(PartitionState::Online(log)) => self.leave_log(log),
                Some(PartitionState::Offline) => self.leave_unloaded(&topic.name, index),
                None => {}
            }
        }
    }

    /// Whoever waits for the log is told that it is gone.
    fn leave_log(&mut self, id: LogId) {
        let Some(LiveLog { log, topic, partition, .. }) = self.logs.remove(&id) else { return };
        let index = log.log_directory();
        self.waits.end(id, Wake::Gone);
        self.fetches.log_moved(id);
        self.flushes.forget(id);
        self.leave_moving_start(index, id);
        self.forget_compaction(id);
        let removed = self.deletions.leave(id);
        self.pins.drop_held(id);
        let directory = &mut self.directories[usize::from(index.0)];
        directory.dirty.remove(&id);
        directory.due.remove(&id);
        let path = log.path().clone();
        self.add_leaving(id, Some(log), index, path, (&topic, partition), removed);
    }

    /// A partition that is offline may have its directory where others are in use.
    fn leave_unloaded(&mut self, topic: &Arc<str>, partition: i32) {
        let name = alloc::format!("{topic}-{partition}");
        let is_home =
            |directory: &LogDirectory| directory.is_online() && directory.has_directory(&name);
        let Some(index) = self.directories.iter().position(is_home) else { return };
        let path = self.directories[index].path.join(&name);
        let id = self.next_log_id();
        let index = DirectoryIndex(index as u16);
        self.add_leaving(id, None, index, path, (topic, partition), Vec::new());
    }

    fn add_leaving(
        &mut self,
        id: LogId,
        log: Option<Log>,
        index: DirectoryIndex,
        path: Path,
        (topic, partition): (&Arc<str>, i32),
        removed: Vec<FileId>,
    ) {
        let renamed = deleted_name(topic, partition, self.rng.uuid());
        let directory = &mut self.directories[usize::from(index.0)];
        directory.forget_partition(topic, partition);
        let renamed = directory.path.join(&renamed);
        self.leaving_logs.paths.insert(path.clone());
        self.leaving_logs.to_look_at.insert(id);
        let leaving =
            LeavingLog { log, directory: index, path, renamed, removed, is_renamed: false };
        self.leaving_logs.logs.insert(id, leaving);
    }

    /// An effect of a log that has left is complete.
    pub(in crate::broker) fn handle_left_written(
        &mut self,
        effect: EffectId,
        id: LogId,
        result: Completion,
    ) {
        let Some(leaving) = self.leaving_logs.logs.get(&id) else { return };
        if let Err(error) = result.into_result() {
            return self.fail_directory(leaving.directory, &error);
        }
        let mut effects = core::mem::take(&mut self.log_effects);
        if let Some(log) = self.leaving_logs.log_mut(id) {
            log.handle_written(effect, &mut effects);
        }
        self.emit_log_effects(id, effects);
    }

    /// The sync of a log that has left is complete.
    pub(in crate::broker) fn handle_left_synced(&mut self, id: LogId) {
        if let Some(log) = self.leaving_logs.log_mut(id) {
            log.handle_synced();
        }
    }

    /// One of the log's segments is renamed or removed.
    pub(in crate::broker) fn note_removal(&mut self, id: LogId) {
        self.deletions.note_complete(id);
        if self.leaving_logs.logs.contains_key(&id) {
            self.leaving_logs.to_look_at.insert(id);
        }
    }

    /// Renames the directories of those that have become idle.
    pub(in crate::broker) fn rename_left_logs(&mut self) {
        if self.leaving_logs.to_look_at.is_empty() {
            return;
        }
        let mut ready: BTreeMap<DirectoryIndex, Vec<LogId>> = BTreeMap::new();
        for id in core::mem::take(&mut self.leaving_logs.to_look_at) {
            let Some(leaving) = self.leaving_logs.logs.get_mut(&id) else { continue };
            let is_idle = leaving.log.as_ref().is_none_or(Log::is_idle);
            if !leaving.is_renamed && is_idle && !self.deletions.has_effects(id) {
                leaving.is_renamed = true;
                ready.entry(leaving.directory).or_default().push(id);
            }
        }
        for (index, ids) in ready {
            for part in ids.chunks(RENAMES_MAX) {
                let mut operations = Vec::new();
                for id in part {
                    self.push_rename(*id, &mut operations);
                }
                operations.push(Operation::SyncDirectory(self.directory(index).path.clone()));
                let number = self.leaving_logs.next_rename;
                self.leaving_logs.next_rename += 1;
                self.leaving_logs.renames.insert(number, part.to_vec());
                self.emit(Effect::Operations(operations), Purpose::LeftLogs(index, number));
            }
        }
    }

    /// The driver must know the files that somebody reads before the path goes: a range may yet be sent.
    fn push_rename(&self, id: LogId, operations: &mut Vec<Operation>) {
        let Some(leaving) = self.leaving_logs.logs.get(&id) else { return };
        let segments = leaving.log.iter().flat_map(Log::segments);
        for file in segments.map(|segment| segment.file.clone()) {
            let is_read = self.is_read(file.id);
            operations.push(if is_read { Operation::Open(file) } else { Operation::Close(file) });
        }
        let (from, to) = (leaving.path.clone(), leaving.renamed.clone());
        operations.push(Operation::Rename { from, to });
    }

    /// An answer under way, a look-up or a job has it.
    fn is_read(&self, file: FileId) -> bool {
        self.pins.is_pinned(file) || self.deletions.is_read(file)
    }

    /// The directories of a part of the logs are renamed.
    pub(in crate::broker) fn handle_left_renamed(
        &mut self,
        index: DirectoryIndex,
        number: u64,
        result: Completion,
    ) {
        if let Err(error) = result.into_result() {
            return self.fail_directory(index, &error);
        }
        let at = self.now.mono + Millis(self.config.topic_defaults.file_delete_delay_ms);
        for id in self.leaving_logs.renames.remove(&number).unwrap_or_default() {
            let Some(leaving) = self.leaving_logs.logs.remove(&id) else { continue };
            self.leaving_logs.paths.remove(&leaving.path);
            let segments = leaving.log.iter().flat_map(Log::segments);
            let files = segments.map(|segment| segment.file.id).chain(leaving.removed.clone());
            let read = files.filter(|file| self.is_read(*file)).collect();
            let left = LeftDirectory { directory: index, path: leaving.renamed, read };
            self.leaving_logs.due.insert((at, id), left);
        }
        self.start_waves();
    }

    /// Removes directories that have waited long enough and that nobody reads.
    pub(in crate::broker) fn remove_left_directories(&mut self) {
        while let Some(entry) = self.leaving_logs.due.first_entry() {
            let (at, id) = *entry.key();
            if at > self.now.mono {
                break;
            }
            let left = entry.remove();
            if left.read.iter().any(|file| self.is_read(*file)) {
                self.leaving_logs.due.insert((self.now.mono + READER_WAIT, id), left);
            } else {
                self.deleted.push_back((left.directory, left.path));
            }
        }
        self.start_removal();
    }

    /// The error of a log that somebody knew, and that is not there any more.
    pub(in crate::broker) fn log_absence(&self, log: LogId) -> ErrorCode {
        if self.failed_logs.contains(&log) {
            ErrorCode::KAFKA_STORAGE_ERROR
        } else {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        }
    }
}
