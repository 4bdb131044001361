//! Every crash point of a small history: the same run again and again, and each time the broker
//! ends before another event, in start-up, in service, in shutdown and in the start-up behind it.

use crate::decisions::Decisions;
use crate::disk::Crash;
use crate::options::{Options, Strike, StrikeKind};
use crate::world::{Failure, Report, World};

/// A small history: what it is like, and the seed of its choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmallHistory {
    /// Its options, with a stop near its end.
    pub options: Options,
    /// Of its choices.
    pub seed: u64,
}

/// How many small histories there are: of produces, of logs that roll and are cut by retention, and
/// of topics that come and go.
pub const SMALL_HISTORIES: u64 = 32;

/// The first one with rolls and retention.
const FIRST_WITH_ROLLS: u64 = 20;

/// The first one with administrators.
const FIRST_WITH_TOPICS: u64 = 24;

impl SmallHistory {
    /// History `number` of [`SMALL_HISTORIES`]. Fails when the run does without any crash.
    pub fn new(number: u64) -> Result<Self, Box<Failure>> {
        let seed = 1_000 + number;
        let mut options = match number {
            FIRST_WITH_TOPICS.. => with_topics(number),
            FIRST_WITH_ROLLS.. => with_rolls(number),
            _ => of_produces(number),
        };
        let calm = World::new(options.clone(), Decisions::from_seed(seed)).run()?;
        let at_event = calm.safety_events.saturating_sub(1);
        options.strikes.push(Strike { at_event, kind: StrikeKind::Stop });
        Ok(Self { options, seed })
    }

    /// The run without a crash.
    pub fn calm(&self) -> Result<Report, Box<Failure>> {
        World::new(self.options.clone(), Decisions::from_seed(self.seed)).run()
    }

    /// The run with a crash before event `at_event`.
    pub fn with_crash(&self, at_event: u64, crash: Crash) -> World {
        let mut options = self.options.clone();
        options.strikes.push(Strike { at_event, kind: StrikeKind::Crash(crash) });
        options.strikes.sort_by_key(|strike| strike.at_event);
        World::new(options, Decisions::from_seed(self.seed))
    }

    /// Tries every `step`-th crash point from `first` on, both kinds. Gives how many were tried.
    pub fn try_crash_points(&self, first: u64, step: usize) -> Result<u64, Box<Failure>> {
        let mut tried = 0;
        let points = self.calm()?.safety_events;
        for at_event in (first..points).step_by(step) {
            for crash in [Crash::Killed, Crash::PowerLoss] {
                self.with_crash(at_event, crash).run()?;
                tried += 1;
            }
        }
        Ok(tried)
    }
}

/// A few produces, in each mode, with small segments and large ones, in old directories and new ones.
fn of_produces(number: u64) -> Options {
    Options {
        requests: 2 + number % 3,
        partitions: 1 + number % 2,
        request_partitions_max: 1 + number % 2,
        log_dirs: 1 + number / 10,
        partition_dirs: number / 2 % 2,
        page_cache: u64::from(number % 5 == 4),
        segment_bytes: if number % 4 == 3 { 2048 } else { 1 << 20 },
        ..Options::calm()
    }
}

/// A segment for every batch or two, and retention that takes the oldest while others come.
fn with_rolls(number: u64) -> Options {
    Options {
        requests: 6,
        segment_bytes: 600,
        value_bytes_max: 200,
        retention_bytes: 900,
        retention_ms: number % 2 * 20,
        task_interval_ms: 5,
        file_delete_delay_ms: 1,
        checkpoint_interval_ms: 4,
        page_cache: number / 2 % 2,
        ..Options::calm()
    }
}

/// Topics that are made, written to, grown, deleted and made again.
fn with_topics(number: u64) -> Options {
    Options {
        requests: 3,
        log_dirs: 1 + number % 2,
        administrators: 1,
        administrator_requests: 5,
        passing_topics: 1,
        passing_partitions: 2,
        task_interval_ms: 10,
        file_delete_delay_ms: 1,
        page_cache: number / 2 % 2,
        ..Options::calm()
    }
}
