//! Jobs of the broker: a bounded number under way, the rest in a queue.

use alloc::collections::{BTreeMap, VecDeque};

use super::startup::Loading;
use super::{Broker, Output};
use crate::ids::JobId;
use crate::job::{Job, JobResult};

/// What a job is for.
#[derive(Debug)]
pub(super) enum JobPurpose {
    /// A step of the start.
    Startup(Loading),
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
    pub(super) fn abandon(&mut self) {
        self.queue.clear();
        self.purposes.clear();
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
        let Some(purpose) = self.jobs.purposes.remove(&id) else { return };
        match purpose {
            JobPurpose::Startup(loading) => self.handle_startup_job(id, loading, result.outcome),
        }
        self.start_jobs();
    }
}
