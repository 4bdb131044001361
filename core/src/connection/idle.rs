//! Ending a connection on which nothing moves (`connections.max.idle.ms`).

use crate::config::Limits;
use crate::time::{Instant, Millis, Now};

/// The time since something was last received, answered or sent.
#[derive(Debug)]
pub(super) struct Idle {
    wait_ms: Option<u64>,
    /// Something has moved since the deadline was set.
    moved: bool,
    deadline: Option<Instant>,
}

impl Idle {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { wait_ms: limits.connection_idle_ms, moved: true, deadline: None }
    }

    /// Something has moved; when is told by the next [`settle`](Self::settle).
    pub(super) fn note(&mut self) {
        self.moved = true;
    }

    /// Begins the wait anew if something has moved.
    pub(super) fn settle(&mut self, now: Now) {
        if core::mem::take(&mut self.moved) {
            self.deadline = self.wait_ms.map(|wait_ms| now.mono + Millis(wait_ms));
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long nothing has moved, when that is too long.
    pub(super) fn expired(&self, now: Now) -> Option<u64> {
        self.deadline.filter(|deadline| *deadline <= now.mono).and(self.wait_ms)
    }
}
