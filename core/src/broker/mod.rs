//! The broker: the only shared state of a node; a driver keeps it behind one lock.

pub mod image;
pub mod topic_config;

use alloc::string::String;
use alloc::sync::Arc;

use crate::config::Config;
use crate::connection::ConnectionError;
use crate::effect::{Completion, Effect, FileRange, IoError};
use crate::event::Event;
use crate::ids::{ConnectionId, EffectId, JobId};
use crate::job::{Job, JobResult};
use crate::request::{Request, Response};
use crate::time::{Instant, Now};
use image::Image;

/// Who connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The name of the listener that it came in by.
    pub listener: Arc<str>,
    /// Its address, as text.
    pub address: String,
}

/// How the broker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As asked; everything is on disk. Exit code 0.
    Clean,
    /// It could not go on: one line that names directory, file and error. Exit code 1.
    Failed(String),
}

/// What the broker wants done. Drain it wholly after each `handle_*`.
#[derive(Debug)]
pub enum Output {
    /// Carry it out and hand its completion in.
    Effect(EffectId, Effect),
    /// Give it to a worker and hand its result in.
    Job(JobId, Job),
    /// For the connection's mailbox; dropped when the connection is gone.
    Response(ConnectionId, Response),
    /// Close the connection once what it has been given is sent.
    Close(ConnectionId),
    /// For the log.
    Event(Event),
    /// Start-up is done: accept connections.
    Ready,
    /// The broker has ended; nothing follows.
    Stopped(Exit),
}

/// One node's broker.
#[derive(Debug)]
pub struct Broker {}

impl Broker {
    /// Start-up begins: drain it at once.
    pub fn new(config: Config, seed: [u8; 32], now: Now) -> Self {
        let _ = (config, seed, now);
        Self {}
    }

    /// A connection was accepted.
    pub fn handle_connect(&mut self, id: ConnectionId, peer: Peer, now: Now) {
        let _ = (id, peer, now);
    }

    /// A request of a connection that is there.
    pub fn handle_request(&mut self, from: ConnectionId, request: Request, now: Now) {
        let _ = (from, request, now);
    }

    /// The connection is gone: once, last. `error` is the peer's fault, if it was one.
    pub fn handle_disconnect(
        &mut self,
        id: ConnectionId,
        error: Option<ConnectionError>,
        now: Now,
    ) {
        let _ = (id, error, now);
    }

    /// The answer to an effect of the broker's own (a job's completions go to the job).
    pub fn handle_completion(&mut self, id: EffectId, result: Completion, now: Now) {
        let _ = (id, result, now);
    }

    /// A job has ended.
    pub fn handle_job(&mut self, id: JobId, result: JobResult, now: Now) {
        let _ = (id, result, now);
    }

    /// A range could not be sent in full, by the file's fault.
    pub fn handle_range_failed(&mut self, range: &FileRange, error: IoError, now: Now) {
        let _ = (range, error, now);
    }

    /// The clock has reached [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }

    /// Asked to stop.
    pub fn handle_shutdown(&mut self, now: Now) {
        let _ = now;
    }

    /// The next thing to do.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The present image.
    pub fn image(&self) -> &Arc<Image> {
        unreachable!("placeholder")
    }
}
