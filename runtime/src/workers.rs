//! The threads of a node beside its connections: one for the timer, some for jobs and slow
//! effects, and others for syncs, which all wait for the disk.

use std::any::Any;
use std::io;
use std::sync::Arc;

use klamm_core::effect::{Completion, Effect, IoError, Operation, SyncSet};
use klamm_core::ids::{EffectId, JobId};
use klamm_core::{Exit, Job, JobResult};

use crate::disk::sync_operations;
use crate::machine::{Input, Machine};
use crate::node::{Node, Observer, Place};
use crate::queue::Queue;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, thread};

/// Work that may take long, for the ordinary workers.
pub(crate) enum Task {
    Effect(EffectId, Effect),
    Job(JobId, Job),
}

/// The queues of a node's workers.
pub(crate) struct Workers {
    ordinary: Queue<Task>,
    syncs: Queue<Arc<SyncWork>>,
    sync_threads: usize,
}

impl Workers {
    pub(crate) fn new(sync_threads: usize) -> Self {
        let sync_threads = sync_threads.max(1);
        Self { ordinary: Queue::new(), syncs: Queue::new(), sync_threads }
    }

    pub(crate) fn push(&self, tasks: Vec<Task>) {
        if !tasks.is_empty() {
            self.ordinary.push(tasks);
        }
    }

    /// Hands the set to as many workers as it has use for.
    pub(crate) fn push_sync(&self, mut work: SyncWork) {
        let parts = work.operations.len().clamp(1, self.sync_threads);
        *work.parts.get_mut() = parts;
        let work = Arc::new(work);
        self.syncs.push((0..parts).map(|_| Arc::clone(&work)));
    }

    pub(crate) fn close(&self) {
        self.ordinary.close();
        self.syncs.close();
    }
}

/// A sync set under way. Its workers take one file after another; the last one to find none left
/// hands the completion in.
pub(crate) struct SyncWork {
    id: EffectId,
    operations: Vec<Operation>,
    next: AtomicUsize,
    /// Workers that have not finished with it.
    parts: AtomicUsize,
    failed: Mutex<Option<IoError>>,
}

impl SyncWork {
    pub(crate) fn new(id: EffectId, set: SyncSet) -> Self {
        Self {
            id,
            operations: sync_operations(set),
            next: AtomicUsize::new(0),
            parts: AtomicUsize::new(0),
            failed: Mutex::new(None),
        }
    }

    /// The completion, for the last of its workers.
    fn carry_out<M: Machine>(&self, node: &Node<M>) -> Option<Completion> {
        while let Some(operation) = self.operations.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = node.disk.perform(self.id, operation) {
                self.failed.lock().expect("no thread panics here").get_or_insert(error);
                // The set has failed; what is left of it need not be tried.
                self.next.store(self.operations.len(), Ordering::Relaxed);
            }
        }
        // Release what this worker did, acquire what the others did.
        if self.parts.fetch_sub(1, Ordering::AcqRel) > 1 {
            return None;
        }
        let failed = self.failed.lock().expect("no thread panics here").take();
        Some(match failed {
            None => Completion::Done(Vec::new()),
            Some(error) => Completion::Failed { done: Vec::new(), error },
        })
    }
}

/// The threads of a node. They end after [`Node::stop_threads`].
#[derive(Default)]
pub struct Threads {
    handles: Vec<thread::JoinHandle<()>>,
}

impl Threads {
    /// Starts the timer and the workers.
    pub fn start<M: Machine>(node: &Arc<Node<M>>) -> io::Result<Self> {
        let limits = node.limits();
        let mut threads = Self { handles: Vec::new() };
        let started = threads
            .add(node, "timer".into(), run_timer)
            .and_then(|()| {
                (0..limits.jobs_max + limits.effect_workers)
                    .try_for_each(|n| threads.add(node, format!("worker-{n}"), run_ordinary_worker))
            })
            .and_then(|()| {
                (0..limits.sync_workers.max(1))
                    .try_for_each(|n| threads.add(node, format!("sync-{n}"), run_sync_worker))
            });
        match started {
            Ok(()) => Ok(threads),
            Err(error) => {
                node.stop_threads();
                // They have had nothing to do yet, so there is no panic to hear of.
                threads.join().ok();
                Err(error)
            }
        }
    }

    /// Waits for all. The first panic among them is returned.
    pub fn join(self) -> Result<(), Box<dyn Any + Send>> {
        let mut result = Ok(());
        for handle in self.handles {
            let ended = handle.join();
            result = result.and(ended);
        }
        result
    }

    fn add<M: Machine>(
        &mut self,
        node: &Arc<Node<M>>,
        name: String,
        body: fn(&Node<M>),
    ) -> io::Result<()> {
        let node = Arc::clone(node);
        let handle = thread::Builder::new().name(name).spawn(move || {
            let _alarm = PanicAlarm::new(node.observer());
            body(&node);
        })?;
        self.handles.push(handle);
        Ok(())
    }
}

/// Held by each thread that takes turns: when it panics, the observer hears that the node has
/// stopped, so that what it had out is not waited for in vain.
pub struct PanicAlarm(Arc<dyn Observer>);

impl PanicAlarm {
    /// Tells `observer`.
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        Self(observer)
    }
}

impl Drop for PanicAlarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stopped(Exit::Failed("a thread panicked".into()));
        }
    }
}

fn run_timer<M: Machine>(node: &Node<M>) {
    while node.timer.wait(|| node.now()) {
        node.run(&mut vec![Input::Timeout], Place::Elsewhere);
    }
}

fn run_ordinary_worker<M: Machine>(node: &Node<M>) {
    while let Some(task) = node.workers.ordinary.pop() {
        let input = match task {
            Task::Effect(id, effect) => Input::Completion(id, node.disk.carry_out(id, effect)),
            Task::Job(id, job) => match drive(node, job) {
                Some(result) => Input::JobDone(id, result),
                None => return,
            },
        };
        node.run(&mut vec![input], Place::Worker);
    }
}

/// `None`: abandoned where it stood, since the node ends.
fn drive<M: Machine>(node: &Node<M>, mut job: Job) -> Option<JobResult> {
    loop {
        let effects: Vec<_> = std::iter::from_fn(|| job.poll_effect()).collect();
        if effects.is_empty() {
            return Some(job.poll_done().expect("a job without effects is done"));
        }
        for (id, effect) in effects {
            if node.workers.ordinary.is_closed() {
                return None;
            }
            job.handle_completion(id, node.disk.carry_out(id, effect));
        }
    }
}

fn run_sync_worker<M: Machine>(node: &Node<M>) {
    while let Some(work) = node.workers.syncs.pop() {
        if let Some(completion) = work.carry_out(node) {
            node.run(&mut vec![Input::Completion(work.id, completion)], Place::Elsewhere);
        }
    }
}
