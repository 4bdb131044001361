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

mod cluster;
mod driver;
mod event;
mod groups;
mod marking;
mod outside;
mod phases;
mod process;
mod replacing;
mod retention;
mod rot;
mod seat;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use klamm_core::api::ApiKey;
use klamm_core::batch::Compression;
use klamm_core::config::Config;
use klamm_core::effect::Path;
use thiserror::Error;

use crate::checker::Checker;
use crate::client::{Client, KnownTopic, Surroundings, is_served};
use crate::decisions::{Decisions, Purpose};
use crate::digest::Digest;
use crate::disk::{Disk, Faults};
use crate::history::{AppendId, Entry, History, QuestionId, TopicPartition, is_passing};
use crate::ladder::Ladder;
use crate::layer::{Honest, Layer};
use crate::marks::Marks;
use crate::metadata::Sighting;
use crate::network::{Conditions, Network};
use crate::options::{Options, StrikeKind};
use crate::program::Program;
use crate::queue::Queue;
use crate::reader::{StoredLog, read_logs};
use crate::script::Script;
use crate::setup::Installation;
use event::Event;
use phases::RunPhase;
use process::{Phase, Process};
use replacing::Replacements;
use retention::{Limits, Looked};
pub use rot::Excuse;
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
    /// Partitions that this life of the broker does not serve, and why.
    offline: BTreeMap<String, String>,
    /// A bit is to flip at the next stop in good order.
    rot_wanted: bool,
    rotten: Option<Rotten>,
    /// What administrators have told topics to keep, by name.
    limits: BTreeMap<String, Limits>,
    /// How far retention has gone in topics that no client had heard of then.
    unheard: BTreeMap<TopicPartition, i64>,
    looked: Looked,
    /// Segments that others take the place of.
    replacements: Replacements,
    /// The last metadata record in the newest image that was published.
    metadata_offset: i64,
    /// Topics that come and go, as they were seen last in an image, and whether they are there.
    seen_topics: BTreeMap<String, (Sighting, bool)>,
    strikes_done: usize,
    failed_starts: u32,
    crashes: u32,
    requests: u64,
    safety_events: u64,
    /// More events than that are none of a run that is looked for.
    bound_events: u64,
    crash_points: Vec<u64>,
    /// The first append and the first question of the second phase.
    first_healthy: Option<(AppendId, QuestionId)>,
    /// By how much the wall clock was set.
    wall_shift_ms: i64,
    /// The latest time that it has shown, beyond what passes.
    wall_ms_max: i64,
    phase: RunPhase,
    digest: Digest,
    marks: Marks,
    failure: Option<String>,
    ladder: Option<Ladder>,
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
    /// After how many events of the first phase a crash leaves something else than one event before.
    pub crash_points: Vec<u64>,
    /// Requests that clients have sent.
    pub requests: u64,
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

/// The wall clock steps in this time, from the run's start.
const WALL_STEPS_MICROS: u64 = 3_000_000;

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
        let clients = clients_of(&options);
        for client in 0..clients.len() {
            queue.push(decisions.below(Purpose::Client, 20_000), Event::ClientConnects(client));
        }
        for _ in 0..options.wall_steps {
            queue.push(decisions.below(Purpose::Wall, WALL_STEPS_MICROS), Event::WallSteps);
        }
        let topics = installation.topics.iter();
        let formats = topics.map(|topic| (topic.name.clone(), topic.format)).collect();
        let mut checker = Checker::new(options.page_cache == 1).with_formats(formats);
        if options.wall_steps > 0 {
            checker = checker.with_wall_steps();
        }
        if options.offsets_retention_ms > 0 {
            checker = checker.with_offsets_retention(options.offsets_retention_ms);
        }
        if disk_may_fail(&options) {
            checker = checker.with_lost_groups();
        }
        Self {
            config: installation.config(&options),
            topics: installation.topics,
            checker,
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
            offline: BTreeMap::new(),
            rot_wanted: false,
            rotten: None,
            limits: BTreeMap::new(),
            unheard: BTreeMap::new(),
            looked: Looked::default(),
            replacements: Replacements::new(),
            metadata_offset: -1,
            seen_topics: BTreeMap::new(),
            strikes_done: 0,
            failed_starts: 0,
            crashes: 0,
            requests: 0,
            safety_events: 0,
            bound_events: u64::MAX,
            crash_points: Vec::new(),
            first_healthy: None,
            wall_shift_ms: 0,
            wall_ms_max: WALL_START_MS,
            phase: RunPhase::Safety,
            digest: Digest::default(),
            marks: Marks::default(),
            failure: None,
            ladder: None,
        }
    }

    /// Puts a layer between the machine and the world.
    pub fn with_layer(mut self, layer: Box<dyn Layer>) -> Self {
        self.layer = layer;
        self
    }

    /// Lets client logic of a tester's own take part. Its topics are its own affair: the checkers
    /// look only at those that it tells the history of.
    pub fn with_program(mut self, program: Box<dyn Program>) -> Self {
        let client = self.clients.len();
        self.clients.push(Client::program(client, program));
        let delay = self.decisions.below(Purpose::Program, 20_000);
        self.queue.push(delay, Event::ClientConnects(client));
        self
    }

    /// Gives the broker other settings than the run's options say.
    pub fn with_config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Lets the run fail when it takes more events than that, whatever else becomes of it.
    pub fn within(mut self, events: u64) -> Self {
        self.bound_events = events;
        self
    }

    /// Tells the run as it happens.
    pub fn with_ladder(mut self, mut ladder: Ladder) -> Self {
        self.topics.iter().for_each(|topic| ladder.learn(topic.id, &topic.name));
        self.ladder = Some(ladder);
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
        match &message {
            Some(message) => self.tell(|ladder| ladder.goes_badly(&format!("FAILED {message}"))),
            None => self.tell(|ladder| ladder.goes_well("the run is over, and went well")),
        }
        match message {
            Some(message) => {
                let script = Script::of(&self.options, &self.decisions);
                Err(Box::new(Failure { message, events, script }))
            }
            None => Ok(Report {
                digest: self.digest.value(),
                events,
                safety_events: self.safety_events,
                crash_points: self.crash_points,
                requests: self.requests,
                acknowledged: self.history.acknowledged(),
                crashes: self.crashes,
                micros: self.queue.now_micros(),
                marks: self.marks,
            }),
        }
    }

    fn run_events(&mut self) -> Result<(), String> {
        while self.phase != RunPhase::Over {
            if self.queue.taken() >= self.bound_events {
                return Err("it takes more events than it may".to_owned());
            }
            self.strike()?;
            let event =
                self.queue.pop().ok_or("nothing is left to happen, and the run is not over")?;
            self.digest.add_number(self.queue.now_micros());
            event.fingerprint().into_iter().for_each(|part| self.digest.add_number(part));
            let now_micros = self.queue.now_micros();
            self.tell(|ladder| ladder.at(now_micros));
            if self.phase == RunPhase::Safety && event.changes_what_is_left() {
                self.crash_points.push(self.queue.taken());
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
        self.wall_ms_max = self.wall_ms_max.max(self.wall_ms());
        if self.observed == self.history.entries().len() {
            return;
        }
        let told = |(_, entry): &(u64, Entry)| matches!(entry, Entry::Told { .. });
        if self.history.entries()[self.observed..].iter().any(told) {
            self.allow_retention();
        }
        let asked = self.history.entries()[self.observed..].iter();
        let asked = asked.filter_map(|(_, entry)| match entry {
            Entry::Changing { subject, what, .. } => Some((subject.clone(), what.clone())),
            _ => None,
        });
        for (subject, what) in asked.collect::<Vec<_>>() {
            self.note_limits(&subject, &what);
        }
        for (micros, entry) in &self.history.entries()[self.observed..] {
            self.checker.observe(*micros, entry);
            self.marks.told(entry);
        }
        self.observed = self.history.entries().len();
    }

    /// Something for the ladder, if there is one.
    fn tell(&mut self, act: impl FnOnce(&mut Ladder)) {
        if let Some(ladder) = &mut self.ladder {
            act(ladder);
        }
    }

    fn is_ready(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.phase == Phase::Ready)
    }

    fn conditions(&self) -> Conditions {
        Conditions {
            piece_bytes_max: self.current.piece_bytes_max,
            pieces_max: self.current.pieces_max,
            micros_max: self.current.network_micros_max,
            reset_per_mille: self.current.reset_per_mille as u32,
        }
    }

    fn wall_ms(&self) -> i64 {
        WALL_START_MS + self.wall_shift_ms + (self.queue.now_micros() / 1000) as i64
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
        let is_quiet = self.clients.iter().all(|client| !client.is_producer() || client.is_done());
        let mut around = Surroundings {
            options: &self.current,
            topics: &mut self.topics,
            decisions: &mut self.decisions,
            history: &mut self.history,
            now_micros: self.queue.now_micros(),
            wall_ms,
            excused: self.rotten.as_ref().map_or(&[], |rotten| &rotten.excused),
            is_quiet,
        };
        act(&mut self.clients[number], &mut around)
    }

    /// Holds the disk against what was promised.
    fn check_disk(&mut self) {
        match read_logs(&self.disk, &self.config.log_dirs, |target| self.is_compacted(target)) {
            Ok(mut logs) => {
                // What was answered just now counts.
                self.observe();
                if self.process.is_none() && matches!(self.phase, RunPhase::Closing { .. }) {
                    self.marks.stored(&logs);
                }
                let mut out: BTreeSet<String> = self.offline.keys().cloned().collect();
                out.extend(self.excused().iter().map(|excuse| excuse.target.directory()));
                logs.retain(|target, _| self.is_judged(target));
                if self.process.is_none() {
                    self.find_starts(&mut logs);
                }
                self.checker.pass_to(self.queue.now_micros());
                self.checker.check(&logs, |target| !out.contains(&target.directory()));
            }
            Err(twice) => self.fail(twice),
        }
    }

    /// The broker has stopped in good order: where logs start is what it has written down.
    fn find_starts(&self, logs: &mut BTreeMap<TopicPartition, StoredLog>) {
        for (target, log) in logs.iter_mut().filter(|(_, log)| log.is_compacted) {
            let log_dir = Path::new(&log.directory).parent();
            let content = self.disk.content(&log_dir.join("log-start-offset-checkpoint"));
            // Where nothing was written down, nothing is deleted.
            log.start = content.map_or(Some(0), |content| start_in(content, target));
        }
    }

    /// Only the last record of each key has to stay.
    pub(super) fn is_compacted(&self, target: &TopicPartition) -> bool {
        let known = self.topics.iter().find(|topic| topic.name == target.name());
        known.is_some_and(|topic| topic.format.is_compacted())
    }

    /// Topics that programs have made are theirs, unless they tell the history of them.
    fn is_judged(&self, target: &TopicPartition) -> bool {
        is_passing(target.name())
            || self.topics.iter().any(|topic| topic.name == target.name())
            || self.checker.log(target).is_some()
    }

    /// The programs look at the disk.
    fn check_programs(&mut self) {
        if !self.clients.iter().any(Client::is_program) {
            return;
        }
        let found =
            read_logs(&self.disk, &self.config.log_dirs, |target| self.is_compacted(target))
                .and_then(|logs| {
                    let told = |client: &Client| client.check(&logs);
                    self.clients.iter().try_for_each(told)
                });
        if let Err(what) = found {
            self.fail(format!("program: {what}"));
        }
    }

    fn fail(&mut self, message: String) {
        self.failure.get_or_insert(message);
    }
}

/// All of a run's clients, those left out whose requests the broker does not serve.
fn clients_of(options: &Options) -> Vec<Client> {
    let idempotent = if is_served(ApiKey::INIT_PRODUCER_ID) { options.idempotent } else { 0 };
    let consumers = if is_served(ApiKey::FETCH) { options.consumers } else { 0 };
    let inquirers = options.inquirers;
    // What they administer are topics that come and go.
    let is_administered = is_served(ApiKey::CREATE_TOPICS) && options.passing_topics > 0;
    let administrators = if is_administered { options.administrators } else { 0 };
    let is_coordinated = is_served(ApiKey::JOIN_GROUP);
    let members = if is_coordinated { options.members } else { 0 };
    let overseers = if is_coordinated { options.overseers } else { 0 };
    let others = options.clients + consumers + inquirers + administrators;
    let mut clients = Vec::new();
    for place in 0..others + members + overseers {
        let number = clients.len();
        clients.push(if place < idempotent.min(options.clients) {
            Client::idempotent(number, options.requests)
        } else if place < options.clients {
            Client::new(number, options.requests)
        } else if place < options.clients + consumers {
            Client::consumer(number, options.consumer_requests)
        } else if place < options.clients + consumers + inquirers {
            Client::inquirer(number, options.inquirer_requests)
        } else if place < others {
            Client::administrator(number, options.administrator_requests)
        } else if place < others + members {
            Client::member(number, options.member_requests)
        } else {
            Client::overseer(number, options.overseer_requests)
        });
    }
    clients
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

/// A partition's line in a checkpoint: `topic partition offset`. Where there is none it starts at 0; `None` when the
/// file cannot be read.
fn start_in(content: &[u8], target: &TopicPartition) -> Option<i64> {
    let mut lines = std::str::from_utf8(content).ok()?.lines();
    (lines.next()? == "0").then_some(())?;
    let count: usize = lines.next()?.parse().ok()?;
    let lines: Vec<&str> = lines.collect();
    (lines.len() == count).then_some(())?;
    let named = format!("{} {} ", target.name(), target.partition);
    let start = lines.iter().find_map(|line| line.strip_prefix(&named));
    start.map_or(Some(0), |start| start.parse().ok())
}

/// Operations may fail, or bits flip.
fn disk_may_fail(options: &Options) -> bool {
    let rates = [
        options.write_fault_per_mille,
        options.sync_fault_per_mille,
        options.read_fault_per_mille,
        options.entry_fault_per_mille,
        options.capacity_bytes,
    ];
    let rots = options.strikes.iter().any(|strike| strike.kind == StrikeKind::Rot);
    rots || rates.into_iter().any(|rate| rate > 0)
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of an unknown kind")
}
