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
mod bare;
mod codec;
mod connections;
mod drivers;
mod environment;
mod fetch;
mod kafka;
mod latency;
mod load;
mod machine;
mod nodes;
mod partitions;
mod process;
mod produce;
mod reading;
mod ready;
mod report;
mod samples;
mod serve;
mod topics;
mod workload;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use arguments::{Command, Plan, Suite};
use report::Report;

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
    let scratch = Scratch::make(&plan.directory)?;
    let mut report = Report::new(environment::describe(&scratch.0));
    for suite in &plan.suites {
        let table = match suite {
            Suite::Ready => ready::measure(plan, &scratch.0)?,
            Suite::Produce => produce::measure(plan, &scratch.0)?,
            Suite::Latency => latency::measure(plan, &scratch.0)?,
            Suite::Fetch => fetch::measure(plan, &scratch.0)?,
            Suite::Partitions => partitions::measure(plan, &scratch.0)?,
            Suite::Topics => topics::measure(plan, &scratch.0)?,
            Suite::Connections => connections::measure(plan, &scratch.0)?,
            Suite::Core => machine::measure(plan, &scratch.0, allocations)?,
            Suite::Codec => codec::measure(plan, allocations),
        };
        println!("{}", table.text());
        report.tables.push(table);
    }
    report.finish();
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
    fn make(below: &std::path::Path) -> Result<Self, String> {
        let path = below.join(format!("klamm-bench-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}
