//! Loads the metadata log (`__cluster_metadata-0`) and its newest snapshot into an image
//! (`MetadataLoader`, `KafkaMetadataLog`).
//!
//! The directory is listed; the newest snapshot that is whole is replayed, and every log segment
//! from its end on, in pieces. A missing directory is an empty log. The replay stops at the first
//! batch that is not valid, or missing, whether writes were lost there or damage was done: that is for
//! the recovery of the log to tell, and Kafka cuts its log there too. What is valid but cannot be understood is a failure, except for record types and
//! versions that are newer than this code.

mod files;
mod heads;
mod load;
mod replay;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use crate::broker::image::Image;
use crate::checkpoint::{QuorumState, SnapshotId};
use crate::config::{Limits, TopicConfig};
use crate::effect::{
    Completion, Effect, Entry, EntryKind, FileRef, IoError, IoErrorKind, Operation,
    OperationResult, Path,
};
use crate::ids::{EffectId, JobId, Numbering, Uuid};
use crate::job::batch_file::{BatchFile, Found};
use crate::job::{JobOutcome, JobResult};
use files::MetadataFiles;
pub use files::SnapshotFile;
use heads::{HEAD_BYTES, HEADS_MAX};
use load::{Flow, Load};

/// The cluster as the metadata log has it, and where that log ends.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedMetadata {
    /// The image; its `registration` is the last one of this node.
    pub image: Image,
    /// The offset that the next record gets.
    pub end_offset: i64,
    /// The quorum's last epoch, by the log and by `quorum-state`; -1 before the first.
    pub last_epoch: i32,
    /// Where the next batch goes; `None` when it begins a new segment, named after `end_offset`.
    pub append_at: Option<AppendPoint>,
    /// Every registration of this node that was met, in order.
    pub registrations: Vec<Registration>,
    /// The log ends inside a transaction: what is appended would belong to it.
    pub ends_in_transaction: bool,
    /// The snapshot that stands for the log's beginning, which was not read; `None` where all of the
    /// log was.
    pub snapshot: Option<SnapshotId>,
    /// Every snapshot that is there, by id. Those above [`snapshot`](Self::snapshot) are useless.
    pub snapshots: Vec<SnapshotFile>,
    /// What is left of others: files that nobody needs.
    pub leftovers: Vec<Path>,
    /// Bytes of the log behind the snapshot.
    pub bytes_since_snapshot: u64,
    /// Records were met whose type or version is not known here: the image has not everything.
    pub has_unknown: bool,
    /// The first invalid place, where the log ended early.
    pub fault: Option<LogFault>,
}

/// A start of this node, by Klamm or by Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The process that registered.
    pub incarnation_id: Uuid,
    /// The log directories that were online, and no others can have been used; empty where
    /// `metadata.version` is below 3.7 and that is not told.
    pub log_dirs: Vec<Uuid>,
    /// What was made before the next one, by topic id and partition; of what only a snapshot tells,
    /// nobody knows.
    pub made: BTreeSet<(Uuid, i32)>,
}

impl LoadedMetadata {
    /// The registrations from the last one on that may have used the log directory of that id; from
    /// the very last where none is known to. Empty while there is none.
    pub fn since_last_user_of(&self, directory: Option<Uuid>) -> &[Registration] {
        let may_use = |it: &Registration| {
            it.log_dirs.is_empty() || directory.is_some_and(|id| it.log_dirs.contains(&id))
        };
        let last = self.registrations.iter().rposition(may_use);
        &self.registrations[last.unwrap_or_else(|| self.registrations.len().saturating_sub(1))..]
    }
}

/// Where the log is not valid, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFault {
    /// The segment.
    pub file: Path,
    /// Of the first invalid batch, in bytes from the file's start.
    pub position: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// The end of a log's last segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendPoint {
    /// The segment's `.log` file.
    pub file: Path,
    /// Behind its last valid batch, in bytes from the file's start. What stands there already is
    /// damage, or a batch that was never whole.
    pub position: u64,
}

/// Why the metadata could not be loaded. The sentence names file and position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataFailure {
    /// The disk's answer.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The batch is whole, and what is in it cannot be applied.
    #[error("{file}: batch at position {position}: {reason}")]
    Batch {
        /// Log segment.
        file: Path,
        /// Of the batch, in bytes from the file's start.
        position: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A part of the log is gone that no snapshot covers.
    #[error("{directory}: nothing holds the offsets from {from} up to {to}")]
    Gap {
        /// The metadata log's.
        directory: Path,
        /// The first one missing.
        from: i64,
        /// The first one that is there again.
        to: i64,
    },
    /// A snapshot is useless, and the log does not reach to its end.
    #[error("{file}: the snapshot is unusable, and the log ends before it: {reason}")]
    Snapshot {
        /// The newest one that is unusable.
        file: Path,
        /// What is wrong with it.
        reason: String,
    },
}

/// The job: carries the reads out that a [`Load`] asks for.
#[derive(Debug)]
pub(super) struct LoadMetadata {
    directory: Path,
    base: Image,
    topic_defaults: TopicConfig,
    piece_bytes: u32,
    batch_bytes_max: u32,
    numbering: Numbering,
    quorum_state: Option<Bytes>,
    state: State,
    next: Option<(EffectId, Effect)>,
    awaited: Option<EffectId>,
    result: Option<JobResult>,
}

#[derive(Debug)]
enum State {
    Listing,
    /// `quorum-state` is read.
    ReadingQuorum(MetadataFiles),
    /// Heads of snapshots are read, from this one on.
    ReadingHeads(MetadataFiles, usize),
    Reading(Box<Load>, BatchFile),
    /// What is known, until the last file is closed.
    Closing(JobResult),
    Finished,
}

impl LoadMetadata {
    pub(super) fn new(
        id: JobId,
        directory: Path,
        base: Image,
        topic_defaults: TopicConfig,
        limits: &Limits,
    ) -> Self {
        let mut job = Self {
            directory: directory.clone(),
            base,
            topic_defaults,
            piece_bytes: limits.job_piece_bytes,
            batch_bytes_max: limits.metadata_batch_bytes_max,
            numbering: Numbering::new(id),
            quorum_state: None,
            state: State::Listing,
            next: None,
            awaited: None,
            result: None,
        };
        job.emit(vec![Operation::List(directory)]);
        job
    }

    pub(super) fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.next.take()
    }

    pub(super) fn poll_done(&mut self) -> Option<JobResult> {
        self.result.take()
    }

    pub(super) fn handle_completion(&mut self, id: EffectId, result: Completion) {
        debug_assert_eq!(self.awaited, Some(id), "a completion of another effect");
        self.awaited = None;
        match mem::replace(&mut self.state, State::Finished) {
            State::Listing => match entries(result) {
                Ok(entries) => self.read_quorum_state(&entries),
                Err(error) => self.fail(error),
            },
            State::ReadingQuorum(files) => match result.into_result() {
                Ok(results) => {
                    self.quorum_state = contents(results).next();
                    self.read_heads(files, 0);
                }
                Err(error) => self.fail(error),
            },
            State::ReadingHeads(mut files, from) => match result.into_result() {
                Ok(results) => {
                    for (snapshot, head) in
                        files.snapshots[from..].iter_mut().zip(contents(results))
                    {
                        snapshot.appended_ms = heads::appended_ms(&head);
                    }
                    self.read_heads(files, from + HEADS_MAX);
                }
                Err(error) => self.fail(error),
            },
            State::Reading(load, file) => match last_read(result) {
                Ok(data) => self.read(load, file, data),
                Err(error) => {
                    let file = file.file().clone();
                    self.close(Some(file), load.fail(error.into()));
                }
            },
            // Nothing was written: a failed close changes nothing.
            State::Closing(result) => self.result = Some(result),
            State::Finished => debug_assert!(false, "a completion after the end"),
        }
    }

    fn read_quorum_state(&mut self, entries: &[Entry]) {
        let files = MetadataFiles::select(&self.directory, entries);
        let is_quorum_state =
            |entry: &Entry| entry.name == QuorumState::FILE && entry.kind == EntryKind::File;
        if !entries.iter().any(is_quorum_state) {
            return self.read_heads(files, 0);
        }
        let path = self.directory.join(QuorumState::FILE);
        let file = FileRef { id: self.numbering.file(), path };
        let length = self.piece_bytes;
        let read = Operation::Read { file: file.clone(), position: 0, length };
        self.emit(vec![read, Operation::Close(file)]);
        self.state = State::ReadingQuorum(files);
    }

    /// Reads the heads of some snapshots, from number `from` on, or begins to load.
    fn read_heads(&mut self, files: MetadataFiles, from: usize) {
        let Some(rest) = files.snapshots.get(from..).filter(|rest| !rest.is_empty()) else {
            return self.begin(files);
        };
        let mut operations = Vec::new();
        for snapshot in rest.iter().take(HEADS_MAX) {
            let path = self.directory.join(&snapshot.id.file_name());
            let file = FileRef { id: self.numbering.file(), path };
            let read = Operation::Read { file: file.clone(), position: 0, length: HEAD_BYTES };
            operations.extend([read, Operation::Close(file)]);
        }
        self.emit(operations);
        self.state = State::ReadingHeads(files, from);
    }

    fn begin(&mut self, files: MetadataFiles) {
        let base = mem::take(&mut self.base);
        let mut load = Load::new(self.directory.clone(), files, base, self.topic_defaults.clone());
        if let Some(content) = self.quorum_state.take() {
            load.take_quorum_state(&content);
        }
        self.next_file(Box::new(load), None);
    }

    fn read(&mut self, mut load: Box<Load>, mut file: BatchFile, data: Bytes) {
        file.fill(&data);
        loop {
            match file.next() {
                Found::Batch { position, bytes } => match load.batch(position, &bytes) {
                    Ok(Flow::Continue) => continue,
                    Ok(Flow::Leave) => {}
                    Err(failure) => {
                        return self.close(Some(file.file().clone()), load.fail(failure));
                    }
                },
                Found::Missing { bytes } => {
                    self.emit(vec![file.read(bytes)]);
                    self.state = State::Reading(load, file);
                    return;
                }
                Found::End => load.file_ended(),
                Found::Invalid { position, fault } => {
                    if let Err(failure) = load.file_invalid(position, fault) {
                        return self.close(Some(file.file().clone()), load.fail(failure));
                    }
                }
            }
            return self.next_file(load, Some(file.file().clone()));
        }
    }

    /// Closes `before` and begins the next file, or ends.
    fn next_file(&mut self, mut load: Box<Load>, before: Option<FileRef>) {
        let source = match load.next_file() {
            Ok(Some(source)) => source,
            Ok(None) => return self.close(before, load.finish()),
            Err(failure) => return self.close(before, load.fail(failure)),
        };
        let file = FileRef { id: self.numbering.file(), path: source.path };
        let file = BatchFile::new(file, source.length, self.piece_bytes, self.batch_bytes_max);
        let mut operations: Vec<Operation> = before.map(Operation::Close).into_iter().collect();
        operations.push(file.read(0));
        self.emit(operations);
        self.state = State::Reading(load, file);
    }

    fn fail(&mut self, error: IoError) {
        let outcome = JobOutcome::MetadataFailed(error.into());
        self.close(None, JobResult { events: Vec::new(), outcome });
    }

    fn close(&mut self, file: Option<FileRef>, result: JobResult) {
        let Some(file) = file else {
            self.result = Some(result);
            return;
        };
        self.emit(vec![Operation::Close(file)]);
        self.state = State::Closing(result);
    }

    fn emit(&mut self, operations: Vec<Operation>) {
        let id = self.numbering.effect();
        self.awaited = Some(id);
        self.next = Some((id, Effect::Operations(operations)));
    }
}

/// A directory that is missing has no entries.
fn entries(result: Completion) -> Result<Vec<Entry>, IoError> {
    match result.into_result() {
        Ok(mut results) => match results.pop() {
            Some(OperationResult::Listed(entries)) => Ok(entries),
            _ => unreachable!("a listing gives entries"),
        },
        Err(error) if error.kind == IoErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What an effect has read, file by file.
fn contents(results: Vec<OperationResult>) -> impl Iterator<Item = Bytes> {
    results.into_iter().filter_map(|result| match result {
        OperationResult::Read(bytes) => Some(bytes),
        _ => None,
    })
}

fn last_read(result: Completion) -> Result<Bytes, IoError> {
    match result.into_result()?.pop() {
        Some(OperationResult::Read(data)) => Ok(data),
        _ => unreachable!("a read gives bytes"),
    }
}
