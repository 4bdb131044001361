//! What those notice who produce while a log is compacted.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use klamm_core::config::Durability;

use super::load::{LOADS, Load};
use super::survivors;
use super::target::{ABOUT_SETTINGS, Target};
use crate::arguments::{Plan, durability_name};
use crate::batches::TOPIC;
use crate::nodes::Subject;
use crate::pace::Pair;
use crate::report::{Cell, Table};
use crate::samples::{percentile, turns};
use crate::session::{Answers, Bounds, Done, Session};
use crate::workloads::Until;

/// Records a second, in requests of their own, as many as both brokers take: a Kafka that syncs each batch takes
/// few, and one that cannot follow shows its queue and nothing else.
const PACES: &[(Durability, u32)] =
    &[(Durability::PageCache, 10_000), (Durability::Durable, 1_000)];
const VALUE_BYTES: usize = 1024;

/// Without compaction: so many times what a figure takes elsewhere, since one in a thousand is to be told.
const QUIET_FIGURES: u32 = 3;

const COLUMNS: &[&str] = &[
    "records",
    "who",
    "compaction",
    "p50 us",
    "p99 us",
    "p99.9 us",
    "p50 to none",
    "p99 to none",
    "p99.9 to none",
    "p99 of Kafka",
    "p99.9 of Kafka",
    "for s",
    "compacted MB/s",
];

/// What the cleaner does while records are produced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cleaner {
    Rests,
    /// Up to so many MiB read and written a second, on the share of a log of others.
    Throttled {
        mib_per_s: u64,
    },
    Free,
}

impl Cleaner {
    const ALL: [Self; 3] = [Self::Rests, Self::Throttled { mib_per_s: 64 }, Self::Free];

    fn name(self) -> String {
        match self {
            Self::Rests => "none".to_owned(),
            Self::Throttled { mib_per_s } => format!("{mib_per_s} MiB/s"),
            Self::Free => "no limit".to_owned(),
        }
    }

    fn bytes_per_second(self) -> Option<u64> {
        match self {
            Self::Throttled { mib_per_s } => Some(mib_per_s << 20),
            Self::Rests | Self::Free => None,
        }
    }

    /// Of the log: one that is compacted slowly need not be large.
    fn log_bytes(self, plan: &Plan) -> usize {
        let bytes = plan.effort.compacted_mib << 20;
        match self {
            Self::Throttled { .. } => bytes / 2,
            Self::Rests | Self::Free => bytes * 4,
        }
    }
}

/// One window. Latencies in microseconds.
struct Window {
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    seconds: f64,
    mb_per_s: f64,
}

/// A broker, the producer that is connected to it, and its windows by [`Cleaner`].
struct Stand<'a> {
    target: Target<'a>,
    producer: Pair,
    taken: [Vec<Window>; 3],
}

/// Measures each durability.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> Result<Table, String> {
    let mut table = Table::new("disturbance", about(plan), COLUMNS);
    let place = scratch.join("disturbance");
    for &(durability, per_second) in PACES {
        let name = format!("{per_second}/s, {}", durability_name(durability));
        if !plan.wants(&name) {
            continue;
        }
        eprintln!("disturbance: {name}");
        fs::create_dir(&place).map_err(|error| format!("{}: {error}", place.display()))?;
        let start = |it| Stand::start(it, &place, durability, per_second);
        let stands = Subject::all(plan).into_iter().map(start);
        let mut stands = stands.collect::<Result<Vec<Stand<'_>>, _>>()?;
        // The first of each warms up: Java compiles what runs often.
        for at in turns(plan.effort.rounds + 1, stands.len()) {
            stands[at].take_round(plan)?;
        }
        for rounds in stands.iter_mut().flat_map(|stand| &mut stand.taken) {
            rounds.remove(0);
        }
        add_rows(&mut table, &name, &stands);
        stands.into_iter().try_for_each(|stand| stand.target.stop())?;
        fs::remove_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    }
    Ok(table)
}

fn about(plan: &Plan) -> String {
    let mib = |cleaner: Cleaner| cleaner.log_bytes(plan) >> 20;
    let throttled = Cleaner::ALL[1];
    format!(
        "records of {VALUE_BYTES} B, a request for each, acks=all, to a topic that is not compacted; latency counts from when a record is due; without compaction for {} ms, else from the answer to \
         cleanup.policy=compact on a log of records of {} ({} MiB, {} MiB at {}: log.cleaner.io.max.bytes.per.second \
         of reading and writing) until cleaner-offset-checkpoint names its active segment; each such log is read and \
         must hold the last record of each key; {ABOUT_SETTINGS}; {} rounds behind one that warms up",
        quiet(plan).as_millis(),
        load().name,
        mib(Cleaner::Free),
        mib(throttled),
        throttled.name(),
        plan.effort.rounds,
    )
}

fn quiet(plan: &Plan) -> Duration {
    plan.effort.figure().time * QUIET_FIGURES
}

fn load() -> &'static Load {
    &LOADS[0]
}

fn add_rows(table: &mut Table, pace: &str, stands: &[Stand<'_>]) {
    let kafka = stands.iter().find(|stand| stand.target.subject.is_kafka());
    for (at, cleaner) in Cleaner::ALL.iter().enumerate() {
        for Stand { target, taken, .. } in stands {
            let (own, none) = (&taken[at], &taken[0]);
            let kafka = kafka.map_or(&[][..], |stand| &stand.taken[at]);
            let each = |figure: fn(&Window) -> f64| Cell::rounds(own.iter().map(figure));
            table.push(vec![
                Cell::name(pace),
                Cell::name(target.subject.name()),
                Cell::Text(cleaner.name()),
                each(|it| it.p50_us),
                each(|it| it.p99_us),
                each(|it| it.p999_us),
                Cell::ratios(own, none, |it| it.p50_us),
                Cell::ratios(own, none, |it| it.p99_us),
                Cell::ratios(own, none, |it| it.p999_us),
                Cell::ratios(own, kafka, |it| it.p99_us),
                Cell::ratios(own, kafka, |it| it.p999_us),
                each(|it| it.seconds),
                each(|it| it.mb_per_s),
            ]);
        }
    }
}

impl<'a> Stand<'a> {
    fn start(
        subject: Subject<'a>,
        place: &Path,
        durability: Durability,
        per_second: u32,
    ) -> Result<Self, String> {
        let mut target = Target::start(subject, &place.join(subject.name()), durability)?;
        target.create(TOPIC, &[])?;
        let (port, until) = (target.served.port, Until::Acknowledged);
        let producer = Pair::connect(port, Answers::Broker, VALUE_BYTES, per_second, until)?;
        Ok(Self { target, producer, taken: Default::default() })
    }

    /// A window of each kind.
    fn take_round(&mut self, plan: &Plan) -> Result<(), String> {
        for (at, cleaner) in Cleaner::ALL.into_iter().enumerate() {
            let window = match cleaner {
                Cleaner::Rests => {
                    let bounds = Bounds { bytes: usize::MAX, time: quiet(plan) };
                    Window::of(&self.producer.run(bounds)?)
                }
                _ => self.take_beside(cleaner, cleaner.log_bytes(plan))?,
            };
            self.taken[at].push(window);
        }
        Ok(())
    }

    /// Produces for as long as a log is compacted.
    fn take_beside(&mut self, cleaner: Cleaner, log_bytes: usize) -> Result<Window, String> {
        let Self { target, producer, .. } = self;
        target.throttle(cleaner.bytes_per_second())?;
        let log = target.write(load(), log_bytes)?;
        let is_over = AtomicBool::new(false);
        target.begin(&log)?;
        let (done, took) = thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let took = log.wait_until_clean();
                is_over.store(true, Ordering::Release);
                took
            });
            let done = producer.run_while(|| !is_over.load(Ordering::Acquire));
            (done, watching.join().expect("who watches does not panic"))
        });
        let (done, took) = (done?, took?);
        survivors::check(&log).map_err(|error| format!("{}: {error}", target.subject.name()))?;
        let mb_per_s = log.bytes as f64 / 1e6 / took.as_secs_f64();
        target.delete(log)?;
        Ok(Window { mb_per_s, ..Window::of(&done) })
    }
}

impl Window {
    fn of(done: &Done) -> Self {
        let us = |share| percentile(&done.latencies, share).map_or(f64::NAN, |us| us as f64);
        Self {
            p50_us: us(0.5),
            p99_us: us(0.99),
            p999_us: us(0.999),
            seconds: done.elapsed.as_secs_f64(),
            mb_per_s: f64::NAN,
        }
    }
}
