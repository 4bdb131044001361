//! The broker's process: the machine, its connections, its jobs, and what dies with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_core::batch::Compression;
use klamm_core::broker::image::Image;
use klamm_core::config::Config;
use klamm_core::effect::Effect;
use klamm_core::ids::{ConnectionId, EffectId, JobId};
use klamm_core::time::{Instant, Now};
use klamm_core::{Broker, Exit, Job, Output};
use klamm_runtime::{Input, Machine};

use super::seat::{Budget, Seat};
use crate::queue::Ticket;

/// How far the process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Ready,
    /// Asked to stop.
    Stopping,
    /// The broker has ended; the process sends what is unsent.
    Ended(Exit),
}

/// One life of the broker.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) broker: Broker,
    pub(super) phase: Phase,
    started_micros: u64,
    pub(super) image: Arc<Image>,
    pub(super) seats: BTreeMap<ConnectionId, Seat>,
    pub(super) jobs: BTreeMap<JobId, Box<Job>>,
    pub(super) budget: Budget,
    pub(super) timer: Option<(Instant, Ticket)>,
    /// Effects that are out, and whether someone waits for their completion.
    pub(super) effects: BTreeMap<EffectId, (Effect, bool)>,
    /// It has served.
    pub(super) was_ready: bool,
    /// A file operation has failed in this life.
    pub(super) disk_failed: bool,
}

impl Process {
    /// Begins a life; its first outputs wait in the broker.
    pub(super) fn start(
        config: Config,
        seed: [u8; 32],
        compression: Arc<dyn Compression>,
        now_micros: u64,
        wall_ms: i64,
    ) -> Self {
        let budget = Budget::new(config.limits.request_budget_bytes);
        let now = Now { mono: Instant::ZERO, wall_ms };
        let broker = Broker::new(config, seed, compression, now);
        Self {
            image: Arc::clone(broker.image()),
            broker,
            phase: Phase::Starting,
            started_micros: now_micros,
            seats: BTreeMap::new(),
            jobs: BTreeMap::new(),
            budget,
            timer: None,
            effects: BTreeMap::new(),
            was_ready: false,
            disk_failed: false,
        }
    }

    /// Both clocks, as this process reads them.
    pub(super) fn now(&self, now_micros: u64, wall_ms: i64) -> Now {
        Now { mono: Instant::from_micros(now_micros - self.started_micros), wall_ms }
    }

    /// The time of a deadline of this process on the run's clock.
    pub(super) fn micros_of(&self, deadline: Instant) -> u64 {
        self.started_micros.saturating_add(deadline.as_micros())
    }

    /// What is left where nothing should be, long after the last request was answered. A stop waits for
    /// no job, nor for what that does.
    pub(super) fn left_over(&self) -> Option<String> {
        let of_broker = self.effects.keys().filter(|id| id.owner == JobId::BROKER);
        let (effects, bytes) = (of_broker.count(), self.budget.held());
        (effects + bytes > 0)
            .then(|| format!("{effects} effects and {bytes} bytes of the request budget"))
    }

    /// One mutation, then everything that it gave.
    pub(super) fn turn(&mut self, input: Option<Input>, now: Now) -> Vec<Output> {
        let is_timeout = matches!(input, Some(Input::Timeout));
        if let Some(input) = input {
            self.broker.handle(input, now);
        }
        let outputs: Vec<Output> = std::iter::from_fn(|| self.broker.poll_output()).collect();
        self.image = Arc::clone(self.broker.image());
        let is_due = || self.broker.poll_timeout().is_some_and(|deadline| deadline <= now.mono);
        assert!(!is_timeout || !is_due(), "a deadline that stays due makes the timer spin");
        outputs
    }
}
