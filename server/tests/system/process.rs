//! The server as a process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Far beyond what a start or an end takes: two cores may be shared with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    /// Its lines on standard error so far.
    pub(crate) log: Vec<String>,
    /// Where it listens.
    pub(crate) port: u16,
}

impl Server {
    /// Starts the binary on a driver and waits until it says where it listens.
    pub(crate) fn start(properties: &Path, driver: &str) -> Self {
        let mut server = Self::spawn(&mut Self::command(properties, driver));
        server.wait_for_port();
        server
    }

    /// What starts the binary on a driver.
    pub(crate) fn command(properties: &Path, driver: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
        command.arg(properties).args(["--driver", driver]);
        command
    }

    /// Starts a server, and waits for nothing.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let stderr = child.stderr.take().expect("piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, log: Vec::new(), port: 0 }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).expect("the process is there");
    }

    /// Stops it where it stands, until [`Signal::CONT`].
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        let id = WaitId::Pid(Pid::from_child(&self.child));
        // One that has ended by itself stays to be found so.
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(id, options).expect("it is our child");
    }

    /// Kills it as a crash would, and waits until it is gone.
    pub(crate) fn kill(mut self) -> ExitStatus {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone")
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                // The pipe has ended with the process: the rest of the lines comes without a wait.
                while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
                    self.log.push(line);
                }
                return (status, std::mem::take(&mut self.log));
            }
            assert!(Instant::now() < deadline, "the server does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the start line: it names the listeners, with the ports that the system gave.
    pub(crate) fn wait_for_port(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let port = port_of(&line);
                    self.log.push(line);
                    if let Some(port) = port {
                        self.port = port;
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no start line: {:?}", self.log),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended: {:?}", self.log),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary with these arguments until it ends by itself.
pub(crate) fn run_to_end(arguments: &[&str]) -> Output {
    run_in(&[("KLAMM_DRIVER", "")], arguments)
}

/// The same with these environment variables.
pub(crate) fn run_in(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts")
}

fn port_of(line: &str) -> Option<u16> {
    let (_, listeners) = line.split_once("PLAINTEXT://")?;
    let end = listeners.find([',', ' ']).unwrap_or(listeners.len());
    listeners[..end].rsplit(':').next()?.parse().ok()
}
