//! Jobs: long pieces of pure work with a state of their own. The broker starts one, a worker of the
//! driver owns it, no lock is held.

use alloc::vec::Vec;

use crate::effect::{Completion, Effect};
use crate::event::Event;
use crate::ids::EffectId;

/// A job. Drive it with: `poll_effect` until `None`, carry the effects out (any order), hand each
/// completion in, and again, until `poll_done` gives the result.
#[derive(Debug)]
pub struct Job {}

impl Job {
    /// The next effect to carry out.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        None
    }

    /// The answer to an effect of this job.
    pub fn handle_completion(&mut self, id: EffectId, result: Completion) {
        let _ = (id, result);
    }

    /// The result, once.
    #[must_use]
    pub fn poll_done(&mut self) -> Option<JobResult> {
        None
    }
}

/// What a job hands back to the broker, and what it has to say.
#[derive(Debug)]
pub struct JobResult {
    /// In the order in which they happened.
    pub events: Vec<Event>,
}
