//! The world of one run: broker, disk, network and clients around one queue of events.
//!
//! It keeps only the order that a real driver guarantees: inside one connection's loop, and inside
//! one effect's list of operations. Everything else has a delay of its own: the arrival of bytes,
//! the taking of a request, the turn that hands it to the broker, the start and the hold of a file
//! operation, the handing in of its completion, the steps of a job, the way of a response to its
//! connection, and the leaving of bytes.
//!
//! A run has two phases. In the first, faults are on and what holds always is checked (safety). In
//! the second, faults are off, and everything must come to its end (liveness): each request is
//! answered, records are accepted again, the broker stops in good order, and nothing is left over.

mod driver;
mod event;
mod marking;
mod outside;
mod process;
mod rot;
mod seat;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use klamm_core::batch::Compression;
use klamm_core::config::Config;
use klamm_core::effect::Path;
use thiserror::Error;

use crate::checker::Checker;
use crate::client::{Client, KnownTopic, Surroundings};
use crate::decisions::{Decisions, Purpose};
use crate::digest::Digest;
use crate::disk::{Crash, Disk, Faults};
use crate::history::{AppendId, Entry, History};
use crate::layer::{Honest, Layer};
use crate::marks::Marks;
use crate::network::{Conditions, Network};
use crate::options::{Options, StrikeKind};
use crate::queue::Queue;
use crate::reader::read_logs;
use crate::script::Script;
use crate::setup::Installation;
use event::Event;
use process::{Phase, Process};
use rot::Rotten;

/// Everything in one run.
#[derive(Debug)]
pub struct World {
    options: Options,
    /// As they are now: what goes wrong ends with the first phase.
    current: Options,
    decisions: Decisions,
    queue: Queue<Event>,
    disk: Disk,
    network: Network,
    clients: Vec<Client>,
    history: History,
    /// Entries of the history that the checker has seen.
    observed: usize,
    checker: Checker,
    layer: Box<dyn Layer>,
    config: Config,
    topics: Vec<KnownTopic>,
    compression: Arc<dyn Compression>,
    process: Option<Process>,
    /// Partitions that this life of the broker does not serve.
    offline: Vec<String>,
    /// A bit is to flip at the next stop in good order.
    rot_wanted: bool,
    rotten: Option<Rotten>,
    strikes_done: usize,
    failed_starts: u32,
    crashes: u32,
    safety_events: u64,
    /// The first append of the second phase.
    first_healthy: Option<AppendId>,
    phase: RunPhase,
    digest: Digest,
    marks: Marks,
    failure: Option<String>,
    trace: bool,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunPhase {
    /// Faults are on.
    Safety,
    /// Faults are off: everything must come to its end, by this time.
    Liveness {
        deadline_micros: u64,
    },
    /// What was answered then has met one more crash: the broker must start again.
    Restarting {
        deadline_micros: u64,
    },
    /// The broker was asked to stop for the last time.
    Closing {
        deadline_micros: u64,
    },
    Over,
}

/// What a run that went well was like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The same for the same seed.
    pub digest: u64,
    /// Events that happened.
    pub events: u64,
    /// Those of the first phase.
    pub safety_events: u64,
    /// Appends that were acknowledged.
    pub acknowledged: usize,
    /// Crashes that struck.
    pub crashes: u32,
    /// Microseconds of the run's own time.
    pub micros: u64,
    /// What has happened.
    pub marks: Marks,
}

/// A run that failed, with what is needed to repeat it.
#[derive(Clone, Debug, Error)]
pub struct Failure {
    /// What is wrong.
    pub message: String,
    /// After how many events it was found.
    pub events: u64,
    /// The run.
    pub script: Script,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {} events: {}", self.events, self.message)
    }
}

/// Time for the second phase: more than the longest wait that the broker grants.
const LIVENESS_MICROS_MAX: u64 = 120_000_000;

/// Requests of each client in the second phase, which must all succeed.
const LIVENESS_REQUESTS: u64 = 2;

/// Starts that may fail one after another under faults before these are taken away.
const FAILED_STARTS_MAX: u32 = 5;

/// Delays that are far longer than others.
const LONG_DELAYS_PER_MILLE: u32 = 50;

/// How much longer.
const LONG_DELAY_FACTOR: u64 = 20;

/// The wall clock at the run's start.
const WALL_START_MS: i64 = 1_767_225_600_000;

impl World {
    /// The run of `seed`: its options are drawn too.
    pub fn from_seed(seed: u64) -> Self {
        let mut decisions = Decisions::from_seed(seed);
        let options = Options::draw(&mut decisions);
        Self::new(options, decisions)
    }

    /// A run that was written down.
    pub fn from_script(script: &Script) -> Self {
        Self::new(script.options.clone(), script.decisions())
    }

    /// A run with these options and choices.
    pub fn new(options: Options, mut decisions: Decisions) -> Self {
        let installation = Installation::new(&options);
        let mut disk = Disk::new();
        for (path, content) in &installation.files {
            disk.put(path, content);
        }
        disk.set_log_directories(installation.log_dirs.clone());
        disk.set_faults(faults_of(&options, &installation.log_dirs));
        let mut queue = Queue::default();
        queue.push(0, Event::Start);
        let clients: Vec<Client> = (0..options.clients as usize)
            .map(|number| Client::new(number, options.requests))
            .collect();
        for client in 0..clients.len() {
            queue.push(decisions.below(Purpose::Client, 20_000), Event::ClientConnects(client));
        }
        let topics = installation.topics.iter();
        let formats = topics.map(|topic| (topic.name.clone(), topic.format)).collect();
        Self {
            config: installation.config(&options),
            topics: installation.topics,
            checker: Checker::new(options.page_cache == 1).with_formats(formats),
            compression: Arc::new(klamm_runtime::compression::Codecs::default()),
            current: options.clone(),
            options,
            decisions,
            queue,
            disk,
            network: Network::default(),
            clients,
            history: History::default(),
            observed: 0,
            layer: Box::new(Honest),
            process: None,
            offline: Vec::new(),
            rot_wanted: false,
            rotten: None,
            strikes_done: 0,
            failed_starts: 0,
            crashes: 0,
            safety_events: 0,
            first_healthy: None,
            phase: RunPhase::Safety,
            digest: Digest::default(),
            marks: Marks::default(),
            failure: None,
            trace: false,
        }
    }

    /// Puts a layer between the machine and the world.
    pub fn with_layer(mut self, layer: Box<dyn Layer>) -> Self {
        self.layer = layer;
        self
    }

    /// Prints each event and what the broker has to say.
    pub fn with_trace(mut self) -> Self {
        self.trace = true;
        self
    }

    /// What the run is like.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Makes the run. A panic of the machine is a failure like others.
    pub fn run(mut self) -> Result<Report, Box<Failure>> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.run_events()));
        let message = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(message)) => Some(message),
            Err(panic) => Some(format!("panic: {}", panic_message(&*panic))),
        };
        let events = self.queue.taken();
        match message {
            Some(message) => {
                let script = Script::of(&self.options, &self.decisions);
                Err(Box::new(Failure { message, events, script }))
            }
            None => Ok(Report {
                digest: self.digest.value(),
                events,
                safety_events: self.safety_events,
                acknowledged: self.history.acknowledged(),
                crashes: self.crashes,
                micros: self.queue.now_micros(),
                marks: self.marks,
            }),
        }
    }

    fn run_events(&mut self) -> Result<(), String> {
        while self.phase != RunPhase::Over {
            self.strike()?;
            let event =
                self.queue.pop().ok_or("nothing is left to happen, and the run is not over")?;
            self.digest.add_number(self.queue.now_micros());
            event.fingerprint().into_iter().for_each(|part| self.digest.add_number(part));
            if self.trace {
                println!("{:>9} {:>6} {event:?}", self.queue.now_micros(), self.queue.taken());
            }
            self.happen(event);
            self.judge()?;
            self.advance_phase()?;
        }
        for (path, content) in self.disk.files() {
            self.digest.add(path.as_str().as_bytes());
            self.digest.add(content);
        }
        Ok(())
    }

    /// Ends the broker, if it is time.
    fn strike(&mut self) -> Result<(), String> {
        while let Some(strike) = self.current.strikes.get(self.strikes_done).copied() {
            if strike.at_event > self.queue.taken() || self.phase != RunPhase::Safety {
                break;
            }
            self.strikes_done += 1;
            match strike.kind {
                StrikeKind::Crash(crash) => self.crash(crash),
                StrikeKind::Stop => self.ask_to_stop(),
                StrikeKind::Rot => {
                    self.rot_wanted = true;
                    self.ask_to_stop();
                }
            }
            self.judge()?;
        }
        Ok(())
    }

    /// What has become visible is held against the promises.
    fn judge(&mut self) -> Result<(), String> {
        self.observe();
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if let Some(violation) = self.disk.take_violations().into_iter().next() {
            return Err(format!("disk: {violation}"));
        }
        match self.checker.take_broken().into_iter().next() {
            Some(broken) => Err(format!("promise: {broken}")),
            None => Ok(()),
        }
    }

    /// The checker takes in what has happened since.
    fn observe(&mut self) {
        for (_, entry) in &self.history.entries()[self.observed..] {
            self.checker.observe(entry);
            self.marks.told(entry);
        }
        self.observed = self.history.entries().len();
    }

    fn advance_phase(&mut self) -> Result<(), String> {
        match self.phase {
            RunPhase::Safety => {
                let sent_all = self.clients.iter().all(Client::is_done);
                let strikes_done = self.strikes_done == self.current.strikes.len();
                let is_up = self.is_ready() || self.failed_starts > FAILED_STARTS_MAX;
                let tired = self.queue.taken() >= self.current.events_max;
                if tired || (sent_all && is_up && (strikes_done || self.is_idle())) {
                    self.heal();
                }
            }
            RunPhase::Liveness { deadline_micros } => {
                self.check_deadline(deadline_micros, "requests are unanswered")?;
                if self.is_ready() && self.clients.iter().all(Client::is_done) {
                    self.phase = RunPhase::Restarting { deadline_micros };
                    let crash = self.last_crash();
                    self.crash(crash);
                }
            }
            RunPhase::Restarting { deadline_micros } => {
                self.check_deadline(deadline_micros, "the broker is not ready")?;
                if self.is_ready() {
                    self.phase = RunPhase::Closing { deadline_micros };
                    self.ask_to_stop();
                }
            }
            RunPhase::Closing { deadline_micros } => {
                self.check_deadline(deadline_micros, "the broker has not stopped")?;
            }
            RunPhase::Over => {}
        }
        Ok(())
    }

    fn check_deadline(&self, deadline_micros: u64, what: &str) -> Result<(), String> {
        if self.queue.now_micros() <= deadline_micros {
            return Ok(());
        }
        let unanswered: usize = self.clients.iter().map(Client::unanswered).sum();
        let phase = self.process.as_ref().map(|process| &process.phase);
        let effects = self.disk.open_effects().count();
        Err(format!(
            "liveness: {what} long after the last fault: {unanswered} of clients; the broker is \
             {phase:?}, with {effects} effects out"
        ))
    }

    /// Faults end. Whatever is broken in the broker's memory is healed by a start, as a person
    /// would.
    fn heal(&mut self) {
        let deadline_micros = self.queue.now_micros() + LIVENESS_MICROS_MAX;
        self.phase = RunPhase::Liveness { deadline_micros };
        self.safety_events = self.queue.taken();
        self.first_healthy = Some(self.history.next_append());
        self.disk.set_faults(Faults::default());
        self.current.reset_per_mille = 0;
        self.current.half_close_per_mille = 0;
        self.current.unknown_topic_per_mille = 0;
        self.current.acks_none_per_mille = 0;
        for number in 0..self.clients.len() {
            self.clients[number].set_requests(LIVENESS_REQUESTS);
            self.queue.push(0, Event::ClientSends(number));
        }
        if self.process.as_ref().is_some_and(|process| process.disk_failed) {
            let crash = self.last_crash();
            self.crash(crash);
        }
    }

    fn last_crash(&mut self) -> Crash {
        match self.decisions.below(Purpose::Crash, 4) {
            0 => Crash::Killed,
            _ => Crash::PowerLoss,
        }
    }

    fn is_ready(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.phase == Phase::Ready)
    }

    /// Clients have no more to say: strikes that are far away would wait for nothing.
    fn is_idle(&self) -> bool {
        let next = self.current.strikes.get(self.strikes_done);
        next.is_none_or(|strike| strike.at_event > self.queue.taken() + 200)
    }

    fn conditions(&self) -> Conditions {
        Conditions {
            piece_bytes_max: self.current.piece_bytes_max,
            micros_max: self.current.network_micros_max,
            reset_per_mille: self.current.reset_per_mille as u32,
        }
    }

    fn wall_ms(&self) -> i64 {
        WALL_START_MS + (self.queue.now_micros() / 1000) as i64
    }

    /// A wait inside the process. Now and then a long one: a thread that was not scheduled.
    fn process_delay(&mut self) -> u64 {
        self.delay(self.current.process_micros_max)
    }

    /// A step of a file operation. Now and then a long one: a queue in the disk.
    fn disk_delay(&mut self) -> u64 {
        self.delay(self.current.disk_micros_max)
    }

    fn delay(&mut self, micros_max: u64) -> u64 {
        let micros = self.decisions.between(Purpose::Delay, 0, micros_max);
        let is_long = self.decisions.chance(Purpose::Delay, LONG_DELAYS_PER_MILLE);
        if is_long { micros * LONG_DELAY_FACTOR } else { micros }
    }

    fn record(&mut self, entry: Entry) {
        self.history.push(self.queue.now_micros(), entry);
    }

    /// Runs something of a client's.
    fn with_client<T>(
        &mut self,
        number: usize,
        act: impl FnOnce(&mut Client, &mut Surroundings<'_>) -> T,
    ) -> T {
        let wall_ms = self.wall_ms();
        let mut around = Surroundings {
            options: &self.current,
            topics: &self.topics,
            decisions: &mut self.decisions,
            history: &mut self.history,
            now_micros: self.queue.now_micros(),
            wall_ms,
        };
        act(&mut self.clients[number], &mut around)
    }

    /// Holds the disk against what was promised.
    fn check_disk(&mut self) {
        match read_logs(&self.disk, &self.config.log_dirs) {
            Ok(logs) => {
                // What was answered just now counts.
                self.observe();
                if self.process.is_none() && matches!(self.phase, RunPhase::Closing { .. }) {
                    self.marks.stored(&logs);
                }
                let offline = &self.offline;
                self.checker.check(&logs, |target| !offline.contains(&target.to_string()));
            }
            Err(twice) => self.fail(twice),
        }
    }

    fn fail(&mut self, message: String) {
        self.failure.get_or_insert(message);
    }
}

fn faults_of(options: &Options, log_dirs: &[Path]) -> Faults {
    let within = options.faulty_dir.checked_sub(1).and_then(|index| log_dirs.get(index as usize));
    Faults {
        within: within.cloned(),
        write_per_mille: options.write_fault_per_mille as u32,
        sync_per_mille: options.sync_fault_per_mille as u32,
        read_per_mille: options.read_fault_per_mille as u32,
        entry_per_mille: options.entry_fault_per_mille as u32,
        capacity: (options.capacity_bytes > 0).then_some(options.capacity_bytes),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of an unknown kind")
}
