//! What a node's turn needs of the broker.

use std::sync::Arc;

use klamm_core::broker::image::Image;
use klamm_core::effect::{Completion, FileRange, IoError};
use klamm_core::ids::{ConnectionId, EffectId, JobId};
use klamm_core::request::Request;
use klamm_core::time::{Instant, Now};
use klamm_core::{Broker, ConnectionError, JobResult, Output, Peer};

/// Everything that can be told to a machine.
#[derive(Debug)]
pub enum Input {
    /// A connection was accepted.
    Connect(ConnectionId, Peer),
    /// A connection asks.
    Request(ConnectionId, Request),
    /// An effect was carried out, or has failed.
    Completion(EffectId, Completion),
    /// A job has ended.
    JobDone(JobId, JobResult),
    /// A connection is gone: once, last. With the peer's fault, if it was one.
    Disconnect(ConnectionId, Option<ConnectionError>),
    /// A range could not be sent in full, by the file's fault.
    RangeFailed(FileRange, IoError),
    /// The deadline has come.
    Timeout,
    /// The node is to stop.
    Shutdown,
}

/// The machine behind the lock: the broker, or a test's toy.
pub trait Machine: Send + 'static {
    /// One mutation; drained wholly before the next.
    fn handle(&mut self, input: Input, now: Now);
    /// The next thing to do.
    fn poll_output(&mut self) -> Option<Output>;
    /// When [`Input::Timeout`] is due.
    fn poll_timeout(&self) -> Option<Instant>;
    /// The present image.
    fn image(&self) -> &Arc<Image>;
}

impl Machine for Broker {
    fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Connect(id, peer) => self.handle_connect(id, peer, now),
            Input::Request(from, request) => self.handle_request(from, request, now),
            Input::Completion(id, completion) => self.handle_completion(id, completion, now),
            Input::JobDone(id, result) => self.handle_job(id, result, now),
            Input::Disconnect(id, error) => self.handle_disconnect(id, error, now),
            Input::RangeFailed(range, error) => self.handle_range_failed(&range, &error, now),
            Input::Timeout => self.handle_timeout(now),
            Input::Shutdown => self.handle_shutdown(now),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        Self::poll_output(self)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Self::poll_timeout(self)
    }

    fn image(&self) -> &Arc<Image> {
        Self::image(self)
    }
}
