//! Jobs: long pieces of pure work with a state of their own. The broker starts one, a worker of the
//! driver owns it, no lock is held.

mod batch_file;
mod compact_log;
mod held;
mod load_log;
mod load_metadata;
mod load_shard;
mod remove_directory;
mod search_timestamp;
mod segment_reader;
#[cfg(test)]
pub(crate) mod testing;
mod write_snapshot;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub use compact_log::{
    CleanedGroup, CompactLogContext, CompactedSegment, CompactionReport, CompactionStep,
    PausedCompaction,
};
pub use load_log::{LoadLogContext, LoadLogFailure};
pub use load_metadata::{
    AppendPoint, LoadedMetadata, LogFault, MetadataFailure, Registration, SnapshotFile,
};
pub use load_shard::{LoadShardContext, LoadShardFailure, LoadedShard};
pub use search_timestamp::{FoundTimestamp, SearchStart, SearchTimestampContext, SearchedSegment};
pub use write_snapshot::{WriteSnapshotContext, WrittenSnapshot};

use crate::broker::image::Image;
use crate::config::{Limits, TopicConfig};
use crate::effect::{Completion, Effect, IoError, Path};
use crate::event::Event;
use crate::ids::{EffectId, JobId};
use crate::log::Log;
use compact_log::CompactLog;
use load_log::LoadLog;
use load_metadata::LoadMetadata;
use load_shard::LoadShard;
use remove_directory::RemoveDirectory;
use search_timestamp::SearchTimestamp;
use write_snapshot::WriteSnapshot;

/// A job. Drive it with: `poll_effect` until `None`, carry the effects out (any order), hand each
/// completion in, and again, until `poll_done` gives the result.
#[derive(Debug)]
pub struct Job(Kind);

#[derive(Debug)]
enum Kind {
    LoadMetadata(Box<LoadMetadata>),
    LoadLog(Box<LoadLog>),
    SearchTimestamp(Box<SearchTimestamp>),
    RemoveDirectory(Box<RemoveDirectory>),
    WriteSnapshot(Box<WriteSnapshot>),
    LoadShard(Box<LoadShard>),
    /// `None` when it has been handed back.
    CompactLog(Option<Box<CompactLog>>),
}

impl Job {
    /// Reads the metadata log in `directory` (`…/__cluster_metadata-0`, which may be missing) and
    /// its newest snapshot.
    ///
    /// `base` is the image before any record: cluster id, node id, and what clients are told of
    /// this broker. `topic_defaults` is what the static configuration gives to topics.
    pub fn load_metadata(
        id: JobId,
        directory: Path,
        base: Image,
        topic_defaults: TopicConfig,
        limits: &Limits,
    ) -> Self {
        let job = LoadMetadata::new(id, directory, base, topic_defaults, limits);
        Self(Kind::LoadMetadata(Box::new(job)))
    }

    /// Loads one partition's log, creates its directory if it is missing, and repairs what a crash
    /// left of it.
    pub fn load_log(id: JobId, context: LoadLogContext) -> Self {
        Self(Kind::LoadLog(Box::new(LoadLog::new(id, context))))
    }

    /// Finds the first record of a log at or behind a time.
    pub fn search_timestamp(id: JobId, context: SearchTimestampContext) -> Self {
        Self(Kind::SearchTimestamp(Box::new(SearchTimestamp::new(id, context))))
    }

    /// Removes the directory of a deleted partition.
    pub fn remove_directory(id: JobId, path: Path) -> Self {
        Self(Kind::RemoveDirectory(Box::new(RemoveDirectory::new(id, path))))
    }

    /// Writes a snapshot of the metadata log.
    pub fn write_snapshot(id: JobId, context: WriteSnapshotContext) -> Self {
        Self(Kind::WriteSnapshot(Box::new(WriteSnapshot::new(id, context))))
    }

    /// Replays a partition of `__consumer_offsets`.
    pub fn load_shard(id: JobId, context: LoadShardContext) -> Self {
        Self(Kind::LoadShard(Box::new(LoadShard::new(id, context))))
    }

    /// Begins to compact a log.
    pub fn compact_log(id: JobId, context: CompactLogContext) -> Self {
        Self(Kind::CompactLog(Some(Box::new(CompactLog::new(id, context)))))
    }

    /// Goes on with a compaction.
    pub fn resume_compaction(id: JobId, paused: PausedCompaction) -> Self {
        Self(Kind::CompactLog(Some(CompactLog::resume(id, paused))))
    }

    /// The next effect to carry out.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        match &mut self.0 {
            Kind::LoadMetadata(job) => job.poll_effect(),
            Kind::LoadLog(job) => job.poll_effect(),
            Kind::SearchTimestamp(job) => job.poll_effect(),
            Kind::RemoveDirectory(job) => job.poll_effect(),
            Kind::WriteSnapshot(job) => job.poll_effect(),
            Kind::LoadShard(job) => job.poll_effect(),
            Kind::CompactLog(job) => job.as_mut()?.poll_effect(),
        }
    }

    /// The answer to an effect of this job.
    pub fn handle_completion(&mut self, id: EffectId, result: Completion) {
        match &mut self.0 {
            Kind::LoadMetadata(job) => job.handle_completion(id, result),
            Kind::LoadLog(job) => job.handle_completion(id, result),
            Kind::SearchTimestamp(job) => job.handle_completion(id, result),
            Kind::RemoveDirectory(job) => job.handle_completion(result),
            Kind::WriteSnapshot(job) => job.handle_completion(result),
            Kind::LoadShard(job) => job.handle_completion(result),
            Kind::CompactLog(Some(job)) => job.handle_completion(result),
            Kind::CompactLog(None) => debug_assert!(false, "nothing is out of a job that is done"),
        }
    }

    /// The result, once.
    #[must_use]
    pub fn poll_done(&mut self) -> Option<JobResult> {
        match &mut self.0 {
            Kind::LoadMetadata(job) => job.poll_done(),
            Kind::LoadLog(job) => job.poll_done(),
            Kind::SearchTimestamp(job) => job.poll_done(),
            Kind::RemoveDirectory(job) => job.poll_done(),
            Kind::WriteSnapshot(job) => job.poll_done(),
            Kind::LoadShard(job) => job.poll_done(),
            Kind::CompactLog(job) => CompactLog::poll_done(job),
        }
    }
}

/// What a job hands back to the broker, and what it has to say.
#[derive(Debug)]
pub struct JobResult {
    /// In the order in which they happened.
    pub events: Vec<Event>,
    /// What came of it.
    pub outcome: JobOutcome,
}

/// What came of a job.
#[derive(Debug)]
pub enum JobOutcome {
    /// [`Job::load_metadata`] is done.
    MetadataLoaded(Box<LoadedMetadata>),
    /// [`Job::load_metadata`] could not: the broker must not start.
    MetadataFailed(MetadataFailure),
    /// [`Job::load_log`] is done; everything in the log is durable.
    LogLoaded(Box<Log>),
    /// [`Job::load_log`] could not: the partition is offline.
    LogFailed(LoadLogFailure),
    /// [`Job::search_timestamp`] is done.
    TimestampSearched(FoundTimestamp),
    /// [`Job::remove_directory`] is done: which one, or why not all of it.
    DirectoryRemoved(Result<Path, IoError>),
    /// [`Job::write_snapshot`] is done: the snapshot is durable, or why not.
    SnapshotWritten(Result<WrittenSnapshot, IoError>),
    /// [`Job::load_shard`] is done, or could not.
    ShardLoaded(Result<LoadedShard, LoadShardFailure>),
    /// A part of a compaction is done, or all of it.
    LogCompacted(CompactionStep),
}
