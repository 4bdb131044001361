//! Produce under load: what leaves a client and comes to a file, and at what price.

use std::fs;
use std::path::Path;
use std::time::Duration;

use klamm_core::config::Durability;

use crate::arguments::{Broker, Plan, durability_name};
use crate::bare::Sync;
use crate::drivers::{DRIVERS, Driver};
use crate::load::{Answers, Bounds, Lanes, Load, Sent};
use crate::process::{Served, Usage};
use crate::report::{Cell, Table};
use crate::samples::percentile;
use crate::workload::{Batch, TOPIC, make_directory};

const BATCH_BYTES: usize = 64 << 10;

/// A load, by its name.
struct Scenario {
    name: &'static str,
    value_bytes: usize,
    connections: usize,
    in_flight: usize,
}

/// The first is a Java producer's default.
const SCENARIOS: &[Scenario] = &[
    Scenario { name: "1 KiB, 5 in flight", value_bytes: 1024, connections: 1, in_flight: 5 },
    Scenario { name: "1 KiB, 1 in flight", value_bytes: 1024, connections: 1, in_flight: 1 },
    Scenario { name: "1 KiB, 64 in flight", value_bytes: 1024, connections: 1, in_flight: 64 },
    Scenario { name: "1 KiB, 16 connections", value_bytes: 1024, connections: 16, in_flight: 5 },
    Scenario { name: "100 B, 5 in flight", value_bytes: 100, connections: 1, in_flight: 5 },
];

/// What is compared.
#[derive(Clone, Copy)]
enum Subject {
    Bare(Sync),
    Klamm(&'static Driver, Durability),
}

/// One figure of each kind.
struct Figures {
    mb_per_s: f64,
    cpu_s_per_gb: f64,
    p50_ms: f64,
    p99_ms: f64,
    rss_peak_mib: f64,
    switches_per_batch: f64,
}

const COLUMNS: &[&str] = &[
    "load",
    "who",
    "MB/s",
    "of bare write",
    "CPU s/GB",
    "p50 ms",
    "p99 ms",
    "peak RSS MiB",
    "switches/batch",
];

/// Measures all scenarios.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> Result<Table, String> {
    let about = format!(
        "batches of {} KiB, acks=all, a partition for each connection; up to {} MiB or {} ms a \
         figure, {} rounds; processor time, memory and switches are the broker's alone; latency \
         counts from before a batch is sent",
        BATCH_BYTES >> 10,
        plan.effort.mib,
        plan.effort.produce_ms_max,
        plan.effort.rounds,
    );
    let mut table = Table::new("produce", about, COLUMNS);
    let subjects = subjects();
    let wanted = |subject: &Subject, scenario: &Scenario| {
        let name = format!("{} {}", scenario.name, subject.name());
        plan.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    };
    for scenario in SCENARIOS {
        let mut figures: Vec<Vec<Figures>> = subjects.iter().map(|_| Vec::new()).collect();
        for round in 0..plan.effort.rounds {
            // Each goes first at some time.
            for turn in 0..subjects.len() {
                let at = (round + turn) % subjects.len();
                if wanted(&subjects[at], scenario) {
                    figures[at].push(take(subjects[at], scenario, plan, scratch)?);
                }
            }
        }
        let bare: Vec<f64> = figures[0].iter().map(|figures| figures.mb_per_s).collect();
        for (subject, figures) in subjects.iter().zip(&figures) {
            if !figures.is_empty() {
                table.push(row(scenario, *subject, figures, &bare));
            }
        }
    }
    Ok(table)
}

/// The bare write first: the others are compared with it.
fn subjects() -> Vec<Subject> {
    let mut subjects =
        [Sync::Never, Sync::Sometimes, Sync::BeforeAnswer].map(Subject::Bare).to_vec();
    for driver in DRIVERS {
        subjects.push(Subject::Klamm(driver, Durability::PageCache));
        subjects.push(Subject::Klamm(driver, Durability::Durable));
    }
    subjects
}

fn row(scenario: &Scenario, subject: Subject, figures: &[Figures], bare: &[f64]) -> Vec<Cell> {
    let each = |figure: fn(&Figures) -> f64| Cell::rounds(figures.iter().map(figure));
    let ratios = figures.iter().zip(bare).map(|(figures, bare)| figures.mb_per_s / bare);
    vec![
        Cell::name(scenario.name),
        Cell::Text(subject.name()),
        each(|figures| figures.mb_per_s),
        Cell::rounds(ratios),
        each(|figures| figures.cpu_s_per_gb),
        each(|figures| figures.p50_ms),
        each(|figures| figures.p99_ms),
        each(|figures| figures.rss_peak_mib),
        each(|figures| figures.switches_per_batch),
    ]
}

/// Starts the subject, puts it under load, and looks whether everything came to its files.
fn take(
    subject: Subject,
    scenario: &Scenario,
    plan: &Plan,
    scratch: &Path,
) -> Result<Figures, String> {
    let directory = scratch.join("produce");
    let served = subject.start(&directory, scenario.connections)?;
    let load = Load {
        batch: Batch::new(scenario.value_bytes, BATCH_BYTES),
        connections: scenario.connections,
        in_flight: scenario.in_flight,
    };
    let mut lanes = Lanes::connect(served.port, &load, subject.answers())?;
    let batches = (plan.effort.mib << 20) / BATCH_BYTES;
    let bounds = Bounds { batches, time: Duration::from_millis(plan.effort.produce_ms_max) };
    let warm_up = lanes.run(Bounds { batches: batches / 16, ..bounds })?;
    let before = served.usage()?;
    let sent = lanes.run(bounds)?;
    let used = served.usage()?.since(before);
    drop(lanes);
    served.stop()?;
    let least = ((warm_up.batches + sent.batches) * load.batch.bytes.len()) as u64;
    let stored = subject.stored(&directory, scenario.connections)?;
    if stored < least {
        return Err(format!("{}: {stored} of {least} bytes are stored", subject.name()));
    }
    fs::remove_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(figures(&sent, load.batch.bytes.len(), used))
}

fn figures(sent: &Sent, batch_bytes: usize, used: Usage) -> Figures {
    let bytes = (sent.batches * batch_bytes) as f64;
    let ms = |share| percentile(&sent.latencies, share) as f64 / 1e3;
    Figures {
        mb_per_s: bytes / 1e6 / sent.elapsed.as_secs_f64(),
        cpu_s_per_gb: used.cpu.as_secs_f64() / (bytes / 1e9),
        p50_ms: ms(0.5),
        p99_ms: ms(0.99),
        rss_peak_mib: used.rss_peak_bytes as f64 / f64::from(1 << 20),
        switches_per_batch: used.switches as f64 / sent.batches as f64,
    }
}

impl Subject {
    fn name(self) -> String {
        match self {
            Self::Bare(sync) => format!("bare {}", sync.name()),
            Self::Klamm(driver, durability) => {
                format!("{} {}", driver.name, durability_name(durability))
            }
        }
    }

    fn start(self, directory: &Path, partitions: usize) -> Result<Served, String> {
        let place = |error| format!("{}: {error}", directory.display());
        match self {
            Self::Bare(sync) => {
                fs::create_dir(directory).map_err(place)?;
                Served::start(&["bare".into(), sync.name().into(), directory.into()])
            }
            Self::Klamm(driver, durability) => {
                make_directory(directory, partitions as i32)?;
                let directory = directory.to_owned();
                Served::start(&Broker { driver, durability, directory }.arguments())
            }
        }
    }

    fn answers(self) -> Answers {
        match self {
            Self::Bare(_) => Answers::Bare,
            Self::Klamm(..) => Answers::Produce,
        }
    }

    /// Bytes in the files that batches go to.
    fn stored(self, directory: &Path, connections: usize) -> Result<u64, String> {
        let files = (0..connections).map(|index| match self {
            Self::Bare(_) => directory.join(format!("{index}.log")),
            Self::Klamm(..) => {
                directory.join(format!("{TOPIC}-{index}")).join("00000000000000000000.log")
            }
        });
        files
            .map(|file| match fs::metadata(&file) {
                Ok(metadata) => Ok(metadata.len()),
                Err(error) => Err(format!("{}: {error}", file.display())),
            })
            .sum()
    }
}
