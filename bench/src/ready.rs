//! From exec to the first answer, and what a broker holds at rest.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use klamm_core::config::Durability;

use crate::arguments::{Broker, Plan};
use crate::bare::Sync;
use crate::batches::make_directory;
use crate::connections::Asker;
use crate::drivers::Driver;
use crate::process::Served;
use crate::report::{Cell, Table};

const PARTITIONS: i32 = 1_000;

/// What is freed soon after the start is no memory at rest.
const REST: Duration = Duration::from_millis(200);

const COLUMNS: &[&str] = &[
    "who",
    "directory",
    "start",
    "ready ms",
    "first answer ms",
    "CPU ms",
    "RSS at rest MiB",
    "stopped in ms",
];

/// What lies in the log directory.
#[derive(Clone, Copy)]
enum Content {
    Nothing,
    Partitions,
}

impl Content {
    const ALL: [Self; 2] = [Self::Nothing, Self::Partitions];

    fn name(self) -> String {
        match self {
            Self::Nothing => "empty, not formatted".to_owned(),
            Self::Partitions => format!("{PARTITIONS} partitions"),
        }
    }

    fn partitions(self) -> i32 {
        match self {
            Self::Nothing => 0,
            Self::Partitions => PARTITIONS,
        }
    }
}

/// The figures of one start.
struct Start {
    ready_ms: f64,
    answer_ms: f64,
    cpu_ms: f64,
    rss_mib: f64,
    stop_ms: f64,
}

/// Measures first and second starts.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> Result<Table, String> {
    let about = format!(
        "from before exec; the first answer is that to ApiVersions; {} rounds; memory {} ms later; \
         the bare loop shows what the process itself costs",
        plan.effort.rounds,
        REST.as_millis(),
    );
    let mut table = Table::new("ready", about, COLUMNS);
    let mut bare = Vec::new();
    let cases: Vec<(&Driver, Content)> = plan
        .drivers
        .iter()
        .copied()
        .flat_map(|driver| Content::ALL.map(|content| (driver, content)))
        .collect();
    let mut starts: Vec<[Vec<Start>; 2]> = cases.iter().map(|_| [Vec::new(), Vec::new()]).collect();
    for round in 0..plan.effort.rounds {
        bare.push(start_bare(scratch)?);
        for ((driver, content), [first, second]) in cases.iter().zip(&mut starts) {
            // Left until the end: a file system that has just deleted much is slow to create.
            let directory =
                scratch.join(format!("ready-{}-{}-{round}", driver.name, content.partitions()));
            match content {
                Content::Nothing => {
                    fs::create_dir(&directory).map_err(|error| error.to_string())?;
                }
                Content::Partitions => make_directory(&directory, PARTITIONS)?,
            }
            first.push(start(driver, &directory)?);
            second.push(start(driver, &directory)?);
        }
    }
    table.push(row("bare loop", "", "", &bare));
    for ((driver, content), [first, second]) in cases.iter().zip(&starts) {
        table.push(row(driver.name, &content.name(), "first", first));
        table.push(row(driver.name, &content.name(), "second", second));
    }
    Ok(table)
}

fn row(who: &str, directory: &str, start: &str, starts: &[Start]) -> Vec<Cell> {
    let each = |figure: fn(&Start) -> f64| Cell::rounds(starts.iter().map(figure));
    vec![
        Cell::name(who),
        Cell::name(directory),
        Cell::name(start),
        each(|start| start.ready_ms),
        each(|start| start.answer_ms),
        each(|start| start.cpu_ms),
        each(|start| start.rss_mib),
        each(|start| start.stop_ms),
    ]
}

fn start(driver: &'static Driver, directory: &Path) -> Result<Start, String> {
    let broker = Broker {
        driver,
        durability: Durability::Durable,
        directory: directory.to_owned(),
        settings: Vec::new(),
    };
    let begun = Instant::now();
    let served = Served::start(&broker.arguments())?;
    Asker::connect(served.port)?.ask()?;
    let answer_ms = begun.elapsed().as_secs_f64() * 1e3;
    rest(served, answer_ms)
}

fn start_bare(scratch: &Path) -> Result<Start, String> {
    let served = Served::start(&["bare".into(), Sync::Never.name().into(), scratch.into()])?;
    let answer_ms = served.ready.as_secs_f64() * 1e3;
    rest(served, answer_ms)
}

fn rest(served: Served, answer_ms: f64) -> Result<Start, String> {
    let ready_ms = served.ready.as_secs_f64() * 1e3;
    thread::sleep(REST);
    let usage = served.usage()?;
    let stop_ms = served.stop()?.as_secs_f64() * 1e3;
    Ok(Start {
        ready_ms,
        answer_ms,
        cpu_ms: usage.cpu.as_secs_f64() * 1e3,
        rss_mib: usage.rss_bytes as f64 / f64::from(1 << 20),
        stop_ms,
    })
}
