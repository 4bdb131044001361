//! Jobs of the broker: a bounded number under way, the rest in a queue.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::group::ShardLoad;
use super::list_offsets::OffsetSearch;
use super::startup::Loading;
use super::{Broker, Output, Phase};
use crate::error_code::ErrorCode;
use crate::ids::{DirectoryIndex, FileId, JobId, LogId};
use crate::job::{CompactionStep, Job, JobOutcome, JobResult};

/// What a job is for.
#[derive(Debug)]
pub(super) enum JobPurpose {
    /// A step of the start.
    Startup(Loading),
    /// A deleted partition's directory.
    RemoveDirectory(DirectoryIndex),
    /// A snapshot of the metadata log.
    WriteSnapshot,
    /// A partition of `__consumer_offsets`.
    LoadShard(ShardLoad),
    /// A partition of a ListOffsets request, and the files that are read for it.
    SearchTimestamp(OffsetSearch, Vec<FileId>),
    /// A part of the compaction of a log.
    CompactLog(LogId),
}

/// Jobs under way, and those that wait for a place.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    queue: VecDeque<(JobId, Job)>,
    /// Of those in the queue too.
    purposes: BTreeMap<JobId, JobPurpose>,
    next: u64,
}

impl Jobs {
    /// None is under way, and none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.purposes.is_empty()
    }

    /// Those that wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Leaves all of them where they stand: each is crash-safe, and its result finds no purpose.
    pub(super) fn abandon(&mut self) -> impl Iterator<Item = JobPurpose> {
        self.queue.clear();
        core::mem::take(&mut self.purposes).into_values()
    }
}

impl Broker {
    /// Gives the job a number and a place in the queue; [`start_jobs`](Self::start_jobs) hands it out.
    pub(super) fn queue_job(&mut self, purpose: JobPurpose, job: impl FnOnce(JobId) -> Job) {
        self.jobs.next += 1;
        let id = JobId(self.jobs.next);
        self.jobs.purposes.insert(id, purpose);
        self.jobs.queue.push_back((id, job(id)));
    }

    /// True while another job may run at once.
    pub(super) fn has_place_for_job(&self) -> bool {
        self.jobs.purposes.len() < self.config.limits.jobs_max
    }

    /// A stop waits for no job; whoever waits for one is told.
    pub(super) fn abandon_jobs(&mut self) {
        let abandoned: Vec<JobPurpose> = self.jobs.abandon().collect();
        for purpose in abandoned {
            if let JobPurpose::SearchTimestamp(search, _) = purpose {
                self.end_search(search, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
            }
        }
        self.abandon_searches();
    }

    /// Hands out as many jobs as may run.
    pub(super) fn start_jobs(&mut self) {
        let jobs = &mut self.jobs;
        while jobs.purposes.len() - jobs.queue.len() < self.config.limits.jobs_max {
            let Some((id, job)) = jobs.queue.pop_front() else { break };
            self.outputs.push_back(Output::Job(id, job));
        }
    }

    pub(super) fn take_job(&mut self, id: JobId, result: JobResult) {
        self.outputs.extend(result.events.into_iter().map(Output::Event));
        let Some(purpose) = self.jobs.purposes.remove(&id) else {
            return self.take_abandoned(&result.outcome);
        };
        match purpose {
            JobPurpose::Startup(loading) => self.handle_startup_job(id, loading, result.outcome),
            JobPurpose::SearchTimestamp(search, files) => {
                self.end_read(&files);
                let JobOutcome::TimestampSearched(found) = result.outcome else {
                    debug_assert!(false, "job {id:?} is a search");
                    return;
                };
                self.handle_searched(search, found);
            }
            JobPurpose::LoadShard(load) => {
                let JobOutcome::ShardLoaded(loaded) = result.outcome else {
                    debug_assert!(false, "job {id:?} replays a shard");
                    return;
                };
                self.handle_shard_loaded(&load, loaded);
            }
            JobPurpose::RemoveDirectory(index) => {
                let JobOutcome::DirectoryRemoved(removed) = result.outcome else {
                    debug_assert!(false, "job {id:?} removes a directory");
                    return;
                };
                self.handle_removed(index, removed);
            }
            JobPurpose::WriteSnapshot => {
                let JobOutcome::SnapshotWritten(written) = result.outcome else {
                    debug_assert!(false, "job {id:?} writes a snapshot");
                    return;
                };
                self.handle_snapshot(written);
            }
            JobPurpose::CompactLog(log) => {
                let JobOutcome::LogCompacted(step) = result.outcome else {
                    debug_assert!(false, "job {id:?} compacts a log");
                    return;
                };
                self.handle_compaction(log, step);
            }
        }
        // There is a place, also for a search that found none while other jobs had them.
        self.start_searches();
    }

    /// A stop waits for no job; a disk that has failed under one has failed for the stop too: what
    /// is there must not be synced again, and said to be in order.
    fn take_abandoned(&mut self, outcome: &JobOutcome) {
        if let JobOutcome::DirectoryRemoved(Err(error))
        | JobOutcome::SnapshotWritten(Err(error))
        | JobOutcome::LogCompacted(CompactionStep::Failed(error)) = outcome
            && matches!(self.phase, Phase::Stopping(_))
        {
            self.fail_directory_of(&error.path, error);
        }
    }
}
