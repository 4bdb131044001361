//! Latency at a steady pace: how long a record waits for its acknowledgement, and until a reader has it.
//!
//! A record counts from when it is due, not from when it is sent: a broker that keeps its client from
//! sending gains nothing by it.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use klamm_core::config::Durability;

use crate::arguments::{Plan, durability_name};
use crate::load::{check, lost, read_frame};
use crate::nodes::Subject;
use crate::process::Served;
use crate::reading::Tail;
use crate::report::{Cell, Table};
use crate::samples::{percentile, turns};
use crate::workload::{Batch, number};

/// What is measured of each record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Acknowledged,
    Read,
}

/// A pace, by its name.
struct Scenario {
    name: &'static str,
    value_bytes: usize,
    per_second: u32,
    until: Until,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "10,000/s of 1 KiB, to its acknowledgement",
        value_bytes: 1024,
        per_second: 10_000,
        until: Until::Acknowledged,
    },
    Scenario {
        name: "1,000/s of 128 B, to its reader",
        value_bytes: 128,
        per_second: 1_000,
        until: Until::Read,
    },
];

const COLUMNS: &[&str] = &[
    "pace",
    "who",
    "p50 us",
    "p99 us",
    "p99.9 us",
    "p99 of Kafka",
    "CPU us/record",
    "CPU of Kafka",
];

/// No byte may be waited for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// One figure of each kind.
struct Figures {
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    cpu_us: f64,
}

/// Measures all scenarios.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> Result<Table, String> {
    let about = format!(
        "a request for each record, acks=all, one partition, one connection; from when a record is due; \
         {} ms a figure behind as long a warm-up, {} rounds; processor time is the broker's alone; Kafka is \
         the one of the same durability",
        plan.effort.pace_ms, plan.effort.rounds,
    );
    let mut table = Table::new("latency", about, COLUMNS);
    let durabilities = [Durability::PageCache, Durability::Durable];
    let subjects: Vec<(Subject<'_>, Durability)> = Subject::all(plan)
        .into_iter()
        .flat_map(|subject| durabilities.map(|durability| (subject, durability)))
        .collect();
    for scenario in SCENARIOS {
        let mut figures: Vec<Vec<Figures>> = subjects.iter().map(|_| Vec::new()).collect();
        for at in turns(plan.effort.rounds, subjects.len()) {
            figures[at].push(take(subjects[at], scenario, plan, scratch)?);
        }
        for ((subject, durability), own) in subjects.iter().zip(&figures) {
            let is_beside =
                |(other, kind): &(Subject<'_>, _)| other.is_kafka() && kind == durability;
            let kafka = subjects.iter().position(is_beside);
            let kafka = kafka.map_or(&[][..], |at| &figures[at]);
            let name = format!("{} {}", subject.name(), durability_name(*durability));
            table.push(row(scenario.name, name, own, kafka));
        }
    }
    Ok(table)
}

fn row(scenario: &str, name: String, figures: &[Figures], kafka: &[Figures]) -> Vec<Cell> {
    let each = |figure: fn(&Figures) -> f64| Cell::rounds(figures.iter().map(figure));
    vec![
        Cell::name(scenario),
        Cell::Text(name),
        each(|figures| figures.p50_us),
        each(|figures| figures.p99_us),
        each(|figures| figures.p999_us),
        Cell::ratios(figures, kafka, |figures| figures.p99_us),
        each(|figures| figures.cpu_us),
        Cell::ratios(figures, kafka, |figures| figures.cpu_us),
    ]
}

fn take(
    (subject, durability): (Subject<'_>, Durability),
    scenario: &Scenario,
    plan: &Plan,
    scratch: &Path,
) -> Result<Figures, String> {
    let directory = scratch.join("latency");
    let (_, served) = subject.serve(&directory, 1, durability)?;
    let mut pair = Pair::connect(&served, scenario)?;
    let count = (scenario.per_second * plan.effort.pace_ms / 1_000).max(1);
    pair.run(count)?;
    let before = served.usage()?;
    let mut latencies = pair.run(count)?;
    let used = served.usage()?.since(before);
    drop(pair);
    served.stop()?;
    fs::remove_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    latencies.sort_unstable();
    let us = |share| percentile(&latencies, share) as f64;
    Ok(Figures {
        p50_us: us(0.5),
        p99_us: us(0.99),
        p999_us: us(0.999),
        cpu_us: used.cpu.as_secs_f64() * 1e6 / f64::from(count),
    })
}

/// A producer, and who waits for its records.
struct Pair {
    stream: TcpStream,
    frame: BytesMut,
    interval: Duration,
    until: Until,
    tail: Tail,
    sent: i32,
}

impl Pair {
    fn connect(served: &Served, scenario: &Scenario) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", served.port)).map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(lost)?;
        Ok(Self {
            stream,
            frame: Batch::new(scenario.value_bytes, 0).frame([0]),
            interval: Duration::from_secs(1) / scenario.per_second,
            until: scenario.until,
            tail: Tail::connect(served.port)?,
            sent: 0,
        })
    }

    /// Sends so many records; gives the latency of each in microseconds.
    fn run(&mut self, count: u32) -> Result<Vec<u64>, String> {
        let first = self.sent;
        self.sent += count as i32;
        let pace = Pace { first, last: self.sent, begun: Instant::now(), interval: self.interval };
        let mut answers = self.stream.try_clone().map_err(lost)?;
        let tail = &mut self.tail;
        thread::scope(|scope| {
            let answered = scope.spawn(move || pace.take_answers(&mut answers));
            let read = (self.until == Until::Read).then(|| scope.spawn(move || pace.read(tail)));
            for at in first..pace.last {
                thread::sleep(pace.due(at).saturating_duration_since(Instant::now()));
                number(&mut self.frame, at);
                self.stream.write_all(&self.frame).map_err(lost)?;
            }
            let answered = answered.join().expect("who takes answers does not panic")?;
            match read {
                Some(read) => read.join().expect("a reader does not panic"),
                None => Ok(answered),
            }
        })
    }
}

/// When each record is due. Its number is its offset.
#[derive(Clone, Copy)]
struct Pace {
    first: i32,
    last: i32,
    begun: Instant,
    interval: Duration,
}

impl Pace {
    fn due(&self, number: i32) -> Instant {
        self.begun + self.interval * (number - self.first) as u32
    }

    fn take_answers(&self, stream: &mut TcpStream) -> Result<Vec<u64>, String> {
        let numbers = self.first..self.last;
        let take = |number: i32| {
            check(&read_frame(stream)?, number, number.into())?;
            Ok(self.due(number).elapsed().as_micros() as u64)
        };
        numbers.map(take).collect()
    }

    fn read(&self, tail: &mut Tail) -> Result<Vec<u64>, String> {
        let mut latencies = Vec::new();
        let mut next = self.first;
        while next < self.last {
            let end = tail.read()? as i32;
            latencies.extend((next..end).map(|at| self.due(at).elapsed().as_micros() as u64));
            next = end;
        }
        Ok(latencies)
    }
}
