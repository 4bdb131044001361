//! When a server is stopped, woken and killed: all of it from a seed.

use std::time::Duration;

use klamm_sim::decisions::{Decisions, Purpose};

/// The moments of one trial.
#[derive(Debug)]
pub(super) struct Moments(Decisions);

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Killed as it serves.
    Killed,
    /// Killed as it stands still.
    KilledInPause,
    /// Asked to stop, and killed after this time, if it is still there.
    KilledInStop(Duration),
    /// Asked to stop.
    Stopped,
}

/// One round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// Starts that are killed before the one that serves, each after this time.
    pub(super) killed_starts: Vec<Duration>,
    /// It waits for its share of the acknowledged appends, before its time runs.
    pub(super) has_share: bool,
    /// Each pause: after which time, and how long.
    pub(super) pauses: Vec<(Duration, Duration)>,
    /// Then, after this time, it ends.
    pub(super) rest: Duration,
    /// How.
    pub(super) end: End,
}

impl Moments {
    pub(super) fn from_seed(seed: u64) -> Self {
        Self(Decisions::from_seed(seed))
    }

    /// A number that nothing else has been seeded with.
    pub(super) fn seed(&mut self) -> u64 {
        self.0.below(Purpose::Broker, u64::MAX)
    }

    pub(super) fn round(&mut self) -> Round {
        let killed_starts = if self.one_in(3) { self.several(1, 3, 80) } else { Vec::new() };
        let pauses = if self.one_in(2) { self.several(1, 3, 60) } else { Vec::new() };
        Round {
            killed_starts,
            has_share: !self.one_in(3),
            pauses: pauses.into_iter().map(|after| (after, self.up_to(300))).collect(),
            rest: self.up_to(300),
            end: match self.0.below(Purpose::Delay, 10) {
                0 => End::Stopped,
                1 | 2 => End::KilledInStop(self.up_to(30)),
                3 | 4 => End::KilledInPause,
                _ => End::Killed,
            },
        }
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.0.below(Purpose::Delay, of) == 0
    }

    fn several(&mut self, low: u64, high: u64, ms: u64) -> Vec<Duration> {
        let count = self.0.between(Purpose::Delay, low, high);
        (0..count).map(|_| self.up_to(ms)).collect()
    }

    fn up_to(&mut self, ms: u64) -> Duration {
        Duration::from_micros(self.0.below(Purpose::Delay, ms * 1000))
    }
}
