//! Many partitions: how long a start takes with them, and what each costs at rest.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use klamm_core::config::Durability;

use crate::admin::Admin;
use crate::arguments::Plan;
use crate::batches::Batch;
use crate::connections::Asker;
use crate::nodes::{Node, Subject};
use crate::process::Served;
use crate::producers::write_each;
use crate::report::{Cell, Table};
use crate::samples::{Spread, turns};

/// What is freed soon after the start is no memory at rest.
const REST: Duration = Duration::from_millis(500);

/// Batches in each partition, of one record.
const BATCHES: usize = 2;
const VALUE_BYTES: usize = 1024;

const COLUMNS: &[&str] = &[
    "who",
    "partitions",
    "start after",
    "answered ms",
    "of Kafka",
    "led ms",
    "led of Kafka",
    "CPU ms",
    "RSS at rest MiB",
    "RSS of Kafka",
    "KiB/partition",
    "open files",
    "stopped in ms",
];

/// The figures of one start.
struct Start {
    answered_ms: f64,
    led_ms: f64,
    cpu_ms: f64,
    rss_kib: f64,
    descriptors: f64,
}

/// The starts of one subject with one number of partitions.
#[derive(Default)]
struct Starts {
    /// After a clean stop, and how long the stop took that followed.
    clean: Vec<Start>,
    stop_ms: Vec<f64>,
    /// After a kill.
    unclean: Vec<Start>,
}

/// Measures starts after a clean stop and after a kill.
pub(crate) fn measure(plan: &Plan, scratch: &Path) -> Result<Table, String> {
    let about = format!(
        "{BATCHES} batches of {VALUE_BYTES} B in each partition; from before exec until ApiVersions is \
         answered, and until Metadata names a leader for each partition; memory {} ms later; a partition's \
         KiB are what a start without any does not hold; {} rounds",
        REST.as_millis(),
        plan.effort.rounds,
    );
    let mut table = Table::new("partitions", about, COLUMNS);
    let subjects = Subject::all(plan);
    // The empty ones first: the others are compared with them.
    let mut empty_kib = vec![0.0; subjects.len()];
    for partitions in [0].iter().chain(&plan.partitions).copied() {
        eprintln!("partitions: {partitions}");
        let place = scratch.join("partitions");
        fs::create_dir(&place).map_err(|error| format!("{}: {error}", place.display()))?;
        let nodes = subjects.iter().map(|it| prepare(*it, &place.join(it.name()), partitions));
        let nodes = nodes.collect::<Result<Vec<Node>, _>>()?;
        let mut starts: Vec<Starts> = nodes.iter().map(|_| Starts::default()).collect();
        for at in turns(plan.effort.rounds, nodes.len()) {
            take(&nodes[at], partitions, &mut starts[at])?;
        }
        if partitions == 0 {
            for (held, starts) in empty_kib.iter_mut().zip(&starts) {
                let spread = Spread::of(starts.clean.iter().map(|start| start.rss_kib));
                *held = spread.map_or(0.0, |spread| spread.median);
            }
        }
        let none = Starts::default();
        let kafka = subjects.iter().position(Subject::is_kafka).map_or(&none, |at| &starts[at]);
        for (at, subject) in subjects.iter().enumerate() {
            let row = |after: &str, own: &[Start], kafka: &[Start], stop_ms: &[f64]| {
                let mut row =
                    Vec::from([subject.name(), &partitions.to_string(), after].map(Cell::name));
                let share = |start: &Start| (start.rss_kib - empty_kib[at]) / f64::from(partitions);
                row.extend(cells(own, kafka, share));
                row.push(Cell::rounds(stop_ms.iter().copied()));
                row
            };
            let own = &starts[at];
            table.push(row("clean stop", &own.clean, &kafka.clean, &own.stop_ms));
            table.push(row("kill", &own.unclean, &kafka.unclean, &[]));
        }
        fs::remove_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    }
    Ok(table)
}

fn cells(own: &[Start], kafka: &[Start], share_kib: impl Fn(&Start) -> f64) -> [Cell; 9] {
    let each = |figure: fn(&Start) -> f64| Cell::rounds(own.iter().map(figure));
    let ratio = |figure: fn(&Start) -> f64| Cell::ratios(own, kafka, figure);
    [
        each(|start| start.answered_ms),
        ratio(|start| start.answered_ms),
        each(|start| start.led_ms),
        ratio(|start| start.led_ms),
        each(|start| start.cpu_ms),
        each(|start| start.rss_kib / 1024.0),
        ratio(|start| start.rss_kib),
        Cell::rounds(own.iter().map(share_kib)),
        each(|start| start.descriptors),
    ]
}

/// Starts twice: behind a clean stop, and behind a kill.
fn take(node: &Node, partitions: i32, starts: &mut Starts) -> Result<(), String> {
    let served = node.start()?;
    starts.clean.push(watch(&served, partitions)?);
    served.kill();
    let served = node.start()?;
    starts.unclean.push(watch(&served, partitions)?);
    starts.stop_ms.push(served.stop()?.as_secs_f64() * 1e3);
    Ok(())
}

fn watch(served: &Served, partitions: i32) -> Result<Start, String> {
    let since = || served.begun.elapsed().as_secs_f64() * 1e3;
    Asker::connect(served.port)?.ask()?;
    let answered_ms = since();
    Admin::connect(served.port)?.wait_for(partitions)?;
    let led_ms = since();
    thread::sleep(REST);
    let usage = served.usage()?;
    Ok(Start {
        answered_ms,
        led_ms,
        cpu_ms: usage.cpu.as_secs_f64() * 1e3,
        rss_kib: usage.rss_bytes as f64 / 1024.0,
        descriptors: usage.descriptors as f64,
    })
}

/// Makes the directory, writes to each partition, and stops cleanly.
fn prepare(subject: Subject<'_>, directory: &Path, partitions: i32) -> Result<Node, String> {
    let (node, served) = subject.serve(directory, partitions, Durability::PageCache, &[])?;
    if partitions > 0 {
        for _ in 0..BATCHES {
            write_each(served.port, &Batch::new(VALUE_BYTES, 0), 0..partitions)?;
        }
    }
    served.stop()?;
    Ok(node)
}
