//! Benchmarks that can be repeated and compared.
//!
//! A figure of one machine at one time says little, so each stands beside the same figure of a
//! *bare loop*: a process that reads the same bytes from a socket and writes them to a file, and
//! does nothing else. Rounds take turns between all that is compared, so that noise strikes all
//! alike; what is shown is the median with the lowest and the highest.
//!
//! A broker runs in a process of its own, which is this binary again: so its processor time and
//! memory are measured apart from the client's.

#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "figures have three digits")]

mod admin;
mod arguments;
mod bar;
mod bare;
mod batches;
mod checks;
mod codec;
mod compaction;
mod connections;
mod contest;
mod drivers;
mod environment;
mod figures;
mod following;
mod groups;
mod kafka;
mod kept;
mod machine;
mod messages;
mod nodes;
mod pace;
mod page_cache;
mod partitions;
mod process;
mod producers;
mod programs;
mod readers;
mod ready;
mod report;
mod samples;
mod serve;
mod session;
mod stand;
mod syscalls;
mod topics;
mod visits;
mod workloads;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use arguments::{Command, Plan, Suite};
use report::{Report, Table};
use rustix::fs::statvfs;

/// Reads the count of allocations of this thread so far.
pub type Allocations = fn() -> u64;

/// Does what the command line asks for. The error is one line for a person.
pub fn run(arguments: Vec<OsString>, allocations: Allocations) -> Result<(), String> {
    match arguments::read(arguments)? {
        Command::Help => {
            print!("{}", arguments::HELP);
            Ok(())
        }
        Command::Serve(broker) => serve::run(&broker),
        Command::Bare(sync, directory) => bare::run(sync, &directory),
        Command::Send(directory) => bare::send(&directory),
        Command::Measure(plan) => measure(&plan, allocations),
    }
}

fn measure(plan: &Plan, allocations: Allocations) -> Result<(), String> {
    connections::raise_descriptors()?;
    let scratch = Scratch::make(&plan.directory, plan.effort.room_mib)?;
    let mut report = Report::new(environment::describe(&scratch.0));
    for suite in &plan.suites {
        let table = take(*suite, plan, &scratch.0, allocations, &mut report.failures)?;
        report.add(table);
        // What is measured is kept, whatever becomes of the rest.
        save(plan, &report)?;
    }
    if plan.has_bar {
        let drivers: Vec<&str> = plan.drivers.iter().map(|driver| driver.name).collect();
        report.add(bar::table(&report.tables, &drivers));
    }
    report.finish();
    save(plan, &report)?;
    match report.failures.len() {
        0 => Ok(()),
        count => Err(format!("{count} loads could not be measured")),
    }
}

fn take(
    suite: Suite,
    plan: &Plan,
    scratch: &Path,
    allocations: Allocations,
    failures: &mut Vec<String>,
) -> Result<Table, String> {
    match suite {
        Suite::Produce
        | Suite::Latency
        | Suite::Fetch
        | Suite::Fairness
        | Suite::Programs
        | Suite::Idle
        | Suite::Rebalances
        | Suite::Commits
        | Suite::Heartbeats => Ok(contest::measure(suite, plan, scratch, failures)),
        Suite::Ready => ready::measure(plan, scratch),
        Suite::Partitions => partitions::measure(plan, scratch),
        Suite::Topics => topics::measure(plan, scratch),
        Suite::Offsets => groups::measure_starts(plan, scratch),
        Suite::Cleaning => compaction::measure_cleaning(plan, scratch),
        Suite::Disturbance => compaction::measure_disturbance(plan, scratch),
        Suite::Connections => connections::measure(plan, scratch),
        Suite::Core => machine::measure(plan, scratch, allocations),
        Suite::Codec => Ok(codec::measure(plan, allocations)),
        Suite::Checks => Ok(checks::measure(plan, allocations)),
    }
}

fn save(plan: &Plan, report: &Report) -> Result<(), String> {
    if let Some(path) = &plan.json {
        write(path, &report.json())?;
    }
    if let Some(path) = &plan.markdown {
        write(path, &report.markdown())?;
    }
    Ok(())
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A directory of this run's own; gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn make(below: &Path, room_mib: u64) -> Result<Self, String> {
        let path = below.join(format!("klamm-bench-{}", std::process::id()));
        let said = |error: io::Error| format!("{}: {error}", path.display());
        fs::create_dir_all(&path).map_err(said)?;
        let scratch = Self(path.clone());
        let room = statvfs(&path).map_err(|error| said(error.into()))?;
        let free_mib = (room.f_bavail * room.f_frsize) >> 20;
        if free_mib < room_mib {
            let below = below.display();
            return Err(format!("{below} has {free_mib} MiB free; {room_mib} are needed"));
        }
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}
