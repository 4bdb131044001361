//! Many seeds, one after another.

use std::time::{Duration, Instant};

use klamm_sim::marks::Marks;
use klamm_sim::world::{Failure, Report};

use crate::failures::Failures;
use crate::{Runs, say};

/// Which seeds, and for how long at most.
pub(crate) struct Search {
    pub(crate) seeds: u64,
    pub(crate) from: u64,
    pub(crate) minutes: Option<u64>,
}

/// How often the progress is told.
const PROGRESS_PAUSE: Duration = Duration::from_secs(10);

/// What the runs so far were like.
#[derive(Default)]
struct Totals {
    seeds: u64,
    failures: u64,
    events: u64,
    requests: u64,
    acknowledged: usize,
    crashes: u32,
    marks: Marks,
}

impl Search {
    /// Runs them, and tells of each that fails as it does. True when none did.
    pub(crate) fn run(&self, runs: &Runs, failures: &Failures) -> bool {
        let mut totals = Totals::default();
        let (begun, mut told) = (Instant::now(), Instant::now());
        let most = self.minutes.map(|minutes| Duration::from_secs(minutes * 60));
        for seed in self.from..self.from.saturating_add(self.seeds) {
            if most.is_some_and(|most| begun.elapsed() >= most) {
                break;
            }
            totals.seeds += 1;
            let world = runs.of_seed(seed);
            let options = world.options().summary();
            match world.run() {
                Ok(report) => totals.add(&report),
                Err(failure) => {
                    totals.failures += 1;
                    totals.events += failure.events;
                    say(&format!("SEED={seed}\n{options}"));
                    tell_of(&failure, seed, runs, failures);
                    // A broken broker is found, and that is all that is asked of it.
                    if runs.control.is_some() {
                        break;
                    }
                }
            }
            if told.elapsed() >= PROGRESS_PAUSE {
                told = Instant::now();
                let rate = rate(totals.seeds, begun);
                let line = last_line(totals.seeds, totals.failures);
                eprintln!("{line}, {rate} seeds a second, the next is {}", seed + 1);
            }
        }
        say(&totals.told(self.from, rate(totals.seeds, begun)));
        totals.failures == 0
    }
}

fn tell_of(failure: &Failure, seed: u64, runs: &Runs, failures: &Failures) {
    say(&format!("FAILED {failure}\n  to replay: {}", runs.again(seed)));
    let name = runs.name(seed);
    failures.keep(failure, &name, runs);
    if runs.control.is_none() {
        failures.minimise(failure, &name, runs);
    }
}

impl Totals {
    fn add(&mut self, report: &Report) {
        self.events += report.events;
        self.requests += report.requests;
        self.acknowledged += report.acknowledged;
        self.crashes += report.crashes;
        self.marks.add(&report.marks);
    }

    fn told(&self, from: u64, rate: u128) -> String {
        let Self { seeds, failures, events, requests, acknowledged, crashes, marks } = self;
        let average = requests / seeds.max(&1);
        let last_line = last_line(*seeds, *failures);
        format!(
            "{marks}from seed {from}: {events} events, {requests} requests ({average} a seed), \
             {acknowledged} acknowledged appends, {crashes} crashes, {rate} seeds a second\n\
             {last_line}"
        )
    }
}

fn last_line(seeds: u64, failures: u64) -> String {
    format!("{seeds} seeds, {failures} failures")
}

fn rate(seeds: u64, begun: Instant) -> u128 {
    u128::from(seeds) * 1000 / begun.elapsed().as_millis().max(1)
}
