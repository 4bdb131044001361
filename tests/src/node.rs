//! One broker on a disk in memory, and clients that are buffers: the machines' answers without
//! sockets, threads or clocks. Each effect is carried out at once, and time passes only where a
//! client waits.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use klamm_core::batch::Compression;
use klamm_core::config::Config;
use klamm_core::effect::{Completion, Effect, FileRange};
use klamm_core::event::Event;
use klamm_core::ids::{ConnectionId, EffectId, JobId};
use klamm_core::request::{Request, Response};
use klamm_core::time::{Instant, Millis, Now};
use klamm_core::{Broker, Chunk, Connection, ConnectionError, Exit, Job, JobResult, Output, Peer};

use klamm_sim::decisions::Decisions;
use klamm_sim::disk::{Disk, Progress, ServedLevel};

/// A broker that has started.
#[derive(Debug)]
pub struct Node {
    broker: Broker,
    disk: Disk,
    decisions: Decisions,
    now: Now,
    /// The wall clock at the start.
    started_ms: i64,
    config: Config,
    compression: Arc<dyn Compression>,
    responses: BTreeMap<ConnectionId, Vec<Response>>,
    events: Vec<Event>,
    is_ready: bool,
    exit: Option<Exit>,
    connections: u64,
}

impl Node {
    /// Starts a broker on `disk`.
    ///
    /// # Panics
    /// When it does not come to be ready.
    pub fn start(
        config: Config,
        disk: Disk,
        compression: Arc<dyn Compression>,
        wall_ms: i64,
    ) -> Self {
        let now = Now { mono: Instant::ZERO, wall_ms };
        let for_jobs = Arc::clone(&compression);
        let mut node = Self {
            broker: Broker::new(config.clone(), [7; 32], for_jobs, now),
            disk,
            decisions: Decisions::from_seed(0),
            now,
            started_ms: wall_ms,
            config,
            compression,
            responses: BTreeMap::new(),
            events: Vec::new(),
            is_ready: false,
            exit: None,
            connections: 0,
        };
        node.settle();
        assert!(node.is_ready, "not ready: {:?} {:?}", node.exit, node.events);
        node
    }

    /// What it had to say since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    /// A new client.
    pub fn connect(&mut self) -> Client {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        let listener = Arc::from(&*self.config.listeners[0].name);
        let peer = Peer { listener, address: "127.0.0.1:50000".to_owned() };
        self.broker.handle_connect(id, peer, self.now);
        self.settle();
        let limits = self.config.limits.clone();
        Client {
            connection: Connection::new(id, limits, Arc::clone(&self.compression)),
            input: BytesMut::new(),
            charged: 0,
            charged_most: 0,
            error: None,
        }
    }

    /// The broker's clock.
    pub fn clock(&self) -> Instant {
        self.now.mono
    }

    /// Lets time pass to what the broker has to do next, if that is due by `end`.
    fn pass_time(&mut self, end: Instant) -> bool {
        let Some(due) = self.broker.poll_timeout().filter(|due| *due <= end) else { return false };
        self.now.mono = self.now.mono.max(due);
        self.now.wall_ms = self.started_ms + (self.now.mono.as_micros() / 1_000) as i64;
        self.broker.handle_timeout(self.now);
        self.settle();
        true
    }

    fn request(&mut self, from: ConnectionId, request: Request) {
        self.broker.handle_request(from, request, self.now);
        self.settle();
    }

    /// Carries everything out, until nothing is left to do.
    fn settle(&mut self) {
        let mut outputs: Vec<Output> = Vec::new();
        loop {
            outputs.extend(std::iter::from_fn(|| self.broker.poll_output()));
            if outputs.is_empty() {
                let due = self.broker.poll_timeout().filter(|due| *due <= self.soon());
                let Some(due) = due else { return };
                self.now.mono = due;
                self.broker.handle_timeout(self.now);
                continue;
            }
            for output in mem::take(&mut outputs) {
                self.carry_out(output);
                outputs.extend(std::iter::from_fn(|| self.broker.poll_output()));
            }
        }
    }

    /// What is due by then was left over from a turn.
    fn soon(&self) -> Instant {
        Instant::from_micros(self.now.mono.as_micros() + 1)
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Effect(id, effect) => {
                let completion = self.effect(id, effect);
                self.broker.handle_completion(id, completion, self.now);
            }
            Output::Job(id, job) => {
                let result = self.run(id, job);
                self.broker.handle_job(id, result, self.now);
            }
            Output::Response(to, response) => {
                self.responses.entry(to).or_default().push(response);
            }
            Output::Close(_) => panic!("nothing is shut down here"),
            Output::Event(event) => self.events.push(event),
            Output::Ready => {
                self.disk.set_live();
                self.is_ready = true;
            }
            Output::Stopped(exit) => self.exit = Some(exit),
        }
    }

    fn effect(&mut self, id: EffectId, effect: Effect) -> Completion {
        let wall_ms = self.now.wall_ms;
        self.disk.submit(id, effect, &mut self.decisions);
        loop {
            self.disk.start(id);
            if self.disk.take_hold(id, wall_ms, &mut self.decisions) == Progress::Finished {
                break;
            }
        }
        let completion = self.disk.complete(id);
        assert_eq!(self.disk.take_violations(), []);
        completion
    }

    /// A range as it leaves: all of it is there, and would survive a power loss.
    fn serve(&mut self, range: &FileRange) -> Bytes {
        let bytes = self.disk.serve(range, ServedLevel::Synced);
        assert_eq!(self.disk.take_violations(), []);
        bytes.unwrap_or_else(|| panic!("{range:?} is not there"))
    }

    fn run(&mut self, id: JobId, mut job: Job) -> JobResult {
        loop {
            while let Some((effect_id, effect)) = job.poll_effect() {
                assert_eq!(effect_id.owner, id);
                let completion = self.effect(effect_id, effect);
                job.handle_completion(effect_id, completion);
            }
            if let Some(result) = job.poll_done() {
                return result;
            }
        }
    }
}

/// A connection to a [`Node`], with its peer. The budget grants everything.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    input: BytesMut,
    charged: usize,
    charged_most: usize,
    error: Option<ConnectionError>,
}

impl Client {
    /// Sends bytes; gives what comes back for them.
    pub fn send(&mut self, node: &mut Node, bytes: &[u8]) -> Vec<u8> {
        self.input.extend_from_slice(bytes);
        self.go_round(node)
    }

    /// Waits for what is not answered yet, for so long by the broker's clock; gives what comes back.
    pub fn wait(&mut self, node: &mut Node, wait: Millis) -> Vec<u8> {
        let end = node.clock() + wait;
        let mut answers = Vec::new();
        while self.is_waiting() && node.pass_time(end) {
            answers.extend(self.go_round(node));
        }
        answers
    }

    /// Whether something is not answered yet.
    pub fn is_waiting(&self) -> bool {
        self.connection.unanswered() > 0
    }

    /// Ends the sending half; gives what still comes back.
    pub fn end(&mut self, node: &mut Node) -> Vec<u8> {
        self.connection.handle_end_of_input();
        self.go_round(node)
    }

    /// Whether the broker has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.connection.is_finished()
    }

    /// Why, if it was the peer's fault.
    pub fn error(&self) -> Option<&ConnectionError> {
        self.error.as_ref()
    }

    /// The most bytes of the budget that it ever held.
    pub fn charged_most(&self) -> usize {
        self.charged_most
    }

    /// Closes the socket.
    ///
    /// # Panics
    /// When a part of the budget has leaked.
    pub fn close(mut self, node: &mut Node) {
        self.connection.close();
        self.charged -= self.connection.poll_discharge();
        assert_eq!(self.charged, 0, "everything is given back");
        node.broker.handle_disconnect(self.connection.id(), self.error.take(), node.now);
        node.settle();
    }

    fn go_round(&mut self, node: &mut Node) -> Vec<u8> {
        let id = self.connection.id();
        let mut sent = Vec::new();
        loop {
            let taken = self.connection.handle_bytes(&mut self.input, node.now);
            self.note(taken);
            let wanted = self.connection.wants_charge();
            if wanted > 0 {
                self.charged += wanted;
                self.charged_most = self.charged_most.max(self.charged);
                self.connection.handle_charged();
                continue;
            }
            let image = Arc::clone(node.broker.image());
            match self.connection.poll_request(&image, node.now) {
                Some(Ok(request)) => node.request(id, request),
                Some(Err(error)) => self.note(Err(error)),
                None if !node.responses.contains_key(&id) => return sent,
                None => {}
            }
            for response in node.responses.remove(&id).unwrap_or_default() {
                self.connection.handle_response(response);
            }
            self.charged -= self.connection.poll_discharge();
            self.transmit(node, &mut sent);
        }
    }

    fn transmit(&mut self, node: &mut Node, sent: &mut Vec<u8>) {
        while let Some(chunk) = self.connection.poll_transmit() {
            match chunk {
                Chunk::Bytes(bytes) => sent.extend_from_slice(&bytes),
                Chunk::File(range) => sent.extend_from_slice(&node.serve(&range)),
            }
            self.connection.handle_transmitted(1);
        }
    }

    fn note(&mut self, result: Result<(), ConnectionError>) {
        if let Err(error) = result {
            assert_eq!(self.error.replace(error), None, "a fault is told once");
        }
    }
}
