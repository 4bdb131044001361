//! A measured process: this binary again or another broker, started, watched through /proc, and stopped.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

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
    /// Before exec.
    pub(crate) begun: Instant,
    /// From there until it said that it is ready, or could be connected to.
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
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
    /// Processor time and switches by thread: exact, but what one has used leaves the sum when it ends.
    threads: BTreeMap<OsString, (Duration, u64)>,
    /// Processor time in ticks, also of threads that have ended.
    ticked: Duration,
}

impl Usage {
    /// What was used since `before`, with the memory of now.
    pub(crate) fn since(self, before: &Self) -> Self {
        /// Both ends are cut to ticks, of time in the kernel and outside.
        const INEXACT: Duration = Duration::from_millis(4 * 1_000 / TICKS_PER_S);
        let ticked = self.ticked.saturating_sub(before.ticked);
        let mut since = Self {
            cpu: Duration::ZERO,
            switches: 0,
            disk_bytes: self.disk_bytes.saturating_sub(before.disk_bytes),
            ..self
        };
        for (thread, (cpu, switches)) in &since.threads {
            let (cpu_before, switches_before) =
                before.threads.get(thread).copied().unwrap_or_default();
            since.cpu += cpu.saturating_sub(cpu_before);
            since.switches += switches.saturating_sub(switches_before);
        }
        if ticked > since.cpu + INEXACT {
            // Threads have ended.
            since.cpu = ticked;
        }
        since
    }

    fn add_thread(&mut self, name: OsString, cpu: Duration, switches: u64) {
        self.cpu += cpu;
        self.switches += switches;
        self.threads.insert(name, (cpu, switches));
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
        let mut served =
            Self { child, stops_by: StopsBy::Input, port: 0, begun, ready: Duration::ZERO };
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
        let mut served =
            Self { child, stops_by: StopsBy::Signal, port, begun, ready: Duration::ZERO };
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

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets the peak of its memory begin anew.
    pub(crate) fn forget_peak(&self) -> Result<(), String> {
        // Kept by the kernel: proc(5), clear_refs.
        const PEAK: &str = "5";
        let path = format!("/proc/{}/clear_refs", self.child.id());
        fs::write(&path, PEAK).map_err(|error| format!("{path}: {error}"))
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
            ticked: ticked(&process, OWN)?,
            ..Usage::default()
        };
        let tasks = format!("{process}/task");
        for task in fs::read_dir(&tasks).map_err(|error| format!("{tasks}: {error}"))? {
            let task = task.map_err(|error| format!("{tasks}: {error}"))?;
            let (name, path) = (task.file_name(), task.path());
            let task = path.display();
            // A thread may end between the two.
            let Ok(times) = read(&format!("{task}/schedstat")) else { continue };
            let Ok(status) = read(&format!("{task}/status")) else { continue };
            let nanos = times.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
            let switches = field(&status, "voluntary_ctxt_switches:")
                + field(&status, "nonvoluntary_ctxt_switches:");
            usage.add_thread(name, Duration::from_nanos(nanos), switches);
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

/// Processor time of this process, and of its children that have ended.
pub(crate) fn client_cpu() -> Result<Duration, String> {
    let own = clock_gettime(ClockId::ProcessCPUTime);
    let own = Duration::new(own.tv_sec as u64, own.tv_nsec as u32);
    Ok(own + ticked("/proc/self", CHILDREN)?)
}

/// `USER_HZ`, which Linux has kept at this on every machine.
const TICKS_PER_S: u64 = 100;

/// Where a process's stat has utime and stime, counted from behind the name in brackets.
const OWN: Range<usize> = 11..13;
/// And cutime and cstime.
const CHILDREN: Range<usize> = 13..15;

fn ticked(process: &str, fields: Range<usize>) -> Result<Duration, String> {
    let stat = read(&format!("{process}/stat"))?;
    Ok(Duration::from_millis(ticks(&stat, fields) * 1_000 / TICKS_PER_S))
}

fn ticks(stat: &str, fields: Range<usize>) -> u64 {
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = behind_name.split_whitespace().skip(fields.start).take(fields.len());
    fields.filter_map(|text| text.parse::<u64>().ok()).sum()
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
    use super::*;

    #[test]
    fn a_thread_that_has_ended_takes_nothing_from_the_others() {
        let ms = Duration::from_millis;
        let usage = |threads: &[(&str, u64, u64)]| {
            let mut usage = Usage::default();
            for (name, cpu_ms, switches) in threads {
                usage.add_thread((*name).into(), ms(*cpu_ms), *switches);
            }
            usage
        };
        let before = usage(&[("1", 100, 10), ("2", 5_000, 500)]);
        let now = usage(&[("1", 150, 12), ("3", 30, 4)]);
        let since = now.since(&before);
        assert_eq!((since.cpu, since.switches), (ms(80), 6));
    }

    #[test]
    fn what_threads_used_that_have_ended_is_known_in_ticks() {
        let usage = |ticked_ms, cpu_ms| {
            let mut usage = Usage { ticked: Duration::from_millis(ticked_ms), ..Usage::default() };
            usage.add_thread("1".into(), Duration::from_millis(cpu_ms), 0);
            usage
        };
        let since = |now: Usage| now.since(&usage(100, 101)).cpu.as_millis();
        assert_eq!(since(usage(130, 122)), 21);
        assert_eq!(since(usage(900, 122)), 800);
    }

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 9 0 0 0 25 17 3 4 20 0 1 0 100 1 1";
        assert_eq!((ticks(stat, OWN), ticks(stat, CHILDREN)), (42, 7));
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status =
            "VmRSS:\t  120 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(field(status, "VmRSS:"), 120);
        assert_eq!(field(status, "voluntary_ctxt_switches:"), 7);
        assert_eq!(field(status, "VmHWM:"), 0);
    }
}
