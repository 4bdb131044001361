//! A measured process: this binary again or another broker, started, watched through /proc, and stopped.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Far beyond what a start or an end takes.
const PATIENCE: Duration = Duration::from_mins(3);

/// Between two attempts to connect to another broker.
const ATTEMPTS_EVERY: Duration = Duration::from_millis(5);

/// A process that listens on a port of the loopback interface; killed when dropped.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    stops_by: StopsBy,
    pub(crate) port: u16,
    /// From before exec until it said that it is ready.
    pub(crate) ready: Duration,
}

/// What ends a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopsBy {
    /// The end of its standard input.
    Input,
    /// SIGTERM. Java tells of that by its exit code.
    Signal,
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Of its living threads.
    pub(crate) cpu: Duration,
    /// Of its living threads, wanted or not.
    pub(crate) switches: u64,
    /// Now.
    pub(crate) rss_bytes: u64,
    /// At most so far.
    pub(crate) rss_peak_bytes: u64,
    /// That its reads have brought from a disk.
    pub(crate) disk_bytes: u64,
    /// Descriptors that are open now.
    pub(crate) descriptors: usize,
}

impl Usage {
    /// What was used since `before`, with the memory of now.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            switches: self.switches.saturating_sub(before.switches),
            disk_bytes: self.disk_bytes.saturating_sub(before.disk_bytes),
            ..self
        }
    }
}

/// What the process writes when it can be connected to.
const READY: &str = "ready ";

/// Tells who started this process that it is ready.
pub(crate) fn say_ready(port: u16) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    let said = writeln!(out, "{READY}{port}").and_then(|()| out.flush());
    said.map_err(|error| format!("standard output: {error}"))
}

impl Served {
    /// Starts this binary with `arguments` and waits until it is ready.
    pub(crate) fn start(arguments: &[OsString]) -> Result<Self, String> {
        let this = env::current_exe().map_err(|error| format!("this program: {error}"))?;
        let begun = Instant::now();
        let child = Command::new(this)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("this program again: {error}"))?;
        let mut served = Self { child, stops_by: StopsBy::Input, port: 0, ready: Duration::ZERO };
        let stdout = served.child.stdout.take().ok_or("no standard output")?;
        let (sender, heard) = channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // Nobody listens any more when it came too late.
            sender.send(read.map(|_| (Instant::now(), line))).ok();
        });
        let (at, line) = heard
            .recv_timeout(PATIENCE)
            .map_err(|_| format!("{arguments:?} is not ready in {PATIENCE:?}"))?
            .map_err(|error| format!("{arguments:?}: {error}"))?;
        let port = line.trim_end().strip_prefix(READY).and_then(|port| port.parse().ok());
        served.port = port.ok_or_else(|| format!("{arguments:?} has ended without being ready"))?;
        served.ready = at - begun;
        Ok(served)
    }

    /// Starts another broker and waits until it can be connected to.
    pub(crate) fn start_other(command: &mut Command, port: u16) -> Result<Self, String> {
        let begun = Instant::now();
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let mut served = Self { child, stops_by: StopsBy::Signal, port, ready: Duration::ZERO };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = served.ended()? {
                return Err(format!("{command:?}: {status}"));
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{command:?} is not ready in {PATIENCE:?}"));
            }
            thread::sleep(ATTEMPTS_EVERY);
        }
        served.ready = begun.elapsed();
        Ok(served)
    }

    /// Asks it to end; gives how long that took.
    pub(crate) fn stop(mut self) -> Result<Duration, String> {
        let begun = Instant::now();
        drop(self.child.stdin.take());
        if self.stops_by == StopsBy::Signal {
            kill_process(Pid::from_child(&self.child), Signal::TERM)
                .map_err(|error| format!("a signal: {error}"))?;
        }
        while begun.elapsed() < PATIENCE {
            match self.ended()? {
                Some(status) if status.success() || self.stops_by == StopsBy::Signal => {
                    return Ok(begun.elapsed());
                }
                Some(status) => return Err(format!("the measured process: {status}")),
                None => thread::sleep(Duration::from_micros(500)),
            }
        }
        Err(format!("the measured process does not end in {PATIENCE:?}"))
    }

    /// Ends it without a word, as a crash does.
    pub(crate) fn kill(self) {
        drop(self);
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, String> {
        self.child.try_wait().map_err(|error| format!("a process: {error}"))
    }

    /// What it has used. Take it while the threads that matter live.
    pub(crate) fn usage(&self) -> Result<Usage, String> {
        let process = format!("/proc/{}", self.child.id());
        let status = read(&format!("{process}/status"))?;
        let mut usage = Usage {
            rss_bytes: field(&status, "VmRSS:") << 10,
            rss_peak_bytes: field(&status, "VmHWM:") << 10,
            disk_bytes: field(&read(&format!("{process}/io"))?, "read_bytes:"),
            descriptors: count(&format!("{process}/fd"))?,
            ..Usage::default()
        };
        let tasks = format!("{process}/task");
        for task in fs::read_dir(&tasks).map_err(|error| format!("{tasks}: {error}"))? {
            let task = task.map_err(|error| format!("{tasks}: {error}"))?.path();
            let task = task.display();
            // A thread may end between the two.
            let Ok(times) = read(&format!("{task}/schedstat")) else { continue };
            let Ok(status) = read(&format!("{task}/status")) else { continue };
            let nanos = times.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
            usage.cpu += Duration::from_nanos(nanos);
            usage.switches += field(&status, "voluntary_ctxt_switches:")
                + field(&status, "nonvoluntary_ctxt_switches:");
        }
        Ok(usage)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn count(directory: &str) -> Result<usize, String> {
    let entries = fs::read_dir(directory).map_err(|error| format!("{directory}: {error}"))?;
    Ok(entries.count())
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

/// The number behind `name` in a status file; 0 without one.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status =
            "VmRSS:\t  120 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(field(status, "VmRSS:"), 120);
        assert_eq!(field(status, "voluntary_ctxt_switches:"), 7);
        assert_eq!(field(status, "VmHWM:"), 0);
    }
}
