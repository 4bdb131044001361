//! The node: one machine behind one lock, and everything that its outputs need.

use std::collections::HashMap;
use std::sync::Arc;

use klamm_core::batch::Compression;
use klamm_core::broker::image::Image;
use klamm_core::config::Limits;
use klamm_core::effect::Effect;
use klamm_core::event::Event;
use klamm_core::ids::ConnectionId;
use klamm_core::time::{Instant, Now};
use klamm_core::{Exit, Output};

use crate::budget::{Budget, Share};
use crate::clock::Clock;
use crate::disk::{Disk, WatchedDisk};
use crate::machine::{Input, Machine};
use crate::mailbox::{Mail, Mailbox};
use crate::recorder::Recorder;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{MachineLockMark, Mutex, RwLock, assert_machine_unlocked};
use crate::timer::Timer;
use crate::workers::{SyncWork, Task, Workers};

/// What the machine has to say to its surroundings. Called outside every lock, from any thread;
/// must not wait.
pub trait Observer: Send + Sync {
    /// For the log.
    fn event(&self, event: &Event) {
        let _ = event;
    }

    /// Start-up is done: accept connections. `image` is what is served.
    fn ready(&self, image: &Image) {
        let _ = image;
    }

    /// The machine has ended, or a thread has panicked: connections end, then the threads.
    fn stopped(&self, exit: Exit) {
        let _ = exit;
    }
}

/// What a node is made of, beside its machine.
pub struct Parts {
    /// Where it reads the time.
    pub clock: Arc<dyn Clock>,
    /// Where its files are.
    pub disk: Arc<dyn Disk>,
    /// Who hears of it.
    pub observer: Arc<dyn Observer>,
    /// Who watches its disk and its answers.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// What decompresses batches.
    pub compression: Arc<dyn Compression>,
    /// Its limits.
    pub limits: Limits,
}

/// Who takes a turn: it decides where the quick effects are carried out.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// The thread or task of a connection: here. Its own mailbox is filled without a wake-up.
    Connection(ConnectionId, &'a Mailbox),
    /// A worker for ordinary effects: here.
    Worker,
    /// A thread that must not wait for a disk, or has other work: by a worker.
    Elsewhere,
}

/// A node. Shared by all of its threads.
pub struct Node<M> {
    machine: Mutex<Held<M>>,
    image: RwLock<Arc<Image>>,
    registry: RwLock<Registry>,
    connections: AtomicU64,
    budget: Arc<Budget>,
    pub(crate) timer: Timer,
    pub(crate) workers: Workers,
    pub(crate) disk: WatchedDisk,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    compression: Arc<dyn Compression>,
    limits: Limits,
}

/// The connections that are there.
#[derive(Default)]
struct Registry {
    mailboxes: HashMap<ConnectionId, Arc<Mailbox>>,
    /// Who comes now is told at once that it is too late.
    stopped: bool,
}

/// The machine, and what was last published of it.
struct Held<M> {
    machine: M,
    image: Arc<Image>,
    deadline: Option<Instant>,
    /// It has said [`Output::Stopped`] and is not to be asked any more.
    stopped: bool,
}

impl<M: Machine> Node<M> {
    /// Puts a machine behind the lock; [`start`](Self::start) takes its first turn.
    pub fn new(machine: M, parts: Parts) -> Arc<Self> {
        let image = Arc::clone(machine.image());
        let held = Held { machine, image: Arc::clone(&image), deadline: None, stopped: false };
        Arc::new(Self {
            machine: Mutex::new(held),
            image: RwLock::new(image),
            registry: RwLock::new(Registry::default()),
            connections: AtomicU64::new(0),
            budget: Arc::new(Budget::new(parts.limits.request_budget_bytes)),
            timer: Timer::new(),
            workers: Workers::new(parts.limits.sync_workers),
            disk: WatchedDisk { disk: parts.disk, recorder: parts.recorder },
            clock: parts.clock,
            observer: parts.observer,
            compression: parts.compression,
            limits: parts.limits,
        })
    }

    /// Drains what the machine had to say from its birth on: start-up begins.
    pub fn start(&self) {
        self.turn(&mut Vec::new(), Place::Elsewhere);
    }

    /// Tells the machine everything in `inputs` and carries out what it wants done.
    ///
    /// On return `inputs` holds the completions of what this thread carried out: more for the next
    /// turn, which must come before this thread waits. [`run`](Self::run) does that.
    pub fn turn(&self, inputs: &mut Vec<Input>, place: Place<'_>) {
        if let Some(recorder) = self.recorder() {
            for input in &*inputs {
                if let Input::Request(from, request) = input {
                    recorder.asked(*from, request);
                }
            }
        }
        let Some(outputs) = self.mutate(inputs) else { return inputs.clear() };
        self.dispatch(outputs, place, inputs);
    }

    /// Takes turns until nothing is left for this thread.
    pub fn run(&self, inputs: &mut Vec<Input>, place: Place<'_>) {
        while !inputs.is_empty() {
            self.turn(inputs, place);
        }
    }

    /// The image as last published.
    pub fn image(&self) -> Arc<Image> {
        Arc::clone(&self.image.read().expect("no thread panics while it publishes an image"))
    }

    /// The time.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The node's limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What decompresses batches.
    pub fn compression(&self) -> &Arc<dyn Compression> {
        &self.compression
    }

    /// The disk itself.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk.disk
    }

    /// Who watches, if someone does.
    pub fn recorder(&self) -> Option<&Arc<dyn Recorder>> {
        self.disk.recorder.as_ref()
    }

    /// Request bytes that connections hold.
    pub fn request_bytes_held(&self) -> usize {
        self.budget.held()
    }

    /// An id for a connection; never given twice.
    pub fn next_connection_id(&self) -> ConnectionId {
        ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// Opens a mailbox for a connection, and its share of the request budget.
    pub fn register(&self, id: ConnectionId, mailbox: &Arc<Mailbox>) -> Share {
        let mut registry = self.registry.write().expect("no thread panics in the registry");
        registry.mailboxes.insert(id, Arc::clone(mailbox));
        if registry.stopped {
            mailbox.send(Mail::Stop);
        }
        self.budget.share(Arc::clone(mailbox))
    }

    /// What comes for the connection from here on is dropped.
    pub fn unregister(&self, id: ConnectionId) {
        let mut registry = self.registry.write().expect("no thread panics in the registry");
        registry.mailboxes.remove(&id);
    }

    /// Sends [`Mail::Stop`] to all connections, and to those that are still to come.
    pub fn stop_connections(&self) {
        let mut registry = self.registry.write().expect("no thread panics in the registry");
        registry.stopped = true;
        for mailbox in registry.mailboxes.values() {
            mailbox.send(Mail::Stop);
        }
    }

    /// Ends the timer and the workers, each after what it is at; what waits is dropped.
    pub fn stop_threads(&self) {
        self.timer.stop();
        self.workers.close();
    }

    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.observer)
    }

    /// The one place where the machine is locked. `None`: it has ended, and the inputs are void.
    fn mutate(&self, inputs: &mut Vec<Input>) -> Option<Vec<Output>> {
        let mut outputs = Vec::new();
        let timer_sleeps_too_long;
        {
            // Poisoned: a panic in the machine, which its thread reports.
            let mut held = self.machine.lock().ok()?;
            if held.stopped {
                return None;
            }
            let _mark = MachineLockMark::set();
            // Under the lock, so that the machine's time never goes back.
            let now = self.clock.now();
            held.drain_into(&mut outputs);
            for input in inputs.drain(..) {
                let is_timeout = matches!(input, Input::Timeout);
                held.machine.handle(input, now);
                held.drain_into(&mut outputs);
                debug_assert!(
                    !is_timeout || held.machine.poll_timeout().is_none_or(|next| next > now.mono),
                    "a deadline that stays due makes the timer spin",
                );
            }
            // Under the lock too, so that an older state never overwrites a newer one.
            timer_sleeps_too_long = self.publish(&mut held);
        }
        if timer_sleeps_too_long {
            self.timer.wake();
        }
        Some(outputs)
    }

    fn publish(&self, held: &mut Held<M>) -> bool {
        if !Arc::ptr_eq(&held.image, held.machine.image()) {
            held.image = Arc::clone(held.machine.image());
            let mut image = self.image.write().expect("no thread panics while it publishes");
            image.clone_from(&held.image);
        }
        let deadline = held.machine.poll_timeout();
        if deadline == held.deadline {
            return false;
        }
        held.deadline = deadline;
        self.timer.publish(deadline)
    }

    /// Carries out what a turn has given, waiting for no other thread and for no sync. The order is
    /// that of who waits: connections for their mail, workers for work, then this thread's own.
    fn dispatch(&self, outputs: Vec<Output>, place: Place<'_>, completions: &mut Vec<Input>) {
        assert_machine_unlocked();
        let mut to_wake = Vec::new();
        let mut syncs = Vec::new();
        let mut tasks = Vec::new();
        let mut quick = Vec::new();
        for output in outputs {
            match output {
                Output::Response(to, response) => {
                    if let Some(recorder) = self.recorder() {
                        recorder.answered(to, &response);
                    }
                    self.deliver(to, Mail::Response(response), place, &mut to_wake);
                }
                Output::Close(id) => self.deliver(id, Mail::Close, place, &mut to_wake),
                Output::Effect(id, Effect::Sync(set)) => syncs.push(SyncWork::new(id, set)),
                Output::Effect(id, effect) if effect.is_slow() => {
                    tasks.push(Task::Effect(id, effect));
                }
                Output::Effect(id, effect) => quick.push((id, effect)),
                Output::Job(id, job) => tasks.push(Task::Job(id, job)),
                Output::Event(event) => self.observer.event(&event),
                Output::Ready => self.observer.ready(&self.image()),
                Output::Stopped(exit) => self.observer.stopped(exit),
            }
        }
        // Woken when all is delivered: a connection's answers of one turn leave together.
        for mailbox in to_wake {
            mailbox.wake();
        }
        for sync in syncs {
            self.workers.push_sync(sync);
        }
        if matches!(place, Place::Elsewhere) {
            tasks.extend(quick.drain(..).map(|(id, effect)| Task::Effect(id, effect)));
        }
        self.workers.push(tasks);
        self.disk.carry_out_all(quick, |id, completion| {
            completions.push(Input::Completion(id, completion));
        });
    }

    /// Mail for a connection that is gone is dropped.
    fn deliver(
        &self,
        to: ConnectionId,
        mail: Mail,
        place: Place<'_>,
        to_wake: &mut Vec<Arc<Mailbox>>,
    ) {
        if let Place::Connection(own, mailbox) = place
            && own == to
        {
            // The owner takes its mail after its turn.
            let _needs_no_wake = mailbox.put(mail);
            return;
        }
        let registry = self.registry.read().expect("no thread panics in the registry");
        if let Some(mailbox) = registry.mailboxes.get(&to)
            && mailbox.put(mail)
        {
            to_wake.push(Arc::clone(mailbox));
        }
    }
}

impl<M: Machine> Held<M> {
    fn drain_into(&mut self, outputs: &mut Vec<Output>) {
        while let Some(output) = self.machine.poll_output() {
            self.stopped |= matches!(output, Output::Stopped(_));
            outputs.push(output);
        }
    }
}

#[cfg(test)]
mod tests;
