//! The system calls of a process, counted by `perf` where there is one.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

const EVENT: &str = "raw_syscalls:sys_enter";

/// It says nothing when it has begun.
const BEGIN: Duration = Duration::from_millis(300);

/// A count that runs.
pub(crate) struct Count(Child);

impl Count {
    /// `None` where nothing counts.
    pub(crate) fn begin(process: u32) -> Option<Self> {
        let mut command = Command::new("perf");
        command.args(["stat", "-x,", "-e", EVENT, "-p", &process.to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = child.spawn().ok()?;
        thread::sleep(BEGIN);
        match child.try_wait() {
            Ok(None) => Some(Self(child)),
            _ => None,
        }
    }

    /// `None` when it has counted nothing.
    pub(crate) fn end(mut self) -> Option<u64> {
        kill_process(Pid::from_child(&self.0), Signal::INT).ok()?;
        let mut said = String::new();
        self.0.stderr.take()?.read_to_string(&mut said).ok()?;
        self.0.wait().ok()?;
        parse(&said)
    }
}

/// `1234,,raw_syscalls:sys_enter,...`
fn parse(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains(EVENT))?;
    match line.split(',').next()? {
        // It never ran.
        "<not counted>" => Some(0),
        count => count.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_count_is_the_first_field_of_its_line() {
        assert_eq!(parse("\n20125,,raw_syscalls:sys_enter,6564616,100.00,,\n"), Some(20_125));
        assert_eq!(parse("<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n"), Some(0));
        assert_eq!(parse("<not supported>,,raw_syscalls:sys_enter,0,100.00,,\n"), None);
        assert_eq!(parse("Error: no permission\n"), None);
    }
}
