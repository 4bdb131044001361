//! Servers that break their promises, as processes of their own: this test binary once more, with a real
//! driver on a disk that lies.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use std::{env, thread};

use klamm_core::config;
use klamm_core::effect::{FileRef, IoError, Operation, OperationResult};
use klamm_runtime::{Disk, Files, Options};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

use crate::directory::Directory;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Of the writes to logs, some are not made.
    DropsWrites,
    /// A write to a log is said to be done long before it is.
    WritesLate,
}

const FAULT: &str = "KLAMM_BROKEN_FAULT";
const PROPERTIES: &str = "KLAMM_BROKEN_PROPERTIES";

/// What starts a server with this fault.
pub(super) fn command(directory: &Directory, fault: Fault) -> Command {
    let mut command = Command::new(env::current_exe().expect("a test knows itself"));
    command
        .args(["kill::broken::serves", "--exact", "--ignored", "--nocapture"])
        .env(FAULT, format!("{fault:?}"))
        .env(PROPERTIES, directory.properties());
    command
}

/// The server itself, until it is killed.
#[test]
#[ignore = "what the negative controls start"]
fn serves() {
    let (Ok(fault), Ok(properties)) = (env::var(FAULT), env::var(PROPERTIES)) else { return };
    let text = fs::read_to_string(properties).expect("read");
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let config = config::parse(pairs).expect("the directory's own").config;
    let files = Files::new(config.limits.open_files_max);
    let disk: Arc<dyn Disk> = if fault == format!("{:?}", Fault::DropsWrites) {
        Arc::new(Dropping { files, writes: AtomicU64::new(0) })
    } else {
        Late::start(files)
    };
    let options = Options { disk: Some(disk), ..Options::default() };
    let server = klamm_std::Server::start(config, options).expect("it starts");
    eprintln!("PLAINTEXT://{} ", server.addresses()[0].1);
    let (mut signals, stopper) = (Signals::new([SIGTERM]).expect("caught"), server.stopper());
    thread::spawn(move || signals.forever().next().map(|_| stopper.shutdown()));
    server.wait();
}

/// The first one in a file stays what it is: it makes the file.
fn is_write_to_log(operation: &Operation) -> bool {
    matches!(operation, Operation::Write { file, position: 1.., .. }
        if file.path.name().strip_suffix(".log").is_some() && !file.path.as_str().contains("__"))
}

/// Every so many writes to logs, one is not made.
struct Dropping {
    files: Files,
    writes: AtomicU64,
}

const DROPPED_OF: u64 = 100;

impl Disk for Dropping {
    fn perform(&self, operation: &Operation) -> Result<OperationResult, IoError> {
        if is_write_to_log(operation)
            && self.writes.fetch_add(1, Ordering::Relaxed) % DROPPED_OF == DROPPED_OF - 1
        {
            return Ok(OperationResult::Done);
        }
        self.files.perform(operation)
    }

    fn open(&self, file: &FileRef) -> Result<Arc<File>, IoError> {
        self.files.open(file)
    }
}

/// Writes to logs are made by another thread, when they are old enough.
struct Late {
    files: Files,
    waiting: Mutex<VecDeque<(Instant, Operation)>>,
    more: Condvar,
}

const LATE: Duration = Duration::from_millis(30);

impl Late {
    fn start(files: Files) -> Arc<Self> {
        let late = Self { files, waiting: Mutex::new(VecDeque::new()), more: Condvar::new() };
        let late = Arc::new(late);
        let writer = Arc::clone(&late);
        thread::spawn(move || writer.write());
        late
    }

    fn write(&self) {
        loop {
            let (due, operation) = {
                let waiting = self.waiting.lock().expect("nobody panics");
                let mut waiting = self
                    .more
                    .wait_while(waiting, |waiting| waiting.is_empty())
                    .expect("nobody panics");
                waiting.pop_front().expect("there is one")
            };
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // What is not there any more needs no writing.
            let _gone = self.files.perform(&operation);
        }
    }
}

impl Disk for Late {
    fn perform(&self, operation: &Operation) -> Result<OperationResult, IoError> {
        if !is_write_to_log(operation) {
            return self.files.perform(operation);
        }
        let mut waiting = self.waiting.lock().expect("nobody panics");
        waiting.push_back((Instant::now() + LATE, operation.clone()));
        self.more.notify_one();
        Ok(OperationResult::Done)
    }

    fn open(&self, file: &FileRef) -> Result<Arc<File>, IoError> {
        self.files.open(file)
    }
}
