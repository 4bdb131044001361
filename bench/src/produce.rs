//! Produce under load: what leaves a client and comes to a file, and at what price.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use klamm_core::batch::Codec;
use klamm_core::config::Durability;

use crate::arguments::{Plan, durability_name};
use crate::bare::Sync;
use crate::load::{Answers, Bounds, Lanes, Load, Sent};
use crate::nodes;
use crate::process::{Served, Usage};
use crate::report::{Cell, Table};
use crate::samples::{percentile, turns};
use crate::workload::{Batch, Payload, Shape};

/// A load, by its name.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    shape: Shape,
    connections: usize,
    partitions: usize,
    partitions_per_request: usize,
    in_flight: usize,
}

/// A Java producer's default.
const DEFAULT: Scenario = Scenario {
    name: "1 KiB, 5 in flight",
    shape: Shape {
        value_bytes: 1024,
        batch_bytes: 64 << 10,
        payload: Payload::Random,
        codec: None,
    },
    connections: 1,
    partitions: 1,
    partitions_per_request: 1,
    in_flight: 5,
};

const fn compressed(name: &'static str, codec: Codec, payload: Payload) -> Scenario {
    let shape = Shape { payload, codec: Some(codec), ..DEFAULT.shape };
    Scenario { name, shape, ..DEFAULT }
}

const SCENARIOS: &[Scenario] = &[
    DEFAULT,
    Scenario { name: "1 KiB, 1 in flight", in_flight: 1, ..DEFAULT },
    Scenario { name: "1 KiB, 64 in flight", in_flight: 64, ..DEFAULT },
    Scenario { name: "1 KiB, 16 connections", connections: 16, ..DEFAULT },
    Scenario {
        name: "100 B, 5 in flight",
        shape: Shape { value_bytes: 100, ..DEFAULT.shape },
        ..DEFAULT
    },
    Scenario {
        name: "100 kB, 5 in flight",
        shape: Shape { value_bytes: 100_000, batch_bytes: 1_000_000, ..DEFAULT.shape },
        ..DEFAULT
    },
    compressed("lz4, half random", Codec::Lz4, Payload::Half),
    compressed("lz4, repetitive", Codec::Lz4, Payload::Repetitive),
    compressed("zstd, half random", Codec::Zstd, Payload::Half),
    Scenario {
        name: "64 partitions, 16 KiB to each",
        shape: Shape { batch_bytes: 16 << 10, ..DEFAULT.shape },
        partitions: 64,
        partitions_per_request: 64,
        ..DEFAULT
    },
    Scenario {
        name: "1,000 partitions, 8 KiB to 100 of them",
        shape: Shape { batch_bytes: 8 << 10, ..DEFAULT.shape },
        partitions: 1_000,
        partitions_per_request: 100,
        ..DEFAULT
    },
    Scenario {
        name: "500 connections, 1 MB batches",
        shape: Shape { batch_bytes: 1_000_000, ..DEFAULT.shape },
        connections: 500,
        in_flight: 1,
        ..DEFAULT
    },
];

/// What is compared.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Bare(Sync),
    Broker(nodes::Subject<'a>, Durability),
}

/// One figure of each kind.
struct Figures {
    mb_per_s: f64,
    cpu_s_per_gb: f64,
    p50_ms: f64,
    p99_ms: f64,
    rss_peak_mib: f64,
    switches_per_request: f64,
}

const COLUMNS: &[&str] = &[
    "load",
    "who",
    "MB/s",
    "of bare write",
    "of Kafka",
    "CPU s/GB",
    "CPU of Kafka",
    "p50 ms",
    "p99 ms",
    "peak RSS MiB",
    "switches/request",
];

/// Measures all scenarios.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> Result<Table, String> {
    let about = format!(
        "batches of 64 KiB unless said, acks=all, a partition for each connection unless said; up to {} MiB \
         or {} ms a figure, {} rounds; processor time, memory and switches are the broker's alone; bytes \
         are those before a codec, latency counts from before a request is sent; Kafka is the one of the \
         same durability",
        plan.effort.mib, plan.effort.produce_ms_max, plan.effort.rounds,
    );
    let mut table = Table::new("produce", about, COLUMNS);
    let subjects = subjects(plan);
    let wanted = |subject: &Subject<'_>, scenario: &Scenario| {
        let name = format!("{} {}", scenario.name, subject.name());
        plan.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    };
    for scenario in SCENARIOS {
        let mut figures: Vec<Vec<Figures>> = subjects.iter().map(|_| Vec::new()).collect();
        for at in turns(plan.effort.rounds, subjects.len()) {
            if wanted(&subjects[at], scenario) {
                figures[at].push(take(subjects[at], scenario, plan, scratch)?);
            }
        }
        for (subject, taken) in subjects.iter().zip(&figures) {
            let kafka = subjects.iter().position(|other| other.is_kafka_for(*subject));
            if !taken.is_empty() {
                let beside = kafka.map_or(&[][..], |at| &figures[at]);
                table.push(row(scenario, *subject, taken, &figures[0], beside));
            }
        }
    }
    Ok(table)
}

/// The bare write first: the others are compared with it.
fn subjects(plan: &Plan) -> Vec<Subject<'_>> {
    let mut subjects =
        [Sync::Never, Sync::Sometimes, Sync::BeforeAnswer].map(Subject::Bare).to_vec();
    for broker in nodes::Subject::all(plan) {
        subjects.push(Subject::Broker(broker, Durability::PageCache));
        subjects.push(Subject::Broker(broker, Durability::Durable));
    }
    subjects
}

fn row(
    scenario: &Scenario,
    subject: Subject<'_>,
    figures: &[Figures],
    bare: &[Figures],
    kafka: &[Figures],
) -> Vec<Cell> {
    let each = |figure: fn(&Figures) -> f64| Cell::rounds(figures.iter().map(figure));
    vec![
        Cell::name(scenario.name),
        Cell::Text(subject.name()),
        each(|figures| figures.mb_per_s),
        Cell::ratios(figures, bare, |figures| figures.mb_per_s),
        Cell::ratios(figures, kafka, |figures| figures.mb_per_s),
        each(|figures| figures.cpu_s_per_gb),
        Cell::ratios(figures, kafka, |figures| figures.cpu_s_per_gb),
        each(|figures| figures.p50_ms),
        each(|figures| figures.p99_ms),
        each(|figures| figures.rss_peak_mib),
        each(|figures| figures.switches_per_request),
    ]
}

/// Starts the subject, puts it under load, and looks whether everything came to its files.
fn take(
    subject: Subject<'_>,
    scenario: &Scenario,
    plan: &Plan,
    scratch: &Path,
) -> Result<Figures, String> {
    let directory = scratch.join("produce");
    let partitions = scenario.connections * scenario.partitions;
    let (served, files) = subject.start(&directory, scenario.connections, partitions)?;
    let load = Load {
        batch: Batch::of(scenario.shape),
        connections: scenario.connections,
        partitions: scenario.partitions,
        partitions_per_request: scenario.partitions_per_request,
        in_flight: scenario.in_flight,
    };
    let mut lanes = Lanes::connect(served.port, &load, subject.answers())?;
    let raw_bytes = load.batch.raw_bytes * load.partitions_per_request;
    let requests = ((plan.effort.mib << 20) / raw_bytes).max(scenario.connections);
    let bounds = Bounds { requests, time: Duration::from_millis(plan.effort.produce_ms_max) };
    let warm_up = lanes.run(subject.warm_up(bounds))?;
    let before = served.usage()?;
    let sent = lanes.run(bounds)?;
    let used = served.usage()?.since(before);
    drop(lanes);
    served.stop()?;
    let least = ((warm_up.requests + sent.requests) * load.request_bytes()) as u64;
    let stored = stored(&files)?;
    if stored < least {
        return Err(format!("{}: {stored} of {least} bytes are stored", subject.name()));
    }
    fs::remove_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(figures(&sent, raw_bytes, used))
}

fn figures(sent: &Sent, request_bytes: usize, used: Usage) -> Figures {
    let bytes = (sent.requests * request_bytes) as f64;
    let ms = |share| percentile(&sent.latencies, share) as f64 / 1e3;
    Figures {
        mb_per_s: bytes / 1e6 / sent.elapsed.as_secs_f64(),
        cpu_s_per_gb: used.cpu.as_secs_f64() / (bytes / 1e9),
        p50_ms: ms(0.5),
        p99_ms: ms(0.99),
        rss_peak_mib: used.rss_peak_bytes as f64 / f64::from(1 << 20),
        switches_per_request: used.switches as f64 / sent.requests as f64,
    }
}

/// Bytes in the files that batches go to.
fn stored(files: &[PathBuf]) -> Result<u64, String> {
    let length = |file: &PathBuf| match fs::metadata(file) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) => Err(format!("{}: {error}", file.display())),
    };
    files.iter().map(length).sum()
}

impl Subject<'_> {
    fn name(self) -> String {
        match self {
            Self::Bare(sync) => format!("bare {}", sync.name()),
            Self::Broker(broker, durability) => {
                format!("{} {}", broker.name(), durability_name(durability))
            }
        }
    }

    /// It is what `other` is to be compared with.
    fn is_kafka_for(self, other: Self) -> bool {
        match (self, other) {
            (Self::Broker(kafka, durability), Self::Broker(_, wanted)) => {
                kafka.is_kafka() && durability == wanted
            }
            _ => false,
        }
    }

    /// With the files that it writes to.
    fn start(
        self,
        directory: &Path,
        connections: usize,
        partitions: usize,
    ) -> Result<(Served, Vec<PathBuf>), String> {
        match self {
            Self::Bare(sync) => {
                let place = |error| format!("{}: {error}", directory.display());
                fs::create_dir(directory).map_err(place)?;
                let arguments = ["bare".into(), sync.name().into(), directory.into()];
                let files = (0..connections).map(|index| directory.join(format!("{index}.log")));
                Ok((Served::start(&arguments)?, files.collect()))
            }
            Self::Broker(broker, durability) => {
                let (node, served) = broker.serve(directory, partitions as i32, durability)?;
                let first = |index| node.partition(index).join("00000000000000000000.log");
                Ok((served, (0..partitions).map(first).collect()))
            }
        }
    }

    /// Java compiles what runs often.
    fn warm_up(self, bounds: Bounds) -> Bounds {
        match self {
            Self::Broker(broker, _) if broker.is_kafka() => bounds,
            _ => Bounds { requests: bounds.requests.div_ceil(16), ..bounds },
        }
    }

    fn answers(self) -> Answers {
        match self {
            Self::Bare(_) => Answers::Bare,
            Self::Broker(..) => Answers::Produce,
        }
    }
}
