//! Many partitions: how long a start takes with them, and what each costs at rest.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use klamm_core::config::Durability;

use crate::arguments::Plan;
use crate::load::write_each;
use crate::nodes::{Node, Subject};
use crate::process::Served;
use crate::report::{Cell, Table};
use crate::samples::Spread;
use crate::workload::Batch;

/// What is freed soon after the start is no memory at rest.
const REST: Duration = Duration::from_millis(500);

/// Batches in each partition, of one record.
const BATCHES: usize = 2;
const VALUE_BYTES: usize = 1024;

const COLUMNS: &[&str] = &[
    "who",
    "partitions",
    "start after",
    "ready ms",
    "CPU ms",
    "RSS at rest MiB",
    "KiB/partition",
    "open files",
    "stopped in ms",
];

/// The figures of one start.
struct Start {
    ready_ms: f64,
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
        "{BATCHES} batches of {VALUE_BYTES} B in each partition; ready is from before exec until it \
         can be connected to; memory {} ms later; a partition's KiB are what a start without any does \
         not hold; {} rounds",
        REST.as_millis(),
        plan.effort.rounds,
    );
    let mut table = Table::new("partitions", about, COLUMNS);
    for subject in Subject::all(plan) {
        // The empty one first: the others are compared with it.
        let mut empty_kib = 0.0;
        for partitions in [0].iter().chain(&plan.partitions).copied() {
            let directory = scratch.join(format!("partitions-{}-{partitions}", subject.name()));
            let starts = take(&prepare(subject, &directory, partitions)?, plan.effort.rounds)?;
            if partitions == 0 {
                let held = Spread::of(starts.clean.iter().map(|start| start.rss_kib));
                empty_kib = held.map_or(0.0, |held| held.median);
            }
            let row = |start: &str, starts: &[Start], stop_ms: &[f64]| {
                row([subject.name(), &partitions.to_string(), start], starts, stop_ms, |start| {
                    (start.rss_kib - empty_kib) / f64::from(partitions)
                })
            };
            table.push(row("clean stop", &starts.clean, &starts.stop_ms));
            table.push(row("kill", &starts.unclean, &[]));
            fs::remove_dir_all(&directory)
                .map_err(|error| format!("{}: {error}", directory.display()))?;
        }
    }
    Ok(table)
}

fn row(
    names: [&str; 3],
    starts: &[Start],
    stop_ms: &[f64],
    share_kib: impl Fn(&Start) -> f64,
) -> Vec<Cell> {
    let each = |figure: fn(&Start) -> f64| Cell::rounds(starts.iter().map(figure));
    let shares = starts.iter().map(share_kib).filter(|kib| kib.is_finite());
    let mut row = Vec::from(names.map(Cell::name));
    row.extend([
        each(|start| start.ready_ms),
        each(|start| start.cpu_ms),
        each(|start| start.rss_kib / 1024.0),
        Cell::rounds(shares),
        each(|start| start.descriptors),
        Cell::rounds(stop_ms.iter().copied()),
    ]);
    row
}

/// Starts again and again; every other time what runs is killed.
fn take(node: &Node, rounds: usize) -> Result<Starts, String> {
    let mut starts = Starts::default();
    for _ in 0..rounds {
        let served = node.start()?;
        starts.clean.push(rest(&served)?);
        served.kill();
        let served = node.start()?;
        starts.unclean.push(rest(&served)?);
        starts.stop_ms.push(served.stop()?.as_secs_f64() * 1e3);
    }
    Ok(starts)
}

fn rest(served: &Served) -> Result<Start, String> {
    thread::sleep(REST);
    let usage = served.usage()?;
    Ok(Start {
        ready_ms: served.ready.as_secs_f64() * 1e3,
        cpu_ms: usage.cpu.as_secs_f64() * 1e3,
        rss_kib: usage.rss_bytes as f64 / 1024.0,
        descriptors: usage.descriptors as f64,
    })
}

/// Makes the directory, writes to each partition, and stops cleanly.
fn prepare(subject: Subject<'_>, directory: &Path, partitions: i32) -> Result<Node, String> {
    let (node, served) = subject.serve(directory, partitions, Durability::PageCache)?;
    if partitions > 0 {
        for _ in 0..BATCHES {
            write_each(served.port, &Batch::new(VALUE_BYTES, 0), partitions)?;
        }
    }
    served.stop()?;
    Ok(node)
}
